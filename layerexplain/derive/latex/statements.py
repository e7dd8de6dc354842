"""Formulas as LaTeX, one string per statement; the caller wraps them in `aligned` or another environment.

Contractions (except matrix products), windows and reductions are written for one element, which shows their sums
(`\\sum_{u<3} …`); all else is written for whole tensors in the ops' notation. Loops are recurrences with indices t and
t-1. Attributes that the notation omits are in a side note, `\\text{…}`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerexplain.derive.element.form import element_form, element_of
from layerexplain.derive.element.plan import kind_of
from layerexplain.derive.element.scalars import choose
from layerexplain.derive.latex import scalars as tex
from layerexplain.derive.roles import AxisRoles, Roles
from layerexplain.lang.axes import Shapes
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LEAVES, LOOP, Expr, Marker, walk
from layerexplain.lang.latex_text import escaped
from layerexplain.lang.names import free
from layerexplain.lang.notation import ATOM, NEGATE, POWER, Index, Slice, Written
from layerexplain.lang.opaque import opaque
from layerexplain.lang.scalar import Affine, CannotIndex, Element, Scalar, letter
from layerexplain.lang.visit import Interpreter, inner_definitions
from layerexplain.ops.contract import dot, matmul
from layerexplain.ops.movement import split, transpose, zeros
from layerexplain.records import NamedTuple

HELPERS = "zsaqgdrv"
"""Names for parts without a label."""

LEFTARROW = r"\leftarrow"
"""The sign of an assignment to a name that has a value already."""

LONGEST = 240
"""Longest LaTeX that is written inline; longer parts get a name."""


def latex(definition: Definition) -> tuple[str, ...]:
    """Return the statements of a definition, after those of the layers that it calls."""
    names: dict[Definition, str] = {}
    for inner in inner_definitions(definition):
        if inner.kind != "composite":
            names[inner] = free(inner.name, names.values())
    forms = element_form(definition).inner if names else {}
    roles = {inner: form.roles for inner, form in forms.items()}
    lines: list[str] = []
    for inner in reversed(names):
        leaves = ", ".join(tex.symbol(str(p.label)) for p in inner.leaves)
        lines.append(rf"{tex.upright(names[inner])}({leaves})\colon")
        lines += [indented(line) for line in _LatexStatements(inner, names, roles).lines]
    return (*lines, *_LatexStatements(definition, names, roles).lines)


def indented(line: str) -> str:
    """A line of a loop's body, or of a layer that is called."""
    return rf"\quad {line}"


class _Body(NamedTuple):
    """State of the block being written: the wanted names of nodes, the indices of the enclosing loops, and the nodes
    that get a statement."""

    wanted: Mapping[Expr, str]
    steps: tuple[str, ...]
    chosen: set[Expr]


class _LatexStatements(Interpreter[Written]):
    """Write the statements of one body. `plain` are the names of named nodes with their loop indices."""

    body: _Body

    def __init__(
        self, definition: Definition, names: Mapping[Definition, str], called: Mapping[Definition, Sequence[Roles]]
    ) -> None:
        super().__init__()
        self.called_names = names
        self.lines: list[str] = []
        self.plain: dict[Expr, tuple[str, tuple[str, ...]]] = {}
        self.texts: dict[Expr, Written] = {}
        self.notes: dict[Expr, list[str]] = {}
        self.roles = AxisRoles(called).within(definition, walk(definition.results.values()))
        self.items: dict[Expr, list[Expr]] = {}
        self.sums: dict[Expr, bool] = {}
        self.results = set(definition.results)
        self.changed = {tex.symbol(name) for name in definition.results} if definition.kind == "update" else set()
        self.taken = {str(leaf.label) for leaf in definition.leaves} | self.results
        for leaf in definition.leaves:
            self._bind(leaf, str(leaf.label), ())
        results = {e: name for name, e in reversed(list(definition.results.items()))}
        self._write(list(definition.results.values()), (), results, ())
        for name, e in definition.results.items():
            if self.texts[e].text != tex.symbol(name):
                self._say(tex.symbol(name), self.texts[e].text, self.notes.get(e, []))

    def _bind(self, node: Expr, name: str, steps: tuple[str, ...]) -> None:
        self.plain[node] = (name, steps)
        self.texts[node] = Written(tex.symbol(name, steps))
        self.notes[node] = []

    def _say(self, left: str, right: str, notes: Sequence[str]) -> None:
        side = "".join(rf" \quad {note}" for note in dict.fromkeys(notes))
        self.lines.append(f"{left} {LEFTARROW if left in self.changed else '='} {right}{side}")

    # What gets a name --------------------------------------------------------------------------------------------

    def _write(
        self, roots: Sequence[Expr], stop: Iterable[Expr], wanted: Mapping[Expr, str], steps: tuple[str, ...]
    ) -> None:
        order = walk(roots, stop)
        chosen = self._chosen(order, wanted)
        for node in order:
            if node.op is ITEM:
                self.items.setdefault(node.args[0], []).append(node)
        outer = getattr(self, "body", None)
        self.body = _Body(wanted, steps, chosen)
        self.visit(order, self.texts)
        if outer is not None:
            self.body = outer

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Written:
        text = tex.number_latex(node.attrs["value"])
        self.notes[node] = []
        return Written(text, NEGATE if text.startswith("-") else ATOM)

    def op(self, node: Expr, env: dict[Expr, Any]) -> Written:
        if type(node.shape) is Shapes:
            return self._several(node)
        return self._node(node, node in self.body.chosen or node in self.body.wanted)

    call = op

    def item(self, node: Expr, env: dict[Expr, Any]) -> Written:
        if node not in self.plain:
            self._bind(node, self._name(node), self.body.steps)
        return self.texts[node]

    def _chosen(self, order: Sequence[Expr], wanted: Mapping[Expr, str]) -> set[Expr]:
        """Return the nodes that get a statement: labelled ones, those used twice, and sums for one element inside a
        statement for whole tensors."""
        uses = Counter(arg for node in order for arg in node.args)
        chosen = {n for n in order if n.args and (n.label or uses[n] > 1) and type(n.shape) is not Shapes}
        sums: dict[Expr, bool] = {}
        scalar: dict[Expr, bool] = {}
        for node in order:
            open_args = [a for a in node.args if a not in chosen and a not in wanted and a in sums]
            scalar[node] = _by_element(node) and all(scalar[a] for a in open_args)
            sums[node] = _sums(node) or (scalar[node] and any(sums[a] for a in open_args))
            if not scalar[node]:
                chosen.update(a for a in open_args if sums[a])
        self.sums.update(sums)
        return chosen

    def _name(self, node: Expr) -> str:
        if node in self.body.wanted:
            return self.body.wanted[node]
        helper = next((c for c in HELPERS if c not in self.taken), HELPERS[0])
        name = free(node.label or helper, self.taken)
        self.taken.add(name)
        return name

    def _node(self, node: Expr, named: bool) -> Written:
        text, notes = self._inline(node)
        if not named and len(text.text) <= LONGEST:
            self.notes[node] = notes
            return text
        steps = self.body.steps
        name = self._name(node)
        left, right = tex.symbol(name, steps), text.text
        if self.sums[node]:
            try:
                left, right, notes = self._element(node, name)
            except CannotIndex as why:
                notes = [*notes, rf"\text{{{escaped(str(why))}}}"]
        self._say(left, right, notes)
        self._bind(node, name, steps)
        return self.texts[node]

    def _several(self, node: Expr) -> Written:
        text, notes = self._inline(node)
        by_number = {part.attrs["i"]: self.item(part, self.texts).text for part in self.items.get(node, [])}
        left = ", ".join(by_number.get(i, r"\cdot") for i in range(len(node.shape)))
        self._say(tex.bracketed(left), text.text, notes)
        return text

    # For whole tensors -------------------------------------------------------------------------------------------

    def _inline(self, node: Expr) -> tuple[Written, list[str]]:
        args = [self.texts[a] for a in node.args]
        notes = [note for a in node.args for note in self.notes[a]]
        notation = node.op.notation
        if isinstance(notation, Index):
            return Written(f"{_table(args[0])}_{{{args[1].text}}}"), notes
        if isinstance(notation, Slice):
            return Written(f"{_table(args[0])}_{{{tex.slice_text(node.attrs['key'])}}}"), notes
        name, attrs = node.op.name, dict(node.attrs)
        if node.op is CALL:
            definition = node.attrs["definition"]
            name, attrs = self.called_names.get(definition, definition.name), dict(definition.attrs)
            text = rf"{tex.upright(name)}\left({', '.join(arg.text for arg in args)}\right)"
        elif node.op is zeros:
            return Written("0"), notes
        elif node.op is transpose and not attrs:
            inner = args[0].text if args[0].bind == ATOM and "^" not in args[0].text else tex.bracketed(args[0].text)
            return Written(rf"{inner}^{{\top}}", POWER), notes
        else:
            if node.op is opaque:
                name, attrs = str(attrs["name"]), {}
            tensors = all(a.shape for a in node.args)
            return self._noted(tex.combine(notation, args, name=name, tensors=tensors), notes, name, attrs)
        return self._noted(Written(text), notes, name, attrs)

    @staticmethod
    def _noted(text: Written, notes: list[str], name: str, attrs: Mapping[str, Any]) -> tuple[Written, list[str]]:
        if not attrs:
            return text, notes
        return text, [*notes, rf"\text{{{escaped(tex.attribute_note(name, attrs))}}}"]

    # For one element ---------------------------------------------------------------------------------------------

    def _element(self, node: Expr, name: str) -> tuple[str, str, list[str]]:
        steps = self.body.steps
        index = tuple(letter(r, s) for r, s in zip(self.roles[node], node.shape, strict=True))
        symbols = {*self.taken, *steps}
        letters: list[Any] = [atom for i in index for atom, _ in i.terms]
        names = choose(letters, {}, symbols)
        writer = tex.LatexWriter(self._element_name, symbols)
        right = writer.text(self._open(node, index), names)
        place = [tex.index_latex(i, names) for i in index]
        left = tex.symbol(name, [*place[:1], *steps, *place[1:]])
        return left, right, writer.notes

    def _element_name(self, node: Any, index: list[str]) -> str:
        if node.op is CONSTANT:
            return f"{tex.bracketed(tex.number_latex(node.attrs['value']))}_{{{','.join(index)}}}"
        name, steps = self.plain[node]
        return tex.symbol(name, [*index[:1], *steps, *index[1:]])

    def _push(self, node: Expr, index: tuple[Affine, ...]) -> Scalar:
        return Element(node, index) if node in self.plain else self._open(node, index)

    def _open(self, node: Expr, index: tuple[Affine, ...]) -> Scalar:
        rule = node.op.element
        several = node.op is ITEM and node.args[0].op is not split
        if several or (node.op not in (CONSTANT, CALL, ITEM) and (isinstance(rule, Marker) or rule is None)):
            raise CannotIndex(f"{node.op.name} has no element form")
        return element_of(node, index, self._push)

    # Loops -------------------------------------------------------------------------------------------------------

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Written:
        body: Body = node.attrs["body"]
        steps = self.body.steps
        variable = "tsr"[len(steps)] if len(steps) < 3 else f"t{len(steps)}"
        length = node.args[0].shape[1]
        last = str(length - 1) if isinstance(length, int) else "T"
        first_step, before, step_before = "0", "-1", f"{variable}-1"
        if node.attrs.get("backwards"):
            after = str(length) if isinstance(length, int) else "T+1"
            first_step, before, step_before, last = last, after, f"{variable}+1", "0"
        for step, sequence in zip(body.steps, node.args, strict=False):
            if sequence in self.plain:
                name, outer = self.plain[sequence]
                self._bind(step, name, (*outer, variable))
            else:
                self._bind(step, self._name(sequence), (*steps, variable))
                self._say(self.texts[step].text, rf"{tex.bracketed(self.texts[sequence].text)}_{{{variable}}}", [])
        states = []
        for state, first in zip(body.states, node.args[len(body.steps) :], strict=False):
            # A result that is the last state is written `h = h_{8}`; the index distinguishes the two.
            name = free(str(state.label), self.taken - self.results)
            self.taken.add(name)
            states.append(name)
            self._bind(state, name, (*steps, step_before))
            self._say(tex.symbol(name, (*steps, before)), self.texts[first].text, self.notes[first])
        self.lines.append(rf"\text{{for }} {variable} = {first_step}, \ldots, {last}\colon")
        first_line = len(self.lines)
        inside = {new: name for name, new in reversed(list(zip(states, body.next, strict=True)))}
        own = {new: name for new, name in inside.items() if new.args and new not in body.captured}
        self._write(body.outputs, {*body.captured, *body.steps, *body.states}, own, (*steps, variable))
        for name, new in zip(states, body.next, strict=True):
            now = tex.symbol(name, (*steps, variable))
            if self.texts[new].text != now:
                self._say(now, self.texts[new].text, self.notes[new])
        self._results(node, states, variable, last)
        self.lines[first_line:] = [indented(line) for line in self.lines[first_line:]]
        return self.texts.get(node) or Written("")

    def _results(self, node: Expr, states: list[str], variable: str, last: str) -> None:
        body: Body = node.attrs["body"]
        wanted, steps = self.body.wanted, self.body.steps
        several = len(body.outputs) > 1
        for i, e in enumerate(body.outputs):
            parts = [p for p in self.items.get(node, []) if p.attrs["i"] == i] if several else [node]
            if i < len(states):
                bound = (states[i], (*steps, last))
            else:
                name = next((wanted[p] for p in parts if p in wanted), list(body.collected)[i - len(states)])
                name = name if any(p in wanted for p in parts) else free(name, self.taken)
                self.taken.add(name)
                self._say(tex.symbol(name, (*steps, variable)), self.texts[e].text, self.notes[e])
                bound = (name, steps)
            for part in parts:
                self._bind(part, *bound)


def _table(written: Written) -> str:
    """What an index is put to."""
    return written.text if written.bind == ATOM and "_" not in written.text else tex.bracketed(written.text)


def _by_element(node: Expr) -> bool:
    """Return whether one element of the node can be written in terms of elements of its arguments."""
    if node.op in LEAVES:
        return True
    if node.op is ITEM:
        return node.args[0].op is split
    if node.op is CALL:
        return bool(node.attrs["definition"].scalar)
    return node.op is split or not (node.op is LOOP or node.op is INPUT or isinstance(node.op.element, Marker))


def _sums(node: Expr) -> bool:
    """Return whether the node is a contraction, window or reduction whose notation for whole tensors hides its sum."""
    return node.op not in (dot, matmul) and kind_of(node) == "folds"
