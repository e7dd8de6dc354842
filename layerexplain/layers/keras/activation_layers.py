"""Activation functions as layers of their own: ReLU, LeakyReLU, PReLU, ELU, Softmax.

Input shape: any. Output shape: the same.
"""

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import AxisArgument, NonNegative, Number
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import KEEPS_AXES
from layerexplain.ops import functions
from layerexplain.ops.elementwise import where
from layerexplain.ops.sizes import agree, axis_roles, normalize_axes, normalize_axis, shape_text

FAR_BELOW = -1e9
"""What Keras puts in place of a masked score, so that its share of a softmax is 0."""


@layer("ReLU", mask="pass", facts=KEEPS_AXES)
def relu(
    x: Expr, *, max_value: NonNegative | None = None, negative_slope: NonNegative = 0.0, threshold: NonNegative = 0.0
) -> Expr:
    """Keeps {threshold:values above {threshold}|positive values} and {negative_slope:multiplies the rest{threshold:,
    less {threshold},|} by {negative_slope}|sets the rest to 0}{max_value:; values above {max_value} become
    {max_value}|}."""
    return functions.relu(x, negative_slope=negative_slope, max_value=max_value, threshold=threshold)


@layer("LeakyReLU", mask="pass", renamed={"alpha": "negative_slope"}, facts=KEEPS_AXES._replace(makes_floats=True))
def leaky_relu(x: Expr, *, negative_slope: NonNegative = 0.3) -> Expr:
    """Keeps positive values and multiplies the rest by {negative_slope}.

    Reference: Maas, Hannun and Ng, 2013.
    """
    return functions.leaky_relu(x, negative_slope=negative_slope)


@layer("PReLU", mask="pass", ignores="alpha_initializer alpha_regularizer alpha_constraint", facts=KEEPS_AXES)
def prelu(x: Expr, *, shared_axes: AxisArgument | None = None) -> Expr:
    """Keeps positive values and multiplies the rest by learned slopes α.

    Along the `shared_axes` all elements have one slope: [1, 2] for an image leaves one for each channel.
    All sizes need to be known but those of shared axes.
    Reference: He et al., 2015.
    """
    axes = (shared_axes,) if isinstance(shared_axes, int) else shared_axes or ()
    # Keras counts from the first axis after the batch: 1 is that one, 0 the last, -1 the one before it.
    shared = {normalize_axis(axis - 1, x.ndim - 1, "shared_axes - 1") + 1 for axis in axes}
    roles = axis_roles(x)
    sizes = [(roles[i], 1 if i in shared else x.shape[i]) for i in range(1, x.ndim)]
    return functions.relu(x) - weight("alpha", "α", sizes) * functions.relu(-x)


@layer("ELU", mask="pass", facts=KEEPS_AXES)
def elu(x: Expr, *, alpha: Number = 1.0) -> Expr:
    """Keeps positive values; the rest follows an exponential curve down to -{alpha}.

    Reference: Clevert, Unterthiner and Hochreiter, 2016.
    """
    return functions.elu(x, alpha=alpha)


@layer("Softmax", mask="pass", facts=KEEPS_AXES)
def softmax(x: Expr, *, axis: AxisArgument | None = -1, mask: Expr | None = None, keras_2: bool = False) -> Expr:
    """Turns the values {along} into probabilities that sum to 1; masked positions get 0.

    A mask needs to broadcast to the input.
    """
    axis = tuple(range(x.ndim)) if axis is None else axis
    normalize_axes(axis, x.ndim)
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    if mask is None:
        return functions.softmax(x, axis=axis)
    pairs = zip(reversed(mask.shape), reversed(x.shape), strict=False)
    if mask.ndim > x.ndim or not all(m == 1 or agree(m, s) for m, s in pairs):
        raise ShapeError(
            f"Softmax needs a mask that broadcasts to its input, got a mask of shape {shape_text(mask.shape)} "
            f"for an input of shape {shape_text(x.shape)}"
        )
    shares = functions.softmax(named("z", where(mask, x, FAR_BELOW)), axis=axis)
    return shares if keras_2 else where(mask, shares, 0.0)
