"""Explain each axis of a layer's result: the rule for windows, and the way back to the inputs (both, hence the
length)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from layerexplain.derive.roles import AxisRoles, Roles, input_roles, is_alone
from layerexplain.errors import in_a_row
from layerexplain.lang.axes import BATCH, GONE, ResultShapes, Shape, exact
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, LEAVES, LOOP, WEIGHT, Expr, axes_of, picked, walk
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.ops.joining import concatenate
from layerexplain.ops.movement import reshape
from layerexplain.ops.reshaping import ahead, joined
from layerexplain.ops.sizes import FLOATS, default_roles, shape_text, size_text
from layerexplain.ops.spatial import each
from layerexplain.ops.window import GATHERING, Positions, Window, windows
from layerexplain.records import NamedTuple

# Window reads -------------------------------------------------------------------------------------------------------


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
        those of PyTorch no stride with 'same', poolings of PyTorch padding of at most half a window."""
        if part == "output_padding":
            return self.output_padding is not None and more < max(changed.stride, changed.dilation)
        if part == "padding":
            fixed = self.window.fixed
            is_small = not self.op.endswith("_pool") or 2 * (0 if fixed is None else fixed[0] + 1) <= changed.k
            return self.is_torch and fixed is not None and is_small
        if self.is_torch:
            return self.window.fixed is not None or changed.stride == 1
        return self.op == "depthwise_conv" or changed.stride == 1 or changed.dilation == 1


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


# Shape reasons ------------------------------------------------------------------------------------------------------
# Explain each axis of a layer's result by following it from the result back to the inputs.

PLACES = frozenset({"steps", "rows", "columns", "planes", "channels"})
"""Roles that the rule of an op knows better than the number of axes: with channels_first, axis 1 is the channels."""

CHANNELS = frozenset({"channels", "features"})
ORDER = ("batch", "steps", "planes", "rows", "columns")

FARTHEST = 100_000
"""Limit on the steps back that are followed."""

_NO_CHANGE = frozenset({"kept", "a new axis", "new axis"})
"""Reasons that say nothing beside another one."""

MOST_SIZES = 4
"""Of more sizes that are added, the first and the last are shown."""


class AxisReason(NamedTuple):
    """An axis: its role, its size before and after as text ('28', 'None', 'new', 'removed'), and the reason."""

    role: str
    before: str
    after: str
    why: str


class ShapeReasons(NamedTuple):
    """The axes of the first result without the batch, then the removed ones; notes state what windows read."""

    axes: tuple[AxisReason, ...]
    notes: tuple[str, ...]


def shape_reasons(definition: Definition) -> ShapeReasons:
    """Return the reasons for the shape of a definition's first result. It does not fail: what is too deep says so."""
    try:
        return _followed(definition)
    except _TooFar:
        result = next(iter(definition.results.values()))
        roles = default_roles(result.ndim)
        axes = zip(roles[1:], result.shape[1:], strict=True)
        why = f"through more than {FARTHEST:,} steps"
        return ShapeReasons(tuple(AxisReason(role, "?", size_text(size), why) for role, size in axes), ())


def origin(result: Expr, axis: int) -> tuple[Expr | None, int]:
    """Return the input tensor, and its axis, that an axis of a result continues, (None, 0) for a new axis."""
    try:
        way = _Way({}, result, axis, {})
    except _TooFar:
        return None, 0
    return way.leaf, way.leaf_axis


def result_roles(definition: Definition) -> tuple[Roles | None, ...]:
    """Return the roles of each result's axes, None where they are the default ones or cannot be determined.

    A layer keeps the layout of its input: each axis of a result is followed back to the axis of the input that it
    continues.
    """
    return tuple([_result_roles(definition, result) for result in definition.results.values()])


def _result_roles(definition: Definition, result: Expr) -> Roles | None:
    usual = default_roles(result.ndim)
    alone = is_alone(definition)
    if result.ndim <= 2:
        return AxisRoles({}).within(definition, definition.order)[result] if alone else None
    channels = default_roles(result.ndim + alone)[-1]
    results: list[str] = []
    for axis in range(result.ndim):
        leaf, leaf_axis = origin(result, axis)
        role = "" if leaf not in definition.params else input_roles(leaf, definition)[leaf_axis]
        results.append(channels if role in CHANNELS else role)
    # The channels of a convolution are a new axis: its filters.
    if channels not in results and results.count("") == 1:
        results[results.index("")] = channels
    order = [ORDER.index(role) if role in ORDER else -1 for role in results if role != channels]
    if results.count(channels) != 1 or order != sorted({*order}) or (order[0] != 0 and not alone):
        return None
    return tuple(results) if tuple(results) != usual else None


_Frame: TypeAlias = "dict[Expr, tuple[_Frame, Expr, bool]]"
"""What the leaves of a body stand for: a node of the enclosing body, in its frame, and whether it is one step of it."""


class _TooFar(Exception):
    """Raised for a path that is too long to read: nested models that are each called several times."""


def _followed(definition: Definition) -> ShapeReasons:
    result = next(iter(definition.results.values()))
    frame: _Frame = {}
    spine: dict[tuple[Expr, int], _Frame] = {}
    kept, ends = [], set()
    for axis, size in enumerate(result.shape):
        way = _Way(frame, result, axis, spine)
        ends.add((way.leaf, way.leaf_axis))
        if size is BATCH and way.leaf is not None and way.leaf_axis == 0:
            continue
        kept.append((way, size_text(size), axis))
    gone: dict[Any, _Way] = {}
    for (node, _), inside in list(spine.items()):
        for source, source_axis, why in _lost(node, definition):
            way = _Way(inside, source, source_axis, {})
            end = (way.leaf, way.leaf_axis)
            if way.leaf is None or end in ends or end in gone:
                continue
            way.whys.append(why)
            gone[end] = way
    # Axes of two tensors, of which one goes: each line names its tensor.
    every = [way.leaf for way in (*[way for way, _, _ in kept], *gone.values()) if way.leaf is not None]
    apart = bool(gone) and len({*every}) > 1
    axes = [_reason(way, after, definition, apart, result, axis) for way, after, axis in kept]
    removed = [_reason(way, GONE, definition, apart) for way in gone.values()]
    return ShapeReasons((*axes, *removed), tuple(_notes(definition)))


class _Way:
    """The path of one axis back to its origin: `leaf` is an input, or None for an axis that begins at the node named
    by `end`. `joined` says that it continues an axis of each input, one behind the other; `replaced` that a weight
    gives its size, whatever it was before."""

    def __init__(self, frame: _Frame, node: Expr, axis: int, spine: dict[tuple[Expr, int], _Frame]) -> None:
        self.leaf: Expr | None = None
        self.leaf_axis = 0
        self.before = ""
        self.end = ""
        self.laid_out_only = True
        self.joined = False
        self.replaced = False
        self.roles: list[str] = []
        self.named = ""
        whys: list[str] = []
        place: tuple[_Frame, Expr, int] | None = (frame, node, axis)
        steps = 0
        while place is not None:
            steps += 1
            if steps > FARTHEST:
                raise _TooFar
            frame, node, axis = place
            spine.setdefault((node, id(frame)), frame)
            place = self._structural(frame, node, axis)
            if place is None and self.leaf is None and node.op not in LEAVES:
                rule = axes_of(*picked(node))[axis]
                why = rule.reason
                whys += [why] if why and not self.replaced else []
                self.replaced |= bool(why) and why == f"{rule.role} = {size_text(rule.after)}"
                self.laid_out_only &= not why or node.op is reshape
                if node.op is reshape and why and not self.roles:
                    self.named = rule.role
                self.roles += [rule.role] if rule.role else []
                if node.op is reshape and rule.source is not None:
                    parts = joined(node, axis)
                    if len(parts) > 1:
                        self.before = " × ".join(size_text(node.args[0].shape[i]) for i in parts)
                if node.op is concatenate and why and all(arg.op is INPUT for arg in node.args):
                    sizes = [size_text(arg.shape[axis]) for arg in node.args]
                    self.before = " + ".join(sizes if len(sizes) <= MOST_SIZES else (sizes[0], "…", sizes[-1]))
                    self.joined = True
                if rule.source is not None:
                    source, at = rule.source
                    place = (frame, node.args[source], at)
        self.end = node.label or ("a constant" if node.op is CONSTANT else node.op.name)
        changes = [why for why in whys if why not in _NO_CHANGE] or whys
        self.whys = list(dict.fromkeys(reversed(changes)))

    def _structural(self, frame: _Frame, node: Expr, axis: int) -> tuple[_Frame, Expr, int] | None:
        """Return one step back through leaves, calls and loops, None where the rule of an op decides."""
        op = node.op
        if op is INPUT:
            if node not in frame:
                self.leaf, self.leaf_axis = node, axis
                return None
            outer, arg, is_step = frame[node]
            return outer, arg, axis + (is_step and axis > 0)
        source, i = picked(node)
        if source.op is CALL:
            definition: Definition = source.attrs["definition"]
            leaves = zip(definition.leaves, source.args, strict=True)
            return {leaf: (frame, arg, False) for leaf, arg in leaves}, definition.outputs[i], axis
        if source.op is LOOP:
            body: Body = source.attrs["body"]
            for leaf, arg in zip((*body.steps, *body.states), source.args, strict=False):
                frame[leaf] = frame, arg, leaf in body.steps
            if i < len(body.states):
                return frame, body.next[i], axis
            if axis == 1:
                return frame, source.args[0], 1
            return frame, body.outputs[i], axis - (axis > 1)
        return (frame, source, axis) if source is not node and type(source.shape) is not ResultShapes else None


def _reason(
    way: _Way, after: str, definition: Definition, apart: bool, result: Expr | None = None, axis: int = 0
) -> AxisReason:
    """Return what there is to say of an axis; `apart` asks for the tensor that it comes from."""
    if way.leaf is None:
        role = next(iter(reversed(way.roles)), "")
        return AxisReason(role or "new axis", "new", after, ", then ".join(way.whys) or f"axis of {way.end}")
    role = next((r for r in reversed(way.roles) if r in PLACES), input_roles(way.leaf, definition)[way.leaf_axis])
    size = size_text(way.leaf.shape[way.leaf_axis])
    if way.laid_out_only and result is not None and _same_place(way.leaf, way.leaf_axis, result, axis):
        # Reshaped, then reshaped back.
        why = f"kept; from {way.leaf.label}" if apart else "kept"
        return AxisReason(input_roles(way.leaf, definition)[way.leaf_axis], size, after, why)
    if way.before:
        role = next((r for r in way.roles if r not in PLACES), role)
    role = way.named or role
    why = ", then ".join(_without_detours(way, axis)) or "kept"
    if (
        not way.joined
        and not (way.replaced and after != GONE)
        and (apart or _differ(definition, way.leaf, way.leaf_axis))
    ):
        why += f"; from {way.leaf.label}"
    return AxisReason(role, way.before or size, after, why)


def _without_detours(way: _Way, axis: int) -> list[str]:
    """Return the reasons of an axis, where it stood at first in place of where it stood in between."""
    moves = [why for why in way.whys if why.startswith("was axis ")]
    if len(moves) < 2:
        return way.whys
    others = [why for why in way.whys if why not in moves]
    return [*others, *([f"was axis {way.leaf_axis}"] if way.leaf_axis != axis else [])]


def _same_place(leaf: Expr, at: int, result: Expr, axis: int) -> bool:
    """Return whether reshaping alone leaves an axis as it was: all sizes up to it, or all from it on, are the same.

    Two unknown sizes are the same only if as many elements stand behind them."""
    before, after = leaf.shape, result.shape
    same = before[: at + 1] == after[: axis + 1] or before[at:] == after[axis:]
    return same and (before[at] is not None or ahead(before[at + 1 :]) == ahead(after[axis + 1 :]))


def _differ(definition: Definition, leaf: Expr, axis: int) -> bool:
    """Return whether the input tensors of a layer differ at an axis, so that the reason must name the tensor."""
    alike = [p for p in definition.params if p.ndim == leaf.ndim and p.dtype in FLOATS]
    return len({p.shape[axis] for p in alike}) > 1


def _lost(node: Expr, definition: Definition) -> Iterator[tuple[Expr, int, str]]:
    """Yield the axes of a node's arguments that its result lacks, with the reason."""
    source, i = picked(node)
    if source.op is LOOP:
        body: Body = source.attrs["body"]
        if i < len(body.states):
            why = "only the last output is returned"
            if definition.arguments.get("go_backwards"):
                why += ", that of step 0"
            if definition.arguments.get("return_sequences") is False:
                shape: Shape = body.next[i].shape
                whole = (shape[0], source.args[0].shape[1], *shape[1:])
                why += f"; return_sequences=True returns {shape_text(whole)}"
            yield source.args[0], 1, why
    elif source.op not in LEAVES and source.op is not CALL:
        for axis in axes_of(source, i):
            if axis.after == GONE and axis.source is not None:
                yield source.args[axis.source[0]], axis.source[1], axis.reason


def _notes(definition: Definition) -> list[str]:
    """Return the rule for the number of windows, of the first operation that has some; and what the first and last
    windows read, of kernels whose windows read differently each with its name."""
    rules: list[str] | None = None
    results: dict[str, str] = {}
    for body in (definition, *inner_definitions(definition)):
        for node in sorted(nodes(body), key=lambda e: e.serial):
            if node.op.name in (*GATHERING, "conv_transpose"):
                rules = size_rules(node, body.arguments or definition.arguments) if rules is None else rules
                for line in reads(node):
                    results.setdefault(line, _kernel(node))
    apart = len(set(results.values())) > 1
    lines = [f"{kernel}: {line}" if apart and kernel else line for line, kernel in results.items()]
    return [*(rules or ()), *lines]


def _kernel(node: Expr) -> str:
    """Return the weight that a window multiplies, as the list of weights shows it; "" for a pooling."""
    weight = next((expression for expression in walk(node.args[1:]) if expression.op is WEIGHT), None)
    return "" if weight is None else f"{weight.label} {weight.attrs['name']}"
