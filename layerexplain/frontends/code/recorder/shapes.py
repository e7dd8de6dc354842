"""The graph between the inputs and outputs of a functional model, in the order in which Keras lists its layers.

Reference: `map_graph` in keras/src/ops/function.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from layerexplain.call_binding import BoundCall, bind_call
from layerexplain.errors import AxesError, LayerExplainError, SpecError
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import number_of, plain
from layerexplain.frontends.code.values.base import Place, ProgramValue, Size, Symbol, Unknown
from layerexplain.frontends.code.values.layers import CallTrace, LayerValue, ModelValue, Node, Tensor, unknown_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import Rebuilding, each_in, mirrored_call, rebuilt
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, constant
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.known_definitions import DeclaredLayer, definition_at
from layerexplain.layers.registry import facts_of, find
from layerexplain.model import Call, Shape, TensorRef
from layerexplain.nesting import in_model_order

# Graphs -------------------------------------------------------------------------------------------------------------


def flat(value: ProgramValue) -> list[ProgramValue]:
    """Return what lists, tuples and dicts hold, in Keras's order: dicts by their keys."""
    return [item for item in each_in(value, by_key=True) if item is not None]


class Graph:
    """The calls between inputs and outputs. `layers` are in Keras's order, `nodes` in that of their calls."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        tensors = set(inputs)
        self.loose: list[Tensor] = []
        """Inputs of layers that no input of the model leads to."""
        order, indices = self._visited(tensors)
        depths: dict[int, int] = {}
        layer_depths: dict[int, int] = {}
        in_graph = {id(node) for node in order}
        layers: dict[int, LayerValue] = {}
        for node in reversed(order):
            key = id(node.layer)
            layers[key] = node.layer
            depth = max(depths.setdefault(id(node), 0), layer_depths.get(key, 0))
            layer_depths[key] = depths[id(node)] = depth
            for tensor in node.tensors():
                if (id(tensor.node) in in_graph and tensor not in tensors) or (
                    tensor in tensors and tensor.node.layer.type == "InputLayer"
                ):
                    depths[id(tensor.node)] = max(depth + 1, depths.get(id(tensor.node), 0))
        for tensor in inputs:
            key = id(tensor.node.layer)
            if key not in layer_depths and tensor.node.layer.type == "InputLayer":
                layers[key] = tensor.node.layer
                layer_depths[key] = 0
                indices[key] = -1
                order.append(tensor.node)
        ranked = sorted(layers.items(), key=lambda item: (-layer_depths[item[0]], indices.get(item[0], 0)))
        self.layers = [layer for _, layer in ranked]
        self.nodes = sorted(order, key=lambda node: node.number)

    def _visited(self, tensors: set[Tensor]) -> tuple[list[Node], dict[int, int]]:
        """Return what feeds the outputs, in the order in which Keras visits it, without recursion, and a number for
        each layer in that order."""
        order: list[Node] = []
        indices: dict[int, int] = {}
        done: set[int] = set()
        stack: list[tuple[Node, list[Tensor]]] = []

        def enter(tensor: Tensor) -> None:
            node = tensor.node
            if id(node) in done:
                return
            indices.setdefault(id(node.layer), len(indices))
            is_input = node.layer.type == "InputLayer"
            if is_input and tensor not in tensors:
                self.loose.append(tensor)
            if tensor in tensors and not is_input:
                return
            done.add(id(node))
            stack.append((node, [] if is_input else node.tensors()[::-1]))

        for output in self.outputs:
            enter(output)
            while stack:
                node, feeds = stack[-1]
                if feeds:
                    enter(feeds.pop())
                else:
                    order.append(node)
                    stack.pop()
        return order, indices


def loose_error(tensor: Tensor) -> SpecError:
    """Return the error of a model whose outputs hang on an input that it is not given."""
    name = tensor.node.layer.name
    shape = tensor.node.layer.config.get("batch_shape")
    if isinstance(shape, Unknown) and shape.lacks == "named shape":
        fact = f"{name} is not defined in this code, nor is it an input of the model; is it the name of another tensor?"
        return SpecError(fact, **Place(shape.file, shape.line, shape.column).error_fields)
    return SpecError(f"the outputs depend on the input '{name}', which is not among the inputs of the model; add it")


# Shapes -------------------------------------------------------------------------------------------------------------
# The shape of a tensor while code is read: code asks for it, to compute sizes of later layers.

Specs = list[Spec | None]

_NOT_DERIVED = (LayerExplainError, TypeError, ValueError, RecursionError, AttributeError, KeyError, IndexError)
"""What a declaration raises at shapes or arguments that a program gives it and no layer takes."""


def declaration_of(layer: LayerValue) -> Declaration | None:
    """Return the declaration of a layer or an operation of Keras; None for anything else."""
    if layer.declaration is not None:
        declaration: Declaration = layer.declaration
        return declaration
    if layer.kind == "operation":
        function = layer.config.get("function")
        return find(f"tf.{function}") if isinstance(function, str) else find(f"ops.{layer.type}")
    return find(layer.type) if layer.kind == "layer" else None


DEEPEST = 30
"""How deep arguments nest that are read."""

_MOST_NESTED = 60
"""How deep models nest whose shapes are derived."""


class GraphSource(Protocol):
    """What shapes are derived from: the graphs behind models, and declarations of layers of the program."""

    def graph(self, model: ModelValue) -> Graph | None:
        """Return the calls inside a model; None where they are not known."""

    def traced_graph(self, trace: CallTrace) -> Graph | None:
        """Return the calls that the `call` of a custom layer or model makes; None where they are not known."""

    def declaration(self, layer: ModelValue) -> Declaration:
        """Return the declaration of a layer of the program."""


class Shapes:
    """Derives the shapes of tensors, each once. `masks` are those that tensors carry."""

    def __init__(self, library: GraphSource, masks: Mapping[Tensor, Tensor | None]) -> None:
        self.library = library
        self.masks = masks
        self._of_models: dict[tuple[int, tuple[Spec | None, ...]], tuple[Graph | CallTrace, Specs]] = {}
        """The results of models by their graphs or traced calls, and inputs: models in models are called many times."""

    def spec_of(self, tensor: Tensor) -> Spec | None:
        """Return the shape and dtype of a tensor; None where they are not known."""
        if tensor.index < 0:
            return self._of_mask(tensor)
        specs = self.results(tensor.node)
        return specs[tensor.index] if specs is not None and tensor.index < len(specs) else None

    def _of_mask(self, tensor: Tensor) -> Spec | None:
        """Return the shape of the mask that a call makes for its result number -1 - `index`."""
        node, place = tensor.node, -1 - tensor.index
        if node.trace is not None:
            inner = node.trace.masks[place] if place < len(node.trace.masks) else None
            return None if inner is None else self.spec_of(inner)
        masks = self.result_masks(node)
        mask = masks[place] if place < len(masks) else None
        return None if mask is None else Spec(mask.shape, mask.dtype)

    def results(self, node: Node, deep: int = 0) -> Specs | None:
        """Return the shapes of the results of a call; None where they are not known."""
        if node.specs is None:
            waiting = [node]
            while waiting:  # a chain may be long; what a call takes was made before it, so there is no circle
                current = waiting[-1]
                feeds = [t.node for t in current.tensors() if t.node.specs is None]
                if feeds and current.specs is None:
                    waiting += feeds
                    continue
                waiting.pop()
                if current.specs is None:
                    inputs = [self._known(t) for t in current.tensors()]
                    specs = self._derive(current, inputs, deep)
                    current.specs = specs if specs is not None else ()
        return [*node.specs] if node.specs else None

    def _known(self, tensor: Tensor) -> Spec | None:
        if tensor.index < 0:
            return self._of_mask(tensor)
        specs = tensor.node.specs
        return specs[tensor.index] if specs and tensor.index < len(specs) else None

    def _derive(self, node: Node, inputs: Specs, deep: int) -> Specs | None:
        layer = node.layer
        if layer.type == "InputLayer":
            like = layer.config.get("like")
            if isinstance(like, Tensor):
                spec = self.spec_of(like)
                return None if spec is None else [spec]
            return input_spec(layer)
        if any(spec is None for spec in inputs) or deep > _MOST_NESTED:
            return None
        if isinstance(layer, ModelValue):
            return self._through(node, layer, inputs, deep + 1)
        try:
            return self._declared(node, layer, inputs)
        except _NOT_DERIVED:
            return None

    def _declared(self, node: Node, layer: LayerValue, inputs: Specs) -> Specs | None:
        if layer.type == WEIGHT_TYPE:
            variable = layer.config["variable"]
            return [Spec(tuple(variable.shape), variable.dtype)] if is_shape(variable.shape) else None
        if layer.type == CONSTANT_TYPE:
            if "values" in layer.config:
                table = constant(layer.config["values"])
                return [Spec(table.shape, table.dtype)]
            return [Spec(constant_shape(layer.config["shape"]), "float")]
        stated = layer.config.get(STATED_SHAPE)
        if stated is not None and layer.reason is not None:
            return [Spec((BATCH, *stated[1:]), inputs[0].dtype if inputs and inputs[0] is not None else "float")]
        declaration = declaration_of(layer)
        if declaration is None or declaration.facts.runs_code or layer.reason is not None:
            return None
        if unknown_in(layer.config) is not None:
            return None
        results = self._definition(node, declaration, inputs).results
        return [Spec(e.shape, e.dtype) for e in results.values()]

    def _definition(self, node: Node, declaration: Declaration, inputs: Specs) -> Definition:
        """Return a layer of Keras at the shapes that reach it."""
        bound, arguments, tensors = self.bound(node, declaration)
        specs = {TensorRef(str(place)): spec for place, spec in enumerate(inputs)}
        given = [None if ref is None else specs.get(ref) for ref in bound.tensors]
        carried = [None if ref is None else self.masks.get(tensors[ref]) for ref in bound.tensors]
        masks = [None if tensor is None else self.spec_of(tensor) for tensor in carried]
        return definition_at(declaration, given, arguments, masks if sees_masks(declaration) else (), bound.constants)

    def bound(
        self, node: Node, declaration: Declaration
    ) -> tuple[BoundCall, dict[str, ProgramValue], dict[TensorRef, Tensor]]:
        """Call a layer of Keras bound to its declaration, the arguments of the layer in the form that its
        formula takes, and which tensor each reference stands for."""
        config = node.layer.config
        refs = {tensor: TensorRef(str(place)) for place, tensor in enumerate(node.tensors())}
        args, kwargs = plain_call(node, lambda tensor: refs[tensor])
        bound = bind_call(declaration, Call("x", 0, args, kwargs))
        own = {key: value for key, value in config.items() if not (key == "dtype" and "function" in config)}
        arguments = declaration.bind({**with_ready_layers(own, self.library), **bound.config})
        return bound, arguments, {ref: tensor for tensor, ref in refs.items()}

    def weights(self, node: Node) -> list[Shape] | None:
        """Return the shapes of the weights of a layer of Keras; None where they are not known."""
        result = self._known_definition(node, declaration_of(node.layer))
        return None if result is None else [weight.shape for weight in result.weights]

    def refusal(self, node: Node, inputs: Specs) -> AxesError | None:
        """Return the error of a call of a layer of Keras on tensors with too few or too many axes."""
        result = self._traced(node, declaration_of(node.layer), inputs)
        return result if isinstance(result, AxesError) else None

    def result_masks(self, node: Node) -> Sequence[Expr | None]:
        """Return the masks that a layer of Keras makes for the results of a call; None for one that carries none."""
        declaration = declaration_of(node.layer)
        makes = declaration is not None and callable(declaration.mask)
        result = self._known_definition(node, declaration) if makes else None
        return () if result is None else result.masks

    def _known_definition(self, node: Node, declaration: Declaration | None) -> Definition | None:
        result = self._traced(node, declaration, [self.spec_of(tensor) for tensor in node.tensors()])
        return None if isinstance(result, Exception) else result

    def _traced(self, node: Node, declaration: Declaration | None, inputs: Specs) -> Definition | Exception | None:
        """Return a layer of Keras at known shapes, or the error that it raises there; None where something is not
        known."""
        if declaration is None or None in inputs or node.layer.reason is not None:
            return None
        try:
            return self._definition(node, declaration, inputs)
        except _NOT_DERIVED as error:
            return error

    def _through(self, node: Node, model: ModelValue, inputs: Specs, deep: int) -> Specs | None:
        """Return the results of a model at given inputs."""
        graph = self.library.graph(model) if node.trace is None else self.library.traced_graph(node.trace)
        if graph is None:
            return None
        own = [self._known(tensor) if tensor.node.specs is not None else None for tensor in graph.inputs]
        if len(own) != len(inputs):
            return None
        if type(model.inputs) is dict and node.args and type(node.args[0]) is dict and len(node.args[0]) == len(inputs):
            by_name = dict(zip(node.args[0], inputs, strict=True))  # the model has its inputs by their names
            inputs = [by_name[key] for key in sorted(by_name)]
        what = graph if node.trace is None else node.trace
        key = id(what), tuple(inputs)
        if key not in self._of_models:
            self._of_models[key] = what, self._inside(graph, inputs, deep, same=own == inputs)
        return list(self._of_models[key][1])

    def _inside(self, graph: Graph, inputs: Specs, deep: int, *, same: bool) -> Specs:
        """Return the results of the calls inside a model at given inputs; `same` says that they are those of the
        model."""
        known: dict[int, Specs | None] = {}
        for tensor, spec in zip(graph.inputs, inputs, strict=True):
            if same:
                self.results(tensor.node, deep)
            known[id(tensor.node)] = [spec]

        def spec_of(tensor: Tensor) -> Spec | None:
            result = known.get(id(tensor.node)) or self.results(tensor.node, deep)
            return result[tensor.index] if result and tensor.index < len(result) else None

        for node in graph.nodes:
            if id(node) not in known:
                specs = [] if node.layer.type == "InputLayer" else [spec_of(tensor) for tensor in node.tensors()]
                known[id(node)] = self._derive(node, specs, deep)
        return [spec_of(tensor) for tensor in graph.outputs]


STATED_SHAPE = "(stated shape)"
"""In the configuration of a function that is not read: the shape of its result, which the program tells elsewhere."""

WEIGHT_TYPE = "Weight"
"""The type of the rows of weights that code makes itself."""


CONSTANT_TYPE = "Constant"
"""The type of the rows of random numbers and arrays, of which the shape is known."""


def constant_shape(sizes: ProgramValue) -> ProgramValue:
    """Return the shape of random numbers or an array; the first size is the batch where it is not known."""
    results = tuple([BATCH if size == "batch" else size for size in sizes])
    return (BATCH, *results[1:]) if results and results[0] is None and BATCH not in results else results


def is_shape(value: ProgramValue) -> bool:
    """Return whether a value is a list of known sizes."""
    return type(value) in (list, tuple) and all(isinstance(size, int) and size >= 0 for size in value)


def input_spec(layer: LayerValue) -> Specs | None:
    """Return the shape that an input states; None where a part of it is not known or no size."""
    shape, dtype = layer.config.get("batch_shape"), layer.config.get("dtype", "float32")
    if type(shape) not in (list, tuple) or not shape:
        read_by = layer.config.get("implied")
        of_ids = isinstance(read_by, str) and bool(read_by) and facts_of(read_by).tells_axes == "ids"
        return [Spec((BATCH, None), "float")] if of_ids else None
    if not all(size is None or (isinstance(size, int) and 0 <= size < 10**18) for size in shape[1:]):
        return None
    return [Spec((BATCH, *shape[1:]), "float" if dtype == "float32" else dtype)]


def with_ready_layers(config: dict[str, ProgramValue], library: GraphSource) -> dict[str, ProgramValue]:
    """Return a configuration whose layers are ready to be applied."""

    def ready(value: LayerValue) -> ProgramValue:
        if isinstance(value, ModelValue) and value.is_own_layer:
            return DeclaredLayer(library.declaration(value), {}, value.name, value.type)
        declaration = find(value.type)
        if declaration is None or value.kind != "layer":
            raise TypeError
        return DeclaredLayer(declaration, with_ready_layers(value.config, library), value.name)

    return mirrored_call((), config, ready, LayerValue)[1]


def sees_masks(declaration: Declaration) -> bool:
    """Return whether the formula of a layer hangs on the masks of its tensors."""
    return declaration.reads_mask or declaration.reads_masks or callable(declaration.mask)


def as_recorded(spec: Spec) -> tuple[Shape, str]:
    """Return a shape and a dtype as a model records them."""
    sizes = tuple([size if isinstance(size, int) else None for size in spec.shape])
    return sizes, "float32" if spec.dtype == "float" else spec.dtype


def flat_tensors(value: object) -> list[Tensor]:
    """Return the tensors of a structure, in Keras's order."""
    return [item for item in flat(value) if isinstance(item, Tensor)]


def plain_call(
    node: Node, ref: Callable[[Tensor], TensorRef]
) -> tuple[tuple[ProgramValue, ...], dict[str, ProgramValue]]:
    """Return the arguments of a call with its tensors by reference."""

    def converted(value: ProgramValue, inside: Rebuilding) -> ProgramValue:
        if isinstance(value, Tensor):
            return ref(value)
        if isinstance(value, Array):
            return plain(value) if value.values is not None else None
        if isinstance(value, Size | Unknown):
            return None
        if isinstance(value, Symbol):
            return value.last
        if isinstance(value, Setting):
            return value.config.get("name", value.class_name)
        if isinstance(value, slice):
            return slice(*map(inside, (value.start, value.stop, value.step)))
        return value if isinstance(value, bool | int | float | str | type(None)) or value is Ellipsis else None

    def join(kind: type, items: list[ProgramValue]) -> ProgramValue:
        return {str(key): item for key, item in items} if kind is dict else kind(items)

    def known(value: ProgramValue) -> ProgramValue:
        result = rebuilt(value, converted, join)
        return None if isinstance(result, Unknown) else result

    def tensor_or_known(value: ProgramValue) -> ProgramValue:
        if not isinstance(value, Array) or value.values is None or not value.shape:
            return known(value)
        return ConstantArray(plain(value), {int: "int32", bool: "bool"}.get(number_of(value.dtype), ""))

    args = tuple(map(tensor_or_known, node.args))
    kwargs = {key: known(value) for key, value in node.kwargs.items() if key not in ("training", "**")}
    training = node.kwargs.get("training")
    if isinstance(training, bool) and node.layer.kind != "operation":
        kwargs["training"] = training
    if isinstance(node.layer, ModelValue) and node.layer.form == "functional":
        inputs = node.layer.inputs
        names = [tensor.node.layer.name for tensor in flat_tensors(inputs)]
        args = tuple([in_model_order(argument, inputs, names) for argument in args])
    return args, kwargs
