"""Each key of each configuration class of transformers, changed at a tiny size: where the real model's parameters or
logits change, so do ours, or a note or a refusal names the key."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from scripts.language_model_rows import IDS, TINY
from tests.support.safetensors_files import weight_values
from tests.support.tries import tries

HAS_TRANSFORMERS = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))
FIRST: dict[str, dict[str, Any]] = {}
SEEING: dict[str, tuple[str, dict[str, Any]]] = {}
for name, model_type, config in TINY:
    if "vision_config" in config:
        if "text_config" in config:  # what a part leaves out is that of a large model
            SEEING[name] = model_type, config
    else:
        FIRST.setdefault(model_type, config)

OLDER: Mapping[str, list[Any]] = {
    "rope_theta": [500.0],
    "rotary_pct": [0.5],
    "rotary_emb_base": [500],
    "partial_rotary_factor": [0.5],
    "rope_scaling": [{"type": "linear", "factor": 3.0}],
    "rope_parameters": [
        {"rope_type": "default", "rope_theta": 700.0, "partial_rotary_factor": 0.5},
        {"rope_type": "linear", "factor": 3.0, "rope_theta": 800.0},
    ],
    "head_dim": [8],
    "sliding_window_pattern": [3],
    "no_rope_layers": [[0, 1, 1]],
    "attention_types": [[[["local"], 3]]],
    "mlp_only_layers": [[0]],
    "layer_types": [["full_attention"] * 3, ["sliding_attention"] * 3],
    "q_lora_rank": [None, 10],
    "sliding_window": [3],
}
"""Values of keys that have none of their own, and keys of older files."""

LEFT_OUT = {"bos_token_id", "eos_token_id", "pad_token_id", "dtype", "transformers_version", "model_type"}


def others(key: str, value: Any) -> Iterator[Any]:
    yield from OLDER.get(key, [])
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (2 * value, value // 2, value + 1)[: tries(1, 3)]
    elif isinstance(value, float):
        yield 1.7 * value + 0.05
    elif isinstance(value, str) and ("act" in key or key == "feed_forward_proj"):
        yield from ("relu", "gelu", "gelu_new", "gated-gelu")[: tries(2, 4)]
    elif value is None and key not in OLDER:
        yield from (True, 2, 0.3)[: tries(2, 3)]


class Real:
    """transformers' model of a configuration, whose weights are drawn by their names."""

    def __init__(self, model_type: str, config: Mapping[str, Any]) -> None:
        import torch

        from scripts.language_model_rows import _inputs, _made, _seen

        made, own = _made(model_type, json.loads(json.dumps(config)))
        self.model = made(own).eval()
        with torch.no_grad():
            for name, tensor in self.model.state_dict(keep_vars=True).items():
                if isinstance(tensor, torch.nn.Parameter) or "correction_bias" in name:
                    tensor.copy_(torch.from_numpy(weight_values(name, tuple(tensor.shape))))
            self.outputs = [self.model.float()(**_inputs(model_type)).logits.numpy()]
            if "vision_config" in config:
                self.outputs.append(_seen(self.model, model_type).numpy())
        self.shapes = {name: tuple(one.shape) for name, one in self.model.named_parameters()}

    @property
    def head_width(self) -> int:
        config = self.model.config
        heads = getattr(config, "num_attention_heads", 1)
        return int(getattr(config, "head_dim", None) or getattr(config, "hidden_size", 2 * heads) // heads)

    def differs_from(self, other: Real) -> bool:
        if self.shapes != other.shapes:
            return True
        pairs = zip(self.outputs, other.outputs, strict=True)
        return any(a.shape != b.shape or np.abs(a - b).max() > 1e-6 for a, b in pairs)


def fault(key: str, real: Real, config: Mapping[str, Any], folder: Path) -> str:
    """What is wrong with what we say of a configuration; "" for nothing."""
    real.model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    try:
        report = layerexplain.explain(str(folder), detail=False)
        given = {
            "tokens": np.array([IDS], "i4"),
            "decoder_tokens": np.array([IDS[:5]], "i4"),
            **{one.name: weight_values("pixels", (1, *one.shape[1:])) for one in report.inputs if len(one.shape) == 4},
        }
        outputs = layerexplain.trace(str(folder), {one.name: given[one.name] for one in report.inputs}).outputs
    except layerexplain.LayerExplainError as error:
        names = {key, real.model.config.attribute_map.get(key, key), *_COMPUTED_FROM.get(key, ())}
        return "" if any(name in str(error) for name in names) else f"refused: {error}"
    if any(
        repr(key) in note.message or (note.code == "vision-not-read" and key in note.message) for note in report.notes
    ):
        return ""
    count = sum([int(np.prod(shape)) for shape in real.shapes.values()])
    if report.totals.trainable != count:
        return f"{report.totals.trainable} parameters, transformers has {count}"
    for ours, theirs in zip(outputs, real.outputs, strict=True):
        if ours.size != theirs.size or not np.allclose(ours.reshape(theirs.shape), theirs, rtol=1e-4, atol=2e-5):
            return "other outputs"
    return ""


_COMPUTED_FROM = {"hidden_size": ("width",), "mm_tokens_per_image": ("ImageTokens",)}
"""The names that refusals have for what a key says."""


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.skipif(not HAS_TRANSFORMERS, reason="torch and transformers are not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model_type", FIRST)
def test_each_key_that_changes_the_real_model_changes_ours(model_type: str, tmp_path: Path) -> None:
    config = {"model_type": model_type, "pad_token_id": 0, **FIRST[model_type]}
    base = Real(model_type, config)
    assert not fault("", base, config, tmp_path / "base")
    own = type(base.model.config)
    keys = dict.fromkeys([*[field.name for field in dataclasses.fields(own)], *own.attribute_map, *OLDER])
    wrong, changed = [], 0
    for key in keys:
        same = own.attribute_map.get(key)
        before = config.get(key, getattr(base.model.config, key, None))
        for value in others(key, before) if key not in LEFT_OUT else ():
            other = {name: one for name, one in config.items() if name != same} | {key: value}
            try:
                real = Real(model_type, other)
            except Exception:  # transformers refuses the value, each class in its own way
                continue
            is_asked = key.startswith("rope_") or real.differs_from(base)  # some pass over spellings that others read
            if is_asked and real.head_width % 2 == 0:  # of an odd number of features no pairs turn
                changed += 1
                found = fault(key, real, other, tmp_path / f"{key}{changed}")
                wrong += [f"{key} = {value!r}: {found}"] if found else []
    assert changed >= tries(3, 5)
    assert not wrong, "\n".join(wrong)


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.skipif(not HAS_TRANSFORMERS, reason="torch and transformers are not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SEEING)
def test_each_key_of_each_part_of_a_model_that_sees_changes_ours(name: str, tmp_path: Path) -> None:
    model_type, usual = SEEING[name]
    config = {"model_type": model_type, "pad_token_id": 0, **usual}
    base = Real(model_type, config)
    assert not fault("", base, config, tmp_path / "base")
    wrong, changed = [], 0
    for part in (None, "text_config", "vision_config"):
        whole = base.model.config if part is None else getattr(base.model.config, part)
        own = config if part is None else config.get(part, {})
        keys = dict.fromkeys([*[field.name for field in dataclasses.fields(whole)], *whole.attribute_map])
        for key in [one for one in keys if one not in {*LEFT_OUT, "text_config", "vision_config"}]:
            for value in others(key, own.get(key, getattr(whole, key, None))):
                other = config | ({key: value} if part is None else {part: {**own, key: value}})
                try:
                    real = Real(model_type, other)
                except Exception:  # transformers refuses the value, each class in its own way
                    continue
                if real.differs_from(base):
                    changed += 1
                    found = fault(key, real, other, tmp_path / f"{part}{key}{changed}")
                    wrong += [f"{part}.{key} = {value!r}: {found}"] if found else []
    assert changed >= tries(20, 40)
    assert not wrong, "\n".join(wrong)
