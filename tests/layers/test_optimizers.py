"""The optimizers, schedules and regularizers as formulas: values of one and of three steps, held against real Keras."""

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.parse import parse
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find, part_names, part_of
from layerexplain.model import TrainingSetting
from tests.support.frameworks import keras
from tests.support.training_rows import OPTIMIZERS

SHAPES = ((7, 5), (5, 7), (3,), (2, 3, 4), ())
STEPS = 3


def declared(kind: str, name: str) -> Any:
    """The declaration of a part of training."""
    known = part_of(kind, name)
    assert known is not None
    return find(known)


def step_of(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> Definition:
    """The formula of one step of a weight."""
    declaration = declared("optimizers", name)
    norm = Spec((), "float") if arguments.get("global_clipnorm") else None
    W = Spec(shape, "float")
    made: Definition = declaration.trace([W, W, Spec((), "float"), norm], declaration.bind(arguments, strict=True))
    return made


def started(definition: Definition, first: Any) -> dict[str, Any]:
    """The slots before the first step."""
    found = {}
    for leaf in definition.weights:
        initial = leaf.attrs["initial"]
        found[str(leaf.label)] = first.copy() if initial == "W" else np.full(leaf.shape, initial, "float32")
    return found


def run_steps(name: str, arguments: dict[str, Any], first: Any, gradients: list[Any], norms: list[float]) -> list[Any]:
    """The weight after each step, by the formula."""
    W = first
    definition = step_of(name, arguments, W.shape)
    slots, found = started(definition, W), []
    for step, (g, norm) in enumerate(zip(gradients, norms, strict=True), start=1):
        values = [W, g, np.float32(step), *([np.float32(norm)] if len(definition.params) == 4 else [])]
        with np.errstate(all="ignore"):
            made = evaluate(definition, values, [slots[str(leaf.label)] for leaf in definition.weights], Evaluation(1))
        new = dict(zip(definition.results, made, strict=True))
        W = new.pop("W")
        slots |= new
        found.append(W)
    return found


def in_keras(name: str, arguments: dict[str, Any]) -> Any:
    """The optimizer of Keras with these arguments."""

    def made(value: Any) -> Any:
        if isinstance(value, dict):
            ((type_, config),) = value.items()
            home = keras.optimizers if hasattr(keras.optimizers, type_) else keras.optimizers.schedules
            return getattr(home, type_)(**config)
        return value

    return getattr(keras.optimizers, name)(**{key: made(value) for key, value in arguments.items()})


@pytest.mark.keras
@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=lambda one: one if isinstance(one, str) else str(one))
def test_steps_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=shape).astype("float32") for shape in SHAPES]
    gradients = [[(rng.normal(size=shape)).astype("float32") for shape in SHAPES] for _ in range(STEPS)]
    variables = [keras.Variable(W) for W in weights]
    optimizer = in_keras(name, arguments)
    optimizer.build(variables)
    wanted = []
    for each in gradients:
        scale = optimizer.dynamic_scale.numpy() if name == "LossScaleOptimizer" else 1
        optimizer.apply([keras.ops.convert_to_tensor(g * scale) for g in each], variables)
        wanted.append([v.numpy().copy() for v in variables])
    norms = [float(np.sqrt(sum((g**2).sum() for g in each))) for each in gradients]
    for i, W in enumerate(weights):
        scales = [32768.0, 32768.0, 65536.0 if arguments.get("dynamic_growth_steps") == 2 else 32768.0]
        own = [
            each[i] * (scale if name == "LossScaleOptimizer" else 1)
            for each, scale in zip(gradients, scales, strict=True)
        ]
        got = run_steps(name, arguments, W, own, norms)
        for step in range(STEPS):
            np.testing.assert_allclose(
                got[step], wanted[step][i], rtol=2e-5, atol=2e-6, err_msg=f"step {step} {W.shape}"
            )
            assert not np.array_equal(W, got[-1])


@pytest.mark.keras
def test_slots_are_those_of_keras() -> None:
    for name, arguments in OPTIMIZERS:
        optimizer = in_keras(name, arguments)
        variable = keras.Variable(np.ones((7, 5), "float32"), name="kernel")
        before = {id(v) for v in optimizer.variables}
        optimizer.build([variable])
        kept = [tuple(v.shape) for v in optimizer.variables if id(v) not in before]
        kept = [shape for shape in kept if shape != () or name == "LossScaleOptimizer"]
        own = [leaf.shape for leaf in step_of(name, arguments, (7, 5)).weights]
        own = [shape for shape in own if shape != () or name == "LossScaleOptimizer"]
        if name == "LossScaleOptimizer":
            kept = [shape for shape in kept if shape]
            own = [shape for shape in own if shape]
        assert sorted(own) == sorted(kept), (name, arguments)


def test_an_overflow_makes_no_step() -> None:
    definition = step_of("LossScaleOptimizer", {"inner_optimizer": "adam"}, (2,))
    W = np.ones(2, "float32")
    slots = started(definition, W)
    g = np.array([np.inf, 1], "float32")
    with np.errstate(all="ignore"):
        made = evaluate(
            definition, [W, g, np.float32(1)], [slots[str(w.label)] for w in definition.weights], Evaluation(1)
        )
    new = dict(zip(definition.results, made, strict=True))
    assert new["W"].tolist() == [1, 1] and new["m"].tolist() == [0, 0] and float(new["S"]) == 16384


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=lambda one: one if isinstance(one, str) else "")
def test_the_text_computes_the_same(name: str, arguments: dict[str, Any]) -> None:
    from layerexplain.ops import load_all

    load_all()
    definition = step_of(name, arguments, (7, 5))
    leaves = (*definition.params, *definition.weights)
    by_name = {str(leaf.label): leaf for leaf in leaves}
    parsed = parse(program(definition), by_name, updates=set(definition.results))
    again = Definition(
        "again", definition.params, definition.weights, {k: parsed.get(k, by_name[k]) for k in definition.results}
    )
    rng = np.random.default_rng(5)
    values = [np.abs(rng.normal(size=leaf.shape)).astype("float32") + 1 for leaf in leaves]
    count = len(definition.params)
    with np.errstate(all="ignore"):
        for one, other in zip(
            *(evaluate(d, values[:count], values[count:], Evaluation(1)) for d in (definition, again)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-6)


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "end_learning_rate": 0.02, "power": 2.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "cycle": True, "power": 0.5}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 8], "values": [1.0, 0.5, 0.25]}),
    ("PiecewiseConstantDecay", {"boundaries": [5], "values": [1.0, 0.5]}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "alpha": 0.2}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 7, "warmup_target": 0.3, "warmup_steps": 5}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 7, "warmup_target": 0.3, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.0, "m_mul": 0.7}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.5, "m_mul": 0.7, "alpha": 0.1}),
]  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedules_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    declaration = declared("schedules", name)
    definition = declaration.trace([Spec((), "float")], declaration.bind(arguments, strict=True))
    wanted = getattr(keras.optimizers.schedules, name)(**arguments)
    for step in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 25):
        (got,) = evaluate(definition, [np.float32(step)], [], Evaluation(1))
        np.testing.assert_allclose(got, np.asarray(wanted(step)), rtol=1e-4, atol=1e-7, err_msg=str(step))


REGULARIZERS: list[tuple[str, dict[str, Any]]] = [
    ("L1", {}), ("L1", {"l1": 0.3}), ("L2", {}), ("L2", {"l2": 0.7}), ("L1L2", {}), ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {"l2": 0.2}), ("OrthogonalRegularizer", {}), ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS)
def test_regularizers_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    W = np.random.default_rng(1).normal(size=(5, 7)).astype("float32")
    declaration = declared("regularizers", name)
    definition = declaration.trace([Spec(W.shape, "float")], declaration.bind(arguments, strict=True))
    (got,) = evaluate(definition, [W], [], Evaluation(1))
    np.testing.assert_allclose(
        got, np.asarray(getattr(keras.regularizers, name)(**arguments)(keras.ops.convert_to_tensor(W))), rtol=1e-5
    )


CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {"max_value": 1.5}), ("MaxNorm", {"max_value": 0.7, "axis": [0, 1]}), ("NonNeg", {}), ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}), ("MinMaxNorm", {}), ("MinMaxNorm", {"min_value": 2.2, "max_value": 2.4, "rate": 0.3}),
]  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS)
def test_constraints_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    W = np.random.default_rng(1).normal(size=(5, 7)).astype("float32")
    declaration = declared("constraints", name)
    definition = declaration.trace([Spec(W.shape, "float")], declaration.bind(arguments, strict=True))
    (got,) = evaluate(definition, [W], [], Evaluation(1))
    wanted = np.asarray(getattr(keras.constraints, name)(**arguments)(keras.ops.convert_to_tensor(W)))
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
    assert not np.allclose(wanted, W)


@pytest.mark.keras
def test_all_parts_of_keras_are_declared() -> None:
    def classes(home: Any, base: type) -> set[str]:
        return {
            name
            for name, one in vars(home).items()
            if isinstance(one, type) and issubclass(one, base) and one is not base and name[0].isupper()
        }

    assert classes(keras.optimizers, keras.optimizers.Optimizer) == set(part_names("optimizers"))
    schedules = keras.optimizers.schedules
    assert classes(schedules, schedules.LearningRateSchedule) == set(part_names("schedules"))
    assert classes(keras.regularizers, keras.regularizers.Regularizer) == set(part_names("regularizers"))
    assert classes(keras.constraints, keras.constraints.Constraint) == set(part_names("constraints"))


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("SGD", {"momentum": 2}, "optimizers.SGD needs momentum to be a number from 0 to 1, got momentum=2"),
        ("SGD", {"clipnorm": 1, "clipvalue": 1}, "takes one of clipnorm, clipvalue and global_clipnorm, got clipnorm, clipvalue"),
        ("SGD", {"learning_rate": "fast"}, "needs learning_rate to be a number or a schedule, got learning_rate='fast'"),
        ("SGD", {"learning_rate": {"CosineDecay": {}}}, "needs 'initial_learning_rate'"),
        ("Adam", {"beta": 1}, "optimizers.Adam has no argument 'beta'"),
        ("MultiOptimizer", {"optimizer_map": {}}, "MultiOptimizer gives each weight to one of its optimizers"),
        ("MultiOptimizer", {"optimizer_map": TrainingSetting("OptimizerMap",
            {"default_optimizer": TrainingSetting("SGD", {}),
            "optimizer_map": {"encoder/.*": TrainingSetting("Lion", {})}})},
            "by the path of its variable: Lion for 'encoder/.*', SGD for all others; each has a formula of its own: "
            "layerexplain layer Lion --input 784x10"),
        ("LossScaleOptimizer", {}, "needs 'inner_optimizer'"),
    ],
)  # fmt: skip
def test_refusals(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(LayerExplainError) as told:
        step_of(name, arguments, (2,))
    assert words in str(told.value)
