"""Draws training steps: a model, a loss, an optimizer, regularizers and constraints, by a seed."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.frameworks import keras
from tests.support.training_rows import LOSSES, OPTIMIZERS

ACTIVATIONS = (None, "relu", "tanh", "sigmoid", "elu", "selu", "gelu", "swish", "softplus", "softmax", "leaky_relu")
REGULARIZERS = (None, None, "l1", "l2", "l1_l2")
CONSTRAINTS = (None, None, None, "unit_norm", "non_neg", "max_norm")
OF_OUTPUTS = {"numbers": "linear", "positive": "softplus", "shares": "softmax", "between": "sigmoid", "units": "tanh"}


class Case:
    """A model, its inputs, what it is trained with, and whether it computes as in training."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"gradient {seed}")
        self.keras, self.L = keras, keras.layers
        keras.utils.set_random_seed(seed)
        name, _, output, arguments = self.rng.choice(LOSSES)
        optimizer, settings = self.rng.choice(OPTIMIZERS)
        self.training = self.rng.random() < 0.7
        flat = name != "CTC" and (name == "Circle" or arguments.get("axis") == [1] or self.rng.random() < 0.5)
        build = self.rng.choice([self._vectors, self._steps, self._images, self._ids])
        x, y, inputs = build()
        if flat:
            y = self._flattened(y)
        elif len(y.shape) == 2:
            y = self.L.Reshape((1, y.shape[-1]))(y)
        elif len(y.shape) > 3:
            y = self.L.Reshape((-1, y.shape[-1]))(y)
        y = self.L.Dense(3, activation=OF_OUTPUTS[output], **self._settings("kernel", "bias"))(y)
        if output == "units":
            y = self.L.UnitNormalization()(y)
        self.model, self.inputs = keras.Model(x, y), inputs
        self.given = {"loss": {name: arguments}, "optimizer": {optimizer: settings}}
        for variable in self.model.weights:  # zeros hide what they are multiplied with
            value = np.random.default_rng(len(variable.path)).uniform(0.1, 0.6, variable.shape)
            variable.assign(value if "variance" in variable.name else value - 0.3)

    def __str__(self) -> str:
        types = [type(layer).__name__ for layer in self.model.layers]
        return f"{' '.join(types)}; {self.given}; {'training' if self.training else 'inference'}"

    def _regularizer(self) -> Any:
        kind = self.rng.choice(REGULARIZERS)
        return self.keras.regularizers.L1L2(0.02, 0.03) if kind == "l1_l2" else kind

    def _settings(self, *of: str, activity: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for weight in of:
            found[f"{weight}_regularizer"] = self._regularizer()
            found[f"{weight}_constraint"] = self.rng.choice(CONSTRAINTS)
        if activity and self.rng.random() < 0.2:
            found["activity_regularizer"] = self.rng.choice(("l1", "l2"))
        return found

    def _dense(self, units: int) -> Any:
        return self.L.Dense(units, activation=self.rng.choice(ACTIVATIONS), **self._settings("kernel", "bias"))

    def _flattened(self, y: Any) -> Any:
        if len(y.shape) == 2:
            return y
        chosen = self.rng.choice([self.L.Flatten(), self._pooled(len(y.shape))])
        if None in y.shape[1:] and isinstance(chosen, self.L.Flatten):  # of which Dense knows no size
            chosen = self.L.GlobalAveragePooling1D()
        return chosen(y)

    def _pooled(self, ndim: int) -> Any:
        kind = self.rng.choice(["Average", "Max"])
        return getattr(self.L, f"Global{kind}Pooling{ndim - 2}D")()

    def _normalized(self) -> Any:
        L = self.L
        return self.rng.choice([
            L.BatchNormalization(gamma_regularizer=self._regularizer(), momentum=0.9),
            L.LayerNormalization(), L.RMSNormalization(), L.GroupNormalization(1), L.UnitNormalization(),
        ])  # fmt: skip

    def _vectors(self) -> tuple[Any, Any, Any]:
        L = self.L
        x = y = self.keras.Input((5,))
        for _ in range(self.rng.randint(1, 3)):
            layer: Callable[[], Any] = self.rng.choice([
                lambda: self._dense(self.rng.choice([3, 4, 7])),
                lambda: L.SpectralNormalization(L.Dense(4, **self._settings("kernel", activity=False))),
                lambda: self.keras.Sequential([self._dense(7), self._normalized(), self._dense(3)]),
                self._normalized,
                lambda: L.PReLU(alpha_regularizer=self._regularizer()),
                lambda: L.ActivityRegularization(l1=0.1, l2=0.2),
            ])  # fmt: skip
            before, y = y, layer()(y)
            if self.rng.random() < 0.3 and before.shape == y.shape:
                y = self.rng.choice([L.Add(), L.Multiply(), L.Maximum()])([before, y])
        return x, y, self._drawn(5)

    def _recurrent(self) -> Any:
        L = self.L
        kind = self.rng.choice([L.LSTM, L.GRU, L.SimpleRNN])
        settings = self._settings("kernel", "recurrent", "bias")
        return kind(4, return_sequences=self.rng.random() < 0.6, go_backwards=False, **settings)

    def _steps(self, y: Any = None) -> tuple[Any, Any, Any]:
        x = y = self.keras.Input((4, 5)) if y is None else y
        for _ in range(self.rng.randint(1, 3)):
            if len(y.shape) != 3:
                y = self._dense(4)(y)
                continue
            y = self.rng.choice(self._sequence_layers())(y)
        return x, y, self._drawn(4, 5)

    def _sequence_layers(self) -> list[Callable[[Any], Any]]:
        L, merge = self.L, self.rng.choice(["concat", "sum", "mul", "ave"])
        return [
            lambda y: self._recurrent()(y),
            lambda y: L.Bidirectional(self._recurrent(), merge_mode=merge)(y),
            lambda y: L.TimeDistributed(self._dense(3))(y),
            lambda y: L.TimeDistributed(self.keras.Sequential([self._dense(3), self._dense(4)]))(y),
            lambda y: L.Conv1D(4, 2, padding="causal", **self._settings("kernel", "bias"))(y),
            lambda y: L.MultiHeadAttention(2, 3, **self._settings("kernel", "bias"))(y, y),
            lambda y: L.GroupQueryAttention(4, 2, 1, **self._settings("kernel"))(y, y),
            lambda y: self._normalized()(y),
            lambda y: L.EinsumDense("abc,cd->abd", output_shape=(None, 3), **self._settings("kernel"))(y),
        ]

    def _images(self) -> tuple[Any, Any, Any]:
        L = self.L
        x = y = self.keras.Input((7, 6, 3))
        for _ in range(self.rng.randint(1, 3)):
            layers: list[Callable[[], Any]] = [
                lambda: L.Conv2D(4, 3, strides=2, padding="same", activation="elu", **self._settings("kernel", "bias")),
                lambda: L.DepthwiseConv2D(2, padding="same", **self._settings("depthwise")),
                lambda: L.SeparableConv2D(3, 2, padding="same", **self._settings("depthwise", "pointwise")),
                lambda: L.Conv2DTranspose(2, 2, strides=2, **self._settings("kernel")),
                lambda: self.rng.choice([L.MaxPooling2D, L.AveragePooling2D])(2, padding="same"),
                lambda: L.UpSampling2D(2),
                lambda: L.ZeroPadding2D(1),
                self._normalized,
            ]  # fmt: skip
            y = self.rng.choice(layers)()(y)
        return x, y, self._drawn(7, 6, 3)

    def _ids(self) -> tuple[Any, Any, Any]:
        masked = self.rng.random() < 0.5
        x = self.keras.Input((4,), dtype="int32")
        table = self.L.Embedding(11, 5, mask_zero=masked, embeddings_regularizer=self._regularizer())
        y = self._steps(table(x))[1]
        ids = np.random.default_rng(1).integers(1, 11, (3, 4))
        ids[1, 3:] = 0
        return x, y, ids

    def _drawn(self, *shape: int) -> Any:
        return np.random.default_rng(self.rng.randint(0, 9)).normal(size=(3, *shape))
