"""Cases of the recurrent layers."""

import random
from typing import Any

from tests.cases import Case, Draw, Wrapped

STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}

CASES = [
    Case("SimpleRNN", {"units": 5}, ((7, 3),)),
    Case("SimpleRNN", {"units": 5, "use_bias": False, "go_backwards": True, "return_state": True}, ((None, 3),)),
    Case("SimpleRNN", {"units": 5, "return_sequences": True, "activation": "relu"}, ((7, 3), (5,))),
    Case("GRU", {"units": 5}, ((7, 3),)),
    Case("GRU", {"units": 5, "reset_after": False}, ((7, 3),)),
    Case("GRU", {"units": 5, "use_bias": False, "return_sequences": True}, ((7, 3),), masks=(True,)),
    Case("GRU", {"units": 5, "return_state": True, "zero_output_for_mask": True}, ((7, 3),), masks=(True,)),
    Case("LSTM", {"units": 5}, ((7, 3),)),
    Case("LSTM", {"units": 5, "return_sequences": True, "return_state": True}, ((None, 3),)),
    Case("LSTM", {"units": 5, "return_sequences": True, "go_backwards": True}, ((7, 3),), masks=(True,)),
    Case("LSTM", {"units": 5, "return_sequences": True}, ((7, 3), (5,), (5,)), masks=(True,)),
    Case("LSTM", {"units": 5, "return_state": True, "use_bias": False}, ((7, 3), (5,), (5,)), masks=(True,)),
    Case("LSTM", {"units": 1, "activation": "linear", "recurrent_activation": "hard_sigmoid"}, ((7, 1),)),
]
"""Rows with two or more shapes give the initial states after the sequence."""

STATEFUL = [
    Case("SimpleRNN", {"units": 5, "stateful": True}, ((7, 3),)),
    Case("GRU", {"units": 5, "stateful": True, "return_state": True, "return_sequences": True}, ((7, 3), (5,))),
    Case("LSTM", {"units": 5, "stateful": True}, ((7, 3),), masks=(True,)),
    Case("TimeDistributed", {"layer": Wrapped("LSTM", {"units": 5, "stateful": True})}, ((3, 7, 2),)),
    Case("Bidirectional", {"layer": Wrapped("GRU", {"units": 5, "stateful": True})}, ((7, 3),)),
]
"""Rows apart from the others: Keras builds them with a fixed batch only (tests/layers/test_stateful.py)."""

BOUNDED = ["tanh", "sigmoid", "softsign", "hard_sigmoid", "softmax"]
ACTIVATIONS = [*BOUNDED, "relu", "linear", None, "elu"]


def recurrent_config(rng: random.Random, type_: str, steps: int | None = None) -> dict[str, Any]:
    """All arguments that change shape, count or formula; Keras unrolls a known number of `steps` alone."""
    config: dict[str, Any] = {
        "units": rng.choice([1, 2, 5, 7]),
        "return_sequences": rng.random() < 0.5,
        "return_state": rng.random() < 0.5,
        "go_backwards": rng.random() < 0.4,
        "use_bias": rng.random() < 0.7,
    }
    if rng.random() < 0.5:
        config["activation"] = rng.choice(ACTIVATIONS)
    if type_ != "SimpleRNN" and rng.random() < 0.5:
        config["recurrent_activation"] = rng.choice(BOUNDED)
    if type_ == "GRU":
        config["reset_after"] = rng.random() < 0.6
    if rng.random() < 0.3:
        config["zero_output_for_mask"] = True
    if rng.random() < 0.2:
        config |= {"dropout": 0.3, "recurrent_dropout": rng.choice([0.0, 0.2])}
    if steps is not None and rng.random() < 0.3:
        config["unroll"] = True
    return config


def _recurrent(type_: str) -> Draw:
    def draw(rng: random.Random) -> Case:
        steps = rng.choice([1, 4, 7, None])
        config = recurrent_config(rng, type_, steps)
        x: tuple[int | None, ...] = (steps, rng.choice([1, 3, 5]))
        wrong = rng.random()
        if wrong < 0.05:
            x = (3,) if wrong < 0.025 else (7, 3, 2)
        count = 0
        if len(x) == 2 and rng.random() < 0.35:
            # Keras passes over a state too many; we refuse it (tests/layers/test_rnn.py).
            count = STATES[type_] if type_ != "LSTM" or rng.random() < 0.85 else 1
        size = config["units"] if rng.random() < 0.9 else config["units"] + 1
        masks = (rng.random() < 0.5 and len(x) == 2,)
        return Case(type_, config, (x, *[(size,)] * count), masks=masks)

    return draw


DRAWS: dict[str, Draw] = {type_: _recurrent(type_) for type_ in STATES}
