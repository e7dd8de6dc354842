"""Makes docs/pictures/page.png: the page of ResNet50 as Chromium shows it, with one convolution chosen.

Run it where the page has changed; it needs the dev extra and Chromium. The picture depends on the fonts of the machine,
so that no test compares it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    import layerexplain
    from tests.support.browser import shown

    page = layerexplain.page(str(ROOT / "sample_models" / "resnet50.json"))
    with tempfile.TemporaryDirectory() as folder, shown(page, Path(folder), "conv3_block2_2_conv", width=1240) as tab:
        tab.set_viewport_size({"width": 1240, "height": 760})
        tab.evaluate("layerexplain.view.reveal(layerexplain.view.look.active)")
        tab.wait_for_timeout(200)
        tab.screenshot(path=str(ROOT / "docs" / "pictures" / "page.png"))


if __name__ == "__main__":
    main()
