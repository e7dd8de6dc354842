"""Code that may freeze weights, where a value that is not known decides whether it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from layerexplain.frontends.code.machine.parts import InterpreterPart
from layerexplain.frontends.code.values.base import ProgramValue, Unknown
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import Function, Instance
from layerexplain.frontends.code.values.reading import Frame, children, fits

FLAGS = frozenset(["trainable", "requires_grad"])
"""The attributes that say whether weights are trained."""


class Freezing(InterpreterPart):
    """The part of the interpreter that says where it is not known what is trained."""

    def leave_freezing_open(self, code: Sequence[ast.AST], frame: Frame, why: ProgramValue) -> None:
        """Leave open what is trained, if code may freeze weights of which an unknown value decides whether it runs."""
        if self._freezes(code, frame):
            unknown = why if isinstance(why, Unknown) else self.unknown("an unknown condition")
            self.effects.mark_incomplete(unknown)
            self.leave_trainable_open(unknown)

    def _freezes(self, code: Sequence[ast.AST], frame: Frame) -> bool:
        """Return whether code, or a function that it may call, sets a flag of a layer or a weight."""
        followed: set[int] = set()
        waiting = [(one, frame) for one in code]
        while waiting:
            node, at = waiting.pop()
            self.budget.step()
            if _sets_flag(node):
                return True
            for function in self._functions(node, at):
                if id(function) not in followed:
                    followed.add(id(function))
                    body = function.node.body
                    waiting += [(one, function.frame) for one in (body if isinstance(body, list) else [body])]
            waiting += [(one, at) for one in children(node)]
        return False

    def _functions(self, node: ast.AST, frame: Frame) -> Iterator[Function]:
        """Return the functions of the program that a name, or a method of an object by its name, may stand for."""
        of = node.value if isinstance(node, ast.Attribute) else node
        holder = frame.holder(of.id) if isinstance(of, ast.Name) else None
        if holder is None or not isinstance(of, ast.Name):
            return
        value = holder.names[of.id]
        if isinstance(node, ast.Attribute):
            of_class = value.cls.find(node.attr) if isinstance(value, Instance) else None
            if isinstance(of_class, Function):
                yield of_class
        elif isinstance(value, Function):
            yield value
        elif type(value) in (list, tuple, dict):
            self.budget.look_at(value)
            if fits(value):
                yield from [one for one in each_in(value) if isinstance(one, Function)]


def _sets_flag(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in FLAGS and isinstance(node.ctx, ast.Store)
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        name = node.args[1] if node.func.id == "setattr" and len(node.args) == 3 else None
        return isinstance(name, ast.Constant) and name.value in FLAGS
    values = [*node.args, *[one.value for one in node.keywords]]
    known = all(isinstance(one, ast.Constant) and one.value is True for one in values)
    return isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_" and not known
