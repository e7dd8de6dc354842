"""What would mend a layer that refuses the shapes of its tensors; trials.py tries each proposal on the whole model.

Loaded only when a layer refuses its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from math import isqrt
from typing import Any

from layerexplain.errors import Edit
from layerexplain.lang.axes import Shape, Size
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.keras.fit_data import line_to_give
from layerexplain.layers.registry import find
from layerexplain.model import CallKey, Layer, TensorRef
from layerexplain.network.traced import TracedCall
from layerexplain.network.trials import Cure
from layerexplain.ops.sizes import default_roles, product, shape_text
from layerexplain.ops.spatial import seems_channels_first
from layerexplain.ops.window import first_windows
from layerexplain.records import NamedTuple

Calls = Mapping[CallKey, TracedCall]

_SPATIAL = ("steps", "planes", "rows", "columns")

_MOST_NAMED = 3
"""How many proposals are made."""


class Refusal(NamedTuple):
    """A layer, declared by `declaration`, that refuses its tensors `refs` of these `specs`. `layers` are those of the
    model, `calls` the calls before it."""

    layer: Layer
    declaration: Declaration
    refs: Sequence[TensorRef]
    specs: Sequence[Spec]
    layers: Mapping[str, Layer]
    calls: Calls

    def before(self) -> list[TracedCall]:
        """Return the calls that it depends on, the nearest first."""
        return [*{call.call.key: call for ref in self.refs for call in calls_before(ref, self.calls)}.values()]

    def inputs(self) -> list[tuple[str, Shape]]:
        """Return the inputs that it depends on, with their shapes without the batch."""
        return [(call.name, spec.shape[1:]) for call in self.before()
                if not call.sources and call.outputs and (spec := call.outputs[0])]  # fmt: skip

    def given(self, name: str, shape: Sequence[Size], words: str, group: str = "") -> Cure:
        """Return the cure that an input has another shape."""
        return Cure(words, layers=[with_arguments(self.layers[name], batch_shape=(None, *shape))], group=group)


Cures = Iterator[Cure]


def cures(refusal: Refusal, tried: Callable[[Cure], Cure | None], *, window: bool = False) -> list[Cure]:
    """Return what would mend a layer that refuses its tensors, the likeliest first; none where nothing is known.
    `tried` returns a cure that mends the whole model; `window` says that a window does not fit."""
    refs, specs = refusal.refs, refusal.specs
    if (len(specs) == 1 and refusal.declaration.alone) or not all(spec.shape for spec in specs):
        return []
    if len(specs) == 1 and refs[0].layer not in refusal.layers:  # an argument of a `call`, which no layer makes
        return []
    kind = _of_window if window else {1: _of_one, 2: _of_two}.get(len(specs), _of_several)
    is_open = not window and any(size is None for spec in specs for size in spec.shape)
    alone: list[Cure] = []
    with_more: list[Cure] = []  # what has to change behind it as well
    for cure in chain(_of_open_sizes(refusal) if is_open else (), kind(refusal)):
        result = tried(cure) if not cure.group or cure.group not in [other.group for other in alone] else None
        if result is not None:
            (alone if result.words == cure.words else with_more).append(result)
            if len(alone) == _MOST_NAMED or (result.is_enough and result in alone):
                break
    return alone or with_more[:1]


# Changes of a model -------------------------------------------------------------------------------------------------


def with_arguments(layer: Layer, **arguments: Any) -> Layer:
    """Return a layer with other arguments; those that a wrapper does not have go to the layer in it."""
    inner, declaration = layer.config.get("layer"), find(layer.type)
    theirs: dict[str, Any] = {}
    if isinstance(inner, Layer) and declaration is not None:
        theirs = {key: value for key, value in arguments.items() if key not in declaration.arguments}
        arguments = {**arguments, "layer": with_arguments(inner, **theirs)} if theirs else arguments
    own = {key: value for key, value in arguments.items() if key not in theirs}
    return layer._replace(config={**layer.config, **own})


def _written(value: Any) -> str:
    """Return a value as Python has it, also of sizes with names.

    >>> _written(((0, 1), "same"))
    "((0, 1), 'same')"
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
    return repr(value) if isinstance(value, str) else str(value)


def _argument(layer: Layer, name: str, value: Any, words: str = "") -> Cure:
    """Return the cure that a layer gets an argument."""
    edit = Edit(f"give '{layer.name}' {name}={_written(value)}", name, _written(value), layer.name)
    return Cure(words or edit.words, edit, [with_arguments(layer, **{name: value})])


def _new(type_: str, *values: Any, **named: Any) -> Layer:
    """Return a layer of Keras with arguments in the order of its call, and by name.

    >>> _new("Conv2D", 8, 1, padding="same").config
    {'filters': 8, 'kernel_size': 1, 'padding': 'same'}
    """
    declaration = find(type_)
    names = declaration.arguments if declaration is not None else ()
    return Layer(snake_case(type_), type_, "layer", {**dict(zip(names, values, strict=False)), **named})


def _put_after(ref: TensorRef, words: str, type_: str, *values: Any, **named: Any) -> Cure:
    """Return the cure that a layer comes after another one."""
    given = [*map(_written, values), *[f"{name}={_written(value)}" for name, value in named.items()]]
    call = f"{type_}({', '.join(given)})" if given else type_
    edit = Edit(f"put {type_} after '{ref.layer}'", "", call, ref.layer)
    return Cure(f"{call} after '{ref.layer}' {words}".rstrip(), edit, between=(ref, _new(type_, *values, **named)))


# One tensor with the wrong number of axes ---------------------------------------------------------------------------

_MOST_BEFORE = 12
"""How many layers before one at fault are changed, the nearest ones."""


def _of_one(refusal: Refusal) -> Cures:
    layer, declaration, (ref,), (spec,) = refusal[:4]
    source = refusal.calls.get(ref.key)
    sizes = spec.shape[1:]
    is_input = source is not None and not source.sources

    target = layer.config.get("target_shape")
    target = target if isinstance(target, list | tuple) else ()
    for i in range(len(target) if len(target) <= _MOST_BEFORE else 0):
        shape = (*target[:i], -1, *target[i + 1 :])  # one size follows from the others, the first ones first
        edit = Edit(f"write target_shape={shape_text(shape)}", "target_shape", shape_text(shape))
        cure = _argument(layer, "target_shape", shape, f"target_shape {shape_text(shape)} fits")
        yield cure._replace(edit=edit, is_enough=True)
    if layer.type == "TimeDistributed" and is_input and sizes[-1:] in ((1,), (3,), (4,)):
        steps = f"(steps, {', '.join(map(str, sizes))})"
        words = f"it lacks the axis of the steps: an input of {steps}; `X = X[:, None]` makes each image one step"
        yield refusal.given(ref.layer, (1, *sizes), words)._replace(is_enough=True)
    yield from _of_axes_before(refusal)
    sibling = _of_rank(declaration.type, len(sizes) - 1)
    other = None if sibling is None else find(sibling)
    takes_it = other is not None and other.ndim == len(spec.shape)
    for shape in _reshaped(sizes) if not takes_it or len(sizes) < 3 else ():
        edit = Edit(f"put Reshape({_written(shape)}) in between", "", f"Reshape({_written(shape)})", ref.layer)
        cure = _put_after(ref, "", "Reshape", shape)._replace(words=f"Reshape to {_written(shape)} fits", edit=edit)
        yield cure._replace(group="reshape")
        line = line_to_give((None, *shape), spec.shape)
        if line and len(shape) > len(sizes) and is_input:
            yield refusal.given(ref.layer, shape, f"an input of this shape, with `X = {line}`", "given")
    if len(sizes) == 1 and declaration.takes_states:
        yield Cure("RepeatVector(n) repeats it as n equal steps", between=(ref, _new("RepeatVector", 7)))
    if takes_it and other is not None:
        yield Cure(f"{sibling} accepts this shape", layers=[layer._replace(type=other.type)])
    if len(sizes) > 2:
        words = (
            f"TimeDistributed applies the layer to each {'step' if sizes[0] is None else f'of the {sizes[0]} steps'}"
        )
        yield Cure(words, layers=[Layer(layer.name, "TimeDistributed", "layer", {"layer": layer})])
        if is_input and isinstance(sizes[0], int):
            yield refusal.given(ref.layer, sizes[1:], f"if {sizes[0]} is the batch, leave it out of the input's shape")


def _of_axes_before(refusal: Refusal) -> Cures:
    """Yield what gives layers before one at fault another number of axes: all steps or the last one, or nothing that
    merges axes."""
    for call in refusal.before()[:_MOST_BEFORE]:
        layer, spec = refusal.layers[call.name], call.inputs[0] if call.inputs else None
        returned = _value(layer, "return_sequences")
        if isinstance(returned, bool):
            words = f"give '{layer.name}' return_sequences={not returned}"
            words += "" if returned else ", so that it returns every step"
            yield _argument(layer, "return_sequences", not returned, words)._replace(is_enough=True)
        if spec is None or not layer.type.startswith(("Flatten", "RepeatVector", "Global")) or layer.kind != "layer":
            continue
        nothing = _new("Activation", "linear")._replace(name=layer.name)
        yield Cure(f"leave '{layer.name}' out", layers=[nothing], is_enough=True)
        sizes = spec.shape[1:]
        if layer.type == "Flatten" and len(sizes) > 2 and all(isinstance(size, int) for size in sizes):
            target = (sizes[0], product(sizes[1:]))
            steps = "rows" if len(sizes) == 3 else "steps"
            new = _new("Reshape", target)._replace(name=layer.name)
            words = f"Reshape({_written(target)}) in place of '{layer.name}' keeps the {sizes[0]} {steps}"
            yield Cure(words, layers=[new], is_enough=True)


def _value(layer: Layer, argument: str) -> Any:
    """Return the value of an argument of a layer, or of the one in it; None for one that it does not have."""
    declaration = find(layer.type) if layer.kind == "layer" else None
    if declaration is None or argument in layer.config or argument in declaration.arguments:
        return None if declaration is None else layer.config.get(argument, declaration.default_values.get(argument))
    inner = layer.config.get("layer")
    return _value(inner, argument) if isinstance(inner, Layer) else None


# A window that does not fit -----------------------------------------------------------------------------------------


def _of_window(refusal: Refusal) -> Cures:
    inputs = refusal.inputs()
    for name, shape in inputs:
        if seems_channels_first((None, *shape)):
            channels, *sides = shape
            kind = (
                f"sequences of {sides[0]} steps with their channel" if not sides[1:] else "images with their channels"
            )
            right, own = shape_text((*sides, channels)), shape_text((None, *shape))
            words = f"the input {own} looks like {kind} first: give it as {right}"
            yield refusal.given(name, (*sides, channels), words)
            layers = [layer for layer in refusal.layers.values() if _value(layer, "data_format") is not None]
            layers = [with_arguments(layer, data_format="channels_first") for layer in layers]
            yield Cure("give each layer data_format='channels_first'", layers=layers, is_enough=True)
    padded = [with_arguments(refusal.layer, padding="same")] if _value(refusal.layer, "padding") == "valid" else []
    yield Cure("", layers=padded, is_enough=True)  # as the error says by itself
    before = [refusal.layers[call.name] for call in refusal.before()]
    before = [layer for layer in before if _value(layer, "padding") == "valid"][:_MOST_NAMED]
    same = [with_arguments(layer, padding="same") for layer in before]
    names = " and ".join([f"'{layer.name}'" for layer in before])
    yield Cure(f"padding='same' also in {names}", layers=[*same, *padded] if same else ())
    for times in (2, 4, 8, 16) if len(inputs) == 1 else ():
        name, shape = inputs[0]
        larger = (*[size and size * times for size in shape[:-1]], *shape[-1:])
        yield refusal.given(name, larger, f"an input of {shape_text((None, *larger))} fits", "larger")


# Sizes that an input leaves open ------------------------------------------------------------------------------------

_SIZES = (32, 64, 96)
"""Examples of a size, the first that fits is proposed."""

_IMAGE_CHANNELS = 3
"""The example of the last size of an input with four axes or more."""


def are_written(refs: Sequence[TensorRef], layers: Mapping[str, Layer], calls: Calls) -> bool:
    """Return whether the sizes of these tensors that are not known are a None that the program writes in an input, seen
    through Keras's own layers alone: what else makes a None may be known to Keras."""
    for call in chain.from_iterable(calls_before(ref, calls) for ref in refs):
        layer = layers.get(call.name)
        if layer is None or layer.kind != "layer":
            return False
        if layer.type == "InputLayer":
            written = layer.config.get("batch_shape")
            spec = call.outputs[0]
            if layer.config.get("implied") or spec is None:
                return False
            if not isinstance(written, tuple) or len(written) != len(spec.shape):
                return False
            if any(size is None and own is not None for size, own in zip(spec.shape, written, strict=True)):
                return False
        elif call.definition is None or call.definition.kind == "opaque":
            return False
    return True


def _of_open_sizes(refusal: Refusal) -> Cures:
    """Yield which sizes of which input would do, and which pooling in place of a layer that flattens."""
    for name, shape in refusal.inputs():
        for fixed in _fixed(shape):
            words = f"shape={shape_text(fixed)} in place of {shape_text(shape)} for '{name}' fits"
            yield refusal.given(name, fixed, words, "shape")
    for call in refusal.before():
        spec, flat = call.inputs[0] if call.inputs else None, call.outputs[0]
        if spec is None or flat is None or flat.shape[1:] != (None,) or not 3 <= len(spec.shape) <= 5:
            continue
        if None in spec.shape[1:-1] and refusal.layers[call.name].config.get("data_format") != "channels_first":
            type_ = f"GlobalAveragePooling{len(spec.shape) - 2}D"
            words = f"{type_} in place of '{call.name}' gives {shape_text((spec.shape[0], spec.shape[-1]))}"
            yield Cure(words, layers=[Layer(call.name, type_, "layer", {})], is_enough=True)


def _fixed(shape: Shape) -> Iterator[Shape]:
    """Yield the shape of an input with each of its open sizes fixed alone, the last first, then with all of them."""
    opened = [axis for axis in reversed(range(len(shape))) if shape[axis] is None]
    for axes in [*([axis] for axis in opened), opened] if opened else ():
        for size in _SIZES:
            sizes = tuple([size if axis in axes else own for axis, own in enumerate(shape)])
            if len(shape) - 1 in axes and len(shape) >= 3:
                yield (*sizes[:-1], _IMAGE_CHANNELS)
            yield sizes


def _reshaped(sizes: Shape) -> Iterator[Shape]:
    """Yield shapes of as many elements: an axis of 1 added, the last axes merged, the rows of a square image."""
    if sizes[-1:] == (None,) or sum(not isinstance(size, int) for size in sizes) > 1:
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
    several = (_lost_positions, _other_axis) if _loser(refusal) else (_other_axis, _lost_positions)
    for kind in (*several, _projected, _widths):
        yield from kind(refusal)


def _of_several(refusal: Refusal) -> Cures:
    yield from _other_axis(refusal)
    yield from _widths(refusal)


_WIDTHS = ("units", "filters")


def _widths(refusal: Refusal) -> Cures:
    """Yield the number of units or filters with which a layer, or one before it, gives what the others have."""
    sizes = [spec.shape[-1] for spec in refusal.specs if isinstance(spec.shape[-1], int)]
    layers = [refusal.layer, *[refusal.layers[call.name] for call in refusal.before()[:_MOST_BEFORE]]]
    own = [value for argument in _WIDTHS if isinstance(value := _value(refusal.layer, argument), int)]
    for layer in layers:
        for argument in _WIDTHS:
            value = _value(layer, argument)
            for size in dict.fromkeys([*own, *sizes]) if isinstance(value, int) else ():
                if size != value:
                    yield _argument(layer, argument, size)


def _other_axis(refusal: Refusal) -> Cures:
    """Yield the axis along which the tensors would fit, for a layer that takes one."""
    if "axis" not in refusal.declaration.default_values:
        return
    for axis in range(1, min(len(spec.shape) for spec in refusal.specs)):
        edit = Edit(f"write axis={axis}", "axis", str(axis))
        yield _argument(refusal.layer, "axis", axis, f"axis={axis} fits")._replace(edit=edit, is_enough=True)


def _of_two_ranks(refusal: Refusal) -> Cures:
    refs, specs = refusal.refs, refusal.specs
    low, high = sorted(range(2), key=lambda i: len(specs[i].shape))
    tall, flat = specs[high].shape, specs[low].shape
    if len(flat) != 2:
        return

    yield from _of_axes_before(refusal)
    steps = tall[1]
    if len(tall) == 3 and isinstance(steps, int):
        yield _put_after(refs[low], f"repeats it as {steps} equal steps", "RepeatVector", steps)
    total = product(tall[1:])
    if isinstance(total, int):
        yield _put_after(refs[high], f"flattens it to (None, {total})", "Flatten")
    if len(tall) <= 5:
        yield _put_after(refs[high], f"averages it to (None, {tall[-1]})", f"GlobalAveragePooling{len(tall) - 2}D")
    if flat[1] != tall[-1]:
        words = f"gives it one value for each channel of '{refs[high].layer}'"
        yield _put_after(refs[low], words, "Dense", tall[-1])


def _lost_positions(refusal: Refusal) -> Cures:
    """Yield how two tensors that differ by a few positions become equal, and where these were lost."""
    refs, specs = refusal.refs, refusal.specs
    a, b = (spec.shape for spec in specs)
    roles = specs[0].roles or default_roles(len(a))
    axes = [i for i, role in enumerate(roles) if role in _SPATIAL]
    sizes = [(m, n) for i in axes if isinstance(m := a[i], int) and isinstance(n := b[i], int)]
    if len(sizes) < len(axes) or all(m == n for m, n in sizes) or any(2 * min(pair) <= max(pair) for pair in sizes):
        return
    less, more = (0, 1) if all(m <= n for m, n in sizes) else (1, 0)
    if any(m[less] > m[more] for m in sizes):
        return
    each = [(0, abs(m - n)) for m, n in sizes]
    amounts, rank = (each[0] if len(axes) == 1 else tuple(each)), f"{len(axes)}D"
    shared = {call.call.key for call in calls_before(refs[more], refusal.calls)}
    lost = [call for call in calls_before(refs[less], refusal.calls) if call.call.key not in shared]
    lost = [
        call
        for call in lost
        if any(w.padding == "valid" and w.stride == 1 < w.reach for w in first_windows(call.definition))
    ]
    if lost:
        names = " and ".join([f"'{call.name}'" for call in lost])
        same = [with_arguments(refusal.layers[call.name], padding="same") for call in lost]
        yield Cure(f"padding='same' in {names} keeps the size", layers=same)
    padded = _put_after(refs[less], "makes them equal", f"ZeroPadding{rank}", amounts)
    result = _loser(refusal)
    yield padded._replace(words=f"{result and result + ': '}{padded.words}")
    yield _put_after(refs[more], "", f"Cropping{rank}", amounts)
    for divisor in (2, 4, 8, 16, 32, 64) if not lost else ():
        words = f"make the input's {' and '.join(roles[i] for i in axes)} multiples of {divisor}"
        even = [_even(refusal.layers[name], shape, divisor) for name, shape in refusal.inputs()]
        yield Cure(words, layers=even, group="multiple")


def _even(layer: Layer, shape: Shape, divisor: int) -> Layer:
    """Return an input with sides that a number divides, and none of its multiples."""
    sides = [(-(-size // divisor) | 1) * divisor if isinstance(size, int) else None for size in shape[:-1]]
    return with_arguments(layer, batch_shape=(None, *sides, *shape[-1:]))


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


def _projected(refusal: Refusal) -> Cures:
    """Yield how a layer of weights gives one tensor the shape of the other, as the shortcut of a residual block
    does."""
    refs, specs = refusal.refs, refusal.specs
    for i, j in ((0, 1), (1, 0)):
        shape, wanted = specs[i].shape, specs[j].shape
        sizes = list(zip(shape[1:-1], wanted[1:-1], strict=True))
        strides = {n // m for n, m in sizes if isinstance(n, int) and isinstance(m, int) and m and n % m == 0}
        after = f"gives it the shape of '{refs[j].layer}'"
        if all(n == m for n, m in sizes):
            yield _put_after(refs[i], after, "Dense", wanted[-1])._replace(edit=None, is_enough=True)
        elif len(strides) == 1 and len(shape) <= 5 and all(isinstance(n, int) for n, _ in sizes):
            named = {"strides": strides.pop(), "padding": "same"}
            cure = _put_after(refs[i], after, f"Conv{len(shape) - 2}D", wanted[-1], 1, **named)
            yield cure._replace(edit=None, is_enough=True)
