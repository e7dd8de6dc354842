"""Architectures that a page runs: each layer gives what it gives in Keras; and what contributes to an output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.support.browser import shown
from tests.support.page_models import (
    ARCHITECTURES,
    assert_close,
    convolutions,
    cross_attention,
    drawn,
    merges,
    of_page,
    sequences,
    volumes,
)

np = pytest.importorskip("numpy")

pytestmark = pytest.mark.keras


def built(build: Callable[[Any], Any]) -> tuple[Any, Any, Any]:
    """A model with weights that all tell, its inputs, and keras."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(5)
    model, inputs = build(keras)
    model.set_weights([w + 0.3 * np.abs(drawn(*w.shape)) if w.ndim < 2 else w for w in model.get_weights()])
    return model, inputs, keras


@pytest.mark.parametrize("build", ARCHITECTURES, ids=lambda build: build.__name__)
def test_each_layer_of_an_architecture_gives_what_it_gives_in_keras(
    build: Callable[[Any], Any], tmp_path: Path
) -> None:
    model, inputs, keras = built(build)
    single = {layer.name: layer.output for layer in model.layers if len(layer._inbound_nodes) == 1}
    # Of a nested model, Keras names the output of its own inputs.
    single = {
        name: output
        for name, output in single.items()
        if not isinstance(output, list | tuple) and not hasattr(model.get_layer(name), "layers")
    }
    wanted = keras.Model(model.inputs, single)([inputs[one.name] for one in model.inputs], training=False)
    with shown(layerexplain.page(model, weights="f32"), tmp_path) as page:
        assert page.evaluate("window.layerexplain.refused()") == {}
        assert_close(of_page(page, inputs), {name: np.asarray(value) for name, value in wanted.items()}, 1e-5)


GRADIENTS = """async index => {
  const { live } = window.layerexplain.data;
  const gradients = await live.gradients(live.about.outputs[0][1], index);
  return live.about.inputs.map((_, at) => [...gradients.get(at).values]);
}"""


@pytest.mark.parametrize(
    "build", [convolutions, sequences, merges, volumes, cross_attention], ids=lambda build: build.__name__
)
def test_gradients_of_an_output_by_the_inputs_are_those_of_tensorflow(
    build: Callable[[Any], Any], tmp_path: Path
) -> None:
    tf = pytest.importorskip("tensorflow")
    model, inputs, _ = built(build)
    given = [tf.constant(inputs[one.name]) for one in model.inputs]
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs = model(given if len(given) > 1 else given[0], training=False)
        first = outputs[0] if isinstance(outputs, list) else outputs
        index = [size // 2 for size in first.shape]
        one = first[tuple(index)]
    with shown(layerexplain.page(model, weights="f32"), tmp_path) as page:
        of_page(page, inputs)
        found = page.evaluate(GRADIENTS, index)
    for own, wanted in zip(found, tape.gradient(one, given), strict=True):
        assert np.abs(np.array(own) - wanted.numpy().ravel()).max() < 1e-5 * np.abs(wanted).max()


def test_the_largest_contributions_are_listed_layer_by_layer(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    k = keras.layers
    model = keras.Sequential(
        [k.Input((3,), name="x"), k.Dense(2, activation="relu", name="hidden"), k.Dense(1, name="y")]
    )
    kernel = np.array([[1, -1], [2, 0], [0, 3]], "float32")
    model.set_weights([kernel, np.zeros(2, "float32"), np.array([[5], [7]], "float32"), np.zeros(1, "float32")])
    with shown(layerexplain.page(model, weights="f32"), tmp_path) as page:
        of_page(page, {"x": np.array([[2.0, 3.0, 0.5]])})
        page.evaluate("layerexplain.data.live.showReach(layerexplain.data.live.about.outputs[0][1], [0, 0], 'y')")
        page.click("text=What contributes most to y[0, 0]")
        page.wait_for_selector(".contributions tbody tr")
        rows = [one.replace("\t", " ") for one in page.locator(".contributions tbody tr").all_inner_texts()]
    # h = relu(x W) = (2 + 6, -2 + 1.5) = (8, 0); y = 5 h[0] + 7 h[1], and what relu holds back passes nothing on.
    assert rows == ["x [0, 1] 3 10 30", " [0, 0] 2 5 10", "hidden [0, 0] 8 5 40", "y [0, 0] 40 1 40"]


def test_a_live_model_of_a_class_of_its_own_is_read_by_a_symbolic_call(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")

    class Gated(keras.Model):  # type: ignore[misc]  # keras has no types
        branches = False

        def __init__(self) -> None:
            super().__init__(name="gated")
            self.hidden = keras.layers.Dense(5, activation="relu", name="hidden")
            self.gate = keras.layers.Dense(5, activation="sigmoid", name="gate")

        def call(self, x: Any, training: bool = False) -> Any:
            if self.branches and float(keras.ops.sum(x)) > 0:
                return self.hidden(x)
            return keras.ops.sum(self.hidden(x) * self.gate(x), axis=-1)

    x = drawn(2, 7)
    model, other = Gated(), Gated()
    other.branches = True
    wanted = np.asarray(model(x))
    report = layerexplain.explain(model)
    assert [row.type for row in report.layers] == ["InputLayer", "Dense", "Dense", "Multiply", "Sum"]
    assert report.totals.params == model.count_params() == 80
    assert [len(layer._inbound_nodes) for layer in model.layers] == [0, 0], "its layers are as they were"
    outer_input = keras.Input((7,), name="outside")
    outer = keras.Model(outer_input, model(outer_input))
    assert layerexplain.explain(outer).totals.params == 80
    with shown(layerexplain.page(model, weights="f32"), tmp_path) as page:
        found = of_page(page, {"x": x[:1]})
    assert_close({"sum": found[report.layers[-1].path]}, {"sum": wanted[:1]}, 1e-5)
    other(x)
    # A call that needs values says nothing of the graph: its layers are listed.
    listed = layerexplain.explain(other).layers
    assert [(row.layer, row.params, row.sources) for row in listed] == [("hidden", 40, ()), ("gate", 40, ())]
