"""A configuration that stands in a text: as JSON in a question, as some of its lines, as the call of its class."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.hugging_face.architecture import model_types
from layerexplain.frontends.hugging_face.entries import DEPTHS, ENTRY, LONGEST, WIDTHS, WORDED, names_configuration
from layerexplain.frontends.hugging_face.keys import KIND_OF
from layerexplain.frontends.hugging_face.reader import read_configuration
from layerexplain.model import Model, Note

_CLASS = re.compile(r"\b([A-Z]\w*?)(?:Config|ForCausalLM|LMHeadModel|ForMaskedLM|ForConditionalGeneration|Model)\b")
_USUAL: Mapping[str, int] = {
    "vocab_size": 32_000,
    "num_attention_heads": 32,
    "intermediate_size": 0,
    "n_positions": 1024,
    "n_head": 12,
}
"""What stands for a size that a text leaves out; 0 is four times the width."""
_DTYPE = re.compile(r"\b(fp16|bf16|fp32|float16|bfloat16|float32)\b", re.I)
_SAME = {
    **dict.fromkeys(WIDTHS, "hidden_size"),
    **dict.fromkeys(DEPTHS, "num_hidden_layers"),
    **dict.fromkeys(("n_head", "n_heads", "num_heads"), "num_attention_heads"),
    **dict.fromkeys(("d_ff", "ffn_dim", "ffn_hidden_size", "hidden_dim", "n_inner"), "intermediate_size"),
    "n_positions": "max_position_embeddings",
    "num_kv_heads": "num_key_value_heads",
}
"""Names of one size in different configurations."""
_LIKE_LLAMA = re.compile(r"rope|rotary|rms ?norm|swiglu|\bgqa\b|silu", re.IGNORECASE)
_KINDS = {
    "llama": "a decoder with RMSNorm, rotary positions and a gated feed-forward, without biases",
    "gpt2": "a decoder with LayerNorm, learned positions and biases, whose head is the table of tokens",
}
_MOST_BRACES = 50


def configuration_in(text: str) -> Model | None:
    """Return the model of the configuration that stands in a text; None where there is none, or where its model is not
    known."""
    text = text[:LONGEST]
    if not names_configuration(text):
        return None
    document = _json_in(text) or {**_worded(text), **_entries(text)}
    notes: list[str] = []
    if (dtype := _DTYPE.search(text)) is not None and not {"dtype", "torch_dtype"} & document.keys():
        document["dtype"] = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}.get(
            dtype[0].lower(), dtype[0].lower()
        )
    if not isinstance(document.get("model_type"), str):
        document, words = _with_type(document, text)
        notes += [words] if words else []
    while True:
        try:
            model = read_configuration(document)
        except SourceError as error:
            lacking = next(
                (key for key in _USUAL if key not in document and re.search(rf"\b{key}\b", error.fact)), None
            )
            if lacking is None:
                return None
            document = {**document, lacking: _USUAL[lacking] or 4 * _width(document)}
            words = f"the numbers that depend on it are an example, with {document[lacking]:,}"
            notes.append(f"the text does not say {lacking}: {words}")
        except LayerExplainError:
            return None
        else:
            return model._replace(notes=(*model.notes, *[Note("assumed", None, words) for words in notes]))


def _width(document: Mapping[str, Any]) -> int:
    return next((value for key in WIDTHS if type(value := document.get(key)) is int), 1)


def _json_in(text: str) -> dict[str, Any]:
    """Return the first JSON object of a text that has a width; {} where there is none."""
    for start in [match.start() for match in re.finditer(r"\{", text)][:_MOST_BRACES]:
        depth = 0
        for match in re.finditer(r"\"(?:[^\"\\\n]|\\.)*\"|[{}]", text[start:]):
            depth += (match[0] == "{") - (match[0] == "}")
            if depth == 0:
                written = re.sub(r",(\s*[}\]])", r"\1", text[start : start + match.end()])
                with suppress(ValueError, RecursionError):
                    document = json.loads(written)
                    if isinstance(document, dict) and any(key in document for key in ("model_type", *WIDTHS)):
                        return document
                break
    return {}


def _entries(text: str) -> dict[str, Any]:
    """Return the known keys that a text gives a value, the first value of each."""
    entries: dict[str, Any] = {}
    for match in ENTRY.finditer(text):
        key, written = match["key"], match["value"]
        if key in KIND_OF and key not in entries:
            value = {"true": True, "false": False, "null": None, "none": None}.get(written.lower(), written)
            if isinstance(value, str):
                value = value[1:-1] if value[0] in "\"'" else float(value) if re.search(r"[.eE]", value) else int(value)
            if KIND_OF[key].fits(value):
                entries[key] = value
    return entries


def _worded(text: str) -> dict[str, Any]:
    """Return the sizes that prose gives in words, by the keys that configurations have for them."""
    results = {key: match["value"] for key, pattern in WORDED.items() if (match := pattern.search(text))}
    return {key: int(value.replace(",", "")) for key, value in results.items()}


def _with_type(document: dict[str, Any], text: str) -> tuple[dict[str, Any], str]:
    """Return a configuration with the type that its class or its text names, and what is said where neither does."""
    classes = [*(document.get("architectures") or ()), *[match[1] for match in _CLASS.finditer(text)]]
    known = sorted(model_types(), key=len, reverse=True)
    for name in classes:
        for type_ in known:
            if str(name).lower().startswith(type_.replace("_", "")):
                return {**document, "model_type": type_}, ""
    for type_ in known:
        if re.search(rf"(?<![a-z]){type_.replace('_', '[-_ ]?')}(?![a-z])", text.lower()):
            return {**document, "model_type": type_}, ""
    document = {_SAME.get(key, key): value for key, value in document.items()}
    type_ = "llama" if {"num_key_value_heads", "rms_norm_eps"} & document.keys() or _LIKE_LLAMA.search(text) else "gpt2"
    if type_ == "gpt2" and "intermediate_size" in document:
        document["n_inner"] = document.pop("intermediate_size")
    words = f"the text names no model_type; it is read as {type_}: {_KINDS[type_]}"
    return {**document, "model_type": type_}, words
