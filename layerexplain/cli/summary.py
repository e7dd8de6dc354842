"""`layerexplain summary`: a row a layer, totals below."""

from __future__ import annotations

import click

from layerexplain.cli import sources as reading
from layerexplain.cli.input_shapes import InputShape
from layerexplain.cli.options import (
    Output,
    columns_must_fit,
    columns_option,
    input_option,
    memory_must_fit,
    memory_options,
    nested_option,
    output_options,
)
from layerexplain.cli.output import emit
from layerexplain.render.columns import RECEPTIVE_COLUMNS
from layerexplain.render.documents import Wanted, summary_text


@click.command("summary", short_help="A row a layer: operation, shapes, parameters; totals below.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@output_options
@columns_option
@nested_option
@input_option
@memory_options
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[str, ...],
    output: Output,
    columns: tuple[str, ...] | None,
    nested: bool,
    inputs: tuple[InputShape, ...],
    batch: int | None,
    optimizer: str | None,
) -> None:
    """A row a layer: name and type, operation, input and output shape, parameters; totals below.

    SOURCE is a Keras file (.keras, .h5, config JSON), a YAML spec, or - for standard input.

    \b
    Examples:
      layerexplain summary model.keras
      layerexplain summary model.keras --nested --columns layer,output_shapes,params,macs
      layerexplain summary spec.yaml --input 224,224,3 --format csv --output layers.csv
      layerexplain summary model.json --format json | jq .totals
      layerexplain summary model.keras --batch 32 --optimizer adam
      layerexplain summary model.keras --columns layer,type,receptive_field,receptive_stride
    """
    columns_must_fit(columns, output)
    memory_must_fit(batch, optimizer, output)
    reach = columns is not None and not RECEPTIVE_COLUMNS.isdisjoint(columns)
    reports, fine = reading.of_each(
        sources,
        lambda source: reading.report_of(source, inputs, receptive_field=reach, batch=batch, optimizer=optimizer),
    )
    if reports:
        wanted = Wanted(output.format, columns, nested, several=len(sources) > 1)
        emit(output, lambda look: summary_text(reports, wanted, look))
    if not fine:
        ctx.exit(1)
