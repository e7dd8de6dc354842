"""What stands beside boxes in the picture of a page crosses nothing, and can be read at every scale."""

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.render.test_page_picture import SAMPLES, WRITTEN, u_net
from tests.support.browser import NEXT_FRAME, rested, shown
from tests.support.paths import ROOT

BRANCHES = 12


def many_branches() -> bytes:
    """A table of columns, each with an embedding of its own, which meet; beside them two that are unlike."""
    lines = [
        "inputs:",
        *[f"  column{at}: {{shape: [1], dtype: int32}}" for at in range(BRANCHES)],
        "  rest: [5]",
        "layers:",
    ]
    for at in range(BRANCHES):
        lines += [f"  - Embedding: {{input_dim: {7 + at}, output_dim: 3}}", f"    name: embedded{at}"]
        lines += [f"    from: column{at}", "  - Flatten:", f"    name: flat{at}"]
    lines += ["  - Dense: 4", "    name: scaled", "    from: rest", "  - Concatenate:", "    name: row"]
    lines += [f"    from: [{', '.join(f'flat{at}' for at in range(BRANCHES))}, scaled]", "  - Dense: 1"]
    return ("\n".join(lines) + "\n").encode()


def blocks(count: int) -> bytes:
    """A block of four layers, so often."""
    block = "[{Dense: 6}, {LayerNormalization: {}}, {Activation: relu}, {Dropout: 0.1}]"
    return f"input: [6]\nlayers:\n  - Sequential: {block}\n    repeat: {count}\n  - Dense: 1\n".encode()


SOURCES = {
    "resnet": str(SAMPLES / "resnet50.json"),
    "transformer": str(SAMPLES / "transformer.json"),
    "U-Net": u_net(),
    "branches": many_branches(),
    "efficientnet": str(SAMPLES / "efficientnet_b0.json"),
}
CROSSED = """(() => {
    const {labels, frames} = layerexplain.view.picture;
    const touch = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
    const inside = (a, b) => a.x >= b.x && a.y >= b.y && a.x + a.w <= b.x + b.w && a.y + a.h <= b.y + b.h;
    return labels.flatMap((one, at) => [
        ...labels.slice(0, at).filter((other) => touch(one, other)).map((other) => `${one.text} | ${other.text}`),
        ...frames.filter((frame) => touch(one, frame) && !inside(one, frame)).map(() => `${one.text} | frame`),
        ...(one.h < 11.9 ? [`${one.text} is ${one.h} high`] : [])]);
})()"""


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("source", ["whisper", "t5"])
def test_layers_that_nothing_connects_have_names_at_first_sight(source: str, width: int, tmp_path: Path) -> None:
    html = layerexplain.page(str(ROOT / "tests" / "data" / "hub" / f"{source}.keras"))
    with shown(html, tmp_path, width=width, complains="Canvas2D") as page:
        rested(page)
        texts = page.evaluate(WRITTEN)
        boxes = page.evaluate("layerexplain.view.drawing.items.map((one) => layerexplain.view.seenAt(one))")
        assert len(boxes) > 10
        for box in boxes:
            near = [text for text, _, y, _ in texts if box["y"] - 3 <= y <= box["y"] + box["h"] + 3]
            assert [text for text in near if text[0].isalpha()], (box, texts)


@pytest.mark.parametrize("source", SOURCES)
def test_no_label_crosses_a_frame_or_another_label(source: str, tmp_path: Path) -> None:
    with shown(layerexplain.page(SOURCES[source]), tmp_path) as page:
        labels = 0
        for opened in (False, True):
            page.evaluate(f"layerexplain.view.toggleAll({str(opened).lower()})")
            for zoom in (1, 2, 1.5, 1.5, 1.5):
                page.evaluate(f"layerexplain.view.zoom({zoom})")
                page.evaluate(NEXT_FRAME)
                labels += page.evaluate("layerexplain.view.picture.labels.length")
                assert page.evaluate(CROSSED) == []
        assert labels > 20


def test_all_open_draws_every_copy(tmp_path: Path) -> None:
    with shown(layerexplain.page(SOURCES["resnet"]), tmp_path) as page:
        page.evaluate("layerexplain.view.toggleAll(true)")
        drawn = "layerexplain.view.drawing.items.flatMap((one) => one.open || one.box.port ? [] : one.calls)"
        assert sorted(page.evaluate(drawn)) == page.evaluate("layerexplain.data.calls.map((_, call) => call)")
        page.evaluate("layerexplain.view.toggleAll(false)")
        assert page.evaluate("layerexplain.view.drawing.items.length") < 30


def test_of_more_boxes_each_frame_says_which_copy_it_shows(tmp_path: Path) -> None:
    with shown(layerexplain.page(blocks(60), fold=True), tmp_path) as page:
        page.evaluate("layerexplain.view.toggleAll(true)")
        for copy, zoom in ((1, 0.6), (2, 1), (3, 1.4)):
            page.evaluate(f"layerexplain.view.zoom({zoom}, [100, 100])")
            page.evaluate(NEXT_FRAME)
            (badge,) = page.evaluate("layerexplain.view.picture.labels.filter(({text}) => text.endsWith('›'))")
            assert (badge["text"], round(badge["h"])) == (f"{copy} of 60 ›", 12)
            press(page, badge)


def press(page: Any, place: dict[str, float]) -> None:
    corner = page.locator("canvas.graph").bounding_box()
    page.mouse.click(corner["x"] + place["x"] + place["w"] / 2, corner["y"] + place["y"] + place["h"] / 2)
    page.evaluate(NEXT_FRAME)


def test_alike_branches_are_a_strip_and_others_share_one_line(tmp_path: Path) -> None:
    with shown(layerexplain.page(many_branches()), tmp_path) as page:
        names = page.evaluate("layerexplain.view.drawing.items.map((one) => one.box.lines[0])")
        assert f"{BRANCHES} branches" in names and len(names) <= 6, names
    with shown(layerexplain.page(many_branches(), fold=False), tmp_path) as page:
        ends = page.evaluate("""layerexplain.view.drawing.lines.filter((one) => one.to.box.lines[0] === 'row')
            .map((one) => one.points.slice(-4))""")
        assert len(ends) == BRANCHES + 1
        assert len({tuple(end[2:]) for end in ends}) == 1, "they enter at one point"
        assert len({end[1] for end in ends if end[0] == end[2]}) <= 2, "and run along one line"


def test_an_encoder_and_its_decoder_stand_beside_each_other(tmp_path: Path) -> None:
    with shown(layerexplain.page(u_net(), fold=False), tmp_path) as page:
        places = page.evaluate("""Object.fromEntries(layerexplain.view.drawing.items
            .map((one) => [one.box.lines[0], [one.x + one.w / 2, one.y]]))""")
        for level in ("1", "2"):
            encoder, decoder = places[f"down{level}_conv"], places[f"up{level}_join"]
            assert encoder[1] == decoder[1] and encoder[0] < decoder[0] - 100
        assert places["up1_conv"][1] < places["up2_conv"][1] < places["bottom"][1], "the decoder runs up"
        skips = page.evaluate("""layerexplain.view.drawing.lines.filter(({from, to}) =>
            from.box.lines[0].startsWith('down') && to.box.lines[0].endsWith('join')).map((one) => one.points)""")
        assert [len(points) for points in skips] == [4, 4]
        assert all(top == bottom for _, top, _, bottom in skips), "they run sideways"
        before = page.evaluate("layerexplain.view.look.active?.box.lines[0] ?? ''")
        page.evaluate(
            "layerexplain.view.choose(layerexplain.view.drawing.items.find((one) => one.box.lines[0] === 'bottom'))"
        )
        page.locator("#graph").press("ArrowDown")
        assert page.evaluate("layerexplain.view.look.active.box.lines[0]") == "up2_grow" != before
