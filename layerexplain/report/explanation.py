"""What `explain` tells of one layer: derive/ is asked all its questions, the answers are put into plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from math import prod

from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.gist import sentence
from layerexplain.derive.shape_reasons import shape_reasons
from layerexplain.derive.typeset.statements import typeset, typeset_element
from layerexplain.frontends.json_text import arguments_text
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor, walk
from layerexplain.lang.notation import value_text
from layerexplain.lang.text import FormulaLine, inner_blocks, statements
from layerexplain.lang.visit import inner_definitions
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.hints import hints, remarks
from layerexplain.layers.registry import TORCH
from layerexplain.layers.torch.compared import in_keras
from layerexplain.model import Layer, Model
from layerexplain.network.definitions import dtype_words
from layerexplain.network.gradient_paths import trained_definition, why_untrained
from layerexplain.network.masks import lost_words
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.report.argument_words import Neighbours, Placed, targets
from layerexplain.report.data import NO_MASK, SAME_IN_TRAINING, LayerReport, WeightReport
from layerexplain.report.element_forms import MOST_TENSORS
from layerexplain.report.explanation_data import BEHIND, Explanation, Statement, WeightReason
from layerexplain.report.short_lines import calls_text, computes, parameters, shape_line, with_separators
from layerexplain.weights.matched import variable_expression

NOTHING = Explanation("", (), (), (), (), (), (), (), (), "", (), (), "", ())


def explain_row(at: Placed, path: tuple[str, ...], cost: tuple[str, ...], whole: Model) -> Explanation:
    """Return the explanation of a row. What cannot be said is left empty; nothing is guessed. `path` leads to the model
    around it, from the whole one; `cost` is what it costs, in words."""
    from layerexplain.report.argument_words import argument_words

    row, layer, calls, around, _ = at
    definition = at.definition
    if layer.type == "InputLayer":
        spec = calls[0].outputs[0] if calls else None
        roles = spec.roles if spec is not None else None
        said = "An input of the model. Its first axis is the batch; None means any size."
        if layer.config.get("alone") or (roles is not None and "batch" not in roles):
            of = "" if roles is None or "batch" in roles else f" ({', '.join(roles)})"
            said = f"An input of the model, without a batch{of}."
        return NOTHING._replace(sentence=said, statements=_formula(row))
    dtype = dtype_words(layer)
    if definition is None or definition.kind == "opaque":
        return _unknown(at)._replace(dtype=dtype)
    if definition.kind == "model":
        return _nested(row, cost)._replace(dtype=dtype)
    alone = of_formula(definition)
    more_elements, more_shapes = _at_other_shapes(calls, alone)
    result = hints(at.seen(definition), is_own=layer.kind == "custom")
    told_targets = targets(at, definition)
    conventions = result.conventions
    if layer.type.startswith(TORCH) and layer.kind != "custom":
        conventions = in_keras(layer.type.removeprefix(TORCH))
    arguments = argument_words(at, definition)
    mask, lost = _mask(definition, calls, around)
    return alone._replace(
        computes=computes(definition, row),
        parameters=parameters(row, definition.weights),
        hints=remarks(
            (
                *result.all,
                *(conventions if conventions is not result.conventions else ()),
                *arguments.all,
                *told_targets,
            )
        ),
        arguments=remarks(arguments.all),
        watch=remarks((*result.watch, *arguments.watch, *([f"Mask: {mask}."] if lost else []), *told_targets)),
        conventions=remarks(conventions),
        counts=remarks(result.counts),
        element=alone.element + more_elements,
        shape_notes=alone.shape_notes + more_shapes,
        weights=_weights(row, layer, definition, path, whole),
        weights_note=_weights_note(row),
        cost=cost,
        training=_training(layer, definition, calls[0]),
        mask=mask,
        dtype=dtype,
        inputs=_input_names(definition, len(calls[0].inputs)),
        framework=whole.framework,
    )


@lru_cache(maxsize=64)
def of_formula(definition: Definition) -> Explanation:
    """Return what follows from the formula alone, once for all layers that are alike."""
    shown = definition.without_masks()
    explanation = NOTHING._replace(
        sentence=sentence(definition), statements=statements_of(definition), where=where(definition)
    )
    if len(definition.params) > MOST_TENSORS:
        words = f"takes {len(definition.params):,} tensors; the formula of one element is written for {MOST_TENSORS}"
        return explanation._replace(shape_notes=(words,))
    form = element_form(shown)
    element = element_text(form)
    reasons = shape_reasons(definition)
    return explanation._replace(
        element=element.lines,
        element_notes=element.notes,
        axes=reasons.axes,
        shape=shape_line(reasons.axes),
        shape_notes=tuple(map(with_separators, reasons.notes)),
        latex=typeset(shown),
        element_latex=typeset_element(form),
    )


def _at_other_shapes(calls: Sequence[TracedCall], first: Explanation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the element form and the axes of further calls, where they are not those of the first."""
    elements: list[str] = []
    shapes: list[str] = []
    known = {calls[0].definition}
    for number, traced in enumerate(calls[1:], start=2):
        definition = traced.definition
        if definition is None or definition in known:
            continue
        known.add(definition)
        other = of_formula(definition)
        elements += [f"call {number}: {line}" for line in other.element if other.element != first.element]
        if other.axes != first.axes:
            changes = [f"{axis.role} {axis.before} → {axis.after} ({axis.why})" for axis in other.axes]
            shapes.append(f"call {number}: {', '.join(changes)}")
    return tuple(elements), tuple(shapes)


def _input_names(definition: Definition, count: int) -> tuple[str, ...]:
    """Return what the formula calls the inputs, where there are several; masks stand behind them."""
    return tuple([param.label or "" for param in definition.params[:count]]) if 1 < count <= MOST_TENSORS else ()


def _unknown(at: Placed) -> Explanation:
    """Return a layer without a formula: what the source says of it, and no more."""
    row, layer, calls, around, _ = at
    if calls and (declaration := calls[0].declaration) is not None and declaration.facts.runs_code:
        said = "Custom code, which is not executed; what it computes is not known."
    elif (is_uncalled := layer.config.get("uncalled")) is not None:
        if row.notes:
            said = _REFUSED
        elif not around.network.model.calls:
            said = "What calls it is not shown."
        elif any(None in call.outputs for of, call in around.network.calls_of_layers() if of.type == "InputLayer"):
            said = _NO_INPUT
        else:
            ends = "The model makes it and never calls it." if is_uncalled else "Reading ends before it is called."
            said = f"{ends} Its parameters count all the same."
    elif layer.is_stored:
        said = "Known only by its weights: the file does not say what it computes."
    else:
        said = _why_unknown(at)
        made_with = arguments_text(layer.config)
        said += f" Its configuration: {made_with}." if made_with else ""
    count = len(row.layers)
    if count:
        said += f" Its weights show {count} layer{'s' * (count != 1)} inside it."
    weights = tuple([weight_reason(weight)._replace(symbol="") for weight in (() if row.layers else row.weights)])
    return NOTHING._replace(
        sentence=said,
        statements=_formula(row),
        computes=row.operation,
        parameters=_weights_note(row) if row.params else _general_parameters(at),
        weights=weights,
        weights_note=_weights_note(row),
    )


def _general_parameters(at: Placed) -> str:
    """Return the parameters of a layer that reads an input whose shape is not known, as a product without its size."""
    from layerexplain.report.short_lines import general_parameters

    first = at.calls[0] if at.calls else None
    if first is None or at.row.params is not None or len(first.inputs) != 1 or _is_whole(first.inputs[0]):
        return ""
    sources = [at.around.network.model.layers_by_name.get(ref.layer) for ref in first.sources]
    reads_input = all(source is not None and source.type == "InputLayer" for source in sources)
    return general_parameters(at.layer, first.declaration) if reads_input else ""


def _is_whole(spec: Spec | None) -> bool:
    return spec is not None and None not in spec.shape


def _why_unknown(at: Placed) -> str:
    row, layer, calls, around, _ = at
    declared = layer.kind != "operation" and any(traced.declaration is not None for traced in calls)
    if layer.model is None and not declared:
        return "Its formula is not known."
    read = {ref.layer for traced in calls for ref in traced.sources}
    said = next((note.message for note in around.network.model.notes if note.code == "open" and note.layer in read), "")
    if said and not all(_is_whole(spec) for traced in calls for spec in traced.inputs):
        of_input = "a size" if any(spec is not None for traced in calls for spec in traced.inputs) else "the shape"
        return f"Not computed: {of_input} of its input is not known. {said[:1].upper()}{said[1:]}."
    if row.notes and all(spec is not None for traced in calls for spec in traced.inputs):
        return _REFUSED
    cause = around.first_unknown(calls)
    if cause is not None:
        return f"{BEHIND} '{cause}' is not known."
    return _NO_INPUT


_REFUSED = "Not computed."
_NO_INPUT = "Not computed: the shape of its input is not known; give it with --input."


def _formula(row: LayerReport) -> tuple[Statement, ...]:
    return tuple(Statement(line, 0, "", "") for line in row.formula)


def _nested(row: LayerReport, cost: tuple[str, ...]) -> Explanation:
    times = f", called {len(row.calls)} times with the same weights" if len(row.calls) > 1 else ""
    count = len([inner for inner in row.layers if inner.type != "InputLayer"])
    return NOTHING._replace(
        sentence=f"A model of {count} layer{'s' * (count != 1)} used as a single layer{times}.",
        statements=_formula(row),
        computes=row.operation,
        parameters=_weights_note(row).replace(" parameters", "", 1) if row.params else "",
        weights_note=_weights_note(row),
        cost=cost,
    )


# Formula --------------------------------------------------------------------------------------------------------


def statements_of(definition: Definition) -> tuple[Statement, ...]:
    """Return the statements of a formula, after those of the layers that it calls."""
    lines = statements(definition)
    several = len(lines) > 1
    own = [statement(line, several) for line in lines]
    return (*[statement(line, False) for line in inner_blocks(definition)], *own)


def statement(line: FormulaLine, shapes: bool) -> Statement:
    shape = ""
    note = ""
    if len(line.nodes) == 1:
        node = line.nodes[0]
        note = node.note
        if shapes and not isinstance(node.shape, ResultShapes):
            shape = shape_text(node.shape)
    return Statement(line.text, line.indent, shape, note)


def where(definition: Definition) -> tuple[str, ...]:
    """Return where each function that a formula names is defined, a line each: `relu(z) = max(z, 0)`."""
    lines = []
    for inner in inner_definitions(definition):
        if inner.kind != "composite":
            continue
        names = ", ".join(str(p.label) for p in inner.params)
        extra = "".join(f", {k}={value_text(v)}" for k, v in inner.attrs.items())
        body = [line.text for line in statements(inner)]
        last = body[-1].removeprefix("y = ")
        before = "".join(f"{text}; " for text in body[:-1])
        text = f"{inner.name}({names}{extra}) = {last}" + (f"  where {before.rstrip('; ')}" if before else "")
        lines.append(text)
    return tuple(dict.fromkeys(lines))


# Weights --------------------------------------------------------------------------------------------------------


def weight_reason(weight: WeightReport) -> WeightReason:
    """Return the reason of a weight that is known by its sizes alone: they are its factors."""
    sizes = " × ".join(map(str, weight.shape)) or "one number"
    return WeightReason(weight.symbol, weight.name, weight.shape, sizes, weight.params, weight.trainable, "")


def factors(weight: Expr) -> str:
    """Return where a weight's size comes from: "inputs 5 × (gates 4 × units 6)"."""
    parts = []
    for packed in weight.attrs["axes"]:
        text = " × ".join(f"{name} {size}" for name, size in packed)
        parts.append(f"({text})" if len(packed) > 1 and len(weight.attrs["axes"]) > 1 else text)
    return " × ".join(parts) or "one number"


def _weights(
    row: LayerReport, layer: Layer, definition: Definition, path: tuple[str, ...], model: Model
) -> tuple[WeightReason, ...]:
    reach = partial(variable_expression, (*path, row.layer), layer, model=model)
    pairs = zip(definition.weights, row.weights, strict=True)
    return tuple(
        [
            weight_reason(reason)._replace(
                factors=f"{factors(leaf)}, a buffer" if leaf.attrs.get("buffer") else factors(leaf),
                params=prod(leaf.shape),
                reach=reach(leaf) or "",
            )
            for leaf, reason in pairs
        ]
    )


def _weights_note(row: LayerReport) -> str:
    if not row.params:
        return row.shared or "no parameters" if row.params == 0 else ""
    if row.trainable is None:
        return f"{row.params:,} parameters; which of them are trainable is not known"
    if row.trainable == row.params:
        split = "all trainable"
    elif row.trainable == 0:
        split = "none trainable"
    else:
        split = f"{row.trainable:,} trainable, {row.non_trainable:,} not"
    text = f"{row.params:,} parameters, {split}"
    if len(row.calls) > 1:
        text += f"; shared by {calls_text(len(row.calls))} and counted once"
    return f"{text}; {row.shared}" if row.shared else text


# Training and masks ---------------------------------------------------------------------------------------------


def _training(layer: Layer, definition: Definition, traced: TracedCall) -> tuple[str, ...]:
    """Return the lines that differ in training, and what is said of it where no formula does: of random
    augmentation."""
    declaration = traced.declaration
    if declaration is None or traced.origin is None:
        return (SAME_IN_TRAINING,)
    trained = trained_definition(layer, traced) if declaration.training else definition
    if declaration.training and trained is definition:
        return (f"same as at inference: the layer is frozen, and a frozen {declaration.type} works as at inference",)
    return (why_untrained(traced),) if trained is None else _differs_in_training(declaration, definition, trained)


@lru_cache(maxsize=64)
def _differs_in_training(declaration: Declaration, definition: Definition, trained: Definition) -> tuple[str, ...]:
    """Return what differs between a formula at inference and in training, once for all layers that are alike."""
    said = tuple(said_of_training(declaration, definition, inner_definitions(definition)))
    if trained is definition:
        return said or (SAME_IN_TRAINING,)
    now = {line.text for line in (*inner_blocks(definition), *statements(definition))}
    then: list[str] = []
    head = ""
    lines = statements(trained)
    if trained.updates:  # of what stands above: statistics of the batch, a divided kernel
        named = {
            e: tensor(str(e.label), e.shape, e.dtype)
            for e in trained.updates.values()
            if e in trained.order and e.label
        }
        updates = {label: named.get(e, e) for label, e in trained.updates.items()}
        moved = Definition(trained.name, (*trained.params, *named.values()), trained.variables, updates, kind="update")
        above = {line.text for line in lines}
        lines = [*lines, *[line for line in statements(moved) if line.text not in above]]
    for line in (*inner_blocks(trained), *lines):
        if line.text.startswith("def "):
            head = line.text
        elif line.text not in now:
            if line.indent and head:
                then.append(head)
                head = ""
            then.append("    " * line.indent + line.text)
    return (*then, *said) or (SAME_IN_TRAINING,)


def said_of_training(declaration: Declaration, definition: Definition, inside: list[Definition]) -> Iterator[str]:
    """Yield what the sentences of a layer, and of those that it holds, say of training where their formulas do not."""
    if not declaration.training:
        if match := re.match(r"In training, (.*?)\. At inference, ", sentence(definition)):
            yield f"{match[1]}; the formula above is that of inference"
        return
    inner_layers = definition.arguments.get(declaration.holds)
    for layer in inner_layers if isinstance(inner_layers, tuple) else (inner_layers,):
        known: Declaration | None = getattr(layer, "declaration", None)
        inner = None if known is None else next((item for item in inside if item.name == known.name), None)
        if known is not None and inner is not None:
            for said in said_of_training(known, inner, inside):
                yield f"{known.type}: {said}"


def _mask(definition: Definition, calls: Sequence[TracedCall], around: Neighbours) -> tuple[str, bool]:
    """Return which mask reaches the layer, what it does here, and where it was made; or how the layer makes one. And
    whether it is lost here or before."""
    source = calls[0].mask
    own = _mask_formula(definition)
    name = calls[0].call.layer
    if source is None:
        if name in around.missed:
            return f"no mask reaches this layer: '{around.missed[name]}' loses it, so the padding is read too", True
        return (f"no mask reaches this layer; it makes one: {own}" if own else NO_MASK), False
    maker = next((c.definition for c in around.network.calls_of(source) if c.definition is not None), None)
    how = _mask_formula(maker) if maker is not None and maker.kind == "layer" else ""
    came = f"from '{source}'" + (f" ({how})" if how else "")
    tensors = len(calls[0].inputs)
    read = set(definition.params[tensors:]) & set(walk(definition.results.values()))
    if name in around.lost:
        return f"{came}: {lost_words(around.lost[name])}", True
    ignored = "this layer computes masked positions like all others, and passes the mask on"
    does = "positions that it marks as false are left out" if read else ignored
    return f"{came}: {does}", False


def _mask_formula(definition: Definition) -> str:
    """Return how the mask of a definition's result comes about, "" where there is none or it is handed on."""
    mask = next((m for m in definition.masks if m is not None), None)
    if mask is None or mask in definition.params:
        return ""
    lines = statements(Definition(definition.name, definition.params, definition.variables, {"mask": mask}))
    return lines[-1].text.partition(" = ")[2] if lines else ""
