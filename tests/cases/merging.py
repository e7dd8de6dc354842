"""Cases of the layers that join tensors."""

import random
from typing import Any

from tests.cases import Case, Draw
from tests.cases.shapes import SIZES, some_shape

TWO = ((5, 3), (5, 3))

CASES = [
    *[Case(t, {}, (*TWO, (5, 3))) for t in ("Add", "Multiply", "Average", "Maximum", "Minimum")],
    *[Case(t, {}, ((4, 1), (4, 6))) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")],
    *[Case(t, {}, ((6,), (4, 6))) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")],
    *[Case(t, {}, ((4, 2), (4, 6))) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")],
    *[Case(t, {}, ((4, 2),)) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")],
    *[Case(t, {}, TWO, masks=masks) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
        "Concatenate") for masks in ((True, True), (True, False), (False, True))],
    *[Case(t, {}, (*TWO, (5, 3)), masks=masks) for t in ("Multiply", "Maximum",
        "Minimum") for masks in ((True, True, True), (True, False, True), (False, True, True), (True, True, False))],
    Case("Multiply", {}, ((5, 3), (3,)), masks=(True, False)),
    Case("Maximum", {}, ((5, 3), (7, 5, 3)), masks=(True, False)),
    Case("Concatenate", {"axis": 1}, ((5, 3), (4, 3)), masks=(True, False)),
    Case("Concatenate", {"axis": 1}, ((5, 3), (4, 3)), masks=(True, True)),
    Case("Concatenate", {"axis": 1}, ((5, 3), (4, 2))),
    Case("Concatenate", {"axis": -1}, ((5, 3), (5, 4), (5, 1))),
    Case("Concatenate", {"axis": 3}, ((5, 3), (5, 4))),
    *[Case(t, {}, ((None,), (7,))) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")],
    Case("Add", {}, ((7, 3), (None,), (1, 3))),
    Case("Maximum", {}, ((None, 3), (7, 1), (3,))),
    Case("Concatenate", {"axis": 1}, ((5, None), (4, 7))),
    Case("Concatenate", {"axis": 1}, ((5, 7), (4, None))),
    Case("Concatenate", {"axis": 2}, ((None, 3), (7, None))),
    Case("Concatenate", {"axis": 1}, ((5, None), (4, 3), (4, 2))),
    Case("Dot", {"axes": 1}, ((5,), (5,))),
    Case("Dot", {"axes": -1, "normalize": True}, ((5,), (5,))),
    Case("Dot", {"axes": [2, 1]}, ((7, 5), (5, 3))),
    Case("Dot", {"axes": (1, 2)}, ((5, 7), (3, 5))),
    Case("Dot", {"axes": 2}, ((7, 5), (3, 5)), masks=(True, True)),
    Case("Dot", {"axes": 1}, ((7, 5), (3, 5))),
    Case("Dot", {"axes": 0}, ((5,), (5,))),
]  # fmt: skip


def _elementwise(type_: str) -> Draw:
    def draw(rng: random.Random) -> Case:
        count = 2 if type_ == "Subtract" else rng.choice([1, 2, 2, 3, 4])
        base = some_shape(rng, unknown=0)
        shapes: list[tuple[int | None, ...]] = []
        kind = rng.choice(["equal", "equal", "ones", "ranks"])
        if kind == "equal" and len(base) > 1 and rng.random() < 0.3:
            base = (None, *base[1:])
        for i in range(count):
            shape = list(base)
            if kind == "ones" and i:
                shape = [1 if rng.random() < 0.4 else s for s in shape]
            if kind == "ranks" and i and rng.random() < 0.6:
                shape = shape[rng.randint(0, len(shape) - 1) :]
            shapes.append(tuple(shape))
        if rng.random() < 0.08:
            shapes[-1] = (*shapes[-1][:-1], 11)
        if any(set(shape) == {1} for shape in shapes):
            # Values of a batch of 2 would be added along an axis of 2 (tests/layers/test_keras_faults.py).
            shapes = [tuple(11 if s == 2 else s for s in shape) for shape in shapes]
        rng.shuffle(shapes)
        masked: tuple[bool, ...] = ()
        if kind == "equal" and len(base) == 2 and rng.random() < 0.7:
            masked = tuple(rng.random() < 0.7 for _ in shapes)
        return Case(type_, {}, tuple(shapes), masks=masked)

    return draw


def _concatenate(rng: random.Random) -> Case:
    base = some_shape(rng, unknown=0.1)
    ndim = len(base) + 1
    axis = rng.choice([-1, rng.randint(1, ndim - 1), -rng.randint(1, ndim - 1)])
    at = axis % ndim - 1
    shapes = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        shape = list(base)
        shape[at] = None if base[at] is None else rng.choice(SIZES)
        shapes.append(tuple(shape))
    if rng.random() < 0.06 and ndim > 2:
        other = [11 if i != at else s for i, s in enumerate(shapes[0])]
        shapes.append(tuple(other))
    masked = tuple(rng.random() < 0.6 for _ in shapes) if ndim == 3 else ()
    return Case("Concatenate", {"axis": axis} if axis != -1 or rng.random() < 0.5 else {}, tuple(shapes), masks=masked)


def _dot(rng: random.Random) -> Case:
    a, b = list(some_shape(rng, 1, 3, unknown=0)), list(some_shape(rng, 1, 3, unknown=0))
    at = [rng.randint(1, len(a)), rng.randint(1, len(b))]
    axes: Any = list(at)
    kind = rng.random()
    if kind < 0.25:
        axes = -1
        at = [len(a), len(b)]
    elif kind < 0.5:
        axes = min(at)
        at = [axes, axes]
    elif kind < 0.65:
        axes = [at[0] - len(a) - 1, at[1] - len(b) - 1]
    size = rng.choice(SIZES)
    a[at[0] - 1] = size
    b[at[1] - 1] = size if rng.random() < 0.92 else 11
    config: dict[str, Any] = {"axes": axes}
    if rng.random() < 0.4:
        config["normalize"] = True
    masked = (len(a) == 2, len(b) == 2) if rng.random() < 0.3 else ()
    return Case("Dot", config, (tuple(a), tuple(b)), masks=masked)


DRAWS: dict[str, Draw] = {
    "Concatenate": _concatenate,
    "Dot": _dot,
    **{t: _elementwise(t) for t in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
}
