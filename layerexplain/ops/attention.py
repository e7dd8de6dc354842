"""Functions of attention in language models: rotary embeddings, what a query may see, penalties of distance."""

from __future__ import annotations

import math
from typing import Any

from layerexplain.lang.composite import composite
from layerexplain.lang.expr import Expr, constant, named
from layerexplain.ops.elementwise import (
    cast,
    cos,
    floor_divide,
    greater,
    greater_equal,
    less,
    log,
    logical_and,
    maximum,
    minimum,
    mod,
    power,
    sin,
    where,
)
from layerexplain.ops.joining import concatenate, stack
from layerexplain.ops.movement import positions, reshape, zeros
from layerexplain.ops.reduce import amax
from layerexplain.ops.sizes import misfit

# Attention ----------------------------------------------------------------------------------------------------------


def _slowed(f: Expr, pairs: Expr, scaling: tuple[Any, ...], x: Expr) -> Expr:
    """Return the frequencies as a scaling changes them, for texts longer than those of the training: divided by a
    number, mixed as llama3 or yarn do, or by the length of x (longrope, dynamic)."""
    kind, *numbers = scaling
    if kind == "linear":
        slower: Expr = f / numbers[0]
        return slower
    if kind in ("longrope", "dynamic"):
        return _by_length(f, pairs, kind, numbers, x)
    if kind == "llama3":
        factor, low, high, length = numbers
        turns = length / (2 * math.pi) * f
        share = minimum(maximum((high - turns) / (high - low), 0), 1)
    else:  # yarn: from one pair of features to another
        factor, first, last = numbers
        share = minimum(maximum((pairs - first) / (last - first), 0), 1)
    mixed: Expr = (1 - share) * f + share * f / factor
    return mixed


def _by_length(f: Expr, pairs: Expr, kind: str, numbers: list[float], x: Expr) -> Expr:
    """Return the frequencies of longrope (a length, then a factor of each pair up to it, and one beyond) or dynamic (a
    factor and a length). What the length of x decides is decided here where that is known."""
    known, half = x.shape[1], len(numbers) // 2
    length = numbers[0 if kind == "longrope" else 1]
    count = (
        known
        if isinstance(known, int)
        else named("count", amax(positions(x), axis=(0,), keepdims=True) + 1, "the length of the text")
    )
    if kind == "longrope":
        short, long = [constant(tuple(number)) for number in (numbers[1 : 1 + half], numbers[1 + half :])]
        is_long = count > length if isinstance(count, int) else greater(count, length)
        factors = (long if is_long else short) if isinstance(is_long, bool) else where(is_long, long, short)
        return f / named("factors", factors)
    if isinstance(count, int) and count <= length:
        return f
    longest = max(count, length) if isinstance(count, int) else maximum(count, length)
    stretch = numbers[0] * longest / length - (numbers[0] - 1)
    slower: Expr = f * power(stretch, -2 * pairs / (2 * pairs.shape[0] - 2))
    return slower


@composite("angles")
def angles(x: Expr, *, theta: float = 10000.0, features: int, scaling: tuple[Any, ...] | None = None) -> Expr:
    """Gives an angle for each position of x and each pair of features: the position times the pair's frequency."""
    if x.ndim < 2 or features < 1:
        raise misfit(f"angles needs axes (batch, positions, …) and features from 1 on, got {features}", x)
    pairs = positions(zeros(shape=((features + 1) // 2,)), axis=0)
    f = named("f", power(theta, -2 * pairs / features), "a frequency for each pair of features")
    if scaling is not None:
        f = named("f_scaled", _slowed(f, pairs, scaling, x))
    return positions(x)[:, None] * f


@composite("grid_angles")
def grid_angles(x: Expr, *, columns: int, theta: float = 10000.0, features: int, apart: bool = False) -> Expr:
    """Gives angles for the patches of an image, row by row: half of the pairs of features follow rows, half columns.

    `apart` gives every other frequency to the columns; otherwise both have the same.
    """
    if x.ndim < 2 or features < 4 or features % 4 or columns < 1:
        raise misfit(f"grid_angles needs axes (batch, patches, …), and features that 4 divides, got {features}", x)
    pairs = positions(zeros(shape=(features // 4,)), axis=0)
    of_rows = named("f", power(theta, -4 * pairs / features), "a frequency for each pair of features")
    of_columns = named("f_columns", power(theta, -(4 * pairs + 2) / features)) if apart else of_rows
    rows, places = floor_divide(positions(x), columns), mod(positions(x), columns)
    return concatenate(rows[:, None] * of_rows, places[:, None] * of_columns, axis=-1)


@composite("rope")
def rope(x: Expr, angle: Expr, *, neighbours: bool = False, scale: float = 1.0) -> Expr:
    """Turns pairs of features by the angle of their position: products of turned tensors depend on distances."""
    if x.ndim != 4 or angle.ndim != 2 or not isinstance(x.shape[-1], int) or not isinstance(angle.shape[1], int):
        raise misfit("rope needs axes (batch, positions, heads, features), and angles of positions and pairs", x, angle)
    half = angle.shape[1]
    if 2 * half > x.shape[-1]:
        raise misfit(f"rope needs at least {2 * half} features for {half} angles, got {x.shape[-1]}", x, angle)
    c, s = cos(angle), sin(angle)
    if scale != 1.0:
        c, s = scale * c, scale * s
    c, s = named("c", c)[:, None], named("s", s)[:, None]
    if neighbours:
        a, b = x[..., 0 : 2 * half : 2], x[..., 1 : 2 * half : 2]
    else:
        a, b = x[..., :half], x[..., half : 2 * half]
    a, b = named("a", a), named("b", b)
    turned = (a * c - b * s, b * c + a * s)
    rest = () if 2 * half == x.shape[-1] else (x[..., 2 * half :],)
    if not neighbours:
        return concatenate(*turned, *rest, axis=-1)
    lead = (x.shape[0], -1 if x.shape[1] is None else x.shape[1], x.shape[2])
    both = reshape(stack(*turned, axis=-1), shape=(*lead, 2 * half))
    return concatenate(both, *rest, axis=-1) if rest else both


@composite("causal")
def causal(scores: Expr, *, window: int | None = None) -> Expr:
    """Keeps the scores of each query (axis -2) with itself and earlier keys (axis -1), of a window those in it."""
    if scores.ndim < 2:
        raise misfit("causal needs scores of queries with keys, its last two axes", scores)
    if window is not None and window < 1:
        raise misfit(f"causal needs a window from 1 on, got {window}", scores)
    query, key = positions(scores, axis=-2)[:, None], positions(scores, axis=-1)
    seen = greater_equal(query, key)
    if window is not None:
        seen = logical_and(seen, less(query - key, window))
    return where(named("seen", seen), scores, -math.inf)


@composite("alibi")
def alibi(scores: Expr) -> Expr:
    """Adds to each score the position of its key times a slope of the head: distant keys count less."""
    heads = scores.shape[1]
    if scores.ndim != 4 or not isinstance(heads, int):
        raise misfit("alibi needs scores with the axes (batch, heads, queries, keys)", scores)
    slopes = constant(alibi_slopes(heads))
    return scores + reshape(slopes, shape=(heads, 1, 1)) * positions(scores, axis=-1)


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """Return the slopes of the heads: powers of 2 whose exponents are evenly spaced from 8 / heads to 8; for a number
    of heads that is no power of 2 those of the power below, then every other one of the power above.

    >>> alibi_slopes(2)
    (0.0625, 0.00390625)
    """
    power = 2 ** int(math.log2(heads))
    first = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    more = [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
    return (*first, *more)


@composite("relative_buckets")
def relative_buckets(x: Expr, *, buckets: int = 32, most: int = 128, both: bool = True) -> Expr:
    """Numbers the distances from each position to each other one: near ones apart, distant ones together."""
    distance = named("distance", positions(x)[None, :] - positions(x)[:, None])
    count = buckets // 2 if both else buckets
    beyond = named("beyond", maximum(distance, -distance) if both else maximum(-distance, 0))
    exact = count // 2
    far = log(maximum(cast(beyond, to="float"), 1) / exact) / math.log(most / exact) * (count - exact)
    number = where(less(beyond, exact), beyond, minimum(exact + cast(far, to="int32"), count - 1))
    return where(less(0, distance), number + count, number) if both else number
