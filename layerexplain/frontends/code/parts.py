"""What the parts of the interpreter and of `Keras`, which stand in several files, know of the whole."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerexplain.errors import LayerExplainError
    from layerexplain.frontends.code.frames import Frame

Signal = tuple[str, Any] | None
"""How a block ends early: ("return", value), ("break", None), ("continue", None)."""


@cache
def handler_name(kind: str) -> str:
    """The method that reads a kind of node: `on_binop` for `ast.BinOp`."""
    return f"on_{kind.lower()}"


class Part:
    """A part of an object: what it asks of the other parts is found there when it is asked."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class KerasPart(Part):
    """A part of `Keras`. `quiet` is above 0 inside of a `call`, `training` says whether that is one of training, `made`
    counts the calls of layers."""

    quiet: int
    has_custom_objects: bool
    training: bool
    made: int


class InterpreterPart(Part):
    """A part of `Interpreter`. `line` and `file` are where the reading is; `events` counts what happens to models,
    `changes` what happens to names, lists and objects."""

    line: int
    file: str
    events: int
    changes: int
    idle: int
    raised: list[LayerExplainError]
    faults: list[LayerExplainError]
    unsure: int
    is_notebook: bool
    by_program: bool
    callers: list[Any]

    if TYPE_CHECKING:
        passed: list[Any]
        mutated: list[Any]
        loops: list[int]
        written: list[Any]
        relied: list[Any]
        active: list[Any]
        choosing: list[int]
        rounds: list[list[ast.stmt]]

        def block(self, body: list[ast.stmt], frame: Frame, *, module: bool = False) -> Signal: ...
        def branch(self, taken: list[ast.stmt], other: list[ast.stmt], frame: Frame, assumption: Any) -> Signal: ...
        def followed(self, node: ast.stmt, frame: Frame, handler: Any) -> Signal: ...
