"""Symbolic tensors: those of a program that puts a model together, and those inside of a layer's own `call`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    Place,
    ProgramError,
    ProgramValue,
    Use,
    Value,
)

if TYPE_CHECKING:
    import ast

    from layerexplain.frontends.code.values.base import Unknown
    from layerexplain.frontends.code.values.framework import Framework
    from layerexplain.frontends.code.values.layers import Node
    from layerexplain.frontends.code.values.symbols import Symbol


class Tensor(Value):
    """The result number `index` of a call; the mask of result i has the number -1 - i. `Node.result` makes it, once."""

    def __repr__(self) -> str:
        return "a tensor"

    def __init__(self, node: Node, index: int) -> None:
        self.node = node
        self.index = index

    @property
    def framework(self) -> Framework:
        """Return the library that makes it."""
        return self.node.layer.framework

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.tensor_attribute(self, name)

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return self.framework.tensor_item(self, key)

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        words = "a tensor cannot be changed in place; use keras.ops.slice_update"
        raise ProgramError("TypeError", words, evaluator.place())

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return self.framework.tensor_method(self, name, args, kwargs)

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.operator(name, self, None)

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right)

    def is_instance(self, kind: Symbol) -> bool | None:
        return True if "ensor" in kind.last else False if kind.path.startswith("numpy.") else None

    def unpack(self, evaluator: Evaluator, parts: list[ast.expr]) -> list[ProgramValue] | Unknown:
        return self.framework.split_input(self, parts)

    def truth(self) -> bool | None:
        return None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        if self.node.layer.reason is not None:
            return self.node.layer.reason  # what is not read may give a layer too
        raise ProgramError("TypeError", "a tensor is called", evaluator.place())


_REFUSED: dict[Use, str] = {
    "loop": "a tensor of Keras cannot be iterated over: it has no values yet",
    "test": "a tensor of Keras is neither true nor false: it has no values yet; use keras.ops.where",
    "unpacking": "a tensor of Keras cannot be unpacked",
    "number": "got a tensor of Keras: it has no values yet",
}


class GraphTensor(Tensor):
    """A tensor outside of any `call`. It has no numbers, and Keras refuses what needs them."""

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        found = self.framework.tensor_has(name)
        return None if name.startswith("_") and not found else found

    def check_use(self, use: Use, place: Place, words: str = "") -> None:
        if use in ("test", "number") or self.node.layer.kind == "layer":
            raise ProgramError("TypeError", words + _REFUSED[use], place)


class CallTensor(Tensor):
    """A tensor inside of the `call` of a layer or a model of the program."""

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return self.framework.tensor_has(name) or None

    def assigned_to(self, name: str) -> None:
        self.node.names.setdefault(self.index, name)
