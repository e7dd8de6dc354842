"""A module of PyTorch by its arguments alone: its formula before it gets an input, and with it its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find, of_torch


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
    return declaration.trace(_inputs(type_, declaration.default_values | bound), bound)


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
