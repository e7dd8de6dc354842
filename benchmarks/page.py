"""Measures pages: their size, their time against `explain`, when one can use them, and how smoothly they move.

    python benchmarks/page.py                     # ResNet50 and 10,000 layers; a minute on a quiet machine
    python benchmarks/page.py NASNetLarge.json    # a model of one's own

For each model: the size of the page; the time of making it, without the start of Python, against that of `explain`
alone (medians of pairs, one after the other); the time in Chromium from the address to a graph that can be moved; and
the times between frames (p50 and p95) while the graph is dragged, with its boxes closed and with all of them open.
Frame times mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import layerexplain

SAMPLES = Path(__file__).parents[1] / "sample_models"
PAIRS = 3
WIDTH, HEIGHT = 1360, 900

PAN = """
() => new Promise((done) => {
  const { view } = window.layerexplain;
  const times = [];
  let before = performance.now();
  const step = (now) => {
    times.push(now - before);
    before = now;
    if (times.length > 180) return done(times.slice(1));
    view.view.x += 3 * Math.sin(times.length / 9);
    view.view.y += 11;
    view.redraw();
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""


def main() -> None:
    sources: dict[str, Any] = {Path(name).name: name for name in sys.argv[1:]} or {
        "ResNet50": SAMPLES / "resnet50.json",
        "10,000 layers": many_layers(),
    }
    for name, source in sources.items():
        page, ratio = made(source)
        told = [f"{len(page.encode()) / 1000:,.0f} kB", f"{ratio:.2f} times explain", *seen(page)]
        print(f"{name}: {'; '.join(told)}")


def many_layers() -> bytes:
    """Blocks that repeat, of few definitions."""
    units = (64, 96, 160)
    rows = "".join(f"  - Dense: {units[at // 7 % 3]}\n" for at in range(9_999))
    return f"input: [64]\nlayers:\n{rows}".encode()


def made(source: Any) -> tuple[str, float]:
    """The page of a source, and how much longer it takes than `explain`."""
    page, ratios = "", []
    for _ in range(PAIRS):
        alone, _report = timed(lambda: layerexplain.explain(source))
        whole, page = timed(lambda: layerexplain.page(source))
        ratios.append(whole / alone)
    return page, median(ratios)


def timed(does: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = does()
    return time.perf_counter() - start, result


def seen(page: str) -> list[str]:
    """What a browser needs for a page."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("LAYEREXPLAIN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        browser = driver.chromium.launch(executable_path=path)
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        shown.goto(file.as_uri(), wait_until="commit")
        shown.wait_for_selector("body.ready")
        ready = shown.evaluate("performance.now()")
        closed = frames(shown)
        shown.evaluate("window.layerexplain.view.toggleAll(true)")
        opened = frames(shown)
        browser.close()
    return [f"usable after {ready / 1000:.2f} s", f"frames closed {closed}", f"all open {opened}"]


def frames(shown: Any) -> str:
    times = sorted(shown.evaluate(PAN))
    return f"p50 {times[len(times) // 2]:.1f} ms, p95 {times[len(times) * 95 // 100]:.1f} ms"


if __name__ == "__main__":
    main()
