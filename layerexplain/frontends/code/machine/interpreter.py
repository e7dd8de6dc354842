"""The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.

It works through the statements in order, as Python would. What it cannot know becomes `Unknown`, with the first cause;
a branch that hangs on an unknown test is chosen. `effects` keeps what was changed, assumed, left open and raised.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from layerexplain.frontends.code.library.registry import FRAMEWORKS
from layerexplain.frontends.code.library.torch_framework import PyTorch
from layerexplain.frontends.code.machine.calls import Attributes, Calls
from layerexplain.frontends.code.machine.choices import Choices
from layerexplain.frontends.code.machine.definitions import DefinitionStatements
from layerexplain.frontends.code.machine.expressions import Expressions
from layerexplain.frontends.code.machine.loops import Loops
from layerexplain.frontends.code.machine.modules import Modules
from layerexplain.frontends.code.machine.statements import Statements
from layerexplain.frontends.code.values.base import ProgramValue
from layerexplain.frontends.code.values.bounds import Exhausted
from layerexplain.frontends.code.values.frames import File, Frame


class Interpreter(Statements, Choices, Loops, DefinitionStatements, Expressions, Attributes, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        modules: Finds modules beside a file, and what is lent to it.
    """

    def __init__(self, settings: Mapping[str, ProgramValue], modules: Modules) -> None:
        super().__init__(settings, modules)
        self.frameworks += [make(self) for make in FRAMEWORKS]
        self.torch = PyTorch(self)

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
