"""Programs as people write them: what the reader says of each equals what real Keras makes by running it."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from layerexplain import api
from layerexplain.frontends.code.reader import read_code

HERE = Path(__file__).parent
PROGRAMS = {
    name.strip(): (trap.strip(), source)
    for name, trap, source in re.findall(
        r"^### ([^|\n]+)\|([^\n]*)\n(.*?)(?=^### |\Z)", (HERE / "data/code/programs.txt").read_text(), re.M | re.S
    )
}


@cache
def truths():
    sources = {name: source for name, (_, source) in PROGRAMS.items()}
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, HERE / "code_truth.py"], input=json.dumps(sources), capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def told(source):
    model = read_code(source.encode(), None, "model")
    report = api.explain(model)
    rows = []
    for row in report.layers:
        if row.type != "InputLayer":
            calls = row.to_dict()
            rows.append((row.layer, row.params, calls["output_shapes"]))
    return model, report, rows


@pytest.mark.keras
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_the_reader_says_of_a_program_is_what_keras_makes_of_it(name):
    trap, source = PROGRAMS[name]
    truth = truths()[name]
    assert "error" not in truth, truth["error"]
    model, report, rows = told(source)
    assert (model.grade, [note.message for note in model.notes]) == ("complete", []), trap
    # What two models share Keras counts in the row of each, and once in the total.
    is_shared = sum(row["params"] for row in truth["layers"]) > truth["params"]
    wanted = [(row["name"], None if is_shared else row["params"]) for row in truth["layers"]]
    assert [(name, None if is_shared else params) for name, params, _ in rows] == wanted, trap
    for (_, _, shapes), row in zip(rows, truth["layers"], strict=True):
        if row["shapes"] is not None:
            assert shapes == row["shapes"], (trap, row["name"])
    assert (report.totals.params, report.totals.trainable) == (truth["params"], truth["trainable"]), trap
