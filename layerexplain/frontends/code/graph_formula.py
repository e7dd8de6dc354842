"""The graph behind the `call` of an own layer → its formula: operations in line, layers as calls on their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import ItemNamed, LayerNamed, Steps
from layerexplain.call_binding import bind_call
from layerexplain.errors import LayerExplainError, NotKnown, ShapeError
from layerexplain.frontends.code.emit import plain_call
from layerexplain.frontends.code.graphs import Graph
from layerexplain.frontends.code.shapes import CONSTANT_TYPE, WEIGHT_TYPE, declaration_of, held, is_shape
from layerexplain.frontends.code.values import (
    Instance,
    LayerValue,
    ModelValue,
    Node,
    Tensor,
    Unknown,
    Variable,
    layer_of,
    unknown_in,
)
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import WEIGHT, Expr, Shapes, constant, item, tensor, walk, weight
from layerexplain.lang.names import identifier
from layerexplain.layers.declaration import Spec, Stored, snake_case
from layerexplain.layers.registry import inner_weights
from layerexplain.model import Call, TensorRef

_MOST_NODES = 20_000


def not_known(name: str, path: str, reason: Unknown | None) -> NotKnown:
    """The error for a layer that cannot be followed, with the line and the reason."""
    if reason is None:
        return NotKnown(f"what {name} computes is not known")
    return NotKnown(f"what {name} computes is not known: {reason.reason} ({path}:{reason.line})")


class Formula:
    """Makes the formula of one layer from the graph of its `call`."""

    def __init__(self, keras: Any, path: str, training: bool) -> None:
        self.keras = keras
        self.path = path
        self.training = training
        self.leaves: dict[Any, Any] = {}

    def results(self, layer: ModelValue, given: Sequence[Expr]) -> Any:
        """The results of a layer on given tensors, with the weights that it holds."""
        self.ways = _ways(self.keras, layer)
        made = self._graph(layer, given)
        for _, _, what in self.ways.values():
            if isinstance(what, Variable):
                self._weight(what)
        called = self.leaves
        if len(called) > 1:  # once more, with the weights in Keras's order
            self.leaves = {key: again() for key, again in sorted(
                ((key, one[1]) for key, one in called.items()), key=lambda pair: self._rank(pair[0]))}  # fmt: skip
            made = self._graph(layer, given)
        names = ["y"] if len(made) == 1 else [f"y{i + 1}" for i in range(len(made))]
        results = dict(zip(names, made, strict=True))
        own = [leaf for one in self.leaves.values() for leaf in one[0]]
        return Stored(results["y"] if len(made) == 1 else results, tuple(own))

    def _rank(self, key: int) -> tuple[int, int]:
        """Where the weights of an object stand: what the layer trains itself, what it does not, then its layers."""
        place, what = self.ways[key][1:]
        if isinstance(what, Variable):
            return (0 if what.trainable else 1, place)
        return (2, place)

    def _graph(self, layer: ModelValue, given: Sequence[Expr]) -> list[Expr]:
        graph = self.keras.graph(layer)
        if graph is None:
            raise not_known(layer.type, self.path, layer.reason)
        if len(graph.inputs) != len(given):
            raise NotKnown(f"{layer.type} is called with {len(given)} tensors, and {len(graph.inputs)} are followed")
        values: dict[Tensor, Expr] = {}
        for placed, one in zip(graph.inputs, given, strict=True):
            spec = self.keras.shapes.of(placed)
            if spec is None or tuple(spec.shape) != tuple(one.shape):
                raise NotKnown(f"{layer.type} is called with tensors of several shapes, of which one is followed")
            values[placed] = one
        return self._nodes(graph, values)

    def _nodes(self, graph: Graph, values: dict[Tensor, Expr]) -> list[Expr]:
        hidden = {id(tensor.node) for tensor in graph.inputs}
        for node in graph.nodes[:_MOST_NODES]:
            if id(node) in hidden:
                continue
            try:
                made = self._node(node, values)
            except LayerExplainError as error:
                if isinstance(error, NotKnown):
                    raise
                raise type(error)(f"in {self.path}:{node.place.line}: {error.fact}") from None
            for i, one in enumerate(made):
                values[Tensor(node, i)] = one
        return [values[one] for one in graph.outputs]

    def _node(self, node: Node, values: Mapping[Tensor, Expr]) -> list[Expr]:
        """What one call gives."""
        layer = node.layer
        if layer.type == WEIGHT_TYPE and layer.kind == "custom":
            return [self._weight(layer.config["variable"])]
        if layer.reason is not None or (layer.kind == "custom" and layer.type != CONSTANT_TYPE):
            raise not_known(
                layer.type, self.path, layer.reason or Unknown("it is a class that is not read", node.place.line)
            )
        if layer.type == CONSTANT_TYPE and layer.kind == "custom":
            raise NotKnown(
                f"numbers that are drawn or computed apart are not followed yet ({self.path}:{node.place.line})"
            )
        unknown = unknown_in([*node.args, *node.kwargs.values(), layer.config])
        if unknown is not None:
            raise not_known(layer.type, self.path, unknown)
        if isinstance(layer, ModelValue):
            given = [values[one] for one in node.tensors()]
            if layer.form == "own":
                return self._called(
                    layer, Formula(self.keras, self.path, self.training).definition(layer, given), given
                )
            return self._graph_of_model(layer, given)
        return self._declared(node, layer, values)

    def _graph_of_model(self, layer: ModelValue, given: Sequence[Expr]) -> list[Expr]:
        """A model that the layer holds: its layers, one after the other."""
        graph = self.keras.graph(layer)
        if graph is None or len(graph.inputs) != len(given):
            raise NotKnown(f"the model '{layer.name}' is not followed ({self.path}:{layer.place.line})")
        return self._nodes(graph, dict(zip(graph.inputs, given, strict=True)))

    def definition(self, layer: ModelValue, given: Sequence[Expr]) -> Definition:
        """The definition of an own layer inside of another one."""
        params = [tensor(str(one.label or f"x{i}") if one.op.name == "input" else f"x{i + 1}", one.shape, one.dtype)
                  for i, one in enumerate(given)]  # fmt: skip
        made = self.results(layer, params)
        results = made.result if isinstance(made.result, Mapping) else {"y": made.result}
        weights = [node for node in walk(results.values()) if node.op is WEIGHT]
        weights = sorted({*weights, *made.weights}, key=lambda leaf: leaf.serial)
        return Definition(snake_case(layer.type), tuple(params), tuple(weights), results)

    def _declared(self, node: Node, layer: LayerValue, values: Mapping[Tensor, Expr]) -> list[Expr]:
        """A layer of Keras, or an operation."""
        declaration = declaration_of(layer)
        if declaration is None or declaration.facts.runs_code:
            raise not_known(layer.type, self.path, Unknown(f"{layer.type} has no formula", node.place.line))
        refs = {one: TensorRef(str(place)) for place, one in enumerate(node.tensors())}
        fed = {ref: values[one] for one, ref in refs.items()}
        args, kwargs = plain_call(node, lambda one: refs[one])
        bound = bind_call(declaration, Call("x", 0, args, kwargs))
        own = {key: value for key, value in layer.config.items() if not (key == "dtype" and "function" in layer.config)}
        arguments = declaration.bind({**held(own), **bound.config})
        given: list[Expr | None] = [None if ref is None else fed[ref] for ref in bound.tensors]
        for place, value in bound.constants.items():
            given[place] = constant(value)
        training = bool(node.kwargs.get("training", self.training)) if declaration.training else False
        if bound.masks:
            raise NotKnown(f"a mask is given by hand, which is not followed yet ({self.path}:{node.place.line})")
        if layer.kind == "operation":
            return list(declaration.inline(given, arguments).values())
        specs = [None if one is None else Spec(one.shape, one.dtype) for one in given]
        made = declaration.trace(specs, arguments, training=training)
        return self._called(layer, made, [one for one in given if one is not None])

    def _called(self, layer: LayerValue, made: Definition, given: Sequence[Expr]) -> list[Expr]:
        """A call of a layer on its own weights."""
        key = id(layer)
        if made.weights and key not in self.ways:
            raise NotKnown(
                f"{layer.type} is made inside of `call`, or kept where it is not found ({self.path}:{layer.place.line})"
            )
        leaves: list[Expr] = []
        if made.weights:
            if key not in self.leaves:
                steps = self.ways[key][0]

                def again() -> Any:
                    around = lambda path: (*_names(steps), *path)  # noqa: E731
                    suffix = f"_{identifier('_'.join(_names(steps)))}"
                    return inner_weights(made, steps, around, suffix, layer.trainable), again, made

                self.leaves[key] = again()
            leaves, _, first = self.leaves[key]
            if [one.shape for one in first.weights] != [one.shape for one in made.weights]:
                raise ShapeError(f"every call of {layer.name} needs tensors that fit the same weights")
        node = call(made, *given, *leaves)
        if type(node.shape) is not Shapes:
            return [node]
        return [item(node, i) for i in range(len(made.results))]

    def _weight(self, variable: Variable) -> Expr:
        key = id(variable)
        if key not in self.leaves:
            if key not in self.ways or not is_shape(variable.shape):
                why = unknown_in(variable.shape) or Unknown("the shape of a weight is not known", variable.place.line)
                raise not_known(variable.name, self.path, why)
            steps = self.ways[key][0]

            def again() -> Any:
                axes = [(f"axis {i}", size) for i, size in enumerate(variable.shape)]
                name = str(steps[-1])
                made = weight(name, identifier(name), axes, trainable=variable.trainable, dtype=_dtype(variable.dtype))
                return [made], again, None

            self.leaves[key] = again()
        found: Expr = self.leaves[key][0][0]
        return found


def _dtype(dtype: str) -> str:
    return "float" if dtype == "float32" else dtype


def _names(steps: Steps) -> tuple[str, ...]:
    return tuple([str(one.name if isinstance(one, LayerNamed) else one) for one in steps])


def _ways(keras: Any, layer: ModelValue) -> dict[int, tuple[Steps, int, Any]]:
    """How the layers and weights that a layer holds are reached, by identity: the steps, the place among them, and what
    it is."""
    found: dict[int, tuple[Steps, int, Any]] = {}
    attributes: Mapping[str, Any] = layer.instance.attributes if isinstance(layer.instance, Instance) else {}
    held_by = [(one, (name,)) for name, one in attributes.items() if not name.startswith("__")]
    waiting: list[tuple[Any, Steps]] = [*reversed(held_by)]
    while waiting and len(found) < 10_000:
        one, steps = waiting.pop()
        inner = layer_of(one)
        if inner is not None and inner is not layer:
            if id(inner) in found:
                continue
            found[id(inner)] = (steps, len(found), inner)
            if isinstance(inner, ModelValue) and inner.form in ("sequential", "functional"):
                parts = [part for part in keras.inner_layers(inner) if part.type != "InputLayer"]
                named_parts = zip(_groups(parts), parts, strict=True)
                waiting += reversed([(part, (*steps, "layers", ItemNamed.of(group, i)))
                                     for i, (group, part) in enumerate(named_parts)])  # fmt: skip
        elif isinstance(one, Variable):
            found.setdefault(id(one), (steps, len(found), one))
        elif type(one) in (list, tuple, dict):
            keys, parts = ([*one], [*one.values()]) if type(one) is dict else ([*range(len(one))], [*one])
            items = zip(_groups([layer_of(part) for part in parts]), keys, parts, strict=True)
            steps_to = [(part, (*steps, ItemNamed.of(group, key))) for group, key, part in items
                        if isinstance(key, int | str)]  # fmt: skip
            waiting += reversed(steps_to)
    for one in attributes.get("__weights__", ()):  # those that no attribute holds
        found.setdefault(id(one), ((one.name,), len(found), one))
    return found


def _groups(layers: Sequence[LayerValue | None]) -> list[str]:
    """What a file calls the items of a list of layers: their classes, counted."""
    used: dict[str, int] = {}
    names = []
    for layer in layers:
        name = snake_case("" if layer is None else layer.type)
        count = used[name] = used.get(name, -1) + 1
        names.append(f"{name}_{count}" if count else name)
    return names
