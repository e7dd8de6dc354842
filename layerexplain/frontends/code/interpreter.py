"""The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.

It works through the statements in order, as Python would. What it cannot know becomes `Unknown`, with the first cause;
a branch that hangs on an unknown test is chosen, and `assumed` says so.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.attributes import Attributes
from layerexplain.frontends.code.bounds import Budget, Exhausted
from layerexplain.frontends.code.calls import Calls
from layerexplain.frontends.code.choices import Choices
from layerexplain.frontends.code.definitions import Definitions
from layerexplain.frontends.code.expressions import Expressions
from layerexplain.frontends.code.frames import Assumption, File, Frame
from layerexplain.frontends.code.has_attribute import HasAttribute
from layerexplain.frontends.code.keras_calls import Keras
from layerexplain.frontends.code.loops import Loops
from layerexplain.frontends.code.modules import Modules
from layerexplain.frontends.code.operators import may_be_anything
from layerexplain.frontends.code.statements import Statements
from layerexplain.frontends.code.values import Place, Unknown, births
from layerexplain.model import Note


class Interpreter(Statements, Choices, Loops, Definitions, Expressions, Attributes, HasAttribute, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        modules: Finds modules beside a file, and what is lent to it.

    `assumed` are the choices made without knowing, `open` what stops the reading of the whole program, `faults` the
    errors of the program itself.
    """

    def __init__(self, settings: Mapping[str, Any], modules: Modules) -> None:
        self.settings = settings
        self.load, self.lend = modules.load, modules.lend
        self.budget = Budget()
        self.node: ast.AST | None = None
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
        """Attributes of objects that were assigned, in order."""
        self.relied: list[Assumption] = []
        """The choices that the statement which is read now hangs on."""
        self.touched = 0
        """Changes in such a loop of models that were there before."""
        self.idle = 0
        """Steps in rounds of loops in which nothing happened to a model."""
        self.active: list[ast.AST] = []
        """The functions of the program that are called now."""
        self.choosing: list[int] = []
        """How many of them were called when each choice was taken whose branch is read now."""
        self.rounds: list[list[ast.stmt]] = []
        """The bodies of the loops that are read now."""
        self.passed: list[Assumption] = []
        """Tests before `break` and `continue` that were taken as false, of the loops that are read now."""
        self.assumed: list[Assumption] = []
        self.began = 0
        """The statement of the module that is read now, as a number in the order in which objects are made."""
        self.since: dict[Assumption | Unknown, int] = {}
        """The statement in which each choice was taken for granted, and each model was changed nobody knows how."""
        self.open: list[Unknown] = []
        self.exhausted: Unknown | None = None
        """Why the program is not read to its end."""
        self.factories: dict[int, tuple[Any, Any]] = {}
        """The dicts that are defaultdicts, with what makes their missing values, by their identities."""
        self.notes: list[Note] = []
        self.faults: list[LayerExplainError] = []
        self.faulted: dict[int, tuple[int, Place]] = {}
        """The statement, as a number like `began`, and the place of each fault, by its identity."""
        self.uses: set[tuple[int, int]] = set()
        """The models of which a statement called a method: its number, and the identity of the model."""
        self.starts: list[int] = []
        """The numbers of the statements of the module, in order."""
        self.raised: list[LayerExplainError] = []
        """What statements of the program itself raise, with their lines."""
        self.unsure = 0
        """Loops that were not read to their end, and branches that were chosen: what they would have changed may be
        why something is raised afterwards."""
        self.handed_out = False
        """Whether a layer or a model was given to what is not read."""
        self.is_notebook = False
        """Whether the cells after one that raises are run all the same."""
        self.callers: list[Place] = []
        """The calls of functions of the program that are read now."""
        self.by_program = False
        """Whether the call that follows stands in the program with all of its arguments."""
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

    def called_from(self) -> tuple[str, ...]:
        """Where the function was called that is read now, in words, the next place first."""
        return tuple([self.where(one) for one in self.callers[:-4:-1]])

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """A value that is not known, here."""
        place = self.place()
        return Unknown(reason, place.line, name, place.file, place.column)

    def no_function(self, value: Any) -> Any:
        """A value where no function fits: a name of a library that is not read is a value that is not known."""
        if not may_be_anything(value):
            return value
        return self.unknown(f"{value.path.partition('.')[0]} is not read here", value.path)

    def assume(self, assumption: Assumption, level: int = 1) -> None:
        """Keep a choice that what follows hangs on; with a level of 2 what is there already hangs on it too."""
        self.unsure += 1
        self.met(assumption)
        if assumption not in self.assumed and len(self.assumed) < 200:
            self.assumed.append(assumption)
            self.since[assumption] = self.began
        if level > 1:
            self.since[assumption] = -1

    def keep(self, fault: LayerExplainError, place: Place) -> None:
        """Keep an error of the program, with what it may reach."""
        self.met(fault)
        self.faults.append(fault)
        self.faulted[id(fault)] = self.began, place

    def leave_open(self, unknown: Unknown) -> None:
        """Keep that something of a model is not known from here on."""
        self.met(unknown)
        self.open.append(unknown)
        self.since.setdefault(unknown, self.began)

    def chosen(self, assumption: Assumption) -> Assumption:
        """Keep a choice that only those models hang on which meet it."""
        self.met(assumption)
        if assumption not in self.assumed:
            self.assumed.append(assumption)
            self.since[assumption] = sys.maxsize
        return assumption

    def met(self, one: Assumption | Unknown | LayerExplainError) -> None:
        """Note a choice, an error, or what is not known, for the layers and models whose `call` is followed now."""
        for model, _ in self.keras.tracing:
            model.hangs.add(one)

    def touch(self, layer: Any) -> None:
        """Note that something happens to a layer or a model."""
        self.events += 1
        layer.changed = next(births)
        self.touched += bool(self.loops) and layer.birth < self.loops[0]

    def made(self, value: Any) -> Any:
        """A new list or dict."""
        if self.loops or self.choosing:
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
        outer, began = self.file, self.began
        self.file = file.name
        try:
            self.block(file.tree.body, frame, module=True)
        except Exhausted as error:
            self.exhausted = self.unknown(f"the program {error}; it is read up to here")
            self.open.append(self.exhausted)
        finally:
            self.file, self.began = outer, began or self.began
        return frame

    def parse_setting(self, text: str) -> Any:
        """The value that `--set` gives: a number, a text, sizes with commas between them."""
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
