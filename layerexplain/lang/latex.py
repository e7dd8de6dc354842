"""Formulas as trees that are typeset: LaTeX is written here, MathML by the page (render/page/js/math.js).

A node is a text, which is an identifier of one letter, or a tuple whose first item says what it is:

- `("o", sign)`, `("n", number)`, `("t", text)`, `("s",)` and `("p",)`: a wide and a thin space;
- `("f", name)`: the upright name of a function; `("name", word)`: that of a tensor;
- `("row", …)`; `("sub", a, b)`, `("sup", a, b)`, `("both", a, below, above)`, `("under", a, b)`;
- `("frac", a, b)`, `("root", a)`, `("fence", open, close, …)`, `("cases", (value, condition), …)`.

Names and texts stand in a tree as they are: escaping is the printers' work. In the notation of an op a node may also be
a number, which stands for an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from layerexplain.records import NamedTuple

# Typeset ------------------------------------------------------------------------------------------------------------

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
    results = [item for node in nodes for item in items(node)]
    return results[0] if len(results) == 1 else ("row", *results)


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
    results: list[Node] = []
    for node in nodes:
        results += [COMMA, node] if results else [node]
    return row(*results)


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
        return row(*[filled(part, args) for part in parts])
    if kind == "fence":
        return fence(*[filled(part, args) for part in parts[2:]], open=parts[0], close=parts[1])
    return (kind, *[filled(part, args) for part in parts])


def is_tall(node: Node) -> bool:
    """Return whether a node is higher than a line."""
    return isinstance(node, tuple) and (node[0] in TALL or any([is_tall(item) for item in node[1:]]))


# Latex --------------------------------------------------------------------------------------------------------------
# Print typeset formulas (typeset.py) as LaTeX; it needs amsmath.

_LETTERS: Final = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "λ": "lambda", "μ": "mu", "ν": "nu",
    "σ": "sigma", "τ": "tau", "ω": "omega", "η": "eta", "θ": "theta", "ρ": "rho", "φ": "phi", "π": "pi", "Δ": "Delta",
    "Φ": "Phi", "Γ": "Gamma", "∞": "infty", "⊤": "top",
}  # fmt: skip
GREEK: Final = frozenset(_LETTERS) - {"∞", "⊤"}
_SIGNS: Final = {
    "−": "-", "⊙": r"\odot", "⋅": r"\cdot", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "∣": r"\mid", ":": r"\colon",
    "…": r"\ldots", "←": r"\leftarrow", "mod": r"\bmod", "div": r"\mathbin{\mathrm{div}}", "∑": r"\sum", "∏": r"\prod",
    "%": r"\%",
}  # fmt: skip
_BRACKETS: Final = {"⌊": (r"\lfloor ", r" \rfloor"), "⌈": (r"\lceil ", r" \rceil"), "|": (r"\lvert ", r" \rvert")}
"""Brackets that LaTeX has names for, with the closing ones."""
_FUNCTIONS: Final = frozenset("max min ln log exp sin cos tan arcsin arccos arctan sinh cosh tanh".split())  # noqa: SIM905
_UNSPACED: Final = frozenset([".", "/", "∑", "∏", "…"])
"""Signs that are neither operators nor relations."""


class TypesetLine(NamedTuple):
    """A line of a formula as it is typeset."""

    tree: Node

    @property
    def latex(self) -> str:
        """The line as LaTeX."""
        return latex(self.tree)

    def to_dict(self) -> str:
        """Return the line as JSON has it: as LaTeX."""
        return self.latex


def latex(node: Node) -> str:
    r"""Return a tree as LaTeX.

    >>> latex(("row", ("sub", "y", ("row", "n", ("o", ","), "i")), ("o", "="), ("frac", "x", ("n", "2"))))
    'y_{n,i} = \\frac{x}{2}'
    """
    return _printed(node, spaced=True)


def _printed(node: Node, spaced: bool) -> str:
    """Print a node; in an index or an exponent no spaces stand around signs."""
    if isinstance(node, str):
        return f"\\{_LETTERS[node]}" if node in _LETTERS else node
    kind, *parts = node
    if kind in _WORDS:
        return _WORDS[kind](*parts)
    if kind == "row":
        return _side_by_side(parts, spaced)
    if kind == "fence":
        inside = _printed(row(*parts[2:]), spaced) if parts[2:] else ""
        return _bracketed(parts[0], parts[1], inside, any([is_tall(part) for part in parts[2:]]))
    if kind == "cases":
        separator = r" \\ "
        rows = [" & ".join([_printed(part, spaced) for part in other]) for other in parts]
        return rf"\begin{{cases}} {separator.join(rows)} \end{{cases}}"
    if kind == "root" and len(parts) == 2:
        kind = "higher root"
    pieces = [_printed(parts[0], spaced), *[_printed(part, spaced and kind == "frac") for part in parts[1:]]]
    if kind == "under" and parts[0][0] == "f" and parts[0][1] not in _FUNCTIONS:
        pieces[0] = rf"\operatorname{{{escaped(parts[0][1])}}}"
    if kind == "sup" and not (isinstance(parts[0], str) or parts[0][0] in _WORDS or parts[0][0] == "sub"):
        pieces[0] = f"{{{pieces[0]}}}"
    return _FORMS[kind].format(*pieces)


def _upright(name: str) -> str:
    """Return a name, upright; one with other signs than those of names is text."""
    is_name = name.replace("_", "a").replace(".", "a").isalnum()
    return rf"\{'mathrm' if is_name else 'text'}{{{escaped(name)}}}"


_FORMS: Final = {
    "sub": "{0}_{{{1}}}",
    "sup": "{0}^{{{1}}}",
    "both": "{0}^{{{2}}}_{{{1}}}",
    "under": "{0}_{{{1}}}",
    "frac": r"\frac{{{0}}}{{{1}}}",
    "root": r"\sqrt{{{0}}}",
    "higher root": r"\sqrt[{1}]{{{0}}}",
}
_WORDS: Final[Mapping[str, Callable[..., str]]] = {
    "o": lambda text: _SIGNS.get(text) or text,
    "n": lambda text: text,
    "f": lambda name: f"\\{name}" if name in _FUNCTIONS else _upright(name),
    "name": _upright,
    "t": lambda text: rf"\text{{{escaped(text)}}}",
    "s": lambda: r"\quad",
    "p": lambda: r"\,",
}


def _bracketed(open: str, close: str, inside: str, tall: bool) -> str:
    if open in _BRACKETS:
        return inside.join(_BRACKETS[open])
    return rf"\left{open}{inside}\right{close}" if tall else f"{open}{inside}{close}"


def _side_by_side(parts: Sequence[Node], spaced: bool) -> str:
    r"""Print the parts of a row, with spaces around signs between two operands, and behind `\sum` and `\ln`."""
    result = ""
    last: Node = ("o", "")
    for part in parts:
        text = _printed(part, spaced)
        kind = part[0] if isinstance(part, tuple) else ""
        if kind == "s":
            result = f"{result} {text} ".lstrip()
        elif kind == "o" and part[1] in (",", ":"):
            result += text + " " * (spaced and part[1] == ",")
        elif kind == "o" and part[1] not in _UNSPACED:
            is_between = last[0] not in ("o", "s", "p")
            result += f" {text} " if is_between and (spaced or text[0] == "\\") else text
        else:
            runs_on = text[:1].isalnum() and _COMMAND.search(result)
            is_apart = runs_on or "t" in (kind, last[0]) or (_takes_body(last) and kind != "fence")
            result += " " * bool(is_apart and result and result[-1] != " ") + text
        last = part
    return result.rstrip()


_COMMAND: Final = re.compile(r"\\[a-zA-Z]+$")


def _takes_body(node: Node) -> bool:
    r"""Return whether what follows belongs to a node: `\sum_{u<3} x`, `\log_{2} x`."""
    return node[0] in ("f", "under") or (node[0] == "sub" and node[1][0] == "f")


_HARMLESS: Final = frozenset(" .,:;=+-*/()[]!?@'\"`")
"""ASCII that TeX prints as it is, beside letters and digits."""

_COMMANDS: Final = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escaped(text: str) -> str:
    """Return text as LaTeX prints it in text mode. Letters and signs outside of ASCII stay.

    >>> escaped("50% of a_b^^5c")
    '50\\\\% of a\\\\_b\\\\textasciicircum{}\\\\textasciicircum{}5c'
    """
    return text if text.isalnum() else text.translate(_ESCAPED)


class _Escaped(dict[int, str]):
    """What is printed for the code of a character: found when it is first met, kept for those of ASCII."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if sign in _COMMANDS:
            text = _COMMANDS[sign]
        elif sign.isalnum() or sign in _HARMLESS or (not sign.isascii() and sign.isprintable()):
            text = sign
        else:
            text = _COMMANDS["\\"] + (f"x{code:02x}" if code < 0x100 else f"u{code:04x}")
        if code < 0x80:
            self[code] = text
        return text


_ESCAPED: Final = _Escaped()
