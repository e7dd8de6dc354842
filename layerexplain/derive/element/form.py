"""The element form: a formula for one element of the result, derived by pushing an index through the expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from layerexplain.derive.element.plan import Plan
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Expr, Marker, picked
from layerexplain.lang.names import free
from layerexplain.lang.open_sizes import names_in
from layerexplain.lang.visit import inner_definitions
from layerexplain.ops.families import aligned
from layerexplain.ops.joining import split, split_element

Times = Mapping[Expr, sc.Affine]
"""The current step of each loop, by its node."""


class ElementLine:
    """`name[letters] = value`, or the reason why it cannot be written.

    A line inside loops has a letter for the step of each loop, `times`, after the batch. A state of a recurrence also
    has `start`, its value at step -1, written without the letter of the innermost step; `number` is its position
    among the states of its loop. In a loop that runs backwards, `start` is at step `after`, behind the last one.
    """

    __slots__ = ("after", "at", "letters", "loops", "name", "number", "refusal", "start", "value")

    def __init__(self, name: str, letters: tuple[sc.Letter, ...], loops: tuple[Expr, ...], at: int) -> None:
        self.name = name
        self.letters = letters
        self.loops = loops
        self.at = at
        self.number = 0
        self.after: sc.Affine | None = None
        self.value: sc.Scalar | None = None
        self.start: sc.Scalar | None = None
        self.refusal = ""

    @property
    def index(self) -> sc.Index:
        """The letters as an index."""
        return tuple([letter.index for letter in self.letters])

    @property
    def own(self) -> sc.Index:
        """The index without the steps: the index of the tensor that one step computes."""
        index = self.index
        return index[: self.at] + index[self.at + len(self.loops) :]

    @property
    def step(self) -> int:
        """The place of the innermost loop's step in the index."""
        return self.at + len(self.loops) - 1

    def formula(self, index: Sequence[int]) -> sc.Scalar:
        """Return what defines the element at an index. Raises `CannotIndex` for a line that cannot be written."""
        guard = self.start if self.start is not None and self.before(index[self.step]) else self.value
        if guard is None:
            raise sc.CannotIndex(f"{self.name}: {self.refusal}")
        return guard

    def before(self, step: int) -> bool:
        """Return whether the loop has not begun at a step."""
        return step < 0 if self.after is None else step >= self.after.const

    @property
    def times(self) -> dict[Expr, sc.Affine]:
        """The letter of each loop's step."""
        return dict(zip(self.loops, self.index[self.at :], strict=False))

    def place(self, index: Sequence[sc.Affine], times: Times) -> sc.Index:
        """Return the full index of an element at given steps."""
        return (*index[: self.at], *[times[loop] for loop in self.loops], *index[self.at :])

    def __repr__(self) -> str:
        return f"<line {self.name}>"


class ElementForm:
    """A definition's element form.

    `lines` are in the order of the formula; `results` and `masks` are some of them. `names` are all names in it, which
    letters must not use. `nodes` has the node of each line, in the definition with its composites expanded; `stable`
    has the calls of those that are computed as a whole, such as a softmax of large numbers, by the node that each
    gives. `inner` are the forms of the called layers, callees first. `roles` are the roles of the axes of each result.
    """

    __slots__ = ("definition", "inner", "lines", "masks", "names", "nodes", "results", "roles", "stable")

    def __init__(self, definition: Definition, inner: dict[Definition, ElementForm]) -> None:
        self.definition = definition
        self.inner = inner
        self.lines: list[ElementLine] = []
        self.nodes: dict[ElementLine, Expr] = {}
        self.stable: Mapping[Expr, Expr] = {}
        self.results: dict[str, ElementLine] = {}
        self.masks: list[ElementLine] = []
        self.names: set[str] = set()
        self.roles: list[tuple[str, ...]] = []

    @property
    def outputs(self) -> list[ElementLine]:
        """The lines of the results, then of the existing masks."""
        return [*self.results.values(), *self.masks]


def element_form(definition: Definition, roles: Mapping[str, tuple[str, ...]] = MappingProxyType({})) -> ElementForm:
    """Return the element form of a definition, including the forms of called layers. `roles` are those of the axes of
    results where they do not follow from the formula. It does not fail: a line that cannot be written has a refusal."""
    return _with_roles(definition, roles) if roles else _plain_form(definition)


@lru_cache(maxsize=16)
def _plain_form(definition: Definition) -> ElementForm:
    """Return an element form that text, LaTeX and the page read, one after the other."""
    return _with_roles(definition, {})


def _with_roles(definition: Definition, roles: Mapping[str, tuple[str, ...]]) -> ElementForm:
    forms: dict[Definition, ElementForm] = {}
    for inner in reversed(inner_definitions(definition)):
        if inner.kind != "composite":
            forms[inner] = _FormWriter(inner, forms).form
    return _FormWriter(definition, forms, roles).form


class _FormWriter:
    """Write the lines that the plan requests."""

    def __init__(
        self,
        definition: Definition,
        forms: Mapping[Definition, ElementForm],
        roles: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self.forms = forms
        self.plan = Plan(definition, {d: form.roles for d, form in forms.items()})
        self.plan.roles.update({self.plan.results[name]: given for name, given in roles.items()})
        self.form = ElementForm(definition, dict(forms))
        self.form.stable = self.plan.stable
        self.form.names = names_in(definition.leaves)
        self.lines: dict[Expr, ElementLine] = {}
        self.states: dict[Expr, ElementLine] = {}
        self._work: list[tuple[ElementLine, Expr, Expr | None]] = []
        self._declare()
        for line, node, start in self._work:
            self._write(line, node, start)

    # Which lines there are ---------------------------------------------------------------------------------------

    def _declare(self) -> None:
        chosen = self.plan
        all_states = [(state, new, loop) for loop in chosen.loops for state, new in _states(loop)]
        state_names = {state: self._name(str(state.label)) for state, _, _ in all_states}
        result_names: dict[Expr, str] = {}
        for name, e in chosen.results.items():
            if e.args and e not in result_names:
                # The last state of a recurrence is told from the recurrence itself.
                result_names[e] = self._name(f"{name}_last" if name in state_names.values() else name)
        autonamed = 0
        for node in chosen.order:
            for state, new, loop in all_states:
                if new is node and state not in self.states:
                    self._state_line(state, new, loop, state_names[state])
            if node in self.lines or (node not in chosen.named and node not in result_names):
                continue
            label = result_names.get(node) or node.label
            if label is None:
                autonamed += 1
                label = f"v{autonamed}"
            self._line(label if node in result_names else self._name(label), node)
        for name, e in chosen.results.items():
            line = self.lines.get(e)
            if line is None or e not in result_names:
                line = self._line(self._name(name), e)
            self.form.results[name] = line
        for i, e in enumerate(chosen.masks, start=1):
            line = self.lines.get(e)
            self.form.masks.append(line or self._line(self._name("mask" if i == 1 else f"mask{i}"), e))
        self.form.roles = [chosen.roles[e] for e in (*chosen.results.values(), *chosen.masks)]
        self.form.lines = [line for line, _, _ in self._work]
        self.form.nodes = {line: node for line, node, _ in self._work}

    def _name(self, wanted: str) -> str:
        name = free(wanted, {*self.form.names, "n", "t"})
        self.form.names.add(name)
        return name

    def _line(self, name: str, node: Expr) -> ElementLine:
        line = self._letters(name, node, self.plan.loops_of(node))
        self._work.append((line, node, None))
        if node.args:
            self.lines[node] = line
        return line

    def _state_line(self, state: Expr, new: Expr, loop: Expr, name: str) -> None:
        line = self._letters(name, new, (*self.plan.loops_of(loop), loop))
        line.number = loop.attrs["body"].states.index(state)
        first = loop.args[loop.attrs["sequences"] + line.number]
        if loop.attrs.get("backwards"):
            line.after = sc.add(_last(loop), 1)
        self._work.append((line, new, first))
        self.states[state] = line
        if new not in self.lines and new.args and self.plan.loops_of(new)[-1:] == (loop,):
            self.lines[new] = line

    def _letters(self, name: str, node: Expr, loops: tuple[Expr, ...]) -> ElementLine:
        roles, shape = self.plan.roles[node], node.shape
        letters = [sc.Letter(r, s if isinstance(s, int) else None) for r, s in zip(roles, shape, strict=True)]
        at = 1 if roles and roles[0] == "batch" else 0
        lengths = [loop.args[0].shape[1] for loop in loops]
        steps = [sc.Letter("steps", s if isinstance(s, int) else None) for s in lengths]
        return ElementLine(name, (*letters[:at], *steps, *letters[at:]), loops, at)

    # What they say -----------------------------------------------------------------------------------------------

    def _write(self, line: ElementLine, node: Expr, first: Expr | None) -> None:
        known = self.lines.get(node)
        try:
            if known is not None and known is not line:
                line.value = self._push(node, line.own, line.times)
            else:
                line.value = self._open(node, line.own, line.times)
            if first is not None:
                line.start = self._push(first, line.own, line.times)
        except sc.CannotIndex as why:
            line.value = None
            line.refusal = str(why)

    def _push(self, node: Expr, index: sc.Index, times: Times) -> sc.Scalar:
        """Return an element of a node: by name if it has a line, else written out."""
        line = self.lines.get(node)
        if line is not None:
            return sc.Element(line, line.place(index, times))
        return self._open(node, index, times)

    def _open(self, node: Expr, index: sc.Index, times: Times) -> sc.Scalar:
        """Return an element of a node, written out."""
        op = node.op
        if op is INPUT or op is WEIGHT:
            return self._leaf(node, index, times)
        source, i = picked(node)
        if source.op is LOOP:
            return self._loop_result(source, i, index, times)
        if source.op is CALL and not source.attrs["definition"].scalar:
            args = tuple([self._part(a, times) for a in source.args])
            return sc.Element(sc.CalledResult(self.forms[source.attrs["definition"]], i, args), index)

        def push(arg: Expr, place: sc.Index) -> sc.Scalar:
            self._call_by_role(arg, place)
            return self._push(arg, place, times)

        return element_of(node, index, push)

    def _call_by_role(self, arg: Expr, index: Sequence[sc.Affine]) -> None:
        """Give a letter that a contraction sums over the role of its axis, if that role has its own letter."""
        for place, role in zip(index, self.plan.roles[arg], strict=True):
            if len(place.terms) == 1 and role in ("batch", "steps", "heads", "per head"):
                atom = place.terms[0][0]
                if isinstance(atom, sc.Letter) and (
                    atom.role == "inputs" or (role == "batch" and atom.role == "summed")
                ):
                    atom.role = role

    def _leaf(self, node: Expr, index: sc.Index, times: Times) -> sc.Scalar:
        loop = self.plan.loop_of.get(node)
        if loop is None:
            return sc.Element(node, index)
        body: Body = loop.attrs["body"]
        if node in body.steps:
            sequence = loop.args[body.steps.index(node)]
            return self._push(sequence, (index[0], times[loop], *index[1:]), times)
        line = self.states[node]
        return sc.Element(line, line.place(index, {**times, loop: _earlier(loop, times)}))

    def _loop_result(self, loop: Expr, i: int, index: sc.Index, times: Times) -> sc.Scalar:
        body: Body = loop.attrs["body"]
        if i >= len(body.states):
            node = list(body.collected.values())[i - len(body.states)]
            return self._push(node, (index[0], *index[2:]), {**times, loop: index[1]})
        line = self.states[body.states[i]]
        last = sc.number(0) if loop.attrs.get("backwards") else _last(loop)
        return sc.Element(line, line.place(index, {**times, loop: last}))

    def _part(self, node: Expr, times: Times) -> sc.Passed:
        line = self.lines.get(node)
        if line is not None:
            return sc.Passed(line, line.at, tuple(times[loop] for loop in line.loops))
        loop = self.plan.loop_of.get(node)
        if loop is None:
            return sc.Passed(node, 0, ())
        body: Body = loop.attrs["body"]
        if node in body.steps:
            whole = self._part(loop.args[body.steps.index(node)], times)
            return sc.Passed(whole.of, 1, (*whole.times, times[loop]))
        line = self.states[node]
        before = {**times, loop: _earlier(loop, times)}
        return sc.Passed(line, line.at, tuple(before[outer] for outer in line.loops))


def element_of(node: Expr, index: sc.Index, push: Callable[[Expr, sc.Index], sc.Scalar]) -> sc.Scalar:
    """Return the element at an index of a constant, an op, an element-wise function, or a part of a split.

    `push` returns the elements of its arguments. Raises `CannotIndex`."""
    op = node.op
    if op is CONSTANT:
        return sc.Number(node.attrs["value"]) if node.shape == () else sc.Element(node, index)
    if op is CALL:
        return sc.NamedFunction(node, tuple([push(a, aligned(index, node, a)) for a in node.args]))
    if op is ITEM:
        source = node.args[0]
        if source.op is split:
            return split_element(source, node.attrs["i"], index, lambda j, at: push(source.args[j], tuple(at)))
        rule = source.op.element
        raise sc.CannotIndex(rule.reason if isinstance(rule, Marker) else f"{source.op.name} has several results")
    if isinstance(op.element, Marker):
        raise sc.CannotIndex(f"{node.attrs.get('name', op.name)}: {op.element.reason}")
    value: sc.Scalar = op.element(node, index, lambda j, at: push(node.args[j], tuple(at)))
    return value


def _last(loop: Expr) -> sc.Affine:
    """Return the last step of a loop's sequences."""
    length = loop.args[0].shape[1]
    return sc.number(length - 1) if isinstance(length, int) else sc.Letter("last step", None).index


def _earlier(loop: Expr, times: Times) -> sc.Affine:
    """Return the step that the loop computes before the current one."""
    return sc.add(times[loop], 1 if loop.attrs.get("backwards") else -1)


def _states(loop: Expr) -> list[tuple[Expr, Expr]]:
    body: Body = loop.attrs["body"]
    return list(zip(body.states, body.next, strict=True))
