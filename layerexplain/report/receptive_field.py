"""What one element of each layer's output sees of the model's inputs, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from layerexplain.derive.element_text import index_text
from layerexplain.derive.index_letters import LETTERS, OTHERS
from layerexplain.derive.receptive_field import ReceptiveFields, Seen, View, source_view
from layerexplain.derive.spans import Span, is_whole, letters_in, slope, value, width
from layerexplain.expr import Expr, tensor
from layerexplain.model import Layer, Model, TensorRef
from layerexplain.ops.sizes import FLOATS, default_roles
from layerexplain.report.data import FieldAxis, LayerReport, ReceptiveField
from layerexplain.report.traced import Network, TracedCall
from layerexplain.scalar import Affine, Letter, Quotient

Tensors = dict[TensorRef, View]


def with_receptive_fields(rows: Sequence[LayerReport], network: Network) -> tuple[LayerReport, ...]:
    """The rows, those inside nested models included, with their receptive fields; where a row has an explanation, it
    tells of them in words."""
    found = _Walk(network).fields
    several = len(network.model.inputs) > 1
    return tuple([_with_field(row, found, several) for row in rows])


def _with_field(row: LayerReport, found: Mapping[str, tuple[ReceptiveField, ...]], several: bool) -> LayerReport:
    fields = found.get(row.path, ())
    explanation = row.explanation
    if explanation is not None and row.type != "InputLayer":
        explanation = explanation._replace(receptive_field=tuple([words(one, several) for one in fields]))
    layers = tuple([_with_field(inner, found, several) for inner in row.layers])
    return row._replace(receptive_field=fields, layers=layers, explanation=explanation)


class _Walk:
    """One walk through a model and those inside it. `fields` are by the path of the row; a layer's are those of the
    first output of its first call."""

    def __init__(self, network: Network) -> None:
        self.views = ReceptiveFields()
        self.fields: dict[str, tuple[ReceptiveField, ...]] = {}
        self.roles: dict[Expr, tuple[str, ...]] = {}
        channels_first = _is_channels_first(network.model)
        given = []
        for ref in network.model.inputs:
            made = next((c for c in network.calls if c.call.layer == ref.layer), None)
            spec = made.outputs[0] if made is not None and made.outputs else None
            leaf = tensor(ref.layer, () if spec is None else spec.shape, "float" if spec is None else spec.dtype)
            self.roles[leaf] = _roles(leaf, channels_first)
            unknown = View((), {leaf: "the shape of the input is not known; fix it with --input"})
            given.append(unknown if spec is None else source_view(leaf))
        self._network(network, given, ())

    def _network(self, network: Network, given: Sequence[View], path: tuple[str, ...]) -> None:
        tensors: Tensors = dict(zip(network.model.inputs, given, strict=False))
        layers = {layer.name: layer for layer in network.model.layers}
        for made in network.calls:
            name = made.call.layer
            args = [tensors[ref] for ref in made.sources if ref in tensors]
            first = made.call.index == 0
            if layers[name].type != "InputLayer":
                for i, view in enumerate(self._results(made, args, layers[name])):
                    tensors[TensorRef(name, made.call.index, i)] = view
            result = tensors.get(TensorRef(name, made.call.index, 0))
            if first and result is not None:
                self.fields["/".join((*path, name))] = self._described(result)
            if first and made.network is not None:
                self._network(made.network, args, (*path, name))

    def _results(self, made: TracedCall, args: Sequence[View], layer: Layer) -> list[View]:
        if made.definition is not None and not made.built:
            return self.views.called(made.definition, args)
        reason = f"what '{layer.name}' computes is not known"
        seen: dict[Expr, Seen] = {}
        for view in args:
            # The first that cannot be seen into is why all behind it are unknown.
            seen |= {source: spans if isinstance(spans, str) else reason for source, spans in view.seen.items()}
        return [View((), seen)] * max(len(made.outputs), 1)

    def _described(self, view: View) -> tuple[ReceptiveField, ...]:
        return tuple([_field(source, seen, self.roles[source]) for source, seen in view.seen.items()])


def _is_channels_first(model: Model) -> bool:
    layers = list(model.layers)
    for layer in layers:  # grows as it is read
        if layer.config.get("data_format") == "channels_first":
            return True
        layers += layer.model.layers if layer.model is not None else ()
    return False


def _roles(leaf: Expr, channels_first: bool) -> tuple[str, ...]:
    """What the axes of a model's input are; "" are those of no interest: the batch, and channels beside others."""
    if leaf.ndim == 2:
        return ("", "features" if leaf.dtype in FLOATS else "steps")
    roles = default_roles(leaf.ndim)
    if channels_first and leaf.ndim > 1:
        return ("", "", *roles[1:-1])
    return ("", *roles[1:-1], "") if leaf.ndim > 2 else ("",) * leaf.ndim


# In numbers -----------------------------------------------------------------------------------------------------


def _field(source: Expr, seen: Seen, roles: Sequence[str]) -> ReceptiveField:
    name = str(source.label)
    if isinstance(seen, str):
        return ReceptiveField(name, (), seen)
    shown = [(role, span, size) for role, span, size in zip(roles, seen, source.shape, strict=True) if role]
    names = _names([(role, span) for role, span, _ in shown])
    axes = []
    for role, span, size in shown:
        least, most = width(span)
        all_of_it = is_whole(span, size)
        own = _own_letter(span, [other for _, other, _ in shown if other is not span])
        last = span.high if span.high is not None or not isinstance(size, int) else Affine((), size - 1)
        axes.append(
            FieldAxis(
                role=role,
                of=size if isinstance(size, int) else None,
                size=most,
                least=least,
                whole=all_of_it,
                stride=_number(slope(span.low)) if own else None,
                start=value(span.low, 0) if own or not span.low.terms else None,
                first=index_text(span.low, names),
                last="" if last is None else index_text(last, names),
            )
        )
    return ReceptiveField(name, tuple(axes), "")


def _letters_of(span: Span) -> set[Letter]:
    return {*letters_in(span.low), *(letters_in(span.high) if span.high is not None else ())}


def _own_letter(span: Span, others: Sequence[Span]) -> bool:
    """Whether the positions move along with one axis of the output, one that no other axis of the input moves with."""
    letters = _letters_of(span)
    remainders = any(isinstance(atom, Quotient) and atom.rest for atom, _ in span.low.terms)
    moves = bool(set(letters_in(span.low)))
    return moves and len(letters) == 1 and not remainders and all(letters.isdisjoint(_letters_of(o)) for o in others)


def _names(spans: Sequence[tuple[str, Span]]) -> dict[Letter, str]:
    """Index letters: that of the axis' role, or one for all axes that are laid out in one."""
    names: dict[Letter, str] = {}
    for role, span in spans:
        for letter in sorted(_letters_of(span), key=lambda one: -(one.size or 0)):
            if letter not in names:
                alone = sum(letter in _letters_of(other) for _, other in spans) == 1
                wanted = LETTERS.get(role, OTHERS)[:1] if alone else "k"
                taken = set(names.values())
                names[letter] = next(c for c in (*wanted, *OTHERS) if c not in taken)
    return names


def _number(fraction: Fraction) -> float:
    return fraction.numerator if fraction.denominator == 1 else float(fraction)


# In words -------------------------------------------------------------------------------------------------------


def words(field: ReceptiveField, several: bool) -> str:
    """`one output element sees 11 × 11 pixels of the input: rows 4i-5 to 4i+5, columns 4j-5 to 4j+5; neighbours are 4
    apart`."""
    of = f"'{field.input}'" if several else "the input"
    if field.unknown:
        return f"what one output element sees of {of} is not known: {field.unknown}"
    axes = field.axes
    if not axes:
        return f"one output element sees {of}"
    unit = _unit(axes)
    sizes = " × ".join(map(size_text, axes))
    if all(axis.whole for axis in axes):
        every = "" if None in [axis.of for axis in axes] else " × ".join(f"{axis.of} " for axis in axes)
        wide = f": its window of {sizes} holds them wherever it stands" if any(map(_slides, axes)) else ""
        return f"one output element sees all {every.replace('  ', ' ')}{unit} of {of}{wide}"
    where = ", ".join(map(_where, axes))
    seen = f"one {unit.removesuffix('s')}" if all(axis.size == 1 for axis in axes) else f"{sizes} {unit}"
    return f"one output element sees {seen} of {of}: {where}{_apart(axes)}"


def _slides(axis: FieldAxis) -> bool:
    """Whether the window moves, though it always holds the whole axis."""
    return axis.stride is not None


def _unit(axes: Sequence[FieldAxis]) -> str:
    roles = [axis.role for axis in axes]
    if roles == ["rows", "columns"]:
        return "pixels"
    return "voxels" if roles == ["planes", "rows", "columns"] else roles[0] if len(roles) == 1 else "positions"


def size_text(axis: FieldAxis) -> str:
    """`11`, `2 to 3` where it varies, `all` where not even the axis' size is known, `?`."""
    if axis.size is None:
        return "all" if axis.whole else "?" if axis.least is None else f"{axis.least} or more"
    return f"{axis.size}" if axis.least in (axis.size, None) else f"{max(axis.least or 0, 0)} to {axis.size}"


def _where(axis: FieldAxis) -> str:
    if axis.whole and not _slides(axis):
        return f"all {axis.role}"
    if axis.first == axis.last:
        return f"{axis.role.removesuffix('s')} {axis.first}"
    return f"{axis.role} {axis.first} to {axis.last}" if axis.last else f"{axis.role} from {axis.first} on"


def _apart(axes: Sequence[FieldAxis]) -> str:
    moving = [axis for axis in axes if axis.stride]
    if not moving or all(axis.size == 1 and axis.stride == 1 for axis in moving):
        return ""
    strides = {axis.stride for axis in moving}
    if len(strides) == 1:
        apart = stride_text(moving[0])
    else:
        apart = " and ".join(f"{stride_text(axis)} {axis.role}" for axis in moving)
    average = " on average" if any(axis.stride != int(axis.stride or 0) for axis in moving) else ""
    return f"; neighbours are {apart} apart{average}"


def stride_text(axis: FieldAxis) -> str:
    """`4`, `1/2`, or nothing where neighbours see the same or there is no one number."""
    if not axis.stride:
        return ""
    fraction = Fraction(abs(axis.stride)).limit_denominator(1000)
    return str(fraction)
