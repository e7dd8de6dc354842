"""A module of PyTorch by its arguments alone, and the kinds of arguments that modules take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import ArgumentError, Edit, ShapeError
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Annotated, Check, Naturals, Sizes, per_axis
from layerexplain.layers.declaration import Spec
from layerexplain.layers.known_definitions import definition_at
from layerexplain.layers.registry import TORCH, find, layer, layers_of_rank, of_torch
from layerexplain.layers.signature import Facts
from layerexplain.ops.sizes import agree, product, shape_text

# Construction -------------------------------------------------------------------------------------------------------


def traced_alone(type_: str, config: Mapping[str, Any]) -> Definition | None:
    """Return the formula of a module for the input that its arguments ask for; None for one without a formula here.

    Raises ArgumentError where the arguments do not fit each other, another LayerExplainError where that depends on a
    size that they do not say.

    >>> [weight.shape for weight in traced_alone("Linear", {"in_features": 3, "out_features": 5}).weights]
    [(5, 3), (5,)]
    """
    declaration = find(of_torch(type_))
    if declaration is None:
        return None
    bound = declaration.bind(config)
    return definition_at(declaration, _inputs(type_, declaration.default_values | bound), bound)


def asked_inputs(type_: str, config: Mapping[str, Any]) -> list[Spec]:
    """Return the inputs that a module asks for by its arguments; none where these say neither a size nor the number of
    axes. Raises ArgumentError where the arguments do not fit each other.

    >>> asked_inputs("MaxPool2d", {"kernel_size": 2})[0].shape, asked_inputs("ReLU", {})
    ((n, None, None, None), [])
    """
    declaration = find(of_torch(type_))
    if declaration is None:
        return []
    specs = _inputs(type_, declaration.default_values | declaration.bind(config))
    return [] if any(spec.shape == (BATCH, None) and spec.dtype == "float" for spec in specs) else specs


def at_first_call(type_: str, shape: Shape) -> tuple[str, dict[str, Any]]:
    """Return what a lazy module is from its first call on: its type, the argument that its input says, and other
    defaults than those of the type.

    >>> at_first_call("LazyConv2d", (BATCH, 3, 28, 28)), at_first_call("LazyLinear", (BATCH, 7))
    (('Conv2d', {'in_channels': 3}), ('Linear', {'in_features': 7}))
    """
    type_ = type_.removeprefix("Lazy")
    rank = int(type_[-2]) if type_.endswith("d") else 0
    name = "in_channels" if "Conv" in type_ else "num_features" if rank else "in_features"
    axis = 1 if type_.startswith("BatchNorm") else len(shape) - rank - 1
    others = {"affine": True, "track_running_stats": True} if type_.startswith("InstanceNorm") else {}
    return type_, {name: shape[axis] if 0 <= axis < len(shape) else None, **others}


def has_parameters(type_: str) -> bool:
    """Return whether a module has parameters, of those without a formula here.

    >>> has_parameters("LazyLinear"), has_parameters("MaxUnpool2d")
    (True, False)
    """
    return type_.startswith(("Lazy", "Transformer", "RNN")) or type_ in _LOSSES_WITH_PARAMETERS


_LOSSES_WITH_PARAMETERS = frozenset({"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"})


def _inputs(type_: str, given: Mapping[str, Any]) -> list[Spec]:
    """Return inputs that a module takes, by its own arguments: sizes that they do not say are not known."""
    if "utils." in type_:
        return _inputs(given["type"], given["arguments"])
    first = next(
        (
            given[key]
            for key in ("in_channels", "num_features", "num_channels", "in_features", "input_size", "d_model")
            if key in given
        ),
        None,
    )
    if type_.startswith("Embedding"):
        return [Spec((BATCH, None), "int64")]
    if type_ in ("LayerNorm", "RMSNorm"):
        sizes = given["normalized_shape"]
        return [Spec((BATCH, *((sizes,) if isinstance(sizes, int) else sizes)), "float")]
    if type_ == "Bilinear":
        return [Spec((BATCH, given[f"in{i}_features"]), "float") for i in (1, 2)]
    if type_ == "MultiheadAttention":
        widths = (given["embed_dim"], given["kdim"] or given["embed_dim"], given["vdim"] or given["embed_dim"])
        return [Spec((BATCH, 1, width), "float") for width in widths]
    if type_ in ("LSTM", "GRU", "RNN") or type_.startswith("Transformer"):
        return [Spec((BATCH, 1, first), "float")] * (2 if "Decoder" in type_ else 1)
    rank = int(type_[-2]) if type_[-2:-1].isdecimal() else 0
    return [Spec((BATCH, first, *(None,) * rank), "float")]


# Arguments ----------------------------------------------------------------------------------------------------------
# What PyTorch's modules have in common: how they are declared, kinds of arguments, and checks of shapes.

LAYOUT = {1: "NCL", 2: "NCHW", 3: "NCDHW"}
"""PyTorch's layout of a batch of signals, images or volumes, and of their kernels."""

IGNORED = "device dtype inplace"
"""Arguments that change nothing that is computed."""

IMAGES = {rank: Facts(channels_first=True, alone_ndim=rank + 1) for rank in LAYOUT}
"""The facts of modules on signals, images and volumes: one without a batch is taken too."""


def module(type_: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a module of torch.nn by its formula."""
    return layer(TORCH + type_, ignores=IGNORED, **declared)


def modules_of_rank(pattern: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare modules for several numbers of spatial axes by one formula: Conv1d, Conv2d and Conv3d by "Conv{}d"."""
    return layers_of_rank(TORCH + pattern, ignores=IGNORED, facts_of_rank=IMAGES, **declared)


def _word_or(words: tuple[str, ...], numbers: Check) -> Callable[[Any], Any]:
    return lambda value: value if value in words else numbers.normal(value)


_AMOUNTS: Any = Naturals
_SIZES: Any = Sizes


def _sizes_or_none(value: Any) -> Any:
    """One size or one for each axis, None for an axis that keeps its size."""
    if isinstance(value, list | tuple):
        return tuple([None if item is None else _SIZES.normal(item) for item in value])
    return None if value is None else _SIZES.normal(value)


Amounts = Annotated[
    Any,
    Check("'valid', 'same', an integer ≥ 0, or one per axis", "1", _word_or(("valid", "same"), _AMOUNTS), (0, 1, 2)),
]
OutputSizes = Annotated[
    Any, Check("an integer ≥ 1, or one per axis, None to keep that of the input", "7", _sizes_or_none)
]


def need_channels(type_: str, name: str, wanted: int, x: Expr, axis: int = 1) -> None:
    """Raise ShapeError unless an axis of x has the size that the module was made for."""
    size = x.shape[axis % x.ndim] if x.ndim else None
    if not x.ndim or not agree(size, wanted):
        of = "channels" if axis == 1 else "features along the last axis"
        advice, edits = f"write {name}={size}", [Edit(f"write {name}={size}", name, str(size))]
        if axis == -1 and x.ndim > 2 and product(x.shape[1:]) == wanted:
            advice = f"Flatten turns it into {wanted} features"
            edits = [Edit("put Flatten in between", "", "Flatten")]
        elif axis == -1 and x.ndim > 3 and isinstance(whole := product(x.shape[1:]), int):
            advice, edits = f"write torch.flatten(x, 1) before it and {name}={whole}", []
        last = channels_cure(x.shape, wanted) if axis == 1 else ""
        raise ShapeError(
            f"{type_} needs {wanted} {of}, {name}={wanted}, got {size} in {shape_text(x.shape)}; "
            + (last or f"{advice}, or change what comes before"),
            edits=edits if isinstance(size, int) and (not last or name in last) else (),
        )


def channels_cure(shape: Shape, wanted: int) -> str:
    """Return what gives data the channels that a module needs, where they are turned, grey or have an alpha channel; ""
    for other data.

    >>> channels_cure((None, 1, 28, 28), 3), channels_cure((None, 8, 28, 28), 3)
    ('1 channel, as grey images have: write in_channels=1, or x.repeat(1, 3, 1, 1)', '')
    """
    ones = ", 1" * (len(shape) - 2)
    if (last := channels_last(shape, wanted)) or len(shape) < 4:
        return last
    if shape[1] == 1:
        return f"1 channel, as grey images have: write in_channels=1, or x.repeat(1, {wanted}{ones})"
    if (shape[1], wanted) == (4, 3):
        return "4 channels, as images with alpha have: write Image.open(path).convert('RGB')"
    return ""


def channels_last(shape: Shape, wanted: int) -> str:
    """Return what to write where the channels stand last; "" where they do not.

    >>> channels_last((None, 224, 224, 3), 3), channels_last((None, 50, 100), 100), channels_last((None, 1, 8, 8), 3)
    ('the channels are last: write x.permute(0, 3, 1, 2)', 'the channels are last: write x.transpose(1, 2)', '')
    """
    if len(shape) < 3 or shape[-1] != wanted:
        return ""
    axes = ", ".join(map(str, (0, len(shape) - 1, *range(1, len(shape) - 1))))
    move = "transpose(1, 2)" if len(shape) == 3 else f"permute({axes})"
    return f"the channels are last: write x.{move}"


def need_divisor(name: str, number: int, of: str, total: int) -> None:
    """Raise ArgumentError unless a number divides another one."""
    if total % number:
        raise ArgumentError(f"{name} needs to divide {of}={total}, got {name}={number}")


def output_padding(config: Mapping[str, Any], shape: Shape, wanted: Any) -> tuple[int, ...] | None:
    """Return what a ConvTranspose has to add to give an output of wanted sizes; None where that is not known.

    >>> output_padding({"kernel_size": 3, "stride": 2}, (1, 8, 5), [12])
    (1,)
    """
    rank, wanted = len(shape) - 2, tuple(wanted) if isinstance(wanted, list | tuple) else ()
    defaults = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
    if not all(isinstance(size, int) for size in (*shape[-rank:], *wanted[-rank:])) or len(wanted) < rank:
        return None
    each = zip(
        shape[-rank:], *[sizes(name, config.get(name, usual), rank) for name, usual in defaults.items()], strict=True
    )
    least = [(size - 1) * step - 2 * pad + gap * (window - 1) + 1 for size, window, step, pad, gap in each]
    return tuple([size - own for size, own in zip(wanted[-rank:], least, strict=True)])


def sizes(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """Return one value for each spatial axis."""
    return per_axis(name, value, rank)


def half_of_window(type_: str, padding: Any, kernel_size: Any, rank: int) -> None:
    """Raise ArgumentError for padding of a pooling that PyTorch refuses: more than half of the window."""
    for pad, window in zip(sizes("padding", padding, rank), sizes("kernel_size", kernel_size, rank), strict=True):
        if 2 * pad > window:
            raise ArgumentError(
                f"{type_} needs padding of at most half of kernel_size={window}, got padding={pad}; "
                f"use padding={window // 2}"
            )
