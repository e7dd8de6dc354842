"""How a page is set: five sizes of type, none below 12 pixels, the formula the largest, and contrast as WCAG AA asks."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.render.graph.svg import THEMES
from tests.render.test_page_picture import SAMPLES, u_net
from tests.support.browser import rested, shown

TEXTS = """[...document.querySelectorAll('body *')].filter((one) =>
    !one.closest('math, script, style, noscript, option, .printed, .unseen, dialog') && one.checkVisibility() &&
    [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))"""
SIZES = f"""{TEXTS}.map((one) => {{
    const scale = one.getScreenCTM ? one.getScreenCTM().a : 1;
    return [parseFloat(getComputedStyle(one).fontSize) * scale, `${{one.tagName}}.${{one.className.baseVal ?? one.className}}`];
}})"""
COLOURS = f"""{TEXTS}.filter((one) => !one.getScreenCTM && !one.disabled).map((one) => {{
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(getComputedStyle(at).backgroundColor);
    return [getComputedStyle(one).color, layers, `${{one.tagName}}.${{one.className}} ${{one.textContent.slice(0, 30)}}`];
}})"""


def brightness(colour: tuple[float, ...]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [one / 255 for one in colour[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def rgb(text: str) -> tuple[float, ...]:
    if text.startswith("#"):
        return tuple([float(int(text[at : at + 2], 16)) for at in (1, 3, 5)])
    return tuple([float(part) for part in text[text.index("(") + 1 : -1].replace(",", " ").replace("/", " ").split()])


def below(layers: list[str]) -> tuple[float, ...]:
    """The colour behind a text: the first that covers what is below it."""
    return next((colour for colour in map(rgb, layers) if len(colour) == 3 or colour[3] == 1), (255.0, 255.0, 255.0))


@pytest.mark.parametrize(
    ("source", "layer", "width"), [*product(("digits.keras", "transformer.json"), ("", "3"), (1200, 390))]
)
def test_five_sizes_of_type_of_at_least_12_pixels_and_the_formula_is_the_largest(
    source: str, layer: str, width: int, tmp_path: Path
) -> None:
    with shown(layerexplain.page(str(SAMPLES / source)), tmp_path, width=width) as page:
        if layer:
            page.evaluate(f"layerexplain.view.chooseCall({layer})")
            rested(page)
        sizes: list[Any] = page.evaluate(SIZES)
        assert [one for one in sizes if one[0] < 11.99] == []
        used = {round(size, 1) for size, _ in sizes}
        assert len(used) <= 5, used
        formulas = page.evaluate(
            "[...document.querySelectorAll('math')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
        )
        if layer and width > 1000:
            assert formulas and max(formulas) > max(used)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_that_wcag_asks(scheme: str, tmp_path: Path) -> None:
    for source in (str(SAMPLES / "digits.keras"), u_net()):
        with shown(layerexplain.page(source), tmp_path, color_scheme=scheme) as page:
            for layer in ("", "4"):
                if layer:
                    page.evaluate(f"layerexplain.view.chooseCall({layer})")
                    rested(page)
                colours = page.evaluate(COLOURS)
                contrasts = [(contrast(rgb(own), below(layers)), text) for own, layers, text in colours]
                assert len(contrasts) > 20 and [row for row in contrasts if row[0] < 4.5] == []


@pytest.mark.parametrize("theme", THEMES)
def test_texts_in_boxes_have_the_contrast_that_wcag_asks(theme: str) -> None:
    look = THEMES[theme]
    papers = [look.paper, look.plain, *look.families.values()]
    assert [
        (text, paper) for text in (look.text, look.muted) for paper in papers if contrast(rgb(text), rgb(paper)) < 4.5
    ] == []
