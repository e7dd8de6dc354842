"""Every stored array goes to the weight that it is: values equal those of the model that Keras loads from the file."""

import gc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import SourceError
from layerexplain.frontends import read
from layerexplain.frontends.keras.weight_files import open_weights
from layerexplain.network.trace import trace_model
from layerexplain.report.weight_table import list_weights
from layerexplain.weights.match import match
from tests.support.weight_models import MODELS, filled

pytestmark = pytest.mark.keras

KERAS = ["keras", "tf_keras"]
CASES = [(keras, name, ending) for keras in KERAS for name in MODELS for ending in (".keras", ".h5")]
BUILT: dict[tuple[str, str], Any] = {}


def module(keras: str) -> Any:
    return pytest.importorskip(keras)


def model_of(keras: str, name: str) -> Any:
    """The live model, built once."""
    if (keras, name) not in BUILT:
        K = module(keras)
        K.backend.clear_session()
        BUILT[keras, name] = filled(MODELS[name](K))
    return BUILT[keras, name]


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    BUILT.clear()
    gc.collect()


def saved(model: Any, path: Path) -> Path:
    """The model's file; skips what its writer cannot write."""
    try:
        model.save(path)
    except ValueError as error:  # tf.keras gives the variables of sub-layers in an .h5 file the same name
        pytest.skip(str(error))
    return path


def layer_at(model: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        model = model.get_layer(name)
    return model


def _owner(path: tuple[str, ...], opaque: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The layer of the model that a layer is in: what is inside one without a formula is told by the weights alone."""
    return next((path[:n] for n in range(1, len(path)) if path[:n] in opaque), path)


def numbers(value: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "V" or "float" in array.dtype.name else array


def same(ours: Any, theirs: Any) -> bool:
    return np.array_equal(numbers(ours), numbers(theirs))


@pytest.mark.parametrize(("keras", "name", "ending"), CASES)
def test_each_weight_has_its_values(keras: str, name: str, ending: str, tmp_path: Path) -> None:
    model = model_of(keras, name)
    path = saved(model, tmp_path / f"m{ending}")
    network = trace_model(read(path))
    with open_weights(path) as stored:
        assert stored is not None
        matched = match(network, stored)
        assert matched.rest == ()
        assert matched.notes == ()
        seen = 0
        opaque = {layer.path for layer in matched.opaque}
        for where in dict.fromkeys(_owner(one.owner.path, opaque) for one in matched.weights):
            weights = matched.of_layer("/".join(where))
            ours = matched.values("/".join(where))
            theirs = layer_at(model, where).weights
            assert len(ours) == len(theirs), where
            seen += len(theirs)
            if all(one.weight is not None for one in weights):
                for one, a, b in zip(weights, ours, theirs, strict=True):
                    assert same(a, b), (where, one)
                    assert one.weight is not None
                    trained = one.weight.attrs["trainable"] and not one.owner.frozen
                    assert trained == any(b is variable for variable in model.trainable_weights), (where, one)
            else:  # no formula: the file's order
                left = [numbers(b) for b in theirs]
                for a in ours:
                    fitting = [i for i, b in enumerate(left) if np.array_equal(numbers(a), b)]
                    assert fitting, where
                    del left[fitting[0]]
        assert seen == len(model.weights)


@pytest.mark.parametrize(("keras", "name", "ending"), CASES)
def test_totals_and_expressions(keras: str, name: str, ending: str, tmp_path: Path) -> None:
    model = model_of(keras, name)
    path = saved(model, tmp_path / f"m{ending}")
    table = list_weights(path)
    assert table.totals.params == model.count_params()
    assert table.totals.bytes == sum(
        int(np.prod(w.shape)) * {"float16": 2, "bfloat16": 2, "int64": 8}.get(_dtype(w), 4) for w in model.weights
    )
    if table.totals.trainable is not None:
        assert table.totals.trainable == sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert {row.role for row in table.state} <= {"optimizer", "metric", "beside"}
    reached = 0
    with open_weights(path) as stored:
        assert stored is not None
        tensors = {tensor.path: tensor for tensor in stored.tensors}
        for row in table.weights:
            if row.reach is not None and row.path is not None:
                variable = eval(row.reach, {"model": model})  # our own expression, over a live model
                assert same(stored.read(tensors[row.path]), variable), row
                reached += 1
    assert reached >= (len(table.weights) if name in ("convolutions", "nested", "plain") else 2)


def _dtype(variable: Any) -> str:
    dtype = variable.dtype
    return dtype if isinstance(dtype, str) else str(dtype.name)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("keras", KERAS)
def test_weights_alone(keras: str, name: str, tmp_path: Path) -> None:
    """`.weights.h5` without an architecture: the same arrays and total, layers by name where the file has them."""
    model = model_of(keras, name)
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    whole = list_weights(saved(model, tmp_path / "m.keras"))
    alone = list_weights(path)
    assert alone.totals.params == model.count_params()
    assert {row.path for row in whole.weights} <= {row.path for row in alone.weights}
    assert all(row.reach is None and row.trainable is None for row in alone.weights)
    if keras == "keras":
        names = {row.path: row.layer for row in whole.weights}
        assert all(row.layer == names[row.path] for row in alone.weights if row.path in names)


def test_legacy_weights_alone(tmp_path: Path) -> None:
    model = model_of("tf_keras", "convolutions")
    path = tmp_path / "weights.h5"
    model.save_weights(path)
    table = list_weights(path)
    assert (table.format, table.model_name) == ("h5-weights", None)
    assert table.totals.params == model.count_params()
    assert [row.layer for row in table.weights][:2] == ["zz", "zz"]


def test_shards(tmp_path: Path) -> None:
    model = model_of("keras", "convolutions")
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=0.000003)
    assert len(list(tmp_path.glob("m_*.weights.h5"))) > 1
    table = list_weights(tmp_path / "m.weights.json", stats=True)
    assert table.totals.params == model.count_params()
    assert all(row.statistics is not None for row in table.weights)


def test_a_subclassed_model(tmp_path: Path) -> None:
    K = module("keras")

    class Sub(K.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.before = K.layers.LSTM(3)
            self.z = K.layers.Dense(2, name="last_one")

        def call(self, x: Any) -> Any:
            return self.z(self.before(x))

    model = Sub()
    model(np.zeros((1, 4, 5), "float32"))
    filled(model)
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4, 5)), np.ones((2, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    table = list_weights(tmp_path / "m.keras")
    assert table.totals.params == model.count_params()
    assert {row.role for row in table.state} == {"optimizer"}
    assert {row.layer for row in table.weights} == {"lstm", "last_one"}
    with open_weights(tmp_path / "m.keras") as stored:
        assert stored is not None
        tensors = {tensor.path: tensor for tensor in stored.tensors}
        for row in table.weights:
            assert row.reach is not None
            assert same(stored.read(tensors[str(row.path)]), eval(row.reach, {"model": model}))


def test_another_shape_than_the_formula_has_is_told(tmp_path: Path) -> None:
    """The file's weights are those of another model: the note has both shapes, and no values are given out."""
    K = module("keras")
    K.backend.clear_session()

    def dense(units: int, name: str) -> Path:
        model = K.Sequential([K.layers.Input((3,)), K.layers.Dense(units, name="d"), K.layers.Dense(2, name="e")])
        model.save(tmp_path / name)
        return tmp_path / name

    mixed = zipfile.ZipFile(tmp_path / "c.keras", "w")
    with zipfile.ZipFile(dense(5, "a.keras")) as a, zipfile.ZipFile(dense(4, "b.keras")) as b, mixed as c:
        c.writestr("config.json", a.read("config.json"))
        c.writestr("model.weights.h5", b.read("model.weights.h5"))
    table = list_weights(tmp_path / "c.keras")
    assert [(note.code, note.layer, note.message) for note in table.notes] == [
        ("weight-shape", "d", "kernel is stored as (3, 4); by its formula it is (3, 5)"),
        ("weight-shape", "d", "bias is stored as (4,); by its formula it is (5,)"),
        ("weight-shape", "e", "kernel is stored as (4, 2); by its formula it is (5, 2)"),
    ]
    with open_weights(tmp_path / "c.keras") as stored:
        matched = match(trace_model(read(tmp_path / "c.keras")), stored)
        with pytest.raises(SourceError, match=r"stores the weight 'kernel' of the layer 'd' as \(3, 4\)"):
            matched.values("d")
