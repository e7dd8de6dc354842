"""What a model is trained with, as Keras 3 says it: without arguments at their default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from layerexplain.layers.declaration import Declaration, snake_case
from layerexplain.layers.registry import find, part_of
from layerexplain.model import Model, TrainingSetting
from layerexplain.records import NamedTuple
from layerexplain.report.objective import short_float

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
        found: dict[str, Any] = {} if self.optimizer is None else {"optimizer": self.optimizer}
        for key, some in (("loss", self.losses), ("loss_weights", self.loss_weights), ("metrics", self.metrics)):
            if some:
                found[key] = some[""] if [*some] == [""] else dict(some)
        return found


def todays_training(model: Model, *, every: bool = False) -> TodaysTraining | None:
    """Return what a model is trained with in today's words; None where nothing is said of it. With `every`, what
    today's Keras does not have is there too, as the source says it."""
    training = model.training
    if training is None:
        return None
    left_out = []
    losses: dict[str, Any] = {}
    for name, one in training.losses.items():
        if every or part_of("losses", one.name):
            losses[name] = _today("losses", one, every)
        else:
            left_out.append(f"the loss {one.name}")
    optimizer = training.optimizer
    if not (every or optimizer is None or part_of("optimizers", optimizer.name)):
        left_out.append(f"the optimizer {optimizer.name}")
        optimizer = None
    metrics = {name: [_today("metrics", one, every) for one in some] for name, some in training.metrics.items() if some}
    optimizer_today = None if optimizer is None else _today("optimizers", optimizer, every)
    weights = dict(training.loss_weights)
    return TodaysTraining(
        optimizer_today, losses, weights, metrics, tuple(left_out), tuple(_unsaid(training.losses.values()))
    )


def _unsaid(losses: Iterable[TrainingSetting]) -> Iterator[str]:
    """Yield which arguments of losses Keras left out of a file; whoever types a loss states no name of it."""
    for one in losses:
        known = part_of("losses", one.name)
        declaration = None if known is None else find(known)
        if declaration is None or not {"name", "reduction"} <= one.config.keys():
            continue
        missing = [name for name in declaration.default_values if name not in (*one.config, "dtype", "axis")]
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
