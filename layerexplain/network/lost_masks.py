"""Masks that end at a layer although a later one would use them: Keras 3 warns that the layer destroys the mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layerexplain.model import TensorRef
from layerexplain.network.recorded_shapes import Tensors
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple, grouped
from layerexplain.suggest import in_a_row

_MOST_NAMED = 3

_Readers = Mapping[tuple[str, int], Sequence[TracedCall]]


class LostMask(NamedTuple):
    """A mask that ends at a layer: the layer that made it, and the later ones that would have used it."""

    source: str
    readers: tuple[str, ...]


def lost_masks(calls: Sequence[TracedCall], tensors: Tensors) -> dict[str, LostMask]:
    """Return, by the name of each layer that loses a mask, where that comes from and which later layers miss it.

    A layer loses the mask that reaches it where it neither computes with it nor hands it on. A layer that returns the
    last step of a sequence has used it, and loses none.
    """
    found: dict[str, LostMask] = {}
    after = _readers(calls)
    for made in calls:
        name = made.call.layer
        if made.mask is not None and name not in found and _loses(made, tensors):
            found[name] = LostMask(made.mask, tuple(dict.fromkeys(_missed_after(made, after))))
    return found


def lost_words(lost: LostMask) -> str:
    """Return what follows from a lost mask, for the layer that loses it.

    >>> lost_words(LostMask("embedding", ("lstm",)))
    "lost here; 'lstm', further on, therefore reads the padding too"
    >>> lost_words(LostMask("embedding", tuple("abcde")))
    "lost here; 'a', 'b', 'c' and 2 more, further on, therefore read the padding too"
    >>> lost_words(LostMask("embedding", ()))
    'this layer ignores the mask, which ends here'
    """
    if not lost.readers:
        return "this layer ignores the mask, which ends here"
    names = [f"'{name}'" for name in lost.readers[:_MOST_NAMED]]
    if len(lost.readers) > _MOST_NAMED:
        names.append(f"{len(lost.readers) - _MOST_NAMED} more")
    return f"lost here; {in_a_row(names)}, further on, therefore read{'s' * (len(names) == 1)} the padding too"


def _loses(made: TracedCall, tensors: Tensors) -> bool:
    results = [tensors.get(TensorRef(made.call.layer, made.call.index, i)) for i in range(len(made.outputs))]
    if any(t is not None and t.mask.expr is not None for t in results):
        return False
    return bool(made.network.lost) if made.network is not None else not _computes_with_masks(made)


def _computes_with_masks(made: TracedCall) -> bool:
    """Whether a layer leaves out what a mask marks, where it has one."""
    declaration = made.declaration
    if declaration is not None and declaration.mask == "pass" and declaration.holds and made.definition is not None:
        # A wrapper that hands its mask on gives it to what it wraps.
        declaration = getattr(made.definition.arguments.get(declaration.holds), "declaration", None)
    if declaration is None or declaration.facts.runs_code:
        return False
    return declaration.reads_mask or declaration.reads_masks


def _readers(calls: Sequence[TracedCall]) -> _Readers:
    """The calls that read what each call returns."""
    return grouped(
        (key, made) for made in calls for key in dict.fromkeys((ref.layer, ref.call) for ref in made.sources)
    )


def _missed_after(start: TracedCall, after: _Readers) -> Iterable[str]:
    """The layers behind a call that would compute with a mask and have none, as far as there are steps to mask."""
    seen: set[tuple[str, int]] = set()
    waiting = [start]
    for made in waiting:
        if not _keeps_steps(made):
            continue
        for reader in after.get((made.call.layer, made.call.index), ()):
            key = (reader.call.layer, reader.call.index)
            if key in seen:
                continue
            seen.add(key)
            waiting.append(reader)
            if reader.mask is None and reader.network is not None:
                yield from (f"{reader.call.layer}/{name}" for name in _missed_inside(reader.network))
            elif reader.mask is None and _computes_with_masks(reader):
                yield reader.call.layer


def _missed_inside(network: Network) -> Iterable[str]:
    after, inputs = _readers(network.calls), set(network.model.inputs)
    for made in network.calls:
        if TensorRef(made.call.layer, made.call.index) in inputs:
            yield from _missed_after(made, after)


def _keeps_steps(made: TracedCall) -> bool:
    """Whether what a call returns may still hold steps: as an axis, or flattened with all their values."""
    x, y = (next(iter(specs), None) for specs in (made.inputs, made.outputs))
    if y is None or len(y.shape) > 2:
        return True
    return x is not None and len(x.shape) > 2 and product(x.shape[1:]) == product(y.shape[1:])
