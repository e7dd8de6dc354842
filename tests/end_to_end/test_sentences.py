"""Sentences that the program prints: those of `scripts/sentences.py`, without phrases that do not read well."""

import importlib.util
import re
import sys
from functools import cache
from typing import Any

import pytest

from tests.support.paths import ROOT


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("sentences", ROOT / "scripts/sentences.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sentences"] = module
    spec.loader.exec_module(module)
    return module


@cache
def printed() -> list[Any]:
    """Return the sentences of the package: read when a test asks, since each process of pytest loads this file."""
    return list(_script().sentences(ROOT / "layerexplain"))


LEAST = 3500
"""Fewer sentences than that mean that they are not found any more."""

INSTEAD = {
    r"which is none|that is none|what is none": "which is not a …",
    r"\b(is|are) told (as|of)\b": "is reported as",
    r"\bheld against\b": "compared with",
    r"\bat hand\b": "given, available",
    r"\blaid out anew\b|\blays .* out anew\b": "reshaped",
    r"\bof someone('s)?\b": "of a user-defined …",
    r"\bcomes? about\b": "is computed",
    r"\bgives? out\b": "returns",
    r"\bhands? on\b": "passes on",
    r"\bbut for\b": "except, up to",
    r"\bfor ever\b(?! )": "never",
    r"\bsurely wrong\b": "confident and wrong",
    r"\bquestion of its own\b": "an independent yes/no question",
    r"\bthat is live\b": "in use",
    r"\bmade anew\b|\bworked out anew\b|\bwrites it anew\b": "recomputed, replaced",
    r"\bas a function says\b": "by a function",
    r"\b1 (parameters|units|values|axes|layers|channels|features|steps)\b": "the singular",
    r"\bbehind (it|them|this)\b": "after it",
    r"\btakes? (it|them) out\b|\btake .* out of\b": "remove",
    r"\bas nested as\b": "at any nesting depth",
    r"\bsums? of squares?; bars\b": "L2 norms",
}
"""Phrases that a reader stumbles over, and what stands for them."""


def test_sentences_are_found() -> None:
    assert len(printed()) > LEAST
    texts = [one.text for one in printed()]
    for part in (
        "No trainable parameters.",  # a text of a document
        "Replaces negative values by 0.",  # the docstring of a declaration
        "Overwrite an existing table.",  # the help of an option
        "'{…}' has a rate of 1",  # a message with something put in
    ):
        assert part in texts, part


@pytest.mark.parametrize("phrase", INSTEAD)
def test_no_sentence_has_a_phrase_that_does_not_read_well(phrase: str) -> None:
    found = [f"{one.file}:{one.line}: {one.text[:90]}" for one in printed() if re.search(phrase, one.text)]
    assert found == [], f"write {INSTEAD[phrase]!r}"
