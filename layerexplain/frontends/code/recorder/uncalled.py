"""Models without a `call`, as a GAN is that has its own `train_step`: they are what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.frontends.code.recorder.shapes import WEIGHT_TYPE, as_recorded
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.base import Unknown, unknown_at
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.layers.declaration import Spec
from layerexplain.model import Call, Layer, Model, Note, Shape, TensorRef


def parts_not_given(value: ModelValue) -> list[LayerValue]:
    """Return the parts of a model that nobody makes: arguments without a value, which it keeps."""
    attributes = value.instance.attributes if value.instance is not None else {}
    result: list[LayerValue] = []
    for name, one in attributes.items():
        if isinstance(one, Unknown) and one.lacks == "argument":
            result.append(LayerValue(value.framework, "Layer", "custom", name, {}, value.place))
            result[-1].reason = one
    return result


def model_of_parts(
    library: Graphs,
    value: ModelValue,
    inner: Sequence[LayerValue],
    layers: Sequence[Layer],
    names: FreeNames,
    gaps: list[tuple[Unknown, str]],
) -> tuple[Model, Note]:
    """Return a model of which each part is called once, on inputs of its own, and a note that says so. A part that no
    input of the code reaches is one of the `gaps`: its shapes are not known."""
    calls: list[Call] = []
    recorded: dict[TensorRef, tuple[Shape, str]] = {}
    outputs: list[TensorRef] = []
    for one, layer in zip(inner, layers, strict=True):
        graph = library.graph(one) if isinstance(one, ModelValue) else None
        specs = [] if graph is None else [library.shapes.spec_of(tensor) for tensor in graph.inputs]
        known = [spec for spec in specs if isinstance(spec, Spec)]
        if graph is None or len(known) < len(specs):
            if one.type != WEIGHT_TYPE:
                why = unknown_at(one.place, f"no input of {one.name} is in the code")
                gaps.append((one.reason or why, layer.name))
            continue
        refs = [TensorRef(names.take(tensor.node.layer.name)) for tensor in graph.inputs]
        recorded.update(zip(refs, map(as_recorded, known), strict=True))
        calls.append(Call(layer.name, 0, (refs[0] if len(refs) == 1 else refs,), {}))
        outputs += [TensorRef(layer.name, 0, number) for number in range(len(graph.outputs))]
    words = f"{value.type} has no `call`: its layers are explained separately, each on an input of its own"
    model = Model(value.name, value.type, tuple(layers), tuple(calls), tuple(recorded), tuple(outputs), value.trainable)
    return model._replace(recorded=recorded), Note("no-call", None, words)
