"""`diff`: edits are told as what they are, and files of one model in several formats do not differ."""

import itertools
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import layerexplain
from tests.support.commands import invoke
from tests.support.diff_edits import BASE, EDITS
from tests.support.frameworks import keras
from tests.support.old_files import DATA, OLD
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "diff.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("name", EDITS)
def test_exactly_the_edit_is_told(name: str) -> None:
    (old, new), changes, differences = EDITS[name]
    assert old in BASE
    found = layerexplain.diff(BASE.encode(), BASE.replace(old, new, 1).encode())
    assert [(one.kind, one.layer, one.layer_after) for one in found.changes] == changes
    told = [
        (one.layer, d.what, d.before, d.after) for one in found.changes for d in one.differences if not d.is_consequence
    ]
    assert told == differences
    assert found.alike == (not changes)


def test_what_follows_from_a_change_is_told() -> None:
    found = layerexplain.diff(BASE.encode(), BASE.replace("filters: 4", "filters: 5").encode())
    conv = next(one for one in found.changes if one.layer == "conv")
    assert [tuple(d)[:4] for d in conv.differences] == [
        ("filters", "4", "5", False), ("output", "(None, 6, 6, 4)", "(None, 6, 6, 5)", True),
        ("parameters", "112", "140", True), ("MACs", "3,888", "4,860", True),
        ("stored weights do not fit", "(3, 3, 3, 4) (4,)", "(3, 3, 3, 5) (5,)", True),
    ]  # fmt: skip
    assert (found.before.totals.params, found.after.totals.params) == (404, 486)


@pytest.mark.parametrize(("layers", "said"), [(4, 4), (5, 0)])
def test_of_many_layers_whose_stored_weights_do_not_fit_one_line_says_it(
    layers: int, said: int, tmp_path: Path
) -> None:
    files = []
    for width in (3, 7):
        names = [f"  - Dense: {{units: {width}, name: d{number}}}\n" for number in range(layers)]
        file = tmp_path / f"of_{width}.yaml"
        file.write_text("input: [5]\nlayers:\n" + "".join(names))
        files.append(str(file))
    shown = invoke("diff", *files, "--width", "200").stdout
    assert shown.count("stored weights do not fit") == said
    line = f"Stored weights do not fit in {layers} layers, from d0 on: (5, 3) (3,) → (5, 7) (7,).\n"
    assert (line in shown) == (said == 0)


ROW = ["Dense: 4", "ReLU:", "Dense: 4", "ReLU:", "Dense: {units: 4, use_bias: false}", "ReLU:", "Dense: 4", "Dense: 2"]


def numbered(layers: list[str], first: int = 0) -> bytes:
    """A row of layers with the names that Keras gives where `first` layers of each class were made before."""
    counts: dict[str, int] = {}
    lines = ["input: [3]", "layers:"]
    for layer in layers:
        type_ = layer.partition(":")[0]
        stem = {"Dense": "dense", "ReLU": "re_lu"}[type_]
        number = counts[stem] = counts.get(stem, first - 1) + 1
        lines += [f"  - {layer}", f"    name: {stem}_{number}" if number else f"    name: {stem}"]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("first", [1, 2, 3, 40])
def test_a_model_whose_names_are_numbered_anew_has_no_difference(first: int) -> None:
    found = layerexplain.diff(numbered(ROW), numbered(ROW, first))
    assert found.alike and found.changes == ()
    stems = [("dense", 5), ("re_lu", 3)]
    names = {f"{stem}_{i}" if i else stem: f"{stem}_{i + first}" for stem, count in stems for i in range(count)}
    assert found.renumbered == names
    text = layerexplain.diff(numbered(ROW), numbered(ROW, first)).to_dict()
    jsonschema.validate(text, SCHEMA)
    assert text["renumbered"] == names


@pytest.mark.parametrize("place", range(1, 7))
def test_a_layer_that_is_left_out_renumbers_those_behind_it(place: int) -> None:
    found = layerexplain.diff(numbered(ROW), numbered([*ROW[:place], *ROW[place + 1 :]]))
    assert [one.kind for one in found.changes] == ["removed"]
    assert found.changes[0].type == ROW[place].partition(":")[0]


WHOLE = """
inputs: {a: [5], b: [5]}
layers:
  - Dense: {units: 3, kernel_regularizer: {L2: {l2: 0.1}}, name: d}
    from: a
  - Bidirectional: {LSTM: {units: 2, bias_constraint: non_neg}}
    name: r
    from: c
  - Functional: {inputs: {v: [5]}, layers: [{Dense: 2, name: p}, {Dense: 2, name: q, from: v}], outputs: [p, q]}
    name: n
    from: b
  - Dropout: 0.3
    name: s
    from: d
outputs: [s, n, "n[1]", r]
optimizer: {SGD: {learning_rate: 0.5}}
loss: {s: mse, r: {Huber: {delta: 2.5}}}
""".replace("b: [5]}", "b: [5], c: [7, 2]}")

WHOLES = {
    # Name: text replaced, the layer ("" is the model), what, before, after, and whether it changes training alone.
    "outputs swapped": (('[s, n, "n[1]", r]', '[r, n, "n[1]", s]'), ("", "outputs of the model", "s, n, n[1], r", "r, n, n[1], s", False)),
    "results swapped": (('n, "n[1]"', '"n[1]", n'), ("", "outputs of the model", "s, n, n[1], r", "s, n[1], n, r", False)),
    "an output dropped": ((', "n[1]", r]', ", r]"), ("", "outputs of the model", "s, n, n[1], r", "s, n, r", False)),
    "outputs of a nested model": (("outputs: [p, q]", "outputs: [q, p]"), ("n", "outputs of the model", "n/p, n/q", "n/q, n/p", False)),
    "inputs swapped": (("{a: [5], b: [5],", "{b: [5], a: [5],"), ("", "inputs of the model", "a, b, c", "b, a, c", False)),
    "the dtype of an input": (("b: [5],", "b: {shape: [5], dtype: int32},"), ("b", "dtype", "float32", "int32", False)),
    "the policy of a layer": (("name: d}", "name: d, dtype: mixed_float16}"), ("d", "dtype", "float32", "mixed_float16", False)),
    "a regularizer": (("l2: 0.1", "l2: 0.2"), ("d", "kernel_regularizer", "L2(l2=0.1)", "L2(l2=0.2)", True)),
    "no regularizer": ((", kernel_regularizer: {L2: {l2: 0.1}}", ""), ("d", "kernel_regularizer", "L2(l2=0.1)", "None", True)),
    "a constraint inside": (("non_neg", "unit_norm"), ("r", "layer.bias_constraint", "NonNeg", "UnitNorm", True)),
    "an initializer": (("name: d}", "name: d, bias_initializer: ones}"), ("d", "bias_initializer", "Zeros", "Ones", True)),
    "dropout": (("Dropout: 0.3", "Dropout: 0.4"), ("s", "rate", "0.3", "0.4", True)),
    "frozen": (("name: d}", "name: d, trainable: false}"), ("d", "trainable", "True", "False", True)),
    "an activation": (("name: d}", "name: d, activation: relu}"), ("d", "activation", "'linear'", "'relu'", False)),
    "the optimizer": (("SGD: {learning_rate: 0.5}", "Adam: {learning_rate: 0.5}"), ("", "optimizer", "SGD(learning_rate=0.5)", "Adam(learning_rate=0.5)", True)),
    "the learning rate": (("learning_rate: 0.5", "learning_rate: 0.25"), ("", "optimizer.learning_rate", "0.5", "0.25", True)),
    "the loss": (("s: mse", "s: mae"), ("", "loss of s", "MeanSquaredError", "MeanAbsoluteError", True)),
    "an argument of the loss": (("delta: 2.5", "delta: 1.5"), ("", "loss of r.delta", "2.5", "1.5", True)),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLES)
def test_what_differs_in_the_model_or_in_training_is_reported(name: str) -> None:
    (old, new), expected = WHOLES[name]
    assert WHOLE.count(old) == 1
    found = layerexplain.diff(WHOLE.encode(), WHOLE.replace(old, new).encode())
    told = [
        (one.layer, d.what, d.before, d.after, d.is_training)
        for one in found.changes
        for d in one.differences
        if not d.is_consequence
    ]
    assert told == [expected] and not found.alike
    assert found.changes[0].kind == ("changed" if expected[0] else "model")
    jsonschema.validate(found.to_dict(), SCHEMA)


TWO_OUTPUTS = """
import keras
x = keras.Input((5,))
a, b = keras.layers.Dense(3, name="a")(x), keras.layers.Dense(2, name="b")(x)
m = keras.Model(x, {})
"""
STRUCTURES = {
    # Outputs before and after: what is said of them, before, after.
    ("[a, b]", "{'p': a, 'q': b}"): ("structure of the outputs", "as usual", '{"p": 0, "q": 1}'),
    ("{'p': a, 'q': b}", "{'p': a, 'r': b}"): ("structure of the outputs", '{"p": 0, "q": 1}', '{"p": 0, "r": 1}'),
    ("{'p': a, 'q': b}", "{'p': b, 'q': a}"): ("outputs of the model", "a, b", "b, a"),
    ("[a, b]", "[a, [b]]"): ("structure of the outputs", "as usual", "[0, [1]]"),
    ("b", "{'p': b}"): ("structure of the outputs", "as usual", '{"p": 0}'),
}


@pytest.mark.parametrize(("before", "after"), STRUCTURES)
def test_the_structure_of_outputs_is_compared(before: str, after: str) -> None:
    """What a call of the model gives differs: a list, a mapping, other keys, one inside another."""
    found = layerexplain.diff(*(TWO_OUTPUTS.replace("{}", one).encode() for one in (before, after)))
    (change,) = [one for one in found.changes if one.kind == "model"]
    assert [(one.what, one.before, one.after) for one in change.differences] == [STRUCTURES[before, after]]
    assert not found.alike


def test_what_a_source_does_not_say_of_training_is_no_difference() -> None:
    assert layerexplain.diff(WHOLE.encode(), WHOLE.partition("optimizer:")[0].encode()).alike
    assert layerexplain.diff(
        WHOLE.encode(), WHOLE.replace("optimizer: {SGD: {learning_rate: 0.5}}\n", "").encode()
    ).alike


@pytest.mark.keras
def test_the_same_model_built_twice_in_keras_does_not_differ(tmp_path: Path) -> None:
    def build(width: int) -> bytes:
        inputs = x = keras.Input((8, 8, 3))
        for block in range(4):
            y = keras.layers.Activation("relu")(
                keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(x))
            )
            x = keras.layers.Add()([x, y]) if block else y
        return keras.Model(inputs, keras.layers.Dense(width)(keras.layers.Flatten()(x))).to_json().encode()

    keras.backend.clear_session(free_memory=False)
    first = build(2)
    keras.backend.clear_session(free_memory=False)
    keras.layers.Conv2D(4, 3), keras.layers.Activation("relu")  # which take the first numbers
    second, third = build(2), build(3)
    assert layerexplain.diff(first, second).changes == ()
    assert [(one.kind, one.type) for one in layerexplain.diff(first, third).changes] == [("changed", "Dense")]


LATER = ("keras_2.1.6", "keras_2.2.4", "tf.keras_2.2.4-tf", "keras_2.15.0", "keras_3.0.5")
"""Versions with one model of each name; those of Keras 0.3 and 1 are others."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Path]]:
    """The files of each model by the Keras that wrote them. Of 2.15 there are SavedModels and TensorFlow.js too."""
    found: dict[tuple[str, str], list[Path]] = {}
    for archive in [*OLD, DATA / "carried.zip"]:
        folder = tmp_path_factory.mktemp("corpus") / archive.stem
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        keras = "keras_2.15.0" if archive.stem == "carried" else archive.stem
        for path in sorted(folder.iterdir()):
            name = path.name.partition(".")[0]
            for end in ("_saved_model", "_tfjs"):
                name = name.removesuffix(end)
            file = path / "model.json" if path.name.endswith("_tfjs") else path
            if not any(word in path.name for word in ("weights", "outputs", "_export")):
                found.setdefault((keras, name), []).append(file)
    return found


def test_formats_of_one_model_do_not_differ(corpus: dict[tuple[str, str], list[Path]]) -> None:
    pairs = [pair for files in corpus.values() for pair in itertools.combinations(files, 2)]
    assert len(pairs) > 70
    for one, other in pairs:
        assert layerexplain.diff(str(one), str(other)).changes == (), (one, other)


@pytest.mark.parametrize("name", ["convnet", "graph", "operations", "recurrent"])
def test_values_of_one_model_do_not_differ(name: str, corpus: dict[tuple[str, str], list[Path]]) -> None:
    files = [path for path in corpus["keras_2.15.0", name] if path.parent.name == "carried" or path.suffix == ".h5"]
    files += [path for path in corpus["keras_2.15.0", name] if path.parent.parent.name == "carried"]
    assert len(files) == 3
    for one, other in itertools.combinations(files, 2):
        assert layerexplain.diff(str(one), str(other), weights=True).changes == (), (one, other)


def test_versions_of_keras_differ_in_names_alone(corpus: dict[tuple[str, str], list[Path]]) -> None:
    """A name that a version gives by itself is another in the next; Keras 2.3 changed two defaults."""
    for name in ("convnet", "graph", "operations", "recurrent"):
        firsts = [(keras, corpus[keras, name][0]) for keras in LATER if (keras, name) in corpus]
        for (old, one), (new, other) in itertools.combinations(firsts, 2):
            found = layerexplain.diff(str(one), str(other))
            differences = [d for change in found.changes for d in change.differences if not d.is_consequence]
            told = {(d.what.removeprefix("layer."), d.before, d.after) for d in differences}
            defaults = {
                ("recurrent_activation", "'hard_sigmoid_keras2'", "'sigmoid'"),
                ("reset_after", "False", "True"),
            }
            changed = name == "recurrent" and old in LATER[:3] and new in LATER[3:]
            assert {change.kind for change in found.changes} <= {"renamed", *(["changed"] if changed else [])}
            assert told == (defaults if changed else set()), (one, other)


def test_the_command(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(BASE)
    other.write_text(BASE.replace("Dense: 10", "Dense: 11"))

    def run(*arguments: str) -> Any:
        return invoke("diff", *arguments)

    assert run(str(one), str(one)).exit_code == 0 and "nothing differs" in run(str(one), str(one)).output
    result = run(str(one), str(other))
    assert result.exit_code == 1
    assert re.search(r"^~  head +Dense +units +10 +11$", result.output, re.MULTILINE)
    assert re.search("^Parameters +404 → 411$", result.output, re.MULTILINE)
    told = json.loads(run(str(one), str(other), "--format", "json").output)
    jsonschema.validate(told, SCHEMA)
    assert [one["layer"] for one in told["changes"]] == ["head"]
    lines = [json.loads(line) for line in run(str(one), str(other), "--format", "jsonl").output.splitlines()]
    assert lines == told["changes"]
    for line in lines:
        jsonschema.validate(line, {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/change"})
    assert run(str(one), str(other), "--format", "csv").output.startswith(
        "sign,layer,layer_after,type,what,before,after\n"
    )
    assert "| ~ | `head` |" in run(str(one), str(other), "--format", "markdown").output.replace("\\~", "~").replace(
        "`~`", "~"
    )
    missing = run(str(one), str(tmp_path / "nothing.yaml"))
    assert missing.exit_code == 2 and "no such file" in missing.output
    assert run(str(one)).exit_code == 2


@pytest.mark.parametrize(("edit", "by_name", "by_order"), [
    (("", ""), (3, 404, (), ()), ""),
    (("name: head", "name: top"), (2, 334, (), ("top",)), ""),
    (("Dense: 10", "Dense: 11"), (2, 334, ("head",), ()), "'head' has (6, 10) (10,), 'head' needs (6, 11) (11,)"),
    (("Dense: 10", "Dense: 10\n  - Dense: 3"), (3, 404, (), ("dense",)), "3 layers with weights, not 4"),
])  # fmt: skip
def test_what_load_weights_would_take(edit: tuple[str, str], by_name: Any, by_order: str) -> None:
    text = BASE.replace("name: head", "name: head\n  - Dense: 3") if "\n" in edit[1] else BASE.replace(*edit)
    found = layerexplain.diff(BASE.encode(), text.encode()).loading
    assert (tuple(found.by_name), found.by_order) == (by_name, by_order)


def test_values_of_weights_are_compared(tmp_path: Path) -> None:
    import h5py

    old = ROOT / "sample_models" / "digits.h5"
    assert layerexplain.diff(str(old), str(ROOT / "sample_models" / "digits.keras"), weights=True).alike
    new = tmp_path / "new.h5"
    new.write_bytes(old.read_bytes())
    with h5py.File(new, "r+") as file:
        found: list[Any] = []
        file["model_weights/digit"].visititems(lambda name, one: found.append(one) if name.endswith("bias") else None)
        values = found[0][()]
        found[0][2] = values[2] + 0.5
    (change,) = layerexplain.diff(str(old), str(new), weights=True).changes
    after = values.copy()
    after[2] += np.float32(0.5)
    norms = [f"norm {np.linalg.norm(some.astype(float)):.4g}" for some in (values, after)]
    assert (change.layer, tuple(change.differences[0])) == (
        "digit", ("bias", norms[0], f"{norms[1]}; 10% changed, by at most 0.5", False, False),
    )  # fmt: skip
    result = invoke("diff", old, new, "--weights")
    assert result.exit_code == 1 and "load_weights by order takes all." in result.output
    assert invoke("diff", old, new).exit_code == 0
    other = ROOT / "sample_models" / "digits.keras"
    told = [layerexplain.diff(str(new), str(other), weights=one).to_dict() for one in (False, True)]
    assert [one[side]["source"] for one in told for side in ("before", "after")] == [str(new), str(other)] * 2
    with pytest.raises(layerexplain.LayerExplainError, match="stores no weights"):
        layerexplain.diff(BASE.encode(), str(new), weights=True)


RECURRENT = "inputs: {x: {shape: [5, 4], batch_size: 2}}\nlayers:\n  - LSTM: {units: 3%s}\n"
IDS = "input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 4%s}\n"
ALONE = [
    (RECURRENT, "dropout: 0.2", True), (RECURRENT, "recurrent_dropout: 0.2", True), (RECURRENT, "stateful: true", False), (RECURRENT, "return_state: true", False), (RECURRENT, "zero_output_for_mask: true", False), (RECURRENT, "go_backwards: true", False), (IDS, "mask_zero: true", False),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "argument", "trains_only"), ALONE)
def test_what_other_layers_compute_with_is_no_matter_of_training_alone(
    spec: str, argument: str, trains_only: bool
) -> None:
    found = layerexplain.diff((spec % "").encode(), (spec % f", {argument}").encode())
    name = argument.partition(":")[0]
    assert [d.is_training for one in found.changes for d in one.differences if d.what == name] == [trains_only]
