"""Blocks of calls that a model repeats exactly: the same layers, wired alike, from one tensor to one tensor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from layerexplain.frontends.model_builder import beginning
from layerexplain.records import NamedTuple

_LONGEST = 48
_LEAST_SAVED = 3
"""So many statements a block must save: those that its function and its calls do not take."""


class ComparedCall(NamedTuple):
    """One call as it is compared: what it does with its sources as distances, which calls before it these are, how far
    behind it it is last used, and the name that it was given, None for one that Keras gave."""

    token: Hashable
    sources: tuple[int, ...]
    last_use: int
    name: str | None
    alone: bool
    """Whether it can stand in no block, as what is called several times."""


class Block(NamedTuple):
    """A block of `length` calls, where it begins (each time), and what stands behind the names of its layers; the
    beginnings of the names, one for each time ("" where Keras gave all names)."""

    length: int
    starts: tuple[int, ...]
    suffixes: tuple[str | None, ...]
    prefixes: tuple[str, ...]


def repeated_blocks(steps: Sequence[ComparedCall]) -> list[Block]:
    """Return the blocks that are worth a function, those that save most first; they do not overlap.

    >>> chain = [ComparedCall(kind, (1,), 1, None, False) for kind in "abcabcabcd"]
    >>> repeated_blocks(chain)[0].starts
    (0, 3, 6)
    """
    numbers: dict[Hashable, int] = {}
    tokens = [numbers.setdefault((step.token, step.sources, step.name is None), len(numbers)) for step in steps]
    seen: dict[Hashable, list[int]] = {}
    windows: dict[tuple[int, int], tuple[Hashable, tuple[str | None, ...], str]] = {}
    for start in range(len(steps)):
        used_to = start  # the last step that reads what the block makes before its own last step
        for length in range(1, min(_LONGEST, len(steps) - start) + 1):
            step = steps[start + length - 1]
            if step.alone or any(distance > length for distance in step.sources):
                break  # it reads what stands before the block, and is not its one input
            is_closed = used_to < start + length
            used_to = max(used_to, start + length - 1 + step.last_use)
            if not is_closed:
                continue
            suffixes, prefix = _names(steps, start, length)
            key = (tuple(tokens[start : start + length]), suffixes)
            windows[start, length] = (key, suffixes, prefix)
            seen.setdefault(key, []).append(start)
    return _chosen(seen, windows, len(steps))


def _chosen(
    seen: dict[Hashable, list[int]],
    windows: dict[tuple[int, int], tuple[Hashable, tuple[str | None, ...], str]],
    count: int,
) -> list[Block]:
    groups = [(starts, len(windows_key[0])) for windows_key, starts in seen.items() if len(starts) > 1]  # type: ignore[index]
    taken = [False] * count
    found: list[Block] = []
    while True:
        best: tuple[int, int, list[int]] = (0, 0, [])
        for starts, length in groups:
            if _saved(len(starts), length) < 1:
                continue
            free: list[int] = []
            for start in starts:
                if (not free or start >= free[-1] + length) and not any(taken[start : start + length]):
                    free.append(start)
            saved = _saved(len(free), length)
            if length == 1 and (len(free) < 3 or free[-1] - free[0] > len(free) - 1):  # not in a row
                continue
            if saved >= (1 if length == 1 else _LEAST_SAVED) and (saved, -length) > (best[0], -best[1]):
                best = (saved, length, free)
        if not best[2]:
            return found
        _, length, free = best
        suffixes = windows[free[0], length][1]
        found.append(Block(length, tuple(free), suffixes, tuple([windows[start, length][2] for start in free])))
        for start in free:
            taken[start : start + length] = [True] * length


def _saved(count: int, length: int) -> int:
    return count - 2 if length == 1 else count * length - count - length


def _names(steps: Sequence[ComparedCall], start: int, length: int) -> tuple[tuple[str | None, ...], str]:
    names = [step.name for step in steps[start : start + length]]
    prefix = beginning([name for name in names if name is not None])
    # A number is not cut into two: conv1 and conv12 begin with conv.
    if any(name is not None and name[len(prefix) : len(prefix) + 1].isdigit() for name in names):
        prefix = prefix.rstrip("0123456789")
    prefix = prefix.rstrip("_/.-")
    # Nor is a word: a_conv and a_concat begin with a.
    if "_" in prefix and any(name is not None and name[len(prefix) : len(prefix) + 1].isalnum() for name in names):
        prefix = prefix.rpartition("_")[0]
    return tuple([None if name is None else name[len(prefix) :] for name in names]), prefix
