"""Weights that are read in part: `W[ids]` with ids from a choice of the largest values, as for experts."""

from __future__ import annotations

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import ITEM, OPS, Expr


def used_share(definition: Definition, weight: Expr) -> tuple[int, int]:
    """Return how many parts of a weight each position reads, and how many there are; (1, 1) for one that is read
    whole."""
    readers = [node for node in definition.order if weight in node.args]
    counts = [_chosen(node, weight) for node in readers]
    if not counts or any(count is None for count in counts):
        return 1, 1
    return max([count for count in counts if count is not None]), int(weight.shape[0])


def _chosen(node: Expr, weight: Expr) -> int | None:
    """Return how many parts a lookup reads for each position; None where the node reads the weight in another way."""
    if node.op is not OPS["take"] or node.args[0] is not weight:
        return None
    ids = node.args[1]
    is_choice = ids.op is ITEM and ids.args[0].op is OPS["top_k"]
    return int(ids.shape[-1]) if is_choice else None
