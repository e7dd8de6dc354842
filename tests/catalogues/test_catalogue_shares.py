"""What a process does with its share of a catalogue, here in this process: rows, parts, journals, threads that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import layerexplain
from layerexplain.catalogues import writers
from layerexplain.catalogues.columns import MODEL_COLUMNS, Field
from layerexplain.catalogues.manifest import Listed
from layerexplain.catalogues.part import Ask, Share, write_part
from layerexplain.catalogues.rows import rows_of
from layerexplain.catalogues.table import CatalogueTable, open_manifest, table_at
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "catalogue.schema.json").read_text("utf-8"))
DIGITS = str(ROOT / "sample_models" / "digits.keras")


def test_a_row_says_what_the_report_says() -> None:
    [found] = rows_of(DIGITS)
    report = layerexplain.explain(DIGITS, detail=False, batch=1)
    assert list(found.model) == [column.name for column in MODEL_COLUMNS]
    told = ("params", "trainable", "non_trainable", "macs", "flops", "weight_bytes", "name", "type", "grade", "format")
    totals = report.totals
    assert [found.model[name] for name in told] == [
        totals.params, totals.trainable, totals.non_trainable, totals.macs, totals.flops, totals.bytes,
        report.model_name, report.model_type, report.grade, report.format,
    ]  # fmt: skip
    assert [layer["path"] for layer in found.layers] == [layer.layer for layer in report.layers]


WHOLE = """
name: net
inputs: {a: [7], b: {shape: [null, 3], dtype: int32}}
layers:
  - Dense: {units: 5, activation: relu}
    name: d
    from: a
  - Sequential: [{Dense: {units: 2, use_bias: false}, name: inner}]
    name: box
  - Flatten:
    name: f
    from: b
outputs: [box, f]
optimizer: adam
loss: {box: mse}
"""


def test_rows_of_models_and_layers_have_all_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """d has 7 · 5 + 5 parameters, inner 5 · 2; d computes 2 · 35 + 5 + 5 FLOPs (products, biases, relu), inner 2 · 10."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(WHOLE)
    [found] = rows_of("net.yaml", 11, "1700000000000000000")
    assert len(found.model["architecture"]) == len(found.model["family"]) == 32
    model = {**found.model, "architecture": "…", "family": "…"}
    rows = [("models", model), *[("layers", row) for row in found.layers]]
    for table, row in rows:
        assert list(row) == [column.name for column in writers.TABLES[table]]
        jsonschema.validate(json.loads(writers.json_line(row)), SCHEMA)


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("text", None, ""), ("text", "=1+1", "'=1+1"), ("count", 0, "0"), ("texts", ["a", "b"], "a; b"), ("texts", [], ""),
        ("counts", {"Dense": 2, "ReLU": 1}, "Dense 2; ReLU 1"), ("shapes", [(None, 3), None], "(None, 3); ?"),
        ("tensors", [{"name": "x", "shape": (None, 3), "dtype": None}], "x (None, 3) ?"),
        ("time", datetime(2026, 11, 30, 7, 5, 3, tzinfo=UTC), "2026-11-30T07:05:03Z"),
    ],
)  # fmt: skip
def test_a_cell_of_each_kind_of_column(kind: Any, value: Any, cell: str) -> None:
    assert writers._cell(Field("a", kind, ""), value) == cell


@pytest.fixture
def table(tmp_path: Path) -> Iterator[CatalogueTable]:
    found = table_at(str(tmp_path / "t.jsonl"))
    open_manifest(found, "t.jsonl", resume=False, overwrite=False, facts={}).close()
    yield found


def small(folder: Path, count: int) -> list[Listed]:
    """So many sources of one model each, with as many units as their number says."""
    paths = [folder / f"m{number}.yaml" for number in range(1, count + 1)]
    for number, path in enumerate(paths, 1):
        path.write_text(f"input: [3]\nlayers:\n  - Dense: {number}\n")
    return [Listed(str(path), path.stat().st_size, "", True) for path in paths]


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def test_a_part_holds_the_rows_of_its_share(table: CatalogueTable, tmp_path: Path) -> None:
    told: list[str] = []
    journal = Path(table.journal("p1"))
    found = write_part(Ask(table), Share("p1", small(tmp_path, 3)), lambda: told.append(journal.read_text()))
    assert told == ["begin\n0\n", "begin\n0\n1\n", "begin\n0\n1\n2\n"]
    assert not journal.exists() and found.fault is None
    data = Path(table.file("models", "p1")).read_bytes()
    for number, one in enumerate(found.done, 1):
        row = json.loads(data[slice(*one.models_range)])
        assert (row["params"], one.models, one.errors) == (4 * number, 1, 0)
    assert [row["type"] for row in lines(table.file("layers", "p1"))] == ["InputLayer", "Dense"] * 3


def test_a_run_begins_without_what_a_killed_one_left(table: CatalogueTable, tmp_path: Path) -> None:
    left = [Path(table.stop), Path(table.journal("p1")), Path(table.file("models", "p1"))]
    for path in left:
        path.touch()
    open_manifest(table, "t.jsonl", resume=True, overwrite=False, facts={}).close()
    assert not any(path.exists() for path in left)


def test_a_part_that_cannot_be_written_leaves_nothing(table: CatalogueTable, tmp_path: Path) -> None:
    def tidied_up() -> None:
        Path(table.journal("p1")).unlink()

    found = write_part(Ask(table), Share("p1", small(tmp_path, 1)), tidied_up)
    assert (found.done, found.fault) == ((), "another run has taken over")
    assert [*Path(table.folder("models")).iterdir(), *Path(table.folder("layers")).iterdir()] == []
