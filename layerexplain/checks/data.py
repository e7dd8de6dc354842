"""The arrays that a model is to be trained on, as far as rules look at them, and which input or output each is for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from layerexplain.errors import ArgumentError, did_you_mean, in_a_row
from layerexplain.lang.axes import Shape
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.fit_data import loss_at, refuses_targets, takes_examples
from layerexplain.layers.keras.losses import Loss
from layerexplain.model import DataArray, FitData, Note, Training
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.compared import compared_shape
from layerexplain.report.training_data import setting_of_output


class Examples(NamedTuple):
    """An array for an input of a model, whose layer has a name."""

    array: DataArray
    layer: str
    wanted: Spec | None


class TargetData(NamedTuple):
    """An array for an output of a model; `loss` is None where the model has none that is known."""

    array: DataArray
    layer: str
    output: Shape | None
    loss: Loss | None


class Data(NamedTuple):
    """A network, the arrays that are given for it, and how many examples fit() takes at a time, where that is known."""

    network: Network
    examples: tuple[Examples, ...] = ()
    targets: tuple[TargetData, ...] = ()
    batch_size: int | None = None


def data_of_program(network: Network, fitted: FitData) -> Data:
    """Return the arrays that the code of a model calls fit() with. Those of other shapes than it takes are left out:
    these are errors of the code, which its reader reports."""
    model = network.model
    names = {ref.layer for ref in (*model.inputs, *model.outputs)}
    names |= {"X"} if len(model.inputs) == 1 else set()
    names |= {"y"} if len(model.outputs) == 1 else set()
    data = data_for(network, [array for array in fitted.arrays if array.name in names])
    examples = [example for example in data.examples if example.wanted is not None]
    examples = [
        example
        for example in examples
        if example.wanted and takes_examples((None, *example.wanted.shape[1:]), example.array.shape)
    ]
    targets = [
        target._replace(loss=None)
        if target.output
        and target.loss
        and refuses_targets(target.loss, (None, *target.array.shape[1:]), (None, *target.output[1:]))
        else target
        for target in data.targets
    ]
    return Data(network, tuple(examples), tuple(targets), fitted.batch_size)


def data_for(network: Network, arrays: Sequence[DataArray]) -> Data:
    """Return arrays with the inputs and outputs that they are for: by the names of their layers, or X and y.

    Raises ArgumentError for a name that is neither, and for one that is there twice.
    """
    inputs = {ref.layer: ref for ref in network.model.inputs}
    outputs = {ref.layer: ref for ref in network.model.outputs}
    training = network.model.training
    examples: list[Examples] = []
    targets: list[TargetData] = []
    for array in arrays:
        name = layer_of(array.name, inputs, outputs)
        if name in inputs:
            call = network.call(inputs[name])
            examples.append(Examples(array, name, call.outputs[0] if call is not None and call.outputs else None))
        else:
            ref = outputs[name]
            call = network.call(ref)
            spec = call.outputs[ref.output] if call is not None and ref.output < len(call.outputs) else None
            setting = None if training is None else setting_of_output(training, name)
            output = None if spec is None else spec.shape
            output = output if setting is None else compared_shape(output, setting)
            loss = None if setting is None else loss_at(setting.name, output, array.shape)
            targets.append(TargetData(array, name, output, loss))
    return Data(network, tuple(examples), tuple(targets))


def unknown_fits(data: Data) -> Iterator[Note]:
    """Yield a note for each array that may fit or not: that needs a known shape, and of targets a known loss."""
    for examples in data.examples:
        if examples.wanted is None:
            yield _unknown_fit(examples, "the shape of this input is not known")
    for target in data.targets:
        if target.output is None:
            yield _unknown_fit(target, "the shape of this output is not known")
        elif target.loss is None:
            setting = setting_of_output(data.network.model.training or Training(), target.layer)
            why = "the source states no loss" if setting is None else f"what its loss {setting.name} takes is not known"
            yield _unknown_fit(target, why)


def _unknown_fit(of: Examples | TargetData, why: str) -> Note:
    fact = f"whether {of.array.name} {shape_text(of.array.shape)} fits '{of.layer}' is not known"
    return Note("unknown-fit", None, f"{fact}: {why}")


def layer_of(name: str, inputs: Collection[str], outputs: Collection[str]) -> str:
    """Return the layer of the input or the output that an array is for."""
    if name in inputs or name in outputs:
        return name
    head = name.lower().partition("_")[0]
    if head == "x" and len(inputs) == 1:
        return next(iter(inputs))
    if head == "y" and len(outputs) == 1:
        return next(iter(outputs))
    known = ["X"] * (len(inputs) == 1) + ["y"] * (len(outputs) == 1) + [*inputs, *outputs]
    hint = did_you_mean(name, known) or f"there are {in_a_row(known)}"
    raise ArgumentError(f"the data {name} are for no input or output; {hint}")
