"""Two models side by side on one page, in a real browser: what differs is marked, and the graphs move together."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain.cli.main import program
from layerexplain.errors import ArgumentError
from tests.support.browser import shown

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
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def html() -> str:
    return layerexplain.page(BEFORE, vs=AFTER)


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


def test_the_graphs_move_together(html: str, tmp_path: Path) -> None:
    scales = "layerexplain.views.map((one) => one.view.scale / one.whole().scale)"
    with shown(html, tmp_path) as page:
        page.evaluate(DRAWN)
        box = page.locator("canvas.graph").first.bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 200)
        page.mouse.wheel(0, -400)
        page.evaluate(DRAWN)
        page.evaluate(DRAWN)
        one, other = page.evaluate(scales)
        assert one > 1.2 and other == pytest.approx(one, rel=0.01)
        before = page.evaluate("layerexplain.views[0].view.y")
        second = page.locator("canvas.graph").nth(1).bounding_box()
        page.mouse.move(second["x"] + 30, second["y"] + 400)
        page.mouse.down()
        page.mouse.move(second["x"] + 30, second["y"] + 300, steps=3)
        page.mouse.up()
        page.evaluate(DRAWN)
        assert page.evaluate("layerexplain.views[0].view.y") > before + 20


@pytest.mark.parametrize("width", [1440, 390])
def test_no_column_is_out_of_sight(html: str, tmp_path: Path, width: int) -> None:
    with shown(html, tmp_path, width=width) as page:
        page.click(".changes button >> text=first")
        page.evaluate(DRAWN)
        hidden = "[...document.querySelectorAll('.table')].map((one) => one.scrollWidth - one.clientWidth)"
        assert page.evaluate(hidden) == [0, 0, 0]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


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
        assert "Nothing differs." in page.inner_text("#pane")
        assert page.evaluate("layerexplain.views[0].look.found") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(html: str, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with shown(html, tmp_path, color_scheme=scheme) as page:
        page.click(".changes button >> text=last")
        page.evaluate(DRAWN)
        serious = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:90] for node in one["nodes"][:3]]) for one in serious] == []


def test_what_has_no_meaning_for_two_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="vs makes one of two"):
        layerexplain.page(BEFORE, vs=AFTER, overlay={"first": 1})
    for name, content in (("a.yaml", BEFORE), ("b.yaml", AFTER)):
        (tmp_path / name).write_bytes(content)
    words = ["page", str(tmp_path / "a.yaml"), "--vs", str(tmp_path / "b.yaml")]
    done = CliRunner().invoke(program, [*words, "-o", str(tmp_path / "both.html")])
    assert (done.exit_code, done.stdout) == (0, "")
    assert str(tmp_path) not in (tmp_path / "both.html").read_text("utf-8")
    assert CliRunner().invoke(program, [*words, "--input", "random"]).exit_code == 2
