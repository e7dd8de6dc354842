"""Items and attributes of values: `x[0]`, `x.shape`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, cast

from layerexplain.frontends.code import keras_api
from layerexplain.frontends.code.dataclass_fields import fields_of
from layerexplain.frontends.code.frames import Frame
from layerexplain.frontends.code.operators import Raised
from layerexplain.frontends.code.parts import InterpreterPart, dotted
from layerexplain.frontends.code.values import (
    Bound,
    Class,
    Function,
    Instance,
    Namespace,
    Super,
    Symbol,
    Tensor,
    Variable,
    python,
)
from layerexplain.frontends.code.values.base import Unknown

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter

_BUILTIN = (str, int, float, bool, list, tuple, dict)


class Attributes(InterpreterPart):
    """The part of the interpreter that gives items and attributes."""

    def on_slice(self, node: ast.Slice, frame: Frame) -> Any:
        parts = [None if one is None else self.value(one, frame) for one in (node.lower, node.upper, node.step)]
        unknown = next((one for one in parts if isinstance(one, Unknown)), None)
        return unknown if unknown is not None else slice(*parts)

    def on_subscript(self, node: ast.Subscript, frame: Frame) -> Any:
        items = self.no_function(self.value(node.value, frame))
        key = self.value(node.slice, frame)
        self.node = node
        if isinstance(items, Unknown):
            return items
        return self.item(items, key)

    def item(self, items: Any, key: Any) -> Any:
        """`items[key]`."""
        items = items if (fields := fields_of(items)) is None else fields
        if isinstance(items, Variable):
            items = self.keras.weight_tensor(items) if self.keras.quiet else self.keras.data_of(items)
        if isinstance(items, Tensor):
            return self.keras.tensor_item(items, key)
        return python.get_item(items, cast("Interpreter", self), key)

    def missing(self, items: dict[Any, Any], key: Any) -> Any:
        """Return the value of a key that a dict does not have: that of a defaultdict is made now. Raises KeyError."""
        _, factory = self.factories.get(id(items), (None, None))
        if factory is None:
            raise KeyError(key)
        made = self.call(factory, [], {})
        self.mutate(items)
        items[key] = made
        return made

    def on_attribute(self, node: ast.Attribute, frame: Frame) -> Any:
        if self.settings and (named := dotted(node)) in self.settings:
            return self.settings[named]
        of = self.value(node.value, frame)
        self.node = node
        if isinstance(of, Unknown):
            return of._replace(name=dotted(node) or of.name)
        found = self.attribute(of, node.attr)
        if isinstance(found, Unknown) and not found.name:
            return found._replace(name=dotted(node))
        return found

    def attribute(self, of: Any, name: str) -> Any:
        """`of.name`."""
        if isinstance(of, Instance):
            return self._of_instance(of, name)
        if isinstance(of, Super):
            found = of.instance.cls.find(name, of.after)
            if isinstance(found, Function):
                return Bound(of.instance, found)
            self.keras.check_attribute(of.instance.layer, name, of.instance.cls, "super()")
            root = of.instance.cls.root()
            return Bound(of.instance, Symbol(f"{root.path if root else 'builtins.object'}.{name}"))
        if isinstance(of, Class):
            found = of.find(name)
            if isinstance(found, Function) and found.kind == "classmethod":
                return Bound(of, found)
            base = of.root()
            if found is not None and not isinstance(found, Function) and base and base.path.startswith("enum."):
                return of.members.setdefault(name, Namespace({"value": found, "name": name}))
            if found is None and not of.has(name) and (own := self.of_named_tuple(of, name)) is not None:
                return own
            if found is None and not of.has(name):
                if name == "__name__":
                    return of.name
                root = of.root()
                if name == "__members__" or (root is not None and root.path.startswith("enum.")):
                    return self.unknown(f"{of.name} has no {name}")
                return Symbol(f"{root.path}.{name}") if root else self.unknown(f"{of.name} has no {name}")
            return found
        if isinstance(of, Tensor):
            return self.keras.attribute(of, name)
        return python.get_attribute(of, cast("Interpreter", self), name)

    def _of_instance(self, of: Instance, name: str) -> Any:
        if name in of.attributes:
            if name in of.maybe and not isinstance(of.attributes[name], Unknown):
                self.effects.depend_on(of.maybe[name])
            return of.attributes[name]
        found = of.cls.find(name)
        if isinstance(found, Function):
            if found.kind == "property":
                return self.call(found, [of], {})
            if found.kind == "staticmethod":
                return found
            return Bound(of.cls if found.kind == "classmethod" else of, found)
        if found is not None or of.cls.has(name):
            return found
        if (own := self.of_named_tuple(of, name)) is not None:
            return own
        if name == "__class__":
            return of.cls
        if name == "__dict__":
            return of.attributes
        method = of.cls.find("__getattr__")
        if isinstance(method, Function) and (of.layer is None or name not in keras_api.members("Layer")):
            return self.call(method, [of, name], {})
        if of.layer is not None:
            return self.keras.attribute(of.layer, name)
        root = of.cls.root()
        if root is None and not any(isinstance(base, Unknown) for base in of.cls.order()):
            raise Raised("AttributeError", f"{of.cls.name} has no attribute {name}", self.place())
        return self.unknown(f"the attribute {name} of {root.path if root else of.cls.name}")
