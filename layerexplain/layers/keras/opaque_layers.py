"""The layer classes and operations of Keras that have no formula here, each with the reason: shown as opaque rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from layerexplain.lang.axes import Shape

REASONS: Final[dict[str, str]] = {
    "Layer": "the base class of all layers: it computes nothing itself",
    "Wrapper": "the base class of wrappers: it computes nothing itself",
    "ContrastLimitedAdaptiveHistogramEqualization": "it maps colours by tables computed from histograms of the image",
    "Hashing": "its bins are remainders of FarmHash64 or SipHash64 of the value as text, not a formula over numbers",
    "HashedCrossing": "its bins are remainders of FarmHash64 of several values as text, not a formula over numbers",
    "StringLookup": "its input is words, not numbers",
    "TextVectorization": "its input is text, not numbers",
    "FlaxLayer": "it runs a module of Flax, whose code is not in the file",
    "JaxLayer": "it runs a function of JAX, whose code is not in the file",
    "TorchModuleWrapper": "it runs a module of PyTorch, pickled in the file, which is not unpickled",
    "TFSMLayer": "it runs a SavedModel outside the file, which is not opened",
}
"""Class → why; tests/layers/test_registry.py holds it against Keras."""

WITHOUT_WEIGHTS: Final = frozenset(
    {"ContrastLimitedAdaptiveHistogramEqualization", "Hashing", "HashedCrossing", "StringLookup", "TextVectorization"}
)
"""Those that have no weights all the same: a vocabulary is a table of words, which Keras does not count."""


FIRST_ARGUMENTS: Final = {
    "ContrastLimitedAdaptiveHistogramEqualization": "value_range",
    "Hashing": "num_bins",
    "HashedCrossing": "num_bins",
    "StringLookup": "max_tokens",
    "TextVectorization": "max_tokens",
}
"""What a single value stands for, as in `Hashing(16)`."""


def known_result(type_: str, config: Mapping[str, Any], shape: Shape) -> tuple[Shape, str] | None:
    """Return the shape and dtype of what one of these returns for an input of a shape; None where it is not known.

    >>> known_result("Hashing", {"num_bins": 5, "output_mode": "one_hot"}, (None, 1))
    ((None, 5), 'float')
    """
    if type_ == "ContrastLimitedAdaptiveHistogramEqualization":
        return shape, "float"
    if type_ == "Lambda":
        sizes = config.get("output_shape")
        if isinstance(sizes, list | tuple) and all(size is None or type(size) is int for size in sizes):
            return (*shape[:1], *sizes), "float"
        return None
    mode, bins = config.get("output_mode", "int"), config.get("num_bins")
    if type_ == "StringLookup" and mode == "int":
        return shape, "int64"
    if type_ == "TextVectorization" and mode == "int" and not config.get("ragged"):
        steps = config.get("output_sequence_length")
        return (*shape[:1], steps if type(steps) is int else None), "int64"
    if type_ not in ("Hashing", "HashedCrossing") or mode not in ("int", "one_hot") or not isinstance(bins, int):
        return None
    if mode == "int":
        return shape, "int64"
    return (*(shape[:-1] if shape[-1:] == (1,) else shape), bins), "float"


OPERATIONS: Final[dict[str, str]] = {
    "Operation": "the base class of all operations: it computes nothing itself",
    "SegmentReduction": "the base class of the four reductions of segments: it computes nothing itself",
    "Function": "a whole graph of operations, which files do not store",
    "Map": "it runs a Python function stored in the file, which is not executed",
    "VectorizedMap": "it runs a Python function stored in the file, which is not executed",
    "Scan": "it runs a Python function stored in the file, which is not executed",
    "AssociativeScan": "it runs a Python function stored in the file, which is not executed",
    "WhileLoop": "it runs Python functions stored in the file, which are not executed",
    "ForiLoop": "it runs a Python function stored in the file, which is not executed",
    "Cond": "it runs one of two Python functions stored in the file, which are not executed",
    "Switch": "it runs one of several Python functions stored in the file, which are not executed",
    "JVP": "it differentiates a Python function stored in the file, which is not executed",
    "Eig": "the order of its eigenvalues and the scale of its eigenvectors are not defined",
    "Argpartition": "the order within its two parts is not defined",
    "ElasticTransform": "it distorts images at random",
    "Arange": "the size of its result depends on values; Keras does not store it in a model",
    "tf.einsum": "tf.keras stores its equation without its tensors, so that no version of Keras can load this layer",
    "Ndim": "its result is known in advance; Keras makes no tensor for it",
}
"""Class → why; tests/layers/test_operations_registry.py holds it against Keras."""


def why_not(type_: str, reasons: dict[str, str] = REASONS) -> str:
    """Return the note for one of these types (`Hashing has no formula: …`), "" for any other."""
    return f"{type_} has no formula: {reasons[type_]}" if type_ in reasons else ""
