"""weight_norm and spectral_norm of torch.nn.utils: a module one of whose weights is computed from others.

Each has two forms: that of torch.nn.utils, which stores `weight_g`, and that of torch.nn.utils.parametrizations, which
stores `parametrizations.weight.original0`. Reference: torch.nn.utils.
"""

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, item, named, rounds, weight
from layerexplain.layers.arguments import Anything, Bool, Int, Number, PositiveInt, Text
from layerexplain.layers.declaration import Spec, Stored
from layerexplain.layers.registry import TORCH, find
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.construction import module
from layerexplain.ops.contract import matmul
from layerexplain.ops.elementwise import sqrt
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.movement import reshape, stop_gradient, transpose
from layerexplain.ops.reduce import sum_

_LINEAR = Facts(example=(("type=Linear", "arguments={in_features: 784, out_features: 10}"), ("784",)))


class _Inner:
    """The module whose weight is computed: its formula, and its weights as leaves of the formula around it."""

    def __init__(self, x: Expr, type_: str, arguments: Any, name: str, *, is_new: bool) -> None:
        declaration = find(f"{TORCH}{type_}")
        if declaration is None:
            raise ArgumentError(f"layerexplain has no formula for nn.{type_}")
        self.definition: Definition = declaration.trace([Spec(x.shape, x.dtype)], declaration.bind(dict(arguments)))
        self.weights = [Expr(w.op, (), w.attrs, w.shape, w.dtype, w.label) for w in self.definition.weights]
        self.x, self.name, self.is_new = x, name, is_new
        numbers = [i for i, w in enumerate(self.weights) if w.attrs["name"] == name]
        if not numbers:
            raise ArgumentError(f"nn.{type_} has no weight {name!r} to compute")
        self.place = numbers[0]
        self.weight = self.weights[self.place]
        self.axes = [list(factors) for factors in self.weight.attrs["axes"]]

    def stored(self, old: str, new: str, symbol: str, axes: Any, **rules: Any) -> Expr:
        """Return a weight that is stored in place of the computed one, by its name in each of the two forms."""
        if not self.is_new:
            return weight(f"{self.name}_{old}", symbol, axes, **rules)
        *steps, last = new.split(".")
        return weight(last, symbol, axes, at=".".join(["parametrizations", self.name, *steps]), **rules)

    def result(self, computed: Expr, own: list[Expr], updates: Mapping[str, Expr] = {}) -> Stored:
        """Return what the module gives with the computed weight. Its other weights come first."""
        y = call(self.definition, self.x, *[computed if w is self.weight else w for w in self.weights])
        names = list(self.definition.results)
        results = {name: item(y, i) for i, name in enumerate(names)} if len(names) > 1 else y
        return Stored(results, (*[w for w in self.weights if w is not self.weight], *own), updates)


@module("utils.weight_norm", gist="{type} with W = g V / |V|", facts=_LINEAR)
def weight_norm(
    x: Expr,
    *,
    type: Text,  # the name that the configuration has
    arguments: Anything = (),
    name: Text = "weight",
    dim: Int | None = 0,
    is_new: Bool = False,
) -> Stored:
    """Applies {type}, whose weight is a length times a direction: W = g · V / |V|.

    Input shape: that of the module. Output shape: likewise. Reference: torch.nn.utils.weight_norm.
    """
    inner = _Inner(x, type, arguments, name, is_new=is_new)
    kept = None if dim is None or dim == -1 else dim
    sizes = [axis if i == kept else ("repeated", 1) for i, axis in enumerate(inner.axes)]
    g = inner.stored("g", "original0", "g", [] if kept is None else sizes)
    v = inner.stored("v", "original1", "V", inner.axes)
    others = None if kept is None else tuple([i for i in range(v.ndim) if i != kept])
    length = sqrt(sum_(v**2, axis=others, keepdims=kept is not None))
    return inner.result(named("W", g * v / length, "a length times a direction"), [g, v])


@module("utils.spectral_norm", gist="{type} with W = V / σ", facts=_LINEAR)
def spectral_norm(
    x: Expr,
    *,
    type: Text,  # the name that the configuration has
    arguments: Anything = (),
    name: Text = "weight",
    n_power_iterations: PositiveInt = 1,
    eps: Number = 1e-12,
    dim: Int | None = None,
    is_new: Bool = False,
    training: bool = False,
) -> Stored:
    """Applies {type}, whose weight is divided by its largest singular value σ, which the stored vectors u and v give.

    In training {n_power_iterations} steps of power iteration change u and v first.
    Input shape: that of the module. Output shape: likewise. Reference: torch.nn.utils.spectral_norm.
    """
    inner = _Inner(x, type, arguments, name, is_new=is_new)
    own = inner.stored("orig", "original", "V", inner.axes)
    first = dim if dim is not None else int(type.startswith("ConvTranspose"))
    M = own if first == 0 else transpose(own, axes=(first, *[i for i in range(own.ndim) if i != first]))
    M = named("M", reshape(M, shape=(M.shape[0], -1)), "the weight as a matrix")
    fixed = {"trainable": False, "buffer": True}
    u = inner.stored("u", "0._u", "u", [("rows", M.shape[0])], **fixed)
    v = inner.stored("v", "0._v", "v", [("columns", M.shape[1])], **fixed)
    left, right = u[None], v[:, None]
    for i in rounds(2 * n_power_iterations if training else 0):
        if i % 2 == int(not is_new):  # one form begins with u, the other one with v
            left = named("u_new", l2_normalize(transpose(matmul(M, right), axes=(1, 0)), axis=None))
        else:
            turned = matmul(transpose(M, axes=(1, 0)), transpose(left, axes=(1, 0)))
            right = named("v_new", l2_normalize(turned, axis=None))
    updates = {"u": left[0], "v": right[:, 0]} if training else {}
    left, right = (stop_gradient(left), stop_gradient(right)) if training else (left, right)
    sigma = named("sigma", matmul(matmul(left, M), right)[0, 0], "its largest singular value")
    return inner.result(named("W", own / sigma), [own, u, v], updates)
