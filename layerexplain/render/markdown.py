"""Markdown: a table of the layers, or a section a layer with its explanation.

Names, types, formulas and shapes stand in code spans, where nothing is read as markup or HTML or made a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerexplain.render import frame
from layerexplain.render.columns import MARKDOWN_COLUMNS, columns, rows_of
from layerexplain.render.escape import clean, markdown_code, markdown_prose
from layerexplain.render.explanation import grouped
from layerexplain.render.quantities import bytes_text, count_text, shape_text, shapes_text
from layerexplain.report.data import Explanation, LayerReport, Report


class _Writer:
    """Lines of markdown; `prose` and `code` are the only ways for a text of the report to get in."""

    def __init__(self, ascii_only: bool) -> None:
        self.ascii = ascii_only
        self.lines: list[str] = []

    def prose(self, text: str) -> str:
        return markdown_prose(clean(text, self.ascii))

    def code(self, text: str, in_table: bool = False) -> str:
        return markdown_code(clean(text, self.ascii), in_table)

    def add(self, *lines: str) -> None:
        self.lines += lines

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> None:
        """A table with its cells escaped already, and an empty line after it."""
        self.add(_table_line(headings))
        self.add(_table_line(["---:" if is_right else "---" for is_right in right]))
        self.add(*(_table_line(row) for row in rows), "")

    def text(self) -> str:
        return "\n".join(self.lines).rstrip("\n") + "\n"


def markdown_table(
    report: Report, names: tuple[str, ...] | None = None, *, nested: bool = False, ascii_only: bool = False
) -> str:
    """The report as a heading, a table with a row a layer, the totals and the notes."""
    out = _Writer(ascii_only)
    chosen = columns(names or MARKDOWN_COLUMNS)
    _heading(out, report)
    rows = []
    for row in rows_of(report, nested):
        cells = []
        for column in chosen:
            text = column.shown(row)
            # Code spans keep no leading spaces: depth is shown by a sign in front.
            mark = out.prose("· " * row.layer.depth) if column.name == "layer" else ""
            cells.append(text if column.is_count else mark + out.code(text, in_table=True))
        rows.append(cells)
    headings = [out.prose(column.heading) for column in chosen]
    out.table(headings, rows, [column.is_count for column in chosen])
    _totals(out, report)
    _memory(out, report)
    _notes(out, report)
    return out.text()


def markdown_explanation(
    report: Report, layers: Sequence[LayerReport], *, whole: bool = True, ascii_only: bool = False
) -> str:
    """A section for each layer of `layers`, alike ones in one; `whole` adds the model's heading, totals and notes."""
    out = _Writer(ascii_only)
    if whole:
        _heading(out, report)
    for layer, alike in grouped(layers):
        _section(out, layer, alike)
    if whole:
        _totals(out, report)
        _notes(out, report)
    return out.text()


def _heading(out: _Writer, report: Report) -> None:
    out.add(f"# {out.code(report.model_name)} {out.code(report.model_type)}", "")
    origin = f"{report.format}, Keras {report.keras_version}" if report.keras_version else report.format
    if report.source:
        out.add(f"{out.code(report.source)} {out.prose(f'({origin})') if origin else ''}".rstrip(), "")


def _totals(out: _Writer, report: Report) -> None:
    sums = report.totals
    facts = [
        ("Parameters", count_text(sums.params)),
        ("Trainable", count_text(sums.trainable)),
        ("Non-trainable", count_text(sums.non_trainable)),
        ("Weights", bytes_text(sums.bytes)),
        ("MACs per example", count_text(sums.macs)),
        ("FLOPs per example", count_text(sums.flops)),
    ]
    out.table(["Total", ""], facts, [False, True])


def _memory(out: _Writer, report: Report) -> None:
    if report.memory is None:
        return
    from layerexplain.render.memory import memory_facts, memory_heading

    facts = [[fact.label, bytes_text(fact.size), out.prose(fact.words)] for fact in memory_facts(report.memory)]
    out.table([out.prose(memory_heading(report.memory)), "", ""], facts, [False, True, False])


def _notes(out: _Writer, report: Report) -> None:
    holds_for = frame.noted(report)
    if not holds_for:
        return
    out.add("## Notes", "")
    for message, names in holds_for.items():
        place = ", ".join(out.code(name) for name in names)
        out.add(f"- {place}: {out.prose(message)}" if place else f"- {out.prose(message)}")
    out.add("")


def _section(out: _Writer, layer: LayerReport, alike: list[LayerReport]) -> None:
    out.add(f"## {out.code(frame.title_of(layer))} {out.code(layer.type)}", "")
    told = layer.explanation
    for text in (told.sentence, *told.hints) if told is not None else ():
        if text:
            out.add(out.prose(text), "")
    for call in layer.calls:
        fed = [
            f"{out.code(source)} {out.code(shape_text(shape))}"
            for source, shape in zip(call.sources, call.input_shapes, strict=False)
        ]
        outputs = out.code(shapes_text(call.output_shapes))
        arrow = out.prose(" → ")
        out.add(f"- {', '.join(fed)}{arrow}{outputs}" if fed else f"- {outputs}")
    if alike:
        out.add(f"- same for {', '.join(out.code(frame.title_of(other)) for other in alike)}")
    out.add("")
    if told is None:
        _fenced(out, layer.formula)
    else:
        _told(out, told)
    for note in layer.notes:
        out.add(f"> {out.prose(note)}", "")


def _told(out: _Writer, told: Explanation) -> None:
    formula = []
    for statement in told.statements:
        comment = "  ".join(part for part in (statement.shape, statement.note) if part)
        formula.append("    " * statement.indent + statement.text + (f"  # {comment}" if comment else ""))
    _fenced(out, formula)
    for label, texts in (("Where", told.where), ("One element", told.element)):
        if texts:
            out.add(f"{label}:", "")
            _fenced(out, texts)
    _list(out, told.element_notes)
    if told.axes:
        axes = [
            [out.prose(axis.role), out.prose(axis.before), out.prose(axis.after), out.prose(axis.why)]
            for axis in told.axes
        ]
        out.table(["Axis", "Before", "After", "Why"], axes, [False, True, True, False])
    _list(out, told.shape_notes)
    if told.weights:
        weights = [
            [
                out.code(weight.symbol, True), out.code(weight.name, True), out.code(shape_text(weight.shape), True),
                out.prose(weight.factors), count_text(weight.params), "yes" if weight.trainable else "no",
                out.code(weight.reach, True),
            ]
            for weight in told.weights
        ]  # fmt: skip
        headings = ["Symbol", "Weight", "Shape", "Axes", "Params", "Trainable", "In Keras"]
        out.table(headings, weights, [False, False, False, False, True, False, False])
    _list(out, (told.weights_note,))
    for label, texts in (
        ("Cost", told.cost),
        ("Reach", told.receptive_field),
        ("Training", told.training),
        ("Mask", (told.mask,)),
        ("Dtype", (told.dtype,)),
    ):
        _list(out, texts, f"{label}: ")


def _list(out: _Writer, texts: Iterable[str], label: str = "") -> None:
    items = [f"- {label}{out.prose(text)}" for text in texts if text]
    if items:
        out.add(*items, "")


def _fenced(out: _Writer, texts: Iterable[str]) -> None:
    """A code block whose fence is longer than any that the text could close it with."""
    lines = [clean(text, out.ascii) for text in texts]
    if not lines:
        return
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    out.add(fence, *lines, fence, "")


def _table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
