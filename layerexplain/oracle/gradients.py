"""Compare gradients with Keras: those of each call, on Keras's own inputs, and a training step of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient, is_float
from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.frontends.training import trained_with
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive
from layerexplain.lang.visit import is_random
from layerexplain.model import Model, Training
from layerexplain.network.definitions import dtypes_of
from layerexplain.network.gradient_paths import trained_definition
from layerexplain.network.traced import Network
from layerexplain.oracle.comparison import CallOfLayer, calls_in, draws
from layerexplain.oracle.reference import Reference, first_line
from layerexplain.oracle.tolerance import TOLERANCE, Roundings, allowed, allowed_in_row, judged
from layerexplain.oracle.verify_report import Compared, Status, StepCheck, ValuesCheck
from layerexplain.run.activations import ModelRun
from layerexplain.run.arrays import computed_in, rounded_to
from layerexplain.run.given_inputs import GivenInput, traced_at
from layerexplain.run.gradients import GradientStep, WeightKey
from layerexplain.run.objective import NoGradient
from layerexplain.run.trace import RunnableModel
from layerexplain.run.updates import updates
from layerexplain.run.values_inside import moves_of

NO_LOSS = "mse"
"""The loss for a source that names none, of Keras or of PyTorch."""


def compare_gradients(call: CallOfLayer) -> ValuesCheck | None:
    """Compare the gradients of a call of a layer, as at inference and, where it differs, as in training; None for one
    that gives or takes no numbers to differentiate."""
    definition = call.traced.definition
    assert definition is not None  # noqa: S101 (its values were compared)
    if not any(map(is_float, definition.leaves)) or not any(map(is_float, definition.results.values())):
        return None
    checks = [_compared(call, definition, False)]
    trained = trained_definition(call.layer, call.traced)
    if trained is not None and trained is not definition and not is_random(trained):
        checks.append(_compared(call, trained, True))
    order = ("differs", "agrees", "not compared")
    return min(checks, key=lambda check: (order.index(check.status), -(check.difference or 0)))


def _compared(call: CallOfLayer, definition: Definition, training: bool) -> ValuesCheck:
    import numpy as np

    graph, given = call.graph, [tensor for tensor, _ in call.given]
    most = allowed(call.tolerance, call.operation.compute_dtype)
    mode = "in training: " if training else ""

    def check(status: Status, reason: str, apart: float | None = None) -> ValuesCheck:
        return ValuesCheck(status, apart, most, f"{mode}{reason}" if reason else "")

    try:
        result = gradient(definition)
    except (CannotDerive, ShapeError) as why:
        return check("not compared", f"not derived: {why}")
    if not any(leaf in result.of for leaf in definition.leaves):
        return check("not compared", "it has no gradient")
    if training and (moves := moves_of(definition)).unknown and moves.read:
        return check("not compared", "an inner layer stores new weights at each step and continues from them")
    rng = np.random.default_rng(call.seed)
    states = call.operation.states(definition)
    try:
        theirs = graph.gradients(call.key, given, definition, rng.normal, training=training)
    except Exception as error:  # Keras raises whatever its backend raises
        return check("not compared", f"{graph.framework} cannot: {first_line(error)}")
    compute = call.operation.compute_dtype
    arrays = [rounded_to(graph.value(item), compute) for item in given]
    stored = [*[graph.value(weight) for weight in call.operation.weights(definition)], *states]
    weights = [rounded_to(item, compute) for item in stored]

    given_back = [*arrays, *theirs.seeds]
    try:
        values = evaluate(result.whole, given_back, weights, Evaluation(call.batch, computed_in(compute)))
    except CannotEvaluate as why:
        return check("not compared", f"cannot be evaluated: {why}")
    ours = dict(zip(result.whole.results, values, strict=True))
    pairs: dict[str, tuple[Any, Any]] = {}
    seen: dict[int, str] = {}
    for leaf, tensor, g in zip(definition.params, given, theirs.of_inputs, strict=True):
        if is_float(leaf) and g is not None:
            name = seen.setdefault(id(tensor), str(leaf.label))  # a tensor given twice gets the sum of both
            own = ours.get(result.of.get(leaf, ""), 0)
            pairs[name] = (pairs[name][0] + own, g) if name in pairs else (own, g)
    for leaf, g in zip(definition.weights, theirs.of_weights, strict=True):
        if leaf.attrs["trainable"] and is_float(leaf) and g is not None:
            pairs[str(leaf.label)] = (ours.get(result.of.get(leaf, ""), 0), g)
    worst, where = _worst(pairs)
    if worst is None:
        return check("not compared", f"no gradient is returned in {graph.framework}")
    rounding = None
    if TOLERANCE <= most < worst < math.inf:
        of_each = Roundings(result.whole, given_back, weights, call.batch, (compute,))
        rounding = max(map(of_each.effect_on, range(len(ours)))) / (_largest(pairs) or 1)
        most = judged(most, rounding)
    agrees = worst <= most
    return check("agrees" if agrees else "differs", "" if agrees else f"that of {where}", worst)._replace(
        tolerance=most, rounding=rounding
    )


def _worst(
    pairs: Mapping[str, tuple[Any, Any]], keras: Mapping[str, tuple[Any, Any]] | None = None
) -> tuple[float | None, str]:
    """Return the largest difference by the largest gradient of Keras, and of what it is; None if there are none.
    `keras` are the pairs that have those gradients, if others."""
    import numpy as np

    if not pairs:
        return None, ""
    worst, where = 0.0, ""
    for name, (ours, theirs) in pairs.items():
        if np.shape(ours) not in ((), theirs.shape):
            return float("inf"), name
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(all="ignore"):
            apart = float(np.max(np.where(same, 0, np.abs(ours - theirs)), initial=0))
        apart = float("inf") if np.isnan(apart) else apart
        if apart > worst:
            worst, where = apart, name
    return worst / (_largest(pairs if keras is None else keras) or 1), where


def _largest(pairs: Mapping[str, tuple[Any, Any]]) -> float:
    """Return the largest of Keras's gradients that is finite."""
    import numpy as np

    each = [theirs for _, theirs in pairs.values()]
    return max(float(np.max(np.abs(item), initial=0, where=np.isfinite(item))) for item in each)


# The whole model ----------------------------------------------------------------------------------------------------


def compare_steps(
    model: Model, reference: Reference, arrays: Sequence[Any], tolerance: float, seed: int
) -> Iterator[StepCheck]:
    """Compare a training step of the whole model: as at inference and, if nothing is drawn then, as in training."""
    training = model.training or Training()
    if not training.losses:
        model = trained_with(model, {"loss": NO_LOSS})
    for mode in (False, True):
        yield _step(model, reference, arrays, mode, tolerance, seed)


def _step(
    model: Model, reference: Reference, arrays: Sequence[Any], training: bool, tolerance: float, seed: int
) -> StepCheck:
    check = StepCheck("training" if training else "inference", "not compared", tolerance)
    try:
        network = traced_at(model, arrays, training=training)
        if training and draws(network):
            return check._replace(reason="it draws random numbers in training")
        step = _step_of_training(model, network, reference, arrays, training, seed)
        check = check._replace(loss=" + ".join(term.type for term in step.losses))
        left_out = step.left_out()
        if left_out:
            return check._replace(reason=left_out[0].rstrip("."))
    except LayerExplainError as error:
        return check._replace(reason=str(error.fact))
    try:
        theirs = reference.step(step)
    except Exception as error:  # Keras raises whatever its backend raises
        return check._replace(reason=f"{reference.framework} cannot: {first_line(error)}")
    pairs = {
        step.weights[k].where: (own, g) for k, own in _own(step).items() if (g := theirs.gradients.get(k)) is not None
    }
    worst, where = _worst(pairs)
    loss = _apart(step.loss, theirs.loss)
    moved = _update(step, theirs)
    dtypes = _compute_dtypes(network)
    most, rounding = allowed_in_row(tolerance, calls_in(network), *dtypes), None
    if not max(loss, worst or 0.0) <= most and dtypes != {"float64"}:
        exact = _step_of_training(model, network, reference, arrays, training, seed, in_float64=True)
        in_64 = _own(exact)
        own = (
            _worst({str(key): (value, in_64[key]) for key, value in _own(step).items() if key in in_64}, pairs)[0]
            or 0.0
        )
        rounding = max(own, _apart(step.loss, exact.loss))
        most = judged(most, rounding)
    far = (("the loss", loss), (f"the gradient of {where}", worst), ("the step", moved))
    wrong = [name for name, item in far if item is not None and not item <= most]
    return check._replace(
        status="differs" if wrong else "agrees",
        tolerance=most,
        losses=Compared(step.loss, theirs.loss),
        loss_difference=loss,
        gradient_difference=worst,
        optimizer="" if step.optimizer is None else step.optimizer.type,
        step_difference=moved,
        reason=", ".join(wrong),
        rounding=rounding,
    )


def _step_of_training(
    model: Model,
    network: Network,
    reference: Reference,
    arrays: Sequence[Any],
    training: bool,
    seed: int,
    *,
    in_float64: bool = False,
) -> GradientStep:
    """Return a step that was run forwards and backwards by the formulas."""
    ran = ModelRun(network, reference.weight_source(), seed, in_float64=in_float64)
    inputs = [GivenInput(ref.layer, array, "as given") for ref, array in zip(model.inputs, arrays, strict=True)]
    step = GradientStep(RunnableModel(model, inputs, ran, (), training), [f"random:{seed}"])
    step.forward(lambda _: None)
    step.backward(lambda _: None)
    return step


def _own(step: GradientStep) -> dict[WeightKey, Any]:
    """Return the gradients of the trainable weights, 0 where none comes back."""
    return {
        key: 0 if weight.gradient is None else weight.gradient
        for key, weight in step.weights.items()
        if weight.trainable and not isinstance(weight.gradient, NoGradient)
    }


def _compute_dtypes(network: Network) -> set[str]:
    """Return the dtypes in which the layers of a network compute."""
    results: set[str] = set()
    for layer, traced in network.calls_of_layers():
        if traced.network is not None:
            results |= _compute_dtypes(traced.network)
        elif traced.sources and layer.kind == "layer":
            results.add(dtypes_of(layer)[1])
    return results


def _apart(own: float, other: float) -> float:
    return abs(own - other) / max(abs(other), 1e-30) if own != other else 0.0


def _update(step: GradientStep, theirs: Any) -> float | None:
    """Return how far the step of the optimizer is from Keras's, from Keras's own gradients: by the largest change."""
    import numpy as np

    if step.optimizer is None or theirs.new is None:
        return None
    keys = [k for k, weight in step.weights.items() if weight.trainable and theirs.gradients.get(k) is not None]
    weights = {step.weights[k].where: step.before_step(k) for k in keys}
    updated = updates(step.optimizer, weights, {step.weights[k].where: theirs.gradients[k] for k in keys})
    worst = largest = 0.0
    for key in keys:
        where, new = step.weights[key].where, theirs.new[key]
        own = step.constrained(step.weights[key], updated[where].new)
        worst = max(worst, float(np.max(np.abs(own - new), initial=0)))
        largest = max(largest, float(np.max(np.abs(weights[where] - new), initial=0)))
    return worst / largest if largest else worst
