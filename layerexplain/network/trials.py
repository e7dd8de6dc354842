"""Changes that would mend a layer at fault, tried: the whole model is traced with each. What is proposed lets the model
run to its outputs, with what has to change behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from layerexplain.errors import Edit, LayerExplainError
from layerexplain.model import Call, Layer, Model, TensorRef, replaced
from layerexplain.network.scope import Scope, Specs
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.network.traced import Network

_MOST_TRIED, _MOST_INSIDE, _MOST_CALLS = 60, 10, 5_000
"""How often a model is traced to find what mends it, how often one that is changed, and how many calls are traced."""

_DEEPEST = 3
"""How many faults one behind the other are mended together."""


class Cure(NamedTuple):
    """What would mend a layer, in words, and as the change of a program where it is a plain one. `layers` are those of
    the model that change, `between` is a new layer before the one at fault, and the tensor that it takes. Of those of a
    `group` one is enough; one that `is_enough` needs no other."""

    words: str
    edit: Edit | None = None
    layers: Sequence[Layer] = ()
    between: tuple[TensorRef, Layer] | None = None
    group: str = ""
    is_enough: bool = False


class Trials:
    """A model that `trace` is tracing at these `specs` of its inputs, to trace it with changes. `mended` are the layers
    for which it was changed already, `left` says how many traces may still be made."""

    def __init__(
        self,
        trace: Callable[..., Network],
        model: Model,
        specs: Specs,
        mended: tuple[str, ...] = (),
        left: list[int] | None = None,
    ) -> None:
        self._trace, self._model, self._specs, self._mended = trace, model, specs, mended
        self._left = [min(_MOST_TRIED, _MOST_CALLS // (len(model.calls) + 1))] if left is None else left
        self.words: dict[str, str] = {}
        """The first cure of each layer at fault, by the names that lead to it."""

    @cached_property
    def faults(self) -> Sequence[LayerExplainError]:
        """The faults of the model, with what mends them."""
        return self._trace(self._model, self._specs, trials=self).faults

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset([_fault(fault) for fault in self._trace(self._model, self._specs).faults])

    def tried(self, scope: Scope, call: Call, cure: Cure) -> Cure | None:
        """Return a cure of a call that mends the model, with what else has to change; None for one that does not."""
        if not cure.layers and cure.between is None:
            return None
        own = scope.where(scope.layers[call.layer])
        if self._left[0] <= 0 or len(self._mended) >= _DEEPEST or own in self._mended:
            return None
        self._left[0] -= 1
        model = self._whole(scope, _changed(scope.model, call, cure))
        left = [min(_MOST_INSIDE, self._left[0])]
        inner = Trials(self._trace, model, self._specs_of(model), (*self._mended, own), left)
        faults = [fault for fault in inner.faults if fault.layer == own or _fault(fault) not in self._own]
        self._left[0] -= min(_MOST_INSIDE, self._left[0]) - left[0]
        behind = {fault.layer or "": inner.words.get(fault.layer or "", "") for fault in faults}
        if own in behind or "" in behind.values() or (cure.group and behind):
            return None
        words = ", and then ".join([cure.words, *[f"at '{name}': {more}" for name, more in behind.items()]])
        result = cure._replace(words=words, edit=None) if behind else cure
        self.words.setdefault(own, result.words)
        return result

    def _specs_of(self, model: Model) -> Specs:
        """Return the specs of the inputs; None for one that has been changed."""
        before, layers = self._model.layers_by_name, model.layers_by_name
        pairs = zip(self._model.inputs, self._specs, strict=False)
        return [spec if layers.get(ref.layer) is before.get(ref.layer) else None for ref, spec in pairs]

    def _whole(self, scope: Scope, changed: Model) -> Model:
        """Return the whole model with another one in the place of that of a scope."""
        outer = [self._model]
        for name in scope.path[:-1]:
            inner = outer[-1].layers_by_name[name].model
            outer.append(inner or outer[-1])
        for model, name in zip(reversed(outer), reversed(scope.path), strict=False):
            changed = _with_layers(model, {name: model.layers_by_name[name]._replace(model=changed)})
        return changed


def _fault(fault: LayerExplainError) -> str:
    return f"{fault.layer}: {fault.fact.partition('; ')[0]}"


def _with_layers(model: Model, layers: Mapping[str, Layer]) -> Model:
    return model._replace(layers=tuple([layers.get(layer.name, layer) for layer in model.layers]))


def _changed(model: Model, call: Call, cure: Cure) -> Model:
    """Return a model with a cure of one of its calls. What a file recorded of its tensors no longer holds."""
    model = _with_layers(model, {layer.name: layer for layer in cure.layers})
    if cure.between is None:
        return model._replace(recorded={})
    ref, new = cure.between
    new = new._replace(name=f"{new.name}_{len(model.layers)}")

    def other(tensor: TensorRef) -> TensorRef:
        return TensorRef(new.name) if tensor == ref else tensor

    given = call._replace(args=replaced(call.args, TensorRef, other), kwargs=replaced(call.kwargs, TensorRef, other))
    calls = tuple([given if each.key == call.key else each for each in model.calls])
    calls = (*calls, Call(new.name, 0, (ref,), {}))
    return model._replace(layers=(*model.layers, new), calls=calls, recorded={})
