"""What the layers that augment images share: their kinds of arguments, and what an image is to them."""

from typing import Annotated, Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Check, Refused, choice, is_int, is_number
from layerexplain.ops.elementwise import cast
from layerexplain.ops.sizes import FLOATS, shape_text

ELSEWHERE = "seed data_format bounding_box_format"
"""Arguments that change nothing of what is computed at inference."""


def _factor(low: float, high: float) -> Check:
    """A number in a range, or a pair of which Keras asks only that it reaches into the range."""

    def normal(value: Any) -> Any:
        if is_number(value) and low <= value <= high:
            return value
        pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
        if not pair or value[0] > high or value[1] < low:
            raise Refused
        return tuple(value)

    return Check(f"a number from {low} to {high}, or a pair of them", "4" if high > 1 else "0.2", normal)


def _odd(value: Any) -> Any:
    sizes = value if isinstance(value, list | tuple) else (value,)
    if len(sizes) not in (1, 2) or not all(is_int(v) and v % 2 == 1 for v in sizes):
        raise Refused
    return tuple(value) if isinstance(value, list | tuple) else value


Factor = Annotated[Any, _factor(-1, 1)]
ShareFactor = Annotated[Any, _factor(0, 1)]
Bits = Annotated[Any, _factor(1, 8)]
FillMode = choice("constant", "nearest", "wrap", "mirror", "reflect", example="reflect")
Interpolation = choice("nearest", "bilinear", example="bilinear")
Mirror = choice("horizontal", "vertical", "horizontal_and_vertical")
OddSizes = Annotated[Any, Check("an odd integer, or a pair of them", "3", _odd)]


def images(x: Expr) -> Expr:
    """Return the images; raises `ShapeError` for other tensors."""
    if x.ndim not in (3, 4):
        raise ShapeError(
            f"images need to be (batch, rows, columns, channels) or, one alone, (rows, columns, channels), "
            f"got {shape_text(x.shape)} with {x.ndim} axes"
        )
    return x


def unchanged(x: Expr) -> Expr:
    """The images with their numbers as floats, which is all that happens to them at inference."""
    return images(x) if x.dtype in FLOATS else cast(images(x), to="float")
