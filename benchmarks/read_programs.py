"""Counts how much of public code is read to its end, and measures how long that takes.

    python benchmarks/read_programs.py FOLDER [FOLDER ...]

Reads all scripts and notebooks with `keras` in them, and runs none. A model counts once for the line of code that makes
it, with the least that is known of it: complete, lacking only the shape of an input, assumed, or open. Models that hang
on code which is not there (another library's layers, a module that is missing, a saved model) are counted apart. Times
are of the processor, in one process after the start-up.
"""

from __future__ import annotations

import collections
import re
import statistics
import sys
import time
from pathlib import Path

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code import reader
from layerexplain.frontends.code.values.layers import ModelValue
from layerexplain.model import Model

GRADES = ("complete", "only the input's shape missing", "assumed", "open", "code that is not there")
_DATA = "|".join(
    """
    PIL argparse ast collections csv cv2 datetime glob gym h5py imageio input io json keras librosa matplotlib nltk np
    numpy open os pandas pathlib pickle random range re requests scipy shutil sklearn string subprocess sys tarfile
    tensorflow tensorflow_datasets tf time urllib zipfile
    """.split()  # noqa: SIM905
)
"""Libraries of data: what comes from them is a size that the data tell."""
_ELSEWHERE = re.compile(
    rf"it comes from (?!(?:{_DATA})\b)[\w.]+\(|load_model\(|from_preset"
    rf"|(?<![\w.])(?!(?:{_DATA}|applications)\b)\w+\.[\w.]+\(…\) is a function that is not read"
)


def grade(model: Model) -> str:
    """How much is known of a model."""
    if model.grade != "open":
        return str(model.grade)
    inputs = {layer.name for layer in model.layers if layer.type == "InputLayer"}
    opened = [note for note in model.notes if note.code == "open"]
    if opened and all("--input" in note.message or note.layer in inputs for note in opened):
        return "only the input's shape missing"
    return "code that is not there" if any(_ELSEWHERE.search(note.message) for note in opened) else "open"


def form(value: ModelValue, model: Model) -> str:
    """How a model is made; of a subclassed one also whether it could be called at all."""
    words = [note.message for note in model.notes if note.code == "open"]
    if value.form != "own":
        return value.form
    if any(note.code == "no-call" for note in model.notes) or any("has no `call`" in one for one in words):
        return "subclassed, without a call"
    without = any("has no shape in the code" in one for one in words)
    return "subclassed, without an input" if without else "subclassed, with a known input"


def read(path: Path) -> tuple[float, list[tuple[str, int, str]]]:
    """The processor's seconds for a program, and of each of its models the kind, the line and the grade."""
    data = path.read_bytes()
    start = time.process_time()
    found = []
    try:
        program = reader.program(data, str(path))
        models = [(one.value, program.model(one)) for one in program.models()]
        found = [(form(value, model), value.place.line, grade(model)) for value, model in models]
    except LayerExplainError as error:
        print(f"{path}: {error}")
    return time.process_time() - start, found


def main(folders: list[str]) -> None:
    paths = sorted(
        path
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.suffix in (".py", ".ipynb") and path.is_file() and b"keras" in path.read_bytes()
    )
    times: list[tuple[float, Path]] = []
    units: dict[tuple[Path, str, int], str] = {}
    for path in paths:
        seconds, found = read(path)
        times.append((seconds, path))
        for form, line, known in found:
            key = (path, form, line)
            units[key] = max(units.get(key, known), known, key=GRADES.index)
    for one in sorted({kind for _, kind, _ in units}):
        counts = collections.Counter(known for (_, kind, _), known in units.items() if kind == one)
        total = sum(counts.values())
        print(f"{one}: {total}", ", ".join(f"{name} {counts[name]} ({counts[name] / total:.0%})" for name in GRADES))
    ordered = sorted(seconds for seconds, _ in times)
    print(f"{len(paths)} programs: median {statistics.median(ordered):.3f} s, 95th percentile "
          f"{ordered[int(0.95 * len(ordered))]:.3f} s, slowest {max(times)[0]:.1f} s ({max(times)[1]})")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
