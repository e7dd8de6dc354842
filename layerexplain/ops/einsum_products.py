"""The value of an einsum of two arrays, as one matrix multiplication by BLAS.

NumPy's own einsum does not use BLAS for stacks of matrices (the heads of an attention).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def product_of_two(np: Any, a: Any, b: Any, of_a: Sequence[str], of_b: Sequence[str], result: Sequence[str]) -> Any:
    """Products of `a` and `b` summed over the letters that `result` does not have; None where a letter stands twice
    in one term, which no product of matrices says."""
    if any(len(set(term)) != len(term) for term in (of_a, of_b, result)):
        return None
    a, of_a = _summed_alone(np, a, of_a, {*of_b, *result})
    b, of_b = _summed_alone(np, b, of_b, {*of_a, *result})
    stack = [c for c in result if c in of_a and c in of_b]
    summed = [c for c in of_a if c in of_b and c not in stack]
    rows = [c for c in result if c in of_a and c not in stack]
    columns = [c for c in result if c in of_b and c not in stack]
    sizes = _sizes(a, of_a, b, of_b)
    if sizes is None:
        return None
    left = a.transpose([of_a.index(c) for c in (*stack, *rows, *summed)])
    right = b.transpose([of_b.index(c) for c in (*stack, *summed, *columns)])
    lead, m, n, k = ([sizes[c] for c in group] for group in (stack, rows, columns, summed))
    made = np.matmul(
        left.reshape((*lead, math.prod(m), math.prod(k))), right.reshape((*lead, math.prod(k), math.prod(n)))
    ).reshape((*lead, *m, *n))
    order = [*stack, *rows, *columns]
    return made.transpose([order.index(c) for c in result])


def _summed_alone(np: Any, x: Any, term: Sequence[str], elsewhere: set[str]) -> tuple[Any, list[str]]:
    """Without the letters that stand in this term alone."""
    alone = tuple(i for i, c in enumerate(term) if c not in elsewhere)
    return (np.sum(x, axis=alone, dtype=x.dtype) if alone else x), [c for c in term if c in elsewhere]


def _sizes(a: Any, of_a: Sequence[str], b: Any, of_b: Sequence[str]) -> dict[str, int] | None:
    """The size of each letter; None where one of the two is 1 and is to be repeated."""
    sizes = dict(zip(of_a, a.shape, strict=True))
    for name, size in zip(of_b, b.shape, strict=True):
        if sizes.setdefault(name, size) != size:
            return None
    return sizes
