"""Sentences on the positions that the windows of a convolution or pooling read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.ops.spatial import each
from layerexplain.ops.window import Window, windows
from layerexplain.suggest import in_a_row


def reads(node: Expr) -> Iterator[str]:
    """Yield the input positions that the first, second and last windows of a convolution or pooling read, and which of
    them are padding; for a transposed convolution, the output positions that the first, second and last inputs reach.

    There is one line per axis, one line for equal axes, and none where it depends on an unknown size.

    `output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 13 rows 26 to 28 (28 is padding)`
    """
    slides = windows(node)
    extra = each(node.attrs.get("output_padding"), len(slides))
    transposed = node.op.name == "conv_transpose"
    groups: dict[Any, list[Window]] = {}
    for w, more in zip(slides, extra, strict=True):
        # A window of 1 with stride 1 reads the same at any size.
        same_place = w.reach == w.stride == 1 and not transposed
        groups.setdefault((w._replace(role="", n=None if same_place else w.n), more), []).append(w)
    for (_, more), alike in groups.items():
        text = _scatters(alike[0], more) if transposed else _gathers(alike[0])
        if text:
            others = " and ".join(w.role for w in alike[1:])
            yield f"{text}; likewise for {others}" if others else text


_MOST_LISTED = 8
"""Up to this number, positions are listed one by one."""


def _gathers(w: Window) -> str:
    if w.reach == w.stride == 1:
        return f"output {_one(w)} i reads input {_one(w)} i"
    if w.pads is None:
        return ""
    return window_sentence(w, w.number, w.pads[0], w.n, (f"output {_one(w)} {{}} reads", f"{_one(w)} {{}}", "padding"))


def _scatters(w: Window, output_padding: int | None) -> str:
    size = w.transposed_size(output_padding)
    if size is None and w.padding == "same":
        return ""
    start = 0 if size is None else w.transposed_start(size)
    return window_sentence(
        w, w.n, start, size, (f"input {_one(w)} {{}} adds to output", f"{_one(w)} {{}} to", "cut off")
    )


def window_sentence(w: Window, count: int | None, start: int, size: int | None, words: tuple[str, str, str]) -> str:
    """Return what the first, second and last of `count` windows cover of an axis of the given size, of which window 0
    begins `start` before it; the words are those for the first window, for others, and for what lies outside."""
    first_words, words_of_others, what = words
    parts = []
    for i in _ends(count):
        first = i * w.stride - start
        positions = range(first, first + w.reach, w.dilation)
        verb = (words_of_others if i else first_words).format(i)
        parts.append(f"{verb} {_named(w, positions)}{_aside(_outside(positions, size), what)}")
    return ", ".join(parts)


def _ends(count: int | None) -> list[int]:
    """Return the first, second and last of `count` positions."""
    if count is None:
        return [0, 1]
    return [0, 1, count - 1] if count > 2 else list(range(count))


def _one(w: Window) -> str:
    """Return the role of the axis in the singular: rows → row."""
    return w.role[:-1]


def _count(positions: range) -> int:
    """Return the number of positions; len() fails for absurdly large numbers from a file."""
    return max(-((positions.start - positions.stop) // positions.step), 0)


def _named(w: Window, positions: range) -> str:
    count = _count(positions)
    if count == 1:
        return f"{_one(w)} {positions[0]}"
    if w.dilation == 1 and count > 2:
        return f"{w.role} {positions[0]} to {positions[-1]}"
    if count <= 5:
        return f"{w.role} {in_a_row(positions)}"
    return f"{w.role} {positions[0]} to {positions[-1]}, every {w.dilation}"


def _outside(positions: range, size: int | None) -> tuple[range, range]:
    """Return the positions before 0 and those from `size` on."""
    step = positions.step
    count = _count(positions)
    before = min(count, max(-(positions.start // step), 0))
    inside = count if size is None else min(count, max(-((positions.start - size) // step), 0))
    return positions[:before], positions[max(inside, before) :]


def _aside(outside: tuple[range, range], what: str) -> str:
    parts = [part for part in outside if part]
    count = sum(map(_count, parts))
    if not count:
        return ""
    first, last = parts[0][0], parts[-1][-1]
    if count > 3 and last - first == count - 1:
        return f" ({first} to {last} are {what})"
    if count > _MOST_LISTED:
        spans = [f"{part[0]} to {part[-1]}" if _count(part) > 1 else str(part[0]) for part in parts]
        return f" ({' and '.join(spans)} are {what})"
    return f" ({in_a_row([*outside[0], *outside[1]])} {'is' if count == 1 else 'are'} {what})"
