"""Cases of the preprocessing layers."""

import random
from typing import Any

from tests.cases import Case, Draw

CASES = [
    Case("Rescaling", {"scale": 1 / 255}, ((7, 5, 3),)),
    Case("Rescaling", {"scale": 2, "offset": -1}, ((None,),), ("int",)),
    Case("Rescaling", {"scale": [0.5, 2, 3], "offset": [1, 2, 3]}, ((7, None, 3),)),
    Case("Rescaling", {"scale": 3.0, "offset": [1, 2, 3]}, ((3,),)),
    Case("Normalization", {}, ((7, 3),)),
    Case("Normalization", {"axis": None}, ((7, 3),)),
    Case("Normalization", {"axis": 1, "invert": True}, ((7, 3),)),
    Case("Normalization", {"axis": (1, -1)}, ((7, 5, 3),)),
    Case("Normalization", {"axis": [-1, -2]}, ((None, 5, 3),)),
    Case("Normalization", {"axis": 1}, ((None, 3),)),
    Case("Normalization", {"axis": (1, 1)}, ((7, 3),)),
    Case("Normalization", {"axis": 4}, ((7, 3),)),
    Case("Normalization", {"mean": 3, "variance": 2.0}, ((7, 3),)),
    Case("Normalization", {"mean": [1, 2, 3], "variance": [4, 5, 6], "invert": True}, ((7, 3),)),
    Case("Normalization", {"mean": [1, 2, 3], "variance": [4, 5, 6], "axis": 1}, ((3, 5),)),
    Case("Normalization", {"mean": [1, 2, 3], "variance": [4, 5, 6], "axis": (1, 2)}, ((5, 3, 2),)),
    Case("Normalization", {"mean": [[1], [2]], "variance": [[4], [5]], "axis": (1, 3)}, ((2, 3, 5),)),
    Case("Normalization", {"mean": [1, 2], "variance": [4, 5]}, ((7, 3),)),
    Case("Normalization", {"mean": [1, 2, 3], "variance": 4}, ((7, 3),)),
    Case("Normalization", {"mean": [1, 2, 3]}, ((7, 3),)),
    Case("Normalization", {"mean": [1, 2, 3], "variance": [4, 5, 6], "axis": None}, ((7, 3),)),
    Case("Resizing", {"height": 11, "width": 4}, ((7, 5, 3),)),
    Case("Resizing", {"height": 4, "width": 13, "interpolation": "nearest"}, ((7, None, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "antialias": True, "data_format": "channels_first"}, ((3, 7, 11),)),
    Case("Resizing", {"height": 4, "width": 3, "crop_to_aspect_ratio": True}, ((11, 5, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "crop_to_aspect_ratio": True}, ((None, 5, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "pad_to_aspect_ratio": True, "fill_value": 2.0}, ((5, 11, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "pad_to_aspect_ratio": True, "fill_value": 2.0}, ((5, None, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "pad_to_aspect_ratio": 1, "crop_to_aspect_ratio": True}, ((5, 7, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "fill_mode": "reflect"}, ((5, 7, 3),)),
    Case("Resizing", {"height": 4, "width": 3, "interpolation": "cubic"}, ((5, 7, 3),)),
    # Twice the size: the weights are quarters, so that a rounding of one half is the same in every precision.
    Case("Resizing", {"height": 14, "width": 10}, ((7, 5, 3),), ("int",)),
    Case("CenterCrop", {"height": 4, "width": 3}, ((7, 5, 3),)),
    Case("CenterCrop", {"height": 4, "width": 3, "data_format": "channels_first"}, ((3, None, 5),)),
    Case("CenterCrop", {"height": 8, "width": 3}, ((7, 5, 3),)),
    Case("CenterCrop", {"height": 9, "width": 3}, ((7, None, 3),)),
    Case("CenterCrop", {"height": 4, "width": 3}, ((7, 5, 3),), ("int",)),
]


def _rescaling(rng: random.Random) -> Case:
    channels = rng.randint(2, 4)
    shape = (*rng.choice([(), (5,), (None,), (3, 4)]), channels)

    def numbers() -> Any:
        one = rng.choice([rng.uniform(-2, 2), rng.randint(-3, 3)])
        return one if rng.random() < 0.6 else [rng.uniform(-2, 2) for _ in range(channels)]

    config = {"scale": numbers()}
    if rng.random() < 0.7:
        config["offset"] = numbers()
    return Case("Rescaling", config, (shape,), (rng.choice(["float32", "float32", "int"]),))


def _normalization(rng: random.Random) -> Case:
    rank = rng.randint(1, 3)
    shape: list[int | None] = [rng.randint(2, 5) for _ in range(rank)]
    config: dict[str, Any] = {}
    axes: list[int] = [rank]
    if rng.random() < 0.8:
        axes = sorted(rng.sample(range(1, rank + 1), rng.randint(0, rank)))
        kinds: list[Any] = [tuple(axes), [a - rank - 1 for a in axes]]
        config["axis"] = axes[0] if len(axes) == 1 else rng.choice(kinds) if axes else None
    if rng.random() < 0.3:
        at = rng.randrange(rank)
        if at + 1 not in axes or rng.random() < 0.2:
            shape[at] = None
    if rng.random() < 0.4:
        last = shape[axes[-1] - 1] if axes and rng.random() < 0.7 else None
        count = last or 0
        config["mean"] = [rng.uniform(-2, 2) for _ in range(count)] if count else rng.uniform(-2, 2)
        config["variance"] = [rng.uniform(0.5, 2) for _ in range(count)] if count else rng.uniform(0.5, 2)
        if rng.random() < 0.1:
            del config["variance"]
    if rng.random() < 0.5:
        config["invert"] = rng.random() < 0.5
    return Case("Normalization", config, (tuple(shape),))


def _image(rng: random.Random, config: dict[str, Any]) -> tuple[int | None, ...]:
    rows, columns = (None if rng.random() < 0.2 else rng.randint(2, 12) for _ in range(2))
    channels = rng.randint(1, 4)
    if rng.random() < 0.4:
        config["data_format"] = "channels_first"
        return (channels, rows, columns)
    return (rows, columns, channels)


def _resizing(rng: random.Random) -> Case:
    config: dict[str, Any] = {"height": rng.randint(1, 12), "width": rng.randint(1, 12)}
    if rng.random() < 0.7:
        config["interpolation"] = rng.choice(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"])
    if rng.random() < 0.3:
        config["antialias"] = True
    if rng.random() < 0.4:
        config["crop_to_aspect_ratio"] = True
    if rng.random() < 0.3:
        config["pad_to_aspect_ratio"] = True
        config["fill_value"] = rng.choice([0.0, 2.0])
    return Case("Resizing", config, (_image(rng, config),))


def _center_crop(rng: random.Random) -> Case:
    config: dict[str, Any] = {"height": rng.randint(1, 8), "width": rng.randint(1, 8)}
    return Case("CenterCrop", config, (_image(rng, config),))


DRAWS: dict[str, Draw] = {
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Resizing": _resizing,
    "CenterCrop": _center_crop,
}
