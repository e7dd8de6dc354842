"""The windows of a convolution or pooling in sentences: the rule for their number, and the positions that they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.lang.axes import exact
from layerexplain.lang.expr import Expr
from layerexplain.ops.spatial import each
from layerexplain.ops.window import Positions, Window, windows
from layerexplain.records import NamedTuple
from layerexplain.suggest import in_a_row


def reads(node: Expr) -> Iterator[str]:
    """Yield the input positions that the first, second and last windows of a convolution or pooling read, and which of
    them are padding; for a transposed convolution, the output positions that the first, second and last inputs reach.

    There is one line per axis, one line for equal axes, and none where it depends on an unknown size.

    `output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 13 rows 26 to 28 (28 is padding)`
    """
    slides = windows(node)
    extra = each(node.attrs.get("output_padding"), len(slides))
    transposed = node.op.name == "conv_transpose"
    groups: dict[Any, list[Window]] = {}
    for w, more in zip(slides, extra, strict=True):
        # A window of 1 with stride 1 reads the same at any size.
        same_place = w.reach == w.stride == 1 and not transposed
        groups.setdefault((w._replace(role="", n=None if same_place else w.n), more), []).append(w)
    for (_, more), alike in groups.items():
        text = _scatters(alike[0], more) if transposed else _gathers(alike[0])
        if text:
            others = " and ".join(w.role for w in alike[1:])
            yield f"{text}; likewise for {others}" if others else text


_NAMES = {
    "kernel": ("kernel_size", "pool_size", "size"),
    "stride": ("stride", "strides"),
    "dilation": ("dilation", "dilation_rate"),
    "padding": ("padding",),
    "output_padding": ("output_padding",),
}
"""What decides the number of windows, each with the arguments that say it."""


def size_rules(node: Expr, arguments: Mapping[str, Any]) -> list[str]:
    """Return the rule for the output size of a convolution or pooling in the names of the layer's arguments, with the
    terms that are 0 here; and what the size is with one argument changed.

    `out = floor((in + 2 × padding - dilation × (kernel_size - 1) - 1) / stride) + 1`
    """
    names = {part: next((name for name in own if name in arguments), "") for part, own in _NAMES.items()}
    if not names["stride"]:
        return []
    slides = windows(node)
    extra = each(node.attrs.get("output_padding"), len(slides))
    of_axes = [_Size(*of_axis, names, node.op.name) for of_axis in zip(slides, extra, strict=True)]
    rules = dict.fromkeys([size.rule() for size in of_axes])
    if len(rules) > 1:
        return []
    changed = of_axes[0].changed(arguments.get(names["stride"], 1) is None)
    return [f"out = {rule}" for rule in rules] + ([f"with one argument changed: {changed}"] if changed else [])


class _Size(NamedTuple):
    """The size of one axis behind a convolution or pooling."""

    window: Window
    output_padding: int | None
    names: Mapping[str, str]
    """The names of the arguments, "" for what the layer has none of."""
    op: str

    @property
    def is_torch(self) -> bool:
        """Whether the arguments are those of PyTorch, whose padding is a number."""
        return self.names["stride"] == "stride"

    def rule(self) -> str:
        """Return the rule in the names of the arguments."""
        names, kernel = self.names, self.names["kernel"] or "kernel"
        padding = f"2 × {names['padding']}" if self.is_torch and self.window.fixed is not None else ""
        holes = f"{names['dilation']} × ({kernel} - 1)" if names["dilation"] else ""
        if self.op != "conv_transpose":
            return self.window.rule("in", names["stride"], f"{holes} - 1" if holes else kernel, padding)
        more = "" if self.output_padding is None else names["output_padding"]
        return self.window.transposed_rule("in", names["stride"], f"{holes} + 1" if holes else kernel, padding, more)

    def size(self) -> int | None:
        """Return the output size; None where the size of the axis is not known."""
        if self.op == "conv_transpose":
            return self.window.transposed_size(self.output_padding)
        return self.window.number

    def changed(self, is_whole: bool) -> str:
        """Return the size with one more of each argument that the layer takes so, by itself: `stride=2 → 14`. Where
        windows are as far apart as they are wide, `is_whole`, one argument says both."""
        window, more = self.window, (self.output_padding or 0) + 1
        before, after = window.fixed or (0, 0)
        changes = {
            "kernel": (
                window.k + 1,
                window._replace(k=window.k + 1, stride=window.stride + is_whole),
                self.output_padding,
            ),
            "stride": (window.stride + 1, window._replace(stride=window.stride + 1), self.output_padding),
            "dilation": (window.dilation + 1, window._replace(dilation=window.dilation + 1), self.output_padding),
            "padding": (before + 1, window._replace(padding=(before + 1, after + 1)), self.output_padding),
            "output_padding": (more, window, more),
        }
        sizes = []
        for part, (value, changed, output_padding) in changes.items():
            size = self._replace(window=changed, output_padding=output_padding).size()
            if self.names[part] and size is not None and size > 0 and self._takes(part, changed, more):
                sizes.append(f"{self.names[part]}={value} → {size}")
        return f"{'; '.join(sizes)} ({window.role})" if sizes else ""

    def _takes(self, part: str, changed: Window, more: int) -> bool:
        """Return whether the layer takes one more of an argument: convolutions of Keras have strides or dilation,
        poolings of PyTorch padding of at most half a window."""
        if part == "output_padding":
            return self.output_padding is not None and more < max(changed.stride, changed.dilation)
        if part == "padding":
            fixed = self.window.fixed
            is_small = not self.op.endswith("_pool") or 2 * (0 if fixed is None else fixed[0] + 1) <= changed.k
            return self.is_torch and fixed is not None and is_small
        return self.is_torch or self.op == "depthwise_conv" or changed.stride == 1 or changed.dilation == 1


_MOST_LISTED = 8
"""Up to this number, positions are listed one by one."""


def _gathers(w: Window) -> str:
    if w.reach == w.stride == 1:
        return f"output {_one(w)} i reads input {_one(w)} i"
    if w.pads is None:
        return ""
    return window_sentence(w, w.number, w.pads[0], w.n, (f"output {_one(w)} {{}} reads", f"{_one(w)} {{}}", "padding"))


def _scatters(w: Window, output_padding: int | None) -> str:
    size = w.transposed_size(output_padding)
    if size is None and w.padding == "same":
        return ""
    start = 0 if size is None else w.transposed_start(size)
    return window_sentence(
        w, w.n, start, size, (f"input {_one(w)} {{}} adds to output", f"{_one(w)} {{}} to", "cut off")
    )


def window_sentence(w: Window, count: int | None, start: int, size: int | None, words: tuple[str, str, str]) -> str:
    """Return what the first, second and last of `count` windows cover of an axis of the given size, of which window 0
    begins `start` before it; the words are those for the first window, for others, and for what lies outside."""
    first_words, words_of_others, what = words
    parts = []
    for i in _ends(count):
        first = i * w.stride - start
        positions = Positions(first, w.dilation, w.k)
        verb = (words_of_others if i else first_words).format(i)
        parts.append(f"{verb} {_positions_text(w, positions)}{_aside(_outside(positions, size), what)}")
    return ", ".join(parts)


def _ends(count: int | None) -> list[int]:
    """Return the first, second and last of `count` positions."""
    if count is None:
        return [0, 1]
    return [0, 1, count - 1] if count > 2 else [0, 1][: exact(count)]


def _one(w: Window) -> str:
    """Return the role of the axis in the singular: rows → row."""
    return w.role[:-1]


def _positions_text(w: Window, positions: Positions) -> str:
    if positions.number == 1:
        return f"{_one(w)} {positions.first}"
    if w.dilation == 1 and positions.number > 2:
        return f"{w.role} {positions.first} to {positions.last}"
    if positions.number <= 5:
        return f"{w.role} {in_a_row(positions.each())}"
    return f"{w.role} {positions.first} to {positions.last}, every {w.dilation}"


def _outside(positions: Positions, size: int | None) -> list[Positions]:
    """Return the positions before 0 and those from `size` on, where there are such."""
    before = positions.until(0)
    inside = max(positions.until(size), before)
    behind = Positions(positions.first + inside * positions.step, positions.step, positions.number - inside)
    return [part for part in (positions._replace(number=before), behind) if part.number]


def _aside(outside: list[Positions], what: str) -> str:
    count = sum([part.number for part in outside])
    if not count:
        return ""
    first, last = outside[0].first, outside[-1].last
    if count > 3 and last - first == count - 1:
        return f" ({first} to {last} are {what})"
    if count > _MOST_LISTED:
        spans = [f"{part.first} to {part.last}" if part.number > 1 else str(part.first) for part in outside]
        return f" ({' and '.join(spans)} are {what})"
    listed = [position for part in outside for position in part.each()]
    return f" ({in_a_row(listed)} {'is' if count == 1 else 'are'} {what})"
