"""The architecture as it was read: names, configurations and wires (one data model, hence the length).

Nothing here is computed.

A reader makes a `Model`; everything after it reads one. Tensors are named by who makes them: the layer,
the number of its call (0, 1, … in the order in which the file lists them) and the number of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from layerexplain.attribute_path import Steps
from layerexplain.errors import LayerExplainError
from layerexplain.records import NamedTuple, Record

if TYPE_CHECKING:
    from layerexplain.lang.axes import Need
    from layerexplain.layers.declaration import Declaration

Shape = tuple[int | None, ...]

Kind = Literal["layer", "operation", "model", "custom"]
"""What a row is: a layer class of Keras, an operation between layers (`keras.ops`, TFOpLambda),
a nested model, or a class that does not come from Keras."""


class TensorRef(NamedTuple):
    """One tensor of a model: output number `output` of call number `call` of the layer named `layer`; or an input or a
    weight of the model that no layer makes, by its name."""

    layer: str
    call: int = 0
    output: int = 0

    @property
    def key(self) -> CallKey:
        """What identifies the call that makes the tensor."""
        return self.layer, self.call


CallKey = tuple[str, int]
"""What identifies a call in its model: the name of its layer, and its number among the calls of that."""


def tensor_refs(value: Any) -> Iterator[TensorRef]:
    """Yield all tensors in a call's arguments, in order; iterative, since files nest as deep as they like.

    >>> list(tensor_refs([TensorRef("a"), {"mask": TensorRef("b")}, 3]))
    [TensorRef(layer='a', call=0, output=0), TensorRef(layer='b', call=0, output=0)]
    """
    stack = [value]
    while stack:
        current = stack.pop()
        kind = type(current)
        if kind is TensorRef:
            yield current
        elif kind is list or kind is tuple:
            stack += current[::-1]
        elif kind is slice:
            stack += (current.step, current.stop, current.start)
        elif kind is not str and isinstance(current, (dict, Mapping)):
            stack += reversed(list(current.values()))
        elif isinstance(current, (list, tuple)):
            stack += reversed(current)


def replaced(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return a structure of lists, mappings and slices with each value of a kind changed, such as the tensors of a
    call.

    >>> replaced([TensorRef("a"), {"mask": TensorRef("b")}, 3], TensorRef, lambda ref: ref.layer)
    ['a', {'mask': 'b'}, 3]
    """
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, Mapping):
        return {key: replaced(item, kind, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)([replaced(item, kind, change) for item in value])
    if isinstance(value, slice):
        return slice(*[replaced(item, kind, change) for item in (value.start, value.stop, value.step)])
    return value


class Note(NamedTuple):
    """Something the reader should know. `code` is stable, for pipelines; `layer` is a path or None."""

    code: str
    layer: str | None
    message: str


class ForeignFunction(NamedTuple):
    """A function that a configuration names and that is not one of today's Keras. It is never looked up or run.
    `code` is a checksum of the code that a file stores, "" where it stores none."""

    name: str
    code: str = ""

    def __repr__(self) -> str:
        shown = "a lambda" if self.name == "<lambda>" else self.name  # as messages show it
        return f"{shown}, code {self.code}" if self.code else shown


KERAS_2_HARD_SIGMOID = ForeignFunction("hard_sigmoid_keras2")
"""What Keras 1 and 2 called hard_sigmoid, a name that Keras 3 gave to another function."""


class StoredVariable(NamedTuple):
    """A stored variable that cannot be attributed to a layer. `trainable` is None where the file does not say."""

    name: str
    shape: Shape
    dtype: str
    trainable: bool | None


GROUP = "group "
"""Stands before the name of a group of weights where a file does not store the name of the layer, which is another."""


class StoredGroup(NamedTuple):
    """Where a file of weights keeps a layer that only its weights tell of: the names of groups that lead to it.
    `is_built` is False where the group is empty and the layer has weights once it is built."""

    parts: tuple[str, ...]
    is_built: bool = True


class ObjectNumber(NamedTuple):
    """The `number` by which a file tells an object that it holds in several places. `again` says that all that the
    object holds has such numbers too, as where Keras writes it for a second time."""

    number: int
    again: bool


class SharedObject(NamedTuple):
    """A layer or model that is the same object as one before it, with the same weights. Of several in `same_as` it is
    one, and nothing tells which. `steps` lead from the whole model to it."""

    steps: Steps
    same_as: tuple[Steps, ...]


class Layer(NamedTuple):
    """A layer and its arguments, in Keras's names.

    `type` is the class name; `kind` says where the class comes from, since names collide (`Reshape` the layer,
    `Reshape` the operation). In `config` a wrapped layer is a `Layer`, a list of cells a list of them, one of
    Keras's functions its name (`"relu"`), any other function a `ForeignFunction`; shapes are tuples. A nested model
    has its `model`, and no config but `trainable` and `dtype`. `package` is the module of a custom class. What a file
    of weights alone, or an export without layers, tells of a layer are its `variables`, a tuple in `config`, and its
    `group`, a `StoredGroup`.
    `build_shape` is the input shape (or the mapping of them) that the file recorded when the layer was built.
    `line` is the line of the spec or of the code that it stands in, `column` where in the line of code, counted from 1,
    `file` the file or the cell of a notebook where that is not the source itself. `number` is there where the file says
    of the object that it holds it in several places; `Model.shared` says what follows from that. `ignore` are the rules
    of `check` that a spec leaves out for the layer. `declaration` is that of this very object, where code made it: two
    objects of one class may hold different layers. `frozen` are the weights that training does not change, where it
    changes others of the layer. `registered` is False where PyTorch does not have its weights among those of the model.
    `missing` are arguments whose values the code does not say: others stand in for them.
    """

    name: str
    type: str
    kind: Kind
    config: Mapping[str, Any]
    model: Model | None = None
    package: str = ""
    build_shape: Any = None
    line: int | None = None
    number: ObjectNumber | None = None
    file: str = ""
    ignore: tuple[str, ...] = ()
    declaration: Declaration | None = None
    column: int | None = None
    frozen: tuple[str, ...] = ()
    registered: bool = True
    missing: tuple[str, ...] = ()

    @property
    def stored_variables(self) -> tuple[StoredVariable, ...]:
        """The variables of a row made from a file of weights or from an export without layers; none otherwise."""
        listed = self.config.get("variables")
        if self.kind != "custom" or not isinstance(listed, tuple):
            return ()
        return tuple([variable for variable in listed if isinstance(variable, StoredVariable)])

    @property
    def is_stored(self) -> bool:
        """Whether the row was made from a file of weights or an export without layers: it has what is stored."""
        return isinstance(self.config.get("group"), StoredGroup) or bool(self.stored_variables)

    @property
    def is_unbuilt(self) -> bool:
        """Whether a file of weights has an empty group for the layer, which has weights once it is built."""
        group = self.config.get("group")
        return self.model is None and isinstance(group, StoredGroup) and not group.is_built


def values_inside(value: Any) -> Iterator[Any]:
    """Yield a value of a configuration and all in it: items of lists, and what is in the configurations of layers.

    >>> [one.type for one in values_inside((2, Layer("d", "Dense", "layer", {"units": 3}))) if isinstance(one, Layer)]
    ['Dense']
    """
    waiting = [value]
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, Layer):
            waiting += current.config.values()
        elif isinstance(current, list | tuple):
            waiting += current


def batch_axis(layer: Layer) -> int:
    """Return the axis of an input along which examples lie: the first one but for some of PyTorch's."""
    axis: int = layer.config.get("batch_axis", 0)
    return axis


def input_batches(model: Model) -> list[int | None]:
    """Return how many examples each input of a model takes at a time, None for any number."""
    shapes = [
        (layer.config.get("batch_shape"), batch_axis(layer)) for layer in model.layers if layer.type == "InputLayer"
    ]
    return [shape[axis] for shape, axis in shapes if isinstance(shape, tuple) and shape]


def fixed_batch(model: Model) -> int | None:
    """Return the number of examples that a model takes at a time, None where it takes any number."""
    return next((size for size in input_batches(model) if size is not None), None)


def keeps_state(layer: Layer) -> bool:
    """Return whether a layer, or one inside it, keeps its state between calls: `stateful=True`.

    >>> keeps_state(Layer("b", "Bidirectional", "layer", {"layer": Layer("l", "LSTM", "layer", {"stateful": True})}))
    True
    """
    inner_layers = [item for item in values_inside(layer) if isinstance(item, Layer)]
    return any(
        other.config.get("stateful") is True or (other.model is not None and any(map(keeps_state, other.model.layers)))
        for other in inner_layers
    )


class Call(NamedTuple):
    """One call of a layer. Arguments are as in the Keras call: a `TensorRef`, a constant (number, string, bool,
    None, slice, Ellipsis), or lists, tuples and dicts of them, nested as in the file. In code `line`, `column` and
    `file` say where the call stands, as those of a `Layer`, and `callers` are the places from which the function was
    called that makes the call, the next one first: `train.py:88`."""

    layer: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a call
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    line: int | None = None
    callers: tuple[str, ...] = ()
    column: int | None = None
    file: str = ""

    @property
    def key(self) -> CallKey:
        """What identifies the call in its model."""
        return self.layer, self.index

    @property
    def refs(self) -> tuple[TensorRef, ...]:
        """The tensors that the call takes, in order.

        >>> Call("add", 0, ([TensorRef("a"), TensorRef("b")],), {"training": False}).refs
        (TensorRef(layer='a', call=0, output=0), TensorRef(layer='b', call=0, output=0))
        """
        args = self.args
        if len(args) == 1 and type(args[0]) is TensorRef and not any(self.kwargs.values()):  # the usual call
            return args
        return tuple(tensor_refs((args, self.kwargs)))


def is_before_keras_3(version: str | None) -> bool:
    """Return whether Keras 0, 1 or 2 wrote a file that states this version; False where it states none."""
    return version is not None and version.partition(".")[0] in ("0", "1", "2")


class TrainingSetting(NamedTuple):
    """A loss, an optimizer, a metric or a schedule as a file names it, with the arguments that it states. `line` is
    where code makes it. Of a loss `applied` are the functions that a loop of training applies to the output before it,
    in order: rows of operations, MOVED, or "" for what is not read."""

    name: str
    config: Mapping[str, Any] = MappingProxyType({})
    line: int | None = None
    applied: tuple[Any, ...] = ()


NUMBERS = "numbers"
"""Among the arguments of a function that is applied: the numbers that it takes in place of tensors, by their places."""
MOVED = "moved"
"""Stands for a function that leaves the values as they are and gives another shape, which is not known."""


class Training(NamedTuple):
    """What a model was compiled with. `losses`, `loss_weights` and `metrics` are by output; "" is for all outputs.
    Unless `are_all`, an output that is not among them may have a loss as well. Unless `has_step`, the source computes a
    loss and nothing of it shows a step of training: it may only evaluate the model."""

    optimizer: TrainingSetting | None = None
    losses: Mapping[str, TrainingSetting] = MappingProxyType({})
    loss_weights: Mapping[str, float] = MappingProxyType({})
    metrics: Mapping[str, tuple[TrainingSetting, ...]] = MappingProxyType({})
    are_all: bool = True
    has_step: bool = True


class ModelWeight(NamedTuple):
    """A variable that belongs to a model and to no layer of it: calls take it as they take any tensor, by the name that
    it has as `TensorRef.layer`. `shape` has no batch."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    trainable: bool = True


class Model(Record):
    """A whole architecture, or one that is nested in another.

    `layers` are in the file's order, InputLayers included (a reader of files adds them where a file leaves them out).
    `calls` are in any order; each InputLayer has one, without arguments. `inputs` and `outputs` are in the model's
    order; an input that names no layer has the shape that is `recorded` for it. `type` is "Functional", "Sequential" or
    the class name of a model that has no graph (then `calls` is empty and a note says so). `recorded` holds what the
    file says of a tensor's shape (with the batch) and dtype: a cross-check, not the truth. `shared` tells, of a whole
    architecture, which objects in it, at any depth, are the same as earlier ones. `faults` are the errors that its
    reader found in single layers: the wires are right all the same, and what does not depend on these layers can be
    explained. `declarations` are the formulas of the model's own classes, by type: they hold for its layers of the kind
    "custom", also in its nested models. `weights` are those that belong to no layer. `training` is what the source says
    of the loss, the optimizer and the metrics.

    >>> import layerexplain
    >>> layerexplain.read(b"name: net\\ninput: [784]\\nlayers:\\n  - Dense: 10\\n")
    <Model 'net' (<bytes>): Sequential, 2 layers>
    """

    name: str
    type: str
    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    trainable: bool = True
    recorded: Mapping[TensorRef, tuple[Shape, str]] = {}
    source: str = ""
    format: str = ""
    keras_version: str | None = None
    framework: str = "keras"
    """The framework whose layers these are: "keras" or "torch"."""
    strict: bool = False
    """True for what a person typed (a spec): an argument that the layer does not have is an error, not a note."""
    notes: tuple[Note, ...] = ()
    shared: tuple[SharedObject, ...] = ()
    faults: tuple[LayerExplainError, ...] = ()
    declarations: Mapping[str, Declaration] = MappingProxyType({})
    weights: tuple[ModelWeight, ...] = ()
    training: Training | None = None
    arguments: Mapping[str, Any] = MappingProxyType({})
    """What the class of a subclassed model is made with, as a file has it."""
    grade: str = "complete"
    """How sure a model is that was read from code: "complete", "assumed" or "open"; the notes say why."""
    input_form: Any = None
    output_form: Any = None
    """How inputs and outputs are nested: lists and mappings of their numbers, as `{"mean": 0, "rest": [1, 2]}`. None
    for one tensor alone, and for several in a list."""
    source_code: SourceCode | None = None
    """What a model was read from that stands in code."""
    fit_data: FitData | None = None
    """What its code trains it on."""
    weights_file: str = ""
    """The file that its weights are read from, where that is not the source."""
    modules: Mapping[str, str] = MappingProxyType({})
    """What transformers calls the modules of a language model whose files call them otherwise; "" for none alone."""

    def __repr__(self) -> str:
        count = f"{len(self.layers):,} layer{'' if len(self.layers) == 1 else 's'}"
        return f"<Model {self.name!r} ({repr(self.source)[1:-1]}): {self.type}, {count}>"

    @cached_property
    def layers_by_name(self) -> Mapping[str, Layer]:
        """The layers by their names; the last one of several with the same name."""
        return {layer.name: layer for layer in self.layers}

    def at(self, shapes: InputShapes) -> Model:
        """Return the model with its inputs of given shapes: that of code is read again, in which sizes may follow from
        them.

        >>> Model("m", "Functional", (), (), (), ()).at({"x": (3,)}).name
        'm'
        """
        model = self.source_code.at(shapes) if shapes and self.source_code is not None else None
        if model is None:
            return self
        code = model.source_code
        again = None if code is None else SourceCode(code.results, needs=code.needs, trees=code.trees)
        return model._replace(source=self.source, source_code=again, weights_file=self.weights_file)

    def on(self, given: Any) -> Model:
        """Return the model on one array, or on arrays by the names of its inputs: that of code at their shapes."""
        if self.source_code is None:
            return self
        from numpy import shape

        arrays = given if isinstance(given, Mapping) else {ref.layer: given for ref in self.inputs[:1]}
        model = self
        for _ in range(2):  # code may say only at known shapes where the examples are
            layers = [
                (ref.layer, model.layers_by_name.get(ref.layer)) for ref in self.inputs
            ]  # None: no layer makes it
            axes = {name: 0 if layer is None else batch_axis(layer) for name, layer in layers}
            sizes = {name: shape(arrays[name]) for name in axes if name in arrays}
            model = self.at({name: (*size[: axes[name]], *size[axes[name] + 1 :]) for name, size in sizes.items()})
        return model


class DataArray(NamedTuple):
    """An array: its name and shape. Where the values are known, `low` and `high` are the smallest and the largest
    finite one, `is_whole` says that all are whole numbers, and `not_finite` counts those that are NaN or infinite.
    `ones` are the smallest and the largest number of ones in a row of zeros and ones, where that is known."""

    name: str
    shape: Shape
    low: float | None = None
    high: float | None = None
    is_whole: bool = False
    not_finite: int = 0
    ones: tuple[float, float] | None = None


class FitData:
    """The arrays that the code of a model calls fit() with, by the names X and y, or by those of inputs and outputs
    where there are several; and how many examples it takes at a time. `is_shuffled` says that their order changes,
    `watched` are callbacks and the numbers that they watch though fit() computes none of that name, each with the
    reason. Two are equal: the models are compared."""

    def __init__(
        self,
        arrays: tuple[DataArray, ...],
        batch_size: int | None,
        *,
        is_shuffled: bool = False,
        watched: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        self.arrays = arrays
        self.batch_size = batch_size
        self.is_shuffled = is_shuffled
        self.watched = watched

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FitData)

    def __hash__(self) -> int:
        return 0


class PlacedResult(NamedTuple):
    """What a line of code gives that is no row of its model: a statement inside of a layer of the program, or the call
    of a module that consists of others (`layer` is its path), or where the code could not be followed any further (with
    the `reason`). The place is as that of a `Layer`."""

    line: int
    column: int
    file: str
    shapes: tuple[Shape | None, ...]
    layer: str = ""
    reason: str = ""


Missing: TypeAlias = Literal["size", "rounds", "shape"]
"""What a name that code leaves open stands for: a size, how often a loop runs, or a shape of any number of axes."""


class SourceCode:
    """The code of a model: `results` gives what lines give that are no rows, and `at` the model at given shapes of its
    inputs, where its code computes with them. `missing` names what the code leaves open, as `--set` does, and
    `with_values` is the model with values for some. `needs` is what its own arithmetic needs of the batch, `trees` the
    syntax of the program and of the files that it imports, by their names. Two of them are equal: it is the models that
    are compared, not where they come from."""

    def __init__(
        self,
        results: Callable[[], Sequence[PlacedResult]],
        at: Callable[[InputShapes], Model | None] = lambda shapes: None,
        missing: Mapping[str, Missing] = MappingProxyType({}),
        with_values: Callable[[Mapping[str, int]], Model | None] = lambda values: None,
        needs: Iterable[Need] = (),
        trees: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self.results = results
        self.at = at
        self.missing = dict(missing)
        self.with_values = with_values
        self.needs = tuple(needs)
        self.trees = tuple(trees)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceCode)

    def __hash__(self) -> int:
        return 0


TORCH_MODULE = "torch-module"
"""The format of a live module of PyTorch."""

InputShapes = Mapping[str, Sequence[int | None]]
"""Shapes of a model's inputs by name, without the batch: `{"tokens": (128,)}`."""

InputShapesOf = Callable[[Model], InputShapes]
"""Gives the shapes of a model's inputs when the model is known."""


def package_and_class(registered: str) -> tuple[str, str]:
    """Return the package and the class of a name under which Keras registers a class.

    >>> package_and_class("mine>Dense"), package_and_class("Dense"), package_and_class("Dense>")
    (('mine', 'Dense'), ('', 'Dense'), ('', 'Dense>'))
    """
    package, _, name = registered.rpartition(">")
    return (package, name) if name else ("", registered)
