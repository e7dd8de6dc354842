"""What the axes of an input are, by the first layers that read it; and sizes that are open, whether they are written so."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.errors import ShapeError, WindowError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import TensorRef
from layerexplain.network.cures import _of_rank, _reshaped, _with_one_open
from layerexplain.network.input_layouts import with_roles
from layerexplain.network.open_inputs import are_written
from layerexplain.network.scope import Scope
from layerexplain.network.trace import trace_at

FIRST, CHANNELS = "channels_first", ("batch", "channels", "rows", "columns")
STEPS = ("batch", "steps", "rows", "columns", "channels")
# The shape without the batch, the layers, the roles (None: those that their number says).
ROWS: list[tuple[str, list[str], tuple[str, ...] | None]] = [
    ("[3, 8, 9]", ["Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}"], CHANNELS),
    ("[8, 9, 3]", ["Conv2D: {filters: 2, kernel_size: 3}"], None),
    ("[3, 8, 9]", ["ReLU", "Dropout: 0.5", "Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}"], CHANNELS),
    ("[3, 8, 9]", ["Dense: 4", "Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}"], None),
    ("[3, 8]", ["Conv1D: {filters: 2, kernel_size: 3, data_format: channels_first}"], ("batch", "features", "steps")),
    ("[3, 8]", ["MaxPooling1D: {pool_size: 2, data_format: channels_first}"], ("batch", "features", "steps")),
    ("[3, 8, 9]", ["BatchNormalization: {axis: 1}"], CHANNELS),
    ("[3, 8, 9]", ["BatchNormalization: {axis: [1]}"], CHANNELS),
    ("[3, 8, 9]", ["BatchNormalization: {axis: -3}"], None),
    ("[3, 8, 9]", ["BatchNormalization", "MaxPooling2D: {pool_size: 2, data_format: channels_first}"], None),
    ("[5, 3, 8, 9]", ["ConvLSTM2D: {filters: 2, kernel_size: 3, data_format: channels_first}"], ("batch", "steps", "channels", "rows", "columns")),
    ("[5, 8, 9, 3]", ["ConvLSTM2D: {filters: 2, kernel_size: 3}"], STEPS),
    ("[5, 8, 9, 3]", ["TimeDistributed: {Conv2D: {filters: 2, kernel_size: 3}}"], STEPS),
    ("[5, 3, 8, 9]", ["TimeDistributed: {Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}}"], ("batch", "steps", "channels", "rows", "columns")),
    ("[7]", ["Embedding: {input_dim: 5, output_dim: 2}"], ("batch", "steps")),
    ("[7]", ["BatchNormalization: {axis: 1}"], None),
    ("[7]", ["Dense: 3"], None),
    ("[3, 8, 9]", ["Sequential: [ReLU, {Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}}]"], CHANNELS),
    ("[3, 8, 9]", ["Pipeline: {layers: [{RandomFlip: {data_format: channels_first}}]}"], CHANNELS),
    ("[3, 8, 9]", ["Pipeline: {layers: [{Rescaling: 0.5}, {Resizing: {height: 4, width: 4, data_format: channels_first}}]}"], CHANNELS),
    ("[3, 8, 9]", ["Pipeline: {layers: [{Dense: 4}, {Resizing: {height: 4, width: 4, data_format: channels_first}}]}"], None),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "layers", "roles"), ROWS)
def test_the_first_layer_that_tells_says_what_the_axes_are(
    shape: str, layers: list[str], roles: tuple[str, ...] | None
) -> None:
    lines = "".join(f"  - {one}\n" for one in layers)
    dtype = "int32" if "Embedding" in lines else "float32"
    model = read(f"input: {{shape: {shape}, dtype: {dtype}}}\nlayers:\n{lines}".encode())
    sizes = [int(one) for one in shape[1:-1].split(",")]
    spec = Spec((BATCH, *sizes), "float")
    found = with_roles(Scope(model), model.inputs[0], spec)
    assert found.roles == roles and found._replace(roles=None) == spec
    known = spec._replace(roles=("batch", *"abcd"[: len(sizes)]))
    assert with_roles(Scope(model), model.inputs[0], known) is known


def test_a_batch_that_comes_second() -> None:
    model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
    found = with_roles(Scope(model), TensorRef("input"), Spec((5, BATCH, 3), "float"))
    assert found.roles == ("steps", "batch", "features")
    one = Spec((BATCH,), "float")
    assert with_roles(Scope(model), TensorRef("input"), one) is one


# Open sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        ("input: [null, null, 3]\nlayers:\n  - ReLU\n", True),
        ("input: [null, 5, 3]\nlayers:\n  - ReLU\n", True),
        ("input: [null, null, 3]\nlayers:\n  - {ops.Relu: {}}\n", False),
    ],
)
def test_whether_open_sizes_are_written_so(spec: str, written: bool) -> None:
    model = read(spec.encode())
    network = trace_at(
        model, [Spec((BATCH, None, 3), "float") if "null, null" in spec else Spec((BATCH, 5, 3), "float")]
    )
    calls = {call.call.key: call for call in network.calls}
    last = model.outputs[0]
    assert are_written([last], model.layers_by_name, calls) is written
    assert are_written([last], {}, calls) is False
    odd = trace_at(model, [Spec((BATCH, None, None), "float")])
    assert are_written([last], model.layers_by_name, {call.call.key: call for call in odd.calls}) is False


# Cures --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "shapes"),
    [
        ((784,), [(784, 1), (28, 28, 1)]), ((3072,), [(3072, 1), (32, 32, 3)]), ((12,), [(12, 1), (2, 2, 3)]), ((5,), [(5, 1)]), ((1,), [(1, 1)]), ((3,), [(3, 1)]),
        ((28, 28), [(28, 28, 1)]), ((28, 20, 3), [(28, 20, 3, 1), (28, 60)]), ((None, 3), [(-1, 3, 1)]), ((None, None), []), ((None, 20, 3), [(-1, 20, 3, 1), (-1, 60)]),
    ],
)  # fmt: skip
def test_shapes_of_as_many_numbers(sizes: Any, shapes: list[Any]) -> None:
    assert list(_reshaped(sizes)) == shapes


@pytest.mark.parametrize(
    ("type_", "rank", "other"),
    [("Conv2D", 1, "Conv1D"), ("Conv2D", 2, None), ("Conv1DTranspose", 2, "Conv2DTranspose"), ("Dense", 2, None), ("GlobalAveragePooling1D", 3, "GlobalAveragePooling3D"), ("Conv2d", 1, None)],
)  # fmt: skip
def test_the_type_of_another_rank(type_: str, rank: int, other: str | None) -> None:
    assert _of_rank(type_, rank) == other


def test_one_size_of_a_target_is_left_open() -> None:
    assert list(_with_one_open([3, 4])) == [(-1, 4), (3, -1)] and list(_with_one_open(())) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("input: [3, 224, 224]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 7}\n", "the input (None, 3, 224, 224) looks like images with their channels first: give it as (224, 224, 3), or give each layer data_format='channels_first'"),
        ("input: [1, 50]\nlayers:\n  - Conv1D: {filters: 2, kernel_size: 7}\n", "the input (None, 1, 50) looks like sequences of 50 steps with their channel first: give it as (50, 1), or give each layer data_format='channels_first'"),
    ],
)  # fmt: skip
def test_images_with_their_channels_first_are_named(spec: str, words: str) -> None:
    model = read(spec.encode())
    network = trace_at(model, [Spec((BATCH, *model.layers[0].config["batch_shape"][1:]), "float")])
    (fault,) = network.faults
    assert isinstance(fault, ShapeError | WindowError) and words in fault.fact
