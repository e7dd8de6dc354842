"""The functions of TensorFlow that stand between layers of tf.keras, as operations of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, tensor_refs

_SAME = (
    "add:Add subtract:Subtract multiply:Multiply truediv:TrueDivide divide_no_nan:DivideNoNan floordiv:FloorDivide"
    " floormod:Mod pow:Power maximum:Maximum minimum:Minimum equal:Equal not_equal:NotEqual less:Less"
    " less_equal:LessEqual greater:Greater greater_equal:GreaterEqual logical_and:LogicalAnd logical_or:LogicalOr"
    " reduce_mean:Mean reduce_sum:Sum reduce_max:Max reduce_min:Min reduce_prod:Prod"
)
_TWINS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    **{f"tf.math.{name}": (twin, {}) for name, _, twin in (pair.partition(":") for pair in _SAME.split())},
    "tf.reshape": ("Reshape", {"shape": "newshape"}),
    "tf.transpose": ("Transpose", {"perm": "axes"}),
    "tf.tile": ("Tile", {"multiples": "repeats"}),
    "tf.clip_by_value": ("Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "tf.linalg.matmul": ("Matmul", {}),
    **dict.fromkeys(
        ("tf.pad", *(f"tf.raw_ops.{pad}" for pad in ("Pad", "PadV2", "MirrorPad"))), ("Pad", {"paddings": "pad_width"})
    ),
}
"""Function → the class of the operation that is the same, and what its arguments are called there."""


def todays_operation(layer: Layer, call: Call) -> tuple[Layer, Call]:
    """Return a function of TensorFlow and its call as an operation of Keras 3.

    Raises SpecError for a function that has no twin there, or none for these arguments.
    """
    function = f"tf.{layer.config['function']}"
    declaration = find(function)
    if declaration is None:
        raise SpecError(f"{function} is not known, so no operation of Keras 3 can stand for it")
    twin, renamed = _TWINS.get(declaration.type, (declaration.type.removeprefix("ops."), {}))
    tensors = list(call.args)
    kwargs = dict(call.kwargs)
    key = kwargs.get("slice_spec")
    cut = tuple(key) if isinstance(key, list | tuple) and not any(True for _ in tensor_refs(key)) else None
    if declaration.type == "tf.__operators__.getitem" and cut is not None:
        return _operation(layer, "GetItem", {}), call._replace(args=(*tensors[:1], cut), kwargs={})
    if twin.startswith("tf."):
        raise SpecError(f"no operation of Keras 3 is known here that computes what {function} does")
    for name in declaration.tensors[len(tensors) :]:
        if name not in kwargs:
            break
        tensors.append(kwargs.pop(name))
    count = max(len(declaration.tensors), 1)
    config = {name: one for name, one in layer.config.items() if name in declaration.arguments}  # of a raw operation
    if declaration.variadic is None:
        config.update(zip(declaration.arguments, tensors[count:], strict=False))
    config.update(kwargs)
    if any(True for _ in tensor_refs(config)) or not config.keys() <= declaration.arguments.keys():
        raise SpecError(f"{function} is called with arguments for which Keras 3 has no operation")
    if twin == "Matmul" and any(config.values()):
        raise SpecError(f"{function} is called with {', '.join(config)}, which Keras 3's matmul does not have")
    kept = {renamed.get(name, name): one for name, one in config.items() if twin != "Matmul"}
    if twin == "Pad":
        # A raw operation takes its amounts, and what it pads with, as tensors.
        kept.update(zip(("pad_width", "constant_values"), tensors[1:], strict=False))
        kept = {name: one.value if isinstance(one, ConstantArray) else one for name, one in kept.items()}
        kept["mode"] = str(kept.get("mode", "constant")).lower()
        if kept["mode"] != "constant":  # Keras refuses a value that no mirror reads
            kept.pop("constant_values", None)
        tensors, count = tensors[:1], 1
    args = tuple(tensors if declaration.variadic is not None else tensors[:count])
    return _operation(layer, twin, kept), call._replace(args=args, kwargs={})


def _operation(layer: Layer, type_: str, config: Mapping[str, Any]) -> Layer:
    return layer._replace(type=type_, config=config)


def is_tensorflow(layer: Layer) -> bool:
    """Return whether a layer is a function of TensorFlow."""
    return layer.kind == "operation" and isinstance(layer.config.get("function"), str)
