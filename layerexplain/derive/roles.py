"""The roles of axes, as rules of ops give them, and which unknown sizes are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from layerexplain.lang.axes import GONE, Axis, Batch, Shape
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import WEIGHT, Expr, Marker, axes_of
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.ops.contract import matmul
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.joining import take_along
from layerexplain.ops.movement import broadcast_to, transpose
from layerexplain.ops.sizes import FLOATS, axis_roles, channels_at, default_roles
from layerexplain.ops.spatial import spatial_axes
from layerexplain.ops.window import GATHERING, windows

# Roles --------------------------------------------------------------------------------------------------------------

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


# Same sizes ---------------------------------------------------------------------------------------------------------
# Identify equal unknown sizes: those of one axis of an input, and results of the same arithmetic on them.


class UnknownSize:
    """A size that is unknown until run time. It equals only itself and prints as None.

    `by_value` marks a size that depends on the values of a tensor, and so differs between calls.
    """

    __slots__ = ("by_value",)

    def __init__(self, by_value: bool = False) -> None:
        self.by_value = by_value

    def __repr__(self) -> str:
        return "None"


Sizes: TypeAlias = tuple["int | Batch | UnknownSize", ...]
"""A shape in which unknown sizes can be compared."""


def fresh(shape: Shape) -> Sizes:
    """Return the shape with a new `UnknownSize` for each None."""
    return tuple([UnknownSize() if size is None else size for size in shape])


class SameSizes(ExprInterpreter[Sizes]):
    """Compute the sizes of nodes. Equal unknown sizes are the same object.

    >>> from layerexplain.lang.axes import BATCH
    >>> from layerexplain.lang.expr import tensor
    >>> from layerexplain.ops.elementwise import exp
    >>> x = tensor("x", (BATCH, None, 3))
    >>> before, after = SameSizes().values([x, exp(x)], {})
    >>> before == after, after
    (True, (n, None, 3))
    """

    def __init__(self) -> None:
        super().__init__()
        self._params: dict[Definition, list[Sizes]] = {}
        self._unknown_sizes: dict[Any, UnknownSize] = {}

    def of_call(self, definition: Definition, args: Sequence[Sizes]) -> list[Sizes]:
        """Return the sizes of a definition's results, then of its masks, given those of its tensors. Omitted tensors
        get new sizes."""
        results = self.outputs(definition)
        known: dict[Any, Any] = {}
        for param, arg in zip(self._params[definition], args, strict=False):
            known.update([(a, b) for a, b in zip(param, arg, strict=True) if isinstance(a, UnknownSize)])
        given = tuple(known.values())
        for result in results:
            for size in result:
                if isinstance(size, UnknownSize) and size not in known:
                    unknown = UnknownSize(by_value=size.by_value)
                    known[size] = (
                        unknown if size.by_value else self._unknown_sizes.setdefault((definition, size, given), unknown)
                    )
        return [tuple([known.get(size, size) for size in result]) for result in results]

    def parameters(self, definition: Definition) -> dict[Expr, Any]:
        leaves = {p: fresh(p.shape) for p in definition.params}
        self._params[definition] = list(leaves.values())
        return leaves

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Sizes:
        return fresh(node.shape)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition: Definition = node.attrs["definition"]
        if definition.scalar:
            return self._broadcast(node, node.shape, [env[a] for a in node.args])
        results = self.of_call(definition, [env[a] for a in node.args if a.op is not WEIGHT])
        return results if len(results) > 1 else results[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        args = [env[a] for a in node.args]
        count = len(body.steps)
        steps = [(sizes[0], *sizes[2:]) for sizes in args[:count]]
        outputs = self.step(body, [*steps, *args[count:]])
        states = len(body.states)
        each = [*outputs[:states], *[(sizes[0], args[0][1], *sizes[1:]) for sizes in outputs[states:]]]
        return each if len(each) > 1 else each[0]

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        args = [env[a] for a in node.args]
        if type(node.shape) is tuple:
            return self._result(node, 0, args)
        return [self._result(node, i, args) for i in range(len(node.shape))]

    def _result(self, node: Expr, i: int, args: Sequence[Sizes]) -> Sizes:
        if is_elementwise(node.op):
            return self._broadcast(node, node.shape, args)
        axes = [axis for axis in axes_of(node, i) if axis.after is not GONE]
        sizes = tuple([self._size(node, i, k, axis, args) for k, axis in enumerate(axes)])
        if node.op is matmul:
            return (*self._broadcast(node, node.shape[:-2], [a[:-2] for a in args]), *sizes[-2:])
        return self._broadcast(node, node.shape, args) if node.op is take_along else sizes

    def _size(self, node: Expr, i: int, k: int, axis: Axis, args: Sequence[Sizes]) -> Any:
        if axis.after is not None:
            return axis.after
        if axis.source is not None:
            arg, at = axis.source
            source = args[arg][at]
            kept = axis.why == "" or node.op is transpose or (node.op.name in GATHERING and _keeps_size(node, at))
            if kept and isinstance(source, UnknownSize) and node.op is not broadcast_to:
                return source
        return self._by_arithmetic(node, (i, k), args)

    def _by_arithmetic(self, node: Expr, place: Any, args: Sequence[Sizes]) -> UnknownSize:
        """Return a size that is the same for the same op, attributes and sizes, unless it depends on values."""
        element = node.op.element
        if not node.args or (isinstance(element, Marker) and "values" in element.reason):
            return UnknownSize(by_value=True)
        return self._unknown_sizes.setdefault(
            (node.op, place, repr(sorted(node.attrs.items())), tuple(args)), UnknownSize()
        )

    def _broadcast(self, node: Expr, shape: Shape, args: Sequence[Sizes]) -> Sizes:
        """Return the sizes of tensors aligned at the last axis. Where sizes other than 1 differ, any may be 1."""
        sizes: list[Any] = []
        for k, size in enumerate(shape):
            if size is None:
                at = k - len(shape)
                results = {arg[at] for arg in args if len(arg) >= -at} - {1}
                sizes.append(results.pop() if len(results) == 1 else self._by_arithmetic(node, k, args))
            else:
                sizes.append(size)
        return tuple(sizes)


def _keeps_size(node: Expr, axis: int) -> bool:
    """Return whether the number of windows along an axis equals its size, for any size."""
    spatial, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    if axis not in spatial:
        return False
    w = windows(node)[spatial.index(axis)]
    return w.stride == 1 and (w.padding != "valid" or w.reach == 1)
