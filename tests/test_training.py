"""Losses, optimizers, schedules and regularizers on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain.cli.main import program
from layerexplain.layers.registry import PARTS_OF_TRAINING, part_names

PARTS = [(kind, name) for kind in PARTS_OF_TRAINING for name in part_names(kind)]


def run(*words: str) -> str:
    """What the command prints; it must succeed."""
    result = CliRunner().invoke(program, list(words))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("kind", "name"), [one for one in PARTS if one[1] != "MultiOptimizer"])
def test_each_has_a_page_with_its_formula(kind: str, name: str) -> None:
    told = layerexplain.layer_type(name)
    page = run("layer", name)
    assert told.description in page and "  formula   " in page and "Example (`layerexplain layer" in page
    shown = [word for shape in told.example_inputs for word in ("--input", shape)]
    assert page.endswith(run("layer", name, *told.example, *shown)) or not told.example_inputs
    (row,) = json.loads(run("layer", name, *told.example, *shown, "--format", "json"))["layers"] or [None]
    assert row["type"] == name and row["operation"] and row["formula"]
    assert all(weight["trainable"] is False for weight in row["weights"])


def test_the_list_has_them_in_their_own_groups() -> None:
    text = run("layer")
    for kind in PARTS_OF_TRAINING:
        assert f"\n{kind}\n" in text
    listed = {(row["family"], row["type"]) for row in json.loads(run("layer", "--format", "json"))}
    assert set(PARTS) <= listed


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("layer mse --input 10", ["losses = mean((y_true - y_pred) ** 2, axis=-1)", "L = mean(losses)"]),
        ("layer MeanSquaredError sum --input 10", ["L = sum(losses)"]),
        ("layer CTC --input y_true=4 --input y_pred=9,10", ["ctc_loss(y_true, y_pred, letters"]),
        ("layer SparseCategoricalCrossentropy from_logits=true --input 7,10", ["(None, 7); (None, 7, 10) → ()"]),
        ("layer Huber --input 4 --input 4 --input y", None),
        ("layer SGD 0.1 momentum=0.9 --input 3", ["m = 0.9 * m - 0.1 * g", "kept by the optimizer for each weight; m begins at 0"]),
        ("layer Nadam --input 3", ["p once for all weights; p begins at 1, m and v begin at 0"]),
        ("layer SGD lr=0.5 --input 3", ["W = W - 0.5 * g"]),
        ("layer Adagrad --input 3", ["a accumulator", "a begins at 0.1"]),
        ("layer Adam --vs SGD --input 3", ["W = W - 0.01 * g", "momentum (3,) = 3"]),
        ("layer L1L2 l1=0.1 l2=0.2 --input 3x4", ["R = 0.1 * sum(abs(W)) + 0.2 * sum(W ** 2)"]),
        ("layer CosineDecay 0.1 1000", ["(min(step, 1000.0) / 1000.0)"]),
    ],
)  # fmt: skip
def test_formulas_on_the_command_line(words: str, lines: list[str] | None) -> None:
    if lines is None:
        assert CliRunner().invoke(program, words.split()).exit_code == 2
        return
    text = run(*words.split())
    assert all(line in text for line in lines), text


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("layer Hinje --input 3", "there is no layer type 'Hinje'; did you mean 'Hinge'?"),
        ("layer Adam rate=1 --input 3", "optimizers.Adam has no argument 'rate'"),
        ("layer Adam learning_rate=0.1", "Adam needs the shape of its input; add for example --input 784x10"),
        ("layer SGD --input 3 --input 3", "SGD takes the shapes of W, or fewer of them, got 2"),
        ("layer CosineDecay 0.1 10 --input 3", "CosineDecay takes no --input, got 1"),
        ("layer MultiOptimizer", "MultiOptimizer hands each weight to one of its optimizers by name"),
        ("layer losses.Hinge --input 3", "there is no layer type 'losses.Hinge'"),
    ],
)
def test_refusals(words: str, fault: str) -> None:
    result = CliRunner().invoke(program, words.split())
    assert result.exit_code == 2 and fault in result.output, result.output


def test_a_file_cannot_pass_a_loss_off_as_a_layer() -> None:
    report = layerexplain.explain(b"input: [4]\nlayers:\n  - losses.Hinge\n", partial=True)
    assert report.layers[1].output_shapes == (None,) and "unknown layer type 'losses.Hinge'" in str(report.faults[0])
