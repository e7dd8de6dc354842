"""Scalars of the element form as LaTeX: `\\sum_{u<3,\\,v<3} x_{n,2i+u,2j+v,m}\\,W_{u,v,m,k}`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from layerexplain.derive.element.letters import choose
from layerexplain.derive.latex import symbols as tex
from layerexplain.lang.notation import ATOM, NEGATE, POWER, PRODUCT, SUM, Fraction, Function, Infix, Prefix
from layerexplain.lang.scalar import (
    BEYOND,
    Affine,
    Apply,
    Between,
    Condition,
    Divisible,
    Element,
    Fold,
    Letter,
    Named,
    Number,
    Position,
    Scalar,
    bounds,
)

FOLDS: Final = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
FRACTION: Final = NEGATE + 5
"""A fraction stands in a product without brackets, and takes them under a power."""

Text = tuple[str, int]


def bracketed(text: str) -> str:
    """In brackets that grow with what they hold."""
    return rf"\left({text}\right)"


def combine(notation: Any, args: Sequence[Text], *, name: str, tensors: bool = False) -> Text:
    """An op applied to written arguments, with brackets by the table of binding strengths. `tensors` tells that a
    product is one of tensors, element by element."""
    if isinstance(notation, Fraction):
        return rf"\frac{{{args[0][0]}}}{{{args[1][0]}}}", FRACTION
    if isinstance(notation, Prefix):
        text, bind = args[0]
        return notation.latex + (text if bind > notation.bind else bracketed(text)), notation.bind
    if isinstance(notation, Infix):
        (left, a), (right, b) = args
        bind = notation.bind
        if bind == POWER:
            return f"{{{left if a == ATOM else bracketed(left)}}}^{{{right}}}", POWER
        if notation.symbol == "+" and b == NEGATE and right.startswith("-"):
            return f"{bracketed(left) if a < bind else left} - {right[1:]}", bind
        sign = r" \odot " if tensors and notation.symbol == "*" else notation.latex
        left = bracketed(left) if a < bind else left
        right = bracketed(right) if b < bind or (b == bind and notation.symbol not in "+*") else right
        return f"{left}{sign}{right}" if sign == r"\," else f"{left} {sign.strip()} {right}", bind
    template = notation.latex if isinstance(notation, Function) else ""
    if not template:
        return rf"{tex.upright(name)}({', '.join(text for text, _ in args)})", ATOM
    enclosed = any(mark in template for mark in ("(", "{{", r"\lvert", r"\lfloor", r"\lceil"))
    if enclosed:
        return template.format(*[text for text, _ in args]), POWER if "^" in template else ATOM
    texts = [text if bind >= (PRODUCT if len(args) > 1 else ATOM) else bracketed(text) for text, bind in args]
    return template.format(*texts), PRODUCT


class ScalarWriter:
    """Writes scalars; `name_of(of, index)` writes an element of a tensor. `notes` gather what the formula omits."""

    def __init__(self, name_of: Callable[[Any, list[str]], str], symbols: Collection[str]) -> None:
        self.name_of = name_of
        self.symbols = symbols
        self.notes: list[str] = []
        """Side notes, as LaTeX."""

    def write(self, e: Scalar, names: dict[Letter, str]) -> Text:
        """A scalar and how strongly it binds."""
        if isinstance(e, Number):
            text = tex.number(e.value)
            return text, NEGATE if text.startswith("-") else ATOM
        if isinstance(e, Position):
            text = self._index(e.index, names)
            return text, ATOM if text.isalnum() else SUM
        if isinstance(e, Element):
            return self.name_of(e.of, [self._index(i, names) for i in e.index]), ATOM
        if isinstance(e, Apply):
            self._omitted(e.op.name, e.attrs)
            return combine(e.op.notation, [self.write(a, names) for a in e.args], name=e.op.name)
        if isinstance(e, Named):
            definition = e.node.attrs["definition"]
            self._omitted(definition.name, definition.attrs)
            args = ", ".join(self.write(a, names)[0] for a in e.args)
            return tex.upright(definition.name) + (bracketed(args) if "\\" in args else f"({args})"), ATOM
        if isinstance(e, Fold):
            return self._fold(e, names)
        where = r" \text{ and } ".join(self.condition(c, names) for c in e.conditions)
        body, otherwise = self.write(e.body, names)[0], self.write(e.otherwise, names)[0]
        return (
            rf"\begin{{cases}} {body} & \text{{if }} {where} \\ {otherwise} & \text{{otherwise}} \end{{cases}}",
            PRODUCT,
        )

    def _omitted(self, name: str, attrs: Mapping[str, Any]) -> None:
        if attrs:
            self.notes.append(rf"\text{{{tex.escaped(tex.attribute_note(name, attrs))}}}")

    def _index(self, a: Affine, names: dict[Letter, str]) -> str:
        return tex.index(a, names, lambda scalar: self.write(scalar, names)[0])

    def _fold(self, e: Fold, names: dict[Letter, str]) -> Text:
        letters = [one for one in e.letters if one.size != 1]
        inside = {**choose(letters, names, self.symbols), **{one: "" for one in e.letters if one.size == 1}}
        body, bind = self.write(e.body, inside)
        if e.conditions:
            where = r",\; ".join(self.condition(c, inside) for c in e.conditions)
            self.notes.append(rf"\text{{only where }} {where}")
        if not letters:
            return body, bind
        over = r",\,".join(inside[one] if one.size is None else f"{inside[one]}<{one.size}" for one in letters)
        sign = FOLDS.get(e.kind, rf"\operatorname{{{e.kind}}}")
        return rf"{sign}_{{{over}}} {body if bind > SUM else bracketed(body)}", SUM

    def condition(self, c: Condition, names: dict[Letter, str]) -> str:
        """A condition, without the half of it that always holds."""
        if isinstance(c, Divisible):
            return rf"{c.by} \mid {self._index(c.index, names)}"
        if not isinstance(c, Between):
            return self.write(c.value, names)[0]
        text = self._index(c.index, names)
        least, most = bounds(c.index)
        if c.high is None:
            return rf"{text} \geq {c.low} \text{{ lies inside}}"
        if c.high == c.low + 1:
            return f"{text} = {c.low}"
        if c.high >= BEYOND:
            return rf"{text} \geq {c.low}"
        if least is not None and least >= c.low:
            return f"{text} < {c.high}"
        if most is not None and most < c.high:
            return rf"{text} \geq {c.low}"
        return rf"{c.low} \leq {text} < {c.high}"
