"""Rotary embeddings in configurations: `rope_parameters` of today, and the spellings of older files → one form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.frontends.hugging_face.keys import typed
from layerexplain.records import NamedTuple


class Rotary(NamedTuple):
    """The arguments of `rope`, and what yarn multiplies scores by beyond that."""

    theta: float | None
    rotary: int
    scaling: tuple[Any, ...] | None
    rotary_scale: float
    squared_scale: float


_KINDS = ("default", "linear", "dynamic", "llama3", "yarn", "longrope", "su")


def rotary_of(values: Mapping[str, Any], features: int, layer_type: str | None) -> Rotary:
    """Return the rotary embedding of a layer whose heads have so many features. Raises SourceError for a kind that is
    not known, or numbers that are missing."""
    given = _parameters(values, layer_type)
    named = given.get("rope_type") or given.get("type") or "default"
    kind = _read({"rope_type": named}, "rope_type")
    theta = _read(given, "rope_theta", values.get("rope_theta") or 10000.0)
    share = _read(given, "partial_rotary_factor", values.get("partial_rotary_factor") or 1.0)
    plain = kind in ("default", values.get("rotary_kind"))
    if share > 1:
        raise SourceError(f"rotary embeddings need partial_rotary_factor to be at most 1, got {share!r}")
    if plain and "partial_rotary_factor" not in values:
        share = 1.0  # transformers reads it in architectures that have a default of it, and where there is a scaling
    turned = int(features * share)
    if not turned:
        return Rotary(None, 0, None, 1.0, 1.0)
    rotary = Rotary(theta, turned, None, 1.0, 1.0)
    if plain:
        return rotary
    if kind not in _KINDS:
        raise SourceError(f"has rotary embeddings of the kind {kind[:40]!r}, whose formula is not known")
    if kind == "dynamic" and given.get("alpha") and values.get("rotary_alpha"):
        return rotary._replace(theta=theta * _read(given, "alpha") ** (features / (features - 2)))
    if kind in ("linear", "dynamic"):
        lengths = [] if kind == "linear" else [_read(values, "max_position_embeddings")]
        return rotary._replace(scaling=(kind, _read(given, "factor"), *lengths))
    most = values.get("max_position_embeddings")
    length = values.get("original_max_position_embeddings") or _read(given, "original_max_position_embeddings", most)
    if kind == "llama3":
        names = ("factor", "low_freq_factor", "high_freq_factor")
        return rotary._replace(scaling=("llama3", *[_read(given, name) for name in names], length))
    factor = _read(given, "factor", most / length if most else None)
    if kind in ("longrope", "su"):
        factors: list[float] = []
        for name in ("short_factor", "long_factor"):
            own = _read(given, name)
            if len(own) != turned // 2:
                raise SourceError(f"longrope needs {name} to be a list of {turned // 2} numbers, got {len(own)}")
            factors += map(float, own)
        scale = math.sqrt(1 + math.log(factor) / math.log(length)) if factor > 1 and length > 1 else 1.0
        scale = _read(given, "attention_factor", scale)
        return rotary._replace(scaling=("longrope", length, *factors), rotary_scale=scale)
    return _yarn(rotary, given, theta, length, factor)


def _parameters(values: Mapping[str, Any], layer_type: str | None) -> Mapping[str, Any]:
    """Return the mapping for a layer: gemma3 has one for each type of layers, or another theta for those with a
    window, which no scaling changes. There transformers passes over `rope_parameters` for all layers, and over `type`,
    the older name of `rope_type`."""
    is_by_type = "rope_local_base_freq" in values
    for name in ("rope_scaling", "rope_parameters"):
        given = values.get(name)
        if not isinstance(given, Mapping):
            continue
        if given.get(layer_type) is not None:
            own: Mapping[str, Any] = typed(name, "rope_parameters", given[layer_type], str(layer_type))
            return own
        if not is_by_type:
            return given
        if name == "rope_scaling" and layer_type != "sliding_attention":
            return {key: value for key, value in given.items() if key != "type"}
    if layer_type == "sliding_attention" and is_by_type:
        return {"rope_theta": values["rope_local_base_freq"]}
    return {}


def _yarn(rotary: Rotary, given: Mapping[str, Any], theta: float, length: float, factor: float) -> Rotary:
    if theta == 1:
        raise SourceError("rotary embeddings of the kind 'yarn' need rope_theta not to be 1")
    turned = rotary.rotary

    def place(turns: float) -> float:
        return turned * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))

    first, last = place(_read(given, "beta_fast", 32.0)), place(_read(given, "beta_slow", 1.0))
    if _read(given, "truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, turned - 1)
    last = last + 0.001 if first == last else last
    of_all, own = [_read(given, name, 0) for name in ("mscale_all_dim", "mscale")]
    scale = _length_scale(factor, 1.0)
    if of_all and own:
        scale = _length_scale(factor, float(own)) / _length_scale(factor, float(of_all))
    scale = _read(given, "attention_factor", scale)
    squared = _length_scale(factor, float(of_all)) ** 2 if of_all else 1.0
    return rotary._replace(
        scaling=("yarn", factor, float(first), float(last)), rotary_scale=scale, squared_scale=squared
    )


def _length_scale(factor: float, share: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * share * math.log(factor) + 1


def _read(given: Mapping[str, Any], name: str, default: Any = None) -> Any:
    value = given.get(name)
    return typed("rope_parameters", name, default if value is None else value)
