"""What older models have that Keras 3 has not: names with a '/', and layers that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.frontends.keras.shared_objects import all_layers
from layerexplain.frontends.model_builder import FreeNames, ModelBuilder
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, Shape, SharedObject, TensorRef, Training, replaced
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

# Todays names -------------------------------------------------------------------------------------------------------
# Names of layers as Keras 3 allows them: without the '/' that Keras 1 and 2 had in those of many models.


def in_todays_names(model: Model) -> tuple[Model, tuple[str, ...]]:
    """Return a model with a '_' for each '/' in the names of layers, and a note where there were any.

    >>> in_todays_names(Model("a/b", "Sequential", (Layer("block/conv", "ReLU", "layer", {}),), (), (), ()))[0].name
    'a_b'
    """
    old = [model.name, *[path[-1] for path in layer_paths(model)]]
    if not any("/" in name for name in old):
        return model, ()
    result = _with_shared(_renamed(model), model)
    new = [result.name, *[path[-1] for path in layer_paths(result)]]
    changed = [f"'{before}' is '{after}'" for before, after in zip(old, new, strict=True) if before != after]
    more = f", and {len(changed) - 1:,} more" if len(changed) > 1 else ""
    return result, (f"Keras 3 allows no '/' in names: {changed[0]}{more}",)


def _with_shared(model: Model, before: Model) -> Model:
    """Return a renamed model with what is shared in it by today's names."""
    if not before.shared:
        return model
    places = [[placed.steps for placed in all_layers(other)] for other in (before, model)]
    today = dict(zip(*places, strict=True))
    same = [
        SharedObject(today[shared.steps], tuple([today[steps] for steps in shared.same_as])) for shared in before.shared
    ]
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
    names = {
        layer.name: free.take(todays_name(layer.name)) if "/" in layer.name else layer.name for layer in model.layers
    }

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
    today: dict[str, Any] = {
        key: {names.get(item, item): some[item] for item in some} for key, some in by_output.items()
    }
    return training._replace(**today)


# Gone layers --------------------------------------------------------------------------------------------------------
# Layers that Keras 3 has no more, as small models of today's layers that compute the same, and their weights there.

Arrays = Mapping[str, list[Any]]
"""The weights of each layer of such a model; "" is what stands for a layer itself."""


class GoneLayer(NamedTuple):
    """A class that is gone: the model or layer that stands for a layer of it, by that layer and the shape of its input,
    and the weights there, by those of the layer in the order of its formula."""

    stands_for: Callable[[Layer, Shape], Model | Layer]
    weights: Callable[[Layer, Sequence[Any]], Arrays]


def layer_for(layer: Layer, shape: Shape | None) -> Layer:
    """Return what stands for a layer of a class in `GONE`. Raises SpecError where a size is not known."""
    if shape is None or None in shape[1:]:
        known = "unknown" if shape is None else shape_text(shape)
        raise SpecError(f"is not in Keras 3, and its replacement depends on the input shape, which is {known}")
    declaration = find(layer.type)
    if declaration is not None:
        declaration.bind(dict(layer.config))  # what a file says may be what no layer takes
    stand_in = GONE[layer.type].stands_for(layer, shape)
    if isinstance(stand_in, Layer):
        return stand_in
    trainable = layer.config.get("trainable", True) is not False
    return Layer(layer.name, stand_in.type, "model", {} if trainable else {"trainable": False}, stand_in)


def _sequential(layer: Layer, *layers: Layer) -> Model:
    """Return a chain of layers, which takes what comes in where it stands."""
    builder = ModelBuilder()
    last = builder.add_input(Layer("input", "InputLayer", "layer", {"batch_shape": None, "dtype": "float32"}))
    for other in layers:
        last = builder.add_layer(other, (last,))
    return builder.model(layer.name, [last], type_="Sequential")


def _dense(name: str, units: Any, layer: Layer, **config: Any) -> Layer:
    """Return a Dense with the settings of a layer for its kernel and bias."""
    if any(layer.config.get(f"{of}_constraint") is not None for of in ("kernel", "bias")):
        raise SpecError("has a constraint, which would mean something else in the layers that replace it")
    kept = "use_bias kernel_initializer kernel_regularizer bias_regularizer"
    given = {key: layer.config[key] for key in kept.split() if key in layer.config}
    return Layer(name, "Dense", "layer", {"units": units, **given, **config})


# MaxoutDense: the largest of several weighted sums ----------------------------------------------------------------


def _maxout(layer: Layer, shape: Shape) -> Model:
    units, pieces = layer.config.get("units"), layer.config.get("nb_feature", 4)
    return _sequential(
        layer,
        _dense("pieces", units * pieces, layer),
        Layer("apart", "Reshape", "layer", {"target_shape": (pieces, units)}),
        Layer("largest", "GlobalMaxPooling1D", "layer", {}),
    )


def _maxout_weights(layer: Layer, given: Sequence[Any]) -> Arrays:
    kernel, *bias = given  # (pieces, inputs, units), (pieces, units)
    return {"pieces": [kernel.transpose(1, 0, 2).reshape(kernel.shape[1], -1), *[item.reshape(-1) for item in bias]]}


# Highway: T · h + (1 - T) · x is x + T · (h - x) ------------------------------------------------------------------


def _highway(layer: Layer, shape: Shape) -> Model:
    activation = layer.config.get("activation", "linear")
    builder = ModelBuilder()
    given = {"batch_shape": (None, *shape[1:]), "dtype": "float32"}
    x = builder.add_input(Layer("x", "InputLayer", "layer", given))
    transform = builder.add_layer(_dense("transform", shape[-1], layer, activation=activation), (x,))
    gate = builder.add_layer(_dense("gate", shape[-1], layer, activation="sigmoid"), (x,))
    change = builder.add_layer(Layer("change", "Subtract", "layer", {}), ([transform, x],))
    gated = builder.add_layer(Layer("gated", "Multiply", "layer", {}), ([gate, change],))
    passed = builder.add_layer(Layer("passed", "Add", "layer", {}), ([x, gated],))
    return builder.model(layer.name, [passed])


def _highway_weights(layer: Layer, given: Sequence[Any]) -> Arrays:
    half = len(given) // 2  # the two kernels, then the two biases, if there are any
    kernels, biases = given[: max(half, 2)][:2], given[2:]
    return {name: [kernels[i], *biases[i : i + 1]] for i, name in enumerate(("transform", "gate"))}


# The BatchNormalization of Keras 0.3: a mean and a deviation for each element, or for each channel -------------------

_SMALLEST = 1e-12


def _batch_normalization(layer: Layer, shape: Shape) -> Model | Layer:
    config = {"epsilon": _SMALLEST, "momentum": layer.config.get("momentum", 0.9)}
    if (axis := layer.config.get("axis")) is not None:
        trainable = {"trainable": False} if layer.config.get("trainable") is False else {}
        return layer._replace(type="BatchNormalization", config={"axis": axis, **config, **trainable})
    flat = (Layer("flat", "Flatten", "layer", {}),) if len(shape) > 2 else ()
    back = (Layer("back", "Reshape", "layer", {"target_shape": shape[1:]}),) if len(shape) > 2 else ()
    return _sequential(layer, *flat, Layer("elements", "BatchNormalization", "layer", config), *back)


def _batch_normalization_weights(layer: Layer, given: Sequence[Any]) -> Arrays:
    # It divided by σ + ε, where today's divides by the root of a variance and its own ε.
    gamma, beta, mean, deviation = (item.reshape(-1) for item in given)
    results = [gamma, beta, mean, (deviation + layer.config.get("epsilon", 1e-6)) ** 2 - _SMALLEST]
    return {"elements": results} if layer.config.get("axis") is None else {"": results}


GONE: Mapping[str, GoneLayer] = {
    "MaxoutDense": GoneLayer(_maxout, _maxout_weights),
    "Highway": GoneLayer(_highway, _highway_weights),
    "BatchNormalization0": GoneLayer(_batch_normalization, _batch_normalization_weights),
}
"""Class → what stands for it."""
