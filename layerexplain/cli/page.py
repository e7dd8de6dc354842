"""`layerexplain page`: a model as a page to look at."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.amounts import bytes_in
from layerexplain.cli.failures import note
from layerexplain.cli.input_shapes import InputShape, inputs_of, parse_input
from layerexplain.cli.options import SOURCE, code_option, fold_option, gradient_option
from layerexplain.cli.output import write_picture
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import InputShapesOf


def _inputs(ctx: click.Context, parameter: click.Parameter, typed: tuple[str, ...]) -> tuple[InputShapesOf, list[str]]:
    """The shapes and the values among what was typed: `28,28,1` is a shape, `image.npy` and `random` are values."""
    shapes: list[InputShape] = []
    values: list[str] = []
    for text in typed:
        try:
            shapes.append(parse_input(text))
        except click.BadParameter:
            values.append(text)
    return partial(inputs_of, typed=shapes), values


@click.command("page", short_help="Make a page of a model: its graph, each layer explained; one HTML file.")
@SOURCE
@click.option(
    "-o", "--output", metavar="FILE", default="-", type=click.Path(allow_dash=True),
    help="Where to write the HTML. Default: standard output.",
)  # fmt: skip
@fold_option
@gradient_option
@click.option(
    "--input", "inputs", metavar="[NAME=]WHAT", multiple=True, callback=_inputs,
    help="The values of an input, with which the formulas are run: a file FILE.npy, FILE.npz or FILE.png, zeros, ones "
    "or random[:SEED]. Or its shape, without the batch: 224,224,3 or tokens=128. Repeatable.",
)  # fmt: skip
@click.option(
    "--values", metavar="LAYER", multiple=True,
    help="With values: a layer whose numbers are in the file, as a name or a pattern ('conv*'). Repeatable. "
    "Default: all, as far as --max-values goes.",
)  # fmt: skip
@click.option(
    "--max-values", metavar="SIZE", callback=bytes_in("mb", "megabytes (8), or a number with its unit: 500kB, 8MB"),
    help="With values: how much the numbers in the file may take: megabytes (8), or with a unit (500kB). What does not "
    "fit is left out, and the page says so. Default: 8.",
)  # fmt: skip
@code_option
def command(
    source: str,
    output: str,
    fold: bool,
    gradient: bool,
    inputs: tuple[InputShapesOf, list[str]],
    values: tuple[str, ...],
    max_values: int | None,
    code: tuple[str, ...],
) -> None:
    """Make a page of SOURCE to look at in a browser: the graph, in which boxes open; for each layer its formula, what
    one element reads, the reasons for its shape and its weights, cost, training and notes; and a search.

    With values for its inputs the formulas are run, as `trace` runs them: cells show numbers, the chosen element its
    sum of products, and the outputs of layers are pictures.

    It is one file, which works offline: nothing is fetched, and no code of SOURCE is run.

    \b
    Examples:
      layerexplain page model.keras -o model.html
      layerexplain page train.py --gradient -o model.html
      layerexplain page model.keras --input image.png --values 'conv1*' -o model.html
    """
    shapes, given = inputs
    if not given and (values or max_values is not None):
        raise click.UsageError("--values and --max-values need the values of an input, as in --input random")
    content = library.piped(source)
    asked: dict[str, Any] = {"gradient": gradient, "inputs": shapes, "code": code}
    failure = None
    if given:
        try:
            of_run = {**values_of_run(content, source, shapes, given, values, code), "max_values": max_values}
            made = api.page(content, fold=fold, **asked, **of_run)
            return write_picture(output, made)
        except LayerExplainError as error:
            failure = error
    report = api.explain(content, **asked, partial=True)
    if failure is not None:
        if not report.faults:
            raise failure
        note("the page has no values, as a model with errors cannot be run")
    write_picture(output, api.page(report, fold=fold), report.faults)


def values_of_run(
    content: Any,
    source: str,
    shapes: InputShapesOf,
    given: list[str],
    patterns: tuple[str, ...],
    code: tuple[str, ...],
) -> dict[str, Any]:
    """What a page is asked for the values of a run: those of the inputs, and which layers have theirs."""
    model = api.read(content, code)._replace(source=reading.name_of(source))
    try:
        arrays = api.make_inputs(model, given, sizes=shapes)
    except ArgumentError as error:
        # Here shapes are given as values are.
        raise ArgumentError(error.fact.replace("--size ", "--input ")) from None
    return {"values": arrays, "layers": patterns or None}
