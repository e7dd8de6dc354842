"""The data of a page that shows two models side by side: js/compare.js draws it.

- `before`, `after`: each as data.py says. `title`.
- `changes`: `[kind, number of the layer before or null, after or null, name, type, [[what, before, after], …]]`, as
  `diff` has them.
- `pairs`: for each layer before, the number of the same one after, or null.
"""

from __future__ import annotations

from typing import Any

from layerexplain.render.escape import clean
from layerexplain.render.excerpts import excerpts
from layerexplain.render.page.data import page_data
from layerexplain.render.page.shell import Page, shell
from layerexplain.report.comparison import Comparison
from layerexplain.report.data import Report


def comparison_page(before: Report, after: Report, found: Comparison, fold: bool) -> Page:
    """Return the page of two models whose differences were found."""
    data = comparison_data(before, after, found, fold)
    return shell(data, data["title"], "compare", ("compare",))


def comparison_data(before: Report, after: Report, found: Comparison, fold: bool = True) -> dict[str, Any]:
    """Return the structure of the page of two models."""
    sides = [page_data(report, fold) for report in (before, after)]
    first, second = ({layer["path"]: at for at, layer in enumerate(side["layers"])} for side in sides)
    partners = {clean(one.layer): clean(one.layer_after) for one in found.changes if one.layer}
    partners.update({clean(path): clean(other) for path, other in found.renumbered.items()})
    titles = [side["model"]["source"] or side["model"]["title"] for side in sides]
    return {
        "title": f"{titles[0]} → {titles[1]}",
        "names": titles,
        "before": sides[0],
        "after": sides[1],
        "changes": [
            [
                one.kind,
                first.get(clean(one.layer)),
                second.get(clean(one.layer_after)),
                clean(one.layer or one.layer_after or "the model"),
                clean(one.type),
                [
                    [clean(part.what), *map(clean, excerpts(part.before, part.after))]
                    for part in one.differences
                ],
            ]
            for one in found.changes
        ],
        "pairs": [second.get(partners.get(path, path)) for path in first],
    }  # fmt: skip
