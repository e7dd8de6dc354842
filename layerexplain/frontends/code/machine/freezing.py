"""Code that may freeze weights, where a value that is not known decides whether it runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from layerexplain.frontends.code.machine.effects import Mark
from layerexplain.frontends.code.machine.parts import InterpreterPart
from layerexplain.frontends.code.values.base import Arguments, ProgramValue, Symbol, Unknown, UnknownMember, Value
from layerexplain.frontends.code.values.operators import each_in, is_plain
from layerexplain.frontends.code.values.program import Bound, Function, Instance, layer_of
from layerexplain.frontends.code.values.reading import Frame, children, fits, kept_with_tree, walk

FLAGS = frozenset(["trainable", "requires_grad"])
"""The attributes that say whether weights are trained."""


_FREEZES = re.compile("freez|frozen|trainab|requires_?grad|_lora|peft", re.IGNORECASE)
_INITIALIZES = re.compile("init|weight|reset|xavier|kaiming|normal", re.IGNORECASE)
"""What functions are called that freeze a model, and those that set the initial values of its weights."""


class Freezing(InterpreterPart):
    """The part of the interpreter that says where it is not known what is trained."""

    def leave_freezing_open(self, code: Sequence[ast.AST], frame: Frame, why: ProgramValue) -> None:
        """Leave open what is trained, if code may freeze weights of which an unknown value decides whether it runs."""
        if self._freezes(code, frame):
            unknown = why if isinstance(why, Unknown) else self.unknown("an unknown condition")
            self.effects.mark_incomplete(unknown)
            self.leave_trainable_open(unknown)

    def leave_hidden_freezing_open(self, function: ProgramValue, given: Arguments) -> None:
        """Leave open what is trained, if a call changes a model under an unknown name, `setattr(net, U, False)`
        and `getattr(net, U)(False)`, or gives one to what is not read and freezes by its name: `lib.freeze(net)`."""
        if isinstance(function, Symbol) and function.path == "builtins.setattr" and len(given) == 3:
            of, name, value = given
            name = name.operand(self) if isinstance(name, Symbol) else name
            unknown = name if isinstance(name, Unknown) and _is_of_model(of) else None
        elif isinstance(function, UnknownMember) and len(given) == 1:
            unknown, value = function, given[0]
        elif (name := self._freezing_name(function, given)) is not None:
            unknown, value = self.unknown(f"what {name}(…) freezes"), False
        else:
            return
        if unknown is not None and (value is False or value == 0 or isinstance(value, Unknown)):
            self.effects.mark_incomplete(unknown)
            self.leave_trainable_open(unknown)

    def _freezing_name(self, function: ProgramValue, given: Arguments) -> str | None:
        """Return the name of a function that is not read and may freeze weights of a model that it is given. One that
        `apply` is given changes each module; most set initial values."""
        applies = isinstance(function, Bound) and function.function == "apply" and _is_of_model(function.object)
        function = given[0] if applies and given else function
        name = (function.name or "a function") if isinstance(function, Unknown) else None
        if isinstance(function, Symbol) and function.path.partition(".")[0] not in self.libraries:
            name = function.path
        if name is None or not _FREEZES.search(name):
            return name if name is not None and applies and not _INITIALIZES.search(name) else None
        parts = [item if type(item) in (list, tuple) else self.items(item) for item in given if not is_plain(item)]
        listed = [item for part in parts if isinstance(part, list | tuple) for item in part]
        return name if applies or any(map(_is_of_model, [*given, *listed])) else None

    def has_frozen(self, mark: Mark, before: int | None = None) -> bool:
        """Return whether layers or weights may have been frozen from a mark on: those made `before` a moment that
        `creation_counter` counts, or all."""
        since = self.effects.since(mark)
        weights: list[int] = [
            getattr(of, "created_at", 0)
            for of, name in since.changed_attributes
            if name in FLAGS and isinstance(of, Value) and of.get_attribute(self, name) is not True
        ]
        moments = [*[layer.created_at for layer in since.changed_layers], *weights]
        return any([before is None or number < before for number in moments])

    def _freezes(self, code: Sequence[ast.AST], frame: Frame) -> bool:
        """Return whether code, or a function that it may call, sets a flag of a layer or a weight."""
        if not self.imported and self.program is not None and not _has_flag(self.program.tree):
            return False
        followed: set[int] = set()
        waiting = [(child, frame) for child in code]
        while waiting:
            node, at = waiting.pop()
            self.budget.step()
            if _sets_flag(node) or self._may_be_method(node, at):
                return True
            for function in self._functions(node, at):
                if id(function) not in followed:
                    followed.add(id(function))
                    body = function.node.body
                    waiting += [(item, function.frame) for item in (body if isinstance(body, list) else [body])]
            if isinstance(node, ast.Call) and _unfreezes(node):
                waiting.append((node.func.value, at))  # type: ignore[attr-defined]  # it is a method
            else:
                waiting += [(child, at) for child in children(node)]
        return False

    def _may_be_method(self, node: ast.AST, frame: Frame) -> bool:
        """Return whether a name stands for methods that freeze weights: `{"x": net.requires_grad_}`."""
        holder = frame.holder(node.id) if isinstance(node, ast.Name) else None
        value = holder.names[node.id] if holder is not None and isinstance(node, ast.Name) else None
        some = each_in(value) if type(value) in (list, tuple, dict) and fits(value) else [value]
        return any(isinstance(item, Bound) and item.function == "requires_grad_" for item in some)

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
                yield from [item for item in each_in(value) if isinstance(item, Function)]


@kept_with_tree
def _has_flag(tree: ast.Module) -> bool:
    """Return whether a program has a name with which it may freeze weights, anywhere."""
    words = [getattr(node, "attr", getattr(node, "value", None)) for node in walk(tree)
             if isinstance(node, ast.Attribute | ast.Constant)]  # fmt: skip
    return any(isinstance(word, str) and word in (*FLAGS, "requires_grad_") for word in words)


def _sets_flag(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "requires_grad_" or (node.attr in FLAGS and isinstance(node.ctx, ast.Store))
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    name = node.args[1] if node.func.id == "setattr" and len(node.args) == 3 else None
    return isinstance(name, ast.Constant) and name.value in FLAGS


def _unfreezes(node: ast.Call) -> bool:
    """Return whether a call is `x.requires_grad_(True)`."""
    values = [*node.args, *[keyword.value for keyword in node.keywords]]
    known = all(isinstance(value, ast.Constant) and value.value is True for value in values)
    return isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_" and known


def _is_of_model(value: ProgramValue) -> bool:
    kinds = Symbol("torch.nn.Module"), Symbol("torch.nn.Parameter")
    return layer_of(value) is not None or (isinstance(value, Value) and any(value.is_instance(kind) for kind in kinds))
