"""Cases of layers with a name in place of each size, and which of these names stand for one number only."""

import re
from collections.abc import Iterator
from typing import Any

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.report.one_layer import declared
from tests.cases import CASES, Case


def named(case: Case) -> tuple[dict[str, Any], list[tuple[Any, ...]], dict[str, int]]:
    """A case with a name in place of each size of its arguments and inputs, and the numbers that stood there. Equal
    sizes of a window, or of one input, keep one name: layers that want them equal do not refuse them."""
    declaration = declared(case.type, {})
    numbers: dict[str, int] = {}

    def name(prefix: str, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return tuple([name(f"{prefix}{value.index(item) + 1}", item) for item in value])
        if type(value) is not int:
            return value
        numbers[prefix] = value
        return prefix

    arguments = {}
    for key, value in case.config.items():
        argument = declaration.arguments.get(declaration.renamed.get(key, key))
        arguments[key] = name(key, value) if argument is not None and argument.check.takes_sizes() else value
    shapes = [
        (None, *[name(f"x{tensor + 1}_{shape.index(size)}", size) for size in shape])
        for tensor, shape in enumerate(case.shapes)
    ]
    return arguments, shapes, numbers


def named_cases() -> Iterator[Case]:
    """Yield the cases whose sizes may have names."""
    for case in CASES:
        if not case.call and not any(hasattr(value, "config") for value in case.config.values()):
            yield case


def fixed_sizes() -> tuple[int, int, list[tuple[str, str, str]]]:
    """Return how many layers of Keras and how many of their sizes are tried, one case a layer, and a row for those
    sizes that stand for one number only: the layer, the sizes, why."""
    layers: set[str] = set()
    count, found = 0, list[tuple[str, str, str]]()
    for case in named_cases():
        arguments, shapes, numbers = named(case)
        if "." in case.type or case.type in layers or not numbers:
            continue
        layers.add(case.type)
        count += len(numbers)
        try:
            report = layerexplain.explain_layer(case.type, arguments, input_shape=shapes)
        except LayerExplainError as error:
            found.append((case.type, ", ".join(numbers), f"refused: {re.split(', got|;', error.fact)[0]}"))
            continue
        fixed = [size for size in report.sizes if f"{size.name} == {size.example}" in size.conditions]
        for why in dict.fromkeys([_why(size.takes) for size in fixed]):
            found.append((case.type, ", ".join([size.name for size in fixed if _why(size.takes) == why]), why))
    return len(layers), count, found


def _why(takes: str) -> str:
    what = re.search(r"(?:; |\()([^;(]+?) (?:is for \w+ = \d+|has no formula\))", takes)
    if what is not None:
        return f"{what[1]} has no formula" + ("; shapes and counts have" if " is for " in takes else "")
    return "each size has formulas of its own" if "other sizes" in takes else "fixed by the other sizes"
