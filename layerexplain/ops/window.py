"""Windows that slide along the rows, columns or steps of a tensor: how many, what each covers, what is padded.

Sizes follow TensorFlow's rule, which Keras has on every backend: 'same' gives ceil(n / stride) windows and puts the
odd element of padding at the end; 'valid' lets windows lie inside only; 'causal' pads at the beginning only.
The ops that use them are in convolution.py and pooling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Axis, Expr, Shape, Size
from layerexplain.lang.scalar import Affine, CannotIndex, Condition, Letter, add, between, letter, scale
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

_PER_AXIS = frozenset({"strides", "dilation_rate", "size", "output_padding"})
SPATIAL = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}


class Window(NamedTuple):
    """A window along one axis: the axis' size n, the window's size k, stride, dilation, and what is padded."""

    role: str
    n: Size
    k: int
    stride: int
    dilation: int
    padding: str

    @property
    def reach(self) -> int:
        """What the window covers, gaps included."""
        return self.dilation * (self.k - 1) + 1

    @property
    def number(self) -> int | None:
        """The number of windows; None if n is unknown."""
        if not isinstance(self.n, int):
            return None
        if self.padding == "valid":
            return (self.n - self.reach) // self.stride + 1
        return -(-self.n // self.stride)

    @property
    def pads(self) -> tuple[int, int] | None:
        """Elements of padding before and after; None where they depend on an unknown n."""
        if self.padding == "valid":
            return 0, 0
        if self.padding == "causal":
            return self.reach - 1, 0
        if self.number is None or not isinstance(self.n, int):
            if self.stride != 1:
                return None
            total = self.reach - 1
        else:
            total = max((self.number - 1) * self.stride + self.reach - self.n, 0)
        return total // 2, total - total // 2

    def arithmetic(self) -> str:
        """How the number of windows comes about."""
        s = self.stride
        if not isinstance(self.n, int):
            if self.padding == "valid":
                inner = f"unknown - {self.reach}"
                text = f"{inner} + 1" if s == 1 else f"floor(({inner}) / {s}) + 1"
            else:
                text = "unknown" if s == 1 else f"ceil(unknown / {s})"
            return f"{text}, known at run time"
        if self.padding == "valid":
            inner = f"{self.n} - {self.reach}"
            text = f"{inner} + 1" if s == 1 else f"floor(({inner}) / {s}) + 1"
            text = f"{text} = {self.number}"
            return text if self.dilation == 1 else f"{text} (window {self.k}, dilation {self.dilation}: {self.reach})"
        text = f"ceil({self.n} / {s}) = {self.number}"
        before, after = self.pads or (0, 0)
        if self.padding == "causal":
            return f"{text}; 'causal' pads {before} before, none after"
        return f"{text}; 'same' pads {before + after}: {before} before, {after} after"

    def covers(self, i: int) -> range | None:
        """The positions that window i reads; those outside 0 … n-1 are padding. None where padding is unknown."""
        if self.pads is None:
            return None
        first = i * self.stride - self.pads[0]
        return range(first, first + self.reach, self.dilation)

    def transposed_size(self, output_padding: int | None) -> int | None:
        """How many positions a transposed convolution makes of n (Keras's rule); None if n is unknown."""
        if not isinstance(self.n, int):
            return None
        if output_padding is None:
            return self.n * self.stride + (max(self.reach - self.stride, 0) if self.padding == "valid" else 0)
        cut = 2 * (self.reach // 2) if self.padding == "same" else 0
        return (self.n - 1) * self.stride + self.reach - cut + output_padding

    def transposed_start(self, size: int) -> int:
        """How far output position 0 lies behind the first tap of input position 0 (what 'same' cuts off)."""
        if self.padding == "valid" or not isinstance(self.n, int):
            return 0
        return max((self.n - 1) * self.stride + self.reach - size, 0) // 2


def spatial_axes(ndim: int, data_format: str) -> tuple[range, int]:
    """The axes that windows slide along, and the channel axis."""
    if data_format == "channels_first":
        return range(2, ndim), 1
    return range(1, ndim - 1), ndim - 1


def each(value: Any, rank: int) -> tuple[Any, ...]:
    """One value for each spatial axis."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def make_windows(x: Expr, sizes: Any, attrs: dict[str, Any]) -> list[Window]:
    """The windows of given sizes over the spatial axes of x, an axis each."""
    rank = len(x.shape) - 2
    first = 2 if attrs.get("data_format") == "channels_first" else 1
    strides = each(attrs.get("strides", 1), rank)
    dilation = each(attrs.get("dilation_rate", 1), rank)
    padding = attrs.get("padding", "valid")
    lengths = x.shape[first : first + rank]
    if not all(isinstance(size, int) for size in sizes[:rank]):
        raise ShapeError(f"a window needs a fixed size along each axis, got {shape_text(sizes[:rank])}")
    return [
        Window(role, n, k, s, d, padding)
        for role, n, k, s, d in zip(SPATIAL[rank], lengths, sizes[:rank], strides, dilation, strict=True)
    ]


def windows(node: Expr) -> list[Window]:
    """The windows of a convolution or pooling node, an axis each."""
    x, attrs = node.args[0], node.attrs
    if len(node.args) > 1:
        return make_windows(x, node.args[1].shape, attrs)
    size = attrs["size"]
    return make_windows(x, each(size, x.ndim - 2), {"strides": size, **attrs})


def counts(slides: list[Window], x: Expr) -> list[Size]:
    """The number of windows along each axis; raises `ShapeError` where none fits."""
    result: list[Size] = []
    for w in slides:
        number = w.number
        if number is not None and number < 1:
            gaps = "" if w.dilation == 1 else f" ({w.k} with dilation {w.dilation})"
            raise ShapeError(
                f"a window needs to fit into the {w.n} {w.role} of {shape_text(x.shape)} with padding 'valid', "
                f"got a window of {w.reach}{gaps}; use a smaller window, padding='same' or a larger input"
            )
        result.append(number)
    return result


def placed(x: Expr, data_format: str, spatial: Sequence[Size], channels: Size) -> Shape:
    """The result's shape, with the channels where `data_format` has them."""
    if data_format == "channels_first":
        return (x.shape[0], channels, *spatial)
    return (x.shape[0], *spatial, channels)


def canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes in one form: a list of equal values is that value."""
    for key, value in attrs.items():
        if isinstance(value, (list, tuple)) and key in _PER_AXIS:
            attrs[key] = value[0] if value.count(value[0]) == len(value) else tuple(value)
    return attrs


def window_axes(node: Expr, channels: Axis) -> list[Axis]:
    """How the axes of a convolution's or pooling's result come about."""
    axes, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    result: list[Axis] = [Axis("batch", (0, 0), node.shape[0])] * node.ndim
    for axis, w in zip(axes, windows(node), strict=True):
        result[axis] = Axis(w.role, (0, axis), w.number, w.arithmetic())
    result[channel_axis] = channels
    return result


def tap(index: Affine, w: Window) -> tuple[Affine, Letter, tuple[Condition, ...]]:
    """The position that output `index` reads at window letter u, and the condition that it is no padding."""
    pads = w.pads
    if pads is None:
        raise CannotIndex(f"needs the size of the {w.role} to know the padding; fix it with --input")
    u = letter("window", w.k)
    position = add(add(scale(index, w.stride), scale(u, w.dilation)), -pads[0])
    inside = () if w.padding == "valid" else between(position, 0, w.n if isinstance(w.n, int) else None)
    return position, u.terms[0][0], inside  # type: ignore[return-value]


def channels_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let an evaluation written for channels_last take and give channels_first."""

    def evaluate(run: Any, x: Any, *rest: Any, **attrs: Any) -> Any:
        first = attrs.get("data_format") == "channels_first"
        y = function(run, run.np.moveaxis(x, 1, -1) if first else x, *rest, **{**attrs, "data_format": "channels_last"})
        return run.np.moveaxis(y, -1, 1) if first else y

    return evaluate


# What the first and the last window cover -----------------------------------------------------------------------


def reads(node: Expr) -> list[str]:
    """Which input positions the first, second and last window of a convolution or pooling read, and what of it is
    padding; for a transposed convolution which outputs the first, second and last input reach. A line an axis,
    axes that are alike in one; no line where an unknown size decides.

    `output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 13 rows 26 to 28 (28 is padding)`
    """
    slides = windows(node)
    extra = each(node.attrs.get("output_padding"), len(slides))
    transposed = node.op.name == "conv_transpose"
    groups: dict[Any, list[Window]] = {}
    for w, more in zip(slides, extra, strict=True):
        # A window of 1 at every place reads alike whatever the size.
        same_place = w.reach == w.stride == 1 and not transposed
        groups.setdefault((w._replace(role="", n=None if same_place else w.n), more), []).append(w)
    lines = []
    for (_, more), alike in groups.items():
        text = _scatters(alike[0], more) if transposed else _gathers(alike[0])
        if text:
            others = " and ".join(w.role for w in alike[1:])
            lines.append(f"{text}; {others} alike" if others else text)
    return lines


_MOST_LISTED = 8
"""Positions up to so many are listed one by one."""


def _gathers(w: Window) -> str:
    if w.reach == w.stride == 1:
        return f"each output {_one(w)} reads the input {_one(w)} at its own place"
    if w.pads is None:
        return ""
    parts = []
    for i in _ends(w.number):
        positions = w.covers(i) or range(0)
        outside = _outside(positions, w.n if isinstance(w.n, int) else None)
        verb = f"output {_one(w)} {i} reads" if i == 0 else f"{_one(w)} {i}"
        parts.append(f"{verb} {_named(w, positions)}{_aside(outside, 'padding')}")
    return ", ".join(parts)


def _scatters(w: Window, output_padding: int | None) -> str:
    size = w.transposed_size(output_padding)
    if size is None and w.padding == "same":
        return ""
    start = 0 if size is None else w.transposed_start(size)
    parts = []
    for i in _ends(w.n if isinstance(w.n, int) else None):
        first = i * w.stride - start
        positions = range(first, first + w.reach, w.dilation)
        outside = _outside(positions, size)
        verb = f"input {_one(w)} {i} adds to output" if i == 0 else f"{_one(w)} {i} to"
        parts.append(f"{verb} {_named(w, positions)}{_aside(outside, 'cut off')}")
    return ", ".join(parts)


def _ends(count: int | None) -> list[int]:
    """The first, second and last of so many."""
    if count is None:
        return [0, 1]
    return [0, 1, count - 1] if count > 2 else list(range(count))


def _one(w: Window) -> str:
    """The axis' role for one position: rows → row."""
    return w.role[:-1]


def _count(positions: range) -> int:
    """How many positions; len() fails where the numbers of a file are absurd."""
    return max(-((positions.start - positions.stop) // positions.step), 0)


def _named(w: Window, positions: range) -> str:
    count = _count(positions)
    if count == 1:
        return f"{_one(w)} {positions[0]}"
    if w.dilation == 1 and count > 2:
        return f"{w.role} {positions[0]} to {positions[-1]}"
    if count <= 5:
        return f"{w.role} {_listed(positions)}"
    return f"{w.role} {positions[0]} to {positions[-1]}, every {w.dilation}"


def _outside(positions: range, size: int | None) -> tuple[range, range]:
    """The positions before 0 and those from `size` on."""
    step = positions.step
    count = _count(positions)
    before = min(count, max(-(positions.start // step), 0))
    inside = count if size is None else min(count, max(-((positions.start - size) // step), 0))
    return positions[:before], positions[max(inside, before) :]


def _aside(outside: tuple[range, range], what: str) -> str:
    parts = [part for part in outside if part]
    count = sum(map(_count, parts))
    if not count:
        return ""
    first, last = parts[0][0], parts[-1][-1]
    if count > 3 and last - first == count - 1:
        return f" ({first} to {last} are {what})"
    if count > _MOST_LISTED:
        spans = [f"{part[0]} to {part[-1]}" if _count(part) > 1 else str(part[0]) for part in parts]
        return f" ({' and '.join(spans)} are {what})"
    return f" ({_listed([*outside[0], *outside[1]])} {'is' if count == 1 else 'are'} {what})"


def _listed(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last
