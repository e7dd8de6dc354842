"""What an editor shows of the models of a text: what is wrong, each at its place, and hints on layers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from layerexplain import api
from layerexplain.checks.findings import SEVERITIES, Finding
from layerexplain.editor.reading import (
    EditedText,
    Extent,
    LineResult,
    Places,
    Reading,
    ReadModel,
    Settings,
    moved_lines,
)
from layerexplain.errors import ArgumentError, Edit, LayerExplainError, SourceError
from layerexplain.model import Layer, Model
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple, grouped
from layerexplain.render import document as doc
from layerexplain.render.documents.catalogue import layer_type_page
from layerexplain.render.documents.explanation import LAYER, ShownParts, explained
from layerexplain.render.layout import Look
from layerexplain.render.markup import markdown
from layerexplain.render.quantities import count_text, shapes_text
from layerexplain.report.rows import every_row

# Problems -----------------------------------------------------------------------------------------------------------

_MOST_RELATED = 3
_INSIDE = re.compile(r"in ([^:]+):(\d+)(?::(\d+))?: ")
"""How an error begins that stands inside of a layer of the program, and is found where the layer is called."""
_ITEM = re.compile(r"(\s*-\s+)([\w.]+)\s*(?::\s*(.*?))?\s*$")
"""An item of a spec in one line: `  - LSTM: 7`."""

Changes = tuple[tuple[Extent, str], ...]
"""Parts of a text, and what they are replaced with."""


class Problem(NamedTuple):
    """What is wrong at a place: how severe that is (1 is the worst, 4 a hint), the rule, the sentence, other places
    with what they have to do with it, and what would mend it: changes of the text by what they do, in words."""

    span: Extent
    severity: int
    code: str
    message: str
    related: tuple[tuple[Extent, str], ...]
    fixes: Mapping[str, Changes]


def problems(reading: Reading) -> list[Problem]:
    """Return what is wrong with a text, the most severe first; nothing for a text without a model."""
    results = [problem for model in reading.models for problem in _of_model(model, reading)]
    # What a program raises that makes no model is not for this program to tell.
    errors = [error for error in reading.errors if reading.text.is_spec or not isinstance(error, SourceError)]
    results += [problem for error in errors for problem in _of_error(error, reading)]
    each = {(problem.span, problem.message): problem for problem in reversed(results)}
    return sorted(each.values(), key=lambda problem: (problem.severity, problem.span))


def _of_model(read: ReadModel, reading: Reading) -> Iterator[Problem]:
    faults = {fault.fact: fault for fault in (*read.model.faults, *read.report.faults)}
    try:
        checked = api.check(read.model, inputs=read.inputs)
    except LayerExplainError:  # no rule says what is at fault
        yield from [problem for fault in faults.values() for problem in _of_error(fault, reading)]
        return
    for finding in checked:
        inside = _INSIDE.match(finding.message)
        at = inside and reading.places.at(inside[1], int(inside[2]), int(inside[3] or 0), innermost=True)
        own = (
            read.span
            if finding.line is None
            else reading.places.at(finding.file, finding.line, finding.column, innermost=True)
        )
        if (span := at or own) is not None:
            words = (
                finding.message if finding.severity == "breaks" else f"{finding.message}. {finding.why} {finding.fix}"
            )
            fixes = _fixes(finding, faults.get(finding.message), read.model, reading.places)
            related = _related(finding, read, span, reading)
            yield Problem(span, 1 + SEVERITIES.index(finding.severity), finding.code, words, related, fixes)


def _of_error(error: LayerExplainError, reading: Reading) -> Iterator[Problem]:
    """Yield an error that is not a finding: of a text that gives no model, or one that the rules do not see."""
    if (span := reading.places.at(error.source, error.line, error.column, innermost=True)) is not None:
        yield Problem(span, 1, "", error.fact, (), {})


def _related(finding: Finding, read: ReadModel, span: Extent, reading: Reading) -> tuple[tuple[Extent, str], ...]:
    """Return the places of the layers that a message names, and of those that give the layer at fault its tensors."""
    names = re.findall(r"'([^']+)'", finding.message)
    names += [ref.layer for call in read.model.calls if call.layer == finding.layer for ref in call.refs]
    at = {result.layer: result for result in reversed(reading.results)}
    others = [at[name] for name in dict.fromkeys(names) if name in at]
    if not names:  # PyTorch stops at the call; the error gives its shapes alone
        others = [result for result in reversed(reading.results) if shapes_text(result.shapes) in finding.message]
    others = list({result.span: result for result in reversed(others) if result.span != span}.values())[::-1]
    return tuple(
        [(result.span, f"'{result.layer}' gives {shapes_text(result.shapes)}") for result in others[:_MOST_RELATED]]
    )


def _fixes(finding: Finding, fault: LayerExplainError | None, model: Model, places: Places) -> dict[str, Changes]:
    """Return what would mend a layer at fault, or a loss that does not fit, as far as it is one change of the text."""
    fixes = [(f"use {finding.loss}", _with_loss(finding.loss, places) if finding.loss else ())]
    make = _in_spec if places.text.is_spec else _in_code
    for edit in fault.edits if fault is not None else ():
        target = model.layers_by_name.get(edit.layer or finding.layer or "")
        # A change in a loop, or in a class that is used twice, would be one of other layers too.
        alike = [layer for layer in model.layers if target and _place(layer) == _place(target)]
        if fault and target and len(alike) == 1 and places.text.cell_of(target.file) is not None:
            fixes.append((edit.words, tuple(make(edit, target, fault, places))))
    return {words[0].upper() + words[1:]: changes for words, changes in fixes if changes}


def _place(layer: Layer) -> tuple[str, int | None, int | None]:
    return layer.file, layer.line, layer.column


def _in_code(edit: Edit, layer: Layer, fault: LayerExplainError, places: Places) -> Iterator[tuple[Extent, str]]:
    maker = places.call_at(layer.file, layer.line, layer.column)
    if maker is None or layer.type == "InputLayer":
        return
    name = ast.unparse(maker.func)
    new = f"{name[: name.rfind('.') + 1]}{edit.value}{'' if '(' in edit.value else '()'}"
    span, whole = places.span(maker), places.at(layer.file, layer.line, layer.column)
    at_fault = places.call_at(fault.source, fault.line, fault.column)
    adds = [call for call in places.calls if maker in call.args and ast.unparse(call.func).endswith(".add")]
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


def _argument(edit: Edit, layer: Layer, maker: ast.Call, places: Places) -> tuple[Extent, str]:
    """Return the change that gives a layer an argument: in its place, by its name, or behind the others."""
    positional: tuple[str, ...] = ()
    with suppress(ArgumentError):
        positional = api.layer_type(layer.type if layer.kind == "layer" else f"torch.nn.{layer.type}").positional
    at = positional.index(edit.argument) if edit.argument in positional else len(maker.args)
    nodes = [keyword.value for keyword in maker.keywords if keyword.arg == edit.argument] or maker.args[at : at + 1]
    if nodes:
        return places.span(nodes[0]), edit.value
    text = f"{edit.argument}={edit.value}"
    if last := [*maker.args, *[keyword.value for keyword in maker.keywords]][-1:]:
        return places.span(last[0]).end, f", {text}"
    bracket = places.span(maker).end
    return bracket._replace(column=bracket.column - 1, end_column=bracket.column - 1), text


def _with_loss(loss: str, places: Places) -> Changes:
    """Return the change of the loss that the only model of a text is compiled with."""
    if places.text.is_spec:
        lines = [i for i, line in enumerate(places.text.cells[""].lines) if re.match(r"loss:\s*\w+\s*$", line)]
        spans, new = [places.text.whole_line("", i) for i in lines], f"loss: {loss}"
    else:
        compiled = [
            call for call in places.calls if isinstance(call.func, ast.Attribute) and call.func.attr == "compile"
        ]
        spans = [places.span(key.value) for call in compiled for key in call.keywords if key.arg == "loss"]
        new = f'"{loss}"'
    return ((spans[0], new),) if len(spans) == 1 else ()


def _in_spec(edit: Edit, layer: Layer, fault: LayerExplainError, places: Places) -> Iterator[tuple[Extent, str]]:
    """Yield the changes of an item that stands in one line, or the item that is put behind it."""
    text, line = places.text, (layer.line or 1) - 1
    if (item := _ITEM.match(text.line("", line))) is None:
        return
    if not edit.argument:
        name, _, sizes = edit.value.removesuffix(")").replace(")", "]").partition("(")
        yield text.whole_line("", line).end, f"\n{item[1]}{name}{': ' if sizes else ''}{sizes.replace('(', '[')}"
        return
    value = {"True": "true", "False": "false"}.get(edit.value, edit.value.strip("'"))
    if not (given := item[3] or "").startswith("{"):
        first = api.layer_type(item[2]).positional[:1] if given else ()
        given = f"{{{', '.join([f'{name}: {given}' for name in first])}}}"
    inside = re.sub(rf"(^|,)\s*{edit.argument}:\s*[^,]*", "", given.strip("{}")).strip(" ,")
    pairs = ", ".join(filter(None, [inside, f"{edit.argument}: {value}"]))
    yield text.whole_line("", line), f"{item[1].lstrip()}{item[2]}: {{{pairs}}}"


# Hints --------------------------------------------------------------------------------------------------------------
# What is shown of layers: at the end of a line `→ (None, 26, 26, 32) · 320`; under the mouse the sentence, the
# shape, the parameters and the formula of a layer, or what a layer type takes.

_MOST_SHOWN = 12
"""Results of one line that its tooltip lists."""
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_OPTION = re.compile(
    r"give (?:for example )?(?:--set (?:'(?P<expression>[^']+)'|(?P<name>\w[^\s=]*))=|--input )(?P<value>[^\s;]+)"
)
"""How a note names an option of the command line, in place of which a comment stands here."""


class Hint(NamedTuple):
    """Words at the end of a line (from 0) of a cell, and what is shown when they are pointed at."""

    cell: str
    line: int
    label: str
    tooltip: str


def hints(reading: Reading, settings: Settings) -> list[Hint]:
    """Return the hints of a text, a line each."""
    lines = grouped(((result.span.cell, result.span.end_line), result) for result in reading.results)
    results = [Hint(*at, _label(each, reading.places, settings), _tooltip(each)) for at, each in lines.items()]
    return sorted([hint for hint in results if hint.label])


def _label(results: Sequence[LineResult], places: Places, settings: Settings) -> str:
    """Return the hint of a line: what its last call gives, in a loop in the first and the last pass."""
    of_expressions = grouped((result.span, result) for result in results)
    last = max(of_expressions, key=lambda span: results.index(of_expressions[span][0]))
    passes, stages = of_expressions[last], places.stages(last)
    shown = passes[stages - 1 :: stages] if len(passes) % stages == 0 else passes[-1:]
    shapes = " … ".join(dict.fromkeys([shapes_text(shown[0].shapes), shapes_text(shown[-1].shapes)]))
    layers = {result.layer: result for result in results}.values()
    params, macs = total([layer.params for layer in layers]), total([layer.macs for layer in layers])
    parts = [f"→ {shapes}"] if settings.shapes else []
    if settings.parameters and params != 0 and (parts, params) != (["→ ?"], None):
        parts.append(count_text(params))
    if settings.macs and macs != 0:
        parts.append(f"{count_text(macs)} MACs")
    return " · ".join(parts)


def _tooltip(results: Sequence[LineResult]) -> str:
    """Return a line for each layer, and why something is not known."""
    lines = [
        f"{result.layer or 'this statement'}: {shapes_text(result.shapes)}"
        + (f", {count_text(result.params)} parameters" if result.params else "")
        + (f", {count_text(result.macs)} MACs" if result.macs else "")
        for result in results
    ]
    lines[_MOST_SHOWN:] = [f"and {len(lines) - _MOST_SHOWN} more"] * (len(lines) > _MOST_SHOWN)
    lines += dict.fromkeys([f"?: {result.reason}" for result in results if result.reason])
    text = "\n".join(lines).replace("give it with --input", "write `# layerexplain: input=SHAPE`")
    return _OPTION.sub(_comment, text)


def _comment(option: re.Match[str]) -> str:
    name = option["expression"] or option["name"]
    return f"write `# layerexplain: {name + '=' if name else ''}{option['value']}`"


def kept_hints(hints: Sequence[Hint], before: EditedText, reading: Reading) -> list[Hint]:
    """Return the hints that stay: of cells that do not parse any more where their lines are now; of a file that gives
    nothing now, as while a name is half typed, those before all that was changed."""
    if "" in before.cells and not (reading.gaps or reading.results):
        old, new = before.cells[""].lines, reading.text.cells[""].lines
        return [hint for hint in hints if old[: hint.line + 1] == new[: hint.line + 1]]
    by_uri = {reading.text.cells[name].uri: name for name in reading.gaps}
    cells = {name: by_uri[cell.uri] for name, cell in before.cells.items() if cell.uri in by_uri}
    moved = {old: moved_lines(before.cells[old].lines, reading.text.cells[new].lines) for old, new in cells.items()}
    here = [hint for hint in hints if hint.line in moved.get(hint.cell, ())]
    return [hint._replace(cell=cells[hint.cell], line=moved[hint.cell][hint.line]) for hint in here]


def hover(reading: Reading, cell: str, line: int, column: int) -> tuple[Extent, str] | None:
    """Return what is shown at a place: of the layer that is called there, else of the type whose name stands there."""
    words = [match for match in _NAME.finditer(reading.text.line(cell, line)) if match.start() <= column <= match.end()]
    if not words:
        return None
    span = Extent(cell, line, words[0].start(), line, words[0].end())
    # A layer is called in the first line of its expression, or in a spec in its item.
    called = [
        result
        for result in reading.results
        if result.layer and result.span[:2] == span[:2] and result.span[:3] <= span[:3]
    ]
    inner = min(
        [result for result in called if span[1:3] < result.span[3:]], key=lambda result: result.span[3:], default=None
    )
    shown = (_of_layer(reading, inner.layer) if inner else None) or _of_type(words[0][0])
    return (span, shown) if shown else None


def _of_layer(reading: Reading, path: str) -> str | None:
    for read in reading.models:
        if path in [row.path for row in every_row(read.report.layers)]:
            report = api.explain(read.model, layers=partial(str.__eq__, path), inputs=read.inputs, partial=True)
            rows = [row for row in every_row(report.layers) if row.path == path]
            return markdown(doc.Document(tuple(explained(report, rows, False, ShownParts(LAYER)))), Look())
    return None


def _of_type(name: str) -> str | None:
    """Return what is shown over the name of a type: of Keras, or of PyTorch where it is one of `nn` or no other's."""
    last = name.rpartition(".")[2]
    types = [f"torch.nn.{last}"] if name.endswith(f"nn.{last}") else [last, f"torch.nn.{last}"]
    for type_ in types if last[:1].isupper() else ():
        with suppress(LayerExplainError):
            entry = api.layer_type(type_)
            words = ["layerexplain", "layer", type_, *entry.example]
            return markdown(doc.Document(layer_type_page(entry, words, head=True)), Look())
    return None
