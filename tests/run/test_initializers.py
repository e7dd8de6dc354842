"""Weights that a source does not have begin as Keras's do: which initializer each has, and what it draws."""

from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.model import TrainingSetting
from layerexplain.network.trace import trace_model
from layerexplain.report.settings import mean_square
from layerexplain.run.initializers import Beginning, beginning_of
from tests.support.frameworks import keras

np = pytest.importorskip("numpy")

CONSTANT = {"Zeros": 0.0, "Ones": 1.0}

INITIALIZERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("RandomUniform", {}, (211, 97)),
    ("RandomUniform", {"minval": 0.2, "maxval": 0.7}, (211, 97)),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3}, (211, 97)),
    ("TruncatedNormal", {"stddev": 0.3}, (211, 97)),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_out", "distribution": "uniform"}, (3, 5, 61, 23)),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}, (3, 5, 61, 23)),
    ("GlorotUniform", {}, (3, 5, 61, 23)),
    ("GlorotNormal", {}, (211, 97)),
    ("HeUniform", {}, (3, 5, 61, 23)),
    ("HeNormal", {}, (211, 97)),
    ("LecunUniform", {}, (211, 97)),
    ("LecunNormal", {}, (3, 5, 61, 23)),
    ("Orthogonal", {"gain": 2.0}, (211, 97)),
    ("Orthogonal", {}, (7, 5, 127)),
    ("Identity", {"gain": 3.0}, (7, 5)),
    ("Constant", {"value": 0.25}, (7, 5)),
]


@pytest.mark.parametrize(("name", "config", "shape"), INITIALIZERS)
def test_the_expected_square_is_that_of_many_draws(name: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    setting = TrainingSetting(name, config)
    expected = mean_square(setting, shape)
    drawn = float(np.mean(np.square(Beginning(setting).values(shape, np.random.default_rng(7)))))
    assert expected is None if name in ("Identity", "Constant") else expected == pytest.approx(drawn, rel=0.03)


@pytest.mark.keras
@pytest.mark.parametrize(("name", "config", "shape"), INITIALIZERS)
def test_values_are_distributed_as_those_of_keras(name: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours = Beginning(TrainingSetting(name, config)).values(shape, np.random.default_rng(3))
    initializer = getattr(keras.initializers, name)
    try:
        theirs = np.asarray(initializer(**config, seed=5)(shape))
    except TypeError:  # a constant draws nothing
        theirs = np.asarray(initializer(**config)(shape))
    assert ours.shape == theirs.shape
    # A bound is met as nearly as 20,000 draws come to it; a normal distribution has none.
    bounded = name not in ("RandomNormal", "Orthogonal") and config.get("distribution") != "untruncated_normal"
    for statistic in (np.mean, np.std, np.min, np.max)[: 4 if bounded else 2]:
        wanted, found = float(statistic(theirs)), float(statistic(ours))
        assert found == pytest.approx(wanted, rel=0.03, abs=0.06 * float(np.std(theirs)) + 1e-7), statistic.__name__
    if name == "Orthogonal":
        for values in (ours, theirs):
            flat = values.reshape(-1, shape[-1])
            flat = flat if flat.shape[0] > flat.shape[1] else flat.T
            gain = config.get("gain", 1.0)
            np.testing.assert_allclose(flat.T @ flat, gain**2 * np.eye(flat.shape[1]), atol=1e-5)


def _layers(L: Any, keras: Any) -> list[tuple[Any, tuple[int, ...]]]:  # noqa: N803
    he = keras.initializers.HeNormal()
    return [
        (L.Dense(3), (5,)),
        (L.Dense(3, kernel_initializer=he, bias_initializer=keras.initializers.Constant(0.5)), (5,)),
        (L.Conv2D(3, 2, kernel_initializer="orthogonal"), (5, 4, 3)),
        (L.SeparableConv1D(3, 2, depthwise_initializer="he_uniform", pointwise_initializer=he), (5, 4)),
        (L.DepthwiseConv2D(3, depthwise_initializer="lecun_normal"), (5, 4, 3)),
        (L.Conv1DTranspose(3, 2), (5, 4)),
        (L.Embedding(7, 3), (5,)),
        (L.Embedding(7, 3, embeddings_initializer="glorot_normal"), (5,)),
        (L.LSTM(3), (5, 4)),
        (L.LSTM(3, unit_forget_bias=False, recurrent_initializer="glorot_normal"), (5, 4)),
        (L.GRU(3, bias_initializer="random_normal"), (5, 4)),
        (L.SimpleRNN(3, kernel_initializer=he), (5, 4)),
        (L.RNN(L.LSTMCell(3, kernel_initializer=he)), (5, 4)),
        (L.ConvLSTM1D(3, 2), (5, 4, 3)),
        (L.Bidirectional(L.LSTM(3, kernel_initializer=he)), (5, 4)),
        (L.TimeDistributed(L.Dense(3, kernel_initializer=he)), (5, 4)),
        (L.SpectralNormalization(L.Dense(3, kernel_initializer=he)), (5,)),
        (L.BatchNormalization(), (5, 4)),
        (L.BatchNormalization(gamma_initializer="zeros", moving_mean_initializer="ones"), (5, 4)),
        (L.LayerNormalization(), (5, 4)),
        (L.GroupNormalization(2), (5, 4)),
        (L.RMSNormalization(), (5, 4)),
        (L.PReLU(), (5, 4)),
        (L.PReLU(alpha_initializer=keras.initializers.Constant(0.2)), (5, 4)),
        (L.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d"), (5, 4)),
    ]


@pytest.mark.keras
def test_each_weight_begins_as_in_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    from layerexplain.oracle.keras_model import KerasModel

    given: dict[int, Any] = {}
    add_weight = keras.layers.Layer.add_weight

    def noted(self: Any, shape: Any = None, initializer: Any = None, *more: Any, **named: Any) -> Any:
        variable = add_weight(self, shape, initializer, *more, **named)
        given[id(variable)] = keras.initializers.get(initializer) if isinstance(initializer, str) else initializer
        return variable

    monkeypatch.setattr(keras.layers.Layer, "add_weight", noted)
    compared = 0
    models = [keras.Sequential([keras.Input(shape), layer]) for layer, shape in _layers(keras.layers, keras)]
    x = keras.Input((5, 4))
    for attention in (
        keras.layers.MultiHeadAttention(2, 3, kernel_initializer="he_uniform", bias_initializer="ones"),
        keras.layers.AdditiveAttention(),
        keras.layers.Attention(use_scale=True, score_mode="concat"),
    ):
        arguments = (x, x) if "Multi" in type(attention).__name__ else ([x, x],)
        models.append(keras.Model(x, attention(*arguments)))
    for real in models:
        network = trace_model(layerexplain.read(real))
        for one, _, variables in KerasModel(real, "of the model").variables(network):
            for weight, variable in zip(one.weights, variables, strict=True):
                beginning = beginning_of(one.layer, weight)
                assert beginning is not None and not beginning.unknown, variable.path
                theirs = given[id(variable)]
                if beginning.forgets:
                    values = beginning.values(tuple(variable.shape), np.random.default_rng(0))
                    np.testing.assert_array_equal(values, np.asarray(variable), err_msg=variable.path)
                else:
                    config = {k: v for k, v in theirs.get_config().items() if k != "seed"}
                    kept = {k: v for k, v in beginning.setting.config.items() if k != "seed"}
                    assert beginning.setting.name == type(theirs).__name__, variable.path
                    assert kept.items() <= config.items(), variable.path
                if beginning.setting.name in CONSTANT and not beginning.forgets:
                    assert float(np.asarray(variable).flat[0]) == CONSTANT[beginning.setting.name]
                compared += 1
    assert compared > 70


SPEC = b"""
input: [7]
layers:
  - Dense: {units: 5, kernel_initializer: %b, name: d}
"""


def _traced(initializer: bytes, seed: int = 0) -> Any:
    return layerexplain.trace(SPEC % initializer, np.eye(7, dtype="float32"), seed=seed)


def test_a_run_draws_them_and_says_so() -> None:
    made = _traced(b"{Constant: {value: 0.25}}")
    np.testing.assert_array_equal(made["d"], np.full((7, 5), 0.25, "float32"))
    (note,) = [one.message for one in made.notes if one.code == "drawn-weights"]
    assert "weights begin as their initializers say, drawn from seed 0" in note and "not known" not in note
    limit = np.sqrt(6 / (7 + 5))
    first, again, other = (_traced(b"glorot_uniform", seed)["d"] for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert 0.8 * limit < np.abs(first).max() <= limit


def test_an_unknown_initializer_is_named() -> None:
    (note,) = [one.message for one in _traced(b"mine").notes if one.code == "drawn-weights"]
    assert note.endswith(". Of mine the values are not known: the layers' defaults replace them")


@pytest.mark.parametrize(
    ("initializer", "words"),
    [
        (b"{Constant: {values: 1}}", "Constant with values=1 cannot initialize a weight of 7 × 5"),
        (b"{Constant: {value: [1, 2, 3]}}", r"Constant with value=.* cannot initialize"),
    ],
)
def test_what_keras_refuses_is_refused(initializer: bytes, words: str) -> None:
    with pytest.raises(LayerExplainError, match=words):
        _traced(initializer)
