"""Write what functions are called with, for the code reader: in library/, keras_signatures.txt (Keras 3, tf_keras and
TensorFlow) and signatures.txt (NumPy and PyTorch).

    python scripts/signatures.py            # writes the files
    python scripts/signatures.py --check    # fails where one is not current

It needs Keras, tf_keras, TensorFlow, NumPy and PyTorch. A line of keras_signatures.txt is a name, what Keras 3 takes,
and what tf_keras takes where that is something else; `-` stands for a name that one of them does not have:

    losses.Huber | delta=1.0, reduction='sum', name=None, dtype=None, ** | delta=1.0, reduction=, name=None
    tf.concat | values, axis, name='concat'

A line of signatures.txt is a name and its overloads; `:T` marks parameters that are tensors:

    torch.max | input:T, *, out=None | input:T, other:T, *, out=None | input:T, dim, keepdim=False, *, out=None

A default that is no plain value is left out behind `=`. Names that end in `.call` are what a layer is called with;
`Layer.`, `Model.` and `Sequential.` are their methods. The lines `members of …` are the attributes of objects of these
classes: of a layer those that not every layer has. What a base of a class or the module around a module has with the
same arguments stands there alone; `names of …` are those of the module.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
LIBRARY = Path(__file__).parents[1] / "layerexplain/frontends/code/library"
_PASSED_OVER = {
    "src",
    "_tf_keras",
    "tf_keras",
    "estimator",
    "experimental",
    "protobuf",
    "dtensor",
}
_BASES = ("Layer", "Model", "Sequential")
_KINDS = inspect.Parameter


def taken(function: Any, *, implied: bool) -> str | None:
    """The parameters of a function in the notation of the file; None where Python does not know them."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[int(implied) :]
    except (TypeError, ValueError):
        return None
    parts: list[str] = []
    for one in parameters:
        if one.kind is _KINDS.VAR_POSITIONAL:
            parts.append("*args")
        elif one.kind is _KINDS.VAR_KEYWORD:
            parts.append("**")
        else:
            if one.kind is _KINDS.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
                parts.append("*")
            parts.append(one.name + ("" if one.default is _KINDS.empty else f"={written(one.default)}"))
    return ", ".join(parts)


def written(value: Any) -> str:
    """A default as the file has it: nothing for what is no plain value."""
    if isinstance(value, tuple) and value and all(map(written, value)):
        return f"({','.join(map(written, value))}{',' * (len(value) == 1)})"
    if type(value) is float and value not in (float("inf"), float("-inf")):
        return repr(value)
    return repr(value) if type(value) in (bool, int, str, type(None)) and "|" not in str(value) else ""


def handed_on(cls: type) -> tuple[int, set[str]]:
    """What a class itself gives to its base: how many arguments without a name, and which by name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls.__init__)))  # type: ignore[misc]
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
            return len(call.args), {one.arg for one in call.keywords if one.arg is not None}
    return 0, set()


def with_inherited(cls: type, taken: str) -> str:
    """What a layer takes, and what its bases take where it hands on all that it does not know."""
    parts = taken.split(", ")
    names = {part.partition("=")[0] for part in parts} | (
        {"factor"} if not getattr(cls, "_USE_BASE_FACTOR", True) else set()
    )
    count = 0
    for base in inspect.getmro(cls):
        if parts[-1] != "**" or base.__name__ == "Layer":
            break
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        for one in parameters[count:]:
            if one.kind not in (_KINDS.VAR_POSITIONAL, _KINDS.VAR_KEYWORD) and one.name not in names:
                parts[-1:] = [*["*"] * ("*" not in parts), f"{one.name}=", "**"]
        if all(one.kind is not _KINDS.VAR_KEYWORD for one in parameters):
            break
        count, given = handed_on(base)
        names |= {*given, *(one.name for one in parameters)}
    return ", ".join(parts)


def names_of(root: ModuleType) -> dict[str, str]:
    """The public names of a Keras, by their paths behind its root."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, ModuleType]] = [("", root)]
    seen = {id(root)}
    while waiting:
        before, module = waiting.pop()
        for name, value in sorted(vars(module).items()):
            path = f"{before}{name}"
            if name.startswith("_") or (not before and name in _PASSED_OVER):
                continue
            if isinstance(value, ModuleType):
                if value.__name__.startswith(("keras", "tf_keras")) and id(value) not in seen and path.count(".") < 3:
                    seen.add(id(value))
                    found[path] = "module"
                    waiting.append((f"{path}.", value))
            elif inspect.isclass(value):
                found[path] = taken(value.__init__, implied=True) or ""  # type: ignore[misc]
                if issubclass(value, root.layers.Layer) and path.startswith("layers."):
                    found[path] = with_inherited(value, found[path])
                    found[f"{path}.call"] = taken(value.call, implied=True) or "*args, **"
            elif callable(value) and (signature := taken(value, implied=False)) is not None:
                found[path] = signature
            else:
                found[path] = "value"
    for name, cls in zip(_BASES, (root.layers.Layer, root.Model, root.Sequential), strict=True):
        for member in dir(cls):
            value = inspect.getattr_static(cls, member)
            is_static = isinstance(value, staticmethod)
            if not member.startswith("_") and (inspect.isfunction(getattr(cls, member, None)) or is_static):
                found[f"{name}.{member}"] = taken(getattr(cls, member), implied=not is_static) or ""
    return found


def members_of(root: ModuleType) -> dict[str, set[str]]:
    """The public attributes of objects of a Keras's classes, also those that only an object has."""
    layer = type("Own", (root.layers.Layer,), {})()
    model = root.Sequential([root.layers.InputLayer((3,)), root.layers.Dense(2)])
    model.compile("adam", "mse")
    tensor = root.Input((3,))
    objects = {
        "Layer": [layer, root.layers.Layer],
        "Model": [model, root.Model, root.Sequential],
        "Tensor": [tensor, type(tensor)],
    }
    return {
        name: {one for thing in some for one in (*dir(type(thing) if thing is some[0] else thing), *vars(thing))
               if not one.startswith("_")}
        for name, some in objects.items()
    }  # fmt: skip


def set_by(cls: type) -> set[str]:
    """The public attributes that the code of a class and of its bases in Keras gives its objects."""
    found: set[str] = set()
    for one in inspect.getmro(cls):
        if one.__module__.startswith(("keras.", "tf_keras.")):
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
            found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
                      and isinstance(node.ctx, ast.Store) and getattr(node.value, "id", "") == "self"}  # fmt: skip
    return {name for name in {*found, *dir(cls)} if not name.startswith("_")}


def members_of_layers(*roots: ModuleType) -> dict[str, set[str]]:
    """The public attributes of objects of each layer of several Kerases that not every layer has."""
    found: dict[str, set[str]] = {}
    for root in roots:
        for name, cls in vars(root.layers).items():
            if inspect.isclass(cls) and issubclass(cls, root.layers.Layer) and cls.__name__ == name:
                found.setdefault(name, set()).update(set_by(cls))
    shared = found["Layer"]
    return {name: of - shared for name, of in sorted(found.items())}


def of_numpy() -> list[str]:
    """The lines of NumPy's functions."""
    import numpy as np

    lines = []
    for package, before in ((np, "numpy."), (np.random, "numpy.random."), (np.linalg, "numpy.linalg.")):
        for name in sorted(dir(package)):
            value = getattr(package, name)
            is_function = callable(value) and not inspect.isclass(value) and not name.startswith("_")
            if is_function and (signature := taken(value, implied=False)) is not None:
                lines.append(f"{before}{name} | {signature}")
    return lines


def in_stub(function: ast.FunctionDef) -> str:
    """The parameters of a function in a stub of PyTorch."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    defaults = [None] * (len(positional) - len(spec.defaults)) + list(spec.defaults)
    parts = [of_stub(one, default) for one, default in zip(positional, defaults, strict=True)]
    parts += ["*args"] * bool(spec.vararg) or ["*"] * bool(spec.kwonlyargs)
    parts += [of_stub(one, default) for one, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    return ", ".join([*[part for part in parts if part != "self"], *["**"] * bool(spec.kwarg)])


def of_stub(parameter: ast.arg, default: ast.expr | None) -> str:
    """A parameter of a stub."""
    kinds = ast.unparse(parameter.annotation).split(" | ") if parameter.annotation is not None else []
    mark = ":T" * any(kind in ("Tensor", "Optional[Tensor]") for kind in kinds)
    if default is None:
        return f"{parameter.arg}{mark}"
    try:
        return f"{parameter.arg}{mark}={written(ast.literal_eval(default))}"
    except ValueError:
        return f"{parameter.arg}{mark}="


def of_torch() -> list[str]:
    """The lines of PyTorch's functions and methods of tensors, from its stubs and its functions in Python."""
    import torch

    root = Path(torch.__file__).parent
    overloads: dict[str, dict[str, None]] = {}

    def add(before: str, body: list[ast.stmt]) -> None:
        known = set(overloads)
        for one in body:
            is_public = isinstance(one, ast.FunctionDef) and one.name[0] != "_" and one.name[-1] != "_"
            if is_public and f"{before}{one.name}" not in known:
                overloads.setdefault(f"{before}{one.name}", {})[in_stub(one)] = None

    def functions(path: str) -> list[ast.stmt]:
        body = ast.parse((root / path).read_text()).body
        named = {one.name: one for one in body if isinstance(one, ast.FunctionDef)}
        for one in body:  # max_pool2d = boolean_dispatch(if_false=_max_pool2d, …)
            if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call):
                passed_on = {keyword.arg: ast.unparse(keyword.value) for keyword in one.value.keywords}
                if passed_on.get("if_false") in named:
                    named[passed_on["if_false"]].name = ast.unparse(one.targets[0])
        return body

    def methods(path: str) -> list[ast.stmt]:
        kinds = [one for one in functions(path) if isinstance(one, ast.ClassDef) and "Tensor" in one.name]
        return [method for cls in kinds for method in cls.body]

    for path in ("functional.py", "_C/_VariableFunctions.pyi"):
        add("torch.", functions(path))
    for path in ("nn/functional.py", "_C/_nn.pyi", "nn/functional.pyi"):  # stubs leave defaults out
        add("torch.nn.functional.", functions(path))
    for one in functions("nn/functional.py"):  # logsigmoid = _add_docstr(torch._C._nn.log_sigmoid, …)
        if isinstance(one, ast.Assign) and ast.unparse(one.value).startswith("_add_docstr(torch._C._nn."):
            target, given = ast.unparse(one.targets[0]), ast.unparse(one.value.args[0]).rpartition(".")[2]
            if f"torch.nn.functional.{given}" in overloads:
                overloads.setdefault(f"torch.nn.functional.{target}", overloads[f"torch.nn.functional.{given}"])
    add("torch.Tensor.", [*methods("_tensor.py")])
    add("torch.Tensor.", [*methods("_C/__init__.pyi")])
    lines = []
    for path, texts in sorted(overloads.items()):
        last = path.rpartition(".")[2]
        same = {text.partition(", ")[2].removeprefix("*, ") for text in overloads.get(f"torch.{last}", ())}
        if path.startswith("torch.Tensor.") and {text.removeprefix("*, ") for text in texts} <= same:
            continue  # the method takes what the function takes behind the tensor
        lines.append(" | ".join([path, *texts]))
    for name, module in sorted(vars(torch.nn).items()):
        is_read = hasattr(module, "forward") and not ("Loss" in name or name.startswith(("Lazy", "Data")))
        forward = taken(module.forward, implied=True) if is_read else None
        if forward is not None and "," in forward:
            lines.append(f"torch.nn.{name}.forward | {forward}")
    return lines


def text() -> str:
    """The file of Keras."""
    import keras
    import tensorflow as tf
    import tf_keras

    from layerexplain.layers.index import types

    today, before = names_of(keras), names_of(tf_keras)
    lines = []
    for path in sorted({*today, *before}):
        now, then = today.get(path), before.get(path)
        second = "" if now == then else f" | {'-' if then is None else then}"
        lines.append(f"{path} | {'-' if now is None else now}{second}")
    packages = {"tf.": tf, "tf.math.": tf.math, "tf.linalg.": tf.linalg, "tf.nn.": tf.nn, "tf.random.": tf.random}
    named = {f"{before}{name}" for before, package in packages.items() for name in dir(package) if name[:1].islower()}
    for path in sorted({*named, *(name for name in types() if name.startswith("tf."))}):
        value: Any = tf
        for part in path.split(".")[1:]:
            value = getattr(value, part, None)
        if callable(value) and (signature := taken(value, implied=False)) is not None:
            lines.append(f"{path} | {signature}")
    for name in ("Layer", "Model", "Tensor"):
        members = sorted(members_of(keras)[name] | members_of(tf_keras)[name])
        lines.append(f"members of {name} | {' '.join(members)}")
    lines += [
        f"members of layers.{name} | {' '.join(sorted(of))}" for name, of in members_of_layers(keras, tf_keras).items()
    ]
    return "\n".join([*once(lines), ""])


def once(lines: list[str]) -> list[str]:
    """The lines without those of methods that a base has and of names that the module around has, as they are there;
    `names of` has the latter in a row."""
    from layerexplain.frontends.code.library.signatures import BASES

    entries = dict(line.split(" | ", 1) for line in lines)
    shared: dict[str, list[str]] = {}
    for path, taken in list(entries.items()):
        place, _, name = path.rpartition(".")
        home = BASES.get(place, place.rpartition(".")[0])
        if home and f"{home}.{name}" in entries and entries[f"{home}.{name}"] == taken != "module":
            shared.setdefault(place, []).append(path)
    for paths in shared.values():
        for path in paths:
            del entries[path]
    rows = {
        f"names of {place}": " ".join([path.rpartition(".")[2] for path in paths])
        for place, paths in shared.items()
        if place not in BASES
    }
    return [f"{path} | {taken}" for path, taken in {**entries, **rows}.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write what functions of the frameworks are called with.")
    parser.add_argument("--check", action="store_true", help="fail where a file is not current")
    is_check = parser.parse_args().check
    for target, current in (
        (LIBRARY / "keras_signatures.txt", text()),
        (LIBRARY / "signatures.txt", "\n".join([*of_numpy(), *of_torch(), ""])),
    ):
        if not is_check:
            target.write_text(current)
        elif target.read_text() != current:
            sys.exit(f"{target.name} is not current; run python scripts/signatures.py")


if __name__ == "__main__":
    main()
