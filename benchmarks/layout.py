"""Holds the layout of graphs against two others, on twelve models: crossings of lines, and width.

    pip install fast-sugiyama==0.5.3 graphlay==0.3.1     # by hand; the program does not need them
    python benchmarks/layout.py [--whole] [MODEL …]

Each graph is laid out as a page shows it, with what repeats folded and all boxes closed, or with `--whole` as it is,
and then a chain with skip connections of 10,000 layers is timed. Boxes have the same sizes in all three layouts,
graphlay's orthogonal one has our distances. A crossing is a point at which the lines of two pairs of boxes cross,
counted by one function for all three; what two lines of one box cross together counts twice. fast-sugiyama knows no
widths of boxes, so that widths are held against graphlay's alone. docs/internals/performance.md has results;
1 where ours crosses more than fast-sugiyama's, is wider than graphlay's by more than a tenth, or takes more than 2 s.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import layerexplain  # noqa: E402
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, graph_of, open_boxes  # noqa: E402
from layerexplain.render.graph.fold import fold  # noqa: E402
from layerexplain.render.graph.layout import BETWEEN_BOXES, BETWEEN_LINES, layout  # noqa: E402
from layerexplain.render.graph.svg import size_of, width_of  # noqa: E402
from tests.truth import load  # noqa: E402

Point = tuple[float, float]
Way = Sequence[Point]

APPLICATIONS = (
    "ResNet50", "ResNet50V2", "InceptionV3", "InceptionResNetV2", "NASNetMobile", "EfficientNetB0", "EfficientNetV2B0",
    "DenseNet121", "MobileNetV3Small", "Xception",
)  # fmt: skip
LARGE = 10_000
LONGEST = 2.0
"""So many seconds the layout of a large graph may take."""


def main() -> None:
    wanted = [name for name in sys.argv[1:] if name != "--whole"]
    whole = "--whole" in sys.argv
    lost = False
    print("| model | boxes, lines | crossings: ours | fast-sugiyama | graphlay | width: ours | graphlay |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name, source in models():
        if wanted and name not in wanted:
            continue
        graph = graph_of(layerexplain.explain(source, detail=False).layers, nested=True)
        graph = open_boxes(graph if whole else fold(graph), 0)
        ours, width = of_ours(graph)
        crossed, other = crossings(ours), crossings(of_fast_sugiyama(graph))
        theirs, their_width = of_graphlay(graph)
        lost |= crossed > other or width > 1.1 * their_width
        size = f"{len(graph.nodes)}, {len(ours)}"
        print(f"| {name} | {size} | {crossed} | {other} | {crossings(theirs)} | {width:.0f} | {their_width:.0f} |")
    if not wanted:
        graph = large()
        start = time.process_time()
        of_ours(graph)
        took = time.process_time() - start
        lost |= took > LONGEST
        print(f"{LARGE:,} layers: {took:.2f} s of processor time")
    raise SystemExit(lost)


def models() -> Iterable[tuple[str, Any]]:
    for name in APPLICATIONS:
        yield name, load("keras3", name)["config"].encode()
    yield "transformer", str(ROOT / "sample_models" / "transformer.json")
    yield "U-Net", u_net().encode()


def u_net() -> str:
    """Four levels down and up again, two convolutions at each, as a spec."""
    rows = ["input: [128, 128, 3]", "layers:"]

    def convolution(name: str, level: int) -> None:
        rows.append(f"  - Conv2D: {{filters: {16 << level}, kernel_size: 3, padding: same}}\n    name: {name}")

    for level in range(4):
        convolution(f"down{level}_a", level)
        convolution(f"down{level}_b", level)
        rows.append(f"  - MaxPooling2D: 2\n    name: pool{level}")
    convolution("bottom", 4)
    for level in reversed(range(4)):
        rows.append(f"  - Conv2DTranspose: {{filters: {16 << level}, kernel_size: 2, strides: 2}}\n    name: up{level}")
        rows.append(f"  - Concatenate: {{}}\n    name: join{level}\n    from: [up{level}, down{level}_b]")
        convolution(f"conv{level}_a", level)
        convolution(f"conv{level}_b", level)
    return "\n".join(rows) + "\n"


def large() -> Diagram:
    """A chain in which each fifth layer adds what stood four before it."""
    nodes = [GraphNode(f"layer_{at}", ("Dense",), makes="64") for at in range(LARGE)]
    edges = [GraphEdge(a.name, b.name) for a, b in pairwise(nodes)]
    edges += [GraphEdge(f"layer_{at - 4}", f"layer_{at}") for at in range(5, LARGE, 5)]
    return Diagram(tuple(nodes), tuple(edges))


def of_ours(graph: Diagram) -> tuple[list[Way], float]:
    placed = layout(graph, size_of, lambda text: width_of(text, 10))
    return [line.points for line in placed.lines], placed.width


def of_fast_sugiyama(graph: Diagram) -> list[Way]:
    """Straight lines from vertex to vertex, those of long lines included."""
    from fast_sugiyama import from_edges

    number = {node.name: at for at, node in enumerate(graph.nodes)}
    pairs = dict.fromkeys((number[edge.source], number[edge.target]) for edge in graph.edges)
    ways: list[Way] = []
    for places, _, _, edges in from_edges(list(pairs), dummy_vertices=True, check_layout=False):
        at = dict(places)
        ways += [(at[a], at[b]) for a, b in edges or ()]
    return ways


def of_graphlay(graph: Diagram) -> tuple[list[Way], float]:
    import graphlay

    made = graphlay.Graph()
    for node in graph.nodes:
        size = size_of(node)
        made.node(node.name, width=size.across, height=size.along)
    for source, target in dict.fromkeys((edge.source, edge.target) for edge in graph.edges):
        made.edge(source, target)
    spacing = {"node_gap": BETWEEN_BOXES, "dummy_gap": BETWEEN_LINES, "isolated_gap": BETWEEN_BOXES}
    found = graphlay.layout(made, options={"direction": "topbottom", "spacing": spacing})
    ways = [[(point["x"], point["y"]) for point in edge["points"]] for edge in found.edges]
    return ways, found.bounds["max"]["x"] - found.bounds["min"]["x"]


def crossings(ways: Sequence[Way]) -> int:
    """At how many points the lines cross; where they meet at an end of one, or run on one another, they do not."""
    pieces = [(way, a, b) for way, points in enumerate(ways) for a, b in pairwise(points) if a != b]
    pieces.sort(key=lambda piece: min(piece[1][1], piece[2][1]))
    open_pieces: list[tuple[int, Point, Point]] = []
    count = 0
    for way, a, b in pieces:
        top = min(a[1], b[1])
        open_pieces = [piece for piece in open_pieces if max(piece[1][1], piece[2][1]) >= top]
        count += sum([way != other and _cross(a, b, c, d) for other, c, d in open_pieces])
        open_pieces.append((way, a, b))
    return count


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    if max(a[0], b[0]) <= min(c[0], d[0]) or max(c[0], d[0]) <= min(a[0], b[0]):
        return False
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    turned = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0.0 if abs(turned) < 1e-6 else turned


if __name__ == "__main__":
    main()
