"""`layerexplain summary`: one row per layer, then totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Any

import click

from layerexplain import api
from layerexplain.api import Report
from layerexplain.cli import options
from layerexplain.cli import sources as reading
from layerexplain.cli.output import emit_pieces, encoding_of, look_of, printable
from layerexplain.cli.source_arguments import where_they_fit
from layerexplain.cli.sources import Outcome, jobs_for
from layerexplain.model import InputShapesOf
from layerexplain.render.documents.layer_columns import RECEPTIVE_COLUMNS, TRAINING_COLUMNS, data_columns
from layerexplain.render.documents.summary import summary
from layerexplain.render.formats import Sheet, joined, pieces
from layerexplain.render.layout import Look


@click.command("summary", short_help="Print one row per layer: operation, shapes, parameters; then totals.")
@options.SOURCES
@options.model_output_options
@options.columns_option()
@options.nested_option
@options.input_option
@options.code_option
@options.memory_options
@options.serving_options
@click.option(
    "--training",
    is_flag=True,
    help="Include the cost of a training step: the backward pass, the whole step, what freezing saves, and what is "
    "saved of the forward pass.",
)
@options.jobs_option
@click.option("--list", "listing", is_flag=True, help="Print only the names of the models in each SOURCE.")
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[str, ...],
    output: options.Output,
    columns: tuple[str, ...] | None,
    nested: bool,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    batch: int | None,
    optimizer: str | None,
    dtype: str | None,
    weights_dtype: str | None,
    hardware: str | None,
    training: bool,
    jobs: int | None,
    listing: bool,
) -> None:
    """Print one row per layer: name, type, operation, input and output shape, parameters; then totals.

    SOURCE is a Keras file (.keras, .h5, config JSON), a YAML spec, the configuration of a language model (config.json,
    or its folder), Python code or a notebook, which is read and never run (train.py, or one of its models:
    train.py:encoder, 'train.py:build(classes=10)'), a URL of one of these, a place in a zip archive
    (models.zip::model.keras), a glob, or - for standard input.

    \b
    Examples:
      layerexplain summary model.keras
      layerexplain summary model.keras --nested --columns layer,output_shapes,params,macs
      layerexplain summary spec.yaml --input 224,224,3 --format csv --output layers.csv
      layerexplain summary model.json --format json | jq .totals
      layerexplain summary model.keras --batch 32 --optimizer adam
      layerexplain summary model.keras --training
      layerexplain summary config.json --input tokens=4096 --dtype bf16 --hardware "80GB, 2.0TB/s, 990TFLOP/s"
      layerexplain summary model.keras --columns layer,type,receptive_field,receptive_stride
      layerexplain summary models/*.keras --format csv --jobs 4
      layerexplain summary https://host/model.keras s3://bucket/model.h5
      layerexplain summary --recursive models/ --format csv
      layerexplain summary model.keras --format mermaid
      layerexplain summary train.py --set filters=64 --columns layer,output_shapes,params,place
    """
    options.columns_must_fit(columns, output)
    options.memory_must_fit(batch, optimizer, output)
    if listing:
        return reading.list_models(sources)
    several, shown = len(sources) > 1, columns or ()
    explain = partial(
        api.explain,
        inputs=where_they_fit(inputs, sources),
        detail=False,
        receptive_field=not RECEPTIVE_COLUMNS.isdisjoint(shown),
        backward=training or not TRAINING_COLUMNS.isdisjoint(shown),
        batch=batch,
        optimizer=optimizer,
        dtype=dtype,
        weights_dtype=weights_dtype,
        hardware=hardware,
        code=code,
        partial=True,
    )
    sheet_of = partial(summary, columns=columns, nested=nested, several=several)
    count = jobs_for(jobs, sources)
    ask = partial(_text_of if count == 1 else _whole, explain, sheet_of, output.format, look_of(output))
    answers = reading.Answers(sources, partial(ask, encoding_of(output)), count)
    with closing(iter(answers)) as reports:
        emit_pieces(output, joined(reports, output.format, data_columns(columns, nested, several), several))
    if not answers.fine:
        ctx.exit(1)


def _text_of(
    explain: Callable[[str], Report],
    sheet_of: Callable[[Report], Sheet],
    format: str,
    look: Look,
    encoding: str,
    source: str,
) -> Iterable[str] | Outcome:
    """Return a source's part of the summary, with what is at fault with some of its layers."""
    report = explain(source)
    sheet = sheet_of(report)
    text = printable(lambda asked: pieces(sheet, format, asked), look, encoding)
    return reading.with_faults(text, report.faults)


def _whole(*asked: Any) -> list[str] | Outcome:
    """Return the same in one piece, for the way from one process to another."""
    result = _text_of(*asked)
    if isinstance(result, Outcome):
        return result._replace(value=["".join(result.value)])
    return ["".join(result)]
