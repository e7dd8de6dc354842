"""Operations between layers on signals: Fourier transforms and stretches of a signal.

Complex numbers come and go as pairs of tensors: real and imaginary parts. Reference: keras.ops.fft, tf.signal.
"""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, constant
from layerexplain.layers.arguments import PositiveInt
from layerexplain.layers.registry import layer
from layerexplain.ops import signals
from layerexplain.ops.joining import gather
from layerexplain.ops.sizes import few, misfit

ROWS = """
ops.FFT(a, b): re, im = fft(a, b) | Computes the discrete Fourier transform of a complex signal along the last axis.
ops.[FFT2|IFFT2](a, b): re, im = fft(a, b, rank=2[|, inverse=True])
    | Computes the [two-dimensional Fourier transform of a complex image|inverse two-dimensional Fourier transform] over
    the last two axes.
ops.RFFT(x, fft_length: PositiveInt = None): re, im = rfft(x, length=fft_length)
    | Computes the discrete Fourier transform of a real signal along the last axis.
ops.IRFFT(a, b, fft_length: PositiveInt = None): irfft(a, b, length=fft_length)
    | Computes the inverse discrete Fourier transform to a real signal along the last axis.
ops.STFT(x, sequence_length: PositiveInt, sequence_stride: PositiveInt, fft_length: PositiveInt,
    window: Anything = 'hann', center: Bool = True):
    re, im = signal_to_stretches(x, sizes=(sequence_length, sequence_stride, fft_length), window=window, center=center)
    | Computes the short-time Fourier transform of a signal, in frames {sequence_stride} apart.
ops.ISTFT(a, b, sequence_length: PositiveInt, sequence_stride: PositiveInt, fft_length: PositiveInt,
    length: Int = None, window: Anything = 'hann', center: Bool = True):
    stretches_to_signal(a, b, sizes=(sequence_length, sequence_stride, fft_length), window=window, center=center,
    keep=length) | Computes the inverse short-time Fourier transform of frames {sequence_stride} apart.
"""


def _window(window: Any) -> str:
    if window is None:
        return ""
    if window not in ("hann", "hamming"):
        raise ArgumentError(f"window needs to be 'hann', 'hamming' or None, got window={window!r}")
    return str(window)


def _stretches(sizes: tuple[int, int, int], window: Any, center: bool) -> dict[str, Any]:
    """How a signal is cut into stretches: their length, distance, and the length of the transform."""
    length, stride, fft = sizes
    if fft < length:
        raise ArgumentError(f"fft_length needs to be at least sequence_length, got {fft} and {length}")
    return {"length": length, "stride": stride, "fft": fft, "window": _window(window), "center": center}


def signal_to_stretches(x: Expr, sizes: Any, window: Any, center: bool) -> Expr:
    """The waves of the stretches of a signal: real and imaginary parts."""
    return signals.stft(x, **_stretches(sizes, window, center))


def stretches_to_signal(a: Expr, b: Expr, sizes: Any, window: Any, center: bool, keep: int | None) -> Expr:
    """The signal that has these waves, of which so many values are kept."""
    return signals.istft(a, b, **_stretches(sizes, window, center), keep=keep)


@layer("ops.ExtractSequences")
def extract_sequences(x: Expr, *, sequence_length: PositiveInt, sequence_stride: PositiveInt) -> Expr:
    """Splits the last axis into frames of length {sequence_length}, {sequence_stride} apart."""
    size = x.shape[-1] if x.ndim else None
    if not isinstance(size, int) or size < sequence_length:
        raise misfit(f"extract_sequences needs a last axis of at least {sequence_length}", x)
    count = few(1 + (size - sequence_length) // sequence_stride)
    few(count * sequence_length)
    places = tuple(tuple(range(i * sequence_stride, i * sequence_stride + sequence_length)) for i in range(count))
    return gather(x, constant(places), axis=x.ndim - 1)
