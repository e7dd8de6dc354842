"""The libraries that are read."""

from layerexplain.frontends.code.library import builtins, einops, numpy, python, small, torch_data
from layerexplain.frontends.code.library.keras_framework import Keras
from layerexplain.frontends.code.library.table import FrameworkLibrary
from layerexplain.frontends.code.library.torch_framework import PyTorch
from layerexplain.frontends.code.machine.interpreter import Libraries

FRAMEWORKS = (Keras,)
"""The libraries that models are made with; the first one is meant where nothing says which."""
_LIBRARIES = (
    builtins.LIBRARY,
    python.LIBRARY,
    numpy.LIBRARY,
    small.LIBRARY,
    torch_data.LIBRARY,
    einops.LIBRARY,
    *[FrameworkLibrary(*one.roots) for one in FRAMEWORKS],
)
LIBRARIES = {root: one for one in _LIBRARIES for root in one.roots}
"""The libraries by the first parts of their names."""


def libraries() -> Libraries:
    """Return the libraries as an interpreter takes them."""
    return Libraries(LIBRARIES, FRAMEWORKS, PyTorch)
