"""What a page that runs shows at first sight: what each box gives beside it, numbers in cells, a pad for the keyboard."""

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.render.test_page_picture import WRITTEN
from tests.run.test_page_runs import ran
from tests.support.browser import NEXT_FRAME, rested, until
from tests.support.paths import ROOT

np = pytest.importorskip("numpy")

DIGITS = str(ROOT / "sample_models" / "digits.keras")

SEQUENCE = b"input: [16, 6]\nlayers:\n  - LSTM: {units: 9, return_sequences: true}\n  - LSTM: 8\n  - Dense: 4\n"
COLOURS = (
    b"input: [12, 18, 3]\nlayers:\n  - Conv2D: {filters: 5, kernel_size: 3}\n  - GlobalMaxPooling2D\n  - Dense: 4\n"
)
BRANCHES = b"""
input: [9, 9, 1]
layers:
  - Conv2D: {filters: 4, kernel_size: 3}
    name: trunk
  - Conv2D: {filters: 3, kernel_size: 1}
    name: left
  - Conv2D: {filters: 2, kernel_size: 1}
    name: right
    from: trunk
  - Concatenate:
    from: [left, right]
"""
U_NET = b"input: [16, 16, 3]\nlayers:\n"
for _name, _from, _layer in [
    ("down", "input", "Conv2D: {filters: 7, kernel_size: 3, padding: same, activation: relu}"),
    ("half", "down", "MaxPooling2D: {}"),
    ("lower", "half", "Conv2D: {filters: 11, kernel_size: 3, padding: same, activation: relu}"),
    ("quarter", "lower", "MaxPooling2D: {}"),
    ("middle", "quarter", "Conv2D: {filters: 13, kernel_size: 3, padding: same, activation: relu}"),
    ("raised", "middle", "Conv2DTranspose: {filters: 11, kernel_size: 2, strides: 2}"),
    ("joined", "[raised, lower]", "Concatenate: {}"),
    ("whole", "joined", "Conv2DTranspose: {filters: 7, kernel_size: 2, strides: 2}"),
    ("all", "[whole, down]", "Concatenate: {}"),
    ("answer", "all", "Conv2D: {filters: 2, kernel_size: 1, activation: softmax}"),
]:
    U_NET += f"  - {_layer}\n    name: {_name}\n    from: {_from}\n".encode()

PLACES = """() => layerexplain.maps.places.map(({ shown, x, y, w, h, tile, bars }) => ({
  name: layerexplain.data.layers[shown.layer].name, x, y, w, h, tile, bars,
  values: Array.from(shown.tiles.values), shape: [shown.tiles.count, shown.tiles.rows, shown.tiles.columns] }))"""

PIXELS = "Array.from(layerexplain.data.live.program.tensors[0].buffer.values)"


@pytest.fixture(scope="module")
def digits() -> str:
    return layerexplain.page(DIGITS, weights="f32")


def until_lit(page: Any) -> None:
    until(page, "layerexplain.maps.wave === 1")
    page.evaluate(NEXT_FRAME)


@pytest.mark.parametrize(
    "spec", [DIGITS, SEQUENCE, COLOURS, BRANCHES, U_NET], ids=["digits", "steps", "colours", "branches", "U-Net"]
)
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_each_box_has_what_it_gives_beside_it(spec: Any, width: int, tmp_path: Path) -> None:
    shape = layerexplain.read(spec).layers[0].config["batch_shape"][1:]
    x = np.random.default_rng(2).uniform(size=(1, *shape)).astype("float32")
    run = layerexplain.trace(spec, x)
    traced = {path: run[path] for path, _, _ in run}
    with ran(layerexplain.page(spec, values=x, weights="f32"), tmp_path) as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("layerexplain.view.fit()")
        until_lit(page)
        found = page.evaluate(PLACES)
        boxes = page.evaluate(
            "layerexplain.view.drawing.items.map(one => ({...layerexplain.view.seenAt(one), line: one.box.lines[0]}))"
        )
        room = page.evaluate("layerexplain.view.canvas.clientWidth")
        texts = page.evaluate(WRITTEN)
    assert {one["name"] for one in found} == set(traced) | {one["line"] for one in boxes}
    for one in found:
        assert 24 <= one["h"] <= 41 and one["x"] >= 0 and one["x"] + one["w"] <= room, one
        hidden = [
            box["line"] for box in boxes
            if box["x"] < one["x"] + one["w"] - 1 and one["x"] + 1 < box["x"] + box["w"]
            and box["y"] < one["y"] + one["h"] - 1 and one["y"] + 1 < box["y"] + box["h"]
        ]  # fmt: skip
        # A shape may stand before the column of a graph that runs to the edge of the screen.
        hidden += [
            text for text, x, y, w in texts
            if not text[0].isdigit() or text.endswith("%")
            if one["x"] < x + w - 1 and x + 1 < one["x"] + one["w"] and one["y"] + 1 < y < one["y"] + one["h"]
        ]  # fmt: skip
        assert hidden == [], one["name"]
        if one["name"] in traced:
            count, rows, columns = one["shape"]
            value = traced[one["name"]][0]
            wanted = np.moveaxis(value, -1, 0)[:count] if value.ndim == 3 else value.reshape(1, rows, columns)
            assert np.allclose(np.reshape(one["values"], (count, rows, columns)), wanted, atol=1e-5), one["name"]
    tiles = [one["name"] for one in found]
    if spec == DIGITS:
        assert {one["line"] for one in boxes} <= {text for text, *_ in texts}, "names are whole, on a phone too"
        assert tiles.count("strokes") >= 4 and tiles.count("digit") == 1


def test_maps_follow_the_pen_within_a_frame_and_a_click_opens_the_channel(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path) as page:
        until_lit(page)
        [place] = [one for one in page.evaluate(PLACES) if one["name"] == "strokes" and one["tile"] == 2]
        box = page.locator(".pad").bounding_box()
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.evaluate("layerexplain.data.live.ready")
        page.evaluate(NEXT_FRAME)
        now = [one for one in page.evaluate(PLACES) if one["name"] == "strokes" and one["tile"] == 2]
        page.mouse.up()
        assert now[0]["values"] != place["values"]
        graph = page.locator("canvas.graph").bounding_box()
        # The cell of row 5 and column 2, of 8 × 8.
        at = (graph["x"] + place["x"] + place["w"] * 2.5 / 8, graph["y"] + place["y"] + place["h"] * 5.5 / 8)
        page.mouse.move(*at)
        until(page, "!document.querySelector('.peek').hidden && layerexplain.maps.reads !== null")
        assert page.inner_text(".peek p").startswith("strokes[0, 5, 2, 2] = ")
        rows, columns = page.evaluate("[1, 2].map(axis => Array.from(layerexplain.maps.reads.get(0)[axis]))")
        assert rows == [0, 0, 0, 0, 1, 1, 1, 0] and columns == [0, 1, 1, 1, 0, 0, 0, 0]
        page.mouse.click(*at)
        assert page.inner_text(".title h2") == "strokes"
        assert page.inner_text(".readshere").startswith("y[0, 5, 2, 2] = ")
        page.evaluate("layerexplain.view.choose(null)")
        canvas = page.locator(".thumbnails canvas").nth(1)
        canvas.click(position={"x": 1.5 * canvas.bounding_box()["height"], "y": 2})
        assert page.inner_text(".readshere").startswith("y[0, 0, 4, 1] = ")


def test_a_page_begins_with_something_to_see(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path) as page:
        pixels = page.evaluate(PIXELS)
        assert max(pixels) == 16 and sum(one > 0 for one in pixels) > 12
        assert page.inner_text(".playpad") == "Draw here"
        page.locator(".pad").click()
        assert page.inner_text(".playpad") == ""
        page.get_by_role("button", name="Clear").click()
        assert max(page.evaluate(PIXELS)) == 0


def test_nothing_lights_up_step_by_step_where_motion_is_reduced(digits: str, tmp_path: Path) -> None:
    from tests.support.browser import shown

    with shown(digits, tmp_path, reduced_motion="reduce") as page:
        until(page, "layerexplain.data.live.hasRun && layerexplain.maps")
        assert page.evaluate("layerexplain.maps.wave") == 1


def test_a_pad_is_drawn_on_by_keyboard(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path) as page:
        page.get_by_role("button", name="Clear").click()
        page.locator(".pad").focus()
        page.keyboard.press("ArrowUp")
        assert max(page.evaluate(PIXELS)) == 0
        page.keyboard.down(" ")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.keyboard.up(" ")
        drawn = np.reshape(page.evaluate(PIXELS), (8, 8))
        # From the pixel in the middle, (4, 4), one up and three to the right.
        assert (drawn[3, 4:] == 16).all() and drawn[:, :3].max() == 0 and drawn[6:].max() == 0
        page.keyboard.press("ArrowLeft")
        assert (np.reshape(page.evaluate(PIXELS), (8, 8)) == drawn).all()
        page.keyboard.press("Backspace")
        assert np.reshape(page.evaluate(PIXELS), (8, 8))[3, 6] == 0


@pytest.mark.parametrize(("width", "numbered"), [(1440, True), (1024, False)])
def test_numbers_never_crop_a_picture(digits: str, width: int, numbered: bool, tmp_path: Path) -> None:
    with ran(digits, tmp_path) as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("layerexplain.view.chooseCall(2)")
        rested(page)
        output = page.locator("svg.cells[data-of=out]")
        assert output.locator("rect").count() == 64
        texts = output.locator("text:not(.more)").all_text_contents()
        assert len([one for one in texts if one]) == (64 if numbered else 0)
        page.get_by_label("numbers in all cells").check()
        shown = [one for one in output.locator("text:not(.more)").all_text_contents() if one.strip(".-").isdigit()]
        assert len(shown) == output.locator("rect").count() and (len(shown) == 64) == numbered


def test_formulas_have_room_beside_a_graph_on_a_small_screen(tmp_path: Path) -> None:
    spec = b"input: [16, 32]\nlayers:\n  - MultiHeadAttention: {num_heads: 4, key_dim: 8, use_causal_mask: true}\n    from: [input, input]\n"  # fmt: skip
    with ran(layerexplain.page(spec, values=np.ones((1, 16, 32), "float32")), tmp_path) as page:
        for width in (1024, 1280, 1440):
            page.set_viewport_size({"width": width, "height": 768})
            page.evaluate("layerexplain.view.chooseCall(1)")
            rested(page)
            wide = page.evaluate(
                "[...document.querySelectorAll('.math')].map(one => one.scrollWidth - one.clientWidth)"
            )
            assert len(wide) == 2 and max(wide) <= 1, width
