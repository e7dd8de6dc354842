"""The real difference between two layers in sentences, derived from what is explained of both.

What one output element reads, what is learned, of what statistics are, what differs in training, the state that is
kept from step to step, how the parameters come about, and the shapes: what is the same is said once, of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from layerexplain.layers.torch.compared import compared
from layerexplain.ops.sizes import shape_text
from layerexplain.report.data import SAME_IN_TRAINING, LayerReport
from layerexplain.report.explanation_data import Explanation
from layerexplain.suggest import in_a_row

_MEAN = re.compile(r"\bmean\([^=]*?, axis=(\([^)]*\)|-?\d+)")
_Fact = Callable[[LayerReport, Explanation], str]

_STATE = re.compile(r"(\w+) = zeros\(")


def difference_sentences(left: LayerReport, right: LayerReport, titles: tuple[str, str]) -> tuple[str, ...]:
    """Return what matters of the difference between two layers, called by their titles."""
    ours, theirs = left.explanation, right.explanation
    if ours is None or theirs is None:
        return ()
    if _is_same(left, right):
        element = _element(ours)
        how = f": {element[0]}" if len(element) == 1 else ""
        same = "each output element is the same formula of the same inputs and of weights of the same shapes"
        return (f"{titles[0]} and {titles[1]} compute the same; {same}{how}.",)
    across: tuple[str, ...] = ()
    if ours.framework != theirs.framework:
        across = compared(*[one.type for one in ((left, right) if ours.framework == "torch" else (right, left))])
    facts: list[_Fact] = [
        _reads,
        _states,
        _statistics,
        _training,
        _learned,
        _returns,
    ]
    pairs = [(fact, fact(left, ours), fact(right, theirs)) for fact in facts]
    said = []
    if not (left.params or right.params) or all(one == other for _, one, other in pairs):  # what they do differs
        said = [f"{title}: {one.sentence}" for title, one in zip(titles, (ours, theirs), strict=True)]
    for fact, one, other in pairs:
        if one == other:
            said += [f"Both {_of_both(one)}."] if one and fact in (_reads, _learned, _returns) else []
        else:
            said += [f"{titles[0]} {one or _NONE[fact]}; {titles[1]} {other or _NONE[fact]}."]
    return (*across, *said)


def _is_same(left: LayerReport, right: LayerReport) -> bool:
    ours, theirs = left.explanation, right.explanation
    assert ours is not None and theirs is not None  # noqa: S101 (who calls has looked)
    shapes = [[weight.shape for weight in one.weights] for one in (left, right)]
    return (
        bool(ours.element)
        and (_element(ours), ours.element_notes) == (_element(theirs), theirs.element_notes)
        and (left.output_shapes, shapes[0], ours.training) == (right.output_shapes, shapes[1], theirs.training)
    )


def _element(explanation: Explanation) -> tuple[str, ...]:
    """Return the formula of one element; where a layer is applied to each step, with that of the layer put in."""
    if len(explanation.element) != 3:
        return explanation.element
    inner, body, outer = explanation.element
    name = inner.partition("(")[0]
    of_inner = re.fullmatch(r" +y\[([^]]*)\] = (.*)", body)
    of_step = re.fullmatch(rf"(y\[[^]]*\]) = {re.escape(name)}\(x\[t\][^\[]*\)\[([^]]*)\]", outer)
    if of_inner is None or of_step is None or of_inner[1] != of_step[2]:
        return explanation.element
    at_step = re.sub(r"\bx\[n, ", "x[n, t, ", of_inner[2])
    return (f"{of_step[1]} = {at_step}",)


def _of_both(text: str) -> str:
    """Return the verb of a sentence on one as that of a sentence on both."""
    verb, _, rest = text.partition(" ")
    return f"{verb.removesuffix('s')} {rest}"


def _reads(layer: LayerReport, explanation: Explanation) -> str:
    """Say `reads all 10 steps of the input for one output element`."""
    for line in explanation.receptive_field:
        if found := re.match(r"one output element depends on (.+?)(?: of the input)?(?:[:;,].*)?$", line):
            return f"reads {found[1]} for one output element"
    return ""


def _states(layer: LayerReport, explanation: Explanation) -> str:
    """Say `keeps the states h and c from step to step`."""
    loop = next((i for i, line in enumerate(layer.formula) if line.startswith("for ")), None)
    if loop is None:
        return ""
    names = [found[1] for line in layer.formula[:loop] if (found := _STATE.match(line))]
    noun = "state" if len(names) == 1 else "states"
    return f"keeps the {noun} {in_a_row(names)} from step to step" if names else ""


def _statistics(layer: LayerReport, explanation: Explanation) -> str:
    """Say `normalizes by the mean and variance of each example`; `… stored ones, and in training by those of the
    batch`."""
    stored = [weight.name for weight in layer.weights if "mean" in weight.name and not weight.trainable]
    now = [found[1] for line in layer.formula for found in _MEAN.finditer(line)]
    then = [found[1] for line in explanation.training for found in _MEAN.finditer(line)]
    if stored:
        batch = ", and in training by those of the batch" if any(_has_batch(axis) for axis in then) else ""
        return f"normalizes by a stored mean and variance{batch}"
    if now and "(x - " in " ".join(layer.formula):
        return f"normalizes by the mean and variance of {'the batch' if _has_batch(now[0]) else 'each example'}"
    return ""


def _has_batch(axis: str) -> bool:
    return "0" in re.findall(r"-?\d+", axis)


def _training(layer: LayerReport, explanation: Explanation) -> str:
    if explanation.training and explanation.training != (SAME_IN_TRAINING,):
        return "computes something else in training than at inference"
    return "computes the same in training as at inference"


def _learned(layer: LayerReport, explanation: Explanation) -> str:
    if layer.params is None:
        return "has a number of parameters that is not known"
    if not layer.params:
        return "learns nothing"
    learned = "learns" if layer.trainable else "has"
    noun = "parameter" if layer.params == 1 else "parameters"
    product = explanation.parameters.partition(" = ")[2]
    return f"{learned} {layer.params:,} {noun}" + (f" = {product}" if product else "")


def _returns(layer: LayerReport, explanation: Explanation) -> str:
    shapes = in_a_row([shape_text(shape) if shape is not None else "?" for shape in layer.output_shapes])
    return f"returns {shapes}"


_NONE: dict[_Fact, str] = {
    _reads: "reads an unknown part of the input",
    _states: "keeps no state from step to step",
    _statistics: "computes no statistics",
}
"""What is said of a layer that has nothing of a kind, beside one that has."""
