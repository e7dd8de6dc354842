"""Classes of layers in Python → declarations: a formula for the configuration and the shapes of each call.

The class is made with the arguments that a source has for it, its `build` and `call` are followed with tensors of the
shapes that arrive (tracing.py), and the graph behind the result becomes one formula: operations in line, layers as
calls. What cannot be followed is an error with its line, and so is what hangs on a branch that had to be chosen: a
formula that is shown is the one that the code says.
"""

from __future__ import annotations

import ast
from functools import partial
from typing import Any

from layerexplain.errors import NotKnown, ShapeError, SourceError
from layerexplain.frontends.code.bounds import Budget, Exhausted
from layerexplain.frontends.code.graph_formula import Formula, not_known
from layerexplain.frontends.code.keras_names import named
from layerexplain.frontends.code.operators import Raised
from layerexplain.frontends.code.reader import Program, program
from layerexplain.frontends.code.values import (
    Class,
    Function,
    ModelValue,
    Tensor,
    Unknown,
    layer_of,
    unknown_in,
)
from layerexplain.lang.expr import BATCH, Expr
from layerexplain.layers.arguments import Anything, Argument, Signature, argument_of
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.facts import Facts
from layerexplain.model import Layer
from layerexplain.ops import load_all

_GIVEN = ("self", "training", "mask")


def read_python_layers(data: bytes, path: str) -> dict[str, Declaration]:
    """The layers that a file of Python code defines, by class. Nothing of it is run."""
    load_all()
    reading = program(data, path)
    found: dict[str, Declaration] = {}
    for name, value in reading.frame.names.items():
        if isinstance(value, Class) and _is_layer(value):
            found.setdefault(value.name, _declaration(value, reading, path))
            found.setdefault(name, found[value.name])
    if not found:
        raise SourceError("defines no layer: a class below keras.layers.Layer with a `call` is needed")
    return found


def _is_layer(cls: Class) -> bool:
    root = cls.root()
    what = named(root.path) if root is not None else None
    is_base = root is not None and root.last == "Layer"
    return isinstance(cls.find("call"), Function) and (is_base or (what is not None and what.kind == "layer"))


def _declaration(cls: Class, reading: Program, path: str) -> Declaration:
    call_names, optional = _parameters(cls.find("call"))
    taken, _ = _parameters(cls.find("__init__"))
    reads = {name for name in ("training", "mask") if name in call_names}
    tensors = tuple([name for name in call_names if name not in _GIVEN])
    listed = len(tensors) == 1 and _takes_list(cls.find("call"), tensors[0])
    node = cls.find("call").node
    documented = ast.get_docstring(node) or "" if isinstance(node, ast.FunctionDef) else ""
    formula = partial(_trace, cls, reading, path, listed)
    defaults = _defaults(cls.find("__init__"))
    arguments = {name: argument_of(Anything, defaults.get(name, Argument.REQUIRED)) for name in taken if name != "self"}
    given = tuple([f"{name}=4" for name, one in arguments.items() if one.default is Argument.REQUIRED])
    return Declaration(
        cls.name,
        formula,
        Signature(() if listed else tensors or ("x",), arguments, len([one for one in optional if one in tensors]),
                  tensors[0] if listed else None,
                  frozenset({*reads, "training"})),
        description=_sentence(documented) or f"The author's own layer, defined in line {cls.line} of {path}.",
        mask=_mask_rule(cls) or "stop",
        facts=Facts(example=(given, ("9,16",) * max(len([one for one in tensors if one not in optional]), 1))),
    )  # fmt: skip


def _parameters(function: Any) -> tuple[list[str], list[str]]:
    """The names of a function's parameters, and those that have a default."""
    if not isinstance(function, Function):
        return [], []
    spec = function.node.args
    names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    without = len(names) - len(spec.defaults)
    keyword = [one.arg for one in spec.kwonlyargs]
    return [*names, *keyword], [*names[without:], *keyword]


def _defaults(function: Any) -> dict[str, Any]:
    """The defaults of a function's parameters; None for what is no plain value."""
    if not isinstance(function, Function):
        return {}
    _, optional = _parameters(function)
    values = [*function.defaults, *function.keyword_defaults]
    plain = (bool, int, float, str, tuple)
    return {
        name: value if isinstance(value, plain) and unknown_in(value) is None else None
        for name, value in zip(optional, values, strict=False)
    }


def _sentence(text: str) -> str:
    first = " ".join(text.partition("\n\n")[0].split())
    return first.replace("{", "").replace("}", "")[:300]


def _mask_rule(cls: Class) -> str:
    """What a class does with the mask of its input: "pass", "stop", or "" where it computes one of its own."""
    method = cls.find("compute_mask")
    if isinstance(method, Function):
        names, body = _parameters(method)[0], getattr(method.node, "body", None)
        last = body[-1] if type(body) is list else None
        if not isinstance(last, ast.Return) or any(isinstance(one, ast.If) for one in ast.walk(method.node)):
            return ""
        if last.value is None or (isinstance(last.value, ast.Constant) and last.value.value is None):
            return "stop"
        return "pass" if isinstance(last.value, ast.Name) and last.value.id == "mask" in names else ""
    function = cls.find("__init__")
    stated = cls.find("supports_masking") is True or (
        isinstance(function, Function)
        and any(
            isinstance(one, ast.Assign)
            and isinstance(one.targets[0], ast.Attribute)
            and one.targets[0].attr == "supports_masking"
            and getattr(one.value, "value", None) is True
            for one in ast.walk(function.node)
        )
    )
    return "pass" if stated else "stop"


def _takes_list(function: Any, name: str) -> bool:
    """Whether a `call` takes its tensors as one list: it unpacks its argument, `x, z = inputs`."""
    return any(
        isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Tuple | ast.List)
        and isinstance(one.value, ast.Name)
        and one.value.id == name
        for one in ast.walk(function.node)
    )


def _trace(cls: Class, reading: Program, path: str, listed: bool, *tensors: Expr | None, **keywords: Any) -> Any:
    """The results of a class at given tensors. Raises `NotKnown` with the line of what cannot be followed."""
    training, mask = bool(keywords.pop("training", False)), keywords.pop("mask", None)
    interpreter = reading.interpreter
    keras = interpreter.keras
    interpreter.budget = Budget()
    assumed, faults = len(interpreter.assumed), len(interpreter.faults)
    if not _mask_rule(cls):
        raise NotKnown(f"{cls.name} computes a mask of its own, which is not followed yet ({path}:{cls.line})")
    config = {key: _ready(keras, value) for key, value in keywords.items()}
    given = {key: value for key, value in config.items() if value is not None}
    keras.quiet += 1
    try:
        made = interpreter.call(cls, [], given)
        layer = layer_of(made)
        if not isinstance(layer, ModelValue):
            raise NotKnown(f"{cls.name} is no layer that is read ({path}:{cls.line})")
        fed = [None if one is None else _placeholder(keras, one) for one in tensors]
        while fed and fed[-1] is None:
            fed.pop()
        names, _ = _parameters(cls.find("call"))
        extra: dict[str, Any] = {"training": training} if "training" in names else {}
        if mask is not None:
            extra["mask"] = _placeholder(keras, mask)
        keras.trace(layer, [fed] if listed else fed, extra)
    except Exhausted as error:
        raise NotKnown(f"{path}: the program {error}") from None
    except Raised as error:
        raise ShapeError(f"in {path}:{error.line or cls.line}, {cls.name} raises {error}"[:300]) from None
    finally:
        keras.quiet -= 1
    if len(interpreter.faults) > faults:
        fault = interpreter.faults[faults]
        del interpreter.faults[faults:]
        raise type(fault)(f"in {path}:{fault.line}: {fault.fact}")
    if len(interpreter.assumed) > assumed:
        choice = interpreter.assumed[assumed]
        del interpreter.assumed[assumed:]
        raise NotKnown(f"{cls.name} hangs on a branch that is not known ({path}:{choice.line}: {choice.words})")
    if layer.reason is not None or layer.outputs is None:
        raise not_known(cls.name, path, layer.reason)
    exprs = [one for one in (*tensors, mask) if one is not None]
    return Formula(keras, path, training).results(layer, exprs)


def _placeholder(keras: Any, one: Expr) -> Tensor:
    shape = tuple([None if size is BATCH else size for size in one.shape])
    dtype = "float32" if one.dtype == "float" else one.dtype
    made: Tensor = keras.new_input(str(one.label), shape, dtype)
    return made


def _ready(keras: Any, value: Any) -> Any:
    """A value of a configuration as code has it: layers as layers, tuples as lists of them."""
    if hasattr(value, "definition") and hasattr(value, "config"):
        inner = {key: _ready(keras, one) for key, one in value.config.items()}
        return keras.make_layer(value.type, [], inner)
    if isinstance(value, Layer):
        raise NotKnown(f"{value.type} in its configuration is not known")
    if type(value) in (list, tuple):
        return type(value)([_ready(keras, one) for one in value])
    if isinstance(value, str | int | float | bool | dict | type(None)):
        return value
    return Unknown(f"{str(value)[:60]} of the configuration")
