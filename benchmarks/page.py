"""Measures pages: their size, their time against `explain`, when one can use them, and how smoothly they move.

    python benchmarks/page.py                     # ResNet50 and 10,000 layers; a minute on a quiet machine
    python benchmarks/page.py NASNetLarge.json    # a model of one's own

For each model: the size of the page; the time of making it, without the start of Python, against that of `explain`
alone (medians of pairs, one after the other); the time in Chromium from the address to a graph that can be moved; and
the times between frames (p50 and p95) while the graph is dragged, with its boxes closed and with all of them open.

Of a page that runs its model (`sample_models/digits.keras`, or any file with weights): its first run, which compiles
it; the median and the best of further ones; the longest that a run keeps the page from anything else; and, while a
stroke is drawn, the longest time between frames. Times mean something only on a machine that does nothing else.

Of each page: the longest block of its main thread while it loads, and while the first steps of the walk are shown.
These are times of the processor, which other work disturbs less.
"""

from __future__ import annotations

import json
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
SETTLES = 2500
STEPS, PER_STEP = 12, 900
"""Of the walk; times in milliseconds."""
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


RUNS = """
async (runs) => {
  const { live } = window.layerexplain.data;
  const timed = (does) => {
    const start = performance.now();
    does();
    return performance.now() - start;
  };
  const program = new live.program.constructor(live.about, live.data.forms, live.program.weights, live.program.paths);
  const first = timed(() => program.runNow());
  const times = Array.from({ length: runs }, () => timed(() => program.runNow())).sort((a, b) => a - b);
  let longest = 0;
  for (let run = 0; run < 5; run++) {
    const steps = program.steps();
    for (let done = false; !done;) longest = Math.max(longest, timed(() => { done = steps.next().done; }));
  }
  return [first, times[runs >> 1], times[0], longest];
}
"""

STROKE = """
() => new Promise((done) => {
  const pad = document.querySelector(".pad");
  if (!pad) return done(null);
  const { left, top, width, height } = pad.getBoundingClientRect();
  const touch = (kind, part) => {
    const place = { clientX: left + width * (0.3 + 0.4 * part), clientY: top + height * (0.2 + 0.6 * part) };
    pad.dispatchEvent(new PointerEvent(kind, { ...place, buttons: 1, pointerId: 1, bubbles: true }));
  };
  pad.setPointerCapture = () => {};
  const times = [];
  let before = performance.now();
  touch("pointerdown", 0);
  const step = (now) => {
    times.push(now - before);
    before = now;
    if (times.length > 60) return done(Math.max(...times.slice(5)));
    touch("pointermove", times.length / 60);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""


def main() -> None:
    sources: dict[str, Any] = {Path(name).name: name for name in sys.argv[1:]} or {
        "digits": SAMPLES / "digits.keras",
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
        shown.goto("about:blank")
        browser.start_tracing(page=shown, categories=["toplevel"])
        shown.goto(file.as_uri(), wait_until="commit")
        shown.wait_for_selector("body.ready")
        ready = shown.evaluate("performance.now()")
        shown.wait_for_timeout(SETTLES)
        blocks = [longest_block(browser.stop_tracing())]
        running = runs(shown) if shown.evaluate("'run' in window.layerexplain") else []
        browser.start_tracing(page=shown, categories=["toplevel"])
        for _step in range(STEPS):
            shown.keyboard.press("ArrowRight")
            shown.wait_for_timeout(PER_STEP)
        blocks.append(longest_block(browser.stop_tracing()))
        closed = frames(shown)
        shown.evaluate("window.layerexplain.view.toggleAll(true)")
        opened = frames(shown)
        browser.close()
    longest = "longest block at load {:.0f} ms, in the walk {:.0f} ms".format(*blocks)
    return [f"usable after {ready / 1000:.2f} s", longest, *running, f"frames closed {closed}", f"all open {opened}"]


def longest_block(trace: bytes) -> float:
    """The most that the main thread of a page computed without a break, in milliseconds."""
    events = json.loads(trace)["traceEvents"]
    names = [event for event in events if event["name"] == "thread_name"]
    main = {(event["pid"], event["tid"]) for event in names if event["args"]["name"] == "CrRendererMain"}
    tasks = [event for event in events if "RunTask" in event["name"] and (event["pid"], event["tid"]) in main]
    return max([event.get("tdur", 0) / 1000 for event in tasks], default=0.0)


def runs(shown: Any) -> list[str]:
    """How fast the model of a page runs."""
    while not shown.evaluate("window.layerexplain.data.live.hasRun"):
        shown.wait_for_timeout(50)
    first, median_of, best, longest = shown.evaluate(RUNS, 30)
    stroke = shown.evaluate(STROKE)
    drawn = [] if stroke is None else [f"longest frame of a stroke {stroke:.0f} ms"]
    return [
        f"first run {first:.0f} ms",
        f"runs {median_of:.1f} ms, best {best:.1f} ms",
        f"longest block {longest:.0f} ms",
        *drawn,
    ]


def frames(shown: Any) -> str:
    times = sorted(shown.evaluate(PAN))
    return f"p50 {times[len(times) // 2]:.1f} ms, p95 {times[len(times) * 95 // 100]:.1f} ms"


if __name__ == "__main__":
    main()
