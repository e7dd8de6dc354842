"""What differs between two layers in sentences, and between two models as wholes.

What one output element reads, what is learned, of what statistics are, what differs in training, the state that is
kept from step to step, how the parameters come about, and the shapes: what is the same is said once, of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.derive.shape_reasons import CHANNELS, PLACES
from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.lang import text
from layerexplain.lang.axes import GONE
from layerexplain.layers.declaration import Spec
from layerexplain.layers.torch.compared import compared
from layerexplain.model import Model, Shape, TensorRef
from layerexplain.network.trace import trace_layer
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.data import SAME_IN_TRAINING, LayerReport
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.normal_form import NormalLayer, normal_part
from layerexplain.report.normal_values import Normal, differing
from layerexplain.report.objective import TodaysTraining, todays_training

# Difference sentences -----------------------------------------------------------------------------------------------

_MEAN = re.compile(r"\bmean\(([^=]*?), axis=(\([^)]*\)|-?\d+)")
_Fact = Callable[[LayerReport, Explanation], str]

_STATE = re.compile(r"(\w+) = zeros\(")
_CALLED = re.compile(r"\w+ = \w+\(\w+(,[^()]*)?\)")


def difference_sentences(left: LayerReport, right: LayerReport, titles: tuple[str, str]) -> tuple[str, ...]:
    """Return what matters of the difference between two layers, called by their titles."""
    ours, theirs = left.explanation, right.explanation
    if ours is None or theirs is None:
        return ()
    if _is_same(left, right):
        element = _element(ours)
        how = f": {element[0]}" if len(element) == 1 else ""
        same = "each output element is the same formula of the same inputs and of weights of the same shapes"
        set_ = _set_arguments(ours, theirs, titles)
        if set_:
            return ("Both compute the same output; they differ in training alone.", *set_)
        return (f"{titles[0]} and {titles[1]} compute the same; {same}{how}.",)
    across: tuple[str, ...] = ()
    if ours.framework != theirs.framework:
        across = compared(*[layer.type for layer in ((left, right) if ours.framework == "torch" else (right, left))])
    facts: list[_Fact] = [_reads, _resizes, _states, _statistics, _training, _learned, _returns]
    pairs = {fact: (fact(left, ours), fact(right, theirs)) for fact in facts}
    differ = {fact for fact, (item, other) in pairs.items() if item != other}
    if (left.params, left.trainable) == (right.params, right.trainable):
        differ -= {_learned}
    if _statistics in differ:  # which say what differs in training
        del pairs[_training]
    each = [_of_each(explanation) for explanation in (ours, theirs)]
    if all(each) and each[0] != each[1]:
        item, other = pairs[_returns]
        pairs[_returns] = (f"{item}, {each[0]}", f"{other}, {each[1]}")
    said = []
    says_what = differ & {_resizes, _states, _statistics} or any(map(is_chain, (left, right)))
    if not differ or (left.type != right.type and not says_what):
        sides = zip(titles, (left, right), (ours, theirs), strict=True)
        said = [
            f"{title}: {f'{layer.operation}.' if is_chain(layer) else about.sentence}" for title, layer, about in sides
        ]
    for fact, (item, other) in pairs.items():
        if fact not in differ:
            said += [f"Both {_of_both(item)}."] if item and fact in (_reads, _learned, _returns) else []
        else:
            facts_of = zip(titles, (item or _NONE[fact], other or _NONE[fact]), strict=True)
            said += [f"{'; '.join([f'{title} {text}' for title, text in facts_of if text])}."]
    said += [text for text in _set_arguments(ours, theirs, titles) if _OF_WEIGHTS.search(text.partition("=")[0])]
    return (*across, *said, *_before_dense(left, right, titles), *_watched((ours, theirs), titles))


_OF_WEIGHTS = re.compile(r"_(regularizer|initializer|constraint)$")


def _set_arguments(ours: Explanation, theirs: Explanation, titles: tuple[str, str]) -> list[str]:
    """Return what the arguments do that one of two layers sets otherwise, and that no formula shows."""
    both = {text.partition("=")[0] for text in ours.arguments} & {text.partition("=")[0] for text in theirs.arguments}
    set_arguments = []
    for title, own, other in ((titles[0], ours, theirs), (titles[1], theirs, ours)):
        texts = [text for text in own.arguments if text not in other.arguments]
        set_arguments += [f"{title}: {text}" if text.partition("=")[0] in both else text for text in texts]
    return set_arguments


def _is_same(left: LayerReport, right: LayerReport) -> bool:
    ours, theirs = left.explanation, right.explanation
    assert ours is not None and theirs is not None  # noqa: S101 (who calls has looked)
    shapes = [[weight.shape for weight in layer.weights] for layer in (left, right)]
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
    pattern = r"one output element depends on (.+?)(?: of the input)?(?:[:;,].*)?$"
    results = [match[1] for line in explanation.receptive_field if (match := re.match(pattern, line))]
    return f"reads {in_a_row(results)} for one output element" if results else ""


def _resizes(layer: LayerReport, explanation: Explanation) -> str:
    """Say `enlarges 8 × 8 to 16 × 16 by a fixed rule`; of a chain, what each of its layers does."""
    axes = [axis for axis in explanation.axes if axis.after != GONE]
    places = [at for at, axis in enumerate(axes, start=1) if axis.role in PLACES - CHANNELS]
    done = []
    before = layer.input_shapes[0] if layer.input_shapes else None
    for after, learns in _steps(layer, explanation):
        if places and before and after and len(before) == len(after) == len(axes) + 1:
            sizes = [[shape[at] for at in places] for shape in (before, after)]
            if verb := _resized(*sizes):
                item, other = [" × ".join(map(str, size)) for size in sizes]
                done.append(f"{verb} {item} to {other} {'with learned weights' if learns else 'by a fixed rule'}")
        before = after
    return ", then ".join(done)


def _steps(layer: LayerReport, explanation: Explanation) -> list[tuple[Shape | None, bool]]:
    """Return the shape after each layer of a chain, and whether it learns: of a single layer its own."""
    if not is_chain(layer):
        return [(layer.output_shapes[0] if layer.output_shapes else None, bool(layer.trainable))]
    steps: list[tuple[Shape | None, bool]] = []
    for line in explanation.statements:
        if called := _CALLED.fullmatch(line.text) if not line.indent else None:
            sizes = re.findall(r"None|\d+", line.shape)
            steps.append((tuple([None if size == "None" else int(size) for size in sizes]), bool(called[1])))
    return steps


def is_chain(layer: LayerReport) -> bool:
    """Return whether a layer calls several, one after the other."""
    return layer.arguments is not None and any(value.name == "layers" for value in layer.arguments.values)


def _resized(before: Sequence[int | None], after: Sequence[int | None]) -> str:
    """Return `enlarges` or `shrinks` where an axis grows or shrinks by half at least."""
    pairs = [(number, other) for number, other in zip(before, after, strict=True) if number and other]
    if any(2 * other >= 3 * number for number, other in pairs):
        return "enlarges"
    return "shrinks" if any(2 * number >= 3 * other for number, other in pairs) else ""


def _states(layer: LayerReport, explanation: Explanation) -> str:
    """Say `keeps the states h and c from step to step`."""
    lines = [line.text for line in explanation.statements]
    loops = [at for at, line in enumerate(lines) if line.startswith("for ")]
    results = [match[1] for line in lines[: loops[-1] if loops else 0] if (match := _STATE.match(line))]
    names = list(dict.fromkeys(results))
    noun = "state" if len(names) == 1 else "states"
    return f"keeps the {noun} {in_a_row(names)} from step to step" if names else ""


def _statistics(layer: LayerReport, explanation: Explanation) -> str:
    """Say `normalizes by the mean and variance over the features of each step`; `normalizes each feature by a stored
    mean and variance, and in training by those over the batch and the steps`."""
    stored = [weight.name for weight in layer.weights if "mean" in weight.name and weight.trainable is False]
    now = [(match[1], match[2]) for line in explanation.statements for match in _MEAN.finditer(line.text)]
    then = [(match[1], match[2]) for line in explanation.training for match in _MEAN.finditer(line)]
    if stored:
        batch = next((item for item in then if _has_batch(item[1])), None)
        if batch is None:
            return "normalizes by a stored mean and variance"
        over, each = _over(*batch, explanation)
        of = f"each {each} " if each else ""
        return f"normalizes {of}by a stored mean and variance, in training by those over {over}"
    kinds = {"mean and variance": r"\(\w+ - \w+\) \*\* 2", "root mean square": r"\w+ \*\* 2"}
    for kind, squares in kinds.items():
        if results := next((item for item in now if re.fullmatch(squares, item[0])), None):
            over, each = _over(*results, explanation)
            return f"normalizes by the {kind} {f'over {over} ' if over else ''}of each {each or 'example'}"
    return ""


def _over(tensor: str, axis: str, explanation: Explanation) -> tuple[str, str]:
    """Return the axes of the layer's input that a mean goes over, in words, and what it is a mean of each of."""
    roles = ["batch", *[item.role for item in explanation.axes if item.after != GONE]]
    numbers = [int(number) for number in re.findall(r"-?\d+", axis)]
    if not re.match(r"\(?x\b", tensor) or any(not -len(roles) <= number < len(roles) for number in numbers):
        return ("the batch", "") if _has_batch(axis) else ("", "group of channels")  # of what was reshaped
    reduced = [roles[number] for number in sorted({number % len(roles) for number in numbers})]
    kept = [role for role in roles[1:] if role not in reduced]
    each = "pixel" if kept == ["rows", "columns"] else kept[0].removesuffix("s") if len(kept) == 1 else ""
    return f"the {in_a_row(reduced)}", each


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
    learned = "learns" if layer.trainable == layer.params else "has"
    noun = "parameter" if layer.params == 1 else "parameters"
    product = explanation.parameters.partition(" = ")[2]
    return f"{learned} {layer.params:,} {noun}" + (f" = {product}" if product else "")


def _returns(layer: LayerReport, explanation: Explanation) -> str:
    shapes = [shape_text(shape) if shape is not None else "?" for shape in layer.output_shapes]
    return f"returns {in_a_row(shapes)}"


def _of_each(explanation: Explanation) -> str:
    """Say whether a sequence stays one."""
    after = [axis.after for axis in explanation.axes if axis.role == "steps"]
    return "" if not after else "one vector per example" if after[0] == GONE else "one vector per step"


def _before_dense(left: LayerReport, right: LayerReport, titles: tuple[str, str]) -> tuple[str, ...]:
    """Say what a Dense layer after each of two layers that learn nothing costs, where that differs."""
    shapes = [layer.output_shapes[0] if layer.output_shapes else None for layer in (left, right)]
    sizes = [shape[-1] for shape in shapes if shape is not None and len(shape) == 2]
    if left.params or right.params or len(sizes) < 2 or sizes[0] == sizes[1] or None in sizes:
        return ()
    (number, other), (ours, theirs) = sizes, titles
    return (
        f"A Dense layer of u units has {number:,} × u + u parameters after {ours}, {other:,} × u + u after {theirs}.",
    )


def _watched(sides: tuple[Explanation, Explanation], titles: tuple[str, str]) -> list[str]:
    """Say what to watch out for in one of the two alone."""
    every = [{*side.watch} for side in sides]
    return [
        f"{title}: {text}"
        for title, side, other in zip(titles, sides, every[::-1], strict=True)
        for text in side.watch
        if text not in other
    ]


_NONE: dict[_Fact, str] = {
    _resizes: "",
    _reads: "reads an unknown part of the input",
    _states: "keeps no state from step to step",
    _statistics: "computes no statistics",
}
"""For each kind of difference, the words for the layer that has nothing of the kind when the other layer has."""


# Model differences --------------------------------------------------------------------------------------------------
# What differs between two models as wholes: the order and number of their inputs and outputs, and what they are
# trained with; and whether two layers compute the same outside of training.


class Difference(NamedTuple):
    """What is another in the second model, in words: an argument, or what follows from it (`is_consequence`).
    `is_training` says that it changes only how the model is trained, not what it computes."""

    what: str
    before: str
    after: str
    is_consequence: bool
    is_training: bool = False


class Alignment(NamedTuple):
    """Which layer of the second model is which of the first, by their paths, and those that are gone or new."""

    pairs: Mapping[str, str]
    gone: Mapping[str, NormalLayer]
    new: Mapping[str, NormalLayer]

    @classmethod
    def from_pairs(cls, a: Sequence[NormalLayer], b: Sequence[NormalLayer], pairs: Mapping[str, str]) -> Alignment:
        """Return the alignment of the layers of two models."""
        paired = set(pairs.values())
        gone = {row.path: row for row in a if row.path not in pairs}
        return cls(pairs, gone, {row.path: row for row in b if row.path not in paired})

    def ends(self, before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """Return two lists of tensors in words where they differ; None where they are the same.

        Each tensor is the path of its layer and how it is written. What a layer that is gone, or new, only passes on is
        not a difference of the one that reads it.
        """
        items = [(_through(path, self.gone), word.removeprefix(path), path) for path, word in before]
        other = [(_through(path, self.new), word.removeprefix(path), path) for path, word in after]
        matched = [(self.pairs.get(path, path), rest if path == own else "") for path, rest, own in items]
        results = [(path, rest if path == own else "") for path, rest, own in other]
        if [path for path, _ in matched] == [path for path, _ in results]:
            rests = zip(matched, results, items, other, strict=True)
            # Which result is meant can be compared where neither side was followed through a layer.
            if all(a[1] == b[1] for a, b, c, d in rests if c[0] == c[2] and d[0] == d[2]):
                return None
        return ", ".join([path + rest for path, rest, _ in items]), ", ".join([path + rest for path, rest, _ in other])


def _through(path: str, passed: Mapping[str, NormalLayer]) -> str:
    seen = set()
    while path in passed and len(passed[path].sources) == 1 and path not in seen:
        seen.add(path)
        path = passed[path].sources[0]
    return path


def of_ends(model: Model, other: Model, aligned: Alignment, prefix: str, prefix_after: str) -> Iterator[Difference]:
    """Yield how the outputs of a model differ, and the order of its inputs; the prefixes lead to its layers."""
    if len(model.inputs) > 1 or len(other.inputs) > 1:
        sources = aligned.ends(_words(model.inputs, prefix), _words(other.inputs, prefix_after))
        if sources is not None:
            yield Difference("inputs of the model", *sources, False)
    results = aligned.ends(_words(model.outputs, prefix), _words(other.outputs, prefix_after))
    if results is not None:
        yield Difference("outputs of the model", *results, False)
    for what, form, form_after in (
        ("structure of the inputs", model.input_form, other.input_form),
        ("structure of the outputs", model.output_form, other.output_form),
    ):
        # Files of early Keras 3 store one tensor as a list of one, which later files keep for lists.
        forms = [None if value == [0] else value for value in (form, form_after)]
        if forms[0] != forms[1]:
            words = ["as usual" if value is None else json.dumps(value) for value in forms]
            yield Difference(what, words[0], words[1], False)


def _words(refs: Sequence[TensorRef], prefix: str) -> list[tuple[str, str]]:
    """Return the paths of tensors and how these are written: the layer, the call of several, the result of several."""
    return [
        (
            prefix + ref.layer,
            prefix
            + ref.layer
            + (f" (call {ref.call + 1})" if ref.call else "")
            + (f"[{ref.output}]" * bool(ref.output)),
        )
        for ref in refs
    ]


def of_models(before: Model, after: Model, aligned: Alignment) -> Iterator[Difference]:
    """Yield how two whole models differ. What one of the sources does not say of training is no difference."""
    yield from of_ends(before, after, aligned, "", "")
    if before.trainable != after.trainable:
        yield Difference("trainable", str(before.trainable), str(after.trainable), False, True)
    setting, other = todays_training(before, every=True), todays_training(after, every=True)
    if setting is None or other is None:
        return
    stated = {"optimizer": setting.optimizer and other.optimizer, "losses": setting.losses and other.losses}
    first, second = (
        Normal("", dict(_parts(setting, stated, aligned.pairs))),
        Normal("", dict(_parts(other, stated, {}))),
    )
    for result in differing(first, second):
        yield Difference(result.name, repr(result.before), repr(result.after), False, True)


def _parts(training: TodaysTraining, stated: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield what a model is trained with, by words; `stated` says what both models state, and `names` are those that
    layers have in the other model."""
    if stated["optimizer"]:
        yield "optimizer", normal_part("optimizers", training.optimizer)
    if not stated["losses"]:
        return
    for output, loss in training.losses.items():
        yield f"loss of {names.get(output, output)}" if output else "loss", normal_part("losses", loss)
    for output, weight in training.loss_weights.items():
        yield f"loss weight of {names.get(output, output)}" if output else "loss weight", weight
    for output, listed in training.metrics.items():
        metrics = tuple([normal_part("metrics", metric) for metric in listed])
        what = f"metrics of {names.get(output, output)}" if output else "metrics"
        yield what, metrics[0] if len(metrics) == 1 else metrics


def computes_the_same(layer: NormalLayer, other: NormalLayer) -> bool:
    """Return whether two layers have the same formula outside of training, at the shapes of their first calls."""
    programs = []
    for row in (layer, other):
        shapes = row.row.input_shapes if row.row is not None else ()
        if not shapes or row.kind != "layer" or row.layer.model is not None or any(shape is None for shape in shapes):
            return False
        try:
            specs = [Spec(tuple(shape or ()), "float32") for shape in shapes]
            definition = trace_layer(row.layer, specs)
        except LayerExplainError:
            return False
        programs.append(
            (text.program(definition), [(leaf.shape, leaf.dtype) for leaf in (*definition.leaves, *definition.weights)])
        )
    # Of a constant the text has the shape alone.
    return programs[0] == programs[1] and "constant(" not in programs[0][0]
