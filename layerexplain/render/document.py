"""A report as a document: a few kinds of blocks, which each printer lays out for its format, and their sections.

The builders in `documents/` make a `Document` of a report. `text`, `markdown` and further printers (a page, LaTeX) walk
its blocks; a block says what it is, the printer how that looks. sections.py has the blocks of explanations. Texts are
raw: escaping is the printer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from layerexplain.errors import must_be_known
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.lang.latex import TypesetLine


# Document -----------------------------------------------------------------------------------------------------------

TEXT, MARKDOWN = "text", "markdown"
"""Names of printers, for the `only` of a part that other layouts tell elsewhere."""


class Span(NamedTuple):
    """A piece of a line and its kind: "prose", "name", "type", "code", "shape", "symbol" or "number"."""

    text: str
    kind: str = "prose"
    only: str = ""


class Names(NamedTuple):
    """Names of layers in a line. A text that must fit a width shows `shown` of them and how many more there are."""

    names: tuple[str, ...]
    shown: int


Line = Sequence[Span | Names]
"""What stands on one line. A plain text is prose."""


class Heading(NamedTuple):
    """A heading: of the document (level 1) or of a section (level 2).

    `title` are its name and, in most, its type. `about` are details, in order; `beside` is what a text puts at the
    right edge, so that a list of sections can be skimmed.
    """

    level: int
    title: tuple[Span, ...]
    about: tuple[Line, ...] = ()
    beside: str = ""


class Prose(NamedTuple):
    """Paragraphs."""

    texts: tuple[str, ...]


class Column(NamedTuple):
    """A column of a table, declared once for all formats.

    `shown` is the cell to read (`25,636,712`, unknown `?`), `data` that of csv and tsv (`25636712`, unknown empty).
    `kind` is that of a span; numbers stand at the right. It and `style`, the colour on a terminal, may depend on the
    row. In a narrow text words get at most `liked` columns, while what is `firm` stays whole. `depth` indents a cell.
    `gap` is what a table without headings has before the column. An `optional` column in which all is empty is left
    out of a table.
    """

    name: str
    heading: str
    shown: Callable[[Any], str]
    data: Callable[[Any], str]
    kind: str | Callable[[Any], str] = "code"
    style: str | Callable[[Any], str] = ""
    liked: int = 60
    firm: bool = False
    depth: Callable[[Any], int] | None = None
    gap: str = "  "
    only: str = ""
    optional: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its cells are numbers, which need no escaping in csv."""
        return self.kind == "number"


class Table(NamedTuple):
    """Rows in columns.

    A narrow text does without the columns `dropped`, in this order; or has instead the first of `compact` that fits, or
    else those of `stacked` on top of each other. It has `narrow` instead where many rows would be wrapped.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Any]
    dropped: tuple[str, ...] = ()
    compact: tuple[tuple[Column, ...], ...] = ()
    stacked: tuple[tuple[Column, ...], ...] = ()
    narrow: Table | None = None


class Fact(NamedTuple):
    """A label, its value and, if there is more to say, a few words on it, in parts."""

    label: str
    value: str
    words: tuple[str, ...] | None = None


class FactBlock(NamedTuple):
    """Facts below each other."""

    facts: tuple[Fact, ...]
    title: str = ""
    only: str = ""


class Notes(NamedTuple):
    """Each message with the names of the layers that it holds for; without names it is about the whole."""

    notes: tuple[tuple[str, tuple[str, ...]], ...]
    only: str = ""


Block: TypeAlias = (
    "Heading | Prose | Table | FactBlock | Notes | Section | CodeBlock | Points | Listing | Figure | Labelled"
)


class Document(NamedTuple):
    """All blocks of a report, in the order in which they are read."""

    blocks: tuple[Block, ...]


def part(path: str) -> Callable[[Any], Any]:
    """Return what gives an attribute of a row, through others that may be missing: `weight.statistics.min`; then it is
    None.

    >>> part("real.imag")(3), part("statistics.min")(3)
    (0, None)
    """
    names = path.split(".")

    def get(row: Any) -> Any:
        for name in names:
            row = getattr(row, name, None)
        return row

    return get


def words(name: str, heading: str, get: Callable[[Any], str | None], **options: Any) -> Column:
    """Return a column of words, which are the same to read and as data.

    >>> words("type", "Type", lambda row: row["type"]).shown({"type": "Dense"})
    'Dense'
    """

    def text(row: Any) -> str:
        return get(row) or ""

    return Column(name, heading, text, text, **options)


def number(
    name: str,
    heading: str,
    get: Callable[[Any], float | None],
    show: Callable[[Any], str] = "{:,}".format,
    unknown: str = "",
) -> Column:
    """Return a column of numbers: `show` prints one to be read; as data it has all digits, and is empty where it is
    unknown.

    >>> column = number("params", "Params", lambda row: row["params"], unknown="?")
    >>> column.shown({"params": 1290}), column.data({"params": 1290}), column.shown({"params": None})
    ('1,290', '1290', '?')
    """

    def printed(print_one: Callable[[Any], str], otherwise: str) -> Callable[[Any], str]:
        return lambda row: otherwise if (value := get(row)) is None else print_one(value)

    return Column(name, heading, printed(show, unknown), printed(repr, ""), "number")


def flag(name: str, heading: str, get: Callable[[Any], bool | None], **options: Any) -> Column:
    """Return a column of "yes" and "no", as data "true" and "false"; empty where it is unknown."""

    def printed(yes: str, no: str) -> Callable[[Any], str]:
        return lambda row: {True: yes, False: no, None: ""}[get(row)]

    return Column(name, heading, printed("yes", "no"), printed("true", "false"), **options)


def columns_by_name(*columns: Column) -> dict[str, Column]:
    """Columns by their names."""
    return {column.name: column for column in columns}


def picked(columns: dict[str, Column], names: Iterable[str], several: bool = False) -> tuple[Column, ...]:
    """Return the columns of these names; of `several` sources they say which. Raises ArgumentError for another name."""
    chosen = tuple(names)
    for name in chosen:
        must_be_known("column", name, columns)
    return tuple([columns[name] for name in (("source", *chosen) if several and "source" not in chosen else chosen)])


def filled(columns: Iterable[Column], rows: Sequence[Any]) -> tuple[Column, ...]:
    """Return the columns without those optional ones in which all is empty."""
    return tuple([column for column in columns if not column.optional or any(map(column.shown, rows))])


def of_row(value: str | Callable[[Any], str], row: Any) -> str:
    """Return the kind or style of a cell, which may depend on its row."""
    return value if isinstance(value, str) else value(row)


def is_for(part: Any, printer: str) -> bool:
    """Return whether a printer prints a part, which may be for one of them `only`."""
    return getattr(part, "only", "") in ("", printer)


def for_text(blocks: Iterable[Any]) -> list[Any]:
    """Return the blocks that a text prints."""
    return [block for block in blocks if is_for(block, TEXT)]


def lines(texts: Iterable[str]) -> tuple[Line, ...]:
    """Return lines of prose, without those that are empty."""
    return tuple([(Span(text),) for text in texts if text])


def title(name: str, about: Iterable[str]) -> Heading:
    """Return the heading of a document, with details that are not empty."""
    return Heading(1, (Span(name, "name"),), lines(about))


def noted(notes: Sequence[Any]) -> dict[str, dict[str, None]]:
    """Return each message of the notes, once, and the layers that it holds for: as keys, since there may be
    thousands."""
    holds_for: dict[str, dict[str, None]] = {}
    for note in notes:
        names = holds_for.setdefault(note.message, {})
        if note.layer is not None:
            names[note.layer] = None
    return holds_for


def notes_block(holds_for: Mapping[str, Iterable[str]], only: str = "") -> Notes:
    """Return the block of notes."""
    return Notes(tuple([(message, tuple(names)) for message, names in holds_for.items()]), only)


# Sections -----------------------------------------------------------------------------------------------------------
# Blocks that only explanations use: sections and what they contain. `summary` loads none of them.


class CodeLine(NamedTuple):
    """A line of code and the comment on it."""

    text: str
    comment: str = ""


class CodeBlock(NamedTuple):
    """Lines of code; what is wrapped is indented by `hang` columns. A `formula` is coloured and may have comments;
    `typeset` is the same as it is typeset, a line each."""

    lines: tuple[CodeLine, ...]
    title: str = ""
    hang: int = 2
    formula: bool = False
    typeset: tuple[TypesetLine, ...] = ()


class Points(NamedTuple):
    """A list, a line each. `tone` is "", "aside" for what is said by the way, or "warning"."""

    items: tuple[Line, ...]
    title: str = ""
    tone: str = ""
    only: str = ""


class Listing(NamedTuple):
    """A small table, whose rows a text prints as lines without headings.

    What follows the first `head` columns wraps beneath its own start; with `breaks` it goes to the next line as a
    whole. With a `head` of 0 it is indented a little.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Any]
    head: int
    breaks: bool = False
    only: str = ""


class Labelled(NamedTuple):
    """Blocks that a text prints beside a label."""

    label: str
    blocks: tuple[Any, ...]
    only: str = ""


class Section(NamedTuple):
    """Blocks that belong together; a text leaves no lines between them."""

    blocks: tuple[Any, ...]


class Figure(NamedTuple):
    """What is drawn with characters: groups of lines for a `Look`."""

    draw: Callable[[Any], Sequence[Sequence[str]]]
