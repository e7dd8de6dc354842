"""Layers that turn sound into pictures of its frequencies: STFTSpectrogram and MelSpectrogram."""

import math

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import exact
from layerexplain.lang.expr import Expr, item, named, weight
from layerexplain.layers.arguments import Anything, Bool, DataFormat, Number, Padding, PositiveInt, choice
from layerexplain.layers.keras.convolutional import known_channels
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.contract import dot
from layerexplain.ops.convolution import conv, depthwise_conv
from layerexplain.ops.elementwise import arctan2, as_floats, log, log10, maximum, sqrt
from layerexplain.ops.joining import concatenate
from layerexplain.ops.movement import pad_along, repeat, reshape, slice_along, transpose
from layerexplain.ops.reduce import amax
from layerexplain.ops.signals import mel_filters, stft
from layerexplain.ops.sizes import FLOATS
from layerexplain.records import NamedTuple

EPSILON = 1e-7
"""`keras.config.epsilon()`: the least that is taken the root and the logarithm of."""

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class _Layout(NamedTuple):
    """Where channels and frequencies lie: together in one axis, as convolutions give them, or in two; `first` says
    that they stand before the steps."""

    channels: int
    frequencies: int
    first: bool

    def apart(self, y: Expr) -> Expr:
        """Channels and frequencies as two axes, next to each other."""
        both = (self.channels, self.frequencies)
        n, a, b = y.shape
        return reshape(y, shape=(n, *both, b) if self.first else (n, a, *both))

    def joined(self, y: Expr) -> Expr:
        """Both in one axis again."""
        n, a, b, c = y.shape
        size = self.channels * (b if self.first else c)
        return reshape(y, shape=(n, size, c) if self.first else (n, a, size))

    def expanded(self, y: Expr) -> Expr:
        """As a picture: frequencies a spatial axis behind the steps."""
        return transpose(y, axes=(0, 1, 3, 2))

    @property
    def axis(self) -> int:
        """The axis of frequencies where they are apart."""
        return 2 if self.first else 3


@layer(
    "STFTSpectrogram",
    ndim=3,
    ignores="window periodic scaling",
    gist="{mode} of re and im, the waves C and D in x; window {frame_length}, stride {frame_step}",
)
def stft_spectrogram(
    x: Expr,
    *,
    mode: choice(*MODES) = "log",  # type: ignore[valid-type]
    frame_length: PositiveInt = 256,
    frame_step: PositiveInt | None = None,
    fft_length: PositiveInt | None = None,
    padding: Padding = "valid",
    expand_dims: Bool = False,
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Computes a short-time Fourier transform by convolutions: {frequencies} frequencies in frames of {frame_length}
    samples.

    Two convolutions with waves as kernels, which start as those of a Fourier transform and are trained like others;
    `window`, `periodic` and `scaling` shape what they start with.
    Input shape: (batch, samples, channels), or (batch, channels, samples) with data_format='channels_first'. Output
    shape: (batch, steps, channels * frequencies), with expand_dims (batch, steps, frequencies, channels), likewise;
    mode='stft' has both convolutions, twice the frequencies.
    """
    step = frame_step or max(frame_length // 2, 1)
    fft = fft_length or 2 ** math.ceil(math.log2(exact(frame_length, "a power of two")))
    if step > frame_length:
        raise ArgumentError(f"frame_step needs to be at most frame_length={frame_length}, got frame_step={frame_step}")
    if fft < frame_length:
        raise ArgumentError(f"fft_length needs to be at least frame_length={frame_length}, got fft_length={fft_length}")
    if x.dtype not in FLOATS:
        raise ShapeError(f"STFTSpectrogram needs floating-point input, got {x.dtype}")
    count = fft // 2 + 1
    layout = _Layout(known_channels(x, data_format), count, data_format == "channels_first")

    def waves(name: str, symbol: str) -> Expr:
        axes = [("samples", frame_length), ("channels", 1), ("frequencies", count)]
        W = weight(name, symbol, axes)
        how = {"strides": step, "padding": padding, "data_format": data_format}
        if layout.channels == 1:
            return conv(x, W, **how)
        return depthwise_conv(x, repeat(W, times=layout.channels, axis=1), **how)

    re = named("re", waves("real_kernel", "C")) if mode != "imag" else None
    im = named("im", waves("imag_kernel", "D")) if mode != "real" else None
    if re is None or im is None:
        y = re if im is None else im
    elif mode == "angle":
        y = arctan2(im, re)
    elif mode == "stft":
        layout_of_both = [layout.apart(part) for part in (re, im)]
        y = layout.joined(concatenate(*layout_of_both, axis=layout.axis))
        layout = layout._replace(frequencies=2 * count)
    else:
        y = _strength(mode, re**2 + im**2, layout)
    assert y is not None  # noqa: S101 (one of the two is there; for the type checker)
    return layout.expanded(layout.apart(y)) if expand_dims else y


def _strength(mode: str, power: Expr, layout: _Layout) -> Expr:
    """What the mode shows of the power: itself, its root, or the logarithm of that."""
    power = named("power", power)
    if mode == "psd":
        apart = layout.apart(power)
        inner = pad_along(slice_along(apart, {layout.axis: slice(1, -1)}), {layout.axis: (1, 1)})
        return layout.joined(named("both_ways", apart + inner, "all but the first and last frequency count twice"))
    size = sqrt(maximum(power, EPSILON))
    return size if mode == "magnitude" else log(maximum(named("magnitude", size), EPSILON))


@layer(
    "MelSpectrogram",
    ndim=2,
    facts=Facts(alone_ndim=1),
    gist="dot(stft(x), mel_filters) in dB; window {fft_length}, stride {sequence_stride}, {num_mel_bins} bins",
)
def mel_spectrogram(
    x: Expr,
    *,
    fft_length: PositiveInt = 2048,
    sequence_stride: PositiveInt = 512,
    sequence_length: PositiveInt | None = None,
    window: Anything | None = "hann",
    sampling_rate: Number = 16000,
    num_mel_bins: PositiveInt = 128,
    min_freq: Number = 20.0,
    max_freq: Number | None = None,
    power_to_db: Bool = True,
    top_db: Number = 80.0,
    mag_exp: Number = 2.0,
    min_power: Number = 1e-10,
    ref_power: Number = 1.0,
) -> Expr:
    """Computes a mel spectrogram: the strength of {num_mel_bins} frequency bands over time, spaced on the mel scale.

    The signal is reflected at both ends by half of fft_length. Decibels are cut off {top_db} below the loudest of the
    whole batch.
    Input shape: (batch, samples). Output shape: (batch, num_mel_bins, steps); Keras's own shape says one step more
    where samples + 1 is a multiple of the stride. Reference: the HTK book.
    """
    length = sequence_length or fft_length
    if length > fft_length:
        raise ArgumentError(f"sequence_length needs to be at most fft_length={fft_length}, got {sequence_length}")
    if window not in (None, "hann", "hamming"):
        raise ArgumentError(f"window needs to be 'hann', 'hamming' or None, got window={window!r}")
    x = as_floats(x)
    run = stft(x, length=length, stride=sequence_stride, fft=fft_length, window=window or "")
    re, im = named("re", item(run, 0)), named("im", item(run, 1))
    size = named("magnitude", sqrt(named("power", re**2 + im**2)))
    strength = named("strength", size if mag_exp == 1 else size**mag_exp)
    top = max_freq if max_freq is not None else int(sampling_rate / 2)
    filters = mel_filters(bins=num_mel_bins, of=fft_length // 2 + 1, rate=sampling_rate, low=min_freq, high=top)
    y = named("bands", dot(strength, named("M", filters, "a column for each band")))
    if power_to_db:
        y = 10.0 * log10(maximum(y, min_power))
        reference = 10.0 * math.log10(max(abs(ref_power), min_power))
        y = named("dB", y - reference if reference else y, "in decibels")
        y = maximum(y, amax(y) - top_db)
    return transpose(y, axes=(0, 2, 1))
