"""Live Functional models of other classes: their graph is read, whatever their get_config() says of it."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain

pytestmark = pytest.mark.keras


def backbone(keras: Any, width: int, name: str) -> Any:
    """A model as keras-hub writes its backbones: Functional, with a configuration of its own arguments."""

    class Backbone(keras.Model):  # type: ignore[misc]
        def __init__(self, width: int, **keywords: Any) -> None:
            x = keras.Input((7,), name="features")
            first = keras.layers.Dense(width, name="first")(x)
            second = keras.layers.Dense(width, name="second")(first)
            super().__init__(inputs=x, outputs={"sum": keras.layers.Add(name="sum")([first, second])}, **keywords)
            self.width = width

        def get_config(self) -> dict[str, Any]:
            return {"name": self.name, "trainable": self.trainable, "width": self.width}

    return Backbone(width, name=name)


def test_the_graph_of_a_functional_model_of_another_class_is_read() -> None:
    import keras

    model = backbone(keras, 5, "body")
    model.trainable = False
    report = layerexplain.explain(model)
    assert [(row.layer, row.type, row.sources) for row in report.layers] == [
        ("features", "InputLayer", ()),
        ("first", "Dense", ("features",)),
        ("second", "Dense", ("first",)),
        ("sum", "Add", ("first", "second")),
    ]
    assert (report.totals.params, report.totals.trainable) == (model.count_params(), 0) == (70, 0)
    assert layerexplain.verify(model).agrees and [layer.name for layer in model.layers] == [
        "features", "first", "second", "sum"
    ]  # fmt: skip


def test_so_is_that_of_one_inside_another_model() -> None:
    import keras

    x = keras.Input((7,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="head")(backbone(keras, 3, "body")(x)["sum"]))
    report = layerexplain.explain(model)
    body = report.layers[1]
    assert [row.layer for row in body.layers] == ["features", "first", "second", "sum"]
    assert report.totals.params == model.count_params() == 44 and not report.notes
    assert layerexplain.verify(model).agrees
