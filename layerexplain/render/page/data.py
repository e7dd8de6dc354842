"""What a page shows, as one structure that JSON can hold. Texts are clean: no control or invisible character is in one.

- `model`: `name`, `type`, `source`, `format`, `keras` (its version), `title`, `totals` (as in the report), `inputs` and
  `outputs` as texts, `facts` on a language model: `[title, [[label, value, words], …]]`, `notes` on the whole model,
  `faults`: of each its line and the path of its layer, or null.
- `layers`: an entry for each layer, those inside of others behind them; numbers of layers count in this list. `name`,
  `path`, `type`, `parent` (the layer around it, or -1), `operation`, `shape` ("(None, 4) → (None, 3)"), `calls`: for
  each call `{from: [[layer or null, text]], to: text, mask: layer or null}`; `params`, `trainable`, `macs`, `flops`,
  `values` (what it gives, per example), `activations` (the bytes of that, of views none), `bytes` (of its weights),
  each null where it is not known; and where there is something to tell, `faults`, `hints`, `notes`, `weights_note`,
  `cost`, `mask`, `field` (what one element sees of the model's input), `keras` (how its weights are reached in Python),
  `place` (its line in the source), `definition`: a number in `definitions`, `configuration`: one in `configurations`.
- `configurations`: `[details, [[name, value, whether it is not the default], …]]`; the details, `3×3, /2, 64, relu`,
  tell layers of a type apart.
- `definitions`: what layers that compute the same have in common. `sentence`, `dtype`; `formula`: statements as
  `[text, indent, shape, note]`, `where`: the functions in it; `tex` and `math`: the formula in LaTeX, and as trees that
  js/math.js typesets (lang/latex.py says which); `element`, `element_math`, `element_notes`; `inputs`: what it calls
  each input, of several; `axes`: `[role, before,
  after, why]`, `shape_notes`; `weights`: `[symbol, name, shape, factors, params, trainable, reach]`, where `reach`
  stands behind the layer's `keras`; `training`: lines; `gradient`: `{formula, math, tex, kept, element, element_notes,
  facts, unreached, cost, unknown}`.
  With an overlay the model has `overlay`: `[title, how numbers are combined]`, and each layer its number or null.
- `calls`: the nodes of graphs, each `[layer, number of the call]`.
- `program`: what runs the model in the page (program_data.py says what is in it); `model.still`: why there is none.
- `forms`: element forms (derive/element/data.py says what is in one); a layer's `forms` are the numbers of those of its
  calls. With the values of a run there are more keys; page_values.py says which.
- `open`: sliders for named sizes, and what they change (size_data.py says what is in it).
- `letters`: a text and its width, to compare fonts by (graph_data.py).
- `graph`: graph_data.py says what is in it; `whole` the same with layers that lead to no output, where there are some:
  operations that compute masks; `every` the same with each copy of what repeats, where it is not too large.

A key whose value would be empty is left out of `layers` and `definitions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import gcd, prod
from operator import attrgetter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from layerexplain.lang.open_sizes import MARKS, Condition, Node, marked
from layerexplain.render.documents.language_model import language_facts
from layerexplain.render.escape import clean
from layerexplain.render.page.graph_data import CallNumbers, graph_data, letters
from layerexplain.render.page.shell import Page, shell
from layerexplain.render.page.values import all_values, form_numbers, overlay_of, program_data, value_parts
from layerexplain.render.quantities import count_text, results_text, shape_text, shapes_text
from layerexplain.report.data import NO_MASK, SAME_IN_TRAINING, LayerReport
from layerexplain.report.element_forms import FormTable
from layerexplain.report.explanation_data import BackwardReport, Explanation, Statement, WeightReason
from layerexplain.report.report import Report
from layerexplain.report.rows import every_row, to_jsonable
from layerexplain.report.totals import weight_bytes

if TYPE_CHECKING:
    from layerexplain.lang.latex import TypesetLine
    from layerexplain.run.page_program import PageProgram
    from layerexplain.run.page_values import PageValues


# Data ---------------------------------------------------------------------------------------------------------------


def page_of(
    report: Report,
    fold: bool,
    values: PageValues | None = None,
    program: PageProgram | None = None,
    why: str = "",
    overlay: Any = None,
) -> Page:
    """Return the page of a report, with the values of a run if there are any, or with what runs its model; `why` says
    why the page does not run it, `overlay` are numbers of one's own (overlay.py says in which form)."""
    data = page_data(report, fold, values, program)
    if overlay is not None:
        numbers = overlay_of(overlay, [layer.path for layer in every_row(report.layers)])
        data["model"]["overlay"] = [numbers.title, numbers.combine]
        for entry in data["layers"]:
            entry["overlay"] = numbers.values.get(entry["path"])
    if why:
        data["model"]["still"] = clean(why)
    if program is None:
        if values is None and (opened := open_data(report, lambda item: page_data(item, fold))) is not None:
            data["open"] = opened
        return shell(data, data["model"]["title"])
    return shell(data, data["model"]["title"], "running", ("play",), program.weights)


def page_data(
    report: Report,
    fold: bool = True,
    values: PageValues | None = None,
    program: PageProgram | None = None,
    large: bool = False,
) -> dict[str, Any]:
    """Return the structure of the page of a model whose layers are explained; `fold` draws once what repeats, `values`
    are those of a run, and `program` is what runs the model in the page; `large` folds as a large model is.

    >>> from layerexplain import explain
    >>> data = page_data(explain(b"input: [4]\\nlayers:\\n  - Dense: 3\\n  - Dense: 3\\n"))
    >>> data["layers"][1]["name"], data["layers"][1]["params"], data["calls"]
    ('dense', 15, [[0, 0], [1, 0], [2, 0]])
    """
    calls = CallNumbers(report.layers)
    numbers = {layer.path: number for number, layer in enumerate(calls.layers)}
    return {
        "model": _cleaned(_model(report)),
        **layer_data(calls.layers, calls.parents, values, program),
        **({} if program is None else {"program": program_data(program, numbers, report.totals.macs)}),
        "calls": calls.calls,
        **graph_data(calls, report.layers, fold, {output.layer for output in report.outputs}, large),
        "letters": letters(),
    }


def layer_data(
    layers: Sequence[LayerReport],
    parents: Sequence[int] = (),
    values: PageValues | None = None,
    program: PageProgram | None = None,
) -> dict[str, Any]:
    """Return `layers`, `definitions` and `forms` of a page. Without `parents`, the layers around each, they are of no
    model: independent ones, of which several may have the same name."""
    numbers = {layer.path: number for number, layer in enumerate(layers)} if parents else {}
    alike: dict[Any, dict[str, Any]] = {}
    definitions: dict[Any, int] = {}
    parts_of_definitions: list[dict[str, Any]] = []
    forms = FormTable()
    run_forms = {} if program is None else program.program.shown_forms()
    entries = []
    configurations: dict[Any, int] = {}
    for at, layer in enumerate(layers):
        explained = layer.explanation
        keras, reaches = ("", ()) if explained is None else _reach(layer, explained)
        weights = () if explained is None else tuple([_but_for_reach(weight) for weight in explained.weights])
        common, own = ((), ()) if explained is None else (_common(explained), _own(explained))
        key = (_row(layer), tuple([_shapes(call) for call in layer.calls]), weights, reaches, common, own)
        shared = alike.get(key)
        if shared is None:
            shared = alike[key] = _cleaned(_filled(_shared(layer)))
            if explained is not None:
                number = definitions.setdefault((common, weights, reaches, layer.gradient), len(definitions))
                if number == len(parts_of_definitions):
                    parts_of_definitions.append(_cleaned(_filled(definition_parts(layer, explained, reaches))))
                shared["definition"] = number
        entry = _entry(layer, parents[at] if parents else -1, numbers)
        entry.update(shared)
        if layer.arguments is not None and layer.arguments.values:
            entry["configuration"] = configurations.setdefault(layer.arguments, len(configurations))
        if keras:
            entry["keras"] = clean(keras)
        if values is not None:
            entry.update(_cleaned(_filled(value_parts(values, layer.path))))
        elif program is not None:
            entry.update(_filled({"forms": run_forms.get(layer.path, [])}))
        elif numbers_of_forms := form_numbers(forms, layer, not parents):
            entry["forms"] = numbers_of_forms
        entries.append(entry)
    data = forms.data if program is None else program.program.forms.data
    return {
        "layers": entries,
        "definitions": parts_of_definitions,
        "configurations": _cleaned([[details, [list(item) for item in listed]] for listed, details in configurations]),
        **_filled({"forms": _cleaned(data)} if values is None else all_values(values)),
    }


def layer_parts(layer: LayerReport) -> dict[str, Any]:
    """Return what differs from layer to layer, except what names the layer itself, by key, without empty values."""
    explained = layer.explanation
    notes = [note for note in layer.notes if not note.startswith(layer.faults)] if layer.faults else layer.notes
    parts: dict[str, Any] = {"faults": layer.faults, "notes": [sentence(note) for note in notes]}
    if explained is None:
        return parts
    return {
        **parts,
        "hints": explained.hints,
        "weights_note": explained.weights_note,
        "cost": explained.cost,
        "mask": "" if explained.mask == NO_MASK else explained.mask,
        "field": explained.receptive_field,
    }


_ENGLISH = frozenset(
    {"a", "an", "at", "each", "for", "if", "in", "it", "its", "line", "no", "not", "of", "on", "only", "parameters"}
    | {"that", "the", "this", "weights", "what", "with"}
)
"""Words that messages begin with and that are not names: only these get a capital letter."""


def sentence(message: str) -> str:
    """Return a message, which the commands print behind a colon, as a sentence: a page prints it by itself.

    >>> sentence("the file has no shape"), sentence("x is not defined"), sentence("name one: net.py:b")
    ('The file has no shape.', 'x is not defined.', 'name one: net.py:b')
    """
    first, last = message.partition(" ")[0], message.rpartition(" ")[2]
    begun = f"{message[:1].upper()}{message[1:]}" if first.rstrip(",") in _ENGLISH else message
    # What can be pasted stays as it is.
    is_command = not last.endswith(")") and any(sign in last for sign in ":/=")
    return begun if is_command or begun.endswith((".", "!", "?", "…")) else f"{begun}."


def definition_parts(layer: LayerReport, explained: Explanation, reaches: Sequence[str]) -> dict[str, Any]:
    """Return what layers that compute the same have in common, by key, without empty values."""
    return {
        "sentence": explained.sentence,
        "dtype": explained.dtype,
        "formula": _statements(explained.statements),
        "where": explained.where,
        "tex": [line.latex for line in explained.latex],
        "math": _typeset(explained.latex),
        "element": explained.element,
        "element_math": _typeset(explained.element_latex),
        "element_same": _bare(explained.latex) == _bare(explained.element_latex) or None,
        "element_notes": explained.element_notes,
        "inputs": explained.inputs,
        "axes": [list(axis) for axis in explained.axes],
        "shape_notes": explained.shape_notes,
        "weights": [
            [w.symbol, w.name, shape_text(w.shape), w.factors, w.params, w.trainable, reach]
            for w, reach in zip(explained.weights, reaches, strict=True)
        ],
        "training": () if explained.training == (SAME_IN_TRAINING,) else explained.training,
        "gradient": None if layer.gradient is None else _gradient(layer.gradient),
    }


def _model(report: Report) -> dict[str, Any]:
    return {
        "type": report.model_type,
        "source": _file_name(report.source),
        "keras": report.keras_version,
        "title": report.model_name or _file_name(report.source) or report.model_type,
        "totals": report.totals._asdict(),
        "inputs": [
            f"{model_input.name} {shape_text(model_input.shape)} {model_input.dtype}" for model_input in report.inputs
        ],
        "outputs": [
            f"{output.layer} {shape_text(output.shape)} {output.dtype or ''}".rstrip() for output in report.outputs
        ],
        "facts": [
            [block.title, [[fact.label, fact.value, "; ".join(fact.words or ())] for fact in block.facts]]
            for block in language_facts(report)
        ],
        "notes": [sentence(note.message) for note in report.notes if note.layer is None],
        "faults": [
            [str(fault).replace(report.source, _file_name(report.source)), fault.layer] for fault in report.faults
        ],
    }


def _file_name(source: str) -> str:
    """Return the name of a file: a page does not show where it lies on somebody's disk; it does show a URL."""
    return source if "://" in source else PurePath(source).name


def _entry(layer: LayerReport, parent: int, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return what a layer has in common with no other."""
    front = layer.path[: len(layer.path) - len(layer.layer)]
    entry: dict[str, Any] = {
        "name": clean(layer.layer),
        "path": clean(layer.path),
        "parent": parent,
        "calls": [
            {
                "from": [
                    [numbers.get(front + source), clean(f"{name}{mark} {shape_text(shape)}")]
                    for source, name, mark, shape in zip(
                        call.sources, call.source_names, call.call_marks, call.input_shapes, strict=False
                    )
                ],
                "to": shapes_text(call.output_shapes),
                "mask": numbers.get(front + call.mask) if call.mask is not None else None,
            }
            for call in layer.calls
        ],
    }
    if layer.place:
        entry["place"] = clean(layer.place)
    return entry


def _shared(layer: LayerReport) -> dict[str, Any]:
    """Return what layers have in common that differ only in their names, their sources and their places."""
    inputs, outputs = shapes_text(layer.input_shapes), results_text(layer.results, layer.output_shapes)
    return {
        "type": layer.type,
        "operation": layer.operation,
        "shape": f"{inputs} → {outputs}" if inputs else outputs,
        "params": layer.params,
        "trainable": layer.trainable,
        "macs": layer.macs,
        "flops": layer.flops,
        "values": _values(layer),
        "activations": None if layer.memory is None else layer.memory.activations,
        "bytes": weight_bytes((layer,)),
        **layer_parts(layer),
    }


def _values(layer: LayerReport) -> int | None:
    """Return how many numbers a layer gives per example, in all calls; None where a size is not known."""
    shapes = [shape for call in layer.calls for shape in call.output_shapes]
    if any(shape is None or None in shape[1:] for shape in shapes):
        return None
    return sum([prod([size or 1 for size in (shape or ())[1:]]) for shape in shapes])


def _reach(layer: LayerReport, explained: Explanation) -> tuple[str, tuple[str, ...]]:
    """Return how the layer is reached in Python, and what stands behind that for each of its weights."""
    reaches = tuple([weight.reach for weight in explained.weights])
    name = f'"{layer.layer}")'
    end = reaches[0].rfind(name) + len(name) if reaches else 0
    front = reaches[0][:end] if end >= len(name) else ""
    if front and all([reach.startswith(front) and name not in reach[end:] for reach in reaches]):
        return front, tuple([reach[end:] for reach in reaches])
    return "", reaches


_OF_A_LAYER = ("hints", "weights_note", "cost", "mask", "receptive_field")
"""Of an explanation, what differs between layers that compute the same, beside their weights."""

_common = attrgetter(*[name for name in Explanation._fields if name not in (*_OF_A_LAYER, "weights")])
"""What layers that compute the same have in common, but for their weights."""
_own = attrgetter(*_OF_A_LAYER)
_but_for_reach = attrgetter(*[name for name in WeightReason._fields if name != "reach"])
_shapes = attrgetter("input_shapes", "output_shapes")

_ITS_OWN = ("layer", "path", "depth", "calls", "layers", "explanation", "place", "elements", "arguments")
"""Of a row, what names the layer and what stands around it and in it, and what is looked at one by one."""

_row = attrgetter(*[name for name in LayerReport._fields if name not in _ITS_OWN])


def _statements(statements: Sequence[Statement]) -> list[list[Any]]:
    return [list(line) for line in statements]


def _typeset(lines: Sequence[TypesetLine]) -> list[Any]:
    """Return the trees of formulas; none where they are too long to be read."""
    return [line.tree for line in lines] if sum([len(line.latex) for line in lines]) <= _LONGEST else []


def _gradient(gradient: BackwardReport) -> dict[str, Any]:
    cost = [f"{count_text(n)} {what}" for n, what in ((gradient.macs, "MACs"), (gradient.flops, "FLOPs")) if n]
    return _filled({
        "unknown": gradient.unknown,
        "formula": _statements(gradient.statements),
        "tex": [line.latex for line in gradient.latex],
        "math": _typeset(gradient.latex),
        "kept": _statements(gradient.kept),
        "element": gradient.element,
        "element_notes": gradient.element_notes,
        "facts": gradient.facts,
        "unreached": gradient.unreached,
        "cost": " and ".join(cost),
    })  # fmt: skip


_LONGEST = 20_000
"""Of longer formulas the text alone is shown."""

_NOTATION = re.compile(r"(?<!\A)\\quad.*|\\left|\\right|\\,|[\s_{}\[\]]")
"""In what a formula for tensors and one for an element may differ, and still say the same."""


def _bare(lines: Sequence[TypesetLine]) -> list[str]:
    return [_NOTATION.sub("", line.latex.replace(r"\quad \quad", "")) for line in lines]


_NUMBERS = ("params", "trainable", "macs", "flops", "values", "activations", "bytes", "parent")
"""Of these null says that the number is not known, and none is left out."""


def _filled(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in parts.items()
        if key in _NUMBERS or (value is not None and value not in ((), [], ""))
    }


def _cleaned(value: Any) -> Any:
    """Return a value as JSON has it, with clean texts."""
    kind = type(value)  # a large model has some hundred thousand values: the commonest kinds come first
    if kind is str:
        return clean(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is tuple or kind is list:
        return [_cleaned(item) for item in value]
    if kind is dict or isinstance(value, Mapping):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_cleaned(item) for item in value]
    return clean(value) if isinstance(value, str) else to_jsonable(value)


_AS_THEY_ARE = frozenset({int, bool, type(None)})


# Size data ----------------------------------------------------------------------------------------------------------
# The named sizes of a model in the data of its page: what sliders put into it.

_HIGHEST = 512
_NODE = re.compile(f"(?<=[{MARKS[0]}{MARKS[2]}])[0-9]+")


def open_data(report: Report, data_of: Callable[[Report], dict[str, Any]]) -> dict[str, Any] | None:
    """Return the sizes of a report with names and what the page shows for any numbers in their place; None for a report
    with numbers, or where no size may be another one. `data_of` makes the data of a page."""
    again = report.again
    if again is None:
        return None
    shown = marked(data_of(again.report))
    examples = {size.name: size.example for size in report.sizes}
    sliders: list[tuple[str, int, int, int, int, str]] = []
    for size in report.sizes:
        taken = [
            value
            for value in range(1, _HIGHEST + 1)
            if again.recording.sizes.hold(again.conditions, {**examples, size.name: value}, {})
        ]
        low, high = (taken[0], taken[-1]) if taken else (size.example, size.example)
        step = gcd(*[b - a for a, b in pairwise(taken)]) or 1
        sliders.append((clean(size.name), low, high, step, size.example, clean(size.takes)))
    explained = again.recording.conditions
    nodes = used_nodes(again.recording.sizes.nodes, [*again.conditions, *explained], shown)
    is_moved = any(low < high for _, low, high, *_ in sliders)
    return (
        {"sizes": sliders, "nodes": nodes, "conditions": again.conditions, "explained": explained, "shown": shown}
        if is_moved
        else None
    )


def used_nodes(nodes: Sequence[Node], conditions: Iterable[Condition], shown: Any) -> list[Node]:
    """Return nodes with 0 for those that neither conditions nor marks name, nor what is computed of them."""
    used = {condition[1] for condition in conditions}
    used.update(map(int, _NODE.findall(json.dumps(shown, ensure_ascii=False))))
    # A node is behind those that it is computed of.
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        if at in used and isinstance(node, tuple):
            used.update(node[1:])
    return [node if at in used else 0 for at, node in enumerate(nodes)]
