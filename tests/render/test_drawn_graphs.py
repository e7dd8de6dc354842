"""Graphs that are written down as SVG, DOT and Mermaid, whole.

`pytest --update-snapshots` writes what is drawn now to tests/snapshots/drawn; read the difference, and look at the SVG.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from layerexplain.render.graph.diagram import open_boxes
from layerexplain.render.graph.dot import dot
from layerexplain.render.graph.fold import fold
from layerexplain.render.graph.svg import svg
from layerexplain.render.layout import Look
from layerexplain.render.mermaid import mermaid
from tests.support.drawn_graphs import GRAPHS

# Name, down to which depth boxes are open, theme, whether it runs from left to right.
PICTURES = [
    ("repeated 3", 0, "light", False), ("repeated 7", 1, "dark", True), ("channels in turn", 1, "light", False), ("residual", 0, "light", False), ("residual", 1, "light", True),
    ("residual without names", 0, "dark", False), ("mixed and small 0", 0, "light", False), ("mixed and small 1", 0, "light", True), ("mixed and small 2", 1, "light", False),
    ("U-Net", 0, "light", False), ("U-Net", 0, "dark", True), ("nested", 2, "light", False), ("mixed 3", 0, "light", False), ("cells of 6", 0, "light", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "depth", "theme", "horizontal"), PICTURES)
def test_a_graph_is_drawn_as_svg_as_before(
    name: str, depth: int, theme: str, horizontal: bool, snapshot: Callable[[str, str], None]
) -> None:
    picture = svg(open_boxes(fold(GRAPHS[name]()), depth), theme, horizontal)
    ElementTree.fromstring(picture)
    way = "across" if horizontal else "down"
    snapshot(f"drawn/{name} {depth} {theme} {way}.svg", picture)


@pytest.mark.parametrize(
    ("name", "depth", "horizontal"), [("residual", 0, False), ("nested", 2, True), ("repeated 3", 1, False)]
)
def test_a_graph_is_written_as_dot_and_mermaid_as_before(
    name: str, depth: int, horizontal: bool, snapshot: Callable[[str, str], None]
) -> None:
    graph = open_boxes(fold(GRAPHS[name]()), depth)
    for ascii_only in (False, True):
        end = "ascii" if ascii_only else "unicode"
        snapshot(f"drawn/{name} {depth} {end}.dot", dot(graph, horizontal, ascii_only))
        snapshot(f"drawn/{name} {depth} {end}.mmd", mermaid(graph, Look(ascii=ascii_only), horizontal))
