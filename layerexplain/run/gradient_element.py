"""One element of a gradient as a worked sum, for `layerexplain trace LAYER --gradient --at W:2,0,3,5`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.derive.element.form import element_form
from layerexplain.derive.gradient.backward import Gradient
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.text import statements
from layerexplain.model import Note
from layerexplain.report.gradient import gradient_roles, kept_of
from layerexplain.run.activations import Progress
from layerexplain.run.backpropagation import NoGradient, SentBack
from layerexplain.run.gradient_results import gradient_run
from layerexplain.run.gradients import Step, WeightGradient
from layerexplain.run.made_inputs import GivenInput
from layerexplain.run.trace_report import ElementReport
from layerexplain.run.trace_results import asked, checked_index, worked_out

Oracle = Callable[[Step, WeightGradient], Any]
"""Gives the whole gradient of a weight as an array, from the source and not by the formulas, as
`oracle.keras_step.keras_gradient` does. Raises LayerExplainError if there is none."""


def element_of_gradient(
    made: Step,
    inputs: Sequence[GivenInput],
    path: str,
    index: Sequence[int],
    of: str,
    oracle: Oracle | None,
    *,
    call: int,
    progress: Progress | None,
) -> ElementReport:
    """Run a step of training, and return one element of a gradient of a layer worked out. `of` says of which of its
    tensors: a weight or an input, by its letter in the formula or its name; "" is its first input.

    Raises:
        LayerExplainError: There is no such element, no gradient reaches the layer, or it has no element form.
    """
    calls: dict[int, SentBack | None] = {}

    def tell(sent: SentBack) -> None:
        if sent.name == path:
            calls[sent.call] = sent if sent.call == call else None

    made.forward(lambda step: None, progress)
    made.backward(tell, progress)
    try:
        caught = calls.get(call)
        if caught is None:
            raise ArgumentError(f"has {len(calls)} calls, counted from 0, got --call {call}")
        return _element(made, caught, inputs, index, of, len(calls), oracle)
    except LayerExplainError as error:
        raise error.with_place(layer=path) from None


def _element(
    made: Step,
    sent: SentBack,
    inputs: Sequence[GivenInput],
    index: Sequence[int],
    of: str,
    calls: int,
    oracle: Oracle | None,
) -> ElementReport:
    if sent.layer.model is not None:
        raise ArgumentError(f"is a model; give one of its layers, as in {sent.name}/NAME")
    definition, found = sent.definition, sent.formula
    if definition is None:
        raise ArgumentError("is an input; the gradient that reaches it is worked out at the layer that reads it")
    if found is None:
        raise LayerExplainError(sent.refusal or "gets no gradient, so it has none to work out")
    backward, leaf = found.backward, _leaf(definition, found, of)
    array = dict(zip(definition.leaves, (*sent.params, *sent.weights), strict=True))[leaf]
    at = checked_index(tuple(index), array, {})
    form = element_form(backward, gradient_roles(definition, found))
    result = list(backward.results).index(found.of[leaf])
    arrays = {leaf: sent.arrays[leaf] for leaf in backward.leaves}
    worked = worked_out(made.running, form, arrays, result, at, str(array.dtype))
    weight = None
    keras, keras_note = None, ""
    if leaf in definition.weights:
        weight = made.weight_of(sent.path, list(definition.weights).index(leaf))
    if oracle is not None and weight is None:
        keras_note = "it is asked for gradients of weights only"
    elif oracle is not None and weight is not None:
        keras, keras_note = asked(lambda: oracle(made, weight), at)
    run = gradient_run(made, inputs)
    kept = ["    " * line.indent + line.text for line in kept_of(definition, found)]
    return ElementReport(
        run=run._replace(notes=(*run.notes, *_rest(weight, float(array[at]), at, calls, sent.call))),
        layer=sent.layer.name,
        path=sent.name,
        type=sent.layer.type,
        call=sent.call,
        output=0,
        index=at,
        shape=tuple(array.shape),
        formula=(*kept, *["    " * line.indent + line.text for line in statements(backward)]),
        worked=worked,
        whole=float(array[at]),
        keras=keras,
        keras_note=keras_note,
        gradient_of=weight_words(leaf),
    )


def weight_words(leaf: Expr) -> str:
    """What a gradient is of, in words: `W (kernel)`, `x`."""
    name = leaf.attrs.get("name")
    return f"{leaf.label} ({name})" if name and name != leaf.label else str(leaf.label)


def _leaf(definition: Definition, found: Gradient, of: str) -> Expr:
    """The tensor of which a gradient is asked for."""
    known = list(found.of)
    for leaf in known:
        if of in (str(leaf.label), f"d{leaf.label}", str(leaf.attrs.get("name"))) if of else leaf in definition.params:
            return leaf
    if of:
        listed = ", ".join(map(weight_words, known)) or "nothing"
        raise ArgumentError(f"has no gradient of '{of}'; it has those of {listed}")
    if not known:
        raise ArgumentError("has no gradient")
    listed = ", ".join(str(leaf.label) for leaf in known)
    hint = f"name one of its weights, as in --at {known[0].label}:0 (it has gradients of {listed})"
    raise ArgumentError(f"sends no gradient to its inputs; {hint}")


def _rest(held: WeightGradient | None, part: float, at: tuple[int, ...], calls: int, call: int) -> list[Note]:
    """A note on what else the gradient of a weight has, beside what this call sends."""
    if held is None or held.gradient is None or isinstance(held.gradient, NoGradient):
        return []
    whole = float(held.gradient[at])
    if abs(whole - part) <= 1e-6 * max(abs(whole), abs(part)):
        return []
    why = (
        f"the layer is called {calls} times, this is what call {call} sends"
        if calls > 1
        else ("a regularizer, or another layer with the same weight, adds to it")
    )
    return [Note("gradient", None, f"The whole gradient of this element is {whole:.8g}: {why}.")]
