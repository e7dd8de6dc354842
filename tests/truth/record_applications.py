"""Builds every model of `keras.applications` with real Keras and writes down what Keras says of its layers.

    python -m tests.truth.record_applications                        # both generations, all families
    python -m tests.truth.record_applications keras3                 # Keras 3
    python -m tests.truth.record_applications tf_keras regnet        # one family

Weights are drawn at random (`weights=None`), inputs have their default shapes. Each family is built in a process
of its own, one model at a time; the largest needs about 2 GB. All of it takes some 12 minutes on one core.
"""

import gc
import importlib
import inspect
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.truth import stored

MODULES = {"keras3": "keras", "tf_keras": "tf_keras"}


def makers(generation: str) -> dict[str, dict[str, Any]]:
    """All functions of `keras.applications` that make a model: {family: {model name: function}}."""
    applications = importlib.import_module(MODULES[generation]).applications
    families: dict[str, dict[str, Any]] = {}
    for name, value in sorted(vars(applications).items()):
        if name[0].isupper() and inspect.isfunction(inspect.unwrap(value)):
            family = inspect.unwrap(value).__module__.rpartition(".")[2]
            families.setdefault(family, {})[name] = value
    return families


def record(generation: str, model: Any) -> dict[str, Any]:
    """What `stored.load` gives for a model, but for its writer."""
    rows = _rows_keras3 if generation == "keras3" else _rows_tf_keras
    return {"config": model.to_json(), "layers": rows(model), "totals": _counts(model)}


def _rows_keras3(model: Any) -> list[dict[str, Any]]:
    graph = getattr(model, "_functional", None) or model  # a Sequential keeps its graph in a Functional
    nodes = {id(node) for at_depth in graph._nodes_by_depth.values() for node in at_depth}
    rows = []
    for operation in graph.operations:  # `layers` leaves out what is no layer, such as `x * 2`
        calls = [
            [list(tensor.shape) for tensor in node.output_tensors]
            for node in operation._inbound_nodes
            if id(node) in nodes
        ]
        row = {"name": operation.name, "type": type(operation).__name__, "calls": calls, **_counts(operation)}
        if hasattr(operation, "_nodes_by_depth") or hasattr(operation, "_functional"):
            row["layers"] = _rows_keras3(operation)
        rows.append(row)
    return rows


def _rows_tf_keras(model: Any) -> list[dict[str, Any]]:
    nodes = {id(node) for at_depth in model._nodes_by_depth.values() for node in at_depth}
    rows = []
    for layer in model._self_tracked_trackables:  # `layers` of a Sequential leaves out its InputLayer
        calls = [
            [list(tensor.shape) for tensor in _flat(node.outputs)] for node in layer._inbound_nodes if id(node) in nodes
        ]
        row = {"name": layer.name, "type": type(layer).__name__, "calls": calls, **_counts(layer)}
        if hasattr(layer, "_nodes_by_depth"):
            row["layers"] = _rows_tf_keras(layer)
        rows.append(row)
    return rows


def _flat(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def _counts(layer: Any) -> dict[str, int]:
    trainable = _scalars(getattr(layer, "trainable_weights", []))
    non_trainable = _scalars(getattr(layer, "non_trainable_weights", []))
    params = layer.count_params() if hasattr(layer, "count_params") else 0
    if params != trainable + non_trainable:
        raise SystemExit(f"{layer.name}: count_params() is {params}, the weights have {trainable + non_trainable}")
    return {"params": params, "trainable": trainable, "non_trainable": non_trainable}


def _scalars(weights: list[Any]) -> int:
    total = 0
    for weight in {id(weight): weight for weight in weights}.values():
        size = 1
        for axis in weight.shape:
            size *= int(axis)
        total += size
    return total


def record_family(generation: str, family: str) -> None:
    """Build all models of one family in this process and write their file."""
    library = importlib.import_module(MODULES[generation])
    models = {}
    for name, make in makers(generation)[family].items():
        started = time.perf_counter()
        library.backend.clear_session()  # resets the counters of automatic names
        model = make(weights=None)
        models[name] = record(generation, model)
        params = models[name]["totals"]["params"]
        del model
        gc.collect()
        print(f"  {name}: {params:,} parameters, {time.perf_counter() - started:.0f} s", flush=True)
    size = stored.save_family(generation, family, f"{MODULES[generation]} {library.__version__}", models)
    print(f"{generation}/{family}: {len(models)} models, {size:,} bytes", flush=True)


def main(arguments: list[str]) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if len(arguments) == 2:
        record_family(*arguments)
        return
    for generation in arguments or list(MODULES):
        for family in makers(generation):
            command = [sys.executable, "-m", "tests.truth.record_applications", generation, family]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


if __name__ == "__main__":
    main(sys.argv[1:])
