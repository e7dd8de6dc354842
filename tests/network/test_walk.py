"""What one walk through a model knows of each call, and what it says of layers that it cannot see into."""

from __future__ import annotations

import gc
import json
from types import FrameType
from typing import Any

import pytest

from layerexplain.api import explain
from layerexplain.errors import ErrorGroup, LayerExplainError, ShapeError, SpecError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import Expr, tensor
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, TensorRef, is_before_keras_3, tensor_refs
from layerexplain.network.recorded_shapes import Mask, RecordedTensor, built_shape, fixed_input
from layerexplain.network.trace import trace_at, trace_model
from layerexplain.network.traced import Network, TracedCall
from tests.support.keras_configs import dense, entry, graph, node
from tests.support.reports import custom, of_shape


def traced(spec: str) -> Network:
    return trace_model(read(spec.encode()))


def call_of(network: Network, name: str) -> TracedCall:
    return network.calls_of(name)[0]


A, B, C, D = (TensorRef(name) for name in "abcd")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([A, B, C], [A, B, C]),
        ((A, [B, (C, "text")], {"mask": D, "training": True}), [A, B, C, D]),
        (({"x": A, "y": [B]}, slice(C, None, D)), [A, B, C, D]),
        ("abc", []),
    ],
)
def test_the_tensors_of_a_call_come_in_its_order(arguments: Any, expected: list[TensorRef]) -> None:
    assert list(tensor_refs(arguments)) == expected


@pytest.mark.parametrize(
    ("version", "before"),
    [("0.3.2", True), ("1.2.2", True), ("2.15.0", True), ("3.0.0", False), ("10.1", False), (None, False)],
)
def test_generations_of_keras(version: str | None, before: bool) -> None:
    assert is_before_keras_3(version) == before


def test_a_group_of_errors_states_the_fact_of_each() -> None:
    group = ErrorGroup([SpecError("no units", line=3), SpecError("no filters", layer="a")])
    assert (group.fact, group.source, group.args) == ("no units; no filters", None, ("no units; no filters",))


@pytest.mark.parametrize(("layer", "lines"), [("Dense: 3", 1), ("Dens: 3", 2)])
def test_faults_of_a_spec_come_with_those_of_what_was_asked(layer: str, lines: int) -> None:
    with pytest.raises(LayerExplainError) as caught:
        explain(f"inputs: {{x: [3]}}\nlayers:\n  - {layer}\n".encode(), inputs={"x": (4,)})
    said = str(caught.value).splitlines()
    assert len(said) == lines
    assert "input 'x' needs sizes that fit the model's (3)" in said[-1]
    assert isinstance(caught.value, ErrorGroup) == (lines > 1)


def frames() -> int:
    """How many frames of functions are kept: those of errors that passed them."""
    return sum(isinstance(one, FrameType) for one in gc.get_objects())


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ("[{Dense: 0}]", 1),
        ("[{Dense: {units: 3, unit: 2}}, {Conv1D: {filters: 2, kernel_size: 3}}]", 2),
        ("[{Reshape: [2, 5]}, {Conv2D: {filters: 5, kernel_size: 3}}, {Dense: 7}]", 2),
        ("[{RepeatVector: 3}, {Reshape: [2, 5]}, {Conv2D: {filters: 5, kernel_size: 3, groups: 2}}]", 2),
    ],
)
def test_faults_keep_no_frames_with_all_that_these_know(layers: str, count: int) -> None:
    spec = f"input: [7]\nlayers: {layers}\n"
    traced(spec)
    gc.collect()
    gc.disable()
    try:
        before = frames()
        network = traced(spec)
        assert frames() == before
    finally:
        gc.enable()
    assert len(network.faults) == count


# Tensors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("built", "number", "expected"),
    [
        ((None, 5), 0, (BATCH, 5)),
        ((None, 5), 1, None),
        (((None, 5), (None, 7)), 1, (BATCH, 7)),
        ({"query": (None, 5), "value": (None, 7)}, 1, (BATCH, 7)),
        ((None, "5"), 0, None),
        ((), 0, None),
        (None, 0, None),
    ],
)
def test_the_shape_at_which_a_layer_was_built(built: Any, number: int, expected: Any) -> None:
    assert built_shape(Layer("a", "Dense", "layer", {}, build_shape=built), number) == expected


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [
        ((None, 3), (5, 3), (5, 3)),
        ((None, 3), (5, 4), None),
        ((6, 3), (None, 3), (6, 3)),
        ((6, 3), (5, 3), None),
        ((6, None), (6, 7), (6, 7)),
        ((6,), (6, 7), None),
    ],
)
def test_sizes_that_are_given_agree_with_those_of_the_model(own: Any, wanted: Any, expected: Any) -> None:
    spec = Spec((BATCH, *own), "float32")
    if expected is None:
        with pytest.raises(ShapeError, match="input 'x' needs sizes that fit"):
            fixed_input("x", spec, wanted)
    else:
        assert fixed_input("x", spec, wanted) == Spec((BATCH, *expected), "float32")


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ("RandomFlip", 32),
        ("Rescaling: 2.0\n  - RandomFlip", 32),
        ("Rescaling: 2.0", BATCH),
        ("Reshape: {target_shape: [30, 3]}\n  - RandomFlip", BATCH),
        ("Dense: 3\n  - Dense: 3", BATCH),
    ],
)
def test_the_first_size_of_one_image_is_no_batch(layers: str, size: Any) -> None:
    network = traced(f"input: {{shape: [30, 3], batch_size: 32}}\nlayers:\n  - {layers}\n")
    roles = ("rows", "columns", "channels") if size == 32 else None
    assert network.calls[0].outputs == (Spec((size, 30, 3), "float", roles),)


def test_what_is_known_of_a_mask() -> None:
    x = tensor("x", (BATCH, 5, 3), "float32")
    assert RecordedTensor(x).mask.spec is None
    assert RecordedTensor(x, Mask(tensor("mask", (BATCH, 5), "bool"), None)).mask.spec == Spec((BATCH, 5), "bool")


# Calls --------------------------------------------------------------------------------------------------------------

OPAQUE = json.dumps(
    graph(
        [
            entry("x", [None, 5], "batch_shape"),
            custom("Own", "own", of_shape([None, 5], "x")),
            {**dense("d"), "inbound_nodes": [node(of_shape([None, 7], "own"))]},
            custom("Own", "last", of_shape([None, 3], "d")),
            {**dense("behind"), "inbound_nodes": [node(of_shape([None, 7], "last", 1))]},
        ],
        [["x", 0, 0]],
        [["behind", 0, 0]],
    )
)


def test_a_layer_that_cannot_be_seen_into_has_the_shapes_of_the_file() -> None:
    made = call_of(traced(OPAQUE), "own")
    assert made.definition is not None
    (y,) = made.definition.results.values()
    assert isinstance(y, Expr)
    assert (y.shape, y.attrs["shape"], y.attrs["name"]) == ((BATCH, 7), (BATCH, 7), "Own")
    assert [p.shape for p in made.definition.params] == [(BATCH, 5)]
    assert made.mask is None


def test_the_reason_why_there_is_no_formula_is_kept_of_each_layer() -> None:
    network = traced(OPAQUE)
    assert set(network.reasons) == {"own", "last"}
    (note,) = [note for note in network.notes if note.layer == "own"]
    said = network.why_without_formula("own", note)
    assert note.message.startswith(said)
    assert "shapes" not in said


CODE = {"class_name": "__lambda__", "config": {"code": "", "defaults": None, "closure": None}}


def code(name: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    return {**custom("Lambda", name, *inputs), "module": "keras.layers", "config": {"name": name, "function": CODE}}


LAMBDAS = json.dumps(
    graph(
        [
            entry("x", [None, 5], "batch_shape"),
            code("first", of_shape([None, 5], "x")),
            code("second", of_shape([None, 7], "first")),
        ],
        [["x", 0, 0]],
        [["second", 0, 0]],
    )
)
WRONG = (
    "input: [5]\nlayers:\n  - Conv2D: {filters: 3, kernel_size: 3}\n    name: wrong\n  - Dense: 3\n    name: behind\n"
)


@pytest.mark.parametrize(
    ("spec", "layer", "type"),
    [
        (OPAQUE, "behind", "Dense"),
        (LAMBDAS, "first", "Lambda"),
        (LAMBDAS, "second", "Lambda"),
        (WRONG, "wrong", "Conv2D"),
        (WRONG, "behind", "Dense"),
        ("input: [5]\nlayers:\n  - Dense: 3\n    name: it\n", "it", "Dense"),
        ("inputs: {a: [5], b: [5]}\nlayers:\n  - Add:\n    name: it\n    from: [a, b]\n", "it", "Add"),
    ],
)
def test_each_call_knows_its_declaration(spec: str, layer: str, type: str) -> None:
    declaration = call_of(traced(spec), layer).declaration
    assert declaration is not None
    assert declaration.type == type


MASKED = "input: [6, 4]\nlayers:\n  - Masking:\n    name: masking\n"


@pytest.mark.parametrize(
    "layer",
    [
        "LSTM: 3",
        "GlobalAveragePooling1D:",
        "MultiHeadAttention: {num_heads: 1, key_dim: 2}\n    from: [masking, masking]",
        "Concatenate:\n    from: [masking, masking]",
        "Sequential: [{LSTM: 3}]",
    ],
)
def test_a_layer_that_reads_masks_is_given_them(layer: str) -> None:
    made = traced(f"{MASKED}  - {layer}\n    name: it\n")
    made_call = call_of(made, "it")
    assert made_call.definition is not None
    assert any(p.dtype == "bool" for p in made_call.definition.params)
    assert made_call.mask == "masking"


def test_a_layer_whose_mask_nobody_reads_is_given_none() -> None:
    made = call_of(traced(f"{MASKED}  - Dense: 3\n    name: it\n"), "it")
    assert made.definition is not None
    assert len(made.definition.params) == 1


def test_a_frozen_layer_is_frozen_in_the_formula_of_the_whole_model() -> None:
    spec = "input: [5]\nlayers:\n  - Dense: 3\n    trainable: false\n  - Dense: 2\n"
    definition = trace_at(read(spec.encode()), linked=True).definition
    assert definition is not None
    assert [w.attrs["trainable"] for w in definition.weights] == [False, False, True, True]


OPERATION = json.dumps(
    graph(
        [
            entry("x", [None, 3, 30, 28], "batch_shape"),
            {
                **custom("Add", "r"),
                "module": "keras.src.ops.numpy",
                "inbound_nodes": [node(of_shape([None, 3, 30, 28], "x"), 1.0)],
            },
            {
                "class_name": "Conv2D",
                "module": "keras.layers",
                "name": "c",
                "config": {"name": "c", "filters": 2, "kernel_size": [3, 3], "data_format": "channels_first"},
                "inbound_nodes": [node(of_shape([None, 3, 30, 28], "r"))],
            },
        ],
        [["x", 0, 0]],
        [["c", 0, 0]],
    )
)


@pytest.mark.parametrize(
    ("inputs", "names"),
    [("{a: [5]}", ["x"]), ("{a: [5], b: [5]}", ["x1", "x2"]), ("[[5], [5], [5]]", ["x1", "x2", "x3"])],
)
def test_the_inputs_of_a_model_have_numbers_where_there_are_several(inputs: str, names: list[str]) -> None:
    sources = {1: "Dense: 2", 2: "Add:\n    from: [a, b]", 3: "Add:\n    from: [input_1, input_2, input_3]"}[len(names)]
    spec = f"inputs: {inputs}\nlayers:\n  - {sources}\n"
    definition = trace_at(read(spec.encode()), linked=True).definition
    assert definition is not None
    assert [p.label for p in definition.params] == names


# Axes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "roles"),
    [
        ("input: [8, 30, 28]\nlayers:\n  - BatchNormalization: {axis: 1}\n", ("batch", "channels", "rows", "columns")),
        (
            "input: [8, 30, 28]\nlayers:\n  - BatchNormalization: {axis: [1]}\n",
            ("batch", "channels", "rows", "columns"),
        ),
        ("input: [8, 30, 28]\nlayers:\n  - BatchNormalization: {axis: [2]}\n", None),
        ("input: [8, 30, 28]\nlayers:\n  - BatchNormalization: {axis: 3}\n", None),
        (
            "input: [3, 30, 28]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}\n",
            ("batch", "channels", "rows", "columns"),
        ),
        ("input: [7]\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 2}\n", ("batch", "steps")),
        ("input: [7]\nlayers:\n  - Dense: 2\n", None),
        (OPERATION, ("batch", "channels", "rows", "columns")),
        (
            "input: [8, 30, 28]\nlayers:\n  - Own: 3\n  - BatchNormalization: {axis: 1}\n",
            None,
        ),
    ],
)
def test_the_axes_of_an_input_are_called_as_the_first_layers_expect(spec: str, roles: Any) -> None:
    network = traced(spec)
    (given,) = network.calls[0].outputs
    assert given is not None
    fed = trace_at(read(spec.encode())).calls[1].inputs[0]
    assert fed is not None
    assert fed.roles == roles
