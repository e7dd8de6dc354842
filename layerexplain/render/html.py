"""HTML: a document as one file that works offline, in light and dark, on a phone and on paper.

No script runs in it, nothing is fetched, and the content security policy of the page allows neither; its one style
sheet is named by its hash. Every text is escaped, and none gets into a tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerexplain.render import document as doc
from layerexplain.render import mathml
from layerexplain.render.document import CodeBlock
from layerexplain.render.escape import clean, escaped
from layerexplain.render.layout import Look
from layerexplain.render.markup import MarkupWriter

if TYPE_CHECKING:
    from layerexplain.render.graph.diagram import Diagram

_STYLE = """
:root { color-scheme: light dark; --line: #d3d8dd; --quiet: #59616a; --code: #f2f4f6; --mark: #fff4d6 }
@media (prefers-color-scheme: dark) { :root { --line: #3a4149; --quiet: #a9b2bb; --code: #23282d; --mark: #46391a } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin-top: 2.2rem }
h1 code, h2 code { background: none; font: inherit; padding: 0 } code + code { color: var(--quiet) }
code, pre { background: var(--code); border-radius: 4px; font: .88em/1.5 ui-monospace, monospace }
p, li, code { overflow-wrap: anywhere } code { padding: .1em .3em } pre { overflow-x: auto; padding: .7em 1em }
pre code { padding: 0 } .table { overflow-x: auto }
table { border-collapse: collapse; font-size: .92em; margin: 1em 0 }
th, td { border-bottom: 1px solid var(--line); padding: .35em .8em .35em 0; text-align: left; vertical-align: top }
th { color: var(--quiet); font-weight: 600 } .right { text-align: right; white-space: nowrap }
.warning { background: var(--mark); border-radius: 4px; padding: .5em .8em }
figure { margin: 1.5em 0; overflow-x: auto } figure svg { border-radius: 8px; height: auto; max-width: 100% }
@media print { body { font-size: 11px; margin: 0; max-width: none } h2, tr, figure { break-inside: avoid } }
""".strip()
_STYLE += f"\n{mathml.STYLE}"


def before() -> str:
    """Return what stands before all documents of an output: the head of the page."""
    from layerexplain.render.page.shell import hashed, head

    policy = f"default-src 'none'; style-src '{hashed(_STYLE)}'; base-uri 'none'; form-action 'none'"
    return head("layerexplain", _STYLE, policy)


_LONGEST_FORMULA = 20_000
"""Of longer formulas, in LaTeX, the code alone is shown."""

AFTER = "</body>\n</html>\n"
"""What stands behind all documents of an output."""


def html(document: doc.Document, look: Look, graph: Diagram | None = None) -> str:
    """Return the document between `before` and `AFTER`, with the graph as a picture behind its heading, or where it has
    none first; of the look only `ascii` counts.

    >>> html(doc.Document((doc.Prose(("3 < 4",)),)), Look())
    '<p>3 &lt; 4</p>\\n'
    """
    chunks = _Html(look.ascii).chunks(document.blocks)
    if graph is not None and len(graph.nodes) > 1:
        titled = any([chunk.startswith("<h1") for chunk in chunks])
        after = next((at + 1 for at, chunk in enumerate(chunks) if chunk.startswith("<p")), len(chunks))
        chunks.insert(after if titled else 0, _picture(graph, look))
    return "\n".join(chunks) + "\n"


def _picture(graph: Diagram, look: Look) -> str:
    from layerexplain.render.graph.diagram import open_boxes
    from layerexplain.render.graph.fold import fold
    from layerexplain.render.graph.svg import svg

    boxes = open_boxes(fold(graph), 0)
    drawn = f"<figure>\n{svg(boxes)}</figure>"
    return drawn.encode("ascii", "xmlcharrefreplace").decode("ascii") if look.ascii else drawn


class _Html(MarkupWriter):
    def prose(self, text: str) -> str:
        return escaped(clean(text, self.ascii))

    def code(self, text: str, in_table: bool = False) -> str:
        return f"<code>{self.prose(text)}</code>" if text else ""

    def paragraph(self, text: str) -> str:
        return f"<p>{text}</p>" if text else ""

    def heading(self, level: int, title: str) -> str:
        return f"<h{level}>{title}</h{level}>"

    def listing(self, code: CodeBlock, language: str = "") -> str:
        if code.typeset and not self.ascii and sum([len(line.latex) for line in code.typeset]) <= _LONGEST_FORMULA:
            plain = self.listing(code._replace(typeset=()))
            return f"{mathml.mathml([line.tree for line in code.typeset])}\n{plain}"
        return f"<pre><code>{escaped(chr(10).join(self.shown_lines(code)))}</code></pre>" if code.lines else ""

    def points(self, items: Sequence[str]) -> str:
        return "\n".join(["<ul>", *[f"<li>{item}</li>" for item in items], "</ul>"])

    def warning(self, text: str) -> str:
        return f'<p class="warning">{text}</p>'

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
        kinds = [' class="right"' if is_right else "" for is_right in right]
        head = "".join([f'<th scope="col"{kind}>{cell}</th>' for kind, cell in zip(kinds, headings, strict=True)])
        lines = [
            f"<tr>{''.join([f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, cells, strict=True)])}</tr>"
            for cells in rows
        ]
        body = "\n".join(["<tbody>", *lines, "</tbody>"])
        return f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n{body}\n</table></div>'
