"""Choose index letters: the role of an axis decides its letter, and no letter is also a symbol of the layer.

n batch · t s r steps · i j l rows, columns, planes · u v w inside windows · p q r summed positions · k output unit,
filter, channel or feature · m input unit or channel · a head · d per head · T the last step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from layerexplain.lang.scalar import Letter

LETTERS: Final = {
    "batch": "n",
    "steps": "tsr",
    "rows": "ijl",
    "columns": "jil",
    "planes": "lij",
    "window": "uvw",
    "summed": "pqr",
    "inputs": "mpq",
    "heads": "a",
    "per head": "d",
    "units": "ke",
    "filters": "ke",
    "channels": "ke",
    "features": "ke",
}
"""The letters of each role; the first free one is used."""

OTHERS: Final = "kepqrmuvwzijlsdagfoch"
"""Letters for other roles, and for roles whose letters are all used."""


def choose(letters: Sequence[Letter], taken: dict[Letter, str], symbols: Collection[str]) -> dict[Letter, str]:
    """Return `taken` with a name added for each of `letters`, different from all taken names and symbols."""
    names = dict(taken)
    used = {name for name in names.values() if name}
    for one in letters:
        own = LETTERS.get(one.role, "k")
        free = (c for c in (*own, *OTHERS) if c not in used and c not in symbols)
        name = next(free, None) or next(
            f"k{i}" for i in range(1, 1000) if f"k{i}" not in used and f"k{i}" not in symbols
        )
        names[one] = name
        used.add(name)
    return names
