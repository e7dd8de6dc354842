"""Amounts as people type them: `50MB`, `2GiB`, `1e6`."""

from __future__ import annotations

from collections.abc import Callable

import click

_UNITS = {unit: 1000.0**i for i, unit in enumerate(("", "kb", "mb", "gb", "tb"))}
_UNITS |= {unit: 1024.0**i for i, unit in enumerate(("b", "kib", "mib", "gib", "tib"))}


def amount(text: str, unit: str = "") -> float | None:
    """Return the number that a text says, its unit counted in; None where it says none.

    `unit` is that of a number without one. Numbers are positive or 0, and finite.

    >>> amount("50MB"), amount("2 GiB"), amount("1.5", "gb"), amount("many")
    (50000000.0, 2147483648.0, 1500000000.0, None)
    """
    lowered = text.strip().lower()
    number = lowered.rstrip("kmgtib")
    try:
        result = float(number) * _UNITS[lowered[len(number) :] or unit]
    except (ValueError, KeyError):
        return None
    return result if 0 <= result < float("inf") else None


def bytes_in(
    unit: str, examples: str, least: int = 0
) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """Return the callback of an option that takes a number of bytes, in `unit` where the text has none; `examples` says
    in an error what would be right. A number below `least` is refused, too."""

    def read(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
        size = None if value is None else amount(value, unit)
        if value is not None and (size is None or size < least):
            raise click.BadParameter(f"'{value.strip()}' is not a size; write {examples}", ctx, parameter)
        return None if size is None else int(size)

    return read
