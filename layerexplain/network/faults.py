"""Which faults the layers of a model have, also behind the first of them, and what would mend each.

Behind a fault the shapes are not known, but faults that do not follow from it are found all the same. A guess is a
shape with the number of axes, and those sizes, that a layer gives whatever the sizes of its input. It is used to look
for faults alone and never shown. A layer behind a fault is wrong for itself where it refuses its input with every size
that the open ones may have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from math import isqrt
from typing import Any

from layerexplain.call_binding import NOTHING_BOUND, BoundCall
from layerexplain.errors import Edit, LayerExplainError
from layerexplain.lang.axes import BATCH, Shape, Size
from layerexplain.lang.definition import Definition
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.keras.fit_data import line_to_give
from layerexplain.layers.registry import find
from layerexplain.model import CallKey, Layer, TensorRef, values_inside
from layerexplain.network.definitions import Define
from layerexplain.network.scope import Scope, Specs
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import default_roles, product, shape_text
from layerexplain.ops.spatial import seems_channels_first
from layerexplain.ops.window import first_windows
from layerexplain.records import NamedTuple

# Faults -------------------------------------------------------------------------------------------------------------

_TRIED = (None, 64, 96)
"""Sizes for those that are open: unknown, and two that most windows fit into and most groups and heads divide."""

_MOST_TRIED = 10**12
_MOST_VALUES = 10_000
"""Of a layer with more values in its arguments nothing is guessed: each guess goes through them again."""

_MAKES_AXES = frozenset(
    {"axes", "cell", "cells", "dims", "equation", "keepdims", "layer", "layers", "output_mode", "output_shape"}
    | {"return_attention_scores", "return_sequences", "return_state", "target_shape"}
)
"""Arguments that say how many axes, or how many results, a layer gives."""


class Guesses:
    """What is guessed of the tensors of a model, to look for faults behind a fault."""

    def __init__(self, scope: Scope, define: Define) -> None:
        self._define = define
        self._specs = scope.guesses

    def look(self, layer: Layer, call: int, declaration: Declaration, bound: BoundCall, known: Specs) -> None:
        """Guess the result of a call with inputs that are not all `known`. Raises the error with which it refuses them,
        whatever their sizes; where nothing is guessed of an input, nothing is looked at."""
        specs: list[Spec | None] = []
        opened: list[bool] = []
        for ref, spec in zip(bound.tensors, known, strict=True):
            guess = None if ref is None or spec is not None else self._specs.get(ref)
            if ref is not None and spec is None and guess is None:
                return
            specs.append(guess or spec)
            opened.append(guess is not None)
        definitions, errors = self._try(layer, declaration, bound, specs, opened)
        if not definitions:
            raise errors.pop(0)
        self._keep(layer, call, definitions, sizes=True)

    def are_refused(self, layer: Layer, declaration: Declaration, bound: BoundCall, specs: Specs) -> bool:
        """Return whether a call refuses inputs whatever those sizes are that are not known."""
        if bound.masks or any(ref is not None and spec is None for ref, spec in zip(bound.tensors, specs, strict=True)):
            return False
        sizes = {size for spec in specs if spec is not None for size in spec.shape if isinstance(size, int)}
        return not self._try(layer, declaration, bound, specs, [True] * len(specs), sizes)[0]

    def after(
        self, layer: Layer, call: int, declaration: Declaration, sources: Sequence[TensorRef], known: Specs
    ) -> None:
        """Guess what a call gives that is at fault: what it would give for an input, or with arguments, that fit."""
        if len([*islice(values_inside(layer), _MOST_VALUES)]) == _MOST_VALUES:
            return
        guessed = [_open(spec or self._specs.get(ref)) for ref, spec in zip(sources, known, strict=True)]
        inputs = [guessed] if any(spec is not None for spec in guessed) else []
        if declaration.ndim is not None:
            inputs.append([Spec((BATCH, *(None,) * (declaration.ndim - 1)), "float"), *guessed[1:]])
        elif guessed and guessed[0] is not None:  # a sequence in place of one step of it
            inputs.append([Spec((*guessed[0].shape, None), guessed[0].dtype), *guessed[1:]])
        for number, other in enumerate(_mended(layer, declaration)):
            for specs in inputs:
                definitions, _ = self._try(other, declaration, NOTHING_BOUND, specs, [True] * len(specs))
                if definitions:
                    return self._keep(layer, call, definitions, sizes=number == 0)

    def hand_in(self, inner: Scope, guessed: Specs) -> None:
        """Guess the inputs of a nested model, of whose inputs some are not known."""
        pairs = zip(inner.model.inputs, guessed, strict=False)
        inner.guesses.update({ref: spec for ref, spec in pairs if spec is not None})

    def hand_out(self, layer: Layer, call: int, inner: Scope) -> None:
        """Take over what is guessed of the outputs of a nested model, which was traced."""
        for i, ref in enumerate(inner.model.outputs):
            if ref in inner.guesses:
                self._specs[TensorRef(layer.name, call, i)] = inner.guesses[ref]

    def _try(
        self,
        layer: Layer,
        declaration: Declaration,
        bound: BoundCall,
        specs: Specs,
        opened: Sequence[bool],
        sizes: Collection[int] = (),
    ) -> tuple[list[Definition], list[LayerExplainError]]:
        """Return the definitions of a call, and its errors, for each size to try in the specs that are `opened`."""
        definitions: list[Definition] = []
        errors: list[LayerExplainError] = []
        for size in [*_tried(layer), *sizes]:
            filled = [
                Spec(tuple([size if s is None else s for s in spec.shape]), spec.dtype) if spec and is_open else spec
                for spec, is_open in zip(specs, opened, strict=True)
            ]
            try:
                definitions.append(self._define(declaration, layer, bound, filled, ()))
            except LayerExplainError as error:
                errors.append(error.as_data())
        return definitions, errors

    def _keep(self, layer: Layer, call: int, definitions: list[Definition], *, sizes: bool) -> None:
        """Keep what all of `found` have in common: with `sizes` also the sizes, else the number of axes."""
        for i, results in enumerate(zip(*[definition.results.values() for definition in definitions], strict=False)):
            shapes = [result.shape for result in results]
            if len({len(shape) for shape in shapes}) == 1 and shapes[0]:
                rest = [column[0] if sizes and len({*column}) == 1 else None for column in zip(*shapes, strict=True)]
                self._specs[TensorRef(layer.name, call, i)] = Spec((BATCH, *rest[1:]), results[0].dtype)


def _tried(layer: Layer) -> list[int | None]:
    """Return the sizes to try for those that are open: the usual ones, and a multiple of all numbers in the layer's
    arguments, which groups of any number divide and windows of any size fit into."""
    size = 96
    for value in values_inside(layer):
        if type(value) is int and value and size <= _MOST_TRIED:
            size = math.lcm(size, value)
    return [*_TRIED, size] if size <= _MOST_TRIED else [*_TRIED]


def _open(spec: Spec | None) -> Spec | None:
    """Return a spec with none of its sizes."""
    return None if spec is None else Spec((BATCH, *(None,) * (len(spec.shape) - 1)), spec.dtype)


def _mended(layer: Layer, declaration: Declaration) -> Iterator[Layer]:
    """Yield the layer as it is, then without the arguments that are at fault, then with examples of those alone that it
    must have, and what says how many axes it gives."""
    yield layer
    config = dict(layer.config)
    faulty = {key for key, _ in declaration.faults(config)}
    required = {name for name, value in declaration.arguments.items() if value.default is Argument.REQUIRED}
    missing = required - (config.keys() - faulty)
    misspelt = any(key is not None and key not in declaration.arguments for key in faulty)
    if _MAKES_AXES & (faulty | missing) or (misspelt and _MAKES_AXES & declaration.arguments.keys()):
        return
    written = {name: declaration.arguments[name].check.example.replace("'", '"') for name in required - _MAKES_AXES}
    examples = {name: json.loads(text) for name, text in written.items()}
    sound = {key: value for key, value in config.items() if key not in faulty}
    yield layer._replace(config={**examples, **sound})
    yield layer._replace(config={**examples, **{key: value for key, value in sound.items() if key in _MAKES_AXES}})


# Cures --------------------------------------------------------------------------------------------------------------
# What would mend a layer that refuses the shapes of its tensors. Each proposal is tried before it is made.

Try = Callable[[Layer, Declaration, Sequence[Spec]], Definition | None]
"""Gives the definition of a layer at other specs, or with other arguments; None where it refuses them too."""

Calls = Mapping[CallKey, TracedCall]

_SPATIAL = ("steps", "planes", "rows", "columns")

_MOST_NAMED = 3
"""How many proposals are made."""


class Refusal(NamedTuple):
    """A layer, declared by `declaration`, that refuses its tensors `refs` of these `specs`. `layers` are those of the
    model, `calls` the calls before it. `attempt` traces a layer at other specs."""

    layer: Layer
    declaration: Declaration
    refs: Sequence[TensorRef]
    specs: Sequence[Spec]
    layers: Mapping[str, Layer]
    calls: Calls
    attempt: Try

    def fits(self, specs: Sequence[Spec], **arguments: Any) -> bool:
        """Return whether the layer takes tensors of other specs, or takes these with other arguments."""
        layer = self.layer._replace(config={**self.layer.config, **arguments}) if arguments else self.layer
        return self.attempt(layer, self.declaration, specs) is not None


class Cure(NamedTuple):
    """What would mend a layer, in words, and as the change of a program where it is a plain one."""

    words: str
    edit: Edit | None = None


Cures = Iterator[Cure]


def cures(refusal: Refusal) -> list[Cure]:
    """Return what would mend a layer that refuses its tensors, the likeliest first; none where nothing is known."""
    refs, specs = refusal.refs, refusal.specs
    if (len(specs) == 1 and refusal.declaration.alone) or not all(spec.shape for spec in specs):
        return []
    if len(specs) == 1 and refs[0].layer not in refusal.layers:  # an argument of a `call`, which no layer makes
        return []
    of_so_many = {1: _of_one, 2: _of_two}.get(len(specs), _other_axis)
    return list(of_so_many(refusal))[:_MOST_NAMED]


def _put_after(call: str, layer: str, words: str) -> Cure:
    """Return the cure that a layer comes after another one."""
    name = call.partition("(")[0]
    return Cure(f"{call} after '{layer}' {words}", Edit(f"put {name} after '{layer}'", "", call, layer))


def images_with_channels_first(ref: TensorRef, calls: Calls) -> str:
    """Return words that the images or sequences in a tensor have their channels first, where they look so; else ""."""
    for call in calls_before(ref, calls):
        spec = call.outputs[0] if call.outputs and not call.sources else None
        if spec is not None and seems_channels_first(spec.shape):
            channels, *sides = spec.shape[1:]
            right = shape_text((*sides, channels))
            looks = (
                "images with their channels" if len(sides) > 1 else f"sequences of {sides[0]} steps with their channel"
            )
            return (
                f"the input {shape_text(spec.shape)} looks like {looks} first: give it as {right}, "
                f"or give each layer data_format='channels_first'"
            )
    return ""


# One tensor with the wrong number of axes -----------------------------------------------------------------------


def _of_one(refusal: Refusal) -> Cures:
    layer, declaration, (ref,), (spec,) = refusal[:4]
    before, source = refusal.layers[ref.layer], refusal.calls.get(ref.key)
    returned = None if source is None else _all_steps(before, source, refusal.attempt)
    if returned is not None and refusal.fits([returned]):
        edit = Edit(f"give '{before.name}' return_sequences=True", "return_sequences", "True", before.name)
        yield Cure(f"give '{before.name}' return_sequences=True, so that it returns every step", edit)
        return
    sizes = spec.shape[1:]

    def fits(*shape: Size) -> bool:
        return refusal.fits([spec._replace(shape=(spec.shape[0], *shape), roles=None)])

    sibling = _of_rank(declaration.type, len(sizes) - 1)
    other = None if sibling is None else find(sibling)
    takes_it = other is not None and refusal.attempt(layer._replace(type=other.type), other, [spec]) is not None
    if layer.type == "TimeDistributed" and sizes[-1:] in ((1,), (3,), (4,)) and fits(1, *sizes):
        steps = f"(steps, {', '.join(map(str, sizes))})"
        yield Cure(f"it lacks the axis of the steps: an input of {steps}; `X = X[:, None]` makes each image one step")
        return
    target = layer.config.get("target_shape")
    for shape in _with_one_open(target) if isinstance(target, list | tuple) else ():
        if refusal.fits([spec], target_shape=shape):
            text = shape_text(shape)
            yield Cure(f"target_shape {text} fits", Edit(f"write target_shape={text}", "target_shape", text))
            return
    reshaped = [] if takes_it and len(sizes) > 2 else [shape for shape in _reshaped(sizes) if fits(*shape)]
    if reshaped:
        shape_given = shape_text(reshaped[0])
        edit = Edit(f"put Reshape({shape_given}) in between", "", f"Reshape({shape_given})", before.name)
        yield Cure(f"Reshape to {shape_given} fits", edit)
        line = line_to_give((None, *reshaped[0]), spec.shape)
        if line and len(reshaped[0]) > len(sizes) and source is not None and not source.sources:
            yield Cure(f"an input of this shape, with `X = {line}`")
    if len(sizes) == 1 and declaration.takes_states and fits(None, *sizes):
        yield Cure("RepeatVector(n) repeats it as n equal steps")
    if takes_it:
        yield Cure(f"{sibling} accepts this shape")
    if len(sizes) > 2 and fits(*sizes[1:]):
        yield Cure(
            f"TimeDistributed applies the layer to each {'step' if sizes[0] is None else f'of the {sizes[0]} steps'}"
        )
        if source is not None and not source.sources and isinstance(sizes[0], int):
            yield Cure(f"if {sizes[0]} is the batch, leave it out of the input's shape")


def _with_one_open(target: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield a target shape with each of its sizes left to follow from the others, the first ones first."""
    for i in range(len(target)):
        yield (*target[:i], -1, *target[i + 1 :])


def _all_steps(before: Layer, source: TracedCall, attempt: Try) -> Spec | None:
    """Return what a recurrent layer gives with return_sequences=True, None for any other layer."""
    declaration, origin = source.declaration, source.origin
    if declaration is None or origin is None or source.definition is None or not declaration.takes_states:
        return None
    if source.definition.arguments.get("return_sequences") is not False:
        return None
    layer = before._replace(config={**before.config, "return_sequences": True})
    definition = attempt(layer, declaration, [spec for spec in origin.specs if spec is not None])
    if definition is None:
        return None
    result = next(iter(definition.results.values()))
    return Spec(result.shape, result.dtype)


def _reshaped(sizes: Shape) -> Iterator[Shape]:
    """Yield shapes of as many elements: an axis of 1 added, the last axes merged, the rows of a square image."""
    if sum(not isinstance(size, int) for size in sizes) > 1:
        return
    known = tuple([size if isinstance(size, int) else -1 for size in sizes])
    yield (*known, 1)
    rest = product(sizes[1:])
    if len(sizes) > 2 and isinstance(rest, int):
        yield (known[0], rest)
    total = product(sizes)
    if len(sizes) == 1 and isinstance(total, int) and total > 0:
        for channels in (1, 3):
            side = isqrt(total // channels)
            if side > 1 and side * side * channels == total:
                yield (side, side, channels)


def _of_rank(type_: str, rank: int) -> str | None:
    """Return the type for another number of spatial axes: Conv2D → Conv1D."""
    stem, digit, end = next(((type_[:i], c, type_[i + 1 :]) for i, c in enumerate(type_) if c.isdigit()), ("", "", ""))
    return f"{stem}{rank}{end}" if end[:1] == "D" and digit != str(rank) else None


# Two tensors that do not fit each other -------------------------------------------------------------------------


def _of_two(refusal: Refusal) -> Cures:
    a, b = refusal.specs
    if len(a.shape) != len(b.shape):
        yield from _of_two_ranks(refusal)
        return
    result = _loser(refusal)
    axes = list(_other_axis(refusal))
    positions = list(_lost_positions(refusal, result))
    proposed = [*positions, *axes] if result else [*axes, *positions]
    yield from proposed or _projected(refusal)


def _other_axis(refusal: Refusal) -> Cures:
    """Yield the axis along which the tensors would fit, for a layer that takes one."""
    if "axis" not in refusal.declaration.default_values:
        return
    for axis in range(1, min(len(spec.shape) for spec in refusal.specs)):
        if refusal.fits(refusal.specs, axis=axis):
            yield Cure(f"axis={axis} fits", Edit(f"write axis={axis}", "axis", str(axis)))


def _of_two_ranks(refusal: Refusal) -> Cures:
    refs, specs = refusal.refs, refusal.specs
    low, high = sorted(range(2), key=lambda i: len(specs[i].shape))
    tall, flat = specs[high].shape, specs[low].shape
    if len(flat) != 2:
        return

    def fits(number: int, shape: Shape) -> bool:
        return refusal.fits(
            [spec._replace(shape=shape, roles=None) if i == number else spec for i, spec in enumerate(specs)]
        )

    steps = tall[1]
    if len(tall) == 3 and isinstance(steps, int) and fits(low, (flat[0], steps, flat[1])):
        yield _put_after(f"RepeatVector({steps})", refs[low].layer, f"repeats it as {steps} equal steps")
    total = product(tall[1:])
    if isinstance(total, int) and fits(high, (tall[0], total)):
        yield _put_after("Flatten", refs[high].layer, f"flattens it to (None, {total})")
    if fits(high, (tall[0], tall[-1])):
        kind = f"GlobalAveragePooling{len(tall) - 2}D"
        yield _put_after(kind, refs[high].layer, f"averages it to (None, {tall[-1]})")
    if flat[1] != tall[-1] and fits(low, (flat[0], tall[-1])):
        words = f"gives it one value for each channel of '{refs[high].layer}'"
        yield _put_after(f"Dense({tall[-1]})", refs[low].layer, words)


def _lost_positions(refusal: Refusal, result: str) -> Cures:
    """Yield how two tensors that differ by a few positions become equal; `found` says where these were lost."""
    refs, specs = refusal.refs, refusal.specs
    a, b = (spec.shape for spec in specs)
    roles = specs[0].roles or default_roles(len(a))
    axes = [i for i, role in enumerate(roles) if role in _SPATIAL]
    sizes = [(m, n) for i in axes if isinstance(m := a[i], int) and isinstance(n := b[i], int)]
    if len(sizes) < len(axes) or all(m == n for m, n in sizes) or any(2 * min(pair) <= max(pair) for pair in sizes):
        return
    less, more = (0, 1) if all(m <= n for m, n in sizes) else (1, 0)
    larger = specs[more].shape
    fitting = [
        spec._replace(shape=tuple([larger[i] if i in axes else size for i, size in enumerate(spec.shape)]))
        for spec in specs
    ]
    if any(m[less] > m[more] for m in sizes) or not refusal.fits(fitting):
        return
    each = ", ".join(f"(0, {abs(m - n)})" for m, n in sizes)
    amounts, rank = (each if len(axes) == 1 else f"({each})"), f"{len(axes)}D"
    padded = _put_after(f"ZeroPadding{rank}({amounts})", refs[less].layer, "makes them equal")
    yield padded._replace(words=f"{result and result + ': '}{padded.words}")
    cropped = f"Cropping{rank}({amounts})"
    yield Cure(
        f"{cropped} after '{refs[more].layer}'",
        Edit(f"put Cropping{rank} after '{refs[more].layer}'", "", cropped, refs[more].layer),
    )
    multiple = _multiple(refs, refusal.calls)
    if multiple > 1:
        yield Cure(f"make the input's {' and '.join(roles[i] for i in axes)} multiples of {multiple}")


def _loser(refusal: Refusal) -> str:
    """Say which layers before the smaller tensor alone left out the last positions, the first one first; "" where none
    did."""
    refs, specs, calls = refusal.refs, refusal.specs, refusal.calls
    first, second = (product(spec.shape[1:-1]) or 0 for spec in specs)
    less, more = refs if first < second else reversed(refs)
    shared = {call.name for call in calls_before(more, calls)}
    words: list[str] = []
    for call in calls_before(less, calls):
        if call.name in shared:
            continue
        slides = first_windows(call.definition)
        said = [w.last(w.unread) for w in slides if w.unread]
        if said:
            sizes = " × ".join(str(w.n) for w in slides)
            words.append(f"'{call.name}' drops {' and '.join(said)} of {sizes}")
    return ", ".join(words[: -_MOST_NAMED - 1 : -1])


def calls_before(ref: TensorRef, calls: Calls) -> Iterator[TracedCall]:
    """Yield the calls on which a tensor depends, the nearest first."""
    ahead, seen = [ref], {ref.key}
    for here in ahead:  # grows as it is read
        call = calls.get(here.key)
        if call is None:
            continue
        yield call
        for source in call.sources:
            if source.key not in seen:
                seen.add(source.key)
                ahead.append(source)


def _multiple(refs: Sequence[TensorRef], calls: Calls) -> int:
    """Return the number that must divide the input's sizes so that each layer divides them exactly; 0 where a layer
    changes sizes in another way."""
    strides: dict[CallKey, int] = {}
    before = {c.call.key: c for ref in refs for c in calls_before(ref, calls)}
    for key, call in reversed(before.items()):
        stride = max([strides.get(s.key, 1) for s in call.sources], default=1)
        slides = first_windows(call.definition)
        if any(w.padding == "valid" and (w.reach > w.stride or w.stride == 1 < w.reach) for w in slides):
            return 0
        strides[key] = stride * max([w.stride for w in slides], default=1)
    return max(strides.values(), default=1)


def _projected(refusal: Refusal) -> Cures:
    """Yield how a layer of weights gives one tensor the shape of the other, as the shortcut of a residual block
    does."""
    refs, specs = refusal.refs, refusal.specs
    for i, j in ((0, 1), (1, 0)):
        shape, wanted = specs[i].shape, specs[j].shape
        if not refusal.fits([specs[j]._replace(roles=None)] * 2):
            return
        sizes = list(zip(shape[1:-1], wanted[1:-1], strict=True))
        strides = {n // m for n, m in sizes if isinstance(n, int) and isinstance(m, int) and m and n % m == 0}
        after = f"after '{refs[i].layer}' gives it the shape of '{refs[j].layer}'"
        if all(n == m for n, m in sizes):
            yield Cure(f"Dense({wanted[-1]}) {after}")
            return
        if len(strides) == 1 and len(shape) <= 5 and all(isinstance(n, int) for n, _ in sizes):
            yield Cure(f"Conv{len(shape) - 2}D({wanted[-1]}, 1, strides={strides.pop()}, padding='same') {after}")
            return
