"""Arrays among the arguments of a call, which Keras stores as `__numpy__`: their values or, of many numbers, their shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain import explain, verify
from layerexplain.frontends.keras import config_values
from layerexplain.frontends.keras.config_values import plain_value
from layerexplain.lang.expr import constant
from layerexplain.lang.tables import ConstantArray, Shaped

Build = Callable[[Any, Any, Callable[..., Any]], Any]

CALLS: dict[str, tuple[tuple[int, ...], Build]] = {
    # name → shape of the input, and the call with keras.ops, the input and a function that makes an array
    "einsum": ((3, 130), lambda ops, x, array: ops.einsum("bij,jk->bik", x, array(130, 101))),
    "matmul": ((3, 130), lambda ops, x, array: ops.matmul(x, array(130, 101))),
    "matmul, first": ((130, 3), lambda ops, x, array: ops.matmul(array(101, 130), x)),
    "add": ((130, 101), lambda ops, x, array: ops.add(x, array(130, 101))),
    "plus": ((130, 101), lambda ops, x, array: x + array(130, 101)),
    "broadcast": ((1, 101), lambda ops, x, array: ops.multiply(array(130, 101), x)),
    "where": ((130, 101), lambda ops, x, array: ops.where(x > 0, x, array(130, 101))),
    "take": ((5,), lambda ops, x, array: ops.take(array(3000, 4), ops.cast(x, "int32"), axis=0)),
    "conv": ((16, 16, 3), lambda ops, x, array: ops.conv(x, array(3, 3, 3, 600))),
    "tensordot": ((3, 130), lambda ops, x, array: ops.tensordot(x, array(130, 101), axes=1)),
}


def saved(name: str, path: Path) -> Any:
    keras = pytest.importorskip("keras")
    import numpy as np

    rng = np.random.default_rng(0)
    shape, build = CALLS[name]
    x = keras.Input(shape, name="x")
    y = build(keras.ops, x, lambda *sizes: rng.normal(size=sizes).astype("float32"))
    model = keras.Model(x, y)
    model.save(path)
    return model


@pytest.mark.keras
@pytest.mark.parametrize("name", CALLS)
def test_the_values_are_those_of_keras(name: str, tmp_path: Path) -> None:
    model = saved(name, tmp_path / "m.keras")
    report = explain(tmp_path / "m.keras")
    assert (report.layers[-1].output_shapes, report.notes, report.faults) == ((model.output_shape,), (), ())
    row = report.layers[-1]
    told = row.explanation
    assert told is not None and all(len(line) < 160 for line in (*row.formula, *told.element, *told.latex))
    assert " constant(" in " ".join(row.formula).replace("(constant(", " constant(")
    assert verify(tmp_path / "m.keras").agrees


@pytest.mark.keras
@pytest.mark.parametrize("name", CALLS)
def test_of_many_numbers_the_shape_is_known(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_values, "_MAX_CONSTANT_ITEMS", 50)
    model = saved(name, tmp_path / "m.keras")
    report = explain(tmp_path / "m.keras")
    assert (report.layers[-1].output_shapes, report.faults) == ((model.output_shape,), ())
    (note,) = report.notes
    assert note.code == "large-constant" and note.message.endswith("numbers (float32) is known by its shape alone")
    assert "large_constant(" in " ".join(report.layers[-1].formula)


@pytest.mark.parametrize(("values", "shape"), [
    ([[1, 2, 3], [4, 5, 6]], (2, 3)), ([], (0,)), ([[], []], (2, 0)), ([[1], []], None), ([1, [2]], None), ([[1], 2], None),
    (3, ()),
])  # fmt: skip
def test_the_shape_of_lists(values: Any, shape: tuple[int, ...] | None) -> None:
    assert config_values.list_shape(values) == shape


def test_a_constant_that_is_known_by_its_shape() -> None:
    e = constant(ConstantArray(Shaped((3, 5)), "int32"))
    assert (e.shape, e.dtype) == ((3, 5), "int32")


def test_a_slice_of_a_file() -> None:
    written = {"class_name": "__slice__", "config": {"start": 1, "stop": 7, "step": 2}}
    context: Any = None
    assert plain_value(written, "key", "a", context) == slice(1, 7, 2)
