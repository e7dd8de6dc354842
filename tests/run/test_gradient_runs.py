"""`trace --gradient`: values against backpropagation written out in NumPy, what is said of them, and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.run.target_option import drawn_targets
from tests.support.commands import invoke
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text("utf-8"))
RNG = np.random.default_rng(7)

MLP = b"""
name: net
input: [5]
layers:
  - Dense: {units: 7, activation: relu}
    name: hidden
  - Dense: {units: 3, activation: softmax, kernel_regularizer: {L2: {l2: 0.1}}}
    name: out
loss: sparse_categorical_crossentropy
optimizer: {SGD: {learning_rate: 0.5}}
"""
SPEC = MLP.decode()


def weights_of(spec: bytes, inputs: Any) -> dict[str, Any]:
    """The weights that are drawn for a spec."""
    found = {}
    model = layerexplain.read(spec)
    from layerexplain.run.trace import ready

    with ready(spec, inputs, model=model) as running:
        for step in running.steps(None):
            for leaf, value in zip(step.definition.weights if step.definition else (), step.weights, strict=True):
                found[f"{step.name}/{leaf.attrs['name']}"] = value.astype("float64")
    return found


def test_a_step_is_that_of_numpy_written_out() -> None:
    x = RNG.normal(size=(4, 5)).astype("float32")
    y = np.array([0, 2, 1, 2])
    held = weights_of(MLP, x)
    w1, b1, w2, b2 = (held[f"{layer}/{name}"] for layer in ("hidden", "out") for name in ("kernel", "bias"))
    z1 = x @ w1 + b1
    h = np.maximum(z1, 0)
    z2 = h @ w2 + b2
    p = np.exp(z2) / np.exp(z2).sum(axis=-1, keepdims=True)
    loss = -np.log(p[np.arange(4), y]).mean() + 0.1 * (w2**2).sum()
    dz2 = (p - np.eye(3)[y]) / 4
    dh = dz2 @ w2.T
    dz1 = dh * (z1 > 0)
    wanted = {
        "hidden/kernel": x.T @ dz1,
        "hidden/bias": dz1.sum(axis=0),
        "out/kernel": h.T @ dz2 + 0.2 * w2,
        "out/bias": dz2.sum(axis=0),
    }
    step = layerexplain.trace(MLP, x, gradient=True, target=y)
    assert step.loss == pytest.approx(loss, rel=1e-6)
    assert [(term.symbol, term.kind, term.of) for term in step.terms] == [
        ("L", "loss", "out"),
        ("R_1", "regularizer", "out/kernel"),
    ]
    np.testing.assert_allclose(step.before_last["out", 0], dz2, atol=1e-6)
    np.testing.assert_allclose(step.gradients["hidden", 0, 0], dh, atol=1e-6)
    np.testing.assert_allclose(step.gradients["input", 0, 0], dz1 @ w1.T, atol=1e-6)
    for name, gradient in wanted.items():
        np.testing.assert_allclose(step.weight_gradients[name], gradient, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(step.new_weights[name], held[name] - 0.5 * gradient, atol=1e-6, err_msg=name)


def test_weights_of_samples_and_losses_count() -> None:
    x, y = RNG.normal(size=(3, 5)).astype("float32"), np.array([0, 1, 2])
    one = layerexplain.trace(MLP, x, gradient=True, target=y, sample_weight=[1.0, 0.0, 0.0])
    alone = layerexplain.trace(MLP, x[:1], gradient=True, target=y[:1])
    assert one.terms[0].value == pytest.approx(alone.terms[0].value / 3, rel=1e-6)
    with pytest.raises(LayerExplainError, match="sample_weight needs 3 weights"):
        layerexplain.trace(MLP, x, gradient=True, target=y, sample_weight=[1.0])


SHARED = b"""
inputs: {a: [3], b: [3]}
layers:
  - Dense: {units: 3, activation: tanh}
    name: twin
    from: a
  - reuse: twin
    name: again
    from: b
  - Multiply: {}
    name: both
    from: [twin, again]
outputs: [both]
"""


def test_gradients_of_a_shared_layer_are_added() -> None:
    given = {"a": RNG.normal(size=(2, 3)), "b": RNG.normal(size=(2, 3))}
    target = RNG.normal(size=(2, 3))
    step = layerexplain.trace(SHARED, given, gradient=True, target=target, loss="mse")
    held = weights_of(SHARED, given)
    w, b = held["twin/kernel"], held["twin/bias"]
    p, q = np.tanh(given["a"] @ w + b), np.tanh(given["b"] @ w + b)
    dy = 2 * (p * q - target) / 6
    dp, dq = dy * q * (1 - p**2), dy * p * (1 - q**2)
    np.testing.assert_allclose(step.weight_gradients["twin/kernel"], given["a"].T @ dp + given["b"].T @ dq, atol=1e-5)
    assert list(step.weight_gradients) == ["twin/kernel", "twin/bias"]
    assert {key[:2] for key in step.gradients} >= {("twin", 0), ("twin", 1), ("a", 0), ("b", 0)}


def test_gradients_of_two_losses_of_one_output_are_added() -> None:
    x, target = RNG.normal(size=(3, 5)).astype("float32"), {"out": [0, 1, 2]}
    once, twice = (
        layerexplain.trace(MLP + ends, x, gradient=True, target=target) for ends in (b"", b"outputs: [out, out]\n")
    )
    assert [term.kind for term in twice.terms] == ["loss", "loss", "regularizer"]
    np.testing.assert_allclose(twice.before_last["out", 0], 2 * once.before_last["out", 0], atol=1e-6)
    for name in ("hidden/kernel", "hidden/bias", "out/bias"):
        np.testing.assert_allclose(twice.weight_gradients[name], 2 * once.weight_gradients[name], atol=1e-6)


def test_a_loss_without_a_known_gradient_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from layerexplain.lang.expr import CannotDerive
    from layerexplain.run import objective

    def refuse(*_: Any) -> Any:
        raise CannotDerive("no rule")

    monkeypatch.setattr(objective, "gradient_of_number", refuse)
    with pytest.raises(LayerExplainError, match=r"the loss of 'out', .*, has no known gradient: no rule"):
        layerexplain.trace(MLP, np.zeros((2, 5), "float32"), gradient=True, target=[0, 1])


@pytest.mark.parametrize(
    ("held", "words"),
    [("SpectralNormalization: {Dense: 3}", "stores new weights at each step, and Keras continues from them"),
     ("RNN: {cell: {SimpleRNNCell: {units: 3, activity_regularizer: l2}}}", "left out of the loss")],
)  # fmt: skip
def test_what_layers_inside_do_is_noted_where_it_is_not_computed(held: str, words: str) -> None:
    shape = [4, 6, 5] if held.startswith("RNN") else [4, 5]
    source = f"input: {shape}\nlayers:\n  - TimeDistributed: {{{held}}}\n".encode()
    given = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    found = layerexplain.trace(source, given, gradient=True, training=True, loss="mse")
    assert [note.message for note in found.notes if words in note.message]


def run(*args: str) -> str:
    result = invoke("trace", *args)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "net.yaml"
    file.write_text(SPEC, "utf-8")
    yield str(file)


def test_check_and_trace_judge_alike(tmp_path: Path) -> None:
    """Four layers of sigmoids, as NumPy has them: kernels get less and less, and both commands say why."""
    file = tmp_path / "net.yaml"
    file.write_text(
        "input: [31]\nlayers:\n" + "  - Dense: {units: 53, activation: sigmoid}\n" * 4 + "  - Dense: 7\n", "utf-8"
    )
    found = json.loads(run(str(file), "--gradient", "--loss", "mse", "--format", "json"))
    sizes = {row["path"]: row["gradient"]["norm"] for row in found["weight_gradients"] if row["name"] == "kernel"}
    assert list(sizes) == sorted(sizes, key=sizes.__getitem__)
    assert found["inputs"][0]["shape"][0] == 32
    course = f"the kernel of 'dense_4' gets {sizes['dense_4']:.3g}, that of 'dense' {sizes['dense']:.3g}"
    assert course in found["said"][0] and "neither" not in found["said"][0]
    (finding,) = layerexplain.check(str(file)).findings
    assert finding.message.endswith("at most 1/256 of a gradient")
    assert f"{finding.message} (check)." in found["said"]
    model = layerexplain.read(str(file))
    x, y = (np.asarray(RNG.normal(size=(32, n)), "float32") for n in (31, 7))
    step = layerexplain.trace(model, x, gradient=True, target=y, loss="mse")
    held = [
        weights_of(file.read_bytes(), x)[f"{name}/kernel"]
        for name in ("dense", "dense_1", "dense_2", "dense_3", "dense_4")
    ]
    outputs = [x.astype("float64")]
    for w in held[:-1]:
        outputs.append(1 / (1 + np.exp(-(outputs[-1] @ w))))
    dy = 2 * (outputs[-1] @ held[-1] - y) / y.size
    for i in range(4, -1, -1):
        name = f"dense_{i}" if i else "dense"
        np.testing.assert_allclose(step.weight_gradients[f"{name}/kernel"], outputs[i].T @ dy, rtol=1e-3, atol=1e-7)
        dy = (dy @ held[i].T) * outputs[i] * (1 - outputs[i])


def test_one_example_through_batch_normalization(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("input: [5]\nlayers:\n  - Dense: 7\n  - BatchNormalization\n  - Dense: 3\n", "utf-8")
    one = run(str(file), "--gradient", "--loss", "mse", "--batch", "1")
    assert "Nothing passes 'batch_normalization' in a batch of 1" in one
    assert "Nothing" not in run(str(file), "--gradient", "--loss", "mse")


def test_json_follows_the_schema_and_every_format_prints(spec: str) -> None:
    args = [spec, "--gradient", "--step", "--batch", "2", "--format"]
    found = json.loads(run(*args, "json"))
    Draft202012Validator(SCHEMA).validate(found)
    assert found["training"] is True and len(found["layers"]) == 3 and len(found["weight_gradients"]) == 4
    assert found["loss"] == pytest.approx(sum(t["weight"] * t["value"] for t in found["terms"]))
    change = found["weight_gradients"][0]
    assert change["change"]["norm"] == pytest.approx(0.5 * change["gradient"]["norm"], rel=1e-4)
    line = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/gradientLine"}]})
    rows = [json.loads(row) for row in run(*args, "jsonl").splitlines()]
    assert [row["kind"] for row in rows] == ["layer"] * 3 + ["weight"] * 4
    for row in rows:
        line.validate(row)
    assert len(run(*args, "csv").splitlines()) == 8
    assert "| `hidden/kernel`" in run(*args, "markdown")
    assert "hidden" in run(*args, "latex")


def test_one_element_is_worked_out_by_letter_and_by_name(spec: str) -> None:
    x = RNG.normal(size=(2, 5)).astype("float32")
    step = layerexplain.trace(MLP, x, gradient=True, target=[1, 2])
    np.save(Path(spec).with_name("x.npy"), x)
    np.save(Path(spec).with_name("y.npy"), np.array([1, 2]))
    given = ["--input", str(Path(spec).with_name("x.npy")), "--target", str(Path(spec).with_name("y.npy"))]
    for text in ("W:4,6", "kernel:-1,-1", "dW:4,-1"):
        found = json.loads(run(spec, "hidden", "--gradient", "--at", text, "--no-keras", "--format", "json", *given))
        Draft202012Validator(SCHEMA).validate(found)
        assert found["value"] == pytest.approx(float(step.weight_gradients["hidden/kernel"][4, 6]), rel=1e-4, abs=1e-7)
        assert found["gradient_of"] == "W (kernel)" and found["lines"][0]["folds"][0]["left_out"] == 0
    found = json.loads(run(spec, "out", "--gradient", "--at", "1,6", "--no-keras", "--format", "json", *given))
    assert found["value"] == pytest.approx(float(step.gradients["hidden", 0, 0][1, 6]), rel=1e-4)
    text = run(spec, "out", "--gradient", "--at", "W:6,2", "--no-keras", *given)
    assert "the gradient of W (kernel), element [6, 2] of (7, 3)" in text
    assert "The whole gradient of this element is" in text and "a regularizer, or another layer" in text


def test_all_arrays_are_saved(spec: str, tmp_path: Path) -> None:
    out = tmp_path / "all.npz"
    run(spec, "--gradient", "--step", "--save", str(out))
    step = layerexplain.trace(MLP, np.load(out)["input"], gradient=True)
    step.save(tmp_path / "again.npz")
    with np.load(out) as one, np.load(tmp_path / "again.npz") as other:
        assert (
            {*one}
            == {*other}
            >= {
                "hidden",
                "hidden//call/0/output/0/gradient",
                "out//call/0/z/gradient",
                "out//weight/kernel/gradient",
                "out//weight/kernel/new",
            }
        )
        for key in one:
            np.testing.assert_allclose(one[key], other[key], rtol=1e-5, err_msg=key)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--target", "random"], "--target needs --gradient"),
        (["--step"], "--step needs --gradient"),
        (["--loss", "mse"], "--loss needs --gradient"),
        (["hidden", "--at", "W:0,0"], "--at with a tensor's name needs --gradient"),
        (["hidden", "--gradient", "--at", "W:0,0", "--step"], "--step updates whole weights"),
        (["hidden", "--gradient", "--at", "Q:0,0"], "has no gradient of 'Q'; it has those of x, W (kernel), b (bias)"),
        (["hidden", "--gradient", "--at", "W:0"], "--at needs 2 numbers, got 1: '0'"),
        (["hidden", "--gradient", "--at", "W:9,0"], "index 1 of --at needs to be from 0 to 4, got 9"),
        (["input", "--gradient", "--at", "0,0"], "is an input"),
        (["hidden", "--gradient", "--at", "W:0,0", "--call", "3"], "needs --call below 1, the number of its calls, got --call 3"),
        (["--gradient", "--target", "ones"], "--target takes a file FILE.npy or FILE.npz, or random[:SEED], got ones"),
        (["--gradient", "--target", "other=random"], "the model has no output 'other'; its outputs: out"),
        (["--gradient", "--target", "random:x"], "--target random:x: a seed is an integer"),
        (["--gradient", "--target", "none.npy"], "no such file"),
        (["--gradient", "--loss", "nonsense"], "`loss` names no loss of Keras: 'nonsense'"),
        (["--gradient", "--loss", "ctc"], "the loss of 'out', CTC: CTC needs labels"),
        (["--gradient", "--loss", "mse", "reduction=none"], "returns several numbers with this reduction; training needs a single one"),
        (["--gradient", "--optimizer", "SGD", "speed=1", "--step"], "optimizers.SGD has no argument 'speed'"),
    ],
)  # fmt: skip
def test_what_is_refused(spec: str, args: list[str], words: str) -> None:
    result = invoke("trace", spec, *args)
    assert result.exit_code in (1, 2) and words in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output


def test_a_source_without_loss_or_optimizer_says_so(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("input: [5]\nlayers:\n  - Dense: 3\n", "utf-8")
    result = invoke("trace", file, "--gradient")
    assert result.exit_code == 1 and "the source does not say with which loss the model is trained" in result.output
    result = invoke("trace", file, "--gradient", "--loss", "mse", "--step")
    assert result.exit_code == 1 and "does not say which optimizer trains the model" in result.output


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (np.zeros((2, 4)), "the target of 'out' needs whole numbers 0 to 2, of shape (None,), got (2, 4)"),
        ([0, 3], "the targets of 'out' need to be from 0 to 2, got 3"),
        ([0.5, 1], "needs integers (int32), got float64 with values such as 0.5"),
        ([0], "need to be for 2 examples, as the inputs are"),
        ({"other": [0, 1]}, "the model has no output 'other' with a loss; its outputs with a loss are out"),
    ],
)
def test_targets_that_do_not_fit(target: Any, words: str) -> None:
    with pytest.raises(LayerExplainError) as told:
        layerexplain.trace(MLP, np.zeros((2, 5), "float32"), gradient=True, target=target)
    assert words in str(told.value)


def test_a_column_of_targets_will_do() -> None:
    x = np.ones((2, 5), "float32")
    one, other = (layerexplain.trace(MLP, x, gradient=True, target=t).loss for t in ([0, 1], [[0], [1]]))
    assert one == pytest.approx(other)


@pytest.mark.parametrize("kind", ["numbers", "positive", "bits", "signs", "classes", "one-hot", "shares", "counts"])
def test_drawn_targets_fit(kind: str) -> None:
    values = drawn_targets(kind, (50, 3), 5, np.random.default_rng(0))
    fits = {
        "numbers": lambda v: v.std() > 0.5 and v.min() < 0,
        "positive": lambda v: v.min() > 0,
        "bits": lambda v: {*v.ravel()} == {0, 1},
        "signs": lambda v: {*v.ravel()} == {-1, 1},
        "classes": lambda v: {*v.ravel()} == {0, 1, 2, 3, 4} and v.dtype.kind == "i",
        "one-hot": lambda v: {*v.ravel()} == {0, 1} and (v.sum(axis=-1) == 1).all(),
        "shares": lambda v: np.allclose(v.sum(axis=-1), 1) and v.min() > 0,
        "counts": lambda v: (v == v.round()).all() and v.min() >= 0 and v.max() > 2,
    }
    assert values.shape == (50, 3) and fits[kind](values)


UNKNOWN = "input: [6]\nlayers:\n  - Dense: 6\n    name: first\n  - {}: {{}}\n    name: hard\n  - Dense: 2\n"


def test_partial_tells_where_the_gradient_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerexplain.lang.expr import CannotDerive
    from layerexplain.run import backpropagation

    derive = backpropagation.gradient

    def refuse(definition: Any, **options: Any) -> Any:
        if definition.name == "softmax":
            raise CannotDerive("no rule")
        return derive(definition, **options)

    monkeypatch.setattr(backpropagation, "gradient", refuse)
    file = tmp_path / "net.yaml"
    file.write_text(UNKNOWN.format("Softmax"), "utf-8")
    args = [str(file), "--gradient", "--loss", "mse"]
    result = invoke("trace", *args)
    assert result.exit_code == 1 and "'hard'" in result.output and "its gradient is not known: no rule" in result.output
    found = json.loads(run(*args, "--partial", "--format", "json"))
    assert [row["gradient"] is None for row in found["layers"]] == [True, True, True, False]
    assert "not known" in found["layers"][1]["reason"]
    assert [row["gradient"] is None for row in found["weight_gradients"]] == [True, True, False, False]


def test_random_layers_draw_once_for_both_directions() -> None:
    spec = b"input: [400]\nlayers:\n  - Dropout: 0.5\n    name: drop\n"
    x = np.ones((1, 400), "float32")
    step = layerexplain.trace(spec, x, gradient=True, target=np.zeros((1, 400)), loss="mse")
    kept = step["drop"] != 0
    assert 100 < kept.sum() < 300
    assert ((step.gradients["input", 0, 0] != 0) == kept).all()
    again = layerexplain.trace(spec, x, gradient=True, target=np.zeros((1, 400)), loss="mse", training=False)
    assert (again["drop"] == 1).all()


def test_statistics_of_the_batch_move_in_training_alone() -> None:
    spec = b"input: [3]\nlayers:\n  - BatchNormalization: {momentum: 0.9}\n    name: norm\noptimizer: sgd\n"
    x = RNG.normal(3, 2, size=(50, 3)).astype("float32")
    held = weights_of(spec, x)
    step = layerexplain.trace(spec, x, gradient=True, loss="mse")
    np.testing.assert_allclose(
        step.new_weights["norm/moving_mean"], 0.9 * held["norm/moving_mean"] + 0.1 * x.mean(axis=0), rtol=1e-5
    )
    still = layerexplain.trace(spec, x, gradient=True, loss="mse", training=False)
    assert "norm/moving_mean" not in still.new_weights and "norm/gamma" in still.new_weights
