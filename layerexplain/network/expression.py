"""A whole model as one formula, grown call by call: inputs, nodes, and each layer's weights once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from layerexplain.attribute_path import LayerNamed, WeightPath, path_names
from layerexplain.derive.roles import Roles, is_unusual
from layerexplain.errors import ShapeError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import WEIGHT, Expr, item, named, tensor, weight
from layerexplain.lang.names import identifier
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import inner_weights
from layerexplain.model import Layer, Model, ModelWeight, TensorRef
from layerexplain.network.recorded_shapes import Mask, RecordedTensor, Tensors, spec_dtype


class ModelExpression:
    """The formula of a model on its way. A model that nothing wraps needs none: unless it is `linked`, no nodes are
    made, and of what a call gives only shape and dtype count."""

    def __init__(self, model: Model, linked: bool) -> None:
        self.linked = linked
        self._model = model
        self._numbers = {ref: i for i, ref in reversed([*enumerate(model.inputs, start=1)])}
        self._params: dict[TensorRef, Expr] = {}
        self._masks: list[Expr] = []
        self._weights: dict[str, tuple[Expr, ...]] = {}
        self._states: dict[str, tuple[Expr, ...]] = {}
        """What each layer with states begins with; `_weights` has, behind its weights, what its last call left."""
        self._definitions: dict[str, Definition] = {}

    def input(self, ref: TensorRef, spec: Spec, given_mask: Spec | None) -> RecordedTensor:
        """Return the parameter for an input, with the parameter for the mask that it is given."""
        number = ""
        if len(self._numbers) > 1 or ref not in self._numbers:
            number = str(self._numbers[ref]) if ref in self._numbers else f"_{identifier(ref.layer)}"
        leaf = self._params[ref] = tensor(f"x{number}", *spec)
        if given_mask is None:
            return RecordedTensor(leaf, roles=spec.roles)
        mask = tensor("mask" if not number else f"mask{number}", given_mask.shape, given_mask.dtype)
        self._masks.append(mask)
        return RecordedTensor(leaf, Mask(mask, ref.layer), spec.roles)

    def weight(self, own: ModelWeight) -> RecordedTensor:
        """Return the leaf for a variable that belongs to the model itself."""
        trainable = own.trainable and self._model.trainable
        axes = [(f"axis {i}", size) for i, size in enumerate(own.shape)]
        leaf = weight(own.name, identifier(own.name), axes, dtype=spec_dtype(own.dtype), trainable=trainable)
        self._weights[own.name] = (leaf,)
        return RecordedTensor(leaf)

    def call(
        self, layer: Layer, index: int, definition: Definition, args: Sequence[Expr]
    ) -> tuple[Expr | None, list[Expr]]:
        """Return the call as a node (None if nothing is linked), and its results. Raises `ShapeError` where the layer's
        weights have other shapes than at its first call."""
        first = self._definitions.setdefault(layer.name, definition)
        if not self.has_weights_for(layer, definition):
            raise ShapeError(
                f"every call needs inputs that fit the same weights: the first call needs weights of shapes "
                f"{', '.join(str(w.shape) for w in first.weights)}, this one "
                f"{', '.join(str(w.shape) for w in definition.weights)}"
            )
        if not self.linked:
            return None, list(definition.results.values())
        node = call(definition, *args, *self._weights_of(layer, definition))
        if definition.states:  # the next call of the layer begins where this one ends
            new = [item(node, i) for i in range(len(definition.outputs))][-len(definition.states) :]
            self._weights[layer.name] = (*self._weights[layer.name][: len(definition.weights)], *new)
        count = len(definition.results)
        outputs = [node] if not isinstance(node.shape, ResultShapes) else [item(node, i) for i in range(count)]
        again = f"_{index + 1}" if index else ""
        label = identifier(layer.name) + again
        return node, [named(label + (f"_{i}" if i else ""), e) for i, e in enumerate(outputs)]

    def has_weights_for(self, layer: Layer, definition: Definition) -> bool:
        """Return whether the weights of a layer are of the shapes of a definition, or it has none before."""
        first = self._definitions.get(layer.name, definition)
        return first is definition or [w.shape for w in first.weights] == [w.shape for w in definition.weights]

    def _weights_of(self, layer: Layer, definition: Definition) -> tuple[Expr, ...]:
        weights = self._weights.get(layer.name)
        if weights is None:
            trainable = bool(layer.config.get("trainable", True)) and self._model.trainable
            suffix = f"_{identifier(layer.name)}"
            at = (LayerNamed(layer.name),)
            names = partial(_names_below, layer)
            weights = tuple(inner_weights(definition, at, names, suffix, trainable))
            self._weights[layer.name] = weights
            self._states[layer.name] = weights[len(definition.weights) :]
        return weights

    def roles(self, definition: Definition) -> tuple[Roles | None, ...] | None:
        """Return the roles of the results' axes; None where they follow from the number of axes, as nearly always."""
        answers = definition.answers
        if "roles" not in answers:
            answers["roles"] = None
            if is_unusual(definition):
                from layerexplain.derive.shape_reasons import result_roles

                answers["roles"] = result_roles(definition)
        roles: tuple[Roles | None, ...] | None = answers["roles"]
        return roles

    def definition(self, tensors: Tensors) -> Definition | None:
        """Return the whole model; None if it is not linked, or an input or output is unknown."""
        outputs = [tensors.get(ref) for ref in self._model.outputs]
        known = all(ref in self._params for ref in self._model.inputs)
        if not self.linked or not known or any(t is None for t in outputs):
            return None
        names = ["y"] if len(outputs) == 1 else [f"y{i + 1}" for i in range(len(outputs))]
        names_of_weights = [one.name for one in self._model.weights] + [layer.name for layer in self._model.layers]
        return Definition(
            identifier(self._model.name or self._model.type),
            (*[self._params[ref] for ref in self._model.inputs], *self._masks),
            tuple([w for name in names_of_weights for w in self._weights.get(name, ()) if w.op is WEIGHT]),
            {name: t.expr for name, t in zip(names, outputs, strict=True) if t is not None},
            kind="model",
            masks=tuple(t.mask.expr for t in outputs if t is not None),
            states={
                leaf: new
                for name, leaves in self._states.items()
                for leaf, new in zip(leaves, self._weights[name][-len(leaves) :], strict=False)
            },
        )


def _names_below(layer: Layer, path: WeightPath) -> WeightPath:
    return (layer.name, *path_names(path, layer))
