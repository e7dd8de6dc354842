"""Cases of the convolutional recurrent layers."""

import random
from typing import Any

from tests.cases import Case, Draw
from tests.cases.rnn import BOUNDED

SAME = {"filters": 2, "kernel_size": 3, "padding": "same"}

CASES = [
    Case("ConvLSTM1D", {"filters": 2, "kernel_size": 4, "strides": 3}, ((5, 11, 3),)),
    Case("ConvLSTM1D", {**SAME, "data_format": "channels_first", "return_sequences": True}, ((5, 3, 7),)),
    Case("ConvLSTM1D", {**SAME, "dilation_rate": 2, "go_backwards": True}, ((None, 7, 3),), masks=(True,)),
    Case("ConvLSTM1D", SAME, ((5, None, 3),)),
    Case("ConvLSTM1D", SAME, ((5, 7, 3), (7, 2), (7, 2))),
    Case("ConvLSTM2D", {**SAME, "strides": 2}, ((5, 7, 11, 3),)),
    Case("ConvLSTM2D", {**SAME, "return_state": True, "return_sequences": True}, ((4, 7, 5, 3),), masks=(True,)),
    Case("ConvLSTM2D", {"filters": 2, "kernel_size": (3, 4), "use_bias": False}, ((None, 7, 5, 3),)),
    Case("ConvLSTM2D", {"filters": 2, "kernel_size": 8}, ((4, 7, 5, 3),)),
    Case("ConvLSTM2D", SAME, ((7, 5, 3),)),
    Case("ConvLSTM3D", {**SAME, "strides": 2}, ((3, 4, 5, 7, 2),)),
    Case("ConvLSTM3D", {"filters": 2, "kernel_size": 3, "return_state": True}, ((3, 4, 5, 7, 2),), masks=(True,)),
]


def _conv_lstm(rank: int) -> Draw:
    sizes = [5, 7, 8] if rank < 3 else [3, 4, 5]

    def draw(rng: random.Random) -> Case:
        first = rng.random() < 0.3
        config: dict[str, Any] = {
            "filters": rng.choice([1, 2, 3]),
            "kernel_size": rng.choice([2, 3, 4]) if rng.random() < 0.6 else [rng.choice([2, 3]) for _ in range(rank)],
            "padding": rng.choice(["same", "valid"]),
            "return_sequences": rng.random() < 0.4,
            "return_state": rng.random() < 0.4,
            "go_backwards": rng.random() < 0.3,
            "use_bias": rng.random() < 0.7,
        }
        if rng.random() < 0.4:
            config["strides"] = rng.choice([2, 3])
        elif rng.random() < 0.3:
            config["dilation_rate"] = 2
        if first:
            config["data_format"] = "channels_first"
        if rng.random() < 0.3:
            config["activation"] = rng.choice(["relu", *BOUNDED])
        if rng.random() < 0.3:
            config["recurrent_activation"] = rng.choice(BOUNDED)
        if rng.random() < 0.2:
            config |= {"dropout": 0.3, "recurrent_dropout": 0.2}
        if rng.random() < 0.2:
            config["zero_output_for_mask"] = True
        places = tuple(None if rng.random() < 0.03 else rng.choice(sizes) for _ in range(rank))
        channels = (rng.choice([1, 2, 3]),)
        step = (*channels, *places) if first else (*places, *channels)
        return Case(f"ConvLSTM{rank}D", config, ((rng.choice([1, 3, None]), *step),), masks=(rng.random() < 0.3,))

    return draw


DRAWS: dict[str, Draw] = {f"ConvLSTM{rank}D": _conv_lstm(rank) for rank in (1, 2, 3)}
