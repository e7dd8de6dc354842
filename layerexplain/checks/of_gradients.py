"""Rules on what training changes: weights that no gradient reaches."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.rules import Found, rule
from layerexplain.network.gradient_paths import End, end_words, lost_weights
from layerexplain.network.traced import Network
from layerexplain.records import grouped
from layerexplain.suggest import in_a_row


@rule(
    "no-gradient",
    "Trainable weights that get no gradient",
    "certain",
    why="What no gradient reaches, training does not change: the weights stay as they were drawn. Keras warns in "
    "fit().",
    fix="Replace what the path ends at by something with a gradient (softmax in place of argmax), read the output, or "
    "set trainable=False.",
    source="keras/src/backend/tensorflow/trainer.py; tf.GradientTape",
    keras="warns on TensorFlow, in fit()",
)
def no_gradient(network: Network) -> Iterator[Found]:
    of_layer = grouped((lost.layer, lost) for lost in lost_weights(network))
    for layer, weights in of_layer.items():
        ends = sorted({end for lost in weights for end in lost.ends})
        verb = "are" if len(weights) > 1 else "is"
        names = in_a_row(lost.weight for lost in weights)
        yield layer, f"{names} {verb} trainable, but the path of the gradient ends {_listed(ends)}"


def _listed(ends: list[End]) -> str:
    words = list(dict.fromkeys(map(end_words, ends)))
    return " and ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
