"""Records of ops: complete when made, reasons made when they are read, a new elementwise op in one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.cost import Cost, Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.evaluate import evaluate
from layerexplain.derive.typeset.statements import typeset
from layerexplain.lang import expr as lang_expr
from layerexplain.lang import parse as lang_parse
from layerexplain.lang.axes import BATCH, GONE, AxesOfEach, ResultShapes
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import NO_MACS, OPS, Expr, axes_of, tensor, weight
from layerexplain.lang.text import program
from layerexplain.ops.convolution import conv
from layerexplain.ops.elementwise import absolute, exp, where
from layerexplain.ops.families import elementwise
from layerexplain.ops.joining import concatenate, split
from layerexplain.ops.linalg import qr
from layerexplain.ops.numbers import bernoulli_like, normal_like, uniform_like
from layerexplain.ops.order import top_k
from layerexplain.ops.reduce import sum_
from layerexplain.ops.window import Window
from tests.support.redefined import redefine


def image(channels: int = 3) -> Expr:
    return tensor("x", (BATCH, 11, 13, channels))


def test_a_record_never_changes() -> None:
    for op in (exp, where, conv):
        with pytest.raises(AttributeError, match=f"<op {op.name}> is complete: its dtype cannot be changed"):
            op.dtype = lambda *args: "float"
        with pytest.raises(AttributeError):
            op.comment = "new"  # type: ignore[attr-defined]


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="op 'exp' is declared twice"):
        elementwise("exp", lambda np, a: np.exp(a), gradient=lambda y, dy, i: dy * y)
    assert OPS["exp"] is exp


def test_reasons_are_made_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def arithmetic(self: Window) -> str:
        made.append(self.role)
        return "words"

    monkeypatch.setattr(Window, "arithmetic", arithmetic)
    node = conv(image(), weight("kernel", "W", [("rows", 4), ("columns", 3), ("channels", 3), ("filters", 7)]))
    assert node.shape == (BATCH, 8, 11, 7)
    assert not made
    assert [axis.reason for axis in axes_of(node)] == ["", "words", "words", "filters = 7"]
    assert made == ["rows", "columns"]


def test_the_shape_is_what_the_axes_are_after() -> None:
    parts = split(image(4), n=2)
    assert parts.shape == ResultShapes([(BATCH, 11, 13, 2)] * 2)
    assert isinstance(parts.op.axes(*parts.args, **parts.options), AxesOfEach)
    assert axes_of(parts, 1)[3].after == 2
    q, r = qr(tensor("a", (BATCH, 4, 3)))
    assert (q.shape, r.shape) == ((BATCH, 4, 3), (BATCH, 3, 3))
    assert [axis.after for axis in axes_of(q.args[0])] == [BATCH, 4, 3]  # of several, the first
    assert [axis.after for axis in axes_of(q.args[0], 1)] == [BATCH, 3, 3]
    total = sum_(image(), axis=(1, 2))
    assert [axis.after for axis in axes_of(total)] == [BATCH, 3, GONE, GONE]
    assert total.shape == (BATCH, 3)
    values, ids = top_k(image(5), k=2)
    assert values.shape == ids.shape == (BATCH, 11, 13, 2)


def test_sizes_that_are_not_known_stay_so() -> None:
    made = concatenate(tensor("a", (BATCH, None, 3)), tensor("b", (BATCH, 5, 4)), axis=-1)
    assert made.shape == (BATCH, 5, 7)
    assert axes_of(made)[2].reason == "3 + 4 = 7"
    assert concatenate(tensor("a", (BATCH, None)), tensor("b", (BATCH, 5))).shape == (BATCH, None)


def test_a_new_elementwise_op_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shape, dtype, text, LaTeX, element form, cost and value follow from the line."""
    copy = dict(OPS)
    monkeypatch.setattr(lang_expr, "OPS", copy)
    monkeypatch.setattr(lang_parse, "OPS", copy)
    hypot = elementwise(
        "hypot", lambda np, a, b: np.hypot(a, b), dtype="float", gradient=lambda y, dy, i: dy * y.args[i] / y
    )

    a, b = tensor("a", (BATCH, 5, 7), "int32"), tensor("b", (7,))
    y = hypot(absolute(a), b)
    made = Definition("own", (a, b), (), {"y": y})
    assert (y.shape, y.dtype, y.op.cost) == ((BATCH, 5, 7), "float", NO_MACS)
    assert program(made) == "y = hypot(abs(a), b)"
    assert "hypot" in " ".join([line.latex for line in typeset(made)])
    assert "hypot(abs(a[n, t, k]), b[k])" in " ".join(element_text(element_form(made)).lines)
    assert Costs().cost_of(made) == Cost(0, 2 * 35)
    assert program(redefine(made, program(made))) == program(made)
    values: list[Any] = [np.arange(-35, 35).reshape(2, 5, 7), np.arange(7.0)]
    (result,) = evaluate(made, values, [])
    assert "hypot" in copy
    assert "hypot" not in OPS
    np.testing.assert_allclose(result, np.sqrt(values[0] ** 2.0 + values[1] ** 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("drawn", "mean", "deviation", "least"),
    [
        (lambda x: normal_like(x), 0, 1, -6),
        (lambda x: normal_like(x, mean=3.0, stddev=0.5), 3, 0.5, 0),
        (lambda x: uniform_like(x), 1 / 2, 12**-0.5, 0),
        (lambda x: uniform_like(x, low=-2.0, high=4.0), 1, 3**0.5, -2),
        (lambda x: bernoulli_like(x, probability=0.8), 0.8, 0.4, 0),
    ],
)
def test_draws_have_the_mean_and_deviation_of_their_distribution(
    drawn: Callable[[Expr], Expr], mean: float, deviation: float, least: float
) -> None:
    x = tensor("x", (100, 200))
    (values,) = evaluate(Definition("draws", (x,), (), {"y": drawn(x)}), [np.zeros((100, 200))], [])
    assert values.mean() == pytest.approx(mean, abs=deviation / 30)
    assert values.std() == pytest.approx(deviation, rel=0.03)
    assert values.min() >= least
