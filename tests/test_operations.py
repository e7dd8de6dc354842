"""The operations between layers against real Keras: shapes and values of models made of `keras.ops` and of TensorFlow.

A row is a function of symbolic tensors. Keras makes a model of it, we read the model's JSON, run each operation's
formula in NumPy, and compare what comes out. tf_keras rows run in a process of their own, since TensorFlow has one
Keras at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from layerexplain.derive import text
from layerexplain.derive.evaluate import evaluate
from layerexplain.expr import Definition
from layerexplain.layers.registry import find
from layerexplain.model import Layer, TensorRef
from layerexplain.readers import read
from layerexplain.report.network import Tracer
from layerexplain.report.recorded import input_spec
from layerexplain.report.traced import Network
from tests.operation_rows import KERAS_ROWS, TF_ROWS, Row

pytestmark = pytest.mark.keras

BATCH_SIZE = 3
UNKNOWN_SIZE = 7


def network_of(source: Path) -> Network:
    """The model in a file as one formula."""
    model = read(str(source))
    layers = {layer.name: layer for layer in model.layers}
    specs = [input_spec(layers[ref.layer]) for ref in model.inputs]
    network = Tracer(linked=True).network(model, specs)
    assert not network.notes, network.notes
    for made in network.calls:
        for i, spec in enumerate(made.outputs):
            recorded = model.recorded.get(TensorRef(made.call.layer, made.call.index, i))
            if spec is not None and recorded is not None:
                assert fits(plain(spec.shape), recorded[0]), (made.call.layer, spec.shape, recorded)
        if made.definition is not None:
            assert text.program(made.definition)
            assert sentence(made.definition, layers[made.call.layer])
    return network


def sentence(definition: Definition, layer: Layer) -> str:
    """The first line of the declaration; all that it has fields for is there."""
    key = f"tf.{layer.config['function']}" if "function" in layer.config else f"ops.{layer.type}"
    declaration = find(key)
    assert declaration is not None
    known = {**dict.fromkeys(declaration.arguments, ""), **layer.config}
    return declaration.description.format(**known)


def fits(ours: Sequence[int | None], theirs: Sequence[int | None]) -> bool:
    """Our shape says what Keras's says; the batch is counted as unknown."""
    return len(ours) == len(theirs) and all(a == b or (i == 0 and a is None) for i, (a, b) in enumerate(
        zip(ours, theirs, strict=True)
    ))


def plain(shape: Any) -> tuple[int | None, ...]:
    return tuple(s if isinstance(s, int) else None for s in shape)


def drawn(row: Row) -> list[Any]:
    """Inputs for a row: whole numbers from 0 to 5, floats around 0, truth values."""
    import numpy as np

    rng = np.random.default_rng(zlib.crc32(row.id.encode()))
    values: list[Any] = []
    for shape, dtype in zip(row.shapes, row.input_dtypes, strict=True):
        full = (BATCH_SIZE, *[UNKNOWN_SIZE if s is None else s for s in shape])
        if dtype == "int32":
            values.append(rng.integers(0, 6, full).astype(dtype))
        elif dtype == "bool":
            values.append(rng.random(full) < 0.5)
        else:
            value = rng.uniform(0.1, 2.0, full) if row.positive else rng.normal(0, 1, full)
            values.append(value.astype(dtype))
    return values


def check(row: Row, keras: Any, source: Path) -> None:
    """The row's model gives in our formulas what it gives in Keras."""
    import numpy as np

    symbolic = [keras.Input(s, dtype=d) for s, d in zip(row.shapes, row.input_dtypes, strict=True)]
    function: Callable[..., Any] = row.function
    outputs = function(*symbolic)
    flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    model = keras.Model(symbolic, flat)
    source.write_text(model.to_json())
    values = drawn(row)
    theirs = model(values if len(values) > 1 else values[0])
    theirs = theirs if isinstance(theirs, list | tuple) else [theirs]
    network = network_of(source)
    assert network.definition is not None
    ours = evaluate(network.definition, values, [])
    results = list(network.definition.results.values())
    assert len(ours) == len(theirs)
    for e, symbol, value, expected in zip(results, flat, ours, map(np.asarray, theirs), strict=True):
        assert value.shape == expected.shape, (row.id, value.shape, expected.shape)
        assert fits(plain(e.shape), tuple(symbol.shape)), (row.id, e.shape, symbol.shape)
        assert value.dtype == expected.dtype or {value.dtype.kind, expected.dtype.kind} == {"f"}, (
            row.id, value.dtype, expected.dtype
        )
        a, b = value.astype("float64"), expected.astype("float64")
        both = np.isfinite(a) & np.isfinite(b)
        assert np.array_equal(np.isfinite(a), np.isfinite(b)), row.id
        scale = max(float(np.max(np.abs(b[both]), initial=0)), 1e-3)
        assert float(np.max(np.abs(a[both] - b[both]), initial=0)) <= 1e-4 * scale, row.id


@pytest.mark.parametrize("row", KERAS_ROWS, ids=lambda r: r.id)
def test_keras_operation(row: Row, tmp_path: Path) -> None:
    import keras

    check(row, keras, tmp_path / "model.json")


@pytest.fixture(scope="module")
def tf_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong with each tf_keras row ("" for nothing), from one process for all of them."""
    folder = tmp_path_factory.mktemp("tf")
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_operations", str(folder)],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes: dict[str, str] = json.loads((folder / "outcomes.json").read_text("utf-8"))
    return outcomes


@pytest.mark.parametrize("row", TF_ROWS, ids=lambda r: r.id)
def test_tf_operation(row: Row, tf_outcomes: dict[str, str]) -> None:
    assert tf_outcomes[row.id] == ""


def main(folder: Path) -> None:
    """Run the tf_keras rows and write what went wrong."""
    import tf_keras

    outcomes = {}
    for row in TF_ROWS:
        try:
            check(row, tf_keras, folder / "model.json")
            outcomes[row.id] = ""
        except Exception as wrong:  # a row that fails must not hide the others
            outcomes[row.id] = f"{type(wrong).__name__}: {wrong}"[:1000]
    (folder / "outcomes.json").write_text(json.dumps(outcomes), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
