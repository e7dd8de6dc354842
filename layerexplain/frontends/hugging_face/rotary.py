"""Rotary embeddings in configurations: `rope_parameters` of today, and the spellings of older files → one form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.records import NamedTuple


class Rotary(NamedTuple):
    """The arguments of `rope`, and what yarn multiplies scores by beyond that."""

    theta: float
    rotary: int
    scaling: tuple[Any, ...] | None
    rotary_scale: float
    squared_scale: float


_THETAS = ("rope_theta", "rotary_emb_base")
_PARTS = ("partial_rotary_factor", "rotary_pct", "rope_pct")


def rotary_of(values: Mapping[str, Any], features: int, layer_type: str | None) -> Rotary:
    """Return the rotary embedding of a layer whose heads have so many features. Raises SourceError for a kind that is
    not known, or numbers that are missing."""
    given = _parameters(values, layer_type)
    theta = _number(given, "rope_theta", next((values[name] for name in _THETAS if values.get(name)), 10000.0))
    share = _number(given, "partial_rotary_factor", next((values[name] for name in _PARTS if values.get(name)), 1.0))
    turned = int(features * share)
    kind = given.get("rope_type") or given.get("type") or "default"
    rotary = Rotary(theta, turned, None, 1.0, 1.0)
    if kind == "default" or kind == values.get("rotary_kind"):
        return rotary
    if kind not in ("linear", "dynamic", "llama3", "yarn", "longrope", "su"):
        raise SourceError(f"has rotary embeddings of the kind {str(kind)[:40]!r}, whose formula is not known")
    if kind in ("linear", "dynamic"):
        lengths = [] if kind == "linear" else [_number(values, "max_position_embeddings")]
        return rotary._replace(scaling=(kind, _number(given, "factor"), *lengths))
    length = _number(values, "original_max_position_embeddings", 0.0) or _number(
        given, "original_max_position_embeddings", values.get("max_position_embeddings")
    )
    if kind == "llama3":
        names = ("factor", "low_freq_factor", "high_freq_factor")
        return rotary._replace(scaling=("llama3", *[_number(given, name) for name in names], length))
    most = values.get("max_position_embeddings")
    factor = _number(given, "factor", most / length if isinstance(most, int | float) else None)
    if kind in ("longrope", "su"):
        factors: list[float] = []
        for name in ("short_factor", "long_factor"):
            own = given.get(name)
            if not isinstance(own, list | tuple) or len(own) != turned // 2 or not all(map(_is_number, own)):
                raise SourceError(f"longrope needs {name} to be a list of {turned // 2} numbers")
            factors += map(float, own)
        scale = math.sqrt(1 + math.log(factor) / math.log(length)) if factor > 1 else 1.0
        scale = _number(given, "attention_factor", scale)
        return rotary._replace(scaling=("longrope", length, *factors), rotary_scale=scale)
    return _yarn(rotary, given, turned, length, factor)


def _parameters(values: Mapping[str, Any], layer_type: str | None) -> Mapping[str, Any]:
    """Return the mapping for a layer: gemma3 has one for each type of layers, or another theta for those with a
    window, which no scaling changes."""
    for name in ("rope_parameters", "rope_scaling"):
        given = values.get(name)
        if not isinstance(given, Mapping):
            continue
        if layer_type in given and isinstance(given[layer_type], Mapping):
            own: Mapping[str, Any] = given[layer_type]
            return own
        if not (layer_type == "sliding_attention" and "rope_local_base_freq" in values):
            return given
    if layer_type == "sliding_attention" and "rope_local_base_freq" in values:
        return {"rope_theta": values["rope_local_base_freq"]}
    return {}


def _yarn(rotary: Rotary, given: Mapping[str, Any], turned: int, length: float, factor: float) -> Rotary:
    def place(turns: float) -> float:
        return turned * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(rotary.theta))

    first, last = place(_number(given, "beta_fast", 32.0)), place(_number(given, "beta_slow", 1.0))
    if given.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, turned - 1)
    last = last + 0.001 if first == last else last
    of_all, own = given.get("mscale_all_dim"), given.get("mscale")
    scale = _length_scale(factor, 1.0)
    if of_all and own:
        scale = _length_scale(factor, float(own)) / _length_scale(factor, float(of_all))
    scale = _number(given, "attention_factor", scale)
    squared = _length_scale(factor, float(of_all)) ** 2 if of_all else 1.0
    return rotary._replace(
        scaling=("yarn", factor, float(first), float(last)), rotary_scale=scale, squared_scale=squared
    )


def _length_scale(factor: float, share: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * share * math.log(factor) + 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(given: Mapping[str, Any], name: str, default: Any = None) -> float:
    value = given.get(name)
    value = default if value is None else value
    if not _is_number(value) or not math.isfinite(value) or (value <= 0 and name != "original_max_position_embeddings"):
        raise SourceError(f"rotary embeddings need {name} to be a positive number, got {value!r:.40}")
    return float(value)
