"""The document of `diff`: a row a difference, then totals before and after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from layerexplain.records import NamedTuple, grouped
from layerexplain.render import document as doc
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import bytes_text, count_text, excerpts, origin_text, plural
from layerexplain.report.comparison import MISFIT, NO_MODEL, Change, Comparison, Side
from layerexplain.report.model_differences import Difference
from layerexplain.report.rows import to_jsonable

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "~", "model": "~"}
_STYLES = {"added": "green", "removed": "red", "changed": "", "renamed": "", "model": ""}


class _ChangeLine(NamedTuple):
    """A line of the table: a change with one of its differences, the first one with the layer's name."""

    change: Change
    difference: Difference | None
    is_first: bool


def _lines(changes: Iterable[Change]) -> Iterator[_ChangeLine]:
    for change in changes:
        yield _ChangeLine(change, change.differences[0] if change.differences else None, True)
        for difference in change.differences[1:]:
            yield _ChangeLine(change, difference, False)


_NUMBER = r"\.(\d+)(?=[./]|\Z)"
"""The number of a block in the path of a module: `model.layers.12/self_attn`."""


def _folded(changes: Iterable[Change]) -> list[Change]:
    """Return the changes with those of numbered blocks that are alike as one, named for all: `model.layers.0 … 31`."""
    kinds = grouped(
        ((*[re.sub(_NUMBER, ".#", name) for name in (change.layer, change.layer_after)], *change[3:]), change)
        for change in changes
    )
    result = []
    for first, *others in kinds.values():
        last = others[-1] if others else first
        ends = [re.sub(_NUMBER, _from_to(b), a, count=1) if others else a
                for a, b in ((first.layer, last.layer), (first.layer_after, last.layer_after))]  # fmt: skip
        result.append(first._replace(layer=ends[0], layer_after=ends[1]))
    return result


def _from_to(last: str) -> Callable[[re.Match[str]], str]:
    numbers = re.findall(_NUMBER, last)
    return lambda match: f".{match[1]} … {numbers[0]}" if numbers else match[0]


def _name(change: Change) -> str:
    if change.kind == "model":
        return "(the model)"
    if change.layer and change.layer_after and change.layer != change.layer_after:
        return f"{change.layer} → {change.layer_after}"
    return change.layer or change.layer_after


def _what(line: _ChangeLine) -> str:
    if line.difference is None:
        return line.change.kind
    what = line.difference.what + " (training only)" * line.difference.is_training
    return what if line.change.kind in ("changed", "renamed", "model") else f"{line.change.kind}, {what}"


def _shown(line: _ChangeLine) -> tuple[str, str]:
    return ("", "") if line.difference is None else excerpts(line.difference.before, line.difference.after)


def _sign(line: _ChangeLine) -> str:
    return _SIGNS[line.change.kind]


def _once(line: _ChangeLine, text: str) -> str:
    """Return what stands in the first line of a change alone."""
    return text if line.is_first else ""


_COLUMNS = (
    doc.Column("sign", "", lambda t: _once(t, _sign(t)), _sign, style=lambda t: _STYLES[t.change.kind]),
    doc.Column("layer", "Layer", lambda t: _once(t, _name(t.change)), lambda t: t.change.layer, style="bold"),
    doc.Column("layer_after", "", lambda _: "", lambda t: t.change.layer_after, only="data"),
    doc.Column("type", "Type", lambda t: _once(t, t.change.type), lambda t: t.change.type, style="dim"),
    doc.words("what", "What", _what, kind="prose"),
    doc.Column("before", "Before", lambda t: _shown(t)[0], lambda t: t.difference.before if t.difference else ""),
    doc.Column("after", "After", lambda t: _shown(t)[1], lambda t: t.difference.after if t.difference else ""),
)


def comparison(comparison: Comparison) -> Sheet:
    """Return what `diff` prints."""
    return Sheet(
        document=lambda: _document(comparison),
        data=comparison.to_dict,
        records=lambda: map(to_jsonable, comparison.changes),
        columns=_COLUMNS,
        rows=lambda: _lines(comparison.changes),
    )


def _document(comparison: Comparison) -> doc.Document:
    counts = {kind: sum(change.kind == kind for change in comparison.changes) for kind in _SIGNS}
    layers = [f"{plural(count, 'layer')} {kind}" for kind, count in counts.items() if count and kind != "model"]
    said = ["the model changed"] * bool(counts["model"]) + layers
    heading = doc.title(
        f"{comparison.before.model_name} → {comparison.after.model_name}",
        (", ".join(said) or f"nothing {'that is compared ' * bool(comparison.not_compared)}differs",),
    )
    origins = f"before: {_origin(comparison.before)}", f"after:  {_origin(comparison.after)}"
    unseen = "what it does that no formula, argument or shape shows is not compared and may differ"
    code = [f"{comparison.not_compared}; {unseen}"] if comparison.not_compared else []
    sides = doc.Prose((*origins, *_renumbered(comparison.renumbered), *code))
    loaded = [doc.Prose(lines)] if (lines := tuple(_loading(comparison))) else []
    if not comparison.changes:
        return doc.Document((heading, sides, *(loaded if comparison.renumbered else ())))
    shown = tuple([column for column in _COLUMNS if column.only != "data"])
    changes, misfits = _without_misfits(_folded(comparison.changes))
    return doc.Document(
        (heading, sides, doc.Table(shown, list(_lines(changes))), *misfits, _totals(comparison), *loaded)
    )


def _without_misfits(changes: list[Change]) -> tuple[list[Change], tuple[doc.Prose, ...]]:
    """Return the changes without the rows on stored weights that do not fit, and one line for all of them, where there
    are more than a few."""
    lines = [
        (change, difference) for change in changes for difference in change.differences if difference.what == MISFIT
    ]
    if len(lines) <= _NAMED:
        return changes, ()
    kept = [change._replace(differences=tuple(d for d in change.differences if d.what != MISFIT)) for change in changes]
    first, shapes = lines[0]
    where = f"in {plural(len(lines), 'layer')}, from {_name(first)} on: {shapes.before} → {shapes.after}"
    return kept, (doc.Prose((f"Stored weights do not fit {where}.",)),)


def _origin(side: Side) -> str:
    return origin_text(side.source, side.format, side.keras_version)


def _renumbered(names: Mapping[str, str]) -> Iterator[str]:
    """Say how many layers differ only in an automatic name, with an example."""
    for item, other in [*names.items()][:1]:
        differ = f"{plural(len(names), 'layer')} {'differs' if len(names) == 1 else 'differ'}"
        yield f"{differ} only in the automatic name: {item} → {other}{', …' if len(names) > 1 else ''}"


def _totals(comparison: Comparison) -> doc.FactBlock:
    a, b = comparison.before.totals, comparison.after.totals
    facts = [
        doc.Fact(label, f"{show(before)} → {show(after)}" if before != after else show(after))
        for label, before, after, show in (
            ("Parameters", a.params, b.params, count_text),
            ("Trainable", a.trainable, b.trainable, count_text),
            ("Weights", a.bytes, b.bytes, bytes_text),
            ("MACs", a.macs, b.macs, count_text),
            ("FLOPs", a.flops, b.flops, count_text),
        )
    ]
    caches = [side.cache_bytes for side in (comparison.before, comparison.after) if side.cache_bytes is not None]
    if caches:
        shown = " → ".join(dict.fromkeys([f"{count:,}" for count in caches]))
        facts.append(doc.Fact("KV cache", shown, ("bytes a token",)))
    return doc.FactBlock(tuple(facts))


def _loading(comparison: Comparison) -> Iterator[str]:
    """Yield what `load_weights` would take of the first model's weights."""
    by_name, by_order = comparison.loading
    if {NO_MODEL.format, "hugging-face"} & {comparison.before.format, comparison.after.format}:
        return
    if not (by_name.layers or by_name.differ or by_name.missing):
        return
    sentence = f"takes {plural(by_name.layers, 'layer')} ({count_text(by_name.params)} parameters)"
    for names, words in ((by_name.differ, "other shapes"), (by_name.missing, "not in the first")):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            sentence += f"; {words}: {', '.join(names[:_NAMED])}{more}"
    yield f"load_weights by name {sentence}."
    yield f"load_weights by order {f'does not fit: {by_order}' if by_order else 'takes all'}."


_NAMED = 4
"""So many layers are named."""
