"""Cases of the attention layers."""

import random
from typing import Any

from tests.cases import Case, Draw
from tests.cases.shapes import SIZES

SCORES = {"return_attention_scores": True}
CAUSAL = {"use_causal_mask": True}
BOOL = ("float32", "float32", "float32", "bool")
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
SMALL = {"num_heads": 2, "key_dim": 3}

CASES = [
    Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 8}, ((4, 16), (10, 16))),
    Case("MultiHeadAttention", {**SMALL, "value_dim": 5, "use_bias": False}, ((4, 7), (5, 3), (5, 2))),
    Case("MultiHeadAttention", {**SMALL, "output_shape": (2, 5)}, ((4, 7), (5, 3))),
    Case("MultiHeadAttention", {**SMALL, "output_shape": 5}, ((None, 7), (None, 3))),
    Case("MultiHeadAttention", {**SMALL, "output_shape": 0}, ((4, 7), (5, 3))),
    Case("MultiHeadAttention", {**SMALL, "use_gate": True, "value_dim": 5}, ((4, 7), (5, 3))),
    Case("MultiHeadAttention", {**SMALL, "attention_axes": [2]}, ((3, 4, 7), (3, 5, 2))),
    Case("MultiHeadAttention", {**SMALL, "attention_axes": -2}, ((3, 4, 7), (3, 5, 2))),
    Case("MultiHeadAttention", {**SMALL, "attention_axes": [2, 1]}, ((3, 4, 7), (2, 5, 7))),
    Case("MultiHeadAttention", {**SMALL, "attention_axes": -1}, ((3, 4, 7), (3, 4, 2))),
    Case("MultiHeadAttention", {**SMALL, "attention_axes": 0}, ((4, 7), (5, 3))),
    Case("MultiHeadAttention", SMALL, ((3, 4, 7), (2, 5, 7))),
    Case("MultiHeadAttention", SMALL, ((4, 7), (5, 3)), masks=(True, True)),
    Case("MultiHeadAttention", SMALL, ((4, 7), (4, 7)), masks=(True, True), call=SCORES | CAUSAL),
    Case("MultiHeadAttention", {**SMALL, "dropout": 0.5}, ((4, 7), (5, 3)), masks=(True, False)),
    Case("MultiHeadAttention", SMALL, ((5, 7), (5, 7)), call=CAUSAL),
    Case("MultiHeadAttention", {**SMALL, "sliding_window": 2}, ((5, 7), (5, 7))),
    Case("MultiHeadAttention", SMALL, ((4, 7), (5, 3), (5, 3), (4, 5)), BOOL),
    Case("MultiHeadAttention", SMALL, ((5, 7), (5, 3), (5, 3), (1, 5, 5)), BOOL, call=SCORES),
    Case("MultiHeadAttention", SMALL, ((4, 7), (5, 3), (5, 2)), masks=(False, True, True)),
    Case("MultiHeadAttention", SMALL, ((4, 7), (5, 3), (6, 2))),
    Case("MultiHeadAttention", SMALL, ((4, 7), (3, 5, 3))),
    Case("GroupQueryAttention", GROUPS, ((4, 7), (5, 7))),
    Case("GroupQueryAttention", {**GROUPS, "use_bias": False}, ((4, 7), (5, 7), (5, 3)), masks=(True, True, True)),
    Case("GroupQueryAttention", {**GROUPS, "use_gate": True}, ((5, 7), (5, 7)), call=SCORES | CAUSAL, masks=(True,)),
    Case("GroupQueryAttention", {**GROUPS, "num_key_value_heads": 3}, ((4, 7), (5, 7))),
    Case("GroupQueryAttention", GROUPS, ((4, 7), (5, 3))),
    Case("Attention", {}, ((4, 7), (5, 7))),
    Case("Attention", {"use_scale": True}, ((4, 7), (5, 3), (5, 7)), masks=(True, True, False), call=SCORES | CAUSAL),
    Case("Attention", {"score_mode": "concat"}, ((4, 7), (5, 7)), masks=(False, True)),
    Case("Attention", {"score_mode": "concat", "use_scale": True}, ((4, 7), (5, 7)), call=CAUSAL),
    Case("Attention", {"dropout": 0.3}, ((4, 7), (5, 7)), masks=(True, False)),
    Case("Attention", {}, ((3, 4, 7), (3, 5, 7))),
    Case("Attention", {}, ((4, 7), (5, 3))),
    Case("Attention", {"score_mode": "other"}, ((4, 7), (5, 7))),
    Case("Attention", {}, ((4, 7),)),
    Case("AdditiveAttention", {}, ((4, 7), (5, 7)), masks=(True, True)),
    Case("AdditiveAttention", {"use_scale": False}, ((4, 7), (5, 3), (5, 7)), call=SCORES),
    Case("AdditiveAttention", {}, ((4, 7), (5, 7)), call=CAUSAL),
]


def _call(rng: random.Random) -> dict[str, Any]:
    return {**(SCORES if rng.random() < 0.4 else {}), **(CAUSAL if rng.random() < 0.4 else {})}


def _multi_head(rng: random.Random) -> Case:
    config: dict[str, Any] = {"num_heads": rng.choice([1, 2, 3]), "key_dim": rng.choice(SIZES)}
    if rng.random() < 0.4:
        config["value_dim"] = rng.choice(SIZES)
    if rng.random() < 0.3:
        config["use_bias"] = False
    if rng.random() < 0.3:
        config["output_shape"] = rng.choice([5, (7,), (2, 3)])
    if rng.random() < 0.2:
        config["dropout"] = 0.3
    if rng.random() < 0.25:
        config["use_gate"] = True
    if rng.random() < 0.25:
        config["sliding_window"] = rng.choice([1, 2, 3])
    lead: tuple[int, ...] = ()
    wide = rng.random() < 0.2
    if wide:
        lead = (rng.choice(SIZES),)
        if rng.random() < 0.7:
            config["attention_axes"] = rng.choice([2, [2], (-2,)])
        config.pop("sliding_window", None)
    asked, offered = rng.choice(SIZES), rng.choice(SIZES)
    call = _call(rng)
    # Keras's own shape of the scores holds where there are as many queries as values, and one axis of them.
    if "return_attention_scores" in call:
        offered = asked
        if wide:
            call.pop("return_attention_scores")
    if wide:
        call.pop("use_causal_mask", None)
    shapes: list[tuple[int | None, ...]] = [(*lead, asked, 7), (*lead, offered, rng.choice(SIZES))]
    dtypes: tuple[str, ...] = ()
    masks = tuple(rng.random() < 0.5 for _ in range(2)) if not wide and rng.random() < 0.6 else ()
    if rng.random() < 0.5:
        shapes.append((*lead, offered, rng.choice(SIZES)))
        masks = (*masks, rng.random() < 0.5) if masks else ()
        if not wide and rng.random() < 0.5:
            shapes.append((asked, offered))
            dtypes = BOOL
    if rng.random() < 0.06:
        shapes[1] = (*lead, offered, 3, 3)
    return Case("MultiHeadAttention", config, tuple(shapes), dtypes, masks, call)


def _grouped(rng: random.Random) -> Case:
    shared = rng.choice([1, 2, 3])
    config: dict[str, Any] = {
        "head_dim": rng.choice(SIZES),
        "num_query_heads": shared * rng.choice([1, 2, 3]) + (rng.random() < 0.05),
        "num_key_value_heads": shared,
    }
    if rng.random() < 0.3:
        config["use_bias"] = False
    if rng.random() < 0.2:
        config["dropout"] = 0.3
    if rng.random() < 0.3:
        config["use_gate"] = True
    if rng.random() < 0.25:
        config["sliding_window"] = rng.choice([1, 2, 3])
    asked, offered, width = rng.choice(SIZES), rng.choice(SIZES), rng.choice(SIZES)
    shapes: list[tuple[int | None, ...]] = [(asked, width), (offered, width)]
    dtypes: tuple[str, ...] = ()
    if rng.random() < 0.5:
        shapes.append((offered, rng.choice(SIZES)))
        if rng.random() < 0.5:
            shapes.append((asked, offered))
            dtypes = BOOL
    if rng.random() < 0.06:
        shapes[1] = (offered, width + 1)
    masks = tuple(rng.random() < 0.5 for _ in shapes[:3]) if rng.random() < 0.6 else ()
    return Case("GroupQueryAttention", config, tuple(shapes), dtypes, masks, _call(rng))


def _single(type_: str) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {}
        if rng.random() < 0.5:
            config["use_scale"] = rng.random() < 0.6
        if rng.random() < 0.2:
            config["dropout"] = 0.3
        if type_ == "Attention" and rng.random() < 0.4:
            config["score_mode"] = rng.choice(["dot", "concat"])
        asked, offered, width = rng.choice(SIZES), rng.choice((*SIZES, None)), rng.choice(SIZES)
        shapes: list[tuple[int | None, ...]] = [(asked, width), (offered, width)]
        if rng.random() < 0.4:
            shapes = [(asked, width), (offered, rng.choice(SIZES)), (offered, width)]
        if rng.random() < 0.08:
            shapes[-1] = (offered, width + 1)
        masks = tuple(rng.random() < 0.6 for _ in shapes) if rng.random() < 0.6 else ()
        return Case(type_, config, tuple(shapes), masks=masks, call=_call(rng))

    return draw


DRAWS: dict[str, Draw] = {
    "AdditiveAttention": _single("AdditiveAttention"),
    "Attention": _single("Attention"),
    "GroupQueryAttention": _grouped,
    "MultiHeadAttention": _multi_head,
}
