"""Formulas typeset, one tree per statement.

Contractions (except matrix products), windows and reductions are written for one element, which shows their sums;
all else is written for whole tensors in the ops' notation. Loops are recurrences with indices t and t-1. Attributes
that the notation omits are in a note behind a wide space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerexplain.derive.element.form import ElementForm, ElementLine, element_form, element_of
from layerexplain.derive.element.plan import kind_of
from layerexplain.derive.element.scalars import choose
from layerexplain.derive.element.text import equations, inner_names
from layerexplain.derive.roles import AxisRoles, Roles
from layerexplain.derive.typeset.scalars import (
    ScalarTypesetter,
    Typeset,
    attribute_note,
    bracketed,
    combine,
    constant,
    slice_key,
    symbol,
)
from layerexplain.lang import scalar as sc
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LEAVES, LOOP, Expr, Marker, walk
from layerexplain.lang.latex import (
    COMMA,
    EQUALS,
    MINUS,
    WIDE,
    Node,
    TypesetLine,
    applied,
    fence,
    items,
    latex,
    listed,
    number,
    row,
    sign,
)
from layerexplain.lang.names import free
from layerexplain.lang.notation import ATOM, NEGATE, POWER, Index, Slice
from layerexplain.lang.opaque import opaque
from layerexplain.lang.open_sizes import names_in
from layerexplain.lang.scalar import Affine, CannotIndex, Element, Scalar, letter
from layerexplain.lang.visit import ExprInterpreter, inner_definitions
from layerexplain.ops.contract import dot, matmul
from layerexplain.ops.joining import split
from layerexplain.ops.movement import transpose, zeros
from layerexplain.records import NamedTuple

# Statements ---------------------------------------------------------------------------------------------------------

HELPERS = "zsaqgdrv"
"""Names for parts without a label."""

LONGEST = 240
"""The longest LaTeX of what is written inline; longer parts get a name."""


def typeset(definition: Definition) -> tuple[TypesetLine, ...]:
    """Return the statements of a definition, after those of the layers that it calls."""
    names: dict[Definition, str] = {}
    for inner in inner_definitions(definition):
        if inner.kind != "composite":
            names[inner] = free(inner.name, names.values())
    forms = element_form(definition).inner if names else {}
    roles = {inner: form.roles for inner, form in forms.items()}
    lines: list[Node] = []
    for inner in reversed(names):
        lines.append(heading(names[inner], inner))
        lines += [indented(line) for line in _StatementTypesetter(inner, names, roles).lines]
    return tuple(map(TypesetLine, (*lines, *_StatementTypesetter(definition, names, roles).lines)))


def heading(name: str, definition: Definition) -> Node:
    """Return the line above the statements of a layer that is called: `dense(x, W, b):`."""
    return row(applied(name, listed([symbol(str(leaf.label)) for leaf in definition.leaves])), sign(":"))


def indented(line: Node) -> Node:
    """Return a line of a loop's body, or of a layer that is called."""
    return row(WIDE, line)


class _Body(NamedTuple):
    """State of the block being written: the wanted names of nodes, the indices of the enclosing loops, and the nodes
    that get a statement."""

    wanted: Mapping[Expr, str]
    steps: tuple[Node, ...]
    chosen: set[Expr]


class _StatementTypesetter(ExprInterpreter[Typeset]):
    """Typeset the statements of one body. `plain` are the names of named nodes with their loop indices."""

    body: _Body

    def __init__(
        self, definition: Definition, names: Mapping[Definition, str], called: Mapping[Definition, Sequence[Roles]]
    ) -> None:
        super().__init__()
        self.called_names = names
        self.lines: list[Node] = []
        self.plain: dict[Expr, tuple[str, tuple[Node, ...]]] = {}
        self.trees: dict[Expr, Typeset] = {}
        self.notes: dict[Expr, list[Node]] = {}
        self.roles = AxisRoles(called).within(definition, walk(definition.results.values()))
        self.items: dict[Expr, list[Expr]] = {}
        self.sums: dict[Expr, bool] = {}
        self.results = set(definition.results)
        self.changed = {symbol(name) for name in definition.results} if definition.kind == "update" else set()
        self.taken = names_in(definition.leaves) | self.results
        self.variables = [letter for letter in "tsrqlm" if letter not in self.taken]
        for leaf in definition.leaves:
            self._bind(leaf, str(leaf.label), ())
        results = {e: name for name, e in reversed(list(definition.results.items()))}
        self._write(list(definition.results.values()), (), results, ())
        for name, e in definition.results.items():
            if self.trees[e].tree != symbol(name):
                self._say(symbol(name), self.trees[e].tree, self.notes.get(e, []))

    def _bind(self, node: Expr, name: str, steps: tuple[Node, ...]) -> None:
        self.plain[node] = (name, steps)
        self.trees[node] = Typeset(symbol(name, steps))
        self.notes[node] = []

    def _say(self, left: Node, right: Node, notes: Sequence[Node]) -> None:
        side = [node for note in dict.fromkeys(notes) for node in (WIDE, note)]
        self.lines.append(row(left, sign("←") if left in self.changed else EQUALS, right, *side))

    # What gets a name --------------------------------------------------------------------------------------------

    def _write(
        self, roots: Sequence[Expr], stop: Iterable[Expr], wanted: Mapping[Expr, str], steps: tuple[Node, ...]
    ) -> None:
        order = walk(roots, stop)
        chosen = self._chosen(order, wanted)
        for node in order:
            if node.op is ITEM:
                self.items.setdefault(node.args[0], []).append(node)
        outer = getattr(self, "body", None)
        self.body = _Body(wanted, steps, chosen)
        self.visit(order, self.trees)
        if outer is not None:
            self.body = outer

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Typeset:
        tree = constant(node.attrs["value"])
        self.notes[node] = []
        return Typeset(tree, NEGATE if items(tree)[0] == MINUS else ATOM)

    def op(self, node: Expr, env: dict[Expr, Any]) -> Typeset:
        if type(node.shape) is ResultShapes:
            return self._several(node)
        return self._node(node, node in self.body.chosen or node in self.body.wanted)

    call = op

    def item(self, node: Expr, env: dict[Expr, Any]) -> Typeset:
        if node not in self.plain:
            self._bind(node, self._name(node), self.body.steps)
        return self.trees[node]

    def _chosen(self, order: Sequence[Expr], wanted: Mapping[Expr, str]) -> set[Expr]:
        """Return the nodes that get a statement: labelled ones, those used twice, and sums for one element inside a
        statement for whole tensors."""
        uses = Counter(arg for node in order for arg in node.args)
        chosen = {n for n in order if n.args and (n.label or uses[n] > 1) and type(n.shape) is not ResultShapes}
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

    def _node(self, node: Expr, named: bool) -> Typeset:
        inline, notes = self._inline(node)
        if not named and len(latex(inline.tree)) <= LONGEST:
            self.notes[node] = notes
            return inline
        steps = self.body.steps
        name = self._name(node)
        left, right = symbol(name, steps), inline.tree
        if self.sums[node]:
            try:
                left, right, notes = self._element(node, name)
            except CannotIndex as why:
                notes = [*notes, ("t", str(why))]
        self._say(left, right, notes)
        self._bind(node, name, steps)
        return self.trees[node]

    def _several(self, node: Expr) -> Typeset:
        inline, notes = self._inline(node)
        by_number = {part.attrs["i"]: self.item(part, self.trees).tree for part in self.items.get(node, [])}
        left = listed([by_number.get(i, sign("⋅")) for i in range(len(node.shape))])
        self._say(fence(left), inline.tree, notes)
        return inline

    # For whole tensors -------------------------------------------------------------------------------------------

    def _inline(self, node: Expr) -> tuple[Typeset, list[Node]]:
        args = [self.trees[a] for a in node.args]
        notes = [note for a in node.args for note in self.notes[a]]
        notation = node.op.notation
        if isinstance(notation, Index):
            return Typeset(_looked_up(args[0], args[1].tree)), notes
        if isinstance(notation, Slice):
            return Typeset(_looked_up(args[0], slice_key(node.attrs["key"]))), notes
        name, attrs = node.op.name, dict(node.attrs)
        if node.op is CALL:
            definition = node.attrs["definition"]
            name, attrs = self.called_names.get(definition, definition.name), dict(definition.attrs)
            written = Typeset(applied(name, listed([arg.tree for arg in args])))
        elif node.op is zeros:
            return Typeset(number("0")), notes
        elif node.op is transpose and not attrs:
            inner = args[0].tree
            is_single = args[0].bind == ATOM and inner[0] not in ("sup", "both")
            return Typeset(("sup", bracketed(inner, not is_single), "⊤"), POWER), notes
        else:
            if node.op is opaque:
                name, attrs = str(attrs["name"]), {}
            written = combine(notation, args, name=name, tensors=all(a.shape for a in node.args))
        return written, [*notes, attribute_note(name, attrs)] if attrs else notes

    # For one element ---------------------------------------------------------------------------------------------

    def _element(self, node: Expr, name: str) -> tuple[Node, Node, list[Node]]:
        steps = self.body.steps
        index = tuple(letter(r, s) for r, s in zip(self.roles[node], node.shape, strict=True))
        symbols = {*self.taken, *steps}
        letters: list[Any] = [atom for i in index for atom, _ in i.terms]
        names = choose(letters, {}, symbols)
        writer = ScalarTypesetter(self._element_name, symbols)
        right = writer.tree(self._open(node, index), names)
        place = [writer.index(i, names) for i in index]
        left = symbol(name, [*place[:1], *steps, *place[1:]])
        return left, right, writer.notes

    def _element_name(self, node: Any, index: list[Node]) -> Node:
        if node.op is CONSTANT:
            return ("sub", fence(constant(node.attrs["value"])), listed(index))
        name, steps = self.plain[node]
        return symbol(name, [*index[:1], *steps, *index[1:]])

    def _push(self, node: Expr, index: tuple[Affine, ...]) -> Scalar:
        return Element(node, index) if node in self.plain else self._open(node, index)

    def _open(self, node: Expr, index: tuple[Affine, ...]) -> Scalar:
        rule = node.op.element
        several = node.op is ITEM and node.args[0].op is not split
        if several or (node.op not in (CONSTANT, CALL, ITEM) and (isinstance(rule, Marker) or rule is None)):
            raise CannotIndex(f"{node.op.name} has no element form")
        return element_of(node, index, self._push)

    # Loops -------------------------------------------------------------------------------------------------------

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Typeset:
        body: Body = node.attrs["body"]
        steps = self.body.steps
        depth, letters = len(steps), self.variables
        variable: Node = letters[depth] if depth < len(letters) else ("sub", "t", number(str(depth)))
        length = node.args[0].shape[1]
        is_known = isinstance(length, int)
        first_step, last = number("0"), number(str(length - 1)) if is_known else "T"
        before, step_before = number("-1"), row(variable, MINUS, number("1"))
        if node.attrs.get("backwards"):
            plus_one = (sign("+"), number("1"))
            before, step_before = number(str(length)) if is_known else row("T", *plus_one), row(variable, *plus_one)
            first_step, last = last, first_step
        for step, sequence in zip(body.steps, node.args, strict=False):
            if sequence in self.plain:
                name, outer = self.plain[sequence]
                self._bind(step, name, (*outer, variable))
            else:
                self._bind(step, self._name(sequence), (*steps, variable))
                self._say(self.trees[step].tree, ("sub", fence(self.trees[sequence].tree), variable), [])
        states = []
        for state, first in zip(body.states, node.args[len(body.steps) :], strict=False):
            # A result that is the last state is written `h = h_{8}`; the index distinguishes the two.
            name = free(str(state.label), self.taken - self.results)
            self.taken.add(name)
            states.append(name)
            self._bind(state, name, (*steps, step_before))
            self._say(symbol(name, (*steps, before)), self.trees[first].tree, self.notes[first])
        steps_taken = listed([first_step, sign("…"), last])
        self.lines.append(row(("t", "for "), variable, EQUALS, steps_taken, sign(":")))
        first_line = len(self.lines)
        inside = {new: name for name, new in reversed(list(zip(states, body.next, strict=True)))}
        own = {new: name for new, name in inside.items() if new.args and new not in body.captured}
        self._write(body.outputs, {*body.captured, *body.steps, *body.states}, own, (*steps, variable))
        for name, new in zip(states, body.next, strict=True):
            now = symbol(name, (*steps, variable))
            if self.trees[new].tree != now:
                self._say(now, self.trees[new].tree, self.notes[new])
        self._results(node, states, variable, last)
        self.lines[first_line:] = [indented(line) for line in self.lines[first_line:]]
        return self.trees.get(node) or Typeset(row())

    def _results(self, node: Expr, states: list[str], variable: Node, last: Node) -> None:
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
                self._say(symbol(name, (*steps, variable)), self.trees[e].tree, self.notes[e])
                bound = (name, steps)
            for part in parts:
                self._bind(part, *bound)


def _looked_up(table: Typeset, index: Node) -> Node:
    """Return a tensor with an index, which stands behind the last bracket of a call."""
    tree = bracketed(table.tree, table.bind != ATOM or table.tree[0] in ("sub", "both"))
    *front, last = items(tree)
    return row(*front, ("sub", last, index))


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


# Element ------------------------------------------------------------------------------------------------------------
# The element form typeset, its indices in brackets as in text: `y[n, k] = ∑ x[n, m] W[m, k] + b[k]`.


def typeset_element(form: ElementForm) -> tuple[TypesetLine, ...]:
    """Return the lines of a form, after those of the layers that it calls; its notes are those of the text."""
    names = inner_names(form)
    lines: list[Node] = []
    for called in form.inner.values():
        lines.append(heading(names[called.definition], called.definition))
        lines += [indented(line) for line in _lines(called, names)]
    return tuple(map(TypesetLine, (*lines, *_lines(form, names))))


def _lines(form: ElementForm, called: Mapping[Definition, str]) -> list[Node]:
    def element(of: Any, index: Sequence[Node]) -> Node:
        name = _name(of)
        return row(name, fence(listed(index), open="[", close="]")) if index else name

    def _name(of: Any) -> Node:
        if isinstance(of, ElementLine):
            return _word(of.name)
        if isinstance(of, sc.CalledResult):
            call = applied(called[of.form.definition], listed([_passed(part) for part in of.args]))
            several = [*of.form.results, *["mask"] * len(of.form.masks)]
            return call if len(several) == 1 else row(call, sign("."), _word(several[of.result]))
        return constant(of.attrs["value"]) if of.op is CONSTANT else _word(str(of.label))

    def _passed(part: sc.Passed) -> Node:
        return element(part.of, [writer.index(time, names) for time in part.times])

    writer = ScalarTypesetter(element, form.names)
    lines: list[Node] = []
    for group in equations(form):
        line: list[Node] = []
        for equation in group:
            names = equation.names
            index = [writer.index(part, names) for part in equation.index]
            left = (
                row(_word(equation.name), fence(listed(index), open="[", close="]")) if index else _word(equation.name)
            )
            line += [*[COMMA] * bool(line), left, EQUALS, writer.tree(equation.value, names)]
        lines.append(row(*line))
    return lines


def _word(name: str) -> Node:
    return symbol(name) if name.isidentifier() else ("name", name)
