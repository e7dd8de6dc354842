"""Programs that Keras refuses: each gets one line, with the line of its code, what is wrong there and what would be right.
tests/data/code/refused.txt has them; Keras itself refuses each of them, in the same line. Those of sound.txt look like
them, and Keras runs them."""

import contextlib
import importlib
import inspect
import io
import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke
from tests.support.frameworks import keras
from tests.support.paths import TESTS

PRELUDE = "import keras\nimport tensorflow as tf\nfrom keras import layers, ops\nimport numpy as np\n"
TEXT = (TESTS / "data/code/refused.txt").read_text()
PROGRAMS = {
    name: (int(line) + PRELUDE.count("\n"), words, PRELUDE + code)
    for name, line, words, code in re.findall(r"^### (.*?) \| (\d+) \| (.*?)\n(.*?)(?=^### |\Z)", TEXT, re.M | re.S)
}
SOUND = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", (TESTS / "data/code/sound.txt").read_text(), re.M | re.S))


def error_of(code: str, folder: Path) -> tuple[str, list[str]]:
    path = folder / "refused.py"
    path.write_text(code)
    result = invoke("summary", path)
    return str(path), result.stderr.splitlines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_keras_refuses_gets_one_line(name: str, tmp_path: Path) -> None:
    line, words, code = PROGRAMS[name]
    path, errors = error_of(code, tmp_path)
    assert len(errors) == 1
    assert re.match(rf"layerexplain: error: {path}:{line}:\d+: ", errors[0])
    assert words in errors[0]


@pytest.mark.parametrize("name", SOUND)
def test_a_program_that_keras_runs_gets_none(name: str, tmp_path: Path) -> None:
    assert error_of(PRELUDE + SOUND[name], tmp_path)[1] == []


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")  # what Keras and NumPy warn of, they run
def test_keras_runs_the_sound_ones() -> None:
    for name, code in SOUND.items():
        exec(compile(PRELUDE + code, name, "exec"), {"__name__": "__main__"})


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")  # what Keras and NumPy warn of, they run
def test_keras_refuses_each_in_the_same_line() -> None:
    lines = {}
    for name, (_, _, code) in PROGRAMS.items():
        keras.backend.clear_session(free_memory=False)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(compile(code, "refused.py", "exec"), {"__name__": "__main__"})
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines[name] = next(frame.lineno for frame in reversed(frames) if frame.filename == "refused.py")
    assert lines == {name: line for name, (line, _, _) in PROGRAMS.items()}


NEEDED = {
    "layer": "layers.Dense(2)", "cell": "layers.GRUCell(3)", "cells": "[layers.GRUCell(3)]", "filters": "4",
    "kernel_size": "3", "units": "3", "pool_size": "2", "rate": "0.5", "size": "2", "input_dim": "5",
    "output_dim": "3", "n": "2", "dims": "(1,)", "target_shape": "(-1,)", "num_heads": "2", "key_dim": "3",
    "equation": "'ab,bc->ac'", "output_shape": "3", "function": "abs", "stddev": "0.1", "height": "4", "width": "4",
    "factor": "0.1", "num_bins": "3", "output_size": "2", "axes": "1", "activation": "'relu'", "head_dim": "3",
    "num_query_heads": "4", "num_key_value_heads": "2", "num_tokens": "4", "max_number": "3", "height_factor": "0.1",
    "width_factor": "0.1", "theta": "1.0",
    "scale": "0.5",
}  # fmt: skip
"""Values of arguments that layers cannot do without."""
COMMON = {"name": "'a1'", "dtype": "'float32'", "trainable": "True", "activity_regularizer": "None",
          "input_shape": "(8, 8, 3)", "autocast": "True"}  # fmt: skip


def calls_of(library: Any, accepted: list[str]) -> None:
    """Add the calls of layers, each with one argument that it or a base has, that a Keras takes."""
    for name, cls in sorted(vars(library.layers).items()):
        if not (inspect.isclass(cls) and issubclass(cls, library.layers.Layer)) or name in ("InputLayer", "Input"):
            continue
        first: dict[str, inspect.Parameter] = {}
        for base in reversed(cls.__mro__):
            if "__init__" in vars(base) and base is not object:
                first.update(inspect.signature(base.__init__).parameters)
        needed = {one.name: "layers.GRU(3)" if name == "Bidirectional" else NEEDED.get(one.name)
                  for one in inspect.signature(cls).parameters.values()
                  if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}  # fmt: skip
        if None in needed.values():
            continue
        given = {key: repr(one.default) for key, one in first.items() if one.default is not one.empty}
        if not getattr(cls, "_USE_BASE_FACTOR", True) and "factor" not in inspect.signature(cls).parameters:
            del given["factor"]  # taken where it is None alone
        for key, value in {**given, **COMMON}.items():
            arguments = ", ".join(f"{one}={text}" for one, text in {**needed, key: value}.items())
            call = f"layers.{name}({arguments})"
            with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
                eval(call, {"layers": library.layers})
                accepted.append(call)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_arguments_that_layers_of_keras_take_are_not_refused(library: str, tmp_path: Path) -> None:
    accepted: list[str] = []
    calls_of(importlib.import_module(library), accepted)
    code = f"import {library} as keras\nfrom {library} import layers\n"
    code += "".join(f"x{number} = {call}\n" for number, call in enumerate(accepted))
    code += "m = keras.Sequential([keras.Input((8,)), layers.Dense(3)])\n"
    assert len(accepted) > 1000
    assert error_of(code, tmp_path)[1] == []
