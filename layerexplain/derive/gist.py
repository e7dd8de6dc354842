"""What a layer computes, in one line: the statement of its formula that gives the result, or the gist that its
declaration states, with the numbers that tell it apart from others of its type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

from layerexplain.lang.definition import Definition, Gist
from layerexplain.lang.expr import CALL, Expr
from layerexplain.lang.notation import value_text
from layerexplain.lang.text import statements
from layerexplain.lang.visit import nodes

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
    for found in reversed(list(re.finditer(r"(?:(?<![\w(])|(?<=\w\())\(\(+(-?[\d.e+-]+),", text))):
        end, open_ = found.start() + 1, 1
        while open_ and end < len(text):
            open_ += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = f"{text[: found.start()]}(({found[1]}, …), …){text[end:]}"
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
            if masked and any(masked[1] == one for one, _, _ in assigned):
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
    found: list[_Part] = []
    for before, *pieces in [part.split("{") for part in parts]:
        fields = [piece.partition("}") for piece in pieces]
        found.append((before, tuple([(field, behind) for field, _, behind in fields])))
    return tuple(found)


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
            return ", then ".join([one.name for one in inner])
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
    if all(isinstance(one, int) for one in amounts) and len(amounts) == 2:
        return f"zeros, {amounts[0]} before and {amounts[1]} after"
    return "zeros, " + " × ".join([str(one) for one in amounts])


def spatial_count(definition: Definition) -> int:
    """Return how many spatial axes the first tensor of a layer has; of a ConvLSTM, each step."""
    lead = 3 if definition.name.startswith("conv_lstm") else 2
    return definition.params[0].ndim - lead if definition.params else 1


def _inside(definition: Definition) -> list[Definition]:
    """Return the layers that a wrapper calls, in the order of their calls."""
    called = [node.attrs["definition"] for node in nodes(definition) if node.op is CALL]
    return [one for one in dict.fromkeys(called) if one.kind != "composite"]


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
    if isinstance(value, tuple) and value and all(hasattr(one, "type") for one in value):
        return " and ".join(str(one.type) for one in value)
    inner = getattr(value, "type", None) or getattr(value, "name", None)
    return str(inner) if inner is not None else str(value)
