"""The small faults that one source file can be given: each is a piece of the text and what stands there instead.

Every change keeps the number of lines, so that line numbers mean the same before and after. Docstrings, annotations,
`__repr__`, assertions, blocks for type checkers and the wording of errors are left alone: no test is meant to notice.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple


class Change(NamedTuple):
    """One fault. Offsets are in bytes; `statement` is the range of lines of the statement around it."""

    line: int
    statement: tuple[int, int]
    kind: str
    start: int
    end: int
    new: bytes

    def applied(self, source: bytes) -> bytes:
        """The source with the fault in it."""
        return source[: self.start] + self.new + source[self.end :]


_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
_COMPUTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_IN_ANY_ORDER = {"gcd", "isclose", "lcm", "max", "min"}
_NO_EFFECT = {"maxsize", "stacklevel", "buffering", "strict"}
"""Arguments that no output depends on: `strict` of zip() states what holds."""


def changes(source: bytes) -> list[Change]:
    """All faults that this source can be given, in the order of the text.

    >>> [(one.kind, one.applied(b"y = a < 3").decode()) for one in changes(b"y = a < 3")]
    [('compare', 'y = a <= 3'), ('constant', 'y = a < 4')]
    """
    found = list(_Finder(source).statements(ast.parse(source).body))
    return sorted(dict.fromkeys(found), key=lambda one: (one.start, one.end, one.new))


class _Finder:
    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    # Places ---------------------------------------------------------------------------------------------------------

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def _change(self, node: ast.expr | ast.stmt, kind: str, span: tuple[int, int], new: bytes | str) -> Change:
        start, end = span
        new = new.encode() if isinstance(new, str) else new
        missing = self.source[start:end].count(b"\n") - new.count(b"\n")
        line = self.source[:start].count(b"\n") + 1
        return Change(line, self.statement, kind, start, end, new + b"\n" * missing)

    def _between(self, left: ast.expr, right: ast.expr, pattern: str, plain: bool) -> tuple[int, int] | None:
        start, end = self._span(left)[1], self._span(right)[0]
        match = re.search((re.escape(pattern) if plain else rf"\b{pattern}\b").encode(), self.source[start:end])
        return None if match is None else (start + match.start(), start + match.end())

    # Statements -----------------------------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt]) -> Iterator[Change]:
        for node in body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            yield from self._statement(node)

    def _statement(self, node: ast.stmt) -> Iterator[Change]:
        last = node.end_lineno or node.lineno
        self.statement = (node.lineno, last)
        if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Pass):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name == "__repr__" or any("overload" in ast.unparse(one) for one in node.decorator_list):
                return
            self.statement = (node.lineno, node.body[0].lineno)
            for inner in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
                yield from self._expression(inner)
            yield from self.statements(node.body)
            return
        if isinstance(node, ast.ClassDef):
            for inner in node.decorator_list:
                yield from self._expression(inner)
            yield from self.statements(node.body)
            return
        if isinstance(node, ast.Raise):
            yield self._change(node, "raise removed", self._span(node), "pass")
            return
        if isinstance(node, ast.Continue | ast.Break):
            yield self._change(node, "statement removed", self._span(node), "pass")
            return
        if isinstance(node, ast.If | ast.While):
            if "TYPE_CHECKING" in ast.unparse(node.test):
                return
            self.statement = (node.lineno, node.test.end_lineno or node.lineno)
            yield from self._condition(node.test)
            yield from self._expression(node.test)
            yield from self.statements(node.body)
            yield from self.statements(node.orelse)
            return
        yield from self._removed(node)
        for _, value in ast.iter_fields(node):
            for inner in value if isinstance(value, list) else [value]:
                if inner is getattr(node, "annotation", None):
                    continue
                if isinstance(inner, ast.expr):
                    self.statement = (node.lineno, inner.end_lineno or node.lineno)
                    yield from self._expression(inner)
                elif isinstance(inner, ast.stmt):
                    yield from self.statements([inner])
                elif isinstance(inner, ast.ExceptHandler | ast.match_case):
                    if isinstance(inner, ast.match_case) and inner.guard is not None:
                        yield from self._expression(inner.guard)
                    yield from self.statements(inner.body)
                elif isinstance(inner, ast.withitem):
                    yield from self._expression(inner.context_expr)

    def _removed(self, node: ast.stmt) -> Iterator[Change]:
        """The statement taken out, or what it returns."""
        if isinstance(node, ast.Return) and node.value is not None:
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                yield self._change(node, "return None", self._span(node.value), "None")
            return
        call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        stores = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
        if call or stores or isinstance(node, ast.AugAssign):
            yield self._change(node, "statement removed", self._span(node), "pass")

    # Expressions ----------------------------------------------------------------------------------------------------

    def _condition(self, test: ast.expr) -> Iterator[Change]:
        """A plain condition turned round; comparisons and `not` have changes of their own."""
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant | ast.NamedExpr):
            start, end = self._span(test)
            yield self._change(test, "condition", (start, end), b"(not " + self.source[start:end] + b")")

    def _expression(self, node: ast.AST) -> Iterator[Change]:
        if isinstance(node, ast.JoinedStr | ast.FormattedValue):
            return  # positions inside are not to be had before Python 3.12
        if isinstance(node, ast.keyword) and node.arg in _NO_EFFECT:
            return
        if isinstance(node, ast.Compare):
            for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators, strict=False):
                old, new = _COMPARED[type(op)]
                span = self._between(left, right, old, plain=not old[0].isalpha())
                if span is not None:
                    yield self._change(node, "compare", span, new)
                for text in (left, right):
                    yield from self._word(text)
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                span = self._between(left, right, old, plain=False)
                if span is not None:
                    yield self._change(node, "and/or", span, new)
        elif isinstance(node, ast.BinOp):
            pair = _COMPUTED.get(type(node.op))
            texts = any(isinstance(n, ast.JoinedStr) or _is_text(n) for n in (node.left, node.right))
            span = None if pair is None or texts else self._between(node.left, node.right, pair[0], plain=True)
            if pair is not None and span is not None:
                yield self._change(node, "arithmetic", span, pair[1])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            start, _ = self._span(node)
            kind, width = ("not dropped", 3) if isinstance(node.op, ast.Not) else ("sign dropped", 1)
            yield self._change(node, kind, (start, start + width), " ")
        elif isinstance(node, ast.IfExp):
            yield from self._condition(node.test)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            for part in node.generators:
                for test in part.ifs:
                    yield from self._condition(test)
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                if key is not None:
                    yield from self._word(key)
        elif isinstance(node, ast.Subscript):
            yield from self._word(node.slice)
        for child in ast.iter_child_nodes(node):
            yield from self._expression(child)

    def _word(self, node: ast.expr) -> Iterator[Change]:
        """A string that is compared or looked up, rather than shown."""
        inner = node.elts if isinstance(node, ast.Tuple | ast.Set | ast.List) else [node]
        for one in inner:
            if _is_text(one) and isinstance(one, ast.Constant) and one.lineno == one.end_lineno:
                yield self._change(one, "word", self._span(one), repr(f"{one.value}_"))

    def _constant(self, node: ast.Constant) -> Iterator[Change]:
        value = node.value
        if isinstance(value, bool):
            yield self._change(node, "constant", self._span(node), str(not value))
        elif isinstance(value, int):
            yield self._change(node, "constant", self._span(node), str(value + 1))
        elif isinstance(value, float):
            yield self._change(node, "constant", self._span(node), repr(value * 2 + 1))

    def _call(self, node: ast.Call) -> Iterator[Change]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("cast", "TypeVar", "isinstance", "issubclass"):
            return
        if name in _RENAMED:
            yield self._change(node, "call", self._span(node.func), _RENAMED[name])
        plain = [a for a in node.args if not isinstance(a, ast.Starred | ast.GeneratorExp)]
        ordered = name not in _IN_ANY_ORDER and not all(isinstance(a, ast.Constant) for a in node.args)
        if ordered and len(plain) == len(node.args) >= 2 and ast.dump(plain[0]) != ast.dump(plain[1]):
            (a, b), (c, d) = self._span(plain[0]), self._span(plain[1])
            text = self.source
            yield self._change(node, "arguments swapped", (a, d), text[c:d] + text[b:c] + text[a:b])
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            yield from self._word(node.args[0])
        parts: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        if isinstance(node.func, ast.Name | ast.Attribute):
            for keyword in node.keywords:
                index = parts.index(keyword)
                if keyword.arg is None or keyword.arg in _NO_EFFECT or index == 0:
                    continue
                span = self._span(parts[index - 1])[1], self._span(keyword)[1]
                if b"#" not in self.source[span[0] : span[1]] and self.source[span[0] : span[0] + 1] == b",":
                    yield self._change(node, "argument dropped", span, "")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
