"""Rules on what trains a model: the optimizer, what is frozen, regularizers, and what fit() gets beside the data."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, nan, prod

from layerexplain.checks.calls import losses_of, weights_of
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.lang.axes import Shape
from layerexplain.layers.keras.losses import Loss
from layerexplain.model import TrainingSetting, keeps_state
from layerexplain.network.traced import Network
from layerexplain.report.objective import holder_of, settings_of
from layerexplain.report.settings import mean_square, setting_of, usual_initializer

# Of optimizers ------------------------------------------------------------------------------------------------------
# Rules on what trains a model: the optimizer, what is frozen, and regularizers beside the loss.

_STEPS_OF_ANY_SIZE = ("sgd", "adadelta", "adagrad", "ftrl", "adafactor", "lbfgs", "asgd")
"""Optimizers whose steps depend on the size of the gradient, or whose learning rates are usually large."""

_MOST_FACTOR = 1e30

_OUTWEIGHS = 10
"""A penalty that begins at more than so many times the loss keeps the weights near 0."""


@rule(
    "learning-rate",
    "An unusual learning rate",
    "hint",
    "hint",
    why="Above 0.01 these optimizers mostly diverge; below 1e-7 float32 weights hardly change.",
    fix="Start with 0.001.",
    source="Kingma, Ba: Adam (2015)",
)
def learning_rate(network: Network) -> Iterator[Found]:
    optimizer, rate = _of_optimizer(network, "learning_rate")
    most = 1 if optimizer.lower() in _STEPS_OF_ANY_SIZE else 0.0100001
    if (rate > most or 0 < rate < 1e-7) and not _is_absurd(optimizer, rate):
        yield None, f"{optimizer} has a learning rate of {rate:g}"


_IN_TORCH = {"learning_rate": "lr"}


def _of_optimizer(network: Network, argument: str) -> tuple[str, float]:
    """Return the name of the optimizer, and a number that it is given; NaN for none."""
    training = network.model.training
    optimizer = None if training is None else training.optimizer
    if optimizer is None:
        return "", nan
    name, _, of_torch = optimizer.name.rpartition(".")[::-1]
    given = optimizer.config.get(_IN_TORCH.get(argument, argument) if of_torch else argument)
    return name, float(given) if isinstance(given, int | float) else nan


@rule(
    "absurd-learning-rate",
    "A learning rate at which nothing is learned",
    "wrong",
    "certain",
    why="Adam and similar optimizers move each weight by about the learning rate in each step, however small "
    "the gradient; weights start below 1, so that a step of 1 overwrites them. At 0 nothing changes, and "
    "below 0 the loss grows.",
    fix="Start with 0.001; with SGD, 0.01.",
    source="Kingma, Ba: Adam (2015), section 2.1",
)
def absurd_learning_rate(network: Network) -> Iterator[Found]:
    optimizer, rate = _of_optimizer(network, "learning_rate")
    schedule = _schedule(network)
    begins = None if schedule is None else schedule.config.get("initial_learning_rate")
    if schedule is not None and isinstance(begins, int | float) and _is_absurd(optimizer, begins):
        yield None, f"{schedule.name} begins with a learning rate of {begins:g} for {optimizer}"
    elif _is_absurd(optimizer, rate):
        yield None, f"{optimizer} has a learning rate of {rate:g}"


def _schedule(network: Network) -> TrainingSetting | None:
    training = network.model.training
    optimizer = None if training is None else training.optimizer
    given = None if optimizer is None else optimizer.config.get("learning_rate")
    return given if isinstance(given, TrainingSetting) else None


def _is_absurd(optimizer: str, rate: float) -> bool:
    return rate < 1e-9 or rate >= (10 if optimizer.lower() in _STEPS_OF_ANY_SIZE else 0.5)


@rule(
    "decay-ignored",
    "decay, which Keras ignores today",
    "wrong",
    "certain",
    why="Since Keras 2.11 optimizers have no decay: the learning rate stays as it is.",
    fix="Use a schedule, such as keras.optimizers.schedules.InverseTimeDecay.",
    source="https://github.com/keras-team/keras/releases/tag/v2.11.0",
    keras="refuses the argument in new code",
)
def decay_ignored(network: Network) -> Iterator[Found]:
    optimizer, decay = _of_optimizer(network, "decay")
    if decay > 0:
        yield None, f"{optimizer} has decay={decay:g}"


@rule(
    "all-frozen",
    "A compiled model with no trainable weights",
    "wrong",
    "certain",
    why="Training changes no weight: the loss stays as it is.",
    fix="Set trainable=True for the layers that are to learn, and compile again.",
    source="keras/src/backend/tensorflow/trainer.py, train_step",
    keras="warns on TensorFlow, in fit()",
    torch=Torch(fix="Set requires_grad_(True) for the modules that are to learn."),
)
def all_frozen(network: Network) -> Iterator[Found]:
    training = network.model.training
    if training is None or not (training.losses or training.optimizer):
        return
    weights = [*_weights(network, network.model.trainable)]
    known = [weight for weight in weights if weight is not None]
    if known and len(known) == len(weights) and not any(is_trainable for _, is_trainable in known):
        begins = "the model is trained" if network.model.framework == "torch" else "the model is compiled"
        yield None, f"{begins}, and none of its {sum(size for size, _ in known):,} weights is trainable"


def _weights(network: Network, trainable: bool) -> Iterator[tuple[int, bool] | None]:
    """Yield for each weight how many numbers it has and whether training changes it; None for what is not known."""
    for call in network.calls:
        layer = network.model.layers_by_name.get(call.name)
        own = trainable and (layer is None or layer.config.get("trainable", True) is not False)
        if call.network is not None:
            yield from _weights(call.network, own and call.network.model.trainable)
        elif call.definition is None and call.sources:
            yield None
        for weight in weights_of(call) if call.network is None and not call.number else ():
            if weight.attrs.get("buffer"):  # numbers that nobody expects to be trained
                continue
            sizes = [size for size in weight.shape if isinstance(size, int)]
            yield prod(sizes), own and bool(weight.attrs["trainable"])


@rule(
    "heavy-penalty",
    "An L2 penalty that outweighs the loss",
    "hint",
    "likely",
    why="The optimizer lowers the sum of both: it makes the weights small first, and learns little from the data.",
    fix="Use a smaller factor, such as keras.regularizers.L2(1e-4).",
    source="keras/src/regularizers/regularizers.py",
)
def heavy_penalty(network: Network) -> Iterator[Found]:
    loss = sum([_at_the_start(compiled.loss, compiled.shape) for compiled in losses_of(network)])
    terms = [*_penalties(network)] if loss else []
    total = sum(value for value, _, _ in terms)
    if total <= loss:
        return
    _, name, factor = max(terms)
    most = f"the largest part is that of '{name}', with a factor of {factor:g}"
    message = f"the L2 penalty begins near {total:.3g}, the loss near {loss:.2g}; {most}"
    yield name, message, "wrong" if total > _OUTWEIGHS * loss else "hint"


def _at_the_start(loss: Loss, shape: Shape | None) -> float:
    """Return about what a loss begins at: that of equal probabilities, or of targets with a variance of 1."""
    classes = shape[-1] if shape and loss.of == "classes" else None
    return log(classes) if isinstance(classes, int) and classes > 1 else 1.0


def _penalties(network: Network) -> Iterator[tuple[float, str, float]]:
    """Yield what L2 regularizers of weights add at the start: the expected value, the layer and the factor."""
    for call in network.calls:
        layer = network.model.layers_by_name.get(call.name)
        if layer is None or call.number or call.network is not None:
            continue
        initializers = settings_of(layer, "initializer")
        for given in settings_of(layer, "regularizer"):
            penalty = setting_of(given.value)
            factor = None if penalty is None else penalty.config.get("l2", 0.01 if penalty.name == "L2" else None)
            if not isinstance(factor, int | float) or not 0 < factor < _MOST_FACTOR:
                continue
            for weight in weights_of(call):
                shape = tuple([size for size in weight.shape if isinstance(size, int)])
                if given.is_for(weight) and len(shape) == len(weight.shape):
                    begins = setting_of(
                        next((initializer.value for initializer in initializers if initializer.is_for(weight)), None)
                    )
                    begins = begins or usual_initializer(holder_of(layer, weight).type, str(weight.attrs["name"]))
                    square = None if begins is None else mean_square(begins, shape)
                    yield factor * prod(shape) * (square or 0.0), call.name, float(factor)


# Of fit -------------------------------------------------------------------------------------------------------------
# Rules on what a program gives fit() beside the data: callbacks, and the order of examples.


@rule(
    "watches-nothing",
    "A callback that watches what fit() never computes",
    "wrong",
    "certain",
    why="The callback finds no such number after an epoch and does nothing but warn: training never stops early, no "
    "rate is lowered, no best model is saved.",
    fix="Give fit() validation_data or validation_split, or watch a number that it computes, such as 'loss'.",
    source="keras/src/callbacks/early_stopping.py, get_monitor_value",
    keras="warns in fit(), after each epoch",
)
def watches_nothing(network: Network) -> Iterator[Found]:
    for callback, monitor, why in network.model.fit_data.watched if network.model.fit_data is not None else ():
        yield None, f"{callback} watches '{monitor}', and {why}"


@rule(
    "shuffled-states",
    "A stateful model whose batches are shuffled",
    "wrong",
    "certain",
    why="The state of each example goes on in the next batch: in random order that is another sequence.",
    fix="Use fit(…, shuffle=False).",
    source="keras/src/layers/rnn/rnn.py, stateful",
)
def shuffled_states(network: Network) -> Iterator[Found]:
    model = network.model
    if model.fit_data is None or not model.fit_data.is_shuffled:
        return
    stateful = [layer.name for layer in model.layers if keeps_state(layer)]
    if stateful:
        yield stateful[0], f"'{stateful[0]}' is stateful, and fit() shuffles the examples (shuffle=True by default)"
