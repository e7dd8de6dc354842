"""What `model.summary()` of Keras prints → a model.

A row states a layer's name, type, output shape and number of parameters. Its arguments are those, nearest to the
defaults, with which its own rule gives that shape and number; where no such arguments exist, the row stands as stated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product, zip_longest
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.pasted import unmarked
from layerexplain.lang.axes import BATCH
from layerexplain.layers.arguments import NOT_SAID, Argument
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, Note, Shape, StoredGroup, StoredVariable, TensorRef
from layerexplain.ops.sizes import product as product_of
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple

_HEADER = re.compile(r"^.*Layer \(type\).*Output Shape.*Param #.*$", re.M)
_TOP = re.compile(r"^[> ]*Model: \"\w+\"\s*\n[> ]*(?:_{9}|┏━)", re.M)
_TITLE = re.compile(r"Model: \"(\w+)\"")
_NAMED = re.compile(r"([\w./…-]+)\s*\((\w+)\)?")
_TOTAL = re.compile(r"^[ >]*Total params: (\d[\d,]{0,18})", re.M)
_ENDS = re.compile(r"^[ >]*Total params|^[└╰]")
_CONNECTION = re.compile(r"(?<![\w\[\]…])([\w./-]+)(?:\[\d*\]?(?:\[\d*)?\]?…?|…)(?=[\s,]|$)")
_PLAIN = re.compile(r"\s*(\S+ ?\(\w+\)?)\s+(\[?\(.*?\)\]?|\?|multiple)\s+([\d,]+)\s*(.*)")
_SMALL = (3, 2, 1, 5, 4, 7, 8, 16, 32, 64)
_LEFT = ("dtype", "data_format", "quantization_config", "return_state", "stateful", "dilation_rate", "groups")
"""Arguments that are taken to have their defaults."""
_IGNORED = ("linear-twice",)
"""Rules about activations, which are not printed."""
_MOST_ROWS = 2_000
_MOST_TRIED = 250
_MOST_TRIED_IN_ALL = 4_000


class _PrintedRow(NamedTuple):
    """A row of the table as it is printed. The shape is None where it is not one of a tensor alone."""

    name: str
    type: str
    shape: Shape | None
    params: int | None
    before: tuple[str, ...]
    line: int


def holds_summary(text: str) -> bool:
    """Return whether a text has the head of such a table, or begins it."""
    return _HEADER.search(text) is not None or _TOP.search(text) is not None


def model_of_summary(text: str) -> Model | None:
    """Return the model of the first table of a text; None where it has no rows."""
    text = "\n".join(unmarked(text.split("\n")))
    header = _HEADER.search(text)
    rows = [] if header is None else _rows(text, header)
    if header is None or not rows:
        return None
    titles = _TITLE.findall(text[: header.start()])
    return _TableReader(rows, titles[-1] if titles else "model", "Connected to" in header[0], text).model()


def _rows(text: str, header: re.Match[str]) -> list[_PrintedRow]:
    first = text.count("\n", 0, header.start())
    lines = text.split("\n")
    titles = ("Layer (type)", "Output Shape", "Param #", "Connected to")
    starts = [at for title in titles if (at := header[0].find(title)) >= 0]
    is_boxed = "┃" in header[0]
    rows: list[_PrintedRow | None] = []
    cells: list[str] = []
    begins = first
    for number, line in enumerate(lines[first + 1 : first + 4 * _MOST_ROWS], first + 2):
        if _ENDS.match(line):
            break
        parts = _cells(line, starts, is_boxed)
        if parts is None:
            continue
        if parts[2].strip() and parts[0].strip():
            rows.append(_row(cells, begins))
            cells, begins = parts, number
        elif cells:
            join = " " if is_boxed else ""
            cells = [(cell + join + more).strip() for cell, more in zip(cells, parts, strict=False)]
    return [row for row in (*rows, _row(cells, begins)) if row is not None]


def _cells(line: str, starts: Sequence[int], is_boxed: bool) -> list[str] | None:
    if is_boxed:
        parts = [one.strip() for one in re.split("[│┃|]", line)[1:-1]]
        return parts if len(parts) == len(starts) else None
    if not line.strip() or not re.search(r"\w", line):
        return None
    parts = [line[at:end].strip() for at, end in zip(starts, [*starts[1:], None], strict=True)]
    is_aligned = all(at == 0 or line[at - 1 : at] in (" ", "") for at in starts[1:])
    if is_aligned and (not parts[2] or re.fullmatch(r"[\d,]+( \(\w+\))?", parts[2])):
        return parts
    match = _PLAIN.match(line)  # the columns are no longer aligned
    return [*match.groups()] if match is not None else None


def _row(cells: Sequence[str], line: int) -> _PrintedRow | None:
    named = _NAMED.match(cells[0]) if cells else None
    if named is None:
        return None
    sizes = re.fullmatch(r"\[?\((None|\d{1,12})?((?:,\s*(?:None|\d{1,12})){0,8}),?\s*\)\]?", cells[1])
    shape = None
    if sizes is not None:
        shape = tuple([None if size == "None" else int(size) for size in re.findall(r"None|\d+", cells[1])])
    is_known = re.fullmatch(r"\d[\d,]{0,18}", cells[2])
    params = int(cells[2].replace(",", "")) if is_known else None
    before = tuple([match[1] for match in _CONNECTION.finditer(cells[3])]) if len(cells) > 3 else ()
    return _PrintedRow(named[1], named[2], shape, params, before, line)


class _TableReader:
    def __init__(self, rows: list[_PrintedRow], title: str, is_connected: bool, text: str) -> None:
        self.rows, self.title, self.is_connected, self.text = rows[:_MOST_ROWS], title, is_connected, text
        self.notes: list[Note] = []
        self.known: dict[Any, dict[str, Any] | None] = {}
        self.left = _MOST_TRIED_IN_ALL

    def model(self) -> Model:
        rows = self.rows
        shapes = {row.name: row.shape for row in rows}
        inputs = [row.name for row in rows if row.type == "InputLayer"]
        recorded = {TensorRef(row.name): (row.shape, "float32") for row in rows if row.shape is not None}
        layers: list[Layer] = []
        calls: list[Call] = []
        used: set[str] = set()
        for at, row in enumerate(rows):
            before = (
                [self._whole_name(name) for name in row.before] if self.is_connected else [rows[at - 1].name] * (at > 0)
            )
            used.update(before)
            given = [shapes.get(one) for one in before]
            layers.append(self._layer(row, given))
            calls.append(Call(row.name, 0, _arguments([TensorRef(one) for one in before]), {}))
        start: tuple[TensorRef, ...] = tuple(map(TensorRef, inputs))
        if not inputs:
            first = self._first_input(rows[0])
            name = "input"
            layers.insert(0, Layer(name, "InputLayer", "layer", {"batch_shape": first, "dtype": "float32"}))
            calls[0] = calls[0]._replace(args=(TensorRef(name),))
            calls.insert(0, Call(name, 0, (), {}))
            layers[1] = self._layer(rows[0], [first])
            start = (TensorRef(name),)
        ends = tuple([TensorRef(row.name) for row in rows if row.name not in used])
        words = (
            "read from a printed summary: it states types, shapes and numbers; arguments are the ones nearest to the "
            "defaults that give these; activations and rates are not in it"
        )
        notes = [Note("assumed", None, words), *self.notes, *self._total()]
        type_ = "Functional" if self.is_connected or inputs else "Sequential"
        return Model(
            self.title, type_, tuple(layers), tuple(calls), start, ends, recorded=recorded, format="code",
            notes=tuple(notes), grade="assumed",
        )  # fmt: skip

    def _whole_name(self, written: str) -> str:
        """Return the layer of a name that may be cut."""
        names = [row.name for row in self.rows]
        if written in names:
            return written
        fitting = [
            name for name in names if name.rstrip("…").startswith(written) or written.startswith(name.rstrip("…"))
        ]
        return fitting[0] if len(fitting) == 1 else written

    def _total(self) -> list[Note]:
        """Return the note on a total that is not the sum of its rows."""
        stated = _TOTAL.search(self.text)
        counts = [row.params for row in self.rows]
        if stated is None or None in counts:
            return []
        total, added = int(stated[1].replace(",", "")), sum(one or 0 for one in counts)
        optimizer = re.search(r"Optimizer params: (\d[\d,]{0,18})", self.text)
        added += int(optimizer[1].replace(",", "")) if optimizer is not None else 0
        words = f"the table states {total:,} parameters in all; its rows add up to {added:,}"
        return [] if total == added else [Note("printed-total", None, words)]

    def _layer(self, row: _PrintedRow, inputs: Sequence[Shape | None]) -> Layer:
        if row.type == "InputLayer":
            return Layer(row.name, row.type, "layer", {"batch_shape": row.shape, "dtype": "float32"}, line=row.line)
        key = row.type, tuple(inputs), row.shape, row.params
        if key not in self.known:
            self.known[key] = self._config(row, inputs)
        config = self.known[key]
        if config is not None:
            missing = _unprinted(row, config, inputs)
            config = config | dict.fromkeys(missing, NOT_SAID)
            return Layer(row.name, row.type, "layer", config, line=row.line, missing=missing, ignore=_IGNORED)
        stated = {"group": StoredGroup((), row.params is not None), "uncalled": False} if not row.params else {
            "variables": (StoredVariable("parameters", (row.params,), "float32", None),)
        }  # fmt: skip
        return Layer(row.name, row.type, "custom", stated, line=row.line)

    def _first_input(self, row: _PrintedRow) -> Shape | None:
        """Return the input of a first layer, which a Sequential does not print, where its own numbers say which."""
        if row.shape is None or not row.params:
            return None
        *before, last = row.shape
        candidates: list[Shape] = [tuple(before)]  # a table of tokens adds an axis
        if last and len(row.shape) < 4:
            candidates += [(*before, size) for size in (row.params // last - 1, row.params // last) if size > 0]
        each = row.params // last if last else 0
        for kernel, channels in product((3, 5, 7, 2, 4, 1, 9, 11), (1, 3, 4, 2)):
            fits = kernel ** (len(row.shape) - 2) * channels in (each, each - 1)
            for more in (kernel - 1, 0) if fits else ():
                sizes = [None if one is None else one + more for one in before[1:]]
                candidates.append((*before[:1], *sizes, channels))
        fitting = [one for one in dict.fromkeys(candidates) if self._config(row, [one]) is not None]
        fitting = [one for one in fitting if one[-1] == fitting[0][-1]]
        fitting.sort(key=lambda shape: any((size or 0) % 4 for size in shape[1:-1]))
        if len(fitting) > 1:
            words = (
                f"the input is not printed: {fitting[0]} is assumed; {fitting[1]} gives the same row with other padding"
            )
            self.notes.append(Note("assumed", "input", words))
        return fitting[0] if fitting else None

    def _config(self, row: _PrintedRow, inputs: Sequence[Shape | None]) -> dict[str, Any] | None:
        """Return the arguments nearest to the defaults that give the shape and the parameters of a row."""
        declaration = find(row.type)
        if declaration is None or row.shape is None or row.params is None or None in inputs or not inputs:
            return None
        for config in islice(_candidates(declaration.arguments, row), _MOST_TRIED):
            self.left -= 1
            if self.left < 0:
                return None
            if _outcome(row.type, config, inputs) == (row.shape, row.params):
                return config
        return None


def _unprinted(row: _PrintedRow, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> tuple[str, ...]:
    """Return the required arguments of which the table says nothing: other values give the same row."""
    arguments = getattr(find(row.type), "arguments", {})
    required = [name for name in config if arguments[name].default is Argument.REQUIRED]
    printed = row.shape, row.params
    others = [(name, {**config, name: value}) for name in required for value in (0.5, 0.25) if config[name] != value]
    return tuple(dict.fromkeys([name for name, other in others if _outcome(row.type, other, inputs) == printed]))


def _candidates(arguments: Any, row: _PrintedRow) -> Iterator[dict[str, Any]]:
    """Yield arguments of a layer, those first that are nearest to its defaults."""
    shape = (row.shape or ())[1:]
    sizes = [size for size in reversed(shape) if size]
    counts = [(row.params or 0) // size for size in sizes if row.params]
    pool: list[Any] = list(dict.fromkeys([*sizes, *_SMALL, *counts, tuple(shape), 0.5]))
    required = [name for name, argument in arguments.items() if argument.default is Argument.REQUIRED]
    optional = [
        {name: value}
        for name, argument in arguments.items()
        for value in _others(argument.default)
        if name not in _LEFT
    ]
    few = len(required) < 4
    starts = [dict(zip(required, values, strict=True)) for values in product(pool, repeat=len(required)) if few]
    first = [start for start in starts if not required or any(value in sizes for value in start.values())] or starts
    yield from first
    yield from starts[:24] if first is not starts else ()
    for change in optional:
        yield from ({**start, **change} for start in first[:24])
    for at, change in enumerate(optional):
        for other in optional[at + 1 :]:
            yield from ({**start, **change, **other} for start in first[:6])


def _others(default: Any) -> tuple[Any, ...]:
    """Return other values of an argument than its default."""
    if isinstance(default, bool):
        return (not default,)
    if default == "valid":
        return ("same",)
    if isinstance(default, int) or default is None:
        return tuple([one for one in (2, 3, 4) if one != default]) if default is not None else ()
    return (2, 3) if isinstance(default, tuple) and set(map(type, default)) == {int} else ()


def _arguments(refs: Sequence[TensorRef]) -> tuple[Any, ...]:
    return (list(refs),) if len(refs) > 1 else tuple(refs)


def _outcome(type_: str, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> tuple[Shape, int] | None:
    """Return the output shape and the number of parameters of a layer on inputs; None where they are not known."""
    declaration = find(type_)
    shapes = [shape for shape in inputs if shape is not None]
    if declaration is None or len(shapes) < len(inputs):
        return None
    try:
        specs = [Spec((BATCH, *shape[1:]), "float") for shape in shapes]
        definition = declaration.trace(specs, declaration.default_values | declaration.bind(config))
    except LayerExplainError:
        return None
    params = total([product_of(weight.shape) for weight in definition.weights])
    if definition.kind == "opaque" or not definition.outputs or params is None:
        return None
    return tuple([size if isinstance(size, int) else None for size in definition.outputs[0].shape]), params


def compared(model: Model, text: str) -> Model:
    """Return a model of code with notes on what differs in a table that is printed beside it: of several tables in the
    one that has the layers of the model. Each row is judged on the shapes that the table states before it."""
    tables = [_rows(text, header) for header in _HEADER.finditer(text)]
    rows_of = [[row for row in rows if row.type != "InputLayer"] for rows in tables if rows]
    layers = [layer for layer in model.layers if layer.type != "InputLayer"]
    types = [layer.type for layer in layers]
    if not rows_of or model.framework != "keras":
        return model
    rows = next((rows for rows in rows_of if [row.type for row in rows] == types), None)
    if rows is None:
        notes = [Note("printed-other", None, _other_layers(rows_of, types))]
        return model._replace(notes=(*model.notes, *notes))
    shapes: dict[str, Shape | None] = {layer.name: layer.config.get("batch_shape") for layer in model.layers}
    shapes |= {layer.name: row.shape for layer, row in zip(layers, rows, strict=True)}
    inputs = {call.layer: [shapes.get(ref.layer) for ref in call.refs] for call in model.calls}
    notes = []
    for row, layer in zip(rows, layers, strict=True):
        result = _outcome(layer.type, layer.config, inputs.get(layer.name) or [None]) if layer.kind == "layer" else None
        shape, params = result or (row.shape, row.params)
        for what, printed, derived in (("output", row.shape, shape), ("number of parameters", row.params, params)):
            if printed is not None and printed != derived:
                words = f"the table in line {row.line} states the {what} {printed}; this code gives {derived}"
                notes.append(Note("printed-other", layer.name, words))
    return model._replace(notes=(*model.notes, *notes[:5]))


def _other_layers(tables: Sequence[Sequence[_PrintedRow]], types: Sequence[str]) -> str:
    """Return how tables differ from the layers of a model: the only one in the first row that does."""
    if len(tables) > 1:
        return f"none of the {len(tables)} printed tables has the layers of the code as it is read here"
    pairs = zip_longest([row.type for row in tables[0]], types, fillvalue="no layer")
    at, (printed, read) = next((at, pair) for at, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    where = f"layer {at} is {printed} there, {read} here"
    return f"the printed table has other layers than the code as it is read here: {where}"
