"""Each kind of argument: the values that it takes, in their normal form, and those that it refuses; what is tried in place
of one. And small tables: results of layers without a formula, signatures that are changed, schedules by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.layers import arguments as kinds
from layerexplain.layers.arguments import Argument, RefusedValue, argument_of, per_axis, short
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from layerexplain.ops import load_all

load_all()

LAYER = SimpleNamespace(type="Dense", config={}, name="d")
# A kind, values with their normal forms, values that are refused.
KINDS: list[tuple[str, list[tuple[Any, Any]], list[Any]]] = [
    ("PositiveInt", [(3, 3), (True, 1)], [0, -1, 2.0, "3", None, (3,)]),
    ("Int", [(3, 3), (-3, -3), (-(2**63), -(2**63)), (False, 0)], [-(2**63) - 1, 1.5, "3"]),
    ("NaturalInt", [(0, 0), (3, 3)], [-1, 0.5, "0"]),
    ("Number", [(3, 3.0), (0.5, 0.5), (True, 1.0), (-2, -2.0)], ["3", None, (1,)]),
    ("Numeral", [(3, 3), (0.5, 0.5), (True, 1), (False, 0)], ["3", None]),
    ("Epsilon", [(None, 1e-7), (3, 3.0)], ["3"]),
    ("Strength", [(None, 0.0), (3, 3.0)], ["3"]),
    ("NonNegative", [(0, 0.0), (3, 3.0)], [-0.1, "3", None]),
    ("Numbers", [(3, 3.0), ([1, 2], (1.0, 2.0)), ([[1], [2]], ((1.0,), (2.0,)))], ["3", [], [1, "a"]]),
    ("Share", [(0, 0.0), (1, 1.0), (0.5, 0.5)], [-0.1, 1.1, "0.5", None]),
    ("Bool", [(True, True), (0, False), (1, True), ("yes", True), (None, False), ([], False)], ["false", "No", " off ", "f", "n", "0", "none", "null"]),
    ("Sizes", [(3, 3), ([3, 5], (3, 5)), ((1,), (1,))], [0, [], [0, 1], [3, "a"], 2.0]),
    ("Naturals", [(0, 0), ([0, 5], (0, 5))], [-1, [], [-1]]),
    ("AxisArgument", [(-1, -1), ([1, 2], (1, 2)), ([], ())], ["1", [1.5]]),
    ("ShapeArgument", [(3, (3,)), ([3, None], (3, None)), ((), ()), ([-1], (-1,))], ["3", [1.5], [True], None]),
    ("Padding", [("valid", "valid"), ("SAME", "same")], ["causal", 3, None]),
    ("CausalPadding", [("causal", "causal")], ["full"]),
    ("DataFormat", [(None, "channels_last"), ("channels_first", "channels_first"), ("Channels_Last", "channels_last")], ["first", 1]),
    ("Activation", [("relu", "relu"), (None, "linear"), (LAYER, LAYER)], ["relux", 3, str]),
    ("PaddingAmounts", [(1, 1), ([1, 2], (1, 2)), ([[1, 2], [0, 3]], ((1, 2), (0, 3)))], [-1, [], [[1, 2, 3]], [[-1, 2]], "1"]),
    ("MergeMode", [(None, None), ("sum", "sum"), ("Concat", "concat")], ["add", 1]),
    ("BatchFirst", [(False, False), (None, False)], [True, 1]),
    ("Text", [("a", "a")], [1, None]),
    ("Anything", [(LAYER, LAYER), (3, 3)], []),
    ("AnyFunction", [("f", "f")], []),
    ("WholeDtype", [("int32", "int32"), ("float32", ""), ("mine", "")], []),
    ("Dtype", [("int32", "int32"), (3, "3")], []),
    ("Truth", [("false", True), (0, False)], []),
    ("Inner", [(LAYER, LAYER)], [3, "Dense", {}]),
    ("Inners", [([LAYER, LAYER], (LAYER, LAYER))], [[], [LAYER, 3], LAYER]),
    ("Cell", [(LAYER, LAYER), ([LAYER], (LAYER,))], [3, []]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "accepted", "refused"), KINDS, ids=[row[0] for row in KINDS])
def test_a_kind_of_argument(name: str, accepted: list[tuple[Any, Any]], refused: list[Any]) -> None:
    check: Any = getattr(kinds, name)
    for value, normal in accepted:
        found = check.normal(value)
        assert (found, type(found)) == (normal, type(normal)), value
    for value in refused:
        with pytest.raises(RefusedValue):
            check.normal(value)
        with pytest.raises(ArgumentError) as said:
            Argument(check, Argument.REQUIRED).normal("T", "a", value)
        assert said.value.fact.startswith(f"T needs a to be {check.words}, got a={short(value)}")
        assert said.value.fact.endswith(f"; for example a={check.example}")


def test_none_is_taken_where_it_is_the_default_or_a_value() -> None:
    check: Any = kinds.PositiveInt
    assert Argument(check, None).normal("T", "a", None) is None
    assert Argument(check, 3, optional=True).normal("T", "a", None) is None
    with pytest.raises(ArgumentError):
        Argument(check, 3).normal("T", "a", None)
    with pytest.raises(TypeError, match="argument annotation 3 is no kind of argument"):
        argument_of(3, None)


@pytest.mark.parametrize(
    ("value", "rank", "found"), [(3, 2, (3, 3)), ((3, 5), 2, (3, 5)), ([4], 1, (4,)), (True, 3, (True,) * 3)]
)
def test_one_value_for_each_axis(value: Any, rank: int, found: tuple[int, ...]) -> None:
    assert per_axis("a", value, rank) == found


@pytest.mark.parametrize(
    ("value", "rank", "words"),
    [((3, 5), 1, "a needs one integer, got a=(3, 5)"), ((3, 5), 3, "a needs one integer or 3, got a=(3, 5)")],
)
def test_another_number_of_values(value: Any, rank: int, words: str) -> None:
    with pytest.raises(ArgumentError) as found:
        per_axis("a", value, rank)
    assert found.value.fact == words


# Signatures ---------------------------------------------------------------------------------------------------------


# Layers without a formula -------------------------------------------------------------------------------------------


# Schedules by hand --------------------------------------------------------------------------------------------------


def cosine(gone: float, alpha: float = 0.0) -> float:
    return (1 - alpha) * 0.5 * (1 + math.cos(math.pi * gone)) + alpha


WARM = {"initial_learning_rate": 0.1, "decay_steps": 10, "warmup_target": 0.5, "warmup_steps": 4}
SCHEDULES: list[tuple[str, dict[str, Any], dict[float, float]]] = [
    ("CosineDecay", {"initial_learning_rate": 2.0, "decay_steps": 10}, {0: 2, 5: 1, 10: 0, 15: 0}),
    ("CosineDecay", {"initial_learning_rate": 2.0, "decay_steps": 10, "alpha": 0.1}, {3: 2 * cosine(0.3, 0.1), 12: 0.2}),
    ("CosineDecay", WARM, {0: 0.1, 2: 0.3, 3: 0.4, 4: 0.5, 9: 0.25, 14: 0, 20: 0}),
    ("CosineDecay", {**WARM, "warmup_steps": 0}, {0: 0.5, 5: 0.25, 12: 0}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 6], "values": [1.0, 0.5, 0.25]}, {0: 1, 3: 1, 4: 0.5, 6: 0.5, 7: 0.25}),
    ("CosineDecayRestarts", {"initial_learning_rate": 2.0, "first_decay_steps": 4}, {0: 2, 2: 1, 4: 2, 8: 1, 12: 2}),
    ("CosineDecayRestarts", {"initial_learning_rate": 2.0, "first_decay_steps": 4, "t_mul": 1.0, "m_mul": 0.5}, {2: 1, 4: 1, 6: 0.5, 8: 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 2.0, "decay_steps": 4, "decay_rate": 0.25}, {0: 2, 2: 1, 4: 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 2.0, "decay_steps": 4, "decay_rate": 0.25, "staircase": True}, {3: 2, 4: 0.5, 7: 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 2.0, "decay_steps": 4, "decay_rate": 0.5}, {0: 2, 4: 2 / 1.5, 8: 1}),
    ("InverseTimeDecay", {"initial_learning_rate": 2.0, "decay_steps": 4, "decay_rate": 0.5, "staircase": True}, {3: 2, 4: 2 / 1.5}),
    ("PolynomialDecay", {"initial_learning_rate": 2.0, "decay_steps": 10, "end_learning_rate": 1.0}, {0: 2, 5: 1.5, 10: 1, 20: 1}),
    ("PolynomialDecay", {"initial_learning_rate": 2.0, "decay_steps": 10, "end_learning_rate": 1.0, "power": 2.0}, {5: 1.25, 10: 1}),
    ("PolynomialDecay", {"initial_learning_rate": 2.0, "decay_steps": 10, "end_learning_rate": 1.0, "cycle": True}, {5: 1.5, 15: 1.25}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "rates"), SCHEDULES)
def test_the_rates_of_a_schedule(type_: str, config: dict[str, Any], rates: dict[float, float]) -> None:
    import numpy as np

    declaration = find(f"schedules.{type_}")
    assert declaration is not None
    definition = declaration.trace([Spec((), "float")], declaration.bind(config))
    for step, rate in rates.items():
        (found,) = evaluate(definition, [np.float64(step)], [], Evaluation(1, "float64"))
        assert float(found) == pytest.approx(rate, abs=1e-6), step


def test_layers_in_which_nothing_is_left_are_refused_in_training() -> None:
    for type_ in ("AlphaDropout", "GaussianDropout", "Dropout"):
        declaration = find(type_)
        assert declaration is not None
        given = [Spec((BATCH, 4), "float")]
        for rate in (0.0, 0.5):
            declaration.trace(given, declaration.bind({"rate": rate}), training=True)
        if type_ != "Dropout":
            with pytest.raises(LayerExplainError):
                declaration.trace(given, declaration.bind({"rate": 1.0}), training=True)
        assert declaration.trace(given, declaration.bind({"rate": 1.0})).results
