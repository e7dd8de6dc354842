"""Real files of Keras 3 and tf.keras: the wires that are read equal those of the live model, in every format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends import read
from layerexplain.model import ForeignFunction, Layer, Model, TensorRef, tensor_refs

pytestmark = pytest.mark.keras

GENERATIONS = ["keras", "tf_keras"]


@pytest.fixture(params=GENERATIONS)
def keras(request: pytest.FixtureRequest) -> Any:
    """Keras 3, then tf.keras, with nothing built before."""
    module = pytest.importorskip(request.param)
    module.backend.clear_session()
    return module


def sequence(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            layers.Flatten(),
            layers.Dense(10, activation=keras.activations.gelu),
        ],
        name="sequence",
    )


def built_late(keras: Any) -> Any:
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Activation(keras.layers.LeakyReLU())])
    model.build((None, 7))
    return model


def shared_and_nested(keras: Any) -> Any:
    layers = keras.layers
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    shared = layers.Dense(6, name="shared")
    middle = keras.Input((6,))
    inner = keras.Model(middle, layers.Dense(6)(layers.Dense(5)(middle)), name="inner")
    block = keras.Sequential([keras.Input((6,)), layers.Dense(6)], name="block")
    late = keras.Sequential([layers.Dense(6)], name="late")
    inner(keras.Input((6,)))  # a call that belongs to no model that is saved
    x, y = inner(shared(a)), inner(shared(b))
    z = layers.Add()([block(x), block(y), block(a)])
    z = late(late(z))
    w = inner(z)
    return keras.Model([b, a], [z, w, x], name="nested")


def named_ends(keras: Any) -> Any:
    b, a = keras.Input((6,), name="b"), keras.Input((4,), name="a")
    joined = keras.layers.Concatenate()([b, a])
    return keras.Model({"b": b, "a": a}, {"z": keras.layers.Dense(2)(joined), "c": keras.layers.ReLU()(a)})


def recurrent(keras: Any) -> Any:
    layers = keras.layers
    ids = keras.Input((10,), name="ids")
    embedded = layers.Embedding(20, 8, mask_zero=True)(ids)
    x, h, c = layers.LSTM(8, return_sequences=True, return_state=True)(embedded)
    x = layers.LSTM(8, return_sequences=True)(x, initial_state=[h, c])
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True))(embedded)
    x = layers.MultiHeadAttention(2, 8)(x, both, key=x, use_causal_mask=True)
    x = layers.TimeDistributed(layers.Dense(5))(layers.LayerNormalization()(x))
    return keras.Model(ids, layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)])(x), name="recurrent")


def operations(keras: Any) -> Any:
    x = keras.Input((4, 6), name="x")
    if hasattr(keras, "ops"):
        ops = keras.ops
        parts = ops.split(x * 2.0 + 1, 2, axis=-1)
        y = ops.relu(2 - parts[1])[:, 1:3] + ops.mean(parts[0], axis=1, keepdims=True)
        y = ops.concatenate([ops.reshape(y, (-1, 6)), ops.where(y > 0, y, -y)[..., 0]], axis=-1)
    else:
        import tensorflow as tf

        parts = tf.split(x * 2.0 + 1, 2, axis=-1)
        y = tf.nn.relu(2 - parts[1])[:, 1:3] + tf.reduce_mean(parts[0], axis=1, keepdims=True)
        y = tf.concat([tf.reshape(y, (-1, 6)), tf.where(y > 0, y, -y)[:, 0]], axis=-1)
    return keras.Model(x, y, name="operations")


BUILDERS = [sequence, built_late, shared_and_nested, named_ends, recurrent, operations]


def sources(model: Any, folder: Path) -> dict[str, Any]:
    """The model in every format that its Keras writes, and the live object itself."""
    for ending in ("keras", "h5"):
        model.save(str(folder / f"m.{ending}"))
    (folder / "m.json").write_text(model.to_json())
    formats = {"keras": "keras-archive", "h5": "h5", "json": "config-json"}
    return {format_: folder / f"m.{ending}" for ending, format_ in formats.items()} | {"keras-model": model}


def live_wires(model: Any) -> dict[tuple[str, int], list[TensorRef]]:
    """The calls of a live Functional model, by Keras's own nodes: layer and number → the tensors, sorted."""
    tf_keras = hasattr(model, "_network_nodes")
    layers = model.layers if tf_keras else model.operations
    own = {
        (layer.name, i): f"{layer.name}_ib-{i}" in model._network_nodes if tf_keras else node in live_nodes(model)
        for layer in layers
        for i, node in enumerate(layer._inbound_nodes)
    }

    def rank(name: str, index: int) -> int:
        return sum(own[name, i] for i in range(index))

    wires = {}
    for layer in layers:
        for i, node in enumerate(layer._inbound_nodes):
            if own[layer.name, i]:
                tensors = node.keras_inputs if tf_keras else node.input_tensors
                histories = [tensor._keras_history for tensor in tensors]
                wires[layer.name, rank(layer.name, i)] = sorted(
                    TensorRef(by.name, rank(by.name, call), output) for by, call, output in histories
                )
    return wires


def live_nodes(model: Any) -> set[Any]:
    """The nodes of a live Keras 3 model."""
    return {node for nodes in model._nodes_by_depth.values() for node in nodes}


def read_wires(model: Model) -> dict[tuple[str, int], list[TensorRef]]:
    return {(call.layer, call.index): sorted(tensor_refs([call.args, dict(call.kwargs)])) for call in model.calls}


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.filterwarnings("ignore")
def test_every_format_says_the_same(build: Callable[[Any], Any], keras: Any, tmp_path: Path) -> None:
    live = build(keras)
    models = {}
    for format_, source in sources(live, tmp_path).items():
        models[format_] = model = read(source)
        assert model.format == format_
        assert model.name == live.name
        assert model.notes == ()
        if format_ != "config-json" or keras.__name__ == "tf_keras":
            assert model.keras_version == keras.__version__
    first = models["keras-archive"]
    for model in models.values():
        assert [plain(layer) for layer in model.layers] == [plain(layer) for layer in first.layers]
        assert (model.calls, model.inputs, model.outputs) == (first.calls, first.inputs, first.outputs)
    names = [layer.name for layer in live.layers]
    read_names = [layer.name for layer in first.layers if layer.kind != "operation" or keras.__name__ == "tf_keras"]
    assert [name for name in read_names if name in names] == names
    assert all(layer.name in names or layer.type == "InputLayer" for layer in first.layers if layer.kind != "operation")


def plain(layer: Layer) -> Any:
    """A layer without what only some formats record."""
    model = layer.model
    nested = None if model is None else ([plain(inner) for inner in model.layers], model.calls, model.outputs)
    config = {key: plain(value) if isinstance(value, Layer) else value for key, value in layer.config.items()}
    return layer.name, layer.type, layer.kind, str(config), nested


@pytest.mark.parametrize("build", [shared_and_nested, named_ends, recurrent, operations])
@pytest.mark.filterwarnings("ignore")
def test_wires_equal_the_live_model(build: Callable[[Any], Any], keras: Any, tmp_path: Path) -> None:
    live = build(keras)
    model = read(live)
    assert read_wires(model) == live_wires(live)
    inputs = [tensor._keras_history[0].name for tensor in live.inputs]
    outputs = [tensor._keras_history[0].name for tensor in live.outputs]
    assert [ref.layer for ref in model.inputs] == inputs
    assert [ref.layer for ref in model.outputs] == outputs


@pytest.mark.filterwarnings("ignore")
def test_shared_and_nested_by_hand(keras: Any) -> None:
    model = read(shared_and_nested(keras))
    calls = {(call.layer, call.index): call for call in model.calls}
    assert model.inputs == (TensorRef("b"), TensorRef("a"))
    assert model.outputs == (TensorRef("late", 1), TensorRef("inner", 2), TensorRef("inner", 0))
    assert calls["inner", 1].args == (TensorRef("shared", 1),)
    assert calls["late", 1].args == (TensorRef("late", 0),)
    assert calls["inner", 2].args == (TensorRef("late", 1),)
    added = next(call for call in model.calls if call.layer.startswith("add"))
    assert added.args == ([TensorRef("block", 0), TensorRef("block", 1), TensorRef("block", 2)],)
    nested = {layer.name: layer.model for layer in model.layers if layer.kind == "model"}
    assert {name: inner.type for name, inner in nested.items() if inner} == {
        "inner": "Functional",
        "block": "Sequential",
        "late": "Sequential",
    }


@pytest.mark.filterwarnings("ignore")
def test_recorded_shapes_are_those_of_keras() -> None:
    keras = pytest.importorskip("keras")
    live = recurrent(keras)
    model = read(live)
    shapes = {
        (layer.name, output): tuple(tensor.shape)
        for layer in live.layers
        for output, tensor in enumerate(layer.output if isinstance(layer.output, list | tuple) else [layer.output])
    }
    checked = {(ref.layer, ref.output): shape for ref, (shape, _) in model.recorded.items()}
    assert len(checked.keys() & shapes.keys()) > 5
    assert all(shapes[key] == shape for key, shape in checked.items() if key in shapes)


@pytest.mark.filterwarnings("ignore")
def test_custom_layers_functions_and_subclasses(keras: Any, tmp_path: Path) -> None:
    register = keras.saving.register_keras_serializable

    @register("Mine")
    class Scale(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: int = 3, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> Any:
            return {**super().get_config(), "factor": self.factor}

    @register("Mine")
    def double(x: Any) -> Any:
        return x * 2

    x = keras.Input((None, 5))
    y = keras.layers.Dense(3, activation=double, dtype="mixed_float16")(Scale(4)(x))
    live = keras.Model(x, keras.layers.Lambda(lambda t: t + 1, name="plus")(y))
    for format_, source in sources(live, tmp_path).items():
        model = read(source)
        layers = {layer.type: layer for layer in model.layers}
        assert layers["Scale"].kind == "custom"
        # An .h5 file has the package of the registered name alone.
        assert layers["Scale"].package == ("Mine" if format_ == "h5" else __name__)
        assert layers["Scale"].config["factor"] == 4
        assert layers["Dense"].config["activation"] == ForeignFunction("Mine>double")
        assert layers["Dense"].config["dtype"] == "mixed_float16"
        assert layers["Lambda"].config["function"].name == "<lambda>"
        told = [(note.code, note.layer) for note in model.notes]
        assert told == [("unknown-function", "dense"), ("code-in-file", "plus")]

    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    net = Net()
    net(keras.backend.zeros((2, 4)) if hasattr(keras.backend, "zeros") else keras.ops.zeros((2, 4)))
    net.save(str(tmp_path / "net.keras"))
    live = read(net)
    if keras.__name__ == "keras":  # a symbolic call shows what the live model does
        assert ([layer.type for layer in live.layers], live.notes) == (["InputLayer", "Dense"], ())
    else:
        assert (live.type, live.calls, [note.code for note in live.notes]) == ("Net", (), ["no-graph"])
        assert [layer.type for layer in live.layers] == ["Dense"]
    # The archive has no graph either, but its stored weights tell of the layer.
    stored = read(tmp_path / "net.keras")
    assert (stored.type, [layer.type for layer in stored.layers], stored.calls) == ("Net", ["Dense"], ())
    assert "no-graph" in [note.code for note in stored.notes]
    assert read(net).keras_version == keras.__version__


def test_a_layer_of_a_user_defined_class_lists_the_layers_that_its_call_runs() -> None:
    import keras

    class Block(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, units: int) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(units, activation="relu")
            self.normal = keras.layers.LayerNormalization()

        def call(self, x: Any) -> Any:
            return self.normal(self.inner(x) + x)

    class Weighted(keras.layers.Layer):  # type: ignore[misc]
        """Its call uses a weight that is in no layer, which a graph of layers does not show."""

        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(shape[-1], 3))
            self.inner = keras.layers.Dense(5)
            self.inner.build((None, 3))

        def call(self, x: Any) -> Any:
            return self.inner(x @ self.w)

    x = keras.Input((7,))
    live = keras.Model(x, Weighted()(Block(7)(x)))
    nodes = [len(layer._inbound_nodes) for layer in live._flatten_layers()]
    model = read(live)
    block, weighted = model.layers[1:]
    assert (block.type, weighted.type, weighted.kind, weighted.model) == ("Block", "Weighted", "custom", None)
    assert block.model is not None
    assert [layer.type for layer in block.model.layers] == ["InputLayer", "Dense", "Add", "LayerNormalization"]
    in_a_row = keras.Sequential([x, Block(7), keras.layers.Dense(2)])
    assert [layer.model is not None for layer in read(in_a_row).layers] == [False, True, False]
    report = layerexplain.explain(in_a_row)
    assert report.totals.params == in_a_row.count_params() == 7 * 7 + 7 + 2 * 7 + 7 * 2 + 2
    values = np.random.default_rng(0).normal(size=(3, 7)).astype("float32")
    np.testing.assert_allclose(layerexplain.trace(in_a_row, values).outputs[0], in_a_row(values), atol=1e-5)
    assert nodes == [len(layer._inbound_nodes) for layer in live._flatten_layers()]
