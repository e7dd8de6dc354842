"""Cells and RNN beyond the table of cases: lists of cells, refusals, what a spec may say."""

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.derive.same import same_definition
from layerexplain.errors import LayerExplainError
from layerexplain.lang.text import program
from tests.cases import Wrapped
from tests.support.tracing import SEQUENCE, trace_sequences

CELLS = [Wrapped("LSTMCell", {"units": 5}), Wrapped("GRUCell", {"units": 4})]


def test_a_list_of_cells_is_a_stack() -> None:
    listed = trace_sequences("RNN", {"cell": CELLS})
    stacked = trace_sequences("RNN", {"cell": Wrapped("StackedRNNCells", {"cells": CELLS})})
    assert same_definition(listed, stacked)
    assert [w.shape for w in listed.weights] == [(3, 20), (5, 20), (20,), (5, 12), (4, 12), (2, 12)]
    assert listed.weights[3].attrs["at"] == ("cell", "cells", 1)


def test_the_cell_is_a_function_of_its_own() -> None:
    text = program(trace_sequences("RNN", {"cell": CELLS[0]}))
    assert text.startswith("def lstm_cell(x, h, c, W, U, b):\n")
    assert "for t in steps(x):\n    _, h, c = lstm_cell(x[t], h, c, W, U, b)\n" in text


@pytest.mark.parametrize(
    ("type_", "config", "shapes", "words"),
    [
        ("RNN", {"cell": Wrapped("Dense", {"units": 3})}, [SEQUENCE], "cells of Keras .*, got Dense"),
        ("RNN", {"cell": 5}, [SEQUENCE], "RNN needs cell to be a cell, or a list of cells, got cell=5"),
        ("RNN", {"cell": CELLS[0]}, [(5,)], r"RNN needs an input of \(batch, steps, features\)"),
        ("RNN", {"cell": CELLS}, [SEQUENCE, (5,)], r"RNN needs 3 initial states \(h_1, c_1, h_2\), got 1"),
        ("LSTMCell", {"units": 5}, [(3,), (5,)], r"LSTMCell needs its states h \(batch, 5\), c \(batch, 5\)"),
        ("LSTMCell", {"units": 5}, [(7, 3), (5,), (5,)], "RNN runs a cell over all steps"),
        ("GRUCell", {"units": 5}, [(3,), (4,)], r"needs its states h \(batch, 5\) after the step, got \(None, 4\)"),
        ("StackedRNNCells", {"cells": []}, [(3,)], "StackedRNNCells needs cells to be a list of layers"),
    ],
)
def test_refusals(type_: str, config: dict[str, Any], shapes: list[Any], words: str) -> None:
    with pytest.raises(LayerExplainError, match=words):
        trace_sequences(type_, config, *shapes)


def test_cells_in_a_spec(tmp_path: Path) -> None:
    spec = tmp_path / "cells.yaml"
    spec.write_text(
        "input: [7, 3]\n"
        "layers:\n"
        "  - RNN: {cell: {GRUCell: 4}, return_sequences: true}\n"
        "  - RNN: {cell: [{LSTMCell: 5}, {SimpleRNNCell: {units: 2}}]}\n",
        "utf-8",
    )
    first, second = layerexplain.explain(layerexplain.read(spec)).layers[-2:]
    assert (first.params, second.params) == (3 * 12 + 4 * 12 + 24, 4 * 20 + 5 * 20 + 20 + 5 * 2 + 2 * 2 + 2)
    assert second.output_shapes == ((None, 2),)
