"""What all rules say of the specs that a rule is tested with, whole: the place, how severe and how sure, and the words.

`pytest --update-snapshots` writes what is said now to tests/snapshots/findings; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import layerexplain
from tests.support.check_rows import ROWS, flat, head, of_torch

np = pytest.importorskip("numpy")


def said_of(text: str, **data: Any) -> Iterator[str]:
    report = layerexplain.check(text.encode(), data=data)
    for one in report:
        loss = f" [{one.loss}]" if one.loss else ""
        yield f"  {one.code} ({one.severity}, {one.confidence}) {one.layer}:{one.line}: {one.message}{loss}"
    for note in report.notes:
        yield f"  note {note.code} {note.layer}: {note.message}"


@pytest.mark.parametrize("code", ROWS)
def test_findings_are_printed_as_before(code: str, snapshot: Callable[[str, str], None]) -> None:
    lines: list[str] = []
    for number, text in enumerate([*ROWS[code].found, *ROWS[code].sound], 1):
        lines += [f"{'found in' if number <= len(ROWS[code].found) else 'near'} {number}", *said_of(text)]
    snapshot(f"findings/{code}.txt", "\n".join([*lines, ""]))


STEPS = flat("LSTM: {units: 3, return_sequences: true}", "Dense: %d", shape="[7, 9]", end="loss: mse\n")
IDS = "input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 2}\n  - Flatten\n  - Dense: 1\nloss: mse\n"
STATEFUL = "inputs: {x: {shape: [5, 9], batch_size: 4}}\nlayers:\n  - LSTM: {units: 3, stateful: true}\n  - Dense: 1\nloss: mse\n"
SCALED = flat("Rescaling: 0.01", "Dense: 1", end="loss: mse\n")
DATA: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "shapes": [
        (head("linear", 3, "mse"), {"X": (7, 8), "y": (7, 3)}), (head("linear", 3, "mse"), {"X": (7, 9)}), (head("linear", 3, "mse"), {"X": (8,)}), (head("linear", 3, "mse"), {"X": ()}),
        (head("linear", 3, "mse"), {"y": ()}), (head("linear", 3, "mse"), {"X": (7, 8), "y": (9, 3)}), (head("softmax", 3, "categorical_crossentropy"), {"y": (7,)}),
        (head("softmax", 3, "sparse_categorical_crossentropy"), {"y": (7, 3)}), (head("sigmoid", 1, "binary_crossentropy"), {"y": (7, 2)}), (STEPS % 2, {"X": (7, 9), "y": (7, 7, 2)}),
    ],
    "targets that spread": [
        (head("linear", 3, "mse"), {"y": (7, 1)}), (head("linear", 1, "mse"), {"y": (7, 5)}), (head("linear", 1, "mse"), {"y": (7,)}), (STEPS % 1, {"y": (7, 1)}), (STEPS % 2, {"y": (7, 1)}),
        (flat("Conv2D: {filters: 2, kernel_size: 3}", shape="[8, 8, 1]", end="loss: mse\n"), {"y": (7, 1)}), (of_torch("MSELoss", units=1), {"y": (7,)}), (of_torch("MSELoss", units=3), {"y": (7,)}), (of_torch("MSELoss"), {"y": (7, 3)}),
    ],
    "examples left over": [(STATEFUL, {"x": (count, 5, 9)}) for count in (3, 4, 5, 8, 10)],
    "labels": [
        (head("softmax", 3, "sparse_categorical_crossentropy"), {"y": np.array(labels)}) for labels in ([0, 1, 2], [0, 3], [1, 3], [1, 4], [-1, 1], [2, 2])
    ] + [(head("sigmoid", 1, "binary_crossentropy"), {"y": np.array(labels)}) for labels in ([0, 1], [0, 2], [-1, 1], [1, 2], [0.2, 0.9])]
    + [(of_torch("CrossEntropyLoss"), {"y": np.array([0, 4])}), (of_torch("BCEWithLogitsLoss", units=1), {"y": np.array([[0.0], [2.0]])})],
    "several labels": [
        (head("softmax", 3, "categorical_crossentropy"), {"y": np.array(rows)}) for rows in ([[1, 0, 1], [0, 1, 1]], [[1, 0, 0], [0, 1, 1]], [[1, 1, 1], [1, 1, 1]], [[1, 0, 0], [0, 0, 0]], [[1.0, 0, 0], [0, 1, 0]])
    ],
    "ids": [(IDS, {"X": np.array([ids])}) for ids in ([0, 1, 2, 3, 8], [0, 1, 2, 3, 9], [0, 1, 2, 3, -1], [-1, 0, 0, 0, 12])],
    "values": [
        (spec, {"X": np.array([[low, *[0] * 6, high]], dtype)}) for spec in (head("linear", 1, "mse"), SCALED)
        for low, high, dtype in ((0, 20, "int64"), (0, 21, "int64"), (0, 255, "uint8"), (0, 256, "int64"), (-21, 0, "int64"), (0.5, 21.5, "float64"), (-20, 20, "float64"))
    ] + [(head("linear", 1, "mse"), {"y": np.array(values)}) for values in ([0.0, 100.0], [0.0, 100.5], [-100.5, 3.0])],
    "not finite": [(head("linear", 1, "mse"), {"y": np.array(values)}) for values in ([0.5, np.nan], [np.nan, np.inf, -np.inf], [0.5, 1.0])] + [(head("linear", 1, "mse"), {"X": np.full((2, 8), np.nan)})],
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_findings_on_data_are_printed_as_before(name: str, snapshot: Callable[[str, str], None]) -> None:
    lines = [
        line for number, (text, data) in enumerate(DATA[name], 1) for line in (f"{number}", *said_of(text, **data))
    ]
    snapshot(f"findings/data {name}.txt", "\n".join([*lines, ""]))
