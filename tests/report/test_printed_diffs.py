"""What `diff` says of small edits, whole and in both directions: changes, sums, and what load_weights would take.

`pytest --update-snapshots` writes what is said now to tests/snapshots/diffs; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import layerexplain
from tests.support.diff_edits import BASE, EDITS

STEPS = "input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 4, mask_zero: true}\n  - LSTM: {units: 3, return_sequences: true}\n  - GlobalAveragePooling1D\n  - Dropout: 0.5\n  - Dense: 2\nloss: sparse_categorical_crossentropy\n"
JOINED = "inputs: {a: [4], b: [4]}\nlayers:\n  - Dense: 3\n    name: left\n    from: a\n  - Dense: 3\n    name: right\n    from: b\n  - Add:\n    name: both\n    from: [left, right]\n  - Dense: 1\n    name: end\noutputs: [end]\n"
INSIDE = "input: [4]\nlayers:\n  - Sequential: [{Sequential: [{Dense: 3}, {BatchNormalization: {}}], name: one}, {Dense: 2}]\n    name: two\n  - Dense: 1\n"
PAIRS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an image": (BASE, [edit for edit, _, _ in EDITS.values()]),
    "steps": (
        STEPS,
        [
            ("mask_zero: true", "mask_zero: false"), ("output_dim: 4", "output_dim: 6"), ("LSTM", "GRU"), ("0.5", "0.25"), ("shape: [5]", "shape: [7]"), ("shape: [5]", "shape: [null]"),
            ("sparse_categorical_crossentropy", "mse"), ("loss: sparse_categorical_crossentropy\n", ""), ("LSTM: {units: 3, return_sequences: true}", "Bidirectional: {layer: {LSTM: {units: 3, return_sequences: true}}}"), ("GlobalAveragePooling1D", "GlobalMaxPooling1D"),
        ],
    ),
    "two inputs": (
        JOINED,
        [
            ("Add:", "Concatenate:"), ("[left, right]", "[right, left]"), ("from: b\n", "from: a\n"), ("b: [4]", "b: [6]"), ("outputs: [end]", "outputs: [end, both]"), ("  - Dense: 3\n    name: right\n    from: b\n", "  - Dropout: 0.5\n    name: right\n    from: left\n"),
        ],
    ),
    "models inside": (
        INSIDE, [("Dense: 3", "Dense: 5"), ("BatchNormalization: {}", "BatchNormalization: {center: false}"), ("name: one", "name: first"), ("name: two", "name: second"), ("{Dense: 2}", "{Dense: 2}, {Dense: 2}"), ("input: [4]", "input: [6]")],
    ),
}  # fmt: skip


RECURRENT = "inputs: {x: {shape: [5, 4], batch_size: 2}}\nlayers:\n  - LSTM: {units: 3%s}\n"
IDS = "input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 4%s}\n"
ALONE = [
    (RECURRENT, "dropout: 0.2", True), (RECURRENT, "recurrent_dropout: 0.2", True), (RECURRENT, "stateful: true", False), (RECURRENT, "return_state: true", False), (RECURRENT, "zero_output_for_mask: true", False), (RECURRENT, "go_backwards: true", False), (IDS, "mask_zero: true", False),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "argument", "trains_only"), ALONE)
def test_what_other_layers_compute_with_is_no_matter_of_training_alone(
    spec: str, argument: str, trains_only: bool
) -> None:
    found = layerexplain.diff((spec % "").encode(), (spec % f", {argument}").encode())
    name = argument.partition(":")[0]
    assert [d.is_training for one in found.changes for d in one.differences if d.what == name] == [trains_only]


@pytest.mark.parametrize("name", PAIRS)
def test_differences_are_printed_as_before(name: str, snapshot: Callable[[str, str], None]) -> None:
    base, edits = PAIRS[name]
    lines: list[str] = []
    for old, new in edits:
        assert old in base
        edited = base.replace(old, new, 1)
        for before, after in ((base, edited), (edited, base)):
            one, other = (old, new) if before is base else (new, old)
            lines += [f"== {one!r} → {other!r}", str(layerexplain.diff(before.encode(), after.encode())), ""]
    snapshot(f"diffs/{name}.txt", "\n".join(lines))
