"""The tensors on their way through a model, by who made them; where a shape is unknown, what the file recorded."""

from __future__ import annotations

from layerexplain.lang.expr import Expr, tensor
from layerexplain.layers.declaration import Spec
from layerexplain.model import Call, Layer, TensorRef
from layerexplain.network.recorded_shapes import built_shape, recorded_spec
from layerexplain.network.scope import Scope
from layerexplain.records import NamedTuple


class Tensor(NamedTuple):
    """A tensor on its way through a model: its expression, its mask and the layer that made the mask; `roles` as in
    its spec."""

    expr: Expr
    mask: Expr | None = None
    mask_source: str | None = None
    roles: tuple[str, ...] | None = None

    @property
    def spec(self) -> Spec:
        """Its shape and dtype, and what its axes are."""
        return Spec(self.expr.shape, self.expr.dtype, self.roles)

    @property
    def bare_spec(self) -> Spec:
        """Its shape and dtype alone."""
        return Spec(self.expr.shape, self.expr.dtype)

    @property
    def mask_spec(self) -> Spec | None:
        """Those of its mask; None where it has none."""
        return None if self.mask is None else Spec(self.mask.shape, self.mask.dtype)


class Tensors:
    """The tensors of one walk."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._made: dict[TensorRef, Tensor | None] = {}

    def __contains__(self, ref: TensorRef) -> bool:
        return ref in self._made

    def __setitem__(self, ref: TensorRef, value: Tensor | None) -> None:
        self._made[ref] = value

    def get(self, ref: TensorRef | None) -> Tensor | None:
        """The tensor; None where its shape is unknown, or nothing made it yet."""
        return None if ref is None else self._made.get(ref)

    def fed(self, layer: Layer, ref: TensorRef | None, i: int) -> Tensor | None:
        """The tensor that a layer takes as number `i`; where its shape is unknown, what the layer was built for."""
        if ref is None:
            return None
        known = self._made.get(ref)
        if known is None:
            shape = built_shape(layer, i)
            if shape is not None:
                known = self._made[ref] = Tensor(tensor(ref.layer, shape, "float"))
        return known

    def recorded(self, made: Call) -> list[Spec]:
        """What the file says of the outputs of a call; else what the first layer that takes one was built for."""
        found: list[Spec] = []
        while (spec := recorded_spec(self._scope.model, TensorRef(made.layer, made.index, len(found)))) is not None:
            found.append(spec)
        if not found and (spec := self._wanted(TensorRef(made.layer, made.index))) is not None:
            found.append(spec)
        return found

    def put_recorded(self, made: Call, specs: list[Spec]) -> None:
        """Keep the outputs of a call that are known only by what was recorded; with none, its first is unknown."""
        for i, spec in enumerate(specs):
            self._made[TensorRef(made.layer, made.index, i)] = Tensor(tensor(made.layer, spec.shape, spec.dtype))
        if not specs:
            self._made.setdefault(TensorRef(made.layer, made.index), None)

    def _wanted(self, ref: TensorRef) -> Spec | None:
        """The shape that the first layer fed with a tensor was built for."""
        readers = self._scope.readers.get(ref)
        shape = built_shape(readers[0][0], readers[0][2]) if readers else None
        return None if shape is None else Spec(shape, "float")
