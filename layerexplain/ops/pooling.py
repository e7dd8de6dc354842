"""Pooling: the maximum or mean of each window. Padding is excluded from both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.lang.expr import Expr, LazyAxes, Op
from layerexplain.lang.scalar import Affine, At, Fold, Scalar, letter
from layerexplain.ops.families import function, letters_of
from layerexplain.ops.sizes import product
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    channels_of,
    each,
    make_windows,
    window_axes,
    window_places,
    windows,
)


def _slides(x: Any, size: Any, strides: Any, padding: str) -> list[Window]:
    """Return the windows over an array with channels last."""
    return make_windows(
        x, each(size, x.ndim - 2), {"strides": size if strides is None else strides, "padding": padding}
    )


def _axes(x: Expr, *, size: Any, strides: Any = None, padding: str, data_format: str) -> LazyAxes:
    attrs = {"strides": size if strides is None else strides, "padding": padding, "data_format": data_format}
    return window_axes(x, each(size, x.ndim - 2), attrs, channels_of(x, attrs))


def _canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    """Omit strides that equal the window's size, Keras's default."""
    attrs = canonical(attrs)
    if attrs.get("strides") is None or attrs.get("strides") == attrs["size"]:
        attrs.pop("strides", None)
    return attrs


@channels_last
def _largest(run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "") -> Any:
    np = run.np
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    from layerexplain.ops.window_products import pooled

    return pooled(np, x, _slides(x, size, strides, padding), least, np.maximum)


@channels_last
def _mean(run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "") -> Any:
    np = run.np
    slides = _slides(x, size, strides, padding)
    from layerexplain.ops.window_products import pooled

    total = pooled(np, x, slides, 0, np.add)
    if not any(map(any, (w.pads or (0, 0) for w in slides))):
        return total / product(w.k for w in slides)
    return total / pooled(np, np.ones_like(x[:1, ..., :1]), slides, 0, np.add)


def _flops(node: Expr) -> int | None:
    """Return 1 per element that a window covers."""
    return product((*node.shape, *[w.k for w in windows(node)]))


def _element(kind: str) -> Callable[..., Scalar]:
    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        letters = [letter("window", w.k) for w in windows(node)]
        place, inside = window_places(node, index, letters)
        return Fold(kind, letters_of(letters), at(0, place), tuple(inside))

    return element


def _pool(name: str, evaluate: Callable[..., Any], kind: str) -> Op:
    return function(
        name,
        axes=_axes,
        evaluate=evaluate,
        flops=_flops,
        element=_element(kind),
        defaults={"padding": "valid", "data_format": "channels_last"},
        canonical=_canonical,
    )


max_pool = _pool("max_pool", _largest, "max")
"""`max_pool(x, size=2, …)`: the largest of each window; `strides` default to the window's size."""

average_pool = _pool("average_pool", _mean, "mean")
"""`average_pool(x, size=2, …)`: the mean of each window, without padding."""
