"""The arrays that a model is run on: given ones, checked against its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError, raise_any
from layerexplain.frontends.input_shapes import no_input
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, Model
from layerexplain.network.recorded_shapes import input_specs, with_input_layers
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.run.precision import is_float, rounded_to


class GivenInput(NamedTuple):
    """An input with its array, and the origin of the array as text."""

    name: str
    array: Any
    origin: str


class ModelInput:
    """An input of a model: `shape` has the batch first and None for open sizes (`shape` is None if it is unknown);
    `dtype` is Keras's. `what` it is in messages: an input, or the target of an output."""

    __slots__ = ("dtype", "name", "shape", "what")

    def __init__(self, layer: Layer) -> None:
        shape = layer.config.get("batch_shape")
        dtype = layer.config.get("dtype")
        self.name = layer.name
        self.shape: tuple[int | None, ...] | None = shape if isinstance(shape, tuple) else None
        self.dtype = dtype if isinstance(dtype, str) else "float32"
        self.what = "input"

    @property
    def who(self) -> str:
        """What it is called in messages."""
        return f"the {self.what} '{self.name}'"

    @property
    def shape_words(self) -> str:
        """The shape as text."""
        return "any shape" if self.shape is None else f"the shape {shape_text(self.shape)}"

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Return a hint, or "", for an array whose shape does not fit; None for one that fits."""
        own = self.shape
        if own is None or (len(own) == len(shape) and all(s in (None, n) for s, n in zip(own, shape, strict=True))):
            return None
        return "; the first axis counts examples; for one example its size is 1" if len(shape) == len(own) - 1 else ""


def inputs_of(model: Model) -> list[ModelInput]:
    """Return the inputs of a model, in its order. Raises LayerExplainError for a model without a graph."""
    if not model.calls or not model.outputs:
        raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to run")
    layers = with_input_layers(model).layers_by_name
    return [ModelInput(layers[ref.layer]) for ref in model.inputs]


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
    if isinstance(given, list | tuple) and given and all([isinstance(one, GivenInput) for one in given]):
        origins = {one.name: one.origin for one in given}
        given = {one.name: one.array for one in given}
    listed = ", ".join(f"'{one.name}'" for one in wanted)
    if not isinstance(given, Mapping):
        if len(wanted) != 1:
            raise ArgumentError(f"the model has {len(wanted)} inputs; give an array for each of {listed} by its name")
        given = {wanted[0].name: given}
    names = [one.name for one in wanted]
    for name in given:
        if name not in names:
            raise no_input(name, names)
    missing = [one.name for one in wanted if one.name not in given]
    if missing:
        raise ArgumentError(f"no array is given for the input '{missing[0]}'; the model's inputs are {listed}")
    arrays = [checked_array(one, given[one.name]) for one in wanted]
    batches = {int(a.shape[0]): one.name for one, a in zip(wanted, arrays, strict=True) if a.ndim}
    if len(batches) > 1:
        (first, name), (other, second) = list(batches.items())[:2]
        raise ArgumentError(
            f"all inputs need the same number of examples, got {first} for '{name}' and {other} for '{second}'"
        )
    pairs = zip(wanted, arrays, strict=True)
    return [GivenInput(one.name, array, origins.get(one.name, "as given")) for one, array in pairs]


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
    for known, array in zip(input_specs(model), arrays, strict=True):
        dtype = known.dtype if known is not None else "float" if array.dtype.kind == "f" else str(array.dtype)
        specs.append(Spec((known.shape[0] if known is not None and known.shape else BATCH, *array.shape[1:]), dtype))
    network = trace_at(model, specs, linked=True, training=training)
    raise_any(network.faults)
    return network
