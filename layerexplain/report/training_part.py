"""A part of training without a model, such as a loss or an optimizer: its formula, explained as a layer's.

Shapes are without the batch. A loss takes that of the output, and the targets' and the weights' where these differ; an
optimizer, a regularizer and a constraint take that of a weight; a schedule takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

from layerexplain.attribute_path import weight_name
from layerexplain.derive.cost import Costs
from layerexplain.derive.gist import main_statement, sentence
from layerexplain.derive.gradient.backward import gradient_of_number
from layerexplain.derive.typeset.statements import typeset
from layerexplain.errors import ArgumentError, LayerExplainError, in_a_row
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.lang.text import statements
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.keras.losses import Loss
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration, part
from layerexplain.model import TensorRef, Training, is_before_keras_3
from layerexplain.network.gradient_paths import GradientPaths, gradient_paths
from layerexplain.network.traced import Network
from layerexplain.records import grouped
from layerexplain.report.argument_words import Neighbours, Placed
from layerexplain.report.data import CallReport, LayerReport, WeightReport, plain_shape
from layerexplain.report.explanation import of_formula, statements_of, weight_reason, where
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.gradient import gradient_report, number_gradient
from layerexplain.report.objective import (
    OfWeight,
    OutputLoss,
    SettingKind,
    loss_definition,
    output_losses,
    setting_formula,
    settings_of,
    shortest,
)
from layerexplain.report.report import Report
from layerexplain.report.short_lines import lines_of_one
from layerexplain.report.totals import totals
from layerexplain.report.training_data import FormulaReport, GradientReport, StepReport, TermReport, UpdateReport

# Training part ------------------------------------------------------------------------------------------------------

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
    words = [str(item) for item in muon["exclude_layers"] or ()]
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


# Training step ------------------------------------------------------------------------------------------------------
# One training step in formulas: the loss of each output, what passes back, what regularizers add, the updates.

NOTHING_SAID = "The source does not say {}; give {}."


def training_step(network: Network, rows: Sequence[LayerReport]) -> StepReport:
    """Return a training step of a traced model, whose rows these are."""
    training = network.model.training or Training()
    notes: list[str] = []
    placed = list(_placed(network, rows))
    terms = [*_losses(network, training, notes), *_penalties(placed, notes)]
    of_logits = {term.of for term in terms if term.of_logits}
    if network.model.training is not None and is_before_keras_3(network.model.keras_version):
        notes.append("The formulas of losses and optimizers are those of Keras 3; an older Keras wrote this file.")
    if len(terms) == 1:
        terms = [terms[0]._replace(symbol="L")]
    return StepReport(
        terms=tuple(terms),
        total=_total(terms),
        gradients=tuple(_gradients(placed, of_logits, gradient_paths(network))),
        updates=tuple(_updates(training, placed, notes)),
        notes=tuple(notes),
    )


def _placed(network: Network, rows: Sequence[LayerReport], frozen: bool = False) -> Iterator[Placed]:
    """Yield the layers that compute, those of nested models in the place of these."""
    by_name = {row.layer: row for row in rows}
    around = Neighbours(network)
    frozen = frozen or not network.model.trainable
    for layer in network.model.layers:
        row, calls = by_name.get(layer.name), network.calls_of(layer.name)
        if row is None or layer.type == "InputLayer":
            continue
        is_frozen = frozen or not layer.config.get("trainable", True)
        if calls and calls[0].network is not None:
            yield from _placed(calls[0].network, row.layers, is_frozen)
        else:
            yield Placed(row, layer, calls, around, is_frozen)


# The loss -----------------------------------------------------------------------------------------------------------


def _losses(network: Network, training: Training, notes: list[str]) -> Iterator[TermReport]:
    """Yield the loss of each output."""
    if not training.losses:
        notes.append(NOTHING_SAID.format("with which loss the model is trained", "--loss NAME"))

    def refused(ref: TensorRef, fact: str) -> None:
        notes.append(f"The loss of '{ref.layer}': {fact}.")

    for loss in output_losses(network, refused):
        try:
            yield _loss(loss)
        except LayerExplainError as error:
            refused(loss.ref, error.fact)


def _loss(loss: OutputLoss) -> TermReport:
    of, words = "/".join(loss.path), ""
    if loss.activation:
        words = f" Keras computes it from z, to which '{of}' applies {loss.activation}."
    definition = loss.definition()
    # The gradient of the sum reads as textbooks write it; the mean divides it by a number.
    is_mean = loss.is_mean(definition)
    summed = loss.definition(reduction="sum") if is_mean else definition
    sent = _loss_gradient(summed, summed.params[1])
    if sent is not None and is_mean:
        sent = sent._replace(
            sentence="Gradient of the summed loss. For the mean, divide by the number of unmasked values."
        )
    definition.results = {loss.symbol: definition.results["L"]}
    formula = _formula_report(sentence(definition) + words, definition)
    weight = None if loss.weight == 1 else loss.weight
    return TermReport(loss.symbol, "loss", of, loss.type, weight, formula, sent, bool(loss.activation))


def _loss_gradient(loss: Definition, by: Expr) -> FormulaReport | None:
    """Return how a term of the loss changes with an output or a weight; None where that is not derived."""
    try:
        return _formula_report("", gradient_of_number(loss, by))
    except CannotDerive:
        return None


def _formula_report(said: str, definition: Definition) -> FormulaReport:
    """Return a formula that is no layer's as plain data."""
    return FormulaReport(said, statements_of(definition), where(definition), typeset(definition))


def _total(terms: Sequence[TermReport]) -> str:
    """Return `L = L_first + 0.5 * L_second + R_1`, "" for one term."""
    if len(terms) < 2:
        return ""
    parts = [term.symbol if term.weight is None else f"{term.weight:g} * {term.symbol}" for term in terms]
    return f"L = {' + '.join(parts)}"


# Regularizers -------------------------------------------------------------------------------------------------------


def _penalties(placed: Sequence[Placed], notes: list[str]) -> Iterator[TermReport]:
    """Yield what the regularizers of layers add to the loss."""
    for number, (path, label, setting, definition) in enumerate(_formulas(placed, "regularizer", notes), start=1):
        symbol = f"R_{number}"
        definition.params[0].label = label
        sent = _loss_gradient(definition, definition.params[0])
        definition.results = {symbol: definition.results["R"]}
        formula = _formula_report(sentence(definition), definition)
        yield TermReport(symbol, "regularizer", path, setting.type, None, formula, sent, False)


def _formulas(
    placed: Sequence[Placed], kind: SettingKind, notes: list[str]
) -> Iterator[tuple[str, str, InnerDeclaration, Definition]]:
    """Yield what layers do with weights, or outputs: where and the letter of each, the regularizer or constraint, its
    formula."""
    for other in placed:
        for setting in settings_of(other.layer, kind):
            for path, shape, label in _of_weights(other, setting):
                try:
                    yield path, label, *setting_formula(kind, setting.value, shape)
                except (RefusedValue, LayerExplainError) as error:
                    notes.append(f"The {setting.of}_{kind} of '{other.path}': {error}.")


def _of_weights(placed: Placed, setting: OfWeight) -> Iterator[tuple[str, Any, str]]:
    """Yield the weights that a regularizer or a constraint is for, or the outputs of the layer: where, the shape and
    the letter of each. What is not trained is left alone."""
    if setting.of == "activity":
        for spec in placed.calls[0].outputs if placed.calls and not setting.steps else ():
            if spec is not None:
                yield f"the output of '{placed.path}'", spec.shape, "y"
        return
    definition = placed.definition
    trained = {weight.name for weight in placed.row.weights if weight.trainable is not False}
    for leaf in definition.weights if definition is not None else ():
        name = weight_name(leaf.attrs, placed.layer)
        if setting.is_for(leaf) and name in trained:
            yield f"{placed.path}/{name}", leaf.shape, str(leaf.label)


# What passes back ---------------------------------------------------------------------------------------------------


def _gradients(placed: Sequence[Placed], of_logits: Collection[str], paths: GradientPaths) -> Iterator[GradientReport]:
    """Yield what each layer passes back, from the last to the first; layers that are alike once. Of the outputs
    `of_logits` the loss sends the gradient to what their last function is applied to. A gradient that no layer needs,
    as that of the model's input, is left out."""
    alike: dict[Any, list[Placed]] = {}
    for item in reversed(placed):
        needs = paths.needs.get((item.path, item.calls[0].call.index)) if item.calls else None
        alike.setdefault((item.definition or item.path, item.path in of_logits, item.frozen, needs), []).append(item)
    for (_, logits, _, needs), layers in alike.items():
        item = layers[0]
        if not item.calls:
            continue
        report = gradient_report(item, of_logits=logits, needs=needs)
        if report is not None and (report.statements or report.unknown):
            yield GradientReport(tuple([each.path for each in layers]), item.row.type, report)


# Updates ------------------------------------------------------------------------------------------------------------


def _updates(training: Training, placed: Sequence[Placed], notes: list[str]) -> Iterator[UpdateReport]:
    """Yield how the optimizer changes each trainable weight; weights with one formula together."""
    if training.optimizer is None:
        notes.append(NOTHING_SAID.format("which optimizer trains the model", "--optimizer NAME"))
        return
    setting = training.optimizer._replace(config=shortest(training.optimizer.config))
    decay = setting.config.get("decay")
    if isinstance(decay, float) and decay:
        words = "which is not in the formula: older versions of Keras divide the learning rate by 1 + decay * updates"
        notes.append(f"The optimizer has decay={decay:g}, {words}.")
    try:
        optimizer = part("optimizers", setting)
    except RefusedValue as refused:
        notes.append(f"The optimizer: {refused}.")
        return
    results: dict[tuple[Any, ...], list[tuple[str, Definition]]] = {}
    trained = [
        (f"{item.path}/{w.name}", w.shape) for item in placed for w in item.row.weights if w.trainable is not False
    ]
    try:
        for (path, _), definition in zip(trained, update_formulas(optimizer, trained), strict=True):
            lines = tuple([line.text for line in statements_of(definition)])
            results.setdefault(lines, []).append((path, definition))
    except LayerExplainError as error:
        notes.append(f"The optimizer {optimizer.type}: {error.fact}.")
        return
    for weights in results.values():
        definition = weights[0][1]
        formula = _formula_report(sentence(definition), definition)
        if (
            len({definition_of_weight.params[0].shape for _, definition_of_weight in weights}) > 1
        ):  # then a shape beside a statement is that of one
            formula = formula._replace(statements=tuple([line._replace(shape="") for line in formula.statements]))
        yield UpdateReport(
            optimizer.type,
            tuple([path for path, _ in weights]),
            formula,
            sum(
                prod(leaf.shape)
                for _, definition_of_weight in weights
                for leaf in definition_of_weight.weights
                if not leaf.attrs["shared"]
            ),
            slots_note(definition),
        )
    yield from _constraints(placed, notes)


def _constraints(placed: Sequence[Placed], notes: list[str]) -> Iterator[UpdateReport]:
    """Yield what constraints make of weights after each update; weights with one formula together."""
    results: dict[tuple[Any, ...], tuple[str, FormulaReport, list[str]]] = {}
    for path, _, setting, definition in _formulas(placed, "constraint", notes):
        formula = _formula_report(sentence(definition), definition)
        results.setdefault((setting.type, formula.statements), (setting.type, formula, []))[2].append(path)
    for type_, formula, paths in results.values():
        formula = formula._replace(sentence=f"After the update: {formula.sentence[:1].lower()}{formula.sentence[1:]}")
        yield UpdateReport(type_, tuple(paths), formula, 0, "")
