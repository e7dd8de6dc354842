"""HDF5 files that mean harm: attributes and shapes that are bombs, links that lead elsewhere, damaged bytes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.hostile import both, error, run
from tests.support.keras_configs import dense, entry, sequence

h5py = pytest.importorskip("h5py")

TEXT = json.dumps(sequence(entry("a", [None, 4]), dense("d"))).encode()


def test_attributes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    for value in (
        np.zeros((4000,), "int64"),
        np.array([b"a", b"b"]),
        np.void(b"x" * 100),
        np.zeros((), [("a", "int8"), ("b", "float64")]),
        np.float64(3),
        h5py.Empty("S10"),
    ):
        with h5py.File(path, "w") as root:
            root.attrs["model_config"] = value
        assert "layerexplain: error:" in error(run("summary", path, folder=tmp_path))


def test_an_attribute_that_is_larger_than_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as root:
        root.attrs.create("model_config", "[" * (70 * 1024 * 1024), dtype=h5py.string_dtype())
    assert "the attribute model_config has" in error(run("summary", path, folder=tmp_path))


def test_many_chunks(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", track_order=True) as root:
        for number in range(3000):
            root.attrs[f"model_config{number}"] = b"[" * 1000
    assert "nest" in error(run("summary", path, folder=tmp_path))


def test_the_configuration_is_read_and_nothing_is_followed(tmp_path: Path) -> None:
    """External files, links of all kinds, virtual datasets, circles of groups and a shape of 2.5e15 elements."""
    (tmp_path / "secret").write_bytes(bytes(1000))
    fifo = tmp_path / "waits"
    os.mkfifo(fifo)  # whoever opens it waits for ever
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as root:
        root.attrs["model_config"] = TEXT
        weights = root.create_group("model_weights")
        weights.attrs["layer_names"] = [b"d", b"../secret", b"/", b"loop"]
        layer = weights.create_group("d")
        layer.attrs["weight_names"] = [b"outside", b"elsewhere", b"soft", b"virtual", b"huge"]
        layer.create_dataset("outside", (10,), "uint8", external=[(str(tmp_path / "secret"), 0, 10)])
        layer.create_dataset("waits", (10,), "uint8", external=[(str(fifo), 0, 10)])
        layer["elsewhere"] = h5py.ExternalLink(str(fifo), "/x")
        layer["soft"] = h5py.SoftLink("/model_weights")
        layout = h5py.VirtualLayout((10,), "uint8")
        layout[:] = h5py.VirtualSource(str(fifo), "x", (10,))
        layer.create_virtual_dataset("virtual", layout)
        layer.create_dataset("huge", (50_000_000, 50_000_000), "float32", chunks=(1000, 1000))
        weights["loop"] = root["model_weights"]
    for done in both(path, tmp_path):
        assert done.code == 0
    done = run("weights", path, folder=tmp_path)
    assert done.code == 0


def test_a_file_of_weights_alone_with_all_of_that(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as root:
        group = root.create_group("layers/dense/vars")
        group.create_dataset("0", (50_000_000, 50_000_000), "float32", chunks=(1000, 1000))
        group["1"] = h5py.ExternalLink("/etc/hosts", "/")
        root["layers/again"] = root["layers"]
    for done in both(path, tmp_path):
        assert done.code == 0
    assert "2,500,000,000,000,000" in run("summary", path, folder=tmp_path).out


def test_damaged_bytes_never_show_a_traceback(tmp_path: Path) -> None:
    good = tmp_path / "good.h5"
    with h5py.File(good, "w") as root:
        root.attrs["model_config"] = TEXT
        root.create_group("model_weights").attrs["layer_names"] = [b"d"]
    data = good.read_bytes()
    good.unlink()
    path = tmp_path / "m.h5"
    for at in range(8, len(data), len(data) // 12):
        changed = bytearray(data)
        changed[at : at + 8] = b"\xff" * 8
        path.write_bytes(changed)
        done = run("summary", path, folder=tmp_path)
        assert done.code == 0 or error(done)
