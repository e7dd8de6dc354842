"""The document of `explain`: a section a layer, with labelled blocks in the order in which they are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from layerexplain.lang.latex import TypesetLine
from layerexplain.records import grouped
from layerexplain.render import document as doc
from layerexplain.render.documents.summary import all_notes, heading, report_sheet, step_facts, title_of, totals
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import REACHED_IN, count_text, field_text, results_text, shape_text, shapes_text
from layerexplain.render.sections import CodeBlock, CodeLine, Labelled, Listing, Points, Section
from layerexplain.report.data import NO_MASK, SAME_IN_TRAINING, CallReport, LayerReport, Report
from layerexplain.report.explanation_data import Explanation, Statement
from layerexplain.report.step_data import BackwardReport

_ALIKE_SHOWN = 8


def explanation(
    report: Report,
    layers: Sequence[LayerReport] | None = None,
    whole: bool = True,
    columns: tuple[str, ...] | None = None,
    nested: bool = False,
    brief: bool = False,
) -> Sheet:
    """What `explain` prints of `layers`, None being all of depth 0. `whole` says that none were left out: then the
    model's heading, totals and notes stand around them. `brief` leaves out all but sentence, formula, shape and
    weights. The formats for programs have the rows of the layers."""
    chosen = report.layers if layers is None else layers
    report_of_chosen = report if whole else report._replace(layers=tuple(chosen))
    return report_sheet(report_of_chosen, columns, nested, several=False)._replace(
        document=lambda: explanation_document(report, chosen, whole, brief)
    )


def explanation_document(
    report: Report, layers: Sequence[LayerReport], whole: bool = True, brief: bool = False
) -> doc.Document:
    """The explanations of `layers`; those of one group once, with the list of those that it holds for."""
    shown = {layer.path for layer in layers}
    fields = {layer.layer: layer.explanation.receptive_field for layer in layers if layer.explanation is not None}
    sections = []
    for layer, alike in by_group(layers):
        # What all its sources see too is no news of a layer.
        seen = {fields.get(source) for source in layer.sources} if whole else set()
        place = (layer.place or "") if report.format == "code" else ""
        known = seen.pop() if len(seen) == 1 else None
        hidden = any(inner.path not in shown for inner in layer.layers)
        sections.append(_section(layer, alike, brief, known, place, hidden))
    if not whole:
        return doc.Document(tuple(sections))
    # Each layer's own notes stand in its section.
    about_model = doc.notes_block(doc.noted([note for note in report.notes if note.layer is None]), doc.TEXT)
    return doc.Document(
        (
            heading(report),
            *sections,
            *totals(report),
            *step_facts(report),
            about_model,
            doc.notes_block(all_notes(report), doc.MARKDOWN),
        )
    )


def by_group(layers: Iterable[LayerReport]) -> list[tuple[LayerReport, list[LayerReport]]]:
    """The first layer of each group, in order, with the others of its group."""
    return [(first, others) for first, *others in grouped((layer.group, layer) for layer in layers).values()]


def _section(
    layer: LayerReport, alike: list[LayerReport], brief: bool, known: tuple[str, ...] | None, place: str, hidden: bool
) -> Section:
    """What there is to tell of a layer; `known` is the reach that was told already, `place` its line in the code,
    `hidden` says that the layers inside it are not explained."""
    explained = layer.explanation
    inputs, outputs = shapes_text(layer.input_shapes), results_text(layer.results, layer.output_shapes)
    blocks: list[doc.Block] = [
        doc.Heading(
            2,
            (doc.Span(title_of(layer), "name"), doc.Span(layer.type, "type")),
            beside=(f"{inputs} → {outputs}" if inputs else outputs) + (f"  {place}" if place else ""),
        )
    ]
    if explained is not None:
        said = f"{explained.sentence.removesuffix('.')}; --nested explains them." if hidden else explained.sentence
        blocks.append(doc.Prose(tuple(filter(None, [said, *(() if brief else explained.hints)]))))
    blocks += _wiring(layer, alike)
    if explained is None:
        blocks.append(Labelled("formula", (formula_block([Statement(line, 0, "", "") for line in layer.formula]),)))
    else:
        blocks += _detail_blocks(explained, alike, brief, known)
    if layer.gradient is not None:
        blocks += gradient_blocks(layer.gradient, formula_lines(layer))
    notes = Points(doc.lines(layer.notes), tone="warning")
    return Section((*blocks, Labelled("notes", (notes,))))


# What feeds a layer -------------------------------------------------------------------------------------------------


def _wiring(layer: LayerReport, alike: list[LayerReport]) -> list[doc.Block]:
    """The layers that are alike, and who feeds this one. Text leaves that out where it is plainly the one layer before,
    since the shapes stand beside the heading."""
    symbols = () if layer.explanation is None else layer.explanation.inputs
    calls = [_call_line(call, symbols) for call in layer.calls]
    shown = doc.Names(tuple(map(title_of, alike)), _ALIKE_SHOWN)
    names: list[doc.Line] = (
        [(doc.Span("and ", only=doc.MARKDOWN), doc.Span(f"{len(alike)} alike: "), shown)] if alike else []
    )
    several = len(calls) > 1 or (calls and len(layer.calls[0].sources) > 1)
    label = "calls" if len(calls) > 1 else "inputs"
    return [
        Labelled("and", (Points(tuple(names), only=doc.TEXT),)),
        Labelled(label, (Points(tuple(calls) if several else (), only=doc.TEXT),)),
        Points((*calls, *names), only=doc.MARKDOWN),
    ]


def _call_line(call: CallReport, symbols: Sequence[str]) -> doc.Line:
    """`x1=add (None, 8, 8, 16), x2=conv2d (call 2) (None, 8, 8, 16) → (None, 8, 8, 16)`."""
    line: list[doc.Span] = []
    again = {source for source, at in zip(call.source_names, call.numbers, strict=True) if at}
    for i, (source, at, shape) in enumerate(zip(call.source_names, call.numbers, call.input_shapes, strict=False)):
        symbol = f"{symbols[i]}=" if i < len(symbols) and symbols[i] != source else ""
        line += [
            doc.Span(", "),
            doc.Span(symbol),
            doc.Span(source, "name"),
            doc.Span(f" (call {at + 1})" if source in again else ""),
        ]
        line += [doc.Span(" "), doc.Span(shape_text(shape), "shape")]
    if not line and call.input_shapes:
        line = [doc.Span(", "), doc.Span(shapes_text(call.input_shapes), "shape")]
    outputs = doc.Span(shapes_text(call.output_shapes), "shape")
    return (*line[1:], doc.Span(" → "), outputs) if line else (doc.Span("→ ", only=doc.TEXT), outputs)


# Parts of a section --------------------------------------------------------------------------------------------------


def _detail_blocks(
    explained: Explanation, alike: list[LayerReport], brief: bool, known: tuple[str, ...] | None
) -> list[doc.Block]:
    formula = Labelled("formula", (formula_block(explained.statements, explained.latex),))
    # What windows read of each axis, and the axes of further calls, are more than the shape.
    notes = Points(doc.lines(() if brief else explained.shape_notes))
    shape = Labelled("shape", (Listing(_AXIS_COLUMNS, explained.axes, head=3), notes) if explained.axes else (notes,))
    if brief:
        return [formula, shape, Labelled("weights", _weights(explained))]
    reached = [weight for weight in explained.weights if weight.reach]
    element = _code(explained.element, "One element", hang=4), Points(doc.lines(explained.element_notes), tone="aside")
    return [
        formula,
        Labelled("where", (_code(explained.where, "Where"),)),
        Labelled("element", element),
        shape,
        Labelled("weights", _weights(explained)),
        _labelled("cost", "Cost", explained.cost),
        Labelled("reach", _reach(explained, alike, known)),
        _labelled("training", "Training", () if explained.training == (SAME_IN_TRAINING,) else explained.training),
        _labelled("mask", "Mask", () if explained.mask == NO_MASK else (explained.mask,)),
        _labelled("dtype", "Dtype", (explained.dtype,)),
        Labelled(REACHED_IN[explained.framework], (Listing(_REACH_COLUMNS, reached, head=0, only=doc.TEXT),)),
    ]


def gradient_blocks(gradient: BackwardReport, formula: Sequence[str], element: bool = True) -> list[doc.Block]:
    """How gradients pass the layer: what is kept of the forward pass, the statements, one `element`, and the facts.
    `formula` are the lines of the layer's own formula, which are not printed once more."""
    if gradient.unknown:
        return [_labelled("gradient", "Gradient", (f"not known: {gradient.unknown}",))]
    cost = [f"{n:,} {what}" for n, what in ((gradient.macs, "MACs"), (gradient.flops, "FLOPs")) if n]
    said = (
        *gradient.facts,
        f"No gradient reaches {', '.join(gradient.unreached)}." if gradient.unreached else "",
        f"Backward: {' and '.join(cost)} per example." if cost else "",
    )
    if not gradient.statements:
        return [_labelled("gradient", "Gradient", ("no trainable weight and no float input", *said))]
    elements = (
        _code(gradient.element if element else (), "One element of each gradient", hang=4),
        Points(doc.lines(gradient.element_notes if element else ()), tone="aside"),
    )
    gradients = formula_block(gradient.statements, gradient.latex)
    return [
        Labelled("kept", _kept(gradient, formula)),
        Labelled("gradient", (gradients._replace(title="Gradient"), Points(doc.lines(said)))),
        Labelled("element", elements),
    ]


def _kept(gradient: BackwardReport, formula: Sequence[str]) -> tuple[doc.Block, ...]:
    """What is kept of the forward pass: the names of what the formula computes anyway, and the lines that it has not.
    Of a loop that is printed above, only what each of its steps keeps besides."""
    known = {_without_step(line.strip()) for line in formula}
    read = {word for line in gradient.statements for word in re.findall(r"[^\W\d]\w*", line.text)}
    in_formula: dict[bool, list[str]] = {False: [], True: []}
    shown: list[Statement] = []
    for line in gradient.kept:
        name, equals, _ = line.text.partition(" = ")
        collected = name.endswith("[t]")
        base = name.removesuffix("[t]")
        if _without_step(line.text) in known:
            if base in read and (collected or not line.indent):
                in_formula[bool(line.indent)].append(base)
        elif equals and (collected or not line.indent):
            shown.append(line)
    if len(shown) == len(gradient.kept):
        return (formula_block(gradient.kept, gradient.kept_latex)._replace(title="Kept from the forward pass"),)
    used = {word for line in shown for word in re.findall(r"[^\W\d]\w*", line.text.partition(" = ")[2])}
    lines = [line for line in gradient.kept if line in shown or (line.indent and line.text.partition(" = ")[0] in used)]
    computed = {line.strip().partition(" = ")[0] for line in formula}
    lines = [line for line in lines if line in shown or line.text.partition(" = ")[0] not in computed]
    names = [", ".join(names) + " of each step" * of_steps for of_steps, names in in_formula.items() if names]
    said = f"{' and '.join(names)}, as in the formula" if names else ""
    block = formula_block([line._replace(indent=0) for line in lines])
    return (Points(doc.lines((said,)), "Kept from the forward pass"), block)


def formula_lines(layer: LayerReport) -> tuple[str, ...]:
    """The lines that are printed of a layer's forward pass: its formula, and what differs in training."""
    return (*layer.formula, *(layer.explanation.training if layer.explanation is not None else ()))


def _without_step(text: str) -> str:
    return re.sub(r"\b(\w+)\[t\]", r"\1", text)


def _labelled(label: str, title: str, texts: Iterable[str]) -> Labelled:
    return Labelled(label, (Points(doc.lines(texts), title),))


def formula_block(statements: Sequence[Statement], typeset: tuple[TypesetLine, ...] = ()) -> CodeBlock:
    """The statements of a formula, with shapes and notes beside them."""
    lines = [
        CodeLine("    " * one.indent + one.text, "  ".join(filter(None, (one.shape, one.note)))) for one in statements
    ]
    return CodeBlock(tuple(lines), hang=4, formula=True, typeset=typeset)


def _code(texts: Iterable[str], title: str, hang: int = 2) -> CodeBlock:
    return CodeBlock(tuple(map(CodeLine, texts)), title, hang)


_AXIS_COLUMNS = (
    doc.words("role", "Axis", lambda axis: axis.role, kind="prose"),
    doc.Column("before", "Before", lambda axis: axis.before, lambda axis: axis.before, "number"),
    doc.words("after", "After", lambda axis: axis.after, kind="prose", gap=" → ", only=doc.TEXT),
    doc.Column("after", "After", lambda axis: axis.after, lambda axis: axis.after, "number", only=doc.MARKDOWN),
    doc.words("why", "Why", lambda axis: axis.why, kind="prose"),
)

_WEIGHT_COLUMNS = (
    doc.words("symbol", "Symbol", lambda weight: weight.symbol),
    doc.words("name", "Weight", lambda weight: weight.name, gap=" "),
    doc.words("shape", "Shape", lambda weight: shape_text(weight.shape)),
    doc.words("factors", "Axes", lambda weight: weight.factors, kind="prose"),
    doc.number("params", "Params", lambda weight: weight.params, count_text)._replace(gap=" = "),
    doc.words("held", "", lambda weight: "" if weight.trainable else "not trainable", only=doc.TEXT),
    doc.words("trainable", "Trainable", lambda w: "yes" if w.trainable else "no", kind="prose", only=doc.MARKDOWN),
    doc.words("reach", "In Keras", lambda weight: weight.reach, only=doc.MARKDOWN),
)

_REACH_COLUMNS = (
    doc.words("symbol", "Symbol", lambda weight: weight.symbol),
    doc.words("reach", "In Keras", lambda weight: weight.reach, gap=" = "),
)


def _weights(explained: Explanation) -> tuple[doc.Block, ...]:
    note = Points(doc.lines([explained.weights_note]), tone="aside")
    return (Listing(_WEIGHT_COLUMNS, explained.weights, head=3, breaks=True), note) if explained.weights else (note,)


def _reach(explained: Explanation, alike: list[LayerReport], known: tuple[str, ...] | None) -> tuple[doc.Block, ...]:
    """What one output element depends on in the model's inputs, unless that is known. Layers that are alike stand at
    different depths: theirs are listed, each once."""
    lines = () if explained.receptive_field == known else doc.lines(explained.receptive_field)
    others = dict.fromkeys(
        field_text(other.receptive_field or ())
        for other in alike
        if other.explanation is not None and other.explanation.receptive_field != explained.receptive_field
    )
    if not others:
        return (Points(lines, "Reach"),)
    elsewhere: doc.Line = (doc.Span("in those alike: "), doc.Names(tuple(others), _ALIKE_SHOWN))
    return Points(lines or doc.lines(explained.receptive_field), "Reach"), Points((elsewhere,), "Reach", "aside")
