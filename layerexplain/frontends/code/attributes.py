"""Items and attributes of values: `x[0]`, `x.shape`."""

from __future__ import annotations

import ast
from typing import Any

from layerexplain.frontends.code import arrays, keras_api
from layerexplain.frontends.code.dataclass_fields import fields_of
from layerexplain.frontends.code.frames import Frame
from layerexplain.frontends.code.methods import has_method
from layerexplain.frontends.code.operators import Raised, is_plain
from layerexplain.frontends.code.parts import InterpreterPart, docstring, dotted
from layerexplain.frontends.code.values import (
    Array,
    Bound,
    Class,
    Function,
    Instance,
    LayerValue,
    Module,
    Namespace,
    Setting,
    Size,
    Super,
    Symbol,
    Tensor,
    Unknown,
    Variable,
)

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
        if isinstance(items, Array):
            self.budget.look_at(items, key)
            made = arrays.item(items, key)
            if self.keras.quiet and items.values is not None and getattr(made, "values", made) is None:
                return self.keras.item_of_table(items, key)
            return made
        if isinstance(key, Unknown):
            return key
        if isinstance(key, slice) and not all(isinstance(one, int | None) for one in (key.start, key.stop, key.step)):
            return self.unknown("a slice to a size that is not known")
        try:
            if type(items) in (list, tuple, str, range, bytes):
                if isinstance(key, int | slice):
                    made = items[key]
                    self.budget.make(len(made) if isinstance(key, slice) else 1)
                    return made
                return self.unknown("an item at a place that is not known")
            if type(items) is dict:
                if self.may_be_key(key):
                    return self.missing(items, key) if key not in items else items[key]
                return self.unknown("an item under a key that is not known")
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise Raised(type(error).__name__, str(error)[:100], self.place()) from None
        if isinstance(items, Instance) and items.cls.find("__getitem__") is not None:
            return self.call(self.attribute(items, "__getitem__"), [key], {})
        return self.unknown("an item of a value that is not known")

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
        if isinstance(of, Symbol):
            return self.keras.symbol_attribute(of, name)
        if isinstance(of, Module):
            if name in of.frame.names:
                return self.loaded(of.frame, name)
            return self.module(f"{of.name}.{name}", of.frame) or self.unknown(f"{of.name}.py has no {name}", name)
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
        if isinstance(of, Tensor | LayerValue | Setting):
            return self.keras.attribute(of, name)
        if isinstance(of, Variable):
            return self.keras.variable_attribute(of, name)
        if isinstance(of, Array):
            return arrays.attribute(of, name)
        if isinstance(of, Namespace | Function):
            if name == "__name__" and isinstance(of, Function):
                return of.attributes.get(name, of.name)
            if name == "__doc__" and isinstance(of, Function) and "__doc__" not in of.attributes:
                return None if isinstance(of.node, ast.Lambda) else docstring(of.node) or None
            return of.attributes.get(name, self.unknown(f"the attribute {name} of a value"))
        if has_method(of, name):
            return Bound(of, name)
        if type(of) in (int, float) and name in ("astype", "item", "tolist"):  # a number of NumPy is one here
            return Bound(arrays.array_of(of), name)
        if type(of) is tuple and name in ("rank", "ndims"):  # a shape
            return len(of)
        if isinstance(of, Size | slice) or is_plain(of) or type(of) in (list, tuple, dict, set):
            if is_plain(of) and of is not None and name in ("real", "imag"):
                return getattr(of, name)
            if of is None or (type(of) in _BUILTIN and not hasattr(type(of), name)):
                kind = "None" if of is None else f"a {type(of).__name__}"
                raise Raised("AttributeError", f"{kind} has no attribute {name}", self.place())
        return self.unknown(f"the attribute {name} of a value that is not known")

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
