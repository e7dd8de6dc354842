"""What a page has to run its model, in its data: `program` (run/page_program.py makes it).

- `inputs`: `{name, layer, shape, kind}`, with a batch of 1; the kind of its numbers is f, i (integer) or b (boolean).
- `calls`: `[layer, number of its call, form or the reason why it does not run, [number of a tensor or null, …],
  [number of a weight, …], how many tensors it gives, how many of them are results and no masks]`.
- `same`: `[layer, number of its call, [number of a tensor or null, …]]`: what an input or a nested model gives.
- `outputs`: `[name, number of a tensor or null]`.
- `weights`: `[shape, 1 for half precision or 0]`; their numbers stand in an element of their own.
- `notes`, `origin`: where the weights come from; `macs`; `examples`: arrays by the names of inputs; `labels`,
  `vocabulary`: words for the numbers of the output and for ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from layerexplain.render.escape import clean

if TYPE_CHECKING:
    from layerexplain.run.page_program import PageProgram


def program_data(page_program: PageProgram, numbers: Mapping[str, int], macs: int | None) -> dict[str, Any]:
    """Return the `program` of a page whose layers have `numbers` by their paths."""
    program = page_program.program
    found: dict[str, Any] = {
        "inputs": [
            {"name": clean(name), "layer": numbers.get(name, -1), "shape": list(shape), "kind": kind}
            for name, shape, kind in program.inputs
        ],
        "calls": [
            [
                numbers[one.path],
                one.call,
                one.form if isinstance(one.form, int) else clean(one.form),
                list(one.reads),
                list(one.weights),
                one.gives,
                one.results,
            ]
            for one in program.calls
        ],
        "same": [[numbers[path], call, list(tensors)] for path, call, tensors in program.same],
        "outputs": [[clean(name), tensor] for name, tensor in program.outputs],
        "weights": page_program.table,
        "macs": macs,
        "origin": program.origin,
        "notes": [clean(note) for note in program.notes],
        "examples": page_program.examples,
        "labels": [clean(one) for one in page_program.labels],
        "vocabulary": [clean(one) for one in page_program.vocabulary],
    }
    return {key: value for key, value in found.items() if value not in ({}, [])}
