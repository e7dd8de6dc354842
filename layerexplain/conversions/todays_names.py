"""Names of layers as Keras 3 allows them: without the '/' that Keras 1 and 2 had in those of many models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.frontends.keras.shared_objects import all_layers
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.model import Call, Layer, Model, SharedObject, TensorRef, Training, replaced


def in_todays_names(model: Model) -> tuple[Model, tuple[str, ...]]:
    """Return a model with a '_' for each '/' in the names of layers, and a note where there were any.

    >>> in_todays_names(Model("a/b", "Sequential", (Layer("block/conv", "ReLU", "layer", {}),), (), (), ()))[0].name
    'a_b'
    """
    old = [model.name, *[path[-1] for path in layer_paths(model)]]
    if not any("/" in name for name in old):
        return model, ()
    found = _with_shared(_renamed(model), model)
    new = [found.name, *[path[-1] for path in layer_paths(found)]]
    changed = [f"'{before}' is '{after}'" for before, after in zip(old, new, strict=True) if before != after]
    more = f", and {len(changed) - 1:,} more" if len(changed) > 1 else ""
    return found, (f"Keras 3 allows no '/' in names: {changed[0]}{more}",)


def _with_shared(model: Model, before: Model) -> Model:
    """Return a renamed model with what is shared in it by today's names."""
    if not before.shared:
        return model
    places = [[placed.steps for placed in all_layers(one)] for one in (before, model)]
    today = dict(zip(*places, strict=True))
    same = [SharedObject(today[one.steps], tuple([today[steps] for steps in one.same_as])) for one in before.shared]
    return model._replace(shared=tuple(same))


def layer_paths(model: Model, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the names that lead to each layer, at any depth, in the order of the layers."""
    for layer in model.layers:
        yield (*path, layer.name)
        if layer.model is not None:
            yield from layer_paths(layer.model, (*path, layer.name))


def todays_name(name: str) -> str:
    """Return a name without '/'."""
    return name.replace("/", "_")


def _renamed(model: Model) -> Model:
    free = FreeNames({layer.name for layer in model.layers if "/" not in layer.name})
    names = {one.name: free.take(todays_name(one.name)) if "/" in one.name else one.name for one in model.layers}

    def ref(value: TensorRef) -> TensorRef:
        return value._replace(layer=names.get(value.layer, value.layer))

    def renamed(call: Call) -> Call:
        args, kwargs = replaced((call.args, call.kwargs), TensorRef, ref)
        return call._replace(layer=names[call.layer], args=args, kwargs=kwargs)

    return model._replace(
        name=todays_name(model.name),
        layers=tuple([_layer(layer)._replace(name=names[layer.name]) for layer in model.layers]),
        calls=tuple(map(renamed, model.calls)),
        inputs=tuple(map(ref, model.inputs)),
        outputs=tuple(map(ref, model.outputs)),
        recorded={ref(key): value for key, value in model.recorded.items()},
        training=None if model.training is None else _training(model.training, names),
    )


def _layer(layer: Layer) -> Layer:
    """Return a layer with the names inside of it as they are today."""
    inner = None if layer.model is None else _renamed(layer.model)
    return layer._replace(name=todays_name(layer.name), config=replaced(layer.config, Layer, _layer), model=inner)


def _training(training: Training, names: Mapping[str, str]) -> Training:
    by_output = {key: getattr(training, key) for key in ("losses", "loss_weights", "metrics")}
    today: dict[str, Any] = {key: {names.get(one, one): some[one] for one in some} for key, some in by_output.items()}
    return training._replace(**today)
