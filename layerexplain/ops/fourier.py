"""Fourier transforms of real and complex signals, as real and imaginary parts; spectra of audio and mel filters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import GONE, NO_GRADIENT, NOT_DERIVED, NOT_INDEXED, AxesOfEach, Axis, Expr, Op, Shape, Size
from layerexplain.ops.families import always, common, function, movement
from layerexplain.ops.sizes import agree, changed, equation, kept, misfit, product, promote, shape_text, size_text

SUM_OF_WAVES = NOT_INDEXED("each element is a sum over the whole signal with cosines and sines")


def _flops(count: Callable[[Expr], tuple[Any, int | None]]) -> Callable[[Expr], int | None]:
    """5 · N · log2 N for each signal of N numbers, as is usual for a fast Fourier transform."""

    def rule(node: Expr) -> int | None:
        shape, n = count(node)
        lead = product(shape)
        return None if lead is None or n is None else lead * round(5 * n * math.log2(max(n, 1)))

    return rule


def _parts(name: str, re: Expr, im: Expr) -> Shape:
    if re.ndim != im.ndim or not all(agree(a, b) for a, b in zip(re.shape, im.shape, strict=True)):
        raise misfit(f"{name} needs real and imaginary parts of the same shape", re, im)
    shape: Shape = re.shape
    return shape


def _transform(
    name: str,
    axes: Callable[..., Any],
    dtype: Callable[..., Any],
    value: Any,
    count: Any,
    *,
    gradient: Any,
    **defaults: Any,
) -> Op:
    """A transform; `count(node)` gives the shape of the stack of signals, and how many numbers each has."""
    return function(
        name,
        axes=axes,
        dtype=dtype,
        value=value,
        flops=_flops(count),
        element=SUM_OF_WAVES,
        defaults=defaults,
        gradient=gradient,
    )


def _fft_axes(re: Expr, im: Expr, *, rank: int, inverse: bool) -> AxesOfEach:
    shape = _parts("fft", re, im)
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


fft = _transform(
    "fft",
    _fft_axes,
    lambda re, im, **attrs: (promote(re.dtype, im.dtype),) * 2,
    _fft_value,
    _fft_count,
    rank=1,
    inverse=False,
    gradient=NOT_DERIVED("the gradient of fft is not derived yet"),
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


rfft = _transform(
    "rfft",
    _rfft_axes,
    lambda x, **attrs: (promote(x.dtype, "float"),) * 2,
    _rfft_value,
    lambda node: (node.args[0].shape[:-1], _number(node.options["length"] or node.args[0].shape[-1])),
    length=None,
    gradient=NOT_DERIVED("the gradient of rfft is not derived yet"),
)
"""`re, im = rfft(x)`: the Fourier transform of a real signal along the last axis, up to half its length; `length`
cuts it off or fills it up with 0 first."""


def _irfft_axes(re: Expr, im: Expr, *, length: int | None) -> list[Axis]:
    *_, n = _parts("irfft", re, im)
    after = length if length is not None else 2 * (n - 1) if isinstance(n, int) else None
    why = "the requested length" if length is not None else equation(f"2 * ({size_text(n)} - 1)", after)
    return changed(re, -1, after, why, "steps")


irfft = _transform(
    "irfft",
    _irfft_axes,
    common,
    lambda np, re, im, length: np.fft.irfft(np.asarray(re, "f8") + 1j * im, n=length, axis=-1),
    lambda node: (node.shape[:-1], _number(node.shape[-1])),
    length=None,
    gradient=NOT_DERIVED("the gradient of irfft is not derived yet"),
)
"""`irfft(a, b)`: the real signal of which a + b·i is the Fourier transform (see rfft)."""


# Audio --------------------------------------------------------------------------------------------------------


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
    ends = f" + 2 * {fft // 2}" if center else ""
    why = equation(f"floor(({size_text(n)}{ends} - {fft}) / {stride}) + 1", count)
    one = [*changed(x, -1, count, why, "steps"), Axis("frequencies", None, high, f"{fft} // 2 + 1 = {high}")]
    return AxesOfEach([one, one])


def window_values(np: Any, length: int, fft: int, window: str) -> Any:
    """The weights of a window of `length` samples in the middle of `fft`; "" weighs all samples alike."""
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


stft = function(
    "stft",
    axes=_stft_axes,
    dtype=always(("float", "float")),
    value=_stft_value,
    flops=_stft_flops,
    element=NOT_INDEXED("the signal is reflected at both ends"),
    defaults={"window": "hann", "center": True},
    gradient=NOT_DERIVED("the gradient of stft is not derived yet"),
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


def _whole(n: Size, stride: int, fft: int) -> int | None:
    """How long the signal is that n stretches make, one laid over the other."""
    return fft + stride * (n - 1) if isinstance(n, int) else None


def _istft_length(n: Size, stride: int, fft: int, keep: int | None, center: bool) -> int | None:
    whole = _whole(n, stride, fft)
    if whole is None:
        return None
    start = fft // 2 if center else 0
    if keep is not None:
        return max(min(whole, start + keep) - start, 0)
    return max(whole - 2 * start, 0)


def _istft_axes(
    re: Expr, im: Expr, *, length: int, stride: int, fft: int, window: str, keep: int | None, center: bool
) -> list[Axis]:
    shape = _parts("istft", re, im)
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


def _istft_value(
    np: Any, re: Any, im: Any, *, length: int, stride: int, fft: int, window: str, keep: int | None, center: bool
) -> Any:
    waves = np.fft.irfft(np.asarray(re, "f8") + 1j * im, n=fft, axis=-1)
    if window:
        shape = window_values(np, length, fft, window)
        over = -(-fft // stride)
        squares = np.pad(shape**2, (0, over * stride - fft)).reshape(over, stride).sum(axis=0)
        with np.errstate(all="ignore"):
            waves = waves * (shape / np.tile(squares, over)[:fft])
    count = waves.shape[-2]
    y = np.zeros((*waves.shape[:-2], fft + stride * (count - 1)))
    for i in range(count):
        y[..., i * stride : i * stride + fft] += waves[..., i, :]
    start = fft // 2 if center else 0
    end = start + keep if keep is not None else y.shape[-1] - start
    return y[..., start:end]


istft = _transform(
    "istft",
    _istft_axes,
    common,
    _istft_value,
    lambda node: (node.args[0].shape[:-1], node.attrs["fft"]),
    window="hann",
    keep=None,
    center=True,
    gradient=NOT_DERIVED("the gradient of istft is not derived yet"),
)
"""`istft(a, b, length=400, stride=160, fft=512)`: the signal whose stretches have the spectra a + b·i (see stft):
each is turned back, weighted by the window divided by the sum of the squares of all windows there, and added up.
With `center` half a stretch is cut off at both ends; `keep` is how many samples are kept."""
