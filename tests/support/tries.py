"""How many drawn examples the tests try: a few, or many where `LAYEREXPLAIN_FUZZ=50000` asks for them (at night).

The same ones each time: seeds are fixed.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

MUTATIONS = int(os.environ.get("LAYEREXPLAIN_FUZZ", "400"))
"""Models drawn from the grammar of tests/fuzz; those who ask for more ask for more of everything."""

MANY = MUTATIONS >= 10_000


def tries(few: int, many: int) -> int:
    """How many examples a test tries."""
    return many if MANY else few


def some(rows: Sequence[T]) -> Sequence[T]:
    """Every third of many rows that are alike; all of them where much is tried."""
    return rows if MANY else rows[::3]
