"""Calls that have no formula (code that is not known, layers that refuse their tensors), and operations by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerexplain.call_binding import NOTHING_BOUND, bind_call
from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError, SpecError, WindowError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.names import identifier
from layerexplain.lang.opaque import opaque
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Note, TensorRef, tensor_refs, values_inside
from layerexplain.network.recorded_shapes import built_shape
from layerexplain.network.traced import Network, Origin, TracedCall, specs_of
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.layers.known_definitions import Outline
    from layerexplain.network.trials import Cure
    from layerexplain.network.walk import NetworkTracer


# Without formula ----------------------------------------------------------------------------------------------------

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
    if declaration is not None and isinstance(error, ShapeError):
        window = isinstance(error, WindowError)
        results = _cures(walk, call, declaration, sources, [spec for spec in specs if spec is not None], window=window)
        words = "; or ".join([cure.words for cure in results if cure.words])
        if not window:
            error.fact += "; " * bool(results) + words
        elif (
            isinstance(error, WindowError) and walk.faults.whole is not None and (words or not results)
        ):  # without words its own advice was tried
            error.because(words)
        if layer.kind != "custom":  # what a layer of the author's own takes may still not be what is meant
            error.edits = (*error.edits, *[cure.edit for cure in results if cure.edit is not None])
    if call.callers:
        error.fact += f"; called from {', '.join(call.callers)}"
    if isinstance(error, ArgumentError) and _is_open(walk, layer):
        error.fact = "one of its arguments is not known"
        with suppress(ShapeError):
            anyway = _outline(walk, layer, declaration, specs)

    def is_refused() -> bool:
        from layerexplain.network.cures import are_written

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
    from layerexplain.layers.known_definitions import is_left_open

    inside = [item for item in values_inside((*layer.config.values(),)) if isinstance(item, Layer)]
    open_here = {note.layer for note in walk.scope.model.notes if note.code == "open"}
    return any(other.name in open_here and any(map(is_left_open, other.config.values())) for other in (layer, *inside))


def _outline(
    walk: NetworkTracer, layer: Layer, declaration: Declaration | None, specs: Sequence[Spec | None]
) -> Outline | None:
    """Return what a layer gives whatever its arguments are that are not known."""
    if declaration is None or None in specs:
        return None
    from layerexplain.layers.known_definitions import outline

    def define(config: Mapping[str, Any], specs: Sequence[Spec | None]) -> Definition:
        return walk.define(declaration, layer._replace(config=config), NOTHING_BOUND, specs, ())

    return outline(declaration, layer.config, specs, define, has_open_sizes=walk.has_open_sizes)


def _cures(
    walk: NetworkTracer,
    call: Call,
    declaration: Declaration,
    sources: Sequence[TensorRef],
    specs: Sequence[Spec],
    *,
    window: bool,
) -> list[Cure]:
    """Return what would mend a call that refuses its tensors; none where nothing is known."""
    layer = walk.scope.layers[call.layer]
    if not specs or len(specs) != len(sources) or walk.faults.whole is None:
        return []
    if any(isinstance(value, list | tuple) and len(value) > 1000 for value in layer.config.values()):
        return []  # each cure that is tried would check them all again
    from layerexplain.network.cures import Refusal, cures
    from layerexplain.network.trials import Trials

    trials = walk.faults.trials = walk.faults.trials or Trials(*walk.faults.whole)
    refusal = Refusal(layer, declaration, sources, specs, walk.scope.layers, walk.calls)
    return cures(refusal, lambda cure: trials.tried(walk.scope, call, cure), window=window)


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
    from layerexplain.network.scope import opaque_note, why_opaque

    reason = why_opaque(layer) if refusal is None else refusal
    walk.reasons.setdefault(layer.name, reason)
    code = "opaque" if refusal is None else "not-derived"
    walk.note_once(layer, opaque_note(code, walk.scope.where(layer), reason, shapes, walk.scope.recorder))


def _numbered(stem: str, count: int) -> list[str]:
    return [stem] if count == 1 else [f"{stem}{i + 1}" for i in range(count)]


# Operation classes --------------------------------------------------------------------------------------------------
# Operations between layers as Keras 3 has them: the class and what it is made with, what it is called with, and the
# function of `keras.ops` that does both. operation_classes.txt says which is which; scripts/operation_classes.py
# writes it from the installed Keras.

INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "TrueDivide": "/", "FloorDivide": "//", "Mod": "%", "Power": "**",
    "Matmul": "@", "Less": "<", "LessEqual": "<=", "Greater": ">", "GreaterEqual": ">=",
}  # fmt: skip
"""Class → the operator of Python that makes it of two tensors, or of a tensor and a number."""


class OperationClass(NamedTuple):
    """A class of keras.src.ops: its module, its function behind `keras.ops.` with what that takes, the arguments that
    the class is made with by the names that the function has for them, and those that it is called with."""

    home: str
    function: str
    parameters: tuple[str, ...]
    config: Mapping[str, str]
    called: tuple[str, ...]

    def call(self, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments by name as those without a name, as far as they follow each other, and the others."""
        args: list[Any] = []
        kwargs = dict(given)
        for name in self.called:
            if name.startswith("*") and not name.startswith("**"):
                args += kwargs.pop(name[1:], ())
            elif name in kwargs:
                args.append(kwargs.pop(name))
            else:
                break
        return tuple(args), kwargs


@cache
def _table() -> Mapping[str, OperationClass]:
    lines = (Path(__file__).parent / "operation_classes.txt").read_text(encoding="utf-8").splitlines()
    table = {}
    for line in lines:
        type_, home, function, *lists = [part.strip() for part in line.split("|")]
        takes, made_with, called = [tuple([item for item in part.split(", ") if item]) for part in lists]
        pairs = [item.partition("=") for item in made_with]
        table[type_] = OperationClass(home, function, takes, {key: value or key for key, _, value in pairs}, called)
    return table


def operation(type_: str) -> OperationClass:
    """Return what Keras 3 has for a class of operations. Raises SpecError where it has none that a function makes.

    >>> operation("Clip").function, operation("LayerNorm").function, operation("Softmax").home
    ('clip', 'layer_normalization', 'nn')
    """
    operation = _table().get(type_)
    if operation is None:
        raise SpecError(f"keras.ops has no function for the operation {type_}")
    return operation


def todays_call(type_: str, config: Mapping[str, Any], call: Call) -> tuple[dict[str, Any], Call]:
    """Return what an operation is made with, and its call, as Keras 3 has them.

    A file gives what the class is made with and calls it with the rest; code gives the function's arguments in its
    order; a spec gives tensors in order and everything else by name.

    >>> from layerexplain.model import TensorRef
    >>> made, call = todays_call("Einsum", {}, Call("e", 0, ("ij,jk->ik", TensorRef("a"), TensorRef("b")), {}))
    >>> made, len(call.args)
    ({'subscripts': 'ij,jk->ik'}, 2)
    """
    known = operation(type_)
    given = {**dict(config), **{key: value for key, value in call.kwargs.items() if key != "name"}}
    more = [name for name in known.parameters if name.startswith("**")]
    names = {value: key for key, value in known.config.items()}  # by the function's names
    waiting = list(call.args)
    for name in known.parameters:
        if not waiting or name.startswith("**"):
            break
        if name.startswith("*"):
            flat = waiting[0] if len(waiting) == 1 and isinstance(waiting[0], list) else waiting
            given[name[1:]], waiting = list(flat), []
        elif names.get(name, name) in given or (name in names and is_tensor(waiting[0])):
            continue  # a tensor is not what a class is made with: Keras calls the class with the tensors alone
        else:
            given[names.get(name, name)] = waiting.pop(0)
    if waiting:
        raise SpecError(f"{type_} is called with more arguments than keras.ops.{known.function} takes")
    if more and isinstance(given.get(more[0][2:]), Mapping):
        given.update(given.pop(more[0][2:]))
    config_today = {names.get(key, key): value for key, value in given.items() if names.get(key, key) in known.config}
    rest = {key: value for key, value in given.items() if names.get(key, key) not in known.config}
    called = [name.lstrip("*") for name in known.called]
    # What Keras stores as None or False, and its function does not take, is left out.
    said = (key for key, value in rest.items() if key not in called and value is not None and value is not False)
    unknown = None if more else next(said, None)
    if unknown is not None:
        raise SpecError(f"keras.ops.{known.function} has no argument {unknown}")
    args, kwargs = known.call({key: value for key, value in rest.items() if key in called or more})
    return config_today, call._replace(
        args=args, kwargs={key: value for key, value in kwargs.items() if value is not None}
    )


def is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor or an array in place of one, or holds some."""
    if isinstance(value, ConstantArray):
        return True
    if isinstance(value, list | tuple):
        return any(True for _ in tensor_refs(value)) or any(map(is_tensor, value))
    return any(True for _ in tensor_refs(value))


def function_arguments(type_: str, config: Mapping[str, Any], call: Call) -> tuple[list[Any], dict[str, Any]]:
    """Return what the function of `keras.ops` is given for an operation in today's words: without names and by name."""
    known = operation(type_)
    names = [name for name in known.called if not name.startswith("**")]
    by_name: dict[str, Any] = dict(call.kwargs)
    waiting = list(call.args)
    for name in names:
        if name.startswith("*"):
            by_name[name], waiting = waiting, []
        elif waiting:
            by_name[name] = waiting.pop(0)
    by_name.update({known.config[key]: value for key, value in config.items()})
    front: list[Any] = []
    in_front = any(name.startswith("*") and not name.startswith("**") for name in known.parameters)
    settings = set(known.config.values())
    for name in known.parameters:
        if name not in by_name or (name in settings and not in_front):
            break
        if name.startswith("*"):  # what follows has a name
            front += by_name.pop(name)
            break
        front.append(by_name.pop(name))
    return front, by_name


_ASKED = {"SVD": ("compute_uv",), "Unique": ("return_index", "return_inverse", "return_counts")}
"""Operations that give one tensor by itself where none of these arguments is true."""


def gives_several(type_: str, config: Mapping[str, Any]) -> bool:
    """Return whether an operation gives a list or a tuple of tensors, be it one of one tensor.

    >>> gives_several("Split", {}), gives_several("TopK", {}), gives_several("Exp", {})
    (True, True, False)
    >>> gives_several("Unique", {}), gives_several("Unique", {"return_counts": True})
    (False, True)
    """
    declaration = find(f"ops.{type_}")
    if declaration is None or declaration.facts.results == 1:
        return False
    asked = _ASKED.get(type_, ())
    return not asked or any(config.get(name, declaration.default_values.get(name)) for name in asked)
