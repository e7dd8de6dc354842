"""One element of a gradient as a worked sum, for `layerexplain trace LAYER --gradient --at W:2,0,3,5`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.worked import worked_element
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.expr import Expr
from layerexplain.lang.scalar import CannotIndex
from layerexplain.lang.text import statements
from layerexplain.model import Model, Note
from layerexplain.report.gradient import gradient_roles, kept_of
from layerexplain.run.activations import Progress
from layerexplain.run.backpropagation import NoGradient, SentBack
from layerexplain.run.gradient_results import gradient_run, opened
from layerexplain.run.gradients import Step, WeightGradient
from layerexplain.run.made_inputs import GivenInput
from layerexplain.run.precision import computed_in
from layerexplain.run.trace import Running
from layerexplain.run.trace_report import ElementReport
from layerexplain.run.trace_results import checked_index

Oracle = Callable[[Any, Running, Step, WeightGradient], Any]
"""Gives the whole gradient of a weight as an array, from the source and not by the formulas. Raises LayerExplainError
if there is none."""


def gradient_element(
    source: Any,
    model: Model,
    inputs: Sequence[GivenInput],
    path: str,
    index: Sequence[int],
    targets: Any = (),
    *,
    of: str = "",
    call: int = 0,
    loss: Any = None,
    optimizer: Any = None,
    training: bool = True,
    seed: int = 0,
    oracle: Oracle | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Return one element of a gradient of a layer worked out.

    Args:
        source, model, inputs, path, index, call, seed, max_memory, progress: As for `trace_element`.
        targets, loss, optimizer, training: As for `gradient_statistics`.
        of: Of which tensor: a weight or an input of the layer, by its letter in the formula or its name; "" for its
            first input.
        oracle: Gives the whole gradient of a weight from the source, as `oracle.keras_step.keras_gradient` does.

    Raises:
        LayerExplainError: There is no such element, no gradient reaches the layer, or it has no element form.
    """
    given = {"loss": loss, "optimizer": optimizer}
    with ExitStack() as stack:
        running, made = opened(
            stack,
            source,
            model,
            inputs,
            targets,
            given,
            training,
            seed,
            False,
            max_memory,
        )
        caught: list[SentBack] = []
        calls: set[int] = set()

        def tell(sent: SentBack) -> None:
            if sent.name == path:
                calls.add(sent.call)
                if sent.call == call:
                    caught.append(sent)

        try:
            made.forward(lambda step: None, progress)
            made.backward(tell, progress)
            try:
                if not caught:
                    raise ArgumentError(f"has {len(calls)} calls, counted from 0, got --call {call}")
                asked = None if oracle is None else partial(oracle, source)
                return _element(running, made, caught[0], inputs, index, of, seed, len(calls), asked)
            except LayerExplainError as error:
                raise error.with_place(layer=path) from None
        except LayerExplainError as error:
            raise error.with_place(source=model.source or None) from None


def _element(
    running: Running,
    made: Step,
    sent: SentBack,
    inputs: Sequence[GivenInput],
    index: Sequence[int],
    of: str,
    seed: int,
    calls: int,
    oracle: Callable[[Running, Step, WeightGradient], Any] | None,
) -> ElementReport:
    found = sent.formula
    if found is None:
        if sent.layer.model is not None:
            raise ArgumentError(f"is a model; give one of its layers, as in {sent.name}/NAME")
        if sent.definition is None:
            raise ArgumentError("is an input; the gradient that reaches it is worked out at the layer that reads it")
        raise LayerExplainError(sent.refusal or "gets no gradient, so it has none to work out")
    definition = sent.definition
    assert definition is not None  # noqa: S101 (its gradient was derived)
    leaf = _leaf(sent, of)
    result = found.of[leaf]
    number = list(found.backward.results).index(result)
    array = (sent.weights if leaf in definition.weights else sent.params)[_number(sent, leaf)]
    at = checked_index(tuple(index), array, {})
    backward = found.backward
    values = [sent.arrays[param] for param in backward.params]
    weights = [sent.arrays[weight] for weight in backward.weights]
    try:
        form = element_form(backward, gradient_roles(definition, found))
        batch = next((int(a.shape[0]) for a in running.arrays if a.ndim), 1)
        worked = worked_element(form, values, weights, number, at, batch=batch, dtype=computed_in(str(array.dtype)))
    except CannotIndex as refusal:
        raise LayerExplainError(f"has no element form: {refusal}") from None
    notes, keras, keras_note = [], None, ""
    held = None
    if leaf in definition.weights:
        held = made.weight_of(sent.path, list(definition.weights).index(leaf))
        notes += _rest(held, float(array[at]), at, calls, sent.call)
    if oracle is not None:
        keras, keras_note = _of_keras(oracle, running, made, held, at)
    name = weight_words(leaf)
    run = gradient_run(running, made, inputs, seed)
    kept = _kept_lines(sent)
    return ElementReport(
        run=run._replace(notes=(*run.notes, *[Note("gradient", None, words) for words in notes])),
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
        gradient_of=name,
    )


def weight_words(leaf: Expr) -> str:
    """What a gradient is of, in words: `W (kernel)`, `x`."""
    name = leaf.attrs.get("name")
    return f"{leaf.label} ({name})" if name and name != leaf.label else str(leaf.label)


def _leaf(sent: SentBack, of: str) -> Expr:
    assert sent.definition is not None and sent.formula is not None  # noqa: S101 (asked by the caller)
    known = list(sent.formula.of)
    params = [leaf for leaf in known if leaf in sent.definition.params]
    if not of and params:
        return params[0]
    if not of:
        listed = ", ".join(str(leaf.label) for leaf in known) or "none"
        raise ArgumentError(
            f"sends no gradient to its inputs; name one of its weights, as in --at {known[0].label}:0 "
            f"(it has gradients of {listed})"
            if known
            else "has no gradient"
        )
    for leaf in known:
        names = {str(leaf.label), f"d{leaf.label}", str(leaf.attrs.get("name"))}
        if of in names:
            return leaf
    listed = ", ".join(weight_words(leaf) for leaf in known) or "nothing"
    raise ArgumentError(f"has no gradient of '{of}'; it has those of {listed}")


def _number(sent: SentBack, leaf: Expr) -> int:
    assert sent.definition is not None  # noqa: S101 (asked by the caller)
    weights = list(sent.definition.weights)
    return weights.index(leaf) if leaf in weights else list(sent.definition.params).index(leaf)


def _kept_lines(sent: SentBack) -> list[str]:
    assert sent.definition is not None and sent.formula is not None  # noqa: S101 (asked by the caller)
    return ["    " * line.indent + line.text for line in kept_of(sent.definition, sent.formula)]


def _rest(held: WeightGradient | None, part: float, at: tuple[int, ...], calls: int, call: int) -> list[str]:
    """What else the gradient of a weight has, beside what this call sends."""
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
    return [f"The whole gradient of this element is {whole:.8g}: {why}."]


def _of_keras(
    oracle: Callable[[Running, Step, WeightGradient], Any],
    running: Running,
    made: Step,
    held: WeightGradient | None,
    at: tuple[int, ...],
) -> tuple[float | None, str]:
    """Return Keras's value of the whole gradient of a weight; None and the reason if it is not available."""
    if held is None:
        return None, "it is asked for gradients of weights only"
    try:
        return float(oracle(running, made, held)[at]), ""
    except LayerExplainError as error:
        return None, error.fact
