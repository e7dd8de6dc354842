"""What a page has beside its layers: the program that runs the model, values of a run, and numbers of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.lang.open_sizes import MARKS
from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.render.quantities import bytes_text, plural, shape_text
from layerexplain.report.data import LayerReport
from layerexplain.report.element_forms import FormTable

if TYPE_CHECKING:
    from layerexplain.run.page_program import PageProgram
    from layerexplain.run.page_values import PageValues
    from layerexplain.run.trace_report import TracedInput


# Program data -------------------------------------------------------------------------------------------------------
# What a page has to run its model, in its data: `program` (run/page_program.py makes it).


def program_data(page_program: PageProgram, numbers: Mapping[str, int], macs: int | None) -> dict[str, Any]:
    """Return the `program` of a page whose layers have `numbers` by their paths."""
    program = page_program.program
    results: dict[str, Any] = {
        "inputs": [
            {"name": clean(name), "layer": numbers.get(name, -1), "shape": list(shape), "kind": kind}
            for name, shape, kind in program.inputs
        ],
        "calls": [
            [
                numbers[call.path],
                call.call,
                call.form if isinstance(call.form, int) else clean(call.form),
                list(call.reads),
                list(call.weights),
                call.gives,
                call.results,
            ]
            for call in program.calls
        ],
        "same": [[numbers[path], call, list(tensors)] for path, call, tensors in program.same],
        "outputs": [[clean(name), tensor] for name, tensor in program.outputs],
        "weights": page_program.table,
        "macs": macs,
        "origin": program.origin,
        "notes": [clean(note) for note in program.notes],
        "examples": page_program.examples,
        "labels": [clean(label) for label in page_program.labels],
        "vocabulary": [clean(item) for item in page_program.vocabulary],
    }
    return {key: value for key, value in results.items() if value not in ({}, [])}


# Value data ---------------------------------------------------------------------------------------------------------
# Element forms and the values of a run in the data of a page.


def form_numbers(forms: FormTable, layer: LayerReport, named: bool) -> list[int | None]:
    """Return the numbers of the forms of a layer's calls; none where no call has one. Cells are drawn of numbers: forms
    whose sizes are names have none unless the page sets numbers for names (`named`)."""
    shown = [element.data() for element in layer.elements]
    numbers = [
        None if not named and MARKS[0] in json.dumps(entry, ensure_ascii=False, default=str) else forms.number(entry)
        for entry in shown
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
            "inputs": [
                clean(f"{entry.name} {shape_text(entry.shape)}: {entry.values}{_first(entry)}") for entry in run.inputs
            ],
            "weights": run.weights,
            "notes": [clean(note.message) for note in run.notes],
            "left": words if left else "",
        },
    }


def _first(entry: TracedInput) -> str:
    """Return the words on which example of an input is shown; "" where it has one."""
    count = entry.shape[0] if entry.shape else 1
    return f"; the first of its {count} examples is shown" if count > 1 else ""


# Overlay ------------------------------------------------------------------------------------------------------------
# Numbers of one's own on the layers of a page: latencies, sparsities, errors, norms of gradients.

COMBINED = ("sum", "max", "mean")
"""How the numbers of the layers in a box become one."""

_FORM = '{"title": "latency (ms)", "combine": "sum", "values": {"conv1": 1.25}} or {"conv1": 1.25}'


class Overlay(NamedTuple):
    """A number for each of some layers, by their paths, what the numbers are, and how those of a box are combined."""

    title: str
    combine: str
    values: Mapping[str, float]


def overlay_of(given: Any, paths: Sequence[str]) -> Overlay:
    """Return the numbers that were given for layers, from a mapping as JSON has it.

    Args:
        given: The numbers by the paths of layers; or a mapping with these as `values`, a `title` and `combine`, which
            is "sum", "max" or "mean".
        paths: The layers that there are.

    Raises:
        ArgumentError: for another form, a layer that there is not, and what is not a finite number.

    >>> overlay_of({"title": "latency (ms)", "values": {"dense": 1.5}}, ["dense"])
    Overlay(title='latency (ms)', combine='sum', values={'dense': 1.5})
    """
    if not isinstance(given, Mapping):
        raise ArgumentError(f"an overlay needs the form {_FORM}, got {type(given).__name__}")
    has_parts = isinstance(given.get("values"), Mapping)
    values: Mapping[Any, Any] = given["values"] if has_parts else given
    combine = given.get("combine", "sum") if has_parts else "sum"
    named = str(given.get("title", "overlay")) if has_parts else "overlay"
    if combine not in COMBINED:
        raise ArgumentError(f"combine of an overlay needs to be one of {', '.join(COMBINED)}, got {combine!r}")
    known = set(paths)
    for path, number in values.items():
        if path not in known:
            near = did_you_mean(str(path), paths, before="; ")
            raise ArgumentError(f"the overlay has a number for {path!r}, but there is no such layer{near}")
        if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
            raise ArgumentError(f"the overlay needs a finite number for {path!r}, got {number!r}")
    return Overlay(clean(named), combine, dict(values))
