"""A model as Keras 3 says it: today's classes and arguments, each object once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from layerexplain.attribute_path import Steps, step_text
from layerexplain.conversions.older_keras import GONE, layer_for
from layerexplain.errors import ArgumentError, LayerExplainError, SpecError
from layerexplain.frontends.keras.shared_objects import all_layers
from layerexplain.frontends.model_builder import layers_among
from layerexplain.frontends.spec.items import one_cell
from layerexplain.lang.tables import ConstantArray, table
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import COMMON, Declaration
from layerexplain.layers.keras.opaque_layers import why_not
from layerexplain.layers.registry import facts_of, find
from layerexplain.model import KERAS_2_HARD_SIGMOID, Call, ForeignFunction, Layer, Model, Shape, TrainingSetting
from layerexplain.nesting import formed
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network, TracedCall
from layerexplain.network.without_formula import gives_several, todays_call
from layerexplain.report.normal_form import is_tensorflow, is_unused_setting, todays_operation
from layerexplain.report.normal_values import says_nothing
from layerexplain.report.settings import CLASSES, default_initializer, is_setting, setting_of
from layerexplain.weights.shared_weights import Originals

# One object ---------------------------------------------------------------------------------------------------------


class OneObject:
    """The layers that are one object with others, by the place where that object comes first.

    >>> OneObject(Model("m", "Sequential", (), (), (), ())).first_place(Layer("d", "Dense", "layer", {})) is None
    True
    """

    def __init__(self, model: Model) -> None:
        self.names: dict[Steps, str] = {}
        """Of each object, by its first place."""
        self._first: dict[int, Steps] = {}
        self._places: dict[int, Steps] = {}
        # Layers are compared by `id`, which is theirs alone as long as the model is alive.
        self._model = model
        if not model.shared:
            return
        originals = Originals(model.shared)
        kept = {originals.first_place(steps)[0] for shared in model.shared for steps in (shared.steps, *shared.same_as)}
        for placed in all_layers(model):
            first = originals.first_place(placed.steps)[0]
            self._places[id(placed.layer)] = placed.steps
            if first in kept:
                self._first[id(placed.layer)] = first
                self.names.setdefault(first, placed.layer.name)

    def first_place(self, layer: Layer) -> Steps | None:
        """Return the first place of the object that a layer is; None for a layer that stands in one place alone."""
        return self._first.get(id(layer))

    def place(self, layer: Layer) -> Steps:
        """Return the steps to a layer."""
        return self._places[id(layer)]

    def number(self, layer: Layer) -> int | None:
        """Return a number that all places of an object have in common; None as for `of`."""
        first = self.first_place(layer)
        return None if first is None else list(self.names).index(first)


def must_be_certain(model: Model) -> None:
    """Raise LayerExplainError where the source does not say which of several layers an object is, or where it is one
    parameter alone, which no other form says."""
    for shared in model.shared:
        if model.framework == "torch":
            fact = (
                f"its {shared.steps[-1]} is that of '{step_text(shared.same_as[0][:1])}', which only code can express"
            )
            raise LayerExplainError(fact, layer=step_text(shared.steps[:1]))
        if len(shared.same_as) > 1:
            names = " or ".join(f"'{step_text(steps)}'" for steps in shared.same_as)
            raise LayerExplainError(
                f"is one object with {names}, and the file does not say which", layer=step_text(shared.steps)
            )


def nodes_before(model: Model, objects: OneObject) -> dict[int, int]:
    """Return how often Keras, when it loads a model, has called a layer elsewhere before it calls it in one place.

    Keras counts the calls of an object over all graphs that it stands in, and finds tensors by that count. It makes all
    layers of a graph, those of nested models with their calls, before it calls one. The keys are those of `id`.
    """
    counts: Counter[Steps] = Counter()
    created: set[Steps] = set()
    results: dict[int, int] = {}

    def make(layer: Layer) -> None:
        first = objects.first_place(layer)
        if first in created:
            return
        if first is not None:
            created.add(first)
        if layer.model is not None:
            make_all(layer.model)
        for other in layers_among(layer.config):
            make(other)

    def make_all(model: Model) -> None:
        for layer in model.layers:
            make(layer)
        calls = Counter([call.layer for call in model.calls])
        own = [layer for layer in model.layers if layer.type != "InputLayer"]
        known = model.layers[0].config.get("batch_shape") is not None
        for place, layer in enumerate(own):
            first = objects.first_place(layer)
            if first is None:
                continue
            results[id(layer)] = counts[first]
            # A Sequential whose input is known is built again for each layer that is added to it.
            again = len(own) - place if known else 1
            counts[first] += again if model.type == "Sequential" else calls[layer.name]

    make_all(model)
    return results


# Today --------------------------------------------------------------------------------------------------------------
# A model as Keras 3 says it: today's classes and arguments, and none that is at its default.

_CALL_ARGUMENTS = frozenset({"use_causal_mask", "return_attention_scores"})
"""Arguments of a declaration that Keras takes in the call."""


def _old_hard_sigmoid() -> Layer:
    """Return clip(0.2 · z + 0.5, 0, 1) in layers of Keras 3, whose own hard_sigmoid is clip(z / 6 + 0.5, 0, 1)."""
    scale = Layer("times_1_2", "Rescaling", "layer", {"scale": 1.2})
    squash = Layer("squashed", "Activation", "layer", {"activation": "hard_sigmoid"})
    model = Model(KERAS_2_HARD_SIGMOID.name, "Sequential", (scale, squash), (), (), ())
    return Layer(model.name, "Sequential", "model", {}, model)


OLD_HARD_SIGMOID = _old_hard_sigmoid()
"""The hard_sigmoid of Keras 1 and 2 as an activation of today."""


def in_todays_words(model: Model) -> Model:
    """Return a model with its layers as Keras 3 has them, arguments at their default left out.

    Values are plain, or a `TrainingSetting` for an initializer, regularizer or constraint, or a `Layer`.

    Raises:
        LayerExplainError: for a layer that runs code, that is not Keras's, or that today's Keras does not have.
    """
    if not model.calls or not model.outputs:
        raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to write")
    must_be_certain(model)
    if model.weights:
        raise LayerExplainError("the model itself has weights that belong to no layer; these cannot be converted")
    return _model(model, "", trace_model(model) if _has_gone(model) else None)


def _has_gone(model: Model) -> bool:
    """Return whether a layer of a class that is gone occurs, at any depth."""
    inner = [layer.model for layer in model.layers if layer.model is not None]
    return any(layer.type in GONE for layer in model.layers) or any(map(_has_gone, inner))


def _model(model: Model, prefix: str, network: Network | None) -> Model:
    """Return a model in today's words; `network` is the model traced, where shapes are needed."""
    layers, calls = [], {(call.layer, call.index): call for call in model.calls}
    for layer in model.layers:
        traced = next(iter(network.calls_of(layer.name)), None) if network is not None else None
        try:
            if is_tensorflow(layer) and (layer.name, 0) in calls:
                if (layer.name, 1) in calls:
                    raise SpecError("is a function that is called several times, which Keras 3 does not support")
                layer, calls[layer.name, 0] = todays_operation(layer, calls[layer.name, 0])
            if layer.kind == "operation" and (layer.name, 0) in calls:
                one_today, _ = _operation(layer, calls[layer.name, 0])
                number = 0
                while (call := calls.get((layer.name, number))) is not None:
                    calls[layer.name, number] = _operation(layer, call)[1]
                    number += 1
            else:
                one_today = todays_layer(layer, _shape_before(traced))
        except LayerExplainError as error:
            raise error.with_place(layer=f"{prefix}{layer.name}", line=layer.line) from None
        one_today = _with_inner(one_today, f"{prefix}{layer.name}/", None if traced is None else traced.network)
        of_call = {key: one_today.config[key] for key in _CALL_ARGUMENTS & one_today.config.keys()}
        if of_call:
            one_today = one_today._replace(config={key: v for key, v in one_today.config.items() if key not in of_call})
            for key, call in calls.items():
                if call.layer == layer.name:
                    calls[key] = call._replace(kwargs={**call.kwargs, **of_call})
        layers.append(one_today)
    layers_by_name = {layer.name: layer for layer in layers}
    for key, call in calls.items():
        if layers_by_name[call.layer].kind != "operation":
            kept = {name: value for name, value in call.kwargs.items() if value is not None}
            calls[key] = _in_front(call._replace(kwargs=kept), layers_by_name[call.layer])
    # Keras's Sequential takes no operations, whatever a file says, and gives a layer all results of the one before,
    # and with nothing else.
    in_a_row = model.type == "Sequential" and all(layer.kind != "operation" for layer in layers)
    in_a_row = in_a_row and not any(call.kwargs for call in calls.values())
    in_a_row = in_a_row and not any(has_several_results(layer) for layer in layers[:-1])
    type_ = "Sequential" if in_a_row else "Functional"
    return model._replace(type=type_, layers=tuple(layers), calls=tuple(calls.values()))


def has_several_results(layer: Layer, calls: Iterable[Call] = ()) -> bool:
    """Return whether a call of a layer gives several tensors, whichever of them are used; `calls` are its own."""
    if layer.model is not None:
        return len(layer.model.outputs) > 1
    if layer.kind == "operation":
        return gives_several(layer.type, layer.config)
    if any(call.kwargs.get("return_attention_scores") is True for call in calls):
        return True
    if facts_of(layer.type).results != 1:
        return True
    has_two = "merge_mode" in layer.config and layer.config["merge_mode"] is None
    every = (layer, *layers_among(layer.config))
    more = ("return_state", "return_attention_scores")
    return has_two or any(other.config.get(name) is True for other in every for name in more)


def _with_inner(layer: Layer, prefix: str, network: Network | None) -> Layer:
    """Return a layer in today's words with the model that it is in today's words too, if it is one."""
    if layer.model is None:
        return layer
    inner = _model(layer.model, prefix, network)
    return layer._replace(type=inner.type, model=inner)


def _in_front(call: Call, layer: Layer) -> Call:
    """Return a call with its tensors by position, where they are given by the names of a formula; in Keras's call of
    attention other masks stand before attention_mask, which keeps its name."""
    declaration = find(layer.type) if layer.kind == "layer" else None
    names = list(declaration.tensors[len(call.args) :]) if declaration is not None and call.kwargs else []
    names = names[: names.index("attention_mask")] if "attention_mask" in names else names
    front = list(call.args)
    kwargs = dict(call.kwargs)
    for name in names:
        if name not in kwargs:
            break
        front.append(kwargs.pop(name))
    return call._replace(args=tuple(front), kwargs=kwargs)


def _shape_before(traced: TracedCall | None) -> Shape | None:
    """Return the shape that reaches a call of one tensor, the batch as None."""
    spec = traced.inputs[0] if traced is not None and len(traced.inputs) == 1 else None
    return None if spec is None else (None, *[size if isinstance(size, int) else None for size in spec.shape[1:]])


def todays_layer(layer: Layer, shape: Shape | None = None) -> Layer:
    """Return a layer as Keras 3 has it; `shape` is that of its input, where it is known.

    Raises LayerExplainError for what Keras 3 does not have.
    """
    if layer.kind == "custom":
        of = f" of {layer.package}" if layer.package else ""
        if "uncalled" in layer.config:
            raise SpecError(f"the model never calls this {layer.type}, which only code can express; leave it out")
        raise SpecError(f"{layer.type}{of} is not part of Keras, so no Keras layer can be written for it")
    if layer.model is not None:
        frozen = layer.config.get("trainable") is False
        return layer._replace(config={"trainable": False} if frozen else {})
    if layer.type == "InputLayer":
        return layer
    if layer.type in GONE:
        layer = layer_for(layer, shape)
        if layer.model is not None:
            return layer
    declaration = find(layer.type)
    if declaration is None and (reason := why_not(layer.type)):
        raise SpecError(f"{reason}: it is not written")
    if declaration is None or "(" in layer.type or layer.type in _GONE_CLASSES:
        raise SpecError(f"Keras 3 has no layer {layer.type}")
    if declaration.facts.runs_code:
        raise SpecError(f"a {layer.type} runs custom code, which cannot be converted")
    # A class of keras.applications has no defaults.
    config = {k: v for k, v in declaration.default_values.items() if k != "dtype"} if declaration.facts.home else {}
    for key, value in layer.config.items():
        name = declaration.renamed.get(key, key)
        if (
            (declaration.type, name) == ("BatchNormalization", "axis")
            and isinstance(value, list | tuple)
            and len(value) == 1
        ):
            (value,) = value  # as tf.keras wrote it
        kept = _kept(declaration, name, value)
        if kept is not None:
            config[name] = kept[0]
    cells = config.get("cell")
    if cells is not None and type(cells) in (list, tuple):
        config["cell"] = one_cell(cells)
    pool = config.get("pool_size", layer.config.get("pool_size", declaration.default_values.get("pool_size")))
    if pool is not None and as_one(config.get("strides")) == as_one(pool):
        del config["strides"]  # which is what it is unless it is said
    declaration.bind(config)  # what a file says may be what no layer takes
    order = [*declaration.arguments]
    config = {name: config[name] for name in sorted(config, key=lambda n: order.index(n) if n in order else len(order))}
    type_ = REPLACED.get(layer.type, declaration.type)
    return layer._replace(type=type_, config=config)


_GONE_CLASSES = frozenset({"RandomHeight", "RandomWidth"})
REPLACED = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
"""Class that is gone → the one that computes the same."""


def _operation(layer: Layer, call: Call) -> tuple[Layer, Call]:
    """Return an operation and its call as Keras 3 has them, without what is at its default."""
    function = layer.config.get("function")
    declaration = find(f"ops.{layer.type}")
    if isinstance(function, str) or declaration is None:
        raise SpecError(
            f"{f'tf.{function}' if isinstance(function, str) else layer.type} is not an operation of Keras 3"
        )
    named = {**declaration.arguments}
    stated = {name: item for name, item in layer.config.items() if name in named or name not in (*COMMON, "name")}
    todays_config, call = todays_call(layer.type, stated, call)
    config = {}
    for name, value in todays_config.items():
        argument = named.get(name)
        usual = argument is not None and _is_default(argument, declaration.type, name, value)
        if not usual and (value is not None or (argument is not None and argument.default is not None)):
            config[name] = _plain(name, value)
    tensors = len(declaration.tensors)
    args = (*map(_as_array, call.args[:tensors]), *call.args[tensors:])
    return layer._replace(config=config), call._replace(args=args)


def _as_array(value: Any) -> Any:
    """Return a list of numbers in place of a tensor as an array: Keras 3 asks what it gets for its dtype."""
    if not isinstance(value, list | tuple) or not value:
        return value
    try:
        numbers, shape, dtype = table(value)
    except TypeError:  # tensors among them
        return value
    return ConstantArray(numbers, "float32" if dtype == "float" else dtype) if shape else value


def _kept(declaration: Declaration, name: str, value: Any) -> tuple[Any] | None:
    """Return the value that an argument is written with; None where it says nothing."""
    if is_setting(name):
        return None if is_unused_setting(declaration, name) else _setting(name, value)
    argument = declaration.arguments.get(name)
    if argument is not None and name not in ("dtype", "data_format"):
        if _is_default(argument, declaration.type, name, value):
            return None
    elif says_nothing(name, value):
        return None
    if isinstance(value, Layer) and argument is not None and isinstance(argument.default, bool):
        raise ArgumentError(f"{declaration.type} needs {name} to be true or false, got the layer {value.type}")
    if argument is None and name not in declaration.ignores and name not in COMMON:
        raise ArgumentError(f"{declaration.type} has no argument {name} in Keras 3, got {name}={value!r}"[:300])
    return (_plain(name, value),)


def _is_default(argument: Argument, type_: str, name: str, value: Any) -> bool:
    if argument.default is Argument.REQUIRED or isinstance(value, Layer):
        return False
    try:
        normal = [as_one(argument.normal(type_, name, item)) for item in (value, argument.default)]
    except LayerExplainError:
        return False
    return bool(normal[0] == normal[1] and isinstance(normal[0], bool) == isinstance(normal[1], bool))


def as_one(value: Any) -> Any:
    """Return the one number that all axes have, if they have one: 3 for (3, 3).

    >>> as_one((3, 3)), as_one((3, 5)), as_one(((1, 1), (1, 1)))
    (3, (3, 5), 1)
    """
    if isinstance(value, list | tuple) and value:
        parts = [as_one(part) for part in value]
        if len(value) > 1 and type(parts[0]) is int and all(type(part) is int and part == parts[0] for part in parts):
            return parts[0]
    return value


def _setting(name: str, value: Any) -> tuple[TrainingSetting] | None:
    setting = setting_of(value)
    if setting is None:
        return None
    if setting.name not in CLASSES:
        raise ArgumentError(f"{name} is {setting.name}, which is not part of Keras")
    if not setting.config and setting.name == default_initializer(name):
        return None
    return (setting,)


def _plain(name: str, value: Any) -> Any:
    """Return a value as code, YAML and JSON have it."""
    if isinstance(value, Layer):
        return _with_inner(todays_layer(value), f"{value.name}/", None)
    if isinstance(value, ForeignFunction) and value == KERAS_2_HARD_SIGMOID:
        return OLD_HARD_SIGMOID
    if isinstance(value, ForeignFunction):
        raise ArgumentError(f"its {name} is {value.name}, custom code, which cannot be converted")
    if isinstance(value, Mapping):
        setting = setting_of(value) if "class_name" in value else None
        if setting is not None and setting.name in CLASSES and not name.endswith("activation"):
            return setting
        if setting is not None:
            raise ArgumentError(f"its {name} is an object ({setting.name}), which cannot be converted")
        return {str(key): _plain(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        parts = [_plain(name, item) for item in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    return value


def inner_model(layer: Layer) -> Model:
    """Return the nested model that a layer is, by the name of the layer, and frozen where the layer is."""
    assert layer.model is not None  # noqa: S101 (for the type checker)
    trainable = layer.model.trainable and layer.config.get("trainable", True)
    return layer.model._replace(name=layer.name, trainable=trainable)


def call_arguments(layer: Layer, call: Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return the arguments of a call, those of a nested model by name where it takes them so."""
    model = layer.model
    first: Any = call.args[0] if call.args else None
    if model is None or not isinstance(model.input_form, Mapping) or type(first) not in (list, tuple):
        return call.args, call.kwargs
    if len(first) == len(model.inputs):
        return (formed(model.input_form, first), *call.args[1:]), call.kwargs
    return call.args, call.kwargs


def own_calls(model: Model, ends: Iterable[Call] | None = None) -> Iterator[Call]:
    """Yield the calls of a model without its inputs, in the order in which they can be made; with `ends` those that
    lead to these alone."""
    from layerexplain.frontends.model_builder import in_order

    inputs = {layer.name for layer in model.layers if layer.type == "InputLayer"}
    return (call for call in in_order(model, ends) if call.layer not in inputs)
