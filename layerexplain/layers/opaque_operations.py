"""The operations of `keras.ops` that have no formula here, each with the reason: shown as opaque rows."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {
    "Operation": "the base class of all operations: it computes nothing of its own",
    "SegmentReduction": "the base class of the four reductions of segments: it computes nothing of its own",
    "Function": "a whole graph of operations, of which no file keeps the inside",
    "Map": "it runs a function of Python, whose code is in the file and is never read",
    "VectorizedMap": "it runs a function of Python, whose code is in the file and is never read",
    "Scan": "it runs a function of Python, whose code is in the file and is never read",
    "AssociativeScan": "it runs a function of Python, whose code is in the file and is never read",
    "WhileLoop": "it runs functions of Python, whose code is in the file and is never read",
    "ForiLoop": "it runs a function of Python, whose code is in the file and is never read",
    "Cond": "it runs one of two functions of Python, whose code is in the file and is never read",
    "Switch": "it runs one of several functions of Python, whose code is in the file and is never read",
    "JVP": "it takes the derivative of a function of Python, whose code is in the file and is never read",
    "Eig": "its eigenvalues come in no agreed order, its eigenvectors with no agreed length and direction",
    "Argpartition": "the order inside its two parts is not defined",
    "ElasticTransform": "it distorts images by random numbers",
    "Arange": "how many numbers it makes depends on values; Keras does not take it into a model",
    "Ndim": "it is a number that is known beforehand, for which Keras makes no tensor",
}
"""Class → why; tests/test_operations_registry.py holds it against Keras."""


def why_not(type_: str) -> str:
    """What to say of an operation without a declaration, where it is one of these: `Map has no formula: …`, else ""."""
    return f"{type_} has no formula: {REASONS[type_]}" if type_ in REASONS else ""
