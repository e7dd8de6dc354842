"""The element form typeset, its indices in brackets as in text: `y[n, k] = ∑ x[n, m] W[m, k] + b[k]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.element.text import equations, inner_names
from layerexplain.derive.typeset.scalars import ScalarTypesetter, constant, symbol
from layerexplain.derive.typeset.statements import heading, indented
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT
from layerexplain.lang.latex import COMMA, EQUALS, Node, TypesetLine, applied, fence, listed, row, sign


def typeset_element(form: ElementForm) -> tuple[TypesetLine, ...]:
    """Return the lines of a form, after those of the layers that it calls; its notes are those of the text."""
    names = inner_names(form)
    lines: list[Node] = []
    for called in form.inner.values():
        lines.append(heading(names[called.definition], called.definition))
        lines += [indented(line) for line in _lines(called, names)]
    return tuple(map(TypesetLine, (*lines, *_lines(form, names))))


def _lines(form: ElementForm, called: Mapping[Definition, str]) -> list[Node]:
    def element(of: Any, index: Sequence[Node]) -> Node:
        name = _name(of)
        return row(name, fence(listed(index), open="[", close="]")) if index else name

    def _name(of: Any) -> Node:
        if isinstance(of, ElementLine):
            return _word(of.name)
        if isinstance(of, sc.CalledResult):
            call = applied(called[of.form.definition], listed([_passed(part) for part in of.args]))
            several = [*of.form.results, *["mask"] * len(of.form.masks)]
            return call if len(several) == 1 else row(call, sign("."), _word(several[of.result]))
        return constant(of.attrs["value"]) if of.op is CONSTANT else _word(str(of.label))

    def _passed(part: sc.Passed) -> Node:
        return element(part.of, [writer.index(time, names) for time in part.times])

    writer = ScalarTypesetter(element, form.names)
    found: list[Node] = []
    for group in equations(form):
        line: list[Node] = []
        for one in group:
            names = one.names
            index = [writer.index(part, names) for part in one.index]
            left = row(_word(one.name), fence(listed(index), open="[", close="]")) if index else _word(one.name)
            line += [*[COMMA] * bool(line), left, EQUALS, writer.tree(one.value, names)]
        found.append(row(*line))
    return found


def _word(name: str) -> Node:
    return symbol(name) if name.isidentifier() else ("name", name)
