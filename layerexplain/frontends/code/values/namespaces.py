"""Objects of a program that have nothing but attributes."""

from __future__ import annotations

import types

from layerexplain.frontends.code.values.base import Evaluator, ProgramValue, Value


class Namespace(Value):
    """An object that has nothing but attributes: `SimpleNamespace`, a named tuple, a data class."""

    def __init__(self, attributes: dict[str, ProgramValue]) -> None:
        self.attributes = attributes

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.attributes.get(name, evaluator.unknown(f"the attribute {name} of a value"))

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or hasattr(types.SimpleNamespace, name)

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes[name] = value

    def equals(self, other: object) -> ProgramValue:
        return self is other if isinstance(other, Namespace) else NotImplemented
