"""Items and attributes of values: `x[0]`, `x.shape`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from layerexplain.frontends.code.frames import Frame
from layerexplain.frontends.code.parts import InterpreterPart, dotted, setting_name
from layerexplain.frontends.code.values import python
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Unknown

if TYPE_CHECKING:
    pass

_OLDER_ONLY = frozenset({"_build_from_signature"})
"""Attributes of layers by which code tells Keras 2 from Keras 3."""


class Attributes(InterpreterPart):
    """The part of the interpreter that gives items and attributes."""

    def on_slice(self, node: ast.Slice, frame: Frame) -> ProgramValue:
        parts = [None if one is None else self.value(one, frame) for one in (node.lower, node.upper, node.step)]
        unknown = next((one for one in parts if isinstance(one, Unknown)), None)
        return unknown if unknown is not None else slice(*parts)

    def on_subscript(self, node: ast.Subscript, frame: Frame) -> ProgramValue:
        if self.settings and (named := setting_name(node)) in self.settings:
            return self.settings[named]
        items = self.no_function(self.value(node.value, frame))
        key = self.value(node.slice, frame)
        self.node = node
        return self.renamed(self.item(items, key), node)

    def item(self, items: object, key: object) -> ProgramValue:
        """Evaluate `items[key]`."""
        return python.get_item(items, self, key)

    def missing(self, items: dict[ProgramValue, ProgramValue], key: object) -> ProgramValue:
        """Return the value of a key that a dict does not have: that of a defaultdict is made now. Raises KeyError."""
        _, factory = self.factories.get(id(items), (None, None))
        if factory is None:
            raise KeyError(key)
        result = self.call(factory, [], {})
        self.mutate(items)
        items[key] = result
        return result

    def on_attribute(self, node: ast.Attribute, frame: Frame) -> ProgramValue:
        of = self.value(node.value, frame)
        self.node = node
        if self.settings and (named := setting_name(node)) in self.settings:
            # A shape that is given is the one that data have at first: a reshape of the program changes it.
            own = isinstance(of, Array) and named.removesuffix(".shape") in self.shaped
            return self.attribute(of, node.attr) if own else self.settings[named]
        if isinstance(of, Unknown):
            data = of._replace(name=setting_name(node) or of.name)
            return self.torch.method_of_data(data, node.attr) or data
        found = self.attribute(of, node.attr)
        if isinstance(found, Unknown) and not found.name:
            return found._replace(name=dotted(node))
        if isinstance(of, Array) and type(found) is tuple:
            return tuple([one._replace(name=setting_name(node)) if isinstance(one, Unknown) else one for one in found])
        return found

    def attribute(self, of: object, name: str) -> ProgramValue:
        """Evaluate `of.name`."""
        return python.get_attribute(of, self, name)

    def call_method(self, of: object, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `of.name(…)`."""
        return self.placed(python.call_method(of, self, name, args, kwargs))

    def has_attribute(self, of: object, name: object) -> bool | Unknown:
        """Return whether a value has an attribute; Unknown where that is not known."""
        if isinstance(of, Unknown) or not isinstance(name, str):
            return of if isinstance(of, Unknown) else self.unknown("the name of an attribute")
        if name in _OLDER_ONLY:
            return False
        found = python.has_attribute(of, self, name)
        return self.unknown(f"whether it has the attribute {name}") if found is None else found
