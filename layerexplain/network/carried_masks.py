"""Which tensors carry no mask any more when a model runs, though they had one when it was built.

Keras gives a layer its mask in two ways. One that takes a single tensor and has a `mask` argument (recurrent layers,
wrappers, pooling) gets the mask that the tensor had when the model was built. All others look at what their tensors
carry when the model runs. And Keras 3's MultiHeadAttention takes the masks off its query, value and key while it runs,
off the very tensors that go to other layers too: an Add behind it, in a transformer that normalizes last, sees one mask
where there were two.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.lang.expr import Expr
from layerexplain.layers.registry import Declaration, facts_of
from layerexplain.model import Call, Model, TensorRef
from layerexplain.network.binding import Bound, references

Mask = tuple[Expr | None, str | None]
"""A mask and the layer that it comes from."""


class CarriedMasks:
    """The tensors whose mask is `lost` at this point of the run, and those that had none when the model was built and
    have one when it runs (`late`): what a nested model makes, and what is made of that."""

    def __init__(self, *, keras2: bool) -> None:
        self.keras2 = keras2
        self.lost: set[TensorRef] = set()
        self.late: set[TensorRef] = set()
        self.told = False

    def seen(self, declaration: Declaration, bound: Bound, masks: list[Mask]) -> list[Mask]:
        """The masks that a call sees when it runs, of those that its tensors had when the model was built."""
        if not self.lost:
            return masks
        return [(None, None) if self._is_lost(declaration, bound, i) else mask for i, mask in enumerate(masks)]

    def when_built(self, bound: Bound, masks: list[Mask]) -> list[Expr | None]:
        """The masks that the tensors of a call had when the model was built."""
        refs = [*bound.tensors, *[None] * len(masks)]
        return [None if refs[i] in self.late and i not in bound.masks else mask for i, (mask, _) in enumerate(masks)]

    def words(self, masks: list[Mask], seen: list[Mask]) -> str | None:
        """What to say of the first call of a model that does not see a mask; None for the others."""
        if self.told:
            return None
        self.told = True
        source = next(name for (_, name), (mask, _) in zip(masks, seen, strict=True) if mask is None and name)
        return (
            f"the mask of '{source}' does not reach it, nor what takes its input from there: Keras's "
            "MultiHeadAttention takes the mask off its query, value and key when it runs, and these tensors go to "
            "other layers too"
        )

    def taken_off(self, declaration: Declaration, refs: Sequence[TensorRef | None]) -> None:
        """A call has run: if it is one that takes masks off its query, value and key, these have none from now on."""
        if declaration.facts.takes_masks_off and not self.keras2:
            self.lost.update(ref for ref in refs[:3] if ref is not None)

    def _is_lost(self, declaration: Declaration, bound: Bound, i: int) -> bool:
        ref = bound.tensors[i] if i < len(bound.tensors) else None
        if ref not in self.lost:
            return False
        named = i in bound.masks or (declaration.reads_mask and len(bound.tensors) == 1)
        # MultiHeadAttention reads the mask of its query off the tensor, whatever it is given.
        return not named or (declaration.facts.takes_masks_off and i == 0)


def as_keras_runs(model: Model, calls: list[Call]) -> list[Call]:
    """Calls that stand in a possible order, in Keras's own where it matters which goes first: by their distance from
    the outputs, and by a walk from these where that is the same. Source: keras.src.ops.function.map_graph.
    """
    if not any(facts_of(layer.type).takes_masks_off for layer in model.layers):
        return calls
    made = {(call.layer, call.index): call for call in calls}
    depths: dict[tuple[str, int], int] = {}
    of_layers: dict[str, int] = {}
    for key in reversed(_feeding_first(model, made)):
        depth = max(depths.setdefault(key, 0), of_layers.get(key[0], 0))
        depths[key] = of_layers[key[0]] = depth
        for other in _fed_by(made[key]):
            depths[other] = max(depth + 1, depths.get(other, 0))
    places = {key: i for i, key in enumerate(sorted(depths, key=lambda key: -depths[key]))}
    return sorted(calls, key=lambda call: places.get((call.layer, call.index), len(places)))


def _feeding_first(model: Model, made: dict[tuple[str, int], Call]) -> list[tuple[str, int]]:
    """The calls that the outputs depend on, each behind those that feed it, as a walk from the outputs meets them."""
    order: list[tuple[str, int]] = []
    done: set[tuple[str, int]] = set()
    for ref in model.outputs:
        stack = [((ref.layer, ref.call), False)]
        while stack:
            key, fed = stack.pop()
            if fed:
                order.append(key)
            elif key in made and key not in done:
                done.add(key)
                stack.append((key, True))
                stack += [(other, False) for other in reversed(_fed_by(made[key]))]
    return order


def _fed_by(call: Call) -> list[tuple[str, int]]:
    return [(ref.layer, ref.call) for ref in references((call.args, call.kwargs))]
