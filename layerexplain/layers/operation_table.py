"""Bare operations as rows of a table: names, tensors, arguments, a formula in the formula language, and a sentence.

A module of operations holds its rows in the text `ROWS`:

    ops.Hypot(x1, x2): sqrt(x1 ** 2 + x2 ** 2) | Gives the length of the vector (x1, x2), element by element.

- A row begins at the margin; indented lines continue it; lines that begin with # are comments.
- Further names of the same operation follow the first one, after commas.
- `[Max|Min]` is a choice: the row stands for one with each, as `ops.[Argmax|Argmin](x): [argmax|argmin](x) | …` does.
- A parameter with a kind (layers/arguments.py) is an argument, all others are tensors; `*xs` takes any number of them,
  one with the default None may be left out. Arguments of the kind `Ignored` change nothing here, nor do those of the
  module's `IGNORES`, in any row.
- The formula may call ops, composites, functions of its module, and declared operations by Keras's class name
  (`Sum` is `ops.Sum`). A key's value may be an argument, or a tensor that is a constant.
- The formula `name(...)` passes all tensors, None for one that is left out, and all arguments to a function of the
  module. Elsewhere `name(x, ...)` passes all arguments by name.
- Statements may stand before the formula: `m = max(x1, x2); m + …` abbreviates, `m := …` prints as a statement of its
  own. `a if condition else b` is decided when the layer is traced, by an argument (`upper`), by whether there is one
  (`axis is None`), or by the numbers that the first tensor holds (`is_complex`, `is_whole`).
- A result is called `y`, unless names stand before the formula: `values, ids = top_k(x, k=k)`. A star says that the
  arguments decide how many results there are: `*parts = divided(x, at=at)`.
- A row that calls one operation and gives no sentence has the sentence of that operation.

Beside its `ROWS` a module may have `USES`: what the rows call from other modules, and the modules of ops that they
need; `FACTS` of its layers; and `CONSTANTS`: what a message calls a tensor that needs to be a constant.

A table is split into rows when one of its operations is first looked up, and only that row is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from layerexplain.errors import ArgumentError, FormulaError, LayerExplainError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.expr import CONSTANT, OPS, Expr, item, named
from layerexplain.lang.parse import parse_expression
from layerexplain.lang.settings import attribute
from layerexplain.lang.syntax import ast, checked_expression
from layerexplain.layers import arguments as kinds
from layerexplain.layers.arguments import Argument, argument_of
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find, with_choice
from layerexplain.layers.signature import NO_FACTS, Signature
from layerexplain.ops import load_all
from layerexplain.ops.sizes import INTS
from layerexplain.records import NamedTuple


class OperationRow(NamedTuple):
    """One row: its text in parts. `results` are the names of the results, none where there is one `y`; `many` says that
    the arguments decide how many there are."""

    names: tuple[str, ...]
    parameters: str
    statements: tuple[str, ...]
    results: tuple[str, ...]
    formula: str
    sentence: str
    many: bool = False


@cache
def rows_by_name(table: str) -> dict[str, str]:
    """Split a table into the texts of its rows, by the operations' names. Raises ValueError for a name given twice.

    >>> rows_by_name("ops.Abs, tf.abs(x): abs(x) | Drops the sign.")["tf.abs"]
    'ops.Abs, tf.abs(x): abs(x) | Drops the sign.'
    """
    results: dict[str, str] = {}
    for family in table.strip().replace("\n ", " ").split("\n"):
        rows = [] if not family or family.startswith("#") else [with_choice(family, 0)]
        while rows and (text := with_choice(family, len(rows))) != rows[-1]:
            rows.append(text)
        for row in rows:
            for name in map(str.strip, row.partition("(")[0].split(",")):
                if name in results:
                    raise ValueError(f"operation {name!r} has two rows")
                results[name] = row
    return results


def read_row(text: str) -> OperationRow:
    """Take a row apart.

    >>> read_row("ops.TopK(x, k: PositiveInt = 1): values, ids = top_k(x, k=k) | Gives the {k} largest elements.")
    OperationRow(names=('ops.TopK',), parameters='x, k: PositiveInt = 1', statements=(), results=('values', 'ids'), formula='top_k(x, k=k)', sentence='Gives the {k} largest elements.', many=False)
    """  # noqa: E501
    names, _, rest = " ".join(text.split()).partition("(")
    parameters, _, rest = rest.partition("):")
    text, bar, sentence = rest.rpartition(" | ")
    *statements, last = (text if bar else rest).strip().split("; ")
    results, assigned, formula = last.partition(" = ")
    many = results.startswith("*")
    of_results = tuple(results.split(", ")) if assigned and "(" not in results and not many else ()
    return OperationRow(
        tuple(names.split(", ")),
        parameters,
        tuple(statements),
        of_results,
        formula if of_results or many else last,
        sentence if bar else "",
        many,
    )


def declaration_of(row: OperationRow, namespace: Mapping[str, Any]) -> Declaration:
    """Return the declaration that a row of a module stands for; `namespace` holds the module's functions and kinds."""
    signature, ignored = _signature(row, namespace)
    formula = _RowFormula(row, signature, namespace)
    sentence = row.sentence
    if not sentence:
        called = _operation(row.formula.partition("(")[0])
        sentence = called.description if called else ""
    ignores = " ".join([*ignored, namespace.get("IGNORES", "")])
    facts = namespace.get("FACTS", NO_FACTS)
    if row.many or len(row.results) > 1:
        facts = facts._replace(results=len(row.results))
    gist = "x; in training {call}" if sentence.startswith("In training") else ""
    return Declaration(row.names[0], formula, signature, description=sentence, ignores=ignores, gist=gist, facts=facts)


def _signature(row: OperationRow, namespace: Mapping[str, Any]) -> tuple[Signature, tuple[str, ...]]:
    """Return what a row takes, and the arguments that it ignores."""
    text = row.parameters
    if ":" in text and "*" not in text:
        text = re.sub(r"(\w+:)", r"*, \1", text, count=1)
    tree = compile(f"def row({text}): 0", row.names[0], "exec", ast.PyCF_ONLY_AST)
    taken = tree.body[0].args  # type: ignore[attr-defined]
    arguments: dict[str, Argument] = {}
    ignored = []
    for parameter, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        if getattr(parameter.annotation, "id", "") == "Ignored":
            ignored.append(parameter.arg)
            continue
        value = Argument.REQUIRED if default is None else attribute(default)
        arguments[parameter.arg] = argument_of(_kind(parameter.annotation, namespace), value)
    variadic = taken.vararg.arg if taken.vararg else None
    return Signature(tuple(p.arg for p in taken.args), arguments, len(taken.defaults), variadic), tuple(ignored)


def _kind(node: Any, namespace: Mapping[str, Any]) -> Any:
    """Return a kind of argument by its name, `choice('a', 'b')`, or either with `| None`."""
    if isinstance(node, ast.BinOp):
        return _kind(node.left, namespace) | None
    if isinstance(node, ast.Call):
        return kinds.choice(*map(attribute, node.args))
    return namespace.get(node.id) or getattr(kinds, node.id)


def _operation(name: str) -> Declaration | None:
    """Return the declared operation with a Keras class name, None where the name is no such name."""
    return find(f"ops.{name}") if name[:1].isupper() else None


class _RowFormula:
    """The formula of a row, called like a function."""

    __slots__ = ("_functions", "_namespace", "_passed", "_row", "_signature")

    def __init__(self, row: OperationRow, signature: Signature, namespace: Mapping[str, Any]) -> None:
        self._row = row
        self._signature = signature
        self._namespace = namespace
        self._functions = _Functions(namespace)
        self._passed = ", ".join(f"{name}={name}" for name in signature.arguments)

    def __call__(self, *tensors: Expr, **arguments: Any) -> Expr | Mapping[str, Expr]:
        values = _Values({name: argument.default for name, argument in self._signature.arguments.items()})
        values.update(arguments)
        names, formula, variadic = list(self._signature.tensors), self._row.formula, self._signature.variadic
        if formula.endswith("(...)"):
            passed: Expr | Mapping[str, Expr] = self._namespace[formula[:-5]](*tensors, **values)
            return passed
        if variadic is not None:
            more = [f"{variadic}_{i}" for i in range(len(tensors) - len(names))]
            names, formula = names + more, formula.replace(f"*{variadic}", ", ".join(more))
        given = dict(zip(names, tensors, strict=True))
        values.tensors, values.words = given, self._namespace.get("CONSTANTS", {})
        dtype = str(tensors[0].dtype) if tensors else ""
        values |= {"is_complex": dtype.startswith("complex"), "is_whole": dtype in INTS}
        try:
            for statement in self._row.statements:
                name, _, source = statement.partition(" = " if " := " not in statement else " := ")
                value = self._read(source, given, values)
                given[name] = named(name, value) if " := " in statement else value
            computed = self._read(formula, given, values)
        except FormulaError as error:
            raise TypeError(error.fact) from error
        except LayerExplainError as error:
            error.line = None  # a row is no text of the user's
            raise
        results: Expr | Mapping[str, Expr] = _with_names(computed, self._row.results)
        return results

    def _read(self, source: str, given: Mapping[str, Expr], values: _Values) -> Any:
        """Return the value of a formula."""
        whole = source.replace(", ...", f", {self._passed}")
        return parse_expression(_tree_of(whole), given, self._functions, values)


@lru_cache(512)
def _tree_of(formula: str) -> ast.expr:
    """Return the checked tree of a formula of a row: a model calls the same few rows again and again."""
    return checked_expression(formula, choices=True)


def _with_names(computed: Any, names: tuple[str, ...]) -> Any:
    """Return the results by the names of a row."""
    if isinstance(computed, _Several):
        return dict(zip(names, computed.values(), strict=True)) if names else dict(computed)
    if type(computed.shape) is ResultShapes:
        return {name: item(computed, i) for i, name in enumerate(names)}
    return {names[0]: computed} if names else computed


class _Values(dict[str, Any]):
    """The values that a key may have by name: arguments, and tensors that are constants."""

    tensors: Mapping[str, Expr]
    words: Mapping[str, str]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.tensors

    def __missing__(self, name: str) -> Any:
        tensor = self.tensors[name]
        if tensor.op is not CONSTANT:
            words = self.words.get(name, f"{'an' if name[0] in 'aeiou' else 'a'} {name}")
            raise ArgumentError(f"{words} needs to be a constant, got a tensor")
        return tensor.attrs["value"]


class _Several(dict[str, Expr]):
    """The results by name of a called operation or function."""

    shape = ResultShapes()


class _Functions(dict[str, Any]):
    """The functions that a row may call besides ops and composites: those of its module, and declared operations."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        super().__init__()
        self.namespace = namespace

    def get(self, name: str, default: Any = None) -> Any:
        if name in OPS or name in COMPOSITES:
            return default
        operation = _operation(name)
        function = operation.formula if operation else self.namespace.get(name)
        if function is None:
            load_all()  # an op of a module that the row's own does not import
            return default
        return _of_results(function)


def _of_results(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as a formula calls it: results by name have a shape, as the parser asks of any value."""

    def called(*tensors: Expr, **arguments: Any) -> Any:
        returned = function(*tensors, **arguments)
        return _Several(returned) if isinstance(returned, Mapping) else returned

    return called
