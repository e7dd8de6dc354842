"""Identify equal unknown sizes: those of one axis of an input, and results of the same arithmetic on them.

Shapes store an unknown size as None, so that layers with equal shapes share a definition. To compare shapes, this walk
gives each unknown size an identity; an axis that an op keeps has the size of its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from layerexplain.lang.axes import GONE, Axis, Batch, Shape
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import WEIGHT, Expr, Marker, axes_of
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.ops.contract import matmul
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.lookup import take_along
from layerexplain.ops.movement import broadcast_to, transpose
from layerexplain.ops.spatial import spatial_axes
from layerexplain.ops.window import GATHERING, windows


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
                found = {arg[at] for arg in args if len(arg) >= -at} - {1}
                sizes.append(found.pop() if len(found) == 1 else self._by_arithmetic(node, k, args))
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
