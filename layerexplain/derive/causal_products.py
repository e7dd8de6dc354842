"""Products of attention that a causal mask makes needless: they are computed, and what they give is not used.

Scores of a query with a later key, or with one beyond the window, count as -∞: neither the score nor the key's share of
the value needs to be computed.
"""

from __future__ import annotations

from layerexplain.lang.axes import has_batch, smaller
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, NO_MACS, Expr
from layerexplain.ops.sizes import product

CAUSAL = "causal"


def is_causal(definition: Definition) -> bool:
    """Return whether a formula has a causal mask."""
    return bool(_masks(definition))


def window_of(definition: Definition) -> int | None:
    """Return the window of a formula's causal mask; None where it has none."""
    windows = [node.attrs["definition"].attrs.get("window") for node in _masks(definition)]
    return windows[0] if windows else None


def needless_products(definition: Definition) -> int | None:
    """Return how many multiply-accumulates of a formula a causal mask makes needless, per example; None where sizes
    are not known."""
    total = 0
    for mask in _masks(definition):
        queries, keys = mask.shape[-2:]
        if not isinstance(queries, int) or not isinstance(keys, int):
            return None
        most = smaller(keys, mask.attrs["definition"].attrs.get("window") or keys)
        rising = smaller(queries, most)  # query i reads i + 1 keys, up to the most
        twice_needed = rising * (rising + 1) + 2 * (queries - rising) * rising
        for node in _products(definition, mask):
            macs = product([size for factor in node.op.cost(node) for size in factor.sizes]) or 0
            total += macs * (2 * queries * keys - twice_needed) // (2 * queries * keys)
    return total


def _masks(definition: Definition) -> list[Expr]:
    return [node for node in definition.order if node.op is CALL and node.attrs["definition"].name == CAUSAL]


def _products(definition: Definition, mask: Expr) -> list[Expr]:
    """Return the contractions that make the scores, and those that read the shares."""
    found: list[Expr] = []
    waiting = [*mask.args]
    while waiting:
        node = waiting.pop()
        if node.op.cost is not NO_MACS and node.op is not CALL and node.args:
            found.append(node)
        elif node.ndim >= mask.ndim - 1 and has_batch(node.shape):  # sums, quotients, caps
            waiting += node.args
    passed = {mask}
    for node in definition.order:
        if not any(arg in passed for arg in node.args):
            continue
        if node.op.cost is not NO_MACS and node.op is not CALL:
            found.append(node)
        else:
            passed.add(node)
    return list(dict.fromkeys(found[: _first_reader(found, mask)]))


def _first_reader(found: list[Expr], mask: Expr) -> int:
    """Return how many are made before the shares were read once: what follows reads what attention gives."""
    after = [place for place, node in enumerate(found) if node.serial > mask.serial]
    return after[0] + 1 if after else len(found)
