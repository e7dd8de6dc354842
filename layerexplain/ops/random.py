"""Ops that draw random numbers: in training lines, and in layers that are random at inference."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import NO_GRADIENT, PER_OUTPUT, RANDOM, STRUCTURAL, Op
from layerexplain.ops.families import always, function, movement, same_shape
from layerexplain.ops.sizes import kept


def _shares(run: Any, x: Any, shared: tuple[int, ...]) -> Any:
    """Draw a number from 0 to 1 for each element; those along the shared axes have one."""
    return run.random.random(tuple(1 if i in shared else s for i, s in enumerate(x.shape)))


def _drop(run: Any, x: Any, *, rate: float, shared: tuple[int, ...]) -> Any:
    return run.np.where(_shares(run, x, shared) >= rate, x / (1 - rate) if rate < 1 else 0, 0)


dropout = function(
    "dropout",
    axes=lambda x, *, rate, shared: kept(x),
    evaluate=_drop,
    flops=PER_OUTPUT,
    element=RANDOM,
    defaults={"shared": ()},
    gradient=STRUCTURAL,
)
"""`dropout(x, rate=0.5)`: each element becomes 0 with probability `rate`, else x / (1 - rate); elements along the
`shared` axes are dropped together."""


def _draw(kind: str) -> Op:
    def evaluate(run: Any, x: Any, **attrs: Any) -> Any:
        if kind == "normal":
            return run.random.normal(attrs.get("mean", 0.0), attrs.get("stddev", 1.0), x.shape)
        if kind == "bernoulli":
            drawn = (_shares(run, x, attrs.get("shared", ())) < attrs["probability"]).astype("float32")
            return run.np.broadcast_to(drawn, x.shape)
        return run.random.uniform(attrs.get("low", 0.0), attrs.get("high", 1.0), x.shape)

    return movement(
        f"{kind}_like",
        axes=same_shape,
        dtype=always("float"),
        evaluate=evaluate,
        element=RANDOM,
        defaults={"shared": ()},
        gradient=NO_GRADIENT("random"),
    )


normal_like = _draw("normal")
uniform_like = _draw("uniform")
bernoulli_like = _draw("bernoulli")
"""`normal_like(x, stddev=0.1)`: random numbers of the shape of x. `bernoulli_like(x, probability=0.8)` draws 1 or 0;
elements along its `shared` axes share one draw."""
