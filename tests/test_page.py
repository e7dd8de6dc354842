"""The page in a real browser: it asks for nothing, its policy holds, and it shows, opens and finds what it should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import layerexplain
from layerexplain.render.page.scripts import script
from tests.browser import shown
from tests.test_hostile_names import NAMES, document

SAMPLES = Path(__file__).parent.parent / "sample_models"
CHOSEN = "document.querySelector('#pane h2').textContent"


@pytest.fixture(scope="module")
def resnet() -> str:
    return layerexplain.page(str(SAMPLES / "resnet50.json"))


def test_modules_declare_each_name_once() -> None:
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script(), re.MULTILINE)
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|setAttribute\(.style", script()
    )


def test_the_same_model_makes_the_same_bytes(resnet: str) -> None:
    assert layerexplain.page(str(SAMPLES / "resnet50.json")) == resnet
    assert len(resnet.encode()) < 250_000


def test_a_layer_is_chosen_by_address_link_and_keys(resnet: str, tmp_path: Path) -> None:
    with shown(resnet, tmp_path, "conv2_block2_2_conv") as page:
        assert page.evaluate(CHOSEN) == "conv2_block2_2_conv"
        assert "36,864" in page.inner_text("#pane")
        page.click("#pane a >> text=conv2_block2_1_relu")
        assert page.evaluate(CHOSEN) == "conv2_block2_1_relu"
        page.focus("#graph")
        page.keyboard.press("ArrowDown")
        assert page.evaluate(CHOSEN) == "conv2_block2_2_conv"
        assert page.evaluate("location.hash") == "#conv2_block2_2_conv"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "long"])
def test_hostile_names_make_no_element_and_no_style(name: str, tmp_path: Path) -> None:
    with shown(layerexplain.page(document(NAMES[name])), tmp_path) as page:
        for _ in range(3):
            page.focus("#graph")
            page.keyboard.press("ArrowDown")
            assert page.locator("img, iframe, object, embed, link, form, [style]").count() == 0
            assert page.locator("script").count() == 2
