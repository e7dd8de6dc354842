"""What the rows of a report add up to, and what is said where not all of it is known."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from layerexplain.model import Model, Note
from layerexplain.network.dtypes import BYTES
from layerexplain.ops.sizes import total
from layerexplain.report.data import LayerReport, Totals
from layerexplain.suggest import in_a_row

UNKNOWN_TOTALS = Totals(None, None, None, None, None, None)


def is_complete(model: Model) -> bool:
    """Return whether a model lists all that it has: one that is made by code may have more than the file tells of,
    unless what the file tells is all that it stores."""
    if model.layers and all(layer.is_stored for layer in model.layers):
        return True
    if any(note.code in ("layers-from-weights", "no-call", "no-forward") for note in model.notes):
        return True
    if model.grade == "open" and not model.calls:
        return False
    return bool(model.calls) or model.type in ("Functional", "Sequential", "SavedModel", "Weights")


def totals(rows: Sequence[LayerReport], *, are_called: bool = True) -> Totals:
    """Return sums over rows of one depth; None if a row's number is unknown. What modules cost is not known where
    nothing shows what calls them."""
    sums = Totals(
        params=total([row.params for row in rows]),
        trainable=total([row.trainable for row in rows]),
        non_trainable=total([row.non_trainable for row in rows]),
        bytes=weight_bytes(rows),
        macs=total([row.macs for row in rows]),
        flops=total([row.flops for row in rows]),
    )
    return sums if are_called else sums._replace(macs=None, flops=None)


def weight_bytes(rows: Sequence[LayerReport]) -> int | None:
    """Return what the weights of rows of one depth take in bytes, buffers of PyTorch included; None if that of one is
    unknown."""
    size = 0
    for row in rows:
        if row.params is None:
            return None
        for weight in row.weights:
            if weight.dtype not in BYTES:
                return None
            size += prod([axis for axis in weight.shape if axis is not None]) * BYTES[weight.dtype]
    return size


def partial_totals(rows: Sequence[LayerReport]) -> list[Note]:
    """Return notes on what layers are not in the totals, and what the others come to; none where nothing would be
    told."""
    found: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for number, words in (("params", "parameters"), ("macs", "MACs"), ("flops", "FLOPs")):
        missing = tuple([row.layer for row in rows if getattr(row, number) is None])
        rest = sum([getattr(row, number) or 0 for row in rows])
        if missing and rest:
            found.setdefault(missing, []).append((words, rest))
    notes = []
    for missing, reasons in found.items():
        names = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
        what, rest = in_a_row([words for words, _ in reasons]), in_a_row([f"{rest:,}" for _, rest in reasons])
        notes.append(Note("partial-total", None, f"{what} of {names} are not known; those of the others are {rest}"))
    return notes
