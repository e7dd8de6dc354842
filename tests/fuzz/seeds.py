"""The files that are mutated: small ones of every format, made here or taken from sample_models."""

import functools
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from tests.support import keras_configs
from tests.support.old_dialects import KERAS_0_GRAPH
from tests.support.saved_models import Node, keras_metadata_pb, saved_model_pb, signature, tensor_info

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
OLD = Path(__file__).resolve().parents[1] / "data" / "old"

LSTM = {"class_name": "LSTM", "config": {"name": "lstm", "trainable": True, "units": 3, "return_sequences": True}}
KERAS_3 = keras_configs.graph(
    [
        keras_configs.entry("a", [None, 5], "batch_shape"),
        {**keras_configs.dense("d", 5), "inbound_nodes": [keras_configs.node(keras_configs.tensor("a"))]},
        {
            "module": "keras.src.ops.numpy",
            "class_name": "Add",
            "config": {"name": "add"},
            "name": "add",
            "inbound_nodes": [keras_configs.node(keras_configs.tensor("d"), keras_configs.tensor("a"))],
        },
    ],
    ["a", 0, 0],
    [["add", 0, 0]],
)
TF_KERAS = keras_configs.graph(
    [
        keras_configs.entry("a", [None, 7, 5]),
        {"class_name": "Bidirectional", "name": "b", "config": {"name": "b", "layer": LSTM, "merge_mode": "concat"},
         "inbound_nodes": [[["a", 0, 0, {}]]]},
        {"class_name": "TFOpLambda", "name": "op", "config": {"name": "op", "function": "math.reduce_mean"},
         "inbound_nodes": [["b", 0, 0, {"axis": 1, "keepdims": True}]]},
        {"class_name": "Lambda", "name": "l", "config": {"name": "l", "function": ["4wEA", None, None],
                                                         "function_type": "lambda"},
         "inbound_nodes": [[["op", 0, 0, {}]]]},
    ],
    [["a", 0, 0]],
    [["l", 0, 0]],
)  # fmt: skip

SPEC = b"""name: net
inputs: {left: [28, 28, 1], right: {shape: [6], dtype: float32}}
layers:
  - Conv2D: {filters: 16, kernel_size: (3, 5), strides: 2, padding: same, activation: relu}
    from: left
    name: first
  - MaxPooling2D
  - &f Flatten
  - Dense: &d {units: 10}
    repeat: 2
    name: h
  - {type: Dense, units: 10, from: right, name: r}
  - Add:
    from: [h, r]
  - Reshape: [2, 5]
  - Bidirectional: {LSTM: {units: 4}, merge_mode: sum}
  - Sequential: [{Dense: 3}, {Activation: softmax}]
  - reuse: r
    from: right
outputs: [sequential, r]
"""


def archive(config: Any, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A .keras archive of a configuration."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.9.0", "date_saved": "2025-01-01@00:00:00"}))
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(50))
    return stream.getvalue()


def h5(config: Any = None, *, legacy: bool = True) -> bytes:
    """An .h5 file: of a configuration, or of weights alone, in either layout."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as root:
        if config is not None:
            root.attrs["model_config"] = json.dumps(config).encode()
            root.attrs["keras_version"] = b"2.15.0"
        if legacy:
            group = root.create_group("model_weights") if config is not None else root
            group.attrs["layer_names"] = [b"d", b"flatten"]
            layer = group.create_group("d")
            layer.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
            layer.create_dataset("d/kernel:0", (4, 3), dtype="float32")
            layer.create_dataset("d/bias:0", (3,), dtype="float32", compression="gzip", chunks=(3,))
            group.create_group("flatten").attrs["weight_names"] = []
        else:
            root.create_dataset("layers/dense/vars/0", data=[[1.0, 2.0]])
            root.create_dataset("layers/lstm/cell/vars/0", (4, 3), dtype="float16")
            root["layers/dense/vars"].attrs["name"] = "kernel"
            root.create_dataset("optimizer/vars/0", (), dtype="int64")
    return stream.getvalue()


@functools.cache
def containers() -> dict[str, bytes]:
    """Files whose bytes are mutated, by name."""
    sub = [
        ("root", "_tf_keras_model", {"class_name": "Sub", "config": {}, "name": "s"}),
        ("root.a", "_tf_keras_layer", {**keras_configs.dense("d"), "build_input_shape": [None, 4]}),
        ("root.b", "_tf_keras_layer", {"class_name": "B", "config": {}, "name": "b"}),
        ("root.b.c", "_tf_keras_layer", {**keras_configs.dense("e"), "build_input_shape": [None, 4]}),
    ]
    served = signature("serve", {"x": tensor_info("float32", (None, 4))}, {"y": tensor_info("float32", None)})
    variables = [Node(variable=("m/d/kernel", "float32", (4, 3), True)), Node(variable=("v", "int64", None, False))]
    objects = [Node({"variables": 1}), Node({"0": 2, "1": 3}), *variables]
    tfjs = {"format": "layers-model", "modelTopology": {"model_config": TF_KERAS}, "weightsManifest": []}
    return {
        "digits.keras": (SAMPLES / "digits.keras").read_bytes(),
        "digits.h5": (SAMPLES / "digits.h5").read_bytes(),
        "stored.keras": archive(KERAS_3),
        "deflated.keras": archive(TF_KERAS, zipfile.ZIP_DEFLATED),
        "legacy.h5": h5(TF_KERAS),
        "weights.h5": h5(),
        "classes.weights.h5": h5(legacy=False),
        "keras_3.json": json.dumps(KERAS_3).encode(),
        "tf_keras.json": json.dumps(TF_KERAS).encode(),
        "keras_0.json": json.dumps(KERAS_0_GRAPH).encode(),
        "tfjs.json": json.dumps(tfjs).encode(),
        "spec.yaml": SPEC,
        "sample.yaml": (SAMPLES / "stacked_lstm_flatten.yaml").read_bytes(),
        "keras_metadata.pb": keras_metadata_pb(sub),
        "saved_model.pb": saved_model_pb(objects, (served,)),
        "old_saved_model.pb": saved_model_pb([Node({"a": 1}, sub[0][1], sub[0][2]), Node({}, sub[1][1], sub[1][2])]),
    }


@functools.cache
def documents() -> list[Any]:
    """Configurations whose structure is mutated."""
    transformer = json.loads((SAMPLES / "transformer.json").read_text("utf-8"))
    old = [
        json.loads(files.read(name))
        for path in sorted(OLD.glob("*.zip"))
        for files in [zipfile.ZipFile(path)]
        for name in files.namelist()
        if name.endswith(".json")
    ]
    return [KERAS_3, TF_KERAS, transformer, *old]
