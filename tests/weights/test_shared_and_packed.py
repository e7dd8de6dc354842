"""Weights that are counted elsewhere, that a file packs, and those of a live model, which here is a stand-in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.attribute_path import LayerNamed, Steps
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.model import Model, SharedObject
from layerexplain.network.trace import trace_model
from layerexplain.weights.live_weights import LiveWeights, functional_graph, plain_floats, variables_of_layer
from layerexplain.weights.packed_weights import packed
from layerexplain.weights.shared_weights import Originals, shared_weights, weight_count

WRAPPED = "inputs: {x: [5, 3], y: [3]}\nlayers:\n  - TimeDistributed: {Dense: 3}\n    name: td\n    from: x\n  - reuse: /td.layer\n    from: y\noutputs: [td, dense]\n"
INSIDE = "inputs: {x: [3], y: [3]}\nlayers:\n  - Sequential: [{Dense: 3, name: a}, {Dense: 5, name: b}]\n    name: s\n    from: x\n"
TWO = "input: [3]\nlayers:\n  - Dense: 3\n    name: a\n  - Dense: 5\n    name: b\n"
CELLS = "input: [5, 3]\nlayers:\n  - RNN: {cell: [{LSTMCell: 3}, {LSTMCell: 3}], return_sequences: true}\n    name: r\n"
A, B, R, S, F, TD = map(LayerNamed, ("a", "b", "r", "s", "f", "td"))


def model(text: str, *shared: SharedObject) -> Model:
    found = read(text.encode())
    return found._replace(shared=shared) if shared else found


ROWS: list[tuple[str, Model, int, dict[str, str], dict[str, str], list[tuple[str, str, str]]]] = [
    # What is said of each layer, where each weight is counted (layer and number), and the notes.
    ("none", model(TWO), 32, {}, {}, []),
    ("a layer in a wrapper", model(WRAPPED), 12, {"dense": "its weights are those of 'td', counted there"}, {"dense": "td 0, td 1"}, [("shared-weights", "dense", "its weights are those of 'td', counted there")]),
    ("a layer of a nested model", model(INSIDE + "  - reuse: /s/a\n    from: y\noutputs: [s, a]\n"), 32, {"a": "its weights are those of 's/a', counted there"}, {"a": "s/a 0, s/a 1"}, [("shared-weights", "a", "its weights are those of 's/a', counted there")]),
    (
        "a model in a model", model(INSIDE + "  - Functional: {inputs: {z: [3]}, layers: [{reuse: /s, name: t}], outputs: [t]}\n    name: f\n    from: y\noutputs: [s, f]\n"), 32,
        dict.fromkeys(["f/s", "f/s/a", "f/s/b"], "its weights are those of 's', counted there"), {"f/s/a": "s/a 0, s/a 1", "f/s/b": "s/b 0, s/b 1"}, [("shared-weights", "f/s", "its weights are those of 's', counted there")],
    ),
    (
        "one of two", model(WRAPPED, SharedObject((LayerNamed("dense"),), ((TD, "layer"), (TD,)))), 12,
        {"dense": "its weights are those of 'td' and 'td', counted there; the file does not say which"}, {"dense": "td 0?, td 1?"}, [("shared-weights", "dense", "its weights are those of 'td' and 'td', counted there; the file does not say which")],
    ),
    (
        "cells of one stack", model(CELLS, SharedObject((R, "cell", "cells", 1), ((R, "cell", "cells", 0),))), 84,
        {"r": "3 of its 6 weights are duplicates of its other weights, counted once"}, {"r": "r 0, r 1, r 2"}, [("shared-weights", "r", "3 of its 6 weights are duplicates of its other weights, counted once")],
    ),
    ("of other shapes", model(TWO, SharedObject((B,), ((A,),))), 32, {}, {}, [("not-shared", "b", "the file says that it and 'a' are one object, but their shapes differ: both are counted")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "count", "words", "first", "notes"), ROWS, ids=[row[0] for row in ROWS])
def test_shared_weights_are_counted_at_their_first_place(
    name: str,
    source: Model,
    count: int,
    words: dict[str, str],
    first: dict[str, str],
    notes: list[tuple[str, str, str]],
) -> None:
    """Dense(3) of 3 has 3 · 3 + 3 numbers, Dense(5) 3 · 5 + 5, an LSTMCell(3) 4 · 3 · (3 + 3 + 1)."""
    network = trace_model(source)
    assert weight_count(network) == count
    known = shared_weights(network)
    if name == "none":
        assert known is None
        return
    assert known is not None
    assert {"/".join(path): said for path, said in known.words.items()} == words
    places = {
        "/".join(path): ", ".join(f"{'/'.join(one.path)} {one.number}{'' if one.is_certain else '?'}" for one in found.values())
        for path, found in known.first.items()
    }  # fmt: skip
    assert places == first
    assert [(note.code, note.layer, note.message) for note in known.notes] == notes


def test_the_first_place_of_an_object_that_is_one_with_others() -> None:
    found = Originals(
        [
            SharedObject((B,), ((A,),)),
            SharedObject((S, "layer"), ((B, "cell"),)),
            SharedObject((F,), ((A,), (S,))),
        ]
    )
    places: list[tuple[Steps, tuple[Any, ...]]] = [
        ((A,), ((A,), True, ())),
        ((B, "kernel"), ((A, "kernel"), True, ("a",))),
        ((S, "layer", "kernel"), ((A, "cell", "kernel"), True, ("a",))),
        ((S, "other"), ((S, "other"), True, ())),
        ((F, "kernel"), ((A, "kernel"), False, ("a",))),
    ]
    assert [found.first_place(steps) for steps, _ in places] == [place for _, place in places]


# Packed weights -----------------------------------------------------------------------------------------------------

WEIGHT: Any = SimpleNamespace(shape=(96, 64))
"""Of 96 outputs and 64 inputs."""


def stored(name: str, shape: tuple[int, ...], dtype: str = "int32", itemsize: int = 4) -> StoredTensor:
    return StoredTensor(f"l.{name}", (), shape, dtype, itemsize, "weight")


def halves(count: int, blocks: int = 96) -> list[StoredTensor]:
    return [stored("weight", (count, 1), "uint8", 1), stored("weight.absmax", (blocks,), "float32")]


PACKED: list[tuple[list[StoredTensor], str | None]] = [
    ([stored("qweight", (8, 96)), stored("scales", (4, 96))], "4 bits per number, 8 in each int32 of qweight (GPTQ), one scale per 16 inputs"),
    ([stored("qweight", (4, 96))], "2 bits per number, 16 in each int32 of qweight (GPTQ)"),
    ([stored("qweight", (6, 96))], "3 bits per number, 10 in each int32 of qweight (GPTQ)"),
    ([stored("qweight", (16, 96))], "8 bits per number, 4 in each int32 of qweight (GPTQ)"),
    ([stored("qweight", (64, 12)), stored("scales", (2, 96))], "4 bits per number, 8 in each int32 of qweight (AWQ), one scale per 32 inputs"),
    ([stored("weight_packed", (96, 8)), stored("weight_scale", (96, 2))], "4 bits per number, 8 in each int32 of weight_packed (compressed-tensors), one scale per 32 inputs"),
    ([stored("qweight", (8, 96), "int16", 2)], "their encoding is not known"),
    ([stored("qweight", (7, 96))], "their encoding is not known"),
    (halves(3072), "4 bits per number, 2 in each byte (bitsandbytes), one scale per 64 numbers"),
    (halves(3073), "their encoding is not known"),
    ([stored("weight", (96, 64), "int8", 1), stored("SCB", (96,), "float32")], "8 bits per number (int8), scaled by SCB"),
    ([stored("weight", (96, 64), "float8_e4m3fn", 1), stored("weight_scale_inv", (1, 1), "float32")], "8 bits per number (float8_e4m3fn), scaled by weight_scale_inv"),
    ([stored("weight", (96, 64), "float8_e4m3fn", 1), stored("weight_scale", (1,), "float32")], "8 bits per number (float8_e4m3fn), scaled by weight_scale"),
    ([stored("weight", (96, 64), "float16", 2), stored("weight_scale", (1,), "float32")], "their encoding is not known"),
    ([stored("weight", (64, 96), "int8", 1), stored("SCB", (96,), "float32")], "their encoding is not known"),
    ([stored("scales", (4, 96)), stored("input_scale", (1,), "float32")], None),
    ([], None),
]  # fmt: skip


@pytest.mark.parametrize(("tensors", "words"), PACKED)
def test_a_packed_weight_is_described(tensors: list[StoredTensor], words: str | None) -> None:
    found = packed("l.weight", WEIGHT, {one.path: one for one in [*tensors, stored("bias", (96,))]})
    if words is None:
        assert found is None
        return
    assert found is not None and found.words == words
    assert sorted(found.paths) == sorted(one.path for one in tensors)


# Live models --------------------------------------------------------------------------------------------------------


def layer(name: str, *weights: Any, **parts: Any) -> Any:
    return SimpleNamespace(name=name, weights=[*weights], **parts)


def weight(name: str, shape: tuple[int, ...], at: Steps = ()) -> Any:
    return SimpleNamespace(shape=shape, attrs={"at": at, "name": name})


def definition(*weights: Any) -> Any:
    return SimpleNamespace(weights=weights)


def graph(*operations: Any, **more: Any) -> Any:
    return SimpleNamespace(name="m", operations=[*operations], _nodes_by_depth={}, **more)


KERNEL, BIAS = np.ones((3, 5)), np.ones(5)


def test_arrays_of_a_layer_at_any_depth() -> None:
    inner = graph(layer("d", KERNEL, BIAS))
    source = LiveWeights(graph(layer("x"), SimpleNamespace(name="s", _functional=inner)))
    dense = definition(weight("kernel", (3, 5)), weight("bias", (5,)))
    first, second = source.arrays_of(("s", "d"), dense)
    assert first is KERNEL and second is BIAS and source.origin == "of the model"
    assert source.variables(("x",), definition()) == [] == source.variables(("nowhere",), definition())
    with pytest.raises(LayerExplainError) as caught:
        source.arrays_of(("s", "d"), definition(weight("kernel", (5, 3)), weight("bias", (5,))))
    assert str(caught.value) == "layer 's/d': the model has weights of shapes [(3, 5), (5,)] for it, but its formula needs [(5, 3), (5,)]"  # fmt: skip


def test_a_model_without_a_graph_is_refused() -> None:
    with pytest.raises(LayerExplainError, match=r"^'m' is a SimpleNamespace without a layer graph$"):
        functional_graph(SimpleNamespace(name="m"))
    with pytest.raises(
        LayerExplainError, match=r"^'m' is a model of types, not of Keras 3: save it and give the file$"
    ):
        functional_graph(SimpleNamespace(name="m", _nodes_by_depth={}))
    own = graph()
    assert functional_graph(own) is own and functional_graph(SimpleNamespace(_functional=own)) is own


def test_variables_of_a_layer_with_one_object_in_two_places_or_with_a_model_inside() -> None:
    cell, dense, norm = layer("c", "k", "b"), layer("d", "w"), layer("n", "g", "h")
    assert variables_of_layer(layer("l", 1, 2, 3), definition(weight("a", ()), weight("b", ()))) == [1, 2, 3]
    twice = layer("l", "k", "b", forward=cell, backward=cell)
    places = [weight(name, (), (at,)) for at in ("forward", "backward") for name in ("k", "b")]
    assert variables_of_layer(twice, definition(*places)) == ["k", "b", "k", "b"]
    for lacking in (layer("l", "k"), layer("l", "k", forward=cell, backward=layer("c", "k"))):
        assert variables_of_layer(lacking, definition(*places)) == ["k"]
    inside = SimpleNamespace(get_layer={"d": dense, "n": norm}.__getitem__)
    wrapper = layer("w", "g", "h", "w", "extra", layer=inside)
    at = {name: ("layer", LayerNamed(name)) for name in "dn"}
    wanted = definition(
        weight("w", (), at["d"]), weight("g", (), at["n"]), weight("h", (), at["n"]), weight("i", (), at["n"])
    )
    assert variables_of_layer(wrapper, wanted) == ["w", "g", "h", "extra"]


def test_floats_that_numpy_cannot_compute_with_are_float32() -> None:
    assert plain_floats(KERNEL) is KERNEL and plain_floats([1, 2]).dtype.kind == "i"
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        found = plain_floats(np.array([1.5, 2.0], getattr(ml_dtypes, name)))
        assert found.dtype == np.float32 and found.tolist() == [1.5, 2.0]
