"""The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.

It works through the statements in order, as Python would. What it cannot know becomes `Unknown`, with the first cause;
a branch that hangs on an unknown test is chosen, and `assumed` says so.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.attributes import Attributes
from layerexplain.frontends.code.bounds import Budget, Exhausted
from layerexplain.frontends.code.calls import Calls
from layerexplain.frontends.code.definitions import Definitions
from layerexplain.frontends.code.expressions import Expressions
from layerexplain.frontends.code.frames import Assumption, File, Frame
from layerexplain.frontends.code.keras_calls import Keras
from layerexplain.frontends.code.loops import Loops
from layerexplain.frontends.code.statements import Statements
from layerexplain.frontends.code.values import Place, Unknown
from layerexplain.model import Note

Loader = Callable[[str, File], File | None]
"""Gives the module of a name, as text beside a file; None where there is none."""


class Interpreter(Statements, Loops, Definitions, Expressions, Attributes, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        load: Finds modules beside a file.

    `assumed` are the choices made without knowing, `open` what stops the reading of the whole program, `faults` the
    errors of the program itself.
    """

    def __init__(self, settings: Mapping[str, Any], load: Loader) -> None:
        self.settings = settings
        self.load = load
        self.budget = Budget()
        self.line = 0
        self.file = ""
        self.events = 0
        self.changes = 0
        self.mutated: list[Any] = []
        """Lists and dicts that were changed, in order."""
        self.loops: list[int] = []
        """The loops that run an unknown number of times and are read now: the birth number of what is made in each."""
        self.fresh: list[Any] = []
        """Lists and dicts that such a loop makes."""
        self.written: list[tuple[Any, str]] = []
        """Attributes of objects that such a loop assigns."""
        self.touched = 0
        """Changes in such a loop of models that were there before."""
        self.idle = 0
        """Steps in rounds of loops in which nothing happened to a model."""
        self.passed: list[Assumption] = []
        """Tests before `break` and `continue` that were taken as false, of the loops that are read now."""
        self.assumed: list[Assumption] = []
        self.open: list[Unknown] = []
        self.notes: list[Note] = []
        self.faults: list[LayerExplainError] = []
        self.raised: list[LayerExplainError] = []
        """What statements of the program itself raise, with their lines."""
        self.used: set[str] = set()
        """The settings that were asked for."""
        self.lazy = False
        """Whether modules of a package are read when a name of theirs is used, not when they are imported."""
        self.star: list[str] = []
        """Modules all of whose names are imported."""
        self.modules: dict[str, Any] = {}
        self.where: Callable[[Place], str] = lambda place: (
            f"{place.file or 'line '}{':' * bool(place.file)}{place.line}"
        )
        """Tells a place in the code: `train.py:41`."""
        self.keras = Keras(self)

    def place(self) -> Place:
        """Where the reading is."""
        return Place(self.file, self.line)

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """A value that is not known, here."""
        return Unknown(reason, self.line, name, self.file)

    def assume(self, assumption: Assumption) -> None:
        """Keep a choice that what follows hangs on."""
        if assumption not in self.assumed and len(self.assumed) < 200:
            self.assumed.append(assumption)

    def touch(self, layer: Any) -> None:
        """Note that something happens to a layer or a model."""
        self.events += 1
        self.touched += bool(self.loops) and layer.birth < self.loops[0]

    def made(self, value: Any) -> Any:
        """A new list or dict."""
        if self.loops:
            self.fresh.append(value)
        return value

    def mutate(self, value: Any) -> None:
        """Note that a list or a dict is changed."""
        self.changes += 1
        self.budget.make(1)
        self.mutated.append(value)

    def run(self, file: File, frame: Frame | None = None) -> Frame:
        """Work through a file. Returns its names, as far as it was read."""
        frame = frame or Frame(file)
        outer = self.file
        self.file = file.name
        try:
            self.block(file.tree.body, frame, module=True)
        except Exhausted as error:
            self.open.append(self.unknown(f"the program {error}; it is read up to here"))
        finally:
            self.file = outer
        return frame

    def given(self, name: str, value: Any) -> Any:
        """The value of a name, or the one that `--set` gives it."""
        if name not in self.settings:
            return value
        self.used.add(name)
        return self.settings[name]

    def parse_setting(self, text: str) -> Any:
        """The value that `--set` gives: a number, a text, sizes with commas between them."""
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
