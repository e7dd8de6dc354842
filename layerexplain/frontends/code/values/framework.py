"""What values ask of the library that a model is made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue

if TYPE_CHECKING:
    import ast

    from layerexplain.frontends.code.values.array import Array
    from layerexplain.frontends.code.values.base import Unknown
    from layerexplain.frontends.code.values.frames import Frame
    from layerexplain.frontends.code.values.layers import LayerValue, Variable
    from layerexplain.frontends.code.values.program import Class, Function, Instance
    from layerexplain.frontends.code.values.settings import Setting
    from layerexplain.frontends.code.values.symbols import Symbol
    from layerexplain.frontends.code.values.tensors import Tensor


class Framework(Protocol):
    """A library that models are made with."""

    @property
    def in_call(self) -> bool:
        """Return whether a `call` of the program is followed now."""

    roots: frozenset[str]
    """The first parts of its names."""
    call_name: str
    """The method of a user-defined class that says what it computes."""
    counters: dict[str, int]
    """How many objects of each class are named, by the stems of their names."""

    # Names --------------------------------------------------------------------------------------------------------

    def symbol_attribute(self, symbol: Symbol, name: str) -> ProgramValue:
        """Return what a name behind a name is."""

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

    def class_has(self, cls: Class, name: str) -> bool | None:
        """Return whether the library gives the objects of a user-defined class an attribute; None where nobody
        knows."""

    def with_source(self, cls: Class) -> None:
        """Put the source of the library in place of bases whose computation a class changes."""

    def begin_instance(self, instance: Instance) -> None:
        """Begin an object of a user-defined class, which may be a layer or a model."""

    def finish_instance(self, instance: Instance) -> None:
        """End the making of an object."""

    def is_of_layers(self, name: str) -> bool:
        """Return whether every layer of the library has an attribute."""

    def check_attribute(
        self, layer: LayerValue, name: str, cls: Class | None = None, shown: str = ""
    ) -> Unknown | None:
        """Raise ProgramError for an attribute that neither the library nor the program gives a layer. Returns why that
        is not known, where a base of its class is not read."""

    def attribute_of_own_layer(self, layer: LayerValue, name: str, value: object) -> None:
        """Record that the program sets an attribute of a custom layer."""

    def call_base(self, of: object, function: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of the library gives that a user-defined class calls."""

    def build_by_hand(self, instance: Instance, method: Function, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `layer.build(shape)` of a user-defined class gives."""

    # Layers and settings ------------------------------------------------------------------------------------------

    def attribute(self, layer: LayerValue, name: str) -> ProgramValue:
        """Return an attribute of a layer."""

    def layer_has(self, layer: LayerValue, name: str) -> bool | None:
        """Return whether the class of a layer gives it an attribute; None where that is not known."""

    def change_argument(self, layer: LayerValue, name: str, value: object) -> bool:
        """Change an argument of a layer that is made already. Returns whether it is one."""

    def set_trainable(self, layer: LayerValue, value: object) -> None:
        """Let a layer, and what is inside, be trained or not."""

    def call_method(self, layer: LayerValue, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a layer gives."""

    def call_layer(self, layer: LayerValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of `layer(x)`."""

    def call_setting(self, setting: Setting, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a loss, an activation or an initializer that is called."""

    # Tensors and weights ------------------------------------------------------------------------------------------

    def operation(self, name: str, args: Arguments, kwargs: Keywords, path: str = "") -> ProgramValue:
        """Return what a function of tensors gives, by the name that it has in NumPy; `path` is the function whose
        arguments these are, where it is another one."""

    def operator(self, name: str, left: object, right: object) -> ProgramValue:
        """Return the result of an operator of Python on tensors; `right` is None where it takes one."""

    def tensor_attribute(self, tensor: Tensor, name: str) -> ProgramValue:
        """Return an attribute of a tensor."""

    def tensor_has(self, name: str) -> bool | None:
        """Return whether every tensor has an attribute; None where that differs from version to version."""

    def tensor_item(self, tensor: Tensor, key: object) -> ProgramValue:
        """Return `tensor[key]`."""

    def tensor_method(self, tensor: Tensor, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a tensor gives."""

    def variable_attribute(self, variable: Variable, name: str) -> ProgramValue:
        """Return an attribute of a weight."""

    def data_of(self, variable: Variable) -> ProgramValue:
        """Return the numbers of a weight, where code computes with them outside of layers."""

    def weight_value(self, variable: Variable) -> ProgramValue:
        """Return what a weight is where code computes with it: a tensor in a `call`, numbers outside."""

    def item_of_table(self, table: Array, key: object) -> ProgramValue:
        """Return a part of an array, as a tensor."""

    def split_input(self, tensor: Tensor, parts: list[ast.expr]) -> list[ProgramValue] | Unknown:
        """Return the parts that a tensor is unpacked into."""

    def opaque_call(self, path: str, args: Arguments, kwargs: Keywords, why: Unknown | None = None) -> Tensor:
        """Return the tensor, of unknown shape, that a function gives which is not read."""
