"""The weights of live models, read from their layers. Neither Keras nor PyTorch is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from layerexplain.attribute_path import LayerNamed, Steps, reached
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_layouts import WeightListing
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.definition import Definition
from layerexplain.live_graph import called_graph
from layerexplain.model import TORCH_MODULE, Note


class LiveWeights:
    """A `WeightSource` that reads the layers of a live model."""

    origin: Literal["of the model"] = "of the model"
    notes: tuple[Note, ...] = ()

    def __init__(self, model: Any) -> None:
        self.graphs: dict[tuple[str, ...], Any] = {(): functional_graph(model)}

    def variables(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        """Return the variables of a layer: those of its definition's weights, then any others; none without a layer."""
        real = layer_named(self._graph(path[:-1]), path[-1])
        return [] if real is None else variables_of_layer(real, definition)

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        found = [plain_floats(v) for v in self.variables(path, definition)]
        wanted = [tuple(w.shape) for w in definition.weights]
        if [v.shape for v in found] != wanted:
            raise LayerExplainError(
                f"the model has weights of shapes {[v.shape for v in found]} for it, but its formula needs {wanted}",
                layer="/".join(path),
            )
        return found

    def _graph(self, path: tuple[str, ...]) -> Any:
        known = self.graphs.get(path)
        if known is None:
            known = self.graphs[path] = functional_graph(layer_named(self._graph(path[:-1]), path[-1]))
        return known


def module_weights(module: Any) -> WeightFile:
    """Return the parameters and buffers of a live module of PyTorch, as a file of weights has them."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    tensors = [
        StoredTensor(
            name, tuple(name.split(".")), tuple(one.shape), str(one.dtype).removeprefix("torch."), one.element_size(),
            "parameter",
        )
        for name, one in state.items()
    ]  # fmt: skip
    listing = WeightListing("paths", TORCH_MODULE, tensors=tuple(tensors))
    raw = {name: _Tensor(one) for name, one in state.items()}
    return WeightFile(TORCH_MODULE, listing, raw=raw, has_model=True)


class _Tensor:
    """A tensor of PyTorch."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def read(self, shape: tuple[int, ...]) -> Any:
        """Return the values as a NumPy array; bfloat16 comes as float32."""
        values = self.tensor.detach().cpu()
        return (values.float() if values.dtype.is_floating_point else values).numpy().reshape(shape)


def functional_graph(model: Any) -> Any:
    """Return the part of a model that has its calls, or the graph that its call makes. Raises LayerExplainError if a
    Keras 3 model has none, or for a model of another package."""
    graph = getattr(model, "_functional", None) or called_graph(model) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise LayerExplainError(f"'{model.name}' is a {type(model).__name__} without a layer graph")
    if not hasattr(graph, "operations"):
        package = type(model).__module__.partition(".")[0]
        raise LayerExplainError(f"'{model.name}' is a model of {package}, not of Keras 3: save it and give the file")
    return graph


def layer_named(graph: Any, name: str) -> Any:
    """Return the layer or operation of this name, or None."""
    return next((one for one in graph.operations if one.name == name), None)


def plain_floats(values: Any) -> Any:
    """Return values as a NumPy array; floats that NumPy cannot compute with, such as bfloat16, as float32."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        return array.astype("float32")
    return array


def variables_of_layer(layer: Any, definition: Definition) -> list[Any]:
    """Return the variables of one layer. Those of a model inside it are selected by the names of the model's layers,
    since Keras orders them differently."""
    own = list(getattr(layer, "weights", ()))
    inside = [_to_nested_model(w.attrs["at"]) for w in definition.weights]
    if not any(inside):
        if len(own) >= len(definition.weights):
            return own
        # A layer that holds one object in two places: Keras lists its variables once.
        try:
            found = _by_place(layer, [w.attrs["at"] for w in definition.weights])
        except (AttributeError, IndexError, TypeError):
            return own
        return own if any(v is None for v in found) else found
    found = [v for v in _by_place(layer, inside) if v is not None]
    counted = {id(v) for v in found}
    return found + [v for v in own if id(v) not in counted]


def _by_place(layer: Any, places: Sequence[Steps]) -> list[Any]:
    """Return a variable for each place, in turn those of the object there; None if it has no more."""
    variables = {at: iter(list((reached(layer, at) if at else layer).weights)) for at in dict.fromkeys(places)}
    return [next(variables[at], None) for at in places]


def _to_nested_model(at: Steps) -> Steps:
    """Return the steps to the last layer of a nested model on the way; none where there is no model on it."""
    ends = [end for end, step in enumerate(at, 1) if isinstance(step, LayerNamed)]
    return at[: ends[-1]] if ends else ()
