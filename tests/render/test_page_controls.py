"""What moves the graph of a page in a real browser: each button and key that it lists, the search's order, masks, print."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.page.data import page_data
from tests.support.browser import NEXT_FRAME, browser, rested, shown, until
from tests.support.commands import invoke
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
PLACE = "(({x, y, scale}) => [x, y, scale])(layerexplain.view.view)"
ACTIVE = "layerexplain.view.picture.titleOf(layerexplain.view.look.active)"
ITEMS = "layerexplain.view.drawing.items.length"
CENTRE = """(name) => {
    const {view} = layerexplain;
    const {x, y, w, h} = view.seenAt(view.drawing.items.find((one) => one.box.lines[0] === name));
    return [x + w / 2, y + h / 2];
}"""


@pytest.fixture(scope="module")
def resnet() -> str:
    return layerexplain.page(str(SAMPLES / "resnet50.json"))


def at_box(page: Any, name: str) -> tuple[float, float]:
    """The middle of a box, in pixels of the page."""
    x, y = page.evaluate(CENTRE, name)
    corner = page.locator("canvas.graph").bounding_box()
    return corner["x"] + x, corner["y"] + y


def test_each_button_beside_the_legend_does_what_it_says(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        x, y, scale = page.evaluate(PLACE)
        middle = page.evaluate("(({x, y}, view) => [x + view.canvas.clientWidth / 2 / view.wide, y + view.canvas.clientHeight / 2 / view.view.scale])(layerexplain.view.view, layerexplain.view)")  # fmt: skip
        page.click("button[aria-label=Larger]")
        assert page.evaluate(PLACE)[2] == pytest.approx(1.4 * scale)
        after = page.evaluate("(({x, y}, view) => [x + view.canvas.clientWidth / 2 / view.wide, y + view.canvas.clientHeight / 2 / view.view.scale])(layerexplain.view.view, layerexplain.view)")  # fmt: skip
        assert after == pytest.approx(middle), "the middle stays"
        page.click("button[aria-label=Smaller]")
        page.click("button[aria-label=Smaller]")
        assert page.evaluate(PLACE)[2] == pytest.approx(scale / 1.4)
        page.click("button[aria-label='All in view']")
        assert page.evaluate(PLACE) == pytest.approx([x, y, scale])
        page.evaluate("layerexplain.view.zoom(3)")
        page.click(".bar button >> text=Fit")
        assert page.evaluate(PLACE) == pytest.approx([x, y, scale])
        page.click(".tools button[aria-label=Keys]")
        assert page.is_visible("dialog.keys")
        page.click("dialog.keys button")
        assert not page.is_visible("dialog.keys")


def test_zooming_keeps_the_chosen_box_and_ends_at_half_of_all_in_view(resnet: str, tmp_path: Path) -> None:
    centre = "((view) => { const {x, y, w, h} = view.seenAt(view.look.active); return [x + w / 2, y + h / 2]; })(layerexplain.view)"  # fmt: skip
    with shown(resnet, tmp_path) as page:
        page.focus("#graph")
        before = page.evaluate(centre)
        for key in ("+", "+", "-", "+"):
            page.keyboard.press(key)
        assert page.evaluate(centre) == pytest.approx(before)
        for _ in range(60):
            page.evaluate("layerexplain.view.zoom(0.5)")
        assert page.evaluate("layerexplain.view.view.scale / layerexplain.view.whole().scale") == pytest.approx(0.5)


def test_each_key_that_is_listed_does_what_the_list_says(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        page.focus("#graph")
        page.keyboard.press("?")
        listed = [row.partition("\t")[0] for row in page.locator("dialog.keys tbody tr").all_inner_texts()]
        page.keyboard.press("Escape")
        count, (_x, _y, scale) = page.evaluate(ITEMS), page.evaluate(PLACE)

        def pressed(key: str, what: str) -> Any:
            page.keyboard.press(key)
            return page.evaluate(what)

        def wheel() -> None:
            corner = page.locator("canvas.graph").bounding_box()
            page.mouse.move(corner["x"] + 90, corner["y"] + 90)
            before = page.evaluate(PLACE)
            page.mouse.wheel(0, -200)
            page.evaluate(NEXT_FRAME)
            now = page.evaluate(PLACE)
            assert now[2] > before[2]
            page.keyboard.down("Shift")
            page.mouse.wheel(0, 120)
            page.evaluate(NEXT_FRAME)
            page.keyboard.up("Shift")
            x, y, same = page.evaluate(PLACE)
            assert x > now[0] and (y, same) == pytest.approx(now[1:])
            page.evaluate("layerexplain.view.fit()")

        def double_click() -> None:
            page.mouse.dblclick(*at_box(page, "conv5_block1"))
            assert page.evaluate(ITEMS) > count
            page.keyboard.press("Escape")
            assert page.evaluate(ITEMS) == count

        def back() -> None:
            page.keyboard.press("Home")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowDown")
            assert page.evaluate(ACTIVE) == "pool1_pad"
            page.go_back()
            assert page.evaluate("location.hash") != "#pool1_pad"
            page.focus("#graph")

        def escape() -> None:
            page.keyboard.press("Escape")
            assert page.evaluate(ITEMS) == count

        def open_box() -> None:
            page.keyboard.press("Home")
            page.keyboard.press("ArrowDown")
            assert pressed("Enter", ITEMS) > count, "opens"
            assert pressed("Enter", ACTIVE) == "conv1_pad", "goes into it"
            page.keyboard.press("Escape")
            assert pressed(" ", ITEMS) > count

        def copies() -> None:
            page.evaluate("layerexplain.view.chooseCall(layerexplain.data.layers.findIndex((one) => one.name === 'conv3_block3_out'))")  # fmt: skip
            page.focus("#graph")
            assert pressed("[", ACTIVE) == "conv3_block2_out"
            assert pressed("]", ACTIVE) == "conv3_block3_out"
            page.evaluate("layerexplain.view.toggleAll(false)")

        def zooms() -> None:
            assert pressed("+", PLACE)[2] == pytest.approx(1.25 * scale)
            assert pressed("-", PLACE)[2] == pytest.approx(scale)
            page.keyboard.press("+")
            assert pressed("0", PLACE)[2] == pytest.approx(scale)

        def ends() -> None:
            assert pressed("End", ACTIVE) == "predictions"
            assert pressed("Home", ACTIVE) == "input_layer"

        def arrows() -> None:
            assert pressed("ArrowDown", ACTIVE) == "conv1"
            assert pressed("ArrowUp", ACTIVE) == "input_layer"

        def search() -> None:
            assert pressed("/", "document.activeElement.id") == "search"
            page.focus("#graph")

        does = {
            "Home, End": ends, "arrows": arrows, "Enter, Space": open_box, "Escape": escape, "[ ]": copies,
            "+ - 0": zooms, "/": search, "wheel": wheel, "double click": double_click, "Back": back,
            "?": lambda: None,
        }  # fmt: skip
        assert {*does} == {*listed}
        for step in does.values():
            step()


def test_keys_for_all_of_the_page_need_no_focus_on_the_graph(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        _, _, scale = page.evaluate(PLACE)
        page.keyboard.press("+")
        assert page.evaluate(PLACE)[2] > scale
        page.keyboard.press("0")
        assert page.evaluate(PLACE)[2] == scale
        page.focus("#search")
        page.keyboard.type("3x3+0")
        assert page.evaluate(PLACE)[2] == scale and page.input_value("#search") == "3x3+0"
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        assert page.is_visible("dialog.keys")


def test_left_and_right_go_to_what_stands_beside(tmp_path: Path) -> None:
    spec = b"inputs: {a: [5], b: [7]}\nlayers:\n  - Dense: 3\n    name: left\n    from: a\n"
    spec += b"  - Dense: 3\n    name: right\n    from: b\n  - Add:\n    name: sum\n    from: [left, right]\n"
    with shown(layerexplain.page(spec), tmp_path) as page:
        page.focus("#graph")
        page.evaluate("layerexplain.view.chooseCall(layerexplain.data.layers.findIndex((one) => one.name === 'left'))")
        for key, name in (("ArrowRight", "right"), ("ArrowLeft", "left"), ("ArrowLeft", "left")):
            page.keyboard.press(key)
            assert page.evaluate(ACTIVE) == name


def test_what_meets_a_search_as_a_whole_word_stands_first(tmp_path: Path) -> None:
    spec = b"input: [9]\nlayers:\n  - Dense: 3\n    name: prelude\n"
    spec += b"  - Dense: {units: 7, activation: relu6}\n    name: relu_like\n"
    spec += b"  - Dense: {units: 5, activation: relu}\n    name: second\n"
    spec += b"  - ReLU:\n    name: third\n  - Dense: 2\n    name: relu\n"
    with shown(layerexplain.page(spec), tmp_path) as page:
        for typed, found in (
            ("relu", ["third", "relu", "relu_like", "second", "prelude"]),
            ("prelu", ["prelude"]),
            ("dense", ["prelude", "relu_like", "second", "relu"]),
            ("relu dense", ["relu", "relu_like", "second", "prelude"]),
            ("2", ["relu"]),
            ("params<30 params>10", ["relu_like", "relu"]),
        ):
            page.fill("#search", typed)
            names = page.locator(".found .option span:first-child").all_inner_texts()
            assert names == found, typed


def test_lines_of_masks_are_drawn_in_their_colour_where_that_is_wanted(tmp_path: Path) -> None:
    spec = b"input: {shape: [11], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 23, output_dim: 5, mask_zero: true}\n    name: words\n"
    spec += b"  - LSTM: 7\n    name: read\n  - Dense: 3\n    name: answer\n"
    colour = """([from, far]) => {
        const {view} = layerexplain, {picture} = view;
        if (far) view.lookAt(0.3, 0, 0);
        picture.draw(view.view, view.look);
        const {points} = view.drawing.lines.find((one) => one.from.box.lines[0] === from);
        const x = Math.round((points[0] - view.view.x) * view.wide), y = Math.round(((points[1] + points[3]) / 2 - view.view.y) * view.view.scale);
        const {data} = picture.pen.getImageData(x - 2, y, 5, 1);
        const of = (name) => [1, 3, 5].map((at) => parseInt(picture.colours[name].slice(at, at + 2), 16));
        const apart = (name) => Math.min(...[0, 1, 2, 3, 4].map((k) => of(name).reduce((sum, value, at) => sum + Math.abs(value - data[4 * k + at]), 0)));
        return apart("accent") < apart("line") ? "mask" : "line";
    }"""
    with shown(layerexplain.page(spec), tmp_path, complains="Canvas2D") as page:
        assert [page.evaluate(colour, [name, False]) for name in ("words", "read")] == ["line", "line"]
        page.click("text=Masks")
        for far in (False, True):
            assert [page.evaluate(colour, [name, far]) for name in ("words", "read")] == ["mask", "line"], far


def test_the_graph_is_printed_on_a_page_with_its_legend_and_the_maps_of_what_runs(tmp_path: Path) -> None:
    with shown(layerexplain.page(str(SAMPLES / "digits.keras")), tmp_path) as page:
        if reader := shutil.which("pdftotext"):
            done = subprocess.run([reader, "-", "-"], input=page.pdf(), capture_output=True, check=True)
            pages = done.stdout.decode().split("\f")
            assert len(pages) == 4, "three, and what is behind the last one's end"
            assert "share of the MACs" in pages[1] and "normalization" in pages[1]
            assert "All layers" not in pages[1] and "All layers" in pages[2]
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        maps = page.evaluate("""[...document.querySelectorAll(".printed .thumbnails canvas")].map((one) => {
            const {data} = one.getContext("2d").getImageData(0, 0, one.width, one.height);
            return [one.width, data.some((value) => value > 0)];
        })""")
        assert len(maps) == 9 and all(drawn and width != 300 for width, drawn in maps)
        bars = page.evaluate("""(() => {
            const canvas = document.querySelector(".printed figure canvas");
            const {data} = canvas.getContext("2d").getImageData(26, 0, 1, canvas.height);
            let dark = 0;
            for (let at = 0; at < data.length; at += 4) dark += data[at] < 160;
            return dark;
        })()""")
        assert bars > 30, "shares of costs stand at the left"


@pytest.mark.parametrize("compared", [False, True])
def test_without_scripts_the_layers_stand_there_with_their_formulas(compared: bool, tmp_path: Path) -> None:
    name = "<img src=x>"
    spec = f"input: [6]\nlayers:\n  - Dense: 4\n    name: '{name}'\n  - ReLU\n  - ReLU\n".encode()
    (tmp_path / "page.html").write_text(layerexplain.page(spec, vs=spec if compared else None), encoding="utf-8")
    context = browser().new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        rows = page.locator("tr").all_inner_texts()
        assert page.locator("img").count() == 0 and page.locator("table").count() == 1 + compared
        wanted = [
            f"{name}\ty = dot(x, W) + b\t(None, 6) → (None, 4)\t28",
            "re_lu\ty = relu(x)\t(None, 4) → (None, 4)\t0",
        ]
        assert all(one in rows for one in wanted), rows
    finally:
        context.close()


def test_a_page_whose_sizes_have_names_draws_each_layer_and_no_numbers_that_are_none(tmp_path: Path) -> None:
    spec = b"input: [null, null, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same}\n  - MaxPooling2D\n  - GlobalAveragePooling2D\n"  # fmt: skip
    (tmp_path / "m.yaml").write_bytes(spec)
    words = ["page", str(tmp_path / "m.yaml"), "--input", "H,W,3", "-o", str(tmp_path / "m.html")]
    assert invoke(*words).exit_code == 0
    with shown((tmp_path / "m.html").read_text("utf-8"), tmp_path) as page:
        for call in range(page.evaluate("layerexplain.data.calls.length")):
            page.evaluate("(call) => layerexplain.view.chooseCall(call)", call)
            rested(page)
            assert "NaN" not in page.inner_text("#pane"), call


SIZED = {
    "images": (
        b"input: [null, null, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same}\n"
        b"  - Conv2D: {filters: 5, kernel_size: 3}\n  - MaxPooling2D\n  - GlobalAveragePooling2D\n  - Dense: 7\n",
        "H,W,3",
        [{"H": 41, "W": 88}, {"H": 9, "W": 300}, {"H": 64, "W": 64}],
    ),
    "multiples of four": (
        b"input: [null, 6]\nlayers:\n  - Conv1D: {filters: 4, kernel_size: 3, padding: same}\n    name: a\n"
        b"  - AveragePooling1D: 2\n  - AveragePooling1D: 2\n  - UpSampling1D: 4\n  - Conv1D: {filters: 4, kernel_size: 1}\n    name: b\n  - Add:\n    from: [a, b]\n",
        "T,6",
        [{"T": 8}, {"T": 500}],
    ),
}
"""Specs, their inputs with names, and numbers for these."""


@pytest.mark.parametrize("name", SIZED)
def test_sliders_of_named_sizes_show_what_the_model_is_with_numbers(name: str, tmp_path: Path) -> None:
    spec, words, points = SIZED[name]
    (tmp_path / "m.yaml").write_bytes(spec)
    shapes = (*[int(word) if word.isdecimal() else word for word in words.split(",")],)
    report = layerexplain.explain(str(tmp_path / "m.yaml"), inputs=shapes)
    with shown(layerexplain.page(report), tmp_path) as page:
        for values in points:
            for size, value in values.items():
                page.evaluate(MOVED, [size, str(value)])
            page.evaluate(NEXT_FRAME)
            there, expected = page.evaluate("layerexplain.data"), page_data(report.at(**values))
            for layer, other in zip(there["layers"], expected["layers"], strict=True):
                for key in ("shape", "params", "macs", "flops", "values", "bytes"):
                    assert layer.get(key) == other.get(key), (values, layer["path"], key)
            makes = [[box.get("makes") for box in one["graph"]["boxes"]] for one in (there, expected)]
            assert makes[0] == makes[1] and there["model"]["totals"] == expected["model"]["totals"]
            assert page.locator("#pane").inner_text().count(f"{expected['model']['totals']['macs']:,}") >= 1
        page.get_by_role("button", name="Names").click()
        assert page.evaluate("layerexplain.data.layers[0].shape") == page_data(report)["layers"][0]["shape"]


MOVED = """([name, value]) => {
  const input = document.querySelector(`.sizes input[name="${name}"]`);
  input.value = value;
  input.dispatchEvent(new Event("input"));
}"""


# On a phone -----------------------------------------------------------------------------------------------------------

PHONE = {"has_touch": True, "is_mobile": True}
SHEET = """
() => {
  const { top, height } = document.querySelector(".sheet").getBoundingClientRect();
  const { active } = layerexplain.view.look;
  const seen = active && layerexplain.view.seenAt(active);
  const graph = layerexplain.view.canvas.getBoundingClientRect();
  const shown = (name) => {
    const box = [...document.querySelectorAll(`.sheet ${name}`)].map((one) => one.getBoundingClientRect()).find((one) => one.height);
    return box !== undefined && box.top < window.innerHeight - 40;
  };
  return { top: top / window.innerHeight, chosen: active?.box.lines[0] ?? null, formula: shown("math"), picture: shown("svg.cells"),
    clear: !seen || (seen.y >= 0 && graph.top + seen.y + seen.h <= top) };
}
"""


def settled(page: Any) -> dict[str, Any]:
    rested(page)
    return page.evaluate(SHEET)


@pytest.mark.parametrize("name", ["strokes", "shapes", "digit"])
def test_a_tap_on_a_box_raises_a_sheet_with_formula_and_picture_and_swipes_move_it(name: str, tmp_path: Path) -> None:
    digits = layerexplain.page(str(ROOT / "sample_models" / "digits.keras"))
    with shown(digits, tmp_path, width=390, **PHONE) as page:
        until(page, "layerexplain.data.live.hasRun")
        assert settled(page)["top"] > 0.9
        page.touchscreen.tap(*at_box(page, name))
        found = settled(page)
        assert (found["chosen"], found["clear"], found["formula"], found["picture"]) == (name, True, True, True)
        assert found["top"] == pytest.approx(0.5, abs=0.02)
        box = page.locator(".sheethandle").bounding_box()
        for by, top in ((-200, 0.08), (200, 0.5), (200, 0.94)):
            box = page.locator(".sheethandle").bounding_box()
            page.mouse.move(box["x"] + 150, box["y"] + 20)
            page.mouse.down()
            page.mouse.move(box["x"] + 150, box["y"] + 20 + by, steps=4)
            page.mouse.up()
            assert settled(page)["top"] == pytest.approx(top, abs=0.02)
        page.locator(".sheethandle").focus()
        page.keyboard.press("Enter")
        assert settled(page)["top"] == pytest.approx(0.5, abs=0.02)


def test_a_tap_presses_the_box_under_it_and_not_what_rises_there(tmp_path: Path) -> None:
    digits = layerexplain.page(str(ROOT / "sample_models" / "digits.keras"))
    # Without motion, the sheet is there before the browser sends the click of a tap.
    with shown(digits, tmp_path, width=390, reduced_motion="reduce", **PHONE) as page:
        until(page, "layerexplain.data.live.hasRun")
        places = set()
        for name in page.evaluate("layerexplain.view.drawing.items.map((one) => one.box.lines[0])"):
            page.evaluate("layerexplain.view.choose(null); layerexplain.view.fit()")
            rested(page)
            x, y = at_box(page, name)
            page.touchscreen.tap(x, y)
            found = settled(page)
            assert (found["chosen"], found["clear"]) == (name, True)
            assert found["top"] == pytest.approx(0.5, abs=0.02)
            places.add(y > 400)
        assert True in places, "some stand where the sheet rises"


def test_a_walk_on_a_phone_keeps_each_box_in_sight_above_the_sheet(tmp_path: Path) -> None:
    digits = layerexplain.page(str(ROOT / "sample_models" / "digits.keras"))
    with shown(digits, tmp_path, width=390, reduced_motion="reduce", **PHONE) as page:
        until(page, "layerexplain.data.live.hasRun")
        page.click("text=Walk through")
        names = []
        for _ in range(10):
            found = settled(page)
            assert found["clear"], found
            names.append(found["chosen"])
            if page.locator(".walk .main").is_enabled():
                page.locator(".walk .main").click()
        assert names[0] == "pixels" and names[-1] == "digit" and len(set(names)) == 10


def test_on_a_phone_the_pad_and_the_three_best_results_stand_side_by_side(tmp_path: Path) -> None:
    digits = layerexplain.page(str(ROOT / "sample_models" / "digits.keras"))
    with shown(digits, tmp_path, width=390, **PHONE) as page:
        until(page, "layerexplain.data.live.hasRun")
        page.evaluate(NEXT_FRAME)
        pad, *bars = [one.bounding_box() for one in [page.locator(".pad"), *page.locator(".playbar").all()]]
        assert len(bars) == 3
        for bar in bars:
            assert bar["x"] >= pad["x"] + pad["width"] and pad["y"] - 5 <= bar["y"] <= pad["y"] + pad["height"]
        shares = [float(one.rstrip(" %")) for one in page.locator(".playvalue").all_inner_texts()]
        assert shares == sorted(shares, reverse=True) and shares[0] > 50
