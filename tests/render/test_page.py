"""The page in a real browser: it asks for nothing, its policy holds, and it shows, opens and finds what it should."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.page.data import page_data
from layerexplain.render.page.shell import modules, script
from tests.support.browser import FILLED, NEXT_FRAME, rested, shown, until
from tests.support.commands import invoke
from tests.support.hostile_names import NAMES, document
from tests.support.paths import ROOT
from tests.truth import load

SAMPLES = ROOT / "sample_models"
EQUAL_BUT_FOR_THEIR_FIELDS = (
    b"input: [9, 9, 4]\nlayers:\n" + 3 * b"  - Conv2D: {filters: 4, kernel_size: 3, padding: same}\n"
)
CHOSEN = "document.querySelector('#pane h2').textContent"


def chosen(page: Any, name: str) -> None:
    """Assert that the pane shows a layer; the browser tells of a new address a moment after the click."""
    until(page, f"(name) => {CHOSEN} === name && {FILLED}", name)


@pytest.fixture(scope="module")
def resnet() -> str:
    return layerexplain.page(str(SAMPLES / "resnet50.json"))


def test_a_page_knows_which_layer_each_tensor_comes_from_and_which_boxes_are_inputs() -> None:
    spec = (
        b"input: [5, 3]\nlayers:\n  - LSTM: {units: 4, return_state: true, name: both}\n"
        b"  - Add: {name: sum}\n    from: [both, 'both[1]']\n"
    )
    data = page_data(layerexplain.explain(spec))
    assert [layer["calls"][0]["from"] for layer in data["layers"]] == [
        [],
        [[0, "input (None, 5, 3)"]],
        [[1, "both (None, 4)"], [1, "both[1] (None, 4)"]],
    ]
    boxes = [(box["lines"][0], box.get("input", False)) for box in data["graph"]["boxes"]]
    assert boxes == [("input", True), ("both", False), ("sum", False)]


@pytest.mark.parametrize("start", ["main", "running", "what_if", "gallery", "compare", "comparing"])
def test_modules_declare_each_name_once(start: str) -> None:
    code = script(start)
    texts = "\n".join(modules(start).values())
    names = re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", texts, re.MULTILINE)
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|setAttribute\(.style", code)


def test_the_same_model_makes_the_same_bytes(resnet: str) -> None:
    assert layerexplain.page(str(SAMPLES / "resnet50.json")) == resnet
    assert len(resnet.encode()) < 160_000


@pytest.mark.slow
def test_large_models_make_small_pages() -> None:
    nasnet = layerexplain.page(load("keras3", "NASNetLarge")["config"].encode())
    assert len(nasnet.encode()) <= 700_000
    rows = "".join(f"  - Dense: {(64, 96, 160)[at // 7 % 3]}\n" for at in range(2_999))
    page = layerexplain.page(f"input: [64]\nlayers:\n{rows}".encode())
    assert len(page.encode()) <= 800_000


@pytest.mark.parametrize(
    "source", [SAMPLES / "resnet50.json", SAMPLES / "transformer.json", EQUAL_BUT_FOR_THEIR_FIELDS]
)
def test_layers_that_compute_the_same_keep_what_is_their_own(source: Any) -> None:
    report = layerexplain.explain(source)
    data = page_data(report)
    rows = {row.path: row for row in _with_inner(report.layers)}
    assert list(rows) == [entry["path"] for entry in data["layers"]]
    same: set[int] = set()
    for entry in data["layers"]:
        row = rows[entry["path"]]
        told = row.explanation
        definition = data["definitions"][entry["definition"]]
        assert [entry[key] for key in ("name", "type", "operation", "params", "trainable", "macs", "flops")] == [
            row.layer, row.type, row.operation, row.params, row.trainable, row.macs, row.flops,
        ]  # fmt: skip
        assert entry.get("notes", []) == list(row.notes)
        assert entry.get("cost", []) == list(told.cost)
        assert entry.get("field", []) == list(told.receptive_field)
        assert entry.get("hints", []) == list(told.hints)
        assert definition["sentence"] == told.sentence
        reached = [entry.get("keras", "") + weight[-1] for weight in definition.get("weights", [])]
        assert reached == [weight.reach for weight in told.weights]
        same.add(entry["definition"])
    assert len(same) < len(data["layers"])


def _with_inner(rows: Sequence[Any]) -> list[Any]:
    return [one for row in rows for one in (row, *_with_inner(row.layers))]


def test_a_page_shows_what_is_at_fault(tmp_path: Path) -> None:
    source = tmp_path / "model.yaml"
    source.write_text(
        "input: [9, 9, 1]\nlayers:\n  - Dense: 3\n  - Conv2D: {filters: 4, kernel_size: 30}\n    name: large\n  - Dens: 3\n"
    )
    found = invoke("page", source, "-o", tmp_path / "model.html")
    assert found.exit_code == 1 and found.stdout == ""
    lines = [line.removeprefix("layerexplain: error: ") for line in found.stderr.splitlines() if "error" in line]
    assert [line.partition(": ")[0] for line in lines] == [f"{source}:4", f"{source}:6"]
    with shown((tmp_path / "model.html").read_text("utf-8"), tmp_path) as page:
        assert page.locator(".banner li").all_inner_texts() == [
            line.replace(str(source), "model.yaml") for line in lines
        ]
        assert str(tmp_path) not in page.evaluate("JSON.stringify(layerexplain.data)")
        page.locator(".banner a").click()
        chosen(page, "large")
        assert page.locator(".pane .fault").inner_text().startswith("the window needs to fit into the 9 rows")
        data = page.evaluate("window.layerexplain.data")
        assert [box["lines"][0] for box in data["graph"]["boxes"] if box.get("faulty")] == ["large", "dens"]
        assert [layer["name"] for layer in data["layers"] if layer.get("faults")] == ["large", "dens"]


def test_a_layer_is_chosen_by_address_link_and_keys(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path, "conv2_block2_2_conv") as page:
        chosen(page, "conv2_block2_2_conv")
        assert "36,864" in page.inner_text("#pane")
        page.click("#pane a >> text=conv2_block2_1_relu")
        chosen(page, "conv2_block2_1_relu")
        page.focus("#graph")
        page.keyboard.press("ArrowDown")
        chosen(page, "conv2_block2_2_conv")
        assert page.evaluate("location.hash") == "#conv2_block2_2_conv"


ACTIVE = "layerexplain.view.look.active"


@pytest.fixture(scope="module")
def transformer() -> str:
    return layerexplain.page(str(SAMPLES / "transformer.json"), gradient=True)


def click(page: Any, name: str, at: str = "[x + w / 2, y + h / 2]") -> None:
    """Clicks on the box with this title."""
    page.evaluate(
        f"layerexplain.view.reveal(layerexplain.view.drawing.items.find((one) => one.box.lines[0] === {name!r}))"
    )
    place = f"""(() => {{
        const view = layerexplain.view;
        const {{x, y, w, h}} = view.seenAt(view.drawing.items.find((one) => one.box.lines[0] === {name!r}));
        return {at};
    }})()"""
    x, y = page.evaluate(place)
    corner = page.locator("canvas.graph").bounding_box()
    page.mouse.click(corner["x"] + x, corner["y"] + y)


@pytest.mark.parametrize("sample", ["resnet50.json", "transformer.json", "autoencoder_with_embedding.yaml"])
def test_every_call_is_reached_and_boxes_stand_apart(sample: str, tmp_path: Path) -> None:
    with shown(layerexplain.page(str(SAMPLES / sample)), tmp_path) as page:
        missed = page.evaluate("""
            layerexplain.data.calls.map((_, call) => call).filter((call) => {
                layerexplain.view.chooseCall(call);
                return layerexplain.view.look.active?.call !== call;
            })""")
        assert missed == []
        page.evaluate("layerexplain.view.toggleAll(true)")
        drawing = page.evaluate("""({
            items: layerexplain.view.drawing.items.map((one, at, all) =>
                [one.x, one.y, one.w, one.h, all.indexOf(one.around), one.open]),
            lines: layerexplain.view.drawing.lines.map((one) => one.points)})""")
        items, lines = drawing["items"], drawing["lines"]
        for at, (x, y, w, h, around, _) in enumerate(items):
            if around >= 0:
                outer = items[around]
                assert outer[0] <= x and x + w <= outer[0] + outer[2] + 0.2, "a box stands in its frame"
                assert outer[1] <= y and y + h <= outer[1] + outer[3] + 0.2
            for a, b, c, d, other, _ in items[:at]:
                assert other != around or x + w <= a or a + c <= x or y + h <= b or b + d <= y, "boxes stand apart"
        closed = [item for item in items if not item[5]]
        for points in lines:
            pairs = list(zip(points[::2], points[1::2], strict=True))
            for (a, b), (c, d) in pairwise(pairs):
                for x, y, w, h, _, _ in closed:
                    crosses = (
                        max(a, c) > x + 1 and min(a, c) < x + w - 1 and max(b, d) > y + 1 and min(b, d) < y + h - 1
                    )
                    assert not crosses, "no line runs through a box"


def test_a_block_opens_shows_each_copy_and_closes(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        count = page.evaluate("layerexplain.view.drawing.items.length")
        click(page, "conv4_block2 … conv4_block6")
        assert "repeats 5 times" in page.inner_text("#pane")
        page.click("#pane button >> text=Open the box")
        assert page.evaluate("layerexplain.view.drawing.items.length") > count + 10
        click(page, "conv4_block2_1_conv")
        chosen(page, "conv4_block2_1_conv")
        page.keyboard.press("]")
        chosen(page, "conv4_block3_1_conv")
        page.keyboard.press("[")
        page.keyboard.press("[")
        chosen(page, "conv4_block6_1_conv")
        # Its formula is that of one element already, and is not shown twice.
        assert page.locator("#pane .formula .math-line").count() == 1
        assert "One element of the output" not in page.inner_text("#pane .formula")
        page.keyboard.press("Escape")
        assert page.evaluate("layerexplain.view.drawing.items.length") == count
        click(page, "conv4_block2 … conv4_block6")
        page.keyboard.press("Enter")
        for label, all_open in (("Open all", True), ("Close all", False)):
            page.click(f"button >> text={label}")
            assert page.evaluate("layerexplain.view.allOpen()") is all_open
        click(page, "conv4_block2 … conv4_block6")
        page.keyboard.press("Enter")
        page.evaluate(NEXT_FRAME)
        place = page.evaluate("layerexplain.view.picture.corners.find((one) => !one.next)")
        corner = page.locator("canvas.graph").bounding_box()
        page.mouse.click(corner["x"] + place["x"] + place["w"] / 2, corner["y"] + place["y"] + place["h"] / 2)
        assert page.evaluate("layerexplain.view.drawing.items.length") == count


def test_arrow_keys_go_from_the_first_box_to_the_last(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        page.focus("#graph")
        page.keyboard.press("Home")
        seen = [page.evaluate(CHOSEN)]
        for _ in range(13):
            page.keyboard.press("ArrowDown")
            seen.append(page.evaluate(CHOSEN))
            option = page.evaluate(
                "document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent"
            )
            assert option.startswith(seen[-1])
        assert (seen[0], seen[-1]) == ("input_layer", "predictions")
        assert len(set(seen)) == 14
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.textContent") == "Print"


def test_search_finds_by_name_type_number_and_note(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path) as page:
        page.keyboard.press("/")
        for typed, found in (
            ("conv5 relu", "9 of 177"),
            ("type:Conv2D params>2m", "4 of 177"),
            ("macs=0 type:dense", "Nothing found. Search for a name, a type, 3x3, stride 2"),
            ("stride 2", "8 of 177"),
            ("3x3 conv5", "3 of 177"),
            ("activation=softmax", "1 of 177"),
            ("14x14x1024 add", "6 of 177"),
            ("note:", "Nothing found"),
            ("flops>=1,000 type:dense", "1 of 177"),
        ):
            page.fill("#search", typed)
            assert page.inner_text(".said-found").startswith(found), typed
        page.keyboard.press("Enter")
        chosen(page, "predictions")
        page.focus("#search")
        page.keyboard.press("Escape")
        assert page.evaluate("layerexplain.view.look.found") is None


def test_the_list_has_every_layer(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path) as page:
        page.click("text=List")
        assert page.locator(".layers li").count() == 31
        page.click(".layers button >> text=block2_expand")
        chosen(page, "block2_expand")
        page.click("text=Masks")
        page.click("text=List")
        assert page.evaluate(f"{ACTIVE}.call") >= 0


def test_what_leads_to_no_output_stands_aside(transformer: str, tmp_path: Path) -> None:
    count = "layerexplain.view.drawing.items.length"
    with shown(transformer, tmp_path) as page:
        main = page.evaluate(count)
        page.click("text=Side operations")
        assert page.evaluate(count) > main
        page.click("text=Side operations")
        assert page.evaluate(count) == main
        page.evaluate("location.hash = 'logical_or_2'")
        chosen(page, "logical_or_2")
        assert page.get_attribute("text=Side operations", "aria-pressed") == "true"


def test_formulas_are_typeset_and_copied(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, "block1_expand") as page:
        assert page.locator("#pane math").count() >= 3
        assert page.locator("#pane math mi", has_text="undefined").count() == 0
        element = page.locator("#pane .formula .math-line").nth(1)
        assert "∑" in element.text_content() and element.bounding_box()["height"] > 20
        assert "dW" in page.inner_text("#pane .training")
        assert 'model.get_layer("block1_expand").kernel' in page.inner_text("#pane .keras")
        page.click("#pane .copies button >> text=LaTeX")
        page.evaluate("document.querySelector('#search').focus()")
        page.keyboard.press("Control+V")
        assert "\\mathrm{gelu}" in page.input_value("#search")


def test_an_index_stands_below_its_letter_whatever_fonts_there_are(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, "block1_attention") as page:
        lower = page.evaluate(
            """[...document.querySelectorAll("#pane .formula msub")].map((one) => {
              const [letter, index] = [...one.children].map((child) => child.getBoundingClientRect());
              return (index.bottom - letter.bottom) / parseFloat(getComputedStyle(one).fontSize);
            })"""
        )
    assert sorted(lower)[len(lower) // 2] > 0.22


def test_dark_and_light(transformer: str, tmp_path: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    pixel = "[...document.querySelector('canvas.graph').getContext('2d').getImageData(3, 3, 1, 1).data].slice(0, 3)"
    with shown(transformer, tmp_path, complains="Canvas2D", color_scheme="dark") as page:
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(pixel)[0] == 21
        assert page.evaluate(background) == "rgb(21, 23, 26)"
        page.click("[aria-label='Light or dark']")
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(pixel)[0] == 255


def test_what_is_printed_is_a_document(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, "block1_attention") as page:
        printed = page.pdf()
        assert printed.startswith(b"%PDF-") and printed.count(b"/Type /Page") > 3
        if reader := shutil.which("pdftotext"):
            done = subprocess.run([reader, "-layout", "-", "-"], input=printed, capture_output=True, check=True)
            text = done.stdout.decode()
            assert (
                "1,429,636" in text
                and "block2_contract" in text
                and "key_dim=32" in text
                and "Σ" in text.replace("∑", "Σ")
            )
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        told = page.inner_text(".printed")
        assert "1,429,636" in told and "block2_contract" in told and "key_dim=32" in told
        assert not page.locator("#graph").is_visible()


def test_a_large_model_is_printed_on_few_pages(resnet: str, tmp_path: Path) -> None:
    """The graph, a table of all layers, and in full the layers that a search has found."""
    with shown(resnet, tmp_path) as page:
        page.fill("#search", "conv1")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('.printed article h2')].map((one) => one.textContent)") == [
            "conv1_pad",
            "conv1_conv",
            "conv1_bn",
            "conv1_relu",
        ]
        page.fill("#search", "conv1_conv")
        assert 4 <= page.pdf().count(b"/Type /Page\n") <= 12
        page.fill("#search", "")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".printed article").count() == 0
        assert page.evaluate("document.querySelectorAll('.printed > .table tbody tr').length") == 177


def test_what_is_closed_in_one_layer_is_closed_in_the_next(resnet: str, tmp_path: Path) -> None:
    parts = "[...document.querySelectorAll('.part')].map((one) => [one.firstChild.textContent, one.open])"
    with shown(resnet, tmp_path, "conv1_conv") as page:
        assert page.evaluate(parts) == [["The idea", True], ["The numbers", True], ["The reference", True]]
        page.click(".part summary >> text=The numbers")
        page.click("#pane a >> text=conv1_pad")
        chosen(page, "conv1_pad")
        assert page.evaluate(parts)[1] == ["The numbers", False]


def test_paper_is_light_where_the_page_is_dark(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, complains="Canvas2D", color_scheme="dark") as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        pixel = "[...document.querySelector('.printed canvas').getContext('2d').getImageData(2, 2, 1, 1).data]"
        assert page.evaluate(pixel) == [255, 255, 255, 255]
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(pixel.replace(".printed canvas", "canvas.graph"))[0] == 21, "the page stays as it is"


def test_names_are_whole_in_the_font_that_the_browser_has(resnet: str, transformer: str, tmp_path: Path) -> None:
    """A box is as wide as its name in the font that Python counts with; the one here may be wider."""
    for page_of in (resnet, transformer):
        with shown(page_of, tmp_path, complains="Canvas2D") as page:
            page.evaluate("layerexplain.view.toggleAll(true)")
            cut = page.evaluate("""() => {
                const {view: {picture, drawing}} = layerexplain;
                picture.pen.font = picture.title;
                return drawing.items.filter((one) => !one.open && !one.box.port && one.w < 250)
                    .map((one) => [one.box.lines[0], picture.fitted(one.box.lines[0], (one.w - 14) * 1.08)])
                    .filter(([name, written]) => name !== written);
            }""")
            assert cut == []
            both = """(({picture}) => {
                picture.pen.font = picture.title;
                return picture.fitted('expanded_conv_squeeze_excite … multiply', 150);
            })(layerexplain.view)"""
            assert re.fullmatch(r"exp\w+…\w+ … (multiply|mu\w+…\w+)", page.evaluate(both)), "each end is cut by itself"


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_its_place(transformer: str, width: int, tmp_path: Path) -> None:
    wide = """[...document.querySelectorAll(".list, .table, .math")]
        .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent.slice(0, 60))"""
    with shown(transformer, tmp_path, complains="Canvas2D", width=width) as page:
        page.click("text=List")
        assert page.evaluate(wide) == []
        head, first = (page.locator(one).first.bounding_box() for one in (".list-head", ".layers li"))
        assert first["y"] >= head["y"] + head["height"] - 0.5, "the head does not cover the first layer"
        page.evaluate("location.hash = 'block1_attention'")
        chosen(page, "block1_attention")
        rested(page)
        assert page.evaluate(wide) == []
    # What stands unseen in a bracket that is cut into lines makes no room to scroll.
    convolution = b"input: [12, 12, 3]\nlayers:\n  - Conv2D: {filters: 6, kernel_size: 3, activation: relu}\n"
    with shown(layerexplain.page(convolution), tmp_path, "conv2d", complains="Canvas2D", width=width) as page:
        assert page.locator(".formula .math wbr").count() > 0
        assert page.evaluate(wide) == []


def test_a_phone_has_one_column(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, "block1_attention", width=390, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        graph, pane = (page.locator(one).bounding_box() for one in ("#graph", "#pane"))
        assert pane["y"] > 400 > graph["y"] + 100 and graph["height"] > 300
        page.touchscreen.tap(graph["x"] + 5, graph["y"] + 5)
        chosen(page, "transformer")


def test_a_screen_reader_hears_names_and_formulas_whole(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, "block1_attention", complains="Canvas2D") as page:
        chosen(page, "block1_attention")
        rested(page)
        heard = page.evaluate("""[...document.querySelectorAll(".wiring a, .formula [role=math]")]
            .map((one) => one.getAttribute("aria-label"))""")
        assert heard[0] == "block1_attention_norm (None, 64, 128)"
        assert "Q = dot(query, W_q) + b_q" in heard and not [text for text in heard if "\\" in text]
        # What shows all that it has is no stop of the Tab key; what does not, is one.
        stops = """[...document.querySelectorAll("#pane .table, #pane .math, #pane .listing")]
            .map((one) => [one.tabIndex === 0, one.scrollWidth > one.clientWidth + 1])"""
        assert all(stop == more for stop, more in page.evaluate(stops))
        page.set_viewport_size({"width": 800, "height": 800})
        page.evaluate("document.querySelector('#pane .listing').append('x'.repeat(300))")
        page.evaluate("document.querySelector('#pane .listing').style.whiteSpace = 'pre'")
        page.set_viewport_size({"width": 780, "height": 800})
        page.wait_for_selector("#pane .listing[tabindex='0']")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_axe_finds_nothing_serious(transformer: str, tmp_path: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with shown(transformer, tmp_path, width=width, color_scheme=scheme) as page:
        page.fill("#search", "block1")
        steps = ["location.hash = 'block1_attention'", "document.querySelectorAll('.bar button')[3].click()"]
        for step in ["", *steps] if scheme == "dark" else steps[:1]:
            page.evaluate(step)
            rested(page)
            found = axe.run(page).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            assert [(one["id"], [node["html"][:90] for node in one["nodes"][:3]]) for one in serious] == []


def test_the_policy_is_in_force(transformer: str, tmp_path: Path) -> None:
    with shown(transformer, tmp_path, complains="Content Security Policy") as page:
        done = page.evaluate("""async () => {
            const script = document.createElement("script");
            script.textContent = "window.evil = 1";
            const box = document.createElement("p");
            box.setAttribute("style", "position: fixed");
            document.body.append(script, box);
            const refused = await fetch("data:text/plain,x").then(() => false, () => true);
            const result = [window.evil, getComputedStyle(box).position, refused];
            box.remove();
            return result;
        }""")
        assert done == [None, "static", True]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "long"])
def test_hostile_names_make_no_element_and_no_style(name: str, tmp_path: Path) -> None:
    with shown(layerexplain.page(document(NAMES[name])), tmp_path) as page:
        for _ in range(3):
            page.focus("#graph")
            page.keyboard.press("ArrowDown")
            assert page.locator("img, iframe, object, embed, link, form, [style]:not([style^='--fit'])").count() == 0
            assert page.locator("script").count() == 3


def test_amounts_in_bytes_have_their_unit(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path, width=900) as page:
        page.evaluate("""() => {
            const write = CanvasRenderingContext2D.prototype.fillText;
            window.written = [];
            CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
                window.written.push(text);
                write.call(this, text, ...place);
            };
        }""")
        for measure, unit in (("activations", r"\d kB$"), ("bytes", r"\d MB$"), ("params", r"\d M$")):
            page.evaluate("window.written.length = 0")
            page.select_option("select", measure)
            until(page, "written.length > 3")
            assert any(re.search(unit, text) for text in page.evaluate("written")), measure


def test_a_long_path_and_a_shape_stay_whole_on_a_phone(tmp_path: Path) -> None:
    report = layerexplain.explain(b"input: [7, 8]\nlayers:\n  - Dense: {units: 8, name: x}\n")
    with shown(layerexplain.page(report, name="/" + "far_away" * 12 + ".yaml"), tmp_path, width=390) as page:
        assert (
            page.evaluate(
                "(() => { const pane = document.getElementById('pane'); return pane.scrollWidth - pane.clientWidth })()"
            )
            <= 0
        )
        page.evaluate("layerexplain.view.chooseCall(1)")
        rested(page)
        assert page.inner_text(".wiring .whole") == "(None, 7, 8)"
