"""Language models from configurations of transformers: parameters of public models, and logits of tiny ones.

The rows are what real transformers computes (scripts/language_model_rows.py); nothing of it is needed here.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends.hugging_face.architecture import model_types
from tests.support.safetensors_files import model_folder, weight_values
from tests.support.tries import some, tries

DATA = Path(__file__).resolve().parents[2] / "data" / "language_models.json"


@functools.cache
def data() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(DATA.read_text())
    return made


def named(rows: str) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in data()[rows]]


def as_bytes(config: dict[str, Any]) -> bytes:
    return json.dumps(config).encode()


@pytest.mark.parametrize("row", some(named("counts")))
def test_parameters_of_public_models_are_those_of_transformers(row: dict[str, Any]) -> None:
    report = layerexplain.explain(as_bytes(row["config"]), detail=False)
    assert report.totals.trainable == row["parameters"]  # what only routes is a buffer
    assert report.format == "hugging-face"
    assert not report.faults


def traced(folder: Path) -> layerexplain.Trace:
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    ids = np.array([data()["ids"]], dtype=np.int32)
    inputs = {"tokens": ids, **({"decoder_tokens": ids[:, :5]} if kind == "t5" else {})}
    pixels = weight_values("pixels", (1, 3, 12, 12))
    return layerexplain.trace(str(folder), {"pixel_values": pixels} if kind == "vit" else inputs)


def logits_of(folder: Path) -> Any:
    made = traced(folder).outputs[0]
    return made.reshape(-1, made.shape[-1])


@pytest.mark.parametrize("row", named("logits"))
def test_logits_of_tiny_models_are_those_of_transformers(row: dict[str, Any], tmp_path: Path) -> None:
    folder = model_folder(tmp_path, row["config"], row["tensors"])
    assert not traced(folder).notes  # each tensor of the file belongs to a weight, and has its shape
    np.testing.assert_allclose(logits_of(folder), row["logits"], atol=1e-5, rtol=0)


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "the form of gelu": ("gemma", {"hidden_activation": "gelu"}),
    "a norm's epsilon": ("llama", {"rms_norm_eps": 1e-3}),
    "the scale of queries": ("gemma2", {"query_pre_attn_scalar": 10}),
    "the cap of scores": ("gemma2", {"attn_logit_softcapping": None}),
    "the window": ("mistral", {"sliding_window": 5}),
    "how many features turn": ("gpt_neox", {"rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.67}}),
    "the frequencies": ("llama, tied, llama3", {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}),
    "the shares of experts": ("qwen3_moe", {"norm_topk_prob": False}),
    "the factor of sums": ("granite", {"residual_multiplier": 0.23}),
    "the order of norms": ("opt, narrow", {"activation_function": "gelu"}),
    "the groups of experts": ("deepseek_v3", {"topk_group": 4}),
    "the slopes": ("falcon, slopes", {"alibi": False}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gate_scale_or_norm_would_be_seen(name: str, tmp_path: Path) -> None:
    of, change = WRONG[name]
    row = next(row for row in data()["logits"] if row["name"] == of)
    folder = model_folder(tmp_path, {**row["config"], **change}, row["tensors"])
    assert np.abs(logits_of(folder) - row["logits"]).max() > 1e-4


def test_every_architecture_has_rows() -> None:
    counted = {row["config"]["model_type"] for row in data()["counts"]}
    run = {row["config"]["model_type"] for row in data()["logits"]}
    assert counted == run == set(model_types())
    assert len(data()["counts"]) >= 40


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown model_type": ({"model_type": "mamba"}, "has the model_type 'mamba', which is not known: its formulas"),
    "no text": ({"model_type": 7}, "needs model_type to be a text, got 7"),
    "a field that is missing": ({"hidden_size": None}, "llama needs hidden_size to be a whole number from 1 on"),
    "a text for a number": ({"hidden_size": "4096"}, "hidden_size to be a whole number from 1 on, got '4096'"),
    "a negative size": ({"vocab_size": -3}, "llama needs vocab_size to be a whole number from 1 on, got -3"),
    "a billion layers": ({"num_hidden_layers": 10**9}, "num_hidden_layers to be at most 10,000, got 1,000,000,000"),
    "heads that do not divide": (
        {"num_attention_heads": 7, "num_key_value_heads": 7},
        "llama needs head_dim or width % heads == 0, got head_dim = None, width = 64, heads = 7",
    ),
    "keys that do not divide": ({"num_key_value_heads": 3}, "needs heads % kv_heads == 0, got heads = 8, kv_heads = 3"),
    "an unknown activation": ({"hidden_act": "snake"}, "needs the activation to be one of"),
    "unknown rotary embeddings": ({"rope_scaling": {"rope_type": "spiral"}}, "of the kind 'spiral', whose formula"),
    "a rotary factor as a text": ({"rope_scaling": {"type": "linear", "factor": "2"}}, "need factor to be a positive"),
}
LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 101,
    "num_attention_heads": 8, "num_key_value_heads": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(name: str) -> None:
    change, words = REFUSED[name]
    with pytest.raises(layerexplain.LayerExplainError) as caught:
        layerexplain.read(as_bytes({**LLAMA, **change}))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    config = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    with pytest.raises(layerexplain.LayerExplainError, match="needs intermediate_size, which the configuration does"):
        layerexplain.read(as_bytes(config))


def test_an_untied_head_of_t5_is_that_of_the_public_file() -> None:
    """flan-t5-base: its file has 247,577,856 numbers, though transformers 5 ties the head."""
    sizes = {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_heads": 12, "vocab_size": 32128}
    config = {"model_type": "t5", **sizes, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    assert layerexplain.explain(as_bytes(config), detail=False).totals.params == 247_577_856


def test_a_head_that_is_not_known_is_left_out_with_a_note() -> None:
    report = layerexplain.explain(as_bytes({**LLAMA, "architectures": ["LlamaForTokenClassification"]}), detail=False)
    assert "lm_head" not in report
    assert [note.code for note in report.notes] == ["unknown-head"]


def test_a_catalogue_lists_models_of_configurations(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in data()["logits"]}
    for name in ("llama", "gpt2", "mixtral"):
        model_folder(tmp_path / "models" / name, rows[name]["config"], rows[name]["tensors"])
    (tmp_path / "models" / "alone").mkdir()
    (tmp_path / "models" / "alone" / "config.json").write_text(json.dumps(LLAMA))
    found = layerexplain.catalogue([str(tmp_path / "models")], str(tmp_path / "all.csv"), recursive=True, jobs=1)
    assert (found.models, found.errors) == (4, 0)


ODD = [
    None,
    True,
    "x",
    "",
    "7",
    -1,
    0,
    1.5,
    float("inf"),
    float("nan"),
    10**9,
    10**17,
    [],
    [1],
    {},
    {"a": 1},
    "gelu",
    3,
]


def test_odd_values_are_refused_or_explained() -> None:
    rng = random.Random(5)
    for _ in range(tries(few=25, many=60)):
        config = dict(rng.choice(data()["logits"])["config"])
        name = rng.choice([*config])
        config[name] = rng.choice(ODD)
        try:
            layerexplain.explain(as_bytes(config), detail=False)
        except layerexplain.LayerExplainError as error:
            assert "\n" not in str(error), (name, config[name])
