"""What `trace --gradient` prints: the loss, what reaches each layer, the gradient of each weight, the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock, CodeLine, Labelled, Section
from layerexplain.render.documents.trace import call_name, heading, number_text, share_text
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.quantities import plural, shape_text
from layerexplain.run.gradient_report import GradientTrace, ReachedRow, WeightGradientRow

BAR = 16
"""How many columns the longest bar has."""

FEWEST_DECADES = 3
"""A scale spans so many powers of ten at least, so that bars of alike numbers look alike."""


class Scale(NamedTuple):
    """A scale of bars: from 10 to the power of `low`, where a bar is empty, to that of `high`."""

    low: int
    high: int

    def bar(self, value: float | None) -> str:
        """Return the bar of a number.

        >>> Scale(-4, 0).bar(0.01), Scale(-4, 0).bar(0)
        ('████████', '')
        """
        if not value or not math.isfinite(value):
            return ""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return "█" * max(1, round(BAR * share))

    @property
    def words(self) -> str:
        """From where to where it goes."""
        return f"1e{self.low} to 1e{self.high}"


def scale_of(values: list[float | None]) -> Scale:
    """Return the scale for numbers, in powers of ten.

    >>> scale_of([0.02, 3.0, None])
    Scale(low=-2, high=1)
    """
    logs = [math.log10(value) for value in values if value and math.isfinite(value)]
    if not logs:
        return Scale(-FEWEST_DECADES, 0)
    high = math.ceil(max(logs))
    return Scale(min(math.floor(min(logs)), high - FEWEST_DECADES), high)


def _size(name: str, heading: str, of: str, field: str, show: Callable[[Any], str] = number_text) -> doc.Column:
    return doc.number(name, heading, doc.part(f"{of}.{field}"), show)


def _bars(name: str, heading: str, get: Callable[[Any], float | None], scale: Scale) -> doc.Column:
    return doc.Column(
        name, heading, lambda row: scale.bar(get(row)), lambda row: "", style="cyan", firm=True, only=doc.TEXT
    )


_norm = doc.part("gradient.norm")


def _name(row: ReachedRow) -> str:
    return call_name(row.path, row.call, row.output)


def _gradient(row: ReachedRow | WeightGradientRow) -> str:
    if row.gradient is None:
        return row.reason or ("none" if isinstance(row, WeightGradientRow) else "")
    odd = f", {row.gradient.odd:,} NaN or infinite" if row.gradient.odd else ""
    return f"{number_text(row.gradient.norm)}{odd}"


def _of_gradient(scale: Scale) -> tuple[doc.Column, ...]:
    """Return the columns on the gradient of a row."""
    return (
        doc.Column(
            "gradient", "Gradient", _gradient, lambda row: "" if row.gradient is None else repr(row.gradient.norm),
            lambda row: "prose" if row.gradient is None else "number",
        ),
        _bars("bar", scale.words, _norm, scale),
        _size("largest", "Largest", "gradient", "largest"),
        _size("zeros", "Zeros", "gradient", "share_of_zeros", share_text),
    )  # fmt: skip


def _layers(report: GradientTrace) -> doc.Table:
    scale = scale_of([_norm(row) for row in report.layers] + [row.weights for row in report.layers])
    return doc.Table(
        (
            doc.Column("layer", "Layer", _name, _name, style="bold"),
            doc.words("type", "Type", lambda row: row.type, style="dim"),
            doc.words("shape", "Output shape", lambda row: shape_text(row.shape, ""), kind="shape"),
            _size("activation", "Output", "activation", "norm"),
            *_of_gradient(scale),
            doc.number("weights", "Of its weights", lambda row: row.weights, number_text),
            _bars("weights_bar", scale.words, lambda row: row.weights, scale),
        ),
        report.layers,
        ("type", "shape", "largest", "weights_bar", "zeros", "activation", "weights"),
    )


def _weights(report: GradientTrace) -> doc.Table:
    scale = scale_of([_norm(row) for row in report.weights])
    step = _size("change", "Change", "change", "norm"), doc.number("relative", "Of its size", _relative, share_text)
    return doc.Table(
        (
            doc.words("weight", "Weight", lambda row: row.where, style="bold"),
            doc.words("symbol", "Symbol", lambda row: row.symbol, kind="symbol"),
            doc.words("shape", "Shape", lambda row: shape_text(row.shape, "()"), kind="shape"),
            _size("value", "Size", "value", "norm"),
            *_of_gradient(scale),
            *(step if report.optimizer is not None else ()),
        ),
        report.weights,
        ("symbol", "shape", "largest", "zeros", "value"),
    )


def _relative(row: WeightGradientRow) -> float | None:
    if row.change is None or row.value is None or not row.value.norm:
        return None
    return row.change.norm / row.value.norm


_DATA = (
    doc.words("kind", "", lambda row: "layer" if isinstance(row, ReachedRow) else "weight"),
    doc.words("path", "", lambda row: row.path),
    doc.words("type", "", lambda row: row.type),
    doc.words("name", "", doc.part("name")),
    doc.number("call", "", doc.part("call"), str),
    doc.number("output", "", doc.part("output"), str),
    doc.words("shape", "", lambda row: shape_text(row.shape, "")),
    *[
        _size(f"{of}_{field}", "", of, field)
        for of in ("activation", "value", "gradient", "change")
        for field in ("norm", "largest", "share_of_zeros", "odd")
    ],
    doc.number("passed", "", doc.part("passed")),
    doc.words("reason", "", lambda row: row.reason),
)
"""The columns for programs."""


def gradients(report: GradientTrace) -> Sheet:
    """Return what `trace --gradient` prints."""
    return sheet(report, report.run, lambda: _document(report), _DATA, report)


def _document(report: GradientTrace) -> doc.Document:
    blocks: list[doc.Block] = [heading(report.run), doc.Prose(tuple(_loss(report)))]
    blocks.append(_layers(report))
    if report.weights:
        blocks.append(_weights(report))
    if report.optimizer is not None:
        optimizer_step = report.optimizer
        given = ", ".join(f"{name}={value}" for name, value in optimizer_step.stated.items())
        which = f"Step {optimizer_step.step:,}" if optimizer_step.stored else "The first step"
        slots = (
            ", from the state that the source stores" if optimizer_step.stored else "; every weight has its own state"
        )
        title = f"{which} of {optimizer_step.type}({given}){slots}:"
        code = CodeBlock(tuple(map(CodeLine, optimizer_step.formula)), hang=4, formula=True)
        blocks.append(Section((doc.Prose((title,)), Labelled("step", (code,)))))
    blocks += [doc.Prose((*report.said, *_closing(report))), doc.notes_block(doc.noted(report.run.notes))]
    return doc.Document(tuple(blocks))


def _loss(report: GradientTrace) -> Iterator[str]:
    """Yield the loss, and its terms where there are several."""
    if len(report.terms) == 1:
        (term,) = report.terms
        yield f"Loss {number_text(report.loss)}: {term.type} of '{term.of}'."
        return
    yield f"Loss {number_text(report.loss)}, the sum of {plural(len(report.terms), 'term')}:"
    for term in report.terms:
        factor = f"{term.weight:g} * " if term.weight != 1 else ""
        of = f"'{term.of}'" if term.kind == "loss" else term.of
        yield f"{term.symbol}: {factor}{number_text(term.value)}, {term.type} of {of}"


def _closing(report: GradientTrace) -> Iterator[str]:
    yield "Sizes are L2 norms; bars are on a log scale. " + (
        "Dropout and BatchNormalization run in training mode."
        if report.training
        else "Dropout and BatchNormalization run in inference mode."
    )
    yield "Input: " + "; ".join(f"{i.name} {shape_text(i.shape)}: {i.values}" for i in report.run.inputs)
    yield "Target: " + "; ".join(f"{i.name} {shape_text(i.shape)}: {i.values}" for i in report.targets)
    if report.saved is not None:
        yield f"Saved to {report.saved}"
