"""`layerexplain catalogue`: a table of many models."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from math import ceil
from typing import IO, TYPE_CHECKING

import click

from layerexplain import api
from layerexplain.cli import options
from layerexplain.cli.failures import clean, note
from layerexplain.cli.output import wipe, write_over
from layerexplain.cli.source_arguments import reach_of
from layerexplain.cli.sources import collect_for_many
from layerexplain.errors import SourceError
from layerexplain.render.quantities import not_models, plural
from layerexplain.sources.regular_file import refuse_device

if TYPE_CHECKING:
    from layerexplain.api import Catalogued, CatalogueProgress


@click.command("catalogue", short_help="Write a table of many models: one row per model, one row per layer.")
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=click.Path())
@options.renamed_option(
    "-o", "--output", "to", formerly=["--to"], metavar="TABLE", required=True, type=click.Path(),
    help="The table to write: zoo.parquet (a directory, needs pyarrow), zoo.jsonl or zoo.csv. Layers get a table "
    "beside it: zoo.layers.parquet, and so on.",
)  # fmt: skip
@click.option(
    "--recursive", "-r", is_flag=True, help="Search directories; files that are not models are skipped and counted."
)
@click.option(
    "--from-file", "lists", metavar="FILE", multiple=True, type=click.Path(allow_dash=True),
    help="A file that lists sources, one per line or separated by NUL (find -print0); - is standard input. Repeatable.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True,
    help="Continue an earlier run: read only what is missing or has changed (size, time, ETag).",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Overwrite an existing table.")
@options.number_option("--jobs", 1, 256, short="-j", help="Read with N processes. Default: one per processor.")
@click.option(
    "--dask", metavar="ADDRESS", help="Read on the Dask cluster with this scheduler; local starts one on this machine."
)
@options.code_option
@options.reach_options
@click.option("--quiet", "-q", "is_silent", is_flag=True, help="No progress.")
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[str, ...],
    to: str,
    recursive: bool,
    lists: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    jobs: int | None,
    dask: str | None,
    code: tuple[str, ...],
    is_silent: bool,
) -> None:
    """Write a table of many models: one row per model, one row per layer.

    SOURCE is a model as for summary, a glob ('models/**/*.keras'), a URL, or with --recursive a directory. A source
    that cannot be read gets a row that says why. Ctrl-C keeps what is done; --resume continues.

    \b
    Examples:
      layerexplain catalogue --recursive models/ -o zoo.parquet
      layerexplain catalogue 's3://bucket/**/*.keras' -o zoo.parquet --resume
      find . -name '*.h5' -print0 | layerexplain catalogue --from-file - -o zoo.jsonl --jobs 8
      layerexplain catalogue -r models/ -o zoo.parquet --dask tcp://scheduler:8786
      duckdb -c "SELECT source, params FROM 'zoo.parquet/*.parquet' ORDER BY params DESC LIMIT 10"
    """
    if not sources and not lists:
        raise click.UsageError("give a SOURCE, or a list of them with --from-file")
    if "-" in sources:
        raise click.UsageError("'-' cannot be a SOURCE of a catalogue; --from-file - reads names from standard input")
    if resume and overwrite:
        raise click.UsageError("--resume continues a table and --overwrite replaces it; give one of the two")
    collect_for_many()
    shown = ProgressLine(to, is_silent)
    try:
        catalogued = api.catalogue(
            _each(sources, lists), to, recursive=recursive, resume=resume, overwrite=overwrite, jobs=jobs, dask=dask,
            code=code, reach=reach_of(ctx), progress=shown.tell,
        )  # fmt: skip
    finally:
        shown.end()
    click.echo(_summary_line(catalogued), err=True)
    if catalogued.missing:
        note(f"{plural(catalogued.missing, 'source')} not read; --resume continues")
        ctx.exit(130)
    if catalogued.errors:
        ctx.exit(1)


def _summary_line(catalogued: Catalogued) -> str:
    models, layers = map(clean, catalogued.paths)
    parts = [f"{plural(catalogued.models - catalogued.errors, 'model')} in {models}, their layers in {layers}"]
    if catalogued.errors:
        parts.append(f"{plural(catalogued.errors, 'error')}: see the column 'error'")
    if catalogued.passed:
        parts.append(f"skipped {not_models(catalogued.passed)}")
    if catalogued.read != catalogued.models or not catalogued.read:
        parts.append(f"{plural(catalogued.read, 'source')} read now")
    return "; ".join(parts)


def _each(sources: Iterable[str], lists: Iterable[str]) -> Iterator[str]:
    """Yield the sources that are typed, and those that files list."""
    yield from sources
    for path in lists:
        try:
            if path == "-":
                yield from _names(sys.stdin.buffer)
                continue
            with open(path, "rb") as file:
                refuse_device(file, path)
                yield from _names(file)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}", source=path) from None
        except SourceError as error:
            raise error.with_place(source="<stdin>" if path == "-" else path) from None


_MOST_WITHOUT_NAME = 1 << 20
"""Bytes; a list of names has none so long."""


def _names(file: IO[bytes]) -> Iterator[str]:
    """Yield the names in a file, one a line, or with NUL between them."""
    import os

    rest, end, nameless = b"", b"\n", 0
    while piece := file.read(1 << 16):
        rest += piece
        end = b"\0" if b"\0" in piece else end
        *whole, rest = rest.split(end)
        results = [os.fsdecode(name) for line in whole if (name := line.rstrip(b"\r"))]
        nameless = 0 if results else nameless + len(piece)
        if nameless > _MOST_WITHOUT_NAME:
            raise SourceError(f"is not a list of sources: {nameless:,} bytes without a name")
        yield from results
    if rest:
        yield os.fsdecode(rest)


# Progress -----------------------------------------------------------------------------------------------------------

_LOG_SECONDS = 10
_SURE_SECONDS = 2
"""Before that, the start of the processes is most of the time, and says nothing of the time left."""


class ProgressLine:
    """Progress on standard error: a line that is written over on a terminal, a line every ten seconds in a log."""

    def __init__(self, name: str, is_silent: bool) -> None:
        self._name = clean(name)
        self._is_silent = is_silent
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else _LOG_SECONDS)
        self._shown = False

    def tell(self, now: CatalogueProgress) -> None:
        """Show how far it is, if it is time to."""
        if self._is_silent or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (0.2 if self._terminal else _LOG_SECONDS)
        words = progress_words(now)
        if self._terminal:
            write_over(self._name, words)
            self._shown = True
        else:
            sys.stderr.write(f"{self._name}: {words}\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            wipe()


def progress_words(now: CatalogueProgress) -> str:
    """Return how far a run is, in words.

    >>> from layerexplain.catalogues.run import CatalogueProgress
    >>> progress_words(CatalogueProgress(listed=5000, done=1200, to_do=4000, errors=3, seconds=2.4))
    '1,200 of 4,000 sources, 500 a second, 3 errors, 0:06 left'
    """
    if now.to_do is None:
        return f"{now.listed:,} sources listed"
    parts = [f"{now.done:,} of {plural(now.to_do, 'source')}"]
    rate = now.done / now.seconds if now.seconds > 0 else 0
    if rate:
        parts.append(f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second")
    if now.errors:
        parts.append(plural(now.errors, "error"))
    if rate and now.done < now.to_do and now.seconds >= _SURE_SECONDS:
        minutes, seconds = divmod(ceil((now.to_do - now.done) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        left = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        parts.append(f"{left} left")
    return ", ".join(parts)
