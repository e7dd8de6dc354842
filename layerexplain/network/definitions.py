"""The definition of each layer of a model, and the dtypes in which it keeps its variables and computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from layerexplain.attribute_path import weight_name
from layerexplain.call_binding import BoundCall
from layerexplain.errors import ArgumentError, NotKnown, ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.known_definitions import (
    KNOWN,
    PLAIN,
    as_constants,
    definition_key,
    freeze,
    is_shared,
    known_definition,
)
from layerexplain.model import Layer, values_inside
from layerexplain.network.scope import Scope, Specs, input_count
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import INTS

# Dtypes -------------------------------------------------------------------------------------------------------------

BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes of one element, by dtype."""

VARIABLE_DTYPES = {"mixed_float16": "float32", "mixed_bfloat16": "float32"}
COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def policy_of(layer: Layer) -> str:
    """Return the name of a layer's policy (`mixed_float16`, `int8_from_float32`): float32 where the source does not
    say."""
    policy = layer.config.get("dtype")
    if isinstance(policy, str):
        return policy
    if isinstance(policy, Mapping):
        config = policy.get("config")
        said = config if isinstance(config, Mapping) else {}
        policy = said.get("name")
        if not isinstance(policy, str):
            mode, policy = said.get("mode"), said.get("source_name")
            policy = f"{mode}_from_{policy}" if isinstance(mode, str) and isinstance(policy, str) else policy
    return policy if isinstance(policy, str) else "float32"


def dtypes_of(layer: Layer) -> tuple[str, str]:
    """Return the dtypes of a layer's variables and computation; for a quantized layer, of what is not quantized."""
    policy = policy_of(layer).rpartition("_from_")[2]
    return VARIABLE_DTYPES.get(policy, policy), COMPUTE_DTYPES.get(policy, policy)


def float_of(layer: Layer) -> str:
    """Return the float in which a layer computes: also one whose policy is of whole numbers divides in float32."""
    computes = dtypes_of(layer)[1]
    return "float32" if whole_numbers(layer) or computes == "float" else computes


def dtype_of_result(layer: Layer, dtype: str) -> str:
    """Return the dtype of a result of a layer; one that consists of Python's numbers is float32 or int32."""
    return "int32" if dtype == "weak int" else float_of(layer) if dtype in ("float", "weak float") else dtype


def whole_numbers(layer: Layer) -> str:
    """Return the dtype in which a layer computes if it is one of whole numbers: Keras casts its inputs to it; else
    ""."""
    dtype = layer.config.get("dtype") if layer.kind == "layer" else None
    return dtype if type(dtype) is str and (dtype in INTS or dtype == "bool") else ""


def dtype_words(layer: Layer) -> str:
    """Return `mixed_float16: computes in float16, weights in float32`; "" for float32, the default."""
    policy = policy_of(layer)
    if policy == "float32":
        return ""
    variables, computes = dtypes_of(layer)
    words = f"{policy}: computes in {computes}, weights in {variables}"
    mode, quantized, _ = policy.rpartition("_from_")
    return f"{words}; quantized parts in {mode.partition('/')[0]}" if quantized else words


# Definitions --------------------------------------------------------------------------------------------------------
# The definition of each call of a declared layer: its formula at the shapes that arrive. Alike calls share one.

Enter = Callable[[Scope, Specs, Specs], Network]
"""Traces a nested model at the specs of its inputs and of their masks."""

Define = Callable[[Declaration, Layer, BoundCall, Specs, Specs], Definition]
"""Gives the definition of a call of a declared layer at the specs of its tensors and masks."""

MOST_HELD = 200
"""How many layers one layer has in its configuration, those in these among them: all become one formula."""


def not_known(type_: str) -> NotKnown:
    """Return the error for a class without a declaration."""
    return NotKnown(f"{type_} is not a layer of Keras, so what it computes is not known")


class HeldModel:
    """A model in the configuration of a layer, `TimeDistributed(encoder)`; or a layer there that is not known."""

    def __init__(self, layer: Layer, scope: Scope | None, tracing: DefinitionCache) -> None:
        self.type = layer.type
        self.name = layer.name
        self.declaration = None
        self.config: Mapping[str, Any] = {}
        self.trainable = bool(layer.config.get("trainable", True)) and (layer.model is None or layer.model.trainable)
        self.scope = scope
        self.tracing = tracing

    def __repr__(self) -> str:
        return self.type  # as messages show it

    def definition(self, specs: Specs, masks: Specs = (), *, training: bool = False, **overrides: Any) -> Definition:
        """Return the model traced at given shapes."""
        if self.scope is None:
            raise not_known(self.type)
        wanted = len(self.scope.model.inputs)
        if len(specs) != wanted:
            raise ShapeError(input_count(self.name, wanted, len(specs)))
        network = self.tracing.enter(self.scope, specs, masks, training=training or self.tracing.training)
        if network.definition is None:
            raise NotKnown(f"the shapes inside '{self.name}' are not known")
        return network.definition


class DefinitionCache:
    """The definitions of one tracing, by declaration, arguments and specs: a bomb of nested calls costs no more than
    its definitions. With `strict` an argument that a layer does not have is an error. Nested models are traced as in
    `training` if that is said."""

    def __init__(self, *, strict: bool, training: bool) -> None:
        self.training = training
        self._strict = strict
        self._own: dict[Any, Definition] = {}

    def enter(self, scope: Scope, specs: Specs, masks: Specs, *, training: bool) -> Network:
        """Trace a nested model."""
        raise NotImplementedError

    def definition_of(
        self,
        scope: Scope,
        declaration: Declaration,
        layer: Layer,
        bound: BoundCall,
        specs: Specs,
        masks: Specs,
        *,
        training: bool = False,
    ) -> Definition:
        """Return the definition of a call of a layer at the specs of its tensors and their masks.

        Raises `ArgumentError` or `ShapeError` with the bare fact.
        """
        own = layer.config
        if "function" in own and layer.kind == "operation" and "dtype" in own:
            # The dtype of a layer that holds a TensorFlow call is not an argument of the call.
            own = {key: value for key, value in own.items() if key != "dtype"}
        config = {**own, **bound.config} if bound.config else own
        arguments = frozen = declaration.bind(config, strict=self._strict and layer.kind == "layer")
        for name in declaration.loose:
            value = arguments.get(name)
            if type(value) not in PLAIN:
                arguments[name] = value = self._kept(scope, layer, name, value)
                frozen = dict(arguments) if frozen is arguments else frozen
                frozen[name] = freeze(value)
        whole = whole_numbers(layer) if declaration.facts.casts_keras_2 or not scope.keras_2 else ""
        key = definition_key(declaration, frozen, specs, masks, bound.constants, training, whole, scope.keras_2)
        own_leaves = layer.frozen or not layer.registered
        key = (key, layer.frozen, layer.registered) if own_leaves else key
        known = self._own.get(key)
        if known is None:
            constants = as_constants(declaration, bound.constants)
            trace = partial(
                declaration.trace,
                specs,
                arguments,
                masks,
                training=training,
                constants=constants,
                whole=whole,
                keras_2=scope.keras_2,
            )
            # Of a large model the first layers are enough: alike ones of others are among them.
            shares = len(self._own) < KNOWN.most and is_shared(declaration, arguments) and not own_leaves
            known = known_definition(key, trace) if shares else trace()
            for weight in known.weights if own_leaves else ():  # leaves of this trace alone
                if not layer.registered:
                    weight.attrs |= {"trainable": False, "buffer": True}
                elif weight_name(weight.attrs, layer) in layer.frozen:
                    weight.attrs["trainable"] = False
            self._own[key] = known
        return known

    def _kept(self, scope: Scope, layer: Layer, name: str, value: Any) -> Any:
        """Return the value of an argument with its layers ready to be applied: made once for each layer, so that a
        model that is held is traced once for all calls of the layer that holds it."""
        source = layer.config.get(name)
        known = scope.inner_values.get((layer.name, name))
        if known is None or known[0] is not source or source is None:
            count = len([item for item in values_inside(value) if isinstance(item, Layer)])
            if count > MOST_HELD:
                raise ArgumentError(f"{layer.type} is explained with up to {MOST_HELD} layers inside, got {count:,}")
            known = scope.inner_values[layer.name, name] = (source, self._inner(scope, value))
        return known[1]

    def _inner(self, scope: Scope, value: Any) -> Any:
        if type(value) in PLAIN:
            return value
        if isinstance(value, Layer):
            declaration = scope.resolve(value)
            if declaration is None:
                if value.model is not None:
                    return HeldModel(value, Scope(value.model, (value.name,), scope), self)
                if self._strict and value.kind == "layer":
                    raise not_known(value.type)
                return HeldModel(value, None, self)
            from layerexplain.layers.known_definitions import DeclaredLayer

            config = {k: self._inner(scope, v) for k, v in value.config.items()}
            return DeclaredLayer(declaration, config, value.name, value.type)
        if isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value):
            return tuple(self._inner(scope, v) for v in value)
        return value
