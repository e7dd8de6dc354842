"""Live Functional models of other classes: their graph is read, whatever their get_config() says of it."""

from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.frameworks import keras

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
    x = keras.Input((7,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="head")(backbone(keras, 3, "body")(x)["sum"]))
    report = layerexplain.explain(model)
    body = report.layers[1]
    assert [row.layer for row in body.layers] == ["features", "first", "second", "sum"]
    assert report.totals.params == model.count_params() == 44 and not report.notes
    assert layerexplain.verify(model).agrees


def without_configuration(keras: Any) -> tuple[Any, Any]:
    """A layer and a model that cannot say how they were made: what they were given is no plain data."""

    class Shift(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, by: object) -> None:
            super().__init__(name="shift")
            self.by = by
            self.inner = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.inner(x)

    class Part(keras.Model):  # type: ignore[misc]
        def __init__(self, by: object) -> None:
            super().__init__(name="part")
            self.by = by
            self.wide, self.narrow = keras.layers.Dense(13, name="wide"), keras.layers.Dense(2, name="narrow")

        def call(self, x: Any) -> Any:
            return self.narrow(self.wide(x))

    return Shift(object()), Part(object())


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_class_without_get_config_hides_no_graph(package: str) -> None:
    keras = pytest.importorskip(package)
    shift, _ = without_configuration(keras)
    x = keras.Input((7,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="head")(shift(keras.layers.Dense(11, name="first")(x))))
    with pytest.raises(NotImplementedError):
        model.to_json()
    for whole in (model, keras.Sequential([keras.Input((7,)), *model.layers[1:]])):
        rows = layerexplain.explain(whole).layers[-3:]
        assert [(row.layer, row.type) for row in rows] == [("first", "Dense"), ("shift", "Shift"), ("head", "Dense")]
        inner = 11 * 3 + 3 if package == "keras" else None  # of tf_keras no call is followed
        assert [row.params for row in rows] == [7 * 11 + 11, inner, 3 * 2 + 2]
        assert rows[1].output_shapes == ((None, 3),)
    assert "get_config" not in vars(shift)


def test_nor_does_a_model_of_its_own_inside() -> None:
    _, part = without_configuration(keras)
    x = keras.Input((7,), name="x")
    report = layerexplain.explain(keras.Model(x, keras.layers.Dense(5, name="head")(part(x))))
    assert [row.layer for row in report.layers] == ["x", "part", "head"] and not report.notes
    assert [row.params for row in report.layers[1].layers if row.params] == [7 * 13 + 13, 13 * 2 + 2]


def test_why_an_object_has_no_graph_is_true_of_it() -> None:
    _, part = without_configuration(keras)
    [note] = layerexplain.explain(part).notes
    assert note.code == "no-graph" and "file" not in note.message
    assert "Part is a user-defined class: it has not been called" in note.message
    part(keras.ops.ones((2, 7)))
    assert layerexplain.explain(part).layers[-1].params == 28 and not layerexplain.explain(part).notes

    class Chooses(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.inner(x) if float(keras.ops.sum(x)) > 0 else x

        def get_config(self) -> dict[str, Any]:
            return {"width": 3}

    chooses = Chooses()
    chooses(keras.ops.ones((2, 7)))
    first, second = layerexplain.explain(chooses).notes
    assert "its call does not run on symbolic inputs" in first.message
    assert second.message == "its get_config() says which arguments Chooses was made with: width=3"


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_model_whose_call_cannot_be_followed_lists_the_layers_that_it_has(package: str) -> None:
    keras = pytest.importorskip(package)

    class Pair(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, by: object, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.by, self.inside = by, keras.layers.Dense(13, name="inside")

        def call(self, x: Any) -> Any:
            return self.inside(x)

    class Chooses(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(5, activation="relu", name="first")
            self.steps = [Pair(object(), name="pair"), keras.Sequential([keras.layers.Dense(11)], name="rest")]

        def call(self, x: Any) -> Any:
            if float(x.numpy().sum() if hasattr(x, "numpy") else x.value) < 0:
                return x
            x = self.first(x)
            for step in self.steps:
                x = step(x)
            return x

    model = Chooses()
    before = layerexplain.explain(model)
    assert [(row.layer, row.type, row.params) for row in before.layers] == [
        ("first", "Dense", None), ("pair", "Pair", None), ("rest", "Sequential", None),
    ]  # fmt: skip
    assert "has not been called" in before.notes[0].message
    model(np.ones((2, 7), "float32"))
    report = layerexplain.explain(model)
    assert [row.layer for row in report.layers] == ["first", "pair", "rest"]
    assert [row.layer for row in report.layers[1].layers] == ["inside"]
    assert (report.layers[0].params, report.layers[1].layers[0].params) == (7 * 5 + 5, 5 * 13 + 13)


def test_shapes_of_a_layer_without_a_formula_are_those_that_keras_recorded() -> None:
    class Own(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    x = keras.Input((7,))
    report = layerexplain.explain(keras.Model(x, keras.layers.Dense(3)(Own(name="own")(x))))
    assert report.layers[1].output_shapes == ((None, 7),)
    assert report.notes[0].message.endswith(
        " is a layer without a formula in layerexplain; its shapes are those that Keras recorded"
    )
