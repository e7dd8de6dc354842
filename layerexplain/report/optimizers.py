"""The optimizers of Keras, by what they keep for each trainable parameter."""

from typing import Final

SLOTS: Final = {
    "none": 0, "sgd": 0, "sgd-momentum": 1, "rmsprop": 1, "adagrad": 1, "lion": 1, "muon": 1, "adam": 2, "adamw": 2,
    "adamax": 2, "nadam": 2, "adadelta": 2, "ftrl": 2, "lamb": 2, "adam-amsgrad": 3,
}  # fmt: skip
"""How many values of the parameter's own size and dtype, at the optimizer's default arguments. Adafactor is not here:
what it keeps depends on each parameter's shape."""
