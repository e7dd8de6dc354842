"""The values with which weights begin: the initializers of Keras in NumPy, and which of them a weight has.

Reference: keras/src/initializers/random_initializers.py and constant_initializers.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer, TrainingSetting
from layerexplain.network.scope import declaration_of
from layerexplain.records import NamedTuple
from layerexplain.report.default_initializers import scaled_variance, usual_initializer
from layerexplain.report.objective import holder_of, settings_of
from layerexplain.report.settings import setting_of

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
            values[_forget_gate(shape[-1])] = 1
        return values


def beginning_of(layer: Layer, weight: Expr) -> Beginning | None:
    """Return how a weight of a layer, or of one that it holds, begins; None for one without an initializer of Keras,
    such as the scales of quantization."""
    name = str(weight.attrs["name"])
    owner = holder_of(layer, weight)
    default = usual_initializer(owner.type, name)
    given = next((one.value for one in settings_of(layer, "initializer") if one.is_for(weight)), None)
    if given is None and name == "reverse_embeddings":  # begins as the table
        given = owner.config.get("embeddings_initializer")
    setting = setting_of(given)
    if setting is None or setting.name not in _VALUES:
        if default is None:
            return None
        found = Beginning(default, "" if setting is None else setting.name)
    else:
        found = Beginning(setting)
    forgets = name == "bias" and _has_forget_bias(owner) and owner.config.get("unit_forget_bias", True) is not False
    return found._replace(forgets=forgets)


def _has_forget_bias(owner: Layer) -> bool:
    declaration = declaration_of(owner)
    return declaration is not None and "unit_forget_bias" in declaration.ignores


def _forget_gate(size: int) -> slice:
    """Return where the biases of the forget gate are among those of the gates i, f, c and o."""
    return slice(size // 4, size // 2)


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
    rng: Any,
    shape: tuple[int, ...],
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
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
