"""`layerexplain explain`: explains all layers, or those whose names match."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from layerexplain import api
from layerexplain.api import LayerReport, Report
from layerexplain.cli import library, options
from layerexplain.cli import sources as reading
from layerexplain.cli.arguments import WithTraining, given_training, training_options
from layerexplain.cli.failures import clean
from layerexplain.cli.output import emit
from layerexplain.cli.source_arguments import where_they_fit
from layerexplain.cli.sources import Outcome
from layerexplain.errors import LayerExplainError
from layerexplain.layer_names import LayerCandidate, found, layers_in, no_match
from layerexplain.model import InputShapes, InputShapesOf, Model, Note
from layerexplain.records import NamedTuple
from layerexplain.render.documents.explanation import ShownParts, explanation
from layerexplain.render.documents.findings import answers, mistakes
from layerexplain.render.documents.layer_columns import layers_of
from layerexplain.render.documents.training import training_sheet
from layerexplain.render.formats import Sheet, printed
from layerexplain.render.quantities import shape_text


class _Compared(WithTraining):
    """A command in which `--vs` begins a second layer."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, options.without_versus(ctx, args))


@click.command(
    "explain",
    cls=_Compared,
    short_help="Explain each layer: what it computes, and where its shape and parameters come from.",
)
@options.SOURCE
@options.LAYERS
@options.model_output_options
@options.columns_option()
@options.nested_option
@options.every_option
@options.input_option
@options.gradient_option
@options.code_option
@options.data_option
@options.parts_option
@click.option(
    options.VERSUS,
    metavar="[SOURCE] LAYER",
    expose_value=False,
    help="Compare with a second layer, of SOURCE or of another model, in sentences and side by side.",
)
@click.option(
    "--training",
    is_flag=True,
    help="Explain a training step instead: what layers do differently, the loss, its gradient, and the update of each "
    "weight.",
)
@training_options("With --training: the")
def command(
    source: str,
    patterns: tuple[str, ...],
    output: options.Output,
    columns: tuple[str, ...] | None,
    nested: bool,
    inputs: InputShapesOf,
    gradient: bool,
    code: tuple[str, ...],
    data: dict[str, Any],
    parts: ShownParts | None,
    training: bool,
) -> None:
    """Explain each layer of SOURCE in a few lines, or the layers that match LAYER in detail.

    Without LAYER, print what is wrong with the model, at most three findings with their cures (check has all with their
    proof), then a tour: what each layer does and computes, how its shape is computed, its parameters as a
    product, and what to watch out for; repeated blocks once. With LAYER, also print its formula, the formula of one
    output element, its weights and what differs in training. --full adds cost, reach, mask, and the conventions of
    Keras and PyTorch. LAYER is a name, a pattern ('conv*') or a path ('encoder/dense'); or a type (Conv2D), a position
    (3, -1: the fourth and the last row of the summary), or a part of a name or a type.

    \b
    Examples:
      layerexplain explain model.keras
      layerexplain explain model.keras lstm 'dense*'
      layerexplain explain model.keras Conv2D -1
      layerexplain explain model.keras dense --full
      layerexplain explain model.keras dense --only shape,weights
      layerexplain explain model.keras lstm --vs lstm_1
      layerexplain explain model.keras --data X=100,9 --data y=100,1
      layerexplain explain old.h5 dense --vs new.keras dense
      layerexplain explain model.keras 'dense*' --gradient
      layerexplain explain spec.yaml --format markdown --output explained.md
      layerexplain explain spec.yaml --format latex --output explained.tex
      layerexplain explain https://host/model.keras conv2d_1
      layerexplain explain model.keras --training
      layerexplain explain model.keras --training --loss Huber delta=2 --optimizer SGD momentum=0.9
    """
    options.columns_must_fit(columns, output)
    if (second := options.versus()) is not None:
        return _compare((source, *patterns), second, output, inputs, code)
    given = given_training(training, "--training")
    if training and patterns:
        raise click.UsageError("--training explains a step of the whole model; leave out the names of layers")
    typed = [pattern.strip() for pattern in patterns]
    sources = library.each_model(source) if patterns else options.models_of(click.get_current_context(), source)
    wanted = LayerPatterns(typed, len(sources))
    inputs = where_they_fit(inputs, sources)

    def ask(item: str) -> _Chosen | Outcome:
        chosen: set[str] = set()

        def shapes(model: Model) -> InputShapes:
            rows = [LayerCandidate(path, layer.name, layer.type) for path, layer in layers_in(model)]
            each = [found(pattern, rows) for pattern in typed]
            # Layers that only a file's weights tell of are not among those of the model.
            chosen.update(path for paths in each if all(each) for path in paths)
            return inputs(model)

        content = library.piped(item)
        report = api.explain(
            content,
            inputs=shapes,
            gradient=gradient,
            layers=lambda path: not chosen or path in chosen,
            training=given if training else False,
            backward=gradient or training,
            code=code,
            partial=True,
        )
        arrays = len(report.inputs) + len(report.outputs)
        misfits, notes = _of_data(library.piped(item), inputs, code, data, arrays) if data else ([], [])
        report = report._replace(notes=(*report.notes, *notes))
        faults = [*report.faults, *misfits]
        if not patterns:
            is_read = output.format in _READ and not training
            # Of an error that was pasted without its code there is nothing else to explain.
            is_answer = is_read and not report.layers
            wrong = _mistakes(content, inputs, code, () if is_answer else faults) if is_read else ()
            report = _once(report, faults)
            asked = _asked(content, report, inputs, code) if is_read else []
            tour = _Chosen(report, [row.layer for row in layers_of(report, nested)], wrong, asked)
            return Outcome(tour, ()) if is_answer and wrong else reading.with_faults(tour, faults)
        layers, missing = wanted.matched_in(report)
        return reading.with_faults(_Chosen(report, layers), [*faults, *missing])

    def sheet(chosen: _Chosen) -> Sheet | None:
        if training:
            return training_sheet(chosen.report, columns, nested)
        if not patterns:
            first = [*answers(chosen.asked), *mistakes(chosen.wrong)]
            return explanation(chosen.report, chosen.layers, columns=columns, nested=nested, asked=parts, first=first)
        if not chosen.layers:
            return None
        # What a pattern chose is listed flat: with the layers inside it, those would stand there twice.
        return explanation(chosen.report, chosen.layers, whole=False, columns=columns, asked=parts)

    reading.print_each(output, sources, ask, sheet)


_READ = ("table", "markdown", "latex", "html")
"""Forms that people read, which begin with what is wrong."""


_MOST_OTHERS = 4
"""Models beside the main one in which the answer to a question is looked for."""


def _asked(source: Any, report: Report, inputs: InputShapesOf, code: tuple[str, ...]) -> list[str]:
    """Return the answers to the numbers that a question asks about, in the main model and in the others."""
    text = library.pasted_text(source)
    lines: list[str] = [*library.asked_of_memory(text, report), *library.asked_numbers(text, report)]
    if not text or not any(note.code == "others" for note in report.notes):
        return lines
    others = [item for item in library.each_model(source) if item.request != report.model_name]
    for item in others[:_MOST_OTHERS]:
        with suppress(LayerExplainError):
            other = api.explain(item, inputs=inputs, code=code, partial=True)
            lines += library.asked_of_model(text, item.request, other)
    return lines


def _mistakes(
    source: Any, inputs: InputShapesOf, code: tuple[str, ...], faults: Sequence[LayerExplainError]
) -> list[Any]:
    """Return what `check` calls breaking or wrong, and what else of it a question asks about, but for the faults, which
    stand on stderr."""
    stated = [fault.fact for fault in faults]
    try:
        report = api.check(source, inputs=inputs, code=code)
    except LayerExplainError:  # which the report has
        return []
    asked = library.asked_rules(library.pasted_text(source), {finding.code for finding in report})
    sure = [finding for finding in report if finding.severity in ("breaks", "wrong") and finding.confidence != "hint"]
    severe = [*sure, *[finding for finding in report if finding.code in asked and finding not in sure]]
    return [
        finding for finding in severe if not any(fact in finding.message or finding.message in fact for fact in stated)
    ]


def _once(report: Report, faults: Sequence[LayerExplainError]) -> Report:
    """Return a report without the notes that say what stands on stderr."""
    facts = tuple([fault.fact for fault in faults])

    def without(layer: LayerReport) -> LayerReport:
        notes = tuple([note for note in layer.notes if not note.startswith(facts)])
        return layer if notes == layer.notes else layer._replace(notes=notes)

    if not facts:
        return report
    notes = tuple([note for note in report.notes if not any(fact in note.message for fact in facts)])
    return report._replace(layers=tuple(map(without, report.layers)), notes=notes)


def _of_data(
    source: Any, inputs: InputShapesOf, code: tuple[str, ...], data: dict[str, Any], arrays: int
) -> tuple[list[LayerExplainError], list[Note]]:
    """Return what fit() refuses of data, as errors; and notes on what else is wrong with them, or that they fit.
    `arrays` is how many the model takes."""
    rules = [rule.code for rule in library.all_rules() if rule.of == "data"]
    report = api.check(source, inputs=inputs, code=code, data=data, select=rules)
    refused = [
        LayerExplainError(finding.message, source=report.source) for finding in report if finding.severity == "breaks"
    ]
    notes = [Note(finding.code, None, finding.message) for finding in report if finding.severity != "breaks"]
    given = " and ".join(
        [f"{name} {shape_text(value) if isinstance(value, tuple) else value}" for name, value in data.items()]
    )
    notes += [note for note in report.notes if note.code == "unknown-fit"]
    fits = f"the data fit: fit() takes {given}" if len(data) == arrays else f"of the data of fit(), {given} fits"
    return refused, notes if notes or report else [Note("data", None, fits)]


def _compare(
    first: Sequence[str], second: Sequence[str], output: options.Output, inputs: InputShapesOf, code: tuple[str, ...]
) -> None:
    """Put two layers side by side, each given as a source and a layer; the second may leave out the source."""
    from layerexplain.render.documents.side_by_side import side_by_side

    if len(first) != 2 or len(second) not in (1, 2):
        raise click.UsageError(f"{options.VERSUS} compares two layers: MODEL LAYER {options.VERSUS} [MODEL] LAYER")
    other = first[0] if len(second) == 1 else options.other_source(second[0])
    sides = []
    for source, pattern in (first, (other, second[-1])):
        report = api.explain(source, layers=pattern, inputs=inputs, code=code, partial=True)
        chosen = [row.layer for row in layers_of(report, nested=True) if row.layer.explanation is not None]
        if len(chosen) != 1:
            names = ", ".join(row.path for row in chosen)
            raise click.UsageError(f"{options.VERSUS} compares two layers, but '{clean(pattern)}' means {names}")
        sides.append(report._replace(layers=tuple(chosen)))
    left, right = sides
    item, two = left.layers[0].path, right.layers[0].path
    titles = (item, two) if item != two else (f"{item} of {left.source}", f"{two} of {right.source}")
    sheets = side_by_side(left, right, titles)
    emit(output, lambda look: printed(sheets(output.format), output.format, look, several=True))


class _Chosen(NamedTuple):
    """A report, its layers that are to be explained, what is wrong with the model, and the numbers asked about."""

    report: Report
    layers: Sequence[LayerReport]
    wrong: Sequence[Any] = ()
    asked: Sequence[str] = ()


class LayerPatterns:
    """The patterns that were typed. Whether one matches nothing is known after all models of the source; where one of
    these could not be read it never is."""

    def __init__(self, patterns: Sequence[str], models: int) -> None:
        self._patterns, self._models = patterns, models
        self._unmatched = list(patterns)
        self._known: list[str] = []
        self._seen = 0

    def matched_in(self, report: Report) -> tuple[tuple[LayerReport, ...], list[LayerExplainError]]:
        """Return the layers of one more model, however deep, that a pattern matches, in the report's order; with the
        last one an error for each pattern that none of all the models matched."""
        every = [row.layer for row in layers_of(report, nested=True)]
        rows = [LayerCandidate(layer.path, layer.layer, layer.type) for layer in every]
        each = {pattern: found(pattern, rows) for pattern in self._patterns}
        chosen = {path for paths in each.values() for path in paths}
        self._seen += 1
        self._known += [name for layer in every for name in (layer.layer, layer.path)]
        self._unmatched = [pattern for pattern in self._unmatched if not each[pattern]]
        missing = self._unmatched if self._seen == self._models else []
        errors = [no_match(pattern, self._known, self._models).with_place(source=report.source) for pattern in missing]
        return tuple([layer for layer in every if layer.path in chosen]), errors
