"""Folding on models whose blocks are known by the names of their layers: no box has a part of one and a part of another."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import layerexplain
from layerexplain.render.graph.diagram import Diagram, GraphNode, graph_of
from layerexplain.render.graph.fold import fold
from tests.truth import load

BLOCKS = {  # model: a pattern whose group is the block that a layer is of; at most so many boxes
    "ResNet50": (r"(conv\d_block\d+)_", 14),
    "ResNet101V2": (r"(conv\d_block\d+)_", 22),
    "EfficientNetB0": (r"(block\d[a-z])_", 29),
    "EfficientNetV2B0": (r"(block\d[a-z])_", 36),
    "MobileNet": (r"conv_(?:pw|dw|pad)_(\d+)", 60),
    "MobileNetV2": (r"(block_\d+)_", 24),
    "MobileNetV3Small": (r"(expanded_conv(?:_\d+)?)_(?=[a-z])", 40),
    "DenseNet121": (r"(conv\d_block\d+)_", 20),
    "Xception": (r"(block\d+)_", 30),
    "ConvNeXtTiny": (r"(convnext_tiny_stage_\d_block_\d+)_", 30),
    "InceptionResNetV2": (r"(block(?:17|35|8)_\d+)_", 20),
    "NASNetMobile": (r"(?:normal|reduction)_.*_(\d+)$", 40),
}


def copies(graph: Diagram) -> Iterator[tuple[GraphNode, Sequence[str]]]:
    for node in graph.nodes:
        for copy in node.copies:
            yield node, copy


@pytest.mark.parametrize("name", BLOCKS)
def test_no_box_has_parts_of_two_blocks(name: str) -> None:
    pattern, most = BLOCKS[name]
    graph = fold(
        graph_of(layerexplain.explain(load("keras3", name)["config"].encode(), detail=False).layers, nested=True)
    )
    assert len(graph.nodes) <= most
    blocks: dict[str, set[str]] = {}
    layers = [node.name for node in graph.nodes if not node.copies]
    for layer in [*layers, *[layer for _, copy in copies(graph) for layer in copy]]:
        if found := re.match(pattern, layer):
            blocks.setdefault(found[1], set()).add(layer)
    assert len(blocks) > 3
    straddles = [
        (node.name, sorted(parts))
        for node, copy in copies(graph)
        if len(parts := {block for block, own in blocks.items() if own & {*copy} and not own <= {*copy}}) > 1
    ]
    assert straddles == []


def test_the_blocks_of_a_language_model_are_one_box(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 24,
        "intermediate_size": 40, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 5,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "vocab_size": 101,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    graph = fold(graph_of(layerexplain.explain(str(tmp_path)).layers, nested=True))
    assert [len(node.copies) for node in graph.nodes if node.copies] == [5]
    assert [node.family for node in graph.nodes][1:] == ["weights", "weights", "normal", "weights"]
