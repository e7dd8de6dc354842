"""Callbacks of fit(), as far as rules ask: which number each watches, and whether fit() computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layerexplain.frontends.code.values.base import ProgramValue, Unknown
from layerexplain.frontends.code.values.settings import Setting

WATCHES = {"EarlyStopping": "val_loss", "ReduceLROnPlateau": "val_loss", "ModelCheckpoint": "val_loss"}
"""Callback → the number that it watches by default; a ModelCheckpoint does so with save_best_only alone."""


class Callback(Unknown):
    """A callback of Keras that watches a number by its name."""

    type: str = ""
    monitor: str = ""


def callback(type_: str, unknown: Unknown, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]) -> Unknown:
    """Return a callback with the number that it watches; an `unknown` value for one that watches none."""
    if type_ not in WATCHES or (type_ == "ModelCheckpoint" and kwargs.get("save_best_only") is not True):
        return unknown
    at = 1 if type_ == "ModelCheckpoint" else 0  # whose first argument is the file
    monitor = kwargs.get("monitor", args[at] if len(args) > at else WATCHES[type_])
    if not isinstance(monitor, str):
        return unknown
    return Callback(unknown.reason, unknown.line, file=unknown.file, column=unknown.column, type=type_, monitor=monitor)


def watched(callbacks: ProgramValue) -> tuple[tuple[str, str], ...]:
    """Return the callbacks of a call of fit() that watch a number, each with its type and the number."""
    listed = callbacks if type(callbacks) in (list, tuple) else [callbacks]
    return tuple([(one.type, one.monitor) for one in listed if isinstance(one, Callback)])


def unwatched(
    given: Mapping[str, ProgramValue], compiled: Mapping[str, ProgramValue], outputs: int
) -> tuple[tuple[str, str, str], ...]:
    """Return the callbacks that watch what a call of fit() never computes, each with the number and the reason."""
    metrics = metric_names(compiled) if outputs == 1 else None
    found: list[tuple[str, str, str]] = []
    for type_, monitor in watched(given.get("callbacks")):
        base = monitor.removeprefix("val_")
        if base != monitor and not has_validation(given):
            found.append((type_, monitor, "fit() gets no validation data"))
        elif metrics is not None and base not in ("loss", "lr", "learning_rate", *metrics):
            stated = f"the metrics are {', '.join(sorted(metrics))}" if metrics else "the model has no metrics"
            found.append((type_, monitor, stated))
    return tuple(found)


def has_validation(given: Mapping[str, ProgramValue]) -> bool:
    """Return whether fit() may have data of validation."""
    split = given.get("validation_split", 0)
    return given.get("validation_data") is not None or not (isinstance(split, int | float) and split == 0)


def metric_names(compiled: Mapping[str, ProgramValue]) -> frozenset[str] | None:
    """Return the names of the metrics that a model is compiled with; None where they are not all known."""
    listed: list[ProgramValue] = []
    for key in ("metrics", "weighted_metrics"):
        some: ProgramValue = compiled.get(key)
        listed += some if type(some) in (list, tuple) else [] if some is None else [some]
    names = [one.config.get("name") if isinstance(one, Setting) else one for one in listed]
    return frozenset(str(one) for one in names) if all(isinstance(one, str) for one in names) else None
