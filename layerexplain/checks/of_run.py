"""Rules on one training step: what its numbers show. `trace --gradient` says the same of the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.checks.rules import Found, rule
from layerexplain.records import NamedTuple


class RunFact(NamedTuple):
    """What the numbers of a run show: the code of the rule that it belongs to, "" for none; the path of the layer, None
    for the model as a whole; and a sentence."""

    code: str
    layer: str | None
    sentence: str


def _rule(code: str, name: str, confidence: str, *, why: str, fix: str, source: str) -> None:
    """Declare a rule that reports the facts of its code."""

    def look(facts: Sequence[RunFact]) -> Iterator[Found]:
        for fact in facts:
            if fact.code == code:
                yield fact.layer, fact.sentence.removesuffix(".")

    look.__module__ = __name__
    rule(code, name, "wrong", confidence, why=why, fix=fix, source=source, of="run")(look)


_rule(
    "gradient-not-finite",
    "NaN or infinity in the first step",
    "certain",
    why="After one step, all weights that its gradient reaches are NaN.",
    fix="Look at the values of the data, and at logarithms, divisions and square roots of 0.",
    source="keras/src/callbacks/terminate_on_nan.py",
)

_rule(
    "vanishing-gradient",
    "Gradients that vanish on their way back",
    "likely",
    why="The first layers hardly change while the last ones learn.",
    fix="Use relu in place of sigmoid or tanh, he_normal kernels, BatchNormalization, or shortcuts (Add).",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
)

_rule(
    "exploding-gradient",
    "Gradients that explode on their way back",
    "likely",
    why="The first steps move the weights of the first layers far away, and the loss becomes NaN.",
    fix="Use smaller initial weights, BatchNormalization, a smaller learning rate, or clipnorm=1.0 in the optimizer.",
    source="Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks (2013)",
)

_rule(
    "gradient-stops",
    "A layer that passes no gradient",
    "likely",
    why="The layers before it do not learn from these examples.",
    fix="Look at its input: relu of negative values, saturated functions and a softmax over one value pass nothing.",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
)

_rule(
    "dead-layer",
    "relu units that are 0 for all examples",
    "likely",
    why="A unit that is 0 for all examples passes no gradient, and may never change again.",
    fix="Use biases that start at 0, scaled data, a smaller learning rate, or LeakyReLU.",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
)

_rule(
    "saturated-layer",
    "Outputs at the bounds of their function",
    "likely",
    why="There its slope is near 0: the layers before it get almost no gradient.",
    fix="Scale the data, use smaller initial weights, BatchNormalization before the function, or relu.",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
)
