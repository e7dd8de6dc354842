"""Memory: weights, activations, the most that lives at once, training; against sums by hand and a simulation."""

import math
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from layerexplain import explain
from layerexplain.frontends import read
from layerexplain.model import Model
from layerexplain.report import build
from layerexplain.report.explanation_data import DtypeBytes, Memory
from layerexplain.report.memory import optimizers
from tests.support.frameworks import keras
from tests.support.paths import ROOT
from tests.support.reports import all_rows
from tests.truth import load


def spec(text: str, folder: Path) -> Model:
    file = folder / "model.yaml"
    file.write_text(text, "utf-8")
    return read(str(file))


def memory_of(text: str, folder: Path, batch: int = 1, optimizer: str | None = None, **inputs: Any) -> Memory:
    memory = build(spec(text, folder), batch=batch, optimizer=optimizer, inputs=inputs or None).memory
    assert memory is not None
    return memory


CHAIN = """
input: [7]
layers:
  - Dense: 11
  - Dense: 13
  - Dropout: 0.5
  - Reshape: [13, 1]
  - Flatten
  - Dense: 2
"""


def test_a_chain(tmp_path: Path) -> None:
    memory = memory_of(CHAIN, tmp_path, batch=5, optimizer="adam")
    params = 7 * 11 + 11 + 11 * 13 + 13 + 13 * 2 + 2
    assert memory.weights == memory.gradients == 4 * params
    # Dropout, Reshape and Flatten make views.
    assert memory.activations == 4 * (7 + 11 + 13 + 2)
    assert (memory.peak, memory.peak_at) == (4 * (11 + 13), "dense_1")
    assert memory.inference == 4 * params + 5 * memory.peak
    assert (memory.slots_each, memory.slots) == (2, 2 * 4 * params)
    # Of each Dense the gradients read its input, of Dropout what it drew.
    assert memory.kept == 4 * (7 + 11 + 13 + 13)
    assert memory.training == 4 * 4 * params + 5 * memory.kept
    assert memory.weights_by_dtype == (DtypeBytes("float32", 4 * params),)


BY_LAYER = """
input: [6]
layers:
  - Activation: relu
    name: first
  - Sequential:
      - Dense: 10
        name: wide
      - Dropout: 0.5
        name: view
      - Dense: 6
        name: back
    name: twice
  - reuse: twice
  - Dense: {units: 5, dtype: mixed_float16}
    name: half
  - Flatten: {}
    name: flat
"""


def test_each_layer_has_the_bytes_of_what_it_gives(tmp_path: Path) -> None:
    report = build(spec(BY_LAYER, tmp_path), batch=3)
    found = {row.path: row.memory and row.memory.activations for row in all_rows(report.layers)}
    assert found == {
        "input": 24, "first": 24, "twice": 128, "twice/input": 0, "twice/wide": 80, "twice/view": 0, "twice/back": 48,
        "half": 10, "flat": 0,
    }  # fmt: skip
    assert build(spec(BY_LAYER, tmp_path)).layers[0].memory is None


@pytest.mark.parametrize("sample", ["resnet50.json", "transformer.json", "digits.keras", "stacked_lstm_flatten.yaml"])
def test_the_bytes_of_layers_add_up_to_those_of_the_model(sample: str) -> None:
    report = explain(ROOT / "sample_models" / sample, batch=1)
    assert report.memory is not None
    parts = [row.memory.activations for row in report.layers if row.memory is not None]
    assert sum(part or 0 for part in parts) == report.memory.activations


def test_nested_models_are_counted_inside(tmp_path: Path) -> None:
    nested = """
inputs: {a: [7], b: [7]}
layers:
  - Sequential:
      - Dense: 11
      - Dense: 3
    name: encoder
    from: a
  - reuse: encoder
    name: again
    from: b
  - Add: {}
    from: [encoder, again]
"""
    memory = memory_of(nested, tmp_path)
    assert memory.activations == 4 * (7 + 7 + 2 * (11 + 3) + 3)
    # The second call: what it was given, the first result, and the two layers inside.
    assert (memory.peak, memory.peak_at) == (4 * (14 + 11 + 3), "encoder/dense_1")
    assert memory.weights == 4 * (7 * 11 + 11 + 11 * 3 + 3)


def test_levels_of_nesting_do_not_multiply_the_work(tmp_path: Path) -> None:
    text = "  - Dense: 3\n"
    for level in range(18):
        block = "".join(f"    {line}\n" for line in text.splitlines())
        text = f"  - Sequential:\n{block}    name: level{level}\n" + f"  - reuse: level{level}\n" * 3
    memory = memory_of("input: [3]\nlayers:\n" + text, tmp_path)
    assert memory.activations == 4 * (3 + 3 * 4**18)


def test_frozen_weights_need_no_gradient(tmp_path: Path) -> None:
    text = "input: [7]\nlayers:\n  - Dense: {units: 11, trainable: false}\n  - BatchNormalization\n  - Dense: 2\n"
    memory = memory_of(text, tmp_path, optimizer="sgd-momentum")
    assert memory.weights == 4 * (88 + 44 + 24)
    assert memory.gradients == memory.slots == 4 * (22 + 24)


def test_mixed_precision(tmp_path: Path) -> None:
    text = (
        "input: {shape: [7], dtype: float32}\nlayers:\n  - Dense: {units: 11, dtype: mixed_float16}\n"
        "  - Dense: {units: 2, dtype: float32}\n"
    )
    memory = memory_of(text, tmp_path, optimizer="adam")
    assert memory.weights == memory.gradients == 4 * (88 + 24)
    assert memory.activations_by_dtype == (DtypeBytes("float16", 22), DtypeBytes("float32", 4 * 9))


def test_an_unknown_size_is_unknown(tmp_path: Path) -> None:
    text = "input: [null, 7]\nlayers:\n  - Dense: 11\n  - GlobalAveragePooling1D\n"
    memory = memory_of(text, tmp_path, optimizer="adam")
    assert memory.weights == 4 * 88
    assert (memory.activations, memory.peak, memory.peak_at, memory.inference, memory.training) == (None,) * 5
    name = spec(text, tmp_path).inputs[0].layer
    assert memory_of(text, tmp_path, **{name: (5, 7)}).activations == 4 * (35 + 55 + 11)


def test_without_an_optimizer_nothing_is_trained(tmp_path: Path) -> None:
    for optimizer in (None, "none"):
        memory = memory_of(CHAIN, tmp_path, optimizer=optimizer)
        assert (memory.optimizer, memory.gradients, memory.slots, memory.training) == (None,) * 4


@pytest.mark.keras
def test_slots_are_those_of_keras(tmp_path: Path) -> None:
    made = {
        "sgd": keras.optimizers.SGD(),
        "sgd-momentum": keras.optimizers.SGD(momentum=0.9),
        "adam-amsgrad": keras.optimizers.Adam(amsgrad=True),
    }
    classes = {name.lower(): getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    text = "input: [3]\nlayers:\n  - Dense: {units: 2, name: one}\n  - Dense: {units: 4, name: two}\n"
    for name in optimizers():
        if name == "none":
            continue
        optimizer = made.get(name) or classes[name]()
        variables = [keras.Variable(np.ones(shape, "float32")) for shape in ((3, 2), (2,), (2, 4), (4,))]
        before = len(optimizer.variables)
        optimizer.build(variables)
        kept = [one for one in optimizer.variables[before:] if tuple(one.shape)]
        assert memory_of(text, tmp_path, optimizer=name).slots == 4 * sum(int(np.prod(one.shape)) for one in kept), name


# A simulation: at each call, all that is made and still read -----------------------------------------------------


class Node(NamedTuple):
    """A layer of a drawn model: the widths of what it makes (none for a view, several for the layers of a model inside,
    the last of which is its output), and what it reads."""

    name: str
    widths: tuple[int, ...]
    sources: tuple[str, ...]
    is_model: bool = False

    @property
    def width(self) -> int:
        return self.widths[-1] if self.widths else 0


def drawn_graph(rng: random.Random) -> tuple[str, list[Node], list[str]]:
    """A spec of dense layers, additions, views and models inside, its nodes and its outputs."""
    lines = ["input: {shape: [6]}", "layers:"]
    nodes = [Node("input", (6,), ())]
    width = {"input": 6}
    for i in range(rng.randint(4, 14)):
        name = f"n{i}"
        kind = rng.choice(["dense", "dense", "add", "view", "model"])
        source = rng.choice(nodes).name
        sources, sizes = (source,), (rng.randint(1, 30),)
        if kind == "dense":
            lines += [f"  - Dense: {sizes[0]}"]
        elif kind == "add":
            other = rng.choice([n for n in width if width[n] == width[source]])
            lines += ["  - Add: {}"]
            sources, sizes = (source, other), (width[source],)
        elif kind == "view":
            lines += [f"  - Reshape: [{width[source]}]"]
            sizes = ()
        else:
            sizes = tuple(rng.randint(1, 30) for _ in range(rng.randint(1, 4)))
            lines += ["  - Sequential:", *[f"      - Dense: {size}" for size in sizes]]
        lines += [f"    name: {name}", f"    from: [{', '.join(sources)}]" if kind == "add" else f"    from: {source}"]
        nodes.append(Node(name, sizes, sources, kind == "model"))
        width[name] = sizes[-1] if sizes else width[source]
    read_by = {source for node in nodes for source in node.sources}
    outputs = [node.name for node in nodes if node.name not in read_by]
    return "\n".join([*lines, f"outputs: [{', '.join(outputs)}]"]) + "\n", nodes, outputs


def live(nodes: list[Node], outputs: list[str], now: int, made: int) -> int:
    """The numbers held while node `now` runs, of those that the first `made` nodes made."""
    holder: dict[str, str] = {}
    for node in nodes:
        holder[node.name] = node.name if node.widths else holder[node.sources[0]]
    later = {holder[s] for node in nodes[now:] for s in node.sources} | {holder[o] for o in outputs}
    kept = later | {holder[nodes[now].name]}
    return sum(node.width for node in nodes[:made] if node.name in kept)


@pytest.mark.parametrize("seed", range(60))
def test_the_peak_of_drawn_graphs(seed: int, tmp_path: Path) -> None:
    text, nodes, outputs = drawn_graph(random.Random(seed))
    peaks: dict[int, list[str]] = {}
    for now, node in enumerate(nodes):
        peaks.setdefault(live(nodes, outputs, now, now + 1), []).append(node.name)
        if node.is_model:  # inside of it: beside all that lives around it, two layers of it
            for i, width in enumerate(node.widths):
                inside = width + (node.widths[i - 1] if i else 0)
                at = f"{node.name}/dense" + f"_{i}" * (i > 0)
                peaks.setdefault(live(nodes, outputs, now, now) + inside, []).append(at)
    memory = memory_of(text, tmp_path)
    assert memory.peak == 4 * max(peaks)
    assert memory.activations == 4 * sum(sum(node.widths) for node in nodes)
    first = peaks[max(peaks)][0].partition("/")[0]
    assert memory.peak_at in [at for at in peaks[max(peaks)] if at.partition("/")[0] == first]


def _kept_of_resnet(rows: dict[str, int]) -> int:
    """Inputs of convolutions and of the last Dense, the input and the result of the pooling, results of relu, and
    normalized values; adding and averaging need nothing, and relu no more than its result."""
    names = list(rows)
    before_pool = names[names.index("pool1_pool") - 1]
    read = {"conv1_pad", before_pool, "pool1_pool", "avg_pool", "predictions"}
    read |= {name for name in names if name.endswith(("_relu", "_out"))}
    inside = sum(rows[name] for name in names if name.endswith("_bn"))
    return 4 * (sum(rows[name] for name in read) + inside)


def test_resnet_by_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text(load("keras3", "ResNet50")["config"], "utf-8")
    report = build(read(str(file)), batch=32, optimizer="adam")
    memory = report.memory
    assert memory is not None
    rows = {row.layer: math.prod(size or 1 for size in row.output_shapes[0] or ()) for row in report.layers}
    assert memory.activations == 4 * sum(rows.values())
    # The shortcut and the third convolution of the first block are there when the first is normalized.
    assert (memory.peak, memory.peak_at) == (3 * 4 * 56 * 56 * 256, "conv2_block1_0_bn")
    assert memory.weights == report.totals.bytes == 4 * 25_636_712
    assert memory.kept == _kept_of_resnet(rows)
    assert memory.training == memory.weights + 3 * 4 * 25_583_592 + 32 * memory.kept
