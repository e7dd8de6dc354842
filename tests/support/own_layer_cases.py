"""Custom layers, each with what it computes written out in NumPy, its number of parameters, and its multiply-accumulates
counted by hand."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

B = 2
"""Examples in a batch."""


class OwnCase(NamedTuple):
    """A definition below `define:`, called `Own`; `shapes` are those of its tensors without the batch.

    `longhand(w, *tensors)` gives its results, from its weights by symbol; a mask comes last where `masked`.
    """

    id: str
    text: str
    shapes: tuple[tuple[int, ...], ...]
    longhand: Callable[..., Any]
    params: int
    macs: int
    config: Mapping[str, Any] = MappingProxyType({})
    masked: bool = False
    training: bool = False


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def relu(z: Any) -> Any:
    return np.maximum(z, 0)


def softmax(z: Any, axis: int = -1) -> Any:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _glu(w: Any, x: Any) -> Any:
    z = x @ w["W"] + w["b"]
    return z[..., :3] * sigmoid(z[..., 3:])


def _highway(w: Any, x: Any) -> Any:
    t = sigmoid(x @ w["Wt"] + w["bt"])
    return t * np.tanh(x @ w["Wh"]) + (1 - t) * x


def _squeeze(w: Any, x: Any) -> Any:
    s = x.mean(axis=(1, 2))
    return x * sigmoid(relu(s @ w["down"]) @ w["up"])[:, None, None, :]


def _residual(w: Any, x: Any, c: Any = None) -> Any:
    h = relu(x @ w["W"] + (0 if c is None else c @ w["C"]))
    z = x + sigmoid(h @ w["G"]) * (h @ w["V"])
    return (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-3)


def _pooling(w: Any, x: Any) -> Any:
    share = softmax(np.tanh(x @ w["W"]) @ w["v"])
    return np.einsum("bt,btd->bd", share, x), share


def _heads(w: Any, x: Any) -> Any:
    q, k, v = (np.moveaxis((x @ w[one]).reshape(B, 5, 2, 3), 2, 1) for one in ("Q", "K", "V"))
    share = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(3))
    return np.moveaxis(share @ v, 1, 2).reshape(B, 5, 6)


def _decay(w: Any, x: Any) -> Any:
    h, found = np.zeros((B, 3)), []
    a = sigmoid(w["a"])
    for t in range(5):
        h = a * h + (1 - a) * x[:, t]
        found.append(h)
    return np.stack(found, 1), h


def _masked_mean(w: Any, x: Any, mask: Any = None) -> Any:
    m = np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    return (x * m[..., None]).sum(1) / m.sum(1)[:, None]


def _norm(w: Any, x: Any) -> Any:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * w["gain"]


HIGHWAY = """
weights: {Wt: [inputs, inputs], bt: [inputs], Wh: [inputs, inputs]}
formula: |
  t = sigmoid(dot(x, Wt) + bt)
  y = t * tanh(dot(x, Wh)) + (1 - t) * x
"""
MASKED = """
inputs: {x: [steps, channels]}
formula: |
  m = where(mask, 1.0, 0.0)[..., None] if mask else 1.0 + 0.0 * x[..., 0:1]
  y = sum(x * m, axis=1) / sum(m, axis=1)
"""
RESIDUAL = """
arguments: {units: required}
inputs: {x: [features], c: {axes: [context], optional: true}}
weights:
  W: [features, units]
  C: {axes: [context, units], when: c}
  G: [units, features]
  V: [units, features]
formula: |
  h = relu(dot(x, W) + dot(c, C) if c else dot(x, W))
  z = x + sigmoid(dot(h, G)) * dot(h, V)
  d = z - mean(z, axis=-1, keepdims=True)
  y = d / sqrt(mean(d ** 2, axis=-1, keepdims=True) + 1e-3)
"""
CHOICE = """
arguments: {units: required, use_bias: true, activation: linear, merge: sum}
weights:
  W: [inputs, units]
  b: {axes: units, when: use_bias}
formula: |
  z = dot(x, W)
  s = z + b if use_bias else z
  a = activation(s)
  y = a * 2 if merge == 'double' and not use_bias else a
"""

CASES = [
    OwnCase(
        "gate",
        """
arguments: {units: required, scale: 1.0}
weights:
  W: [inputs, units]
  b: [units]
formula: |
  z = dot(x, W) + b
  y = z * sigmoid(scale * z)
""",
        ((5,),),
        lambda w, x: (x @ w["W"] + w["b"]) * sigmoid(0.7 * (x @ w["W"] + w["b"])),
        5 * 3 + 3,
        5 * 3,
        {"units": 3, "scale": 0.7},
    ),
    OwnCase("swish", "formula: y = x * sigmoid(beta * x)\narguments: {beta: 1.5}", ((7,),), lambda w, x: x * sigmoid(1.5 * x), 0, 0),
    OwnCase("learned swish", "formula: y = x * sigmoid(beta * x)\nweights: {beta: []}", ((4, 3),), lambda w, x: x * sigmoid(w["beta"] * x), 1, 0),
    OwnCase("learned scale", "formula: y = scale * x + 1\nweights: {scale: inputs}", ((4, 3),), lambda w, x: w["scale"] * x + 1, 3, 0),
    OwnCase(
        "GLU",
        """
arguments: {units: required}
weights: {W: [inputs, 2 * units], b: [2 * units]}
formula: |
  z = dot(x, W) + b
  y = z[..., :units] * sigmoid(z[..., units:])
""",
        ((5,),), _glu, 5 * 6 + 6, 5 * 6, {"units": 3},
    ),
    OwnCase("highway", HIGHWAY, ((3,),), _highway, 3 * 3 + 3 + 3 * 3, 2 * 3 * 3),
    OwnCase(
        "squeeze and excite",
        """
about: Scales each of the {channels} channels by a share.
arguments: {ratio: 4}
inputs: {x: [rows, columns, channels]}
sizes: {hidden: channels // ratio}
weights: {down: [channels, hidden], up: [hidden, channels]}
formula: |
  s = mean(x, axis=(1, 2))
  y = x * sigmoid(dot(relu(dot(s, down)), up))[:, None, None]
""",
        ((3, 5, 8),), _squeeze, 2 * 8 * 2, 2 * 8 * 2,
    ),
    OwnCase("gated residual", RESIDUAL, ((3,),), _residual, 3 * 5 * 3, 3 * 5 * 3, {"units": 5}),
    OwnCase("gated residual with context", RESIDUAL, ((3,), (7,)), _residual, 3 * 5 * 3 + 7 * 5, 3 * 5 * 3 + 7 * 5, {"units": 5}),
    OwnCase(
        "RMS norm",
        """
arguments: {epsilon: 1e-6}
weights: {gain: {axes: [inputs], name: scale}}
formula: y = x / sqrt(mean(x ** 2, axis=-1, keepdims=True) + epsilon) * gain
""",
        ((4, 5),), _norm, 5, 0,
    ),
    OwnCase("positions", "inputs: {x: [steps, channels]}\nweights: {P: [steps, channels]}\nformula: y = x + P", ((5, 3),), lambda w, x: x + w["P"], 15, 0),
    OwnCase(
        "attention pooling",
        """
arguments: {units: required}
inputs: {x: [steps, channels]}
weights: {W: [channels, units], v: [units]}
formula: |
  share = softmax(dot(tanh(dot(x, W)), v))
  pooled = sum(share[..., None] * x, axis=1)
results: [pooled, share]
""",
        ((5, 3),), _pooling, 3 * 2 + 2, 5 * 3 * 2 + 5 * 2, {"units": 2},
    ),
    OwnCase(
        "attention heads",
        """
arguments: {heads: required}
inputs: {x: [steps, channels]}
sizes: {depth: channels // heads}
weights: {Q: [channels, channels], K: [channels, channels], V: [channels, channels]}
formula: |
  q = transpose(reshape(dot(x, Q), shape=(n, steps, heads, depth)), axes=(0, 2, 1, 3))
  k = transpose(reshape(dot(x, K), shape=(n, steps, heads, depth)), axes=(0, 2, 3, 1))
  v = transpose(reshape(dot(x, V), shape=(n, steps, heads, depth)), axes=(0, 2, 1, 3))
  share = softmax(matmul(q, k) / sqrt(depth))
  y = reshape(transpose(matmul(share, v), axes=(0, 2, 1, 3)), shape=(n, steps, channels))
""",
        ((5, 6),), _heads, 3 * 36, 3 * 5 * 36 + 2 * 2 * 5 * 5 * 3, {"heads": 2},
    ),
    OwnCase(
        "maxout",
        """
arguments: {units: required, pieces: 2}
weights: {W: [inputs, units * pieces], b: [units * pieces]}
formula: y = amax(reshape(dot(x, W) + b, shape=(n, units, pieces)), axis=-1)
""",
        ((5,),),
        lambda w, x: (x @ w["W"] + w["b"]).reshape(B, 3, 2).max(-1), 5 * 6 + 6, 5 * 6, {"units": 3},
    ),
    OwnCase(
        "FiLM",
        """
inputs: {x: [steps, channels], c: [condition]}
weights: {gamma: [condition, channels], beta: [condition, channels]}
formula: y = x * dot(c, gamma)[:, None] + dot(c, beta)[:, None]
""",
        ((5, 3), (7,)),
        lambda w, x, c: x * (c @ w["gamma"])[:, None] + (c @ w["beta"])[:, None], 2 * 21, 2 * 21,
    ),
    OwnCase("mean with a mask", MASKED, ((5, 3),), _masked_mean, 0, 0, masked=True),
    OwnCase("mean without a mask", MASKED, ((5, 3),), _masked_mean, 0, 0),
    OwnCase("two results", "formula: |\n  low = amin(x, axis=-1)\n  high = amax(x, axis=-1)\nresults: [low, high]", ((4, 3),),
            lambda w, x: (x.min(-1), x.max(-1)), 0, 0),
    OwnCase(
        "low rank",
        "arguments: {units: required, rank: 2}\nweights: {U: [inputs, rank], V: [rank, units]}\n"
        "formula: y = dot(dot(x, U), V)",
        ((7,),), lambda w, x: x @ w["U"] @ w["V"], 7 * 2 + 2 * 5, 7 * 2 + 2 * 5, {"units": 5},
    ),
    OwnCase(
        "running mean",
        """
inputs: {x: [steps, channels]}
weights: {a: [channels]}
formula: |
  h = zeros(shape=(n, channels))
  share = sigmoid(a)
  for t in steps(x):
      h = share * h + (1 - share) * x[t]
      y[t] = h
  last = h
results: [y, last]
""",
        ((5, 3),), _decay, 3, 0,
    ),
    OwnCase("with a bias", CHOICE, ((5,),), lambda w, x: relu(x @ w["W"] + w["b"]), 18, 15, {"units": 3, "activation": "relu", "merge": "double"}),
    OwnCase("without a bias", CHOICE, ((5,),), lambda w, x: 2 * np.tanh(x @ w["W"]), 15, 15,
            {"units": 3, "activation": "tanh", "use_bias": False, "merge": "double"}),
    OwnCase(
        "a function of its own",
        """
arguments: {scale: required}
formula: |
  def bump(v, w):
      d = v - w
      return exp(-d * d)
  y = bump(x, scale) + bump(x, 0)
""",
        ((3,),), lambda w, x: np.exp(-((x - 0.5) ** 2)) + np.exp(-(x**2)), 0, 0, {"scale": 0.5},
    ),
    OwnCase(
        "layers inside",
        """
arguments: {units: required, activation: gelu, rate: 0.25}
layers:
  norm: {LayerNormalization: {axis: -1}}
  ffn: {Dense: {units: 2 * units, activation: activation}}
  out: {Dense: units}
  drop: {Dropout: rate}
formula: |
  a = out(ffn(norm(x)))
  y = x + drop(a) + out(ffn(x))
""",
        ((3,),),
        lambda w, x: x + _ffn(w, _layer_norm(w, x)) + _ffn(w, x),
        2 * 3 + 3 * 6 + 6 + 6 * 3 + 3,
        2 * (3 * 6 + 6 * 3),
        {"units": 3, "activation": "relu"},
    ),
    OwnCase("noise in training", "formula: y = 2 * x if training else x", ((3,),), lambda w, x: 2 * x, 0, 0, training=True),
]  # fmt: skip


def _layer_norm(w: Any, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3) * w["γ_norm"] + w["β_norm"]


def _ffn(w: Any, x: Any) -> Any:
    return relu(x @ w["W_ffn"] + w["b_ffn"]) @ w["W_out"] + w["b_out"]
