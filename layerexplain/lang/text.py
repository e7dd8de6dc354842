"""Print formulas in the formula language (docs/internals/formula-language.md): a small subset of Python's syntax.

The text is linear in the size of the formula: a node that is used twice, has a label, or is too long gets a named
statement. Statements follow the order in which the declaration created their nodes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, ITEM, LEAVES, LOOP, Expr, walk
from layerexplain.lang.names import definition_names, free, identifier, is_light, leaf_names, name_from_maker, unique
from layerexplain.lang.notation import (
    ATOM,
    NEGATE,
    Fraction,
    Index,
    Infix,
    Prefix,
    Slice,
    key_text,
    needs_brackets,
    value_text,
)
from layerexplain.lang.opaque import opaque
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.records import NamedTuple, grouped

WIDEST = 88
"""Longest text that is written inline; longer parts get a name."""

LOOP_VARIABLES = "ts"


class FormulaLine(NamedTuple):
    """A statement: its indentation, its text, and the nodes that it assigns."""

    indent: int
    text: str
    nodes: tuple[Expr, ...] = ()


def statements(definition: Definition) -> list[FormulaLine]:
    """Return the statements of a definition's body."""
    return _Statements(definition, definition_names(definition)).lines


def program(definition: Definition) -> str:
    """Return the whole text: a `def` for each inner definition, then the statements."""
    names = definition_names(definition)
    lines = [*_blocks(names), *_Statements(definition, names).lines]
    return "\n".join("    " * line.indent + line.text for line in lines)


def inner_blocks(definition: Definition) -> list[FormulaLine]:
    """Return the `def` blocks of the definitions that this one calls, as lines."""
    return _blocks(definition_names(definition))


def _blocks(names: Mapping[Definition, str]) -> list[FormulaLine]:
    lines: list[FormulaLine] = []
    for inner, name in reversed(list(names.items())):
        scope = _Statements(inner, names, masks=True)
        lines.append(FormulaLine(0, f"def {name}({', '.join(leaf_names(inner).values())}):"))
        lines += [FormulaLine(line.indent + 1, line.text, line.nodes) for line in scope.lines]
        lines.append(FormulaLine(1, f"return {', '.join(scope.results.values())}"))
    return lines


def _mask_name(mask: Expr, outputs: Mapping[str, Expr], leaves: set[str]) -> str:
    """Return the name under which a `def` returns a mask."""
    if mask.op in LEAVES and mask.label and mask.label not in outputs:
        return mask.label
    return free("mask", {*outputs, *leaves})


def _new_name(state: Expr) -> str:
    """Return the name under which a `def` returns the new value of a state: `h_new` for h_last."""
    return f"{str(state.label).removesuffix('_last')}_new"


def _default_name(called: Definition, i: int) -> str:
    """Return the name of result `i` of a call, where the caller gives it none."""
    results, state = list(called.results), i - len(called.outputs) + len(called.states)
    if state >= 0:
        return _new_name(list(called.states)[state])
    return results[i] if i < len(results) else "mask"


NOTHING_COLLECTED: Mapping[Expr, str] = {}


class _Block(NamedTuple):
    """State of the block being written: the wanted names of nodes, the indentation, how often each node is used, the
    nodes that must have a name, the picked results of nodes, and what a loop collects as it is computed: `dz[t]`."""

    wanted: Mapping[Expr, str]
    indent: int
    uses: dict[Expr, int]
    must: set[Expr]
    items: dict[Expr, list[Expr]]
    collected: Mapping[Expr, str] = {}


class _Statements(ExprInterpreter[tuple[str, int]]):
    """Write the statements of one body: choose the nodes that get a name and write all others inline. The value of a
    node is its text and binding strength."""

    block: _Block

    def __init__(
        self, definition: Definition, definition_names: Mapping[Definition, str], *, masks: bool = False
    ) -> None:
        super().__init__()
        self.definition_names = definition_names
        self.texts: dict[Expr, tuple[str, int]] = {}
        self.lines: list[FormulaLine] = []
        self.taken: set[str] = set()
        self.autonamed = 0
        for leaf, name in leaf_names(definition).items():
            self.texts[leaf] = (name, ATOM)
            self.taken.add(name)
        self.named_results = dict(definition.results)
        if definition.kind == "update":
            self._update(definition)
            return
        if masks:
            for mask in definition.masks:
                if mask is not None:
                    self.named_results[_mask_name(mask, self.named_results, self.taken)] = mask
            for state, new in definition.states.items():
                self.named_results[_new_name(state)] = new
        # Results keep their names; other nodes with such a name get a new one.
        self.results = {
            name: name if self.texts.get(e, ("", 0))[0] == name else unique(name, self.taken)
            for name, e in self.named_results.items()
        }
        wanted = {e: self.results[name] for name, e in reversed(list(self.named_results.items()))}
        whole = masks or all(mask is None for mask in definition.masks)
        last = [] if masks else [*definition.states.values()]
        order = definition.order if whole else None
        self._write([*self.named_results.values(), *last], (), wanted, 0, order=order)
        for name, e in self.named_results.items():
            text = self.texts[e][0]
            if text != self.results[name]:
                self.lines.append(FormulaLine(0, f"{self.results[name]} = {text}", (e,)))
        if not masks:
            for state, new in definition.states.items():
                self.lines.append(FormulaLine(0, f"{self.texts[state][0]} = {self.texts[new][0]}", (new,)))

    def _update(self, definition: Definition) -> None:
        """Write updates in place like the body of a loop whose states are the updated values."""
        leaves = {str(leaf.label): leaf for leaf in definition.leaves}
        states = [leaves.pop(name) for name in definition.results]
        names = [self.texts[state][0] for state in states]
        self.results = dict(zip(definition.results, names, strict=True))
        body = Body(tuple(leaves.values()), tuple(states), tuple(definition.results.values()), {}, ())
        self._body(body, names, [], "", 0)

    def _name(self, e: Expr, wanted: Mapping[Expr, str]) -> str:
        if e in wanted:
            return wanted[e]
        name = e.label or name_from_maker(e, self._name_of)
        if name is None:
            self.autonamed += 1
            name = f"v{self.autonamed}"
        return unique(name, self.taken)

    def _name_of(self, e: Expr) -> str | None:
        """Return the name that a value has in the text, None if it is written as a formula."""
        text = self.texts.get(e, ("", 0))[0].partition("[")[0]
        return text if text.isidentifier() else None

    def _write(
        self,
        roots: Sequence[Expr],
        stop: Iterable[Expr],
        wanted: Mapping[Expr, str],
        indent: int,
        must: Iterable[Expr] = (),
        order: Sequence[Expr] | None = None,
        collected: Mapping[Expr, str] = NOTHING_COLLECTED,
    ) -> None:
        """Write the statements of the roots in the order of creation; nodes in `must` get a name. `order` are the
        nodes in that order, if known; `collected` those that a loop collects where they are computed."""
        if order is None:
            order = sorted(walk(roots, set(stop)), key=lambda e: e.serial)
        uses: dict[Expr, int] = dict.fromkeys(order, 0)
        must = set(must)
        items: dict[Expr, list[Expr]] = {}
        for node in order:
            op = node.op
            if op is ITEM:
                items.setdefault(node.args[0], []).append(node)
                continue
            if op is LOOP:
                # Sequences and captured nodes need names; the initial states get statements anyway.
                states = len(node.attrs["body"].states)
                sequences = node.attrs["sequences"]
                must.update(node.args[:sequences])
                must.update(node.args[sequences + states :])
            for arg in node.args:
                if arg in uses:
                    uses[arg] += 1
        for node in roots:
            if node in uses:
                uses[node] += node not in wanted
        outer = getattr(self, "block", None)
        self.block = _Block(wanted, indent, uses, must, items, collected)
        self.visit(order, self.texts)
        if outer is not None:
            self.block = outer

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> tuple[str, int]:
        return value_text(node.attrs["value"]), ATOM if _plain(node) else NEGATE

    def op(self, node: Expr, env: dict[Expr, Any]) -> tuple[str, int]:
        block = self.block
        text, bind = self._inline(node)
        name = block.collected.get(node, "")
        if type(node.shape) is ResultShapes:
            self._unpack(node, text, block.items.get(node, []))
        elif node not in block.collected and (
            node in block.wanted
            or node.label
            or (block.uses[node] > 1 and not _is_short(node))
            or node in block.must
            or len(text) > WIDEST
        ):
            name = self._name(node, block.wanted)
        if not name:
            return text, bind
        self.lines.append(FormulaLine(block.indent, f"{name} = {text}", (node,)))
        return name, ATOM

    call = op

    def _unpack(self, node: Expr, text: str, parts: list[Expr]) -> None:
        wanted = self.block.wanted
        names = ["_"] * len(node.shape)
        for part in sorted(parts, key=lambda e: int(e.attrs["i"])):
            i = part.attrs["i"]
            if names[i] == "_":
                default = None
                if node.op is CALL:
                    default = _default_name(node.attrs["definition"], i)
                names[i] = (
                    self._name(part, wanted)
                    if part in wanted or part.label or not default
                    else unique(default, self.taken)
                )
            self.texts[part] = (names[i], ATOM)
        self.lines.append(FormulaLine(self.block.indent, f"{', '.join(names)} = {text}", tuple(parts)))

    def _inline(self, node: Expr) -> tuple[str, int]:
        notation = node.op.notation
        texts = self.texts
        kind = type(notation)
        if kind is Infix or kind is Fraction:
            (left, a), (right, b) = texts[node.args[0]], texts[node.args[1]]
            if needs_brackets(notation, a):
                left = f"({left})"
            if needs_brackets(notation, b, right=True):
                right = f"({right})"
            return f"{left} {notation.symbol} {right}", notation.bind
        if kind is Prefix:
            inner, bind = texts[node.args[0]]
            return notation.symbol + (f"({inner})" if needs_brackets(notation, bind) else inner), notation.bind
        if kind is Index:
            return f"{self._atom(node.args[0])}[{texts[node.args[1]][0]}]", ATOM
        if kind is Slice:
            return f"{self._atom(node.args[0])}[{key_text(node.attrs['key'])}]", ATOM
        parts = [texts[a][0] for a in node.args]
        if node.op is CALL:
            definition = node.attrs["definition"]
            name = self.definition_names.get(definition, definition.name)
            parts += [f"{k}={value_text(v)}" for k, v in definition.attrs.items()]
        elif node.op is opaque:
            name = identifier(node.attrs["name"])
        else:
            name = node.op.name
            parts += [f"{k}={value_text(v)}" for k, v in node.attrs.items()]
        return f"{name}({', '.join(parts)})", ATOM

    def _atom(self, e: Expr) -> str:
        text, bind = self.texts[e]
        return text if bind == ATOM else f"({text})"

    # Loops ------------------------------------------------------------------------------------------------------

    def loop(self, node: Expr, env: dict[Expr, Any]) -> tuple[str, int]:
        body: Body = node.attrs["body"]
        for inner in body.order:  # another loop, which collects more, may have been written with the same nodes
            self.texts.pop(inner, None)
        indent = self.block.indent
        parts = self.block.items.get(node, [])
        sequences = node.attrs["sequences"]
        names = self._names_of_results(node, parts)
        states, collected = names[: len(body.states)], names[len(body.states) :]
        for name, first in zip(states, node.args[sequences:], strict=False):
            self.lines.append(FormulaLine(indent, f"{name} = {self.texts[first][0]}", (first,)))
        variable = LOOP_VARIABLES[indent] if indent < len(LOOP_VARIABLES) else f"t{indent}"
        over = [self.texts[a][0] for a in node.args[:sequences]]
        header = "reversed_steps" if node.attrs.get("backwards") else "steps"
        self.lines.append(FormulaLine(indent, f"for {variable} in {header}({', '.join(over)}):"))
        for step, name in zip(body.steps, over, strict=True):
            self.texts[step] = (f"{name}[{variable}]", ATOM)
        for state, name in zip(body.states, states, strict=True):
            self.texts[state] = (name, ATOM)
        self._body(body, states, collected, variable, indent + 1)
        for part in parts:
            self.texts[part] = (names[part.attrs["i"]], ATOM)
        return names[0], ATOM

    def _names_of_results(self, node: Expr, parts: list[Expr]) -> list[str]:
        """Return the names of a loop's states, then of its sequences. A state that becomes the result of its own name
        keeps it; a sequence that is a result has that result's name."""
        body: Body = node.attrs["body"]
        wanted = self.block.wanted
        names = []
        for i, label in enumerate([*[str(state.label) for state in body.states], *body.collected]):
            outside = [p for p in parts if p.attrs["i"] == i] if len(body.outputs) > 1 else [node]
            if i >= len(body.states):
                own = next((wanted[p] for p in outside if p in wanted), "")
            else:
                own = label if self.named_results.get(label) in outside and self.results[label] == label else ""
            names.append(own or unique(label, self.taken))
        return names

    def _body(self, body: Body, states: list[str], collected: list[str], variable: str, indent: int) -> None:
        stop = {*body.captured, *body.steps, *body.states}
        early = self._assigned_in_place(body, stop)
        wanted = {early_new: states[i] for early_new, i in early.items()}
        at_once = self._collected_at_once(body, stop, early, collected, variable)
        self._write(body.outputs, stop, wanted, indent, must=body.next, collected=at_once)
        for name, value in zip(collected, body.collected.values(), strict=True):
            if at_once.get(value):
                continue
            self.lines.append(FormulaLine(indent, f"{name}[{variable}] = {self.texts[value][0]}", (value,)))
        self._assign_states(body, states, indent)

    @staticmethod
    def _collected_at_once(
        body: Body, stop: set[Expr], early: Container[Expr], names: list[str], variable: str
    ) -> dict[Expr, str]:
        """Return the nodes that are collected where they are computed, `dz[t] = …`, since later lines read them: those
        that come first in the order of the sequences; `early` are states that are assigned in place. Others that are
        collected get no name of their own ("")."""
        values = list(body.collected.values())
        if len(set(values)) != len(values):
            return {}
        read = {*body.next, *[arg for node in walk(body.outputs, stop) for arg in node.args]}
        own = [e for e in values if e not in stop and e not in early and e.op is not ITEM and e.op not in LEAVES]
        expressions = [e for e in own if e in read]
        if expressions != values[: len(expressions)] or expressions != sorted(expressions, key=lambda e: e.serial):
            return {}
        at_once = {e: f"{name}[{variable}]" for e, name in zip(expressions, names, strict=False)}
        return {**dict.fromkeys(own, ""), **at_once}

    def _assign_states(self, body: Body, states: list[str], indent: int) -> None:
        """Assign the states that were not assigned in place: `h = h_new`. Old values that are read later are kept."""
        old: dict[str, str] = {}
        for i, (state, name, new) in enumerate(zip(body.states, states, body.next, strict=True)):
            text = self.texts[new][0]
            if text == name and new is not state:
                continue
            if new is not state and state in body.next[i + 1 :]:
                old[name] = unique(f"{name}_old", self.taken)
                self.lines.append(FormulaLine(indent, f"{old[name]} = {name}", (state,)))
            self.lines.append(FormulaLine(indent, f"{name} = {old.get(text, text)}", (new,)))

    def _assigned_in_place(self, body: Body, stop: set[Expr]) -> dict[Expr, int]:
        """Return the new states that may be assigned in place: no later statement reads the old value."""
        order = sorted(walk(body.outputs, stop), key=lambda e: e.serial)
        results: dict[Expr, int] = {}
        # An unnamed node is written inside the statement that uses it, which may come after the node was created. So
        # the last statement of each reader counts, not its creation; the new state's own statement is safe.
        written = self._latest_statement(order, body)
        for i, (state, new) in enumerate(zip(body.states, body.next, strict=True)):
            if new in stop or new.op in LEAVES or new in results or state in body.outputs:
                continue
            at = new.args[0].serial if new.op is ITEM else new.serial
            if all(written[n] <= at for n in order if state in n.args):
                results[new] = i
        return results

    def _latest_statement(self, order: list[Expr], body: Body) -> dict[Expr, int]:
        """Return for each node the serial of the last statement that contains it."""
        latest: dict[Expr, int] = {}
        states = set(body.next)
        collected = set(body.collected.values())
        consumers = grouped((arg, node) for node in order for arg in node.args)
        for node in reversed(order):
            readers = consumers.get(node, [])
            if (
                node.label
                or (len(readers) > 1 and not _is_short(node))
                or node in states
                or type(node.shape) is ResultShapes
            ):
                latest[node] = node.serial
            elif node in collected:
                latest[node] = 1 << 62
            else:
                latest[node] = max([latest[reader] for reader in readers], default=node.serial)
        return latest


def _is_short(node: Expr) -> bool:
    """Return whether a value is written again wherever it is read, not given a name: `1 - z`, `x[:, None]`, zeros."""
    if node.label is not None or node.op in (CALL, LOOP, opaque) or type(node.shape) is ResultShapes:
        return False
    if not node.args:
        return True
    named = [arg for arg in node.args if arg.op is not CONSTANT]
    if len(named) != 1 or (named[0].label is None and named[0].op not in LEAVES):
        return False
    moved = type(node.op.notation) is Slice or (node.op.name == "transpose" and not node.attrs)
    return moved or is_light(node)


def _plain(node: Expr) -> bool:
    value = node.attrs["value"]
    return isinstance(value, tuple | bool) or value >= 0
