"""A document as lines for a terminal, a pipe or a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock, Figure, Labelled, Listing, Points, Section
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, narrowest, pad, paint, plain_table, width_of, wrap
from layerexplain.render.quantities import names_text

# Text sections ------------------------------------------------------------------------------------------------------

_MARGIN = "  "
_LABEL = 12
"""Columns of a label and the space after it."""
_LEAST_BESIDE = 16
"""In less room, what a label has stands below it."""
_COMMENT_AT_MOST = 64
"""Code longer than this does not push the comments of the other lines to the right."""
_LONGEST_PROSE = 100
_LONGEST_HEADLINE = 120
"""Running text, and the way from a name to its shapes, get hard to follow on a wider line; formulas do not."""
_TONES = {"": "", "aside": "dim", "warning": "yellow"}


def section_lines(block: Any, look: Look) -> list[str]:
    """Return the lines of a section or of a figure."""
    match block:
        case Section():
            writer = _Sections(look)
            return [text for inner in doc.for_text(block.blocks) for text in writer.inner(inner)]
        case Figure():
            return list("\n\n".join("\n".join(part) for part in block.draw(look) if part).split("\n"))
    raise TypeError(f"no block of a document: {block!r}")


class _Sections:
    """Writes what sections consist of for a look."""

    def __init__(self, look: Look) -> None:
        self.look = look
        room = None if look.width is None else look.width - len(_MARGIN)
        self.section_room = room
        self.labelled_room = None if room is None else max(room - _LABEL, _LEAST_BESIDE)

    def _say(self, text: str) -> str:
        return clean(text, self.look.ascii)

    def inner(self, block: Any) -> list[str]:
        """Return the lines of a block inside a section."""
        match block:
            case doc.Heading():
                return self._headline(block)
            case doc.Prose():
                room = self.section_room and min(self.section_room, _LONGEST_PROSE - len(_MARGIN))
                return [_MARGIN + line for text in block.texts for line in wrap(self._say(text), room, hang=0)]
            case Labelled():
                return self._labelled(block)
        return [_MARGIN + line for line in self._lines(block, self.section_room)]

    def _labelled(self, block: Labelled) -> list[str]:
        room, blocks = self.labelled_room, doc.for_text(block.blocks)
        if room is not None and self.section_room is not None:
            plain = type(self)(Look(ascii=self.look.ascii))
            whole = [line for inner in blocks for line in plain._lines(inner, None)]
            is_narrow = self.section_room < _LABEL + _LEAST_BESIDE
            if is_narrow or narrowest(whole, self.section_room) > room:  # long names get the room of the label
                below = [line for inner in blocks for line in self._lines(inner, self.section_room - 2)]
                label = paint(block.label, "bold", self.look)
                return [_MARGIN + label, *[_MARGIN * 2 + line for line in below]]
        lines = [line for inner in blocks for line in self._lines(inner, room)]
        return [
            _MARGIN + paint(label, "bold", self.look) + " " * (_LABEL - len(label)) + line
            for label, line in zip([block.label, *[""] * len(lines)], lines, strict=False)
        ]

    def _lines(self, block: Any, room: int | None) -> list[str]:
        """Return the lines of a block, each at most `room` columns wide."""
        match block:
            case CodeBlock():
                return self._code(block, room)
            case Points():
                lines = [line for item in block.items for line in wrap(line_text(item, self.look), room)]
                return [paint(line, _TONES[block.tone], self.look) for line in lines]
            case Listing():
                from layerexplain.render.text_table import listing_lines

                return listing_lines(block, self.look, room)
        raise TypeError(f"no block of a section: {block!r}")

    def _headline(self, heading: doc.Heading) -> list[str]:
        """Return `name · Type` and, at the right edge where there is one, what stands beside it; below if too long."""
        look = self.look
        name, *rest = [self._say(span.text) for span in heading.title]
        left = look.dot.join([name, *rest])
        right = self._say(heading.beside)
        painted = paint(name, "bold", look) + paint(left[len(name) :], "dim", look)
        if look.width is None or not right:
            return [f"{painted}  {right}".rstrip()]
        edge = min(look.width, max(_LONGEST_HEADLINE, width_of(left) + 2 + len(right)))
        if width_of(left) + 2 + len(right) <= edge:
            return [painted + " " * (edge - width_of(left) - len(right)) + right]
        first, *others = wrap(left, edge)
        return [
            painted if not others else paint(first, "bold", look),
            *[paint(line, "bold", look) for line in others],
            *[pad(line, edge, right=True) for line in wrap(right, edge, hang=0)],
        ]

    def _code(self, code: CodeBlock, room: int | None) -> list[str]:
        """Return lines of code; comments stand behind them in one column, or beneath where there is no room."""
        style = "cyan" if code.formula else ""
        texts = [self._say(line.text) for line in code.lines]
        comments = [self._say(line.comment) for line in code.lines]
        column = self._comment_column(texts, comments, room)
        lines: list[str] = []
        for text, comment in zip(texts, comments, strict=True):
            remark = f"# {comment}"
            if comment and (room is None or max(width_of(text), column) + 2 + width_of(remark) <= room):
                space = " " * (max(column - width_of(text), 0) + 2)
                lines.append(paint(text, style, self.look) + space + paint(remark, "dim", self.look))
                continue
            lines += [paint(line, style, self.look) for line in wrap(text, room, code.hang)]
            if comment:
                indent = " " * (len(text) - len(text.lstrip(" ")) + 4)
                lines += [paint(line, "dim", self.look) for line in wrap(indent + remark, room)]
        return lines

    def _comment_column(self, texts: Sequence[str], comments: Iterable[str], room: int | None) -> int:
        comments = list(comments)
        sizes = [width_of(text) for text, comment in zip(texts, comments, strict=True) if comment]
        column = max((size for size in sizes if size <= _COMMENT_AT_MOST), default=0)
        if room is None:
            return column
        return min(column, max(room - max(map(width_of, comments), default=0) - 4, 0))


# Text ---------------------------------------------------------------------------------------------------------------
# Text: a document as lines for a terminal, a pipe or a file.

_BLOCK_MARGIN = "  "
_NAMES_SHOWN = 6
_LONGEST_VALUE = 30


def text(document: doc.Document, look: Look) -> str:
    """Return the document as text: its blocks with an empty line between them.

    >>> text(doc.Document((doc.Prose(("A model of 3 layers.",)),)), Look())
    'A model of 3 layers.\\n'
    """
    return _TextWriter(look).document(document)


def line_text(line: doc.Line, look: Look) -> str:
    """Return a line in words; names that are left out are counted."""
    if isinstance(line, str):
        return clean(line, look.ascii)
    texts = [
        names_text(list(names.names), None if look.width is None else names.shown)
        if isinstance(names, doc.Names)
        else names.text
        for names in line
        if doc.is_for(names, doc.TEXT)
    ]
    return clean("".join(texts), look.ascii)


class _TextWriter:
    """Writes blocks for a look. Every text goes through `_say` on its way."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def document(self, document: doc.Document) -> str:
        parts = [self._block(block) for block in doc.for_text(document.blocks)]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _say(self, text: str) -> str:
        return clean(text, self.look.ascii)

    def _block(self, block: Any) -> list[str]:
        """Return the lines of a block of the document."""
        look = self.look
        match block:
            case doc.Heading():
                return self._title(block)
            case doc.Table():
                if look.width is None:
                    return plain_table(block, look)
                from layerexplain.render.text_table import table_lines

                return table_lines(block, look, look.width)
            case doc.Prose():
                return [line for text in block.texts for line in wrap(self._say(text), look.width)]
            case doc.FactBlock():
                return self._facts(block)
            case doc.Notes():
                return self._notes(block)
        return section_lines(block, look)

    def _title(self, heading: doc.Heading) -> list[str]:
        """Return `resnet50 · Functional · 177 layers · resnet50.keras (keras-archive, Keras 3.15.1)`."""
        name, *rest = [line_text(line, self.look) for line in [*[[span] for span in heading.title], *heading.about]]
        first, *others = wrap(self.look.dot.join([name, *filter(None, rest)]), self.look.width)
        if first.startswith(name):
            first = paint(name, "bold", self.look) + paint(first[len(name) :], "dim", self.look)
        return [first, *[paint(line, "dim", self.look) for line in others]]

    def _facts(self, block: doc.FactBlock) -> list[str]:
        """Return a line a fact; below a title they are indented."""
        look = self.look
        lines = [paint(line, "bold", look) for line in wrap(self._say(block.title), look.width)] if block.title else []
        margin = _BLOCK_MARGIN if block.title else ""
        label_width = max(len(fact.label) for fact in block.facts) + 1
        # A long value, such as a formula of named sizes, is wrapped with the words; it makes no column wide.
        facts = [
            doc.Fact(label, "", (value, *(words or ())))
            if len(value) > _LONGEST_VALUE
            else doc.Fact(label, value, words)
            for label, value, words in block.facts
        ]
        width = max(len(fact.value) for fact in facts)
        for label, value, words in facts:
            head = f"{margin}{label:<{label_width}}{pad(value, width, right=True)}"
            first, *others = wrap(
                f"{head}  {look.dot.join(map(self._say, filter(None, words or ())))}".rstrip(),
                look.width,
                hang=len(head) + 2 - len(margin),
            )
            shown = head if margin else paint(label, "bold", look) + head[len(label) :]
            lines += [shown + paint(first[len(head) :], "dim", look), *[paint(line, "dim", look) for line in others]]
        return lines

    def _notes(self, block: doc.Notes) -> list[str]:
        lines = []
        for message, names in block.notes:
            limit = None if self.look.width is None else _NAMES_SHOWN
            sentence = f"{names_text(list(names), limit)}: {message}" if names else message
            lines += wrap("  " + self._say(sentence), self.look.width)
        return [paint("Notes", "bold", self.look), *lines] if lines else []
