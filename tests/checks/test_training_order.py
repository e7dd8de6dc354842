"""`trainable` that is changed without a new compile(): a finding exactly where real Keras trains against it."""

import importlib
import sys
from typing import Any

import pytest

import layerexplain

BEGIN = """
import numpy as np
import KERAS as keras
X = np.ones((11, 5), "float32")
y = np.ones((11, 1), "float32")
inner = keras.Sequential([keras.layers.Dense(3, name="a")], name="inner")
model = keras.Sequential([keras.Input((5,)), inner, keras.layers.Dense(1, name="b")])
a = inner.layers[0]
"""
COMPILE, FIT, FREEZE, THAW = "model.compile('sgd', 'mse')", "model.fit(X, y, verbose=0)", "a.trainable = False", (
    "a.trainable = True"
)  # fmt: skip
PROGRAMS: dict[str, list[str]] = {
    "frozen before compile": [FREEZE, COMPILE, FIT],
    "frozen between compile and the first fit": [COMPILE, FREEZE, FIT],
    "frozen after fit": [COMPILE, FIT, FREEZE, FIT],
    "frozen after fit, and compiled": [COMPILE, FIT, FREEZE, COMPILE, FIT],
    "thawed after fit": [FREEZE, COMPILE, FIT, THAW, FIT],
    "the model around it is frozen after fit": [COMPILE, FIT, "inner.trainable = False", FIT],
    "frozen and thawed again": [COMPILE, FIT, FREEZE, THAW, FIT],
    "frozen after the last fit": [COMPILE, FIT, FREEZE],
    "one batch, then frozen": [COMPILE, "model.train_on_batch(X, y)", FREEZE, FIT],
}
WRONG = {
    "keras": {
        "frozen after fit": "a.trainable = False after the first fit(), and no compile() before fit() (line 12): it is "
        "trained all the same",
        "thawed after fit": "a.trainable = True after the first fit(), and no compile() before fit() (line 13): it stays "
        "frozen",
        "the model around it is frozen after fit": "inner.trainable = False after the first fit()",
    },
    "tf_keras": {
        "frozen between compile and the first fit": "a.trainable = False after compile(), and no compile() before fit() "
        "(line 11): it is trained all the same",
        "frozen after fit": "a.trainable = False after compile()",
        "thawed after fit": "a.trainable = True after compile()",
        "the model around it is frozen after fit": "inner.trainable = False after compile()",
        "one batch, then frozen": "a.trainable = False after compile()",
    },
}


def text(name: str, library: str) -> str:
    return BEGIN.replace("KERAS", library) + "\n".join(PROGRAMS[name]) + "\n"


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("library", WRONG)
def test_what_is_found(name: str, library: str) -> None:
    found = [one for one in layerexplain.check(text(name, library).encode()) if one.code == "trainable-after-compile"]
    assert len(found) == (name in WRONG[library])
    for one in found:
        assert one.severity == "wrong" and WRONG[library][name] in one.message


@pytest.mark.keras
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("library", WRONG)
def test_real_keras_trains_against_trainable_exactly_there(name: str, library: str) -> None:
    pytest.importorskip(library)
    importlib.import_module(library)
    assert library in sys.modules
    *before, last = PROGRAMS[name]
    scope: dict[str, Any] = {}
    exec(BEGIN.replace("KERAS", library) + "\n".join(before), scope)
    old = scope["a"].get_weights()[0].copy()
    exec(last, scope)
    moved = bool((old != scope["a"].get_weights()[0]).any())
    trains = bool(scope["a"].trainable) and last == FIT
    assert (moved != trains) == (name in WRONG[library])
