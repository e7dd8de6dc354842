"""Sizes that an input leaves open (None) and that a layer needs: whether they are written so, and what would mend it.

Loaded only when a layer refuses its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from layerexplain.layers.declaration import Spec
from layerexplain.model import CallKey, Layer, TensorRef
from layerexplain.network.faults import Calls, Cure, Cures, Refusal, calls_before
from layerexplain.network.traced import specs_of
from layerexplain.ops.sizes import shape_text

_SIZES = (32, 64, 96)
"""Examples of a size, the first that fits is proposed."""

_IMAGE_CHANNELS = 3
"""The example of the last size of an input with four axes or more."""

_MOST_CALLS = 300
"""With more calls before a layer nothing is proposed: each proposal would trace them again."""


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


def is_cause(refusal: Refusal) -> bool:
    """Return whether a layer refuses its tensors for their open sizes alone."""
    if all(size is not None for spec in refusal.specs for size in spec.shape):
        return False
    return any(refusal.fits([_filled(spec, size) for spec in refusal.specs]) for size in _SIZES)


def cures(refusal: Refusal) -> Cures:
    """Yield which sizes of which input would do, and which pooling in place of a layer that flattens."""
    before = [*{c.call.key: c for ref in refusal.refs for c in calls_before(ref, refusal.calls)}.values()]
    if len(before) > _MOST_CALLS:
        return
    for call in before:
        spec = call.outputs[0]
        if call.sources or spec is None:
            continue
        fixed = next((item for item in _fixed(spec) if _fits_at(refusal, {call.call.key: item})), None)
        if fixed is not None:
            given, own = shape_text(fixed.shape[1:]), shape_text(spec.shape[1:])
            yield Cure(f"shape={given} in place of {own} for '{call.name}' fits")
            break
    for call in before:
        spec, flat = call.inputs[0] if call.inputs else None, call.outputs[0]
        if spec is None or flat is None or flat.shape[1:] != (None,) or not 3 <= len(spec.shape) <= 5:
            continue
        if None not in spec.shape[1:-1] or refusal.layers[call.name].config.get("data_format") == "channels_first":
            continue
        averaged = Spec((spec.shape[0], spec.shape[-1]), spec.dtype)
        if _fits_at(refusal, {call.call.key: averaged}):
            name = f"GlobalAveragePooling{len(spec.shape) - 2}D"
            yield Cure(f"{name} in place of '{call.name}' gives {shape_text(averaged.shape)}")
            return


def _filled(spec: Spec, size: int) -> Spec:
    return spec._replace(shape=tuple([size if other is None else other for other in spec.shape]))


def _fixed(spec: Spec) -> Iterator[Spec]:
    """Yield an input with each of its open sizes fixed alone, the last one first, then with all of them."""
    shape = spec.shape
    opened = [axis for axis in reversed(range(len(shape))) if shape[axis] is None]
    for axes in [*([axis] for axis in opened), opened]:
        for size in _SIZES:
            sizes = [size if axis in axes else own for axis, own in enumerate(shape)]
            if len(shape) - 1 in axes and len(shape) >= 4:
                yield spec._replace(shape=(*sizes[:-1], _IMAGE_CHANNELS))
            yield spec._replace(shape=tuple(sizes))


def _fits_at(refusal: Refusal, given: Mapping[CallKey, Spec]) -> bool:
    """Return whether a layer takes its tensors where calls before it give other ones."""
    changed: dict[CallKey, Sequence[Spec | None]] = {key: [spec] for key, spec in given.items()}

    def spec_of(ref: TensorRef) -> Spec | None:
        outputs = changed.get(ref.key) or refusal.calls[ref.key].outputs
        return outputs[ref.output] if ref.output < len(outputs) else None

    ancestors = {call.call.key for ref in refusal.refs for call in calls_before(ref, refusal.calls)}
    for key, call in refusal.calls.items():
        if key not in ancestors or key in given or not any(ref.key in changed for ref in call.sources):
            continue
        specs = [spec for spec in map(spec_of, call.sources) if spec is not None]
        if call.declaration is None or len(specs) < len(call.sources):
            return False
        definition = refusal.attempt(refusal.layers[call.name], call.declaration, specs)
        if definition is None:
            return False
        changed[key] = specs_of(definition.results.values())
    specs = [spec for spec in map(spec_of, refusal.refs) if spec is not None]
    return len(specs) == len(refusal.refs) and refusal.fits(specs)
