"""`loss:`, `optimizer:` and `metrics:` of a spec, in the forms in which layers are written.

loss: mse
loss: {SparseCategoricalCrossentropy: {from_logits: true}}
loss: {score: mse, class: categorical_crossentropy}     # by output
optimizer: {Adam: {learning_rate: 0.01}}
metrics: [accuracy]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.frontends.spec.yaml_nodes import Node, SpecFaults, to_python
from layerexplain.frontends.training import with_training
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import part_names, part_of
from layerexplain.model import Model
from layerexplain.suggest import did_you_mean


def read_training(keys: Mapping[str, tuple[Node, Node]], model: Model, faults: SpecFaults) -> Model:
    """Return the model with what its spec says of training; a loss, an optimizer or an output that Keras or the model
    does not have is a fault."""
    outputs = {ref.layer for ref in model.outputs}
    given = {key: to_python(keys[key][1]) for key in ("loss_weights", "metrics") if key in keys}
    for key, kind in (("loss", "losses"), ("optimizer", "optimizers")):
        if key in keys:
            _, node = keys[key]
            given[key] = _read(key, kind, to_python(node), outputs if key == "loss" else set(), node, faults)
    given["metrics"] = [_object(one) for one in _listed(given.get("metrics"))]
    return with_training(model, given)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read(key: str, kind: str, value: Any, outputs: set[str], node: Node, faults: SpecFaults) -> Any:
    """Return what is written as a configuration has it: a name, an object, or either for each output."""
    if isinstance(value, dict) and outputs and set(value) <= outputs:
        return {name: _read(key, kind, one, set(), node, faults) for name, one in value.items()}
    if isinstance(value, list):
        return [_read(key, kind, one, set(), node, faults) for one in value]
    made = _object(value)
    name = made.get("class_name") if isinstance(made, dict) else made
    if not isinstance(name, str) or part_of(kind, name) is None:
        names = list(map(snake_case, part_names(kind)))
        hint = did_you_mean(str(name), names) or f"for example {key}: {_EXAMPLES[key]}"
        faults.keep(ArgumentError(f"`{key}` names no {key} of Keras: {str(name)[:60]!r}; {hint}"), node.line)
    return made


_EXAMPLES = {"loss": "sparse_categorical_crossentropy", "optimizer": "adam"}


def _object(value: Any) -> Any:
    """Return `{Adam: {learning_rate: 0.1}}` as the object that a configuration has; anything else as it is."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, config),) = value.items()
        if isinstance(config, dict) or config is None:
            nested = {key: _object(one) for key, one in (config or {}).items()}
            return {"class_name": str(name), "config": nested}
    return value
