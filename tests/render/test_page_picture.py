"""The picture of a page in a real browser: what it shows from afar, from the middle and from near, and how it moves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.page.data import page_data
from tests.support.browser import shown, until
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
OUTSIDE = """(() => {
    const {view} = layerexplain;
    const {clientWidth, clientHeight} = view.canvas;
    return view.drawing.items.map((one) => view.seenAt(one)).filter(({x, y, w, h}) =>
        x < -0.5 || y < -0.5 || x + w > clientWidth + 0.5 || y + h > clientHeight + 0.5).length;
})()"""


def u_net() -> bytes:
    """A U-Net of two levels, whose decoder gives what its encoder gave at each."""
    lines = ["input: [44, 44, 3]", "layers:"]
    for name, filters in (("down1", 7), ("down2", 11)):
        lines += [f"  - Conv2D: {{filters: {filters}, kernel_size: 3, padding: same, activation: relu}}"]
        lines += [f"    name: {name}_conv", "  - MaxPooling2D:", f"    name: {name}_pool"]
    lines += ["  - Conv2D: {filters: 13, kernel_size: 3, padding: same}", "    name: bottom"]
    for name, other, filters in (("up2", "down2", 11), ("up1", "down1", 7)):
        lines += [f"  - Conv2DTranspose: {{filters: {filters}, kernel_size: 2, strides: 2}}", f"    name: {name}_grow"]
        lines += ["  - Concatenate:", f"    name: {name}_join", f"    from: [{name}_grow, {other}_conv]"]
        lines += [f"  - Conv2D: {{filters: {filters}, kernel_size: 3, padding: same}}", f"    name: {name}_conv"]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture(scope="module")
def resnet() -> str:
    return layerexplain.page(str(SAMPLES / "resnet50.json"))


@pytest.fixture(scope="module")
def net() -> str:
    return layerexplain.page(u_net(), fold=False)


def boxes(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for box in data["graph"]["boxes"]:
        found[box["lines"][0]] = box
    return found


def test_boxes_say_what_tells_layers_apart_and_blocks_have_the_colour_of_what_costs_most() -> None:
    data = page_data(layerexplain.explain(str(SAMPLES / "resnet50.json")))
    assert {box["family"] for box in data["graph"]["boxes"] if "copies" in box} == {"weights"}
    told = boxes(page_data(layerexplain.explain(u_net()), fold=False))
    assert [told[name]["lines"][1] for name in ("down1_conv", "down1_pool", "up2_grow", "up2_join")] == [
        "Conv2D 3×3, 7, relu",
        "MaxPooling2D 2×2",
        "Conv2DTranspose 2×2, up 2, 11",
        "Concatenate",
    ]
    spec = b"input: [17, 8]\nlayers:\n  - Bidirectional: {LSTM: {units: 16, return_sequences: true}}\n    name: both\n"
    spec += b"  - MultiHeadAttention: {num_heads: 4, key_dim: 8}\n    name: look\n    from: [both, both]\n  - LSTM: 128\n    name: last\n"
    told = boxes(page_data(layerexplain.explain(spec)))
    assert [told[name]["lines"][1] for name in ("both", "look", "last")] == [
        "Bidirectional LSTM 16",
        "MultiHeadAttention 4 heads",
        "LSTM 128",
    ]


def test_arguments_that_were_set_stand_before_those_at_their_defaults(tmp_path: Path) -> None:
    spec = b"input: [9, 9, 4]\nlayers:\n  - Conv2D: {filters: 5, kernel_size: 3, dilation_rate: 2, bias_initializer: ones}\n    name: c\n"
    with shown(layerexplain.page(spec), tmp_path, "c") as page:
        set_ones, others = page.locator("#pane .arguments table").all()
        assert set_ones.locator("tbody tr").all_inner_texts() == [
            "filters\t5",
            "kernel_size\t3",
            "dilation_rate\t2",
            "bias_initializer\tOnes",
        ]
        assert "use_bias\tTrue" in others.locator("tbody tr").all_inner_texts()


@pytest.mark.parametrize("size", [(1200, 800), (800, 500), (390, 700)])
def test_fit_shows_everything_folded_and_open(resnet: str, size: tuple[int, int], tmp_path: Path) -> None:
    with shown(resnet, tmp_path, complains="Canvas2D", width=size[0]) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.evaluate(DRAWN)
        for step in ("fit()", "toggleAll(true)"):
            page.evaluate(f"layerexplain.view.{step}")
            assert page.evaluate(OUTSIDE) == 0, step
        page.evaluate("layerexplain.view.zoom(3)")
        assert page.evaluate(OUTSIDE) > 0
        page.focus("#graph")
        page.keyboard.press("0")
        assert page.evaluate(OUTSIDE) == 0


def test_the_wheel_zooms_where_the_pointer_is(resnet: str, tmp_path: Path) -> None:
    under = "(() => {const {view} = layerexplain; return [view.view.x + 200 / view.wide, view.view.y + 300 / view.view.scale]})()"
    with shown(resnet, tmp_path) as page:
        corner = page.locator("canvas.graph").bounding_box()
        page.mouse.move(corner["x"] + 200, corner["y"] + 300)
        for turn in (-300, -300, 900, 2000):
            before, scale = page.evaluate(under), page.evaluate("layerexplain.view.view.scale")
            page.mouse.wheel(0, turn)
            page.evaluate(DRAWN)
            now = page.evaluate("layerexplain.view.view.scale")
            assert page.evaluate(under) == pytest.approx(before, abs=1 / min(now, scale)), "within a pixel"
            assert now > scale if turn < 0 else now <= scale


def test_buttons_zoom_and_keys_are_listed(resnet: str, tmp_path: Path) -> None:
    scale = "layerexplain.view.view.scale"
    with shown(resnet, tmp_path) as page:
        first = page.evaluate(scale)
        page.click("button[aria-label=Larger]")
        assert page.evaluate(scale) > first
        page.click("button[aria-label=Smaller]")
        page.click("button[aria-label='All in view']")
        assert page.evaluate(scale) == pytest.approx(first)
        page.focus("#graph")
        page.keyboard.press("?")
        assert "all in view" in page.inner_text("dialog.keys")
        page.keyboard.press("Escape")
        assert not page.is_visible("dialog.keys")


def test_from_afar_blocks_grow_with_what_layers_give_and_skips_are_on_one_side(net: str, tmp_path: Path) -> None:
    with shown(net, tmp_path) as page:
        widths = page.evaluate("""Object.fromEntries([...layerexplain.view.picture.blocks]
            .map(([item, width]) => [item.box.lines[0], width]))""")
        down = [widths[name] for name in ("down1_conv", "down2_conv", "bottom")]
        assert all(a > b for a, b in pairwise(down)), down
        assert all(b > a for a, b in pairwise([widths[name] for name in ("bottom", "up2_conv", "up1_conv")]))
        assert widths["down1_conv"] == widths["up1_conv"], "the same number of values"
        sides = page.evaluate("""layerexplain.view.drawing.lines.filter((one) => one.points.length > 6)
            .map((one) => Math.sign(one.points[2] - one.points[0]))""")
        assert len(sides) == 2 and len(set(sides)) == 1


def test_a_legend_names_the_colours_that_the_graph_has(net: str, tmp_path: Path) -> None:
    with shown(net, tmp_path) as page:
        page.evaluate(DRAWN)
        assert page.locator(".legend li").all_inner_texts() == ["convolution, dense", "pooling", "merging"]
        page.select_option("#measure", "macs")
        page.evaluate(DRAWN)
        assert not page.is_visible(".legend")


def test_back_leads_to_the_layer_before_and_what_was_open_stays_open(resnet: str, tmp_path: Path) -> None:
    count = "layerexplain.view.drawing.items.length"
    name = "document.querySelector('#pane h2').textContent"
    with shown(resnet, tmp_path) as page:
        page.evaluate(
            "layerexplain.view.chooseCall(layerexplain.data.layers.findIndex((one) => one.name === 'conv1_conv'))"
        )
        page.click("#pane a >> text=conv1_pad")
        items = page.evaluate(count)
        page.go_back()
        until(page, f"{name} === 'conv1_conv'")
        assert page.evaluate(count) == items
        page.go_forward()
        until(page, f"{name} === 'conv1_pad'")


def test_the_list_sorts(resnet: str, tmp_path: Path) -> None:
    first = ".layers li:first-child button"
    with shown(resnet, tmp_path) as page:
        page.click("text=List")
        order = [page.text_content(first)]  # rows out of sight are not laid out, and have no inner text
        for column in ("MACs", "MACs", "MACs", "Layer"):
            page.locator(".list-head button", has_text=column).click()
            order.append(page.text_content(first))
        assert order == ["input_layer", "conv1_conv", "input_layer", "input_layer", "avg_pool"]
        assert page.locator(".list-head button").nth(0).get_attribute("aria-label") == "Layer, ascending"


def test_the_line_between_graph_and_text_moves(net: str, tmp_path: Path) -> None:
    wide = "document.querySelector('.left').clientWidth"
    with shown(net, tmp_path) as page:
        before = page.evaluate(wide)
        place = page.locator(".divider").bounding_box()
        page.mouse.move(place["x"] + 2, 300)
        page.mouse.down()
        page.mouse.move(place["x"] - 198, 300)
        page.mouse.up()
        assert page.evaluate(wide) == pytest.approx(before - 200, abs=6)
        page.focus(".divider")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(wide) == pytest.approx(before - 200 + 36, abs=8)


def test_lines_along_which_a_mask_goes_have_a_colour(tmp_path: Path) -> None:
    spec = b"input: {shape: [11], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 23, output_dim: 5, mask_zero: true}\n    name: words\n"
    spec += b"  - LSTM: 7\n    name: read\n  - Dense: 3\n    name: answer\n"
    with shown(layerexplain.page(spec), tmp_path) as page:
        page.click("text=Masks")
        found = page.evaluate(
            """[...layerexplain.view.picture.masked].map(({from, to}) => [from.box.lines[0], to.box.lines[0]])"""
        )
        assert found == [["words", "read"]]


def test_a_graph_too_long_to_be_read_is_printed_as_from_afar_on_one_sheet(tmp_path: Path) -> None:
    html = layerexplain.page(str(SAMPLES / "resnet50.json"), fold=False)
    with shown(html, tmp_path, complains="Canvas2D") as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        width, height, colours = page.evaluate("""() => {
            const canvas = document.querySelector(".printed canvas");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const colours = new Set();
            for (let at = 0; at < data.length; at += 4) colours.add(data.slice(at, at + 3).join());
            return [canvas.width, canvas.height, [...colours]];
        }""")
        assert (width, height) == (2000, 2800)
        strong = page.evaluate("""["weights", "normal", "activation"].map((one) => {
            const colour = layerexplain.view.picture.colours[`strong-${one}`];
            return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).join();
        })""")
        assert {*strong} <= {*colours}
        assert page.pdf().count(b"/Type /Page\n") <= 12
