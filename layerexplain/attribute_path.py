"""What leads from a model or a layer to an object inside it, as a value: attributes, items of lists, layers of a model.

A variable of `Bidirectional(LSTM(4))` is found by `("forward_layer", "cell")`, one of a model inside another by
`(LayerNamed("encoder"), LayerNamed("dense"))`. The Python expression is made from these steps when it is printed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from layerexplain.records import NamedTuple


class LayerNamed(NamedTuple):
    """The step from a model to one of its layers."""

    name: str


Step: TypeAlias = str | int | LayerNamed
"""The name of an attribute, the number of an item in a list, or a layer of a model."""

Steps: TypeAlias = tuple[Step, ...]


def layer_steps(names: Sequence[str]) -> Steps:
    """The steps to a layer of a nested model, by the names that lead to it."""
    return tuple([LayerNamed(name) for name in names])


def expression(steps: Steps, start: str = "model") -> str:
    """The Python expression for what steps lead to in real Keras.

    >>> expression((LayerNamed("rnn"), "cell", "cells", 1))
    'model.get_layer("rnn").cell.cells[1]'
    """
    parts = [start]
    for step in steps:
        if isinstance(step, LayerNamed):
            parts.append(f".get_layer({json.dumps(step.name, ensure_ascii=False)})")
        else:
            parts.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(parts)


def step_text(steps: Steps) -> str:
    """The steps as notes show them: `encoder/td.layer`."""
    marks = [f"/{s.name}" if isinstance(s, LayerNamed) else f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps]
    return "".join(marks).removeprefix("/")


def reached(start: Any, steps: Steps) -> Any:
    """The object that steps lead to from a real Keras model or layer. Raises what Keras raises where there is none."""
    for step in steps:
        if isinstance(step, LayerNamed):
            start = start.get_layer(step.name)
        else:
            start = start[step] if isinstance(step, int) else getattr(start, step)
    return start
