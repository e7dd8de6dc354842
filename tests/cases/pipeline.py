"""Cases of Pipeline and SpectralNormalization."""

import random
from typing import Any

from tests.cases import Case, Draw, Wrapped

DENSE = Wrapped("Dense", {"units": 4, "name": "dense"})
CONV = Wrapped("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same", "name": "conv"})

CASES = [
    Case("Pipeline", {"layers": [Wrapped("RandomFlip", {}), Wrapped("Rescaling", {"scale": 2.0})]}, ((7, 5, 3),)),
    Case("Pipeline", {"layers": [Wrapped("RandomCrop", {"height": 7, "width": 5}), CONV]}, ((7, 5, 3),)),
    Case("Pipeline", {"layers": [DENSE, Wrapped("Dense", {"units": 2, "name": "other"})]}, ((7,),)),
    Case("SpectralNormalization", {"layer": DENSE}, ((5,),)),
    Case("SpectralNormalization", {"layer": CONV, "power_iterations": 2}, ((7, 5, 3),)),
    Case("SpectralNormalization", {"layer": Wrapped("Embedding", {"input_dim": 9, "output_dim": 3, "name": "table"})}, ((4,),), ("int",)),
    Case("SpectralNormalization", {"layer": Wrapped("Flatten", {"name": "flatten"})}, ((5, 3),)),
    Case("SpectralNormalization", {"layer": DENSE, "power_iterations": 0}, ((5,),)),
]  # fmt: skip


def _pipeline(rng: random.Random) -> Case:
    choices: list[tuple[str, dict[str, Any]]] = [
        ("RandomFlip", {}),
        ("RandomContrast", {"factor": 0.3}),
        ("Rescaling", {"scale": rng.uniform(0.1, 2), "offset": rng.choice([0.0, -1.0])}),
        ("Conv2D", {"filters": rng.randint(1, 4), "kernel_size": rng.choice([1, 3])}),
        ("BatchNormalization", {}),
        ("Dense", {"units": rng.randint(1, 4)}),
        ("MaxPooling2D", {}),
    ]
    chosen = [rng.choice(choices) for _ in range(rng.randint(1, 4))]
    layers = [Wrapped(type_, {**config, "name": f"part{i}"}) for i, (type_, config) in enumerate(chosen)]
    return Case("Pipeline", {"layers": layers}, ((rng.choice([4, 9, 11]), rng.choice([5, 8]), rng.randint(1, 3)),))


def _spectral(rng: random.Random) -> Case:
    bias = rng.random() < 0.6
    type_, config, shape = rng.choice(
        [
            ("Dense", {"units": rng.randint(1, 5), "use_bias": bias}, (rng.randint(2, 7),)),
            ("Dense", {"units": rng.randint(1, 5), "activation": "relu"}, (None, rng.randint(2, 7))),
            ("Conv1D", {"filters": 3, "kernel_size": 3, "use_bias": bias}, (7, 2)),
            ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (7, 5, 3)),
            ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "use_bias": bias}, (5, 4, 3)),
            ("DepthwiseConv2D", {"kernel_size": 3}, (5, 4, 3)),
        ]
    )
    wrapped = Wrapped(type_, {**config, "name": "inner"})
    return Case("SpectralNormalization", {"layer": wrapped, "power_iterations": rng.randint(1, 3)}, (shape,))


DRAWS: dict[str, Draw] = {"Pipeline": _pipeline, "SpectralNormalization": _spectral}
