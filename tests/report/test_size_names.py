"""Sizes with names: their expressions give, at numbers that meet the conditions, what a run with these numbers gives."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.report.one_layer import declared
from layerexplain.report.size_names import takes_sizes
from tests.cases import CASES, Case
from tests.support.tries import some, tries


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
        arguments[key] = name(key, value) if argument is not None and takes_sizes(argument.check) else value
    shapes = [
        (None, *[name(f"x{tensor + 1}_{shape.index(size)}", size) for size in shape])
        for tensor, shape in enumerate(case.shapes)
    ]
    return arguments, shapes, numbers


def rows() -> Iterator[Case]:
    for case in CASES:
        if not case.call and not any(hasattr(value, "config") for value in case.config.values()):
            yield case


STEPS = (-16, -9, -8, -3, -2, -1, 1, 2, 4, 5, 8, 24)


def points(report: layerexplain.Report, count: int) -> Iterator[dict[str, int]]:
    """Yield sizes that meet the conditions of a report: moved a little from its examples, all at once."""
    draw = random.Random(7)
    examples = {size.name: size.example for size in report.sizes}
    tried = [examples]
    for round in range(300):
        moved = [name for name in examples if round % 3 == 0 or draw.random() < 0.4]
        tried.append({**examples, **{name: max(1, examples[name] + draw.choice(STEPS)) for name in moved}})
    conditions = [text for size in report.sizes for text in size.conditions]
    yield from islice([at for at in tried[::-1] if all(eval(text, {}, dict(at)) for text in conditions)], count)


def filled(value: Any, at: Mapping[str, int]) -> Any:
    """JSON of a report with named sizes, its expressions computed by Python."""
    if isinstance(value, str):
        return eval(value, {}, dict(at))
    return [filled(item, at) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", list(some(list(rows()))), ids=lambda case: case.id)
def test_expressions_are_the_numbers_of_a_run_with_numbers(case: Case) -> None:
    arguments, shapes, _ = named(case)
    try:
        report = layerexplain.explain_layer(case.type, arguments, input_shape=shapes)
    except LayerExplainError as error:
        pytest.skip(f"not named: {error.fact[:80]}")
    row = json.loads(json.dumps(report.to_dict()))["layers"][0]
    tried = 0
    for at in points(report, tries(3, 10)):
        numbers = json.loads(json.dumps(report.at(**at).to_dict()))["layers"][0]
        tried += 1
        for field in ("input_shapes", "output_shapes", "params", "trainable", "non_trainable", "macs", "flops"):
            assert filled(row[field], at) == numbers[field], (field, at)
        shapes_of_weights = [(filled(w["shape"], at), filled(w["params"], at)) for w in row["weights"]]
        assert shapes_of_weights == [(w["shape"], w["params"]) for w in numbers["weights"]], at
    assert tried, [size.conditions for size in report.sizes]
