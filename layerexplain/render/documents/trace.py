"""The documents of `trace`: what the outputs of each layer are like, and one element worked out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.derive.element.worked import WorkedFold, WorkedLine, WorkedTerm
from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.document import Column, Document, Figure, noted, notes_block, number, words
from layerexplain.render.escape import clean
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.layout import Look, aligned, pad, paint, width_of, wrap
from layerexplain.render.quantities import origin_text, plural, shape_text
from layerexplain.run.trace_report import ElementReport, OutputRow, Run, TraceReport

# Trace --------------------------------------------------------------------------------------------------------------


def number_text(value: float) -> str:
    """Return a number with the digits that count: `0.1096`, `-12.35`, `3.2e-09`; whole ones without a point."""
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def call_name(path: str, call: int, output: int) -> str:
    """Return a path, with the number of the call or output where it is not the first; from 0, as --call and --result
    are."""
    parts = [f"call {call}"] if call else []
    parts += [f"output {output}"] if output else []
    return f"{path} ({', '.join(parts)})" if parts else path


def _statistic(name: str, heading: str = "") -> doc.Column:
    return doc.number(name, heading, doc.part(f"statistics.{name}"), number_text)


def share_text(share: float) -> str:
    """Return a share in percent; a small one never reads as none, nor a nearly whole one as all."""
    if share == 0:
        return "0%"
    return f"{share:.1%}" if 0.001 <= share <= 0.999 or share == 1 else "<0.1%" if share < 0.5 else ">99.9%"


def _nans(row: OutputRow) -> str:
    """Print infinite values beside the NaNs, since the other numbers leave out both."""
    if row.statistics is None:
        return ""
    nans, infinities = row.statistics.nans, row.statistics.infinities
    return f"{nans:,}, {infinities:,} infinite" if infinities else f"{nans:,}"


_COLUMNS = doc.columns_by_name(
    doc.Column(
        "layer", "Layer", lambda row: call_name(row.path, row.call, row.output), lambda row: row.layer, style="bold"
    ),
    doc.words("type", "Type", lambda row: row.type, style="dim"),
    doc.words("path", "", lambda row: row.path),
    doc.number("call", "", lambda row: row.call, str),
    doc.number("output", "", lambda row: row.output, str),
    doc.Column(
        "shape", "Output shape",
        lambda row: f"none: {row.reason}" if row.shape is None else shape_text(row.shape),
        lambda row: shape_text(row.shape, ""),
        lambda row: "prose" if row.shape is None else "shape", firm=True,
    ),
    doc.words("dtype", "", lambda row: row.dtype),
    _statistic("min", "Min"),
    _statistic("mean", "Mean"),
    _statistic("max", "Max"),
    _statistic("std"),
    _statistic("zeros"),
    doc.number("share_of_zeros", "Zeros", lambda row: row.share_of_zeros, share_text),
    _statistic("nans", "NaNs")._replace(shown=_nans),
    _statistic("infinities"),
    doc.words("reason", "", lambda row: row.reason),
)  # fmt: skip

_READ = doc.picked(_COLUMNS, ("layer", "type", "shape", "min", "mean", "max", "share_of_zeros", "nans"))
"""The columns of a table; those for programs are all."""

_DROPPED = ("type", "nans", "zeros", "mean")
"""What a terminal without room for all columns does without, in this order."""


def trace(report: TraceReport) -> Sheet:
    """Return what `trace` prints of a whole run."""
    return sheet(report, report.run, lambda: _document(report), tuple(_COLUMNS.values()), report.rows)


def _document(report: TraceReport) -> doc.Document:
    return doc.Document(
        (
            heading(report.run),
            doc.Table(_READ, report.rows, _DROPPED),
            doc.Prose(tuple(_closing(report))),
            doc.notes_block(doc.noted(report.run.notes)),
        )
    )


def heading(run: Run) -> doc.Heading:
    """Return the model, where it is from, whose weights were used."""
    weights = f"weights drawn from seed {run.seed}" if run.weights == "drawn" else f"weights {run.weights}"
    return doc.title(run.model_name, [run.model_type, origin_text(run.source, run.format, run.keras_version), weights])


def _closing(report: TraceReport) -> list[str]:
    given = "; ".join(f"{i.name} {shape_text(i.shape)}: {i.values}" for i in report.run.inputs)
    odd = [row for row in report.rows if row.statistics is not None and row.statistics.nans + row.statistics.infinities]
    said = [f"Input: {given}"]
    if odd:
        first = call_name(odd[0].path, odd[0].call, odd[0].output)
        said.append(f"NaN or infinity in {plural(len(odd), 'output')}, first in {first}; other numbers leave them out.")
    if report.saved is not None:
        said.append(f"Saved to {report.saved}")
    return said


# Worked element -----------------------------------------------------------------------------------------------------
# What `trace LAYER --at` prints: the formula of one element, the same with its indices put in, and every number.

_LABEL = 10
"""Columns of the words in front of a line."""

TERMS_SHOWN = 10
"""How many terms of a sum text shows, unless told otherwise."""

_WIDEST_GRID = 7
"""A window with more places along an axis is listed and not drawn."""

_MOST_GRIDS = 3
"""So many channels of a window are drawn; of more, the terms are listed."""

_FIRST = {"max": "the largest", "min": "the smallest"}
_SUMS = {"prod": "product", "mean": "mean", "max": "largest", "min": "smallest"}


class TermRow(NamedTuple):
    """A row of csv: a term of a fold of a line, or the value that a line comes to."""

    line: WorkedLine
    fold: WorkedFold | None = None
    term: WorkedTerm | None = None


def _of_term(name: str, get: Any) -> Column:
    return words(name, "", lambda row: "" if row.term is None else get(row))


_DATA_COLUMNS = (
    words("line", "", lambda row: row.line.name),
    _of_term("fold", lambda row: row.fold.text),
    _of_term("place", lambda row: " ".join(map("{}={}".format, row.fold.letters, row.term.place))),
    _of_term("factors", lambda row: "; ".join(row.fold.factors)),
    _of_term("values", lambda row: "; ".join(map(repr, row.term.factors)))._replace(kind="number"),
    number("term", "", lambda row: row.line.value if row.term is None else row.term.value, str),
)


def worked_element(report: ElementReport, terms: int = TERMS_SHOWN) -> Sheet:
    """Return what `trace LAYER --at` prints; `terms` is how many terms of a sum text shows."""
    front = {"source": report.run.source, "model": report.run.model_name, "path": report.path}
    return Sheet(
        document=lambda: Document(
            (heading(report.run), Figure(lambda look: _body(report, look, terms)), notes_block(noted(report.run.notes)))
        ),
        data=report.to_dict,
        records=lambda: ({**front, **line} for line in report.to_dict()["lines"]),
        columns=_DATA_COLUMNS,
        rows=lambda: _term_rows(report),
    )


def _term_rows(report: ElementReport) -> Iterator[TermRow]:
    for line in report.worked.lines:
        for fold in line.folds:
            for term in fold.terms:
                yield TermRow(line, fold, term)
        yield TermRow(line)


def _body(report: ElementReport, look: Look, terms: int) -> list[list[str]]:
    """Return the layer, then each line that was worked out, then what it comes to; a list of lines each."""
    name = call_name(report.path, report.call, report.output)
    of = f"the gradient of {report.gradient_of}, " if report.gradient_of else ""
    element = f"element [{', '.join(map(str, report.index))}] of {shape_text(report.shape)}"
    title = f"{name}{look.dot}{report.type}{look.dot}{of}{element}"
    top = [paint(line, "bold", look) for line in wrap(clean(title, look.ascii), look.width)]
    for i, line in enumerate(report.formula):
        indent = len(line) - len(line.lstrip(" "))
        top += _labelled("" if i else "formula", line, look, indent + 4)
    parts = [top, *[_line(line, look, terms) for line in report.worked.lines]]
    if report.worked.shortened:
        parts.append(_labelled("", "Other lines that the result depends on are not shown.", look))
    return [*parts, _result(report, look)]


def _labelled(label: str, text: str, look: Look, hang: int = 4) -> list[str]:
    """Return a line with a word in front; what does not fit goes below its text."""
    front = f"  {pad(label, _LABEL)}"
    first, *rest = wrap(clean(text, look.ascii), _room(look), hang)
    return [paint(front, "dim", look) + first, *[" " * len(front) + line for line in rest]]


def _room(look: Look) -> int | None:
    """Return what is left beside the words in front of a line."""
    return None if look.width is None else max(look.width - _LABEL - 2, 20)


def _line(line: WorkedLine, look: Look, terms: int) -> list[str]:
    where = f" (inside {line.inside})" if line.inside else ""
    lines = [paint(text, "cyan", look) for text in wrap(clean(f"  {line.name}{where}", look.ascii), look.width)]
    lines += _labelled("element", line.formula, look)
    lines += _labelled("here", f"{line.name} = {line.here}", look)
    for fold in line.folds:
        lines += _fold(fold, look, terms)
    if any(not (c.isdigit() or c in ".-e") for c in line.numbers):  # more than the value
        lines += _labelled("numbers", f"{line.name} = {line.numbers}", look)
    elif len(line.reads) > 1:
        lines += _labelled("reads", "; ".join(f"{text} = {_short(value)}" for text, value in line.reads), look)
    lines += _labelled("value", f"{line.name} = {_digits(line.value)}", look)
    return lines


def _result(report: ElementReport, look: Look) -> list[str]:
    value = report.worked.value
    lines = [paint("  Result", "bold", look)]
    rows = [("by these sums", value), ("the layer in NumPy", report.whole)]
    if report.keras is not None:
        rows.append(("in Keras", report.keras))
    width = max(len(label) for label, _ in rows) + 2
    for label, result in rows:
        apart = "" if result is value else f"   {_apart(value, result)}"
        text = clean(f"  {pad(label, width)}{_digits(result):>14}{apart}", look.ascii)
        lines += wrap(text, look.width, hang=width)
    if report.keras is None and report.keras_note:
        lines += wrap(clean(f"  Keras: {report.keras_note}", look.ascii), look.width)
    return lines


def _apart(ours: float, other: float) -> str:
    if ours == other or (ours != ours and other != other):
        return "the same"
    return f"differs by {abs(ours - other):.1e}"


def _digits(value: float) -> str:
    return f"{value:.8g}"


def _short(value: float) -> str:
    return f"{value:.6g}"


# Sums ---------------------------------------------------------------------------------------------------------------


def _fold(fold: WorkedFold, look: Look, terms: int) -> list[str]:
    if not fold.terms:
        return _labelled(_SUMS.get(fold.kind, fold.kind), f"{fold.text}: no term contributes", look)
    counted = f"{plural(fold.taken, 'term')}"
    if fold.left_out:
        counted += f", {fold.left_out:,} more left out by its condition (padding contributes nothing)"
    grids = _grids(fold, look)
    if grids:
        lines = _labelled("window", counted, look) + grids
        return lines + _total(fold, look, [])
    shown, others = _chosen(fold, terms)
    if others:
        counted += f"; {_FIRST.get(fold.kind, 'the largest in size')} first"
    lines = _labelled("terms", counted, look)
    lines += [f"  {' ' * _LABEL}{line}" for line in _table(fold, shown, look)]
    return lines + _total(fold, look, others)


def _chosen(fold: WorkedFold, most: int) -> tuple[list[WorkedTerm], list[WorkedTerm]]:
    """Return the terms that are shown and the others: all in their order where they are few, else the largest first."""
    terms = list(fold.terms)
    if len(terms) <= most + 2:
        return terms, []
    if fold.kind in ("max", "min"):
        terms.sort(key=lambda t: t.value, reverse=fold.kind == "max")
    else:
        terms.sort(key=lambda t: -abs(t.value))
    return terms[:most], terms[most:]


def _total(fold: WorkedFold, look: Look, others: Sequence[WorkedTerm]) -> list[str]:
    lines = []
    if others and fold.kind == "sum":
        rest = _short(sum(t.value for t in others))
        lines += _labelled("", f"the other {len(others):,} together {rest}", look)
    elif others:
        lines += _labelled("", f"and {len(others):,} more", look)
    lines += _labelled(_SUMS.get(fold.kind, fold.kind), f"{fold.text} = {_digits(fold.value)}", look)
    return lines


def _table(fold: WorkedFold, shown: Sequence[WorkedTerm], look: Look) -> list[str]:
    """Return a line a term: the letters, the factors, the product."""
    several = len(fold.factors) > 1
    heads = [*fold.letters, *fold.factors, *(["product"] if several else [])]
    rows = [[*map(str, t.place), *map(_short, t.factors), *([_short(t.value)] if several else [])] for t in shown]
    heads = [clean(head, look.ascii) for head in heads]
    lines = _aligned([heads, *rows])
    room = _room(look)
    if room is None or width_of(lines[0]) <= room:
        return lines
    # A term as a line of its own, with what each number is in front of it.
    terms = [", ".join(f"{head} = {cell}" for head, cell in zip(heads, row, strict=True)) for row in rows]
    return [line for term in terms for line in wrap(term, room)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    columns = [aligned(list(cells), right=True) for cells in zip(*rows, strict=True)]
    return ["  ".join(cells) for cells in zip(*columns, strict=True)]


def _grids(fold: WorkedFold, look: Look) -> list[str]:
    """Return what a small window over rows and columns reads, the kernel's slice and the products side by side, a block
    for each channel; nothing where the sum is no such window."""
    windows = [i for i, role in enumerate(fold.roles) if role in ("window", "interval")]
    if len(windows) != 2 or any(fold.sizes[i] > _WIDEST_GRID for i in windows):
        return []
    others = [i for i in range(len(fold.sizes)) if i not in windows]
    channels = list(itertools.product(*[range(fold.sizes[i]) for i in others]))
    if len(channels) > _MOST_GRIDS or len(fold.terms) != fold.taken:
        return []
    by_place = {t.place: t for t in fold.terms}
    lines: list[str] = []
    for channel in channels:
        fixed = dict(zip(others, channel, strict=True))
        label = ", ".join(f"{fold.letters[i]} = {fixed[i]}" for i in others)
        blocks = list(_blocks(fold, windows, fixed, by_place))
        lines += [f"  {' ' * _LABEL}{line}" for line in _side_by_side(blocks, label, look)]
    return lines


def _blocks(
    fold: WorkedFold, windows: Sequence[int], fixed: dict[int, int], by_place: dict[tuple[int, ...], WorkedTerm]
) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield a title and a grid for each factor, then for the product; a place that takes no part is a dot."""

    def term(u: int, v: int) -> WorkedTerm | None:
        place = [fixed.get(i, 0) for i in range(len(fold.sizes))]
        place[windows[0]], place[windows[1]] = u, v
        return by_place.get(tuple(place))

    rows, columns = (range(fold.sizes[i]) for i in windows)
    results = [[term(u, v) for v in columns] for u in rows]
    for i, title in enumerate(fold.factors):
        yield title, [["." if t is None else _short(t.factors[i]) for t in row] for row in results]
    if len(fold.factors) > 1:
        yield "products", [["." if t is None else _short(t.value) for t in row] for row in results]


def _side_by_side(blocks: Sequence[tuple[str, list[list[str]]]], label: str, look: Look) -> list[str]:
    """Return the blocks in one row, or below each other where they are too wide."""
    drawn = []
    for title, rows in blocks:
        lines = [clean(title, look.ascii), *_aligned(rows)]
        width = max(map(width_of, lines))
        drawn.append([pad(lines[0], width), *[pad(line, width, right=True) for line in lines[1:]]])
    joined = ["    ".join(parts).rstrip() for parts in zip(*drawn, strict=True)]
    if look.width is not None and width_of(max(joined, key=width_of)) + _LABEL + 2 > look.width:
        joined = [line.rstrip() for part in drawn for line in part]
    room = _room(look)
    return [line for text in ([f"{label}:", *joined] if label else joined) for line in wrap(text, room)]
