"""`layerexplain page`: a model as a page to look at."""

from __future__ import annotations

from functools import partial

import click

from layerexplain import api
from layerexplain.cli.input_shapes import InputShape, inputs_of
from layerexplain.cli.options import SOURCE, code_option, gradient_option, input_option


@click.command("page", short_help="Make a page of a model: its graph, each layer explained; one HTML file.")
@SOURCE
@click.option(
    "-o", "--output", metavar="FILE", default="-", type=click.Path(allow_dash=True),
    help="Where to write the HTML. Default: standard output.",
)  # fmt: skip
@click.option(
    "--fold/--no-fold", default=True, show_default=True,
    help="Draw once what repeats, as one box, and one box for layers that a common beginning of their names joins.",
)  # fmt: skip
@gradient_option
@input_option
@code_option
def command(
    source: str, output: str, fold: bool, gradient: bool, inputs: tuple[InputShape, ...], code: tuple[str, ...]
) -> None:
    """Make a page of SOURCE to look at in a browser: the graph, in which boxes open; for each layer its formula, the
    reasons for its shape and its weights, cost, training and notes; and a search.

    It is one file, which works offline: nothing is fetched, and nothing of SOURCE is run.

    \b
    Examples:
      layerexplain page model.keras -o model.html
      layerexplain page train.py --gradient -o model.html
    """
    made = api.page(api.piped(source), fold=fold, gradient=gradient, inputs=partial(inputs_of, typed=inputs), code=code)
    if output == "-":
        click.echo(made, nl=False)
        return
    from layerexplain.replacing import replacing, writing

    with replacing(output) as file, writing(output):
        file.write(made.encode("utf-8"))
