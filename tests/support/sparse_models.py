"""Models of many bytes of which few are written: the values are holes in the file."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import h5py


def _dataset(group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    """A float32 array with room in the file, and nothing in it."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), creation)


def config(layers: int, units: int) -> dict[str, Any]:
    """A Sequential of Dense layers, all of the same width."""
    items: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, units], "dtype": "float32"}}
    ]
    items += [{"class_name": "Dense", "config": {"name": f"dense_{i}", "units": units}} for i in range(layers)]
    return {"class_name": "Sequential", "config": {"name": "wide", "layers": items}}


def legacy_h5(path: Path, layers: int, units: int) -> Path:
    """A `.h5` as Keras 2 wrote it; `layers · (units² + units) · 4` bytes and what HDF5 needs."""
    with h5py.File(path, "w") as root:
        root.attrs["keras_version"] = b"2.9.0"
        root.attrs["backend"] = b"tensorflow"
        root.attrs["model_config"] = json.dumps(config(layers, units)).encode()
        group = root.create_group("model_weights")
        group.attrs["layer_names"] = [f"dense_{i}".encode() for i in range(layers)]
        for i in range(layers):
            own = group.create_group(f"dense_{i}")
            own.attrs["weight_names"] = [f"dense_{i}/kernel:0".encode(), f"dense_{i}/bias:0".encode()]
            inner = own.create_group(f"dense_{i}")
            _dataset(inner, "kernel:0", (units, units))
            _dataset(inner, "bias:0", (units,))
    return path


def keras_archive(path: Path, layers: int, units: int) -> Path:
    """A `.keras` of Keras 3 whose weights lie in it as they are."""
    weights = path.with_suffix(".weights.h5")
    with h5py.File(weights, "w") as root:
        for i in range(layers):
            group = root.create_group(f"layers/dense{f'_{i}' if i else ''}/vars")
            _dataset(group, "0", (units, units))
            _dataset(group, "1", (units,))
    members: list[tuple[bytes, bytes | Path]] = [
        (b"metadata.json", json.dumps({"keras_version": "3.15.0"}).encode()),
        (b"config.json", json.dumps(config(layers, units)).encode()),
        (b"model.weights.h5", weights),
    ]
    directory = io.BytesIO()
    with path.open("wb") as file:
        for name, data in members:
            size = data.stat().st_size if isinstance(data, Path) else len(data)
            checksum = 0 if isinstance(data, Path) else zlib.crc32(data)
            start = file.tell()
            entry = struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 0x21, checksum, size, size, len(name), 0)
            file.write(b"PK\x03\x04" + entry + name)
            if isinstance(data, Path):
                _copy(data, file)
            else:
                file.write(data)
            place = struct.pack("<HHHLL", 0, 0, 0, 0, start)
            directory.write(b"PK\x01\x02" + struct.pack("<H", 20) + entry + place + name)
        start, listed = file.tell(), directory.getvalue()
        file.write(listed + b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 3, 3, len(listed), start, 0))
    weights.unlink()
    return path


def _copy(source: Path, target: Any) -> None:
    """Copy a file of weights but for the values, which are holes."""
    holes = []
    with h5py.File(source, "r") as root:

        def visit(_: str, one: Any) -> None:
            if isinstance(one, h5py.Dataset):
                holes.append((one.id.get_offset(), one.id.get_storage_size()))

        root.visititems(visit)
    base, at = target.tell(), 0
    size = source.stat().st_size
    with source.open("rb") as file:
        for start, length in [*sorted(holes), (size, 0)]:
            file.seek(at)
            target.seek(base + at)
            target.write(file.read(start - at))
            at = start + length
    target.seek(base + size)
