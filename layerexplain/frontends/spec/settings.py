"""Initializers, regularizers and constraints as a spec writes them: `he_normal`, `{L2: 0.01}`, `{L2: {l2: 0.01}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.suggest import did_you_mean

_EXAMPLES = {"initializer": "{RandomNormal: {stddev: 0.02}}", "regularizer": "{L2: 0.01}", "constraint": "{MaxNorm: 2}"}
"""What the argument of a layer ends with → how it may be written."""


def setting_kind(argument: str) -> str:
    """Return what an argument of a layer holds: "initializer", "regularizer", "constraint"; "" for any other."""
    kind = argument.rpartition("_")[2]
    return kind if kind in _EXAMPLES else ""


def written_setting(type_: str, argument: str, kind: str, value: Any) -> Any:
    """Return a setting with the names of its arguments.

    Args:
        type_: The type of the layer.
        argument: The argument of the layer, such as `kernel_regularizer`.
        kind: What it holds, as `setting_kind` says.
        value: What the spec has.

    Raises:
        ArgumentError: It is a number or a list, or Keras has no such class, or the class takes fewer arguments.

    >>> written_setting("Dense", "kernel_regularizer", "regularizer", {"L2": 0.1})
    {'L2': {'l2': 0.1}}
    """
    written_as_in_files = isinstance(value, Mapping) and (len(value) != 1 or "class_name" in value)
    if value is None or isinstance(value, str) or written_as_in_files:
        return value
    article = "an" if kind == "initializer" else "a"
    wanted = f"{type_} needs {argument} to be {article} {kind} of Keras by its name, alone or with arguments"
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{wanted}, got {argument}={value!r}; for example {_EXAMPLES[kind]}")
    ((name, given),) = value.items()
    path = f"{kind}s.{name}"
    from layerexplain.frontends.code.library.keras import api as keras_api  # most specs need no list of names

    if not keras_api.is_known(path):
        known = [one for one in keras_api.names_in(f"{kind}s") if one[:1].isupper()]
        hint = did_you_mean(str(name), known) or f"for example {_EXAMPLES[kind]}"
        raise ArgumentError(f"{wanted}, got {argument}={name}; {hint}")
    if given is None or isinstance(given, Mapping):
        return value
    listed = list(given) if isinstance(given, list | tuple) else [given]
    names = keras_api.arguments(path)
    if len(listed) > len(names):
        taken = ", ".join(names) or "no arguments"
        raise ArgumentError(f"{name} takes {taken}, got {len(listed)} values")
    return {name: dict(zip(names, listed, strict=False))}
