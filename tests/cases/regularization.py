"""Cases of the layers that act in training only."""

import random
from typing import Any

from tests.cases import Case, Draw
from tests.cases.shapes import some_shape

CASES = [
    Case("Dropout", {"rate": 0.3, "noise_shape": [None, 1, 3]}, ((5, 3),)),
    Case("Dropout", {"rate": 1.5}, ((5, 3),)),
    Case("SpatialDropout1D", {"rate": 0.3}, ((5, 3),)),
    Case("SpatialDropout1D", {"rate": 0.3}, ((5,),)),
    Case("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, ((3, 5, 7),)),
    Case("SpatialDropout3D", {"rate": 0.3}, ((5, 7, 2, 3),)),
    Case("AlphaDropout", {"rate": 0.3}, ((5, 3),)),
    Case("GaussianDropout", {"rate": 0.3}, ((5, 3),)),
    Case("GaussianNoise", {"stddev": 0.3}, ((5, 3),)),
    Case("GaussianNoise", {"stddev": -1}, ((5, 3),)),
    Case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, ((5, 3),)),
]


def _by(name: str, type_: str, axes: int | None = None, *, more: bool = False) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {name: rng.choice([0, 0.1, 0.5, 0.9, 1.0])}
        if rng.random() < 0.08:
            config[name] = rng.choice([-0.1, 1.2])
        least, most = (1, 4) if axes is None else (axes, axes)
        if axes is not None and rng.random() < 0.08:
            least = most = axes + 1
        shape = some_shape(rng, least, most)
        if more and rng.random() < 0.5:
            config["data_format"] = rng.choice(["channels_first", "channels_last"])
        if type_ == "Dropout" and rng.random() < 0.4:
            config["noise_shape"] = [None, *[rng.choice([1, s]) for s in shape]]
        masked = len(shape) == 2 and rng.random() < 0.5
        return Case(type_, config, (shape,), masks=(masked,))

    return draw


def _penalty(rng: random.Random) -> Case:
    return Case("ActivityRegularization", {"l1": rng.random(), "l2": rng.choice([0, 0.5])}, (some_shape(rng),))


DRAWS: dict[str, Draw] = {
    "ActivityRegularization": _penalty,
    "AlphaDropout": _by("rate", "AlphaDropout"),
    "Dropout": _by("rate", "Dropout"),
    "GaussianDropout": _by("rate", "GaussianDropout"),
    "GaussianNoise": _by("stddev", "GaussianNoise"),
    "SpatialDropout1D": _by("rate", "SpatialDropout1D", 2),
    "SpatialDropout2D": _by("rate", "SpatialDropout2D", 3, more=True),
    "SpatialDropout3D": _by("rate", "SpatialDropout3D", 4, more=True),
}
