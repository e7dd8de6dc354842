"""The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.

It works through the statements in order, as Python would. What it cannot know becomes `Unknown`, with the first cause;
a branch that hangs on an unknown test is chosen. `effects` keeps what was changed, assumed, left open and raised.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from layerexplain.frontends.code.machine.calls import Attributes, Calls
from layerexplain.frontends.code.machine.choices import Choices
from layerexplain.frontends.code.machine.definitions import DefinitionStatements
from layerexplain.frontends.code.machine.expressions import Expressions
from layerexplain.frontends.code.machine.loops import Loops
from layerexplain.frontends.code.machine.modules import Modules
from layerexplain.frontends.code.machine.parts import FunctionLibrary
from layerexplain.frontends.code.machine.statements import Statements
from layerexplain.frontends.code.values.base import ProgramValue
from layerexplain.frontends.code.values.bounds import Exhausted
from layerexplain.frontends.code.values.frames import File, Frame
from layerexplain.frontends.code.values.framework import Framework
from layerexplain.frontends.code.values.program import ModuleLibrary
from layerexplain.records import NamedTuple


class Libraries(NamedTuple):
    """What is read of libraries: their functions by the first parts of their names, what makes the frameworks that
    models are made with, the first of them being meant where nothing says which, and what makes the library whose
    modules compute as they go."""

    functions: Mapping[str, FunctionLibrary]
    frameworks: Sequence[Callable[[Interpreter], Framework]]
    modules: Callable[[Interpreter], ModuleLibrary]


class Interpreter(Statements, Choices, Loops, DefinitionStatements, Expressions, Attributes, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        modules: Finds modules beside a file, and what is lent to it.
        libraries: The libraries that are read.
    """

    def __init__(self, settings: Mapping[str, ProgramValue], modules: Modules, libraries: Libraries) -> None:
        super().__init__(settings, modules)
        self.libraries = libraries.functions
        self.frameworks += [make(self) for make in libraries.frameworks]
        self.torch = libraries.modules(self)

    def run(self, file: File, frame: Frame | None = None) -> Frame:
        """Work through a file. Returns its names, as far as it was read."""
        frame = frame or Frame(file)
        outer, statement = self.file, self.effects.statement
        self.file = file.name
        try:
            self.block(file.tree.body, frame, module=True)
        except Exhausted as error:
            self.exhausted = self.unknown(f"the program {error}; it is read up to here")
            self.effects.mark_program_incomplete(self.exhausted)
        finally:
            self.file, self.effects.statement = outer, statement or self.effects.statement
        return frame

    def parse_setting(self, text: str) -> ProgramValue:
        """Return the value that `--set` gives: a number, a text, sizes with commas between them."""
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
