"""Real Keras as the oracle: a case is run by Keras and by our formula, on the same weights and inputs.

Nothing here shares code with what it tests, but the last step that evaluates our formula. Keras is imported on use.
"""

import inspect
import zlib
from typing import Any, NamedTuple

import numpy as np

from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec
from tests.cases import Case, Wrapped
from tests.support.frameworks import keras, tf
from tests.support.tracing import trace_layer

BATCH_SIZE = 2
UNKNOWN_SIZE = 7


NO_KERNEL_ON_CPU = (
    "only supports the NHWC tensor format",
    "only supports NHWC",
    "only supports NDHWC",
    "not yet support dilation rates larger than 1",
    "only supports equal length strides",
)
"""What TensorFlow says of a layer that Keras accepts and for which it has no kernel on the CPU. Such a layer is
compiled by XLA, which has: the same layer, the same call, other kernels."""

NOT_RUN_BY_TENSORFLOW = ("doesn't match computed: actual =",)
"""What TensorFlow says of a shape that Keras gives and that it cannot run itself (a transposed convolution with
padding='same', an even window and output_padding=0): such a case compares shapes and weights, and no values."""


class KerasResult(NamedTuple):
    """What Keras says of a case. `values` is None where Keras gives the shape and TensorFlow cannot run it."""

    layer: Any
    shapes: list[tuple[int | None, ...]]
    weights: list[tuple[str, tuple[int, ...], bool]]
    inputs: list[Any]
    masks: list[Any]
    values: list[Any] | None
    weight_values: list[Any]


def keras_layer(type_: str, config: Any) -> Any:
    """The layer, made by Keras."""
    made = {
        name: keras_layer(value.type, value.config)
        if isinstance(value, Wrapped)
        else [keras_layer(v.type, v.config) for v in value]
        if isinstance(value, list) and value and isinstance(value[0], Wrapped)
        else value
        for name, value in config.items()
    }
    return getattr(keras.layers, type_)(**made)


def _flat(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [x for v in value.values() for x in _flat(v)]
    return [x for v in value for x in _flat(v)] if isinstance(value, list | tuple) else [value]


def _call(layer: Any, tensors: list[Any], case: Case, masks: list[Any]) -> Any:
    """Call the layer as a user would: merging layers take a list, attention and the like their own arguments."""
    kwargs = dict(case.call)
    training = inspect.signature(layer.call).parameters.get("training")
    if training is not None and training.default is True:  # augmentation: it acts unless it is told that this is none
        kwargs["training"] = False
    merging = isinstance(layer, keras.layers.Add().__class__.__mro__[1]) or case.type in (
        "Dot",
        "Attention",
        "AdditiveAttention",
    )
    if merging or case.type in ("MultiHeadAttention", "GroupQueryAttention"):
        # These take masks from the tensors alone, some of them whatever their arguments say.
        from keras.src.backend import set_keras_mask

        for one, mask in zip(tensors, masks, strict=False):
            set_keras_mask(one, mask)
    if merging:
        return layer(tensors, **kwargs)
    if case.type in ("MultiHeadAttention", "GroupQueryAttention"):
        extra = tensors[3:]
        key = tensors[2] if len(tensors) > 2 else None
        if extra:
            kwargs["attention_mask"] = extra[0]
        return layer(tensors[0], tensors[1], key, **kwargs)
    if hasattr(layer, "state_size") and not isinstance(layer, keras.layers.RNN):  # a cell
        return layer(tensors[0], keras.tree.pack_sequence_as(layer.state_size, tensors[1:]), **kwargs)
    if masks and masks[0] is not None and "mask" in inspect.signature(layer.call).parameters:
        kwargs["mask"] = masks[0]
    if len(tensors) > 1:
        return layer(tensors[0], initial_state=tensors[1:], **kwargs)
    return layer(tensors[0], **kwargs)


def _bias_added_along_the_wrong_axis(layer: Any, values: list[Any]) -> bool:
    """A fault of Keras's TensorFlow backend: with channels_first, and as many columns as filters, `keras.ops.add`
    takes the reshaped bias for one along the last axis. On JAX and PyTorch it is added to the channels."""
    bias = getattr(layer, "bias", None)
    first = getattr(layer, "data_format", "") == "channels_first" and len(values[0].shape) > 2
    return first and bias is not None and 1 < bias.shape[0] == values[0].shape[-1]


def _pools_from_the_wrong_place(layer: Any) -> bool:
    """A fault of TensorFlow's CPU kernel: three-dimensional pooling with padding='same' and a window that is shorter
    than its stride starts behind position 0. Compiled by XLA it starts at 0, as it does in one and two dimensions."""
    if getattr(layer, "padding", "") != "same" or len(getattr(layer, "pool_size", ())) != 3:
        return False
    return any(k < s for k, s in zip(layer.pool_size, layer.strides, strict=True))


def _channels_last(layer: Any, x: Any) -> Any:
    """The same layer with the same weights on the same data, with the channels last."""
    other = type(layer).from_config({**layer.get_config(), "data_format": "channels_last"})
    moved = np.moveaxis(np.asarray(x), 1, -1)
    other.build(moved.shape)
    other.set_weights(layer.get_weights())
    return np.moveaxis(np.asarray(tf.function(other, jit_compile=True, autograph=False)(moved)), -1, 1)


def _values(layer: Any, tensors: list[Any], case: Case, masks: list[Any]) -> list[Any] | None:
    """The layer's results as arrays; None where TensorFlow cannot run what Keras accepts."""

    def run(*given: Any) -> list[Any]:
        return _flat(_call(layer, list(given), case, masks))

    def right(values: list[Any]) -> list[Any]:
        arrays = [np.asarray(v) for v in values]
        return [_channels_last(layer, tensors[0])] if _bias_added_along_the_wrong_axis(layer, arrays) else arrays

    try:
        if not _pools_from_the_wrong_place(layer):
            return right(run(*tensors))
    except tf.errors.OpError as refusal:
        if any(words in str(refusal) for words in NOT_RUN_BY_TENSORFLOW):
            return None
        if not any(words in str(refusal) for words in NO_KERNEL_ON_CPU):
            raise
    try:
        return right(tf.function(run, jit_compile=True, autograph=False)(*tensors))
    except tf.errors.OpError as refusal:
        if any(words in str(refusal) for words in NOT_RUN_BY_TENSORFLOW):
            return None
        raise


def run_keras(case: Case) -> KerasResult:
    """Build and run the case in Keras, with drawn inputs, masks with holes, and weights that are neither 0 nor 1."""
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    layer = keras_layer(case.type, case.config)
    dtypes = case.dtypes or ("float32",) * len(case.shapes)
    symbolic = [
        keras.Input(shape, dtype="int32" if d == "int" else d) for shape, d in zip(case.shapes, dtypes, strict=True)
    ]
    outputs = _flat(_call(layer, symbolic, case, [None] * len(symbolic)))
    shapes = [tuple(o.shape) for o in outputs]
    if case.config.get("lora_alpha") is not None:
        # A fault of Keras: a layer that is made with lora_rank and lora_alpha has lora_alpha = lora_rank.
        layer.lora_alpha = case.config["lora_alpha"]
    for variable in layer.weights:
        if variable.name == "g_idx":  # which block each place is in: no number that is learned
            continue
        if variable.dtype == "int8":
            most = 8 if variable.name.endswith("_zero") else 128
            variable.assign(rng.integers(-most, most, variable.shape).astype("int8"))
            continue
        value = rng.uniform(0.2, 0.9, variable.shape)
        if "variance" not in variable.name and not variable.name.endswith("_scale"):
            value *= rng.choice([-1, 1], variable.shape)
        variable.assign(value.astype("float32"))
    inputs = []
    for shape, dtype in zip(case.shapes, dtypes, strict=True):
        full = (BATCH_SIZE, *[UNKNOWN_SIZE if s is None else s for s in shape])
        if dtype == "int":
            ids = min(case.config.get(name, 10) for name in ("input_dim", "num_tokens"))
            inputs.append(rng.integers(0, ids, full).astype("int32"))
        elif dtype == "bool":
            inputs.append(rng.random(full) < 0.6)
        else:
            inputs.append(rng.normal(0, 1, full).astype(dtype))
    masks = []
    for i, x in enumerate(inputs):
        masked = i < len(case.masks) and case.masks[i]
        masks.append(rng.random(x.shape[:2]) < 0.6 if masked else None)
    tensors = [keras.ops.convert_to_tensor(x) for x in inputs]
    given = [None if m is None else keras.ops.convert_to_tensor(m) for m in masks]
    if hasattr(layer, "finalize_state"):  # Normalization copies its weights once they are there
        layer.finalize_state()
    values = _values(layer, tensors, case, given)
    weights = [(w.path, tuple(w.shape), bool(w.trainable)) for w in layer.weights]
    return KerasResult(layer, shapes, weights, inputs, masks, values, [np.asarray(w) for w in layer.weights])


def trace_case(case: Case, *, fixed: bool = False, keras_2: bool = False) -> Definition:
    """Our definition of the case. `fixed` puts the size that values are drawn with in place of unknown ones; `keras_2`
    asks for the layer as Keras 2 had it."""
    dtypes = case.dtypes or ("float32",) * len(case.shapes)
    specs = [
        Spec(
            (BATCH, *[UNKNOWN_SIZE if s is None and fixed else s for s in shape]),
            {"int": "int32", "float32": "float"}.get(d, d),
        )
        for shape, d in zip(case.shapes, dtypes, strict=True)
    ]
    masks = [Spec(s.shape[:2], "bool") if i < len(case.masks) and case.masks[i] else None for i, s in enumerate(specs)]
    return trace_layer(case.type, case.config, specs, masks, call=case.call, keras_2=keras_2)


def is_traceable(case: Case) -> bool:
    """Return whether a row is not one of those that Keras and we refuse."""
    try:
        trace_case(case)
    except LayerExplainError:
        return False
    return True


def our_values(definition: Definition, keras_result: KerasResult) -> list[Any]:
    """Our formula's results on Keras's inputs and weights."""
    count = len(definition.params) - len(keras_result.inputs)
    given = [m for m in keras_result.masks if m is not None][:count]
    return evaluate(definition, [*keras_result.inputs, *given], keras_result.weight_values)[: len(definition.results)]
