"""Cases of quantized layers and of LoRA: Keras takes a policy by its short name, files hold it as an object."""

import random
from collections.abc import Callable
from typing import Any

from tests.cases import Case, Draw

INT8 = "int8_from_float32"
INT4 = "int4/4_from_float32"
INT4_PLAIN = "int4/-1_from_float32"
FLOAT8 = "float8_from_float32"
REVERSE = {"reverse": True}
HEADS = {"equation": "btd,dnh->btnh", "output_shape": (4, 3, 5), "bias_axes": "nh"}

CASES = [
    *[Case("Dense", {"units": 5, "dtype": policy}, ((7,),)) for policy in (INT8, INT4, INT4_PLAIN, FLOAT8)],
    Case("Dense", {"units": 5, "lora_rank": 2, "lora_alpha": 3}, ((4, 7),)),
    Case("Dense", {"units": 4, "use_bias": False, "lora_rank": 2, "dtype": INT8}, ((None, 7),)),
    Case("Dense", {"units": 4, "activation": "relu", "lora_rank": 2, "lora_alpha": 1, "dtype": INT4}, ((7,),)),
    *[Case("EinsumDense", {**HEADS, "dtype": policy}, ((4, 7),)) for policy in (INT8, INT4, INT4_PLAIN, FLOAT8)],
    Case("EinsumDense", {**HEADS, "lora_rank": 2, "dtype": INT8}, ((4, 7),)),
    Case("EinsumDense", {"equation": "btnh,nhd->btd", "output_shape": (4, 5), "dtype": INT8}, ((4, 2, 3),)),
    Case("EinsumDense", {"equation": "btnh,nhd->btd", "output_shape": (4, 5), "dtype": INT4}, ((4, 2, 3),)),
    Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": (4,), "dtype": INT8}, ((3, 7),)),
    *[Case(type_, {"input_dim": 9, "output_dim": 5, "dtype": policy}, ((4,),), ("int",)) for type_ in ("Embedding",
        "ReversibleEmbedding") for policy in (INT8, INT4, INT4_PLAIN)],
    Case("Embedding", {"input_dim": 9, "output_dim": 5, "lora_rank": 2, "lora_alpha": 3}, ((4,),), ("int",)),
    Case("ReversibleEmbedding", {"input_dim": 9, "output_dim": 5, "mask_zero": True}, ((4,),), ("int",)),
    *[Case("ReversibleEmbedding", {"input_dim": 9, "output_dim": 5, "tie_weights": tied, "dtype": policy}, ((4, 5),),
        call=REVERSE) for tied in (True, False) for policy in ("float32", INT8, INT4, INT4_PLAIN)],
]  # fmt: skip


def with_lora(rng: random.Random, config: dict[str, Any]) -> dict[str, Any]:
    """LoRA half of the time."""
    if rng.random() < 0.5:
        config["lora_rank"] = rng.choice([1, 2, 3])
        if rng.random() < 0.5:
            config["lora_alpha"] = rng.choice([1, 3, 4.5])
    return config


def policy(rng: random.Random) -> str:
    """A policy whose blocks are of some size."""
    return rng.choice([INT8, INT8, INT4, "int4/3_from_float32", INT4_PLAIN])


def _dense(rng: random.Random) -> dict[str, Any]:
    config = with_lora(rng, {"units": rng.randint(1, 7), "use_bias": rng.random() < 0.7})
    if rng.random() < 0.3:
        config["activation"] = rng.choice(["relu", "tanh", "softmax"])
    return config


def draw_dense(rng: random.Random) -> Case:
    """Dense with a policy, with LoRA, or both."""
    config = _dense(rng)
    if "lora_rank" not in config and rng.random() < 0.3:
        config["dtype"] = FLOAT8
    elif "lora_rank" not in config or rng.random() < 0.7:
        config["dtype"] = policy(rng)
    return Case("Dense", config, ((*rng.choice([(), (3,), (None,)]), rng.choice([3, 5, 8])),))


def draw_einsum(rng: random.Random) -> Case:
    """EinsumDense with a policy, with LoRA, or both."""
    equation, output, bias, x = rng.choice(
        [
            ("btd,dnh->btnh", (4, 2, 3), "nh", (4, 7)),
            ("btnh,nhd->btd", (4, 5), "d", (4, 2, 3)),
            ("abc,cd->abd", (3, 6), "d", (3, 5)),
            ("...x,xy->...y", (4,), "y", (3, 7)),
        ]
    )
    config = with_lora(rng, {"equation": equation, "output_shape": output})
    if rng.random() < 0.6:
        config["bias_axes"] = bias
    if "lora_rank" not in config and rng.random() < 0.3:
        config["dtype"] = FLOAT8
    elif "lora_rank" not in config or rng.random() < 0.7:
        config["dtype"] = policy(rng)
    return Case("EinsumDense", config, (x,))


def draw_embedding(rng: random.Random) -> Case:
    """Embedding with a policy, with LoRA, or both."""
    config = with_lora(rng, {"input_dim": rng.randint(2, 9), "output_dim": rng.randint(1, 7)})
    if "lora_rank" not in config or rng.random() < 0.7:
        config["dtype"] = policy(rng)
    return Case("Embedding", config, ((rng.choice([3, None]),),), ("int",))


COMPRESSED: dict[str, Callable[[random.Random], Case]] = {
    "Dense": draw_dense,
    "EinsumDense": draw_einsum,
    "Embedding": draw_embedding,
}
"""Draws of types whose plain form has draws elsewhere; tests/layers/test_quantization.py runs them."""


def _reversible(rng: random.Random) -> Case:
    ids, width = rng.randint(2, 9), rng.randint(1, 7)
    config: dict[str, Any] = {"input_dim": ids, "output_dim": width}
    if rng.random() < 0.5:
        config["tie_weights"] = rng.random() < 0.5
    if rng.random() < 0.5:
        config["dtype"] = policy(rng)
    # Keras cannot build it with LoRA and a table of its own for the way back: the layer is locked by then.
    if config.get("tie_weights", True) or "dtype" in config:
        with_lora(rng, config)
    if rng.random() < 0.3:
        config["logit_soft_cap"] = rng.choice([5.0, 30])
    if rng.random() < 0.5:
        x = (rng.choice([3, None]), width if rng.random() < 0.95 else width + 1)
        return Case("ReversibleEmbedding", config, (x,), call=REVERSE)
    return Case("ReversibleEmbedding", config, ((rng.choice([3, None]),),), ("int",))


DRAWS: dict[str, Draw] = {"ReversibleEmbedding": _reversible}
