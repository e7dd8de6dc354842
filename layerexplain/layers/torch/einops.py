"""einops, with which programs of PyTorch move axes: rearrange, reduce and repeat, as functions and as modules.

Each is a reshape, a transposition, a reduction or a repetition. Reference: einops.
"""

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.axes import Batch, Shape, Size
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Annotated, Check, RefusedValue, Text, choice
from layerexplain.layers.declaration import Stored
from layerexplain.layers.registry import EINOPS, layer
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.axis_patterns import Group, Steps, steps_of
from layerexplain.ops import reduce
from layerexplain.ops.movement import broadcast_to, reshape, transpose
from layerexplain.suggest import in_a_row

_FOLDS = {"mean": reduce.mean, "sum": reduce.sum_, "max": reduce.amax, "min": reduce.amin, "prod": reduce.prod}
_IN_WORDS = {
    "mean": "averages over",
    "sum": "sums over",
    "max": "takes the largest value over",
    "min": "takes the smallest value over",
    "prod": "multiplies over",
}


def _sizes(value: Any) -> dict[str, int | str | None]:
    found = dict(value) if isinstance(value, Mapping) or value == () else None
    if found is None or not all(isinstance(one, str) for one in found):
        raise RefusedValue
    if not all(one is None or isinstance(one, str) or (type(one) is int and one > 0) for one in found.values()):
        raise RefusedValue
    return found


AxisSizes = Annotated[Any, Check("sizes ≥ 1 of axes by their names, None for the batch", "{h: 4}", _sizes, plain=False)]


def _moved(x: Expr, operation: str, pattern: str, sizes: Any, fold: Any = None) -> Stored:
    """Return a tensor as a pattern has it, and what happens to its axes in words."""
    steps = steps_of(operation, pattern, dict(sizes), x.shape)
    sizes_of, y, axes = steps.sizes, x, steps.split
    kept = [name for name in steps.joined if name in axes]
    if steps.folded or kept != [name for name in axes if name not in steps.folded]:
        y = _shaped(y, tuple([sizes_of[name] for name in axes]))
    if steps.folded:
        y = fold(y, axis=tuple([axes.index(name) for name in steps.folded]))
        axes = [name for name in axes if name not in steps.folded]
    if kept != axes:
        y = transpose(y, axes=tuple([axes.index(name) for name in kept]))
    if steps.added:
        y = _shaped(y, tuple([1 if name in steps.added else sizes_of[name] for name in steps.joined]))
        y = broadcast_to(y, shape=tuple([sizes_of[name] for name in steps.joined]))
    y = _shaped(y, steps.shape(steps.after))
    return Stored(y, (), words=_in_words(steps, axes, kept, operation))


def _shaped(x: Expr, shape: Shape) -> Expr:
    return x if x.shape == shape else reshape(x, shape=shape)


def _in_words(steps: Steps, axes: list[str], kept: list[str], operation: str) -> str:
    """Return what happens to the axes, in a sentence."""
    said = []
    split = [f"axis {i} into {_product(group, steps)}" for i, group in enumerate(steps.before) if len(group) > 1]
    if split:
        said.append(f"splits {in_a_row(split)}")
    if steps.folded:
        said.append(f"{_IN_WORDS[operation]} {in_a_row([_product((name,), steps) for name in steps.folded])}")
    if kept != axes:
        said.append(f"puts the axes in the order {', '.join(map(_plain_name, kept))}")
    if steps.added:
        new = in_a_row([_product((name,), steps) for name in steps.added])
        said.append(f"repeats along the new {'axis' if len(steps.added) == 1 else 'axes'} {new}")
    joined = [_product(group, steps) for group in steps.after if len(group) > 1]
    if joined:
        said.append(f"joins {in_a_row(joined)} into one axis{' each' * (len(joined) > 1)}")
    ones = steps.after.count(()) - steps.before.count(())
    if ones:
        axes_of_1 = "an axis" if abs(ones) == 1 else f"{abs(ones)} axes"
        said.append(f"{'inserts' if ones > 0 else 'removes'} {axes_of_1} of size 1")
    text = "; ".join(said) or "returns its input unchanged"
    return f"{text[0].upper()}{text[1:]}."


def _plain_name(name: str) -> str:
    return name.partition("#")[0].replace("...", "…")


def _product(group: Group, steps: Steps) -> str:
    """Return axes with their sizes: `h × p = 8 × 4`; without sizes where one is not known."""
    names = " × ".join(map(_plain_name, group))
    sizes = [steps.sizes[name] for name in group]
    text = " × ".join(map(_size_text, sizes))
    is_known = None not in sizes and not all(isinstance(one, Batch) for one in sizes) and text != names
    return f"{names} = {text}" if is_known else names


def _size_text(size: Size) -> str:
    if not isinstance(size, Batch):
        return str(size)
    return repr(size).replace("*", "×").replace("n", "batch", 1)


@layer(
    f"{EINOPS}rearrange",
    also=[f"{EINOPS}Rearrange"],
    gist="{pattern}",
    facts=Facts(example=(("pattern=b c h w -> b (c h w)",), ("3,8,8",))),
)
def rearrange(x: Expr, *, pattern: Text, sizes: AxisSizes = ()) -> Stored:
    """Splits, reorders and joins axes by a pattern.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.rearrange.
    """
    return _moved(x, "rearrange", pattern, sizes)


@layer(
    f"{EINOPS}repeat",
    also=[f"{EINOPS}Repeat"],
    gist="{pattern}",
    facts=Facts(example=(("pattern=b c h w -> b c (h 2) w",), ("3,8,8",))),
)
def repeat(x: Expr, *, pattern: Text, sizes: AxisSizes = ()) -> Stored:
    """Repeats its input along the axes that only the right side of a pattern has.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.repeat.
    """
    return _moved(x, "repeat", pattern, sizes)


@layer(
    f"{EINOPS}reduce",
    also=[f"{EINOPS}Reduce"],
    gist="{reduction} {pattern}",
    facts=Facts(example=(("pattern=b c h w -> b c", "reduction=mean"), ("3,8,8",))),
)
def reduce_axes(x: Expr, *, pattern: Text, reduction: choice(*_FOLDS), sizes: AxisSizes = ()) -> Stored:  # type: ignore[valid-type]
    """Takes the mean, sum, maximum, minimum or product over the axes that only the left side of a pattern has.

    Input shape: the left side of the pattern. Output shape: its right side. Reference: einops.reduce.
    """
    return _moved(x, reduction, pattern, sizes, _FOLDS[reduction])
