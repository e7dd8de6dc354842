"""One journal of the effects of reading a program: what it changed, assumed, left open and raised.

`mark()` is a moment of the reading, and `since(mark)` is what has happened from then on.
"""

from __future__ import annotations

import sys
from bisect import bisect_right

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.values.base import Place, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, creation_counter
from layerexplain.frontends.code.values.reading import Assumption
from layerexplain.records import NamedTuple

_MOST_ASSUMPTIONS = 200
_EVERYWHERE, _NOWHERE = -1, sys.maxsize
"""The statements of choices that all models depend on, and of those that only the models depend on which met them."""


class ContainerChange(NamedTuple):
    """A list, a dict, a set or the memory of an array was changed."""

    container: ProgramValue


class ContainerCreation(NamedTuple):
    """A list or a dict was made in a branch that was chosen, or in a loop that runs an unknown number of times."""

    container: ProgramValue


class AttributeChange(NamedTuple):
    """An attribute of an object, a class or a function was assigned."""

    owner: ProgramValue
    name: str


class ModelChange(NamedTuple):
    """A layer or a model was changed after it was made."""

    layer: LayerValue


Entry = ContainerChange | ContainerCreation | AttributeChange | ModelChange


class Mark(NamedTuple):
    """A moment of the reading: how much of each kind was in the journal."""

    entries: int
    model_events: int
    state_changes: int
    assumptions: int
    skipped_tests: int
    faults: int


class UnknownLoop(NamedTuple):
    """A loop that runs an unknown number of times and is read for one round: the number of the next object that is made
    when it begins, and the moment."""

    created_at: int
    mark: Mark


class Since:
    """What has happened from a mark on."""

    def __init__(self, effects: Effects, mark: Mark) -> None:
        self._effects = effects
        self._mark = mark

    @property
    def reached_model(self) -> bool:
        """Return whether something happened to a layer or a model."""
        return self._effects.model_events != self._mark.model_events

    @property
    def changed_state(self) -> bool:
        """Return whether something happened to a name, a list or an object."""
        return self._effects.state_changes != self._mark.state_changes

    @property
    def changed_values(self) -> bool:
        """Return whether something happened to a list, an object or a layer."""
        return bool(self.changed_containers or self.changed_attributes or self.reached_model)

    @property
    def _entries(self) -> list[Entry]:
        return self._effects.entries[self._mark.entries :]

    @property
    def changed_containers(self) -> list[ProgramValue]:
        """Lists, dicts, sets and memories of arrays that were changed, in order."""
        return [entry.container for entry in self._entries if isinstance(entry, ContainerChange)]

    @property
    def created_containers(self) -> set[int]:
        """Return the identities of lists and dicts that branches and loops made."""
        return {id(entry.container) for entry in self._entries if isinstance(entry, ContainerCreation)}

    @property
    def changed_attributes(self) -> list[AttributeChange]:
        """Attributes that were assigned, in order."""
        return [entry for entry in self._entries if isinstance(entry, AttributeChange)]

    @property
    def changed_layers(self) -> list[LayerValue]:
        """Layers and models that were changed after they were made."""
        return [entry.layer for entry in self._entries if isinstance(entry, ModelChange)]

    @property
    def faults(self) -> list[LayerExplainError]:
        """Errors of the program."""
        return self._effects.faults[self._mark.faults :]


class Effects:
    """The journal of one reading of one program."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.model_events = 0
        """How often something happened to a layer or a model."""
        self.state_changes = 0
        """How often something happened to a name, a list or an object."""
        self.unknown_loops: list[UnknownLoop] = []
        """The loops that run an unknown number of times and are read now, the outermost first."""
        self.followed_models: list[ModelValue] = []
        """The layers and models whose `call` is followed now."""
        self._met: dict[Assumption, set[int]] = {}
        """The statements that depend on a choice."""
        self.pending: dict[Assumption, None] = {}
        """The choices that the statement which is read now depends on."""
        self.skipped_tests: list[Assumption] = []
        """Tests before `break` and `continue` that were taken as false, of the loops that are read now."""
        self.assumptions: list[Assumption] = []
        self.gaps: list[Unknown] = []
        """What is not known of the models, or of the program."""
        self.faults: list[LayerExplainError] = []
        """The errors of the program."""
        self.possible_faults: list[LayerExplainError] = []
        """What statements raise, where a choice before them may be why."""
        self.unknown_calls = 0
        """How often something was called of which nothing is known: it may raise."""
        self.uncertainties = 0
        """Loops that were not read to their end, and branches that were chosen: what they would have changed may be
        why something is raised afterwards."""
        self.is_model_exposed = False
        """Whether a layer or a model was given to what is not read."""
        self.statement = 0
        """The statement of the module that is read now, as a number in the order in which objects are made."""
        self._statements: list[int] = []
        self._statement_of: dict[Assumption | Unknown, int] = {}
        """The statement in which each choice was taken for granted, and each gap opened."""
        self.undefined: dict[str, Assumption] = {}
        """The names that the program uses and does not define."""
        self.name_errors: dict[str, None] = {}
        """Those at which Python stops for sure, if the program is whole."""
        self.uses_of_undefined = 0
        """How often such a name was used."""
        self._last_use: dict[Assumption, int] = {}
        self._fault_origins: dict[int, tuple[int, Place]] = {}
        """The statement and the place of each fault, by its identity."""
        self.fault_models: dict[int, ModelValue] = {}
        """The model that alone has a fault, by the identity of the fault."""
        self._assigned: dict[tuple[int, str], object] = {}
        """The models whose attributes were assigned, by their identities and the attribute."""
        self.uses: set[tuple[int, int]] = set()
        """The models of which a statement called a method: its number, and the identity of the model."""

    def mark(self) -> Mark:
        """Return this moment of the reading."""
        counts = len(self.assumptions), len(self.skipped_tests), len(self.faults)
        return Mark(len(self.entries), self.model_events, self.state_changes, *counts)

    def since(self, mark: Mark) -> Since:
        """Return what has happened from a mark on."""
        return Since(self, mark)

    # Changes ------------------------------------------------------------------------------------------------------

    def record_change(self) -> None:
        """Record that something happens to a name, a list or an object."""
        self.state_changes += 1

    def record_container_change(self, container: object) -> None:
        """Record that a list, a dict, a set or the memory of an array is changed."""
        self.state_changes += 1
        self.entries.append(ContainerChange(container))

    def record_container(self, container: object) -> None:
        """Record that a list or a dict is made."""
        self.entries.append(ContainerCreation(container))

    def record_attribute_change(self, owner: object, name: str, *, of_model: bool = False) -> None:
        """Record that an attribute is assigned. One `of_model`, of an object that is one, changes it the first time:
        a loop over many modules changes each of them, and one of training may count its rounds in one."""
        self.state_changes += 1
        self.entries.append(AttributeChange(owner, name))
        if of_model and (id(owner), name) not in self._assigned:
            self._assigned[id(owner), name] = owner
            self.model_events += 1

    def record_model_event(self) -> None:
        """Record that something happens to a layer or a model."""
        self.model_events += 1

    def record_model_change(self, layer: LayerValue) -> None:
        """Record that a layer or a model is changed after it was made."""
        self.model_events += 1
        layer.mark_changed()
        self.entries.append(ModelChange(layer))

    # Statements of the module, and loops ----------------------------------------------------------------------------

    def begin_statement(self, *, of_module: bool = True) -> None:
        """Begin a statement of the module, or a call that stands in none."""
        self.statement = next(creation_counter)
        if of_module:
            self._statements.append(self.statement)

    def end_of(self, statement: int) -> int:
        """Return the number of the statement of the module behind another one."""
        at = bisect_right(self._statements, statement)
        return self._statements[at] if at < len(self._statements) else sys.maxsize

    def begin_unknown_loop(self) -> UnknownLoop:
        """Begin a round of a loop that runs an unknown number of times."""
        self.unknown_loops.append(UnknownLoop(next(creation_counter), self.mark()))
        return self.unknown_loops[-1]

    # Choices ------------------------------------------------------------------------------------------------------

    def depend_on(self, assumption: Assumption) -> None:
        """Record that the statement which is read now depends on a choice."""
        self._attach(assumption)
        self.pending[assumption] = None

    def record_pending(self, *, everywhere: bool = False) -> None:
        """Record what the statement depends on as assumed."""
        for assumption in self.pending:
            self.record_assumption(assumption, everywhere=everywhere)
        self.pending.clear()

    def record_assumption(self, assumption: Assumption, *, everywhere: bool = False) -> None:
        """Record a choice that what follows depends on; with `everywhere` what is there already depends on it too."""
        self.uncertainties += 1
        self._attach(assumption)
        self._met.setdefault(assumption, set()).add(self.statement)
        if assumption not in self.assumptions and len(self.assumptions) < _MOST_ASSUMPTIONS:
            self.assumptions.append(assumption)
            self._statement_of[assumption] = self.statement
        if everywhere:
            self._statement_of[assumption] = _EVERYWHERE

    def record_undefined(self, assumption: Assumption) -> None:
        """Record that the program uses a name that it does not define, and what that is assumed to be."""
        if assumption.name == "self":  # a part of a class that was pasted alone
            return
        assumption = self.undefined.setdefault(assumption.name, assumption)
        self._attach(assumption)
        self.uses_of_undefined += 1
        self._last_use[assumption] = self.uses_of_undefined
        self._statement_of.setdefault(assumption, self.statement)
        self._met.setdefault(assumption, set()).add(self.statement)

    def undefined_since(self, uses: int) -> set[Assumption]:
        """Return the names without a definition that were used after the first `uses` of them."""
        return {assumption for assumption, last in self._last_use.items() if last > uses}

    def meets(self, statements: set[int], assumption: Assumption) -> bool:
        """Return whether one of some statements depends on a choice."""
        return not statements.isdisjoint(self._met.get(assumption, ()))

    def record_local_assumption(self, assumption: Assumption) -> None:
        """Record a choice that only those models depend on which meet it."""
        self._attach(assumption)
        if assumption not in self.assumptions:
            self.assumptions.append(assumption)
            self._statement_of[assumption] = _NOWHERE

    def record_uncertainty(self) -> None:
        """Record that something is passed over or chosen without knowing."""
        self.uncertainties += 1

    def record_exposure(self, layer: LayerValue) -> None:
        """Record that a layer or a model is given to what is not read."""
        self.model_events += 1
        self.is_model_exposed = True
        layer.mark_changed()

    def take_skipped_tests(self, mark: Mark) -> list[Assumption]:
        """Remove and return the tests that were taken as false from a mark on."""
        assumptions = self.skipped_tests[mark.skipped_tests :]
        del self.skipped_tests[mark.skipped_tests :]
        return assumptions

    # Gaps and faults ------------------------------------------------------------------------------------------------

    def mark_incomplete(self, unknown: Unknown) -> None:
        """Record that something of a model is not known from here on."""
        self._attach(unknown)
        self.gaps.append(unknown)
        self._statement_of.setdefault(unknown, self.statement)

    def mark_program_incomplete(self, unknown: Unknown) -> None:
        """Record that something is not known of all models."""
        self.gaps.append(unknown)

    def record_fault(self, fault: LayerExplainError, place: Place | None = None) -> None:
        """Record an error of the program, with what it may reach; without a place it reaches all models."""
        self._attach(fault)
        self.faults.append(fault)
        if place is not None:
            self._fault_origins[id(fault)] = self.statement, place

    def origin(self, fault: LayerExplainError) -> tuple[int, Place] | None:
        """Return the statement and the place of an error; None for one that reaches all models."""
        return self._fault_origins.get(id(fault))

    def _attach(self, item: Assumption | Unknown | LayerExplainError) -> None:
        """Let the layers and models whose `call` is followed now depend on something."""
        for model in self.followed_models:
            model.depends_on.add(item)

    # What reaches a model -------------------------------------------------------------------------------------------

    @property
    def is_certain(self) -> bool:
        """Return whether all that was read happens for sure: nothing was passed over or chosen without knowing."""
        return not self.uncertainties

    def precedes(self, item: Assumption | Unknown, last_change: int) -> bool:
        """Return whether a choice was taken, or a gap opened, before the last change of a model."""
        return self._statement_of.get(item, _EVERYWHERE) < last_change

    def withdraw(self, mark: Mark) -> tuple[list[Assumption], list[LayerExplainError]]:
        """Remove and return the choices and errors from a mark on."""
        result = self.assumptions[mark.assumptions :], self.faults[mark.faults :]
        del self.assumptions[mark.assumptions :]
        del self.faults[mark.faults :]
        return result

    def forget_answers(self) -> None:
        """Forget choices and gaps, before the program is asked for another model."""
        self.gaps.clear()
        self.assumptions.clear()
        self.undefined.clear()
        self._last_use.clear()
