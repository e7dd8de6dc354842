"""Programs run by real Keras in processes of their own, and what the reader says of them held against that."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerexplain.model import Model

HERE = Path(__file__).parent
PARTS = 2
"""Processes that share the programs."""


def run_programs(folder: Path, programs: Mapping[str, str], inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What Keras makes of programs by their names (tests/code_truth.py), and their weights and outputs on the inputs."""
    (folder / "programs.json").write_text(json.dumps(dict(programs)))
    np.savez(folder / "inputs.npz", **inputs)
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, str(HERE / "code_truth.py"), str(folder)]
    running = [
        subprocess.Popen([*command, str(part), str(PARTS)], stderr=subprocess.PIPE, text=True, env=env)
        for part in range(PARTS)
    ]
    found: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for part, process in enumerate(running):
        errors = process.communicate()[1]
        assert process.returncode == 0, errors[-2000:]
        found.update(json.loads((folder / f"truth{part}.json").read_text()))
        values.update(np.load(folder / f"values{part}.npz"))
    return found, values


def differences(model: Model, report: Any, truth: Any) -> list[str]:
    """In what a model that was read is not the one that Keras makes: its layers, their order, shapes and counts."""
    # The layers of a class are those that it holds: Keras does not list what its `call` computes between them.
    is_class = model.type not in ("Functional", "Sequential")
    theirs = truth["layers"]
    listed = {row["name"] for row in theirs}
    hidden = {
        layer.name
        for layer in model.layers
        if layer.type in ("InputLayer", "Constant") or (is_class and layer.kind == "operation")
    }
    if is_class:  # a layer without weights that `call` makes
        hidden |= {row.layer for row in report.layers if row.layer not in listed and row.params == 0}
    ours = [row for row in report.layers if row.layer not in hidden]
    if any(note.code == "built-without-call" for note in model.notes) and truth["params"] == 0:
        names = {row.layer for row in ours}  # whoever calls the model gets the weights that we count
        return [] if names == listed else [f"layers {names} at the first call, Keras has {truth}"]
    # What two models share Keras counts in the row of each, and once in the total.
    is_shared = sum(row["params"] for row in theirs) > truth["params"]
    if is_class:  # rows are in the order of calls, Keras lists attributes
        ours, theirs = sorted(ours, key=lambda row: row.layer), sorted(theirs, key=lambda row: row["name"])
    found = [(row.layer, None if is_shared else row.params) for row in ours]
    wanted = [(row["name"], None if is_shared else row["params"]) for row in theirs]
    if found != wanted:
        return [f"layers {found}, Keras has {wanted}"]
    wrong = []
    for mine, row in zip(ours, theirs, strict=True):
        shapes = mine.to_dict()["output_shapes"]
        if row["shapes"] is not None and shapes != row["shapes"]:
            wrong.append(f"shapes of {row['name']} {shapes}, Keras has {row['shapes']}")
    totals, known = (report.totals.params, report.totals.trainable), (truth["params"], truth["trainable"])
    return wrong if totals == known else [*wrong, f"parameters and trainable ones {totals}, Keras has {known}"]
