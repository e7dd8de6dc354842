"""Measures how many small files `layerexplain summary` reads in a second, for each format and number of jobs.

    python benchmarks/many_files.py          # a thousand files of a kind, some minutes: Keras writes 2,000 of them
    python benchmarks/many_files.py 200

Each file has another model of ten layers. Keras writes the .keras and .h5 files and the JSON; the YAML specs are
written here. The start-up (the same call with as many files as there are jobs) is left out, and told beside. The
output goes through a pipe; that of several jobs must be that of one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from processes import layerexplain, python, run

FILES = 1000
KINDS = ("yaml", "json", "keras", "h5")
JOBS = (1, 2)
WANTED = 200

MAKE = """
import sys
from pathlib import Path
import keras
from keras import layers

folder, count = Path(sys.argv[1]), int(sys.argv[2])
for i in range(count):
    keras.backend.clear_session()
    filters, units = 2 + i % 7, 3 + i // 7
    model = keras.Sequential(
        [
            layers.Input((16, 16, 3)),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Conv2D(2 * filters, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(units, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name=f"model{i}",
    )
    model.save(folder / f"{i:04}.keras")
    model.save(folder / f"{i:04}.h5")
    (folder / f"{i:04}.json").write_text(model.to_json(), "utf-8")
"""
SPEC = """\
name: model{i}
input: [16, 16, 3]
layers:
  - Conv2D: {{filters: {filters}, kernel_size: 3, padding: same, activation: relu}}
  - BatchNormalization
  - MaxPooling2D: 2
  - Conv2D: {{filters: {doubled}, kernel_size: 3, activation: relu}}
  - MaxPooling2D: 2
  - Flatten
  - Dropout: 0.25
  - Dense: {{units: {units}, activation: relu}}
  - Dense: {{units: 10, activation: softmax}}
"""


def make(folder: Path, count: int) -> None:
    for i in range(count):
        filters, units = 2 + i % 7, 3 + i // 7
        text = SPEC.format(i=i, filters=filters, doubled=2 * filters, units=units)
        (folder / f"{i:04}.yaml").write_text(text, "utf-8")
    run(python(MAKE, str(folder), str(count)))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, count)
        print(f"{'':<8}{'jobs':>6}{'files a second':>16} (wanted {WANTED} with 2 jobs){'start-up':>12}{'memory':>10}")
        for kind in KINDS:
            files = [str(folder / f"{i:04}.{kind}") for i in range(count)]
            for jobs in JOBS:
                few, all_ = (_summary(chosen, jobs) for chosen in (files[:jobs], files))
                run(few)
                start, taken = (min(run(command).seconds for _ in range(3)) for command in (few, all_))
                speed = (count - jobs) / (taken - start)
                print(f"{kind:<8}{jobs:>6}{speed:>16,.0f}{1000 * start:>37,.0f} ms{run(all_).mebibytes:>6,.0f} MiB")
            outputs = {subprocess.run(_summary(files, jobs), capture_output=True, check=True).stdout for jobs in JOBS}
            if len(outputs) > 1:
                raise SystemExit(f"{kind}: several jobs print something else than one")


def _summary(files: list[str], jobs: int) -> list[str]:
    return layerexplain("summary", *files, "--format", "jsonl", "--jobs", str(jobs))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else FILES)
