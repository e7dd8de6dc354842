"""What functions of libraries are called with, and how a call is bound to that: the one binder of the code reader.

The names, their order and their defaults are those of the libraries: scripts/signatures.py writes them from the
installed ones into signatures.txt (NumPy and PyTorch) and keras_signatures.txt (Keras 3, Keras 2 and TensorFlow).
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from layerexplain.call_signature import NOT_WRITTEN, OF_NO_VALUE, CallSignature
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.records import NamedTuple

REQUIRED = Argument.REQUIRED


BASES = {"Sequential": "Model", "Model": "Layer"}
"""Classes whose methods are those of another one, where they have no line of their own."""

_OF_NUMPY = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}
"""Names that PyTorch takes in place of its own, as NumPy has them."""


@cache
def read_signature(text: str) -> CallSignature | None:
    """Return a signature as it is written in the files; None for what is no function.

    >>> read_signature("x, axis=None, *, name=").misfit(0, ["axes"]).words
    "has no argument 'axes'; did you mean 'axis'?"
    """
    if text in ("-", "module", "value"):
        return None
    positional: list[str] = []
    keywords: list[str] = []
    required: list[str] = []
    defaults: dict[str, Any] = {}
    tensors: list[str] = []
    any_count = any_name = ""
    kept = positional
    for part in text.split(", ") if text else ():
        if part == "**":
            any_name = "kwargs"
        elif part.startswith("*"):
            any_count, kept = "args" * (part != "*"), keywords
        else:
            name, has_default, default = part.partition("=")
            is_tensor = name.endswith(":T")
            name = name.removesuffix(":T")
            kept.append(name)
            tensors += [name] * is_tensor
            required += [] if has_default else [name]
            if has_default:
                defaults[name] = ast.literal_eval(default) if default else NOT_WRITTEN
    return CallSignature(
        tuple(positional), tuple(keywords), tuple(required), any_count, any_name, (), defaults, frozenset(tensors)
    )


@cache
def text_of(file: str) -> str:
    """Return the text of a file of signatures beside this one, with a line break in front of each line."""
    with open(os.path.join(os.path.dirname(__file__), *file.split("/")), encoding="utf-8") as lines:
        return "\n" + lines.read()


@lru_cache(1000)
def entry(path: str, file: str = "signatures.txt") -> tuple[str, ...]:
    """Return the columns of the line of a name, () for an unknown one. The text is searched: a program asks for few
    names."""
    text, start = text_of(file), f"\n{path} | "
    at = text.find(start)
    if at >= 0:
        return tuple(text[at + len(start) : text.index("\n", at + 1)].split(" | "))
    place, _, name = path.rpartition(".")
    is_shared = place in BASES or (place and name in shared_names(place, file))
    return entry(f"{BASES.get(place, place.rpartition('.')[0])}.{name}", file) if is_shared else ()


def shared_names(module: str, file: str) -> list[str]:
    """Return the names of a module that the module around it has too, where their lines are.

    >>> "absolute" in shared_names("ops.numpy", "keras_signatures.txt")
    True
    """
    return [] if module.startswith("names of ") else " ".join(entry(f"names of {module}", file)).split()


def overloads(path: str) -> list[CallSignature]:
    """Return what a function of a library is called with: a signature for each way to call it.

    >>> [signature.positional for signature in overloads("torch.max")]
    [('input',), ('input', 'other'), ('input', 'dim', 'keepdim')]
    >>> overloads("torch.Tensor.select")[0].positional, overloads("tf.reshape")[0].positional
    (('dim', 'index'), ('tensor', 'shape', 'name'))
    """
    package = path.partition(".")[0]
    columns = entry(path) if package in ("torch", "numpy") else entry(path, "keras_signatures.txt")
    if not columns and path.startswith("torch.") and path.count(".") > 1 and not path.startswith("torch.Tensor."):
        return overloads(f"torch.{path.rpartition('.')[2]}")  # F.conv2d is torch.conv2d
    if columns or not path.startswith("torch.Tensor."):
        return [signature for text in dict.fromkeys(columns) if (signature := read_signature(text)) is not None]
    # A method takes what the function takes behind the tensor.
    return [
        overload._replace(positional=overload.positional[1:], required=overload.required[1:])
        for overload in overloads(f"torch.{path.removeprefix('torch.Tensor.')}")
        if overload.positional
    ]


def fitting(
    path: str, args: Sequence[Any], kwargs: Mapping[str, Any], is_tensor: Callable[[Any], bool] | None = None
) -> CallSignature | None:
    """Return the overload of a function that a call is of: of those that fit, the one that has tensors where the call
    has them. None where none fits, or the function is not known."""
    fits = [overload for overload in overloads(path) if overload.misfit(len(args), list(kwargs)) is None]

    def strange(signature: CallSignature) -> int:
        given = [*zip(signature.positional, args, strict=False), *kwargs.items()]
        return sum(
            is_tensor(value) != (name in signature.tensors) for name, value in given if is_tensor and value is not None
        )

    return min(fits, key=strange, default=None) if len(fits) > 1 and is_tensor else next(iter(fits), None)


def in_order(
    path: str, args: Sequence[Any], kwargs: Mapping[str, Any], is_tensor: Callable[[Any], bool] | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call in the order of the function, as `CallSignature.in_order` does; as they are where
    the function is not known or the call does not fit.

    >>> in_order("tf.reshape", [], {"shape": (3, 5), "tensor": 7})
    ([7, (3, 5)], {})
    """
    if not kwargs or "**" in kwargs:
        return list(args), dict(kwargs)
    if path.startswith("torch.") and fitting(path, args, kwargs) is None:
        kwargs = {_OF_NUMPY.get(name, name): value for name, value in kwargs.items()}
    signature = fitting(path, args, kwargs, is_tensor)
    return (list(args), dict(kwargs)) if signature is None else signature.in_order(args, kwargs)


@lru_cache(1000)
def declared_names(declaration: Declaration, names: tuple[str, ...], required: tuple[str, ...]) -> Mapping[str, str]:
    """Return what a declaration calls the arguments of a function: most alike, the others in the same order, as a
    formula calls the `tensor` that is reshaped `x`. An argument that is no tensor has another name only where the
    function, or the declaration, requires it."""
    own = [*_tensor_names(declaration), *declaration.arguments]
    rest = [name for name in names if name not in own and name not in declaration.ignores and name not in OF_NO_VALUE]
    renamed = dict(zip(rest, [name for name in own if name not in names], strict=False))
    renamed = {
        name: own
        for name, own in renamed.items()
        if own not in declaration.arguments or name in required or declaration.arguments[own].default is REQUIRED
    }
    return {**{name: name for name in own if name in names}, **renamed}


def _tensor_names(declaration: Declaration) -> list[str]:
    return [*declaration.tensors, *([] if declaration.variadic is None else [declaration.variadic])]


class Declared(NamedTuple):
    """The arguments of a call in a declaration's terms. `unread` are those that it does not have, and that are not what
    the library takes where nothing is given."""

    tensors: list[Any]
    config: dict[str, Any]
    unread: tuple[str, ...]


def declared(
    declaration: Declaration, signature: CallSignature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Declared:
    """Return the arguments of a call in the terms of the declaration of its function, with the defaults that are not
    those of the declaration."""
    names = declared_names(declaration, signature.names, signature.required)
    given = {**dict(zip(signature.positional, args, strict=False)), **kwargs}
    tensors: dict[str, Any] = {}
    config: dict[str, Any] = {}
    unread = []
    for name, value in given.items():
        own = names.get(name)
        if own is None:
            is_default = value is None or plain(value) == signature.defaults.get(name, NOT_WRITTEN)
            unread += [] if is_default or name in declaration.ignores or name in OF_NO_VALUE else [name]
        elif own in declaration.arguments:
            if value is not None or declaration.arguments[own].default is not None:
                config[own] = value
        else:
            tensors[own] = value
    for name, default in signature.defaults.items():
        argument = declaration.arguments.get(names.get(name, ""))
        if name == "data_format" or argument is None or name in given:  # a setting of Keras
            continue
        if default not in (None, NOT_WRITTEN, argument.default) and argument.check.takes(
            default
        ):  # else the formula has it in its own words
            config[names[name]] = default
    order = _tensor_names(declaration)
    last = max([place for place, name in enumerate(order) if name in tensors], default=-1)
    return Declared([tensors.get(name) for name in order[: last + 1]], config, tuple(unread))
