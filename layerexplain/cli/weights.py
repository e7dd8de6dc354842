"""`layerexplain weights`: every weight tensor, where it is in the file and how to reach it in Keras."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import click

from layerexplain.cli import sources as reading
from layerexplain.cli.complete import names_of
from layerexplain.cli.input_shapes import InputShape, inputs_of
from layerexplain.cli.options import Output, columns_must_fit, input_option, jobs_option, output_options
from layerexplain.cli.output import emit
from layerexplain.cli.workers import jobs_for
from layerexplain.errors import LayerExplainError
from layerexplain.model import Model, Shape
from layerexplain.render.documents.weights import COLUMNS, weights
from layerexplain.render.formats import printed
from layerexplain.report.weight_data import WeightTable
from layerexplain.suggest import did_you_mean, or_else

_STANDARD_INPUT = "<stdin>"


def _columns(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip().lower().replace("-", "_") for name in value.split(","))
    for name in names:
        if name not in COLUMNS:
            hint = or_else(did_you_mean(name, COLUMNS), f"the columns are {', '.join(COLUMNS)}")
            raise click.BadParameter(f"no column '{name}'; {hint}", ctx, parameter)
    return names


@click.command("weights", short_help="Every weight tensor: path, shape, dtype, count, and how to reach it in Keras.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@output_options
@click.option(
    "--columns",
    metavar="A,B,...",
    callback=_columns,
    shell_complete=names_of(COLUMNS),
    help=f"The columns of table, csv, tsv and markdown: {', '.join(COLUMNS)}.",
)
@click.option("--stats", is_flag=True, help="Read the values: min, mean, max, standard deviation, zeros, NaNs.")
@click.option(
    "--state",
    "--optimizer",
    "state",
    is_flag=True,
    help="List also what is stored and is no weight: optimizer, random generators, metrics. It is never counted.",
)
@input_option
@jobs_option
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[str, ...],
    output: Output,
    columns: tuple[str, ...] | None,
    stats: bool,
    state: bool,
    inputs: tuple[InputShape, ...],
    jobs: int | None,
) -> None:
    """Every weight tensor: path in the file, layer, name, shape, dtype, count, bytes, and how to reach it in Keras.

    SOURCE is a Keras file (.keras, .h5), a file of weights alone (.weights.h5, legacy weights, the index of sharded
    weights), or - for standard input. Of a config or spec, which stores none, the weights that its layers have.
    Values are read for --stats only, one tensor at a time. A table leaves path and bytes out unless --columns asks for
    them; all other formats have them.

    \b
    Examples:
      layerexplain weights model.keras
      layerexplain weights model.weights.h5 --stats
      layerexplain weights model.keras --format csv --columns path,layer,name,count,reach
      layerexplain weights model.h5 --format json | jq .totals.params
    """  # fmt: skip
    columns_must_fit(columns, output)
    count = jobs_for(jobs, sources)
    tables, fine = reading.of_each(sources, partial(_table_of, stats=stats, inputs=inputs, quiet=count > 1), count)
    if tables:
        several = len(sources) > 1
        sheets = [weights(table, columns, state, several) for table in tables]
        emit(output, lambda look: printed(sheets, output.format, look, several))
    if not fine:
        ctx.exit(1)


def _table_of(source: str, stats: bool, inputs: tuple[InputShape, ...], quiet: bool) -> WeightTable:
    """The table of a source; standard input is kept in a file of its own while it is read. `quiet` tells of no
    progress: several processes have but one line."""
    from layerexplain.report.weight_table import weight_table

    def shapes(model: Model) -> dict[str, Shape]:
        return inputs_of(model, inputs)

    with ExitStack() as stack:
        if source != "-":
            progress = None if quiet else _progress(source)
            return weight_table(source, stats=stats, inputs=shapes, progress=progress)
        import shutil
        from tempfile import NamedTemporaryFile

        copy = stack.enter_context(NamedTemporaryFile(prefix="layerexplain-"))
        shutil.copyfileobj(sys.stdin.buffer, copy, 1024 * 1024)
        copy.flush()
        try:
            progress = None if quiet else _progress(_STANDARD_INPUT)
            table = weight_table(copy.name, stats=stats, inputs=shapes, progress=progress)
            return table._replace(source=_STANDARD_INPUT)
        except LayerExplainError as error:
            error.source = _STANDARD_INPUT
            raise


def _progress(source: str) -> Callable[[int, int], None] | None:
    """Tells on a terminal how far reading is; no one else wants to know."""
    if not sys.stderr.isatty():
        return None
    from layerexplain.cli.failures import clean

    name = clean(source)[-40:]

    def tell(done: int, count: int) -> None:
        text = f"{name}: {done:,} of {count:,} tensors read" if done < count else ""
        # The line is written over by the next, and wiped in the end.
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return tell
