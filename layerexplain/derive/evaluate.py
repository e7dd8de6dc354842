"""The value of a formula, in NumPy. This is the formula that was printed: it runs node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, ITEM, LEAVES, LOOP, Batch, Expr, Marker, Shapes, walk


class CannotEvaluate(Exception):  # a refusal with its reason, not a fault
    """The formula holds an op that has no value; the message says which and why."""


class Run:
    """What evaluation needs besides values: NumPy, the batch size, the float that "float" stands for, random numbers.

    The values of nodes that are put into `recorded` are added to their lists: one for each step of the loops around.
    """

    __slots__ = ("batch", "float", "np", "random", "recorded")

    def __init__(self, batch: int, float_dtype: str = "float32", seed: int = 0) -> None:
        import numpy

        self.np: Any = numpy
        self.batch = batch
        self.float = float_dtype
        self.random = numpy.random.default_rng(seed)
        self.recorded: dict[Expr, list[Any]] = {}

    def dtype(self, name: str) -> str | None:
        """NumPy's name of a dtype; None for a Python number, which takes that of its neighbours."""
        if name in ("float", "bfloat16"):
            return self.float
        return None if name.startswith("weak") or name == "string" else name


def evaluate(
    definition: Definition, values: Sequence[Any], weights: Sequence[Any], run: Run | None = None
) -> list[Any]:
    """The results of a definition, then those of its masks that it has.

    `values` are arrays for its params (the masks that it takes included), `weights` for its weights, in order.
    The batch size is read off the params. Raises `CannotEvaluate` for what has no value.
    """
    if run is None:
        run = Run(_batch(definition.params, values))
    leaves = dict(zip((*definition.params, *definition.weights), (*values, *weights), strict=True))
    roots = [*definition.results.values(), *[m for m in definition.masks if m is not None]]
    return evaluate_nodes(roots, leaves, run)


def evaluate_nodes(roots: Sequence[Expr], leaves: Mapping[Expr, Any], run: Run) -> list[Any]:
    """The values of nodes, given arrays for the leaves that they need. Raises `CannotEvaluate`."""
    env = {leaf: _cast(run, value, leaf.dtype) for leaf, value in leaves.items()}
    _run(run, roots, env)
    return [env[e] for e in roots]


def _batch(params: Sequence[Expr], values: Sequence[Any]) -> int:
    for param, value in zip(params, values, strict=True):
        for size, actual in zip(param.shape, value.shape, strict=True):
            if isinstance(size, Batch):
                return int(actual)
    return 1


def _cast(run: Run, value: Any, dtype: str) -> Any:
    wanted = run.dtype(dtype)
    array = run.np.asarray(value)
    return array if wanted is None or array.dtype == wanted else array.astype(wanted)


def _run(run: Run, roots: Sequence[Expr], env: dict[Expr, Any]) -> None:
    """Compute the roots and all that they need; `env` holds what is known."""
    _run_nodes(run, walk(roots, env), env)


def _run_nodes(run: Run, nodes: Sequence[Expr], env: dict[Expr, Any]) -> None:
    for node in nodes:
        env[node] = _value(run, node, env)
        if node in run.recorded:
            run.recorded[node].append(env[node])


def _value(run: Run, node: Expr, env: Mapping[Expr, Any]) -> Any:
    op = node.op
    if op is CONSTANT:
        value = node.attrs["value"]
        return _cast(run, value, node.dtype) if isinstance(value, tuple) else value
    if op in LEAVES:
        raise CannotEvaluate(f"{node.label} has no value")
    if op is ITEM:
        return env[node.args[0]][node.attrs["i"]]
    args = [env[a] for a in node.args]
    if op is CALL:
        return _call(run, node.attrs["definition"], args, node)
    if op is LOOP:
        return _loop(run, node, args, env)
    if isinstance(op.evaluate, Marker):
        raise CannotEvaluate(f"{node.attrs.get('name', op.name)}: {op.evaluate.reason}")
    value = op.evaluate(run, *args, **node.attrs)
    if isinstance(node.shape, Shapes):
        return tuple(_cast(run, v, d) for v, d in zip(value, node.dtype, strict=True))
    return _cast(run, value, node.dtype)


def _call(run: Run, definition: Definition, args: Sequence[Any], node: Expr) -> Any:
    if definition.stable is not None:
        values = [_cast(run, a, p.dtype) for a, p in zip(args, definition.params, strict=True)]
        return _cast(run, definition.stable(run.np, *values, **definition.attrs), node.dtype)
    count = len(definition.params)
    results = evaluate(definition, args[:count], args[count:], run)
    return results[0] if not isinstance(node.shape, Shapes) else tuple(results)


def _loop(run: Run, node: Expr, args: Sequence[Any], env: Mapping[Expr, Any]) -> Any:
    body: Body = node.attrs["body"]
    count = node.attrs["sequences"]
    sequences = args[:count]
    states = list(args[count : count + len(body.states)])
    outside = {e: env[e] for e in body.captured}
    collected: list[list[Any]] = [[] for _ in body.collected]
    nodes = walk(body.outputs, {*outside, *body.steps, *body.states})
    for t in range(sequences[0].shape[1]):
        inner = dict(outside)
        inner.update(zip(body.steps, (s[:, t] for s in sequences), strict=True))
        inner.update(zip(body.states, states, strict=True))
        _run_nodes(run, nodes, inner)
        states = [inner[e] for e in body.next]
        for values, e in zip(collected, body.collected.values(), strict=True):
            values.append(inner[e])
    results = [*states, *[run.np.stack(values, axis=1) for values in collected]]
    return results[0] if len(results) == 1 else tuple(results)
