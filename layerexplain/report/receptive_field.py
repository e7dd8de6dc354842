"""What one element of each layer's output sees of the model's inputs, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from layerexplain.derive.element.scalars import choose, index_text
from layerexplain.derive.receptive_field.fields import Dependence, ReceptiveFields, Seen, source_view
from layerexplain.derive.receptive_field.spans import AxisSpan, extremes, is_whole, slope, value, width
from layerexplain.derive.roles import AxisRoles, Roles
from layerexplain.errors import in_a_row
from layerexplain.lang.axes import Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.scalar import Affine, Letter, Quotient, letters_in
from layerexplain.model import Layer, TensorRef
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import FLOATS, axis_roles, default_roles, ordinal
from layerexplain.report.data import LayerReport
from layerexplain.report.explanation_data import FieldAxis, ReceptiveField

# Receptive field ----------------------------------------------------------------------------------------------------

Tensors = dict[TensorRef, Dependence]
Fields = tuple[ReceptiveField, ...]


MOST_INPUTS = 100
"""Receptive fields are derived for models with at most so many inputs."""


def with_receptive_fields(rows: Sequence[LayerReport], network: Network) -> tuple[LayerReport, ...]:
    """Return the rows, those inside nested models included, with their receptive fields; where a row has an
    explanation, it tells of them in words."""
    # Each layer has one for each input, which nobody reads of a thousand inputs.
    results = _FieldTracer(network).fields if len(network.model.inputs) <= MOST_INPUTS else {}
    several = len(network.model.inputs) > 1
    return tuple([_with_field(row, results, several) for row in rows])


def fields_of(network: Network) -> Mapping[str, Mapping[int, Fields]]:
    """Return the receptive fields of the first output of each call, by the path of its layer."""
    return _FieldTracer(network).fields


def _with_field(row: LayerReport, results: Mapping[str, Mapping[int, Fields]], several: bool) -> LayerReport:
    calls = results.get(row.path, {})
    explanation = row.explanation
    if explanation is not None and row.type != "InputLayer":
        numbered = [(number, words(field, several)) for number in sorted(calls) for field in calls[number]]
        alike = all(calls[number] == calls.get(0) for number in calls)
        lines = (
            [line for number, line in numbered if not number]
            if alike
            else [f"call {n + 1}: {line}" for n, line in numbered]
        )
        explanation = explanation._replace(receptive_field=tuple(lines))
    layers = tuple([_with_field(inner, results, several) for inner in row.layers])
    return row._replace(receptive_field=calls.get(0, ()), layers=layers, explanation=explanation)


class _FieldTracer:
    """One walk through a model and those inside it. `fields` are by the path of the row; a layer's are those of the
    first output of each call, inside a nested model of each within the model's first."""

    def __init__(self, network: Network) -> None:
        self.views = ReceptiveFields()
        self.fields: dict[str, dict[int, Fields]] = {}
        self.roles: dict[Expr, Roles] = {}
        self.of_results: dict[Definition, Roles] = {}
        self.described: dict[Any, Fields] = {}
        dependences = []
        taken = {ref: spec for call in network.calls for ref, spec in zip(call.sources, call.inputs, strict=False)}
        for ref in network.model.inputs:
            calls = network.calls_of(ref.layer)
            spec = calls[0].outputs[0] if calls and calls[0].outputs else taken.get(ref)
            leaf = tensor(ref.layer, *(((),) if spec is None else spec))
            self.roles[leaf] = _roles(leaf)
            unknown = Dependence((), {leaf: "the shape of the input is not known; give it with --input"})
            dependences.append(unknown if spec is None else source_view(leaf))
        self._network(network, dependences, ())

    def _network(self, network: Network, dependences: Sequence[Dependence | None], path: tuple[str, ...]) -> None:
        inputs = zip(network.model.inputs, dependences, strict=False)
        tensors: Tensors = {ref: view for ref, view in inputs if view is not None}
        for call in network.calls:
            layer, name = network.layer(call.name), call.name
            # A tensor of a layer that is at fault is not known: None keeps the others in their places.
            args = [tensors.get(ref) for ref in call.sources]
            if layer.type != "InputLayer":
                for i, view in enumerate(self._results(call, args, layer)):
                    tensors[TensorRef(name, call.number, i)] = view
            result = tensors.get(TensorRef(name, call.number, 0))
            if result is not None:
                fields = self._described(result, self._output_roles(call))
                self.fields.setdefault("/".join((*path, name)), {})[call.number] = fields
            if call.number == 0 and call.network is not None:
                # A model whose inputs are not all known was traced at the shapes that it states itself.
                unknown = _unseen(args, name)
                inside = args if call.definition is not None else [unknown if view else None for view in args]
                self._network(call.network, inside, (*path, name))

    def _results(self, call: TracedCall, args: Sequence[Dependence | None], layer: Layer) -> list[Dependence]:
        known = [view for view in args if view is not None]
        if call.definition is not None and not call.built and len(known) == len(args):
            return self.views.called(call.definition, known)
        return [_unseen(args, layer.name)] * max(len(call.outputs), 1)

    def _output_roles(self, call: TracedCall) -> Roles:
        """Return the roles of the axes of a call's first output."""
        definition = call.definition
        if definition is None or call.network is not None:
            spec = call.outputs[0] if call.outputs else None
            return () if spec is None else spec.roles or default_roles(len(spec.shape))
        if definition not in self.of_results:
            result = next(iter(definition.results.values()))
            self.of_results[definition] = AxisRoles({}).within(definition, definition.order)[result]
        return self.of_results[definition]

    def _described(self, view: Dependence, roles: Roles) -> tuple[ReceptiveField, ...]:
        # Many layers of a deep model see the same.
        same = (view.letters, tuple(view.seen.items()), roles)
        if same not in self.described:
            self.described[same] = self._described_anew(view, roles)
        return self.described[same]

    def _described_anew(self, view: Dependence, roles: Roles) -> tuple[ReceptiveField, ...]:
        # Letters of unknown size: here the position along an axis of size 1 has a name too.
        own = [Letter(role, None) for role, _ in zip(roles, view.letters, strict=False)]
        chosen = choose(own, {}, ())
        names = {other: chosen[letter] for other, letter in zip(view.letters, own, strict=False)}
        return tuple([_field(source, seen, self.roles[source], names) for source, seen in view.seen.items()])


def _unseen(args: Sequence[Dependence | None], name: str) -> Dependence:
    """Return what comes from a layer that cannot be seen into."""
    reason = f"what '{name}' computes is not known"
    seen: dict[Expr, Seen] = {}
    for view in args:
        # The first that cannot be seen into is why all behind it are unknown.
        seen |= (
            {source: spans if isinstance(spans, str) else reason for source, spans in view.seen.items()} if view else {}
        )
    return Dependence((), seen)


def _roles(leaf: Expr) -> tuple[str, ...]:
    """Return what the axes of a model's input are; "" are those of no interest: the batch, and channels beside
    others."""
    if leaf.ndim == 2:
        return ("", axis_roles(leaf)[1] if leaf.dtype in FLOATS else "steps")
    return tuple(["" if role in ("batch", "channels", "features") else role for role in axis_roles(leaf)])


# In numbers -----------------------------------------------------------------------------------------------------


def _field(source: Expr, seen: Seen, roles: Sequence[str], names: Mapping[Letter, str]) -> ReceptiveField:
    name = str(source.label)
    if isinstance(seen, str):
        return ReceptiveField(name, (), seen)
    shown = [(role, span, size) for role, span, size in zip(roles, seen, source.shape, strict=True) if role]
    axes = []
    for role, span, size in shown:
        least, most = width(span)
        all_of_it = is_whole(span, size)
        rise = slope(span.low)
        own = _own_letter(span, [other for _, other, _ in shown if other is not span])
        last = span.high if span.high is not None or not isinstance(size, int) else Affine((), size - 1)
        axes.append(
            FieldAxis(
                role=role,
                of=size if isinstance(size, int) else None,
                size=most,
                least=least,
                whole=all_of_it,
                stride=(rise if isinstance(rise, int) else int(rise) if rise.denominator == 1 else float(rise))
                if own
                else None,
                start=value(span.low, 0) if own or not span.low.terms else None,
                first=index_text(span.low, names),
                last="" if last is None else index_text(last, names),
                step=span.step,
                padded=_is_padded(span, size),
                at_most=span.at_most,
                places=tuple([_range_text(part, names) for part in span.parts]),
            )
        )
    return ReceptiveField(name, tuple(axes), "")


def _letters_of(span: AxisSpan) -> set[Letter]:
    ends = [end for part in span.parts or (span,) for end in (part.low, part.high) if end is not None]
    return {letter for end in ends for letter in letters_in(end)}


def _range_text(span: AxisSpan, names: Mapping[Letter, str]) -> str:
    first = index_text(span.low, names)
    last = "" if span.high is None else index_text(span.high, names)
    return first if first == last else f"{first} to {last}" if last else f"{first} on"


def _own_letter(span: AxisSpan, others: Sequence[AxisSpan]) -> bool:
    """Return whether the positions move along with one axis of the output, one that no other axis of the input moves
    with."""
    letters = _letters_of(span)
    remainders = any(isinstance(atom, Quotient) and atom.rest for atom, _ in span.low.terms)
    moves = bool(set(letters_in(span.low)))
    alone = not span.parts and len(letters) == 1
    return moves and alone and not remainders and all(letters.isdisjoint(_letters_of(o)) for o in others)


def _is_padded(span: AxisSpan, size: Size) -> bool:
    """Return whether some of the positions may lie outside the axis."""
    first, last = extremes(span.low)[0], None if span.high is None else extremes(span.high)[1]
    below = first is None or first < 0
    return below or (isinstance(size, int) and last is not None and last >= size)


# Receptive field words ----------------------------------------------------------------------------------------------
# Receptive fields in words: one wording for explanations and for columns.

UNKNOWN = "?"


def words(field: ReceptiveField, several: bool) -> str:
    """Return `one output element depends on 11 × 11 pixels of the input: rows 4i-5 to 4i+5, columns 4j-5 to 4j+5;
    neighbouring elements are 4 apart`."""
    of = f"'{field.input}'" if several else "the input"
    if field.unknown:
        return f"what one output element depends on in {of} is not known: {field.unknown}"
    axes = field.axes
    if not axes:
        return f"one output element depends on {of}"
    unit = _unit(axes)
    window = _window_text(axes)
    if all(axis.whole or _reaches_all(axis) for axis in axes):
        every = "" if None in [axis.of for axis in axes] else " × ".join(f"{axis.of} " for axis in axes)
        wide = f": its window of {window} covers them at every place" if any(map(_slides, axes)) else ""
        most = "" if all(axis.whole for axis in axes) else "up to "
        return f"one output element depends on {most}all {every.replace('  ', ' ')}{unit} of {of}{wide}"
    where = ", ".join(map(_where, axes))
    # How many varies without a rule that is known; the places say it.
    seen = unit if UNKNOWN in window else f"{seen_text(axes)} {unit}"
    if all(axis.size == 1 for axis in axes):
        most = "at most " if any(axis.at_most for axis in axes) else ""
        seen = f"{most}one {unit.removesuffix('s')}"
    wide = (
        f", in a window of {window}"
        if UNKNOWN not in window and any(_is_wider(axis) or axis.step > 1 for axis in axes)
        else ""
    )
    exist = ", where they exist" if any(axis.padded for axis in axes) else ""
    return f"one output element depends on {seen} of {of}{wide}: {where}{exist}{_apart(axes)}"


def _reaches_all(axis: FieldAxis) -> bool:
    """Return whether nothing of the axis is known not to be seen, though not all need be."""
    last = "" if axis.of is None else str(axis.of - 1)
    return axis.at_most and not axis.places and (axis.first, axis.last) == ("0", last)


def _slides(axis: FieldAxis) -> bool:
    """Return whether the window moves, though it always holds the whole axis."""
    return axis.stride is not None


def _unit(axes: Sequence[FieldAxis]) -> str:
    roles = [axis.role for axis in axes]
    if roles == ["rows", "columns"]:
        return "pixels"
    return "voxels" if roles == ["planes", "rows", "columns"] else roles[0] if len(roles) == 1 else "positions"


def _window_text(axes: Sequence[FieldAxis]) -> str:
    return " × ".join([_extent(axis) for axis in axes])


def field_text(axes: Sequence[FieldAxis]) -> str:
    """Return what `seen_text` does, and the size of the window where not each of its positions is seen: `3 × 3 in 5 ×
    5`."""
    return seen_text(axes) + (f" in {_window_text(axes)}" if any(axis.step > 1 for axis in axes) else "")


def seen_text(axes: Sequence[FieldAxis]) -> str:
    """Return how much is seen along each axis: `11 × 11`, `2 to 3` where it varies, `3 or more` where there is no end,
    `all` where the size of the axis is not known, `at most 8 × 8` where not all of it need be seen.

    It is never more than the axis has: what a window holds beyond it is padding.
    """
    most = "at most " if any(axis.at_most or (_is_wider(axis) and not axis.whole) for axis in axes) else ""
    return most + " × ".join(map(_seen, axes))


def _seen(axis: FieldAxis) -> str:
    return str(_counted(axis.of or 0, axis.step)) if _is_wider(axis) else _extent(axis, axis.step)


def _is_wider(axis: FieldAxis) -> bool:
    """Return whether the window has more positions than the axis."""
    return axis.size is not None and axis.of is not None and axis.size > axis.of


def _counted(size: int, step: int) -> int:
    return -(-size // step)


def _extent(axis: FieldAxis, step: int = 1) -> str:
    """Return the size of the window along an axis, or the number of every `step`-th position in it, padding
    included."""
    least = None if axis.least is None else _counted(max(axis.least, 0), step)
    if axis.size is None:
        return "all" if axis.whole else UNKNOWN if least is None else f"{least} or more"
    most = _counted(axis.size, step)
    return str(most) if axis.at_most or least in (most, None) else f"{least} to {most}"


def _where(axis: FieldAxis) -> str:
    if axis.whole and not _slides(axis):
        return f"all {axis.role}"
    if axis.places:
        return f"{axis.role} {in_a_row(axis.places)}"
    if axis.first == axis.last:
        return f"{axis.role.removesuffix('s')} {axis.first}"
    every = f", every {ordinal(axis.step)}" if axis.step > 1 else ""
    span = f"{axis.first} to {axis.last}" if axis.last else f"from {axis.first} on"
    return f"{axis.role} {span}{every}"


def _apart(axes: Sequence[FieldAxis]) -> str:
    moving = [axis for axis in axes if axis.stride]
    if not moving or all(axis.size == 1 and axis.stride == 1 for axis in moving):
        return ""
    strides = {axis.stride for axis in moving}
    if len(strides) == 1:
        apart = stride_text(moving[0])
    else:
        apart = " and ".join(f"{stride_text(axis)} {axis.role}" for axis in moving)
    average = (
        " on average"
        if any(isinstance(axis.stride, float) and axis.stride != int(axis.stride) for axis in moving)
        else ""
    )
    return f"; neighbouring elements are {apart} apart{average}"


def stride_text(axis: FieldAxis) -> str:
    """Return `4`, `1/2`, or nothing where neighbours see the same or there is no one number."""
    if not axis.stride:
        return ""
    if isinstance(axis.stride, int):
        return str(abs(axis.stride))
    fraction = Fraction(abs(axis.stride)).limit_denominator(1000)
    return str(fraction)
