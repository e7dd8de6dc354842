"""`layerexplain.trace` and the command: values by hand and by the file's weights, keys, errors; no framework."""

import csv
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.run.arrays import npz_key
from tests.support.commands import invoke
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text("utf-8"))
CONVOLUTIONS = SAMPLES / "stacked_strided_convolutions.yaml"
RNG = np.random.default_rng(3)

TWICE = """
inputs: {left: [5], right: [5]}
layers:
  - Dense: {units: 3, activation: tanh}
    name: shared
    from: left
  - reuse: shared
    name: again
    from: right
  - Sequential: [{Dense: {units: 2, name: inner}}]
    name: encoder
    from: shared
  - reuse: encoder
    name: encoded_too
    from: again
  - Subtract: {}
    name: apart
    from: [encoder, encoded_too]
outputs: [apart, shared]
"""

OPAQUE = {
    "class_name": "Functional",
    "config": {"name": "with_unknown", "layers": [{"class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}, "name": "x", "inbound_nodes": []},
        {"class_name": "QDense", "registered_name": "elsewhere>QDense", "module": "elsewhere",
        "config": {"name": "unknown", "units": 3}, "name": "unknown",
        "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__",
        "config": {"shape": [None, 4], "dtype": "float32", "keras_history": ["x", 0, 0]}}], "kwargs": {}}]},
        {"class_name": "ReLU", "module": "keras.layers", "config": {"name": "behind"}, "name": "behind",
        "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__",
        "config": {"shape": [None, 3], "dtype": "float32", "keras_history": ["unknown", 0, 0]}}], "kwargs": {}}]},
        {"class_name": "ReLU", "module": "keras.layers", "config": {"name": "beside"}, "name": "beside",
        "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__",
        "config": {"shape": [None, 4], "dtype": "float32", "keras_history": ["x", 0, 0]}}], "kwargs": {}}]}],
        "input_layers": [["x", 0, 0]], "output_layers": [["behind", 0, 0], ["beside", 0, 0]]},
}  # fmt: skip


run = partial(invoke, "trace")


def fine(*arguments: str | Path | int, input: bytes | None = None) -> str:
    result = run(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 1 and not result.stdout, result.output
    assert len(result.stderr.splitlines()) == 1 and "bug" not in result.stderr
    return result.stderr.strip()


def document(*arguments: str | Path) -> Any:
    found = json.loads(fine(*arguments, "--format", "json"))
    Draft202012Validator(SCHEMA).validate(found)
    return found


def digits() -> tuple[Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets")
    split = pytest.importorskip("sklearn.model_selection").train_test_split
    images, labels = datasets.load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32")
    parts = split(images, labels, test_size=0.2, random_state=7, stratify=labels)
    return parts[1], parts[3]


# The library --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["digits.keras", "digits.h5"])
def test_the_trained_network_knows_the_digits(file: str) -> None:
    images, labels = digits()
    made = layerexplain.trace(SAMPLES / file, images)
    right = float((made.outputs[0].argmax(axis=1) == labels).mean())
    said = (SAMPLES / "README.md").read_text("utf-8")
    assert f"({right * 100:.0f} % of the test digits right)" in said
    assert made.weights == "of the file" and made.notes == ()


def test_it_does_not_import_a_framework() -> None:
    code = (
        "import sys, numpy, layerexplain; layerexplain.trace('digits.keras', numpy.zeros((2, 8, 8, 1)))\n"
        "assert not {'tensorflow', 'keras', 'tf_keras', 'click'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SAMPLES, env=environment)


def test_keys_are_paths_calls_and_outputs(tmp_path: Path) -> None:
    spec = tmp_path / "twice.yaml"
    spec.write_text(TWICE)
    left, right = RNG.normal(size=(2, 5)), RNG.normal(size=(2, 5))
    made = layerexplain.trace(spec, {"left": left, "right": right})
    assert [key for key in made if "/" not in key[0]] == [
        ("left", 0, 0), ("right", 0, 0), ("shared", 0, 0), ("shared", 1, 0), ("encoder", 0, 0), ("encoder", 1, 0),
        ("apart", 0, 0),
    ]  # fmt: skip
    assert made["shared"] is made["shared", 0, 0]
    assert not np.allclose(made["shared"], made["shared", 1, 0])
    np.testing.assert_array_equal(made["encoder"], made["encoder/inner"])
    np.testing.assert_array_equal(made["encoder", 1, 0], made["encoder/inner", 1, 0])
    np.testing.assert_allclose(made["apart"], made["encoder"] - made["encoder", 1, 0], rtol=1e-6)
    assert [a.shape for a in made.outputs] == [(2, 2), (2, 3)]
    assert made.outputs[0] is made["apart"] and made.outputs[1] is made["shared"]
    assert made.weights == "drawn" and "drawn from seed 0" in made.notes[-1].message
    with pytest.raises(KeyError, match="no layer 'shard'; did you mean 'shared'"):
        made["shard"]
    with pytest.raises(KeyError, match=r"'shared' has no output \(2, 0\)"):
        made["shared", 2, 0]
    assert "shared" in made and ("shared", 1, 0) in made and "encoder/nothing" not in made


def test_drawn_weights_depend_on_the_seed_alone() -> None:
    image = RNG.normal(size=(1, 28, 28, 3))
    one, same, other = (layerexplain.trace(CONVOLUTIONS, image, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one["second"], same["second"])
    assert not np.allclose(one["second"], other["second"])


def test_the_sample_of_convolutions_by_loops() -> None:
    image = RNG.normal(size=(1, 28, 28, 3)).astype("float32")
    made = layerexplain.trace(CONVOLUTIONS, image)
    # The kernel, told by the products: a position inside has all 3 × 3 × 16 of them.
    inside = document(CONVOLUTIONS, "second", "--at", "0,2,3,5", "--no-keras")
    (fold,) = inside["lines"][0]["folds"]
    kernel = {tuple(term["place"]): term["factors"][1] for term in fold["terms"]}
    bias = next(r["value"] for r in inside["lines"][0]["reads"] if r["text"] == "b[5]")
    x = made["first"][0].astype("f8")
    for i, j in [(2, 3), (6, 6), (0, 6)]:
        total = bias
        for (u, v, m), w in kernel.items():
            if 2 * i + u < 14 and 2 * j + v < 14:
                total += float(x[2 * i + u, 2 * j + v, m]) * w
        assert made["second"][0, i, j, 5] == pytest.approx(max(total, 0), abs=1e-5)


def test_a_layer_without_a_formula_is_named() -> None:
    with pytest.raises(LayerExplainError, match=r"layer 'unknown': has no values: QDense .*a layer without a formula"):
        layerexplain.trace(OPAQUE, np.ones((1, 4)))
    made = layerexplain.trace(OPAQUE, -np.ones((1, 4)), partial=True)
    assert made.outputs[0] is None and made.outputs[1].tolist() == [[0, 0, 0, 0]]
    assert list(made.refused) == ["unknown", "behind"]
    assert made.refused["behind"] == "the earlier layer 'unknown' has no values"
    with pytest.raises(KeyError, match="'behind' has no values"):
        made["behind"]


# Files of arrays ----------------------------------------------------------------------------------------------------


def test_no_name_fakes_a_key() -> None:
    assert npz_key(["encoder", "dense"], 0, 0) == "encoder/dense"
    assert npz_key(["encoder", "dense"], 1, 0) == "encoder/dense//call/1/output/0"
    names = ["a", "", "a/", "/a", "a//call/1/output/0", "%", "%2F", "a%2F", "//", "call", "1", "output", "0"]
    keys = {}
    for first in names:
        for path in ([first], *([first, second] for second in names), ["a", "call", "1", "output", "0"]):
            for numbers in ((0, 0), (1, 0), (0, 1)):
                assert keys.setdefault(npz_key(path, *numbers), (path, numbers)) == (path, numbers)


def test_saved_arrays_come_back(tmp_path: Path) -> None:
    spec, out = tmp_path / "twice.yaml", tmp_path / "out.npz"
    spec.write_text(TWICE)
    fine(spec, "--save", out, "--input", "random:4", "--batch", "2")
    with np.load(out, allow_pickle=False) as saved:
        assert {"left", "shared", "shared//call/1/output/0", "encoder", "apart"} <= set(saved.files)
        inputs = {name: saved[name] for name in ("left", "right")}
        made = layerexplain.trace(spec, inputs)
        assert len(saved.files) == len(made)
        for (path, call, output), array in made.items():
            np.testing.assert_array_equal(saved[npz_key(path.split("/"), call, output)], array)
    other = tmp_path / "other.npz"
    made.save(other)
    assert zipfile.ZipFile(other).namelist() == zipfile.ZipFile(out).namelist()
    assert document(spec, "--input", out)["inputs"][0] == {
        "name": "left", "shape": [2, 5], "dtype": "float32", "values": str(out),
    }  # fmt: skip


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    message = refused(CONVOLUTIONS, "--save", tmp_path / "nowhere" / "out.npz")
    assert "cannot be written: No such file or directory" in message
    assert list(tmp_path.iterdir()) == []


def test_half_a_run_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(OPAQUE))
    assert "layer 'unknown'" in refused(tmp_path / "m.json", "--save", tmp_path / "out.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["m.json"]


def npy(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **options)
    return out.getvalue()


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


GOOD = np.ones((1, 28, 28, 3))
BAD_FILES: list[tuple[str, bytes, str]] = [
    ("x.npy", pickle.dumps([1]), "is not an .npy, .npz or .png file"),
    ("x.npy", npy(np.array([{}]), allow_pickle=True), "holds Python objects, which are never unpickled"),
    ("x.npy", npy(GOOD)[:300], "declares 18,816 bytes of data but stores 300"),
    ("x.npy", npy(GOOD[0]), r"holds an array of (28, 28, 3); the input 'input' needs the shape (None, 28, 28, 3)"),
    ("x.npy", npy(GOOD).replace(b"'descr'", b"'descry"), "is not an array in NumPy's format"),
    ("x.npz", npz(a=GOOD, b=GOOD), "has no array 'input'; it has 'a', 'b'"),
    ("x.npz", npz(input=GOOD)[:-30], "is damaged"),
    ("x.npz", npz(input=np.array(["a"])), "holds an array of (1,)"),
    ("x.npy", b"", "is not an .npy, .npz or .png file"),
]


@pytest.mark.parametrize("name, content, said", BAD_FILES)
def test_files_that_are_no_input(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in refused(CONVOLUTIONS, "--input", tmp_path / name)


def test_files_of_inputs(tmp_path: Path) -> None:
    image = RNG.normal(size=(2, 28, 28, 3)).astype("float32")
    expected = layerexplain.trace(CONVOLUTIONS, image)["second"].mean()
    np.save(tmp_path / "x.npy", image)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(image))
    np.savez(tmp_path / "named.npz", input=image, other=np.ones(3))
    np.savez_compressed(tmp_path / "single.npz", picture=image)
    for text in ("x.npy", "fortran.npy", "named.npz", "single.npz", "input=x.npy", "input=named.npz"):
        name, equals, file = text.rpartition("=")
        row = document(CONVOLUTIONS, "--input", f"{name}{equals}{tmp_path / file}")["layers"][-1]
        assert row["mean"] == pytest.approx(float(expected)) and row["shape"] == [2, 7, 7, 32]


def test_inputs_that_are_made(tmp_path: Path) -> None:
    assert document(CONVOLUTIONS, "--input", "zeros")["layers"][0]["max"] == 0
    ones = document(CONVOLUTIONS, "--input", "input=ones", "--batch", "3")
    assert ones["layers"][0]["mean"] == 1 and ones["layers"][0]["shape"] == [3, 28, 28, 3]
    seeds = [
        document(CONVOLUTIONS, "--input", text)["layers"][0]["mean"] for text in ("random", "random:0", "random:1")
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    two = document(SAMPLES / "transformer.json", "--input", "positions=zeros", "--input", "random:2")
    assert [i["values"] for i in two["inputs"]] == ["random, from seed 2", "zeros"]
    assert two["layers"][0]["max"] > 1000 and two["layers"][1]["max"] == 0
    (tmp_path / "open.yaml").write_text("input: {shape: [None, 4]}\nlayers: [{LSTM: 3}]\n")
    assert "give the unknown sizes with --input input=8,4" in refused(tmp_path / "open.yaml")
    assert document(tmp_path / "open.yaml", "--size", "6,4")["layers"][0]["shape"] == [1, 6, 4]
    assert "needs sizes that fit (None, 4), got (6, 5)" in refused(tmp_path / "open.yaml", "--size", "6,5")


TWO = "inputs: {left: [4], right: [4]}\nlayers:\n  - Add: {}\n    from: [left, right]\n"
WORDS = "input: {shape: [2], dtype: string}\nlayers:\n  - StringLookup: {vocabulary: [a, b]}\n"
IDS = "input: {shape: [3], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 7, output_dim: 2}\n"


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (TWO, ["--input", "left=zeros"], "no array is given for the input 'right'; --values right=FILE.npy, zeros, ones or random"),
        (TWO, ["--input", "four.npy"], "no array is given for the input 'right'"),
        (TWO, ["--input", "four.npy", "--input", "four.npy", "--input", "four.npy"], "--values four.npy: all inputs of the"),
        (TWO, ["--input", "left=five.npy", "--input", "zeros"], "five.npy"),
        (TWO, ["--input", "half.npy", "--input", "zeros"], "half.npy"),
        (TWO, ["--input", "many.npz", "--input", "zeros"], "many.npz: holds 101 members, too many for an .npz file of inputs"),
        (WORDS, ["--input", "zeros"], "the input 'input' is text; give a file, or random"),
        (IDS, ["--input", "half-ids.npy"], "needs integers (int32), got float64 with values such as 0.5"),
        (IDS, ["--input", "odd-ids.npy"], "needs integers (int32), got float64 with NaN or infinity among the values"),
        ("layers:\n  - Dense: 3\n", [], "the shape of the input 'input' is unknown; give it with --input input=SHAPE"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_the_model(
    text: str, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("layerexplain.run.input_option.MAX_MEMBERS", 100)
    Path("model.yaml").write_text(text)
    np.save("four.npy", np.ones((2, 4), "f4"))
    np.save("five.npy", np.ones((2, 5), "f4"))
    Path("half.npy").write_bytes(Path("four.npy").read_bytes()[:-7])
    np.save("half-ids.npy", np.array([[1.0, 0.5, 2.0]]))
    np.save("odd-ids.npy", np.array([[1.0, np.inf, 2.0]]))
    if "many.npz" in arguments:
        with zipfile.ZipFile("many.npz", "w") as archive:
            for i in range(101):
                archive.writestr(f"{i}.npy", b"")
    assert said in refused(Path("model.yaml"), *arguments)


# The table ----------------------------------------------------------------------------------------------------------


def test_every_format_has_every_row() -> None:
    source = SAMPLES / "digits.keras"
    found = document(source)
    rows = found["layers"]
    assert [row["path"] for row in rows][:3] == ["pixels", "to_unit_range", "strokes"] and len(rows) == 10
    relu = next(row for row in rows if row["layer"] == "strokes_relu")
    assert relu["min"] == 0 and 0 < relu["share_of_zeros"] < 1
    lines = [json.loads(line) for line in fine(source, "--format", "jsonl").splitlines()]
    validator = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/tableLine"}]})
    for line, row in zip(lines, rows, strict=True):
        validator.validate(line)
        assert {k: line[k] for k in row} == row
    for format, delimiter in (("csv", ","), ("tsv", "\t")):
        table = list(csv.DictReader(io.StringIO(fine(source, "--format", format)), delimiter=delimiter))
        assert [float(r["mean"]) for r in table] == [row["mean"] for row in rows]
        assert table[-1]["shape"] == "(1, 10)" and table[-1]["infinities"] == "0"
    assert fine(source, "--format", "markdown").count("\n| `") == 10
    assert len(fine(source).splitlines()) == 2 + 1 + 10 + 2
    assert fine(source, "--ascii").isascii()
    for width in (70, 80, 100, 140):
        assert max(map(len, fine(source, "--width", width).splitlines())) <= width


def test_layers_are_chosen_by_name_or_path(tmp_path: Path) -> None:
    spec = tmp_path / "twice.yaml"
    spec.write_text(TWICE)

    def paths(*patterns: str) -> list[tuple[str, int]]:
        return [(row["path"], row["call"]) for row in document(spec, *patterns)["layers"]]

    assert paths("shared") == [("shared", 0), ("shared", 1)]
    assert paths("encoder/inner") == paths("inner") == [("encoder/inner", 0), ("encoder/inner", 1)]
    assert paths("left", "ap*") == [("left", 0), ("apart", 0)]


def test_partial_runs(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(OPAQUE))
    assert "layer 'unknown': has no values" in refused(tmp_path / "m.json")
    rows = document(tmp_path / "m.json", "--partial")["layers"]
    assert [row["shape"] is None for row in rows] == [False, True, True, False]
    assert "none: the earlier layer 'unknown'" in fine(tmp_path / "m.json", "--partial")
    assert "none" in fine(tmp_path / "m.json", "--partial", "--format", "markdown")


def test_standard_input() -> None:
    text = fine("-", "--format", "json", input=(SAMPLES / "digits.keras").read_bytes())
    found = json.loads(text)
    assert found["source"] == "<stdin>" and found["weights"] == "of the file"


# One element --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer, index", [("strokes", "0,3,3,5"), ("strokes_norm", "0,-1,0,2"), ("halve", "0,1,2,3"),
                                          ("shapes", "0,1,1,20"), ("flatten", "0,50"), ("digit", "0,3")])  # fmt: skip
def test_elements_equal_the_whole_layer(layer: str, index: str) -> None:
    found = document(SAMPLES / "digits.keras", layer, "--at", index, "--no-keras")
    assert found["value"] == pytest.approx(found["layer_value"], abs=1e-5) and found["keras_value"] is None
    for line in found["lines"]:
        for fold in line["folds"]:
            values = [term["value"] for term in fold["terms"]]
            assert len(values) == fold["taken"]
            total = {"sum": sum, "max": max}[fold["kind"]](values)
            assert total == pytest.approx(fold["value"], abs=1e-9)


ELEMENTS = """
input: [6, 4]
layers:
  - LSTM: {units: 3, return_sequences: true}
    name: lstm
  - Bidirectional: {GRU: {units: 2, return_sequences: true}}
    name: both
  - MultiHeadAttention: {num_heads: 2, key_dim: 3}
    name: attention
    from: [both, both]
  - LayerNormalization
  - TimeDistributed: {Dense: 5}
    name: each
  - GlobalAveragePooling1D
  - Dense: {units: 3, activation: softmax}
    name: last
"""


@pytest.mark.parametrize("layer, index, first", [
    ("lstm", "1,4,2", ["y[1, 4, 2]", "h[1, 4, 2]", "o[1, 4, 2]", "c[1, 4, 2]", "f[1, 4, 2]", "i[1, 4, 2]"]),
    ("lstm", "0,0,0", ["y[0, 0, 0]", "h[0, 0, 0]"]),
    ("both", "0,5,3", ["y[0, 5, 3]", "y[0, 0, 1]"]),
    ("attention", "0,2,1", ["y[0, 2, 1]"]),
    ("layer_normalization", "0,2,1", ["y[0, 2, 1]", "μ[0, 2, 0]"]),
    ("each", "1,3,4", ["y[1, 3, 4]", "y[1, 4]"]),
    ("global_average_pooling1d", "1,3", ["y[1, 3]"]),
    ("last", "0,1", ["y[0, 1]", "e[0, 1]"]),
])  # fmt: skip
def test_elements_of_all_kinds_of_layers(tmp_path: Path, layer: str, index: str, first: list[str]) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text(ELEMENTS)
    found = document(spec, layer, "--at", index, "--batch", "2", "--no-keras")
    assert found["value"] == pytest.approx(found["layer_value"], rel=1e-5, abs=1e-6)
    names = [line["name"] for line in found["lines"]]
    assert names[: len(first)] == first
    for format in ("table", "jsonl", "csv", "markdown"):
        assert fine(spec, layer, "--at", index, "--batch", "2", "--no-keras", "--format", format)


def test_a_model_inside_is_no_layer(tmp_path: Path) -> None:
    spec = tmp_path / "twice.yaml"
    spec.write_text(TWICE)
    assert "is a model; give one of its layers, as in encoder/NAME" in refused(spec, "encoder", "--at", "0,0")
    first, second = (document(spec, "inner", "--at", "0,1", "--call", call, "--no-keras") for call in ("0", "1"))
    assert first["path"] == "encoder/inner" and first["value"] != second["value"]


def test_names_that_act_on_a_terminal_or_in_markup(tmp_path: Path) -> None:
    spec = tmp_path / "m.json"
    name = "\x1b[31m|`=1+1`[bold]"
    spec.write_text(json.dumps({"input": [3], "layers": [{"Dense": 2, "name": name}]}))
    for format in ("table", "json", "jsonl", "csv", "tsv", "markdown"):
        assert "\x1b" not in fine(spec, "--format", format)
        assert "\x1b" not in fine(spec, "*31m*", "--at", "0,1", "--no-keras", "--format", format)
    assert "\x1b" in json.loads(fine(spec, "--format", "json"))["layers"][1]["layer"]
