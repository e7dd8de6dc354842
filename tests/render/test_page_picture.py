"""The picture of a page in a real browser: what it shows from afar, from the middle and from near, and how it moves."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.page.data import page_data
from tests.support.browser import NEXT_FRAME, shown, until
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
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
    shown_boxes = boxes(page_data(layerexplain.explain(u_net()), fold=False))
    assert [shown_boxes[name]["lines"][1] for name in ("down1_conv", "down1_pool", "up2_grow", "up2_join")] == [
        "Conv2D 3×3, 7, relu",
        "MaxPooling2D 2×2",
        "Conv2DTranspose 2×2, up 2, 11",
        "Concatenate",
    ]
    spec = b"input: [17, 8]\nlayers:\n  - Bidirectional: {LSTM: {units: 16, return_sequences: true}}\n    name: both\n"
    spec += b"  - MultiHeadAttention: {num_heads: 4, key_dim: 8}\n    name: look\n    from: [both, both]\n  - LSTM: 128\n    name: last\n"
    shown_boxes = boxes(page_data(layerexplain.explain(spec)))
    assert [shown_boxes[name]["lines"][1] for name in ("both", "look", "last")] == [
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
        page.evaluate(NEXT_FRAME)
        for step in ("fit()", "toggleAll(true)"):
            page.evaluate(f"layerexplain.view.{step}")
            assert page.evaluate(OUTSIDE) == 0, step
            above, below = page.evaluate("""(() => {
                const {view} = layerexplain;
                const seen = view.drawing.items.map((one) => view.seenAt(one));
                return [Math.min(...seen.map(({y}) => y)), view.canvas.clientHeight - Math.max(...seen.map(({y, h}) => y + h))];
            })()""")
            assert above == pytest.approx(below, abs=20) and above > 10, "in the middle"
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
            page.evaluate(NEXT_FRAME)
            now = page.evaluate("layerexplain.view.view.scale")
            assert page.evaluate(under) == pytest.approx(before, abs=1 / min(now, scale)), "within a pixel"
            assert now > scale if turn < 0 else now <= scale


def test_from_afar_blocks_grow_with_what_layers_give(net: str, tmp_path: Path) -> None:
    with shown(net, tmp_path) as page:
        widths = page.evaluate("""Object.fromEntries([...layerexplain.view.picture.blocks]
            .map(([item, width]) => [item.box.lines[0], width]))""")
        down = [widths[name] for name in ("down1_conv", "down2_conv", "bottom")]
        assert all(a > b for a, b in pairwise(down)), down
        assert all(b > a for a, b in pairwise([widths[name] for name in ("bottom", "up2_conv", "up1_conv")]))
        assert widths["down1_conv"] == widths["up1_conv"], "the same number of values"


def test_a_legend_names_the_colours_that_the_graph_has(net: str, tmp_path: Path) -> None:
    with shown(net, tmp_path) as page:
        page.evaluate(NEXT_FRAME)
        assert page.locator(".legend li").all_inner_texts() == ["convolution, dense", "pooling", "merging"]
        page.select_option("#measure", "macs")
        page.evaluate(NEXT_FRAME)
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


WRITTEN = """() => {
    const {view} = layerexplain;
    const {pen} = view.picture;
    const found = [];
    const write = pen.fillText;
    pen.fillText = (text, x, y, room) => {
        const width = Math.min(pen.measureText(text).width, room ?? Infinity);
        const left = x - {left: 0, center: width / 2, right: width}[pen.textAlign];
        const at = pen.getTransform(), ratio = devicePixelRatio;
        found.push([text, (left * at.a + at.e) / ratio, (y * at.d + at.f) / ratio, (width * at.a) / ratio]);
        write.call(pen, text, x, y, room);
    };
    view.picture.draw(view.view, view.look);
    pen.fillText = write;
    return found;
}"""
"""Each text that is written: what, and from where on, how far, in pixels of the canvas."""


def test_names_of_narrow_boxes_are_whole_where_there_is_room(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        names = page.evaluate("layerexplain.view.drawing.items.map((one) => layerexplain.view.picture.titleOf(one))")
        for scale in (0.4, 0.5, 0.7):
            page.evaluate(f"layerexplain.view.lookAt({scale}, layerexplain.view.drawing.width / 2, 300)")
            texts = [text for text, *_ in page.evaluate(WRITTEN)]
            assert {"input_layer", "pool1_pad", "conv2_block2 … conv2_block3"} <= {*texts}, scale
            assert {*names[:6]} <= {*texts}
        page.set_viewport_size({"width": 390, "height": 560})
        page.evaluate(NEXT_FRAME)
        page.evaluate("layerexplain.view.fit()")
        texts = [text for text, *_ in page.evaluate(WRITTEN)]
        shorter = "conv2_block2 … block3  ×2"
        assert shorter in texts, "what both names begin with is left out before letters and how often it repeats are"
        cut = """(room) => {
            const { picture } = layerexplain.view;
            picture.pen.font = picture.plain(12);
            return picture.fitted("normal_conv_1_6 … adjust_conv_projection_8", picture.pen.measureText("normal_conv_1_6 …").width + room);
        }"""
        assert page.evaluate(cut, 1) == "normal_conv_1_6 …", "one whole name says more than two halves"
        assert page.evaluate(cut, -40).count("…") == 3


def test_boxes_that_are_drawn_wider_stay_clear_of_boxes_lines_and_frames(tmp_path: Path) -> None:
    spec = b"inputs: {a: [5], b: [5], c: [5]}\nlayers:\n"
    spec += b"".join([b"  - Dense: 5\n    name: wide_name_of_%c\n    from: %c\n" % (one, one) for one in b"abc"])
    spec += b"  - Add:\n    name: all\n    from: [wide_name_of_a, wide_name_of_b, wide_name_of_c, a]\n"
    with shown(layerexplain.page(spec), tmp_path) as page:
        found = page.evaluate("""(() => {
            const {view} = layerexplain, {picture} = view;
            const boxes = view.drawing.items.map((item) => [item.x + item.w / 2, picture.halfAround(item), item.y, item.h, item.w]);
            return {boxes, lines: view.drawing.lines.map(({points}) => points)};
        })()""")
    boxes = found["boxes"]
    assert all(half >= wide / 2 for _middle, half, _y, _h, wide in boxes)
    assert any(half > wide / 2 + 4 for _middle, half, _y, _h, wide in boxes), "some have room"
    for one, other in ((a, b) for a in boxes for b in boxes if a[0] < b[0] and a[2] == b[2]):
        assert one[0] + one[1] <= other[0] - other[1]
    for middle, half, y, h, _w in boxes:
        for line in found["lines"]:
            for at in range(0, len(line) - 3, 2):
                if line[at] == line[at + 2] and line[at + 1] < y + h and line[at + 3] > y:
                    assert abs(line[at] - middle) >= half


@pytest.mark.parametrize("size", [(1280, 800), (390, 760)])
def test_no_name_is_under_the_buttons_or_the_legend_when_all_is_in_view(size: tuple[int, int], tmp_path: Path) -> None:
    html = layerexplain.page(str(SAMPLES / "resnet50.json"))
    with shown(html, tmp_path, width=size[0]) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.evaluate(NEXT_FRAME)
        page.evaluate("layerexplain.view.fit()")
        page.evaluate(NEXT_FRAME)
        assert page.is_visible(".legend")
        covers = page.evaluate("""[...document.querySelectorAll(".tools, .legend")].map((one) => {
            const {left, top, width, height} = one.getBoundingClientRect();
            const room = layerexplain.view.canvas.getBoundingClientRect();
            return [left - room.left, top - room.top, width, height];
        })""")
        texts = page.evaluate(WRITTEN)
        assert len(texts) >= 14
        for text, x, y, wide in texts:
            for left, top, width, height in covers:
                assert x + wide <= left or x >= left + width or y <= top or y - 9 >= top + height, (text, size)


def test_from_afar_blocks_beside_each_other_are_apart_and_named_on_both_sides(tmp_path: Path) -> None:
    with shown(layerexplain.page(str(SAMPLES / "transformer.json")), tmp_path) as page:
        page.evaluate("layerexplain.view.lookAt(0.3, layerexplain.view.drawing.width / 2, 200)")
        texts = {text.split("  ")[0] for text, *_ in page.evaluate(WRITTEN)}
        assert {"tokens", "positions", "token_embedding", "position_embedding"} <= texts
        rows = page.evaluate("""["token_embedding", "position_embedding"].map((name) => {
            const {view} = layerexplain;
            const item = view.drawing.items.find((one) => one.box.lines[0] === name);
            return [item.x + item.w / 2, view.picture.blocks.get(item)];
        })""")
        (one, wide), (other, wider) = rows
        assert one + wide / 2 < other - wider / 2


def test_a_second_call_says_that_its_weights_are_those_of_the_first(tmp_path: Path) -> None:
    spec = b"inputs: {a: [5], b: [5]}\nlayers:\n  - Dense: 7\n    name: tower\n    from: a\n"
    spec += b"  - reuse: tower\n    name: again\n    from: b\n  - Add:\n    name: both\n    from: [tower, again]\n"
    data = page_data(layerexplain.explain(spec), fold=False)
    shown_boxes = boxes(data)
    assert shown_boxes["tower"]["lines"][2] == "42 parameters"
    assert shown_boxes["tower (call 2)"]["lines"][2] == "weights of call 1"
    sources = {layer["name"]: [text for _, text in layer["calls"][0]["from"]] for layer in data["layers"]}
    assert sources["both"] == ["tower (call 1) (None, 7)", "tower (call 2) (None, 7)"]
    assert sources["tower"] == ["a (None, 5)"]


COSTS = """(() => {
    const {view} = layerexplain;
    const {costs} = view.picture;
    return Object.fromEntries(view.drawing.items.filter((one) => !one.open).map((one) => [one.box.lines[0], costs.rows.get(one.y).share]));
})()"""
"""The share of the row of each box that is not open."""


def test_the_share_of_each_row_in_the_cost_stands_at_the_left(resnet: str, tmp_path: Path) -> None:
    report = layerexplain.explain(str(SAMPLES / "resnet50.json"))
    macs = {layer.layer: layer.macs or 0 for layer in report.layers}
    wanted = {
        title: sum(macs[name] for name in macs if name.startswith(begins)) / 3_857_973_248
        for title, begins in (
            ("conv1", "conv1_"),
            ("conv3_block2 … conv3_block4", ("conv3_block2", "conv3_block3", "conv3_block4")),
            ("conv5_block1", "conv5_block1"),
        )
    }
    assert [f"{100 * share:.0f} %" for share in wanted.values()] == ["3 %", "17 %", "8 %"]
    with shown(resnet, tmp_path) as page:
        shares = page.evaluate(COSTS)
        assert {title: shares[title] for title in wanted} == pytest.approx(wanted)
        assert sum(shares.values()) == pytest.approx(1), "a row each"
        rows = page.evaluate("""Object.fromEntries(layerexplain.view.drawing.items.map((one) => {
            const {y, h} = layerexplain.view.seenAt(one);
            return [one.box.lines[0], y + h / 2];
        }))""")
        numbers = [(text, y) for text, _x, y, _wide in page.evaluate(WRITTEN) if text.endswith(" %")]
        for title, share in wanted.items():
            assert any(text == f"{100 * share:.0f} %" and abs(y - rows[title]) < 6 for text, y in numbers), title
        page.evaluate(NEXT_FRAME)
        assert page.locator("p.legend").inner_text() == "share of the MACs"
        page.select_option("#measure", "params")
        page.evaluate(NEXT_FRAME)
        assert page.locator("p.legend").inner_text() == "share of the parameters"
        assert page.evaluate(COSTS)["predictions"] == pytest.approx(2_049_000 / 25_636_712)
        page.evaluate("layerexplain.view.lookAt(1.5, 0, 300)")
        assert any(text.endswith(" %") for text, *_ in page.evaluate(WRITTEN)), "there is room at the left"
        page.evaluate("layerexplain.view.lookAt(1.5, layerexplain.view.drawing.width, 300)")
        assert not any(text.endswith(" %") for text, *_ in page.evaluate(WRITTEN)), "no bar lies over a box"


@pytest.mark.parametrize("opened", [(), (0,), (0, 1)])
def test_each_call_of_a_nested_model_has_its_part_open_and_closed(opened: tuple[int, ...], tmp_path: Path) -> None:
    spec = b"input: [7]\nlayers:\n  - Sequential: [{Dense: 5}, {Dense: 7}]\n    name: tower\n  - Dense: 11\n    name: wide\n"
    spec += b"  - Dense: 7\n    name: narrow\n  - reuse: tower\n    name: again\n  - Dense: 3\n    name: last\n"
    total = 2 * (7 * 5 + 5 * 7) + 7 * 11 + 11 * 7 + 7 * 3
    with shown(layerexplain.page(spec, fold=False), tmp_path) as page:
        for call in opened:
            page.evaluate(
                "(name) => layerexplain.view.toggle(layerexplain.view.drawing.items.find((one) => one.box.lines[0] === name))",
                "tower (call 2)" if call else "tower",
            )
        page.evaluate(NEXT_FRAME)
        shares = page.evaluate(COSTS)
    assert shares["wide"] == shares["narrow"] == pytest.approx(77 / total)
    assert shares["last"] == pytest.approx(21 / total)
    if 0 in opened:
        assert shares["dense"] == shares["dense_1"] == pytest.approx(35 / total)
    else:
        assert shares["tower"] == pytest.approx(70 / total)


def test_costs_of_sizes_that_are_not_known_are_shares_of_the_parameters(tmp_path: Path) -> None:
    spec = b"input: [null, 3]\nlayers:\n  - LSTM: {units: 5, return_sequences: true}\n    name: steps\n"
    spec += b"  - LSTM: 7\n    name: last\n  - Dense: 2\n    name: out\n"
    with shown(layerexplain.page(spec, fold=False), tmp_path) as page:
        page.evaluate(NEXT_FRAME)
        assert page.locator("p.legend").inner_text() == "share of the parameters"
        steps, last, out = 4 * 5 * (3 + 5 + 1), 4 * 7 * (5 + 7 + 1), 7 * 2 + 2
        shares = page.evaluate(COSTS)
        assert shares["last"] == pytest.approx(last / (steps + last + out))
        widths = page.evaluate("""Object.fromEntries([...layerexplain.view.picture.blocks]
            .map(([item, width]) => [item.box.lines[0], width]))""")
        assert widths["steps"] == widths["input"], "steps of any number are drawn as the largest"
        assert 0 < widths["out"] < widths["last"] < 0.9 * widths["steps"]
        page.select_option("#measure", "macs")
        page.evaluate(NEXT_FRAME)
        assert not page.is_visible("p.legend")
        assert not any(text.endswith(" %") for text, *_ in page.evaluate(WRITTEN))


@pytest.mark.parametrize("scale", [0.3, 0.8])
def test_a_block_has_a_stripe_for_each_kind_that_costs(scale: float, tmp_path: Path) -> None:
    html = layerexplain.page(str(SAMPLES / "transformer.json"))
    with shown(html, tmp_path, complains="Canvas2D") as page:
        found, colours, parts = page.evaluate(
            """async (scale) => {
            const {view, data} = layerexplain, {picture} = view;
            const item = view.drawing.items.find((one) => one.box.copies?.length === 2 && one.box.inner);
            view.lookAt(scale, item.x + item.w / 2, item.y + item.h / 2);
            picture.draw(view.view, view.look);
            const {x, y, w, h} = view.seenAt(item);
            const wide = scale < 0.36 ? picture.blocks.get(item) * view.wide : w;
            const ratio = devicePixelRatio, left = x + w / 2 - wide / 2;
            const at = (part) => [...picture.pen.getImageData((left + part * wide) * ratio, (y + 3 * (scale > 0.36)) * ratio + 2, 1, 1).data].slice(0, 3);
            const parts = {};
            for (const call of item.calls) {
                const layer = data.layers[data.calls[call][0]];
                const kind = /Attention/.test(layer.type) ? "attention" : /Dense/.test(layer.type) ? "weights" : "";
                parts[kind] = (parts[kind] || 0) + layer.macs;
            }
            const tone = scale < 0.36 ? "strong" : "of";
            const rgb = (kind) => [1, 3, 5].map((from) => parseInt(picture.colours[`${tone}-${kind}`].slice(from, from + 2), 16));
            const sum = parts.attention + parts.weights;
            const edge = Math.max(parts.weights, parts.attention) / sum;
            return [[at(0.03), at(edge - 0.03), at(edge + 0.03), at(0.97)], {weights: rgb("weights"), attention: rgb("attention")}, parts];
        }""",
            scale,
        )
    large, small = sorted(("weights", "attention"), key=lambda kind: -parts[kind])
    assert found == [colours[large], colours[large], colours[small], colours[small]]


def test_what_is_all_in_view_stays_so_when_the_window_changes(resnet: str, tmp_path: Path) -> None:
    scale = "layerexplain.view.view.scale"
    with shown(resnet, tmp_path) as page:
        first = page.evaluate(scale)
        page.set_viewport_size({"width": 900, "height": 450})
        until(page, f"{scale} < {first}")
        assert page.evaluate(OUTSIDE) == 0
        page.evaluate("layerexplain.view.zoom(2)")
        near = page.evaluate(scale)
        page.set_viewport_size({"width": 1200, "height": 800})
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(scale) == near, "what was moved stays as it is"


@pytest.mark.parametrize("width", [1280, 390])
def test_legend_and_buttons_stand_below_the_graph_at_every_scale(resnet: str, width: int, tmp_path: Path) -> None:
    with shown(resnet, tmp_path, width=width) as page:
        for step in ("fit()", "zoom(4)"):
            page.evaluate(f"layerexplain.view.{step}")
            page.evaluate(NEXT_FRAME)
            graph = page.locator("canvas.graph").bounding_box()
            for below in page.locator(".legend, .tools").all():
                box = below.bounding_box()
                assert box["y"] >= graph["y"] + graph["height"] - 0.5
                assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_a_nested_model_says_how_many_layers_it_has_and_costs_what_they_cost(tmp_path: Path) -> None:
    spec = b"input: [7]\nlayers:\n  - Sequential: [{Dense: 5}, {Dense: 3}, {Dense: 2}]\n    name: tower\n  - Dense: 11\n    name: last\n"
    inside, last = 7 * 5 + 5 * 3 + 3 * 2, 2 * 11
    with shown(layerexplain.page(spec, fold=False), tmp_path) as page:
        for count in (3, 5):  # its three layers in place of the tower
            shares = page.evaluate(COSTS)
            assert len(shares) == count
            assert shares["last"] == pytest.approx(last / (inside + last))
            page.evaluate("layerexplain.view.toggleAll(true)")
            page.evaluate(NEXT_FRAME)
    shown_boxes = boxes(page_data(layerexplain.explain(spec), fold=False))
    assert shown_boxes["tower"]["lines"][1] == "Sequential, 3 layers"


def test_the_search_finds_arguments_as_pytorch_calls_them(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n"
        "model = nn.Sequential(nn.Conv2d(3, 7, 3, 2), nn.ReLU(), nn.Conv2d(7, 11, 3), nn.Flatten(), nn.Linear(11, 2))\n"
        "model(torch.zeros(1, 3, 7, 7))\n"
    )
    with shown(layerexplain.page(str(tmp_path / "net.py")), tmp_path) as page:
        for typed, count in (
            ("stride 2", 1),
            ("filters 11", 1),
            ("3x3", 2),
            ("/2", 1),
            ("units 2", 1),
            ("filters=7", 1),
        ):
            page.fill("#search", typed)
            assert page.locator(".found .option").count() == count, typed


def test_a_box_with_room_for_one_line_has_what_tells_it_apart_beside_its_name(tmp_path: Path) -> None:
    with shown(layerexplain.page(str(SAMPLES / "digits.keras")), tmp_path, width=390) as page:
        page.evaluate(
            "layerexplain.view.lookAt(0.45, layerexplain.view.drawing.width / 2, layerexplain.view.drawing.height / 2)"
        )
        page.set_viewport_size({"width": 390, "height": 1400})
        page.evaluate(NEXT_FRAME)
        for measure, beside in (("", "3×3, 24, relu"), ("params", "2.62 k")):
            page.select_option("#measure", measure)
            page.evaluate(
                "layerexplain.view.lookAt(0.45, layerexplain.view.drawing.width / 2, layerexplain.view.drawing.height / 2)"
            )
            written = {text: (x, y, wide) for text, x, y, wide in page.evaluate(WRITTEN)}
            (x, y, wide), (after, level, _wide) = written["shapes"], written[beside]
            assert y == pytest.approx(level) and x + wide < after < x + wide + 12, measure


def test_blocks_whose_layers_are_called_twice_differ_in_nothing(tmp_path: Path) -> None:
    block = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(7, 7, 3, padding=1)
        self.two = nn.Conv2d(7, 7, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.two(self.relu(self.one(x))))
"""
    code = "import torch\nfrom torch import nn\n" + block
    (tmp_path / "net.py").write_text(
        code + "\nmodel = nn.Sequential(Block(), Block(), Block())\nmodel(torch.zeros(1, 7, 11, 13))\n"
    )
    shown_boxes = boxes(page_data(layerexplain.explain(str(tmp_path / "net.py"))))
    folded = [box["lines"][1] for box in shown_boxes.values() if "copies" in box]
    assert folded and not any("differ" in one for one in folded), folded


def test_a_formula_in_a_box_is_whole_or_not_there(tmp_path: Path) -> None:
    """From near a box has its formula, in smaller letters where that helps: cut, it would be another formula."""
    with shown(layerexplain.page(str(SAMPLES / "digits.keras")), tmp_path) as page:
        formulas = page.evaluate("layerexplain.data.layers.map((one) => one.operation)")
        seen: set[str] = set()
        for at in range(len(formulas)):
            page.evaluate(
                """(at) => {
                    const item = layerexplain.view.drawing.items[at];
                    layerexplain.view.lookAt(2, item.x + item.w / 2, item.y + item.h / 2);
                }""",
                at,
            )
            seen |= {text for text, *_ in page.evaluate(WRITTEN)}
        assert {"max_pool(x, size=2)", "3×3 conv, 24 filters, relu", "relu(x)"} <= seen
        assert not [
            text for text in seen if "…" in text and any(one.startswith(text.split("…")[0]) for one in formulas)
        ]
