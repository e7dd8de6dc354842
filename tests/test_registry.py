"""Every layer class that the installed Keras exports has a declaration, or is opaque for a reason that is given."""

from __future__ import annotations

import inspect

import pytest

from layerexplain.layers.opaque_layers import REASONS
from layerexplain.layers.registry import find
from tests.registry import BY_THE_WALK, KERAS_VERSION, coverage_rows, keras_layers


def test_no_class_is_both_declared_and_opaque() -> None:
    assert not [name for name in REASONS if find(name) is not None]
    assert all(reason and not reason.endswith(".") for reason in REASONS.values())


def test_each_listed_class_has_a_formula_or_a_reason() -> None:
    known = {name for name in keras_layers() if find(name) is not None}
    assert set(keras_layers()) - known == {*REASONS, *BY_THE_WALK}


def test_most_are_evaluated_at_inference() -> None:
    rows = coverage_rows()
    evaluated = [row.name for row in rows if row.evaluated]
    assert len(evaluated) >= 110
    identity = {row.name for row in rows if row.identity}
    assert {"Dropout", "GaussianNoise", "Identity", "RandomFlip", "MixUp", "Equalization"} <= identity
    assert not identity & {"AutoContrast", "RandomCrop", "Masking", "UnitNormalization", "Pipeline"}
    assert all(row.why for row in rows if not row.evaluated)


@pytest.mark.keras
def test_the_installed_keras_has_no_other_class() -> None:
    import keras

    exported: dict[type, list[str]] = {}
    for name in dir(keras.layers):
        found = getattr(keras.layers, name)
        if inspect.isclass(found) and issubclass(found, keras.Layer):
            exported.setdefault(found, []).append(name)
    for names in exported.values():
        assert all(find(name) is not None or name in REASONS or name in BY_THE_WALK for name in names), names
    # A file holds the name of the class, which may be another one than that of its export.
    for found in exported:
        name = found.__name__
        assert find(name) is not None or name in REASONS or name in BY_THE_WALK, name
    if keras.__version__ == KERAS_VERSION:
        assert len(exported) == len(keras_layers()) == 143
        assert {name for names in exported.values() for name in names} >= set(keras_layers())
