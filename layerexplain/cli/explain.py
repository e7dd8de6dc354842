"""`layerexplain explain`: explains all layers, or those whose names match."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from layerexplain.api import LayerReport, Report
from layerexplain.cli import sources as reading
from layerexplain.cli.complete import layer_names
from layerexplain.cli.failures import tell
from layerexplain.cli.input_shapes import InputShape
from layerexplain.cli.layer_names import matches, no_match, some_tail_matches
from layerexplain.cli.options import (
    Output,
    columns_must_fit,
    columns_option,
    input_option,
    nested_option,
    output_options,
)
from layerexplain.cli.output import emit
from layerexplain.cli.workers import Partly
from layerexplain.errors import LayerExplainError
from layerexplain.render.documents.explanation import explanation
from layerexplain.render.documents.layer_columns import layers_of
from layerexplain.render.formats import Sheet, printed


@click.command(
    "explain", short_help="Explain each layer: what it computes, and where its shape and parameters come from."
)
@click.argument("source", metavar="SOURCE", type=click.Path(allow_dash=True))
@click.argument("patterns", metavar="[LAYER]...", nargs=-1, shell_complete=layer_names)
@output_options
@columns_option()
@nested_option
@input_option
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    patterns: tuple[str, ...],
    output: Output,
    columns: tuple[str, ...] | None,
    nested: bool,
    inputs: tuple[InputShape, ...],
) -> None:
    """Explain all layers of SOURCE, or those whose names match a LAYER.

    For each layer: its formula and the functions in it, the formula of one output element, the reason for each axis of
    the shape, the count of every weight and how to reach it in Keras, cost, training and mask. Identical layers are
    explained once. LAYER is a name or a pattern ('conv*'); inside a nested model also a path ('encoder/dense').

    \b
    Examples:
      layerexplain explain model.keras
      layerexplain explain model.keras lstm 'dense*'
      layerexplain explain spec.yaml --format markdown --output explained.md
    """
    columns_must_fit(columns, output)
    only = None if not patterns else lambda path: any(some_tail_matches(pattern, path) for pattern in patterns)
    reports, fine = reading.of_each(
        [source],
        lambda one: _report_of(one, inputs, only),
    )
    sheets: list[Sheet] = []
    for report in reports:
        if not patterns:
            rows = [row.layer for row in layers_of(report, nested)]
            sheets.append(explanation(report, rows, columns=columns, nested=nested))
            continue
        layers, missing = choose(report, patterns)
        for error in missing:
            tell(error, report.source)
            fine = False
        if layers:
            # What a pattern chose is listed flat: with the layers inside it, those would stand there twice.
            sheets.append(explanation(report, layers, whole=False, columns=columns))
    if sheets:
        emit(output, lambda look: printed(sheets, output.format, look))
    if not fine:
        ctx.exit(1)


def _report_of(source: str, inputs: Sequence[InputShape], only: Callable[[str], bool] | None) -> Report | Partly:
    """A source's report, with the faults of its layers to print."""
    report = reading.report_of(source, inputs, detail=True, only=only)
    return reading.with_faults(report, report.faults)


def choose(report: Report, patterns: Sequence[str]) -> tuple[tuple[LayerReport, ...], list[LayerExplainError]]:
    """The layers, however deep, that a pattern matches, in the report's order; an error for each that matches none."""
    every = [row.layer for row in layers_of(report, nested=True)]
    layers = tuple(layer for layer in every if any(matches(pattern, layer.layer, layer.path) for pattern in patterns))
    missing = [
        no_match(pattern, [name for layer in every for name in (layer.layer, layer.path)])
        for pattern in patterns
        if not any(matches(pattern, layer.layer, layer.path) for layer in layers)
    ]
    return layers, missing
