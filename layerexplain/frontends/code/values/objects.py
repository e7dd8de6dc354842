"""Values that are little more than names and attributes: of libraries, namespaces, modules, settings of Keras."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING

from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
)
from layerexplain.frontends.code.values.program import Bound
from layerexplain.records import Record

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.frames import Frame


# Symbols ------------------------------------------------------------------------------------------------------------
# Names of libraries.

_BASES = dict.fromkeys(("LightningModule", "ScriptModule"), Symbol("torch.nn.Module"))
"""Classes of libraries by their last names, and the class that theirs are like: Lightning's modules are those of
PyTorch, with methods for training."""


def known_base(base: ProgramValue) -> ProgramValue:
    """Return the class of PyTorch that a class of another library derives from: nn.Module for LightningModule."""
    return _BASES.get(base.last, base) if isinstance(base, Symbol) else base


class NamesOf(Record, Value):
    """The names of a module of a library, which `dir` gives."""

    of: Symbol
    evaluator: Evaluator

    def contains(self, value: object) -> ProgramValue:
        found = self.of.has_attribute(self.evaluator, value) if isinstance(value, str) else False
        return Unknown(f"whether {self.of.path} has a name") if found is None else found


# Namespaces ---------------------------------------------------------------------------------------------------------
# Objects of a program that have nothing but attributes.


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


# Modules ------------------------------------------------------------------------------------------------------------
# Modules of a program, and names that they import of each other.


class Module(Value):
    """Another file of the same folder, as text."""

    def __init__(self, name: str, frame: Frame) -> None:
        self.name = name
        self.frame = frame

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.frame.names:
            return evaluator.loaded(self.frame, name)
        inner = evaluator.module(f"{self.name}.{name}", self.frame)
        return inner or evaluator.unknown(f"{self.name}.py has no {name}", name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.frame.names or evaluator.module(f"{self.name}.{name}", self.frame) is not None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.unknown(f"the module {self.name} is called")


class Imported(Record, Value):
    """A name that a module of a package imports from another one, which is read when the name is used."""

    node: ast.ImportFrom
    alias: ast.alias
    frame: Frame

    def truth(self) -> bool | None:
        return None


# Settings -----------------------------------------------------------------------------------------------------------
# Objects of Keras that are no layers: optimizers, losses, regularizers.

_FAMILIES = {
    "initializers": "Initializer", "regularizers": "Regularizer", "constraints": "Constraint", "losses": "Loss",
    "optimizers": "Optimizer",
}  # fmt: skip
"""The class that all settings of a module are of."""


class Setting(Record, Identity):
    """An object of Keras that is no layer: an optimizer, a loss, a regularizer; or a function of it by its name."""

    class_name: str
    config: Mapping[str, ProgramValue]
    path: str = ""

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.config:
            return self.config[name]
        return self if name == "__class__" else Bound(self, name)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.framework_of("keras").call_setting(self, args, kwargs)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name == "get_config":
            return dict(self.config)
        if name == "from_config" and args and type(args[0]) is dict:
            return Setting(self.class_name, args[0], self.path)
        return evaluator.unknown(f"the method {name} of {self.class_name}")

    def stated_arguments(self) -> Mapping[str, ProgramValue] | None:
        return self.config

    def is_instance(self, kind: Symbol) -> bool | None:
        family = _FAMILIES.get(self.path.partition(".")[0])
        return kind.last in (family, self.class_name) if family is not None else None
