"""Modules of a program, and names that they import of each other."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from layerexplain.frontends.code.values.base import Arguments, Evaluator, Keywords, ProgramValue, Value
from layerexplain.records import Record

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.frames import Frame


class Module(Value):
    """Another file of the same folder, as text."""

    def __init__(self, name: str, frame: Frame) -> None:
        self.name = name
        self.frame = frame

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.frame.names:
            return evaluator.loaded(self.frame, name)
        inner = evaluator.module(f"{self.name}.{name}", self.frame)
        return inner or evaluator.unknown(f"{self.name}.py has no {name}", name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.frame.names or evaluator.module(f"{self.name}.{name}", self.frame) is not None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.unknown(f"the module {self.name} is called")


class Imported(Record, Value):
    """A name that a module of a package imports from another one, which is read when the name is used."""

    node: ast.ImportFrom
    alias: ast.alias
    frame: Frame

    def truth(self) -> bool | None:
        return None
