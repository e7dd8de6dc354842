"""Cases of the layers that wrap a layer."""

import random
from typing import Any

from tests.cases import Case, Draw, Wrapped
from tests.cases.rnn import STATES, recurrent_config

LSTM = Wrapped("LSTM", {"units": 5, "name": "lstm"})
GRU_SEQUENCES = Wrapped("GRU", {"units": 5, "return_sequences": True, "name": "gru"})
CONV = Wrapped("Conv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same", "name": "conv"})

CASES = [
    Case("Bidirectional", {"layer": LSTM}, ((7, 3),)),
    Case("Bidirectional", {"layer": GRU_SEQUENCES, "merge_mode": "sum"}, ((7, 3),), masks=(True,)),
    Case("Bidirectional", {"layer": GRU_SEQUENCES, "merge_mode": None}, ((None, 3),), masks=(True,)),
    Case("Bidirectional", {"layer": Wrapped("LSTM", {"units": 5, "return_state": True, "name": "q"})}, ((7, 3),)),
    Case("Bidirectional", {"layer": Wrapped("LSTM", {"units": 5, "return_state": True, "name": "q"}),
        "merge_mode": None}, ((7, 3), (5,), (5,), (5,), (5,)), masks=(True,)),
    Case("Bidirectional", {"layer": Wrapped("LSTM", {"units": 5, "name": "one"}),
        "backward_layer": Wrapped("GRU", {"units": 5, "go_backwards": True, "name": "two"}), "merge_mode": "mul"},
        ((7, 3),)),
    Case("TimeDistributed", {"layer": Wrapped("Dense", {"units": 5, "name": "dense"})}, ((3, 7),)),
    Case("TimeDistributed", {"layer": CONV}, ((3, 7, 11, 2),)),
    Case("TimeDistributed", {"layer": CONV}, ((None, 7, 11, 2),)),
    Case("TimeDistributed", {"layer": LSTM}, ((3, 7, 2),)),
    Case("TimeDistributed", {"layer": Wrapped("Bidirectional", {"layer": GRU_SEQUENCES, "name": "bi"})}, ((3, 7, 2),)),
    Case("TimeDistributed", {"layer": Wrapped("Dense", {"units": 5, "name": "dense"})}, ((3, 7),), masks=(True,)),
    Case("TimeDistributed", {"layer": Wrapped("Softmax", {"name": "softmax"})}, ((3, 7),)),
    Case("TimeDistributed", {"layer": Wrapped("Flatten", {"name": "flatten"})}, ((3, 7, 2),)),
]  # fmt: skip


def _bidirectional(rng: random.Random) -> Case:
    type_ = rng.choice(list(STATES))
    steps = rng.choice([1, 4, 7, None])
    inner = recurrent_config(rng, type_, steps) | {"go_backwards": False, "name": "inner"}
    config: dict[str, Any] = {
        "layer": Wrapped(type_, inner),
        "merge_mode": rng.choice(["concat", "sum", "mul", "ave", None]),
    }
    own = rng.random()
    if own < 0.4:
        second = rng.choice(list(STATES)) if not inner["return_state"] else type_
        other = recurrent_config(rng, second, steps) | {"go_backwards": own > 0.03, "name": "second"}
        same = ("units", "return_sequences", "return_state") if rng.random() < 0.9 else ("units", "return_state")
        config["backward_layer"] = Wrapped(second, other | {k: inner[k] for k in same})
    count = 2 * STATES[type_] if own > 0.4 and rng.random() < 0.35 else 0
    shapes = ((steps, rng.choice([1, 3, 5])), *[(inner["units"],)] * count)
    return Case("Bidirectional", config, shapes, masks=(rng.random() < 0.5,))


def _time_distributed(rng: random.Random) -> Case:
    rank = rng.choice([1, 1, 2, 3, 4])
    steps = rng.choice([1, 3, 4, None])
    inside = (*[rng.choice([5, 7, 11]) for _ in range(rank - 1)], rng.choice([1, 2, 3]))
    activation = rng.choice([None, "relu", "softmax"])
    windows: dict[str, Any] = {
        "filters": rng.randint(1, 4),
        "kernel_size": rng.choice([3, 4]),
        "strides": rng.choice([1, 2]),
        "padding": rng.choice(["same", "valid"]),
    }
    choices: list[tuple[str, dict[str, Any]]] = [
        ("Dense", {"units": rng.randint(1, 5), "activation": activation}),
        ("Flatten", {}),
        ("Activation", {"activation": activation or "tanh"}),
        ("BatchNormalization", {}),
    ]
    if rank == 2:
        type_ = rng.choice(list(STATES))
        recurrent = recurrent_config(rng, type_) | {"return_state": False}
        forwards = Wrapped(type_, recurrent | {"go_backwards": False, "name": "deep"})
        choices += [("Conv1D", windows), (type_, recurrent), ("Bidirectional", {"layer": forwards})]
    if rank == 3:
        choices += [("Conv2D", windows), ("MaxPooling2D", {"pool_size": rng.choice([2, 3])})]
    if rng.random() < 0.05:
        inside = ()
    type_, config = rng.choice(choices)
    # These read the mask of one step, which Keras refuses: it has no axis of steps of its own.
    masked = rng.random() < 0.4 and type_ not in (*STATES, "Bidirectional", "BatchNormalization")
    inner = Wrapped(type_, config | {"name": "inner"})
    return Case("TimeDistributed", {"layer": inner}, ((steps, *inside),), masks=(masked,))


DRAWS: dict[str, Draw] = {"Bidirectional": _bidirectional, "TimeDistributed": _time_distributed}
