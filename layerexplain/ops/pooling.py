"""Pooling: the largest or the mean of what each window covers. Padding takes no part in either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.lang.expr import NO_MACS, Axis, Expr, Op, Shape
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import Affine, At, Condition, Fold, Scalar
from layerexplain.ops.sizes import product
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    counts,
    each,
    make_windows,
    placed,
    spatial_axes,
    tap,
    window_axes,
    windows,
)
from layerexplain.ops.window_products import pooled


def _shape(
    x: Expr, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "channels_last"
) -> Shape:
    attrs = {"strides": size if strides is None else strides, "padding": padding, "data_format": data_format}
    slides = make_windows(x, each(size, x.ndim - 2), attrs)
    _, channel_axis = spatial_axes(x.ndim, data_format)
    return placed(x, data_format, counts(slides, x), x.shape[channel_axis])


def _axes(node: Expr) -> list[Axis]:
    _, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return window_axes(node, Axis("channels", (0, channel_axis), node.shape[channel_axis]))


def _canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    """Strides that are the window's size are left out, as Keras has it."""
    attrs = canonical(attrs)
    if attrs.get("strides") is None or attrs.get("strides") == attrs["size"]:
        attrs.pop("strides", None)
    return attrs


def _array_windows(x: Any, size: Any, strides: Any, padding: str) -> list[Window]:
    rank = x.ndim - 2
    sizes = each(size, rank)
    steps = each(size if strides is None else strides, rank)
    return [Window("", n, k, s, 1, padding) for n, k, s in zip(x.shape[1:-1], sizes, steps, strict=True)]


@channels_last
def _largest(run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "") -> Any:
    np = run.np
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return pooled(np, x, _array_windows(x, size, strides, padding), least, np.maximum)


@channels_last
def _mean(run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "") -> Any:
    np = run.np
    slides = _array_windows(x, size, strides, padding)
    total = pooled(np, x, slides, 0, np.add)
    if not any(map(any, (w.pads or (0, 0) for w in slides))):
        return total / product(w.k for w in slides)
    return total / pooled(np, np.ones_like(x[:1, ..., :1]), slides, 0, np.add)


def _flops(node: Expr) -> int | None:
    """1 per element that a window covers."""
    return product((*node.shape, *[w.k for w in windows(node)]))


def _element(kind: str) -> Callable[..., Scalar]:
    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
        place, letters = list(index), []
        conditions: list[Condition] = []
        for axis, w in zip(axes, windows(node), strict=True):
            place[axis], u, inside = tap(index[axis], w)
            letters.append(u)
            conditions += inside
        return Fold(kind, tuple(letters), at(0, place), tuple(conditions))

    return element


def _pool(name: str, evaluate: Callable[..., Any], kind: str) -> Op:
    return Op(
        name,
        shape=_shape,
        axes=_axes,
        dtype=lambda x, **attrs: x.dtype,
        evaluate=evaluate,
        cost=NO_MACS,
        flops=_flops,
        notation=Function(),
        element=_element(kind),
        defaults={"padding": "valid", "data_format": "channels_last"},
        canonical=_canonical,
    )


max_pool = _pool("max_pool", _largest, "max")
"""`max_pool(x, size=2, …)`: the largest of each window; `strides` are the window's size if not given."""

average_pool = _pool("average_pool", _mean, "mean")
"""`average_pool(x, size=2, …)`: the mean of what lies inside each window."""
