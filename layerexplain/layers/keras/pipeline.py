"""Pipeline, a list of layers as one, and SpectralNormalization, which keeps a layer's kernel in bounds in training."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import call
from layerexplain.lang.expr import Expr, item, named, weight
from layerexplain.layers.arguments import Inner, Inners, PositiveInt
from layerexplain.layers.declaration import Spec, Stored
from layerexplain.layers.known_definitions import apply, inner_definition
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.contract import matmul
from layerexplain.ops.elementwise import cast
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.movement import reshape, stop_gradient, transpose
from layerexplain.ops.sizes import FLOATS

MOST_ITERATIONS = 100
"""Each of them is two lines of the formula; Keras's default is one."""


@layer("Pipeline", gist="{layers}")
def pipeline(x: Expr, *, layers: Inners, training: bool = False) -> Expr:
    """Applies its layers one after the other.

    Input shape: that of the first layer. Output shape: that of the last.
    """
    for i, one in enumerate(layers):
        y = apply(one, [x], at=("layers", i), suffix=f"_{i + 1}", training=training)
        if isinstance(y.shape, ResultShapes):
            raise ShapeError(f"Pipeline needs layers with one output, got {one.type} with {len(y.shape)}")
        x = named(f"x_{i + 2}", y)
    return x


@layer("SpectralNormalization", gist="{layer}; in training W / σ", facts=Facts(inner_outputs={"layer": ("y",)}))
def spectral_normalization(x: Expr, *, layer: Inner, power_iterations: PositiveInt = 1, training: bool = False) -> Any:
    """Applies {layer}. In training, its kernel is first divided by its largest singular value and stored so.

    The largest singular value is found by {power_iterations} steps of power iteration, from the vector u of the last
    time.
    Input shape: that of the inner layer. Output shape: likewise.
    Reference: Miyato et al., 2018.
    """
    definition, weights = inner_definition("SpectralNormalization", layer, Spec(x.shape, x.dtype), training=training)
    inside = [w.attrs["name"] for w in definition.weights if not w.attrs["at"]]
    name = next((n for n in ("kernel", "embeddings") if n in inside), None)
    if name is None:
        raise ArgumentError(
            f"SpectralNormalization needs a layer with a kernel or embeddings, got layer={layer.type}; "
            f"for example layer={{Dense: 10}}"
        )
    # Keras counts the kernel as the wrapper's own: it comes first, then u, then what else the layer has.
    W = weights[inside.index(name)]
    u = weight("vector_u", "u", [("repeated", 1), ("outputs", W.shape[-1])], trainable=False)
    weights = [w if w is W else Expr(w.op, (), w.attrs, w.shape, w.dtype, w.label) for w in weights]
    updates = _normalized(W, u, power_iterations) if training else {}
    y = call(definition, x, *[updates[str(W.label)] if w is W and training else w for w in weights])
    if isinstance(y.shape, ResultShapes):  # an Embedding makes a mask beside it
        y = item(y, 0)
    if y.dtype != x.dtype and x.dtype not in FLOATS:
        y = cast(y, to=x.dtype)
    return Stored(y, (*weights, u), updates)


def _normalized(W: Expr, u: Expr, times: int) -> dict[str, Expr]:
    """What Keras stores before the layer is run: the kernel divided by its largest singular value, and u."""
    if times > MOST_ITERATIONS:
        raise ArgumentError(
            f"SpectralNormalization is written out in training for up to {MOST_ITERATIONS} power_iterations, got "
            f"power_iterations={times:,}"
        )
    kernel, vector = str(W.label), str(u.label)
    M = named("M", reshape(W, shape=(-1, W.shape[-1])), "the kernel as a matrix")
    v = u
    for _ in range(times):
        v = named("v", l2_normalize(matmul(u, transpose(M, axes=(1, 0))), axis=None))
        u = named("u_new", l2_normalize(matmul(v, M), axis=None))
    row = transpose(stop_gradient(u), axes=(1, 0))
    stretch = named("sigma", matmul(matmul(stop_gradient(v), M), row), "the largest singular value")
    return {kernel: named("W_new", W / stretch), vector: u}
