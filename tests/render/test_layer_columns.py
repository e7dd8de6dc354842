"""The columns of a table of layers: names, headings, widths, and what a row has in them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.render.documents import layer_columns as lc

# Name: heading, style, and preferred width in characters.
HEADINGS = {
    "source": ("Source", "", 40), "model": ("Model", "", 40), "layer": ("Layer", "bold", 40), "type": ("Type", "dim", 40), "path": ("Path", "", 40),
    "depth": ("Depth", "", 40), "operation": ("Operation", "cyan", 60), "formula": ("Formula", "cyan", 80), "from": ("From", "", 40),
    "input_shapes": ("Input", "", 40), "output_shapes": ("Output", "", 40), "shapes": ("Input → output", "", 60), "weights": ("Weights", "", 60), "mask": ("Mask", "", 40),
    "params": ("Params", "", None), "trainable": ("Trainable", "", None), "non_trainable": ("Non-trainable", "", None), "macs": ("MACs", "", None), "flops": ("FLOPs", "", None),
    "backward_macs": ("Backward MACs", "", None), "backward_flops": ("Backward FLOPs", "", None), "receptive_field": ("Receptive field", "", 40),
    "receptive_stride": ("Field stride", "", 40), "receptive_start": ("Field start", "", 40), "place": ("Place", "", 40), "notes": ("Notes", "", 60),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADINGS)
def test_a_column_has_its_heading_style_and_liked_width(name: str) -> None:
    heading, style, liked = HEADINGS[name]
    column = lc.COLUMNS[name]
    assert (column.name, column.heading, column.style) == (name, heading, style)
    assert liked is None or column.liked == liked


def test_which_columns_there_are() -> None:
    assert list(lc.COLUMNS) == list(HEADINGS)
    assert {"receptive_field", "receptive_stride", "receptive_start"} == lc.RECEPTIVE_COLUMNS
    assert {"backward_macs", "backward_flops"} == lc.TRAINING_COLUMNS
    usual = ["layer", "type", "depth", "operation", "from", "input_shapes", "output_shapes", "params", "trainable", "non_trainable", "macs", "flops"]  # fmt: skip
    names = lambda *asked: [column.name for column in lc.data_columns(*asked)]  # noqa: E731
    assert names(None, False, False) == usual and names(None, False, True) == ["source", *usual]
    assert names(None, True, False) == ["layer", "type", "path", *usual[2:]]
    assert names(("params", "layer"), True, False) == ["params", "layer"]
    assert [(column.name, column.heading) for column in lc.table_columns(None)] == [
        ("layer", "Layer"), ("type", "Type"), ("operation", "Operation"), ("from", "From"), ("shapes", "(Input →) output"),
        ("input_shapes", "Input"), ("output_shapes", "Output"), ("params", "Params"),
    ]  # fmt: skip


def call(*sources: str | tuple[str, int]) -> Any:
    pairs = [one if isinstance(one, tuple) else (one, 0) for one in sources]
    return SimpleNamespace(source_names=[name for name, _ in pairs], numbers=[number for _, number in pairs])


def row(calls: list[Any], before: list[Any] | None = None, **fields: Any) -> Any:
    layer = SimpleNamespace(layer="own", calls=calls, **fields)
    above = None if before is None else SimpleNamespace(layer="above", calls=before, **fields)
    return lc.ReportedLayer(None, layer, above)  # type: ignore[arg-type]


ONE = [call("x")]
FROM = [
    (row(ONE), "x"), (row([call("above")], ONE), ""), (row([call("above")], ONE * 2), "above"), (row([call("above"), call("above")], ONE), "above, then above"),
    (row([call("above", "x")], ONE), "above, x"), (row([call("above", "above")], ONE), ""), (row([call("x", "x")]), "x"), (row([call("x", ("x", 2))]), "x, x (call 3)"),
    (row([call(("above", 1))]), "above (call 2)"), (row([]), ""), (row([call()]), ""),
    (row([call(one) for one in "abcd"]), "a, then b, then c, then d"), (row([call(one) for one in "abcde"]), "a, then b, then c, then d, then e"),
    (row([call(one) for one in "abcdef"]), "a, then b, then c, then d, then 2 more calls"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "text"), FROM)
def test_the_sources_of_a_row_are_those_that_are_not_above(of: Any, text: str) -> None:
    assert lc._from(of) == text


WIRED = [
    (row([call("above")], ONE, operation="relu(x)"), "relu(x)"), (row(ONE, operation="relu(x)"), "relu(x)"), (row([call("a")], operation="relu(x)"), "relu(a)"),
    (row([call("a", "b")], operation="x1 + x2"), "a + b"), (row([call("a", "b")], operation="x2 - x1"), "x2 - x1 ← a, b"), (row([call("a", "b")], operation="x1 + x1"), "x1 + x1 ← a, b"),
    (row([call("a/b")], operation="relu(x)"), "relu(x) ← a/b"), (row([call("a"), call("b")], operation="relu(x)"), "relu(x) ← a, then b"),
    (row([call("a")], operation="LSTM, 3 units"), "LSTM, 3 units ← a"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "text"), WIRED)
def test_an_operation_names_its_sources(of: Any, text: str) -> None:
    assert lc._wired(of) == text


def shaped(inputs: list[Any], outputs: list[Any], above: list[Any] | None = None) -> Any:
    layer = SimpleNamespace(input_shapes=inputs, output_shapes=outputs, results=("y",))
    return lc.ReportedLayer(None, layer, None if above is None else SimpleNamespace(output_shapes=above))  # type: ignore[arg-type]


NEWS = [
    (shaped([(None, 3)], [(None, 5)]), "(None, 3) → (None, 5)"), (shaped([(None, 3)], [(None, 5)], [(None, 3)]), "(None, 5)"), (shaped([(None, 3)], [(None, 5)], [(None, 4)]), "(None, 3) → (None, 5)"),
    (shaped([None], [None]), "?"), (shaped([(None, 3), None], [(None, 5)], [(None, 3)]), "(None, 5)"), (shaped([], [(None, 5)]), "(None, 5)"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "text"), NEWS)
def test_the_input_is_said_where_it_is_not_the_output_above(of: Any, text: str) -> None:
    assert lc._news(of) == text
