"""MathML: typeset formulas for documents without a script; js/math.js writes the same trees in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from layerexplain.lang.latex import Node, is_tall, items
from layerexplain.render.escape import clean, escaped

_LONG = 26
"""A line that is wider, in letters, may be broken."""

STYLE = """
.math { margin: .8em 0; overflow-x: auto } .math div { line-height: 2; padding-left: 2.2rem; text-indent: -2.2rem }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "XITS Math", "DejaVu Math TeX Gyre", math,
  serif; font-size: 1.15rem; text-indent: 0; white-space: nowrap }
mtable.cases { border: solid; border-radius: .5em; border-width: 0 0 0 1.5px; margin-left: .25em; padding-left: .3em }
mtd { text-align: left }
""".strip()
"""What a style sheet says of formulas."""


def mathml(lines: Iterable[Node]) -> str:
    """Return the lines of a formula, one below the other, as HTML.

    >>> print(mathml([("row", "y", ("o", "="), ("sub", "x", "i"))]))
    <div class="math" role="group" aria-label="Formula">
    <div><math displaystyle="true"><mrow><mi>y</mi><mo>=</mo><msub><mi>x</mi><mi>i</mi></msub></mrow></math></div>
    </div>
    """
    rows = [f"<div>{'<wbr>'.join(_pieces(line))}</div>" for line in lines]
    return "\n".join(['<div class="math" role="group" aria-label="Formula">', *rows, "</div>"])


def _pieces(line: Node) -> Iterator[str]:
    """Yield the parts of a line between which it may be broken: behind `=` and `,`, and before `+` and `−`."""
    parts: list[list[str]] = [[]]
    is_long = _width(line) > _LONG
    for node in items(line):
        is_sign = isinstance(node, tuple) and node[0] == "o"
        begins = is_long and is_sign and node[1] in "+−" and len(parts[-1]) > 0
        if begins:  # it still stands between two terms
            parts.append([_element("mo", node[1], ' form="infix"')])
        else:
            parts[-1].append(_written(node))
        if is_long and is_sign and node[1] in "=," and len(parts[-1]) > 1:
            parts.append([])
    for part in filter(None, parts):
        yield f'<math displaystyle="true"><mrow>{"".join(part)}</mrow></math>'


def _written(node: Node) -> str:
    if isinstance(node, str):
        return _element("mi", node)
    kind, *parts = node
    return _WRITERS.get(kind, _row)(parts)


def _element(tag: str, text: str, attributes: str = "") -> str:
    return f"<{tag}{attributes}>{escaped(clean(text))}</{tag}>"


def _row(parts: Sequence[Node]) -> str:
    return f"<mrow>{''.join(map(_written, parts))}</mrow>"


def _of(tag: str) -> Callable[[Sequence[Node]], str]:
    return lambda parts: f"<{tag}>{''.join(map(_written, parts))}</{tag}>"


def _sign(parts: Sequence[Node]) -> str:
    return _element("mo", parts[0], ' stretchy="false"' if parts[0] in "()[]|" else "")


def _fence(parts: Sequence[Node]) -> str:
    opened, closed, *inside = parts
    grows = "" if any([is_tall(item) for item in inside]) else ' stretchy="false"'
    ends = [_element("mo", text, grows) if text else "" for text in (opened, closed)]
    return f"<mrow>{ends[0]}{''.join(map(_written, inside))}{ends[1]}</mrow>"


def _cases(parts: Sequence[Node]) -> str:
    rows = [
        f"<mtr>{''.join([f'<mtd>{_written(item)}</mtd>' for item in (value, condition)])}</mtr>"
        for value, condition in parts
    ]
    return f'<mtable class="cases">{"".join(rows)}</mtable>'


def _name(parts: Sequence[Node]) -> str:
    return _element("mi", parts[0], ' mathvariant="normal"')


def _space(width: str) -> Callable[[Sequence[Node]], str]:
    return lambda parts: f'<mspace width="{width}"></mspace>'


_WRITERS: Mapping[str, Callable[[Sequence[Node]], str]] = {
    "o": _sign,
    "n": lambda parts: _element("mn", parts[0]),
    "t": lambda parts: _element("mtext", f"\u00a0{parts[0].strip()}\u00a0"),
    "s": _space("1em"),
    "p": _space("0.17em"),
    "f": _name,
    "name": _name,
    "sub": _of("msub"),
    "sup": _of("msup"),
    "both": _of("msubsup"),
    "under": _of("munder"),
    "frac": _of("mfrac"),
    "root": lambda parts: _of("mroot" if len(parts) > 1 else "msqrt")(parts),
    "fence": _fence,
    "cases": _cases,
}
"""How each kind of node is written; others are rows."""


def _width(node: Node) -> int:
    """Estimate how many letters wide a tree is."""
    if not isinstance(node, tuple):
        return 1
    if node[0] in ("n", "f", "name", "t"):
        return len(node[1])
    widths = [_width(item) for item in node[1:]]
    return max(widths, default=1) if node[0] in ("frac", "under") else sum(widths)
