"""How results, errors and progress are printed: streams, colours, files, exit codes; each rule of the program in this
process."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from layerexplain.cli import failures, output, progress, workers
from layerexplain.cli.amounts import amount
from layerexplain.cli.options import Output
from layerexplain.cli.source_arguments import Located
from layerexplain.cli.sources import Answers, name_of, with_faults
from layerexplain.cli.workers import Outcome, collect_for_many, jobs_for, outcome
from layerexplain.errors import ErrorGroup, LayerExplainError, NotAModel, SourceError
from layerexplain.render.layout import Look

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


def test_a_note_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    failures.note("read\x1b as 3")
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("layerexplain: note: read") and "\x1b" not in said.err


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


class Stream(io.StringIO):
    """Standard output that may be a terminal."""

    def __init__(self, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self.terminal, self._encoding = terminal, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("asked", "terminal", "look"),
    [
        ({}, True, Look(57, True, False)),
        ({}, False, Look(None, False, False)),
        ({"width": 40}, True, Look(40, True, False)),
        ({"width": 40}, False, Look(40, False, False)),
        ({"width": 200, "ascii": True}, False, Look(200, False, True)),
        ({"color": "always"}, False, Look(None, True, False)),
        ({"color": "never"}, True, Look(57, False, False)),
        ({"format": "csv", "width": 40, "color": "always", "ascii": True}, True, Look(None, False, True)),
        ({"file": "a", "width": 80}, True, Look(80, False, False)),
        ({"file": "a", "color": "always", "ascii": True}, True, Look(None, True, True)),
        ({"file": "a", "color": "always", "format": "csv"}, True, Look(None, False, False)),
    ],
)
def test_the_look_of_a_result(
    asked: dict[str, Any], terminal: bool, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "57")
    monkeypatch.setattr(sys, "stdout", Stream(terminal))
    assert output.look_of(TABLE._replace(**asked)) == look


def test_no_terminal_is_narrower_than_20_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "11")
    monkeypatch.setattr(sys, "stdout", Stream(True))
    assert output.look_of(TABLE).width == 20


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


@pytest.mark.parametrize(
    ("encoding", "text", "ascii", "printed"),
    [
        ("utf-8", "→", False, "→"), ("UTF8", "→", False, "→"), ("ascii", "→", False, "->"), ("ascii", "a", False, "a"),
        ("utf-8", "→", True, "->"), ("latin-1", "é→", False, "é->"), ("latin-1", "é", False, "é"),
    ],
)  # fmt: skip
def test_characters_that_an_encoding_lacks_are_replaced(encoding: str, text: str, ascii: bool, printed: str) -> None:
    def pieces(look: Look) -> list[str]:
        return [text.replace("→", "->") if look.ascii else text, "\n"]

    assert "".join(output.printable(pieces, Look(ascii=ascii), encoding)) == printed + "\n"


def test_pieces_go_to_standard_output_or_as_a_whole_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    output.emit_pieces(TABLE, iter(["a→", "b"]))
    assert capsys.readouterr().out == "a→b"
    output.emit_pieces(TABLE._replace(file=str(path)), iter([]))
    assert not path.exists()
    output.emit_pieces(TABLE._replace(file=str(path)), iter(["a→", "b"]))
    assert path.read_bytes() == "a→b".encode() and capsys.readouterr().out == ""
    assert output.encoding_of(TABLE._replace(file="a")) == "utf-8"
    for encoding, known in (("cp437", "cp437"), (None, "ascii")):
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding=encoding))
        assert output.encoding_of(TABLE) == known


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


def test_a_picture_with_faults_is_written_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(click.Command("x")):
        output.write_picture("-", "<svg/>")
        with pytest.raises(click.exceptions.Exit) as caught:
            output.write_picture("-", "<svg/>", [LayerExplainError("a"), ErrorGroup([LayerExplainError("b")])])
    said = capsys.readouterr()
    assert caught.value.exit_code == 1
    assert (said.out, said.err) == ("<svg/><svg/>", "layerexplain: error: a\nlayerexplain: error: b\n")


# Progress -----------------------------------------------------------------------------------------------------------


def printed_lines(terminal: bool, silent: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_columns", lambda: 80)
    with progress.progress("m.keras", "calls run", silent) as tell:
        if tell is not None:
            tell(1203, 4001)
            tell(2, 3, "p" * 41)
    return tell is not None, stream.getvalue()


def test_progress_is_a_line_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    wipe = "\r\x1b[K"
    lines = f"{wipe}m.keras: 1,203 of 4,001 calls run{wipe}m.keras: 2 of 3 calls run, {'p' * 40}{wipe}"
    assert printed_lines(True, False, monkeypatch) == (True, lines)
    assert printed_lines(False, False, monkeypatch) == (False, "") == printed_lines(True, True, monkeypatch)


@pytest.mark.parametrize(
    ("columns", "line"), [(30, "a" * 20), (17, "name67: 12345678"), (16, "12345678"), (8, "1234567")]
)
def test_a_line_gives_way_from_its_name(columns: int, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_columns", lambda: columns)
    words = "12345678"
    progress.write_over("name67" if columns < 30 else "b" * 50 + "a" * 19, words)
    expected = line if columns < 30 else f"{'a' * 19}: 12345678"
    assert stream.getvalue() == f"\r\x1b[K{expected}"


def test_without_a_terminal_behind_it_a_line_has_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(fileno=lambda: 7))
    for found, columns in ((57, 57), (0, 80)):
        monkeypatch.setattr(os, "get_terminal_size", {7: SimpleNamespace(columns=found)}.__getitem__)
        assert progress._columns() == columns

    def fail(descriptor: int) -> Any:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", fail)
    assert progress._columns() == 80


def test_what_is_fetched_is_said_from_two_megabytes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_columns", lambda: 80)

    class Url(str):
        tell: Any = None

    url = Url("http://host/m.h5")
    with progress.fetching("a.h5", url):
        url.tell(1_999_999)
        assert stream.getvalue() == ""
        url.tell(2_000_000)
        url.tell(1_203_600_000)
    assert (
        stream.getvalue() == "\r\x1b[Khttp://host/m.h5: 2 MB fetched\r\x1b[Khttp://host/m.h5: 1,204 MB fetched\r\x1b[K"
    )
    for sources, terminal in ((("a.h5",), True), ((Url("b"),), False)):
        stream.terminal = terminal
        before = stream.getvalue()
        with progress.fetching(*sources):
            assert getattr(sources[0], "tell", None) is None
        assert stream.getvalue() == before


# Many sources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "count", "processors", "jobs"),
    [
        (None, 1, 4, 1), (None, 31, 4, 1), (None, 32, 4, 4), (None, 40, 16, 8), (3, 7, 4, 3), (9, 7, 4, 7), (1, 99, 4, 1),
        (None, 0, 4, 1), (5, 0, 4, 1),
    ],
)  # fmt: skip
def test_how_many_processes_share_the_sources(
    asked: int | None, count: int, processors: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerexplain.processes.processors", lambda: processors)
    assert jobs_for(asked, ["a"] * count) == jobs


@pytest.mark.parametrize(("before", "after"), [((100_001, 7, 7), (100_000, 20)), ((100_000, 7, 7), (100_000, 7))])
def test_garbage_of_many_sources_is_collected_more_often(before: Any, after: Any) -> None:
    kept = gc.get_threshold()
    try:
        gc.set_threshold(*before)
        collect_for_many()
        assert gc.get_threshold()[:2] == after  # from Python 3.14 on there is no third one
    finally:
        gc.set_threshold(*kept)


def fail(error: Exception) -> Callable[[str], Any]:
    def ask(source: str) -> Any:
        raise error

    return ask


OWN = Outcome(3, ("a",))


@pytest.mark.parametrize(
    ("ask", "source", "found"),
    [
        (len, "abc", Outcome(3)),
        (lambda source: OWN, "abc", OWN),
        (fail(SourceError("is wrong")), "abc", Outcome(None, ("abc: is wrong",), False)),
        (fail(SourceError("is wrong")), "-", Outcome(None, ("<stdin>: is wrong",), False)),
        (fail(NotAModel("is a text")), "abc", Outcome(None, ("abc: is a text",), False, False)),
        (fail(NotAModel("is a text")), Located("abc"), Outcome(None, ("abc: is a text",), False, True)),
        (fail(NotAModel("is a text")), Located("abc", False), Outcome(None, ("abc: is a text",), False, False)),
        (len, Located("abc", True, SourceError("no such file")), Outcome(None, ("abc: no such file",), False, False)),
        (fail(KeyError("a")), "abc", Outcome(None, (BUG.removeprefix("layerexplain: error: ").strip().replace("this", "abc: this"),), False)),
    ],
)  # fmt: skip
def test_what_comes_of_a_source(ask: Callable[[str], Any], source: str, found: Outcome) -> None:
    assert outcome(ask, source) == found


class Timed:
    """A timer that is never due."""

    begun: list[Timed]

    def __init__(self, seconds: float, say: Callable[[], None]) -> None:
        self.seconds, self.say, self.daemon, self.done = seconds, say, False, list[str]()
        Timed.begun.append(self)

    def start(self) -> None:
        self.done.append("start")

    def cancel(self) -> None:
        self.done.append("cancel")


def test_a_pipe_that_is_waited_for_is_named_after_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Timed.begun = []
    monkeypatch.setattr(threading, "Timer", Timed)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for source in ("file", "nowhere", "nul\0"):
        assert outcome(len, str(tmp_path / source)).failure is None
    assert Timed.begun == []
    outcome(len, str(tmp_path / "pipe"))
    (timer,) = Timed.begun
    timer.say()
    assert (timer.seconds, timer.daemon, timer.done) == (1, True, ["start", "cancel"])
    assert capsys.readouterr().err == f"layerexplain: waiting for data from the pipe {tmp_path}/pipe\n"


ANSWERS: list[tuple[str, Sequence[str], dict[str, Any], list[Any], bool, str]] = [
    ("all are fine", "ab", {"a": 3, "b": 5}, [3, 5], True, ""),
    ("one fails", "ab", {"a": SourceError("is wrong"), "b": 5}, [5], False, "layerexplain: error: a: is wrong\n"),
    ("faults of some layers", "ab", {"a": Outcome(3, ("x", "y")), "b": Outcome(5, ("y", "z"))}, [3, 5], False, "layerexplain: error: x\nlayerexplain: error: y\nlayerexplain: error: z\n"),
    ("no models in a folder", [Located("a"), "b", Located("c")], {"a": NotAModel("t"), "b": 5, "c": NotAModel("t")}, [5], True, "layerexplain: note: skipped 2 files that are not models\n"),
    ("no model at all", [Located("a")], {"a": NotAModel("t")}, [], False, "layerexplain: note: skipped 1 file that is not a model\nlayerexplain: error: no model was found\n"),
    ("nothing", [], {}, [], False, "layerexplain: error: no model was found\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sources", "found", "values", "fine", "said"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_answers_and_what_is_said_of_those_that_fail(
    name: str, sources: Sequence[str], found: dict[str, Any], values: list[Any], fine: bool, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def ask(source: str) -> Any:
        if isinstance(found[source], Exception):
            raise found[source]
        return found[source]

    answers: Answers[Any] = Answers(list(sources), ask)
    assert (list(answers), answers.fine, capsys.readouterr().err) == (values, fine, said)


def test_processes_answer_in_order_and_a_death_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def shared(items: Sequence[str], work: Callable[[str], Outcome], jobs: int, ahead: int) -> Iterator[Any]:
        asked.append((items, jobs, ahead))
        for item in items:
            yield SimpleNamespace(died=item == "b", value=work(item))

    monkeypatch.setattr("layerexplain.processes.shared", shared)
    words = "b: the process that read it was killed, possibly because memory ran out"
    assert list(workers.outcomes(["a", "-", "b", "ccc"], len, 2)) == [Outcome(1), Outcome(1), Outcome(None, (words,), False), Outcome(3)]  # fmt: skip
    assert asked == [(["a", "b", "ccc"], 2, 4)]


def test_names_of_sources_and_faults_that_come_with_a_value() -> None:
    shown = Located("a")
    shown.shown = "b"  # type: ignore[attr-defined]
    assert [name_of("-"), name_of("a"), name_of(shown)] == ["<stdin>", "a", "b"]
    assert with_faults(3, ()) == 3
    assert with_faults(3, [SourceError("a", line=2), SourceError("b")]) == Outcome(3, ("line 2: a", "b"))


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("7", "", 7), ("7", "kb", 7000), ("7", "gib", 7 * 2**30), ("7B", "gb", 7), (" 2.5 MB ", "", 2_500_000),
        ("3kb", "", 3000), ("3GB", "", 3 * 10**9), ("3TB", "", 3 * 10**12), ("3kib", "", 3 * 2**10), ("3MiB", "", 3 * 2**20),
        ("3tib", "", 3 * 2**40), ("0", "", 0), ("1e3", "", 1000), ("-1", "", None), ("nan", "", None), ("many", "", None),
        ("", "", None), ("3xb", "", None), ("1e999", "", None),
    ],
)  # fmt: skip
def test_amounts_of_bytes(text: str, unit: str, number: float | None) -> None:
    assert amount(text, unit) == number
