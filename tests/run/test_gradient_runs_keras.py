"""Steps of training by the derived gradients equal those of tf.GradientTape and of Keras's optimizers, end to end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.frameworks import keras, tf
from tests.support.keras_precision import float64, policy
from tests.support.training_rows import LOSSES
from tests.support.training_runs import apart

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.keras

EXACT = 1e-9
"""How far gradients in float64 may be off, by the largest."""


Built = tuple[Any, Any, dict[str, Any]]
"""A model, its inputs, and what it is trained with."""


def _masked(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    ids = keras.Input((7,), dtype="int32")
    x = L.Embedding(20, 6, mask_zero=True, embeddings_regularizer="l2")(ids)
    x = L.Bidirectional(L.GRU(5, return_sequences=True, recurrent_regularizer="l1"))(x)
    x = L.LSTM(4, return_sequences=True)(x)
    y = L.Dense(3, activation="softmax")(x)
    given = rng.integers(0, 20, (3, 7))
    given[:, 5:] = 0
    return keras.Model(ids, y), given, {"loss": "sparse_categorical_crossentropy"}


def _attention(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    ids = keras.Input((6,), dtype="int32")
    x = L.Embedding(11, 8, mask_zero=True)(ids)
    y = L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = L.LayerNormalization()(L.Add()([x, y]))
    y = L.Dense(1)(L.GlobalAveragePooling1D()(x))
    given = rng.integers(0, 11, (3, 6))
    given[0, 4:] = 0
    return keras.Model(ids, y), given, {"loss": {"Huber": {"delta": 0.5}}}


def _images(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    x = image = keras.Input((11, 9, 3))
    x = L.Conv2D(
        5,
        3,
        strides=2,
        padding="same",
        kernel_regularizer="l2",
        kernel_constraint=keras.constraints.MaxNorm(0.3, axis=[0, 1, 2]),
        use_bias=False,
    )(x)
    x = L.BatchNormalization()(x)
    x = L.Activation("swish")(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, depthwise_regularizer=keras.regularizers.L1L2(0.1, 0.2))(x)
    x = L.SeparableConv2D(4, 2, pointwise_regularizer="l1", activation="gelu")(x)
    x = L.GroupNormalization(2)(x)
    y = L.Dense(3, activation="sigmoid")(L.GlobalMaxPooling2D()(x))
    return keras.Model(image, y), rng.normal(size=(4, 11, 9, 3)), {"loss": "binary_crossentropy"}


def _several_outputs(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x = L.Concatenate()([a, b])
    shared = L.Dense(7, activation="tanh", activity_regularizer="l2")
    x = shared(x)
    x = shared(L.ActivityRegularization(l1=0.1, l2=0.3)(x))
    p = L.Dense(3, activation="softmax", name="p")(x)
    q = L.Dense(1, name="q")(L.Concatenate()([x, p]))
    given = {"a": rng.normal(size=(5, 4)), "b": rng.normal(size=(5, 3))}
    return keras.Model([a, b], [p, q]), given, {"loss": {"p": "categorical_crossentropy", "q": "mse"}}


def _nested(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    inner = keras.Sequential([keras.Input((4,)), L.Dense(6, activation="elu"), L.BatchNormalization(), L.Dense(4)])
    outer_in = keras.Input((4,))
    outer = keras.Model(outer_in, L.Add()([inner(outer_in), outer_in]), name="residual")
    head = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax")], name="head")
    x = keras.Input((4,))
    y = head(outer(outer(inner(x))))
    return keras.Model(x, y), rng.normal(size=(5, 4)), {"loss": "categorical_crossentropy"}


def _frozen(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    model, given, trained = _nested(L, keras, rng)
    model.layers[1].layers[0].trainable = False
    model.layers[1].layers[1].trainable = False
    model.get_layer("head").layers[0].kernel_regularizer = None
    return model, given, trained


def _wrapped(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="relu"), L.BatchNormalization()])
    x = keras.Input((3, 5))
    y = L.SimpleRNN(2, go_backwards=True, recurrent_constraint="unit_norm", bias_constraint="non_neg")(
        L.TimeDistributed(inner)(x)
    )
    return keras.Model(x, y), rng.normal(size=(4, 3, 5)), {"loss": "mae"}


def _spectral(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """A kernel that is divided before it is used, twice in a step, with a regularizer on what is stored."""
    shared = L.SpectralNormalization(L.Dense(5, kernel_regularizer="l2"), power_iterations=2)
    x = keras.Input((5,))
    y = L.SpectralNormalization(L.Dense(3))(shared(shared(x)))
    return keras.Model(x, y), rng.normal(size=(4, 5)), {"loss": "mse"}


def _inside_time(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """Regularizers and constraints of layers in a model that a wrapper holds."""
    inner = keras.Sequential([
        keras.Input((5,)),
        L.Dense(4, kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="unit_norm"),
        keras.Sequential([keras.Input((4,)), L.Dense(3, kernel_regularizer="l1")]),
    ])  # fmt: skip
    x = keras.Input((3, 5))
    y = L.TimeDistributed(L.Dense(2, kernel_regularizer="l2"))(L.TimeDistributed(inner)(x))
    return keras.Model(x, y), rng.normal(size=(4, 3, 5)), {"loss": "mse"}


def _penalized_inside(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """Activity regularizers that Keras hands on to the layers inside: each adds what it has for its own output."""
    x = keras.Input((4, 6))
    y = L.MultiHeadAttention(2, 3, activity_regularizer="l2")(x, x)
    y = L.GroupQueryAttention(4, 2, 1, activity_regularizer="l1")(y, y)
    y = L.Bidirectional(L.LSTM(3, return_sequences=True, activity_regularizer="l2"), merge_mode="mul")(y)
    other = L.GRU(3, go_backwards=True, activity_regularizer="l1")
    y = L.Bidirectional(L.GRU(3), backward_layer=other)(y)
    return keras.Model(x, y), rng.normal(size=(4, 4, 6)), {"loss": "mse"}


def _penalized_in_wrappers(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """Activity regularizers of layers inside layers: TimeDistributed runs the `call` of what it holds, past its own."""
    deep = keras.Sequential([keras.Input((5,)), L.Dense(4, activity_regularizer="l1"), L.ActivityRegularization(0.3)])
    shared = L.Dense(3, "tanh", activity_regularizer="l2")
    x = keras.Input((5,))
    y = shared(L.Dense(3)(deep(x)))
    inner = keras.Model(x, L.Add()([shared(y), y]))
    x = keras.Input((4, 5))
    y = L.TimeDistributed(L.Dense(5, activity_regularizer="l1"))(x)
    y = L.TimeDistributed(inner)(y)
    y = L.SpectralNormalization(L.Conv1D(3, 2, activity_regularizer="l2"))(y)
    y = L.Bidirectional(L.LSTM(2, return_sequences=True, activity_regularizer="l2"))(y)
    return keras.Model(x, y), rng.normal(size=(3, 4, 5)), {"loss": "mse"}


def _statistics_in_time(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """Running statistics inside TimeDistributed move at each step, also where masks leave some out, and in two calls."""
    deep = keras.Sequential([keras.Input((5,)), L.Dense(3, "tanh"), L.BatchNormalization(momentum=0.7)])
    inner = keras.Sequential([keras.Input((5,)), deep, L.BatchNormalization(momentum=0.6), L.Dense(5)])
    shared = L.TimeDistributed(inner)
    x = keras.Input((4, 5))
    y = shared(shared(L.Masking()(x)))
    y = L.TimeDistributed(L.BatchNormalization(momentum=0.8))(y)
    given = rng.normal(size=(3, 4, 5))
    given[1, 2:] = 0
    return keras.Model(x, y), given, {"loss": "mse"}


def _stateful(L: Any, keras: Any, rng: Any) -> Built:  # noqa: N803
    """Layers that keep their state: it begins at zeros, and no gradient passes from a call to the one before."""
    x = keras.Input(batch_shape=(3, 4, 5))
    y = L.LSTM(6, stateful=True, return_sequences=True)(x)
    shared = L.GRU(6, stateful=True, return_sequences=True)
    y = L.SimpleRNN(2, stateful=True)(shared(shared(y)))
    return keras.Model(x, y), rng.normal(size=(3, 4, 5)), {"loss": "mse"}


MODELS = [
    _statistics_in_time,
    _stateful,
    _penalized_inside,
    _penalized_in_wrappers,
    _masked,
    _attention,
    _images,
    _several_outputs,
    _nested,
    _frozen,
    _wrapped,
    _spectral,
    _inside_time,
]


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("build", MODELS, ids=lambda one: one.__name__.strip("_"))
def test_a_step_of_a_model_is_that_of_keras(build: Callable[..., Built], training: bool) -> None:
    with float64():
        model, given, trained = build(keras.layers, keras, np.random.default_rng(3))
        keras.utils.set_random_seed(5)
        for variable in model.weights:  # zeros hide what they are multiplied with
            value = np.random.default_rng(len(variable.path)).uniform(0.1, 0.6, variable.shape)
            variable.assign(value if "variance" in variable.name else value - 0.3)
        found = apart(model, given, {**trained, "optimizer": {"SGD": {"learning_rate": 0.1}}}, training=training)
    # gelu, 1 / sqrt(d) and regularizers have numbers in float32 in Keras.
    coarse = build in (
        _masked,
        _attention,
        _images,
        _several_outputs,
        _inside_time,
        _spectral,
        _penalized_inside,
        _penalized_in_wrappers,
    )
    assert not [note for note in found.step.all_notes() if "left out" in note.message]
    assert found.loss < (1e-6 if coarse else EXACT)
    assert found.gradient < (1e-6 if coarse else EXACT)
    assert found.step_ < (1e-6 if coarse else EXACT)
    assert found.compared and set(found.compared) == {one.where for one in found.step.weights.values() if one.trainable}
    moved = {k: one for k, one in found.step.weights.items() if not one.trainable and "seed" not in one.name}
    for key, one in moved.items():
        new = one.value if one.new is None else one.new
        np.testing.assert_allclose(new, found.theirs.new[key], rtol=1e-6, err_msg=one.where)
    if build is _frozen:
        assert {one.where for one in found.step.weights.values()} - set(found.compared)


def losses() -> list[Any]:
    return [pytest.param(*row, id=f"{row[0]}-{row[3]}") for row in LOSSES]


def _optimizers(keras: Any) -> list[Any]:
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    o = keras.optimizers
    return [
        o.SGD(0.1), o.SGD(decay, momentum=0.9, nesterov=True), o.Adam(0.02, amsgrad=True, weight_decay=0.01), o.Nadam(0.02),
        o.RMSprop(0.02, momentum=0.5, centered=True), o.Adadelta(1.0), o.Adamax(0.02, use_ema=True), o.Ftrl(0.1),
        o.Adafactor(0.1), o.Adafactor(0.1, use_ema=True, gradient_accumulation_steps=2),
        o.Muon(0.02, exclude_layers=["in/"]), o.Muon(decay),
        o.LossScaleOptimizer(o.Adam(0.02, amsgrad=True), initial_scale=8.0, dynamic_growth_steps=2),
        o.LossScaleOptimizer(o.SGD(decay, momentum=0.9), initial_scale=4.0),
    ]  # fmt: skip


def test_a_step_goes_on_from_the_slots_of_the_source(tmp_path: Path) -> None:
    """After some steps of fit(), the next one is that of the same optimizer of Keras: live, and from both kinds of files."""
    import layerexplain

    L = keras.layers

    def last_two(path: str) -> str:
        return "/".join(path.split("/")[-2:])

    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(12, 7)).astype("float32"), rng.normal(size=(12, 3)).astype("float32")
    for optimizer in _optimizers(keras):
        keras.utils.set_random_seed(4)
        keras.backend.clear_session(free_memory=False)
        x = keras.Input((7,))
        inner = keras.Sequential([keras.Input((6,)), L.BatchNormalization(name="norm"), L.Dense(5, "tanh", name="in")])
        frozen = L.Dense(6, name="frozen", trainable=False)
        model = keras.Model(x, L.Dense(3, name="out", kernel_constraint="unit_norm")(inner(frozen(x))))
        model.compile(optimizer, "mse", run_eagerly=True)
        model.fit(X, Y, batch_size=4, epochs=1, verbose=0)
        files = [str(tmp_path / "model.keras"), str(tmp_path / "model.h5")]
        if "adafactor" in optimizer.name:  # Keras gives two of its slots one name, and fails to write them as .h5
            files.pop()
        for file in files:
            model.save(file)
        steps = [layerexplain.trace(one, X[:5], target=Y[:5], gradient=True, training=True) for one in (model, *files)]
        with tf.GradientTape() as tape:
            loss = keras.losses.MeanSquaredError()(Y[:5], model(X[:5], training=True))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        gradients = [g * getattr(optimizer, "dynamic_scale", 1.0) for g in gradients]
        optimizer.apply(gradients, model.trainable_variables)
        wanted = {last_two(v.path): np.asarray(v) for v in model.trainable_variables}
        for step in steps:
            assert not [note for note in step.notes if "first step" in note.message]
            found = {last_two(where): value for where, value in step.new_weights.items()}
            for where, value in wanted.items():
                np.testing.assert_allclose(
                    found[where], value, rtol=2e-4, atol=2e-5, err_msg=f"{optimizer.name} {where}"
                )


def test_sample_models_agree_with_gradients() -> None:
    import layerexplain

    trained = {"loss": "mse", "optimizer": "adam"}
    for name in ("digits.keras", "autoencoder_with_embedding.yaml", "stacked_lstm_flatten.yaml"):
        report = layerexplain.verify(f"sample_models/{name}", gradient=True, training=trained)
        assert report.agrees, name
        assert [step.mode for step in report.steps] == ["inference", "training"]
        inference = report.steps[0]
        assert inference.status == "agrees" and inference.step_difference is not None, (name, inference)
        assert inference.losses is not None and inference.losses.formula == pytest.approx(inference.losses.keras, 1e-5)
        checked = [check.gradient for check in report.layers if check.gradient is not None]
        assert len(checked) > 1 and all(one.status == "agrees" for one in checked), name


def test_a_wrong_rule_is_found_by_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    import layerexplain
    from layerexplain.lang.expr import OPS
    from layerexplain.layers.registry import find

    spec = b"input: [5]\nlayers:\n  - Dense: {units: 4, activation: tanh}\n  - Dense: 3\n"
    right = OPS["dot"].gradient
    assert find("Dense") is not None

    def wrong(y: Any, dy: Any, i: int) -> Any:
        made = right(y, dy, i)
        return made * 1.01 if i else made

    monkeypatch.setitem(OPS["dot"].__dict__, "gradient", wrong)
    report = layerexplain.verify(spec, gradient=True)
    assert not report.agrees
    differ = [check for check in report.layers if check.gradient is not None and check.gradient.status == "differs"]
    assert len(differ) == 2 and differ[0].gradient is not None and differ[0].gradient.reason == "that of W"
    assert report.steps[0].status == "differs" and "the gradient of" in report.steps[0].reason


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_agrees_and_steps_from_the_float32_kernel(name: str) -> None:
    import layerexplain

    L = keras.layers
    with policy(name):
        x = keras.Input((5,))
        model = keras.Model(x, L.Dense(3)(L.BatchNormalization()(L.Dense(7, "tanh")(x))))
    given = {"loss": "mse", "optimizer": {"SGD": {"learning_rate": 1e-5}}}
    report = layerexplain.verify(model, gradient=True, training=given, drawn=True)
    assert report.agrees, report.steps
    root = 2.0**-10 if name == "mixed_float16" else 2.0**-7
    assert {step.tolerance for step in report.steps} == {10 * root * 3**0.5}
    step = apart(model, np.random.default_rng(0).normal(size=(4, 5)).astype("float32"), given).step
    held = model.layers[1].kernel.numpy()
    # The change is far below the rounding of half precision: it shows only from the float32 kernel.
    moved = next(one for one in step.weights.values() if one.where == f"{model.layers[1].name}/kernel")
    np.testing.assert_array_equal(moved.value, held)
    assert 0 < np.abs(moved.new - held).max() < 1e-4


@pytest.mark.parametrize("name", ["mixed_float16", "float16"])
def test_half_precision_of_layers_that_keep_their_state(name: str) -> None:
    import layerexplain

    L = keras.layers
    with policy(name):
        x = keras.Input(batch_shape=(3, 4, 5))
        model = keras.Model(x, L.Dense(2)(L.LSTM(7, stateful=True)(x)))
    given = {"loss": "mse", "optimizer": {"SGD": {"learning_rate": 0.1}}}
    report = layerexplain.verify(model, gradient=True, training=given, drawn=True)
    assert report.agrees, (report.steps, report.layers)
    assert [step.status for step in report.steps] == ["agrees", "agrees"]
    compared = [one for one in report.layers if one.type == "LSTM"]
    assert [one.gradient.status for one in compared if one.gradient is not None] == ["agrees"]


def test_float64_judges_where_float32_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allowed next to nothing, right formulas agree within what float32 rounds; a wrong rule still differs."""
    import layerexplain
    from layerexplain.lang.expr import OPS

    spec = b"input: [11]\nlayers:\n  - Dense: {units: 13, activation: tanh}\n  - LayerNormalization\n  - Dense: 3\n"
    report = layerexplain.verify(spec, gradient=True, tolerance=1e-30)
    steps = report.steps
    assert [step.status for step in steps] == ["agrees", "agrees"], steps
    assert all(step.rounding is not None and 0 < step.rounding < 1e-5 for step in steps)
    assert all(step.tolerance == 8 * step.rounding for step in steps if step.rounding is not None)
    right = OPS["dot"].gradient
    monkeypatch.setitem(OPS["dot"].__dict__, "gradient", lambda y, dy, i: right(y, dy, i) * (1.0001 if i else 1))
    wrong = layerexplain.verify(spec, gradient=True, tolerance=1e-30).steps
    assert [step.status for step in wrong] == ["differs", "differs"]


def test_keras_gives_an_element_too() -> None:
    import layerexplain

    source = "sample_models/digits.keras"
    model = layerexplain.read(source)
    given = layerexplain.make_inputs(model)
    found = layerexplain.gradient_element(
        source, model, given, "strokes", (0, 1, 0, 1), of="W", training=False, keras=True
    )
    assert found.keras == pytest.approx(found.whole, rel=1e-4)
    found = layerexplain.gradient_element(source, model, given, "strokes", (0, 1, 0, 1), of="W", keras=True)
    assert found.keras is None and "draws random numbers" in found.keras_note
