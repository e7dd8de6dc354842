"""Layers at the core of every model: Dense, Embedding, Activation and those that only pass data on."""

from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.axes import Shape, Size, batch_of
from layerexplain.lang.expr import Expr, weight
from layerexplain.lang.opaque import opaque
from layerexplain.layers.arguments import (
    Activation,
    AnyFunction,
    Anything,
    Bool,
    Number,
    PositiveInt,
    ShapeArgument,
    Text,
)
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.keras.quantization import Compression
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.layers.signature import CARRIES_IDS, Facts
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.elementwise import not_equal, where
from layerexplain.ops.reduce import any_
from layerexplain.ops.sizes import shape_text, size_text


@layer("Dense", mask="pass", ignores=KERNEL_AND_BIAS)
def dense(
    x: Expr, *, units: PositiveInt, activation: Activation = "linear", use_bias: Bool = True, compression: Compression
) -> Any:
    """Each of the {units} outputs is a weighted sum of all {inputs} inputs{last}.

    Input shape: (batch, …, inputs). Output shape: (batch, …, units).
    """
    if x.ndim < 2:
        raise AxesError(f"Dense needs an input of (batch, …, inputs), got {shape_text(x.shape)}")
    axes = [("inputs", x.shape[-1]), ("units", units)]
    if compression.is_used:
        return _compressed("Dense", activation, compression, x, "", axes, axes[1:] if use_bias else None)
    y = dot(x, weight("kernel", "W", axes))
    if use_bias:
        y = y + weight("bias", "b", axes[1:])
    return activate(activation, y)


def _compressed(type_: str, activation: Any, compression: Compression, *product_arguments: Any) -> Any:
    """The quantized form, or that with LoRA, of the layer that has the `Product` of these fields."""
    # Few models have one: those that have none need not load it.
    from layerexplain.layers.keras.quantization import Product, product_of

    y, stored = product_of(type_, Product(*product_arguments), compression)
    return Stored(activate(activation, y), stored)


def _nonzero(tensors: list[Expr], masks: list[Expr | None], arguments: dict[str, Any]) -> Expr | None:
    return not_equal(tensors[0], 0) if arguments["mask_zero"] else None


@layer(
    "Embedding",
    gist="{formula}, {input_dim} × {output_dim}",
    mask=_nonzero,
    ignores="embeddings_initializer embeddings_regularizer embeddings_constraint weights input_length",
    facts=Facts(ids_below="input_dim", tells_axes="ids"),
)
def embedding(
    ids: Expr, *, input_dim: PositiveInt, output_dim: PositiveInt, mask_zero: Bool = False, compression: Compression
) -> Expr:
    """Looks up, for each id, its row of {output_dim} learned values in a table of {input_dim} rows.

    Input shape: (batch, …), integers from 0 to input_dim - 1. Output shape: (batch, …, output_dim).
    """
    if compression.is_used:
        from layerexplain.layers.keras.quantization import EmbeddingTable

        return EmbeddingTable("Embedding", input_dim, output_dim, compression).look_up(ids)
    from layerexplain.ops.joining import take  # no other layer of this module looks anything up

    return take(weight("embeddings", "E", [("ids", input_dim), ("features", output_dim)]), ids)


@layer("Activation", mask="pass", facts=CARRIES_IDS)
def activation(x: Expr, *, activation: Activation) -> Expr:
    """Applies {activation}. No trainable parameters.

    Input shape: any. Output shape: the same.
    """
    return activate(activation, x)


@layer("EinsumDense", ignores=KERNEL_AND_BIAS + " gptq_unpacked_column_size")
def einsum_dense(
    x: Expr,
    *,
    equation: Text,
    output_shape: ShapeArgument,
    activation: Activation = "linear",
    bias_axes: Text | None = None,
    compression: Compression,
) -> Any:
    """Multiplies its input by a learned kernel and sums over the letters missing on the right side of {equation}.

    `output_shape` holds the sizes of the result after the batch, and after the axes that `...` stands for: those
    that the input does not have become sizes of the kernel. Where it says None and the input has the size, Keras
    shows None and this shows the size.
    Input shape: as on the left of the equation. Output shape: as on its right.
    """
    sizes, summed, result, behind = _letters(x, equation, output_shape)
    kernel = equation.replace(" ", "").partition(",")[2].partition("->")[0]
    axes = [(_letter_name(c, kernel, summed, sizes), sizes[c][0]) for c in kernel]
    bias_of: list[Any] | None = None
    if bias_axes is not None:
        missing = [c for c in bias_axes if c not in result]
        if missing or not bias_axes:
            raise ArgumentError(
                f"EinsumDense needs bias_axes to be letters of the result '{result}', got bias_axes={bias_axes!r}"
            )
        spread = result[min(result.index(c) for c in bias_axes) :]
        bias: list[tuple[str, Size]] = [
            (_letter_name(c, kernel, summed, sizes), sizes[c][0]) if c in bias_axes else ("repeated", 1) for c in spread
        ]
        bias_of = [*bias, *[("repeated", 1)] * behind]
    if compression.is_used:
        return _compressed("EinsumDense", activation, compression, x, equation, axes, bias_of)
    y = einsum(x, weight("kernel", "W", axes), eq=equation)
    return activate(activation, y if bias_of is None else y + weight("bias", "b", bias_of))


def _letters(
    x: Expr, equation: str, output_shape: tuple[int | None, ...]
) -> tuple[dict[str, tuple[Size, bool]], set[str], str, int]:
    """Of an equation: each letter's size and whether the input has it, the letters that are summed, those of the
    result, and how many axes an ellipsis at the end stands for. Raises `ArgumentError` for an equation of another
    form than Keras takes and for sizes that contradict each other."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    taken, comma, kernel = left.partition(",")
    front = taken.startswith("...") and right.startswith("...")
    end = taken.endswith("...") and right.endswith("...") and not front
    given, result = (t.removeprefix("...") if front else t.removesuffix("...") if end else t for t in (taken, right))
    if not (arrow and comma and given.isalpha() and kernel.isalpha() and result.isalpha()):
        raise ArgumentError(
            f"EinsumDense needs an equation of the form 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...', "
            f"got equation={equation!r}"
        )
    elided = x.ndim - len(given)
    if elided < 0 or (elided and not front and not end):
        raise ShapeError(
            f"EinsumDense needs an input with {len(given)} axes for equation={equation!r}, "
            f"got {shape_text(x.shape)} with {x.ndim}"
        )
    own = x.shape[elided:] if front else x.shape[: len(given)]
    wanted: list[Size] = list(output_shape) if front and elided else [batch_of(x.shape), *output_shape]
    if len(wanted) != len(result):
        raise ArgumentError(
            f"EinsumDense needs output_shape to have {len(result) - (len(wanted) - len(output_shape))} sizes for "
            f"equation={equation!r}, got output_shape={output_shape}"
        )
    sizes: dict[str, tuple[Size, bool]] = {c: (size, True) for c, size in zip(given, own, strict=True)}
    for c, size in zip(result, wanted, strict=True):
        has = sizes.get(c, (None, False))[0]
        if size is not None and c in sizes and has != size:
            raise ShapeError(
                f"EinsumDense needs one size for '{c}', got {size_text(has)} in the input and {size_text(size)} in "
                f"output_shape={output_shape}"
            )
        if c in kernel or c not in sizes:
            # A size of the kernel: Keras takes it from output_shape alone.
            sizes[c] = (size, c in sizes)
    for c in kernel:
        if c not in sizes:
            raise ArgumentError(f"EinsumDense needs each letter of the kernel elsewhere in {equation!r}, got '{c}'")
    return sizes, {c for c in given if c not in result}, result, elided if end else 0


def _letter_name(letter: str, kernel: str, summed: set[str], sizes: dict[str, tuple[Size, bool]]) -> str:
    """What an axis of the kernel is called; with its letter where several are called the same."""

    def kind(c: str) -> str:
        return "inputs" if c in summed else "places" if sizes[c][1] else "units"

    alike = sum(kind(c) == kind(letter) for c in kernel)
    return kind(letter) if alike == 1 else f"{kind(letter)} {letter}"


@layer("Identity", mask="pass", facts=CARRIES_IDS._replace(loses_mask_keras_2=True))
def identity(x: Expr) -> Expr:
    """Returns its input unchanged.

    Input shape: any. Output shape: the same.
    """
    return x


def _counted_steps(tensors: list[Expr], masks: list[Expr | None], arguments: dict[str, Any]) -> Expr:
    return any_(not_equal(tensors[0], _plain_number(arguments["mask_value"])), axis=-1)


def _plain_number(value: float) -> float:
    return int(value) if value == int(value) else value


@layer("Masking", mask=_counted_steps, facts=CARRIES_IDS)
def masking(x: Expr, *, mask_value: Number = 0.0) -> Expr:
    """Masks the steps whose features all equal {mask_value}: sets them to 0, and later layers that use the mask skip
    them.

    Input shape: (batch, steps, features). Output shape: the same, with a mask (batch, steps).
    """
    keep = any_(not_equal(x, _plain_number(mask_value)), axis=-1, keepdims=True)
    return where(keep, x, 0)


@layer("Lambda", ignores="function_type module output_shape_type output_shape_module", facts=Facts(runs_code=True))
def lambda_(
    *xs: Expr,
    function: AnyFunction,
    output_shape: Anything | None = None,
    mask: Anything | None = None,
    arguments: Anything | None = None,
) -> Expr:
    """Calls a Python function written by the author of the model. Its code is not executed, so its result is unknown.

    Input shape: any. Output shape: (batch, *output_shape) where that is given, else not known.
    """
    from layerexplain.layers.keras.opaque_layers import known_result

    known = known_result("Lambda", {"output_shape": output_shape}, xs[0].shape)
    shape: Shape = (batch_of(xs[0].shape), *[None] * (xs[0].ndim - 1)) if known is None else known[0]
    return opaque(*xs, name="Lambda", shape=shape)
