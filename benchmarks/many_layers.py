"""Times the tracing and printing of a thousand different convolutional layers, after start-up, in this process.

    python benchmarks/many_layers.py

Reads a configuration of 1,000 Conv2D layers with distinct numbers of filters, builds the report and prints the table
as for a pipe; shows the best of five. No two layers of any run are alike, so that no run finds another one's layers
in the caches. The first run is shown apart: it also loads the modules that `summary` needs.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAYERS = 1000
RUNS = 5


def configuration(run: int) -> dict[str, Any]:
    """A Sequential model as Keras 3 writes it; the filters of its layers are those of no other run."""
    first = {"batch_shape": [None, 32, 32, 3], "dtype": "float32", "sparse": False, "name": "input"}
    convolutions = [convolution(f"conv{i}", 1 + run * LAYERS + i) for i in range(LAYERS)]
    layers = [keras_object("InputLayer", first), *convolutions]
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "many", "trainable": True, "dtype": policy(), "layers": layers},
        "registered_name": None,
    }


def convolution(name: str, filters: int) -> dict[str, Any]:
    config = {
        "name": name,
        "trainable": True,
        "dtype": policy(),
        "filters": filters,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
        "bias_initializer": {
            "module": "keras.initializers",
            "class_name": "Zeros",
            "config": {},
            "registered_name": None,
        },
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    return keras_object("Conv2D", config)


def keras_object(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def policy() -> dict[str, Any]:
    config = {"name": "float32"}
    return {"module": "keras", "class_name": "DTypePolicy", "config": config, "registered_name": None}


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from layerexplain.cli.main import program

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS + 1):
            file = Path(folder, f"many{run}.json")
            file.write_text(json.dumps(configuration(run)), "utf-8")
            output = io.StringIO()
            started = time.perf_counter()
            with contextlib.redirect_stdout(output):
                program.main(["summary", str(file)], standalone_mode=False)
            seconds.append(time.perf_counter() - started)
            lines = sum(line.lstrip().startswith("conv") for line in output.getvalue().splitlines())
            if lines < LAYERS:
                raise SystemExit(f"the table needs {LAYERS} rows, got {lines}")
    print(f"{LAYERS:,} different Conv2D layers, read, traced and printed: {min(seconds[1:]):.3f} s (best of {RUNS})")
    print(f"first run, with the loading of modules: {seconds[0]:.3f} s")


if __name__ == "__main__":
    main()
