"""Arrays among the arguments of a call, which Keras stores as `__numpy__`: their values or, of many numbers, their shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import explain, verify
from layerexplain.frontends.keras import config_values

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
