"""The table of formats: each row accepts its own kind of source and no other, and a new one is a row."""

import io
import json
import struct
import zipfile
from typing import Any

import pytest

from layerexplain import frontends
from layerexplain.api import explain
from layerexplain.errors import ArgumentError, ErrorGroup
from layerexplain.frontends import FORMATS, Format, read
from layerexplain.frontends.model_builder import ModelBuilder
from layerexplain.frontends.opened import Opened
from layerexplain.model import Layer, Model
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4]}}


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": [DENSE]}))
    return content.getvalue()


SOURCES = {
    "zip": zipped(),
    "hdf5": (SAMPLES / "digits.h5").read_bytes(),
    "saved-model": b"\x08\x01\x12" + b"\x00" * 20,
    "nothing": b"",
    "json": json.dumps({"class_name": "Sequential", "config": [DENSE]}).encode(),
    "code": b"model = Sequential()\nmodel.add(Dense(3, input_dim=4))\n",
    "yaml": b"input: [4]\nlayers:\n  - Dense: 3\n",
}
"""A source for each row of the table, in its order."""


def opened(data: bytes) -> Opened:
    return Opened.from_file(io.BytesIO(data), None)


@pytest.mark.parametrize(("row", "name"), list(enumerate(SOURCES)))
def test_each_source_is_accepted_by_its_row_first(row: int, name: str) -> None:
    accepting = [one.accepts(opened(SOURCES[name])) for one in FORMATS]
    assert accepting.index(True) == row
    assert len(FORMATS) == len(SOURCES)


@pytest.mark.parametrize("name", ["zip", "json", "code", "yaml"])
def test_what_is_accepted_is_read(name: str) -> None:
    model = read(SOURCES[name])
    assert [layer.config["units"] for layer in model.layers if layer.type == "Dense"] == [3]


def test_a_text_may_begin_with_much_space() -> None:
    assert read(b" " * 5000 + SOURCES["json"]).format == "config-json"


def test_another_front_end_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format of sizes: a mark, the width of the input and the units of each Dense layer."""

    def read_sizes(source: Opened) -> Model:
        width, *units = struct.unpack(f"<{(len(source.head) - 4) // 2}H", source.head[4:])
        builder = ModelBuilder()
        shape = {"batch_shape": (None, width), "dtype": "float32"}
        last = builder.add_input(Layer(builder.names.take("x"), "InputLayer", "layer", shape))
        for count in units:
            name = builder.names.take("dense")
            builder.layers.append(Layer(name, "Dense", "layer", {"units": count}))
            last = builder.call(name, (last,))
        return builder.model("sizes", [last])._replace(format="sizes")

    row: Any = Format(lambda source: source.head.startswith(b"SIZE"), read_sizes)
    monkeypatch.setattr(frontends, "FORMATS", (row, *FORMATS))
    report = explain(read(b"SIZE" + struct.pack("<3H", 4, 5, 2)))
    assert [(one.layer, one.params) for one in report.layers] == [("x", 0), ("dense", 25), ("dense_1", 12)]
    assert report.format == "sizes"


def test_faults_of_layers_come_with_the_model() -> None:
    spec = b"input: [4]\nlayers:\n  - Dense: 3\n    name: fine\n  - Dense: -1\n  - Dropout: 2\n"
    model = read(spec)
    assert [layer.name for layer in model.layers][:2] == ["input", "fine"]
    assert [(type(fault), fault.source, fault.line) for fault in model.faults] == [
        (ArgumentError, "<bytes>", 5),
        (ArgumentError, "<bytes>", 6),
    ]
    with pytest.raises(ErrorGroup) as caught:
        explain(model)
    assert [error.fact for error in caught.value.errors] == [fault.fact for fault in model.faults]
    assert explain(model, partial=True).faults
