"""The document of `explain`: a section for each layer; a tier says which parts are shown (one table, hence the length).

A tour of a model is in tour.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from layerexplain.lang.latex import TypesetLine
from layerexplain.records import NamedTuple, grouped
from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock, CodeLine, Labelled, Listing, Points, Section
from layerexplain.render.documents.summary import (
    all_notes,
    heading,
    layers_of_losses,
    missing_values,
    named_sizes,
    report_sheet,
    step_facts,
    title_of,
    totals,
)
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import (
    REACHED_IN,
    count_text,
    field_text,
    origin_text,
    results_text,
    shape_text,
    shapes_text,
)
from layerexplain.report.data import NO_MASK, SAME_IN_TRAINING, CallReport, LayerReport
from layerexplain.report.explanation_data import BackwardReport, Explanation, Statement
from layerexplain.report.report import Report

_ALIKE_SHOWN = 8

TOUR, LAYER, FULL = range(3)
"""How much is shown: the tour of a model, the explanation of one layer, or every section (`--full`)."""


class ShownParts(NamedTuple):
    """Which parts of a section are shown: those of a tier, or those of these names."""

    tier: int = LAYER
    only: tuple[str, ...] = ()
    all_remarks: bool = False
    """Whether a tour has every remark, as that of a model of one layer."""

    def shows(self, name: str) -> bool:
        """Return whether a part is shown."""
        return name in self.only if self.only else PARTS[name].tier <= self.tier


@dataclass(frozen=True)
class _Shown:
    """A layer to be shown: the others that are alike, and the reach that was told already."""

    layer: LayerReport
    explained: Explanation
    asked: ShownParts
    alike: Sequence[LayerReport] = ()
    known_reach: tuple[str, ...] | None = None
    hidden: bool = False
    """Whether the layers inside it are not explained."""


class SectionPart(NamedTuple):
    """A part of a section: the tier from which on it is shown, its label, and the blocks beside that."""

    tier: int
    label: str
    blocks: Callable[[_Shown], Iterable[doc.Block]]


def explanation(
    report: Report,
    layers: Sequence[LayerReport] | None = None,
    whole: bool = True,
    columns: tuple[str, ...] | None = None,
    nested: bool = False,
    asked: ShownParts | None = None,
    first: Sequence[doc.Block] = (),
) -> Sheet:
    """Return what `explain` prints of `layers`, None being all of depth 0. `whole` says that none were left out: then
    the model's heading, totals and notes stand around them, what comes `first` behind the heading, and the tour is what
    is shown unless something else is asked for. The formats for programs have the rows of the layers."""
    from layerexplain.render.documents.tour import tour

    chosen = report.layers if layers is None else layers
    report_of_chosen = report if whole else report._replace(layers=tuple(chosen))
    wanted = asked or ShownParts(TOUR if whole and report.format != "layer" else LAYER)

    def document() -> doc.Document:
        sections = (
            tour(report, chosen) if whole and wanted == ShownParts(TOUR) else explained(report, chosen, whole, wanted)
        )
        return (
            _whole(report, [*first, *sections], cost=wanted.tier > TOUR)
            if whole
            else doc.Document((*sections, *named_sizes(report)))
        )

    return report_sheet(report_of_chosen, columns, nested, several=False)._replace(document=document)


def layer_sheet(layer: LayerReport) -> Sheet:
    """Return what there is to say of a layer without its model."""
    return Sheet(
        document=lambda: doc.Document((section(layer, ShownParts()),)),
        data=layer.to_dict,
        records=lambda: [layer.to_dict()],
        columns=(),
        rows=lambda: [layer],
    )


def _whole(report: Report, sections: Iterable[doc.Block], cost: bool) -> doc.Document:
    """Return the sections between the heading of the model, its totals and its notes; each layer's own notes stand in
    its section."""
    said_first = "" if report.language is None else "assumed"
    others = [note for note in report.notes if note.layer is None and note.code != said_first]
    about_model = doc.notes_block(doc.noted(others), doc.TEXT)
    sections = list(sections)
    if not report.layers and sections:  # an error that was pasted: nothing was read of its model
        title = doc.title(report.model_name, (origin_text(report.source, report.format, None),))
        return doc.Document(
            (title, *[section for section in sections if not isinstance(section, doc.Prose)], about_model)
        )
    last = [sections.pop()] if sections and isinstance(sections[-1], doc.Prose) else []
    notes = doc.notes_block(all_notes(report), doc.MARKDOWN)
    first = tuple[doc.Prose, ...]()
    if report.language is not None:
        from layerexplain.render.documents.language_model import first_line

        first = first_line(report)
    reached = tuple(layers_of_losses(() if report.training is None else report.training.losses))
    return doc.Document(
        (
            heading(report),
            *first,
            *sections,
            *totals(report, cost),
            *named_sizes(report),
            *((doc.Prose(reached),) if reached else ()),
            *step_facts(report),
            about_model,
            notes,
            *missing_values(report.notes),
            *last,
        )
    )


def explained(report: Report, layers: Sequence[LayerReport], whole: bool, asked: ShownParts) -> list[doc.Block]:
    """Return the sections of `layers`; those of one group once, with the list of those that it holds for."""
    shown = {layer.path for layer in layers}
    fields = {layer.layer: layer.explanation.receptive_field for layer in layers if layer.explanation is not None}
    sections: list[doc.Block] = []
    for layer, alike in by_group(layers):
        # What all its sources see too is no news of a layer.
        seen = {fields.get(source) for source in layer.sources} if whole else set()
        known = seen.pop() if len(seen) == 1 else None
        hidden = any(inner.path not in shown for inner in layer.layers)
        sections.append(section(layer, asked, alike, known, hidden, of_code=report.format == "code"))
    return sections


def by_group(layers: Iterable[LayerReport]) -> list[tuple[LayerReport, list[LayerReport]]]:
    """Return the first layer of each group, in order, with the others of its group for which the same arguments are
    set."""
    keyed = ((_same(layer), layer) for layer in layers)
    return [(first, others) for first, *others in grouped(keyed).values()]


def _same(layer: LayerReport) -> Hashable:
    return layer.group, () if layer.explanation is None else layer.explanation.arguments


def section(
    layer: LayerReport,
    asked: ShownParts,
    alike: Sequence[LayerReport] = (),
    known_reach: tuple[str, ...] | None = None,
    hidden: bool = False,
    of_code: bool = False,
) -> Section:
    """Return what there is to say of a layer, for one `of_code` with its place."""
    place = (layer.place or "") if of_code else ""
    inputs, outputs = shapes_text(layer.input_shapes), results_text(layer.results, layer.output_shapes)
    blocks: list[doc.Block] = [
        doc.Heading(
            2,
            (doc.Span(title_of(layer), "name"), doc.Span(layer.type, "type")),
            beside=(f"{inputs} → {outputs}" if inputs else outputs) + (f"  {place}" if place else ""),
        )
    ]
    if layer.explanation is None:
        blocks += _wiring(layer, alike)
        blocks.append(Labelled("formula", (formula_block([Statement(line, 0, "", "") for line in layer.formula]),)))
    else:
        shown = _Shown(layer, layer.explanation, asked, alike, known_reach, hidden)
        for name, part in PARTS.items():
            if asked.shows(name):
                result = tuple(part.blocks(shown))
                blocks += [Labelled(part.label, result)] if part.label else result
    if layer.gradient is not None and not asked.only:
        blocks += gradient_blocks(layer.gradient, formula_lines(layer))
    notes = Points(doc.lines(layer.notes), tone="warning")
    return Section((*blocks, Labelled("notes", (notes,))))


# What feeds a layer -------------------------------------------------------------------------------------------------


def _wiring(layer: LayerReport, alike: Sequence[LayerReport], short: bool = False) -> list[doc.Block]:
    """Return the layers that are alike, and who feeds this one. Text leaves that out where it is plainly the one layer
    before, since the shapes stand beside the heading; if it is to be `short`, it has only the names."""
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
        Labelled(label, (_sources(layer) if short else Points(tuple(calls) if several else (), only=doc.TEXT),)),
        Points((*calls, *names), only=doc.MARKDOWN),
    ]


def _call_line(call: CallReport, symbols: Sequence[str]) -> doc.Line:
    """Return `x1=add (None, 8, 8, 16), x2=conv2d (call 2) (None, 8, 8, 16) → (None, 8, 8, 16)`."""
    line: list[doc.Span] = []
    for i, (source, mark, shape) in enumerate(zip(call.source_names, call.call_marks, call.input_shapes, strict=False)):
        symbol = f"{symbols[i]}=" if i < len(symbols) and symbols[i] != source else ""
        line += [doc.Span(", "), doc.Span(symbol), doc.Span(source, "name"), doc.Span(mark)]
        line += [doc.Span(" "), doc.Span(shape_text(shape), "shape")]
    if not line and call.input_shapes:
        line = [doc.Span(", "), doc.Span(shapes_text(call.input_shapes), "shape")]
    outputs = doc.Span(shapes_text(call.output_shapes), "shape")
    return (*line[1:], doc.Span(" → "), outputs) if line else (doc.Span("→ ", only=doc.TEXT), outputs)


# Parts of a section --------------------------------------------------------------------------------------------------


def _sentence(shown: _Shown) -> Iterable[doc.Block]:
    sentence = shown.explained.sentence
    if shown.asked.tier == TOUR:  # which has a line of parameters where there are any
        sentence = sentence.removesuffix(" No trainable parameters.")
    yield doc.Prose(
        (
            f"{sentence.removesuffix('.')}; --nested explains {'it' if len(shown.layer.layers) == 1 else 'them'}."
            if shown.hidden
            else sentence,
        )
        if sentence
        else ()
    )


def _sources(layer: LayerReport) -> Points:
    """Return the names of the layers that feed this one, if these are several."""
    names = tuple(dict.fromkeys([name for call in layer.calls for name in call.source_names]))
    times = doc.Span(f"{len(layer.calls)}, on " if len(layer.calls) > 1 else "")
    line: doc.Line = (times, doc.Names(names, _ALIKE_SHOWN))
    outputs = dict.fromkeys([shapes_text(call.output_shapes) for call in layer.calls])
    if len(outputs) > 1:  # beside the heading stands that of the first call
        line = (*line, doc.Span(" → "), doc.Names(tuple(outputs), _ALIKE_SHOWN))
    return Points((line,) if len(layer.calls) > 1 or len(layer.sources) > 1 else (), only=doc.TEXT)


def _is_one_line(explained: Explanation) -> bool:
    """Return whether the formula is the one line that the operation is."""
    return len(explained.statements) == 1 and explained.statements[0].text.partition(" = ")[2] == explained.computes


def _is_in_formula(explained: Explanation) -> bool:
    """Return whether the formula, and its lines on training, say all that the operation says."""
    trained = (explained.computes or "").partition("; in training ")[2]
    return bool(explained.statements) and any(trained in line for line in (*explained.training, ""))


def _computes(shown: _Shown) -> Iterable[doc.Block]:
    """Yield the operation, unless the formula says it too; or the formula, where that is the same line and is shown."""
    explained = shown.explained
    if _is_one_line(explained) and shown.asked.shows("formula"):
        yield Labelled("formula", (formula_block(explained.statements, explained.latex),))
    elif explained.computes and not (
        _is_in_formula(explained) and shown.asked.shows("formula") and not shown.asked.only
    ):
        typeset = explained.latex if _is_one_line(explained) else ()
        code = _code((explained.computes,), "Computes", hang=4)._replace(formula=True, typeset=typeset)
        yield Labelled("computes", (code,))


def _formula(shown: _Shown) -> Iterable[doc.Block]:
    explained = shown.explained
    if not (_is_one_line(explained) and shown.asked.shows("computes")):
        yield formula_block(explained.statements, explained.latex)


def _shape(shown: _Shown) -> Iterable[doc.Block]:
    """Yield the axes: in a line, with what windows read for one layer, or each by itself."""
    explained = shown.explained
    if shown.asked.tier >= FULL or shown.asked.only:
        if explained.axes:
            yield Listing(_AXIS_COLUMNS, explained.axes, head=3)
    else:
        yield Points(doc.lines((explained.shape,)), "Shape")
    if shown.asked.tier >= LAYER:
        yield Points(doc.lines(explained.shape_notes))


def _remarks(shown: _Shown) -> Iterable[doc.Block]:
    explained = shown.explained
    said = (
        explained.watch
        if shown.asked.tier == TOUR and not shown.asked.all_remarks
        else [text for text in explained.hints if text not in (*explained.conventions, *explained.counts)]
    )
    yield Points(doc.lines(said))


def _element(shown: _Shown) -> Iterable[doc.Block]:
    yield _code(shown.explained.element, "One element", hang=4)
    yield Points(doc.lines(shown.explained.element_notes), tone="aside")


def _weights(shown: _Shown) -> Iterable[doc.Block]:
    explained = shown.explained
    if explained.weights:
        yield Listing(_WEIGHT_COLUMNS, explained.weights, head=3, breaks=True)
    yield Points(doc.lines([explained.weights_note]), tone="aside")


def _reach(shown: _Shown) -> Iterable[doc.Block]:
    """Yield what one output element depends on in the model's inputs, unless that is known. Layers that are alike stand
    at different depths: theirs are listed, each once."""
    explained = shown.explained
    lines = () if explained.receptive_field == shown.known_reach else doc.lines(explained.receptive_field)
    others = dict.fromkeys(
        field_text(other.receptive_field or ())
        for other in shown.alike
        if other.explanation is not None and other.explanation.receptive_field != explained.receptive_field
    )
    if others:
        elsewhere: doc.Line = (doc.Span("in identical layers: "), doc.Names(tuple(others), _ALIKE_SHOWN))
        yield Points(lines or doc.lines(explained.receptive_field), "Reach")
        yield Points((elsewhere,), "Reach", "aside")
    else:
        yield Points(lines, "Reach")


def _reached(shown: _Shown) -> Iterable[doc.Block]:
    reached = [weight for weight in shown.explained.weights if weight.reach]
    listing = Listing(_REACH_COLUMNS, reached, head=0, only=doc.TEXT)
    yield Labelled(REACHED_IN[shown.explained.framework], (listing,))


def _mask(shown: _Shown) -> Iterable[doc.Block]:
    """Yield which mask reaches the layer; for one layer not what its remarks say already."""
    explained = shown.explained
    is_known = shown.asked.tier < FULL and not shown.asked.only and f"Mask: {explained.mask}." in explained.watch
    yield Points(doc.lines(() if explained.mask == NO_MASK or is_known else (explained.mask,)), "Mask")


def _said(title: str, texts: Callable[[Explanation], Iterable[str]]) -> Callable[[_Shown], Iterable[doc.Block]]:
    """Return a part of lines."""
    return lambda shown: (Points(doc.lines(texts(shown.explained)), title),)


def _conventions(explained: Explanation, framework: str) -> tuple[str, ...]:
    """Return what another framework does otherwise, for a layer of this one."""
    return (" ".join(explained.conventions),) if explained.framework == framework else ()


PARTS: dict[str, SectionPart] = {
    "sentence": SectionPart(TOUR, "", _sentence),
    "inputs": SectionPart(TOUR, "", lambda shown: _wiring(shown.layer, shown.alike, shown.asked.tier == TOUR)),
    "computes": SectionPart(TOUR, "", _computes),
    "formula": SectionPart(LAYER, "formula", _formula),
    "where": SectionPart(LAYER, "where", lambda shown: (_code(shown.explained.where, "Where"),)),
    "shape": SectionPart(TOUR, "shape", _shape),
    "parameters": SectionPart(TOUR, "parameters", _said("Parameters", lambda explained: (explained.parameters,))),
    "remarks": SectionPart(TOUR, "remarks", _remarks),
    "element": SectionPart(LAYER, "element", _element),
    "weights": SectionPart(LAYER, "weights", _weights),
    "training": SectionPart(
        LAYER,
        "training",
        _said("Training", lambda explained: () if explained.training == (SAME_IN_TRAINING,) else explained.training),
    ),
    "dtype": SectionPart(LAYER, "dtype", _said("Dtype", lambda explained: (explained.dtype,))),
    "cost": SectionPart(FULL, "cost", _said("Cost", lambda explained: explained.cost)),
    "reach": SectionPart(FULL, "reach", _reach),
    "mask": SectionPart(LAYER, "mask", _mask),
    "keras": SectionPart(FULL, "", _reached),
    "pytorch": SectionPart(FULL, "PyTorch", _said("PyTorch", lambda explained: _conventions(explained, "keras"))),
    "in-keras": SectionPart(FULL, "Keras", _said("Keras", lambda explained: _conventions(explained, "torch"))),
}
"""The parts of a section by name, in the order in which they are read."""


def gradient_blocks(gradient: BackwardReport, formula: Sequence[str], element: bool = True) -> list[doc.Block]:
    """Return how gradients pass the layer: what is kept of the forward pass, the statements, one `element`, and the
    facts. `formula` are the lines of the layer's own formula, which are not printed once more."""
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
    """Return what is kept of the forward pass: the names of what the formula computes anyway, and the lines that it has
    not. Of a loop that is printed above, only what each of its steps keeps besides."""
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
    sentence = f"{' and '.join(names)}, as in the formula" if names else ""
    block = formula_block([line._replace(indent=0) for line in lines])
    return (Points(doc.lines((sentence,)), "Kept from the forward pass"), block)


def formula_lines(layer: LayerReport) -> tuple[str, ...]:
    """Return the lines that are printed of a layer's forward pass: its formula, and what differs in training."""
    return (*layer.formula, *(layer.explanation.training if layer.explanation is not None else ()))


def _without_step(text: str) -> str:
    return re.sub(r"\b(\w+)\[t\]", r"\1", text)


def _labelled(label: str, title: str, texts: Iterable[str]) -> Labelled:
    return Labelled(label, (Points(doc.lines(texts), title),))


def formula_block(statements: Sequence[Statement], typeset: tuple[TypesetLine, ...] = ()) -> CodeBlock:
    """Return the statements of a formula, with shapes and notes beside them."""
    lines = [
        CodeLine("    " * statement.indent + statement.text, "  ".join(filter(None, (statement.shape, statement.note))))
        for statement in statements
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

_TRAINABLE = {True: "yes", False: "no", None: "?"}
_HELD = {True: "", False: "not trainable", None: "trainable: not known"}
_WEIGHT_COLUMNS = (
    doc.words("symbol", "Symbol", lambda weight: weight.symbol),
    doc.words("name", "Weight", lambda weight: weight.name, gap=" "),
    doc.words("shape", "Shape", lambda weight: shape_text(weight.shape)),
    doc.words("factors", "Axes", lambda weight: weight.factors, kind="prose"),
    doc.number("params", "Params", lambda weight: weight.params, count_text)._replace(gap=" = "),
    doc.words("held", "", lambda weight: _HELD[weight.trainable], only=doc.TEXT),
    doc.words("trainable", "Trainable", lambda w: _TRAINABLE[w.trainable], kind="prose", only=doc.MARKDOWN),
    doc.words("reach", "In Python", lambda weight: weight.reach, only=doc.MARKDOWN),
)

_REACH_COLUMNS = (
    doc.words("symbol", "Symbol", lambda weight: weight.symbol),
    doc.words("reach", "In Python", lambda weight: weight.reach, gap=" = "),
)
