"""Measures how time and memory of `layerexplain summary --format jsonl` grow with a model, and with its weights.

    python benchmarks/scale.py                    # 1,000, 10,000 and 100,000 layers, a .keras of 4 GB; two minutes
    python benchmarks/scale.py 1000 10000

Two kinds of synthetic models: Dense layers one behind the other, and the same with skip connections (each Dense reads
the concatenation of the last four). The numbers of units differ all along, so that few layers are alike and nothing
is saved by that. The output goes through a pipe and is counted.

The archives hold the same hundred layers, the last of a class that nobody knows, so that its weight is looked up in
the stored weights: one tensor, of 1 MB and of 4 GB, which a sparse file pretends to hold.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from statistics import median
from typing import IO, Any

import h5py
from processes import in_pairs, layerexplain, run

COUNTS = (1_000, 10_000, 100_000)
UNITS = 9_973
PAIRS = 15
SIZES = (1_000_000, 4_000_000_000)


def sequential(count: int) -> dict[str, Any]:
    """Dense layers one behind the other."""
    layers = [input_layer(), *[dense(i) for i in range(count - 1)]]
    return keras_object("Sequential", {"name": "sequential", "layers": layers})


def with_skips(count: int) -> dict[str, Any]:
    """Each Dense layer reads the concatenation of the four before it."""
    layers = [{**input_layer(), "name": "input", "inbound_nodes": []}]
    made = ["input"]
    while len(layers) + 2 <= count:
        number = len(made) - 1
        joined = {**keras_object("Concatenate", {"name": f"joined{number}", "axis": -1}), "name": f"joined{number}"}
        joined["inbound_nodes"] = [node([tensor(name) for name in made[-4:]] if number else [tensor("input")] * 2)]
        layer = {**dense(number), "name": f"dense{number}", "inbound_nodes": [node(tensor(f"joined{number}"))]}
        layers += [joined, layer]
        made.append(f"dense{number}")
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [[made[-1], 0, 0]]}
    return keras_object("Functional", {"name": "skips", "layers": layers, **ends})


def input_layer() -> dict[str, Any]:
    return keras_object("InputLayer", {"name": "input", "batch_shape": [None, 17], "dtype": "float32"})


def dense(number: int) -> dict[str, Any]:
    units = 1 + zlib.crc32(str(number).encode()) % UNITS
    return keras_object("Dense", {"name": f"dense{number}", "units": units, "activation": "relu", "use_bias": True})


def keras_object(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def node(arguments: Any) -> dict[str, Any]:
    return {"args": [arguments], "kwargs": {}}


def tensor(layer: str) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": None, "dtype": "float32", "keras_history": [layer, 0, 0]},
    }


def archive(path: Path, config: dict[str, Any], weights: Path) -> None:
    """A .keras that stores a file of weights, zeros left out, which take no room on a disk that knows sparse files.

    Written by hand: a library would compute the checksum of all 4 GB.
    """
    metadata = {"keras_version": "3.15.0", "date_saved": "2026-01-01@00:00:00"}
    members = [
        ("metadata.json", json.dumps(metadata).encode()),
        ("config.json", json.dumps(config).encode()),
        ("model.weights.h5", None),
    ]
    directory = b""
    with path.open("wb") as file:
        for name, data in members:
            size = weights.stat().st_size if data is None else len(data)
            checksum = 0 if data is None else zlib.crc32(data)
            start = file.tell()
            entry = struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 0x21, checksum, size, size, len(name), 0)
            file.write(b"PK\x03\x04" + entry + name.encode())
            if data is None:
                copy_sparsely(weights, file)
            else:
                file.write(data)
            place = struct.pack("<HHHLL", 0, 0, 0, 0, start)
            directory += b"PK\x01\x02" + struct.pack("<H", 20) + entry + place + name.encode()
        start = file.tell()
        file.write(directory)
        file.write(b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, len(members), len(members), len(directory), start, 0))


def copy_sparsely(source: Path, target: IO[bytes]) -> None:
    with source.open("rb") as file:
        while block := file.read(1 << 20):
            if any(block):
                target.write(block)
            else:
                target.seek(len(block), 1)


def weights_file(path: Path, layer: str, bytes_of_it: int) -> None:
    """Stored weights: one float32 matrix of a layer, which is never written."""
    with h5py.File(path, "w") as file:
        rows = bytes_of_it // 4 // 1000
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        group = file.create_group(f"layers/{layer}/vars")
        space = h5py.h5s.create_simple((rows, 1000))
        h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space, creation)


def growth(folder: Path, counts: tuple[int, ...]) -> None:
    for kind in (sequential, with_skips):
        for count in counts:
            file = folder / f"{kind.__name__}{count}.json"
            # By a process of its own: what this one has in memory would count as the peak of its children.
            run([sys.executable, __file__, "--make", kind.__name__, str(count), str(file)])
            taken = run(layerexplain("summary", str(file), "--format", "jsonl"))
            if not count * 0.99 <= taken.lines <= count * 1.01:
                raise SystemExit(f"{count} lines are needed, got {taken.lines}")
            each = f"{1e6 * taken.seconds / count:,.0f} µs and {1024 * taken.mebibytes / count:,.1f} KiB a layer"
            print(
                f"{kind.__name__:<12}{count:>9,} layers {taken.seconds:>8.2f} s {taken.mebibytes:>7,.0f} MiB   {each}"
            )


def bytes_of_weights(folder: Path) -> None:
    config = sequential(100)
    stored = {"module": "mine", "class_name": "Stored", "config": {"name": "stored"}, "registered_name": "mine>Stored"}
    config["config"]["layers"].append(stored)
    archives = []
    for size in SIZES:
        weights = folder / "weights.h5"
        weights_file(weights, "stored", size)
        archives.append(folder / f"{size}.keras")
        archive(archives[-1], config, weights)
    small, large = (layerexplain("summary", str(one)) for one in archives)
    pairs = in_pairs(large, small, PAIRS)
    slower = median(large.seconds / small.seconds for large, small in pairs)
    fatter = median(large.mebibytes / small.mebibytes for large, small in pairs)
    print(f"a .keras of 4 GB takes {slower:.2f} times the time and {fatter:.2f} times the memory of one of 1 MB")


def main(counts: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        growth(Path(folder), counts)
        bytes_of_weights(Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        made = {kind.__name__: kind for kind in (sequential, with_skips)}[sys.argv[2]]
        Path(sys.argv[4]).write_text(json.dumps(made(int(sys.argv[3]))), "utf-8")
        raise SystemExit
    main(tuple(map(int, sys.argv[1:])) or COUNTS)
