"""What the parts of the interpreter and of `Keras`, which stand in several files, know of the whole."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.values.base import Place, Unknown
from layerexplain.frontends.code.values.framework import Framework

if TYPE_CHECKING:
    from layerexplain.frontends.code.effects import Effects
    from layerexplain.frontends.code.frames import Frame
    from layerexplain.frontends.code.interpreter import Interpreter

Signal = tuple[str, Any] | None
"""How a block ends early: ("return", value), ("break", None), ("continue", None)."""


def position(node: Any) -> tuple[int, int]:
    """The line and the column of a node, both counted from 1: of `layers.Dense` those of the name behind the dot."""
    if isinstance(node, ast.Attribute):
        return node.end_lineno or node.lineno, (node.end_col_offset or 0) - len(node.attr) + 1
    return (0, 0) if node is None else (node.lineno, node.col_offset + 1)


def dotted(node: ast.expr) -> str:
    """`x_train.shape` of such an expression; "" for one that is no chain of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 10:
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def written(node: ast.expr) -> str:
    """Return an expression as a line of code. It is kept: a loop may ask for it in each round."""
    if "_written" not in node.__dict__:
        node._written = ast.unparse(node)  # type: ignore[attr-defined]
    text: str = node._written  # type: ignore[attr-defined]
    return text


@cache
def handler_name(kind: str) -> str:
    """The method that reads a kind of node: `on_binop` for `ast.BinOp`."""
    return f"on_{kind.lower()}"


class Part:
    """A part of an object: what it asks of the other parts is found there when it is asked."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class KerasPart(Part, Framework):
    """A part of `Keras`. `in_call` says whether a `call` of the program is followed now, `training` whether that is one
    of training."""

    interpreter: Interpreter
    number_of_nodes: int

    @property
    def in_call(self) -> bool:
        """Whether a `call` of the program is followed now."""
        return bool(self.interpreter.followed_calls)

    has_custom_objects: bool
    training: bool


class InterpreterPart(Part):
    """A part of `Interpreter`. `node` of the tree of `file` is where the reading is; `effects` is the journal of what
    was changed, assumed, left open and raised."""

    node: ast.AST | None
    file: str
    effects: Effects
    is_notebook: bool
    callers: list[Any]

    @property
    def line(self) -> int:
        """The line that is read now; 0 before the first one."""
        return position(self.node)[0]

    def place(self, node: ast.AST | None = None) -> Place:
        """Where a node of the file that is read now stands; without one, where the reading is."""
        return Place(self.file, *position(node or self.node))

    def argument_place(self, which: str | int | None, order: Sequence[str] = ()) -> Place:
        """Where the call that is read now gives an argument: one with a name, or the one of a number, `order` being the
        names of those that are given without one; the call itself where it does not say."""
        call = self.node
        if not isinstance(call, ast.Call):
            return self.place()
        named = next((one for one in call.keywords if one.arg == which), None)
        if named is not None:
            return self.place(named)
        at = order.index(which) if isinstance(which, str) and which in order else which
        given = call.args[: at + 1] if isinstance(at, int) else []
        stands = len(given) - 1 == at and not any(isinstance(one, ast.Starred) for one in given)
        return self.place(given[-1]) if stands else self.place()

    def item_place(self, which: str, number: int) -> Place:
        """Where an item stands in the list that is the first argument of the call that is read now, or its argument
        `which`; the call itself where the list is not written there."""
        call = self.node
        if isinstance(call, ast.Call):
            values = [*call.args[:1], *[one.value for one in call.keywords if one.arg == which]]
            listed = values[0].elts if values and isinstance(values[0], ast.List | ast.Tuple) else []
            if number < len(listed) and not any(isinstance(one, ast.Starred) for one in listed[: number + 1]):
                return self.place(listed[number])
        return self.place()

    if TYPE_CHECKING:
        frameworks: list[Framework]
        factories: dict[int, tuple[Any, Any]]
        active: list[Any]
        choosing: list[int]
        rounds: list[list[ast.stmt]]

        def framework_of(self, path: str) -> Framework: ...
        def compared(self, name: str, left: Any, right: Any) -> Any: ...
        def items(self, value: Any) -> list[Any] | Unknown: ...
        def may_be_key(self, value: Any) -> bool: ...
        def block(self, body: list[ast.stmt], frame: Frame, *, module: bool = False) -> Signal: ...
        def branch(self, taken: list[ast.stmt], other: list[ast.stmt], frame: Frame, assumption: Any) -> Signal: ...
        def followed(self, node: ast.stmt, frame: Frame, handler: Any) -> Signal: ...
