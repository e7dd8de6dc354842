"""The graph behind the `call` of a custom layer → its formula: operations in line, layers as calls on their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import ItemNamed, LayerNamed, Steps
from layerexplain.errors import LayerExplainError, NotKnown, ShapeError
from layerexplain.frontends.code.recorder.shapes import (
    CONSTANT_TYPE,
    STATED_SHAPE,
    WEIGHT_TYPE,
    Graph,
    constant_shape,
    declaration_of,
    flat_tensors,
    is_shape,
    sees_masks,
)
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.base import Place, ProgramValue, Unknown, unknown_at
from layerexplain.frontends.code.values.layers import (
    CallTrace,
    LayerValue,
    ModelValue,
    Node,
    Tensor,
    Variable,
    unknown_in,
)
from layerexplain.frontends.code.values.operators import NESTING, mirrored_call
from layerexplain.frontends.code.values.program import Instance, layer_of
from layerexplain.frontends.code.values.reading import MOST_ITEMS
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition, call, states_after
from layerexplain.lang.expr import (
    LEAVES,
    WEIGHT,
    Expr,
    Op,
    constant,
    is_state,
    item,
    named,
    next_serial,
    tensor,
    walk,
    weight,
)
from layerexplain.lang.names import identifier
from layerexplain.lang.opaque import opaque
from layerexplain.layers.declaration import Spec, snake_case
from layerexplain.layers.registry import inner_weights
from layerexplain.ops.movement import broadcast_to
from layerexplain.ops.numbers import normal_like, uniform_like
from layerexplain.records import NamedTuple

_MOST_NODES = 20_000


def not_known(name: str, at: str | None, reason: Unknown | None) -> NotKnown:
    """Return the error for a layer that cannot be followed, with the line and the reason."""
    if reason is None:
        return NotKnown(f"what {name} computes is not known")
    return NotKnown(f"what {name} computes is not known: {reason.reason}{f' ({at})' if at else ''}")


class CallFormula(NamedTuple):
    """The formula of a `call`: its parameters, those for the masks that they carry, its results by name with their
    masks, and the weights that the layer has, whether the formula uses them or not."""

    params: list[Expr]
    mask_params: list[Expr]
    results: dict[str, Expr]
    masks: list[Expr | None]
    weights: tuple[Expr, ...]

    def definition(self, name: str, *, passes_mask: bool = False, **facts: Any) -> Definition:
        """Return the definition of the layer; one that `passes_mask` makes no masks of its own."""
        has_masks = not passes_mask and any(mask is not None for mask in self.masks)
        masks = tuple(self.masks) if has_masks else ()
        order = walk([*self.results.values(), *[mask for mask in masks if mask is not None]])
        used = [node for node in order if node.op is WEIGHT and not is_state(node)]
        weights = tuple(dict.fromkeys([*self.weights, *used]))
        params, states = (*self.params, *self.mask_params), states_after(order)
        return Definition(name, params, weights, self.results, masks=masks, states=states, **facts)


class Formula:
    """Makes the formula of one layer from the graph of its `call`. `where` tells a place in the code."""

    def __init__(
        self,
        library: Graphs,
        where: Callable[[Place], str],
        inner: dict[CallTrace, tuple[Definition, int]] | None = None,
    ) -> None:
        self.library = library
        self.where = where
        self.inner: dict[CallTrace, tuple[Definition, int]] = {} if inner is None else inner
        """The formula of each traced `call` inside, with how many of its parameters are masks. A layer that calls one
        twice, which calls one twice, and so on, has as many calls as paths, and as few formulas as layers."""
        self.leaves: dict[int, list[Expr]] = {}
        """The weights of each object that it holds, by its identity."""

    def results(self, layer: ModelValue, trace: CallTrace) -> CallFormula:
        """Return the results of a layer on tensors of the traced shapes, with the weights that it holds."""
        self.ways = _ways(self.library, layer)
        self.training = trace.training
        values = self._placed(trace)
        result, masks = self._outputs(layer, trace, dict(values))
        for _, _, what in self.ways.values():
            if isinstance(what, Variable):
                self._weight(what)
        expressions = [values[one] for one in trace.inputs]
        carried = [values[one] for one in trace.mask_inputs.values()]
        own = [leaf for key in sorted(self.leaves, key=self._rank) for leaf in self.leaves[key]]
        outputs = flat_tensors(trace.outputs)
        return CallFormula(
            expressions, carried, dict(zip(_result_names(outputs), result, strict=True)), masks, tuple(own)
        )

    def _placed(self, trace: CallTrace) -> dict[Tensor, Expr]:
        """Return a parameter for each input of a `call`, and for each mask that one carries."""
        values: dict[Tensor, Expr] = {}
        placed = (*trace.inputs, *trace.mask_inputs.values())
        names = [identifier(one.node.names.get(0, "") * bool(one.node.layer.config.get("part")) or one.node.layer.name)
                 for one in placed]  # fmt: skip
        for i, one in enumerate(placed):
            spec = self.library.shapes.spec_of(one)
            if spec is None:
                why = unknown_at(one.node.place, "the shape of its input is not known")
                raise not_known("it", self.where(one.node.place), why)
            # Those of one list have its name, with a number.
            number = f"{names[: i + 1].count(names[i])}" if names.count(names[i]) > 1 else ""
            values[one] = tensor(names[i] + number, spec.shape, spec.dtype)
        return values

    def _rank(self, key: int) -> tuple[int, int]:
        """Return where the weights of an object stand: what the layer trains itself, what it does not, then its
        layers."""
        place, what = self.ways[key][1:]
        if isinstance(what, Variable):
            return (0 if what.trainable else 1, place)
        return (2, place)

    def _outputs(
        self, layer: ModelValue, trace: CallTrace, values: dict[Tensor, Expr]
    ) -> tuple[list[Expr], list[Expr | None]]:
        """Return the results of a `call`, and their masks."""
        outputs, masks = flat_tensors(trace.outputs), trace.masks
        if trace.reason is not None:
            raise not_known(layer.type, self._at(trace.reason), trace.reason)
        wanted = [*outputs, *[mask for mask in masks if mask is not None]]
        graph = Graph([*trace.inputs, *trace.mask_inputs.values()], wanted)
        self._nodes(graph, values)
        return [values[output] for output in outputs], [None if mask is None else values[mask] for mask in masks]

    def _at(self, reason: Unknown) -> str:
        return self.where(Place(reason.file, reason.line))

    def _nodes(self, graph: Graph, values: dict[Tensor, Expr]) -> None:
        """Compute the calls of a graph, in their order."""
        hidden = {id(tensor.node) for tensor in graph.inputs}
        for node in graph.nodes[:_MOST_NODES]:
            if id(node) in hidden:
                continue
            before = next_serial()
            try:
                result = self._node(node, values)
            except LayerExplainError as error:
                if isinstance(error, NotKnown):
                    raise
                raise type(error)(f"in {self.where(node.place)}: {error.fact}") from None
            place = self.where(node.place)
            if node.layer.reason is not None and node.layer.config.get(STATED_SHAPE) is not None:
                place = f"{place}: {node.layer.reason.reason}"
            for i, value in result.items():
                if value.serial > before and value.op not in LEAVES:
                    named(node.names.get(i), value, place)
                values[node.result(i)] = value

    def _node(self, node: Node, values: Mapping[Tensor, Expr]) -> dict[int, Expr]:
        """Return what one call gives, by number; a mask of result i has the number -1 - i."""
        layer = node.layer
        if layer.type == WEIGHT_TYPE and layer.kind == "custom":
            return {0: self._weight(layer.config["variable"])}
        is_stated = layer.config.get(STATED_SHAPE) is not None and layer.reason is not None
        if is_stated and (spec := self.library.shapes.spec_of(node.result())) is not None:
            expressions = [values[one] for one in node.tensors() if one in values]
            how = {"name": identifier(layer.type), "shape": spec.shape}
            return {
                0: Expr(opaque, tuple(expressions), how, spec.shape, expressions[0].dtype if expressions else "float")
            }
        if layer.reason is not None and not isinstance(layer, ModelValue):
            raise not_known(layer.type, self._at(layer.reason), layer.reason)
        if layer.type == CONSTANT_TYPE and layer.kind == "custom":
            return {0: _filled(layer.config, values)}
        if layer.kind == "custom":
            why = unknown_at(node.place, "layerexplain does not read its class")
            raise not_known(layer.type, self._at(why), why)
        unknown = unknown_in([*node.args, *node.kwargs.values(), layer.config])
        if unknown is not None:
            raise not_known(layer.type, self._at(unknown), unknown)
        if isinstance(layer, ModelValue):
            if layer.form == "own":
                return self._own(node, layer, values)
            return dict(enumerate(self._graph_of_model(layer, [values[one] for one in node.tensors()])))
        return self._declared(node, layer, values)

    def _graph_of_model(self, layer: ModelValue, expressions: Sequence[Expr]) -> list[Expr]:
        """Return a model that the layer holds: its layers, one after the other."""
        graph = self.library.graph(layer)
        if graph is None or len(graph.inputs) != len(expressions):
            raise NotKnown(f"the model '{layer.name}' could not be traced ({self.where(layer.place)})")
        values = dict(zip(graph.inputs, expressions, strict=True))
        self._nodes(graph, values)
        return [values[output] for output in graph.outputs]

    def _own(self, node: Node, layer: ModelValue, values: Mapping[Tensor, Expr]) -> dict[int, Expr]:
        """Call a custom layer or model inside of another one."""
        trace = node.trace
        expressions = [values[one] for one in node.tensors()]
        if trace is None or [self.library.shapes.spec_of(one) for one in trace.inputs] != [
            Spec(expression.shape, expression.dtype) for expression in expressions
        ]:
            library, recorder = self.library, self.library.recorder
            result: dict[Tensor, Tensor] = {}
            for one, value in zip(node.tensors(), expressions, strict=True):
                result[one] = recorder.input_like("x", Spec(value.shape, value.dtype))
                if self._mask(one, values) is not None:
                    recorder.masks[result[one]] = recorder.input_like("mask", Spec(value.shape[:2], "bool"))
            args, kwargs = mirrored_call(node.args, node.kwargs, result.__getitem__, Tensor)
            before, recorder.training = recorder.training, self.training
            trace = library.own_calls.trace(layer, args, kwargs)
            recorder.training = before
        if trace.outputs is None:
            why = trace.reason or unknown_at(node.place, "its call could not be traced")
            raise not_known(layer.type, self._at(why), why)
        if trace not in self.inner:
            formula = Formula(self.library, self.where, self.inner).results(layer, trace)
            self.inner[trace] = formula.definition(snake_case(layer.type)), len(formula.mask_params)
        definition, mask_count = self.inner[trace]
        carried = [self._mask(one, values) for one in node.tensors()]
        passed = [expression for expression in carried if expression is not None][:mask_count]
        return self._called(layer, definition, [*expressions, *passed])

    def _mask(self, of: Tensor, values: Mapping[Tensor, Expr]) -> Expr | None:
        """Return the mask that a tensor carries."""
        mask = self.library.own_calls.mask_of(of)
        return None if mask is None else values.get(mask)

    def _declared(self, node: Node, layer: LayerValue, values: Mapping[Tensor, Expr]) -> dict[int, Expr]:
        """Return a layer of Keras, or an operation."""
        declaration = declaration_of(layer)
        if declaration is None or declaration.facts.runs_code:
            why = Unknown(f"{layer.type} has no formula", node.place.line, "", node.place.file)
            raise not_known(layer.type, self._at(why), why)
        bound, arguments, tensors = self.library.shapes.bound(node, declaration)
        expressions: list[Expr | None] = [None if ref is None else values[tensors[ref]] for ref in bound.tensors]
        for place, value in bound.constants.items():
            expressions[place] = constant(value)
        if layer.kind == "operation":
            return dict(enumerate(declaration.inline(expressions, arguments).values()))
        stated = node.kwargs.get("training")
        training = (stated if isinstance(stated, bool) else self.training) if declaration.training else False
        masks: list[Expr | None] = []
        if sees_masks(declaration):
            for place, ref in enumerate(bound.tensors):
                named_ref = bound.masks.get(place)
                carrier = None if ref is None or place in bound.masks else self._mask(tensors[ref], values)
                masks.append(carrier if named_ref is None else values[tensors[named_ref]])
        specs = [None if expression is None else Spec(expression.shape, expression.dtype) for expression in expressions]
        mask_specs = [None if mask is None else Spec(mask.shape, mask.dtype) for mask in masks]
        result = declaration.trace(specs, arguments, mask_specs, training=training)
        count = len(result.params) - len([expression for expression in expressions if expression is not None])
        passed = [mask for mask in masks if mask is not None][:count]
        return self._called(
            layer, result, [*[expression for expression in expressions if expression is not None], *passed]
        )

    def _called(self, layer: LayerValue, definition: Definition, expressions: Sequence[Expr]) -> dict[int, Expr]:
        """Call a layer on its own weights: its results by number, a mask of result i under -1 - i."""
        key = id(layer)
        if definition.weights and key not in self.ways:
            raise NotKnown(
                f"{layer.type} is created inside `call`, or stored where it is not found ({self.where(layer.place)})"
            )
        if key in self.ways:
            definition = definition.renamed(_called_by_author(self.ways[key][0]))
        leaves: list[Expr] = []
        if definition.weights or definition.states:
            if key not in self.leaves:
                steps = self.ways[key][0]
                around = lambda path: (*_names(steps), *path)  # noqa: E731
                suffix = f"_{_called_by_author(steps)}"
                self.leaves[key] = inner_weights(definition, steps, around, suffix, layer.trainable)
            leaves = self.leaves[key]
            count = len(definition.weights)
            if [leaf.shape for leaf in leaves[:count]] != [expression.shape for expression in definition.weights]:
                raise ShapeError(f"every call of {layer.name} needs tensors that fit the same weights")
        node = call(definition, *expressions, *leaves)
        if type(node.shape) is not ResultShapes:
            return {0: node}
        results = {i: item(node, i) for i in range(len(definition.results))}
        position = len(definition.results)
        for i, mask in enumerate(definition.masks):
            if mask is not None:
                results[-1 - i] = item(node, position)
                position += 1
        return results

    def _weight(self, variable: Variable) -> Expr:
        key = id(variable)
        if key not in self.leaves:
            if key not in self.ways or not is_shape(variable.shape):
                why = unknown_in(variable.shape) or unknown_at(variable.place, "the shape of a weight is not known")
                raise not_known(variable.name, self._at(why), why)
            steps = self.ways[key][0]
            axes = [(f"axis {i}", size) for i, size in enumerate(variable.shape)]
            *inside, name = [str(step.number if isinstance(step, ItemNamed) else step) for step in steps]
            at = ".".join(inside) if isinstance(steps[-1], ItemNamed) else ""  # of a list of weights
            label = identifier("_".join([*inside, name]) if at else name)
            trained = variable.trainable and self.library.weight_tensor(variable).node.layer.trainable
            dtype = "float" if variable.dtype == "float32" else variable.dtype
            self.leaves[key] = [weight(name, label, axes, at=at, trainable=trained, dtype=dtype)]
        return self.leaves[key][0]


_LIKE: Mapping[str, Op] = {
    "normal": normal_like, "truncated_normal": normal_like, "random_normal": normal_like, "uniform": uniform_like,
    "random_uniform": uniform_like,
}  # fmt: skip


def _filled(config: Mapping[str, ProgramValue], values: Mapping[Tensor, Expr]) -> Expr:
    """Return numbers that no input changes: zeros, ones; random numbers like a tensor of their shape, if there is
    one."""
    if "values" in config:
        return constant(config["values"])
    name, shape = config["words"], constant_shape(config["shape"])
    if name in ("zeros", "ones"):
        return broadcast_to(constant(float(name == "ones")), shape=shape)
    if name not in _LIKE:
        return Expr(opaque, (), {"name": identifier(name), "shape": shape}, shape, "float")
    like = next((value for value in values.values() if value.shape == shape and value.dtype == "float"), None)
    return _LIKE[name](broadcast_to(constant(0.0), shape=shape) if like is None else like, **config["drawn"])


def _result_names(outputs: Sequence[Tensor]) -> list[str]:
    """Return what the results are called: as the author calls them where the names differ."""
    own = [output.node.names.get(output.index, "") for output in outputs]
    if all(own) and len(set(own)) == len(own) and not any(output.node.layer.type == "InputLayer" for output in outputs):
        return [identifier(one) for one in own]
    return ["y"] if len(outputs) == 1 else [f"y{i + 1}" for i in range(len(outputs))]


def _names(steps: Steps) -> tuple[str, ...]:
    return tuple([str(step.name if isinstance(step, LayerNamed) else step) for step in steps])


def _called_by_author(steps: Steps) -> str:
    """Return what the author calls a layer that an attribute, or a list or a model in one, holds.

    >>> _called_by_author(("norms", ItemNamed.numbered("layer_normalization", 1)))
    'norms_1'
    """
    parts = [str(step.number) if isinstance(step, ItemNamed) else str(step) for step in steps if step != "layers"]
    return identifier("_".join(parts).strip("_"))


def _ways(library: Graphs, layer: ModelValue) -> dict[int, tuple[Steps, int, LayerValue | Variable]]:
    """Return how the layers and weights that a layer holds are reached, by identity: the steps, the place among them,
    and what it is."""
    results: dict[int, tuple[Steps, int, LayerValue | Variable]] = {}
    attributes: Mapping[str, ProgramValue] = layer.instance.attributes if isinstance(layer.instance, Instance) else {}
    attached = [(attribute, (name,)) for name, attribute in attributes.items() if not name.startswith("__")]
    waiting: list[tuple[ProgramValue, Steps]] = [*reversed(attached)]
    met: set[int] = set()
    while waiting and len(results) < MOST_ITEMS:
        variable, steps = waiting.pop()
        inner = layer_of(variable)
        if inner is not None and inner is not layer:
            if id(inner) in results:
                continue
            results[id(inner)] = (steps, len(results), inner)
            if isinstance(inner, ModelValue) and inner.form in ("sequential", "functional"):
                parts = [part for part in library.inner_layers(inner) if part.type != "InputLayer"]
                named_parts = zip(_groups(parts), parts, strict=True)
                waiting += reversed([(part, (*steps, "layers", ItemNamed.numbered(group, i)))
                                     for i, (group, part) in enumerate(named_parts)])  # fmt: skip
        elif isinstance(variable, Variable):
            results.setdefault(id(variable), (steps, len(results), variable))
        elif type(variable) in NESTING and id(variable) not in met:
            met.add(id(variable))
            keys, parts = (
                ([*variable], [*variable.values()])
                if type(variable) is dict
                else ([*range(len(variable))], [*variable])
            )
            items = zip(_groups([layer_of(part) for part in parts]), keys, parts, strict=True)
            steps_to = [(part, (*steps, ItemNamed.numbered(group, key))) for group, key, part in items
                        if isinstance(key, int | str)]  # fmt: skip
            waiting += reversed(steps_to)
    for variable in attributes.get("__weights__", ()):  # those that no attribute holds
        results.setdefault(id(variable), ((variable.name,), len(results), variable))
    return results


def _groups(layers: Sequence[LayerValue | None]) -> list[str]:
    """Return what a file calls the items of a list of layers: their classes, counted."""
    used: dict[str, int] = {}
    names = []
    for layer in layers:
        name = snake_case("" if layer is None else layer.type)
        count = used[name] = used.get(name, -1) + 1
        names.append(f"{name}_{count}" if count else name)
    return names
