"""The roles of axes: the role given by an op's rule, or the role of the axis that it continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import WEIGHT, Expr, axes_of
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.ops.sizes import FLOATS, axis_roles, channels_at, default_roles

Roles = tuple[str, ...]


def input_roles(node: Expr, definition: Definition) -> Roles:
    """Return the roles of a tensor of a definition; integers and masks of rank 2 are sequences."""
    own = axis_roles(node)
    if len(own) == 2 and node.dtype not in FLOATS:
        return ("batch", "steps")
    if len(own) <= 2 or "batch" not in own:  # one image has its own
        return own
    given = definition.arguments.get("data_format")
    # A model, and a layer without a formula, may be called anything.
    name = definition.name if definition.kind == "layer" else ""
    if name in OF_CHANNELS:
        axis = definition.arguments.get("axis")
        axis = axis[0] if isinstance(axis, tuple) and axis else axis
        return channels_at(node.ndim, axis % node.ndim) if isinstance(axis, int) and axis else own
    if name.startswith("conv_lstm"):
        return sequence_roles(node.ndim, given) if node is definition.params[0] else image_roles(node.ndim, given)
    if name == "time_distributed" and "layer" in definition.arguments:  # what is kept for its gradient has no arguments
        return sequence_roles(node.ndim, definition.arguments["layer"].config.get("data_format"))
    # The argument of Flatten is Keras's global setting, independent of its input.
    if given is None or name == "flatten":
        return own if given != "channels_first" else image_roles(node.ndim, given)
    return image_roles(node.ndim, given)


def image_roles(ndim: int, data_format: Any) -> Roles:
    """Return the roles of a tensor's axes, with the channels at the place given by `data_format`."""
    return channels_at(ndim, 1) if data_format == "channels_first" and ndim > 2 else default_roles(ndim)


def sequence_roles(ndim: int, data_format: Any) -> Roles:
    """Return the roles of a sequence of such tensors."""
    return ("batch", "steps", *image_roles(ndim - 1, data_format)[1:]) if ndim > 3 else default_roles(ndim)


def is_unusual(definition: Definition) -> bool:
    """Return whether a layer takes a tensor whose channels are not the last axis, or one without a batch."""
    return any(
        [x.ndim > 2 and input_roles(x, definition) != default_roles(x.ndim) for x in definition.params]
    ) or is_alone(definition)


def is_alone(definition: Definition) -> bool:
    """Return whether a layer takes one image or signal without a batch."""
    first = next(iter(definition.params), None)
    return first is not None and first.ndim > 0 and "batch" not in axis_roles(first)


OF_CHANNELS = frozenset({"batch_normalization", "group_normalization"})
"""Layers whose argument `axis` is the axis of the channels."""


class AxisRoles(ExprInterpreter[Roles]):
    """Compute the roles of the axes of each node.

    `called` has the roles of the results of called layers.
    """

    def __init__(self, called: Mapping[Definition, Sequence[Roles]]) -> None:
        super().__init__()
        self.called = called

    def within(self, definition: Definition, nodes: Sequence[Expr]) -> dict[Expr, Any]:
        """Return the roles of nodes of a definition, given arguments first, and of all nodes in their loops."""
        return self.visit(nodes, {p: input_roles(p, definition) for p in definition.params})

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Roles:
        if node.op is WEIGHT:
            return tuple([str(factors[-1][0]) for factors in node.attrs["axes"]])
        return default_roles(node.ndim)

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if type(node.shape) is tuple:
            return _by_rule(node, node.shape, env)
        return [_by_rule(node, shape, env, i) for i, shape in enumerate(node.shape)]

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition = node.attrs["definition"]
        results = self.called.get(definition)
        if results is not None:
            return results if len(results) > 1 else results[0]
        # An element-wise function has the axes of its largest tensor; softmax and others those of their first.
        arg: Roles = env[max(node.args, key=lambda a: a.ndim) if definition.scalar else node.args[0]]
        shapes = [node.shape] if type(node.shape) is tuple else list(node.shape)
        each = [arg if len(arg) == len(shape) else default_roles(len(shape)) for shape in shapes]
        return each if len(each) > 1 else each[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        for step, sequence in zip(body.steps, node.args, strict=False):
            whole: Roles = env[sequence]
            env[step] = (whole[0], *whole[2:])
        env.update({state: default_roles(state.ndim) for state in body.states})
        self.visit(body.order, env)
        each = [env[e] for e in body.next]
        each += [(env[e][0], "steps", *env[e][1:]) for e in body.collected.values()]
        return each if len(each) > 1 else each[0]


def _by_rule(node: Expr, shape: Sequence[Any], known: Mapping[Expr, Any], result: int = 0) -> Roles:
    default = default_roles(len(shape))
    found = []
    for i, axis in enumerate(axes_of(node, result)[: len(shape)]):
        role = axis.role
        if not role and axis.source is not None:
            source = known[node.args[axis.source[0]]]
            role = source[axis.source[1]] if axis.source[1] < len(source) else ""
        found.append(role or default[i])
    return tuple(found)
