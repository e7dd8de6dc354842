"""Model → traced network: each call of a layer at the shapes that reach it, masks and shared weights wired.

A nested model becomes a Definition of its own, so that whatever is asked of a layer can be asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from layerexplain.call_binding import BoundCall
from layerexplain.errors import ShapeError, place_order
from layerexplain.lang.axes import BATCH, batch_of_all
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.model import Layer, Model, Note
from layerexplain.network.definitions import DefinitionCache, not_known
from layerexplain.network.recorded_shapes import input_specs
from layerexplain.network.scope import Scope, Specs
from layerexplain.network.traced import Network
from layerexplain.network.walk import Faults, NetworkTracer

if TYPE_CHECKING:
    from layerexplain.network.trials import Trials


def trace_model(
    model: Model, inputs: Mapping[str, Sequence[int | None]] | None = None, *, trials: bool = True
) -> Network:
    """Trace a whole model: each call at the shapes that reach it.

    Args:
        model: The architecture as it was read.
        inputs: Shapes of inputs by name, without the batch, for those that the model leaves open.
        trials: Find what would mend a layer at fault, which takes many traces.

    Returns:
        The network with the `faults` of its layers; what depends on a layer at fault is unknown.

    Raises:
        SpecError: The wires make no graph.
        ShapeError: A shape in `inputs` contradicts the model.
    """
    model = model.at(inputs or {})
    specs = input_specs(model, inputs or {})
    if inputs and model.grade == "open" and None not in specs:
        model = _answered(model, inputs)
    network = trace_at(model, specs, trials=trials)
    if model.strict and None in specs:
        network = _with_missing_input(network, specs)
    if inputs and None not in specs:
        # What the file leaves open the user has said.
        network = network._replace(notes=tuple([note for note in network.notes if note.code != "unknown-input"]))
    return network


def _answered(model: Model, inputs: Mapping[str, Sequence[int | None]]) -> Model:
    """Return a model of code without the questions that the shapes of its inputs answer."""
    notes = tuple([n for n in model.notes if n.code != "open" or n.layer not in inputs])
    left = {note.code for note in notes}
    return model._replace(
        notes=notes, grade="open" if "open" in left else "assumed" if "assumed" in left else "complete"
    )


def _with_missing_input(network: Network, specs: Specs) -> Network:
    """Return the network of a spec that does not say the shape of an input, with that as a fault."""
    from layerexplain.network.missing_input import missing_input

    model, place = network.model, specs.index(None)

    def count_faults(shape: Sequence[int | None]) -> int:
        result = [*specs[:place], Spec((BATCH, *shape), "float"), *specs[place + 1 :]]
        return len(trace_at(model, result).faults)

    return network._replace(faults=(missing_input(model, model.inputs[place], count_faults), *network.faults))


def trace_at(
    model: Model, specs: Specs = (), *, linked: bool = False, training: bool = False, trials: Trials | bool = False
) -> Network:
    """Trace a whole model at given specs of its inputs, in its order; those of its InputLayers hold for the rest.

    With `linked` the whole model becomes an expression too: `Network.definition`, and the `node` of each call. With
    `training` each layer is traced as it computes in training. With `trials` faults say what would mend them. Returns
    and raises as `trace_model` does.
    """
    in_code = model.format == "code" and model.grade == "complete"
    result = Faults(strict=model.strict, known=model.faults, code=in_code)
    result.whole = (trace_at, model, specs) if trials else None
    result.trials = None if isinstance(trials, bool) else trials
    tracing = _Tracing(model.strict, result, training)
    network = tracing.walk(Scope(model), specs, (), linked, training)
    noted = {note.message for note in network.notes}
    known = [Note("not-derived", fault.layer, fault.fact) for fault in model.faults if fault.fact not in noted]
    faults = sorted([*model.faults, *tracing.faults.found], key=place_order)
    try:
        batch_of_all(network.needs_of_batch)
    except ShapeError as error:
        faults.append(error)
    return network._replace(notes=(*network.notes, *known), faults=tuple(faults))


def trace_layer(
    layer: Layer,
    specs: Specs,
    masks: Specs = (),
    *,
    call: Mapping[str, Any] | None = None,
    constants: Mapping[int, Any] | None = None,
    strict: bool = False,
    training: bool = False,
    keras_2: bool = False,
) -> Definition:
    """Trace one layer without a model.

    Args:
        layer: A layer of a declared type.
        specs: Those of its tensors in call order, None for one that is not given.
        masks: Those of the masks that the tensors carry.
        call: Arguments of the call that the declaration takes like configuration (`use_causal_mask`).
        constants: Numbers given in place of a tensor, by its place.
        strict: An argument that the layer does not have is an error.
        training: Trace what the layer computes in training.
        keras_2: Trace the layer as Keras 2 had it.

    Raises:
        LayerExplainError: With the bare fact.
    """
    scope = Scope(Model("", "Functional", (layer,), (), (), (), keras_version="2" if keras_2 else None))
    declaration = scope.resolve(layer)
    if declaration is None:
        raise not_known(layer.type)
    known = {name: value for name, value in (call or {}).items() if name in declaration.arguments}
    bound = BoundCall([], dict(constants or {}), {}, known)
    return _Tracing(strict, Faults()).definition_of(scope, declaration, layer, bound, specs, masks, training=training)


class _Tracing(DefinitionCache):
    """One tracing of a whole model: its definitions and its faults."""

    def __init__(self, strict: bool, faults: Faults, training: bool = False) -> None:
        super().__init__(strict=strict, training=training)
        self.faults = faults

    def walk(self, scope: Scope, specs: Specs, masks: Specs, linked: bool, training: bool) -> Network:
        enter = partial(self.enter, training=training)
        define = partial(self.trained if training else self.definition_of, scope)
        return NetworkTracer(scope, specs, masks, define, enter, self.faults, linked=linked).network()

    def enter(self, scope: Scope, specs: Specs, masks: Specs, *, training: bool) -> Network:
        """Return a nested model traced, once for the same specs."""
        key = (tuple(specs), tuple(masks), training)
        known = scope.networks.get(key)
        if known is None:
            known = scope.networks[key] = self.walk(scope, specs, masks, True, training)
        return known

    def trained(
        self, scope: Scope, declaration: Declaration, layer: Layer, bound: BoundCall, specs: Specs, masks: Specs
    ) -> Definition:
        """Return the definition of a call in training."""
        trainable = not scope.frozen and bool(layer.config.get("trainable", True))
        return self.definition_of(
            scope, declaration, layer, bound, specs, masks, training=declaration.trains(trainable)
        )
