"""Words that messages share: the end that offers what was probably meant, names in a row, the batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from layerexplain.errors import ArgumentError

MOST_CANDIDATES = 1000
"""Only so many names are compared, the last ones: comparing takes long, and a file may have any number of names."""

LONGEST = 100
"""A longer name was not misspelt."""


def did_you_mean(name: str, candidates: Iterable[str], before: str = "") -> str:
    """Return `"did you mean 'Dense'?"` for the candidate that is spelt most like `name`, with `before` in front of it;
    `""` when none is near.

    >>> did_you_mean("Dens", ["Dense", "Conv2D"], before=", ")
    ", did you mean 'Dense'?"
    """
    near = nearest(name, candidates)
    return "" if near is None else f"{before}did you mean '{near}'?"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is spelt most like a name, or the shortest that begins so; None when none is near.

    >>> nearest("adma", ["adamax", "adam"]), nearest("MaxP", ["MixUp", "MaxPooling2D", "MaxPool2D"])
    ('adam', 'MaxPool2D')
    """
    known = list(candidates)[-MOST_CANDIDATES:]
    same = [candidate for candidate in known if _bare(candidate) == _bare(name)]
    same = same or [candidate for candidate in known if _has_swapped_letters(candidate, name)]
    same = same or sorted([candidate for candidate in known if _is_beginning(name, candidate)], key=len)
    if not same and len(name) <= LONGEST:
        from difflib import get_close_matches

        lowered = {candidate.lower(): candidate for candidate in known if len(candidate) <= 2 * LONGEST}
        same = [lowered[match] for match in get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)]
    return same[0] if same else None


def must_be_known(what: str, name: object, known: Collection[str], hint: str = "") -> None:
    """Raise ArgumentError for a name that is not one of those known: the nearest is suggested, else `hint` is given,
    else all are listed.

    >>> must_be_known("theme", "drak", ("light", "dark"))
    Traceback (most recent call last):
    layerexplain.errors.ArgumentError: no theme 'drak'; did you mean 'dark'?
    """
    if name not in known:
        near = did_you_mean(str(name), known)
        raise ArgumentError(f"no {what} '{name}'; {near or hint or f'the {what}s are ' + ', '.join(known)}")


def names_in(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of a list, or the one that is given alone.

    >>> names_in("type"), names_in(["type", "shapes"])
    (('type',), ('type', 'shapes'))
    """
    return (names,) if isinstance(names, str) else tuple(names)


def in_a_row(parts: Iterable[object]) -> str:
    """Return `a, b and c`."""
    *before, last = map(str, parts)
    return f"{', '.join(before)} and {last}" if before else last


def batch_words(without: str, with_axis: str) -> str:
    """Return the note on a batch that was typed: how the shape is written without it, and how with an axis of unknown
    size."""
    return (
        f"None in front is read as the batch, which is left out here: write {without}; or {with_axis} if it is an axis"
    )


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _is_beginning(name: str, candidate: str) -> bool:
    """Return whether a name is the beginning of another, of three letters at least: `MaxP` of `MaxPool2D`."""
    return len(_bare(name)) >= 3 and _bare(candidate).startswith(_bare(name))


def _has_swapped_letters(one: str, other: str) -> bool:
    """Return whether two names differ in nothing but two neighbouring letters that changed places: `adma` and
    `adam`."""
    one, other = one.lower(), other.lower()
    apart = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b] if len(one) == len(other) else []
    if len(apart) != 2:
        return False
    i, j = apart
    return j == i + 1 and (one[i], one[j]) == (other[j], other[i])
