"""Names that are escapes, markup, HTML, formulas of spreadsheets or change the direction of text, in every format."""

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.render.graph.diagram import graph_of
from layerexplain.render.graph.forms import dot
from layerexplain.render.layout import Look
from layerexplain.render.page.data import page_of
from layerexplain.report.build import build
from tests.support.browser import shown
from tests.support.hostile import run
from tests.support.hostile_names import NAMES, document
from tests.support.keras_configs import entry, graph, node, tensor
from tests.support.printing import Chosen, Wanted, explanation_text, summary_text

FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_terminal_or_a_browser_obeys_gets_out(name: str) -> None:
    report = build(read(document(NAMES[name])), detail=True)
    for format_ in ("table", "json", "jsonl", "csv", "tsv", "markdown", "latex"):
        wanted = Wanted(format_, nested=True)
        for look in (Look(), Look(ascii=True), Look(width=80, color=True)):
            for text in (
                summary_text([report], wanted, look),
                explanation_text([Chosen(report, report.layers)], wanted, look),
            ):
                # The program's own colours are no one's names.
                plain = re.sub("\x1b\\[[0-9;]*m", "", text) if look.color else text
                found = FORBIDDEN.search(plain)
                assert found is None, f"{format_} holds {found.group()!r}"
                assert "red" not in NAMES[name] or "\x1b[31m" not in text
                if format_ == "markdown":
                    prose = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", plain)  # code is shown as it is
                    assert not re.search(r"(?<!\\)<(img|script)", prose)
                    assert not re.search(r"(?<!\\)\[[^\]\\]*\]\((?!#)", prose)


@pytest.mark.parametrize("name", ["My>", ">", ">>", "a>>", "</script>"])
def test_a_class_is_named_whole_and_shown_on_the_page(name: str, tmp_path: Path) -> None:
    custom = {"module": "mine", "class_name": name, "registered_name": name, "name": "d", "config": {"name": "d"}}
    layers = [entry("i", [None, 5], "batch_shape"), {**custom, "inbound_nodes": [node(tensor("i"))]}]
    report = build(read(graph(layers, [["i", 0, 0]], [["d", 0, 0]])), detail=True)
    assert report.layers[1].type == name
    with shown(page_of(report, fold=True), tmp_path, anchor="d") as page:
        assert name in page.locator(".pane").inner_text()


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_a_formula(name: str, delimiter: str) -> None:
    report = build(read(document(NAMES[name])))
    text = summary_text([report], Wanted("csv" if delimiter == "," else "tsv"), Look())
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    assert len({len(row) for row in rows}) == 1 and len(rows) == 4
    assert not [cell for row in rows for cell in row if re.match(r"\s*[=+@\t\r]|\s*-(?![0-9.]+$)", cell)]


@pytest.mark.skipif(which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_latex_compiles_and_reads_no_other_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text("secret")
    report = build(read(inside(NAMES[name])), detail=True)
    wanted = Wanted("latex", nested=True)
    parts = [summary_text([report], wanted, Look()), explanation_text([Chosen(report, report.layers)], wanted, Look())]
    for number, part in enumerate(parts):
        assert part.isascii()
        (tmp_path / f"m{number}.tex").write_text(part)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "-recorder"]
        done = subprocess.run([*command, f"m{number}.tex"], cwd=tmp_path, capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout[-2000:].decode("latin-1")
        assert b"invalid in math mode" not in done.stdout
        opened = (tmp_path / f"m{number}.fls").read_text("latin-1")
        assert f"m{number}.tex" in opened and "secret" not in opened


def inside(name: str) -> dict[str, Any]:
    """The model of that name with one inside, whose layers are called in formulas."""
    model = document(name)
    call = [node(tensor(f"{name}outer"))]
    inner = {**model, "name": name, "inbound_nodes": call}
    return graph([entry(f"{name}outer", [None, 5], "batch_shape"), inner], [[f"{name}outer", 0, 0]], [[name, 0, 0]])


@pytest.mark.skipif(which("dot") is None, reason="graphviz is not installed")
@pytest.mark.parametrize("name", [*NAMES, "long and quoted", "long and wide"])
def test_graphviz_reads_each_name(name: str) -> None:
    long = {"long and quoted": '"\\' * 20_000, "long and wide": "层" * 8_000}
    report = build(read(document((NAMES | long)[name])), detail=True)
    for ascii_only in (False, True):
        text = dot(graph_of(report.layers, nested=True), ascii_only=ascii_only)
        done = subprocess.run(["dot", "-Tplain"], input=text.encode(), capture_output=True, timeout=600, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b"\nnode ") == len(report.layers)


def test_errors_and_notes_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m\x1b[31m\u202e.json"
    path.write_text(json.dumps({"class_name": NAMES["escape"], "config": {"layers": NAMES["bidi"]}}))
    for done in (run("summary", path, folder=tmp_path), run("explain", path, NAMES["escape"], folder=tmp_path)):
        assert FORBIDDEN.search(done.out + done.err) is None
    path.write_text(json.dumps({NAMES["escape"]: 1, NAMES["lines"]: 2}))
    done = run("summary", path, folder=tmp_path)
    assert done.code == 1 and FORBIDDEN.search(done.err) is None and len(done.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["<unknown>", "<string>", "<formula>", "<stdin>"])
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("m.py", "m = Sequential([Dense(3)\nx = (1,\n"),
        ("m.py", "f() = 1\n"),
        ("m.txt", "m = Sequential()\nWhat does (it do?\nm.add(Dense(3, input_dim = = 4))\n"),
        ("m.yaml", "define:\n  Gate:\n    formula: |\n      y = (x\n      z = = 3\ninput: [5]\nlayers:\n  - Gate\n"),
        ("m.yaml", "input: [5]\nlayers:\n  - 'Dense(3, = 4)'\n"),
    ],
)
def test_no_file_is_opened_to_quote_a_syntax_error(name: str, source: str, text: str, tmp_path: Path) -> None:
    """Python opens a file under the name of what it parses, to show the line at fault."""
    (tmp_path / name).write_text("password = 1\n" * 9)
    (tmp_path / source).write_text(text)
    done = run("summary", tmp_path / source, folder=tmp_path)
    assert done.code == 1 and "password" not in done.out + done.err
