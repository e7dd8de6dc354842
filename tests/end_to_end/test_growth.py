"""Work grows with the number of layers, not with its square: counted in calls of Python's, since clocks differ.

benchmarks/scale.py measures time and memory up to 100,000 layers.
"""

import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from cProfile import Profile
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.model import Model
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.render.formats import FORMATS
from layerexplain.render.layout import Look
from layerexplain.report import build
from layerexplain.report.report import Report
from layerexplain.run.checking import check
from tests.support.printing import Chosen, Wanted, explanation_text, summary_text

pytestmark = pytest.mark.slow

FEW, MANY = 30, 90


def keras_object(class_name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def tensor(layer: str) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": None, "dtype": "float32", "keras_history": [layer, 0, 0]},
    }


def sequential(count: int) -> dict[str, Any]:
    layers = [keras_object("Dense", name=f"dense{i}", units=3 + i) for i in range(count)]
    return keras_object(
        "Sequential", name="s", layers=[keras_object("InputLayer", name="input", batch_shape=[None, 2]), *layers]
    )


def with_skips(count: int) -> dict[str, Any]:
    """Each layer reads the concatenation of the four before it."""
    layers = [{**keras_object("InputLayer", name="input", batch_shape=[None, 2]), "name": "input", "inbound_nodes": []}]
    made = ["input", "input"]
    for i in range(count):
        read_by = {
            f"joined{i}": keras_object("Concatenate", name=f"joined{i}", axis=-1),
            f"dense{i}": keras_object("Dense", name=f"dense{i}", units=3 + i),
        }
        arguments = ([tensor(name) for name in made[-4:]], tensor(f"joined{i}"))
        for (name, layer), argument in zip(read_by.items(), arguments, strict=True):
            layers.append({**layer, "name": name, "inbound_nodes": [{"args": [argument], "kwargs": {}}]})
        made.append(f"dense{i}")
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [[made[-1], 0, 0]]}
    return keras_object("Functional", name="f", layers=layers, **ends)


def with_notes(count: int) -> dict[str, Any]:
    """Each layer has a note, in the same words, and they are in reverse order."""
    made = ["input", *[f"dense{i}" for i in range(count)]]
    layers = [
        {**keras_object("Dense", name=name, units=3, strange=1), "name": name,
         "inbound_nodes": [{"args": [tensor(before)], "kwargs": {}}]}
        for before, name in pairwise(made)
    ]  # fmt: skip
    first = {**keras_object("InputLayer", name="input", batch_shape=[None, 2]), "name": "input", "inbound_nodes": []}
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [[made[-1], 0, 0]]}
    return keras_object("Functional", name="f", layers=[*reversed(layers), first], **ends)


def moves(count: int) -> dict[str, Any]:
    """A chain of layers that only move values: what made them is far before each."""
    layers = [keras_object("Flatten", name=f"flatten{i}") for i in range(count)]
    first = keras_object("InputLayer", name="input", batch_shape=[None, 2, 3])
    return keras_object("Sequential", name="s", layers=[first, *layers])


def calls(of: Callable[[], Any]) -> int:
    """How many functions, of Python's and of C's, are called."""
    profile = Profile()
    # Nothing of another test may be collected, and so finalized, in between.
    gc.collect()
    gc.disable()
    try:
        profile.runcall(of)
    finally:
        gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


def summarized(path: Path) -> Report:
    return build(read(str(path)), receptive_field=True, batch=2, optimizer="adam")


def explained(path: Path) -> Report:
    return build(read(str(path)), detail=True)


def summary(report: Report, format: str) -> None:
    summary_text([report], Wanted(format), Look(80 if format == "table" else None))


def explanation(report: Report, format: str) -> None:
    explanation_text([Chosen(report, report.layers)], Wanted(format), Look())


KINDS = {"in a row": sequential, "with skips": with_skips, "with notes": with_notes}
COMMANDS: dict[str, tuple[Callable[[Path], Report], Callable[[Report, str], None]]] = {
    "summary": (summarized, summary),
    "explain": (explained, explanation),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Files of a kind of model, with few and with many layers."""

    @cache
    def files(kind: str) -> tuple[Path, Path]:
        paths = []
        for count in (FEW, MANY):
            paths.append(tmp_path_factory.mktemp("models") / f"{count}.json")
            paths[-1].write_text(json.dumps(KINDS[kind](count)))
        return paths[0], paths[1]

    return files


@pytest.fixture(scope="module")
def reports(written: Callable[[str], tuple[Path, Path]]) -> Callable[[str, str], tuple[Report, Report]]:
    """What a command prints of them."""

    @cache
    def made(kind: str, command: str) -> tuple[Report, Report]:
        few, many = [COMMANDS[command][0](path) for path in written(kind)]
        return few, many

    return made


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_grow_with_the_layers(kind: str, command: str, written: Any, reports: Any) -> None:
    reports(kind, command)  # whatever is done once only is done
    work, more = [calls(lambda path=path: COMMANDS[command][0](path)) for path in written(kind)]
    assert more < 1.1 * MANY / FEW * work


@pytest.mark.parametrize(
    ("command", "format"), [*[("summary", format) for format in FORMATS], ("explain", "table"), ("explain", "json")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_printing_grow_with_the_layers(kind: str, command: str, format: str, reports: Any) -> None:
    work = []
    for report in reports(kind, command):
        COMMANDS[command][1](report, format)
        work.append(calls(lambda report=report: COMMANDS[command][1](report, format)))
    assert work[1] < 1.1 * MANY / FEW * work[0]


@pytest.mark.parametrize(
    ("file", "question", "filters"),
    [
        ("explanation", "statements", (5, 7)),
        ("explanation", "inner_blocks", (11, 17)),
        ("short_lines", "_needs", (19, 23)),
    ],
)
def test_layers_that_are_alike_are_asked_once(
    file: str, question: str, filters: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Counter[str]()
    module = import_module(f"layerexplain.report.{file}")
    of = getattr(module, question)

    def counted(*args: Any) -> Any:
        asked[question] += 1
        return of(*args)

    monkeypatch.setattr(module, question, counted)
    path, counts = tmp_path / "model.json", []
    for count, repeats in zip(filters, (2, 11), strict=True):  # other filters, so that nothing is known of them
        block = [("Conv2D", {"filters": count, "kernel_size": 3, "padding": "same"}), ("BatchNormalization", {})]
        layers = [keras_object(type_, name=f"{type_}{i}", **own) for i in range(repeats) for type_, own in block]
        first = keras_object("InputLayer", name="input", batch_shape=[None, 13, 13, count])
        path.write_text(json.dumps(keras_object("Sequential", name="s", layers=[first, *layers])))
        asked.clear()
        build(read(str(path)), detail=True)
        counts.append(asked[question])
    assert counts[0] == counts[1] > 0


def all_before(count: int) -> dict[str, Any]:
    """Each layer adds the outputs of all before it."""
    layers = [{**keras_object("InputLayer", name="input", batch_shape=[None, 8]), "name": "input", "inbound_nodes": []}]
    layers.append({**keras_object("Dense", name="d0", units=8), "name": "d0"})
    layers[1]["inbound_nodes"] = [{"args": [tensor("input")], "kwargs": {}}]
    for i in range(1, count):
        node = {"args": [[tensor(layer["name"]) for layer in layers]], "kwargs": {}}
        layers.append({**keras_object("Add", name=f"a{i}"), "name": f"a{i}", "inbound_nodes": [node]})
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return keras_object("Functional", name="f", layers=layers, **ends)


def test_a_tensor_of_a_sum_costs_a_bounded_number_of_calls(tmp_path: Path) -> None:
    work = []
    for count in (30, 60):
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps(all_before(count)))
        explanation(explained(path), "json")
        work.append(calls(lambda path=path: explanation(explained(path), "json")))
    assert work[1] - work[0] < 1_600 * (60 * 60 - 30 * 30) / 2


@pytest.mark.parametrize("kind", [sequential, moves, with_skips])
def test_rules_ask_each_layer_once(kind: Callable[[int], Any], tmp_path: Path) -> None:
    work = []
    for count in (FEW, MANY):
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps(kind(count)))
        check(str(path))
        work.append(calls(lambda path=path: check(str(path))))
    assert work[1] < 1.1 * MANY / FEW * work[0]


class Counted(tuple[Any, ...]):
    """A tuple that counts how often it is gone through."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        Counted.walks += 1
        return super().__iter__()


@pytest.mark.parametrize("kind", [sequential, with_skips])
def test_hints_do_not_walk_the_model_for_each_layer(
    kind: Callable[[int], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(model: Model, inputs: Any) -> Network:
        network = trace_model(model, inputs)
        of_layers = model._replace(layers=Counted(model.layers), outputs=Counted(model.outputs))
        return network._replace(model=of_layers, calls=Counted(network.calls))

    monkeypatch.setattr(sys.modules["layerexplain.report.build"], "trace_model", counted)
    walks = []
    for count in (FEW, MANY):
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps(kind(count)))
        Counted.walks = 0
        build(read(str(path)), detail=True)
        walks.append(Counted.walks)
    assert walks[0] == walks[1] < FEW
