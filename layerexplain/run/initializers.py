"""The values with which weights begin: the initializers of Keras in NumPy, and which of them a weight has.

Reference: keras/src/initializers/random_initializers.py and constant_initializers.py.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.axes import Batch, Shape
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer, TensorRef, TrainingSetting
from layerexplain.network.definitions import whole_numbers
from layerexplain.network.scope import declaration_of
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.report.objective import holder_of, settings_of
from layerexplain.report.settings import scaled_variance, setting_of, usual_initializer

# Initializers -------------------------------------------------------------------------------------------------------

_MOST_ORTHOGONAL = 2048
"""Rows or columns up to which values are made orthogonal; the work grows with the third power of their number."""


class Beginning(NamedTuple):
    """How a weight begins: by which initializer, and with what in place of one that is `unknown`. `forgets` says that
    it is the bias of an LSTM, whose forget gate begins at 1."""

    setting: TrainingSetting
    unknown: str = ""
    forgets: bool = False

    def values(self, shape: tuple[int, ...], rng: Any) -> Any:
        """Return the values of a weight of a shape. Raises ArgumentError where the initializer has none for it."""
        try:
            values = _VALUES[self.setting.name](rng, shape, **_arguments(self.setting))
        except (TypeError, ValueError):
            sizes = " × ".join(map(str, shape)) or "one number"
            given = "".join(f" with {name}={value!r}" for name, value in self.setting.config.items())
            raise ArgumentError(f"{self.setting.name}{given} cannot initialize a weight of {sizes}") from None
        if self.forgets:
            values[shape[-1] // 4 : shape[-1] // 2] = 1  # of the gates i, f, c and o
        return values


def beginning_of(layer: Layer, weight: Expr) -> Beginning | None:
    """Return how a weight of a layer, or of one that it holds, begins; None for one without an initializer of Keras,
    such as the scales of quantization."""
    name = str(weight.attrs["name"])
    owner = holder_of(layer, weight)
    default = usual_initializer(owner.type, name)
    given = next((term.value for term in settings_of(layer, "initializer") if term.is_for(weight)), None)
    if given is None and name == "reverse_embeddings":  # begins as the table
        given = owner.config.get("embeddings_initializer")
    setting = setting_of(given)
    if setting is None or setting.name not in _VALUES:
        if default is None:
            return None
        beginning = Beginning(default, "" if setting is None else setting.name)
    else:
        beginning = Beginning(setting)
    forgets = name == "bias" and _has_forget_bias(owner) and owner.config.get("unit_forget_bias", True) is not False
    return beginning._replace(forgets=forgets)


def _has_forget_bias(owner: Layer) -> bool:
    declaration = declaration_of(owner)
    return declaration is not None and "unit_forget_bias" in declaration.ignores


def _arguments(setting: TrainingSetting) -> dict[str, Any]:
    return {name: value for name, value in setting.config.items() if name != "seed"}


# The initializers ---------------------------------------------------------------------------------------------------


def _constant(rng: Any, shape: tuple[int, ...], value: Any = 0.0) -> Any:
    import numpy as np

    return np.broadcast_to(np.asarray(value, "float64"), shape).copy()


def _uniform(rng: Any, shape: tuple[int, ...], minval: float = -0.05, maxval: float = 0.05) -> Any:
    return rng.uniform(minval, maxval, shape)


def _normal(rng: Any, shape: tuple[int, ...], mean: float = 0.0, stddev: float = 0.05) -> Any:
    return rng.normal(mean, stddev, shape)


def _truncated_normal(rng: Any, shape: tuple[int, ...], mean: float = 0.0, stddev: float = 0.05) -> Any:
    """Draw from a normal distribution; values beyond two deviations are drawn again."""
    import numpy as np

    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return mean + stddev * values


_TRUNCATED = 0.87962566103423978
"""The deviation of a standard normal distribution that is cut off at 2."""


def _scaled(
    rng: Any, shape: tuple[int, ...], scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
) -> Any:
    variance = scaled_variance(shape, scale, mode)
    if distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return _uniform(rng, shape, -limit, limit)
    if distribution == "untruncated_normal":
        return _normal(rng, shape, 0.0, math.sqrt(variance))
    return _truncated_normal(rng, shape, 0.0, math.sqrt(variance) / _TRUNCATED)


def _of_scale(scale: float, mode: str, distribution: str) -> Callable[..., Any]:
    return lambda rng, shape: _scaled(rng, shape, scale, mode, distribution)


def _orthogonal(rng: Any, shape: tuple[int, ...], gain: float = 1.0) -> Any:
    """Draw orthogonal rows or columns, whichever are fewer; very many ones are normal of the same variance."""
    import numpy as np

    rows, columns = math.prod(shape[:-1]), shape[-1]
    most, least = max(rows, columns), min(rows, columns)
    if least > _MOST_ORTHOGONAL:
        return _normal(rng, shape, 0.0, gain / math.sqrt(most))
    q, r = np.linalg.qr(rng.standard_normal((most, least)))
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T).reshape(shape)


def _identity(rng: Any, shape: tuple[int, ...], gain: float = 1.0) -> Any:
    import numpy as np

    rows, columns = shape  # of another shape Keras refuses it, too
    return gain * np.eye(rows, columns)


_VALUES: Mapping[str, Callable[..., Any]] = {
    "Zeros": lambda rng, shape: _constant(rng, shape, 0.0),
    "Ones": lambda rng, shape: _constant(rng, shape, 1.0),
    "Constant": _constant,
    "Identity": _identity,
    "Orthogonal": _orthogonal,
    "RandomUniform": _uniform,
    "RandomNormal": _normal,
    "TruncatedNormal": _truncated_normal,
    "VarianceScaling": _scaled,
    "GlorotUniform": _of_scale(1.0, "fan_avg", "uniform"),
    "GlorotNormal": _of_scale(1.0, "fan_avg", "truncated_normal"),
    "HeUniform": _of_scale(2.0, "fan_in", "uniform"),
    "HeNormal": _of_scale(2.0, "fan_in", "truncated_normal"),
    "LecunUniform": _of_scale(1.0, "fan_in", "uniform"),
    "LecunNormal": _of_scale(1.0, "fan_in", "truncated_normal"),
}


# Drawn --------------------------------------------------------------------------------------------------------------
# Drawn weights and inputs: no weight is zero, variances are positive, and inputs fit the model.


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
