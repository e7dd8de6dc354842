"""Shapes to draw from, for the families of cases: distinct primes, now and then an unknown size."""

import random
from typing import Any

CASES: list[Any] = []
DRAWS: dict[str, Any] = {}

SIZES = (2, 3, 5, 7)


def some_shape(
    rng: random.Random, least: int = 1, most: int = 4, *, unknown: float = 0.1, last: int | None = None
) -> tuple[int | None, ...]:
    """A shape without the batch, with `least` to `most` axes. The last size is always known."""
    count = rng.randint(least, most)
    sizes: list[int | None] = [None if rng.random() < unknown else rng.choice(SIZES) for _ in range(count - 1)]
    return (*sizes, last or rng.choice((1, *SIZES)))
