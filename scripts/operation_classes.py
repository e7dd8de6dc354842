"""Write layerexplain/network/operation_classes.txt: the classes of operations of Keras 3 and the functions of
`keras.ops` that make them.

    python scripts/operation_classes.py            # writes the file
    python scripts/operation_classes.py --check    # fails where it is not current

It needs Keras, whose import takes seconds, so `make lint` does not check it: run it when the version of Keras that the
tests need changes. tests/conversions/test_conversions_operations.py runs what the file says.

A line is a class, its module in keras.src.ops, its function behind `keras.ops.`, what that function takes, which of it
the class is made with (`argument=parameter` where the names differ), and what the class is called with:

    Clip | numpy | clip | x, x_min, x_max | x_min, x_max | x

The function is found in Keras's source, which is parsed and not run: `Clip(x_min, x_max).symbolic_call(x)`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TARGET = Path(__file__).parents[1] / "layerexplain/network/operation_classes.txt"
_MODULES = ("core", "math", "nn", "numpy", "image", "linalg", "einops")


def classes() -> dict[str, tuple[str, type]]:
    """Return the classes of operations by name, each with its module."""
    from keras.src.ops.operation import Operation

    found: dict[str, tuple[str, type]] = {}
    for module in _MODULES:
        source = importlib.import_module(f"keras.src.ops.{module}")
        for name, one in vars(source).items():
            if inspect.isclass(one) and issubclass(one, Operation) and one.__module__ == source.__name__:
                found[name] = (module, one)
    return found


def functions() -> dict[str, Any]:
    """Return the functions behind `keras.ops.` by their shortest names."""
    import keras

    found: dict[str, Any] = {}
    for prefix, module in (("", keras.ops), ("image.", keras.ops.image), ("linalg.", keras.ops.linalg)):
        for name in dir(module):
            one = getattr(module, name)
            if inspect.isfunction(one) and one not in found.values():
                found[prefix + name] = one
    return found


def made_in(function: Any, known: dict[str, tuple[str, type]]) -> Iterator[tuple[str, ast.Call]]:
    """Yield the classes that a function makes and calls at once: `Clip(x_min, x_max)(x)`, with what makes them."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if not isinstance(node, ast.Call):
            continue
        target = node.func
        if isinstance(target, ast.Attribute) and target.attr == "symbolic_call":
            target = target.value
        if isinstance(target, ast.Call) and isinstance(target.func, ast.Name) and target.func.id in known:
            yield target.func.id, target


def parameters(function: Any) -> list[str]:
    """Return what a function takes, `*` before what takes any number."""
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return [marks.get(one.kind, "") + one.name for one in found if one.name not in ("self", "kwargs")]


def line(name: str, home: str, cls: type, path: str, function: Any, made: ast.Call) -> str:
    """Return the line of a class."""
    takes = [one for one in parameters(cls.__init__) if one != "name"]  # type: ignore[misc]
    of_function = [one.lstrip("*") for one in parameters(function)]
    given: dict[str, ast.expr] = dict(zip(takes, made.args, strict=False))
    given |= {one.arg: one.value for one in made.keywords if one.arg}
    pairs = {
        key: value.id if isinstance(value, ast.Name) and value.id in of_function else key
        for key, value in given.items()
        if (isinstance(value, ast.Name) and value.id in of_function) or key in of_function
    }
    words = [key if key == value else f"{key}={value}" for key, value in pairs.items()]
    called = parameters(cls.call)  # type: ignore[attr-defined]
    return " | ".join((name, home, path, ", ".join(parameters(function)), ", ".join(words), ", ".join(called)))


def text() -> str:
    """Return the whole file."""
    known = classes()
    lines: dict[str, str] = {}
    for path, function in functions().items():
        for name, made in made_in(function, known):
            lines.setdefault(name, line(name, *known[name], path, function, made))
    return "".join(f"{lines[name]}\n" for name in sorted(lines))


def main() -> None:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail where the file is not current")
    if not parser.parse_args().check:
        TARGET.write_text(text(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text():
        sys.exit(f"{TARGET.name} is not current; run python scripts/operation_classes.py")


if __name__ == "__main__":
    main()
