"""How shapes, counts, bytes and excerpts of long texts read: one wording for every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from layerexplain.lang.axes import is_open
from layerexplain.model import Shape
from layerexplain.ops import sizes

if TYPE_CHECKING:
    from layerexplain.report.explanation_data import FieldAxis, ReceptiveField


# Quantities ---------------------------------------------------------------------------------------------------------

UNKNOWN = "?"
"""What a table prints for a count or an unknown shape."""


@lru_cache(1000)
def shape_text(shape: Shape | None, unknown: str = UNKNOWN) -> str:
    """Return `(None, 28, 28, 3)`; an unknown shape at all is `unknown`."""
    return unknown if shape is None else sizes.shape_text(shape)


def shapes_text(shapes: Iterable[Shape | None], unknown: str = UNKNOWN) -> str:
    """Return several shapes, joined by `; `."""
    return "; ".join([shape_text(shape, unknown) for shape in shapes])


def results_text(names: Sequence[str], shapes: Sequence[Shape | None], unknown: str = UNKNOWN) -> str:
    """Return the shapes of results, with their names where there are several: `y (None, 6); h (None, 3)`. Data has
    none."""
    if len(shapes) < 2 or not unknown or len(names) != len(shapes):
        return shapes_text(shapes, unknown)
    return "; ".join(f"{name} {shape_text(shape)}" for name, shape in zip(names, shapes, strict=True))


def sizes_text(shapes: Iterable[Shape | None]) -> str:
    """Return shapes without the batch, as `--input` takes them: `28×28×3`; several are joined by `; `."""
    texts = [UNKNOWN if shape is None else "×".join(map(str, shape[1:])) or "()" for shape in shapes]
    return "; ".join(texts)


def count_text(count: int | None) -> str:
    """Return `25,636,712`, or `?` where it is not known."""
    return UNKNOWN if count is None else f"{count:,}"


def bytes_text(count: int | None) -> str:
    """Return `102.5 MB`, in powers of 1000; below 1 kB `448 bytes`."""
    if count is None:
        return UNKNOWN
    if is_open(count):  # beside a name a number is exact
        return f"{count} bytes"
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count >= 10**18:  # may be more than a float holds
        return f"{(count + 5 * 10**14) // 10**15:,} PB"
    value = count / 1000
    units = ["kB", "MB", "GB", "TB", "PB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.1f} {units[0]}"


def size_text(count: int | None) -> str:
    """Return `102,546,848 bytes` beside a rounded number of them; empty where that says it all."""
    return f"{count:,} bytes" if count is not None and not is_open(count) and count >= 1000 else ""


def split_text(sums: Any) -> tuple[str, ...]:
    """Return how many of the parameters are trainable, and how many not."""
    if is_open(sums.params) and sums.non_trainable == 0:
        return ("all trainable",)
    return f"trainable {count_text(sums.trainable)}", f"non-trainable {count_text(sums.non_trainable)}"


REACHED_IN = {"keras": "in Keras", "torch": "PyTorch"}
"""What stands before the expressions that reach weights, by the framework."""


def written_by(format: str, keras_version: str | None) -> str:
    """Return what wrote a file: `keras-archive, Keras 3.15.1`."""
    return ", ".join(part for part in (format, f"Keras {keras_version}" if keras_version else "") if part)


def origin_text(source: str, format: str, keras_version: str | None) -> str:
    """Return where a model is from: `model.keras (keras-archive, Keras 3.15.1)`."""
    written = written_by(format, keras_version)
    return " ".join(part for part in (source, f"({written})" if written else "") if part)


def plural(count: int, noun: str) -> str:
    """Return `1 layer`, `1,024 layers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def not_models(count: int) -> str:
    """Return `1 file that is not a model`, `2 files that are not models`."""
    return f"{plural(count, 'file')} that {'is not a model' if count == 1 else 'are not models'}"


def names_text(names: list[str], limit: int | None) -> str:
    """Return `a, b, c (and 14 more)`; all of them where `limit` is None."""
    if limit is None or len(names) <= limit + 1:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} (and {len(names) - limit:,} more)"


def field_text(fields: Iterable[ReceptiveField], unknown: str = UNKNOWN) -> str:
    """Return what one output element depends on in each input: `11 × 11`, `1 to 7`; `all` of an unknown size."""
    from layerexplain.report import receptive_field

    return _of_inputs(fields, receptive_field.field_text, unknown)


def field_stride_text(fields: Iterable[ReceptiveField], unknown: str = UNKNOWN) -> str:
    """Return how far apart the fields of neighbouring elements begin: `4 × 4`, `0.5 × 0.5`; `-` where it does not
    move."""
    return _of_inputs(fields, _each(lambda axis: "-" if axis.stride is None else f"{axis.stride:g}"), unknown)


def field_start_text(fields: Iterable[ReceptiveField], unknown: str = UNKNOWN) -> str:
    """Return where what element 0 sees begins: `-5 × -5` is 5 before the input, in the padding."""
    return _of_inputs(fields, _each(lambda axis: "-" if axis.start is None else str(axis.start)), unknown)


def _each(text: Callable[[FieldAxis], str]) -> Callable[[Sequence[FieldAxis]], str]:
    def joined(axes: Sequence[FieldAxis]) -> str:
        texts = list(map(text, axes))
        return "-" if texts and set(texts) == {"-"} else " × ".join(texts)

    return joined


def _of_inputs(fields: Iterable[ReceptiveField], text: Callable[[Sequence[FieldAxis]], str], unknown: str) -> str:
    shown = list(fields)
    each = [unknown if field.unknown else text(field.axes) for field in shown]
    if len(shown) == 1:
        return each[0]
    return "; ".join(
        f"{field.input} {words}" if words else field.input for field, words in zip(shown, each, strict=True)
    )


# Excerpts -----------------------------------------------------------------------------------------------------------
# Two long texts that differ, cut around the place where they begin to.

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
