"""The page of one layer, on which its arguments are changed, and the gallery of all types: as data, and in a browser."""

from __future__ import annotations

import json
import random
import runpy
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain.cli.main import program
from layerexplain.errors import LayerExplainError
from layerexplain.render.page.layer_data import shown_layer, what_if_data
from layerexplain.render.page.shell import shell
from layerexplain.report.one_layer import build_layer, layer_type
from layerexplain.report.what_if import A_NUMBER, WhatIf, what_if
from tests.support.browser import shown, until
from tests.support.paths import ROOT

SIZE = 13


CONV = {"filters": 7, "kernel_size": 3}


@pytest.fixture(scope="module")
def conv() -> str:
    return layerexplain.layer_page("Conv2D", **CONV, input_shape=(None, SIZE, SIZE, 5))


def derived(type_: str, given: dict[str, Any], shapes: list[tuple[int, ...]], most: int = 16) -> WhatIf:
    return what_if(type_, given, shapes, most=most, show=shown_layer)


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def explained(
    found: WhatIf, type_: str, given: dict[str, Any], shapes: list[Any], values: Sequence[int], at: Any
) -> Any:
    """What is said of the layer when it is explained with these numbers alone."""
    arguments, inputs = dict(given), [list(shape) for shape in shapes]
    for choice, value in zip(found.choices, values, strict=True):
        if choice.values[value] != A_NUMBER:
            arguments[choice.name] = choice.values[value]
    chosen = {one.name: one.values[value] for one, value in zip(found.choices, values, strict=True)}
    for one in found.sliders:
        for of, place in one.places:
            if isinstance(of, int):
                inputs[of][place or 0] = at[one.label]
            elif chosen.get(of, A_NUMBER) == A_NUMBER:
                arguments[of] = at[one.label]
    try:
        return as_json(shown_layer(build_layer(type_, arguments, inputs).layers[-1]))
    except LayerExplainError as error:
        return error.fact


EIGHT = {
    "Conv2D": ({**CONV, "padding": "same"}, [(SIZE, 11, 5)]),
    "Dense": ({"units": 4}, [(3,)]),
    "LSTM": ({"units": 3}, [(7, 5)]),
    "MultiHeadAttention": ({"num_heads": 3, "key_dim": 5}, [(11, 7), (13, 7)]),
    "Conv2DTranspose": ({"filters": 7, "kernel_size": 3, "strides": 2}, [(SIZE, 11, 5)]),
    "Embedding": ({"input_dim": 17, "output_dim": 3}, [(5,)]),
    "MaxPooling2D": ({"pool_size": 2}, [(SIZE, 11, 5)]),
    "torch.nn.Conv2d": ({"in_channels": 5, "out_channels": 7, "kernel_size": 3}, [(5, SIZE, 11)]),
}
SLIDERS = {
    "Conv2D": ["filters", "kernel_size", "strides", "dilation_rate", "x rows", "x columns", "x channels"],
    "Dense": ["units", "x features"],
    "LSTM": ["units", "x steps", "x features"],
    "MultiHeadAttention": [
        "num_heads",
        "key_dim",
        *[f"{name} {role}" for name in ("query", "value") for role in ("steps", "features")],
    ],
    # Beside a stride of 2, Keras takes no other dilation.
    "Conv2DTranspose": ["filters", "kernel_size", "strides", "output_padding", "x rows", "x columns", "x channels"],
    "Embedding": ["input_dim", "output_dim", "ids steps"],
    "MaxPooling2D": ["pool_size", "strides", "x rows", "x columns", "x channels"],
    "torch.nn.Conv2d": [
        *(
            "in_channels = x channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "x rows",
            "x columns",
        )
    ],
}


def states(found: WhatIf, count: int) -> list[tuple[tuple[int, ...], dict[str, int]]]:
    """Choices and sizes, drawn: one that is changed, two that are, and all of them, small ones."""
    drawn = random.Random(7)
    made = []
    for number in range(count):
        values = [drawn.randrange(len(one.values)) if number % 4 == 3 else one.given for one in found.choices]
        sizes = {one.label: one.given for one in found.sliders}
        many = len(found.sliders) if number % 3 == 2 else number % 3 + 1
        for one in drawn.sample(found.sliders, min(many, len(found.sliders))):
            sizes[one.label] = drawn.randint(one.low, min(one.high, 7 if number % 3 == 2 else one.high))
        made.append((tuple(values), sizes))
    return made


@pytest.mark.parametrize("type_", EIGHT)
def test_what_is_derived_for_open_sizes_is_what_is_explained_for_numbers(type_: str, tmp_path: Path) -> None:
    given, shapes = EIGHT[type_]
    found = derived(type_, given, shapes)
    assert [one.label for one in found.sliders] == SLIDERS[type_]
    known = []
    for values, sizes in states(found, 24):
        at = 0
        for choice, value in zip(found.choices, values, strict=True):
            at = at * len(choice.values) + value
        here = found.at(at, sizes)
        if here is not None:
            known.append((values, sizes, here))
            assert here == explained(found, type_, given, shapes, values, sizes), (values, sizes)
    assert len(known) >= 5
    page = shell(what_if_data(layer_type(type_), found, given), type_, "what_if", ("one_layer",))
    with shown(page, tmp_path) as tab:
        asked = [{"values": values, "sizes": [sizes[one.label] for one in found.sliders]} for values, sizes, _ in known]
        said = tab.evaluate("(asked) => asked.map((state) => layerexplain.found(state))", asked)
        assert said == [here for _, _, here in known]


def test_sizes_that_no_case_holds_are_said_not_to_be_there(tmp_path: Path) -> None:
    page = shell(
        what_if_data(layer_type("Dense"), derived("Dense", {"units": 4}, [(3,)], 1), {"units": 4}), "", "what_if"
    )
    with shown(page, tmp_path, "units=1") as tab:
        assert "does not hold the layer" in tab.inner_text("#pane .warning")
        assert "Dense units=1 --input 3" in tab.inner_text(".side-list .listing")


def test_a_page_that_is_too_large_is_made_with_half_as_many_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def noted(*given: Any, most: int, **options: Any) -> WhatIf:
        tried.append(most)
        return what_if(*given, most=most, **options)

    monkeypatch.setattr("layerexplain.report.what_if.what_if", noted)
    monkeypatch.setattr("layerexplain.api._LARGEST_LAYER_PAGE", 1)
    layerexplain.layer_page("Flatten", input_shape=(None, 2, 3))
    assert tried == [120, 60, 30, 15, 7, 3, 1]


def test_the_page_of_a_layer_says_what_it_is() -> None:
    told = layer_type("Flatten", ())
    data = what_if_data(told, derived("Flatten", {}, [(2, 3)]), {})
    assert data["about"] == told.description != ""


@pytest.mark.parametrize(
    ("type_", "arguments", "shapes", "controls", "fixed"),
    [
        ("Dense", {"units": 3, "name": "out"}, [(5,)], ["units", "x features", "activation", "use_bias"], ["name"]),
        ("LSTM", {"units": 3, "go_backwards": False}, [(7, 5)], ["units", "x steps", "go_backwards", "activation"], []),
        ("MaxPooling1D", {}, [(13, 3)], ["pool_size", "strides", "padding"], []),
        ("Conv2D", {"filters": 3, "kernel_size": (2, 3)}, [(7, 5, 2)], ["kernel_size 1", "kernel_size 2"], []),
        ("Add", {}, [(7, 5), (7, 5)], ["x1 steps = x2 steps"], []),
        ("Cropping2D", {}, [(13, 11, 3)], ["x channels"], []),
        ("Dropout", {"rate": 0.3}, [(5,)], ["x features"], ["rate"]),
        ("CategoricalCrossentropy", {}, [(5,)], ["from_logits"], []),
    ],
)
def test_arguments_and_sizes_that_matter_have_controls(
    type_: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], controls: list[str], fixed: list[str]
) -> None:
    found = derived(type_, arguments, shapes, 2)
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
    values = {one.name: one.values for one in derived(type_, given, [shape], 1).choices}
    assert ("softmax" in values["activation"]) == offered


@pytest.mark.slow
def test_the_page_of_a_convolution_is_small(conv: str) -> None:
    assert len(conv.encode("ascii")) < 250_000


def test_what_the_layer_refuses_is_refused(tmp_path: Path) -> None:
    run = CliRunner().invoke
    refused = run(program, shlex.split("layer Conv2D 4 3 --input 28,28 --format html"))
    assert refused.exit_code == 1 and "needs an input with 4 axes" in refused.stderr
    file = tmp_path / "page.html"
    assert run(program, ["layer", "Dense", "--format", "html", "-o", str(file)]).exit_code == 0
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
    made: str = runpy.run_path(str(ROOT / "docs" / "gallery.py"))["gallery"]()
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
