"""What the public functions refuse, and what their arguments change."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest

import layerexplain
from layerexplain import api
from layerexplain.errors import ArgumentError, LayerExplainError

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
    (lambda: api.page(SPEC, vs=SPEC, values=VALUES, max_values=9), "layers, max_values and overlay are for the page of one model; vs makes one of two"),
    (lambda: api.page(SPEC, vs=b"inputs: {a: [7], b: [7]}\nlayers:\n  - Add:\n    from: [a, b]\n", values=VALUES), "both models need as many inputs as have values: 1, got 2"),
    (lambda: api.page(SPEC, vs=SPEC, overlay={"dense": 3}), "layers, max_values and overlay are for the page of one model; vs makes one of two"),
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


def _parameters(name: str) -> Mapping[str, Parameter]:
    call = getattr(layerexplain, name)
    return signature(call).parameters if callable(call) and not isinstance(call, type) else {}


# What they take -----------------------------------------------------------------------------------------------------

SOURCES = [name for name in layerexplain.__all__ if next(iter(_parameters(name)), "") == "source"]


@pytest.mark.parametrize("name", sorted({*SOURCES} - {"verify"}))
def test_every_function_takes_one_of_several_models_in_a_file(name: str, tmp_path: Path) -> None:
    """Also those that read weights, of which a program stores none."""
    file = tmp_path / "train.py"
    file.write_text(
        "import keras\nfirst = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\nfirst.compile('sgd', 'mse')\n"
        "second = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])\n"
    )
    source, inputs = f"{file}:first", {"input_layer": np.ones((2, 4), "f4")}
    given = {
        "target": tmp_path / "model.yaml",
        "model": api.read(source),
        "inputs": inputs,
        "path": "dense",
        "index": (1, 2),
        "targets": {"dense": np.ones((2, 3), "f4")},
        "loss": "mse",
        "of": "y",
    }
    required = [key for key, value in _parameters(name).items() if value.default is value.empty and key != "source"]
    getattr(layerexplain, name)(source, **{key: given[key] for key in required})


@pytest.mark.parametrize("call", ["Conv2D(16, 3)", "layers.Conv2D(filters=16, kernel_size=3)", "conv2d(16, 3)"])
def test_a_layer_is_its_name_or_a_call_of_it(call: str) -> None:
    assert api.explain_layer(call).layers == api.explain_layer("Conv2D", 16, 3).layers
    assert str(api.layer_page(call)) == str(api.layer_page("Conv2D", 16, 3))
    with pytest.raises(ArgumentError, match="twice"):
        api.explain_layer("Dense(3)", 4)
