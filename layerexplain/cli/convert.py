"""`layerexplain convert`: a model in another form."""

from __future__ import annotations

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import note
from layerexplain.cli.options import SOURCE, code_option, input_option, renamed_option
from layerexplain.cli.output import fetching, tell_written
from layerexplain.model import InputShapesOf

FORMS = ("keras", "py", "yaml", "json")


@click.command("convert", short_help="Write a model in another format: Keras 3's .keras, Keras code, YAML or JSON.")
@SOURCE
@click.argument("target", metavar="TARGET", type=click.Path(allow_dash=True))
@input_option
@code_option
@renamed_option(
    "-f", "--format", "form", formerly=["--to"], type=click.Choice(FORMS),
    help="The format to write, if TARGET's extension does not say it.",
)  # fmt: skip
@click.option(
    "--weights", type=click.Path(), metavar="FILE", help="For .keras: a weights file, if SOURCE stores no weights.",
)  # fmt: skip
@click.option(
    "--backend", type=click.Choice(["tensorflow", "theano"]),
    help="For .keras: the backend that a Keras 1 model ran on, which its file does not store.",
)  # fmt: skip
@renamed_option("--overwrite", formerly=["--force"], is_flag=True, help="Replace TARGET if it exists.")
def command(
    source: str,
    target: str,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    form: str | None,
    weights: str | None,
    backend: str | None,
    overwrite: bool,
) -> None:
    """Write SOURCE to TARGET in the format that TARGET's extension names.

    \b
      .keras  the file of Keras 3, with SOURCE's weights; needs TensorFlow. Before it is written, the outputs of the
              new model are compared with SOURCE's formulas run on SOURCE's weights.
      .py     Keras 3 code that builds the same model
      .yaml   a spec, which layerexplain reads back as the same model
      .json   the configuration that keras.models.model_from_json takes

    If something cannot be converted, an error names it and nothing is written. TARGET - is standard output, with
    --format.

    \b
    Examples:
      layerexplain convert old_model.h5 model.keras
      layerexplain convert model.json model.keras --weights weights.h5
      layerexplain convert model.keras model.py
      layerexplain convert model.keras - --format yaml
      layerexplain convert s3://bucket/old_model.h5 model.keras
      layerexplain convert spec.yaml model.json --overwrite
    """
    with fetching(source):
        said = api.convert(
            library.piped(source), target, to=form, force=overwrite, inputs=inputs,
            code=code, weights=weights, backend=backend,
        )  # fmt: skip
    if target == "-":
        click.echo(said.text, nl=False)
    else:
        tell_written(target)
    for words in said.notes:
        note(words)
