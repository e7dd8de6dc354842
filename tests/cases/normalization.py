"""Cases of the normalization layers."""

import random
from typing import Any

from tests.cases import Case, Draw
from tests.cases.shapes import some_shape

CASES = [
    Case("BatchNormalization", {}, ((5, 3),)),
    Case("BatchNormalization", {"axis": 1, "epsilon": 0.1}, ((3, 5, 7),)),
    Case("BatchNormalization", {"scale": False}, ((None, None, 3),)),
    Case("BatchNormalization", {"center": False, "scale": False}, ((3,),)),
    Case("BatchNormalization", {"renorm": True}, ((5, 3),)),
    Case("BatchNormalization", {}, ((5, 3),), masks=(True,)),
    Case("BatchNormalization", {}, ((3, None),)),
    Case("BatchNormalization", {"axis": 4}, ((3, 5),)),
    Case("LayerNormalization", {}, ((5, 3),)),
    Case("LayerNormalization", {"axis": [1, 2]}, ((8, 5),)),
    Case("LayerNormalization", {"axis": [-1, 1]}, ((5, 7, 3),)),
    Case("LayerNormalization", {"axis": 1, "center": False}, ((5, 7, 3),)),
    Case("LayerNormalization", {"rms_scaling": True}, ((5, 3),)),
    Case("LayerNormalization", {"rms_scaling": True, "scale": False}, ((5, 3),)),
    Case("LayerNormalization", {"axis": 3}, ((5, 3),)),
    Case("GroupNormalization", {"groups": 2}, ((5, 6),)),
    Case("GroupNormalization", {"groups": 3, "axis": 1}, ((6, 5, 7),)),
    Case("GroupNormalization", {"groups": -1}, ((5, 7, 3),)),
    Case("GroupNormalization", {"groups": 1}, ((None, None, 6),)),
    Case("GroupNormalization", {"groups": 4}, ((5, 6),)),
    Case("GroupNormalization", {"groups": 12}, ((5, 6),)),
    Case("GroupNormalization", {}, ((5, 64),)),
    Case("RMSNormalization", {}, ((5, 3),)),
    Case("RMSNormalization", {"axis": [1, 2], "epsilon": 0.1}, ((5, 3),)),
    Case("UnitNormalization", {}, ((5, 3),)),
    Case("UnitNormalization", {"axis": [1, 2]}, ((5, 3),)),
    Case("UnitNormalization", {"axis": 4}, ((5, 3),)),
]


def _switches(rng: random.Random) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if rng.random() < 0.5:
        config["epsilon"] = rng.choice([1e-5, 1e-3, 0.2])
    for name in ("center", "scale"):
        if rng.random() < 0.4:
            config[name] = rng.random() < 0.5
    return config


def _batch(rng: random.Random) -> Case:
    shape = some_shape(rng)
    config = _switches(rng)
    if rng.random() < 0.5:
        known = [i for i, s in enumerate(shape, start=1) if s is not None]
        config["axis"] = rng.choice([*known, known[-1] - len(shape) - 1])
    if rng.random() < 0.2:
        config["renorm"] = True
    if rng.random() < 0.06:
        config["axis"] = 7
    return Case("BatchNormalization", config, (shape,), masks=(len(shape) == 2 and rng.random() < 0.5,))


def _some_axes(rng: random.Random, ndim: int) -> Any:
    axes = sorted(rng.sample(range(1, ndim), rng.randint(1, ndim - 1)))
    if rng.random() < 0.3:
        axes = [a - ndim for a in axes]
    return axes[0] if len(axes) == 1 and rng.random() < 0.5 else axes


def _layer(rng: random.Random) -> Case:
    shape = some_shape(rng, unknown=0)
    config = _switches(rng)
    if rng.random() < 0.7:
        config["axis"] = _some_axes(rng, len(shape) + 1)
    elif rng.random() < 0.3:
        shape = (None, *shape)
    if rng.random() < 0.15:
        config["rms_scaling"] = True
    if rng.random() < 0.06:
        config["axis"] = len(shape) + 1
    return Case("LayerNormalization", config, (shape,))


def _group(rng: random.Random) -> Case:
    groups = rng.choice([1, 2, 3])
    channels = groups * rng.choice([1, 2, 3, 5])
    shape = list(some_shape(rng, unknown=0))
    at = rng.randint(1, len(shape))
    shape[at - 1] = channels
    config = _switches(rng) | {"groups": rng.choice([groups, groups, -1])}
    if at != len(shape) or rng.random() < 0.3:
        config["axis"] = at if rng.random() < 0.6 else at - len(shape) - 1
    if rng.random() < 0.08:
        config["groups"] = channels + 1
    return Case("GroupNormalization", config, (tuple(shape),))


def _rms(rng: random.Random) -> Case:
    shape = some_shape(rng, unknown=0)
    config: dict[str, Any] = {}
    if rng.random() < 0.6:
        first = rng.randint(1, len(shape))
        config["axis"] = list(range(first, len(shape) + 1))
    elif rng.random() < 0.4:
        shape = (None, *shape)
    if rng.random() < 0.5:
        config["epsilon"] = rng.choice([1e-5, 0.2])
    return Case("RMSNormalization", config, (shape,))


def _unit(rng: random.Random) -> Case:
    shape = some_shape(rng)
    config = {"axis": _some_axes(rng, len(shape) + 1)} if rng.random() < 0.7 else {}
    if rng.random() < 0.06:
        config = {"axis": 8}
    return Case("UnitNormalization", config, (shape,))


DRAWS: dict[str, Draw] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "LayerNormalization": _layer,
    "RMSNormalization": _rms,
    "UnitNormalization": _unit,
}
