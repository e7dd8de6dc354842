"""Classes of layers in Python → declarations: a formula for the configuration and the shapes of each call.

The class is made with the arguments that a source has for it, its `build` and `call` are followed with tensors of the
shapes that arrive (tracing.py), and the graph behind the result becomes one formula: operations in line, layers as
calls. What cannot be followed is an error with its line, and so is what hangs on a branch that had to be chosen: a
formula that is shown is the one that the code says.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from layerexplain.attribute_path import ItemNamed, LayerNamed, Steps
from layerexplain.call_binding import bind_call
from layerexplain.errors import LayerExplainError, NotKnown, ShapeError, SourceError
from layerexplain.frontends.code.bounds import Budget, Exhausted
from layerexplain.frontends.code.emit import plain_call
from layerexplain.frontends.code.graphs import Graph
from layerexplain.frontends.code.keras_names import named
from layerexplain.frontends.code.operators import Raised
from layerexplain.frontends.code.reader import Program, program
from layerexplain.frontends.code.shapes import CONSTANT_TYPE, WEIGHT_TYPE, declaration_of, held, is_shape
from layerexplain.frontends.code.values import (
    Class,
    Function,
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
from layerexplain.lang.expr import BATCH, WEIGHT, Expr, Shapes, constant, item, tensor, walk, weight
from layerexplain.lang.names import identifier
from layerexplain.layers.arguments import Anything, Argument, Signature, argument_of
from layerexplain.layers.declaration import Declaration, Spec, Stored, snake_case
from layerexplain.layers.facts import Facts
from layerexplain.layers.registry import inner_weights
from layerexplain.model import Call, Layer, TensorRef
from layerexplain.ops import load_all

_GIVEN = ("self", "training", "mask")
_MOST_NODES = 20_000


def read_python_layers(data: bytes, path: str) -> dict[str, Declaration]:
    """The layers that a file of Python code defines, by class. Nothing of it is run."""
    load_all()
    reading = program(data, path)
    found: dict[str, Declaration] = {}
    for name, value in reading.frame.names.items():
        if isinstance(value, Class) and _is_layer(value):
            found.setdefault(value.name, _declaration(value, reading, path))
            found.setdefault(name, found[value.name])
    if not found:
        raise SourceError("defines no layer: a class below keras.layers.Layer with a `call` is needed")
    return found


def _is_layer(cls: Class) -> bool:
    root = cls.root()
    what = named(root.path) if root is not None else None
    is_base = root is not None and root.last == "Layer"
    return isinstance(cls.find("call"), Function) and (is_base or (what is not None and what.kind == "layer"))


def _declaration(cls: Class, reading: Program, path: str) -> Declaration:
    call_names, optional = _parameters(cls.find("call"))
    taken, _ = _parameters(cls.find("__init__"))
    reads = {name for name in ("training", "mask") if name in call_names}
    tensors = tuple([name for name in call_names if name not in _GIVEN])
    documented = ast.get_docstring(cls.find("call").node) or ""
    formula = partial(_trace, cls, reading, path)
    defaults = _defaults(cls.find("__init__"))
    arguments = {name: argument_of(Anything, defaults.get(name, Argument.REQUIRED)) for name in taken if name != "self"}
    given = tuple([f"{name}=4" for name, one in arguments.items() if one.default is Argument.REQUIRED])
    return Declaration(
        cls.name,
        formula,
        Signature(tensors or ("x",), arguments, len([one for one in optional if one in tensors]), None,
                  frozenset({*reads, "training"})),
        description=_sentence(documented) or f"The author's own layer, defined in line {cls.line} of {path}.",
        mask="pass" if _passes_masks(cls) else "stop",
        facts=Facts(example=(given, ("9,16",) * max(len([one for one in tensors if one not in optional]), 1))),
    )  # fmt: skip


def _parameters(function: Any) -> tuple[list[str], list[str]]:
    """The names of a function's parameters, and those that have a default."""
    if not isinstance(function, Function):
        return [], []
    spec = function.node.args
    names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    without = len(names) - len(spec.defaults)
    keyword = [one.arg for one in spec.kwonlyargs]
    return [*names, *keyword], [*names[without:], *keyword]


def _defaults(function: Any) -> dict[str, Any]:
    """The defaults of a function's parameters; None for what is no plain value."""
    if not isinstance(function, Function):
        return {}
    _, optional = _parameters(function)
    values = [*function.defaults, *function.keyword_defaults]
    plain = (bool, int, float, str, tuple)
    return {
        name: value if isinstance(value, plain) and unknown_in(value) is None else None
        for name, value in zip(optional, values, strict=False)
    }


def _sentence(text: str) -> str:
    first = " ".join(text.partition("\n\n")[0].split())
    return first.replace("{", "").replace("}", "")[:300]


def _passes_masks(cls: Class) -> bool:
    """Whether a class says that it hands masks on, in a line of its own."""
    function = cls.find("__init__")
    stated = cls.find("supports_masking") is True
    return stated or (
        isinstance(function, Function)
        and any(
            isinstance(one, ast.Assign)
            and isinstance(one.targets[0], ast.Attribute)
            and one.targets[0].attr == "supports_masking"
            and getattr(one.value, "value", None) is True
            for one in ast.walk(function.node)
        )
    )


def _trace(cls: Class, reading: Program, path: str, *tensors: Expr | None, **keywords: Any) -> Any:
    """The results of a class at given tensors. Raises `NotKnown` with the line of what cannot be followed."""
    training, mask = bool(keywords.pop("training", False)), keywords.pop("mask", None)
    interpreter = reading.interpreter
    keras = interpreter.keras
    interpreter.budget = Budget()
    assumed, faults = len(interpreter.assumed), len(interpreter.faults)
    if isinstance(cls.find("compute_mask"), Function) and not _passes_masks(cls):
        raise NotKnown(f"{cls.name} computes a mask of its own, which is not followed yet ({path}:{cls.line})")
    config = {key: _ready(keras, value) for key, value in keywords.items()}
    given = {key: value for key, value in config.items() if value is not None}
    keras.quiet += 1
    try:
        made = interpreter.call(cls, [], given)
        layer = layer_of(made)
        if not isinstance(layer, ModelValue):
            raise NotKnown(f"{cls.name} is no layer that is read ({path}:{cls.line})")
        fed = [None if one is None else _placeholder(keras, one) for one in tensors]
        while fed and fed[-1] is None:
            fed.pop()
        names, _ = _parameters(cls.find("call"))
        extra: dict[str, Any] = {"training": training} if "training" in names else {}
        if mask is not None:
            extra["mask"] = _placeholder(keras, mask)
        keras.trace(layer, fed, extra)
    except Exhausted as error:
        raise NotKnown(f"{path}: the program {error}") from None
    except Raised as error:
        raise ShapeError(f"in {path}:{error.line or cls.line}, {cls.name} raises {error}"[:300]) from None
    finally:
        keras.quiet -= 1
    if len(interpreter.faults) > faults:
        fault = interpreter.faults[faults]
        del interpreter.faults[faults:]
        raise type(fault)(f"in {path}:{fault.line}: {fault.fact}")
    if len(interpreter.assumed) > assumed:
        choice = interpreter.assumed[assumed]
        del interpreter.assumed[assumed:]
        raise NotKnown(f"{cls.name} hangs on a branch that is not known ({path}:{choice.line}: {choice.words})")
    if layer.reason is not None or layer.outputs is None:
        raise _not_known(cls.name, path, layer.reason)
    exprs = [one for one in (*tensors, mask) if one is not None]
    return _Formula(keras, path, training).results(layer, exprs)


def _not_known(name: str, path: str, reason: Unknown | None) -> NotKnown:
    if reason is None:
        return NotKnown(f"what {name} computes is not known")
    return NotKnown(f"what {name} computes is not known: {reason.reason} ({path}:{reason.line})")


def _placeholder(keras: Any, one: Expr) -> Tensor:
    shape = tuple([None if size is BATCH else size for size in one.shape])
    dtype = "float32" if one.dtype == "float" else one.dtype
    made: Tensor = keras.new_input(str(one.label), shape, dtype)
    return made


def _ready(keras: Any, value: Any) -> Any:
    """A value of a configuration as code has it: layers as layers, tuples as lists of them."""
    if hasattr(value, "definition") and hasattr(value, "config"):
        inner = {key: _ready(keras, one) for key, one in value.config.items()}
        return keras.make_layer(value.type, [], inner)
    if isinstance(value, Layer):
        raise NotKnown(f"{value.type} in its configuration is not known")
    if type(value) in (list, tuple):
        return type(value)([_ready(keras, one) for one in value])
    if isinstance(value, str | int | float | bool | dict | type(None)):
        return value
    return Unknown(f"{str(value)[:60]} of the configuration")


class _Formula:
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
            raise _not_known(layer.type, self.path, layer.reason)
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
            raise _not_known(
                layer.type, self.path, layer.reason or Unknown("it is a class that is not read", node.place.line)
            )
        if layer.type == CONSTANT_TYPE and layer.kind == "custom":
            raise NotKnown(
                f"numbers that are drawn or computed apart are not followed yet ({self.path}:{node.place.line})"
            )
        unknown = unknown_in([*node.args, *node.kwargs.values(), layer.config])
        if unknown is not None:
            raise _not_known(layer.type, self.path, unknown)
        if isinstance(layer, ModelValue):
            given = [values[one] for one in node.tensors()]
            if layer.form == "own":
                return self._called(
                    layer, _Formula(self.keras, self.path, self.training).definition(layer, given), given
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
            raise _not_known(layer.type, self.path, Unknown(f"{layer.type} has no formula", node.place.line))
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
                raise _not_known(variable.name, self.path, why)
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
        elif type(one) in (list, tuple):
            groups = _groups([layer_of(part) for part in one])
            waiting += reversed([(part, (*steps, ItemNamed.of(group, i))) for i, (group, part) in
                                 enumerate(zip(groups, one, strict=True))])  # fmt: skip
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
