"""Every class of operation of the installed Keras has a declaration, or is opaque for a reason that is given."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import layerexplain
from layerexplain.layers.keras.opaque_layers import OPERATIONS as REASONS
from layerexplain.layers.registry import find
from tests.support.frameworks import keras
from tests.support.operation_rows import KERAS_ROWS
from tests.support.operation_rows_images import IMAGE_ROWS
from tests.support.operation_rows_numbers import NUMBER_ROWS
from tests.support.registry import KERAS_VERSION, keras_operations


def test_no_class_is_both_declared_and_opaque() -> None:
    assert not [name for name in REASONS if find(f"ops.{name}") is not None]
    assert all(reason and not reason.endswith(".") for reason in REASONS.values())


def test_each_listed_class_has_a_formula_or_a_reason() -> None:
    names = set(keras_operations())
    declared = {name for name in names if find(f"ops.{name}") is not None}
    assert names - declared == {name for name in REASONS if "." not in name}
    assert len(declared) >= 300


@pytest.mark.keras
def test_the_installed_keras_has_no_other_class() -> None:
    import keras.src.ops as package
    from keras.src.ops.operation import Operation

    found: set[str] = set()
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.endswith("_test"):
            loaded = importlib.import_module(f"keras.src.ops.{module.name}")
            found |= {
                name
                for name, value in vars(loaded).items()
                if inspect.isclass(value) and issubclass(value, Operation) and value.__module__ == loaded.__name__
            }
    unknown = {name for name in found if find(f"ops.{name}") is None and name not in REASONS}
    assert not unknown
    if keras.__version__ == KERAS_VERSION:
        assert found == set(keras_operations())


@pytest.mark.keras
def test_each_formula_is_held_against_keras() -> None:
    """Each declaration stands in a row of the tables that test_operations.py runs, under one of its names."""
    used: set[str] = set()
    for row in [*KERAS_ROWS, *NUMBER_ROWS, *IMAGE_ROWS]:
        size = None if row.batched else 3
        inputs = [keras.Input(s, dtype=d, batch_size=size) for s, d in zip(row.shapes, row.input_dtypes, strict=True)]
        outputs = row.function(*inputs)
        model = keras.Model(inputs, list(outputs) if isinstance(outputs, list | tuple) else [outputs])
        used |= {type(operation).__name__ for operation in model.operations}
    functions = {found.formula for name in used if (found := find(f"ops.{name}")) is not None}
    declared = {name: found for name in keras_operations() if (found := find(f"ops.{name}")) is not None}
    apart = {name for name, found in declared.items() if found.formula not in functions}
    assert apart == {"Sparsemax"}  # Keras's is wrong: test_functions.py holds ours against the paper's


@pytest.mark.keras
def test_an_operation_without_a_formula_says_why(tmp_path: Path) -> None:
    x = keras.Input((5, 5))
    values, vectors = keras.ops.eig(x)
    path = tmp_path / "eig.json"
    path.write_text(keras.Model(x, [values, vectors]).to_json(), "utf-8")
    report = layerexplain.explain(layerexplain.read(path))
    (note,) = report.notes
    assert note.message.startswith(
        "Eig has no formula: the order of its eigenvalues and the scale of its eigenvectors are not defined"
    )
