"""Element forms and the values of a run in the data of a page.

- `run`: `inputs` (texts), `weights` (where they come from), `notes`, `left`: what is left out, in words.
- `arrays`: `{shape, kind, data}`: numbers of kind f (float32), i (int32) or b (bytes) in base64.
- of a layer: `numbers`: for each call, by the number of a tensor or line in its form, the number of an array;
  `pictures` of its results and `spreads` of its weights (run/page_values.py says what is in one); `unnumbered`: why it
  has no numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from layerexplain.lang.open_sizes import MARKS
from layerexplain.render.escape import clean
from layerexplain.render.quantities import bytes_text, plural, shape_text
from layerexplain.report.data import LayerReport
from layerexplain.report.element_forms import FormTable

if TYPE_CHECKING:
    from layerexplain.run.page_values import PageValues
    from layerexplain.run.trace_report import TracedInput


def form_numbers(forms: FormTable, layer: LayerReport, named: bool) -> list[int | None]:
    """Return the numbers of the forms of a layer's calls; none where no call has one. Cells are drawn of numbers: forms
    whose sizes are names have none unless the page sets numbers for names (`named`)."""
    shown = [one.data() for one in layer.elements]
    numbers = [
        None if not named and MARKS[0] in json.dumps(one, ensure_ascii=False, default=str) else forms.number(one)
        for one in shown
    ]
    return numbers if any([number is not None for number in numbers]) else []


def value_parts(values: PageValues, path: str) -> dict[str, Any]:
    """Return a layer's part of the values of a run, by key."""
    parts: dict[str, Any] = {"forms": list(values.forms.calls.get(path, ()))}
    own = values.layers.get(path)
    if own is not None:
        if any(own.numbers):
            parts["numbers"] = [{str(of): array for of, array in call.items()} for call in own.numbers]
        parts.update({"pictures": own.pictures, "spreads": own.spreads, "unnumbered": own.left})
    return parts


def all_values(values: PageValues) -> dict[str, Any]:
    """Return what a page has of the values of a run for all layers."""
    run = values.run
    left = len(values.left)
    budget = bytes_text(values.budget)
    words = (
        f"The numbers of {plural(left, 'layer')} are left out: the file may hold {budget} of values (--max-values); "
    )
    words += "--values names the layers whose numbers are wanted."
    return {
        "forms": values.forms.data,
        "arrays": values.arrays,
        "run": {
            "inputs": [clean(f"{one.name} {shape_text(one.shape)}: {one.values}{_first(one)}") for one in run.inputs],
            "weights": run.weights,
            "notes": [clean(note.message) for note in run.notes],
            "left": words if left else "",
        },
    }


def _first(one: TracedInput) -> str:
    """Return the words on which example of an input is shown; "" where it has one."""
    count = one.shape[0] if one.shape else 1
    return f"; the first of its {count} examples is shown" if count > 1 else ""
