"""Two models side by side on one page, in a real browser: what differs is marked, and the graphs move together."""

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import ArgumentError
from tests.support.browser import NEXT_FRAME, rested, shown, until
from tests.support.commands import invoke
from tests.support.paths import ROOT

np = pytest.importorskip("numpy")

BEFORE = b"""
input: [13, 13, 3]
layers:
  - Conv2D: {filters: 5, kernel_size: 3}
    name: first
  - ReLU:
    name: positive
  - Flatten:
    name: flat
  - Dense: 7
    name: last
"""
AFTER = BEFORE.replace(b"filters: 5", b"filters: 11").replace(b"  - ReLU:\n    name: positive\n", b"")
RUNS = b"""
inputs: {numbers: [2, 3]}
layers:
  - Rescaling: 2
    name: grow
  - ReLU: {}
    name: positive
  - Flatten:
    name: flat
  - Softmax:
    name: shares
"""
CAPPED = (
    RUNS.replace(b"{}", b"{max_value: 1.5}").replace(b"name: shares", b"name: parts").replace(b"numbers", b"figures")
)


@pytest.fixture(scope="module")
def html() -> str:
    return layerexplain.page(BEFORE, vs=AFTER)


def raise_sheet(page: Any) -> None:
    """On a phone, what differs is in a sheet: all of it is shown."""
    while page.locator(".sheethandle").is_visible() and page.locator(".sheet").get_attribute("data-at") != "2":
        page.click(".sheethandle")


def marked(page: Any, side: int) -> list[str]:
    return page.evaluate(f"""(() => {{
        const {{look, data}} = layerexplain.views[{side}];
        return [...look.found].map((call) => data.layers[data.calls[call][0]].name);
    }})()""")


def test_what_differs_is_marked_and_listed_as_diff_does(html: str, tmp_path: Path) -> None:
    found = layerexplain.diff(BEFORE, AFTER)
    with shown(html, tmp_path) as page:
        assert marked(page, 0) == [one.layer for one in found.changes if one.layer]
        assert marked(page, 1) == [one.layer_after for one in found.changes if one.layer_after]
        assert "positive" in marked(page, 0) and "positive" not in marked(page, 1)
        rows = page.locator(".changes tbody tr").all_inner_texts()
        assert len(rows) == sum(max(len(one.differences), 1) for one in found.changes)
        assert "filters\t5 → 11" in rows[0]


def test_a_row_and_a_box_choose_a_layer_in_both(html: str, tmp_path: Path) -> None:
    chosen = "layerexplain.views.map((one) => one.look.active?.box.lines[0] ?? null)"
    with shown(html, tmp_path) as page:
        page.click(".changes button >> text=last")
        assert page.evaluate(chosen) == ["last", "last"]
        assert "Dense" in page.inner_text(".chosen") and "4,242" in page.inner_text(".chosen")
        page.evaluate("layerexplain.views[1].chooseCall(1)")
        assert page.evaluate(chosen) == ["first", "first"]
        page.evaluate("layerexplain.views[0].chooseCall(2)")
        assert "not there" in page.inner_text(".chosen")


def softmax(values: Any) -> Any:
    powers = np.exp(values)
    return powers / powers.sum()


def test_one_input_runs_both_and_each_layer_says_how_far_it_is_from_the_other(tmp_path: Path) -> None:
    given = np.array([[-1.0, 0.25, 0.5], [1.0, -0.5, 0.625]])
    outputs = [softmax(np.clip(2 * given, 0, most).reshape(6)) for most in (np.inf, 1.5)]
    with shown(layerexplain.page(RUNS, vs=CAPPED), tmp_path) as page:
        until(page, "layerexplain.lives.every((one) => one.hasRun)")
        assert page.locator(".playinput").count() == 1
        found = page.evaluate("given => layerexplain.run({numbers: [given]})", given.tolist())
        assert [one["grow"] for one in found] == [[(2 * given).tolist()]] * 2
        for name, one, wanted in zip(("shares", "parts"), found, outputs, strict=True):
            assert one[name][0] == pytest.approx(wanted.tolist(), abs=1e-6)
        until(page, "document.querySelector('.differences').innerText.includes('0.5')")
        rows = [row.split("\n") for row in page.locator(".differences li").all_inner_texts()]
        # 2 is cut to 1.5: the largest difference, and its share of the largest value.
        apart = np.abs(outputs[1] - outputs[0]).max()
        last = ["shares", f"{apart:.4g}, {100 * apart / np.max(outputs):.2g} %"]
        assert rows == [["grow", "equal"], ["positive", "0.5, 25 %"], ["flat", "0.5, 25 %"], last]
        assert "first layer that gives other numbers is positive." in page.inner_text(".differences")
        bars = page.locator(".playbar .playvalue").all_inner_texts()
        assert bars == [f"{100 * one:.1f} % → {100 * other:.1f} %" for one, other in zip(*outputs, strict=True)]
        # A row chooses the layer in both, and shows it in pictures.
        page.click(".differences button >> text=positive")
        assert page.evaluate("layerexplain.views.map((one) => one.look.active.box.lines[0])") == ["positive"] * 2
        assert "Difference: values from -0.5 to 0, at most 0.5, 25 %." in " ".join(
            page.locator(".chosen figcaption").all_inner_texts()
        )


def test_given_values_are_the_first_input_of_both(tmp_path: Path) -> None:
    given = np.array([[[-1.0, 0.25, 0.5], [1.0, -0.5, 0.625]]])
    with shown(layerexplain.page(RUNS, vs=CAPPED, values=given), tmp_path) as page:
        until(page, "layerexplain.lives.every((one) => one.hasRun)")
        inputs = page.evaluate("layerexplain.lives.map((one) => [...one.program.tensors[0].buffer.values])")
        assert inputs == [given.ravel().tolist()] * 2
        page.get_by_role("button", name="Zeros").click()
        page.get_by_role("button", name="Example").click()
        until(page, "layerexplain.lives[1].program.tensors[0].buffer.values[0] === -1")
        page.click(".changes button >> text=positive")
        assert page.evaluate("document.querySelector('.chosen').getBoundingClientRect().top < innerHeight")


def test_a_stroke_on_the_one_pad_reaches_both(tmp_path: Path) -> None:
    digits = str(ROOT / "sample_models" / "digits.keras")
    with shown(layerexplain.page(digits, vs=digits), tmp_path) as page:
        until(page, "layerexplain.lives.every((one) => one.hasRun)")
        before = page.locator(".playvalue").all_inner_texts()
        box = page.locator("canvas.pad").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 140, box["y"] + 30, steps=8)
        page.mouse.up()
        until(
            page,
            "before => [...document.querySelectorAll('.playvalue')].some((one, at) => one.innerText !== before[at])",
            before,
        )
        until(page, "!layerexplain.lives.some((one) => one.busy)")
        page.evaluate(NEXT_FRAME)
        assert page.evaluate("layerexplain.lives.map((one) => [...one.program.tensors[0].buffer.values].join())[0]")
        pairs = [one.split(" → ") for one in page.locator(".playvalue").all_inner_texts()]
        assert len(pairs) == 10 and all(one == other for one, other in pairs)
        assert set(page.locator(".differences li .quiet").all_inner_texts()) == {"equal"}


def test_a_search_lights_layers_of_both_and_lists_each_pair_once(html: str, tmp_path: Path) -> None:
    with shown(html, tmp_path) as page:
        rest = [marked(page, side) for side in (0, 1)]
        page.keyboard.press("/")
        page.keyboard.type("conv2d")
        assert [marked(page, side) for side in (0, 1)] == [["first"], ["first"]]
        assert page.locator(".option").all_inner_texts() == ["first\nConv2D 3×3, 5"]
        page.keyboard.press("Enter")
        assert page.evaluate("layerexplain.views.map((one) => one.look.active.box.lines[0])") == ["first"] * 2
        page.keyboard.press("ArrowDown")
        assert page.evaluate("layerexplain.views[0].look.active.box.lines[0]") == "positive"
        # What the second has alone is found there, and without words what differs is lit again.
        page.fill("#search", "units=7 type:dense")
        assert [marked(page, side) for side in (0, 1)] == [["last"], ["last"]]
        page.fill("#search", "filters=11")
        assert [marked(page, side) for side in (0, 1)] == [[], ["first"]]
        page.locator(".option").click()
        assert page.evaluate("layerexplain.views[1].look.active.box.lines[0]") == "first"
        page.fill("#search", "")
        assert [marked(page, side) for side in (0, 1)] == rest
        page.locator("h1").click()
        page.keyboard.press("0")
        page.evaluate(NEXT_FRAME)
        before = page.evaluate("layerexplain.views.map((one) => one.view.scale)")
        page.keyboard.press("+")
        page.evaluate(NEXT_FRAME)
        page.evaluate(NEXT_FRAME)
        after = page.evaluate("layerexplain.views.map((one) => one.view.scale)")
        assert all(now > 1.1 * then for now, then in zip(after, before, strict=True))
        page.keyboard.press("?")
        assert page.locator("dialog[open]").count() == 1


def test_the_graphs_move_together(html: str, tmp_path: Path) -> None:
    scales = "layerexplain.views.map((one) => one.view.scale / one.whole().scale)"
    with shown(html, tmp_path) as page:
        page.evaluate(NEXT_FRAME)
        box = page.locator("canvas.graph").first.bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 200)
        page.mouse.wheel(0, -400)
        page.evaluate(NEXT_FRAME)
        page.evaluate(NEXT_FRAME)
        one, other = page.evaluate(scales)
        assert one > 1.2 and other == pytest.approx(one, rel=0.01)
        before = page.evaluate("layerexplain.views[0].view.y")
        second = page.locator("canvas.graph").nth(1).bounding_box()
        page.mouse.move(second["x"] + 30, second["y"] + 400)
        page.mouse.down()
        page.mouse.move(second["x"] + 30, second["y"] + 300, steps=3)
        page.mouse.up()
        page.evaluate(NEXT_FRAME)
        assert page.evaluate("layerexplain.views[0].view.y") > before + 20


@pytest.mark.parametrize("width", [1440, 390])
def test_no_column_is_out_of_sight(html: str, tmp_path: Path, width: int) -> None:
    with shown(html, tmp_path, width=width) as page:
        raise_sheet(page)
        page.click(".changes button >> text=first")
        page.evaluate(NEXT_FRAME)
        hidden = "[...document.querySelectorAll('.table')].map((one) => one.scrollWidth - one.clientWidth)"
        assert page.evaluate(hidden) == [0, 0, 0]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("side", [0, 1])
def test_a_tap_on_a_box_of_either_model_raises_a_sheet_with_what_both_give(side: int, tmp_path: Path) -> None:
    """All of it is in sight at once, and so are both boxes, above it."""
    two = layerexplain.page(RUNS, vs=CAPPED)
    centre = """(side) => {
        const view = layerexplain.views[side];
        const { x, y, w, h } = view.seenAt(view.drawing.items.find((item) => item.box.lines[0] === "positive"));
        const { left, top } = view.canvas.getBoundingClientRect();
        return [left + x + w / 2, top + y + h / 2];
    }"""
    seen = """() => {
        const bottom = (element) => element.getBoundingClientRect().bottom;
        const { top } = document.querySelector(".sheet").getBoundingClientRect();
        return {
            top: top / window.innerHeight,
            title: document.querySelector(".sheettitle").innerText.trim(),
            chosen: layerexplain.views.map(({ look }) => look.active?.box.lines[0]),
            figures: [...document.querySelectorAll(".chosen figure")].map((one) => [one.querySelector("b").innerText.trim(), bottom(one) < window.innerHeight]),
            clear: layerexplain.views.map((view) => {
                const { y, h } = view.seenAt(view.look.active);
                return y >= 0 && view.canvas.getBoundingClientRect().top + y + h <= top;
            }),
        };
    }"""
    with shown(two, tmp_path, width=390, has_touch=True, is_mobile=True) as page:
        until(page, "layerexplain.lives.every((one) => one.hasRun)")
        rested(page)
        page.touchscreen.tap(*page.evaluate(centre, side))
        rested(page)
        found = page.evaluate(seen)
        assert found.pop("top") == pytest.approx(0.5, abs=0.02)
        names = [*page.evaluate("layerexplain.data.names"), "Difference"]
        assert found == {
            "title": "positive",
            "chosen": ["positive", "positive"],
            "figures": [[f"{name}:", True] for name in names],
            "clear": [True, True],
        }


def test_words_of_what_differs_are_whole_on_a_phone(tmp_path: Path) -> None:
    models = [one.replace(b"name: ", b"name: expanded_convolution_1_squeeze_excite_") for one in (BEFORE, AFTER)]
    broken = """[...document.querySelectorAll(".changes td:nth-child(2), .chosen td:last-child, .chosen thead th")].flatMap((cell) => {
        const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
        return [...(text?.data ?? "").matchAll(/[^ ]+/g)].filter(({ index, 0: word }) => {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            return new Set([...range.getClientRects()].map((one) => one.top)).size > 1;
        }).map(([word]) => word);
    })"""
    with shown(layerexplain.page(models[0], vs=models[1]), tmp_path, width=390) as page:
        raise_sheet(page)
        page.click(".changes button >> text=positive")
        assert "removed" in page.inner_text(".changes") and "not there" in page.inner_text(".chosen")
        assert page.evaluate(broken) == []
        hidden = "[...document.querySelectorAll('.table')].map((one) => one.scrollWidth - one.clientWidth)"
        assert page.evaluate(hidden) == [0, 0, 0]


def test_two_graphs_have_one_legend_and_one_set_of_buttons(html: str, tmp_path: Path) -> None:
    """It names the colours of both: only the first model has an activation."""
    scales = "layerexplain.views.map((one) => one.view.scale)"
    with shown(html, tmp_path) as page:
        assert page.locator(".tools").count() == 1
        colours = page.locator("ul.legend").all_inner_texts()
        assert len(colours) == 1 and "activation" in colours[0]
        page.evaluate("layerexplain.views[1].lastMoved = layerexplain.views[0].lastMoved = 1")
        before = page.evaluate(scales)
        page.click(".tools button[aria-label=Larger]")
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(scales) == pytest.approx([1.4 * scale for scale in before])
        page.click(".tools button[aria-label='All in view']")
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(scales) == pytest.approx(before)


def test_both_graphs_and_the_differences_are_printed(html: str, tmp_path: Path) -> None:
    with shown(html, tmp_path) as page:
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert "5 → 11" in page.inner_text("body")
        sizes = page.locator(".printed canvas").evaluate_all(
            "all => all.map((one) => one.offsetWidth * one.offsetHeight)"
        )
        assert len(sizes) == 2 and min(sizes) > 1000
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator(".printed").count() == 0


def test_equal_models_differ_in_nothing(tmp_path: Path) -> None:
    with shown(layerexplain.page(BEFORE, vs=BEFORE), tmp_path) as page:
        assert "No layer, argument or shape differs. Weights are not compared." in page.inner_text("#pane")
        assert page.evaluate("layerexplain.views[0].look.found") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(html: str, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with shown(html, tmp_path, color_scheme=scheme) as page:
        page.click(".changes button >> text=last")
        page.evaluate(NEXT_FRAME)
        serious = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:90] for node in one["nodes"][:3]]) for one in serious] == []


def test_what_has_no_meaning_for_two_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="vs makes one of two"):
        layerexplain.page(BEFORE, vs=AFTER, overlay={"first": 1})
    for name, content in (("a.yaml", BEFORE), ("b.yaml", AFTER)):
        (tmp_path / name).write_bytes(content)
    words = ["page", str(tmp_path / "a.yaml"), "--vs", str(tmp_path / "b.yaml")]
    done = invoke(*words, "-o", tmp_path / "both.html")
    assert (done.exit_code, done.stdout) == (0, "")
    assert str(tmp_path) not in (tmp_path / "both.html").read_text("utf-8")
    assert invoke(*words, "--values", "random", "--max-values", "5").exit_code == 2
    assert invoke(*words, "--values", "random", "-o", tmp_path / "run.html").exit_code == 0
    with shown((tmp_path / "run.html").read_text("utf-8"), tmp_path) as page:
        until(page, "layerexplain.lives.every((one) => one.hasRun)")


def test_both_models_are_shown_at_the_same_level_of_detail(tmp_path: Path) -> None:
    rows = "".join(f"  - Dense: {{units: {3 + at}}}\n    name: layer{at}\n" for at in range(24))
    short, long = [
        f"input: [4]\nlayers:\n{text}".encode() for text in (rows[: len(rows) // 6].rpartition("  - ")[0], rows)
    ]
    with shown(layerexplain.page(short, vs=long, fold=False), tmp_path) as page:
        scales = "layerexplain.views.map((one) => one.view.scale)"
        first, second = page.evaluate(scales)
        assert first == second < 1, "all of the larger one is in view"
        page.evaluate("layerexplain.views[0].lastMoved = 0; layerexplain.views[0].zoom(1.7)")
        until(page, f"{scales}[1] > {second}")
        assert len(set(page.evaluate(scales))) == 1
