"""Which statements of two formulas say the same: equal text, in which each name stands for the same thing.

`(x - μ) / sqrt(v + 0.001)` of a batch normalization and of a layer normalization are equal texts and different
formulas: one μ is stored, the other computed.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

from layerexplain.report.data import LayerReport

_NAME = re.compile(r"[^\W\d]\w*")


class Meanings:
    """Numbers for the statements of layers; equal numbers mean the same formula of the same inputs and weights."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def of(self, layer: LayerReport) -> list[int]:
        """Return a number for each line of a layer's formula."""
        return _NumberedFormula(layer, self._numbers).meanings()


class _NumberedFormula:
    def __init__(self, layer: LayerReport, numbers: dict[Hashable, int]) -> None:
        self.numbers = numbers
        self.weights = {one.symbol: one.name.rpartition("/")[2] for one in layer.weights}
        self.lines = layer.formula
        self.assigns = [_NAME.findall(line.partition(" = ")[0]) if " = " in line else [] for line in self.lines]
        self.loops = self._loops()
        shown = layer.explanation.statements if layer.explanation is not None else ()
        blocks = [(one.indent, one.text) for one in shown[: len(shown) - len(self.lines)]]
        self.blocks = self._number("blocks", *blocks)
        self.defined = {_NAME.findall(text)[1] for indent, text in blocks if not indent and text.startswith("def ")}
        self.known: dict[int, int] = {}

    def _loops(self) -> list[int | None]:
        """Return for each line the line that begins the innermost loop around it."""
        found: list[int | None] = []
        around: list[int] = []
        for i, line in enumerate(self.lines):
            around = [j for j in around if _indent(self.lines[j]) < _indent(line)]
            found.append(around[-1] if around else None)
            around += [i] * line.endswith(":")
        return found

    def meanings(self) -> list[int]:
        return [self._line(i) for i in range(len(self.lines))]

    def _number(self, *key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _line(self, i: int) -> int:
        if i not in self.known:
            line, loop = self.lines[i], self.loops[i]
            read = _NAME.findall(line.partition(" = ")[2] or line)
            names = [(name, self._name(name, i)) for name in dict.fromkeys(read)]
            header = None if loop is None else self._line(loop)
            self.known[i] = self._number(line, header, tuple(names))
        return self.known[i]

    def _name(self, name: str, i: int) -> Hashable:
        """Return what a name stands for where line i reads it."""
        if name in self.defined:
            return self.blocks
        loop = self.loops[i]
        places = [j for j, assigned in enumerate(self.assigns) if name in assigned]
        inside = [j for j in places if loop is not None and self.loops[j] == loop]
        before = [j for j in places if j < i]
        if inside and not any(j < i for j in inside):
            return "the state before the step"
        if not before:
            return ("weight", self.weights[name]) if name in self.weights else "a leaf"
        last = before[-1]
        of = self.loops[last]
        return self._line(last) if of is None or of == loop else self._after(of, last)

    def _after(self, loop: int, last: int) -> Hashable:
        """Return what a line inside a loop leaves when the loop is done, which depends on how each state begins."""
        body = [j for j, of in enumerate(self.loops) if of == loop]
        states = {name for j in body for name in self.assigns[j]}
        begins = [j for j in range(loop) if states.intersection(self.assigns[j])]
        return (self._line(last), *[self._line(j) for j in (*begins, *body)])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
