"""How gradients pass a layer: its backward formulas as plain data."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.gradient.backward import Gradient, gradient, gradient_of_number
from layerexplain.derive.roles import input_roles
from layerexplain.derive.typeset.statements import typeset
from layerexplain.errors import ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.lang.text import statements
from layerexplain.lang.visit import inner_definitions
from layerexplain.layers.hints import gradient_facts
from layerexplain.model import Layer
from layerexplain.network.gradient_paths import (
    GradientPaths,
    NeededGradients,
    end_words,
    gradient_paths,
    trained_definition,
    why_untrained,
)
from layerexplain.network.traced import Network, TracedCall
from layerexplain.report.argument_words import Placed
from layerexplain.report.explanation import said_of_training, statement
from layerexplain.report.explanation_data import BackwardReport, Statement

NOTHING = BackwardReport((), (), (), (), (), (), None, None)


def gradient_report(
    at: Placed, *, of_logits: bool = False, needs: NeededGradients | None = None
) -> BackwardReport | None:
    """Return the gradients of a layer at its first call, None for an input or a nested model.

    `of_logits` says that what comes back is the gradient of what its last function is applied to. `needs` says which
    gradients a training step needs; all of them if not given.
    """
    layer, traced = at.layer, at.calls[0]
    if layer.type == "InputLayer" or layer.model is not None:
        return None
    trained = in_training(layer, traced)
    if isinstance(trained, str):
        return NOTHING._replace(unknown=trained)
    if of_logits:
        trained = before_last_function(trained)
    try:
        report = _derived(trained, at.frozen, *((None, None) if needs is None else (needs.inputs, needs.results)))
    except (CannotDerive, ShapeError) as why:
        return NOTHING._replace(unknown=str(why))
    names = tuple([line.text.partition(" = ")[0] for line in report.statements if not line.indent])
    return report._replace(facts=gradient_facts(at.seen(traced.definition or trained, names)))


class Gradients:
    """The gradients of the layers of a network, each with what the model around it does to them."""

    def __init__(self, network: Network) -> None:
        self.paths = gradient_paths(network) if network.model.format != "layer" else None

    def backward_report(self, at: Placed) -> tuple[BackwardReport | None, bool]:
        """Return the gradients of a layer at its first call, and whether the model does something to them that it does
        not do to those of an equal layer elsewhere."""
        backward = gradient_report(at)
        if backward is None or self.paths is None:
            return backward, False
        more = _facts_of_ways(at, backward, self.paths)
        return backward._replace(facts=(*backward.facts, *more)), bool(more)


def _facts_of_ways(at: Placed, backward: BackwardReport, paths: GradientPaths) -> tuple[str, ...]:
    """Return what the model around a layer does to its gradients: which are not needed, and which get nothing."""
    needs = paths.needs.get((at.path, at.calls[0].call.index))
    said = []
    for ends, weights in groupby(
        [weight for weight in paths.lost if weight.layer == at.path], lambda weight: weight.ends
    ):
        names = [weight.weight for weight in weights]
        verb = "get" if len(names) > 1 else "gets"
        where = " and ".join(map(end_words, ends))
        said.append(f"{' and '.join(names)} {verb} no gradient in this model: the path ends {where}.")
    if needs is not None and not said and backward.statements and needs.results and at.definition is not None:
        tensors = [f"d{p.label}" for i, p in enumerate(at.definition.params) if i not in needs.inputs]
        spare = [name for name in tensors if any(line.text.startswith(f"{name} = ") for line in backward.statements)]
        if spare:
            verb = "are" if len(spare) > 1 else "is"
            said.append(f"{' and '.join(spare)} {verb} not computed in training: nothing before this layer is trained.")
    return tuple(said)


def in_training(layer: Layer, traced: TracedCall) -> Definition | str:
    """Return what a call computes in training, or why that is not known."""
    definition, declaration = traced.definition, traced.declaration
    if definition is None or definition.kind == "opaque":
        return "its formula is not known"
    trained = trained_definition(layer, traced)
    if trained is None:
        return why_untrained(traced)
    if declaration is not None and not declaration.training:
        sentence = next(said_of_training(declaration, definition, inner_definitions(definition)), None)
        if sentence is not None:
            return f"in training it {sentence}"
    return trained


def number_gradient(definition: Definition, leaf: Expr) -> BackwardReport:
    """Return how the one number that a formula computes, a loss, changes with one of its tensors."""
    try:
        result = gradient_of_number(definition, leaf)
    except CannotDerive as why:
        return NOTHING._replace(unknown=str(why))
    cost = Costs().cost_of(result)
    lines = tuple([statement(line, True) for line in statements(result)])
    return NOTHING._replace(
        statements=lines,
        element=element_text(element_form(result)).lines,
        macs=cost.macs,
        flops=cost.flops,
        latex=typeset(result),
    )


@lru_cache(maxsize=256)
def derived(
    definition: Definition, frozen: bool, inputs: tuple[int, ...] | None, results: tuple[int, ...] | None
) -> Gradient:
    """Return the gradients of a definition, derived once: those with respect to these `inputs` and from these
    `results`, and with respect to its weights if it is not `frozen`. Raises as `gradient` does."""
    return gradient(definition, frozen=frozen, inputs=inputs, results=results)


@lru_cache(maxsize=64)
def _derived(
    definition: Definition, frozen: bool, inputs: tuple[int, ...] | None, results: tuple[int, ...] | None
) -> BackwardReport:
    """Return what follows from the formula alone, once for all layers that are alike."""
    result = derived(definition, frozen, inputs, results)
    backward = result.backward
    cost = Costs().cost_of(backward)
    element = element_text(element_form(backward, gradient_roles(definition, result)))
    kept = _kept(definition, result)
    return BackwardReport(
        kept=kept_of(definition, result),
        statements=tuple([_noted(statement(line, True), result) for line in statements(backward)]),
        element=element.lines,
        element_notes=element.notes,
        facts=(),
        unreached=result.unreached,
        macs=cost.macs,
        flops=cost.flops,
        latex=typeset(backward),
        kept_latex=() if kept is None else typeset(kept),
    )


def before_last_function(definition: Definition, *, beside: bool = False) -> Definition:
    """Return a layer without the function that it applies last: its result is called z, `beside` its own if that is
    said."""
    ((name, result),) = definition.results.items()
    results = {name: result, "z": result.args[0]} if beside else {"z": result.args[0]}
    return Definition(definition.name, definition.params, definition.variables, results, arguments=definition.arguments)


_INPUTS = ("channels", "states")
_TAPS = ("rows", "columns", "planes", "steps", "window")


def gradient_roles(definition: Definition, result: Gradient) -> dict[str, tuple[str, ...]]:
    """Return the roles of the axes of each weight's gradient: those of the weight, called as where it is used."""
    roles_of_results = {}
    for weight in result.whole.weights:
        if f"d{weight.label}" in result.backward.results:
            names = [factors[-1][0] for factors in weight.attrs["axes"]]
            if len(names) > 1:
                names = ["inputs" if name in _INPUTS else "window" if name in _TAPS else name for name in names]
                names[0] = "inputs" if names[0] == "features" else names[0]
            roles_of_results[f"d{weight.label}"] = tuple(names)
    if any(
        len(names) > 1 for names in roles_of_results.values()
    ):  # a sum of products: what it sums over has a letter of its own
        for x in result.whole.params:
            if f"d{x.label}" in result.backward.results:
                *lead, last = input_roles(x, definition)
                roles_of_results[f"d{x.label}"] = (*lead, "inputs" if last in ("features", "channels") else last)
    return roles_of_results


def _noted(line: Statement, result: Gradient) -> Statement:
    """Say of which weight a line is the gradient."""
    name = line.text.partition(" = ")[0]
    weight = next((w for w in result.whole.weights if result.of.get(w) == name), None)
    return line if weight is None or line.indent else line._replace(note=f"gradient of {weight.attrs['name']}")


def kept_of(definition: Definition, result: Gradient) -> tuple[Statement, ...]:
    """Return the lines of the forward pass that give what is kept."""
    kept = _kept(definition, result)
    return () if kept is None else tuple([statement(line, True) for line in statements(kept)])


def _kept(definition: Definition, result: Gradient) -> Definition | None:
    """Return the part of the forward pass that gives what is kept; None where nothing is."""
    results = {str(stand_in.label): node for stand_in, node in result.kept.items()}
    return Definition(definition.name, definition.params, definition.variables, results) if results else None
