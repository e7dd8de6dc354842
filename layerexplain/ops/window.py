"""Windows that slide along the rows, columns or steps of a tensor: their number, positions and padding.

Padding in words follows TensorFlow's rule, which Keras uses on every backend: 'same' gives ceil(n / stride) windows and
puts the odd element of padding at the end; 'valid' allows only windows inside; 'causal' pads only at the beginning.
Padding in numbers is PyTorch's: as many elements on both sides of each axis, or (before, after). With ceil_mode the
last window may reach beyond it. The ops that use them are in convolution.py and pooling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import Edit, ShapeError, WindowError
from layerexplain.lang.axes import Axis, LazyAxes, Shape, Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.lang.visit import nodes
from layerexplain.ops.sizes import shape_text
from layerexplain.ops.spatial import SPATIAL, each, image_axes, spatial_axes
from layerexplain.records import NamedTuple

_PER_AXIS = ("strides", "dilation_rate", "size", "output_padding", "padding")


class Positions(NamedTuple):
    """Positions along an axis: so many from a first one on, a step apart. A range takes no sizes that are open."""

    first: int
    step: int
    number: int

    @property
    def last(self) -> int:
        """The last position, where there is one."""
        return self.first + (self.number - 1) * self.step

    def each(self) -> Iterator[int]:
        """Yield them one by one."""
        i = 0
        while i < self.number:
            yield self.first + i * self.step
            i += 1

    def has(self, position: int) -> bool:
        """Return whether a position is one of them."""
        return self.first <= position <= self.last and (position - self.first) % self.step == 0

    def until(self, end: int | None) -> int:
        """Return how many of them stand before the position `end`."""
        return self.number if end is None else min(self.number, max(-((self.first - end) // self.step), 0))


class Window(NamedTuple):
    """A window along one axis: the size n of the axis, the window size k, stride, dilation and padding, a word or the
    numbers of elements before and after. `ceil` says that the last window may reach beyond the padding, if it begins
    before it."""

    role: str
    n: int | None
    k: int
    stride: int
    dilation: int
    padding: str | tuple[int, int]
    ceil: bool = False

    @property
    def reach(self) -> int:
        """The number of positions from the first to the last tap."""
        return self.dilation * (self.k - 1) + 1

    @property
    def number(self) -> int | None:
        """The number of windows; None if n is unknown."""
        if self.n is None:
            return None
        if self.fixed is None:
            return -(-self.n // self.stride)
        before, after = self.fixed
        room = self.n + before + after - self.reach
        if not self.ceil:
            return room // self.stride + 1
        return -(-room // self.stride) + (0 if self._last_is_left_out else 1)

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Elements of padding before and after that do not depend on n; None for 'same' and 'causal'."""
        if isinstance(self.padding, str):
            return (0, 0) if self.padding == "valid" else None
        return self.padding

    @property
    def unread(self) -> int:
        """The number of positions behind the last window, which no window reads; 0 too where it is unknown, as
        where it hangs on an open size."""
        if self.fixed is None or self.n is None or self.number is None:
            return 0
        count = self.n + self.fixed[0] - ((self.number - 1) * self.stride + self.reach)
        return max(count, 0) if type(count) is int else 0

    def last(self, count: int) -> str:
        """Return the last positions of the axis as text: `row 8`, `columns 6 to 7`."""
        end = (self.n or 0) - 1
        return f"{self.role[:-1]} {end}" if count == 1 else f"{self.role} {end - count + 1} to {end}"

    @property
    def pads(self) -> tuple[int, int] | None:
        """Elements of padding before and after; None where they depend on an unknown n."""
        if self.fixed is not None:
            return self.fixed[0], self.fixed[1] + self.beyond
        if self.padding == "causal":
            return self.reach - 1, 0
        if self.number is None or self.n is None:
            if self.stride != 1:
                return None
            total = self.reach - 1
        else:
            total = max((self.number - 1) * self.stride + self.reach - self.n, 0)
        return total // 2, total - total // 2

    @property
    def beyond(self) -> int:
        """How far the last window reaches beyond the padding, which only `ceil` allows."""
        if not self.ceil or self.fixed is None or self.n is None or self.number is None:
            return 0
        return max((self.number - 1) * self.stride + self.reach - self.n - sum(self.fixed), 0)

    def arithmetic(self) -> str:
        """Return the arithmetic of the number of windows as text."""
        s, n = self.stride, "in" if self.n is None else self.n
        before, after = self.pads or (0, 0)
        if self.fixed is None and s == 1:
            return f"kept; {self.padding!r} pads {before} before and {after} after" if before + after else "kept"
        if self.reach == s == 1 and not any(self.fixed or ()):
            return "kept"
        first, last = self.fixed or (0, 0)
        added = "" if not first and not last else f"2 × {first}" if first == last else f"{first} + {last}"
        text = self.rule(f"{n}", f"{s}", f"{self.reach}", added)
        if self.n is None:
            return f"{text}, known at run time"
        text = f"{text} = {self.number}"
        if self.fixed is not None:
            text = text if self.dilation == 1 else f"{text} (window {self.k}, dilation {self.dilation}: {self.reach})"
            return f"{text}; 'valid': no padding" if self.padding == "valid" and self.stride < self.reach else text
        if self.padding == "causal":
            return f"{text}; 'causal' pads {before} before, 0 after"
        return f"{text}; 'same' pads {before + after}: {before} before, {after} after"

    def rule(self, n: str, stride: str, reach: str, padding: str) -> str:
        """Return the rule of `number` as text, of numbers or of the names of arguments: what is subtracted from the
        size is the `reach`, and `padding` is added, "" for none.

        >>> Window("rows", 28, 3, 2, 1, (1, 1)).rule("in", "stride", "kernel_size", "2 × padding")
        'floor((in + 2 × padding - kernel_size) / stride) + 1'
        """
        if self.fixed is None:
            return f"ceil({n} / {stride})"
        room = f"{n}{f' + {padding}' if padding else ''} - {reach}"
        if stride == "1":
            return f"{room} + 1"
        text = f"{'ceil' if self.ceil else 'floor'}(({room}) / {stride}) + 1"
        return f"{text} - 1" if self._last_is_left_out else text

    @property
    def _last_is_left_out(self) -> bool:
        """Whether the last window would begin behind the padding, which `ceil` leaves out."""
        if not self.ceil or self.fixed is None or self.n is None:
            return False
        before, after = self.fixed
        return bool(-(-(self.n + before + after - self.reach) // self.stride) * self.stride >= self.n + before)

    def covers(self, i: int) -> Positions | None:
        """Return the positions that window i reads; those outside 0 … n-1 are padding. None if padding is unknown."""
        if self.pads is None:
            return None
        first = i * self.stride - self.pads[0]
        return Positions(first, self.dilation, self.k)

    def transposed_size(self, output_padding: int | None) -> int | None:
        """Return the output size of a transposed convolution: Keras's rule, for padding in numbers PyTorch's; None if n
        is unknown."""
        if self.n is None:
            return None
        if not isinstance(self.padding, str):
            return (self.n - 1) * self.stride + self.reach - sum(self.padding) + (output_padding or 0)
        if output_padding is None:
            return self.n * self.stride + (max(self.reach - self.stride, 0) if self.padding == "valid" else 0)
        cut = 2 * (self.reach // 2) if self.padding == "same" else 0
        return (self.n - 1) * self.stride + self.reach - cut + output_padding

    def transposed_rule(self, n: str, stride: str, reach: str, padding: str, output_padding: str) -> str:
        """Return the rule of `transposed_size` as text, of numbers or of the names of arguments: what is subtracted is
        the `padding`, "" for none; "" as `output_padding` is None for Keras, and 0 for PyTorch.

        >>> Window("rows", 5, 3, 2, 1, (1, 1)).transposed_rule("in", "stride", "kernel_size", "2 × padding", "")
        '(in - 1) × stride - 2 × padding + kernel_size'
        """
        if isinstance(self.padding, str) and not output_padding:
            return f"{n} × {stride}" + (f" + max({reach} - {stride}, 0)" if self.padding == "valid" else "")
        half = f"2 × floor({f'({reach})' if ' ' in reach else reach} / 2)"
        cut = half if self.padding == "same" else padding
        more = f" + {output_padding}" if output_padding else ""
        return f"({n} - 1) × {stride}{f' - {cut}' if cut else ''} + {reach}{more}"

    def transposed_start(self, size: int) -> int:
        """Return the number of positions that 'same' crops at the start of a transposed convolution."""
        if self.padding == "causal":
            return self.reach - 1
        if self.fixed is not None or self.n is None:
            return self.fixed[0] if self.fixed is not None else 0
        return max((self.n - 1) * self.stride + self.reach - size, 0) // 2


def make_windows(x: Any, sizes: Any, attrs: Mapping[str, Any]) -> list[Window]:
    """Return a window of the given size for each spatial axis of x, a tensor or an array."""
    rank = len(x.shape) - 2
    first = spatial_axes(rank + 2, attrs.get("data_format", "channels_last"))[0][0]
    strides = each(attrs.get("strides", 1), rank)
    dilation = each(attrs.get("dilation_rate", 1), rank)
    paddings = _of_each_axis(attrs.get("padding", "valid"), rank)
    lengths = x.shape[first : first + rank]
    windows = []
    for role, n, k, s, d, padding in zip(
        SPATIAL[rank], lengths, sizes[:rank], strides, dilation, paddings, strict=True
    ):
        if not isinstance(k, int):
            raise ShapeError(f"a window needs a fixed size along each axis, got {shape_text(sizes[:rank])}")
        windows.append(Window(role, n if isinstance(n, int) else None, k, s, d, padding, attrs.get("ceil_mode", False)))
    return windows


def _of_each_axis(padding: Any, rank: int) -> list[str | tuple[int, int]]:
    """Return the padding of each axis: a word, or (before, after)."""
    if isinstance(padding, str):
        return [padding] * rank
    return [item if isinstance(item, tuple) else (item, item) for item in each(padding, rank)]


def pool_windows(x: Any, attrs: Mapping[str, Any]) -> list[Window]:
    """Return the windows of a pooling over x, a tensor or an array: as far apart as they are wide, by default."""
    size = attrs["size"]
    return make_windows(x, each(size, len(x.shape) - 2), {"strides": size, **attrs})


def windows(node: Expr) -> list[Window]:
    """Return the windows of a convolution or pooling node, one per spatial axis."""
    x = node.args[0]
    if len(node.args) == 1:
        return pool_windows(x, node.attrs)
    return make_windows(x, window_of(node.args[1].shape, node.attrs), node.attrs)


def window_of(kernel: Shape, attrs: Mapping[str, Any]) -> Shape:
    """Return the sizes of the window of a kernel of this shape."""
    return kernel[2:] if filters_first(attrs) else kernel[:-2]


def filters_first(attrs: Mapping[str, Any]) -> bool:
    """Return whether the kernel begins with its filters, as that of an image NCHW does, and not with its window."""
    return str(attrs.get("data_format", "")).startswith("NC")


GATHERING = ("conv", "depthwise_conv", "max_pool", "average_pool")
"""The operations that read their input in windows."""


def first_windows(definition: Definition | None, names: Sequence[str] = GATHERING) -> Sequence[Window]:
    """Return the windows of the first operation of these names in a definition, one per spatial axis."""
    if definition is None:
        return ()
    asked = f"windows of {' '.join(names)}"
    if asked not in definition.answers:
        first = next((node for node in nodes(definition) if node.op.name in names), None)
        definition.answers[asked] = () if first is None else tuple(windows(first))
    return definition.answers[asked]  # type: ignore[no-any-return]


def _fitting(w: Window, x: Expr) -> int | None:
    """Return the number of windows along an axis. Raises WindowError if none fits."""
    number = w.number
    if number is not None and number < 1:
        gaps = "" if w.dilation == 1 else f" ({w.k} with dilation {w.dilation})"
        more = "padding='same'" if w.padding == "valid" else "more padding"
        raise WindowError(
            f"the window needs to fit into the {w.n} {w.role} of {shape_text(x.shape)} with padding {w.padding!r}, "
            f"got a window of {w.reach}{gaps}",
            f"use a smaller window, {more} or a larger input",
            [Edit("pad with padding='same'", "padding", "'same'")] if w.padding == "valid" else (),
        )
    return number


def canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in normal form: a list of equal values becomes that value, no padding is 'valid'."""
    if isinstance(padding := attrs.get("padding"), list | tuple):
        pairs = [tuple(item) if isinstance(item, list | tuple) else (item, item) for item in padding]
        attrs["padding"] = [a for a, b in pairs] if all(a == b for a, b in pairs) else pairs
    for key in _PER_AXIS:
        value = attrs.get(key)
        if isinstance(value, list | tuple):
            equal = value.count(value[0]) == len(value) and not isinstance(value[0], tuple)
            attrs[key] = value[0] if equal else tuple(value)
    if attrs.get("padding") == 0:
        attrs["padding"] = "valid"
    return attrs


def canonical_size(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in normal form, without strides that equal the window's size, Keras's default."""
    attrs = canonical(attrs)
    if attrs.get("strides") in (None, attrs["size"]):
        attrs.pop("strides", None)
    return attrs


def laid_out(
    x: Expr,
    attrs: Mapping[str, Any],
    spatial: Iterable[tuple[str, Size, Any]],
    channels: tuple[Size, str] | None = None,
) -> list[Axis]:
    """Return the axes of an image made of the image `x`.

    Args:
        x: the image.
        attrs: its data_format says where the channels are.
        spatial: (role, size, why) of each spatial axis.
        channels: how many, and why; those of `x` if not given.
    """
    axes, at = spatial_axes(len(x.shape), attrs.get("data_format", "channels_last"))
    result = [Axis("" if channels is None else "batch", (0, 0), x.shape[0])]
    result += [Axis(role, (0, axis), after, why) for axis, (role, after, why) in zip(axes, spatial, strict=True)]
    result.insert(at, Axis("channels", (0, at), *channels) if channels else Axis("", (0, at), x.shape[at]))
    return result


def laid_back(dy: Expr, attrs: Mapping[str, Any], sizes: Sequence[Size], why: str) -> list[Axis]:
    """Return the axes of the image of the given sizes that the image `dy` goes back to."""
    return laid_out(dy, attrs, [(role, n, why) for role, n in zip(SPATIAL[dy.ndim - 2], sizes, strict=True)])


def channels_of(x: Expr, attrs: Mapping[str, Any]) -> Size:
    """Return the number of channels of the image `x`."""
    size: Size = x.shape[spatial_axes(len(x.shape), attrs.get("data_format", "channels_last"))[1]]
    return size


def window_axes(x: Expr, slides: Sequence[Window], attrs: Mapping[str, Any], channels: Size, why: Any = "") -> LazyAxes:
    """Return how the axes of a convolution's or pooling's result come about.

    Args:
        x: the image.
        slides: the windows along each spatial axis.
        attrs: its data_format says where the channels are.
        channels: how many the result has.
        why: how their number comes about.

    Raises:
        ShapeError: if no window fits.
    """
    counts = [_fitting(w, x) for w in slides]
    _, at = spatial_axes(len(x.shape), attrs.get("data_format", "channels_last"))
    shape = [x.shape[0], *counts]
    shape.insert(at, channels)
    return LazyAxes(tuple(shape), _records, slides, at, why)


def _records(slides: Sequence[Window], channel_axis: int, why: Any, shape: Shape) -> list[Axis]:
    words: list[tuple[str, Any]] = [("batch", ""), *[(w.role, w.arithmetic) for w in slides]]
    words.insert(channel_axis, ("channels", why))
    return [Axis(role, (0, i), size, why) for i, ((role, why), size) in enumerate(zip(words, shape, strict=True))]


def window_places(
    node: Expr, index: Sequence[sc.Affine], letters: Sequence[sc.Affine]
) -> tuple[list[sc.Affine], list[sc.Condition]]:
    """Return the position in the input read at an index of the result and a letter per axis inside the window, and
    the conditions under which it is not padding."""
    axes, _ = image_axes(node)
    place = list(index)
    inside: list[sc.Condition] = []
    for axis, w, u in zip(axes, windows(node), letters, strict=True):
        place[axis], conditions = tap_place(w, index[axis], u)
        inside += conditions
    return place, inside


def tap_place(w: Window, i: sc.Affine, u: sc.Affine) -> tuple[sc.Affine, tuple[sc.Condition, ...]]:
    """Return the position that window `i` reads at place `u`, and the conditions under which it is not padding."""
    if w.pads is None:
        raise sc.CannotIndex(f"needs the size of the {w.role} to know the padding; give it with --input")
    place = sc.add(sc.add(sc.scale(i, w.stride), sc.scale(u, w.dilation)), -w.pads[0])
    return place, sc.between(place, 0, w.n) if any(w.pads) else ()


def channels_last(function: Callable[..., Any], images: int = 1) -> Callable[..., Any]:
    """Let an evaluation written for channels_last accept and return other layouts; its first arrays are `images`, those
    behind them kernels."""

    def value(np: Any, *arrays: Any, **attrs: Any) -> Any:
        if attrs.get("data_format", "channels_last") == "channels_last":
            return function(np, *arrays, **attrs)
        moved = [np.moveaxis(x, 1, -1) if i < images else _filters_last(np, x, attrs) for i, x in enumerate(arrays)]
        return np.moveaxis(function(np, *moved, **{**attrs, "data_format": "channels_last"}), -1, 1)

    return value


def _filters_last(np: Any, kernel: Any, attrs: Mapping[str, Any]) -> Any:
    """Return a kernel with its window in front: of (b, a, window…) the kernel (window…, a, b)."""
    return np.moveaxis(kernel, (0, 1), (-1, -2)) if filters_first(attrs) else kernel
