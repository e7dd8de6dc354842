"""Layers that hold layers, saved by Keras: the weights of cells, pipelines and wrappers are found in the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.report.weight_table import list_weights
from tests.support.frameworks import keras

pytestmark = pytest.mark.keras


def _stacked(layers: Any) -> Any:
    return layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(4), layers.LSTMCell(2)]))


LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "cell": (lambda layers: layers.RNN(layers.GRUCell(4), return_sequences=True), (7, 3)),
    "stack": (_stacked, (7, 3)),
    "list of cells": (lambda layers: layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(4)]), (7, 3)),
    "both ways": (lambda layers: layers.Bidirectional(_stacked(layers)), (7, 3)),
    "images": (lambda layers: layers.ConvLSTM2D(2, 3), (4, 7, 5, 3)),
    "pipeline": (lambda layers: layers.Pipeline([layers.Rescaling(2.0), layers.Dense(4), layers.Dense(2)]), (5,)),
    "spectral": (lambda layers: layers.SpectralNormalization(layers.Conv2D(4, 3)), (7, 5, 3)),
    "sound": (lambda layers: layers.STFTSpectrogram(frame_length=8), (29, 2)),
}


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_found(name: str, ending: str, tmp_path: Path) -> None:
    make, shape = LAYERS[name]
    inputs = keras.Input(shape)
    layer = make(keras.layers)
    model = keras.Model(inputs, layer(inputs))
    path = tmp_path / f"model.{ending}"
    model.save(path)
    row = layerexplain.explain(layerexplain.read(path)).layers[-1]
    assert row.params == layer.count_params()
    assert row.output_shapes == (tuple(model.output_shape),)
    table = list_weights(path)
    assert not [note for note in table.notes if note.code.startswith("weight")]
    assert [w.shape for w in table.weights] == [tuple(w.shape) for w in layer.weights]
    assert all(w.path is not None for w in table.weights)


@pytest.mark.parametrize("training", [False, True])
def test_grouped_attention_is_read_by_the_name_in_the_file(training: bool, tmp_path: Path) -> None:
    inputs = keras.Input((5, 8))
    outputs = keras.layers.GroupQueryAttention(4, 4, 2, name="gqa")(inputs, inputs, use_causal_mask=training)
    model = keras.Model(inputs, outputs)
    path = tmp_path / "model.keras"
    model.save(path)
    row = layerexplain.explain(layerexplain.read(path)).layers[-1]
    assert row.params == model.count_params()
    assert all(w.path is not None for w in list_weights(path).weights)


def test_reversible_embedding_ties_both_ways(tmp_path: Path) -> None:
    ids = keras.Input((4,), dtype="int32")
    table = keras.layers.ReversibleEmbedding(9, 6, name="table")
    model = keras.Model(ids, table(keras.layers.Dense(6, name="dense")(table(ids)), reverse=True))
    path = tmp_path / "model.keras"
    model.save(path)
    report = layerexplain.explain(layerexplain.read(path))
    rows = {row.layer: row for row in report.layers}
    assert rows["table"].params == 9 * 6
    assert report.totals.params == model.count_params()
    assert [tuple(o.shape) for o in report.outputs] == [(None, 4, 9)]
