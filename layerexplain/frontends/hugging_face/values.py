"""What a row of an architecture says of one configuration: its fields checked, its names computed, its conditions."""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import FormulaError, LayerExplainError, SourceError
from layerexplain.frontends.hugging_face.architecture import Architecture
from layerexplain.frontends.hugging_face.keys import MOST_LAYERS, expression_of, read_values, typed
from layerexplain.lang.settings import attribute, holds
from layerexplain.lang.syntax import ast
from layerexplain.lang.uses import uses
from layerexplain.model import ForeignFunction
from layerexplain.suggest import did_you_mean

Values = Mapping[str, Any]

_TANH_FORMS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh")
_ACTIVATIONS: Mapping[str, Any] = {
    **{name: ForeignFunction("gelu_tanh") for name in _TANH_FORMS},
    "quick_gelu": ForeignFunction("quick_gelu"),
    **{name: name for name in ("gelu", "relu", "silu", "tanh", "sigmoid", "relu6", "mish", "linear")},
    "relu2": ForeignFunction("relu_squared"),
    "swish": "silu",
    "gelu_python": "gelu",
}
"""transformers' names of activations."""


_NAME = re.compile(r"[^\W\d]\w*")
_DIVIDES = re.compile(r"(\w+) % (\w+) == 0")
_MOST_TRIED = 100_000
"""Widths up to this are searched for a divisor."""


def value_of(expression: Any, values: Values) -> Any:
    """Return the value of an expression of a row. Raises `LayerExplainError`."""
    if not isinstance(expression, str):
        return expression
    node = expression_of(expression)
    if isinstance(node, ast.Compare | ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return holds(node, values)
    return attribute(node, values)


def configured(row: Architecture, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row's names for one configuration. Raises SourceError for one that lacks a field or has a
    value that cannot be."""
    values = read_values(row, document)
    defined: dict[str, Any] = {}
    settings = ChainMap(defined, values)
    for name, expression in row.fields.items():
        defined[name] = _field(row, name, expression, settings)
    for name, expression in row.roots.items():
        number = _field(row, name, expression, settings)
        if not isinstance(number, int | float) or number <= 0:
            raise SourceError(f"{row.type} needs {expression} to be a positive number, got {number!r:.40}")
        root = math.sqrt(number)
        defined[name] = int(root) if root.is_integer() else root
    for condition in row.must:
        if not value_of(condition, settings):
            raise SourceError(f"{row.type} needs {_needed(row, condition, settings)}")
    return dict(settings)


def _needed(row: Architecture, condition: str, settings: Values) -> str:
    """Return a condition that does not hold in the configuration's own names, what it is now, and what would hold."""
    shown = {name: _own_name(row, name) for name in dict.fromkeys(uses(expression_of(condition)).tensors)}
    got = ", ".join([f"{shown[name]}={settings[name]!r:.40}" for name in shown if settings[name] is not None])
    if condition.startswith("not "):
        return f"{shown[condition[4:]]}=false, got {got}; no formula is known for the other"
    divides = _DIVIDES.fullmatch(condition.rpartition(" or ")[2])
    if divides is None:
        return f"{_NAME.sub(lambda name: shown.get(name[0], name[0]), condition)}, got {got}"
    whole, part = value_of(divides[1], settings), value_of(divides[2], settings)
    cure = ""
    if type(whole) is int is type(part) and 0 < whole < _MOST_TRIED and not divides[2].isdecimal():
        divisors = [one for one in range(1, whole + 1) if whole % one == 0]
        cure = f"; the nearest is {min(divisors, key=lambda one: abs(one - part))}"
    return f"{shown.get(divides[2], divides[2])} to divide {shown[divides[1]]}, got {got}{cure}"


def _own_name(row: Architecture, name: str) -> str:
    """Return the key of the configuration that a row's name stands for."""
    expression = row.fields.get(name)
    if not isinstance(expression, str):
        return name
    used = uses(expression_of(expression))
    first = next((one for one in (*used.conditions, *used.tensors) if one != name), None)
    return name if first is None else _own_name(row, first)


_SIZES = frozenset(
    [
        "width",
        "layers",
        "heads",
        "kv_heads",
        "head_width",
        "hidden",
        "vocabulary",
        "positions_known",
        "image",
        "patch",
        "merge",
    ]
)


def _field(row: Architecture, name: str, expression: Any, settings: Values) -> Any:
    if isinstance(expression, str):
        used = uses(expression_of(expression))
        for one in (*used.tensors, *used.conditions):
            if one not in settings:
                known = did_you_mean(one, settings, before="; ")
                raise SourceError(f"{row.type} needs {one}, which the configuration does not have{known}")
    try:
        value = value_of(expression, settings)
    except (FormulaError, LayerExplainError) as error:
        raise SourceError(f"{row.type} needs {name} = {expression}: {error.fact}") from None
    if name in _SIZES:
        typed(row.type, "hidden_size", value, expression)
    if name == "layers" and value > MOST_LAYERS:
        raise SourceError(f"{row.type} needs {expression} to be at most {MOST_LAYERS:,}, got {value:,}")
    if name.endswith("activation"):
        return _activation(row, value)
    return value


def _activation(row: Architecture, name: Any) -> Any:
    if typed(row.type, "hidden_act", name, "the activation") not in _ACTIVATIONS:
        listed = ", ".join(_ACTIVATIONS)
        raise SourceError(f"{row.type} needs the activation to be one of {listed}, got {name!r:.40}")
    return _ACTIVATIONS[name]
