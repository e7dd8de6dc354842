"""Printing a result to a terminal, a pipe or a file, and the line that says how far a long command is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import click

from layerexplain.cli.failures import clean, tell_lines
from layerexplain.cli.options import Output
from layerexplain.errors import LayerExplainError, lines_of
from layerexplain.render.layout import LEAST_WIDTH, Look

# Output -------------------------------------------------------------------------------------------------------------


def emit(output: Output, text_of: Callable[[Look], str]) -> None:
    """Render the result for where it goes, and writes it there. Raises LayerExplainError if that cannot be written."""
    emit_pieces(output, iter(printable(lambda look: [text_of(look)], look_of(output), encoding_of(output))))


def printable(pieces_of: Callable[[Look], Iterable[str]], look: Look, encoding: str) -> Iterable[str]:
    """Return what is rendered for a look; in ASCII where the encoding (an old code page) lacks a character of it."""
    pieces = pieces_of(look)
    if look.ascii or encoding.lower() in ("utf-8", "utf8"):
        return pieces
    text = "".join(pieces)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return pieces_of(look._replace(ascii=True))
    return [text]


def emit_pieces(output: Output, pieces: Iterator[str]) -> None:
    """Write a result piece by piece; nothing if there is none.

    A file gets all of it or nothing. Raises LayerExplainError if the file cannot be written.
    """
    first = next(pieces, None)
    if first is None:
        return
    every = chain([first], pieces)
    if output.file is not None:
        from layerexplain.files.replacing import replacing, writing

        _must_be_another(output.file)
        with replacing(output.file) as file, writing(output.file):
            file.writelines(piece.encode("utf-8") for piece in every)
        return tell_written(output.file)
    for piece in every:
        sys.stdout.write(piece)
    sys.stdout.flush()


def tell_written(path: str) -> None:
    """Say on stderr which file was written, and how large it is; nothing of a device."""
    if os.path.isfile(path):
        from layerexplain.render.quantities import bytes_text

        click.echo(f"layerexplain: wrote {clean(path)} ({bytes_text(os.path.getsize(path))})", err=True)


def _must_be_another(path: str) -> None:
    """Raise LayerExplainError where the file to write is one that the command reads."""
    from layerexplain.files.replacing import must_be_another

    context = click.get_current_context(silent=True)
    read = {} if context is None else {name: given for name, given in context.params.items() if "output" not in name}
    must_be_another(path, [item for some in read.values() for item in (some if isinstance(some, tuple) else (some,))])


def encoding_of(output: Output) -> str:
    """Return the encoding in which the result is written."""
    return "utf-8" if output.file is not None else sys.stdout.encoding or "ascii"


def look_of(output: Output) -> Look:
    """Return how text is to look where the result goes."""
    if output.file is not None:
        return Look(output.width, output.color == "always" and output.format == "table", output.ascii)
    if output.format != "table":
        return Look(None, False, output.ascii)
    terminal = sys.stdout.isatty()
    width = output.width
    if width is None and terminal:
        from shutil import get_terminal_size

        width = max(get_terminal_size((80, 24)).columns, LEAST_WIDTH)
    return Look(width, _wants_color(output.color, terminal), output.ascii)


def _wants_color(choice: str, terminal: bool) -> bool:
    """--color decides; without it NO_COLOR, then FORCE_COLOR (if not empty, and for the latter not 0)."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "") not in ("", "0"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def write_picture(path: str, picture: str | bytes, faults: Sequence[LayerExplainError] = ()) -> None:
    """Write a page or a picture to a file, or for `-` to standard output. With faults of what it shows the program
    tells of them and ends with 1."""
    if path == "-":
        click.echo(picture, nl=False)
    else:
        from layerexplain.files.replacing import replacing, writing

        _must_be_another(path)
        with replacing(path) as file, writing(path):
            file.write(picture.encode("utf-8") if isinstance(picture, str) else picture)
        tell_written(path)
    if faults:
        tell_lines([line for fault in faults for line in lines_of(fault)])
        click.get_current_context().exit(1)


# Progress -----------------------------------------------------------------------------------------------------------
# A line on a terminal that says how far a long command is.

_WIPE = "\r\x1b[K"
_MUCH = 2_000_000
_LONGEST_NAME, _SHORTEST_NAME = 30, 6


def write_over(name: str, words: str) -> None:
    """Write a line on the terminal in place of the one before. It is never as wide as the terminal, since only the last
    row of a line that wraps could be wiped: the name gives way first, then what is behind the last comma."""
    room = _columns() - 1
    left = min(room - len(words) - 2, _LONGEST_NAME)
    while len(words) > room and ", " in words:
        words = words.rpartition(", ")[0]
    start = f"{clean(name)[-left:]}: " if left >= _SHORTEST_NAME else ""
    sys.stderr.write(f"{_WIPE}{start}{words}"[: room + len(_WIPE)])
    sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def wipe() -> None:
    """Take the line away."""
    sys.stderr.write(_WIPE)
    sys.stderr.flush()


@contextmanager
def progress(source: str, what: str, silent: bool = False) -> Iterator[Callable[..., None] | None]:
    """Give what tells of progress, as `tell(done, count, path)`; None where there is no terminal, or if it is to be
    `quiet`. The line is wiped in the end. `what` is what is done: "calls run"."""
    if silent or not sys.stderr.isatty():
        yield None
        return

    def tell(done: int, count: int, path: str = "") -> None:
        at = f", {clean(path)[:40]}" if path else ""
        write_over(source, f"{done:,} of {count:,} {what}{at}")

    try:
        yield tell
    finally:
        wipe()


@contextmanager
def fetching(*sources: Any) -> Iterator[None]:
    """Says on a terminal how much was fetched of each source that is behind a URL, where it is more than a summary
    needs."""
    if not sys.stderr.isatty() or not any(hasattr(source, "tell") for source in sources):
        yield
        return

    def tell(name: str, done: int) -> None:
        if done >= _MUCH:
            write_over(name, f"{done / 1e6:,.0f} MB fetched")

    for source in sources:
        if hasattr(source, "tell"):
            source.tell = partial(tell, str(source))
    try:
        yield
    finally:
        wipe()
