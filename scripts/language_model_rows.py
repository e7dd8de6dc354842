"""Writes tests/data/language_models.json with real transformers: `python scripts/language_model_rows.py`.

It adds the rows that are missing; names of rows, `counts` or `logits` as arguments make those anew.

`counts`: public configurations, with the parameters of the model that transformers makes of them on its meta device.
`logits`: tiny models of each architecture, with the tensors of the file that transformers writes, what its cache keeps
of each token, and the logits of weights that `weight_values` draws by the tensors' names; the tests draw the same ones.
Needs torch, transformers and safetensors, which the tests do without.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "tests" / "data" / "language_models.json"
IDS = [1, 17, 29, 3, 8, 22, 5, 13]
"""The tokens of the tiny models, whose vocabulary has 31."""


def weight_values(name: str, shape: tuple[int, ...]) -> Any:
    """Return values that depend on a tensor's name alone: none is 0 or 1, and scales lie around 1."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    around_one = len(shape) == 1 and name.endswith("weight")
    return (1 + 0.3 * values if around_one else 0.2 * values).astype(np.float32)


# Public configurations --------------------------------------------------------------------------------------------


def _llama(width: int, hidden: int, layers: int, heads: int, kv: int, words: int, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": words,
        **more,
    }


def _plain(width: int, hidden: int, layers: int, heads: int, words: int, **more: Any) -> dict[str, Any]:
    made = _llama(width, hidden, layers, heads, heads, words, **more)
    del made["num_key_value_heads"]
    return made


def _gpt2(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {"n_embd": width, "n_layer": layers, "n_head": heads, "n_positions": 1024, "vocab_size": 50257}


def _bloom(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {"hidden_size": width, "n_layer": layers, "n_head": heads, "vocab_size": 250880}


def _opt(width: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    own = {"ffn_dim": 4 * width, "word_embed_proj_dim": width, "max_position_embeddings": 2048, "vocab_size": 50272}
    return {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, **own, **more}


def _t5(width: int, head: int, hidden: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    sizes = {"d_model": width, "d_kv": head, "d_ff": hidden, "num_layers": layers, "num_heads": heads}
    return {**sizes, "vocab_size": 32128, **more}


def _vit(width: int, hidden: int, layers: int, heads: int, labels: int = 2, **more: Any) -> dict[str, Any]:
    made = _plain(width, hidden, layers, heads, 0, **more)
    del made["vocab_size"]
    return {**made, "id2label": {str(i): str(i) for i in range(labels)}} if labels != 2 else made


_FALCON = {"num_hidden_layers": 32, "vocab_size": 65024}
_EXPERTS = {"n_shared_experts": 2, "num_experts_per_tok": 6, "topk_method": "greedy", "kv_lora_rank": 512}
_TIED = {"tie_word_embeddings": True}

_SIGLIP = {
    "model_type": "siglip_vision_model", "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
    "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": False,
}  # fmt: skip
_CLIP = {
    "model_type": "clip_vision_model", "hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
    "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768, "vocab_size": 32000,
}  # fmt: skip
_PIXTRAL = {
    "model_type": "pixtral", "hidden_size": 1024, "image_size": 1540, "intermediate_size": 4096, "head_dim": 64,
    "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "num_channels": 3, "rope_theta": 10000.0,
}  # fmt: skip
_MROPE = {"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}


def _seeing(text_type: str, text: Mapping[str, Any], vision: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration with a part that sees images."""
    return {"text_config": {"model_type": text_type, **text}, "vision_config": vision, **more}


PUBLIC: list[tuple[str, str, dict[str, Any]]] = [
    ("Llama-2-7b", "llama", _llama(4096, 11008, 32, 32, 32, 32000)),
    ("Llama-2-13b", "llama", _llama(5120, 13824, 40, 40, 40, 32000)),
    ("Llama-2-70b", "llama", _llama(8192, 28672, 80, 64, 8, 32000)),
    ("Meta-Llama-3-8B", "llama", _llama(4096, 14336, 32, 32, 8, 128256)),
    ("Meta-Llama-3-70B", "llama", _llama(8192, 28672, 80, 64, 8, 128256)),
    ("Llama-3.1-405B", "llama", _llama(16384, 53248, 126, 128, 8, 128256)),
    ("Llama-3.2-1B", "llama", _llama(2048, 8192, 16, 32, 8, 128256, head_dim=64, **_TIED)),
    ("Llama-3.2-3B", "llama", _llama(3072, 8192, 28, 24, 8, 128256, head_dim=128, **_TIED)),
    ("TinyLlama-1.1B", "llama", _llama(2048, 5632, 22, 32, 4, 32000)),
    ("SmolLM-135M", "llama", _llama(576, 1536, 30, 9, 3, 49152, **_TIED)),
    ("Mistral-7B-v0.1", "mistral", _llama(4096, 14336, 32, 32, 8, 32000)),
    ("Mistral-Nemo-12B", "mistral", _llama(5120, 14336, 40, 32, 8, 131072, head_dim=128, sliding_window=None)),
    ("Mixtral-8x7B", "mixtral", _llama(4096, 14336, 32, 32, 8, 32000)),
    ("Mixtral-8x22B", "mixtral", _llama(6144, 16384, 56, 48, 8, 32768)),
    ("gpt2", "gpt2", _gpt2(768, 12, 12)),
    ("gpt2-medium", "gpt2", _gpt2(1024, 24, 16)),
    ("gpt2-large", "gpt2", _gpt2(1280, 36, 20)),
    ("gpt2-xl", "gpt2", _gpt2(1600, 48, 25)),
    ("gpt_bigcode-santacoder", "gpt_bigcode", {**_gpt2(2048, 24, 16), "n_positions": 2048, "vocab_size": 49280}),
    ("gpt-neox-20b", "gpt_neox", _plain(6144, 24576, 44, 64, 50432, rotary_pct=0.25)),
    ("pythia-70m", "gpt_neox", _plain(512, 2048, 6, 8, 50304, rotary_pct=0.25)),
    ("pythia-1.4b", "gpt_neox", _plain(2048, 8192, 24, 16, 50304, rotary_pct=0.25)),
    ("pythia-12b", "gpt_neox", _plain(5120, 20480, 36, 40, 50688, rotary_pct=0.25)),
    ("opt-125m", "opt", _opt(768, 12, 12)),
    ("opt-350m", "opt", _opt(1024, 24, 16, word_embed_proj_dim=512, do_layer_norm_before=False)),
    ("opt-1.3b", "opt", _opt(2048, 24, 32)),
    ("opt-6.7b", "opt", _opt(4096, 32, 32)),
    ("bloom-560m", "bloom", _bloom(1024, 24, 16)),
    ("bloom-7b1", "bloom", _bloom(4096, 30, 32)),
    ("bloom", "bloom", _bloom(14336, 70, 112)),
    ("falcon-7b", "falcon", {**_FALCON, "hidden_size": 4544, "num_attention_heads": 71}),
    (
        "falcon-40b",
        "falcon",
        {
            **_FALCON,
            "hidden_size": 8192,
            "num_hidden_layers": 60,
            "num_attention_heads": 128,
            "num_kv_heads": 8,
            "new_decoder_architecture": True,
        },
    ),
    (
        "falcon-rw-1b",
        "falcon",
        {
            **_FALCON,
            "hidden_size": 2048,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
            "vocab_size": 50304,
            "alibi": True,
            "bias": True,
            "multi_query": False,
            "parallel_attn": False,
        },
    ),
    ("Qwen2.5-0.5B", "qwen2", _llama(896, 4864, 24, 14, 2, 151936, **_TIED)),
    ("Qwen2.5-7B", "qwen2", _llama(3584, 18944, 28, 28, 4, 152064)),
    ("Qwen2.5-72B", "qwen2", _llama(8192, 29568, 80, 64, 8, 152064)),
    ("Qwen1.5-MoE-A2.7B", "qwen2_moe", _llama(2048, 5632, 24, 16, 16, 151936)),
    ("Qwen3-0.6B", "qwen3", _llama(1024, 3072, 28, 16, 8, 151936, head_dim=128, **_TIED)),
    ("Qwen3-8B", "qwen3", _llama(4096, 12288, 36, 32, 8, 151936, head_dim=128)),
    ("Qwen3-32B", "qwen3", _llama(5120, 25600, 64, 64, 8, 151936, head_dim=128)),
    (
        "Qwen3-30B-A3B",
        "qwen3_moe",
        _llama(2048, 6144, 48, 32, 4, 151936, head_dim=128, num_experts=128, norm_topk_prob=True),
    ),
    ("gemma-2b", "gemma", _llama(2048, 16384, 18, 8, 1, 256000, head_dim=256)),
    ("gemma-7b", "gemma", _llama(3072, 24576, 28, 16, 16, 256000, head_dim=256)),
    ("gemma-2-2b", "gemma2", _llama(2304, 9216, 26, 8, 4, 256000, head_dim=256)),
    ("gemma-2-9b", "gemma2", _llama(3584, 14336, 42, 16, 8, 256000, head_dim=256)),
    (
        "gemma-2-27b",
        "gemma2",
        _llama(4608, 36864, 46, 32, 16, 256000, head_dim=128, query_pre_attn_scalar=144),
    ),
    ("gemma-3-1b", "gemma3_text", _llama(1152, 6912, 26, 4, 1, 262144, head_dim=256, sliding_window=512)),
    ("phi-1_5", "phi", _plain(2048, 8192, 24, 32, 51200)),
    ("phi-2", "phi", _plain(2560, 10240, 32, 32, 51200, partial_rotary_factor=0.4)),
    ("Phi-3-mini-4k", "phi3", _llama(3072, 8192, 32, 32, 32, 32064, sliding_window=2047)),
    ("Phi-3-medium-4k", "phi3", _llama(5120, 17920, 40, 40, 10, 32064, sliding_window=2047)),
    ("glm-4-9b", "glm", _llama(4096, 13696, 40, 32, 2, 151552, head_dim=128)),
    ("OLMo-2-7B", "olmo2", _llama(4096, 11008, 32, 32, 32, 100352)),
    ("stablelm-3b-4e1t", "stablelm", _llama(2560, 6912, 32, 32, 32, 50304)),
    ("stablelm-2-1_6b", "stablelm", _llama(2048, 5632, 24, 32, 32, 100352, use_qkv_bias=True)),
    ("starcoder2-3b", "starcoder2", _llama(3072, 12288, 30, 24, 2, 49152, sliding_window=4096)),
    ("starcoder2-15b", "starcoder2", _llama(6144, 24576, 40, 48, 4, 49152, sliding_window=4096)),
    ("granite-3.0-2b", "granite", _llama(2048, 8192, 40, 32, 8, 49155, **_TIED)),
    ("command-r", "cohere", _llama(8192, 22528, 40, 64, 64, 256000)),
    ("command-r-plus", "cohere", _llama(12288, 33792, 64, 96, 8, 256000, use_qk_norm=True)),
    (
        "DeepSeek-V2-Lite",
        "deepseek_v2",
        _plain(
            2048,
            10944,
            27,
            16,
            102400,
            **_EXPERTS,
            moe_intermediate_size=1408,
            first_k_dense_replace=1,
            n_routed_experts=64,
            q_lora_rank=None,
        ),
    ),
    (
        "DeepSeek-V2",
        "deepseek_v2",
        _plain(
            5120,
            12288,
            60,
            128,
            102400,
            **_EXPERTS,
            moe_intermediate_size=1536,
            first_k_dense_replace=1,
            n_routed_experts=160,
            q_lora_rank=1536,
            routed_scaling_factor=16.0,
        ),
    ),
    ("DeepSeek-V3", "deepseek_v3", _plain(7168, 18432, 61, 128, 129280)),
    ("SmolLM3-3B", "smollm3", _llama(2048, 11008, 36, 16, 4, 128256)),
    ("ERNIE-4.5-0.3B", "ernie4_5", _llama(1024, 3072, 18, 16, 2, 103424, head_dim=128)),
    ("Hunyuan-7B", "hunyuan_v1_dense", _llama(4096, 14336, 32, 32, 8, 128167, head_dim=128, **_TIED)),
    ("GLM-4-9B-0414", "glm4", _llama(4096, 13696, 40, 32, 2, 151552, head_dim=128)),
    ("GLM-4.5-Air", "glm4_moe", _llama(4096, 10944, 46, 96, 8, 151552, head_dim=128, attention_bias=True)),
    (
        "EXAONE-4.0-1.2B",
        "exaone4",
        _llama(
            2048,
            4096,
            30,
            32,
            8,
            102400,
            head_dim=64,
            sliding_window=None,
            layer_types=["full_attention"] * 30,
            **_TIED,
        ),
    ),
    ("command-r7b", "cohere2", _llama(4096, 14336, 32, 32, 8, 256000)),
    ("Minitron-4B", "nemotron", _llama(3072, 9216, 32, 24, 8, 256000, head_dim=128)),
    ("gpt-oss-20b", "gpt_oss", _llama(2880, 2880, 24, 64, 8, 201088, num_local_experts=32)),
    ("MiniMax-Text-01", "minimax", _llama(6144, 9216, 80, 64, 8, 200064, head_dim=128, num_local_experts=32)),
    (
        "gpt-neo-1.3B",
        "gpt_neo",
        {"hidden_size": 2048, "num_layers": 24, "num_heads": 16, "vocab_size": 50257, "max_position_embeddings": 2048},
    ),
    ("bert-base-uncased", "bert", _plain(768, 3072, 12, 12, 30522)),
    ("bert-base, without a head", "bert", _plain(768, 3072, 12, 12, 30522, architectures=["BertModel"])),
    ("bert-large-cased", "bert", _plain(1024, 4096, 24, 16, 28996)),
    ("roberta-base", "roberta", _plain(768, 3072, 12, 12, 50265, max_position_embeddings=514, type_vocab_size=1)),
    (
        "xlm-roberta-base",
        "xlm-roberta",
        _plain(768, 3072, 12, 12, 250002, max_position_embeddings=514, type_vocab_size=1),
    ),
    (
        "distilbert-base",
        "distilbert",
        {"dim": 768, "hidden_dim": 3072, "n_layers": 6, "n_heads": 12, "vocab_size": 30522},
    ),
    ("t5-small", "t5", _t5(512, 64, 2048, 6, 8)),
    ("t5-base", "t5", _t5(768, 64, 3072, 12, 12)),
    ("t5-3b", "t5", _t5(1024, 128, 16384, 24, 32)),
    ("vit-base-patch16-224", "vit", _vit(768, 3072, 12, 12, labels=1000)),
    ("vit-large-patch16-224", "vit", _vit(1024, 4096, 24, 16, labels=1000)),
    (
        "llava-1.5-7b",
        "llava",
        _seeing("llama", {"vocab_size": 32064, "rms_norm_eps": 1e-05, "max_position_embeddings": 4096}, _CLIP),
    ),
    (
        "pixtral-12b",
        "llava",
        _seeing(
            "mistral",
            _llama(5120, 14336, 40, 32, 8, 131072, head_dim=128, sliding_window=None),
            {
                "model_type": "pixtral",
                "head_dim": 64,
                "hidden_act": "silu",
                "image_size": 1024,
                "patch_size": 16,
                "num_channels": 3,
                "rope_theta": 10000.0,
            },
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
            image_seq_length=1,
        ),
    ),
    (
        "Mistral-Small-3.1-24B",
        "mistral3",
        _seeing(
            "mistral",
            _llama(5120, 32768, 40, 32, 8, 131072, head_dim=128, sliding_window=None),
            _PIXTRAL,
            tie_word_embeddings=False,
        ),
    ),
    (
        "gemma-3-4b-it",
        "gemma3",
        _seeing(
            "gemma3_text",
            {
                "hidden_size": 2560,
                "intermediate_size": 10240,
                "num_hidden_layers": 34,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                "sliding_window": 1024,
            },
            _SIGLIP,
        ),
    ),
    (
        "gemma-3-27b-it",
        "gemma3",
        _seeing(
            "gemma3_text",
            {
                "head_dim": 128,
                "hidden_size": 5376,
                "intermediate_size": 21504,
                "num_hidden_layers": 62,
                "num_attention_heads": 32,
                "num_key_value_heads": 16,
                "query_pre_attn_scalar": 168,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                "sliding_window": 1024,
            },
            _SIGLIP,
        ),
    ),
    (
        "Qwen2-VL-2B",
        "qwen2_vl",
        {
            **_llama(1536, 8960, 28, 12, 2, 151936, **_TIED),
            **_MROPE,
            "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "num_heads": 16, "patch_size": 14},
        },
    ),
    (
        "Qwen2-VL-7B",
        "qwen2_vl",
        {
            **_llama(3584, 18944, 28, 28, 4, 152064),
            **_MROPE,
            "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "num_heads": 16, "patch_size": 14},
        },
    ),
    ("vit-base, without a head", "vit", {**_vit(768, 3072, 12, 12), "architectures": ["ViTModel"]}),
]

# Tiny models ------------------------------------------------------------------------------------------------------

_TINY = _llama(24, 34, 3, 4, 2, 31, max_position_embeddings=64)
_TINY_PLAIN = _plain(24, 34, 3, 4, 31, max_position_embeddings=64)
_TINY_LATENT = {
    "num_key_value_heads": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 10, "first_k_dense_replace": 1,
    "kv_lora_rank": 12, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 8,
}  # fmt: skip
_TINY_TOWER = {
    "hidden_size": 16, "intermediate_size": 22, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 24,
    "patch_size": 4,
}  # fmt: skip
_TINY_FALCON = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 31}


def _rope(kind: str, **numbers: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **numbers}}


_OLD = {"original_max_position_embeddings": 16}

TINY: list[tuple[str, str, dict[str, Any]]] = [
    ("llama", "llama", {**_TINY, "rms_norm_eps": 1e-5}),
    ("llama, tied, llama3", "llama",
     {**_TINY, **_TIED, **_rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, **_OLD)}),
    ("llama, biases, linear", "llama",
     {**_TINY, **_rope("linear", factor=4.0), "attention_bias": True, "mlp_bias": True}),
    ("llama, yarn", "llama", {**_TINY, **_rope("yarn", factor=4.0, **_OLD)}),
    ("mistral", "mistral", {**_TINY, "sliding_window": 4}),
    ("mixtral", "mixtral", {**_TINY, "num_local_experts": 5}),
    ("gpt2", "gpt2", {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 40, "vocab_size": 31}),
    ("gpt_bigcode", "gpt_bigcode", {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 40, "vocab_size": 31}),
    ("gpt_neox", "gpt_neox", {**_TINY_PLAIN, "rotary_pct": 0.34}),
    ("gpt_neox, one after the other", "gpt_neox", {**_TINY_PLAIN, "rotary_pct": 1.0, "use_parallel_residual": False}),
    ("opt", "opt", _opt(24, 2, 4, ffn_dim=34, max_position_embeddings=40, vocab_size=31)),
    ("opt, narrow", "opt", _opt(24, 2, 4, ffn_dim=34, max_position_embeddings=40, vocab_size=31, word_embed_proj_dim=14,
                                do_layer_norm_before=False)),
    ("bloom", "bloom", {"hidden_size": 30, "n_layer": 2, "n_head": 5, "vocab_size": 31}),
    ("falcon, one key", "falcon", _TINY_FALCON),
    ("falcon, new", "falcon", {**_TINY_FALCON, "num_kv_heads": 2, "new_decoder_architecture": True}),
    ("falcon, slopes", "falcon",
     {**_TINY_FALCON, "alibi": True, "bias": True, "multi_query": False, "parallel_attn": False}),
    ("qwen2", "qwen2", {**_TINY, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
    ("qwen2_moe", "qwen2_moe", {**_TINY, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 10,
                                "shared_expert_intermediate_size": 14, "mlp_only_layers": [1]}),
    ("qwen3", "qwen3", {**_TINY, "head_dim": 10}),
    ("qwen3_moe", "qwen3_moe", {**_TINY, "head_dim": 10, "num_experts": 5, "num_experts_per_tok": 2,
                                "moe_intermediate_size": 10, "norm_topk_prob": True}),
    ("gemma", "gemma", {**_TINY, "head_dim": 10}),
    ("gemma2", "gemma2", {**_TINY, "head_dim": 10, "sliding_window": 4, "query_pre_attn_scalar": 12}),
    ("gemma3_text", "gemma3_text", {**_TINY, "head_dim": 10, "sliding_window": 4, "query_pre_attn_scalar": 12,
                                    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
    ("phi", "phi", {**_TINY_PLAIN, "partial_rotary_factor": 0.67}),
    ("phi3", "phi3", {**_TINY, "sliding_window": 5}),
    ("phi3, longrope", "phi3", {**_TINY, **_OLD, **_rope("longrope", short_factor=[1.0, 1.1, 1.2],
                                                         long_factor=[2.0, 3.0, 4.0])}),
    ("phi3, longrope, long", "phi3",
     {**_TINY, "original_max_position_embeddings": 5,
      **_rope("longrope", short_factor=[1.0, 1.1, 1.2], long_factor=[2.0, 3.0, 4.0],
              original_max_position_embeddings=5)}),
    ("llama, dynamic", "llama", {**_TINY, "max_position_embeddings": 5, **_rope("dynamic", factor=3.0)}),
    ("glm", "glm", {**_TINY, "head_dim": 8}),
    ("olmo2", "olmo2", _TINY),
    ("stablelm", "stablelm", {**_TINY, "use_qkv_bias": True, "partial_rotary_factor": 0.34}),
    ("stablelm, parallel", "stablelm", {**_TINY, "use_parallel_residual": True, "partial_rotary_factor": 0.67}),
    ("starcoder2", "starcoder2", {**_TINY, "sliding_window": 4}),
    ("granite", "granite", {**_TINY, "embedding_multiplier": 3.0, "logits_scaling": 4.0, "residual_multiplier": 0.22,
                            "attention_multiplier": 0.3}),
    ("cohere", "cohere", {**_TINY, "use_qk_norm": True}),
    ("deepseek_v2", "deepseek_v2", {**_TINY_PLAIN, **_TINY_LATENT, "n_routed_experts": 6, "q_lora_rank": None}),
    ("deepseek_v2, groups", "deepseek_v2",
     {**_TINY_PLAIN, **_TINY_LATENT, "n_routed_experts": 6, "n_group": 3, "topk_group": 2, "q_lora_rank": 14,
      "topk_method": "group_limited_greedy", "routed_scaling_factor": 16.0}),
    ("deepseek_v3", "deepseek_v3",
     {**_TINY_PLAIN, **_TINY_LATENT, "n_routed_experts": 8, "n_group": 4, "topk_group": 2, "q_lora_rank": 14,
      **_rope("yarn", factor=4.0, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1, **_OLD)}),
    ("smollm3", "smollm3", {**_TINY, "no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 4}),
    ("ernie4_5", "ernie4_5", {**_TINY, "head_dim": 10, "use_bias": True}),
    ("hunyuan_v1_dense", "hunyuan_v1_dense", {**_TINY, "head_dim": 10, **_rope("dynamic", alpha=50.0, factor=1.0)}),
    ("glm4", "glm4", {**_TINY, "head_dim": 8}),
    ("glm4_moe", "glm4_moe", {**_TINY, "head_dim": 8, "n_routed_experts": 6, "n_group": 3, "topk_group": 2,
                              "moe_intermediate_size": 10, "num_experts_per_tok": 2, "use_qk_norm": True,
                              "attention_bias": True}),
    ("exaone4", "exaone4", {**_TINY, "sliding_window": 4, "sliding_window_pattern": 2}),
    ("cohere2", "cohere2", {**_TINY, "sliding_window": 4, "sliding_window_pattern": 2}),
    ("nemotron", "nemotron", _TINY),
    ("gpt_oss", "gpt_oss", {**_TINY, "head_dim": 8, "num_local_experts": 5, "num_experts_per_tok": 2,
                            "sliding_window": 4, "swiglu_limit": 0.5,
                            **_rope("yarn", factor=4.0, truncate=False, **_OLD)}),
    ("minimax", "minimax", {**_TINY, "num_local_experts": 5, "block_size": 3, "full_attn_alpha_factor": 1.3,
                            "linear_attn_beta_factor": 0.7, "mlp_alpha_factor": 1.2, "mlp_beta_factor": 0.8}),
    ("gpt_neo", "gpt_neo", {"hidden_size": 24, "num_layers": 3, "num_heads": 4, "vocab_size": 31, "window_size": 4,
                            "max_position_embeddings": 40,
                            "attention_types": [[["global", "local"], 1], [["local"], 1]]}),
    ("bert", "bert", _TINY_PLAIN),
    ("roberta", "roberta", _TINY_PLAIN),
    ("xlm-roberta", "xlm-roberta", _TINY_PLAIN),
    ("distilbert", "distilbert", {"dim": 24, "hidden_dim": 34, "n_layers": 2, "n_heads": 4, "vocab_size": 31}),
    ("t5", "t5", _t5(24, 5, 34, 2, 4, vocab_size=31, relative_attention_num_buckets=8,
                     relative_attention_max_distance=9)),
    ("t5, gated", "t5", _t5(24, 5, 34, 2, 4, vocab_size=31, feed_forward_proj="gated-gelu")),
    ("vit", "vit", _vit(24, 34, 2, 4, image_size=12, patch_size=4)),
    ("llava", "llava", _seeing("llama", _TINY, {"model_type": "clip_vision_model", **_TINY_TOWER})),
    ("llava, pixtral", "llava",
     _seeing("mistral", _TINY, {"model_type": "pixtral", **_TINY_TOWER}, vision_feature_layer=-1,
             vision_feature_select_strategy="full")),
    ("mistral3", "mistral3", _seeing("mistral", _TINY, {"model_type": "pixtral", **_TINY_TOWER})),
    ("gemma3", "gemma3",
     _seeing("gemma3_text", {**_TINY, "head_dim": 10}, {"model_type": "siglip_vision_model", **_TINY_TOWER,
                                                        "vision_use_head": False}, mm_tokens_per_image=9)),
    ("qwen2_vl", "qwen2_vl",
     {**_TINY, "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 1]},
      "vision_config": {"depth": 2, "embed_dim": 16, "hidden_size": 24, "num_heads": 2, "mlp_ratio": 3, "patch_size": 4,
                        "image_size": 24}}),
    ("qwen2_vl, in parts", "qwen2_vl",
     _seeing("qwen2_vl_text", {**_TINY, "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 1]}},
             {"depth": 2, "embed_dim": 16, "hidden_size": 24, "num_heads": 2, "mlp_ratio": 3, "patch_size": 4,
              "image_size": 24})),
]  # fmt: skip


# Running transformers ---------------------------------------------------------------------------------------------


def _class(model_type: str) -> Any:
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as NAMES

    return getattr(transformers, _HEADS.get(model_type) or NAMES[model_type])


_HEADS = {
    "xlm-roberta": "XLMRobertaForMaskedLM",
    "bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM", "distilbert": "DistilBertForMaskedLM",
    "t5": "T5ForConditionalGeneration", "vit": "ViTForImageClassification",
    "llava": "LlavaForConditionalGeneration", "mistral3": "Mistral3ForConditionalGeneration",
    "gemma3": "Gemma3ForConditionalGeneration", "qwen2_vl": "Qwen2VLForConditionalGeneration",
}  # fmt: skip


def _made(model_type: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
    import transformers

    named = given.get("architectures")
    made = _class(model_type) if named is None else getattr(transformers, named[0])
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = made.config_class.from_dict({**given, **ids, "model_type": model_type})
    config._experts_implementation = "eager"
    config._attn_implementation = "sdpa" if model_type == "falcon" else "eager"
    return made, config


def count_row(name: str, model_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `counts`."""
    import torch

    made, config = _made(model_type, given)
    with torch.device("meta"):
        model = made(config)
    return {
        "name": name,
        "config": {"model_type": model_type, "architectures": [made.__name__], **given},
        "parameters": sum(p.numel() for p in model.parameters()),
    }


_COMPUTED = ("slope_rate", "_decay")
"""Tensors of a file that follow from the configuration."""


def logits_row(name: str, model_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `logits`, with the elements that the cache keeps of each token in each layer."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    made, config = _made(model_type, given)
    with tempfile.TemporaryDirectory() as folder:
        made(config).save_pretrained(folder)
        path = Path(folder, "model.safetensors")
        with safe_open(path, "pt") as file:
            shapes = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no mapping)
        with safe_open(path, "pt") as file:
            computed = {key: file.get_tensor(key) for key in shapes if key.endswith(_COMPUTED)}
        drawn = {key: torch.from_numpy(weight_values(key, tuple(shape))) for key, shape in shapes.items()}
        tensors = {**drawn, **computed}
        save_file(tensors, path, metadata={"format": "pt"})
        stored = json.loads(Path(folder, "config.json").read_text())
        config = made.config_class.from_pretrained(folder)
        config._experts_implementation = "eager"
        how = "sdpa" if model_type == "falcon" else "eager"
        model = made.from_pretrained(folder, config=config, attn_implementation=how)
    with torch.no_grad():
        out = model.eval()(**_inputs(model_type), **({} if model_type in _HEADS else {"use_cache": True}))
        seen = _seen(model, model_type) if "vision_config" in stored else None
    drop = ("transformers_version", "use_cache", "initializer_range", "dtype", "bos_token_id", "eos_token_id")
    layers = None if model_type in _HEADS else getattr(out.past_key_values, "layers", None)
    grow = [one for one in layers or () if one.keys is not None]  # others keep a state whose size no length changes
    kept = None if layers is None else [(one.keys.numel() + one.values.numel()) // one.keys.shape[-2] for one in grow]
    return {
        "name": name,
        "config": {key: value for key, value in stored.items() if key not in drop},
        "tensors": shapes,
        "cache": kept,
        "logits": _rounded(out.logits),
        **({} if seen is None else {"image": _rounded(seen)}),
    }


def _rounded(tensor: Any) -> list[list[float]]:
    return [[float(f"{value:.7g}") for value in row] for row in tensor.reshape(-1, tensor.shape[-1]).tolist()]


def _seen(model: Any, model_type: str) -> Any:
    """The vectors that a model has of the tests' image, which stand in the places of its tokens."""
    import torch

    own = model.config.vision_config
    patch, merge = own.patch_size, getattr(own, "spatial_merge_size", 1)
    channels, size = getattr(own, "num_channels", None) or own.in_channels, getattr(own, "image_size", None) or 24
    if own.model_type == "pixtral" or merge > 1:
        size = size // (patch * merge) * patch * merge
    pixels = torch.from_numpy(weight_values("pixels", (1, channels, size, size)))
    if model_type == "qwen2_vl":  # which takes patches in squares, each as often as a film has frames
        side, frames = size // (patch * merge), own.temporal_patch_size
        count = (side * merge) ** 2
        squares = pixels.reshape(channels, side, merge, patch, side, merge, patch).permute(1, 4, 2, 5, 0, 3, 6)
        patches = squares.reshape(count, channels, 1, patch**2).expand(count, channels, frames, patch**2)
        grid = torch.tensor([[1, side * merge, side * merge]])
        found = model.get_image_features(patches.reshape(count, -1), image_grid_thw=grid, return_dict=True)
    else:
        more = {"image_sizes": torch.tensor([[size, size]])} if own.model_type == "pixtral" else {}
        found = model.get_image_features(pixels, return_dict=True, **more)
    vectors = found.pooler_output
    return torch.cat(tuple(vectors)) if isinstance(vectors, list | tuple) else vectors


def _inputs(model_type: str) -> dict[str, Any]:
    import torch

    if model_type == "vit":
        return {"pixel_values": torch.from_numpy(weight_values("pixels", (1, 3, 12, 12)))}
    ids = torch.tensor([IDS])
    return {"input_ids": ids, **({"decoder_input_ids": ids[:, :5]} if model_type == "t5" else {})}


def main() -> None:
    """Write the file."""
    import torch
    import transformers

    torch.set_num_threads(1)
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    wanted = sys.argv[1:]
    known = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    rows: dict[str, Any] = {"made with": versions, "ids": IDS}
    for part, listed, make in (("counts", PUBLIC, count_row), ("logits", TINY, logits_row)):
        old = {row["name"]: row for row in known.get(part, ())}
        again = [name for name, *_ in listed if name not in old or part in wanted or name in wanted]
        rows[part] = [make(name, *rest) if name in again else old[name] for name, *rest in listed]
    lines = json.dumps(rows, separators=(",", ":")).replace('},{"name"', '},\n{"name"')
    TARGET.write_text(lines + "\n")


if __name__ == "__main__":
    main()
