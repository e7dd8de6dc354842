"""Files of weights alone, TensorFlow.js layers models, and what is no model: each says what it is. No Keras needed."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.report.build import build
from tests.support.faults import failure
from tests.support.keras_configs import dense, entry, sequence
from tests.support.saved_models import field

h5py = pytest.importorskip("h5py")


def h5(path: Path, datasets: dict[str, tuple[int, ...]], **attributes: Any) -> Path:
    """An HDF5 file of float32 arrays; `attributes` by group, "" the root."""
    with h5py.File(path, "w") as root:
        for name, shape in datasets.items():
            root.create_dataset(name, shape, dtype="float32")
        for group, values in attributes.items():
            for name, value in values.items():
                root["/" + group.replace("__", "/")].attrs[name] = value
    return path


CLASSES = {
    "layers/dense/vars/0": (4, 3),
    "layers/dense/vars/1": (3,),
    "layers/lstm/cell/vars/0": (3, 8),
    "layers/lstm/seed_generator/vars/0": (2,),
    "layers/my_layer_3/vars/0": (7,),
    "optimizer/vars/0": (4, 3),
}


def rows(source: Any) -> list[tuple[str, str, int | None]]:
    return [(row.layer, row.type, row.params) for row in build(read(source)).layers]


def test_a_weights_file_of_keras_3(tmp_path: Path) -> None:
    path = h5(tmp_path / "a.weights.h5", CLASSES)
    model = read(path)
    assert (model.type, model.name, model.format, model.calls) == ("Weights", "a", "weights-h5", ())
    assert [note.code for note in model.notes] == ["weights-only"]
    expected = [("group dense", "Dense", 15), ("group lstm", "LSTM", 24), ("group my_layer_3", "MyLayer", 7)]
    assert rows(path) == expected == rows(path.read_bytes())
    report = build(model)
    assert [(w.name, w.shape) for w in report.layers[1].weights] == [("cell/0", (3, 8))]
    # The file does not tell what is trainable.
    assert (report.totals.params, report.totals.trainable, report.totals.flops) == (46, None, None)


def test_a_subclassed_model_has_the_layers_that_its_weights_tell(tmp_path: Path) -> None:
    config = {"module": None, "class_name": "Own", "config": {"trainable": True}, "registered_name": "Own"}
    weights = h5(tmp_path / "w.h5", {**CLASSES, "vars/0": (5,)})
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.write(weights, "model.weights.h5")
    for source in (path, path.read_bytes()):
        model = read(source)
        assert (model.type, [note.code for note in model.notes]) == ("Own", ["no-graph", "layers-from-weights"])
        assert rows(source) == [
            ("weights", "Variables", 5),
            ("group dense", "Dense", 15), ("group lstm", "LSTM", 24), ("group my_layer_3", "MyLayer", 7),
        ]  # fmt: skip
        assert build(model).totals.params == 51
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(50))
    assert [note.code for note in read(path).notes] == ["no-graph", "weights-unread"]
    assert build(read(path)).totals.params is None


@pytest.mark.keras
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_no_row_of_a_subclassed_model_bears_the_name_of_another_layer(package: str, tmp_path: Path) -> None:
    """Keras stores the names since 3.6; before, the file has groups only, which it counts by class: they are marked."""
    of = pytest.importorskip(package)

    class Own(of.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.parts = [of.layers.Dense(n, name=f"dense_{n}") for n in (1, 2, 3)]

        def call(self, x: Any) -> Any:
            return self.parts[2](self.parts[1](self.parts[0](x)))

    model = Own()
    model(np.zeros((2, 5), "float32"))
    model.save_weights(tmp_path / "m.weights.h5")
    by_name = {layer.name: layer.count_params() for layer in model.layers}
    found = [(name, params) for name, _, params in rows(tmp_path / "m.weights.h5")]
    assert [params for _, params in found] == list(by_name.values()) == [6, 4, 9]
    assert all(by_name[name] == params for name, params in found if not name.startswith("group "))
    assert [name for name, _ in found] == (
        list(by_name) if package == "keras" else ["group dense", "group dense_1", "group dense_2"]
    )


def test_legacy_weights(tmp_path: Path) -> None:
    path = h5(
        tmp_path / "old.h5",
        {"dense_1/dense_1/kernel:0": (4, 3), "dense_1/dense_1/bias:0": (3,), "bn/bn/gamma:0": (3,)},
        **{
            "": {"layer_names": [b"bn", b"dense_1", b"flatten"], "keras_version": b"2.2.4"},
            "dense_1": {"weight_names": [b"dense_1/kernel:0", b"dense_1/bias:0"]},
            "bn": {"weight_names": [b"bn/gamma:0"]},
        },
    )
    assert rows(path) == [("bn", "Variables", 3), ("dense_1", "Dense", 15)]
    assert (read(path).format, read(path).keras_version) == ("h5-weights", "2.2.4")


def test_weights_of_keras_0(tmp_path: Path) -> None:
    path = h5(
        tmp_path / "zero.h5",
        {"layer_0/param_0": (4, 3), "layer_0/param_1": (3,)},
        **{"": {"nb_layers": 2}, "layer_0": {"nb_params": 2}},
    )
    assert rows(path) == [("layer_0", "Variables", 15)]


def test_an_index_of_shards(tmp_path: Path) -> None:
    h5(tmp_path / "m_00000.weights.h5", {"layers/dense/vars/0": (4, 3)})
    h5(tmp_path / "m_00001.weights.h5", {"layers/dense_1/vars/0": (5, 1)})
    index = tmp_path / "m.weights.json"
    shards = {"/layers/dense/vars": "m_00000.weights.h5", "/layers/dense_1/vars": ["m_00001.weights.h5"]}
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": shards}))
    assert rows(index) == [("group dense", "Dense", 12), ("group dense_1", "Dense", 5)]
    for name in ("../m_00000.weights.h5", "/etc/passwd", "missing.weights.h5", 3):
        index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
        with pytest.raises(LayerExplainError) as caught:
            read(index)
        assert "\n" not in str(caught.value)
    assert "is an index of sharded weights" in failure(index.read_bytes())


TOPOLOGY = sequence(entry("x", [None, 4]), dense("d"))
MANIFEST = [{"paths": ["group1-shard1of1.bin"], "weights": [{"name": "d/kernel", "shape": [4, 3], "dtype": "float32"}]}]


@pytest.mark.parametrize(
    "topology",
    [
        {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": TOPOLOGY},
        {"keras_version": "tfjs-layers 4.20.0", "backend": "tensor_flow.js", **TOPOLOGY},
        {"model_config": json.dumps(TOPOLOGY)},
    ],
)
def test_tensorflow_js_layers_models(topology: dict[str, Any], tmp_path: Path) -> None:
    document = {
        "format": "layers-model",
        "generatedBy": "keras v2.15.0",
        "convertedBy": "TensorFlow.js Converter v4.20.0",
        "modelTopology": topology,
        "weightsManifest": MANIFEST,
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    model = read(path)
    # Its own version is none of Keras.
    assert (model.format, model.keras_version) in [("tfjs-layers", None), ("tfjs-layers", "2.15.0")]
    assert (model.keras_version is None) == ("tfjs" in topology.get("keras_version", "tfjs"))
    assert build(model).totals.params == 15
    assert "is a folder with a model.json, as TensorFlow.js writes it" in failure(tmp_path)


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return stream.getvalue()


FOREIGN: dict[str, tuple[bytes, str]] = {
    "ONNX": (field(1, 8) + field(2, "tf2onnx") + field(7, b"\n\x05graph"), "is an ONNX model"),
    "ONNX without a producer": (field(1, 3) + field(7, b"\n\x05graph"), "is an ONNX model"),
    "Core ML": (field(1, 4) + field(2, field(1, "x" * 9)), "is a Core ML model"),
    "frozen graph": (field(1, field(1, "input") + field(2, "Placeholder") + field(5, b"\n\x05dtype")), "is a frozen"),
    "frozen graph that begins with a large constant": (
        (field(1, field(1, "w") + field(2, "Const") + field(5, b"x" * 9000)))[:4096],
        "is a frozen TensorFlow graph",
    ),
    "checkpoint": (b"\x00\x00\x1c\x08\x01_CHECKPOINTABLE_OBJECT_GRAPH\x08", "is the index of a TensorFlow checkpoint"),
    "list of checkpoints": (b'model_checkpoint_path: "ckpt"\n', "is the list of TensorFlow checkpoints"),
    "graph as text": (b'node {\n  name: "x"\n', "is a TensorFlow graph written as text"),
    "PyTorch zip": (zipped("archive/data.pkl", "archive/data/0"), "is a PyTorch file"),
    "PyTorch pickle": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02", "is a PyTorch file, a pickle"),
    "SavedModel, zipped": (zipped("m/saved_model.pb"), "is a zipped SavedModel; give its folder in it as FILE::m, or unpack it"),
    "safetensors": (b"\x40" + bytes(7) + b'{"__metadata__":{"format":"pt"}}', "is a safetensors file"),
    "tar": (tar(), "is a tar archive; unpack it first"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a PNG picture, not a model"),
    "Python": (b"#!/usr/bin/env python\nprint(1)\n", "is Python code that builds no model"),
    "Keras script": (b"import keras\nmodel = keras.Sequential()\n", "is Python code that builds no model"),
    "notebook": (b'{"cells": [], "nbformat": 4}', "is Python code that builds no model"),
    "Caffe": (b'name: "net"\nlayer {\n  name: "x"\n}\n', "is a Caffe network"),
    "OpenVINO": (b'<?xml version="1.0"?>\n<net name="m">', "is an OpenVINO model"),
    "tfjs graph": (b'{"format": "graph-model", "modelTopology": {"node": []}}', "is a TensorFlow.js graph model"),
    "tfjs weights": (b'{"weightsManifest": []}', "is a TensorFlow.js model.json without a topology"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_model_says_what_it_is(name: str, tmp_path: Path) -> None:
    data, words = FOREIGN[name]
    path = tmp_path / "file"
    path.write_bytes(data)
    assert failure(path).startswith(f"{path}: {words}")


def test_a_zipped_folder_and_the_names_of_keras_2_10(tmp_path: Path) -> None:
    document = json.dumps(TOPOLOGY)
    for names in (["m/config.json", "m/metadata.json"], ["config.keras", "metadata.json"]):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(names[0], document)
            archive.writestr(names[1], '{"keras_version": "2.10.0"}')
        model = read(stream.getvalue())
        assert (model.format, model.keras_version) == ("keras-archive", "2.10.0")
    (tmp_path / "config.keras").write_text(document)
    assert read(tmp_path).format == "keras-archive"
