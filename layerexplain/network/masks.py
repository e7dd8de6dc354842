"""Which mask each call of a layer sees, and which layers would use a mask but get none.

Keras gives a layer its mask in two ways. One that takes a single tensor and has a `mask` argument (recurrent layers,
wrappers, pooling) gets the mask that the tensor had when the model was built. All others look at what their tensors
carry when the model runs. And Keras 3's MultiHeadAttention takes the masks off its query, value and key while it runs,
off the very tensors that go to other layers too: an Add behind it, in a transformer that normalizes last, sees one mask
where there were two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from layerexplain.call_binding import BoundCall
from layerexplain.errors import in_a_row
from layerexplain.frontends.model_builder import in_order
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import facts_of
from layerexplain.model import Call, CallKey, Layer, Model, TensorRef, keeps_state
from layerexplain.network.recorded_shapes import NO_MASK, Mask, RecordedTensor, Tensors
from layerexplain.network.traced import LostMask, MaskSource, Network, TracedCall
from layerexplain.ops.sizes import product

# Masks --------------------------------------------------------------------------------------------------------------


class Masks:
    """The masks of one walk: `lost` are the tensors whose mask was taken off at this point of the run, `late` those
    that had none when the model was built and have one when it runs: what a nested model makes, and what is made of
    that."""

    def __init__(self, tensors: Tensors, *, keras_2: bool) -> None:
        self._tensors = tensors
        self._keras_2 = keras_2
        self._is_noted = False
        self.lost: set[TensorRef] = set()
        self.late: set[TensorRef] = set()

    def passes_through(self, declaration: Declaration) -> bool:
        """Return whether a layer hands on the mask of its first tensor."""
        return declaration.mask == "pass" and not (self._keras_2 and declaration.facts.loses_mask_keras_2)

    def when_built(self, bound: BoundCall, tensors: Sequence[RecordedTensor | None]) -> Iterator[Mask]:
        """Yield the mask of each tensor when the model was built: the one that the call names, else its own."""
        for i, t in enumerate(tensors):
            ref = bound.masks.get(i)
            explicit = self._tensors.get(ref)
            if explicit is not None and ref is not None:
                yield Mask(explicit.expr, ref.layer)
            elif t is None or (i in bound.masks and ref is None):
                yield NO_MASK
            else:
                yield t.mask

    def when_run(self, declaration: Declaration, bound: BoundCall, masks: list[Mask]) -> list[Mask]:
        """Return those of them that the call sees when it runs."""
        if not self.lost:
            return masks
        return [NO_MASK if self._is_lost(declaration, bound, i) else mask for i, mask in enumerate(masks)]

    def passed_over(self, declaration: Declaration, bound: BoundCall, masks: list[Mask]) -> Mask | None:
        """Return the mask that Keras 3 does not give to a recurrent layer, though it hands it on: with an initial_state
        the call has several tensors, and Keras then looks for `sequences_mask`, which no layer takes. Keras 2 gives
        it."""
        if not declaration.takes_states or self._keras_2 or 0 in bound.masks:
            return None
        if masks[0].expr is None or len([ref for ref in bound.tensors if ref is not None]) < 2:
            return None
        return masks[0]

    def taken_off_words(self, masks: list[Mask], seen: list[Mask]) -> str | None:
        """Return what to say of the first call of a model that does not see a mask; None for the others."""
        if self._is_noted:
            return None
        self._is_noted = True
        source = next(had.source for had, sees in zip(masks, seen, strict=True) if sees.expr is None and had.source)
        return (
            f"the mask of '{source}' does not reach it, nor the layers that read its output: Keras's "
            "MultiHeadAttention removes the mask from its query, value and key when it runs, and other layers read "
            "the same tensors"
        )

    def keep_lost(
        self,
        ref: TensorRef,
        declaration: Declaration,
        layer: Layer,
        bound: BoundCall,
        tensors: Sequence[RecordedTensor | None],
        masks: list[Mask],
    ) -> None:
        """Keep, for what a call makes that does not see one of its `masks`, the mask that it had when it was built."""
        out = self._tensors.get(ref)
        if out is None or out.mask.expr is not None:
            return
        mask: Expr | None = None
        refs = [*bound.tensors, *[None] * len(masks)]
        had = [None if refs[i] in self.late and i not in bound.masks else m.expr for i, m in enumerate(masks)]
        if self.passes_through(declaration):
            mask = had[0]
        elif callable(declaration.mask):
            arguments: dict[str, Any] = {
                **declaration.default_values,
                **declaration.bind({**layer.config, **bound.config}),
            }
            mask = declaration.mask([t.expr for t in tensors if t is not None], had, arguments)
        if mask is not None:
            source = next((m.source for m in masks if m.expr is not None), None)
            self._tensors[ref] = out._replace(mask=Mask(mask, source))
            self.lost.add(ref)

    def after(
        self, declaration: Declaration, bound: BoundCall, masks: list[Mask], results: Sequence[TensorRef]
    ) -> None:
        """Take note of a call that has run, and took masks off its tensors or made late ones."""
        if self.late.intersection(bound.tensors):
            self.late.update(results)
        if declaration.facts.takes_masks_off and not self._keras_2:
            masked = [ref for ref, mask in zip(bound.tensors, masks, strict=True) if mask.expr is not None]
            self.lost.update(ref for ref in masked[:3] if ref is not None)

    def _is_lost(self, declaration: Declaration, bound: BoundCall, i: int) -> bool:
        ref = bound.tensors[i] if i < len(bound.tensors) else None
        if ref not in self.lost:
            return False
        named = i in bound.masks or (declaration.reads_mask and len(bound.tensors) == 1)
        # MultiHeadAttention reads the mask of its query off the tensor, whatever it is given.
        return not named or (declaration.facts.takes_masks_off and i == 0)


def mask_sources(bound: BoundCall, masks: Sequence[Mask], count: int) -> tuple[MaskSource, ...]:
    """Return where the first `count` of the masks that a call has come from."""
    sources = []
    for i, mask in enumerate(masks):
        ref = bound.masks.get(i)
        carrier = bound.tensors[i]
        if mask.expr is not None and ref is not None:
            sources.append(MaskSource(ref, carried=False))
        elif mask.expr is not None and carrier is not None:
            sources.append(MaskSource(carrier, carried=True))
    return tuple(sources[:count])


def as_keras_runs(model: Model, calls: list[Call]) -> list[Call]:
    """Return calls that stand in a possible order, in Keras's own where it matters which goes first: by their distance
    from the outputs, and by a walk from these where that is the same. Source: keras.src.ops.function.map_graph."""
    types = dict.fromkeys([layer.type for layer in model.layers if layer.kind == "layer"])
    takes_off = any(facts_of(type_).takes_masks_off for type_ in types)
    return in_keras_order(model, calls) if takes_off or shares_states(model, calls) else calls


def shares_states(model: Model, calls: Iterable[Call]) -> bool:
    """Return whether a layer that keeps its state between calls may be called more than once in one run."""
    return any(call.index for call in calls) and any(map(keeps_state, model.layers))


def in_keras_order(model: Model, calls: list[Call]) -> list[Call]:
    """Return calls in the order in which Keras runs them; see `as_keras_runs`."""
    by_key = {call.key: call for call in calls}
    depths: dict[tuple[str, int], int] = {}
    of_layers: dict[str, int] = {}
    outputs = [by_key[ref.key] for ref in model.outputs if ref.key in by_key]
    for call in reversed(in_order(model, outputs)):
        key = call.key
        depth = max(depths.setdefault(key, 0), of_layers.get(key[0], 0))
        depths[key] = of_layers[key[0]] = depth
        for ref in call.refs:
            depths[ref.key] = max(depth + 1, depths.get(ref.key, 0))
    places = {key: i for i, key in enumerate(sorted(depths, key=lambda key: -depths[key]))}
    return sorted(calls, key=lambda call: places.get(call.key, len(places)))


# Lost masks ---------------------------------------------------------------------------------------------------------
# Masks that end at a layer although a later one would use them: Keras 3 warns that the layer destroys the mask.

_MOST_NAMED = 3


def lost_masks(network: Network, tensors: Tensors) -> dict[str, LostMask]:
    """Return, by the name of each layer that loses a mask, where that comes from and which later layers miss it.

    A layer loses the mask that reaches it where it neither computes with it nor hands it on. A layer that returns the
    last step of a sequence has used it, and loses none.
    """
    masks: dict[str, LostMask] = {}
    for call in network.calls:
        if call.mask is not None and call.name not in masks and _loses(call, tensors):
            masks[call.name] = LostMask(call.mask, tuple(dict.fromkeys(_missed_after(call, network))))
    return masks


def lost_words(lost: LostMask) -> str:
    """Return what follows from a lost mask, for the layer that loses it.

    >>> lost_words(LostMask("embedding", ("lstm",)))
    "lost here; therefore 'lstm' also reads the padding"
    >>> lost_words(LostMask("embedding", tuple("abcde")))
    "lost here; therefore 'a', 'b', 'c' and 2 more also read the padding"
    >>> lost_words(LostMask("embedding", ()))
    'this layer ignores the mask, which ends here'
    """
    if not lost.readers:
        return "this layer ignores the mask, which ends here"
    names = [f"'{name}'" for name in lost.readers[:_MOST_NAMED]]
    if len(lost.readers) > _MOST_NAMED:
        names.append(f"{len(lost.readers) - _MOST_NAMED} more")
    return f"lost here; therefore {in_a_row(names)} also read{'s' * (len(names) == 1)} the padding"


def _loses(call: TracedCall, tensors: Tensors) -> bool:
    if any(t is not None and t.mask.expr is not None for t in map(tensors.get, call.results)):
        return False
    return bool(call.network.lost) if call.network is not None else not _computes_with_masks(call)


def _computes_with_masks(call: TracedCall) -> bool:
    """Return whether a layer leaves out what a mask marks, where it has one."""
    declaration = call.declaration
    if declaration is not None and declaration.mask == "pass" and declaration.holds and call.definition is not None:
        # A wrapper passes its mask to the layer inside it.
        declaration = getattr(call.definition.arguments.get(declaration.holds), "declaration", None)
    if declaration is None or declaration.facts.runs_code:
        return False
    return declaration.reads_mask or declaration.reads_masks


def _missed_after(start: TracedCall, network: Network) -> Iterable[str]:
    """Yield the layers behind a call that use masks but get none, as far as tensors have an axis of steps."""
    seen: set[CallKey] = set()
    waiting = [start]
    for call in waiting:
        if not _keeps_steps(call):
            continue
        for reader in network.readers(call):
            if reader.call.key in seen:
                continue
            seen.add(reader.call.key)
            waiting.append(reader)
            if reader.mask is None and reader.network is not None:
                yield from (f"{reader.name}/{name}" for name in _missed_inside(reader.network))
            elif reader.mask is None and _computes_with_masks(reader):
                yield reader.name


def _missed_inside(network: Network) -> Iterable[str]:
    inputs = set(network.model.inputs)
    for call in network.calls:
        if TensorRef(*call.call.key) in inputs:
            yield from _missed_after(call, network)


def _keeps_steps(call: TracedCall) -> bool:
    """Return whether what a call returns may still hold steps: as an axis, or flattened with all their values."""
    x, y = (next(iter(specs), None) for specs in (call.inputs, call.outputs))
    if y is None or len(y.shape) > 2:
        return True
    return x is not None and len(x.shape) > 2 and product(x.shape[1:]) == product(y.shape[1:])
