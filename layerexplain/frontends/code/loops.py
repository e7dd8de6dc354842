"""Loops. One over data in which nothing happens to a model is left before its end."""

from __future__ import annotations

import ast

from layerexplain.frontends.code.bounds import MOST_ITEMS
from layerexplain.frontends.code.builtin_functions import items_of
from layerexplain.frontends.code.frames import Assumption, Frame
from layerexplain.frontends.code.operators import is_plain, truth
from layerexplain.frontends.code.parts import InterpreterPart, Signal
from layerexplain.frontends.code.statements import assigned_names
from layerexplain.frontends.code.values import Unknown

_MOST_IDLE = 100
"""Rounds of a loop in which nothing happens to a model, before the rest of them is passed over."""


class Loops(InterpreterPart):
    """The part of the interpreter that loops."""

    # Loops ------------------------------------------------------------------------------------------------------

    def on_for(self, node: ast.For, frame: Frame) -> Signal:
        """A loop over items."""
        events, passed = self.events, len(self.passed)
        signal = self._for(node, frame)
        self._settle(events, passed)
        return signal

    def _settle(self, events: int, passed: int) -> None:
        """The end of a loop: the tests that were passed over in it count where something happened to a model."""
        if self.events != events:
            for assumption in self.passed[passed:]:
                self.assume(assumption)
        del self.passed[passed:]

    def _for(self, node: ast.For, frame: Frame) -> Signal:
        items = self.value(node.iter, frame)
        if isinstance(items, range) and len(items) > MOST_ITEMS:
            items = items[:MOST_ITEMS]
        rows = items_of(items)
        if isinstance(rows, Unknown):
            return self._unknown_loop(node, node.target, rows, frame)
        lengths, idle = self._lengths(frame), 0
        for item in rows:
            events = self.events
            self.assign(node.target, item, frame)
            changes = self.changes
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            if self.events == events:
                if self.changes == changes:
                    break  # nothing that reaches a model happens here: the other rounds are alike
                idle += 1
                if idle > _MOST_IDLE:
                    return self._left(node, lengths, frame)
        return self.block(node.orelse, frame)

    on_asyncfor = on_for

    def on_while(self, node: ast.While, frame: Frame) -> Signal:
        """A loop while a test holds."""
        events, passed = self.events, len(self.passed)
        signal = self._while(node, frame)
        self._settle(events, passed)
        return signal

    def _while(self, node: ast.While, frame: Frame) -> Signal:
        lengths, idle = self._lengths(frame), 0
        while True:
            self.budget.step()
            known = truth(self.value(node.test, frame))
            if known is None:
                return self._unknown_loop(node, None, self.unknown("the test of the loop is not known"), frame)
            if not known:
                return self.block(node.orelse, frame)
            events, changes = self.events, self.changes
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            if self.events == events:
                idle += 1
                if self.changes == changes or idle > _MOST_IDLE:
                    return self._left(node, lengths, frame)

    def _lengths(self, frame: Frame) -> dict[str, int]:
        """How many items the lists of a frame have."""
        return {name: len(value) for name, value in frame.names.items() if type(value) in (list, dict)}

    def _left(self, node: ast.For | ast.While, lengths: dict[str, int], frame: Frame) -> Signal:
        """A long loop over data is left before its end: what it changes is not known."""
        why = Unknown(f"it changes in the loop in line {node.lineno}, which is not read to its end", node.lineno)
        changed = {name for name, count in self._lengths(frame).items() if lengths.get(name, count) != count}
        for name in (changed | assigned_names([node])) & frame.names.keys():
            frame.names[name] = why._replace(name=name, file=self.file)
        return None

    def _unknown_loop(self, node: ast.For | ast.While, target: ast.expr | None, why: Unknown, frame: Frame) -> Signal:
        """A loop over items that are not known: one round, of which nothing may reach a model."""
        if target is not None:
            self.assign(target, why, frame)
        before, events = dict(frame.names), self.events
        signal = self.block(node.body, frame)
        line = node.lineno
        if self.events != events:
            reason = f"how often the loop in line {line} runs is not known: {why.reason}"
            self.open.append(Unknown(reason, line, why.name, self.file))
        changed = {name for name, value in frame.names.items() if before.get(name, self) is not value}
        for name in changed:
            if is_plain(frame.names[name]):
                frame.names[name] = Unknown(f"it changes in the loop in line {line}, {why.reason}", line, name)
        if signal is not None and signal[0] == "return":
            self.assume(Assumption(line, f"the loop in line {line} returns in its first round"))
            return signal
        return None
