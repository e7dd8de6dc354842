"""The models of keras.applications, from the source of an installed Keras: it is read as text, as the program is."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.bounds import MOST_SOURCE
from layerexplain.frontends.code.frames import File, Frame
from layerexplain.frontends.code.keras_source import keras_folder
from layerexplain.frontends.code.values import Unknown

if TYPE_CHECKING:
    from layerexplain.frontends.code.keras_calls import Keras

_FOLDER = os.path.join("src", "applications")


@cache
def _homes() -> dict[str, str]:
    """The module of each function of keras.applications that makes a model or helps to."""
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


def application(keras: Keras, name: str, args: list[Any], kwargs: dict[str, Any], module: str = "") -> Any:
    """The result of a function of keras.applications, of a module of it where several have the function; Unknown where
    no Keras is installed whose source has it."""
    home, folder = f"{module}.py" if module else _homes().get(name), keras_folder()
    if home is None or folder is None:
        why = (
            "no Keras is installed whose source could be read" if folder is None else "it is not in the installed Keras"
        )
        return Unknown(f"{name} of keras.applications is not known: {why}")
    frame = _module(keras, home, folder)
    if frame is None or name not in frame.names:
        return Unknown(f"{name} of keras.applications could not be read")
    return keras.interpreter.call(frame.names.get(name), args, kwargs)


def _module(keras: Keras, home: str, folder: str) -> Frame | None:
    """The names of a module of keras.applications, which is read once for a program."""
    from layerexplain.frontends.code.sources import read_text

    modules = keras.interpreter.modules
    key = f"keras.applications/{home}"
    if key not in modules:
        path = os.path.join(folder, _FOLDER, home)
        modules[key] = None
        try:
            with open(path, "rb") as opened:
                text = read_text(opened.read(MOST_SOURCE + 1), path)
        except (OSError, LayerExplainError):
            return None
        at = keras.interpreter.node
        modules[key] = keras.interpreter.run(File(f"keras/applications/{home}", None, text.tree))
        keras.interpreter.node = at
    found: Frame | None = modules[key]
    return found
