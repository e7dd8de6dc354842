"""A model is rebuilt of Keras's classes, of which stand-ins are called here: each with which arguments, on which tensors;
and the configuration is read from each kind of file."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import Layer
from layerexplain.oracle import keras_files, to_keras
from layerexplain.oracle.verify import VerifyOptions


class KerasLayer:
    """A layer of Keras that writes down what it is made with and what it is called on."""

    def __init__(self, **given: Any) -> None:
        self.name = given.pop("name", None)
        self.given = given

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        words = [*map(str, args), *[f"{key}={one}" for key, one in kwargs.items()]]
        return f"{self.name}({', '.join(words)})"

    def call(self, inputs: Any, mask: Any = None) -> None: ...


class Dense(KerasLayer):
    def __init__(self, units: Any, activation: Any = None, use_bias: Any = True, kernel_regularizer: Any = None, **kwargs: Any) -> None:  # fmt: skip
        super().__init__(units=units, activation=activation, use_bias=use_bias, kernel_regularizer=kernel_regularizer, **kwargs)  # fmt: skip


class BatchNormalization(KerasLayer):
    def __init__(self, axis: Any = -1, momentum: Any = 0.99, name: Any = None) -> None:
        super().__init__(axis=axis, momentum=momentum, name=name)


class LSTM(KerasLayer):
    def __init__(self, units: Any, name: Any = None) -> None:
        super().__init__(units=units, name=name)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return [super().__call__(*args, **kwargs), f"{self.name} state"]


class TimeDistributed(KerasLayer):
    def __init__(self, layer: Any, name: Any = None) -> None:
        super().__init__(layer=layer, name=name)


class Model(KerasLayer):
    def __init__(self, inputs: Any, outputs: Any, name: str) -> None:
        super().__init__(name=name)
        self.inputs, self.outputs, self.trainable = inputs, outputs, True


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    classes = {one.__name__: one for one in (Dense, BatchNormalization, LSTM, TimeDistributed)}
    found = SimpleNamespace(
        layers=SimpleNamespace(Layer=KerasLayer, NotALayer=int, **classes), Model=Model, __version__="3.9",
        Input=lambda batch_shape, dtype, name: f"{name}{list(batch_shape)} {dtype}", regularizers=SimpleNamespace(L2=lambda **given: f"L2 {given}"),
    )  # fmt: skip
    monkeypatch.setattr(to_keras, "load_keras", lambda: found)
    return found


def built(spec: str) -> Any:
    return to_keras.to_keras(read(spec.encode()))


def test_layers_are_called_one_after_the_other(keras: Any) -> None:
    spec = b"name: ab\ninput: {shape: [4], dtype: int32}\nlayers:\n  - Dense: {units: 3, name: p}\n  - Dense: {units: 2, name: q}\n"
    model = to_keras.to_keras(read(spec)._replace(name="a/b"))
    assert (model.name, model.inputs, model.outputs) == ("a_b", "input[None, 4] int32", "q(p(input[None, 4] int32))")
    assert model.trainable is True


def test_inputs_and_outputs_are_lists_where_there_are_several(keras: Any) -> None:
    spec = "inputs: {a: [4], b: [4]}\nlayers:\n  - {Dense: 3, name: p, from: a}\n  - {Dense: 3, name: q, from: b}\noutputs: [q, p]\n"
    model = built(spec)
    assert model.inputs == ["a[None, 4] float32", "b[None, 4] float32"]
    assert model.outputs == ["q(b[None, 4] float32)", "p(a[None, 4] float32)"]


def test_a_layer_is_made_once_and_its_results_are_numbered(keras: Any) -> None:
    spec = "input: [5, 4]\nlayers:\n  - {LSTM: {units: 4}, name: r}\n  - {reuse: r, from: input, name: again}\noutputs: [r, again]\n"
    created: list[Any] = []
    keras.layers.LSTM = type("LSTM", (LSTM,), {"__init__": lambda self, **given: (created.append(given), LSTM.__init__(self, **given))[1]})  # fmt: skip
    model = built(spec)
    assert model.outputs == ["r(input[None, 5, 4] float32)"] * 2 and created == [{"units": 4, "name": "r"}]


def test_a_nested_model_is_built_with_its_own_layers(keras: Any) -> None:
    spec = "input: [4]\nlayers:\n  - Sequential: [{Dense: {units: 3, name: p}}]\n    name: m\n    trainable: false\n  - {Dense: 2, name: q}\n"
    model = read(spec.encode())
    created: list[Any] = []

    def row(layers: list[Any], name: str) -> Any:
        created.append((KerasLayer(name=name), [one.name for one in layers]))
        return created[-1][0]

    keras.Sequential = row
    assert to_keras.to_keras(model).outputs == "m(input[None, 4] float32)".join(["q(", ")"])
    ((inner, names),) = created
    assert (inner.name, names, inner.trainable) == ("m", ["p"], False)
    inputs = [{"batch_shape": (None, 4)}, {}, {}]
    for first, more in zip(inputs, ({}, {"type": "Functional"}, {"calls": ()}), strict=True):
        whole = model.layers[1].model
        assert whole is not None
        layers = tuple([one._replace(config=first) if one.type == "InputLayer" else one for one in whole.layers])
        changed = whole._replace(layers=layers, **more)
        assert to_keras._takes_anything(changed) is ("calls" in more)


# A layer as it was read, what its class is made with.
MADE: list[tuple[Layer, dict[str, Any]]] = [
    (Layer("d", "Dense", "layer", {"units": 3, "name": "other"}), {"units": 3, "activation": None, "use_bias": True, "kernel_regularizer": None}),
    (Layer("d", "Dense", "layer", {"units": 3, "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.5}}}), {"units": 3, "activation": None, "use_bias": True, "kernel_regularizer": "L2 {'l2': 0.5}"}),
    (Layer("d", "Dense", "layer", {"units": 3, "kernel_initializer": "ones"}), {"units": 3, "activation": None, "use_bias": True, "kernel_regularizer": None}),
    (Layer("b", "BatchNormalization", "layer", {"axis": [3], "mode": 0, "fused": True}), {"axis": 3, "momentum": 0.99}),
    (Layer("b", "BatchNormalization", "layer", {"axis": [1, 2]}), {"axis": [1, 2], "momentum": 0.99}),
    (Layer("l", "LSTM", "layer", {"units": 3, "groups": 1, "noise_shape": None, "rng_type": "stateful", "softmax_robust_masking": False, "trainable": True}), {"units": 3}),
    (Layer("l", "LSTM", "layer", {"units": 3, "activation": "tanh"}), {"units": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "given"), MADE)
def test_a_layer_is_made_with_todays_arguments(keras: Any, layer: Layer, given: dict[str, Any]) -> None:
    found = to_keras.keras_object(layer, (), to_keras._Objects(read(b"input: [4]\nlayers:\n  - Dense: 3\n")))
    assert (found.name, found.given) == (layer.name, given)


@pytest.mark.parametrize("name", ["groups", "mode", "noise_shape", "rng_type", "softmax_robust_masking", "trainable"])
def test_an_old_argument_that_has_an_effect_is_given_to_keras(keras: Any, name: str) -> None:
    layer = Layer("l", "LSTM", "layer", {"units": 3, name: "x"})
    with pytest.raises(TypeError, match=name):
        to_keras.keras_object(layer, (), to_keras._Objects(read(b"input: [4]\nlayers:\n  - Dense: 3\n")))


def test_a_layer_inside_is_made_first(keras: Any) -> None:
    layer = Layer("t", "TimeDistributed", "layer", {"layer": Layer("d", "Dense", "layer", {"units": 3})})
    found = to_keras.keras_object(layer, (), to_keras._Objects(read(b"input: [4]\nlayers:\n  - Dense: 3\n")))
    inner = found.given["layer"]
    assert isinstance(inner, Dense) and inner.name == "d" and inner.given["units"] == 3


@pytest.mark.parametrize(
    ("type_", "expected"),
    [("Dense", "Dense"), ("Lambda", ""), ("NotALayer", ""), ("Conv2D", ""), ("Mine", "")],
)
def test_only_classes_of_layers_are_taken(keras: Any, type_: str, expected: str) -> None:
    if expected:
        assert to_keras._layer_class(type_).__name__ == expected
        return
    with pytest.raises(LayerExplainError) as found:
        to_keras._layer_class(type_)
    assert found.value.fact == f"Keras 3.9 has no layer {type_}"


def test_what_keras_refuses_names_the_layer(keras: Any) -> None:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("no room\nat all")

    keras.layers.Dense = type("Dense", (Dense,), {"__call__": refuse})
    with pytest.raises(LayerExplainError) as found:
        built("input: [4]\nlayers:\n  - {Dense: 3, name: p}\n")
    assert (found.value.fact, found.value.layer, found.value.line) == ("Keras refuses it: no room", "p", 3)
    with pytest.raises(LayerExplainError) as found:
        model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
        first = model.layers[0]._replace(config={})
        to_keras.to_keras(model._replace(layers=(first, *model.layers[1:])))
    assert found.value.fact == "the shape of the input 'input' is unknown; give it with --input"


# Files --------------------------------------------------------------------------------------------------------------


def test_the_configuration_of_each_kind_of_file(tmp_path: Path) -> None:
    import h5py

    text = json.dumps({"class_name": "Sequential"})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", text)
    (tmp_path / "m.keras").write_bytes(archive.getvalue())
    (tmp_path / "config.json").write_text(text)
    for name, value in (("a.h5", text), ("b.h5", text.encode()), ("c.h5", None)):
        with h5py.File(tmp_path / name, "w") as root:
            if value is not None:
                root.attrs["model_config"] = value
    content = text.encode()
    for source in (archive.getvalue(), tmp_path / "m.keras", str(tmp_path / "m.keras"), tmp_path):
        assert keras_files._in_archive(source) == content
    for path in (tmp_path / "a.h5", tmp_path / "b.h5"):
        assert keras_files._in_legacy(path) == keras_files._in_legacy(path.read_bytes()) == content
    with pytest.raises(keras_files.KerasRefuses) as found:
        keras_files._in_legacy(tmp_path / "c.h5")
    assert found.value.fact == "stores its configuration in several attributes, which Keras 3 does not load"
    assert keras_files._content(content) == keras_files._content(tmp_path / "config.json") == content


def test_the_usual_options_of_verify() -> None:
    assert VerifyOptions() == (None, 1e-4, 0, False, (), False, None)
