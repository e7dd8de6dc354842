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
    """Return the rule for the output size of a convolution or pooling, whole, in the names of the layer's arguments;
    then its numbers, and what one more of each argument gives, for each axis that differs.

    `out = floor((in + 2 × padding - dilation × (kernel_size - 1) - 1) / stride) + 1`
    """
    slides = windows(node)
    extra = each(node.attrs.get("output_padding"), len(slides))
    names = {key: next((name for name in own if name in arguments), "") for key, own in _NAMES.items()}
    names["kernel"] = names["kernel"] or "kernel"
    whole: dict[str, None] = {}
    rows: list[tuple[_Rule, list[str]]] = []
    for w, more in zip(slides, extra, strict=True):
        rule = _Rule(w, more, names, node.op.name, arguments.get(names["stride"], 1) is None)
        whole.setdefault(f"out = {rule.text(names)}")
        if isinstance(w.n, int):
            for other, roles in rows:
                if other.window == w._replace(role=other.window.role):
                    roles.append(w.role)
                    break
            else:
                rows.append((rule, [w.role]))
    if len(whole) > 1 or not names["stride"]:
        return []
    numbers = [f"{in_a_row(roles)}: {rule.text(rule.numbers())} = {rule.size()}" for rule, roles in rows]
    changes = rows[0][0].changes() if rows else ""
    return [*whole, *numbers, *([changes] if changes else [])]


class _Rule(NamedTuple):
    """The rule for the size of one axis: that of convolutions and poolings, or that of transposed convolutions."""

    window: Window
    output_padding: int | None
    names: Mapping[str, str]
    """The names of the arguments, "" for what the layer has none of."""
    op: str
    is_whole: bool
    """Whether windows are as far apart as they are wide."""

    @property
    def transposed(self) -> bool:
        """Whether it makes an image larger."""
        return self.op == "conv_transpose"

    @property
    def is_torch(self) -> bool:
        """Whether the arguments are those of PyTorch, whose padding is a number."""
        return self.names["stride"] == "stride"

    def size(self) -> int | None:
        """Return the output size."""
        return self.window.transposed_size(self.output_padding) if self.transposed else self.window.number

    def numbers(self) -> dict[str, str]:
        """Return the number of each part of the rule."""
        w = self.window
        before, after = w.fixed or (0, 0)
        padding = str(before) if before == after else f"({before} + {after}) / 2"
        return {"in": str(w.n), "kernel": str(w.k), "stride": str(w.stride), "dilation": str(w.dilation),
                "padding": padding, "output_padding": str(self.output_padding or 0)}  # fmt: skip

    def text(self, parts: Mapping[str, str]) -> str:
        """Return the rule, of names or of numbers."""
        w, n, k, s = self.window, parts.get("in", "in"), parts["kernel"], parts["stride"]
        holes = f"{parts['dilation']} × ({k} - 1)" if self.names["dilation"] else ""
        pads = f"2 × {parts['padding']}" if self.is_torch and self.names["padding"] and w.fixed is not None else ""
        if not self.transposed:
            if w.fixed is None:
                return f"ceil({n} / {s})"
            room = f"{n}{f' + {pads}' if pads else ''} - {f'{holes} - 1' if holes else k}"
            room_of_last = (w.n or 0) + sum(w.fixed) - w.reach
            last = w.ceil and w.n is not None and w.number != -(-room_of_last // w.stride) + 1
            return f"{'ceil' if w.ceil else 'floor'}(({room}) / {s}) + 1{' - 1' if last else ''}"
        reach = f"{holes} + 1" if holes else k
        if self.output_padding is None:
            return f"{n} × {s}" + (f" + max({reach} - {s}, 0)" if w.padding == "valid" else "")
        off = f" - 2 × floor(({reach}) / 2)" if w.padding == "same" else f" - {pads}" if pads else ""
        return f"({n} - 1) × {s}{off} + {holes or k} + {parts['output_padding']}{' + 1' if holes else ''}"

    def changes(self) -> str:
        """Return what the size becomes with one more of each argument that the layer takes so."""
        w, extra = self.window, self.output_padding
        before, after = w.fixed or (0, 0)
        others = {
            "kernel": (w.k + 1, w._replace(k=w.k + 1, stride=w.stride + self.is_whole), extra),
            "stride": (w.stride + 1, w._replace(stride=w.stride + 1), extra),
            "dilation": (w.dilation + 1, w._replace(dilation=w.dilation + 1), extra),
            "padding": (before + 1, w._replace(padding=(before + 1, after + 1)), extra),
            "output_padding": ((extra or 0) + 1, w, (extra or 0) + 1),
        }
        parts = []
        for key, (value, window, more) in others.items():
            size = self._replace(window=window, output_padding=more).size()
            if self.names[key] and size is not None and size > 0 and self._takes(key, window, more):
                parts.append(f"{self.names[key]}={value} → {size}")
        return f"with one more: {'; '.join(parts)} {self.window.role}" if parts else ""

    def _takes(self, key: str, window: Window, more: int | None) -> bool:
        """Return whether the layer takes one more of an argument."""
        if key == "output_padding":
            return self.output_padding is not None and (more or 0) < max(window.stride, window.dilation)
        if key == "padding":
            is_small = not self.op.endswith("_pool") or 2 * (window.fixed or (0, 0))[0] <= window.k
            return self.is_torch and self.window.fixed is not None and is_small
        return self.is_torch or self.op == "depthwise_conv" or window.stride == 1 or window.dilation == 1


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
