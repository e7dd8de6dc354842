"""What a project sets for `check` in its pyproject.toml, under [tool.layerexplain]."""

from __future__ import annotations

import os
from typing import Any

import click

_KEYS = {"select": "select", "ignore": "ignore", "fail-on": "fail_on", "max": "budgets", "weight-values": "weights"}
"""Key → the parameter of the command that it is the default of."""


def use_project_settings(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Make the settings of the nearest pyproject.toml the defaults of a command; an option that is given goes first.

    Raises:
        click.UsageError: for a file that is no TOML, and for a setting that there is not.
    """
    path = None if value else _nearest(os.getcwd())
    if path is None:
        return
    results = _read(path)
    defaults: dict[str, Any] = {}
    for key, item in results.items():
        key = "weight-values" if key == "weights" else key  # its name of the past
        if key not in _KEYS:
            from layerexplain.errors import did_you_mean

            hint = did_you_mean(key, _KEYS) or f"there are {', '.join(_KEYS)}"
            raise click.UsageError(f"{path}: [tool.layerexplain] has no setting '{key}'; {hint}")
        if key == "max":
            item = [f"{name}={amount}" for name, amount in item.items()] if isinstance(item, dict) else [item]
        defaults[_KEYS[key]] = item if isinstance(item, bool) or key == "fail-on" else _texts(path, key, item)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _texts(path: str, key: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise click.UsageError(f"{path}: the setting '{key}' needs a list of texts, got {value!r}"[:300])
    return texts


def _nearest(folder: str) -> str | None:
    while True:
        path = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(path):
            return path
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        content = file.read(1_000_000)
    if b"tool.layerexplain" not in content:
        return {}
    import tomllib

    try:
        result = tomllib.loads(content.decode()).get("tool", {}).get("layerexplain", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: is not TOML: {error}") from None
    return result if isinstance(result, dict) else {}
