"""Small HDF5 files of weights, made by hand to the letter of what Keras writes, and hostile ones."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from layerexplain.frontends.keras.weight_files import open_weights

Fill = Callable[[h5py.File], None]


def array(*shape: int, start: int = 1) -> np.ndarray[Any, Any]:
    """start, start + 1, … in a shape: no two values alike."""
    return np.arange(start, start + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def h5_bytes(fill: Fill, **options: Any) -> bytes:
    """An HDF5 file in memory."""
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as root:
        fill(root)
    return out.getvalue()


def classes(tensors: Mapping[str, Any], names: Mapping[str, str] = {}) -> Fill:
    """A `.weights.h5`: group of an object → its variables; `names` are those of its layer, as Keras 3.6 keeps them."""

    def fill(root: h5py.File) -> None:
        for group, values in tensors.items():
            held = root.create_group(f"{group}/vars" if group else "vars")
            if group in names:
                held.attrs["name"] = names[group]
            for number, value in enumerate(values):
                held[str(number)] = value

    return fill


def legacy(layers: Mapping[str, Mapping[str, Any]], base: str = "", version: str | None = "2.9.0") -> Fill:
    """Legacy weights: layer → variable → values, with the lists of names that Keras 1 to 3 write."""

    def fill(root: h5py.File) -> None:
        group = root.create_group(base) if base else root
        group.attrs["layer_names"] = [name.encode() for name in layers]
        if version is not None:
            group.attrs["keras_version"] = version.encode()
        for name, weights in layers.items():
            own = group.create_group(name)
            own.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, value in weights.items():
                own[weight] = value

    return fill


def archive(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", compression) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return path


DENSE = {"layers/dense": [array(3, 2), array(2, start=50)], "layers/dense_1": [array(2, 5, start=90)]}
CONFIG = b'{"class_name": "Sequential", "config": {"name": "m", "layers": []}}'


def listed(source: Path | bytes) -> list[tuple[str, tuple[int, ...], str, str, str]]:
    """(path, shape, dtype, role, layer) of each tensor."""
    with open_weights(source) as stored:
        assert stored is not None
        return [(t.path, t.shape, t.dtype, t.role, t.layer) for t in stored.tensors]


def noted(source: Path | bytes) -> list[tuple[str, str]]:
    """(code, message) of each note."""
    with open_weights(source) as stored:
        assert stored is not None
        return [(note.code, note.message) for note in stored.notes]
