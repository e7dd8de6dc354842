"""Small parts of what is printed, each by itself: MathML, notes, changes of blocks, annotations, formats and their ends."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import ArgumentError
from layerexplain.model import Note
from layerexplain.render import annotations, delimited, formats, printing
from layerexplain.render import json as json_format
from layerexplain.render.document import noted, notes_block, words
from layerexplain.render.documents import comparison, findings, summary
from layerexplain.render.layout import Look
from layerexplain.render.mathml import _pieces, _written
from layerexplain.report.comparison import Change, Difference

NODES: list[tuple[Any, str]] = [
    ("x", "<mi>x</mi>"), (("o", "="), "<mo>=</mo>"), (("o", "("), '<mo stretchy="false">(</mo>'), (("o", "|"), '<mo stretchy="false">|</mo>'), (("n", "3"), "<mn>3</mn>"), (("t", " if "), "<mtext>\u00a0if\u00a0</mtext>"),
    (("s",), '<mspace width="1em"></mspace>'), (("p",), '<mspace width="0.17em"></mspace>'), (("f", "relu"), '<mi mathvariant="normal">relu</mi>'), (("name", "ids"), '<mi mathvariant="normal">ids</mi>'),
    (("sub", "x", "i"), "<msub><mi>x</mi><mi>i</mi></msub>"), (("sup", "x", ("n", "2")), "<msup><mi>x</mi><mn>2</mn></msup>"), (("both", "x", "i", "t"), "<msubsup><mi>x</mi><mi>i</mi><mi>t</mi></msubsup>"),
    (("under", ("o", "∑"), "m"), "<munder><mo>∑</mo><mi>m</mi></munder>"), (("frac", "a", "b"), "<mfrac><mi>a</mi><mi>b</mi></mfrac>"), (("root", "a"), "<msqrt><mi>a</mi></msqrt>"), (("root", "a", ("n", "3")), "<mroot><mi>a</mi><mn>3</mn></mroot>"),
    (("fence", "(", ")", "a"), '<mrow><mo stretchy="false">(</mo><mi>a</mi><mo stretchy="false">)</mo></mrow>'), (("fence", "(", ")", ("frac", "a", "b")), "<mrow><mo>(</mo><mfrac><mi>a</mi><mi>b</mi></mfrac><mo>)</mo></mrow>"),
    (("fence", "{", "", "a"), '<mrow><mo stretchy="false">{</mo><mi>a</mi></mrow>'), (("cases", ("a", ("t", "if "))), '<mtable class="cases"><mtr><mtd><mi>a</mi></mtd><mtd><mtext>\u00a0if\u00a0</mtext></mtd></mtr></mtable>'),
    (("row", "a", "b"), "<mrow><mi>a</mi><mi>b</mi></mrow>"), (("n", "<&"), "<mn>&lt;&amp;</mn>"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "text"), NODES, ids=[str(node)[:30] for node, _ in NODES])
def test_a_node_of_mathml(node: Any, text: str) -> None:
    assert _written(node) == text


def sums(count: int) -> Any:
    return ("row", "y", ("o", "="), *[part for number in range(count) for part in (("o", "+"), "a")][1:])


@pytest.mark.parametrize(("count", "pieces"), [(12, 1), (13, 14), (20, 21)])
def test_a_long_line_of_mathml_may_break_before_its_terms(count: int, pieces: int) -> None:
    """26 letters are no long line: y, = and twice as many less one."""
    found = list(_pieces(sums(count)))
    assert len(found) == pieces
    assert pieces == 1 or found[-1] == '<math displaystyle="true"><mrow><mo form="infix">+</mo><mi>a</mi></mrow></math>'


def test_a_note_on_several_layers_is_one_with_their_names() -> None:
    notes = [Note("a", "one", "x"), Note("a", None, "y"), Note("b", "two", "x"), Note("a", "one", "x")]
    assert {message: [*names] for message, names in noted(notes).items()} == {"x": ["one", "two"], "y": []}
    assert notes_block(noted(notes), "text").notes == (("x", ("one", "two")), ("y", ()))
    report: Any = SimpleNamespace(notes=[*notes, *[Note("c", f"l{number}", "z") for number in range(6)]], source="m.py")
    assert findings.note_lines(report) == [
        "m.py: one, two: not checked: x",
        "m.py: y",
        "m.py: l0, l1, l2, l3 (and 2 more): not checked: z",
    ]


def change(before: str, after: str, kind: str = "changed", *differences: Difference) -> Change:
    given = {
        **dict.fromkeys(Change._fields),
        "layer": before,
        "layer_after": after,
        "kind": kind,
        "type": "Dense",
        "differences": differences,
    }
    return Change(**given)


NAMES = [
    (change("a", "a"), "a"), (change("a", "b"), "a → b"), (change("a", ""), "a"), (change("", "b"), "b"), (change("", "", "model"), "(the model)"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "name"), NAMES)
def test_a_change_has_the_name_of_its_layer(of: Change, name: str) -> None:
    assert comparison._name(of) == name


FOLDED = [
    (["m.layers.0/a", "m.layers.1/a", "m.layers.2/a"], ["m.layers.0 … 2/a"]), (["m.layers.0/a"], ["m.layers.0/a"]), (["m.layers.0/a", "m.layers.0/b"], ["m.layers.0/a", "m.layers.0/b"]),
    (["h.3", "h.7"], ["h.3 … 7"]), (["dense_1", "dense_2"], ["dense_1", "dense_2"]), (["a.0/b.0", "a.0/b.1", "a.1/b.0"], ["a.0 … 1/b.0"]), (["x", "x"], ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "names"), FOLDED)
def test_changes_of_numbered_blocks_are_one(paths: list[str], names: list[str]) -> None:
    found = comparison._folded([change(path, path) for path in paths])
    assert [(one.layer, one.layer_after) for one in found] == [(name, name) for name in names]


ANNOTATION = annotations.Annotation("a b:c,d.py", 3, "note", "one:rule", "50% of\nit\x1b", "Mend it.", 5)
LEVELS = [("error", "error"), ("warning", "warning"), ("note", "notice")]


@pytest.mark.parametrize(("level", "word"), LEVELS)
def test_an_annotation_of_github_is_a_line(level: str, word: str) -> None:
    text = annotations.github(
        [ANNOTATION._replace(level=level), ANNOTATION._replace(line=None, column=None, message="é")], Look()
    )
    first, second = text.split("\n::")
    assert first == f"::{word} file=a b%3Ac%2Cd.py,line=3,col=5,title=one%3Arule::50%25 of\\nit\\x1b Mend it."
    assert second == "notice file=a b%3Ac%2Cd.py,title=one%3Arule::é Mend it.\n"
    plain = annotations.Annotation("m.py", 3, "note", "r", "é → x", "Mend.", 5)
    line = "::notice file=m.py,line=3,col=5,title=r::e -> x Mend.\n"
    assert annotations.github([plain, plain], Look(ascii=True)) == 2 * line


def test_an_annotation_of_sarif_has_its_rule_and_place() -> None:
    run = json.loads(
        annotations.sarif([ANNOTATION, ANNOTATION._replace(file="https://host/a b", line=None, column=None)], Look())
    )
    assert run["tool"]["driver"] == {
        "name": "layerexplain",
        "rules": [{"id": "one:rule", "help": {"text": "Mend it."}}],
    }
    first, second = run["results"]
    where = {"artifactLocation": {"uri": "a%20b%3Ac,d.py"}, "region": {"startLine": 3, "startColumn": 5}}
    assert (first["ruleId"], first["level"], first["locations"]) == ("one:rule", "note", [{"physicalLocation": where}])
    assert second["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "https://host/a b"}}}]
    assert "region" not in second["locations"][0]["physicalLocation"]


ENDS = {
    "table": ("", "\n", ""), "markdown": ("", "\n", ""), "json": ("[\n", ",\n", "\n]\n"), "jsonl": ("", "", ""), "github": ("", "", ""), "csv": ("a,b\n", "", ""), "tsv": ("a\tb\n", "", ""),
    "sarif": (annotations.BEFORE, ",\n", annotations.AFTER),
}  # fmt: skip


@pytest.mark.parametrize("format", ENDS)
def test_what_stands_around_and_between_sheets(format: str) -> None:
    before, between, behind = ENDS[format]
    columns = [words("a", "A", str), words("b", "B", str)]
    assert (
        "".join(formats.joined([["1", "2"], ["3"]], format, columns, several=True)) == f"{before}12{between}3{behind}"
    )
    assert list(formats.joined([], format, columns)) == []
    if format == "json":
        assert "".join(formats.joined([["1"]], format, columns)) == "1\n"


def test_many_rows_are_written_in_pieces() -> None:
    columns = [words("a", "A", str)]
    found = list(delimited.delimited(columns, range(2001), ",", False))
    assert [piece.count("\n") for piece in found] == [1000, 1000, 1] and found[2] == "2000\n"
    lines = list(json_format.json_lines(({"a": number} for number in range(1001)), True))
    assert [piece.count("\n") for piece in lines] == [1000, 1] and lines[1] == '{"a": 1000}\n'


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    ("Report", {"format": "jason"}, "no format 'jason'; did you mean 'json'?"), ("Report", {"format": "json", "columns": ["layer"]}, "columns cannot be used with json, which always has every field"),
    ("Report", {"format": "jsonl", "columns": ["layer"]}, "columns cannot be used with jsonl, which always has every field"), ("Report", {"width": 19}, "width needs to be at least 20, got width=19"),
    ("Report", {"format": "github"}, "github is for findings; this report has none"), ("CheckReport", {"format": "mermaid"}, "mermaid draws the graph of a model; this report has none"),
    ("CheckReport", {"columns": ["code"]}, "columns cannot be used with a CheckReport"), ("WeightTable", {"nested": True}, "nested cannot be used with a WeightTable"), ("CheckReport", {"explain": True}, "explain cannot be used with a CheckReport"),
]  # fmt: skip
SPEC = b"input: [5]\nlayers:\n  - Dense: 3\n"
REPORTS = {"Report": layerexplain.explain, "CheckReport": layerexplain.check, "WeightTable": layerexplain.list_weights}


@pytest.mark.parametrize(("kind", "options", "said"), REFUSED)
def test_what_a_report_cannot_be_printed_as(kind: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        layerexplain.format_report(REPORTS[kind](SPEC), **options)
    assert caught.value.fact == said


BUILDERS = {
    "Report": "summary", "WeightTable": "weights", "VerifyReport": "verification", "CheckReport": "findings", "Comparison": "comparison", "TraceReport": "trace",
    "ElementReport": "worked_element", "GradientTrace": "gradients",
}  # fmt: skip


@pytest.mark.parametrize("kind", BUILDERS, ids=[f"{kind} {module}" for kind, module in BUILDERS.items()])
def test_a_sheet_of_a_report_is_made_by_its_builder(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = BUILDERS[kind]
    report = type(kind, (), {})()
    monkeypatch.setattr(f"layerexplain.render.documents.{module}.{module}", lambda given: ("sheet", given))
    assert printing.sheet_of(report) == ("sheet", report)
    with pytest.raises(TypeError, match="a report is needed, got int"):
        printing.sheet_of(3)


MISSING = [
    (["a is unknown; give --set a=3", "b is unknown; give for example --set b.shape=7,30"], ("2 values are missing. Give them all, with your values in place of these: --set a=3 --set b.shape=7,30",)),
    (["a; give --set a=3"], ()), (["a; give --set a=3", "x", "a; give --set a=5"], ()), (["a; give --set 'len(w)'=3", "b; give --set b=5", "a; give --set 'len(w)'=9"],
      ("2 values are missing. Give them all, with your values in place of these: --set 'len(w)'=3 --set b=5",)),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "texts"), MISSING)
def test_missing_values_are_given_in_one_line(messages: list[str], texts: tuple[str, ...]) -> None:
    found = summary.missing_values([Note("open", None, message) for message in messages])
    assert tuple([text for one in found for text in one.texts]) == texts
