"""The questions of docs/catalogue.md, asked with DuckDB, and answered by hand."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.support.paths import ROOT

duckdb = pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")

PAGE = (ROOT / "docs" / "catalogue.md").read_text("utf-8")
QUESTIONS = dict(re.findall(r"^(\S[^\n]*\?)\n\n```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))

MODELS = {
    "biased.yaml": "input: [9, 9, 2]\nlayers:\n  - Conv2D: {filters: 3, kernel_size: 3}\n  - BatchNormalization\n  - Flatten\n  - Dense: 5\n",
    "plain.yaml": "input: [9, 9, 2]\nlayers:\n  - Conv2D: {filters: 3, kernel_size: 3, use_bias: false}\n  - BatchNormalization\n",
    "small.yaml": "input: [4]\nlayers:\n  - Dense: 3\n",
    "copy.yaml": "name: other\ninput: [4]\nlayers:\n  - {type: Dense, units: 3, name: mine}\n",
    "large.yaml": "input: [1000]\nlayers:\n  - Dense: 3000\n",
    "odd.json": '{"class_name": "Sequential", "config": {"name": "odd", "layers": [{"class_name": "InputLayer", "config": '
    '{"name": "i", "batch_input_shape": [null, 4], "dtype": "float32"}}, {"class_name": "Mine", "config": {"name": "m"}}]}}',
    "broken.h5": "no HDF5",
}  # fmt: skip
YEARS = {"biased.yaml": 2024, "plain.yaml": 2024, "small.yaml": 2025, "copy.yaml": 2025, "large.yaml": 2026}

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "Which are the hundred largest models?": [
        ("large.yaml", 3_003_000, 12_012_000, 3_000_000), ("biased.yaml", 57 + 12 + 5 * 148, 4 * (57 + 12 + 5 * 148), 49 * 3 * 18 + 5 * 147),
        ("plain.yaml", 54 + 12, 4 * 66, 49 * 3 * 18), ("copy.yaml", 15, 60, 12), ("small.yaml", 15, 60, 12),
    ],
    "Which use BatchNormalization after a layer with a bias, which it makes useless?": [("biased.yaml", "batch_normalization", "conv2d", "Conv2D")],
    "What did models cost, year by year?": [(2024, 2, (49 * 3 * 18) + 5 * 147 / 2, (809 + 66) / 2), (2025, 2, 12, 15), (2026, 1, 3_000_000, 3_003_000)],
    "Which classes are not known, and where?": [("Mine", 1, "odd.json")],
    "Which models fit into 8 MB with their activations?": [
        ("biased.yaml", 4 * 809 + 4 * 309, 4 * 809, 4 * 309), ("plain.yaml", 4 * 66 + 4 * 309, 4 * 66, 4 * 309),
        ("copy.yaml", 60 + 28, 60, 28), ("small.yaml", 60 + 28, 60, 28),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tables `zoo.parquet`."""
    place = tmp_path_factory.mktemp("questions")
    for name, text in MODELS.items():
        (place / name).write_text(text, "utf-8")
        time = (YEARS.get(name, 2026) - 1970) * 365.25 * 86400 + 100 * 86400
        os.utime(place / name, (time, time))
    layerexplain.catalogue([str(place / name) for name in MODELS], place / "zoo.parquet", jobs=1)
    return place


def asked(folder: Path, question: str) -> list[tuple[Any, ...]]:
    query = QUESTIONS[question].replace("'zoo.", f"'{folder}/zoo.")
    told = duckdb.sql(query).fetchall()
    return [tuple(one.removeprefix(f"{folder}/") if isinstance(one, str) else one for one in row) for row in told]


def test_every_question_is_run() -> None:
    assert len(QUESTIONS) == PAGE.count("```sql") >= 10
    assert set(ANSWERS) < set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_an_answer(question: str, folder: Path) -> None:
    answer = asked(folder, question)
    assert answer
    if question in ANSWERS:
        told = sorted(answer, key=str) if question.startswith("Which are the hundred") else answer
        wanted = ANSWERS[question]
        assert told == (sorted(wanted, key=str) if told is not answer else wanted)


def test_copies_and_families(folder: Path) -> None:
    ((_, copies, sources),) = asked(folder, "Which models are copies of one another?")
    assert (copies, [Path(one).name for one in sources]) == (2, ["copy.yaml", "small.yaml"])
    ((_, sizes, smallest, largest),) = asked(
        folder, "Which are of one family: the same layers and connections, in several sizes?"
    )
    assert (sizes, smallest, largest) == (2, 15, 3_003_000)


def test_what_could_not_be_read(folder: Path) -> None:
    ((error, count, example),) = asked(folder, "What could not be read, and why?")
    assert (count, example) == (1, "broken.h5")
    assert error.startswith("line 1: holds the text 'no HDF5', which is not a spec")
