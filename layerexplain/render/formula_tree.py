"""Formulas as trees that MathML is written from: the LaTeX of derive/latex read again, so that both say the same.

A node is a text, which is an identifier, or a list whose first item says what it is:

- `["o", sign]`, `["n", number]`, `["f", name]` (upright), `["t", text]`, `["s"]` and `["p"]` (a wide and a thin space);
- `["row", …]`; `["sub", a, b]`, `["sup", a, b]`, `["both", a, below, above]`, `["under", a, b]`;
- `["frac", a, b]`, `["root", a]`, `["fence", open, close, …]`, `["cases", [value, condition], …]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from layerexplain.lang.latex_text import SIGNS

Node = str | list[Any]

_TOKEN: Final = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[^\W\d_]+|\s+|.", re.DOTALL)

_IDENTIFIERS: Final = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "epsilon": "ε", "lambda": "λ",
    "mu": "μ", "nu": "ν", "sigma": "σ", "tau": "τ", "omega": "ω", "pi": "π", "theta": "θ", "Phi": "Φ", "Gamma": "Γ",
    "infty": "∞", "partial": "∂", "top": "⊤", "Delta": "Δ", "phi": "φ", "rho": "ρ", "eta": "η",
}  # fmt: skip
_SIGNS: Final = {
    "odot": "⊙", "cdot": "⋅", "times": "×", "leq": "≤", "geq": "≥", "le": "≤", "ge": "≥", "neq": "≠", "ne": "≠",
    "mid": "∣", "colon": ":", "ldots": "…", "cdots": "⋯", "leftarrow": "←", "rightarrow": "→", "land": "∧",
    "lor": "∨", "lnot": "¬", "neg": "¬", "oplus": "⊕", "pm": "±", "in": "∈", "equiv": "≡", "approx": "≈", "sim": "∼",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "lvert": "|", "rvert": "|", "lVert": "‖",
    "rVert": "‖", "vert": "|", "bmod": "mod", "wedge": "∧", "vee": "∨", "ll": "≪", "gg": "≫", "otimes": "⊗",
    "circ": "∘", "ast": "∗", "div": "÷", "langle": "⟨", "rangle": "⟩", "sum": "∑", "prod": "∏",
}  # fmt: skip
_LARGE: Final = ("sum", "prod", "max", "min", "operatorname", "lim")
"""Commands under which stands what they go over."""
_NAMES: Final = (
    "max", "min", "ln", "log", "exp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "det",
    "lim", "arg", "gcd", "sec",
)  # fmt: skip
_COMMANDS: Final[dict[str, Node]] = {
    **{sign: ["o", sign] for sign in "_%&#{}"},
    **{sign: ["p"] for sign in ",;: "},
    "quad": ["s"],
    "qquad": ["s"],
    **{name: ["o", sign] for name, sign in _SIGNS.items()},
    **{name: ["f", name] for name in _NAMES},
    **_IDENTIFIERS,
}
"""The nodes of commands that take nothing."""
_BRACKETS: Final = {"(": ")", "[": "]"}


def formula_tree(latex: str) -> Node:
    """The tree of one line of LaTeX. Raises ValueError for what derive/latex does not write.

    >>> formula_tree(r"y = \\frac{x_{n,i}}{2}")
    ['row', 'y', ['o', '='], ['frac', ['sub', 'x', ['row', 'n', ['o', ','], 'i']], ['n', '2']]]
    """
    return _Reader(_TOKEN.findall(latex)).row(lambda sign: False)


class _Reader:
    """Reads tokens one after the other; `at` is the next one."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        sign = self.peek()
        if not sign or (wanted and sign != wanted):
            raise ValueError(f"LaTeX needs {wanted or 'more'}, got {sign!r}")
        self.at += 1
        return sign

    def row(self, ends: Callable[[str], bool]) -> Node:
        """What stands before a sign that ends it."""
        found: list[Node] = []
        while (sign := self.peek()) and not ends(sign):
            if sign.isspace():
                self.at += 1
                continue
            node, large = self.atom()
            found.append(self.with_scripts(node, large))
        return found[0] if len(found) == 1 else ["row", *found]

    def group(self) -> Node:
        while self.peek().isspace():
            self.at += 1
        if self.peek() != "{":
            return self.atom()[0]
        self.take("{")
        inside = self.row(lambda sign: sign == "}")
        self.take("}")
        return inside

    def with_scripts(self, node: Node, large: bool) -> Node:
        below: Node | None = None
        above: Node | None = None
        while self.peek() in ("_", "^"):
            if self.take() == "_":
                below = self.group()
            else:
                above = self.group()
        if below is not None and above is not None:
            return ["both", node, below, above]
        if below is not None:
            return ["under" if large else "sub", node, below]
        return ["sup", node, above] if above is not None else node

    def atom(self) -> tuple[Node, bool]:
        """The next node without its scripts, and whether what it goes over stands under it."""
        sign = self.peek()
        if sign == "{":
            return self.group(), False
        self.take()
        if sign.startswith("\\"):
            return self.command(sign[1:]), sign[1:] in _LARGE
        if sign in _BRACKETS:
            inside = self.row(lambda one: one in ")]}&" or one in ("\\right", "\\\\"))
            close = self.take() if self.peek() in (")", "]") else ""
            return ["fence", sign, close, *_items(inside)], False
        if sign[0].isdigit():
            return ["n", sign], False
        if sign[0].isalpha():
            return (sign if len(sign) == 1 else ["row", *sign]), False
        return ["o", "−" if sign == "-" else sign], False

    def command(self, name: str) -> Node:
        if name in _COMMANDS:
            return _COMMANDS[name]
        if name in ("mathrm", "operatorname"):
            return ["f", self.text()]
        if name == "mathbin":
            return ["o", self.text().removeprefix("\\mathrm").strip()]
        if name == "text":
            return ["t", self.text()]
        if name == "frac":
            return ["frac", self.group(), self.group()]
        if name == "sqrt":
            return ["root", self.group()]
        if name == "left":
            return self.fence()
        if name == "begin":
            return self.cases()
        raise ValueError(f"LaTeX with \\{name}, which no formula is written with")

    def fence(self) -> Node:
        open_ = self.bracket()
        inside = self.row(lambda sign: sign == "\\right")
        self.take("\\right")
        return ["fence", open_, self.bracket(), *_items(inside)]

    def bracket(self) -> str:
        sign = self.take()
        return _SIGNS.get(sign[1:], sign[1:]) if sign.startswith("\\") else sign

    def cases(self) -> Node:
        if (kind := self.text()) != "cases":
            raise ValueError(f"LaTeX with the environment {kind}")
        rows: list[Node] = []
        while True:
            value = self.row(lambda sign: sign == "&")
            self.take("&")
            condition = self.row(lambda sign: sign in ("\\\\", "\\end"))
            rows.append([value, condition])
            if self.take() == "\\end":
                self.text()
                return ["cases", *rows]

    def text(self) -> str:
        """The plain text of a group."""
        self.take("{")
        found: list[str] = []
        depth = 1
        while True:
            sign = self.take()
            depth += (sign == "{") - (sign == "}")
            if not depth:
                return "".join(found)
            if sign in SIGNS:
                sign = SIGNS[sign]
            elif sign in ("{", "}"):
                sign = ""
            found.append(sign)


def _items(node: Node) -> list[Any]:
    return node[1:] if isinstance(node, list) and node[:1] == ["row"] else [node]
