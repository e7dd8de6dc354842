"""The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.

It works through the statements in order, as Python would. What it cannot know becomes `Unknown`, with the first cause;
a branch that hangs on an unknown test is chosen. `effects` keeps what was changed, assumed, left open and raised.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.frontends.code.attributes import Attributes
from layerexplain.frontends.code.bounds import Budget, Exhausted
from layerexplain.frontends.code.calls import Calls
from layerexplain.frontends.code.choices import Choices
from layerexplain.frontends.code.definitions import Definitions
from layerexplain.frontends.code.effects import Effects
from layerexplain.frontends.code.expressions import Expressions
from layerexplain.frontends.code.frames import File, Frame
from layerexplain.frontends.code.keras_calls import Keras
from layerexplain.frontends.code.library import LIBRARIES
from layerexplain.frontends.code.loops import Loops
from layerexplain.frontends.code.modules import Modules
from layerexplain.frontends.code.statements import Statements
from layerexplain.frontends.code.values.base import Place, Unknown
from layerexplain.frontends.code.values.symbols import Symbol
from layerexplain.model import Note


class Interpreter(Statements, Choices, Loops, Definitions, Expressions, Attributes, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        modules: Finds modules beside a file, and what is lent to it.
    """

    def __init__(self, settings: Mapping[str, Any], modules: Modules) -> None:
        self.settings = settings
        self.load, self.lend = modules.load, modules.lend
        self.budget = Budget()
        self.node: ast.AST | None = None
        self.file = ""
        self.effects = Effects()
        self.active: list[ast.AST] = []
        """The functions of the program that are called now."""
        self.choosing: list[int] = []
        """How many of them were called when each choice was taken whose branch is read now."""
        self.rounds: list[list[ast.stmt]] = []
        """The bodies of the loops that are read now."""
        self.exhausted: Unknown | None = None
        """Why the program is not read to its end."""
        self.factories: dict[int, tuple[Any, Any]] = {}
        """The dicts that are defaultdicts, with what makes their missing values, by their identities."""
        self.notes: list[Note] = []
        self.is_notebook = False
        """Whether the cells after one that raises are run all the same."""
        self.callers: list[Place] = []
        """The calls of functions of the program that are read now."""
        self.lazy = False
        """Whether modules of a package are read when a name of theirs is used, not when they are imported."""
        self.star: list[str] = []
        """Modules all of whose names are imported."""
        self.modules: dict[str, Any] = {}
        self.imported: dict[str, str] = {}
        """The files that the program imports: the names under which they are shown, by their paths."""
        self.program: File | None = None
        """The file of the program, beside which modules are."""
        self.where: Callable[[Place], str] = lambda place: (
            f"{place.file or 'line '}{':' * bool(place.file)}{place.line}"
        )
        """Tells a place in the code: `train.py:41`."""
        self.locate: Callable[[Place], Place] = lambda place: place
        """Where a place in the text that is read stands in the source: in which cell of a notebook."""
        self.keras = Keras(self)
        self.runs: list[Any] = []
        """The models of PyTorch that are run now, the innermost last."""
        self.makes_torch_modules = False
        """Whether the program makes modules of PyTorch."""
        self.torch_calls: list[tuple[Any, Any, Any]] = []
        """The modules of PyTorch that the program calls on data, each with the shapes of the data and the result."""

    def objects_of(self, cls: Any) -> Any:
        """Return what answers for the objects of a class of the program whose base is one of a library; None for
        others."""
        root = cls.root()
        library = LIBRARIES.get(root.path.partition(".")[0]) if root is not None else None
        return None if library is None else library.objects

    def called_from(self) -> tuple[str, ...]:
        """Where the function was called that is read now, in words, the next place first."""
        return tuple([self.where(one) for one in self.callers[:-4:-1]])

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """A value that is not known, here."""
        place = self.place()
        return Unknown(reason, place.line, name, place.file, place.column)

    def no_function(self, value: Any) -> Any:
        """A value where no function fits: a name of a library that is not read is a value that is not known."""
        if not isinstance(value, Symbol) or not value.may_be_anything:
            return value
        return self.unknown(f"{value.path.partition('.')[0]} is not read here", value.path)

    def new_container(self, value: Any) -> Any:
        """A new list or dict."""
        if self.effects.unknown_loops or self.choosing:
            self.effects.record_container(value)
        return value

    def mutate(self, value: Any) -> None:
        """Note that a list or a dict is changed."""
        self.budget.make(1)
        self.effects.record_container_change(value)

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

    def parse_setting(self, text: str) -> Any:
        """The value that `--set` gives: a number, a text, sizes with commas between them."""
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
