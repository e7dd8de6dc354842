"""The table of raw operations of TensorFlow that tf.keras up to 2.3 kept between layers (TensorFlowOpLayer)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.operation_rows import _Lazy

raw: Any = _Lazy("tensorflow.raw_ops")


class RawRow(NamedTuple):
    """One operation: `make` calls it on placeholders and constants, `shapes` are those of the inputs."""

    id: str
    make: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((5, 7),)
    dtype: str = "float32"
    positive: bool = False


ONE, TWO, IMAGE = ((5, 7),), ((5, 7), (5, 7)), ((6, 8, 4),)


def _unary(*names: str) -> list[RawRow]:
    return [RawRow(name, lambda x, name=name: getattr(raw, name)(**_first(name, x)), positive=True) for name in names]


def _first(name: str, x: Any) -> dict[str, Any]:
    from tensorflow.python.framework import op_def_registry

    return {op_def_registry.get(name).input_arg[0].name: x}


def _binary(*names: str) -> list[RawRow]:
    return [RawRow(name, lambda x, y, name=name: getattr(raw, name)(x=x, y=y), TWO, positive=True) for name in names]


RAW_ROWS = [
    *_binary("AddV2", "Add", "Sub", "Mul", "RealDiv", "FloorDiv", "Pow", "Maximum", "Minimum", "SquaredDifference"),
    *_binary("Less", "Greater", "Equal", "DivNoNan", "FloorMod"),
    *_unary("Neg", "Abs", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Log1p", "Erf", "Sin", "Tanh", "Sigmoid"),
    *_unary("Relu", "Relu6", "Elu", "Selu", "Softplus", "Softsign", "Softmax", "LogSoftmax", "Identity", "Floor"),
    *_unary("ZerosLike", "OnesLike", "Shape", "Round", "Sign", "Reciprocal", "IsNan"),
    RawRow("Add constant", lambda x: raw.AddV2(x=x, y=1.5)),
    RawRow("Sub from constant", lambda x: raw.Sub(x=2.5, y=x)),
    RawRow("Mul row", lambda x: raw.Mul(x=x, y=[1.0, 2, 3, 4, 5, 6, 7])),
    RawRow("Mean", lambda x: raw.Mean(input=x, axis=[1], keep_dims=True)),
    RawRow("Sum", lambda x: raw.Sum(input=x, axis=-1)),
    RawRow("Max", lambda x: raw.Max(input=x, axis=[1, 2])),
    RawRow("Min", lambda x: raw.Min(input=x, axis=2)),
    RawRow("Prod", lambda x: raw.Prod(input=x, axis=[1])),
    RawRow("ArgMax", lambda x: raw.ArgMax(input=x, dimension=1)),
    RawRow("Cumsum", lambda x: raw.Cumsum(x=x, axis=1, reverse=True)),
    RawRow("Reshape", lambda x: raw.Reshape(tensor=x, shape=[-1, 35])),
    RawRow("Transpose", lambda x: raw.Transpose(x=x, perm=[0, 2, 1])),
    RawRow("ExpandDims", lambda x: raw.ExpandDims(input=x, axis=1)),
    RawRow("ExpandDims last", lambda x: raw.ExpandDims(input=x, axis=-1)),
    RawRow("Squeeze", lambda x: raw.Squeeze(input=x, axis=[2]), ((5, 1, 7),)),
    RawRow("ConcatV2", lambda x, y: raw.ConcatV2(values=[x, y], axis=1), TWO),
    RawRow("Pack", lambda x, y: raw.Pack(values=[x, y], axis=1), TWO),
    RawRow("Unpack", lambda x: raw.Unpack(value=x, num=5, axis=1)),
    RawRow("Split", lambda x: raw.Split(axis=2, value=x, num_split=2), ((5, 6),)),
    RawRow("SplitV", lambda x: raw.SplitV(value=x, size_splits=[2, 4], axis=-1, num_split=2), ((5, 6),)),
    RawRow("Tile", lambda x: raw.Tile(input=x, multiples=[1, 2, 1])),
    RawRow("Pad", lambda x: raw.Pad(input=x, paddings=[[0, 0], [1, 2], [0, 0]])),
    RawRow("PadV2", lambda x: raw.PadV2(input=x, paddings=[[0, 0], [1, 2], [0, 0]], constant_values=0.5)),
    RawRow("MirrorPad", lambda x: raw.MirrorPad(input=x, paddings=[[0, 0], [1, 2], [0, 0]], mode="REFLECT")),
    RawRow("ReverseV2", lambda x: raw.ReverseV2(tensor=x, axis=[1])),
    RawRow("GatherV2", lambda x: raw.GatherV2(params=x, indices=[0, 2], axis=1)),
    RawRow("Slice", lambda x: raw.Slice(input=x, begin=[0, 1, 0], size=[-1, 2, 3])),
    RawRow("StridedSlice", lambda x: raw.StridedSlice(input=x, begin=[0, 1, 0], end=[0, 2, 6], strides=[1, 1, 2],
        begin_mask=1, end_mask=1, shrink_axis_mask=2)),
    RawRow("StridedSlice new axis", lambda x: raw.StridedSlice(input=x, begin=[0, 0, -1], end=[0, 0, 0],
        strides=[1] * 3, ellipsis_mask=1, new_axis_mask=2, end_mask=4)),
    RawRow("Cast", lambda x: raw.Cast(x=x, DstT="int32")),
    RawRow("Cast bool", lambda x: raw.Cast(x=x, DstT="float32"), dtype="int32"),
    RawRow("LeakyRelu", lambda x: raw.LeakyRelu(features=x, alpha=0.3)),
    RawRow("AddN", lambda x, y: raw.AddN(inputs=[x, y]), TWO),
    RawRow("OneHot", lambda x: raw.OneHot(indices=x, depth=6, on_value=1.0, off_value=0.0), ((5,),), "int32"),
    RawRow("TopKV2", lambda x: raw.TopKV2(input=x, k=3)),
    RawRow("MatMul", lambda x: raw.MatMul(a=x, b=[[1.0, 2], [3, 4], [5, 6]]), ((3,),)),
    RawRow("BatchMatMulV2", lambda x, y: raw.BatchMatMulV2(x=x, y=y, adj_y=True), TWO),
    RawRow("BiasAdd", lambda x: raw.BiasAdd(value=x, bias=[1.0, 2, 3, 4, 5, 6, 7])),
    RawRow("SelectV2", lambda x, y: raw.SelectV2(condition=[True, False] * 3 + [True], t=x, e=y), TWO),
    RawRow("MaxPool", lambda x: raw.MaxPool(input=x, ksize=[1, 2, 3, 1], strides=[1, 2, 2, 1], padding="SAME"), IMAGE),
    RawRow("AvgPool", lambda x: raw.AvgPool(value=x, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="SAME"), IMAGE),
    RawRow("DepthToSpace", lambda x: raw.DepthToSpace(input=x, block_size=2), IMAGE),
    RawRow("SpaceToDepth", lambda x: raw.SpaceToDepth(input=x, block_size=2), IMAGE),
    RawRow("ResizeBilinear", lambda x: raw.ResizeBilinear(images=x, size=[5, 11], half_pixel_centers=True), IMAGE),
    RawRow("ResizeNearestNeighbor", lambda x: raw.ResizeNearestNeighbor(images=x, size=[9, 5], half_pixel_centers=True), IMAGE),
]  # fmt: skip
