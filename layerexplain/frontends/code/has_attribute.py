"""`hasattr`: whether a value has an attribute, as far as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from layerexplain.frontends.code import keras_api
from layerexplain.frontends.code.dataclass_fields import is_named_tuple
from layerexplain.frontends.code.keras_names import base_of, inside_keras
from layerexplain.frontends.code.parts import InterpreterPart
from layerexplain.frontends.code.values import Class, Instance, LayerValue, Symbol, Tensor, python
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.layers.registry import find

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter

_OLDER_ONLY = frozenset({"_build_from_signature"})
"""Attributes of layers by which code tells Keras 2 from Keras 3."""


class HasAttribute(InterpreterPart):
    """The part of the interpreter that answers `hasattr`."""

    def has_attribute(self, of: Any, name: Any) -> bool | Unknown:
        """Return whether a value has an attribute; Unknown where that is not known."""
        if isinstance(of, Unknown) or not isinstance(name, str):
            return of if isinstance(of, Unknown) else self.unknown("the name of an attribute")
        if name in _OLDER_ONLY:
            return False
        found = self._has(of, name)
        return self.unknown(f"whether it has the attribute {name}") if found is None else found

    def _has(self, of: Any, name: str) -> bool | None:
        if isinstance(of, Symbol):
            return _of_library(of.path, name)
        if isinstance(of, Instance | Class):
            return self._of_program(of, name)
        if isinstance(of, LayerValue):
            return name in of.attributes or name in of.config or _of_layer(of, name)
        if isinstance(of, Tensor):
            outside = not self.keras.quiet and not name.startswith("_")
            known = name in keras_api.members("Tensor")
            return True if name in ("shape", "dtype", "ndim", "name") else False if outside and not known else None
        return python.has_attribute(of, cast("Interpreter", self), name)

    def _of_program(self, of: Instance | Class, name: str) -> bool | None:
        cls = of.cls if isinstance(of, Instance) else of
        if (isinstance(of, Instance) and name in of.attributes) or cls.has(name):
            return True
        if is_named_tuple(cls) and (name in ("_fields", "_make", "_replace", "_asdict") or hasattr(tuple, name)):
            return True
        if cls.has("__getattr__") or any(isinstance(one, Unknown) for one in cls.order()):
            return None
        what, root = base_of(cls), cls.root()
        if root is None or root.path.startswith("builtins.object"):
            return hasattr(object, name) or name in ("__dict__", "__module__")
        known = frozenset() if what is None else keras_api.members("Model" if what.kind == "model" else what.name)
        return None if not known or name in known or name.startswith("_") else False


def _of_library(path: str, name: str) -> bool | None:
    """Return whether a module of Keras has a name; None for what differs from version to version."""
    inside = inside_keras(path)
    if inside is None or not keras_api.is_module(inside):
        return None
    if name in keras_api.names_in(inside, only_today=True):
        return True
    return None if name in keras_api.names_in(inside) or name.startswith("_") else False


def _of_layer(layer: LayerValue, name: str) -> bool | None:
    """Return whether a layer of Keras has an attribute that its class gives it; None where it may hang on how it is
    built."""
    declaration = find(layer.type)
    known = keras_api.members(layer.type)
    if declaration is None or not known:
        return None
    if name in ("name", "trainable", "dtype", "weights", "built", "input_spec"):
        return True
    return (
        (True if name in declaration.arguments else None) if name in known else None if name.startswith("_") else False
    )
