"""The losses as formulas, held against real Keras over many arguments, shapes, weights and masks."""

from typing import Any

import numpy as np
import pytest

from layerexplain.api import explain_layer
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient_of_number
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.parse import parse
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.losses import Loss, loss_of
from layerexplain.layers.registry import part_names
from tests.support.frameworks import keras, tf
from tests.support.training_rows import LOSSES

N = 5

KINDS: dict[str, Any] = {
    "numbers": lambda rng, shape: rng.normal(size=shape),
    "positive": lambda rng, shape: rng.uniform(0.1, 3, size=shape),
    "shares": lambda rng, shape: rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]),
    "between": lambda rng, shape: rng.uniform(0.02, 0.98, size=shape),
    "bits": lambda rng, shape: rng.integers(0, 2, size=shape),
    "signs": lambda rng, shape: 2 * rng.integers(0, 2, size=shape) - 1,
    "one-hot": lambda rng, shape: np.eye(shape[-1])[rng.integers(0, shape[-1], size=shape[:-1])],
    "units": lambda rng, shape: (x := rng.normal(size=shape)) / np.linalg.norm(x, axis=-1, keepdims=True),
    "ids": lambda rng, shape: rng.integers(0, 3, size=shape),
    "counts": lambda rng, shape: rng.poisson(2, size=shape),
    "letters": lambda rng, shape: np.sort(rng.integers(0, 4, size=shape), axis=-1)[:, ::-1],
}

SHAPES = ((3,), (1,), (4, 3), (2, 4, 3))
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None)


def rows() -> list[Any]:
    """Each loss at the shapes that it takes, with each reduction."""
    found = []
    for name, target, output, arguments in LOSSES:
        shapes: Any = SHAPES
        if target == "ids":
            shapes = SHAPES[:1] if name == "Circle" else (SHAPES[0], *SHAPES[2:])
        elif name == "CTC":
            shapes = ((6, 4),)
        elif arguments.get("axis") == 1:
            shapes = ((4, 3), (3, 3))
        for shape in shapes:
            for i, reduction in enumerate(REDUCTIONS):
                if i == 0 or shape == shapes[-1]:
                    given = {**arguments, "reduction": reduction} if i else arguments
                    found.append(pytest.param(name, target, output, given, shape, id=f"{name}-{given}-{shape}"))
    return found


def drawn(name: str, target: str, output: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Targets and outputs of a batch."""
    rng = np.random.default_rng(sum(map(ord, name)) + len(shape))
    sparse = target == "ids"
    of_target = (N, 3) if name == "CTC" else (N, *shape[:-1]) if sparse else (N, *shape)
    y_true = KINDS[target](rng, of_target)
    dtype = "int32" if sparse or target == "letters" else "float32"
    return y_true.astype(dtype), KINDS[output](rng, (N, *shape)).astype("float32")


def value(name: str, arguments: dict[str, Any], y_true: Any, y_pred: Any, weight: Any = None, mask: Any = None) -> Any:
    """The loss by its formula."""
    declaration = loss_of(name)
    assert declaration is not None

    def spec(x: Any) -> Spec | None:
        if x is None:
            return None
        kind = "float" if x.dtype == "float32" else str(x.dtype)
        return Spec((BATCH, *x.shape[1:]), kind)

    masks = () if mask is None else (None, spec(mask))
    given = [spec(y_true), spec(y_pred), spec(weight)]
    definition = declaration.trace(given, declaration.bind(arguments, strict=True), masks)
    values = [x for x in (y_true, y_pred, weight, mask) if x is not None]
    with np.errstate(all="ignore"):
        (got,) = evaluate(definition, values, [], Evaluation(len(y_pred)))
    return definition, values, got


def in_keras(
    name: str, arguments: dict[str, Any], y_true: Any, y_pred: Any, weight: Any = None, mask: Any = None
) -> Any:
    """The loss by Keras."""
    y_pred = keras.ops.convert_to_tensor(y_pred)
    if mask is not None:
        keras.src.backend.set_keras_mask(y_pred, keras.ops.convert_to_tensor(mask))
    return np.asarray(getattr(keras.losses, name)(**arguments)(y_true, y_pred, weight))


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:.*In loss categorical.*")
@pytest.mark.parametrize(("name", "target", "output", "arguments", "shape"), rows())
def test_values_are_those_of_keras(
    name: str, target: str, output: str, arguments: dict[str, Any], shape: tuple[int, ...]
) -> None:
    y_true, y_pred = drawn(name, target, output, shape)
    definition, _, got = value(name, arguments, y_true, y_pred)
    wanted = in_keras(name, arguments, y_true, y_pred)
    assert np.shape(got) == wanted.shape and np.isfinite(wanted).all()
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6)
    (result,) = definition.results.values()
    assert [N if size is BATCH else size for size in result.shape] == list(wanted.shape)
    values = value(name, {**arguments, "reduction": None}, y_true, y_pred)[2]
    if np.ndim(values):
        weight = np.random.default_rng(1).uniform(0, 2, size=np.shape(values)).astype("float32")
        got = value(name, arguments, y_true, y_pred, weight)[2]
        np.testing.assert_allclose(got, in_keras(name, arguments, y_true, y_pred, weight), rtol=2e-5, atol=2e-6)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:.*In loss categorical.*")
@pytest.mark.parametrize(("name", "target", "output", "arguments"), [row for row in LOSSES if row[0] != "CTC"])
def test_gradients_are_those_of_tensorflow(name: str, target: str, output: str, arguments: dict[str, Any]) -> None:
    given = {**arguments, "reduction": "sum"}
    for shape in ((3,),) if name == "Circle" else ((4, 3),) if arguments.get("axis") == 1 else ((3,), (4, 3)):
        y_true, y_pred = drawn(name, target, output, shape)
        definition, values, _ = value(name, given, y_true, y_pred)
        found = gradient_of_number(definition, definition.params[1])
        with np.errstate(all="ignore"):
            (got,) = evaluate(found, values, [], Evaluation(N))
        x = tf.constant(y_pred)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = getattr(keras.losses, name)(**given)(y_true, x)
        wanted = tape.gradient(loss, x).numpy()
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max(), err_msg=str(shape))


@pytest.mark.keras
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seen", ["some", "none", "all"])
def test_masks_and_weights_are_those_of_keras(reduction: str | None, weighted: bool, seen: str) -> None:
    for name, target, output, arguments in (
        ("MeanSquaredError", "numbers", "numbers", {}),
        ("SparseCategoricalCrossentropy", "ids", "shares", {"ignore_class": 1}),
        ("Dice", "bits", "between", {}),
    ):
        if name == "Dice" and (weighted or reduction == "sum" or seen == "none"):
            continue  # one number for the whole batch, which Keras then repeats for each place
        rng = np.random.default_rng(4)
        y_true, y_pred = drawn(name, target, output, (4, 3))
        mask = {
            "some": rng.integers(0, 2, size=(N, 4)) == 1,
            "none": np.zeros((N, 4), bool),
            "all": np.ones((N, 4), bool),
        }[seen]
        weight = rng.uniform(0.5, 2, size=(N, 4)).astype("float32") if weighted else None
        given = {**arguments, "reduction": reduction}
        if reduction is None:  # Keras then scales by the mask alone
            continue
        _, _, got = value(name, given, y_true, y_pred, weight, mask)
        wanted = in_keras(name, given, y_true, y_pred, weight, mask)
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6, err_msg=f"{name} {reduction}")


@pytest.mark.keras
@pytest.mark.parametrize(
    ("true", "predicted", "weight"),
    [((N,), (N, 1), (N,)), ((N, 1), (N,), (N, 1)), ((N, 1), (N, 1), (N, 1)), ((N, 4), (N, 4, 1), (N,)),
     ((N, 4, 1), (N, 4), None), ((N, 3), (N, 3), (N, 1))],
)  # fmt: skip
def test_odd_ranks_are_brought_together_as_in_keras(true: Any, predicted: Any, weight: Any) -> None:
    rng = np.random.default_rng(2)
    y_true, y_pred = (rng.uniform(0.1, 0.9, size=shape).astype("float32") for shape in (true, predicted))
    given = None if weight is None else rng.uniform(size=weight).astype("float32")
    for name in ("MeanSquaredError", "BinaryCrossentropy", "Huber"):
        for reduction in REDUCTIONS:
            arguments = {"reduction": reduction}
            _, _, got = value(name, arguments, y_true, y_pred, given)
            wanted = in_keras(name, arguments, y_true, y_pred, given)
            np.testing.assert_allclose(got, wanted, rtol=2e-5, err_msg=f"{name} {reduction}")


@pytest.mark.parametrize(("name", "target", "output", "arguments"), LOSSES)
def test_the_text_computes_the_same(name: str, target: str, output: str, arguments: dict[str, Any]) -> None:
    from layerexplain.lang.definition import Definition
    from layerexplain.ops import load_all

    load_all()
    shape = (6, 4) if name == "CTC" else (3,) if name == "Circle" else (4, 3)
    y_true, y_pred = drawn(name, target, output, shape)
    definition, values, got = value(name, arguments, y_true, y_pred)
    parsed = parse(program(definition), {str(p.label): p for p in definition.params})
    again = Definition("again", definition.params, (), {"L": parsed["L"]})
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(evaluate(again, values, [], Evaluation(N))[0], got, rtol=1e-6)


@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"])
def test_the_element_line_clips_where_the_formula_does(name: str) -> None:
    (row,) = explain_layer(name, input_shape=(3,)).layers
    assert row.explanation is not None and row.formula[0].endswith(", 1e-07), 0.9999999)")
    assert row.explanation.element[0].endswith(", 1e-7), 0.9999999)")


@pytest.mark.keras
def test_all_losses_of_keras_are_declared() -> None:
    classes = {
        name for name, one in vars(keras.losses).items()
        if isinstance(one, type) and issubclass(one, keras.losses.Loss) and one is not keras.losses.Loss
    }  # fmt: skip
    assert classes == set(part_names("losses")) == {name for name, *_ in LOSSES}
    for name in classes:
        declaration = loss_of(name)
        assert isinstance(declaration, Loss) and declaration.description.endswith(".")
        wanted = getattr(keras.losses, name)().get_config()
        defaults = {key: one for key, one in declaration.default_values.items() if key in wanted}
        got = {key: wanted[key] for key in defaults}
        assert defaults == got, name


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("Huber", {"delta": "wide"}, "losses.Huber needs delta to be a number, got delta='wide'"),
        ("Huber", {"reduction": "avg"}, "needs reduction to be"),
        ("Hinge", {"from_logits": True}, "losses.Hinge has no argument 'from_logits'"),
        ("CTC", {}, "CTC needs labels (batch, labels) and scores (batch, steps, classes), got (None, 3) and (None, 3)"),
        ("CategoricalGeneralizedCrossEntropy", {"q": 0}, "needs q above 0"),
    ],
)
def test_refusals(name: str, arguments: dict[str, Any], words: str) -> None:
    y_true, y_pred = drawn("Huber", "numbers", "numbers", (3,))
    with pytest.raises(LayerExplainError) as told:
        value(name, arguments, y_true, y_pred)
    assert words in str(told.value)
