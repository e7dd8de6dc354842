"""Derive the gradient of a definition: another definition, in the same vocabulary, with patterns that read better
whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.derive.gradient.loops import BackwardLoop, inline_calls, needed_of
from layerexplain.derive.gradient.simplify import Simplifier
from layerexplain.derive.roles import AxisRoles
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import (
    CALL,
    CONSTANT,
    FREE,
    ITEM,
    LEAVES,
    LOOP,
    RANDOM,
    STRUCTURAL,
    UNKNOWN_GRADIENT,
    CannotDerive,
    Expr,
    Marker,
    constant,
    named,
    tensor,
    walk,
)
from layerexplain.lang.names import free, is_light, name_from_maker
from layerexplain.lang.visit import Copier
from layerexplain.ops.elementwise import add, divide, power, sqrt, subtract
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.movement import broadcast_to, reshape, slice_along, stop_gradient
from layerexplain.ops.numbers import conjugate, is_complex, real
from layerexplain.ops.reduce import count_of, mean, sum_
from layerexplain.ops.sizes import FLOATS
from layerexplain.records import NamedTuple

# Patterns -----------------------------------------------------------------------------------------------------------


def normalized(node: Expr) -> tuple[Expr, bool] | None:
    """Return x and whether it is centred, if a node is (x - mean(x)) / sqrt(mean((x - mean(x)) ** 2) + epsilon), or x
    divided by the root of the mean of its squares; else None."""
    if node.op is not divide:
        return None
    above, s = node.args
    if s.op is not sqrt or s.args[0].op is not add:
        return None
    variance = s.args[0].args[0]
    if variance.op is not mean or not variance.options["keepdims"] or variance.args[0].op is not power:
        return None
    base, exponent = variance.args[0].args
    if exponent.op is not CONSTANT or exponent.attrs["value"] != 2 or base is not above:
        return None
    if above.op is subtract and above.args[1].op is mean and above.args[1].args[0] is above.args[0]:
        centre = above.args[1]
        return (above.args[0], True) if centre.attrs == variance.attrs else None
    return above, False


def through_normalization(node: Expr, dy: Expr, centred: bool) -> Expr:
    """Return the gradient of x, given that of the normalized values: what would change the mean or the variance of x is
    taken away."""
    s = node.args[1]
    over = s.args[0].args[0].attrs
    second = mean(dy * node, **over)
    if not centred:
        return (dy - node * second) / s
    return (dy - named("m1", mean(dy, **over)) - node * named("m2", second)) / s


# Backward -----------------------------------------------------------------------------------------------------------
# Derive the gradient of a definition: another definition, in the same vocabulary.


class Gradient(NamedTuple):
    """The gradient of a definition.

    `whole` takes the definition's leaves and a tensor `dy` for each result, and computes all gradients from these.
    `backward` takes what it needs of the forward pass as parameters: `kept` gives for each of them the node of the
    forward formula, whose results are `forward`. `of` gives for each leaf the name of its gradient; `unreached` are the
    leaves to which no gradient comes back, which get zeros.
    """

    whole: Definition
    backward: Definition
    kept: Mapping[Expr, Expr]
    unreached: tuple[str, ...]
    forward: Mapping[str, Expr]
    of: Mapping[Expr, str]


def is_float(node: Expr) -> bool:
    """Return whether a tensor has a gradient: its numbers are not whole and not truth values."""
    return type(node.dtype) is str and node.dtype in FLOATS


def gradient(
    definition: Definition,
    *,
    frozen: bool = False,
    inputs: Collection[int] | None = None,
    results: Collection[int] | None = None,
) -> Gradient:
    """Return the gradient of a definition with respect to its float tensors and its trainable weights, if it is not
    `frozen`.

    Args:
        definition: The formula.
        frozen: Whether its weights are not trained.
        inputs: The numbers of the tensors whose gradient is wanted; all of them if not given.
        results: The numbers of the results for which a gradient comes back; all of them if not given.

    Raises:
        CannotDerive: What passes back through an op is not known, or needs an unknown size.

    >>> from layerexplain.lang.axes import BATCH
    >>> import layerexplain.ops
    >>> x = tensor("x", (BATCH, 3))
    >>> found = gradient(Definition("square", (x,), (), {"y": x * x}))
    >>> from layerexplain.lang.text import program
    >>> print(program(found.backward))
    dx = 2 * dy * x
    """
    opened_results, inside = inline_calls(definition)
    weights = () if frozen else definition.weights
    tensors = [param for i, param in enumerate(definition.params) if inputs is None or i in inputs]
    trained = [weight for weight in weights if weight.attrs["trainable"]]
    updated = {str(e.label): e for e in inside if e.label}
    # What a layer stores in the variable of a weight before it uses it takes the weight's place.
    before = {
        str(w.label): str(definition.updates[str(w.label)].label) for w in trained if str(w.label) in definition.updates
    }
    of_leaf = {updated.get(before.get(str(e.label), ""), e): e for e in (*tensors, *trained) if is_float(e)}
    wanted = list(of_leaf)
    names = GradientNames(definition, opened_results, inside)
    seeds = {
        name: tensor(f"d{name}", e.shape, e.dtype)
        for i, (name, e) in enumerate(opened_results.items())
        if is_float(e) and (results is None or i in results)
    }
    taken = {str(leaf.label) for leaf in definition.leaves}
    walk_back = Backward(inside, wanted, names)
    fresh = walk_back.to_leaves([(opened_results[name], dy) for name, dy in seeds.items()])
    gradients: dict[str, Expr] = {}
    of: dict[Expr, str] = {}
    for node, e in fresh.items():
        leaf = of_leaf[node]
        of[leaf] = free(f"d{node.label}", {*taken, *gradients})
        gradients[of[leaf]] = e
    leaves = (*definition.params, *seeds.values())
    whole = Definition(f"{definition.name}_gradient", leaves, definition.variables, gradients)
    backward, kept = _without_forward(whole, walk_back.forward, names)
    unreached = tuple(str(of_leaf[node].label) for node in wanted if node not in fresh)
    return Gradient(whole, backward, kept, unreached, opened_results, of)


def gradient_of_number(definition: Definition, leaf: Expr) -> Definition:
    """Return how the one number that a definition computes changes with one of its leaves.

    Raises:
        CannotDerive: As `gradient` does; also where the number does not depend on the leaf.

    >>> import layerexplain.ops
    >>> from layerexplain.lang.text import program
    >>> from layerexplain.ops.reduce import sum_
    >>> x = tensor("x", (3,))
    >>> print(program(gradient_of_number(Definition("square", (x,), (), {"L": sum_(x * x, axis=None)}), x)))
    dx = 2 * x
    """
    results, inside = inline_calls(definition)
    ((_, number),) = results.items()
    gradients_of_leaves = Backward(inside, [leaf], GradientNames(definition, results, inside)).to_leaves(
        [(number, constant(1))]
    )
    if leaf not in gradients_of_leaves:
        raise CannotDerive(f"it does not depend on {leaf.label}")
    gradients = {f"d{leaf.label}": gradients_of_leaves[leaf]}
    return Definition(f"{definition.name}_gradient", definition.params, definition.variables, gradients)


def _with_bodies(nodes: Sequence[Expr]) -> Iterator[Expr]:
    for node in nodes:
        yield node
        if node.op is LOOP:
            yield from _with_bodies(node.attrs["body"].order)


class GradientNames:
    """The names of forward values, from which those of their gradients are made."""

    def __init__(self, definition: Definition, results: Mapping[str, Expr], inside: Sequence[Expr]) -> None:
        self.names: dict[Expr, str] = {e: name for name, e in reversed(list(results.items()))}
        self.taken = {str(leaf.label) for leaf in definition.leaves} | set(results)
        labels = {node.label for node in _with_bodies(inside) if node.label}
        self.gates = labels & {label.partition("_")[2] for label in labels}
        """Names of values for each of which a weight has a part: i with W_i and U_i."""
        self.argument = "a" if any(label.partition("_")[0] == "z" for label in self.gates) else "z"
        """What the argument of a function is called: z, if that is not the name of a gate."""
        self.add(inside)

    def add(self, nodes: Sequence[Expr]) -> None:
        """Name the nodes of a body that textbooks name: the argument of an activation, normalized values."""
        self.taken |= {str(node.label) for node in nodes if node.label}
        for node in nodes:
            if node.op is CALL and len(node.args) == 1:  # functions; all others are opened
                gate = node.label if node.label in self.gates else None
                self._name(node.args[0], f"{self.argument}_{gate}" if gate else self.argument)
            elif normalized(node) is not None:
                self._name(node, "x_hat")
                self._name(node.args[1], "σ")

    def _name(self, node: Expr, name: str) -> None:
        if node.op not in LEAVES and node.label is None and node not in self.names and not is_light(node):
            self.names[node] = free(name, self.taken)
            self.taken.add(self.names[node])

    def label(self, node: Expr) -> str | None:
        """Return the name of a forward value, None if it has none."""
        return node.label or self.names.get(node)

    def label_kept(self, node: Expr) -> str:
        """Return the name of a forward value that is kept."""
        return self.label(node) or name_from_maker(node, self.label) or "a"


# The walk ---------------------------------------------------------------------------------------------------------


class Backward:
    """The walk over the nodes of one body. `extra` are nodes that the forward pass needs besides, to collect what loops
    keep."""

    def __init__(self, order: Sequence[Expr], wanted: Sequence[Expr], names: GradientNames) -> None:
        self.order = order
        self.names = names
        self.extra: list[Expr] = []
        self.wanted = wanted
        self.active: set[Expr] = set(wanted)
        for node in order:
            if node not in self.active and any(arg in self.active for arg in node.args) and passes(node):
                self.active.add(node)
        self.sent: dict[Expr, Expr] = {}
        self.parts: dict[Expr, dict[int, Expr]] = {}

    @property
    def forward(self) -> set[Expr]:
        """The nodes of the forward pass whose values are kept, if the gradient reads them."""
        return {node for node in (*self.order, *self.extra) if not is_light(node)}

    def to_leaves(self, seeds: Sequence[tuple[Expr, Expr]]) -> dict[Expr, Expr]:
        """Return what comes back to the leaves that are wanted, written as a textbook does."""
        sent = self.run(seeds)
        reached = [leaf for leaf in self.wanted if leaf in sent]
        forward = self.forward
        gradients = Simplifier(forward).values([sent[leaf] for leaf in reached], {node: node for node in forward})
        return dict(zip(reached, gradients, strict=True))

    def run(self, seeds: Sequence[tuple[Expr, Expr]]) -> dict[Expr, Expr]:
        """Return what comes back to each node, given nodes and their gradients."""
        self.seeds = {str(dy.label) for _, dy in seeds}
        for e, dy in seeds:
            self._send(e, dy)
        for node in reversed(self.order):
            if node not in self.active or not node.args:
                continue
            if node.op is ITEM:
                if node in self.sent:
                    self.parts.setdefault(node.args[0], {})[node.attrs["i"]] = self._named(node)
            elif type(node.shape) is ResultShapes:
                if node in self.parts:
                    expressions = [self.parts[node].get(i) for i in range(len(node.shape))]
                    self._back(node, expressions)
            elif node in self.sent:
                self._back(node, self._named(node))
        return {node: self._whole(self.sent[node], node) for node in self.sent}

    def _named(self, node: Expr) -> Expr:
        e = self.sent[node]
        label = self.names.label(node) if node.op is not reshape else None
        if label is None and len([arg for arg in node.args if arg in self.active]) > 1:  # it is read twice
            label = name_from_maker(node, self.names.label)
        return named(f"d{label}" if f"d{label}" not in self.seeds else f"d{label}_total", e) if label else e

    def inside(self, order: Sequence[Expr], wanted: Sequence[Expr]) -> Backward:
        """Return the walk over the body of a loop."""
        self.names.add(order)
        return Backward(order, wanted, self.names)

    def _send(self, node: Expr, e: Expr) -> None:
        known = self.sent.get(node)
        self.sent[node] = e if known is None else known + e

    def _whole(self, e: Expr, node: Expr) -> Expr:
        """Return a gradient at the full shape of its node."""
        if e.shape == node.shape:
            return e
        if any(size is None for size in node.shape):
            from layerexplain.ops.arrange import full_like

            return e + full_like(node, value=0)
        return broadcast_to(e, shape=node.shape)

    def _back(self, node: Expr, dy: Any) -> None:
        if node.op is LOOP:
            for arg, e in BackwardLoop(node, dy if isinstance(dy, list) else [dy], self).sent.items():
                self._send(arg, e)
            return
        pattern = normalized(node)
        if pattern is not None and pattern[0] in self.active:
            x, centred = pattern
            self._send(x, through_normalization(node, self._whole(dy, node), centred))
            return
        elementwise = is_elementwise(node.op) or (node.op is CALL and node.attrs["definition"].scalar)
        if not elementwise and isinstance(dy, Expr):
            dy = self._whole(dy, node)
        for i, arg in enumerate(node.args):
            if arg not in self.active:
                continue
            back = _back_to(node, dy, i)
            if back is not None:
                self._send(
                    arg, _fitted(back, arg, node) if elementwise or node.op.name in ("matmul", "broadcast_to") else back
                )


def passes(node: Expr) -> bool:
    """Return whether a gradient passes through a node. A rule that is missing is found on the way back."""
    if type(node.shape) is ResultShapes:
        return any(dtype in FLOATS for dtype in node.dtype)
    if not is_float(node) and not is_complex(node):
        return False
    rule = node.op.gradient
    return not isinstance(rule, Marker) or isinstance(rule, UNKNOWN_GRADIENT) or rule is STRUCTURAL


def _back_to(node: Expr, dy: Any, i: int) -> Expr | None:
    """Return what an argument gets. That of a complex one is, as in TensorFlow, the real part's plus i times the
    imaginary part's: of a function of complex numbers the rule holds for the conjugates."""
    rule = _rule(node)
    arg = node.args[i]
    if not is_complex(node) or node.op.name == "complex":
        return rule(node, dy, i)
    if not isinstance(dy, Expr):
        raise CannotDerive(f"the gradient of {node.op.name} of complex numbers is not known")
    back = rule(node, conjugate(dy), i)
    if back is None:
        return None
    return conjugate(back) if is_complex(arg) else real(back)


def _rule(node: Expr) -> Callable[[Expr, Any, int], Expr | None]:
    if node.op is CALL:
        definition = node.attrs["definition"]
        composite = COMPOSITES[definition.name]
        gradient, slope = composite.gradient, composite.slope
        if gradient is not None:
            return lambda y, dy, i: gradient(y, dy, i, **definition.attrs)
        if slope is None:
            raise CannotDerive(f"{definition.name} has no slope")
        return lambda y, dy, i: dy * slope(y.args[0], y, **definition.attrs)
    rule = node.op.gradient
    if isinstance(rule, Marker):
        raise CannotDerive(f"{node.attrs.get('name', node.op.name)}: {rule.reason}")
    result: Callable[[Expr, Any, int], Expr | None] = rule
    return result


def _fitted(e: Expr, arg: Expr, node: Expr) -> Expr:
    """Return the gradient of an argument that broadcasts: summed over the axes along which it was repeated."""
    extra = node.ndim - arg.ndim
    repeated = [k for k in range(node.ndim) if k < extra or (arg.shape[k - extra] == 1 and node.shape[k] != 1)]
    if not repeated:
        return e
    # Along some of these axes the gradient itself may be one value for all.
    lacking = node.ndim - e.ndim
    alone = [k for k in repeated if k < lacking or (e.shape[k - lacking] == 1 and node.shape[k] != 1)]
    summed = [k for k in repeated if k not in alone]
    count: Any = 1
    if alone:
        count = count_of(node, tuple(alone))
    keep = [k - lacking for k in summed if k >= extra]
    drop = tuple(k - lacking for k in summed if k < extra)
    if keep:
        e = sum_(e, axis=tuple(keep), keepdims=True)
    if drop:
        e = sum_(e, axis=drop)
    surplus = e.ndim - arg.ndim
    if surplus > 0:  # axes of size 1 in front
        e = slice_along(e, dict.fromkeys(range(surplus), 0))
    return e if isinstance(count, int) and count == 1 else count * e


# What is kept of the forward pass ---------------------------------------------------------------------------------


def _without_forward(
    whole: Definition, forward: set[Expr], names: GradientNames
) -> tuple[Definition, dict[Expr, Expr]]:
    """Return the gradient with what it reads of the forward pass as parameters, and the node that each stands for."""
    roots = list(whole.results.values())
    cheap: dict[Expr, bool] = {}
    for node in sorted(forward, key=lambda n: n.serial):
        number = bool(node.args) and all(arg.op is CONSTANT for arg in node.args)
        moves = node.op.flops is FREE and node.op not in (CALL, LOOP) and node.op.element is not RANDOM
        cheap[node] = node.op in LEAVES or number or (moves and all(cheap.get(arg, False) for arg in node.args))
    dear = {node for node in forward if not cheap[node]}
    needed = _before_moves(needed_of(roots, dear), forward, names)
    leaves = {*whole.params, *whole.weights}
    kept: dict[Expr, Expr] = {}
    taken = {str(leaf.label) for leaf in leaves} | set(whole.results)
    taken |= {str(node.label) for node in walk(roots, dear) if node.label and node not in forward}
    env: dict[Expr, Any] = {}
    roles = AxisRoles({}).within(whole, walk(needed))
    for node in needed:
        label = free(names.label_kept(node), taken)
        taken.add(label)
        stand_in = tensor(label, node.shape, node.dtype, roles[node])
        kept[stand_in] = node
        env[node] = stand_in
    results = dict(zip(whole.results, _Cut().values(roots, env), strict=True))
    used = set(walk(results.values()))
    params = [p for p in whole.params if p in used] + list(kept)
    weights = tuple(w for w in whole.weights if w in used)
    return Definition(whole.name, tuple(params), weights, results), kept


def _before_moves(needed: Sequence[Expr], forward: Collection[Expr], names: GradientNames) -> list[Expr]:
    """Return what is kept, given what is read: of a value that is only moved, by a reshape or a transposition, the
    value itself where that is kept anyway or has a name."""
    expressions = set(needed)
    for node in reversed(needed):
        source = node
        while source.op.flops is FREE and source.op not in (CALL, LOOP, ITEM) and len(source.args) == 1:
            (source,) = source.args
            if source.op.element is RANDOM or source.op in LEAVES:
                break
            if source in expressions or (source in forward and names.label(source)):
                expressions.remove(node)
                expressions.add(source)
                break
    return sorted(expressions, key=lambda node: node.serial)


class _Cut(Copier):
    """Copy a formula; nodes whose arguments do not change stay as they are. No gradient is stopped in a gradient."""

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return env[node.args[0]] if node.op is stop_gradient else super().op(node, env)

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        if attrs is node.attrs and all(env[a] is a for a in node.args):
            return node
        return super().like(node, env, attrs)
