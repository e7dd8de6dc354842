"""The values of a run on the page: they are those of `trace`, and what does not fit is left out and said."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.run.page_values import page_values
from tests.support.browser import rested, shown
from tests.support.commands import invoke

np = pytest.importorskip("numpy")

SPEC = b"""
input: [7, 5]
layers:
  - Conv1D: {filters: 3, kernel_size: 3, padding: same, activation: relu}
    name: conv
  - LSTM: {units: 4, return_sequences: true}
    name: lstm
  - Bidirectional: {GRU: {units: 2}}
    name: both
  - Dense: {units: 3, activation: softmax}
    name: dense
"""

GIVEN = np.random.default_rng(5).normal(size=(2, 7, 5)).astype("float32")

READ = """() => {
  const [heading, value] = [document.querySelector(".sumsresult").textContent, document.querySelector(".sumsresult b").textContent];
  return [heading.split(" = ")[0], Number(value.replace("∞", "Infinity"))];
}"""


@pytest.fixture(scope="module")
def page() -> str:
    return layerexplain.page(SPEC, values=GIVEN, weights="none")


def choose(page: Any, line: str, at: tuple[int, ...]) -> list[Any]:
    """What the page says of an element of a line of the layer that is shown."""
    button = page.locator(".readsline", has_text=re.compile(f"^{re.escape(line)}$"))
    if button.count():
        button.click()
    page.locator(f'[data-of="out"] [data-at="{",".join(map(str, at))}"]').hover()
    return list(page.evaluate(READ))


@pytest.mark.parametrize(
    ("layer", "line", "at"),
    [("conv", "y", (0, 3, 1)), ("lstm", "h", (0, 5, 2)), ("both", "y", (0, 3)), ("dense", "y", (0, 1))],
)
def test_the_chosen_element_has_the_value_of_trace(
    layer: str, line: str, at: tuple[int, ...], page: str, tmp_path: Path
) -> None:
    value = float(layerexplain.trace(SPEC, GIVEN)[layer][at])
    with shown(page, tmp_path, layer) as browser:
        name, told = choose(browser, line, at)
        assert name == f"{line}[{', '.join(map(str, at))}]"
        assert told == pytest.approx(value, rel=2e-3, abs=1e-5)


def test_a_sum_is_listed_term_by_term(page: str, tmp_path: Path) -> None:
    with shown(page, tmp_path, "conv") as browser:
        choose(browser, "y", (0, 0, 1))
        rows = browser.locator(".sumsterms tbody tr").all_inner_texts()
        # Of 3 × 5 products the padding takes 5.
        assert browser.inner_text(".sumsterms summary").startswith("Sum of 10 terms")
        assert rows[0].startswith(f"x[0, 0, 0] = {GIVEN[0, 0, 0]:.4g}")
        browser.locator(".sumsterms tbody tr").first.hover()
        assert browser.evaluate("[...document.querySelectorAll('.cells .term')].map(one => one.dataset.at)") == [
            "0,0,0",
            "1,0,1",
        ]


def test_arrow_keys_move_the_chosen_element(page: str, tmp_path: Path) -> None:
    with shown(page, tmp_path, "conv") as browser:
        browser.locator('[data-of="out"]').focus()
        before = browser.evaluate(READ)[0]
        browser.keyboard.press("ArrowDown")
        browser.keyboard.press("ArrowRight")
        assert before == "y[0, 3, 1]"
        assert browser.evaluate(READ)[0] == "y[0, 4, 2]"


def test_pictures_and_weights_are_drawn(page: str, tmp_path: Path) -> None:
    with shown(page, tmp_path, "lstm") as browser:
        assert browser.locator(".panel.values canvas").count() == 7
        assert browser.locator(".panel.spreads .histogram").count() == 3
        assert browser.locator("[style]").count() == 0
        for plot in browser.locator(".panel.spreads .histogram").all():
            most = max(float(bar.get_attribute("height") or 0) for bar in plot.locator("rect").all())
            assert most == 44, "the highest bar is as high as the axis"
            texts = plot.locator("text").all_text_contents()
            label = plot.get_attribute("aria-label")
            low, high = re.fullmatch(r"histogram from (\S+) to (\S+), at most (\d+) in a bar", label).group(1, 2)
            assert texts[:2] == [label.split()[-4], "0"], "how many, upward"
            assert [texts[2], texts[-1]] == [low, high], "which values, to the right"
            middles = [float(one.get_attribute("x")) for one in plot.locator("text").all()][2:]
            assert middles == sorted(middles)


def test_what_does_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    html = layerexplain.page(SPEC, values=GIVEN, max_values=700)
    with shown(html, tmp_path) as browser:
        said = browser.inner_text("#pane")
        assert "left out: the file may hold 700 bytes of values" in said
        assert "given; the first of its 2 examples is shown" in said
    with shown(html, tmp_path, "lstm") as browser:
        assert "do not fit into this file" in browser.inner_text(".panel.values")
        assert browser.locator(".panel.values canvas").count() == 1


def test_the_budget_holds_and_small_layers_come_first() -> None:
    model = read(SPEC)
    for budget in (0, 300, 700, 3000, 10**6):
        found = page_values(SPEC, model, GIVEN, budget=budget)
        stored = sum(4 * int(np.prod(array["shape"])) for array in found.arrays)
        assert stored <= budget
        assert bool(found.left) == (budget < 3000)
    found = page_values(SPEC, model, GIVEN, budget=300)
    assert {path for path, own in found.layers.items() if any(own.numbers)} == {"dense"}


ATTENTION = b"""
inputs: {tokens: [7]}
layers:
  - Embedding: {input_dim: 20, output_dim: 8}
    name: table
  - MultiHeadAttention: {num_heads: 2, key_dim: 4}
    name: attention
    from: [table, table]
"""


def test_the_page_says_which_input_is_which_and_what_values_select(tmp_path: Path) -> None:
    with shown(layerexplain.page(ATTENTION), tmp_path, "attention") as page:
        told = page.inner_text(".wiring").replace("\xa0", " ")
        assert told == "query = table (None, 7, 8), value = table (None, 7, 8) → (None, 7, 8)"
        page.evaluate("location.hash = 'table'")
        page.wait_for_selector("h2:text-is('table')")
        rested(page)
        # One of 20 rows, in the column of the element: 20 of 20 × 8 weights are possible.
        assert page.inner_text(".readsstatus").endswith("reads 1 of 7 in ids, what values select among 20 of 160 in E.")


def test_a_layer_that_reads_text_has_no_numbers() -> None:
    text = "{shape: [3], dtype: string}"
    model = read(
        f"inputs: {{a: {text}, b: {text}}}\nlayers:\n  - ops.Equal:\n    name: same\n    from: [a, b]\n".encode()
    )
    given = {"a": np.array([["p", "q", "r"]], dtype=object), "b": np.array([["p", "x", "r"]], dtype=object)}
    found = page_values(model, model, given)
    assert found.arrays == () and found.layers["same"].left == "text is not shown"
    assert len(found.layers["same"].pictures) == 1  # of what comes out, which is no text


def test_only_wanted_layers_have_values() -> None:
    found = page_values(SPEC, read(SPEC), GIVEN, wanted=lambda path: path == "conv")
    assert list(found.layers) == ["conv"]


def test_a_report_has_nothing_to_run() -> None:
    with pytest.raises(LayerExplainError, match="values cannot be used with a report"):
        layerexplain.page(layerexplain.explain(SPEC), values=GIVEN)


def run(folder: Path, *options: str) -> Any:
    (folder / "spec.yaml").write_bytes(SPEC)
    return invoke("page", folder / "spec.yaml", *options)


def test_input_takes_values_and_shapes(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GIVEN)
    made = run(tmp_path, "--values", str(tmp_path / "x.npy"), "--layers", "con*")
    assert made.exit_code == 0, made.output
    assert made.output == run(tmp_path, "--values", str(tmp_path / "x.npy"), "--layers", "conv").output
    assert len(run(tmp_path, "--input", "7,5").output) < len(made.output)
    wrong = run(tmp_path, "--layers", "conv")
    assert wrong.exit_code == 2
    assert "need the values of an input, as in --values random" in wrong.output
    missing = run(tmp_path, "--values", "nothing.npy")
    assert missing.exit_code == 1
    assert "nothing.npy: no such file" in missing.output


def test_a_model_with_errors_is_shown_without_values(tmp_path: Path) -> None:
    source = tmp_path / "model.yaml"
    source.write_text("input: [7, 5]\nlayers:\n  - Dense: 3\n  - Conv2D: {filters: 4, kernel_size: 3}\n  - Dens: 3\n")

    def page(*options: str) -> Any:
        return invoke("page", source, *options)

    without = page()
    assert without.exit_code == 1 and without.stderr.count("layerexplain: error: ") == 2
    np.save(tmp_path / "x.npy", GIVEN)
    for options in (["--input", "random"], ["--input", str(tmp_path / "x.npy"), "--values", "dense"]):
        made = page(*options)
        assert made.exit_code == 1
        assert made.stdout == without.stdout
        note, _, errors = made.stderr.partition("\n")
        assert note == "layerexplain: note: the page has no values, because a model with errors cannot be run"
        assert errors == without.stderr


def test_a_picture_is_an_input(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, which the extra 'images' has")
    pixels = np.arange(5 * 7 * 3, dtype="uint8").reshape(5, 7, 3)
    image.fromarray(pixels).save(tmp_path / "x.png")
    model = read(b"input: [5, 7, 3]\nlayers:\n  - Flatten\n")
    given = layerexplain.api.make_inputs(model, [str(tmp_path / "x.png")])
    assert (given[0].array == pixels[None]).all()
    smaller = read(b"input: [3, 2, 1]\nlayers:\n  - Flatten\n")
    assert layerexplain.api.make_inputs(smaller, [str(tmp_path / "x.png")])[0].array.shape == (1, 3, 2, 1)
    with pytest.raises(LayerExplainError, match="is a picture"):
        layerexplain.api.make_inputs(read(SPEC), [str(tmp_path / "x.png")])
    (tmp_path / "bad.png").write_bytes((tmp_path / "x.png").read_bytes()[:40])
    with pytest.raises(LayerExplainError, match="is damaged"):
        layerexplain.api.make_inputs(model, [str(tmp_path / "bad.png")])


def test_a_query_that_may_attend_to_nothing_has_the_weights_that_keras_gives_it() -> None:
    """All its scores are -1e9: e to these is 0 in floats, and 0 / 0 is no number."""
    model = read(b"""
input: [5]
layers:
  - Embedding: {input_dim: 7, output_dim: 3, mask_zero: true}
    name: words
  - MultiHeadAttention: {num_heads: 2, key_dim: 3}
    name: attention
    from: [words, words]
""")
    values = page_values(model, model, np.array([[2, 3, 0, 5, 0]]))
    (form,) = [one for one in values.forms.data if any(line["name"] == "A" for line in one["lines"])]
    at = len(form["tensors"]) + [line["name"] for line in form["lines"]].index("A")
    packed = values.arrays[values.layers["attention"].numbers[0][at]]
    weights = np.frombuffer(base64.b64decode(packed["data"]), "<f4").reshape(packed["shape"])
    assert weights.shape == (1, 2, 5, 5) and np.allclose(weights.sum(-1), 1)
    assert np.allclose(weights[0, :, [2, 4]], 1 / 5) and np.all(weights[0, :, 0, [2, 4]] == 0)
