"""Sizes that a model of tf.keras computes before it reshapes: `tf.shape(x)[1]`, `tf.stack([tf.shape(x)[0], 20])`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.lang.axes import Size
from layerexplain.layers.arguments import is_int
from layerexplain.model import Call, TensorRef

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
            return [self._value(one, depth) for one in given]
        found = self._calls.get(given.key) if isinstance(given, TensorRef) else None
        if found is None or not found[1].args or depth > _DEEPEST:
            return given
        function, call = found
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
