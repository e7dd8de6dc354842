"""Files of all generations of Keras, through to the report: totals and the shape of every layer. No Keras is needed."""

import json

import numpy as np

from layerexplain.frontends import read
from layerexplain.report.build import build
from tests.support.old_dialects import KERAS_1_BRANCHES, entry, merged, model, one


def test_a_merge_by_code_is_a_lambda_and_never_run() -> None:
    layers = [entry("a", [None, 4]), entry("b", [None, 4])]
    for mode, kind in (("4wEA", "lambda"), ("my_merge", "function")):
        found = read(model([*layers, merged("m", "a", "b", mode=mode, mode_type=kind)], ["a", "b"], ["m"]))
        assert found.layers[2].type == "Lambda"
        assert [note.code for note in found.notes] == (["code-in-file"] if kind == "lambda" else [])
        assert "4wEA" not in repr(found)


def test_what_no_layer_of_today_computes_is_opaque() -> None:
    layers = [
        entry("a", [None, 4]),
        one("BatchNormalization", "norm", "a", mode=1, axis=-1, epsilon=0.001),
        one("SReLU", "srelu", "norm"),
    ]
    report = build(read(model(layers, ["a"], ["srelu"])))
    assert [row.type for row in report.layers[1:]] == ["BatchNormalization(mode=1)", "SReLU"]
    assert [row.params for row in report.layers[1:]] == [None, None]
    assert report.totals.params is None


def test_a_class_of_someone_else_keeps_its_own_names() -> None:
    item = {"class_name": "Merge", "module": "mine", "registered_name": "mine>Merge", "config": {"mode": "sum", "p": 1}}
    layer = read({"class_name": "Sequential", "config": [{**item, "name": "m"}]}).layers[1]
    assert (layer.kind, layer.type, layer.config) == ("custom", "Merge", {"mode": "sum", "p": 1})


def test_a_branch_without_a_shape_says_so() -> None:
    document = json.loads(json.dumps(KERAS_1_BRANCHES))
    branch = document["config"][0]["config"]["layers"][0]["config"]
    del branch[0]["config"]["batch_input_shape"], branch[0]["config"]["input_dim"]
    found = read(document)
    assert [note.code for note in found.notes] == ["unknown-input"]
    assert build(found, inputs={"sequential_input": (4,)}).totals.params == 68


def test_maxout_and_highway_compute_what_keras_1_computed() -> None:
    from layerexplain.derive.evaluate import evaluate
    from layerexplain.lang.axes import BATCH
    from layerexplain.layers.declaration import Spec
    from tests.support.tracing import trace_layer

    draw = np.random.default_rng(3)
    x = draw.normal(size=(2, 7))
    definition = trace_layer("MaxoutDense", {"units": 5, "nb_feature": 3}, [Spec((BATCH, 7), "float")])
    W, b = draw.normal(size=(3, 7, 5)), draw.normal(size=(3, 5))
    expected = np.stack([x @ W[k] + b[k] for k in range(3)]).max(axis=0)
    np.testing.assert_allclose(evaluate(definition, [x], [W, b])[0], expected, rtol=1e-4, atol=1e-6)
    definition = trace_layer("Highway", {"activation": "relu"}, [Spec((BATCH, 7), "float")])
    assert [w.attrs["name"] for w in definition.weights] == ["W", "W_carry", "b", "b_carry"]
    W, C, b, c = draw.normal(size=(7, 7)), draw.normal(size=(7, 7)), draw.normal(size=7), draw.normal(size=7)
    gate = 1 / (1 + np.exp(-(x @ C + c)))
    expected = gate * np.maximum(x @ W + b, 0) + (1 - gate) * x
    np.testing.assert_allclose(evaluate(definition, [x], [W, C, b, c])[0], expected, rtol=1e-4, atol=1e-6)
