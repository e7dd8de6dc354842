"""The loss of a run as a number, and what it sends back: the losses of outputs and the terms of regularizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient_of_number
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.layers.arguments import RefusedValue
from layerexplain.records import NamedTuple
from layerexplain.report.objective import OutputLoss, setting_formula
from layerexplain.run.activations import LayerExecution
from layerexplain.run.arrays import computed_in
from layerexplain.run.values_inside import own_penalties


class NoGradient(str):
    """In place of a gradient: the reason why it is not known."""

    __slots__ = ()


def added(gradient: Any, more: Any) -> Any:
    """Return the sum of two gradients: the other one where one is None, and `NoGradient` where one is not known."""
    if gradient is None or isinstance(more, NoGradient):
        return more
    return gradient if more is None or isinstance(gradient, NoGradient) else gradient + more


class Term(NamedTuple):
    """A term of the loss: of an output, or of a regularizer. `of` says of what, `weight` is its factor in the sum, and
    `value` what it comes to before that."""

    symbol: str
    kind: str
    of: str
    type: str
    weight: float
    value: float


class ScalarFormula(NamedTuple):
    """A formula that gives one number, and how that changes with one of its tensors."""

    formula: Definition
    gradient: Definition

    def at(self, arrays: Mapping[Expr, Any], run: Evaluation) -> tuple[float, Any]:
        """Return the number, and its gradient, given an array for each of its tensors."""
        values = [arrays[param] for param in self.formula.params]
        (value,) = evaluate(self.formula, values, [], run)
        (sent,) = evaluate(self.gradient, values, [], run)
        return float(value), sent


def output_term(loss: OutputLoss, target: Any, output: Any, mask: Any, weights: Any = None) -> tuple[Term, Any]:
    """Return the loss of an output and what it sends back, its factor included.

    Args:
        one: The loss.
        target: The targets.
        output: The output, or what its last function is applied to, if the loss is computed from that.
        mask: The mask that the output carries, None for none.
        weights: A weight for each example, or step of one.

    Raises:
        LayerExplainError: The loss refuses such targets, or its gradient is not known.
    """
    where = f"the loss of '{loss.ref.layer}', {loss.type}"
    try:
        definition = loss.definition(_batched(target), None if weights is None else _batched(weights))
    except LayerExplainError as error:
        raise LayerExplainError(f"{where}: {error.fact}") from None
    (result,) = definition.results.values()
    if result.ndim:
        raise LayerExplainError(f"{where}, returns several numbers with this reduction; training needs a single one")
    run = Evaluation(len(output), computed_in(str(output.dtype)))
    given = [target, output, *([] if weights is None else [weights]), *([] if loss.mask is None else [mask])]
    try:
        number = ScalarFormula(definition, gradient_of_number(definition, definition.params[1]))
        value, sent = number.at(dict(zip(definition.params, given, strict=True)), run)
    except CannotDerive as why:
        raise LayerExplainError(f"{where}, has no known gradient: {why}") from None
    except CannotEvaluate as why:
        raise LayerExplainError(f"{where}, cannot be computed: {why}") from None
    return Term(loss.symbol, "loss", "/".join(loss.path), loss.type, loss.weight, value), sent * run.np.asarray(
        loss.weight, sent.dtype
    )


def _batched(array: Any) -> Shape:
    return (BATCH, *array.shape[1:])


class Penalties:
    """What regularizers add to the loss in a run, term by term; `notes` are on those whose formula is not known."""

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.notes: list[str] = []
        self._known: dict[Any, tuple[str, ScalarFormula] | None] = {}

    def of_outputs(self, ran: LayerExecution, outputs: Sequence[Any]) -> list[Any]:
        """Return what the activity regularizers of a layer send back to each of its results, None for nothing. Keras
        divides it by the number of examples."""
        given = [penalty.value for penalty in own_penalties(ran.layer)]
        results: list[Any] = []
        for output in outputs:
            sent = None
            for value in given:
                term = self.of_tensor(value, output, f"the output of '{'/'.join(ran.path)}'", 1 / len(output))
                sent = added(sent, term)
            results.append(sent)
        return results

    def of_tensor(self, value: Any, array: Any, where: str, share: float = 1.0) -> Any:
        """Return what a regularizer sends back to a weight, or a `share` of it to an output; None where its formula is
        not known."""
        import numpy as np

        key = (repr(value), array.shape)
        if key not in self._known:
            self._known[key] = None
            try:
                part, formula = setting_formula("regularizer", value, array.shape)
                self._known[key] = part.type, ScalarFormula(formula, gradient_of_number(formula, formula.params[0]))
            except (RefusedValue, CannotDerive, LayerExplainError) as error:
                self.notes.append(f"A regularizer of {where} is left out: {error}.")
        known = self._known[key]
        if known is None:
            return None
        type_, number = known
        run = Evaluation(1, computed_in(str(array.dtype)))
        total, sent = number.at({number.formula.params[0]: array}, run)
        self.terms.append(Term(f"R_{len(self.terms) + 1}", "regularizer", where, type_, 1.0, total * share))
        return sent * np.asarray(share, sent.dtype)
