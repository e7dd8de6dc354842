"""What one element of each layer's output sees of the model's inputs, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.element.scalars import choose, index_text
from layerexplain.derive.receptive_field.fields import Dependence, ReceptiveFields, Seen, source_view
from layerexplain.derive.receptive_field.spans import AxisSpan, extremes, is_whole, slope, value, width
from layerexplain.derive.roles import AxisRoles, Roles
from layerexplain.lang.axes import Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.scalar import Affine, Letter, Quotient, letters_in
from layerexplain.model import Layer, TensorRef
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import FLOATS, axis_roles, default_roles
from layerexplain.report.data import LayerReport
from layerexplain.report.explanation_data import FieldAxis, ReceptiveField
from layerexplain.report.receptive_field_words import words

Tensors = dict[TensorRef, Dependence]
Fields = tuple[ReceptiveField, ...]


MOST_INPUTS = 100
"""Receptive fields are derived for models with at most so many inputs."""


def with_receptive_fields(rows: Sequence[LayerReport], network: Network) -> tuple[LayerReport, ...]:
    """Return the rows, those inside nested models included, with their receptive fields; where a row has an
    explanation, it tells of them in words."""
    # Each layer has one for each input, which nobody reads of a thousand inputs.
    found = _FieldTracer(network).fields if len(network.model.inputs) <= MOST_INPUTS else {}
    several = len(network.model.inputs) > 1
    return tuple([_with_field(row, found, several) for row in rows])


def fields_of(network: Network) -> Mapping[str, Mapping[int, Fields]]:
    """Return the receptive fields of the first output of each call, by the path of its layer."""
    return _FieldTracer(network).fields


def _with_field(row: LayerReport, found: Mapping[str, Mapping[int, Fields]], several: bool) -> LayerReport:
    calls = found.get(row.path, {})
    explanation = row.explanation
    if explanation is not None and row.type != "InputLayer":
        numbered = [(number, words(one, several)) for number in sorted(calls) for one in calls[number]]
        alike = all(calls[number] == calls.get(0) for number in calls)
        lines = (
            [line for number, line in numbered if not number]
            if alike
            else [f"call {n + 1}: {line}" for n, line in numbered]
        )
        explanation = explanation._replace(receptive_field=tuple(lines))
    layers = tuple([_with_field(inner, found, several) for inner in row.layers])
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
        given = []
        taken = {ref: spec for call in network.calls for ref, spec in zip(call.sources, call.inputs, strict=False)}
        for ref in network.model.inputs:
            calls = network.calls_of(ref.layer)
            spec = calls[0].outputs[0] if calls and calls[0].outputs else taken.get(ref)
            leaf = tensor(ref.layer, *(((),) if spec is None else spec))
            self.roles[leaf] = _roles(leaf)
            unknown = Dependence((), {leaf: "the shape of the input is not known; give it with --input"})
            given.append(unknown if spec is None else source_view(leaf))
        self._network(network, given, ())

    def _network(self, network: Network, given: Sequence[Dependence | None], path: tuple[str, ...]) -> None:
        inputs = zip(network.model.inputs, given, strict=False)
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
        names = {one: chosen[letter] for one, letter in zip(view.letters, own, strict=False)}
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
                stride=(int(rise) if rise.denominator == 1 else float(rise)) if own else None,
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
    return {one for end in ends for one in letters_in(end)}


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
