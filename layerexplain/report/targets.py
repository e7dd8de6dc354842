"""What comes out of a model, and which targets fit it: the hint on its last layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.layers.keras.compiled import loss_at, suited_losses
from layerexplain.layers.keras.fit_data import loss_name
from layerexplain.layers.keras.losses import loss_of
from layerexplain.model import Training
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.report.argument_words import Placed
from layerexplain.report.training_data import setting_of_output


def targets(at: Placed, definition: Definition) -> tuple[str, ...]:
    """Return the hint on a layer whose result is an output of the whole model; none for a layer on its own."""
    calls = at.around.network.calls_of(at.layer.name)
    if at.row.depth or not calls or at.layer.name not in at.around.outputs:
        return ()
    if at.around.network.model.format == "layer":
        return ()
    shape = next(iter(definition.results.values())).shape
    if at.around.network.model.framework == "torch":
        return (f"An output of the model{_in_torch(at, shape, has_weights=bool(definition.weights))}.",)
    given = definition.arguments.get("activation")
    function = "softmax" if at.layer.type == "Softmax" else getattr(given, "name", given)
    training = at.around.network.model.training or Training()
    return (f"{_in_keras(training, at.layer.name, function, shape)}.{_per_step(calls[0], at.around.network)}",)


def _in_keras(training: Training, name: str, function: object, shape: Shape) -> str:
    """Say with which targets the compiled loss compares an output; where none is stated, which losses suit it."""
    setting = setting_of_output(training, name)
    loss = None if setting is None else loss_at(setting.name, shape)
    if loss is not None:
        return f"An output of the model; {loss_name(loss)} compares it with {loss.targets(shape)}"
    if setting is not None:
        return f"An output of the model; which targets its loss {setting.name} takes is not known"
    if training.losses and training.are_all:
        return "An output of the model, which has no loss: fit() takes no targets for it"
    suited = [loss for one in suited_losses(str(function)) if (loss := loss_of(one))]
    each = [f"{loss_name(loss)} takes {loss.targets(shape)}" for loss in suited]
    return ". ".join(["An output of the model; no loss is stated", *each])


def _in_torch(at: Placed, shape: Shape, *, has_weights: bool) -> str:
    """Say with which targets PyTorch's losses compare an output: the loss of the program, else those that take it,
    where the program trains nothing; of a language model, what its scores are."""
    network = at.around.network
    tables = [one.definition for one in network.calls if network.layer(one.name).type == "TokenEmbedding"]
    tokens = [one.weights[0].shape[0] for one in tables if one is not None and one.weights]
    if tokens:
        scores = f": at each position a score for each of the {shape[-1]:,} tokens that may come next"
        return scores if shape[-1] == tokens[0] else ""
    training = at.around.network.model.training
    setting = None if training is None else setting_of_output(training, at.layer.name)
    loss = None if setting is None else loss_of(setting.name)
    if loss is not None:
        return f"; {loss.name} compares it with {loss.targets(shape)}"
    if training is not None and (training.losses or training.optimizer is not None):
        return ""  # it is trained with a loss that is not known
    last = at.layer.type.rpartition(".")[2].lower().replace("_", "")
    classes = f"class numbers of shape {shape_text(shape[:1])}"
    if last == "softmax":
        return (
            "; to train on classes, CrossEntropyLoss takes the scores before the softmax, NLLLoss what log_softmax "
            "gives in its place"
        )
    if last == "logsoftmax" and len(shape) == 2:
        return f"; NLLLoss takes it, with {classes}"
    if last == "sigmoid":
        return f"; BCELoss compares it with 0.0 or 1.0, of shape {shape_text(shape)}"
    if len(shape) != 2 or not has_weights:
        return ""
    numbers = f"MSELoss with numbers of shape {shape_text(shape)}"
    if shape[1] == 1:
        return f"; {numbers}, BCEWithLogitsLoss with 0.0 or 1.0 of that shape"
    return f"; if it is scores of classes, CrossEntropyLoss takes it with {classes}; if it is numbers, {numbers}"


def _per_step(call: TracedCall, network: Network) -> str:
    """Say whether there is a target for each step or for each example, as the recurrent layer before it has it.

    Between the two stand only layers that take both.
    """
    current: TracedCall | None = call
    while current is not None:
        arguments = _recurrent(current)
        if arguments is not None:
            now, other = "example", "step"
            if arguments.get("return_sequences"):
                now, other = other, now
            change = f"return_sequences={now == 'example'} in '{current.name}' gives one for each {other}"
            return f" One target for each {now}; {change}."
        if current.declaration is None or current.declaration.mask != "pass" or current.declaration.holds:
            return ""
        current = network.call(current.sources[0]) if current.sources else None
    return ""


def _recurrent(call: TracedCall) -> Mapping[str, Any] | None:
    """Return the arguments of a recurrent layer, also in Bidirectional; None for other layers."""
    declaration, definition = call.declaration, call.definition
    if declaration is None or definition is None or not declaration.takes_states:
        return None
    inner = definition.arguments.get("layer")
    return definition.arguments if inner is None else inner.config
