"""Recurrent layers and wrappers beyond the table of cases: refusals, training, the CuDNN forms, real files."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import explain, format_report
from layerexplain.derive.evaluate import evaluate
from layerexplain.derive.gist import sentence
from layerexplain.derive.same import same_definition
from layerexplain.derive.shape_reasons import shape_reasons
from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError
from layerexplain.lang.text import program
from layerexplain.layers.registry import find
from tests.cases import Case, Wrapped
from tests.support.compared_values import check
from tests.support.frameworks import keras
from tests.support.keras_oracle import keras_layer
from tests.support.tracing import SEQUENCE, trace_sequences

LSTM = Wrapped("LSTM", {"units": 5})
SAME = {"units": 5, "return_sequences": True}


@pytest.mark.parametrize(
    ("type_", "config", "shapes", "words"),
    [
        ("LSTM", {"units": 5}, [(5,)], "got (None, 5), without steps"),
        ("GRU", {"units": 5}, [(7, 3, 2)], "GRU needs an input of (batch, steps, features), got (None, 7, 3, 2)"),
        ("LSTM", {"units": 5}, [SEQUENCE, (5,)], "LSTM needs 2 initial states (h, c), got 1"),
        (
            "LSTM",
            {"units": 5},
            [SEQUENCE, *[(5,)] * 4],
            "LSTM needs 2 initial states (h, c), got 4; if they are of a Bidirectional layer, join each with that of the other direction: initial_state=[Concatenate()([h, h_backward]), Concatenate()([c, c_backward])], and give LSTM 10 units",
        ),
        ("GRU", {"units": 5}, [SEQUENCE, (5,), (5,)], "GRU needs 1 initial state (h), got 2"),
        ("LSTM", {"units": 5}, [SEQUENCE, (5,), (4,)], "LSTM needs its initial c as (batch, 5), got (None, 4)"),
        ("SimpleRNN", {"units": 5, "time_major": True}, [SEQUENCE], "SimpleRNN needs time_major to be false"),
        ("LSTM", {"units": 5, "recurrent_activation": "sigmod"}, [SEQUENCE], "did you mean 'sigmoid'?"),
        ("Bidirectional", {"layer": Wrapped("Dense", {"units": 5})}, [SEQUENCE], "a recurrent layer, got layer=Dense"),
        ("Bidirectional", {"layer": 5}, [SEQUENCE], "Bidirectional needs layer to be a layer, got layer=5"),
        ("Bidirectional", {"layer": LSTM, "merge_mode": "max"}, [SEQUENCE], "'concat', 'sum', 'mul', 'ave' or None"),
        ("Bidirectional", {"layer": LSTM}, [SEQUENCE, (5,)], "an even number, got 1"),
        ("Bidirectional", {"layer": LSTM}, [SEQUENCE, (5,), (5,)], "LSTM needs 2 initial states (h, c), got 1"),
        ("Bidirectional", {"layer": LSTM, "backward_layer": LSTM}, [SEQUENCE], "different go_backwards, got False"),
        (
            "Bidirectional",
            {"layer": LSTM, "backward_layer": Wrapped("LSTM", {**SAME, "go_backwards": True})},
            [SEQUENCE],
            "the same return_sequences in layer and backward_layer, got False and True",
        ),
        ("Bidirectional", {"layer": LSTM}, [(5,)], "LSTM needs an input of (batch, steps, features)"),
        ("TimeDistributed", {"layer": Wrapped("Dense", {"units": 5})}, [(5,)], "at least 3 axes, got (None, 5)"),
        ("TimeDistributed", {"layer": Wrapped("Conv2D", {"filters": 5, "kernel_size": 3})}, [SEQUENCE], "Conv2D needs"),
        ("TimeDistributed", {"layer": Wrapped("LSTM", {"units": 5, "return_state": True})}, [(4, *SEQUENCE)], "a layer with one output, got LSTM with 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    type_: str, config: dict[str, Any], shapes: list[tuple[int, ...]], words: str
) -> None:
    with pytest.raises((ArgumentError, ShapeError)) as refusal:
        trace_sequences(type_, config, *shapes)
    assert words in str(refusal.value)


def _masked_cases() -> Iterator[Case]:
    """A mask on each way of running a recurrent layer: alone, both ways, at each step, with and without states."""
    flags = itertools.product([False, True], repeat=4)
    for unroll, backwards, sequences, given in flags:
        running = {"unroll": unroll, "return_sequences": sequences, "name": "inner"}
        config = {"units": 3, **running}
        alone = Case("LSTM", {**config, "go_backwards": backwards}, ((4, 2), *[(3,)] * 2 * given), masks=(True,))
        yield alone
        yield alone._replace(config={**alone.config, "zero_output_for_mask": True})
        second = {"backward_layer": Wrapped("GRU", {**config, "unroll": backwards, "go_backwards": True, "name": "g"})}
        both = {"layer": Wrapped("SimpleRNN", config), "merge_mode": None}
        yield Case("Bidirectional", both | ({} if given else second), ((4, 2), *[(3,)] * 2 * given), masks=(True,))
        cell = Wrapped("GRUCell", {"units": 3, "name": "cell"})
        of_cell = {"cell": cell, "zero_output_for_mask": given, "go_backwards": backwards}
        yield Case("RNN", {**running, **of_cell}, ((4, 2),), masks=(True,))


@pytest.mark.keras
@pytest.mark.parametrize("case", [*_masked_cases()], ids=lambda case: case.id)
def test_masked_steps_give_what_keras_gives(case: Case) -> None:
    assert check(case)


@pytest.mark.parametrize("type_", ["SimpleRNN", "GRU", "LSTM"])
@pytest.mark.parametrize(
    "rates", [{"dropout": 0.3}, {"recurrent_dropout": 0.3}, {"dropout": 0.3, "recurrent_dropout": 0.2}]
)
def test_dropout_shows_in_training_only(type_: str, rates: dict[str, float]) -> None:
    config = {"units": 5, **rates}
    assert same_definition(trace_sequences(type_, config), trace_sequences(type_, {"units": 5}))
    text = program(trace_sequences(type_, config, training=True))
    for rate in rates.values():
        assert f"dropout(zeros(shape=(n, {3 if rate == rates.get('dropout') else 5})) + 1, rate={rate})" in text
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[type_] if "recurrent_dropout" in rates else 1
    assert text.count("dropout(") == gates * len(rates)
    wrapped = program(trace_sequences("Bidirectional", {"layer": Wrapped(type_, config)}, training=True))
    assert wrapped.count("dropout(") == text.count("dropout(")


def test_both_directions_of_a_bidirectional_layer_share_one_definition() -> None:
    second = Wrapped("LSTM", {"units": 5, "go_backwards": True})
    text = program(trace_sequences("Bidirectional", {"layer": LSTM, "backward_layer": second}))
    assert text.count("def ") == 1
    assert "y_bwd = lstm(reverse(x), W_bwd, U_bwd, b_bwd)" in text


def test_a_bidirectional_layer_of_older_files_may_turn_the_inner_layer() -> None:
    """Keras 3 refuses this without backward_layer; in the files of tf.keras the second one then runs forwards."""
    text = program(trace_sequences("Bidirectional", {"layer": Wrapped("LSTM", {"units": 5, "go_backwards": True})}))
    assert "y_fwd = lstm(reverse(x), W_fwd, U_fwd, b_fwd)" in text
    assert "y_bwd = lstm(x, W_bwd, U_bwd, b_bwd)" in text


@pytest.mark.parametrize(("old", "new", "gates"), [("CuDNNLSTM", "LSTM", 4), ("CuDNNGRU", "GRU", 3)])
def test_the_cudnn_layers_of_older_files_are_todays_with_a_flat_bias(old: str, new: str, gates: int) -> None:
    rng = np.random.default_rng(5)
    config = {**SAME, "return_state": True, "go_backwards": True}
    ours, todays = trace_sequences(old, config), trace_sequences(new, config)
    assert [w.shape for w in ours.weights] == [(3, gates * 5), (5, gates * 5), (2 * gates * 5,)]
    assert [w.attrs["path"] for w in ours.weights] == [()] * 3
    kernel, recurrent, bias = (rng.normal(size=w.shape).astype("float32") for w in ours.weights)
    halves = bias.reshape(2, -1)
    x = rng.normal(size=(2, *SEQUENCE)).astype("float32")
    values = evaluate(ours, [x], [kernel, recurrent, bias])
    expected = evaluate(todays, [x], [kernel, recurrent, halves if gates == 3 else halves.sum(axis=0)])
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, atol=1e-5)


@pytest.mark.keras
def test_an_encoder_and_decoder_are_read_from_a_file(tmp_path: Path) -> None:
    """States as call arguments, masks, wrappers around models: shapes and parameters as Keras has them."""
    import layerexplain

    keras.backend.clear_session(free_memory=False)  # the mask's operation gets the first of its names
    ids = keras.Input((9,), dtype="int32", name="ids")
    target = keras.Input((5, 4), name="target")
    embedded = keras.layers.Embedding(11, 3, mask_zero=True, name="embedding")(ids)
    _, *states = keras.layers.Bidirectional(keras.layers.LSTM(6, return_state=True), name="encoder")(embedded)
    h = keras.layers.Concatenate(name="h")([states[0], states[2]])
    c = keras.layers.Concatenate(name="c")([states[1], states[3]])
    decoder = keras.layers.LSTM(12, return_sequences=True, name="decoder")
    decoded = decoder(target, initial_state=[h, c])
    head = keras.Sequential([keras.Input((12,)), keras.layers.Dense(7), keras.layers.Dense(2)], name="head")
    y = keras.layers.TimeDistributed(head, name="each")(decoded)
    model = keras.Model([ids, target], y, name="translator")
    file = tmp_path / "translator.keras"
    model.save(file)
    report = layerexplain.explain(layerexplain.read(str(file)))
    rows = {row.layer: row for row in report.layers}
    for layer in model.layers:
        assert rows[layer.name].params == layer.count_params(), layer.name
    assert list(rows["encoder"].output_shapes) == [(None, 12), *[(None, 6)] * 4]
    assert list(rows["decoder"].output_shapes) == [(None, 5, 12)]
    assert list(rows["each"].output_shapes) == [(None, 5, 2)]
    # Keras writes the mask as an operation of its own, and hands it to the call by name.
    assert rows["encoder"].calls[0].mask == "not_equal"
    assert rows["decoder"].operation == "LSTM, 12 units, all steps, from a given state"


def test_a_layer_that_is_none_of_ours_is_told() -> None:
    with pytest.raises(LayerExplainError, match="Lstm is not a layer of Keras"):
        trace_sequences("TimeDistributed", {"layer": Wrapped("Lstm", {"units": 5})}, (4, *SEQUENCE))


READS_BACKWARDS = {"SimpleRNN": {"units": 3}, "GRU": {"units": 3}, "LSTM": {"units": 3},
                   "RNN": {"cell": Wrapped("LSTMCell", {"units": 3})},
                   "ConvLSTM1D": {"filters": 3, "kernel_size": 2}}  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize("type_", READS_BACKWARDS)
def test_a_layer_that_goes_backwards_reads_step_0_last(type_: str) -> None:
    """In Keras its first output depends on the last step alone, and only its last output on step 0, as we say."""
    config = {**READS_BACKWARDS[type_], "go_backwards": True, "return_sequences": True}
    shape = (5, 4, 2) if type_ == "ConvLSTM1D" else (5, 4)
    x = np.random.default_rng(7).normal(size=(1, *shape)).astype("float32")
    changed = x.copy()
    changed[:, 0] += 1
    layer = keras_layer(type_, config)
    differs = np.abs(np.asarray(layer(x)) - np.asarray(layer(changed))).reshape(5, -1).max(axis=1) > 1e-6
    assert differs.tolist() == [False] * 4 + [True]
    config["return_sequences"] = False
    declaration = find(type_)
    assert declaration is not None
    for backwards, order, last in ((True, "from the last to the first", ", that of step 0"), (False, "in order", "")):
        definition = trace_sequences(type_, {**config, "go_backwards": backwards}, shape)
        assert order in sentence(definition)
        assert shape_reasons(definition).axes[-1].why.startswith(f"only the last output is returned{last};")


@pytest.mark.keras
@pytest.mark.parametrize(("type_", "states"), [("LSTM", "hc"), ("GRU", "h"), ("SimpleRNN", "h")])
def test_results_are_named_as_keras_returns_them(type_: str, states: str, tmp_path: Path) -> None:
    """The names in the order of Keras's results, and a spec that takes them by the numbers that are printed."""
    x = np.random.default_rng(5).normal(size=(2, 5, 4)).astype("float32")
    layer = keras.layers.Bidirectional(getattr(keras.layers, type_)(3, return_state=True))
    results = [np.asarray(one) for one in layer(x)]
    wanted = {}
    for way, one in (("fwd", layer.forward_layer), ("bwd", layer.backward_layer)):
        wanted |= {f"{name}_{way}": np.asarray(v) for name, v in zip(f"y{states}", one(x), strict=True)}
    inner = Wrapped(type_, {"units": 3, "return_state": True})
    names = list(trace_sequences("Bidirectional", {"layer": inner}, (5, 4)).results)
    assert names[0] == "y" and len(names) == len(results)
    for name, value in zip(names[1:], results[1:], strict=True):
        np.testing.assert_allclose(value, wanted[name], atol=1e-6)
    kept = [f"encoder[{i}]" for i in range(1, len(names))]
    spec = {"inputs": {"x": [5, 4], "target": [7, 2]}, "layers": [
        {"Bidirectional": {type_: {"units": 3, "return_state": True}}, "name": "encoder", "from": "x"},
        {"Bidirectional": {type_: {"units": 3}}, "name": "decoder", "from": ["target", *kept]},
    ]}  # fmt: skip
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(spec))
    encoder, decoder = explain(path).layers[-2:]
    assert encoder.results == tuple(names)
    assert decoder.calls[0].source_names == ("target", *kept)
    assert encoder.explanation is not None
    hint = " ".join(encoder.explanation.hints)
    assert f"from: [target, {', '.join(json.dumps(one) for one in kept)}] gives the states" in hint
    assert all(f'"{one}" ({name})' in hint for one, name in zip(kept, names[1:], strict=True))
    page = format_report(explain(path, detail=False), "markdown")
    assert "; ".join(f"{name} (None, 3)" for name in names[1:]) in page
