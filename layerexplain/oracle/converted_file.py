"""Today's `.keras` of a source with weights: built of its layers, given its weights, and held against its formulas
before it is written."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.conversions.config import to_config
from layerexplain.conversions.older_keras import GONE
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.config import read_config
from layerexplain.lang.definition import Definition
from layerexplain.lang.visit import is_random
from layerexplain.model import InputShapes, Model, Note, fixed_batch
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.oracle.comparison import NotComputed, computed
from layerexplain.oracle.keras_files import keras_model_of_config
from layerexplain.oracle.keras_model import KerasModel, keras_part
from layerexplain.oracle.reference import first_line, load_keras, without_warnings
from layerexplain.oracle.tolerance import TOLERANCE, allowed
from layerexplain.oracle.verify import BATCH, ReferenceRun, first_shape, run_reference, traced
from layerexplain.report.objective import TodaysTraining, todays_training
from layerexplain.run.weight_source import Origin, WeightSource, weight_source
from layerexplain.weights.assign import cudnn_places
from layerexplain.weights.weighted_layers import weighted_layers


def to_keras_file(
    source: Any,
    model: Model,
    named: Model,
    names: Mapping[tuple[str, ...], tuple[str, ...]],
    inputs: InputShapes,
    backend: str | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a .keras file for a source, and what there is to say of it.

    Args:
        source: What the weights are read of: the file that the model was read of, or one of weights alone.
        model: The model.
        named: The model with names and masks as Keras 3 has them.
        names: The path of each layer of the model → its path in `named`.
        inputs: The shapes of inputs by name, without the batch, where the model leaves sizes open.
        backend: What Keras ran on, "tensorflow" or "theano", where the file does not say it.

    Raises:
        LayerExplainError: for what cannot be carried over, and if the new model computes something else.
    """
    config = to_config(named, numbered=True)
    network = traced(model, inputs)
    with weight_source(source, network, seed=0, backend=backend) as weights, without_warnings():
        if weights.origin == "drawn" and any(layer.weights for layer in weighted_layers(network)):
            why = next((note.message for note in weights.notes if note.code != "drawn-weights"), "it stores no weights")
            raise LayerExplainError(f"cannot become a .keras file: {why}; convert it to .py, .yaml or .json")
        if any(note.code == "unknown-backend" for note in weights.notes):
            words = "Keras 1 did not store its backend: give --backend tensorflow, or theano"
            raise LayerExplainError(f"{words}, which reads the kernels of convolutions backwards")
        real = keras_model_of_config(config, numbered=bool(named.shared))
        reference = KerasModel(real, "of the model")
        reference.build(lambda: first_shape(network))
        # The same reader reads today's configuration, so that each of its layers has its formula.
        shapes = {names[(name,)][0] if (name,) in names else name: shape for name, shape in inputs.items()}
        today = trace_model(read_config(config, numbered=True), shapes)
        reference.assign(today, CarriedWeights(weights, network, names))
        notes = list(_compile(real, todays_training(named)))
        with tempfile.TemporaryDirectory(prefix="layerexplain-") as folder:
            path = os.path.join(folder, "model.keras")
            real.save(path)
            if named.shared:
                _number_objects(path, config)
            try:
                saved = load_keras().models.load_model(path, safe_mode=True)
            except Exception as error:  # Keras raises whatever its parts raise
                words = f"Keras cannot load the file that it saved: {first_line(error)}"
                raise LayerExplainError(f"{words}; convert it to .py or .json") from None
            try:
                _must_agree(model, KerasModel(saved, "of the model"), weights, inputs)
            except LayerExplainError as error:
                raise LayerExplainError(error.fact + _masked_attention(network)) from None
            with open(path, "rb") as file:
                return file.read(), tuple(notes)


def _masked_attention(network: Network) -> str:
    """Return which layer gives other values at masked steps in Keras 3, in words; "" where none does."""
    for traced_call in network.calls:
        definition, origin, declaration = traced_call.definition, traced_call.origin, traced_call.declaration
        if definition is None or origin is None or declaration is None or not any(origin.masks[:1]):
            continue
        if "attention_mask" not in declaration.tensors:
            continue
        arguments = definition.arguments
        if arguments.get("dropout") or arguments.get("return_attention_scores"):
            of = "has dropout" if arguments.get("dropout") else "returns its scores"
            words = f"at masked steps '{traced_call.call.layer}' averages all values in Keras 2 and none in Keras 3"
            return f"; {words}, because it {of}"
    return ""


def _number_objects(path: str, config: Mapping[str, Any]) -> None:
    """Put the numbers of objects that stand in several places into an archive: Keras loses some when it saves."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    written = {**json.loads(parts["config.json"]), "config": config["config"]}
    parts["config.json"] = json.dumps(written).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _must_agree(model: Model, saved: KerasModel, weights: WeightSource, inputs: InputShapes) -> None:
    """Raise LayerExplainError unless the outputs of the new model are those of the formulas on the old weights."""
    saved.build(lambda: first_shape(traced(model, inputs)))
    batch = fixed_batch(model) or BATCH
    trial: ReferenceRun = run_reference(model, saved, inputs, batch, 0)
    definition = trial.network.definition
    if definition is None or definition.kind == "opaque":
        names = ", ".join(f"'{note.layer}'" for note in trial.network.notes if note.layer)
        raise LayerExplainError(f"the formula of {names or 'a layer'} is unknown, so the new model cannot be checked")
    if is_random(definition):
        raise LayerExplainError("it draws random numbers even at inference, so the new model cannot be checked")
    arrays = list(_arrays(trial.network, weights))
    dtypes = [str(getattr(layer, "compute_dtype", "float32")) for layer in saved.real.layers]
    try:
        ours = computed(definition, trial.arrays, arrays, batch, "float32", *dtypes)
    except NotComputed as refusal:
        raise LayerExplainError(f"the new model cannot be checked: {refusal}") from None
    for place, theirs in enumerate(trial.outputs):
        verdict = ours.verdict(place, theirs, allowed(TOLERANCE, *dtypes))
        if not verdict.agrees:
            name = f"output {place + 1}" if len(trial.outputs) > 1 else "the output"
            fact = f"{name} of the new model differs from the formulas by {verdict.apart:.1e}"
            raise LayerExplainError(f"{fact} ({verdict.words or 'of its largest value'}); nothing was written")


def _arrays(network: Network, weights: WeightSource) -> Iterator[Any]:
    """Yield the stored weights of all layers in the order of the network's own definition."""
    for layer in weighted_layers(network):
        if layer.definition is not None and layer.weights:
            yield from weights.arrays_of(layer.path, layer.definition)[: len(layer.weights)]


def _compile(real: Any, training: TodaysTraining | None) -> Iterator[str]:
    """Compile a model as its source was; yield what is not carried over."""
    if training is None:
        return
    yield from training.unsaid
    for item in training.left_out:
        yield f"{item} is not part of Keras 3; the new model is not trained with it"
    given = training.given()
    if "optimizer" not in given and "loss" not in given:
        return
    try:
        real.compile(**keras_part(given))
    except Exception as error:  # Keras raises whatever its parts raise
        yield f"the training configuration is left out: {first_line(error)}"
    else:
        if training.optimizer is not None:
            yield "the optimizer's state is not converted; training begins with a new state"


class CarriedWeights:
    """A `WeightSource` for the network of today's model, from the weights of the one that it was made of. `names` has
    for the path of each of its layers the one in today's."""

    def __init__(
        self, weights: WeightSource, network: Network, names: Mapping[tuple[str, ...], tuple[str, ...]]
    ) -> None:
        self.weights = weights
        self.origin: Origin = weights.origin
        self.notes: tuple[Note, ...] = weights.notes
        self.layers = {names.get(layer.path, layer.path): layer for layer in weighted_layers(network)}

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        for depth in (len(path), len(path) - 1):
            layer = self.layers.get(path[:depth])
            if layer is None or layer.definition is None:
                continue
            arrays = self.weights.arrays_of(layer.path, layer.definition)
            if layer.layer.type in GONE:
                return GONE[layer.layer.type].weights(layer.layer, arrays)["/".join(path[depth:])]
            return _joined_biases(arrays, layer.definition)
        raise LayerExplainError("no layer of the source has its weights", layer="/".join(path))


def _joined_biases(arrays: list[Any], definition: Definition) -> list[Any]:
    """Return the weights of cuDNN's layers as LSTM and GRU have them: one bias, or one of two rows."""
    results = list(arrays)
    for first, gates in cudnn_places(definition):
        rows = results[first + 2].reshape(2, -1)
        results[first + 2] = rows.sum(axis=0) if gates == 4 else rows
    return results
