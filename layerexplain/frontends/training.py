"""What a source says that its model was compiled with → `Training`.

Keras 3 writes a `compile_config`, Keras 1 and 2 a `training_config`, Keras 0.3 the same keys beside its layers. All
have `loss` and `metrics`, by output where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from layerexplain.errors import ArgumentError, must_be_known
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import find, part_names, part_of, torch_part_of, torch_parts
from layerexplain.model import Model, Training, TrainingSetting, package_and_class

_MOST = 1000
"""How many losses or metrics are read."""

_Given = TypeVar("_Given")


def with_training(model: Model, result: Any) -> Model:
    """Return the model with what an object says of its training; what is not understood is left out."""
    if not isinstance(result, Mapping):
        return model
    outputs = [ref.layer for ref in model.outputs]
    optimizer = _setting(result.get("optimizer")) or _setting(result.get("optimizer_config"))
    losses = {name: setting for name, value in _by_output(result.get("loss"), outputs) if (setting := _setting(value))}
    weights = {
        name: float(value)
        for name, value in _by_output(result.get("loss_weights"), outputs)
        if isinstance(value, int | float)
    }
    metrics: dict[str, tuple[TrainingSetting, ...]] = {}
    for key in ("metrics", "weighted_metrics"):
        for name, value in _metrics(result.get(key), outputs):
            found_here = [setting for item in value if (setting := _setting(item))]
            # Keras 2 puts the name of the output in front of that of a wrapped metric.
            metrics[name] = metrics.get(name, ()) + tuple(
                [setting._replace(name=setting.name.removeprefix(f"{name}_")) for setting in found_here]
            )
    if optimizer is None and not losses:
        return model
    kept = {name: some for name, some in metrics.items() if some}
    return model._replace(
        training=Training(optimizer, _by_layer(losses, model), _by_layer(weights, model), _by_layer(kept, model))
    )


def _by_layer(given: Mapping[str, _Given], model: Model) -> dict[str, _Given]:
    """Return what is given for outputs by the names of their layers, where the model gives them out under others."""
    form = model.output_form if isinstance(model.output_form, Mapping) else {}
    layers = {name: model.outputs[number].layer for name, number in form.items() if isinstance(number, int)}
    return {layers.get(name, name): value for name, value in given.items()}


def trained_with(model: Model, given: Mapping[str, Any]) -> Model:
    """Return the model with the loss or the optimizer that a user gives, in place of those of its source.

    Raises:
        ArgumentError: The framework of the model has no such loss or optimizer, the model no such output, or it takes
            no such arguments.
    """
    for key in given:
        must_be_known("part of training", key, KINDS, f"give {' or '.join(KINDS)}")
    outputs = {ref.layer for ref in model.outputs}
    results: dict[str, Any] = {}
    for key in KINDS:
        value = given.get(key)
        if value is None:
            continue
        by_output = isinstance(value, Mapping) and key == "loss" and bool(value) and set(value) <= outputs
        of_torch = model.framework == "torch"
        named = {name: _given(key, item, of_torch) for name, item in (value.items() if by_output else [("", value)])}
        named = named if by_output else named[""]
        for item in named.values() if by_output else (named,):
            check_part(key, item, outputs, of_torch=of_torch)
        results[key] = named
    now, before = with_training(model, results).training, model.training or Training()
    if now is None:
        return model
    optimizer, losses = now.optimizer or before.optimizer, now.losses or before.losses
    return model._replace(training=before._replace(optimizer=optimizer, losses=losses, has_step=True))


KINDS = {"loss": "losses", "optimizer": "optimizers"}
"""What a user gives, and what Keras calls the kind."""

_EXAMPLES = {"loss": "sparse_categorical_crossentropy", "optimizer": "adam"}
_TORCH_EXAMPLES = {"loss": "CrossEntropyLoss", "optimizer": "SGD"}


def _given(key: str, value: Any, of_torch: bool) -> Any:
    """Return a loss or an optimizer that is given as an object, one of PyTorch under its whole name."""
    item = as_object(value)
    name = item.get("class_name") if isinstance(item, Mapping) else item
    known = torch_part_of(KINDS[key], name) if of_torch and isinstance(name, str) else None
    return (
        item if known is None else {"class_name": known, "config": item.get("config", {}) if item is not name else {}}
    )


def check_part(key: str, setting: Any, outputs: Iterable[str] = (), *, of_torch: bool = False) -> None:
    """Raise ArgumentError for a loss or an optimizer that the framework does not have, or that does not take such
    arguments."""
    name, config = (
        (setting.get("class_name"), setting.get("config")) if isinstance(setting, Mapping) else (setting, None)
    )
    known = part_of(KINDS[key], name) if isinstance(name, str) else None
    declaration = None if known is None or (of_torch and not known.startswith("torch.")) else find(known)
    if declaration is None:
        from layerexplain.errors import did_you_mean

        own = [part.rpartition(".")[2] for part in torch_parts(KINDS[key])] if of_torch else None
        names = [*(map(snake_case, part_names(KINDS[key], aliases=True)) if own is None else own), *outputs]
        example = (_TORCH_EXAMPLES if of_torch else _EXAMPLES)[key]
        hint = did_you_mean(str(name), names) or f"for example {key}: {example}"
        home = "PyTorch that is known here" if of_torch else "Keras"
        raise ArgumentError(f"`{key}` names no {key} of {home}: {str(name)[:60]!r}; {hint}")
    declaration.bind(config or {}, strict=True)


def as_object(value: Any) -> Any:
    """Return `{Adam: {learning_rate: 0.1}}` as the object that a configuration has; anything else as it is."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, config),) = value.items()
        if isinstance(config, Mapping) or config is None:
            nested = {key: as_object(item) for key, item in (config or {}).items()}
            return {"class_name": str(name), "config": nested}
    return value


def _by_output(value: Any, outputs: Sequence[str]) -> list[tuple[str, Any]]:
    """Return what is given for each output; "" where it is given for all."""
    if isinstance(value, Mapping) and not _is_object(value):
        return [(str(name), item) for name, item in list(value.items())[:_MOST]]
    if isinstance(value, list | tuple):
        if len(outputs) < 2:
            return [("", item) for item in value[:1]]
        return list(zip(outputs, value, strict=False))
    return [("", value)]


def _metrics(value: Any, outputs: Sequence[str]) -> list[tuple[str, list[Any]]]:
    """Return the metrics of each output. One list may hold those of all outputs, or a list for each of them."""
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value):
        return [("", list(value[:_MOST]))]
    each = _by_output(value, outputs)
    return [(name, list(some)[:_MOST] if isinstance(some, list | tuple) else [some]) for name, some in each]


def _is_object(value: Mapping[Any, Any]) -> bool:
    return "class_name" in value or ("name" in value and "config" not in value and len(value) > 1)


def _setting(value: Any) -> TrainingSetting | None:
    """Return a name, alone or as an object of any generation; None where it is neither."""
    if isinstance(value, str):
        return TrainingSetting(value) if value else None
    if not isinstance(value, Mapping):
        return None
    name, config = value.get("class_name"), value.get("config")
    if name is None and isinstance(value.get("name"), str):  # Keras 0.3 has the arguments beside the name
        name, config = value["name"], {key: item for key, item in value.items() if key != "name"}
    if name == "function" and isinstance(config, str):
        return TrainingSetting(config)
    if not isinstance(name, str) or not name:
        return None
    if name.endswith("Wrapper") and isinstance(config, Mapping) and isinstance(config.get("name"), str):
        return TrainingSetting(config["name"])  # Keras 2 wraps a function, and says which by its name
    stated = config.items() if isinstance(config, Mapping) else ()
    was_named = {} if name.startswith("torch.") else {"lr": "learning_rate"}  # before Keras 2.3
    kept = {was_named.get(key, str(key)): _plain(item) for key, item in stated}
    return TrainingSetting(package_and_class(name)[1], kept)


def _plain(value: Any) -> Any:
    """Return an argument: a schedule or another object is a `Setting`."""
    if isinstance(value, Mapping):
        return _setting(value) or {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
