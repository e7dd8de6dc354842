"""Text: a document as lines for a terminal, a pipe or a file."""

from __future__ import annotations

from typing import Any

from layerexplain.render import document as doc
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, pad, paint, plain_table, wrap
from layerexplain.render.quantities import names_text

_MARGIN = "  "
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
        names_text(list(one.names), None if look.width is None else one.shown)
        if isinstance(one, doc.Names)
        else one.text
        for one in line
        if doc.is_for(one, doc.TEXT)
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
                return [line for one in block.texts for line in wrap(self._say(one), look.width)]
            case doc.FactBlock():
                return self._facts(block)
            case doc.Notes():
                return self._notes(block)
        from layerexplain.render.text_sections import section_lines

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
        margin = _MARGIN if block.title else ""
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
            said = f"{names_text(list(names), limit)}: {message}" if names else message
            lines += wrap("  " + self._say(said), self.look.width)
        return [paint("Notes", "bold", self.look), *lines] if lines else []
