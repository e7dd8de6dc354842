"""`layerexplain draw`: the graph of a model as a picture."""

from __future__ import annotations

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.options import SOURCE, code_option, fold_option, input_option, renamed_option
from layerexplain.cli.output import write_picture
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import InputShapesOf
from layerexplain.render.graph.diagram import SHOWN
from layerexplain.render.graph.forms import FORMS, THEMES, must_be_shown


def _shown(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the names of the parts that boxes show, which were typed with commas between them."""
    names = tuple([name.strip() for name in value.split(",") if name.strip()])
    try:
        must_be_shown(names)
    except ArgumentError as error:
        raise click.BadParameter(error.fact, ctx, parameter) from None
    return names


@click.command("draw", short_help="Draw a model as a picture: SVG, PNG, PDF, DOT or Mermaid.")
@SOURCE
@click.option(
    "-o", "--output", metavar="FILE", default="-", type=click.Path(allow_dash=True),
    help="Where to write; the extension selects the format. Default: standard output.",
)  # fmt: skip
@renamed_option(
    "-f", "--format", "form", formerly=["--to"], type=click.Choice(FORMS),
    help="The format, if FILE's extension does not say it.",
)  # fmt: skip
@fold_option
@click.option(
    "--depth", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="Open repeated blocks and nested models down to this depth.",
)  # fmt: skip
@click.option(
    "--show", callback=_shown, default="type,shapes,params", show_default=True, metavar="NAMES",
    help=f"What a box shows besides the layer's name: {', '.join(SHOWN)}.",
)  # fmt: skip
@click.option("--theme", type=click.Choice(THEMES), default="light", show_default=True, help="The colours.")
@click.option("--horizontal", is_flag=True, help="Draw from left to right.")
@input_option
@code_option
def command(
    source: str,
    output: str,
    form: str | None,
    fold: bool,
    depth: int,
    show: tuple[str, ...],
    theme: str,
    horizontal: bool,
    inputs: InputShapesOf,
    code: tuple[str, ...],
) -> None:
    """Draw the graph of SOURCE: a box for each layer, a line for each tensor with its shape.

    Repeated blocks are drawn once. SVG, DOT and Mermaid need nothing else; PNG and PDF need
    `pip install '.[draw]'` in a clone.

    \b
    Examples:
      layerexplain draw model.keras -o model.svg
      layerexplain draw model.keras -o model.svg --depth 1 --theme dark
      layerexplain draw spec.yaml --show type,formulas --horizontal > model.svg
      layerexplain draw train.py --format dot | dot -Tpdf > model.pdf
    """
    form = form or (output.rpartition(".")[2].lower() if output != "-" else "svg")
    if form not in FORMS:
        raise LayerExplainError(
            f"{output}: its extension needs to be {', '.join(FORMS)}; or give the format with --format"
        )
    report = api.explain(library.piped(source), inputs=inputs, detail=False, code=code, partial=True)
    drawn = api.draw(report, form, fold=fold, depth=depth, show=show, theme=theme, horizontal=horizontal)
    write_picture(output, drawn, report.faults)
