"""Measures a training step by the derived gradients against Keras's own on the CPU, in pairs: ResNet50, one image.

    python benchmarks/gradient_against_keras.py            # 5 pairs, about a minute
    python benchmarks/gradient_against_keras.py 3 MobileNetV2 96

Both run forwards and backwards, to the gradients of all weights, as in training. Loading is left out on both sides:
Keras's step is a compiled tf.function that has run once; our weights are in memory and the formulas traced. That the
gradients are derived is part of the time. NumPy gets one thread: on cores that other work shares its threads wait
for each other. The time of the whole `trace --gradient`, reading the file included, stands beside it.
"""

from __future__ import annotations

import os
import subprocess
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


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Time and processor time of some work."""
    started, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - before


def main(pairs: int, name: str, size: int) -> bool:
    """Print what was measured; whether it is within what is wanted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.trace_against_keras import InMemory
    from layerexplain.frontends import read_for_weights
    from layerexplain.frontends.training import trained_with
    from layerexplain.run.gradients import GradientStep
    from layerexplain.run.trace import ready

    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    image = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype("float32")
    target = np.array([3], "int32")
    loss = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def theirs(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        return tape.gradient(value, [v.value for v in model.trainable_variables])

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.keras")
        model.save(file)
        source, read = read_for_weights(file)
        read = trained_with(read, {"loss": "sparse_categorical_crossentropy"})
        with ready(source, image, model=read, training=True) as running:
            running.activations.weights = InMemory(running.activations.weights)

            def ours() -> None:
                step = GradientStep(running, target)
                step.forward(lambda _: None)
                step.backward(lambda _: None)

            ours()
            theirs(image, target)
            measured = [(seconds(ours), seconds(lambda: theirs(image, target))) for _ in range(pairs)]
        command = [sys.executable, "-m", "layerexplain", "trace", file, "--gradient", "--loss", "mse"]
        whole = seconds(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT))[0]
    ratio = median(a[0] / b[0] for a, b in measured)
    of_processor = median(a[1] / b[1] for a, b in measured)
    print(f"{name}, {size} x {size}, forwards and backwards")
    print(f"  formulas in NumPy  {median(a[0] for a, _ in measured) * 1000:8.0f} ms")
    print(f"  Keras's gradient   {median(b[0] for _, b in measured) * 1000:8.0f} ms")
    print(f"  ratio              {ratio:8.2f}    (at most {ALLOWED} is wanted; {pairs} pairs)")
    print(f"  of processor time  {of_processor:8.2f}")
    print(f"  trace --gradient   {whole * 1000:8.0f} ms from the file on")
    return ratio <= ALLOWED


if __name__ == "__main__":
    arguments = sys.argv[1:]
    fine = main(
        int(arguments[0]) if arguments else 5,
        arguments[1] if len(arguments) > 1 else "ResNet50",
        int(arguments[2]) if len(arguments) > 2 else 224,
    )
    sys.exit(0 if fine else 1)
