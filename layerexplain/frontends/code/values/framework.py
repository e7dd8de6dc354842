"""What values ask of the library that a model is made with."""

from __future__ import annotations

import ast
from typing import Protocol

from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.frames import Frame
from layerexplain.frontends.code.values.layers import LayerFramework, ModelValue
from layerexplain.frontends.code.values.program import Class, Instance
from layerexplain.layers.declaration import Declaration


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

    def check_import(self, module: str, name: str, *, is_module: bool = False) -> None:
        """Record the fault of an import of a name that the library does not have; `is_module`: `import keras.engine`,
        which names a module alone."""

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
