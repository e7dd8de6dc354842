"""What the public functions refuse, and what their arguments change."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import DataArray, FitData, Model, PlacedResult, SourceCode, TensorRef, replaced, tensor_refs

SPEC = b"name: net\ninput: [7]\nlayers:\n  - Dense: {units: 5, activation: relu}\n  - Dense: 3\n"
REPORT = api.explain(SPEC)
VALUES = {"input": np.ones((1, 7), "f4")}

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: api.draw(REPORT, inputs={"input": (7,)}), "inputs cannot be used with a report; give the model itself"),
    (lambda: api.draw(REPORT, code="own.yaml"), "code cannot be used with a report; give the model itself"),
    (lambda: api.page(REPORT, gradient=True), "gradient cannot be used with a report; give the model itself"),
    (lambda: api.page(REPORT, values=VALUES), "values cannot be used with a report; give the model itself"),
    (lambda: api.page(SPEC, layers="dense"), "layers and max_values choose among the values of a run; give values too"),
    (lambda: api.page(SPEC, max_values=9), "layers and max_values choose among the values of a run; give values too"),
    (lambda: api.page(SPEC, vs=SPEC, values=VALUES), "values and overlay are for the page of one model; vs makes one of two"),
    (lambda: api.page(SPEC, vs=SPEC, overlay={"dense": 3}), "values and overlay are for the page of one model; vs makes one of two"),
    (lambda: api.verify(SPEC, training={"loss": "mse"}), "training needs gradient=True"),
    (lambda: api.verify(SPEC, tolerance=0), "tolerance needs to be between 0 and 1, got tolerance=0"),
    (lambda: api.verify(SPEC, tolerance=1), "tolerance needs to be between 0 and 1, got tolerance=1"),
    (lambda: api.catalogue([], "t.jsonl", jobs=0), "jobs needs to be at least 1, got jobs=0"),
    (lambda: api.explain(SPEC, layers=7), "<bytes>: layers needs a pattern, a list of patterns or a function of a path, got 7"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[row[1] for row in REFUSED])
def test_arguments_that_do_not_go_together_raise(call: Callable[[], object], words: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        call()
    assert str(caught.value).removeprefix("<bytes>: ") == words.removeprefix("<bytes>: ")
    assert isinstance(caught.value, ArgumentError)


def data(page: str) -> dict[str, Any]:
    found = re.search('id="data">([^<]+)<', page)
    assert found is not None
    read: dict[str, Any] = json.loads(zlib.decompress(b64decode(found[1])))
    return read


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({}, set()),  # the source stores no weights
        ({"values": VALUES}, {"program"}),
        ({"weights": "none"}, set()),
        ({"weights": "none", "values": VALUES}, {"run", "arrays"}),
        ({"values": VALUES, "max_values": 10**6}, {"run", "arrays"}),
        ({"values": VALUES, "layers": "dense_1"}, {"run", "arrays"}),
    ],
)
def test_a_page_runs_the_model_unless_it_is_to_have_values(asked: dict[str, Any], parts: set[str]) -> None:
    shown = data(api.page(SPEC, name="my net", **asked))
    assert shown.keys() & {"program", "run", "arrays"} == parts
    assert shown["model"]["source"] == "my net"


def test_a_page_takes_a_report_that_is_there() -> None:
    named = REPORT._replace(model_name="another name")
    assert "another name" in json.dumps(data(api.page(SPEC, report=named)))
    assert data(api.page(named, name="my net"))["model"]["source"] == "my net"


def test_the_page_of_a_layer_has_its_title_and_takes_arguments_in_both_ways() -> None:
    page = api.layer_page("Dropout", rate=0.5, input_shape=(7,))
    assert page == api.layer_page("Dropout", {"rate": 0.5}, input_shape=(7,))
    assert "<title>Dropout" in page


def test_a_picture_opens_no_box_unless_it_is_told_to() -> None:
    spec = b"input: [7]\nlayers:\n  - Sequential: [{Dense: 5, name: inner}]\n    name: box\n  - Dense: 3\n"
    assert "inner" not in str(api.draw(spec, "dot")) and "inner" in str(api.draw(spec, "dot", depth=1))


# The model ----------------------------------------------------------------------------------------------------------

A, B, C, D, E, F = map(TensorRef, "abcdef")


def test_tensors_in_a_structure_come_in_their_order() -> None:
    given = ([A, (B, 3)], {"x": C, "y": [D]}, slice(E, None, F), "text", None)
    assert list(tensor_refs(given)) == [A, B, C, D, E, F]
    assert list(tensor_refs(A)) == [A] and list(tensor_refs(())) == []
    assert list(tensor_refs(slice(A, B, C))) == [A, B, C]


def test_values_of_a_kind_are_replaced_wherever_they_are() -> None:
    given = ([A, 3], {"x": (B, slice(C, 2))})
    assert replaced(given, TensorRef, lambda ref: ref.layer) == (["a", 3], {"x": ("b", slice("c", 2))})


def test_models_are_compared_without_where_they_come_from() -> None:
    def results() -> list[PlacedResult]:
        return [PlacedResult(1, 1, "", ())]

    source = SourceCode(
        results, lambda shapes: Model("other", "Functional", (), (), (), (), source_code=SourceCode(results))
    )
    first = Model("m", "Functional", (), (), (), (), source="m.py", source_code=source, weights_file="w.h5")
    assert first == first._replace(source_code=SourceCode(list)) != first._replace(source_code=None)
    fitted = first._replace(fit_data=FitData((DataArray("X", (3,)),), 7))
    assert fitted == first._replace(fit_data=FitData((), None)) != first
    assert fitted.fit_data is not None and fitted.fit_data.arrays[0].name == "X" and fitted.fit_data.batch_size == 7
    assert len({source, SourceCode(list)}) == 1 == len({FitData((), 1), FitData((), 2)})
    again = first.at({"x": (3,)})
    assert (again.name, again.source, again.weights_file) == ("other", "m.py", "w.h5")
    assert again.source_code is not None and again.source_code.results is results
    assert again.at({"x": (3,)}) is again and first.at({}) is first
