"""Pictures of models: what is folded, where boxes and lines stand, and what SVG, DOT and Mermaid hold."""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

import layerexplain
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, graph_of, open_boxes
from layerexplain.render.graph.fold import fold
from layerexplain.render.graph.layout import Box, BoxSize, PlacedDiagram, layout
from layerexplain.render.graph.svg import size_of, svg, width_of
from tests.support.commands import invoke
from tests.support.paths import ROOT
from tests.truth import load

EVIL = (
    "<script>alert(1)</script>",
    'a"]; evil [label="x',
    "b\\",
    "--> c",
    "\x1b[31m\u202e",
    "x" * 3000,
    "&amp;",
    "]]>",
    "a\nb",
)

SAMPLES = ROOT / "sample_models"

ENCODER = """
input: {shape: [7], dtype: int32}
layers:
  - Embedding: {input_dim: 31, output_dim: 12}
%s
  - Dense: 3
"""
BLOCK = """  - MultiHeadAttention: {num_heads: 3, key_dim: 4}
    name: attention_%(n)d
    from: [%(x)s, %(x)s]
  - Add:
    name: add_%(n)d
    from: [%(x)s, attention_%(n)d]
  - LayerNormalization:
    name: norm_%(n)d
  - Dense: {units: %(units)d, activation: relu}
    name: wide_%(n)d
  - Dense: 12
    name: narrow_%(n)d
  - Add:
    name: sum_%(n)d
    from: [norm_%(n)d, narrow_%(n)d]
  - LayerNormalization:
    name: out_%(n)d
"""


def encoder(blocks: int, odd: int | None = None) -> Diagram:
    """A graph of so many blocks of seven layers, of which the `odd` one is wider."""
    parts = []
    for n in range(blocks):
        x = f"out_{n - 1}" if n else "embedding"
        parts.append(BLOCK % {"n": n, "x": x, "units": 23 if n == odd else 19})
    return graph_of(layerexplain.explain((ENCODER % "".join(parts)).encode(), detail=False).layers, nested=True)


def boxes(graph: Diagram) -> list[GraphNode]:
    return [node for node in graph.nodes if not node.port]


def names_in(graph: Diagram) -> list[str]:
    """The layers that a folded graph stands for, whatever they are inside of."""
    return [name for node in boxes(graph) for name in ([n for c in node.copies for n in c] or [node.name])]


def test_a_repeated_block_is_one_box_and_every_copy_stays_reachable() -> None:
    graph = encoder(12)
    folded = fold(graph)
    assert len(graph.nodes) == 2 + 12 * 7 + 1
    assert [(node.name, node.about[0]) for node in boxes(folded)] == [
        ("input", "InputLayer"), ("embedding", "Embedding"), ("attention_0 … out_11", "×12, 7 layers each"),
        ("dense", "Dense"),
    ]  # fmt: skip
    assert sorted(names_in(folded)) == sorted(node.name for node in graph.nodes)
    block = folded.nodes[2]
    assert [len(copy) for copy in block.copies] == [7] * 12
    assert block.inner is not None
    assert [node.name for node in boxes(block.inner)] == list(block.copies[0])


def test_copies_are_wired_as_the_first_one_is() -> None:
    """Unfolded by the rule that copies are alike, the graph is the one that was folded."""
    graph = encoder(5)
    block = next(node for node in fold(graph).nodes if node.copies)
    original = {(edge.source, edge.target) for edge in graph.edges}
    first, *others = block.copies
    outside = {edge.source for edge in graph.edges if edge.target in first and edge.source not in first}
    assert outside == {"embedding"}
    for before, copy in zip((first, *others), others, strict=False):
        place = dict(zip(first, copy, strict=True))
        feeds = {"embedding": before[-1]}
        wired = {(feeds.get(s) or place[s], place[t]) for s, t in original if t in first}
        assert wired == {(s, t) for s, t in original if t in copy}


@pytest.mark.parametrize("odd", range(6))
def test_nothing_unlike_is_folded(odd: int) -> None:
    """One layer of one block is wider: that block is in no pile of the same, and differs in channels alone."""
    folded = fold(encoder(6, odd))
    for node in boxes(folded):
        block = [copy for copy in node.copies if f"wide_{odd}" in copy]
        if len(node.copies) > 1 and block:
            assert "channels differ" in node.about[0]


def test_a_tensor_that_is_read_from_inside_ends_a_pile() -> None:
    chain = [GraphNode(f"{kind}{n}", same=kind) for n in range(5) for kind in "abc"]
    edges = [GraphEdge(x.name, y.name) for x, y in pairwise(chain)]
    end = GraphNode("end")
    last = [GraphEdge("c4", "end"), GraphEdge("b2", "end")]
    folded = fold(Diagram((*chain, end), (*edges, *last)))
    for node in folded.nodes:
        assert all("b2" not in copy for copy in node.copies[:-1]), node


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("horizontal", [False, True])
def test_no_line_crosses_a_box_and_no_boxes_overlap(seed: int, horizontal: bool) -> None:
    placed = drawn_graph(drawn(seed), horizontal)
    check_geometry(placed)


@pytest.mark.parametrize("seed", range(10))
def test_boxes_without_lines_stand_below_one_another(seed: int) -> None:
    graph = drawn(seed)
    lone = [GraphNode(f"lone_{at}" * (1 + at % 3), makes="7×5") for at in range(2 + seed)]
    alone = drawn_graph(Diagram(tuple(lone), ()), False)
    assert alone.width == max(size_of(node)[0] for node in lone)
    placed = drawn_graph(Diagram((*graph.nodes, *lone), graph.edges), False)
    check_geometry(placed)
    tops = [box.y for box in placed.boxes if box.node in lone]
    assert tops == sorted({*tops}) and len(tops) == len(lone)
    middles = {round(box.x + box.width / 2, 3) for box in placed.boxes if box.node in lone}
    assert len(middles) == 1


@pytest.mark.parametrize(
    "name",
    ["digits.keras", "resnet50.json", "transformer.json", "efficientnet_b0.json", "autoencoder_with_embedding.yaml"],
)
def test_samples_are_drawn(name: str) -> None:
    graph = graph_of(layerexplain.explain(str(SAMPLES / name), detail=False).layers, nested=True)
    for each in (open_boxes(graph, 3), open_boxes(fold(graph), 0), open_boxes(fold(graph), 3)):
        check_geometry(drawn_graph(each, False))


def wide(seed: int, count: int) -> Diagram:
    """A random graph that is too large for drawings to be tried: branches that are joined, and long connections."""
    generator = random.Random(seed)
    pairs = {(at - 1, at) for at in range(1, count)}
    for at in range(6, count):
        pairs |= {(at - generator.randrange(1, 6), at)} if generator.random() < 0.5 else set()
    pairs |= {tuple(sorted(generator.sample(range(count), 2))) for _ in range(count // 9)}
    nodes = tuple([GraphNode(f"layer_{at}", makes="7") for at in range(count)])
    return Diagram(nodes, tuple([GraphEdge(f"layer_{a}", f"layer_{b}") for a, b in sorted(pairs)]))


def crossings(placed: PlacedDiagram) -> int:
    """At how many points the lines of two nodes cross, counted without regard to how they were placed."""
    level: list[tuple[str, float, float, float]] = []
    upright: list[tuple[str, float, float, float]] = []
    for line in placed.lines:
        for (a, b), (c, d) in pairwise(line.points):
            if b == d:
                level.append((line.source, b, min(a, c), max(a, c)))
            else:
                upright.append((line.source, a, min(b, d), max(b, d)))
    points = {
        (one, other, x, y)
        for one, y, left, right in level
        for other, x, top, bottom in upright
        if one != other and left < x < right and top < y < bottom
    }
    return len(points)


@pytest.mark.slow
def test_sifting_crosses_fewer_lines_and_moves_no_box_into_another(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = [wide(seed, 130) for seed in range(12)]
    placed = [drawn_graph(graph, False) for graph in graphs]
    for one in placed:
        check_geometry(one)
    monkeypatch.setattr("layerexplain.render.graph.layout.sifted", lambda lanes, sources: lanes)
    before = [crossings(drawn_graph(graph, False)) for graph in graphs]
    after = [crossings(one) for one in placed]
    assert all(count <= most for count, most in zip(after, before, strict=True))
    assert sum(after) < 0.75 * sum(before)


@pytest.mark.parametrize(
    ("application", "most"), [("InceptionV3", 0), ("InceptionResNetV2", 0), ("NASNetMobile", 62), ("DenseNet121", 0)]
)
@pytest.mark.slow
def test_unfolded_applications_cross_no_more_than_in_fast_sugiyama(application: str, most: int) -> None:
    model = layerexplain.read(json.loads(load("keras3", application)["config"]))
    graph = graph_of(layerexplain.explain(model, detail=False).layers, nested=True)
    placed = drawn_graph(open_boxes(graph, 0), False)
    assert crossings(placed) <= most
    check_geometry(placed)


def test_lines_into_a_box_do_not_cross_each_other() -> None:
    """The transformer's shortcut over the trunk turns off above the lines that it would cross otherwise."""
    report = layerexplain.explain(str(SAMPLES / "transformer.json"), detail=False)
    assert crossings(drawn_graph(open_boxes(graph_of(report.layers, nested=True), 0), False)) == 1


def drawn(seed: int) -> Diagram:
    """A random graph of layers: chains, branches, long connections, open boxes."""
    generator = random.Random(seed)
    count = generator.randint(2, 23)
    nodes, edges = [], []
    for at in range(count):
        inner = drawn(seed * 31 + at + 1000) if seed < 1000 and generator.random() < 0.1 else None
        nodes.append(GraphNode(f"layer_{at}" * generator.randint(1, 3), makes="7×5", inner=inner))
        for source in (
            {generator.randrange(max(at - generator.choice((1, 1, 2, 9)), 0), at) for _ in range(2)} if at else ()
        ):
            edges.append(GraphEdge(nodes[source].name, nodes[at].name, "(None, 7, 5)"))
    unique = {node.name for node in nodes}
    return Diagram(tuple(nodes), tuple(edges)) if len(unique) == count else drawn(seed + 5000)


def drawn_graph(graph: Diagram, horizontal: bool) -> PlacedDiagram:
    return layout(graph, size_of, lambda text: width_of(text, 10), horizontal)


def check_geometry(placed: PlacedDiagram) -> None:
    for box in placed.boxes:
        assert box.x >= -0.01 and box.y >= -0.01
        assert box.x + box.width <= placed.width + 0.01 and box.y + box.height <= placed.height + 0.01
        if box.inner is not None:
            check_geometry(unmoved(box))
    pairs = [(a, b) for at, a in enumerate(placed.boxes) for b in placed.boxes[at + 1 :]]
    assert not [(a.node.name, b.node.name) for a, b in pairs if overlap(a, b)]
    by_name = {box.node.name: box for box in placed.boxes}
    for line in placed.lines:
        assert on_border(line.points[0], by_name[line.source]) and on_border(line.points[-1], by_name[line.target])
        for a, b in pairwise(line.points):
            assert a[0] == b[0] or a[1] == b[1], "lines run along the axes"
            assert not [box.node.name for box in placed.boxes if crosses(a, b, box)]
    for one, other in crossing_in_place(placed):
        raise AssertionError(f"the lines from {one} and {other} lie on one another")


def unmoved(box: Box) -> PlacedDiagram:
    """What is inside a box, in the box's own points; the box leaves room for its frame."""
    inner = box.inner
    assert inner is not None
    shift = lambda b: b._replace(x=b.x - box.x, y=b.y - box.y)  # noqa: E731
    lines = tuple(line._replace(points=tuple((x - box.x, y - box.y) for x, y in line.points)) for line in inner.lines)
    moved = tuple(deep(shift(one), box) for one in inner.boxes)
    return inner._replace(boxes=moved, lines=lines, width=box.width, height=box.height)


def deep(one: Box, box: Box) -> Box:
    if one.inner is None:
        return one
    inner = unmoved(Box(box.node, box.x, box.y, box.width, box.height, one.inner))
    return one._replace(inner=inner)


def overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width - 0.01
        and b.x < a.x + a.width - 0.01
        and a.y < b.y + b.height - 0.01
        and b.y < a.y + a.height - 0.01
    )


def on_border(point: tuple[float, float], box: Box) -> bool:
    x, y = point
    inside = box.x - 0.01 <= x <= box.x + box.width + 0.01 and box.y - 0.01 <= y <= box.y + box.height + 0.01
    edges = (x - box.x, x - box.x - box.width, y - box.y, y - box.y - box.height)
    return inside and min(map(abs, edges)) < 0.01


def crosses(a: tuple[float, float], b: tuple[float, float], box: Box) -> bool:
    low, high = (min(a[0], b[0]), min(a[1], b[1])), (max(a[0], b[0]), max(a[1], b[1]))
    return (
        low[0] < box.x + box.width - 0.01 and high[0] > box.x + 0.01
        and low[1] < box.y + box.height - 0.01 and high[1] > box.y + 0.01
    )  # fmt: skip


def crossing_in_place(placed: PlacedDiagram) -> Iterator[tuple[str, str]]:
    """Pairs of nodes whose lines share a stretch, which would be read as one line."""
    pieces = [(line.source, a, b) for line in placed.lines for a, b in pairwise(line.points)]
    for at, (one, a, b) in enumerate(pieces):
        for other, c, d in pieces[at + 1 :]:
            if one == other:
                continue
            for along in (0, 1):
                across = 1 - along
                if a[across] == b[across] == c[across] == d[across]:
                    low = max(min(a[along], b[along]), min(c[along], d[along]))
                    high = min(max(a[along], b[along]), max(c[along], d[along]))
                    if high - low > 0.01:
                        yield one, other


@pytest.mark.parametrize("sample", ["resnet50.json", "transformer.json", "digits.keras"])
def test_names_stay_in_their_boxes_in_a_wide_font(sample: str) -> None:
    """DejaVu Sans is the font of many a Linux; its twin Vera, which reportlab brings, draws PNG."""
    fonts = Path(pytest.importorskip("reportlab").__file__).parent / "fonts"
    metrics = pytest.importorskip("reportlab.pdfbase.ttfonts")
    bold = metrics.TTFont("VeraBd", str(fonts / "VeraBd.ttf"))
    report = layerexplain.explain(SAMPLES / sample, detail=False)
    for box in drawn_graph(open_boxes(graph_of(report.layers, nested=True), 0), False).boxes:
        assert bold.stringWidth(box.node.name, 13) < box.width


def test_a_residual_connection_bends_twice_and_a_chain_is_straight() -> None:
    chain = [GraphNode(name) for name in "abcd"]
    edges = [GraphEdge("a", "b"), GraphEdge("b", "c"), GraphEdge("c", "d"), GraphEdge("a", "d")]
    placed = layout(Diagram(tuple(chain), tuple(edges)), lambda _: BoxSize(80, 30), lambda _: 30.0)
    assert [len(line.points) for line in placed.lines] == [2, 6, 2, 2]
    assert {box.x + box.width / 2 for box in placed.boxes} == {40}


def texts(picture: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]


def test_svg_says_names_types_shapes_and_parameters() -> None:
    picture = layerexplain.draw(
        b"input: [28, 28, 1]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: 3}\n  - Flatten\n"
    )
    assert isinstance(picture, str)
    assert texts(picture) == [
        "input", "InputLayer", "conv2d", "Conv2D", "160 parameters", "flatten", "Flatten", "28×28×1", "26×26×16", "10816",
    ]  # fmt: skip
    with_formula = layerexplain.draw(b"input: [5]\nlayers:\n  - Dense: 3\n", show=("formulas",))
    assert isinstance(with_formula, str)
    assert texts(with_formula) == ["input", "dense", "dot(x, W) + b"]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("form", ["svg", "dot", "mmd"])
def test_hostile_names_stay_text(name: str, form: str) -> None:
    nodes = (GraphNode("a"), GraphNode(name, (name,), makes=name))
    graph = Diagram(nodes, (GraphEdge("a", name, name),))
    if form == "svg":
        tree = ElementTree.fromstring(svg(graph))
        kinds = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert kinds <= {"svg", "rect", "text", "polyline", "polygon", "g", "title"}
        assert not [key for element in tree.iter() for key in element.attrib if key.startswith("on") or "href" in key]
    elif form == "dot":
        from layerexplain.render.graph.forms import dot

        assert dot(graph).count("\n") == 6
    else:
        from layerexplain.render.graph.forms import mermaid
        from layerexplain.render.layout import Look

        assert mermaid(graph, Look()).count("\n") == 4


def run(*arguments: str) -> tuple[int, str, str]:
    result = invoke("draw", *arguments)
    return result.exit_code, result.stdout, result.stderr


def test_the_ending_says_the_form(tmp_path: Path) -> None:
    for form, begins in (("svg", b"<svg "), ("dot", b"digraph "), ("mmd", b"flowchart TD"), ("SVG", b"<svg ")):
        target = tmp_path / f"model.{form}"
        code, shown, said = run(str(SAMPLES / "mnist_mlp.yaml"), "-o", str(target))
        assert (code, shown) == (0, "") and said.startswith(f"layerexplain: wrote {target} (")
        assert target.read_bytes().startswith(begins)
    assert run(str(SAMPLES / "mnist_mlp.yaml"))[1].startswith("<svg ")
    assert run(str(SAMPLES / "mnist_mlp.yaml"), "--to", "mmd", "--horizontal")[1].startswith("flowchart LR")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-o", "model.gif"], 1, "model.gif: its extension needs to be svg, png, pdf, dot, mmd; or give the format with --format"),
        (["--show", "type,colour"], 2, "no part of a box 'colour'; a box shows type, shapes, params, formulas"),
        (["--depth", "-1"], 2, "-1 is not in the range x>=0"),
        (["-o", "/no/such/folder/x.svg"], 1, "/no/such/folder/x.svg: cannot be written: No such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said(arguments: Sequence[str], code: int, says: str) -> None:
    found = run(str(SAMPLES / "mnist_mlp.yaml"), *arguments)
    assert found[0] == code and says in found[2], found


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")])
def test_pictures_of_pixels_and_pages(form: str, begins: bytes) -> None:
    pytest.importorskip("reportlab")
    pytest.importorskip("resvg_py")
    picture = layerexplain.draw(b"input: [5]\nlayers:\n  - Dense: 3\n", form)
    assert isinstance(picture, bytes) and picture.startswith(begins)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module in ("resvg_py", "reportlab", "reportlab.graphics.renderPDF", "svglib.svglib"):
        monkeypatch.setitem(sys.modules, module, None)
    for form in ("png", "pdf"):
        with pytest.raises(layerexplain.LayerExplainError, match=r"needs `pip install '\.\[draw\]'`"):
            layerexplain.draw(b"input: [5]\nlayers:\n  - Dense: 3\n", form)


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
@pytest.mark.parametrize("depth", [0, 2])
def test_graphviz_draws_what_dot_says(depth: int) -> None:
    from layerexplain.render.graph.forms import dot

    text = dot(open_boxes(fold(encoder(4)), depth))
    done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True)
    assert done.stderr == "" and "attention_0" in done.stdout


FAULTY = (
    "input: [28, 28, 1]\nlayers:\n"
    + 4 * "  - Dense: 5\n"
    + "  - Conv2D: {filters: 3, kernel_size: 30}\n    name: large\n"
    + 4 * "  - Dense: 5\n"
)
NESTED = "input: [28]\nlayers:\n  - Sequential:\n      - Dense: 3\n      - Reshape: [7]\n        name: large\n    name: inner\n"


@pytest.mark.parametrize(
    ("spec", "marked", "told"),
    [(FAULTY, ["large"], "the window needs to fit"), (NESTED, ["inner", "large"], "target_shape (7,) needs 7")],
)
def test_what_is_at_fault_is_marked(spec: str, marked: list[str], told: str, tmp_path: Path) -> None:
    source = tmp_path / "model.yaml"
    source.write_text(spec)
    summary = invoke("summary", source)
    for form in ("svg", "dot", "mmd"):
        picture = tmp_path / f"model.{form}"
        found = invoke("draw", source, "--depth", "3", "-o", picture)
        assert (found.exit_code, found.stdout) == (summary.exit_code, "") and found.stderr.endswith(summary.stderr)
        assert picture.read_text().count({"svg": "#b3261e", "dot": "color=red", "mmd": "stroke:red"}[form]) == len(
            marked
        )
        assert all(word in picture.read_text() for word in told.split()[:3])
    assert summary.exit_code == 1
    # What is like it but right is folded beside it.
    report = layerexplain.explain(str(source), detail=False, partial=True)
    folded = fold(graph_of(report.layers, nested=True))
    assert [node.name for node in boxes(folded) if node.is_faulty] == marked[:1]
    assert spec is NESTED or len(folded.nodes) < len(report.layers)
    with pytest.raises(layerexplain.LayerExplainError, match=told.split()[0]):
        layerexplain.draw(str(source))


def chain(*nodes: tuple[str, str]) -> Diagram:
    """Nodes one behind the other, each of a name and a type, no two alike."""
    made = tuple([GraphNode(name, type=kind) for name, kind in nodes])
    return Diagram(made, tuple([GraphEdge(a.name, b.name) for a, b in pairwise(made)]))


@pytest.mark.parametrize(
    ("application", "most"), [("ResNet50", 16), ("EfficientNetB0", 30), ("DenseNet121", 75), ("Xception", 26)]
)
def test_applications_fold_to_few_boxes(application: str, most: int) -> None:
    model = layerexplain.read(json.loads(load("keras3", application)["config"]))
    graph = graph_of(layerexplain.explain(model, detail=False).layers, nested=True)
    folded = fold(graph)
    assert len(boxes(folded)) <= most
    assert sorted(names_in(folded)) == sorted(node.name for node in graph.nodes)
    check_geometry(drawn_graph(open_boxes(folded, 0), False))
