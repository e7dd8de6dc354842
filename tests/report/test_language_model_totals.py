"""Totals of language models: active parameters, products of a token, the KV cache, what fits, against arithmetic."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import layerexplain
from layerexplain.report.report import Report
from layerexplain.report.serving import hardware_of
from tests.support.commands import invoke

ROWS = json.loads((Path(__file__).resolve().parents[1] / "data" / "language_models.json").read_text())
PUBLIC = {row["name"]: row["config"] for row in ROWS["counts"]}
TINY = [row for row in ROWS["logits"] if row["cache"] is not None]


def report_of(config: dict[str, Any], tokens: int | None = None, **how: Any) -> Report:
    inputs = None if tokens is None else {"tokens": (tokens,)}
    return layerexplain.explain(json.dumps(config).encode(), inputs=inputs, detail=False, **how)


def totals_of(name: str, tokens: int | None = None, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = report_of(PUBLIC[name], tokens, **how).to_dict()["totals"]
    return found


@pytest.mark.parametrize("row", TINY, ids=[row["name"] for row in TINY])
def test_the_cache_is_that_of_transformers(row: dict[str, Any]) -> None:
    language = report_of(row["config"]).language
    assert language is not None
    # For Falcon, transformers keeps each key as often as queries share it, which no formula needs.
    times = 2 if row["name"] == "falcon, new" else 1
    assert times * language.cache_elements == sum(row["cache"])
    assert sum([one.layers for one in language.cached]) == len(row["cache"])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Llama-2-7b", 2 * 32 * 32 * 128 * 2),
        ("Llama-2-70b", 2 * 80 * 8 * 128 * 2),
        ("Meta-Llama-3-8B", 2 * 32 * 8 * 128 * 2),
        ("falcon-7b", 2 * 32 * 1 * 64 * 2),
        ("gpt2", 2 * 12 * 12 * 64 * 2),
        ("DeepSeek-V3", 61 * (512 + 64) * 2),
    ],
)
def test_bytes_that_are_kept_of_a_token(name: str, size: int) -> None:
    assert totals_of(name)["kv_cache_bytes_per_token"] == size


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("Llama-2-7b", 6_738_415_616),
        ("Mixtral-8x7B", 46_702_792_704 - 32 * 6 * 3 * 4096 * 14336),
        ("Qwen3-30B-A3B", 30_532_122_624 - 48 * 120 * 3 * 2048 * 768),
        ("DeepSeek-V3", 671_026_419_200 - 58 * 248 * 3 * 7168 * 2048),
    ],
)
def test_parameters_that_a_token_uses(name: str, active: int) -> None:
    assert totals_of(name)["active_params"] == active


def test_parts_add_up_and_a_tied_head_counts_once() -> None:
    parts = {part["name"]: part["params"] for part in totals_of("Llama-3.2-1B")["parts"]}
    assert sum(parts.values()) == 1_235_814_400
    assert parts["embedding"] == 128256 * 2048
    assert "head" not in parts
    assert parts["feed-forward"] == 16 * 3 * 2048 * 8192


SMALL = {
    "model_type": "mistral", "hidden_size": 24, "intermediate_size": 34, "num_hidden_layers": 3, "vocab_size": 31,
    "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": None,
}  # fmt: skip


@pytest.mark.parametrize("window", [None, 3, 50])
def test_causal_attention_is_counted_as_computed_and_as_needed(window: int | None) -> None:
    tokens = 11
    made = report_of({**SMALL, "sliding_window": window}, tokens).to_dict()["totals"]
    linear = 3 * (24 * 24 + 2 * 24 * 12 + 24 * 24 + 3 * 24 * 34) + 24 * 31
    pairs = sum([1 for i in range(tokens) for j in range(i + 1) if window is None or i - j < window])
    assert made["macs_per_token"] == (tokens * linear + 3 * 2 * 24 * tokens * tokens) // tokens
    assert made["needed_macs_per_token"] == pytest.approx((tokens * linear + 3 * 2 * 24 * pairs) / tokens, abs=1)
    assert made["tokens"] == tokens


def test_a_model_takes_its_weights_its_cache_and_fits_or_not() -> None:
    report = report_of(PUBLIC["Llama-2-7b"], 4096, batch=4, dtype="bf16", hardware="24GB, 2TB/s, 990TFLOP/s")
    served = report.serving
    assert served is not None
    assert served.weights == 2 * 6_738_415_616
    assert served.cache == 4 * 4096 * 524_288
    assert served.fits is False or served.total is None or served.total <= 24e9
    assert served.decoding == pytest.approx(4 * 2e12 / (served.weights + served.cache))
    macs = report.to_dict()["totals"]["needed_macs_per_token"]
    assert served.prefill == pytest.approx(990e12 / (2 * macs))
    small = report_of(PUBLIC["Llama-2-7b"], 4096, weights_dtype="int4", dtype="fp8", hardware="80GiB").serving
    assert small is not None
    assert (small.weights, small.cache, small.fits) == (6_738_415_616 // 2, 4096 * 262_144, True)
    assert (small.prefill, small.decoding) == (None, None)


def test_without_a_length_the_weights_and_the_room_beside_them_are_told() -> None:
    config = PUBLIC["Meta-Llama-3-8B"]
    served = layerexplain.explain(json.dumps(config).encode(), hardware="2x12GB", batch=3, detail=False).serving
    assert served is not None and served.hardware is not None
    assert (served.hardware.memory, served.fits, served.cache) == (24e9, None, None)
    assert served.room == (24_000_000_000 - 2 * 8_030_261_248) // (3 * 2 * 2 * 8 * 128 * 32)
    small = layerexplain.explain(json.dumps(config).encode(), hardware="2×8GB", detail=False).serving
    assert small is not None
    assert (small.fits, small.room) == (False, 0)
    windows = layerexplain.explain(
        json.dumps(PUBLIC["Mistral-7B-v0.1"]).encode(), hardware="24GB", detail=False
    ).serving
    assert windows is not None
    assert (windows.fits, windows.room) == (None, None)  # no text is too long for the windows


def test_a_window_bounds_the_cache() -> None:
    report = report_of(PUBLIC["gemma-3-1b"], 8192, dtype="bf16")
    assert report.serving is not None
    assert report.serving.cache == 2 * 2 * 256 * (22 * 512 + 4 * 8192)
    assert totals_of("gemma-3-1b")["kv_cache_bytes_per_token"] == 2 * 2 * 256 * 26


def test_windows_and_compressed_caches_are_noted() -> None:
    expected = {
        "gemma-3-1b": ["shared-weights", "cache-window"],
        "DeepSeek-V3": ["router-buffers", "compressed-cache"],
        "t5-small": ["shared-weights", "cache-of-input"],
        "Llama-2-7b": [],
    }
    for name, codes in expected.items():
        assert [note.code for note in report_of(PUBLIC[name]).notes] == codes
    buffers, note = report_of(PUBLIC["DeepSeek-V3"]).notes
    assert buffers.message.startswith("14,848 of the numbers") and buffers.message.endswith(
        "671,026,404,352 parameters"
    )
    words = "61 layers keep c_normed (512) and k_turned (64) of each token, from which keys and values are recomputed"
    assert note.message == words


def test_the_dtype_of_the_configuration_holds() -> None:
    config = {**PUBLIC["gpt2"], "torch_dtype": "float32"}
    assert report_of(config).to_dict()["totals"]["kv_cache_bytes_per_token"] == 2 * 12 * 12 * 64 * 4
    half = report_of({**PUBLIC["gpt2"], "dtype": "bfloat16"})
    assert half.totals.bytes == 2 * 124_439_808
    assert {weight.dtype for row in half.layers for weight in row.weights} == {"bfloat16"}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"dtype": "bf61"}, "unknown dtype 'bf61'; did you mean 'bf16'?"),
        ({"hardware": "big"}, "hardware needs memory, bandwidth and speed, got 'big'"),
        ({"hardware": "0GB"}, "got '0GB'"),
        ({"hardware": "0x24GB"}, "got '0x24GB'"),
    ],
)
def test_what_is_not_understood_is_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(layerexplain.LayerExplainError, match=words.replace("?", r"\?")):
        report_of(SMALL, **how)


def test_other_models_have_no_cache() -> None:
    with pytest.raises(layerexplain.LayerExplainError, match="this model has none"):
        layerexplain.explain(b"input: [4]\nlayers:\n  - Dense: 3\n", dtype="bf16")
    plain = layerexplain.explain(b"input: [4]\nlayers:\n  - Dense: 3\n").to_dict()
    assert [*plain["totals"]] == ["params", "trainable", "non_trainable", "bytes", "macs", "flops"]


def test_units_of_machines() -> None:
    assert hardware_of("40GiB, 1555GB/s") == (40 * 1024.0**3, 1555e9, None)
    assert hardware_of("312 TFLOPS").speed == 312e12
    assert hardware_of("NVIDIA A100 80GB") == hardware_of("80GB, 2039GB/s, 312TFLOP/s")
    assert hardware_of("2x RTX 4090").memory == 48e9
    assert hardware_of("4 × 80GB, 4*2TB/s") == (320e9, 8e12, None)


def test_alike_blocks_are_one_row() -> None:
    text = str(layerexplain.format_report(report_of(PUBLIC["gemma-3-1b"]), "table"))
    assert "model.layers.0 … 4" in text
    assert "5 × Block" in text
    assert "model.layers.3 " not in text


def test_the_contract_holds_for_language_models() -> None:
    schema = json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
    for how in ({}, {"dtype": "bf16", "hardware": "80GB, 2TB/s"}, {"batch": 3}):
        report = report_of(SMALL, 11, **how)
        jsonschema.validate(report.to_dict(nested=True), schema)
        assert ("serving" in report.to_dict()) is bool(how)


def test_routing_has_element_forms() -> None:
    report = layerexplain.explain(json.dumps(PUBLIC["Mixtral-8x7B"]).encode(), layers="model.layers.0/block_sparse_moe")
    text = report.explain("model.layers.0/block_sparse_moe")
    assert "g[n, t, k, p] = silu(Σ m<4096 x[n, t, m]·W_gate[ids[n, t, k], p, m])" in text
    assert "ids has no element form: the positions depend on the values" in text


def test_the_output_of_a_language_model_is_scores_of_tokens() -> None:
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "intermediate_size": 12,
              "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 1009}  # fmt: skip
    report: Any = layerexplain.explain(json.dumps(config).encode())
    (said,) = [one for row in report for one in row.explanation.hints if one.startswith("An output of the model")]
    assert said == "An output of the model: at each position a score for each of the 1,009 tokens that may come next."


def test_the_first_lines_have_the_numbers_of_a_language_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLIC["DeepSeek-V3"]))
    for command in ("summary", "explain"):
        result = invoke(command, tmp_path / "config.json")
        first = " ".join(result.output.splitlines()[:5])
        for words in ("671,026,419,200 parameters", " active", "cache 70,272 bytes a token", "1.3 TB in bfloat16"):
            assert words in first, first
