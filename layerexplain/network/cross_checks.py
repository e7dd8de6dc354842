"""What a file recorded of shapes, held against what is derived: a disagreement is a note, with both shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.lang.expr import Size
from layerexplain.model import Layer, Model, Note, TensorRef
from layerexplain.network.recorded import built_shape, recorded_spec
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import shape_text


def cross_checks(model: Model, calls: Sequence[TracedCall], path: Sequence[str]) -> Iterator[Note]:
    """Notes where the file recorded other shapes than those that are derived; `path` leads to the model."""
    if not model.recorded and not any(layer.build_shape is not None for layer in model.layers):
        return
    by_layer: dict[str, list[TracedCall]] = {}
    for made in calls:
        if made.definition is not None and made.definition.kind != "opaque" and not made.built:
            by_layer.setdefault(made.call.layer, []).append(made)
    layers = {layer.name: layer for layer in model.layers}
    for name, own in by_layer.items():
        for code, message in _disagreements(model, layers[name], own):
            yield Note(code, "/".join((*path, name)), message)


def _disagreements(model: Model, layer: Layer, calls: Sequence[TracedCall]) -> Iterator[tuple[str, str]]:
    """(code, message) of each: outputs of all calls, and what the layer was built with, which one call is to fit."""
    for made in calls:
        for i, spec in enumerate(made.outputs):
            said = recorded_spec(model, TensorRef(layer.name, made.call.index, i))
            if spec is not None and said is not None and not _agree(spec.shape, said.shape):
                which = f"output {i}" if len(made.outputs) > 1 else "output"
                ours, theirs = shape_text(spec.shape), shape_text(said.shape)
                yield "recorded-shape", f"its {which} is {ours} by its formula; the file recorded {theirs}"
    built = built_shape(layer, 0)
    fed = [made.inputs[0] for made in calls if made.inputs and made.inputs[0] is not None]
    if built is not None and fed and not any(_agree(spec.shape, built) for spec in fed):
        ours, theirs = shape_text(fed[0].shape), shape_text(built)
        yield "build-shape", f"its input is {ours} in this model; the file says that it was built for {theirs}"


def _agree(ours: Sequence[Size], theirs: Sequence[Size]) -> bool:
    """Whether two shapes can be the same; the batch does not count."""
    if len(ours) != len(theirs):
        return False
    pairs = zip(ours[1:], theirs[1:], strict=True)
    return all(a == b or not isinstance(a, int) or not isinstance(b, int) for a, b in pairs)
