"""What stands around the layers of a report in text: the heading, the totals and the notes."""

from __future__ import annotations

from layerexplain.render.columns import rows_of
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, pad, paint, wrap
from layerexplain.render.quantities import bytes_text, count_text, names_text, origin_text, plural
from layerexplain.report.data import LayerReport, Report

_NAMES_SHOWN = 6


def heading(report: Report, look: Look) -> list[str]:
    """`resnet50 · Functional · 177 layers · resnet50.keras (keras-archive, Keras 3.15.1)`."""
    place = origin_text(report.source, report.format, report.keras_version)
    parts = [report.model_type, plural(len(report.layers), "layer"), place]
    name = clean(report.model_name, look.ascii)
    rest = look.dot.join(clean(part, look.ascii) for part in parts if part)
    first, *others = wrap(name + look.dot + rest, look.width)
    if first.startswith(name):
        first = paint(name, "bold", look) + paint(first[len(name) :], "dim", look)
    return [first, *(paint(line, "dim", look) for line in others)]


def totals(report: Report, look: Look) -> list[str]:
    """The sums below a table, a line each: parameters, bytes of the weights, MACs and FLOPs per example."""
    sums = report.totals
    split = f"trainable {count_text(sums.trainable)}{look.dot}non-trainable {count_text(sums.non_trainable)}"
    weights = [bytes_text(sums.bytes)]
    if sums.bytes is not None and sums.bytes >= 1000:
        weights.append(f"{sums.bytes:,} bytes")
    dtypes = sorted({weight.dtype for row in rows_of(report, nested=True) for weight in row.layer.weights})
    if dtypes:
        weights.append(clean(", ".join(dtypes), look.ascii))
    facts = [
        ("Parameters", count_text(sums.params), split if sums.params else ""),
        ("Weights", weights[0], look.dot.join(weights[1:])),
        ("MACs", count_text(sums.macs), "per example: multiply-accumulates"),
        ("FLOPs", count_text(sums.flops), "per example: 2 × MACs and the operations between"),
    ]
    width = max(len(value) for _, value, _ in facts)
    lines = []
    for label, value, words in facts:
        head = f"{label:<11}{pad(value, width, right=True)}"
        words = clean(words, look.ascii)
        if not words:
            lines.append(paint(label, "bold", look) + head[len(label) :])
            continue
        first, *others = wrap(f"{head}  {words}", look.width, hang=len(head) + 2)
        lines.append(paint(label, "bold", look) + head[len(label) :] + paint(first[len(head) :], "dim", look))
        lines += [paint(line, "dim", look) for line in others]
    return lines


def notes(report: Report, look: Look) -> list[str]:
    """The notes, equal ones once with the layers that they hold for; none give no line."""
    holds_for = noted(report)
    if not holds_for:
        return []
    lines = [paint("Notes", "bold", look)]
    for message, names in holds_for.items():
        limit = None if look.width is None else _NAMES_SHOWN
        text = f"{names_text(names, limit)}: {message}" if names else message
        lines += wrap("  " + clean(text, look.ascii), look.width)
    return lines


def noted(report: Report) -> dict[str, list[str]]:
    """Each message and the layers that it holds for (none: it is about the model)."""
    holds_for: dict[str, list[str]] = {}
    for note in report.notes:
        names = holds_for.setdefault(note.message, [])
        if note.layer is not None and note.layer not in names:
            names.append(note.layer)
    for row in rows_of(report, nested=True):
        for message in row.layer.notes:
            # A note of a row that the report's notes have too, in the same words, is not told twice.
            names = holds_for.setdefault(message, [])
            if not {row.layer.path, row.layer.layer} & set(names):
                names.append(row.layer.path)
    return holds_for


def title_of(layer: LayerReport) -> str:
    """The name that a layer is known by: inside a nested model its path."""
    return layer.path if layer.depth else layer.layer
