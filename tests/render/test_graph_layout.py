"""How a graph is folded and placed, each on a graph of a few boxes."""

from __future__ import annotations

from collections import Counter

import pytest

from layerexplain.render.graph import layout as placing
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode
from layerexplain.render.graph.fold import _commonest, _Folder
from layerexplain.render.graph.lanes import lanes_of
from layerexplain.render.graph.layout import BoxSize, _best_drawing, layout


def test_two_boxes_of_one_beginning_have_different_titles() -> None:
    folder = _Folder([GraphNode(f"block_{letter}") for letter in "abcd"], [])
    assert [folder._box(at, at + 2, None).name for at in (0, 2)] == ["block", "block_c … block_d"]


def test_three_readers_of_the_same_three_cannot_be_drawn_without_a_crossing() -> None:
    sources = [[], [], [], [0, 1, 2], [0, 1, 2], [0, 1, 2]]  # the graph K3,3, which is not planar
    drawing = _best_drawing(sources, [BoxSize(80, 30)] * 6, [40.0] * 6, [10.0] * 6)
    assert drawing.crossings() >= 1


def test_a_row_is_as_high_as_its_box_however_small() -> None:
    graph = Diagram((GraphNode("a"), GraphNode("b")), (GraphEdge("a", "b"),))
    placed = layout(graph, lambda node: BoxSize(80, 0.5 if node.name == "a" else 30), lambda _: 30.0)
    assert [(bottom - top) for top, bottom in placed.rows] == [0.5, 30]


def test_a_graph_of_nothing_takes_no_room() -> None:
    placed = layout(Diagram((), ()), lambda _: BoxSize(80, 30), lambda _: 30.0)
    assert (placed.width, placed.height, placed.rows, placed.boxes) == (0, 0, (), ())


@pytest.mark.parametrize(("types", "chain"), [("abcxabcy", None), ("abcxabcyabcz", ("a", "b", "c"))])
def test_a_chain_belongs_together_that_is_met_three_times(types: str, chain: tuple[str, ...] | None) -> None:
    assert _commonest(types, [(0, len(types))], Counter(types)) == chain


@pytest.mark.parametrize(
    ("sources", "trunk"),
    [
        ([[], [0], [1], [0]], [0, 1, 2]),  # a branch of one box beside one of two
        ([[], [0], [0], [2]], [0, 2, 3]),
        ([[], [0], [1], [0, 2], [3]], [0, 1, 2, 3, 4]),  # the line from 0 to 3 leaves rows out
    ],
)
def test_the_trunk_is_the_longest_path_from_row_to_row(sources: list[list[int]], trunk: list[int]) -> None:
    assert [node for node, lane in enumerate(lanes_of(sources).lanes) if lane == 0] == trunk


@pytest.mark.parametrize(
    ("sources", "others"),
    [
        ([[], [0], [1], [0, 2]], 0),
        ([[], [0], [0, 1], [1, 2], [3]], 1),  # no lines cross; both skips on one side are tried
        ([[], [0], [0], [], [0, 3], [0, 2, 3], [4], [], [6, 7], [4], [2], [], [0, 3]], 100),
    ],
)
def test_other_drawings_are_tried_where_lines_cross_and_no_more_than_a_hundred(
    sources: list[list[int]], others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(placing, "lanes_of", lambda *asked: tried.append(asked) or lanes_of(*asked))
    count = len(sources)
    _best_drawing(sources, [BoxSize(80, 30)] * count, [40.0] * count, [10.0] * count)
    assert len(tried) == 1 + others
