"""A number → a model whose wires, layers and ends are drawn: forms of all generations, that name what is not there, what
stands twice, or what is no layer."""

import random
from collections.abc import Callable
from typing import Any

Draw = random.Random

CLASSES = ["Dense", "LSTM", "Concatenate", "Add", "Reshape", "Conv1D", "Merge", "InputLayer", "Bidirectional", "Lambda",
           "Own"]  # fmt: skip
CALLED = ["a", "b", "c", "m", "z"]


class Wires:
    """Draws models; `value` gives a value of any kind."""

    def __init__(self, draw: Draw, value: Callable[[Draw], Any]) -> None:
        self._draw = draw
        self._value = value

    def document(self) -> Any:
        """A model, models in a model, a sequence, or no model at all."""
        way = self._draw.randrange(10)
        if way <= 3:
            return self._model(5, lambda: self._item() if self._draw.random() < 0.5 else self._entry())
        if way <= 6:
            return self._model(4, lambda: self._among([self._inner, self._item, self._entry]))
        if way <= 8:
            layers = [self._among([self._item, self._inner]) for _ in range(self._draw.randrange(5))]
            return {"class_name": "Sequential", "config": layers}
        return self._value(self._draw)

    def _among(self, ways: list[Callable[[], Any]]) -> Any:
        return self._draw.choice(ways)()

    def _some(self, most: int, one: Callable[[], Any], least: int = 0) -> list[Any]:
        return [one() for _ in range(self._draw.randint(least, most))]

    def _any(self) -> Any:
        return self._value(self._draw)

    def _inner(self) -> dict[str, Any]:
        return self._model(5, lambda: self._among([self._item, self._entry]))

    def _model(self, most: int, layer: Callable[[], Any]) -> dict[str, Any]:
        layers = self._some(most, layer)
        if self._draw.random() < 0.8:  # else two have the same name mostly, and that is all there is to say
            for name, item in zip(CALLED, layers, strict=False):
                item["name"] = name
                if isinstance(item["config"], dict):
                    item["config"]["name"] = name
        config = {"name": "m", "layers": layers, "input_layers": self._ends(), "output_layers": self._ends()}
        return {"class_name": "Functional", "config": config, "name": "m"}

    def _ends(self) -> Any:
        return self._some(2, self._triple, least=1) if self._draw.random() < 0.8 else self._triple()

    def _triple(self) -> list[Any]:
        """A tensor as files name it: a layer, its call, the output of that."""
        call, output = self._draw.choice([0, 0, 0, 1, 2, 3, -1]), self._draw.choice([0, 0, 0, 1, 2, -1])
        return [self._draw.choice([*CALLED[:3] * 3, *CALLED, "zz"]), call, output]

    @staticmethod
    def _entry() -> dict[str, Any]:
        return {"class_name": "InputLayer", "name": "a", "config": {"name": "a", "batch_shape": [None, 4]}}

    def _item(self) -> dict[str, Any]:
        """A layer of any class, with its calls in the form of any generation."""
        item = {
            "class_name": self._draw.choice(CLASSES),
            "config": self._config() if self._draw.random() < 0.8 else self._any(),
            "name": self._draw.choice(CALLED),
        }
        nodes = self._some(3, self._node) if self._draw.random() < 0.8 else self._any()
        return item | self._optional({"inbound_nodes": nodes, "build_config": self._any(), "module": self._any()})

    def _optional(self, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if self._draw.random() < 0.5}

    def _config(self) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "units": self._draw.randint(-1, 5),
            "trainable": self._draw.random() < 0.5,
            "batch_shape": [None, 4],
            "target_shape": self._some(3, lambda: self._draw.randint(-2, 9)),
            "layer": {"class_name": "Dense", "config": {"name": "i", "units": 2}},
            "dtype": self._any(),
            "mode": self._draw.choice(["concat", "sum", "dot"]),
        }
        given = {key: value if self._draw.random() < 0.7 else self._any() for key, value in usual.items()}
        return {"name": self._draw.choice(CALLED)} | self._optional(given)

    def _node(self) -> Any:
        """A call of a layer: tensors with and without keywords, as Keras 2 writes them; as Keras 3 does; or neither."""
        way = self._draw.randrange(4)
        if way == 0:
            return self._some(3, self._triple)
        if way == 1:
            return self._some(2, lambda: [*self._triple(), {"axis": -1, "y": ["a", 0, 0]}])
        if way == 2:
            keywords = {self._draw.choice(["y", "mask", "training", "axis"]): self._any() for _ in range(2)}
            return {"args": self._some(3, lambda: self._among([self._tensor, self._any])), "kwargs": keywords}
        return self._any()

    def _tensor(self) -> dict[str, Any]:
        config = {"shape": [None, 4], "dtype": "float32", "keras_history": self._triple()}
        return {"class_name": "__keras_tensor__", "config": config}
