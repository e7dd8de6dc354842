"""Sizes that remember how they were computed: what is derived of them once holds for many numbers in their place.

A layer is traced and explained with numbers that are also names: 13 rows that know that they are the first slider. All
that is computed of them is a number that knows its expression; what is written of them is text with marks in which the
expressions stand. Where the program compares such a number, it goes one way, and what it found there is a condition:
for all other numbers of which the same conditions hold, the program would go the same way, so that the text with their
values in its marks is what it would have said. Nothing has to say a rule of a layer a second time for it.

`Sizes` are the expressions of many such runs; a `Recording` is one of them, with the conditions on which what it gave
rests. What cannot be written as an expression (a root, say) is computed of the number as it is, under the condition
that the number is this one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from layerexplain.lang.axes import OpenNumber, exact

if TYPE_CHECKING:
    from layerexplain.lang.expr import Expr

Node = int | tuple[str, int, int] | str
"""A number, the name of a size, or an operation on two nodes before it: + - * // % min."""

Condition = tuple[str, int, bool]
"""`==` or `<`, the node that is compared with 0, and whether it holds."""

MARKS = "\ue010", "\ue011", "\ue012"
"""In texts a size is its node between the first two, with `,` behind it where thousands are separated. The third stands
before the node of a number that is no text."""

_FRACTION = "a fraction"

_MARK = re.compile("\ue010([0-9]+)(,?)\ue011")


class Sizes:
    """The expressions of open sizes, each once: what they are computed of stands before them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers: dict[Node, int] = {}
        self.exact: dict[int, int] = {}
        self._combined: dict[tuple[str, int, int], int] = {}

    def set_exact(self, exact: dict[int, int]) -> None:
        """Say which nodes are one number, by the number's node."""
        if exact != self.exact:
            self.exact = exact
            self._combined = {}

    def number(self, node: Node) -> int:
        """Return the number of a node, and add it."""
        at = self._numbers.setdefault(node, len(self.nodes))
        if at == len(self.nodes):
            self.nodes.append(node)
        return at

    def combined(self, sign: str, a: int, b: int) -> int:
        """Return the node of an operation on two nodes, in a form in which equal ones are mostly the same node: with
        one number, added last, and none where an operation changes nothing."""
        key = sign, a, b
        known = self._combined.get(key)
        if known is None:
            known = self._combined[key] = self._new(sign, a, b)
        return known

    def _new(self, sign: str, a: int, b: int) -> int:
        a, b = self.exact.get(a, a), self.exact.get(b, b)
        left, right = self.nodes[a], self.nodes[b]
        if isinstance(left, int) and isinstance(right, int):
            return self.number(_OPERATIONS[sign](left, right))
        if sign in ("+", "-"):
            if a == b:
                return self.number(0) if sign == "-" else self._sum({a: 2})
            return self._sum({a: 1, b: 1 if sign == "+" else -1})
        if sign == "min":
            return a if a == b else self.number((sign, a, b))
        if sign == "*" and (isinstance(left, int) or (a > b and not isinstance(right, int))):
            a, b, left, right = b, a, right, left
        if right == 1:
            return self.number(0) if sign == "%" else a
        if right == 0 and sign == "*":
            return b
        if left == 0:
            return a
        if isinstance(right, int) and sign == "*":
            return self._sum({a: right})
        if isinstance(right, int) and right > 0:
            parts: dict[int, int] = {}
            constant = self._parts(a, 1, parts)
            if all([factor % right == 0 for factor in parts.values()]):
                whole = {part: factor // right for part, factor in parts.items()}
                return self.number(constant % right) if sign == "%" else self._sum(whole, constant // right)
        return self.number((sign, a, b))

    def difference(self, a: int, b: int) -> int:
        """Return the node of a difference."""
        return self.combined("-", a, b)

    def only_part(self, at: int) -> tuple[int, int] | None:
        """Return the one node that a node is a multiple of, plus a number, with the value where that one is 0."""
        parts: dict[int, int] = {}
        constant = self._parts(at, 1, parts)
        (part, factor), *others = [item for item in parts.items() if item[1]] or [(at, 1)]
        return None if others or constant % factor else (part, -constant // factor)

    def _sum(self, of: Mapping[int, int], constant: int = 0) -> int:
        """Return the node of a sum of nodes with factors: its parts are counted, so that what falls away is not
        there."""
        parts: dict[int, int] = {}
        constant += sum([self._parts(at, factor, parts) for at, factor in of.items()])
        result = None
        for part, factor in sorted(parts.items(), key=lambda item: (item[1] < 0, item[0])):
            if factor:
                size = part if abs(factor) == 1 else self.number(("*", part, self.number(abs(factor))))
                if result is None:
                    result = size if factor > 0 else self.number(("-", self.number(constant), size))
                    constant = constant if factor > 0 else 0
                else:
                    result = self.number(("-" if factor < 0 else "+", result, size))
        if result is None or not constant:
            return self.number(constant) if result is None else result
        return self.number(("-" if constant < 0 else "+", result, self.number(abs(constant))))

    def _parts(self, at: int, factor: int, parts: dict[int, int]) -> int:
        """Add to `parts` what a node is a sum of, each with its factor; returns the number in it."""
        at = self.exact.get(at, at)
        node = self.nodes[at]
        if isinstance(node, int):
            return factor * node
        if isinstance(node, tuple):
            sign, a, b = node
            if sign in ("+", "-"):
                return self._parts(a, factor, parts) + self._parts(b, factor if sign == "+" else -factor, parts)
            if a in self.exact or b in self.exact:
                return self._parts(self.combined(sign, a, b), factor, parts)
            if sign == "*" and isinstance(by := self.nodes[b], int):
                return self._parts(a, factor * by, parts)
        parts[at] = parts.get(at, 0) + factor
        return 0

    def value(self, at: int, given: Mapping[str, int], known: dict[int, int]) -> int:
        """Return the value of a node for numbers in place of the names; `known` are values that were computed before.
        Raises ZeroDivisionError where something is divided by zero."""
        if at not in known:
            node = self.nodes[at]
            if isinstance(node, int):
                known[at] = node
            elif isinstance(node, str):
                known[at] = given[node]
            else:
                known[at] = _OPERATIONS[node[0]](self.value(node[1], given, known), self.value(node[2], given, known))
        return known[at]

    def hold(self, conditions: Sequence[Condition], given: Mapping[str, int], known: dict[int, int]) -> bool:
        """Return whether all conditions hold for numbers in place of the names."""
        for sign, at, holds in conditions:
            value = self.value(at, given, known)
            if (value == 0 if sign == "==" else value < 0) is not holds:
                return False
        return True

    def holding(
        self, conditions: Sequence[Condition], given: Mapping[str, int], name: str, values: Sequence[int]
    ) -> list[int]:
        """Return those values of a name at which all conditions hold, the other names as they are given. Each node is
        computed once, for all values."""
        columns: dict[int, list[Any]] = {}

        def column(at: int) -> list[Any]:
            if at not in columns:
                node = self.nodes[at]
                if isinstance(node, tuple):
                    pairs = zip(column(node[1]), column(node[2]), strict=True)
                    columns[at] = [_applied(_OPERATIONS[node[0]], a, b) for a, b in pairs]
                elif node == name:
                    columns[at] = list(values)
                else:
                    columns[at] = [node if isinstance(node, int) else given[node]] * len(values)
            return columns[at]

        is_met = [True] * len(values)
        for sign, at, holds in conditions:
            for i, value in enumerate(column(at)):
                is_met[i] &= value is not None and (value == 0 if sign == "==" else value < 0) is holds
        return [value for value, holds in zip(values, is_met, strict=True) if holds]

    def filled(self, shown: Any, given: Mapping[str, int], known: dict[int, int]) -> Any:
        """Return what was written with marks, as JSON has it, with values in their places."""
        if isinstance(shown, str):
            if shown.startswith(MARKS[2]):
                return self.value(int(shown[1:]), given, known)
            return _MARK.sub(lambda mark: format(self.value(int(mark[1]), given, known), mark[2]), shown)
        if isinstance(shown, Mapping):
            return {key: self.filled(item, given, known) for key, item in shown.items()}
        return [self.filled(item, given, known) for item in shown] if isinstance(shown, list | tuple) else shown


class Recording:
    """One run with open sizes: the conditions that were found on its way, in this order."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._found: dict[Condition, None] = {}
        self.reasons: dict[int, str] = {}
        """Of nodes that are one number: what has no formula, "a root"."""
        sizes.set_exact({})

    def known(self, name: str, value: int) -> int:
        """Return a size that is this number alone, as all of the run is true only where it is."""
        self.found("==", self.sizes.number(name), self.sizes.number(value), True)
        return value

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions under which the run goes as it went."""
        return tuple(self._found)

    def size(self, name: str, value: int) -> int:
        """Return a size that is open: its number in this run, under its name."""
        return self.open(value, self.sizes.number(name))

    def open(self, value: int, node: int) -> int:
        """Return a number that is open, which goes where an int goes."""
        return cast(int, OpenSize(value, self, node))

    def compared(self, sign: str, a: int, b: int) -> bool | None:
        """Return whether a node equals another, or is less, where that is so for all sizes; None where it is not."""
        difference = self.sizes.nodes[self.sizes.difference(a, b)]
        if isinstance(difference, int):
            return difference == 0 if sign == "==" else difference < 0
        return None

    def found(self, sign: str, a: int, b: int, holds: bool) -> bool:
        """Note a condition on two nodes and return whether it holds."""
        if self.compared(sign, a, b) is None:
            at = self.sizes.difference(*sorted((a, b)) if sign == "==" else (a, b))
            self._found.setdefault((sign, at, holds))
            only = self.sizes.only_part(at) if sign == "==" and holds else None
            if only is not None:  # of one number there is nothing more to compute
                self.sizes.set_exact({**self.sizes.exact, only[0]: self.sizes.number(only[1])})
        return holds

    def node(self, value: Any) -> int:
        """Return the node of a number, open or not."""
        if type(value) is OpenSize and value.recording is self:
            return self.sizes.exact.get(value.node, value.node)
        return self.sizes.number(_number(value))


class OpenSize(OpenNumber):
    """A number that knows how it was computed of the sizes that are open in a run. It says that it is an int; were it
    one, C would read its number unasked: a float that is added to it, `range`, `gcd`, a list that is repeated. So these
    ask by `__index__` or `__float__`, which is a condition.

    >>> run = Recording(Sizes())
    >>> rows = run.size("rows", 13)
    >>> text = f"{(rows - 3) // 2 + 1} windows" if rows > 3 else "no window"
    >>> run.sizes.filled(text, {"rows": 29}, {}), run.sizes.hold(run.conditions, {"rows": 3}, {})
    ('14 windows', False)
    """

    def __init__(self, value: int, recording: Recording, node: int) -> None:
        self.value = value
        self.recording = recording
        self.node = node

    __class__ = property(lambda self: int)  # what isinstance asks

    def __hash__(self) -> int:
        # What is remembered by a size is remembered by how it was computed, and in one run alone: in another, other
        # conditions may hold.
        return hash((id(self.recording), self.node))

    def __reduce__(self) -> Any:
        return int, (self.exact(),)

    def exact(self, why: str = "") -> int:
        """Return the number alone, under the condition that it is this one. `why` names what has no formula."""
        number = self.recording.sizes.number(self.value)
        if self.recording.compared("==", self.node, number) is None:
            self.recording.reasons.setdefault(self.node, why)
            self.recording.found("==", self.node, number, True)
        return self.value

    def smaller(self, other: int) -> int:
        """Return the smaller of this size and another, without a condition."""
        return self._with("min", self, other)

    def __pos__(self) -> OpenSize:
        return self

    def __neg__(self) -> Any:
        return self._with("-", 0, self)

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __eq__(self, other: object) -> Any:
        return self._compared("==", other)

    def __ne__(self, other: object) -> Any:
        result = self._compared("==", other)
        return result if result is NotImplemented else not result

    def __lt__(self, other: Any) -> Any:
        return self._compared("<", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared("<", other, turned=True)

    def __le__(self, other: Any) -> Any:
        result = self._compared("<", other, turned=True)
        return result if result is NotImplemented else not result

    def __ge__(self, other: Any) -> Any:
        result = self._compared("<", other)
        return result if result is NotImplemented else not result

    def _compared(self, sign: str, other: Any, turned: bool = False) -> Any:
        """Compare with another number, which stands in front where they are `turned`."""
        if not isinstance(other, int):
            if not isinstance(other, float):
                return NotImplemented
            here = self.exact(_FRACTION)
            return here == other if sign == "==" else other < here if turned else here < other
        of = self.recording
        a, b, here, there = of.node(self), of.node(other), self.value, _number(other)
        if turned:
            a, b, here, there = b, a, there, here
        return of.found(sign, a, b, here == there if sign == "==" else here < there)

    def __repr__(self) -> str:
        return format(self, "")

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        # Words depend on whether there is one, or none.
        if spec not in ("", ",") or self == 1 or self == 0:
            return format(self.exact(), spec)
        return f"{MARKS[0]}{self.node}{spec}{MARKS[1]}"

    def __deepcopy__(self, known: Any) -> OpenSize:
        return self

    def _with(self, sign: str, left: Any, right: Any) -> int:
        """Return the result of an operation on this size and another number."""
        of = self.recording
        if sign in ("//", "%"):
            _ = right == 0  # an error where it is 0, and only there
        value = _OPERATIONS[sign](_number(left), _number(right))
        node = of.sizes.combined(sign, of.node(left), of.node(right))
        known = of.sizes.nodes[node]
        return known if isinstance(known, int) else of.open(value, node)


def names_in(leaves: Iterable[Expr]) -> set[str]:
    """Return the names in a formula, which no letter may have: those of leaves, and of the sizes in their shapes."""
    leaves = list(leaves)
    runs = {id(size.recording): size.recording for e in leaves for size in e.shape if type(size) is OpenSize}
    sizes = {node for run in runs.values() for node in run.sizes.nodes if isinstance(node, str)}
    return sizes | {str(e.label) for e in leaves}


def _number(value: Any) -> int:
    """Return the number of this run, without a condition."""
    number: int = value.value if type(value) is OpenSize else +value
    return number


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "min": min,
}


def _applied(operation: Callable[[Any, Any], Any], a: int | None, b: int | None) -> Any:
    """Return the result of an operation; None where something was divided by zero."""
    try:
        return None if a is None or b is None else operation(a, b)
    except ZeroDivisionError:
        return None


def _operation(sign: str, turned: bool) -> Callable[[OpenSize, Any], Any]:
    def applied(self: OpenSize, other: Any) -> Any:
        if isinstance(other, int):
            return self._with(sign, other, self) if turned else self._with(sign, self, other)
        return exactly(self, other) if isinstance(other, float) else NotImplemented

    exactly = _exactly(_OPERATIONS[sign], turned, _FRACTION)
    return applied


def _exactly(function: Callable[..., Any], turned: bool = False, why: str = "") -> Callable[..., Any]:
    """Compute a function of the number as it is, under the condition that it is this one."""

    def applied(self: OpenSize, *others: Any) -> Any:
        known = [exact(item, why) for item in others]
        return function(*known, self.exact(why)) if turned else function(self.exact(why), *known)

    return applied


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("floordiv", "//"), ("mod", "%")):
    setattr(OpenSize, f"__{_name}__", _operation(_sign, False))
    setattr(OpenSize, f"__r{_name}__", _operation(_sign, True))
for _name, _function in (
    *(("truediv", operator.truediv), ("pow", pow), ("divmod", divmod), ("lshift", operator.lshift)),
    *(("rshift", operator.rshift), ("and", operator.and_), ("or", operator.or_), ("xor", operator.xor)),
):
    _why = {"truediv": _FRACTION, "pow": "a power"}.get(_name, "")
    setattr(OpenSize, f"__{_name}__", _exactly(_function, why=_why))
    setattr(OpenSize, f"__r{_name}__", _exactly(_function, turned=True, why=_why))
for _name in ("invert", "int", "float", "index", "trunc", "ceil", "floor", "round"):
    _why = {"float": "a root or a fraction", "index": "a number of repetitions or a position"}.get(_name, "")
    setattr(OpenSize, f"__{_name}__", _exactly(getattr(int, f"__{_name}__"), why=_why))
for _name in ("bit_length", "to_bytes", "conjugate"):
    setattr(OpenSize, _name, _exactly(getattr(int, _name)))
for _name in ("numerator", "real"):
    setattr(OpenSize, _name, property(OpenSize.exact))
for _name, _value in (("denominator", 1), ("imag", 0)):
    setattr(OpenSize, _name, _value)


def marked(shown: Any) -> Any:
    """Return what is shown, as JSON has it, with numbers that are open as their marks."""
    if type(shown) is OpenSize:
        return f"{MARKS[2]}{shown.node}"
    if isinstance(shown, Mapping):
        return {key: marked(value) for key, value in shown.items()}
    return [marked(item) for item in shown] if isinstance(shown, list | tuple) else shown
