"""Cases of the core layers."""

from __future__ import annotations

import random

from tests.cases import Case, Draw

CASES = [
    Case("Dense", {"units": 5}, ((7,),)),
    Case("Dense", {"units": 5, "activation": "relu", "use_bias": False}, ((3, 7),)),
    Case("Embedding", {"input_dim": 11, "output_dim": 3, "mask_zero": True}, ((5,),), ("int",)),
    Case("Activation", {"activation": "softmax"}, ((3, 5),)),
]


def _dense(rng: random.Random) -> Case:
    lead = rng.choice([(), (3,), (None,), (2, 3)])
    config = {"units": rng.randint(1, 7), "use_bias": rng.random() < 0.7}
    if rng.random() < 0.5:
        config["activation"] = rng.choice(["relu", "tanh", "softmax", "sigmoid", None])
    return Case("Dense", config, ((*lead, rng.choice([1, 5, 7])),))


def _embedding(rng: random.Random) -> Case:
    config = {"input_dim": rng.randint(1, 13), "output_dim": rng.randint(1, 7), "mask_zero": rng.random() < 0.5}
    return Case("Embedding", config, (rng.choice([(5,), (None,), (2, 3), ()]),), ("int",))


DRAWS: dict[str, Draw] = {"Dense": _dense, "Embedding": _embedding}
