"""Drawn training steps are those of Keras: the loss, each gradient, each new weight and running statistic."""

import pytest

from layerexplain.errors import LayerExplainError
from tests.support.tries import tries

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.keras

FIRST, MANY = 0, tries(few=12, many=500)
NEAR = 1e-6
"""Of the largest gradient, in float64; gelu, regularizers and 1 / sqrt(d) have numbers in float32 in Keras."""


def outcome(seed: int) -> tuple[str, str]:
    """Return "equal", "refused", "not in Keras" or "differs", and what there is to say of it.

    A note excuses no difference: all that is drawn has a formula.
    """
    from layerexplain.frontends import read_for_weights
    from layerexplain.frontends.training import trained_with
    from layerexplain.oracle.gradients import _update
    from layerexplain.oracle.keras_model import KerasModel, keras_step
    from layerexplain.run.gradients import GradientStep
    from layerexplain.run.trace import ready
    from tests.support.gradient_cases import Case

    case = Case(seed)
    model = trained_with(read_for_weights(case.model)[1], case.given)
    try:
        with ready(case.model, case.inputs, model=model, training=case.training) as running:
            step = GradientStep(running, [f"random:{seed}"])
            step.forward(lambda _: None)
            step.backward(lambda _: None)
            step.update()
            try:
                theirs = keras_step(KerasModel(case.model, "of the model"), step)
            except (TypeError, ValueError) as error:
                return "not in Keras", str(error).partition("\n")[0]
            apart = {
                "loss": abs(step.loss - theirs.loss) / max(abs(theirs.loss), 1e-30),
                "step": _update(step, theirs) or 0.0,
            }
    except LayerExplainError as error:
        return "refused", str(error)
    wrong = [f"{name} by {far:.1e}" for name, far in apart.items() if not far <= (NEAR if name == "loss" else 1e-4)]
    largest = max(float(np.abs(g).max()) for g in theirs.gradients.values() if g is not None)
    for key, one in step.weights.items():
        if one.trainable:
            own, g = (
                np.zeros_like(one.value) if given is None else given
                for given in (one.gradient, theirs.gradients.get(key))
            )
            far = float(np.abs(own - g).max()) / (largest or 1)
            wrong += [f"{one.where} by {far:.1e}"] if not far <= NEAR else []
        elif theirs.new is not None:
            new = one.value if one.new is None else one.new
            wrong += [f"the new {one.where}"] if not np.allclose(new, theirs.new[key], rtol=1e-5) else []
    notes = [note.message for note in step.all_notes() if "has a constraint" not in note.message]
    return ("differs", f"{'; '.join(wrong)} in {case} {notes}") if wrong or notes else ("equal", "")


def found(first: int, many: int) -> dict[int, tuple[str, str]]:
    from tests.support.keras_precision import float64

    with float64():
        return {seed: outcome(seed) for seed in range(first, first + many)}


def test_drawn_steps_are_those_of_keras() -> None:
    assert {seed: one for seed, one in found(FIRST, MANY).items() if one[0] != "equal"} == {}
