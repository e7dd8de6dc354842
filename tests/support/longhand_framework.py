"""A small framework, written out in NumPy, that a model of two Dense layers is compared with. `wrong` says by layer and
by name what is different in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from layerexplain.frontends import read
from layerexplain.model import Note
from layerexplain.oracle.reference import Key
from layerexplain.oracle.verify import VerifyOptions, compared
from layerexplain.oracle.verify_report import VerifyReport

SPEC = b"name: m\ninput: [7]\nlayers:\n  - Dense: {units: 5, activation: relu}\n  - Dense: 3\n"
FIRST, SECOND = ("dense", 0), ("dense_1", 0)
RNG = np.random.default_rng(11)
WEIGHTS = {
    "dense": [RNG.normal(size=(7, 5)).astype("f4"), RNG.normal(size=5).astype("f4")],
    "dense_1": [RNG.normal(size=(5, 3)).astype("f4"), RNG.normal(size=3).astype("f4")],
}


class Operation:
    """A Dense of the framework. `wrong` says by name what is different."""

    type = "Dense"
    compute_dtype = "float32"

    def __init__(self, name: str, wrong: Mapping[str, Any], is_layer: bool = True) -> None:
        self.name, self.wrong, self.is_layer = name, wrong, is_layer

    def weights(self, definition: Any = None) -> list[Any]:
        return list(WEIGHTS[self.name][: self.wrong.get("weights", 2)])

    def states(self, definition: Any) -> list[Any]:
        return []

    def fault(self, config: Mapping[str, Any], values: Sequence[Any], *, shapes_agree: bool) -> str | None:
        return f"a bug of {config['units']} units" if self.wrong.get("known") and shapes_agree else None

    def results(self, x: Any) -> list[Any]:
        y = x @ WEIGHTS[self.name][0] + WEIGHTS[self.name][1]
        change: Callable[[Any], Any] = self.wrong.get("values", lambda y: [y])
        return list(change(np.maximum(y, 0) if self.name == "dense" else y))


class Graph:
    framework = "Longhand"

    def __init__(self, arrays: Sequence[Any], wrong: Mapping[str, Mapping[str, Any]]) -> None:
        self.input_names = ["the input"]  # a name of its own, as a Sequential's
        self.wrong = wrong
        self.tensors: dict[tuple[str, int, int], Any] = {("the input", 0, 0): arrays[0]}
        self.delayed: set[Key] = set()
        self.operations = {key: Operation(key[0], wrong.get(key[0], {})) for key in (FIRST, SECOND)}
        for name, others in wrong.items():
            if "added" in others:
                self.operations[name, 0] = Operation(name, {}, others["added"])
            if "removed" in others:
                del self.operations[name, 0]

    def calls(self) -> Mapping[Key, Any]:
        return self.operations

    def make_when_needed(self, keys: Iterable[Key]) -> None:
        self.delayed |= set(keys)

    def arguments(self, key: Key) -> list[Any] | None:
        x = self.tensors.get(("the input", 0, 0) if key == FIRST else (*FIRST, 0))
        return None if x is None else [x]

    def enter(self, key: Key, arguments: Sequence[Any]) -> None:
        raise AssertionError("no layer is a model")

    def run(self, key: Key) -> list[Any]:
        if words := self.wrong.get(key[0], {}).get("raises"):
            raise RuntimeError(words)
        found = self.operations[key].results((self.arguments(key) or [])[0])
        self.keep(key, found)
        return found

    def keep(self, key: Key, outputs: Sequence[Any]) -> None:
        self.tensors.update({(*key, i): one for i, one in enumerate(outputs)})

    def tensor(self, layer: str, call: int, output: int) -> Any:
        return None if "unnamed" in self.wrong.get(layer, {}) else self.tensors.get((layer, call, output))

    def outputs(self) -> list[Any]:
        return [self.tensors.get((*SECOND, 0))]

    def output_of(self, layer: str, call: int, output: int) -> int | None:
        return 0 if (layer, call, output) == (*SECOND, 0) else None

    def value(self, tensor: Any) -> Any:
        return tensor

    def mask(self, tensor: Any) -> None:
        return None

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)


class Longhand:
    framework, version, backend, weights = "Longhand", "3.5", "NumPy 2", "drawn"

    def __init__(self, wrong: Mapping[str, Mapping[str, Any]], whole: Callable[[Any], Any], count: int | None) -> None:
        self.wrong, self.whole, self.count = wrong, whole, count
        self.notes = (Note("drawn", None, "its weights are drawn"),)
        self.done: list[Any] = []

    def build(self, shape: Callable[[], Any]) -> None:
        self.done.append(shape())

    def graph(self, network: Any, arrays: Sequence[Any]) -> Graph:
        self.made = Graph(arrays, self.wrong)
        return self.made

    def run(self, network: Any, arrays: Sequence[Any]) -> list[Any]:
        self.done.append(arrays[0].shape)
        right = Graph(arrays, {})
        return [self.whole(right.operations[SECOND].results(right.run(FIRST)[0])[0])]

    def set_states(self, seed: int | None) -> None:
        self.done.append(seed)

    def states(self, network: Any) -> list[Any]:
        return []

    def arrays(self, network: Any) -> list[Any]:
        return [*WEIGHTS["dense"], *WEIGHTS["dense_1"]]

    def count_params(self) -> int | None:
        return self.count


def same(y: Any) -> Any:
    return y


def verified(
    wrong: Mapping[str, Mapping[str, Any]], whole: Callable[[Any], Any] = same, count: int | None = 58, **asked: Any
) -> tuple[VerifyReport, Longhand]:
    real: Any = Longhand(wrong, whole, count)
    return compared(read(asked.pop("spec", SPEC)), real, {}, VerifyOptions(seed=13, **asked)), real
