"""The page of one layer, on which its arguments are changed, and the gallery of all types: as data, and in a browser."""

import json
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.page.layer_data import shown_layer, what_if_data
from layerexplain.render.page.shell import shell
from layerexplain.report.one_layer import layer_type
from layerexplain.report.what_if import WhatIf, what_if
from tests.support.browser import shown, until
from tests.support.commands import invoke
from tests.support.open_layers import LAYERS, derived, shown_at, states
from tests.support.paths import ROOT
from tests.support.tries import tries

SIZE = 13


CONV = {"filters": 7, "kernel_size": 3}


@pytest.fixture(scope="module")
def conv() -> str:
    return layerexplain.layer_page("Conv2D", **CONV, input_shape=(None, SIZE, SIZE, 5))


def open_layer(type_: str, given: dict[str, Any], shapes: list[tuple[int, ...]], most: int = 2) -> WhatIf:
    return what_if(type_, given, shapes, most=most, show=shown_layer)


def page_of(type_: str, found: WhatIf, given: dict[str, Any]) -> str:
    return shell(what_if_data(layer_type(type_), found, given), type_, "what_if", ("one_layer",))


NOW = "[...document.querySelectorAll('.compared td:nth-child(2)')].map((one) => one.textContent)"


@pytest.mark.slow
@pytest.mark.parametrize("type_", LAYERS)
def test_the_page_at_other_sizes_is_what_its_command_explains(type_: str, tmp_path: Path) -> None:
    given, _, sliders = LAYERS[type_]
    found = derived(type_)
    known = [(state, here) for state in states(found, tries(8, 24)) if (here := shown_at(found, state)) is not None]
    with shown(page_of(type_, found, given), tmp_path) as tab:
        names = "[...document.querySelectorAll('.control input[type=range]')].map((one) => one.name)"
        assert tab.evaluate(names) == sliders
        asked = [{"values": values, "sizes": [sizes[one] for one in sliders]} for (values, sizes), _ in known]
        said = tab.evaluate("(asked) => asked.map((state) => layerexplain.found(state))", asked)
        assert said == [here for _, here in known]
        # Each slider is moved alone, as somebody does, and the command that the page gives is run.
        compared = 0
        for one in found.sliders[:: tries(3, 1)]:
            tab.evaluate(
                """([name, size]) => {
                    const input = document.querySelector(`input[name="${name}"]`);
                    input.value = size;
                    input.dispatchEvent(new Event("input"));
                }""",
                [one.label, one.given + 1],
            )
            words = shlex.split(tab.inner_text(".side-list .listing").replace("\u200b", ""))
            run = invoke(*words[1:], "--format", "json")
            if tab.evaluate(NOW) == ["?"] * 4:
                pass  # the page of a test has a few cases
            elif run.exit_code:
                assert tab.evaluate(NOW) == ["refused"] * 4, (one.label, run.stderr)
            else:
                compared += 1
                [layer] = json.loads(run.stdout)["layers"]
                sizes = [f"{layer[key]:,}" for key in ("params", "macs", "flops")]
                shape = str(tuple(layer["output_shapes"][0]))
                assert tab.evaluate(NOW) == [shape, *sizes], (words, one.label)
            tab.click("text=Back to what was given")
        assert compared >= 1


def test_without_words_for_all_sizes_the_numbers_are_there(tmp_path: Path) -> None:
    found = open_layer("Dense", {"units": 4}, [(3,)])
    with shown(page_of("Dense", found, {"units": 4}), tmp_path, "units=5&activation=relu") as tab:
        assert tab.evaluate(NOW) == ["(None, 5)", "20", "15", "40"]
        assert "has the numbers alone" in tab.inner_text("#pane") and not tab.locator("#pane .weights").count()
        tab.click("text=Back to what was given")
        assert tab.evaluate(NOW) == ["(None, 4)", "16", "12", "28"] and tab.locator("#pane .weights").count()


def test_sizes_that_no_case_holds_are_said_not_to_be_there(tmp_path: Path) -> None:
    found = open_layer("Dense", {"units": 4}, [(3,)], 1)
    with shown(page_of("Dense", found, {"units": 4}), tmp_path, "units=1&activation=tanh") as tab:
        assert "does not hold the layer" in tab.inner_text("#pane .warning")
        assert "Dense units=1 activation=tanh --input 3" in tab.inner_text(".side-list .listing")


@pytest.mark.parametrize(
    ("type_", "arguments", "shapes", "controls", "fixed"),
    [
        ("Dense", {"units": 3, "name": "out"}, [(5,)], ["units", "x features", "activation", "use_bias"], ["name"]),
        ("LSTM", {"units": 3, "go_backwards": False}, [(7, 5)], ["units", "x steps", "go_backwards", "activation"], []),
        ("MaxPooling1D", {}, [(13, 3)], ["pool_size", "strides", "padding"], []),
        ("Conv2D", {"filters": 3, "kernel_size": (2, 3)}, [(7, 5, 2)], ["kernel_size 1", "kernel_size 2"], []),
        ("Add", {}, [(7, 5), (7, 5)], ["x1 steps = x2 steps"], []),
        ("Cropping2D", {}, [(13, 11, 3)], ["cropping 1 before", "cropping 2 after", "x channels"], []),
        ("Dropout", {"rate": 0.3}, [(5,)], ["x features", "rate"], []),
        ("LeakyReLU", {}, [(5,)], ["x features", "negative_slope"], []),
        ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, [(5, 7, 2)], ["padding 1 after", "padding 2 before"], []),
        ("CategoricalCrossentropy", {}, [(5,)], ["from_logits"], []),
    ],
)
def test_arguments_and_sizes_that_matter_have_controls(
    type_: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], controls: list[str], fixed: list[str]
) -> None:
    found = open_layer(type_, arguments, shapes)
    names = [*[one.label for one in found.sliders], *[one.name for one in found.choices]]
    assert set(controls) <= set(names) and (controls or not names), names
    assert list(found.fixed) == fixed
    for one in found.choices:
        assert len(set(map(repr, one.values))) == len(one.values) >= 2
        assert one.name not in arguments or one.values[one.given] == arguments[one.name]


@pytest.mark.parametrize(
    ("type_", "given", "shape", "offered"),
    [
        ("Conv2D", {"filters": 3, "kernel_size": 2}, (5, 5, 2), False),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "activation": "softmax"}, (5, 5, 2), True),
        ("Dense", {"units": 3}, (5,), True),
        ("Dense", {"units": 3}, (7, 5), False),
    ],
)
def test_softmax_is_offered_where_a_layer_gives_a_vector(
    type_: str, given: dict[str, Any], shape: tuple[int, ...], offered: bool
) -> None:
    values = {one.name: one.values for one in open_layer(type_, given, [shape], 1).choices}
    assert ("softmax" in values["activation"]) == offered


@pytest.mark.slow
def test_the_page_of_a_convolution_is_small(conv: str) -> None:
    assert len(conv.encode("ascii")) < 250_000


def test_what_the_layer_refuses_is_refused(tmp_path: Path) -> None:
    refused = invoke(*shlex.split("layer Conv2D 4 3 --input 28,28 --format html"))
    assert refused.exit_code == 1 and "needs an input with 4 axes" in refused.stderr
    file = tmp_path / "page.html"
    assert invoke("layer", "Dense", "--format", "html", "-o", file).exit_code == 0
    assert file.read_text().startswith("<!doctype html>")


FOCUSED = "document.activeElement.name + ' ' + document.activeElement.value"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_picture_formula_and_cost_follow_the_arguments(conv: str, tmp_path: Path, scheme: str) -> None:
    lit = "document.querySelectorAll('#pane .cellfigure.from rect.read').length"
    with shown(conv, tmp_path, "strides=2", color_scheme=scheme) as page:
        assert "(None, 6, 6, 7)" in page.inner_text("#pane .wiring")
        assert "strides=2" in page.inner_text("#pane .formula")
        assert page.evaluate(lit) == 9
        page.click("text=Back to what was given")
        assert "(None, 11, 11, 7)" in page.inner_text("#pane .wiring")
        page.locator('[data-of="out"] [data-at="0,8,10,0"]').hover()
        page.focus("input[name=kernel_size]")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        # The element that was chosen stays chosen, or the nearest one that there is.
        assert page.locator('[data-of="out"] .chosen').get_attribute("data-at") == "0,8,8,0"
        assert page.evaluate(FOCUSED) == "kernel_size 5"
        assert page.evaluate(lit) == 25 and "(None, 9, 9, 7)" in page.inner_text("#pane .wiring")
        assert "882" in page.inner_text(".compared")
        marked = [one.replace("\xa0", " ") for one in page.locator("#pane .weights .changed").all_inner_texts()]
        assert marked == ["(5, 5, 5, 7)", "rows 5 × columns 5 × channels 5 × filters 7", "875"]
        assert page.evaluate("decodeURIComponent(location.hash)") == "#kernel_size=5"
        assert "kernel_size=5" in page.inner_text(".side-list .listing")
        page.evaluate("location.hash = 'strides=2&dilation_rate=2'")
        page.wait_for_selector("#pane .warning")
        assert "Keras does not run both at once" in page.inner_text("#pane")
        page.evaluate("location.hash = 'x rows=17&x channels=3'")
        until(page, "document.querySelector('#pane .wiring')?.textContent.includes('17, 13, 3')")
        assert "(None, 15, 11, 7)" in page.inner_text("#pane .wiring")
        assert "--input 17,13,3" in page.inner_text(".side-list .listing")
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
        for step in ("", "strides=2"):
            page.evaluate(f"location.hash = {step!r}")
            page.wait_for_selector("#pane .wiring")
            assert (page.locator("#pane .changed").count() > 0) == bool(step)
            serious = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
            assert [(one["id"], [node["html"][:90] for node in one["nodes"][:3]]) for one in serious] == []
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.fixture(scope="module")
def gallery() -> str:
    made: str = runpy.run_path(str(ROOT / "scripts" / "gallery.py"))["gallery"]()
    return made


@pytest.mark.slow
def test_the_gallery_shows_every_type(gallery: str, tmp_path: Path) -> None:
    types = [name for entries in layerexplain.layer_types().values() for name, _, _ in entries]
    with shown(gallery, tmp_path, "LSTM") as page:
        assert page.inner_text("#pane h2") == "LSTM"
        assert page.locator("nav a").all_inner_texts() == types
        shows = page.evaluate("""layerexplain.data.families.map(([_, [at]]) => {
            layerexplain.choose(at);
            const pane = document.getElementById("pane");
            return [pane.querySelector("h2").textContent, pane.querySelectorAll("section").length > 2];
        })""")
        assert shows == [[entries[0][0], True] for entries in layerexplain.layer_types().values()]
        page.fill("#search", "conv 2d trans")
        assert page.locator("nav a:visible").all_inner_texts() == ["Conv2DTranspose"]
        page.keyboard.press("Enter")
        assert page.inner_text("#pane h2") == "Conv2DTranspose"
        page.fill("#search", "nothing like this")
        assert page.inner_text("nav [role=status]") == "Nothing found."
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
