"""The layers of a model that may have weights, at any depth: of formulas, of groups in files, of live models."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, Literal

from layerexplain.attribute_path import LayerNamed, Step, Steps, layer_steps, reached
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_layouts import LAYERS, WeightListing
from layerexplain.frontends.keras.weight_tensors import Groups, StoredTensor
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import snake_case
from layerexplain.live_graph import called_graph
from layerexplain.model import TORCH_MODULE, Layer, Model, Note, StoredGroup, package_and_class
from layerexplain.network.scope import has_no_weights
from layerexplain.network.traced import Network, uses_of
from layerexplain.records import NamedTuple

# Weighted layers ----------------------------------------------------------------------------------------------------


class WeightedLayer(NamedTuple):
    """A layer: the names that lead to it, its definition (None where its formula is not known), whether it or a model
    around it is frozen, and its group in a file of class layout."""

    path: tuple[str, ...]
    layer: Layer
    definition: Definition | None
    frozen: bool
    group: Groups | None

    @property
    def where(self) -> str:
        """The names that lead to it, as notes have them: `encoder/dense`."""
        return "/".join(self.path)

    @property
    def weights(self) -> tuple[Expr, ...]:
        """The weights that its formula has, in Keras's order."""
        return () if self.definition is None else self.definition.weights

    @property
    def is_known(self) -> bool:
        """Whether its formula, and so its weights, are known."""
        if has_no_weights(self.layer):
            return True
        return self.definition is not None and self.definition.kind != "opaque"


def weighted_layers(network: Network, finder: GroupFinder | None = None) -> Iterator[WeightedLayer]:
    """Yield all layers in the model's order, those of a nested model in its place."""
    again: frozenset[Steps] = frozenset()
    if network.model.shared and finder is not None and (network.model.keras_version or "").startswith("2."):
        again = frozenset([shared.steps for shared in network.model.shared])

    def inside(network: Network, path: tuple[str, ...], group: Groups | None, frozen: bool) -> Iterator[WeightedLayer]:
        model = network.model
        frozen = frozen or not model.trainable
        before = {layer.name for layer in model.layers if layer_steps((*path, layer.name)) in again} if again else ()
        classes = layer_groups(model, before) if finder is not None and group is not None else {}
        uses = uses_of([(network, 1)])
        for layer in model.layers:
            calls = [use.call for use in uses.get(layer.name, ())]
            own = None
            if finder is not None and group is not None and layer.kind != "operation":
                own = finder.of_layer(layer, group, classes.get(layer.name))
            inner = next((call.network for call in calls if call.network is not None), None)
            still = frozen or not layer.config.get("trainable", True)
            if inner is not None:
                yield from inside(inner, (*path, layer.name), own, still)
            else:
                definition = calls[0].definition if calls else None
                yield WeightedLayer((*path, layer.name), layer, definition, still, own)

    yield from inside(network, (), (), False)


# Layer groups -------------------------------------------------------------------------------------------------------
# Which group of a class layout is which layer: groups are named after classes, counted in the order of the model.


def layer_groups(model: Model, stored_before: Container[str] = ()) -> dict[str, str]:
    """Layer → the name of its group in the container `layers`: `dense`, `dense_1`, … in the model's order.

    Operations between layers are no layers to Keras and have no group; a Sequential does not count its InputLayer,
    and Keras 2 none of `stored_before`, which it has stored with another model or layer.
    """
    layers = [layer for layer in model.layers if layer.kind != "operation" and layer.name not in stored_before]
    if model.type == "Sequential":
        layers = [layer for layer in layers if layer.type != "InputLayer"]
    return dict(zip([layer.name for layer in layers], container_names(layers), strict=True))


def container_names(layers: Iterable[Layer]) -> list[str]:
    """Return what Keras calls the items of a list of layers."""
    names = FreeNames()
    return [names.take(snake_case(package_and_class(layer.type)[1])) for layer in layers]


class GroupFinder:
    """Finds groups in one file. Where the file keeps the names of its layers, these decide; else their order does."""

    def __init__(self, stored: WeightFile) -> None:
        self.stored = stored
        self.named: dict[Groups, dict[str, Groups | None]] = {}
        for group, name in stored.names.items():
            # The name of a layer whose container is a list; a name that occurs twice in it identifies none.
            container = self.named.setdefault(group[:-1], {})
            container[name] = None if name in container else group

    def of_layer(self, layer: Layer, model_group: Groups, class_name: str | None) -> Groups | None:
        """Return the group of a layer of the model at `model_group`, or None if the file has none."""
        stored = layer.config.get("group")
        if isinstance(stored, StoredGroup):
            return stored.parts
        container = (*model_group, LAYERS)
        expected = (*container, class_name) if class_name is not None else None
        if expected is not None and expected in self.stored.groups:
            name = self.stored.names.get(expected)
            if name is None or name == layer.name:
                return expected
        # A subclass that keeps a layer in an attribute of its own has it there.
        results = [self.named.get(place, {}).get(layer.name) for place in (container, model_group)]
        return results[0] or results[1]

    def inside(self, layer: Layer, group: Groups, at: Steps) -> tuple[Groups, Steps] | None:
        """Return the group to which the steps `at` lead from a layer, and the steps in the file's own attribute names
        (`query_dense` is `_query_dense` in some versions). None if the file has no such group."""
        owner: Any = layer
        steps: list[Step] = []
        for step in at:
            if isinstance(step, LayerNamed):
                result = self._of_nested(owner, group, step.name)
                if result is None:
                    return None
                owner, group = result
            elif isinstance(step, int):
                if not isinstance(owner, list | tuple) or step >= len(owner):
                    return None
                group = (*group, container_names(owner)[step])
                owner = owner[step]
            else:
                owner = inner_layers(owner, step)
                step = self._attribute(group, step)
                group = (*group, step)
            steps.append(step)
        return (group, tuple(steps)) if group in self.stored.groups else None

    def _attribute(self, group: Groups, attribute: str) -> str:
        other = attribute[1:] if attribute.startswith("_") else f"_{attribute}"
        if (*group, attribute) not in self.stored.groups and (*group, other) in self.stored.groups:
            return other
        return attribute

    def _of_nested(self, owner: Any, group: Groups, name: str) -> tuple[Layer, Groups] | None:
        """Return a layer of a model that another layer holds."""
        model = owner.model if isinstance(owner, Layer) else None
        layer = (
            next((inner_layer for inner_layer in model.layers if inner_layer.name == name), None)
            if model is not None
            else None
        )
        if model is None or layer is None:
            return None
        results = self.of_layer(layer, group, layer_groups(model).get(layer.name))
        return None if results is None else (layer, results)


def inner_layers(owner: Any, attribute: str) -> Any:
    """Return what a layer's configuration says of the layer, or the list of layers, that it keeps in an attribute."""
    if not isinstance(owner, Layer):
        return None
    copied = owner.config.get("layer") if attribute in ("forward_layer", "backward_layer") else None
    return owner.config.get(attribute) or copied


# Live weights -------------------------------------------------------------------------------------------------------
# The weights of live models, read from their layers. Neither Keras nor PyTorch is imported here.


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
        results = [plain_floats(v) for v in self.variables(path, definition)]
        wanted = [tuple(w.shape) for w in definition.weights]
        if [v.shape for v in results] != wanted:
            raise LayerExplainError(
                f"the model has weights of shapes {[v.shape for v in results]} for it, but its formula needs {wanted}",
                layer="/".join(path),
            )
        return results

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
            name, tuple(name.split(".")), tuple(value.shape), str(value.dtype).removeprefix("torch."),
            value.element_size(), "parameter",
        )
        for name, value in state.items()
    ]  # fmt: skip
    listing = WeightListing("paths", TORCH_MODULE, tensors=tuple(tensors))
    raw = {name: _Tensor(value) for name, value in state.items()}
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
    return next((operation for operation in graph.operations if operation.name == name), None)


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
            results = _by_place(layer, [w.attrs["at"] for w in definition.weights])
        except (AttributeError, IndexError, TypeError):
            return own
        return own if any(v is None for v in results) else results
    results = [v for v in _by_place(layer, inside) if v is not None]
    counted = {id(v) for v in results}
    return results + [v for v in own if id(v) not in counted]


def _by_place(layer: Any, places: Sequence[Steps]) -> list[Any]:
    """Return a variable for each place, in turn those of the object there; None if it has no more."""
    variables = {at: iter(list((reached(layer, at) if at else layer).weights)) for at in dict.fromkeys(places)}
    return [next(variables[at], None) for at in places]


def _to_nested_model(at: Steps) -> Steps:
    """Return the part of a path that ends at its last nested model; empty where the path has none."""
    ends = [end for end, step in enumerate(at, 1) if isinstance(step, LayerNamed)]
    return at[: ends[-1]] if ends else ()
