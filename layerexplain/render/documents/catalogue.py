"""The document of `layer`: the list of layer types by family, or the page of one type with its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

from layerexplain.render import document as doc
from layerexplain.render.document import Listing, Points, Section
from layerexplain.render.formats import Sheet
from layerexplain.report.one_layer import LayerArgument, LayerType

Families = Mapping[str, Sequence[tuple[str, str, str]]]
"""Family → (type, its arguments as `units, use_bias=True`, one line) of each layer."""

_WIDTH = 76
_FIELDS = ("family", "type", "arguments", "description")


def catalogue(families: Families, described: bool = False) -> Sheet:
    """Return all types by family: json is an array of objects, jsonl one a line. A text has names alone, in columns,
    unless they are to be `described`."""
    rows = [(family, *entry) for family, entries in families.items() for entry in entries]
    objects = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    return Sheet(
        document=lambda: _document(families, described),
        data=lambda: objects,
        records=lambda: objects,
        columns=tuple([doc.words(name, "", itemgetter(name)) for name in _FIELDS]),
        rows=lambda: objects,
    )


def _document(families: Families, described: bool) -> doc.Document:
    # The types of all families are as wide as the widest.
    width = max((len(entry[0]) for entries in families.values() for entry in entries), default=0)
    columns = (
        doc.words("type", "Layer", lambda entry: entry[0].ljust(width), style="cyan", only=doc.TEXT),
        doc.words("call", "Layer", lambda entry: f"{entry[0]}({entry[1]})", only=doc.MARKDOWN),
        doc.words("description", "Does", lambda entry: entry[2], kind="prose"),
    )
    return doc.Document(
        tuple(
            [
                Section(
                    (
                        doc.Heading(2, (doc.Span(family),)),
                        Listing(columns, entries, head=1, only="" if described else doc.MARKDOWN),
                        *([] if described else [_in_columns([entry[0] for entry in entries])]),
                    )
                )
                for family, entries in families.items()
            ]
        )
    )


def _in_columns(names: Sequence[str]) -> Listing:
    """Return names in as many columns as fit in a terminal."""
    width = max(map(len, names), default=0)
    count = max(1, _WIDTH // (width + 2))
    padded = [name.ljust(width) for name in names] + [""] * (-len(names) % count)
    rows = [tuple(padded[at : at + count]) for at in range(0, len(padded), count)]
    columns = [doc.words(str(at), "", itemgetter(at), style="cyan") for at in range(count)]
    return Listing(tuple(columns), rows, head=count, only=doc.TEXT)


def layer_type_page(entry: LayerType, example: Sequence[str], head: bool = False) -> tuple[doc.Block, ...]:
    """Return what a type takes, with a `head` also what it does. `example` are the words of a command for it."""
    columns = (
        doc.words("name", "Argument", lambda argument: argument.name, style="cyan"),
        doc.words("words", "Meaning", _words, kind="prose"),
    )
    taken = Listing(columns, entry.arguments, head=1) if entry.arguments else Points(((doc.Span("none"),),))
    return (
        *(
            [Section((doc.Heading(2, (doc.Span(entry.type, "type"),)), doc.Prose((entry.description,))))]
            if head
            else []
        ),
        doc.Prose((f"Example: `{' '.join(example)}`",)),
        Section((doc.Heading(2, (doc.Span(f"arguments of {entry.type}"),)), taken)),
    )


def _words(argument: LayerArgument) -> str:
    if argument.is_required:
        return f"{argument.words}; required"
    default = argument.default
    shown = str(default).lower() if isinstance(default, bool) else "none" if default is None else repr(default)
    return f"{argument.words}; default {shown}"
