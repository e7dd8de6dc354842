"""Drawn programs that compute with the size of the batch: what is complete equals what Keras and PyTorch make of them
at each number of examples that is said to be taken."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.conversions.spec import to_spec
from layerexplain.frontends import read
from tests.support.tries import tries

BATCHES = (1, 2, 3, 4, 6, 8, 12, 16)

KERAS = """
import keras
from keras import ops, layers

class Net(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        {body}
        return self.dense(x)
"""
TORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.LazyLinear(3)

    def forward(self, x):
        {body}
        return self.dense(x)
"""
WORDS = {
    "size": ("ops.shape({x})[{axis}]", "{x}.shape[{axis}]"),
    "reshape": ("ops.reshape({x}, ({sizes}))", "{x}.reshape({sizes})"),
    "transpose": ("ops.transpose({x}, ({axes}))", "{x}.permute({axes})"),
    "join": ("ops.concatenate([{x}, {y}], axis={axis})", "torch.cat([{x}, {y}], dim={axis})"),
    "split": ("ops.split({x}, 2, axis={axis})[{part}]", "torch.chunk({x}, 2, dim={axis})[{part}]"),
    "repeat": ("ops.repeat({x}, 2, axis={axis})", "{x}.repeat_interleave(2, dim={axis})"),
    "multiply": ("{x} * {y}", "{x} * {y}"),
    "dot": ("ops.matmul({x}, {y})", "torch.matmul({x}, {y})"),
}
"""How an operation is written in Keras and in PyTorch."""


class _Program:
    """The lines of a program, and the shape that `x` has of each example."""

    def __init__(self, seed: int, framework: int) -> None:
        self.random = Random(seed)
        self.framework = framework
        self.lines: list[str] = []
        self.shape = self.random.choice(((4, 4, 8), (8, 6), (24,), (4, 8, 8)))
        self.input = self.shape
        steps = (self._reshape, self._reshape, self._windows, self._transpose, self._join, self._split, self._broadcast)
        for _ in range(self.random.randint(1, 3)):
            self.random.choice(steps)()

    def _set(self, operation: str, target: str = "x", **values: object) -> None:
        words = WORDS[operation][self.framework].format(**{"x": "x", **values})
        self.lines.append(f"{target} = {words}")

    def _count(self, of: int) -> int:
        return self.random.choice([k for k in (1, 2, 3, 4, 8) if of % k == 0])

    def _reshape(self) -> None:
        """The batch times or by a number, with the other sizes right, left open, or wrong now and then."""
        total = 1
        for size in self.shape:
            total *= size
        name = f"b{len(self.lines)}"
        self._set("size", name, axis=0)
        rest, batch = total, name
        if self.random.random() < 0.6:
            k = self._count(total)
            batch, rest = f"{name} * {k}", total // k
        elif self.random.random() < 0.7:
            k = self.random.choice((2, 3, 4))
            batch, rest = f"{name} // {k}", total * k
            if self.random.random() < 0.3:
                batch, rest = f"{name} // {k} * {k}", total
        elif self.random.random() < 0.2:
            batch = self.random.choice((f"{name} + 1", f"{name} - 1", f"{name} % 2", f"{name} * {name}", "4", "12"))
        if self.random.random() < 0.15:
            batch = "-1"
        sizes = []
        for _ in range(self.random.randint(1, 3)):
            sizes.append(self._count(rest))
            rest //= sizes[-1]
        sizes[self.random.randrange(len(sizes))] *= rest
        shown: list[object] = list(sizes)
        if batch != "-1" and self.random.random() < 0.6:
            shown[self.random.randrange(len(shown))] = -1
        if self.random.random() < 0.15:
            shown.insert(self.random.randint(0, len(shown)), batch)
        else:
            shown.insert(0, batch)
        self._set("reshape", sizes=", ".join(map(str, shown)))
        self.shape = tuple(sizes)

    def _windows(self) -> None:
        """The windows of Swin and SAM, and back."""
        if len(self.shape) != 3 or self.shape[0] % 2 or self.shape[1] % 2:
            return self._reshape()
        h, w, c = self.shape
        self._set("size", "b", axis=0)
        self._set("reshape", sizes=f"b, {h // 2}, 2, {w // 2}, 2, {c}")
        self._set("transpose", axes="0, 1, 3, 2, 4, 5")
        self._set("reshape", sizes=self.random.choice((f"-1, 4, {c}", f"b * {h * w // 4}, 4, {c}", f"-1, 2, 2, {c}")))
        self.shape = (4, c)
        if self.random.random() < 0.6:
            count = h * w // 4
            self.lines.append(f"b = {WORDS['size'][self.framework].format(x='x', axis=0)} // {count}")
            self._set("reshape", sizes=f"b, {h // 2}, {w // 2}, 2, 2, {self.random.choice((-1, c))}")
            self._set("transpose", axes="0, 1, 3, 2, 4, 5")
            self._set("reshape", sizes=self.random.choice((f"b, {h}, {w}, -1", f"-1, {h}, {w}, {c}")))
            self.shape = (h, w, c)
        return None

    def _transpose(self) -> None:
        axes = list(range(len(self.shape) + 1))
        self.random.shuffle(axes)
        if self.framework or self.random.random() < 0.5:  # PyTorch takes numbers in its place for those of the data
            axes = [0, *[axis for axis in axes if axis]]
        self._set("transpose", axes=", ".join(map(str, axes)))

    def _axis(self) -> int:
        return self.random.choice((0, 0, 1, -1))

    def _join(self) -> None:
        self._set(self.random.choice(("join", "join", "repeat")), y="x", axis=self._axis())

    def _split(self) -> None:
        self._set("split", axis=self._axis(), part=self.random.randint(0, 1))

    def _broadcast(self) -> None:
        parts = ("x[:1]", "x[:, :1]", "x[:, 0]", "x[:, 0, :]", "x[0]", "x[..., :1]", "x[:, None]", "x[:, -1:]", "x[1:]")
        self._set(self.random.choice(("multiply", "multiply", "dot")), y=self.random.choice(parts))

    def code(self) -> str:
        return (KERAS, TORCH)[self.framework].replace("{body}", "\n        ".join(self.lines))


def _follow(run: Callable[[int], tuple[Sequence[int], int]], batch: int) -> tuple[tuple[int, ...], int] | None:
    """The output shape and the number of parameters at a number of examples; None where the framework refuses it."""
    try:
        shape, params = run(batch)
    except Exception:  # whatever the backend raises
        return None
    return tuple(shape), params


def _compare(framework: int, end: Callable[[_Program], str], run: Callable[[Any, int, _Program], Any]) -> None:
    complete = possible = 0
    for seed in range(tries(60, 400)):
        program = _Program(seed, framework)
        names: dict[str, Any] = {}
        exec(compile(program.code(), "drawn", "exec"), names)
        real = {each: _follow(lambda n, net=names["Net"], of=program: run(net, n, of), each) for each in BATCHES}
        code = program.code() + end(program)
        report = layerexplain.explain(code.encode())
        words = (
            f"seed {seed}{code}\n{real}\n{report.grade} {report.outputs} {report.sizes} {report.faults} {report.notes}"
        )
        possible += len({params for _, params in filter(None, real.values())}) == 1
        if report.grade != "complete" or report.faults:
            continue
        conditions = [condition for size in report.sizes for condition in size.conditions]
        taken = [each for each in BATCHES if all(eval(condition, {"n": each}) for condition in conditions)]
        assert taken or conditions, words
        ours = report.outputs[0].shape
        is_one_example = (report.inputs[0].shape or ())[:1] == BATCHES[-1:]  # so PyTorch took the program's own data
        for each in BATCHES[-1:] if is_one_example else taken:
            assert real[each] is not None, (each, words)
            shape, params = real[each]
            assert ours is not None and len(ours) == len(shape), (each, words)
            assert all(size in (None, theirs) for size, theirs in zip(ours, shape, strict=True)), (each, words)
            assert report.totals.params == params, (each, words)
        complete += 1
    assert complete >= 0.8 * possible, (complete, possible)


@pytest.mark.keras
def test_keras_makes_the_same() -> None:
    def run(net: Any, batch: int, program: _Program) -> tuple[Sequence[int], int]:
        layer = net()
        return layer(np.zeros((batch, *program.input), "float32")).shape, layer.count_params()

    _compare(
        0, lambda program: f"inputs = keras.Input({program.input})\nmodel = keras.Model(inputs, Net()(inputs))\n", run
    )


def test_numbers_in_place_of_a_moved_batch_fix_it() -> None:
    code = """
import keras
x = keras.Input((4, 8))
y = keras.ops.reshape(keras.ops.transpose(x, (1, 0, 2)), (4, 96))
model = keras.Model(x, keras.layers.Dense(3)(y))
"""
    report = layerexplain.explain(code.encode())
    assert (report.grade, report.totals.params) == ("complete", 291)
    assert report.sizes[0].conditions == ("n == 12",)  # 12 · 4 · 8 = 4 · 96
    assert report.to_dict()["sizes"][0]["takes"] == "only 12 (the batch)"


@pytest.mark.parametrize("shape", ["(5, 50)", "(7, 7)"])
def test_a_shape_that_fits_no_number_of_examples_is_a_fault(shape: str) -> None:
    code = f"""
import keras
x = keras.Input((4, 8))
model = keras.Model(x, keras.ops.reshape(x, {shape}))
"""
    assert "needs the same number of elements" in layerexplain.explain(code.encode()).faults[0].fact


def test_two_numbers_of_examples_are_a_fault() -> None:
    code = """
import keras
x = keras.Input((4, 8))
y = keras.ops.reshape(x, (4, 96)), keras.ops.reshape(x, (8, 96))
model = keras.Model(x, y)
"""
    fault = layerexplain.explain(code.encode()).faults[0]
    assert fault.fact == "no number of examples fits: the batch needs to be 12 and 24"


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pytorch_makes_the_same() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def run(net: Any, batch: int, program: _Program) -> tuple[Sequence[int], int]:
        module = net()
        return module(torch.zeros(batch, *program.input)).shape, sum(one.numel() for one in module.parameters())

    _compare(1, lambda program: f"net = Net()\ny = net(torch.zeros({(BATCHES[-1], *program.input)}))\n", run)


def test_a_spec_holds_what_depends_on_the_batch() -> None:
    lines = "x = x.reshape(x.shape[0] * 2, -1, 6)\n        x = x.reshape(x.shape[0] // 3, -1, 6)"
    code = TORCH.replace("{body}", lines).replace("LazyLinear(3)", "Linear(6, 3)") + "net = Net()\n"
    model = read(code.encode()).at({"x": (8, 6)})
    spec = layerexplain.explain(to_spec(model).encode())
    report = layerexplain.explain(model)
    assert spec.outputs[0].shape == report.outputs[0].shape == (None, 12, 3)  # 2 · 8 / 2 · 3 / 2
    assert spec.sizes == report.sizes and report.sizes[0].conditions == ("n % 3 == 0",)


IN_THIRDS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 5)
    def forward(self, x):
        return self.fc(x.view(x.size(0) // 3, 12))
model = Net()
"""


@pytest.mark.torch
def test_a_model_whose_batch_is_a_multiple_of_three_is_run_on_so_many_examples(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(IN_THIRDS)
    model = read(str(path))
    given = [
        layerexplain.make_inputs(model, sizes=(4,)),
        layerexplain.make_inputs(model, sizes=(4,), least=4),
        layerexplain.make_inputs(model, sizes=(4,), batch=9),
    ]
    assert [one[0].array.shape for one in given] == [(3, 4), (6, 4), (9, 4)]
    assert layerexplain.verify(str(path), inputs=(4,)).agrees
