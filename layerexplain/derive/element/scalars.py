"""Writes scalars of the element form: what is common to plain text and LaTeX. A subclass has the signs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.derive.element.letters import choose
from layerexplain.lang.notation import COMPARE, NEGATE, PRODUCT, SUM, UNLIKE, Written
from layerexplain.lang.scalar import (
    BEYOND,
    Affine,
    Apply,
    Condition,
    Divisible,
    Element,
    Fold,
    Guard,
    Holds,
    Letter,
    NamedFunction,
    Number,
    Position,
    Scalar,
    bounds,
)


class ScalarWriter:
    """Writes scalars with letters named by `names`; `symbols` are names that no letter may have."""

    at_least, at_most, lies_inside = "≥", "≤", " lies inside"
    position_chain: tuple[str, ...] = UNLIKE

    def __init__(self, symbols: Collection[str]) -> None:
        self.symbols = symbols

    def written(self, e: Scalar, names: dict[Letter, str]) -> Written:
        """A scalar and how strongly it binds."""
        if isinstance(e, Element):
            return Written(self.element(e, names))
        if isinstance(e, Apply):
            return self.applied(e, [self.written(a, names) for a in e.args])
        if isinstance(e, Number):
            text = self.number(e.value)
            return Written(text, NEGATE) if text.startswith("-") else Written(text)
        if isinstance(e, Fold):
            return self.fold(e, names)
        if isinstance(e, NamedFunction):
            definition = e.node.attrs["definition"]
            return self.function(definition.name, [self.written(a, names) for a in e.args], definition.attrs)
        if isinstance(e, Position):
            text = self.index(e.index, names)
            if text.isdigit() or text.isalpha():
                return Written(text)
            return Written(text, PRODUCT, ("*",)) if text.isalnum() else Written(text, SUM, self.position_chain)
        return self.guard(e, names)

    def text(self, e: Scalar, names: Mapping[Letter, str]) -> str:
        """A scalar where nothing stands beside it."""
        return self.written(e, dict(names)).text

    def inside(self, e: Fold, names: dict[Letter, str]) -> dict[Letter, str]:
        """The names of letters within a sum; those of axes of size 1 are not written."""
        chosen = choose([one for one in e.letters if one.size != 1], names, self.symbols)
        return {**chosen, **{one: "" for one in e.letters if one.size == 1}}

    def fold(self, e: Fold, names: dict[Letter, str]) -> Written:
        """A sum over letters."""
        inside = self.inside(e, names)
        body = self.written(e.body, inside)
        letters = [one for one in e.letters if one.size != 1]
        if not letters:
            return body
        over = [inside[one] if one.size is None else f"{inside[one]}<{one.size}" for one in letters]
        text = body.text if body.bind > SUM else self.brackets(body.text)
        return Written(self.folded(e.kind, over, text), SUM, ("+",))

    def condition(self, c: Condition, names: dict[Letter, str]) -> str:
        """A condition, without the half of it that always holds."""
        if isinstance(c, Holds):
            written = self.written(c.value, names)
            return written.text if written.bind >= COMPARE else self.brackets(written.text)
        index = self.index(c.index, names)
        if isinstance(c, Divisible):
            return self.divides(c.by, index)
        least, most = bounds(c.index)
        if c.high is None:
            return f"{index} {self.at_least} {c.low}{self.lies_inside}"
        if c.high == c.low + 1:
            return f"{index} = {c.low}"
        if c.high < BEYOND and least is not None and least >= c.low:
            return f"{index} < {c.high}"
        if c.high >= BEYOND or (most is not None and most < c.high):
            return f"{index} {self.at_least} {c.low}"
        return f"{c.low} {self.at_most} {index} < {c.high}"

    # The signs ----------------------------------------------------------------------------------------------------

    def number(self, value: Any) -> str:
        """A constant."""
        raise NotImplementedError

    def index(self, index: Affine, names: Mapping[Letter, str]) -> str:
        """An index."""
        raise NotImplementedError

    def element(self, e: Element, names: Mapping[Letter, str]) -> str:
        """An element of a tensor."""
        raise NotImplementedError

    def applied(self, e: Apply, args: Sequence[Written]) -> Written:
        """An op applied to scalars."""
        raise NotImplementedError

    def function(self, name: str, args: Sequence[Written], attrs: Mapping[str, Any]) -> Written:
        """A function by its name."""
        raise NotImplementedError

    def guard(self, e: Guard, names: dict[Letter, str]) -> Written:
        """A choice."""
        raise NotImplementedError

    def folded(self, kind: str, over: Sequence[str], body: str) -> str:
        """A sum of this kind over letters."""
        raise NotImplementedError

    def divides(self, by: int, index: str) -> str:
        """The condition that a number divides an index."""
        raise NotImplementedError

    def brackets(self, text: str) -> str:
        """A text in brackets."""
        return f"({text})"
