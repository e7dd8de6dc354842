"""A model at its place in the whole architecture: what all walks through it share, and the notes on it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.registry import OF_TORCH_PROGRAMS, TORCH, facts_of, find, first_argument
from layerexplain.model import Layer, Model, Note, TensorRef, is_before_keras_3
from layerexplain.network.traced import Network
from layerexplain.records import grouped

# Scope --------------------------------------------------------------------------------------------------------------

Specs = Sequence[Spec | None]
"""Those of several tensors; None for one that is not given, or not known."""

DEEPEST = 100
"""How many models may be nested in one another."""


class Scope:
    """A model and what is the same at whatever shapes it is called.

    `path` are the names that lead to it; `strict` and `keras_2` are those of the whole model; `frozen` says that it or
    a model around it is not trained. `networks` are those that have been traced, by the specs of inputs and masks, and
    whether as in training. `guesses` are the shapes that the tensors behind a fault may
    have. `inner_values` are the layers in the configurations of others, by the outer layer's name and its argument.
    `recorder` is what recorded the shapes of layers that have no formula.
    `input_readers` says which layer tells what the axes of an input are, and how; None until it was looked for.
    """

    def __init__(self, model: Model, path: tuple[str, ...] = (), outer: Scope | None = None) -> None:
        if len(path) > DEEPEST:
            raise SpecError(f"models are nested more than {DEEPEST} deep")
        self.model = model
        self.path = path
        self.layers = model.layers_by_name
        self.strict: bool = model.strict if outer is None else outer.strict
        self.frozen: bool = not model.trainable or (outer is not None and outer.frozen)
        self.keras_2: bool = is_before_keras_3(model.keras_version) if outer is None else outer.keras_2
        own = "Keras" if model.format == "keras-model" else "the file"
        self.recorder: str = own if outer is None else outer.recorder
        self.networks: dict[Any, Network] = {}
        self.guesses: dict[TensorRef, Spec] = {}
        self.inner_values: dict[tuple[str, str], tuple[Any, Any]] = {}
        self.input_readers: dict[TensorRef, tuple[Layer, str]] | None = None
        self._declarations: Mapping[str, Declaration] = model.declarations
        if outer is not None and outer._declarations:
            self._declarations = ChainMap(model.declarations, outer._declarations)  # type: ignore[arg-type]
        self._found: dict[str, Declaration | None] = {}
        self._inside: dict[str, Scope] = {}

    @cached_property
    def readers(self) -> dict[TensorRef, list[tuple[Layer, int, int]]]:
        """For each tensor the layers that read it, with the number of the call and the tensor's place in it."""
        calls = self.model.calls
        return grouped((ref, (self.layers[c.layer], c.index, place)) for c in calls for place, ref in enumerate(c.refs))

    def where(self, layer: Layer) -> str:
        """Return the names that lead to a layer of the model, as one text: `encoder/dense`."""
        return "/".join((*self.path, layer.name))

    def inside(self, layer: Layer) -> Scope:
        """Return that of a nested model, which the layer must be."""
        known = self._inside.get(layer.name)
        if known is None:
            assert layer.model is not None  # noqa: S101 (narrowing for the type checker; callers have asked)
            known = self._inside[layer.name] = Scope(layer.model, (*self.path, layer.name), self)
            known.frozen = known.frozen or not layer.config.get("trainable", True)
        return known

    def declaration(self, layer: Layer) -> Declaration | None:
        """Return the declaration of one of the model's layers; None for what has none. Each is looked up once."""
        name = layer.name
        if name not in self._found:
            self._found[name] = self.resolve(layer)
        return self._found[name]

    def resolve(self, layer: Layer) -> Declaration | None:
        """Return the declaration of a layer, also of one in the configuration of another."""
        return declaration_of(layer, self._declarations)


def declaration_of(layer: Layer, own: Mapping[str, Declaration] = MappingProxyType({})) -> Declaration | None:
    """Return the declaration of a layer; None for a model and for a class that has none.

    A class that does not come from Keras has the declaration that its model has for it (`own`), and no other: one that
    is called `Dense` inherits nothing from Keras's. Files before Keras 3 do not always tell where a class comes from;
    there Keras's goes before an own one.
    """
    if layer.declaration is not None:
        return layer.declaration
    if layer.kind == "custom":
        return own.get(layer.type)
    if layer.model is not None:
        return None
    if layer.kind == "operation":
        function = layer.config.get("function")
        return find(f"tf.{function}") if isinstance(function, str) else find(f"ops.{layer.type}")
    # With a dot, a name is that of an operation, or of a loss or an optimizer, which are no layers; or PyTorch's.
    is_layer = "." not in layer.type or layer.type.startswith(OF_TORCH_PROGRAMS)
    return (find(layer.type) if is_layer else None) or own.get(layer.type)


def has_no_weights(layer: Layer) -> bool:
    """Return whether a layer never has weights, whatever it does."""
    if layer.kind == "operation" or layer.type == "InputLayer":
        return True
    if layer.kind != "layer":
        return False
    from layerexplain.layers.keras.opaque_layers import WITHOUT_WEIGHTS

    return layer.type in WITHOUT_WEIGHTS or facts_of(layer.type).runs_code


def as_layers(value: Any) -> Any:
    """Return a layer written as a mapping as a `Layer`, also in lists; anything else unchanged."""
    if isinstance(value, dict) and len(value) == 1:
        ((type_, arguments),) = value.items()
        if isinstance(type_, str) and find(type_) is not None:
            if not isinstance(arguments, dict):
                first = first_argument(type_)
                arguments = {} if arguments is None or first is None else {first: arguments}
            config = {name: as_layers(inner) for name, inner in arguments.items()}
            return Layer(str(config.get("name", snake_case(type_))), type_, "layer", config)
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return [as_layers(v) for v in value]
    return value


# Notes --------------------------------------------------------------------------------------------------------------
# What the walk through a model has to say of layers that it cannot follow, and of masks that Keras passes over.


def operation_type(layer: Layer) -> str:
    """Return what a row is called: the class, or the function that an operation of tf.keras applies."""
    function = layer.config.get("function") if layer.kind == "operation" else None
    return f"tf.{function}" if isinstance(function, str) else layer.type.removeprefix(TORCH)


def opaque_note(code: str, where: str, reason: str, shapes: str, recorder: str) -> Note:
    """Return why a layer has no formula, and where its shapes are from: "recorded" by a `recorder`, of all results or
    "partly", "known" of its class, or "unknown"."""
    rest = {
        "recorded": f"; its shapes are those that {recorder} recorded",
        "partly": f"; the shapes of results that another layer reads are those that {recorder} recorded",
        "known": "",
        "unknown": "; the shape of its output is not known either",
    }
    return Note(code, where, f"{reason}{rest[shapes]}")


def why_opaque(layer: Layer) -> str:
    """Return why there is no formula for a layer of this class."""
    kind = "an operation" if layer.kind == "operation" else "a layer"
    # "Custom" is Keras's own word for a package that was not named.
    owner = f" (from {layer.package})" if layer.package not in ("", "Custom") else ""
    if layer.is_stored:
        return f"the arguments of {operation_type(layer)} are not stated"
    reason = f"{operation_type(layer)}{owner} is {kind} without a formula in layerexplain"
    if layer.kind == "layer":
        if facts_of(layer.type).runs_code:
            return "what it computes is not known"
        from layerexplain.layers.keras.opaque_layers import why_not

        return why_not(layer.type) or reason
    if layer.kind == "operation":
        from layerexplain.layers.keras.opaque_layers import OPERATIONS, why_not

        return why_not(operation_type(layer), OPERATIONS) or reason
    return reason


def input_count(name: str, wanted: int, got: int) -> str:
    """Return the message for a model that is called with another number of inputs than it has."""
    return f"the model '{name}' needs {wanted} input{'s' * (wanted != 1)}, got {got}"


def passed_over_note(source: str | None, where: str) -> Note:
    """Return a recurrent layer with an initial_state, which Keras 3 gives no mask."""
    message = (
        f"the mask of '{source}' is ignored: Keras 3 gives a recurrent layer that is called with an "
        f"initial_state only a mask that the call names; pass mask= to skip the masked steps"
    )
    return Note("mask-passed-over", where, message)


def unread_mask_note(where: str) -> Note:
    """Return a query_mask that is given to Keras's MultiHeadAttention."""
    message = (
        "its query_mask is ignored: Keras's MultiHeadAttention reads only the mask that the query carries; "
        "value_mask, key_mask and attention_mask are read"
    )
    return Note("mask-passed-over", where, message)
