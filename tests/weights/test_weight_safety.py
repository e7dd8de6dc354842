"""Hostile files of weights: what leads out of the file or fills the memory is refused, or passed over with a note."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from layerexplain.errors import SourceError
from layerexplain.files import limits
from layerexplain.frontends import read
from layerexplain.frontends.keras.h5_service import SERVICE
from layerexplain.frontends.keras.h5_tree import list_tree
from layerexplain.frontends.keras.weight_files import WeightFile, open_weights
from tests.support import hostile
from tests.support.h5_files import CONFIG, DENSE, archive, array, classes, h5_bytes, listed, noted
from tests.support.paths import ROOT

# Inside the HDF5 file ---------------------------------------------------------------------------------------------


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
        ("external-link", "/layers/a/vars/0 stores its values in another file, which is not read"),
        ("virtual-dataset", "/layers/b/vars/0 is a virtual dataset, whose parts are stored elsewhere and are not read"),
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


def test_no_group_is_opened_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening them is what listing 40,000 of them takes."""
    data = h5_bytes(classes({f"layers/dense_{n}": [array(2)] for n in range(7)}))
    opened = []
    for module in (h5py.h5o, h5py.h5g):
        of = module.open
        monkeypatch.setattr(module, "open", lambda group, name, of=of: opened.append(name) or of(group, name))
    with h5py.File(io.BytesIO(data)) as root:
        assert len(list_tree(root).datasets) == 7
    assert len(opened) == 1 + 3 * 7


def test_groups_nested_too_deeply_are_refused() -> None:
    def fill(root: h5py.File) -> None:
        group = root.create_group("layers")
        for _ in range(limits.MAX_H5_DEPTH + 1):
            group = group.create_group("x")

    with pytest.raises(SourceError, match=r"<bytes>: is an HDF5 file nested more than 200 groups deep"):
        listed(h5_bytes(fill))


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.frontends.keras.h5_tree.MAX_H5_OBJECTS", 5)
    data = h5_bytes(classes({f"layers/dense_{n}": [array(2)] for n in range(5)}))
    with h5py.File(io.BytesIO(data)) as root, pytest.raises(SourceError, match="more than 5 objects"):
        list_tree(root)


def test_a_shape_bomb_is_listed_and_never_read() -> None:
    def fill(root: h5py.File) -> None:
        root.create_dataset("layers/a/vars/0", shape=(50_000_000, 50_000_000), dtype="f4", chunks=(1000, 1000))

    data = h5_bytes(fill)
    assert len(data) < 20_000
    assert listed(data)[0][1] == (50_000_000, 50_000_000)
    for ask in (WeightFile.read, WeightFile.statistics):
        with open_weights(data) as stored:
            assert stored is not None
            with pytest.raises(SourceError, match=r"states 10,000,000,000,000,000 bytes and stores 0"):
                ask(stored, stored.tensors[0])


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
    with pytest.raises(SourceError, match="is a damaged HDF5 file"):
        listed(bytes(data[: len(data) // 3]))


# What the HDF5 library itself does not survive -------------------------------------------------------------------


def heap_of(data: bytearray) -> int:
    """Where the heap of texts is, on which the names of layers are."""
    at = data.find(b"GCOL")
    assert at > 0
    return at


def never_ends() -> bytes:
    """A heap with a free object of size 0: HDF5 1.14 goes round and round in it."""
    data = bytearray(h5_bytes(classes(DENSE, {"layers/dense": "head"})))
    heap = heap_of(data)
    data[heap + 16 : heap + 32] = bytes(16)
    return bytes(data)


def asks_for_gigabytes() -> bytes:
    """A name that states a length of 3.7 GB."""
    data = bytearray(h5_bytes(classes(DENSE, {"layers/dense": "head"})))
    reference = (4).to_bytes(4, "little") + heap_of(data).to_bytes(8, "little")
    at = data.find(reference)
    assert at > 0
    data[at : at + 4] = (0xDC000004).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("make", [never_ends, asks_for_gigabytes])
def test_a_stuck_library_is_given_up(make: Callable[[], bytes], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^<bytes>: is (damaged|a damaged HDF5 file|an HDF5 file that asks)"):
        listed(make())
    # The next file is read as if nothing had been.
    assert len(listed(h5_bytes(classes(DENSE)))) == 3
    config = bytearray(h5_bytes(lambda root: root.attrs.update({"model_config": CONFIG.decode()})))
    config[heap_of(config) + 16 : heap_of(config) + 32] = bytes(16)
    path = tmp_path / "m.h5"
    path.write_bytes(config)
    with pytest.raises(SourceError, match=r"m\.h5: is damaged or malicious"):
        read(path)


def test_a_dead_reader_is_replaced() -> None:
    data = h5_bytes(classes(DENSE))
    with open_weights(data) as stored:
        assert stored is not None
        process = SERVICE._running()
        process.kill()
        process.wait()
        assert stored.read(stored.tensors[1]).tolist() == [50, 51]
        assert SERVICE._running() is not process


def test_what_was_not_listed_is_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(classes(DENSE)))
    with open_weights(path) as stored:
        assert stored is not None
        tensor = stored.tensors[1]
        with pytest.raises(SourceError, match="cannot be read"):
            stored.read(tensor._replace(shape=(7,)))
        with pytest.raises(SourceError, match="cannot be read"):
            stored.read(tensor._replace(path="/none"))
        with pytest.raises(SourceError):
            stored.read(tensor._replace(shape=(0,)))  # more bytes than were requested
        assert stored.read(tensor).tolist() == [50, 51]


def test_the_current_folder_is_no_place_for_modules(tmp_path: Path) -> None:
    """A folder of models may hold a file called h5py.py."""
    for name in ("h5py.py", "numpy.py", "json.py", "layerexplain.py"):
        (tmp_path / name).write_text("import os\nos.mkdir('executed')\n")
    (tmp_path / "m.weights.h5").write_bytes(h5_bytes(classes(DENSE)))
    code = (
        f"import sys\nsys.path[:] = [{str(ROOT)!r}, *[p for p in sys.path if p]]\n"
        "from layerexplain.frontends.keras.weight_files import open_weights\n"
        "with open_weights('m.weights.h5') as s: print(len(s.tensors))\n"
    )
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert result.stdout == "3\n", result.stderr
    assert not (tmp_path / "executed").exists()


def test_a_fork_has_a_reader_of_its_own() -> None:
    data = h5_bytes(classes(DENSE))
    assert len(listed(data)) == 3
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(its, str(len(listed(data))).encode())
        SERVICE.close()
        os._exit(0)
    assert os.read(ours, 10) == b"3"
    os.waitpid(child, 0)
    os.close(ours)
    os.close(its)
    assert len(listed(data)) == 3


# Archives and indexes -------------------------------------------------------------------------------------


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("model.weights.h5", h5_bytes(classes(DENSE)))
        out.writestr("model.weights.h5", h5_bytes(classes({})))
    with pytest.raises(SourceError, match=r"holds model.weights.h5 twice"):
        listed(path)


def test_a_compressed_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.files.zip_members.MAX_INFLATED_BYTES", 1000)
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


@pytest.mark.parametrize("command", ["summary", "explain", "weights"])
@pytest.mark.slow
def test_a_model_without_a_graph_whose_weights_are_a_bomb(command: str, tmp_path: Path) -> None:
    own = {"module": "own", "class_name": "Own", "config": {"name": "own"}, "registered_name": "own>Own"}
    members = {"config.json": json.dumps(own).encode(), "model.weights.h5": bytes(300 * 1024 * 1024)}
    path = archive(tmp_path / "m.keras", members, zipfile.ZIP_DEFLATED)
    done = hostile.run(command, path, folder=tmp_path)
    assert "unpacks to 314,572,800 bytes; at most 268,435,456 are unpacked" in done.out + done.err


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
    with pytest.raises(SourceError, match="that file is not in its directory"):
        listed(index)


def test_a_file_left_by_an_error_does_not_crash_the_interpreter(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"config.json": CONFIG, "model.weights.h5": h5_bytes(classes(DENSE))})
    code = (
        "from layerexplain.frontends.keras.weight_files import open_weights\n"
        f"c = open_weights({str(path)!r}); s = c.__enter__(); s.read(s.tensors[0]); c.__exit__(None, None, None)\n"
        f"with open_weights({str(path)!r}) as s:\n    s.read(s.tensors[0])\n    raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 3
