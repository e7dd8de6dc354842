"""`convert`: what is written says the same as its source; real Keras and our own reader are the oracles."""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.conversions.code import to_code
from layerexplain.conversions.config import to_config
from layerexplain.conversions.spec import to_spec
from layerexplain.conversions.today import in_todays_words
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.frontends.model_builder import automatic
from layerexplain.model import Layer, Model
from tests.support.commands import invoke
from tests.support.frameworks import keras, tf_keras
from tests.support.paths import ROOT
from tests.truth import load

SAMPLES = sorted(
    path for path in (ROOT / "sample_models").iterdir() if path.suffix in (".yaml", ".json", ".keras", ".h5")
)
OLD = ROOT / "tests" / "data" / "old"

SPECS = {
    "wrappers": """
input: [7, 4]
layers:
  - Bidirectional: {LSTM: {units: 6, return_sequences: true}, merge_mode: sum}
  - RNN: {cell: [{GRUCell: 3}, {LSTMCell: 5}], return_sequences: true}
  - TimeDistributed: {Dense: {units: 5, activation: relu}}
  - Dense: {units: 3, kernel_regularizer: {L2: {l2: 0.002}}, kernel_constraint: max_norm, bias_initializer: ones}
""",
    "a layer called twice": """
inputs: {left: [5], right: {shape: [5], dtype: float16}}
layers:
  - Dense: {units: 4, use_bias: false, trainable: false}
    name: shared
    from: left
  - reuse: shared
    name: other
    from: right
  - Subtract:
    from: [shared, other]
  - ops.Multiply:
    from: [subtract, 2.5]
  - Dropout: 0.3
    training: false
outputs: [dropout, shared]
optimizer: {SGD: {learning_rate: 0.5, momentum: 0.9}}
loss: {dropout: mse, shared: {Huber: {delta: 2.5}}}
metrics: {dropout: [mae]}
""",
    "blocks": """
input: [16, 16, 8]
layers:
  - Sequential: [{Conv2D: {filters: 8, kernel_size: 3, padding: same}}, BatchNormalization, ReLU]
    name: block
    repeat: 3
  - Conv2D: {filters: 8, kernel_size: 1}
    repeat: 4
  - Functional: {inputs: {a: [16, 16, 8]}, layers: [{Flatten: {}, name: flat}, {Dense: 3, name: d}], outputs: [flat, d]}
    name: two
  - Dense: 2
    from: two[1]
""",
    "operations in a row": """
input: [6]
layers:
  - Dense: 4
  - ops.Celu: {}
  - Model: {input: [4], layers: [{Dense: 3}, {ops.Absolute: {}}]}
""",
    "states": """
inputs: {x: [5, 3], h: [4], c: [4]}
layers:
  - LSTM: {units: 4, return_sequences: true, return_state: true}
    from: [x, h, c]
  - MultiHeadAttention: {num_heads: 2, key_dim: 3, use_causal_mask: true}
    from: {query: lstm, value: lstm}
outputs: [multi_head_attention, "lstm[1]", "lstm[2]"]
""",
    "residual": """
input: [32]
layers:
  - Dense: {units: 32, activation: relu}
    name: a1
  - Dense: 32
    name: a2
  - Add:
    name: a3
    from: [input, a2]
  - Dense: {units: 32, activation: relu}
    name: b1
  - Dense: 32
    name: b2
  - Add:
    name: b3
    from: [a3, b2]
  - Dense: {units: 32, activation: relu}
    name: c1
  - Dense: 32
    name: c2
  - Add:
    name: c3
    from: [b3, c2]
""",
}  # fmt: skip


@pytest.fixture(scope="module")
def old_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("old")
    for archive in sorted(OLD.glob("*.zip")):
        with zipfile.ZipFile(archive) as found:
            found.extractall(place / archive.stem)
    files = [path for path in place.glob("*/*") if not path.name.endswith(("weights.h5", "_export"))]
    return sorted(files)


def facts(model: Model) -> Any:
    """What a model is: its layers with their arguments, its calls, its ends; where it stands is left out."""

    def plain(value: Any, outermost: bool = False) -> Any:
        if isinstance(value, Layer):
            name = "" if automatic(value) and not outermost else value.name
            return (name, value.type, plain(value.config), None if value.model is None else facts(value.model))
        if isinstance(value, Mapping):
            return sorted((key, plain(one)) for key, one in value.items())
        parts = tuple(map(plain, value)) if isinstance(value, list | tuple) and not hasattr(value, "call") else value
        return parts[0] if isinstance(parts, tuple) and len(parts) > 1 and len(set(map(repr, parts))) == 1 else parts

    layers = {layer.name: (layer.kind, plain(layer, True)) for layer in model.layers}
    calls = sorted(repr((call.layer, call.index, call.args, dict(call.kwargs))) for call in model.calls)
    return model.type, layers, calls, model.inputs, model.outputs, model.trainable


def reads_back(source: Any) -> str:
    """Write a spec, read it, and hold both models against each other; return the spec."""
    model = read(source)
    text = to_spec(model)
    again = read(text.encode())
    assert not again.faults
    assert facts(in_todays_words(again)) == facts(in_todays_words(model))
    assert to_spec(again) == text
    return text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_spec_reads_back_as_the_same_model(path: Path) -> None:
    reads_back(path)


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_of_a_spec(name: str) -> None:
    reads_back(SPECS[name].encode())


def test_what_is_repeated_is_said_once() -> None:
    text = reads_back(SPECS["blocks"].encode())
    assert "    name: block\n    repeat: 3\n" in text
    assert "  - Conv2D: {filters: 8, kernel_size: 1}\n    repeat: 4\n" in text


def test_old_files_as_specs_and_code(old_files: list[Path]) -> None:
    """Every file of the corpus is written in each form."""
    for path in old_files:
        to_code(read(path))
        to_config(read(path))
        reads_back(path)


READ_BACK = [path for path in SAMPLES if path.name != "keras_1_convnet.json"]
"""Sources whose layers `diff` can tell apart when automatic names are numbered anew."""


@pytest.mark.parametrize(
    "source", [*READ_BACK, *(name for name in SPECS if name != "blocks")], ids=lambda one: getattr(one, "name", one)
)
def test_code_reads_back_as_the_same_model(source: Any, tmp_path: Path) -> None:
    model = read(source if isinstance(source, Path) else SPECS[source].encode())
    written = tmp_path / "model.py"
    written.write_text(to_code(model))
    found = api.diff(model, written)
    assert {change.kind for change in found.changes} <= {"renamed"}
    assert found.before.totals == found.after.totals


@pytest.mark.keras
def test_keras_makes_the_same_of_what_is_written() -> None:
    """Configuration JSON and code make models whose configurations are those of the sources, as Keras has them."""
    from tests.support.converted import configuration

    # Of the large ones, keras.applications, test_applications makes the same.
    others = ("keras_1_branches", "keras_1_convnet", "resnet50", "efficientnet_b0")
    sources = [path for path in SAMPLES if path.suffix != ".yaml" and path.stem not in others]
    for source in (*sources, *[text.encode() for text in SPECS.values()]):
        keras.utils.clear_session(free_memory=False)
        model = read(source)
        if isinstance(source, bytes):
            theirs = None  # Keras does not read specs
        elif source.suffix == ".json":
            theirs = keras.models.model_from_json(source.read_text())
        else:
            theirs = keras.models.load_model(source, compile=False)
        from_config = keras.models.model_from_json(json.dumps(to_config(model)))
        keras.utils.clear_session(free_memory=False)
        space: dict[str, Any] = {}
        exec(compile(to_code(model), "<code>", "exec"), space)  # our own output
        from_code = space["model"]
        assert from_code.count_params() == from_config.count_params()
        assert configuration(from_code, names=False) == configuration(from_config, names=False)
        if theirs is not None:
            assert configuration(from_config) == configuration(theirs)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["EfficientNetV2B0", "MobileNetV3Small"])
def test_applications(name: str) -> None:
    """Keras makes of our code what it recorded; others are held by their hash in tests/report/test_architecture.py."""
    from tests.support.converted import configuration

    theirs = load("keras3", name)["config"]
    model = read(json.loads(theirs))
    keras.utils.clear_session(free_memory=False)
    if name == "MobileNetV3Small":  # a build costs seconds, and all that is in them is in one
        from_config = keras.models.model_from_json(json.dumps(to_config(model)))
        assert configuration(from_config) == configuration(theirs)
        keras.utils.clear_session(free_memory=False)
    space: dict[str, Any] = {}
    exec(compile(to_code(model), "<code>", "exec"), space)
    assert configuration(space["model"], names=False) == configuration(theirs, names=False)


def run(*args: str) -> tuple[int, str, str]:
    found = invoke("convert", *args)
    # What was written is said; here it is about what else is.
    said = re.sub(r"^layerexplain: wrote \S+ \([\d.,]+ (bytes|kB)\)\n", "", found.stderr)
    assert (said != found.stderr) == (found.exit_code == 0 and "-" not in args)
    return found.exit_code, found.stdout, said


def test_targets(tmp_path: Path) -> None:
    source, target = str(ROOT / "sample_models" / "digits.keras"), tmp_path / "d.yaml"
    assert run(source, str(target)) == (0, "", "")
    written = target.read_text()
    assert run(source, "-", "--to", "yaml") == (0, written, "")
    code, _, said = run(source, str(target))
    assert (code, said) == (1, f"layerexplain: error: {target}: already exists; use --overwrite\n")
    assert run(source, str(target), "--force")[0] == 0
    assert run(source, "-")[0] == 1 and run(source, str(tmp_path / "d.txt"))[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.yaml"]


def test_a_hostile_name_of_an_argument_does_not_become_code() -> None:
    hostile = "minval=0), __import__('os').system('true'), dict(a"
    initializer = {"class_name": "RandomUniform", "config": {hostile: 1}, "module": "keras.initializers"}
    config = {"units": 3, "kernel_initializer": initializer}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}},
        {"class_name": "Dense", "config": config},
    ]
    document = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with pytest.raises(LayerExplainError, match="is not a name in Python"):
        to_code(read(json.dumps(document).encode()))


def slashed() -> dict[str, Any]:
    """What Keras 2 wrote of a model with '/' in names: beside a name that is taken, in a nested model and a wrapper."""

    def layer(class_name: str, name: str, sources: list[str], **config: Any) -> dict[str, Any]:
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}

    def graph(name: str, layers: list[Any], inputs: str, *outputs: str) -> dict[str, Any]:
        ends = [[one, 0, 0] for one in outputs]
        return {"name": name, "layers": layers, "input_layers": [[inputs, 0, 0]], "output_layers": ends}

    first = layer("InputLayer", "in/put", [], batch_input_shape=[None, 5, 7], dtype="float32")
    inner = graph("in/ner", [first, layer("Dense", "deep/er", ["in/put"], units=3)], "in/put", "deep/er")
    wrapped = {"class_name": "Dense", "config": {"name": "wrap/ped", "units": 2}}
    nested = {**layer("Functional", "in/ner", ["a/b"]), "config": inner}
    layers = [
        first,
        layer("Dense", "a_b", ["in/put"], units=7),
        layer("Dense", "a/b", ["a_b"], units=7),
        nested,
        layer("TimeDistributed", "each/one", ["in/ner"], layer=wrapped),
        layer("Concatenate", "to/gether", ["a/b", "each/one"], axis=-1),
    ]
    config = graph("a/ll", layers, "in/put", "to/gether", "a_b")
    return {"class_name": "Functional", "config": config, "keras_version": "2.15.0", "backend": "tensorflow"}


@pytest.mark.parametrize("form", ["yaml", "json", "py"])
def test_names_with_a_slash_become_names_that_keras_takes(form: str, tmp_path: Path) -> None:
    source, target = tmp_path / "old.json", tmp_path / f"new.{form}"
    source.write_text(json.dumps(slashed()))
    note = "layerexplain: note: Keras 3 allows no '/' in names: 'a/ll' is 'a_ll', and 7 more\n"
    assert run(str(source), str(target)) == (0, "", note)
    made = read(target)
    assert [one.name for one in made.layers] == ["in_put", "a_b", "a_b_1", "in_ner", "each_one", "to_gether"]
    inner = next(one.model for one in made.layers if one.model is not None)
    assert [one.name for one in inner.layers] == ["in_put", "deep_er"]
    assert [ref.layer for ref in made.outputs] == ["to_gether", "a_b"]
    assert [row.output_shapes for row in api.explain(made).layers] == [
        row.output_shapes for row in api.explain(source).layers
    ]
    other = tmp_path / "again.json"
    assert run(str(target), str(other)) == (0, "", "") and "/" not in "".join(
        name for name in re.findall('"name": "([^"]*)"', other.read_text())
    )


@pytest.mark.keras
def test_a_keras_file_of_names_with_a_slash(tmp_path: Path) -> None:
    x = tf_keras.Input((5, 7), name="in/put")
    y = tf_keras.layers.Dense(7, name="a/b")(tf_keras.layers.Dense(7, name="a_b")(x))
    inner = tf_keras.Sequential([tf_keras.Input((5, 7)), tf_keras.layers.Dense(3, name="deep/er")], name="in/ner")
    old = tf_keras.Model(x, inner(y), name="a/ll")
    old.save(tmp_path / "old.keras")
    code, _, said = run(str(tmp_path / "old.keras"), str(tmp_path / "new.keras"), "--input", "in/put=5,7")
    assert (code, said.count("'a/ll' is 'a_ll', and 4 more")) == (0, 1)
    new = keras.models.load_model(tmp_path / "new.keras")
    given = np.linspace(-1, 1, 70, dtype="float32").reshape(2, 5, 7)
    np.testing.assert_allclose(new(given), old(given), atol=1e-5)
    assert [one.name for one in new.layers] == ["in_put", "a_b", "a_b_1", "in_ner"]


@pytest.mark.parametrize("form", ["py", "yaml", "json"])
def test_a_model_whose_call_makes_its_inputs_is_written_with_them(form: str, tmp_path: Path) -> None:
    source, target = tmp_path / "net.py", tmp_path / f"written.{form}"
    source.write_text(
        "import keras\nfrom keras import layers\nclass Net(keras.Model):\n    def __init__(self):\n"
        "        super().__init__()\n        self.d = layers.Dense(3)\n    def call(self, inputs):\n"
        "        return self.d(inputs)\nmodel = Net()\nmodel(keras.Input((5,)))\n"
    )
    api.convert(str(source), str(target))
    assert api.explain(str(target)).totals.params == 5 * 3 + 3
