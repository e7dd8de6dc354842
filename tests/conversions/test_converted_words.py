"""What `convert` writes of names, settings and classes that changed: small models, and what Keras 3 says for them."""

import json
from typing import Any

import pytest

import layerexplain
from layerexplain.conversions.code import to_code
from layerexplain.conversions.config import to_config
from layerexplain.conversions.spec import to_spec
from layerexplain.frontends import read
from layerexplain.model import Model
from tests.support.frameworks import keras


def trained(model: Model) -> list[bool]:
    """Of each weight whether it is trained."""
    return [weight.trainable for row in layerexplain.explain(model, detail=False).layers for weight in row.weights]


FROZEN = [
    "Sequential: [{Dense: 5}, {BatchNormalization: {}}]",
    "Sequential: [{Sequential: [{Dense: 5}]}, {Dense: {units: 4}}]",
    "TimeDistributed: {Dense: 5}",
    "Bidirectional: {LSTM: 3}",
    "RNN: {cell: [{LSTMCell: 3}, {GRUCell: 2}]}",
    "LSTM: 3",
]


@pytest.mark.keras
@pytest.mark.parametrize("item", FROZEN)
def test_keras_freezes_what_is_frozen(item: str) -> None:
    keras = pytest.importorskip("keras")
    kind, _, rest = item.partition(": ")
    flag = "\n    trainable: false" if kind == "Sequential" else ""
    given = (
        item if flag else f"{kind}: {{{rest.strip('{}') if rest[0] == '{' else 'units: ' + rest}, trainable: false}}"
    )
    model = read(f"input: [7, 6]\nlayers:\n  - {given}{flag}\n  - Dense: 2\n".encode())
    loaded = keras.models.model_from_json(json.dumps(to_config(model)))
    assert [variable.trainable for variable in loaded.layers[-2].weights] == [False] * len(trained(model)[:-2])
    assert trained(model)[-2:] == [True, True]
    assert set(trained(model)[:-2]) == {False}


def _in_a_row(name: str, *layers: dict[str, Any], shape: list[int | None] | None) -> dict[str, Any]:
    first = {
        "class_name": "InputLayer",
        "config": {"batch_shape": shape, "name": f"of_{name}"},
        "module": "keras.layers",
    }
    config = {"name": name, "layers": [*([first] if shape is not None else []), *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def _with_celu(shape: list[int | None] | None) -> dict[str, Any]:
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 4}}
    celu = {"module": "keras.src.ops.nn", "class_name": "Celu", "config": {"name": "c"}, "registered_name": "Celu"}
    return _in_a_row("row", dense, celu, shape=shape)


ROWS_WITH_CELU = [_with_celu([None, 6]), _in_a_row("outer", _with_celu([None, 6]), shape=[None, 6])]


@pytest.mark.parametrize("config", ROWS_WITH_CELU, ids=["alone", "nested"])
def test_a_sequential_of_a_file_with_an_operation_becomes_functional_in_all_forms(config: dict[str, Any]) -> None:
    # Keras refuses to load it: "Only instances of `keras.Layer` can be added to a Sequential model."
    model = read(config)
    written = to_config(model)
    row = written if written["config"]["name"] == "row" else written["config"]["layers"][1]
    assert (row["class_name"], row["config"]["name"]) == ("Functional", "row")
    assert "ops.celu(x)" in to_code(model) and "Celu" not in to_code(model)
    assert "outputs: [c]" in to_spec(model)


@pytest.mark.parametrize("training", ["true", "false"])
def test_a_layer_in_a_row_is_called_as_in_training_in_all_forms(training: str) -> None:
    # Keras's Sequential has no place for an argument of a call.
    for more in ("", "  - Dense: 2\n"):
        model = read(f"input: [6]\nlayers:\n  - Dropout: 0.5\n    training: {training}\n{more}".encode())
        assert f", training={training.title()})" in to_code(model)
        assert f"training: {training}" in to_spec(model)
        assert f'"training": {training}' in json.dumps(to_config(model))
        assert to_config(model)["class_name"] == "Functional"
    assert to_config(read(b"input: [6]\nlayers: [Dropout: 0.5]\n"))["class_name"] == "Sequential"


@pytest.mark.keras
@pytest.mark.parametrize("config", ROWS_WITH_CELU, ids=["alone", "nested"])
def test_keras_takes_what_is_made_of_a_row_with_an_operation(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Only instances of `keras\.Layer` can be added"):
        keras.models.model_from_json(json.dumps(config))
    model, names = read(config), {}
    exec(to_code(model), names)
    for made in (keras.models.model_from_json(json.dumps(to_config(model))), names["model"]):
        row = made if made.name == "row" else made.layers[0]
        assert (type(row).__name__, row.operations[-1].name.split("_")[0][0], made.count_params()) == (
            "Functional",
            "c",
            28,
        )
