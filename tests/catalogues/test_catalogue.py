"""`catalogue`: its rows, against `explain`; its formats, against each other and the contract; its command."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import layerexplain
from layerexplain.catalogues import rows as making
from layerexplain.catalogues.rows import LAYER_COLUMNS, MODEL_COLUMNS
from layerexplain.layers import known_definitions
from layerexplain.layers.known_definitions import KnownDefinitions
from scripts.generate import catalogue_row_schema
from tests.support.commands import invoke
from tests.support.paths import ROOT
from tests.support.zoo import SPEC, rows, zoo

SCHEMA = json.loads((ROOT / "docs" / "catalogue.schema.json").read_text("utf-8"))


run = partial(invoke, "catalogue")


def test_rows_are_what_explain_says(tmp_path: Path) -> None:
    folder = zoo(tmp_path / "zoo")
    sources = [str(folder), str(folder / "code.py")]
    found = layerexplain.catalogue(sources[::-1], tmp_path / "zoo.jsonl", recursive=True, jobs=1)
    models, layers = rows(tmp_path / "zoo.jsonl"), rows(tmp_path / "zoo.layers.jsonl")
    for row in models:
        jsonschema.validate(row, SCHEMA["$defs"]["model"])
        assert list(row) == [column.name for column in MODEL_COLUMNS]
    for row in layers:
        jsonschema.validate(row, SCHEMA["$defs"]["layer"])
        assert list(row) == [column.name for column in LAYER_COLUMNS]
    assert (found.models, found.errors, found.missing) == (len(models), 1, 0)
    files = [row["source"] for row in models]
    assert [Path(one).name for one in files[:2]] == ["code.py:encoder", "code.py:decoder"]
    assert files[2:] == sorted(files[2:])
    broken = [row for row in models if row["error"]]
    assert [Path(row["source"]).name for row in broken] == ["broken.keras"]
    assert "damaged zip archive" in broken[0]["error"] and str(folder) not in broken[0]["error"]
    for row in models:
        if row["error"]:
            continue
        report = layerexplain.explain(row["source"], detail=False, batch=1).to_dict(nested=True)
        assert row["params"] == report["totals"]["params"]
        assert (row["macs"], row["flops"]) == (report["totals"]["macs"], report["totals"]["flops"])
        assert (row["name"], row["keras_version"]) == (report["model"]["name"], report["model"]["keras_version"])
        assert [one["shape"] for one in row["inputs"]] == [one["shape"] for one in report["inputs"]]
        assert (row["peak_bytes"], row["activation_bytes"]) == (
            report["memory"]["peak"],
            report["memory"]["activations"],
        )
        assert row["notes"] == sorted({note["code"] for note in report["notes"]})
        own = [layer for layer in layers if layer["source"] == row["source"]]
        told = list(flat(report["layers"]))
        assert [layer["path"] for layer in own] == [layer["path"] for layer in told]
        for name in ("type", "operation", "depth", "params", "macs", "input_shapes", "output_shapes"):
            assert [layer[name] for layer in own] == [layer[name] for layer in told], name
        assert sum(row["layer_types"].values()) == len(own) == row["layers"]
        if not row["source"].partition(".py")[2]:
            assert row["size"] == os.path.getsize(row["source"])


def flat(layers: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for layer in layers:
        yield layer
        yield from flat(layer.get("layers", ()))


@pytest.mark.slow
def test_what_models_share_changes_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Definitions are kept from one model to the next: a model's rows do not depend on those before it.
    folder = zoo(tmp_path / "zoo", 30)
    sources = sorted(str(path) for path in folder.rglob("*.*") if "efficient" not in path.name)
    alone = []
    for source in sources:
        monkeypatch.setattr(known_definitions, "KNOWN", KnownDefinitions(1000))
        alone.append(making.rows_of(source))
    kept = KnownDefinitions(5)
    monkeypatch.setattr(known_definitions, "KNOWN", kept)
    for _ in range(2):
        assert [[one[:2] for one in making.rows_of(source)] for source in sources] == [
            [one[:2] for one in found] for found in alone
        ]
    assert 5 <= len(kept) <= 10


def test_paths_of_inner_layers_and_models_of_code(tmp_path: Path) -> None:
    zoo(tmp_path / "zoo", 0)
    layerexplain.catalogue(
        [str(tmp_path / "zoo" / one) for one in ("nested.yaml", "code.py")], tmp_path / "t.jsonl", jobs=1
    )
    layers = rows(tmp_path / "t.layers.jsonl")
    inner = {layer["path"]: layer["inbound"] for layer in layers if layer["model"] == "outer"}
    assert inner == {
        "input": [], "body": ["input"], "body/input": [], "body/dense": ["body/input"], "body/dense_1": ["body/dense"], "top": ["body"],
    }  # fmt: skip
    names = [Path(row["source"]).name for row in rows(tmp_path / "t.jsonl")]
    assert names == ["nested.yaml", "code.py:encoder", "code.py:decoder"]
    assert [layer["place"] for layer in layers][-1] == "code.py:3"


def test_the_formats_hold_the_same(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    folder = zoo(tmp_path / "zoo")
    for ending in ("jsonl", "csv", "parquet"):
        layerexplain.catalogue([str(folder)], tmp_path / f"t.{ending}", recursive=True, jobs=1)
    for table, columns in (("t", MODEL_COLUMNS), ("t.layers", LAYER_COLUMNS)):
        told = rows(tmp_path / f"{table}.jsonl")
        arrow = pq.read_table(tmp_path / f"{table}.parquet")
        assert arrow.schema.names == [column.name for column in columns]
        read = arrow.to_pylist(maps_as_pydicts="strict")
        keys = ("source", "number") if table == "t.layers" else ("source",)
        plain = [{name: plain_value(value) for name, value in row.items()} for row in read]
        by_key = [sorted(some, key=lambda row: [row[key] for key in keys]) for some in (plain, told)]
        assert by_key[0] == by_key[1]
        with (tmp_path / f"{table}.csv").open(newline="", encoding="utf-8") as file:
            cells = list(csv.DictReader(file))
        assert [row["source"] for row in cells] == [row["source"] for row in told]
        assert b"\r" not in (tmp_path / f"{table}.csv").read_bytes()  # all lines end alike, the first one too
        for name in ("params", "macs", "type"):
            assert [row[name] for row in cells] == ["" if row[name] is None else str(row[name]) for row in told]
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == "outer")
    assert (row["inputs"], row["layer_types"], row["dtypes"]) == (
        "input (None, 5) float32", "Dense 3; InputLayer 2; Sequential 1", "float32",
    )  # fmt: skip


def plain_value(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def test_the_json_schema_of_the_columns_with_type_object_and_required_is_that_of_the_docs() -> None:
    assert catalogue_row_schema() == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"source": "a"}, SCHEMA)


def test_numbers_and_names_that_do_not_fit_cost_their_cell(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    huge = 2**40
    source = tmp_path / "huge.yaml"
    source.write_text(f"name: '=1+1'\ninput: [{huge}]\nlayers:\n  - Dense: {huge}\n", "utf-8")
    for ending in ("jsonl", "csv", "parquet"):
        layerexplain.catalogue([str(source)], tmp_path / f"t.{ending}", jobs=1)
    told = rows(tmp_path / "t.jsonl")[0]
    assert told["params"] == huge * huge + huge and told["error"] is None
    read = pq.read_table(tmp_path / "t.parquet").to_pylist()[0]
    assert (read["params"], read["name"], read["layers"]) == (None, "=1+1", 2)
    assert ",'=1+1," in (tmp_path / "t.csv").read_text("utf-8")


def test_own_layers_are_read_with_code(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "define:\n  Scaled:\n    arguments: {factor: 2.0}\n    formula: y = x * factor\n", "utf-8"
    )
    (tmp_path / "net.yaml").write_text("input: [3]\nlayers:\n  - Scaled:\n", "utf-8")
    result = run(tmp_path / "net.yaml", "--to", tmp_path / "t.jsonl", "--code", tmp_path / "own.yaml")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "t.layers.jsonl")[1]["operation"] == "x * 2.0"
    again = run(tmp_path / "net.yaml", "--to", tmp_path / "t.jsonl", "--resume")
    assert again.exit_code == 1 and "--overwrite" in again.output


def test_what_holds_no_model_is_passed_over_where_it_was_not_named(tmp_path: Path) -> None:
    folder = zoo(tmp_path / "zoo", 3)
    (folder / "notes.txt").write_text("what was tried\n", "utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    # Values without a zero among the first bytes: a shard of TensorFlow.js.
    (folder / "group1-shard1of1.bin").write_bytes(bytes.fromhex("1aa1103f2c999c3e6bcd0d3cd4e22ebf") * 90)
    (folder / "torn.json").write_bytes(bytes.fromhex("1aa1103f2c999c3e6bcd0d3cd4e22ebf") * 90)
    result = run(folder, "-r", "--to", tmp_path / "t.jsonl")
    assert result.exit_code == 1 and "skipped 4 files that are not models" in result.output
    errors = {Path(row["source"]).name for row in rows(tmp_path / "t.jsonl") if row["error"]}
    assert errors == {"broken.keras", "torn.json"}
    again = run(folder, "-r", "--to", tmp_path / "t.jsonl", "--resume")
    assert "skipped 4 files that are not models; 0 sources read now" in again.output
    result = run(folder / "notes.txt", folder / "more*" / "*", "--to", tmp_path / "other.jsonl")
    assert result.exit_code == 1 and "1 error" in result.output


# The command --------------------------------------------------------------------------------------------------------


def test_sources_come_from_everywhere_and_once(tmp_path: Path) -> None:
    folder = zoo(tmp_path / "zoo", 6)
    (folder / "broken.keras").unlink()
    names = tmp_path / "names.txt"
    names.write_text(f"{folder}/nested.yaml\r\n\n{folder}/more0/*.yaml\n", "utf-8")
    given = "\0".join(str(folder / one) for one in ("mnist_mlp.yaml", "nested.yaml"))
    result = run(
        folder / "more1", folder / "more1" / "net001.yaml", "--recursive", "--from-file", names, "--from-file", "-",
        "--to", tmp_path / "t.jsonl", input=given,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = [Path(row["source"]).name for row in rows(tmp_path / "t.jsonl")]
    assert told == ["net001.yaml", "net004.yaml", "nested.yaml", "net000.yaml", "net003.yaml", "mnist_mlp.yaml"]


@pytest.mark.parametrize(("arguments", "code", "words"), [
    ([], 2, "--from-file"),
    (["-"], 2, "--from-file -"),
    (["x.yaml", "--resume", "--overwrite"], 2, "one of the two"),
    (["x.yaml", "--to", "t.xlsx"], 1, "t.xlsx: needs to end with .parquet, .jsonl or .csv"),
    (["--from-file", "nothing.txt"], 1, "nothing.txt: cannot be read: No such file or directory"),
    (["x.yaml", "--to", "no/such/place/t.jsonl"], 1, ""),
])  # fmt: skip
def test_wrong_usage_is_one_line(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no").write_text("a file")
    result = run("--to", "t.jsonl", *arguments)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert code == 2 or len(result.output.splitlines()) == 1


def test_a_source_that_is_not_there_costs_its_row(tmp_path: Path) -> None:
    folder = zoo(tmp_path / "zoo", 2)
    result = run(folder / "nested.yaml", folder / "nothing.keras", folder / "*.onnx", "--to", tmp_path / "t.jsonl")
    assert result.exit_code == 1
    assert "1 model in" in result.output and "2 errors" in result.output
    assert [(Path(row["source"]).name, row["error"]) for row in rows(tmp_path / "t.jsonl")] == [
        ("nested.yaml", None), ("nothing.keras", "no such file"), ("*.onnx", "matches no file"),
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_names_that_are_no_utf_8_cost_nothing(tmp_path: Path, ending: str, jobs: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    names = [b"caf\xe8.yaml", b"caf\xe9.yaml", "café.yaml".encode()]
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "w") as file:
            file.write("input: [4]\nlayers:\n  - Dense: 3\n")
    table = tmp_path / f"zoo.{ending}"
    for more in ([], ["--resume"]):
        done = run(folder, "--recursive", "--to", table, "--jobs", jobs, *more)
        assert done.exit_code == 0 and done.stderr.startswith("3 models"), done.stderr
    assert "0 sources read now" in done.stderr
    if ending == "jsonl":
        found = [row["source"].removeprefix(f"{folder}/") for row in rows(table)]
        assert sorted(found) == [r"caf\udce8.yaml", r"caf\udce9.yaml", "café.yaml"]


def test_a_list_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    folder, table = zoo(tmp_path / "zoo", 2), tmp_path / "t.jsonl"
    source = next(str(one) for one in sorted(folder.iterdir()) if one.suffix == ".yaml")
    wrong = ["--from-file", tmp_path / "nothing", "--to", table]
    for arguments in (wrong, [source, *wrong]):
        done = run(*arguments)
        assert done.exit_code == 1 and "nothing: cannot be read" in done.stderr
        assert [one.name for one in tmp_path.iterdir()] == ["zoo"]
    assert run(source, "--to", table).exit_code == 0
    before = table.read_bytes()
    # A list that is wrong from its start costs no table that is there.
    assert run(*wrong, "--overwrite").exit_code == 1 and table.read_bytes() == before
    assert run(*wrong, "--resume").exit_code == 1 and table.read_bytes() == before


@pytest.mark.parametrize("given", ["/dev/zero", "/dev/urandom", "-"])
def test_a_list_without_an_end_is_refused(tmp_path: Path, given: str) -> None:
    command = [sys.executable, "-m", "layerexplain", "catalogue", "--from-file", given, "--to", tmp_path / "t.jsonl"]
    with open("/dev/zero", "rb") as zeros:
        done = subprocess.run(command, stdin=zeros, capture_output=True, text=True, timeout=600, check=False)
    said = "is a device" if given != "-" else "<stdin>: is not a list of sources: 1,114,112 bytes without a name"
    assert done.returncode == 1 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_there_is_not_touched(tmp_path: Path) -> None:
    folder = zoo(tmp_path / "zoo", 2)
    (tmp_path / "t.csv").write_text("mine\n")
    for options, words in (
        ([], "already exists; use --resume or --overwrite"),
        (["--resume"], "was not written by `catalogue`"),
    ):
        result = run(folder, "-r", "--to", tmp_path / "t.csv", *options)
        assert result.exit_code == 1 and words in result.output
        assert (tmp_path / "t.csv").read_text() == "mine\n"
    assert run(folder, "-r", "--to", tmp_path / "t.csv", "--overwrite").exit_code == 1  # broken.keras
    assert (tmp_path / "t.csv").read_text().startswith("schema,source")


def test_a_manifest_that_is_damaged_is_named_and_overwritten(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SPEC.format(number=1, units=3), "utf-8")
    to = [tmp_path / "one.yaml", "--to", tmp_path / "t.jsonl"]
    assert run(*to).exit_code == 0
    (manifest,) = (tmp_path / "t.jsonl.parts").glob("*.sqlite")
    manifest.write_bytes(b"no database at all" * 99)
    result = run(*to, "--resume")
    assert result.exit_code == 1
    assert "manifest is damaged" in result.output and "--overwrite replaces all of it" in result.output
    assert run(*to, "--overwrite").exit_code == 0
    assert len(rows(tmp_path / "t.jsonl")) == 1


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from layerexplain.__main__ import main; main()"
    command = [sys.executable, "-c", code, "catalogue", "x.yaml", "--to", "t.parquet"]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert result.returncode == 1
    assert "pip install '.[catalogue]'" in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_run_that_read_no_model_does_not_block_the_next(tmp_path: Path) -> None:
    folder, table = tmp_path / "models", tmp_path / "zoo.jsonl"
    folder.mkdir()
    (folder / "net.yaml").write_text("input: [3]\nlayers:\n  - Dense: 2\n")
    first = run(folder, "--output", table, "--jobs", "1")
    assert first.exit_code == 1 and first.stderr.startswith("0 models") and "-r reads all" in rows(table)[0]["error"]
    assert run(folder, "--recursive", "--output", table, "--jobs", "1").exit_code == 0
    assert [row["error"] for row in rows(table)] == [None]
    again = run(folder, "--recursive", "--output", table, "--jobs", "1")
    assert again.exit_code == 1 and "already exists; use --resume or --overwrite" in again.stderr
