"""The page of a model of text reads out: what is likely after each token, a temperature, and the text with it appended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.run.test_page_runs import ran
from tests.support.browser import NEXT_FRAME, until

np = pytest.importorskip("numpy")

IDS = np.array([[5, 3, 12, 7, 0, 9, 14]])
SPEC = b"""
inputs: {ids: {shape: [7], dtype: int32}}
layers:
  - Embedding: {input_dim: 16, output_dim: 12}
    name: words
  - MultiHeadAttention: {num_heads: 3, key_dim: 4, use_causal_mask: true}
    name: look
    from: [words, words]
  - Add:
    from: [look, words]
  - Dense: {units: 16%s}
    name: next
"""
PIXELS = "Array.from(layerexplain.data.live.program.tensors[0].buffer.values)"


def shares(spec: bytes, ids: Any, step: int, temperature: float) -> Any:
    """How likely each id is after a step, from the formulas in NumPy."""
    z = layerexplain.trace(spec, ids)["next"][0, step].astype("float64")
    z = (np.log(z) if b"softmax" in spec else z) / temperature
    e = np.exp(z - z.max())
    return e / e.sum()


def assert_bars(page: Any, wanted: Any) -> None:
    """The ten likeliest ids are listed with their shares."""
    bars = page.locator(".playoutput .playbar")
    order = np.argsort(-wanted)[:10]
    assert bars.locator(".playlabel").all_inner_texts() == [str(one) for one in order]
    said = [float(one.rstrip(" %")) for one in bars.locator(".playvalue").all_inner_texts()]
    assert np.allclose(said, 100 * wanted[order], atol=0.06)


@pytest.mark.parametrize("activation", [b"", b", activation: softmax"], ids=["logits", "shares"])
def test_the_likeliest_ids_after_each_token_are_those_of_the_model(activation: bytes, tmp_path: Path) -> None:
    spec = SPEC % activation
    with ran(layerexplain.page(spec, values=IDS, weights="f32"), tmp_path) as page:
        assert page.locator(".token").all_inner_texts() == [str(one) for one in IDS[0]]
        assert_bars(page, shares(spec, IDS, 6, 1))
        page.locator(".token").nth(2).click()
        assert_bars(page, shares(spec, IDS, 2, 1))
        heat = page.get_by_label("Temperature")
        heat.evaluate("e => { e.value = '0.4'; e.dispatchEvent(new Event('input')); }")
        assert_bars(page, shares(spec, IDS, 2, 0.4))


def test_append_extends_the_text_and_runs_again(tmp_path: Path) -> None:
    spec = SPEC % b""
    with ran(layerexplain.page(spec, values=IDS, weights="f32"), tmp_path) as page:
        page.fill(".playids", "5 3 12")
        page.get_by_label("Temperature").evaluate("e => { e.value = '0'; e.dispatchEvent(new Event('input')); }")
        text = [5, 3, 12]
        # A text that has become as long as the model takes loses its first token.
        for _ in range(6):
            padded = np.array([text + [0] * (7 - len(text))])
            until(page, f"({PIXELS}).join() === '{','.join(map(str, padded[0]))}'")
            page.evaluate(NEXT_FRAME)
            best = int(np.argmax(layerexplain.trace(spec, padded)["next"][0, len(text) - 1]))
            page.get_by_role("button", name="Append").click()
            text = [*text, best][-7:]
        tokens = "Array.from(document.querySelectorAll('.token'), (one) => one.innerText).join()"
        until(page, f"{tokens} === '{','.join(map(str, text))}'")
        assert page.input_value(".playids") == " ".join(map(str, text))
