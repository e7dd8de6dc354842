"""The layers and functions of einops, and their patterns: `b c (h p) w -> b (h w) (p c)`."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError, in_a_row
from layerexplain.lang.axes import BATCH, Batch, Shape, Size
from layerexplain.lang.expr import Expr
from layerexplain.lang.settings import size_of_batch
from layerexplain.layers.arguments import Annotated, Check, RefusedValue, Text, choice
from layerexplain.layers.declaration import Stored
from layerexplain.layers.registry import EINOPS, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops import reduce
from layerexplain.ops.movement import broadcast_to, reshape, transpose
from layerexplain.ops.sizes import quotient, shape_text
from layerexplain.records import NamedTuple

# Axis patterns ------------------------------------------------------------------------------------------------------

ELLIPSIS = "..."
_EACH = (ELLIPSIS, ELLIPSIS)
"""An ellipsis outside of brackets: its axes stay apart."""
_LONGEST = 1_000
"""The most characters of a pattern."""

Group = tuple[str, ...]
"""The axes that form one axis of a tensor, in order; none for an axis of size 1."""


class Pattern(NamedTuple):
    """The two sides of a pattern. An axis that is a number has a name of its own: `2#1`."""

    left: tuple[Group, ...]
    right: tuple[Group, ...]


@lru_cache(256)
def parsed(text: str) -> Pattern:
    """Return the sides of a pattern. Raises ArgumentError for a malformed one.

    >>> parsed("b (h 2) 1 -> b 1 h 2")
    Pattern(left=(('b',), ('h', '2#3'), ()), right=(('b',), (), ('h',), ('2#3',)))
    """
    sides = text.split("->")
    if len(text) > _LONGEST or len(sides) != 2:
        raise ArgumentError(
            f"a pattern needs two sides around one '->', of at most {_LONGEST:,} characters, got {text[:60]!r}"
        )
    return Pattern(*[_side(side, text) for side in sides])


def _side(text: str, pattern: str) -> tuple[Group, ...]:
    groups: list[Group] = []
    inside: list[str] | None = None
    seen: set[str] = set()
    for place, part in enumerate(re.findall(r"\.\.\.|\w+|[^ ]", text)):
        if part == "(" and inside is None:
            inside = []
        elif part == ")" and inside is not None:
            groups.append(tuple(inside))
            inside = None
        elif part in "()":
            raise ArgumentError(f"a pattern needs brackets in pairs, none inside others, got {pattern!r}")
        else:
            name = _axis(part, place, pattern)
            if name and name in seen:
                raise ArgumentError(f"a pattern needs each axis once on a side, got {name!r} twice in {pattern!r}")
            seen.add(name)
            named = (name,) if name else ()
            if inside is None:
                groups.append(_EACH if name == ELLIPSIS else named)
            else:
                inside += named
    if inside is not None:
        raise ArgumentError(f"a pattern needs brackets in pairs, none inside others, got {pattern!r}")
    return tuple(groups)


def _axis(part: str, place: int, pattern: str) -> str:
    """Return the name of an axis; "" for an axis of size 1."""
    if part == ELLIPSIS:
        return part
    if part.isdecimal():
        return "" if int(part) == 1 else f"{int(part)}#{place}"
    if not part.isidentifier() or part[0] == "_" or part[-1] == "_":
        raise ArgumentError(
            f"a pattern needs axes that are names without _ at an end, numbers or ..., got {part!r} in {pattern!r}"
        )
    return part


class Steps(NamedTuple):
    """What a pattern does with a tensor of a known shape, axis by axis. `before` and `after` are the sides with axes in
    place of the ellipsis, `sizes` those of all axes."""

    before: tuple[Group, ...]
    after: tuple[Group, ...]
    sizes: Mapping[str, Size]

    @property
    def split(self) -> list[str]:
        """The axes of the input, one by one."""
        return [name for group in self.before for name in group]

    @property
    def joined(self) -> list[str]:
        """The axes of the result, one by one."""
        return [name for group in self.after for name in group]

    @property
    def folded(self) -> list[str]:
        """The axes of the input that the result lacks."""
        return [name for name in self.split if name not in self.joined]

    @property
    def added(self) -> list[str]:
        """The axes of the result that the input lacks."""
        return [name for name in self.joined if name not in self.split]

    def shape(self, groups: Sequence[Group]) -> Shape:
        """Return the shape of a tensor whose axes are these groups."""
        return tuple([_size([self.sizes[name] for name in group]) for group in groups])


def _size(sizes: Sequence[Size]) -> Size:
    """Return the size of axes that are joined: with the batch among them a multiple of it."""
    return quotient(sizes, ())


def steps_of(operation: str, text: str, given: Mapping[str, Any], shape: Shape) -> Steps:
    """Return what a pattern does at a shape; `given` are sizes of axes by their names, None for the batch.

    Raises ArgumentError for a pattern that this operation does not take, ShapeError for a tensor that does not fit it.

    >>> steps = steps_of("rearrange", "b (h p) c -> b h (p c)", {"p": 5}, (7, 15, 2))
    >>> steps.sizes, steps.shape(steps.after)
    ({'b': 7, 'h': 3, 'p': 5, 'c': 2}, (7, 3, 10))
    """
    pattern = parsed(text)
    left, right = ({name for group in side for name in group} for side in pattern)
    _check_names(operation, text, left, right, given)
    before, after = sides_at(text, shape)
    sizes: dict[str, Size] = {}
    for axis, (group, size) in enumerate(zip(before, shape, strict=True)):
        sizes |= _sizes_of(group, size, axis, given, f"{text!r}", shape)
    for name in [name for group in after for name in group if name not in sizes]:
        sizes[name] = _known(name, given)
    return Steps(before, after, sizes)


def sides_at(text: str, shape: Sequence[object]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Return the sides of a pattern for a tensor, with an axis for each that the ellipsis stands for: `...0`. Raises
    ShapeError for a tensor with too few or too many axes."""
    left, right = parsed(text)
    count = len(left) - 1 if _EACH in left else len(left)
    if len(shape) < count or (len(shape) > count == len(left)):
        words = f"{count} {'axis' if count == 1 else 'axes'}"
        needs = words if count == len(left) else f"at least {words}"
        raise ShapeError(f"{text!r} needs an input with {needs}, got one with {len(shape)}")
    others = tuple([f"{ELLIPSIS}{i}" for i in range(len(shape) - count)])

    def expanded(groups: tuple[Group, ...]) -> tuple[Group, ...]:
        results: list[Group] = []
        for group in groups:
            if group == _EACH:
                results += [(name,) for name in others]
            else:
                results.append(tuple([item for name in group for item in (others if name == ELLIPSIS else (name,))]))
        return tuple(results)

    return expanded(left), expanded(right)


def _check_names(operation: str, text: str, left: set[str], right: set[str], given: Mapping[str, Any]) -> None:
    """Raise ArgumentError for names that are not where the operation needs them."""
    numbers = [name for name in sorted(left | right) if "#" in name]
    if ELLIPSIS in right - left or any(ELLIPSIS in group and group != _EACH for group in parsed(text).left):
        raise ArgumentError(f"a pattern needs its ... on the left side too, outside of brackets, got {text!r}")
    if operation == "rearrange" and numbers:
        raise ArgumentError(
            f"rearrange needs names for axes, 1 is its only number, got {numbers[0].partition('#')[0]} in {text!r}"
        )
    alone = {"rearrange": left ^ right, "repeat": left - right}.get(operation, right - left)
    if alone:
        where = {"rearrange": "each axis on both sides", "repeat": "each axis of the left side on the right"}.get(
            operation, "each axis of the right side on the left"
        )
        names = ", ".join(sorted(alone)).replace(f"{ELLIPSIS}", "...")
        raise ArgumentError(f"{operation} needs {where}, got {names} on one side only in {text!r}")
    unused = [name for name in given if name not in left | right]
    if unused:
        raise ArgumentError(f"{operation} needs an axis in {text!r} for each size, got {unused[0]}={given[unused[0]]}")
    without = sorted(name for name in right - left if "#" not in name and name not in given)
    if without:
        raise ArgumentError(f"{operation} needs a size for the new axis {without[0]} in {text!r}; give {without[0]}=2")


def _known(name: str, given: Mapping[str, Any]) -> Size:
    """Return the size of an axis that is a number or is given."""
    if "#" in name:
        return int(name.partition("#")[0])
    size = given[name]
    return size_in(size)


def size_in(size: Any) -> Size:
    """Return a size as an argument states it: None for the batch, `4 * n` for what depends on it."""
    result: Size = BATCH if size is None else size_of_batch(size) if isinstance(size, str) else size
    return result


def _sizes_of(
    group: Group, size: Size, axis: int, given: Mapping[str, Any], text: str, shape: Shape
) -> dict[str, Size]:
    """Return the sizes of the axes that one axis of the input consists of."""
    known = {name: _known(name, given) for name in group if "#" in name or name in given}
    open_ = [name for name in group if name not in known]
    if len(open_) > 1:
        raise ShapeError(f"{text} needs the size of all axes but one in ({' '.join(group)}); give {open_[0]}=2")
    whole = _size([*known.values()])
    words = " × ".join([f"{name} = {value}" for name, value in known.items() if "#" not in name]) or str(whole)
    rest = quotient([size], [whole])
    is_known = None not in (size, whole) and isinstance(size, Batch) == isinstance(whole, Batch)
    if is_known and rest is None if open_ else is_known and rest != 1:
        needs = f"to divide by {words}" if open_ else f"to be {words}"
        note = f": can't divide axis of length {size} in chunks of {whole}" if open_ else ""
        raise ShapeError(f"{text} needs axis {axis} of {shape_text(shape)} {needs}, got {size}{note}")
    return {**dict.fromkeys(open_, rest), **known}


# Einops -------------------------------------------------------------------------------------------------------------
# einops, with which programs of PyTorch move axes: rearrange, reduce and repeat, as functions and as modules.

_FOLDS = {"mean": reduce.mean, "sum": reduce.sum_, "max": reduce.amax, "min": reduce.amin, "prod": reduce.prod}
_IN_WORDS = {
    "mean": "averages over",
    "sum": "sums over",
    "max": "takes the largest value over",
    "min": "takes the smallest value over",
    "prod": "multiplies over",
}


def _sizes(value: Any) -> dict[str, int | str | None]:
    sizes = dict(value) if isinstance(value, Mapping) or value == () else None
    if sizes is None or not all(isinstance(item, str) for item in sizes):
        raise RefusedValue
    if not all(item is None or isinstance(item, str) or (type(item) is int and item > 0) for item in sizes.values()):
        raise RefusedValue
    return sizes


AxisSizes = Annotated[Any, Check("sizes ≥ 1 of axes by their names, None for the batch", "{h: 4}", _sizes, plain=False)]


def _moved(x: Expr, operation: str, pattern: str, sizes: Any, fold: Any = None) -> Stored:
    """Return a tensor as a pattern has it, and what happens to its axes in words."""
    steps = steps_of(operation, pattern, dict(sizes), x.shape)
    sizes_of, y, axes = steps.sizes, x, steps.split
    kept = [name for name in steps.joined if name in axes]
    if steps.folded or kept != [name for name in axes if name not in steps.folded]:
        y = _shaped(y, tuple([sizes_of[name] for name in axes]))
    if steps.folded:
        y = fold(y, axis=tuple([axes.index(name) for name in steps.folded]))
        axes = [name for name in axes if name not in steps.folded]
    if kept != axes:
        y = transpose(y, axes=tuple([axes.index(name) for name in kept]))
    if steps.added:
        y = _shaped(y, tuple([1 if name in steps.added else sizes_of[name] for name in steps.joined]))
        y = broadcast_to(y, shape=tuple([sizes_of[name] for name in steps.joined]))
    y = _shaped(y, steps.shape(steps.after))
    return Stored(y, (), words=_in_words(steps, axes, kept, operation))


def _shaped(x: Expr, shape: Shape) -> Expr:
    return x if x.shape == shape else reshape(x, shape=shape)


def _in_words(steps: Steps, axes: list[str], kept: list[str], operation: str) -> str:
    """Return what happens to the axes, in a sentence."""
    said = []
    split = [f"axis {i} into {_product(group, steps)}" for i, group in enumerate(steps.before) if len(group) > 1]
    if split:
        said.append(f"splits {in_a_row(split)}")
    if steps.folded:
        said.append(f"{_IN_WORDS[operation]} {in_a_row([_product((name,), steps) for name in steps.folded])}")
    if kept != axes:
        said.append(f"puts the axes in the order {', '.join(map(_plain_name, kept))}")
    if steps.added:
        new = in_a_row([_product((name,), steps) for name in steps.added])
        said.append(f"repeats along the new {'axis' if len(steps.added) == 1 else 'axes'} {new}")
    joined = [_product(group, steps) for group in steps.after if len(group) > 1]
    if joined:
        said.append(f"joins {in_a_row(joined)} into one axis{' each' * (len(joined) > 1)}")
    ones = steps.after.count(()) - steps.before.count(())
    if ones:
        axes_of_1 = "an axis" if abs(ones) == 1 else f"{abs(ones)} axes"
        said.append(f"{'inserts' if ones > 0 else 'removes'} {axes_of_1} of size 1")
    text = "; ".join(said) or "returns its input unchanged"
    return f"{text[0].upper()}{text[1:]}."


def _plain_name(name: str) -> str:
    return name.partition("#")[0].replace("...", "…")


def _product(group: Group, steps: Steps) -> str:
    """Return axes with their sizes: `h × p = 8 × 4`; without sizes where one is not known."""
    names = " × ".join(map(_plain_name, group))
    sizes = [steps.sizes[name] for name in group]
    text = " × ".join(map(_size_text, sizes))
    is_known = None not in sizes and not all(isinstance(size, Batch) for size in sizes) and text != names
    return f"{names} = {text}" if is_known else names


def _size_text(size: Size) -> str:
    if not isinstance(size, Batch):
        return str(size)
    return repr(size).replace("*", "×").replace("n", "batch", 1)


@layer(
    f"{EINOPS}rearrange",
    also=[f"{EINOPS}Rearrange"],
    gist="{pattern}",
    facts=Facts(example=(("pattern=b c h w -> b (c h w)",), ("3,8,8",))),
)
def rearrange(x: Expr, *, pattern: Text, sizes: AxisSizes = ()) -> Stored:
    """Splits, reorders and joins axes by a pattern.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.rearrange.
    """
    return _moved(x, "rearrange", pattern, sizes)


@layer(
    f"{EINOPS}repeat",
    also=[f"{EINOPS}Repeat"],
    gist="{pattern}",
    facts=Facts(example=(("pattern=b c h w -> b c (h 2) w",), ("3,8,8",))),
)
def repeat(x: Expr, *, pattern: Text, sizes: AxisSizes = ()) -> Stored:
    """Repeats its input along the axes that only the right side of a pattern has.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.repeat.
    """
    return _moved(x, "repeat", pattern, sizes)


@layer(
    f"{EINOPS}reduce",
    also=[f"{EINOPS}Reduce"],
    gist="{reduction} {pattern}",
    facts=Facts(example=(("pattern=b c h w -> b c", "reduction=mean"), ("3,8,8",))),
)
def reduce_axes(x: Expr, *, pattern: Text, reduction: choice(*_FOLDS), sizes: AxisSizes = ()) -> Stored:  # type: ignore[valid-type]
    """Takes the mean, sum, maximum, minimum or product over the axes that only the left side of a pattern has.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.reduce.
    """
    return _moved(x, reduction, pattern, sizes, _FOLDS[reduction])
