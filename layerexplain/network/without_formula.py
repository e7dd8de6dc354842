"""Calls that have no formula: of code that is not known, of layers that refuse their tensors, and behind these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from layerexplain.call_binding import NOTHING_BOUND, bind_call
from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError, WindowError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.names import identifier
from layerexplain.lang.opaque import opaque
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.model import Call, Layer, Note, TensorRef, values_inside
from layerexplain.network.recorded_shapes import built_shape
from layerexplain.network.traced import Network, Origin, TracedCall, specs_of

if TYPE_CHECKING:
    from layerexplain.layers.open_arguments import Outline
    from layerexplain.network.cures import Cure
    from layerexplain.network.walk import NetworkTracer

# No layer was ever built with more tensors than this.
_MOST_BUILT = 1000


def built(walk: NetworkTracer, layer: Layer) -> TracedCall:
    """Return a layer without a call in the file, at the shapes recorded when it was built."""
    call = Call(layer.name, 0, (), {})
    network = definition = origin = None
    specs: list[Spec | None] = []
    declaration = walk.scope.declaration(layer)
    try:
        if layer.model is not None:
            network = walk.enter(walk.scope.inside(layer), (), ())
        elif declaration is not None and not declaration.facts.runs_code and layer.type != "InputLayer":
            while len(specs) < _MOST_BUILT and (shape := built_shape(layer, len(specs))) is not None:
                specs.append(Spec(shape, "float"))
            if specs:
                definition = walk.define(declaration, layer, NOTHING_BOUND, specs, ())
                origin = Origin(NOTHING_BOUND, tuple(specs))
        elif layer.kind == "layer":
            _note_reason(walk, layer, None)
    except LayerExplainError as error:
        _note_reason(walk, layer, error.fact)
    outputs = (None,) if definition is None else specs_of(definition.results.values())
    inputs = tuple(specs)
    return TracedCall(call, (), inputs, outputs, definition, None, network, True, None, declaration, origin)


def opaque_call(
    walk: NetworkTracer,
    call: Call,
    layer: Layer,
    declaration: Declaration | None,
    reason: str | None = None,
    anyway: Outline | None = None,
) -> TracedCall:
    """Call a layer that we cannot see into: the shapes are those that were recorded, or the results and masks that
    it has `anyway`."""
    sources = call.refs
    tensors = [walk.tensors.taken(layer, ref, i) for i, ref in enumerate(sources)]
    known = [t for t in tensors if t is not None]
    inputs = tuple([None if t is None else t.bare_spec for t in tensors])
    recorded = walk.tensors.recorded(call)
    shapes = "recorded" if any(recorded) and not walk.scope.strict else "unknown"
    if not recorded and anyway is not None:
        recorded = [*anyway.results.values()]
        walk.has_open_sizes |= not anyway.is_whole
    if not recorded and known and layer.kind == "layer":
        from layerexplain.layers.keras.opaque_layers import known_result

        result = known_result(layer.type, layer.config, known[0].expr.shape)
        recorded = [] if result is None else [Spec(*result)]
    all_known = [spec for spec in recorded if spec is not None]
    if len(all_known) < len(recorded):
        shapes = "partly" if shapes == "recorded" else shapes
    elif shapes == "unknown" and recorded:
        shapes = "known"
    if anyway is None:
        _note_reason(walk, layer, reason, shapes)
    else:  # the reader of the code says which argument it is
        walk.reasons.setdefault(layer.name, reason or "")
    # A Lambda without a mask of its own loses what reaches it; what an unknown layer does is not known.
    loses = declaration is not None and declaration.facts.runs_code and layer.config.get("mask") is None
    mask = next((t.mask.source for t in known if loses and t.mask.expr is not None), None)
    if not recorded or len(all_known) < len(recorded) or len(known) != len(tensors):
        walk.tensors.put_recorded(call, recorded)
        return TracedCall(call, sources, inputs, tuple(recorded) or (None,), mask=mask, declaration=declaration)
    given = zip(_numbered("x", len(known)), known, strict=True)
    params = tuple([tensor(name, t.expr.shape, t.expr.dtype) for name, t in given])
    masks: Sequence[Expr | None] = ()
    if anyway is not None and len(anyway.params) == len(params):
        params, masks = anyway.params, anyway.masks
    type_ = identifier(layer.type)
    results = {
        name: Expr(opaque, params, {"name": type_, "shape": spec.shape}, spec.shape, spec.dtype)
        for name, spec in zip(_numbered("y", len(all_known)), all_known, strict=True)
    }
    definition = Definition(snake_case(layer.type) or "layer", params, (), results, kind="opaque", masks=tuple(masks))
    node, outputs, _ = walk.results(call, layer, definition, [t.expr for t in known])
    return TracedCall(call, sources, inputs, outputs, definition, mask, node=node, declaration=declaration)


def failed(
    walk: NetworkTracer, call: Call, layer: Layer, declaration: Declaration | None, error: LayerExplainError
) -> TracedCall:
    """Return a layer that cannot be what it says: an error in a spec, a note in a file that some program wrote."""
    sources = call.refs
    at = call if call.line else layer
    error.with_place(layer=walk.scope.where(layer), line=at.line, column=at.column, source=at.file or None)
    tensors = [walk.tensors.get(ref) for ref in sources]
    specs = [None if t is None else t.spec for t in tensors]
    anyway: Outline | None = None
    if walk.has_open_sizes and any(None in spec.shape for spec in specs if spec is not None):
        with suppress(ShapeError):
            anyway = _outline(walk, layer, declaration, specs)
        if not any(note.code == "open" for note in walk.scope.model.notes):  # nothing else says what is missing
            words = "a size of its input is not known; give the shape of the model's input with --input"
            walk.notes.append(Note("not-derived", walk.scope.where(layer), words))
        if anyway is None:
            return unknown(walk, call, declaration, tuple(sources))
        return opaque_call(walk, call, layer, declaration, "a size of its input is not known", anyway)
    if isinstance(error, WindowError):
        _name_cause(walk, error, sources)
    elif declaration is not None and isinstance(error, ShapeError):
        found = _cures(walk, layer, declaration, sources, [spec for spec in specs if spec is not None])
        error.fact += "; " * bool(found) + "; or ".join([cure.words for cure in found])
        if layer.kind != "custom":  # what a layer of the author's own takes may still not be what is meant
            error.edits = (*error.edits, *[cure.edit for cure in found if cure.edit is not None])
    if call.callers:
        error.fact += f"; called from {', '.join(call.callers)}"
    if isinstance(error, ArgumentError) and _is_open(walk, layer):
        error.fact = "one of its arguments is not known"
        with suppress(ShapeError):
            anyway = _outline(walk, layer, declaration, specs)

    def is_refused() -> bool:
        from layerexplain.network.open_inputs import are_written

        if declaration is None or layer.kind != "layer" or not isinstance(error, ShapeError):
            return False
        if walk.faults.of_code and are_written(sources, walk.scope.layers, walk.calls):
            return True
        try:
            bound = bind_call(declaration, call)
        except LayerExplainError:
            return False
        given = [None if ref is None else walk.tensors.get(ref) for ref in bound.tensors]
        known = [None if t is None else t.spec for t in given]
        return walk.guesses.are_refused(layer, declaration, bound, known)

    walk.faults.keep(error, specs, layer.kind, is_refused)
    if declaration is not None:
        walk.guesses.after(layer, call.index, declaration, sources, specs)
    if not walk.scope.strict:
        return opaque_call(walk, call, layer, declaration, error.fact, anyway)
    walk.notes.append(Note("not-derived", error.layer, error.fact))
    walk.tensors.put_recorded(call, [])
    return TracedCall(call, sources, tuple(specs), declaration=declaration)


def _is_open(walk: NetworkTracer, layer: Layer) -> bool:
    """Return whether code leaves an argument of a layer open, or of one in it."""
    from layerexplain.layers.open_arguments import is_left_open

    inside = [one for one in values_inside((*layer.config.values(),)) if isinstance(one, Layer)]
    open_here = {note.layer for note in walk.scope.model.notes if note.code == "open"}
    return any(one.name in open_here and any(map(is_left_open, one.config.values())) for one in (layer, *inside))


def _outline(
    walk: NetworkTracer, layer: Layer, declaration: Declaration | None, specs: Sequence[Spec | None]
) -> Outline | None:
    """Return what a layer gives whatever its arguments are that are not known."""
    if declaration is None or None in specs:
        return None
    from layerexplain.layers.open_arguments import outline

    def define(config: Mapping[str, Any], given: Sequence[Spec | None]) -> Definition:
        return walk.define(declaration, layer._replace(config=config), NOTHING_BOUND, given, ())

    return outline(declaration, layer.config, specs, define, has_open_sizes=walk.has_open_sizes)


def _name_cause(walk: NetworkTracer, error: WindowError, sources: Sequence[TensorRef]) -> None:
    """Say of a window that does not fit what is likelier than that it is too large."""
    from layerexplain.network.cures import images_with_channels_first

    cause = next(filter(None, [images_with_channels_first(ref, walk.calls) for ref in sources]), "")
    if cause:
        error.because(cause)


def _cures(
    walk: NetworkTracer, layer: Layer, declaration: Declaration, sources: Sequence[TensorRef], specs: Sequence[Spec]
) -> list[Cure]:
    """Return what would mend a layer that refuses its tensors; none where nothing is known."""
    if not specs or len(specs) != len(sources):
        return []
    if any(isinstance(value, list | tuple) and len(value) > 1000 for value in layer.config.values()):
        return []  # each cure that is tried would check them all again
    from layerexplain.network import open_inputs
    from layerexplain.network.cures import Refusal, cures

    def attempt(one: Layer, of: Declaration, given: Sequence[Spec]) -> Definition | None:
        faults = len(walk.faults.found)
        try:
            definition = walk.define(of, one, NOTHING_BOUND, given, ())
            return definition if walk.expression.has_weights_for(one, definition) else None
        except LayerExplainError:
            return None
        finally:  # what layers of a model inside say of shapes that are only tried is no fault of the model
            del walk.faults.found[faults:]

    refusal = Refusal(layer, declaration, sources, specs, walk.scope.layers, walk.calls, attempt)
    return [*open_inputs.cures(refusal)] if open_inputs.is_cause(refusal) else cures(refusal)


def unknown(
    walk: NetworkTracer,
    call: Call,
    declaration: Declaration | None,
    refs: tuple[TensorRef, ...],
    network: Network | None = None,
) -> TracedCall:
    """Return the shapes that reach a layer are not known, so neither is anything about it."""
    inputs = tuple([None if (t := walk.tensors.get(ref)) is None else t.bare_spec for ref in refs])
    recorded = walk.tensors.recorded(call)
    walk.tensors.put_recorded(call, recorded)
    outputs = tuple(recorded) or (None,)
    return TracedCall(call, refs, inputs, outputs, network=network, declaration=declaration)


def _note_reason(walk: NetworkTracer, layer: Layer, refusal: str | None, shapes: str = "unknown") -> None:
    """Note why a layer has no formula: what its declaration refused, or that it has none; `shapes` as in
    `opaque_note`."""
    from layerexplain.network.notes import opaque_note, why_opaque

    reason = why_opaque(layer) if refusal is None else refusal
    walk.reasons.setdefault(layer.name, reason)
    code = "opaque" if refusal is None else "not-derived"
    walk.note_once(layer, opaque_note(code, walk.scope.where(layer), reason, shapes, walk.scope.recorder))


def _numbered(stem: str, count: int) -> list[str]:
    return [stem] if count == 1 else [f"{stem}{i + 1}" for i in range(count)]
