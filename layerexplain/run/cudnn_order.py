"""The kernels of CuDNNLSTM and CuDNNGRU: Keras 2 hands their numbers to cuDNN in the order in which they lie, and cuDNN
takes rows for columns. Formulas have kernels as all other layers do.

Source: _convert_rnn_weights in Keras 2 (keras/saving/legacy/hdf5_format.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.lang.definition import Definition


def in_keras_order(values: Sequence[Any], definition: Definition) -> list[Any]:
    """Return the weights of a layer with those that are in cuDNN's order as formulas have them; shapes stay."""
    found = list(values)
    for first, gates in cudnn_places(definition):
        import numpy as np

        kernel, recurrent = (np.split(found[first + i], gates, axis=1) for i in range(2))
        # Of each gate: the same numbers read as (units, inputs), transposed.
        turned = [part.reshape(part.shape[::-1]).T for part in kernel]
        found[first] = np.concatenate(turned, axis=1)
        found[first + 1] = np.concatenate([part.T for part in recurrent], axis=1)
    return found


def cudnn_places(definition: Definition) -> list[tuple[int, int]]:
    """Return where the kernel, the recurrent kernel and the bias of a layer of cuDNN begin among the weights of a
    definition, and how many gates it has: its bias, unlike any other, is one row of two for each gate."""
    shapes = [tuple(one.shape) for one in definition.weights]
    names = [one.attrs["name"] for one in definition.weights]
    return [
        (first, shapes[first][1] // shapes[first + 1][0])
        for first in range(len(shapes) - 2)
        if names[first : first + 3] == ["kernel", "recurrent_kernel", "bias"]
        and len(shapes[first + 1]) == 2
        and shapes[first + 2] == (2 * shapes[first + 1][1],)
    ]
