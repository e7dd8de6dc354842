"""Compare gradients with Keras: those of each call, on Keras's own inputs, and a step of training of the model."""

from __future__ import annotations

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
from layerexplain.network.trained import trained_definition
from layerexplain.oracle.comparison import CallOfLayer, draws
from layerexplain.oracle.difference import allowed
from layerexplain.oracle.keras_import import first_line
from layerexplain.oracle.reference import Reference
from layerexplain.oracle.verify_report import Compared, Status, StepCheck, ValuesCheck
from layerexplain.run.activations import Activations
from layerexplain.run.given_inputs import traced_at
from layerexplain.run.gradients import Step
from layerexplain.run.objective import NoGradient
from layerexplain.run.precision import computed_in, rounded_to
from layerexplain.run.trace import Running
from layerexplain.run.updates import updates

NO_LOSS = "mse"
"""The loss for a source that names none."""


def compare_gradients(call: CallOfLayer) -> ValuesCheck | None:
    """Compare the gradients of a call of a layer, as at inference and, where it differs, as in training; None for one
    that gives or takes no numbers to differentiate."""
    definition = call.made.definition
    assert definition is not None  # noqa: S101 (its values were compared)
    if not any(map(is_float, definition.leaves)) or not any(map(is_float, definition.results.values())):
        return None
    checks = [_compared(call, definition, False)]
    trained = trained_definition(call.layer, call.made)
    if trained is not None and trained is not definition and not is_random(trained):
        checks.append(_compared(call, trained, True))
    order = ("differs", "agrees", "not compared")
    return min(checks, key=lambda one: (order.index(one.status), -(one.difference or 0)))


def _compared(call: CallOfLayer, definition: Definition, training: bool) -> ValuesCheck:
    import numpy as np

    graph, given = call.graph, [tensor for tensor, _ in call.given]
    most = allowed(call.tolerance, call.operation.compute_dtype)
    mode = "in training: " if training else ""

    def check(status: Status, reason: str, apart: float | None = None) -> ValuesCheck:
        return ValuesCheck(status, apart, most, f"{mode}{reason}" if reason else "")

    try:
        found = gradient(definition)
    except (CannotDerive, ShapeError) as why:
        return check("not compared", f"not derived: {why}")
    if not any(leaf in found.of for leaf in definition.leaves):
        return check("not compared", "it has no gradient")
    rng = np.random.default_rng(call.seed)
    try:
        theirs = graph.gradients(call.key, given, definition, rng.normal, training=training)
    except Exception as error:  # Keras raises whatever its backend raises
        return check("not compared", f"Keras cannot: {first_line(error)}")
    compute = call.operation.compute_dtype
    arrays = [rounded_to(graph.value(one), compute) for one in given]
    weights = [rounded_to(graph.value(one), compute) for one in call.operation.weights(definition)]
    run = Evaluation(call.batch, computed_in(compute))
    try:
        made = evaluate(found.whole, [*arrays, *theirs.seeds], weights, run)
    except CannotEvaluate as why:
        return check("not compared", f"cannot be evaluated: {why}")
    ours = dict(zip(found.whole.results, made, strict=True))
    pairs: dict[str, tuple[Any, Any]] = {}
    seen: dict[int, str] = {}
    for leaf, tensor, g in zip(definition.params, given, theirs.of_inputs, strict=True):
        if is_float(leaf) and g is not None:
            name = seen.setdefault(id(tensor), str(leaf.label))  # a tensor given twice gets the sum of both
            own = ours.get(found.of.get(leaf, ""), 0)
            pairs[name] = (pairs[name][0] + own, g) if name in pairs else (own, g)
    for leaf, g in zip(definition.weights, theirs.of_weights, strict=True):
        if leaf.attrs["trainable"] and is_float(leaf) and g is not None:
            pairs[str(leaf.label)] = (ours.get(found.of.get(leaf, ""), 0), g)
    worst, where = _worst(pairs)
    if worst is None:
        return check("not compared", "no gradient comes back in Keras")
    return check("agrees" if worst <= most else "differs", "" if worst <= most else f"that of {where}", worst)


def _worst(pairs: Mapping[str, tuple[Any, Any]]) -> tuple[float | None, str]:
    """Return the largest difference by the largest gradient, and of what it is; None if there are none."""
    import numpy as np

    if not pairs:
        return None, ""
    largest = max(float(np.max(np.abs(theirs), initial=0)) for _, theirs in pairs.values())
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
    return (worst / largest if largest else worst), where


# The whole model ----------------------------------------------------------------------------------------------------


def compare_steps(
    model: Model, reference: Reference, arrays: Sequence[Any], tolerance: float, seed: int
) -> Iterator[StepCheck]:
    """Compare a step of training of the whole model: as at inference and, if nothing is drawn then, as in training."""
    training = model.training or Training()
    if not training.losses:
        model = trained_with(model, {"loss": NO_LOSS})
    for mode in (False, True):
        yield _step(model, reference, arrays, mode, tolerance, seed)


def _step(
    model: Model, reference: Reference, arrays: Sequence[Any], training: bool, tolerance: float, seed: int
) -> StepCheck:
    told = StepCheck("training" if training else "inference", "not compared", tolerance)
    try:
        network = traced_at(model, arrays, training=training)
        if training and draws(network):
            return told._replace(reason="it draws random numbers in training")
        source = reference.weight_source()
        running = Running(model, list(arrays), Activations(network, source, seed), (), training)
        step = Step(running, [f"random:{seed}"])
        told = told._replace(loss=" + ".join(term.type for term in step.losses))
        step.forward(lambda _: None)
        step.backward(lambda _: None)
    except LayerExplainError as error:
        return told._replace(reason=str(error.fact))
    try:
        theirs = reference.step(step)
    except Exception as error:  # Keras raises whatever its backend raises
        return told._replace(reason=f"Keras cannot: {first_line(error)}")
    pairs = {}
    for key, weight in step.weights.items():
        g = theirs.gradients.get(key)
        if weight.trainable and g is not None and not isinstance(weight.gradient, NoGradient):
            pairs[weight.where] = (0 if weight.gradient is None else weight.gradient, g)
    worst, where = _worst(pairs)
    apart = abs(step.loss - theirs.loss) / max(abs(theirs.loss), 1e-30) if step.loss != theirs.loss else 0.0
    moved = _update(step, theirs)
    wrong = [
        name
        for name, far in (("the loss", apart), (f"the gradient of {where}", worst), ("the step", moved))
        if far is not None and not far <= tolerance
    ]
    return told._replace(
        status="differs" if wrong else "agrees",
        losses=Compared(step.loss, theirs.loss),
        loss_difference=apart,
        gradient_difference=worst,
        optimizer="" if step.optimizer is None else step.optimizer.type,
        step_difference=moved,
        reason=", ".join(wrong),
    )


def _update(step: Step, theirs: Any) -> float | None:
    """Return how far the step of the optimizer is from Keras's, from Keras's own gradients: by the largest change."""
    import numpy as np

    if step.optimizer is None or theirs.new is None:
        return None
    keys = [k for k, one in step.weights.items() if one.trainable and theirs.gradients.get(k) is not None]
    weights = {step.weights[k].where: step.weights[k].value for k in keys}
    made = updates(step.optimizer, weights, {step.weights[k].where: theirs.gradients[k] for k in keys})
    worst = largest = 0.0
    for key in keys:
        where, new = step.weights[key].where, theirs.new[key]
        worst = max(worst, float(np.max(np.abs(made[where].new - new), initial=0)))
        largest = max(largest, float(np.max(np.abs(weights[where] - new), initial=0)))
    return worst / largest if largest else worst
