"""`layerexplain diff`: what differs between two models, and what follows from it."""

from __future__ import annotations

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import tell_lines
from layerexplain.cli.options import (
    Output,
    code_option,
    input_option,
    output_options,
    reach_options,
    renamed_option,
    set_option,
    source_argument,
)
from layerexplain.cli.output import emit, fetching
from layerexplain.errors import LayerExplainError, lines_of
from layerexplain.model import InputShapesOf
from layerexplain.render.documents.comparison import comparison
from layerexplain.render.formats import printed


@click.command("diff", short_help="Compare two models, layer by layer, whatever their formats.")
@set_option
@reach_options
@source_argument("before")
@source_argument("after")
@output_options
@input_option
@code_option
@renamed_option(
    "--weight-values", "weights", formerly=["--weights"], is_flag=True, help="Also compare the values of the weights."
)
@click.pass_context
def command(
    ctx: click.Context,
    before: str,
    after: str,
    output: Output,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    weights: bool,
) -> None:
    """Report which layers differ between BEFORE and AFTER, and how that changes shapes, parameters and weights.

    The two may be of different formats and Keras versions. Layers are aligned by name, then by what they compute and
    where they stand; the numbers in automatic names, such as conv2d_7, may differ. Arguments (with defaults filled in),
    dtypes, inputs, outputs and training settings are compared; differences that affect only training are marked. The
    exit code is 0 if nothing that is compared differs, 1 if something does, 2 if one of them cannot be read. Lines of
    code that differ and show in nothing that is compared are printed. /dev/null stands for no
    model: git passes it for a new or a removed file.

    \b
    Examples:
      layerexplain diff old.h5 new.keras
      layerexplain diff epoch_1.keras epoch_2.keras --weight-values
      layerexplain diff main.yaml branch.yaml --format markdown
      layerexplain diff model.keras s3://bucket/model.keras
    """
    try:
        with fetching(before, after):
            result = api.diff(library.piped(before), library.piped(after), inputs=inputs, code=code, weights=weights)
    except LayerExplainError as error:
        tell_lines(lines_of(error))
        ctx.exit(2)
    emit(output, lambda look: printed([comparison(result)], output.format, look))
    ctx.exit(0 if result.alike else 1)
