"""Where the names of a program are kept, and which branches were chosen without knowing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.records import NamedTuple

ProgramValue = Any
"""A value of the program: one of Python's own, or a `Value`. What it is, whoever meets it must ask."""
Arguments = list[ProgramValue]
"""What a call is given without a name."""
Keywords = dict[str, ProgramValue]
"""What a call is given by name."""


class Place(NamedTuple):
    """A place in a file; `file` is "" for the source itself. `column` is counted from 1, 0 where it is not known."""

    file: str
    line: int
    column: int = 0

    @property
    def error_fields(self) -> dict[str, ProgramValue]:
        """Return the place as an error takes it."""
        return {"source": self.file or None, "line": self.line or None, "column": self.column or None}


class File(NamedTuple):
    """A parsed file: its name in places ("" for the source itself), its folder (None where there is none), its code,
    and its path, "" for the source itself."""

    name: str
    folder: str | None
    tree: ast.Module
    path: str = ""
    size: int = 0
    """Words, signs and lines of its code."""


class Assumption(NamedTuple):
    """A choice that only running the program would confirm."""

    line: int
    words: str
    settled: bool = False
    """Whether the answer is complete all the same; the assumption is then a note."""


class Frame:
    """The names of a module, a function, a class or a comprehension. `outer` is the one around it."""

    __slots__ = (
        "body",
        "file",
        "globals",
        "is_class",
        "maybe",
        "methods",
        "names",
        "nonlocals",
        "outer",
        "owner",
        "self",
        "within",
        "yields",
    )

    def __init__(self, file: File, outer: Frame | None = None, *, is_class: bool = False) -> None:
        self.file = file
        self.outer = outer
        self.is_class = is_class
        self.body: list[ast.stmt] | None = None
        """The statements of a function."""
        self.names: dict[str, ProgramValue] = {}
        self.methods: list[ProgramValue] = []
        """The functions of a class as it defines them, before their decorators."""
        self.maybe: dict[str, Assumption] = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.owner: ProgramValue = None
        """The class that a method belongs to, for `super()`."""
        self.self: ProgramValue = None
        self.within: Callable[[ProgramValue], ProgramValue] | None = None
        """What a context manager runs where it yields: the statements of the `with`."""
        self.yields: list[ProgramValue] | None = None
        """What a generator has given so far; None for any other function, and where that is not known."""

    def around(self) -> Iterator[Frame]:
        """Return the frame and those around it, the module last."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    @property
    def module(self) -> Frame:
        """Return the frame of the module."""
        return [*self.around()][-1]

    def holder(self, name: str) -> Frame | None:
        """Return the frame that has a name, as Python looks it up."""
        start = self.module if name in self.globals else self
        for frame in start.around():
            if name in frame.names and (frame is start or not frame.is_class):
                return frame
        return None

    def assign(self, name: str, value: object) -> None:
        """Let a name stand for a value."""
        frame = self
        if name in self.globals:
            frame = self.module
        elif name in self.nonlocals and self.outer is not None:
            frame = self.outer.holder(name) or self
        frame.names[name] = value
        frame.maybe.pop(name, None)
