"""Models of real Keras in which one layer, cell or model stands in several places; `keras` is Keras 3 or tf_keras."""

from collections.abc import Callable
from typing import Any

import numpy as np


def mid(keras: Any) -> Any:
    x = keras.layers.Input((5,), name="mid_in")
    return keras.Model(x, keras.layers.Dense(2, name="mid_d")(keras.layers.Dense(3, name="mid_e")(x)), name="mid")


def steps_and_one(keras: Any) -> tuple[Any, Any]:
    return keras.layers.Input((4, 5), name="x"), keras.layers.Input((5,), name="y")


def model_in_a_wrapper_first(keras: Any) -> Any:
    inner, (x, y) = mid(keras), steps_and_one(keras)
    return keras.Model([x, y], [keras.layers.TimeDistributed(inner, name="td")(x), inner(y)])


def model_in_a_wrapper_after(keras: Any) -> Any:
    inner, (x, y) = mid(keras), steps_and_one(keras)
    return keras.Model([y, x], [inner(y), keras.layers.TimeDistributed(inner, name="td")(x)])


def layer_in_a_wrapper(keras: Any) -> Any:
    inner, (x, y) = keras.layers.Dense(2, name="d"), steps_and_one(keras)
    return keras.Model([x, y], [keras.layers.TimeDistributed(inner, name="td")(x), inner(y)])


def frozen_layer_in_a_wrapper(keras: Any) -> Any:
    model = layer_in_a_wrapper(keras)
    model.get_layer("d").trainable = False
    return model


def normalization_in_a_wrapper(keras: Any) -> Any:
    inner, (x, y) = keras.layers.BatchNormalization(name="bn"), steps_and_one(keras)
    return keras.Model([x, y], [keras.layers.TimeDistributed(inner, name="td")(x), inner(y)])


def two_wrappers(keras: Any) -> Any:
    inner, x, y = (
        keras.layers.Dense(2, name="d"),
        keras.layers.Input((4, 5), name="x"),
        keras.layers.Input((3, 5), name="y"),
    )
    wrapped = [keras.layers.TimeDistributed(inner, name=f"td{i}") for i in (1, 2)]
    return keras.Model([x, y], [wrapped[0](x), wrapped[1](y)])


def siamese(keras: Any) -> Any:
    shared, x = keras.layers.Dense(4, name="d"), keras.layers.Input((5,), name="x")
    halves = []
    for name, units in (("A", 3), ("B", 2)):
        a = keras.layers.Input((5,), name=f"{name}_in")
        halves.append(keras.Model(a, keras.layers.Dense(units, name=f"h{name}")(shared(a)), name=name))
    return keras.Model(x, [half(x) for half in halves])


def siamese_sequences(keras: Any) -> Any:
    shared, x = keras.layers.Dense(4, name="d"), keras.layers.Input((5,), name="x")
    halves = [
        keras.Sequential([keras.layers.Input((5,)), shared, keras.layers.Dense(3, name=f"h{name}")], name=name)
        for name in "AB"
    ]
    return keras.Model(x, [half(x) for half in halves])


def model_in_models(keras: Any) -> Any:
    inner, x = mid(keras), keras.layers.Input((5,), name="x")
    outer = []
    for name, units in (("A", 5), ("B", 6)):
        a = keras.layers.Input((5,), name=f"{name}_in")
        outer.append(keras.Model(a, keras.layers.Dense(units, name=f"h{name}")(inner(a)), name=name))
    return keras.Model(x, [*[one(x) for one in outer], inner(x)])


def layer_in_and_outside(keras: Any) -> Any:
    shared, a, x = (
        keras.layers.Dense(5, name="d"),
        keras.layers.Input((5,), name="a"),
        keras.layers.Input((5,), name="x"),
    )
    inner = keras.Model(a, shared(a), name="A")
    return keras.Model(x, [inner(x), shared(x)])


def wrapper_in_and_outside(keras: Any) -> Any:
    wrapper = keras.layers.TimeDistributed(keras.layers.Dense(5, name="d"), name="td")
    a, x = keras.layers.Input((4, 5), name="a"), keras.layers.Input((4, 5), name="x")
    inner = keras.Model(a, wrapper(a), name="A")
    return keras.Model(x, [inner(x), wrapper(x)])


def cell_of_two(keras: Any) -> Any:
    cell, x, y = (
        keras.layers.LSTMCell(3, name="c"),
        keras.layers.Input((4, 5), name="x"),
        keras.layers.Input((6, 5), name="y"),
    )
    return keras.Model([x, y], [keras.layers.RNN(cell, name="r1")(x), keras.layers.RNN(cell, name="r2")(y)])


def cell_in_a_stack(keras: Any) -> Any:
    cell, x, y = (
        keras.layers.LSTMCell(3, name="c"),
        keras.layers.Input((4, 5), name="x"),
        keras.layers.Input((6, 5), name="y"),
    )
    stack = [cell, keras.layers.GRUCell(4, name="c2")]
    return keras.Model([x, y], [keras.layers.RNN(stack, name="r1")(x), keras.layers.RNN(cell, name="r2")(y)])


def cell_twice_in_a_stack(keras: Any) -> Any:
    cell, x = keras.layers.SimpleRNNCell(5, name="c"), keras.layers.Input((4, 5), name="x")
    return keras.Model(x, keras.layers.RNN([cell, cell], name="r1")(x))


def bidirectional_keeps_a_copy(keras: Any) -> Any:
    lstm, x = keras.layers.LSTM(3, name="l", return_sequences=True), keras.layers.Input((4, 5), name="x")
    return keras.Model(x, [keras.layers.Bidirectional(lstm, name="bi")(x), lstm(x)])


def alike_and_apart(keras: Any) -> Any:
    """Two blocks that have all names in common, and a layer that one of them shares with the outside."""
    x, blocks = keras.layers.Input((5,), name="x"), []
    shared = keras.layers.Dense(5, name="out", use_bias=False)
    for name in ("A", "B"):
        a = keras.layers.Input((5,), name="in")
        last = shared if name == "A" else keras.layers.Dense(4, name="out")
        blocks.append(keras.Model(a, last(keras.layers.Dense(5, name="d")(a)), name=name))
    return keras.Model(x, [*[block(x) for block in blocks], shared(x)])


MODELS: dict[str, Callable[[Any], Any]] = {
    builder.__name__: builder
    for builder in (
        model_in_a_wrapper_first, model_in_a_wrapper_after, layer_in_a_wrapper, frozen_layer_in_a_wrapper,
        normalization_in_a_wrapper, two_wrappers, siamese, siamese_sequences, model_in_models, layer_in_and_outside,
        wrapper_in_and_outside, cell_of_two, cell_in_a_stack, cell_twice_in_a_stack, bidirectional_keeps_a_copy,
        alike_and_apart,
    )
}  # fmt: skip


def filled(model: Any) -> Any:
    """The model with weights that are all different; variances are positive."""
    rng = np.random.default_rng(3)
    for variable in model.weights:
        values = rng.normal(size=tuple(variable.shape))
        variable.assign(np.abs(values) + 0.1 if "variance" in variable.name else values)
    return model


def drawn_inputs(model: Any) -> dict[str, Any]:
    """An array for each input of a model, by its name."""
    rng = np.random.default_rng(4)
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    return {
        name: rng.normal(size=(3, *tensor.shape[1:])).astype(np.float32)
        for name, tensor in zip(names, model.inputs, strict=True)
    }
