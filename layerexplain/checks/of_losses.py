"""Rules on losses and metrics beside what they compare: the outputs of a model, or what a loop makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from layerexplain.checks.calls import (
    CompiledLoss,
    are_products,
    argument_of,
    derived,
    ending_with,
    ends_with,
    is_output,
    losses_of,
    type_of,
)
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.lang.axes import Shape
from layerexplain.lang.visit import nodes
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.keras.fit_data import ACCURACY_COUNTS, METRIC_TARGETS, accuracy_at, is_accuracy, is_of_logits
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text

_LOGITS = frozenset({"linear"})
_PROBABILITIES = frozenset({"softmax", "sigmoid"})
_KERAS_LOSSES = "keras/src/losses/losses.py"


_ONE_OF_SEVERAL = ("categorical_crossentropy", "sparse_categorical_crossentropy", "CrossEntropyLoss", "NLLLoss")
_ERRORS = ("mean_squared_error", "mean_absolute_error", "MSELoss", "L1Loss")
_DISTANCES = (*_ERRORS, "huber", "HuberLoss", "SmoothL1Loss")


@rule(
    "softmax-over-one",
    "Softmax over an axis of size 1",
    "wrong",
    "certain",
    why="A softmax over a single value is always 1: whatever training does to the weights, the output does not change.",
    fix="Use sigmoid with binary_crossentropy for two classes, or one unit per class.",
    source="keras/src/ops/nn.py, softmax",
    keras="warns when the model is called",
    inside=True,
    torch=Torch(
        "A softmax over a single value is always 1: whatever training does to the weights, the output does not change.",
        "Use BCEWithLogitsLoss on the score for two classes, or one unit per class.",
    ),
)
def softmax_over_one(network: Network) -> Iterator[Found]:
    for call in ending_with(network, "softmax"):
        spec = call.outputs[0]
        over_one = spec is not None and spec.shape[-1:] == (1,)
        if spec is not None and over_one and argument_of(call, "axis", -1) in (-1, len(spec.shape) - 1):
            if are_products(network, call):
                continue  # attention to a single key, as a small image leaves it
            words = f"softmax runs over the last axis of {shape_text(spec.shape)}, which has one value"
            size, name = spec.shape[-2], "dim" if network.model.framework == "torch" else "axis"
            is_inside = len(spec.shape) > 2 and isinstance(size, int) and not is_output(network, call)
            yield call, words + f"; {name}={len(spec.shape) - 2} compares {size} values" * is_inside


@rule(
    "logits-of-probabilities",
    "Probabilities into a loss that expects logits",
    "wrong",
    "certain",
    why="With from_logits=True a loss applies its own softmax or sigmoid: to probabilities that is done twice, unless "
    "Keras finds the values before the activation, which it does on TensorFlow alone.",
    fix="Remove the activation, or set from_logits=False.",
    source=_KERAS_LOSSES,
    keras="warns on TensorFlow, in fit()",
    torch=Torch(
        "The loss applies its softmax or sigmoid to probabilities once more: it cannot fall to 0, its gradients are "
        "small, and nothing warns.",
        "Return the scores of the last layer, and apply softmax or sigmoid only to predict.",
    ),
)
def logits_of_probabilities(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if compiled.takes == "logits" and compiled.ends_with in _PROBABILITIES:
            of_logits = _on_tensorflow(compiled)
            message = f"{compiled.words}, and {compiled.loss_words}{of_logits}"
            yield compiled.call, message, _severity(compiled, of_logits)


def _severity(compiled: CompiledLoss, of_logits: str) -> str:
    """Return how severe an activation before a loss is: a loop with a tape runs on TensorFlow, where the loss may be
    that of the logits."""
    return "hint" if of_logits and compiled.setting.line is not None else "wrong"


def _on_tensorflow(compiled: CompiledLoss) -> str:
    """Return from which values Keras computes a loss on TensorFlow, where that is not the output; else "". It knows
    what its own activations made, as long as nothing else is applied to that."""
    applied, last = compiled.setting.applied, compiled.ends_with
    is_known = not applied or (len(compiled.functions) > 1 and not applied[-1].name.startswith("tf."))
    of_logits = is_known and is_of_logits(compiled.loss, last)
    return f"; on TensorFlow Keras takes the values before the {last}" if of_logits else ""


@rule(
    "no-probabilities",
    "Logits into a loss that expects probabilities",
    "wrong",
    "certain",
    why="The loss takes logarithms of what it is given: values outside 0 to 1 are clipped, and their gradient is lost.",
    fix="Give the loss from_logits=True, or the last layer an activation (softmax, sigmoid).",
    source=_KERAS_LOSSES,
    torch=Torch(
        "The loss takes logarithms of what it is given; PyTorch raises an error for values outside 0 to 1.",
        "End with sigmoid, or use BCEWithLogitsLoss, which applies it.",
    ),
)
def no_probabilities(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        # Where the loop takes a logarithm itself, negative-into-logarithm has the cure.
        if compiled.takes == "probabilities" and compiled.ends_with in _LOGITS and not compiled.within:
            yield compiled.call, f"{compiled.words}, and {compiled.loss_words}"


@rule(
    "no-logarithms",
    "A loss of log-probabilities that gets something else",
    "wrong",
    "certain",
    why="NLLLoss and KLDivLoss take logarithms of probabilities that add up to 1, and compute no logarithm themselves. "
    "Of anything else the loss is no likelihood; it may fall below 0 without limit.",
    fix="End with log_softmax(x, dim=1); or return the scores and use CrossEntropyLoss.",
    source="torch.nn.NLLLoss",
)
def no_logarithms(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        not_logarithms = {*_LOGITS, *_PROBABILITIES, *_NO_PROBABILITIES} - {"log_softmax", "log"}
        # Sigmoids are no classes that share a probability of 1, with or without a logarithm of the loop.
        takes, last = compiled.takes, compiled.ends_with
        of_sigmoids = (
            bool(compiled.within) and compiled.loss.of == "classes" and (takes, last) == ("probabilities", "sigmoid")
        )
        if of_sigmoids or (takes == "logarithms" and last in not_logarithms):
            yield compiled.call, f"{compiled.words}, and {compiled.loss_words}"


_LOGARITHMS = ("log_softmax", "log_sigmoid", "log")
_NO_PROBABILITIES = {
    **dict.fromkeys(_LOGARITHMS, "a logarithm"),
    **dict.fromkeys(("relu", "relu6", "softplus", "exp"), "which has no upper bound of 1"),
    **dict.fromkeys(("tanh", "hard_tanh", "softsign"), "from -1 to 1"),
    **dict.fromkeys(("leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"), "which may be negative"),
}
"""Activation → why its values are no probabilities."""
_BOUNDED = {
    "classes": ("relu", "relu6", "tanh", "hard_tanh", "softsign"),
    "probabilities": tuple(name for name in _NO_PROBABILITIES if name != "leaky_relu"),
}
"""Of what a loss of logits is → activations that a softmax or a sigmoid of them cannot make up for: of classes the
differences count, of single probabilities each value from far below 0 to far above."""


@rule(
    "activation-before-cross-entropy",
    "A cross-entropy of values that are not probabilities",
    "wrong",
    "certain",
    why="The loss takes logarithms of probabilities: what is outside 0 to 1 is clipped and passes no gradient.",
    fix="End with softmax (one of several classes) or sigmoid (yes or no), or with no activation and from_logits=True.",
    source=_KERAS_LOSSES,
    torch=Torch(
        "A cross-entropy needs scores without bounds, or probabilities: what an activation cuts off is not learned.",
        "Remove the activation of the last layer; CrossEntropyLoss and BCEWithLogitsLoss take its scores.",
    ),
)
def activation_before_cross_entropy(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        last = compiled.ends_with
        if compiled.takes == "probabilities" and last in _NO_PROBABILITIES:
            needs = f"{compiled.loss.name} needs probabilities"
            yield compiled.call, f"{compiled.words}, {_NO_PROBABILITIES[last]}; {needs}"
        elif compiled.takes == "logits" and last in _BOUNDED[compiled.loss.of]:
            yield compiled.call, f"{compiled.words}, and {compiled.loss_words}: logits have no bounds"


@rule(
    "one-class",
    "Categorical cross-entropy on one unit",
    "wrong",
    "certain",
    why="With one class the loss is 0 whatever the weights are, or the targets name classes that do not exist.",
    fix="Use binary_crossentropy with a sigmoid, or one unit per class.",
    source=_KERAS_LOSSES,
    keras="warns of categorical_crossentropy, in fit()",
    torch=Torch(
        "With one class the loss is 0 whatever the weights, and class numbers above 0 are out of bounds.",
        "Use BCEWithLogitsLoss with targets of the output's shape, or one unit per class.",
    ),
)
def one_class(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        shape, loss = compiled.shape, compiled.loss
        if shape is not None and loss.name in _ONE_OF_SEVERAL and loss.classes(shape) == 1:
            yield compiled.call, f"{loss.name} gets {shape_text(shape)}: one class"


@rule(
    "binary-loss-on-softmax",
    "Binary cross-entropy on a softmax",
    "wrong",
    "likely",
    why="Each class is scored as an independent yes/no question, though the softmax makes them exclude each other.",
    fix="Use categorical_crossentropy, or sigmoids if several classes may hold at once.",
    source=_KERAS_LOSSES,
    loss="categorical_crossentropy",
    torch=Torch(
        "Each class is scored as an independent yes/no question, though the softmax makes them exclude each other.",
        "Use CrossEntropyLoss on the scores, or sigmoid if several classes may hold at once.",
    ),
)
def binary_loss_on_softmax(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        call, shape, loss = compiled.call, compiled.shape, compiled.loss
        if loss.of == "probabilities" and _several(shape) and compiled.ends_with == "softmax":
            yield call, f"{loss.name} gets a softmax over {_units(shape)} classes{_on_tensorflow(compiled)}"


@rule(
    "categorical-loss-on-sigmoid",
    "Categorical cross-entropy on sigmoids",
    "wrong",
    "likely",
    why="The loss is that of classes which exclude each other, of a softmax or of shares that sum to 1; predict() then "
    "returns sigmoids, which were not compared with the targets.",
    fix="Use softmax, or binary_crossentropy if several classes may hold at once.",
    source="keras/src/backend/tensorflow/nn.py, categorical_crossentropy",
    loss="binary_crossentropy",
)
def categorical_loss_on_sigmoid(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        call, shape, loss = compiled.call, compiled.shape, compiled.loss
        if "categorical_crossentropy" in loss.name and _several(shape) and compiled.ends_with == "sigmoid":
            message = (
                f"{loss.name} gets {_units(shape)} sigmoids, which do not sum to 1; on JAX and PyTorch Keras divides"
            )
            of_logits = _on_tensorflow(compiled)
            yield call, f"{message} them by their sum{of_logits}, and their softmax", _severity(compiled, of_logits)


def _several(shape: Shape | None) -> bool:
    """Return whether an example has more than one number along the last axis."""
    return _units(shape) > 1


def _units(shape: Shape | None) -> int:
    """Return how many numbers an example has along the last axis; 0 where that is not known."""
    return next((size for size in (shape or ())[-1:] if isinstance(size, int)), 0)


@rule(
    "squared-error-on-softmax",
    "Squared error on a softmax",
    "hint",
    "hint",
    why="Where the model is confident and wrong, the gradient of squared error through a softmax is near 0.",
    fix="Use categorical_crossentropy for classes.",
    source="Golik, Doetsch, Ney: Cross-Entropy vs. Squared Error Training (2013)",
    loss="categorical_crossentropy",
    torch=Torch(
        "Where the model is confident and wrong, the gradient of squared error through a softmax is near 0.",
        "Use CrossEntropyLoss on the scores for classes.",
    ),
)
def squared_error_on_softmax(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if compiled.loss.name in _ERRORS and compiled.ends_with == "softmax":
            yield compiled.call, f"{compiled.loss.name} gets a softmax"


@rule(
    "relu-output",
    "A regression whose output cannot be negative",
    "wrong",
    "likely",
    why="relu returns no negative numbers, and passes no gradient where it returns 0: the output may stay at 0.",
    fix="Remove the activation, or use softplus if the targets are positive.",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
)
def relu_output(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        is_last = len(compiled.functions) > 1 or ends_with(compiled.call)
        if compiled.loss.of == "numbers" and compiled.ends_with == "relu" and is_last:
            yield compiled.call, f"{compiled.words}, and {compiled.loss.name} compares it with numbers"


@rule(
    "tanh-output",
    "A regression whose output stays within -1 and 1",
    "hint",
    "hint",
    why="Targets outside -1 to 1 can never be reached.",
    fix="Remove the activation, or scale the targets to -1 to 1.",
    source="keras/src/activations/activations.py",
)
def tanh_output(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if compiled.loss.name in _DISTANCES and compiled.ends_with == "tanh":
            yield compiled.call, f"{compiled.words}, and {compiled.loss.name} compares it with numbers"


@rule(
    "accuracy-of-numbers",
    "Accuracy beside a regression loss",
    "wrong",
    "certain",
    why="Accuracy compares classes. Of numbers it says nothing: not how far an output is from its target.",
    fix="Use mae or mse as the metric.",
    source="keras/src/trainers/compile_utils.py, get_metric",
)
def accuracy_of_numbers(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        call, shape, loss = compiled.call, compiled.shape, compiled.loss
        if loss.of == "numbers" and _has_accuracy(network, call) and compiled.ends_with not in (*_PROBABILITIES, "?"):
            yield call, f"accuracy is the metric beside {loss.name}{_accuracy_words(shape, loss.targets_shape)}"


def _metrics_of(network: Network, call: TracedCall) -> list[str]:
    """Return the names of the metrics of an output."""
    training = network.model.training
    metrics = {} if training is None else training.metrics
    return [metric.name for key in ("", call.name) for metric in metrics.get(key, ())]


def _has_accuracy(network: Network, call: TracedCall) -> bool:
    """Return whether the accuracy of an output is one of its metrics."""
    return any(map(is_accuracy, _metrics_of(network, call)))


@rule(
    "metric-of-other-targets",
    "A metric that takes other targets than the loss",
    "wrong",
    "certain",
    why="A metric gets the targets of the loss. One that expects others computes a number without meaning: in a row "
    "with a single number, for example, the largest number is always the first.",
    fix="Use the metric accuracy, or the one for the targets of the loss: binary_accuracy, categorical_accuracy or "
    "sparse_categorical_accuracy.",
    source="keras/src/metrics/accuracy_metrics.py",
)
def metric_of_other_targets(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        kind = compiled.loss.targets.kind
        for metric in _metrics_of(network, compiled.call) if kind in _TARGETS else ():
            taken = METRIC_TARGETS.get(snake_case(metric), kind)
            if taken != kind:
                message = f"the metric {metric} takes {_TARGETS[taken]}"
                yield compiled.call, f"{message}, and {compiled.loss.name} gets {_TARGETS[kind]}"


_TARGETS = {
    "bits": "a 0 or 1 for each output",
    "one-hot": "a row with one number for each class",
    "classes": "the number of a class",
}


def _accuracy_words(shape: Shape | None, targets_shape: Callable[[Shape], Shape]) -> str:
    """Return what Keras makes of "accuracy" for an output of a shape and targets that fit it; "" where it is open."""
    name = accuracy_at(None if shape is None else targets_shape(shape), shape)
    return f"; Keras makes it {name}: it takes {ACCURACY_COUNTS[name].format(units=_units(shape))}" if name else ""


@rule(
    "hinge-on-sigmoid",
    "Hinge loss on a sigmoid",
    "hint",
    "hint",
    why="Hinge loss needs outputs below -1 and above 1; a sigmoid returns 0 to 1.",
    fix="Use tanh or no activation, or binary_crossentropy.",
    source=_KERAS_LOSSES,
    loss="binary_crossentropy",
)
def hinge_on_sigmoid(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if compiled.loss.name in ("hinge", "squared_hinge") and compiled.ends_with == "sigmoid":
            yield compiled.call, f"{compiled.loss.name} gets a sigmoid"


@rule(
    "negative-into-logarithm",
    "The logarithm of an output that may be negative",
    "wrong",
    "likely",
    why="The loss takes the logarithm of the output; below 0 it is clipped, and nothing is learned.",
    fix="Give the last layer exp or softplus for Poisson, softmax for KL divergence.",
    source=_KERAS_LOSSES,
    torch=Torch("The logarithm of 0 is -inf, below 0 it is NaN, and so is the loss.", "Use log_softmax on the scores."),
)
def negative_into_logarithm(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if compiled.loss.name in ("poisson", "kl_divergence") and compiled.ends_with in _LOGITS:
            yield compiled.call, f"{compiled.loss.name} gets a linear output, which may be negative"
        for (before, _), (function, line) in pairwise((*compiled.functions, *compiled.within)):
            if function == "log" and before in (*_LOGITS, *_NO_PROBABILITIES) and before not in ("softplus", "exp"):
                yield compiled.call, f"line {line} takes the logarithm of the output, which may be 0 or less ({before})"


@rule(
    "accuracy-of-sigmoids",
    "Accuracy of several sigmoids",
    "wrong",
    "likely",
    why="For several outputs Keras takes 'accuracy' as that of classes which exclude each other: only the largest "
    "sigmoid counts.",
    fix="Use binary_accuracy as the metric.",
    source="keras/src/trainers/compile_utils.py, get_metric",
)
def accuracy_of_sigmoids(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        call, shape, loss = compiled.call, compiled.shape, compiled.loss
        of_sigmoids = loss.of == "probabilities" and compiled.ends_with == "sigmoid"
        if of_sigmoids and _several(shape) and _has_accuracy(network, call):
            message = f"the metric accuracy is computed on {_units(shape)} sigmoids"
            yield call, f"{message}{_accuracy_words(shape, loss.targets_shape)}"


@rule(
    "class-loss-on-map",
    "A classification loss on a feature map",
    "wrong",
    "likely",
    why="Each position of the map is classified separately and needs its own target.",
    fix="Use Flatten or a global pooling before the last Dense.",
    source=_KERAS_LOSSES,
    causes=("data-shape",),
)
def class_loss_on_map(network: Network) -> Iterator[Found]:
    inputs = [call.outputs[0] for call in network.calls if not call.sources and call.outputs]
    grown = ("conv_transpose", "resize", "repeat")
    definitions = [call.definition for call in derived(network) if call.definition is not None]
    grows = any(node.op.name in grown for definition in definitions for node in nodes(definition))
    for compiled in losses_of(network):
        call, shape, loss = compiled.call, compiled.shape, compiled.loss
        spec = inputs[0] if len(inputs) == 1 else None
        if (
            loss.of != "classes"
            or shape is None
            or len(shape) < 3
            or spec is None
            or len(spec.shape) != len(shape)
            or grows
        ):
            continue
        # Labels for each pixel or step have the input's sizes; a map that became smaller is one of features.
        if type_of(network, call) == "Dense" and spec.shape[1:-1] != shape[1:-1] and None not in shape[1:-1]:
            places = " × ".join(str(size) for size in shape[1:-1])
            noun = "place" if places == "1" else "places"
            yield call, f"{loss.name} gets {shape_text(shape)}: {places} {noun} with {shape[-1]} classes each"
