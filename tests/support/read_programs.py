"""What the reader of code makes of programs, as tests/data/code/read.txt has it: each layer with its place and arguments,
each call with what it is given, what is trained with, and the notes.

Tests with Keras and PyTorch run the same programs and compare what these make. After a change that those tests agree
with, `python -m tests.support.read_programs` writes the file again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.reader import program, read_code
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.lang.axes import Batch
from layerexplain.model import Layer, Model, TensorRef, TrainingSetting
from tests.support.paths import TESTS
from tests.support.torch_programs import PROGRAMS as TORCH_PROGRAMS

FOLDER = TESTS / "data/code"
FILE = FOLDER / "read.txt"


MOST = 8
"""So many parts of a value are shown, and values so deep inside others."""

MANY = 24
"""So many numbers of an array are shown."""

HEADS = {
    "": "",
    "keras": "import keras\nfrom keras import layers, ops\nimport numpy as np\nimport tensorflow as tf\n",
    "torch": "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nimport numpy as np\n",
}


@cache
def programs() -> dict[str, str]:
    """Return programs of Keras and of PyTorch by their names, and pieces of them behind the usual imports."""
    found = {f"torch {name}": code for name, (code, _, _) in TORCH_PROGRAMS.items()}
    pieces = (FOLDER / "read_snippets.txt").read_text("utf-8")
    for name, head, code in re.findall(r"^### ([^|\n]+) \| ?(\w*)\n(.*?)(?=^### |\Z)", pieces, re.M | re.S):
        found[name] = HEADS[head] + code
    for path in sorted(FOLDER.glob("programs*.txt")):
        parts = re.findall(r"^### ([^|\n]+)\|[^\n]*\n(.*?)(?=^### |\Z)", path.read_text("utf-8"), re.M | re.S)
        found |= {name.strip(): code for name, code in parts}
    return found


@cache
def recorded() -> dict[str, str]:
    """Return what is recorded of programs, by their names."""
    return dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", FILE.read_text("utf-8"), re.M | re.S))


def _value(value: Any) -> str:
    if isinstance(value, TensorRef):
        return value.layer + (f"#{value.call}" if value.call else "") + (f".{value.output}" if value.output else "")
    if isinstance(value, Layer):
        return f"{value.type}({_arguments(value.config)})"
    if isinstance(value, TrainingSetting):
        return f"{value.name}({_arguments(value.config or {})})"
    if isinstance(value, Batch):
        return "n"
    if isinstance(value, Mapping):
        return f"{{{_arguments(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value) if isinstance(value, int | float | str | None) else type(value).__name__


def _known(value: Any, depth: int = 0) -> str:
    """Return what is known of a value of a program: itself where it is plain, else what it is, with its shape."""
    if isinstance(value, list | tuple | dict) and depth < MOST:
        parts = list(value.items() if isinstance(value, dict) else value)[: MOST if depth else MANY]
        return f"[{', '.join(_known(one, depth + 1) for one in parts)}]"
    if isinstance(value, Unknown):
        return f"unknown: {value.reason}"
    if isinstance(value, int | float | str | None):
        return repr(value)[:100]
    numbers = _known(tuple(value.values)[:MANY]) if isinstance(value, Array) and value.values else ""
    return f"{type(value).__name__} {_value(getattr(value, 'shape', None))} {numbers}".rstrip()


def _arguments(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_value(one)}" for key, one in config.items())


def _lines(model: Model, path: str = "") -> Iterator[str]:
    for layer in model.layers:
        yield f"{layer.line}:{layer.column} {path}{layer.name} {layer.kind} {_value(layer)}"
        if layer.model is not None:
            yield from _lines(layer.model, f"{path}{layer.name}/")
    for call in model.calls:
        given = ", ".join([*map(_value, call.args), _arguments(call.kwargs)]).removesuffix(", ")
        if given:
            yield f"{call.line}:{call.column} {path}{call.layer}#{call.index}({given})"
    yield f"{path}{model.type}: {_value(model.inputs)} to {_value(model.outputs)}"


def reading(code: str) -> str:
    """Return what the reader makes of a program, a line for each thing, or why it refuses it."""
    request = "model" if re.search(r"^model\b", code, re.M) else None
    try:
        model = read_code(code.encode(), None, request)
    except LayerExplainError as error:
        names = program(code.encode(), None).frame.names if "builds no model" in error.fact else {}
        return "\n".join([f"refused: {error}", *[f"{name} = {_known(one)}" for name, one in names.items()]]) + "\n"
    lines = [f"{model.framework} {model.grade}", *_lines(model)]
    lines += [f"weight {one.name} {_value(one.shape)} {one.dtype}" for one in model.weights]
    if model.training is not None:
        lines += [f"{name}: {_value(one)}" for name, one in model.training._asdict().items()]
    lines += [f"{note.code} {note.layer}: {note.message}" for note in model.notes]
    lines += [f"fault {fault}" for fault in model.faults]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text("".join(f"### {name}\n{reading(programs()[name])}" for name in programs()), "utf-8")
