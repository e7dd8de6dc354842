"""Masks that end at a layer although a later one would use them: Keras 3 warns that the layer destroys the mask."""

from __future__ import annotations

from collections.abc import Iterable

from layerexplain.model import CallKey, TensorRef
from layerexplain.network.recorded_shapes import Tensors
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple
from layerexplain.suggest import in_a_row

_MOST_NAMED = 3


class LostMask(NamedTuple):
    """A mask that ends at a layer: the layer that made it, and the later ones that would have used it."""

    source: str
    readers: tuple[str, ...]


def lost_masks(network: Network, tensors: Tensors) -> dict[str, LostMask]:
    """Return, by the name of each layer that loses a mask, where that comes from and which later layers miss it.

    A layer loses the mask that reaches it where it neither computes with it nor hands it on. A layer that returns the
    last step of a sequence has used it, and loses none.
    """
    found: dict[str, LostMask] = {}
    for call in network.calls:
        if call.mask is not None and call.name not in found and _loses(call, tensors):
            found[call.name] = LostMask(call.mask, tuple(dict.fromkeys(_missed_after(call, network))))
    return found


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
        # A wrapper that hands its mask on gives it to what it wraps.
        declaration = getattr(call.definition.arguments.get(declaration.holds), "declaration", None)
    if declaration is None or declaration.facts.runs_code:
        return False
    return declaration.reads_mask or declaration.reads_masks


def _missed_after(start: TracedCall, network: Network) -> Iterable[str]:
    """Yield the layers behind a call that would use a mask and get none. Ends where no axis of steps is left."""
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
