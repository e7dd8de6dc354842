"""A model at given shapes, as data: every call with its definition, and the tensors on their way."""

import re

from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.registry import Spec
from layerexplain.model import Call, Model, Note, TensorRef
from layerexplain.records import NamedTuple


class TracedCall(NamedTuple):
    """One call of a layer: what feeds it, the definition at these shapes, what comes out.

    `definition` is None where the shapes that reach the layer are not known. `mask` is the layer that made the mask
    that it reads or hands on. `network` is that of a nested model. `built` says that the file tells of no call: the
    layer is traced at the shapes with which it was built, and how often it is called is not known. `node` is the call
    in the model's own expression, an input its leaf; None where a model is walked without making one.
    """

    call: Call
    sources: tuple[TensorRef, ...]
    inputs: tuple[Spec | None, ...]
    outputs: tuple[Spec | None, ...]
    definition: Definition | None
    mask: str | None
    network: "Network | None" = None
    built: bool = False
    node: Expr | None = None


class Use(NamedTuple):
    """A call, and how often the models around it make it."""

    made: TracedCall
    times: int


class Network(NamedTuple):
    """A model at given input shapes. `calls` are in the order of computation; `definition` is the model as a formula,
    made for nested ones only; None, too, where the shapes are not known. `faults` are those of its layers, in the order
    of their lines, those that reading found among them."""

    model: Model
    calls: tuple[TracedCall, ...]
    definition: Definition | None
    notes: tuple[Note, ...]
    faults: tuple[LayerExplainError, ...] = ()

    def of_layer(self, name: str) -> list[TracedCall]:
        """The calls of a layer, in the order of their numbers."""
        return sorted((c for c in self.calls if c.call.layer == name), key=lambda c: c.call.index)


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


def identifier(name: str) -> str:
    """A layer's name as a name of the formula language."""
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "layer"
    return f"layer_{cleaned}" if cleaned[0].isdigit() else cleaned
