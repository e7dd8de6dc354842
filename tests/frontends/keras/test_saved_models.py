"""SavedModel directories: the Keras metadata in both places, subclassed models, and exports without any."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends import read
from layerexplain.model import Model
from layerexplain.report.build import build
from tests.support.saved_models import Node, field, keras_metadata_pb, saved_model_pb, signature, tensor_info, varint

BUILT = {"class_name": "TensorShape", "items": [None, 4]}


def metadata(class_name: str, name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What tf.keras kept of an object."""
    return {"name": name, "trainable": True, "dtype": "float32", "class_name": class_name, "config": config, **more}


def dense(name: str, units: int, width: int) -> dict[str, Any]:
    config = {"name": name, "trainable": True, "dtype": "float32", "units": units, "activation": "linear"}
    return metadata("Dense", name, config, build_input_shape={"class_name": "TensorShape", "items": [None, width]})


SEQUENCE = {
    "name": "seq",
    "layers": [{"class_name": "InputLayer", "config": {"batch_input_shape": {"class_name": "__tuple__",
        "items": [None, 4]}, "dtype": "float32", "sparse": False, "name": "x"}},
        {"class_name": "Dense", "config": dense("d", 3, 4)["config"]}],
}  # fmt: skip
ROOT = metadata(
    "Sequential",
    "seq",
    SEQUENCE,
    keras_version="2.4.0",
    backend="tensorflow",
    model_config={"class_name": "Sequential", "config": SEQUENCE},
)
SUB = metadata("Sub", "sub", {}, keras_version="2.9.0", model_config={"class_name": "Sub"})
SUB_NODES = [
    ("root", "_tf_keras_model", SUB),
    ("root.block", "_tf_keras_layer", metadata("Block", "block", {}, build_input_shape=BUILT)),
    ("root.head", "_tf_keras_layer", dense("head", 2, 3)),
    ("root.rnn", "_tf_keras_rnn_layer", metadata("LSTM", "rnn", {"name": "rnn", "units": 5},
                                                 build_input_shape={"class_name": "TensorShape",
                                                                    "items": [None, 7, 4]})),
    ("root.rnn.cell", "_tf_keras_layer", metadata("LSTMCell", "cell", {"name": "cell", "units": 5})),
    ("root.block.parts.0", "_tf_keras_layer", dense("d", 3, 4)),
    ("root.block.parts.1", "_tf_keras_layer", dense("d", 3, 3)),
    ("root.inner", "_tf_keras_sequential", metadata("Sequential", "inner", SEQUENCE)),
    ("root.keras_names.metrics.0", "_tf_keras_metric", {"class_name": "Mean", "name": "loss", "config": {}}),
]  # fmt: skip


def directory(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / f"{name}.pb").write_bytes(data)
    return path


def check_sequence(model: Model) -> None:
    assert (model.format, model.type, model.name, model.keras_version) == ("saved-model", "Sequential", "seq", "2.4.0")
    report = build(model)
    assert report.totals.params == 15
    assert [row.calls[0].output_shapes for row in report.layers] == [((None, 4),), ((None, 3),)]


def test_metadata_beside_the_graph(tmp_path: Path) -> None:
    pb = keras_metadata_pb([("root", "_tf_keras_sequential", ROOT)])
    path = directory(tmp_path / "m", saved_model=saved_model_pb([Node()]), keras_metadata=pb)
    for source in (path, path / "saved_model.pb", path / "keras_metadata.pb", pb):
        check_sequence(read(source))
    (path / "saved_model.pb").unlink()
    check_sequence(read(path))


def test_metadata_inside_the_graph_as_before_tensorflow_2_5(tmp_path: Path) -> None:
    nodes = [
        Node({"layer-0": 1, "layer_with_weights-0": 2, "keras_api": 3}, "_tf_keras_sequential", ROOT),
        Node({}, "_tf_keras_input_layer", metadata("InputLayer", "x", {})),
        Node({"kernel": 4}, "_tf_keras_layer", dense("d", 3, 4)),
        Node({"root": 0}),
        Node(variable=("d/kernel", "float32", (4, 3), True)),
    ]
    data = saved_model_pb(nodes)
    path = directory(tmp_path / "m", saved_model=data)
    for source in (path, path / "saved_model.pb", data):
        check_sequence(read(source))


def test_a_subclassed_model_shows_the_layers_that_the_file_tells(tmp_path: Path) -> None:
    pb = keras_metadata_pb(SUB_NODES)
    model = read(pb)
    assert (model.type, model.calls, model.keras_version) == ("Sub", (), "2.9.0")
    assert [note.code for note in model.notes] == ["no-graph"]
    assert [(layer.name, layer.type, layer.kind) for layer in model.layers] == [
        ("block", "Block", "custom"),
        ("head", "Dense", "layer"),
        ("rnn", "LSTM", "layer"),
        ("seq", "Sequential", "model"),
    ]
    report = build(model)
    block, head, rnn, inner = report.layers
    assert [(row.layer, row.params) for row in block.layers] == [("d", 15), ("d_1", 12)]
    assert head.calls[0].output_shapes == ((None, 2),)
    # What a custom class has beside its layers, and how often anything is called, is not known.
    assert [row.params for row in report.layers] == [None, 8, 4 * (4 * 5 + 5 * 5 + 5), 15]
    assert [row.macs for row in (head, rnn)] == [None, None]
    assert inner.layers[1].params == 15
    assert set(report.totals) == {None}


def test_layers_of_unknown_classes_have_the_variables_that_are_named_after_them(tmp_path: Path) -> None:
    """As TensorFlow writes `m/mine/w`: in the graph beside the metadata, and with the metadata inside it."""
    mine = [metadata("Mine", name, {}, build_input_shape=BUILT) for name in ("mine", "mine_1")]
    shapes = {"sub/mine/w": (4, 3), "sub/mine/b": (3,), "sub/mine_1/w": (3, 3), "other/w": (7,)}
    variables = [Node(variable=(name, "float32", shape, True)) for name, shape in shapes.items()]
    nodes = [("root", "_tf_keras_model", SUB), *[(f"root.{i}", "_tf_keras_layer", one) for i, one in enumerate(mine)]]
    beside = directory(
        tmp_path / "beside", saved_model=saved_model_pb([Node(), *variables]), keras_metadata=keras_metadata_pb(nodes)
    )
    root = Node({"a": 1, "b": 2}, "_tf_keras_model", SUB)
    inside = saved_model_pb([root, *[Node({}, "_tf_keras_layer", one) for one in mine], *variables])
    for source in (beside, inside):
        report = build(read(source))
        rows = [(row.layer, row.type, row.params) for row in report.layers]
        assert rows == [("mine", "Mine", 15), ("mine_1", "Mine", 9), ("other", "Variables", 7)]
        assert report.totals.params == 31


OPEN_GRAPH = metadata(
    "Functional", "net", {}, keras_version="2.4.0",
    model_config={"class_name": "Functional", "config": {
        "name": "net",
        "layers": [
            {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
             "config": {"name": "x", "batch_input_shape": [None, 7], "dtype": "float32"}},
            {"class_name": "Own", "name": "own", "config": {"name": "own"}, "inbound_nodes": [[["x", 0, 0, {}]]]},
            {"class_name": "Dense", "name": "d", "config": {"name": "d", "units": 3},
             "inbound_nodes": [[["own", 0, 0, {}]]]},
            {"class_name": "ReLU", "name": "r", "config": {"name": "r"}, "inbound_nodes": [[["d", 0, 0, {}]]]},
        ],
        "input_layers": [["x", 0, 0]], "output_layers": [["r", 0, 0]],
    }},
)  # fmt: skip


@pytest.mark.parametrize("is_inside", [True, False])
def test_behind_an_unknown_layer_the_object_graph_tells_the_variables(is_inside: bool, tmp_path: Path) -> None:
    facts = [OPEN_GRAPH, metadata("Own", "own", {}), dense("d", 3, 5), metadata("ReLU", "r", {})]
    kept = [("_tf_keras_network", facts[0]), *[("_tf_keras_layer", one) for one in facts[1:]]]
    children: list[dict[str, int]] = [
        {"layer-1": 1, "layer_with_weights-0": 2, "layer-3": 3, "optimizer": 9},
        {"scale": 4, "parts": 8, "keras_api": 10},
        {"kernel": 5, "bias": 6, "variables": 10},
        {},
    ]
    names = [("own/s:0", (5,), True), ("d/kernel:0", (5, 3), True), ("d/bias:0", (3,), False), ("own/m:0", (2,), True)]
    nodes = [Node(below, *one) if is_inside else Node(below) for below, one in zip(children, kept, strict=True)]
    nodes += [Node(variable=(name, "float32", shape, trained)) for name, shape, trained in names]
    nodes += [Node({"0": 7}), Node({"m": 11}), Node({"1": 5, "2": 4}), Node(variable=("m", "float32", (99,), False))]
    paths = ["root", "root.layer-1", "root.layer_with_weights-0", "root.layer-3"]
    beside = [(path, *one) for path, one in zip(paths, kept, strict=True)]
    files = {"saved_model": saved_model_pb(nodes)} | (
        {} if is_inside else {"keras_metadata": keras_metadata_pb(beside)}
    )
    report = build(read(directory(tmp_path / "m", **files)))
    assert [(row.layer, row.params, row.trainable) for row in report.layers] == [
        ("x", 0, 0), ("own", 7, 7), ("d", 18, 15), ("r", 0, 0),
    ]  # fmt: skip
    assert [(w.name, w.shape) for w in report.layers[1].weights] == [("scale", (5,)), ("parts/0", (2,))]
    assert [note.layer for note in report.notes if note.code == "stored-weights"] == ["own", "d"]
    assert report.totals.params == 25


@pytest.mark.keras
def test_own_layers_in_a_graph_that_tf_keras_saved(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")

    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight("scale", (shape[-1],))
            self.rest = [keras.layers.Dense(3), keras.layers.LSTM(2, return_sequences=True)]

        def call(self, x: Any) -> Any:
            return self.rest[1](self.rest[0](x * self.scale))

    inner = keras.Sequential([keras.layers.Dense(11, input_shape=(5, 2)), Own(name="deep"), keras.layers.Dense(4)])
    x = keras.Input((7, 5))
    y = keras.layers.BatchNormalization()(keras.layers.Conv1D(2, 3)(Own(name="own")(x)))
    model = keras.Model(x, keras.layers.TimeDistributed(keras.layers.Dense(4))(inner(y)))
    model.compile("adam", "mse")
    model.fit(np.ones((2, 7, 5)), np.ones((2, 5, 4)), verbose=0)
    model.save(tmp_path / "m", save_format="tf")
    report = build(read(tmp_path / "m"))
    assert {row.layer: row.params for row in report.layers} == {one.name: one.count_params() for one in model.layers}
    assert report.totals.params == model.count_params()
    assert report.totals.trainable == sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_an_export_tells_signatures_and_variables(tmp_path: Path) -> None:
    names = [
        ("m/dense/kernel", "float32", (4, 3), True),
        ("m/dense/bias", "float32", (3,), True),
        ("m/norm/moving_mean", "float32", (3,), False),
        ("seed_generator/seed_generator_state", "int64", (2,), False),
    ]
    variables = [Node(variable=variable) for variable in names]
    nodes = [Node({"variables": 1}, "_generic_user_object"), Node({str(i): i + 2 for i in range(4)}), *variables]
    # A layer's variables hang in the graph a second time.
    nodes += variables[:1]
    served = signature(
        "serving_default", {"x": tensor_info("float32", (None, 4))}, {"output_0": tensor_info("float32", (None, 3))}
    )
    init = signature("__saved_model_init_op", {}, {})
    path = directory(tmp_path / "exported", saved_model=saved_model_pb(nodes, (init, served)))
    model = read(path)
    assert (model.type, model.name, model.format) == ("SavedModel", "exported", "saved-model")
    assert [note.code for note in model.notes] == ["no-graph", "signature"]
    assert "serves serving_default(x: float32 (None, 4)) → output_0: float32 (None, 3)" in model.notes[1].message
    report = build(model)
    assert [(row.layer, row.type, row.params, row.trainable) for row in report.layers] == [
        ("x", "InputLayer", 0, 0),
        ("m/dense", "Dense", 15, 15),
        ("m/norm", "Variables", 3, 0),
    ]
    assert [(w.name, w.shape) for w in report.layers[1].weights] == [("kernel", (4, 3)), ("bias", (3,))]
    assert (report.totals.params, report.totals.trainable, report.totals.macs) == (18, 15, None)


DAMAGED = {
    "cut": saved_model_pb([Node({}, "_tf_keras_sequential", ROOT)])[:-40],
    "a length beyond the end": b"\x08\x01\x12\xff\xff\xff\xff\x0f",
    "no end of a number": b"\x08\x01\x12" + b"\xff" * 12,
    "a group": b"\x08\x01\x12\x02\x0b\x00",
    "the root is no object": saved_model_pb([Node({}, "_tf_keras_sequential", [1])]),
    "metadata that is no JSON": field(1, 1) + field(2, field(7, field(1, field(4, field(1, "_tf_keras_model")
                                                                              + field(3, "{"))))),
    "nothing": b"\x08\x01\x12\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damage(name: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        build(read(DAMAGED[name]))
    assert "\n" not in str(caught.value)


def test_metadata_without_a_root_is_refused() -> None:
    with pytest.raises(SourceError, match="has no root object"):
        read(keras_metadata_pb([("root.a", "_tf_keras_layer", dense("d", 3, 4))]))


def test_children_that_lead_nowhere_or_in_a_circle() -> None:
    nodes = [Node({"a": 1, "b": 99, "c": -5}, "_tf_keras_sequential", ROOT), Node({"up": 0, "self": 1})]
    check_sequence(read(saved_model_pb(nodes)))


def test_a_graph_of_any_size_is_passed_over(tmp_path: Path) -> None:
    """A constant of 4 GiB in the graph: nothing of it is read."""
    import os
    import resource

    head = saved_model_pb([], graph=b"")
    assert head[:3] == b"\x08\x01\x12"
    size = 4 * 1024**3
    graph = bytes([2 << 3 | 2]) + varint(size)
    objects = field(7, field(1, Node({}, "_tf_keras_sequential", ROOT).proto()))
    path = tmp_path / "saved_model.pb"
    with open(path, "wb") as file:
        file.write(b"\x08\x01\x12" + varint(len(graph) + size + len(objects)) + graph)
        file.seek(size, os.SEEK_CUR)
        file.write(objects)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check_sequence(read(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
