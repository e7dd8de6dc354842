"""The arguments of layers in one form, whatever version of Keras or format they come from.

Defaults are filled in, names and values of older versions become today's, and what versions write in several ways (an
axis, a size that is the same for all spatial axes) has one form. `comparison` and `architecture_hash` stand on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from layerexplain.call_binding import bind_call
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.model_builder import automatic, layers_among
from layerexplain.layers.arguments import Activation
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.facts import Facts
from layerexplain.layers.keras.activations import usual_name
from layerexplain.model import Call, ForeignFunction, Layer, Model
from layerexplain.network.scope import declaration_of
from layerexplain.records import NamedTuple, grouped
from layerexplain.report.data import LayerReport
from layerexplain.report.default_initializers import default_initializer
from layerexplain.report.settings import is_setting, setting_of, setting_text
from layerexplain.report.tensorflow_functions import is_tensorflow, todays_operation

_NO_ARGUMENTS = frozenset({"name", "trainable", "dtype", "batch_shape", "batch_input_shape"})

Declarations = Mapping[str, Declaration]
_NONE: Declarations = MappingProxyType({})


class NormalLayer(NamedTuple):
    """A layer in its normal form, with its row of the report."""

    layer: Layer
    path: str
    arguments: Mapping[str, Any]
    trainable: bool
    row: LayerReport | None
    in_sequential: bool
    settings: Mapping[str, str] = MappingProxyType({})
    """Its initializers, regularizers and constraints in words, those that are not the default."""

    @property
    def kind(self) -> str:
        """What the layer is: a class of Keras, an operation, a nested model, an own class."""
        return self.layer.kind

    @property
    def type(self) -> str:
        """The name of its class; Keras 1 and 2 called a Functional model Model."""
        nested = self.layer.model is not None and self.layer.type == "Model"
        return "Functional" if nested else self.layer.type

    @property
    def is_implied_input(self) -> bool:
        """Whether it is the input of a Sequential, whose name a reader or a version of Keras makes up."""
        return self.in_sequential and self.type == "InputLayer"

    @property
    def is_named(self) -> bool:
        """Whether somebody gave it its name: those that Keras gives count the layers of a session."""
        return not (automatic(self.layer) or self.layer.name.startswith("tf."))

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the layers that feed its calls."""
        prefix = self.path.removesuffix(self.layer.name)
        return tuple([prefix + name for call in (self.row.calls if self.row else ()) for name in call.sources])

    @property
    def dtype(self) -> str:
        """The dtype, or the policy, that it computes with; "" where it has none of its own."""
        has_none = self.layer.model is not None or self.kind == "operation"
        return "" if has_none else dtype_text(self.layer.config.get("dtype"))

    @property
    def signature(self) -> str:
        """What the layer is, without its name and its place."""
        return repr((self.kind, self.type, sorted(self.arguments.items()), self.trainable))


def normal_layers(
    model: Model, rows: Sequence[LayerReport], prefix: str = "", outer: Declarations = _NONE
) -> Iterator[NormalLayer]:
    """Yield the layers of a model, given with the rows of its report; those of nested models follow theirs."""
    declarations = {**outer, **model.declarations} if model.declarations else outer
    by_name = {row.layer: row for row in rows}
    calls = grouped((call.layer, call) for call in model.calls)
    for layer in model.layers:
        row = by_name.get(layer.name)
        own = sorted(calls.get(layer.name, ()), key=lambda call: call.index)
        if is_tensorflow(layer) and len(own) == 1:
            with suppress(LayerExplainError):  # what Keras 3 has no operation for stays what it is
                layer, own[0] = todays_operation(layer, own[0])
        rank = len(row.input_shapes[0] or ()) if row is not None and row.input_shapes else 0
        arguments: dict[str, Any] = {}
        for one in own or (None,):
            arguments.update(arguments_of(layer, one, rank, declarations))
        in_sequential = model.type == "Sequential"
        settings = {} if layer.model is not None else dict(settings_of(layer, declarations))
        yield NormalLayer(layer, prefix + layer.name, arguments, is_trained(layer), row, in_sequential, settings)
        if layer.model is not None:
            inner = row.layers if row is not None else ()
            yield from normal_layers(layer.model, inner, f"{prefix}{layer.name}/", declarations)


def is_trained(layer: Layer) -> bool:
    """Return whether nothing freezes the layer itself."""
    return layer.config.get("trainable") is not False


def settings_of(layer: Layer, declarations: Declarations = _NONE) -> Iterator[tuple[str, str]]:
    """Yield the initializers, regularizers and constraints of a layer that are not the default, and those of the layers
    in its configuration, by the names of the arguments.

    >>> config = {"kernel_initializer": "he_normal", "bias_initializer": "zeros"}
    >>> list(settings_of(Layer("d", "Dense", "layer", config)))
    [('kernel_initializer', 'HeNormal')]
    """
    declaration = declaration_of(layer, declarations)
    copies = {} if declaration is None else declaration.facts.inner_copies
    for name, value in layer.config.items():
        inner_layers = list(layers_among(value))
        for place, inner in enumerate(inner_layers):
            if inner.model is None and name not in copies:
                label = f"{name}[{place}]" if len(inner_layers) > 1 else name
                yield from [(f"{label}.{key}", text) for key, text in settings_of(inner, declarations)]
        if not is_setting(name) or (declaration is not None and name in declaration.arguments):
            continue
        setting = setting_of(value)
        is_default = setting is not None and not setting.config and setting.name == default_initializer(name)
        unused = declaration is not None and is_unused_setting(declaration, name)
        if value is not None and not is_default and not unused and not (setting is None and value == {}):
            text = value.name if isinstance(value, ForeignFunction) else setting_text(setting)
            if text != "None":
                yield name, text


def is_unused_setting(declaration: Declaration, name: str) -> bool:
    """Return whether a setting is for the kernel of a layer that has depthwise kernels in its place: Keras 2 wrote
    both."""
    weight, _, rest = name.partition("_")
    return weight == "kernel" and name not in declaration.ignores and f"depthwise_{rest}" in declaration.ignores


def dtype_text(value: Any) -> str:
    """Return a dtype or a policy in words.

    >>> dtype_text(None), dtype_text({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})
    ('float32', 'mixed_float16')
    """
    config = value.get("config", value) if isinstance(value, Mapping) else {}
    if isinstance(config, Mapping) and config:
        named = [str(config[key]) for key in ("name", "mode", "source_name") if config.get(key)]
        return " of ".join(named) or "float32"
    return "float32" if value in (None, "float") or isinstance(value, Mapping) else str(value)


def arguments_of(
    layer: Layer, call: Call | None = None, rank: int = 0, declarations: Declarations = _NONE
) -> dict[str, Any]:
    """Return the arguments of a layer, and of one of its calls, in their normal form.

    Args:
        layer: The layer.
        call: One of its calls; arguments that Keras takes there (`use_causal_mask`), and numbers that stand in place of
            tensors, count as well.
        rank: The number of axes of its input, from which axes are counted; 0 where it is not known.
        declarations: Those of the model's own classes.
    """
    return {name: _one_form(name, value, rank) for name, value in _arguments(layer, call, declarations).items()}


def default_arguments(declaration: Declaration, rank: int = 0) -> dict[str, Any]:
    """Return the defaults of a declaration's arguments in the same normal form."""
    found = {}
    for name, value in declaration.default_values.items():
        is_activation = name in declaration.arguments and declaration.arguments[name].check is Activation
        found[name] = _one_form(name, _plain(usual_name(value) if is_activation else value), rank)
    return found


def _arguments(layer: Layer, call: Call | None, declarations: Declarations) -> dict[str, Any]:
    if layer.model is not None:
        return {}
    if layer.type == "InputLayer":
        shape = layer.config.get("batch_shape")
        return {"shape": shape[1:] if isinstance(shape, tuple) else None}
    declaration = declaration_of(layer, declarations)
    if declaration is not None:
        try:
            # The dtype of a layer that holds a TensorFlow call is not an argument of the call.
            config = {k: v for k, v in layer.config.items() if k != "dtype" or "function" not in layer.config}
            numbers: dict[str, Any] = {}
            if call is not None and (call.kwargs or len(call.args) != 1):
                bound_call = bind_call(declaration, call)
                config.update({name: value for name, value in bound_call.config.items() if value is not None})
                names = declaration.names(len(bound_call.tensors))
                numbers = {names[place]: value for place, value in bound_call.constants.items()}
            bound = declaration.bind({**declaration.default_values, **config})
            if "pool_size" in bound and bound.get("strides") is None:
                bound["strides"] = bound["pool_size"]
            for name, value in bound.items():
                if name in declaration.arguments and declaration.arguments[name].check is Activation:
                    bound[name] = usual_name(value)
            stated = {name: _plain(value) for name, value in {**bound, **numbers}.items()}
            return _without_copies(declaration.facts, stated) if declaration.holds else stated
        except LayerExplainError:
            pass
    return {name: _plain(value) for name, value in layer.config.items() if name not in _NO_ARGUMENTS}


def _one_form(name: str, value: Any, rank: int) -> Any:
    """Return what versions write in several forms: an axis (3, [3], -1) counted from the end, and a size that is the
    same for all spatial axes ([3, 3], 3) as one number."""
    parts = value if isinstance(value, tuple) else (value,)
    if name == "axis" and parts and all(type(axis) is int for axis in parts):
        parts = tuple([axis % rank - rank for axis in parts]) if rank else parts
        return parts[0] if len(parts) == 1 else parts
    if parts and len(parts) == rank - 2 and all(part == parts[0] for part in parts):
        inner = parts[0]
        alike = isinstance(inner, tuple) and len(inner) == 2 and inner[0] == inner[1]
        return inner[0] if alike else inner
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Layer):
        if value.model is not None:
            from layerexplain.network.trace import trace_model
            from layerexplain.report.architecture import architecture

            return (value.type, (("architecture", architecture(trace_model(value.model), {}).hash),))
        arguments = [(name, _one_form(name, one, 0)) for name, one in _arguments(value, None, _NONE).items()]
        return (value.type, tuple(sorted(arguments, key=lambda pair: pair[0])))
    if isinstance(value, ForeignFunction):
        return value.name
    return tuple([_plain(one) for one in value]) if isinstance(value, list | tuple) else value


def _without_copies(facts: Facts, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer that holds others, without what it sets in those itself, and without a layer that
    it would make of another were it not given."""
    inner_layers: dict[str, Any] = {
        name: (value[0], tuple([pair for pair in value[1] if pair[0] not in facts.sets_in_inner]))
        for name, value in arguments.items()
        if is_layer(value)
    }
    for name, (original, flag) in facts.inner_copies.items():
        if name in inner_layers and original in inner_layers:
            one, other = dict(inner_layers[name][1]), dict(inner_layers[original][1])
            if (
                one.pop(flag, None) != other.pop(flag, None)
                and one == other
                and inner_layers[name][0] == inner_layers[original][0]
            ):
                inner_layers[name] = None
    return {**arguments, **inner_layers}


def is_layer(value: Any) -> bool:
    """Return whether a value in its normal form is that of a layer: its class and its arguments."""
    is_pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], tuple)
    return is_pair and all(isinstance(one, tuple) and len(one) == 2 for one in value[1])
