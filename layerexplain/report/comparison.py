"""What differs between two models, and what follows from it.

Layers are aligned by name, then by what they compute and where they stand. Arguments are compared in their normal form:
defaults filled in, names and values of older versions in today's, so that a file and its re-saved copy do not differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.data import SCHEMA_VERSION, LayerReport, Report, Totals, told
from layerexplain.report.loading import Loading, loading

if TYPE_CHECKING:
    from layerexplain.report.weight_changes import Changes


class Side(NamedTuple):
    """One of the two models."""

    source: str
    format: str
    model_name: str
    model_type: str
    keras_version: str | None
    totals: Totals

    def to_dict(self) -> dict[str, Any]:
        """The side as JSON has it."""
        model = told(self, "name=model_name type=model_type keras_version")
        return {**told(self, "source format"), "model": model, **told(self, "totals")}


class Difference(NamedTuple):
    """What is another in the second model: an argument, or what follows from it (`is_consequence`), in words."""

    what: str
    before: str
    after: str
    is_consequence: bool


class Change(NamedTuple):
    """A layer that differs. `kind` is "added", "removed", "renamed" (and nothing else) or "changed"; `layer` is its
    path in the first model, `layer_after` in the second, "" where it is not there."""

    kind: str
    layer: str
    layer_after: str
    type: str
    differences: tuple[Difference, ...]


class Comparison(NamedTuple):
    """Two models, layer by layer, in the order of the first; what was added stands behind the layer before it."""

    before: Side
    after: Side
    changes: tuple[Change, ...]
    loading: Loading

    @property
    def alike(self) -> bool:
        """Whether nothing differs."""
        return not self.changes

    def to_dict(self) -> dict[str, Any]:
        """The comparison as the JSON contract has it (docs/diff.schema.json)."""
        return {"schema": SCHEMA_VERSION, "alike": self.alike, **told(self, "before after changes loading")}


class _Row(NamedTuple):
    """A layer as it is compared."""

    path: str
    kind: str
    type: str
    arguments: Mapping[str, Any]
    trainable: bool
    row: LayerReport | None
    sources: tuple[str, ...]

    @property
    def signature(self) -> str:
        return repr((self.kind, self.type, sorted(self.arguments.items()), self.trainable))


def compare(before: tuple[Model, Report], after: tuple[Model, Report], values: Changes | None = None) -> Comparison:
    """Return what differs between two models, given with their reports; with `values`, also in their weights."""
    a, b = (list(_rows(model, report.layers, "")) for model, report in (before, after))
    pairs = _aligned(a, b)
    changes = _changes(a, b, pairs, values)
    taken = loading(before[1].layers, after[1].layers)
    return Comparison(_side(before[1]), _side(after[1]), tuple(changes), taken)


def _side(report: Report) -> Side:
    return Side(report.source, report.format, report.model_name, report.model_type, report.keras_version, report.totals)


def _rows(model: Model, rows: Sequence[LayerReport], prefix: str) -> Iterator[_Row]:
    by_name = {row.layer: row for row in rows}
    calls: dict[str, list[Call]] = {}
    for call in model.calls:
        calls.setdefault(call.layer, []).append(call)
    for layer in model.layers:
        row = by_name.get(layer.name)
        sources = tuple([prefix + name for call in (row.calls if row is not None else ()) for name in call.sources])
        trainable = layer.config.get("trainable") is not False
        path = prefix + layer.name
        rank = len(row.input_shapes[0] or ()) if row is not None and row.input_shapes else 0
        arguments = {
            name: _one_form(name, value, rank)
            for name, value in {**_arguments(layer), **_of_calls(layer, calls.get(layer.name, ()))}.items()
        }
        yield _Row(path, layer.kind, layer.type, arguments, trainable, row, sources)
        if layer.model is not None:
            yield from _rows(layer.model, row.layers if row is not None else (), f"{path}/")


_NO_ARGUMENTS = frozenset({"name", "trainable", "dtype", "batch_shape", "batch_input_shape"})


def _of_calls(layer: Layer, calls: Sequence[Call]) -> dict[str, Any]:
    """The arguments of a layer that Keras takes in the call, such as `use_causal_mask`."""
    declaration = find(layer.type) if layer.kind == "layer" else None
    known = declaration.arguments if declaration is not None else {}
    return {
        name: value
        for call in calls
        for name, value in call.kwargs.items()
        if name in known and value is not None and isinstance(value, bool | int | float | str)
    }


def _arguments(layer: Layer) -> dict[str, Any]:
    """The arguments of a layer in their normal form."""
    if layer.model is not None:
        return {}
    if layer.type == "InputLayer":
        shape = layer.config.get("batch_shape")
        return {"shape": shape[1:] if isinstance(shape, tuple) else None}
    declaration = find(layer.type) if layer.kind != "custom" else None
    if declaration is not None:
        try:
            bound = declaration.bind({**declaration.default_values, **layer.config})
            if "pool_size" in bound and bound.get("strides") is None:
                bound["strides"] = bound["pool_size"]
            return {name: _plain(value) for name, value in bound.items()}
        except LayerExplainError:
            pass
    return {name: _plain(value) for name, value in layer.config.items() if name not in _NO_ARGUMENTS}


def _one_form(name: str, value: Any, rank: int) -> Any:
    """What versions write in several forms: an axis (3, [3], -1) counted from the end, and a size that is the same for
    all spatial axes ([3, 3], 3) as one number."""
    parts = value if isinstance(value, tuple) else (value,)
    if name == "axis" and rank and all(type(axis) is int for axis in parts):
        parts = tuple([axis % rank - rank for axis in parts])
        return parts[0] if len(parts) == 1 else parts
    if parts and len(parts) == rank - 2 and all(part == parts[0] for part in parts):
        inner = parts[0]
        alike = isinstance(inner, tuple) and len(inner) == 2 and inner[0] == inner[1]
        return inner[0] if alike else inner
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Layer):
        return (value.type, tuple(sorted(_arguments(value).items(), key=lambda pair: pair[0])))
    return tuple([_plain(one) for one in value]) if isinstance(value, list | tuple) else value


# Aligning -------------------------------------------------------------------------------------------------------


def _aligned(a: Sequence[_Row], b: Sequence[_Row]) -> dict[str, str]:
    """Return which layer of the second model is which of the first, by their paths."""
    types = {row.path: row.type for row in b}
    pairs = {row.path: row.path for row in a if types.get(row.path) == row.type}
    keys: tuple[Callable[[_Row], str], ...] = (lambda row: row.signature, lambda row: row.type)
    for key in keys:
        taken = set(pairs.values())
        left, right = [row for row in a if row.path not in pairs], [row for row in b if row.path not in taken]
        matcher = SequenceMatcher(None, [key(row) for row in left], [key(row) for row in right], autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            for one, other in zip(left[i : i + size], right[j : j + size], strict=True):
                # A layer that was renamed and changed is one that reads what its counterpart reads.
                if one.signature == other.signature or _stand_alike(one, other, pairs):
                    pairs[one.path] = other.path
    return pairs


def _stand_alike(one: _Row, other: _Row, pairs: Mapping[str, str]) -> bool:
    return bool(one.sources) and tuple([pairs.get(source) for source in one.sources]) == other.sources


# Telling --------------------------------------------------------------------------------------------------------


def _changes(a: Sequence[_Row], b: Sequence[_Row], pairs: Mapping[str, str], values: Changes | None) -> list[Change]:
    after = {row.path: row for row in b}
    paired = set(pairs.values())
    gone = {row.path: row for row in a if row.path not in pairs}
    new = {row.path: row for row in b if row.path not in paired}
    found: list[Change] = []
    waiting = [row for row in b if row.path in new]
    order = {row.path: i for i, row in enumerate(b)}
    for row in a:
        if row.path in gone:
            found.append(Change("removed", row.path, "", row.type, tuple(_own(row, before=True))))
            continue
        other = after[pairs[row.path]]
        while waiting and order[waiting[0].path] < order[other.path]:
            found.append(_added(waiting.pop(0)))
        differences = tuple(_differences(row, other, pairs, gone, new))
        if values is not None and row.kind != "model":
            differences += tuple([Difference(*one, False) for one in values(row.path, other.path)])
        if differences or row.path.rpartition("/")[2] != other.path.rpartition("/")[2]:
            kind = "changed" if differences else "renamed"
            found.append(Change(kind, row.path, other.path, row.type, differences))
    return [*found, *map(_added, waiting)]


def _added(row: _Row) -> Change:
    return Change("added", "", row.path, row.type, tuple(_own(row, before=False)))


def _own(row: _Row, *, before: bool) -> Iterator[Difference]:
    if row.row is not None and row.row.params:
        count = f"{row.row.params:,}"
        yield Difference("parameters", count if before else "", "" if before else count, True)


def _differences(
    one: _Row, other: _Row, pairs: Mapping[str, str], gone: Mapping[str, _Row], new: Mapping[str, _Row]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*one.arguments, *other.arguments]):
        before, after = one.arguments.get(name), other.arguments.get(name)
        if _text(before) != _text(after):  # as texts, NaN equals itself
            yield Difference(name, _text(before), _text(after), False)
    if one.trainable != other.trainable:
        yield Difference("trainable", str(one.trainable), str(other.trainable), False)
    # What a layer that is gone, or new, only hands on is not the fault of the one behind it.
    sources = [pairs.get(source, source) for source in _through(one.sources, gone)]
    ends = _through(other.sources, new)
    if sources != ends:
        yield Difference("inputs", ", ".join(_through(one.sources, gone)), ", ".join(ends), False)
    if one.row is not None and other.row is not None:
        yield from _consequences(one.row, other.row)


def _through(sources: Sequence[str], passed: Mapping[str, _Row]) -> list[str]:
    found = []
    for source in sources:
        seen = set()
        while source in passed and len(passed[source].sources) == 1 and source not in seen:
            seen.add(source)
            source = passed[source].sources[0]
        found.append(source)
    return found


def _consequences(one: LayerReport, other: LayerReport) -> Iterator[Difference]:
    shapes = [", ".join(shape_text(s) if s is not None else "?" for s in row.output_shapes) for row in (one, other)]
    if shapes[0] != shapes[1]:
        yield Difference("output", shapes[0], shapes[1], True)
    for what, name in (("parameters", "params"), ("MACs", "macs")):
        before, after = getattr(one, name), getattr(other, name)
        if before != after:
            texts = ["?" if count is None else f"{count:,}" for count in (before, after)]
            yield Difference(what, texts[0], texts[1], True)
    weights = [[weight.shape for weight in row.weights] for row in (one, other)]
    if weights[0] and weights[1] and weights[0] != weights[1]:
        texts = [" ".join(map(shape_text, shapes)) for shapes in weights]
        yield Difference("stored weights do not fit", texts[0], texts[1], True)


def _text(value: Any) -> str:
    named = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], tuple)
    if named and all(isinstance(one, tuple) and len(one) == 2 for one in value[1]):
        return f"{value[0]}({', '.join(f'{name}={_text(one)}' for name, one in value[1])})"
    return repr(value)[:200]
