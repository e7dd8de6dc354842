"""How a library is declared: its functions by their dotted names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Symbol, UnknownValue

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter

_Reader = TypeVar("_Reader")
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class FunctionTable(Generic[_Reader]):
    """What calls of names give. A row takes the arguments without and with a name, and what reads the program; it gives
    NotImplemented for arguments that it does not read.

    >>> rows = FunctionTable()
    >>> @rows("first", "head")
    ... def first(args, kwargs, reader):
    ...     return args[0]
    >>> rows.call("head", [[3, 5]], {}, None), rows.call("tail", [], {}, None)
    ([3, 5], NotImplemented)
    """

    def __init__(self) -> None:
        self._rows: dict[str, Callable[[list[ProgramValue], dict[str, ProgramValue], _Reader], ProgramValue]] = {}

    def __call__(self, *names: str) -> Callable[[_Decorated], _Decorated]:
        """Register what a call of each of these names gives."""

        def register(row: _Decorated) -> _Decorated:
            self._rows.update(dict.fromkeys(names, row))
            return row

        return register

    def find(self, name: str) -> Callable[[list[ProgramValue], dict[str, ProgramValue], _Reader], ProgramValue] | None:
        """Return the row of a name; None for one that has none."""
        return self._rows.get(name)

    def call(self, name: str, args: Arguments, kwargs: Keywords, reader: _Reader) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""
        row = self.find(name)
        if row is None:
            return NotImplemented
        try:
            return row(args, kwargs, reader)
        except UnknownValue as why:
            return why.value


Implementation = Callable[[list[Any], dict[str, Any], "Interpreter"], Any]
"""What a call of a function of a library gives."""


class Library:
    """The functions of some packages, whose names are `roots`: rows by dotted names (`@library.function("math.prod")`),
    and for a whole package what makes its functions by their names (`@library.family("math")`)."""

    def __init__(self, *roots: str) -> None:
        self.roots = frozenset(roots)
        self.function: FunctionTable[Interpreter] = FunctionTable()
        self._families: dict[str, Callable[[str], Implementation]] = {}

    def family(self, package: str) -> Callable[[Callable[[str], Implementation]], Callable[[str], Implementation]]:
        """Register what makes the functions of a package, by their names in it, that are no rows."""

        def register(make: Callable[[str], Implementation]) -> Callable[[str], Implementation]:
            self._families[package] = make
            return make

        return register

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""
        package, _, name = path.partition(".")
        if self.function.find(path) is not None or package not in self._families:
            return self.function.call(path, args, kwargs, interpreter)
        try:
            return self._families[package](name)(args, kwargs, interpreter)
        except UnknownValue as why:
            return why.value


class FrameworkLibrary(Library):
    """A library that models are made with: its framework, which knows the layers that the program has made, says what
    its names give."""

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        return interpreter.framework_of(path).call_symbol(Symbol(path), args, kwargs)
