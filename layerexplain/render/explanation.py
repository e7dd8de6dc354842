"""The text of `explain`: for each layer a headline and labelled blocks, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerexplain.render import frame
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, pad, paint, width_of, wrap
from layerexplain.render.quantities import count_text, field_text, names_text, shape_text, shapes_text
from layerexplain.report.data import AxisReason, Explanation, LayerReport, Report, Statement, WeightReason

_MARGIN = "  "
_LABEL = 10
"""Columns of a label and the space after it."""
_COMMENT_AT_MOST = 64
"""Statements longer than this do not push the comments of the others to the right."""
_ALIKE_SHOWN = 8
_LONGEST_PROSE = 100
_LONGEST_HEADLINE = 120
"""Running text, and the way from a name to its shapes, get hard to follow on a wider line; formulas do not."""


def explanation(report: Report, layers: Sequence[LayerReport], look: Look, whole: bool = True) -> str:
    """The explanations of `layers`; those of one group once, with the list of those that it holds for.

    `whole` says that these are all the layers of the report: then its heading, totals and notes stand around them.
    """
    parts: list[list[str]] = [frame.heading(report, look)] if whole else []
    for layer, alike in grouped(layers):
        parts.append(_Page(layer, alike, look).lines())
    if whole:
        about_model = report._replace(
            layers=tuple(layer._replace(notes=(), layers=()) for layer in report.layers),
            notes=tuple(note for note in report.notes if note.layer is None),
        )
        parts += [frame.totals(report, look), frame.notes(about_model, look)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def grouped(layers: Iterable[LayerReport]) -> list[tuple[LayerReport, list[LayerReport]]]:
    """The first layer of each group, in order, with the others of its group."""
    first: dict[int, tuple[LayerReport, list[LayerReport]]] = {}
    for layer in layers:
        if layer.group in first:
            first[layer.group][1].append(layer)
        else:
            first[layer.group] = (layer, [])
    return list(first.values())


class _Page:
    """One layer's explanation, laid out for a look."""

    def __init__(self, layer: LayerReport, alike: list[LayerReport], look: Look) -> None:
        self.layer = layer
        self.alike = alike
        self.look = look
        self.room = None if look.width is None else max(look.width - len(_MARGIN) - _LABEL, 16)
        self.out: list[str] = []

    def lines(self) -> list[str]:
        """The page."""
        layer, told = self.layer, self.layer.explanation
        self._headline()
        if told is not None:
            self._prose([told.sentence, *told.hints])
        if self.alike:
            limit = None if self.look.width is None else _ALIKE_SHOWN
            names = [frame.title_of(other) for other in self.alike]
            self._block("same for", self._wrapped([names_text(names, limit)]))
        self._block("calls" if len(layer.calls) > 1 else "inputs", self._calls())
        if told is None:
            self._block("formula", [paint(line, "cyan", self.look) for line in self._wrapped(layer.formula)])
        else:
            self._told(told)
        self._block("notes", [paint(line, "yellow", self.look) for line in self._wrapped(layer.notes)])
        return self.out

    def _told(self, told: Explanation) -> None:
        self._block("formula", self._statements(told.statements))
        self._block("where", self._wrapped(told.where))
        self._block("element", self._wrapped(told.element, hang=4) + self._dimmed(told.element_notes))
        self._block("shape", self._axes(told.axes) + self._wrapped(told.shape_notes))
        self._block("weights", self._weights(told.weights, told.weights_note))
        self._block("cost", self._wrapped(told.cost))
        self._block("reach", self._reach_of_all(told))
        self._block("training", self._wrapped(told.training))
        self._block("mask", self._wrapped([told.mask] if told.mask else []))
        self._block("dtype", self._wrapped([told.dtype] if told.dtype else []))
        self._block("in Keras", self._reach(told.weights))

    def _say(self, text: str) -> str:
        return clean(text, self.look.ascii)

    def _wrapped(self, texts: Iterable[str], hang: int = 2) -> list[str]:
        return [line for text in texts for line in wrap(self._say(text), self.room, hang)]

    def _dimmed(self, texts: Iterable[str]) -> list[str]:
        return [paint(line, "dim", self.look) for line in self._wrapped(texts)]

    def _block(self, label: str, lines: list[str]) -> None:
        for number, line in enumerate(lines):
            head = label if number == 0 else ""
            self.out.append(_MARGIN + paint(head, "bold", self.look) + " " * (_LABEL - len(head)) + line)

    def _prose(self, texts: Iterable[str]) -> None:
        room = None if self.look.width is None else min(self.look.width, _LONGEST_PROSE) - len(_MARGIN)
        for text in texts:
            self.out += [_MARGIN + line for line in wrap(self._say(text), room, hang=0)]

    def _headline(self) -> None:
        """`name · Type` and, at the right edge where there is one, the shapes; on a line of their own if too long."""
        look = self.look
        name = self._say(frame.title_of(self.layer))
        kind = self._say(self.layer.type)
        left = f"{name}{look.dot}{kind}"
        painted = paint(name, "bold", look) + paint(look.dot + kind, "dim", look)
        inputs = shapes_text(self.layer.input_shapes)
        outputs = shapes_text(self.layer.output_shapes)
        right = f"{inputs} {look.arrow} {outputs}" if inputs else outputs
        if look.width is None:
            self.out.append(f"{painted}  {right}".rstrip())
            return
        edge = min(look.width, max(_LONGEST_HEADLINE, width_of(left) + 2 + len(right)))
        if width_of(left) + 2 + len(right) <= edge:
            self.out.append(painted + " " * (edge - width_of(left) - len(right)) + right)
        else:
            first, *others = wrap(left, edge)
            self.out.append(painted if not others else paint(first, "bold", look))
            self.out += [paint(line, "bold", look) for line in others]
            self.out += [pad(line, edge, right=True) for line in wrap(right, edge, hang=0)]

    def _calls(self) -> list[str]:
        """Who feeds the layer, told where it is not plainly the one layer before: several inputs or several calls."""
        calls = self.layer.calls
        if len(calls) < 2 and not (calls and len(calls[0].sources) > 1):
            return []
        lines = []
        for call in calls:
            names = list(call.sources)
            if any(call.source_calls):  # a layer that is called several times
                again = {name for name, number in zip(names, call.source_calls, strict=False) if number}
                names = [
                    f"{name} (call {number + 1})" if name in again else name
                    for name, number in zip(names, call.source_calls, strict=True)
                ]
            fed = [f"{name} {shape_text(shape)}" for name, shape in zip(names, call.input_shapes, strict=False)] or [
                shapes_text(call.input_shapes)
            ]
            lines.append(f"{', '.join(fed)} → {shapes_text(call.output_shapes)}")
        return self._wrapped(lines)

    def _statements(self, statements: Sequence[Statement]) -> list[str]:
        """The formula's lines; what is said of each is a comment behind it, or beneath it where there is no room."""
        texts = ["    " * statement.indent + self._say(statement.text) for statement in statements]
        comments = [self._say("  ".join(part for part in (s.shape, s.note) if part)) for s in statements]
        said = [width_of(text) for text, comment in zip(texts, comments, strict=True) if comment]
        column = max((size for size in said if size <= _COMMENT_AT_MOST), default=0)
        if self.room is not None:
            longest = max(map(width_of, comments), default=0)
            column = min(column, max(self.room - longest - 4, 0))
        lines: list[str] = []
        for text, comment in zip(texts, comments, strict=True):
            remark = f"# {comment}"
            if not comment:
                lines += [paint(line, "cyan", self.look) for line in wrap(text, self.room, hang=4)]
            elif self.room is None or max(width_of(text), column) + 2 + width_of(remark) <= self.room:
                space = " " * (max(column - width_of(text), 0) + 2)
                lines.append(paint(text, "cyan", self.look) + space + paint(remark, "dim", self.look))
            else:
                lines += [paint(line, "cyan", self.look) for line in wrap(text, self.room, hang=4)]
                indent = " " * (len(text) - len(text.lstrip(" ")) + 4)
                lines += [paint(line, "dim", self.look) for line in wrap(indent + remark, self.room)]
        return lines

    def _axes(self, axes: Sequence[AxisReason]) -> list[str]:
        """A line an axis: its role, its size before and after, and why, in columns."""
        role_width = max((width_of(self._say(axis.role)) for axis in axes), default=0)
        sizes = [(self._say(axis.before), self._say(axis.after)) for axis in axes]
        before_width = max((width_of(before) for before, _ in sizes), default=0)
        after_width = max((width_of(after) for _, after in sizes), default=0)
        lines = []
        for axis, (before, after) in zip(axes, sizes, strict=True):
            role = pad(self._say(axis.role), role_width)
            change = f"{before:>{before_width}} {self.look.arrow} {after:<{after_width}}"
            head = f"{role}  {change}  "
            lines += wrap((head + self._say(axis.why)).rstrip(), self.room, self._hang(head))
        return lines

    def _hang(self, head: str) -> int:
        """How far what follows `head` is indented when it wraps: under its start, unless too little room were left."""
        return width_of(head) if self.room is None or width_of(head) <= self.room * 2 // 3 else 4

    def _weights(self, weights: Sequence[WeightReason], note: str) -> list[str]:
        """A line a weight: symbol, name and shape, then its axes multiplied out; the note below."""
        symbol_width = max((width_of(self._say(weight.symbol)) for weight in weights), default=0)
        names = [f"{pad(self._say(w.symbol), symbol_width)} {self._say(w.name)}" for w in weights]
        if not symbol_width:
            names = [self._say(weight.name) for weight in weights]
        name_width = max(map(width_of, names), default=0)
        shapes = [shape_text(weight.shape) for weight in weights]
        shape_width = max(map(len, shapes), default=0)
        factors = [self._say(weight.factors) for weight in weights]
        factor_width = max(map(width_of, factors), default=0)
        counts = [count_text(weight.params) for weight in weights]
        count_width = max(map(len, counts), default=0)
        lines = []
        for weight, name, shape, factor, count in zip(weights, names, shapes, factors, counts, strict=True):
            head = f"{pad(name, name_width)}  {shape:<{shape_width}}  "
            held = "" if weight.trainable else "  not trainable"
            line = f"{head}{pad(factor, factor_width)} = {count:>{count_width}}{held}"
            if self.room is not None and width_of(line) > self.room:
                line = f"{head}{factor} = {count}{held}"
            if self.room is None or width_of(line) <= self.room:
                lines.append(line)
                continue
            lines += wrap(head.rstrip(), self.room, hang=4)
            lines += wrap(" " * (symbol_width + 1) + f"{factor} = {count}{held}", self.room)
        return lines + self._dimmed([note] if note else [])

    def _reach_of_all(self, told: Explanation) -> list[str]:
        """What one output element sees of the model's inputs. Layers that are alike stand at different depths."""
        lines = self._wrapped(told.receptive_field)
        others = [
            (other, field_text(other.receptive_field or ()))
            for other in self.alike
            if other.explanation is not None and other.explanation.receptive_field != told.receptive_field
        ]
        if others:
            names = [f"{frame.title_of(other)} {seen}".rstrip() for other, seen in others]
            lines = self._wrapped([f"at {frame.title_of(self.layer)}:"]) + lines if len(lines) > 1 else lines
            limit = None if self.look.width is None else _ALIKE_SHOWN
            lines += self._dimmed([f"elsewhere: {names_text(names, limit)}"])
        return lines

    def _reach(self, weights: Sequence[WeightReason]) -> list[str]:
        symbol_width = max((width_of(self._say(weight.symbol)) for weight in weights if weight.reach), default=0)
        return [
            line
            for weight in weights
            if weight.reach
            for line in wrap(
                f"{pad(self._say(weight.symbol), symbol_width)} = {self._say(weight.reach)}", self.room, hang=4
            )
        ]
