"""A part of training without a model, such as a loss or an optimizer: its formula, explained as a layer's.

Shapes are without the batch. A loss takes that of the output, and the targets' and the weights' where these differ; an
optimizer, a regularizer and a constraint take that of a weight; a schedule takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

from layerexplain.derive.cost import Costs
from layerexplain.derive.gist import main_statement
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.text import statements
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.keras.losses import Loss
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.records import grouped
from layerexplain.report.data import CallReport, LayerReport, Report, WeightReport, plain_shape
from layerexplain.report.explanation import of_formula, weight_reason
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.gradient import number_gradient
from layerexplain.report.objective import loss_definition
from layerexplain.report.short_lines import lines_of_one
from layerexplain.report.totals import totals
from layerexplain.suggest import in_a_row

SHAPES_OF = {"loss": ("y_pred", "y_true", "sample_weight"), "update": ("W",), "regularizer": ("W",), "schedule": ()}
"""The tensors of which each kind takes the shapes, the first one alone if only one is given."""

_UNITS = {"loss": "per example", "update": "a step", "regularizer": "a step", "schedule": "a step"}


def update_definition(optimizer: Declaration, arguments: Mapping[str, Any], shape: Shape) -> Definition:
    """Return the formula of a step of a weight of a shape. Raises as `loss_definition` does."""
    number = Spec((), "float")
    weight, inner = Spec(shape, "float"), arguments.get("inner_optimizer")
    clips = arguments.get("global_clipnorm") or (inner is not None and inner.config.get("global_clipnorm"))
    return optimizer.trace([weight, weight, number, number if clips else None], arguments)


def update_formulas(optimizer: InnerDeclaration, weights: Iterable[tuple[str, Shape]]) -> Iterator[Definition]:
    """Yield the formula of a step of each weight, given with its path and its shape; those that are alike share one.
    Muon treats some as AdamW does, for their names.

    Raises ArgumentError for names that are given as a regular expression.
    """
    given = {**optimizer.declaration.default_values, **optimizer.arguments}
    is_excluded = _exclusion(given) if optimizer.type == "Muon" else lambda path: False
    known: dict[tuple[Shape, bool], Definition] = {}
    for path, shape in weights:
        excluded = is_excluded(path)
        if (shape, excluded) not in known:
            own = {**given, "excluded": excluded} if optimizer.type == "Muon" else given
            known[shape, excluded] = update_definition(optimizer.declaration, own, shape)
        yield known[shape, excluded]


def _exclusion(muon: Mapping[str, Any]) -> Callable[[str], bool]:
    """Return the rule by which Muon excludes a weight for its path."""
    words = [str(one) for one in muon["exclude_layers"] or ()]
    for word in words:
        if not all(letter.isalnum() or letter in "_-/ " for letter in word):
            raise ArgumentError(f"Muon's exclude_layers needs plain names here, got the regular expression {word!r}")
    embeddings = bool(muon["exclude_embeddings"])
    return lambda path: (embeddings and "embedding" in path.lower()) or any(word in path for word in words)


def part_report(
    declaration: Declaration, given: Mapping[str, Any], shapes: Sequence[Sequence[int | None]], gradient: bool = False
) -> Report:
    """Explain a part of training at these shapes; a loss or a regularizer also with its `gradient`.

    Raises ArgumentError or ShapeError, placed at the part.
    """
    tensors = SHAPES_OF[declaration.kind]
    type_ = declaration.type.rpartition(".")[2]
    try:
        if len(shapes) > len(tensors) or (tensors and not shapes):
            needs = f"the shapes of {', '.join(tensors)}, or fewer of them" if tensors else "no --input"
            raise ArgumentError(f"{type_} takes {needs}, got {len(shapes)}")
        definition = _definition(declaration, declaration.bind(given, strict=True), [tuple(s) for s in shapes])
    except LayerExplainError as error:
        raise error.with_place(layer=declaration.name) from None
    row = _row(declaration, definition, type_)
    if gradient and declaration.kind in ("loss", "regularizer"):
        row = row._replace(gradient=number_gradient(definition, definition.params[declaration.kind == "loss"]))
    return Report("", "layer", declaration.name, type_, None, (), (), (row,), totals((row,)), ())


def _definition(declaration: Declaration, arguments: Mapping[str, Any], shapes: Sequence[Shape]) -> Definition:
    if isinstance(declaration, Loss):
        return loss_definition(declaration, arguments, *[(BATCH, *shape) for shape in shapes])
    if "g" in declaration.tensors:  # an optimizer
        return update_definition(declaration, arguments, shapes[0])
    return declaration.trace([Spec(shapes[0] if shapes else (), "float")], arguments)


def _row(declaration: Declaration, definition: Definition, type_: str) -> LayerReport:
    lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
    cost = Costs().cost_of(definition)
    slots = slots_of(definition)
    params = sum(slot.params for slot in slots)
    ins = [plain_shape(p.shape) for p in definition.params if p.label not in ("g", "step", "global_norm")]
    result = definition.results["W"] if declaration.kind == "update" else next(iter(definition.results.values()))
    return LayerReport(
        layer=declaration.name,
        type=type_,
        path=declaration.name,
        depth=0,
        operation=_computed(definition, lines),
        formula=lines,
        calls=(CallReport((), tuple(ins), (plain_shape(result.shape),), None),),
        weights=slots,
        params=params,
        trainable=0,
        non_trainable=params,
        macs=cost.macs,
        flops=cost.flops,
        notes=(),
        group=0,
        explanation=explained(declaration, definition),
    )


def _computed(definition: Definition, lines: Sequence[str]) -> str:
    """Return the statement that gives the new weight, the loss or the rate, in one line."""
    if definition.kind != "update":
        return main_statement(definition, lines)
    return next(line for line in reversed(lines) if line.startswith("W = ")).removeprefix("W = ")


def explained(declaration: Declaration, definition: Definition) -> Explanation:
    """Return what there is to say of a part of training: its sentence, formula, slots and cost."""
    explanation = of_formula(definition)
    if declaration.kind == "update":
        explanation = explanation._replace(element=(), element_notes=(), axes=())
    return explanation._replace(
        weights=tuple(map(weight_reason, slots_of(definition))),
        weights_note=slots_note(definition),
        cost=lines_of_one(definition, Costs(), _UNITS[declaration.kind]),
    )


def slots_of(definition: Definition) -> tuple[WeightReport, ...]:
    """Return what an optimizer keeps for a weight."""
    return tuple(
        [
            WeightReport(str(leaf.attrs["name"]), str(leaf.label), leaf.shape, "float32", False, prod(leaf.shape))
            for leaf in definition.weights
        ]
    )


def slots_note(definition: Definition) -> str:
    """Return with what the slots begin, in words.

    >>> from layerexplain.layers.registry import find
    >>> adagrad = find("optimizers.Adagrad")
    >>> slots_note(update_definition(adagrad, adagrad.bind({}), (3, 2)))
    'kept by the optimizer for each weight; a begins at 0.1'
    """
    if not definition.weights:
        steps = definition.kind == "update" and len(definition.params) > 1  # a constraint takes the weight alone
        return "the optimizer keeps nothing between steps" if steps else ""
    initial = [(leaf.attrs["initial"], str(leaf.label)) for leaf in definition.weights]
    begins = grouped(("the weight itself" if value == "W" else f"{value:g}", name) for value, name in initial)
    starts = [f"{in_a_row(names)} begin{'s' * (len(names) == 1)} at {value}" for value, names in begins.items()]
    shared = [str(leaf.label) for leaf in definition.weights if leaf.attrs["shared"]]
    once = f"; {in_a_row(shared)} once for all weights" if shared else ""
    return f"kept by the optimizer for each weight{once}; {', '.join(starts)}"
