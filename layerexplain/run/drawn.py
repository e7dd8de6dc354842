"""Drawn weights and inputs: no weight is zero, variances are positive, and inputs fit the model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from layerexplain.lang.axes import Batch, Shape
from layerexplain.model import Layer, TensorRef
from layerexplain.network.dtypes import whole_numbers
from layerexplain.network.scope import declaration_of
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple


class Wish(NamedTuple):
    """What the layers reached by an input require of its values: ids below `ids` (None: any number), some of them 0 or
    some steps equal to `masked` where a mask is created from that, one of `words` for text, and none below 0 where a
    layer casts them to whole numbers without a sign, which leaves these undefined (`unsigned`)."""

    ids: int | None = None
    masked: float | None = None
    words: tuple[str, ...] = ()
    unsigned: bool = False


# Weights ------------------------------------------------------------------------------------------------------------


def drawn_weight(path: str, shape: Sequence[int], rng: Any) -> Any:
    """Return values for a weight: magnitudes near 1 for scales and tables, near 1/√inputs for kernels; both signs."""
    name = path.rpartition("/")[2]
    value = rng.uniform(0.5, 1.5, shape)
    if "variance" in name:
        return value
    value = value * rng.choice([-1.0, 1.0], shape)
    if "bias" in name or name in ("beta", "mean", "moving_mean"):
        return value * 0.3
    if len(shape) >= 2 and "embeddings" not in name:
        fan_in = math.prod(shape[:-2]) if "depthwise" in path else math.prod(shape[:-1])
        return value / math.sqrt(max(fan_in, 1))
    return value


# Inputs -------------------------------------------------------------------------------------------------------------


IDS = 10
"""The bound of whole numbers that no layer bounds."""


def draw_inputs(network: Network, rng: Any, batch: int, positive: bool = False, ids: int = IDS) -> list[Any]:
    """Return an array for each input of a traced model. `positive` draws numbers from 0.1 to 0.9, for formulas with
    roots and logarithms; `ids` bounds whole numbers that no layer bounds."""
    arrays = []
    for ref in network.model.inputs:
        traced = network.call(ref)
        spec = None if traced is None else traced.outputs[ref.output]
        if spec is None:
            raise ValueError(f"the shape of input '{ref.layer}' is unknown")
        shape = sizes(spec.shape, batch)
        layer = network.layer(ref.layer)
        dtype = layer.config.get("dtype") or "float32"
        arrays.append(_drawn(str(dtype), shape, wish_of(network, ref), rng, positive, ids))
    return arrays


def sizes(shape: Shape, batch: int) -> tuple[int, ...]:
    """Return a shape as numbers. Raises ValueError if a size is unknown."""
    known = []
    for size in shape:
        if size is None:
            raise ValueError(f"a size of {shape} is not known")
        known.append(size.at(batch) if isinstance(size, Batch) else size)
    return tuple(known)


def _drawn(dtype: str, shape: tuple[int, ...], wish: Wish, rng: Any, positive: bool, ids: int) -> Any:
    import numpy as np

    if dtype == "string":
        return rng.choice(np.asarray([*wish.words, "layer", "by layer", ""], dtype=object), shape)
    if dtype == "bool":
        value = rng.random(shape) < 0.6
        value[..., :1] = True
        return value
    if "float" not in dtype or wish.ids is not None:
        most = wish.ids or (256 if dtype == "uint8" and ids == IDS else ids)
        numbers = rng.integers(min(1, most - 1) if ids == IDS else 0, most, shape)
        if wish.masked == 0:
            numbers = np.where(_holes(shape, rng), 0, numbers)
        return numbers.astype("float32" if "float" in dtype else dtype)
    value = rng.uniform(0.1, 0.9, shape) if positive else rng.normal(0, 1, shape)
    if wish.unsigned and not positive:
        value = rng.uniform(0, 9, shape)
    if wish.masked is not None and len(shape) > 2:
        value[_holes(shape[:2], rng)] = wish.masked
    return value.astype("float32" if dtype == "bfloat16" else dtype)


def _holes(shape: tuple[int, ...], rng: Any) -> Any:
    """Return which steps are masked: some inside, the last of the first example, never the first step."""
    holes = rng.random(shape) < 0.35
    if len(shape) > 1 and shape[-1] > 1:
        holes[0, ..., -1] = True
        holes[..., 0] = False
    return holes


def wish_of(network: Network, ref: TensorRef) -> Wish:
    """Return what the layers reached by a tensor require of its values."""
    ids: list[int] = []
    masked: list[float] = []
    words: list[str] = []
    unsigned = False
    waiting = [(network, ref)]
    seen: set[tuple[int, TensorRef]] = set()
    entered: dict[int, list[tuple[Network, TensorRef]]] = defaultdict(list)
    left: dict[int, list[int]] = defaultdict(list)
    """Of each nested model the calls that lead into it, as their first tensors, and the outputs that are reached."""
    while waiting:
        where, current = waiting.pop()
        if (id(where), current) in seen:
            continue
        seen.add((id(where), current))
        ends = [i for i, end in enumerate(where.model.outputs) if end == current]
        left[id(where)] += ends
        waiting += [(outer, first._replace(output=i)) for outer, first in entered[id(where)] for i in ends]
        for traced in where.calls:
            if current not in traced.sources:
                continue
            layer = where.layer(traced.call.layer)
            if traced.network is not None:
                inner = traced.network.model
                waiting += [
                    (traced.network, inner.inputs[i])
                    for i, source in enumerate(traced.sources)
                    if source == current and i < len(inner.inputs)
                ]
                first = TensorRef(layer.name, traced.call.index)
                entered[id(traced.network)].append((where, first))
                waiting += [(where, first._replace(output=i)) for i in left[id(traced.network)]]
                continue
            _ask(layer, ids, masked, words)
            unsigned = unsigned or whole_numbers(layer).startswith("uint")
            integral = [spec is not None and ("int" in spec.dtype or spec.dtype == "string") for spec in traced.outputs]
            if (traced.declaration is not None and traced.declaration.facts.passes_ids) or any(integral):
                outputs = range(len(traced.outputs))
                waiting += [(where, TensorRef(layer.name, traced.call.index, i)) for i in outputs]
    return Wish(min(ids) if ids else None, masked[0] if masked else None, tuple(words), unsigned)


def _ask(layer: Layer, ids: list[int], masked: list[float], words: list[str]) -> None:
    config = layer.config
    inner = config.get("layer")
    if isinstance(inner, Layer):
        _ask(inner, ids, masked, words)
    declaration = declaration_of(layer)
    bound = config.get(declaration.facts.ids_below) if declaration is not None else None
    if isinstance(bound, int):
        ids.append(bound)
        if config.get("mask_zero"):
            masked.append(0)
    if declaration is not None and "mask_value" in declaration.arguments:
        masked.append(config.get("mask_value") or 0.0)
    vocabulary = config.get("vocabulary")
    if isinstance(vocabulary, list | tuple):
        words += [word for word in vocabulary if isinstance(word, str)]
        numbers = [word for word in vocabulary if isinstance(word, int)]
        ids += [max(numbers) + 3] if numbers else []
