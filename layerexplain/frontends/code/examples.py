"""Examples of values for `--set`: what the argument takes in which a missing value stands."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Mapping

from layerexplain.frontends.code.trees import walk
from layerexplain.frontends.code.values.base import ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.frontends.code.values.nested import each_in
from layerexplain.frontends.code.values.settings import Setting
from layerexplain.layers.arguments import WITHOUT_SIZES, Argument
from layerexplain.layers.registry import TORCH, find, find_named

SIZE = "32"
"""An example of one size of an input."""


def with_example(unknown: Unknown, type_: str, argument: str, value: ProgramValue) -> Unknown:
    """Return a missing value with an example of it: it stands in `value`, which a layer, an optimizer, a loss or a
    regularizer of that type has as an argument."""
    name, config = (value.class_name, value.config) if isinstance(value, Setting) else _as_object(value)
    if config is not None:
        inner = next((key for key, one in config.items() if unknown_in(one) is unknown), "")
        return with_example(unknown, name, inner, config.get(inner))
    declaration = find(type_) or find_named(type_)
    known = None
    if declaration is not None:
        known = declaration.arguments.get(declaration.renamed.get(argument, argument))
    in_list = type(value) in (list, tuple)
    return unknown if known is None else unknown._replace(example=_example(known, in_list=in_list))


def stand_in(type_: str, argument: str) -> tuple[ProgramValue, str]:
    """Return what stands in a layer for an argument that is not known, and the words for it: a number or a function on
    which no shape depends. None where it may be a size."""
    declaration = find(type_)
    known = declaration.arguments.get(argument) if declaration is not None else None
    if known is None or known.check.words not in WITHOUT_SIZES:
        return None, ""
    value = known.check.example_value if known.default is Argument.REQUIRED else known.default
    return value, f"{type_.removeprefix(TORCH)} is explained with {argument}={value}"


def without_unknowns(type_: str, config: Mapping[str, ProgramValue]) -> tuple[dict[str, ProgramValue], list[Unknown]]:
    """Return the arguments of a layer with what stands in for those that are not known, and these with their
    examples."""
    known, missing = dict(config), []
    for key, value in config.items():
        if (unknown := unknown_in(value)) is not None:
            known[key], words = stand_in(type_, key)
            reason = f"{unknown.reason}; {words}" if words else unknown.reason
            missing.append(with_example(unknown, type_, key, value)._replace(reason=reason))
    return known, missing


def missing_settings(type_: str, config: Mapping[str, ProgramValue]) -> list[Unknown]:
    """Return the values that are missing in the initializers, regularizers and constraints of a layer."""
    found = []
    for argument, value in config.items():
        unknown = unknown_in(value) if argument.endswith(("_initializer", "_regularizer", "_constraint")) else None
        if unknown is not None:
            reason = f"{unknown.reason}; {type_} is explained without its {argument}"
            found.append(with_example(unknown, type_, argument, value)._replace(reason=reason))
    return found


def missing_in(compiled: ProgramValue) -> list[Unknown]:
    """Return the values that are missing in what a model is compiled with."""
    found = []
    for one in each_in(compiled):
        for argument, value in one.config.items() if isinstance(one, Setting) else ():
            if (unknown := unknown_in(value)) is not None:
                reason = f"{unknown.reason}; {one.class_name} is explained with its default {argument}"
                found.append(with_example(unknown, one.class_name, argument, value)._replace(reason=reason))
    return found


def _as_object(value: ProgramValue) -> tuple[str, Mapping[str, ProgramValue] | None]:
    if type(value) is dict and type(value.get("config")) is dict:
        return str(value.get("class_name")), value["config"]
    return "", None


def _example(argument: Argument, *, in_list: bool) -> str:
    """Return a value for an argument as `--set` takes it, or for one in a list of them: its default where that is a
    number above 0."""
    default, text = argument.default, argument.check.example
    if isinstance(default, int | float) and default > 0:
        text = str(default)
    elif in_list and text.startswith("["):
        text = text.strip("[]").partition(",")[0]
    return shlex.quote(text.strip("'").replace(" ", ""))


def plain_names(tree: ast.AST) -> frozenset[str]:
    """Return the names and attributes that a program uses as numbers or texts alone: they are not called, indexed,
    counted or walked over.

    >>> sorted(plain_names(ast.parse("Dense(units * 2)\\nDense(len(classes))\\nx[config.rate]")))
    ['rate', 'units']
    """
    used, other = set(), set()
    for node in walk(tree):
        if (name := _name(node)) and isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]  # it has a name
            used.add(name)
        if isinstance(node, ast.Attribute | ast.Subscript):
            other.add(_name(node.value))
        elif isinstance(node, ast.For | ast.comprehension):
            other.add(_name(node.iter))
        elif isinstance(node, ast.Call):
            other.add(_name(node.func))
            other.update(_name(one) for one in node.args if _name(node.func) in _OF_MANY)
    return frozenset(used - other)


def shape_example(tree: ast.AST, option: str) -> str:
    """Return a shape that `--set X.shape=…` may give, with as many sizes as the program indexes before it gives the
    data another shape; "" for two.

    >>> shape_example(ast.parse("LSTM(8, input_shape=(X.shape[1], X.shape[2]))"), "X.shape")
    '1000,10,32'
    >>> lines = ["X = X.reshape(X.shape[0], 1, X.shape[1])", "LSTM(8, input_shape=(1, X.shape[2]))"]
    >>> shape_example(ast.parse("\\n".join(lines)), "X.shape")
    ''
    """
    name = option.removesuffix(".shape")
    again = [
        node.end_lineno or 0
        for node in walk(tree)
        if isinstance(node, ast.Assign)
        and any(ast.unparse(target) == name for target in node.targets)
        and any(isinstance(one, ast.Name) and one.id == name for one in walk(node.value))
    ]
    last = min(again, default=10**9)
    indices = [
        node.slice.value
        for node in walk(tree)
        if isinstance(node, ast.Subscript)
        and node.lineno <= last
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, int)
        and isinstance(node.value, ast.Attribute)
        and ast.unparse(node.value) == option
    ]
    return {2: "1000,10,32", 3: "1000,28,28,3"}.get(max(indices, default=0), "")


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


_OF_MANY = frozenset({"len", "sum", "list", "tuple", "set", "sorted", "enumerate", "zip", "map", "range"})
