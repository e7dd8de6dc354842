"""Graphs of boxes that are written down, to be folded and drawn: what repeats, branches, has names, is nested."""

from __future__ import annotations

import random
from collections.abc import Callable

from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode

FAMILIES = {"Conv2D": "weights", "Dense": "weights", "BatchNormalization": "normal", "ReLU": "activation", "Activation": "activation", "Add": "join", "Concatenate": "join"}  # fmt: skip


class Drawn:
    """A graph that grows by a node at a time, which reads the last one unless others are named."""

    def __init__(self) -> None:
        self.nodes: list[GraphNode] = [GraphNode("input", type="InputLayer", is_input=True, makes="8")]
        self.edges: list[GraphEdge] = []
        self.number = 0

    def add(self, name: str, type_: str, *sources: str, size: int = 8, about: str = "", faulty: bool = False) -> str:
        node = GraphNode(
            name, (about or type_,), type_, str(size), size if FAMILIES.get(type_) == "weights" else 0,
            same=None if faulty else (type_, size, about), alike=None if faulty else type_, family=FAMILIES.get(type_, ""),
            is_faulty=faulty, work=(10 * size if FAMILIES.get(type_) == "weights" else 0, size),
        )  # fmt: skip
        for source in sources or (self.nodes[-1].name,):
            self.edges.append(GraphEdge(source, name, str(size)))
        self.nodes.append(node)
        return name

    def unit(self, name: str = "", size: int = 8, *sources: str) -> str:
        """A convolution, its normalization and its activation: by names, or by those that Keras counts."""
        self.number += 1
        if name:
            self.add(f"{name}_conv", "Conv2D", *sources, size=size)
            self.add(f"{name}_bn", "BatchNormalization", size=size)
            return self.add(f"{name}_relu", "ReLU", size=size)
        self.add(f"conv2d_{self.number}", "Conv2D", *sources, size=size)
        self.add(f"batch_normalization_{self.number}", "BatchNormalization", size=size)
        return self.add(f"re_lu_{self.number}", "ReLU", size=size)

    def graph(self) -> Diagram:
        return Diagram(tuple(self.nodes), tuple(self.edges))


def repeated(count: int, sizes: tuple[int, ...] = (8,), rates: bool = False) -> Diagram:
    drawn = Drawn()
    for number in range(count):
        drawn.add(f"conv{number}", "Conv2D", size=sizes[number % len(sizes)])
        drawn.add(f"drop{number}", "Dropout", size=sizes[number % len(sizes)], about=f"0.{number}" if rates else "")
    drawn.add("head", "Dense")
    return drawn.graph()


def residual(stages: tuple[int, ...], named: bool = True, plain: int = 0) -> Diagram:
    """Blocks with a shortcut; the first of a stage changes its channels."""
    drawn = Drawn()
    last = drawn.unit("stem" if named else "")
    for stage, count in enumerate(stages):
        for block in range(count):
            name, size = f"stage{stage}_block{block}" if named else "", 8 << stage
            drawn.unit(f"{name}_1" if named else "", size, last)
            end = drawn.unit(f"{name}_2" if named else "", size)
            short = (
                drawn.add(f"{name}_0_conv" if named else f"conv2d_s{stage}{block}", "Conv2D", last, size=size)
                if not block
                else last
            )
            last = drawn.add(f"{name}_add" if named else f"add_{stage}{block}", "Add", end, short, size=size)
    for number in range(plain):
        drawn.add(f"plain{number}", f"Type{number}")
    return drawn.graph()


def cells(count: int, least: int) -> Diagram:
    """Cells whose names end with their number, as NASNet's."""
    drawn = Drawn()
    before = last = "input"
    for cell in range(count):
        ends = []
        for part in range(least):
            drawn.add(f"activation_{cell}{part}", "Activation", last if part % 2 else before)
            is_conv = (7 * part + 3 * cell) % 5 > 0
            kind = "conv" if is_conv else "pool"
            ends.append(drawn.add(f"normal_{kind}_{part}_{cell}", "Conv2D" if is_conv else f"Pool{part}{cell}"))
        before, last = last, drawn.add(f"concat_{cell}", "Concatenate", *ends)
    return drawn.graph()


def mixed(seed: int, count: int) -> Diagram:
    """Modules with branches of drawn lengths and types, as Inception's, with names that Keras counts."""
    rng, drawn = random.Random(seed), Drawn()
    last = drawn.unit()
    for number in range(count):
        ends = []
        for branch in range(rng.choice((1, 2, 3, 4))):
            end = last
            for _ in range(rng.choice((1, 1, 2))):
                end = drawn.unit("", rng.choice((4, 8, 16)), end)
            if rng.random() < 0.3:
                end = drawn.add(f"pool_{number}_{branch}", f"Pool{rng.choice((1, 2, 3))}", end)
            ends.append(end)
        last = drawn.add(f"mixed{number}", "Concatenate", *ends) if len(ends) > 1 else ends[0]
        if rng.random() < 0.2:
            last = drawn.add(f"odd{number}", f"Odd{number}", last, faulty=rng.random() < 0.5)
    return drawn.graph()


def unet(depth: int, width: int) -> Diagram:
    drawn = Drawn()
    last, skips = "input", []
    for level in range(depth):
        for part in range(width):
            last = drawn.unit(f"down{level}_{part}", 8 << level, last)
        skips.append(last)
        last = drawn.add(f"pool{level}", "Pool", last, size=8 << level)
    for level in reversed(range(depth)):
        last = drawn.add(f"up{level}", "Up", last, size=8 << level)
        last = drawn.add(f"joined{level}", "Concatenate", skips[level], last, size=16 << level)
        for part in range(width):
            last = drawn.unit(f"again{level}_{part}", 8 << level, last)
    return drawn.graph()


def nested() -> Diagram:
    graph = residual((2,), plain=1)
    inner = graph.nodes[5]._replace(name="model", type="Functional", inner=repeated(4))
    return Diagram((*graph.nodes, inner), (*graph.edges, GraphEdge(graph.nodes[-1].name, "model")))


GRAPHS: dict[str, Callable[[], Diagram]] = {
    **{f"repeated {count}": (lambda count=count: repeated(count)) for count in (1, 2, 3, 7)},
    "channels that differ": lambda: repeated(4, (8, 16, 32, 64)), "channels in turn": lambda: repeated(6, (8, 16)), "rates that differ": lambda: repeated(4, rates=True),
    "residual": lambda: residual((3, 4)), "residual without names": lambda: residual((3, 4), named=False), "one block of each stage": lambda: residual((1, 1, 1, 1)),
    "residual, large": lambda: residual((2, 3, 3), named=False, plain=20), "residual with names, large": lambda: residual((2, 3, 3), plain=20),
    "cells of 6": lambda: cells(6, 6), "cells of 7": lambda: cells(6, 7), "cells of 8": lambda: cells(6, 8), "cells of 9": lambda: cells(9, 9),
    **{f"mixed {seed}": (lambda seed=seed: mixed(seed, 14)) for seed in range(8)}, **{f"mixed and small {seed}": (lambda seed=seed: mixed(seed, 4)) for seed in range(3)},
    "U-Net": lambda: unet(3, 2), "U-Net, large": lambda: unet(5, 3), "nested": nested,
}  # fmt: skip
