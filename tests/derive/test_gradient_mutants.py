"""Faults in the rules of gradients, each put in the place of the right one: all are found by values.

What finds them is what the other tests hold for every row: slopes by finite differences in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from layerexplain.derive.gradient import backward, loops, patterns
from layerexplain.derive.gradient.backward import gradient
from layerexplain.lang.axes import BATCH
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.expr import OPS, Expr, Op
from layerexplain.ops import load_all
from layerexplain.ops.contract import dot, einsum, matmul, turned
from layerexplain.ops.convolution import conv, conv_kernel, conv_transpose
from layerexplain.ops.elementwise import cos, sin, where
from layerexplain.ops.linalg import inv, solve
from layerexplain.ops.lookup import scatter_rows, take_along
from layerexplain.ops.movement import pad_along, reshape, reverse, slice_along, transpose
from layerexplain.ops.pooling import average_pool_back
from layerexplain.ops.reduce import mean, sum_, unreduced
from tests.cases import Case
from tests.support.gradient_differences import differs
from tests.support.gradient_formulas import differences
from tests.support.keras_oracle import trace_case

np = pytest.importorskip("numpy")

load_all()

Rule = Callable[[Expr, Expr, int], Any]


class Mutant(NamedTuple):
    """What is wrong, in the rule of which op or function, the rule, and the formula in which it is to be found."""

    fault: str
    of: str
    rule: Any
    text: str


def other(y: Expr, i: int) -> Expr:
    return y.args[1 - i]


OF_OPS = [
    Mutant("a sign", "add", lambda y, dy, i: -dy if i else dy, "a + c"),
    Mutant("a sign is forgotten", "subtract", lambda y, dy, i: dy, "a - column"),
    Mutant("the factor itself", "multiply", lambda y, dy, i: dy * y.args[i], "a * c"),
    Mutant("a factor is forgotten", "multiply", lambda y, dy, i: dy, "a * b"),
    Mutant("times in place of over", "divide", lambda y, dy, i: -dy * y / y.args[1] if i else dy * y.args[1], "a / p"),
    Mutant("a sign in the denominator", "divide", lambda y, dy, i: dy * y / y.args[1] if i else dy / y.args[1], "a / p"),
    Mutant("the exponent is not lowered", "power", lambda y, dy, i: dy * y.args[1] * y, "p ** 3"),
    Mutant("the logarithm is forgotten", "power",
           lambda y, dy, i: dy * y if i else dy * y.args[1] * y / y.args[0], "p ** b"),
    Mutant("a sign is forgotten", "negative", lambda y, dy, i: dy, "-a"),
    Mutant("both get all", "max", lambda y, dy, i: dy, "max(a, b)"),
    Mutant("the wrong one of two", "min", lambda y, dy, i: where(OPS["greater"](y.args[i], other(y, i)), dy, 0), "min(a, b)"),
    Mutant("the sign is lost", "abs", lambda y, dy, i: dy, "abs(a)"),
    Mutant("the argument in place of the value", "exp", lambda y, dy, i: dy * y.args[0], "exp(a)"),
    Mutant("over the value", "log", lambda y, dy, i: dy / y, "log(p)"),
    Mutant("a factor 2", "sqrt", lambda y, dy, i: dy / y, "sqrt(p)"),
    Mutant("a sign", "sin", lambda y, dy, i: -dy * cos(y.args[0]), "sin(a)"),
    Mutant("a sign is forgotten", "cos", lambda y, dy, i: dy * sin(y.args[0]), "cos(a)"),
    Mutant("the mask is lost", "where", lambda y, dy, i: None if i == 0 else dy, "where(mask, a, c)"),
    Mutant("the mask is turned round", "where",
           lambda y, dy, i: None if i == 0 else where(y.args[0], *((0, dy) if i == 1 else (dy, 0))), "where(mask, a, b)"),
    Mutant("the axis of a sum", "sum", lambda y, dy, i: slice_along(dy, {2: None}), "sum(S, axis=1)"),
    Mutant("the sum as a mean", "sum", lambda y, dy, i: unreduced(y, dy) / 4, "sum(a, axis=1)"),
    Mutant("the mean as a sum", "mean", lambda y, dy, i: unreduced(y, dy), "mean(a, axis=1)"),
    Mutant("the number of another axis", "mean", lambda y, dy, i: unreduced(y, dy) / 3, "mean(a, axis=1)"),
    Mutant("all are the largest", "amax", lambda y, dy, i: unreduced(y, dy), "amax(a, axis=1)"),
    Mutant("the product with the element", "prod", lambda y, dy, i: unreduced(y, dy * y) * y.args[0], "prod(p, axis=1)"),
    Mutant("W is not transposed", "dot", lambda y, dy, i: dot(transpose(y.args[0]), dy) if i else dot(dy, y.args[1]),
           "dot(a[:, 0], Q)"),
    Mutant("dW is transposed", "dot",
           lambda y, dy, i: dot(transpose(dy), y.args[0]) if i else dot(dy, transpose(y.args[1])), "dot(a[:, 0], Q)"),
    Mutant("a matrix is not transposed", "matmul",
           lambda y, dy, i: matmul(y.args[0], dy) if i else matmul(dy, turned(y.args[1])), "matmul(S, T)"),
    Mutant("letters are swapped", "einsum", lambda y, dy, i: einsum(dy, eq="nij->nij"), "einsum(S, eq='nij->nji')"),
    Mutant("the same order again", "transpose", lambda y, dy, i: transpose(dy, axes=y.attrs["axes"]),
           "transpose(stack(Q, Q * Q, 2 * Q), axes=(1, 2, 0))"),
    Mutant("columns first", "reshape", lambda y, dy, i: transpose(reshape(dy, shape=(BATCH, 3, 4)), axes=(0, 2, 1)),
           "reshape(a, shape=(n, 12))"),
    Mutant("parts are swapped", "concatenate", lambda y, dy, i: slice_along(dy, {1: slice(4, 8) if i == 0 else slice(4)}),
           "concatenate(a, b, axis=1)"),
    Mutant("one for the other", "stack", lambda y, dy, i: slice_along(dy, {1: 1 - i}), "stack(a, b, axis=1)"),
    Mutant("one place before", "slice", lambda y, dy, i: pad_along(dy, {1: (0, 2)}), "a[:, 1:3]"),
    Mutant("not turned back", "reverse", lambda y, dy, i: dy, "reverse(a)"),
    Mutant("cut off at the other end", "pad", lambda y, dy, i: slice_along(dy, {1: slice(2, 6)}), "pad(a, pads=((0, 0), (1, 2), (0, 0)))"),
    Mutant("one copy alone", "repeat", lambda y, dy, i: slice_along(reshape(dy, shape=(BATCH, 4, 2, 3)), {2: 0}), "repeat(a, times=2, axis=1)"),
    Mutant("copies in place", "tile", lambda y, dy, i: sum_(reshape(dy, shape=(BATCH, 4, 2, 3)), axis=2), "tile(a, times=(1, 2, 1))"),
    Mutant("the same way again", "roll", lambda y, dy, i: OPS["roll"](dy, **y.attrs), "roll(a, by=1, axis=1)"),
    Mutant("from the front", "cumsum", lambda y, dy, i: OPS["cumsum"](dy, **y.attrs), "cumsum(a, axis=1)"),
    Mutant("a forgotten broadcast", "broadcast_to", lambda y, dy, i: dy / 2, "broadcast_to(column, shape=(n, 4, 3))"),
    Mutant("the next row", "take", lambda y, dy, i: None if i else scatter_rows(dy, OPS["mod"](y.args[1] + 1, 6), n=6), "table[places]"),
    Mutant("back in the order of the values", "sort", lambda y, dy, i: dy, "sort(a)"),
    Mutant("the order in place of its inverse", "sort",
           lambda y, dy, i: take_along(dy, OPS["argsort"](y.args[0], **y.attrs), axis=-1), "sort(line)"),
    Mutant("the kernel is not turned", "conv",
           lambda y, dy, i: conv_kernel(y.args[0], dy, window=(3, 2)) if i else conv_transpose(dy, reverse(y.args[1], axis=0), size=(7, 8)),
           "conv(image, K)"),
    Mutant("strides are forgotten", "conv",
           lambda y, dy, i: conv_kernel(y.args[0], dy, window=(3, 2)) if i else conv_transpose(dy, y.args[1], strides=2, size=(7, 8)),
           "conv(image, K, strides=2)"),
    Mutant("padding is forgotten", "conv",
           lambda y, dy, i: conv_kernel(y.args[0], dy, window=(3, 2)) if i else conv_transpose(dy, y.args[1], padding="same", size=(7, 8)),
           "conv(image, K, padding='same')"),
    Mutant("the kernel is turned", "conv_transpose",
           lambda y, dy, i: conv_kernel(dy, y.args[0], window=(3, 2), strides=2) if i else conv(dy, reverse(y.args[1], axis=0), strides=2),
           "conv_transpose(image, K_back, strides=2)"),
    Mutant("all of a window", "max_pool", lambda y, dy, i: average_pool_back(dy, to=(7, 8), size=2), "max_pool(image, size=2)"),
    Mutant("not divided", "average_pool", lambda y, dy, i: 4 * average_pool_back(dy, to=(7, 8), size=2), "average_pool(image, size=2)"),
    Mutant("a sign", "inv", lambda y, dy, i: matmul(turned(y), matmul(dy, turned(y))), "inv(S)"),
    Mutant("not transposed", "det", lambda y, dy, i: slice_along(dy * y, {1: None, 2: None}) * inv(y.args[0]), "det(S)"),
    Mutant("not transposed", "solve",
           lambda y, dy, i: solve(y.args[0], dy) if i else -matmul(solve(turned(y.args[0]), dy), turned(y)), "solve(S, T)"),
]  # fmt: skip

SLOPES = [
    Mutant("the square is forgotten", "tanh", lambda z, y: 1 - y, "tanh(a)"),
    Mutant("a sign", "sigmoid", lambda z, y: y * (1 + y), "sigmoid(a)"),
    Mutant("the wrong side", "relu", lambda z, y, **_: OPS["less"](z, 0), "relu(a)"),
    Mutant("1 on both sides", "elu", lambda z, y, **_: 1 + 0 * y, "elu(a)"),
]

GRADIENTS = [
    Mutant("the sum is forgotten", "softmax", lambda y, dy, i: y * dy, "softmax(a)"),
    Mutant("the axis of a sum", "softmax",
           lambda y, dy, i: y * (dy - sum_(dy * y, axis=1, keepdims=True)), "softmax(S)"),
    Mutant("the probabilities are forgotten", "log_softmax",
           lambda y, dy, i: dy - sum_(dy, axis=-1, keepdims=True), "log_softmax(a)"),
    Mutant("what lies along x is kept", "l2_normalize",
           lambda y, dy, i: dy / OPS["sqrt"](sum_(y.args[0] ** 2, axis=-1, keepdims=True)), "l2_normalize(a)"),
    Mutant("y - p", "softmax_cross_entropy",
           lambda y, dy, i: None if i == 0 else slice_along(dy, {2: None}) * (y.args[0] - COMPOSITES["softmax"](y.args[1])),
           "softmax_cross_entropy(softmax(b), a)"),
    Mutant("the target is forgotten", "softmax_cross_entropy",
           lambda y, dy, i: None if i == 0 else slice_along(dy, {2: None}) * COMPOSITES["softmax"](y.args[1]),
           "softmax_cross_entropy(softmax(b), a)"),
]  # fmt: skip


def _changed(monkeypatch: pytest.MonkeyPatch, record: Any, name: str, rule: Any) -> None:
    """A record is immutable, but for this."""
    if isinstance(record, Op):
        monkeypatch.setitem(record.__dict__, name, rule)
    else:
        monkeypatch.setattr(record, name, rule)


@pytest.mark.parametrize("mutant", [*OF_OPS, *SLOPES, *GRADIENTS], ids=lambda m: f"{m.of}-{m.fault.replace(' ', '_')}")
def test_a_wrong_rule_is_found_by_values(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"y = {mutant.text}"
    assert differences(text) == []
    if mutant in OF_OPS:
        _changed(monkeypatch, next(op for op in OPS.values() if op.name == mutant.of), "gradient", mutant.rule)
    else:
        _changed(monkeypatch, COMPOSITES[mutant.of], "slope" if mutant in SLOPES else "gradient", mutant.rule)
    try:
        found = differences(text)
    except ValueError as shapes:  # arrays that do not fit: found all the same
        found = [str(shapes)]
    assert found


# How rules are put together: broadcasts, patterns, loops, gates, masks ------------------------------------------------


class Elsewhere(NamedTuple):
    """What is wrong, which function of which module stands in the place of the right one, and a layer that finds it."""

    fault: str
    module: Any
    name: str
    wrong: Callable[[Any], Any]
    case: Case


LSTM = Case("LSTM", {"units": 2}, ((5, 3),))
GRU = Case("GRU", {"units": 2}, ((5, 3),))
SIMPLE = Case("SimpleRNN", {"units": 2, "return_sequences": True}, ((5, 3),))
DENSE = Case("Dense", {"units": 3}, ((4, 5),))
NORM = Case("LayerNormalization", {}, ((7,),))


def _mean_for_sum(right: Any) -> Any:
    return lambda e, arg, node: (
        mean(e, axis=tuple(range(e.ndim - arg.ndim))) if e.ndim > arg.ndim else right(e, arg, node)
    )


class _Behind(NamedTuple):
    """Sums over the steps that leave out the last."""

    parts: Any
    axes: Any

    def behind(self, sequences: Any) -> Expr:
        shorter = [slice_along(one, {1: slice(1, None)}) for one in sequences]
        if len(sequences) == 2:
            return einsum(*shorter, eq="ntm,ntk->mk")
        return sum_(shorter[0], axis=(0, 1))


ELSEWHERE = [
    Elsewhere("a forgotten broadcast", backward, "_fitted", _mean_for_sum, DENSE),
    Elsewhere("the mean of dy is forgotten", patterns, "through_normalization",
              lambda right: lambda node, dy, centred: right(node, dy, False), NORM),
    Elsewhere("what lies along x_hat is kept", patterns, "through_normalization",
              lambda right: lambda node, dy, centred: (dy - mean(dy, **node.args[1].args[0].args[0].attrs)) / node.args[1], NORM),
    Elsewhere("not divided by the deviation", patterns, "through_normalization",
              lambda right: lambda node, dy, centred: right(node, dy, centred) * node.args[1], NORM),
    Elsewhere("gates are swapped", loops, "joined", lambda right: lambda parts, *how: right([*parts[1::-1], *parts[2:]], *how), LSTM),
    Elsewhere("the last gates are swapped", loops, "joined", lambda right: lambda parts, *how: right([*parts[:-2], parts[-1], parts[-2]], *how), GRU),
    Elsewhere("the steps run forwards", loops, "loop",
              lambda right: lambda *given, backwards: right(*given, backwards=not backwards), LSTM),
    Elsewhere("the steps run forwards", loops, "loop",
              lambda right: lambda *given, backwards: right(*given, backwards=not backwards), SIMPLE),
    Elsewhere("the first step is left out", loops, "_Summed", lambda right: _Behind, SIMPLE),
]  # fmt: skip

MASKED = [Case("LSTM", {"units": 2}, ((5, 3),), masks=(True,)), Case("GRU", {"units": 2}, ((5, 3),), masks=(True,)),
          Case("Attention", {}, ((4, 3), (5, 3)), masks=(True, True))]  # fmt: skip


def _wrong(case: Case) -> list[str]:
    definition = trace_case(case, fixed=True)
    return differs(case, definition, gradient(definition))


@pytest.mark.parametrize("mutant", ELSEWHERE, ids=lambda m: f"{m.case.type}-{m.fault.replace(' ', '_')}")
def test_a_fault_in_how_rules_are_put_together_is_found_by_values(
    mutant: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _wrong(mutant.case) == []
    wrong = mutant.wrong(getattr(mutant.module, mutant.name))
    for module in (mutant.module, backward):  # which imports it by name
        if hasattr(module, mutant.name):
            monkeypatch.setattr(module, mutant.name, wrong)
    assert _wrong(mutant.case)


@pytest.mark.parametrize("case", MASKED, ids=lambda case: case.type)
def test_a_lost_mask_is_found_by_values(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _wrong(case) == []
    _changed(monkeypatch, OPS["where"], "gradient", lambda y, dy, i: None if i == 0 else dy)
    assert _wrong(case)


def test_there_are_sixty_and_more() -> None:
    assert len(OF_OPS) + len(SLOPES) + len(GRADIENTS) + len(ELSEWHERE) + len(MASKED) >= 60
