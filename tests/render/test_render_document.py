"""A document of every kind of block, in every format of text; and that what is no such block is refused."""

import json
from typing import Any

import pytest

from layerexplain.render.document import (
    MARKDOWN,
    TEXT,
    Document,
    Fact,
    FactBlock,
    Heading,
    Names,
    Notes,
    Prose,
    Span,
    Table,
    number,
    words,
)
from layerexplain.render.formats import Sheet, printed
from layerexplain.render.json import json_lines, json_value
from layerexplain.render.layout import Look
from layerexplain.render.markdown import markdown
from layerexplain.render.sections import CodeBlock, CodeLine, Figure, Labelled, Listing, Points, Section
from layerexplain.render.text import text

COLUMNS = (
    words("name", "Na|me", lambda row: row[0], style="bold"),
    number("size", "Size", lambda row: row[1], unknown="?"),
)
ROWS = [("a|b", 1234), ("*c*", None)]

BLOCKS: dict[str, tuple[Any, str, str]] = {
    "heading": (
        Heading(1, (Span("m*", "name"), Span("Model", "type")), ((Span("2 layers", only=TEXT),), (Span("m.h5", "code"),))),
        "m* · Model · 2 layers · m.h5\n",
        "# `m*` `Model`\n\n`m.h5`\n",
    ),
    "prose": (Prose(("one *two*", "three")), "one *two*\nthree\n", "one \\*two\\*\n\nthree\n"),
    "facts": (
        FactBlock((Fact("Parameters", "1,234", ("a", "", "b")), Fact("Size", "?", ()))),
        "Parameters 1,234  a · b\nSize           ?\n",
        "| Total |  |  |\n| --- | ---: | --- |\n| Parameters | 1,234 | a · b |\n| Size | ? |  |\n",
    ),
    "facts with a title": (
        FactBlock((Fact("weights", "3 kB"),), "Memory"),
        "Memory\n  weights 3 kB\n",
        "| Memory |  |\n| --- | ---: |\n| weights | 3 kB |\n",
    ),
    "table": (
        Table(COLUMNS, ROWS),
        "Na|me   Size\na|b    1,234\n*c*        ?\n",
        "| Na\\|me | Size |\n| --- | ---: |\n| `a\\|b` | 1,234 |\n| `*c*` | ? |\n",
    ),
    "notes": (
        Notes((("odd <b>", ("x", "y")), ("whole", ()))),
        "Notes\n  x, y: odd <b>\n  whole\n",
        "## Notes\n\n- `x`, `y`: odd \\<b\\>\n- whole\n",
    ),
    "figure": (Figure(lambda look: [["a  b"], [], ["```"]]), "a  b\n\n```\n", "````text\na  b\n\n```\n````\n"),
    "section": (
        Section(
            (
                Heading(2, (Span("dense", "name"), Span("Dense", "type")), beside="(2,) → (3,)"),
                Prose(("Adds.",)),
                Labelled("formula", (CodeBlock((CodeLine("y = x", "(3,)"), CodeLine("z = y")), hang=4, formula=True),)),
                Labelled("where", (CodeBlock((CodeLine("f(x) = x"),), "Where"), Points(((Span("aside"),),), tone="aside"))),
                Labelled("sizes", (Listing(COLUMNS, ROWS, head=1),)),
                Labelled("cost", (Points(((Span("2 of "), Span("W", "symbol")),), "Cost"),)),
                Labelled("same for", (Points(((Names(("p", "q"), 8),),), only=TEXT),)),
                Points(((Span("for "), Names(("p", "q"), 8)),), only=MARKDOWN),
                Labelled("empty", (Points(()),)),
                Labelled("notes", (Points(((Span("odd"),),), tone="warning"),)),
            )
        ),
        "dense · Dense  (2,) → (3,)\n"
        "  Adds.\n"
        "  formula     y = x  # (3,)\n"
        "              z = y\n"
        "  where       f(x) = x\n"
        "              aside\n"
        "  sizes       a|b  1,234\n"
        "              *c*      ?\n"
        "  cost        2 of W\n"
        "  same for    p, q\n"
        "  notes       odd\n",
        "## `dense` `Dense`\n\nAdds.\n\n```\ny = x  # (3,)\nz = y\n```\n\nWhere:\n\n```\nf(x) = x\n```\n\n- aside\n\n"
        "| Na\\|me | Size |\n| --- | ---: |\n| `a\\|b` | 1,234 |\n| `*c*` | ? |\n\n- Cost: 2 of `W`\n\n- for `p`, `q`\n\n> odd\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_in_text_and_markdown(kind: str) -> None:
    block, plain, marked = BLOCKS[kind]
    assert text(Document((block,)), Look()) == plain
    assert markdown(Document((block,)), Look()) == marked


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("", ["cost 12  one two", "         three"]),
        ("Total", ["Total", "  cost 12  one two", "           three"]),
    ],
)
def test_words_of_a_fact_go_on_below_its_words(title: str, lines: list[str]) -> None:
    facts = FactBlock((Fact("cost", "12", ("one two three",)),), title)
    assert text(Document((facts,)), Look(width=20)).splitlines() == lines


def test_blocks_of_a_document_stand_apart() -> None:
    document = Document((Prose(("a",)), Prose(()), Notes(()), Section(()), Prose(("b",))))
    assert text(document, Look()) == markdown(document, Look()) == "a\n\nb\n"


def test_every_name_is_listed_where_nothing_is_to_fit() -> None:
    names = tuple(f"n{i}" for i in range(20))
    document = Document((Section((Labelled("same for", (Points(((Names(names, 3),),)),)),)),))
    assert "n0, n1, n2 (and 17 more)" in text(document, Look(60))
    assert ", ".join(names) in text(document, Look())
    assert markdown(document, Look()).count("`") == 40


@pytest.mark.parametrize("printer", [text, markdown])
def test_what_is_no_block_is_refused(printer: Any) -> None:
    for wrong in (Section, "a text", 3):
        with pytest.raises(TypeError, match="no block of a document"):
            printer(Document((wrong,)), Look())  # type: ignore[arg-type]


def test_json_has_no_nan() -> None:
    for value in ({"a": float("nan")}, {"a": [{"b": float("inf")}]}, [{"a": float("nan")}]):
        with pytest.raises(ValueError, match="JSON compliant"):
            json_value(value)
    with pytest.raises(ValueError, match="JSON compliant"):
        list(json_lines([{"a": float("nan")}]))


def test_a_sheet_in_every_format() -> None:
    objects = [{"name": name, "size": size} for name, size in ROWS]
    sheet = Sheet(
        lambda: Document((Table(COLUMNS, ROWS),)), lambda: {"rows": objects}, lambda: objects, COLUMNS, lambda: ROWS
    )
    assert json.loads(printed([sheet], "json", Look())) == {"rows": objects}
    assert json.loads(printed([sheet], "json", Look(), several=True)) == [{"rows": objects}]
    assert [json.loads(line) for line in printed([sheet] * 2, "jsonl", Look()).splitlines()] == objects * 2
    assert printed([sheet] * 2, "csv", Look()) == "name,size\n" + "a|b,1234\n*c*,\n" * 2
    assert printed([sheet], "tsv", Look()) == "name\tsize\na|b\t1234\n*c*\t\n"
    assert printed([sheet] * 2, "table", Look()).count("Na|me") == 2
    assert printed([], "csv", Look()) == ""
