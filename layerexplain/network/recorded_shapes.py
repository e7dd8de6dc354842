"""Shapes that a model of tf.keras computes or records: `tf.shape(x)[1]`, `tf.stack([tf.shape(x)[0], 20])`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from layerexplain.derive.roles import Roles, image_roles
from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH, Shape, Size
from layerexplain.lang.expr import Expr, tensor
from layerexplain.layers.arguments import is_int
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import facts_of
from layerexplain.model import Call, InputShapes, Layer, Model, Note, TensorRef, batch_axis
from layerexplain.network.scope import Scope
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple, grouped

# Shape values -------------------------------------------------------------------------------------------------------

SHAPES = frozenset({"compat.v1.shape", "shape", "raw_ops.Shape"})
TAKES_SIZES = {"reshape": "shape", "tile": "multiples", "broadcast_to": "shape"}
"""Functions of TensorFlow whose argument is a list of sizes."""

_DEEPEST = 20


class ShapeValues:
    """What is known of tensors that hold sizes: of each call the function, and the shape of each tensor."""

    def __init__(
        self,
        calls: Mapping[tuple[str, int], tuple[str, Call]],
        shape_of: Callable[[TensorRef], tuple[Size, ...] | None],
    ) -> None:
        self._calls = calls
        self._shape_of = shape_of

    def resolved(self, function: str, call: Call) -> Call:
        """Return the call with the sizes that are known in place of the tensors that hold them."""
        name = TAKES_SIZES.get(function)
        given = None if name is None else call.kwargs.get(name)
        if name is None or not isinstance(given, TensorRef | list | tuple):
            return call
        value = self._value(given, 0)
        if not isinstance(value, list):
            return call
        return call._replace(kwargs={**call.kwargs, name: value})

    def _value(self, given: Any, depth: int) -> Any:
        """Return a size, a list of sizes, or the tensor itself where it is not known."""
        if isinstance(given, list | tuple) and not isinstance(given, TensorRef):
            return [self._value(item, depth) for item in given]
        result = self._calls.get(given.key) if isinstance(given, TensorRef) else None
        if result is None or not result[1].args or depth > _DEEPEST:
            return given
        function, call = result
        first = call.args[0]
        if function in SHAPES and isinstance(first, TensorRef):
            shape = self._shape_of(first)
            return given if shape is None else [size if is_int(size) else given for size in shape]
        value = self._value(first, depth + 1)
        if function == "cast" or (function == "stack" and call.kwargs.get("axis", 0) in (0, None)):
            return value
        if function == "concat" and isinstance(value, list) and all(isinstance(part, list) for part in value):
            return [size for part in value for size in part]
        key: Any = call.kwargs.get("slice_spec")
        if function == "__operators__.getitem" and isinstance(value, list):
            if isinstance(key, list | tuple) and len(key) == 1:
                key = key[0]
            if isinstance(key, slice) or (is_int(key) and -len(value) <= key < len(value)):
                return value[key]
        return given


# Recorded shapes ----------------------------------------------------------------------------------------------------
# The tensors on their way through a model, and what the file recorded of their shapes.

_SIZES = frozenset({int, type(None)})


def _with_batch(shape: Sequence[int | None], axis: int = 0) -> Shape:
    return (*shape[:axis], BATCH, *shape[axis + 1 :]) if shape else ()


def spec_dtype(dtype: str) -> str:
    """Return the dtype of a tensor in a formula: all floating dtypes are "float" there."""
    return "float" if dtype in ("float16", "bfloat16", "float32", "float64") else dtype


def input_spec(layer: Layer) -> Spec | None:
    """Return what an InputLayer gives; None if its shape is unknown."""
    shape = layer.config.get("batch_shape")
    if not isinstance(shape, tuple):
        return None
    dtype = layer.config.get("dtype")
    return Spec(_with_batch(shape, batch_axis(layer)), spec_dtype(dtype if isinstance(dtype, str) else "float32"))


def model_input(model: Model, ref: TensorRef) -> Spec | None:
    """Return what an input of a model is: as its InputLayer says, or as it is recorded where no layer makes it."""
    layer = model.layers_by_name.get(ref.layer)
    spec = recorded_spec(model, ref) if layer is None else input_spec(layer)
    size = layer.config.get("batch_shape") if layer is not None else None
    if layer is not None and layer.config.get("alone"):  # one example of PyTorch without a batch
        return spec and spec._replace(shape=tuple(size or ()), roles=("features",) if len(size or ()) == 1 else None)
    if spec is not None and size and isinstance(size[0], int):
        roles = _roles_alone(model, ref, len(size))
        if roles is not None:
            return spec._replace(shape=(size[0], *spec.shape[1:]), roles=roles)
    return spec


def input_specs(model: Model, given: InputShapes = MappingProxyType({})) -> list[Spec | None]:
    """Return what each input of a model is, in its order; with the sizes that are `given` for it."""
    known = [(ref.layer, model_input(model, ref)) for ref in model.inputs]
    return [fixed_input(name, spec, given[name]) if name in given else spec for name, spec in known]


def with_input_layers(model: Model) -> Model:
    """Return the model with an InputLayer for each input that no layer makes, as the `call` of a class has them: what
    runs a model feeds its InputLayers."""
    names = {layer.name for layer in model.layers}
    missing = [ref for ref in model.inputs if ref.layer not in names]
    if not missing:
        return model
    layers, calls = [], []
    for ref in missing:
        shape, dtype = model.recorded.get(ref, (None, "float32"))
        layers.append(Layer(ref.layer, "InputLayer", "layer", {"batch_shape": shape, "dtype": dtype}))
        calls.append(Call(ref.layer, 0, (), {}))
    return model._replace(layers=(*layers, *model.layers), calls=(*calls, *model.calls))


def _roles_alone(model: Model, ref: TensorRef, ndim: int) -> Roles | None:
    """Return the roles of the axes of an input that is one image or signal without a batch, by the first layers that
    tell; None for other inputs."""
    ahead = [ref]
    for call in model.calls if ndim in (1, 3) else ():
        if any(item in ahead for item in call.refs):
            layer = model.layers_by_name[call.layer]
            several = layer.config.get("layers")  # of a Pipeline
            from layerexplain.network.scope import as_layers

            inner = as_layers([*several]) if isinstance(several, list | tuple) else ()
            for other in [item for item in inner if isinstance(item, Layer)] or (layer,):
                facts = facts_of(other.type)
                if facts.alone_ndim == ndim:
                    return ("steps",) if ndim == 1 else image_roles(ndim + 1, other.config.get("data_format"))[1:]
                if not facts.keeps_axes:
                    break
            else:
                ahead.append(TensorRef(call.layer, call.index))
    return None


def recorded_spec(model: Model, ref: TensorRef) -> Spec | None:
    """Return what the file says of a tensor."""
    recorded = model.recorded.get(ref)
    return None if recorded is None else Spec(_with_batch(recorded[0]), spec_dtype(recorded[1]))


def built_shape(layer: Layer, i: int) -> Shape | None:
    """Return the shape of input i that the file recorded when the layer was built."""
    built = layer.build_shape
    if isinstance(built, tuple):
        shapes: Sequence[object] = built if built and isinstance(built[0], tuple) else [built]
    else:
        shapes = [*built.values()] if isinstance(built, Mapping) else []
    shape = shapes[i] if i < len(shapes) else None
    if isinstance(shape, tuple) and shape and _SIZES.issuperset(map(type, shape)):
        return _with_batch(shape)
    return None


def fixed_input(name: str, spec: Spec | None, wanted: Sequence[int | None]) -> Spec:
    """Return an input with the sizes that the user gives; those that the model fixes must agree."""
    if spec is None:
        return Spec((BATCH, *wanted), "float")
    axis = spec.shape.index(BATCH) if BATCH in spec.shape else 0
    own, whole = (*spec.shape[:axis], *spec.shape[axis + 1 :]), (*wanted[:axis], BATCH, *wanted[axis:])
    if not _agree(spec.shape, whole):
        given, fixed = ", ".join(map(str, wanted)), ", ".join(map(str, own))
        hint = f"; leave out the batch, which is {wanted[0]}" if len(wanted) == len(own) + 1 else ""
        raise ShapeError(f"input '{name}' needs sizes that fit the model's ({fixed}), got ({given}){hint}")
    return Spec(tuple([a if b is None else b for a, b in zip(spec.shape, whole, strict=True)]), spec.dtype)


class Mask(NamedTuple):
    """A mask and the layer that it comes from; both None for no mask."""

    expr: Expr | None
    source: str | None

    @property
    def spec(self) -> Spec | None:
        """Its shape and dtype."""
        return None if self.expr is None else Spec(self.expr.shape, self.expr.dtype)


NO_MASK = Mask(None, None)


class RecordedTensor(NamedTuple):
    """A tensor: its expression, its mask, and the roles of its axes."""

    expr: Expr
    mask: Mask = NO_MASK
    roles: tuple[str, ...] | None = None

    @property
    def spec(self) -> Spec:
        """Its shape and dtype, and what its axes are."""
        return Spec(self.expr.shape, self.expr.dtype, self.roles)

    @property
    def bare_spec(self) -> Spec:
        """Its shape and dtype alone."""
        return Spec(self.expr.shape, self.expr.dtype)


_MOST_OUTPUTS = 100
"""No more outputs of one call are listed because the file recorded one of them."""


class Tensors:
    """The tensors of one walk."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._tensors: dict[TensorRef, RecordedTensor | None] = {}

    @cached_property
    def _outputs(self) -> dict[tuple[str, int], int]:
        """How many outputs each call has by what the file recorded of them."""
        outputs: dict[tuple[str, int], int] = {}
        for layer, call, output in self._scope.model.recorded:
            outputs[layer, call] = max(outputs.get((layer, call), 0), min(output + 1, _MOST_OUTPUTS))
        return outputs

    def __setitem__(self, ref: TensorRef, value: RecordedTensor | None) -> None:
        self._tensors[ref] = value

    def get(self, ref: TensorRef | None) -> RecordedTensor | None:
        """Return the tensor; None where its shape is unknown, or nothing made it yet."""
        return None if ref is None else self._tensors.get(ref)

    def taken(self, layer: Layer, ref: TensorRef | None, i: int) -> RecordedTensor | None:
        """Return the tensor that a layer takes as number `i`; where its shape is unknown, what the layer was built
        for."""
        if ref is None:
            return None
        known = self._tensors.get(ref)
        if known is None:
            shape = built_shape(layer, i)
            if shape is not None:
                known = self._tensors[ref] = RecordedTensor(tensor(ref.layer, shape, "float"))
        return known

    def recorded(self, call: Call) -> list[Spec | None]:
        """Return what the file says of the outputs of a call, None for one that nobody reads; else what the first layer
        that takes one was built for."""
        model = self._scope.model
        count = self._outputs.get(call.key, 0)
        specs = [recorded_spec(model, TensorRef(call.layer, call.index, i)) for i in range(count)]
        if not any(specs) and (spec := self._wanted(TensorRef(call.layer, call.index))) is not None:
            return [spec]
        return specs

    def put_recorded(self, call: Call, specs: Sequence[Spec | None]) -> None:
        """Keep the outputs of a call that are known only by what was recorded; with none, its first is unknown."""
        for i, spec in enumerate(specs):
            known = None if spec is None else RecordedTensor(tensor(call.layer, spec.shape, spec.dtype))
            self._tensors[TensorRef(call.layer, call.index, i)] = known
        if not specs:
            self._tensors.setdefault(TensorRef(call.layer, call.index), None)

    def _wanted(self, ref: TensorRef) -> Spec | None:
        """Return the shape that the first layer that takes a tensor was built for."""
        readers = self._scope.readers.get(ref)
        shape = built_shape(readers[0][0], readers[0][2]) if readers else None
        return None if shape is None else Spec(shape, "float")


def cross_checks(model: Model, calls: Sequence[TracedCall], path: Sequence[str]) -> Iterator[Note]:
    """Yield notes where the file recorded other shapes than those that are derived; `path` leads to the model."""
    if not model.recorded and not any(layer.build_shape is not None for layer in model.layers):
        return
    by_layer = grouped(
        (call.name, call)
        for call in calls
        if call.definition is not None and call.definition.kind != "opaque" and not call.built
    )
    for name, own in by_layer.items():
        layer = model.layers_by_name[name]
        if len(own) > 1 or not _is_as_recorded(model, layer, own[0]):
            for code, message in _disagreements(model, layer, own):
                yield Note(code, "/".join((*path, name)), message)


def _is_as_recorded(model: Model, layer: Layer, call: TracedCall) -> bool:
    """Return whether a layer's only call has just the shapes that the file recorded, as nearly always."""
    built, inputs, outputs = layer.build_shape, call.inputs, call.outputs
    if not inputs or inputs[0] is None or len(outputs) != 1 or outputs[0] is None or type(built) is not tuple:
        return False
    ours, results = inputs[0].shape, outputs[0].shape
    said = model.recorded.get(TensorRef(layer.name, call.call.index, 0), (results,))[0]
    same = built[1:] == ours[1:] and said[1:] == results[1:]
    return same and len(built) == len(ours) and len(said) == len(results) and _SIZES.issuperset(map(type, built))


def _disagreements(model: Model, layer: Layer, calls: Sequence[TracedCall]) -> Iterator[tuple[str, str]]:
    """Yield (code, message) of each: outputs of all calls, and what the layer was built with, which one call is to
    fit."""
    for call in calls:
        for i, spec in enumerate(call.outputs):
            said = model.recorded.get(TensorRef(layer.name, call.number, i))
            if spec is not None and said is not None and not _agree(spec.shape, said[0]):
                which = f"output {i}" if len(call.outputs) > 1 else "output"
                ours, theirs = shape_text(spec.shape), shape_text(_with_batch(said[0]))
                yield "recorded-shape", f"its {which} is {ours} by its formula; the file recorded {theirs}"
    built = built_shape(layer, 0)
    # Where numbers stand in place of the first tensor, no input is the first one.
    given = [call for call in calls if call.origin is None or 0 not in call.origin.bound.constants]
    inputs = [call.inputs[0] for call in given if call.inputs and call.inputs[0] is not None]
    if built is not None and inputs and not any(_agree(spec.shape, built) for spec in inputs):
        ours, theirs = shape_text(inputs[0].shape), shape_text(built)
        yield "build-shape", f"its input is {ours} in this model; the file recorded that it was built for {theirs}"


def _agree(ours: Sequence[Size], theirs: Sequence[Size]) -> bool:
    """Return whether two shapes can be the same; the batch does not count."""
    if len(ours) != len(theirs):
        return False
    if ours[1:] == theirs[1:]:
        return True
    pairs = zip(ours[1:], theirs[1:], strict=True)
    return all(a == b or not isinstance(a, int) or not isinstance(b, int) for a, b in pairs)
