"""What each axis of each node is called: the role that an op's rule gives it, or that of the axis it continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Expr
from layerexplain.ops.sizes import FLOATS, axis_roles, channels_at, default_roles

Roles = tuple[str, ...]


def input_roles(node: Expr, definition: Definition) -> Roles:
    """The roles of a definition's tensor; whole numbers and masks of rank 2 are sequences."""
    if node.ndim == 2 and node.dtype not in FLOATS:
        return ("batch", "steps")
    if node.ndim <= 2:
        return axis_roles(node)
    given = definition.arguments.get("data_format")
    if definition.name in OF_CHANNELS:
        axis = definition.arguments.get("axis")
        axis = axis[0] if isinstance(axis, tuple) and axis else axis
        return channels_at(node.ndim, axis % node.ndim) if isinstance(axis, int) and axis else axis_roles(node)
    if definition.name.startswith("conv_lstm"):
        return sequence_roles(node.ndim, given) if node is definition.params[0] else image_roles(node.ndim, given)
    if definition.name == "time_distributed":
        return sequence_roles(node.ndim, definition.arguments["layer"].config.get("data_format"))
    # Flatten's own is what is configured for all of Keras, whatever it is fed with.
    if given is None or definition.name == "flatten":
        return axis_roles(node) if given != "channels_first" else image_roles(node.ndim, given)
    return image_roles(node.ndim, given)


def image_roles(ndim: int, data_format: Any) -> Roles:
    """The roles of a tensor's axes, the channels where `data_format` says."""
    return channels_at(ndim, 1) if data_format == "channels_first" and ndim > 2 else default_roles(ndim)


def sequence_roles(ndim: int, data_format: Any) -> Roles:
    """Those of a sequence of such tensors."""
    return ("batch", "steps", *image_roles(ndim - 1, data_format)[1:]) if ndim > 3 else default_roles(ndim)


def is_unusual(definition: Definition) -> bool:
    """Whether a layer takes a tensor whose axes are not what their number tells: its channels are not the last."""
    return any([x.ndim > 2 and input_roles(x, definition) != default_roles(x.ndim) for x in definition.params])


OF_CHANNELS = frozenset({"batch_normalization", "group_normalization"})
"""Layers whose `axis` is that of the channels."""


def roles_of(
    node: Expr,
    known: Mapping[Expr, Any],
    loop_of: Mapping[Expr, Expr],
    called: Mapping[Definition, Sequence[Roles]],
) -> Any:
    """The role of each axis; for a node with several results those of each.

    `known` are the roles of its arguments and of the loop bodies that it needs; `loop_of` tells of the leaves of a
    loop's body which loop it is; `called` are the roles of the results of the layers that are called.
    """
    op = node.op
    if op is INPUT:
        return _leaf_roles(node, known, loop_of)
    if op is WEIGHT:
        return tuple(str(factors[-1][0]) for factors in node.attrs["axes"])
    if op is CONSTANT:
        return default_roles(node.ndim)
    if op is ITEM:
        return known[node.args[0]][node.attrs["i"]]
    if op is LOOP:
        body: Body = node.attrs["body"]
        each = [known[e] for e in body.next]
        each += [(known[e][0], "steps", *known[e][1:]) for e in body.collected.values()]
        return each if len(each) > 1 else each[0]
    if op is CALL and not node.attrs["definition"].scalar:
        results = called[node.attrs["definition"]]
        return results if len(results) > 1 else results[0]
    if type(node.shape) is tuple:
        return _by_rule(node, node.shape, known)
    return [_by_rule(node, shape, known) for shape in node.shape]


def _leaf_roles(node: Expr, known: Mapping[Expr, Any], loop_of: Mapping[Expr, Expr]) -> Roles:
    loop = loop_of.get(node)
    if loop is None:
        return default_roles(node.ndim)
    body: Body = loop.attrs["body"]
    if node in body.steps:
        whole: Roles = known[loop.args[body.steps.index(node)]]
        return (whole[0], *whole[2:])
    return default_roles(node.ndim)


def _by_rule(node: Expr, shape: Sequence[Any], known: Mapping[Expr, Any]) -> Roles:
    default = default_roles(len(shape))
    if node.op is CALL:
        roles: Roles = known[max(node.args, key=lambda a: a.ndim)]
        return roles if len(roles) == len(shape) else default
    found = []
    for i, axis in enumerate(node.op.axes(node)[: len(shape)]):
        role = axis.role
        if not role and axis.source is not None:
            source = known[node.args[axis.source[0]]]
            role = source[axis.source[1]] if axis.source[1] < len(source) else ""
        found.append(role or default[i])
    return tuple(found)
