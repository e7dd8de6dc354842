"""Wrong uses of operations and layers: each is refused when it is traced, with what is wrong and what would be right."""

from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from tests.support.tracing import trace_layer

REFUSED: list[tuple[str, dict[str, Any], list[tuple[int | None, ...]], str]] = [
    ("ops.Unfold", {"kernel_size": 2}, [(None, 5, 3)], "unfold needs images of a fixed size, got (None, None, 5, 3)"),
    ("ops.MapCoordinates", {"order": 3}, [(5, 5), (2, 5)], "map_coordinates is supported only for order 0 and 1"),
    ("ops.SobelEdges", {}, [(5,)], "sobel_edges needs a batch of images, got (None, 5)"),
    ("ops.SSIM", {"max_val": 1.0}, [(5,), (5,)], "images need 3 axes, 4 with a batch, got (None, 5)"),
    ("ops.GaussianBlur", {}, [(5,)], "images need 3 axes, 4 with a batch, got (None, 5)"),
    ("ops.RGBToHSV", {}, [(5, 2)], "colours need 3 channels, got (1, None, 5, 2)"),
    ("ops.Meshgrid", {}, [(None,), (3,)], "meshgrid needs rows of a fixed length, got (None,), (None,)"),
    ("ops.Corrcoef", {}, [(None,)], "corrcoef needs rows of numbers of a fixed length, got (None, None)"),
    ("tf.nn.depthwise_conv2d", {"strides": "nearest", "padding": "SAME"}, [(5, 5, 3), (5, 5, 3)], "windows need integers ≥ 1, got"),
    ("ops.Correlate", {}, [(5, 3), (5,)], "correlate needs two rows of fixed length and mode 'valid', 'same' or 'full'"),
    ("ops.Vander", {}, [(5, 3)], "vander needs a row of numbers, and N where its length is not known"),
    (
        "ops.Resize",
        {"size": [3, 3], "interpolation": "zz"},
        [(5, 5, 3)],
        "resize needs one of nearest, bilinear, bicubic, lanczos3, lanczos5, area, gaussian, mitchellcubic",
    ),
    (
        "ops.PadImages",
        {"top_padding": -1, "left_padding": 0, "bottom_padding": 0, "right_padding": 0},
        [(5, 5, 3)],
        "axis 1 of (None, 5, 5, 3) needs amounts of at least 0, got -1 and 0",
    ),
    ("ops.DepthToSpace", {"block_size": 2}, [(4, 4, 3)], "depth_to_space needs channels that 4 divides, got (None, 4, 4, 3)"),
    ("ops.SpaceToDepth", {"block_size": 3}, [(4, 4, 3)], "space_to_depth needs rows and columns that 3 divides"),
    ("ops.Lstsq", {}, [(5, 3), (4,)], "lstsq needs one matrix and a vector or matrix"),
    ("ops.Lstsq", {}, [(None, 3), (4,)], "lstsq needs one matrix and a vector or matrix"),
    ("ops.MatrixRank", {}, [(None, 3)], "matrix_rank needs matrices of a fixed size, or tol"),
    ("ops.Diagonal", {"axis1": 1, "axis2": 1}, [(4, 4)], "a diagonal needs two axes, got 1 and 1"),
    ("ops.Trace", {"axis1": 1, "axis2": 1}, [(4, 4)], "a diagonal needs two axes, got 1 and 1"),
    ("ops.Diag", {}, [(4, 4)], "diag needs a vector or a matrix, got (None, 4, 4) with 3 axes"),
    ("ops.SparseCategoricalCrossentropy", {"axis": 1}, [(4,), (4, 3)], "sparse_categorical_crossentropy needs the last axis, got axis=1"),
    ("ops.CategoricalCrossentropy", {}, [(4,), (3,)], "multiply needs shapes that broadcast: equal sizes or 1, aligned at the last axis;"),
    ("ops.SparseCategoricalCrossentropy", {}, [(4, 2), (3, 3)], "sparse_categorical_crossentropy needs a number for each row of classes"),
    ("ops.Quantile", {}, [(4, 3), (4, 3)], "a quantile needs one share, or a row of them, got a tensor with 3 axes"),
    ("ops.ViewAsComplex", {}, [(4, 3)], "view_as_complex needs a last axis of size 2, got (None, 4, 3)"),
    ("ops.Tensordot", {"axes": 9}, [(4,), (4,)], "tensordot needs axes from 0 to 2, got axes=9"),
    ("ops.Tensordot", {"axes": [[1], [1, 2]]}, [(4, 3), (4, 3)], "tensordot needs equal numbers of axes of both tensors, got axes=[[1], [1, 2]]"),
    ("ops.Tensordot", {"axes": "a"}, [(4,), (4,)], "tensordot needs a number of axes, or two lists of them, got axes='a'"),
    ("ops.Tensordot", {"axes": -1}, [(4,), (4,)], "tensordot needs axes from 0 to 2, got axes=-1"),
    (
        "ops.DotProductAttention",
        {"attn_logits_soft_cap": 2.0},
        [(4, 2, 3), (4, 2, 3), (4, 2, 3)],
        "dot_product_attention is supported only without attn_logits_soft_cap",
    ),
    ("ops.DotProductAttention", {}, [(4, 2, None), (4, 2, None), (4, 2, 3)], "dot_product_attention needs the size of a head, got (None, 4, 2, None)"),
    ("ops.Rearrange", {"pattern": "b (h w) -> b h w"}, [(6,)], "rearrange needs the length of h for 'b (h w) -> b h w'"),
    ("ops.Norm", {"ord": "x"}, [(4,)], "the norm of a matrix needs ord 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc'"),
    ("ops.Norm", {"ord": 3, "axis": [1, 2]}, [(4, 5)], "the norm of a matrix needs ord 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc'"),
    ("ops.BroadcastTo", {"shape": [3]}, [(4, 5)], "broadcast_to needs a shape of at least 3 axes, got [3]"),
    ("ops.BroadcastTo", {"shape": [2, 3, 5]}, [(4, 5)], "broadcast_to needs size 1 or 3 on axis 1, got (None, 4, 5)"),
    ("ops.Pad", {"pad_width": [[0, 0], [1, 1]], "mode": "zz"}, [(4,)], "pad needs mode 'constant', 'reflect', 'symmetric', 'edge' or 'wrap'"),
    ("ops.Pad", {"pad_width": [[0, 0], [1, 1]], "constant_values": "a"}, [(4,)], "pad needs a number as its value, got 'a'"),
    ("ops.FullLike", {"fill_value": "a"}, [(4,)], "full_like needs a number as its value, got fill_value='a'"),
    ("ops.Unique", {"sorted": False}, [(4,)], "unique is supported only with sorted=True and fill_value=0"),
    ("ops.UnravelIndex", {"shape": [2, 3]}, [(4, 2)], "unravel_index needs a vector of indices, got (None, 4, 2)"),
    ("ops.ScatterUpdate", {"reduction": "div"}, [(4,), (2, 1), (2,)], "scatter_update needs 'add', 'mul', 'max', 'min' or None"),
    ("ops.Slice", {"shape": [1]}, [(4, 3), (3,)], "slice needs a size for each axis of (None, 4, 3), got shape=[1]"),
    ("ops.Slice", {"shape": "a"}, [(4, 3), (3,)], "slice needs a size for each axis, -1 for the rest, got shape='a'"),
    ("ops.Moveaxis", {"source": [1, 2], "destination": [2]}, [(4, 3)], "destination needs the same number of axes as source, got (2,) and (1, 2)"),
    ("ops.ArraySplit", {"indices_or_sections": 2, "axis": 1}, [(None,)], "array_split needs the size of axis 1, got None"),
    ("ops.Split", {"indices_or_sections": 3, "axis": 1}, [(4,)], "split needs an axis whose size is divisible by 3, got 4"),
    (
        "ops.STFT",
        {"sequence_length": 4, "sequence_stride": 2, "fft_length": 4, "window": "zz"},
        [(20,)],
        "window needs to be 'hann', 'hamming' or None, got window='zz'",
    ),
    ("ops.ISTFT", {"sequence_length": 4, "sequence_stride": 2, "fft_length": 4}, [(5, 7), (5, 7)], "istft needs frames of 3 frequencies, got (None, 5, 7)"),
    ("ops.Triu", {}, [()], "band needs matrices (at least 2 axes), got (None,) with 1"),
    ("ops.Einsum", {"subscripts": "ab,bc"}, [(4,)], "einsum needs an equation 'ab,bc->ac' with 1 inputs, got 'ab,bc->ac'"),
    ("ops.Einsum", {"subscripts": "abc->a"}, [(4,)], "einsum needs 3 axes for 'abc' of 'abc->a', got a tensor with 2"),
    ("ops.Einsum", {"subscripts": "ab->ad"}, [(4,)], "einsum 'ab->ad' needs every letter of the result in an input, got 'd'"),
    ("ops.CTCDecode", {}, [(4,), ()], "ctc_decode needs scores (batch, steps, classes), got (None, 4)"),
    ("ops.Transpose", {"axes": [0, 1, 1]}, [(4, 3)], "transpose needs each of the axes 0 to 2 once, got (0, 1, 1)"),
    ("ops.Flip", {"axis": 4}, [(4, 3)], "axis needs to be from -3 to 2 for a tensor with 3 axes, got 4"),
    ("ops.Reshape", {"newshape": [-1, -1]}, [(4, 3)], "reshape needs at most one -1, got (-1, -1)"),
    ("ops.PerspectiveTransform", {}, [(5, 5, 3), (3, 2), (3, 2)], "homography needs 4 points, (batch, 4, 2), got (None, 3, 2)"),
    ("ops.Matmul", {}, [(4, 3), (4, 3)], "matmul needs matrices, the first with as many columns as the second has rows"),
    ("ops.Cross", {}, [(4,), (4,)], "cross needs vectors of 2 or 3 numbers, got (None, 4) and (None, 4)"),
    ("ops.Stack", {"axis": 1}, [(4,), (3,)], "stack needs equal shapes, got (None, 4) and (None, 3)"),
    ("ops.Concatenate", {"axis": -1}, [(4, 3), (5, 3)], "concatenate needs shapes that are equal except along axis -1"),
    ("ops.Squeeze", {"axis": 1}, [(4,)], "squeeze needs axis 1 to have size 1, got (None, 4)"),
    ("ops.OneHot", {"num_classes": 0}, [(4,)], "ops.OneHot needs num_classes to be an integer ≥ 1"),
    ("ops.Inv", {}, [(4, 3)], "inv needs square matrices, got (None, 4, 3)"),
    ("ops.Cholesky", {}, [(4, 3)], "cholesky needs square matrices, got (None, 4, 3)"),
    ("ops.Solve", {}, [(4, 4), (3, 2)], "solve needs b with as many rows as a"),
    ("ops.Eigh", {}, [(4, 3)], "eigh needs square matrices, got (None, 4, 3)"),
    ("ops.Where", {}, [(4,), (3,), (4,)], "where needs shapes that broadcast: equal sizes or 1, aligned at the last axis;"),
    ("ops.Take", {"axis": 5}, [(4,), (3,)], "axis needs to be from -2 to 1 for a tensor with 2 axes, got 5"),
    ("ops.TakeAlongAxis", {"axis": 1}, [(4,), (3, 2)], "take_along needs shapes that are equal except along axis 1"),
    ("ops.MaxPool", {"pool_size": 9}, [(4, 2)], "the window needs to fit into the 4 steps of (None, 4, 2) with padding 'valid'"),
    ("ops.Conv", {"strides": 1}, [(5, 3), (3, 4, 2)], "a convolution needs a kernel (window…, channels, filters) for its input"),
    ("ops.SegmentSum", {}, [(4,), (3,)], "segment needs one id for each part along the first axis"),
    ("ops.Add", {}, [(4,), (3,)], "add needs shapes that broadcast: equal sizes or 1, aligned at the last axis;"),
    ("tf.cumsum", {"exclusive": True}, [(4,)], "cumsum is supported only with exclusive=False, got exclusive=True"),
    ("tf.math.cumprod", {"exclusive": True}, [(4,)], "cumprod is supported only with exclusive=False, got exclusive=True"),
    ("tf.image.per_image_standardization", {}, [(None, 4, 3)], "per_image_standardization needs images of a fixed size"),
    ("tf.signal.frame", {"frame_length": 2, "frame_step": 1, "pad_end": True}, [(4,)], "frame is supported only along the last axis and without padding"),
    ("tf.boolean_mask", {}, [(4, 3), (4,)], "boolean_mask needs a mask with the shape of the tensor"),
    ("Softmax", {"axis": [1, 2]}, [(5,)], "axis needs to be from -2 to 1 for a tensor with 2 axes, got 2"),
    ("BatchNormalization", {"axis": [1, 2]}, [(5, 4)], "BatchNormalization needs one axis, got axis=(1, 2)"),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 3}, [(5, 5, 3)], "groups needs to divide the 4 filters, got groups=3"),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "multi_hot"}, [(4,), (4,)], "count_weights need output_mode='count', got output_mode='multi_hot'"),
    (
        "CategoryEncoding",
        {"num_tokens": 4, "output_mode": "count"},
        [(4,), (3,)],
        "multiply needs shapes that broadcast: equal sizes or 1, aligned at the last axis;",
    ),
    (
        "GroupQueryAttention",
        {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
        [(6,), (4, 6)],
        "GroupQueryAttention needs query, value and key as (batch, steps, features)",
    ),
    ("Dot", {"axes": 1}, [(4,) * 14] * 2, "Dot needs tensors with at most 6 axes"),
    ("GroupNormalization", {"axis": [1, 2]}, [(5, 6)], "GroupNormalization needs axis to be an integer"),
    ("UnitNormalization", {"axis": [5]}, [(5, 6)], "axis needs to be from -3 to 2 for a tensor with 3 axes, got 5"),
    ("SpatialDropout1D", {"rate": 0.2}, [(5,)], "SpatialDropout1D needs an input with 3 axes (batch, steps, features)"),
    ("Cropping1D", {"cropping": [1, 2, 3]}, [(5, 3)], "cropping needs an integer or two, before and after"),
    ("ZeroPadding2D", {"padding": [1, 2, 3]}, [(5, 5, 3)], "padding needs an integer, 2 of them, or 2 pairs"),
    ("UpSampling2D", {"size": [1, 2, 3]}, [(5, 5, 3)], "size needs one integer or 2, got size=(1, 2, 3)"),
    ("STFTSpectrogram", {"frame_length": 16, "fft_length": 8}, [(50, 1)], "fft_length needs to be at least frame_length=16, got fft_length=8"),
    ("Reshape", {"target_shape": [4, 4]}, [(5,)], "target_shape (4, 4) needs 16 elements per example"),
    ("Flatten", {"data_format": "zz"}, [(5,)], "Flatten needs data_format to be 'channels_last' or 'channels_first'"),
    ("AveragePooling1D", {"pool_size": 9}, [(5, 3)], "the window needs to fit into the 5 steps of (None, 5, 3) with padding 'valid'"),
    ("AdaptiveAveragePooling1D", {"output_size": [1, 2]}, [(5, 3)], "output_size needs one integer, got output_size=(1, 2)"),
]  # fmt: skip
"""Type, arguments, shapes behind the batch, and how the refusal begins."""


@pytest.mark.parametrize(
    ("type_", "config", "shapes", "words"), REFUSED, ids=[f"{i}-{r[0]}" for i, r in enumerate(REFUSED)]
)
def test_a_wrong_use_is_refused(
    type_: str, config: dict[str, Any], shapes: list[tuple[int | None, ...]], words: str
) -> None:
    with pytest.raises(LayerExplainError) as refusal:
        trace_layer(type_, config, [Spec((BATCH, *shape), "float") for shape in shapes])
    assert refusal.value.fact.startswith(words)
