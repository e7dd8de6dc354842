"""A folder of models for catalogues, and the rows that a catalogue wrote."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

SAMPLES = ("digits.h5", "digits.keras", "efficientnet_b0.json", "mnist_mlp.yaml", "stacked_lstm_flatten.yaml")
SPEC = "name: net{number}\ninput: [6]\nlayers:\n  - Dense: {units}\n  - Dense: 2\n"
NESTED = "name: outer\ninput: [5]\nlayers:\n  - Sequential: [{{Dense: 3}}, {{Dense: {units}}}]\n    name: body\n  - Dense: 7\n    name: top\n"
CODE = "import keras\nencoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])\ndecoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])\n"


def zoo(folder: Path, count: int = 12) -> Path:
    """A directory with models of several kinds, one that cannot be read, and directories in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        shutil.copy(ROOT / "sample_models" / name, folder / name)
    for number in range(count):
        place = folder / f"more{number % 3}"
        place.mkdir(exist_ok=True)
        (place / f"net{number:03}.yaml").write_text(SPEC.format(number=number, units=3 + number), "utf-8")
    (folder / "nested.yaml").write_text(NESTED.format(units=4), "utf-8")
    (folder / "code.py").write_text(CODE, "utf-8")
    (folder / "broken.keras").write_bytes((ROOT / "sample_models" / "digits.keras").read_bytes()[:3000])
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
