"""Losses, optimizers, schedules and regularizers on the command line."""

import json

import pytest
from jsonschema import Draft202012Validator

import layerexplain
from layerexplain.layers.registry import PARTS_OF_TRAINING, part_names
from layerexplain.model import Training, TrainingSetting
from tests.support.commands import invoke
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
DIGITS = str(ROOT / "sample_models" / "digits.keras")
PARTS = [(kind, name) for kind in PARTS_OF_TRAINING for name in part_names(kind)]


def run(*words: str) -> str:
    """What the command prints; it must succeed."""
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("kind", "name"), [one for one in PARTS if one[1] != "MultiOptimizer"])
def test_each_has_a_page_with_its_formula(kind: str, name: str) -> None:
    told = layerexplain.layer_type(name)
    page = run("layer", name)
    assert "  formula     " in page and f"arguments of {told.type}" in page and "Example: `layerexplain layer" in page
    shown = [word for shape in told.example_inputs for word in ("--input", shape)]
    assert page.startswith(run("layer", name, *told.example, *shown)) or not told.example_inputs
    (row,) = json.loads(run("layer", name, *told.example, *shown, "--format", "json"))["layers"] or [None]
    assert row["type"] == name and row["operation"] and row["formula"]
    assert all(weight["trainable"] is False for weight in row["weights"])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("layer Hinje --input 3", "there is no layer type 'Hinje'; did you mean 'Hinge'?"),
        ("layer Adam rate=1 --input 3", "optimizers.Adam has no argument 'rate'"),
        ("layer Adam learning_rate=0.1 --format csv", "Adam needs the shape of its input; add for example --input 784x10"),
        ("layer SGD --input 3 --input 3", "SGD takes the shapes of W, or fewer of them, got 2"),
        ("layer CosineDecay 0.1 10 --input 3", "CosineDecay takes no --input, got 1"),
        ("layer MultiOptimizer", "MultiOptimizer gives each weight to one of its optimizers, by the path of its variable; each has a formula of its own"),
    ],
)  # fmt: skip
def test_refusals(words: str, fault: str) -> None:
    result = invoke(*words.split())
    assert result.exit_code == 2 and fault in result.output, result.output


def test_a_file_cannot_pass_a_loss_off_as_a_layer() -> None:
    report = layerexplain.explain(b"input: [4]\nlayers:\n  - losses.Hinge\n", partial=True)
    assert report.layers[1].output_shapes == (None,) and "unknown layer type 'losses.Hinge'" in str(report.faults[0])


# A training step ------------------------------------------------------------------------------------------------

TWO = b"""
input: [4]
layers:
  - Dense: {units: 8, activation: relu, kernel_regularizer: {L2: {l2: 0.1}}, activity_regularizer: l1, name: body}
  - Dense: {units: 3, activation: softmax, name: kind, trainable: false, bias_constraint: NonNeg}
  - {Dense: {units: 1, name: size, bias_constraint: non_neg}, from: body}
outputs: [kind, size]
loss: {kind: categorical_crossentropy, size: {Huber: {delta: 2}}}
loss_weights: {size: 0.5}
optimizer: {SGD: {momentum: 0.9, learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}}}
"""


def test_json_follows_the_schema() -> None:
    for source in (DIGITS, str(ROOT / "sample_models" / "resnet50.json"), TWO):
        report = layerexplain.explain(source, training=True)
        told = json.loads(json.dumps(report.to_dict()))
        Draft202012Validator(SCHEMA).validate(told)
        assert set(told["training"]["step"]) == {"terms", "total", "gradients", "updates", "notes"}
    assert "step" not in layerexplain.explain(DIGITS).to_dict()["training"]


def test_what_older_files_have_that_keras_3_has_not() -> None:
    model = layerexplain.read(TWO)
    sgd = TrainingSetting("SGD", {"lr": 0.1, "learning_rate": 0.1, "decay": 0.01, "momentum": 0.0, "nesterov": False})
    old = model._replace(keras_version="2.4.0", training=Training(sgd, {"": TrainingSetting("mse")}))
    training = layerexplain.explain(old, training=True).training
    assert training is not None and training.step is not None
    assert any("decay=0.01" in note for note in training.step.notes)
    assert any("those of Keras 3" in note for note in training.step.notes)
    assert training.step.updates[0].formula.statements[0].text == "W = W - 0.1 * g"


MASKED = b"""
input: {shape: [7], dtype: int32}
layers:
  - Embedding: {input_dim: 20, output_dim: 4, mask_zero: true}
  - LSTM: {units: 5, return_sequences: true}
  - Dense: {units: 3, activation: softmax, name: tag}
loss: {SparseCategoricalCrossentropy: {ignore_class: 0}}
optimizer: {Adam: {clipnorm: 1, weight_decay: 0.01, use_ema: true}}
"""


def test_the_mask_of_an_output_counts_in_its_loss() -> None:
    training = layerexplain.explain(MASKED, training=True).training
    assert training is not None and training.step is not None
    (term,) = training.step.terms
    assert "logical_and(y_pred_mask, counts)" in term.formula.statements[2].text
    assert term.gradient is not None and "y_pred_mask" in " ".join(line.text for line in term.gradient.statements)
    assert term.gradient.sentence.startswith("Gradient of the summed loss. For the mean, divide by")
    for loss in ("dice", {"MeanSquaredError": {"reduction": "sum"}}):
        told = layerexplain.explain(MASKED, training={"loss": loss}).training
        assert told is not None and told.step is not None
        assert [term.gradient.sentence for term in told.step.terms if term.gradient is not None] == [""]


NESTED = """
input: [4]
layers:
  - Sequential: [{Dense: {units: 3, name: first}}, {Dense: {units: 2, name: second}}]
    name: body
    trainable: %s
  - Dense: {units: 1, name: end}
loss: mse
optimizer: %s
"""


@pytest.mark.parametrize("trainable", ["true", "false"])
def test_layers_of_a_nested_model_stand_in_its_place(trainable: str) -> None:
    training = layerexplain.explain((NESTED % (trainable, "sgd")).encode(), training=True).training
    assert training is not None and training.step is not None
    inside = ["body/first", "body/second"] if trainable == "true" else []
    assert [one.layers for one in training.step.gradients] == [(name,) for name in ["end", *inside[::-1]]]
    [update] = training.step.updates
    assert update.weights == tuple([f"{name}/{weight}" for name in [*inside, "end"] for weight in ("kernel", "bias")])


@pytest.mark.parametrize("exclude", ["", "end"])
def test_muon_has_a_step_for_matrices_and_one_for_the_others(exclude: str) -> None:
    # Keras: weights of less than two axes are updated by Adam, and those whose path has a word of exclude_layers.
    source = NESTED % ("true", f"{{Muon: {{learning_rate: 0.001, exclude_layers: [{exclude}]}}}}")
    training = layerexplain.explain(source.encode(), training=True).training
    assert training is not None and training.step is not None
    assert not [note for note in training.step.notes if "exclude_layers" in note]
    shapes = {update.weights: {line.shape for line in update.formula.statements} for update in training.step.updates}
    matrices = {("body/first/kernel",): {"(4, 3)"}, ("body/second/kernel",): {"(3, 2)"}, ("end/kernel",): {"(2, 1)"}}
    others = ["body/first/bias", "body/second/bias", "end/bias"]
    if exclude:
        del matrices["end/kernel",]
        others.insert(2, "end/kernel")
    assert shapes == {**matrices, tuple(others): {""}}  # shapes of several sizes


def test_what_is_not_known_is_said() -> None:
    source = str(ROOT / "sample_models" / "mnist_mlp.yaml")
    text = run("explain", source, "--training")
    assert "The source does not say with which loss the model is trained; give --loss NAME." in text
    assert "The source does not say which optimizer trains the model; give --optimizer NAME." in text
    text = run("explain", source, "--training", "--loss", "CategoricalCrossentropy", "label_smoothing=0.1",
               "--optimizer", "SGD", "momentum=0.9", "learning_rate=0.5")  # fmt: skip
    assert "m = 0.9 * m - 0.5 * g" in text and "target = 0.9 * y_true" in text and "does not say" not in text


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--training", "--loss", "mee"], "`loss` names no loss of Keras: 'mee'; did you mean 'mse'?"),
        (["--training", "--optimizer", "Adan"], "`optimizer` names no optimizer of Keras: 'Adan'; did you mean 'adam'?"),
        (["--training", "--loss", "nose=mse"], "no loss of Keras"),
        (["--training", "--loss", "Huber", "delt=2"], "losses.Huber has no argument 'delt', did you mean 'delta'?"),
        (["--loss", "mse"], "--loss needs --training"),
        (["--training", "digit"], "--training explains a step of the whole model"),
        (["--training", "--optimizer", "Adam", "beta_1=7"], "needs beta_1 to be a number from 0 to 1, got beta_1=7"),
    ],
)  # fmt: skip
def test_faults_of_what_is_trained_with(words: list[str], fault: str) -> None:
    result = invoke("explain", DIGITS, *words)
    assert fault in result.output, result.output


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("loss: {Huber: {delta: wide}}", "losses.Huber needs delta to be a number, got delta='wide'"),
        ("loss: {Hinge: {from_logits: true}}", "losses.Hinge has no argument 'from_logits'"),
        ("optimizer: {Adam: {learning_rate: fast}}", "needs learning_rate to be a number or a schedule"),
        ("optimizer: {SGD: {learning_rate: {CosineDecay: {decay_steps: 3}}}}", "needs 'initial_learning_rate'"),
    ],
)
def test_a_spec_says_wrong_arguments_with_their_line(line: str, fault: str) -> None:
    source = f"input: [4]\nlayers:\n  - Dense: 3\n{line}\n".encode()
    with pytest.raises(layerexplain.LayerExplainError) as told:
        layerexplain.explain(source)
    assert fault in str(told.value) and ":4:" in str(told.value)
