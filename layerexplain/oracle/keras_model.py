"""A real Keras model ready to run: of a file, rebuilt from its layers if Keras does not load it, of a spec, or live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from operator import attrgetter
from typing import Any

from layerexplain.attribute_path import reached
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code_source import place_of
from layerexplain.frontends.keras.live_model import is_live_model
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.layers.registry import facts_of
from layerexplain.model import Model, Note, Training, TrainingSetting
from layerexplain.network.traced import Network
from layerexplain.oracle.comparison import draws
from layerexplain.oracle.keras_files import (
    KerasRefuses,
    keras_model_of_config,
    keras_model_of_file,
    keras_model_of_layers,
    must_be_keras_alone,
)
from layerexplain.oracle.keras_graph import KerasGraph, as_array, flat_results, has_no_kernel, states_of
from layerexplain.oracle.reference import (
    Reference,
    TrainingStep,
    Weights,
    first_line,
    load_keras,
    silence,
    without_warnings,
)
from layerexplain.report.objective import OutputLoss, shortest
from layerexplain.report.settings import home_of
from layerexplain.report.training_data import setting_of_output
from layerexplain.run.gradients import GradientStep, WeightGradient
from layerexplain.run.initializers import drawn_weight
from layerexplain.run.trace import RunnableModel
from layerexplain.run.weight_source import WeightSource, weight_source
from layerexplain.sources import is_remote
from layerexplain.weights.weighted_layers import LiveWeights, WeightedLayer, weighted_layers

# Keras model --------------------------------------------------------------------------------------------------------


class KerasModel(Reference):
    """A Functional or Sequential model. `notes` say how it came about."""

    framework = "Keras"

    def __init__(self, real: Any, weights: Weights, notes: tuple[Note, ...] = ()) -> None:
        self.real = real
        self.weights: Weights = weights
        self.notes = notes
        self.version = str(load_keras().__version__)
        name = str(load_keras().backend.backend())
        self.backend = f"{name} {getattr(sys.modules.get(name), '__version__', '')}".strip()

    def build(self, input_shape: Callable[[], Shape | None]) -> None:
        if getattr(self.real, "_functional", self.real) is None:
            shape = input_shape()
            self.real.build(None if shape is None else (None, *shape[1:]))

    def graph(self, network: Network, arrays: Sequence[Any]) -> KerasGraph:
        graph = KerasGraph(self.real)
        named = dict(zip([ref.layer for ref in network.model.inputs], arrays, strict=True))
        theirs = graph.input_names
        # A Sequential's input has a generated name; it is identified by its position.
        graph.feed([named[name] for name in theirs] if set(theirs) == set(named) else arrays)
        return graph

    def run(self, network: Network, arrays: Sequence[Any]) -> list[Any]:
        tree = load_keras().tree
        graph = self.graph(network, arrays)
        given = tree.pack_sequence_as(graph.graph._inputs_struct, graph.inputs())
        return [as_array(result) for result in flat_results(self.real, (given,), {"training": False})]

    def set_states(self, seed: int | None) -> None:
        import numpy as np

        rng = np.random.default_rng(seed)
        for variable in states_of(self.real):
            shape = tuple(variable.shape)
            variable.assign(np.zeros(shape) if seed is None else rng.uniform(-1, 1, shape))

    def states(self, network: Network) -> list[Any]:
        kept = network.definition.states if network.definition is not None else ()
        return [as_array(reached(self.real, leaf.attrs["at"])) for leaf in kept]

    def step(self, gradient_step: GradientStep) -> TrainingStep:
        return keras_step(self, gradient_step)

    def weight_source(self) -> WeightSource:
        return LiveWeights(self.real)

    def arrays(self, network: Network) -> list[Any]:
        return [as_array(v) for _, _, variables in self.variables(network) for v in variables]

    def count_params(self) -> int | None:
        try:
            return int(self.real.count_params())
        except Exception:  # Keras raises whatever its parts raise
            return None

    def assign(self, network: Network, weights: WeightSource) -> None:
        """Give the layers of a network their weights from a source. Raises LayerExplainError if shapes differ."""
        for layer, definition, variables in self.variables(network):
            arrays = weights.arrays_of(layer.path, definition)
            given, wanted = [tuple(a.shape) for a in arrays], [tuple(v.shape) for v in variables]
            if given != wanted:
                fact = f"the file's weights have the shapes {given}, Keras's {wanted}"
                raise LayerExplainError(fact, layer=layer.where)
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
        _refresh(self.real)

    def variables(self, network: Network) -> Iterator[tuple[WeightedLayer, Definition, list[Any]]]:
        """Yield the layers with weights, at any depth, and the variables of each, as its definition orders them."""
        live = LiveWeights(self.real)
        for layer in weighted_layers(network):
            if layer.definition is not None and layer.weights:
                variables = live.variables(layer.path, layer.definition)
                yield layer, layer.definition, variables[: len(layer.weights)]

    @contextmanager
    def with_weights(self, seed: int, *, drawn: bool, restored: bool) -> Iterator[KerasModel]:
        """Draw all weights if it has none of the source, or if `drawn` says so; `restored` gives the model its own back
        in the end."""
        import numpy as np

        draws = drawn or self.weights == "drawn"
        changed = [*(self.real.weights if draws else ()), *states_of(self.real)] if restored else []
        kept = [(v, as_array(v)) for v in changed]
        try:
            if draws:
                draw_weights(self.real, np.random.default_rng(seed))
            yield KerasModel(self.real, "drawn", self.notes) if draws else self
        finally:
            for variable, value in kept:
                variable.assign(value)
            if kept:
                _refresh(self.real)


def draw_weights(real: Any, rng: Any) -> None:
    """Draw a value for every weight of a Keras model, scaled so that activations stay near 1."""
    for variable in real.weights:
        if "float" in str(variable.dtype):
            variable.assign(drawn_weight(variable.path, tuple(variable.shape), rng).astype("float32"))
    _refresh(real)


def _refresh(real: Any) -> None:
    """Refresh layers that compute with copies of their weights."""
    for layer in real._flatten_layers():
        if facts_of(type(layer).__name__).copies_weights and layer.built:
            layer.finalize_state()


# Of a source --------------------------------------------------------------------------------------------------------


@contextmanager
def same_model(source: Any, running: RunnableModel) -> Iterator[KerasModel]:
    """Open the source of a model that was run, in Keras, with the same weights.

    Raises:
        LayerExplainError: Also for what Keras raises inside the `with`, in one line.
    """
    weights = running.activations.weights
    with without_warnings():
        reference = loaded(source, running.model)
        try:
            if weights.origin == "drawn":
                reference.assign(running.activations.network, weights)
            yield reference
        except LayerExplainError:
            raise
        except Exception as error:  # Keras raises whatever its backend raises
            raise LayerExplainError(first_line(error)) from None


def loaded(source: Any, model: Model) -> KerasModel:
    """Return the Keras model of a source. `model` is the source as read.

    Raises:
        LayerExplainError: if it would run code, or with Keras's own error if Keras refuses it.
    """
    if is_live_model(source):
        if not isinstance(source, load_keras().Model):
            raise LayerExplainError(f"a {type(source).__name__} of {type(source).__module__} is not a Keras 3 model")
        return KerasModel(source, "of the model")
    must_be_keras_alone(model)
    if isinstance(source, Model):
        source = place_of(source) or source
    if model.format in ("yaml-spec", "code") or isinstance(source, Model):
        return KerasModel(keras_model_of_layers(model), "drawn")
    if isinstance(source, Mapping):
        return KerasModel(keras_model_of_config(source), "drawn")
    content = bytes(source) if isinstance(source, bytearray | memoryview) else source
    weights: Weights = "drawn" if model.format == "config-json" else "of the model"
    with _on_this_machine(content) as file:
        return KerasModel(keras_model_of_file(file, model), weights)


def _on_this_machine(source: Any) -> AbstractContextManager[Any]:
    """Return a source as Keras can open it: a copy of what is behind a URL."""
    from layerexplain.sources.remote import local_copy

    return local_copy(source) if is_remote(source) else nullcontext(source)


def loaded_or_rebuilt(source: Any, model: Model, network: Network) -> KerasModel:
    """Return the Keras model of a source; if Keras does not load an old file, one of current classes with its weights.

    Raises:
        LayerExplainError: if Keras refuses the layers too, or weights of the file do not fit.
    """
    try:
        return loaded(source, model)
    except KerasRefuses as error:
        if not error.old or is_live_model(source) or isinstance(source, Mapping):
            raise
        refusal = error.fact
    try:
        real = keras_model_of_layers(model)
    except LayerExplainError as error:
        place = f"layer '{error.layer}': " if error.layer is not None else ""
        fact = f"{refusal.partition('. ')[0].rstrip('.')}; its layers cannot be rebuilt either: {place}{error.fact}"
        raise KerasRefuses(fact) from None
    with weight_source(source, network, seed=0) as weights:
        stored = weights.origin == "of the file"
        if stored:
            KerasModel(real, "of the model").assign(network, weights)
    whose = "the file's weights" if stored else "drawn weights"
    message = (
        f"Keras {load_keras().__version__} does not load this file, so its layers were rebuilt in Keras with {whose}. "
        f"Keras's error: {refusal.removeprefix('Keras refuses it: ')}"
    )
    return KerasModel(real, "of the model" if stored else "drawn", (Note("made-anew", None, message),))


# Keras step ---------------------------------------------------------------------------------------------------------
# A training step in real Keras: its loss, gradients by tf.GradientTape, the update of its optimizer.


def keras_step(reference: KerasModel, step: GradientStep, *, update: bool = True) -> TrainingStep:
    """Return a training step of a model in Keras, with an `update` if the optimizer is known; its weights are as
    before afterwards. Raises whatever Keras raises."""
    import tensorflow as tf

    keras = load_keras()
    real, network = reference.real, step.network
    places = [(layer.path, number, v) for layer, _, own in reference.variables(network) for number, v in enumerate(own)]
    variables = list({id(v): v for _, _, v in places}.values())
    kept = [(v, as_array(v)) for v in real.weights]
    reference.set_states(None)  # as the formulas begin
    graph = reference.graph(network, step.running.arrays)
    given = keras.tree.pack_sequence_as(graph.graph._inputs_struct, graph.inputs())
    outputs = [graph.output_of(loss.ref.layer, loss.ref.call, loss.ref.output) for loss in step.losses]
    losses = [keras_loss(loss, network.model.training or Training()) for loss in step.losses]
    wanted = [v.value for v in variables]
    targets = [target.array for target in step.targets]

    def run(x: Any, ys: Any) -> Any:
        with tf.GradientTape() as tape:
            results = keras.tree.flatten(real(x, training=step.running.training))
            terms = [
                other.weight * loss(y, results[at or 0])
                for other, loss, y, at in zip(step.losses, losses, ys, outputs, strict=True)
            ]
            total = sum(keras.ops.cast(term, terms[0].dtype) for term in [*terms, *real.losses])
        return total, tape.gradient(total, wanted)

    try:
        try:
            total, gradients = run(given, targets)
        except Exception as refusal:  # the backend's own classes of errors
            if not (has_no_kernel(refusal) or isinstance(refusal, LookupError)):
                raise
            with silence():
                total, gradients = tf.function(run, jit_compile=True, autograph=False)(given, targets)
        by_id = {id(v): g for v, g in zip(variables, gradients, strict=True)}
        result = {(path, n): None if by_id[id(v)] is None else _dense(by_id[id(v)]) for path, n, v in places}
        new = None
        if update and step.optimizer is not None:
            _apply(step.optimizer, real.trainable_variables, by_id)
            new = {(path, number): as_array(v) for path, number, v in places}
        return TrainingStep(float(total), result, new)
    finally:
        for variable, value in kept:
            variable.assign(value)


def _dense(gradient: Any) -> Any:
    import tensorflow as tf

    return as_array(tf.convert_to_tensor(gradient))


def _apply(optimizer: InnerDeclaration, variables: Sequence[Any], gradients: Mapping[int, Any]) -> None:
    keras = load_keras()
    real = keras_part(optimizer)
    trained = [v for v in variables if gradients.get(id(v)) is not None]
    real.build(trained)
    scale = optimizer.loss_scale
    real.apply([keras.ops.convert_to_tensor(_dense(gradients[id(v)])) * scale for v in trained], trained)


def keras_loss(loss: OutputLoss, training: Training) -> Any:
    """Return Keras's loss for an output, as the model was compiled with it."""
    setting = setting_of_output(training, loss.ref.layer)
    keras = load_keras()
    config = {} if setting is None else shortest(setting.config)
    kept = {name: value for name, value in config.items() if name in loss.arguments}
    return getattr(keras.losses, loss.type)(**kept)


def keras_part(value: Any) -> Any:
    """Return an object of Keras for a part of training, with those inside of it: of its own classes alone, by their
    names. Any other value stays as it is, but for the parts among its items."""
    if isinstance(value, InnerDeclaration | TrainingSetting):
        name = value.type if isinstance(value, InnerDeclaration) else value.name
        cls = attrgetter(f"{home_of(name)}.{name}")(load_keras())
        return cls(**{key: keras_part(inner) for key, inner in value.config.items()})
    if isinstance(value, Mapping):
        return {key: keras_part(inner) for key, inner in value.items()}
    return [keras_part(inner) for inner in value] if isinstance(value, list | tuple) else value


def keras_gradient(source: Any, step: GradientStep, weight: WeightGradient) -> Any:
    """Return the whole gradient of a weight of a model that was run, as an array.

    Raises:
        LayerExplainError: with a one-line reason, if Keras cannot compute it.
    """
    if draws(step.network):
        raise LayerExplainError(
            "a layer draws random numbers in training, and Keras draws others; compare with --inference"
        )
    with same_model(source, step.running) as reference:
        result = keras_step(reference, step, update=False)
    key = next(key for key, other in step.weights.items() if other is weight)
    gradient = result.gradients.get(key)
    if gradient is None:
        raise LayerExplainError("Keras returns no gradient for it")
    return gradient
