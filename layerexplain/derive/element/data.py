"""The element form as plain data, from which a program in any language finds what an element reads, and its value.

`element_data` gives a mapping that is JSON as it is; no rule of any layer is needed to work with it. The evaluator of
the page, `render/page/js/element.js`, is its reference.

    {"params": 1                              so many of the tensors are arguments
     "tensors": [[name, sizes, roles, grid], …]   params, weights, then constants
     "values": {"3": [0.5, 0.25]},           constants as nested lists, null for one that is too large
     "lines": [{"name", "letters": [[letter, size, role], …], "grid", "value": scalar, "text": template, …}, …],
     "functions": [[name, scalar], …],
     "results": [number of a line, …]}

Sizes are null where they are not known; the batch is null too. `grid` are the two axes by which a tensor is drawn as
rows and columns, null for none. A line that cannot be written has a `refusal` instead
of a `value`. A state of a recurrence has its `start`, the scalar at steps before 0, or from the step `after` on; `step`
is the place of the step in its index.

A scalar is one of

    3.5, true, ["#", "inf"]                 a constant
    [t, index, …]                           an element of tensor t; from the number of tensors on, of a line
    ["fold", kind, letters, conditions, scalar]   over letters: sum, mean, prod, max, min, any, all
    ["if", conditions, scalar, scalar]      a choice
    ["at", index]                           an index as a value
    ["f", number, scalar, …]                a function; in its body ["$", i] is argument i
    ["+", scalar, …]                        an elementwise op: + - * /, or its name; `cast` has the dtype behind it

An index is a number, a letter, or [constant, factor, atom, factor, atom, …], where an atom is a letter, ["/", index,
by], ["%", index, by], or ["v", scalar, template]: a value that is looked up. A condition is ["in", index, low, high,
pads], low ≤ index < high (null: not known), ["by", index, n] (n divides the index), or ["is", scalar]; `pads` is 1
where the index is that of a window, so that what lies outside is padding.

A template is a list of texts and holes; in a text, {i} is the letter i. A hole is [index], or [conditions, template,
template, template]: a choice as a whole, its first case, its second; in the whole, true is the first case and false
the second. In the template `numbers`, a number i is the i-th fold or element outside folds, in the order of the
scalar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from layerexplain.derive.element.form import ElementForm, ElementLine, element_of
from layerexplain.derive.element.text import Printer, window_role
from layerexplain.derive.roles import input_roles
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT, WEIGHT, Expr
from layerexplain.lang.notation import BoundText
from layerexplain.records import NamedTuple

MOST_CONSTANTS = 4096
"""A constant tensor with more values is named without them."""

_SIGNS: Final = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def element_data(form: ElementForm, *, numbers: bool = False) -> dict[str, Any]:
    """Return an element form without calls (`opened`) as data, as the module says; with `numbers`, lines have the
    template of their numbers too."""
    return _Data(form, numbers).data()


class _Data:
    def __init__(self, form: ElementForm, numbers: bool) -> None:
        self.form = form
        self.numbers = numbers
        definition = form.definition
        self.tensors: dict[Any, int] = {}
        for leaf in (*definition.leaves, *_constants(form)):
            self.tensors.setdefault(leaf, len(self.tensors))
        self.lines = {line: len(self.tensors) + i for i, line in enumerate(form.lines)}
        self.functions: dict[Definition, tuple[int, list[Any]]] = {}

    def data(self) -> dict[str, Any]:
        form = self.form
        results: dict[str, Any] = {
            "params": len(form.definition.params),
            "tensors": [self.tensor(leaf) for leaf in self.tensors],
            "lines": [self.line(line) for line in form.lines],
            "results": [self.lines[line] - len(self.tensors) for line in form.outputs],
        }
        values = {
            str(i): _listed(leaf.attrs["value"]) if math.prod(leaf.shape) <= MOST_CONSTANTS else None
            for leaf, i in self.tensors.items()
            if leaf.op is CONSTANT
        }
        if values:
            results["values"] = values
        if self.functions:
            results["functions"] = [function for _, function in self.functions.values()]
        return results

    def tensor(self, leaf: Expr) -> list[Any]:
        definition = self.form.definition
        if leaf in definition.params:
            roles = input_roles(leaf, definition)
        elif leaf.op is WEIGHT:
            roles = tuple([str(factors[-1][0]) for factors in leaf.attrs["axes"]])
        else:
            roles = ("",) * leaf.ndim
        sizes = [size if isinstance(size, int) else None for size in leaf.shape]
        return [str(leaf.label or "constant"), sizes, list(roles), grid_axes(roles, sizes)]

    def line(self, line: ElementLine) -> dict[str, Any]:
        writer = _Templates(self, line)
        result: dict[str, Any] = {
            "name": line.name,
            "letters": [[writer.taken[letter], letter.size, letter.role] for letter in line.letters],
            "grid": grid_axes([letter.role for letter in line.letters], [letter.size for letter in line.letters]),
        }
        if line.value is None:
            return {**result, "refusal": line.refusal}
        result["value"] = self.scalar(line.value, writer, writer.taken)
        result["text"] = writer.template(line.value)
        if self.numbers:
            result["numbers"] = writer.numbers(line.value)
        if line.start is not None:
            result["start"] = self.scalar(line.start, writer, writer.taken)
            result["step"] = line.step
            if line.after is not None:
                result["after"] = self.index(line.after, writer, writer.taken)
        return result

    # Scalars ------------------------------------------------------------------------------------------------------

    def scalar(self, e: Any, writer: _Templates, names: dict[sc.Letter, str]) -> Any:
        if isinstance(e, sc.Number):
            return constant(e.value)
        if isinstance(e, _Argument):
            return ["$", e.number]
        if isinstance(e, sc.Element):
            of = self.lines[e.of] if isinstance(e.of, ElementLine) else self.tensors[e.of]
            return [of, *[self.index(i, writer, names) for i in e.index]]
        if isinstance(e, sc.Apply):
            args = [self.scalar(a, writer, names) for a in e.args]
            return [_SIGNS.get(e.op.name, e.op.name), *args, *e.attrs.values()]
        if isinstance(e, sc.Fold):
            inside = writer.inside(e, names)
            letters = [[inside[letter], letter.size, letter.role] for letter in e.letters if inside[letter]]
            conditions = self.conditions(e.conditions, writer, inside)
            return ["fold", e.kind, letters, conditions, self.scalar(e.body, writer, inside)]
        if isinstance(e, sc.NamedFunction):
            definition = e.node.attrs["definition"]
            return ["f", self.function(definition, writer), *[self.scalar(a, writer, names) for a in e.args]]
        if isinstance(e, sc.Position):
            return ["at", self.index(e.index, writer, names)]
        parts = [self.scalar(part, writer, names) for part in (e.body, e.otherwise)]
        return ["if", self.conditions(e.conditions, writer, names), *parts]

    def function(self, definition: Definition, writer: _Templates) -> int:
        """Return the number of a scalar function, and add it."""
        if definition not in self.functions:
            entry: list[Any] = [definition.name]
            self.functions[definition] = len(self.functions), entry
            (result,) = definition.results.values()
            arguments = {param: i for i, param in enumerate(definition.params)}
            known: dict[Expr, Any] = {}

            def body(node: Expr, index: sc.Index) -> Any:
                if node in arguments:
                    return _Argument(arguments[node])
                if node not in known:
                    known[node] = element_of(node, index, body)
                return known[node]

            index = tuple([sc.number(0)] * len(result.shape))
            entry.append(self.scalar(body(result, index), writer, {}))
        return self.functions[definition][0]

    def index(self, a: sc.Affine, writer: _Templates, names: dict[sc.Letter, str]) -> Any:
        """Return an index; letters of axes of size 1 are 0 and left out."""
        results: list[Any] = [a.const]
        for atom, factor in a.terms:
            if isinstance(atom, sc.Letter):
                name = "T" if atom.role == "last step" else names[atom]
                results += [factor, name] if name else []
            elif isinstance(atom, sc.Quotient):
                results += [factor, ["%" if atom.rest else "/", self.index(atom.of, writer, names), atom.by]]
            else:
                looked_up = ["v", self.scalar(atom.value, writer, names), writer.template(atom.value, names)]
                results += [factor, looked_up]
        if len(results) == 1:
            return a.const
        return results[2] if len(results) == 3 and results[:2] == [0, 1] and isinstance(results[2], str) else results

    def conditions(self, every: Sequence[sc.Condition], writer: _Templates, names: dict[sc.Letter, str]) -> list[Any]:
        conditions: list[Any] = []
        for c in every:
            if isinstance(c, sc.Holds):
                conditions.append(["is", self.scalar(c.value, writer, names)])
            elif isinstance(c, sc.Divisible):
                conditions.append(["by", self.index(c.index, writer, names), c.by])
            else:
                conditions.append(["in", self.index(c.index, writer, names), c.low, c.high, int(bool(window_role(c)))])
        return conditions


_PLACES: Final = ("steps", "planes", "rows", "columns", "window", "interval")
"""Roles of axes along which a tensor is a sequence or a picture; along others it is a list of numbers."""


def grid_axes(roles: Sequence[str], sizes: Sequence[int | None]) -> list[int | None]:
    """Return the axes that are drawn as the rows and the columns of a tensor; None where it is not drawn so.

    >>> grid_axes(("batch", "rows", "columns", "channels"), (None, 28, 28, 3))
    [1, 2]
    >>> grid_axes(("batch", "units"), (None, 10)), grid_axes(("batch", "heads", "steps", "per head"), (None, 4, 9, 16))
    ([None, 1], [2, 3])
    >>> grid_axes(("batch", "steps", "features"), (None, 12, 1))
    [1, 2]
    """
    long = [axis for axis, size in enumerate(sizes) if size != 1 and roles[axis] != "batch"]
    places = [axis for axis in long if roles[axis] in _PLACES]
    if len(long) > 2:
        others = [axis for axis in long if axis not in places]
        long = places[-2:] if len(places) > 1 else [*places, *others][:1] + others[-1:] if places else others[-2:]
    if len(long) == 1 and places and long[0] + 1 < len(sizes):
        long = [long[0], len(sizes) - 1]  # a column, beside tensors with the same places
    return [None, None, *long][-2:]


class _Argument(NamedTuple):
    """An argument of a scalar function."""

    number: int


def constant(value: Any) -> Any:
    """Return a number as JSON has it; infinities and NaN by name."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return ["#", "nan" if value != value else "inf" if value > 0 else "-inf"]
    if isinstance(value, float) and value == int(value) and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, bool | int | float) else ["#", str(value)]


def _listed(value: Any) -> Any:
    """Return the values of a constant tensor as nested lists."""
    return [_listed(item) for item in value] if isinstance(value, tuple) else constant(value)


def _constants(form: ElementForm) -> Iterator[Expr]:
    for line in form.lines:
        for scalar in (line.value, line.start):
            for part in sc.parts(scalar) if scalar is not None else ():
                if isinstance(part, sc.Element) and isinstance(part.of, Expr) and part.of.op is CONSTANT:
                    yield part.of


# Templates ----------------------------------------------------------------------------------------------------------

_HOLE: Final = re.compile("\ue000([0-9]+)\ue001")


class _Templates(Printer):
    """Write a line with holes in place of indices, choices, and, for numbers, of folds and elements."""

    def __init__(self, data: _Data, line: ElementLine) -> None:
        super().__init__(data.form, {})
        self.data = data
        self.taken = self.letters(line)
        self.holes: list[Any] = []
        self.values: dict[int, int] = {}

    def template(self, e: sc.Scalar, names: dict[sc.Letter, str] | None = None) -> list[Any]:
        """Return a scalar as a template."""
        return self._filled(self.text(e, self.taken if names is None else names))

    def numbers(self, e: sc.Scalar) -> list[Any]:
        """Return a scalar as a template in which folds and elements are numbers."""
        for i, part in enumerate(values_in(e)):
            self.values.setdefault(id(part), i)
        try:
            return self.template(e)
        finally:
            self.values = {}

    def _filled(self, text: str) -> list[Any]:
        results: list[Any] = [""]
        for i, part in enumerate(_HOLE.split(text)):
            what = self.holes[int(part)] if i % 2 else part
            if isinstance(what, str) and isinstance(results[-1], str):
                results[-1] += what
            else:
                results.append(what)
        return [part for part in results if part != ""]

    def _hole(self, what: Any) -> str:
        self.holes.append(what)
        return f"\ue000{len(self.holes) - 1}\ue001"

    def index(self, index: sc.Affine, names: Any) -> str:
        written = self.data.index(index, self, names)
        if isinstance(written, int):
            return str(written)
        return self._hole(f"{{{written}}}" if isinstance(written, str) else [written])

    def written(self, e: sc.Scalar, names: dict[sc.Letter, str]) -> BoundText:
        if id(e) in self.values:
            return BoundText(self._hole(self.values[id(e)]))
        if isinstance(e, sc.Position) and len(e.index.terms) < 2:
            return BoundText(self.index(e.index, names))
        return super().written(e, names)

    def guard(self, e: sc.Guard, names: dict[sc.Letter, str]) -> BoundText:
        body, otherwise = self.written(e.body, names), self.text(e.otherwise, names)
        # Each case is written once: choices in choices would double with each.
        whole = self.choice(e, BoundText(self._hole(True), body.bind), self._hole(False), names)
        conditions = self.data.conditions(e.conditions, self, names)
        templates = [self._filled(text) for text in (whole.text, body.text, otherwise)]
        return BoundText(self._hole([conditions, *templates]), whole.bind)


def values_in(e: Any) -> Iterator[Any]:
    """Yield the folds and elements of a scalar that are not inside another fold, in its order."""
    if isinstance(e, sc.Fold | sc.Element):
        yield e
    elif isinstance(e, sc.Apply | sc.NamedFunction):
        for part in e.args:
            yield from values_in(part)
    elif isinstance(e, sc.Guard):
        yield from values_in(e.body)
        yield from values_in(e.otherwise)
