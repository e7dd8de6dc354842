"""The named sizes of a model in the data of its page: what sliders put into it.

- `sizes`: `[name, lowest, highest, step, example, words]` of each.
- `nodes`: how sizes are computed (lang/open_sizes.py).
- `conditions`: where shapes and counts hold; `explained`: where all that is said holds.
- `shown`: the data of the page with marks for sizes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import gcd
from typing import Any

from layerexplain.lang.open_sizes import MARKS, Condition, Node, marked
from layerexplain.render.escape import clean
from layerexplain.report.data import Report

_HIGHEST = 512
_NODE = re.compile(f"(?<=[{MARKS[0]}{MARKS[2]}])[0-9]+")


def open_data(report: Report, data_of: Callable[[Report], dict[str, Any]]) -> dict[str, Any] | None:
    """Return the sizes of a report with names and what the page shows for any numbers in their place; None for a report
    with numbers, or where no size may be another one. `data_of` makes the data of a page."""
    again = report.again
    if again is None:
        return None
    shown = marked(data_of(again.report))
    examples = {size.name: size.example for size in report.sizes}
    sliders: list[tuple[str, int, int, int, int, str]] = []
    for size in report.sizes:
        taken = [
            value
            for value in range(1, _HIGHEST + 1)
            if again.recording.sizes.hold(again.conditions, {**examples, size.name: value}, {})
        ]
        low, high = (taken[0], taken[-1]) if taken else (size.example, size.example)
        step = gcd(*[b - a for a, b in pairwise(taken)]) or 1
        sliders.append((clean(size.name), low, high, step, size.example, clean(size.takes)))
    explained = again.recording.conditions
    nodes = used_nodes(again.recording.sizes.nodes, [*again.conditions, *explained], shown)
    is_moved = any(low < high for _, low, high, *_ in sliders)
    return (
        {"sizes": sliders, "nodes": nodes, "conditions": again.conditions, "explained": explained, "shown": shown}
        if is_moved
        else None
    )


def used_nodes(nodes: Sequence[Node], conditions: Iterable[Condition], shown: Any) -> list[Node]:
    """Return nodes with 0 for those that neither conditions nor marks name, nor what is computed of them."""
    used = {condition[1] for condition in conditions}
    used.update(map(int, _NODE.findall(json.dumps(shown, ensure_ascii=False))))
    # A node is behind those that it is computed of.
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        if at in used and isinstance(node, tuple):
            used.update(node[1:])
    return [node if at in used else 0 for at, node in enumerate(nodes)]
