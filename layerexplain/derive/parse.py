"""Reads the formula language (docs/formula-language.md): what derive/text.py prints becomes an expression again.

The text goes through Python's `ast`, is held against a whitelist and caps, and then builds nodes: nothing is ever
evaluated. Every refusal is a `FormulaError` (a `ShapeError` where an op finds one) that names the line.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from layerexplain.derive.literals import attribute, is_key, key_part, table_shape
from layerexplain.derive.syntax import assigned_names, checked_tree, refuse
from layerexplain.errors import FormulaError, LayerExplainError
from layerexplain.lang.definition import Definition, call, loop
from layerexplain.lang.expr import LEAVES, OPS, STRUCTURAL, Expr, Op, Shapes, constant, item, named, tensor
from layerexplain.lang.notation import Fraction, Infix, Slice
from layerexplain.ops.composite import COMPOSITES
from layerexplain.ops.opaque import opaque

MOST_NODES = 200_000
"""More expressions than this are not built: calls of calls could make them from a short text."""

Function = Callable[..., Expr]


def parse(source: str, leaves: Mapping[str, Expr], functions: Mapping[str, Function] | None = None) -> dict[str, Expr]:
    """The expressions that a text binds at its top level, by name.

    `leaves` are the tensors that the text may use without binding them: inputs and weights. `functions` are those
    that it may call besides the ops, the composites and its own `def`s. Raises `FormulaError` or `ShapeError`.

    >>> from layerexplain.lang.expr import BATCH, tensor
    >>> x = tensor("x", (BATCH, 3))
    >>> parse("y = 2 * x + 1", {"x": x})["y"].shape
    (n, 3)
    """
    tree = checked_tree(source)
    builder = _Builder(functions or {})
    scope = _Scope(dict(leaves))
    try:
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef):
                builder.define(statement)
            else:
                builder.statement(statement, scope)
    except RecursionError:
        raise FormulaError("calls of `def`s nest too deep", line=1) from None
    return {name: e for name, e in scope.names.items() if name not in leaves}


def redefine(definition: Definition, source: str) -> Definition:
    """The definition with its formula read from a text; name, parameters and weights stay, and the results' names."""
    from layerexplain.derive.names import leaf_names

    functions = {name: _like(node) for name, node in _opaque_nodes(definition).items()}
    bound = parse(source, {name: leaf for leaf, name in leaf_names(definition).items()}, functions)
    missing = [name for name in definition.results if name not in bound]
    if missing:
        raise FormulaError(f"the formula needs to bind '{missing[0]}', a result of {definition.name}", line=1)
    return Definition(
        definition.name,
        definition.params,
        definition.weights,
        {name: bound[name] for name in definition.results},
        kind=definition.kind,
        attrs=definition.attrs,
        scalar=definition.scalar,
        description=definition.description,
    )


def _opaque_nodes(definition: Definition) -> dict[str, Expr]:
    from layerexplain.derive.bodies import inner_definitions, nodes

    definitions = [definition, *inner_definitions(definition)]
    return {node.attrs["name"]: node for d in definitions for node in nodes(d) if node.op is opaque}


def _like(node: Expr) -> Function:
    """A function that we cannot see into, with the attributes of the one that stood there."""
    return lambda *args: opaque(*args, **node.attrs)


class _Scope:
    """The names of one body; `steps` are `x[t]` by the loop's variable and the sequence."""

    def __init__(self, names: dict[str, Expr], steps: Mapping[str, Mapping[Expr, Expr]] | None = None) -> None:
        self.names = names
        self.steps = steps or {}
        self.assigned: set[str] = set()
        self.collected: dict[str, Expr] = {}
        self.variable: str | None = None


class _Builder:
    """Builds the nodes of one text."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        _load_vocabulary()
        self.functions = functions
        self.defined: dict[str, ast.FunctionDef] = {}
        self.traced: dict[Any, Definition] = {}
        self.open: list[str] = []
        self.operators = {op.notation.symbol: op for op in OPS.values() if isinstance(op.notation, Infix | Fraction)}
        self.count = 0

    # Statements ---------------------------------------------------------------------------------------------------

    def define(self, node: ast.FunctionDef) -> None:
        """Remember a `def`; it is traced when it is called, for the shapes of that call."""
        if node.name in self.defined:
            raise refuse(node, f"'{node.name}' is defined twice; give each def a name of its own")
        self.defined[node.name] = node

    def statement(self, node: ast.stmt, scope: _Scope) -> None:
        if isinstance(node, ast.For):
            self.loop(node, scope)
            return
        assignment = cast(ast.Assign, node)  # checked_tree lets nothing else through
        (target,) = assignment.targets
        source = assignment.value
        if isinstance(target, ast.Tuple):
            self._unpack(target, source, scope)
        elif isinstance(target, ast.Subscript):
            self._collect(target, source, scope)
        elif isinstance(target, ast.Name):
            value = self.expr(source, scope)
            fresh = not isinstance(source, ast.Name) and value.op not in LEAVES
            self._bind(target, value, scope, label=fresh)

    def _bind(self, target: ast.Name, value: Expr, scope: _Scope, *, label: bool) -> None:
        name = target.id
        if name in scope.assigned:
            raise refuse(target, f"'{name}' is bound twice; only a loop may give a name a new value, once a step")
        if name in scope.names and scope.variable is None:
            raise refuse(target, f"'{name}' is bound already; give this value a name of its own")
        scope.assigned.add(name)
        scope.names[name] = named(name, value) if label else value

    def _unpack(self, target: ast.Tuple, source: ast.expr, scope: _Scope) -> None:
        names = [e for e in target.elts if isinstance(e, ast.Name)]
        if not isinstance(source, ast.Call):
            raise refuse(source, f"{len(names)} names need a call with {len(names)} results, such as split(x, n=2)")
        value = self.call(source, scope, results=len(names))
        count = len(value.shape) if type(value.shape) is Shapes else 1
        if count != len(names):
            raise refuse(target, f"{len(names)} names need {len(names)} results, got {count}")
        for i, name in enumerate(names):
            if name.id != "_":
                self._bind(name, item(value, i), scope, label=True)

    def _collect(self, target: ast.Subscript, source: ast.expr, scope: _Scope) -> None:
        name = target.value.id if isinstance(target.value, ast.Name) else ""
        variable = target.slice.id if isinstance(target.slice, ast.Name) else ""
        if scope.variable is None or variable != scope.variable:
            wanted = "inside a loop" if scope.variable is None else f"with '{name}[{scope.variable}] = …'"
            raise refuse(target, f"a sequence is collected {wanted}, got '{ast.unparse(target)} = …'")
        if name in scope.names or name in scope.collected:
            raise refuse(target, f"'{name}' is bound already; collect into a name of its own")
        scope.collected[name] = self.expr(source, scope)

    def loop(self, node: ast.For, scope: _Scope) -> None:
        """`for t in steps(x, …):` names bound before and assigned inside are states."""
        variable = cast(ast.Name, node.target).id
        arguments = cast(ast.Call, node.iter).args
        if variable in scope.names or variable in scope.steps:
            raise refuse(node.target, f"'{variable}' is bound already; give the loop's variable a name of its own")
        over = [self.expr(a, scope) for a in arguments]
        for sequence, argument in zip(over, arguments, strict=True):
            if sequence.ndim < 2:
                raise refuse(argument, f"steps() needs tensors with a batch and steps, got {ast.unparse(argument)}")
        inside, collected = assigned_names(node.body)
        states = {name: scope.names[name] for name in scope.names if name in inside}
        for name, first in states.items():
            if first.label == name and first.op not in LEAVES:
                # It is the state's first value and needs no statement beside the state's own.
                first.label = None
        if not states and not collected:
            raise refuse(node, "a loop needs a state (bound before it, assigned in it) or a sequence to collect")

        def step(*values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
            before = values[len(over) :]
            steps = {**scope.steps, variable: dict(zip(over, values, strict=False))}
            inner = _Scope({**scope.names, **dict(zip(states, before, strict=True))}, steps)
            inner.variable = variable
            for statement in node.body:
                self.statement(statement, inner)
            return [inner.names[name] for name in states], inner.collected

        run = self._guarded(node, "steps", lambda: loop(step, over, states))
        names = [*states, *collected]
        for i, name in enumerate(names):
            scope.names[name] = run if len(names) == 1 else item(run, i)
            if scope.variable is not None:
                scope.assigned.add(name)

    # Expressions --------------------------------------------------------------------------------------------------

    def expr(self, node: ast.expr, scope: _Scope) -> Expr:
        """One tensor."""
        value = self._expr(node, scope)
        if type(value.shape) is Shapes:
            raise refuse(node, f"this has {len(value.shape)} results; take them apart first: a, b = …")
        return value

    def _expr(self, node: ast.expr, scope: _Scope) -> Expr:
        self.count += 1
        if self.count > MOST_NODES:
            raise refuse(node, f"the formula makes more than {MOST_NODES} expressions")
        if isinstance(node, ast.Name):
            return self._name(node, scope)
        if isinstance(node, ast.Constant | ast.Tuple):
            return self._number(node)
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.operand, ast.Constant):
                return self._number(node)
            operand = self.expr(node.operand, scope)
            return self._guarded(node, "-", lambda: -operand)
        if isinstance(node, ast.BinOp):
            return self._operator(node, SYMBOLS[type(node.op)], node.left, node.right, scope)
        if isinstance(node, ast.Compare):
            return self._operator(node, SYMBOLS[type(node.ops[0])], node.left, node.comparators[0], scope)
        if isinstance(node, ast.Call):
            return self.call(node, scope)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, scope)
        raise refuse(node, f"'{ast.unparse(node)}' is no tensor; tensors are names, numbers, calls and their sums")

    def _name(self, node: ast.Name, scope: _Scope) -> Expr:
        found = scope.names.get(node.id)
        if found is not None:
            return found
        if node.id in scope.steps:
            raise refuse(node, f"'{node.id}' counts the steps; it stands in square brackets only: x[{node.id}]")
        if node.id == "n":
            raise refuse(node, "'n' is the size of the batch; it stands in shapes only: shape=(n, 6)")
        from layerexplain.layers.arguments import did_you_mean

        raise refuse(node, f"nothing is called '{node.id}' here{did_you_mean(node.id, list(scope.names))}")

    def _number(self, node: ast.expr) -> Expr:
        value = attribute(node)
        if table_shape(value) is None:
            text = ast.unparse(node)
            raise refuse(node, f"'{text}' is neither a tensor nor a number, nor rows of as many numbers each")
        return constant(value)

    def _operator(self, node: ast.expr, symbol: str, left: ast.expr, right: ast.expr, scope: _Scope) -> Expr:
        op = self.operators[symbol]
        a, b = self.expr(left, scope), self.expr(right, scope)
        return self._guarded(node, symbol, lambda: op(a, b))

    def _subscript(self, node: ast.Subscript, scope: _Scope) -> Expr:
        base = self.expr(node.value, scope)
        key = node.slice
        if isinstance(key, ast.Name) and key.id in scope.steps:
            step = scope.steps[key.id].get(base)
            if step is None:
                name = ast.unparse(node.value)
                raise refuse(node, f"'{name}' has no steps '{key.id}'; list it in that loop: steps(…, {name})")
            return step
        parts = key.elts if isinstance(key, ast.Tuple) else [key]
        if isinstance(key, ast.Tuple) or is_key(key):
            made = tuple(key_part(part) for part in parts)
            return self._guarded(node, "[]", lambda: OPS["slice"](base, key=made))
        ids = self.expr(key, scope)
        return self._guarded(node, "[]", lambda: OPS["take"](base, ids))

    def call(self, node: ast.Call, scope: _Scope, results: int = 1) -> Expr:
        """A call of a `def`, a given function, a composite or an op."""
        name = cast(ast.Name, node.func).id
        attrs = {str(k.arg): attribute(k.value) for k in node.keywords}
        args = [self.expr(a, scope) for a in node.args]
        if name in self.defined:
            return self._call_definition(node, name, args, attrs)
        function: Any = self.functions.get(name) or COMPOSITES.get(name) or callable_op(name)
        if function is None:
            from layerexplain.layers.arguments import did_you_mean

            known = [*self.defined, *self.functions, *COMPOSITES, *OPS]
            raise refuse(node, f"there is no function '{name}'{did_you_mean(name, known)}")
        if name == "split" and attrs.get("n") != results:
            raise refuse(node, f"split(…, n={attrs.get('n')}) needs as many names on its left, got {results}")
        return self._guarded(node, name, lambda: function(*args, **attrs))

    def _call_definition(self, node: ast.Call, name: str, args: list[Expr], attrs: Mapping[str, Any]) -> Expr:
        inner = self.defined[name]
        params = inner.args.args
        if attrs or len(args) != len(params):
            listed = ", ".join(p.arg for p in params)
            raise refuse(node, f"{name}({listed}) takes {len(params)} tensors, got '{ast.unparse(node)}'")
        if name in self.open:
            raise refuse(node, f"'{name}' calls itself; a formula has no recursion")
        key = (name, *[(a.shape, a.dtype) for a in args])
        definition = self.traced.get(key)
        if definition is None:
            self.open.append(name)
            definition = self.traced[key] = self._trace(inner, args)
            self.open.pop()
        return call(definition, *args)

    def _trace(self, node: ast.FunctionDef, args: Sequence[Expr]) -> Definition:
        params = [tensor(p.arg, a.shape, a.dtype) for p, a in zip(node.args.args, args, strict=True)]
        scope = _Scope({str(p.label): p for p in params})
        *statements, last = node.body
        for statement in statements:
            self.statement(statement, scope)
        value = cast(ast.expr, cast(ast.Return, last).value)
        returned = value.elts if isinstance(value, ast.Tuple) else [value]
        results: dict[str, Expr] = {}
        for part in returned:
            name = stem = part.id if isinstance(part, ast.Name) else "y"
            while name in results:
                name = f"{stem}_{len(results) + 1}"
            results[name] = self.expr(part, scope)
        return Definition(node.name, tuple(params), (), results)

    def _guarded(self, node: ast.AST, name: str, make: Callable[[], Expr]) -> Expr:
        """What an op refuses is the text's fault, and the line is told."""
        try:
            return make()
        except LayerExplainError as error:
            raise error.with_place(line=getattr(node, "lineno", None)) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise refuse(node, f"{name} cannot take these arguments: {error}") from None


SYMBOLS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
"""The operators of the language."""


def callable_op(name: str) -> Op | None:
    """The op that is written as a function of this name; leaves, loops and slices have a notation of their own."""
    op = OPS.get(name)
    if op is None or op.evaluate is STRUCTURAL or op is opaque or isinstance(op.notation, Slice):
        return None
    return op


def _load_vocabulary() -> None:
    """Import every module of ops/, so that all ops and composites are known by name."""
    from layerexplain import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
