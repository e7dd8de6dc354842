"""What differs between two models, what follows from it, and what Keras's `load_weights` would take over."""

from __future__ import annotations

import ast
import copy
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from layerexplain.derive.same import same_definition
from layerexplain.lang import text
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.model import Layer, Model
from layerexplain.network.trace import trace_at
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple, sources_first
from layerexplain.report.data import LayerReport, Totals
from layerexplain.report.model_differences import Alignment, Difference, computes_the_same, of_ends, of_models
from layerexplain.report.normal_form import NormalLayer, normal_layers
from layerexplain.report.normal_values import differing
from layerexplain.report.report import Report
from layerexplain.report.rows import SCHEMA_VERSION, Rows, about, count_of, to_jsonable
from layerexplain.report.settings import is_setting

# Loading ------------------------------------------------------------------------------------------------------------


class ByName(NamedTuple):
    """`layers` with `params` parameters are taken; `differ` are in both models with other shapes, `missing` in the
    second alone."""

    layers: int
    params: int
    differ: tuple[str, ...]
    missing: tuple[str, ...]


class Loading(NamedTuple):
    """What is taken by name, and what prevents that all is taken by order; "" if nothing does."""

    by_name: ByName
    by_order: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"by_name": to_jsonable(self.by_name), "by_order": {"fits": not self.by_order, "why": self.by_order}}


def loading(before: Sequence[LayerReport], after: Sequence[LayerReport]) -> Loading:
    """Return what the second model would take of the first one's weights. A nested model counts as one layer."""
    old, new = ([(row.layer, list(_shapes(row)), row.params or 0) for row in rows] for rows in (before, after))
    old, new = ([item for item in some if item[1]] for some in (old, new))
    stored = {name: shapes for name, shapes, _ in old}
    fits = [(name, params) for name, shapes, params in new if stored.get(name) == shapes]
    differ = tuple([name for name, shapes, _ in new if name in stored and stored[name] != shapes])
    missing = tuple([name for name, _, _ in new if name not in stored])
    by_name = ByName(len(fits), sum(params for _, params in fits), differ, missing)
    return Loading(by_name, _by_order(old, new))


def _by_order(old: Sequence[tuple[str, list[Shape], int]], new: Sequence[tuple[str, list[Shape], int]]) -> str:
    if len(old) != len(new):
        return f"{count_of(len(old), 'layer')} with weights, not {len(new)}"
    for (name, shapes, _), (other, wanted, _) in zip(old, new, strict=True):
        if shapes != wanted:
            has, needs = (" ".join(map(shape_text, some)) for some in (shapes, wanted))
            return f"'{name}' has {has}, '{other}' needs {needs}"
    return ""


def _shapes(row: LayerReport) -> Iterator[Shape]:
    """Yield the shapes of a layer's weights: the row of a model has all of those inside; a layer of which only the
    configuration names layers has none of its own."""
    if row.weights:
        yield from [weight.shape for weight in row.weights]
        return
    for inner in row.layers:
        yield from _shapes(inner)


# Comparison ---------------------------------------------------------------------------------------------------------
# What differs between two models, and what follows from it.


class Side(NamedTuple):
    """One of the two models."""

    source: str
    format: str
    model_name: str
    model_type: str
    keras_version: str | None
    totals: Totals
    cache_bytes: int | None = None
    """Of a language model, what it keeps of each token while it writes."""

    def to_dict(self) -> dict[str, Any]:
        """Return the side as JSON has it."""
        model = {"name": self.model_name, "type": self.model_type, "keras_version": self.keras_version}
        cache = {} if self.cache_bytes is None else {"kv_cache_bytes_per_token": self.cache_bytes}
        totals = {**to_jsonable(self.totals), **cache}
        return {"source": self.source, "format": self.format, "model": model, "totals": totals}


class Change(NamedTuple):
    """A layer that differs. `kind` is "added", "removed", "renamed" (and nothing else) or "changed"; `layer` is its
    path in the first model, `layer_after` in the second, "" where it is not there. Of the kind "model" is what differs
    in the model as a whole: its inputs and outputs, and what it is trained with."""

    kind: str
    layer: str
    layer_after: str
    type: str
    differences: tuple[Difference, ...]


class Comparison(Rows[Change]):
    """Two models: a sequence of the layers that differ, in the order of the first model.

    What was added stands behind the layer before it. A change is found by the path of its layer in either model.

    `renumbered` maps the path of each layer that differs only in its automatic name to its path in the second model.
    """

    before: Side
    after: Side
    changes: tuple[Change, ...]
    renumbered: Mapping[str, str]
    loading: Loading
    not_compared: str = ""
    """The lines of code that differ, "" where none does: what no formula, argument or shape shows is not compared, so
    that the models may differ."""

    _row_noun = "changed layer"

    def _rows(self) -> Sequence[Change]:
        return self.changes

    def _named_rows(self) -> Iterator[tuple[str, Change]]:
        return (
            (path, change)
            for change in self.changes
            for path in dict.fromkeys([change.layer, change.layer_after])
            if path
        )

    def _about(self) -> str:
        changed = f"{count_of(len(self.changes), 'layer')} changed"
        return about(f"{self.before.source} and {self.after.source}", None, changed)

    @property
    def alike(self) -> bool:
        """Whether nothing that is compared differs; `not_compared` has the lines of code that differ all the same."""
        return not self.changes

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as the JSON contract has it (docs/diff.schema.json)."""
        return {
            "schema": SCHEMA_VERSION,
            "alike": self.alike,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "changes": to_jsonable(self.changes),
            "renumbered": to_jsonable(self.renumbered),
            "loading": self.loading.to_dict(),
            "not_compared": self.not_compared,
        }


class WeightChange(NamedTuple):
    """A weight with other values: its name, the norm (root of the sum of squares) of each, in words, with the largest
    difference and the share of the numbers that changed."""

    name: str
    before: str
    after: str


WeightChanges = Callable[[str, str], Iterator[WeightChange]]
"""Gives the weights that differ between a layer of the first model and one of the second, by their paths."""


NO_MODEL = Model("no model", "none", (), (), (), (), source="/dev/null", format="no-file")
"""What stands for a file that is not there: git calls it /dev/null, on every system."""


def is_no_model(source: Any) -> bool:
    """Return whether a source is the file that stands for none, which a version control system gives for a new or a
    removed one."""
    return source is NO_MODEL or (isinstance(source, str | os.PathLike) and os.fspath(source) in _NOWHERE)


_NOWHERE = (NO_MODEL.source, os.devnull)


def compare(
    before: tuple[Model, Report], after: tuple[Model, Report], values: WeightChanges | None = None
) -> Comparison:
    """Return what differs between two models, given with their reports; with `values`, also in their weights."""
    a, b = (list(normal_layers(model, report.layers)) for model, report in (before, after))
    pairs = _pairs(a, b)
    formulas = None
    if any(_holds_code(row.layer) for row in a) and any(_holds_code(row.layer) for row in b):
        formulas = (_formulas(before[0]), _formulas(after[0]))
    changes = _changes(a, b, pairs, values, formulas)
    whole = (
        ()
        if NO_MODEL in (before[0], after[0])
        else tuple(of_models(before[0], after[0], Alignment.from_pairs(a, b, pairs)))
    )
    if whole:
        changes.insert(0, Change("model", "", "", after[0].type, whole))
    renumbered = {change.layer: change.layer_after for change in changes if change.kind == _RENUMBERED}
    shown_changes = tuple([change for change in changes if change.kind != _RENUMBERED])
    taken = loading(before[1].layers, after[1].layers)
    sides = _side(before[1]), _side(after[1])
    return Comparison(*sides, shown_changes, renumbered, taken, _differing_lines(before[0], after[0]))


_RENUMBERED = "renumbered"
_LONG_TEXT = re.compile(r"'[^']{12,}'")


def _differing_lines(*models: Model) -> str:
    """Return the words for the lines in which the code of two models differs, in one form; "" where it does not."""
    files = [[] if model.source_code is None else model.source_code.trees for model in models]
    texts = [[ast.unparse(_bare(tree)) for _, tree in entries] for entries in files]
    if not all(files) or texts[0] == texts[1]:
        return ""
    texts = [[line.strip() for text in entries for line in text.split("\n")] for entries in texts]
    sides = []
    for own, other in zip(texts, map(frozenset, reversed(texts)), strict=True):
        lines = [_LONG_TEXT.sub("'…'", line)[:100] for line in own if line not in other]  # it may be a password
        sides.append("; ".join(lines[:3]) + "; …" * (len(lines) > 3) or "nothing")
    is_moved = sides == ["nothing", "nothing"]
    return f"the code differs: {'the order of its lines' if is_moved else ' → '.join(sides)}"


def _bare(node: ast.AST) -> ast.AST:
    """Return statements without the texts that stand alone among them, as documentation does."""
    result = copy.copy(node)
    for name, parts in ast.iter_fields(node):
        if isinstance(parts, list) and parts and isinstance(parts[0], ast.stmt | ast.excepthandler | ast.match_case):
            kept = [_bare(part) for part in parts if not isinstance(getattr(part, "value", None), ast.Constant)
                    or not isinstance(part, ast.Expr)]  # fmt: skip
            setattr(result, name, kept or [ast.Pass()])
    return result


def _side(report: Report) -> Side:
    totals = Totals(0, 0, 0, 0, 0, 0) if report.format == NO_MODEL.format else report.totals
    origin = (report.source, report.format, report.model_name, report.model_type, report.keras_version)
    return Side(*origin, totals, None if report.language is None else report.language.cache_bytes)


# Aligning -------------------------------------------------------------------------------------------------------


def _pairs(a: Sequence[NormalLayer], b: Sequence[NormalLayer]) -> dict[str, str]:
    """Return which layer of the second model is which of the first, by their paths."""
    by_name = _aligned(a, b, lambda row: True)
    edits = _edits(a, b, by_name)
    if not edits or all(row.is_named for row in a):
        return by_name
    by_structure = _aligned(_walked(a), _walked(b), lambda row: row.is_named)
    return by_structure if _edits(a, b, by_structure) < edits else by_name


def _edits(a: Sequence[NormalLayer], b: Sequence[NormalLayer], pairs: Mapping[str, str]) -> int:
    """Count the layers with a difference that does not follow from another one."""
    changes = _changes(a, b, pairs, None)
    return sum(
        change.kind in ("added", "removed")
        or any(not layer_change.is_consequence for layer_change in change.differences)
        for change in changes
    )


def _walked(rows: Sequence[NormalLayer]) -> list[NormalLayer]:
    """Return the layers in the order of a walk from the ends of the graph, sources first, whatever the order of a
    file."""
    by_path = {row.path: row for row in rows}
    read = {source for row in rows for source in row.sources}
    ends = [path for path in by_path if path not in read]
    met = sources_first(ends, lambda path: [source for source in by_path[path].sources if source in by_path])
    return [by_path[path] for path in dict.fromkeys([*met, *by_path])]


def _aligned(
    a: Sequence[NormalLayer], b: Sequence[NormalLayer], by_name: Callable[[NormalLayer], bool]
) -> dict[str, str]:
    """Return the pairs of layers: of those that are to be told by their names, then of those that are alike."""
    types = {row.path: row.type for row in b if by_name(row)}
    pairs = {row.path: row.path for row in a if by_name(row) and types.get(row.path) == row.type}
    keys: tuple[Callable[[NormalLayer], str], ...] = (lambda row: row.signature, lambda row: row.type)
    for key in keys:
        taken = set(pairs.values())
        left, right = [row for row in a if row.path not in pairs], [row for row in b if row.path not in taken]
        matcher = SequenceMatcher(None, [key(row) for row in left], [key(row) for row in right], autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            for layer, other in zip(left[i : i + size], right[j : j + size], strict=True):
                # A layer that was renamed and changed is one that reads what its counterpart reads.
                if layer.signature == other.signature or _stand_alike(layer, other, pairs):
                    pairs[layer.path] = other.path
    return pairs


def _stand_alike(layer: NormalLayer, other: NormalLayer, pairs: Mapping[str, str]) -> bool:
    if layer.type == "InputLayer":
        return True
    return bool(layer.sources) and tuple([pairs.get(source) for source in layer.sources]) == other.sources


# Telling --------------------------------------------------------------------------------------------------------


def _changes(
    a: Sequence[NormalLayer],
    b: Sequence[NormalLayer],
    pairs: Mapping[str, str],
    values: WeightChanges | None,
    formulas: tuple[_Formulas, _Formulas] | None = None,
) -> list[Change]:
    after = {row.path: row for row in b}
    aligned = Alignment.from_pairs(a, b, pairs)
    changes: list[Change] = []
    waiting = [row for row in b if row.path in aligned.new]
    order = {row.path: i for i, row in enumerate(b)}
    for row in a:
        if row.path in aligned.gone:
            changes.append(Change("removed", row.path, "", row.type, tuple(_own(row, before=True))))
            continue
        other = after[pairs[row.path]]
        while waiting and order[waiting[0].path] < order[other.path]:
            changes.append(_added(waiting.pop(0)))
        differences = tuple(_differences(row, other, aligned))
        if values is not None and row.kind != "model":
            differences += tuple([Difference(*value, False) for value in values(row.path, other.path)])
        if formulas is not None and row.path in formulas[0] and other.path in formulas[1]:
            explained = any(not difference.is_training and not difference.is_consequence for difference in differences)
            differences += tuple(_of_code(formulas[0][row.path], formulas[1][other.path], explained))
        implied = row.is_implied_input and other.is_implied_input
        if differences or (not implied and row.path.rpartition("/")[2] != other.path.rpartition("/")[2]):
            kind = "changed" if differences else "renamed" if row.is_named or other.is_named else _RENUMBERED
            changes.append(Change(kind, row.path, other.path, row.type, differences))
    return [*changes, *map(_added, waiting)]


def _added(row: NormalLayer) -> Change:
    return Change("added", "", row.path, row.type, tuple(_own(row, before=False)))


def _own(row: NormalLayer, *, before: bool) -> Iterator[Difference]:
    if row.row is not None and row.row.params:
        count = f"{row.row.params:,}"
        yield Difference("parameters", count if before else "", "" if before else count, True)


_BEYOND_THE_FORMULA = frozenset(
    ["mask_zero", "zero_output_for_mask", "return_state", "training", "function", "arguments"]
)
"""Arguments that the formula of one output without a mask does not show: what other layers compute depends on them."""

_FOR_TRAINING = frozenset({"trainable", "frozen", "seed", "unit_forget_bias"})
"""Arguments that no formula takes, and that matter in training or for how it begins."""


def _differences(layer: NormalLayer, other: NormalLayer, aligned: Alignment) -> Iterator[Difference]:
    differences = list(differing(layer.form, other.form))
    for_training = any(difference.in_formula for difference in differences) and computes_the_same(layer, other)
    for difference in differences:
        trains_only = (
            for_training and difference.last not in _BEYOND_THE_FORMULA
            if difference.in_formula
            else is_setting(difference.last) or difference.last in _FOR_TRAINING
        )
        yield Difference(difference.name, repr(difference.before), repr(difference.after), False, trains_only)
    sources = aligned.ends(
        [(source, source) for source in layer.sources], [(source, source) for source in other.sources]
    )
    if sources is not None:
        yield Difference("inputs", *sources, False)
    masks = aligned.ends([(mask, mask) for mask in layer.masks], [(mask, mask) for mask in other.masks])
    if masks is not None:
        yield Difference("mask", masks[0] or "none", masks[1] or "none", False)
    if layer.layer.model is not None and other.layer.model is not None:
        yield from of_ends(layer.layer.model, other.layer.model, aligned, f"{layer.path}/", f"{other.path}/")
    if layer.row is not None and other.row is not None:
        yield from _consequences(layer.row, other.row)


# Formulas of code ------------------------------------------------------------------------------------------------
# What a layer of the program computes stands in no argument: its formulas are compared.

_Formulas = Mapping[str, tuple[Definition, Definition]]
"""The formulas of the layers that hold code of a program, at inference and in training, by the paths of the layers."""


def _holds_code(layer: Layer) -> bool:
    """Return whether what a layer computes, or one that it holds, is defined by the program or the spec."""
    waiting: list[Any] = [layer]
    for other in waiting:
        if isinstance(other, Layer):
            if other.kind == "custom" or other.declaration is not None:
                return True
            inner = other.model.layers if other.model is not None and other is not layer else ()
            waiting += [*other.config.values(), *inner]
        elif isinstance(other, list | tuple | Mapping):
            waiting += other.values() if isinstance(other, Mapping) else other
    return False


def _formulas(model: Model) -> _Formulas:
    entries: list[dict[str, Definition]] = [{}, {}]
    for training, formulas in enumerate(entries):
        waiting = [("", trace_at(model, training=bool(training)))]
        seen = set()
        for prefix, network in waiting:
            for call in network.calls:
                path = prefix + call.name
                if path in seen:
                    continue
                seen.add(path)
                if call.network is not None:
                    waiting.append((f"{path}/", call.network))
                elif call.definition is not None and _holds_code(network.layer(call.name)):
                    formulas[path] = call.definition
    return {path: (value, entries[1][path]) for path, value in entries[0].items() if path in entries[1]}


def _of_code(
    before: tuple[Definition, Definition], after: tuple[Definition, Definition], explained: bool
) -> Iterator[Difference]:
    """Yield what differs in the formulas of two layers at the same shapes, if no argument explains it, and in which
    weights are trained."""
    shapes = [[(leaf.shape, leaf.dtype) for leaf in formulas[0].leaves] for formulas in (before, after)]
    if explained or shapes[0] != shapes[1]:
        return
    for what, definition, other in zip(("formula", "formula in training"), before, after, strict=True):
        if not same_definition(definition, other):
            lines, lines_after = _lines(definition), _lines(other)
            text_before = "; ".join([line for line in lines if line not in lines_after])
            text_after = "; ".join([line for line in lines_after if line not in lines])
            yield Difference(what, text_before, text_after, False, what != "formula")
            return
    for weight, weight_after in zip(before[0].weights, after[0].weights, strict=False):
        trained, trained_after = (expression.attrs.get("trainable", True) for expression in (weight, weight_after))
        if trained != trained_after:
            yield Difference(f"trainable of {weight.label}", str(trained), str(trained_after), False, True)


def _lines(formula: Definition) -> list[str]:
    """Return the statements of a formula, and the numbers of constants that stand in none of them."""
    whole = [formula, *inner_definitions(formula)]
    numbers = [node.attrs["value"] for definition in whole for node in nodes(definition) if node.op is CONSTANT]
    lines = [line.strip() for line in text.program(formula).splitlines()]
    return [*lines, *[repr(number) for number in numbers if not any(repr(number) in line for line in lines)]]


MISFIT = "stored weights do not fit"
"""What is said of a layer whose weights have other shapes."""


def _consequences(layer: LayerReport, other: LayerReport) -> Iterator[Difference]:
    shapes = [", ".join(shape_text(s) if s is not None else "?" for s in row.output_shapes) for row in (layer, other)]
    if shapes[0] != shapes[1]:
        yield Difference("output", shapes[0], shapes[1], True)
    for what, name in (("parameters", "params"), ("MACs", "macs")):
        before, after = getattr(layer, name), getattr(other, name)
        if before != after:
            texts = ["?" if count is None else f"{count:,}" for count in (before, after)]
            yield Difference(what, texts[0], texts[1], True)
    weights = [[weight.shape for weight in row.weights] for row in (layer, other)]
    if weights[0] and weights[1] and weights[0] != weights[1]:
        texts = [" ".join(map(shape_text, shapes)) for shapes in weights]
        yield Difference(MISFIT, texts[0], texts[1], True)
