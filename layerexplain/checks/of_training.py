"""Rules on training: loss, optimizer and metrics beside what the model gives out, and weights without a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from layerexplain.checks.calls import (
    activation_of,
    are_products,
    argument_of,
    config_of,
    derived,
    ending_with,
    ends_with,
    is_output,
    loss_words,
    losses_of,
    noted,
    type_of,
    weights_of,
)
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.errors import in_a_row
from layerexplain.lang.axes import Shape
from layerexplain.lang.visit import nodes
from layerexplain.layers.keras.fit_data import ACCURACY_COUNTS, accuracy_at, is_accuracy, is_of_logits
from layerexplain.layers.keras.losses import Loss
from layerexplain.network.gradient_paths import End, end_words, lost_weights
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.records import grouped

_LOGITS = frozenset({"linear"})
_PROBABILITIES = frozenset({"softmax", "sigmoid"})
_KERAS_LOSSES = "keras/src/losses/losses.py"


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
    for call, _, loss, setting in losses_of(network):
        last = activation_of(network, call)
        if loss.output_kind(setting.config) == "logits" and last in _PROBABILITIES:
            yield call, f"the output ends with {last}, and {loss_words(loss, setting)}{_on_tensorflow(loss, last)}"


def _on_tensorflow(loss: Loss, activation: str) -> str:
    """Return from which values Keras computes a loss on TensorFlow, where that is not the output; else ""."""
    return f"; on TensorFlow Keras takes the values before the {activation}" if is_of_logits(loss, activation) else ""


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
    for call, _, loss, setting in losses_of(network):
        if loss.output_kind(setting.config) == "probabilities" and activation_of(network, call) in _LOGITS:
            yield call, f"the output is linear, and {loss_words(loss, setting)}"


@rule(
    "no-logarithms",
    "A loss of log-probabilities that gets something else",
    "wrong",
    "certain",
    why="NLLLoss and KLDivLoss compute no logarithm: given scores or probabilities the loss is not a likelihood, "
    "is often below 0, and falls without limit.",
    fix="End with log_softmax(x, dim=1); or return the scores and use CrossEntropyLoss.",
    source="torch.nn.NLLLoss",
)
def no_logarithms(network: Network) -> Iterator[Found]:
    for call, _, loss, setting in losses_of(network):
        last = activation_of(network, call)
        if loss.output_kind(setting.config) == "logarithms" and last in (*_LOGITS, *_PROBABILITIES, *_NO_PROBABILITIES):
            ends = "is linear" if last in _LOGITS else f"ends with {last}"
            yield call, f"the output {ends}, and {loss_words(loss, setting)}"


_NO_PROBABILITIES = {
    **dict.fromkeys(("relu", "relu6", "softplus", "exp"), "which has no upper bound of 1"),
    **dict.fromkeys(("tanh", "hard_tanh", "softsign"), "from -1 to 1"),
    **dict.fromkeys(("leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"), "which may be negative"),
}
"""Activation → why its values are no probabilities."""


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
    for call, _, loss, setting in losses_of(network):
        last = activation_of(network, call)
        kind = loss.output_kind(setting.config) if last in _NO_PROBABILITIES else ""
        if kind == "probabilities":
            yield call, f"the output ends with {last}, {_NO_PROBABILITIES[last]}; {loss.name} needs probabilities"
        elif kind == "logits" and last in ("relu", "tanh", "hard_tanh", "softsign"):
            said = loss_words(loss, setting)
            yield call, f"the output ends with {last}, and {said}: logits have no bounds"


@rule(
    "loss-of-no-output",
    "A loss or a metric for an output that does not exist",
    "breaks",
    "certain",
    why="Keras matches losses and metrics with outputs by name, and refuses a name that no output has.",
    fix="Compile again with the names of the outputs, or with one loss for all of them.",
    source="keras/src/trainers/compile_utils.py, CompileLoss",
    keras="raises an error in fit()",
)
def loss_of_no_output(network: Network) -> Iterator[Found]:
    training = network.model.training
    outputs = list(dict.fromkeys(ref.layer for ref in network.model.outputs))
    for kind, given in (("loss", training.losses), ("metric", training.metrics)) if training and outputs else ():
        for name in given:
            if name and name not in outputs:
                known = f"the output{'s are' if len(outputs) > 1 else ' is'} {in_a_row(map(repr, outputs))}"
                yield None, f"a {kind} is given for '{name}'; {known}"


_ONE_OF_SEVERAL = ("categorical_crossentropy", "sparse_categorical_crossentropy", "CrossEntropyLoss", "NLLLoss")
_ERRORS = ("mean_squared_error", "mean_absolute_error", "MSELoss", "L1Loss")
_DISTANCES = (*_ERRORS, "huber", "HuberLoss", "SmoothL1Loss")


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
    for call, shape, loss, _ in losses_of(network):
        if shape is not None and loss.name in _ONE_OF_SEVERAL and loss.classes(shape) == 1:
            yield call, f"{loss.name} gets {shape_text(shape)}: one class"


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
    for call, shape, loss, _ in losses_of(network):
        if loss.of == "probabilities" and _several(shape) and activation_of(network, call) == "softmax":
            yield call, f"{loss.name} gets a softmax over {_units(shape)} classes{_on_tensorflow(loss, 'softmax')}"


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
    for call, shape, loss, _ in losses_of(network):
        if "categorical_crossentropy" in loss.name and _several(shape) and activation_of(network, call) == "sigmoid":
            said = f"{loss.name} gets {_units(shape)} sigmoids, which do not sum to 1; on JAX and PyTorch Keras divides"
            yield call, f"{said} them by their sum{_on_tensorflow(loss, 'sigmoid')}, and their softmax"


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
    for call, _, loss, _ in losses_of(network):
        if loss.name in _ERRORS and activation_of(network, call) == "softmax":
            yield call, f"{loss.name} gets a softmax"


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
    for call, _, loss, _ in losses_of(network):
        if loss.of == "numbers" and activation_of(network, call) == "relu" and ends_with(call):
            yield call, f"the output ends with relu, and {loss.name} compares it with numbers"


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
    for call, _, loss, _ in losses_of(network):
        if loss.name in _DISTANCES and activation_of(network, call) == "tanh":
            yield call, f"the output ends with tanh, and {loss.name} compares it with numbers"


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
    for call, shape, loss, _ in losses_of(network):
        if (
            loss.of == "numbers"
            and _has_accuracy(network, call)
            and activation_of(network, call) not in (*_PROBABILITIES, "?")
        ):
            yield call, f"accuracy is the metric beside {loss.name}{_accuracy_words(shape, loss.targets_shape)}"


def _has_accuracy(network: Network, call: TracedCall) -> bool:
    """Return whether the accuracy of an output is one of its metrics."""
    training = network.model.training
    metrics = {} if training is None else training.metrics
    return any(is_accuracy(metric.name) for key in ("", call.name) for metric in metrics.get(key, ()))


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
    for call, _, loss, _ in losses_of(network):
        if loss.name in ("hinge", "squared_hinge") and activation_of(network, call) == "sigmoid":
            yield call, f"{loss.name} gets a sigmoid"


@rule(
    "negative-into-logarithm",
    "Poisson or KL divergence on a linear output",
    "wrong",
    "likely",
    why="The loss takes the logarithm of the output; below 0 it is clipped, and nothing is learned.",
    fix="Give the last layer exp or softplus for Poisson, softmax for KL divergence.",
    source=_KERAS_LOSSES,
)
def negative_into_logarithm(network: Network) -> Iterator[Found]:
    for call, _, loss, _ in losses_of(network):
        if loss.name in ("poisson", "kl_divergence") and activation_of(network, call) in _LOGITS:
            yield call, f"{loss.name} gets a linear output, which may be negative"


@rule(
    "untrained-weights",
    "Weights that no loss depends on",
    "wrong",
    "certain",
    why="They keep their initial values: their gradient is always 0.",
    fix="Give their output a loss, remove the branch, or freeze it (trainable=False).",
    source="keras/src/trainers/trainer.py, compile",
    keras="warns on TensorFlow, in fit()",
    torch=Torch(fix="Give their output a loss, remove the branch, or freeze it (requires_grad_(False))."),
)
def untrained_weights(network: Network) -> Iterator[Found]:
    training = network.model.training
    if training is None or not training.losses or "" in training.losses or not training.are_all:
        return
    feeding: dict[str, list[str]] = {}
    for call in network.calls:
        feeding.setdefault(call.name, []).extend([ref.layer for ref in call.sources])
    reached: set[str] = set()
    waiting = [ref.layer for ref in network.model.outputs if ref.layer in training.losses]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += feeding.get(name, [])
    for call in network.calls:
        name = call.name
        trains = any(one.attrs["trainable"] for one in weights_of(call)) and config_of(network, call).get(
            "trainable", True
        )
        if name not in reached and trains and call.number == 0:
            yield name, f"no output with a loss ({', '.join(training.losses)}) depends on '{name}'"


@rule(
    "unregistered",
    "A module of PyTorch that is no part of the model",
    "wrong",
    "certain",
    why="Modules in a plain list or dict, and those that forward makes, are not found by parameters(), to() and "
    "state_dict(): the optimizer never changes them, and they are neither moved nor saved.",
    fix="Put them into an nn.ModuleList or nn.ModuleDict, in __init__.",
    source="torch.nn.Module.__setattr__",
)
def unregistered(network: Network) -> Iterator[Found]:
    return noted(network, "unregistered")


@rule(
    "gradients-add-up",
    "A loop of training that never clears the gradients",
    "wrong",
    "likely",
    why="Gradients accumulate, so each update repeats earlier ones.",
    fix="Call optimizer.zero_grad() before backward().",
    source="torch.optim.Optimizer.zero_grad",
)
def gradients_add_up(network: Network) -> Iterator[Found]:
    return noted(network, "gradients-add-up")


@rule(
    "optimizer-of-another-model",
    "An optimizer that changes another model",
    "wrong",
    "likely",
    why="An optimizer changes only the parameters that it was given: this model gets gradients and never changes.",
    fix="Give the optimizer the parameters() of the model that the loop trains.",
    source="torch.optim.Optimizer.step",
)
def optimizer_of_another_model(network: Network) -> Iterator[Found]:
    return noted(network, "optimizer-of-another-model")


@rule(
    "trainable-after-compile",
    "A layer frozen or unfrozen without a new compile()",
    "wrong",
    "likely",
    why="Keras 3 looks at trainable in the first fit() after compile(), and keeps what it found, without a warning; "
    "Keras 2 looks in compile(). Data of another shape make it look again.",
    fix="Call compile() again after trainable was changed, with a small learning rate for fine-tuning.",
    source="keras/src/backend/tensorflow/trainer.py, make_train_function",
)
def trainable_after_compile(network: Network) -> Iterator[Found]:
    return noted(network, "trainable-after-compile")


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
    for call, shape, loss, _ in losses_of(network):
        of_sigmoids = loss.of == "probabilities" and activation_of(network, call) == "sigmoid"
        if of_sigmoids and _several(shape) and _has_accuracy(network, call):
            said = f"the metric accuracy is computed on {_units(shape)} sigmoids"
            yield call, f"{said}{_accuracy_words(shape, loss.targets_shape)}"


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
    for call, shape, loss, _ in losses_of(network):
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


@rule(
    "no-gradient",
    "Trainable weights that get no gradient",
    "wrong",
    "certain",
    why="Training does not change weights that get no gradient: they keep their initial values. Keras warns in fit().",
    fix="Replace what the path ends at by something with a gradient (softmax in place of argmax), read the output, or "
    "set trainable=False.",
    source="keras/src/backend/tensorflow/trainer.py; tf.GradientTape",
    keras="warns on TensorFlow, in fit()",
    torch=Torch(
        "Training does not change weights that get no gradient: they keep their initial values, and nothing warns.",
        "Replace what the path ends at by something with a gradient (softmax in place of argmax), use the output, or "
        "freeze them (requires_grad_(False)).",
    ),
)
def no_gradient(network: Network) -> Iterator[Found]:
    # A program may end at a fault before its outputs; and what a model of transformers leaves unread, as Llava does the
    # last layer that sees the image, is how it is.
    if not network.model.outputs or network.model.format == "hugging-face":
        return
    of_layer = grouped((lost.layer, lost) for lost in lost_weights(network))
    for layer, weights in of_layer.items():
        ends = sorted({end for lost in weights for end in lost.ends})
        verb = "are" if len(weights) > 1 else "is"
        names = in_a_row(lost.weight for lost in weights)
        # Whoever writes no_grad, detach or stop_gradient means it: freezing the weights would only say so.
        severity = "hint" if all(end.op == "stop_gradient" for end in ends) else "wrong"
        yield layer, f"{names} {verb} trainable, but the path of the gradient ends {_listed(ends)}", severity


def _listed(ends: list[End]) -> str:
    words = list(dict.fromkeys(map(end_words, ends)))
    return " and ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
