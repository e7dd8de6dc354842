"""Formulas as they are typeset: trees, which latex.py prints as LaTeX and the page (render/page/js/math.js) as MathML.

A node is a text, which is an identifier of one letter, or a tuple whose first item says what it is:

- `("o", sign)`, `("n", number)`, `("t", text)`, `("s",)` and `("p",)`: a wide and a thin space;
- `("f", name)`: the upright name of a function; `("name", word)`: that of a tensor;
- `("row", …)`; `("sub", a, b)`, `("sup", a, b)`, `("both", a, below, above)`, `("under", a, b)`;
- `("frac", a, b)`, `("root", a)`, `("fence", open, close, …)`, `("cases", (value, condition), …)`.

Names and texts stand in a tree as they are: escaping is the printers' work. In the notation of an op a node may also be
a number, which stands for an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

Node: TypeAlias = Any
"""A text or a tuple, as above; its items depend on its kind, which the type of a tuple cannot say."""

THIN: Final = ("p",)
WIDE: Final = ("s",)
COMMA: Final = ("o", ",")
EQUALS: Final = ("o", "=")
MINUS: Final = ("o", "−")
TALL: Final = ("frac", "under", "cases", "root")
"""Nodes that are higher than a line: brackets around them grow."""


def row(*nodes: Node) -> Node:
    """Return nodes side by side; rows among them are joined.

    >>> row("a", row(("o", "+"), "b"))
    ('row', 'a', ('o', '+'), 'b')
    """
    found = [one for node in nodes for one in items(node)]
    return found[0] if len(found) == 1 else ("row", *found)


def items(node: Node) -> Sequence[Node]:
    """Return the parts of a row; another node is its own only part."""
    return node[1:] if isinstance(node, tuple) and node[:1] == ("row",) else (node,)


def sign(text: str) -> Node:
    """Return an operator, a relation or a punctuation mark."""
    return ("o", text)


def number(text: str) -> Node:
    """Return digits; a minus in front of them is a sign.

    >>> number("-2")
    ('row', ('o', '−'), ('n', '2'))
    """
    return row(MINUS, ("n", text[1:])) if text.startswith("-") else ("n", text)


def fence(*inside: Node, open: str = "(", close: str = ")") -> Node:
    """Return nodes in brackets."""
    return ("fence", open, close, *items(row(*inside)))


def listed(nodes: Iterable[Node]) -> Node:
    """Return nodes with commas between them."""
    found: list[Node] = []
    for node in nodes:
        found += [COMMA, node] if found else [node]
    return row(*found)


def applied(name: str, *inside: Node) -> Node:
    """Return a function of what stands in its brackets: the notation of `sin` is `applied("sin", 0)`."""
    return row(("f", name), fence(*inside))


def filled(template: Node, args: Sequence[Node]) -> Node:
    """Return a notation with its arguments in place of their numbers."""
    if isinstance(template, int):
        return args[template]
    if not isinstance(template, tuple) or template[0] in ("o", "n", "f", "t", "name"):
        return template
    kind, *parts = template
    if kind == "row":
        return row(*[filled(one, args) for one in parts])
    if kind == "fence":
        return fence(*[filled(one, args) for one in parts[2:]], open=parts[0], close=parts[1])
    return (kind, *[filled(one, args) for one in parts])


def is_tall(node: Node) -> bool:
    """Return whether a node is higher than a line."""
    return isinstance(node, tuple) and (node[0] in TALL or any([is_tall(one) for one in node[1:]]))
