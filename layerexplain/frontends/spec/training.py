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
from layerexplain.frontends.training import KINDS, as_object, check_part, with_training
from layerexplain.model import Model


def read_training(keys: Mapping[str, tuple[Node, Node]], model: Model, faults: SpecFaults) -> Model:
    """Return the model with what its spec says of training; a loss, an optimizer or an output that Keras or the model
    does not have is a fault."""
    outputs = {ref.layer for ref in model.outputs}
    given = {key: to_python(keys[key][1]) for key in ("loss_weights", "metrics") if key in keys}
    for key in KINDS:
        if key in keys:
            _, node = keys[key]
            given[key] = _read(key, to_python(node), outputs if key == "loss" else set(), node, faults)
    metrics = given.get("metrics")
    given["metrics"] = (
        {name: [as_object(one) for one in _listed(some)] for name, some in metrics.items()}
        if isinstance(metrics, dict) and set(metrics) & outputs
        else [as_object(one) for one in _listed(metrics)]
    )
    return with_training(model, given)


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [] if value is None else [value]


def _read(key: str, value: Any, outputs: set[str], node: Node, faults: SpecFaults) -> Any:
    """Return what is written as a configuration has it: a name, an object, or either for each output."""
    if isinstance(value, dict) and set(value) & outputs:
        return {name: _read(key, one, set(), node, faults) for name, one in value.items()}
    if isinstance(value, list):
        return [_read(key, one, set(), node, faults) for one in value]
    made = as_object(value)
    try:
        check_part(key, made)
    except ArgumentError as error:
        faults.keep(error, node.line)
    return made
