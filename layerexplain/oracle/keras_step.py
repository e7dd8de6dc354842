"""A training step in real Keras: its loss, gradients by tf.GradientTape, the update of its optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.model import Training, TrainingSetting
from layerexplain.oracle.comparison import draws
from layerexplain.oracle.keras_graph import as_array, has_no_kernel
from layerexplain.oracle.keras_import import load_keras, silence
from layerexplain.oracle.keras_model import KerasModel, same_model
from layerexplain.oracle.reference import TrainingStep
from layerexplain.report.objective import OutputLoss, shortest
from layerexplain.report.training import setting_of_output
from layerexplain.run.gradients import GradientStep, WeightGradient


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
    outputs = [graph.output_of(one.ref.layer, one.ref.call, one.ref.output) for one in step.losses]
    losses = [keras_loss(one, network.model.training or Training()) for one in step.losses]
    wanted = [v.value for v in variables]
    targets = [one.array for one in step.targets]

    def run(x: Any, ys: Any) -> Any:
        with tf.GradientTape() as tape:
            results = keras.tree.flatten(real(x, training=step.running.training))
            terms = [
                one.weight * loss(y, results[at or 0])
                for one, loss, y, at in zip(step.losses, losses, ys, outputs, strict=True)
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
        found = {(path, n): None if by_id[id(v)] is None else _dense(by_id[id(v)]) for path, n, v in places}
        new = None
        if update and step.optimizer is not None:
            _apply(step.optimizer, real.trainable_variables, by_id)
            new = {(path, number): as_array(v) for path, number, v in places}
        return TrainingStep(float(total), found, new)
    finally:
        for variable, value in kept:
            variable.assign(value)


def _dense(gradient: Any) -> Any:
    import tensorflow as tf

    return as_array(tf.convert_to_tensor(gradient))


def _apply(optimizer: InnerDeclaration, variables: Sequence[Any], gradients: Mapping[int, Any]) -> None:
    keras = load_keras()
    real = keras_part(keras.optimizers, optimizer)
    trained = [v for v in variables if gradients.get(id(v)) is not None]
    real.build(trained)
    scale = optimizer.loss_scale
    real.apply([keras.ops.convert_to_tensor(_dense(gradients[id(v)])) * scale for v in trained], trained)


def keras_loss(one: OutputLoss, training: Training) -> Any:
    """Return Keras's loss for an output, as the model was compiled with it."""
    setting = setting_of_output(training, one.ref.layer)
    keras = load_keras()
    config = {} if setting is None else shortest(setting.config)
    kept = {name: value for name, value in config.items() if name in one.arguments}
    return getattr(keras.losses, one.type)(**kept)


def keras_part(home: Any, declared: InnerDeclaration | TrainingSetting) -> Any:
    """Return Keras's optimizer, or the schedule in it, with the same arguments."""
    keras = load_keras()
    name = declared.type if isinstance(declared, InnerDeclaration) else declared.name
    cls = getattr(home, name, None) or getattr(keras.optimizers.schedules, name)
    config = {
        key: keras_part(home, value) if isinstance(value, InnerDeclaration | TrainingSetting) else value
        for key, value in declared.config.items()
        if key != "name"
    }
    return cls(**config)


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
    key = next(key for key, one in step.weights.items() if one is weight)
    found = result.gradients.get(key)
    if found is None:
        raise LayerExplainError("Keras returns no gradient for it")
    return found
