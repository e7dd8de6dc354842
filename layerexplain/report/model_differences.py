"""What differs between two models as wholes: the order and number of their inputs and outputs, and what they are
trained with; and whether two layers compute the same outside of training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.lang import text
from layerexplain.layers.declaration import Spec
from layerexplain.model import Model, TensorRef
from layerexplain.network.trace import trace_layer
from layerexplain.records import NamedTuple
from layerexplain.report.normal_form import NormalLayer, normal_part
from layerexplain.report.normal_values import Normal, differing
from layerexplain.report.todays_training import TodaysTraining, todays_training


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
        one = [(_through(path, self.gone), word.removeprefix(path), path) for path, word in before]
        other = [(_through(path, self.new), word.removeprefix(path), path) for path, word in after]
        matched = [(self.pairs.get(path, path), rest if path == own else "") for path, rest, own in one]
        found = [(path, rest if path == own else "") for path, rest, own in other]
        if [path for path, _ in matched] == [path for path, _ in found]:
            rests = zip(matched, found, one, other, strict=True)
            # Which result is meant can be compared where neither side was followed through a layer.
            if all(a[1] == b[1] for a, b, c, d in rests if c[0] == c[2] and d[0] == d[2]):
                return None
        return ", ".join([path + rest for path, rest, _ in one]), ", ".join([path + rest for path, rest, _ in other])


def _through(path: str, passed: Mapping[str, NormalLayer]) -> str:
    seen = set()
    while path in passed and len(passed[path].sources) == 1 and path not in seen:
        seen.add(path)
        path = passed[path].sources[0]
    return path


def of_ends(one: Model, other: Model, aligned: Alignment, prefix: str, prefix_after: str) -> Iterator[Difference]:
    """Yield how the outputs of a model differ, and the order of its inputs; the prefixes lead to its layers."""
    if len(one.inputs) > 1 or len(other.inputs) > 1:
        sources = aligned.ends(_words(one.inputs, prefix), _words(other.inputs, prefix_after))
        if sources is not None:
            yield Difference("inputs of the model", *sources, False)
    results = aligned.ends(_words(one.outputs, prefix), _words(other.outputs, prefix_after))
    if results is not None:
        yield Difference("outputs of the model", *results, False)
    for what, form, form_after in (
        ("structure of the inputs", one.input_form, other.input_form),
        ("structure of the outputs", one.output_form, other.output_form),
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
    one, other = todays_training(before, every=True), todays_training(after, every=True)
    if one is None or other is None:
        return
    stated = {"optimizer": one.optimizer and other.optimizer, "losses": one.losses and other.losses}
    first, second = Normal("", dict(_parts(one, stated, aligned.pairs))), Normal("", dict(_parts(other, stated, {})))
    for found in differing(first, second):
        yield Difference(found.name, repr(found.before), repr(found.after), False, True)


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


def computes_the_same(one: NormalLayer, other: NormalLayer) -> bool:
    """Return whether two layers have the same formula outside of training, at the shapes of their first calls."""
    programs = []
    for row in (one, other):
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
