"""Spectra of audio: the short-time Fourier transform and mel filters."""

from __future__ import annotations

import math
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import NOT_INDEXED, AxesOfEach, Axis, Expr, Size
from layerexplain.ops.families import always, function, movement
from layerexplain.ops.sizes import equation, kept, size_text

MEL_BREAK, MEL_Q = 700.0, 1127.0
"""A frequency of f hertz lies at MEL_Q · ln(1 + f / MEL_BREAK) mel."""


def frames(n: Size, stride: int, fft: int, center: bool = True) -> int | None:
    """Return the number of frames in n samples; with `center`, the signal is reflected by half a frame at both ends."""
    return max(1 + (n + (2 * (fft // 2) if center else 0) - fft) // stride, 0) if isinstance(n, int) else None


def _axes(x: Expr, *, length: int, stride: int, fft: int, window: str, center: bool) -> AxesOfEach:
    n = x.shape[-1]
    if isinstance(n, int) and center and n <= fft // 2:
        raise ShapeError(f"stft needs more than {fft // 2} samples (half of fft {fft}), got {n}")
    count, high = frames(n, stride, fft, center), fft // 2 + 1
    ends = f" + 2 * {fft // 2}" if center else ""
    why = equation(f"floor(({size_text(n)}{ends} - {fft}) / {stride}) + 1", count)
    one = [
        *kept(x)[:-1],
        Axis("steps", (0, x.ndim - 1), count, why),
        Axis("frequencies", None, high, f"{fft} // 2 + 1 = {high}"),
    ]
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


def _value(run: Any, x: Any, *, length: int, stride: int, fft: int, window: str, center: bool) -> Any:
    np = run.np
    ends = fft // 2 if center else 0
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(ends, ends)], mode="reflect") if ends else x
    shape = window_values(np, length, fft, window)
    cut = np.lib.stride_tricks.sliding_window_view(padded, fft, axis=-1)[..., ::stride, :]
    spectrum = np.fft.rfft(cut * shape, axis=-1)
    return spectrum.real, spectrum.imag


def _flops(node: Expr) -> int | None:
    """5 · N · log2 N a stretch, as is usual for a fast Fourier transform, and N for the window."""
    count, fft = node.shape[0][-2], node.attrs["fft"]
    return None if count is None else count * round(5 * fft * math.log2(fft) + fft)


stft = function(
    "stft",
    axes=_axes,
    dtype=always(("float", "float")),
    evaluate=_value,
    flops=_flops,
    element=NOT_INDEXED("the signal is reflected at both ends"),
    defaults={"window": "hann", "center": True},
)
"""`re, im = stft(x, length=400, stride=160, fft=512)`: the signal is reflected at both ends (unless
`center=False`) and cut into frames of `fft` samples, `stride` apart; each is multiplied by a window of `length` and
Fourier transformed: the sum over k of x[k] · window[k] · cos(2πfk/fft) for each f, and the negative one with sin."""


def _mel_value(run: Any, *, bins: int, of: int, rate: float, low: float, high: float) -> Any:
    np = run.np

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
    evaluate=_mel_value,
    element=NOT_INDEXED("its triangles lie between bin edges on a logarithmic scale"),
)
"""`mel_filters(bins=80, of=257, rate=16000, low=20.0, high=8000)`: a column a bin, a triangle over the frequencies
from 0 to rate / 2, as ears hear them: 1127 · ln(1 + f / 700) mel."""
