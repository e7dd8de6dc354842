"""Reports as values of Python: look-up, iteration, slices, one line, a table, data. One manner for all of them."""

import json
import pickle
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError

SPEC = b"""
name: net
input: [7, 5, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 2}
    name: first
  - Sequential: [{Conv2D: {filters: 3, kernel_size: 2}}, Flatten]
    name: encoder
  - Dense: {units: 1, activation: softmax}
"""
MODEL = layerexplain.read(SPEC)
GIVEN = layerexplain.make_inputs(MODEL)
TRAINED = {"loss": "mse", "optimizer": "sgd"}

REPORTS: dict[str, Callable[[], Any]] = {
    "Report": lambda: layerexplain.explain(SPEC),
    "WeightTable": lambda: layerexplain.list_weights(SPEC),
    "CheckReport": lambda: layerexplain.check(SPEC),
    "Comparison": lambda: layerexplain.diff(SPEC, SPEC.replace(b"filters: 3", b"filters: 11")),
    "TraceReport": lambda: layerexplain.trace_statistics(SPEC, MODEL, GIVEN),
    "GradientTrace": lambda: layerexplain.gradient_statistics(SPEC, MODEL, GIVEN, **TRAINED),
}
FOUND = {
    "Report": ("encoder/conv2d", "convd2", "encoder/conv2d"),
    "WeightTable": ("first/kernel", "first/kernal", "first/kernel"),
    "CheckReport": ("softmax-over-one", "softmax-over-on", "softmax-over-one"),
    "Comparison": ("first", "frist", "first"),
    "TraceReport": ("encoder/conv2d", "encoder/convd2", "encoder/conv2d"),
    "GradientTrace": ("dense/kernel", "dense/kernal", "dense/kernel"),
}
"""For each kind of report a name that it has, one that is misspelt, and what is suggested."""
LINES = {
    "Report": "<Report of 'net' (<bytes>): 4 layers, 112 parameters>",
    "WeightTable": "<WeightTable of 'net' (<bytes>): 6 weights, 112 parameters>",
    "CheckReport": "<CheckReport of 'net' (<bytes>): 1 finding>",
    "Comparison": "<Comparison of <bytes> and <bytes>: 6 layers changed>",
    "TraceReport": "<TraceReport of 'net' (<bytes>): 7 outputs>",
    "GradientTrace": "<GradientTrace of 'net' (<bytes>): loss 0.764348, 7 outputs, 6 weights>",
}


@pytest.mark.parametrize("kind", LINES)
def test_a_report_is_one_line_about_what_it_has(kind: str) -> None:
    assert repr(REPORTS[kind]()) == LINES[kind]


def test_the_ten_lines_that_a_user_would_write() -> None:
    report = layerexplain.explain(SPEC)
    assert repr(report) == "<Report of 'net' (<bytes>): 4 layers, 112 parameters>"
    assert report["first"].params == 2 * 2 * 2 * 3 + 3
    assert report["encoder/conv2d"].output_shapes == ((None, 5, 3, 3),)
    assert (report[0].layer, report[-1].layer, len(report)) == ("input", "dense", 4)
    assert [row.layer for row in report[1:3]] == ["first", "encoder"]
    assert "first" in report and "encoder/conv2d" in report and "conv2d" not in report and report[1] in report
    assert sum(row.params or 0 for row in report) == report.totals.params == 27 + 39 + 46
    assert str(report) == layerexplain.format_report(report).rstrip("\n")
    assert report.explain("enc*/conv*").startswith("encoder/conv2d · Conv2D")
    assert report.to_dict()["totals"]["params"] == 112


@pytest.mark.parametrize("kind", REPORTS)
def test_every_report_behaves_in_one_manner(kind: str) -> None:
    report = REPORTS[kind]()
    name, misspelt, meant = FOUND[kind]
    assert type(report).__name__ == kind and len(report) == len(list(report)) > 0
    assert report[0] == next(iter(report)) and report[:2] == tuple(report)[:2] and report[-1] in report
    assert repr(report).startswith(f"<{kind} of ") and "\n" not in repr(report) and len(repr(report)) < 100
    assert str(report) == layerexplain.format_report(report).rstrip("\n")
    found = report[name]
    assert name in report and misspelt not in report
    one = kind in ("Report", "WeightTable", "Comparison")
    assert all(row in [*report, report[name]] for row in ([found] if one else found))
    with pytest.raises(KeyError, match=f"did you mean '{meant}'"):
        report[misspelt]
    with pytest.raises(KeyError, match=r"there are|did you mean"):
        report["zzzzzz"]
    with pytest.raises(IndexError):
        report[1000]
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert '<div class="layerexplain">' in report._repr_html_() and "net" in report._repr_html_()
    assert pickle.loads(pickle.dumps(report)) == report == report._replace()
    with pytest.raises(AttributeError, match="cannot be changed"):
        report.source = "other"


@pytest.mark.parametrize("kind", REPORTS)
def test_a_data_frame_has_a_row_for_each_row(kind: str) -> None:
    report = REPORTS[kind]()
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(LayerExplainError, match="pip install pandas"):
            report.to_dataframe()
        return
    frame = report.to_dataframe()
    assert len(frame) == len(report)
    if kind == "Report":
        assert frame.set_index("layer")["params"].to_dict() == {"input": 0, "first": 27, "encoder": 39, "dense": 46}
        assert frame["output_shapes"][1] == ((None, 6, 4, 3),) and "weights" not in frame


def test_a_run_is_a_mapping_of_arrays_that_prints_its_statistics() -> None:
    made = layerexplain.trace(SPEC, np.ones((1, 7, 5, 2)), layers=["first", "dense"])
    assert list(made) == [("first", 0, 0), ("dense", 0, 0)] and made["first"].shape == (1, 6, 4, 3)
    assert repr(made) == "<Trace of 'net' (<bytes>): 2 layers, weights drawn>"
    rows = made.statistics()
    assert [row.path for row in rows] == ["first", "dense"] and rows["dense"][0].statistics.max == 1.0
    assert rows["first"][0].statistics.mean == pytest.approx(made["first"].mean())
    assert str(made) == str(rows) and made.to_dict() == rows.to_dict()
    with pytest.raises(KeyError, match="did you mean 'first'"):
        made["frist"]


def test_a_chosen_layer_is_explained_and_the_others_have_a_row() -> None:
    report = layerexplain.explain(SPEC, layers="dens*")
    assert [row.layer for row in report if row.explanation is not None] == ["dense"]
    assert report.explain().startswith("dense · Dense") and len(report) == 4
    for layers in (["dense"], lambda path: path == "dense"):
        assert layerexplain.explain(SPEC, layers=layers).explain() == report.explain()
    with pytest.raises(LayerExplainError, match="no layer matches 'dnese'; did you mean 'dense'"):
        layerexplain.explain(SPEC, layers=["first", "dnese"])
    with pytest.raises(LayerExplainError, match="no explanation"):
        report.explain("first")
    with pytest.raises(LayerExplainError, match="no explanation"):
        layerexplain.explain(SPEC, detail=False).explain()


def test_a_shape_without_none_has_no_batch() -> None:
    for shape in ((7, 5, 2), (None, 7, 5, 2), [7, 5, 2]):
        assert layerexplain.explain_layer("Flatten", input_shape=shape)[0].output_shapes == ((None, 70),)
    assert layerexplain.explain_layer("Dense", units=3, input_shape=(32, 784))[0].output_shapes == ((None, 32, 3),)
    assert layerexplain.explain_layer("Add", input_shape=[(5, 3), (None, 5, 3)])[0].output_shapes == ((None, 5, 3),)
    unknown = b"input: [null, null, 2]\nlayers:\n  - Conv2D: {filters: 3, kernel_size: 2}\n"
    for shape in ((7, 5, 2), (None, 7, 5, 2), [7, 5, 2]):
        report = layerexplain.explain(unknown, inputs={"input": shape})
        assert report.outputs[0].shape == (None, 6, 4, 3)
        assert layerexplain.check(unknown, inputs={"input": shape}, budgets={"macs": 575})["over-budget"]


NUMBERS = np.ones((1, 7, 5, 2))
REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    (
        function,
        partial(call, SPEC, inputs={"inptu": (7, 5, 2)}),
        "the model has no input 'inptu'; did you mean 'input'?",
    )
    for function, call in {
        "explain": layerexplain.explain,
        "check": layerexplain.check,
        "list_weights": layerexplain.list_weights,
        "draw": layerexplain.draw,
        "page": layerexplain.page,
        "convert": partial(layerexplain.convert, target="-", to="yaml"),
        "diff": partial(layerexplain.diff, after=SPEC),
        "trace": lambda source, inputs: layerexplain.trace(source, {"inptu": NUMBERS}),
        "make_inputs": lambda source, inputs: layerexplain.make_inputs(MODEL, sizes=inputs),
    }.items()
]
REFUSED += [
    ("shape", lambda: layerexplain.explain(SPEC, inputs={"input": 784}), "needs to be a tuple of sizes"),
    ("shape of text", lambda: layerexplain.explain_layer("Dense", units=3, input_shape="7 by 5"), "the name of a size needs to be a name of Python"),
    ("shape of sizes", lambda: layerexplain.explain_layer("Dense", units=3, input_shape=(4, -1)), "needs to be a tuple"),
    ("format", lambda: layerexplain.format_report(layerexplain.explain(SPEC), "jsno"), "no format 'jsno'; did you mean 'json'?"),
    ("no format", lambda: layerexplain.format_report(layerexplain.explain(SPEC), "pdf"), "no format 'pdf'; the formats are table, json"),
    ("column", lambda: layerexplain.format_report(layerexplain.explain(SPEC), "csv", columns=["nope"]), "no column 'nope'; did you mean 'notes'?"),
    ("columns of json", lambda: layerexplain.format_report(layerexplain.explain(SPEC), "json", columns=["layer"]), "columns cannot be used with json"),
    ("columns of findings", lambda: layerexplain.format_report(layerexplain.check(SPEC), columns=["code"]), "columns cannot be used with a CheckReport"),
    ("width", lambda: layerexplain.format_report(layerexplain.explain(SPEC), width=3), "width needs to be at least 20"),
    ("form", lambda: layerexplain.draw(SPEC, "gif"), "no form 'gif'; the forms are svg, png, pdf, dot, mmd"),
    ("theme", lambda: layerexplain.draw(SPEC, theme="drak"), "no theme 'drak'; did you mean 'dark'?"),
    ("show", lambda: layerexplain.draw(SPEC, show=["tpye"]), "no part of a box 'tpye'; did you mean 'type'?"),
    ("depth", lambda: layerexplain.draw(SPEC, depth=-1), "depth needs to be at least 0"),
    ("inputs of a report", lambda: layerexplain.draw(layerexplain.explain(SPEC), inputs={"input": (3,)}), "inputs cannot be used with a report"),
    ("gradient of a report", lambda: layerexplain.page(layerexplain.explain(SPEC), gradient=True), "gradient cannot be used with a report"),
    ("layers of no run", lambda: layerexplain.page(SPEC, layers="first"), "give values too"),
    ("gradient without detail", lambda: layerexplain.explain(SPEC, detail=False, gradient=True), "cannot be used with detail=False"),
    ("optimizer", lambda: layerexplain.explain(SPEC, optimizer="adma"), "no optimizer 'adma'; did you mean 'adam'?"),
    ("batch", lambda: layerexplain.explain(SPEC, batch=0), "batch needs to be at least 1"),
    ("loss", lambda: layerexplain.explain(SPEC, training={"loss": "mes"}), "did you mean 'mse'?"),
    ("part of training", lambda: layerexplain.explain(SPEC, training={"los": "mse"}), "no part of training 'los'; did you mean 'loss'?"),
    ("rule", lambda: layerexplain.check(SPEC, select=["softmax-over-on"]), "no rule 'softmax-over-on'; did you mean 'softmax-over-one'?"),
    ("budget", lambda: layerexplain.check(SPEC, budgets={"parms": 3}), "no budget 'parms'; did you mean 'params'?"),
    ("form of convert", lambda: layerexplain.convert(SPEC, "-", to="yam"), "no form 'yam'; did you mean 'yaml'?"),
    ("backend", lambda: layerexplain.convert(SPEC, "-", to="yaml", backend="theno"), "no backend 'theno'; did you mean 'theano'?"),
    ("target of no gradient", lambda: layerexplain.trace(SPEC, NUMBERS, loss="mse"), "loss needs gradient=True"),
    ("layers of a trace", lambda: layerexplain.trace(SPEC, NUMBERS, layers="frist"), "no layer matches 'frist'; did you mean 'first'?"),
    ("code of a model", lambda: layerexplain.explain(MODEL, code=["layers.py"]), "code cannot be used with a model that was read"),
    ("layers", lambda: layerexplain.explain(SPEC, layers=3), "layers needs a pattern, a list of patterns or a function"),
    ("jobs", lambda: layerexplain.catalogue(["m.keras"], "zoo.csv", jobs=0), "jobs needs to be at least 1"),
    ("type", lambda: layerexplain.layer_type("Dens"), "there is no layer type 'Dens'; did you mean 'Dense'?"),
    ("argument", lambda: layerexplain.explain_layer("Dense", unit=3, input_shape=(4,)), "did you mean 'units'?"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_nothing_wrong_passes_in_silence(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        call()
    assert isinstance(caught.value, LayerExplainError) and "\n" not in str(caught.value)


def test_a_model_shows_itself_on_one_line() -> None:
    assert repr(MODEL) == "<Model 'net' (<bytes>): Sequential, 4 layers>"
    assert len(repr(MODEL.layers[2])) < 400 and layerexplain.read(SPEC) == MODEL
