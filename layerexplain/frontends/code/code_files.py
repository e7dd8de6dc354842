"""Files of Python code beside a source (`--code`) → the declarations of the layers that they define."""

from __future__ import annotations

from layerexplain.errors import SourceError
from layerexplain.frontends.code.keras_names import named
from layerexplain.frontends.code.own_layers import Code, OwnLayer
from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.values import Class, Function
from layerexplain.layers.declaration import Declaration
from layerexplain.ops import load_all


def read_python_layers(data: bytes, path: str) -> dict[str, Declaration]:
    """The layers that a file of Python code defines, by class. Nothing of it is run."""
    load_all()
    reading = program(data, path)
    code = Code(reading.interpreter.keras, reading.where)
    found: dict[str, Declaration] = {}
    for name, value in reading.frame.names.items():
        if isinstance(value, Class) and is_layer(value):
            found.setdefault(value.name, OwnLayer(value, code, value.name))
            found.setdefault(name, found[value.name])
    if not found:
        raise SourceError("defines no layer: a class below keras.layers.Layer with a `call` is needed")
    return found


def is_layer(cls: Class) -> bool:
    """Whether a class is one of layers that says what it computes."""
    root = cls.root()
    what = named(root.path) if root is not None else None
    is_base = root is not None and root.last == "Layer"
    return isinstance(cls.find("call"), Function) and (is_base or (what is not None and what.kind == "layer"))
