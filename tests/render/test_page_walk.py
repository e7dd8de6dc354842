"""The walk through a model on its page, in a real browser: steps, arrow keys, and how an output comes about is played."""

from pathlib import Path

import pytest

import layerexplain
from tests.support.browser import shown, until
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
TITLE = "document.querySelector('#pane h2').textContent"
WORDS = "[...document.querySelectorAll('.walk-words')].map((one) => one.textContent)"


@pytest.fixture(scope="module")
def digits() -> str:
    return layerexplain.page(str(SAMPLES / "digits.keras"))


def test_arrow_keys_go_through_the_model_in_the_order_of_its_tensors(digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path, reduced_motion="reduce") as page:
        names = page.evaluate("layerexplain.data.layers.map((one) => one.name)")
        seen = []
        for number in range(1, len(names) + 1):
            page.keyboard.press("ArrowRight")
            seen.append(page.evaluate(TITLE))
            assert f"Step {number} of {len(names)}" in page.inner_text("nav.walk")
            assert page.evaluate("layerexplain.view.look.active.box.lines[0]") == seen[-1]
            assert 1 <= len(page.evaluate(WORDS)) <= 3
        assert seen == names
        page.keyboard.press("ArrowRight")
        assert page.evaluate(TITLE) == names[-1], "there is no step behind the last one"
        assert page.get_by_role("button", name="Next ›").is_disabled()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(TITLE) == names[-2]


def test_a_step_says_what_a_layer_does_and_why_the_shape_changes(digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path, reduced_motion="reduce") as page:
        page.evaluate("layerexplain.walk.show(6)")
        assert page.evaluate(WORDS)[:2] == [
            "Takes the maximum of each 2×2 window, separately for each of the 12 channels. No trainable parameters.",
            "(None, 8, 8, 12) becomes (None, 4, 4, 12): rows 8 → 4 (floor((8 - 2) / 2) + 1 = 4); "
            "columns 8 → 4 (floor((8 - 2) / 2) + 1 = 4).",
        ]
        page.click("text=Everything about this layer")
        until(page, "document.querySelector('#pane .weights, #pane .shape') !== null")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(TITLE) == "halve", "off the walk, the keys leave the pane as it is"
        page.click(".bar button >> text=Walk through")
        assert page.evaluate(TITLE) == "halve"
        assert "Step 6 of 10" in page.inner_text("nav.walk")


def test_a_step_says_nothing_of_shapes_that_stay_and_of_other_frameworks(tmp_path: Path) -> None:
    spec = b"input: [7, 11]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n    name: look\n    from: [input, input]\n"
    spec += b"  - Dense: 5\n    name: last\n"
    with shown(layerexplain.page(spec), tmp_path, reduced_motion="reduce") as page:
        page.evaluate("layerexplain.walk.show(2)")
        look = page.evaluate(WORDS)
        # A step looks at all steps: the line with that sum is shown, and not the result, which mixes heads.
        until(page, "document.querySelector('.readsline[aria-pressed=true]')?.textContent === 'context'")
        assert look[0] == "Each of the 7 queries attends to the 7 value positions, in 2 heads of width 3."
        assert not any("are gone" in one or "becomes" in one for one in look)
        page.evaluate("layerexplain.walk.show(3)")
        last = page.evaluate(WORDS)
        assert last[1] == "(None, 7, 11) becomes (None, 7, 5): features 11 → 5 (units = 5)."
        hints = page.evaluate("layerexplain.data.layers[2].hints")
        assert any(one.startswith("PyTorch") for one in hints) and not any("PyTorch" in one for one in last)


def test_a_layer_that_repeats_is_named_with_how_often(tmp_path: Path) -> None:
    spec = b"input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 13, output_dim: 7}\n"
    spec += b"  - Dense: {units: 7, activation: relu}\n    repeat: 3\n"
    spec += b"  - Sequential: [{Dense: 11}, {Dense: 7}]\n    repeat: 4\n"
    with shown(layerexplain.page(spec), tmp_path, reduced_motion="reduce") as page:
        words = []
        for step in (2, 3, 4):
            page.evaluate(f"layerexplain.walk.show({step})")
            words.append(page.evaluate(WORDS))
        assert words[0][1].endswith(": features are new (each id selects a row of 7 numbers).")
        often = "times in a row, each time with weights of its own:"
        assert [one[0] for one in words[1:]] == [f"3 {often} Dense 7, relu.", f"4 {often} Sequential, 2 layers."]


def test_a_block_says_how_often_it_repeats_and_its_share(tmp_path: Path) -> None:
    with shown(layerexplain.page(str(SAMPLES / "resnet50.json")), tmp_path) as page:
        page.click(".bar button >> text=Walk through")
        page.evaluate("layerexplain.walk.show(10)")
        words = page.evaluate(WORDS)
        assert words[0].startswith("A block of 10 layers that repeats 5 times")
        calls = "layerexplain.view.look.active.calls"
        macs = page.evaluate(f"{calls}.reduce((sum, call) => sum + layerexplain.data.layers[call].macs, 0)")
        assert f"{100 * macs / 3_857_973_248:.0f} % of the multiply-accumulates" in words[1]


PLAYED = """() => {
    const svg = document.querySelector(".cellfigure.to svg");
    window.chosen = [];
    window.terms = [];
    new MutationObserver(() => {
        const at = svg.querySelector(".chosen")?.dataset.at;
        if (at && chosen[chosen.length - 1] !== at) chosen.push(at);
    }).observe(svg, {subtree: true, attributes: true, childList: true});
    new MutationObserver(() => {
        const rows = [...document.querySelectorAll(".sumsterms tbody tr")];
        terms.push(rows.filter((one) => !one.classList.contains("ahead")).length);
    }).observe(document.querySelector(".readssums"), {subtree: true, attributes: true, childList: true});
}"""


def test_the_window_slides_products_appear_and_the_sum_lands(digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path) as page:
        page.evaluate("layerexplain.run({pixels: [Array(8).fill(Array(8).fill([7]))]})")
        page.evaluate("layerexplain.walk.show(3)")
        page.evaluate(PLAYED)
        until(page, "document.querySelector('.cells.landed') !== null")
        until(page, "chosen.length >= 2")
        assert page.evaluate("chosen").index("0,0,0,0") == 0
        assert page.evaluate("chosen")[1] == "0,0,1,0", "along the columns"
        terms = page.evaluate("terms")
        assert {1, 2, 3, 4} <= {*terms}, "one product after the other; five of nine are padding"
        page.click(".play-button")
        assert page.inner_text(".play-button") == "▶ Play"
        assert page.locator(".ahead").count() == 0, "stopped, all is there"


def test_nothing_moves_by_itself_where_that_is_not_wanted(digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path, reduced_motion="reduce") as page:
        page.evaluate("layerexplain.walk.show(3)")
        page.wait_for_timeout(600)
        assert page.inner_text(".play-button") == "▶ Play"
        page.click(".play-button")
        assert page.inner_text(".play-button") == "❚❚ Stop"


def test_a_recurrent_layer_goes_along_its_steps(tmp_path: Path) -> None:
    spec = b"input: [7, 3]\nlayers:\n  - LSTM: 5\n    name: memory\n"
    with shown(layerexplain.page(spec), tmp_path) as page:
        page.evaluate("layerexplain.walk.show(2)")
        page.evaluate(PLAYED)
        until(page, "chosen.length >= 3")
        steps = [int(one.split(",")[1]) for one in page.evaluate("chosen")]
        assert steps[:3] == [0, 1, 2]


def test_the_words_of_a_step_stand_before_its_cells_are_computed(digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path, reduced_motion="reduce") as page:
        page.evaluate("layerexplain.walk.show(3)")
        until(page, "document.querySelector('#pane .reads .cells') !== null")
        at_once = page.evaluate(f"""(() => {{
            layerexplain.walk.show(4);
            return [{WORDS}.length > 0, document.querySelector('#pane .reads .cells') === null];
        }})()""")
        assert at_once == [True, True]
        until(page, "document.querySelector('#pane .reads .cells') !== null")


def test_a_graph_that_is_all_in_view_stays_where_it_is(digits: str, tmp_path: Path) -> None:
    place = "(({x, y, scale}) => [x, y, scale])(layerexplain.view.view)"
    with shown(digits, tmp_path, width=1280, reduced_motion="reduce") as page:
        before = page.evaluate(place)
        for _step in range(10):
            page.keyboard.press("ArrowRight")
            assert page.evaluate(place) == pytest.approx(before)
        page.evaluate("layerexplain.view.zoom(2.5)")
        page.evaluate("layerexplain.walk.show(1)")
        assert page.evaluate(place)[1] < before[1] + 1, "from near, the graph follows"
        seen = page.evaluate("layerexplain.view.seenAt(layerexplain.view.look.active)")
        assert seen["y"] > 20
