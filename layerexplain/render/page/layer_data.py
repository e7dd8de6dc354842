"""The data of pages of single layers, each without a model: js/what_if.js and js/gallery.js show them.

Both have `model`, of which the `title` counts, and `layers`, `definitions` and `forms` as data.py says. Beside them:

- of one layer whose arguments are changed: `type`, `about`; `controls`: `[name, values, number of the given one,
  words]`, where a value is `[text, word of the command or ""]`; `command`: what stands in front and behind of these
  words; `given`: texts of the arguments that have no control; `table`: for each combination of values, the last control
  changing fastest, the number of its layer, or -1 - n where line n of `refused` says why it is none.
- of a gallery: `families`: `[title, [number of a type, …]]`; `types`: `{type, about, command, arguments}` in the order
  of `layers`.
- of both: `arguments` of a type: `[name, words, default]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from layerexplain.keras_code import flow_text
from layerexplain.render.escape import clean
from layerexplain.render.page.data import layer_data
from layerexplain.report.data import LayerReport
from layerexplain.report.one_layer import LayerType
from layerexplain.report.what_if import Control, WhatIf


def gallery_data(title: str, families: Mapping[str, Iterable[tuple[LayerType, LayerReport]]]) -> dict[str, Any]:
    """Return the structure of a page of many independent layers, by family: of each its type and its example,
    explained."""
    types: list[dict[str, Any]] = []
    layers: list[LayerReport] = []
    listed: list[tuple[str, list[int]]] = []
    for family, examples in families.items():
        listed.append((clean(family), []))
        for known, layer in examples:
            listed[-1][1].append(len(layers))
            layers.append(layer)
            shapes = [word for shape in known.example_inputs for word in ("--input", shape)]
            command = ["layerexplain", "layer", known.type, *known.example, *shapes]
            types.append({
                "type": known.type,
                "about": clean(known.description),
                "command": clean(" ".join(map(_quoted, command))),
                "arguments": _arguments(known),
            })  # fmt: skip
    return {"model": {"title": clean(title)}, **layer_data(layers), "families": listed, "types": types}


def what_if_data(
    known: LayerType, found: WhatIf, typed: Mapping[str, Any], input_shapes: Sequence[Sequence[int | None]]
) -> dict[str, Any]:
    """Return the structure of the page of one layer, for all combinations of the values of its controls; `typed` are
    its arguments as they were given."""
    offered = {one.name for one in found.controls}
    fixed = {name: value for name, value in typed.items() if name not in offered and name in found.fixed}
    layers = [row for row in found.rows if not isinstance(row, str)]
    data = layer_data(layers)
    numbers: dict[str, int] = {}
    kept: list[Any] = []
    places = []
    for entry in data["layers"]:
        place = numbers.setdefault(json.dumps(entry), len(kept))
        if place == len(kept):
            kept.append(entry)
        places.append(place)
    refused: dict[str, int] = {}
    following = iter(places)
    table = [
        -1 - refused.setdefault(clean(row), len(refused)) if isinstance(row, str) else next(following)
        for row in found.rows
    ]
    shapes = [",".join(map(str, shape)) or "()" for shape in input_shapes]
    return {
        **data,
        "model": {"title": f"{known.type}: what if"},
        "layers": kept,
        "type": known.type,
        "about": clean(known.description),
        "controls": [
            [
                one.name,
                [[_text(value), _typed(one, number, typed)] for number, value in enumerate(one.values)],
                one.given,
                clean(one.words),
            ]
            for one in found.controls
        ],
        "given": [clean(f"{name}={flow_text(value)}") for name, value in fixed.items()],
        "command": [
            clean(f"layerexplain layer {quote(known.type)}"),
            " ".join([*[_word(*one) for one in fixed.items()], *[f"--input {quote(one)}" for one in shapes]]),
        ],
        "arguments": _arguments(known),
        "table": table,
        "refused": list(refused),
    }


def _typed(control: Control, number: int, typed: Mapping[str, Any]) -> str:
    """Return the word of the command for a value; none where the value is the default."""
    is_default = number == control.given and control.name not in typed
    return "" if is_default else _word(control.name, control.values[number])


def _arguments(known: LayerType) -> list[list[str]]:
    return [
        [one.name, clean(one.words), "required" if one.is_required else _text(one.default)] for one in known.arguments
    ]


def _text(value: Any) -> str:
    return clean("None" if value is None else value if isinstance(value, str) and value else flow_text(value))


def _word(name: str, value: Any) -> str:
    return clean(_quoted(f"{name}={flow_text(value)}"))


def _quoted(word: str) -> str:
    """Return a word for a shell, between double quotes where it has single ones."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else quote(word)
