"""How errors end the program, and where results go: exit codes, colours, files."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from layerexplain.cli import failures, output
from layerexplain.cli.options import Output
from layerexplain.errors import ErrorGroup, LayerExplainError

# Errors and exit codes ----------------------------------------------------------------------------------------------

BUG = "layerexplain: error: this is a bug in layerexplain (KeyError: 'a'); set LAYEREXPLAIN_DEBUG=1 to see where it comes from\n"


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (LayerExplainError("is wrong", source="m.py"), 1, "layerexplain: error: m.py: is wrong\n"),
        (ErrorGroup([LayerExplainError("a"), LayerExplainError("b")]), 1, "layerexplain: error: a\nlayerexplain: error: b\n"),
        (KeyError("a"), 1, BUG),
        (click.exceptions.Exit(7), 7, ""),
    ],
)  # fmt: skip
def test_whatever_is_raised_ends_in_a_line_and_an_exit_code(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as caught, failures.as_exit_codes():
        raise raised
    assert (caught.value.exit_code, capsys.readouterr().err) == (code, said)


@pytest.mark.parametrize("raised", [click.UsageError("a"), click.Abort()])
def test_what_click_says_itself_goes_on(raised: Exception) -> None:
    with pytest.raises(type(raised)) as caught, failures.as_exit_codes():
        raise raised
    assert caught.value is raised


def test_a_reader_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=file.fileno))
        with pytest.raises(click.exceptions.Exit) as caught, failures.as_exit_codes():
            raise BrokenPipeError
        file.write(b"what is still buffered goes nowhere")
    assert caught.value.exit_code == 0 and (tmp_path / "out").read_bytes() == b""
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # without a file behind it
    with pytest.raises(click.exceptions.Exit), failures.as_exit_codes():
        raise BrokenPipeError


def test_what_click_quotes_is_cleaned() -> None:
    with pytest.raises(click.UsageError) as caught, failures.clean_usage():
        raise click.UsageError("no '\x1b[2J' at http://me:secret@host")
    assert "\x1b" not in caught.value.message and "http://me:***@host" in caught.value.message


@pytest.mark.parametrize("length", [2000, 2001])
def test_a_line_is_cut_at_2000_letters(length: int, capsys: pytest.CaptureFixture[str]) -> None:
    failures.tell_lines(["a " * (length // 2) + "b" * (length % 2), "second"])
    first, second = capsys.readouterr().err.splitlines()
    assert first == "layerexplain: error: " + "a " * 1000 + "…" * (length > 2000)
    assert second == "layerexplain: error: second"


def test_streams_that_are_closed_have_something_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    failures.open_streams()
    for stream in (sys.stdout, sys.stdout.buffer):
        with pytest.raises(LayerExplainError, match=r"^standard output is closed$"):
            stream.write("a")  # type: ignore[arg-type]
    assert sys.stderr.name == os.devnull and sys.stderr.write("a") == 1
    stderr, stdout = sys.stderr, sys.stdout
    failures.open_streams()
    assert (sys.stderr, sys.stdout) == (stderr, stdout)
    stderr.close()


# Where a result goes ------------------------------------------------------------------------------------------------

TABLE = Output("table", None, "auto", None, False)


@pytest.mark.parametrize(
    ("environment", "in_pipe", "on_terminal"),
    [
        ({}, False, True), ({"NO_COLOR": "1"}, False, False), ({"NO_COLOR": ""}, False, True),
        ({"FORCE_COLOR": "1"}, True, True), ({"FORCE_COLOR": "0"}, False, True), ({"FORCE_COLOR": ""}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False), ({"TERM": "dumb"}, False, False),
        ({"TERM": "xterm"}, False, True), ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)  # fmt: skip
def test_the_environment_says_whether_there_is_colour(
    environment: dict[str, str], in_pipe: bool, on_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (output._wants_color("auto", False), output._wants_color("auto", True)) == (in_pipe, on_terminal)


@pytest.mark.parametrize("params", [{"source": "a"}, {"sources": ("b", "a")}, {"before": None, "after": "a"}])
def test_a_file_that_is_read_is_not_written(
    params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("model")
    with click.Context(click.Command("x")) as context:
        context.params = {**params, "output_file": "a"}
        for write in (
            lambda: output.emit_pieces(TABLE._replace(file="a"), iter(["x"])),
            lambda: output.write_picture("a", b"x"),
        ):
            with pytest.raises(LayerExplainError, match=r"^a: is read itself"):
                write()
        assert Path("a").read_text() == "model"
        context.params = {"output": "a", "output_file": "a"}
        output.write_picture("a", "→")
    assert Path("a").read_bytes() == "→".encode()


# Progress -----------------------------------------------------------------------------------------------------------


# Many sources -------------------------------------------------------------------------------------------------------
