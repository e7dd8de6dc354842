"""The keys of configurations: of which kind each value is, the one reader of them, and which keys a row reads."""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from layerexplain.errors import FormulaError, LayerExplainError, SourceError, did_you_mean
from layerexplain.frontends.hugging_face.architecture import Architecture, architecture, model_types
from layerexplain.lang.names import uses
from layerexplain.lang.settings import attribute, holds
from layerexplain.lang.syntax import ast, checked_expression, checked_tree
from layerexplain.model import ForeignFunction
from layerexplain.records import NamedTuple

# Keys ---------------------------------------------------------------------------------------------------------------

MOST_LAYERS = 10_000
"""Layers of a stack."""

_LARGEST = 10**18


class KeyKind(NamedTuple):
    """What the values of a key are, in words, and whether one is so."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= _LARGEST


def _list_of(words: str, fits: Callable[[Any], bool]) -> KeyKind:
    return KeyKind(f"a list of {words}", lambda value: isinstance(value, list | tuple) and all(map(fits, value)))


def _is_run(value: Any) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    return is_pair and _KINDS["texts"].fits(value[0]) and _is_whole(value[1]) and 0 <= value[1] <= MOST_LAYERS


_KINDS: Mapping[str, KeyKind] = {
    "size": KeyKind("a whole number from 1 on", lambda value: _is_whole(value) and value >= 1),
    "count": KeyKind("a whole number from 0 on", lambda value: _is_whole(value) and value >= 0),
    "whole": KeyKind("a whole number", _is_whole),
    "number": KeyKind("a number", _is_number),
    "amount": KeyKind("a number from 0 on", lambda value: _is_number(value) and value >= 0),
    "positive": KeyKind("a positive number", lambda value: _is_number(value) and value > 0),
    "flag": KeyKind("true or false", lambda value: isinstance(value, bool)),
    "text": KeyKind("a text", lambda value: isinstance(value, str)),
    "texts": _list_of("texts", lambda value: isinstance(value, str)),
    "counts": _list_of("whole numbers from 0 on", lambda value: _is_whole(value) and value >= 0),
    "positives": _list_of("positive numbers", lambda value: _is_number(value) and value > 0),
    "runs": _list_of("lists, each of texts and how often they follow one another", _is_run),
    "mapping": KeyKind("a mapping", lambda value: isinstance(value, Mapping)),
    "labels": KeyKind("a mapping or a list", lambda value: isinstance(value, Mapping | list | tuple)),
}

_KEYS = {
    "size": "hidden_size n_embd d_model dim embed_dim n_embed num_hidden_layers n_layer n_layers num_layers depth "
    "num_decoder_layers num_attention_heads n_head n_heads num_heads num_key_value_heads num_kv_heads head_dim d_kv "
    "intermediate_size n_inner d_ff ffn_dim ffn_hidden_size hidden_dim vocab_size max_position_embeddings n_positions "
    "original_max_position_embeddings type_vocab_size word_embed_proj_dim window_size "
    "sliding_window_pattern num_local_experts num_experts n_routed_experts num_experts_per_tok moe_intermediate_size "
    "shared_expert_intermediate_size decoder_sparse_step n_group topk_group q_lora_rank kv_lora_rank qk_nope_head_dim "
    "qk_rope_head_dim v_head_dim relative_attention_num_buckets relative_attention_max_distance image_size patch_size "
    "num_channels in_channels temporal_patch_size spatial_merge_size mlp_ratio mm_tokens_per_image pooler_output_size "
    "num_labels no_rope_layer_interval",
    "count": "sliding_window max_window_layers first_k_dense_replace n_shared_experts num_ln_in_parallel_attn "
    "pad_token_id",
    "whole": "vision_feature_layer",
    "number": "logit_scale embedding_multiplier residual_multiplier routed_scaling_factor "
    "full_attn_alpha_factor full_attn_beta_factor linear_attn_alpha_factor linear_attn_beta_factor mlp_alpha_factor "
    "mlp_beta_factor swiglu_alpha",
    "amount": "mscale mscale_all_dim",
    "positive": "rms_norm_eps layer_norm_eps layer_norm_epsilon norm_epsilon norm_eps query_pre_attn_scalar "
    "final_logit_softcapping attn_logit_softcapping attention_multiplier logits_scaling rope_theta rotary_emb_base "
    "rope_local_base_freq partial_rotary_factor factor low_freq_factor high_freq_factor beta_fast beta_slow "
    "attention_factor alpha swiglu_limit",
    "flag": "attention_bias mlp_bias use_bias bias qkv_bias enable_bias use_qkv_bias multimodal_projector_bias "
    "tie_word_embeddings use_sliding_window norm_topk_prob use_qk_norm qk_layernorm use_parallel_residual alibi "
    "multi_query parallel_attn new_decoder_architecture apply_residual_connection_post_layernorm scale_attn_weights "
    "scale_attn_by_inverse_layer_idx do_layer_norm_before layer_norm_elementwise_affine _remove_final_layer_norm "
    "is_decoder sinusoidal_pos_embds vision_use_head truncate rope_interleave use_bidirectional_attention "
    "is_encoder_decoder add_cross_attention",
    "text": "hidden_act hidden_activation activation_function activation feed_forward_proj projector_hidden_act "
    "pooler_act position_embedding_type topk_method rope_type type dtype torch_dtype model_type "
    "vision_feature_select_strategy rotary_kind",
    "texts": "layer_types mlp_layer_types architectures",
    "counts": "mlp_only_layers no_rope_layers",
    "positives": "short_factor long_factor",
    "runs": "attention_types",
    "mapping": "rope_parameters rope_scaling text_config vision_config",
    "labels": "id2label",
}
KIND_OF: Mapping[str, KeyKind] = {key: _KINDS[kind] for kind, keys in _KEYS.items() for key in keys.split()}
"""The kind of each key that is read; a key means the same in every architecture."""

_NULLS = frozenset(
    [
        *["sliding_window", "head_dim", "num_key_value_heads", "q_lora_rank", "vision_feature_layer", "layer_types"],
        *["final_logit_softcapping", "attn_logit_softcapping"],
    ]
)
"""Keys whose null says something: no window, no low rank. Any other null is what the architecture has by default."""

ROTARY_KEYS = frozenset(
    [
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
        "rope_local_base_freq",
        "partial_rotary_factor",
        "max_position_embeddings",
        "original_max_position_embeddings",
    ]
)
_OF_ANY_MODEL = frozenset(
    ["model_type", "architectures", "dtype", "torch_dtype", "id2label", "num_labels", "tie_word_embeddings"]
)

_WITHOUT_EFFECT = re.compile(
    r"_.*|.*(dropout|drop|pdrop|layerdrop)(_prob|_rate|out)?|.*_token(_id|_index)s?|initializer.*|init_.*|output_.*|"
    r"summary_.*|router_(aux_loss_coef|jitter_noise|z_loss_coef)|.*_version|use_cache|return_dict(_in_generate)?|"
    r"label2id|problem_type|pretraining_tp|is_encoder_decoder|add_cross_attention|cross_attention_hidden_size|"
    r"chunk_size_feed_forward|slow_but_exact|.*softmax_in_fp32|reorder_and_upcast_attn|attn_implementation|auto_map|"
    r"seq_aux|aux_loss_alpha|ep_size|num_nextn_predict_layers|num_mtp_layers|tokenizer_class|cache_implementation|"
    r"max_length|min_length|do_sample|temperature|top_[kp]|num_beams|task_specific_params|quantization_config|"
    r"mrope_section|max_position_embeddings|image_seq_length|encoder_stride|projection_dim|video_.*|keys_to_ignore.*|"
    r"gradient_checkpointing|name_or_path|use_sliding_window|sliding_window|max_window_layers|qk_head_dim|"
    r"dense_act_fn|is_gated_act|scale_decoder_outputs|n_ctx|prefix|pruned_heads|finetuning_task|ignore_index|"
    r"block_size|attention_layers|moe_layer_freq|scale_factor|is_decoder"
)  # fmt: skip
"""Keys that neither parameters nor what is computed at inference depend on where no row reads them."""


@cache
def expression_of(text: str) -> ast.expr:
    """Return the tree of an expression, read once."""
    return checked_expression(text, choices=True)


@cache
def tree_of(formula: str) -> ast.Module:
    """Return the tree of a formula of blocks, read once."""
    return checked_tree(formula, choices=True)


def typed(owner: str, key: str, value: Any, name: str = "") -> Any:
    """Return a value of a key if it is of the key's kind. Raises SourceError otherwise; `name` is what the key is
    called there."""
    kind = KIND_OF[key]
    if not kind.fits(value):
        raise SourceError(f"{owner} needs {name or key} to be {kind.words}, got {value!r:.40}")
    return value


def read_values(row: Architecture, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the keys that a row reads, those that a configuration leaves out by the row's defaults.

    Raises SourceError for a value of another kind.
    """
    values = {**row.defaults}
    keys = keys_read(row)
    for name, value in document.items():
        key = row.aliases.get(name, name)
        if key not in keys or key not in KIND_OF:
            values[name] = value
        elif value is None and (key in _NULLS or key not in values):
            values[key] = None
        elif value is not None and (name == key or document.get(key) is None):
            values[key] = typed(row.type, key, value, name)
    return values


def keys_not_read(row: Architecture, document: Mapping[str, Any]) -> list[str]:
    """Return the keys of a configuration that are not read although something might depend on them."""
    read = keys_read(row) | row.aliases.keys() | {*row.unused}
    return [
        key
        for key, value in document.items()
        if not (value is None or key in read or _WITHOUT_EFFECT.fullmatch(key) or key.startswith("vision_"))
    ]


@cache
def _keys_read(model_type: str, text_type: str) -> frozenset[str]:
    row = architecture(model_type, text_type)
    trees: list[ast.AST] = [tree_of(item) for item in (row.model, row.images) if item]
    trees += [expression_of(item) for item in (*row.must, *sum(row.inputs.values(), ())) if isinstance(item, str)]
    reached: set[str] = set()
    while trees:
        used = uses(trees.pop())
        for name in {*used.called, *used.tensors, *used.values, *used.conditions} - reached:
            reached.add(name)
            key, default = row.of_layer.get(name, ("", None))
            reached.add(key)
            texts = [row.fields.get(name), row.roots.get(name), default]
            texts += [text for block in row.blocks.get(name, {}).values() for text in block.values()]
            trees += [expression_of(text) for text in texts if isinstance(text, str) and text]
            if name in row.stacks:
                stack = row.stacks[name]
                trees += [expression_of(stack.number), expression_of(stack.first), tree_of(stack.formula)]
    if "theta" in reached:
        reached |= ROTARY_KEYS
    if "is_dense" in reached:
        reached.add("mlp_only_layers")
    return frozenset(reached | _OF_ANY_MODEL | {row.text, row.vision})


def keys_read(row: Architecture) -> frozenset[str]:
    """Return the names that the formulas of a row come to: those of keys, and of what is computed from them."""
    return _keys_read(row.type, row.text_type)


def row_of(model_type: str, document: Mapping[str, Any], text_type: str = "") -> Architecture:
    """Return the row of a model type. Raises SourceError where there is none, which says what the keys resemble."""
    if text_type in ("", *model_types()) and model_type in model_types():
        return architecture(model_type, text_type)
    unknown = text_type if model_type in model_types() else model_type
    like = resembling(document)
    words = f"known types: {', '.join(model_types())}" if like is None else like[1]
    raise SourceError(f"has the model_type {unknown[:60]!r}, whose formulas are not known; {words}")


def resembling(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the row that the keys of a configuration resemble most, and in words which keys differ; None where none
    does."""
    own = {key for key, value in document.items() if value is not None and not _WITHOUT_EFFECT.fullmatch(key)}
    own -= _OF_ANY_MODEL
    best, like, beside, lacking = 2, "", set[str](), set[str]()
    for name in model_types():
        row = architecture(name)
        read = {key for key in keys_read(row) & KIND_OF.keys() if row.fields.get(key, key) == key} - _OF_ANY_MODEL
        usual = {row.aliases.get(key, key) for key in own}
        listed = {key for key, _ in row.of_layer.values()}
        missing, more = read - row.defaults.keys() - ROTARY_KEYS - usual - listed, usual - read - ROTARY_KEYS
        score = len(usual & read) - 2 * len(more) - len(missing)
        if score > best:
            best, like, beside, lacking = score, name, more, missing
    if not like:
        return None
    differences = [("it also has", beside), ("it lacks", lacking)]
    parts = [f"{words} {', '.join(sorted(keys)[:6])}" for words, keys in differences if keys]
    return like, f"its keys resemble those of {like}" + (f": {'; '.join(parts)}" if parts else "")


# Values -------------------------------------------------------------------------------------------------------------
# What a row of an architecture says of one configuration: its fields checked, its names computed, its conditions.

Values = Mapping[str, Any]

_TANH_FORMS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh")
_ACTIVATIONS: Mapping[str, Any] = {
    **{name: ForeignFunction("gelu_tanh") for name in _TANH_FORMS},
    "quick_gelu": ForeignFunction("quick_gelu"),
    **{name: name for name in ("gelu", "relu", "silu", "tanh", "sigmoid", "relu6", "mish", "linear")},
    "relu2": ForeignFunction("relu_squared"),
    "swish": "silu",
    "gelu_python": "gelu",
}
"""transformers' names of activations."""


_NAME = re.compile(r"[^\W\d]\w*")
_DIVIDES = re.compile(r"(\w+) % (\w+) == 0")
_MOST_TRIED = 100_000
"""Widths up to this are searched for a divisor."""


def value_of(expression: Any, values: Values) -> Any:
    """Return the value of an expression of a row. Raises `LayerExplainError`."""
    if not isinstance(expression, str):
        return expression
    node = expression_of(expression)
    if isinstance(node, ast.Compare | ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return holds(node, values)
    return attribute(node, values)


def configured(row: Architecture, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row's names for one configuration. Raises SourceError for one that lacks a field or has a
    value that cannot be."""
    values = read_values(row, document)
    defined: dict[str, Any] = {}
    settings = ChainMap(defined, values)
    for name, expression in row.fields.items():
        defined[name] = _field(row, name, expression, settings)
    for name, expression in row.roots.items():
        number = _field(row, name, expression, settings)
        if not isinstance(number, int | float) or number <= 0:
            raise SourceError(f"{row.type} needs {expression} to be a positive number, got {number!r:.40}")
        root = math.sqrt(number)
        defined[name] = int(root) if root.is_integer() else root
    for condition in row.must:
        if not value_of(condition, settings):
            raise SourceError(f"{row.type} needs {_needed(row, condition, settings)}")
    return dict(settings)


def _needed(row: Architecture, condition: str, settings: Values) -> str:
    """Return a condition that does not hold in the configuration's own names, what it is now, and what would hold."""
    shown = {name: _own_name(row, name) for name in dict.fromkeys(uses(expression_of(condition)).tensors)}
    got = ", ".join([f"{shown[name]}={settings[name]!r:.40}" for name in shown if settings[name] is not None])
    if condition.startswith("not "):
        return f"{shown[condition[4:]]}=false, got {got}; no formula is known for the other"
    divides = _DIVIDES.fullmatch(condition.rpartition(" or ")[2])
    if divides is None:
        return f"{_NAME.sub(lambda name: shown.get(name[0], name[0]), condition)}, got {got}"
    whole, part = value_of(divides[1], settings), value_of(divides[2], settings)
    cure = ""
    if type(whole) is int is type(part) and 0 < whole < _MOST_TRIED and not divides[2].isdecimal():
        divisors = [number for number in range(1, whole + 1) if whole % number == 0]
        cure = f"; the nearest is {min(divisors, key=lambda number: abs(number - part))}"
    return f"{shown.get(divides[2], divides[2])} to divide {shown[divides[1]]}, got {got}{cure}"


def _own_name(row: Architecture, name: str) -> str:
    """Return the key of the configuration that a row's name stands for."""
    expression = row.fields.get(name)
    if not isinstance(expression, str):
        return name
    used = uses(expression_of(expression))
    first = next((condition for condition in (*used.conditions, *used.tensors) if condition != name), None)
    return name if first is None else _own_name(row, first)


_SIZES = frozenset(
    [
        "width",
        "layers",
        "heads",
        "kv_heads",
        "head_width",
        "hidden",
        "vocabulary",
        "positions_known",
        "image",
        "patch",
        "merge",
    ]
)


def _field(row: Architecture, name: str, expression: Any, settings: Values) -> Any:
    if isinstance(expression, str):
        used = uses(expression_of(expression))
        for tensor in (*used.tensors, *used.conditions):
            if tensor not in settings:
                known = did_you_mean(tensor, settings, before="; ")
                raise SourceError(f"{row.type} needs {tensor}, which the configuration does not have{known}")
    try:
        value = value_of(expression, settings)
    except (FormulaError, LayerExplainError) as error:
        raise SourceError(f"{row.type} needs {name} = {expression}: {error.fact}") from None
    if name in _SIZES:
        typed(row.type, "hidden_size", value, expression)
    if name == "layers" and value > MOST_LAYERS:
        raise SourceError(f"{row.type} needs {expression} to be at most {MOST_LAYERS:,}, got {value:,}")
    if name.endswith("activation"):
        return _activation(row, value)
    return value


def _activation(row: Architecture, name: Any) -> Any:
    if typed(row.type, "hidden_act", name, "the activation") not in _ACTIVATIONS:
        listed = ", ".join(_ACTIVATIONS)
        raise SourceError(f"{row.type} needs the activation to be one of {listed}, got {name!r:.40}")
    return _ACTIVATIONS[name]
