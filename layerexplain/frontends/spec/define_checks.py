"""What is wrong with custom layers as they are defined: names that nothing gives or uses, layers that hold
themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import did_you_mean
from layerexplain.frontends.spec.yaml_nodes import SpecFaults
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.expr import OPS
from layerexplain.lang.names import Uses
from layerexplain.lang.parse import callable_op
from layerexplain.layers.formula_layer import FormulaLayer, OwnWeight
from layerexplain.model import Layer, values_inside


def faults_of_names(
    used: Uses,
    first: int,
    names: set[str],
    lines: Mapping[str, int],
    layers: Mapping[str, Any],
    tensors: Mapping[str, Any],
    weights: tuple[OwnWeight, ...],
    sized: Mapping[str, Any],
) -> Iterator[tuple[str, int]]:
    """Yield each fault with its line: names that nothing gives, functions that do not exist, what is
    not used.

    Args:
        used: What the formula uses; `first` is the line before its first one.
        names: All names that are given; `lines` has those of the definition's parts, with their lines.
        sized: The names from which sizes are computed.
    """
    for name, line in used.called.items():
        if name in used.defined or name in COMPOSITES or callable_op(name):
            continue
        if name in lines and name not in (*tensors, *[w.symbol for w in weights]):
            continue
        known = [*used.defined, *layers, *COMPOSITES, *OPS]
        hint = did_you_mean(name, known) or "docs/internals/ops.md lists all; a layer stands below `layers:`"
        yield f"there is no function '{name}'; {hint}", first + line
    given = {*names, *lines, *used.assigned, "n", "mask", "training"}
    all_known = True
    for name, line in {**used.conditions, **used.values, **used.tensors}.items():
        if name not in given:
            all_known = False
            hint = did_you_mean(name, sorted(given), before="; ")
            yield f"'{name}' is not defined{hint}", first + line
    for name, line in used.assigned.items():
        if name in names:
            yield f"'{name}' is assigned, but is already a name of the layer; use a new name", first + line
    there = {*used.tensors, *used.conditions, *used.called}
    # A tensor may be there for its sizes alone.
    measured = {*sized, *used.values}
    idle = [name for name, axes in tensors.items() if all_known and axes and measured.isdisjoint(axes)]
    for what, listed in (("weight", [w.symbol for w in weights]), ("input", idle), ("layer", [*layers])):
        for name in listed:
            if name not in there:
                yield f"the formula does not use the {what} {name}; use it, or leave it out", lines[name]


MOST_INSIDE = 200
"""How many layers a custom layer has, those in these among them: all become one formula."""


def refuse_circles(layers: Mapping[str, FormulaLayer], lines: Mapping[str, int], faults: SpecFaults) -> None:
    """Faults for layers that hold themselves, and for those that hold too many."""
    counts: dict[str, int] = {}

    def count(name: str, way: tuple[str, ...]) -> int:
        if name in way:
            circle = " → ".join((*way[way.index(name) :], name))
            faults.add(f"{name} contains itself ({circle}); a layer is made of others", lines[name])
            return 0
        if name not in counts:
            values = values_inside([*layers[name].layers.values()])
            inside = [value.type for value in values if isinstance(value, Layer)]
            if len(way) > MOST_INSIDE:
                return MOST_INSIDE
            result = sum([1 + (count(item, (*way, name)) if item in layers else 0) for item in inside])
            if result > MOST_INSIDE >= max([counts.get(item, 0) for item in inside], default=0):
                words = f"{name} holds {result:,} layers, including nested ones; up to {MOST_INSIDE} are explained"
                faults.add(words, lines[name])
            counts[name] = result
        return counts[name]

    for name in layers:
        count(name, ())
