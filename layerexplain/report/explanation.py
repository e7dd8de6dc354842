"""What `explain` tells of one layer: derive/ is asked all its questions, the answers are put into plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from layerexplain.derive.cost import Costs, Term
from layerexplain.derive.element import element_form
from layerexplain.derive.latex import latex
from layerexplain.derive.sentence import sentence
from layerexplain.derive.shape_reasons import shape_reasons
from layerexplain.derive.text import Line, inner_blocks, statements
from layerexplain.errors import LayerExplainError
from layerexplain.expr import Batch, Definition, Expr, Shapes, walk
from layerexplain.layers.registry import Declaration, Spec, find
from layerexplain.model import Layer
from layerexplain.ops.sizes import shape_text
from layerexplain.report.data import AxisReason, Explanation, LayerReport, Statement, WeightReason
from layerexplain.report.hints import hints
from layerexplain.report.traced import Network, TracedCall
from layerexplain.report.where import where

NOTHING = Explanation("", (), (), (), (), (), (), (), (), "", (), (), "", ())


def explain_row(
    row: LayerReport,
    layer: Layer,
    calls: Sequence[TracedCall],
    network: Network,
    path: tuple[str, ...],
    costs: Costs,
) -> Explanation:
    """The explanation of a row. What cannot be said is left empty; nothing is guessed."""
    definition = calls[0].definition if calls else None
    if layer.type == "InputLayer":
        return NOTHING._replace(
            sentence="The input: what is fed in from outside. None is a size that is known only at run time, "
            "the first is the batch.",
            statements=_formula(row),
        )
    if definition is None or definition.kind == "opaque":
        said = "Its formula is not known here" if layer.type != "Lambda" else "Code of the model's author"
        return NOTHING._replace(sentence=f"{said}; nothing is claimed about it.", statements=_formula(row))
    if definition.kind == "model":
        return _nested(row, definition, costs)
    shown = _without_masks(definition)
    form = element_form(shown)
    reasons = shape_reasons(definition)
    return Explanation(
        sentence=sentence(definition),
        hints=hints(row, layer, definition, network),
        statements=_statements(definition),
        where=where(definition),
        element=form.text,
        element_notes=form.notes,
        axes=tuple(AxisReason(*axis) for axis in reasons.axes),
        shape_notes=reasons.notes,
        weights=_weights(row, definition, path),
        weights_note=_weights_note(row, calls),
        cost=cost_lines(definition, costs),
        training=_training(layer, definition, calls),
        mask=_mask(definition, calls, network),
        latex=latex(shown),
    )


def _without_masks(definition: Definition) -> Definition:
    """The definition with the masks of its results left out, which `mask` tells of."""
    if all(mask is None for mask in definition.masks):
        return definition
    return Definition(
        definition.name,
        definition.params,
        definition.weights,
        definition.results,
        kind=definition.kind,
        attrs=definition.attrs,
        description=definition.description,
        arguments=definition.arguments,
    )


def _formula(row: LayerReport) -> tuple[Statement, ...]:
    return tuple(Statement(line, 0, "", "") for line in row.formula)


def _nested(row: LayerReport, definition: Definition, costs: Costs) -> Explanation:
    times = f", called {len(row.calls)} times with the same weights" if len(row.calls) > 1 else ""
    count = len([inner for inner in row.layers if inner.type != "InputLayer"])
    return NOTHING._replace(
        sentence=f"A model of {count} layer{'s' * (count != 1)} used as one layer{times}; --nested explains them.",
        statements=_formula(row),
        weights_note=_weights_note(row, ()),
        cost=_totals(costs, definition),
    )


# Formula --------------------------------------------------------------------------------------------------------


def _statements(definition: Definition) -> tuple[Statement, ...]:
    lines = statements(definition)
    several = len(lines) > 1
    own = [_statement(line, several) for line in lines]
    return (*[_statement(line, False) for line in inner_blocks(definition)], *own)


def _statement(line: Line, shapes: bool) -> Statement:
    shape = ""
    note = ""
    if len(line.nodes) == 1:
        node = line.nodes[0]
        note = node.note
        if shapes and not isinstance(node.shape, Shapes):
            shape = shape_text(node.shape)
    return Statement(line.text, line.indent, shape, note)


# Weights --------------------------------------------------------------------------------------------------------


def factors(weight: Expr) -> str:
    """Where a weight's size comes from: "inputs 5 × (gates 4 × units 6)"."""
    parts = []
    for packed in weight.attrs["axes"]:
        text = " × ".join(f"{name} {size}" for name, size in packed)
        parts.append(f"({text})" if len(packed) > 1 and len(weight.attrs["axes"]) > 1 else text)
    return " × ".join(parts) or "one number"


def _weights(row: LayerReport, definition: Definition, path: tuple[str, ...]) -> tuple[WeightReason, ...]:
    layers = "".join(f".get_layer({name!r})" for name in (*path, row.layer))
    found = []
    for weight, told in zip(definition.weights, row.weights, strict=True):
        attribute = ".".join(filter(None, [weight.attrs["at"], weight.attrs["name"]]))
        found.append(
            WeightReason(
                symbol=told.symbol,
                name=told.name,
                shape=told.shape,
                factors=factors(weight),
                params=told.params,
                trainable=told.trainable,
                reach=f"model{layers}.{attribute}",
            )
        )
    return tuple(found)


def _weights_note(row: LayerReport, calls: Sequence[TracedCall]) -> str:
    if not row.params:
        return "no parameters: nothing is learned" if row.params == 0 else ""
    if row.trainable == row.params:
        split = "all trainable"
    elif row.trainable == 0:
        split = "none trainable"
    else:
        split = f"{row.trainable:,} trainable, {row.non_trainable:,} not"
    text = f"{row.params:,} parameters, {split}"
    if len(row.calls) > 1:
        text += f"; shared by all {len(row.calls)} calls and counted once"
    return text


# Cost -----------------------------------------------------------------------------------------------------------


def _factors_text(term: Term) -> str:
    parts = []
    for factor in term.factors:
        sizes = [f"{s:,}" if isinstance(s, int) else "?" for s in factor.sizes if not isinstance(s, Batch)]
        if not sizes:
            continue
        if sizes == ["?"]:
            parts.append(f"{factor.name} (unknown; fix with --input)")
        else:
            plural = factor.name[:-1] if sizes == ["1"] and factor.name.endswith("s") else factor.name
            parts.append(f"{' × '.join(sizes)} {plural}")
    return " × ".join(parts)


def cost_lines(definition: Definition, costs: Costs) -> tuple[str, ...]:
    """The MACs as named factors, then the FLOPs."""
    cost = costs.of(definition)
    groups = Counter(_factors_text(term) for term in costs.terms(definition))
    lines = []
    if groups:
        parts = [text if count == 1 else f"{count} × ({text})" for text, count in groups.items()]
        if cost.macs is not None:
            head = f"{cost.macs:,} MACs per example = "
            if len(parts) == 1:
                lines.append(head + parts[0])
            else:
                lines.append(
                    head + " + ".join(f"({part})" if part[0].isdigit() and "(" not in part else part for part in parts)
                )
        else:
            lines.append("MACs per example = " + " + ".join(parts))
    if cost.flops is None:
        lines.append("FLOPs per example: not known before the sizes are")
    elif cost.macs:
        rest = cost.flops - 2 * cost.macs
        more = f" + {rest:,} for the operations between" if rest else ""
        lines.append(f"{cost.flops:,} FLOPs per example = 2 × {cost.macs:,}{more}")
    elif cost.flops:
        lines.append(f"{cost.flops:,} FLOPs per example, no multiply-accumulates")
    else:
        lines.append("free: it moves data and computes nothing")
    return tuple(lines)


def _totals(costs: Costs, definition: Definition) -> tuple[str, ...]:
    cost = costs.of(definition)
    macs = "unknown" if cost.macs is None else f"{cost.macs:,}"
    flops = "unknown" if cost.flops is None else f"{cost.flops:,}"
    return (f"{macs} MACs and {flops} FLOPs per example, summed over its layers",)


# Training and masks ---------------------------------------------------------------------------------------------


def _training(layer: Layer, definition: Definition, calls: Sequence[TracedCall]) -> tuple[str, ...]:
    """The lines that differ in training."""
    declaration = find(layer.type)
    if declaration is None or not declaration.training:
        return ("the same",)
    if not layer.config.get("trainable", True) and layer.type == "BatchNormalization":
        return ("the same: the layer is frozen, and a frozen BatchNormalization works as at inference",)
    specs, masks = _given(declaration, definition)
    try:
        trained = declaration.trace(specs, dict(definition.arguments), masks, training=True)
    except LayerExplainError:
        return ()
    now = [line.text for line in statements(definition)]
    then = [("    " * line.indent) + line.text for line in statements(trained) if line.text not in now]
    return tuple(then) if then else ("the same",)


def _given(declaration: Declaration, definition: Definition) -> tuple[list[Spec | None], list[Spec | None]]:
    """What a definition was traced with: the tensors in the order of the layer's call, and the masks beside them."""
    specs = {str(p.label): Spec(p.shape, p.dtype) for p in definition.params}
    names = list(declaration.tensors)
    own_mask = {"mask", *[f"{name}_mask" for name in specs]} - set(names)
    names += [label for label in specs if label not in names and label not in own_mask]
    masks = [specs.get(f"{name}_mask") if f"{name}_mask" in own_mask else None for name in names]
    if "mask" in specs and "mask" in own_mask:
        masks[0] = specs["mask"]
    return [specs.get(name) for name in names], masks


def _mask(definition: Definition, calls: Sequence[TracedCall], network: Network) -> str:
    """Which mask reaches the layer, what it does here, and where it was made; or how the layer makes one."""
    source = calls[0].mask
    own = _mask_formula(definition)
    if source is None:
        return f"none reaches this layer; it makes one: {own}" if own else "none reaches this layer"
    maker = next((c.definition for c in network.calls if c.call.layer == source and c.definition is not None), None)
    how = _mask_formula(maker) if maker is not None and maker.kind == "layer" else ""
    came = f"from '{source}'" + (f" ({how})" if how else "")
    tensors = len(calls[0].inputs)
    read = set(definition.params[tensors:]) & set(walk(definition.results.values()))
    return f"{came}: " + ("what it marks as false is left out" if read else "handed on, nothing here depends on it")


def _mask_formula(definition: Definition) -> str:
    """How the mask of a definition's result comes about, "" where there is none or it is handed on."""
    mask = next((m for m in definition.masks if m is not None), None)
    if mask is None or mask in definition.params:
        return ""
    lines = statements(Definition(definition.name, definition.params, definition.weights, {"mask": mask}))
    return lines[-1].text.partition(" = ")[2] if lines else ""
