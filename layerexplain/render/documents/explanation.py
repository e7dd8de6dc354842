"""The document of `explain`: a section a layer, with labelled blocks in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerexplain.render.document import (
    MARKDOWN,
    TEXT,
    Block,
    Code,
    CodeLine,
    Column,
    Document,
    Heading,
    Labelled,
    Line,
    Listing,
    Names,
    Points,
    Prose,
    Section,
    Span,
    noted,
    notes_block,
    number,
    words,
)
from layerexplain.render.documents.summary import all_notes, heading, report_sheet, title_of, totals
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import count_text, field_text, shape_text, shapes_text
from layerexplain.report.data import CallReport, Explanation, LayerReport, Report, Statement

_ALIKE_SHOWN = 8


def explanation(
    report: Report,
    layers: Sequence[LayerReport] | None = None,
    whole: bool = True,
    columns: tuple[str, ...] | None = None,
    nested: bool = False,
) -> Sheet:
    """What `explain` prints of `layers`, None being all of depth 0. `whole` says that none were left out: then the
    model's heading, totals and notes stand around them. The formats for programs have the rows of the layers."""
    chosen = report.layers if layers is None else layers
    told = report if whole else report._replace(layers=tuple(chosen))
    return report_sheet(told, columns, nested, several=False)._replace(
        document=lambda: explanation_document(report, chosen, whole)
    )


def explanation_document(report: Report, layers: Sequence[LayerReport], whole: bool = True) -> Document:
    """The explanations of `layers`; those of one group once, with the list of those that it holds for."""
    sections = [_section(layer, alike) for layer, alike in grouped(layers)]
    if not whole:
        return Document(tuple(sections))
    # Each layer's own notes stand in its section.
    about_model = notes_block(noted([note for note in report.notes if note.layer is None]), TEXT)
    return Document(
        (heading(report), *sections, *totals(report), about_model, notes_block(all_notes(report), MARKDOWN))
    )


def grouped(layers: Iterable[LayerReport]) -> list[tuple[LayerReport, list[LayerReport]]]:
    """The first layer of each group, in order, with the others of its group."""
    first: dict[int, tuple[LayerReport, list[LayerReport]]] = {}
    for layer in layers:
        if layer.group in first:
            first[layer.group][1].append(layer)
        else:
            first[layer.group] = (layer, [])
    return list(first.values())


def _section(layer: LayerReport, alike: list[LayerReport]) -> Section:
    told = layer.explanation
    inputs, outputs = shapes_text(layer.input_shapes), shapes_text(layer.output_shapes)
    blocks: list[Block] = [
        Heading(
            2,
            (Span(title_of(layer), "name"), Span(layer.type, "type")),
            beside=f"{inputs} → {outputs}" if inputs else outputs,
        )
    ]
    if told is not None:
        blocks.append(Prose(tuple(filter(None, [told.sentence, *told.hints]))))
    blocks += _wiring(layer, alike)
    if told is None:
        blocks.append(Labelled("formula", (_formula([Statement(line, 0, "", "") for line in layer.formula]),)))
    else:
        blocks += _told(layer, told, alike)
    notes = Points(_lines(layer.notes), tone="warning")
    return Section((*blocks, Labelled("notes", (notes,))))


def _lines(texts: Iterable[str]) -> tuple[Line, ...]:
    return tuple([(Span(text),) for text in texts if text])


# What feeds a layer -------------------------------------------------------------------------------------------------


def _wiring(layer: LayerReport, alike: list[LayerReport]) -> list[Block]:
    """The layers that are alike, and who feeds this one. Text leaves that out where it is plainly the one layer before,
    since the shapes stand beside the heading."""
    calls = [_fed(call) for call in layer.calls]
    names: list[Line] = [(Names(tuple(map(title_of, alike)), _ALIKE_SHOWN),)] if alike else []
    several = len(calls) > 1 or (calls and len(layer.calls[0].sources) > 1)
    label = "calls" if len(calls) > 1 else "inputs"
    same: list[Line] = [(Span("same for "), *line) for line in names]
    return [
        Labelled("same for", (Points(tuple(names), only=TEXT),)),
        Labelled(label, (Points(tuple(calls) if several else (), only=TEXT),)),
        Points((*calls, *same), only=MARKDOWN),
    ]


def _fed(call: CallReport) -> Line:
    """`add (None, 8, 8, 16), conv2d (call 2) (None, 8, 8, 16) → (None, 8, 8, 16)`."""
    line: list[Span] = []
    numbers = call.source_calls or (0,) * len(call.sources)
    again = {source for source, at in zip(call.sources, numbers, strict=True) if at}
    for source, at, shape in zip(call.sources, numbers, call.input_shapes, strict=False):
        line += [Span(", "), Span(source, "name"), Span(f" (call {at + 1})" if source in again else "")]
        line += [Span(" "), Span(shape_text(shape), "shape")]
    if not line and call.input_shapes:
        line = [Span(", "), Span(shapes_text(call.input_shapes), "shape")]
    outputs = Span(shapes_text(call.output_shapes), "shape")
    return (*line[1:], Span(" → "), outputs) if line else (Span("→ ", only=TEXT), outputs)


# Parts of a section --------------------------------------------------------------------------------------------------


def _told(layer: LayerReport, told: Explanation, alike: list[LayerReport]) -> list[Block]:
    return [
        Labelled("formula", (_formula(told.statements),)),
        Labelled("where", (_code(told.where, "Where"),)),
        Labelled(
            "element",
            (_code(told.element, "One element", hang=4), Points(_lines(told.element_notes), tone="aside")),
        ),
        Labelled(
            "shape", (Listing(_AXIS_COLUMNS, told.axes, head=3), Points(_lines(told.shape_notes)))
        ) if told.axes else Labelled("shape", (Points(_lines(told.shape_notes)),)),
        Labelled("weights", _weights(told)),
        _labelled("cost", "Cost", told.cost),
        Labelled("reach", _reach(layer, told, alike)),
        _labelled("training", "Training", told.training),
        _labelled("mask", "Mask", (told.mask,)),
        _labelled("dtype", "Dtype", (told.dtype,)),
        Labelled("in Keras", (_in_keras(told),)),
    ]  # fmt: skip


def _labelled(label: str, title: str, texts: Iterable[str]) -> Labelled:
    return Labelled(label, (Points(_lines(texts), title),))


def _formula(statements: Sequence[Statement]) -> Code:
    lines = [
        CodeLine("    " * one.indent + one.text, "  ".join(filter(None, (one.shape, one.note)))) for one in statements
    ]
    return Code(tuple(lines), hang=4, formula=True)


def _code(texts: Iterable[str], title: str, hang: int = 2) -> Code:
    return Code(tuple(map(CodeLine, texts)), title, hang)


_AXIS_COLUMNS = (
    words("role", "Axis", lambda axis: axis.role, kind="prose"),
    Column("before", "Before", lambda axis: axis.before, lambda axis: axis.before, "number"),
    words("after", "After", lambda axis: axis.after, kind="prose", gap=" → ", only=TEXT),
    Column("after", "After", lambda axis: axis.after, lambda axis: axis.after, "number", only=MARKDOWN),
    words("why", "Why", lambda axis: axis.why, kind="prose"),
)

_WEIGHT_COLUMNS = (
    words("symbol", "Symbol", lambda weight: weight.symbol),
    words("name", "Weight", lambda weight: weight.name, gap=" "),
    words("shape", "Shape", lambda weight: shape_text(weight.shape)),
    words("factors", "Axes", lambda weight: weight.factors, kind="prose"),
    number("params", "Params", lambda weight: weight.params, count_text)._replace(gap=" = "),
    words("held", "", lambda weight: "" if weight.trainable else "not trainable", only=TEXT),
    words("trainable", "Trainable", lambda w: "yes" if w.trainable else "no", kind="prose", only=MARKDOWN),
    words("reach", "In Keras", lambda weight: weight.reach, only=MARKDOWN),
)

_REACH_COLUMNS = (
    words("symbol", "Symbol", lambda weight: weight.symbol),
    words("reach", "In Keras", lambda weight: weight.reach, gap=" = "),
)


def _weights(told: Explanation) -> tuple[Block, ...]:
    note = Points(_lines([told.weights_note]), tone="aside")
    return (Listing(_WEIGHT_COLUMNS, told.weights, head=3, breaks=True), note) if told.weights else (note,)


def _in_keras(told: Explanation) -> Listing:
    reached = [weight for weight in told.weights if weight.reach]
    return Listing(_REACH_COLUMNS, reached, head=0, only=TEXT)


def _reach(layer: LayerReport, told: Explanation, alike: list[LayerReport]) -> tuple[Block, ...]:
    """What one output element depends on in the model's inputs. Layers that are alike stand at different depths."""
    lines = list(_lines(told.receptive_field))
    others = [
        f"{title_of(other)} {field_text(other.receptive_field or ())}".rstrip()
        for other in alike
        if other.explanation is not None and other.explanation.receptive_field != told.receptive_field
    ]
    if not others:
        return (Points(tuple(lines), "Reach"),)
    first: list[Line] = [(Span(f"at {title_of(layer)}:"),)] if len(lines) > 1 else []
    elsewhere: Line = (Span("elsewhere: "), Names(tuple(others), _ALIKE_SHOWN))
    return Points((*first, *lines), "Reach"), Points((elsewhere,), "Reach", "aside")
