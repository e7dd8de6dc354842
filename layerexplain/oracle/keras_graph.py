"""The graph of a real Keras model, called node by node, and known faults of Keras that change values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import reached
from layerexplain.derive.gradient.backward import is_float
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction
from layerexplain.oracle.reference import (
    Key,
    ReferenceGradients,
    ReferenceGraph,
    ReferenceOperation,
    load_keras,
    silence,
)
from layerexplain.weights.weighted_layers import functional_graph, plain_floats, variables_of_layer

# Keras faults -------------------------------------------------------------------------------------------------------


def fault(layer: Any, config: Mapping[str, Any], values: Sequence[Any], *, shapes_agree: bool = True) -> str | None:
    """Return the known fault that affects a Keras layer of this configuration with these output values, as text; None
    if there is none. `shapes_agree`: whether they have the shape of the formula's."""
    if not shapes_agree:
        return "at inference Keras passes on the whole image" if type(layer).__name__ == "RandomCrop" else None
    if config.get("lora_rank") and config.get("lora_alpha") not in (None, getattr(layer, "lora_alpha", None)):
        return "Keras ignores the lora_alpha given to the constructor and uses lora_rank instead"
    if any(isinstance(value, ForeignFunction) and value == KERAS_2_HARD_SIGMOID for value in config.values()):
        return (
            "Keras 3's hard_sigmoid, clip(z/6 + 0.5, 0, 1), differs from that of the Keras that wrote the file, "
            "clip(0.2·z + 0.5, 0, 1), so Keras 3 does not compute what was trained"
        )
    if type(layer).__name__ == "Sparsemax" or config.get("activation") == "sparsemax":
        return (
            "Keras's TensorFlow backend sums cumulative sums for the threshold of sparsemax, which makes it too large"
        )
    if type(layer).__name__ == "Quantile" and config.get("method", "linear") != "linear":
        return "Keras ignores the method of a quantile inside a model and uses method='linear' instead"
    if type(layer).__name__ == "Rot90" and config.get("k", 1) % 4 == 2:
        return "Keras's TensorFlow backend misplaces pixels when it rotates a non-square image by 180 degrees"
    if _bias_along_the_wrong_axis(layer, values):
        return (
            "Keras's TensorFlow backend adds the bias along the last axis instead of the channels: with channels_first "
            "and as many columns as filters it confuses the two (JAX and PyTorch are correct)"
        )
    if _pools_from_the_wrong_place(layer):
        return (
            "TensorFlow's CPU kernel starts after position 0 here: in three dimensions, with padding='same' and a "
            "window shorter than its stride"
        )
    return None


def _bias_along_the_wrong_axis(layer: Any, values: Sequence[Any]) -> bool:
    bias = getattr(layer, "bias", None)
    if bias is None or getattr(layer, "data_format", "") != "channels_first" or not values or values[0].ndim < 3:
        return False
    return bool(1 < bias.shape[0] == values[0].shape[-1])


def _pools_from_the_wrong_place(layer: Any) -> bool:
    sizes = getattr(layer, "pool_size", ())
    if getattr(layer, "padding", "") != "same" or not isinstance(sizes, tuple) or len(sizes) != 3:
        return False
    return any(size < stride for size, stride in zip(sizes, layer.strides, strict=True))


# Keras graph --------------------------------------------------------------------------------------------------------
# A real Keras model as a graph that is run call by call, with the inputs and outputs of each call.

NO_KERNEL_ON_CPU = (
    "only supports the NHWC tensor format",
    "only supports NHWC",
    "only supports NDHWC",
    "not yet support dilation rates larger than 1",
    "only supports equal length strides",
)
"""TensorFlow's errors for layers without a CPU kernel. XLA has one for the same call."""


class KerasOperation(ReferenceOperation):
    """A layer or operation of Keras."""

    def __init__(self, operation: Any) -> None:
        self.operation = operation
        self.type = type(operation).__name__
        self.is_layer = isinstance(operation, load_keras().Layer)
        self.compute_dtype = str(getattr(operation, "compute_dtype", "") or "float32")

    def weights(self, definition: Definition | None = None) -> list[Any]:
        if definition is None:
            return list(getattr(self.operation, "weights", ()))
        return variables_of_layer(self.operation, definition)

    def states(self, definition: Definition) -> list[Any]:
        return [as_array(reached(self.operation, leaf.attrs["at"])) for leaf in definition.states]

    def fault(self, config: Mapping[str, Any], values: Sequence[Any], *, shapes_agree: bool) -> str | None:
        return fault(self.operation, config, values, shapes_agree=shapes_agree)


class KerasGraph(ReferenceGraph):
    """The graph of a Functional or Sequential model. `feed` gives it inputs; `run` then makes one call."""

    framework = "Keras"

    def __init__(self, model: Any) -> None:
        graph = self.graph = functional_graph(model)
        self.input_names = [tensor._keras_history.operation.name for tensor in graph.inputs]
        self.nodes: dict[Key, Any] = {}
        own = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
        for operation in graph.operations:
            nodes = [node for node in operation._inbound_nodes if id(node) in own]
            self.nodes.update({(operation.name, i): node for i, node in enumerate(nodes)})
        self._makers = {id(tensor): key for key, node in self.nodes.items() for tensor in node.outputs}
        self._calls = {key: KerasOperation(node.operation) for key, node in self.nodes.items() if not node.is_input}
        self._tensors: dict[int, Any] = {}
        self._when_needed: frozenset[Key] = frozenset()
        self._masks: dict[Key, list[tuple[Any, Any]]] = {}

    def inputs(self) -> list[Any]:
        """Return the tensors that it was fed with."""
        return [self._tensors[id(tensor)] for tensor in self.graph.inputs]

    def feed(self, inputs: Sequence[Any], masks: Sequence[Any] = ()) -> None:
        """Set the inputs, in the model's order, as arrays or Keras tensors; discard all earlier results."""
        keras = load_keras()
        self._tensors = {}
        for i, (tensor, value) in enumerate(zip(self.graph.inputs, inputs, strict=True)):
            given = keras.ops.convert_to_tensor(value, dtype=tensor.dtype)
            mask = masks[i] if i < len(masks) else None
            if mask is not None:
                _set_mask(given, mask)
            self._tensors[id(tensor)] = given

    def calls(self) -> dict[Key, KerasOperation]:
        return self._calls

    def make_when_needed(self, keys: Iterable[Key]) -> None:
        self._when_needed = frozenset(keys)

    def arguments(self, key: Key) -> list[Any] | None:
        node = self.nodes[key]
        for tensor in node.input_tensors:
            maker = self._makers.get(id(tensor))
            if id(tensor) not in self._tensors and maker in self._when_needed and self.arguments(maker):
                self.run(maker)
        if any(id(tensor) not in self._tensors for tensor in node.input_tensors):
            return None
        return [self._tensors[id(tensor)] for tensor in node.input_tensors]

    def enter(self, key: Key, arguments: Sequence[Any]) -> KerasGraph | None:
        try:
            inner = KerasGraph(self.nodes[key].operation)
        except LayerExplainError:
            return None
        count = len(inner.graph.inputs)
        if count > len(arguments):
            return None
        # Masks that the call names follow the tensors; they go before those that the tensors carry.
        given_masks = arguments[count:]
        inner.feed(
            arguments[:count], [*given_masks, *[mask_of(argument) for argument in arguments[len(given_masks) : count]]]
        )
        return inner

    def run(self, key: Key) -> list[Any]:
        node = self.nodes[key]
        args, kwargs = node.arguments.fill_in(self._tensors)
        given = [self._tensors[id(tensor)] for tensor in node.input_tensors]
        self._masks[key] = [(item, mask) for item in given if (mask := mask_of(item)) is not None]
        outputs = call_operation(node.operation, args, kwargs)
        self.keep(key, outputs)
        return outputs

    def gradients(
        self, key: Key, given: Sequence[Any], definition: Definition, draw: Callable[..., Any], *, training: bool
    ) -> ReferenceGradients:
        import tensorflow as tf

        node = self.nodes[key]
        args, kwargs = node.arguments.fill_in(self._tensors)
        variables = variables_of_layer(node.operation, definition)[: len(definition.weights)]
        changed = [*(getattr(node.operation, "weights", ()) if training else ()), *states_of(node.operation)]
        kept = [(v, as_array(v)) for v in changed]
        for tensor, mask in self._masks.get(key, ()):  # some layers take them off when they run
            _set_mask(tensor, mask)
        watched = [item for item in given if item is not None and item.dtype.is_floating]
        with tf.GradientTape() as tape:
            for item in watched:
                tape.watch(item)
            outputs = call_operation(node.operation, args, kwargs, training=training)
            chosen = [y for y, e in zip(outputs, definition.results.values(), strict=True) if is_float(e)]
            seeds = [tf.cast(draw(size=tuple(y.shape)), y.dtype) for y in chosen]
            total = tf.add_n([tf.reduce_sum(tf.cast(y * dy, "float64")) for y, dy in zip(chosen, seeds, strict=True)])
        for variable, value in kept:
            variable.assign(value)
        result = tape.gradient(total, [*watched, *[v.value for v in variables]])
        dense = [None if g is None else as_array(tf.convert_to_tensor(g)) for g in result]
        by_id = {id(item): g for item, g in zip(watched, dense, strict=False)}
        return ReferenceGradients(
            [as_array(dy) for dy in seeds], [by_id.get(id(item)) for item in given], dense[len(watched) :]
        )

    def keep(self, key: Key, outputs: Sequence[Any]) -> None:
        for tensor, value in zip(self.nodes[key].outputs, outputs, strict=True):
            self._tensors[id(tensor)] = value

    def tensor(self, layer: str, call: int, output: int) -> Any:
        return self._tensors.get(id(self._symbolic(layer, call, output)))

    def outputs(self) -> list[Any]:
        return [self._tensors.get(id(tensor)) for tensor in self.graph.outputs]

    def output_of(self, layer: str, call: int, output: int) -> int | None:
        wanted = self._symbolic(layer, call, output)
        return next((i for i, tensor in enumerate(self.graph.outputs) if tensor is wanted), None)

    def _symbolic(self, layer: str, call: int, output: int) -> Any:
        """Return what stands for a tensor in the graph, None if there is none."""
        node = self.nodes.get((layer, call))
        return None if node is None or output >= len(node.outputs) else node.outputs[output]

    def value(self, tensor: Any) -> Any:
        return as_array(tensor)

    def mask(self, tensor: Any) -> Any:
        return mask_of(tensor)

    def given_mask(self, key: Key) -> Any:
        _, kwargs = self.nodes[key].arguments.fill_in(self._tensors)
        return kwargs.get("mask")

    def dtype(self, tensor: Any) -> str:
        return str(load_keras().backend.standardize_dtype(tensor.dtype))


def call_operation(operation: Any, args: Any, kwargs: Any, *, training: bool = False) -> list[Any]:
    """Return the outputs as a flat list, those of inference unless `training` is said."""
    if "training" in getattr(operation, "_call_context_args", ()):
        # As Keras does if a model is called with training=False.
        kwargs = {**kwargs, "training": training}
    return flat_results(operation, args, kwargs)


def flat_results(function: Any, args: Any, kwargs: Any) -> list[Any]:
    """Return the results of a function of tensors as a flat list; compiled by XLA if the CPU has no kernel."""
    try:
        return list(load_keras().tree.flatten(function(*args, **kwargs)))
    except Exception as refusal:  # the backend's own classes of errors
        if not has_no_kernel(refusal):
            raise
    return _compiled(function, args, kwargs)


def has_no_kernel(refusal: BaseException) -> bool:
    """Return whether TensorFlow refused only for lack of a CPU kernel."""
    return any(words in str(refusal) for words in NO_KERNEL_ON_CPU)


def _compiled(function: Any, args: Any, kwargs: Any) -> list[Any]:
    """Return the results of a function of tensors compiled by XLA, with the masks that they carry."""
    import tensorflow as tf

    keras = load_keras()
    flat = keras.tree.flatten((args, kwargs))
    at = [i for i, value in enumerate(flat) if tf.is_tensor(value)]
    masks = [mask_of(flat[i]) for i in at]
    masked = [i for i, mask in enumerate(masks) if mask is not None]

    def run(tensors: list[Any], given: list[Any]) -> Any:
        values = list(flat)
        for place, tensor in zip(at, tensors, strict=True):
            values[place] = tensor
        for i, mask in zip(masked, given, strict=True):
            _set_mask(tensors[i], mask)
        new_args, new_kwargs = keras.tree.pack_sequence_as((args, kwargs), values)
        flat_results = keras.tree.flatten(function(*new_args, **new_kwargs))
        own = [mask_of(tensor) for tensor in flat_results]
        return flat_results, [mask for mask in own if mask is not None], tuple(mask is not None for mask in own)

    with silence():
        results, own, has = tf.function(run, jit_compile=True)([flat[i] for i in at], [masks[i] for i in masked])
    left = iter(own)
    for tensor, item in zip(results, has, strict=True):
        if bool(item):
            _set_mask(tensor, next(left))
    return list(results)


def states_of(real: Any) -> list[Any]:
    """Return the variables in which a Keras model, or a layer, keeps states between calls. They are not weights."""
    if not isinstance(real, load_keras().Layer):
        return []
    layers = [layer for layer in real._flatten_layers() if getattr(layer, "stateful", False)]
    return list({id(v): v for layer in layers for v in load_keras().tree.flatten(layer.states or ())}.values())


def mask_of(tensor: Any) -> Any:
    """Return the mask that a tensor carries, or None."""
    from keras.src.backend import get_keras_mask

    return get_keras_mask(tensor)


def _set_mask(tensor: Any, mask: Any) -> None:
    from keras.src.backend import set_keras_mask

    set_keras_mask(tensor, mask)


def as_array(tensor: Any) -> Any:
    """Return a tensor as a NumPy array: bfloat16 as float32, text as Python strings."""
    if "string" in str(getattr(tensor, "dtype", "")):
        import numpy as np

        return np.asarray(tensor.numpy(), dtype=object)
    return plain_floats(load_keras().ops.convert_to_numpy(tensor))
