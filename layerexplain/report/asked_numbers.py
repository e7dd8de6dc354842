"""The numbers that a question beside code asks about, each with the line of the report that computes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from layerexplain.errors import in_a_row
from layerexplain.frontends.code.pasted import is_prose, stands, without_errors
from layerexplain.model import Shape
from layerexplain.ops.sizes import shape_text
from layerexplain.report.data import LayerReport
from layerexplain.report.language_model import LanguageModel
from layerexplain.report.number_facts import NumberFact, number_facts
from layerexplain.report.report import Report
from layerexplain.report.totals import weight_bytes

_PRODUCT = r"\d{1,9}(?: ?[*×x·] ?\d{1,9}){1,7}"
_ALONE = r"(?<![\w.,*×+/])(?<![*×+/] )"
"""Before a number that is no part of a longer product or sum."""
_ASKED = re.compile(
    rf"{_ALONE}{_PRODUCT}(?![\w*×·])|{_ALONE}\d{{1,3}}(?:,\d{{3}})+(?![\w,])"
    rf"|{_ALONE}(?<!=)\d{{2,12}}(?![\w.]\d|\w| ?[*×+/])"
)
_EXPECTS = re.compile(r"\b(?:expect|should|would|instead|thought|think|but|why|wrong)", re.IGNORECASE)
"""What a line has in which somebody says which number was expected."""
_COUNTS = r"param|weight|trainable|count|total|size|shape|feature|byte|memory|\bMACs?\b|FLOP|\b(?:where|why|how|what)\b"
"""What a line has that asks about a number, or states one of a model."""
_COUNTED = re.compile(r"param|weight|count|total", re.IGNORECASE)
"""What a line has on numbers of parameters."""
_EXPECTED = re.compile(r"expect\w*\b[^.?!\n\d]{0,40}(\d)(?![\w.]\d|\w| ?[*×+/])", re.IGNORECASE)
"""A number of a single digit that was expected."""
_TERM = re.compile(r"(\d+)((?: [A-Za-z][a-z]*)*)")
"""A number of a count, with what it counts."""
_ENTRY = re.compile(r"[\"'][\w ]+[\"']: *[\w.\"'-]*")
"""An entry of a configuration."""
_TOKENS = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d{1,9}) ?(k|K)?[ -]?(?:tokens?|context)\b")
_SHAPE = re.compile(r"\(None(?:, ?(?:None|\d{1,9})){1,5}\)")
_LONGEST = 100_000
"""Letters of a text that are read."""
_MOST = 3
_FEW = 3
"""Layers of a model whose lines stand at the top anyway."""


def asked_numbers(text: str, report: Report) -> list[str]:
    """Return a line for each number of the prose of a text that a line of the report computes, at most three."""
    prose = _ENTRY.sub("", _prose(text))
    written_numbers = [*dict.fromkeys([*_ASKED.findall(prose), *_EXPECTED.findall(prose)])]
    if not written_numbers and not _SHAPE.search(prose) and report.language is None:
        return []
    lines = [*_lines(report.layers)]
    facts = [*number_facts(report)]
    caches = [] if report.language is None else _caches(prose, report.language)
    lengths = [found[0] for found in _TOKENS.findall(prose)] if caches else []
    results: dict[str, str] = {}
    unknown: list[str] = []
    for written in written_numbers:
        sizes = [int(item) for item in re.findall(r"\d+", written.replace(",", ""))]
        matches = [(name, words) for name, words in lines if _computes(words, sizes)]
        exact = [fact for fact in facts if [fact.number] == sizes]
        around = "\n".join([line for line in prose.split("\n") if written in line])
        asked = [fact for fact in exact if re.search(fact.asked, around, re.IGNORECASE)]
        is_count = bool(re.search(_COUNTS, around, re.IGNORECASE))
        # Words such as "non-trainable" say which of equal numbers is meant; else the line of a layer has the sum.
        asked.sort(key=lambda fact: not _is_named(fact, around))
        special = [fact for fact in asked if not re.search(fact.asked, "parameters", re.IGNORECASE)]
        if written in lengths:
            continue
        if special and is_count:
            fact = special[0]
            results.setdefault(f"{fact.subject} {fact.number}", f"{written}: {fact.subject}, {fact.words}")
        elif len({words for _, words in matches}) == 1:  # of several nobody knows which is meant
            name, words = matches[0]
            results.setdefault(words, f"{written}: {name}, {words}")
        elif not matches and asked and is_count:
            fact = asked[0]
            results.setdefault(f"{fact.subject} {fact.number}", f"{written}: {fact.subject}, {fact.words}")
        if not matches and not exact and len(sizes) == 1:
            unknown.append(written)
    for written in dict.fromkeys(_SHAPE.findall(prose)):
        givers = [
            layer
            for layer in report.layers
            if layer.type != "InputLayer" and written in map(_text, layer.output_shapes)
        ]
        if givers and (explained := givers[-1].explanation) is not None and explained.shape:
            results.setdefault(written, f"{written}: {givers[-1].layer}, {explained.shape}")
    expecting = "\n".join([line for line in prose.split("\n") if _EXPECTS.search(line) and _COUNTED.search(line)])
    unknown = [item for item in unknown if re.search(rf"(?<!\d){re.escape(item)}(?!\d)", expecting)]
    is_short = len(report.layers) <= _FEW
    counts = [
        (name, words) for name, words in lines if words.startswith("parameters") and (is_short or words in results)
    ]
    expected = [line for written in unknown for line in _expected(written, counts)]
    return [*caches, *results.values(), *expected][:_MOST]


def _is_named(fact: NumberFact, text: str) -> bool:
    """Return whether a text names a weight or the layer of a fact."""
    names = {fact.subject.rpartition("/")[2], *re.findall(r"\bvalues in ([^/ ]+)", fact.words)}
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


_NO_MEMORY = re.compile(r"out of memory|OOM when allocating|ResourceExhausted|you tried to allocate", re.IGNORECASE)
_BATCH = re.compile(
    r"OOM when allocating tensor with shape ?\[(\d+)|batch_size ?(?:=|is|of) ?(\d+)|batch(?: size)? of (\d+)"
)


def asked_of_memory(text: str, report: Report) -> list[str]:
    """Return which tensors are large, for a text that tells of too little memory: the outputs, of the batch that it
    states or of one example, and the weights.

    >>> asked_of_memory("it fits", None)
    []
    """
    if not _NO_MEMORY.search(text[:_LONGEST]):
        return []
    stated = _BATCH.search(text[:_LONGEST])
    batch = next((int(group) for group in stated.groups() if group), 1) if stated else 1
    sizes = {
        layer.layer: batch * layer.memory.activations
        for layer in report.layers
        if layer.type != "InputLayer" and layer.memory is not None and layer.memory.activations
    }
    if not sizes:
        return []
    most = max(sizes.values())
    largest = in_a_row([name for name, size in sizes.items() if size == most][:_MOST])
    of = f"a batch of {batch}" if batch > 1 else "each example"
    lines = [f"memory: {_bytes(most)} for the output of {largest}, {_bytes(sum(sizes.values()))} for all, of {of}"]
    heavy = max(report.layers, key=lambda layer: layer.params or 0)
    stored = weight_bytes([heavy])
    if heavy.params and stored is not None and stored > most / 10:
        weights = f"{_bytes(stored)} for the {heavy.params:,} parameters of {heavy.layer}"
        lines.append(f"memory: {weights}; their gradients take as much, the moments of Adam twice that")
    return lines


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 10**9 else f"{count / 1e6:,.1f} MB"


def _text(shape: Shape | None) -> str:
    return shape_text(shape or ())


def asked_of_model(text: str, name: str, report: Report) -> list[str]:
    """Return the lines on a model that is not the main one: the numbers of a text that it computes, and its parameters
    where the text asks for them by its name or its class."""
    prose = _prose(text).lower()
    words, total = set(re.findall(r"\w+", prose)), report.totals.params
    is_named = "param" in prose and not words.isdisjoint([name.lower(), report.model_type.lower()])
    is_meant = total is not None and (is_named or f"{total:,}" in prose or str(total) in words)
    own = [f"{name}: {total:,} parameters, the sum of its layers"] if is_meant else []
    return [*own, *[f"{name}: {line}" for line in asked_numbers(text, report)]][:_MOST]


def _prose(text: str) -> str:
    """Return what the writer of a text says: neither code nor an error."""
    lines = without_errors(text[:_LONGEST].split("\n"))
    return "\n".join([line for line in lines if is_prose(line.strip()) and not stands(line)])


def asked_rules(text: str, codes: Iterable[str]) -> set[str]:
    """Return the rules of `check` that the prose of a text asks about: it has all words of their names.

    >>> asked_rules("Why is the gradient None?", ["no-gradient", "learning-rate", "vanishing-gradient"])
    {'no-gradient'}
    """
    words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", _prose(text).lower())}
    named = {code: {item.removesuffix("s") for item in code.split("-") if len(item) > 3} for code in codes}
    return {code for code, wanted in named.items() if wanted and wanted <= words}


def _expected(written: str, counts: Sequence[tuple[str, str]]) -> list[str]:
    """Return the line on a number that a layer has not, but would have if its count had one number less.

    >>> _expected("9", [("gru", "parameters 12 = 3 gates × 1 unit × (1 input + 1 state + 2 bias rows)")])
    ['9: perhaps gru with 1 in place of "2 bias rows", which would be 9']
    >>> _expected("256", [("fc", "parameters 264 = 32 × 8 + 8")])
    ['256: perhaps fc without "+ 8", which would be 256']
    >>> _expected("7", [("fc", "parameters 264 = 32 × 8 + 8")])
    []
    """
    wanted = int(written.replace(",", ""))
    fits: dict[tuple[str, str], str] = {}
    likely: dict[tuple[str, str], str] = {}
    for name, words in counts:
        count = re.sub(r"(?<=\d),(?=\d{3})", "", words).partition(" = ")[2]
        if _value(count) is None:
            continue
        for term in reversed([*_TERM.finditer(count)]):
            before, behind = count[: term.start()], count[term.end() :]
            is_added = before.endswith("+ ") and not behind.startswith(" ×")
            less = f'with 1 in place of "{term[0]}"' if is_added and term[1] == "2" else ""
            without = f'without "+ {term[0]}"' if is_added else f'without the factor "{term[0]}"'
            is_factor = before.endswith("× ") or behind.startswith(" ×")
            changes = [(1, less)] if less else []
            changes += [(0, without)] if is_added else [(1, without)] if is_factor else []
            for number, change in changes:
                if _value(f"{before}{number}{behind}") == wanted:
                    of_kind = likely if change == less else fits  # an input of width 1 is seldom what was forgotten
                    of_kind.setdefault(
                        (count, change), f"{written}: perhaps {name} {change}, which would be {wanted:,}"
                    )
    fits = likely or fits
    return [*fits.values()] if len(fits) == 1 else []  # of several nobody knows which is meant


def _value(count: str) -> int | None:
    """Return the value of a count in words; None for one that is no sum of products.

    >>> _value("3 gates × 1 unit × (1 input + 2 bias rows)"), _value("the sum of its layers")
    (9, None)
    """
    sum_ = re.sub(r"[A-Za-z ]", "", count).replace("×", "*")
    if not re.fullmatch(r"[\d+*()]{1,200}", sum_):
        return None
    try:
        return _computed(ast.parse(sum_, mode="eval").body)
    except (SyntaxError, ValueError):
        return None


def _computed(node: ast.AST) -> int:
    """Return the value of a sum of products. Raises ValueError for anything else."""
    if isinstance(node, ast.BinOp):
        left, right = _computed(node.left), _computed(node.right)
        return left + right if isinstance(node.op, ast.Add) else left * right
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    raise ValueError(ast.dump(node))


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
    >>> _computes("64 × 7 × 7 = 3136 features", [7, 7, 64]), _computes("64 × 7 × 7 = 3136 features", [7, 64])
    (True, False)
    >>> _computes("parameters 264 = 32 × 8 + 8", [264]), _computes("parameters 264 = 32 × 8 + 8", [32])
    (True, False)
    >>> _computes("parameters 264 = 32 × 8 + 8", [8]), _computes("floor((50 - 3) / 2) + 1 = 24 rows", [24])
    (False, True)
    """
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", words)
    if len(sizes) > 1:
        products = re.findall(r"(?<![\d×] )\d+(?: × \d+)+(?! ×|\d)", plain)  # in any order: 7 * 7 * 64 is 64 × 7 × 7
        return any(sorted(map(int, product.split(" × "))) == sorted(sizes) for product in products)
    return re.search(rf"(?<!\d){sizes[0]} =|= {sizes[0]}(?!\d)(?! [×+/-])", plain) is not None
