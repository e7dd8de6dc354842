"""Every command of docs/questions.md and docs/pytorch.md prints what its table says."""

import re
import shlex

import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "questions.md").read_text("utf-8")
TABLE_ROW = re.compile(r"^\| (.+?) \| `layerexplain (.+?)` \| `(.+?)` \|$", re.MULTILINE)
ROWS = TABLE_ROW.findall(PAGE)
PYTORCH_ROWS = TABLE_ROW.findall((ROOT / "docs" / "pytorch.md").read_text("utf-8"))


@pytest.mark.parametrize(("question", "command", "answer"), ROWS + PYTORCH_ROWS)
def test_a_question_is_answered(question: str, command: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = invoke(*shlex.split(command))
    assert result.exit_code == 0, result.output
    assert answer in " ".join(result.stdout.split())


def test_rows_are_found_and_the_rest_is_said_to_be_tested_elsewhere() -> None:
    tested, _, elsewhere = PAGE.partition("## What takes a server")
    assert len(ROWS) == tested.count("| `layerexplain ") > 30 and "tested elsewhere" in elsewhere


def test_the_page_on_pytorch_has_ten_things() -> None:
    assert [row[0].split(".")[0] for row in PYTORCH_ROWS] == [str(number) for number in range(1, 11)]


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(re.sub(r"```text\n.*?```", "", text, flags=re.DOTALL).split()) <= 800
    assert len(text.split()) <= 800
