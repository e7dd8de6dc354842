"""How sure an answer is: complete, assumed or open; what is missing, where, and which option gives it."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from layerexplain.frontends.code.machine.parts import setting_name
from layerexplain.frontends.code.values.base import ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import signature_of
from layerexplain.frontends.code.values.reading import Assumption, children, kept_with_tree, walk
from layerexplain.layers.arguments import NOT_SAID, WITHOUT_SIZES, Argument
from layerexplain.layers.registry import TORCH, find, find_named
from layerexplain.model import Missing, Model, Note

# Grade --------------------------------------------------------------------------------------------------------------


def grade_of(assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> str:
    """Return "open" where something is missing, "assumed" where something was chosen, else "complete"."""
    return "open" if gaps else "assumed" if any(not assumption.settled for assumption in assumed) else "complete"


def notes_of(assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> list[Note]:
    """Return one note for each thing that is missing or was chosen."""
    notes: dict[str, Note] = {}
    for unknown, layer in gaps:
        note = Note("open", layer or None, words_of(unknown))
        notes.setdefault(note.message, note)
    missing = {root_of(unknown.name) for unknown, _ in gaps}
    for assumption in assumed:
        if assumption.name and assumption.name in missing:
            continue  # the gap says so
        note = Note(assumption.settled or "assumed", None, f"line {assumption.line}: {assumption.words}")
        notes.setdefault(note.message, note)
    return list(notes.values())[:50]


def missing_sizes(tree: ast.AST, gaps: Iterable[tuple[Unknown, str]]) -> dict[str, Missing]:
    """Return the names, as `--set` takes them, of missing values that are sizes: a whole number is their example. Of
    data whose shape is missing they are the axes behind the first, `X.shape[1]`. A name whose value may change between
    two places where it is used is not one size."""
    causes: dict[str, set[str]] = {}
    kinds: dict[str, Missing] = {}
    for gap, _ in gaps:
        option = gap.option or gap.name
        if gap.example.isdecimal() or option.endswith(".shape") or (option and gap.lacks == "sizes"):
            causes.setdefault(option, set()).add(gap.cause or gap.reason)
            kind: Missing = "rounds" if gap.cause else "shape" if gap.lacks == "sizes" else "size"
            kinds[option] = "size" if option.endswith(".shape") else min(kind, kinds.get(option, kind))
    one_cause = [name for name, cause in causes.items() if len(cause) == 1 and is_one_value(tree, name)]
    return {
        size: kinds[name] for name in one_cause for size in (_axes(tree, name) if name.endswith(".shape") else [name])
    }


def _axes(tree: ast.AST, option: str) -> list[str]:
    """Return the sizes of data that are not their number: `X.shape[1]`."""
    return [f"{option}[{axis}]" for axis in range(1, len(_shape_of_data(tree, option)))]


def _shape_of_data(tree: ast.AST, option: str) -> list[int | None]:
    example = shape_example(tree, option) or "1000,32"
    return [None, *map(int, example.split(",")[1:])]


def with_shapes(tree: ast.AST, values: Mapping[str, int]) -> dict[str, Any]:
    """Return values of sizes as settings: those of the axes of data are a shape, `X.shape`, of any number of rows, and
    those of a shape are that shape.

    >>> with_shapes(ast.parse("f(X.shape[1])"), {"X.shape[1]": 5, "input_shape[0]": 7, "input_shape[1]": 8, "units": 3})
    {'X.shape': (None, 5), 'input_shape': (7, 8), 'units': 3}
    """
    results: dict[str, Any] = {}
    for name, value in values.items():
        option, is_axis, axis = name.rpartition("[")
        if is_axis and axis[:-1].isdecimal():
            shape = list(results.get(option, _shape_of_data(tree, option) if option.endswith(".shape") else ()))
            at = int(axis[:-1])
            shape[at : at + 1] = [value]
            results[option] = tuple(shape)
        else:
            results[name] = value
    return results


def words_of(unknown: Unknown) -> str:
    """Return what is missing, where, and the option that gives it.

    >>> words_of(Unknown("it comes from x_train.shape", 12, "input_shape"))
    'line 12: input_shape is not known: it comes from x_train.shape; give --set input_shape=VALUE'
    >>> words_of(Unknown("it is not defined in this code", 3, "n_hidden", example="128"))
    'line 3: n_hidden is not known: it is not defined in this code; give for example --set n_hidden=128'
    """
    where = f"{unknown.file}:{unknown.line}" if unknown.file else f"line {unknown.line}"
    place = f"{where}: " if unknown.line else ""
    name = unknown.name
    if unknown.lacks == "shape":
        return f"{place}{unknown.reason}; give it with --input"
    if unknown.lacks == "named shape":
        return f"{place}the shape of {name} is not known: {unknown.reason}; give --input {name}=SHAPE"
    option = name if unknown.option is None else unknown.option
    if not name or not option:
        return (
            f"{place}{name} is not known: {unknown.reason}" if unknown.lacks == "name" else f"{place}{unknown.reason}"
        )
    example = unknown.example or ("1000,32" if option.endswith(".shape") else "")
    option = shlex.quote(option.replace("'", '"'))  # as a shell takes it: 'len(words)'
    given = f"for example --set {option}={example}" if example else f"--set {option}=VALUE"
    return f"{place}{name} is not known: {unknown.reason}; give {given}"


# One value ----------------------------------------------------------------------------------------------------------
# Whether a name, or an expression such as `len(words)`, stands for one value wherever a program uses it.

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Loop = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def is_one_value(tree: ast.AST, name: str) -> bool:
    """Return whether a name or an expression, as `--set` writes it, has one value at all places of a program.

    >>> program = "def block(n):\\n    k = n * 2\\n    Dense(k)\\nblock(a)\\n{}"
    >>> [is_one_value(ast.parse(program.format(line)), "k") for line in ("", "block(b)", "for b in c:\\n    block(b)")]
    [True, False, False]
    """
    root = root_of(name)
    uses = _uses_in(tree)
    return not root or not (
        uses.changes_between(name, root)
        or any(uses.differs_by_call(function, root) for function in uses.bound.get(root, ()))
    )


@lru_cache(10_000)
def root_of(name: str) -> str:
    """Return the first name in what `--set` takes.

    >>> root_of("units"), root_of("config.rate"), root_of("len(words[0])")
    ('units', 'config', 'words')
    """
    match = re.match(r"[^\W\d]\w*", re.sub(r"^\w+\((?=\w)", "", name))
    return "" if match is None else match[0]


@kept_with_tree
def _uses_in(tree: ast.AST) -> _Uses:
    return _Uses(tree)


class _Uses:
    """Where a program uses, changes and binds each name, and calls each function: all in one walk, since each model of
    a file asks."""

    def __init__(self, tree: ast.AST) -> None:
        self.owners: dict[ast.AST, ast.AST] = {}
        self.calls: dict[str, list[ast.Call]] = {}
        """The calls, by the last name of what they call."""
        self.imported: set[str] = set()
        """Names of modules of others: `nn.LSTM` is no class LSTM of the program."""
        self.bound: dict[str, dict[ast.AST, None]] = {}
        """The functions in which a name is bound."""
        self.lines: dict[str, set[int]] = {}
        """The lines that use a name or an expression."""
        self.changes: dict[str, list[ast.stmt]] = {}
        """The statements that may change what a name stands for, or something in it."""
        self.loops: list[ast.For | ast.While] = []
        for node in walk(tree):
            self.owners.update(dict.fromkeys(children(node), node))
            if isinstance(node, ast.Call):
                self.calls.setdefault(getattr(node.func, "id", getattr(node.func, "attr", "")), []).append(node)
            elif isinstance(node, ast.Import):
                self.imported |= {item.asname or item.name.partition(".")[0] for item in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.imported |= {item.asname or item.name for item in node.names}
            if isinstance(node, _Function):
                for name in signature_of(node).names:
                    self.bound.setdefault(name, {})[node] = None
            elif isinstance(node, ast.stmt):
                for name in _changed_by(node):
                    self.changes.setdefault(name, []).append(node)
                self.loops += [node] if isinstance(node, ast.For | ast.While) else []
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                if (function := _function_of(node, self.owners)) is not None:
                    self.bound.setdefault(node.id, {})[function] = None
            elif isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                self.lines.setdefault(node.id if isinstance(node, ast.Name) else setting_name(node), set()).add(
                    node.lineno
                )

    def differs_by_call(self, function: Any, root: str) -> bool:
        owner = self.owners.get(function)
        called = owner.name if isinstance(owner, ast.ClassDef) else getattr(function, "name", "")
        calls = [call for call in self.calls.get(called, []) if self._is_own(call)] if called else []
        if isinstance(function, ast.Lambda) or any(_is_repeated(call, self.owners) for call in calls):
            return not calls or not _passes_itself(function, calls, root)
        return len(calls) > 1 and not _passes_itself(function, calls, root)

    def _is_own(self, call: ast.Call) -> bool:
        """Return whether a call may be one of a function of the program."""
        root = call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        return root is call.func or not (isinstance(root, ast.Name) and root.id in self.imported)

    def changes_between(self, name: str, root: str) -> bool:
        """Return whether a program may change what a name or an expression stands for between two places where it is
        used: a statement there binds its first name again, deletes from it, or calls it, or something with it, and
        drops the result.

        >>> program = "n = f()\\nDense(n)\\n{}\\nDense(n)"
        >>> lines = ("m = n", "n = g()", "n.add(3)")
        >>> [_Uses(ast.parse(program.format(line))).changes_between("n", "n") for line in lines]
        [False, True, True]
        """
        uses, changes = self.lines.get(name, set()), self.changes.get(root, [])
        if any(min(uses, default=0) < node.lineno < max(uses, default=0) for node in changes):
            return True
        around = [loop for loop in self.loops if changes and any(_stands_in(line, loop) for line in uses)]
        return any(_stands_in(node.lineno, loop) for loop in around for node in changes)


def _passes_itself(function: _Function, calls: list[ast.Call], root: str) -> bool:
    """Return whether all calls give a parameter the variable of its own name: `Block(args)` in `Net(args)`."""
    parameters = signature_of(function).names
    if root not in parameters or root == "self":
        return False
    at = parameters.index(root) - (parameters[:1] == ("self",))
    for call in calls:
        by_name = next((keyword.value for keyword in call.keywords if keyword.arg == root), None)
        value = by_name if by_name is not None else call.args[at] if at < len(call.args) else None
        if not (isinstance(value, ast.Name) and value.id == root):
            return False
    return True


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


def _stands_in(line: int, node: ast.For | ast.While) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _changed_by(statement: ast.stmt) -> set[str]:
    """Return the names of which a statement may change what they stand for, or something in it."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call):  # `x.extend(…)`, or `grow(x)`
        called = call.func
        while isinstance(called, ast.Attribute | ast.Subscript):
            called = called.value
        parts = [*call.args, *([called] if called is not call.func else [])]
        return {part.id for part in parts if isinstance(part, ast.Name)}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign | ast.Delete):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For):
        targets = [statement.target]
    return {node.id for target in targets for node in walk(target) if isinstance(node, ast.Name)}


# Examples -----------------------------------------------------------------------------------------------------------
# Examples of values for `--set`: what the argument takes in which a missing value stands.

SIZE = "32"
"""An example of one size of an input."""


def with_example(unknown: Unknown, type_: str, argument: str, value: ProgramValue) -> Unknown:
    """Return a missing value with an example of it: it stands in `value`, which a layer, an optimizer, a loss or a
    regularizer of that type has as an argument."""
    name, config = (value.class_name, value.config) if isinstance(value, Setting) else _as_object(value)
    if config is not None:
        inner = next((key for key, item in config.items() if unknown_in(item) is unknown), "")
        return with_example(unknown, name, inner, config.get(inner))
    declaration = find(type_) or find_named(type_)
    known = None
    if declaration is not None:
        known = declaration.arguments.get(declaration.renamed.get(argument, argument))
    in_list = type(value) in (list, tuple)
    return unknown if known is None else unknown._replace(example=_example(known, in_list=in_list))


def stand_in(type_: str, argument: str) -> tuple[ProgramValue, str]:
    """Return what stands in a layer for an argument that is not known, and the words for it: a number or a function on
    which no shape depends. None where it may be a size."""
    declaration = find(type_)
    known = declaration.arguments.get(argument) if declaration is not None else None
    if known is None or known.check.words not in WITHOUT_SIZES:
        return None, ""
    value = known.check.example_value if known.default is Argument.REQUIRED else known.default
    return value, f"{type_.removeprefix(TORCH)} is explained with {argument}={value}"


def without_unknowns(type_: str, config: Mapping[str, ProgramValue]) -> tuple[dict[str, ProgramValue], list[Unknown]]:
    """Return the arguments of a layer with what stands in for those that are not known, and these with their
    examples."""
    known, missing = dict(config), []
    for key, value in config.items():
        if (unknown := unknown_in(value)) is not None:
            known[key], words = stand_in(type_, key)
            if known[key] is None:
                known[key] = _not_said(type_, key, value)
            reason = f"{unknown.reason}; {words}" if words else unknown.reason
            missing.append(with_example(unknown, type_, key, value)._replace(reason=reason))
    return known, missing


def _not_said(type_: str, argument: str, value: ProgramValue) -> ProgramValue:
    """Return an argument without what is not known of it: an item of a tuple, or a value in whose place None means
    something else."""
    if type(value) in (tuple, list):
        return tuple([NOT_SAID if unknown_in(item) is not None else item for item in value])
    declaration = find(type_)
    known = declaration.arguments.get(argument) if declaration is not None else None
    return NOT_SAID if known is not None and (known.optional or known.check.takes_none) else None


def names_of_unknowns(config: Mapping[str, ProgramValue]) -> tuple[str, ...]:
    """Return the arguments of a layer that are not known."""
    return tuple([key for key, value in config.items() if unknown_in(value) is not None])


def missing_settings(type_: str, config: Mapping[str, ProgramValue]) -> list[Unknown]:
    """Return the values that are missing in the initializers, regularizers and constraints of a layer."""
    settings = []
    for argument, value in config.items():
        unknown = unknown_in(value) if argument.endswith(("_initializer", "_regularizer", "_constraint")) else None
        if unknown is not None:
            reason = f"{unknown.reason}; {type_} is explained without its {argument}"
            settings.append(with_example(unknown, type_, argument, value)._replace(reason=reason))
    return settings


def missing_in(compiled: ProgramValue) -> list[Unknown]:
    """Return the values that are missing in what a model is compiled with."""
    unknowns = []
    for item in each_in(compiled):
        for argument, value in item.config.items() if isinstance(item, Setting) else ():
            if (unknown := unknown_in(value)) is not None:
                reason = f"{unknown.reason}; {item.class_name} is explained with its default {argument}"
                unknowns.append(with_example(unknown, item.class_name, argument, value)._replace(reason=reason))
    return unknowns


def _as_object(value: ProgramValue) -> tuple[str, Mapping[str, ProgramValue] | None]:
    if type(value) is dict and type(value.get("config")) is dict:
        return str(value.get("class_name")), value["config"]
    return "", None


def _example(argument: Argument, *, in_list: bool) -> str:
    """Return a value for an argument as `--set` takes it, or for one in a list of them: its default where that is a
    number above 0."""
    default, text = argument.default, argument.check.example
    if isinstance(default, int | float) and default > 0:
        text = str(default)
    elif in_list and text.startswith("["):
        text = text.strip("[]").partition(",")[0]
    return shlex.quote(text.strip("'").replace(" ", ""))


def plain_names(tree: ast.AST) -> frozenset[str]:
    """Return the names and attributes that a program uses as numbers or texts alone: they are not called, indexed,
    counted or walked over.

    >>> sorted(plain_names(ast.parse("Dense(units * 2)\\nDense(len(classes))\\nx[config.rate]")))
    ['rate', 'units']
    """
    used, other = set(), set()
    for node in walk(tree):
        if (name := _name(node)) and isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]  # it has a name
            used.add(name)
        if isinstance(node, ast.Attribute | ast.Subscript):
            other.add(_name(node.value))
        elif isinstance(node, ast.For | ast.comprehension):
            other.add(_name(node.iter))
        elif isinstance(node, ast.Call):
            other.add(_name(node.func))
            other.update(_name(argument) for argument in node.args if _name(node.func) in _OF_MANY)
    return frozenset(used - other)


def shape_example(tree: ast.AST, option: str) -> str:
    """Return a shape that `--set X.shape=…` may give, with as many sizes as the program indexes before it gives the
    data another shape; "" for two.

    >>> shape_example(ast.parse("LSTM(8, input_shape=(X.shape[1], X.shape[2]))"), "X.shape")
    '1000,10,32'
    >>> lines = ["X = X.reshape(X.shape[0], 1, X.shape[1])", "LSTM(8, input_shape=(1, X.shape[2]))"]
    >>> shape_example(ast.parse("\\n".join(lines)), "X.shape")
    ''
    """
    name = option.removesuffix(".shape")
    again = [
        node.end_lineno or 0
        for node in walk(tree)
        if isinstance(node, ast.Assign)
        and any(ast.unparse(target) == name for target in node.targets)
        and any(isinstance(child, ast.Name) and child.id == name for child in walk(node.value))
    ]
    last = min(again, default=10**9)
    indices = [
        node.slice.value
        for node in walk(tree)
        if isinstance(node, ast.Subscript)
        and node.lineno <= last
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, int)
        and isinstance(node.value, ast.Attribute)
        and ast.unparse(node.value) == option
    ]
    return {2: "1000,10,32", 3: "1000,28,28,3"}.get(max(indices, default=0), "")


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


_OF_MANY = frozenset({"len", "sum", "list", "tuple", "set", "sorted", "enumerate", "zip", "map"})


def with_others(model: Model, names: Sequence[str], path: str | None) -> Model:
    """Return a model with a note on the others of its program, which were not asked for."""
    if not names:
        return model
    shown = ", ".join(names[:12])
    count = f"{len(names)} other model{'s' * (len(names) > 1)}"
    words = f"this is '{model.name}', the main model; {count} here: {shown}; name one: {path or '-- -'}:{names[0]}"
    return model._replace(notes=(Note("others", None, words), *model.notes))
