"""Holds what `draw` writes against the programs that read it: Mermaid by its own parser, SVG by several renderers.

    npm install mermaid@11
    python scripts/check_pictures.py node_modules/mermaid/dist/mermaid.min.js

Sample models, folded and whole, and names that try to be markup are parsed and drawn by Mermaid in Chromium. The SVG of
the same models is drawn by Chromium and by those of `rsvg-convert` (librsvg, by which file managers draw; Debian:
librsvg2-bin) and `inkscape` that are there, and the pictures are compared: a quarter of the size each, so that the
edges of letters, which every renderer smooths in its own way, do not count. The exit code is 1 where Mermaid refuses a
graph, draws an element that a name has made, or where more than `MOST` of the points of two pictures differ. DOT is
held against graphviz by a test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import layerexplain  # noqa: E402
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, graph_of, open_boxes  # noqa: E402
from layerexplain.render.graph.fold import fold  # noqa: E402
from layerexplain.render.graph.forms import mermaid  # noqa: E402
from layerexplain.render.graph.svg import svg  # noqa: E402
from layerexplain.render.layout import Look  # noqa: E402
from tests.support.hostile_names import NAMES  # noqa: E402

RENDERERS = {
    "librsvg": ["rsvg-convert"],
    "Inkscape": ["inkscape", "--pipe", "--export-type=png", "--export-filename=-"],
}
MOST = 0.03
"""The share of points that may differ by more than a tenth of what there is between black and white."""
SAMPLES = ("resnet50.json", "efficientnet_b0.json", "transformer.json", "digits.keras", "mnist_mlp.yaml")

DRAWN_BY_MERMAID = """
async (text) => {
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", maxTextSize: 1e7, maxEdges: 1e5 });
  await mermaid.parse(text);
  const { svg } = await mermaid.render("drawn", text);
  const box = document.createElement("div");
  box.innerHTML = svg;
  return [...box.querySelectorAll("script, img, iframe, a, b, [onload], [onerror]")].map((one) => one.outerHTML);
}
"""
DIFFERENT = """
async ([one, other, width, height]) => {
  const pixels = async (png) => {
    const image = new Image();
    image.src = "data:image/png;base64," + png;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(width / 4);
    canvas.height = Math.floor(height / 4);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, image.width / 4, image.height / 4);
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  };
  const [a, b] = [await pixels(one), await pixels(other)];
  let far = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    const most = Math.max(...[0, 1, 2].map((c) => Math.abs(a.data[at + c] - b.data[at + c])));
    if (most > 25) far += 1;
  }
  return far / (a.width * a.height);
}
"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    library = sys.argv[1] if len(sys.argv) > 1 else ""
    chromium = os.environ.get("LAYEREXPLAIN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    faults: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium)
        if library:
            faults += refused_by_mermaid(browser, library)
        faults += drawn_otherwise(browser)
        browser.close()
    print("\n".join(faults) or "all pictures are read")
    raise SystemExit(bool(faults))


def graphs() -> dict[str, Diagram]:
    """The graphs of the samples, folded and closed, folded and open, and whole."""
    found = {}
    for name in SAMPLES:
        graph = graph_of(layerexplain.explain(ROOT / "sample_models" / name, detail=False).layers, nested=True)
        found[f"{name} folded"] = open_boxes(fold(graph), 0)
        found[f"{name} open"] = open_boxes(fold(graph), 3)
        found[f"{name} whole"] = open_boxes(graph, 3)
    return found


def refused_by_mermaid(browser: Any, library: str) -> list[str]:
    page = browser.new_page()
    page.add_script_tag(path=library)
    drawn = graphs()
    for number, name in enumerate(NAMES):
        nodes = (GraphNode("first"), GraphNode(name, (name,), inner=Diagram((GraphNode(f"{name} "),), ())))
        drawn[f"hostile name {number} {name!r:.60}"] = Diagram(nodes, (GraphEdge("first", name, name),))
    faults = []
    for name, graph in drawn.items():
        for ascii_only in (False, True):
            try:
                made = page.evaluate(DRAWN_BY_MERMAID, mermaid(graph, Look(None, False, ascii_only)))
            except Exception as error:  # whatever Mermaid says of it
                faults.append(f"Mermaid refuses {name}: {str(error).splitlines()[0]}")
                continue
            faults += [f"Mermaid makes of {name} the element {one[:80]}" for one in made]
    print(f"Mermaid: {len(drawn)} graphs, each with all signs and in ASCII")
    page.close()
    return faults


def drawn_otherwise(browser: Any) -> list[str]:
    renderers = {name: command for name, command in RENDERERS.items() if shutil.which(command[0])}
    if not renderers:
        return ["neither rsvg-convert nor inkscape is there"]
    faults = []
    for name, graph in graphs().items():
        for theme in ("light", "dark"):
            picture = svg(graph, theme)
            size = [float(picture.split(f'{side}="')[1].split('"')[0]) for side in ("width", "height")]
            if size[1] > 12_000:  # more than Chromium takes a picture of
                continue
            page = browser.new_page(viewport={"width": int(size[0] + 0.99), "height": int(size[1] + 0.99)})
            page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{picture}")
            shot = page.screenshot()
            for renderer, command in renderers.items():
                done = subprocess.run(command, input=picture.encode(), capture_output=True, check=True)
                pair = [b64encode(png).decode() for png in (shot, done.stdout)]
                share = page.evaluate(DIFFERENT, [*pair, *size])
                told = f"{share:.2%} of the points differ"
                print(f"SVG {name}, {theme}, {renderer}: {told}")
                if share > MOST:
                    faults.append(f"Chromium and {renderer} draw {name} ({theme}) otherwise: {told}")
            page.close()
    return faults


if __name__ == "__main__":
    main()
