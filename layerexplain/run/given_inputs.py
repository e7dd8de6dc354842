"""The arrays that a model is run on: given ones, checked against its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError, raise_any
from layerexplain.frontends.hugging_face import FORMAT, INPUT_NAMES
from layerexplain.frontends.input_shapes import no_input
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, Model, batch_axis
from layerexplain.network.recorded_shapes import input_specs, with_input_layers
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple, grouped
from layerexplain.run.arrays import is_float, rounded_to


class GivenInput(NamedTuple):
    """An input with its array, and the origin of the array as text."""

    name: str
    array: Any
    origin: str


class ModelInput:
    """An input of a model: `shape` has the batch, at `batch_axis`, and None for open sizes (`shape` is None if it is
    unknown); `dtype` is Keras's. `what` it is in messages: an input, or the target of an output. `alias` is its other
    name, as transformers has it."""

    __slots__ = ("alias", "batch_axis", "dtype", "name", "shape", "what")

    def __init__(self, layer: Layer, alias: str = "") -> None:
        shape = layer.config.get("batch_shape")
        dtype = layer.config.get("dtype")
        self.name = layer.name
        self.alias = alias or layer.name
        self.shape: tuple[int | None, ...] | None = shape if isinstance(shape, tuple) else None
        self.dtype = dtype if isinstance(dtype, str) else "float32"
        self.batch_axis = batch_axis(layer)
        self.what = "input"

    @property
    def who(self) -> str:
        """What it is called in messages."""
        return f"the {self.what} '{self.name}'"

    @property
    def batch(self) -> int | None:
        """The number of examples that it takes; None for any number."""
        return self.shape[self.batch_axis] if self.shape else None

    def without_batch(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return a shape without the number of examples."""
        return (*shape[: self.batch_axis], *shape[self.batch_axis + 1 :])

    def with_batch(self, sizes: Sequence[Any], batch: Any) -> tuple[Any, ...]:
        """Return the shape of a number of examples of these sizes."""
        return (*sizes[: self.batch_axis], batch, *sizes[self.batch_axis :])

    @property
    def shape_words(self) -> str:
        """The shape as text."""
        return "any shape" if self.shape is None else f"the shape {shape_text(self.shape)}"

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Return a hint, or "", for an array whose shape does not fit; None for one that fits."""
        own = self.shape
        if own is None or _fits(own, shape):
            return None
        if _fits(own, (*shape[:1], *shape[-1:], *shape[1:-1])):
            return "; its channels come first, as numpy.moveaxis(array, -1, 1) gives them"
        return "; the first axis counts examples; for one example its size is 1" if len(shape) == len(own) - 1 else ""


def _fits(own: Sequence[int | None], shape: Sequence[int]) -> bool:
    return len(own) == len(shape) and all([size in (None, n) for size, n in zip(own, shape, strict=True)])


def _waits_for_shapes(model: Model) -> bool:
    """Return whether code has to know the shape of an input before it has calls."""
    inputs = [layer for layer in model.layers if layer.type == "InputLayer"]
    return model.source_code is not None and any(layer.config.get("batch_shape") is None for layer in inputs)


def inputs_of(model: Model) -> list[ModelInput]:
    """Return the inputs of a model, in its order. Raises LayerExplainError for a model without a graph."""
    if (not model.calls or not model.outputs) and not _waits_for_shapes(model):
        raise_any(model.faults)
        why = next((note.message for note in model.notes if note.code == "open"), None)
        if why is not None:
            raise LayerExplainError(f"parts of the code are unknown, so there is nothing to run: {why}")
        raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to run")
    layers = with_input_layers(model).layers_by_name
    aliases = INPUT_NAMES if model.format == FORMAT else {}
    return [ModelInput(layers[ref.layer], aliases.get(ref.layer, "")) for ref in model.inputs]


def meet(model: Model, name: str, others: Iterable[str]) -> bool:
    """Return whether a layer of a model takes what follows from an input and what follows from one of others."""
    readers = grouped([(ref.layer, call.layer) for call in model.calls for ref in call.refs])
    return not _after([name], readers).isdisjoint(_after(others, readers))


def _after(names: Iterable[str], readers: Mapping[str, Sequence[str]]) -> set[str]:
    """Return layers and all that follow them."""
    results: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name not in results:
            results.add(name)
            waiting += readers.get(name, ())
    return results


def _are_inputs(given: Any) -> bool:
    return isinstance(given, list | tuple) and bool(given) and all([isinstance(item, GivenInput) for item in given])


def model_on(model: Model, given: Any) -> Model:
    """Return a model of code as it is at the shapes of its inputs, which are as `given_inputs` takes them."""
    return model.on({item.name: item.array for item in given} if _are_inputs(given) else given)


def given_inputs(model: Model, given: Any) -> list[GivenInput]:
    """Return the inputs of a model, in its order, with arrays that are cast to their dtypes.

    Args:
        model: The model that gets them.
        given: An array, batch first; a mapping of the names of inputs to arrays; or what `make_inputs` gave.

    Raises:
        ArgumentError: if an array is missing, or does not fit its input in shape or kind.
    """
    wanted = inputs_of(model)
    origins: Mapping[str, str] = {}
    if _are_inputs(given):
        origins = {item.name: item.origin for item in given}
        given = {item.name: item.array for item in given}
    listed = ", ".join(f"'{model_input.name}'" for model_input in wanted)
    if not isinstance(given, Mapping):
        if len(wanted) != 1:
            raise ArgumentError(f"the model has {len(wanted)} inputs; give an array for each of {listed} by its name")
        given = {wanted[0].name: given}
    names = [model_input.name for model_input in wanted]
    for name in given:
        if name not in names:
            raise no_input(name, names)
    missing = [model_input.name for model_input in wanted if model_input.name not in given]
    if missing:
        raise ArgumentError(f"no array is given for the input '{missing[0]}'; the model's inputs are {listed}")
    arrays = [checked_array(model_input, given[model_input.name]) for model_input in wanted]
    batches = {
        int(a.shape[model_input.batch_axis]): model_input.name
        for model_input, a in zip(wanted, arrays, strict=True)
        if a.ndim
    }
    if len(batches) > 1:
        (first, name), (other, second) = list(batches.items())[:2]
        raise ArgumentError(
            f"all inputs need the same number of examples, got {first} for '{name}' and {other} for '{second}'"
        )
    pairs = zip(wanted, arrays, strict=True)
    return [
        GivenInput(model_input.name, array, origins.get(model_input.name, "as given")) for model_input, array in pairs
    ]


def checked_array(wanted: ModelInput, value: Any) -> Any:
    """Return an array for one input, cast to its dtype. Raises ArgumentError if shape or kind do not fit."""
    import numpy as np

    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{wanted.who} needs an array of {wanted.shape_words}: {error}") from None
    array = _of_kind(wanted, array)
    hint = wanted.misfit(array.shape)
    if hint is not None:
        raise ArgumentError(f"{wanted.who} needs {wanted.shape_words}, got {shape_text(array.shape)}{hint}")
    if array.size == 0:
        raise ArgumentError(f"{wanted.who} needs at least one value, got {shape_text(array.shape)}")
    return array


def _of_kind(wanted: ModelInput, array: Any) -> Any:
    import numpy as np

    kind, dtype = array.dtype.kind, wanted.dtype
    text = kind in "US" or (kind == "O" and all(isinstance(v, str | bytes) for v in array.reshape(-1)))
    if text != (dtype == "string") or kind not in "biufcUSO" or (kind == "O" and not text) or kind == "c":
        holds = "text" if text else f"{array.dtype}"
        needs = "text" if dtype == "string" else f"numbers ({dtype})"
        raise ArgumentError(f"{wanted.who} needs {needs}, got an array of {holds}")
    if text:
        return array.astype(object)
    if is_float(dtype):
        return rounded_to(array.astype("float64" if dtype == "float64" else "float32"), dtype)
    odd = array[(array != np.floor(array)) | ~np.isfinite(array)] if kind == "f" else array[:0]
    if odd.size:
        finite = np.isfinite(array).all()
        words = f"values such as {odd[0]:g}" if finite else "NaN or infinity among the values"
        raise ArgumentError(f"{wanted.who} needs integers ({dtype}), got {array.dtype} with {words}")
    return array.astype(dtype)


def traced_at(model: Model, arrays: Sequence[Any], *, training: bool = False) -> Network:
    """Trace the model at the shapes of arrays, with its calls as nodes, and as in `training` if that is said. Raises
    LayerExplainError."""
    model = with_input_layers(model)
    specs: list[Spec | None] = []
    for model_input, known, array in zip(inputs_of(model), input_specs(model), arrays, strict=True):
        dtype = known.dtype if known is not None else "float" if array.dtype.kind == "f" else str(array.dtype)
        batch = known.shape[model_input.batch_axis] if known is not None and known.shape else BATCH
        specs.append(Spec(model_input.with_batch(model_input.without_batch(array.shape), batch), dtype))
    network = trace_at(model, specs, linked=True, training=training)
    raise_any(network.faults)
    return network
