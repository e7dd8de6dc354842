"""The layer classes and operations of Keras that have no formula here, each with the reason: shown as opaque rows."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {
    "Layer": "the base class of all layers: it computes nothing of its own",
    "Wrapper": "the base class of wrappers: it computes nothing of its own",
    "ContrastLimitedAdaptiveHistogramEqualization": "it replaces colours by tables that are counted from the image",
    "Hashing": "its bins are remainders of FarmHash64 or SipHash64 of the value as text, which no formula tells",
    "HashedCrossing": "its bins are remainders of FarmHash64 of several values as text, which no formula tells",
    "StringLookup": "it takes words, which are no numbers",
    "TextVectorization": "it takes text, which is no number",
    "FlaxLayer": "it runs a module of Flax, whose code is not in the file",
    "JaxLayer": "it runs a function of JAX, whose code is not in the file",
    "TorchModuleWrapper": "it runs a module of PyTorch, pickled in the file and never unpickled",
    "TFSMLayer": "it runs a SavedModel that lies elsewhere and is never opened",
}
"""Class → why; tests/test_registry.py holds it against Keras."""

WITHOUT_WEIGHTS: Final = frozenset(
    {"ContrastLimitedAdaptiveHistogramEqualization", "Hashing", "HashedCrossing", "StringLookup", "TextVectorization"}
)
"""Those that have no weights all the same: a vocabulary is a table of words, which Keras does not count."""


OPERATIONS: Final[dict[str, str]] = {
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


def why_not(type_: str, reasons: dict[str, str] = REASONS) -> str:
    """Return the note for one of these types (`Hashing has no formula: …`), "" for any other."""
    return f"{type_} has no formula: {reasons[type_]}" if type_ in reasons else ""
