"""Cases of the convolutions: plain, transposed, depthwise and separable."""

import random
from typing import Any

from tests.cases import Case, Draw

CASES = [
    Case("Conv1D", {"filters": 5, "kernel_size": 3}, ((11, 2),)),
    Case("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, ((11, 2),)),
    Case("Conv1D", {"filters": 5, "kernel_size": 4, "padding": "causal", "strides": 3}, ((None, 2),)),
    Case("Conv1D", {"filters": 5, "kernel_size": [4], "strides": [2], "padding": "same"}, ((11, 3),)),
    Case("Conv1D", {"filters": 6, "kernel_size": 3, "groups": 2, "padding": "SAME"}, ((None, 4),)),
    Case("Conv1D", {"filters": 5, "kernel_size": 3, "data_format": "channels_first", "padding": "causal"}, ((2, 11),)),
    Case("Conv2D", {"filters": 5, "kernel_size": 3, "lora_rank": 2, "lora_alpha": 3}, ((6, 5, 3),)),
    Case("Conv1D", {"filters": 4, "kernel_size": 2, "lora_rank": 1, "use_bias": False, "groups": 2}, ((6, 4),)),
    Case("Conv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, ((7, 6, 3),)),
    Case("Conv2D", {"filters": 5, "kernel_size": (3, 4), "strides": (2, 3), "padding": "same"}, ((7, 11, 2),)),
    Case("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3, "activation": "relu"}, ((7, 5, 9),)),
    Case("Conv2D", {"filters": 5, "kernel_size": (3, 2), "dilation_rate": (2, 1)}, ((None, 5, 3),)),
    Case("Conv2D", {"filters": 5, "kernel_size": 3, "data_format": "channels_first", "use_bias": False}, ((2, 7, 5),)),
    Case("Conv2D", {"filters": 5, "kernel_size": 3, "data_format": "channels_first", "strides": 2}, ((2, None, 7),)),
    Case("Conv2D", {"filters": 4, "kernel_size": 1, "strides": 2}, ((7, 5, 3),)),
    Case("Conv2D", {"filters": 4, "kernel_size": 1, "strides": 4, "padding": "same"}, ((7, 6, 3),)),
    Case("Convolution2D", {"filters": 5, "kernel_size": 3, "data_format": None}, ((7, 5, 3),)),
    Case("Conv3D", {"filters": 3, "kernel_size": (3, 2, 4), "strides": (1, 2, 3), "padding": "same"}, ((5, 4, 7, 2),)),
    Case("Conv3D", {"filters": 4, "kernel_size": 2, "data_format": "channels_first", "groups": 2}, ((2, 5, 4, 3),)),
    Case("Conv3D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2}, ((5, None, 7, 2),)),
    Case("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 3}, ((5, 2),)),
    Case("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3}, ((None, 2),)),
    Case("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, ((5, 2),)),
    Case("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1}, ((5, 2),)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 4), "strides": 2, "padding": "same"}, ((5, 7, 2),)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 4), "strides": (2, 3), "padding": "same", "output_padding": (0, 2)}, ((5, 7, 2),)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "data_format": "channels_first"}, ((2, 5, None),)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 2), "dilation_rate": 2}, ((5, 7, 2),)),
    # Keras gives a shape; TensorFlow does not run it, since no window of 2 starts at the last input: shapes only.
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same", "output_padding": 0}, ((5, 7, 2),)),
    Case("Conv3DTranspose", {"filters": 2, "kernel_size": (2, 3, 4), "strides": (1, 2, 3)}, ((3, 4, 2, 3),)),
    Case("Conv3DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, ((3, None, 2, 3),)),
    Case("DepthwiseConv1D", {"kernel_size": 4, "strides": 3, "padding": "same", "depth_multiplier": 2}, ((11, 3),)),
    Case("DepthwiseConv1D", {"kernel_size": 3, "dilation_rate": 2, "data_format": "channels_first"}, ((3, 11),)),
    Case("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same"}, ((7, 6, 3),)),
    Case("DepthwiseConv2D", {"kernel_size": (3, 4), "depth_multiplier": 3, "use_bias": False}, ((None, 5, 2),)),
    Case("DepthwiseConv2D", {"kernel_size": 2, "strides": (2, 3), "depth_multiplier": 2}, ((7, 5, 3),)),
    Case("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "dilation_rate": 3, "padding": "same"}, ((7, 8, 3),)),
    Case("DepthwiseConv2D", {"kernel_size": 3, "data_format": "channels_first", "depth_multiplier": 2}, ((3, 7, 5),)),
    Case("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "strides": 2}, ((11, 3),)),
    Case("SeparableConv1D", {"filters": 5, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, ((None, 3),)),
    Case("SeparableConv2D", {"filters": 5, "kernel_size": (3, 2), "padding": "same", "strides": 2}, ((7, 5, 3),)),
    Case("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "data_format": "channels_first", "use_bias": False}, ((3, 7, 5),)),
]  # fmt: skip


def _each(rng: random.Random, rank: int, least: int, most: int) -> Any:
    """One number, or one for each axis."""
    if rng.random() < 0.5:
        return rng.randint(least, most)
    return tuple(rng.randint(least, most) for _ in range(rank))


def _sliding(rng: random.Random, rank: int, paddings: tuple[str, ...] = ("valid", "same")) -> dict[str, Any]:
    """What all convolutions share. Now and then the window is too large, or has both a stride and a dilation."""
    config: dict[str, Any] = {"kernel_size": _each(rng, rank, 1, 4 if rank < 3 else 3), "padding": rng.choice(paddings)}
    kind = rng.random()
    if kind < 0.45 or kind > 0.95:
        config["strides"] = _each(rng, rank, 1, 3)
    if kind > 0.65:
        config["dilation_rate"] = _each(rng, rank, 1, 3)
    if rng.random() < 0.7:
        config["use_bias"] = rng.random() < 0.5
    if rng.random() < 0.4:
        config["activation"] = rng.choice(["relu", "tanh", "sigmoid", "linear", None])
    return config


def _shape(rng: random.Random, rank: int, channels: int, config: dict[str, Any]) -> tuple[int | None, ...]:
    most = {1: 13, 2: 9, 3: 6}[rank]
    spatial = [None if rng.random() < 0.15 else rng.randint(3, most) for _ in range(rank)]
    if rng.random() < 0.35:
        config["data_format"] = "channels_first"
        return (channels, *spatial)
    return (*spatial, channels)


def _convolution(rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config = _sliding(rng, rank, ("valid", "same", "causal") if rank == 1 else ("valid", "same"))
        groups = rng.choice([1, 1, 1, 2, 3])
        channels = groups * rng.randint(1, 3)
        config["filters"] = groups * rng.randint(1, 3)
        if groups > 1:
            config["groups"] = groups
            if rng.random() < 0.1:
                channels += 1
        return Case(f"Conv{rank}D", config, (_shape(rng, rank, channels, config),))

    return draw


def _transposed(rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config = _sliding(rng, rank)
        config["filters"] = rng.randint(1, 4)
        if "strides" in config and rng.random() < 0.5:
            strides = config["strides"]
            each = (strides,) * rank if isinstance(strides, int) else strides
            config["output_padding"] = tuple(rng.randint(0, s - 1 if rng.random() < 0.95 else s) for s in each)
        return Case(f"Conv{rank}DTranspose", config, (_shape(rng, rank, rng.randint(1, 4), config),))

    return draw


def _by_channel(type_: str, rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config = _sliding(rng, rank)
        if type_.startswith("Separable"):
            config["filters"] = rng.randint(1, 5)
        if rng.random() < 0.6:
            config["depth_multiplier"] = rng.randint(1, 3)
        return Case(type_, config, (_shape(rng, rank, rng.randint(1, 4), config),))

    return draw


DRAWS: dict[str, Draw] = {
    **{f"Conv{rank}D": _convolution(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _transposed(rank) for rank in (1, 2, 3)},
    **{f"{kind}Conv{rank}D": _by_channel(f"{kind}Conv{rank}D", rank) for kind in ("Depthwise", "Separable") for rank in (1, 2)},
}  # fmt: skip
