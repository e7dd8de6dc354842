"""Measures what `layerexplain` adds to Python's own start and to the imports that it cannot do without, in pairs.

    python benchmarks/start_up.py            # 41 pairs each: a minute
    python benchmarks/start_up.py 101

Both sides of a pair run one after the other in fresh processes, the whole process is measured (start, work, exit),
and the median of the pairs' ratios is shown. A machine that does other things too disturbs wall clocks more than
the processor's time, so both are shown. EfficientNetB0.keras is made by Keras in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from processes import Run, in_pairs, layerexplain, python, run

PAIRS = 41
MAKE = "import sys, keras; keras.applications.EfficientNetB0(weights=None).save(sys.argv[1])"
SPEC = """\
name: ten
input: [32, 32, 3]
layers:
  - Conv2D: {filters: 32, kernel_size: 3, padding: same, activation: relu}
  - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
  - MaxPooling2D: 2
  - Dropout: 0.25
  - Conv2D: {filters: 64, kernel_size: 3, padding: same, activation: relu}
  - MaxPooling2D: 2
  - Flatten
  - Dense: {units: 512, activation: relu}
  - Dropout: 0.5
  - Dense: {units: 10, activation: softmax}
"""


class Contest(NamedTuple):
    """Two commands, and how many times the other's time ours may take."""

    title: str
    ours: list[str]
    other: list[str]
    most: float


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive, spec = Path(folder, "EfficientNetB0.keras"), Path(folder, "ten.yaml")
        run(python(MAKE, str(archive)))
        spec.write_text(SPEC)
        contests = (
            Contest("--version", layerexplain("--version"), python("import click"), 1.3),
            Contest(
                "summary EfficientNetB0.keras",
                layerexplain("summary", str(archive)),
                python("import click, json, zipfile"),
                2.0,
            ),
            Contest(
                "summary of ten layers in YAML", layerexplain("summary", str(spec)), python("import click, yaml"), 2.0
            ),
        )
        print(f"{'':<32}{'layerexplain':>14}{'the other':>12}   ratio of times, of processor times (at most)")
        for contest in contests:
            found = in_pairs(contest.ours, contest.other, pairs)
            times = [f"{1000 * median(pair[side].seconds for pair in found):.0f} ms" for side in (0, 1)]
            wall, processor = _ratio(found, lambda one: one.seconds), _ratio(found, lambda one: one.processor)
            ratios = f"{wall:.2f}, {processor:.2f} ({contest.most:g})"
            print(f"{contest.title:<32}{times[0]:>14}{times[1]:>12}   {ratios}", flush=True)


def _ratio(pairs: list[tuple[Run, Run]], of: Callable[[Run], float]) -> float:
    return median(of(ours) / of(other) for ours, other in pairs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
