"""Folding of graphs that are written down: which nodes become one box, and what it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from layerexplain.render.graph.diagram import Diagram, GraphNode
from layerexplain.render.graph.fold import _part_of, fold, in_order, is_counted
from tests.support.drawn_graphs import GRAPHS


def parts(graph: Diagram) -> Iterator[str]:
    for node in graph.nodes:
        if node.copies:
            yield from [name for copy in node.copies for name in copy]
        else:
            yield node.name


@pytest.mark.parametrize("name", GRAPHS)
def test_every_node_is_in_one_box_and_boxes_make_no_circle(name: str) -> None:
    graph = GRAPHS[name]()
    folded = fold(graph)
    assert sorted(parts(folded)) == sorted(node.name for node in graph.nodes)
    order = [node.name for node in in_order(folded)]
    assert all(order.index(edge.source) < order.index(edge.target) for edge in folded.edges)
    assert not any(node.copies and any(graph.nodes[at].is_faulty for at in range(len(graph.nodes)) if graph.nodes[at].name in copy) for node in folded.nodes for copy in node.copies)  # fmt: skip
    assert sum(node.params for node in folded.nodes) == sum(node.params for node in graph.nodes)


COUNTED = [
    ("activation_7", "Activation", True), ("activation", "Activation", True), ("conv2d_3", "Conv2D", True), ("conv2d", "Conv2D", True), ("re_lu_2", "ReLU", True),
    ("batch_normalization_1", "BatchNormalization", True), ("conv", "Conv2D", False), ("block_conv", "Conv2D", False), ("activation_7", "Conv2D", False), ("Conv2D", "conv2d", True), ("7", "Activation", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "type_", "expected"), COUNTED)
def test_keras_counts_names_by_their_types(name: str, type_: str, expected: bool) -> None:
    assert is_counted(name, type_) is expected


PARTS = [
    (["conv2_block1_1_conv", "conv2_block1_1_bn"], "conv2_block1_1"), (["conv2_block1_conv", "conv2_block2_conv"], "conv2"), (["stem_conv", "stem_bn"], ""),
    (["a1_x", "b1_x"], ""), (["a1_x"], "a1"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "part"), PARTS)
def test_the_part_of_a_model_that_names_share(names: list[str], part: str) -> None:
    nodes = [GraphNode(name) for name in names]
    assert _part_of(nodes) == part
    assert _part_of([*nodes, nodes[0]._replace(is_input=True)]) == ""
