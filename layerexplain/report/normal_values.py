"""Values of configurations in their normal form, and how two of them differ: at any depth, and whole.

A value is a number, a text, a truth value, None, a tuple or a mapping of values, or a `Normal`. Nothing is cut: that is
the printers' part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from layerexplain.layers.registry import PARTS_OF_TRAINING, find
from layerexplain.model import ForeignFunction
from layerexplain.records import NamedTuple, Record
from layerexplain.report.settings import default_initializer, is_setting

USUAL: Mapping[str, tuple[Any, ...]] = {
    "trainable": (True,),
    "dtype": ("float32", None),
    "autocast": (True,),
    "unit_forget_bias": (True,),
    "use_cudnn": ("auto", True),
    "renorm_momentum": (0.99,),
    "groups": (1,),
    "mode": (0,),
    "rng_type": ("stateful",),
    "window": ("hann",),
    "scaling": ("density",),
    "query_shape": (...,),
    "key_shape": (...,),
    "value_shape": (...,),
    "implementation": (...,),
    "input_length": (...,),
    "fused": (...,),
    "batch_input_shape": (...,),
    "batch_size": (...,),
    "batch_shape": (...,),
    "input_shape": (...,),
    "num_constants": (0,),
    "score_mode": ("dot",),
    "data_format": ("channels_last", None),
    "vocabulary_dtype": ("int64",),
    "registered_name": (...,),
}
"""Arguments, beside those that are None or False, and the values at which they say nothing; ... is any value."""

_FALSE_SPEAKS = ("trainable", "unit_forget_bias", "autocast")


def says_nothing(name: str, value: Any) -> bool:
    """Return whether an argument that no formula takes has its default, or one that today's Keras does not have.

    >>> says_nothing("unit_forget_bias", True), says_nothing("unit_forget_bias", False), says_nothing("seed", None)
    (True, False, True)
    """
    usual = USUAL.get(name, ())
    if any(default is ... or (type(value) is type(default) and value == default) for default in usual):
        return True
    return value is None or (value is False and name not in _FALSE_SPEAKS)


def usual_value(name: str) -> Any:
    """Return the value of an argument that no formula takes and that is left out.

    >>> usual_value("bias_initializer"), usual_value("unit_forget_bias"), usual_value("seed")
    (Zeros, True, None)
    """
    if name == "dtype":
        return Normal("float32")
    initializer = default_initializer(name)
    usual = Normal(initializer) if initializer else next(iter(USUAL.get(name, ())), None)
    return None if usual is ... else usual


class Normal(Record):
    """An object of a configuration: a layer, a cell, a nested model, an initializer, an optimizer or another part of
    training. `arguments` are those of its formula, with defaults; `others` are those that no formula shows: initial
    values, what training alone uses, the dtype. They are left out where they have their usual value.

    >>> Normal("LSTM", {"units": 3, "use_bias": True}, {"bias_initializer": Normal("Ones")})
    LSTM(units=3, bias_initializer=Ones)
    """

    type: str
    arguments: Mapping[str, Any] = MappingProxyType({})
    others: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        declaration = find(self.type) if self.arguments else None
        usual = {} if declaration is None else declaration.default_values
        arguments = {
            name: value
            for name, value in self.arguments.items()
            if name not in self.others and not (name in usual and is_same(value, usual[name]))
        }
        arguments.update({name: value for name, value in self.others.items() if not is_same(value, usual_value(name))})
        kind, _, name = self.type.partition(".")
        class_name = name if kind in PARTS_OF_TRAINING else self.type
        written = ", ".join([f"{argument}={value!r}" for argument, value in arguments.items()])
        return f"{class_name}({written})" if arguments else class_name

    def settings(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield the initializers, regularizers and constraints that are not the default, and those of the layers
        inside, by the names of the arguments.

        >>> inner = Normal("LSTM", {}, {"bias_initializer": Normal("Ones")})
        >>> list(Normal("Bidirectional", {"layer": inner}).settings())
        [('layer.bias_initializer', 'Ones')]
        """
        for name, value in {**self.arguments, **self.others}.items():
            parts = value if isinstance(value, tuple) else (value,)
            for place, part in enumerate(parts):
                if not isinstance(part, Normal):
                    continue
                label = f"{prefix}{name}[{place}]" if len(parts) > 1 else f"{prefix}{name}"
                if is_setting(name):
                    if name in self.others:
                        yield label, repr(part)
                else:
                    yield from part.settings(f"{label}.")


class Differing(NamedTuple):
    """An argument with another value, by the way to it (`layer.cell.units`). `in_formula` says that a formula takes
    it."""

    name: str
    before: Any
    after: Any
    in_formula: bool

    @property
    def last(self) -> str:
        """The name of the argument in the object that has it."""
        return self.name.rpartition(".")[2].partition("[")[0]


def differing(before: Normal, after: Normal, prefix: str = "", in_formula: bool = True) -> Iterator[Differing]:
    """Yield where two objects of one type differ, also in the objects inside of them.

    >>> cells = [Normal("RNN", {"cell": Normal("GRUCell", {"units": units})}) for units in (3, 5)]
    >>> list(differing(*cells))
    [Differing(name='cell.units', before=3, after=5, in_formula=True)]
    """
    others = dict.fromkeys([*before.others, *after.others])
    for name in dict.fromkeys([*before.arguments, *after.arguments]):
        if name not in others:
            values = before.arguments.get(name), after.arguments.get(name)
            yield from _between(f"{prefix}{name}", *values, in_formula)
    for name in others:
        usual = usual_value(name)
        yield from _between(f"{prefix}{name}", before.others.get(name, usual), after.others.get(name, usual), False)


def _between(name: str, before: Any, after: Any, in_formula: bool) -> Iterator[Differing]:
    if _are_alike(before, after) and not is_setting(name.rpartition(".")[2]):
        yield from differing(before, after, f"{name}.", in_formula)
    elif isinstance(before, tuple) and isinstance(after, tuple) and (places := _places(before, after)):
        for place in places:
            yield from _between(f"{name}[{place}]", before[place], after[place], in_formula)
    elif not is_same(before, after):
        yield Differing(name, before, after, in_formula)


def _are_alike(before: Any, after: Any) -> bool:
    return isinstance(before, Normal) and isinstance(after, Normal) and before.type == after.type


_FEW = 3
"""So many entries of a long list are named, each with its place; where more differ, the list is."""


def _places(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[int]:
    """Return where two lists differ, if their entries are to be named: those of layers, and a few of many numbers."""
    places = [place for place, pair in enumerate(zip(before, after, strict=False)) if not is_same(*pair)]
    if len(before) != len(after):
        return []
    if all(_are_alike(before[place], after[place]) for place in places):
        return places
    return places if len(places) <= _FEW < len(before) // 2 else []


def is_same(before: Any, after: Any) -> bool:
    """Return whether two values are equal at any depth; NaN equals itself, and True is not 1.

    >>> is_same((1, float("nan")), (1.0, float("nan"))), is_same(True, 1), is_same({"a": [1]}, {"a": (1,)})
    (True, False, True)
    """
    waiting = [(before, after)]
    while waiting:
        item, other = waiting.pop()
        if item is other:
            continue
        if ForeignFunction in (type(item), type(other)) and not all(
            getattr(value, "code", "") for value in (item, other)
        ):
            item, other = (getattr(value, "name", value) for value in (item, other))
        if isinstance(item, list | tuple) and isinstance(other, list | tuple):
            if len(item) != len(other):
                return False
            waiting += zip(item, other, strict=True)
        elif isinstance(item, Mapping) and isinstance(other, Mapping):
            if item.keys() != other.keys():
                return False
            waiting += [(value, other[key]) for key, value in item.items()]
        elif isinstance(item, Normal) and isinstance(other, Normal):
            if item.type != other.type:
                return False
            waiting += [(item.arguments, other.arguments), (item.others, other.others)]
        elif _is_number(item) and _is_number(other):
            if item != other and not (item != item and other != other):
                return False
        elif type(item) is not type(other) or repr(item) != repr(other):
            return False
    return True


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
