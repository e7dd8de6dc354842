"""The losses of torch.nn: the formula of each, what it takes of the model, and which targets fit.

Each takes the targets and the output of a model. They are `Loss` as Keras's are; PyTorch neither adds nor leaves out an
axis, has the classes in axis 1, and takes logits or logarithms where Keras has an argument for it. A function that
declares a loss has the name of that loss in torch.nn.functional. Reference: torch.nn.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import pi
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr, constant, named
from layerexplain.layers.arguments import (
    Bool,
    Int,
    NonNegative,
    Number,
    Numbers,
    PositiveInt,
    Share,
    argument_of,
    choice,
)
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.losses import Loss, Targets, numbers, reduced, signs
from layerexplain.layers.registry import TORCH, TORCH_FUNCTIONS, register
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions, reduce
from layerexplain.ops import movement as m
from layerexplain.ops.sizes import agree, shape_text

_BATCH_MEAN = "batchmean"


class TorchLoss(Loss):
    """A loss of torch.nn. `takes` says what the output of the model is to be: "logits", "probabilities",
    "logarithms" of probabilities, or "" for numbers of any kind."""

    class_axis = 1

    def __init__(
        self, type_: str, function: Callable[..., Any], targets: Targets, of: str, takes: str, before: str
    ) -> None:
        reductions = ("mean", "sum", "none", _BATCH_MEAN) if type_ == "KLDivLoss" else ("mean", "sum", "none")
        super().__init__(
            TORCH + type_,
            function,
            targets,
            of,
            exact=False,
            whole=partial(_of_batch, function, type_ if of == "numbers" else ""),
            reduction=argument_of(choice(*reductions), "mean"),
            before=before,
        )
        self.ignores = frozenset({"size_average", "reduce"})
        self.takes = takes

    def bind(self, config: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
        """Return the arguments, all of which need to be known; `size_average` and `reduce` of older programs say the
        reduction."""
        bound = super().bind(config, strict=True)
        older = [config.get(key) for key in ("size_average", "reduce")]
        if older != [None, None]:
            bound["reduction"] = "none" if older[1] is False else "sum" if older[0] is False else "mean"
        return bound

    @property
    def name(self) -> str:
        """The name of its class, which is what code has."""
        return self.type.removeprefix(TORCH)

    def output_kind(self, config: Any) -> str:
        """Return what the output is to be."""
        return self.takes

    def taken(self, config: Any) -> str:
        """Return what the output is to be, in words that follow the name."""
        function = "log_softmax" if self.of == "classes" else "sigmoid"
        return {
            "logits": f"applies a {function} of its own",
            "probabilities": "takes probabilities from 0 to 1",
            "logarithms": "takes logarithms of probabilities",
        }.get(self.takes, "takes numbers")

    def refuses(self, targets: Shape, output: Shape) -> bool:
        """Whether PyTorch refuses targets of a shape for an output of another one, by the sizes that are known."""
        if self.of == "numbers" and not self.is_spread(targets, output):
            return len(targets) != len(output) or not all(map(agree, targets, output))
        try:
            self.trace([Spec(targets, "float"), Spec(output, "float"), None], self.default_values)
        except LayerExplainError:
            return True
        return False

    def is_spread(self, targets: Shape, output: Shape) -> bool:
        """Whether targets of another shape are compared with several numbers each, which PyTorch warns of."""
        pairs = zip(targets[::-1], output[::-1], strict=False)
        fits = all(a == b or 1 in (a, b) for a, b in pairs)
        return self.of == "numbers" and fits and targets != output


def loss(
    type_: str, targets: Targets, of: str, takes: str = "", before: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a loss by its values before they are reduced to one number, from targets and output; `reduction` stands
    `before` one of its arguments, else behind all."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        names = [TORCH + type_, f"{TORCH_FUNCTIONS}{function.__name__}"]
        register(names, lambda: TorchLoss(type_, function, targets, of, takes, before))
        return function

    return declare


def _of_batch(
    function: Callable[..., Any],
    comparing: str,
    y_true: Expr,
    y_pred: Expr,
    sample_weight: Expr | None,
    *,
    reduction: str,
    masks: Any = (),
    **arguments: Any,
) -> dict[str, Expr]:
    """The formula of a loss, from that of its values, and of what each counts in the mean if not all count once; one
    of that name compares numbers, and spreads shapes that differ."""
    pairs = zip(y_true.shape[::-1], y_pred.shape[::-1], strict=False)
    if comparing and not all(1 in (a, b) or agree(a, b) for a, b in pairs):
        shapes = f"got {shape_text(y_pred.shape)} and {shape_text(y_true.shape)}"
        cure = same_size_cure(y_true.shape, y_pred.shape)
        raise ShapeError(f"{comparing} compares output and target number by number, {shapes}; {cure}")
    returned = function(y_true, y_pred, **arguments)
    values, shares = returned if isinstance(returned, tuple) else (returned, None)
    if reduction == _BATCH_MEAN:
        each = reduce.sum_(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values
        return {"L": reduced(each, None, None, "mean")}
    if shares is None or reduction != "mean":
        return {"L": reduced(values, sample_weight, None, reduction)}
    total = reduced(values, sample_weight, None, "sum")
    return {"L": total / (reduce.sum_(shares, axis=None) if shares.ndim else shares)}


def _factors(type_: str, name: str, given: Any, shape: Shape, of: str, *, spread: bool = True) -> Expr:
    """Numbers that the program gives, as a constant of a shape, or that spreads over it. Raises ShapeError else."""
    factors = constant(given)
    pairs = zip(factors.shape[::-1], shape[::-1], strict=False)
    fits = factors.ndim == len(shape) or (spread and factors.ndim < len(shape))
    if not fits or not all((spread and own == 1) or agree(own, size) for own, size in pairs):
        raise ShapeError(f"{type_} needs {name} to be {of}, got {shape_text(factors.shape)}")
    return named("w" if name == "weight" else "p", factors)


def same_shape(type_: str, y_true: Expr, y_pred: Expr) -> None:
    """Raise ShapeError for targets of another shape than the output, which PyTorch refuses."""
    fits = y_true.ndim == y_pred.ndim and all(map(agree, y_true.shape, y_pred.shape))
    if not fits:
        raise ShapeError(
            f"{type_} needs a target of the output's shape, got {shape_text(y_true.shape)} for "
            f"{shape_text(y_pred.shape)}; {same_size_cure(y_true.shape, y_pred.shape)}"
        )


def same_size_cure(target: Shape, output: Shape) -> str:
    """Return what gives a target and an output one shape.

    >>> same_size_cure((64,), (64, 1))
    'write output.squeeze(1), or target.unsqueeze(1)'
    """
    if (*target, 1) == output:
        return "write output.squeeze(1), or target.unsqueeze(1)"
    if (*output, 1) == target:
        return "write target.squeeze(1), or output.unsqueeze(1)"
    if len(target) + 1 == len(output) == 2:
        return "class numbers go with CrossEntropyLoss; this loss compares numbers, so give the last layer 1 unit"
    return "give both one shape"


# Classes ------------------------------------------------------------------------------------------------------------


def _class_numbers(shape: Shape) -> str:
    classes = shape[1] if len(shape) > 1 else shape[0] if shape else None
    upto = f"0 to {classes - 1}" if isinstance(classes, int) else "from 0 on"
    return f"whole numbers {upto}, of shape {shape_text((*shape[:1], *shape[2:]))}"


CLASS_NUMBERS = Targets(_class_numbers, "classes")


def _classes_last(type_: str, y_true: Expr, y_pred: Expr) -> Expr:
    """The output with its classes as the last axis, once the targets fit it."""
    at = 1 if y_pred.ndim > 1 else 0
    wanted = (*y_pred.shape[:at], *y_pred.shape[at + 1 :])
    if y_true.ndim != len(wanted) or not all(map(agree, y_true.shape, wanted)):
        cure = (
            "write target.squeeze(1)"
            if y_true.ndim == len(wanted) + 1 and y_true.shape[-1] == 1
            else (f"the classes are axis {at} of the output, and each other place has one class number")
        )
        raise ShapeError(
            f"{type_} needs class numbers of shape {shape_text(wanted)} for an output of shape "
            f"{shape_text(y_pred.shape)}, got {shape_text(y_true.shape)}; {cure}"
        )
    if y_pred.ndim < 3:
        return y_pred
    return m.transpose(y_pred, axes=(0, *range(2, y_pred.ndim), 1))


def _counted(y_true: Expr, ignore_index: int) -> tuple[Expr, Expr | None]:
    """The class numbers with those that do not count at 0, and what counts; all do at PyTorch's default of -100."""
    if ignore_index == -100:
        return y_true, None
    counts = named("counts", e.not_equal(y_true, ignore_index))
    return e.where(counts, y_true, 0), counts


def _class_weights(type_: str, weight: Any, classes: int | None) -> Expr | None:
    of = f"a number for each of the {'?' if classes is None else classes} classes"
    return None if weight is None else _factors(type_, "weight", weight, (classes,), of, spread=False)


def _shared(values: Expr, ids: Expr, weights: Expr | None, counts: Expr | None, *, weighted: bool = False) -> Any:
    """The values with the weight of the class of each, unless they are `weighted`, and with 0 for what does not count;
    and what each counts in the mean, if not all count once."""
    if weights is None and counts is None:
        return values
    from layerexplain.ops.joining import take  # a summary asks a loss for its targets alone

    of_class = None if weights is None else named("w_y", take(weights, ids))
    if of_class is not None and not weighted:
        values = of_class * values
    if counts is None:
        return values, of_class
    shares = e.cast(counts, to="float") if of_class is None else e.where(counts, of_class, 0.0)
    return e.where(counts, values, 0.0), shares


@loss("CrossEntropyLoss", CLASS_NUMBERS, "classes", "logits", "label_smoothing")
def cross_entropy(
    y_true: Expr, y_pred: Expr, *, weight: Numbers | None = None, ignore_index: Int = -100, label_smoothing: Share = 0.0
) -> Any:
    """Minus the logarithm of the softmax of the output at the right class; the output is one score for each class.

    Targets are class numbers, or a probability for each class. Reference: torch.nn.CrossEntropyLoss.
    """
    at = min(1, y_pred.ndim - 1)
    weights = _class_weights("CrossEntropyLoss", weight, y_pred.shape[at] if y_pred.ndim else None)
    if y_true.ndim == y_pred.ndim and not (y_true.ndim == 2 and y_true.shape[1] == 1 != y_pred.shape[1]):
        same_shape("CrossEntropyLoss", y_true, y_pred)
        if ignore_index >= 0:
            raise ArgumentError(f"CrossEntropyLoss needs class numbers as targets, got ignore_index={ignore_index}")
        return _of_shares(_smoothed(y_true, label_smoothing, at), y_pred, weights, at)
    scores = _classes_last("CrossEntropyLoss", y_true, y_pred)
    ids, counts = _counted(y_true, ignore_index)
    if not label_smoothing:
        return _shared(functions.sparse_softmax_cross_entropy(ids, scores), ids, weights, counts)
    from layerexplain.ops.joining import one_hot  # a summary asks a loss for its targets alone

    target = _smoothed(one_hot(ids, n=scores.shape[-1]), label_smoothing, -1)
    return _shared(_of_shares(target, scores, weights, -1), ids, weights, counts, weighted=True)


def _of_shares(target: Expr, scores: Expr, weights: Expr | None, axis: int) -> Expr:
    """The cross-entropy of scores and of a share for each class, which need not sum to 1."""
    if weights is not None:
        target = m.laid(weights, (axis % scores.ndim,), scores.ndim) * target
    return -reduce.sum_(target * functions.log_softmax(scores, axis=axis), axis=axis)


def _smoothed(target: Expr, smoothing: float, axis: int) -> Expr:
    if not smoothing:
        return target
    return named("target", (1 - smoothing) * target + smoothing / target.shape[axis])


@loss("NLLLoss", CLASS_NUMBERS, "classes", "logarithms")
def nll_loss(y_true: Expr, y_pred: Expr, *, weight: Numbers | None = None, ignore_index: Int = -100) -> Any:
    """Minus the output at the right class; the output is the logarithm of a probability for each class.

    Behind LogSoftmax it is what CrossEntropyLoss is of scores. Reference: torch.nn.NLLLoss.
    """
    from layerexplain.ops.joining import take_along  # a summary asks a loss for its targets alone

    logs = _classes_last("NLLLoss", y_true, y_pred)
    ids, counts = _counted(y_true, ignore_index)
    values = -take_along(logs, ids[..., None], axis=-1)[..., 0]
    return _shared(values, ids, _class_weights("NLLLoss", weight, logs.shape[-1]), counts)


@loss("MultiMarginLoss", CLASS_NUMBERS, "classes")
def multi_margin_loss(
    y_true: Expr, y_pred: Expr, *, p: PositiveInt = 1, margin: Number = 1.0, weight: Numbers | None = None
) -> Expr:
    """The mean over the classes of what is missing to a margin of {margin} between the right score and each other one.

    Reference: torch.nn.MultiMarginLoss.
    """
    from layerexplain.ops.joining import one_hot, take, take_along  # a summary asks a loss for its targets alone

    scores = _classes_last("MultiMarginLoss", y_true, y_pred)
    if scores.ndim > 2:
        raise ShapeError(f"MultiMarginLoss needs an output (batch, classes), got {shape_text(y_pred.shape)}")
    right = named("right", take_along(scores, y_true[..., None], axis=-1))
    short = (1 - one_hot(y_true, n=scores.shape[-1])) * e.maximum(margin - right + scores, 0) ** p
    weights = _class_weights("MultiMarginLoss", weight, scores.shape[-1])
    values = reduce.mean(short, axis=-1)
    return values if weights is None else named("w_y", take(weights, y_true)) * values


@loss(
    "KLDivLoss",
    Targets(lambda shape: f"probabilities, of shape {shape_text(shape)}", "shares"),
    "classes",
    "logarithms",
    "log_target",
)
def kl_div(y_true: Expr, y_pred: Expr, *, log_target: Bool = False) -> Expr:
    """How far the predicted distribution is from the target's; the output is the logarithm of probabilities.

    Reference: torch.nn.KLDivLoss; reduction='batchmean' is the divergence for each example.
    """
    same_shape("KLDivLoss", y_true, y_pred)
    if log_target:
        return e.exp(y_true) * (y_true - y_pred)
    return e.where(e.greater(y_true, 0), y_true * (e.log(y_true) - y_pred), 0.0)


# Yes or no ----------------------------------------------------------------------------------------------------------

BITS = Targets(lambda shape: f"0.0 or 1.0, of shape {shape_text(shape)}", "bits")


_EACH = "numbers that fit the output's shape"


@loss("BCELoss", BITS, "probabilities", "probabilities")
def binary_cross_entropy(y_true: Expr, y_pred: Expr, *, weight: Numbers | None = None) -> Expr:
    """Minus the logarithm of the probability given to the correct label; each output is the probability of a yes.

    Logarithms are at least -100. Reference: torch.nn.BCELoss.
    """
    same_shape("BCELoss", y_true, y_pred)
    yes, no = (e.maximum(e.log(p), -100.0) for p in (y_pred, 1 - y_pred))
    values = -(y_true * yes + (1 - y_true) * no)
    return values if weight is None else _factors("BCELoss", "weight", weight, y_pred.shape, _EACH) * values


@loss("BCEWithLogitsLoss", BITS, "probabilities", "logits", "pos_weight")
def binary_cross_entropy_with_logits(
    y_true: Expr, y_pred: Expr, *, weight: Numbers | None = None, pos_weight: Numbers | None = None
) -> Expr:
    """Minus the logarithm of the sigmoid of the output where the target is 1, of 1 minus that sigmoid where it is 0.

    Reference: torch.nn.BCEWithLogitsLoss.
    """
    same_shape("BCEWithLogitsLoss", y_true, y_pred)
    if pos_weight is None:
        values = functions.sigmoid_cross_entropy(y_true, y_pred)
    else:
        positive = _factors("BCEWithLogitsLoss", "pos_weight", pos_weight, y_pred.shape, _EACH)
        yes, no = functions.softplus(-y_pred), functions.softplus(y_pred)
        values = positive * y_true * yes + (1 - y_true) * no
    return values if weight is None else _factors("BCEWithLogitsLoss", "weight", weight, y_pred.shape, _EACH) * values


@loss("MultiLabelSoftMarginLoss", BITS, "probabilities", "logits")
def multilabel_soft_margin_loss(y_true: Expr, y_pred: Expr, *, weight: Numbers | None = None) -> Expr:
    """The mean over the labels of minus the logarithm of the sigmoid, as in BCEWithLogitsLoss.

    Reference: torch.nn.MultiLabelSoftMarginLoss.
    """
    same_shape("MultiLabelSoftMarginLoss", y_true, y_pred)
    values = functions.sigmoid_cross_entropy(y_true, y_pred)
    if weight is not None:
        values = _factors("MultiLabelSoftMarginLoss", "weight", weight, y_pred.shape, _EACH) * values
    return reduce.mean(values, axis=-1)


@loss("SoftMarginLoss", signs, "numbers")
def soft_margin_loss(y_true: Expr, y_pred: Expr) -> Expr:
    """The logistic loss of targets that are -1 or 1.

    Reference: torch.nn.SoftMarginLoss.
    """
    same_shape("SoftMarginLoss", y_true, y_pred)
    return functions.softplus(-y_true * y_pred)


@loss("HingeEmbeddingLoss", signs, "numbers")
def hinge_embedding_loss(y_true: Expr, y_pred: Expr, *, margin: Number = 1.0) -> Expr:
    """The output where the target is 1; where it is -1, how far it is below the margin {margin}.

    Reference: torch.nn.HingeEmbeddingLoss.
    """
    return e.where(e.equal(y_true, 1), y_pred, e.maximum(margin - y_pred, 0))


# Numbers ------------------------------------------------------------------------------------------------------------


@loss("MSELoss", numbers, "numbers")
def mse_loss(y_true: Expr, y_pred: Expr) -> Expr:
    """The squared difference of target and output.

    Reference: torch.nn.MSELoss, which spreads shapes that differ, with a warning.
    """
    return (y_pred - y_true) ** 2


@loss("L1Loss", numbers, "numbers")
def l1_loss(y_true: Expr, y_pred: Expr) -> Expr:
    """The absolute difference of target and output.

    Reference: torch.nn.L1Loss.
    """
    return e.absolute(y_pred - y_true)


@loss("HuberLoss", numbers, "numbers", before="delta")
def huber_loss(y_true: Expr, y_pred: Expr, *, delta: NonNegative = 1.0) -> Expr:
    """Half the squared difference up to {delta}, and beyond it a line of that slope.

    Reference: torch.nn.HuberLoss.
    """
    far = named("far", e.absolute(y_pred - y_true))
    return e.where(e.less_equal(far, delta), 0.5 * far**2, delta * (far - 0.5 * delta))


@loss("SmoothL1Loss", numbers, "numbers", before="beta")
def smooth_l1_loss(y_true: Expr, y_pred: Expr, *, beta: NonNegative = 1.0) -> Expr:
    """The absolute difference less half of {beta}, and below {beta} half its square divided by {beta}.

    Reference: torch.nn.SmoothL1Loss.
    """
    far = named("far", e.absolute(y_pred - y_true))
    return e.where(e.less(far, beta), 0.5 * far**2 / beta, far - 0.5 * beta) if beta else far


@loss("PoissonNLLLoss", Targets(lambda shape: f"counts, of shape {shape_text(shape)}", "counts"), "numbers")
def poisson_nll_loss(
    y_true: Expr, y_pred: Expr, *, log_input: Bool = True, full: Bool = False, eps: Number = 1e-8
) -> Expr:
    """Minus the log-likelihood of counts; the output is the logarithm of their mean, or the mean itself.

    Reference: torch.nn.PoissonNLLLoss.
    """
    values = e.exp(y_pred) - y_true * y_pred if log_input else y_pred - y_true * e.log(y_pred + eps)
    if not full:
        return values
    many = e.greater(y_true, 1)
    some = e.where(many, y_true, 1.0)
    return values + e.where(many, some * e.log(some) - some + 0.5 * e.log(2 * pi * some), 0.0)
