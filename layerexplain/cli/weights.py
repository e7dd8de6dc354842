"""`layerexplain weights`: lists every weight tensor, its place in the file and how to reach it in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.options import (
    SOURCES,
    Output,
    code_option,
    columns_must_fit,
    columns_option,
    input_option,
    jobs_option,
    output_options,
    renamed_option,
)
from layerexplain.cli.output import progress
from layerexplain.cli.source_arguments import where_they_fit
from layerexplain.cli.sources import jobs_for
from layerexplain.errors import LayerExplainError
from layerexplain.model import InputShapesOf
from layerexplain.render.documents.weights import COLUMNS, weights

if TYPE_CHECKING:
    from layerexplain.api import WeightTable


@click.command(
    "weights", short_help="List every weight tensor: path, shape, dtype, count, and how to reach it in Python."
)
@SOURCES
@output_options
@columns_option(COLUMNS)
@click.option(
    "--stats", is_flag=True, help="Read the values and print min, mean, max, standard deviation, zeros and NaNs."
)
@renamed_option(
    "--state",
    formerly=["--optimizer"],
    is_flag=True,
    help="Also list stored state that is not a weight: optimizer, random generators, metrics. It is never counted.",
)
@input_option
@code_option
@jobs_option
def command(
    sources: tuple[str, ...],
    output: Output,
    columns: tuple[str, ...] | None,
    stats: bool,
    state: bool,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    jobs: int | None,
) -> None:
    """List every weight tensor: path, layer, name, shape, dtype, count, bytes, and how to reach it in Python.

    SOURCE is a Keras file (.keras, .h5), a file that contains only weights (.weights.h5, legacy weights, the index of
    sharded weights), or - for standard input. For a config or spec, which stores no weights, the list is derived from
    its layers. Values are read only for --stats, one tensor at a time. A table omits path and bytes unless --columns
    names them; all other formats include them.

    \b
    Examples:
      layerexplain weights model.keras
      layerexplain weights model.weights.h5 --stats
      layerexplain weights https://host/model.keras
      layerexplain weights model.keras --format csv --columns path,layer,name,count,reach
      layerexplain weights model.h5 --format json | jq .totals.params
    """  # fmt: skip
    columns_must_fit(columns, output)
    count = jobs_for(jobs, sources)
    reading.print_each(
        output,
        sources,
        partial(_table_of, stats=stats, inputs=where_they_fit(inputs, sources), code=code, silent=count > 1),
        lambda table: weights(table, columns, state, len(sources) > 1),
        jobs=count,
    )


def _table_of(source: str, stats: bool, inputs: InputShapesOf, code: tuple[str, ...], silent: bool) -> WeightTable:
    """Return the table of a source; standard input is kept in a file of its own while it is read. `quiet` tells of no
    progress: several processes have but one line."""
    name = reading.name_of(source)
    with ExitStack() as stack:
        tell = stack.enter_context(progress(name, "tensors read", silent))
        is_readable = source != "-" or hasattr(source, "content")  # code
        path = source if is_readable else stack.enter_context(_file_of_standard_input())
        try:
            table = api.list_weights(path, stats=stats, inputs=inputs, code=code, progress=tell)
        except LayerExplainError as error:
            error.source = name if source == "-" else error.source
            raise
        return table._replace(source=name)


@contextmanager
def _file_of_standard_input() -> Iterator[str]:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(prefix="layerexplain-") as copy:
        library.copy_standard_input(copy)
        copy.flush()
        yield copy.name
