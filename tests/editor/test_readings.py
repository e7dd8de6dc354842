"""Whatever stands in an editor is read to hints and problems that lie in it: programs in the middle of an edit."""

import random
import re
from collections.abc import Iterator
from functools import partial

import pytest

from layerexplain.editor.problems import Hint, Problem, hints, hover, problems
from layerexplain.editor.reading import Cell, EditedText, Settings, read_text, text_of
from layerexplain.layers import known_definitions
from layerexplain.layers.known_definitions import KnownDefinitions
from layerexplain.stopping import stoppable
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
        reading = read_text(text, Settings())
        lines = text.cells[""].lines
        for hint in hints(reading, Settings(macs=True)):
            assert 0 <= hint.line < len(lines) and hint.label and hint.tooltip, text.cells[""].text
            shown += 1
        for problem in problems(reading):
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


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_was_read_before_changes_no_hint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions are kept from one text to the next: each state of a program is shown as it would be alone."""
    program = PROGRAMS[name]
    texts = [program.text]
    for step in program.steps:
        texts.append(texts[-1].replace(step.old, step.new, 1))
    path = f"/{name}{program.ending}"
    edits = [text_of(f"file://{path}", path, [Cell(f"file://{path}", text)]) for text in texts]
    alone = []
    for edit in edits:
        monkeypatch.setattr(known_definitions, "KNOWN", KnownDefinitions(1000))
        alone.append(_shown(edit))
    shared = KnownDefinitions(1000)
    monkeypatch.setattr(known_definitions, "KNOWN", shared)
    assert [_shown(edit) for edit in edits] == alone
    assert len(shared) > 0


def _shown(text: EditedText) -> tuple[list[Hint], list[Problem]]:
    reading = read_text(text, Settings(macs=True))
    return hints(reading, Settings(macs=True)), [*problems(reading)]


STOPS = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(7, {size})
    def forward(self, x):
        x = {call}
        return self.last(x)
# layerexplain: input=7
"""


@pytest.mark.parametrize(
    ("size", "call", "line", "last", "why"),
    [
        ("5", "self.drop(x)", 7, 7, "line 8: x is not known: Net has no attribute 'drop'; write `# layerexplain: x=VALUE`"),
        ("5", "x.foo()", 7, 7, "layerexplain cannot read torch.foo(…)"),
        ("n", "x", 5, 8, "line 6: n is not known: it is not defined in this code; write `# layerexplain: n="),
        ("len(words)", "x", 5, 8, "line 6: len(words) is not known: it is not defined in this code; write `# layerexplain: len(words)=16`"),
        ("c['n']", "x", 5, 8, "line 6: c['n'] is not known: it is not defined in this code; write `# layerexplain: c[\"n\"]=16`"),
    ],
)  # fmt: skip
def test_where_a_forward_cannot_be_followed_stands_why(size: str, call: str, line: int, last: int, why: str) -> None:
    cell = Cell("file:///a.py", STOPS.format(size=size, call=call))
    found = {one.line: one for one in _shown(text_of(cell.uri, "/a.py", [cell]))[0]}
    assert found[line].label == "→ ?" and f"?: {why}" in found[line].tooltip
    assert max(found) == last  # a size that is not known stops nothing behind it


class Newer(Exception):
    pass


LONG = {
    "layers in a loop": "import keras\nx = i = keras.Input((7,))\nfor k in range(300):\n    x = keras.layers.Dense(7)(x)\nm = keras.Model(i, x)\n",
    "steps": "import keras\nn = 3\nmodel = keras.Sequential([keras.Input((7,)), keras.layers.Dense(n)])\n"
    "def f(n):\n    return [(n * 7 + k) % 101 for k in range(300)]\nfor k in range(90):\n    model.add(keras.layers.Dense(f(k)[3] + 1))\n",
    "modules": "import torch.nn as nn\nclass N(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.l = nn.ModuleList([nn.Linear(7, 7) for k in range(300)])\n"
    "    def forward(self, x):\n        for l in self.l:\n            x = l(x)\n        return x\n",
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_long_reading_asks_often_whether_it_is_wanted(name: str) -> None:
    """It is ended at its tenth question, its hundredth and its five hundredth: it asks all the while, in all of its parts."""
    text = text_of("file:///a.py", "/a.py", [Cell("file:///a.py", LONG[name])])
    for most in (10, 100, 500):
        asked = 0

        def stop(most: int = most) -> None:
            nonlocal asked
            asked += 1
            if asked == most:
                raise Newer

        with pytest.raises(Newer):
            stoppable(stop, partial(read_text, text, Settings()))
