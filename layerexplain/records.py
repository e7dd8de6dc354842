"""`NamedTuple` as `typing` has it, made without a compiler: plain immutable data that costs nothing at start-up.

`typing.NamedTuple` compiles a `__new__` for each class, and each annotation that is a text. Here the `__new__` of all
classes is one function that is told the fields. That is worth 4 % of the time in which `summary` lists a small file.
Type checkers see `typing.NamedTuple` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    try:
        from _collections import _tuplegetter as _field
    except ImportError:  # only CPython has it

        def _field(index: int, doc: str) -> property:
            return property(lambda record: tuple.__getitem__(record, index), doc=doc)

    _new = tuple.__new__

    class _Record(tuple):
        """What all records have in common, in the names that `typing.NamedTuple` gives it."""

        __slots__ = ()
        _fields: tuple[str, ...] = ()

        @classmethod
        def _make(cls, values: Any) -> Any:
            return cls(*values)

        def _replace(self, /, **changed: Any) -> Any:
            result = _new(self.__class__, map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"{self.__class__.__name__} has no field {', '.join(map(repr, changed))}")
            return result

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = [f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)]
            return f"{self.__class__.__name__}({', '.join(fields)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class _Maker(type):
        """Makes of `class Point(NamedTuple)` a subclass of `_Record` that has an attribute for each annotation."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
            fields = tuple(_annotations(namespace))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            namespace["__slots__"] = ()
            namespace["__new__"] = _constructor(name, fields, defaults)
            namespace["_fields"] = namespace["__match_args__"] = fields
            namespace["_field_defaults"] = defaults
            for index, field in enumerate(fields):
                namespace[field] = _field(index, f"Field number {index}")
            return type(name, (_Record,), namespace)

    def _constructor(name: str, fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
        count = len(fields)

        def new(cls: Any, *values: Any, **named: Any) -> Any:
            if named or len(values) != count:
                values = _completed(name, fields, values, {**defaults, **named}, named)
            return _new(cls, values)

        return new

    def _completed(
        name: str, fields: tuple[str, ...], values: tuple[Any, ...], rest: dict[str, Any], named: dict[str, Any]
    ) -> tuple[Any, ...]:
        """The values of all fields: those that are given in order, then those by name or the defaults."""
        left = fields[len(values) :]
        wrong = [field for field in named if field not in left]
        missing = [field for field in left if field not in rest]
        if wrong or missing or len(values) > len(fields):
            raise TypeError(
                f"{name}({', '.join(fields)}) got {len(values)} values, {', '.join(named) or 'none'} by name"
            )
        return (*values, *[rest[field] for field in left])

    def _annotations(namespace: dict[str, Any]) -> Any:
        """The annotations of a class body; Python 3.14 has them as a function, unless they are texts."""
        found = namespace.get("__annotations__")
        if found is None and "__annotate_func__" in namespace:
            from annotationlib import Format, call_annotate_function

            return call_annotate_function(namespace["__annotate_func__"], Format.FORWARDREF)
        return found or {}

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
