"""HTML: a page of its own that runs nothing and fetches nothing, and what a notebook shows."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

import layerexplain
from layerexplain import api
from layerexplain.render.document import CodeBlock, CodeLine, Document, Heading, Notes, Points, Prose, Span
from layerexplain.render.html import html
from layerexplain.render.layout import Look
from layerexplain.render.mathml import mathml

SPEC = b"input: [28, 28, 1]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: 3}\n  - Flatten\n  - Dense: 10\n"
EVIL = (
    "</code><script>alert(1)</script>",
    '" onload="x',
    "'><img src=x onerror=1>",
    "&lt;",
    "\x1b[31m\u202e",
    "]]>",
    "a\nb",
)


class Page(HTMLParser):
    """The tags of a page, their attributes, and its text; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("explain", [False, True])
def test_a_page_runs_nothing_and_fetches_nothing(explain: bool) -> None:
    text = api.format_report(api.explain(SPEC), "html", explain=explain)
    page = Page(text)
    assert "script" not in page.tags and text.startswith("<!doctype html>")
    assert {name for name, _ in page.attributes if name in ("style", "src", "href") or name.startswith("on")} == set()
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    policy = next(value for name, value in page.attributes if value and "default-src" in value)
    assert policy is not None
    hashed = b64encode(sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{hashed}'"]
    for told in ("conv2d", "160", "(None, 26, 26, 16)"):
        assert told in page.text


@pytest.mark.parametrize("evil", EVIL)
def test_texts_make_no_tags(evil: str) -> None:
    blocks = (
        Heading(1, (Span(evil, "name"),), ((Span(evil, "code"),),)), Prose((evil,)), CodeBlock((CodeLine(evil, evil),), title=evil),
        Points(((Span(evil),),)), Notes(((evil, (evil,)),)),
    )  # fmt: skip
    page = Page(html(Document(blocks), Look()))
    assert set(page.tags) <= {"h1", "h2", "p", "code", "pre", "ul", "li"} and page.attributes == []


@pytest.mark.parametrize(
    ("tree", "written"),
    [
        ("x", "<mi>x</mi>"),
        (("frac", ("n", "1"), ("name", "count")), '<mfrac><mn>1</mn><mi mathvariant="normal">count</mi></mfrac>'),
        (("both", "W", "i", ("t", "o")), "<msubsup><mi>W</mi><mi>i</mi><mtext>\xa0o\xa0</mtext></msubsup>"),
        (("root", "x"), "<msqrt><mi>x</mi></msqrt>"),
        (("root", "x", ("n", "3")), "<mroot><mi>x</mi><mn>3</mn></mroot>"),
        (("fence", "(", ")", "x"), '<mrow><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo></mrow>'),
        (("fence", "(", ")", ("frac", "a", "b")), "<mrow><mo>(</mo><mfrac><mi>a</mi><mi>b</mi></mfrac><mo>)</mo></mrow>"),
        (
            ("cases", ("x", ("o", "<")), ("y", "z")),
            '<mtable class="cases"><mtr><mtd><mi>x</mi></mtd><mtd><mo>&lt;</mo></mtd></mtr>'
            "<mtr><mtd><mi>y</mi></mtd><mtd><mi>z</mi></mtd></mtr></mtable>",
        ),
        (("name", "<script>"), '<mi mathvariant="normal">&lt;script&gt;</mi>'),
    ],
)  # fmt: skip
def test_formulas_are_mathml(tree: Any, written: str) -> None:
    head = '<div class="math" role="group" aria-label="Formula">\n<div><math displaystyle="true"><mrow>'
    assert mathml([tree]) == f"{head}{written}</mrow></math></div>\n</div>"


def test_a_long_formula_may_be_broken_before_a_sign_and_behind_an_equals_sign() -> None:
    term = ("sub", ("name", "something_long"), "i")
    page = Page(mathml([("row", "y", ("o", "="), term, ("o", "+"), term, ("o", "−"), term)]))
    assert page.tags.count("wbr") == 3
    assert [value for name, value in page.attributes if name == "form"] == ["infix", "infix"]
    assert "wbr" not in Page(mathml([("row", "y", ("o", "="), "x", ("o", "+"), "b")])).tags


def test_an_explanation_has_its_formulas_typeset_and_as_code() -> None:
    report = api.explain(SPEC)
    page = Page(api.format_report(report, "html", explain=True))
    lines = [line for layer in report.layers for line in (layer.explanation.latex if layer.explanation else ())]
    assert page.tags.count("math") >= len(lines) > 1
    assert "conv(x, W) + b" in page.text and "∑" in page.text
    assert "math" not in Page(api.format_report(report, "html", explain=True, ascii=True)).tags


def test_several_sources_are_one_page() -> None:
    reports = [api.explain(SPEC), api.explain(SPEC)]
    from layerexplain.render.documents.summary import summary
    from layerexplain.render.formats import printed

    page = Page(printed([summary(report) for report in reports], "html", Look(), several=True))
    assert page.tags.count("html") == 1 and page.tags.count("h1") == 2 and page.tags.count("svg") == 2


def test_a_notebook_shows_a_table_and_a_picture() -> None:
    report = layerexplain.explain(SPEC)
    page = Page(report._repr_html_())
    assert (
        page.tags[:3] == ["style", "div", "h1"]
        and {"table", "svg"} <= set(page.tags)
        and not {"html", "script"} & set(page.tags)
    )
    alone = layerexplain.explain_layer("Dense", units=3, input_shape=(None, 5))
    assert "dot(x, W) + b" in Page(alone._repr_html_()).text
