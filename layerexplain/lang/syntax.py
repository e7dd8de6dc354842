"""The grammar of the formula language: Python's syntax restricted by a whitelist and by limits on length and depth.

A tree that passes `checked_tree` contains only statements and expressions of the language, and is shallow enough for
recursive functions.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from layerexplain.errors import NO_FILE, FormulaError

if TYPE_CHECKING:
    import ast as ast
else:
    import _ast as ast  # only the node classes: formulas are parsed at start-up, where the whole module costs 2 ms

LONGEST = 1_000_000
"""Limit on the characters of a text."""
DEEPEST = 100
"""Limit on nested brackets, operators and blocks."""
LARGEST = 200_000
"""Limit on the nodes of the syntax tree."""

TOP_LEVEL = (ast.Assign, ast.For, ast.FunctionDef)
OPERATORS: dict[type[ast.AST], tuple[str, str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", "add", operator.add),
    ast.Sub: ("-", "subtract", operator.sub),
    ast.Mult: ("*", "multiply", operator.mul),
    ast.Div: ("/", "divide", operator.truediv),
    ast.FloorDiv: ("//", "floor_divide", operator.floordiv),
    ast.Mod: ("%", "mod", operator.mod),
    ast.Pow: ("**", "power", operator.pow),
}
COMPARISONS: dict[type[ast.AST], tuple[str, str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", "equal", operator.eq),
    ast.NotEq: ("!=", "not_equal", operator.ne),
    ast.Lt: ("<", "less", operator.lt),
    ast.LtE: ("<=", "less_equal", operator.le),
    ast.Gt: (">", "greater", operator.gt),
    ast.GtE: (">=", "greater_equal", operator.ge),
}
"""The operators of the language: the symbol, the name of the op, and what Python makes of two numbers."""
CHECKED_ABOVE = (ast.arguments, ast.arg, ast.Return)
"""Parts of a `def`, checked together with it."""
UNCHECKED = frozenset(
    {*OPERATORS, *COMPARISONS, *CHECKED_ABOVE, ast.USub, ast.Load, ast.Store, ast.Tuple, ast.Slice, ast.BinOp}
)
"""Nodes that are allowed wherever Python's syntax allows them."""

CHOICES = frozenset({ast.IfExp, ast.BoolOp, ast.And, ast.Or, ast.Not, ast.Is, ast.IsNot})
"""What the formula of a custom layer has besides: `a if condition else b`, decided by arguments when it is traced."""

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
"""Names of refused constructs in messages; other constructs are named by their syntax node."""


def refuse(node: ast.AST, fact: str) -> FormulaError:
    """Return an error at the line of a node."""
    return FormulaError(fact, line=getattr(node, "lineno", None))


def checked_tree(source: str, *, choices: bool = False) -> ast.Module:
    """Return the syntax tree of a text in the language. Raises `FormulaError`, with the line, for any other text.

    With `choices`, a text may choose between expressions by the arguments of a layer (`CHOICES`).
    """
    tree: ast.Module = _tree(source, "exec")
    for statement in tree.body:
        if not isinstance(statement, TOP_LEVEL):
            raise refuse(statement, _not_a_part(statement))
    _check(tree.body, UNCHECKED | CHOICES if choices else UNCHECKED)
    return tree


def checked_expression(source: str, *, choices: bool = False) -> ast.expr:
    """Return the syntax tree of one expression of the language, `dot(x, W) + b`; with `choices` it may be a condition.
    Raises `FormulaError`."""
    tree: ast.Expression = _tree(source, "eval")
    _check([tree.body], UNCHECKED | CHOICES if choices else UNCHECKED)
    return tree.body


def _tree(source: str, mode: str) -> Any:
    if len(source) > LONGEST:
        line = source.count("\n", 0, LONGEST) + 1
        raise FormulaError(f"a formula needs at most {LONGEST} characters, got {len(source)}", line=line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return compile(source, NO_FILE, mode, ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        raise FormulaError(f"not a valid formula: {error.msg}", line=error.lineno or 1) from None
    except (RecursionError, MemoryError):
        raise FormulaError(_too_deep(), line=_line_that_fails(source)) from None
    except ValueError as error:  # null bytes, lone surrogates, numbers of too many digits
        raise FormulaError(f"not a valid formula: {error}", line=_line_that_fails(source)) from None


def _too_deep() -> str:
    return f"the formula nests deeper than {DEEPEST} levels; name its parts in statements of their own"


def _line_that_fails(source: str) -> int:
    for number, line in enumerate(source.splitlines(), start=1):
        try:
            compile(line.strip(), NO_FILE, "exec", ast.PyCF_ONLY_AST)
        except SyntaxError:
            continue
        except (RecursionError, MemoryError, ValueError):
            return number
    return 1


def _check(roots: list[Any], allowed: frozenset[type[ast.AST]]) -> None:
    """Compare every node with the whitelist, iteratively. What is `allowed` needs no check of its own."""
    pending: list[tuple[ast.AST, int, int | None]] = [(root, 1, None) for root in reversed(roots)]
    count = 0
    while pending:
        node, depth, line = pending.pop()
        line = getattr(node, "lineno", line)
        count += 1
        if depth > DEEPEST:
            raise FormulaError(_too_deep(), line=line)
        if count > LARGEST:
            raise FormulaError(f"the formula has more than {LARGEST} parts", line=line)
        kind = type(node)
        if kind not in allowed:
            check = (CHECKS_OF_CHOICES if allowed > CHOICES else CHECKS).get(kind)
            if check is None:
                raise FormulaError(_not_a_part(node), line=line)
            check(node)
        if node._fields:
            pending += [(child, depth + 1, line) for child in reversed(list(_children(node)))]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.For):  # the call of steps was checked with the loop; everywhere else it is refused
        yield node.target
        yield from cast("ast.Call", node.iter).args
        yield from node.body
    else:
        yield from parts_of(node)


def parts_of(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes directly below one."""
    for field in node._fields:
        value = getattr(node, field, None)
        yield from [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)]


def _not_a_part(node: ast.AST) -> str:
    words = WORDS.get(type(node), f"'{type(node).__name__}'")
    return f"{words} is not part of the formula language, which has assignments, calls, operators, for and def"


def _identifier(node: ast.AST, name: str) -> None:
    if "__" in name:
        raise refuse(node, f"a name must not contain '__', got '{name}'")


def _name(node: ast.Name) -> None:
    _identifier(node, node.id)
    if isinstance(node.ctx, ast.Store) and node.id in ("n", *LOOPS):
        words = "the size of the batch" if node.id == "n" else "the function that loops run over"
        raise refuse(node, f"'{node.id}' is {words} and cannot be assigned; use another name")


def _constant(node: ast.Constant) -> None:
    if not isinstance(node.value, (int, float, str, type(None), type(Ellipsis))):
        kind = type(node.value).__name__
        raise refuse(node, f"{kind} is not part of the formula language, which has numbers and texts")


def _unary(node: ast.UnaryOp) -> None:
    if not isinstance(node.op, ast.USub):
        raise refuse(
            node, _not_a_part(node.op) if type(node.op) in WORDS else "the only prefix operator of a tensor is -"
        )


def _compare(node: ast.Compare) -> None:
    if len(node.ops) != 1 or type(node.ops[0]) not in COMPARISONS:
        raise refuse(node, "a comparison needs two sides and one of == != < <= > >=")


def _call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name):
        raise refuse(node, _not_a_part(node.func) if type(node.func) in WORDS else "only a name can be called")
    if node.func.id in LOOPS:
        raise refuse(node, f"{node.func.id}(…) can be used only in a loop header: for t in {node.func.id}(x):")
    names = [k.arg for k in node.keywords]
    if None in names or len(set(names)) != len(names):
        raise refuse(node, "each keyword argument needs a name, and each name may be given once")


def _subscript(node: ast.Subscript) -> None:
    if isinstance(node.slice, ast.Tuple) and not node.slice.elts:
        raise refuse(node, "square brackets need an index")


def _assign(node: ast.Assign) -> None:
    target = node.targets[0]
    if len(node.targets) != 1:
        raise refuse(node, "an assignment has one target; write one line for each name")
    if isinstance(target, ast.Tuple) and all(isinstance(e, ast.Name) for e in target.elts) and target.elts:
        return
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and isinstance(target.slice, ast.Name):
        return
    if not isinstance(target, ast.Name):
        raise refuse(node, "the target of an assignment must be a name, several names, or a collected sequence (y[t])")


def _for(node: ast.For) -> None:
    over = node.iter
    if not isinstance(node.target, ast.Name) or node.orelse or not isinstance(over, ast.Call):
        raise refuse(node, THE_LOOP)
    if not isinstance(over.func, ast.Name) or over.func.id not in LOOPS:
        raise refuse(node, THE_LOOP)
    if not over.args or over.keywords:
        raise refuse(node, f"{over.func.id}() takes one or more tensors and no keyword arguments")
    _block(node.body, "a loop")


LOOPS = ("steps", "reversed_steps")
"""What a loop runs over: the steps of tensors, from the first or from the last."""

THE_LOOP = "the only loop of the language is: for t in steps(x, …):"


def _def(node: ast.FunctionDef) -> None:
    _identifier(node, node.name)
    a = node.args
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults or node.decorator_list or node.returns:
        raise refuse(node, "a def takes plain parameters only: def f(x, W):")
    names = [p.arg for p in a.args]
    for parameter in a.args:
        _identifier(parameter, parameter.arg)
        if parameter.annotation is not None or parameter.arg in ("n", *LOOPS):
            raise refuse(parameter, f"a parameter must be a plain name other than n and steps, got '{parameter.arg}'")
    if len(set(names)) != len(names):
        raise refuse(node, "parameter names must be different")
    *statements, last = node.body
    _block(statements, "a def")
    if not isinstance(last, ast.Return) or last.value is None:
        raise refuse(last, "a def must end with: return y")


def _block(statements: list[ast.stmt], where: str) -> None:
    for statement in statements:
        if not isinstance(statement, (ast.Assign, ast.For)):
            words = WORDS.get(type(statement), f"'{type(statement).__name__}'")
            raise refuse(statement, f"{where} can contain only assignments and loops, got {words}")


CHECKS: dict[type[ast.AST], Callable[[Any], None]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.keyword: lambda node: _identifier(node, str(node.arg)),
    ast.Assign: _assign,
    ast.For: _for,
    ast.FunctionDef: _def,
}


CHECKS_OF_CHOICES: dict[type[ast.AST], Callable[[Any], None]] = {
    **CHECKS,
    ast.UnaryOp: lambda node: None,  # the sign is a node of its own, and is checked as such
    ast.Compare: lambda node: None if len(node.ops) == 1 else _compare(node),
}


def assigned_names(statements: Sequence[ast.stmt]) -> tuple[set[str], list[str]]:
    """Return the names that a loop's body and its inner loops assign, and the sequences that the body collects."""
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


def source_of(node: ast.AST) -> str:
    """Return the source text of a node, for a message."""
    import ast

    return ast.unparse(node)
