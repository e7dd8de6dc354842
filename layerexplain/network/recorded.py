"""What a file says of shapes: of its inputs, of tensors between layers, and of what a layer was built with."""

from collections.abc import Mapping, Sequence

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import BATCH, Shape
from layerexplain.layers.registry import Spec
from layerexplain.model import Layer, Model, TensorRef


def _with_batch(shape: Sequence[int | None]) -> Shape:
    return (BATCH, *shape[1:]) if shape else ()


def _spec_dtype(dtype: str) -> str:
    return "float" if dtype in ("float16", "bfloat16", "float32", "float64") else dtype


def input_spec(layer: Layer) -> Spec | None:
    """What an InputLayer gives; None if its shape is unknown."""
    shape = layer.config.get("batch_shape")
    if not isinstance(shape, tuple):
        return None
    dtype = layer.config.get("dtype")
    return Spec(_with_batch(shape), _spec_dtype(dtype if isinstance(dtype, str) else "float32"))


def recorded_spec(model: Model, ref: TensorRef) -> Spec | None:
    """What the file says of a tensor."""
    recorded = model.recorded.get(ref)
    return None if recorded is None else Spec(_with_batch(recorded[0]), _spec_dtype(recorded[1]))


def built_shape(layer: Layer, i: int) -> Shape | None:
    """The shape of input i that the file recorded when the layer was built."""
    shape = layer.build_shape
    if isinstance(shape, Mapping):
        shape = list(shape.values())[i] if i < len(shape) else None
    elif isinstance(shape, tuple) and shape and isinstance(shape[0], tuple):
        shape = shape[i] if i < len(shape) else None
    elif i > 0:
        shape = None
    if isinstance(shape, tuple) and shape and all(s is None or isinstance(s, int) for s in shape):
        return _with_batch(shape)
    return None


def fixed_input(name: str, spec: Spec | None, wanted: Sequence[int | None]) -> Spec:
    """An input with the sizes that the user gives; those that the model fixes must agree."""
    if spec is None:
        return Spec((BATCH, *wanted), "float")
    own = spec.shape[1:]
    if len(own) != len(wanted) or any(
        isinstance(a, int) and b is not None and a != b for a, b in zip(own, wanted, strict=True)
    ):
        given = ", ".join("None" if s is None else str(s) for s in wanted)
        fixed = ", ".join("None" if s is None else str(s) for s in own)
        raise ShapeError(f"input '{name}' needs sizes that fit ({fixed}) of the model, got ({given})")
    return Spec((BATCH, *[a if b is None else b for a, b in zip(own, wanted, strict=True)]), spec.dtype)
