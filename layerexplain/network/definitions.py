"""The definition of each call of a declared layer: its formula at the shapes that arrive. Alike calls share one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.call_binding import BoundCall
from layerexplain.errors import ArgumentError, NotKnown, ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import constant
from layerexplain.layers.declaration import Declaration
from layerexplain.model import Layer, values_inside
from layerexplain.network.dtypes import whole_numbers
from layerexplain.network.notes import input_count
from layerexplain.network.scope import Scope, Specs
from layerexplain.network.traced import Network

Enter = Callable[[Scope, Specs, Specs], Network]
"""Traces a nested model at the specs of its inputs and of their masks."""

Define = Callable[[Declaration, Layer, BoundCall, Specs, Specs], Definition]
"""Gives the definition of a call of a declared layer at the specs of its tensors and masks."""

_PLAIN = frozenset({str, type(None)})
"""Kinds of values that are keys as they are: none is equal to a value of another kind, as 1 is to true."""


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


class Kept:
    """Definitions for whoever traces many models, in which most layers are like some before: the `most` that were met
    last, and at most twice as many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[Any, Definition] = {}
        self._old: dict[Any, Definition] = {}

    def get(self, key: Any) -> Definition | None:
        """Return the definition of a key, if it is kept."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self[key] = found
        return found

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __setitem__(self, key: Any, definition: Definition) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = definition


class DefinitionCache:
    """The definitions of one tracing, by declaration, arguments and specs: a bomb of nested calls costs no more than
    its definitions. With `strict` an argument that a layer does not have is an error. `kept` are those of other
    models. Nested models are traced as in `training` if that is said."""

    def __init__(self, *, strict: bool, training: bool, kept: Kept | None) -> None:
        self.training = training
        self._strict = strict
        self._known: dict[Any, Definition] | Kept = {} if kept is None else kept

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
            if type(value) not in _PLAIN:
                arguments[name] = value = self._kept(scope, layer, name, value)
                frozen = dict(arguments) if frozen is arguments else frozen
                frozen[name] = freeze(value)
        whole = whole_numbers(layer) if declaration.facts.casts_keras_2 or not scope.keras_2 else ""
        # The names stand beside the values, since a file may leave arguments out.
        key = (
            declaration,
            tuple(frozen),
            tuple(frozen.values()),
            tuple(specs),
            tuple(masks),
            freeze(bound.constants) if bound.constants else None,
            training,
            whole,
            scope.keras_2,
        )
        known = self._known.get(key)
        if known is None:
            try:
                constants = {i: constant(v) for i, v in bound.constants.items()}
            except TypeError as error:
                raise ArgumentError(f"{declaration.type} is called with values that are not tensors: {error}") from None
            known = self._known[key] = declaration.trace(
                specs, arguments, masks, training=training, constants=constants, whole=whole, keras_2=scope.keras_2
            )
        return known

    def _kept(self, scope: Scope, layer: Layer, name: str, value: Any) -> Any:
        """Return the value of an argument with its layers ready to be applied: made once for each layer, so that a
        model that is held is traced once for all calls of the layer that holds it."""
        source = layer.config.get(name)
        known = scope.inner_values.get((layer.name, name))
        if known is None or known[0] is not source or source is None:
            count = len([one for one in values_inside(value) if isinstance(one, Layer)])
            if count > MOST_HELD:
                raise ArgumentError(f"{layer.type} is explained with up to {MOST_HELD} layers inside, got {count:,}")
            known = scope.inner_values[layer.name, name] = (source, self._inner(scope, value))
        return known[1]

    def _inner(self, scope: Scope, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, Layer):
            declaration = scope.resolve(value)
            if declaration is None:
                if value.model is not None:
                    return HeldModel(value, Scope(value.model, (value.name,), scope), self)
                if self._strict and value.kind == "layer":
                    raise not_known(value.type)
                return HeldModel(value, None, self)
            from layerexplain.layers.inner import DeclaredLayer

            config = {k: self._inner(scope, v) for k, v in value.config.items()}
            return DeclaredLayer(declaration, config, value.name, value.type)
        if isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value):
            return tuple(self._inner(scope, v) for v in value)
        return value


def freeze(value: Any) -> Any:
    """Return a value as a key: equal values of the same kind give equal keys."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return tuple([(k, freeze(v)) for k, v in value.items()])
    if kind is list or kind is tuple:
        return tuple([freeze(v) for v in value])
    if kind is float or kind is bool:
        return (kind, value)
    if kind is slice:
        return ("slice", freeze(value.start), freeze(value.stop), freeze(value.step))
    if hasattr(kind, "as_key"):
        return value.as_key(freeze)
    try:
        hash(value)
    except TypeError:
        return (kind.__name__, repr(value))
    return value
