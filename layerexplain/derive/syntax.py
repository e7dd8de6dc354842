"""The grammar of the formula language: Python's `ast` held against a whitelist, with caps on length, depth and size.

After `checked_tree` a text holds nothing but the statements and expressions of the language, nested so little that
whoever walks it may recurse.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import Any

from layerexplain.errors import FormulaError

LONGEST = 1_000_000
"""Characters of a text."""
DEEPEST = 100
"""Levels of brackets, operators and blocks within each other."""
LARGEST = 200_000
"""Nodes of the syntax tree."""

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub)
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
CONTEXTS = (ast.Load, ast.Store)

WORDS: dict[type[ast.AST], str] = {
    ast.Attribute: "attribute access",
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.Lambda: "lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment within an expression",
    ast.Starred: "a starred expression",
    ast.AugAssign: "an assignment such as `+=`",
    ast.AnnAssign: "an annotation",
    ast.While: "while",
    ast.If: "if",
    ast.IfExp: "if … else",
    ast.BoolOp: "and/or",
    ast.ClassDef: "class",
    ast.Expr: "an expression whose value has no name",
    ast.List: "a list",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.AsyncFunctionDef: "async",
    ast.AsyncFor: "async",
    ast.Await: "await",
    ast.MatMult: "the operator @",
    ast.Not: "not",
}
"""What a refused construct is called; the others go by the name of their syntax node."""


def refuse(node: ast.AST, fact: str) -> FormulaError:
    """The error for a place in the text."""
    return FormulaError(fact, line=getattr(node, "lineno", None))


def checked_tree(source: str) -> ast.Module:
    """The syntax tree of a text that keeps to the language. Raises `FormulaError` with the line."""
    if len(source) > LONGEST:
        line = source.count("\n", 0, LONGEST) + 1
        raise FormulaError(f"a formula needs at most {LONGEST} characters, got {len(source)}", line=line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(source)
    except SyntaxError as error:
        raise FormulaError(f"this is no formula: {error.msg}", line=error.lineno or 1) from None
    except (RecursionError, MemoryError):
        raise FormulaError(_too_deep(), line=_line_that_fails(source)) from None
    except ValueError as error:  # null bytes, lone surrogates, numbers of too many digits
        raise FormulaError(f"this is no formula: {error}", line=_line_that_fails(source)) from None
    _check(tree)
    return tree


def _too_deep() -> str:
    return f"the formula nests deeper than {DEEPEST} levels; give its parts names"


def _line_that_fails(source: str) -> int:
    for number, line in enumerate(source.splitlines(), start=1):
        try:
            ast.parse(line.strip())
        except SyntaxError:
            continue
        except (RecursionError, MemoryError, ValueError):
            return number
    return 1


def _check(tree: ast.Module) -> None:
    """Hold every node against the whitelist, iteratively."""
    pending: list[tuple[ast.AST, int]] = [(statement, 1) for statement in reversed(tree.body)]
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.For | ast.FunctionDef):
            raise refuse(statement, _not_a_part(statement))
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > DEEPEST:
            raise refuse(node, _too_deep())
        if count > LARGEST:
            raise refuse(node, f"the formula has more than {LARGEST} parts")
        _check_node(node)
        line = getattr(node, "lineno", None)
        for child in reversed(list(ast.iter_child_nodes(node))):
            if line is not None and not hasattr(child, "lineno"):
                child.lineno = line  # type: ignore[attr-defined]
            pending.append((child, depth + 1))


def _not_a_part(node: ast.AST) -> str:
    words = WORDS.get(type(node), f"'{type(node).__name__}'")
    return f"{words} is no part of the formula language; it has assignments, calls, operators, for and def"


def _check_node(node: ast.AST) -> None:
    kind = type(node)
    if kind in OPERATORS or kind in COMPARISONS or kind in CONTEXTS or kind in (ast.Tuple, ast.Slice, ast.BinOp):
        return
    check = CHECKS.get(kind)
    if check is None:
        raise refuse(node, _not_a_part(node))
    check(node)


def _identifier(node: ast.AST, name: str) -> None:
    if "__" in name:
        raise refuse(node, f"a name needs to be without '__', got '{name}'")


def _name(node: ast.Name) -> None:
    _identifier(node, node.id)
    if isinstance(node.ctx, ast.Store) and node.id in ("n", "steps"):
        words = "the size of the batch" if node.id == "n" else "what loops go over"
        raise refuse(node, f"'{node.id}' is {words} and cannot be bound; take another name")


def _constant(node: ast.Constant) -> None:
    if not isinstance(node.value, int | float | str | None | type(Ellipsis)):
        kind = type(node.value).__name__
        raise refuse(node, f"{kind} is no part of the formula language; it has numbers and texts")


def _unary(node: ast.UnaryOp) -> None:
    if not isinstance(node.op, ast.USub):
        raise refuse(node, _not_a_part(node.op) if type(node.op) in WORDS else "only - stands before a tensor")


def _compare(node: ast.Compare) -> None:
    if len(node.ops) != 1 or not isinstance(node.ops[0], COMPARISONS):
        raise refuse(node, "a comparison needs two sides and one of == != < <= > >=")


def _call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name):
        raise refuse(node, _not_a_part(node.func) if type(node.func) in WORDS else "only a name can be called")
    if node.func.id == "steps":
        raise refuse(node, "steps(…) stands in a loop only: for t in steps(x):")
    names = [k.arg for k in node.keywords]
    if None in names or len(set(names)) != len(names):
        raise refuse(node, "keywords need a name each, and each name once")


def _subscript(node: ast.Subscript) -> None:
    if isinstance(node.slice, ast.Tuple) and not node.slice.elts:
        raise refuse(node, "square brackets need something in them")


def _keyword(node: ast.keyword) -> None:
    _identifier(node, str(node.arg))


def _assign(node: ast.Assign) -> None:
    target = node.targets[0]
    if len(node.targets) != 1:
        raise refuse(node, "an assignment binds once; write a line for each name")
    if isinstance(target, ast.Tuple) and all(isinstance(e, ast.Name) for e in target.elts) and target.elts:
        return
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and isinstance(target.slice, ast.Name):
        return
    if not isinstance(target, ast.Name):
        raise refuse(node, "only a name, names, or a sequence being collected (y[t]) can be assigned")


def _for(node: ast.For) -> None:
    over = node.iter
    if not isinstance(node.target, ast.Name) or node.orelse or not isinstance(over, ast.Call):
        raise refuse(node, THE_LOOP)
    if not isinstance(over.func, ast.Name) or over.func.id != "steps":
        raise refuse(node, THE_LOOP)
    if not over.args or over.keywords:
        raise refuse(node, "steps() needs one or more tensors and nothing else")
    _block(node.body, "a loop")
    # Checked here, so that everywhere else a call of steps is refused.
    over.func.id = "steps of a loop"


THE_LOOP = "the one loop of the language is: for t in steps(x, …):"


def _def(node: ast.FunctionDef) -> None:
    _identifier(node, node.name)
    a = node.args
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults or node.decorator_list or node.returns:
        raise refuse(node, "a def takes plain parameters: def f(x, W):")
    names = [p.arg for p in a.args]
    for parameter in a.args:
        _identifier(parameter, parameter.arg)
        if parameter.annotation is not None or parameter.arg in ("n", "steps"):
            raise refuse(parameter, f"a parameter is a plain name other than n and steps, got '{parameter.arg}'")
    if len(set(names)) != len(names):
        raise refuse(node, "each parameter needs a name of its own")
    *statements, last = node.body
    _block(statements, "a def")
    if not isinstance(last, ast.Return) or last.value is None:
        raise refuse(last, "a def ends with: return y")


def _block(statements: list[ast.stmt], where: str) -> None:
    for statement in statements:
        if not isinstance(statement, ast.Assign | ast.For):
            words = WORDS.get(type(statement), f"'{type(statement).__name__}'")
            raise refuse(statement, f"{where} holds assignments and loops only, got {words}")


def _nothing(node: ast.AST) -> None:
    """Checked with what holds it."""


CHECKS: dict[type[ast.AST], Callable[[Any], None]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.keyword: _keyword,
    ast.Assign: _assign,
    ast.For: _for,
    ast.FunctionDef: _def,
    ast.arguments: _nothing,
    ast.arg: _nothing,
    ast.Return: _nothing,
}


def assigned_names(statements: list[ast.stmt]) -> tuple[set[str], list[str]]:
    """The names that a loop's body assigns, those of inner loops included; and the sequences that it collects."""
    names: set[str] = set()
    collected: list[str] = []
    for statement in statements:
        if isinstance(statement, ast.For):
            inner, inner_collected = assigned_names(statement.body)
            names |= inner | set(inner_collected)
            continue
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            names |= {p.id for p in parts if isinstance(p, ast.Name)}
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                collected.append(target.value.id)
    return names, collected
