"""Two long texts that differ, cut around the place where they begin to."""

from __future__ import annotations

_LONGEST = 72
_BEFORE = 16


def excerpts(before: str, after: str) -> tuple[str, str]:
    """Return two texts as they are shown beside each other: whole, or where one is long, from shortly before the first
    difference on.

    >>> excerpts("(3, 5)", "(3, 7)")
    ('(3, 5)', '(3, 7)')
    >>> one, other = (str([*range(60), last]) for last in (7, 8))
    >>> excerpts(one, other)
    ('… 56, 57, 58, 59, 7]', '… 56, 57, 58, 59, 8]')
    """
    if max(len(before), len(after)) <= _LONGEST:
        return before, after
    shorter = min(len(before), len(after))
    differs_at = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    start = before.rfind(" ", 0, max(differs_at - _BEFORE, 0)) + 1
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    end = start + _LONGEST - 4
    return f"{'… ' if start else ''}{text[start:end]}{' …' if len(text) > end else ''}"
