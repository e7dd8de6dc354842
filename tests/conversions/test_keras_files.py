"""Today's .keras file: what is refused before and after Keras writes it, and whose weights its layers get. Stand-ins take
the place of Keras; what is expected of values is written out."""

from __future__ import annotations

import json
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.conversions import keras_file
from layerexplain.conversions.gone_layers import GONE, layer_for
from layerexplain.conversions.keras_file import CarriedWeights
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, TrainingSetting
from layerexplain.network.trace import trace_layer, trace_model
from layerexplain.oracle.verify import ReferenceRun
from layerexplain.report.todays_training import TodaysTraining

# The new model computes the same ------------------------------------------------------------------------------------

SPEC = b"input: [4]\nlayers:\n  - Dense: {units: 3, name: d}\n"
W, B = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 2]]), np.float32([1, 2, 3])
X = np.float32([[1, 2, 3, 4], [0, 1, 0, 1]])
Y = X @ W + B


class Source:
    notes = ()

    def __init__(self, arrays: list[Any], origin: str = "of the file") -> None:
        self.arrays, self.origin = arrays, origin

    def arrays_of(self, path: tuple[str, ...], definition: Any) -> list[Any]:
        assert path == ("d",)
        return self.arrays


def agreed(
    monkeypatch: pytest.MonkeyPatch,
    outputs: list[Any],
    *,
    spec: bytes = SPEC,
    dtypes: tuple[str, ...] = ("float32",),
    x: Any = X,
) -> None:
    """Compare a model with one of Keras that gives these outputs."""
    model = read(spec)
    built: list[Any] = []

    def run(given: Any, saved: Any, inputs: Any, batch: int, seed: int) -> ReferenceRun:
        assert (given, inputs, batch, seed) == (model, {}, 2, 0)
        return ReferenceRun(keras_file.traced(model, {}), [x], outputs)

    monkeypatch.setattr(keras_file, "run_reference", run)
    saved: Any = SimpleNamespace(
        build=lambda shape: built.append(shape()),
        real=SimpleNamespace(layers=[SimpleNamespace(compute_dtype=one) for one in dtypes]),
    )
    keras_file._must_agree(model, saved, Source([W, B]), {})  # type: ignore[arg-type]
    assert len(built) == 1 and len(built[0]) == x.ndim


@pytest.mark.parametrize(("dtypes", "apart"), [(("float32",), 0.9e-4), (("float32", "float16"), 0.9e-2), ((), 0.9e-4)])
def test_outputs_may_be_off_by_roundings(
    monkeypatch: pytest.MonkeyPatch, dtypes: tuple[str, ...], apart: float
) -> None:
    scale = float(np.abs(Y).max())
    agreed(monkeypatch, [Y + np.float32(apart * scale)], dtypes=dtypes)
    with pytest.raises(LayerExplainError) as found:
        agreed(monkeypatch, [Y + np.float32(20 * apart * scale)], dtypes=dtypes)
    words = "the output of the new model differs from the formulas by "
    assert found.value.fact.startswith(words) and found.value.fact.endswith(
        "(of its largest value); nothing was written"
    )


def test_the_output_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    two = SPEC + b"  - ReLU\noutputs: [d, re_lu]\n"
    positive = np.maximum(Y, 0)
    agreed(monkeypatch, [Y, positive], spec=two)
    for outputs, words in (
        ([Y * 2, positive], "output 1 of the new model differs from the formulas by 5.0e-01 (of its largest value); nothing was written"),
        ([Y, positive[:1]], "output 2 of the new model differs from the formulas by inf (the values have shape (2, 3) in the formula and (1, 3) in Keras); nothing was written"),
    ):  # fmt: skip
        with pytest.raises(LayerExplainError) as found:
            agreed(monkeypatch, outputs, spec=two)
        assert found.value.fact == words


CONFIG = b'{"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "name": "x"}}, {"class_name": "Mine", "module": "my", "config": {"name": "the"}}]}, "keras_version": "2.9.0"}'


def test_what_cannot_be_compared_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LayerExplainError) as found:
        agreed(monkeypatch, [Y], spec=CONFIG)
    assert found.value.fact == "the formula of 'the' is unknown, so the new model cannot be checked"
    monkeypatch.setattr(keras_file, "is_random", lambda definition: True)
    with pytest.raises(LayerExplainError) as found:
        agreed(monkeypatch, [Y])
    assert found.value.fact == "it draws random numbers even at inference, so the new model cannot be checked"
    monkeypatch.setattr(keras_file, "is_random", lambda definition: False)

    def fail(*_: Any) -> Any:
        raise keras_file.NotComputed("differs", "no room")

    monkeypatch.setattr(keras_file, "computed", fail)
    with pytest.raises(LayerExplainError) as found:
        agreed(monkeypatch, [Y])
    assert found.value.fact == "the new model cannot be checked: no room"


ATTENTION = "input: [5, 4]\nlayers:\n  - Masking: {{mask_value: 0.0}}\n  - MultiHeadAttention: {{num_heads: 2, key_dim: 3{more}}}\n    from: {{query: masking, value: masking}}\n    name: the\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", ""),
        (", dropout: 0.1", "; at masked steps 'the' averages all values in Keras 2 and none in Keras 3, because it has dropout"),
        (", return_attention_scores: true", "; at masked steps 'the' averages all values in Keras 2 and none in Keras 3, because it returns its scores"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("masked", [True, False])
def test_attention_that_treats_masked_steps_in_another_way_is_named(more: str, words: str, masked: bool) -> None:
    spec = ATTENTION.format(more=more)
    if not masked:
        spec = spec.replace("Masking: {mask_value: 0.0}", "ReLU: {}\n    name: masking")
    assert keras_file._masked_attention(trace_model(read(spec.encode()))) == (words if masked else "")
    lstm = b"input: [5, 4]\nlayers:\n  - Masking\n  - LSTM: {units: 2, dropout: 0.1}\n"
    assert keras_file._masked_attention(trace_model(read(lstm))) == ""


def test_the_numbers_of_shared_objects_are_put_into_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"old": 1}}))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"numbers")
    keras_file._number_objects(str(path), {"class_name": "Other", "config": {"new": 2}})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert json.loads(parts.pop("config.json")) == {"class_name": "Functional", "config": {"new": 2}}
    assert parts == {"metadata.json": b"{}", "model.weights.h5": b"numbers"}


# How it is compiled -------------------------------------------------------------------------------------------------


SGD, MSE = TrainingSetting("SGD"), TrainingSetting("MeanSquaredError")
STATE = "the optimizer's state is not converted; training begins with a new state"


def fail(**given: Any) -> None:
    raise ValueError("no room\nat all")


def todays(optimizer: Any = None, loss: Any = None, left_out: Any = (), unsaid: Any = ()) -> TodaysTraining:
    return TodaysTraining(optimizer, {} if loss is None else {"": loss}, {}, {}, left_out, unsaid)


@pytest.mark.parametrize(
    ("training", "refuses", "compiled", "notes"),
    [
        (None, False, False, []),
        (todays(optimizer=SGD, loss=MSE), False, True, [STATE]),
        (todays(loss=MSE), False, True, []),
        (todays(optimizer=SGD), False, True, [STATE]),
        (todays(), False, False, []),
        (todays(left_out=("the loss mine",), unsaid=("so",)), False, False, ["so", "the loss mine is not part of Keras 3; the new model is not trained with it"]),
        (todays(optimizer=SGD, loss=MSE), True, True, ["the training configuration is left out: no room"]),
    ],
)  # fmt: skip
def test_a_model_is_compiled_as_its_source_was(
    monkeypatch: pytest.MonkeyPatch, training: Any, refuses: bool, compiled: bool, notes: list[str]
) -> None:
    done: list[Any] = []

    def compile_(**given: Any) -> None:
        done.append(given)
        if refuses:
            fail()

    monkeypatch.setattr(keras_file, "part_of_training", lambda value: f"Keras's {value.name}")
    assert list(keras_file._compile(SimpleNamespace(compile=compile_), training)) == notes
    assert bool(done) is compiled
    if compiled and training.optimizer is not None:
        assert done[0]["optimizer"] == "Keras's SGD"


# Whose weights a layer gets -----------------------------------------------------------------------------------------


def test_weights_are_those_of_the_layer_that_it_was() -> None:
    network = trace_model(read(b"input: [4]\nlayers:\n  - Sequential: [{Dense: {units: 3, name: d}}]\n    name: m\n"))
    asked: list[Any] = []
    source: Any = SimpleNamespace(
        origin="of the file", notes=("a note",), arrays_of=lambda path, definition: (asked.append(path), [W, B])[1]
    )
    carried = CarriedWeights(source, network, {("m", "d"): ("n", "e")})
    assert (carried.origin, carried.notes) == ("of the file", ("a note",))
    definition: Any = None
    assert carried.arrays_of(("n", "e"), definition) == [W, B] and asked == [("m", "d")]
    with pytest.raises(LayerExplainError) as found:
        carried.arrays_of(("m", "d"), definition)
    assert (found.value.fact, found.value.layer) == ("no layer of the source has its weights", "m/d")


@pytest.mark.parametrize(("type_", "gates"), [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
@pytest.mark.parametrize("both", [True, False])
def test_two_biases_of_cudnn_are_one_of_lstm_or_two_rows_of_gru(type_: str, gates: int, both: bool) -> None:
    cell = Layer("r", type_, "layer", {"units": 2})
    layer = Layer("b", "Bidirectional", "layer", {"layer": cell}) if both else cell
    definition = trace_layer(layer, [Spec((BATCH, 5, 3), "float")])
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=w.shape) for w in definition.weights]
    found = keras_file._joined_biases(arrays, definition)
    for start in (0, 3) if both else (0,):
        kernel, recurrent, bias = arrays[start : start + 3]
        assert found[start] is kernel and found[start + 1] is recurrent
        rows = bias.reshape(2, gates * 2)
        assert np.array_equal(found[start + 2], rows[0] + rows[1] if gates == 4 else rows)


# Layers that are gone -----------------------------------------------------------------------------------------------

SHAPE = (None, 3)


def weights_of(type_: str, config: dict[str, Any], given: list[Any]) -> dict[str, list[Any]]:
    return dict(GONE[type_].weights(Layer("the", type_, "layer", config), given))


def run(model: Any, x: Any, arrays: Any) -> Any:
    from layerexplain.run.activations import ModelRun

    network = keras_file.traced(model, {"input": x.shape[1:], "x": x.shape[1:]})
    source: Any = SimpleNamespace(
        origin="of the file", notes=(), arrays_of=lambda path, definition: arrays["/".join(path)]
    )
    *_, last = ModelRun(network, source, 0).run([x])
    return last.outputs[0]


RNG = np.random.default_rng(7)
GIVEN = RNG.normal(size=(2, 3)).astype("f4")


@pytest.mark.parametrize("bias", [True, False])
def test_the_largest_of_several_sums(bias: bool) -> None:
    kernel, own = RNG.normal(size=(4, 3, 5)).astype("f4"), RNG.normal(size=(4, 5)).astype("f4")
    config = {"units": 5, "nb_feature": 4, "use_bias": bias}
    stand_in = layer_for(Layer("the", "MaxoutDense", "layer", config), SHAPE).model
    arrays = weights_of("MaxoutDense", config, [kernel, own] if bias else [kernel])
    expected = np.max([GIVEN @ kernel[k] + (own[k] if bias else 0) for k in range(4)], axis=0)
    assert np.allclose(run(stand_in, GIVEN, arrays), expected, atol=1e-5)
    del config["nb_feature"]  # 4 unless it is said
    assert layer_for(Layer("the", "MaxoutDense", "layer", config), SHAPE).model == stand_in


@pytest.mark.parametrize("bias", [True, False])
def test_a_highway_mixes_what_comes_in_with_what_is_computed(bias: bool) -> None:
    h, t = (RNG.normal(size=(3, 3)).astype("f4") for _ in range(2))
    of_h, of_t = (RNG.normal(size=3).astype("f4") * bias for _ in range(2))
    config = {"activation": "tanh", "use_bias": bias}
    stand_in = layer_for(Layer("the", "Highway", "layer", config), SHAPE).model
    arrays = weights_of("Highway", config, [h, t, of_h, of_t] if bias else [h, t])
    gate = 1 / (1 + np.exp(-(GIVEN @ t + of_t)))
    expected = gate * np.tanh(GIVEN @ h + of_h) + (1 - gate) * GIVEN
    assert np.allclose(run(stand_in, GIVEN, arrays), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(None, 3), (None, 2, 3)])
@pytest.mark.parametrize("epsilon", [None, 0.25])
def test_the_batch_normalization_of_keras_0_3(shape: Any, epsilon: float | None) -> None:
    """(x - mean) / (deviation + ε) · γ + β, for each element."""
    x = RNG.normal(size=(2, *shape[1:])).astype("f4")
    gamma, beta, mean, deviation = (RNG.uniform(0.5, 1.5, shape[1:]).astype("f4") for _ in range(4))
    config = {} if epsilon is None else {"epsilon": epsilon}
    stand_in = layer_for(Layer("the", "BatchNormalization0", "layer", config), shape).model
    arrays = weights_of("BatchNormalization0", config, [gamma, beta, mean, deviation])
    expected = (x - mean) / (deviation + (epsilon or 1e-6)) * gamma + beta
    assert np.allclose(run(stand_in, x, arrays), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"axis": 1}, {"axis": 1, "epsilon": 1e-12, "momentum": 0.9}),
        ({"axis": 1, "momentum": 0.8, "trainable": False}, {"axis": 1, "epsilon": 1e-12, "momentum": 0.8, "trainable": False}),
        ({"axis": -1, "trainable": True}, {"axis": -1, "epsilon": 1e-12, "momentum": 0.9}),
    ],
)  # fmt: skip
def test_one_of_channels_is_todays(config: dict[str, Any], expected: dict[str, Any]) -> None:
    found = layer_for(Layer("the", "BatchNormalization0", "layer", config), (None, 3, 4))
    assert (found.type, found.config) == ("BatchNormalization", expected)
    gamma, beta, mean, deviation = (np.float32([k]) for k in (1, 2, 3, 4))
    (found_arrays,) = weights_of("BatchNormalization0", config, [gamma, beta, mean, deviation]).items()
    assert found_arrays[0] == "" and found_arrays[1][3] == pytest.approx(16, rel=1e-5)


@pytest.mark.parametrize(
    ("type_", "config", "shape", "words"),
    [
        ("Highway", {}, None, "is not in Keras 3, and its replacement depends on the input shape, which is unknown"),
        ("Highway", {}, (None, None), "is not in Keras 3, and its replacement depends on the input shape, which is (None, None)"),
        ("MaxoutDense", {"units": 2, "kernel_constraint": "MaxNorm"}, SHAPE, "has a constraint, which would mean something else in the layers that replace it"),
        ("Highway", {"bias_constraint": "MaxNorm"}, SHAPE, "has a constraint, which would mean something else in the layers that replace it"),
    ],
)  # fmt: skip
def test_what_cannot_stand_for_a_layer(type_: str, config: dict[str, Any], shape: Any, words: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        layer_for(Layer("the", type_, "layer", config), shape)
    assert found.value.fact == words


def test_settings_and_a_frozen_layer_are_carried_over() -> None:
    settings = {
        "kernel_initializer": "he_normal",
        "kernel_regularizer": "l2",
        "bias_regularizer": "l1",
        "use_bias": True,
    }
    found = layer_for(Layer("the", "MaxoutDense", "layer", {"units": 2, "trainable": False, **settings}), SHAPE)
    assert (found.name, found.kind, found.config) == ("the", "model", {"trainable": False})
    assert found.model is not None
    dense = next(one for one in found.model.layers if one.type == "Dense")
    assert dense.config == {"units": 8, **settings}
    assert layer_for(Layer("the", "MaxoutDense", "layer", {"units": 2}), SHAPE).config == {}


# The whole way ------------------------------------------------------------------------------------------------------


class Written:
    """A model of Keras that writes its configuration, and the steps that were taken."""

    def __init__(self, done: list[Any]) -> None:
        self.done = done

    def save(self, path: str) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        self.done.append("saved")


class Stand:
    def __init__(self, real: Any, weights: str) -> None:
        self.real, self.done = real, real.done
        assert weights == "of the model"

    def build(self, shape: Any) -> None:
        self.done.append(("built", shape()))

    def assign(self, network: Any, weights: Any) -> None:
        self.done.append(("assigned", network.model.name, weights.origin))


def written(
    monkeypatch: pytest.MonkeyPatch, source: Any, *, loads: bool = True, agrees: bool = True
) -> tuple[Any, list[Any]]:
    done: list[Any] = []
    opened: list[Any] = []

    @contextmanager
    def weights(given: Any, network: Any, *, seed: int, backend: str | None) -> Any:
        opened.append((given, seed, backend))
        yield source

    def load(path: str, safe_mode: bool) -> Any:
        assert safe_mode
        if not loads:
            raise ValueError("no class\nat all")
        return Written(done)

    def compare(model: Any, saved: Any, given: Any, inputs: Any) -> None:
        done.append("compared")
        if not agrees:
            raise LayerExplainError("it differs")

    monkeypatch.setattr(keras_file, "weight_source", weights)
    monkeypatch.setattr(keras_file, "KerasModel", Stand)
    monkeypatch.setattr(keras_file, "_must_agree", compare)
    monkeypatch.setattr(keras_file, "keras_model_of_config", lambda config, numbered: Written(done))
    monkeypatch.setattr(keras_file, "load_keras", lambda: SimpleNamespace(models=SimpleNamespace(load_model=load)))
    model = read(SPEC)
    try:
        return keras_file.to_keras_file("the source", model, model, {}, {}, "theano"), done
    finally:
        assert opened == [("the source", 0, "theano")]


def test_a_file_is_written_loaded_and_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    (content, notes), done = written(monkeypatch, Source([W, B]))
    assert content.startswith(b"PK") and notes == ()
    assert done == [("built", (BATCH, 4)), ("assigned", "sequential", "of the file"), "saved", "compared"]


NOTE = SimpleNamespace(code="other", message="its weights are elsewhere")


@pytest.mark.parametrize(
    ("origin", "notes", "how", "words"),
    [
        ("drawn", (), {}, "cannot become a .keras file: it stores no weights; convert it to .py, .yaml or .json"),
        ("drawn", (SimpleNamespace(code="drawn-weights", message="no"), NOTE), {}, "cannot become a .keras file: its weights are elsewhere; convert it to .py, .yaml or .json"),
        ("of the file", (SimpleNamespace(code="unknown-backend", message=""),), {}, "Keras 1 did not store its backend: give --backend tensorflow, or theano, which reads the kernels of convolutions backwards"),
        ("of the file", (NOTE,), {"loads": False}, "Keras cannot load the file that it saved: no class; convert it to .py or .json"),
        ("of the file", (), {"agrees": False}, "it differs"),
    ],
)  # fmt: skip
def test_why_no_file_is_written(
    monkeypatch: pytest.MonkeyPatch, origin: str, notes: Any, how: dict[str, bool], words: str
) -> None:
    source: Any = Source([W, B], origin)
    source.notes = notes
    with pytest.raises(LayerExplainError) as found:
        written(monkeypatch, source, **how)
    assert found.value.fact == words
