"""Names from a file must not act on a terminal, a spreadsheet, a markdown page or a JSON reader."""

import csv
import json
import re
from io import StringIO

import pytest

from layerexplain.render.escape import clean, csv_cell, json_safe, markdown_code, markdown_prose, to_ascii
from layerexplain.render.formats import FORMATS
from layerexplain.render.layout import Look
from tests.support import reports
from tests.support.printing import Chosen, Wanted, catalog, explanation_text, summary_text

DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv2d_1/BiasAdd:0", "conv2d_1/BiasAdd:0"),
        ("名前 é", "名前 é"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202ecod.exe", r"\u202ecod.exe"),
        ("x\ud800y", r"x\ud800y"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    ],
)
def test_clean_shows_what_would_act(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(None, 3) → (None, 4)", "(None, 3) -> (None, 4)"),
        ("3 × 3", "3 x 3"),
        ("(Σ d<8  Q·K) / √8", "(sum d<8  Q*K) / sqrt(8)"),
        ("√(v + ε)", "sqrt(v + epsilon)"),
        ("0 ≤ i < 7", "0 <= i < 7"),
        ("W₁ x²", "W_1 x^2"),
        ("γ · (x − μ) + β", "gamma * (x - mu) + beta"),
        ("café", "cafe"),
        ("名", r"\u540d"),
    ],
)
def test_ascii_spells_signs_out(text: str, expected: str) -> None:
    assert to_ascii(text) == expected
    assert clean(text, ascii_only=True) == expected


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-x + b", "@SUM(A1)", "\tx", "\rx", "＝1", "-", "+-1"])
def test_csv_formulas_get_an_apostrophe(text: str) -> None:
    assert csv_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["-1", "+1.5", "-.5", "-1e-3", "relu(x)", "", "a=b", "'=x"])
def test_csv_leaves_numbers_and_words(text: str) -> None:
    assert csv_cell(text) == text


def test_markdown_code_outlasts_its_backticks() -> None:
    assert markdown_code("a") == "`a`"
    assert markdown_code("a`b") == "``a`b``"
    assert markdown_code("``") == "``` `` ```"
    assert markdown_code("a|b", in_table=True) == r"`a\|b`"
    assert markdown_code("") == ""


def test_markdown_prose_makes_no_markup_html_or_link() -> None:
    assert markdown_prose("<b>*x*_y_|[a](b)") == r"\<b\>\*x\*\_y\_\|\[a\](b)"
    assert markdown_prose("&lt; https://a.b www.a.b me@a.b") == r"&amp;lt; https:&#47;/a.b www&#46;a.b me\@a.b"


def test_json_says_the_same_and_is_harmless() -> None:
    text = "\x1b\x9b\u202e\u2028é名🙂\U000e0041\x7f"
    for ascii_only in (False, True):
        encoded = json_safe(json.dumps(text, ensure_ascii=False), ascii_only)
        assert json.loads(encoded) == text
        assert not DANGEROUS.search(encoded)
        assert encoded.isascii() == ascii_only
    assert json.loads(json_safe(json.dumps("\ud800", ensure_ascii=False), False)) == "\ufffd"


LOOKS = [Look(), Look(80), Look(200), Look(20), Look(80, ascii=True), Look(ascii=True)]


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("format", FORMATS)
def test_a_hostile_report_is_harmless_everywhere(format: str, look: Look) -> None:
    report = reports.hostile_everywhere()
    wanted = Wanted(format, nested=True)
    for text in (
        summary_text([report], wanted, look),
        explanation_text([Chosen(report, report.layers)], wanted, look),
        catalog({reports.HOSTILE: [(reports.HOSTILE, reports.HOSTILE, reports.HOSTILE)]}, format, look),
    ):
        found = DANGEROUS.search(text.replace("\t", "") if format == "tsv" else text)
        assert found is None, (found, text)
        text.encode("utf-8")
        if look.ascii:
            assert text.isascii()


@pytest.mark.parametrize("width", [None, 80])
def test_colour_is_the_only_escape_sequence(width: int | None) -> None:
    report = reports.hostile_everywhere()
    look = Look(width, color=True)
    for text in (
        summary_text([report], Wanted(), look),
        explanation_text([Chosen(report, report.layers)], Wanted(), look),
    ):
        assert "\x1b[1m" in text
        assert not DANGEROUS.search(re.sub("\x1b\\[[0-9;]*m", "", text))
        assert "\x1b[31m[red]" not in text, "the name's own colour"


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_no_cell_of_a_hostile_report_is_a_formula(format: str, delimiter: str) -> None:
    text = summary_text([reports.hostile_everywhere()], Wanted(format), Look())
    rows = list(csv.reader(StringIO(text), delimiter=delimiter))
    assert len(rows) == 4
    assert all(len(row) == 12 for row in rows)
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert any(cell.startswith("'=cmd") for cell in cells)


def test_a_hostile_name_stays_in_its_markdown_cell() -> None:
    lines = summary_text([reports.hostile_everywhere()], Wanted("markdown"), Look()).split("\n")
    rows = [line for line in lines if line.startswith("| ``=cmd")]
    assert len(rows) == 3
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {6 + 2}, "six cells: each pipe of the name is escaped"
