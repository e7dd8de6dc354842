"""Operations between layers that measure how far two tensors are apart: cross-entropies, CTC, distances.

Input shape: of both tensors the same. Output shape: as each says. Reference: keras.ops.nn, keras.losses.
"""

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Bool, Int
from layerexplain.layers.keras.losses import inside
from layerexplain.layers.registry import layer
from layerexplain.ops import ctc, functions, reduce
from layerexplain.ops import elementwise as e
from layerexplain.ops.sizes import misfit, normalize_axis, shape_text

ROWS = """
ops.BinaryCrossentropy(target, output, from_logits: Bool = False):
    p := inside(output);
    sigmoid_cross_entropy(target, output) if from_logits
    else -(target * log(p) + (1 - target) * log(1 - p))
    | Computes the binary cross-entropy of each output with its target, 0 or 1.
ops.CategoricalCrossentropy(target, output, from_logits: Bool = False, axis: Int = -1):
    p := inside(output / sum(output, axis=axis, keepdims=True));
    softmax_cross_entropy(target, output, axis=axis) if from_logits else -sum(target * log(p), axis=axis)
    | Computes the categorical cross-entropy of the outputs with the targets {along}.
ops.CTCLoss(target, output, target_length, output_length, mask_index: Int = 0):
    ctc_loss(target, output, target_length, output_length, blank=mask_index) | Computes the CTC loss.
ops.PSNR(x1, x2, max_val: Number): 20 * log10(max_val) - 10 * log10(mean((x1 - x2) ** 2))
    | Computes the peak signal-to-noise ratio in decibels.
ops.CTCDecode(inputs, sequence_lengths, strategy: Text = 'greedy', top_paths: PositiveInt = 1,
    merge_repeated: Bool = True, mask_index: Int = 0, beam_width: Ignored):
    labels, score = ctc_decode(...)
    | Decodes the best label sequence of a CTC output.
"""


@layer("ops.SparseCategoricalCrossentropy")
def sparse_categorical_crossentropy(target: Expr, output: Expr, *, from_logits: Bool = False, axis: Int = -1) -> Expr:
    """Computes the cross-entropy of the outputs with the given class indices."""
    if normalize_axis(axis, output.ndim) != output.ndim - 1:
        raise ArgumentError(f"sparse_categorical_crossentropy needs the last axis, got axis={axis}")
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target[..., 0]
    if target.ndim != output.ndim - 1:
        raise ShapeError(
            f"sparse_categorical_crossentropy needs a number for each row of classes, "
            f"got {shape_text(target.shape)} for {shape_text(output.shape)}"
        )
    ids = target if target.dtype != "float" else e.cast(target, to="int64")
    return functions.sparse_softmax_cross_entropy(ids, output if from_logits else e.log(named("p", inside(output))))


def ctc_decode(
    inputs: Expr, sequence_lengths: Expr, strategy: str, top_paths: int, merge_repeated: bool, mask_index: int
) -> dict[str, Expr]:
    """The formula of ops.CTCDecode."""
    if strategy != "greedy" or top_paths != 1:
        raise ArgumentError(
            f"ctc_decode is supported only for strategy='greedy' and top_paths=1, got {strategy=} and {top_paths=}"
        )
    labels, score = ctc.ctc_decode(inputs, sequence_lengths, blank=mask_index, merge=merge_repeated)
    return {"labels": labels, "score": score}


@layer("ops.CDist")
def cdist(x: Expr, y: Expr) -> dict[str, Expr]:
    """Computes the Euclidean distance between each row of the first tensor and each row of the second."""
    if x.ndim < 2 or y.ndim < 2:
        raise misfit("cdist needs rows of numbers", x, y)
    off = x[..., None, :] - y[..., None, :, :]
    return {"z": e.sqrt(reduce.sum_(off**2, axis=-1))}
