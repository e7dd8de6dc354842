"""Where gradients go in a model: weights that get none and where the way ends, and which gradients a step needs."""

from typing import Any, NamedTuple

import pytest

from layerexplain import check, explain, read
from layerexplain.network.gradient_paths import NeededGradients, end_words, gradient_paths, lost_weights
from layerexplain.network.trace import trace_model
from layerexplain.render.documents.summary import layers_of_losses
from layerexplain.report.training_data import LossReport
from tests.support.check_rows import ARGMAX, ROUNDED, flat
from tests.support.frameworks import keras, tf


class Row(NamedTuple):
    """A spec, the weights that get no gradient, and where the ways to them end."""

    spec: str
    weights: list[str]
    ends: list[str]


LOSS = "loss: mse\n"
LOST = [
    Row(ARGMAX % ("", LOSS), ["two/kernel", "two/bias"], ["at argmax in 'argmax', which has no gradient: positions"]),
    Row(ROUNDED % "", ["dense/kernel", "dense/bias"], ["at round in 'whole', which has no gradient: constant between jumps"]),
    Row(flat("Dense: 3", "ops.StopGradient", "Dense: {units: 2, use_bias: false}", end=LOSS),
        ["dense/kernel", "dense/bias"], ["at stop_gradient in 'stop_gradient'"]),
    Row(flat("Dense: 3", "ops.Cast: {dtype: int32}", "ops.Cast: {dtype: float32}", "Dense: 2", end=LOSS),
        ["dense/kernel", "dense/bias"], ["in 'cast', where floats become integers or booleans"]),
    # What is drawn has the shape of a tensor and nothing of its numbers.
    Row(flat("Dense: 3", "GaussianNoise: 0.1", "AlphaDropout: 0.1", "ops.Round", "Dense: 2", end=LOSS),
        ["dense/kernel", "dense/bias"], ["at round in 'round', which has no gradient: constant between jumps"]),
    # In training alone the kernel also reaches its norm through vectors of which Keras takes no gradient.
    Row(flat("SpectralNormalization: {Dense: 3}", "ops.Round", "Dense: 2", end=LOSS),
        ["spectral_normalization/dense/kernel", "spectral_normalization/dense/bias"],
        ["at round in 'round', which has no gradient: constant between jumps",
        "at stop_gradient in 'spectral_normalization'"]),
    # What a layer outputs joins the loss by itself.
    Row(flat("Dense: {units: 3, activity_regularizer: l2}", "ops.Round", "Dense: 2", end=LOSS), [], []),
    Row(flat("Dense: 3", "ActivityRegularization: {l2: 0.1}", "ops.Round", "Dense: 2", end=LOSS), [], []),
    Row(flat("Dense: 3", "Dense: 2", end=LOSS), [], []),
    Row(flat("Dense: {units: 3, trainable: false}", "ops.Round", "Dense: 2", end=LOSS), [], []),
    Row(flat("Dense: 3", "ops.Argmax: {axis: -1}"), [], []),  # for inference
    Row(flat("Conv1D: {filters: 2, kernel_size: 2}", "Dropout: 0.2", "LSTM: 3", shape="[5, 3]", end=LOSS), [], []),
]  # fmt: skip


@pytest.mark.parametrize("row", LOST, ids=lambda row: row.spec[:40])
def test_weights_without_a_gradient_and_where_the_way_ends(row: Row) -> None:
    found = lost_weights(trace_model(read(row.spec.encode())))
    assert [f"{one.layer}/{one.weight}" for one in found] == row.weights
    assert list(dict.fromkeys(end_words(end) for one in found for end in one.ends)) == row.ends


NEEDED: list[tuple[str, dict[str, NeededGradients]]] = [
    (flat("Dense: 3", "Dense: 2"), {"dense": NeededGradients((0,), ()), "dense_1": NeededGradients((0,), (0,))}),
    (
        flat("Dense: {units: 3, trainable: false}", "Dense: 2", "ReLU"),
        {"dense": NeededGradients((0,), ()), "dense_1": NeededGradients((0,), ()), "re_lu": NeededGradients((0,), (0,))},
    ),
    ("inputs: {a: [6], b: [6]}\nlayers:\n  - Dense: 6\n    from: a\n  - Multiply:\n    from: [dense, b]\n",
        {"dense": NeededGradients((0,), ()), "multiply": NeededGradients((0,), (0,))}),
    (flat("Dense: 4", "ops.Split: {indices_or_sections: 2, axis: -1}") + "  - Dense: 2\n    from: split[1]\n",
        {"split": NeededGradients((1,), (0,)), "dense_1": NeededGradients((0,), (0,))}),
    (flat("LSTM: {units: 3, return_state: true}", "Dense: 2", shape="[5, 3]").replace("Dense: 2",
        "Dense: 2\n    from: lstm[2]"), {"lstm": NeededGradients((2,), ()), "dense": NeededGradients((0,), (0,))}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "needs"), NEEDED)
def test_which_gradients_a_step_needs(spec: str, needs: dict[str, NeededGradients]) -> None:
    found = gradient_paths(trace_model(read(spec.encode()))).needs
    assert {name: found[name, 0] for name in needs} == needs


@pytest.mark.keras
def test_an_output_that_nothing_reads_ends_the_way() -> None:
    x = keras.Input((6,))
    inner = keras.Model(
        x, [keras.layers.Dense(3, name="left")(x), keras.layers.Dense(4, name="right")(x)], name="heads"
    )
    left, _ = inner(x)
    model: Any = keras.Model(x, keras.layers.Dense(2)(left))
    found = lost_weights(trace_model(read(model)))
    assert [f"{one.layer}/{one.weight}" for one in found] == ["heads/right/kernel", "heads/right/bias"]
    assert {end_words(end) for one in found for end in one.ends} == {"at an output of 'heads' that nothing reads"}


def test_explain_says_what_the_model_does_to_gradients() -> None:
    rows = {row.layer: row for row in explain((ROUNDED % "").encode(), gradient=True).layers}
    assert rows["dense"].gradient is not None
    assert rows["dense"].gradient.facts[-1] == (
        "kernel and bias get no gradient in this model: the path ends at round in 'whole', which has no gradient: "
        "constant between jumps."
    )
    told = explain(flat("Dense: 3", "Dense: 2").encode(), gradient=True).layers
    assert told[1].gradient is not None and told[2].gradient is not None
    assert told[1].gradient.facts[-1] == "dx is not computed in training: nothing before this layer is trained."
    assert "dx is not" not in told[2].gradient.facts[-1]


def test_a_training_step_leaves_out_what_nothing_needs() -> None:
    report = explain(flat("Dense: 3", "Dense: 2").encode(), training={"loss": "mse"})
    assert report.training is not None and report.training.step is not None
    lines = [[line.text for line in one.gradient.statements] for one in report.training.step.gradients]
    assert lines[0][1] == "dx = dot(dy, transpose(W))"
    assert [line for line in lines[1] if line.startswith("dx")] == []


def test_a_frozen_layer_says_nothing_of_gradients_that_it_has_not() -> None:
    report = explain(flat("Dense: 3", "Dense: {units: 2, trainable: false}").encode(), gradient=True)
    told = report.layers[2].gradient
    assert told is not None and told.facts == ()


def test_a_result_that_is_read_where_no_shape_is_known_passes_its_gradient_on() -> None:
    code = """
import keras
from keras import layers
x = keras.Input((5,))
two = keras.Model(x, [layers.Dense(3, name="unread")(x), layers.Dense(2, name="read")(x)], name="two")
class Whole(keras.Model):
    def __init__(self):
        super().__init__()
        self.two, self.last = two, layers.Dense(1)
    def call(self, x):
        first, second = self.two(x)
        return self.last(second)
whole = Whole()
whole.compile("adam", "mse")
"""
    assert explain(code.encode()).outputs[0].shape is None
    found = [one for one in check(code.encode()) if one.code == "no-gradient"]
    assert [one.layer for one in found] == ["two/unread"]


def heads(keras: Any, trunk: list[Any], shared: Any | None) -> Any:
    """A model of three outputs behind a trunk; two of them also share a layer."""
    x = keras.Input((6,))
    h = x
    for layer in trunk:
        h = layer(h)
    left, right = (shared(h), shared(h)) if shared is not None else (h, h)
    outputs = [
        keras.layers.Dense(2, name="a")(left),
        keras.layers.Dense(3, name="b", kernel_regularizer="l2")(keras.layers.Dense(4, name="own")(right)),
        keras.layers.Dense(1, name="c")(keras.ops.stop_gradient(h)),
    ]
    return keras.Model(x, outputs)


@pytest.mark.keras
@pytest.mark.parametrize("kind", ["plain", "shared", "nested", "penalized", "frozen"])
def test_layers_of_each_loss_are_those_that_get_a_gradient_of_it_in_keras(kind: str, tmp_path: Any) -> None:
    first = keras.layers.Dense(5, name="first", activity_regularizer="l1" if kind == "penalized" else None)
    first.trainable = kind != "frozen"
    nested = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6, name="deep")], name="inner")
    shared = keras.layers.Dense(4, name="shared") if kind == "shared" else None
    model = heads(keras, [nested, first] if kind == "nested" else [first], shared)
    model.compile("adam", loss=dict.fromkeys("abc", "mse"))
    path = tmp_path / "model.keras"
    model.save(path)
    report = explain(path, detail=False)
    assert report.training is not None
    ours = {loss.output: set(loss.trains) for loss in report.training.losses}
    for number, name in enumerate("abc"):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(tf.ones((2, 6)))[number] ** 2)
        gets = tape.gradient(loss, model.trainable_variables)
        reached = {
            v.path.rpartition("/")[0] for v, one in zip(model.trainable_variables, gets, strict=True) if one is not None
        }
        assert ours[name] == reached, name


def test_a_summary_says_which_layers_several_losses_share() -> None:
    lines = layers_of_losses(
        [LossReport(f"o{i}", "mse", {}, None, "", ("stem", *["two"][: i < 2], f"o{i}")) for i in range(3)]
    )
    assert list(lines) == [
        "'o0' trains o0; 'o1' trains o1; 'o2' trains o2; 'o0' and 'o1' together train two; all 3 losses train stem"
    ]
