"""Measures `layerexplain summary` against Keras on the same files, in pairs.

    python benchmarks/against_keras.py                       # 5 pairs a file: some minutes
    python benchmarks/against_keras.py 9 EfficientNetB0

Keras loads the model without compiling it and prints its summary, as one who wants to see it has to. Both sides of a
pair run one after the other in fresh processes, the whole process is measured (start, work, exit), its output goes to
a file, and the median of the pairs' ratios is shown: a machine that is busy for a while slows both sides. Memory is
the peak resident set. The model files are made by Keras in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from processes import in_pairs, layerexplain, python, run

MODELS = ("EfficientNetB0", "ResNet50", "NASNetLarge")
PAIRS = 5

MAKE = """
import sys, keras
model = getattr(keras.applications, sys.argv[1])(weights=None)
for path in sys.argv[2:]:
    model.save(path)
"""
KERAS_SUMMARY = """
import sys, keras
keras.models.load_model(sys.argv[1], compile=False).summary()
"""


class Wanted(NamedTuple):
    """How many times as fast and as lean as Keras `summary` is to be."""

    faster: float
    leaner: float


WANTED = {".keras": Wanted(40, 15), ".h5": Wanted(15, 10)}
"""For each format; for HDF5 NumPy and h5py must be imported."""


def main(pairs: int, models: tuple[str, ...]) -> None:
    heading = ("layerexplain", "Keras", "times faster, of processor time, leaner (wanted)")
    print(f"{'':<22}{heading[0]:>18}{heading[1]:>20}   {heading[2]}")
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            files = {ending: Path(folder, model + ending) for ending in WANTED}
            run(python(MAKE, model, *map(str, files.values())))
            for ending, file in files.items():
                ours, keras = layerexplain("summary", str(file)), python(KERAS_SUMMARY, str(file))
                found = in_pairs(ours, keras, pairs, to_file=True)
                cells = [
                    f"{median(pair[side].seconds for pair in found):.3f} s "
                    f"{median(pair[side].mebibytes for pair in found):,.0f} MiB"
                    for side in (0, 1)
                ]
                faster = median(other.seconds / mine.seconds for mine, other in found)
                processor = median(other.processor / mine.processor for mine, other in found)
                leaner = median(other.mebibytes / mine.mebibytes for mine, other in found)
                wanted = WANTED[ending]
                ratios = f"{faster:.1f}, {processor:.1f} ({wanted.faster:g}), {leaner:.1f} ({wanted.leaner:g})"
                print(f"{file.name:<22}{cells[0]:>18}{cells[1]:>20}   {ratios}", flush=True)
                file.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS, tuple(sys.argv[2:]) or MODELS)
