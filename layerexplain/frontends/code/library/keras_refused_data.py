"""What Keras refuses of the tensors and the data that a model is given: other sizes than those of its inputs, another
number of them, targets that its loss does not take, states without a fixed batch.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import pairwise

from layerexplain.errors import ShapeError, in_a_row
from layerexplain.frontends.code.library.keras_datasets import Batches
from layerexplain.frontends.code.library.keras_names import resolve_keras_name
from layerexplain.frontends.code.recorder.shapes import Graph, as_recorded, flat
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Tensor
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.layers.keras.fit_data import (
    examples_words,
    last_recurrent,
    refuses_targets,
    takes_examples,
    targets_words,
)
from layerexplain.layers.keras.losses import Loss, loss_of
from layerexplain.layers.registry import find
from layerexplain.model import DataArray, FitData, Shape
from layerexplain.ops.sizes import shape_text

# Refused data -------------------------------------------------------------------------------------------------------

_ORDER = ("x", "y")
_OF_BATCHES = "that of the batches"
_MOST_WEIGHTS, _MOST_SHOWN = 1_000, 8
_TRAINS = frozenset({"fit", "fit_generator", "evaluate", "train_on_batch", "test_on_batch"})


class DataChecks:
    """What Keras refuses of the tensors and data that a model is given."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.own_calls, self.recorder = graphs, graphs.own_calls, graphs.recorder
        self.interpreter, self.shapes, self.fault = graphs.interpreter, graphs.shapes, graphs.recorder.fault

    # Inputs of models -------------------------------------------------------------------------------------------------

    def check_inputs(self, model: ModelValue, args: Sequence[ProgramValue]) -> None:
        """Keep the fault of a model that is called on other tensors than those that it is made for."""
        graph = self.graphs.graph(model)
        if graph is None or not args:
            return
        given = args[0]
        names = _names(model.inputs, graph.inputs)
        if type(given) is dict:
            missing = [name for name in names if name not in given]
            if missing:
                others = ", ".join(f"'{item}'" for item in given)
                self.fault(ShapeError(f"the model '{model.name}' is given no input '{missing[0]}', got {others}"), 0)
                return
            tensors: list[ProgramValue] = [given[name] for name in names]
        else:
            tensors = flat(given)
            if any(not isinstance(tensor, Tensor) or self.shapes.spec_of(tensor) is None for tensor in tensors):
                return  # a tensor of unknown shape in a `call` may stand for several
            if len(tensors) != len(graph.inputs):
                takes = _count(len(graph.inputs), "tensor")
                right = f"; give [{', '.join(names[:9])}]" if len(names) > 1 else ""
                self.fault(ShapeError(f"the model '{model.name}' takes {takes}, got {len(tensors)}{right}"), 0)
                return
        for own, given in zip(graph.inputs, tensors, strict=True):
            wanted, got = self.shapes.spec_of(own), self.shapes.spec_of(given) if isinstance(given, Tensor) else None
            if wanted is None or got is None or len(wanted.shape) != len(got.shape):
                continue
            if _differ(wanted.shape, got.shape):
                sizes, result = (shape_text(tuple(spec.shape)) for spec in (wanted, got))
                self.fault(ShapeError(f"the model '{model.name}' needs an input of {sizes}, got {result}"), 0)

    # Weights ----------------------------------------------------------------------------------------------------------

    def check_weights(self, layer: LayerValue, given: ProgramValue, place: str | int = 0) -> None:
        """Keep the fault of `set_weights` with other sizes than those of a layer or a model that is called or built."""
        arrays = list(given) if type(given) in (list, tuple) and len(given) <= _MOST_WEIGHTS else []
        if not arrays or not all(isinstance(array, Array) for array in arrays):
            return
        results = self._weights_of(layer, set())
        if results is None:
            return
        sizes = [array.shape for array in arrays]
        # In whatever order: that of Keras is not always that of the formula.
        known = all(isinstance(size, int) for shape in (*results, *sizes) for size in shape)
        if len(results) != len(sizes) or (known and sorted(results) != sorted(sizes)):
            takes, got = _shapes_text(results), _shapes_text(sizes)
            self.fault(ShapeError(f"the weights of '{layer.name}' are {takes}, got {got}"), place)

    def _weights_of(self, layer: LayerValue, met: set[int]) -> list[Shape] | None:
        """Return the shapes of the weights of a layer, or of the layers of a model that are not met yet; None where
        they are not known."""
        if id(layer) in met or layer.kind == "operation" or layer.type == "InputLayer":
            return []
        met.add(id(layer))
        if isinstance(layer, ModelValue):
            graph = self.graphs.graph(layer) if layer.form != "own" else None
            parts = [None] if graph is None else [self._weights_of(inner_layer, met) for inner_layer in graph.layers]
            known = [part for part in parts if part is not None]
            return [shape for part in known for shape in part] if len(known) == len(parts) else None
        declaration = find(layer.type) if layer.kind == "layer" else None
        if declaration is None or declaration.holds or layer.config.get("stateful") is True:
            return None
        nodes = self.graphs.calls_of(layer)
        # Where nothing is known of the input, its weights may still follow from its arguments, as those of a table do.
        _, shape = self.recorder.first_shapes.get(id(layer), (layer, (None, None)))
        if not nodes and type(shape) in (tuple, list) and all(isinstance(size, int | None) for size in shape):
            nodes = [self.own_calls.tried(layer, tuple(shape))]
        return self.shapes.weights(nodes[0]) if nodes else None

    # Data -------------------------------------------------------------------------------------------------------------

    def check_data(
        self, model: ModelValue, name: str, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> None:
        """Keep the faults of a model that is trained or run on other data than those that it is made for."""
        graph = self.graphs.graph(model) if model.form != "own" else None
        given: dict[str, ProgramValue] = {**dict(zip(_ORDER, args, strict=False)), **kwargs}
        if graph is None or any(layer.kind == "custom" for layer in graph.layers):
            if name == "fit" and self.interpreter.effects.is_certain:
                model.fitted = self._fitted(model, None, given, name)
            return
        if name == "fit_generator":  # of older Keras, whose batches have another name and stand alone
            given = {"x": args[0] if args else kwargs.get("generator"), "batch_size": _OF_BATCHES}
        batches = given.get("x")
        if isinstance(batches, Batches):
            given |= {"x": batches.x, "y": batches.y, "batch_size": _OF_BATCHES}
        elif isinstance(given.get("y"), Unknown) and len(graph.inputs) == 1 and _are_one_name(self.interpreter.node):
            spec = self.shapes.spec_of(graph.inputs[0])
            given["y"] = given["y"] if spec is None else Array((None, *as_recorded(spec)[0][1:]))
        effects = self.interpreter.effects
        mark = effects.mark()
        self._check_arrays(model, graph, name, given, batches)
        effects.fault_models.update((id(fault), model) for fault in effects.since(mark).faults)

    def _check_arrays(
        self, model: ModelValue, graph: Graph, name: str, given: Mapping[str, ProgramValue], batches: ProgramValue
    ) -> None:
        effects = self.interpreter.effects
        mark = effects.mark()
        self._check_examples(model, graph, name, given.get("x"), "x")
        sure = effects.is_certain and not effects.is_model_exposed
        if name not in _TRAINS or not sure:
            return
        self._check_targets(model, graph, name, given.get("x"), given.get("y"), "y", batches)
        model.fitted = self._fitted(model, graph, given, name)
        others: ProgramValue = given.get("validation_data")
        if type(others) in (list, tuple) and len(others) > 1 and not effects.since(mark).faults:
            self._check_examples(model, graph, name, others[0], "validation_data")
            self._check_targets(model, graph, name, others[0], others[1], "validation_data")

    def check_error(self, model: ModelValue, shapes: Mapping[str, Shape]) -> None:
        graph, needs = self.graphs.graph(model) if model.form != "own" else None, shapes.get("needs")
        specs = [self.shapes.spec_of(tensor) for tensor in graph.inputs] if graph is not None and needs else []
        if specs and needs and all(spec and as_recorded(spec)[0][1:] != needs[1:] for spec in specs):
            return  # the error is that of another model, inside of this one
        if model.fitted is None or not model.fitted.arrays:
            data = [Array(shapes[name]) if name in shapes else None for name in ("X", "y")]
            self.check_data(model, "fit", data, {})

    def _fitted(self, model: ModelValue, graph: Graph | None, given: Mapping[str, ProgramValue], name: str) -> FitData:
        """Return what a model is trained on, as far as it is known; `graph` is None where its layers are not."""
        call = self.interpreter.node
        # What `**options` give may be validation data, or the order of examples.
        is_fit = name == "fit" and not any(item.arg is None for item in getattr(call, "keywords", ()))
        watched = unwatched(given, model.compiled or {}, len(graph.outputs) if graph else 0) if is_fit else ()
        result: list[DataArray] = []
        sure = given.get("batch_size") == _OF_BATCHES
        sides = ((model.inputs, graph.inputs, "x", "X"), (model.outputs, graph.outputs, "y", "y")) if graph else ()
        for structure, tensors, argument, name in sides:
            names = _names(structure, tensors)
            arrays = _arrays(given.get(argument), names) or []
            own = [name] if len(names) == 1 else [tensor.node.layer.name for tensor in tensors]
            if len(arrays) == len(own):
                result += [
                    _data_array(item, array, sure) for item, array in zip(own, arrays, strict=True) if array.shape
                ]
        batch = given.get("batch_size", 32)
        size = batch if isinstance(batch, int) else 32 if batch is None else None
        # Batches that a program makes itself keep their order; with them fit() takes no targets.
        is_shuffled = (
            is_fit and not sure and given.get("y") is not None and given.get("shuffle", True) in (True, "batch")
        )
        return FitData(tuple(result), size, is_shuffled=is_shuffled, watched=watched)

    def _check_examples(self, model: ModelValue, graph: Graph, name: str, data: object, argument: str) -> None:
        arrays = _arrays(data, _names(model.inputs, graph.inputs))
        if arrays is None:
            return
        shown = f"{name}() of '{model.name}'" if argument in _ORDER else f"{argument} of '{model.name}'"
        if len(arrays) != len(graph.inputs):
            takes = f"{shown} needs data for {_count(len(graph.inputs), 'input')}, got {_count(len(arrays), 'array')}"
            specs = [self.shapes.spec_of(tensor) for tensor in graph.inputs]
            shapes = [None if spec is None else as_recorded(spec)[0] for spec in specs]
            each = _each_of(_called(argument, "X"), _names(model.inputs, graph.inputs), shapes, arrays)
            self.fault(ShapeError(takes + each), argument, _ORDER)
            return
        for own, array in zip(graph.inputs, arrays, strict=True):
            spec = self.shapes.spec_of(own)
            wanted = None if spec is None else as_recorded(spec)[0]
            is_stated = any(array is value for value in self.interpreter.settings.values())
            if is_stated and wanted is not None and takes_examples(wanted, (None, *array.shape)):
                continue  # a text may state the shape of one example
            if wanted is not None and array.shape and not takes_examples(wanted, array.shape):
                self.fault(
                    ShapeError(examples_words(wanted, array.shape, _called(argument, "X"), name)), argument, _ORDER
                )
                return

    def _check_targets(
        self,
        model: ModelValue,
        graph: Graph,
        name: str,
        data: object,
        targets: object,
        argument: str,
        batches: object = None,
    ) -> None:
        if any(self.shapes.spec_of(item) is None for item in graph.outputs):
            return  # a tensor of unknown shape may stand for several
        compiled = (model.compiled or {}).get("loss")
        names = _names(model.outputs, graph.outputs)
        arrays = _arrays(targets, names)
        if arrays is None or compiled is None:
            return
        shown = f"{name}() of '{model.name}'" if argument in _ORDER else f"{argument} of '{model.name}'"
        if len(arrays) != len(graph.outputs):
            if any(item is None for item in (compiled if type(compiled) in (list, tuple) else ())):
                return
            wanted, got = _count(len(graph.outputs), "output"), _count(len(arrays), "array")
            each = _each_of(_called(argument, "y"), names, [], arrays)
            self.fault(ShapeError(f"{shown} needs targets for {wanted}, got {got}{each}"), argument, _ORDER)
            return
        if type(compiled) is dict and (wrong := next((key for key in compiled if key not in names), None)) is not None:
            known = ", ".join(f"'{key}'" for key in names)
            fact = f"the model '{model.name}' is compiled with a loss for '{wrong}'; its outputs are {known}"
            self.fault(ShapeError(fact))
            return
        examples = _arrays(data, _names(model.inputs, graph.inputs)) or []
        counts = [
            example.shape[0] for example in [*examples, *arrays] if example.shape and isinstance(example.shape[0], int)
        ]
        if len(set(counts)) > 1:
            several = " and ".join(dict.fromkeys(map(str, counts)))
            self.fault(ShapeError(f"{shown} needs as many targets as examples, got {several}"), argument, _ORDER)
            return
        for number, (output, array) in enumerate(zip(graph.outputs, arrays, strict=True)):
            spec = self.shapes.spec_of(output)
            loss = _loss(compiled, number, names)
            if spec is None or loss is None or not array.shape:
                continue
            sizes, results = as_recorded(spec)[0], (None, *array.shape[1:])
            if refuses_targets(loss, results, sizes):
                right = _mode(batches, loss) if len(results) != len(loss.targets_shape(sizes)) else ""
                recurrent = last_recurrent([(layer.name, layer.type) for layer in graph.layers])
                fact = targets_words(loss, sizes, array.shape, _called(argument, "y"), name, right, recurrent)
                self.fault(ShapeError(fact), argument, _ORDER)
                return


def _each_of(name: str, names: Sequence[str], wanted: Sequence[Shape | None], arrays: Sequence[Array]) -> str:
    """Return how one array for each of these names is given; parts of the one array, if it has as many columns."""
    if not 1 < len(names) <= _MOST_SHOWN:
        return ""
    ends = [shape[1] if shape is not None and len(shape) == 2 else None for shape in wanted]
    columns = arrays[0].shape[1] if len(arrays) == 1 and arrays[0].shape and len(arrays[0].shape) == 2 else None
    sizes = [end for end in ends if isinstance(end, int)]
    if len(sizes) == len(names) and sum(sizes) == columns:
        starts = [sum(sizes[:at]) for at in range(len(sizes) + 1)]
        parts = [f"{name}[:, {start or ''}:{'' if end == columns else end}]" for start, end in pairwise(starts)]
        return f": `{name} = [{', '.join(parts)}]` takes its columns apart, for {in_a_row(names)}"
    return f": give a list, `[{', '.join([f'{name}_{other}' for other in names])}]`, with an array for each"


def _are_one_name(call: ast.AST | None) -> bool:
    """Return whether a call gives the same name as X and as y, as a model that returns its input is trained.

    >>> calls = ["f(x, x)", "f(x, y=x)", "f(x[:, :-1], x[:, -1])"]
    >>> [_are_one_name(ast.parse(call, mode="eval").body) for call in calls]
    [True, True, False]
    """
    if not isinstance(call, ast.Call):
        return False
    given: dict[str | None, ast.expr] = dict(zip(_ORDER, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords}
    x, y = given.get("x"), given.get("y")
    return isinstance(x, ast.Name) and isinstance(y, ast.Name) and x.id == y.id


def _mode(batches: object, loss: Loss) -> str:
    """Return the argument with which batches of images have the targets that a loss takes."""
    if not isinstance(batches, Batches):
        return ""
    sparse = "sparse" if batches.argument == "class_mode" else "int"
    kinds = {"one-hot": "categorical", "classes": sparse, "bits": "binary"}
    kind = kinds.get(loss.targets.kind)
    return "" if kind is None else f"give the images with {batches.argument}='{kind}'"


def _data_array(name: str, array: Array, sure: bool) -> DataArray:
    """Return what is known of an array: the values of a small one, the bytes of images, and the classes of labels where
    that is `sure` or they are so many that each class is among them."""
    ends = array.range()
    if ends is not None:
        values = array.values or ()
        whole = all([float(value).is_integer() for value in values if isinstance(value, int | float)])
        return DataArray(name, array.shape, *ends, whole if values else "int" in array.dtype, ones=array.ones())
    rows, classes = array.shape[0], array.classes
    every = classes and (sure or (isinstance(rows, int) and rows >= 10 * classes))
    high = classes - 1 if classes and every else 255 if array.dtype == "uint8" and name == "X" else None
    return DataArray(name, array.shape, None if high is None else 0, high, high is not None, ones=array.ones())


def _called(argument: str, name: str) -> str:
    """Return what data are called in a message: X or y, or those of `validation_data`."""
    return name if argument in _ORDER else f"{name}_val"


def _loss(compiled: ProgramValue, number: int, names: Sequence[str]) -> Loss | None:
    """Return the loss of an output, by its number among the names of all; None for one that is no loss of Keras."""
    if type(compiled) in (list, tuple):
        compiled = compiled[number] if len(compiled) == len(names) else None
    elif type(compiled) is dict:
        compiled = compiled.get(names[number])
    if isinstance(compiled, Symbol):
        what = resolve_keras_name(compiled.path)
        compiled = what.name if what is not None and what.path.startswith("losses.") else None
    elif isinstance(compiled, Setting):
        compiled = compiled.class_name if compiled.path.startswith("losses.") else None
    return loss_of(compiled) if isinstance(compiled, str) else None


def _names(structure: object, tensors: Sequence[Tensor]) -> list[str]:
    """Return the names of the inputs or outputs of a model: the keys of a dict, else those of the layers."""
    keys = [str(key) for key in sorted(structure, key=str)] if type(structure) is dict else []
    return keys if len(keys) == len(tensors) else [tensor.node.layer.name for tensor in tensors]


def _arrays(data: ProgramValue, names: Sequence[str]) -> list[Array] | None:
    """Return the arrays of data in the order of the names; None where one of them is not known."""
    if type(data) is dict:
        results = [data.get(name) for name in names]
    else:
        results = list(data) if type(data) in (list, tuple) else [data]
    arrays = [item for item in results if isinstance(item, Array)]
    return arrays if len(arrays) == len(results) else None


def _differ(item: Sequence[ProgramValue], other: Sequence[ProgramValue]) -> bool:
    """Return whether known sizes differ; that of the batch does not count."""
    pairs = zip(item[1:], other[1:], strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)


def _count(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"{number} {what}s"


def _shapes_text(shapes: Sequence[Shape]) -> str:
    """Return shapes in a row; of many the first ones."""
    more = f" and {len(shapes) - _MOST_SHOWN} more" if len(shapes) > _MOST_SHOWN else ""
    return ", ".join(map(shape_text, shapes[:_MOST_SHOWN])) + more


# Callbacks ----------------------------------------------------------------------------------------------------------
# Callbacks of fit(), as far as rules ask: which number each watches, and whether fit() computes it.

WATCHES = {"EarlyStopping": "val_loss", "ReduceLROnPlateau": "val_loss", "ModelCheckpoint": "val_loss"}
"""Callback → the number that it watches by default; a ModelCheckpoint does so with save_best_only alone."""


class Callback(Unknown):
    """A callback of Keras that watches a number by its name."""

    type: str = ""
    monitor: str = ""


def callback(type_: str, unknown: Unknown, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]) -> Unknown:
    """Return a callback with the number that it watches; an `unknown` value for one that watches none."""
    if type_ not in WATCHES or (type_ == "ModelCheckpoint" and kwargs.get("save_best_only") is not True):
        return unknown
    at = 1 if type_ == "ModelCheckpoint" else 0  # whose first argument is the file
    monitor = kwargs.get("monitor", args[at] if len(args) > at else WATCHES[type_])
    if not isinstance(monitor, str):
        return unknown
    return Callback(unknown.reason, unknown.line, file=unknown.file, column=unknown.column, type=type_, monitor=monitor)


def watched(callbacks: ProgramValue) -> tuple[tuple[str, str], ...]:
    """Return the callbacks of a call of fit() that watch a number, each with its type and the number."""
    listed = callbacks if type(callbacks) in (list, tuple) else [callbacks]
    return tuple([(item.type, item.monitor) for item in listed if isinstance(item, Callback)])


def unwatched(
    given: Mapping[str, ProgramValue], compiled: Mapping[str, ProgramValue], outputs: int
) -> tuple[tuple[str, str, str], ...]:
    """Return the callbacks that watch what a call of fit() never computes, each with the number and the reason."""
    metrics = metric_names(compiled) if outputs == 1 else None
    results: list[tuple[str, str, str]] = []
    for type_, monitor in watched(given.get("callbacks")):
        base = monitor.removeprefix("val_")
        if base != monitor and not has_validation(given):
            results.append((type_, monitor, "fit() gets no validation data"))
        elif metrics is not None and base not in ("loss", "lr", "learning_rate", *metrics):
            stated = f"the metrics are {', '.join(sorted(metrics))}" if metrics else "the model has no metrics"
            results.append((type_, monitor, stated))
    return tuple(results)


def has_validation(given: Mapping[str, ProgramValue]) -> bool:
    """Return whether fit() may have data of validation."""
    split = given.get("validation_split", 0)
    return given.get("validation_data") is not None or not (isinstance(split, int | float) and split == 0)


def metric_names(compiled: Mapping[str, ProgramValue]) -> frozenset[str] | None:
    """Return the names of the metrics that a model is compiled with; None where they are not all known."""
    listed: list[ProgramValue] = []
    for key in ("metrics", "weighted_metrics"):
        some: ProgramValue = compiled.get(key)
        listed += some if type(some) in (list, tuple) else [] if some is None else [some]
    names = [item.config.get("name") if isinstance(item, Setting) else item for item in listed]
    return frozenset(str(name) for name in names) if all(isinstance(name, str) for name in names) else None
