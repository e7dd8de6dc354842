"""The source of an installed Keras: the classes of its layers, and keras.applications. It is read, not imported."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.util import find_spec

from layerexplain.frontends.code.library.keras_names import inside_keras, resolve_keras_name
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.machine.modules import read_module
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.program import Class, Function

# Source -------------------------------------------------------------------------------------------------------------
# The classes of an installed Keras's layers, from their source: it is found, not imported, and read as text as the
# program is. A user-defined class that changes how such a layer computes is followed through it.

_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_SAYS_NOTHING = frozenset({"__init__", "get_config", "from_config", "compute_output_shape", "compute_output_spec"})
"""Methods that change nothing of what a layer computes."""


@cache
def keras_folder() -> str | None:
    """Return the folder of the installed Keras, which is found and not imported; None where there is none."""
    try:
        spec = find_spec("keras")
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return places[0] if places and os.path.isdir(os.path.join(places[0], "src", "layers")) else None


@cache
def _homes() -> dict[str, str]:
    """Return the file of each class of Keras's layers."""
    folder = keras_folder()
    found: dict[str, str] = {}
    for place, _, names in os.walk(os.path.join(folder, "src", "layers")) if folder is not None else ():
        for name in sorted(names):
            if name.endswith(".py") and not name.endswith("_test.py"):
                path = os.path.join(place, name)
                with open(path, encoding="utf-8") as file:
                    for match in _CLASS.findall(file.read()):
                        found.setdefault(match, path)
    return found


def source_class(interpreter: Interpreter, name: str) -> Class | None:
    """Return a class of Keras's layers as its source has it; None where no Keras is installed that has it."""
    path, folder = _homes().get(name), keras_folder()
    read = None if path is None or folder is None else read_module(path, os.path.relpath(path, os.path.dirname(folder)))
    if read is None:
        return None
    # Without a folder, what it imports are names of Keras, as they are in a program.
    value = interpreter.module_of(name, read._replace(folder=None)).frame.names.get(name)
    return value if isinstance(value, Class) else None


def with_source(interpreter: Interpreter, cls: Class) -> None:
    """Put the source of Keras's layers in place of bases whose computation a class changes, or that are Keras's own."""
    for place, base in enumerate(cls.bases):
        if not isinstance(base, Symbol) or inside_keras(base.path) is None or base.last in ("Layer", "Wrapper"):
            continue
        what = resolve_keras_name(base.path)
        is_layer = what is not None and what.kind == "layer"
        is_inner = what is not None and what.kind == "other" and "layers" in base.path.split(".")
        if (is_layer and _changes(cls)) or (is_inner and base.last in _homes()):
            found = source_class(interpreter, what.name if what is not None and is_layer else base.last)
            if found is not None and found is not cls:
                cls.bases[place] = found


def _changes(cls: Class) -> bool:
    """Return whether a class has methods that change what its layer computes."""
    own: dict[str, ProgramValue] = cls.attributes
    return any(isinstance(one, Function) and one.kind != "property" and name not in _SAYS_NOTHING
               for name, one in own.items())  # fmt: skip


# Applications -------------------------------------------------------------------------------------------------------
# The models of keras.applications, from the source of an installed Keras: it is read as text, as the program is.

_FOLDER = os.path.join("src", "applications")


@cache
def _applications() -> dict[str, str]:
    """Return the module of each function of keras.applications that makes a model or helps to."""
    folder = keras_folder()
    found: dict[str, str] = {}
    for name in sorted(os.listdir(os.path.join(folder, _FOLDER))) if folder is not None else ():
        if not name.endswith(".py") or name.endswith("_test.py"):
            continue
        with open(os.path.join(folder or "", _FOLDER, name), encoding="utf-8") as file:
            for line in file:
                if line.startswith("def ") and not line.startswith("def preprocess_input"):
                    found.setdefault(line[4:].partition("(")[0], name)
    return found


def application(reader: Interpreter, name: str, args: Arguments, kwargs: Keywords, module: str = "") -> ProgramValue:
    """Return the result of a function of keras.applications, of a module of it where several have the function; Unknown
    where no Keras is installed whose source has it."""
    home, folder = f"{module}.py" if module else _applications().get(name), keras_folder()
    if home is None or folder is None:
        why = (
            "no Keras is installed whose source could be read" if folder is None else "it is not in the installed Keras"
        )
        return Unknown(f"{name} of keras.applications is not known: {why}")
    read = read_module(os.path.join(folder, _FOLDER, home), f"keras/applications/{home}")
    # Without a folder, what it imports are names of Keras, as they are in a program.
    names = {} if read is None else reader.module_of(home, read._replace(folder=None)).frame.names
    if name not in names:
        return Unknown(f"{name} of keras.applications could not be read")
    return reader.call(names[name], args, kwargs)


def without_values(weights: ProgramValue, interpreter: Interpreter) -> str:
    """Return the note on `weights='imagenet'`, which is not loaded; "" where a model has no stored weights."""
    if not isinstance(weights, str):
        return ""
    return (
        f"{interpreter.where(interpreter.place())}: weights={weights!r} are not loaded: shapes and counts are exact, "
        "the values are not known; to see values, run model.save('model.keras') in Python and give that file"
    )
