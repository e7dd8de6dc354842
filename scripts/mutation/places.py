"""Where a test must come by to meet a fault, and the probes that tell that it did.

A fault in the body of a function is put into a running program by an exchange of the function's code; so are probes,
calls of `_reached(number)` before the statement with the fault. A fault in what runs at import is met by tests that run
a function that uses what the faulty statement makes.
"""

from __future__ import annotations

import ast
import gc
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mutation.changes import Change

PROBE = "_reached"
Functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Place(NamedTuple):
    """A position in a file: its line and column, counted as Python's trees count them."""

    file: str
    line: int
    column: int


class Places:
    """Finds the places of faults; what modules use of each other is read once.

    Args:
        root: The folder that has layerexplain/.
    """

    def __init__(self, root: Path) -> None:
        self.sources = {
            str(path.relative_to(root)): path.read_bytes() for path in sorted((root / "layerexplain").rglob("*.py"))
        }
        self.trees = {file: ast.parse(source) for file, source in self.sources.items()}
        self.importers: dict[str, set[str]] = {}
        self.run_at_import: set[str] = set()
        self.functions: dict[str, list[tuple[ast.FunctionDef, set[str]]]] = {}
        for file, tree in self.trees.items():
            self.run_at_import |= set(_run_at_import(tree))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for module in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                        self.importers.setdefault(module, set()).add(file)

    def of(self, file: str, change: Change) -> tuple[bool, list[Place], str]:
        """Return whether the fault can be put into a running program, where tests meet it, and the function's name."""
        before = self.sources[file][: change.start]
        place = Place(file, before.count(b"\n") + 1, len(before) - before.rfind(b"\n") - 1)
        function = innermost(self.trees[file], place)
        name = getattr(function, "name", "")
        if function is not None and name not in self.run_at_import:
            return True, [place], name
        users = [Place(where, node.body[0].lineno, node.body[0].col_offset) for where, node in self._users(file, place)]
        return False, [*([place] if function is not None else []), *users], name

    def _users(self, file: str, place: Place) -> Iterator[tuple[str, ast.FunctionDef]]:
        """The functions that use what the top-level statement at a place makes, or a later value that is made of it,
        here and in modules that import it."""
        statement = next(node for node in self.trees[file].body if (node.end_lineno or 0) >= place.line)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names = {statement.name}
            yield from ((file, node) for node in ast.walk(statement) if isinstance(node, ast.FunctionDef))
        else:
            names = _stored(statement)
            for other in self.trees[file].body[self.trees[file].body.index(statement) + 1 :]:
                if isinstance(other, ast.Assign | ast.AnnAssign | ast.AugAssign) and names & set(_names(other)):
                    names |= _stored(other)
        module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for where in sorted({file, *self.importers.get(module, ())}):
            if where not in self.functions:
                found = (node for node in ast.walk(self.trees[where]) if isinstance(node, ast.FunctionDef))
                self.functions[where] = [(node, set(_names(node))) for node in found]
            yield from ((where, node) for node, used in self.functions[where] if names & used)


def _run_at_import(tree: ast.Module) -> Iterator[str]:
    """The names of functions that run when a module is imported: decorators, and what is called outside functions."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for one in node.decorator_list:
                yield from _names(one)
            stack += node.decorator_list
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Call):
                yield from _names(node.func)
            stack += ast.iter_child_nodes(node)


def _stored(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a value."""
    nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Store)}


def _names(node: ast.AST) -> Iterator[str]:
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr
        stack += ast.iter_child_nodes(one)


def _holds(node: ast.expr | ast.stmt, place: Place) -> bool:
    end = (node.end_lineno or 0, node.end_col_offset or 0)
    return (node.lineno, node.col_offset) <= (place.line, place.column) < end


def innermost(tree: ast.Module, place: Place) -> Functions | None:
    """Return the innermost function or lambda whose body holds a place."""
    found: Functions | None = None
    for node in ast.walk(tree):  # outer nodes come first
        if isinstance(node, Functions):
            body = node.body if isinstance(node.body, list) else [node.body]
            if any(_holds(part, place) for part in body):
                found = node
    return found


def probed(source: bytes, places: Mapping[Place, int]) -> ast.Module:
    """Return a module that calls a probe with a place's number before the statement, or lambda, that holds the place.

    >>> print(ast.unparse(probed(b"def f(a):\\n    b = 1\\n    return a", {Place("", 3, 11): 7})))
    def f(a):
        b = 1
        _reached(7)
        return a
    """
    tree = ast.parse(source)
    for place, number in places.items():
        function = innermost(tree, place)
        if isinstance(function, ast.Lambda):
            body = function.body
            function.body = ast.copy_location(ast.BoolOp(ast.Or(), [_located(_call(number), body), body]), body)
        elif function is not None:
            body = function.body
            while True:
                statement = next(node for node in body if _holds(node, place))
                blocks = (value for _, value in ast.iter_fields(statement) if isinstance(value, list) and value)
                inner = [value for value in blocks if isinstance(value[0], ast.stmt)]
                for part in ast.iter_child_nodes(statement):
                    if isinstance(part, ast.ExceptHandler | ast.match_case):
                        inner.append(part.body)
                within = next((one for one in inner if any(_holds(node, place) for node in one)), None)
                if within is None:
                    break
                body = within
            body.insert(body.index(statement), _located(ast.Expr(_call(number)), statement))
    return tree


def _call(number: int) -> ast.Call:
    return ast.Call(ast.Name(PROBE, ast.Load()), [ast.Constant(number)], [])


def _located(node: Any, at: ast.expr | ast.stmt) -> Any:
    """A node that lies at the start of another and takes no room, so that no place lies in it."""
    node.lineno = node.end_lineno = at.lineno
    node.col_offset = node.end_col_offset = at.col_offset
    return ast.fix_missing_locations(node)


# Exchanging the code of functions that are loaded ---------------------------------------------------------------------


def loaded_functions(root: Path) -> dict[str, list[types.FunctionType]]:
    """Return the functions of the package that are loaded, by file."""
    gc.unfreeze()  # get_objects() leaves out what is frozen, which tests/conftest.py does with all that is loaded
    found: dict[str, list[types.FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is types.FunctionType and one.__code__.co_filename.startswith(f"{root}/layerexplain/"):
            found.setdefault(one.__code__.co_filename.removeprefix(f"{root}/"), []).append(one)
    return found


def compiled(source: bytes | ast.Module, path: str) -> types.CodeType:
    """Return the code of a module as an import has it: without what `from __future__` says in this one."""
    return compile(source, path, "exec", dont_inherit=True)


def exchange(functions: Sequence[types.FunctionType], old: types.CodeType, new: types.CodeType) -> None:
    """Give functions that have the code of one module the code of another."""
    pairs = dict(_pairs(old, new))
    for function in functions:
        code = pairs.get(function.__code__)
        if code is not None and len(code.co_freevars) == len(function.__code__.co_freevars):
            function.__code__ = code


def _pairs(old: types.CodeType, new: types.CodeType) -> Iterator[tuple[types.CodeType, types.CodeType]]:
    """The code objects that differ, old and new, however deep."""
    if old != new:
        yield old, new
    inner = [[c for c in code.co_consts if isinstance(c, types.CodeType)] for code in (old, new)]
    if [c.co_name for c in inner[0]] == [c.co_name for c in inner[1]]:
        for a, b in zip(*inner, strict=True):
            yield from _pairs(a, b)
