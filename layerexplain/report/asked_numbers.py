"""The numbers that a question beside code asks about, each with the line of the report that computes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from layerexplain.frontends.code.pasted import is_prose, stands
from layerexplain.report.data import LayerReport, Report
from layerexplain.report.language_model import LanguageModel

_PRODUCT = r"\d{1,9}(?: ?[*×x·] ?\d{1,9}){1,7}"
_ASKED = re.compile(
    rf"(?<![\w.,]){_PRODUCT}(?![\w*×·])|(?<![\w.,])\d{{1,3}}(?:,\d{{3}})+(?![\w,])|(?<![\w.,=])\d{{2,12}}(?![\w.]\d|\w)"
)
_ENTRY = re.compile(r"[\"'][\w ]+[\"']: *[\w.\"'-]*")
"""An entry of a configuration."""
_TOKENS = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d{1,9}) ?(k|K)?[ -]?(?:tokens?|context)\b")
_LONGEST = 100_000
"""Letters of a text that are read."""
_MOST = 3
_FEW = 3
"""Layers of a model whose lines stand at the top anyway."""


def asked_numbers(text: str, report: Report) -> list[str]:
    """Return a line for each number of the prose of a text that a line of the report computes, at most three."""
    text = text[:_LONGEST]
    prose = _ENTRY.sub(
        "", "\n".join([line for line in text.split("\n") if is_prose(line.strip()) and not stands(line)])
    )
    if report.language is not None and report.language.cache_bytes:
        return _caches(prose, report.language)[:_MOST]
    if len(report.layers) <= _FEW:
        return []
    lines = [*_lines(report.layers)]
    found: dict[str, str] = {}
    for written in _ASKED.findall(prose):
        sizes = [int(one) for one in re.findall(r"\d+", written.replace(",", ""))]
        matches = [(name, words) for name, words in lines if _computes(words, sizes)]
        if len({words for _, words in matches}) == 1:  # of several nobody knows which is meant
            name, words = matches[0]
            found.setdefault(words, f"{written}: {name}, {words}")
    return list(found.values())[:_MOST]


def _caches(prose: str, model: LanguageModel) -> list[str]:
    """Return the cache of each length of a text that prose names."""
    lines = []
    for written, thousands in dict.fromkeys(_TOKENS.findall(prose)):
        tokens = int(written.replace(",", "")) * (1024 if thousands else 1)
        size = model.cache_at(tokens)
        lines.append(f"{tokens:,} tokens: a cache of {size:,} bytes ({size / 2**30:.2f} GiB) for each text")
    return lines


def _lines(layers: Sequence[LayerReport]) -> Iterator[tuple[str, str]]:
    """Yield what is computed in each layer: its name, and `16 × 5 × 5 = 400 features`."""
    for layer in layers:
        if layer.explanation is not None:
            if layer.explanation.parameters:
                yield layer.layer, f"parameters {layer.explanation.parameters}"
            yield from ((layer.layer, part) for part in layer.explanation.shape.split("; ") if "=" in part)
        yield from _lines(layer.layers)


def _computes(words: str, sizes: Sequence[int]) -> bool:
    """Return whether a line has a product, or a number as its result.

    >>> _computes("16 × 5 × 5 = 400 features", [16, 5, 5]), _computes("16 × 5 × 5 = 400 features", [400])
    (True, True)
    >>> _computes("parameters 264 = 32 × 8 + 8", [264]), _computes("parameters 264 = 32 × 8 + 8", [32])
    (True, False)
    >>> _computes("parameters 264 = 32 × 8 + 8", [8]), _computes("floor((50 - 3) / 2) + 1 = 24 rows", [24])
    (False, True)
    """
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", words)
    if len(sizes) > 1:
        product = " × ".join(map(str, sizes))
        return re.search(rf"(?<![\d×] ){re.escape(product)}(?! ×|\d)", plain) is not None
    return re.search(rf"(?<!\d){sizes[0]} =|= {sizes[0]}(?!\d)(?! [×+/-])", plain) is not None
