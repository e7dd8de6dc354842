"""A layer in short, for the tour: its operation, how its shape is computed, and its parameters as a product."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from math import gcd

from layerexplain.derive.gist import main_statement
from layerexplain.derive.shape_reasons import AxisReason
from layerexplain.lang.axes import GONE
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.report.data import LayerReport
from layerexplain.suggest import in_a_row

_Term = tuple[tuple[str, int], ...]
"""The named sizes of a weight."""

_LEAST_FACTORED = 3
"""From so many different weights on, sizes that all have are taken out of the sum."""

_IS_PLAIN = re.compile(r"kept|axis of \w+$")
"""Axes that need no explanation: those of the input, or of a weight that is the result."""


def computes(definition: Definition, row: LayerReport) -> str:
    """Return the statement that gives the first result; the operation for a layer that returns its input, and for one
    of several statements whose gist names what they compute together."""
    gist = definition.gist
    loops = any(line.startswith("for ") for line in row.formula)
    if gist is not None and "{formula}" not in gist.template and len(row.formula) > 1 and not loops:
        return row.operation
    statement = main_statement(definition, row.formula)
    return row.operation if statement.isidentifier() or statement.startswith("transpose(y") else statement


def shape_line(axes: Sequence[AxisReason]) -> str:
    """Return how the axes of a result come about in one line, "" where all are kept.

    >>> shape_line([AxisReason(role, "28", "26", "28 - 3 + 1 = 26") for role in ("rows", "columns")])
    '28 - 3 + 1 = 26 rows and columns'
    >>> shape_line([AxisReason("steps", "9", "9", "kept"), AxisReason("features", "5", "6", "units = 6")])
    '9 steps kept; 6 features, one per unit'
    >>> shape_line([AxisReason(role, "3", "1", "3 - 3 + 1 = 1") for role in ("rows", "columns")])
    '3 - 3 + 1 = 1 row and column'
    >>> shape_line([AxisReason(role, "6", "2", "6 becomes 2 × 3") for role in ("rows", "columns")])
    '6 becomes 2 × 3, in the same order'
    >>> shape_line([AxisReason("steps", "9", "9", "kept; 'same' pads 1 before and 1 after")])
    "9 steps kept ('same')"
    >>> shape_line([AxisReason("steps", "9", "removed", "all 9 are averaged")])
    'all 9 steps are averaged'
    >>> shape_line([AxisReason("features", "5", "5", "was axis 2"), AxisReason("steps", "9", "9", "was axis 1")])
    '5 features, axis 2 of the input; 9 steps, axis 1 of the input'
    >>> shape_line([AxisReason(role, "28", "20", "28 resized to 20") for role in ("rows", "columns")])
    'rows and columns: 28 resized to 20'
    >>> shape_line([AxisReason("features", "new", "2000", "features = 2000")])
    '2,000 new features'
    """
    if laid := [axis.why for axis in axes if " becomes " in axis.why]:
        new = [f"new axis of {axis.after}" for axis in axes if axis.before == "new"]
        return with_separators("; ".join(dict.fromkeys([*[f"{why}, in the same order" for why in laid], *new])))
    if all(_IS_PLAIN.match(axis.why) and "pads" not in axis.why for axis in axes):
        return ""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for axis in axes:
        if axis.after == GONE and ", then " in axis.why:  # multiplied with a weight, then summed
            continue
        groups.setdefault((axis.before, axis.after, axis.why), []).append(axis.role)
    parts = [_axes_text(*group, in_a_row(_counted(roles, group[1]))) for group, roles in groups.items()]
    return with_separators("; ".join(parts))


_NUMBER = re.compile(r"\((?:None|\d+)(?:, (?:None|\d+))*,?\)|\b\d{4,}\b")
"""A shape in brackets, which is left as Python writes it, or a number that is easier to read with separators."""


def with_separators(text: str) -> str:
    """Return a sentence with its large numbers grouped, those of shapes excepted.

    >>> with_separators("24 × 24 × 98 = 56448 features; returns (None, 20000, 8)")
    '24 × 24 × 98 = 56,448 features; returns (None, 20000, 8)'
    """
    return _NUMBER.sub(lambda one: f"{int(one[0]):,}" if one[0].isdecimal() else one[0], text)


def _counted(roles: Sequence[str], after: str) -> list[str]:
    return [role if after != "1" or role.endswith("axis") else role.removesuffix("s") for role in roles]


def _axes_text(before: str, after: str, why: str, roles: str) -> str:
    why, _, tensor = why.partition("; from ")
    origin = f" (from {tensor})" if tensor else ""
    size = rf"{after}\b" if after.isdecimal() else "known"
    known = f"{int(after):,}" if after.isdecimal() else ""
    kept, _, how = why.partition("; ")
    if kept == "kept":
        padding = f" ({how.partition(' pads ')[0]})" if how else ""
        return f"{known} {roles} kept{padding}{origin}".strip()
    if (moved := re.fullmatch(r"was (axis \d+)", why)) and before == after:
        return f"{known} {roles}, {moved[1]} of the input{origin}".strip()
    if why == f"{roles} = {after}":
        return f"{known or after} {'new ' * (before == 'new')}{roles}{origin}"
    if before == "new":
        return f"new axis of {known or after}: {why}" if roles == "new axis" else f"{known or after} new {roles}: {why}"
    if ", then " not in why:
        if after == GONE:
            counted = re.sub(r"\ball (\w+)", rf"all \1 {roles}", why)
            return counted + origin if counted != why else f"{roles} removed: {why}{origin}"
        if known and why in (f"units = {after}", f"filters = {after}"):
            return f"{known} {roles}, one per {why.partition(' = ')[0][:-1]}{origin}"
        if known and (found := re.fullmatch(rf"([a-z_ ]+) = {size}(.*)", why)):
            return f"{known} {roles} = {found[1]}{found[2]}{origin}"
        if known and (found := re.fullmatch(rf"(.+ = {size})(?:[;,] (.+))?", why)):
            return f"{found[1]} {roles}{f' ({found[2]})' if found[2] else ''}{origin}"
    if why.startswith(f"{before} ") and why.endswith(f" {after}") and ", then " not in why:
        return f"{roles}: {why}{origin}"
    return f"{roles} {before} → {after}: {why}{origin}"


def parameters(row: LayerReport, weights: Iterable[Expr]) -> str:
    """Return the parameters of a layer as a product, "" where it has none: `320 = 3 × 3 × 1 × 32 + 32`."""
    if not row.params:
        return row.shared
    counted = [leaf for leaf in weights if not leaf.attrs.get("buffer")]
    terms = [tuple([(str(name), size) for packed in leaf.attrs["axes"] for name, size in packed]) for leaf in counted]
    product = product_text(terms)
    text = f"{row.params:,}"
    if product and product != text and not row.shared:
        text += f" = {product}"
    if row.trainable is not None and row.trainable < row.params:
        text += f", {row.trainable:,} trainable" if row.trainable else ", none trainable"
    if len(row.calls) > 1:
        text += f", shared by {calls_text(len(row.calls))}"
    return f"{text}; {row.shared}" if row.shared else text


def calls_text(count: int) -> str:
    """Return all the calls of a layer that is called several times."""
    return "both calls" if count == 2 else f"all {count} calls"


def product_text(terms: Sequence[_Term]) -> str:
    """Return a sum of products; equal ones are counted, and sizes that all of several have stand before brackets.

    >>> product_text([(("rows", 3), ("columns", 3), ("channels", 1), ("filters", 32)), (("filters", 32),)])
    '3 × 3 × 1 × 32 + 32'
    >>> product_text([(("features", 64),)] * 4)
    '4 × 64'
    >>> gates = (("gates", 4), ("units", 6))
    >>> product_text([(("inputs", 5), *gates), (("units", 6), *gates), gates])
    '4 gates × 6 units × (5 inputs + 6 units + 1)'
    """
    counts: Counter[_Term] = Counter()
    first: dict[_Term, _Term] = {}
    for term in terms:
        axes = tuple(sorted(term))
        counts[axes] += 1
        first.setdefault(axes, term)
    if not counts:
        return ""
    times = reduce(gcd, counts.values())
    shown = list(first.values())
    common = reduce(lambda one, other: one & other, map(Counter, shown)) if len(shown) >= _LEAST_FACTORED else Counter()
    if common:
        return _factored({term: counts[axes] // times for axes, term in first.items()}, common, times)
    texts = [
        _times(counts[axes] // times, " × ".join([f"{n:,}" for _, n in term]) or "1") for axes, term in first.items()
    ]
    return _times(times, " + ".join(texts))


def _factored(terms: Mapping[_Term, int], common: Counter[tuple[str, int]], times: int) -> str:
    """Return a sum of counted products that have `common` sizes, with the names of all."""
    inside = []
    for term, count in terms.items():
        rest = [*map(_named, (Counter(term) - common).elements())]
        inside.append(" × ".join([*([str(count)] if count > 1 or not rest else []), *rest]))
    outside = map(_named, common.elements())
    return " × ".join([*([str(times)] if times > 1 else []), *outside, f"({' + '.join(inside)})"])


def _named(axis: tuple[str, int]) -> str:
    name, size = axis
    return f"{size:,} {name.removesuffix('s') if size == 1 else name}"


def _times(count: int, text: str) -> str:
    if count == 1:
        return text
    return f"{count} × ({text})" if " " in text else f"{count} × {text}"
