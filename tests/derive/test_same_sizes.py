"""UnknownSize sizes that are said to be the same are: sizes are drawn, the formula is run, and its results have them."""

import itertools
import random
import warnings
from typing import Any

import pytest

from layerexplain.checks import of_shapes
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.roles import SameSizes, Sizes, UnknownSize, fresh
from layerexplain.errors import ShapeError
from layerexplain.frontends import read
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.model import TensorRef
from layerexplain.network.trace import trace_model
from tests.support.drawn_values import TYPES, definitions, values_for

DRAWS = 4

MODEL = """
inputs:
  tokens: [null, 3]
  others: [null, 3]
layers:
  - LSTM: {units: 4, return_sequences: true}
    name: left
    from: tokens
  - Conv1D: {filters: 4, kernel_size: 3, padding: same}
    name: right
    from: tokens
  - Dense: 4
    name: apart
    from: others
"""


def sizes_of(*roots: Expr) -> list[Sizes]:
    return SameSizes().values(roots, {})


@pytest.mark.parametrize("type_", TYPES)
def test_results_have_the_sizes_that_are_said(type_: str) -> None:
    """With sizes drawn for the unknown ones, equal where one object stands for them."""
    rng = random.Random(type_)
    for case, definition in definitions(type_, fixed=False):
        unknown = [any(size is None for size in p.shape) for p in definition.params]
        if not any(unknown):
            continue
        for _ in range(DRAWS):
            given = [fresh(p.shape) for p in definition.params]
            alike = rng.random() < 0.5  # tensors that must fit each other need the same sizes
            drawn = {
                s: 5 if alike else rng.randint(4, 7) for s in itertools.chain(*given) if isinstance(s, UnknownSize)
            }
            said = SameSizes().of_call(definition, given)
            results = run(case, definition, [[drawn.get(s, s) for s in sizes] for sizes in given])
            if results is None:
                continue
            for sizes, result in zip(said, results, strict=False):
                for size, actual in zip(sizes, result.shape, strict=True):
                    assert not isinstance(size, UnknownSize) or drawn.setdefault(size, actual) == actual, (
                        case.id,
                        sizes,
                    )


def run(case: Any, definition: Definition, shapes: list[list[Any]]) -> list[Any] | None:
    """The results for tensors of these shapes; None where these do not fit each other."""
    stand_ins = [tensor(p.label or "x", tuple(s), p.dtype) for p, s in zip(definition.params, shapes, strict=True)]
    values, weights = values_for(case, Definition("drawn", tuple(stand_ins), definition.weights, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return evaluate(definition, values, weights, Evaluation(2, "float64"))
        except (ArithmeticError, LookupError, NotImplementedError, ShapeError, TypeError, ValueError):
            return None


def test_the_branches_of_a_model_can_be_compared(tmp_path: Any) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(MODEL)
    network = trace_model(read(path))
    sizes = of_shapes.sizes_of(network)
    left, right, apart = [sizes[TensorRef(name, 0, 0)] for name in ("left", "right", "apart")]
    assert left == right
    assert left != apart
    assert repr(left) == repr(apart) == "(n, None, 4)"


def test_what_a_formula_makes_of_the_same_unknown_sizes_is_the_same() -> None:
    spec = b"input: [null, null, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n"
    made = trace_model(read(spec)).calls[1].definition
    assert made is not None
    sizes, given = SameSizes(), fresh(made.params[0].shape)
    [once], [again] = sizes.of_call(made, [given]), sizes.of_call(made, [given])
    [other] = sizes.of_call(made, [fresh(made.params[0].shape)])
    assert once == again and once[1] != once[2] and other[1] != once[1]
    assert [type(size) for size in once[1:3]] == [UnknownSize, UnknownSize]
