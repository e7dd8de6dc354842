"""Read the formula language (docs/internals/formula-language.md): text of lang/text.py → expressions.

Python's parser reads the text, lang/syntax.py checks the tree against a whitelist and size limits, and the builder
makes nodes: no code is executed. A refused text raises a `FormulaError`, or the `ShapeError` of an op, with the line.

A text can call the ops and composites whose modules are loaded. A module that parses its own formulas imports the ops
that it needs; `layerexplain.ops.load_all` loads all of them for texts of users.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from layerexplain.errors import FormulaError, LayerExplainError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition, call, loop
from layerexplain.lang.expr import LEAVES, OPS, STRUCTURAL, Expr, Op, constant, item, named, tensor
from layerexplain.lang.notation import Slice
from layerexplain.lang.opaque import opaque
from layerexplain.lang.settings import NO_SETTINGS, attribute, holds, is_key, key_part, table_shape
from layerexplain.lang.syntax import (
    COMPARISONS,
    OPERATORS,
    assigned_names,
    ast,
    checked_expression,
    checked_tree,
    refuse,
    source_of,
)

MOST_NODES = 200_000
"""Limit on the expressions built from one text: nested calls could make billions from a short one."""

Function = Callable[..., Expr]
NO_FUNCTIONS: Mapping[str, Function] = {}


def parse(
    source: str,
    leaves: Mapping[str, Expr],
    functions: Mapping[str, Function] = NO_FUNCTIONS,
    settings: Mapping[str, Any] = NO_SETTINGS,
    updates: Collection[str] = (),
    *,
    choices: bool = False,
) -> dict[str, Expr]:
    """Read a text's statements and return the expressions that it assigns at its top level, by name.

    Args:
        source: The statements.
        leaves: The tensors that the text can use without assigning them: inputs and weights.
        functions: Functions that it can call besides the loaded ops, the composites and its own `def`s.
        settings: Configuration values that it can use by name, as keyword arguments or as numbers.
        updates: The leaves to which it can give a new value: from there on their name stands for that.
        choices: Whether it may have `a if condition else b`, decided by the settings and by which tensors there are.

    Raises:
        FormulaError: The text is not a formula, or an op cannot take its arguments.
        ShapeError: An op refuses the shapes.

    >>> import layerexplain.ops
    >>> from layerexplain.lang.axes import BATCH
    >>> from layerexplain.lang.expr import tensor
    >>> x = tensor("x", (BATCH, 3))
    >>> parse("y = 2 * x + 1", {"x": x})["y"].shape
    (n, 3)
    """
    tree = checked_tree(source, choices=choices)
    builder = _ExprBuilder(functions, settings)
    scope = _Names(dict(leaves))
    scope.updates = updates
    try:
        builder.body(tree.body, scope)
    except RecursionError:
        raise FormulaError("calls of `def`s nest too deeply", line=1) from None
    return {name: e for name, e in scope.names.items() if leaves.get(name) is not e}


def parse_expression(
    source: str | ast.expr,
    leaves: Mapping[str, Expr],
    functions: Mapping[str, Function] = NO_FUNCTIONS,
    settings: Mapping[str, Any] = NO_SETTINGS,
    *,
    choices: bool = False,
) -> Expr:
    """Read one expression, or its checked tree, with the arguments and errors of `parse`. The expression may have
    several results.

    >>> import layerexplain.ops
    >>> from layerexplain.lang.axes import BATCH
    >>> from layerexplain.lang.expr import tensor
    >>> x = tensor("x", (BATCH, 3))
    >>> parse_expression("slope * x + 1", {"x": x}, settings={"slope": 0.5}).shape
    (n, 3)
    """
    tree = checked_expression(source, choices=choices) if isinstance(source, str) else source
    return _ExprBuilder(functions, settings).expr(tree, _Names(dict(leaves)), several=True)


class _Names:
    """The names of one body; `steps` are `x[t]` by the loop's variable and the sequence."""

    def __init__(self, names: dict[str, Expr], steps: Mapping[str, Mapping[Expr, Expr]] | None = None) -> None:
        self.names = names
        self.steps = steps or {}
        self.assigned: set[str] = set()
        self.collected: dict[str, Expr] = {}
        self.variable: str | None = None
        self.updates: Collection[str] = ()
        self.states: set[str] = set()
        """Names that a later loop of the body assigns again: they are printed with that loop and need no label."""


class _ExprBuilder:
    """Build the nodes of one text."""

    def __init__(self, functions: Mapping[str, Function], settings: Mapping[str, Any]) -> None:
        self.functions = functions
        self.settings = settings
        self.defined: dict[str, ast.FunctionDef] = {}
        self.traced: dict[Any, Definition] = {}
        self.open: list[str] = []
        self.count = 0

    # Statements ---------------------------------------------------------------------------------------------------

    def body(self, statements: Sequence[ast.stmt], scope: _Names) -> None:
        """Build the statements of the text, of a loop or of a `def`."""
        for i, statement in enumerate(statements):
            if isinstance(statement, ast.FunctionDef):  # traced at each call, for the shapes of that call
                if statement.name in self.defined:
                    raise refuse(statement, f"'{statement.name}' is defined twice; give each def a different name")
                self.defined[statement.name] = statement
                continue
            loops = [later for later in statements[i + 1 :] if isinstance(later, ast.For)]
            scope.states = assigned_names(loops)[0] if loops else set()
            self.statement(statement, scope)

    def statement(self, node: ast.stmt, scope: _Names) -> None:
        if isinstance(node, ast.For):
            self.loop(node, scope)
            return
        assignment = cast("ast.Assign", node)  # checked_tree lets nothing else through
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

    def _bind(self, target: ast.Name, value: Expr, scope: _Names, *, label: bool) -> None:
        name = target.id
        if name in scope.assigned:
            raise refuse(target, f"'{name}' is assigned twice; only a loop may assign a name again, once per step")
        if name in scope.names and scope.variable is None and name not in scope.updates:
            raise refuse(target, f"'{name}' is already assigned; use a new name")
        scope.assigned.add(name)
        scope.names[name] = named(name, value) if label and name not in scope.states else value

    def _unpack(self, target: ast.Tuple, source: ast.expr, scope: _Names) -> None:
        names = [e for e in target.elts if isinstance(e, ast.Name)]
        if not isinstance(source, ast.Call):
            raise refuse(source, f"{len(names)} names need a call with {len(names)} results, such as split(x, n=2)")
        value = self.call(source, scope, results=len(names))
        count = len(value.shape) if type(value.shape) is ResultShapes else 1
        if count != len(names):
            raise refuse(target, f"{len(names)} names need {len(names)} results, got {count}")
        for i, name in enumerate(names):
            if name.id != "_":
                self._bind(name, item(value, i), scope, label=True)

    def _collect(self, target: ast.Subscript, source: ast.expr, scope: _Names) -> None:
        name = target.value.id if isinstance(target.value, ast.Name) else ""
        variable = target.slice.id if isinstance(target.slice, ast.Name) else ""
        if scope.variable is None or variable != scope.variable:
            wanted = "inside a loop" if scope.variable is None else f"with '{name}[{scope.variable}] = …'"
            raise refuse(target, f"a sequence must be collected {wanted}, got '{source_of(target)} = …'")
        if name in scope.names or name in scope.collected:
            raise refuse(target, f"'{name}' is already assigned; collect into a new name")
        scope.collected[name] = self.expr(source, scope)

    def loop(self, node: ast.For, scope: _Names) -> None:
        """Build `for t in steps(x, …):`. Names assigned both before the loop and inside it are its states."""
        variable = cast("ast.Name", node.target).id
        header = cast("ast.Call", node.iter)
        arguments, run_over = header.args, cast("ast.Name", header.func).id
        if variable in scope.names or variable in scope.steps:
            raise refuse(node.target, f"'{variable}' is already assigned; use a new name for the loop variable")
        over = [self.expr(a, scope) for a in arguments]
        for sequence, argument in zip(over, arguments, strict=True):
            if sequence.ndim < 2:
                raise refuse(
                    argument, f"{run_over}() needs tensors with a batch axis and a step axis, got {source_of(argument)}"
                )
        inside, collected = assigned_names(node.body)
        states = {name: scope.names[name] for name in scope.names if name in inside}
        if not states and not collected:
            raise refuse(node, "a loop needs a state (assigned before it and in it) or a collected sequence")

        def step(*values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
            before = values[len(over) :]
            steps = {**scope.steps, variable: dict(zip(over, values, strict=False))}
            inner = _Names({**scope.names, **dict(zip(states, before, strict=True))}, steps)
            inner.variable = variable
            self.body(node.body, inner)
            return [inner.names[name] for name in states], inner.collected

        run = self._apply(node, run_over, loop, step, over, states, backwards=run_over == "reversed_steps")
        names = [*states, *collected]
        for i, name in enumerate(names):
            scope.names[name] = run if len(names) == 1 else item(run, i)
            if scope.variable is not None:
                scope.assigned.add(name)

    # Expressions --------------------------------------------------------------------------------------------------

    def expr(self, node: ast.expr, scope: _Names, *, several: bool = False) -> Expr:
        """Build one tensor; with `several`, also a node with several results."""
        self.count += 1
        if self.count > MOST_NODES:
            raise refuse(node, f"the formula makes more than {MOST_NODES} expressions")
        build = BUILDERS.get(type(node))
        if build is None:
            text = source_of(node)
            raise refuse(
                node, f"'{text}' is not a tensor; a tensor is a name, a number, a call, or an expression of these"
            )
        value = build(self, node, scope)
        if type(value.shape) is ResultShapes and not several:
            raise refuse(node, f"this has {len(value.shape)} results; unpack them first: a, b = …")
        return value

    def _name(self, node: ast.Name, scope: _Names) -> Expr:
        name = scope.names.get(node.id)
        if name is not None:
            return name
        if node.id in self.settings:
            return self._number(node, scope)
        if node.id in scope.steps:
            raise refuse(node, f"'{node.id}' is the loop variable; it can be used only as an index: x[{node.id}]")
        if node.id == "n":
            raise refuse(node, "'n' is the size of the batch; it can be used only in shapes: shape=(n, 6)")
        from layerexplain.errors import did_you_mean

        hint = did_you_mean(node.id, [*scope.names, *self.settings], before=", ")
        raise refuse(node, f"'{node.id}' is not defined{hint}")

    def _number(self, node: ast.expr, scope: _Names) -> Expr:
        value = attribute(node, self.settings)
        if table_shape(value) is None:
            text = source_of(node)
            raise refuse(node, f"'{text}' is not a tensor, a number or a table of numbers with rows of equal length")
        return constant(value)

    def _choice(self, node: ast.IfExp, scope: _Names) -> Expr:
        """Return the branch that the settings choose. The other is not built: it may use what is not there."""
        there = {name: True for name in scope.names if name not in self.settings}
        chosen = node.body if holds(node.test, {**there, **self.settings}) else node.orelse
        return self.expr(chosen, scope, several=True)

    def _negative(self, node: ast.UnaryOp, scope: _Names) -> Expr:
        if not isinstance(node.op, ast.USub):
            raise refuse(node, f"'{source_of(node)}' is a condition, not a tensor; use where")
        if isinstance(node.operand, ast.Constant):
            return self._number(node, scope)
        return self._apply(node, "-", OPS["negative"], self.expr(node.operand, scope))

    def _operator(self, node: ast.BinOp | ast.Compare, scope: _Names) -> Expr:
        sign, right = (node.op, node.right) if isinstance(node, ast.BinOp) else (node.ops[0], node.comparators[0])
        results = OPERATORS.get(type(sign)) or COMPARISONS.get(type(sign))
        if results is None:
            raise refuse(node, f"'{source_of(node)}' is a condition, not a tensor; use where")
        symbol, name, _ = results
        return self._apply(node, symbol, OPS[name], self.expr(node.left, scope), self.expr(right, scope))

    def _subscript(self, node: ast.Subscript, scope: _Names) -> Expr:
        key = node.slice
        if isinstance(node.value, ast.Name) and isinstance(key, ast.Name) and key.id == scope.variable:
            collected = scope.collected.get(node.value.id)
            if collected is not None:  # what this step has collected already
                return collected
        base = self.expr(node.value, scope)
        if isinstance(key, ast.Name) and key.id in scope.steps:
            step = scope.steps[key.id].get(base)
            if step is None:
                name = source_of(node.value)
                wanted = f"add it to the loop header: steps(…, {name})"
                raise refuse(node, f"'{name}' is not a sequence of the loop over '{key.id}'; {wanted}")
            return step
        parts = key.elts if isinstance(key, ast.Tuple) else [key]
        if isinstance(key, ast.Tuple) or is_key(key):
            keys = tuple(key_part(part, self.settings) for part in parts)
            return self._apply(node, "[]", OPS["slice"], base, key=keys)
        return self._apply(node, "[]", OPS["take"], base, self.expr(key, scope))

    def call(self, node: ast.Call, scope: _Names, results: int = 1) -> Expr:
        """Build a call of a `def`, a given function, a composite or an op."""
        function: Any = node.func  # a name: checked_tree lets nothing else through
        name = function.id
        attrs = {str(k.arg): attribute(k.value, self.settings) for k in node.keywords}
        args = [self.expr(a, scope) for a in node.args]
        if name in self.defined:
            return self._call_definition(node, name, args, attrs)
        function = self.functions.get(name) or COMPOSITES.get(name) or callable_op(name)
        if function is None:
            from layerexplain.errors import did_you_mean

            known = [*self.defined, *self.functions, *COMPOSITES, *OPS]
            raise refuse(node, f"there is no function '{name}'{did_you_mean(name, known, before=', ')}")
        if name == "split" and attrs.get("n") != results:
            raise refuse(node, f"split(…, n={attrs.get('n')}) needs as many names on its left side, got {results}")
        if type(function) is Op and (wrong := _does_not_take(function, len(args), tuple(attrs))):
            raise refuse(node, wrong)
        return self._apply(node, name, function, *args, **attrs)

    def _call_definition(self, node: ast.Call, name: str, args: list[Expr], attrs: Mapping[str, Any]) -> Expr:
        inner = self.defined[name]
        params = inner.args.args
        if attrs or len(args) != len(params):
            listed = ", ".join(p.arg for p in params)
            raise refuse(node, f"{name}({listed}) takes {len(params)} tensors, got '{source_of(node)}'")
        if name in self.open:
            raise refuse(node, f"'{name}' calls itself; a formula cannot be recursive")
        key = (name, *[(a.shape, a.dtype) for a in args])
        definition = self.traced.get(key)
        if definition is None:
            self.open.append(name)
            definition = self.traced[key] = self._trace(inner, args)
            self.open.pop()
        return call(definition, *args)

    def _trace(self, node: ast.FunctionDef, args: Sequence[Expr]) -> Definition:
        params = [tensor(p.arg, a.shape, a.dtype) for p, a in zip(node.args.args, args, strict=True)]
        scope = _Names({str(p.label): p for p in params})
        *statements, last = node.body
        self.body(statements, scope)
        value: Any = cast("ast.Return", last).value
        returned = value.elts if isinstance(value, ast.Tuple) else [value]
        results: dict[str, Expr] = {}
        for part in returned:
            name = stem = part.id if isinstance(part, ast.Name) else "y"
            while name in results:
                name = f"{stem}_{len(results) + 1}"
            results[name] = self.expr(part, scope)
        return Definition(node.name, tuple(params), (), results)

    @staticmethod
    def _apply(node: ast.AST, written: str, function: Function, /, *args: Any, **attrs: Any) -> Expr:
        """Apply a function; report arguments that it refuses as an error of the text, with the line."""
        try:
            return function(*args, **attrs)
        except LayerExplainError as error:
            raise error.with_place(line=getattr(node, "lineno", None)) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise refuse(node, f"{written} cannot take these arguments: {error}") from None


@lru_cache(maxsize=1000)
def _does_not_take(op: Op, count: int, attrs: tuple[str, ...]) -> str:
    """Return what is wrong with a call that an op's value would refuse: its rules for shapes take whatever they are
    given."""
    value = getattr(op.evaluate, "value", None)
    code = getattr(value, "__code__", None)
    if value is None or code is None or code.co_flags & 0x0C:  # *args or **options
        return ""
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    tensors, given = names[1 : count + 1], {*op.defaults, *attrs}
    required = names[1 : code.co_argcount - len(value.__defaults__ or ())]
    if count + 1 > code.co_argcount or any(name not in given for name in required[count:]):
        own = [name for name in required if name not in given]
        return f"{op.name} takes {len(own)} tensor{'s' * (len(own) != 1)}, got {count}"
    unknown = next((name for name in attrs if name not in names or name in tensors), None)
    return f"{op.name} has no argument '{unknown}'" if unknown is not None else ""


BUILDERS: Mapping[type[ast.AST], Callable[[_ExprBuilder, Any, _Names], Expr]] = {
    ast.Name: _ExprBuilder._name,
    ast.Constant: _ExprBuilder._number,
    ast.Tuple: _ExprBuilder._number,
    ast.UnaryOp: _ExprBuilder._negative,
    ast.BinOp: _ExprBuilder._operator,
    ast.Compare: _ExprBuilder._operator,
    ast.Call: _ExprBuilder.call,
    ast.Subscript: _ExprBuilder._subscript,
    ast.IfExp: _ExprBuilder._choice,
}


def callable_op(name: str) -> Op | None:
    """Return the op that is called by this name, None for leaves, loops and slices, which have their own notation."""
    op = OPS.get(name)
    if op is None or op.evaluate is STRUCTURAL or op is opaque or isinstance(op.notation, Slice):
        return None
    return op
