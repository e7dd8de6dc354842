"""Compares the derived gradients of keras.applications with tf.GradientTape, end to end, with drawn weights.

    python benchmarks/gradient_applications.py                 # ten applications, several minutes
    python benchmarks/gradient_applications.py ResNet50 64     # one, at images of 64 x 64

For each: the largest difference of a gradient by the largest gradient, as at inference and, where nothing is drawn, as
in training. In float64, since in float32 a rectifier near 0 goes one way here and the other way there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

APPLICATIONS = (
    ("ResNet50", 64),
    ("ResNet50V2", 64),
    ("MobileNet", 64),
    ("MobileNetV2", 64),
    ("MobileNetV3Small", 64),
    ("EfficientNetB0", 64),
    ("DenseNet121", 64),
    ("NASNetMobile", 64),
    ("Xception", 96),
    ("ConvNeXtTiny", 64),
    ("VGG16", 48),
)
NEAR = 1e-6
"""So far a gradient may be off, by the largest gradient: some numbers are float32 in Keras."""


def check(name: str, size: int, *, training: bool) -> Any:
    """How far the step of an application is from Keras's, for images of a size, in the float of Keras's policy; weights
    are drawn."""
    import keras
    import numpy as np

    from layerexplain.oracle.keras_model import draw_weights
    from tests.support.training_runs import apart

    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
    )
    draw_weights(model, np.random.default_rng(1))
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")
    return apart(model, images, {"loss": "mse", "optimizer": "adam"}, training=training)


def main(applications: Any) -> bool:
    """Print what was compared; whether all are near."""
    import keras

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    fine = True
    for name, size in applications:
        for training in (False, True):
            try:
                found = check(name, size, training=training)
                if training and any("draws" in note for note in found.step.notes):
                    print(f"{name:20} training   draws random numbers, in Keras others than here", flush=True)
                    continue
            except Exception as error:  # what one application refuses must not hide the others
                print(f"{name:20} {'training' if training else 'inference':10} {error}", flush=True)
                continue
            fine = fine and found.gradient < NEAR
            print(
                f"{name:20} {'training' if training else 'inference':10} {len(found.compared):4} weights: "
                f"gradients {found.gradient:.1e}, loss {found.loss:.1e}",
                flush=True,
            )
    return fine


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    given = sys.argv[1:]
    sys.exit(0 if main([(given[0], int(given[1]))] if given else APPLICATIONS) else 1)
