"""Loops. One over data in which nothing happens to a model is left before its end."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from layerexplain.frontends.code.machine.choices import CHANGES_MODEL, assigned_names, names_in
from layerexplain.frontends.code.machine.effects import Mark, Since
from layerexplain.frontends.code.machine.parts import InterpreterPart, Signal, written
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import ArrayMemory
from layerexplain.frontends.code.values.base import Alike, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.frames import Assumption, Frame
from layerexplain.frontends.code.values.layers import Tensor, creation_counter
from layerexplain.frontends.code.values.nested import each_in
from layerexplain.frontends.code.values.operators import is_plain, truth
from layerexplain.frontends.code.values.program import Instance, layer_of
from layerexplain.frontends.code.values.trees import children, walk

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Loops(InterpreterPart):
    """The part of the interpreter that loops."""

    # Loops ------------------------------------------------------------------------------------------------------

    def on_for(self, node: ast.For | ast.While, frame: Frame) -> Signal:
        """Return a loop. The tests that were passed over in it count where something happened to a model."""
        mark = self.effects.mark()
        self.rounds.append(node.body)
        try:
            signal = self._while(node, frame) if isinstance(node, ast.While) else self._for(node, frame)
        finally:
            self.rounds.pop()
        skipped = self.effects.take_skipped_tests(mark)
        if self.effects.since(mark).reached_model:
            for assumption in skipped:
                self.effects.record_assumption(assumption)
        return signal

    on_while = on_asyncfor = on_for

    def _for(self, node: ast.For, frame: Frame) -> Signal:
        items = self.value(node.iter, frame)
        if isinstance(items, Value):
            items.check_use("loop", self.place(node))
        # Each round counts, so that a range may be of any length.
        rows = items if isinstance(items, range) else self.items(items)
        if isinstance(rows, Unknown):
            return self._unknown_loop(node, node.target, rows, frame)
        effects = self.effects
        first, idle, created_at = effects.mark(), 0, next(creation_counter)
        for item in rows:
            steps = self.budget.steps
            begin = effects.mark()
            self.assign(node.target, item, frame)
            mark = effects.mark()
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            inside = each_in(item)
            self.budget.look(len(inside))
            of_layer = any([layer_of(one) is not None for one in inside])  # there are as many rounds as layers
            if not of_layer and not effects.since(begin).reached_model:
                if not effects.since(mark).changed_state:
                    break  # nothing that reaches a model happens here: the other rounds are alike
                idle += 1
                if self.budget.is_idle(idle, steps - self.budget.steps):
                    return self._left(node, first, created_at, frame)
        return self.block(node.orelse, frame)

    def _while(self, node: ast.While, frame: Frame) -> Signal:
        effects = self.effects
        first, idle, created_at = effects.mark(), 0, next(creation_counter)
        while True:
            self.budget.step()
            known = truth(self.value(node.test, frame))
            if known is None:
                return self._unknown_loop(node, None, self.unknown("the test of the loop is not known"), frame)
            if not known:
                return self.block(node.orelse, frame)
            mark, steps = effects.mark(), self.budget.steps
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            since = effects.since(mark)
            if not since.reached_model:
                idle += 1
                if not since.changed_state or self.budget.is_idle(idle, steps - self.budget.steps):
                    return self._left(node, first, created_at, frame)

    def _counters(self) -> list[dict[str, int]]:
        """Return how many names of each kind are drawn."""
        return [dict(one.counters) for one in self.frameworks]

    def _forget_attributes(self, since: Since, created_at: int, why: Unknown) -> None:
        """Mark attributes of objects older than a loop that it changed, nobody knows how often, as not known."""
        for of, name in since.changed_attributes:
            if not isinstance(of, Instance) or of.created_at >= created_at:
                continue
            value = of.attributes.get(name)
            if is_plain(value) or isinstance(value, Tensor):
                of.attributes[name] = why

    def _left(self, node: ast.For | ast.While, first: Mark, created_at: int, frame: Frame) -> Signal:
        """Return a long loop over data is left before its end: what it changes is not known."""
        self.effects.record_uncertainty()
        why = Unknown(f"it changes in the loop in line {node.lineno}, which is not read to its end", node.lineno)
        frame.yields = None
        since = self.effects.since(first)
        self._forget(since.changed_containers, why, frame)
        self._forget_attributes(since, created_at, why._replace(file=self.file))
        assigned = assigned_names([node])
        if not self._assume_outcomes(node, assigned, frame) and any(self._changes_layers(node, frame)):
            words = f"the loop in line {node.lineno} is not read to its end; in the rest no layer is assumed to change"
            self.effects.record_assumption(Assumption(node.lineno, words), everywhere=True)
        for name in assigned & frame.names.keys():
            frame.names[name] = why._replace(name=name, file=self.file)
        return None

    def _changes_layers(self, node: ast.For | ast.While, frame: Frame) -> Iterator[bool]:
        """Return of each assignment to an attribute in a loop whether it may be one of a layer or a model."""
        for one in walk(*node.body, closed=_SCOPES):
            if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store):
                yield self.reaches([one.value], frame) == CHANGES_MODEL

    def _assume_outcomes(self, node: ast.For | ast.While, changing: set[str], frame: Frame) -> bool:
        """Record the tests of names that change in a loop which had one outcome in the rounds that were read, where
        the other one changes a model: in later rounds they may have it. Returns whether there is one."""
        found = False
        for test in walk(*node.body, closed=_SCOPES) if changing else ():
            outcomes = self.outcomes.get(test, set()) if isinstance(test, ast.If) else ()
            if not isinstance(test, ast.If) or len(outcomes) != 1 or not changing & names_in([test.test]):
                continue
            (outcome,) = outcomes
            if self.reaches(test.orelse if outcome else test.body, frame) == CHANGES_MODEL:
                rounds = f"in all rounds of the loop in line {node.lineno}"
                words = f"`if {written(test.test)[:60]}` is assumed {str(outcome).lower()} {rounds}"
                self.effects.record_assumption(Assumption(test.lineno, words), everywhere=True)
                found = True
        return found

    def _forget(self, lists: Iterable[ProgramValue], why: Unknown, frame: Frame) -> None:
        """Mark lists and dicts that a loop changed, nobody knows how often, as not known."""
        gone = {id(one): one for one in lists}
        self.budget.look(len(gone))
        for one in gone.values() if gone else ():
            if type(one) is list:
                one[:] = [why]
            elif type(one) is dict:
                one.update(dict.fromkeys(one, why))
            elif isinstance(one, ArrayMemory):
                one.values = None
        for at in frame.around() if gone else ():
            for names in (at.names, *[one.attributes for one in at.names.values() if isinstance(one, Instance)]):
                self.budget.look(len(names))
                for name, value in names.items():
                    if id(value) in gone:
                        names[name] = why._replace(name=name, file=self.file)

    def _unknown_loop(self, node: ast.For | ast.While, target: ast.expr | None, why: Unknown, frame: Frame) -> Signal:
        """Return a loop that runs nobody knows how often is read for one round: what it makes may be one of several,
        what it changes is not known."""
        if target is not None:
            self.assign(target, why.item if isinstance(why, Alike) else why, frame)
        frame.yields = None
        self.effects.record_uncertainty()
        self.budget.look(len(frame.names))
        before = dict(frame.names)
        drawn = self._counters()
        effects = self.effects
        loop = effects.begin_unknown_loop()
        outermost = effects.unknown_loops[0]
        try:
            signal = self.block(node.body, frame)
        finally:
            effects.unknown_loops.pop()
        since = effects.since(loop.mark)
        line = node.lineno
        reason = f"the number of rounds of the loop in line {line} is unknown: {why.reason}"
        if any(one.created_at < outermost.created_at for one in since.changed_layers):
            effects.mark_incomplete(why._replace(reason=reason, line=line, file=self.file, lacks="", cause=why.reason))
        elif self._counters() != drawn:
            words = (
                f"the loop in line {line} is read for one round; later rounds would number the names of layers "
                "differently"
            )
            effects.record_assumption(Assumption(line, f"{words} ({why.reason})"))
        if changed_containers := since.changed_containers:
            created = effects.since(outermost.mark).created_containers
            self._forget([one for one in changed_containers if id(one) not in created], Unknown(reason, line), frame)
        self._forget_attributes(since, loop.created_at, Unknown(reason, line, "", self.file))
        changed = {name for name, value in frame.names.items() if before.get(name, self) is not value}
        carried = _carried(node.body) & before.keys()
        assigned = assigned_names(node.body)
        self._assume_outcomes(node, assigned if assigned & carried else set(), frame)
        for name in changed:
            now, old = frame.names[name], before.get(name)
            if isinstance(now, Array) and isinstance(old, Array) and now.shape == old.shape:
                frame.names[name] = now._replace(cells=None)
            elif is_plain(now) or name in carried:
                words = f"it changes in the loop in line {line}, {why.reason}"
                option = why.name if why.option is None else why.option
                after = Unknown(words, line, name, option=option or None, example=why.example, cause=why.reason)
                frame.names[name] = after
        if signal is not None and signal[0] == "return":
            effects.record_assumption(Assumption(line, f"the loop in line {line} returns in its first round"))
            return signal
        return None


def _carried(body: list[ast.stmt]) -> set[str]:
    """Return the names that a round of a loop takes over from the round before it: read before they are assigned."""
    assigned: set[str] = set()
    found: set[str] = set()
    for node in _in_order(body):
        if isinstance(node.ctx, ast.Store):
            assigned.add(node.id)
        elif node.id not in assigned:
            found.add(node.id)
    return found


def _in_order(nodes: Iterable[ast.AST]) -> Iterator[ast.Name]:
    """Return the names in statements, in the order in which they are read and assigned."""
    waiting = [*nodes][::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node
        elif isinstance(node, ast.AugAssign):
            before = [ast.Name(node.target.id, ast.Load())] if isinstance(node.target, ast.Name) else [node.target]
            waiting += [node.target, node.value, *before]
        elif isinstance(node, ast.Assign):
            waiting += [*node.targets, node.value]
        else:
            waiting += children(node)[::-1]
