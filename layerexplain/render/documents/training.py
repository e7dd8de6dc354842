"""The document of `explain --training`: a training step, from the forward pass to the update of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock, CodeLine, Labelled, Points, Section
from layerexplain.render.documents.explanation import by_group, formula_block, formula_lines, gradient_blocks
from layerexplain.render.documents.layer_columns import layers_of
from layerexplain.render.documents.summary import data_lines, heading, report_sheet, step_facts, training
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import plural, shapes_text
from layerexplain.report.data import SAME_IN_TRAINING
from layerexplain.report.report import Report
from layerexplain.report.training_data import FormulaReport, StepReport, TermReport, UpdateReport

_SHOWN = 6
_WEIGHTS_SHOWN = 12


def training_sheet(report: Report, columns: tuple[str, ...] | None, nested: bool) -> Sheet:
    """Return what `explain --training` prints. The formats for programs have the rows of the layers; JSON the step,
    too."""
    return report_sheet(report, columns, nested, several=False)._replace(document=lambda: _document(report))


def _document(report: Report) -> doc.Document:
    trained = report.training
    step = trained.step if trained is not None else None
    assert step is not None  # noqa: S101 (asked for with the report)
    losses = [term for term in step.terms if term.kind == "loss"]
    penalties = [term for term in step.terms if term.kind == "regularizer"]
    notes = Points(doc.lines(step.notes), tone="warning")
    blocks = (
        *_part("1. Forward pass", "each layer, and what differs in training", _forward(report)),
        *_part("2. Loss", "the value that training reduces", map(_term, losses)),
        *map(_term, penalties),
        *([Section((Labelled("sum", (_code((step.total,)),)),))] if step.total else []),
        *_part("3. Backward pass", "the gradient of the loss, from the last layer to the first", _back(report, step)),
        *_part("4. Update", "of each weight W by its gradient g", map(_update, step.updates)),
        *([Section((Labelled("notes", (notes,)),))] if step.notes else []),
        *step_facts(report),
    )
    return doc.Document((heading(report), *training(report), *data_lines(report), *blocks))


def _part(title: str, about: str, sections: Iterable[Section]) -> Iterator[doc.Block]:
    """Yield the sections of one part of the step, after its title."""
    result = list(sections)
    if result:
        yield doc.Heading(1, (doc.Span(title),), ((doc.Span(about),),))
    yield from result


def _code(lines: Iterable[str]) -> CodeBlock:
    return CodeBlock(tuple(map(CodeLine, lines)), hang=4, formula=True)


def _formula(formula: FormulaReport) -> tuple[doc.Block, ...]:
    where = CodeBlock(tuple(map(CodeLine, formula.where)), "Where")
    return (
        doc.Prose((formula.sentence,) if formula.sentence else ()),
        Labelled("formula", (formula_block(formula.statements, formula.latex),)),
        Labelled("where", (where,)),
    )


def _headed(name: str, type_: str, beside: str, *blocks: doc.Block) -> Section:
    title = (doc.Span(name, "name"), *((doc.Span(type_, "type"),) if type_ else ()))
    return Section((doc.Heading(2, title, beside=beside), *blocks))


def _forward(report: Report) -> Iterator[Section]:
    """Yield each layer's formula, and what differs in training."""
    for layer, alike in by_group([row for row in report.layers if row.type != "InputLayer"]):
        explained = layer.explanation
        lines = [line for line in (explained.training if explained is not None else ()) if line != SAME_IN_TRAINING]
        others = doc.Names(tuple([row.layer for row in alike]), _SHOWN)
        yield _headed(
            layer.layer,
            layer.type,
            f"{shapes_text(layer.input_shapes)} → {shapes_text(layer.output_shapes)}",
            Labelled("and", (Points(((doc.Span(f"{len(alike)} alike: "), others),) if alike else ()),)),
            Labelled("formula", (_code(layer.formula),)),
            Labelled("training", (_code(lines),)),
        )


def _weights_text(term: TermReport) -> str:
    return f"'{term.of}'" if term.kind == "loss" else term.of


def _term(term: TermReport) -> Section:
    factor = "" if term.weight is None else f", times {term.weight:g}"
    return _headed(term.symbol, term.type, f"of {_weights_text(term)}{factor}", *_formula(term.formula))


def _back(report: Report, step: StepReport) -> Iterator[Section]:
    """Yield the gradient of each term of the loss, then what each layer passes back."""
    for term in step.terms:
        to = f"to {_weights_text(term)}"
        if term.gradient is None:
            yield _headed(term.symbol, term.type, to, doc.Prose(("Its gradient is not derived.",)))
            continue
        factor = "" if term.weight is None else f" Its weight in the loss is {term.weight:g}."
        sentence = (
            term.gradient.sentence if term.kind == "loss" else "Added to the gradient that later layers pass back."
        )
        gradient = term.gradient._replace(sentence=f"{sentence}{factor}".strip())
        yield _headed(term.symbol, term.type, to, *_formula(gradient))
    formulas = {row.layer.path: formula_lines(row.layer) for row in layers_of(report, nested=True)}
    for other in step.gradients:
        others = doc.Names(other.layers[1:], _SHOWN)
        alike = ((doc.Span(f"{len(other.layers) - 1} alike: "), others),) if len(other.layers) > 1 else ()
        blocks = gradient_blocks(other.gradient, formulas.get(other.layers[0], ()), element=False)
        yield _headed(other.layers[0], other.type, "", Labelled("and", (Points(alike),)), *blocks)


def _update(update: UpdateReport) -> Section:
    slots = f"; {plural(update.slots, 'value')} in all" if update.slots else ""
    return _headed(
        update.optimizer,
        "",
        "",
        *_formula(update.formula),
        Labelled("slots", (Points(doc.lines([f"{update.slots_note}{slots}"])),)),
        Labelled("weights", (Points(((doc.Names(update.weights, _WEIGHTS_SHOWN),),)),)),
    )
