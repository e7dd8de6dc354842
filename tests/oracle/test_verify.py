"""`verify`: it agrees where it should, says why it did not compare, refuses what would run code, and its manners."""

import io
import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.oracle import keras_files, reference
from layerexplain.oracle.keras_files import keras_model_of_layers, must_be_keras
from layerexplain.oracle.keras_model import KerasModel, draw_weights
from layerexplain.oracle.verify import VerifyOptions, compared, verify
from layerexplain.oracle.verify_report import VerifyReport
from layerexplain.report.data import InputReport
from layerexplain.run.initializers import draw_inputs
from tests.support import real_models, verified_models
from tests.support.commands import invoke
from tests.support.frameworks import keras
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
SCHEMA = json.loads((ROOT / "docs" / "verify.schema.json").read_text("utf-8"))

needs_keras = pytest.mark.keras


run = partial(invoke, "verify")


def check_agrees(report: VerifyReport) -> None:
    """Everything was compared and agrees, layer by layer and end to end."""
    assert not [check for check in report.layers if check.status != "agrees"]
    assert report.layers
    assert report.whole.status == "agrees"
    assert report.whole.difference is not None
    assert report.agrees
    assert not Draft202012Validator(SCHEMA).is_valid({})
    assert not [error.message for error in Draft202012Validator(SCHEMA).iter_errors(report.to_dict())]
    assert not [note for note in report.notes if note.code == "keras-differs-from-itself"]


# It agrees ------------------------------------------------------------------------------------------------------


@needs_keras
@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_it_agrees_on_the_sample_specs(name: str) -> None:
    report = verify(SAMPLES / name)
    check_agrees(report)
    assert report.weights == "drawn"


@needs_keras
@pytest.mark.parametrize("name", ["digits.keras", "digits.h5"])
def test_it_agrees_on_a_trained_model_with_its_own_weights(name: str) -> None:
    report = verify(SAMPLES / name)
    check_agrees(report)
    assert report.weights == "of the model"
    assert [check.params for check in report.layers if check.params] == [108, 48, 2616, 970]


@needs_keras
@pytest.mark.parametrize("named", [("query_mask",), ("value_mask",), ("query_mask", "value_mask", "key_mask")])
def test_it_agrees_on_attention_that_is_given_its_masks(named: tuple[str, ...]) -> None:
    """Keras's MultiHeadAttention looks at the mask that the query carries and not at its argument query_mask."""
    x = keras.Input((5, 8), name="x")
    allowed = keras.Input((5, 5), dtype="bool", name="allowed")
    masks = {name: keras.Input((5,), dtype="bool", name=name) for name in named}
    y = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x, x, attention_mask=allowed, **masks)
    report = verify(keras.Model([x, allowed, *masks.values()], y), drawn=True)
    check_agrees(report)


@needs_keras
@pytest.mark.parametrize("build", verified_models.MODELS + real_models.DERIVED, ids=lambda b: b.__name__)
def test_it_agrees_on_what_is_hard(build: Any) -> None:
    check_agrees(verify(build(keras), drawn=True))


SAVED = [
    verified_models.vision_transformer,
    verified_models.siamese,
    verified_models.frozen_backbone_at_each_step,
    verified_models.masked_numbers,
    real_models.translator,
    real_models.nested_twice,
]


@needs_keras
@pytest.mark.parametrize("build", SAVED, ids=lambda b: b.__name__)
def test_it_agrees_on_saved_files_with_their_weights(build: Any, tmp_path: Path) -> None:
    model = build(keras)
    draw_weights(model, np.random.default_rng(3))
    model.save(tmp_path / "m.keras")
    report = verify(tmp_path / "m.keras")
    check_agrees(report)
    assert report.weights == "of the model"
    # The same file without its ending, as bytes, unzipped, and the Model that was read of it.
    content = (tmp_path / "m.keras").read_bytes()
    (tmp_path / "plain").write_bytes(content)
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path / "folder")
    for source in (tmp_path / "plain", content, tmp_path / "folder", read(str(tmp_path / "m.keras"))):
        again = verify(source)
        assert again.layers == report.layers
        assert again.whole == report.whole


@needs_keras
def test_masks_and_ids_that_are_drawn_are_not_trivial() -> None:
    from layerexplain.network.trace import trace_at
    from layerexplain.run.initializers import wish_of

    model = read(verified_models.sequence_to_sequence(keras))
    network = trace_at(model, linked=True)
    source, target = draw_inputs(network, np.random.default_rng(0), 2)
    assert source.max() < 17
    assert target.max() < 13
    for ids in (source, target):
        assert (ids[0] == 0).any()
        assert (ids[:, 0] != 0).all()
    assert [wish_of(network, ref).masked for ref in model.inputs] == [0, 0]
    masked = read(verified_models.masked_numbers(keras))
    (numbers,) = draw_inputs(trace_at(masked, linked=True), np.random.default_rng(0), 2)
    assert (numbers == -2).all(axis=-1).any()


@needs_keras
def test_drawn_weights_hide_nothing_and_a_live_model_keeps_its_own() -> None:
    model = real_models.sequence(keras)
    before = model.get_weights()
    verify(model, drawn=True)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    draw_weights(model, np.random.default_rng(1))
    for variable in model.weights:
        assert (np.asarray(variable) != 0).all()
        assert "variance" not in variable.name or (np.asarray(variable) > 0).all()


@needs_keras
def test_the_seed_decides() -> None:
    spec = b"input: [5]\nlayers:\n  - Dense: 3\n"
    one, again, other = verify(spec, seed=3), verify(spec, seed=3), verify(spec, seed=4)
    assert one.layers[0].difference == again.layers[0].difference
    assert one.to_dict() == again.to_dict()
    assert one.seed != other.seed


@needs_keras
def test_unknown_sizes_are_chosen_or_given() -> None:
    spec = b"input: [null, null, 3]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 9}\n  - GlobalMaxPooling2D\n"
    report = verify(spec)
    check_agrees(report)
    assert report.inputs == (InputReport("input", (2, 28, 28, 3), "float32"),)
    given = verify(spec, inputs={"input": (11, 13, 3)})
    check_agrees(given)
    assert given.inputs[0].shape == (2, 11, 13, 3)


@needs_keras
def test_numbers_that_a_formula_can_take_are_drawn() -> None:
    x = keras.Input((5,), name="x")
    report = verify(keras.Model(x, keras.ops.log(keras.ops.sqrt(x))))
    check_agrees(report)


@needs_keras
def test_the_second_call_and_nested_layers_have_rows_of_their_own() -> None:
    report = verify(verified_models.siamese(keras))
    rows = [(check.path, check.call) for check in report.layers]
    assert rows.count(("encoder/block/turn", 0)) == 4
    told: list[tuple[int, int, str]] = []
    verify(verified_models.siamese(keras), progress=lambda *state: told.append(state))
    assert [done for done, _, _ in told] == list(range(len(report.layers)))
    assert {count for _, count, _ in told} == {len(report.layers)}
    assert told[-1][2] == "alike"


# It does not compare, and says why --------------------------------------------------------------------------------


@needs_keras
def test_an_opaque_layer_is_not_compared_and_the_others_are() -> None:
    report = verify(real_models.custom_in_the_middle(keras))
    assert [check.status for check in report.layers] == ["agrees", "not compared", "agrees"]
    assert "Mixed" in report.layers[1].reason
    assert report.whole.status == "not compared"
    assert report.agrees


@needs_keras
def test_it_says_where_it_differs() -> None:
    """A layer that does not compute what its class says."""

    class Doubled(keras.layers.Dense):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs) * 2

    model = real_models.sequence(keras)
    said = read(model)
    model.layers[-1].__class__ = Doubled
    report = compared(said, KerasModel(model, "of the model"), {}, VerifyOptions())
    assert [check.status for check in report.layers] == ["agrees"] * 6 + ["differs"]
    assert report.layers[-1].difference == pytest.approx(0.5)
    assert report.layers[-1].output_shapes.agree
    assert report.layers[-1].weight_shapes.agree
    assert report.whole.status == "differs"
    assert not report.agrees


MASKED = """
input: [6, 5]
layers:
  - Masking
  - Bidirectional: {layer: {LSTM: {units: 3, return_sequences: true}}}
  - Masking: -1.0
  - GRU: 4
"""


@needs_keras
def test_a_sequence_whose_mask_keras_computes_between_its_layers(tmp_path: Path) -> None:
    """Keras's graph of a Sequential has operations for a Masking's mask, which the Sequential does not list."""
    real = keras_model_of_layers(read(MASKED.encode()))
    stack = keras_sequential(real)
    path = tmp_path / "masked.keras"
    stack.save(path)
    for source in (MASKED.encode(), stack, path):
        report = verify(source)
        assert report.agrees and len(report.layers) == 4 and not report.of("not compared")


def keras_sequential(model: Any) -> Any:
    """The layers of a Functional model, one behind the other, as a Sequential."""
    layers = [one for one in model.layers if isinstance(one, keras.layers.Layer)]
    return keras.Sequential([type(one).from_config(one.get_config()) for one in layers])


@needs_keras
def test_a_model_that_gives_no_number_is_not_compared(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="good"), keras.layers.Dense(1, name="bad")])
    model.layers[-1].bias.assign([float("nan")])
    model.save(tmp_path / "nan.keras")
    report = verify(tmp_path / "nan.keras")
    assert [check.status for check in report.layers] == ["agrees", "not compared"]
    assert report.whole.status == "not compared" and "NaN or infinite everywhere" in report.whole.reason


@needs_keras
def test_it_says_which_weights_and_which_calls_differ() -> None:
    x = keras.Input((5,), name="x")
    wide = keras.Model(x, keras.layers.Dense(3, name="a")(x), name="m")
    narrow = keras.Model(x, keras.layers.Dense(2, name="a")(x), name="m")
    more = keras.Model(x, keras.layers.ReLU(name="b")(wide.layers[-1](x)), name="m")
    (check,) = compared(read(wide), KerasModel(narrow, "of the model"), {}, VerifyOptions()).layers
    assert (check.status, check.output_shapes.agree, check.weight_shapes.agree) == ("differs", False, False)
    assert check.reason == "its weights are (5, 3), (3,) in the formula, (5, 2), (2,) in Keras"
    rows = compared(read(wide), KerasModel(more, "of the model"), {}, VerifyOptions()).layers
    assert [(row.path, row.status) for row in rows] == [("a", "agrees"), ("b", "differs")]
    assert rows[1].reason == "Keras's model calls it, but the model that was read does not"
    rows = compared(read(more), KerasModel(wide, "of the model"), {}, VerifyOptions()).layers
    assert rows[1].reason == "Keras's model has no such call"


@needs_keras
def test_a_fault_of_keras_is_told_as_what_it_is() -> None:
    """As many columns as filters, channels first: TensorFlow's backend adds the bias along the columns."""
    spec = b"input: [3, 7, 5]\nlayers:\n  - Conv2D: {filters: 5, kernel_size: 1, data_format: channels_first}\n"
    report = verify(spec)
    assert report.layers[0].status == "not compared"
    assert "bias along the last axis" in report.layers[0].reason
    assert report.whole.status == "not compared"
    assert not report.agrees


# Safety ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if Keras is asked for anything."""

    def refuse() -> None:
        raise AssertionError("Keras was asked for")

    monkeypatch.setattr(keras_files, "load_keras", refuse)
    monkeypatch.setattr(reference, "_imported", refuse)


def archive(config: dict[str, Any]) -> bytes:
    """A .keras file without weights."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("config.json", json.dumps(config))
    return out.getvalue()


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    first = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 3], "name": "x"}}
    config = {"name": "m", "trainable": True, "layers": [first, *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def dense(**config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 2, **config}}


CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
HOSTILE = {
    "a Lambda": {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "d", "function": CODE}},
    "a Lambda by name": {"module": "keras.layers", "class_name": "Lambda",
        "config": {"name": "d", "function": {"module": "os", "class_name": "function", "config": "system"}}},
    "a class of another module": {"module": "subprocess", "class_name": "Popen", "config": {"name": "d"}},
    "a registered class": {"module": None, "class_name": "Mine", "config": {"name": "d"}, "registered_name": "Own>Mine"},
    "a SavedModel": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"name": "d", "filepath": "/x"}},
    "a pickled module": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"name": "d"}},
    "a function of os": dense(activation={"module": "os", "class_name": "function", "config": "system"}),
    "what acts in Keras": dense(kernel_initializer={"module": "keras.src.saving.saving_lib", "class_name": "function", "config": "load_model"}),
    "a class of Keras's utilities": dense(kernel_regularizer={"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"}}),
    "code as an activation": dense(activation=CODE),
    "a file to read": {"module": "keras.layers", "class_name": "StringLookup", "config": {"name": "d", "vocabulary": "/etc/passwd"}},
    "a function by which a nested model is compiled": {**sequential(dense()),
        "compile_config": {"loss": {"module": "os", "class_name": "function", "config": "system"}}},
    "a Lambda in a wrapper": {"module": "keras.layers", "class_name": "TimeDistributed",
        "config": {"name": "d", "layer": {"module": "keras.layers", "class_name": "Lambda",
        "config": {"name": "l", "function": CODE}}}},
}  # fmt: skip


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("form", ["archive", "json", "dict"])
def test_what_would_run_code_is_refused_before_keras_is_loaded(kind: str, form: str) -> None:
    config = sequential(HOSTILE[kind])
    source: Any = {"archive": archive(config), "json": json.dumps(config).encode(), "dict": config}[form]
    with pytest.raises(LayerExplainError, match="nothing was loaded"):
        verify(source)


@pytest.mark.usefixtures("no_keras")
def test_code_in_an_old_file_is_refused(tmp_path: Path) -> None:
    import h5py

    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}},
            {"class_name": "Lambda", "config": {"function": ["4wEAAAA="], "function_type": "lambda", "name": "l"}},
        ],
    }
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.2.0"
    with pytest.raises(LayerExplainError, match=r"old\.h5: layer 'l' is a Lambda.*nothing was loaded"):
        verify(tmp_path / "old.h5")


@pytest.mark.parametrize("build", [*verified_models.MODELS, *real_models.DERIVED], ids=lambda b: b.__name__)
@needs_keras
def test_what_keras_writes_itself_is_not_refused(build: Any) -> None:
    model = build(keras)
    model.compile("adam", "mse", metrics=["mae"])
    x = keras.Input((4,), name="outer")
    must_be_keras({"outer": json.loads(model.to_json()), "other": json.loads(keras.Model(x, x + 1).to_json())})


@needs_keras
def test_what_keras_refuses_is_told_in_its_own_words() -> None:
    with pytest.raises(LayerExplainError, match=r"^<bytes>: Keras refuses it: .*unitz"):
        verify(json.dumps(sequential(dense(unitz=4))).encode())


def test_a_model_without_a_graph_is_refused() -> None:
    subclassed = {"module": None, "class_name": "Net", "config": {"trainable": True}, "registered_name": "Net"}
    with pytest.raises(LayerExplainError, match="no layer graph"):
        verify(archive(subclassed))


# The command ----------------------------------------------------------------------------------------------------


@needs_keras
def test_the_command_prints_a_line_a_call_and_exits_with_0() -> None:
    result = run(SAMPLES / "digits.keras")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("digits · Sequential · ")
    assert "weights of the file, seed 0" in lines[0]
    assert lines[2].split() == ["Layer", "Type", "Output", "shape", "Parameters", "Difference", "Result"]
    assert [line.split()[0] for line in lines[3:6]] == ["to_unit_range", "strokes", "strokes_norm"]
    assert lines[-3].startswith("9 of 9 calls agree, 0 differ, 0 not compared. Largest difference: ")
    assert lines[-2].startswith("The model end to end: agrees, ")
    assert lines[-1] == "Parameters: 3,742 here, 3,742 in Keras"
    assert result.stderr == ""


@needs_keras
def test_json_follows_its_schema_and_several_sources_are_an_array(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("input: [3]\nlayers:\n  - Dense: -1\n")
    result = run(SAMPLES / "digits.h5", tmp_path / "wrong.yaml", "--format", "json")
    assert result.exit_code == 1
    assert "wrong.yaml:3: " in result.stderr
    (report,) = json.loads(result.stdout)
    assert Draft202012Validator(SCHEMA).is_valid([report])
    assert report["agrees"] is True
    assert report["totals"] == {"calls": 9, "agree": 9, "differ": 0, "not_compared": 0}
    lines = run(SAMPLES / "digits.h5", "--format", "jsonl").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    row = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/row"}]})
    assert all(row.is_valid(one) for one in rows)
    assert len(rows) == 9


@needs_keras
def test_standard_input_and_shapes_and_tolerance() -> None:
    spec = b"input: [null, 3]\nlayers:\n  - Dense: 4\n  - LSTM: 3\n"
    result = run("-", "--input", "5,3", "--format", "json", "--seed", "7", input=spec)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["source"] == "<stdin>"
    assert report["inputs"] == [{"name": "input", "shape": [2, 5, 3], "dtype": "float32"}]
    strict = run("-", "--tolerance", "1e-12", "--input", "5,3", input=spec)
    assert strict.exit_code == 1
    assert "DIFFERS" in strict.stdout


def test_a_tolerance_is_a_share() -> None:
    result = run("x.keras", "--tolerance", "2")
    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr


def test_without_tensorflow_one_line_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['keras'] = None; sys.argv = ['layerexplain', 'verify', sys.argv[1]]\n"
        "from layerexplain.cli.main import main; main()"
    )
    source = str(SAMPLES / "digits.keras")
    done = subprocess.run([sys.executable, "-c", code, source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("layerexplain: error: ")
    assert line.endswith("pip install tensorflow")


@needs_keras
def test_a_program_of_its_own_prints_nothing_but_the_result() -> None:
    command = [sys.executable, "-m", "layerexplain", "verify", str(SAMPLES / "digits.keras"), "--format", "csv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 10
