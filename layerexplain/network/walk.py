"""One walk through a model, call by call: tensors, masks and shared weights are wired as the layers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.call_binding import BoundCall, bind_call, given_masks
from layerexplain.errors import ArgumentError, LayerExplainError, NotKnown, ShapeError
from layerexplain.frontends.model_builder import in_order
from layerexplain.lang.axes import Batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, item, tensor
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.model import Call, CallKey, Layer, Model, Note, TensorRef, tensor_refs
from layerexplain.network.expression import ModelExpression
from layerexplain.network.input_layouts import with_roles
from layerexplain.network.masks import Masks, as_keras_runs, mask_sources
from layerexplain.network.recorded_shapes import NO_MASK, Mask, RecordedTensor, Tensors, cross_checks, model_input
from layerexplain.network.scope import Scope, Specs, input_count
from layerexplain.network.traced import Network, Origin, TracedCall, specs_of
from layerexplain.ops.sizes import agree, shape_text
from layerexplain.stopping import ask

if TYPE_CHECKING:
    from layerexplain.network.definitions import Define, Enter
    from layerexplain.network.faults import Guesses
    from layerexplain.network.recorded_shapes import ShapeValues
    from layerexplain.network.trials import Trials


class Faults:
    """The faults found while a model is traced. Those of a spec that a person wrote (`strict`) are kept each once,
    `known` being what its reader found; of a file that some program wrote those of a layer of Keras's own that refuses
    an input of known sizes; of `code` also those of its arguments."""

    def __init__(self, *, strict: bool = False, known: Sequence[LayerExplainError] = (), code: bool = False) -> None:
        self._strict = strict
        self.of_code = code
        self._known = frozenset([_without_cure(fault) for fault in known])
        self.found: list[LayerExplainError] = []
        self.whole: tuple[Any, Model, Specs] | None = None
        self.trials: Trials | None = None
        """What traces the model, it, and the specs of its inputs, where faults say what mends them; what was tried."""

    def keep(
        self, error: LayerExplainError, specs: Specs, kind: str, is_refused: Callable[[], bool] = lambda: False
    ) -> None:
        """Keep the fault of a layer that takes tensors of these specs; `is_refused` says whether it refuses them
        also where sizes are open."""
        if self._strict:
            results = {(item.fact, item.line) for item in self.found}
            follows = isinstance(error, NotKnown) and (self.found or self._known)
            if _without_cure(error) not in self._known and (error.fact, error.line) not in results and not follows:
                self.found.append(error.as_data())
        elif (
            _without_cure(error) not in self._known
            and (
                isinstance(error, ShapeError)
                or (self.of_code and kind != "custom" and isinstance(error, ArgumentError))
            )
            and (
                all(spec is not None and all(isinstance(size, int | Batch) for size in spec.shape) for spec in specs)
                or is_refused()
            )
        ):
            self.found.append(error.as_data())


def _without_cure(error: LayerExplainError) -> str:
    return error.fact.partition("; ")[0]


class NetworkTracer:
    """One walk through a model. `define` makes the definition of a layer, `enter` traces a nested model."""

    def __init__(
        self, scope: Scope, specs: Specs, masks: Specs, define: Define, enter: Enter, faults: Faults, *, linked: bool
    ) -> None:
        self.scope = scope
        self.define = define
        self.enter = enter
        self.faults = faults
        self.given = dict(zip(scope.model.inputs, specs, strict=False))
        self.given_masks = dict(zip(scope.model.inputs, masks, strict=False))
        self.tensors = Tensors(scope)
        self.sizes: ShapeValues | None = None
        self.masks = Masks(self.tensors, keras_2=scope.keras_2)
        self.expression = ModelExpression(scope.model, linked)
        self.notes: list[Note] = list(scope.model.notes)
        self.noted: set[tuple[str, str]] = set()
        self.reasons: dict[str, str] = {}
        self.calls: dict[CallKey, TracedCall] = {}
        self.has_open_sizes = False
        """Whether a size is None that depends on an argument that is not known."""

    @property
    def guesses(self) -> Guesses:
        """What is guessed of the tensors behind a fault: kept by the scope, so that few models load the rules."""
        from layerexplain.network.faults import Guesses

        return Guesses(self.scope, self.define)

    def network(self) -> Network:
        """Walk all calls. Raises `SpecError` for wires that make no graph."""
        model = self.scope.model
        for ref in model.inputs:
            if ref.layer not in self.scope.layers:
                self._input_tensor(ref)
        for weight in model.weights:
            self.tensors[TensorRef(weight.name)] = self.expression.weight(weight)
        order = in_order(model)
        for run in as_keras_runs(model, order):
            self.calls[run.key] = self._call(run)
        calls = [self.calls[call.key] for call in order]
        if len(calls) < len(model.layers):
            called = {c.call.layer for c in calls}
            from layerexplain.network.without_formula import built

            calls += [built(self, layer) for layer in model.layers if layer.name not in called]
        self.notes += cross_checks(model, calls, self.scope.path)
        definition = self.expression.definition(self.tensors)
        network = Network(
            model, tuple(calls), definition, tuple(self.notes), reasons=self.reasons, guesses=self.scope.guesses
        )
        return self._with_lost_masks(network) if any([c.mask is not None for c in calls]) else network

    def _with_lost_masks(self, network: Network) -> Network:
        """Add the masks that layers lose, with a note on each that a later layer misses."""
        from layerexplain.network.masks import lost_masks, lost_words

        lost = lost_masks(network, self.tensors)
        notes = [
            Note(
                "mask-lost", self.scope.where(network.layer(name)), f"the mask of '{mask.source}' is {lost_words(mask)}"
            )
            for name, mask in lost.items()
            if mask.readers
        ]
        return network._replace(notes=(*network.notes, *notes), lost=lost)

    # One call ---------------------------------------------------------------------------------------------------

    def _call(self, call: Call) -> TracedCall:
        ask()
        layer = self.scope.layers[call.layer]
        if layer.type == "InputLayer":
            return self._input(call, layer)
        declaration = self.scope.declaration(layer)
        try:
            if layer.model is not None:
                return self._nested(call, layer)
            # Code that is called has the shape that the file recorded, which its declaration does not know.
            if declaration is not None and not declaration.facts.runs_code:
                return self._declared(call, layer, declaration)
        except LayerExplainError as error:
            from layerexplain.network.without_formula import failed

            return failed(self, call, layer, declaration, error)
        from layerexplain.network.without_formula import opaque_call

        return opaque_call(self, call, layer, declaration)

    def _input(self, call: Call, layer: Layer) -> TracedCall:
        known = self._input_tensor(TensorRef(layer.name, call.index, 0))
        self.has_open_sizes |= known is not None and bool(layer.config.get("implied")) and None in known.expr.shape
        return TracedCall(call) if known is None else TracedCall(call, outputs=(known.spec,), node=known.expr)

    def _input_tensor(self, ref: TensorRef) -> RecordedTensor | None:
        """Return a tensor that comes from outside of the model; None where its shape is not known."""
        spec = self.given.get(ref) or model_input(self.scope.model, ref)
        known = None
        if spec is not None:
            known = self.expression.input(ref, with_roles(self.scope, ref, spec), self.given_masks.get(ref))
        self.tensors[ref] = known
        return known

    def _declared(self, call: Call, layer: Layer, declaration: Declaration) -> TracedCall:
        bound = bind_call(declaration, self._with_sizes(layer, call) if layer.kind == "operation" else call)
        if call.kwargs and "query_mask" in declaration.ignores and type(call.kwargs.get("query_mask")) is TensorRef:
            from layerexplain.network.scope import unread_mask_note

            self.notes.append(unread_mask_note(self.scope.where(layer)))
        if len(bound.tensors) == 1 and not bound.masks and (ref := bound.tensors[0]) is not None:
            known = self.tensors.taken(layer, ref, 0)
            if known is not None and known.mask.expr is None and not declaration.alone:
                return self._plain(call, layer, declaration, bound, ref, known)
        tensors = [self.tensors.taken(layer, ref, i) for i, ref in enumerate(bound.tensors)]
        refs = tuple([ref for ref in bound.tensors if ref is not None])
        result = [t for t in tensors if t is not None]
        specs = [None if t is None else t.spec for t in tensors]
        if len(result) != len(refs):
            from layerexplain.network.without_formula import unknown

            if self.scope.strict:
                self.guesses.look(layer, call.index, declaration, bound, specs)
            return unknown(self, call, declaration, refs)
        if declaration.alone and isinstance(call.args[0] if call.args else None, TensorRef) and len(refs) == 1:
            raise ShapeError(f"{declaration.type} {declaration.alone.format(shape=shape_text(result[0].expr.shape))}")
        built = list(self.masks.when_built(bound, tensors))
        masks = seen = self.masks.when_run(declaration, bound, built)
        passed_over = self.masks.passed_over(declaration, bound, masks)
        if passed_over is not None:
            masks = []
            from layerexplain.network.scope import passed_over_note

            self.note_once(layer, passed_over_note(passed_over.source, self.scope.where(layer)))
        reads = declaration.reads_mask or declaration.reads_masks or callable(declaration.mask)
        mask_specs = [mask.spec for mask in masks] if reads else []
        definition = self.define(declaration, layer, bound, specs, mask_specs)
        count = len(definition.params) - len(result)
        passed = [m.expr for m in masks if m.expr is not None][:count] if reads else []
        source = next((m.source for m in masks if m.expr is not None), None)
        handed = masks[0] if masks and self.masks.passes_through(declaration) else NO_MASK
        if passed_over is not None and next(iter(definition.results.values())).ndim == definition.params[0].ndim:
            handed = passed_over
        args = [*[t.expr for t in result], *passed]
        node, outputs, results = self.results(call, layer, definition, args, handed, source)
        if seen != built:
            self.masks.keep_lost(results[0], declaration, layer, bound, tensors, built)
            words = self.masks.taken_off_words(built, seen)
            if words is not None:
                self.notes.append(Note("mask-taken-off", self.scope.where(layer), words))
        self.masks.after(declaration, bound, built, results)
        origin = Origin(bound, tuple(specs), tuple(mask_specs), mask_sources(bound, masks, count) if reads else ())
        inputs = tuple([t.spec for t in result])
        return TracedCall(call, refs, inputs, outputs, definition, source, None, False, node, declaration, origin)

    def _with_sizes(self, layer: Layer, call: Call) -> Call:
        """Return the call with the sizes that the model computes for it, where they are known."""
        function = layer.config.get("function")
        if not isinstance(function, str):
            return call
        from layerexplain.network.recorded_shapes import TAKES_SIZES, ShapeValues

        if function not in TAKES_SIZES:
            return call
        if self.sizes is None:
            layers = self.scope.layers
            functions = [(c, layers[c.layer].config.get("function")) for c in self.scope.model.calls]
            calls = {c.key: (name, c) for c, name in functions if isinstance(name, str)}
            self.sizes = ShapeValues(calls, lambda ref: None if (t := self.tensors.get(ref)) is None else t.expr.shape)
        return self.sizes.resolved(function, call)

    def _plain(
        self,
        call: Call,
        layer: Layer,
        declaration: Declaration,
        bound: BoundCall,
        ref: TensorRef,
        known: RecordedTensor,
    ) -> TracedCall:
        """Return the usual call, of one tensor without a mask, without the detours that the others need."""
        specs = (known.spec,)
        definition = self.define(declaration, layer, bound, specs, ())
        node, outputs, _ = self.results(call, layer, definition, [known.expr])
        origin = Origin(bound, specs)
        return TracedCall(call, (ref,), specs, outputs, definition, None, None, False, node, declaration, origin)

    def _nested(self, call: Call, layer: Layer) -> TracedCall:
        from layerexplain.network.without_formula import unknown

        inner = self.scope.inside(layer)
        refs = list(tensor_refs(call.args)) or list(tensor_refs(call.kwargs))
        explicit = given_masks(call.kwargs.get("mask"), len(refs))
        refs = [ref for ref in refs if ref not in explicit.values()] if not call.args else refs
        tensors = [self.tensors.taken(layer, ref, i) for i, ref in enumerate(refs)]
        for i, t in enumerate(tensors):
            ref = explicit.get(i)
            mask = self.tensors.get(ref)
            if t is not None and mask is not None and ref is not None:
                tensors[i] = t._replace(mask=Mask(mask.expr, ref.layer))
        known = [t for t in tensors if t is not None]
        if len(known) != len(tensors):
            guessed = [
                self.scope.guesses.get(ref) if t is None else t.spec for ref, t in zip(refs, tensors, strict=True)
            ]
            self.guesses.hand_in(inner, guessed)
            network = self.enter(inner, (), ())
            self.guesses.hand_out(layer, call.index, inner)
            return unknown(self, call, None, tuple(refs), network)
        self.masks.lost.difference_update(refs)  # a model puts the masks on its inputs that they had
        if len(known) != len(inner.model.inputs):
            raise ShapeError(input_count(layer.name, len(inner.model.inputs), len(known)))
        specs = tuple([t.spec for t in known])
        for ref, spec in (
            zip(inner.model.inputs, specs, strict=False) if self.scope.strict or self.faults.of_code else ()
        ):
            own = model_input(inner.model, ref)
            if (
                own is not None
                and len(own.shape) == len(spec.shape)
                and not all(map(agree, own.shape[1:], spec.shape[1:]))
            ):
                sizes = f"an input of {shape_text(own.shape)}, got {shape_text(spec.shape)}"
                raise ShapeError(f"the model '{layer.name}' needs {sizes}")
        network = self.enter(inner, specs, [t.mask.spec for t in known])
        definition = network.definition
        if definition is None:
            self.guesses.hand_out(layer, call.index, inner)
            return unknown(self, call, None, tuple(refs), network)
        masks = [t.mask for t in known if t.mask.expr is not None]
        args = [*[t.expr for t in known], *[m.expr for m in masks if m.expr is not None]][: len(definition.params)]
        node, outputs, results = self.results(call, layer, definition, args, source=layer.name)
        self.masks.late.update(results)
        source = masks[0].source if masks else None
        return TracedCall(call, tuple(refs), specs, outputs, definition, source, network, node=node)

    def note_once(self, layer: Layer, note: Note) -> None:
        """Keep the first note of its kind on a layer, which may be called often."""
        if (layer.name, note.code) not in self.noted:
            self.noted.add((layer.name, note.code))
            self.notes.append(note)

    def results(
        self,
        call: Call,
        layer: Layer,
        definition: Definition,
        args: Sequence[Expr],
        handed: Mask = NO_MASK,
        source: str | None = None,
    ) -> tuple[Expr | None, tuple[Spec, ...], list[TensorRef]]:
        """Make a call and keep its results with their masks: those of the definition, else the one that is `handed`
        on. `source` is the layer that made the mask that reaches the call. Return the node, and the results' specs and
        names."""
        node, outputs = self.expression.call(layer, call.index, definition, args)
        roles = self.expression.roles(definition)
        if not definition.masks and len(outputs) == 1:  # as nearly always
            ref = TensorRef(layer.name, call.index, 0)
            self.tensors[ref] = RecordedTensor(outputs[0], handed, None if roles is None else roles[0])
            return node, specs_of(outputs), [ref]
        refs = [TensorRef(layer.name, call.index, i) for i in range(len(outputs))]
        position = len(outputs)
        for i, (ref, e) in enumerate(zip(refs, outputs, strict=True)):
            mask = handed
            own = definition.masks[i] if i < len(definition.masks) else None
            if own is not None:
                own_mask = tensor("mask", own.shape, own.dtype) if node is None else item(node, position)
                position += 1
                mask = Mask(own_mask, source if source and own in definition.params else layer.name)
            self.tensors[ref] = RecordedTensor(e, mask, None if roles is None else roles[i])
        return node, specs_of(outputs), refs
