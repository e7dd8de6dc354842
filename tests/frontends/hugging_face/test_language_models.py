"""Language models from configurations of transformers: parameters of public models, and logits of tiny ones.

The rows are what real transformers computes (scripts/language_model_rows.py); nothing of it is needed here.
"""

from __future__ import annotations

import functools
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends.hugging_face.architecture import architecture, model_types
from layerexplain.frontends.hugging_face.keys import KIND_OF, keys_read, tree_of
from layerexplain.frontends.hugging_face.rotary import Rotary
from layerexplain.lang.names import uses
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
    config = json.loads((folder / "config.json").read_text())
    ids = np.array([data()["ids"]], dtype=np.int32)
    given = {
        "tokens": ids,
        "decoder_tokens": ids[:, :5],
        "pixel_values": weight_values("pixels", (1, 3, *[24 if "vision_config" in config else 12] * 2)),
    }
    wanted = [one.name for one in layerexplain.explain(str(folder), detail=False).inputs]
    return layerexplain.trace(str(folder), {name: given[name] for name in wanted})


def logits_of(folder: Path) -> Any:
    made = traced(folder).outputs[0]
    return made.reshape(-1, made.shape[-1])


@pytest.mark.parametrize("row", named("logits"))
def test_logits_of_tiny_models_are_those_of_transformers(row: dict[str, Any], tmp_path: Path) -> None:
    folder = model_folder(tmp_path, row["config"], row["tensors"])
    made = traced(folder)
    # Each tensor of the file belongs to a weight, and has its shape.
    assert [note.code for note in made.notes] == ["image-tokens"] * ("image" in row)
    for output, expected in zip(made.outputs, [row[name] for name in ("logits", "image") if name in row], strict=True):
        np.testing.assert_allclose(output.reshape(-1, output.shape[-1]), expected, atol=1e-5, rtol=0)


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


def test_a_wrong_order_of_patches_or_layer_that_is_read_would_be_seen(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in data()["logits"]}
    changes: dict[str, dict[str, Any]] = {"llava": {"vision_feature_layer": -3}, "mistral3": {"spatial_merge_size": 2}}
    for name, change in changes.items():
        row = rows[name]
        vision = {**row["config"]["vision_config"], "rope_parameters": {"rope_theta": 9000.0, "rope_type": "axial"}}
        more = {"vision_config": vision} if name == "mistral3" else {}
        folder = model_folder(tmp_path / name, {**row["config"], **change, **more}, row["tensors"])
        assert np.abs(traced(folder).outputs[1].reshape(len(row["image"]), -1) - row["image"]).max() > 1e-4


def test_names_of_older_files_are_those_of_the_vision_part(tmp_path: Path) -> None:
    row = next(row for row in data()["logits"] if row["name"] == "llava")
    older = {
        name.replace("vision_tower.", "vision_tower.vision_model."): shape for name, shape in row["tensors"].items()
    }
    folder = model_folder(tmp_path, row["config"], older)
    assert [note.code for note in layerexplain.explain(str(folder), detail=False).notes] == ["image-tokens"]


QWEN: dict[str, Any] = {
    "model_type": "qwen2_5_vl", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "vision_config": {"depth": 32},
}  # fmt: skip
SEEING = {"vision_config": {"model_type": "siglip_vision_model", "vision_use_head": True}, "model_type": "gemma3"}


@pytest.mark.parametrize(
    ("config", "params", "reason"),
    [
        (QWEN, 7_615_616_512, "qwen2_5_vl_vision"),  # the language part of 8,292,166,656
        ({**SEEING, "text_config": {"num_hidden_layers": 2}}, None, "needs vision_use_head=false"),
        ({"model_type": "llava", "vision_config": {"model_type": "dinov2"}}, 6_738_415_616, "'dinov2', whose formulas"),
        ({"model_type": "llava", "vision_feature_layer": [3, 5]}, 6_738_415_616, "vision_feature_layer to be a whole number, got [3, 5]"),
    ],
)  # fmt: skip
def test_a_vision_part_that_is_not_read_is_named(config: dict[str, Any], params: int | None, reason: str) -> None:
    report = layerexplain.explain(as_bytes(config), detail=False)
    assert report.model_name.endswith("(language part)")
    assert report.totals.params == params or params is None
    (note,) = [note for note in report.notes if note.code == "vision-not-read"]
    assert reason in note.message
    assert "not read and not counted" in note.message


def test_layers_that_see_images_and_are_alike_are_one_row_and_no_finding() -> None:
    row = next(row for row in data()["counts"] if row["name"] == "llava-1.5-7b")
    report = layerexplain.explain(as_bytes(row["config"]), detail=False)
    text = layerexplain.format_report(report, "table", nested=True)
    assert [line.split()[:3] for line in text.splitlines() if line.startswith("  encoder.layers.")] == [
        ["encoder.layers.0", "…", "23"]
    ]
    assert not layerexplain.check(as_bytes(row["config"])).findings


def test_costs_a_token_and_the_cache_are_of_the_text() -> None:
    """An image has its own part: what llava keeps and computes of a token is what its language model does."""
    text = {"model_type": "llama", **{key: LLAMA[key] for key in LLAMA if key != "model_type"}}
    alone = layerexplain.explain(as_bytes(text), inputs={"tokens": (17,)}, detail=False)
    config = as_bytes({"model_type": "llava", "text_config": text})
    seeing = layerexplain.explain(config, inputs={"tokens": (17,)}, detail=False)
    assert alone.language is not None and seeing.language is not None
    for name in ("macs", "needed_macs", "flops", "cache_bytes", "active"):
        assert getattr(seeing.language, name) == getattr(alone.language, name)
    part = next(part for part in seeing.language.parts if part.name == "vision")
    assert seeing.totals.params == part.params + alone.totals.params


def test_every_architecture_has_rows() -> None:
    def types_in(rows: str) -> set[str]:
        configs = [row["config"] for row in data()[rows]]
        parts = [one for config in configs for one in config.values() if isinstance(one, dict)]
        return {one["model_type"] for one in [*configs, *parts] if "model_type" in one}

    named_otherwise = {"qwen2_vl_text", "qwen2_vl_vision"}  # in files that do not name the types of parts
    without_vision = {"qwen2_5_vl"}
    assert types_in("counts") | named_otherwise == types_in("logits") | named_otherwise
    assert types_in("logits") | named_otherwise | without_vision == set(model_types())
    assert len(data()["counts"]) >= 40


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown model_type": (
        {"model_type": "mamba", "state_size": 16, "conv_kernel": 4, "expand": 2, "time_step_rank": 8},
        "has the model_type 'mamba', whose formulas are not known; known types: llama, ",
    ),
    "no text": ({"model_type": 7}, "needs model_type to be a text, got 7"),
    "a field that is missing": ({"hidden_size": None}, "llama needs hidden_size to be a whole number from 1 on"),
    "a text for a number": ({"hidden_size": "4096"}, "hidden_size to be a whole number from 1 on, got '4096'"),
    "a negative size": ({"vocab_size": -3}, "llama needs vocab_size to be a whole number from 1 on, got -3"),
    "a billion layers": ({"num_hidden_layers": 10**9}, "num_hidden_layers to be at most 10,000, got 1,000,000,000"),
    "heads that do not divide": (
        {"num_attention_heads": 7, "num_key_value_heads": 7},
        "llama needs num_attention_heads to divide hidden_size, got hidden_size=64, num_attention_heads=7; the nearest is 8",
    ),
    "keys that do not divide": ({"num_key_value_heads": 3}, "num_key_value_heads to divide num_attention_heads, got num_attention_heads=8, num_key_value_heads=3; the nearest is 2"),
    "an unknown activation": ({"hidden_act": "snake"}, "needs the activation to be one of"),
    "unknown rotary embeddings": ({"rope_scaling": {"rope_type": "spiral"}}, "of the kind 'spiral', whose formula"),
    "a part that is a number": ({"model_type": "llava", "text_config": 3}, "llava needs text_config to be a mapping"),
    "an unknown part": ({"model_type": "llava", "text_config": {"model_type": "mamba"}}, "the model_type 'mamba'"),
    "a rotary factor as a text": ({"rope_scaling": {"type": "linear", "factor": "2"}}, "rope_parameters needs factor to be a positive"),
}  # fmt: skip
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


HUB = "; hf://{0} reads a model of that name from Hugging Face's hub"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("meta-llama/Llama-3-8B", HUB),
        ("meta-llama/Llama-3.2-1B", HUB),
        ("meta-llama/model.keras", ""),
        ("tests/Llama-3-8B", ""),
        ("gpt2", ""),
    ],
)
def test_a_name_of_the_hub_is_recognised_where_there_is_no_file(name: str, more: str) -> None:
    with pytest.raises(layerexplain.LayerExplainError) as caught:
        layerexplain.read(name)
    assert str(caught.value) == f"{name}: no such file{more.format(name)}"


def test_a_configuration_without_its_type_is_asked_for_it() -> None:
    with pytest.raises(layerexplain.LayerExplainError, match="Hugging Face's without model_type"):
        layerexplain.read(as_bytes({"architectures": ["LlamaForCausalLM"], "hidden_size": 3}))


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


WRONG_KINDS: list[Any] = [
    None, True, "x", "", "7", -1, 0, 1.5, float("inf"), float("nan"), 1e300, 10**9, 10**30, [], [1], [[[1]]], {},
    {"a": {"b": [1]}}, [{"a": 1}], "gelu", 3, "missing",
]  # fmt: skip


def wrong_configurations() -> list[tuple[str, tuple[str, ...], Any]]:
    """Each key of each architecture, also those in mappings, with each wrong value."""

    def paths(config: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        inside = [paths(value, (*above, key)) for key, value in config.items() if isinstance(value, dict)]
        return [*[(*above, key) for key in config], *[path for part in inside for path in part]]

    return [
        (row["name"], path, value) for row in data()["logits"] for path in paths(row["config"]) for value in WRONG_KINDS
    ]


def test_each_value_of_a_wrong_kind_is_refused_or_explained() -> None:
    configs = {row["name"]: json.dumps(row["config"]) for row in data()["logits"]}
    for name, path, value in random.Random(5).sample(wrong_configurations(), tries(few=60, many=5000)):
        config = json.loads(configs[name])
        holder = functools.reduce(dict.__getitem__, path[:-1], config)
        holder[path[-1]] = value
        if value == "missing":
            del holder[path[-1]]
        try:
            layerexplain.explain(as_bytes(config), detail=False)
        except layerexplain.LayerExplainError as error:
            assert "\n" not in str(error), (name, path, value)
        except Exception as error:
            raise AssertionError(f"{name}: {path} = {value!r}") from error


def test_each_key_that_a_row_reads_has_a_kind() -> None:
    """What formulas come to is computed, an input, or a key of a kind."""
    for name in model_types():
        row = architecture(name)
        computed = {*row.fields, *row.roots, *row.blocks, *row.stacks, *row.inputs, *row.of_layer, *Rotary._fields}
        ours = {"layer", "has_head", "is_dense", "classes", "x", "distances", "read", "vision", "rotary_alpha", ""}
        assigned = {
            node
            for text in [row.model, row.images, *[s.formula for s in row.stacks.values()]]
            for node in uses(tree_of(text)).assigned
        }
        without = keys_read(row) - KIND_OF.keys() - computed - ours - assigned - PARTS_OF_VISION
        assert not without, (name, without)


PARTS_OF_VISION = {"pixel_values", "vision_columns", "vision_epsilon", "vision_width", "width", "epsilon"}
"""What rows with a vision part read of its row, and of that of the text."""


def test_a_comparison_of_two_configurations_has_the_cache(tmp_path: Path) -> None:
    """2 (k, v) × heads × 8 per head × 2 layers × 4 bytes, with 2 and 4 heads of keys."""
    base = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "vocab_size": 100, "torch_dtype": "float32"}  # fmt: skip
    sides = [{**base, "num_key_value_heads": heads} for heads in (2, 4)]
    found = layerexplain.diff(*sides)
    caches = [
        side["totals"]["kv_cache_bytes_per_token"] for side in (found.to_dict()[key] for key in ("before", "after"))
    ]
    assert caches == [2 * 2 * 8 * 2 * 4, 2 * 4 * 8 * 2 * 4]
    assert re.search(r"KV cache +256 → 512  bytes a token", str(found))
