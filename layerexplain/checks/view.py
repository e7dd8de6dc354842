"""A traced network as rules ask of it: who feeds whom, what a call ends with, what is between two layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.checks.stored import StoredWeight
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, Expr
from layerexplain.lang.visit import nodes
from layerexplain.layers.keras.losses import Loss, loss_of
from layerexplain.model import Layer, Setting, TensorRef
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import grouped

_MOVES = frozenset({"cast", "reshape", "transpose", "item"})
"""Operations that leave the values as they are."""

_LINEAR = frozenset({"conv", "depthwise_conv", "conv_transpose", "dot", "einsum", "matmul"})

MERGES = frozenset({"add", "subtract", "concatenate", "multiply", "average", "maximum", "minimum"})


class CheckedNetwork:
    """A network with its calls and layers by name; `stored` are its weights where their values are asked for."""

    def __init__(self, network: Network, stored: tuple[StoredWeight, ...] = ()) -> None:
        self.network = network
        self.stored = stored
        self.layers: dict[str, Layer] = {layer.name: layer for layer in network.model.layers}
        self.calls: dict[tuple[str, int], TracedCall] = {(c.call.layer, c.call.index): c for c in network.calls}
        self._readers = grouped((ref.layer, made) for made in network.calls for ref in made.sources)
        self._outputs = frozenset([ref.layer for ref in network.model.outputs])
        self._endings: dict[int, str] = {}
        self._makers: dict[int, TracedCall | None] = {}

    @property
    def faults(self) -> tuple[LayerExplainError, ...]:
        """The errors of a model that a person wrote: those of a file that Keras wrote are told in notes."""
        model = self.network.model
        return self.network.faults if model.strict or model.format == "code" else ()

    # Calls --------------------------------------------------------------------------------------------------------

    def derived(self) -> Iterator[TracedCall]:
        """The first calls of layers that have a formula, inputs left out."""
        for made in self.network.calls:
            if made.definition is not None and made.network is None and made.sources and made.call.index == 0:
                yield made

    def call_of(self, ref: TensorRef) -> TracedCall | None:
        """The call that makes a tensor."""
        return self.calls.get((ref.layer, ref.call))

    def before(self, made: TracedCall) -> TracedCall | None:
        """The call that makes the only tensor of this one; None where there are several."""
        return self.call_of(made.sources[0]) if len(made.sources) == 1 else None

    def after(self, made: TracedCall) -> list[TracedCall]:
        """The calls that read what this layer makes."""
        return self._readers.get(made.call.layer, [])

    def only_after(self, made: TracedCall) -> TracedCall | None:
        """The one call that reads it, and which takes nothing else; None where there is no such one, or where the model
        gives the tensor out."""
        readers = self.after(made)
        alone = len(readers) == 1 and len(readers[0].sources) == 1
        return readers[0] if alone and not self.is_output(made) else None

    def fed(self) -> Iterator[tuple[TracedCall, TracedCall]]:
        """The calls of `derived` that take one tensor, each behind the call that makes it."""
        for made in self.derived():
            before = self.before(made)
            if before is not None:
                yield before, made

    def chained(self, *behind: str) -> Iterator[tuple[TracedCall, TracedCall]]:
        """The calls of `derived` whose result goes to one layer of the types `behind` alone, each with the call of that
        layer."""
        for made in self.derived():
            reader = self.only_after(made)
            if reader is not None and self.type_of(reader) in behind:
                yield made, reader

    def is_output(self, made: TracedCall) -> bool:
        """Whether the model gives out what a call makes."""
        return made.call.layer in self._outputs

    def type_of(self, made: TracedCall) -> str:
        """The class name of its layer."""
        return self.layers[made.call.layer].type

    def config(self, made: TracedCall) -> Mapping[str, Any]:
        """The configuration of its layer."""
        return self.layers[made.call.layer].config

    @staticmethod
    def weights(made: TracedCall) -> Sequence[Expr]:
        """The weights of its layer; none where the formula is not known."""
        return () if made.definition is None else made.definition.weights

    @staticmethod
    def argument(made: TracedCall, name: str, default: Any = None) -> Any:
        """An argument that its formula was made with; the default where it has none of that name."""
        return default if made.definition is None else made.definition.arguments.get(name, default)

    # What a call computes -----------------------------------------------------------------------------------------

    def ends_with(self, made: TracedCall) -> str:
        """The function that makes the values of a call's first output: "softmax", "relu", "add", …; "" where the values
        are those of its input."""
        found = self._endings.get(id(made))
        if found is None:
            found = self._endings[id(made)] = self._ends_with(made)
        return found

    @staticmethod
    def _ends_with(made: TracedCall) -> str:
        if made.definition is None:
            return "?"
        node = next(iter(made.definition.results.values()))
        while True:
            if node.op is INPUT:
                return ""
            if node.op is CALL:
                return str(node.attrs["definition"].name)
            if node.op.name not in _MOVES:
                return node.op.name
            node = node.args[0]

    def activation(self, made: TracedCall) -> str:
        """The activation of a call, also where it is a layer before one that only moves values: "linear" for a weighted
        sum, "" for what is none of these."""
        maker = self.maker(made)
        if maker is None:
            return ""
        last = self.ends_with(maker)
        return "linear" if (last == "add" and self.is_linear(maker)) or last in _LINEAR else last

    def maker(self, made: TracedCall) -> TracedCall | None:
        """The call that makes the values that a call gives: itself, or the one before it if it only moves values, and
        so on; None where these are an input's."""
        passed: list[int] = []
        seen: TracedCall | None = made
        while seen is not None and id(seen) not in self._makers and not self.ends_with(seen):
            passed.append(id(seen))
            seen = self.before(seen)
        found = None if seen is None else self._makers.get(id(seen), seen)
        # Each of a long chain of moves asks for the same one: it is looked for once.
        self._makers.update(dict.fromkeys(passed, found))
        return found

    def is_linear(self, made: TracedCall) -> bool:
        """Whether a call is a weighted sum of its input, with or without a bias, and nothing else."""
        definition = made.definition
        if definition is None or not definition.weights or self.ends_with(made) not in {*_LINEAR, "add"}:
            return False
        inner = [node for node in nodes(definition) if node.op not in (INPUT, CONSTANT) and node.args]
        return all(node.op.name in _LINEAR or node.op.name in _MOVES or _is_bias(node) for node in inner)

    # Training -----------------------------------------------------------------------------------------------------

    def losses(self) -> Iterator[tuple[TracedCall, Shape, Loss, Setting]]:
        """For each output with a known loss: the call that makes it, its shape, the loss and its setting."""
        training = self.network.model.training
        if training is None:
            return
        for ref in self.network.model.outputs:
            setting = training.losses.get(ref.layer) or training.losses.get("")
            made = self.call_of(ref)
            loss = None if setting is None else loss_of(setting.name)
            if setting is None or made is None or loss is None or ref.output >= len(made.outputs):
                continue
            spec = made.outputs[ref.output]
            if spec is not None:
                yield made, spec.shape, loss, setting


def _is_bias(node: Expr) -> bool:
    return node.op.name == "add" and any(arg.op.name == "weight" for arg in node.args)
