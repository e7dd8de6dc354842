"""One walk through a model, call by call: tensors, masks and shared weights are wired as the layers say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerexplain.attribute_path import LayerNamed
from layerexplain.derive.roles import Roles, is_unusual
from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, Shapes, item, tensor
from layerexplain.lang.opaque import opaque
from layerexplain.layers.registry import Declaration, Spec, find, inner_weights, snake_case
from layerexplain.model import Call, Layer, Model, Note, TensorRef
from layerexplain.network.binding import Bound, bind_call, references
from layerexplain.network.carried_masks import CarriedMasks, Mask, as_keras_runs
from layerexplain.network.cross_checks import cross_checks
from layerexplain.network.order import in_order
from layerexplain.network.recorded import built_shape, input_spec, recorded_spec
from layerexplain.network.traced import Network, Tensor, TracedCall, identifier
from layerexplain.network.walk_notes import opaque_note, passed_over_note, unread_mask_note
from layerexplain.ops.sizes import shape_text

if TYPE_CHECKING:
    from layerexplain.network.tracer import Tracer

# No layer was ever built with more tensors than this.
_MOST_BUILT = 1000


class Walk:
    """One walk through a model, call by call."""

    def __init__(
        self,
        tracer: "Tracer",
        model: Model,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None],
        path: tuple[str, ...],
        linked: bool,
    ) -> None:
        self.tracer = tracer
        self.linked = linked
        self.model = model
        self.path = path
        self.numbers = {ref: i for i, ref in reversed([*enumerate(model.inputs, start=1)])}
        self.specs = dict(zip(model.inputs, specs, strict=False))
        self.given_masks = dict(zip(model.inputs, masks, strict=False))
        self.layers = {layer.name: layer for layer in model.layers}
        self.tensors: dict[TensorRef, Tensor | None] = {}
        self.weights: dict[str, tuple[Expr, ...]] = {}
        self.definitions: dict[str, Definition] = {}
        self.params: dict[TensorRef, Expr] = {}
        self.masks: list[Expr] = []
        self.roles: dict[Definition, tuple[Roles | None, ...]] = {}
        self.notes: list[Note] = list(model.notes)
        self.failed: set[str] = set()
        self.carried = CarriedMasks(keras2=tracer.keras2)
        self.consumers: dict[TensorRef, tuple[str, int]] | None = None
        self.guesses = tracer.guesses(path)

    def network(self) -> Network:
        order = in_order(self.model)
        run = as_keras_runs(self.model, order)
        calls = [self._call(c) for c in run]
        if run is not order:
            made = {(c.call.layer, c.call.index): c for c in calls}
            calls = [made[c.layer, c.index] for c in order]
        if len(calls) < len(self.model.layers):
            called = {c.call.layer for c in calls}
            calls += [self._built(layer) for layer in self.model.layers if layer.name not in called]
        self.notes += cross_checks(self.model, calls, self.path)
        return Network(self.model, tuple(calls), self._definition(), tuple(self.notes))

    def _definition(self) -> Definition | None:
        outputs = [self.tensors.get(ref) for ref in self.model.outputs]
        known = all(ref in self.params for ref in self.model.inputs)
        if not self.linked or not known or any(t is None for t in outputs):
            return None
        names = ["y"] if len(outputs) == 1 else [f"y{i + 1}" for i in range(len(outputs))]
        results = {name: t.expr for name, t in zip(names, outputs, strict=True) if t is not None}
        masks = tuple(t.mask for t in outputs if t is not None)
        trainable = self.model.trainable
        weights = [w for layer in self.model.layers for w in self.weights.get(layer.name, ())]
        if not trainable:
            for w in weights:
                w.attrs["trainable"] = False
        params = [self.params[ref] for ref in self.model.inputs]
        return Definition(
            identifier(self.model.name or self.model.type),
            (*params, *self.masks),
            tuple(weights),
            results,
            kind="model",
            masks=masks,
        )

    # One call ---------------------------------------------------------------------------------------------------

    def _call(self, made: Call) -> TracedCall:
        layer = self.layers[made.layer]
        if layer.type == "InputLayer":
            return self._input(made, layer)
        try:
            if layer.model is not None:
                return self._nested(made, layer)
            declaration = _declaration(layer)
            if declaration is not None:
                return self._declared(made, layer, declaration)
        except LayerExplainError as error:
            return self._failed(made, layer, tuple(references((made.args, made.kwargs))), error)
        return self._opaque(made, layer, tuple(references((made.args, made.kwargs))))

    def _built(self, layer: Layer) -> TracedCall:
        """A layer that the file tells no call of, at the shapes that it recorded when the layer was built."""
        made = Call(layer.name, 0, (), {})
        network, definition = None, None
        specs: list[Spec | None] = []
        try:
            declaration = _declaration(layer)
            if layer.model is not None:
                network = self.tracer.network(layer.model, (), (), self._path(layer))
            elif declaration is not None and layer.type != "InputLayer":
                while len(specs) < _MOST_BUILT and (shape := built_shape(layer, len(specs))) is not None:
                    specs.append(Spec(shape, "float"))
                if specs:
                    definition = self.tracer.declared(declaration, layer, Bound([], {}, {}, {}), specs, [])
            elif layer.kind == "layer":
                self.notes.append(opaque_note(layer, "/".join(self._path(layer)), None))
        except LayerExplainError as error:
            self.notes.append(opaque_note(layer, "/".join(self._path(layer)), error.fact))
        outputs: tuple[Spec | None, ...] = (None,)
        if definition is not None:
            outputs = tuple([Spec(e.shape, e.dtype) for e in definition.results.values()])
        return TracedCall(made, (), tuple(specs), outputs, definition, None, network, built=True)

    def _input(self, made: Call, layer: Layer) -> TracedCall:
        ref = TensorRef(layer.name, made.index, 0)
        spec = self.specs.get(ref) or input_spec(layer)
        if spec is None:
            self.tensors[ref] = None
            return TracedCall(made, (), (), (None,), None, None)
        spec = self.tracer.layouts.spec(self.model, ref, spec)
        number = ""
        if len(self.numbers) > 1 or ref not in self.numbers:
            number = str(self.numbers[ref]) if ref in self.numbers else f"_{identifier(layer.name)}"
        leaf = tensor(f"x{number}", *spec)
        self.params[ref] = leaf
        mask = None
        given = self.given_masks.get(ref)
        if given is not None:
            mask = tensor("mask" if not number else f"mask{number}", given.shape, given.dtype)
            self.masks.append(mask)
        self.tensors[ref] = Tensor(leaf, mask, layer.name if mask is not None else None, spec.roles)
        return TracedCall(made, (), (), (spec,), None, None, node=leaf)

    def _declared(self, made: Call, layer: Layer, declaration: Declaration) -> TracedCall:
        bound = bind_call(declaration, made)
        if made.kwargs:
            self._note_unread_mask(made, layer, declaration)
        if len(bound.tensors) == 1 and not bound.masks and bound.tensors[0] is not None:
            fed = self._fed(layer, bound.tensors[0], 0)
            if fed is not None and fed.mask is None and not declaration.alone:
                return self._plain(made, layer, declaration, bound, bound.tensors[0], fed)
        tensors = [self._fed(layer, ref, i) for i, ref in enumerate(bound.tensors)]
        refs = [ref for ref in bound.tensors if ref is not None]
        if any(t is None for t, ref in zip(tensors, bound.tensors, strict=True) if ref is not None):
            if self.tracer.strict:
                self.guesses.look(layer, made.index, declaration, bound, [t and t.spec for t in tensors])
            return self._unknown(made, layer, tuple(refs))
        specs = [None if t is None else t.spec for t in tensors]
        if declaration.alone and isinstance(made.args[0] if made.args else None, TensorRef) and len(refs) == 1:
            shape = shape_text(next(s.shape for s in specs if s is not None))
            raise ShapeError(f"{declaration.type} {declaration.alone.format(shape=shape)}")
        built = self._masks(bound, tensors)
        masks = seen = self.carried.seen(declaration, bound, built)
        passed_over = self._passed_over(layer, declaration, bound, masks)
        if passed_over is not None:
            masks = []
        reads = declaration.reads_mask or declaration.reads_masks or callable(declaration.mask)
        mask_specs = [None if m is None else Spec(m.shape, m.dtype) for m, _ in masks] if reads else []
        definition = self.tracer.declared(declaration, layer, bound, specs, mask_specs)
        passed = [m for m, _ in masks if m is not None] if reads else []
        count = len(definition.params) - sum(t is not None for t in tensors)
        node = self._apply(layer, definition, [*[t.expr for t in tensors if t is not None], *passed[:count]])
        source = next((name for m, name in masks if m is not None), None)
        outputs = self._outputs(made, layer, definition, node)
        handed = masks[0] if masks and declaration.mask == "pass" else (None, None)
        if passed_over is not None and outputs[0].ndim == definition.params[0].ndim:
            handed = passed_over
        self._store(made, layer, definition, node, outputs, handed, source)
        if seen != built:
            self._lost(made, layer, declaration, bound, tensors, built)
            words = self.carried.words(built, seen)
            if words is not None:
                self.notes.append(Note("mask-taken-off", "/".join(self._path(layer)), words))
        if self.carried.late.intersection(refs):
            self.carried.late.update(TensorRef(layer.name, made.index, i) for i in range(len(outputs)))
        masked = [ref for ref, (mask, _) in zip(bound.tensors, built, strict=True) if mask is not None]
        self.carried.taken_off(declaration, masked)
        reached = source if any(m is not None for m, _ in masks) else None
        return TracedCall(
            made,
            tuple(refs),
            tuple(s for s in specs if s is not None),
            tuple(Spec(o.shape, o.dtype) for o in outputs),
            definition,
            reached,
            node=node,
        )

    def _lost(
        self,
        made: Call,
        layer: Layer,
        declaration: Declaration,
        bound: Bound,
        tensors: list[Tensor | None],
        built: list[Mask],
    ) -> None:
        """A call that does not see a mask of the time when the model was built: what it makes has one of that time."""
        ref = TensorRef(layer.name, made.index, 0)
        out = self.tensors.get(ref)
        if out is None or out.mask is not None:
            return
        mask: Expr | None = None
        masks = self.carried.when_built(bound, built)
        if declaration.mask == "pass":
            mask = masks[0]
        elif callable(declaration.mask):
            arguments = {**declaration.default_values, **declaration.bind({**layer.config, **bound.config})}
            given = [t.expr for t in tensors if t is not None]
            mask = declaration.mask(given, masks, arguments)
        if mask is not None:
            source = next((name for m, name in built if m is not None), None)
            self.tensors[ref] = out._replace(mask=mask, mask_source=source)
            self.carried.lost.add(ref)

    def _plain(
        self, made: Call, layer: Layer, declaration: Declaration, bound: Bound, ref: TensorRef, fed: Tensor
    ) -> TracedCall:
        """The usual call, of one tensor without a mask, without the detours that the others need."""
        spec = fed.spec
        definition = self.tracer.declared(declaration, layer, bound, [spec], [])
        node = self._apply(layer, definition, [fed.expr])
        outputs = self._outputs(made, layer, definition, node)
        self._store(made, layer, definition, node, outputs, (None, None), None)
        made_specs = tuple([Spec(e.shape, e.dtype) for e in outputs])
        return TracedCall(made, (ref,), (spec,), made_specs, definition, None, node=node)

    def _nested(self, made: Call, layer: Layer) -> TracedCall:
        assert layer.model is not None  # noqa: S101 (narrowing for the type checker; _call has asked)
        refs = list(references(made.args)) or list(references(made.kwargs))
        explicit = [ref for ref in references(made.kwargs.get("mask")) if ref in self.tensors]
        refs = [r for r in refs if r not in explicit] if made.kwargs else refs
        tensors = [self._fed(layer, ref, i) for i, ref in enumerate(refs)]
        if any(t is None for t in tensors):
            fed = [self.guesses.specs.get(ref) if t is None else t.spec for ref, t in zip(refs, tensors, strict=True)]
            network = self.guesses.through(layer, made.index, layer.model, self._path(layer), fed)
            return self._unknown(made, layer, tuple(refs), network)
        known = [t for t in tensors if t is not None]
        self.carried.lost.difference_update(refs)  # a model puts the masks on its inputs that they had
        if len(known) != len(layer.model.inputs):
            raise ShapeError(f"the model '{layer.name}' needs {len(layer.model.inputs)} inputs, got {len(known)}")
        specs = [t.spec for t in known]
        masks = [None if t.mask is None else Spec(t.mask.shape, t.mask.dtype) for t in known]
        network = self.tracer.network(layer.model, specs, masks, self._path(layer))
        if network.definition is None:
            self.guesses.given_by(layer, made.index, layer.model, self._path(layer))
            return self._unknown(made, layer, tuple(refs), network)
        definition = network.definition
        passed = [t.mask for t in known if t.mask is not None]
        count = len(definition.params) - len(known)
        node = self._apply(layer, definition, [*[t.expr for t in known], *passed[:count]])
        source = next((t.mask_source for t in known if t.mask is not None), None)
        outputs = self._outputs(made, layer, definition, node)
        self._store(made, layer, definition, node, outputs, (None, None), layer.name)
        self.carried.late.update(TensorRef(layer.name, made.index, i) for i in range(len(outputs)))
        made_specs = tuple(Spec(o.shape, o.dtype) for o in outputs)
        return TracedCall(made, tuple(refs), tuple(specs), made_specs, definition, source, network, node=node)

    def _path(self, layer: Layer) -> tuple[str, ...]:
        return (*self.path, layer.name)

    def _opaque(
        self, made: Call, layer: Layer, sources: tuple[TensorRef, ...], reason: str | None = None
    ) -> TracedCall:
        """A call of a layer that we cannot see into: the shapes are those that the file recorded."""
        tensors = [self._fed(layer, ref, i) for i, ref in enumerate(sources)]
        known = [t for t in tensors if t is not None]
        inputs = tuple(None if t is None else Spec(t.expr.shape, t.expr.dtype) for t in tensors)
        recorded: list[Spec] = []
        while (spec := recorded_spec(self.model, TensorRef(layer.name, made.index, len(recorded)))) is not None:
            recorded.append(spec)
        if not recorded and (spec := self._wanted(TensorRef(layer.name, made.index))) is not None:
            recorded.append(spec)
        if layer.name not in self.failed:
            self.failed.add(layer.name)
            self.notes.append(opaque_note(layer, "/".join(self._path(layer)), reason))
        params = tuple(
            tensor(f"x{i + 1}" if len(known) > 1 else "x", s.shape, s.dtype)
            for i, s in enumerate(inputs)
            if s is not None
        )
        if not recorded or len(known) != len(tensors):
            self._forget(made, layer, max(len(recorded), 1))
            for i, spec in enumerate(recorded):
                self.tensors[TensorRef(layer.name, made.index, i)] = Tensor(tensor(layer.name, spec.shape, spec.dtype))
            return TracedCall(made, sources, inputs, tuple(recorded) or (None,), None, None)
        results = {
            "y" if len(recorded) == 1 else f"y{i + 1}": opaque(*params, name=identifier(layer.type), shape=spec.shape)
            for i, spec in enumerate(recorded)
        }
        for e, spec in zip(results.values(), recorded, strict=True):
            e.dtype = spec.dtype
        definition = Definition(snake_case(layer.type) or "layer", params, (), results, kind="opaque")
        node = self._apply(layer, definition, [t.expr for t in known])
        outputs = self._outputs(made, layer, definition, node)
        self._store(made, layer, definition, node, outputs, (None, None), None)
        return TracedCall(made, sources, inputs, tuple(recorded), definition, None, node=node)

    def _wanted(self, ref: TensorRef) -> Spec | None:
        """The shape that the first layer fed with a tensor was built for."""
        if self.consumers is None:
            self.consumers = {}
            for made in self.model.calls:
                for i, fed in enumerate(references((made.args, made.kwargs))):
                    self.consumers.setdefault(fed, (made.layer, i))
        name, i = self.consumers.get(ref, ("", 0))
        shape = built_shape(self.layers[name], i) if name else None
        return None if shape is None else Spec(shape, "float")

    def _failed(self, made: Call, layer: Layer, sources: tuple[TensorRef, ...], error: LayerExplainError) -> TracedCall:
        """A layer that cannot be what it says: an error in a spec, a note in a file that some program wrote."""
        error.with_place(layer="/".join(self._path(layer)), line=made.line or layer.line)
        tensors = [self.tensors.get(ref) for ref in sources]
        specs = [None if t is None else t.spec for t in tensors]
        self.tracer.tell(error, specs)
        if not self.tracer.strict:
            return self._opaque(made, layer, sources, error.fact)
        declaration = _declaration(layer)
        if declaration is not None:
            self.guesses.after(layer, made.index, declaration, sources, specs)
        self.notes.append(Note("not-derived", error.layer, error.fact))
        self._forget(made, layer, 1)
        return TracedCall(made, sources, tuple(specs), (None,), None, None)

    def _unknown(
        self, made: Call, layer: Layer, refs: tuple[TensorRef, ...], network: Network | None = None
    ) -> TracedCall:
        """The shapes that reach a layer are not known, so neither is anything about it."""
        inputs = tuple(
            None if (t := self.tensors.get(ref)) is None else Spec(t.expr.shape, t.expr.dtype) for ref in refs
        )
        outputs: list[Spec | None] = []
        while (spec := recorded_spec(self.model, TensorRef(layer.name, made.index, len(outputs)))) is not None:
            self.tensors[TensorRef(layer.name, made.index, len(outputs))] = Tensor(
                tensor(layer.name, spec.shape, spec.dtype)
            )
            outputs.append(spec)
        if not outputs and (spec := self._wanted(TensorRef(layer.name, made.index))) is not None:
            self.tensors[TensorRef(layer.name, made.index)] = Tensor(tensor(layer.name, spec.shape, spec.dtype))
            outputs.append(spec)
        if not outputs:
            self._forget(made, layer, 1)
        return TracedCall(made, refs, inputs, tuple(outputs) or (None,), None, None, network)

    def _forget(self, made: Call, layer: Layer, count: int) -> None:
        for i in range(count):
            self.tensors.setdefault(TensorRef(layer.name, made.index, i), None)

    # Tensors, masks and weights ---------------------------------------------------------------------------------

    def _fed(self, layer: Layer, ref: TensorRef | None, i: int) -> Tensor | None:
        """The tensor at a reference; where its shape is unknown, what the layer recorded when it was built."""
        if ref is None:
            return None
        known = self.tensors.get(ref)
        if known is None:
            shape = built_shape(layer, i)
            if shape is not None:
                known = self.tensors[ref] = Tensor(tensor(ref.layer, shape, "float"))
        return known

    def _masks(self, bound: Bound, tensors: list[Tensor | None]) -> list[Mask]:
        """The mask of each tensor and who made it; one that the call names goes before one that the tensor carries."""
        masks: list[Mask] = []
        for i, t in enumerate(tensors):
            ref = bound.masks.get(i)
            explicit = self.tensors.get(ref) if ref is not None else None
            if explicit is not None and ref is not None:
                masks.append((explicit.expr, ref.layer))
            else:
                masks.append((None, None) if t is None else (t.mask, t.mask_source))
        return masks

    def _passed_over(
        self,
        layer: Layer,
        declaration: Declaration,
        bound: Bound,
        masks: list[Mask],
    ) -> tuple[Expr, str | None] | None:
        """The mask that Keras 3 does not give to a recurrent layer, though it hands it on: with an initial_state the
        call has several tensors, and Keras then looks for `sequences_mask`, which no layer takes. Keras 2 gives it."""
        if declaration.variadic != "initial_state" or self.tracer.keras2 or 0 in bound.masks:
            return None
        mask, source = masks[0]
        if mask is None or len([ref for ref in bound.tensors if ref is not None]) < 2:
            return None
        where = "/".join(self._path(layer))
        if not any(note.layer == where and note.code == "mask-passed-over" for note in self.notes):
            self.notes.append(passed_over_note(source, where))
        return mask, source

    def _note_unread_mask(self, made: Call, layer: Layer, declaration: Declaration) -> None:
        """Keras's MultiHeadAttention takes a query_mask and looks at the mask that the query carries in its place."""
        if "query_mask" in declaration.ignores and isinstance(made.kwargs.get("query_mask"), TensorRef):
            self.notes.append(unread_mask_note("/".join(self._path(layer))))

    def _apply(self, layer: Layer, definition: Definition, args: list[Expr]) -> Expr | None:
        """The call as a node; None where no expression of the whole model is wanted."""
        first = self.definitions.setdefault(layer.name, definition)
        if first is not definition and [w.shape for w in first.weights] != [w.shape for w in definition.weights]:
            raise ShapeError(
                f"every call needs inputs that fit the same weights: they have the shapes "
                f"{', '.join(str(w.shape) for w in first.weights)} at the first call and "
                f"{', '.join(str(w.shape) for w in definition.weights)} here"
            )
        if not self.linked:
            return None
        weights = self.weights.get(layer.name)
        if weights is None:
            trainable = bool(layer.config.get("trainable", True))
            suffix = f"_{identifier(layer.name)}"
            at = (LayerNamed(layer.name),)
            weights = tuple(inner_weights(definition, at, layer.name, suffix, trainable))
            self.weights[layer.name] = weights
        return call(definition, *args, *weights)

    def _outputs(self, made: Call, layer: Layer, definition: Definition, node: Expr | None) -> list[Expr]:
        if node is None:
            return list(definition.results.values())  # of which shape and dtype matter only
        count = len(definition.results)
        outputs = [node] if not isinstance(node.shape, Shapes) else [item(node, i) for i in range(count)]
        again = f"_{made.index + 1}" if made.index else ""
        for i, e in enumerate(outputs):
            e.label = identifier(layer.name) + again + (f"_{i}" if i else "")
        return outputs

    def _store(
        self,
        made: Call,
        layer: Layer,
        definition: Definition,
        node: Expr | None,
        outputs: list[Expr],
        handed: tuple[Expr | None, str | None],
        source: str | None,
    ) -> None:
        roles = self._roles(definition)
        if not definition.masks and len(outputs) == 1:
            self.tensors[TensorRef(layer.name, made.index, 0)] = Tensor(
                outputs[0], *handed, None if roles is None else roles[0]
            )
            return
        position = len(outputs)
        for i, e in enumerate(outputs):
            mask, mask_source = handed
            own = definition.masks[i] if i < len(definition.masks) else None
            if own is not None:
                mask = tensor("mask", own.shape, own.dtype) if node is None else item(node, position)
                position += 1
                passes = own in definition.params
                mask_source = (source or layer.name) if passes else layer.name
            self.tensors[TensorRef(layer.name, made.index, i)] = Tensor(
                e, mask, mask_source, None if roles is None else roles[i]
            )

    def _roles(self, definition: Definition) -> tuple[Roles | None, ...] | None:
        """What the axes of the results are called; None where their number tells, as it nearly always does."""
        known = self.roles.get(definition)
        if known is None and is_unusual(definition):
            from layerexplain.derive.layouts import result_roles

            known = self.roles[definition] = result_roles(definition)
        return known


def _declaration(layer: Layer) -> Declaration | None:
    if layer.kind == "custom":
        return None
    if layer.kind == "operation":
        function = layer.config.get("function")
        return find(f"tf.{function}") if isinstance(function, str) else find(f"ops.{layer.type}")
    declaration = find(layer.type)
    return None if declaration is not None and declaration.facts.runs_code else declaration
