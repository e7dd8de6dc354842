"""JSON by its schema, JSON Lines, CSV and TSV: what programs read."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from layerexplain import explain
from layerexplain.render.documents.layer_columns import COLUMNS, DATA_COLUMNS
from layerexplain.render.layout import Look
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.report import Report
from tests.support import reports
from tests.support.paths import ROOT
from tests.support.printing import Chosen, Wanted, explanation_text, summary_pieces, summary_text
from tests.support.reports import all_rows

SCHEMA_FILE = ROOT / "docs" / "report.schema.json"
SCHEMA = json.loads(SCHEMA_FILE.read_text("utf-8"))
LOOK = Look()


def validator(definition: str | None = None) -> Draft202012Validator:
    """Of the whole schema, or of one of its definitions."""
    schema = SCHEMA if definition is None else {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{definition}"}]}
    return Draft202012Validator(schema)


def faults(value: Any, definition: str | None = None) -> list[str]:
    return [str(error.message) for error in validator(definition).iter_errors(value)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_is_strict() -> None:
    for name, definition in [("schema", SCHEMA), *SCHEMA["$defs"].items()]:
        waiting = [(name, definition)]
        while waiting:
            place, part = waiting.pop()
            if place.endswith("config"):
                continue  # arguments, which have any names
            if part.get("type") == "object":
                assert part["additionalProperties"] is False, place
                for key, inner in part["properties"].items():
                    waiting.append((f"{place}.{key}", inner))
            if part.get("type") == "array" and "items" in part:
                waiting.append((f"{place}[]", part["items"]))


def test_the_schema_has_the_fields_of_the_data() -> None:
    """Every field of the frozen data is in the schema and the other way round."""
    explanation = SCHEMA["$defs"]["explanation"]
    assert list(explanation["properties"]) == list(Explanation._fields) == explanation["required"]
    row = reports.read("cnn").layers[1].to_dict()
    assert set(row) <= set(SCHEMA["$defs"]["layer"]["properties"])
    assert set(SCHEMA["$defs"]["layer"]["required"]) == set(row) - {
        "explanation",
        "layers",
        "receptive_field",
        "memory",
    }


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", reports.SOURCES)
def test_json_keeps_the_contract(kind: str, nested: bool) -> None:
    report = reports.read(kind)
    for text in (
        summary_text([report], Wanted("json", nested=nested), LOOK),
        explanation_text([Chosen(report, report.layers)], Wanted("json", nested=nested), LOOK),
    ):
        value = json.loads(text)
        assert faults(value) == []
        assert value["schema"] == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], 2),
        (["extra"], 1),
        (["layers", 0, "extra"], 1),
        (["layers", 0, "operation"], ""),
        (["layers", 1, "params"], 448.5),
        (["layers", 1, "params"], -1),
        (["layers", 1, "input_shapes"], [[28.5]]),
        (["totals", "bytes"], 1.5),
        (["layers", 1, "explanation", "axes", 0, "before"], 28),
    ],
)
def test_the_schema_refuses(path: list[Any], value: Any) -> None:
    report = json.loads(summary_text([reports.read("cnn")], Wanted("json"), LOOK))
    assert faults(report) == []
    place = report
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert faults(report) != []


def test_rows_have_what_was_asked_for() -> None:
    report = explain(SCHEMA_FILE.parents[1] / "sample_models" / "mnist_mlp.yaml", backward=True, batch=2, detail=False)
    (_, _, line, *_) = summary_text([report], Wanted("jsonl"), LOOK).splitlines()
    row = json.loads(line)
    assert faults(row, "row") == []
    assert row["memory"] == {"activations": 4 * 512} and row["backward"]["macs"] > 0


def test_one_source_is_an_object_and_several_an_array() -> None:
    one, two = reports.read("cnn"), reports.read("lstm")
    assert json.loads(summary_text([one], Wanted("json"), LOOK))["model"]["name"] == "cnn"
    several = json.loads(summary_text([one, two], Wanted("json", several=True), LOOK))
    assert [report["model"]["name"] for report in several] == ["cnn", "lstm"]
    assert faults(several) == []
    # One of two could not be read: still an array, whose length does not surprise a program.
    assert isinstance(json.loads(summary_text([one], Wanted("json", several=True), LOOK)), list)


def test_json_says_null_for_unknown() -> None:
    value = json.loads(summary_text([reports.read("unknown")], Wanted("json"), LOOK))
    row = value["layers"][3]
    assert row["params"] is row["macs"] is row["flops"] is None
    assert row["output_shapes"] == [None]
    assert value["totals"]["params"] is None
    assert value["notes"][0] == {
        "code": "opaque",
        "layer": "quantized",
        "message": "QDense (from quantization) is a layer without a formula in layerexplain; its shapes are those "
        "that the file recorded",
    }


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", reports.SOURCES)
def test_json_lines_are_rows(kind: str, nested: bool) -> None:
    report = reports.read(kind)
    text = summary_text([report, report], Wanted("jsonl", nested=nested, several=True), LOOK)
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert faults(line, "row") == []
        assert list(line)[:3] == ["source", "model", "layer"]
    assert len(lines) == 2 * len(all_rows(report.layers) if nested else report.layers)


@pytest.mark.parametrize(("format", "headings"), [("jsonl", 0), ("csv", 1), ("tsv", 1)])
def test_a_large_report_comes_in_pieces(format: str, headings: int) -> None:
    small = reports.read("cnn")
    large = small._replace(layers=small.layers * 700)
    wanted = Wanted(format)
    pieces = list(summary_pieces(large, wanted, LOOK))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 0.5 * sum(map(len, pieces))
    lines = summary_text([small], wanted, LOOK).splitlines()
    assert summary_text([large], wanted, LOOK).splitlines() == lines[:headings] + lines[headings:] * 700
    assert next(iter(summary_text([], wanted, LOOK)), None) is None, "no report: not even a heading"


def read(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text), delimiter=delimiter))


def test_csv_has_these_columns() -> None:
    header = "layer,type,depth,operation,from,input_shapes,output_shapes,params,trainable,non_trainable,macs,flops"
    assert summary_text([reports.read("cnn")], Wanted("csv"), LOOK).splitlines()[0] == header
    assert summary_text([reports.read("cnn")], Wanted("tsv"), LOOK).splitlines()[0] == header.replace(",", "\t")


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_cells(format: str, delimiter: str) -> None:
    rows = read(summary_text([reports.read("cnn")], Wanted(format), LOOK), delimiter)
    assert rows[1] == {
        "layer": "conv2d",
        "type": "Conv2D",
        "depth": "0",
        "operation": "3×3 conv, 16 filters, stride 2, same, relu",
        "from": "input_1",
        "input_shapes": "(None, 28, 28, 3)",
        "output_shapes": "(None, 14, 14, 16)",
        "params": "448",
        "trainable": "448",
        "non_trainable": "0",
        "macs": "84672",
        "flops": "175616",
    }
    assert rows[5]["from"] == "conv2d; conv2d_1; conv2d_2; conv2d_3"
    assert rows[5]["input_shapes"] == "; ".join(["(None, 14, 14, 16)"] * 4)


def test_csv_leaves_unknown_empty() -> None:
    row = read(summary_text([reports.read("unknown")], Wanted("csv"), LOOK))[3]
    assert (row["params"], row["macs"], row["output_shapes"]) == ("", "", "")
    assert row["input_shapes"] == "(None, 4)"


def test_several_sources_have_one_header_and_a_source_column() -> None:
    text = summary_text([reports.read("cnn"), reports.read("lstm")], Wanted("csv", several=True), LOOK)
    assert text.count("layer,type") == 1
    rows = read(text)
    assert list(rows[0]) == ["source", *DATA_COLUMNS]
    assert {row["source"] for row in rows} == {"cnn", "lstm"}


def test_nested_rows_carry_path_and_depth() -> None:
    rows = read(summary_text([reports.read("nested")], Wanted("csv", nested=True), LOOK))
    assert [(row["path"], row["depth"]) for row in rows] == [
        ("left", "0"),
        ("right", "0"),
        ("encoder", "0"),
        ("encoder/input_2", "1"),
        ("encoder/tower", "1"),
        ("encoder/tower/input", "2"),
        ("encoder/tower/projection", "2"),
    ]


@pytest.mark.parametrize("kind", ["cnn", "lstm", "attention", "nested"])
def test_rows_of_depth_0_add_up(kind: str) -> None:
    report: Report = reports.read(kind)
    rows = read(summary_text([report], Wanted("csv", nested=True), LOOK))
    for column in ("params", "trainable", "non_trainable", "macs", "flops"):
        total = getattr(report.totals, column)
        assert sum(int(row[column]) for row in rows if row["depth"] == "0") == total


def test_every_column_can_be_chosen() -> None:
    names = tuple(COLUMNS)
    for kind in reports.SOURCES:
        for format in ("csv", "tsv", "markdown", "table"):
            text = summary_text([reports.read(kind)], Wanted(format, names), LOOK)
            assert text
    row = read(summary_text([reports.read("lstm")], Wanted("csv", names), LOOK))[2]
    assert list(row) == list(names)
    assert row["mask"] == "masking"
    assert row["weights"] == "lstm_cell/kernel (5, 24); lstm_cell/recurrent_kernel (6, 24); lstm_cell/bias (24,)"
    assert row["formula"].startswith("W_i, W_f, W_g, W_o = split(W, n=4); U_i,")
    assert row["shapes"] == "(None, 9, 5) → (None, 6)"


def test_a_shape_that_is_not_known_is_null_and_that_of_a_number_empty() -> None:
    # Keras: keras.Input(batch_shape=()) has the shape (), of a single number.
    code = b"import keras\nx = keras.Input(shape=open(1), name='x')\nm = keras.Model(x, keras.layers.ReLU()(x))\n"
    number = b"inputs: {x: {batch_shape: []}}\nlayers: [ReLU]\n"
    for source, shape in ((code, None), (number, [])):
        told = explain(source).to_dict()
        assert told["inputs"] == [{"name": "x", "shape": shape, "dtype": "float32"}]
        assert told["layers"][-1]["input_shapes"] == [shape]
        assert faults(told) == []
