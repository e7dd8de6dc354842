"""What a layer costs, in words: multiply-accumulates as named factors, FLOPs, and what several calls come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from layerexplain.derive.cost import Contraction, Costs
from layerexplain.derive.roles import input_roles
from layerexplain.lang.axes import BATCH, Batch, Factor
from layerexplain.lang.definition import Definition
from layerexplain.network.traced import Network, Use, cost_of
from layerexplain.ops.sizes import default_roles, product, shape_text, total
from layerexplain.records import NamedTuple
from layerexplain.suggest import in_a_row


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
        one = _of_a_call(definition, costs, "per example" if count == 1 else "a call", fixed_by)
        before = "" if len(kinds) == 1 else f"at {'; '.join(shape_text(x.shape) for x in definition.params)}: "
        for number, words in one:
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
    found: dict[str, None] = {}
    for x in definition.params:
        roles = input_roles(x, definition)
        found.update({role: None for role, size in zip(roles, x.shape, strict=True) if size is None})
    return list(found)


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
