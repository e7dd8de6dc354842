"""The document of `layer`: the list of layer types by family, or the page of one type with its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

from layerexplain.render import document as doc
from layerexplain.render.formats import Sheet
from layerexplain.render.sections import Labelled, Listing, Points, Section
from layerexplain.report.one_layer import LayerArgument, LayerType

Families = Mapping[str, Sequence[tuple[str, str, str]]]
"""Family → (type, its arguments as `units, use_bias=True`, one line) of each layer."""

_FIELDS = ("family", "type", "arguments", "description")


def catalogue(families: Families) -> Sheet:
    """Return all types by family: json is an array of objects, jsonl one a line."""
    rows = [(family, *entry) for family, entries in families.items() for entry in entries]
    objects = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    return Sheet(
        document=lambda: _document(families),
        data=lambda: objects,
        records=lambda: objects,
        columns=tuple([doc.words(name, "", itemgetter(name)) for name in _FIELDS]),
        rows=lambda: objects,
    )


def _document(families: Families) -> doc.Document:
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
                Section((doc.Heading(2, (doc.Span(family),)), Listing(columns, entries, head=1)))
                for family, entries in families.items()
            ]
        )
    )


def layer_type_page(entry: LayerType, example: Sequence[str]) -> tuple[doc.Block, ...]:
    """Return the page of a type: what it does and takes. `example` are the words of the command that shows it at
    work."""
    columns = (
        doc.words("name", "Argument", lambda argument: argument.name, style="cyan"),
        doc.words("words", "Meaning", _words, kind="prose"),
    )
    taken = Listing(columns, entry.arguments, head=1) if entry.arguments else Points(((doc.Span("none"),),))
    return (
        Section(
            (
                doc.Heading(2, (doc.Span(entry.type, "type"),)),
                doc.Prose((entry.description,)),
                Labelled("arguments", (taken,)),
            )
        ),
        doc.Prose((f"Example (`{' '.join(example)}`):",)),
    )


def _words(argument: LayerArgument) -> str:
    if argument.is_required:
        return f"{argument.words}; required"
    default = argument.default
    shown = str(default).lower() if isinstance(default, bool) else "none" if default is None else repr(default)
    return f"{argument.words}; default {shown}"
