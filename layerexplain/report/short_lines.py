"""A layer in short lines: its cost in words, its shape, its parameters as a product, its formula without sizes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from math import gcd
from typing import Any

from layerexplain.derive.cost import Contraction, Costs
from layerexplain.derive.gist import gist, main_statement
from layerexplain.derive.roles import input_roles
from layerexplain.derive.shape_reasons import AxisReason
from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.lang.axes import BATCH, GONE, Batch, Factor
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.text import statements
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.known_definitions import DeclaredLayer
from layerexplain.layers.registry import find
from layerexplain.model import Layer
from layerexplain.network.traced import Network, Use, cost_of
from layerexplain.ops.sizes import default_roles, product, shape_text, total
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport

# Cost lines ---------------------------------------------------------------------------------------------------------


class _Line(NamedTuple):
    """A sum, and the words behind it; the sum is None where it is not known or not worth telling for several calls."""

    total: int | None
    words: str


def cost_lines(uses: Sequence[Use], costs: Costs, fixed_by: str = "--input") -> tuple[str, ...]:
    """Return the cost of a layer that is called like this. `fixed_by` is what fixes the sizes that are open."""
    kinds: Counter[Definition] = Counter()
    for call, times in uses:
        if call.definition is not None:
            kinds[call.definition] += times
    lines: list[str] = []
    for definition, count in kinds.items():
        items = _of_a_call(definition, costs, "per example" if count == 1 else "a call", fixed_by)
        before = "" if len(kinds) == 1 else f"at {'; '.join(shape_text(x.shape) for x in definition.params)}: "
        for number, words in items:
            more = f"; {count:,} calls: {count * number:,} per example" if count > 1 and number else ""
            lines.append(before + words + more)
    if len(kinds) > 1:
        cost = cost_of(uses, costs)
        amounts = [f"{number:,} {what}" for number, what in ((cost.macs, "MACs"), (cost.flops, "FLOPs")) if number]
        lines += [f"all calls: {' and '.join(amounts)} per example"] if amounts else []
    return tuple(lines)


def lines_of_one(definition: Definition, costs: Costs, unit: str) -> tuple[str, ...]:
    """Return the cost of a formula that stands alone, with what the numbers are for: "a step"."""
    return tuple([line.words for line in _of_a_call(definition, costs, unit, "--input")])


@lru_cache(maxsize=64)
def _of_a_call(definition: Definition, costs: Costs, unit: str, fixed_by: str) -> list[_Line]:
    """Return the cost of one call: its multiply-accumulates, then its FLOPs; found once for layers that are alike."""
    cost = costs.cost_of(definition)
    needs = _needs(definition, fixed_by)
    if definition.kind == "model":
        amounts = [f"{n:,} {what}" for n, what in ((cost.macs, "MACs"), (cost.flops, "FLOPs")) if n is not None]
        if len(amounts) < 2:
            return [_Line(None, f"MACs and FLOPs {needs}")]
        return [
            _Line(cost.macs, f"{amounts[0]} {unit}, summed over its layers"),
            _Line(cost.flops, f"{amounts[1]} {unit}, summed over its layers"),
        ]
    lines = []
    terms = costs.terms(definition)
    sums = {once: _sum({t: n for t, n in terms.items() if t.once == once}, definition) for once in (False, True)}
    if sums[False]:
        head = "MACs" if cost.macs is None else f"{cost.macs:,} MACs"
        lines.append(_Line(cost.macs, f"{head} {unit} = {sums[False]}"))
    if sums[True]:
        known = total([product([term.macs, count]) for term, count in terms.items() if term.once])
        head = "MACs" if known is None else f"{known:,} MACs"
        lines.append(_Line(None, f"{head} more once per call, whatever the batch = {sums[True]}"))
    if cost.flops is None:
        lines.append(_Line(None, f"FLOPs {needs}"))
    elif cost.macs:
        rest = cost.flops - 2 * cost.macs
        more = f" + {rest:,} for element-wise operations" if rest else ""
        lines.append(_Line(cost.flops, f"{cost.flops:,} FLOPs {unit} = 2 × {cost.macs:,}{more}"))
    elif cost.flops:
        lines.append(_Line(cost.flops, f"{cost.flops:,} FLOPs {unit}, no multiply-accumulates"))
    else:
        compares = any(node.op.name in ORDERING for node in definition.order)
        words = "no FLOPs: it only compares, to sort" if compares else "no arithmetic: it only moves data"
        lines.append(_Line(None, words))
    return lines


ORDERING = frozenset({"sort", "argsort", "top_k", "argmax", "argmin", "unique"})
"""Ops that compute nothing but an order."""


def _sum(terms: dict[Contraction, int], definition: Definition) -> str:
    """Return the terms as text, equal ones once."""
    groups: Counter[str] = Counter()
    unknown = open_roles(definition) if terms else []
    written: list[tuple[tuple[Factor, ...], str]] = []
    for term, count in terms.items():
        # Factors are compared by their sizes, not by what is written of them: sizes that are open have another text.
        text = next((text for factors, text in written if factors == term.factors), None)
        if text is None:
            text = " × ".join(filter(None, [_factor_text(factor, unknown) for factor in term.factors])) or "1"
            written.append((term.factors, text))
        groups[text] += count
    parts = [text if count == 1 else f"{count} × ({text})" for text, count in groups.items()]
    if len(parts) == 1:
        return parts[0]
    return " + ".join(part if groups.get(part) is None else f"({part})" for part in parts)


def _factor_text(factor: Factor, unknown: Sequence[str]) -> str:
    """Return `14 × 14 positions`; an unknown size has the name of its axis, where only one may be meant."""
    sizes = [product([size]) if isinstance(size, Batch) else size for size in factor.sizes if size is not BATCH]
    if not sizes:
        return ""
    if sizes == [None] and factor.name in unknown:
        return factor.name
    # A window has fewer positions than the axis that it slides along.
    name = unknown[0] if len(unknown) == 1 and factor.name != "positions" else "?"
    texts = [f"{size:,}" if isinstance(size, int) else name for size in sizes]
    name = factor.name[:-1] if texts == ["1"] and factor.name.endswith("s") else factor.name
    return f"{' × '.join(texts)} {name}"


# Sizes that are not known ---------------------------------------------------------------------------------------


def open_roles(definition: Definition) -> list[str]:
    """Return the axes of the inputs whose sizes are not known, by name, each once."""
    results: dict[str, None] = {}
    for x in definition.params:
        roles = input_roles(x, definition)
        results.update({role: None for role, size in zip(roles, x.shape, strict=True) if size is None})
    return list(results)


def _needs(definition: Definition, fixed_by: str) -> str:
    roles = open_roles(definition)
    if not roles:
        return "are not known before it runs"
    return f"need the number{'s' * (len(roles) > 1)} of {in_a_row(roles)}; give {fixed_by}"


EXAMPLES = {"rows": 224, "columns": 224}
"""Sizes that an example gives to axes of a name; other axes have 16."""


def fixing(network: Network) -> str:
    """Return an example of what fixes the open sizes of a model's inputs on the command line."""
    parts = []
    for ref in network.model.inputs:
        calls = network.calls_of(ref.layer)
        spec = calls[0].outputs[0] if calls and calls[0].outputs else None
        if spec is None or None not in spec.shape[1:]:
            continue
        roles = spec.roles or default_roles(len(spec.shape))
        sizes = [EXAMPLES.get(role, 16) if size is None else size for role, size in zip(roles, spec.shape, strict=True)]
        # The inputs of a layer with no model around it were not named by the user.
        name = "" if network.model.format == "layer" else f"{ref.layer}="
        parts.append(f"--input {name}{','.join(map(str, sizes[1:]))}")
    return " ".join(parts) or "--input"


# Short lines --------------------------------------------------------------------------------------------------------
# A layer in short, for the tour: its operation, how its shape is computed, and its parameters as a product.

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
    return _NUMBER.sub(lambda match: f"{int(match[0]):,}" if match[0].isdecimal() else match[0], text)


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
        if known and (match := re.fullmatch(rf"([a-z_ ]+) = {size}(.*)", why)):
            return f"{known} {roles} = {match[1]}{match[2]}{origin}"
        if known and (match := re.fullmatch(rf"(.+ = {size})(?:[;,] (.+))?", why)):
            return f"{match[1]} {roles}{f' ({match[2]})' if match[2] else ''}{origin}"
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
    common = (
        reduce(lambda item, other: item & other, map(Counter, shown)) if len(shown) >= _LEAST_FACTORED else Counter()
    )
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


# General formula ----------------------------------------------------------------------------------------------------
# The formula of a layer whose input shape, or an argument, is not known: what holds whatever the sizes are.

_TRIED = ((30, 24), (42, 36))
"""Sizes of axes, and numbers for arguments, that are tried: a sentence that is true for both is printed."""

_MOST_AXES = 5


def general_formula(layer: Layer, declaration: Declaration | None) -> tuple[str, tuple[str, ...]] | None:
    """Return the operation and the statements of a layer without a shape, where they are the same for all sizes.

    >>> general_formula(Layer("d", "Dense", "layer", {"units": None, "activation": "relu"}), find("Dense"))
    ('relu(dot(x, W) + b)', ('y = relu(dot(x, W) + b)',))
    """
    if declaration is None or declaration.facts.runs_code or declaration.variadic is not None:
        return None
    texts = [_formula_at(layer, declaration, *sizes) for sizes in _TRIED]
    return texts[0] if texts[0] == texts[1] else None


def general_parameters(layer: Layer, declaration: Declaration | None) -> str:
    """Return the parameters of a layer without a shape as a product, with the name of the size that is missing; ""
    where an argument is missing too, or where they do not follow from one size.

    >>> general_parameters(Layer("g", "GRU", "layer", {"units": 64}), find("GRU"))
    '3 gates × 64 units × (inputs + 64 states + 2 bias rows); the number of inputs is not known'
    >>> general_parameters(Layer("c", "Conv2D", "layer", {"filters": 5, "kernel_size": 3}), find("Conv2D"))
    '3 × 3 × channels × 5 + 5; the number of channels is not known'
    """
    if declaration is None or declaration.facts.runs_code or not declaration.tensors:
        return ""
    texts = [_product_at(layer, declaration, size) for size in _PRIMES]
    return texts[0] if texts[0] == texts[1] else ""


_PRIMES = (7919, 7907)
"""Sizes that no argument has."""


def _product_at(layer: Layer, declaration: Declaration, size: int) -> str:
    definition = _definition_at(layer, declaration, size, None)
    if definition is None:
        return ""
    counted = [leaf.attrs["axes"] for leaf in definition.weights if not leaf.attrs.get("buffer")]
    terms = [tuple([(str(name), size) for packed in axes for name, size in packed]) for axes in counted]
    names = {name for term in terms for name, own in term if own == size}
    if len(names) != 1:
        return ""
    (name,) = names
    product = product_text(terms).replace(f"{size:,} {name}", name).replace(f"{size:,}", name)
    return f"{product}; the number of {name} is not known"


def _formula_at(layer: Layer, declaration: Declaration, size: int, number: int) -> tuple[str, tuple[str, ...]] | None:
    definition = _definition_at(layer, declaration, size, number)
    if definition is None:
        return None
    lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
    return gist(definition, lines), lines


def _definition_at(layer: Layer, declaration: Declaration, size: int, number: int | None) -> Definition | None:
    """Return the layer at a size of all axes, with a number for required arguments that are not known."""
    config: dict[str, Any] = {}
    for name, argument in declaration.arguments.items():
        value = layer.config.get(name)
        if isinstance(value, Layer):
            inner = find(value.type)
            value = None if inner is None else DeclaredLayer(inner, value.config)
        if value is None and argument.default is Argument.REQUIRED:
            value = number
        if value is not None or name in layer.config:
            config[name] = value
    axes = range(2, _MOST_AXES + 1) if declaration.ndim is None else (declaration.ndim,)
    count = max(len(declaration.tensors) - declaration.optional, 1)
    for ndim in axes:
        spec = Spec((BATCH, *(size,) * (ndim - 1)), "float")
        try:
            return declaration.trace([spec] * count, declaration.bind(config))
        except (LayerExplainError, TypeError, ValueError, AttributeError):
            continue
    return None
