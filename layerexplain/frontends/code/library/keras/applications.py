"""The models of keras.applications, from the source of an installed Keras: it is read as text, as the program is."""

from __future__ import annotations

import os
from functools import cache

from layerexplain.frontends.code.library.keras.cloning import Cloning
from layerexplain.frontends.code.library.keras.source import keras_folder
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.machine.modules import read_module
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Unknown

_FOLDER = os.path.join("src", "applications")


@cache
def _homes() -> dict[str, str]:
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


def application(keras: Cloning, name: str, args: Arguments, kwargs: Keywords, module: str = "") -> ProgramValue:
    """Return the result of a function of keras.applications, of a module of it where several have the function; Unknown
    where no Keras is installed whose source has it."""
    home, folder = f"{module}.py" if module else _homes().get(name), keras_folder()
    if home is None or folder is None:
        why = (
            "no Keras is installed whose source could be read" if folder is None else "it is not in the installed Keras"
        )
        return Unknown(f"{name} of keras.applications is not known: {why}")
    read = read_module(os.path.join(folder, _FOLDER, home), f"keras/applications/{home}")
    # Without a folder, what it imports are names of Cloning, as they are in a program.
    names = {} if read is None else keras.interpreter.module_of(home, read._replace(folder=None)).frame.names
    if name not in names:
        return Unknown(f"{name} of keras.applications could not be read")
    return keras.interpreter.call(names[name], args, kwargs)


def without_values(weights: ProgramValue, interpreter: Interpreter) -> str:
    """Return the note on `weights='imagenet'`, which is not loaded; "" where a model has no stored weights."""
    if not isinstance(weights, str):
        return ""
    return (
        f"{interpreter.where(interpreter.place())}: weights={weights!r} are not loaded: shapes and counts are exact, "
        "the values are not known; to see values, run model.save('model.keras') in Python and give that file"
    )
