"""What a failure looks like: one line on stderr and an exit code, never a traceback.

Exit 0 is fine, 1 means that a source could not be read or explained (or an output not written), 2 wrong usage
(click's own), 130 that the user interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from layerexplain.errors import LayerExplainError, lines_of, without_passwords

_PREFIX = "layerexplain: error: "
_LONGEST = 2000
"""A line is cut after so many characters: a name from a file may have millions."""


@contextmanager
def as_exit_codes() -> Iterator[None]:
    """Turn what is raised inside into a line on stderr and the end of the program with its exit code."""
    try:
        yield
    except BrokenPipeError:
        # The reader (`head`) has what it wanted. Python would complain of the closed pipe once more at its exit.
        _abandon(sys.stdout)
        raise click.exceptions.Exit(0) from None
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    # The boundary of the program: any other error is reported in one line, as a bug unless it is one of our own errors.
    except Exception as error:
        tell_lines(lines_of(error))
        raise click.exceptions.Exit(1) from None


@contextmanager
def clean_usage() -> Iterator[None]:
    """Clean what click says of wrong usage: it quotes what was typed. The help has several lines and quotes nothing."""
    try:
        yield
    except click.ClickException as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # click 8.2 and later
            vars(error)["message"] = clean(error.message)
        raise


class _Closed(io.TextIOBase):
    """Stands for standard output that is closed: writing to it raises an error."""

    def write(self, text: object) -> int:
        raise LayerExplainError("standard output is closed")

    @property
    def buffer(self) -> _Closed:
        """Itself, for bytes."""
        return self


def open_streams() -> None:
    """Put something in the place of standard output and standard error that are closed, for which Python has None."""
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (for as long as the program runs)


def spell_out() -> None:
    """Let standard output spell in ASCII each character that its encoding lacks: an old code page, a name that is no
    text."""
    import codecs

    codecs.register_error("layerexplain", _spelt)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="layerexplain")


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from layerexplain.render.escape import to_ascii

    # As bytes: some code pages lack even a character of ASCII.
    return to_ascii(error.object[error.start : error.end]).encode("ascii"), error.end


def tell_lines(lines: Iterable[str]) -> None:
    """Print each line on stderr, as an error."""
    for line in lines:
        click.echo(_PREFIX + (clean(line) if len(line) <= _LONGEST else f"{clean(line[:_LONGEST])}…"), err=True)


def note(words: str) -> None:
    """Print `layerexplain: note: …` on stderr: how something that was typed was read."""
    click.echo(f"layerexplain: note: {clean(words)}", err=True)


def clean(text: str) -> str:
    """Return the text without anything that acts on a terminal, since names in it may come from a file, and without the
    passwords of URLs."""
    from layerexplain.render.escape import clean as without_controls

    return without_controls(without_passwords(text))


def end_streams() -> None:
    """Let what a full disk did not take go nowhere: the failure is reported, and Python would meet it once more at its
    exit, complain in two lines of its own, and give an exit code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _abandon(stream)


def _abandon(stream: TextIO) -> None:
    """Let what is still buffered for a stream that takes no more go nowhere."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # no file behind it, as in tests
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
