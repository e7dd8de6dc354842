"""`check --run`: what one training step shows, by the numbers that `trace --gradient` has."""

import json
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.checks.rules import all_rules
from layerexplain.run.gradient_results import gradient_statistics
from layerexplain.run.input_option import make_inputs
from tests.support.check_rows import flat
from tests.support.commands import invoke

np = pytest.importorskip("numpy")

CODES = [rule.code for rule in all_rules() if rule.of == "run"]


def stack(layer: str, count: int, end: str = "Dense: 1") -> str:
    return flat(*[f"Dense: {layer}"] * count, end, end="loss: mse\n")


FOUND = {
    stack("{units: 16, activation: sigmoid}", 4): {"vanishing-gradient": "dense"},
    flat("Dense: {units: 16, kernel_initializer: {class_name: RandomNormal, config: {stddev: 0.0001}}}", "BatchNormalization", "Dense: 1", end="loss: mse\n"):
        {"exploding-gradient": "dense"},
    flat("Dense: {units: 7, activation: relu, bias_initializer: {class_name: Constant, config: {value: -50.0}}}", "Dense: 1", end="loss: mse\n"):
        {"gradient-stops": "dense", "dead-layer": "dense"},
    flat("Dense: {units: 7, activation: tanh, kernel_initializer: {class_name: RandomNormal, config: {stddev: 90.0}}}", "Dense: 1", end="loss: mse\n"):
        {"vanishing-gradient": "dense", "saturated-layer": "dense"},
    flat("Rescaling: 1.0e+300", "Dense: 3", "Dense: 1", end="loss: mse\n"): {"gradient-not-finite": "dense_1"},
}  # fmt: skip

SOUND = [
    stack("{units: 16, activation: relu, kernel_initializer: he_normal}", 4), stack("{units: 16, activation: tanh}", 3),
    flat("Conv2D: {filters: 7, kernel_size: 3, activation: relu}", "MaxPooling2D: 2", "Flatten", "Dense: {units: 3, activation: softmax}",
         shape="[12, 12, 1]", end="loss: categorical_crossentropy\n"),
    flat("LSTM: 5", "Dense: {units: 1, activation: sigmoid}", shape="[7, 3]"),
]  # fmt: skip


@pytest.mark.parametrize("spec", FOUND)
def test_what_a_step_shows(spec: str) -> None:
    report = layerexplain.check(spec.encode(), run=True, select=CODES)
    assert {one.code: one.layer for one in report} == FOUND[spec], [one.message for one in report]
    assert all(one.severity == "wrong" for one in report)


@pytest.mark.parametrize("spec", SOUND)
def test_a_sound_model_shows_nothing(spec: str) -> None:
    assert [one.message for one in layerexplain.check(spec.encode(), run=True, select=CODES)] == []


def test_every_rule_on_a_step_is_shown() -> None:
    assert {code for found in FOUND.values() for code in found} == {*CODES}


@pytest.mark.parametrize("spec", [*FOUND, *SOUND[:3]])
def test_trace_says_the_same(spec: str) -> None:
    """Each sentence of the findings is one of `trace --gradient`, whose numbers are those of its rows."""
    model = layerexplain.read(spec.encode())
    trace = gradient_statistics(spec.encode(), model, make_inputs(model, batch=32))
    found = [one.message for one in layerexplain.check(spec.encode(), run=True, select=CODES)]
    assert {*found} == {fact.sentence.removesuffix(".") for fact in trace.facts if fact.code}
    assert ("neither vanish nor explode" in " ".join(trace.said)) <= (not found)


def test_four_sigmoid_layers_that_do_not_learn(tmp_path: Path) -> None:
    """The cause comes before the numbers that it leads to."""
    file = tmp_path / "net.yaml"
    file.write_text(flat(*["Dense: {units: 16, activation: sigmoid}"] * 4, end="loss: mse\n"))
    result = invoke("check", file, "--run")
    cause, symptom = (result.stdout.index(words) for words in ("\nsigmoids-in-a-row", "\nvanishing-gradient"))
    assert result.exit_code == 1 and cause < symptom
    for words in ("4 sigmoids follow each other", "1/256", "Use relu", "that of 'dense'", "times less"):
        assert words in result.stdout, result.stdout
    assert "one training step was run: input (32, 8) (random, from seed 0)" in result.stdout


def test_given_data_are_run(tmp_path: Path) -> None:
    """Pixels from 0 to 255 saturate a tanh that values from 0 to 1 do not."""
    file = tmp_path / "net.yaml"
    spec = flat(
        "Flatten",
        "Dense: {units: 5, activation: tanh}",
        "Dense: {units: 3, activation: softmax}",
        shape="[6, 6, 1]",
        end="loss: sparse_categorical_crossentropy\n",
    )
    file.write_text(spec)
    pixels = np.random.default_rng(3).integers(0, 256, (70, 6, 6))
    np.save(tmp_path / "X.npy", pixels)
    np.save(tmp_path / "y.npy", np.arange(70) % 3)
    given = ["--data", f"X={tmp_path / 'X.npy'}", "--data", f"y={tmp_path / 'y.npy'}", "--run", "--format", "json"]
    found = json.loads(invoke("check", file, *given).stdout)
    assert [one["code"] for one in found["findings"]] == ["saturated-layer", "values-not-scaled"]
    (note,) = found["notes"]
    assert "input (32, 6, 6, 1)" in note["message"] and "SparseCategoricalCrossentropy" in note["message"]
    scaled = layerexplain.check(spec.encode(), data={"X": pixels / 255, "y": np.arange(70) % 3}, run=True)
    assert [one.code for one in scaled] == []


@pytest.mark.parametrize(("given", "shape"), [
    ({}, (32, 16, 9)), ({"data": {"X": (100, 5, 9)}}, (32, 5, 9)), ({"inputs": {"input": (7, 9)}}, (32, 7, 9)),
])  # fmt: skip
def test_open_sizes_are_those_of_the_data_or_usual_ones(given: dict[str, Any], shape: tuple[int, ...]) -> None:
    spec = flat("LSTM: 5", "Dense: 1", shape="[null, 9]", end="loss: mse\n")
    (note,) = layerexplain.check(spec.encode(), run=True, **given).notes
    assert f"one training step was run: input {shape} (random, from seed 0)" in note.message


def test_what_cannot_be_run_is_said() -> None:
    broken = flat("LSTM: 4", "GRU: 3", shape="[5, 2]")
    report = layerexplain.check(broken.encode(), run=True)
    assert [one.code for one in report] == ["no-sequence"]
    assert [note.code for note in report.notes] == ["not-run"] and "no training step was run" in report.notes[0].message
