"""Definitions, calls and loops: formulas with parameters that other formulas use as one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.errors import NotKnown, ShapeError
from layerexplain.lang.axes import Need, ResultShapes, need_batch
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, LOOP, Expr, Op, item, walk
from layerexplain.records import NamedTuple


class Gist(NamedTuple):
    """The template of what a layer computes, in one line, with the defaults of the layer's arguments.

    Its parts stand between commas. The first is always printed; another only if an argument in it has not its default
    value. A field `{name}` is an argument; `{name:yes|no}` says one thing or the other for one that is true or false.
    `{formula}` is the statement that gives the result, `{call}` the layer as a call with its arguments, `{layer}` the
    gist of the layer inside, `{layers}` the names of all inside.
    """

    template: str
    defaults: Mapping[str, Any]


class Definition:
    """A formula with parameters: a layer traced at given shapes, a composite function, a nested model.

    `params` are its tensors, `weights` its variables in Keras's order (unused ones included), and `results` its
    named outputs in Keras's order. `scalar` marks an element-wise function that counts as one FLOP (relu, sigmoid);
    `stable` is a numerically safer `function(np, *values, **attrs)`. `attrs` are the attributes of a composite's
    call. `masks` has the mask of each result as an Expr of the parameters, or None. `arguments` are all arguments of
    a layer, defaults included; `description` is its sentence with `{fields}`, `gist` how
    it is said in one line. `order` are its nodes, if known. `updates` are new values of weights, by symbol, that the
    layer itself gives them in training. `states` are the variables that a layer keeps between its calls, with the value
    that a call leaves in each. `cache` are the tensors, by name, of which a model keeps each position while it writes a
    text. `needs` is what its own formula needs of the batch. `answers` keeps what was derived of it, by the name of the
    question, for all layers that share it, also those of other models.
    """

    def __init__(
        self,
        name: str,
        params: tuple[Expr, ...],
        weights: tuple[Expr, ...],
        results: Mapping[str, Expr],
        *,
        kind: str = "layer",
        attrs: Mapping[str, Any] | None = None,
        scalar: bool = False,
        stable: Callable[..., Any] | None = None,
        masks: tuple[Expr | None, ...] = (),
        description: str = "",
        gist: Gist | None = None,
        arguments: Mapping[str, Any] | None = None,
        order: list[Expr] | None = None,
        updates: Mapping[str, Expr] | None = None,
        states: Mapping[Expr, Expr] | None = None,
        cache: Mapping[str, Expr] | None = None,
        needs: tuple[Need, ...] = (),
    ) -> None:
        self._order = order
        self.needs = needs
        self.cache = cache or {}
        self.states = states or {}
        self.answers: dict[str, Any] = {}
        self.updates = updates or {}
        self.arguments = arguments or {}
        self.name = name
        self.params = params
        self.weights = weights
        self.results = results
        self.kind = kind
        self.attrs = attrs or {}
        self.scalar = scalar
        self.stable = stable
        self.masks = masks
        self.description = description
        self.gist = gist

    @property
    def leaves(self) -> tuple[Expr, ...]:
        """The tensors, the weights, then the states: what a call of the definition takes, in order."""
        return (*self.params, *self.variables)

    @property
    def variables(self) -> tuple[Expr, ...]:
        """The weights, then the states: the leaves that belong to the layer."""
        return (*self.weights, *self.states)

    @property
    def outputs(self) -> list[Expr]:
        """The results, the existing masks, then the new states: what a call of the definition returns."""
        return [*self.results.values(), *[m for m in self.masks if m is not None], *self.states.values()]

    @property
    def order(self) -> list[Expr]:
        """The nodes of the outputs, each once, in the order of creation: arguments come first."""
        if self._order is None:
            self._order = walk(self.outputs)
        return self._order

    def _with(self, **changed: Any) -> Definition:
        result = object.__new__(type(self))
        vars(result).update(vars(self), answers={}, **changed)
        return result

    def renamed(self, name: str) -> Definition:
        """Return the same formula under another name."""
        return self._with(name=name)

    def without_masks(self) -> Definition:
        """Return the same formula without the masks of its results."""
        if all(mask is None for mask in self.masks):
            return self
        return self._with(masks=(), _order=None)

    def __repr__(self) -> str:
        return f"<definition {self.name}({', '.join(str(p.label) for p in self.leaves)})>"


def call(definition: Definition, *args: Expr) -> Expr:
    """Call a definition on tensors, followed by weights and states."""
    expected = len(definition.leaves)
    if len(args) != expected:
        raise TypeError(f"{definition.name} takes {expected} arguments, got {len(args)}")
    for need in definition.needs:
        need_batch(*need)
    results = definition.outputs
    return node_of(CALL, args, {"definition": definition}, [r.shape for r in results], [r.dtype for r in results])


def states_after(order: Sequence[Expr]) -> dict[Expr, Expr]:
    """Return the states of the layers that a formula calls, given its nodes: each with the value that the call leaves.

    Raises:
        NotKnown: Two calls use one state, of which the second would have to read what the first leaves.
    """
    results: dict[Expr, Expr] = {}
    for node in order:
        called = node.attrs["definition"] if node.op is CALL else None
        if called is not None and called.states:
            first = len(called.outputs) - len(called.states)
            for i, leaf in enumerate(node.args[-len(called.states) :]):
                if leaf in results:
                    raise NotKnown(f"{called.name} keeps its state between calls, and is called twice inside one layer")
                results[leaf] = item(node, first + i)
    return results


def node_of(op: Op, args: tuple[Expr, ...], attrs: dict[str, Any], shapes: list[Any], dtypes: list[str]) -> Expr:
    """Return a node with a result for each of the shapes."""
    if len(shapes) == 1:
        return Expr(op, args, attrs, shapes[0], dtypes[0])
    return Expr(op, args, attrs, ResultShapes(shapes), tuple(dtypes))


class Body:
    """The body of a loop, traced once: what one step computes.

    `steps` represent `x[t]` of each sequence, `states` the states before the step, and `next` those after it.
    `collected` are the tensors that each step adds to a sequence. `captured` are the outer nodes that it uses.
    """

    __slots__ = ("_order", "captured", "collected", "next", "states", "steps")

    def __init__(
        self,
        steps: tuple[Expr, ...],
        states: tuple[Expr, ...],
        next_states: tuple[Expr, ...],
        collected: Mapping[str, Expr],
        captured: tuple[Expr, ...],
    ) -> None:
        self._order: list[Expr] | None = None
        self.steps = steps
        self.states = states
        self.next = next_states
        self.collected = collected
        self.captured = captured

    @property
    def outputs(self) -> list[Expr]:
        """The states after the step, then the collected tensors."""
        return [*self.next, *self.collected.values()]

    @property
    def leaves(self) -> tuple[Expr, ...]:
        """The leaves of the body, in the order of the loop's arguments: `leaves[i]` stands for argument i."""
        return (*self.steps, *self.states, *self.captured)

    @property
    def order(self) -> list[Expr]:
        """The nodes that a step computes, each once, in the order of creation, without its leaves."""
        if self._order is None:
            self._order = walk(self.outputs, self.leaves)
        return self._order


def loop(
    step: Callable[..., tuple[Sequence[Expr], Mapping[str, Expr]]],
    over: Sequence[Expr],
    states: Mapping[str, Expr],
    *,
    backwards: bool = False,
) -> Expr:
    """Return a loop that runs `step` for each step of the sequences, along axis 1.

    Args:
        step: `step(*x_t, *states)` returns the new states and, by name, the tensors to collect.
        over: The sequences.
        states: The initial states by name.
        backwards: Whether it begins at the last step; what it collects is in the order of the sequences anyway.

    Returns:
        A node whose results are the last states, then the collected sequences.

    Raises:
        ShapeError: Sequences differ in length, or a state changes its number of axes.
    """
    length = over[0].shape[1]
    for other in over[1:]:
        if other.shape[1] != length and None not in (other.shape[1], length):
            raise ShapeError(f"the sequences of a loop need equal lengths, got {length} and {other.shape[1]}")
    x_t = tuple(
        Expr(INPUT, (), {"step_of": s.label}, (s.shape[0], *s.shape[2:]), s.dtype, s.label or f"x{i}")
        for i, s in enumerate(over)
    )
    before = tuple(Expr(INPUT, (), {"state": True}, e.shape, e.dtype, name) for name, e in states.items())
    after, collected = step(*x_t, *before)
    body = Body(x_t, before, tuple(after), dict(collected), captured((*after, *collected.values()), x_t + before))
    for old, new in zip(before, after, strict=True):
        if len(old.shape) != len(new.shape):
            raise ShapeError(f"state '{old.label}' needs the same shape after each step, got {old.shape}, {new.shape}")
    attrs = {"sequences": len(over), **({"backwards": True} if backwards else {})}
    return loop_of(body, (*over, *states.values(), *body.captured), attrs)


def loop_of(body: Body, args: tuple[Expr, ...], attrs: Mapping[str, Any]) -> Expr:
    """Return the node of a loop with this body, on the sequences, the states and what the body captures."""
    length = args[0].shape[1]
    shapes = [e.shape for e in body.next] + [(e.shape[0], length, *e.shape[1:]) for e in body.collected.values()]
    return node_of(LOOP, args, {**attrs, "body": body}, shapes, [e.dtype for e in body.outputs])


def captured(outputs: Sequence[Expr], params: Sequence[Expr]) -> tuple[Expr, ...]:
    """Return the outer nodes that a body uses: arguments of its nodes that do not depend on its parameters."""
    inside = set(params)
    for node in walk(outputs):
        if any(a in inside for a in node.args):
            inside.add(node)
    read = {*outputs, *[arg for node in inside for arg in node.args]} - inside
    return tuple(sorted([node for node in read if node.op is not CONSTANT], key=lambda node: node.serial))


def form(definition: Definition) -> tuple[Any, ...] | None:
    """Return a key that is equal for definitions with the same operation and statements, None if it has a loop, a
    called layer or a mask.

    Such definitions differ only in sizes. A model of a thousand layers has few forms, and a key takes a fifth of the
    time of the statements."""
    if any(mask is not None for mask in definition.masks):
        return None
    leaves = definition.leaves
    places = {leaf: place for place, leaf in enumerate(leaves)}
    parts: list[Any] = [definition.name, len(definition.params), *[leaf.label for leaf in leaves]]
    for node in definition.order:
        if node in places:
            continue
        op, attrs = node.op, node.attrs
        if op is CALL:
            inner = attrs["definition"]
            if inner.kind != "composite":
                return None
            op, attrs = inner.name, inner.attrs
        elif op is LOOP:
            return None
        places[node] = len(places)
        parts += (op, node.label)
        if attrs:  # as text, since 1, 1.0 and True are equal and read differently
            parts.append(repr(attrs))
        if type(node.shape) is ResultShapes:
            parts.append(f"{len(node.shape)} results")
        parts += [places[arg] for arg in node.args]
    for name, e in definition.results.items():
        parts += (name, places[e])
    return tuple(parts)
