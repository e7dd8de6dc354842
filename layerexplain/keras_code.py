"""A layer as it is written in Keras: `Conv2D(16, 3, activation="relu")`, `Bidirectional(LSTM(8))`.

The text is parsed by Python's `ast`, and only calls, names and constants are read of it; nothing is evaluated.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.call_signature import CallSignature
from layerexplain.errors import ArgumentError

Names = Callable[[str], Sequence[str]]
"""Gives the arguments of a layer type that may stand without a name, in order. Raises ArgumentError for no type."""

_LONGEST = 2000
_DEEPEST = 20
_LARGEST = 10**18
INPUT_SHAPE = "input_shape"
"""What people give the first layer of a model; it says what `--input` says."""
_SHAPES = (INPUT_SHAPE, "batch_input_shape", "batch_shape", "input_dim")


def is_code(text: str) -> bool:
    """Return whether a text is a call rather than a type."""
    return "(" in text


_BETWEEN = re.compile(r"\s+(?:->|→|\+)\s+|,(?=\s|[A-Z]\w*[a-z])")
_LISTS = tuple([re.compile(item, re.DOTALL) for item in (
    r"(?:[\w.]*Sequential\s*\()?\s*\[(.*)\]\s*\)?", r"[\w.]*Sequential\s*\((.*)\)"
)])  # fmt: skip
"""How a chain is written in Python: a list, a Sequential of a list, and PyTorch's of modules."""
_VALUE = re.compile(r"(?![A-Za-z_])|\w+\s*=(?!=)")
"""What a further value of a layer begins with, which is no layer."""


def chain_parts(text: str) -> list[str]:
    """Return the layers that are written one after the other, each as text; a text of one layer is one part.

    >>> chain_parts("UpSampling2D, Conv2D 32 3"), chain_parts("Sequential([Dense(5), ReLU()])"), chain_parts("Dense(5)")
    (['UpSampling2D', 'Conv2D 32 3'], ['Dense(5)', 'ReLU()'], ['Dense(5)'])
    >>> chain_parts("Conv2D 32 kernel_size=3, 5 -> MaxPooling2D(pool_size=(2, 2))")
    ['Conv2D 32 kernel_size=3,5', 'MaxPooling2D(pool_size=(2, 2))']
    """
    match = next(filter(None, [pattern.fullmatch(text.strip()) for pattern in _LISTS]), None)
    whole = text.strip() if match is None else match[1]
    parts: list[str] = []
    start = depth = 0
    for at, sign in enumerate(whole):
        depth += (sign in "([{") - (sign in ")]}")
        if not depth and at >= start and (between := _BETWEEN.match(whole, at)):
            parts.append(whole[start:at].strip())
            start = between.end()
    chain: list[str] = []
    for part in filter(None, (*parts, whole[start:].strip(" ,\n"))):
        if chain and _VALUE.match(part):
            chain[-1] += f"{' ' if '=' in part else ','}{part}"
        else:
            chain.append(part)
    return chain


def read_call(text: str, names: Names) -> tuple[str, dict[str, Any]]:
    """Return the type and the arguments by name of one layer in Keras's code.

    A layer inside is a mapping: `{"LSTM": {"units": 8}}`. Raises ArgumentError with what is wrong, and where.

    >>> read_call("layers.Conv2D(16, 3, activation='relu')", lambda type: ["filters", "kernel_size"])
    ('Conv2D', {'filters': 16, 'kernel_size': 3, 'activation': 'relu'})
    """
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    if len(text) > _LONGEST:
        raise ArgumentError(f"'{shown}' is longer than {_LONGEST} characters; no layer needs that")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise ArgumentError(f"'{shown}' is not Python{at}; check quotes and brackets: Dense(10)") from None
    if not isinstance(tree, ast.Call):
        raise ArgumentError(f"'{shown}' is not a call of a layer, like Dense(10)")
    if isinstance(tree.func, ast.Call):  # Dense(10)(x)
        tree = tree.func
    type_, arguments = _call(tree, names, 0)
    return type_, arguments


def flow_text(value: Any) -> str:
    """Return a value as YAML in one line.

    >>> flow_text({"LSTM": {"units": 8, "activation": "relu", "use_bias": False}})
    '{LSTM: {units: 8, activation: relu, use_bias: false}}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow_text, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return value if isinstance(value, str) and value.replace("_", "").isalpha() else repr(value)


def _call(node: ast.Call, names: Names, deep: int) -> tuple[str, dict[str, Any]]:
    type_ = _name(node.func)
    if not type_ or deep > _DEEPEST:
        raise ArgumentError(f"'{_shown(node.func)}' is not the name of a layer")
    values, known = [_value(argument, names, deep) for argument in node.args], names(type_)
    by_name = [keyword.arg for keyword in node.keywords if keyword.arg is not None]
    if wrong := CallSignature(tuple(known), any_name="**").misfit(len(values), by_name):
        raise ArgumentError(f"{type_} {wrong.words}")
    arguments = dict(zip(known, values, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ArgumentError(f"'**' in {type_}(…): its values are not known; write the arguments by name")
        if keyword.arg in _SHAPES and keyword.arg not in known and (deep or keyword.arg != INPUT_SHAPE):
            raise ArgumentError(f"{keyword.arg} is not an argument of {type_} in Keras 3; give the shape with --input")
        arguments[keyword.arg] = _value(keyword.value, names, deep)
    return type_, arguments


def _value(node: ast.expr, names: Names, deep: int) -> Any:
    match node:
        case ast.Constant(value=int() as value) if abs(value) >= _LARGEST:
            raise ArgumentError(f"a number has {len(str(value))} digits; sizes need at most 18")
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.Tuple(elts=items):
            return tuple([_value(item, names, deep) for item in items])
        case ast.List(elts=items):
            return [_value(item, names, deep) for item in items]
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            return {str(key.value): _value(item, names, deep) for key, item in zip(keys, values, strict=True)}  # type: ignore[union-attr]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Call():
            type_, arguments = _call(node, names, deep + 1)
            return {type_: arguments}
        case ast.Attribute(attr=name):  # keras.activations.relu
            return name
        case ast.Name(id=name):
            raise ArgumentError(f"the value of '{name}' is not known here; write it as a number or in quotes: '{name}'")
    raise ArgumentError(f"'{_shown(node)}' is not a number, a text, a list or a layer; write its value")


def _shown(node: ast.expr) -> str:
    """Return the beginning of what was written."""
    try:
        return ast.unparse(node)[:60]
    except RecursionError:
        return "…"


def _name(node: ast.expr) -> str:
    """Return `Dense` of `Dense`, `layers.Dense` and `tf.keras.layers.Dense`; `nn.LSTM` of that and of `torch.nn.LSTM`;
    "" for anything else."""
    match node:
        case ast.Attribute(value=ast.Name(id="nn"), attr=name):
            return f"nn.{name}"
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="torch"), attr="nn"), attr=name):
            return f"nn.{name}"
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
