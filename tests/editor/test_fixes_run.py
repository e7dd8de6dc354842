"""Each change that an error proposes, applied to a program that Keras or PyTorch refuses: the real framework runs it."""

import json
from pathlib import Path
from typing import Any

import pytest

from layerexplain.editor.problems import Changes, problems
from layerexplain.editor.reading import Cell, Settings, read_text, text_of
from scripts.wrong_programs import raised

TABLE: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "wrong_programs.json").read_text())
ROWS = [row for row in TABLE if not row["framework"].startswith("keras 2") and ".fit(" not in row["program"]]


def applied(text: str, changes: Changes) -> str:
    lines = text.split("\n")
    for span, new in sorted(changes, key=lambda change: change[0], reverse=True):
        changed = lines[span.line][: span.column] + new + lines[span.end_line][span.end_column :]
        lines[span.line : span.end_line + 1] = changed.split("\n")
    return "\n".join(lines)


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_a_program_with_a_proposed_change_runs() -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    tried = 0
    for row in ROWS:
        text = text_of("file:///p.py", "/p.py", [Cell("file:///p.py", row["program"])])
        for problem in problems(read_text(text, Settings())):
            for title, changes in problem.fixes.items() if problem.severity == 1 else ():
                tried += 1
                assert raised(applied(row["program"], changes), {}) is None, (title, row["program"])
    assert tried > 30
