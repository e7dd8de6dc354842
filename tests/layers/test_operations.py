"""The operations between layers against real Keras: shapes and values of models made of `keras.ops` and of TensorFlow.

A row is a function of symbolic tensors. Keras makes a model of it, we read the model's JSON, run each operation's
formula in NumPy, and compare what comes out. tf_keras rows run in a process of their own, since TensorFlow has one
Keras at a time.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.scalar import CannotIndex
from layerexplain.layers.declaration import Spec
from layerexplain.ops import load_all
from tests.support.element_values import ElementValues
from tests.support.frameworks import keras, tf, tf_keras
from tests.support.operation_networks import BATCH_SIZE, drawn, fits, network_of, plain
from tests.support.operation_rows import KERAS_ROWS, Row
from tests.support.operation_rows_images import IMAGE_ROWS
from tests.support.operation_rows_numbers import NUMBER_ROWS
from tests.support.raw_operation_rows import RAW_ROWS, RawRow
from tests.support.tf_operation_rows import TF_ROWS
from tests.support.tracing import trace_layer

load_all()

pytestmark = pytest.mark.keras

ELEMENTS = 8


def obeys_laws(definition: Definition, values: list[Any], weights: list[Any], results: list[Any], rng: Any) -> None:
    """The element form has the array's values, at a few indices of each result."""
    form = element_form(definition)
    batch = next((len(v) for p, v in zip(definition.params, values, strict=False) if p.shape[:1] == (BATCH,)), 1)
    elements = ElementValues(form, values, weights, batch)
    for i, result in enumerate(results):
        for _ in range(min(result.size, ELEMENTS)):
            index = tuple(int(rng.integers(0, size)) for size in result.shape)
            try:
                value = float(elements.element(i, index))
            except CannotIndex:
                break
            assert value == pytest.approx(float(result[index]), rel=1e-3, abs=1e-4), (i, index)


def check(row: Row, keras: Any, source: Path) -> None:
    """The row's model gives in our formulas what it gives in Keras."""
    size = None if row.batched else BATCH_SIZE
    symbolic = [keras.Input(s, dtype=d, batch_size=size) for s, d in zip(row.shapes, row.input_dtypes, strict=True)]
    function: Callable[..., Any] = row.function
    outputs = function(*symbolic)
    flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    model = keras.Model(symbolic, flat)
    source.write_text(model.to_json())
    values = drawn(row)
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape) for w in model.get_weights()])
    weights = model.get_weights()
    if row.eager:
        theirs = function(*map(keras.ops.convert_to_tensor, values))
    else:
        theirs = model(values if len(values) > 1 else values[0])
    theirs = theirs if isinstance(theirs, list | tuple) else [theirs]
    network = network_of(source, row.recorded)
    assert network.definition is not None
    with np.errstate(all="ignore"):
        ours = evaluate(network.definition, values, weights)
    results = list(network.definition.results.values())
    for ours_weight, weight in zip(network.definition.weights, model.weights, strict=True):
        # Keras 3 calls a weight that its layer gives no name "variable".
        # A variable without a name of its own is `variable`, or `variable_15` where Keras has made others before.
        name = weight.name.rpartition("/")[2].partition(":")[0]
        assert name == ours_weight.attrs["name"] or name.startswith("variable"), row.id
    assert len(ours) == len(theirs)
    for e, symbol, value, expected in zip(results, flat, ours, map(np.asarray, theirs), strict=True):
        assert value.shape == expected.shape, (row.id, value.shape, expected.shape)
        assert not row.recorded or fits(plain(e.shape), tuple(symbol.shape)), (row.id, e.shape, symbol.shape)
        assert value.dtype == expected.dtype or {value.dtype.kind, expected.dtype.kind} == {"f"}, (
            row.id,
            value.dtype,
            expected.dtype,
        )
        a, b = value.astype("float64"), expected.astype("float64")
        both = np.isfinite(a) & np.isfinite(b)
        assert np.array_equal(np.isfinite(a), np.isfinite(b)), row.id
        scale = max(float(np.max(np.abs(b[both]), initial=0)), 1e-3)
        assert float(np.max(np.abs(a[both] - b[both]), initial=0)) <= 1e-4 * scale, (row.id, e.op.name)
    obeys_laws(network.definition, values, weights, ours, rng)


@pytest.mark.parametrize("row", [*KERAS_ROWS, *NUMBER_ROWS, *IMAGE_ROWS], ids=lambda r: r.id)
def test_keras_operation(row: Row, tmp_path: Path) -> None:
    check(row, keras, tmp_path / "model.json")


WRONG: list[tuple[str, dict[str, Any], tuple[tuple[Any, ...], ...], str]] = [
    ("ops.Add", {}, ((5, 7), (4, 7)), "add needs shapes that broadcast"),
    ("ops.Reshape", {"newshape": (None, 4)}, ((7,),), "reshape needs"),
    ("ops.Squeeze", {"axis": 1}, ((5, 7),), "squeeze needs axis 1 to have size 1"),
    ("ops.ExpandDims", {"axis": 9}, ((5, 7),), "from -4 to 3"),
    ("ops.GetItem", {"key": (slice(None), 9)}, ((5, 7),), "index 9 is outside axis 1"),
    ("ops.GetItem", {"key": "a"}, ((5, 7),), "a slice needs numbers"),
    ("ops.GetItem", {"key": (slice(None), [0, 2])}, ((5, 7),), "a slice needs numbers, ranges of numbers, None or '...', got [0, 2]"),
    ("ops.GetItem", {"key": (slice(None), slice([1, 2], None))}, ((5, 7),), "got slice([1, 2], None, None)"),
    ("ops.GetItem", {"key": slice(None, [3])}, ((5, 7),), "got slice(None, [3], None)"),
    ("ops.Matmul", {}, ((5, 7), (5, 7)), "matmul needs matrices"),
    ("ops.Concatenate", {"axis": 1}, ((5, 7), (5, 6)), "concatenate needs shapes that are equal except along axis 1"),
    ("ops.Split", {"indices_or_sections": 2, "axis": 1}, ((5, 7),), "split needs"),
    ("ops.Einsum", {"subscripts": "bij,bjk->bik"}, ((5, 7), (5, 7)), "needs one size for 'j'"),
    ("ops.Conv", {}, ((6, 8, 4), (3,)), "a convolution needs a kernel"),
    ("ops.Sum", {"axis": 3}, ((5, 7),), "axis needs to be from -3 to 2"),
    ("ops.Clip", {"x_min": 0}, ((5,),), "needs 'x_max'"),
    ("ops.Pad", {"pad_width": ((0, 0), (1, 1))}, ((5, 7),), "pad needs a pair"),
    ("ops.Tile", {"repeats": ("a",)}, ((5, 7),), "tile needs an integer"),
    ("ops.Unstack", {"axis": 1}, ((None, 7),), "unstack needs the size of axis 1"),
    ("tf.gather", {"batch_dims": 3}, ((5, 7), (5,)), "batch_dims 0 and 1"),
    ("ops.Cholesky", {}, ((5, 7),), "cholesky needs square matrices"),
    ("ops.Solve", {}, ((5, 5), (4, 2)), "solve needs b with as many rows as a"),
    ("ops.FFT", {}, ((5, 7), (5, 6)), "fft needs real and imaginary parts of the same shape"),
    ("ops.STFT", {"sequence_length": 8, "sequence_stride": 2, "fft_length": 4}, ((20,),), "at least sequence_length"),
    ("ops.ExtractSequences", {"sequence_length": 9, "sequence_stride": 2}, ((5,),), "a last axis of at least 9"),
    ("ops.Quantile", {"method": "median"}, ((5,), ()), "needs method to be 'linear'"),
    ("ops.Linspace", {"num": 10**9}, ((5,), (5,)), "at most 10,000"),
    ("ops.Cross", {}, ((5, 4), (5, 4)), "cross needs vectors of 2 or 3 numbers"),
    ("ops.Rearrange", {"pattern": "b h w -> b w"}, ((5, 7),), "rearrange needs a pattern like"),
    ("ops.SegmentSum", {"num_segments": 3}, ((5, 7), (4, 2)), "segment needs one id for each part"),
    ("ops.Scatter", {"shape": (3, "a")}, ((2,), ()), "scatter needs a shape of integers"),
    ("ops.AffineTransform", {"interpolation": "cubic"}, ((6, 8, 3), (8,)), "'bilinear' or 'nearest'"),
    ("ops.GaussianBlur", {"sigma": (0, 1)}, ((6, 8, 3),), "sigma needs two numbers above 0"),
    ("ops.RGBToHSV", {}, ((6, 8, 4),), "colours need 3 channels"),
    ("ops.ConvTranspose", {}, ((6, 8, 4), (3, 3, 2)), "a transposed convolution needs a kernel"),
    ("ops.DotProductAttention", {}, ((5, 4, 3), (6, 3, 3), (6, 3, 3)), "heads of queries that those of keys divide"),
    ("ops.CTCDecode", {"strategy": "beam_search"}, ((9, 4), ()), "supported only for strategy='greedy'"),
    ("tf.raw_ops.Mean", {}, ((5, 7), ()), "an axis needs to be a constant"),
    ("CustomScaleLayer", {"scale": 0.1}, ((5,),), "needs two inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "shapes", "message"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_operations_are_refused(
    type_: str, config: dict[str, Any], shapes: tuple[tuple[Any, ...], ...], message: str
) -> None:
    specs = [Spec((BATCH, *shape), "float") for shape in shapes]
    with pytest.raises(LayerExplainError) as refusal:
        trace_layer(type_, config, specs)
    assert message in str(refusal.value)


WRONG_NODES: list[tuple[Any, Any, str]] = [
    (None, {}, "node_def does not name a TensorFlow operation"),
    ("\n\xff\xff", {}, "node_def cannot be read"),
    ({"op": "../../x", "attr": {}}, {}, "node_def does not name a TensorFlow operation"),
    ("{" * 5000, {}, "node_def does not name a TensorFlow operation"),
    ({"op": "AddV2", "attr": {}}, {"-1": 2}, "constants has the place '-1'"),
    ({"op": "AddV2", "attr": {}}, [1], "constants is not an object"),
]


@pytest.mark.parametrize(("node", "constants", "message"), WRONG_NODES, ids=range(len(WRONG_NODES)))
def test_a_raw_operation_that_is_none_is_refused(node: Any, constants: Any, message: str, tmp_path: Path) -> None:
    item = {
        "class_name": "TensorFlowOpLayer",
        "config": {"name": "op", "node_def": node, "constants": constants},
        "name": "tf_op_layer_op",
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "x"}, "name": "x"}
    layers = [{**first, "inbound_nodes": []}, item]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["tf_op_layer_op", 0, 0]]}
    source = tmp_path / "model.json"
    source.write_text(json.dumps({"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}))
    with pytest.raises(LayerExplainError, match=re.escape(message)):
        read(str(source))


@pytest.fixture(scope="module")
def tf_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong with each tf_keras row ("" for nothing), from one process for all of them."""
    folder = tmp_path_factory.mktemp("tf")
    done = subprocess.run(
        [sys.executable, "-m", "tests.layers.test_operations", str(folder)],
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


def raw_layer(row: RawRow) -> tuple[Any, list[Any]]:
    """The TensorFlowOpLayer of a row, as tf.keras 2.3 made it of an operation in its graph, and its NodeDef."""
    from google.protobuf import json_format
    from tf_keras.src.engine.base_layer import TensorFlowOpLayer

    with tf.Graph().as_default() as graph:
        placeholders = [tf.compat.v1.placeholder(row.dtype, (None, *shape)) for shape in row.shapes]
        row.make(*placeholders)
        op = graph.get_operations()[-1]
        named = {p.op.name for p in placeholders}
        constants: dict[int, Any] = {}
        for i, given in enumerate(op.inputs):
            if given.op.name not in named:
                constants[i] = np.asarray(tf.get_static_value(given))
    node = json_format.MessageToDict(op.node_def)
    return TensorFlowOpLayer(node, "op", constants), [node, op.node_def.SerializeToString()]


def check_raw(row: RawRow, source: Path) -> None:
    """A raw operation gives in our formula what it gives in tf_keras, however the file keeps its NodeDef."""
    symbolic = [tf_keras.Input(shape, dtype=row.dtype) for shape in row.shapes]
    layer, (node, wire) = raw_layer(row)
    outputs = layer(symbolic if len(symbolic) > 1 else symbolic[0])
    flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    model = tf_keras.Model(symbolic, flat)
    values = drawn(Row(row.id, row.make, row.shapes, (row.dtype,) * len(row.shapes), row.positive))
    theirs = model(values if len(values) > 1 else values[0])
    theirs = theirs if isinstance(theirs, list | tuple) else [theirs]
    written = json.loads(model.to_json())
    (kept,) = [one for one in written["config"]["layers"] if one["class_name"] == "TensorFlowOpLayer"]
    for form in (node, json.dumps(node), wire.decode("utf-8", "ignore")):
        if isinstance(form, str) and form.encode() != wire and not form.startswith("{"):
            continue  # older files could not keep such an operation either
        kept["config"]["node_def"] = form
        source.write_text(json.dumps(written))
        network = network_of(source)
        assert network.definition is not None
        ours = evaluate(network.definition, values, [])
        for value, expected in zip(ours, map(np.asarray, theirs), strict=True):
            assert value.shape == expected.shape and value.dtype == expected.dtype, (value.dtype, expected.dtype)
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("row", RAW_ROWS, ids=lambda r: r.id)
def test_raw_operation(row: RawRow, tf_outcomes: dict[str, str]) -> None:
    assert tf_outcomes[f"raw {row.id}"] == ""


def main(folder: Path) -> None:
    """Run the tf_keras rows and write what went wrong."""
    outcomes = {}
    source = folder / "model.json"
    todo: dict[str, Callable[[], None]] = {row.id: partial(check, row, tf_keras, source) for row in TF_ROWS}
    todo |= {f"raw {row.id}": partial(check_raw, row, source) for row in RAW_ROWS}
    for name, run in todo.items():
        try:
            run()
            outcomes[name] = ""
        except Exception as wrong:  # a row that fails must not hide the others
            outcomes[name] = f"{type(wrong).__name__}: {wrong}"[:1000]
    (folder / "outcomes.json").write_text(json.dumps(outcomes), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
