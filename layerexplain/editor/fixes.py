"""The changes of a text that would mend what is wrong, from the edits that errors propose."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress

from layerexplain import api
from layerexplain.editor.reading import Places
from layerexplain.editor.texts import Extent
from layerexplain.errors import ArgumentError, Edit, LayerExplainError
from layerexplain.model import Layer, Model
from layerexplain.records import NamedTuple

_ITEM = re.compile(r"(\s*-\s+)([\w.]+)\s*(?::\s*(.*?))?\s*$")
"""An item of a spec in one line: `  - LSTM: 7`."""

TextChange = tuple[Extent, str]
"""A part of a text and what it is replaced with."""


class Fix(NamedTuple):
    """What mends something, in words, and the changes that do it."""

    title: str
    changes: tuple[TextChange, ...]


def fixes_of(
    model: Model, layer: str | None, fault: LayerExplainError | None, loss: str, places: Places
) -> tuple[Fix, ...]:
    """Return what would mend a layer at fault, or a loss that does not fit, as far as it is one change of the text."""
    found = [(f"use {loss}", tuple(_with_loss(loss, places) if loss else ()))]
    make = _in_spec if places.text.is_spec else _in_code
    for edit in fault.edits if fault is not None else ():
        target = model.layers_by_name.get(edit.layer or layer or "")
        # A change in a loop, or in a class that is used twice, would be one of other layers too.
        alike = [one for one in model.layers if target and one[-2:] == target[-2:] and one.line == target.line]
        if fault and target and len(alike) == 1 and places.text.cell_of(target.file) is not None:
            found.append((edit.words, tuple(make(edit, target, fault, places))))
    return tuple([Fix(words[0].upper() + words[1:], changes) for words, changes in found if changes])


def _in_code(edit: Edit, layer: Layer, fault: LayerExplainError, places: Places) -> Iterator[TextChange]:
    maker = places.call_at(layer.file, layer.line, layer.column)
    if maker is None or layer.type == "InputLayer":
        return
    name = ast.unparse(maker.func)
    new = f"{name[: name.rfind('.') + 1]}{edit.value}{'' if '(' in edit.value else '()'}"
    span, whole = places.span(maker), places.at(layer.file, layer.line, layer.column)
    at_fault = places.call_at(fault.source, fault.line, fault.column)
    adds = [one for one in places.calls if maker in one.args and ast.unparse(one.func).endswith(".add")]
    if edit.argument:
        yield _argument(edit, layer, maker, places)
    elif not edit.layer and (at_fault is None or at_fault is maker or not at_fault.args):  # in nn.Sequential(…)
        yield span.start, f"{new}, "
    elif not edit.layer and at_fault is not None:
        yield places.span(at_fault.args[0]).end, ".flatten(1)"
    elif whole is not None and whole != span:  # layers.Dense(5)(x)
        yield whole.start, f"{new}("
        yield whole.end, ")"
    elif adds:
        end = places.span(adds[0]).end
        line = places.text.line(span.cell, end.line)
        between = "; " if line[end.column :].strip() else f"\n{' ' * (len(line) - len(line.lstrip()))}"
        yield end, f"{between}{ast.unparse(adds[0].func)}({new})"
    else:
        yield span.end, f", {new}"


def _argument(edit: Edit, layer: Layer, maker: ast.Call, places: Places) -> TextChange:
    """Return the change that gives a layer an argument: in its place, by its name, or behind the others."""
    positional: tuple[str, ...] = ()
    with suppress(ArgumentError):
        positional = api.layer_type(layer.type if layer.kind == "layer" else f"torch.nn.{layer.type}").positional
    at = positional.index(edit.argument) if edit.argument in positional else len(maker.args)
    given = [one.value for one in maker.keywords if one.arg == edit.argument] or maker.args[at : at + 1]
    if given:
        return places.span(given[0]), edit.value
    text = f"{edit.argument}={edit.value}"
    if last := [*maker.args, *[one.value for one in maker.keywords]][-1:]:
        return places.span(last[0]).end, f", {text}"
    bracket = places.span(maker).end
    return bracket._replace(column=bracket.column - 1, end_column=bracket.column - 1), text


def _with_loss(loss: str, places: Places) -> Iterator[TextChange]:
    """Yield the change of the loss that the only model of a text is compiled with."""
    text = places.text
    if text.is_spec:
        lines = [i for i, line in enumerate(text.cells[""].lines) if re.match(r"loss:\s*\w+\s*$", line)]
        spans = [text.whole_line("", i) for i in lines]
        new = f"loss: {loss}"
    else:
        compiled = [one for one in places.calls if isinstance(one.func, ast.Attribute) and one.func.attr == "compile"]
        spans = [places.span(key.value) for one in compiled for key in one.keywords if key.arg == "loss"]
        new = f'"{loss}"'
    if len(spans) == 1:
        yield spans[0], new


def _in_spec(edit: Edit, layer: Layer, fault: LayerExplainError, places: Places) -> Iterator[TextChange]:
    """Yield the changes of an item that stands in one line, or the item that is put behind it."""
    text, line = places.text, (layer.line or 1) - 1
    item = _ITEM.match(text.line("", line))
    if item is None:
        return
    if not edit.argument:
        call = re.fullmatch(r"(\w+)\((.*)\)", edit.value)
        given = "" if call is None else f": {call[2].replace('(', '[').replace(')', ']')}"
        new = f"{item[1]}{edit.value if call is None else call[1]}{given}"
        yield text.whole_line("", line).end, f"\n{new}"
        return
    value = {"True": "true", "False": "false"}.get(edit.value, edit.value.strip("'"))
    given = item[3] or ""
    if not given.startswith("{"):
        first = api.layer_type(item[2]).positional[:1] if given else ()
        given = f"{{{', '.join([f'{name}: {given}' for name in first])}}}"
    inside = re.sub(rf"(^|,)\s*{edit.argument}:\s*[^,]*", "", given.strip("{}")).strip(" ,")
    pairs = ", ".join(filter(None, [inside, f"{edit.argument}: {value}"]))
    yield text.whole_line("", line), f"{item[1].lstrip()}{item[2]}: {{{pairs}}}"
