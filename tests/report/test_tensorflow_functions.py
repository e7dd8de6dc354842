"""Functions of TensorFlow as operations of Keras 3: the class, its arguments by Keras's names, and what has none."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.errors import SpecError
from layerexplain.lang.tables import ConstantArray
from layerexplain.model import Call, Layer, TensorRef
from layerexplain.report.tensorflow_functions import is_tensorflow, todays_operation

X, Y = TensorRef("x"), TensorRef("y")
PADS = ((0, 0), (1, 2))

TWO = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "truediv": "TrueDivide", "divide_no_nan": "DivideNoNan",
    "floordiv": "FloorDivide", "floormod": "Mod", "pow": "Power", "maximum": "Maximum", "minimum": "Minimum", "equal": "Equal",
    "not_equal": "NotEqual", "less": "Less", "less_equal": "LessEqual", "greater": "Greater", "greater_equal": "GreaterEqual",
    "logical_and": "LogicalAnd", "logical_or": "LogicalOr",
}  # fmt: skip
"""Functions of two tensors, and the classes of keras.ops that compute the same."""
REDUCE = {"mean": "Mean", "sum": "Sum", "max": "Max", "min": "Min", "prod": "Prod"}

ROWS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, Any], tuple[Any, ...]]] = [
    *[(f"math.{name}", (X, Y), {}, twin, {}, (X, Y)) for name, twin in TWO.items()],
    *[(f"math.{name}", (X,), {"y": Y}, twin, {}, (X, Y)) for name, twin in TWO.items()],
    *[(f"math.reduce_{name}", (X,), {"axis": (1, 2), "keepdims": True}, twin, {"axis": (1, 2), "keepdims": True}, (X,)) for name, twin in REDUCE.items()],
    ("math.reduce_mean", (X, 1), {}, "Mean", {"axis": 1}, (X,)),
    ("reshape", (X, (3, 4)), {}, "Reshape", {"newshape": (3, 4)}, (X,)), ("reshape", (X,), {"shape": (3, 4)}, "Reshape", {"newshape": (3, 4)}, (X,)),
    ("transpose", (X,), {"perm": (0, 2, 1)}, "Transpose", {"axes": (0, 2, 1)}, (X,)), ("transpose", (X,), {}, "Transpose", {}, (X,)),
    ("tile", (X, (1, 2)), {}, "Tile", {"repeats": (1, 2)}, (X,)),
    ("clip_by_value", (X, 0, 6), {}, "Clip", {"x_min": 0, "x_max": 6}, (X,)),
    ("clip_by_value", (X,), {"clip_value_min": 0, "clip_value_max": 6}, "Clip", {"x_min": 0, "x_max": 6}, (X,)),
    ("linalg.matmul", (X, Y), {}, "Matmul", {}, (X, Y)), ("linalg.matmul", (X, Y), {"transpose_b": False}, "Matmul", {}, (X, Y)),
    ("pad", (X, PADS), {}, "Pad", {"pad_width": PADS, "mode": "constant"}, (X,)),
    ("pad", (X,), {"paddings": PADS, "mode": "REFLECT", "constant_values": 0}, "Pad", {"pad_width": PADS, "mode": "reflect"}, (X,)),
    ("pad", (X,), {"paddings": PADS, "mode": "CONSTANT", "constant_values": 3}, "Pad", {"pad_width": PADS, "mode": "constant", "constant_values": 3}, (X,)),
    ("raw_ops.Pad", (X,), {"paddings": PADS}, "Pad", {"pad_width": PADS, "mode": "constant"}, (X,)),
    ("raw_ops.Pad", (X, ConstantArray(PADS, "int32")), {}, "Pad", {"pad_width": PADS, "mode": "constant"}, (X,)),
    ("raw_ops.PadV2", (X, PADS, 5), {}, "Pad", {"pad_width": PADS, "constant_values": 5, "mode": "constant"}, (X,)),
    ("raw_ops.MirrorPad", (X, PADS), {"mode": "SYMMETRIC"}, "Pad", {"pad_width": PADS, "mode": "symmetric"}, (X,)),
    ("__operators__.getitem", (X,), {"slice_spec": (slice(None), 0)}, "GetItem", {}, (X, (slice(None), 0))),
    ("__operators__.getitem", (X, 5), {"slice_spec": [0]}, "GetItem", {}, (X, (0,))),
    ("concat", ((X, Y),), {"axis": -1}, "Concatenate", {"axis": -1}, ((X, Y),)), ("stack", ((X, Y),), {"axis": 1}, "Stack", {"axis": 1}, ((X, Y),)),
    ("nn.relu", (X,), {}, "Relu", {}, (X,)), ("math.square", (X,), {}, "Square", {}, (X,)), ("math.abs", (X,), {}, "Absolute", {}, (X,)),
    ("expand_dims", (X,), {"axis": 1}, "ExpandDims", {"axis": 1}, (X,)), ("squeeze", (X,), {"axis": 1}, "Squeeze", {"axis": 1}, (X,)),
    ("cast", (X,), {"dtype": "float16"}, "Cast", {"dtype": "float16"}, (X,)),
]  # fmt: skip

REFUSED = [
    ("nothing", (X,), {}, "tf.nothing is not known, so no operation of Keras 3 can stand for it"),
    ("nn.softmax", (X,), {}, "no operation of Keras 3 is known here that computes what tf.nn.softmax does"),
    ("__operators__.getitem", (X,), {"slice_spec": (Y,)}, "no operation of Keras 3 is known here that computes what tf.__operators__.getitem does"),
    ("__operators__.getitem", (X,), {"slice_spec": 3}, "no operation of Keras 3 is known here that computes what tf.__operators__.getitem does"),
    ("math.add", (X, Y), {"name": "sum"}, "tf.math.add is called with arguments for which Keras 3 has no operation"),
    ("math.reduce_sum", (X, Y), {}, "tf.math.reduce_sum is called with arguments for which Keras 3 has no operation"),
    ("linalg.matmul", (X, Y), {"transpose_b": True}, "tf.linalg.matmul is called with transpose_b, which Keras 3's matmul does not have"),
]  # fmt: skip


def of(function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Layer, Call]:
    return Layer("op", "TFOpLambda", "operation", {"function": function}), Call("op", 3, args, kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "type_", "config", "tensors"), ROWS, ids=[f"{row[0]} {row[3]}" for row in ROWS]
)
def test_a_tensorflow_function_is_todays_operation(
    function: str, args: tuple[Any, ...], kwargs: dict[str, Any], type_: str, config: dict[str, Any], tensors: tuple[Any, ...]
) -> None:  # fmt: skip
    layer, call = todays_operation(*of(function, args, kwargs))
    assert (layer.name, layer.type, layer.kind, dict(layer.config)) == ("op", type_, "operation", config)
    assert (call.layer, call.index, call.args, call.kwargs) == ("op", 3, tensors, {})


@pytest.mark.parametrize(("function", "args", "kwargs", "words"), REFUSED)
def test_a_tensorflow_function_without_an_operation_of_today_is_refused(
    function: str, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        todays_operation(*of(function, args, kwargs))
    assert caught.value.fact == words


IS = [("operation", {"function": "math.add"}, True), ("operation", {}, False), ("layer", {"function": "relu"}, False), ("operation", {"function": 3}, False)]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "expected"), IS)
def test_a_function_of_tensorflow_is_an_operation_that_names_one(
    kind: Any, config: dict[str, Any], expected: bool
) -> None:
    assert is_tensorflow(Layer("a", "TFOpLambda", kind, config)) is expected
