"""The roles of input axes where their number does not decide: those that the first layers reading them expect."""

from layerexplain.derive.roles import Roles, image_roles, sequence_roles
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import facts_of
from layerexplain.layers.signature import NO_FACTS, Facts
from layerexplain.model import Layer, TensorRef
from layerexplain.network.scope import Scope
from layerexplain.ops.sizes import channels_at, default_roles

_DEEPEST = 20
"""How many models in models are looked into."""


def with_roles(scope: Scope, ref: TensorRef, spec: Spec) -> Spec:
    """Return what an input gives, with the roles of its axes where they are not the default ones."""
    ndim = len(spec.shape)
    if spec.roles is not None or ndim < 2:
        return spec
    if ndim == 3 and spec.shape[1] is BATCH is not spec.shape[0]:
        return spec._replace(roles=("steps", "batch", "features"))
    deciding = _telling(scope, 0).get(ref)
    roles = None if deciding is None or (ndim == 2 and deciding[1] != "ids") else _roles(*deciding, ndim)
    return spec if roles is None or roles == default_roles(ndim) else spec._replace(roles=roles)


def _telling(scope: Scope, depth: int) -> dict[TensorRef, tuple[Layer, str]]:
    """Return, for each input of a model, the first layer that decides the roles of its axes, and how."""
    if scope.input_readers is None:
        known = scope.input_readers = {}
        model = scope.model
        holds = any(layer.model is not None or "layers" in layer.config for layer in model.layers)
        if depth < _DEEPEST and (holds or any(_tells(_facts(scope, layer), layer) for layer in model.layers)):
            deciding = [(ref, _first(scope, ref, depth)) for ref in model.inputs]
            known.update({ref: item for ref, item in deciding if item is not None})
    return scope.input_readers


def _first(scope: Scope, ref: TensorRef, depth: int) -> tuple[Layer, str] | None:
    ahead, seen = [ref], {ref}
    for here in ahead:  # grows as it is read
        for layer, index, place in scope.readers.get(here, ()):
            if layer.model is not None:
                inner = [_telling(scope.inside(layer), depth + 1).get(item) for item in layer.model.inputs[place:][:1]]
                if inner and inner[0] is not None:
                    return inner[0]
            elif how := _tells(_facts(scope, layer), layer):
                return layer, how
            elif inside := _first_of_chain(scope, layer):
                return inside
            behind = TensorRef(layer.name, index)
            if _facts(scope, layer).keeps_axes and behind not in seen:
                seen.add(behind)
                ahead.append(behind)
    return None


def _first_of_chain(scope: Scope, layer: Layer) -> tuple[Layer, str] | None:
    """Return what `_first` does, of the layers that a Pipeline calls one after the other."""
    chain = layer.config.get("layers")
    for inner in chain if isinstance(chain, list | tuple) else ():
        if not isinstance(inner, Layer):
            return None
        declaration = scope.resolve(inner)
        facts = NO_FACTS if declaration is None else declaration.facts
        if how := _tells(facts, inner):
            return inner, how
        if not facts.keeps_axes:
            return None
    return None


def _facts(scope: Scope, layer: Layer) -> Facts:
    if layer.kind == "operation":  # Keras's layer of its name keeps the same axes
        return facts_of(layer.type)
    declaration = scope.declaration(layer)
    return NO_FACTS if declaration is None else declaration.facts


def _tells(facts: Facts, layer: Layer) -> str:
    """Return how a layer says what the axes of its tensor are, as `Facts.tells_axes` has it; "" where it does not."""
    if facts.channels_first:
        return "channels"
    how = facts.tells_axes
    if how == "channels":
        # Counted from the end the axis is the last one, whatever stands before it.
        says = layer.config.get("axis") in (1, [1], (1,))
    else:
        says = how != "image" or layer.config.get("data_format") in ("channels_first", "channels_last")
    return how if says else ""


def _roles(layer: Layer, how: str, ndim: int) -> Roles:
    if how == "channels":
        return channels_at(ndim, 1)
    if how == "ids":
        return ("batch", "steps") if ndim == 2 else default_roles(ndim)
    if how == "steps":
        inner = layer.config.get("layer")
        return sequence_roles(ndim, inner.config.get("data_format") if isinstance(inner, Layer) else None)
    roles = sequence_roles if how == "sequence" else image_roles
    return roles(ndim, layer.config.get("data_format"))
