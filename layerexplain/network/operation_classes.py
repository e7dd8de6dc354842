"""Operations between layers as Keras 3 has them: the class and what it is made with, what it is called with, and the
function of `keras.ops` that does both. operation_classes.txt says which is which; scripts/operation_classes.py writes
it from the installed Keras."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.registry import find
from layerexplain.model import Call, tensor_refs
from layerexplain.records import NamedTuple

INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "TrueDivide": "/", "FloorDivide": "//", "Mod": "%", "Power": "**",
    "Matmul": "@", "Less": "<", "LessEqual": "<=", "Greater": ">", "GreaterEqual": ">=",
}  # fmt: skip
"""Class → the operator of Python that makes it of two tensors, or of a tensor and a number."""


class OperationClass(NamedTuple):
    """A class of keras.src.ops: its module, its function behind `keras.ops.` with what that takes, the arguments that
    the class is made with by the names that the function has for them, and those that it is called with."""

    home: str
    function: str
    parameters: tuple[str, ...]
    config: Mapping[str, str]
    called: tuple[str, ...]

    def call(self, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments by name as those without a name, as far as they follow each other, and the others."""
        args: list[Any] = []
        kwargs = dict(given)
        for name in self.called:
            if name.startswith("*") and not name.startswith("**"):
                args += kwargs.pop(name[1:], ())
            elif name in kwargs:
                args.append(kwargs.pop(name))
            else:
                break
        return tuple(args), kwargs


@cache
def _table() -> Mapping[str, OperationClass]:
    lines = (Path(__file__).parent / "operation_classes.txt").read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        type_, home, function, *lists = [part.strip() for part in line.split("|")]
        takes, made_with, called = [tuple([one for one in part.split(", ") if one]) for part in lists]
        pairs = [one.partition("=") for one in made_with]
        found[type_] = OperationClass(home, function, takes, {key: value or key for key, _, value in pairs}, called)
    return found


def operation(type_: str) -> OperationClass:
    """Return what Keras 3 has for a class of operations. Raises SpecError where it has none that a function makes.

    >>> operation("Clip").function, operation("LayerNorm").function, operation("Softmax").home
    ('clip', 'layer_normalization', 'nn')
    """
    found = _table().get(type_)
    if found is None:
        raise SpecError(f"keras.ops has no function for the operation {type_}")
    return found


def todays_call(type_: str, config: Mapping[str, Any], call: Call) -> tuple[dict[str, Any], Call]:
    """Return what an operation is made with, and its call, as Keras 3 has them.

    A file gives what the class is made with and calls it with the rest; code gives the function's arguments in its
    order; a spec gives tensors in order and everything else by name.

    >>> from layerexplain.model import TensorRef
    >>> made, call = todays_call("Einsum", {}, Call("e", 0, ("ij,jk->ik", TensorRef("a"), TensorRef("b")), {}))
    >>> made, len(call.args)
    ({'subscripts': 'ij,jk->ik'}, 2)
    """
    known = operation(type_)
    given = {**dict(config), **{key: one for key, one in call.kwargs.items() if key != "name"}}
    more = [name for name in known.parameters if name.startswith("**")]
    names = {value: key for key, value in known.config.items()}  # by the function's names
    waiting = list(call.args)
    for name in known.parameters:
        if not waiting or name.startswith("**"):
            break
        if name.startswith("*"):
            flat = waiting[0] if len(waiting) == 1 and isinstance(waiting[0], list) else waiting
            given[name[1:]], waiting = list(flat), []
        elif names.get(name, name) in given or (name in names and is_tensor(waiting[0])):
            continue  # a tensor is not what a class is made with: Keras calls the class with the tensors alone
        else:
            given[names.get(name, name)] = waiting.pop(0)
    if waiting:
        raise SpecError(f"{type_} is called with more arguments than keras.ops.{known.function} takes")
    if more and isinstance(given.get(more[0][2:]), Mapping):
        given.update(given.pop(more[0][2:]))
    config_today = {names.get(key, key): one for key, one in given.items() if names.get(key, key) in known.config}
    rest = {key: one for key, one in given.items() if names.get(key, key) not in known.config}
    called = [name.lstrip("*") for name in known.called]
    # What Keras stores as None or False, and its function does not take, is left out.
    said = (key for key, one in rest.items() if key not in called and one is not None and one is not False)
    unknown = None if more else next(said, None)
    if unknown is not None:
        raise SpecError(f"keras.ops.{known.function} has no argument {unknown}")
    args, kwargs = known.call({key: one for key, one in rest.items() if key in called or more})
    return config_today, call._replace(args=args, kwargs={key: one for key, one in kwargs.items() if one is not None})


def is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor or an array in place of one, or holds some."""
    if isinstance(value, ConstantArray):
        return True
    if isinstance(value, list | tuple):
        return any(True for _ in tensor_refs(value)) or any(map(is_tensor, value))
    return any(True for _ in tensor_refs(value))


def function_arguments(type_: str, config: Mapping[str, Any], call: Call) -> tuple[list[Any], dict[str, Any]]:
    """Return what the function of `keras.ops` is given for an operation in today's words: without names and by name."""
    known = operation(type_)
    names = [name for name in known.called if not name.startswith("**")]
    by_name: dict[str, Any] = dict(call.kwargs)
    waiting = list(call.args)
    for name in names:
        if name.startswith("*"):
            by_name[name], waiting = waiting, []
        elif waiting:
            by_name[name] = waiting.pop(0)
    by_name.update({known.config[key]: one for key, one in config.items()})
    front: list[Any] = []
    in_front = any(name.startswith("*") and not name.startswith("**") for name in known.parameters)
    settings = set(known.config.values())
    for name in known.parameters:
        if name not in by_name or (name in settings and not in_front):
            break
        if name.startswith("*"):  # what follows has a name
            front += by_name.pop(name)
            break
        front.append(by_name.pop(name))
    return front, by_name


_ASKED = {"SVD": ("compute_uv",), "Unique": ("return_index", "return_inverse", "return_counts")}
"""Operations that give one tensor by itself where none of these arguments is true."""


def gives_several(type_: str, config: Mapping[str, Any]) -> bool:
    """Return whether an operation gives a list or a tuple of tensors, be it one of one tensor.

    >>> gives_several("Split", {}), gives_several("TopK", {}), gives_several("Exp", {})
    (True, True, False)
    >>> gives_several("Unique", {}), gives_several("Unique", {"return_counts": True})
    (False, True)
    """
    declaration = find(f"ops.{type_}")
    if declaration is None or declaration.facts.results == 1:
        return False
    asked = _ASKED.get(type_, ())
    return not asked or any(config.get(name, declaration.default_values.get(name)) for name in asked)
