"""The gradient of a loop: a loop that runs backwards (backpropagation through time)."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import CannotDerive, Expr


def backward_loop(node: Expr, dys: list[Expr | None], active: set[Expr], walk: Any) -> dict[Expr, Expr]:
    """Return what comes back to the arguments of a loop."""
    raise CannotDerive("the gradient of a loop is not derived yet")
