"""How gradients pass a layer: its backward formulas as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.gradient.backward import Gradient, gradient, gradient_of_number
from layerexplain.errors import ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.lang.text import statements
from layerexplain.lang.visit import inner_definitions
from layerexplain.layers.hints import gradient_facts
from layerexplain.model import Layer
from layerexplain.network.traced import TracedCall
from layerexplain.report.data import BackwardReport, LayerReport, Statement
from layerexplain.report.explanation import said_of_training, statement, trained_definition
from layerexplain.report.hints import LayerInNetwork, Neighbours

NOTHING = BackwardReport((), (), (), (), (), (), None, None)


def gradient_report(
    row: LayerReport,
    layer: Layer,
    calls: Sequence[TracedCall],
    around: Neighbours,
    frozen: bool,
    *,
    of_logits: bool = False,
) -> BackwardReport | None:
    """Return the gradients of a layer at its first call, None for an input or a nested model.

    `frozen` says that its weights are not trained, `of_logits` that what comes back is the gradient of what its last
    function is applied to.
    """
    made = calls[0]
    definition = made.definition
    if layer.type == "InputLayer" or layer.model is not None:
        return None
    if definition is None or definition.kind == "opaque":
        return NOTHING._replace(unknown="its formula is not known")
    trained = trained_definition(layer, made)
    if trained is None:
        return NOTHING._replace(unknown="its formula in training is not known")
    if of_logits:
        trained = _before_last_function(trained)
    declaration = made.declaration
    if declaration is not None and not declaration.training:
        said = next(said_of_training(declaration, definition, inner_definitions(definition)), None)
        if said is not None:
            return NOTHING._replace(unknown=f"in training it {said}")
    try:
        found = _derived(trained, frozen)
    except (CannotDerive, ShapeError) as why:
        return NOTHING._replace(unknown=str(why))
    return found._replace(facts=gradient_facts(LayerInNetwork(row, layer, definition, around)))


def number_gradient(definition: Definition, leaf: Expr) -> BackwardReport:
    """Return how the one number that a formula computes, a loss, changes with one of its tensors."""
    try:
        found = gradient_of_number(definition, leaf)
    except CannotDerive as why:
        return NOTHING._replace(unknown=str(why))
    cost = Costs().of(found)
    lines = tuple([statement(line, True) for line in statements(found)])
    return NOTHING._replace(
        statements=lines, element=element_text(element_form(found)).lines, macs=cost.macs, flops=cost.flops
    )


@lru_cache(maxsize=64)
def _derived(definition: Definition, frozen: bool) -> BackwardReport:
    """What follows from the formula alone, once for all layers that are alike."""
    found = gradient(definition, frozen=frozen)
    backward = found.backward
    cost = Costs().of(backward)
    element = element_text(element_form(backward, _roles(found)))
    return BackwardReport(
        kept=_kept(definition, found),
        statements=tuple([_noted(statement(line, True), found) for line in statements(backward)]),
        element=element.lines,
        element_notes=element.notes,
        facts=(),
        unreached=found.unreached,
        macs=cost.macs,
        flops=cost.flops,
    )


def _before_last_function(definition: Definition) -> Definition:
    """A layer without the function that it applies last: its result is called z."""
    ((_, result),) = definition.results.items()
    results = {"z": result.args[0]}
    return Definition(definition.name, definition.params, definition.weights, results, arguments=definition.arguments)


_INPUTS = ("channels", "states")
_TAPS = ("rows", "columns", "planes", "steps", "window")


def _roles(found: Gradient) -> dict[str, tuple[str, ...]]:
    """Return the roles of the axes of each weight's gradient: those of the weight, called as where it is used."""
    made = {}
    for weight in found.whole.weights:
        if f"d{weight.label}" in found.backward.results:
            names = [factors[-1][0] for factors in weight.attrs["axes"]]
            if len(names) > 1:
                names = ["inputs" if name in _INPUTS else "window" if name in _TAPS else name for name in names]
            made[f"d{weight.label}"] = tuple(names)
    return made


def _noted(line: Statement, found: Gradient) -> Statement:
    """Say of which weight a line is the gradient."""
    name = line.text.partition(" = ")[0]
    weight = next((w for w in found.whole.weights if f"d{w.label}" == name), None)
    return line if weight is None or line.indent else line._replace(note=f"gradient of {weight.attrs['name']}")


def _kept(definition: Definition, found: Gradient) -> tuple[Statement, ...]:
    """The lines of the forward pass that give what is kept, without those that the formula has already."""
    results = {str(stand_in.label): node for stand_in, node in found.kept.items()}
    if not results:
        return ()
    forward = Definition(definition.name, definition.params, definition.weights, results)
    return tuple([statement(line, True) for line in statements(forward)])
