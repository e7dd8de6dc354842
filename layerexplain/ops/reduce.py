"""Reductions: ops that fold axes into one value each."""

from __future__ import annotations

from layerexplain.lang.notation import Function
from layerexplain.ops.families import reduction

sum_ = reduction("sum", lambda np, x, **kw: np.sum(x, **kw), "summed", fold="sum", notation=Function(r"\sum {0}"))
prod = reduction("prod", lambda np, x, **kw: np.prod(x, **kw), "multiplied", fold="prod")
mean = reduction("mean", lambda np, x, **kw: np.mean(x, **kw), "averaged", fold="mean")
amax = reduction("amax", lambda np, x, **kw: np.max(x, **kw), "reduced to the largest", fold="max")
amin = reduction("amin", lambda np, x, **kw: np.min(x, **kw), "reduced to the smallest", fold="min")
any_ = reduction("any", lambda np, x, **kw: np.any(x, **kw), "joined by or", fold="any", dtype="bool")
all_ = reduction("all", lambda np, x, **kw: np.all(x, **kw), "joined by and", fold="all", dtype="bool")
