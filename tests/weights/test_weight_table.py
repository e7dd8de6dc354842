"""`layerexplain weights`: rows, totals and statistics in every format, by their schema; its manners in a shell."""

import csv
import io
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from layerexplain.api import explain
from layerexplain.conversions.config import to_config
from layerexplain.frontends import read
from layerexplain.frontends.keras.h5_service import H5Target, Service
from layerexplain.frontends.keras.weight_tensors import Statistics, statistics
from layerexplain.report.weight_table import WeightRow, list_weights
from tests.support.commands import invoke
from tests.support.h5_files import archive, array, classes, h5_bytes
from tests.support.paths import ROOT
from tests.support.sparse_models import legacy_h5

SAMPLES = ROOT / "sample_models"
SCHEMA = json.loads((ROOT / "docs" / "weights.schema.json").read_text("utf-8"))


run = partial(invoke, "weights")


def faults(value: Any, definition: str | None = None) -> list[str]:
    schema = SCHEMA if definition is None else {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{definition}"}]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def dense_model(*units: int, inputs: int = 3, names: tuple[str, ...] = ()) -> bytes:
    """config.json of a Sequential of Dense layers."""
    first = {"batch_shape": [None, inputs], "name": "x"}
    layers = [{"module": "keras.layers", "class_name": "InputLayer", "config": first}]
    for number, count in enumerate(units):
        name = names[number] if names else f"d{number}"
        config = {"name": name, "units": count, "trainable": True, "dtype": "float32"}
        layers.append({"module": "keras.layers", "class_name": "Dense", "config": config})  # type: ignore[dict-item]
    config = {"name": "m", "trainable": True, "layers": layers}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": config}).encode()


# Rows and totals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_the_trained_sample(ending: str) -> None:
    table = list_weights(SAMPLES / f"digits.{ending}")
    assert (table.model_name, table.model_type) == ("digits", "Sequential")
    assert table.totals == (3742, 3718, 24, 14968)
    assert table.notes == ()
    first, *_, last = table.weights
    path = "/layers/conv2d/vars/0" if ending == "keras" else "/model_weights/strokes/digits/strokes/kernel"
    assert first == WeightRow(
        path, "strokes", "kernel", (3, 3, 1, 12), "float32", 108, 432, True, 'model.get_layer("strokes").kernel'
    )
    assert (last.name, last.reach) == ("bias", 'model.get_layer("digit").bias')
    assert [row.trainable for row in table.weights] == [True, True, True, False, False, True, True, True, True]
    assert {row.role for row in table.state} == {"optimizer"}
    assert len(table.state) == 16


@pytest.mark.parametrize(("name", "params"), [("resnet50.json", 25_636_712), ("mnist_mlp.yaml", 407_050)])
def test_a_source_that_stores_no_weights(name: str, params: int) -> None:
    table = list_weights(SAMPLES / name, stats=True)
    assert table.totals.params == params
    assert all(row.path is None and row.reach is not None and row.statistics is None for row in table.weights)
    assert [note.code for note in table.notes] == ["no-values"]


def test_a_layer_without_a_formula_has_what_the_file_stores(tmp_path: Path) -> None:
    config = json.loads(dense_model(2, 4))
    config["config"]["layers"][1] |= {"module": "mine", "class_name": "QDense", "registered_name": "mine>QDense"}
    config["config"]["layers"][2]["build_config"] = {"input_shape": [None, 2]}
    weights = {
        "layers/q_dense": [array(3, 2)],
        "layers/q_dense/scaler": [array(5)],
        "layers/q_dense/parts/dense": [array(1)],
        "layers/dense": [array(2, 4), array(4)],
    }
    members = {"config.json": json.dumps(config).encode(), "model.weights.h5": h5_bytes(classes(weights))}
    table = list_weights(archive(tmp_path / "m.keras", members))
    assert [(row.layer, row.name, row.size, row.trainable, row.reach) for row in table.weights] == [
        ("d0", "0", 6, None, 'model.get_layer("d0").weights[0]'),
        ("d0/scaler", "0", 5, None, 'model.get_layer("d0").scaler.weights[0]'),
        ("d0/group dense", "0", 1, None, None),
        ("d1", "kernel", 8, True, 'model.get_layer("d1").kernel'),
        ("d1", "bias", 4, True, 'model.get_layer("d1").bias'),
    ]
    assert table.totals == (24, None, None, 96)
    # `summary` counts it likewise, and says so.
    report = explain(tmp_path / "m.keras", detail=False)
    assert [(row.layer, row.params, row.trainable) for row in report.layers] == [
        ("x", 0, 0), ("d0", 12, None), ("d1", 12, 12),
    ]  # fmt: skip
    assert [weight.name for weight in report.layers[1].weights] == ["weights/0", "scaler/0", "group dense/0"]
    assert [(row.layer, row.type, row.params) for row in report.layers[1].layers] == [
        ("weights", "Variables", 6), ("scaler", "Layer", 5), ("group dense", "Layer", 1),
    ]  # fmt: skip
    assert report.totals[:4] == table.totals
    assert ("stored-weights", "d0") in [(note.code, note.layer) for note in report.notes]
    (tmp_path / "m.json").write_bytes(members["config.json"])
    alone = list_weights(tmp_path / "m.json")
    assert alone.totals == (None, None, None, None)
    assert [(note.code, note.layer) for note in alone.notes] == [("no-values", None), ("unknown-weights", "d0")]


def test_names_in_the_file_go_before_the_order_of_classes(tmp_path: Path) -> None:
    weights = classes(
        {"layers/dense": [array(2, 4), array(4)], "layers/dense_1": [array(3, 2), array(2)]},
        {"layers/dense": "second", "layers/dense_1": "first"},
    )
    members = {"config.json": dense_model(2, 4, names=("first", "second")), "model.weights.h5": h5_bytes(weights)}
    table = list_weights(archive(tmp_path / "m.keras", members))
    assert [(row.layer, row.path) for row in table.weights][::2] == [
        ("first", "/layers/dense_1/vars/0"), ("second", "/layers/dense/vars/0"),
    ]  # fmt: skip
    assert table.notes == ()


def test_what_the_file_lacks_and_what_it_has_beside(tmp_path: Path) -> None:
    weights = {"layers/dense": [array(3, 2), array(2)], "layers/mystery": [array(7)], "d_optimizer": [array(9)]}
    members = {"config.json": dense_model(2, 4), "model.weights.h5": h5_bytes(classes(weights))}
    table = list_weights(archive(tmp_path / "m.keras", members))
    assert [(note.code, note.layer, note.message) for note in table.notes] == [
        ("weight-missing", "d1", "the file does not store kernel, bias"),
        ("weight-unclaimed", None, "no layer of the model has 1 of the stored arrays: /layers/mystery/vars/0"),
    ]
    assert [(row.layer, row.path) for row in table.weights][2:] == [
        ("d1", None), ("d1", None), ("mystery", "/layers/mystery/vars/0"),
    ]  # fmt: skip
    assert table.totals.params == 8 + 12 + 7
    assert [(row.path, row.role) for row in table.state] == [("/d_optimizer/vars/0", "optimizer")]


def test_arrays_that_do_not_fit_are_shown_as_stored(tmp_path: Path) -> None:
    weights = {"layers/dense": [array(3, 2), array(2), array(5), array(6)]}
    members = {"config.json": dense_model(2), "model.weights.h5": h5_bytes(classes(weights))}
    table = list_weights(archive(tmp_path / "m.keras", members))
    assert [(note.code, note.message) for note in table.notes] == [
        ("weight-count", "the file stores 4 arrays ((3, 2), (2,), (5,), (6,)), which do not fit the 2 weights of its "
         "formula ((3, 2), (2,))"),
    ]  # fmt: skip
    assert table.totals.params == 19


def test_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(classes({"layers/lstm/cell": [array(2)], "vars": []}, {"layers/lstm/cell": "inner"})))
    table = list_weights(path)
    assert table.weights == (
        WeightRow("/layers/lstm/cell/vars/0", "group lstm", "cell/0", (2,), "float32", 2, 8, None, None),
    )
    assert (table.model_name, table.format) == (None, "weights-h5")


@pytest.mark.parametrize("mark", ["", "_"])
def test_a_weight_is_reached_by_the_attribute_that_the_file_has(mark: str, tmp_path: Path) -> None:
    # Keras 3 wrote `query_dense` in some versions and `_query_dense` in others.
    spec = "input: [5, 4]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3, use_bias: false, name: a}\n    from: [input, input]\n"
    parts = {"query": (4, 2, 3), "key": (4, 2, 3), "value": (4, 2, 3), "output": (2, 3, 4)}
    stored = {f"layers/multi_head_attention/{mark}{part}_dense": [array(*shape)] for part, shape in parts.items()}
    config = json.dumps(to_config(read(spec.encode()))).encode()
    members = {"config.json": config, "model.weights.h5": h5_bytes(classes(stored))}
    table = list_weights(archive(tmp_path / "m.keras", members))
    assert table.totals.params == 4 * 4 * 2 * 3
    assert {row.reach for row in table.weights} == {f'model.get_layer("a").{mark}{part}_dense.kernel' for part in parts}


# Statistics -------------------------------------------------------------------------------------------------------


def test_statistics_equal_numpys() -> None:
    values = np.random.default_rng(3).standard_normal((7, 11, 13)).astype(np.float32) * 5 + 1000
    values[0, :3] = 0
    found = statistics([values[:2], values[2:3], values[3:3], values[3:]])
    wide = values.astype(np.float64)
    expected = [wide.min(), wide.max(), wide.mean(), wide.std()]
    assert [found.min, found.max, found.mean, found.std] == pytest.approx(expected, rel=1e-12)
    assert found[4:] == (39, 0, 0)


def test_statistics_of_what_is_not_finite() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 2.0, 4.0, 0.0], dtype=np.float16)
    assert statistics([values]) == Statistics(0.0, 4.0, 2.0, pytest.approx(np.std([2, 4, 0])), 1, 1, 2)
    assert statistics([values[:3]]) == Statistics(None, None, None, None, 0, 1, 2)
    assert statistics([]) == Statistics(None, None, None, None, 0, 0, 0)
    assert statistics([np.array([True, False]), np.array([], dtype=bool)])[:5] == (0.0, 1.0, 0.5, 0.5, 1)
    huge = statistics([np.array([1e308, -1e308, 1e308])])
    assert huge.std is None
    assert huge.max == 1e308


def test_values_that_cannot_be_read_are_a_note(tmp_path: Path) -> None:
    def fill(root: h5py.File) -> None:
        root.create_dataset("layers/a/vars/0", shape=(10**6, 10**6), dtype="f4", chunks=(100, 100))
        root["layers/b/vars/0"] = array(2)

    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(fill))
    table = list_weights(path, stats=True)
    assert [row.statistics is None for row in table.weights] == [True, False]
    assert [note.code for note in table.notes] == ["unreadable-values"]
    assert not faults(table.to_dict())


# Formats ----------------------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("options", [[], ["--stats"], ["--optimizer"], ["--stats", "--optimizer"]])
@pytest.mark.parametrize("name", ["digits.keras", "digits.h5", "resnet50.json", "mnist_mlp.yaml"])
def test_json_keeps_the_contract(name: str, options: list[str]) -> None:
    result = run(SAMPLES / name, "--format", "json", *options)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert not faults(document)
    assert document["totals"]["params"] == sum(row["count"] for row in document["weights"])
    assert document["totals"]["bytes"] == sum(row["bytes"] for row in document["weights"])
    for line in run(SAMPLES / name, "--format", "jsonl", *options).stdout.splitlines():
        assert not faults(json.loads(line), "line")


def test_json_lines_hold_the_state_where_it_was_asked_for() -> None:
    roles = [json.loads(line)["role"] for line in run(SAMPLES / "digits.h5", "--format", "jsonl").stdout.splitlines()]
    assert roles == ["weight"] * 9
    more = run(SAMPLES / "digits.h5", "--format", "jsonl", "--optimizer").stdout.splitlines()
    assert [json.loads(line)["role"] for line in more] == ["weight"] * 9 + ["optimizer"] * 16


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv(format: str, delimiter: str) -> None:
    text = run(SAMPLES / "digits.keras", "--format", format, "--stats").stdout
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    assert sum(int(row["count"]) for row in rows) == 3742
    assert rows[3]["trainable"] == "false"
    assert rows[0]["reach"] == 'model.get_layer("strokes").kernel'
    assert float(rows[0]["min"]) <= float(rows[0]["mean"]) <= float(rows[0]["max"])
    both = run(SAMPLES / "digits.keras", SAMPLES / "digits.h5", "--format", format, "--optimizer").stdout
    assert both.splitlines()[0].split(delimiter)[:3] == ["source", "role", "path"]


def test_standard_input() -> None:
    for name in ("digits.keras", "digits.h5", "mnist_mlp.yaml"):
        result = run("-", "--format", "json", "--stats", input=(SAMPLES / name).read_bytes())
        document = json.loads(result.stdout)
        assert document.pop("source") == "<stdin>"
        direct = json.loads(run(SAMPLES / name, "--format", "json", "--stats").stdout)
        direct.pop("source")
        if name == "mnist_mlp.yaml":  # a spec without a name is called after its file
            document["model"].pop("name"), direct["model"].pop("name")
        assert document == direct
    result = run("-", input=b"")
    assert result.exit_code == 1
    assert result.stderr.startswith("layerexplain: error: <stdin>: is empty")


# In a shell -------------------------------------------------------------------------------------------------------


def shell(*arguments: str | Path, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "layerexplain", *map(str, arguments)] if not code else [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)


def test_memory_does_not_follow_the_size_of_a_tensor(tmp_path: Path) -> None:
    """320 MB of a sparse file, in a child that holds some 16 MiB of it at a time."""
    path = legacy_h5(tmp_path / "wide.h5", 1, 8941)
    peaks = []
    for name in ("bias:0", "kernel:0"):
        service = Service()
        place = f"/model_weights/dense_0/dense_0/{name}"
        answer = service.ask(H5Target.from_source(str(path)), "statistics", seconds=60, path=place, dtype="float32")
        assert answer.value["statistics"][4] == (8941 if name == "bias:0" else 8941**2)
        assert service._process is not None
        status = Path(f"/proc/{service._process.pid}/status").read_text()
        peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        service._end()
    assert peaks[1] - peaks[0] < 150_000, peaks
