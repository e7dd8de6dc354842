"""Which stored array is which of the wanted weights, by order; and kernels that older Keras stored in another order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.visit import nodes
from layerexplain.records import NamedTuple, grouped

# Assign -------------------------------------------------------------------------------------------------------------

Sizes = tuple[int, ...]

_OLD_NAMES = {
    "W": "kernel", "U": "recurrent_kernel", "b": "bias", "depthwise_kernel": "kernel",
    "running_mean": "moving_mean", "running_std": "moving_variance", "gammas": "gamma", "betas": "beta",
}  # fmt: skip
_OLD_NAME = re.compile(r"_(W|U|b|gamma|beta|running_mean|running_std|alphas?|embeddings)$")


class FormulaWeight(NamedTuple):
    """A weight that a formula has: the names that lead to it, its shape, and whether it is trained."""

    weight: Expr
    names: tuple[str, ...]
    shape: Sizes
    trainable: bool

    @property
    def merged(self) -> bool:
        """Whether Keras merges its values into the kernel when it saves: LoRA's two factors."""
        return self.names[-1].startswith("lora_")


def assign_by_number(wanted: Sequence[FormulaWeight], stored: Sequence[Sizes]) -> list[int | None] | None:
    """Return for each weight of one object the number of its array (None: it has none); None if the arrays do not fit.

    Keras numbers the trained variables of an object first, and those of quantized layers by a list of its own. An
    object may hold more, such as a variable of another one (SpectralNormalization the kernel that it normalises), or
    lack one.
    """
    order = stored_order(wanted)
    shapes = [wanted[i].shape for i in order]
    # Where the count fits and a shape does not, that is a disagreement to report, not a reason to look elsewhere.
    if len(shapes) <= len(stored):
        places = list(range(len(stored))) if len(shapes) == len(stored) else only_embedding(shapes, stored)
        result = None if places is None else dict(zip(order, places, strict=True))
    else:
        back = only_embedding(stored, shapes)
        result = None if back is None else {order[i]: number for number, i in enumerate(back)}
    return None if result is None else [result.get(i) for i in range(len(wanted))]


def stored_order(wanted: Sequence[FormulaWeight]) -> list[int]:
    """Return the numbers of an object's weights in the order in which it stores them; merged ones are left out."""
    numbers = [i for i, w in enumerate(wanted) if not w.merged]
    names = {wanted[i].names[-1] for i in numbers}
    # A kernel that LoRA has frozen keeps its place, too.
    compressed = any(name.endswith("_scale") for name in names) or len(numbers) < len(wanted)
    if compressed and names & {"kernel", "embeddings"}:
        first = {"kernel": 0, "embeddings": 0, "bias": 1}
        return sorted(numbers, key=lambda i: first.get(wanted[i].names[-1], 2))
    return sorted(numbers, key=lambda i: not wanted[i].weight.attrs["trainable"])


def only_embedding(few: Sequence[Sizes], many: Sequence[Sizes]) -> list[int] | None:
    """Return the only way to find `few` in `many`, in order; None if there is no way or several."""
    first, last = _greedy(few, many), _greedy(few[::-1], many[::-1])
    return first if first == [len(many) - 1 - i for i in reversed(last)] else None


def _greedy(few: Sequence[Sizes], many: Sequence[Sizes]) -> list[int]:
    """Return the first place of each in turn; -1, which is no place from the other end, where there is none."""
    places = enumerate(many)
    return [next((i for i, other in places if other == shape), -1) for shape in few]


def assign_listed(
    wanted: Sequence[FormulaWeight], stored: Sequence[StoredTensor], *, strict: bool = True
) -> list[int | None] | None:
    """Return the same for a legacy list, which has trained weights first and names; `strict` without other arrays in
    it.

    Order and names together decide, then names, then the order alone; None if none of them fits.
    """
    own = [i for i, w in enumerate(wanted) if not w.merged]
    order = sorted(own, key=lambda i: not wanted[i].trainable)
    in_order = {i: number for number, i in enumerate(order)} if len(order) == len(stored) else None
    chosen = in_order
    if in_order is None or not all(_alike(wanted[i], stored[number]) for i, number in in_order.items()):
        by_name = _by_names(wanted, own, stored)
        if by_name is not None and (len(by_name) == len(stored) or not strict):
            chosen = by_name
    return None if chosen is None else [chosen.get(i) for i in range(len(wanted))]


def _alike(wanted: FormulaWeight, stored: StoredTensor) -> bool:
    return wanted.shape == stored.shape and _canon(wanted.names[-1]) == _canon(stored.parts[-1])


def _by_names(
    wanted: Sequence[FormulaWeight], own: Sequence[int], stored: Sequence[StoredTensor]
) -> dict[int, int] | None:
    """Return each weight's array by name and shape, the longest agreement of names first; None if one has none."""
    free = grouped(((_canon(tensor.parts[-1]), tensor.shape), number) for number, tensor in enumerate(stored))
    results: dict[int, int] = {}
    for i in own:
        fitting = free.get((_canon(wanted[i].names[-1]), wanted[i].shape))
        if not fitting:
            return None
        best = max(fitting, key=lambda number: (_agreement(wanted[i].names, stored[number].parts), -number))
        results[i] = best
        fitting.remove(best)
    return results


def _agreement(names: Sequence[str], parts: Sequence[str]) -> int:
    """Return how many of the names that lead to a weight lead to the array, from the last on."""
    pairs = zip(reversed(names[:-1]), reversed(parts[:-1]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _canon(name: str) -> str:
    """Return a variable's name as Keras 3 has it: `convolution2d_1_W` → `kernel`."""
    old = _OLD_NAME.search(name)
    short = old[1] if old is not None else name
    return _OLD_NAMES.get(short, short)


# Old kernels --------------------------------------------------------------------------------------------------------
# Kernels in another order: those of convolutions as Keras 1 and Theano stored them, with other axes and turned by
# 180 degrees, and those of CuDNNLSTM and CuDNNGRU.

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
    results = list(values)
    for first, gates in cudnn_places(definition):
        import numpy as np

        kernel, recurrent = (np.split(results[first + i], gates, axis=1) for i in range(2))
        # Of each gate: the same numbers read as (units, inputs), transposed.
        turned = [part.reshape(part.shape[::-1]).T for part in kernel]
        results[first] = np.concatenate(turned, axis=1)
        results[first + 1] = np.concatenate([part.T for part in recurrent], axis=1)
    return results


def cudnn_places(definition: Definition) -> list[tuple[int, int]]:
    """Return where the kernel, the recurrent kernel and the bias of a layer of cuDNN begin among the weights of a
    definition, and how many gates it has: its bias, unlike any other, is one row of two for each gate."""
    shapes = [tuple(weight.shape) for weight in definition.weights]
    names = [weight.attrs["name"] for weight in definition.weights]
    return [
        (first, shapes[first][1] // shapes[first + 1][0])
        for first in range(len(shapes) - 2)
        if names[first : first + 3] == ["kernel", "recurrent_kernel", "bias"]
        and len(shapes[first + 1]) == 2
        and shapes[first + 2] == (2 * shapes[first + 1][1],)
    ]
