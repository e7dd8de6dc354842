"""Rules on training as a whole: losses without an output, weights that no gradient reaches, and loops of training."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.calls import at_line, config_of, losses_of, noted, weights_of
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.errors import in_a_row
from layerexplain.network.gradient_paths import UNUSED, End, end_words, lost_weights
from layerexplain.network.traced import Network
from layerexplain.records import grouped


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
        trains = any(expression.attrs["trainable"] for expression in weights_of(call)) and config_of(network, call).get(
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
    "An optimizer that does not change the model",
    "wrong",
    "likely",
    why="An optimizer changes only the variables that it is given with their gradients: this model never changes.",
    fix="Give tape.gradient() and optimizer.apply_gradients() the trainable_variables of the model.",
    source="keras/src/optimizers/base_optimizer.py, apply_gradients",
    torch=Torch(
        "An optimizer changes only the parameters that it was given: this model gets gradients and never changes.",
        "Give the optimizer the parameters() of the model that the loop trains.",
    ),
)
def optimizer_of_another_model(network: Network) -> Iterator[Found]:
    return noted(network, "optimizer-of-another-model")


@rule(
    "training-flag",
    "A loop of training that calls the model as predict() does",
    "wrong",
    "certain",
    why="Outside of fit() a model computes as at inference unless it is told: Dropout drops nothing, and "
    "BatchNormalization neither uses the batch's mean and variance nor updates its own.",
    fix="Write model(x, training=True) under the tape.",
    source="https://keras.io/guides/writing_a_custom_training_loop_in_tensorflow",
)
def training_flag(network: Network) -> Iterator[Found]:
    return noted(network, "training-flag")


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
    for compiled in losses_of(network):
        if compiled.ends:
            message = " and ".join(dict.fromkeys(at_line(*end) for end in compiled.ends))
            yield compiled.call, f"{message} stands between the output and {compiled.loss.name} and passes no gradient"
    of_layer = grouped((lost.layer, lost) for lost in lost_weights(network))
    training = network.model.training
    # A loop of Keras's with a tape may call the parts of a model itself, as distillation calls its teacher.
    is_whole = network.model.framework == "torch" or training is None or training.are_all
    for layer, weights in of_layer.items():
        ends = sorted({end for lost in weights for end in lost.ends})
        if not is_whole and any(end.op == UNUSED for end in ends):
            continue
        verb = "are" if len(weights) > 1 else "is"
        names = in_a_row(lost.weight for lost in weights)
        # Whoever writes no_grad, detach or stop_gradient means it: freezing the weights would only say so.
        severity = "hint" if all(end.op == "stop_gradient" for end in ends) else "wrong"
        yield layer, f"{names} {verb} trainable, but the path of the gradient ends {_listed(ends)}", severity


def _listed(ends: list[End]) -> str:
    words = list(dict.fromkeys(map(end_words, ends)))
    return " and ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
