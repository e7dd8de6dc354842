"""Parts of the walk through a model, one by one, on the smallest models that show what they do."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import Call, Layer, TensorRef
from layerexplain.network.definitions import HeldModel
from layerexplain.network.masks import as_keras_runs
from layerexplain.network.recorded_shapes import _roles_alone
from layerexplain.network.scope import as_layers
from layerexplain.network.shape_values import ShapeValues
from layerexplain.network.trace import trace_model


@pytest.mark.parametrize(
    ("key", "size"), [(0, 5), (1, 7), (-1, 7), (-2, 5), ([1], 7), (slice(0, 1), [5]), (2, None), (-3, None)]
)
def test_one_size_of_a_shape(key: Any, size: Any) -> None:
    x, shape, one = (TensorRef(name, 0, 0) for name in ("x", "shape", "one"))
    calls = {
        ("shape", 0): ("shape", Call("shape", 0, (x,), {})),
        ("one", 0): ("__operators__.getitem", Call("one", 0, (shape,), {"slice_spec": key})),
    }
    found = ShapeValues(calls, {x: (5, 7)}.get)
    made = Call("reshape", 0, (x,), {"shape": [one, 20]})
    assert found.resolved("reshape", made).kwargs["shape"] == [one if size is None else size, 20]


@pytest.mark.parametrize(
    ("value", "type_", "config"),
    [
        ({"Dense": 3}, "Dense", {"units": 3}), ({"Dense": None}, "Dense", {}), ({"Add": None}, "Add", {}),
        ({"Add": 3}, "Add", {}), ({"Dense": {"units": 4}}, "Dense", {"units": 4}),
    ],
)  # fmt: skip
def test_a_layer_inside_a_layer(value: Any, type_: str, config: dict[str, Any]) -> None:
    found = as_layers(value)
    assert isinstance(found, Layer) and (found.type, found.config) == (type_, config)


def test_a_class_that_is_not_known_inside_a_layer_has_no_declaration() -> None:
    nothing: Any = None
    held = HeldModel(Layer("mine", "Mine", "layer", {}), None, nothing)
    assert held.declaration is None
    with pytest.raises(LayerExplainError, match="Mine is not a layer of Keras"):
        held.definition(())


@pytest.mark.parametrize(
    ("data_format", "roles"),
    [("channels_first", ("channels", "rows", "columns")), ("channels_last", ("rows", "columns", "channels"))],
)
def test_axes_of_one_image_are_those_that_its_layer_reads(data_format: str, roles: tuple[str, ...]) -> None:
    spec = f"input: [8, 8, 8]\nlayers:\n  - Resizing: {{height: 4, width: 4, data_format: {data_format}}}\n"
    model = read(spec.encode())
    assert _roles_alone(model, model.inputs[0], 3) == roles


def test_calls_run_by_their_distance_from_the_outputs() -> None:
    spec = """
input: [5, 4]
layers:
  - MultiHeadAttention: {num_heads: 2, key_dim: 3}
    name: attention
    from: [input, input]
  - {Dense: 4, name: first, from: input}
  - {Dense: 4, name: second}
  - {Add: , name: sum, from: [attention, second]}
"""
    model = read(spec.encode())
    ran = [call.layer for call in as_keras_runs(model, list(model.calls))]
    # Keras's map_graph: the sum has the depth 0, attention and second 1, first 2.
    assert ran.index("first") < min(ran.index("attention"), ran.index("second"))
    assert [model.calls[1].layer, ran[-1]] == ["attention", "sum"]


def test_a_nested_model_with_a_mask_that_is_not_known_has_its_shape() -> None:
    inner = read(b"name: inner\ninput: [5, 4]\nlayers:\n  - LSTM: 3\n")
    model = read(b"input: [5, 4]\nlayers:\n  - {Dense: 4, name: mine}\n  - {Dense: 4, name: inner, from: input}\n")
    of_input, mine, nested = model.layers
    mine = mine._replace(type="Mine", kind="custom", config={})
    nested = Layer(nested.name, "Functional", "model", {}, model=inner)
    first, second, last = model.calls
    last = last._replace(kwargs={"mask": TensorRef("mine", 0, 0)})
    network = trace_model(model._replace(layers=(of_input, mine, nested), calls=(first, second, last)))
    shapes = {made.call.layer: [spec and spec.shape[1:] for spec in made.outputs] for made in network.calls}
    assert shapes == {"input": [(5, 4)], "mine": [None], "inner": [(3,)]}


@pytest.mark.parametrize(("units", "note"), [(3, None), (-1, "Dense needs units to be an integer ≥ 1, got units=-1")])
def test_why_a_layer_that_is_built_and_not_called_has_no_formula(units: int, note: str | None) -> None:
    model = read(b"input: [5, 4]\nlayers:\n  - Dense: 4\n")
    idle = Layer("idle", "Dense", "layer", {"units": units}, build_shape=(None, 4))
    network = trace_model(model._replace(layers=(*model.layers, idle)))
    assert network.calls[-1].built and (network.calls[-1].definition is None) == (note is not None)
    assert [one.message.partition(";")[0] for one in network.notes if one.layer == "idle"] == [note] * (
        note is not None
    )


def test_a_class_that_is_not_known_and_never_called_is_told_of() -> None:
    model = read(b"input: [5, 4]\nlayers:\n  - Dense: 4\n")
    network = trace_model(model._replace(layers=(*model.layers, Layer("idle", "Mine", "layer", {}))))
    assert network.calls[-1].built and network.calls[-1].definition is None
    assert [one.code for one in network.notes if one.layer == "idle"] == ["opaque"]


def test_a_layer_that_refuses_the_argument_of_a_call_says_so_alone() -> None:
    """What a `call` is given comes from no layer that could be mended."""
    model = read(b"input: [5]\nlayers:\n  - LSTM: 4\n    name: read\n")
    x = TensorRef("x", 0, 0)
    alone = model._replace(
        layers=model.layers[1:], calls=(Call("read", 0, (x,), {}),), inputs=(x,), recorded={x: ((None, 5), "float32")}
    )
    (note,) = trace_model(alone).notes
    assert note.message.startswith("LSTM needs an input of (batch, steps, features), got (None, 5), without steps")
    assert "fits" not in note.message and "RepeatVector" not in note.message


@pytest.mark.parametrize(
    ("spec", "first"),
    [
        ("inputs: {a: [8, 3], b: [7, 3]}\nlayers:\n  - Concatenate:\n    from: [a, b]\n", "along axis=1"),
        ("input: [9, 3]\nlayers:\n  - {MaxPooling1D: 2, name: pool}\n  - {UpSampling1D: 2, name: up}\n"
         "  - Concatenate:\n    from: [up, input]\n", "ZeroPadding1D"),
    ],
)  # fmt: skip
def test_what_helps_most_is_proposed_first(spec: str, first: str) -> None:
    # Where a layer is known to have dropped positions, they are missing; else the axis may be the wrong one.
    with pytest.raises(LayerExplainError) as found:
        layerexplain.explain(spec.encode())
    assert str(found.value).partition(", 3); ")[2].partition("; or")[0].count(first) == 1
