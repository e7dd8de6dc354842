"""How a library is declared: its functions by their dotted names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from layerexplain.frontends.code.values.base import UnknownValue

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter

Implementation = Callable[[list[Any], dict[str, Any], "Interpreter"], Any]
"""What a call gives by its arguments; NotImplemented for arguments that are not read."""
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class Library:
    """The functions of some packages, whose names are `roots`."""

    def __init__(self, *roots: str) -> None:
        self.roots = frozenset(roots)
        self.objects: Any = None
        """What answers for the objects of classes of the program that are made of a class of the library."""
        self._functions: dict[str, Implementation] = {}
        self._families: dict[str, Callable[[str], Implementation]] = {}

    def function(self, *paths: str) -> Callable[[_Decorated], _Decorated]:
        """Register what a call of each of these names gives."""

        def register(implementation: _Decorated) -> _Decorated:
            self._functions.update(dict.fromkeys(paths, implementation))
            return implementation

        return register

    def family(self, package: str) -> Callable[[Callable[[str], Implementation]], Callable[[str], Implementation]]:
        """Register what makes the functions of a package, by their names in it, that are not registered themselves."""

        def register(make: Callable[[str], Implementation]) -> Callable[[str], Implementation]:
            self._families[package] = make
            return make

        return register

    def find(self, path: str) -> Implementation | None:
        """Return what a call of a name gives; None for a name that is not registered."""
        if path in self._functions:
            return self._functions[path]
        package, _, name = path.partition(".")
        return self._families[package](name) if package in self._families else None

    def call(self, path: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""
        implementation = self.find(path)
        if implementation is None:
            return NotImplemented
        try:
            return implementation(args, kwargs, interpreter)
        except UnknownValue as why:
            return why.value
