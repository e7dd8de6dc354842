"""What the axes of a model's inputs are where their number does not tell: as the first layers that say so read them."""

from layerexplain.derive.roles import Roles, image_roles, sequence_roles
from layerexplain.layers.facts import NO_FACTS, Facts
from layerexplain.layers.registry import Spec, facts_of
from layerexplain.model import Layer, Model, TensorRef
from layerexplain.network.binding import references
from layerexplain.ops.sizes import channels_at, default_roles

_DEEPEST = 20
"""How many models in models are looked into."""

Readers = dict[TensorRef, list[tuple[Layer, int, int]]]
"""For each tensor the layers that read it, with the number of the call and the tensor's place in it."""


class InputLayouts:
    """The layouts of the inputs of models, each found once."""

    def __init__(self) -> None:
        self._known: dict[int, dict[TensorRef, Layer]] = {}

    def spec(self, model: Model, ref: TensorRef, spec: Spec) -> Spec:
        """What an input gives, with the roles of its axes where they are not the default ones."""
        ndim = len(spec.shape)
        if spec.roles is not None or ndim < 3:
            return spec
        layer = self._telling(model, 0).get(ref)
        roles = None if layer is None else _roles(layer, ndim)
        return spec if roles is None or roles == default_roles(ndim) else spec._replace(roles=roles)

    def _telling(self, model: Model, depth: int) -> dict[TensorRef, Layer]:
        """For the inputs of a model the first layer that tells what their axes are."""
        known = self._known.get(id(model))
        if known is None:
            known = self._known[id(model)] = {}
            if depth < _DEEPEST and any(layer.model is not None or _tells(layer) for layer in model.layers):
                layers = {layer.name: layer for layer in model.layers}
                readers: Readers = {}
                for made in model.calls:
                    for place, ref in enumerate(references((made.args, made.kwargs))):
                        readers.setdefault(ref, []).append((layers[made.layer], made.index, place))
                for ref in model.inputs:
                    layer = self._first(ref, readers, depth)
                    if layer is not None:
                        known[ref] = layer
        return known

    def _first(self, ref: TensorRef, readers: Readers, depth: int) -> Layer | None:
        ahead, seen = [ref], {ref}
        for here in ahead:  # grows as it is read
            for layer, index, place in readers.get(here, ()):
                if layer.model is not None:
                    inputs = layer.model.inputs
                    inner = self._telling(layer.model, depth + 1).get(inputs[place]) if place < len(inputs) else None
                    if inner is not None:
                        return inner
                elif _tells(layer):
                    return layer
                behind = TensorRef(layer.name, index)
                if _facts(layer).keeps_axes and behind not in seen:
                    seen.add(behind)
                    ahead.append(behind)
        return None


def _facts(layer: Layer) -> Facts:
    return NO_FACTS if layer.kind == "custom" else facts_of(layer.type)


def _tells(layer: Layer) -> bool:
    """Whether a layer says what the axes of its tensor are."""
    tells = _facts(layer).tells_axes
    if tells == "channels":
        # Counted from the end the axis is the last one, whatever stands before it.
        return layer.config.get("axis") in (1, [1], (1,))
    if tells in ("steps", "sequence"):
        return True
    return bool(tells) and layer.config.get("data_format") in ("channels_first", "channels_last")


def _roles(layer: Layer, ndim: int) -> Roles:
    tells = _facts(layer).tells_axes
    if tells == "channels":
        return channels_at(ndim, 1)
    if tells == "steps":
        inner = layer.config.get("layer")
        return sequence_roles(ndim, inner.config.get("data_format") if isinstance(inner, Layer) else None)
    roles = sequence_roles if tells == "sequence" else image_roles
    return roles(ndim, layer.config.get("data_format"))
