"""Evaluate formulas in NumPy, node by node. The evaluated formula is the printed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Batch, ResultShapes
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CONSTANT, Expr, Marker
from layerexplain.lang.visit import ExprInterpreter


class CannotEvaluate(Exception):  # a refusal with its reason, not a fault
    """Raised if an op of the formula has no value; the message names it and says why."""


class Evaluation:
    """The context of an evaluation: NumPy, the batch size, the dtype of "float", and the random generator.

    The values of the nodes in `recorded` are appended to their lists, one for each step of the enclosing loops. A node
    in `instead` has the value of the call that it is mapped to, whose arguments it depends on.
    """

    __slots__ = ("batch", "float", "instead", "np", "random", "recorded")

    def __init__(self, batch: int, float_dtype: str = "float32", seed: int = 0) -> None:
        import numpy

        self.np: Any = numpy
        self.batch = batch
        self.float = float_dtype
        self.random = numpy.random.default_rng(seed)
        self.recorded: dict[Expr, list[Any]] = {}
        self.instead: Mapping[Expr, Expr] = {}

    def dtype(self, name: str) -> str | None:
        """Return NumPy's name of a dtype, None for Python numbers, which take the dtype of their neighbours."""
        if name in ("float", "bfloat16"):
            return self.float
        return None if name.startswith("weak") or name == "string" else name


def evaluate(
    definition: Definition,
    values: Sequence[Any],
    weights: Sequence[Any],
    run: Evaluation | None = None,
    evaluator: Evaluator | None = None,
) -> list[Any]:
    """Return the values of a definition's results, of its existing masks, then of its new states, as arrays.

    Args:
        definition: The definition.
        values: Arrays for its params, including the masks that it takes, in order.
        weights: Arrays for its weights, then for its states, in order.
        run: The context; by default one in float32 with the batch size of `values`.
        evaluator: What computes each node; by default an `Evaluator` of that context.

    Raises:
        CannotEvaluate: An op has no value.
    """
    if run is None:
        sizes = [
            pair for p, v in zip(definition.params, values, strict=True) for pair in zip(p.shape, v.shape, strict=True)
        ]
        batches = [
            (int(actual) - size.plus) * size.per // size.times for size, actual in sizes if isinstance(size, Batch)
        ]
        run = Evaluation(batches[0] if batches else 1)
    with _silent(run):
        return [
            run.np.asarray(value) for value in (evaluator or Evaluator(run)).results(definition, (*values, *weights))
        ]


def evaluate_nodes(roots: Sequence[Expr], leaves: Mapping[Expr, Any], run: Evaluation) -> list[Any]:
    """Return the values of nodes as arrays, given those of the leaves that they need. Raises `CannotEvaluate`."""
    env = {leaf: _cast(run, value, leaf.dtype) for leaf, value in leaves.items()}
    with _silent(run):
        return [run.np.asarray(value) for value in Evaluator(run).values(roots, env)]


def _silent(run: Evaluation) -> Any:
    """Compute as Keras, which returns infinity and NaN without a warning."""
    return run.np.errstate(all="ignore")


def _cast(run: Evaluation, value: Any, dtype: str) -> Any:
    wanted = run.dtype(dtype)
    array = run.np.asarray(value)
    return array if wanted is None or array.dtype == wanted else array.astype(wanted)


class Evaluator(ExprInterpreter[Any]):
    """Compute the array of each node."""

    def __init__(self, run: Evaluation) -> None:
        super().__init__()
        self.run = run

    def results(self, definition: Definition, args: Sequence[Any]) -> list[Any]:
        """Return the values of a definition's results and masks, given arrays for its params and weights."""
        run = self.run
        env = {leaf: _cast(run, value, leaf.dtype) for leaf, value in zip(definition.leaves, args, strict=True)}
        self.visit(definition.order, env)
        return [env[e] for e in definition.outputs]

    def visit(self, nodes: Sequence[Expr], env: dict[Expr, Any]) -> dict[Expr, Any]:
        super().visit(nodes, env)
        recorded = self.run.recorded
        if recorded:
            for node in nodes:
                if node in recorded:
                    recorded[node].append(env[node])
        return env

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if node.op is not CONSTANT:
            raise CannotEvaluate(f"{node.label} has no value")
        value = node.attrs["value"]
        return _cast(self.run, value, node.dtype) if isinstance(value, tuple) else value

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        run, evaluate = self.run, node.op.evaluate
        if node in run.instead:
            return self.call(run.instead[node], env)
        if isinstance(evaluate, Marker):
            raise CannotEvaluate(f"{node.attrs.get('name', node.op.name)}: {evaluate.reason}")
        args = [env[a] for a in node.args]
        try:
            value = evaluate(run, *args, **node.options)
        except LayerExplainError:
            raise
        except (ValueError, IndexError):
            if all(getattr(a, "size", 1) for a in args):
                raise
            raise CannotEvaluate(f"{node.op.name}: of no numbers there is none") from None
        if isinstance(node.shape, ResultShapes):
            return tuple([_cast(run, v, d) for v, d in zip(value, node.dtype, strict=True)])
        return _cast(run, value, node.dtype)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        run = self.run
        definition: Definition = node.attrs["definition"]
        args = [env[a] for a in node.args]
        if definition.stable is not None:
            values = [_cast(run, a, p.dtype) for a, p in zip(args, definition.params, strict=True)]
            return _cast(run, definition.stable(run.np, *values, **definition.attrs), node.dtype)
        results = self.results(definition, args)
        return tuple(results) if isinstance(node.shape, ResultShapes) else results[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        args = [env[a] for a in node.args]
        count = len(body.steps)
        sequences, states = args[:count], args[count : count + len(body.states)]
        outside = args[count + len(states) :]
        collected: list[list[Any]] = [[] for _ in body.collected]
        backwards = node.attrs.get("backwards", False)
        times = range(sequences[0].shape[1])
        for t in reversed(times) if backwards else times:
            outputs = self.step(body, [*[s[:, t] for s in sequences], *states, *outside])
            states = outputs[: len(states)]
            for values, value in zip(collected, outputs[len(states) :], strict=True):
                values.append(value)
        order = slice(None, None, -1 if backwards else 1)
        results = [*states, *[self.run.np.stack(values[order], axis=1) for values in collected]]
        return results[0] if len(results) == 1 else tuple(results)
