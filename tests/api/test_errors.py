"""Errors: their line with place and layer, groups, passwords, and the words for errors of Python and of the system."""

from __future__ import annotations

import pytest

from layerexplain import errors
from layerexplain.errors import (
    Edit,
    ErrorGroup,
    LayerExplainError,
    SourceError,
    WindowError,
    each_of,
    first_line,
    lines_of,
    place_order,
    raise_any,
    why_unread,
    within,
    without_passwords,
)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "is wrong"),
        ({"source": "m.py"}, "m.py: is wrong"),
        ({"source": "m.py", "line": 7}, "m.py:7: is wrong"),
        ({"source": "m.py", "line": 7, "column": 11}, "m.py:7:11: is wrong"),
        ({"source": "m.py", "column": 11}, "m.py: is wrong"),
        ({"line": 7}, "line 7: is wrong"),
        ({"line": 7, "column": 11}, "line 7:11: is wrong"),
        ({"layer": "a"}, "layer 'a': is wrong"),
        ({"source": "m.py", "line": 7, "layer": "a"}, "m.py:7: layer 'a': is wrong"),
        ({"source": "http://me:secret@host/m"}, "http://me:***@host/m: is wrong"),
    ],
)
def test_the_line_of_an_error_has_its_source_line_column_and_layer(place: dict[str, object], text: str) -> None:
    assert str(LayerExplainError("is wrong", **place)) == text  # type: ignore[arg-type]
    assert str(LayerExplainError("is wrong").with_place(**place)) == text  # type: ignore[arg-type]


def test_what_is_known_of_a_place_stays() -> None:
    error = LayerExplainError("x", source="m.py", line=7, column=11, layer="a")
    assert error.with_place(source="n.py", line=13, column=17, layer="b") is error
    assert (error.source, error.line, error.column, error.layer) == ("m.py", 7, 11, "a")
    later = LayerExplainError("x", column=11).with_place(line=13, column=17)
    assert (later.line, later.column) == (13, 17)
    assert str(LayerExplainError("x", source="cell 3", line=7).with_place(source="a.ipynb")) == "a.ipynb:cell 3:7: x"


def test_an_error_that_is_kept_keeps_no_frames() -> None:
    try:
        try:
            raise KeyError("a")
        except KeyError as cause:
            raise LayerExplainError("x") from cause
    except LayerExplainError as raised:
        error = raised
    assert error.__traceback__ is not None and error.__context__ is error.__cause__ is not None
    assert error.as_data() is error
    assert error.__traceback__ is error.__context__ is error.__cause__ is None


@pytest.mark.parametrize(
    ("fact", "clause"),
    [("is empty", "the file is empty"), ("has no layers", "the file has no layers"), ("holds a twice", "the file holds a twice"), ("no such file", "no such file"), ("isolated", "isolated")],
)  # fmt: skip
def test_a_fact_of_a_file_is_a_clause(fact: str, clause: str) -> None:
    assert LayerExplainError(fact).clause == clause


@pytest.mark.parametrize(
    ("length", "shown"),
    [(199, "x" * 199), (200, "x" * 200), (201, f"{'x' * 50}…{'x' * 8}")],
)
def test_an_endless_word_is_cut_in_names_and_facts(length: int, shown: str) -> None:
    assert str(LayerExplainError("x" * length)) == shown
    assert str(LayerExplainError("y", layer="x" * length)) == f"layer '{shown}': y"


@pytest.mark.parametrize("letters", [197, 198])
def test_words_are_cut_that_have_198_letters(letters: int) -> None:
    text = f"{'a' * 300} {'b' * letters}"
    cut = "b" * 50 + "…" + "b" * 8 if letters == 198 else "b" * letters
    assert str(LayerExplainError(text)) == f"{'a' * 50}…{'a' * 8} {cut}"


def test_advice_on_a_window_gives_way_to_a_likelier_cause() -> None:
    edit = Edit("pad", "padding", "'same'", "conv")
    assert (edit.words, edit.argument, edit.value, edit.layer) == ("pad", "padding", "'same'", "conv")
    error = WindowError("it does not fit", "pad it", [edit])
    assert (str(error), error.edits) == ("it does not fit; pad it", (edit,))
    error.because("the axes are swapped")
    assert (str(error), error.edits) == ("it does not fit; the axes are swapped", ())
    assert Edit("", "", "").layer == ""


def test_a_group_is_a_line_for_each_error() -> None:
    one, other = LayerExplainError("a", line=2), LayerExplainError("b", source="n.py")
    group = ErrorGroup([one, other])
    assert group.fact == "a; b" and group.with_place(source="m.py") is group
    assert str(group) == "m.py:2: a\nn.py: b"
    assert (each_of(group), each_of(one)) == ([one, other], [one])
    raise_any([])
    with pytest.raises(LayerExplainError) as caught:
        raise_any([one])
    assert caught.value is one
    with pytest.raises(ErrorGroup) as both:
        raise_any((one, other))
    assert both.value.errors == [one, other]


def test_errors_are_in_the_order_of_cell_line_and_column() -> None:
    places = [
        ("cell 2", 1, 1),
        ("cell 10", 1, 1),
        (None, 5, 2),
        (None, 5, None),
        ("m.py", None, None),
        ("cell 2", 1, 0),
    ]
    found = [place_order(LayerExplainError("x", source=s, line=line, column=column)) for s, line, column in places]
    assert found == [(2, 1, 1), (10, 1, 1), (0, 5, 2), (0, 5, 0), (0, 0, 0), (2, 1, 0)]


@pytest.mark.parametrize(
    ("source", "file", "name"),
    [("a.ipynb", "cell 3", "a.ipynb:cell 3"), ("a.ipynb", "other.py", "other.py"), (None, "cell 3", "cell 3"), ("", "cell 3", "cell 3")],
)  # fmt: skip
def test_a_file_within_a_source(source: str | None, file: str, name: str) -> None:
    assert within(source, file) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/a", "https://me:***@host/a"),
        ("https://token@host/a", "https://***@host/a"),
        ("HTTP://token@host/a", "HTTP://***@host/a"),
        ("s3://me@host/a", "s3://me@host/a"),
        ("sftp://me:a/b@host/c", "sftp://me:***@host/c"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("me@a.example", "me@a.example"),
    ],
)
def test_passwords_of_urls_are_not_shown(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\nb"), "a"),
        (ValueError(""), "ValueError"),
        (ValueError("x" * 161), "x" * 160),
        (ValueError("http://me:secret@host"), "http://me:***@host"),
    ],
)
def test_the_first_line_of_any_error(error: Exception, line: str) -> None:
    assert first_line(error) == line
    assert first_line(error, 3) == line[:3]


HUB = "no such file; hf://owner/model reads a model of that name from Hugging Face's hub"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file", "owner/model"), HUB),
        (FileNotFoundError(2, "No such file", "owner/model.h5"), "no such file"),
        (FileNotFoundError(2, "No such file", "owner/model.2b"), HUB.replace("model reads", "model.2b reads")),
        (FileNotFoundError(2, "No such file", "tests/model"), "no such file"),  # a folder that is there
        (FileNotFoundError(2, "No such file", "a/owner/model"), "no such file"),
        (FileNotFoundError(), "no such file"),
        (PermissionError(13, "Permission denied"), "may not be read (permission denied)"),
        (IsADirectoryError(21, "Is a directory"), "cannot be read: Is a directory"),
        (OSError("no room"), "cannot be read: no room"),
    ],
)
def test_why_a_file_is_not_read(error: OSError, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors.os.path, "exists", lambda path: path == "tests")
    assert why_unread(error) == words


BUG = "m.py: this is a bug in layerexplain (KeyError: 'a'); set LAYEREXPLAIN_DEBUG=1 to see where it comes from"


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (SourceError("is empty"), ["m.py: is empty"]),
        (SourceError("is empty", source="n.py"), ["n.py: is empty"]),
        (ErrorGroup([SourceError("a", line=2), SourceError("b")]), ["m.py:2: a", "m.py: b"]),
        (RecursionError("deep"), ["m.py: values are nested too deeply to be explained"]),
        (MemoryError(), ["m.py: needs more memory than there is"]),
        (OSError(28, "No space left", "out.csv"), ["out.csv: No space left"]),
        (OSError(28, "No space left"), ["m.py: No space left"]),
        (OSError("broken"), ["m.py: broken"]),
        (KeyError("a"), [BUG]),
        (KeyError(), [BUG.replace("KeyError: 'a'", "KeyError")]),
    ],
)
def test_lines_of_an_error_of_ours_of_the_system_and_of_a_bug(
    error: Exception, lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LAYEREXPLAIN_DEBUG", raising=False)
    assert lines_of(error, "m.py") == lines
    assert capsys.readouterr().err == ""
    is_bug = isinstance(error, KeyError)
    for value, shown in (("1", is_bug), ("0", False), ("", False)):
        monkeypatch.setenv("LAYEREXPLAIN_DEBUG", value)
        lines_of(error, "m.py")
        assert ("KeyError" in capsys.readouterr().err) is shown
    if not isinstance(error, LayerExplainError):
        assert lines_of(error) == [line.removeprefix("m.py: ") for line in lines]
