"""Writes a folder of small models, and measures how many of them `layerexplain catalogue` reads in a second.

    python benchmarks/many_models.py make FOLDER 100000      # writes them: some minutes, about 1 GB
    python benchmarks/many_models.py measure FOLDER          # catalogues them: --jobs 1, --jobs 2, --dask local

A quarter each are .keras archives, .h5 files, configuration JSON and YAML specs of ten layers, as Keras writes them; no
two are alike. Keras is not needed. Shown are models a second, and the processor time that one model takes, of all
processes together: that is the figure to go by on a machine that does other work, too.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import layerexplain

SPEC = """\
name: model_name
input: [16, 16, 3]
layers:
  - Conv2D: {filters: 1009, kernel_size: 3, padding: same, activation: relu}
  - BatchNormalization
  - MaxPooling2D: 2
  - Conv2D: {filters: 2003, kernel_size: 3, activation: relu}
  - MaxPooling2D: 2
  - Flatten
  - Dropout: 0.25
  - Dense: {units: 3001, activation: relu}
  - Dense: {units: 10, activation: softmax}
"""
KINDS = ("keras", "h5", "json", "yaml")
IN_A_FOLDER = 1000


def written(template: str, number: int) -> str:
    """A text of model number so and so: no other has the same filters and units."""
    filters, units = 2 + number % 97, 3 + number // 97
    text = template.replace("model_name", f"model{number}").replace("1009", str(filters))
    return text.replace("2003", str(2 * filters)).replace("3001", str(units))


def make(folder: Path, count: int) -> None:
    """Write so many models."""
    import h5py

    with tempfile.TemporaryDirectory() as some:
        spec = Path(some, "spec.yaml")
        spec.write_text(SPEC, "utf-8")
        layerexplain.convert(str(spec), Path(some, "config.json"))
        config = json.dumps(json.loads(Path(some, "config.json").read_text("utf-8")))
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for layer in ("conv2d", "batch_normalization", "conv2d_1", "dense", "dense_1"):
            file[f"layers/{layer}/vars/0"] = [0.5] * 16
    metadata = json.dumps({"keras_version": "3.10.0", "date_saved": "2026-01-01@00:00:00"})
    for number in range(count):
        place = folder / f"{number // IN_A_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        kind = KINDS[number % len(KINDS)]
        path = place / f"{number:06}.{kind}"
        if kind == "yaml":
            path.write_text(written(SPEC, number), "utf-8")
        elif kind == "json":
            path.write_text(written(config, number), "utf-8")
        elif kind == "keras":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("metadata.json", metadata)
                archive.writestr("config.json", written(config, number))
                archive.writestr("model.weights.h5", weights.getvalue())
        else:
            with h5py.File(path, "w") as file:
                file.attrs["model_config"] = written(config, number)
                file.attrs["keras_version"] = "3.10.0"
                file.attrs["backend"] = "tensorflow"
                file["model_weights/conv2d/conv2d/kernel"] = [0.5] * 16


def measure(folder: Path, runs: list[list[str]]) -> None:
    """Catalogue the folder in several ways."""
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    for options in runs:
        with tempfile.TemporaryDirectory() as some:
            table = os.path.join(some, "zoo.parquet")
            command = [sys.executable, "-m", "layerexplain", "catalogue", "-r", str(folder), "--to", table, *options]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            subprocess.run(command, check=True, stderr=None)
            seconds = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            print(
                f"{' '.join(options):<20}{count:,} models in {seconds:.1f} s: {count / seconds:,.0f} a second; "
                f"{1000 * processor / count:.2f} ms of processor time each; {after.ru_maxrss // 1024} MiB",
                flush=True,
            )


if __name__ == "__main__":
    what, target, *rest = sys.argv[1:]
    if what == "make":
        shutil.rmtree(target, ignore_errors=True)
        make(Path(target), int(rest[0]))
    else:
        runs = [rest] if rest else [["--jobs", "1"], ["--jobs", "2"], ["--dask", "local", "--jobs", "2"]]
        measure(Path(target), runs)
