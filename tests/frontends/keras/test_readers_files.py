"""Files: sniffing by content, archives and HDF5 that lie or are damaged, and what is no model. No Keras is needed."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends import read
from tests.support.faults import failure

CONFIG: dict[str, Any] = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "in"}},
            {"class_name": "Dense", "config": {"name": "d", "trainable": True, "units": 3}},
        ],
    },
}
TEXT = json.dumps(CONFIG)
METADATA = json.dumps({"keras_version": "3.9.9", "date_saved": "2025-01-01@00:00:00"})


def archive(*members: tuple[str, bytes | str], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return stream.getvalue()


GOOD = archive(("metadata.json", METADATA), ("config.json", TEXT), ("model.weights.h5", b"\x00" * 100))


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """`file(bytes)` → the path of a file with an ending that says nothing."""

    def make(data: bytes, name: str = "file.bin") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return make


def h5_bytes(**attributes: Any) -> bytes:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as root:
        for name, value in attributes.items():
            root.attrs[name] = value
    return stream.getvalue()


def test_content_decides_not_the_name(file: Any) -> None:
    h5 = h5_bytes(model_config=TEXT.encode(), keras_version="2.15.0")
    for data, format_, version in [
        (GOOD, "keras-archive", "3.9.9"),
        (archive(("config.json", TEXT), compression=zipfile.ZIP_DEFLATED), "keras-archive", None),
        (h5, "h5", "2.15.0"),
        (TEXT.encode(), "config-json", None),
        (b"\xef\xbb\xbf \n" + TEXT.encode(), "config-json", None),
    ]:
        path = file(data, "model.yaml")
        for source in (path, Path(path), data):
            model = read(source)
            assert (model.format, model.keras_version, model.name) == (format_, version, "s")
            assert model.source == ("<bytes>" if source is data else path)
            assert [layer.name for layer in model.layers] == ["in", "d"]


def test_an_unzipped_archive(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(TEXT)
    assert read(tmp_path).format == "keras-archive"
    (tmp_path / "metadata.json").write_text(METADATA)
    assert read(str(tmp_path)).keras_version == "3.9.9"


def test_standard_input_and_pipes(file: Any, tmp_path: Path) -> None:
    code = "from layerexplain.frontends import read; m = read('-'); print(m.format, m.source, len(m.layers))"
    for data, format_ in [(GOOD, "keras-archive"), (TEXT.encode(), "config-json"), (h5_bytes(model_config=TEXT), "h5")]:
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
        assert done.stdout.decode().split() == [format_, "<stdin>", "2"]
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    script = f"import sys; open({str(fifo)!r}, 'wb').write({GOOD!r})"
    with subprocess.Popen([sys.executable, "-c", script]):
        assert read(fifo).source == str(fifo)


def test_chunked_attributes() -> None:
    half = len(TEXT) // 2
    assert read(h5_bytes(model_config0=TEXT[:half].encode(), model_config1=TEXT[half:])).name == "s"


NO_MODEL: list[tuple[bytes, str]] = [
    (b"", "is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "is a Git LFS pointer, not the file itself"),
    (pickle.dumps([1, 2]), "is a Python pickle, which would run code when loaded and is not opened"),
    (b"\x1c\x00\x00\x00TFL3\x00\x00", "is a TensorFlow Lite model"),
    (b"\x08\x07\x12\x07pytorch\x1a\x03\x00", "is an ONNX model"),
    (b"\n\x1e\n\x05input\x12\x0bPlaceholder\x00", "is a frozen TensorFlow graph (.pb)"),
    (b'\x40\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32"}}', "is a safetensors file"),
    (b"\x93NUMPY\x01\x00", "is a NumPy array (.npy)"),
    (b"\x1f\x8b\x08\x00", "is gzip-compressed; unpack it first"),
    (b"<!DOCTYPE html>", "is an HTML or XML page, not a model"),
    (b"abc\x00\x01\x02", "is a binary file of an unknown kind"),
    (archive(), "is an empty zip archive"),
    (archive(("m/data.pkl", b"x")), "is a PyTorch file"),
    (archive(("a.npy", b"x")), "is a NumPy archive (.npz)"),
    (archive(("m/config.json", TEXT)), "has its config.json in the folder 'm'"),
    (archive(("a", b""), ("b", b""), ("c", b""), ("d", b"")), "(it holds 'a', 'b', 'c' and 1 more)"),
    (b'{"modelTopology": {}}', "is a TensorFlow.js model.json"),
    (METADATA.encode(), "is the metadata.json of an unzipped .keras"),
    (b'{"architectures": ["Bert"], "model_type": "bert"}', "bert needs hidden_size, which the configuration does not have"),
    (b"[1, 2]", "is a list, but not a list of layers"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), NO_MODEL)
def test_what_is_no_model_says_what_it_is(data: bytes, message: str, file: Any) -> None:
    path = file(data)
    assert failure(path).startswith(f"{path}: ")
    assert message in failure(path)
    assert message in failure(data)


def test_hdf5_that_is_no_model() -> None:
    h5py = pytest.importorskip("h5py")
    assert "is an HDF5 file, but neither a Keras model" in failure(h5_bytes())
    assert "the attribute model_config is an array" in failure(h5_bytes(model_config=[1, 2]))
    assert "the attribute model_config is not valid JSON" in failure(h5_bytes(model_config="{"))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as root:
        root["data"] = [1.0, 2.0]
    assert "is an HDF5 file, but neither a Keras model" in failure(stream.getvalue())


def test_damaged_hdf5(file: Any) -> None:
    good = h5_bytes(model_config=TEXT)
    assert "is a damaged HDF5 file" in failure(file(good[:200]))
    for at in range(0, len(good), 97):  # whatever byte is wrong, no traceback
        damaged = bytearray(good)
        damaged[at] ^= 0xFF
        try:
            read(bytes(damaged))
        except LayerExplainError as error:
            assert "\n" not in str(error)


def test_an_attribute_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = h5_bytes(model_config=TEXT)
    monkeypatch.setattr("layerexplain.frontends.keras.weight_tree.MAX_CONFIG_BYTES", 100)
    assert "the attribute model_config has" in failure(data)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m.keras", "is not a zip archive; the file is damaged, or is not a model that Keras saved"),
        ("m.H5", "is not an HDF5 file; the file is damaged, or is not a model that Keras saved"),
        ("m.yaml", "the file is not UTF-8 (byte 0x80); save it as UTF-8"),
    ],
)
def test_what_is_said_of_bytes_goes_by_the_end_of_the_name(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x81")
    with pytest.raises(LayerExplainError) as caught:
        read(tmp_path / name)
    assert caught.value.fact == said


def test_a_spec_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("name: é\ninput: [3]\nlayers: [Flatten]\n", "utf-8")
    assert read(tmp_path / "m.keras").name == "é"


def test_truncated_archives(file: Any) -> None:
    for cut in (10, len(GOOD) // 2, len(GOOD) - 1):
        assert "is a damaged zip archive" in failure(file(GOOD[:cut]))
    for at in range(0, len(GOOD), 31):
        damaged = bytearray(GOOD)
        damaged[at] ^= 0xFF
        try:
            read(bytes(damaged))
        except LayerExplainError as error:
            assert "\n" not in str(error)


def test_a_config_that_is_no_config() -> None:
    for text, message in [
        ("{", "config.json is not valid JSON at line 1, column 2: expecting property name"),
        ("[" * 100_000, "config.json is nested too deeply"),
        ('{"class_name": "Dense", "config": {"units": %s}}' % ("9" * 30), "an integer has 30 digits"),
        ('{"class_name": "Dense", "config": {"units": %s}}' % ("9" * 5000), "an integer has 5,000 digits"),
        ('{"class_name": "\\ud800", "config": {}}', "holds half a character"),
        (b"\xff\xfe{\x00", "config.json is UTF-16; save it as UTF-8"),
        (b'{"a": "\xe9"}', "config.json is not UTF-8 (byte 0xe9)"),
    ]:
        assert message in failure(archive(("config.json", text)))


def test_nan_and_deep_values_pass_or_are_refused() -> None:
    document = json.loads(TEXT)
    document["config"]["layers"][1]["config"]["mask_value"] = float("nan")
    assert read(json.dumps(document).encode()).layers[1].config["mask_value"] != 0
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    document["config"]["layers"][1]["config"]["deep"] = deep
    try:
        read(document)
    except SourceError as error:
        assert "nested too deeply" in str(error)
    for _ in range(3000):
        deep = {"a": deep}
    document["config"]["layers"][1]["config"]["deep"] = deep
    assert "nested too deeply" in failure(document)


def test_deep_nesting_of_models_is_refused_not_followed_to_a_crash() -> None:
    nested: Any = {"class_name": "Sequential", "config": {"name": "n", "layers": []}}
    for _ in range(2000):
        nested = {"class_name": "Sequential", "config": {"name": "n", "layers": [nested]}}
    assert "nested too deeply" in failure(nested)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    assert failure(tmp_path / "missing.keras") == f"{tmp_path}/missing.keras: no such file"
    assert failure(tmp_path) == f"{tmp_path}: is a folder without a model; an unzipped .keras file has a config.json"
    (tmp_path / "a.h5").write_bytes(b"")
    assert "-r reads all models in it; or give one, such as 'a.h5'" in failure(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert "saved_model.pb holds neither objects nor signatures" in failure(tmp_path)
    assert "cannot be read" in failure("a\x00b")
    assert (
        failure(3)
        == "<int>: a int is not a source; give a path, bytes, a configuration, a Keras model or a module of PyTorch"
    )
