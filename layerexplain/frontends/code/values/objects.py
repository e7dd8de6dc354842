"""Values that are little more than names and attributes, and what values ask of the library of a model."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from layerexplain.frontends.code.values.base import (
    Arguments,
    Attributed,
    Evaluator,
    Identity,
    Keywords,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
)
from layerexplain.frontends.code.values.layers import LayerFramework, ModelValue
from layerexplain.frontends.code.values.program import Bound, Class, Instance
from layerexplain.frontends.code.values.reading import Frame
from layerexplain.layers.declaration import Declaration
from layerexplain.records import Record

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.reading import Frame


# Framework ----------------------------------------------------------------------------------------------------------
# What values ask of the library that a model is made with.


class Framework(LayerFramework, Protocol):
    """A library that models are made with."""

    roots: frozenset[str]
    """The first parts of its names."""

    call_name: str
    """The method of a user-defined class that says what it computes."""

    counters: dict[str, int]
    """How many objects of each class are named, by the stems of their names."""

    models: list[ModelValue]
    """The models that the program makes with it."""

    def leave_trainable_open(self, unknown: Unknown) -> None:
        """Record that a program freezes what nobody knows."""

    # Names --------------------------------------------------------------------------------------------------------

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of the library has a name; None for what differs from version to version."""

    def owns(self, path: str) -> bool:
        """Return whether a name is one of the library's."""

    def call_symbol(self, symbol: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for a name that is not the library's."""

    def by_convention(self, name: str, stars: list[str]) -> Symbol | None:
        """Return what a name that is not defined stands for; None where nobody means the library by it."""

    def names_of_star(self, module: str) -> list[str]:
        """Return the names that `from … import *` brings of a module."""

    def check_import(self, module: str, name: str, others: Sequence[str] = ()) -> None:
        """Record the fault of an import of a module, or of a name in one, that the library does not have; with `others`
        these names of a module are imported."""

    def lacks(self, path: str) -> bool:
        """Return whether an import of a name fails with the library of today."""
        return False

    def makes(self, path: str) -> int:
        """Return what a name may do: nothing (0), make layers (1), change those that are there (2)."""

    def is_method_of(self, path: str, instance: Instance) -> bool:
        """Return whether a name is a method of a class above that of an object: `keras.layers.Layer.__init__`."""

    def call_unknown(
        self, function: Unknown, node: ast.Call, args: Arguments, kwargs: Keywords, frame: Frame
    ) -> ProgramValue:
        """Return the result of calling an unknown value."""

    # User-defined classes -----------------------------------------------------------------------------------------

    def with_source(self, cls: Class) -> None:
        """Put the source of the library in place of bases whose computation a class changes."""

    def begin_instance(self, instance: Instance) -> None:
        """Begin an object of a user-defined class, which may be a layer or a model."""

    def make_layer(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return a layer of the library, by the name of its class."""

    def declaration(self, layer: ModelValue) -> Declaration:
        """Return the declaration of a layer of the program."""
        raise NotImplementedError

    def finish_instance(self, instance: Instance) -> None:
        """End the making of an object."""


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
        result = self.of.has_attribute(self.evaluator, value) if isinstance(value, str) else False
        return Unknown(f"whether {self.of.path} has a name") if result is None else result


# Namespaces ---------------------------------------------------------------------------------------------------------
# Objects of a program that have nothing but attributes.


class Namespace(Attributed):
    """An object that has nothing but attributes: `SimpleNamespace`, a named tuple, a data class."""

    def __init__(self, attributes: dict[str, ProgramValue]) -> None:
        self.attributes = attributes

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.attributes.get(name, evaluator.unknown(f"the attribute {name} of a value"))

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or hasattr(types.SimpleNamespace, name)

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
