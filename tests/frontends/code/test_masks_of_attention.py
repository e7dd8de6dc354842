"""Masks of attention in PyTorch: each is taken where PyTorch takes it, and what is proposed for another one works."""

import random
import re
from itertools import product

import pytest

from layerexplain.frontends.code.reader import read_code

HEAD = "import torch\nimport torch.nn as nn\n"
FORMS = {
    "MultiheadAttention(4, {heads}, batch_first={first})": ("x, y, y, ", "key_padding_mask", "attn_mask"),
    "TransformerEncoderLayer(4, {heads}, 8, batch_first={first})": ("x, ", "src_key_padding_mask", "src_mask"),
    "TransformerDecoderLayer(4, {heads}, 8, batch_first={first})": ("x, y, ", "memory_key_padding_mask", "memory_mask"),
}
"""Modules, the tensors that each is called on, and its arguments for a mask of keys and of pairs."""


def refused_by_pytorch(code: str) -> bool:
    try:
        exec(code, {})
    except (RuntimeError, AssertionError):
        return True
    return False


@pytest.mark.torch
@pytest.mark.parametrize("form", FORMS)
def test_masks_are_taken_as_pytorch_takes_them_and_what_is_proposed_works(form: str) -> None:
    draw = random.Random(form)
    tensors, padding, pairs = FORMS[form]
    seen = set()
    for heads, first, wrong in product((1, 2), (False, True), ("", "any", "turned", "of examples")):
        batch, queries, keys = draw.sample([2, 3, 5, 7], 3)
        keys = queries if "y" not in tensors else keys
        for name, shape in (
            (padding, (batch, keys)),
            (pairs, (queries, keys)),
            (pairs, (batch * heads, queries, keys)),
        ):
            given = {"any": tuple([draw.choice([batch, queries, keys]) for _ in shape]), "turned": shape[::-1],
                     "of examples": (batch, *shape[1:])}.get(wrong, shape)  # fmt: skip
            data = [(batch, n, 4) if first else (n, batch, 4) for n in (queries, keys)]
            lines = [f"model = nn.{form.format(heads=heads, first=first)}", f"x = torch.randn{data[0]}",
                     f"y = torch.randn{data[1]}", f"{name} = torch.zeros({given}, dtype=torch.bool)"]  # fmt: skip
            code = HEAD + "\n".join(lines)
            call = f"\nmodel({tensors}{name}={name})\n"
            faults = [str(one) for one in read_code((code + call).encode(), None).faults]
            assert bool(faults) == refused_by_pytorch(code + call), (code, faults)
            if faults:
                assert re.search(rf"{name} needs the shape .* got \(", faults[0])
                if cure := re.search(rf"write ({name}\.(?:T|repeat_interleave\(2, dim=0\)))", faults[0]):
                    seen.add(cure[1])
                    assert not refused_by_pytorch(f"{code}\n{name} = {cure[1]}{call}"), (code, cure[1])
    assert {f"{padding}.T", f"{pairs}.repeat_interleave(2, dim=0)"} <= seen
