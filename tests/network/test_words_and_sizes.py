"""Small facts about calls, asked of directly: their words, their dtypes, the sizes that tensors hold, which faults are
kept, and how two shapes agree."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.errors import ArgumentError, LayerExplainError, NotKnown, ShapeError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.network import dtypes, notes
from layerexplain.network.gradient_paths import End, end_words
from layerexplain.network.missing_input import missing_input
from layerexplain.network.operation_classes import INFIX
from layerexplain.network.recorded_shapes import _agree, built_shape, fixed_input, input_spec, spec_dtype
from layerexplain.network.shape_values import ShapeValues
from layerexplain.network.walk import Faults

A, B = TensorRef("a"), TensorRef("b")


# Words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "rest"),
    [
        ("recorded", "; its shapes are those that Keras recorded"),
        ("partly", "; the shapes of results that another layer reads are those that Keras recorded"),
        ("known", ""),
        ("unknown", "; the shape of its output is not known either"),
    ],
)
def test_where_the_shapes_of_a_layer_without_a_formula_are_from(shapes: str, rest: str) -> None:
    found = notes.opaque_note("opaque", "m/a", "it is odd", shapes, "Keras")
    assert found == ("opaque", "m/a", f"it is odd{rest}")


NO_FORMULA = " without a formula in layerexplain"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Layer("a", "Mine", "custom", {}), f"Mine is a layer{NO_FORMULA}"),
        (Layer("a", "Mine", "custom", {}, package="lib"), f"Mine (from lib) is a layer{NO_FORMULA}"),
        (Layer("a", "Mine", "custom", {}, package="Custom"), f"Mine is a layer{NO_FORMULA}"),
        (Layer("a", "Mine", "layer", {}), f"Mine is a layer{NO_FORMULA}"),
        (Layer("a", "Lambda", "layer", {}), "what it computes is not known"),
        (Layer("a", "Mine", "operation", {}), f"Mine is an operation{NO_FORMULA}"),
        (Layer("a", "TFOpLambda", "operation", {"function": "mine"}), f"tf.mine is an operation{NO_FORMULA}"),
    ],
)
def test_why_there_is_no_formula(layer: Layer, words: str) -> None:
    assert notes.why_opaque(layer) == words


@pytest.mark.parametrize(
    ("layer", "type_"),
    [
        (Layer("a", "TFOpLambda", "operation", {"function": "math.add"}), "tf.math.add"),
        (Layer("a", "TFOpLambda", "operation", {"function": 3}), "TFOpLambda"),
        (Layer("a", "Lambda", "layer", {"function": "f"}), "Lambda"),
        (Layer("a", "torch.nn.Linear", "layer", {}), "Linear"),
        (Layer("a", "torch.softmax", "operation", {}), "torch.softmax"),
    ],
)
def test_what_a_row_is_called(layer: Layer, type_: str) -> None:
    assert notes.operation_type(layer) == type_


@pytest.mark.parametrize(
    ("wanted", "got", "words"),
    [(1, 2, "the model 'm' needs 1 input, got 2"), (2, 1, "the model 'm' needs 2 inputs, got 1"), (0, 1, "the model 'm' needs 0 inputs, got 1")],
)  # fmt: skip
def test_a_model_needs_its_inputs(wanted: int, got: int, words: str) -> None:
    assert notes.input_count("m", wanted, got) == words


def test_masks_that_keras_passes_over() -> None:
    words = "the mask of 'm' is ignored: Keras 3 gives a recurrent layer that is called with an initial_state only a mask that the call names; pass mask= to skip the masked steps"
    assert notes.passed_over_note("m", "r") == ("mask-passed-over", "r", words)
    words = "its query_mask is ignored: Keras's MultiHeadAttention reads only the mask that the query carries; value_mask, key_mask and attention_mask are read"
    assert notes.unread_mask_note("a") == ("mask-passed-over", "a", words)


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("", "at an output of 'a' that nothing reads"),
        ("stop_gradient", "at stop_gradient in 'a'"),
        ("cast", "in 'a', where floats become integers or booleans"),
        ("argmax", "at argmax in 'a', which has no gradient: positions"),
        ("mine", "at mine in 'a', which has no gradient"),
    ],
)
def test_where_a_gradient_ends(op: str, words: str) -> None:
    assert find("ops.Argmax") is not None  # which loads the op
    assert end_words(End("a", op)) == words


# Dtypes -------------------------------------------------------------------------------------------------------------

QUANTIZED = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "mixed_bfloat16"}}
NAMED = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
# The dtype of a configuration: the policy, in what variables are, in what it computes, the words.
POLICIES: list[tuple[Any, str, str, str, str]] = [
    (None, "float32", "float32", "float32", ""),
    ("float32", "float32", "float32", "float32", ""),
    ("float64", "float64", "float64", "float64", "float64: computes in float64, weights in float64"),
    ("mixed_float16", "mixed_float16", "float32", "float16", "mixed_float16: computes in float16, weights in float32"),
    ("mixed_bfloat16", "mixed_bfloat16", "float32", "bfloat16", "mixed_bfloat16: computes in bfloat16, weights in float32"),
    (NAMED, "mixed_float16", "float32", "float16", "mixed_float16: computes in float16, weights in float32"),
    (QUANTIZED, "int8_from_mixed_bfloat16", "float32", "bfloat16", "int8_from_mixed_bfloat16: computes in bfloat16, weights in float32; quantized parts in int8"),
    ("int4/32_from_float32", "int4/32_from_float32", "float32", "float32", "int4/32_from_float32: computes in float32, weights in float32; quantized parts in int4"),
    ({"config": {"mode": "int8"}}, "float32", "float32", "float32", ""),
    ({"config": {"source_name": "float16"}}, "float16", "float16", "float16", "float16: computes in float16, weights in float16"),
    ({"config": None}, "float32", "float32", "float32", ""),
    (3, "float32", "float32", "float32", ""),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "policy", "variables", "computes", "words"), POLICIES)
def test_a_policy(dtype: Any, policy: str, variables: str, computes: str, words: str) -> None:
    layer = Layer("a", "Dense", "layer", {} if dtype is None else {"dtype": dtype})
    assert (dtypes.policy_of(layer), *dtypes.dtypes_of(layer)) == (policy, variables, computes)
    assert dtypes.dtype_words(layer) == words


@pytest.mark.parametrize(
    ("dtype", "kind", "whole", "in_float"),
    [
        ("int32", "layer", "int32", "float32"), ("uint8", "layer", "uint8", "float32"), ("bool", "layer", "bool", "float32"),
        ("float16", "layer", "", "float16"), ("float", "layer", "", "float32"), ("int32", "operation", "", "int32"),
        ("mixed_float16", "layer", "", "float16"),
    ],
)  # fmt: skip
def test_layers_of_whole_numbers(dtype: str, kind: Any, whole: str, in_float: str) -> None:
    layer = Layer("a", "Dense", kind, {"dtype": dtype})
    assert (dtypes.whole_numbers(layer), dtypes.float_of(layer)) == (whole, in_float)


@pytest.mark.parametrize(
    ("result", "dtype"),
    [("float", "float16"), ("weak float", "float16"), ("weak int", "int32"), ("int64", "int64"), ("bool", "bool")],
)
def test_the_dtype_of_a_result(result: str, dtype: str) -> None:
    assert dtypes.dtype_of_result(Layer("a", "Dense", "layer", {"dtype": "float16"}), result) == dtype


def test_bytes_of_an_element() -> None:
    import numpy as np

    halves = {"bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
    assert {name: halves.get(name) or np.dtype(name).itemsize for name in dtypes.BYTES} == dtypes.BYTES
    assert len(dtypes.BYTES) == 15


# Sizes that tensors hold --------------------------------------------------------------------------------------------

X = TensorRef("x")
SIZES: list[tuple[dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]], Any, Any]] = [
    ({"a": ("shape", (X,), {})}, A, [A, 5, 3]),
    ({"a": ("compat.v1.shape", (X,), {})}, A, [A, 5, 3]),
    ({"a": ("raw_ops.Shape", (X,), {})}, A, [A, 5, 3]),
    ({"a": ("shape", (TensorRef("y"),), {})}, A, None),
    ({"a": ("other", (X,), {})}, A, None),
    ({}, A, None),
    ({"a": ("shape", (X,), {})}, [A, 7], [[A, 5, 3], 7]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": 1})}, [B, 7], [5, 7]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": [2]})}, (B, 7), [3, 7]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": -3})}, [B], [A]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": 3})}, [B], [B]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": -4})}, [B], [B]),
    ({"a": ("shape", (X,), {}), "b": ("__operators__.getitem", (A,), {"slice_spec": slice(1, None)})}, B, [5, 3]),
    ({"a": ("shape", (X,), {}), "b": ("cast", (A,), {})}, B, [A, 5, 3]),
    ({"b": ("stack", ([7, 8],), {})}, B, [7, 8]),
    ({"b": ("stack", ([7, 8],), {"axis": 0})}, B, [7, 8]),
    ({"b": ("stack", ([7, 8],), {"axis": None})}, B, [7, 8]),
    ({"b": ("stack", ([7, 8],), {"axis": 1})}, B, None),
    ({"b": ("concat", ([[7], [8, 9]],), {})}, B, [7, 8, 9]),
    ({"b": ("concat", ([[7], 8],), {})}, B, None),
    ({"b": ("shape", (), {})}, B, None),
]  # fmt: skip


@pytest.mark.parametrize(("calls", "given", "sizes"), SIZES)
@pytest.mark.parametrize(("function", "name"), [("reshape", "shape"), ("tile", "multiples"), ("broadcast_to", "shape")])
def test_sizes_that_are_computed(calls: Any, given: Any, sizes: Any, function: str, name: str) -> None:
    known = {(key, 0): (of, Call(key, 0, args, kwargs)) for key, (of, args, kwargs) in calls.items()}
    values = ShapeValues(known, {X: (BATCH, 5, 3)}.get)
    call = Call("r", 0, (X,), {name: given, "other": 1})
    found = values.resolved(function, call)
    if sizes is None:
        assert found is call
    else:
        assert found == call._replace(kwargs={name: sizes, "other": 1})
    assert values.resolved("other", call) is call
    plain = Call("r", 0, (X,), {name: 5})
    assert values.resolved(function, plain) is plain


def test_sizes_are_followed_20_calls_deep() -> None:
    def chain(depth: int) -> Any:
        known = {(f"c{i}", 0): ("cast", Call(f"c{i}", 0, (TensorRef(f"c{i + 1}"),), {})) for i in range(depth)}
        known[f"c{depth}", 0] = ("shape", Call(f"c{depth}", 0, (X,), {}))
        call = Call("r", 0, (X,), {"shape": TensorRef("c0")})
        return ShapeValues(known, {X: (5, 3)}.get).resolved("reshape", call).kwargs["shape"]

    assert chain(20) == [5, 3] and chain(21) == TensorRef("c0")


# Shapes that are recorded -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ((BATCH, 3), (BATCH, 3), True), ((BATCH, 3), (7, 3), True), ((BATCH, 3), (BATCH, 4), False),
        ((BATCH, None), (BATCH, 4), True), ((BATCH, 3), (BATCH, None), True), ((BATCH, 3), (BATCH, 3, 1), False),
        ((BATCH, 3, 4), (BATCH, None, 5), False), ((), (), True),
    ],
)  # fmt: skip
def test_two_shapes_that_can_be_the_same(ours: Any, theirs: Any, agree: bool) -> None:
    assert _agree(ours, theirs) is agree


@pytest.mark.parametrize(
    ("built", "i", "shape"),
    [
        ((None, 3), 0, (BATCH, 3)), ((None, 3), 1, None), (((None, 3), (None, 4)), 1, (BATCH, 4)), ({"q": (None, 5), "v": (None, 6)}, 1, (BATCH, 6)),
        (None, 0, None), ((), 0, None), ((None, "a"), 0, None), ((None, True), 0, None), ({"q": 3}, 0, None), (((None, 3), ()), 1, None),
    ],
)  # fmt: skip
def test_the_shape_that_a_layer_was_built_for(built: Any, i: int, shape: Any) -> None:
    assert built_shape(Layer("a", "Dense", "layer", {}, build_shape=built), i) == shape


@pytest.mark.parametrize(
    ("spec", "wanted", "shape"),
    [
        (None, (5, 3), (BATCH, 5, 3)), (Spec((BATCH, None, 3), "int32"), (5, 3), (BATCH, 5, 3)),
        (Spec((BATCH, None, 3), "int32"), (None, 3), (BATCH, None, 3)), (Spec((5, BATCH, 3), "float"), (5, 3), (5, BATCH, 3)),
    ],
)  # fmt: skip
def test_an_input_gets_the_sizes_that_are_given(spec: Spec | None, wanted: Any, shape: Any) -> None:
    found = fixed_input("x", spec, wanted)
    assert (found.shape, found.dtype) == (shape, "float" if spec is None else spec.dtype)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ((5, 4), "input 'x' needs sizes that fit the model's (None, 3), got (5, 4)"),
        ((7, 5, 3), "input 'x' needs sizes that fit the model's (None, 3), got (7, 5, 3); leave out the batch, which is 7"),
        ((3,), "input 'x' needs sizes that fit the model's (None, 3), got (3)"),
    ],
)  # fmt: skip
def test_sizes_that_contradict_the_model(wanted: Any, words: str) -> None:
    with pytest.raises(ShapeError) as found:
        fixed_input("x", Spec((BATCH, None, 3), "float"), wanted)
    assert found.value.fact == words


@pytest.mark.parametrize(("config", "spec"), [
    ({"batch_shape": (None, 3), "dtype": "float16"}, Spec((BATCH, 3), "float")), ({"batch_shape": (None, 3)}, Spec((BATCH, 3), "float")),
    ({"batch_shape": (None, 3), "dtype": "int32"}, Spec((BATCH, 3), "int32")), ({"batch_shape": [None, 3]}, None), ({}, None),
    ({"batch_shape": (None, 3), "dtype": {"a": 1}}, Spec((BATCH, 3), "float")),
])  # fmt: skip
def test_what_an_input_gives(config: dict[str, Any], spec: Spec | None) -> None:
    assert input_spec(Layer("x", "InputLayer", "layer", config)) == spec


def test_all_floats_are_float_in_a_formula() -> None:
    floats = ["float16", "bfloat16", "float32", "float64"]
    assert [spec_dtype(one) for one in [*floats, "int32", "bool", "string", "float8_e4m3fn"]] == (
        ["float"] * 4 + ["int32", "bool", "string", "float8_e4m3fn"]
    )


# Operations ---------------------------------------------------------------------------------------------------------


def test_the_operators_of_python() -> None:
    pairs = "Add+ Subtract- Multiply* TrueDivide/ FloorDivide// Mod% Power** Matmul@ Less< LessEqual<= Greater> GreaterEqual>="
    assert " ".join(f"{name}{sign}" for name, sign in INFIX.items()) == pairs


# Faults -------------------------------------------------------------------------------------------------------------

KNOWN, OPEN = Spec((BATCH, 3), "float"), Spec((BATCH, None), "float")
KEPT: list[tuple[dict[str, Any], list[tuple[LayerExplainError, Any, str]], list[str]]] = [
    # of a spec
    ({"strict": True}, [(ShapeError("a"), [OPEN], "layer"), (ArgumentError("b"), [None], "custom")], ["a", "b"]),
    ({"strict": True}, [(ShapeError("a"), [OPEN], "layer"), (ShapeError("a"), [OPEN], "layer")], ["a"]),
    ({"strict": True}, [(ShapeError("a", line=1), [], "layer"), (ShapeError("a", line=2), [], "layer")], ["a", "a"]),
    ({"strict": True, "known": [ShapeError("a")]}, [(ShapeError("a"), [], "layer"), (NotKnown("b"), [], "layer")], []),
    ({"strict": True}, [(NotKnown("b"), [], "layer"), (NotKnown("c"), [], "layer")], ["b"]),
    # of a file
    ({}, [(ShapeError("a"), [KNOWN], "layer"), (ShapeError("b"), [OPEN], "layer"), (ShapeError("c"), [None], "layer")], ["a"]),
    ({}, [(ArgumentError("a"), [KNOWN], "layer"), (NotKnown("b"), [KNOWN], "layer")], []),
    ({"known": [ShapeError("a")]}, [(ShapeError("a"), [KNOWN], "layer"), (ShapeError("b"), [KNOWN], "layer")], ["b"]),
    ({}, [(ShapeError("a"), [KNOWN, OPEN], "layer"), (ShapeError("b"), [], "custom")], ["b"]),
    # of code
    ({"code": True}, [(ArgumentError("a"), [KNOWN], "layer"), (ArgumentError("b"), [KNOWN], "custom"), (ShapeError("c"), [KNOWN], "custom")], ["a", "c"]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "errors", "kept"), KEPT)
def test_which_faults_are_kept(how: dict[str, Any], errors: Any, kept: list[str]) -> None:
    faults = Faults(**how)
    for error, specs, kind in errors:
        faults.keep(error, specs, kind)
    assert [one.fact for one in faults.found] == kept
    refusing = Faults(**how)
    refusing.keep(ShapeError("refused"), [OPEN], "layer", lambda: True)
    assert [one.fact for one in refusing.found] == ["refused"]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Layer("d", "Reshape", "layer", {"target_shape": (4, 5)}), "[20]` (the sizes without the batch), or give --input 20"),
        (Layer("d", "Dense", "layer", {"units": 3}), "[784]` (the sizes without the batch), or give --input 784"),
    ],
)  # fmt: skip
def test_a_shape_that_is_missing_is_proposed(layer: Layer, words: str) -> None:
    first = Layer("x", "InputLayer", "layer", {}, line=7)
    calls = (Call("x", 0, (), {}), Call("d", 0, (X,), {}))
    model = Model("m", "Functional", (first, layer), calls, (X,), (TensorRef("d"),))
    found = missing_input(model, X, lambda shape: 0)
    assert (found.fact, found.line) == (f"the shape of the input is missing; add `input: {words}", 7)
    best = missing_input(model, X, lambda shape: len(shape) != 3)
    assert best.fact.count(",") >= 3
