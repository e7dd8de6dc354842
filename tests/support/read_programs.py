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

from layerexplain.frontends.code.reader import read_code
from layerexplain.lang.axes import Batch
from layerexplain.model import Layer, Model, TensorRef, TrainingSetting
from tests.support.paths import TESTS
from tests.support.torch_programs import PROGRAMS as TORCH_PROGRAMS

FOLDER = TESTS / "data/code"
FILE = FOLDER / "read.txt"


@cache
def programs() -> dict[str, str]:
    """Return programs of Keras and of PyTorch by their names."""
    found = {f"torch {name}": code for name, (code, _, _) in TORCH_PROGRAMS.items()}
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
    """Return what the reader makes of a program, a line for each thing."""
    request = "model" if re.search(r"^model\b", code, re.M) else None
    model = read_code(code.encode(), None, request)
    lines = [f"{model.framework} {model.grade}", *_lines(model)]
    lines += [f"weight {one.name} {_value(one.shape)} {one.dtype}" for one in model.weights]
    if model.training is not None:
        lines += [f"{name}: {_value(one)}" for name, one in model.training._asdict().items()]
    lines += [f"{note.code} {note.layer}: {note.message}" for note in model.notes]
    lines += [f"fault {fault}" for fault in model.faults]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text("".join(f"### {name}\n{reading(programs()[name])}" for name in recorded()), "utf-8")
