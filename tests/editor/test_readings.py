"""Whatever stands in an editor is read to hints and problems that lie in it: programs in the middle of an edit."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from layerexplain.editor.hints import hints, hover
from layerexplain.editor.problems import problems
from layerexplain.editor.reading import read_text
from layerexplain.editor.settings import Settings
from layerexplain.editor.texts import Cell, EditedText, text_of
from tests.support.edited_programs import PROGRAMS
from tests.support.tries import tries

SIGNS = ["(", ")", "[", "x", "0", "\n", ":", "=", "None", "😀", "-1", ",", "*", "self."]
NUMBERS = ["0", "-1", "None", "2.5", "'a'", "10**9", "x"]


def edited(text: str, rng: random.Random) -> str:
    """A program that ends somewhere, lacks a part, has a sign more, or other numbers."""
    at = rng.randrange(len(text))
    match rng.randrange(4):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + text[at + rng.randrange(12) :]
        case 2:
            return text[:at] + rng.choice(SIGNS) + text[at:]
    return re.sub(r"\b\d+\b", lambda found: rng.choice([found[0]] * 5 + NUMBERS), text)


def states() -> Iterator[EditedText]:
    rng = random.Random(20261129)
    for number in range(tries(40, 120)):
        name = rng.choice([*PROGRAMS])
        cell = Cell(f"file:///{number}{PROGRAMS[name].ending}", edited(PROGRAMS[name].text, rng))
        yield text_of(cell.uri, f"/{number}{PROGRAMS[name].ending}", [cell])


def test_each_state_of_an_edit_is_read() -> None:
    shown = 0
    for text in states():
        reading = read_text(text, Settings(), lambda: None)
        lines = text.cells[""].lines
        for hint in hints(reading, Settings(macs=True)):
            assert 0 <= hint.line < len(lines) and hint.label and hint.tooltip, text.cells[""].text
            shown += 1
        for problem in problems(reading, lambda: None):
            for span in (
                problem.span,
                *[at for at, _ in problem.related],
                *[at for changes in problem.fixes.values() for at, _ in changes],
            ):
                assert span.start <= span.end and span.end_line < len(lines), text.cells[""].text
                assert span.end_column <= len(lines[span.end_line])
        for result in reading.results[:1]:
            assert hover(reading, "", result.span.line, result.span.column + 1) is None or result.span.line < len(lines)
    assert shown > 30  # about every other state parses


def test_a_reading_stops_where_a_newer_text_is_there() -> None:
    class Newer(Exception):
        pass

    def stop() -> None:
        raise Newer

    cell = Cell("file:///a.py", PROGRAMS["digits"].text)
    text = text_of(cell.uri, "/a.py", [cell])
    with pytest.raises(Newer):
        read_text(text, Settings(), stop)
    with pytest.raises(Newer):
        problems(read_text(text, Settings(), lambda: None), stop)
