"""Steps of training by the derived gradients and by real Keras, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from layerexplain.frontends import read_for_weights
from layerexplain.frontends.training import trained_with
from layerexplain.run.gradients import GradientStep
from layerexplain.run.trace import ready


def apart(real: Any, inputs: Any, given: dict[str, Any], *, training: bool = True, targets: Any = None) -> Apart:
    """How far a step of a live model's training is from Keras's."""
    from layerexplain.oracle.keras_model import KerasModel, keras_step

    _, model = read_for_weights(real)
    model = trained_with(model, given)
    with ready(real, inputs, model=model, training=training) as running:
        step = GradientStep(running, targets)
        step.forward(lambda _: None)
        step.backward(lambda _: None)
        if step.optimizer is not None:
            step.update()
        theirs = keras_step(KerasModel(real, "of the model"), step)
    return Apart(step, theirs)


class Apart:
    """The differences of a step: `loss` by its size, `gradient` by the largest gradient, `step` by the largest change;
    `compared` are the weights whose gradients were compared."""

    def __init__(self, step: GradientStep, theirs: Any) -> None:
        self.step, self.theirs = step, theirs
        self.loss = abs(step.loss - theirs.loss) / max(abs(theirs.loss), 1e-30)
        # A weight that stands in several places is ours at the first of them.
        known = [g for key, g in theirs.gradients.items() if g is not None and key in step.weights]
        largest = max(float(np.abs(g).max()) for g in known)
        self.gradient = self.step_ = 0.0
        self.compared = []
        changes = []
        for key, one in step.weights.items():
            g = theirs.gradients[key]
            if not one.trainable:
                continue
            own = np.zeros_like(one.value) if one.gradient is None else one.gradient
            g = np.zeros_like(one.value) if g is None else g
            assert own.shape == g.shape, one.where
            self.compared.append(one.where)
            self.gradient = max(self.gradient, float(np.abs(own - g).max()) / largest)
        if theirs.new is not None:
            for key, one in step.weights.items():
                if one.new is None and not one.trainable:  # what a wrapper holds moves without our knowing
                    continue
                new = one.value if one.new is None else one.new
                self.step_ = max(self.step_, float(np.abs(new - theirs.new[key]).max()))
                changes.append(float(np.abs(theirs.new[key] - one.value).max()))
            self.step_ /= max(max(changes), 1e-30)
