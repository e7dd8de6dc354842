"""What a training step costs and keeps: by hand for small models, by sums for large ones."""

import json

import jsonschema
import pytest

from layerexplain import explain
from layerexplain.report.report import Report
from layerexplain.report.training_data import StepCost
from tests.support.check_rows import flat
from tests.support.commands import invoke
from tests.support.paths import ROOT


def cost_of(spec: str) -> StepCost:
    cost = explain(spec.encode(), detail=False, backward=True).step_cost
    assert cost is not None
    return cost


def test_a_chain_of_dense_layers() -> None:
    """Each kernel costs its size twice in the backward pass, the first one once: nothing needs its dx."""
    cost = cost_of(flat("Dense: 5", "Dense: 3"))
    assert (cost.forward_macs, cost.backward_macs) == (8 * 5 + 5 * 3, 8 * 5 + 2 * 5 * 3)
    assert cost.macs == 2 * 8 * 5 + 3 * 5 * 3
    assert cost.forward_flops == 2 * (8 * 5 + 5 * 3) + 5 + 3
    assert cost.backward_flops == 2 * (8 * 5 + 2 * 5 * 3) + 5 + 3  # the biases are sums over the batch
    assert cost.saved_macs is None
    assert cost.kept == 4 * (8 + 5)  # the input of each


FROZEN = "Dense: {units: 5, trainable: false, activation: tanh}"

ROWS: list[tuple[str, int, int | None, int]] = [
    # spec, MACs of the backward pass, those that freezing saves, bytes that are kept
    (flat(FROZEN, "Dense: 3"), 5 * 3, 8 * 5 + 5 * 3, 4 * 5),
    (flat("Dense: 5", "Dense: {units: 3, trainable: false}"), 8 * 5 + 5 * 3, 5 * 3, 4 * 8),
    (flat("Dense: {units: 5, activation: tanh}", "Dense: 3"), 8 * 5 + 2 * 5 * 3, None, 4 * (8 + 5)),
    (flat("Dense: {units: 5, activation: relu}"), 8 * 5, None, 4 * (8 + 5)),  # the result of relu
    (flat("Dense: {units: 5, activation: relu}", "ReLU", "Dense: {units: 3, activation: elu}"),
     8 * 5 + 2 * 5 * 3, None, 4 * (8 + 5 + 5 + 3)),  # tf.nn.relu and tf.nn.elu keep their results alone
    (flat("Dense: {units: 5, activation: leaky_relu}", "Dense: 3"), 8 * 5 + 2 * 5 * 3, None, 4 * (8 + 5 + 5)),
    (flat("Dense: 4", "Reshape: [2, 2]", "Flatten", "Dense: 3"), 8 * 4 + 2 * 4 * 3, None, 4 * (8 + 4)),  # views
    (flat("Dense: 4", "ops.Round", "Dense: 3"), 4 * 3, None, 4 * 4),  # no gradient passes a rounding
    (flat("Conv1D: {filters: 4, kernel_size: 3}", "Flatten", "Dense: 2", shape="[7, 3]"), 5 * 4 * 3 * 3 + 2 * 20 * 2, None, 4 * (21 + 20)),
    (flat("Dense: {units: 3, dtype: float16}"), 8 * 3, None, 4 * 8),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "macs", "saved", "kept"), ROWS)
def test_what_freezing_saves_and_gradients_keep(spec: str, macs: int, saved: int | None, kept: int) -> None:
    cost = cost_of(spec)
    assert (cost.backward_macs, cost.saved_macs, cost.kept) == (macs, saved, kept)


@pytest.mark.parametrize(
    ("model", "share"), [("resnet50", 1.96941), ("efficientnet_b0", 1.97191), ("transformer", 2.0)]
)
def test_sample_models(model: str, share: float) -> None:
    """Twice the forward pass, less the gradient of the model's input."""
    report = explain(ROOT / "sample_models" / f"{model}.json", detail=False, backward=True)
    cost = report.step_cost
    assert cost is not None and cost.backward_macs and cost.forward_macs == report.totals.macs
    assert cost.backward_macs / cost.forward_macs == pytest.approx(share, abs=1e-5)
    assert sum(row.backward.macs or 0 for row in report.layers if row.backward) == cost.backward_macs
    assert cost.unknown == ()


def test_a_nested_model_counts_each_call() -> None:
    text = "input: [6]\nlayers:\n  - Sequential:\n      - Dense: {units: 6, activation: tanh}\n    name: block\n    repeat: 3\n"
    cost = cost_of(text)
    assert (cost.backward_macs, cost.kept) == (36 * 5, 4 * 6 * 4)


def test_what_is_not_known_says_of_which_layer() -> None:
    cost = cost_of(flat("RandomFlip", "Conv2D: {filters: 2, kernel_size: 3}", shape="[8, 8, 3]"))
    assert (cost.backward_macs, cost.kept) == (None, None)
    (why,) = cost.unknown
    assert why.startswith("random_flip: in training it flips each image at random")


def test_output_and_schema() -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    path = str(ROOT / "sample_models" / "mnist_mlp.yaml")
    told = invoke("summary", path, "--training", "--width", "140").output
    assert "  backward   411,648 MACs, 825,394 FLOPs  1.01 times the MACs of the forward pass" in told
    assert "Backward MACs" in told
    found = json.loads(invoke("summary", path, "--training", "--format", "json").output)
    jsonschema.validate(found, schema)
    assert found["step_cost"]["backward_macs"] == 411_648
    assert found["layers"][2]["backward"] == {"macs": 401_408, "flops": 804_352}
    table = invoke("summary", path, "--format", "csv", "--columns", "layer,backward_macs").output
    assert "dense,401408" in table
    report: Report = explain(path, detail=False)
    assert report.step_cost is None and report.layers[2].backward is None
