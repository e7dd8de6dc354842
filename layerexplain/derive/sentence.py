"""Fill the `{fields}` in a layer's sentence, the first line of its declaration, with its numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from layerexplain.derive.gist import argument_text, spatial_count
from layerexplain.derive.roles import input_roles
from layerexplain.lang.axes import Batch, Size
from layerexplain.lang.definition import Definition
from layerexplain.ops.sizes import product
from layerexplain.suggest import in_a_row


@lru_cache(maxsize=64)
def sentence(definition: Definition) -> str:
    """Return the description with its fields filled.

    Fields are arguments, names of weights' axes, axes of the input (`{steps}`), the argument `axis` in words
    (`{along}`), the effect of γ and β (`{then}`), that the last of several axes is meant
    (`{last}`), the direction in which a recurrent layer reads (`{order}`), and the
    number of positions of each tensor (`{query_size}`). A field of unknown size is removed with the space after it:
    "Reads the {steps} steps" becomes "Reads the steps".
    """
    values = fields(definition)

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        return "" if value == "" else value + match[2]

    filled = re.sub(r"\{(\w+)\}( ?)", fill, definition.description)
    return _singular(filled.replace("up to 0 to ", "up to "))


COUNTED = (
    "outputs|inputs|steps|channels|heads|groups|filters|rows|columns|numbers|positions|windows|values|pixels|voxels"
)


def _singular(text: str) -> str:
    """Return the sentence with singulars: "each of the 1 outputs" as "the one output", "in 1 heads" as "in 1 head"."""
    text = re.sub(rf"(?i)\b(?:each of|all) (?:the )?1 ({COUNTED})\b", lambda m: f"the one {m[1][:-1]}", text)
    text = re.sub(rf"(?<![\d.,×-])\b1 ({COUNTED})\b", lambda m: f"1 {m[1][:-1]}", text)
    return text[:1].upper() + text[1:]


def fields(definition: Definition) -> dict[str, str]:
    """Return all fields of a definition by name, as text."""
    values: dict[str, str] = {}
    first = definition.params[0] if definition.params else None
    values["last"] = " along the last axis" if first is None or first.ndim != 2 else ""
    if first is not None:
        roles = input_roles(first, definition)
        # Of a sequence of sequences, the outer steps are those that a layer goes through.
        for role, size in zip(reversed(roles), reversed(first.shape), strict=True):
            values[role] = _size(size)
        if first.ndim:
            last = next((i for i, role in enumerate(roles) if role in ("channels", "features")), -1)
            values["features"] = values["channels"] = _size(first.shape[last])
        values["axes"] = str(first.ndim - 1)
        # Wrappers call axis 1 the steps, also for images and volumes.
        values.setdefault("steps", _size(first.shape[1]) if first.ndim > 1 else "")
    values["count"] = str(len(definition.params))
    for param in definition.params:
        values[f"{param.label}_size"] = _size(product(param.shape[1:-1]))
    for weight in definition.weights:
        for packed in weight.attrs["axes"]:
            for name, size in packed:
                values.setdefault(name, _size(size))
                if name in ("inputs", "channels", "filters", "units"):
                    values[name] = _size(size)
    for name, value in definition.arguments.items():
        values[name] = argument_text(name, value, spatial_count(definition))
    if values.get("activation") == "linear":
        values["activation"] = "linear, which returns its input unchanged"
    values["order"] = "from the last to the first" if definition.arguments.get("go_backwards") else "in order"
    values["then"] = values["scaled"] = _then({str(weight.label) for weight in definition.weights})
    values["along"] = _along(
        definition.arguments.get("axis", definition.arguments.get("axes")), 0 if first is None else first.ndim
    )
    share = next((value for one in _SHARES if (value := definition.arguments.get(one))), 0)
    values["equals"] = f" = {1 / (1 - share):.4g}" if isinstance(share, int | float) and 0 < share < 1 else ""
    values["broadcast"] = "; axes of size 1 are broadcast" if len({p.shape for p in definition.params}) > 1 else ""
    values["overlaps"] = _overlaps(definition.arguments) if "kernel_size" in definition.arguments else ""
    return values


_SHARES = ("rate", "p", "drop_path_rate", "drop_prob")
"""The arguments that are the share of values that are dropped."""


def _overlaps(arguments: Mapping[str, Any]) -> str:
    """Return what happens where windows that are spread over the result overlap, "" where none do."""
    given = [arguments.get(name) or 1 for name in ("kernel_size", "strides", "dilation_rate")]
    each = [one if isinstance(one, tuple) else (one,) * 3 for one in given]
    apart = all(size <= stride and gap == 1 for size, stride, gap in zip(*each, strict=False))
    return "" if apart else "; overlaps are summed"


def _then(weights: Collection[str]) -> str:
    """Return what a normalization does after scaling to mean 0 and variance 1, given its weights."""
    said = [words for letter, words in (("γ", "scales by γ"), ("β", "shifts by β")) if letter in weights]
    return f", then {' and '.join(said)}" if said else ""


def _along(axis: Any, ndim: int) -> str:
    """Return the axes along which an operation works on a tensor in words, counted with the batch."""
    if axis is None:
        return "over all axes, the batch included"
    if axis in (-1, (-1,), ndim - 1, (ndim - 1,)):
        return "along the last axis"
    if isinstance(axis, tuple) and len(axis) != 1:
        return f"along axes {in_a_row(axis)}" if axis else "along no axis"
    return f"along axis {axis[0] if isinstance(axis, tuple) else axis}"


def _size(size: Size) -> str:
    return "" if size is None or isinstance(size, Batch) else f"{size:,}"
