"""Random models for `convert`: operations, layers and calls with several results, nested and shared models, inputs and
outputs in lists and mappings. Keras builds them; what it refuses is left out."""

import random
from collections.abc import Callable
from typing import Any

from tests.support.conversion_runs import numbers_for

STEPS = 6

Maker = Callable[[Any], Any]


def _of_any(k: Any, rng: random.Random) -> list[Maker]:
    ops, layers = k.ops, k.layers
    number = rng.choice([2, 0.5, -1.5])
    return [
        lambda t: t + number,
        lambda t: number - t,
        lambda t: ops.where(t > 0, t, number),
        lambda t: ops.cast(ops.cast(t, "float16"), "float32"),
        lambda t: ops.cast(t > number, "float32"),
        lambda t: ops.clip(t, -1, 0.75),
        lambda t: ops.maximum(t, number),
        lambda t: ops.moments(t, axes=[-1], keepdims=True)[rng.randint(0, 1)] + t,
        lambda t: ops.top_k(t, min(2, t.shape[-1]))[0],
        lambda t: ops.split(t, 1, axis=-1)[0],
        lambda t: ops.max(t, axis=-1, keepdims=True, initial=-float("inf")),
        lambda t: ops.one_hot(ops.argmax(t, axis=-1), 3, dtype="float32"),
        lambda t: t[..., : max(1, t.shape[-1] - 1)],
        lambda t: t[..., ::-1] * t,
        lambda t: t[..., None][..., 0],
        lambda t: t + k.ops.convert_to_tensor([0.5] * t.shape[-1]),
        lambda t: ops.layer_normalization(t, axis=-1),
        lambda t: ops.concatenate([t, ops.tanh(t)], axis=-1),
        lambda t: ops.stack([t, t * 2], axis=-1)[..., 1],
        lambda t: ops.take(t, [0, t.shape[-1] - 1], axis=-1),
        lambda t: ops.leaky_relu(t, negative_slope=0.3),
        lambda t: ops.average(t, axis=-1, weights=ops.abs(t) + 1)[..., None],
        layers.Dense(rng.randint(2, 4), activation=rng.choice([None, "relu", "softmax"])),
        layers.Dropout(0.3),
        layers.LayerNormalization(),
    ]


def _of_vectors(k: Any, rng: random.Random) -> list[Maker]:
    ops = k.ops
    return [
        lambda t: ops.einsum("bi,bj->bij", t, t),
        lambda t: ops.pad(t, [[0, 0], [1, 2]], constant_values=rng.choice([None, 3.0])),
        lambda t: ops.expand_dims(t, 1),
        lambda t: ops.sum(t, axis=1, keepdims=True),
    ]


def _of_sequences(k: Any, rng: random.Random) -> list[Maker]:
    ops, layers = k.ops, k.layers
    state = rng.randint(0, 1)
    return [
        lambda t: t[:, rng.choice([0, -1])],
        lambda t: ops.unstack(t, axis=1)[0],
        lambda t: ops.einsum("bij,bkj->bik", t, t),
        lambda t: ops.transpose(t, (0, 2, 1)),
        lambda t: layers.LSTM(3, return_state=True)(t)[state],
        lambda t: layers.GRU(2, return_sequences=True, return_state=True)(t)[0],
        lambda t: layers.Bidirectional(layers.LSTM(2, return_state=True))(t)[0],
        lambda t: layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=None)(t)[state],
        lambda t: layers.RNN([layers.GRUCell(2), layers.LSTMCell(3)], return_state=True)(t)[0],
        lambda t: layers.MultiHeadAttention(2, 3)(t, t, return_attention_scores=True)[state],
        lambda t: layers.TimeDistributed(layers.Dense(3))(t),
        lambda t: layers.Conv1D(3, 2, padding="same")(t),
        lambda t: layers.GlobalAveragePooling1D()(t),
    ]


def _makers(k: Any, rng: random.Random, rank: int) -> list[Maker]:
    special = {2: _of_vectors, 3: _of_sequences}.get(rank)
    return [*_of_any(k, rng), *(special(k, rng) * 2 if special else [])]


def _nested(k: Any, rng: random.Random, size: int) -> Maker:
    """A model of one vector, called like a layer: its outputs are one tensor, a list (of one, too) or a mapping."""
    x = k.Input((size,))
    y, z = k.layers.Dense(3)(x), k.ops.tanh(x)
    kind = rng.randint(0, 3)
    model = k.Model(x, [y, [y], {"b": y, "a": z}, [z, y]][kind])
    return lambda t: [lambda r: r, lambda r: r[0], lambda r: r["b"], lambda r: r[1]][kind](model(t))


def drawn_model(k: Any, seed: int) -> Any:
    """Return a model of Keras for a seed: the first one drawn that Keras does not only build but run."""
    for attempt in range(20):
        model = _drawn(k, random.Random(seed + 1_000_000 * attempt))
        try:
            model(numbers_for(model))
        except ValueError:  # a layer that was called again with another shape
            continue
        return model
    raise AssertionError(f"Keras runs none of the models of seed {seed}")


def _drawn(k: Any, rng: random.Random) -> Any:
    shapes = [rng.choice([(5,), (7,), (6, 5)]) for _ in range(rng.randint(1, 2))]
    names = rng.sample(["left", "right", "b", "a"], len(shapes))
    inputs = [k.Input(shape, name=name) for name, shape in zip(names, shapes, strict=True)]
    made: list[Any] = [*inputs]
    last: Maker | None = None
    for _ in range(STEPS):
        t = rng.choice(made[-3:])
        maker = rng.choice(_makers(k, rng, len(t.shape)))
        if len(t.shape) == 2 and rng.random() < 0.25:
            maker = _nested(k, rng, t.shape[-1])
        if last is not None and rng.random() < 0.15:
            maker = last  # a layer or model that is called again
        try:
            made.append(maker(t))
        except (ValueError, TypeError, IndexError):  # a shape that the maker does not take
            continue
        last = maker
    ends = rng.sample(made[len(inputs) :] or made, min(2, len(made) - len(inputs)) or 1)
    forms = [ends[0], [ends[0]], ends, {"z": ends[0], "y": ends[-1]}, {"all": ends, "one": ends[0]}]
    given = rng.choice([inputs if len(inputs) > 1 else inputs[0], {one.name: one for one in inputs}])
    return k.Model(given, rng.choice(forms))
