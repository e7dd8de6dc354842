"""The gradient of a definition, and an evaluation that is precise enough for differences."""

import pytest

from layerexplain.derive.evaluate import Evaluation
from layerexplain.derive.gradient.backward import Gradient, gradient
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive

np = pytest.importorskip("numpy")
STEP = 1e-6


class Doubled(Evaluation):
    """An evaluation in float64, that of weights stored in float32 as well."""

    def dtype(self, name: str) -> str | None:
        return "float64" if name == "float32" else super().dtype(name)


def derived(definition: Definition) -> Gradient | str:
    """The gradient, or the reason why there is none yet."""
    try:
        return gradient(definition)
    except CannotDerive as why:
        return str(why)
