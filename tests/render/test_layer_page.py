"""The page of one layer, on which its arguments are changed, and the gallery of all types: as data, and in a browser."""

from __future__ import annotations

import json
import math
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain.cli.main import program
from layerexplain.render.page.layer_data import what_if_data
from layerexplain.report.one_layer import layer_type
from layerexplain.report.what_if import MOST_ROWS, WhatIf, what_if
from tests.support.browser import shown
from tests.support.paths import ROOT

SIZE = 13


@pytest.fixture(scope="module")
def found() -> WhatIf:
    return what_if("Conv2D", {"filters": 7, "kernel_size": 3}, [(SIZE, SIZE, 5)])


@pytest.fixture(scope="module")
def conv() -> str:
    return layerexplain.layer_page("Conv2D", filters=7, kernel_size=3, input_shape=(None, SIZE, SIZE, 5))


def test_each_combination_is_the_layer_with_these_arguments(found: WhatIf) -> None:
    names = [one.name for one in found.controls]
    assert names == ["filters", "kernel_size", "strides", "padding", "dilation_rate", "activation"]
    assert 100 <= len(found.rows) <= MOST_ROWS
    at = 0
    for filters in found.controls[0].values:
        for kernel in found.controls[1].values:
            for stride in found.controls[2].values:
                for padding in found.controls[3].values:
                    for dilation in found.controls[4].values:
                        for activation in found.controls[5].values:
                            row = found.rows[at]
                            at += 1
                            if stride > 1 and dilation > 1:
                                assert isinstance(row, str) and "strides" in row
                                continue
                            assert not isinstance(row, str)
                            window = dilation * (kernel - 1) + 1
                            size = -(-SIZE // stride) if padding == "same" else (SIZE - window) // stride + 1
                            assert row.output_shapes == ((None, size, size, filters),)
                            assert row.params == (kernel * kernel * 5 + 1) * filters
                            assert (activation == "linear") == (activation not in row.operation)
    assert at == len(found.rows)


def test_a_page_that_is_too_large_is_made_with_half_as_many_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def noted(*given: Any, most: int, **options: Any) -> WhatIf:
        tried.append(most)
        return what_if(*given, most=most, **options)

    monkeypatch.setattr("layerexplain.report.what_if.what_if", noted)
    monkeypatch.setattr("layerexplain.api._LARGEST_LAYER_PAGE", 1)
    layerexplain.layer_page("Flatten", input_shape=(None, 2, 3))
    assert tried == [150, 75, 37, 18, 9, 4, 2, 1]


def test_the_page_of_a_layer_says_what_it_is() -> None:
    told = layer_type("Flatten", ())
    data = what_if_data(told, what_if("Flatten", {}, [(2, 3)]), {}, [(2, 3)])
    assert data["about"] == told.description != ""


@pytest.mark.parametrize(
    ("type_", "arguments", "shapes", "controls", "fixed"),
    [
        ("Dense", {"units": 3, "name": "out"}, [(5,)], ["units", "activation", "use_bias"], ["name"]),
        ("LSTM", {"units": 3, "go_backwards": False}, [(7, 5)], ["units", "go_backwards", "activation"], []),
        ("MaxPooling1D", {}, [(13, 3)], ["pool_size", "strides", "padding"], []),
        ("Cropping2D", {}, [(13, 11, 3)], ["cropping"], []),
        ("Dropout", {"rate": 0.3}, [(5,)], [], ["rate"]),
        ("CategoricalCrossentropy", {}, [(5,)], ["from_logits"], []),
    ],
)
def test_arguments_that_matter_have_controls(
    type_: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], controls: list[str], fixed: list[str]
) -> None:
    found = what_if(type_, arguments, shapes, most=16)
    assert len(found.rows) <= 16
    names = [one.name for one in found.controls]
    assert set(controls) <= set(names) and (controls or not names)
    assert list(found.fixed) == fixed
    for one in found.controls:
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
    values = {one.name: one.values for one in what_if(type_, given, [shape]).controls}
    assert ("softmax" in values["activation"]) == offered


@pytest.mark.parametrize(
    ("most", "counts"), [(1, []), (2, [2]), (3, [3]), (5, [2, 2]), (6, [2, 3]), (8, [2, 2, 2]), (20, [2, 5, 2])]
)
def test_each_argument_has_two_values_and_then_those_with_most_left_have_more(most: int, counts: list[int]) -> None:
    found = what_if("Dense", {"units": 4}, [(3,)], most=most)
    assert [one.name for one in found.controls] == ["units", "activation", "use_bias"][: len(counts)]
    assert [len(one.values) for one in found.controls] == counts
    assert len(found.rows) == math.prod(counts) <= most


def test_arguments_as_given_are_the_layer_as_it_is_explained_alone() -> None:
    given = {"filters": 7, "kernel_size": 3, "strides": (2, 3), "padding": "same"}
    found = what_if("Conv2D", given, [(SIZE, SIZE, 5)], most=16)
    data = what_if_data(layer_type("Conv2D"), found, given, [(SIZE, SIZE, 5)])
    place = 0
    for _, values, at, _ in data["controls"]:
        place = place * len(values) + at
    entry = data["layers"][data["table"][place]]
    alone = layerexplain.explain_layer(
        "Conv2D", filters=7, kernel_size=3, strides=(2, 3), padding="same", input_shape=(None, SIZE, SIZE, 5)
    )
    assert (entry["params"], entry["macs"]) == (alone.layers[0].params, alone.layers[0].macs)
    assert entry["calls"][0]["to"] == "(None, 7, 5, 7)"


@pytest.mark.slow
def test_alike_definitions_are_in_the_page_once(found: WhatIf, conv: str) -> None:
    data = what_if_data(layer_type("Conv2D"), found, {}, [(SIZE, SIZE, 5)])
    for key in ("definitions", "layers", "forms"):
        texts = [json.dumps(one) for one in data[key]]
        assert len(set(texts)) == len(texts)
    assert data["refused"] == [
        f"strides or dilation_rate needs to be 1, got strides={strides} and dilation_rate=2; Keras does not run both at once"
        for strides in (2, 3)
    ]
    assert len(conv.encode("ascii")) < 250_000


def test_what_the_layer_refuses_is_refused(tmp_path: Path) -> None:
    run = CliRunner().invoke
    refused = run(program, shlex.split("layer Conv2D 4 3 --input 28,28 --format html"))
    assert refused.exit_code == 1 and "needs an input with 4 axes" in refused.stderr
    file = tmp_path / "page.html"
    assert run(program, ["layer", "Dense", "--format", "html", "-o", str(file)]).exit_code == 0
    assert file.read_text().startswith("<!doctype html>")


RADIO = "document.activeElement.name + ' ' + document.activeElement.nextSibling.textContent"


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
        page.focus("input[name=kernel_size]:checked")
        page.keyboard.press("ArrowRight")
        # The element that was chosen stays chosen, or the nearest one that there is.
        assert page.locator('[data-of="out"] .chosen').get_attribute("data-at") == "0,8,8,0"
        assert page.evaluate(RADIO) == "kernel_size 5"
        assert page.evaluate(lit) == 25 and "(None, 9, 9, 7)" in page.inner_text("#pane .wiring")
        assert "882" in page.inner_text(".compared")
        marked = [one.replace("\xa0", " ") for one in page.locator("#pane .weights .changed").all_inner_texts()]
        assert marked == ["(5, 5, 5, 7)", "rows 5 × columns 5 × channels 5 × filters 7", "875"]
        assert page.evaluate("decodeURIComponent(location.hash)") == "#kernel_size=5"
        assert "kernel_size=5" in page.inner_text(".side-list .listing")
        page.evaluate("location.hash = 'strides=2&dilation_rate=2'")
        page.wait_for_selector("#pane .warning")
        assert "Keras does not run both at once" in page.inner_text("#pane")
        assert page.locator(".refused").count() > 2
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
