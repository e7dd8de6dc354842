"""Parts of how a graph is folded and placed, each on a graph of a few boxes."""

from __future__ import annotations

from layerexplain.render.graph.diagram import Graph, GraphEdge, GraphNode
from layerexplain.render.graph.fold import _Folder
from layerexplain.render.graph.layout import Size, _best_drawing, layout


def test_two_boxes_of_one_beginning_have_different_titles() -> None:
    folder = _Folder([GraphNode(f"block_{letter}") for letter in "abcd"], [])
    assert [folder._box(at, at + 2, None).name for at in (0, 2)] == ["block", "block_c … block_d"]


def test_three_readers_of_the_same_three_cannot_be_drawn_without_a_crossing() -> None:
    sources = [[], [], [], [0, 1, 2], [0, 1, 2], [0, 1, 2]]  # the graph K3,3, which is not planar
    drawing = _best_drawing(sources, [Size(80, 30)] * 6, [40.0] * 6, [10.0] * 6)
    assert drawing.crossings() >= 1


def test_a_row_is_as_high_as_its_box_however_small() -> None:
    graph = Graph((GraphNode("a"), GraphNode("b")), (GraphEdge("a", "b"),))
    placed = layout(graph, lambda node: Size(80, 0.5 if node.name == "a" else 30), lambda _: 30.0)
    assert [(bottom - top) for top, bottom in placed.rows] == [0.5, 30]
