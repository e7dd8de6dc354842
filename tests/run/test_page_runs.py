"""The page runs its model: each layer gives what it gives in Keras, and what is changed by hand is run anew."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

import layerexplain
from layerexplain.derive.element.data import element_data
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.frontends import read_for_weights
from layerexplain.lang.axes import BATCH
from layerexplain.ops import load_all
from layerexplain.render.page.shell import script
from layerexplain.report.element_forms import form_of
from layerexplain.run.page_program import NoProgram, page_program
from tests.support.browser import NEXT_FRAME, rested, shown, until
from tests.support.commands import invoke
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.page_models import MODELS, assert_close, drawn, of_page
from tests.support.paths import ROOT

np = pytest.importorskip("numpy")

load_all()

DIGITS = str(ROOT / "sample_models" / "digits.keras")


# Against Keras ------------------------------------------------------------------------------------------------------


@pytest.mark.keras
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_each_layer_gives_what_it_gives_in_keras(build: Callable[[Any], Any], tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(5)
    model, inputs = build(keras)
    for layer in model.layers:
        # Statistics and scales as they are after training, where each number tells.
        layer.set_weights([w + 0.3 * np.abs(drawn(*w.shape)) if w.ndim < 2 else w for w in layer.get_weights()])
    model.save(tmp_path / "model.keras")
    single = {layer.name: layer.output for layer in model.layers if len(layer._inbound_nodes) == 1}
    wanted = keras.Model(model.inputs, single)([inputs[one.name] for one in model.inputs], training=False)
    wanted = {name: np.asarray(value) for name, value in wanted.items() if not isinstance(value, dict)}
    for source, weights, within in ((model, "half", 2e-3), (str(tmp_path / "model.keras"), "f32", 1e-5)):
        html = layerexplain.page(source, weights=weights)
        with shown(html, tmp_path) as page:
            assert page.evaluate("window.layerexplain.refused()") == {}
            assert_close(of_page(page, inputs), wanted, within)


# Against the formulas in NumPy --------------------------------------------------------------------------------------

NOT_RUN = {"MelSpectrogram", "Reshape", "Resizing", "UpSampling2D"}
"""Types of which some rows cannot run in a page: with filters that have no formula of one element, or a size that only
the batch gives."""

RUN_FORMS = """
text => {
  const number = (one) => (one === "nan" ? NaN : one === "inf" ? Infinity : one === "-inf" ? -Infinity : one);
  return JSON.stringify(JSON.parse(text).map(({ form, arrays }) => {
    try {
      const tensors = arrays.map(({ shape, values }) => ({ buffer: packedBuffer(shape, Float64Array.from(values, number)) }));
      for (let of = tensors.length; of < form.tensors.length; of++) tensors.push(constantSource(form, of));
      const results = form.results.map((line) => line + form.tensors.length);
      const { steps, buffers } = compiledCall(form, tensors, results);
      // A second run, as the first leaves numbers behind.
      for (let run = 0; run < 2; run++) for (const step of steps) step();
      return results.map((of) => nested(buffers.get(of)));
    } catch (error) {
      if (!(error instanceof CannotRun)) throw error;
      return error.message;
    }
  }), (_, one) => (typeof one === "number" && !Number.isFinite(one) ? String(one).toLowerCase().replace("infinity", "inf") : one));
}
"""


def form_rows(type_: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Rows of a type as a page gets them, one example each, with what the formula gives in NumPy."""
    traced = list(definitions(type_, fixed=True))
    for case, definition in Random(type_).sample(traced, min(3, len(traced))):
        form = form_of(definition)
        if form is None:
            continue
        inputs, weights = values_for(case, definition)
        leaves = zip(definition.leaves, (*inputs, *weights), strict=True)
        arrays = [np.asarray(value)[:1] if leaf.shape[:1] == (BATCH,) else np.asarray(value) for leaf, value in leaves]
        if any(array.dtype.kind not in "biuf" for array in arrays):
            continue
        count = len(definition.params)
        with np.errstate(all="ignore"):
            wanted = evaluate(definition, arrays[:count], arrays[count:], Evaluation(1, "float64"))
        packed = [{"shape": array.shape, "values": list(map(as_json, array.reshape(-1).tolist()))} for array in arrays]
        yield {"form": element_data(form), "arrays": packed}, wanted


def as_json(value: Any) -> Any:
    return value if np.isfinite(value) else str(float(value))


def test_each_type_gives_what_its_formula_gives(tmp_path: Path) -> None:
    """The loops that the page runs against the formula evaluated as a whole, over three rows of each layer type."""
    rows = [(type_, *row) for type_ in TYPES for row in form_rows(type_)]
    modules = script("run/program").removeprefix('(() => {\n"use strict";\n').removesuffix("\n})();\n")
    with shown("<body class=ready></body>", tmp_path) as page:
        asked = json.dumps([row for _, row, _ in rows])
        found = json.loads(page.evaluate(f"text => {{ {modules}\nreturn ({RUN_FORMS})(text); }}", asked))
    refused = {type_ for (type_, _, _), got in zip(rows, found, strict=True) if isinstance(got, str)}
    assert refused <= NOT_RUN
    for (type_, _, wanted), got in zip(rows, found, strict=True):
        for value, own in zip(wanted, got if isinstance(got, list) else (), strict=False):
            value, own = np.asarray(value, float), np.asarray(own, dtype=float)
            assert own.shape == value.shape, type_
            largest = max(np.abs(value[np.isfinite(value)]).max(initial=0), 1e-30)
            assert np.allclose(own, value, rtol=0, atol=1e-6 * largest, equal_nan=True), type_
    assert len(rows) - sum(isinstance(got, str) for got in found) > 300


# What the page says and does ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> str:
    return layerexplain.page(DIGITS, weights="f32")


@contextmanager
def ran(html: str, folder: Path, anchor: str = "") -> Iterator[Any]:
    """A page after the first run of its model."""
    with shown(html, folder, anchor) as page:
        until(page, "window.layerexplain.data.live.hasRun")
        page.evaluate(NEXT_FRAME)
        yield page


def test_a_page_of_a_file_with_weights_runs_by_itself_and_is_small(tmp_path: Path) -> None:
    html = layerexplain.page(DIGITS)
    assert len(html.encode()) < 200_000
    pixels = np.random.default_rng(3).uniform(0, 16, (1, 8, 8, 1)).astype("float32")
    with shown(html, tmp_path) as page:
        got = of_page(page, {"pixels": pixels})
    traced = layerexplain.trace(DIGITS, pixels)
    assert_close(got, {path: traced[path] for path, _, _ in traced}, 2e-3)
    assert list(got)[:3] == ["to_unit_range", "strokes", "strokes_norm"]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"pixel": [[0]]}, "the model has no input 'pixel'; its inputs are 'pixels'"),
        ({}, "the input 'pixels' is not given; the inputs are 'pixels'"),
        ({"pixels": [[1, 2]]}, "the input 'pixels' needs the shape (1, 8, 8, 1), got (1, 2)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: Any, says: str, digits: str, tmp_path: Path) -> None:
    with shown(digits, tmp_path) as page:
        said = page.evaluate(
            "async inputs => { try { await window.layerexplain.run(inputs); } catch (e) { return e.message; } }", inputs
        )
        assert said == says


def test_a_stroke_on_the_pad_changes_what_is_shown(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path, "strokes") as page:
        before = page.inner_text(".playoutput")
        assert page.inner_text(".sumsresult b") == page.evaluate(
            "Number(document.querySelector('.sumsresult b').textContent).toString()"
        )
        sums = page.inner_text(".sumsresult")
        pixels = "document.querySelector('.panel.values canvas').toDataURL()"
        picture = page.evaluate(pixels)
        box = page.locator(".pad").bounding_box()
        page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.1 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"], steps=6)
        page.mouse.up()
        until(page, "before => document.querySelector('.playoutput').innerText !== before", before)
        assert page.inner_text(".sumsresult") != sums
        assert page.evaluate(pixels) != picture
        drawn = page.evaluate("Array.from(window.layerexplain.data.live.program.tensors[0].buffer.values)")
        # The model takes pixels from 0 to 16.
        assert max(drawn) == 16 and min(drawn) == 0
        shares = layerexplain.trace(DIGITS, np.array(drawn, "float32").reshape(1, 8, 8, 1))["digit"][0]
        bars = page.locator(".playvalue").all_inner_texts()
        assert bars == [f"{100 * share:.1f} %" for share in shares]


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1200)])
def test_axe_finds_nothing_in_what_is_played_with(digits: str, tmp_path: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with shown(digits, tmp_path, "shapes", width=width, color_scheme=scheme) as page:
        until(page, "window.layerexplain.data.live.hasRun")
        page.locator(".playlabel").first.click()
        page.get_by_text("Change a number").click()
        found = axe.run(page).response["violations"]
        assert [(one["id"], [node["html"][:90] for node in one["nodes"][:3]]) for one in found] == []


def test_a_weight_is_changed_and_set_back(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path, "digit") as page:
        page.get_by_role("button", name="Random").click()
        before = page.evaluate(SHARES)
        page.locator(".readsline", has_text="e").first.click()
        page.get_by_text("Change a number").click()
        slider = page.locator(".readssetters label", has_text="b[").locator("input")
        number = int(page.locator(".readssetters label", has_text="b[").inner_text().split("[")[1].split("]")[0])
        slider.evaluate("e => { e.max = '50'; e.value = '50'; e.dispatchEvent(new Event('input')); }")
        until(page, f"({SHARES})[{number}] > 0.99")
        page.get_by_role("button", name="As it was").click()
        until(page, f"before => ({SHARES}).join() === before.join()", before)


SHARES = "Array.from(window.layerexplain.data.live.program.tensors.at(-1).buffer.values)"


def test_an_activation_is_set_by_hand_and_only_what_follows_changes(digits: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).uniform(0, 16, (1, 8, 8, 1))
    with ran(digits, tmp_path, "flatten") as page:
        before = of_page(page, {"pixels": pixels})
        page.evaluate(
            """() => {
                const { data } = window.layerexplain;
                data.live.changes(data.layers.find((one) => one.name === "flatten"), 0).activation(0, [0, 5], 9);
            }"""
        )
        after = of_page(page, {"pixels": pixels})
    assert after["flatten"][0][5] == 9 and before["flatten"][0][5] != 9
    assert after["shapes"] == before["shapes"], "flatten shows the numbers of the layer in front, which stay"
    spec = layerexplain.trace(DIGITS, pixels.astype("float32"))["flatten"].copy()
    spec[0, 5] = 9
    kernel, bias = (page_program_of(DIGITS).program.weights[at] for at in (-2, -1))
    z = spec @ kernel + bias
    share = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    assert_close(after, {"digit": share}, 1e-5)


def page_program_of(path: str) -> Any:
    source, model = read_for_weights(path)
    return page_program(source, model, {}, 1)


def test_what_cannot_run_is_named_and_the_rest_runs(tmp_path: Path) -> None:
    spec = b"""
input: [6, 5, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 2}
    name: conv
  - ops.Argmax: {axis: -1}
    name: best
  - GlobalMaxPooling2D: {}
    from: conv
    name: largest
outputs: [best, largest]
"""
    x = drawn(1, 6, 5, 2)
    source, model = read_for_weights(spec)
    made = page_program(source, model, {}, 1, inputs=x)
    assert not isinstance(made, NoProgram)
    report = layerexplain.explain(spec)
    from layerexplain.render.page.data import page_of

    with shown(page_of(report, True, None, made), tmp_path) as page:
        got = of_page(page, {"input": x})
        assert sorted(page.evaluate("window.layerexplain.refused()")) == ["best"]
        assert "Not run here: best (" in page.inner_text(".playstatus")
        assert_close(got, {"conv": layerexplain.trace(spec, x, partial=True)["conv"]}, 2e-3)
        assert "best" not in got and np.shape(got["largest"]) == (1, 3)


def test_large_models_and_sources_without_weights_are_shown_and_the_page_says_why(tmp_path: Path) -> None:
    source, model = read_for_weights(DIGITS)
    assert page_program(source, model, {}, 5_000_001) == NoProgram(
        "it has 5,000,001 weights; pages run models of up to 5,000,000"
    )
    with shown(layerexplain.page(b"input: [3]\nlayers:\n  - Dense: 2\n"), tmp_path) as page:
        assert "The page does not run the model: its source stores no weights." in page.inner_text("#pane")
        assert page.evaluate("'run' in window.layerexplain") is False
        assert page.locator("#weights, .play").count() == 0


@pytest.mark.parametrize(
    ("shape", "pads"),
    [
        ([7, 6], 0),
        ([11, 12], 0),
        ([11, 11], 1),
        ([7, 6, 1], 1),
        ([11, 8, 3], 1),
        ([1, 8, 9], 1),
        ([3, 8, 9], 1),
        ([5, 8, 9], 0),
    ],
)
def test_a_table_of_numbers_is_no_picture_to_draw_on(shape: list[int], pads: int, tmp_path: Path) -> None:
    spec = f"input: {shape}\nlayers:\n  - Flatten\n  - Dense: 3\n".encode()
    with ran(layerexplain.page(spec, values=np.zeros((1, *shape), "float32")), tmp_path) as page:
        assert page.locator(".playinput").count() == 1
        assert page.locator(".pad").count() == pads


def test_each_layer_around_a_mask_is_shown_with_its_numbers(tmp_path: Path) -> None:
    spec = b"input: {shape: [9], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 23, output_dim: 7, mask_zero: true}\n  - LSTM: {units: 5, return_sequences: true}\n  - GlobalAveragePooling1D\n  - Dense: 3\n"  # fmt: skip
    with ran(layerexplain.page(spec, values=np.array([[3, 5, 0, 22, 1, 7, 0, 0, 0]])), tmp_path) as page:
        for call in range(1, 5):
            page.evaluate(f"layerexplain.view.chooseCall({call})")
            rested(page)
            drawn_tiles = page.locator(".tilesfigure figcaption").all_inner_texts()
            assert drawn_tiles and not any("NaN" in one or "Infinity" in one for one in drawn_tiles), call
            assert " = " in page.inner_text(".readshere"), call
        assert page.locator(".playbar").count() == 3


@pytest.mark.parametrize("first", [True, False])
def test_a_stroke_reaches_each_channel_wherever_the_channels_stand(first: bool, tmp_path: Path) -> None:
    shape, order = ([3, 8, 11], "channels_first") if first else ([8, 11, 3], "channels_last")
    spec = f"input: {shape}\nlayers:\n  - Conv2D: {{filters: 2, kernel_size: 3, data_format: {order}}}\n".encode()
    with ran(layerexplain.page(spec, values=np.zeros((1, *shape), "float32")), tmp_path) as page:
        width, height = page.evaluate("(({width, height}) => [width, height])(document.querySelector('.pad'))")
        assert (width, height) == (11, 8)
        box = page.locator(".pad").bounding_box()
        page.mouse.click(box["x"] + box["width"] * 9.5 / 11, box["y"] + box["height"] * 1.5 / 8)
        values = np.array(page.evaluate("[...layerexplain.data.live.program.tensors[0].buffer.values]")).reshape(shape)
        values = np.moveaxis(values, 0, -1) if first else values
        assert (values[1, 9] > 0.9).all() and (values[:, :7] == 0).all() and (values[4:] == 0).all()
        until(page, "layerexplain.maps.places.length === 5")
        beside = "layerexplain.maps.places.map(({shown: {tensor, tiles}}) => [tensor, tiles.rows, tiles.columns])"
        assert sorted(page.evaluate(beside)) == [[0, 8, 11]] * 3 + [[1, 6, 9]] * 2
        assert page.get_attribute(".playplaces", "aria-label").startswith("2 pictures of 6 × 9 values")


def test_names_that_objects_have_are_names_of_layers_as_others_are(tmp_path: Path) -> None:
    spec = b"inputs: {constructor: [3]}\nlayers:\n  - Dense: 4\n    name: __proto__\n  - Dense: 2\n    name: toString\n"
    with ran(layerexplain.page(spec, values=np.ones((1, 3), "float32")), tmp_path) as page:
        wanted = "layerexplain.run({constructor: [[1, 2, 3]]}).then(Object.entries)"
        sizes = {name: np.shape(value) for name, value in page.evaluate(wanted)}
        assert sizes == {"constructor": (1, 3), "__proto__": (1, 4), "toString": (1, 2)}
        failed = "(async () => layerexplain.run({}))().then(() => '', (error) => error.message)"
        assert "'constructor' is not given" in page.evaluate(failed)


def test_a_model_that_costs_much_runs_when_it_is_asked_to(tmp_path: Path) -> None:
    spec = b"input: [401, 401, 16]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: 3}\n"
    html = layerexplain.page(spec, values=np.zeros((1, 401, 401, 16), "float32"))
    with shown(html, tmp_path) as page:
        until(page, "document.querySelector('.playstatus')?.textContent === 'Changed; press Run.'")
        button = page.get_by_role("button", name="Run")
        # 399 × 399 places × 3 × 3 × 16 × 16 products.
        assert button.get_attribute("title").startswith("367 million multiply-accumulates")
        assert page.evaluate("window.layerexplain.data.live.hasRun") is False
        button.click()
        until(page, "document.querySelector('.playstatus').textContent.startsWith('Ran in')")


def test_a_picture_is_brought_to_the_size_of_the_input(digits: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, which the extra 'images' has")
    pixels = np.zeros((16, 16), "uint8")
    pixels[:, 8:] = 255
    image.fromarray(pixels).save(tmp_path / "half.png")
    with ran(digits, tmp_path) as page:
        page.set_input_files(".playinput input[type=file]", str(tmp_path / "half.png"))
        until(page, "document.querySelector('.playinput > p').textContent === 'half.png'")
        got = np.array(page.evaluate("Array.from(window.layerexplain.data.live.program.tensors[0].buffer.values)"))
    # Black is 0 and white is 16, of which the model makes 1.
    assert np.allclose(got.reshape(8, 8)[:, [0, 1, 2, 5, 6, 7]], [0, 0, 0, 16, 16, 16], atol=0.2)


def test_numbers_have_sliders_and_ids_words(tmp_path: Path) -> None:
    spec = b"inputs: {ids: {shape: [5], dtype: int32}}\nlayers:\n  - Embedding: {input_dim: 7, output_dim: 3}\n  - GlobalAveragePooling1D\n"
    (tmp_path / "model.yaml").write_bytes(spec)
    (tmp_path / "words.json").write_text(json.dumps({"the": 1, "cat": 2, "sat": 3}))
    (tmp_path / "labels.txt").write_text("warm\ncold\nwet\n")
    options = [
        "--vocabulary",
        str(tmp_path / "words.json"),
        "--labels",
        str(tmp_path / "labels.txt"),
        "--input",
        "zeros",
    ]
    made = invoke("page", tmp_path / "model.yaml", *options)
    assert made.exit_code == 0, made.output
    with ran(made.stdout, tmp_path) as page:
        page.fill(".playids", "The cat sat, dog")
        assert page.inner_text(".playwords .quiet") == "dog is none of the 7 ids: 0 stands for it"
        assert page.evaluate("Array.from(window.layerexplain.data.live.program.tensors[0].buffer.values)") == [
            1,
            2,
            3,
            0,
            0,
        ]
        assert page.locator(".playlabel").all_inner_texts() == ["warm", "cold", "wet"]
    with ran(layerexplain.page(b"input: [2]\nlayers:\n  - Dense: 1\n", values=[[0.5, -1]]), tmp_path) as page:
        assert page.locator(".playnumber").first.input_value() == "0.5"
        before = page.inner_text(".playvalue")
        page.locator(".playslider input[type=range]").first.evaluate(
            "e => { e.value = '2'; e.dispatchEvent(new Event('input')); }"
        )
        until(page, "before => document.querySelector('.playvalue').innerText !== before", before)


# What an element depends on -------------------------------------------------------------------------------------------

REACHED = """
() => {
  const { live } = window.layerexplain.data;
  const { program } = live;
  const output = program.tensors.at(-1).buffer;
  const input = program.tensors[0].buffer;
  const found = [];
  for (const part of [0.5, 0.13, 0.99]) {
    const index = output.sizes.map((size) => Math.floor(part * (size - 0.01)));
    live.showReach(program.tensors.length - 1, index);
    const reached = live.reach.get(0);
    const at = index.reduce((sum, one, axis) => sum + one * output.strides[axis], output.offset);
    const before = input.values.slice();
    let [few, many, all] = [0, 0, 0];
    for (let i = 0; i < before.length; i++) {
      input.values.set(before);
      input.values[i] = NaN;
      program.runNow();
      const said = reached !== undefined && input.strides.every((stride, axis) => reached[axis][Math.floor(i / stride) % input.sizes[axis]]);
      const depends = Number.isNaN(output.values[at]);
      all += depends;
      few += depends && !said;
      many += said && !depends;
    }
    input.values.set(before);
    found.push([all, few, many]);
  }
  return found;
}
"""

OF_STRIDES = b"""
input: [17, 15, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 1, strides: 2}
  - Conv2D: {filters: 3, kernel_size: 3, padding: same}
  - MaxPooling2D: {pool_size: 2, strides: 3}
"""
OF_WINDOWS = b"""
input: [9, 8, 2]
layers:
  - Conv2DTranspose: {filters: 2, kernel_size: 3, strides: 2, padding: same}
  - Conv2D: {filters: 2, kernel_size: 2, dilation_rate: 2}
  - UpSampling2D: 2
  - ZeroPadding2D: 1
"""
OF_STEPS = b"""
input: [7, 3]
layers:
  - Conv1D: {filters: 2, kernel_size: 2, padding: causal}
  - SimpleRNN: {units: 2, return_sequences: true}
"""
OF_A_ROW = b"""
input: [6, 5, 2]
layers:
  - DepthwiseConv2D: 2
  - Flatten
  - Reshape: [8, 5]
"""


@pytest.mark.parametrize(
    ("spec", "counts", "more"),
    [
        # 2 × 2 windows of 3 × 3 around each, of every second pixel: 4 × 4 pixels of 2 channels; at edges fewer.
        (OF_STRIDES, [32, 18, 24], 0),
        # The last element is in the zeros around.
        (OF_WINDOWS, [12, 8, 0], 0),
        # The steps up to its own.
        (OF_STEPS, [12, 3, 21], 0),
        # One element reads 2 × 2 pixels of its channel, each axis on its own is told.
        (OF_A_ROW, [4, 4, 4], 12),
    ],
    ids=["strides", "windows", "steps", "a row"],
)
def test_what_an_element_depends_on_is_what_makes_it_nan(
    spec: bytes, counts: list[int], more: int, tmp_path: Path
) -> None:
    """A place of the input counts if a NaN there reaches the element: none too few, and only where axes mix too many."""
    shape = layerexplain.read(spec).layers[0].config["batch_shape"][1:]
    with ran(layerexplain.page(spec, values=drawn(1, *shape)), tmp_path) as page:
        found = page.evaluate(REACHED)
    assert [all_ for all_, _, _ in found] == counts
    assert all(few == 0 and many <= more for _, few, many in found), found


CAUSAL = b"""
inputs: {ids: {shape: [7], dtype: int32}}
layers:
  - Embedding: {input_dim: 11, output_dim: 6}
    name: words
  - MultiHeadAttention: {num_heads: 2, key_dim: 3, use_causal_mask: true}
    from: [words, words]
  - Dense: 4
"""


@pytest.mark.parametrize("causal", [True, False])
def test_what_a_causal_mask_forbids_is_not_depended_on(causal: bool, tmp_path: Path) -> None:
    """An id counts if another one in its place changes the element, computed in NumPy."""
    spec = CAUSAL if causal else CAUSAL.replace(b", use_causal_mask: true", b"")
    ids = np.array([[3, 1, 4, 1, 5, 9, 2]])
    last = [path for path, _, _ in layerexplain.trace(spec, ids)][-1]
    before = layerexplain.trace(spec, ids)[last]
    changed = []
    for at in range(7):
        other = ids.copy()
        other[0, at] = (other[0, at] + 3) % 11
        changed.append(np.abs(layerexplain.trace(spec, other)[last] - before)[0, :, 1] > 0)
    with ran(layerexplain.page(spec, values=ids), tmp_path) as page:
        for step in range(7):
            places = page.evaluate(
                "step => { const { live } = layerexplain.data; live.showReach(live.program.tensors.length - 1, [0, step, 1]); return [...live.reach.get(0)[1]]; }",
                step,
            )
            assert [bool(one) for one in places] == [bool(one[step]) for one in changed], step


PROJECTED = """
names => {
  const { data } = layerexplain;
  const layer = data.layers.find((one) => one.forms?.length && data.forms[one.forms[0]].lines.some((line) => line.name === "Q"));
  const form = data.forms[layer.forms[0]];
  return names.map((name) => {
    const buffer = data.live.callOf(layer, 0).buffers.get(form.tensors.length + form.lines.findIndex((line) => line.name === name));
    return { ...buffer, values: [...buffer.values] };
  });
}
"""


@pytest.mark.parametrize("causal", [True, False])
def test_arcs_are_as_wide_as_the_shares_and_what_a_mask_forbids_is_crossed_out(causal: bool, tmp_path: Path) -> None:
    """Against the softmax of the products of queries and keys, longhand in NumPy."""
    spec = CAUSAL if causal else CAUSAL.replace(b", use_causal_mask: true", b"")
    with ran(
        layerexplain.page(spec, values=np.array([[3, 1, 4, 1, 5, 9, 2]])), tmp_path, "multi_head_attention"
    ) as page:
        queries, keys = (
            np.lib.stride_tricks.as_strided(
                np.array(one["values"])[one["offset"] :], one["sizes"], [8 * step for step in one["strides"]]
            )
            for one in page.evaluate(PROJECTED, ["Q", "K"])
        )
        scores = np.einsum("ntad,nsad->nats", queries, keys)[0] / 3**0.5
        powers = np.exp(scores) * (np.tril(np.ones((7, 7))) if causal else 1)
        shares = powers / powers.sum(-1, keepdims=True)
        assert page.locator(".headmap").count() == 2 and "3 4 5" not in page.inner_text(".headmaps")
        for head, step in ((0, 2), (1, 5)):
            page.locator(".headmap").nth(head).click()
            page.locator(".arcs .place").nth(step).hover()
            assert page.locator(".place.asks").text_content() == str([3, 1, 4, 1, 5, 9, 2][step])
            widths = page.locator(".arc").evaluate_all("all => all.map((one) => +one.getAttribute('stroke-width'))")
            wanted = shares[head, step][shares[head, step] > 0.002]
            assert widths == pytest.approx(np.maximum(0.8, 14 * wanted).tolist(), rel=1e-4)
            forbidden = [6 - step if causal else 0] * 2
            said = page.inner_text(".looks .readsstatus")
            assert [page.locator(".place.forbidden").count(), page.locator(".place .bar").count()] == forbidden
            assert (f"{forbidden[0]} of 7 are forbidden" in said) is causal, said
        page.locator(".arcs").press("ArrowLeft")
        page.locator(".arcs").press("ArrowUp")
        assert page.inner_text(".looks .readsstatus").startswith("Step 4 (5) looks at ")
        assert page.locator(".headmap").first.get_attribute("aria-pressed") == "true"


def test_what_an_output_depends_on_is_drawn(digits: str, tmp_path: Path) -> None:
    with ran(digits, tmp_path, "shapes") as page:
        page.get_by_role("button", name="What it depends on, through all layers").click()
        # A window of 3 × 3 of the halved picture, and of 3 × 3 behind it, at the edge: 7 × 7 of 8 × 8 pixels.
        assert "depends on at most 49 of 64 numbers of pixels" in page.inner_text(".playreach")
        assert page.inner_text(".playreach").startswith("shapes: y[0, ")
        lit = "[...window.layerexplain.view.look.found].map(call => window.layerexplain.data.layers[window.layerexplain.data.calls[call][0]].name)"
        assert page.evaluate(lit) == [
            "pixels",
            "to_unit_range",
            "strokes",
            "strokes_norm",
            "strokes_relu",
            "halve",
            "shapes",
        ]
        page.locator(".playlabel", has_text="7").click()
        assert "digit[0, 7] depends on at most 64 of 64" in page.inner_text(".playreach")
        page.get_by_role("button", name="Show all").click()
        assert page.inner_text(".playreach") == "" and page.evaluate("window.layerexplain.view.look.found") is None


@pytest.mark.parametrize(
    ("filters", "at", "place"),
    # Three pictures of 156 × 132 pixels, 4 apart, stand in two rows: pixel (64, 163) is (64, 27) of the third.
    [(1, (0.5, 0.5), "[0, 5, 6, 0]"), (3, (0.2, 0.6), "[0, 2, 5, 2]"), (3, (0.9, 0.25), "[0, 5, 10, 1]")],
    ids=["one", "the third", "the second"],
)
def test_what_a_place_of_a_picture_depends_on_is_a_click_away(
    filters: int, at: tuple[float, float], place: str, tmp_path: Path
) -> None:
    """An output of 11 × 13 places is drawn as a picture, one for each filter; each place reads 3 × 3 pixels."""
    spec = f"input: [13, 15, 2]\nlayers:\n  - Conv2D: {{filters: {filters}, kernel_size: 3}}\n    name: mask\n".encode()
    with ran(layerexplain.page(spec, values=drawn(1, 13, 15, 2)), tmp_path) as page:
        picture = page.locator(".playoutput canvas")
        box = picture.bounding_box()
        picture.click(position={"x": box["width"] * at[0], "y": box["height"] * at[1]})
        assert f"mask{place} depends on at most 18 of 390 numbers of input" in page.inner_text(".playreach")


def test_examples_are_at_hand_for_all_inputs_together(tmp_path: Path) -> None:
    spec = b"inputs: {a: [2], b: [3]}\nlayers:\n  - Concatenate: {}\n    from: [a, b]\n    name: both\n"
    given = {"a": drawn(5, 2), "b": drawn(5, 3) - 1}
    with ran(layerexplain.page(spec, values=given), tmp_path) as page:
        choice = page.locator(".play select")
        assert choice.locator("option").all_inner_texts() == [f"{number} of 5" for number in range(1, 6)]
        for number in (3, 0):
            choice.select_option(index=number)
            wanted = np.concatenate([given["a"][number], given["b"][number]])
            until(page, f"wanted => ({SHARES}).every((one, i) => Math.abs(one - wanted[i]) < 1e-6)", wanted.tolist())


def test_a_file_is_an_input(digits: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).uniform(0, 16, (8, 8)).astype("float32")
    np.save(tmp_path / "x.npy", pixels)
    with ran(digits, tmp_path) as page:
        page.set_input_files(".playinput input[type=file]", str(tmp_path / "x.npy"))
        until(page, "document.querySelector('.playinput > p').textContent === 'x.npy'")
        assert np.allclose(
            page.evaluate("Array.from(window.layerexplain.data.live.program.tensors[0].buffer.values)"), pixels.ravel()
        )
        np.save(tmp_path / "y.npy", pixels[:3])
        page.set_input_files(".playinput input[type=file]", str(tmp_path / "y.npy"))
        until(
            page,
            "document.querySelector('.playinput > p').textContent.startsWith('y.npy has 24 numbers; pixels has 64')",
        )


@pytest.mark.parametrize(("layers", "kept"), [(2, "half"), (100, "f32")])
def test_weights_stay_whole_where_rounding_would_show_in_the_outputs(layers: int, kept: str, tmp_path: Path) -> None:
    """Each layer adds its rounding; however deep a model is, its page gives what it gives within what docs promise."""
    spec = ("input: [16]\nlayers:\n" + "  - Dense: 16\n" * layers + "  - Dense: 4\n").encode()
    source, model = read_for_weights(spec)
    made = page_program(source, model, {}, 1, inputs=drawn(1, 16))
    assert not isinstance(made, NoProgram) and made.program.precision == kept
    x = np.abs(drawn(1, 16))
    last = "dense" + f"_{layers}"
    with shown(layerexplain.page(spec, values=drawn(1, 16)), tmp_path) as page:
        assert_close(of_page(page, {"input": x}), {last: layerexplain.trace(spec, x)[last]}, 2e-3)


TOUCHED = """async () => {
  const { live } = window.layerexplain.data;
  await live.showTouched(0, %s, "x");
  const { program } = live;
  const rows = [...live.reach].filter(([tensor]) => tensor >= program.data.inputs.length);
  return rows.map(([, places]) => places.map((axis) => [...axis].flatMap((on, at) => (on ? [at] : []))));
}"""


def test_what_an_input_touches_is_what_its_window_positions_say(tmp_path: Path) -> None:
    """A 1 × 1 window with stride 2 passes odd rows by; of a 3 × 3 one behind it, three rows and columns see a place."""
    with ran(layerexplain.page(OF_STRIDES, values=drawn(1, 17, 15, 2)), tmp_path) as page:
        before = page.evaluate("[...window.layerexplain.data.live.program.tensors.at(-1).buffer.values]")
        assert page.evaluate(TOUCHED % "[0, 5, 4, 1]") == [], "row 5 is in no window"
        assert "touches 0 of" in page.inner_text(".playreach")
        # Row 6 is row 3 of 9, which rows 2 to 4 see; of these rows 3 and 4 are in the pooling window 1 (rows 3, 4); column
        # 4 is column 2 of 8, seen by columns 1 to 3: windows 0 (columns 0, 1) and 1 (columns 3, 4).
        assert page.evaluate(TOUCHED % "[0, 6, 4, 1]") == [
            [[0], [3], [2], [0, 1, 2]],
            [[0], [2, 3, 4], [1, 2, 3], [0, 1, 2]],
            [[0], [1], [0, 1], [0, 1, 2]],
        ]
        assert page.evaluate("[...window.layerexplain.data.live.program.tensors.at(-1).buffer.values]") == before
