"""The layer classes of Keras that have no formula here, each with the reason: shown as opaque rows."""

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


def why_not(type_: str) -> str:
    """What to say of a type that has no declaration, where it is one of these: `Hashing has no formula: …`, else ""."""
    return f"{type_} has no formula: {REASONS[type_]}" if type_ in REASONS else ""
