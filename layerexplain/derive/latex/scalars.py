"""Scalars of the element form as LaTeX: `\\sum_{u<3,\\,v<3} x_{n,2i+u,2j+v,m}\\,W_{u,v,m,k}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from layerexplain.derive.element.scalars import ScalarWriter, index_text, number_text
from layerexplain.lang.latex_text import escaped
from layerexplain.lang.notation import (
    ATOM,
    NEGATE,
    POWER,
    PREFIXED,
    PRODUCT,
    Fraction,
    Function,
    Infix,
    Prefix,
    Written,
    joined,
    key_text,
    needs_brackets,
    value_text,
)
from layerexplain.lang.scalar import Affine, Apply, Element, Fold, Guard, Letter, Quotient, Scalar

FOLDS: Final = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
FRACTION: Final = NEGATE + 5
"""A fraction needs no brackets in a product, but needs them as the base of a power."""
LONGEST_EXPONENT: Final = 40
"""A power of e with a longer exponent is written as a function: small print is hard to read."""
_PRODUCT: Final = Infix("*", PRODUCT, r"\,")


GREEK: Final = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "λ": r"\lambda",
    "μ": r"\mu", "ν": r"\nu", "σ": r"\sigma", "τ": r"\tau", "ω": r"\omega", "η": r"\eta", "θ": r"\theta",
    "ρ": r"\rho", "φ": r"\phi", "π": r"\pi", "Δ": r"\Delta", "Φ": r"\Phi", "Γ": r"\Gamma",
}  # fmt: skip


def upright(name: str) -> str:
    """Return a name, upright; one with other signs than those of names is text."""
    is_name = name.replace("_", "a").replace(".", "a").isalnum()
    return rf"\{'mathrm' if is_name else 'text'}{{{escaped(name)}}}"


def symbol(name: str, index: Sequence[str] = ()) -> str:
    """Return a tensor's name with an index: `W_q` is `W_{q}`, with an index `W^{(q)}_{m,k}`.

    What stands behind a letter is its index; behind a word (`relu_x`) it is a part of the name, which would read as its
    power.
    """
    head, *rest = name.split("_")
    if len(head) > 2 and head.isalpha() and head.islower() and not all([part.isdigit() for part in rest]):
        head, rest = name, []
    base = _letters(head) if head else upright(name)
    suffix = ",".join(_letters(part) for part in rest if part) if head else ""
    if not index:
        return f"{base}_{{{suffix}}}" if suffix else base
    above = f"^{{({suffix})}}" if suffix else ""
    return f"{base}{above}_{{{','.join(index)}}}"


def _letters(name: str) -> str:
    if len(name) == 1 and name.isascii() and name.isalnum():
        return name
    if any([letter in GREEK for letter in name]):  # dβ, the gradient of β
        return "".join([GREEK.get(part) or upright(part) for part in re.split(f"([{''.join(GREEK)}])", name) if part])
    return upright(name)


def number_latex(value: Any) -> str:
    """Return a constant."""
    if isinstance(value, bool):
        return rf"\mathrm{{{str(value).lower()}}}"
    if isinstance(value, tuple):
        if (text := value_text(value)).startswith("constant"):
            return rf"\mathrm{{constant}}{text.removeprefix('constant')}"
        return rf"\left({', '.join(number_latex(v) for v in value)}\right)"
    text = number_text(value)
    if isinstance(value, str):
        return upright(text)
    if "e" in text:
        digits, _, exponent = text.partition("e")
        return rf"{digits} \cdot 10^{{{int(exponent)}}}"
    return text.replace("∞", r"\infty")


def attribute_note(name: str, attrs: Mapping[str, Any]) -> str:
    """Return a note on the attributes that a function's LaTeX omits: `conv: strides = 2`."""
    said = ", ".join(f"{key} = {value_text(value)}" for key, value in attrs.items())
    return f"{name}: {said}"


def slice_text(key: Sequence[Any]) -> str:
    """Return the key of a slice, as a subscript."""
    return f"[{key_text(key).replace('...', chr(92) + 'ldots')}]"


def index_latex(index: Affine, names: Mapping[Letter, str], value: Callable[[Any], str] | None = None) -> str:
    """Return an index: `2i+u-1`, `\\lfloor k/20 \\rfloor`. `value(scalar)` writes a looked-up value."""
    return index_text(index, names, value, _quotient)


def _quotient(q: Quotient, of: str, scaled: bool) -> str:
    if q.rest:
        return rf"({of} \bmod {q.by})"
    return rf"\lfloor {of if of.isalnum() else f'({of})'}/{q.by} \rfloor"


def bracketed(text: str) -> str:
    """Return a text in brackets that grow with it."""
    return rf"\left({text}\right)"


def combine(notation: Any, args: Sequence[Written], *, name: str, tensors: bool = False) -> Written:
    """Return an op applied to written arguments, with the brackets that its notation needs.

    Args:
        notation: The notation of the op.
        args: The written arguments.
        name: The name of the op, for ops written as functions.
        tensors: Whether a product is an element-wise product of tensors."""
    if isinstance(notation, Fraction):
        return Written(rf"\frac{{{args[0].text}}}{{{args[1].text}}}", FRACTION)
    if isinstance(notation, Prefix):
        (inner,) = args
        bare = not needs_brackets(notation, inner.bind, chain=inner.chain)
        return Written(notation.latex + (inner.text if bare else bracketed(inner.text)), notation.bind)
    if isinstance(notation, Infix):
        left, right = args
        if notation.bind == POWER:
            base = bracketed(left.text) if needs_brackets(notation, left.bind, chain=left.chain) else left.text
            return Written(f"{{{base}}}^{{{right.text}}}", POWER)
        if notation.symbol == "+" and right.bind == NEGATE and right.text.startswith("-"):
            return joined(notation, left, Written(right.text[1:]), " - ", bracketed)
        sign = r"\odot" if tensors and notation.symbol == "*" else notation.latex.strip()
        if sign == r"\,":
            return _side_by_side(left, right, sign)
        return joined(notation, left, right, f" {sign} ", bracketed)
    template = notation.latex if isinstance(notation, Function) else ""
    if not template:
        return Written(rf"{upright(name)}({', '.join(arg.text for arg in args)})")
    if "^{{{0}}}" in template and len(args[0].text) > LONGEST_EXPONENT:
        return Written(rf"{upright(name)}{bracketed(args[0].text)}")
    if any(mark in template for mark in ("(", "{{", r"\lvert", r"\lfloor", r"\lceil")):
        return Written(template.format(*[arg.text for arg in args]), POWER if "^" in template else ATOM)
    if len(args) == 2:
        return _side_by_side(args[0], args[1], template.replace("{0}", "").replace("{1}", ""))
    (arg,) = args
    return Written(template.format(arg.text if arg.bind == ATOM else bracketed(arg.text)), PRODUCT, PREFIXED)


def _side_by_side(left: Written, right: Written, sign: str) -> Written:
    """Return a product whose sign is a space: a factor with a minus gets brackets, or it would read as a difference,
    and a number gets a dot in front of it."""
    if right.text.startswith("-"):
        right = Written(bracketed(right.text))
    if right.text[:1].isdigit():
        sign = r" \cdot "
    return joined(_PRODUCT, left, right, sign, bracketed)


class LatexWriter(ScalarWriter):
    """Write scalars as LaTeX. `name_of(of, index)` writes an element of a tensor; `notes` collect what is omitted."""

    at_least, at_most, lies_inside = r"\geq", r"\leq", r" \text{ lies inside}"
    position_chain = ("+",)

    def __init__(self, name_of: Callable[[Any, list[str]], str], symbols: Collection[str]) -> None:
        super().__init__(symbols)
        self.name_of = name_of
        self.notes: list[str] = []
        """Side notes, as LaTeX."""

    def number(self, value: Any) -> str:
        return number_latex(value)

    def index(self, index: Affine, names: Mapping[Letter, str]) -> str:
        return index_latex(index, names, lambda scalar: self.text(scalar, names))

    def element(self, e: Element, names: Mapping[Letter, str]) -> str:
        return self.name_of(e.of, [self.index(i, names) for i in e.index])

    def applied(self, e: Apply, args: Sequence[Written]) -> Written:
        self._omitted(e.op.name, e.attrs)
        return combine(e.op.notation, args, name=e.op.name)

    def function(self, name: str, args: Sequence[Written], attrs: Mapping[str, Any]) -> Written:
        self._omitted(name, attrs)
        text = ", ".join(arg.text for arg in args)
        return Written(upright(name) + (bracketed(text) if "\\" in text else f"({text})"))

    def _omitted(self, name: str, attrs: Mapping[str, Any]) -> None:
        if attrs:
            self.notes.append(rf"\text{{{escaped(attribute_note(name, attrs))}}}")

    def guard(self, e: Guard, names: dict[Letter, str]) -> Written:
        rows: list[str] = []
        rest: Scalar = e
        while isinstance(rest, Guard):  # what is left for other conditions is a row below, not a bracket in a bracket
            where = r" \text{ and } ".join([self.condition(c, names) for c in rest.conditions])
            rows.append(rf"{self.text(rest.body, names)} & \text{{if }} {where} \\")
            rest = rest.otherwise
        otherwise = rf"{self.text(rest, names)} & \text{{otherwise}}"
        return Written(" ".join([r"\begin{cases}", *rows, otherwise, r"\end{cases}"]), PRODUCT, ("*",))

    def fold(self, e: Fold, names: dict[Letter, str]) -> Written:
        written = super().fold(e, names)
        if e.conditions:
            inside = self.inside(e, names)
            where = r",\; ".join(self.condition(c, inside) for c in e.conditions)
            self.notes.append(rf"\text{{only where }} {where}")
        return written

    def folded(self, kind: str, over: Sequence[str], body: str) -> str:
        sign = FOLDS.get(kind, rf"\operatorname{{{kind}}}")
        letters = r",\,".join(over)
        return rf"{sign}_{{{letters}}} {body}"

    def divides(self, by: int, index: str) -> str:
        return rf"{by} \mid {index}"

    def brackets(self, text: str) -> str:
        return bracketed(text)
