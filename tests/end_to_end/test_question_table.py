"""Every command of docs/questions.md prints what its table says."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "questions.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+?) \| `layerexplain (.+?)` \| `(.+?)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("question", "command", "answer"), ROWS, ids=[row[0] for row in ROWS])
def test_a_question_is_answered(question: str, command: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(program, shlex.split(command), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert answer in " ".join(result.stdout.split())


def test_rows_are_found_and_the_rest_is_said_to_be_tested_elsewhere() -> None:
    tested, _, elsewhere = PAGE.partition("## What takes a server")
    assert len(ROWS) == tested.count("| `layerexplain ") > 30 and "tested elsewhere" in elsewhere


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(re.sub(r"```text\n.*?```", "", text, flags=re.DOTALL).split()) <= 800
    assert len(text.split()) <= 800
