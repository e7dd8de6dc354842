"""Typeset scalars of the element form: sums over letters, fractions, cases, indices below."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from layerexplain.derive.element.scalars import bound_of, choose, index_parts, letter_name, number_text
from layerexplain.lang import scalar as sc
from layerexplain.lang.latex import (
    COMMA,
    GREEK,
    MINUS,
    THIN,
    Node,
    applied,
    fence,
    filled,
    items,
    latex,
    listed,
    number,
    row,
    sign,
)
from layerexplain.lang.notation import (
    ATOM,
    COMPARE,
    NEGATE,
    POWER,
    PREFIXED,
    PRODUCT,
    SUM,
    Fraction,
    FunctionNotation,
    Infix,
    Prefix,
    bracketed_operands,
    needs_brackets,
    value_text,
)
from layerexplain.records import NamedTuple

FOLDS: Final = {"sum": sign("∑"), "prod": sign("∏")}
FRACTION: Final = NEGATE + 5
"""A fraction needs no brackets in a product, but needs them as the base of a power."""
LONGEST_EXPONENT: Final = 40
"""A power of e whose exponent has longer LaTeX is written as a function: small print is hard to read."""
_PRODUCT: Final = Infix("*", PRODUCT, "")


class Typeset(NamedTuple):
    """A tree, its binding strength, and the operators of that strength in it, as `notation.Written` has them."""

    tree: Node
    bind: int = ATOM
    chain: tuple[str, ...] = ()


def symbol(name: str, index: Sequence[Node] = ()) -> Node:
    """Return a tensor's name with an index: `W_q` is W with q below, with an index W with (q) above.

    What stands behind a letter is its index; behind a word (`relu_x`) it is a part of the name, which would read as its
    power.
    """
    head, *rest = name.split("_")
    if not head or (len(head) > 2 and head.isalpha() and head.islower() and not all([item.isdigit() for item in rest])):
        head, rest = name, []
    base = _letters(head)
    suffix = row(*[item for part in rest if part for item in (COMMA, _letters(part))][1:]) if any(rest) else None
    if not index:
        return base if suffix is None else ("sub", base, suffix)
    below = listed(index)
    return ("sub", base, below) if suffix is None else ("both", base, below, fence(suffix))


def _letters(name: str) -> Node:
    if len(name) == 1 and name.isascii() and name.isalpha():
        return name
    if name.isdigit():
        return number(name)
    if any([letter in GREEK for letter in name]):  # dβ, the gradient of β
        parts = re.split(f"([{''.join(GREEK)}])", name)
        return row(*[part if part in GREEK else ("name", part) for part in parts if part])
    return ("name", name)


def constant(value: Any) -> Node:
    """Return a constant."""
    if isinstance(value, bool):
        return ("f", str(value).lower())
    if isinstance(value, tuple):
        if (text := value_text(value)).startswith("constant"):
            return row(("f", "constant"), ("t", text.removeprefix("constant")))
        return fence(listed([constant(item) for item in value]))
    text = number_text(value)
    if isinstance(value, str) or text in ("nan", "None"):
        return ("f", text)
    if text.endswith("∞"):
        return row(*[MINUS] * text.startswith("-"), "∞")
    digits, _, exponent = text.partition("e")
    if exponent:
        return row(number(digits), sign("⋅"), ("sup", number("10"), number(str(int(exponent)))))
    return number(text)


def attribute_note(name: str, attrs: Mapping[str, Any]) -> Node:
    """Return a note on the attributes that a function's notation omits: `conv: strides = 2`."""
    attributes = ", ".join(f"{key} = {value_text(value)}" for key, value in attrs.items())
    return ("t", f"{name}: {attributes}")


def slice_key(key: Sequence[Any]) -> Node:
    """Return the key of a slice: `[…, 2:5]`."""
    return fence(listed([_sliced(item) for item in key]), open="[", close="]")


def _sliced(item: Any) -> Node:
    if item is None:
        return ("t", "new axis")
    if item is Ellipsis:
        return sign("…")
    if not isinstance(item, slice):
        return number(str(item))
    parts = [item.start, item.stop, *[item.step] * (item.step is not None)]
    written = [() if part is None else items(number(str(part))) for part in parts]
    return row(*written[0], *[node for part in written[1:] for node in (sign(":"), *part)])


def index_tree(index: sc.Affine, names: Mapping[sc.Letter, str], value: Callable[[sc.Scalar], Node]) -> Node:
    """Return an index: `2i+u-1`, `⌊k/20⌋`. `value(scalar)` writes a looked-up value."""
    results: list[Node] = []
    for factor, atom in index_parts(index, names):
        if factor < 0:
            results.append(MINUS)
        elif results:
            results.append(sign("+"))
        if atom is None or abs(factor) != 1:
            results.append(number(str(abs(factor))))
        if isinstance(atom, sc.Letter):
            results.append(_letters(letter_name(atom, names)))
        elif isinstance(atom, sc.Lookup):
            results.append(value(atom.value))
        elif atom is not None:
            of, by = index_tree(atom.of, names, value), number(str(atom.by))
            if atom.rest:
                results.append(fence(of, sign("mod"), by))
            else:
                is_sum = any([part[0] == "o" for part in items(of)])
                results.append(fence(bracketed(of, is_sum), sign("/"), by, open="⌊", close="⌋"))
    return row(*results)


def bracketed(tree: Node, needed: bool = True) -> Node:
    """Return a tree in brackets, where they are needed."""
    return fence(tree) if needed else tree


def combine(notation: Any, args: Sequence[Typeset], *, name: str, tensors: bool = False) -> Typeset:
    """Return an op applied to typeset arguments, with the brackets that its notation needs.

    Args:
        notation: The notation of the op.
        args: The typeset arguments.
        name: The name of the op, for ops written as functions.
        tensors: Whether a product is an element-wise product of tensors."""
    trees = [arg.tree for arg in args]
    if isinstance(notation, Fraction):
        return Typeset(("frac", *trees), FRACTION)
    if isinstance(notation, Prefix):
        (inner,) = args
        needed = needs_brackets(notation, inner.bind, chain=inner.chain)
        return Typeset(row(MINUS, bracketed(inner.tree, needed)), notation.bind)
    if isinstance(notation, Infix):
        return _between(notation, args[0], args[1], tensors)
    template = notation.typeset if isinstance(notation, FunctionNotation) else None
    if template is None:
        return Typeset(applied(name, listed(trees)))
    parts = items(template)
    if template[0] == "sup" and 0 in template and len(latex(trees[0])) > LONGEST_EXPONENT:
        return Typeset(applied(name, trees[0]))
    if 0 not in parts:
        has_power = any([isinstance(part, tuple) and part[0] == "sup" for part in parts])
        return Typeset(filled(template, trees), POWER if has_power else ATOM)
    if len(args) == 2:
        return _side_by_side(args[0], args[1])
    (arg,) = args
    return Typeset(filled(template, [bracketed(arg.tree, arg.bind != ATOM)]), PRODUCT, PREFIXED)


def _between(notation: Infix, left: Typeset, right: Typeset, tensors: bool) -> Typeset:
    if notation.bind == POWER:
        needed = needs_brackets(notation, left.bind, chain=left.chain)
        return Typeset(("sup", bracketed(left.tree, needed), right.tree), POWER)
    between = "⊙" if tensors and notation.symbol == "*" else notation.typeset
    if notation.symbol == "+" and right.bind == NEGATE and items(right.tree)[0] == MINUS:
        between, right = "−", Typeset(row(*items(right.tree)[1:]))
    return _joined(notation, left, right, sign(between)) if between else _side_by_side(left, right)


def _joined(notation: Infix, left: Typeset, right: Typeset, between: Node) -> Typeset:
    (first, second), chain = bracketed_operands(notation, left, right)
    return Typeset(row(bracketed(left.tree, first), between, bracketed(right.tree, second)), notation.bind, chain)


def _side_by_side(left: Typeset, right: Typeset) -> Typeset:
    """Return a product whose sign is a space: a factor with a minus gets brackets, or it would read as a difference,
    and a number gets a dot in front of it."""
    first = items(right.tree)[0]
    if first == MINUS:
        right = Typeset(fence(right.tree))
    return _joined(_PRODUCT, left, right, sign("⋅") if first[0] == "n" else THIN)


class ScalarTypesetter:
    """Typeset scalars. `name_of(of, index)` writes an element of a tensor; `notes` collect what is omitted; `symbols`
    are names that letters must not have."""

    def __init__(self, name_of: Callable[[Any, list[Node]], Node], symbols: Collection[str]) -> None:
        self.symbols = symbols
        self.name_of = name_of
        self.notes: list[Node] = []

    def tree(self, e: sc.Scalar, names: Mapping[sc.Letter, str]) -> Node:
        """Return a scalar that stands alone."""
        return self.typeset(e, dict(names)).tree

    def index(self, index: sc.Affine, names: Mapping[sc.Letter, str]) -> Node:
        """Return an index."""
        return index_tree(index, names, lambda scalar: self.tree(scalar, names))

    def typeset(self, e: sc.Scalar, names: dict[sc.Letter, str]) -> Typeset:
        """Return a scalar with its binding strength."""
        if isinstance(e, sc.Element):
            return Typeset(self.name_of(e.of, [self.index(affine, names) for affine in e.index]))
        if isinstance(e, sc.Apply):
            self.note(e.op.name, e.attrs)
            return combine(e.op.notation, [self.typeset(a, names) for a in e.args], name=e.op.name)
        if isinstance(e, sc.Number):
            tree = constant(e.value)
            return Typeset(tree, NEGATE if items(tree)[0] == MINUS else ATOM)
        if isinstance(e, sc.Fold):
            return self._fold(e, names)
        if isinstance(e, sc.NamedFunction):
            definition = e.node.attrs["definition"]
            self.note(definition.name, definition.attrs)
            return Typeset(applied(definition.name, listed([self.tree(a, names) for a in e.args])))
        if isinstance(e, sc.Position):
            tree = self.index(e.index, names)
            if len(items(tree)) == 1:
                return Typeset(tree)
            is_sum = any([part[0] == "o" for part in items(tree)])
            return Typeset(tree, SUM, ("+",)) if is_sum else Typeset(tree, PRODUCT, ("*",))
        return Typeset(self._cases(e, names), PRODUCT, ("*",))

    def note(self, name: str, attrs: Mapping[str, Any]) -> None:
        """Note the attributes of a function, which its notation omits."""
        if attrs:
            self.notes.append(attribute_note(name, attrs))

    def _cases(self, e: sc.Guard, names: dict[sc.Letter, str]) -> Node:
        cases: list[Node] = []
        rest: sc.Scalar = e
        while isinstance(rest, sc.Guard):  # what is left for other conditions is a row below, not cases in cases
            where = [node for c in rest.conditions for node in (("t", " and "), self._condition(c, names))]
            cases.append((self.tree(rest.body, names), row(("t", "if "), *where[1:])))
            rest = rest.otherwise
        return ("cases", *cases, (self.tree(rest, names), ("t", "otherwise")))

    def _fold(self, e: sc.Fold, names: dict[sc.Letter, str]) -> Typeset:
        inside = choose(e.letters, names, self.symbols)
        body = self.typeset(e.body, inside)
        if e.conditions:
            self.notes.append(row(("t", "only where "), listed([self._condition(c, inside) for c in e.conditions])))
        letters = [letter for letter in e.letters if letter.size != 1]
        if not letters:
            return body
        over: list[Node] = []
        for letter in letters:
            bound = () if letter.size is None else (sign("<"), number(str(letter.size)))
            over += [*[COMMA, THIN] * bool(over), _letters(inside[letter]), *bound]
        folded = ("under", FOLDS.get(e.kind, ("f", e.kind)), row(*over))
        return Typeset(row(folded, bracketed(body.tree, body.bind <= SUM)), SUM, ("+",))

    def _condition(self, c: sc.Condition, names: dict[sc.Letter, str]) -> Node:
        if isinstance(c, sc.Holds):
            holds = self.typeset(c.value, names)
            return bracketed(holds.tree, holds.bind < COMPARE)
        index = self.index(c.index, names)
        if isinstance(c, sc.Divisible):
            return row(number(str(c.by)), sign("∣"), index)
        low, relation, bound, lies_inside = bound_of(c)
        front = () if low is None else (number(str(low)), sign("≤"))
        return row(*front, index, sign(relation), number(str(bound)), *[("t", " lies inside")] * lies_inside)
