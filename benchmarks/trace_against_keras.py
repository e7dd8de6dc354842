"""Measures `layerexplain.trace` against Keras's own `predict` on the CPU, in pairs: ResNet50, one 224 × 224 image.

    python benchmarks/trace_against_keras.py            # 7 pairs, about a minute
    python benchmarks/trace_against_keras.py 3 MobileNetV2 96

Loading is left out on both sides: Keras's model is loaded and has predicted once (which compiles it), our weights are
in memory and the formulas traced. The two sides of a pair run one after the other, and the median of the pairs' ratios
is shown: a machine that is busy for a while slows both. The time of the whole
`trace`, reading the file included, stands beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
ALLOWED = 10
"""So many times Keras's time is wanted at most."""


class InMemory:
    """A source of weights that reads each layer's once."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.origin, self.notes = source.origin, source.notes
        self.known: dict[tuple[str, ...], list[Any]] = {}

    def of(self, path: tuple[str, ...], definition: Any) -> list[Any]:
        if path not in self.known:
            self.known[path] = self.source.of(path, definition)
        return self.known[path]


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(pairs: int, name: str, size: int) -> bool:
    """Print what was measured; whether it is within what is wanted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.path.insert(0, str(ROOT))
    import keras
    import numpy as np

    import layerexplain
    from layerexplain.run.activations import ModelRun
    from layerexplain.run.trace import ready

    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    image = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.keras")
        model.save(file)
        with ready(file, image) as running:
            network, weights = running.activations.network, InMemory(running.activations.weights)

            def formulas() -> Any:
                run = ModelRun(network, weights, 0)
                for _ in run.run([image]):
                    pass
                return run.outputs[0]

            ours, theirs = formulas(), model.predict(image, verbose=0)
            apart = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
            measured = [(seconds(formulas), seconds(lambda: model.predict(image, verbose=0))) for _ in range(pairs)]
        whole = seconds(lambda: layerexplain.trace(file, image))
    ratio = median(a / b for a, b in measured)
    print(f"{name}, {size} × {size}: the outputs differ by {apart:.1e} of the largest")
    print(f"  formulas in NumPy  {median(a for a, _ in measured) * 1000:8.0f} ms")
    print(f"  Keras's predict    {median(b for _, b in measured) * 1000:8.0f} ms")
    print(f"  ratio              {ratio:8.2f}    (at most {ALLOWED} is wanted; {pairs} pairs)")
    print(f"  trace of the file  {whole * 1000:8.0f} ms, reading and tracing included")
    return ratio <= ALLOWED


if __name__ == "__main__":
    arguments = sys.argv[1:]
    fine = main(
        int(arguments[0]) if arguments else 7,
        arguments[1] if len(arguments) > 1 else "ResNet50",
        int(arguments[2]) if len(arguments) > 2 else 224,
    )
    sys.exit(0 if fine else 1)
