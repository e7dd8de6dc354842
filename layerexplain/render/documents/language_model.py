"""What `summary` says of a language model: where its parameters are, what a token costs, what it keeps, what fits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from layerexplain.ops.sizes import total
from layerexplain.render import document as doc
from layerexplain.render.quantities import bytes_text, count_text
from layerexplain.report.data import LayerReport
from layerexplain.report.language_model import LanguageModel
from layerexplain.report.report import Report
from layerexplain.report.serving import Serving, bits_of


def folded(report: Report) -> Report:
    """Return the report with blocks of a language model that are alike as one row, with the numbers of all of them."""
    return report if report.language is None else report._replace(layers=_folded(report.layers))


def _folded(rows: Sequence[LayerReport]) -> tuple[LayerReport, ...]:
    layers: list[LayerReport] = []
    for _, group in itertools.groupby(rows, key=_kind):
        alike = [*group]
        row = _of_all(alike) if len(alike) > 1 else _block(*alike)
        layers.append(row._replace(layers=_folded(row.layers)))
    return tuple(layers)


def _kind(row: LayerReport) -> Any:
    """Return what is equal for rows that are alike: a nested model's layers, the row itself of anything else."""
    return tuple([(layer.layer, layer.formula, layer.params) for layer in row.layers]) or row.layer


def _block(row: LayerReport) -> LayerReport:
    """Return the row of a block as it stands alone, with the types of its layers."""
    inside = [layer.type for layer in row.layers if layer.type not in ("InputLayer", "Add")]
    return row._replace(operation=", ".join(inside)) if inside and "Block" not in inside else row


def _of_all(rows: Sequence[LayerReport]) -> LayerReport:
    first, last = _block(rows[0]), rows[-1]
    name = f"{first.layer} … {last.layer.rpartition('.')[2]}"
    sums: dict[str, Any] = {field: total([getattr(row, field) for row in rows]) for field in _SUMMED}
    return first._replace(
        layer=name, type=f"{len(rows):,} × {first.type}", operation=f"each: {first.operation}", **sums
    )


_SUMMED = ("params", "trainable", "non_trainable", "macs", "flops")


def language_facts(report: Report) -> tuple[doc.FactBlock, ...]:
    """Return the lines on a language model; none for any other."""
    model, served = report.language, report.serving
    if model is None:
        return ()
    blocks = [doc.FactBlock(_facts(model, report), "Language model")]
    if served is not None:
        texts = "one text" if served.batch == 1 else f"{served.batch:,} texts"
        length = "" if served.tokens is None else f" of {served.tokens:,} tokens"
        blocks.append(doc.FactBlock(_serving_facts(model, served), f"Running it on {texts}{length}"))
    return tuple(blocks)


ASSUMED = "assumed"
"""The code of notes on what all numbers of a model rest on."""


def first_line(report: Report) -> tuple[doc.Prose, ...]:
    """Return the lines below the heading that have the numbers of a language model, and on what they rest; none for
    any other model."""
    model = report.language
    if model is None:
        return ()
    active = [f"{count_text(model.active)} active"] if model.active != model.params else []
    cache = [f"cache {model.cache_bytes:,} bytes a token"] if model.cache_bytes else []
    of_file = (model.params * bits_of(model.dtype) // 8, model.dtype)
    size, dtype = of_file if report.serving is None else (report.serving.weights, report.serving.weights_dtype)
    stored = f"weights {bytes_text(size)} in {dtype}"
    numbers = doc.Prose((", ".join([f"{count_text(model.params)} parameters", *active, *cache, stored]) + ".",))
    assumed = "; ".join([note.message for note in report.notes if note.code == ASSUMED])
    return (numbers, doc.Prose((f"Assumed: {assumed}.",))) if assumed else (numbers,)


def _facts(model: LanguageModel, report: Report) -> tuple[doc.Fact, ...]:
    parts = [f"{part.name} {part.params:,} ({100 * part.params / model.params:.1f} %)" for part in model.parts]
    facts = [doc.Fact("parts", count_text(model.params), tuple(parts))]
    if model.active != model.params:
        chosen = [f"{part.name} {part.active:,}" for part in model.parts if part.active != part.params]
        facts.append(doc.Fact("active", count_text(model.active), ("parameters that one token uses", *chosen)))
    if (
        model.tokens is None
        and len([model_input for model_input in report.inputs if str(model_input.dtype).startswith("int")]) > 1
    ):
        pass  # a token of which text?
    elif model.tokens is None:
        facts.append(doc.Fact("a token", "", ("MACs and FLOPs need the length: give --input tokens=4096",)))
    else:
        at = f"at {model.tokens:,} tokens"
        facts.append(doc.Fact("MACs a token", count_text(model.macs), (f"{at}, masked scores included",)))
        if model.needed_macs != model.macs:
            facts.append(
                doc.Fact("needed MACs", count_text(model.needed_macs), ("without scores that the mask hides",))
            )
        facts.append(doc.Fact("FLOPs a token", count_text(model.flops), (at,)))
    size = f"{model.element_bytes:g} byte{'s' * (model.element_bytes != 1)} ({model.dtype})"
    for cache in model.cached:
        window = "" if cache.window is None else f", of the last {cache.window:,} tokens"
        words = f"= {cache.equation} × {size}{window}"
        label = "KV cache" if not cache.of_input else f"cache of {cache.of_input}"
        facts.append(doc.Fact(label, f"{int(cache.elements * model.element_bytes):,} bytes a token", (words,)))
    if len([cache for cache in model.cached if not cache.of_input]) > 1:
        facts.append(doc.Fact("in all", f"{model.cache_bytes:,} bytes a token"))
    if model.tokens is not None and model.cache_bytes:
        facts.append(
            doc.Fact("cache", bytes_text(model.cache_at(model.tokens)), (f"for a text of {model.tokens:,} tokens",))
        )
    return tuple(facts)


def _serving_facts(model: LanguageModel, served: Serving) -> tuple[doc.Fact, ...]:
    machine = served.hardware
    cache = "give the length: --input tokens=4096"
    if served.cache is not None:
        cache = "all tokens; in layers with a window only its tokens"
    scales = "; without the scales of packed weights" if bits_of(served.weights_dtype) < 16 else ""
    facts = [
        doc.Fact(
            "weights", bytes_text(served.weights), (f"{model.params:,} parameters in {served.weights_dtype}{scales}",)
        ),
        doc.Fact("KV cache", bytes_text(served.cache), (f"in {served.dtype}: {cache}",)),
    ]
    if served.activations is not None:
        facts.append(doc.Fact("activations", bytes_text(served.activations), ("largest memory in use at once",)))
    facts.append(doc.Fact("in all", bytes_text(served.total)))
    if machine is None:
        return tuple(facts)
    if machine.memory is not None:
        subject = "the weights alone do" if served.weights > machine.memory else "it does"
        known = () if served.fits is None else ("it fits in that" if served.fits else f"{subject} not fit in that",)
        facts.append(doc.Fact("memory", bytes_text(int(machine.memory)), known))
        if served.room:
            each = "one text" if served.batch == 1 else f"each of {served.batch:,} texts"
            words = f"the most that {each} may have for the cache to fit beside the weights"
            facts.append(doc.Fact("room", f"{served.room:,} tokens", (words,)))
    if served.prefill is not None and machine.speed is not None:
        words = f"a bound: {machine.speed:.3g} FLOP/s / (2 × {model.needed_macs:,} needed MACs)"
        facts.append(doc.Fact("prefill", f"{served.prefill:,.0f} tokens/s", (words,)))
    if served.decoding is not None and machine.bandwidth is not None and served.read_bytes is not None:
        read = f"{bytes_text(int(served.read_bytes))} of weights + {bytes_text(served.cache)} of cache"
        words = f"a bound: {served.batch:,} × {machine.bandwidth:.3g} bytes/s / ({read})"
        facts.append(doc.Fact("decoding", f"{served.decoding:,.0f} tokens/s", (words,)))
    return tuple(facts)
