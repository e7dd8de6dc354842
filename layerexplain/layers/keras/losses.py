"""The losses of keras.losses: the formula of each, its other names, and which targets fit an output.

Each takes the targets `y_true` and the output `y_pred`, and gives a loss for each example, or for each step of each.
`@loss` adds what all have in common: weights of samples, the output's mask, and the reduction to one number.
Reference: keras.losses; keras/src/losses/loss.py for the reduction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Argument, argument_of, choice
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find, first_paragraph, part_of, register
from layerexplain.layers.signature import signature_of
from layerexplain.ops import elementwise as e
from layerexplain.ops import reduce
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple


class Targets(NamedTuple):
    """Says which targets fit an output of a shape, and of which `kind` they are: "numbers", "positive", "bits",
    "signs", "classes", "one-hot", "shares", "counts" or "letters"."""

    words: Callable[[Shape], str]
    kind: str

    def __call__(self, shape: Shape) -> str:
        return self.words(shape)


Reduction = choice("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", "auto")


class Loss(Declaration):
    """A loss: its formula, `targets` in words by the shape of the output, and of what they are: `of` is
    `probabilities`, `classes` or `numbers`. `sparse` says that a target is the number of a class, `exact` that Keras
    compares the shapes of targets and output, where other losses take whatever fits together. `class_axis` is where an
    output has its classes. `type_` is a whole name such as `losses.Huber`, `whole` the formula of a batch where that is
    not Keras's, `before` the argument in front of which `reduction` stands."""

    class_axis = -1

    def __init__(
        self,
        type_: str,
        function: Callable[..., Any],
        targets: Targets,
        of: str,
        exact: bool,
        *,
        whole: Callable[..., Any] | None = None,
        reduction: Argument | None = None,
        before: str = "",
    ) -> None:
        own = signature_of(function)
        signature = own._replace(
            tensors=("y_true", "y_pred", "sample_weight"),
            optional=1,
            arguments={**own.arguments, "reduction": reduction or argument_of(Reduction | None, "sum_over_batch_size")},
            reads=frozenset({"masks"}),
        )
        signature = signature.moved("reduction", before=before) if before else signature
        formula, about = whole or partial(_of_batch, function), first_paragraph(function)
        super().__init__(type_, formula, signature, description=about, ignores="fn", kind="loss")
        self.targets = targets
        self.of = of
        self.sparse = targets.kind == "classes"
        self.exact = exact

    def taken(self, config: Mapping[str, Any]) -> str:
        """Return what the output is to be with these arguments, in words that follow the name."""
        return f"has from_logits={self.output_kind(config) == 'logits'}"

    def targets_shape(self, output: Shape) -> Shape:
        """Return the shape of targets that fit an output: one number for each row of classes, labels of half as many
        letters as there are steps, or the output's own."""
        if self.targets.kind == "letters" and len(output) == 3 and isinstance(output[1], int):
            return (output[0], max(output[1] // 2, 1))
        if not self.sparse or not output:
            return output
        at = min(self.class_axis % max(len(output), 2), len(output) - 1)
        return (*output[:at], *output[at + 1 :])

    def classes(self, output: Shape) -> int | None:
        """Return how many classes an output of a shape has; None where that is not known."""
        size = output[self.class_axis if len(output) > 1 else -1] if output else None
        return size if isinstance(size, int) else None

    def is_spread(self, targets: Shape, output: Shape) -> bool:
        """Whether targets of another shape are compared with several numbers each, where no axis is added first."""
        return False

    def output_kind(self, config: Mapping[str, Any]) -> str:
        """Return what the output is to be with these arguments: "logits", "probabilities", or "" for any numbers."""
        given = config.get("from_logits", False) if "from_logits" in self.arguments else None
        return "logits" if given is True else "probabilities" if given is False else ""

    def refuses(self, targets: Shape, output: Shape) -> bool:
        """Whether Keras refuses targets of a shape for an output of another one, by the sizes that are known."""
        if self.targets.kind == "letters" or (self.sparse and not self.exact):
            return False
        wanted = self.targets_shape(output)
        if len(targets) == len(wanted) + 1 and targets[-1] == 1:
            targets = targets[:-1]
        elif len(targets) + 1 == len(wanted) and wanted[-1] == 1:
            wanted = wanted[:-1]
        if self.exact and len(targets) != len(wanted):
            return True
        pairs = [(a, b) for a, b in zip(targets[::-1], wanted[::-1], strict=False) if a is not None and b is not None]
        return any(a != b and (self.exact or 1 not in (a, b)) for a, b in pairs)


def loss(
    type_: str, targets: Targets, of: str, *also: str, exact: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a loss by the formula of the loss of each example, from targets and output of the same rank.

    The formula may also return a mask of what counts.

    Args:
        type_: The class name.
        targets: Says which targets fit an output.
        of: What they are: "probabilities", "classes" or "numbers".
        also: Further names, besides the class name in snake case.
        exact: Whether Keras compares the shapes of targets and output.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        names = [f"losses.{name}" for name in (type_, *also)]
        register(names, lambda: Loss(names[0], function, targets, of, exact))
        return function

    return declare


def _of_batch(
    function: Callable[..., Any],
    y_true: Expr,
    y_pred: Expr,
    sample_weight: Expr | None,
    *,
    reduction: str | None,
    masks: Any = (),
    **arguments: Any,
) -> dict[str, Expr]:
    """The formula of a loss, from that of the loss of each example."""
    returned = function(*same_rank(y_true, y_pred), **arguments)
    values, counts = returned if isinstance(returned, tuple) else (returned, None)
    mask = masks[1] if len(masks) > 1 else None
    if mask is not None and counts is not None:
        mask = e.logical_and(mask, counts)
    return {"L": reduced(values, sample_weight, counts if mask is None else mask, reduction)}


def loss_of(name: str) -> Loss | None:
    """Return the loss of a name, an alias or a class name; None for one that Keras does not have.

    >>> loss_of("mse") is loss_of("MeanSquaredError") is loss_of("mean_squared_error")
    True
    """
    known = part_of("losses", name)
    result = None if known is None else find(known)
    return result if isinstance(result, Loss) else None


# What all losses have in common -----------------------------------------------------------------------------------


def same_rank(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Two tensors of which one has an axis of size 1 more at its end: it is added to the other one or left out, as in
    Keras's `squeeze_or_expand_to_same_rank`."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[..., None]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[..., None], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def reduced(values: Expr, weight: Expr | None, mask: Expr | None, reduction: str | None) -> Expr:
    """The losses of examples as one number: their mean, weighted, over what the mask counts."""
    counts = None
    if values.ndim:
        named("losses", values)
    if weight is not None:
        values, weight = same_rank(values, weight)
    if not values.ndim and reduction not in (None, "none", "sum"):
        mask = None  # the mean of one number over what counts
    if mask is not None:
        mask, _ = same_rank(mask, values)
        if mask.ndim != values.ndim:
            raise ShapeError(
                f"a loss needs a mask with a place for each of its values, got {shape_text(mask.shape)} for "
                f"{shape_text(values.shape)}"
            )
        counts = e.cast(mask, to="float")
    for factor in (weight, counts):
        if factor is not None:
            values = values * factor
    if reduction in (None, "none") or not values.ndim:
        return values
    total = reduce.sum_(values, axis=None)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        weights = weight if counts is None else weight * counts
        return operation("DivideNoNan", total, named("weights", reduce.sum_(weights, axis=None)))
    if counts is not None:
        return total / e.maximum(reduce.sum_(counts, axis=None), 1)
    return reduce.mean(values, axis=None)


EPSILON = 1e-7
"""Keras's own, unless someone changed it: shares are kept this far from 0 and 1."""


def inside(share: Expr) -> Expr:
    """Shares kept a little away from 0 and 1, where the logarithm ends."""
    return e.minimum(e.maximum(share, EPSILON), 1 - EPSILON)


def operation(name: str, *tensors: Expr, **arguments: Any) -> Expr:
    """Return what an operation of keras.ops computes."""
    returned = find(f"ops.{name}").formula(*tensors, **arguments)  # type: ignore[union-attr]
    return returned["y"] if isinstance(returned, dict) else returned  # type: ignore[no-any-return]


# Which targets fit -------------------------------------------------------------------------------------------------


def each(what: str, kind: str = "numbers") -> Targets:
    """Targets of the shape of the output."""
    return Targets(lambda shape: f"{what}, of shape {shape_text(shape)}", kind)


def _class_numbers(shape: Shape) -> str:
    """Targets that are the number of a class for each row of the output."""
    last = shape[-1] if shape else None
    upto = f"0 to {last - 1}" if isinstance(last, int) else "from 0 on"
    return f"whole numbers {upto}, of shape {shape_text(shape[:-1])}"


def _one_per_class(shape: Shape) -> str:
    """Targets that are one-hot, or shares that sum to 1."""
    classes = "one number per class" if not shape or shape[-1] is None else shape[-1]
    return f"rows of {classes} that sum to 1, of shape {shape_text(shape)}"


class_numbers, one_per_class = Targets(_class_numbers, "classes"), Targets(_one_per_class, "one-hot")
numbers, binary, signs = each("numbers"), each("0 or 1", "bits"), each("-1 or 1", "signs")
