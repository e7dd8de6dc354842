"""Cases of the layers that augment images: at inference nearly all of them pass images on."""

import random
from collections.abc import Callable
from typing import Any

from tests.cases import Case, Draw

Value = Callable[[random.Random], Any]


def _factor(low: float, high: float) -> Value:
    def draw(rng: random.Random) -> Any:
        if rng.random() < 0.05:
            return rng.choice([high + 1, "much", (low, high, high)])
        return round(rng.uniform(max(low, 0.1), high), 2) if rng.random() < 0.6 else (low, high)

    return draw


def _one_of(*values: Any) -> Value:
    return lambda rng: rng.choice(values)


BOTH, SHARE = _factor(-1, 1), _factor(0, 1)
RANGE = _one_of((0, 255), (0, 1), [-1, 1])
FILL = {"fill_mode": _one_of("constant", "nearest", "wrap", "reflect"), "fill_value": _one_of(0.0, 1.0)}
WAY = {"interpolation": _one_of("nearest", "bilinear")}

ARGUMENTS: dict[str, tuple[dict[str, Value], dict[str, Value]]] = {
    "RandomFlip": ({}, {"mode": _one_of("horizontal", "vertical", "horizontal_and_vertical")}),
    "RandomRotation": ({"factor": BOTH}, FILL | WAY),
    "RandomZoom": ({"height_factor": _factor(-0.9, 1)}, FILL | WAY | {"width_factor": _factor(-0.9, 1)}),
    "RandomTranslation": ({"height_factor": BOTH, "width_factor": BOTH}, FILL | WAY),
    "RandomShear": ({}, FILL | WAY | {"x_factor": SHARE, "y_factor": SHARE}),
    "RandomPerspective": ({}, WAY | {"factor": SHARE, "scale": _one_of(0.0, 0.5, 1.0)}),
    "RandomElasticTransform": ({}, FILL | WAY | {"factor": SHARE, "scale": SHARE, "value_range": RANGE}),
    "RandomErasing": ({}, {"factor": SHARE, "scale": SHARE, "value_range": RANGE, "fill_value": _one_of(None, 3)}),
    "CutMix": ({}, {"factor": SHARE}),
    "MixUp": ({}, {"alpha": _one_of(0.2, 1.0)}),
    "RandomBrightness": ({"factor": BOTH}, {"value_range": RANGE}),
    "RandomContrast": ({"factor": SHARE}, {"value_range": RANGE}),
    "RandomSaturation": ({"factor": BOTH}, {"value_range": RANGE}),
    "RandomHue": ({"factor": SHARE}, {"value_range": RANGE}),
    "RandomColorDegeneration": ({"factor": BOTH}, {"value_range": RANGE}),
    "RandomColorJitter": ({}, {"value_range": RANGE, "brightness_factor": BOTH, "contrast_factor": SHARE}),
    "RandomGrayscale": ({}, {"factor": _one_of(0.0, 0.3, 1.0, 2.0)}),
    "RandomInvert": ({}, {"factor": SHARE, "value_range": RANGE}),
    "RandomPosterization": ({"factor": _one_of(1, 4, 8, (2, 5))}, {"value_range": RANGE}),
    "RandomSharpness": ({"factor": SHARE}, {"value_range": RANGE}),
    "RandomGaussianBlur": ({}, {"factor": SHARE, "kernel_size": _one_of(3, 5, (3, 5), 4), "sigma": SHARE}),
    "Solarization": ({}, {"addition_factor": SHARE, "threshold_factor": SHARE, "value_range": RANGE}),
    "Equalization": ({}, {"value_range": RANGE, "bins": _one_of(16, 256)}),
    "RandAugment": ({}, WAY | {"value_range": RANGE, "num_ops": _one_of(1, 3), "factor": SHARE}),
    "AugMix": ({}, WAY | {"num_chains": _one_of(1, 3), "alpha": _one_of(0.5, 1.0), "all_ops": _one_of(True, False)}),
    "MaxNumBoundingBoxes": ({"max_number": _one_of(1, 3)}, {"fill_value": _one_of(-1, 0)}),
    "AutoContrast": ({}, {"value_range": RANGE}),
}
"""The arguments of each type: those that are needed, those that may be given."""

FIRST = {"data_format": "channels_first"}

CASES = [
    *[Case(type_, {k: v(random.Random(type_)) for k, v in needed.items()}, ((7, 5, 3),)) for type_, (needed, _) in ARGUMENTS.items()],
    Case("RandomFlip", {}, ((7, 5, 3),), ("int",)),
    Case("RandomRotation", {"factor": 0.2, **FIRST}, ((3, None, 5),)),
    Case("RandomRotation", {"factor": 2}, ((7, 5, 3),)),
    Case("RandomZoom", {"height_factor": 0.2, "fill_mode": "other"}, ((7, 5, 3),)),
    Case("RandomGaussianBlur", {"kernel_size": 4}, ((7, 5, 3),)),
    Case("AutoContrast", {"value_range": (0, 1)}, ((7, 5, 3),)),
    Case("RandomCrop", {"height": 7, "width": 5}, ((7, 5, 3),)),
    Case("RandomCrop", {"height": 7, "width": 5, **FIRST}, ((3, 7, 5),)),
]  # fmt: skip


def _augment(type_: str) -> Draw:
    needed, optional = ARGUMENTS[type_]

    def draw(rng: random.Random) -> Case:
        config = {name: value(rng) for name, value in needed.items()}
        config |= {name: value(rng) for name, value in optional.items() if rng.random() < 0.4}
        places = [None if rng.random() < 0.1 else rng.randint(3, 9) for _ in range(2)]
        if type_ in ("AutoContrast", "MaxNumBoundingBoxes") or rng.random() < 0.7:
            return Case(type_, config, ((*places, 3),))
        return Case(type_, config | FIRST, ((3, *places),))

    return draw


DRAWS: dict[str, Draw] = {type_: _augment(type_) for type_ in ARGUMENTS}
