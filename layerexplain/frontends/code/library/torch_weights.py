"""The weights of modules of torch.nn, by their arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.layers.registry import find, of_torch
from layerexplain.layers.torch.construction import has_parameters, traced_alone
from layerexplain.ops.sizes import product

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_modules import BuiltIn

Weights = list[tuple[str, tuple[int, ...], bool]]
STATISTICS = {"running_mean": 0.0, "running_var": 1.0}
"""The weights of a module that are buffers, and what they are at first."""


def statistics(name: str, shape: tuple[int, ...]) -> Array:
    """Return such a buffer of a new module."""
    return Array(shape, (STATISTICS[name],) * (product(shape) or 0))


def own_weights(module: BuiltIn) -> Weights:
    """Return the weights of a module by its arguments alone: the name, the shape, and whether it is a buffer. They are
    kept as long as the arguments stay."""
    type_, config = module.declared
    if module.known_weights is None or module.known_weights[0] != (type_, config):
        module.known_weights = (type_, dict(config)), _weights_of(type_, config)
    return module.known_weights[1]


def _weights_of(type_: str, config: Mapping[str, Any]) -> Weights:
    try:
        definition = traced_alone(type_, config)
    except LayerExplainError:
        return []
    return [
        (".".join([*map(str, w.attrs["at"]), w.attrs["name"]]), w.shape, bool(w.attrs.get("buffer")))
        for w in (() if definition is None else definition.weights)
    ]


def has_unknown_weights(module: BuiltIn) -> bool:
    """Return whether a module has weights of unknown shapes: its arguments are unknown, or it has no formula here."""
    declaration = find(of_torch(module.type))
    if declaration is None:
        return has_parameters(module.type)
    unknown = [name for name, value in module.config.items() if unknown_in(value) is not None]
    if not unknown or own_weights(module):
        return False
    examples = {name: declaration.arguments[name].check.example_value for name in unknown}
    return bool(_weights_of(module.type, {**module.config, **examples}))


def weight_shapes(module: BuiltIn) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of a module by their names; none where they are not known."""
    return {name: shape for name, shape, is_buffer in own_weights(module) if not is_buffer}


_OF_WINDOWS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding"})


def kept_as(type_: str, config: Mapping[str, Any], name: str) -> Any:
    """Return an argument as the attribute of its module has it: convolutions keep a tuple of their sizes, pooling the
    window as its stride.

    >>> kept_as("Conv2d", {"kernel_size": 3}, "kernel_size"), kept_as("MaxPool2d", {"kernel_size": 3}, "stride")
    ((3, 3), 3)
    """
    value = config.get(name)
    if name == "stride" and value is None and not type_.startswith("LPPool"):
        value = config.get("kernel_size")
    if type(value) is not int:
        return value
    axes = int(type_[-2]) if type_[-2:-1].isdecimal() else 1
    if (type_.startswith("Conv") and name in _OF_WINDOWS) or (type_ == "AvgPool1d" and name in _OF_WINDOWS):
        return (value,) * axes
    if "Pad" in type_ and name == "padding":
        return (value,) * (2 * axes)
    return (value,) if name == "normalized_shape" else value


def is_recurrent(shapes: Mapping[str, Any]) -> bool:
    """Return whether these are the weights of an RNN, LSTM or GRU, whose `bias` is its argument."""
    return bool(shapes.keys() & {"weight_ih", "weight_ih_l0"})


def may_have_weight(module: BuiltIn, name: str) -> bool | None:
    """Return whether a module has a weight or a bias, which may be None; None where that is not known."""
    declaration = find(of_torch(module.type))
    if declaration is None or has_unknown_weights(module):
        return None
    leaves_out = {name, "affine", *(["elementwise_affine"] if name == "weight" else [])}
    return name in weight_shapes(module) or bool(leaves_out & {*declaration.arguments})
