"""What recurrent layers share: the loop over the steps, its masks, and which results come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.expr import BATCH, Expr, item, loop, named
from layerexplain.ops.elementwise import where
from layerexplain.ops.movement import reverse, take_slice, zeros


def recurrent_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Any:
    """A recurrent layer hands its mask on with whole sequences only; its states carry none."""
    mask = masks[0] if masks else None
    return mask if arguments.get("return_sequences") else None


def recur(
    cell: Callable[..., Sequence[Expr]],
    x: Expr,
    names: Sequence[str],
    sizes: Sequence[int],
    initial: Sequence[Expr],
    *,
    mask: Expr | None,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
) -> Mapping[str, Expr]:
    """Run `cell(x_t, *states) -> new states` over the steps of x; the first state is also the output.

    A masked step keeps the states; its output is the one before, or 0 with `zero_output_for_mask`.
    """
    if initial:
        states = dict(zip(names, initial, strict=True))
    else:
        states = {n: zeros(shape=(BATCH, size)) for n, size in zip(names, sizes, strict=True)}
    if go_backwards:
        x = named("xr", reverse(x))
    over = [x]
    # With a state given, a masked first step must give 0 as output but keep that state: two different things.
    apart = mask is not None and bool(initial) and not (zero_output_for_mask and return_sequences)
    if mask is not None:
        m = named("m", take_slice(mask, key=(Ellipsis, None)))
        over.append(named("mr", reverse(m)) if go_backwards else m)
    if apart:
        states["out"] = zeros(shape=(BATCH, sizes[0]))

    def step(*values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
        x_t = values[0]
        m_t = values[1] if mask is not None else None
        before = values[len(over) :]
        new = list(cell(x_t, *before[: len(names)]))
        output = new[0]
        if m_t is not None:
            kept = [named(f"{n}_kept", where(m_t, a, b)) for n, a, b in zip(names, new, before, strict=False)]
            if apart:
                output = where(m_t, new[0], before[-1])
                new = [*kept, output]
            else:
                output = where(m_t, new[0], 0.0) if zero_output_for_mask else kept[0]
                new = kept
        return new, {"y": output} if return_sequences else {}

    run = loop(step, over, states)
    count = len(states) + return_sequences
    parts = [run] if count == 1 else [item(run, i) for i in range(count)]
    last = parts[len(names)] if apart else parts[0]
    results = {"y": parts[-1] if return_sequences else last}
    if return_state:
        results.update(zip(names, parts, strict=False))
    return results
