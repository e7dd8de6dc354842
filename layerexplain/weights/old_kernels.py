"""Kernels in another order: those of convolutions as Keras 1 and Theano stored them, with other axes and turned by 180
degrees, and those of CuDNNLSTM and CuDNNGRU.

Sources: preprocess_weights_for_loading in Keras 2.1.6 (keras/engine/topology.py); _convert_rnn_weights in Keras 2
(keras/saving/legacy/hdf5_format.py). Keras 2 hands the numbers of kernels to cuDNN in the order in which they lie, and
cuDNN takes rows for columns. Formulas have kernels as all other layers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.visit import nodes

_CONVOLUTIONS = ("conv", "conv_transpose")


def is_from_keras_1(format: str, keras_version: str | None) -> bool:
    """Return whether weights were stored by Keras 0.3 or 1, which did not say so beside them."""
    return format in ("h5", "h5-weights") and (keras_version or "1").startswith(("0", "1"))


def axes_of_keras_1(definition: Definition, number: int, stored: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return, for each axis of a convolution's kernel, which axis of an array of Keras 1 it is; None for any other
    weight, and where they are in today's order. `number` is the weight's among those of the definition."""
    kind = convolution_of(definition, number)
    if kind is None:
        return None
    wanted = tuple(definition.weights[number].shape)
    places = len(wanted) - 2
    first = definition.arguments.get("data_format") == "channels_first"
    if places == 1 and len(stored) == 4:
        # As two-dimensional ones: (steps, 1, inputs, filters), or (filters, inputs, steps, 1) before 1.1.
        axes: tuple[int, ...] = (0, 2, 3) if stored[1] == 1 and stored[0] == wanted[0] else (2, 1, 0)
    elif first:
        axes = (*range(2, 2 + places), *((1, 0) if kind == "conv" else (0, 1)))
    elif kind == "conv_transpose":
        axes = (*range(places), places + 1, places)
    else:
        return None
    left = [size for axis, size in enumerate(stored) if axis not in axes]
    fits = max(axes) < len(stored) and tuple(stored[axis] for axis in axes) == wanted and set(left) <= {1}
    return axes if fits else None


def convolution_of(definition: Definition, number: int) -> str | None:
    """Return the operation whose kernel a weight is, if that is a convolution over places."""
    weight = definition.weights[number]
    if weight.attrs["name"] != "kernel" or len(weight.shape) < 3 or "data_format" not in definition.arguments:
        return None
    return next((node.op.name for node in nodes(definition) if node.op.name in _CONVOLUTIONS), None)


def in_order(values: Any, axes: tuple[int, ...]) -> Any:
    """Return an array with its axes in another order, and without those that are left out, which have size 1."""
    left = tuple([axis for axis in range(values.ndim) if axis not in axes])
    return values.transpose((*axes, *left)).reshape([values.shape[axis] for axis in axes])


def turned(kernel: Any) -> Any:
    """Return a kernel turned by 180 degrees: Theano reads its windows backwards."""
    return kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]


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
