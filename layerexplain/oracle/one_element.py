"""One element of an output or of a gradient, by the formulas, beside Keras's value where Keras is installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from layerexplain.model import Model
from layerexplain.oracle.keras_step import keras_gradient
from layerexplain.oracle.keras_value import is_asked, keras_output
from layerexplain.run.activations import Progress
from layerexplain.run.gradient_element import element_of_gradient
from layerexplain.run.gradients import ready_to_train
from layerexplain.run.made_inputs import GivenInput
from layerexplain.run.trace import ready
from layerexplain.run.trace_report import ElementReport
from layerexplain.run.trace_results import by_name, element_report, run_of


def trace_element(
    source: Any,
    model: Model,
    inputs: Sequence[GivenInput],
    path: str,
    index: Sequence[int],
    *,
    call: int = 0,
    output: int = 0,
    seed: int = 0,
    keras: bool | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Work out one element of a layer's output: its formula, and every number in it.

    Args:
        source, model, inputs, seed, max_memory, progress: As for `trace_statistics`.
        path: The names that lead to the layer, with slashes between them.
        index: The element, batch first; negative numbers count from the end.
        call: Which call of the layer, from 0.
        output: Which output of the layer, from 0.
        keras: Whether real Keras computes it too; None if it is installed.

    Raises:
        LayerExplainError: if there is no such element, or if the layer is not written element by element.
    """
    oracle = partial(keras_output, source) if is_asked(keras) else None
    with ready(source, by_name(inputs), seed=seed, model=model, max_memory=max_memory) as running:
        run = run_of(running, inputs)
        return element_report(running, run, path, index, oracle, call=call, output=output, progress=progress)


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
    keras: bool | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Work out one element of a gradient of a layer: its formula, and every number in it.

    Args:
        source, model, inputs, path, index, call, seed, max_memory, progress: As for `trace_element`.
        targets, loss, optimizer, training: As for `gradient_statistics`.
        of: Of which tensor of the layer: a weight or an input, by its letter in the formula or its name; "" for its
            first input.
        keras: Whether real Keras computes the gradient of a weight too; None if it is installed.

    Raises:
        LayerExplainError: There is no such element, no gradient reaches the layer, or it is not written element by
            element.
    """
    oracle = partial(keras_gradient, source) if is_asked(keras) else None
    how = {"loss": loss, "optimizer": optimizer, "training": training, "seed": seed, "max_memory": max_memory}
    with ready_to_train(source, model, by_name(inputs), targets, **how) as made:
        return element_of_gradient(made, inputs, path, index, of, oracle, call=call, progress=progress)
