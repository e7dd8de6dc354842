"""Model → Definitions: each call of a layer traced at the shapes that reach it, masks and shared weights wired.

A nested model becomes a Definition of its own, so that whatever is asked of a layer can be asked of it. Definitions
are cached by type, arguments and input shapes: a bomb of nested calls costs no more than its definitions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError, NotKnown, ShapeError, SpecError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Batch, constant
from layerexplain.layers.inner import DeclaredLayer
from layerexplain.layers.registry import Declaration, Spec, find
from layerexplain.model import Layer, Model, Note
from layerexplain.network.binding import Bound
from layerexplain.network.guesses import Guesses
from layerexplain.network.input_layouts import InputLayouts
from layerexplain.network.recorded import fixed_input, input_spec
from layerexplain.network.traced import Network
from layerexplain.network.walk import Walk

DEEPEST = 100
"""How many models may be nested in one another."""


class ModelLayer:
    """A model in a wrapper: `TimeDistributed(encoder)`."""

    __slots__ = ("config", "model", "name", "tracer", "trainable", "type")

    def __init__(self, layer: Layer, tracer: "Tracer") -> None:
        self.type = layer.type
        self.name = layer.name
        self.model = layer.model
        self.config: Mapping[str, Any] = {}
        self.trainable = bool(layer.config.get("trainable", True)) and (layer.model is None or layer.model.trainable)
        self.tracer = tracer

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """The model traced at given shapes."""
        if self.model is None:
            raise NotKnown(f"{self.type} is not a layer of Keras, so what it computes is not known")
        network = self.tracer.network(self.model, specs, masks, (self.name,))
        if network.definition is None:
            raise NotKnown(f"the shapes inside '{self.name}' are not known")
        return network.definition


class Tracer:
    """Traces models; the caches live as long as one report is made."""

    def __init__(self, *, strict: bool = False, linked: bool = False, told: frozenset[str] = frozenset()) -> None:
        self.strict = strict
        self.linked = linked
        self.keras2 = False
        self.layouts = InputLayouts()
        self.errors: list[LayerExplainError] = []
        self.told = told
        self._guesses: dict[tuple[str, ...], Guesses] = {}
        self._definitions: dict[Any, Definition] = {}
        self._networks: dict[Any, Network] = {}
        self._kept: list[Model] = []

    # Models -----------------------------------------------------------------------------------------------------

    def network(
        self,
        model: Model,
        specs: Sequence[Spec | None] = (),
        masks: Sequence[Spec | None] = (),
        path: tuple[str, ...] = (),
    ) -> Network:
        """A model traced. `specs` are those of its inputs, in order, where a caller gives them; the InputLayers'
        own shapes hold otherwise. Raises `SpecError` for wires that make no graph."""
        # A model that nothing wraps needs no expression of its own: its calls are enough.
        linked = bool(path) or self.linked
        if not path and model.keras_version is not None:
            self.keras2 = model.keras_version.partition(".")[0] in ("0", "1", "2")
        key = (id(model), tuple(specs), tuple(masks))
        known = self._networks.get(key)
        if known is None:
            if len(path) > DEEPEST:
                raise SpecError(f"models are nested more than {DEEPEST} deep")
            known = self._networks[key] = Walk(self, model, specs, masks, path, linked).network()
            self._kept.append(model)
        return known

    # Faults -----------------------------------------------------------------------------------------------------

    def guesses(self, path: tuple[str, ...]) -> Guesses:
        """What is guessed of the tensors of the model at a path, behind a fault."""
        return self._guesses.setdefault(path, Guesses(self))

    def tell(self, error: LayerExplainError, specs: Sequence[Spec | None]) -> None:
        """Keeps the fault of a layer: in a spec each once, `told` being the facts that its reader knows already; in a
        file that some program wrote those of a layer of Keras's own that refuses an input of known sizes."""
        if self.strict:
            known = {(one.fact, one.line) for one in self.errors}
            follows = isinstance(error, NotKnown) and (self.errors or self.told)
            if error.fact not in self.told and (error.fact, error.line) not in known and not follows:
                self.errors.append(error)
        elif isinstance(error, ShapeError) and all(
            spec is not None and all(isinstance(size, int | Batch) for size in spec.shape) for spec in specs
        ):
            self.errors.append(error)

    # Layers -----------------------------------------------------------------------------------------------------

    def declared(
        self, declaration: Declaration, layer: Layer, bound: Bound, specs: list[Spec | None], masks: list[Spec | None]
    ) -> Definition:
        """The definition of a call of a declared layer."""
        own = layer.config
        if "function" in own and layer.kind == "operation" and "dtype" in own:
            # The dtype of a layer that holds a TensorFlow call is none of the call's arguments.
            own = {key: value for key, value in own.items() if key != "dtype"}
        config = {**own, **bound.config} if bound.config else own
        strict = self.strict and layer.kind == "layer"
        arguments = frozen = declaration.bind(config, strict=strict)
        for name in declaration.loose:
            value = arguments.get(name)
            if type(value) not in _PLAIN:
                arguments[name] = value = self.inner(value)
                frozen = dict(arguments) if frozen is arguments else frozen
                frozen[name] = freeze(value)
        # The names stand beside the values, since a file may leave arguments out.
        key = (
            declaration.type,
            tuple(frozen),
            tuple(frozen.values()),
            tuple(specs),
            tuple(masks),
            freeze(bound.constants) if bound.constants else None,
        )
        known = self._definitions.get(key)
        if known is None:
            constants = {i: constant(v) for i, v in bound.constants.items()}
            known = declaration.trace(specs, arguments, masks, constants=constants)
            self._definitions[key] = known
        return known

    def inner(self, value: Any) -> Any:
        """Layers in a configuration, ready to be applied."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, Layer):
            if self.strict and value.kind == "layer" and find(value.type) is None:
                raise NotKnown(f"{value.type} is not a layer of Keras, so what it computes is not known")
            if value.model is not None or value.kind == "custom" or find(value.type) is None:
                return ModelLayer(value, self)
            config = {k: self.inner(v) for k, v in value.config.items()}
            return DeclaredLayer(value.type, config, value.name)
        if isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value):
            return tuple(self.inner(v) for v in value)
        return value


_PLAIN = frozenset({str, type(None)})
"""Kinds of values that are keys as they are: none is equal to a value of another kind, as 1 is to true."""


def freeze(value: Any) -> Any:
    """A value as a key: equal values of the same kind give equal keys."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return tuple([(k, freeze(v)) for k, v in value.items()])
    if kind is list or kind is tuple:
        return tuple([freeze(v) for v in value])
    if kind is float or kind is bool:
        return (kind, value)
    if kind is slice:
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, DeclaredLayer):
        return ("layer", value.type, value.name, freeze(dict(value.config)))
    if isinstance(value, ModelLayer):
        return ("model", id(value.model), value.name)
    try:
        hash(value)
    except TypeError:
        return (kind.__name__, repr(value))
    return value


def trace_model(model: Model, inputs: Mapping[str, Sequence[int | None]] | None = None) -> Network:
    """Trace a whole model: each call at the shapes that reach it.

    Args:
        model: The architecture as it was read.
        inputs: Shapes of inputs by name, without the batch, for those that the model leaves open.

    Returns:
        The network with the `faults` of its layers; what depends on a layer at fault is unknown.

    Raises:
        SpecError: The wires make no graph.
        ShapeError: A shape in `inputs` contradicts the model.
    """
    specs: list[Spec | None] = []
    layers = {layer.name: layer for layer in model.layers}
    for ref in model.inputs:
        spec = input_spec(layers[ref.layer])
        wanted = (inputs or {}).get(ref.layer)
        if wanted is not None:
            spec = fixed_input(ref.layer, spec, wanted)
        specs.append(spec)
    network = trace_at(model, specs)
    if inputs and all(spec is not None for spec in specs):
        # What the file leaves open the user has said.
        network = network._replace(notes=tuple([note for note in network.notes if note.code != "unknown-input"]))
    return network


def trace_at(model: Model, specs: Sequence[Spec | None] = (), *, linked: bool = False) -> Network:
    """Trace a whole model at given specs of its inputs, in its order; those of its InputLayers hold for the rest.

    With `linked` the whole model becomes an expression too: `Network.definition`, and the `node` of each call.
    Returns and raises as `trace_model` does.
    """
    tracer = Tracer(strict=model.strict, linked=linked, told=frozenset([fault.fact for fault in model.faults]))
    network = tracer.network(model, specs)
    noted = {note.message for note in network.notes}
    known = [Note("not-derived", one.layer, one.fact) for one in model.faults if one.fact not in noted]
    faults = sorted([*model.faults, *tracer.errors], key=lambda error: error.line or 0)
    return network._replace(notes=(*network.notes, *known), faults=tuple(faults))
