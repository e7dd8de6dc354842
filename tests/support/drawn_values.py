"""Random arrays for a case's definition, made by NumPy alone: what laws are tried on where no Keras is needed."""

import random
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from tests.cases import CASES, DRAWS, Case
from tests.support.keras_oracle import BATCH_SIZE, trace_case
from tests.support.tries import tries

DRAWN = tries(few=1, many=3)
"""Drawn configurations of each type."""


TYPES = sorted({case.type for case in CASES} | set(DRAWS))


def definitions(type_: str, *, fixed: bool) -> Iterator[tuple[Case, Definition]]:
    """The rows and a few draws of a type, traced; configurations that are refused are left out."""
    cases = [case for case in CASES if case.type == type_]
    if type_ in DRAWS:
        cases += [DRAWS[type_](random.Random(f"{type_}{seed} by index")) for seed in range(DRAWN)]
    for case in cases:
        try:
            yield case, trace_case(case, fixed=fixed)
        except LayerExplainError:
            continue


def values_for(case: Case, definition: Definition) -> tuple[list[Any], list[Any]]:
    """Arrays for the params and the weights; masks have holes, variances are positive, ids fit their table."""
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    ids = min([int(case.config.get(name, 9)) for name in ("input_dim", "num_tokens", "num_bins")])
    inputs: list[Any] = []
    for param in definition.params:
        shape = [size if isinstance(size, int) else BATCH_SIZE for size in param.shape]
        if param.dtype == "bool":
            inputs.append(rng.random(shape) < 0.6)
        elif "int" in param.dtype:
            inputs.append(rng.integers(0, ids, shape))
        else:
            inputs.append(rng.normal(0, 1, shape))
    weights = []
    for weight in definition.weights:
        if weight.dtype.startswith("int") or weight.attrs["name"] == "g_idx":
            # Whole numbers of quantized layers; g_idx is which block each place is in: the first one always exists.
            most = 0 if weight.attrs["name"] == "g_idx" else 8 if weight.attrs["name"].endswith("_zero") else 127
            weights.append(rng.integers(-most, most + 1, weight.shape))
            continue
        value = rng.uniform(0.2, 0.9, weight.shape)
        weights.append(value if weight.attrs["positive"] else value * rng.choice([-1, 1], weight.shape))
    return inputs, weights
