"""No rule dies: every layer of Keras on inputs of every rank, of sizes that are unknown, 1 and 0, and with each of its
arguments at odd values, is checked to the end or refused in words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.layers.arguments import Argument
from layerexplain.layers.registry import find, layer_types
from tests.support.tries import tries

SHAPES = (
    [],
    [1],
    [None],
    [5],
    [1, 1],
    [None, 3],
    [4, None],
    [8, 8, 3],
    [None, None, None],
    [1, 4, 4, 2],
    [2] * 5,
    [0, 3],
)
ODD: tuple[Any, ...] = (0, 1, -1, 2.5, 10**9, None, True, "same", "channels_first", [], [2, 0], {"a": 1})
BEHIND = (
    "  - Flatten\n  - Dense: 1\nloss: binary_crossentropy\nmetrics: [accuracy]\n",
    "  - BatchNormalization\n  - ReLU\n  - Softmax\nloss: sparse_categorical_crossentropy\noptimizer: adam\n",
    "",
)
TYPES = sorted({type_ for rows in layer_types().values() for type_, *_ in rows})
PARTS = 8


def specs(type_: str) -> Iterator[str]:
    """Yield models of a layer: on each shape as its example, and on one with each argument at each odd value."""
    declaration = find(type_)
    arguments = {} if declaration is None else declaration.arguments
    example = {key: one.check.example for key, one in arguments.items() if one.default is Argument.REQUIRED}
    odd = [(shape, {}) for shape in SHAPES]
    odd += [
        (SHAPES[(i + j) % len(SHAPES)], {key: value}) for i, key in enumerate(arguments) for j, value in enumerate(ODD)
    ]
    for number, (shape, given) in enumerate(odd):
        config = json.dumps({**example, **given}, default=str)
        yield f"input: {json.dumps(shape)}\nlayers:\n  - {type_}: {config}\n{BEHIND[number % len(BEHIND)]}"


@pytest.mark.parametrize("part", range(tries(1, PARTS)))
def test_check_ends_with_findings_or_an_error(part: int) -> None:
    died = []
    for type_ in TYPES[part::PARTS]:
        for text in specs(type_):
            try:
                layerexplain.check(text.encode())
            except LayerExplainError:
                pass
            except Exception as error:
                died.append(f"{error!r}: {text}")
    assert not died, "\n".join(died[:20])
