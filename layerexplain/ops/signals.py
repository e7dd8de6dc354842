"""Signals: Fourier transforms as real and imaginary parts, and spectrograms of audio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import GONE, AxesOfEach, Axis, Shape, Size
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, Expr, Op, item, tensor
from layerexplain.ops.arrange import full_like
from layerexplain.ops.families import always, common, function, movement, without
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

# Fourier ------------------------------------------------------------------------------------------------------------

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
    zero = full_like(next(expression for expression in dy if expression is not None), value=0)
    re, im = (zero if expression is None else expression for expression in dy)
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
    waves = [pad_along(expression, {last: (0, length - (length // 2 + 1))}) for expression in pair(dy)]
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


# Audio --------------------------------------------------------------------------------------------------------------
# Spectra of audio: the Fourier transforms of frames, their inverse, and mel filters.

MEL_BREAK, MEL_Q = 700.0, 1127.0
"""A frequency of f hertz lies at MEL_Q · ln(1 + f / MEL_BREAK) mel."""


def frames(n: Size, stride: int, fft: int, center: bool = True) -> int | None:
    """Return the number of frames in n samples; with `center`, the signal is reflected by half a frame at both ends."""
    return max(1 + (n + (2 * (fft // 2) if center else 0) - fft) // stride, 0) if isinstance(n, int) else None


def _stft_axes(x: Expr, *, length: int, stride: int, fft: int, window: str, center: bool) -> AxesOfEach:
    n = x.shape[-1]
    if isinstance(n, int) and center and n <= fft // 2:
        raise ShapeError(f"stft needs more than {fft // 2} samples (half of fft {fft}), got {n}")
    count, high = frames(n, stride, fft, center), fft // 2 + 1
    ends = f" + 2 × {fft // 2}" if center else ""
    why = equation(f"floor(({size_text(n)}{ends} - {fft}) / {stride}) + 1", count)
    items = [*changed(x, -1, count, why, "steps"), Axis("frequencies", None, high, f"{fft} // 2 + 1 = {high}")]
    return AxesOfEach([items, items])


def window_values(np: Any, length: int, fft: int, window: str) -> Any:
    """Return the weights of a window of `length` samples in the middle of `fft`; "" weighs all samples alike."""
    high = 0.5 if window == "hann" else 0.54
    # TensorFlow's window repeats after `length` samples if that is even, and is symmetric if it is odd.
    period = length if length % 2 == 0 else max(length - 1, 1)
    waves = np.cos(2 * np.pi * np.arange(length) / period)
    shape = high - (1 - high) * waves if window else np.ones(length)
    before = (fft - length) // 2
    return np.pad(shape, (before, fft - length - before))


def _stft_value(np: Any, x: Any, *, length: int, stride: int, fft: int, window: str, center: bool) -> Any:
    ends = fft // 2 if center else 0
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(ends, ends)], mode="reflect") if ends else x
    shape = window_values(np, length, fft, window)
    cut = np.lib.stride_tricks.sliding_window_view(padded, fft, axis=-1)[..., ::stride, :]
    spectrum = np.fft.rfft(cut * shape, axis=-1)
    return spectrum.real, spectrum.imag


def _stft_flops(node: Expr) -> int | None:
    """5 · N · log2 N a stretch, as is usual for a fast Fourier transform, and N for the window."""
    count, fft = node.shape[0][-2], node.attrs["fft"]
    return None if count is None else count * round(5 * fft * math.log2(fft) + fft)


stft: Op = function(
    "stft",
    axes=_stft_axes,
    dtype=always(("float", "float")),
    value=_stft_value,
    flops=_stft_flops,
    element=NOT_INDEXED("the signal is reflected at both ends"),
    defaults={"window": "hann", "center": True},
    gradient=lambda y, dy, i: stft_back(*pair(dy), to=sized(y.args[0], [-1])[0], **y.attrs),
)
"""`re, im = stft(x, length=400, stride=160, fft=512)`: the signal is reflected at both ends (unless
`center=False`) and cut into frames of `fft` samples, `stride` apart; each is multiplied by a window of `length` and
Fourier transformed: the sum over k of x[k] · window[k] · cos(2πfk/fft) for each f, and the negative one with sin."""


def _mel_value(np: Any, *, bins: int, of: int, rate: float, low: float, high: float) -> Any:

    def mel(hertz: Any) -> Any:
        return MEL_Q * np.log(1 + np.asarray(hertz) / MEL_BREAK)

    frequencies = mel(np.linspace(0, rate / 2, of)[1:])[:, None]
    edges = np.linspace(mel(low), mel(high), bins + 2)
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.pad(np.maximum(0, np.minimum(rising, falling)), [(1, 0), (0, 0)])


mel_filters = movement(
    "mel_filters",
    axes=lambda *, bins, of, **attrs: [
        Axis("frequencies", None, of, "one for each frequency"),
        Axis("bins", None, bins, f"{bins} bins, evenly spaced on the mel scale"),
    ],
    dtype=always("float"),
    value=_mel_value,
    element=NOT_INDEXED("its triangles lie between bin edges on a logarithmic scale"),
    gradient=NO_GRADIENT("a constant"),
)
"""`mel_filters(bins=80, of=257, rate=16000, low=20.0, high=8000)`: a column a bin, a triangle over the frequencies
from 0 to rate / 2, as ears hear them: 1127 · ln(1 + f / 700) mel."""


def _istft_length(n: Size, stride: int, fft: int, keep: int | None, center: bool) -> int | None:
    """Return how long the signal is that n stretches make, one laid over the other, without its ends."""
    if not isinstance(n, int):
        return None
    whole, start = fft + stride * (n - 1), fft // 2 if center else 0
    return max((whole - start if keep is None else min(whole, start + keep)) - start, 0)


def _istft_axes(re: Expr, im: Expr, *, stride: int, fft: int, keep: int | None, center: bool, **_: Any) -> list[Axis]:
    shape = parts("istft", re, im)
    if len(shape) < 2 or shape[-1] not in (fft // 2 + 1, None):
        raise ShapeError(f"istft needs frames of {fft // 2 + 1} frequencies, got {shape_text(shape)}")
    lead, count = re.ndim - 2, shape[-2]
    after = _istft_length(count, stride, fft, keep, center)
    text = f"{fft} + {stride} * ({size_text(count)} - 1), the ends cut off"
    return [
        *kept(re)[:lead],
        Axis("steps", (0, lead), after, text if after is None else f"{text}: {after}"),
        Axis("", (0, lead + 1), GONE, "waves are summed"),
    ]


def _istft_frames(np: Any, *, length: int, stride: int, fft: int, window: str) -> Any:
    """Return what each sample of a stretch counts: the window, divided by the sum of the squares of all windows
    there."""
    if not window:
        return np.ones(fft)
    shape = window_values(np, length, fft, window)
    over = -(-fft // stride)
    squares = np.pad(shape**2, (0, over * stride - fft)).reshape(over, stride).sum(axis=0)
    with np.errstate(all="ignore"):
        return shape / np.tile(squares, over)[:fft]


def _istft_value(
    np: Any, re: Any, im: Any, *, length: int, stride: int, fft: int, window: str, keep: int | None, center: bool
) -> Any:
    waves = np.fft.irfft(np.asarray(re, "f8") + 1j * im, n=fft, axis=-1)
    waves = waves * _istft_frames(np, length=length, stride=stride, fft=fft, window=window)
    y = laid_over(np, waves, stride)
    start = fft // 2 if center else 0
    end = start + keep if keep is not None else y.shape[-1] - start
    return y[..., start:end]


def laid_over(np: Any, frames: Any, stride: int) -> Any:
    """Return the signal that frames make, each `stride` after the one before, added where they overlap."""
    *lead, count, size = frames.shape
    y = np.zeros((*lead, size + stride * (count - 1)))
    for i in range(count):
        y[..., i * stride : i * stride + size] += frames[..., i, :]
    return y


def _of_istft(y: Expr, dy: Expr, i: int) -> Expr:
    (frames,) = sized(y.args[0], [-2])
    return item(istft_back(dy, frames=frames, **without(y, "keep")), i)


istft: Op = transform(
    "istft",
    axes=_istft_axes,
    dtype=common,
    value=_istft_value,
    count=lambda node: (node.args[0].shape[:-1], node.attrs["fft"]),
    defaults={"window": "hann", "keep": None, "center": True},
    gradient=_of_istft,
)
"""`istft(a, b, length=400, stride=160, fft=512)`: the signal whose stretches have the spectra a + b·i (see stft):
each is turned back, weighted by the window divided by the sum of the squares of all windows there, and added up.
With `center` half a stretch is cut off at both ends; `keep` is how many samples are kept."""


# What goes back through them ----------------------------------------------------------------------------------


def _stft_back_value(
    np: Any, re: Any, im: Any, *, to: int, length: int, stride: int, fft: int, window: str, center: bool
) -> Any:
    high = fft // 2 + 1
    spectrum = np.zeros((*re.shape[:-1], fft), complex)
    spectrum[..., :high] = np.asarray(re, "f8") + 1j * im
    y = laid_over(np, fft * np.fft.ifft(spectrum, axis=-1).real * window_values(np, length, fft, window), stride)
    ends = fft // 2 if center else 0
    whole = np.zeros((*y.shape[:-1], to + 2 * ends))
    whole[..., : y.shape[-1]] = y
    result = whole[..., ends : ends + to]
    if ends:  # what the reflected samples got belongs to those that they reflect
        result[..., 1 : ends + 1] += whole[..., ends - 1 :: -1]
        result[..., to - 1 - ends : to - 1] += whole[..., : to + ends - 1 : -1]
    return result


stft_back: Op = function(
    "stft_back",
    axes=lambda re, im, *, to, **attrs: [
        *kept(re)[:-2],
        Axis("steps", (0, re.ndim - 2), to, f"{to} samples before the transform"),
        Axis("", (0, re.ndim - 1), GONE, "waves are summed"),
    ],
    dtype=common,
    value=_stft_back_value,
    flops=lambda node: _stft_flops(stft(tensor("x", node.shape, node.dtype), **without(node, "to"))),
    element=NOT_INDEXED("the signal is reflected at both ends"),
    defaults={"window": "hann", "center": True},
    gradient=lambda y, dy, i: item(stft(dy, **without(y, "to")), i),
)
"""`stft_back(a, b, to=16000, length=400, stride=160, fft=512)`: what goes back through `stft`: each sample collects
from all frames that read it, from each frequency with its wave and the window; `to` is the number of samples."""


def _istft_back_value(
    np: Any, dy: Any, *, frames: int, length: int, stride: int, fft: int, window: str, center: bool
) -> Any:
    start = fft // 2 if center else 0
    whole = np.zeros((*dy.shape[:-1], fft + stride * (frames - 1)))
    whole[..., start : start + dy.shape[-1]] = dy
    cuts = np.lib.stride_tricks.sliding_window_view(whole, fft, axis=-1)[..., ::stride, :]
    spectrum = np.fft.rfft(cuts * _istft_frames(np, length=length, stride=stride, fft=fft, window=window), axis=-1)
    twice = np.full(fft // 2 + 1, 2.0)
    twice[0] = 1
    if fft % 2 == 0:
        twice[-1] = 1
    spectrum = spectrum * twice / fft
    return spectrum.real, spectrum.imag


istft_back = function(
    "istft_back",
    axes=lambda dy, *, frames, fft, **attrs: AxesOfEach(
        [
            [
                *kept(dy)[:-1],
                Axis("steps", (0, dy.ndim - 1), frames, f"{frames} frames before the transform"),
                Axis("frequencies", None, fft // 2 + 1, f"{fft} // 2 + 1 = {fft // 2 + 1}"),
            ]
        ]
        * 2
    ),
    dtype=lambda dy, **attrs: (dy.dtype,) * 2,
    value=_istft_back_value,
    flops=_stft_flops,
    element=SUM_OF_WAVES,
    defaults={"window": "hann", "center": True},
    gradient=lambda y, dy, i: istft(*pair(dy), **without(y, "frames"), keep=y.args[0].shape[-1]),
)
"""`a, b = istft_back(dy, frames=98, length=400, stride=160, fft=512)`: what goes back through `istft` to each of its
`frames`: the spectrum of the weighted stretch, all waves but the first and the last of which count twice."""
