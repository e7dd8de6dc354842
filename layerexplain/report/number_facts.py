"""The numbers of a report, each with what it counts: what a question about a number is answered from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from math import prod

from layerexplain.errors import in_a_row
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from layerexplain.report.rows import every_row

_PARAMETERS = "param|weight|count|total|number"
_TRAINABLE = r"(?<!non)(?<!non\W)trainable|params\b|parameters"
_SIZES = "size|shape|feature|output|input|value|flatten|unit|dimension|linear|dense"
_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Weights that other implementations store as one."""
_MOST_NAMES = 4


class NumberFact(NamedTuple):
    """A number of a report: whose it is, the words on it, and a pattern of the words that ask for numbers of this
    kind."""

    number: int
    subject: str
    words: str
    asked: str


def number_facts(report: Report) -> Iterator[NumberFact]:
    """Yield the numbers of a report but for those of the lines of its layers: totals, weights, costs and sizes."""
    totals = report.totals
    rows = [*every_row(report.layers)]
    if totals.non_trainable:
        yield NumberFact(
            totals.non_trainable, "model", f"non-trainable parameters{_frozen(rows)}", r"non\W?trainable|frozen"
        )
    if totals.params:
        of = [row for row in report.layers if row.params]
        words = "parameters, the sum of its layers" if len(of) > 1 else f"parameters, all of {of[0].layer}"
        yield NumberFact(totals.params, "model", words, _PARAMETERS)
    if totals.trainable and totals.trainable != totals.params:
        yield NumberFact(totals.trainable, "model", "trainable parameters", _TRAINABLE)
    yield from _of_language(report, rows)
    yield from _of_rows(rows)
    yield from _of_weights(rows)
    if totals.bytes and report.language is None:
        yield NumberFact(totals.bytes, "model", "bytes for its weights", "byte|memory")
    for number, words in ((totals.macs, "MACs"), (totals.flops, "FLOPs")):
        if number:
            yield NumberFact(number, "model", f"{words} for each example, the sum of its layers", words[:-1])
    for row in rows:
        for number, words in ((row.macs, "MACs"), (row.flops, "FLOPs")):
            if number:
                yield NumberFact(number, row.path, f"{words} for each example", words[:-1])
        shape = row.output_shapes[0] if row.output_shapes else None
        sizes = [size for size in (shape or ())[1:] if isinstance(size, int)]
        if shape is not None and len(sizes) == len(shape) - 1 and len(sizes) > 1:
            product = " × ".join(f"{size:,}" for size in sizes)
            yield NumberFact(prod(sizes), row.path, f"output of {product} values for each example", _SIZES)
        if row.memory is not None and row.memory.activations:
            yield NumberFact(row.memory.activations, row.path, "bytes of output for each example", "byte|memory")


def _frozen(rows: Sequence[LayerReport]) -> str:
    """Return which weights are not trained: `: moving_mean and moving_variance of bn`."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if not row.layers:
            own = [weight.name for weight in row.weights if weight.trainable is False and weight.params]
            if own:
                names.setdefault(in_a_row(own), []).append(row.path)
    each = [f"{own} of {_listed(layers)}" for own, layers in names.items()]
    return f": {'; '.join(each[:_MOST_NAMES])}{'; …' if len(each) > _MOST_NAMES else ''}" if each else ""


def _listed(layers: Sequence[str]) -> str:
    return in_a_row(layers) if len(layers) <= _MOST_NAMES else f"{layers[0]} and {len(layers) - 1} other layers"


def _of_rows(rows: Sequence[LayerReport]) -> Iterator[NumberFact]:
    """Yield the counts of rows whose own line does not state them, and those of layers of one kind together."""
    kinds: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        if row.trainable and row.trainable != row.params:
            yield NumberFact(row.trainable, row.path, "trainable parameters", _TRAINABLE)
        if row.non_trainable:
            own = [weight.name for weight in row.weights if weight.trainable is False and weight.params]
            of = f": {in_a_row(own)}" if own and len(own) <= _MOST_NAMES else ""
            yield NumberFact(row.non_trainable, row.path, f"non-trainable parameters{of}", r"non\W?trainable|frozen")
        if row.params:
            kinds.setdefault((row.type, row.params), []).append(row.path)
            if row.explanation is None or " = " not in row.explanation.parameters:
                yield NumberFact(row.params, row.path, "parameters", _PARAMETERS)
    for (kind, params), paths in kinds.items():
        if len(paths) > 1:
            words = f"parameters = {len(paths)} × {params:,}"
            yield NumberFact(len(paths) * params, f"the {len(paths)} layers {kind}", words, _PARAMETERS)


def _of_weights(rows: Sequence[LayerReport]) -> Iterator[NumberFact]:
    """Yield the numbers of values of single weights, of those of one kind together, and of such as others store as
    one."""
    kinds: dict[tuple[str, tuple[int | None, ...]], list[str]] = {}
    for row in rows:
        if row.layers:
            continue  # the rows inside have them
        for weight in row.weights:
            if weight.params:
                kinds.setdefault((weight.name, weight.shape), []).append(row.path)
        names = {weight.name.split("/")[-2 if "/" in weight.name else -1]: weight.params for weight in row.weights}
        for parts in _TOGETHER:
            if all(names.get(part) for part in parts):
                counts = [names[part] for part in parts]
                words = f"values in {in_a_row(parts)} together = {' + '.join(f'{count:,}' for count in counts)}"
                yield NumberFact(sum(counts), row.path, words, _PARAMETERS)
    for (name, shape), paths in kinds.items():
        product, count = " × ".join([f"{size:,}" for size in shape]), prod([size or 0 for size in shape])
        others = f", as in {len(paths) - 1} other layer{'s' * (len(paths) > 2)}" if len(paths) > 1 else ""
        shaped = f" = {product}" if len(shape) > 1 else ""
        asked = f"{_PARAMETERS}|{re.escape(name.split('/')[0])}"
        yield NumberFact(count, paths[0], f"values in {name}{shaped}{others}", asked)
        if len(paths) > 1:
            words = f"values in {name} = {len(paths)} × {product}"
            yield NumberFact(count * len(paths), f"the {len(paths)} such layers", words, asked)


def _of_language(report: Report, rows: Collection[LayerReport]) -> Iterator[NumberFact]:
    """Yield the numbers of a language model."""
    model = report.language
    if model is None:
        return
    if model.active != model.params:
        yield NumberFact(model.active, "model", "parameters that one token uses", f"activ|{_PARAMETERS}")
    for part in model.parts:
        yield NumberFact(part.params, "model", f"parameters in {part.name}", f"{_PARAMETERS}|{part.name}")
        if part.active != part.params:
            yield NumberFact(
                part.active, "model", f"parameters in {part.name} that one token uses", f"activ|{_PARAMETERS}"
            )
        if part.name == "embedding":
            yield NumberFact(model.params - part.params, "model", "parameters without the embedding", _PARAMETERS)
    if model.cache_bytes:
        yield NumberFact(model.cache_bytes, "model", "bytes of cache for each token", "byte|cache|memory")
    if model.macs:
        yield NumberFact(model.macs, "model", f"MACs for each token of a text of {model.tokens:,}", "MAC")
    tables = [row for row in rows if row.type == "TokenEmbedding" and row.params]
    heads = [row for row in rows if row.shared and "Head" in row.type]
    if len(tables) == len(heads) == 1:
        words = f"parameters if {heads[0].layer} had weights of its own; here it uses those of {tables[0].layer}"
        yield NumberFact(model.params + (tables[0].params or 0), "model", words, _PARAMETERS)
