"""Rules on the data that a model is trained on and what is beside it, and on what one training step shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from layerexplain.checks.calls import config_of, ends_with, readers_of, type_of
from layerexplain.checks.data import Data
from layerexplain.checks.findings import IN_MESSAGE
from layerexplain.checks.of_faults import code_of
from layerexplain.checks.rules import Found, Torch, rule, written_faults
from layerexplain.lang.axes import Shape
from layerexplain.layers.keras.fit_data import (
    examples_words,
    last_recurrent,
    loss_name,
    one_for_all_places,
    refuses_targets,
    shape_words,
    spreads,
    takes_examples,
    targets_words,
)
from layerexplain.layers.registry import facts_of
from layerexplain.model import DataArray, fixed_batch, keeps_state
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

# Of data ------------------------------------------------------------------------------------------------------------
# Rules on the data that a model is trained on, beside its inputs, its outputs and its losses.

_FAR, _FAR_TARGETS = 20, 100
"""Values beyond this are not scaled."""

_SCALES = ("Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "Discretization", "Embedding")


@rule(
    "data-shape",
    "Data whose shape does not fit the model",
    "breaks",
    "certain",
    why="Keras compares the shapes of arrays with those of the model, and stops where they differ.",
    fix=IN_MESSAGE,
    source="keras/src/models/functional.py; keras/src/losses/losses.py",
    keras="raises an error in fit()",
    of="data",
)
def data_shape(data: Data) -> Iterator[Found]:
    for fault in written_faults(data.network):
        if code_of(fault.fact) == "data-shape":
            yield fault, fault.fact
    for example in data.examples:
        wanted, got = None if example.wanted is None else _open(example.wanted.shape), example.array.shape
        if wanted is not None and not (got and takes_examples(wanted, got)):
            yield example.layer, examples_words(wanted, got or (None,), example.array.name)
    recurrent = _last_recurrent(data)
    for target in data.targets:
        output = None if target.output is None else _open(target.output)
        if output and target.loss is not None and refuses_targets(target.loss, _open(target.array.shape), output):
            got, named = target.array.shape or (None,), target.array.name
            yield target.layer, targets_words(target.loss, output, got, named, recurrent=recurrent)
    counts = {array.name: array.shape[0] for array in _arrays(data) if array.shape and isinstance(array.shape[0], int)}
    if len(set(counts.values())) > 1:
        listed = " and ".join([f"{count} in {name}" for name, count in counts.items()])
        yield None, f"fit() needs as many targets as examples; there are {listed}"


def _last_recurrent(data: Data) -> str:
    return last_recurrent([(layer.name, layer.type) for layer in data.network.model.layers])


def _arrays(data: Data) -> list[DataArray]:
    return [*[example.array for example in data.examples], *[target.array for target in data.targets]]


def _open(shape: Shape) -> Shape:
    """Return a shape with the number of examples open."""
    return (None, *shape[1:])


@rule(
    "targets-spread",
    "One target that is compared with several outputs",
    "wrong",
    "certain",
    why="Keras broadcasts the target to all outputs: each output learns the same.",
    fix="Give the model one output for each target, or give a target for each output.",
    source="keras/src/losses/loss.py, squeeze_or_expand_to_same_rank",
    of="data",
    torch=Torch(
        "PyTorch spreads the shapes over each other and warns: each output learns the mean of all targets.",
        "Give target and output one shape.",
    ),
)
def targets_spread(data: Data) -> Iterator[Found]:
    for target in data.targets:
        if target.output and target.loss is not None and target.loss.is_spread(target.array.shape, target.output):
            shapes = f"targets of {shape_text(target.array.shape)} beside an output of {shape_text(target.output)}"
            from layerexplain.layers.torch.losses import same_size_cure

            cure = same_size_cure(target.array.shape[1:], target.output[1:])
            yield target.layer, f"{target.loss.name} gets {shapes}, and compares each output with many targets; {cure}"
        elif (
            target.output
            and target.loss is not None
            and spreads(target.loss, _open(target.array.shape), _open(target.output))
        ):
            shape = shape_text(target.array.shape)
            message = f"{target.array.name} is {shape}, '{target.layer}' gives {shape_words(target.output)}"
            units, own = target.output[-1], target.array.shape[-1]
            pairs = f"the one number of an example with all {units} outputs"
            if units == 1 and own != 1:
                pairs = f"all {own} numbers of an example with the one output"
            elif places := target.output[1:-1]:
                outputs = f"each of its {places[0]} steps" if len(places) == 1 else "each of its places"
                cure = one_for_all_places(target.output, _last_recurrent(data))
                pairs = f"the one number of an example with {outputs}; {cure}"
            yield target.layer, f"{message}: {loss_name(target.loss)} compares {pairs}"


@rule(
    "examples-left-over",
    "A number of examples that the batch size of a stateful model does not divide",
    "breaks",
    "certain",
    why="The model keeps a state for each example of a batch, so that all batches have one size.",
    fix="Use a multiple of the batch size as the number of examples, and give fit() and predict() this batch_size.",
    source="keras/src/layers/rnn/rnn.py",
    keras="raises an error in fit(), at the last batch",
    of="data",
)
def examples_left_over(data: Data) -> Iterator[Found]:
    model = data.network.model
    batch = fixed_batch(model) if data.examples and any(map(keeps_state, model.layers)) else None
    for example in data.examples if batch else ():
        count, name = example.array.shape[0] if example.array.shape else None, example.array.name
        taken = data.batch_size
        if batch and taken not in (None, batch):
            message = f"fit() takes {taken} examples at a time, and the model is made for {batch}"
            yield example.layer, f"{message}; fit(…, batch_size={batch})"
        elif batch and isinstance(count, int) and count % batch:
            whole = count // batch
            if whole:
                batches = f"{whole} batch{'es' * (whole > 1)} of {batch}"
                message = f"{count} examples make {batches}, and {count % batch} more"
                right = f"`{name} = {name}[:{whole * batch}]`, the targets likewise, and fit(…, batch_size={batch})"
            else:
                message = f"{count} example{'s' * (count > 1)} make{'s' * (count == 1)} no batch of {batch}"
                right = f"make the model with a batch_size that divides {count}"
            yield example.layer, f"{message}; {right}"


@rule(
    "labels-outside",
    "Class labels beyond the units of the output",
    "breaks",
    "certain",
    why="The loss looks up the probability of the class by its number: beyond the last unit there is none. On a CPU "
    "that is an error, on a GPU the loss is NaN.",
    fix="Give the last layer a unit for each class, or number the classes from 0.",
    source="tensorflow: nn.sparse_softmax_cross_entropy_with_logits",
    of="data",
)
def labels_outside(data: Data) -> Iterator[Found]:
    wider = "nn.Linear(…, {})" if data.network.model.framework == "torch" else "Dense({})"
    for target in data.targets:
        low, high = target.array.low, target.array.high
        if target.loss is None or low is None or high is None:
            continue
        units = target.loss.classes(target.output or ())
        name = target.array.name
        if target.loss.sparse and isinstance(units, int) and (low < 0 or high >= units):
            message = f"{name} has labels from {low:g} to {high:g}, and '{target.layer}' has {units} units"
            moved = f"{name} - {low:g}" if low > 0 else f"{name} + {-low:g}"
            right = f"`{name} = {moved}`" if high - low < units else wider.format(f"{high + 1:g}")
            yield target.layer, f"{message}, for classes 0 to {units - 1}; {right}"


@rule(
    "targets-no-probabilities",
    "Targets beyond 0 and 1 beside a loss of probabilities",
    "wrong",
    "certain",
    why="The loss compares a probability with its target: beyond 0 and 1 it has no lowest value, and can fall below 0.",
    fix="Number two classes 0 and 1; for more classes give each a unit, a softmax and a loss of class numbers.",
    source="keras/src/losses/losses.py, BinaryCrossentropy",
    of="data",
)
def targets_no_probabilities(data: Data) -> Iterator[Found]:
    is_torch = data.network.model.framework == "torch"
    for target in data.targets:
        low, high, name = target.array.low, target.array.high, target.array.name
        if (
            target.loss is None
            or target.loss.sparse
            or target.loss.of != "probabilities"
            or low is None
            or high is None
        ):
            continue
        if low < 0:
            as_float = "float()" if is_torch else "astype('float32')"
            right = f"`{name} = ({name} > 0).{as_float}`"
        elif is_torch:
            right = f"{high + 1:g} classes need nn.Linear(…, {high + 1:g}) and CrossEntropyLoss"
        else:
            units = f"Dense({high + 1:g}, activation='softmax')"
            right = f"{high + 1:g} classes need {units} and sparse_categorical_crossentropy"
        if low < 0 or high > 1:
            yield (
                target.layer,
                f"{name} goes from {low:g} to {high:g}, and {loss_name(target.loss)} needs 0 to 1; {right}",
            )


@rule(
    "several-labels",
    "Several labels in each example beside a softmax",
    "wrong",
    "likely",
    why="The probabilities of a softmax sum to 1: where an example has two labels neither can be near 1, and an "
    "example without a label adds nothing to the loss.",
    fix="Give each label a probability of its own: a sigmoid, and the loss binary_crossentropy.",
    source="keras/src/backend/tensorflow/nn.py (categorical_crossentropy)",
    loss="binary_crossentropy",
    of="data",
)
def several_labels(data: Data) -> Iterator[Found]:
    for target in data.targets:
        if target.loss is None or target.loss.targets.kind != "one-hot" or target.array.ones is None:
            continue
        least, most = target.array.ones
        if most < 2 or (
            target.array.low is not None and target.array.low == target.array.high
        ):  # all ones: a placeholder
            continue
        count = f"{least:g} to {most:g} ones" if least < most else f"{least:g} ones"
        has = "any number of ones (MultiLabelBinarizer)" if most == inf else count
        message = f"a row of {target.array.name} has {has}, and {loss_name(target.loss)} expects exactly one"
        yield target.layer, f"{message}; `activation='sigmoid'` in '{target.layer}' with binary_crossentropy takes them"


@rule(
    "ids-outside",
    "Ids beyond the rows of an Embedding",
    "breaks",
    "certain",
    why="An id without a row raises an error on a CPU and silently gives a row of zeros on a GPU.",
    fix="Give the Embedding an input_dim of at least the largest id plus 1.",
    source="keras/src/layers/core/embedding.py",
    of="data",
    torch=Torch(
        "An id without a row raises an IndexError on a CPU, and a failed assertion on a GPU.",
        "Give the Embedding num_embeddings of at least the largest id plus 1.",
    ),
)
def ids_outside(data: Data) -> Iterator[Found]:
    for example in data.examples:
        low, high = example.array.low, example.array.high
        for reader in _first_readers(data.network, example.layer):
            argument = facts_of(type_of(data.network, reader)).ids_below
            rows = config_of(data.network, reader).get(argument) if argument else None
            if isinstance(rows, int) and low is not None and high is not None and (low < 0 or high >= rows):
                message = f"{example.array.name} has ids from {low:g} to {high:g}, and '{reader.name}' has {rows} rows"
                right = f"{argument}={high + 1:g}" if high >= rows else "ids below 0 count from the last row"
                yield reader, f"{message}, for ids 0 to {rows - 1}; {right}", "breaks" if high >= rows else "wrong"


def _first_readers(network: Network, name: str) -> Iterator[TracedCall]:
    """Yield the calls that read an input, also through layers that only move its values."""
    waiting = [call for call in network.calls if call.name == name]
    while waiting:
        for reader in readers_of(network, waiting.pop()):
            yield reader
            if not ends_with(reader):
                waiting.append(reader)


@rule(
    "values-not-scaled",
    "Values far from 0 that no layer scales",
    "hint",
    "likely",
    why="Initial weights and learning rates are made for values near 0: with large ones the first steps are too large, "
    "and training is slow or diverges.",
    fix="Scale the values, or put a Rescaling or Normalization layer first.",
    source="LeCun et al.: Efficient BackProp (1998), section 4.3",
    of="data",
    torch=Torch(fix="Scale the values, as transforms.Normalize does."),
)
def values_not_scaled(data: Data) -> Iterator[Found]:
    for example in data.examples:
        low, high, name = example.array.low, example.array.high, example.array.name
        readers = list(_first_readers(data.network, example.layer))
        scaled = any(type_of(data.network, reader) in _SCALES or reader.network is not None for reader in readers)
        if low is None or high is None or scaled or max(-low, high) <= _FAR:
            continue
        pixels = example.array.is_whole and low >= 0 and high <= 255
        line = f"{name} / 255" if pixels else f"({name} - {name}.mean(axis=0)) / {name}.std(axis=0)"
        yield example.layer, f"{name} goes from {low:g} to {high:g}, and no layer scales it; `{name} = {line}`"
    for target in data.targets:
        low, high, name = target.array.low, target.array.high, target.array.name
        if target.loss is None or target.loss.of != "numbers" or low is None or high is None:
            continue
        if max(-low, high) > _FAR_TARGETS:
            line = f"`{name} = ({name} - {name}.mean()) / {name}.std()`, to be undone after predict()"
            yield (
                target.layer,
                f"{name} goes from {low:g} to {high:g}, and {loss_name(target.loss)} grows with it; {line}",
            )


@rule(
    "data-not-finite",
    "NaN or infinity in the data",
    "wrong",
    "certain",
    why="One such number makes the loss NaN, and with it all weights after the first step.",
    fix="Remove or fill in the missing values.",
    source="keras/src/callbacks/terminate_on_nan.py",
    of="data",
)
def data_not_finite(data: Data) -> Iterator[Found]:
    for array in _arrays(data):
        if array.not_finite:
            verb = "are" if array.not_finite > 1 else "is"
            yield None, f"{array.not_finite:,} of the numbers in {array.name} {verb} NaN or infinite"


# Of run -------------------------------------------------------------------------------------------------------------
# Rules on one training step: what its numbers show. `trace --gradient` says the same of the same numbers.


class RunFact(NamedTuple):
    """What the numbers of a run show: the code of the rule that it belongs to, "" for none; the path of the layer, None
    for the model as a whole; and a sentence."""

    code: str
    layer: str | None
    sentence: str


def _rule(code: str, name: str, confidence: str, *, why: str, fix: str, source: str) -> None:
    """Declare a rule that reports the facts of its code."""

    def look(facts: Sequence[RunFact]) -> Iterator[Found]:
        for fact in facts:
            if fact.code == code:
                yield fact.layer, fact.sentence.removesuffix(".")

    look.__module__ = __name__
    rule(code, name, "wrong", confidence, why=why, fix=fix, source=source, of="run")(look)


_rule(
    "gradient-not-finite",
    "NaN or infinity in the first step",
    "certain",
    why="After one step, all weights that its gradient reaches are NaN.",
    fix="Look at the values of the data, and at logarithms, divisions and square roots of 0.",
    source="keras/src/callbacks/terminate_on_nan.py",
)

_rule(
    "vanishing-gradient",
    "Gradients that vanish on their way back",
    "likely",
    why="The first layers hardly change while the last ones learn.",
    fix="Use relu in place of sigmoid or tanh, he_normal kernels, BatchNormalization, or shortcuts (Add).",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
)

_rule(
    "exploding-gradient",
    "Gradients that explode on their way back",
    "likely",
    why="The first steps move the weights of the first layers far away, and the loss becomes NaN.",
    fix="Use smaller initial weights, BatchNormalization, a smaller learning rate, or clipnorm=1.0 in the optimizer.",
    source="Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks (2013)",
)

_rule(
    "gradient-stops",
    "A layer that passes no gradient",
    "likely",
    why="The layers before it do not learn from these examples.",
    fix="Look at its input: relu of negative values, saturated functions and a softmax over one value pass nothing.",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
)

_rule(
    "dead-layer",
    "relu units that are 0 for all examples",
    "likely",
    why="A unit that is 0 for all examples passes no gradient, and may never change again.",
    fix="Use biases that start at 0, scaled data, a smaller learning rate, or LeakyReLU.",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
)

_rule(
    "saturated-layer",
    "Outputs at the bounds of their function",
    "likely",
    why="There its slope is near 0: the layers before it get almost no gradient.",
    fix="Scale the data, use smaller initial weights, BatchNormalization before the function, or relu.",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
)
