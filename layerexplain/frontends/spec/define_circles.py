"""Own layers that hold one another: none holds itself, and none so many that its formula has no end."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.frontends.spec.yaml_nodes import SpecFaults
from layerexplain.layers.formula_layer import FormulaLayer
from layerexplain.model import Layer, values_inside

MOST_INSIDE = 200
"""How many layers an own layer has, those in these among them: all become one formula."""


def refuse_circles(layers: Mapping[str, FormulaLayer], lines: Mapping[str, int], faults: SpecFaults) -> None:
    """Faults for layers that hold themselves, and for those that hold too many."""
    counts: dict[str, int] = {}

    def count(name: str, way: tuple[str, ...]) -> int:
        if name in way:
            circle = " → ".join((*way[way.index(name) :], name))
            faults.add(f"{name} holds itself ({circle}); a layer is made of others", lines[name])
            return 0
        if name not in counts:
            values = values_inside([*layers[name].layers.values()])
            inside = [one.type for one in values if isinstance(one, Layer)]
            if len(way) > MOST_INSIDE:
                return MOST_INSIDE
            found = sum([1 + (count(one, (*way, name)) if one in layers else 0) for one in inside])
            if found > MOST_INSIDE >= max([counts.get(one, 0) for one in inside], default=0):
                words = f"{name} holds {found:,} layers, those in these among them; up to {MOST_INSIDE} are explained"
                faults.add(words, lines[name])
            counts[name] = found
        return counts[name]

    for name in layers:
        count(name, ())
