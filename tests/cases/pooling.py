"""Cases of the pooling layers."""

import random
from typing import Any

from tests.cases import Case, Draw

CASES = [
    Case("MaxPooling1D", {}, ((11, 3),)),
    Case("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, ((None, 3),)),
    Case("MaxPooling1D", {"pool_size": [4], "data_format": "channels_first"}, ((3, 11),)),
    Case("MaxPool2D", {"pool_size": (3, 4), "strides": 2}, ((7, 11, 3),)),
    Case("MaxPooling2D", {"pool_size": 2, "padding": "same"}, ((7, 5, 3),)),
    Case("MaxPooling2D", {"pool_size": 1, "strides": 2}, ((7, 6, 2),)),
    Case("MaxPooling2D", {"pool_size": 3, "strides": (1, 2), "data_format": "channels_first"}, ((3, 7, None),)),
    Case("MaxPooling3D", {"pool_size": (2, 1, 3), "padding": "same"}, ((5, 4, 7, 2),)),
    Case("AveragePooling1D", {"pool_size": 4, "strides": 3, "padding": "same"}, ((11, 3),)),
    Case("AvgPool2D", {"pool_size": 3, "strides": 2, "padding": "same"}, ((7, 6, 3),)),
    Case("AveragePooling2D", {"pool_size": (2, 3), "data_format": "channels_first"}, ((3, 7, 5),)),
    Case("AveragePooling3D", {"pool_size": 2, "strides": (1, 2, 3), "padding": "same"}, ((3, 4, 5, 2),)),
    Case("GlobalMaxPooling1D", {}, ((None, 3),)),
    Case("GlobalMaxPooling2D", {"keepdims": True}, ((7, 5, 3),)),
    Case("GlobalMaxPool3D", {"data_format": "channels_first"}, ((3, 5, 4, 7),)),
    Case("GlobalAveragePooling1D", {}, ((11, 3),)),
    Case("GlobalAveragePooling1D", {}, ((11, 3),), masks=(True,)),
    Case("GlobalAveragePooling1D", {"keepdims": True}, ((None, 3),), masks=(True,)),
    Case("GlobalAveragePooling1D", {"data_format": "channels_first", "keepdims": True}, ((5, 5),), masks=(True,)),
    Case("GlobalAvgPool2D", {"keepdims": True, "data_format": "channels_first"}, ((3, 7, 5),)),
    Case("GlobalAveragePooling3D", {}, ((5, None, 7, 3),)),
]


def _spatial(rng: random.Random, rank: int, config: dict[str, Any]) -> tuple[int | None, ...]:
    spatial = [None if rng.random() < 0.2 else rng.randint(2, {1: 13, 2: 9, 3: 6}[rank]) for _ in range(rank)]
    channels = rng.randint(1, 4)
    if rng.random() < 0.4:
        config["data_format"] = "channels_first"
        return (channels, *spatial)
    return (*spatial, channels)


def _each(rng: random.Random, rank: int, most: int) -> Any:
    if rng.random() < 0.5:
        return rng.randint(1, most)
    return tuple(rng.randint(1, most) for _ in range(rank))


def _windows(type_: str, rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {"padding": rng.choice(["valid", "same"])}
        if type_.startswith("Average") or rng.random() < 0.8:
            config["pool_size"] = _each(rng, rank, 4 if rank == 1 else 3)
        if rng.random() < 0.6:
            config["strides"] = _each(rng, rank, 3)
        return Case(type_, config, (_spatial(rng, rank, config),))

    return draw


def _over_all(type_: str, rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {}
        if rng.random() < 0.5:
            config["keepdims"] = rng.random() < 0.7
        shape = _spatial(rng, rank, config)
        # With channels_first Keras takes the mask's second axis for the steps, which is that of the channels.
        masked = type_ == "GlobalAveragePooling1D" and rng.random() < 0.5 and "data_format" not in config
        return Case(type_, config, (shape,), masks=(True,) if masked else ())

    return draw


DRAWS: dict[str, Draw] = {
    **{f"{kind}Pooling{rank}D": _windows(f"{kind}Pooling{rank}D", rank) for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Global{kind}Pooling{rank}D": _over_all(f"Global{kind}Pooling{rank}D", rank) for kind in ("Max", "Average") for rank in (1, 2, 3)},
}  # fmt: skip
