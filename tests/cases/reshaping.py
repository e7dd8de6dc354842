"""Cases of the layers that rearrange: Flatten, Reshape, Permute, RepeatVector, padding, cropping, upsampling."""

import random
from typing import Any

from tests.cases import Case, Draw

CASES = [
    Case("Flatten", {}, ((7, 5, 3),)),
    Case("Flatten", {"data_format": "channels_first"}, ((3, 7, 5),)),
    Case("Flatten", {}, ((None, 3),)),
    Case("Flatten", {}, ((),)),
    Case("Flatten", {}, ((5, 3),), ("int",)),
    Case("Reshape", {"target_shape": (5, 6)}, ((10, 3),)),
    Case("Reshape", {"target_shape": [-1, 5]}, ((10, 3),)),
    Case("Reshape", {"target_shape": (-1,)}, ((None, 3),)),
    Case("Reshape", {"target_shape": (-1, 7)}, ((None, 3),)),
    Case("Reshape", {"target_shape": (None, 5)}, ((10, 3),)),
    Case("Reshape", {"target_shape": (4, 5)}, ((10, 3),)),
    Case("Reshape", {"target_shape": (-1, 7)}, ((10, 3),)),
    Case("Reshape", {"target_shape": (-1, 5, -1)}, ((10, 3),)),
    Case("Reshape", {"target_shape": (-2, 15)}, ((10, 3),)),
    Case("Permute", {"dims": (2, 1)}, ((7, 3),)),
    Case("Permute", {"dims": [3, 1, 2]}, ((None, 5, 3),)),
    Case("Permute", {"dims": (2, 3)}, ((7, 3),)),
    Case("Permute", {"dims": (2, 1)}, ((7, 3, 5),)),
    Case("RepeatVector", {"n": 3}, ((7,),)),
    Case("RepeatVector", {"n": 0}, ((7,),)),
    Case("RepeatVector", {"n": 3}, ((7, 2),)),
    Case("ZeroPadding1D", {"padding": (1, 2)}, ((7, 3),)),
    Case("ZeroPadding1D", {"padding": 2, "data_format": "channels_first"}, ((3, None),)),
    Case("ZeroPadding1D", {"padding": (1, 2, 3)}, ((7, 3),)),
    Case("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, ((7, 5, 3),)),
    Case("ZeroPadding2D", {"padding": (1, 2), "data_format": "channels_first"}, ((3, 7, 5),)),
    Case("ZeroPadding2D", {}, ((None, 5, 3),)),
    Case("ZeroPadding3D", {"padding": ((1, 0), (0, 0), (2, 3))}, ((5, 4, 7, 2),)),
    Case("Cropping1D", {"cropping": (1, 2)}, ((7, 3),)),
    Case("Cropping1D", {"cropping": (0, 2)}, ((None, 3),)),
    Case("Cropping1D", {"cropping": 4}, ((7, 3),)),
    Case("Cropping2D", {}, ((7, 5, 3),)),
    Case("Cropping2D", {"cropping": ((1, 0), (0, 3))}, ((7, 5, 3),)),
    Case("Cropping2D", {"cropping": (1, 2), "data_format": "channels_first"}, ((3, 7, None),)),
    Case("Cropping3D", {}, ((5, 4, 7, 2),)),
    Case("Cropping3D", {"cropping": ((1, 0), (0, 2), (3, 1)), "data_format": "channels_first"}, ((2, 5, 4, 7),)),
    Case("UpSampling1D", {"size": 3}, ((None, 3),)),
    Case("UpSampling2D", {"size": (2, 3)}, ((5, 7, 3),)),
    Case("UpSampling2D", {"size": (2, 3), "data_format": "channels_first"}, ((3, 5, 7),)),
    Case("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, ((5, None, 3),)),
    Case("UpSampling2D", {"size": (3, 1), "interpolation": "bilinear", "data_format": "channels_first"}, ((3, 5, 7),)),
    Case("UpSampling2D", {"size": (2, 3), "interpolation": "bicubic"}, ((5, 7, 3),)),
    Case("UpSampling2D", {"size": (2, 3), "interpolation": "lanczos3"}, ((5, 7, 3),)),
    Case("UpSampling2D", {"size": 2, "interpolation": "lanczos5"}, ((5, 7, 3),)),
    Case("UpSampling2D", {"size": (2, 3), "interpolation": "area"}, ((5, 7, 3),)),
    Case("UpSampling2D", {"size": 2, "interpolation": "cubic"}, ((5, 7, 3),)),
    Case("UpSampling3D", {"size": (2, 1, 3)}, ((5, 4, None, 2),)),
]


def _shape(rng: random.Random, rank: int, config: dict[str, Any], *, first: bool = True) -> tuple[int | None, ...]:
    spatial = [None if rng.random() < 0.2 else rng.randint(2, 8 if rank < 3 else 6) for _ in range(rank)]
    channels = rng.randint(1, 4)
    if first and rng.random() < 0.4:
        config["data_format"] = "channels_first"
        return (channels, *spatial)
    return (*spatial, channels)


def _flatten(rng: random.Random) -> Case:
    config: dict[str, Any] = {}
    shape = tuple(None if rng.random() < 0.15 else rng.randint(1, 5) for _ in range(rng.randint(0, 4)))
    if rng.random() < 0.5:
        config["data_format"] = rng.choice(["channels_last", "channels_first"])
    return Case("Flatten", config, (shape,), (rng.choice(["float32", "int"]),))


def _reshape(rng: random.Random) -> Case:
    sizes = [rng.randint(1, 5) for _ in range(rng.randint(1, 4))]
    target = sizes[:]
    rng.shuffle(target)
    while len(target) > 1 and rng.random() < 0.4:
        target[:2] = [target[0] * target[1]]
    if rng.random() < 0.5:
        target[rng.randrange(len(target))] = -1
    elif rng.random() < 0.2:
        target[rng.randrange(len(target))] += 1
    shape: tuple[int | None, ...] = tuple(sizes)
    # 7 is the size with which an unknown one is drawn: it then fits where a 7 or a -1 is in the target.
    if -1 in target and rng.random() < 0.3:
        at = rng.randrange(len(sizes))
        if sizes[at] == 1:
            shape = (*sizes[:at], None, *sizes[at + 1 :])
    return Case("Reshape", {"target_shape": tuple(target)}, (shape,))


def _permute(rng: random.Random) -> Case:
    dims = list(range(1, rng.randint(2, 5)))
    rng.shuffle(dims)
    shape = tuple(None if rng.random() < 0.2 else rng.randint(1, 5) for _ in dims)
    if rng.random() < 0.1:
        dims[0] += 1
    return Case("Permute", {"dims": tuple(dims)}, (shape,))


def _repeat(rng: random.Random) -> Case:
    lead = (3,) if rng.random() < 0.1 else ()
    return Case("RepeatVector", {"n": rng.randint(0 if rng.random() < 0.1 else 1, 5)}, ((*lead, rng.randint(1, 5)),))


def _amounts(rng: random.Random, rank: int, most: int) -> Any:
    kind = rng.random()
    if kind < 0.25:
        return rng.randint(0, most)
    if rank == 1:
        return (rng.randint(0, most), rng.randint(0, most))
    if kind < 0.5:
        return tuple(rng.randint(0, most) for _ in range(rank if rng.random() < 0.95 else rank + 1))
    return tuple((rng.randint(0, most), rng.randint(0, most)) for _ in range(rank))


def _around(kind: str, argument: str, rank: int, most: int) -> Draw:
    type_ = f"{kind}{rank}D"

    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {}
        if rng.random() < 0.9:
            config[argument] = _amounts(rng, rank, most)
        return Case(type_, config, (_shape(rng, rank, config, first=type_ != "Cropping1D"),))

    return draw


def _larger(rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {}
        if rng.random() < 0.8:
            config["size"] = (
                rng.randint(1, 3) if rank == 1 or rng.random() < 0.5 else tuple(rng.randint(1, 3) for _ in range(rank))
            )
        if rank == 2 and rng.random() < 0.7:
            config["interpolation"] = rng.choice(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"])
        return Case(f"UpSampling{rank}D", config, (_shape(rng, rank, config, first=rank > 1),))

    return draw


DRAWS: dict[str, Draw] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    **{f"ZeroPadding{rank}D": _around("ZeroPadding", "padding", rank, 3) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _around("Cropping", "cropping", rank, 2 if rank < 3 else 1) for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _larger(rank) for rank in (1, 2, 3)},
}
