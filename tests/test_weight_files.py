"""Files of weights of every format, listed without reading a value; hostile ones refused or passed over with a note."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from layerexplain.errors import SourceError
from layerexplain.readers import limits
from layerexplain.readers.weight_files import open_weights
from layerexplain.readers.weight_tensors import role_of
from layerexplain.readers.weight_values import _windows
from tests.h5_files import Fill, archive, array, classes, h5_bytes, legacy

DENSE = {"layers/dense": [array(3, 2), array(2, start=50)], "layers/dense_1": [array(2, 5, start=90)]}
CONFIG = b'{"class_name": "Sequential", "config": {"name": "m", "layers": []}}'


def listed(source: Path | bytes) -> list[tuple[str, tuple[int, ...], str, str, str]]:
    """(path, shape, dtype, role, layer) of each tensor."""
    with open_weights(source) as stored:
        assert stored is not None
        return [(t.path, t.shape, t.dtype, t.role, t.layer) for t in stored.tensors]


def noted(source: Path | bytes) -> list[tuple[str, str]]:
    with open_weights(source) as stored:
        assert stored is not None
        return [(note.code, note.message) for note in stored.notes]


def values(source: Path | bytes, path: str) -> np.ndarray:
    with open_weights(source) as stored:
        assert stored is not None
        (tensor,) = [t for t in stored.tensors if t.path == path]
        whole = stored.read(tensor)
        pieces = [np.asarray(block).reshape(-1) for block in stored.blocks(tensor)]
        assert np.array_equal(np.concatenate(pieces) if pieces else whole.reshape(-1), whole.reshape(-1))
        return whole


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
    many = {"layers/wide": [array(i + 1) for i in range(12)], "layers/dense_10": [array(1)], "layers/dense_9": [array(1)]}
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
        ("unlisted-weight", "/a/a/old:0 is in no list of weights, so Keras ignores it"),
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
        ("npz-weights", "model.weights.npz keeps its arrays pickled, and nothing is unpickled: they are not read")
    ]


@pytest.mark.parametrize(
    ("groups", "variable", "role"),
    [
        (("layers", "dense"), "0", "parameter"),
        (("optimizer",), "0", "optimizer"),
        (("optimizer", "inner_optimizer"), "0", "optimizer"),
        (("d_optimizer",), "0", "optimizer"),
        (("metrics", "mean"), "0", "metric"),
        (("loss_tracker",), "0", "metric"),
        (("_compile_metrics", "mean"), "0", "metric"),
        (("layers", "metrics"), "0", "parameter"),
        (("layers", "optimizer"), "0", "parameter"),
        (("layers", "dropout", "seed_generator"), "0", "seed"),
        (("layers", "random_flip", "_random_generator"), "0", "seed"),
        (("random_flip",), "StateVar", "seed"),
        (("dropout",), "seed_generator_state", "seed"),
        (("b", "generator"), "0", "parameter"),
        (("layers", "spectral_normalization_1"), "0", "beside"),
        (("layers", "spectral_normalization_1"), "1", "parameter"),
        (("layers", "spectral_normalization", "layer"), "0", "parameter"),
        ((), "0", "parameter"),
    ],
)
def test_whose_state_it_is(groups: tuple[str, ...], variable: str, role: str) -> None:
    assert role_of(groups, variable) == role


def test_windows_cover_an_array_once() -> None:
    for shape in [(), (7,), (0, 3), (2, 3, 5), (5, 1, 7), (1, 1, 1)]:
        for most in (1, 2, 3, 4, 6, 15, 1000):
            seen = np.zeros(shape, dtype=int)
            for window in _windows(shape, most):
                assert np.asarray(seen[window]).size <= most
                seen[window] += 1
            assert (seen == 1).all(), (shape, most)


# Hostile files ----------------------------------------------------------------------------------------------------


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    secret.write_bytes(h5_bytes(classes({"layers/secret": [array(3)]})))

    def fill(root: h5py.File) -> None:
        classes({"layers/dense": [array(3)]})(root)
        root["layers/away"] = h5py.ExternalLink(str(secret), "/layers/secret")
        root["layers/again"] = h5py.SoftLink("/layers/dense")
        root["layers/dense/vars/1"] = h5py.ExternalLink(str(secret), "/layers/secret/vars/0")
        root["layers/nowhere"] = h5py.SoftLink("/none")

    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(fill))
    assert [p for p, *_ in listed(path)] == ["/layers/dense/vars/0"]
    assert sorted(noted(path)) == [
        ("external-link", "/layers/away is a link to another file, which is not followed"),
        ("external-link", "/layers/dense/vars/1 is a link to another file, which is not followed"),
        ("soft-link", "/layers/again is a soft link, which is not followed"),
        ("soft-link", "/layers/nowhere is a soft link, which is not followed"),
    ]


def test_a_legacy_list_leads_along_no_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    secret.write_bytes(h5_bytes(lambda root: root.create_dataset("g/w:0", data=array(3))))

    def fill(root: h5py.File) -> None:
        root.attrs["layer_names"] = [b"a", b"link", b"../a", b"a/../link", b""]
        own = root.create_group("a")
        own.attrs["weight_names"] = [b"w:0", b"../link/w:0", b"/a/w:0", b"link/w:0"]
        own["w:0"] = array(2)
        root["link"] = h5py.ExternalLink(str(secret), "/g")
        own["link"] = h5py.ExternalLink(str(secret), "/g")

    path = tmp_path / "m.h5"
    path.write_bytes(h5_bytes(fill))
    assert [p for p, *_ in listed(path)] == ["/a/w:0"]
    assert {code for code, _ in noted(path)} == {"external-link"}


def test_values_kept_elsewhere_are_not_read(tmp_path: Path) -> None:
    raw = tmp_path / "secret.bin"
    raw.write_bytes(b"x" * 64)
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as root:
        root.create_dataset("layers/a/vars/0", shape=(16,), dtype="float32", external=[(str(raw), 0, 64)])
        layout = h5py.VirtualLayout(shape=(4,), dtype="float32")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape=(4,))
        root.create_virtual_dataset("layers/b/vars/0", layout)
    assert listed(path) == []
    assert sorted(noted(path)) == [
        ("external-link", "/layers/a/vars/0 keeps its values in another file, which is not read"),
        ("virtual-dataset", "/layers/b/vars/0 is a virtual dataset, made of parts elsewhere, which are not read"),
    ]


def test_a_cycle_of_hard_links_is_met_once() -> None:
    def fill(root: h5py.File) -> None:
        classes({"layers/dense": [array(3)]})(root)
        root["layers/dense/up"] = root["layers"]
        root["layers/dense/root"] = root["/"]

    assert [p for p, *_ in listed(h5_bytes(fill))] == ["/layers/dense/vars/0"]
    assert [code for code, _ in noted(h5_bytes(fill))] == ["hard-link", "hard-link"]


def test_a_lattice_of_hard_links_is_walked_once() -> None:
    def fill(root: h5py.File) -> None:
        below = root.create_group("layers")
        for _ in range(60):
            group = below.create_group("a")
            below["b"] = group
            below = group
        below["vars/0"] = array(3)

    assert len(listed(h5_bytes(fill))) == 1
    assert len(noted(h5_bytes(fill))) == 60


def test_groups_nested_too_deeply_are_refused() -> None:
    def fill(root: h5py.File) -> None:
        group = root.create_group("layers")
        for _ in range(limits.MAX_H5_DEPTH + 1):
            group = group.create_group("x")

    with pytest.raises(SourceError, match=r"<bytes>: is an HDF5 file nested more than 200 groups deep"):
        listed(h5_bytes(fill))


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.readers.h5_tree.MAX_H5_OBJECTS", 5)
    with pytest.raises(SourceError, match="more than 5 objects"):
        listed(h5_bytes(classes({f"layers/dense_{n}": [array(2)] for n in range(5)})))


def test_a_shape_bomb_is_listed_and_never_read() -> None:
    def fill(root: h5py.File) -> None:
        root.create_dataset("layers/a/vars/0", shape=(50_000_000, 50_000_000), dtype="f4", chunks=(1000, 1000))

    data = h5_bytes(fill)
    assert len(data) < 20_000
    assert listed(data)[0][1] == (50_000_000, 50_000_000)
    for read in (lambda stored, t: stored.read(t), lambda stored, t: next(stored.blocks(t))):
        with open_weights(data) as stored:
            assert stored is not None
            with pytest.raises(SourceError, match=r"states 10,000,000,000,000,000 bytes and stores 0"):
                read(stored, stored.tensors[0])


def test_an_attribute_bomb_is_refused() -> None:
    def fill(root: h5py.File) -> None:
        root.attrs["layer_names"] = np.zeros(200_000, dtype="S8")
        root.create_group("a")

    with pytest.raises(SourceError, match=r"the attribute layer_names has 1,600,000 bytes"):
        listed(h5_bytes(fill, libver="latest"))


def test_attributes_of_other_kinds_are_no_names() -> None:
    def fill(root: h5py.File) -> None:
        classes({"layers/dense": [array(3)]})(root)
        root["layers/dense/vars"].attrs["name"] = np.arange(3)
        root["layers/dense/vars/0"].attrs["dtype"] = 7

    assert listed(h5_bytes(fill))[0][-1] == "dense"


def test_what_is_no_array_of_numbers_is_passed_over() -> None:
    def fill(root: h5py.File) -> None:
        root["layers/a/vars/0"] = np.array([b"text"], dtype="S4")
        root["layers/a/vars/1"] = np.zeros(2, dtype=[("x", "f4"), ("y", "i4")])
        root["layers/a/vars/2"] = h5py.Empty("f4")
        root["layers/a/vars/3"] = np.zeros(2, dtype="V5")
        root["layers/a/vars/4"] = np.dtype("f4")

    assert listed(h5_bytes(fill)) == []
    assert [code for code, _ in noted(h5_bytes(fill))] == ["not-an-array"] * 4


def test_damaged_bytes_are_a_source_error() -> None:
    data = bytearray(h5_bytes(classes(DENSE)))
    for start in range(0, len(data) - 40, 97):
        damaged = bytes(data[:start] + b"\xff" * 40 + data[start + 40 :])
        try:
            with open_weights(damaged) as stored:
                for tensor in stored.tensors if stored is not None else ():
                    stored.read(tensor)
        except SourceError as error:
            assert str(error).startswith("<bytes>: ")
    with pytest.raises(SourceError, match="cannot be read"):
        listed(bytes(data[: len(data) // 3]))


# Hostile archives and indexes -------------------------------------------------------------------------------------


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("model.weights.h5", h5_bytes(classes(DENSE)))
        out.writestr("model.weights.h5", h5_bytes(classes({})))
    with pytest.raises(SourceError, match=r"holds model.weights.h5 twice"):
        listed(path)


def test_a_compressed_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.readers.stored_member.MAX_INFLATED_BYTES", 1000)
    path = archive(tmp_path / "m.keras", {"model.weights.h5": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(SourceError, match=r"unpacks to 100,000 bytes; at most 1,000"):
        listed(path)
    data = bytearray(path.read_bytes())
    stated = (100_000).to_bytes(4, "little")
    for at in [i for i in range(len(data)) if data[i : i + 4] == stated]:
        data[at : at + 4] = (900).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"m\.keras: "):
        listed(path)


def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"model.weights.h5": h5_bytes(classes(DENSE))})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    for at in (central + 20, central + 24):  # the stated sizes
        data[at : at + 4] = (10_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(SourceError, match="does not fit into the archive"):
        listed(path)


@pytest.mark.parametrize(
    "name",
    ["../secret.weights.h5", "/etc/x.weights.h5", "a/b.weights.h5", "a\\b.weights.h5", ".weights.h5", "x.h5", 7, "\0"],
)
def test_an_index_names_only_what_is_beside_it(tmp_path: Path, name: object) -> None:
    (tmp_path / "secret.weights.h5").write_bytes(h5_bytes(classes(DENSE)))
    folder = tmp_path / "in"
    folder.mkdir()
    index = folder / "m.weights.json"
    index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
    with pytest.raises(SourceError, match=r"m\.weights\.json names the file .*; only files beside it"):
        listed(index)


def test_a_shard_is_no_symbolic_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret.weights.h5"
    secret.write_bytes(h5_bytes(classes(DENSE)))
    folder = tmp_path / "in"
    folder.mkdir()
    os.symlink(secret, folder / "m_00000.weights.h5")
    index = folder / "m.weights.json"
    index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": ["m_00000.weights.h5"]}}))
    with pytest.raises(SourceError, match="no such file is beside it"):
        listed(index)


def test_a_file_left_by_an_error_does_not_crash_the_interpreter(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"config.json": CONFIG, "model.weights.h5": h5_bytes(classes(DENSE))})
    code = (
        "from layerexplain.readers.weight_files import open_weights\n"
        f"c = open_weights({str(path)!r}); s = c.__enter__(); s.read(s.tensors[0]); c.__exit__(None, None, None)\n"
        f"with open_weights({str(path)!r}) as s:\n    s.read(s.tensors[0])\n    raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 3
