"""The element form in LaTeX, its indices in brackets as in text: `y[n, k] = \\sum_{m<7} x[n, m]\\,W[m, k] + b[k]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.element.form import ElementForm
from layerexplain.derive.element.scalars import ScalarWriter
from layerexplain.derive.element.text import Printer, inner_names
from layerexplain.derive.latex import scalars as tex
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Definition
from layerexplain.lang.notation import Written


def element_latex(form: ElementForm) -> tuple[str, ...]:
    """The lines of a form in LaTeX, after those of the layers that it calls; its notes are those of the text."""
    names = inner_names(form)
    lines: list[str] = []
    for called in form.inner.values():
        leaves = ", ".join(tex.symbol(str(p.label)) for p in called.definition.leaves)
        lines.append(rf"{tex.upright(names[called.definition])}({leaves})\colon")
        lines += [rf"\quad {line}" for line in _Typeset(called, names).lines()]
    return (*lines, *_Typeset(form, names).lines())


class _Typeset(Printer, tex.LatexWriter):
    """The lines of `Printer` in the spellings of `LatexWriter`."""

    def __init__(self, form: ElementForm, names: Mapping[Definition, str]) -> None:
        tex.LatexWriter.__init__(self, lambda of, index: "", form.names)
        self.form = form
        self.names = names
        self._conditions = []

    def indexed(self, name: str, index: Sequence[sc.Affine], names: Mapping[sc.Letter, str]) -> str:
        shown = tex.symbol(name) if name.isidentifier() else tex.upright(name)
        return f"{shown}[{', '.join([self.index(i, names) for i in index])}]" if index else shown

    def fold(self, e: sc.Fold, names: dict[sc.Letter, str]) -> Written:
        return ScalarWriter.fold(self, e, names)

    def _omitted(self, name: str, attrs: Mapping[str, Any]) -> None:
        """What the notation omits stands in the text of the form."""
