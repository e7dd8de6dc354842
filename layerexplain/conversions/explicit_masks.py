"""Masks of Keras 2 that Keras 3 would lose, or join in another way, as tensors that calls are given by name.

Keras 3's MultiHeadAttention removes the masks of its query, value and key while it runs, also for other layers that
read these tensors, and its Add, Concatenate and the like join masks by "or" where Keras 2 did by "and". So in a model
of Keras 2 in which that matters each layer that computes with a mask is given it: `mask=`, or for attention
`attention_mask=`, made by operations between layers from what the mask was made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.lang.expr import Expr
from layerexplain.model import Call, Layer, Model, TensorRef, is_before_keras_3, replaced
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import MaskSource, Network, TracedCall
from layerexplain.records import NamedTuple

_OPERATIONS = frozenset({"not_equal", "any", "logical_and", "logical_or", "concatenate"})
"""What masks are made by in formulas; the classes of Keras's operations have the same names."""


class MaskOperation(NamedTuple):
    """A mask as an operation, by its name in formulas, on tensors, numbers and other masks."""

    operation: str
    args: tuple[Any, ...]
    config: tuple[tuple[str, Any], ...]


Recipe = MaskOperation | TensorRef
"""A mask: what makes it, or a tensor that is one."""


def with_explicit_masks(model: Model) -> tuple[Model, tuple[str, ...]]:
    """Return a model whose layers see the masks in Keras 3 that they see in Keras 2, and a note if it is another one.

    Raises LayerExplainError where a mask that a layer computes with cannot be written down.
    """
    if not is_before_keras_3(model.keras_version):
        return model, ()
    before = trace_at(model, linked=True)
    if not _has_masks(before):
        return model, ()
    after = trace_at(model._replace(keras_version=None), linked=True)
    if _alike(before, after):
        return model, tuple(_loss_notes(before, after))
    given: list[str] = []
    bare: list[str] = []
    result = _with_masks(before, after, given, bare, "")
    words = [
        f"{_names(some)} {item if len(set(some)) == 1 else several}"
        for some, item, several in (
            (given, "gets its mask as an argument", "get their masks as arguments"),
            (bare, "gets its input without the mask", "get their inputs without the masks"),
        )
        if some
    ]
    notes = [f"Keras 3 passes masks on differently from Keras 2, so {', and '.join(words)}"] if words else []
    return result, (*notes, *_loss_notes(before, trace_at(result._replace(keras_version=None), linked=True)))


def _names(names: list[str]) -> str:
    """Return the names of layers, each once, and of many the number."""
    some = list(dict.fromkeys(names))
    more = f" and {len(some) - 3:,} more" if len(some) > 3 else ""
    return ", ".join(f"'{name}'" for name in some[:3]) + more


def _loss_notes(before: Network, after: Network) -> Iterator[str]:
    """Yield a note on each output whose loss leaves out masked steps in Keras 2 and not in Keras 3."""
    model = before.model
    if model.training is None or not model.training.losses or before.definition is None or after.definition is None:
        return
    for ref, mask, now in zip(model.outputs, before.definition.masks, after.definition.masks, strict=False):
        if mask is not None and now is None:
            yield f"the loss of '{ref.layer}' counts masked steps too: in Keras 3 no mask reaches it"


def _has_masks(network: Network) -> bool:
    """Return whether a mask reaches a layer."""
    return any(
        traced.mask is not None or (traced.network is not None and _has_masks(traced.network))
        for traced in network.calls
    )


def _alike(before: Network, after: Network) -> bool:
    """Return whether all layers see the same masks in Keras 2 and in Keras 3."""
    recipes, recipes_after = _Recipes(before), _Recipes(after)
    for traced, other in zip(before.calls, after.calls, strict=True):
        if traced.network is not None and other.network is not None and not _alike(traced.network, other.network):
            return False
        seen = {} if _only_in_keras_3(traced) else recipes.seen(traced)
        if _reads(traced) and seen != recipes_after.seen(other):
            return False
    return True


def _with_masks(before: Network, after: Network, given: list[str], bare: list[str], path: str) -> Model:
    """Return a model in which each call is given its masks; append the layers that are to `given`, and those that must
    not see one to `bare`."""
    writer = _MaskWriter(before, path)
    for traced, other in zip(before.calls, after.calls, strict=True):
        layer = writer.layers[traced.call.layer]
        if traced.network is not None and other.network is not None and layer.model is not None:
            if not traced.call.index and not _alike(traced.network, other.network):
                if any(writer.recipes.of.get(ref) is not None for ref in traced.sources):
                    words = "gets masks that Keras 3 passes on differently inside it"
                    raise SpecError(words, layer=f"{path}{layer.name}")
                inner = _with_masks(traced.network, other.network, given, bare, f"{path}{layer.name}/")
                writer.layers[layer.name] = layer._replace(model=inner)
            continue
        seen = writer.recipes.seen(traced)
        hidden = {*seen} if _only_in_keras_3(traced) else _places(other) - seen.keys() if _reads(traced) else set()
        if hidden:
            writer.hide(traced, hidden)
            bare.append(f"{path}{layer.name}")
        elif _reads(traced) and seen:
            writer.give(traced, seen)
            given.append(f"{path}{layer.name}")
    return writer.model()


def _reads(traced: TracedCall) -> bool:
    """Return whether a call computes with masks, in Keras 2 as well."""
    declaration = traced.declaration
    return declaration is not None and (declaration.reads_mask or declaration.reads_masks)


def _only_in_keras_3(traced: TracedCall) -> bool:
    """Return whether a call computes with masks in Keras 3 alone, as a Multiply does."""
    return traced.declaration is not None and _reads(traced) and traced.declaration.facts.mask_keras_2 is not None


def _places(traced: TracedCall) -> set[int]:
    """Return which tensors of a call have masks that it sees."""
    return set() if traced.origin is None else {i for i, mask in enumerate(traced.origin.masks) if mask is not None}


class _Recipes:
    """What the masks of all tensors of a model are made of."""

    def __init__(self, network: Network) -> None:
        self._keras_2 = is_before_keras_3(network.model.keras_version)
        self.of: dict[TensorRef, Recipe | None] = {}
        for traced in network.calls:
            self._keep(traced)

    def seen(self, traced: TracedCall) -> dict[int, Recipe]:
        """Return the masks that a call sees, by the place of their tensor."""
        if traced.origin is None:
            return {}
        return dict(zip(sorted(_places(traced)), map(self._of, traced.origin.mask_sources), strict=False))

    def _of(self, source: MaskSource) -> Recipe:
        if not source.carried:
            return source.tensor
        return self.of.get(source.tensor) or MaskOperation(f"what feeds '{source.tensor.layer}'", (), ())

    def _keep(self, traced: TracedCall) -> None:
        first = TensorRef(traced.call.layer, traced.call.index)
        definition = traced.definition
        if definition is None or traced.network is not None:
            for i, _ in enumerate(traced.outputs if traced.network is not None else ()):
                has_mask = definition is not None and len(definition.masks) > i and definition.masks[i] is not None
                self.of[first._replace(output=i)] = (
                    MaskOperation(f"the model '{first.layer}'", (), ()) if has_mask else None
                )
            return
        if traced.origin is None:
            return
        refs = [ref for ref in traced.origin.bound.tensors if ref is not None]
        leaves: dict[Expr, Any] = dict(zip(definition.params, refs, strict=False))
        for param, source in zip(definition.params[len(refs) :], traced.origin.mask_sources, strict=False):
            leaves[param] = self._of(source)
        for i, mask in enumerate(definition.masks):
            self.of[first._replace(output=i)] = None if mask is None else self._recipe(mask, leaves)
        declaration = traced.declaration
        passes = declaration is not None and declaration.mask == "pass"
        if self._keras_2 and declaration is not None and declaration.facts.loses_mask_keras_2:
            passes = False
        if passes and refs and not definition.masks:
            result = traced.origin.bound.masks.get(0)
            self.of[first] = result if result is not None else self.of.get(refs[0])

    def _recipe(self, mask: Expr, leaves: Mapping[Expr, Any]) -> Any:
        if mask in leaves:
            return leaves[mask]
        if mask.op.name == "constant":
            return mask.attrs["value"]
        args = tuple([self._recipe(argument, leaves) for argument in mask.args])
        if mask.op.name in ("logical_and", "logical_or") and args[0] == args[1]:
            return args[0]
        return MaskOperation(mask.op.name, args, tuple(mask.attrs.items()))


class _MaskWriter:
    """Writes a model whose calls are given masks."""

    def __init__(self, network: Network, path: str) -> None:
        self.recipes = _Recipes(network)
        self.path = path
        self._model = network.model
        self.layers = {**self._model.layers_by_name}
        self._calls = {(call.layer, call.index): call for call in self._model.calls}
        self._names = FreeNames({*self.layers})
        self._stems: dict[str, str] = {}
        self._written: dict[Any, TensorRef] = {}
        self._before: dict[str, list[Layer]] = {}

    def model(self) -> Model:
        """Return the model."""
        layers = [
            x for layer in self._model.layers for x in (*self._before.get(layer.name, ()), self.layers[layer.name])
        ]
        calls = tuple(self._calls.values())
        return self._model._replace(type="Functional", layers=tuple(layers), calls=calls)

    def give(self, traced: TracedCall, masks: Mapping[int, Recipe]) -> None:
        """Give a call the masks that it sees, by the names of its arguments."""
        declaration, call = traced.declaration, self._calls[traced.call.layer, traced.call.index]
        assert declaration is not None and traced.origin is not None  # noqa: S101 (for the type checker)
        refs = {i: self._tensor(mask, call) for i, mask in masks.items()}
        if "attention_mask" in declaration.tensors:
            place = declaration.tensors.index("attention_mask")
            parts = [self._operation("ExpandDims", (ref,), {"axis": -2 if i else -1}, call) for i, ref in refs.items()]
            own = traced.origin.bound.tensors[place] if len(traced.origin.bound.tensors) > place else None
            whole = parts[0] if own is None else own
            for part in parts[own is None :]:
                whole = self._operation("LogicalAnd", (whole, part), {}, call)
            call = call._replace(args=call.args[:place], kwargs={**call.kwargs, "attention_mask": whole})
        elif declaration.facts.takes_list:
            some = [refs.get(i) for i in range(max(refs) + 1)]
            call = call._replace(args=call.args[:1], kwargs={**call.kwargs, "mask": some})
        else:
            call = call._replace(args=call.args[:1], kwargs={**call.kwargs, "mask": refs[0]})
        self._calls[call.layer, call.index] = call

    def hide(self, traced: TracedCall, places: set[int]) -> None:
        """Let a call have copies of tensors whose masks it does not see in Keras 2: an operation hands no mask on."""
        assert traced.origin is not None  # noqa: S101 (for the type checker)
        call = self._calls[traced.call.layer, traced.call.index]
        bound = traced.origin.bound.tensors
        copies = {ref: self._operation("Copy", (ref,), {}, call) for i, ref in enumerate(bound) if ref and i in places}
        args, kwargs = replaced((call.args, call.kwargs), TensorRef, lambda ref: copies.get(ref, ref))
        self._calls[call.layer, call.index] = call._replace(args=args, kwargs=kwargs)

    def _tensor(self, mask: Any, call: Call) -> TensorRef:
        if isinstance(mask, TensorRef):
            return mask
        if not isinstance(mask, MaskOperation) or mask.operation not in _OPERATIONS:
            maker = f" by {mask.operation}" if isinstance(mask, MaskOperation) else ""
            words = f"computes with a mask that is made{maker}, which Keras 3 passes on differently"
            raise SpecError(words, layer=f"{self.path}{call.layer}")
        args: list[Any] = [
            argument if isinstance(argument, int | float) else self._tensor(argument, call) for argument in mask.args
        ]
        type_ = mask.operation.title().replace("_", "")
        return self._operation(type_, tuple(args), dict(mask.config), call)

    def _operation(self, type_: str, args: tuple[Any, ...], config: Mapping[str, Any], call: Call) -> TensorRef:
        """Return what an operation gives, which is written before a call unless it is there already."""
        key = (type_, args, tuple(config.items()))
        if key not in self._written:
            source = next(argument for argument in args if isinstance(argument, TensorRef))
            stem = self._stems.get(source.layer, f"{source.layer}_{'unmasked' if type_ == 'Copy' else 'mask'}")
            name = self._names.take(stem)
            self._stems[name] = stem
            self.layers[name] = Layer(name, type_, "operation", config)
            self._before.setdefault(call.layer, []).append(self.layers[name])
            given = (list(args),) if len(args) > 1 and config else args  # tensors that are joined along an axis
            self._calls[name, 0] = Call(name, 0, given, {})
            self._written[key] = TensorRef(name)
        return self._written[key]
