"""Expressions: sizes, nodes, ops, and the leaves of formulas. Definitions and loops are in lang/definition.py.

An expression is a graph of `Expr` nodes, not a tree. Walks visit each node once and do not recurse, so that a chain of
100,000 nodes works. Shapes and dtypes are derived when a node is created.

A size is an int, `None` (unknown until run time; it propagates) or `BATCH`. The dtype "float" is the float of the
layer's dtype policy; "weak int" and "weak float" are Python numbers, which take the dtype of their neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from threading import local
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import (
    GONE,
    Axes,
    AxesOfEach,
    Batch,
    LazyAxes,
    Need,
    ResultShapes,
    Shape,
    is_open,
    needs_of_batch,
)

_serial = itertools.count()

MOST_NODES = 40_000
"""Nodes of one formula: more are not written out, whatever number of layers or rounds an argument asks for."""


class _Left(local):
    """How many nodes the formula that is made now may still get; None where nobody counts."""

    nodes: int | None = None


_left = _Left()


def _too_long(most: int) -> ArgumentError:
    return ArgumentError(f"a formula of more than {most:,} steps is not written out; ask for less")


def rounds(count: int, most: int = MOST_NODES) -> range:
    """Return the numbers of what a formula makes several of, where an argument says how many. Raises ArgumentError
    where there are too many.

    >>> [3 * number for number in rounds(2)]
    [0, 3]
    """
    if count > most:
        raise _too_long(most)
    return range(count)


@contextmanager
def formula_made() -> Iterator[Iterable[Need]]:
    """Count the nodes of the formula that is made in the `with`, and collect what it needs of the batch. Raises
    ArgumentError where there are too many nodes."""
    before, _left.nodes = _left.nodes, MOST_NODES
    try:
        with needs_of_batch() as needs:
            yield needs
    finally:
        _left.nodes = before


_Operator: TypeAlias = "Callable[[Expr, Expr | float], Expr]"


def _operators(name: str) -> tuple[_Operator, _Operator]:
    """Return what an operator of Python does with a node on its left side, and with one on its right side."""
    return lambda self, other: OPS[name](self, other), lambda self, other: OPS[name](other, self)


class Expr:
    """A node: an op, its tensor arguments, and its attributes.

    `serial` is the order of creation, in which statements and weights are listed. `label` is the name under which
    the node is printed, `note` a short remark beside it.
    """

    __slots__ = ("args", "attrs", "dtype", "label", "note", "op", "serial", "shape")

    def __init__(
        self, op: Op, args: tuple[Expr, ...], attrs: dict[str, Any], shape: Any, dtype: Any, label: str | None = None
    ) -> None:
        self.op = op
        self.args = args
        self.attrs = attrs
        self.shape = shape
        self.dtype = dtype
        self.label = label
        self.note = ""
        self.serial = next(_serial)
        if _left.nodes is not None:
            if not _left.nodes:
                raise _too_long(MOST_NODES)
            _left.nodes -= 1

    @property
    def ndim(self) -> int:
        """The number of axes, the batch included."""
        if type(self.shape) is ResultShapes:
            raise TypeError(f"{self.op.name} has {len(self.shape)} results; pick one with item()")
        return len(self.shape)

    @property
    def options(self) -> dict[str, Any]:
        """The attributes, including those with their default value."""
        return {**self.op.defaults, **self.attrs}

    def __repr__(self) -> str:
        return f"<{self.label or self.op.name} {self.shape}>"

    def __neg__(self) -> Expr:
        return OPS["negative"](self)

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __pow__ = _operators("power")[0]

    def __getitem__(self, key: Any) -> Expr:
        """Return a part, written as in a formula: `x[..., 2:5]`."""
        return OPS["slice"](self, key=key if isinstance(key, tuple) else (key,))

    def __iter__(self) -> Iterator[Expr]:
        """Iterate over the results of a node that has several."""
        if type(self.shape) is not ResultShapes:
            raise TypeError(f"{self.op.name} has one result, which is not iterable")
        return iter([item(self, i) for i in range(len(self.shape))])


class Marker:
    """A named value in place of a rule that an op does not have, with the reason."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return self.reason


NO_MACS: Final = Marker("no multiply-accumulates")
FREE: Final = Marker("moves data, computes nothing")
PER_OUTPUT: Final = Marker("1 per output element")
PER_INPUT: Final = Marker("1 per input element")
TWICE_MACS: Final = Marker("2 per multiply-accumulate")
UNKNOWN_COST: Final = Marker("cost is not known")
STRUCTURAL: Final = Marker("each walk enters the body itself")


class NOT_EVALUATED(Marker):  # noqa: N801 (used as a value in records)
    """Evaluation is refused, with the reason."""


class NOT_INDEXED(Marker):  # noqa: N801 (as above)
    """The element form is refused, with the reason."""


class NO_GRADIENT(Marker):  # noqa: N801 (as above)
    """No gradient passes through the op, with the reason: it is 0 wherever it exists."""


class UNKNOWN_GRADIENT(Marker):  # noqa: N801 (as above)
    """What passes back is not known, with the reason; what depends on it is refused."""


class CannotDerive(Exception):
    """Raised by a gradient rule for a node whose gradient it cannot give; the message says why."""


RANDOM: Final = NOT_INDEXED("random")


class Op:
    """The record of an op. Every rule is required; a `Marker` stands for a rule that the op does not have.

    A record is immutable.

    - `axes(*args, **options)`: an `Axis` for each axis of the result, then the removed ones; `AxesOfEach` for several
      results. They define the shape. Raises `ShapeError`, without a place.
    - `dtype(*args, **options)`: the result's dtype, a tuple of them for several results.
    - `evaluate(run, *values, **options)`: the value; `run.np` is NumPy, `run.batch` the size of the batch.
    - `cost(node)`: the factors of its multiply-accumulates, or NO_MACS.
    - `flops`: PER_OUTPUT, PER_INPUT, FREE, TWICE_MACS, or a function of the node.
    - `notation`: how it is written (lang/notation.py).
    - `element(node, index, at)`: the scalar at `index`; `at(i, index)` is that of argument i.
    - `gradient(node, dy, i)`: the gradient of argument i, given that of the result; it may have the size 1 where the
      argument is repeated. None where it is 0. For several results `dy` is a tuple, with None for those not used.
    - `defaults`: default values of attributes, which are not printed. Rules receive them like others.
    - `canonical(attrs)`: the attributes in their canonical form, where that is more than tuples for lists.
    """

    name: str
    axes: Callable[..., Any]
    dtype: Callable[..., Any]
    evaluate: Any
    cost: Any
    flops: Any
    notation: Any
    element: Any
    gradient: Any
    defaults: Mapping[str, Any] = MappingProxyType({})
    canonical: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def __init__(self, name: str, **rules: Any) -> None:
        if name in OPS:
            raise ValueError(f"op {name!r} is declared twice")
        if not _REQUIRED <= rules.keys() <= Op.__annotations__.keys():
            raise TypeError(f"op {name!r} needs the rules {', '.join(sorted(_REQUIRED))}, got {', '.join(rules)}")
        self.__dict__.update(rules, name=name)
        OPS[name] = self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} is complete: its {name} cannot be changed")

    def __call__(self, *args: Expr | float, **attrs: Any) -> Expr:
        exprs: Any = args
        for a in args:
            if type(a) is not Expr:
                exprs = tuple([a if type(a) is Expr else constant(a) for a in args])
                break
        defaults = self.defaults
        if attrs:
            if self.canonical is not None:
                attrs = self.canonical(attrs)
            for key, value in defaults.items():
                given = attrs.get(key, self)  # an op equals no value
                if given == value and (type(given) is type(value) or is_open(given)):
                    del attrs[key]
        if not defaults and not attrs:  # most nodes; passing keywords takes time
            axes, dtype = self.axes(*exprs), self.dtype(*exprs)
        else:
            options = {**defaults, **attrs}
            axes, dtype = self.axes(*exprs, **options), self.dtype(*exprs, **options)
            for key, value in attrs.items():
                if type(value) is list:
                    attrs[key] = tuple(value)
        shape = axes.shape if type(axes) is LazyAxes else _shape(axes, exprs)
        if len(shape) > MOST_AXES and type(shape) is tuple:
            raise ShapeError(f"a tensor needs to have at most {MOST_AXES} axes, got {len(shape)}")
        return Expr(self, exprs, attrs, shape, dtype)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_REQUIRED: Final = {"axes", "dtype", "evaluate", "cost", "flops", "notation", "element", "gradient"}


LARGEST: Final = 10**18
"""The largest size of an axis, as in files: what has more elements fits into no machine."""

MOST_AXES: Final = 64
"""How many axes a result has: as many as in NumPy, which computes the formulas."""


def _shape(axes: Any, args: tuple[Expr, ...]) -> Any:
    """Return the shape given by axes, `Shapes` for several results. Raises `ShapeError` where an axis has no size that
    a tensor can have, or continues an axis that its argument lacks: rules need not check what arguments hold."""
    if type(axes) is AxesOfEach:
        return ResultShapes([_shape(each, args) for each in axes])
    sizes = []
    for _, source, size, _ in axes:
        if source is not None and not 0 <= source[1] < args[source[0]].ndim:
            raise ShapeError(f"needs a tensor that has axis {source[1]}, got one with {args[source[0]].ndim} axes")
        if size is not GONE:
            if (
                size is not None
                and not isinstance(size, Batch)
                and (not (type(size) is int or is_open(size)) or not 0 <= size <= LARGEST)
            ):
                raise ShapeError(f"the size of an axis needs to be an integer from 0 to 10**18, got {str(size)[:40]}")
            sizes.append(size)
    return tuple(sizes)


def picked(node: Expr) -> tuple[Expr, int]:
    """Return the node that computes a value, and the number of the value among its results."""
    return (node.args[0], node.attrs["i"]) if node.op is ITEM else (node, 0)


def axes_of(node: Expr, result: int = 0) -> Axes:
    """Return how each axis of a node's result is derived, then the removed axes; `result` picks one of several."""
    axes: Axes | AxesOfEach = node.op.axes(*node.args, **node.options)
    return axes[result] if isinstance(axes, AxesOfEach) else axes


OPS: dict[str, Op] = {}
"""All ops by name. Declaring a name twice raises `ValueError`."""


def _leaf(name: str) -> Op:
    def refuse(*args: Any, **attrs: Any) -> Any:
        raise TypeError(f"{name} is a leaf; make it with {name}()")

    walked: Any = dict.fromkeys(("evaluate", "notation", "element", "gradient"), STRUCTURAL)
    return Op(name, axes=refuse, dtype=refuse, cost=NO_MACS, flops=FREE, **walked)


INPUT: Final = _leaf("input")
WEIGHT: Final = _leaf("weight")
CONSTANT: Final = _leaf("constant")
ITEM: Final = _leaf("item")
CALL: Final = _leaf("call")
LOOP: Final = _leaf("loop")

LEAVES: Final = frozenset({INPUT, WEIGHT, CONSTANT})


RESERVED = frozenset({"n", "t", "s", "steps", "reversed_steps"})
"""Reserved names: the batch, the loop variables, and what loops run over."""


def _unreserved(name: str) -> str:
    """Return how a tensor or a weight is called wherever a formula has it."""
    return f"{name}_2" if name in RESERVED else name


def tensor(name: str, shape: Shape, dtype: str = "float", roles: tuple[str, ...] | None = None) -> Expr:
    """Return an input tensor: a parameter of a definition.

    Args:
        name: Its name in the formula.
        shape: Its shape.
        dtype: Its dtype.
        roles: The names of its axes where they are not the usual ones: ("batch", "channels", "rows", "columns").
    """
    return Expr(INPUT, (), {} if roles is None else {"roles": roles}, shape, dtype, _unreserved(name))


def constant(value: Any) -> Expr:
    """Return a constant of the formula: a number, a nested tuple of numbers, or an `Array` of them. Raises `TypeError`
    for other values."""
    if isinstance(value, tuple | list):
        from layerexplain.lang.tables import ConstantArray, Shaped, table

        numbers, dtype = value if type(value) is ConstantArray else (value, None)
        if type(numbers) is Shaped:
            from layerexplain.lang.opaque import large_constant

            return large_constant(shape=numbers.shape, dtype=dtype or "float")
        numbers, shape, natural = table(numbers)
        return Expr(CONSTANT, (), {"value": numbers}, shape, dtype or natural)
    if isinstance(value, bool):
        return Expr(CONSTANT, (), {"value": value}, (), "bool")
    if not isinstance(value, int | float):
        raise TypeError(f"a formula takes tensors and numbers, got {type(value).__name__} {value!r}")
    return Expr(CONSTANT, (), {"value": value}, (), "weak float" if isinstance(value, float) else "weak int")


WeightAxes: TypeAlias = Sequence[Any]
"""A (name, size) pair for each axis, or a list of pairs for a packed axis."""


def weight(
    name: str,
    symbol: str,
    axes: WeightAxes,
    *,
    at: str = "",
    path: str | None = None,
    trainable: bool = True,
    dtype: str = "float",
    positive: bool = False,
    buffer: bool = False,
) -> Expr:
    """Return a variable of a layer.

    Args:
        name: Its name in the framework.
        symbol: Its letter in the formula.
        axes: (name, size) pairs; a packed axis is a list of factors, `[("gates", 4), ("units", u)]`.
        at: The layer's attribute that holds the owner of the variable (`self_attn.out_proj`), "" for the layer itself.
        path: The prefix of its Keras path if it differs from `at` (`query` for the attribute `query_dense`).
        trainable: Whether training changes it.
        dtype: Its dtype.
        positive: Whether random values for it must be positive (a variance).
        buffer: Whether it is a buffer of PyTorch, which is stored with the parameters and is none.

    Raises:
        ShapeError: The size of an axis is unknown.
    """
    factored = tuple([tuple(axis) if type(axis) is list else (axis,) for axis in axes])
    shape: list[int] = []
    for factors in factored:
        size = 1
        for axis_name, factor in factors:
            if type(factor) is not int and not is_open(factor):
                known = None if isinstance(factor, Batch) else factor
                needs = f"weight '{name}' needs the size of its axis '{axis_name}', got {known}"
                raise ShapeError(f"{needs}; give that axis of the input a fixed size")
            size *= factor
        shape.append(size)
    attrs = {
        "name": name,
        "axes": factored,
        "at": tuple(at.split(".")) if at else (),
        "path": tuple((at if path is None else path).split("/")) if at or path else (),
        "trainable": trainable,
        "positive": positive,
    }
    if buffer:
        attrs["buffer"] = True
    return Expr(WEIGHT, (), attrs, tuple(shape), dtype, _unreserved(symbol))


def state_variable(symbol: str, name: str, axes: WeightAxes, *, at: tuple[str | int, ...]) -> Expr:
    """Return a variable that a layer keeps between its calls, its state, which is not a weight.

    Args:
        symbol: Its letter in the formula.
        name: Its name in Keras.
        axes: (name, size) pairs, the batch first; sizes may be unknown.
        at: The steps that lead to it from the layer.
    """
    attrs = {"name": name, "axes": tuple([(axis,) for axis in axes]), "at": at, "path": (), "trainable": False}
    shape = tuple([size for _, size in axes])
    return Expr(WEIGHT, (), {**attrs, "positive": False, "state": True}, shape, "float", symbol)


def is_state(leaf: Expr) -> bool:
    """Return whether a variable is a state that its layer keeps between calls, and no weight."""
    return "state" in leaf.attrs and leaf.op is WEIGHT


def item(e: Expr, i: int) -> Expr:
    """Return result number `i` of a node that has several."""
    return Expr(ITEM, (e,), {"i": i}, e.shape[i], e.dtype[i])


def next_serial() -> int:
    """Return a number in the order of creation: nodes with a larger one are made after it."""
    return next(_serial)


def named(label: str | None, e: Expr, note: str = "") -> Expr:
    """Label a node, so that it prints as a statement `label = …` with a note, and return it. Leaves keep their name.
    Without a label, the note stands beside the statement that it may get."""
    if e.op not in LEAVES and e.label is None:
        e.label = label
        e.note = note
    return e


_by_serial = attrgetter("serial")


def walk(roots: Iterable[Expr], stop: Iterable[Expr] = ()) -> list[Expr]:
    """Return all nodes that the roots need, each once, in the order of creation: arguments come first.

    Nodes in `stop`, and those that only they need, are left out. Bodies of calls and loops are not entered."""
    seen = set(stop)
    expressions: list[Expr] = []
    for root in roots:
        if root not in seen:
            seen.add(root)
            expressions.append(root)
    for node in expressions:  # grows during the iteration
        for arg in node.args:
            if arg not in seen:
                seen.add(arg)
                expressions.append(arg)
    expressions.sort(key=_by_serial)
    return expressions
