"""Whether a name, or an expression such as `len(words)`, stands for one value wherever a program uses it.

Only then is a missing value a size with a name: `k` of a function that is called with two unknown widths is two sizes.
What is asked here errs on the side of no.
"""

from __future__ import annotations

import ast
import re

from layerexplain.frontends.code.parts import setting_name
from layerexplain.frontends.code.trees import walk

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Loop = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def is_one_value(tree: ast.AST, name: str) -> bool:
    """Return whether a name or an expression, as `--set` writes it, has one value at all places of a program.

    >>> program = "def block(n):\\n    k = n * 2\\n    Dense(k)\\nblock(a)\\n{}"
    >>> [is_one_value(ast.parse(program.format(line)), "k") for line in ("", "block(b)", "for b in c:\\n    block(b)")]
    [True, False, False]
    """
    root = re.match(r"[^\W\d]\w*", re.sub(r"^\w+\((?=\w)", "", name))
    return root is None or not (_changes_between_uses(tree, name, root[0]) or _is_bound_again(tree, root[0]))


# One binding ----------------------------------------------------------------------------------------------------------


def _is_bound_again(tree: ast.AST, root: str) -> bool:
    """Return whether a function in which a name is bound may be called with another value of it."""
    owners: dict[ast.AST, ast.AST] = {}
    for node in walk(tree):
        for child in ast.iter_child_nodes(node):
            owners[child] = node
    functions = [node for node in walk(tree) if isinstance(node, _Function) and _binds(node, root, owners)]
    return any(_differs_by_call(tree, function, root, owners) for function in functions)


def _binds(function: _Function, root: str, owners: dict[ast.AST, ast.AST]) -> bool:
    if root in _parameters(function):
        return True
    targets = (node for node in walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return any(target.id == root and _function_of(target, owners) is function for target in targets)


def _differs_by_call(tree: ast.AST, function: _Function, root: str, owners: dict[ast.AST, ast.AST]) -> bool:
    called = _called_as(function, owners)
    calls = [node for node in walk(tree) if isinstance(node, ast.Call) and called and _last_name(node.func) == called]
    if isinstance(function, ast.Lambda) or any(_is_repeated(call, owners) for call in calls):
        return not calls or not _passes_itself(function, calls, root)
    return len(calls) > 1 and not _passes_itself(function, calls, root)


def _passes_itself(function: _Function, calls: list[ast.Call], root: str) -> bool:
    """Return whether all calls give a parameter the variable of its own name: `Block(args)` in `Net(args)`."""
    parameters = _parameters(function)
    if root not in parameters or root == "self":
        return False
    at = parameters.index(root) - (parameters[:1] == ["self"])
    for call in calls:
        by_name = next((keyword.value for keyword in call.keywords if keyword.arg == root), None)
        value = by_name if by_name is not None else call.args[at] if at < len(call.args) else None
        if not (isinstance(value, ast.Name) and value.id == root):
            return False
    return True


def _called_as(function: _Function, owners: dict[ast.AST, ast.AST]) -> str:
    """Return the name under which a function is called: that of its class for a method."""
    owner = owners.get(function)
    return owner.name if isinstance(owner, ast.ClassDef) else getattr(function, "name", "")


def _is_repeated(node: ast.AST, owners: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a call stands in a loop, or in a function, which may be called several times."""
    while node in owners:
        node = owners[node]
        if isinstance(node, _Loop | _Function):
            return True
    return False


def _function_of(node: ast.AST, owners: dict[ast.AST, ast.AST]) -> ast.AST | None:
    while node in owners and not isinstance(node, _Function):
        node = owners[node]
    return node if isinstance(node, _Function) else None


def _parameters(function: _Function) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


# No change between two uses -------------------------------------------------------------------------------------------


def _changes_between_uses(tree: ast.AST, name: str, root: str) -> bool:
    """Return whether a program may change what a name or an expression stands for between two places where it is used:
    a statement there binds its first name again, deletes from it, or calls it, or something with it, and drops the
    result.

    >>> program = "n = f()\\nDense(n)\\n{}\\nDense(n)"
    >>> [_changes_between_uses(ast.parse(program.format(line)), "n", "n") for line in ("m = n", "n = g()", "n.add(3)")]
    [False, True, True]
    """
    uses = {node.lineno for node in walk(tree) if isinstance(node, ast.expr) and _is_use(node, name)}
    changes = [node for node in walk(tree) if isinstance(node, ast.stmt) and _changes(node, root)]
    if any(min(uses, default=0) < node.lineno < max(uses, default=0) for node in changes):
        return True
    loops = [node for node in walk(tree) if isinstance(node, ast.For | ast.While)]
    around = [loop for loop in loops if any(_stands_in(line, loop) for line in uses)]
    return any(_stands_in(node.lineno, loop) for loop in around for node in changes)


def _stands_in(line: int, node: ast.For | ast.While) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _is_use(node: ast.expr, name: str) -> bool:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    return node.id == name if isinstance(node, ast.Name) else setting_name(node) == name


def _changes(statement: ast.stmt, root: str) -> bool:
    """Return whether a statement may change what a name stands for, or something in it."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call):  # `x.extend(…)`, or `grow(x)`
        called = call.func
        while isinstance(called, ast.Attribute | ast.Subscript):
            called = called.value
        parts = [*call.args, *([called] if called is not call.func else [])]
        return any(isinstance(part, ast.Name) and part.id == root for part in parts)
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign | ast.Delete):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For):
        targets = [statement.target]
    return any(isinstance(node, ast.Name) and node.id == root for target in targets for node in walk(target))
