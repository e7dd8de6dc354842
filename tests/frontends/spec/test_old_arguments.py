"""Arguments of older Keras in a spec: Keras 3 refuses or ignores them, and the form of today gives the same model."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from layerexplain import explain

ROWS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    # an item as of older Keras, what the note says, the same today, and the argument for Keras
    ("Dense: {units: 3, batch_input_shape: [null, 5]}", "`input: [5]` before the layers", "input: [5]", "Dense: {units: 3}", {"batch_input_shape": (None, 5)}),
    ("Dense: {units: 3, batch_input_shape: [8, 5]}", "`input: {shape: [5], batch_size: 8}` before the layers",
     "input: {shape: [5], batch_size: 8}", "Dense: {units: 3}", {"batch_input_shape": (8, 5)}),
    ("Dense: {units: 3, batch_shape: [null, 5]}", "`input: [5]` before the layers", "input: [5]", "Dense: {units: 3}", {"batch_shape": (None, 5)}),
    ("Embedding: {input_dim: 9, output_dim: 4, input_length: 7}", "`input: [7]` before the layers",
     "input: {shape: [7], dtype: int32}", "Embedding: {input_dim: 9, output_dim: 4}", {"input_length": 7}),
    ("Conv1D: {filters: 3, kernel_size: 2, input_dim: 4, input_length: 7}", "`input: [7, 4]` before the layers",
     "input: [7, 4]", "Conv1D: {filters: 3, kernel_size: 2}", {"input_length": 7}),
    ("Dense: {units: 3, input_shape: [5], batch_size: 8}", "`input: {shape: [5], batch_size: 8}` before the layers",
     "input: {shape: [5], batch_size: 8}", "Dense: {units: 3}", {"batch_size": 8}),
    ("SimpleRNN: {units: 3, implementation: 2, input_shape: [5, 4]}", "leave it out", "input: [5, 4]", "SimpleRNN: 3", {"implementation": 2}),
    ("LSTM: {units: 3, time_major: false, input_shape: [5, 4]}", "leave it out; the batch is the first axis",
     "input: [5, 4]", "LSTM: 3", {"time_major": False}),
    ("BatchNormalization: {fused: true, input_shape: [4]}", "leave it out", "input: [4]", "BatchNormalization", {"fused": True}),
    ("BatchNormalization: {virtual_batch_size: 2, input_shape: [4]}", "leave it out", "input: [4]", "BatchNormalization", {"virtual_batch_size": 2}),
    ("Dense: {units: 3, weights: null, input_shape: [5]}",
     "leave it out, and call set_weights() on the layer once it is built", "input: [5]", "Dense: {units: 3}",
     {"weights": None}),
    ("Dense: {output_dim: 3, input_shape: [5]}", "`units`", "input: [5]", "Dense: {units: 3}", {"output_dim": 3}),
    ("Dense: {units: 3, W_regularizer: l2, input_shape: [5]}", "`kernel_regularizer`", "input: [5]",
     "Dense: {units: 3, kernel_regularizer: l2}", {"W_regularizer": "l2"}),
    ("LSTM: {units: 3, inner_activation: relu, input_shape: [5, 4]}", "`recurrent_activation`", "input: [5, 4]",
     "LSTM: {units: 3, recurrent_activation: relu}", {"inner_activation": "relu"}),
]  # fmt: skip


def told(text: str, path: Path) -> Any:
    path.write_text(text)
    return explain(path, detail=False)


@pytest.mark.parametrize(("old", "said", "inputs", "now", "argument"), ROWS, ids=lambda v: v if ":" in str(v) else "")
def test_what_older_keras_took_is_read_and_said(
    old: str, said: str, inputs: str, now: str, argument: dict[str, Any], tmp_path: Path
) -> None:
    before = told(f"layers:\n  - {old}\n  - Activation: relu\n", tmp_path / "old.yaml")
    after = told(f"{inputs}\nlayers:\n  - {now}\n  - Activation: relu\n", tmp_path / "now.yaml")
    (note,) = [note for note in before.notes if note.code == "old-argument"]
    (name,) = argument
    assert note.message == f"{name} is an argument of older Keras; in Keras 3: {said}"
    assert not after.notes
    rows = [[(row.operation, row.output_shapes, row.params) for row in report.layers] for report in (before, after)]
    assert rows[0] == rows[1]


@pytest.mark.keras
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_keras_3_does_not_take_it(row: tuple[str, str, str, str, dict[str, Any]]) -> None:
    keras = pytest.importorskip("keras")
    type_ = row[0].partition(":")[0]
    config: dict[str, Any] = {
        "Embedding": {"input_dim": 9, "output_dim": 4}, "BatchNormalization": {},
        "Conv1D": {"filters": 3, "kernel_size": 2},
    }.get(type_, {"units": 3})  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            getattr(keras.layers, type_)(**config, **row[4])
        except ValueError as error:
            assert "Unrecognized keyword arguments" in str(error)
        else:
            assert "deprecated. Just remove it" in str(caught[0].message)


@pytest.mark.parametrize("item", [
    "LSTM: {units: 3, implementation: 2, input_shape: [5, 4]}", "GRU: {units: 3, implementation: 1, input_shape: [5, 4]}",
    "Dense: {units: 3, input_shape: [5]}", "Dense: {units: 3, input_dim: 5}",
])  # fmt: skip
def test_what_keras_3_takes_gets_no_note(item: str, tmp_path: Path) -> None:
    assert not told(f"layers:\n  - {item}\n", tmp_path / "m.yaml").notes


@pytest.mark.parametrize("inputs", ["input: [5]\n", ""])
def test_the_shape_of_an_input_is_advised_only_where_a_layer_says_it(inputs: str, tmp_path: Path) -> None:
    first = "" if inputs else "input_shape: [5], "
    report = told(
        f"{inputs}layers:\n  - Embedding: {{{first}input_dim: 9, output_dim: 4, input_length: 5}}\n"
        "  - Embedding: {input_dim: 9, output_dim: 4, input_length: 7}\n"
        "  - Dense: {units: 3, batch_size: 8, batch_input_shape: [8, 4]}\n", tmp_path / "m.yaml",
    )  # fmt: skip
    said = [(note.layer, note.message.partition("; in Keras 3: ")[2]) for note in report.notes]
    elsewhere = "leave it out; `input:` gives the shape"
    own = elsewhere if inputs else "`input: [5]` before the layers"
    assert said == [("embedding", own), ("embedding_1", elsewhere), ("dense", elsewhere), ("dense", elsewhere)]


def test_causal_attention_of_keras_2_is_causal(tmp_path: Path) -> None:
    """It was an argument of the layer and is one of the call."""
    text = "inputs: {q: [4, 3], v: [4, 3]}\nlayers:\n  - Attention: {ARGUMENT: true}\n    from: [q, v]\n"
    before, after = (
        told(text.replace("ARGUMENT", name), tmp_path / f"{name}.yaml") for name in ("causal", "use_causal_mask")
    )
    assert (
        before.layers[-1].formula
        == after.layers[-1].formula
        != told(text.replace("ARGUMENT", "use_scale"), tmp_path / "plain.yaml").layers[-1].formula
    )
    assert [note.code for note in before.notes] == ["old-argument"] and not after.notes


@pytest.mark.keras
@pytest.mark.parametrize("argument", ["causal", "use_causal_mask"])
def test_causal_attention_agrees_with_keras(argument: str, tmp_path: Path) -> None:
    """Keras takes it in the call: `verify` gives it there."""
    from layerexplain import verify

    path = tmp_path / "m.yaml"
    path.write_text(f"inputs: {{q: [4, 3], v: [4, 3]}}\nlayers:\n  - Attention: {{{argument}: true}}\n    from: [q, v]\n"
                    f"  - MultiHeadAttention: {{num_heads: 2, key_dim: 3, use_causal_mask: true}}\n    from: [q, attention]\n")  # fmt: skip
    assert verify(path, drawn=True).agrees
