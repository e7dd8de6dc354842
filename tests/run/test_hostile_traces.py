"""Arrays that are cut, odd or larger than memory: `trace` says so in one line, before it allocates anything."""

import io
import json
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from tests.support.commands import invoke
from tests.support.hostile_configs import bomb

SPEC = "input: [8, 8]\nlayers:\n  - Flatten\n"
SHAPE = "'fortran_order': False, 'shape': (1,8,8)"


def whole() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 8, 8), "f4"))
    return stream.getvalue()


def with_header(text: str) -> bytes:
    header = text.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(256)


def refused(content: bytes, tmp_path: Path, name: str = "x.npy") -> str:
    """The one line with which inputs from these bytes are refused; no warning may pass."""
    file = tmp_path / name
    file.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = layerexplain.read(SPEC.encode())
        with pytest.raises(LayerExplainError) as raised:
            layerexplain.trace_statistics(SPEC.encode(), model, layerexplain.make_inputs(model, [str(file)]))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,8,8", "'''", "((((((((", "[1, 2]", "1 + 1", "{}", "\xe9",
        "{" * 300, "-" * 5000 + "1", "{'descr': '<f4', 'fortran_order': False, 'shape': 5}",
        "{'descr': {1: 2}, " + SHAPE + "}", "{'descr': '<f0', " + SHAPE + "}", "{'descr': '|V0', " + SHAPE + "}",
        "{'descr': 'O', " + SHAPE + "}", "{'descr': '<f4', " + SHAPE + ", 1: 2}", "{'descr': '<c8', " + SHAPE + "}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,8,-8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,8,8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,8,8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,8,8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 300 + ")}",
    ],
)  # fmt: skip
def test_an_odd_header(header: str, tmp_path: Path) -> None:
    refused(with_header(header), tmp_path)


@pytest.mark.parametrize("length", [0, 1, 5, 6, 7, 8, 9, 10, 11, 40, 100, 127, 128, 200])
def test_an_array_that_is_cut(length: int, tmp_path: Path) -> None:
    refused(whole()[:length], tmp_path)


def test_a_header_of_python_2_is_read_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    file.write_bytes(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1L,8L,8L)}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (made,) = layerexplain.make_inputs(layerexplain.read(SPEC.encode()), [str(file)])
    assert made.array.shape == (1, 8, 8)


@pytest.mark.parametrize("coding", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_of_another_coding(coding: int, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", coding) as archive:
        archive.writestr("input.npy", whole())
    assert "store or deflate it" in refused(stream.getvalue(), tmp_path, "x.npz")


def test_complex_numbers_are_no_input(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 8, 8), "c8"))
    said = refused(stream.getvalue(), tmp_path)
    assert said == "<bytes>: the input 'input' needs numbers (float32), got an array of complex64"


def test_complex_numbers_are_no_weights(tmp_path: Path) -> None:
    layers = [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 5]}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 3}},
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((5, 3), "c8")
        file["layers/dense/vars/1"] = np.zeros(3, "f4")
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        document = {"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": layers}}
        archive.writestr("config.json", json.dumps(document))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = invoke("trace", path)
    assert done.exit_code == 1
    assert done.stderr.endswith("layer 'dense': it has weights of complex64; real numbers are needed\n")


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("input: [100000, null, 3]\nlayers:\n  - Flatten\n", ("--size", "100000,100000,3"),
         "the input 'input' needs an array of 120.0 GB; at most 1.0 GB are used"),
        ("input: [1000]\nlayers:\n  - Dense: 1000000000\n", (), "layer 'dense': has no values: it needs an array of 4,000.0 GB; at most 1.0 GB"),
        ("input: [4]\nlayers:\n  - RepeatVector: 10000000000\n  - LSTM: 3\n", (), "it needs an array of 160.0 GB"),
        ("input: [4]\nlayers:\n  - Embedding: [1000000000, 1000]\n", (), "it needs an array of 4,000.0 GB"),
        ("input: [4]\nlayers:\n  - Sequential: [{RepeatVector: 1000000000}]\n", ("sequential/repeat_vector", "--at", "0,3,1"), "it needs an array of 16.0 GB"),
    ],
)  # fmt: skip
def test_what_does_not_fit_into_memory(spec: str, options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(spec.replace("[1000000000, 1000]", "{input_dim: 1000000000, output_dim: 1000}"))
    result = invoke("trace", file, *options, "--max-memory", "1")
    assert result.exit_code == 1 and said in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("size", "said"),
    [("0.001", "at most 1,000,000 bytes"), ("1MB", "at most 1,000,000 bytes"), ("1MiB", "at most 1,048,576 bytes"),
     ("200 kB", "at most 200,000 bytes"), ("7b", "at most 7 bytes"),
     *((odd, f"'{odd}' is not a size; write gigabytes (0.5), or a number with its unit: 500MB, 2GiB")
       for odd in ("1XB", "MB", "", "-1", "0", "nan", "inf", "1e999GB", "1 M B"))],
)  # fmt: skip
def test_sizes_of_max_memory(size: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("input: [4]\nlayers:\n  - Dense: 300007\n")
    result = invoke("trace", file, "--max-memory", size)
    assert result.exit_code == (2 if "not a size" in said else 1) and said in result.stderr


def test_layers_that_would_run_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json"
    path.write_text(json.dumps(bomb(21, 4)))
    done = invoke("trace", path)
    assert done.exit_code == 1
    assert "because nested models are called repeatedly; at most 200,000 calls are run" in done.output


def test_where_memory_runs_out_the_largest_array_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("layerexplain.run.initializers._scaled", no_room)
    result = invoke("trace", "-", input="input: [5]\nlayers:\n  - Dense: 70000000\n")
    assert result.exit_code == 1
    assert "it does not fit into memory: its largest array has 1.4 GB" in result.output
