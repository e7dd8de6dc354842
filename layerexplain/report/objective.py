"""What training makes small: the loss of each output, and what regularizers add, each as a formula at its shapes; and
the constraints of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import pack, unpack
from typing import Any, Literal

from layerexplain.attribute_path import InnerName
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr
from layerexplain.lang.names import identifier
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.keras.fit_data import is_of_both, is_of_logits, loss_at
from layerexplain.layers.keras.losses import Loss
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration, part
from layerexplain.layers.registry import find, part_of
from layerexplain.model import Layer, Model, TensorRef, Training, TrainingSetting
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple
from layerexplain.report.compared import applied_to
from layerexplain.report.training_data import setting_of_output

# Objective ----------------------------------------------------------------------------------------------------------

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "auto")


def loss_definition(
    loss: Loss,
    arguments: Mapping[str, Any],
    output: Shape,
    targets: Shape | None = None,
    weights: Shape | None = None,
    mask: Shape | None = None,
) -> Definition:
    """Return the formula of a loss at the shape of an output, which begins with the batch; the other shapes likewise.

    Raises ArgumentError for arguments that the loss refuses, ShapeError for such shapes.
    """
    if targets is None:
        targets = loss.targets_shape(output)
    whole = loss.sparse or loss.targets.kind == "letters"
    specs = [Spec(targets, "int32" if whole else "float"), Spec(output, "float")]
    masks = () if mask is None else (None, Spec(mask, "bool"))
    return loss.trace([*specs, None if weights is None else Spec(weights, "float")], arguments, masks)


class OutputLoss(NamedTuple):
    """The loss of one output of a model.

    `symbol` is its letter, `weight` its factor in the sum of all losses, `shape` that of the output. `path` leads to
    the layer that gives the output, and `call` is the number of the call, as an `Activation` has them. `activation` is
    the function that this layer applies last, if the loss is computed from what that is applied to; else "".
    """

    ref: TensorRef
    symbol: str
    weight: float
    loss: Loss
    arguments: Mapping[str, Any]
    shape: Shape
    mask: Shape | None
    path: tuple[str, ...]
    call: int
    activation: str

    @property
    def type(self) -> str:
        """The class name of the loss."""
        return self.loss.type.rpartition(".")[2]

    def definition(
        self, targets: Shape | None = None, weights: Shape | None = None, *, mask: bool = True, **changed: Any
    ) -> Definition:
        """Return its formula, with some arguments `changed`; the targets have the shape that fits if none is given.

        Raises LayerExplainError for targets or arguments that it refuses.
        """
        arguments = {**self.arguments, **changed}
        formula = loss_definition(self.loss, arguments, self.shape, targets, weights, self.mask if mask else None)
        formula.params[1].label = "z" if self.activation else "y_pred"
        return formula

    def is_mean(self, definition: Definition) -> bool:
        """Return whether it is the mean of the losses of single examples."""
        labels = {node.label for node in definition.order}
        return definition.arguments["reduction"] in _MEANS and "losses" in labels and "w_y" not in labels


def output_losses(
    network: Network, refused: Callable[[TensorRef, str], None], masks: Sequence[Expr | None] | None = None
) -> Iterator[OutputLoss]:
    """Yield the loss of each output that has one. `refused` is called with the output and the reason where a loss has
    no known formula. `masks` are those of the outputs, if the caller knows them better than their layers do."""
    training = network.model.training or Training()
    several = len(network.model.outputs) > 1
    for number, ref in enumerate(network.model.outputs):
        setting = setting_of_output(training, ref.layer)
        call = network.call(ref)
        if setting is None or call is None:
            continue
        weight = training.loss_weights.get(ref.layer, training.loss_weights.get(""))
        symbol = f"L_{identifier(ref.layer)}" if several else "L"
        try:
            loss = _output_loss(network, ref, call, setting, symbol, 1.0 if weight is None else weight)
        except LayerExplainError as error:
            refused(ref, error.fact)
            continue
        if masks is not None:
            carried = masks[number]
            mask = None if carried is None else carried.shape
        else:
            passes = call.mask is not None and call.declaration is not None and call.declaration.mask == "pass"
            mask = loss.shape[:2] if passes else None
        yield loss._replace(mask=mask)


def _output_loss(
    network: Network, ref: TensorRef, maker: TracedCall, setting: TrainingSetting, symbol: str, weight: float
) -> OutputLoss:
    spec = maker.outputs[ref.output] if ref.output < len(maker.outputs) else None
    loss = loss_at(setting.name, None if spec is None else spec.shape)
    if loss is None:
        raise LayerExplainError(f"{setting.name} is not a loss of Keras, so its formula is not known")
    if spec is None:
        raise LayerExplainError("the shape of this output is not known")
    changes = [applied.setting.line for applied in applied_to(spec.shape, setting) if applied.function]
    if changes:
        line = "" if changes[0] is None else f" (line {changes[0]})"
        raise LayerExplainError(f"the loop of training changes the output before {loss.name}{line}")
    arguments = loss.bind(shortest(setting.config))
    path, call, last, output = _giver(network, ref)
    activation = _last_function(last.definition, output)
    if is_of_both(loss, activation):
        raise LayerExplainError(
            f"Keras computes {loss.name} partly from the {activation}, partly from what is before it"
        )
    if is_of_logits(loss, activation):
        arguments["from_logits"] = True
    else:
        activation = ""
    return OutputLoss(ref, symbol, weight, loss, arguments, spec.shape, None, path, call, activation)


def _giver(network: Network, ref: TensorRef) -> tuple[tuple[str, ...], int, TracedCall, int]:
    """Return the call that gives a tensor, inside nested models too: its path, its number, and which output it is."""
    path: tuple[str, ...] = ()
    number = 0
    while True:
        calls = network.calls_of(ref.layer)
        maker = next(call for call in calls if call.call.index == ref.call)
        path, number = (*path, ref.layer), number * len(calls) + ref.call
        if maker.network is None or ref.output >= len(maker.network.model.outputs):
            return path, number, maker, ref.output
        network, ref = maker.network, maker.network.model.outputs[ref.output]


def _last_function(definition: Definition | None, output: int) -> str:
    """Return the name of the function that gives a result of a layer; "" where none does."""
    if definition is None:
        return ""
    results = list(definition.results.values())
    node = results[0] if len(results) == 1 and not output else None
    along = None if node is None or node.op is not CALL else node.attrs["definition"]
    return "" if along is None or along.attrs.get("axis", -1) != -1 else str(along.name)


# Regularizers and constraints ---------------------------------------------------------------------------------------

SettingKind = Literal["regularizer", "constraint", "initializer"]


class OfWeight(NamedTuple):
    """A regularizer, a constraint or an initializer in the configuration of a `layer`, or of its `holder` inside of it:
    `steps` lead there. `of` says what it is for: "kernel", "bias", or "activity" for the output."""

    steps: tuple[str | int, ...]
    of: str
    value: Any
    layer: Any
    holder: Any

    def is_for(self, weight: Expr) -> bool:
        """Return whether it is for a weight of the layer that holds it."""
        name, of = weight.attrs["name"], self.of
        # Separable layers have a depthwise_regularizer for depthwise_kernel, depthwise ones for kernel.
        is_called = name in (of, f"{of}_kernel") or (name, of) == ("kernel", "depthwise")
        return is_called and self.holder is holder_of(self.layer, weight)


def holder_of(layer: Any, weight: Expr) -> Any:
    """Return the layer that has a weight: a layer itself, or one inside of it, also one of a model that it holds."""
    base = holder = layer
    passed = steps = 0
    for name in weight.attrs["path"]:
        if isinstance(name, InnerName):  # its steps count from the outermost layer
            holder, steps = _inside(base, name.steps[passed:]), len(name.steps)
        elif isinstance(holder, Layer) and holder.model is not None:
            inner = next((inner_layer for inner_layer in holder.model.layers if inner_layer.name == name), None)
            if inner is not None:
                base, holder, passed = inner, inner, steps
    return holder


def _inside(layer: Any, steps: Sequence[str | int]) -> Any:
    """Return what is in a layer; a list of cells is StackedRNNCells, whose own argument leads nowhere further."""
    value = layer
    for step in steps:
        if isinstance(step, int):
            value = value[step]
        elif isinstance(value, Layer):
            value = value.config.get(step)
    return value if isinstance(value, Layer) else layer


def settings_of(layer: Any, kind: SettingKind) -> Iterator[OfWeight]:
    """Yield what a layer has of a kind, and what those that it holds have."""
    for steps, holder in holders(layer):
        for key, value in holder.config.items():
            if key.endswith(f"_{kind}") and value is not None:
                yield OfWeight(steps, key.removesuffix(f"_{kind}"), value, layer, holder)


def holders(layer: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield a layer and those that it holds, each with the steps that lead there."""
    yield steps, layer
    parts: list[tuple[tuple[str | int, ...], Any]] = []
    for key, value in layer.config.items():
        if isinstance(value, Layer):
            parts.append(((key,), value))
        elif isinstance(value, list | tuple):
            parts += [((key, i), inner) for i, inner in enumerate(value)]
    model = layer.model if isinstance(layer, Layer) else None
    parts += [((inner.name,), inner) for inner in (() if model is None else model.layers)]
    for more, inner in parts:
        if isinstance(inner, Layer):
            yield from holders(inner, (*steps, *more))


def setting_formula(kind: SettingKind, value: Any, shape: Shape) -> tuple[InnerDeclaration, Definition]:
    """Return a regularizer, and what it adds to the loss for a tensor of a shape; or a constraint, and what it makes of
    a weight.

    Raises Refused or LayerExplainError for one whose formula is not known.
    """
    setting = part(f"{kind}s", value)
    return setting, setting.declaration.trace([Spec(shape, "float")], setting.arguments)


# Numbers as given ---------------------------------------------------------------------------------------------------


def shortest(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with numbers as they were given: 0.001 where a file has the nearest float32."""
    return {name: _short(value) for name, value in config.items()}


def _short(value: Any) -> Any:
    return value._replace(config=shortest(value.config)) if isinstance(value, TrainingSetting) else short_float(value)


def short_float(value: Any) -> Any:
    """Return the shortest number that a 32-bit float of a file may stand for; any other number is returned unchanged.

    >>> short_float(0.0010000000474974513), short_float(0.1)
    (0.001, 0.1)
    """
    if not isinstance(value, float) or value - value != 0 or abs(value) > 3e38:
        return value
    packed = pack("f", value)
    if unpack("f", packed)[0] != value:
        return value
    return next(short for digits in range(1, 10) if pack("f", short := float(f"{value:.{digits}g}")) == packed)


# Todays training ----------------------------------------------------------------------------------------------------
# What a model is trained with, as Keras 3 says it: without arguments at their default.

_GONE = frozenset({"jit_compile", "is_legacy_optimizer", "schedule_decay", "name", "dtype", "fn", "decay"})


class TodaysTraining(NamedTuple):
    """What a model is trained with: names, or a `Setting` where there are arguments. All but the optimizer are by
    output; metrics are lists. `left_out` says in words what today's Keras does not have."""

    optimizer: Any
    losses: dict[str, Any]
    loss_weights: dict[str, float]
    metrics: dict[str, list[Any]]
    left_out: tuple[str, ...]
    unsaid: tuple[str, ...] = ()
    """Says in words which arguments of a loss the source does not store: Keras saves some losses without them."""

    def given(self) -> dict[str, Any]:
        """Return what is given to `compile`, by its names; what is alone stands for all outputs."""
        results: dict[str, Any] = {} if self.optimizer is None else {"optimizer": self.optimizer}
        for key, some in (("loss", self.losses), ("loss_weights", self.loss_weights), ("metrics", self.metrics)):
            if some:
                results[key] = some[""] if [*some] == [""] else dict(some)
        return results


def todays_training(model: Model, *, every: bool = False) -> TodaysTraining | None:
    """Return the training setup of a model by the names of Keras 3; None where the source has none. With `every`,
    arguments that Keras 3 does not have are kept as the source writes them."""
    training = model.training
    if training is None:
        return None
    left_out = []
    losses: dict[str, Any] = {}
    for name, loss in training.losses.items():
        if every or part_of("losses", loss.name):
            losses[name] = _today("losses", loss, every)
        else:
            left_out.append(f"the loss {loss.name}")
    optimizer = training.optimizer
    if not (every or optimizer is None or part_of("optimizers", optimizer.name)):
        left_out.append(f"the optimizer {optimizer.name}")
        optimizer = None
    metrics = {
        name: [_today("metrics", setting, every) for setting in some] for name, some in training.metrics.items() if some
    }
    optimizer_today = None if optimizer is None else _today("optimizers", optimizer, every)
    weights = dict(training.loss_weights)
    return TodaysTraining(
        optimizer_today, losses, weights, metrics, tuple(left_out), tuple(_unsaid(training.losses.values()))
    )


def _unsaid(losses: Iterable[TrainingSetting]) -> Iterator[str]:
    """Yield which arguments of losses Keras left out of a file; whoever types a loss states no name of it."""
    for other in losses:
        known = part_of("losses", other.name)
        declaration = None if known is None else find(known)
        if declaration is None or not {"name", "reduction"} <= other.config.keys():
            continue
        missing = [name for name in declaration.default_values if name not in (*other.config, "dtype", "axis")]
        for name in missing:
            usual = declaration.default_values[name]
            loss = declaration.type.partition(".")[2]
            yield f"Keras did not save {name} of the loss {loss}; the new model has its default, {name}={usual!r}"


def _today(kind: str, setting: TrainingSetting, every: bool) -> Any:
    known = part_of(kind, setting.name)
    declaration = None if known is None else find(known)
    config = {
        key: kept
        for key, value in setting.config.items()
        if (kept := _kept(declaration, key, value, every)) is not None
    }
    decay = setting.config.get("decay")
    if kind == "optimizers" and isinstance(decay, int | float) and decay:
        # What the decay of older optimizers did.
        rate = config.get("learning_rate", declaration.default_values.get("learning_rate") if declaration else None)
        stated = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": short_float(decay)}
        config["learning_rate"] = TrainingSetting("InverseTimeDecay", stated)
    if setting.name.startswith("torch."):
        return TrainingSetting(setting.name, config) if config else setting.name
    if not config:
        return setting.name.lower() if kind == "optimizers" else snake_case(setting.name)
    return TrainingSetting(declaration.type.partition(".")[2] if declaration is not None else setting.name, config)


def _kept(declaration: Declaration | None, key: str, value: Any, every: bool) -> Any:
    """Return the value of an argument as it is written; None where it says nothing."""
    if isinstance(value, TrainingSetting):
        return _today("schedules", value, every)
    value = short_float(value)
    if value is None or key in _GONE:
        return None
    if declaration is not None and key not in declaration.arguments and not (every and value is not False):
        return None
    default = declaration.default_values.get(key) if declaration is not None else None
    return None if value == default or (key == "reduction" and value == "auto") else value
