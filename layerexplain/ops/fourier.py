"""Fourier transforms of real and complex signals, as real and imaginary parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import AxesOfEach, Axis, Shape
from layerexplain.lang.expr import NOT_INDEXED, Expr, Op, item
from layerexplain.ops.arrange import full_like
from layerexplain.ops.families import common, function
from layerexplain.ops.movement import pad_along, slice_along, to_length
from layerexplain.ops.sizes import (
    agree,
    changed,
    equation,
    kept,
    misfit,
    product,
    promote,
    shape_text,
    size_text,
    sized,
)

SUM_OF_WAVES = NOT_INDEXED("each element is a sum over the whole signal with cosines and sines")


def _flops(count: Callable[[Expr], tuple[Any, int | None]]) -> Callable[[Expr], int | None]:
    """5 · N · log2 N for each signal of N numbers, as is usual for a fast Fourier transform."""

    def rule(node: Expr) -> int | None:
        shape, n = count(node)
        lead = product(shape)
        return None if lead is None or n is None else lead * round(5 * n * math.log2(max(n, 1)))

    return rule


def parts(name: str, re: Expr, im: Expr) -> Shape:
    if re.ndim != im.ndim or not all(agree(a, b) for a, b in zip(re.shape, im.shape, strict=True)):
        raise misfit(f"{name} needs real and imaginary parts of the same shape", re, im)
    shape: Shape = re.shape
    return shape


def transform(name: str, *, count: Callable[[Expr], tuple[Any, int | None]], **rules: Any) -> Op:
    """Return a transform; `count(node)` gives the shape of the stack of signals, and how many numbers each has."""
    return function(name, flops=_flops(count), element=SUM_OF_WAVES, **rules)


def _fft_axes(re: Expr, im: Expr, *, rank: int, inverse: bool) -> AxesOfEach:
    shape = parts("fft", re, im)
    if len(shape) < rank:
        raise ShapeError(f"fft needs at least {rank} axes, got {shape_text(shape)}")
    return AxesOfEach([kept(re), kept(re)])


def _fft_value(np: Any, re: Any, im: Any, *, rank: int, inverse: bool) -> Any:
    transform = np.fft.ifftn if inverse else np.fft.fftn
    spectrum = transform(np.asarray(re, "f8") + 1j * im, axes=tuple(range(-rank, 0)))
    return spectrum.real, spectrum.imag


def _fft_count(node: Expr) -> tuple[Any, int | None]:
    rank = node.options["rank"]
    shape = node.args[0].shape
    return shape[:-rank], product(shape[-rank:])


def pair(dy: Sequence[Expr | None]) -> tuple[Expr, Expr]:
    """Return the gradients of a real and an imaginary part; 0 where one is not used."""
    zero = full_like(next(one for one in dy if one is not None), value=0)
    re, im = (zero if one is None else one for one in dy)
    return re, im


def _of_fft(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    """Return the transform that turns the other way: without 1/N where the forward one has none."""
    rank, inverse, x = y.options["rank"], y.options["inverse"], y.args[0]
    count = prod(sized(x, range(x.ndim - rank, x.ndim)))
    back = item(fft(*pair(dy), rank=rank, inverse=not inverse), i)
    return back / count if inverse else count * back


fft: Op = transform(
    "fft",
    axes=_fft_axes,
    dtype=lambda re, im, **attrs: (promote(re.dtype, im.dtype),) * 2,
    value=_fft_value,
    count=_fft_count,
    defaults={"rank": 1, "inverse": False},
    gradient=_of_fft,
)
"""`re, im = fft(a, b)`: the Fourier transform of a + b·i along the last axis, or along the last two with rank=2:
the sum over k of (a[k] + b[k]·i) · exp(-2πi·f·k/N). `inverse` has a plus there and divides by N."""


def _rfft_axes(x: Expr, *, length: int | None) -> AxesOfEach:
    n = x.shape[-1] if length is None else length
    high = n // 2 + 1 if isinstance(n, int) else None
    return AxesOfEach([changed(x, -1, high, equation(f"{size_text(n)} // 2 + 1", high), "frequencies")] * 2)


def _rfft_value(np: Any, x: Any, *, length: int | None) -> Any:
    spectrum = np.fft.rfft(np.asarray(x, "f8"), n=length, axis=-1)
    return spectrum.real, spectrum.imag


def _number(n: Any) -> int | None:
    return n if isinstance(n, int) else None


def _of_rfft(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    """Collect for each sample from all frequencies, each with its wave; samples that were cut off get 0."""
    x = y.args[0]
    (size,) = sized(x, [-1])
    length = y.options["length"] or size
    last = x.ndim - 1
    waves = [pad_along(one, {last: (0, length - (length // 2 + 1))}) for one in pair(dy)]
    back = length * item(fft(*waves, inverse=True), 0)
    return to_length(back, last, size)


rfft = transform(
    "rfft",
    axes=_rfft_axes,
    dtype=lambda x, **attrs: (promote(x.dtype, "float"),) * 2,
    value=_rfft_value,
    count=lambda node: (node.args[0].shape[:-1], _number(node.options["length"] or node.args[0].shape[-1])),
    defaults={"length": None},
    gradient=_of_rfft,
)
"""`re, im = rfft(x)`: the Fourier transform of a real signal along the last axis, up to half its length; `length`
cuts it off or fills it up with 0 first."""


def _irfft_axes(re: Expr, im: Expr, *, length: int | None) -> list[Axis]:
    *_, n = parts("irfft", re, im)
    after = length if length is not None else 2 * (n - 1) if isinstance(n, int) else None
    why = "the requested length" if length is not None else equation(f"2 * ({size_text(n)} - 1)", after)
    return changed(re, -1, after, why, "steps")


def _of_irfft(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the spectrum of dy. All frequencies but 0 and half the length stand for two waves: twice as much."""
    (length,) = sized(y, [-1])
    half = item(rfft(dy), i)
    last = half.ndim - 1
    ends = half.shape[-1] - 1 if length % 2 == 0 else half.shape[-1]
    twice = pad_along(slice_along(half, {last: slice(1, ends)}), {last: (1, half.shape[-1] - ends)})
    return to_length((half + twice) / length, last, *sized(y.args[0], [-1]))


irfft = transform(
    "irfft",
    axes=_irfft_axes,
    dtype=common,
    value=lambda np, re, im, length: np.fft.irfft(np.asarray(re, "f8") + 1j * im, n=length, axis=-1),
    count=lambda node: (node.shape[:-1], _number(node.shape[-1])),
    defaults={"length": None},
    gradient=_of_irfft,
)
"""`irfft(a, b)`: the real signal of which a + b·i is the Fourier transform (see rfft)."""
