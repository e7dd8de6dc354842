"""Configurations that grow without end."""

from typing import Any

from tests.support.keras_configs import dense, entry, graph


def bomb(levels: int, calls: int) -> dict[str, Any]:
    """Models in models, each called several times by the one around it."""
    inner = graph([entry("i", [None, 4]), dense("d", 4, inbound_nodes=[[["i", 0, 0]]])], ["i", 0, 0], ["d", 0, 0])
    for _ in range(levels):
        nodes = [[["i", 0, 0]], *[[["n", number, 0]] for number in range(1, calls)]]
        layers = [entry("i", [None, 4]), {**inner, "name": "n", "inbound_nodes": nodes}]
        inner = graph(layers, ["i", 0, 0], ["n", calls, 0])
    return inner
