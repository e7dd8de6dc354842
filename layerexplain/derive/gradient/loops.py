"""Write a formula so that gradients can be derived: calls without a rule of their own are opened, equal parts are one,
and dropout is a product with what it draws, so that forward and backward drop the same elements.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.derive.gradient.simplify import Sharing, Simplifier, joined, last_axis, terms_of
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Body, Definition, loop, node_of
from layerexplain.lang.expr import ITEM, LEAVES, LOOP, Expr, item, named, tensor, walk
from layerexplain.lang.names import free, is_light
from layerexplain.ops.arrange import full_like
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.convolution import conv_kernel
from layerexplain.ops.joining import split
from layerexplain.ops.movement import transpose, zeros
from layerexplain.ops.numbers import dropout
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import FLOATS, normalize_axes
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.derive.gradient.backward import Backward


# Inlined ------------------------------------------------------------------------------------------------------------


def inline_calls(definition: Definition) -> tuple[dict[str, Expr], list[Expr]]:
    """Return a definition's results, written in this way, and all their nodes in the order of creation."""
    outputs = _CallInliner().values(list(definition.results.values()), {})
    results = dict(zip(definition.results, outputs, strict=True))
    return results, walk(results.values())


def needed_of(roots: Collection[Expr], known: Collection[Expr]) -> list[Expr]:
    """Return which of the `known` nodes the roots need first, in the order of creation: not what those are made of."""
    met = {*roots, *[arg for node in walk(roots, known) for arg in node.args]}
    return sorted([node for node in met if node in known], key=lambda node: node.serial)


def has_rule(node: Expr) -> bool:
    """Return whether a call's gradient is declared."""
    definition: Definition = node.attrs["definition"]
    composite = COMPOSITES.get(definition.name) if definition.kind == "composite" else None
    return composite is not None and (composite.gradient is not None or composite.slope is not None)


def _suffix(definition: Definition, args: Sequence[Expr]) -> str:
    """Return what the weights of a call are called by behind their names inside: `_fwd` of W_fwd."""
    weights = zip(definition.variables, args[len(definition.params) :], strict=True)
    results = {str(arg.label).removeprefix(str(leaf.label)) if arg.label else "" for leaf, arg in weights}
    (suffix,) = results if len(results) == 1 else ("",)
    return suffix if suffix.startswith("_") else ""


class _CallInliner(Sharing):
    def __init__(self) -> None:
        super().__init__()
        self.suffix = ""

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        result = super().like(node, env, attrs)
        if self.suffix and result is not node and result.label and result.label == node.label:
            result.label += self.suffix
        return result

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        result = super().loop(node, env)
        body = result.attrs["body"]
        if self.suffix and body is not node.attrs["body"]:
            for state in body.states:
                state.label = f"{state.label}{self.suffix}"
            body.collected = {f"{name}{self.suffix}": e for name, e in body.collected.items()}
        return result

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if node.op is dropout:
            x = env[node.args[0]]
            drawn = named("D", dropout(full_like(x, value=1), **node.attrs), "1 / (1 - rate) where kept, else 0")
            return x * drawn
        return super().op(node, env)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if has_rule(node):
            return super().call(node, env)
        definition: Definition = node.attrs["definition"]
        inside = {leaf: env[arg] for leaf, arg in zip(definition.leaves, node.args, strict=True)}
        outside, self.suffix = self.suffix, self.suffix or _suffix(definition, node.args)
        self.visit(walk(definition.outputs, inside), inside)
        self.suffix = outside
        results = [inside[e] for e in definition.outputs]
        return results if type(node.shape) is ResultShapes else results[0]


# Loops --------------------------------------------------------------------------------------------------------------
# The gradient of a loop: a loop that runs backwards over the same steps (backpropagation through time).


class _Summed(NamedTuple):
    """A sum over all steps that is written behind the loop, of sequences of these tensors of a step."""

    parts: tuple[Expr, ...]
    axes: tuple[int, ...]

    def behind(self, sequences: Sequence[Expr]) -> Expr:
        """Return the sum of products of two sequences, or the sum of one."""
        if len(sequences) == 2:
            return einsum(*sequences, eq="ntm,ntk->mk")
        steps = [1, *[axis + (axis > 0) for axis in self.axes]]
        return sum_(sequences[0], axis=tuple(sorted(steps)))


class BackwardLoop:
    """The loop backwards: `sent` comes back to the arguments of a loop, given the gradients of its results."""

    def __init__(self, node: Expr, dys: Sequence[Expr | None], around: Backward) -> None:
        self.node = node
        self.body: Body = node.attrs["body"]
        self.around = around
        self.taken: set[str] = set()
        count = len(self.body.states)
        self.states = {s: dy for s, dy in zip(self.body.states, dys, strict=False) if s.dtype in FLOATS}
        self.seeds: dict[Expr, Expr] = {}
        """The stand-in for the gradient of a result of the body at one step, and what it is taken from."""
        inner = self._derived(list(dys[count:]))
        # What is the same at each step has no sequence that could be kept: the backward loop works it out again.
        changing = {*self.body.steps, *self.body.states}
        self.forward = set(changing)
        for e in (*self.body.order, *inner.extra):
            if any(arg in changing for arg in e.args):
                changing.add(e)
                if not is_light(e):
                    self.forward.add(e)
        leaves = [leaf for leaf in self.body.leaves if leaf in inner.sent]
        known = {n: n for n in self.forward}
        self.simplifier = Simplifier(self.forward)
        gradients = self.simplifier.values([inner.sent[leaf] for leaf in leaves], known)
        self.back = dict(zip(leaves, gradients, strict=True))
        self.sequences = self._kept(gradients)
        self.sent = self._run()

    def _derived(self, collected: list[Expr | None]) -> Backward:
        """Derive the body, with stand-ins for the gradients of its results."""
        body = self.body
        active = [leaf for leaf, arg in zip(body.leaves, self.node.args, strict=True) if arg in self.around.active]
        wanted = dict.fromkeys([*active, *self.states])
        inner = self.around.inside(body.order, list(wanted))
        seeds: list[tuple[Expr, Expr]] = []
        self.state_seeds: dict[Expr, Expr] = {}
        for state, new in zip(body.states, body.next, strict=True):
            if state in self.states:
                stand_in = tensor(f"d{state.label}", new.shape, new.dtype)
                self.state_seeds[state] = stand_in
                seeds.append((new, stand_in))
        for value, dy in zip(body.collected.values(), collected, strict=True):
            if dy is not None:
                stand_in = tensor(str(dy.label or "dy"), value.shape, value.dtype)
                self.seeds[stand_in] = dy
                seeds.append((value, stand_in))
        inner.run(seeds)
        return inner

    # What is kept of each step ------------------------------------------------------------------------------------

    def _kept(self, roots: list[Expr]) -> dict[Expr, Expr]:
        """Return the sequence of each value of a step that the backward loop reads."""
        needed = needed_of(roots, self.forward)
        body, node = self.body, self.node
        results: dict[Expr, Expr] = {}
        extra: dict[str, Expr] = {}
        values = list(body.collected.values())
        enough = all(e in body.steps or e in values for e in needed)
        for e in needed:
            if e in body.steps:
                results[e] = node.args[body.steps.index(e)]
            elif enough:
                results[e] = self._result(node, len(body.states) + values.index(e))
            else:
                name = f"{e.label}_prev" if e in body.states else self.around.names.label_kept(e)
                extra[free(name, extra)] = e
        if extra:
            read = {*body.next, *[arg for e in body.order for arg in e.args]}
            first = [name for name, e in extra.items() if e in read and e not in body.states]
            extra = {name: extra[name] for name in (*first, *[name for name in extra if name not in first])}
            longer = Body(body.steps, body.states, body.next, extra, body.captured)
            shapes = [e.shape for e in body.next]
            shapes += [(e.shape[0], node.args[0].shape[1], *e.shape[1:]) for e in extra.values()]
            attrs = {**node.attrs, "body": longer}
            kept = node_of(LOOP, node.args, attrs, shapes, [e.dtype for e in longer.outputs])
            self.around.extra.append(kept)
            for i, (name, e) in enumerate(extra.items(), start=len(body.states)):
                results[e] = self._result(kept, i)
                if results[e].label is None:
                    results[e].label = name
        return results

    def _result(self, node: Expr, i: int) -> Expr:
        """Return a result of a forward loop."""
        if type(node.shape) is not ResultShapes:
            return node
        result = next((e for e in self.around.extra if e.args == (node,) and e.attrs.get("i") == i), None)
        if result is None:
            result = item(node, i)
            self.around.extra.append(result)
        return result

    # The loop -----------------------------------------------------------------------------------------------------

    def _run(self) -> dict[Expr, Expr]:
        body, node = self.body, self.node
        steps = {leaf: arg for leaf, arg in zip(body.steps, node.args, strict=False) if leaf in self.back}
        behind, kept_sums = self._sums()
        collect: dict[Expr, str] = {}
        for leaf in steps:
            more = str(body.states[0].label).partition("_")[2] if body.states else ""
            name = f"d{steps[leaf].label or leaf.label}"
            collect.setdefault(self.back[leaf], f"{name}_{more}" if more else name)
        for summed in behind.values():
            for other in summed:
                for part in other.parts:
                    if part not in self.sequences and part not in self.seeds:
                        collect.setdefault(part, part.label or "dz")
        following, totals = self._next(), [self.back[leaf] for leaf in kept_sums]
        used = {arg for e in walk([*following, *collect, *totals], self.forward) for arg in e.args}
        order = sorted(collect, key=lambda e: (e not in used, e.serial))  # those that are read come first, as in text
        names: list[str] = []
        for e in order:
            names.append(free(collect[e], {*names, *self._state_names(), *kept_sums.values()}))
        read = {*following, *order, *totals, *used}
        for e in read:
            if e.op is transpose and e.label is None and e.args[0].label and e.args[0] not in self.forward:
                e.label = f"{e.args[0].label}_T"
        known = {**self.seeds, **self.sequences}
        over = {e: sequence for e, sequence in known.items() if e in read} or dict([*known.items()][:1])
        states = {
            name: zeros(shape=state.shape) if dy is None else dy
            for name, (state, dy) in zip(self._state_names(), self.states.items(), strict=True)
        }
        states |= {name: zeros(shape=leaf.shape) for leaf, name in kept_sums.items()}

        def step(*values: Expr) -> tuple[Sequence[Expr], dict[str, Expr]]:
            env: dict[Expr, Any] = dict(zip([*over, *self.state_seeds.values()], values, strict=False))
            values_after = Sharing().values([*following, *totals, *order], env)
            added = zip(values[len(over) + len(following) :], values_after[len(following) : len(states)], strict=True)
            new = [*values_after[: len(following)], *[before + more for before, more in added]]
            return new, dict(zip(names, values_after[len(states) :], strict=True))

        backwards = not node.attrs.get("backwards", False)
        run = loop(step, list(over.values()), states, backwards=backwards)
        results = list(run) if type(run.shape) is ResultShapes else [run]
        collected = dict(zip(order, results[len(states) :], strict=True))
        sent: dict[Expr, Expr] = {}

        def send(arg: Expr, e: Expr) -> None:
            if arg in self.around.active:
                sent[arg] = e if arg not in sent else sent[arg] + e

        for leaf, arg in steps.items():
            send(arg, collected[self.back[leaf]])
        firsts = dict(zip(body.states, node.args[len(body.steps) :], strict=False))
        for i, state in enumerate(self.states):
            send(firsts[state], results[i])
        for i, leaf in enumerate(kept_sums, start=len(self.states)):
            send(leaf, results[i])
        for leaf, summed in behind.items():
            for other in summed:
                send(leaf, other.behind([known.get(part) or collected[part] for part in other.parts]))
        return sent

    def _next(self) -> list[Expr]:
        """Return the gradients of the states, as a step sends them to the step before."""
        return [self.back.get(state) or zeros(shape=state.shape) for state in self.states]

    def _state_names(self) -> list[str]:
        return [f"d{state.label}" for state in self.states]

    def _sums(self) -> tuple[dict[Expr, list[_Summed]], dict[Expr, str]]:
        """Return what is summed behind the loop for each outer node, and the outer nodes whose sum is a state."""
        behind: dict[Expr, list[_Summed]] = {}
        kept: dict[Expr, str] = {}
        for leaf in self.body.captured:
            if leaf not in self.back or leaf not in self.around.active:
                continue
            result = [_summed(term) for term in terms_of(self.back[leaf])]
            if all(summed is not None and not any(map(self._is_outside, summed.parts)) for summed in result):
                behind[leaf] = [summed for summed in result if summed is not None]
            else:
                kept[leaf] = free(f"d{self.around.names.label(leaf) or 'w'}", {*kept.values(), *self._state_names()})
        self._join_kernels(kept)
        return self._joined(behind), kept

    def _is_outside(self, e: Expr) -> bool:
        """Return whether a part of a sum is the same at every step."""
        return e.op in LEAVES and e not in self.seeds and e not in self.sequences

    def _split_weights(self, leaves: Iterable[Expr]) -> list[tuple[Expr, list[Expr]]]:
        """Return each weight that is split into parts, one for each gate, if all of them are among the leaves; with
        these parts in order."""
        results: dict[Expr, dict[int, Expr]] = {}
        for leaf in leaves:
            if leaf.op is ITEM and leaf.args[0].op is split:
                results.setdefault(leaf.args[0], {})[leaf.attrs["i"]] = leaf
        return [
            (weight, [parts[i] for i in sorted(parts)])
            for source, parts in results.items()
            for weight in source.args
            if len(parts) == len(source.shape) and last_axis(source, weight.ndim) and weight in self.around.active
        ]

    def _join_kernels(self, kept: dict[Expr, str]) -> None:
        """Keep one sum for a kernel whose parts are all convolved with the same tensor: all gates at once."""
        for weight, parts in self._split_weights(kept):
            gradients = [self.back[part] for part in parts]
            alike = {(e.op, e.args[:1], repr(e.attrs)) for e in gradients}
            if gradients[0].op is conv_kernel and len(alike) == 1:
                for part in parts:
                    del kept[part]
                dz = joined([e.args[1] for e in gradients], gradients[0].attrs, weight)
                self.back[weight] = self.simplifier.simple(conv_kernel(gradients[0].args[0], dz, **gradients[0].attrs))
                kept[weight] = free(f"d{weight.label}", {*kept.values(), *self._state_names()})

    def _joined(self, behind: dict[Expr, list[_Summed]]) -> dict[Expr, list[_Summed]]:
        """Return the sums with those of all parts of a weight as one of the weight: of all gates at once."""
        whole = dict(behind)
        for weight, parts in self._split_weights(behind):
            alike = {(summed.parts[:-1], summed.axes) for part in parts for summed in behind[part]}
            if len(alike) == 1 and all(len(behind[part]) == 1 for part in parts):
                dz = self.simplifier.simple(joined([behind[part][0].parts[-1] for part in parts], {}, weight))
                ((first, axes),) = alike
                for part in parts:
                    del whole[part]
                whole[weight] = [_Summed((*first, dz), axes)]
        return whole


def _summed(e: Expr) -> _Summed | None:
    """Return how a term is summed over all steps at once, None if it cannot."""
    if e.op is dot and e.args[0].op is transpose and e.args[0].ndim == e.args[1].ndim == 2:
        return _Summed((e.args[0].args[0], e.args[1]), ())
    if e.op is sum_ and not e.options["keepdims"]:
        axes = normalize_axes(e.options["axis"], e.args[0].ndim)
        return _Summed((e.args[0],), axes) if 0 in axes else None
    return None
