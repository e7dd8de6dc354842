"""What a layer computes, in one line and in one sentence, with its numbers filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeAlias

from layerexplain.derive.roles import input_roles
from layerexplain.errors import in_a_row
from layerexplain.lang.axes import Batch, Size
from layerexplain.lang.definition import Definition, Gist
from layerexplain.lang.expr import CALL, Expr
from layerexplain.lang.notation import value_text
from layerexplain.lang.text import statements
from layerexplain.lang.visit import nodes
from layerexplain.ops.sizes import product

# Sentence -----------------------------------------------------------------------------------------------------------


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
    share = next((value for item in _SHARES if (value := definition.arguments.get(item))), 0)
    values["equals"] = f" = {1 / (1 - share):.4g}" if isinstance(share, int | float) and 0 < share < 1 else ""
    values["broadcast"] = "; axes of size 1 are broadcast" if len({p.shape for p in definition.params}) > 1 else ""
    values["overlaps"] = _overlaps(definition.arguments) if "kernel_size" in definition.arguments else ""
    return values


_SHARES = ("rate", "p", "drop_path_rate", "drop_prob")
"""The arguments that are the share of values that are dropped."""


def _overlaps(arguments: Mapping[str, Any]) -> str:
    """Return what happens where windows that are spread over the result overlap, "" where none do."""
    given = [arguments.get(name) or 1 for name in ("kernel_size", "strides", "dilation_rate")]
    each = [item if isinstance(item, tuple) else (item,) * 3 for item in given]
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


# Gist ---------------------------------------------------------------------------------------------------------------
# What a layer computes, in one line: the statement of its formula that gives the result, or the gist that its
# declaration states, with the numbers that tell it apart from others of its type.

_SHAPED = ("kernel_size", "size")
"""Arguments that are printed with a number for each axis, though all are equal: `3×3`."""
# Patterns are compiled where they are first needed: at start-up each would cost half a millisecond.
_CHOICE = r"where\(.*, (\w+), [^,]+\)"
"""What a mask leaves as it is, or as 0."""
_LAID = r"reshape\((\w+|\((?:[^()]|\([^()]*\))*\)), shape=\([\d, ]*\)\)"
"""A vector laid along an axis so that it broadcasts; behind it, a constant of many numbers."""
_Part: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
_LONGEST = 76
"""Characters of a statement that is printed; of a longer one the call is."""

_WINDOWS = ("kernel_size", "pool_size", "strides", "dilation_rate", "size", "output_padding", "output_size")
"""Arguments with one number for each spatial axis; `3` on an image reads "3×3"."""

_LISTS = ("axis", "axes", "perm", "dims", "source", "destination", "shift", "repeats", "multiples")
"""Arguments that list axes or numbers, not sizes: `(2, 1)` reads "2, 1"."""

_INLINED = 1000
"""A text that is longer gets no parts put into it: each may hold the next one twice."""
_DEEPEST = 4
"""Layers inside layers inside layers: what lies deeper is named."""


def gist(definition: Definition, lines: Sequence[str] | None = None, deep: int = 0) -> str:
    """Return what a layer computes, in one line.

    Args:
        definition: The layer.
        lines: The texts of its statements, if the caller has them.
        deep: How many layers it is inside of.
    """
    gist_form = definition.gist
    if definition.kind == "model":
        return f"{definition.name}(x)"
    if gist_form is None:
        return main_statement(definition, lines)
    shown = [
        _part(part, definition, gist_form, lines, deep, always=not i)
        for i, part in enumerate(_parts(gist_form.template))
    ]
    return ", ".join(filter(None, shown))


def main_statement(definition: Definition, lines: Sequence[str] | None = None) -> str:
    """Return the statement that gives the first result: its value, or `h = …` where that is a state of a loop."""
    if lines is None:
        lines = [line.text for line in statements(definition)]
    assigned = [line.strip().partition(" = ") for line in lines]
    text = _main(assigned, next(iter(definition.results)))
    for name, _, value in reversed(assigned):
        # A name that was made up for a part because it is long.
        if name[:1] == "v" and name[1:].isdigit() and name in text and len(text) < _INLINED:
            text = re.sub(rf"\b{name}\b", _bracketed(value).replace("\\", r"\\"), text)
    if "reshape(" in text[1:]:
        text = re.sub(_LAID, r"\1", text)
    if text.count(",") > 2:
        text = _with_few_numbers(text)
    if len(text) > _LONGEST:
        text = _without_tables(text)
    if len(text) <= _LONGEST:
        return text
    tensors = [str(param.label) for param in definition.params]
    masks = ", with masks" if any(name.endswith("mask") for name in tensors) else ""
    return f"{definition.name}({', '.join([name for name in tensors if not name.endswith('mask')])}){masks}"


def _with_few_numbers(text: str) -> str:
    """Return the statement with `(0.485, 0.456, …)` for a list of numbers that is long."""
    for listed in [piece.partition(")")[0] for piece in text.split("(")[1:]]:
        first = listed.find(",", 16) + 1
        if first and len(listed) - first >= 8 and listed.upper() == listed and "=" not in listed[first:]:
            text = text.replace(f"({listed})", f"({listed[:first]} …)")
    return text


def _without_tables(text: str) -> str:
    """Return the statement with `((1.0, …), …)` for each constant of several axes."""
    for match in reversed(list(re.finditer(r"(?:(?<![\w(])|(?<=\w\())\(\(+(-?[\d.e+-]+),", text))):
        end, open_ = match.start() + 1, 1
        while open_ and end < len(text):
            open_ += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = f"{text[: match.start()]}(({match[1]}, …), …){text[end:]}"
    return text


def _bracketed(text: str) -> str:
    """Return a part of a statement, in brackets if it is a sum."""
    outside = re.sub(r"\([^()]*\)", "", re.sub(r"\((?:[^()]|\([^()]*\))*\)", "", text))
    return f"({text})" if re.search(r" [-+<>=!]+ ", outside) else text


def _main(assigned: Sequence[tuple[str, str, str]], result: str) -> str:
    """Return the statement that gives the result; names that only stand for another are passed over."""
    value = result
    for name, _, text in reversed(assigned):
        if value in name.replace("[", ", ").split(", ") and text:
            masked = re.fullmatch(_CHOICE, text) if text.startswith("where(") else None
            if masked and any(masked[1] == item for item, _, _ in assigned):
                text = masked[1]
            if not text.isidentifier():
                return text if name == result else f"{name} = {text}"
            value = text
    return assigned[-1][2] if assigned else value  # a layer may give an input as it is


@cache
def _parts(template: str) -> tuple[_Part, ...]:
    """Return what stands between commas, those in brackets apart: the text before the first field, and each field with
    the text behind it."""
    parts: list[str] = []
    for piece in template.split(", "):
        if parts and parts[-1].count("(") > parts[-1].count(")"):
            parts[-1] += f", {piece}"
        else:
            parts.append(piece)
    results: list[_Part] = []
    for before, *pieces in [part.split("{") for part in parts]:
        fields = [piece.partition("}") for piece in pieces]
        results.append((before, tuple([(field, behind) for field, _, behind in fields])))
    return tuple(results)


def _part(
    part: _Part, definition: Definition, gist_form: Gist, lines: Sequence[str] | None, deep: int, *, always: bool
) -> str:
    """Return a part with its fields filled; "" where it says nothing but defaults."""
    before, fields = part
    if not fields:
        return before.strip()
    arguments, defaults = definition.arguments, gist_form.defaults
    spatial = spatial_count(definition)

    def value_of(name: str) -> Any:
        """Return an argument in the form of its default: one number for `(1, 1)`, and the last axis as -1."""
        value = arguments.get(name)
        if isinstance(value, tuple) and len(set(value)) == 1 and name not in _SHAPED:
            value = value[0]
        return -1 if name == "axis" and definition.params and value == definition.params[0].ndim - 1 else value

    def differs(name: str) -> bool:
        return name not in arguments or value_of(name) not in (None, defaults.get(name))

    def fill(field: str) -> str:
        name, choice, words = field.partition(":")
        if name == "formula":
            return main_statement(definition, lines)
        if name == "call":
            given = {k: v for k, v in arguments.items() if differs(k) and isinstance(v, int | float | str | tuple)}
            texts = [*[str(p.label) for p in definition.params], *[f"{k}={value_text(v)}" for k, v in given.items()]]
            return f"{definition.name}({', '.join(texts)})"
        if name in ("layer", "layers"):
            inner = _inside(definition)
            if name == "layer" and deep < _DEEPEST:
                return gist(inner[0], deep=deep + 1)
            return ", then ".join([item.name for item in inner])
        if words == "zeros":
            return _zeros(arguments[name])
        if choice:
            yes, _, no = words.partition("|")
            holds = arguments.get(name) or any(str(p.label).startswith(name) for p in definition.params)
            return yes if holds else no
        text = argument_text(name, value_of(name), spatial if name in _SHAPED else 1)
        return f"size-{text}" if name == "kernel_size" and "×" not in text else text

    if always or any(":" in field or differs(field) for field, _ in fields):
        return (before + "".join([_counted(fill(field), behind) for field, behind in fields])).strip()
    return ""


def _counted(number: str, words: str) -> str:
    """Return a number with the words behind it.

    >>> _counted("1", " units"), _counted("2", " units"), _counted("1", " a channel")
    ('1 unit', '2 units', '1 a channel')
    """
    return number + (re.sub(r"^( \w+)s\b", r"\1", words) if number == "1" else words)


def _zeros(amounts: Any) -> str:
    """Return how many zeros are put around: `3 zeros on each side`, `0 zeros before and 1 after`."""
    while isinstance(amounts, tuple) and len(set(amounts)) == 1:
        amounts = amounts[0]
    if isinstance(amounts, int):
        return f"{amounts} zero{'s' * (amounts != 1)} on each side"
    if all(isinstance(amount, int) for amount in amounts) and len(amounts) == 2:
        return f"zeros, {amounts[0]} before and {amounts[1]} after"
    return "zeros, " + " × ".join([str(amount) for amount in amounts])


def spatial_count(definition: Definition) -> int:
    """Return how many spatial axes the first tensor of a layer has; of a ConvLSTM, each step."""
    lead = 3 if definition.name.startswith("conv_lstm") else 2
    return definition.params[0].ndim - lead if definition.params else 1


def _inside(definition: Definition) -> list[Definition]:
    """Return the layers that a wrapper calls, in the order of their calls."""
    called = [node.attrs["definition"] for node in nodes(definition) if node.op is CALL]
    return [item for item in dict.fromkeys(called) if item.kind != "composite"]


def argument_text(name: str, value: Any, spatial: int) -> str:
    """Return an argument as words have it: a window on `spatial` axes as `3×3`."""
    if name in _WINDOWS and isinstance(value, int):
        return "×".join([str(value)] * max(spatial, 1))
    if isinstance(value, bool | Expr):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple) and len(value) == 2 and name.endswith("factor"):
        # A range that is as wide both ways is told by its half: rotations by up to 0.2.
        low, high = value
        return f"{high:g}" if low == -high else f"{low:g} to {high:g}"
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return (", " if name in _LISTS else "×").join(map(str, value))
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and value and all(hasattr(item, "type") for item in value):
        return " and ".join(str(item.type) for item in value)
    inner = getattr(value, "type", None) or getattr(value, "name", None)
    return str(inner) if inner is not None else str(value)
