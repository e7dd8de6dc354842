"""The data of a page that shows two models side by side: js/compare.js draws it.

- `before`, `after`: each as data.py says; both have a `program` where the page runs the two. `title`.
- `changes`: `[kind, number of the layer before or null, after or null, name, type, [[what, before, after], …]]`, as
  `diff` has them.
- `pairs`: for each layer before, the number of the same one after, or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.render.escape import clean
from layerexplain.render.graph.fold import LARGE
from layerexplain.render.page.data import page_data
from layerexplain.render.page.shell import Page, shell
from layerexplain.render.quantities import excerpts
from layerexplain.report.comparison import Comparison
from layerexplain.report.data import Report

if TYPE_CHECKING:
    from layerexplain.run.page_program import PageProgram


def comparison_page(
    reports: Sequence[Report],
    found: Comparison,
    fold: bool,
    programs: Sequence[PageProgram] = (),
    reasons: Sequence[str] = (),
) -> Page:
    """Return the page of two models whose differences were found. `programs` are what runs them; if there are not two,
    `reasons` says for each why it does not run, or ""."""
    if len(programs) < 2:
        data = comparison_data(reports, found, fold)
        for side, why in zip((data["before"], data["after"]), reasons, strict=False):
            side["model"]["still"] = clean(why)
        return shell(data, data["title"], "compare", ("compare",))
    data = comparison_data(reports, found, fold, programs)
    return shell(data, data["title"], "comparing", ("play", "compare"), *[one.weights for one in programs])


def comparison_data(
    reports: Sequence[Report],
    found: Comparison,
    fold: bool = True,
    programs: Sequence[PageProgram | None] = (None, None),
) -> dict[str, Any]:
    """Return the structure of the page of two models."""
    large = any(len(report.layers) > LARGE for report in reports)  # both at the same level of detail
    sides = [page_data(report, fold, program=run, large=large) for report, run in zip(reports, programs, strict=True)]
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
