"""Weights as a page has them: in half precision where that changes what the model gives by too little to be seen."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from layerexplain.derive.cost import Costs
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.network.traced import Network
from layerexplain.run.activations import ModelRun
from layerexplain.run.initializers import draw_inputs
from layerexplain.run.weight_source import Origin, WeightSource

MOST_CHANGE = 2e-3
"""By so much of its largest value may rounded weights change an output, as docs/page.md promises."""

EXAMPLES = 4
TRIED_MACS = 100_000_000
"""So many examples are tried, fewer of a model that costs more."""

MOST_MACS = 1_000_000_000
"""More would take long to try: the weights of such a model stay as they are."""

_LARGEST_HALF = 60_000.0


def packed_weights(arrays: Sequence[Any], precision: str) -> tuple[list[Any], str]:
    """Return arrays as one text: a table with the shape of each and whether it is in half precision, and all numbers in
    base64 after zlib.

    In front stand all float32 numbers, then those in half precision; of each kind first all lowest bytes, then the
    next, as alike bytes beside each other compress better. With the precision "half" an array is in float32 only where
    half precision would change a number by more than its rounding: a large one, or one near 0 among few.
    """
    import numpy as np

    table: list[Any] = []
    parts: dict[str, list[Any]] = {"<f4": [], "<f2": []}
    for array in arrays:
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(array, dtype=np.float32)
        half = precision == "half" and _fits_half(values)
        table.append([list(values.shape), int(half)])
        parts["<f2" if half else "<f4"].append(values.ravel())
    planes = []
    for dtype, own in parts.items():
        joined = np.concatenate([np.zeros(0, np.float32), *own]).astype(dtype)
        planes.append(joined.view(np.uint8).reshape(-1, joined.itemsize).T.tobytes())
    return table, b64encode(zlib.compress(b"".join(planes), 9)).decode()


def _fits_half(values: Any) -> bool:
    import numpy as np

    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > _LARGEST_HALF:
        return False
    if values.ndim > 1:
        return True
    errors = np.abs(values - values.astype(np.float16).astype(np.float32))
    return bool((errors <= 2.0**-11 * np.abs(values)).all())


def keeps_outputs(network: Network, weights: WeightSource, given: Sequence[Any]) -> bool:
    """Return whether a model with weights in half precision gives what it gives with whole ones: measured on the first
    examples of the `given` inputs, or on drawn ones where these are none or all 0, at all outputs that are floats."""
    import numpy as np

    costs = Costs()
    definitions = [call.definition for call in network.calls if call.definition is not None]
    macs = sum([costs.cost_of(one).macs or 0 for one in definitions])
    if macs > MOST_MACS:
        return False
    count = max(1, min(EXAMPLES, TRIED_MACS // max(macs, 1)))
    try:
        inputs = [one[:count] for one in given]
        if not any([one.any() for one in inputs]):
            inputs = draw_inputs(network, np.random.default_rng(0), count)
        whole, rounded = (_outputs(network, source, inputs) for source in (weights, _Rounded(weights)))
    except (LayerExplainError, ValueError):
        return False
    changes = [_change(*pair) for pair in zip(whole, rounded, strict=True) if pair[0] is not None]
    return bool(changes) and max(changes) <= MOST_CHANGE


class _Rounded:
    """Weights as a page has them in half precision."""

    def __init__(self, source: WeightSource) -> None:
        self.source = source
        self.origin: Origin = source.origin
        self.notes = source.notes

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        arrays = self.source.arrays_of(path, definition)
        return [one.astype("float16").astype(one.dtype) if _fits_half(one) else one for one in arrays]


def _outputs(network: Network, weights: WeightSource, inputs: Sequence[Any]) -> list[Any]:
    run = ModelRun(network, weights, 0)
    for _ in run.run(inputs):
        pass
    return run.outputs


def _change(whole: Any, rounded: Any) -> float:
    """Return by how much an output changes, as a part of its largest value in each example; of whole numbers nothing is
    said."""
    import numpy as np

    if whole.dtype.kind != "f" or not whole.size:
        return 0.0
    a, b = (np.nan_to_num(one.reshape(len(one), -1).astype("float64"), posinf=0, neginf=0) for one in (whole, rounded))
    largest = np.abs(a).max(1)
    changes = np.abs(a - b).max(1)
    return float((changes / np.where(largest > 0, largest, 1)).max())
