"""Formulas of random values whose gradients are compared with differences."""

from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.lang.parse import parse

np = pytest.importorskip("numpy")
LEAVES = {
    "a": ((BATCH, 4, 3), "float"),
    "b": ((BATCH, 4, 3), "float"),
    "c": ((3,), "float"),
    "column": ((4, 1), "float"),
    "p": ((BATCH, 4, 3), "positive"),
    "q": ((BATCH, 4, 3), "positive"),
    "u": ((BATCH, 4, 3), "unit"),
    "v": ((5,), "float"),
    "M": ((3, 7), "float"),
    "S": ((BATCH, 3, 3), "float"),
    "Q": ((3, 3), "float"),
    "T": ((BATCH, 3, 2), "float"),
    "table": ((6, 5), "float"),
    "line": ((BATCH, 11, 4), "float"),
    "image": ((BATCH, 7, 8, 4), "float"),
    "K": ((3, 2, 4, 6), "float"),
    "K_grouped": ((3, 2, 2, 6), "float"),
    "K_each": ((3, 2, 4, 2), "float"),
    "K_back": ((3, 2, 5, 4), "float"),
    "K_line": ((3, 4, 6), "float"),
    "places": ((BATCH, 5), "ids"),
    "float_ids": ((BATCH, 5), "float ids"),
    "order": ((BATCH, 4, 3), "ids"),
    "pairs": ((5, 2), "ids"),
    "parts": ((5,), "ids"),
    "start": ((2,), "start"),
    "mask": ((BATCH, 4, 3), "bool"),
    "grads": ((BATCH, 3, 4, 4), "float"),
    "shares": ((2,), "unit share"),
    "turns": ((BATCH, 8), "turns"),
    "corners": ((BATCH, 4, 2), "corners"),
    "ends": ((BATCH, 4, 2), "corners"),
    "spots": ((2, 5), "positive"),
    "scale": ((2,), "positive"),
    "offset": ((2,), "positive"),
    "windows": ((BATCH, 8, 6), "float"),
    "labels": ((BATCH, 2), "labels"),
    "many": ((BATCH,), "many"),
    "steps_of": ((BATCH,), "steps"),
    "open": ((BATCH, None, None, 2), "float"),
}


GIVEN = {
    "start": [1, 2],
    "unit share": [0.37, 0.81],
    "turns": [[0.9, 0.2, 0.3, -0.1, 1.1, 0.4, 0.01, 0.02], [1.2, -0.3, 0.6, 0.2, 0.7, 0.1, 0.0, 0.01]],
    "labels": [[1, 2], [3, 3]],
    "many": [2, 1],
    "steps": [9, 11],
}
"""Values that have to fit."""


def leaf_value(rng: Any, shape: tuple[Any, ...], kind: str) -> Any:
    shape = tuple([2 if size is BATCH else 6 if size is None else size for size in shape])
    if kind.endswith("ids"):
        return rng.integers(0, 4, shape)
    if kind in GIVEN:
        return np.array(GIVEN[kind])
    if kind == "corners":
        return np.array([[0.0, 0.0], [0.0, 5.0], [5.0, 0.0], [5.0, 5.0]]) + rng.uniform(-1, 1, shape)
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind == "unit":
        return rng.uniform(-0.9, 0.9, shape)
    return rng.uniform(0.5, 2, shape) if kind == "positive" else rng.normal(size=shape)


def definition_of_text(text: str) -> Definition:
    dtypes = dict.fromkeys(("ids", "start", "labels", "many", "steps"), "int32") | {"bool": "bool"}
    leaves = {name: tensor(name, shape, dtypes.get(kind, "float")) for name, (shape, kind) in LEAVES.items()}
    results = {name: e for name, e in parse(text, leaves).items() if type(e.shape) is tuple}
    definition = Definition("case", tuple(leaves.values()), (), results)
    used = set(definition.order)
    return Definition("case", tuple([leaf for leaf in leaves.values() if leaf in used]), (), results)


class Precise(Evaluation):
    """An evaluation in float64, that of complex numbers too."""

    def dtype(self, name: str) -> str | None:
        return "complex128" if name == "complex64" else super().dtype(name)


@np.errstate(all="ignore")
def differences(text: str) -> list[str]:
    """The leaves of a formula whose gradient is not the slope along a random direction."""
    rng = np.random.default_rng(11)
    definition = definition_of_text(text)
    values = [leaf_value(rng, *LEAVES[str(p.label)]) for p in definition.params]
    if "pairs" in text:  # each place once: a later update overwrites an earlier one
        values = [np.array([[0, 0], [1, 3], [4, 2], [5, 4], [2, 2]]) if p.label == "pairs" else v
                  for p, v in zip(definition.params, values, strict=True)]  # fmt: skip

    def run(given: list[Any]) -> list[Any]:
        return evaluate(definition, given, [], Precise(2, "float64"))

    found = gradient(definition).whole
    outputs = dict(zip(definition.results, run(values), strict=True))
    seeds = {f"d{name}": rng.normal(size=value.shape) for name, value in outputs.items() if value.dtype.kind == "f"}
    given = [*values, *[seeds[str(p.label)] for p in found.params[len(values) :]]]
    made = dict(zip(found.results, evaluate(found, given, [], Precise(2, "float64")), strict=True))
    assert made
    wrong = []
    for at, param in enumerate(definition.params):
        if f"d{param.label}" not in made:
            continue
        gradient_of = made[f"d{param.label}"]
        if gradient_of.shape != values[at].shape:
            wrong.append(f"{param.label}: shape {gradient_of.shape}")
            continue
        direction, slopes = rng.normal(size=values[at].shape), []
        for sign in (1, -1):
            moved = [v + sign * 1e-6 * direction if i == at else v for i, v in enumerate(values)]
            results = dict(zip(definition.results, run(moved), strict=True))
            slopes.append(sum(np.sum(results[name[1:]] * dy) for name, dy in seeds.items()))
        slope = float(slopes[0] - slopes[1]) / 2e-6
        derived = float(np.sum(gradient_of * direction))
        if not abs(derived - slope) <= 1e-5 * max(abs(slope), 1):
            wrong.append(f"{param.label}: {derived} is not {slope}")
    return wrong
