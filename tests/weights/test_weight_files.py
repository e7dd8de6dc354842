"""Files of weights of every format, listed without reading a value, and read one by one."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.h5_worker import windows
from layerexplain.frontends.keras.weight_files import open_weights
from tests.support.h5_files import CONFIG, DENSE, Fill, archive, array, classes, h5_bytes, legacy, listed, noted


def values(source: Path | bytes, path: str) -> np.ndarray:
    with open_weights(source) as stored:
        assert stored is not None
        (tensor,) = [t for t in stored.tensors if t.path == path]
        return stored.read(tensor)


# Formats ----------------------------------------------------------------------------------------------------------


def test_weights_h5(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(classes(DENSE, {"layers/dense": "head"})))
    assert listed(path) == [
        ("/layers/dense/vars/0", (3, 2), "float32", "parameter", "head"),
        ("/layers/dense/vars/1", (2,), "float32", "parameter", "head"),
        ("/layers/dense_1/vars/0", (2, 5), "float32", "parameter", "dense_1"),
    ]
    assert values(path, "/layers/dense/vars/1").tolist() == [50, 51]
    with open_weights(path) as stored:
        assert stored is not None
        assert (stored.format, stored.layout, stored.has_model) == ("weights-h5", "classes", False)


def test_numbers_are_in_order() -> None:
    one = [array(1)]
    many = {"layers/wide": [array(i + 1) for i in range(12)], "layers/dense_10": one, "layers/dense_9": one}
    paths = [path for path, *_ in listed(h5_bytes(classes(many)))]
    assert paths[:2] == ["/layers/dense_9/vars/0", "/layers/dense_10/vars/0"]
    assert [path.rpartition("/")[2] for path in paths[2:]] == [str(i) for i in range(12)]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive(tmp_path: Path, compression: int) -> None:
    path = archive(
        tmp_path / "m.keras", {"config.json": CONFIG, "model.weights.h5": h5_bytes(classes(DENSE))}, compression
    )
    assert len(listed(path)) == 3
    assert np.array_equal(values(path, "/layers/dense_1/vars/0"), array(2, 5, start=90))
    with open_weights(path) as stored:
        assert stored is not None
        assert (stored.format, stored.has_model) == ("keras-archive", True)
    assert len(listed(path.read_bytes())) == 3


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    (tmp_path / "model.weights.h5").write_bytes(h5_bytes(classes(DENSE)))
    assert len(listed(tmp_path)) == 3


def shards(folder: Path, name: str = "m") -> Path:
    """DENSE in two files, `dense` of which has a variable in each."""
    first = {"layers/dense": [array(3, 2)]}
    (folder / f"{name}_00000.weights.h5").write_bytes(h5_bytes(classes(first)))

    def second(root: h5py.File) -> None:
        root["layers/dense/vars/1"] = array(2, start=50)
        root["layers/dense_1/vars/0"] = array(2, 5, start=90)

    (folder / f"{name}_00001.weights.h5").write_bytes(h5_bytes(second))
    names = [f"{name}_00000.weights.h5", f"{name}_00001.weights.h5"]
    index = folder / f"{name}.weights.json"
    weight_map = {"/layers/dense/vars": names, "/layers/dense_1/vars": names[1]}
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def test_shards(tmp_path: Path) -> None:
    index = shards(tmp_path)
    assert [path for path, *_ in listed(index)] == [path for path, *_ in listed(h5_bytes(classes(DENSE)))]
    assert values(index, "/layers/dense/vars/1").tolist() == [50, 51]
    assert values(index, "/layers/dense/vars/0").tolist() == array(3, 2).tolist()


def test_the_time_to_list_is_that_of_all_shards_together(tmp_path: Path) -> None:
    index = shards(tmp_path)
    words = "has weights in so many files that listing them takes too long"
    with pytest.raises(SourceError, match=words), open_weights(str(index), patience=0):
        pass


def test_shards_in_a_directory_and_in_an_archive(tmp_path: Path) -> None:
    shards(tmp_path, "model")
    (tmp_path / "config.json").write_bytes(CONFIG)
    assert len(listed(tmp_path)) == 3
    packed = archive(tmp_path / "m.keras", {p.name: p.read_bytes() for p in tmp_path.iterdir()})
    assert len(listed(packed)) == 3
    assert values(packed, "/layers/dense/vars/1").tolist() == [50, 51]


@pytest.mark.parametrize("base", ["", "model_weights"])
def test_legacy(base: str) -> None:
    layers = {"b": {"b/kernel:0": array(3, 2), "b/bias:0": array(2)}, "flat": {}, "a": {"a/kernel:0": array(2, 5)}}
    data = h5_bytes(legacy(layers, base))
    root = f"/{base}" if base else ""
    assert listed(data) == [
        (f"{root}/b/b/kernel:0", (3, 2), "float32", "parameter", "b"),
        (f"{root}/b/b/bias:0", (2,), "float32", "parameter", "b"),
        (f"{root}/a/a/kernel:0", (2, 5), "float32", "parameter", "a"),
    ]
    with open_weights(data) as stored:
        assert stored is not None
        assert (stored.format, stored.layout, stored.keras_version) == ("h5-weights", "names", "2.9.0")
        assert [t.parts for t in stored.tensors][:2] == [("b", "b", "kernel"), ("b", "b", "bias")]


def test_legacy_lists_in_chunks() -> None:
    def fill(root: h5py.File) -> None:
        root.attrs["layer_names0"] = [b"z"]
        root.attrs["layer_names1"] = [b"y/inner"]
        for name in ("z", "y/inner"):
            own = root.create_group(name)
            own.attrs["weight_names0"] = [b"w:0"]
            own.attrs["weight_names1"] = [b"v:0"]
            own["w:0"], own["v:0"] = array(2), array(3)

    assert [(path, layer) for path, *_, layer in listed(h5_bytes(fill))] == [
        ("/z/w:0", "z"), ("/z/v:0", "z"), ("/y/inner/w:0", "y/inner"), ("/y/inner/v:0", "y/inner"),
    ]  # fmt: skip


def test_keras_0_3() -> None:
    def fill(root: h5py.File) -> None:
        root.attrs["nb_layers"] = 11
        for number in range(11):
            own = root.create_group(f"layer_{number}")
            own.attrs["nb_params"] = 2
            own["param_0"], own["param_1"] = array(2, 3), array(3)

    found = listed(h5_bytes(fill))
    assert [layer for *_, layer in found][::2] == [f"layer_{n}" for n in range(11)]
    assert found[0] == ("/layer_0/param_0", (2, 3), "float32", "parameter", "layer_0")


def test_what_no_list_names_is_told() -> None:
    def fill(root: h5py.File) -> None:
        legacy({"a": {"a/w:0": array(2)}})(root)
        root["a/a/old:0"] = array(7)

    assert [path for path, *_ in listed(h5_bytes(fill))] == ["/a/a/w:0"]
    assert noted(h5_bytes(fill)) == [
        ("unlisted-weight", "/a/a/old:0 is not in any list of weights, so Keras ignores it"),
    ]  # fmt: skip


def test_keras_2_12_kept_layers_under_another_name() -> None:
    data = h5_bytes(classes({"_layer_checkpoint_dependencies/dense": [array(3, 2)]}))
    with open_weights(data) as stored:
        assert stored is not None
        assert [(t.path, t.parts) for t in stored.tensors] == [
            ("/_layer_checkpoint_dependencies/dense/vars/0", ("layers", "dense", "0"))
        ]


def test_bfloat16() -> None:
    def fill(root: h5py.File) -> None:
        bits = np.array([[0x3F80, 0xC000], [0x4049, 0x7F80]], dtype=np.uint16)
        root["layers/dense/vars/0"] = bits.view("V2")
        root["layers/dense/vars/0"].attrs["dtype"] = "bfloat16"
        root["layers/dense/vars/1"] = bits[0].view("V2")
        root["layers/dense/vars/2"] = bits[:0].view("V2")

    data = h5_bytes(fill)
    assert [(shape, dtype) for _, shape, dtype, *_ in listed(data)] == [
        ((2, 2), "bfloat16"), ((2,), "bfloat16"), ((0, 2), "bfloat16"),
    ]  # fmt: skip
    assert values(data, "/layers/dense/vars/0").tolist() == [[1.0, -2.0], [3.140625, float("inf")]]
    assert values(data, "/layers/dense/vars/2").shape == (0, 2)


@pytest.mark.parametrize("fill", [lambda root: root.create_dataset("x", data=array(3)), lambda root: None])
def test_what_is_no_file_of_weights(fill: Fill) -> None:
    with open_weights(h5_bytes(fill)) as stored:
        assert stored is None


@pytest.mark.parametrize("data", [b"", b"input: [3]\nlayers: [Flatten]\n", CONFIG, b"\x80\x04pickle"])
def test_what_stores_no_weights(data: bytes) -> None:
    with open_weights(data) as stored:
        assert stored is None


def test_an_archive_of_npz_is_not_unpickled(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"config.json": CONFIG, "model.weights.npz": b"PK"})
    assert noted(path) == [
        ("npz-weights", "model.weights.npz stores its arrays as pickles, which are not unpickled: they are not read")
    ]


def test_windows_cover_an_array_once() -> None:
    for shape in [(), (7,), (0, 3), (2, 3, 5), (5, 1, 7), (1, 1, 1)]:
        for most in (1, 2, 3, 4, 6, 15, 1000):
            seen = np.zeros(shape, dtype=int)
            for window in windows(shape, most):
                assert np.asarray(seen[window]).size <= most
                seen[window] += 1
            assert (seen == 1).all(), (shape, most)
