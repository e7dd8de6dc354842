"""Programs that ask for much: each is read within a number of calls of functions and an amount of memory, and the answer
says where reading ended."""

import json
import os
import subprocess
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends import read
from layerexplain.frontends.code.reader import read_code
from layerexplain.frontends.code.sources import read_text
from layerexplain.frontends.code.values import reading
from layerexplain.frontends.code.values.program import Class
from layerexplain.frontends.code_source import each_model
from layerexplain.layers import known_definitions
from layerexplain.layers.declaration import Declaration
from layerexplain.report.build import build
from tests.support.counting_programs import BLOCKS, FORWARD
from tests.support.counting_programs import programs as counting_programs
from tests.support.hostile import ROOT
from tests.support.large_programs import MOST_CALLS, START
from tests.support.nested_programs import KERAS, TORCH
from tests.support.steps import at_most, counted
from tests.support.tries import tries

PROGRAMS = {"large": tries(16, 500), "nested": tries(80, 7908), "counting": len(counting_programs())}
"""Programs that are drawn: in 500 large ones each kind of value stands some 40 times and each use some 5. One takes as
long as 15 models of the grammar of tests/fuzz. The nested ones are lists in themselves and the like, in each place; the
counting ones ask each call that takes a count for a thousand million."""
PARTS = tries(2, 4)
"""Tests of them, which the processes of pytest share."""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", PROGRAMS)
def test_drawn_programs_end_within_their_bounds(kind: str, part: int) -> None:
    """In a process of its own, whose memory is limited: a program that takes more, or does not come back, ends it."""
    share = PROGRAMS[kind] // PARTS
    command = [sys.executable, "-m", "tests.support.large_programs", kind, str(part * share), str(share)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"program {told[-1][0] if told else '?'} ended the process: {done.stderr[-500:]}"
    assert len(told) == 2 * share
    assert [(number, wrong) for number, wrong in told if wrong] == []


@pytest.mark.parametrize("number", range(0, PROGRAMS["counting"], tries(9, 1)))
def test_twice_the_count_is_at_most_twice_the_work(number: int) -> None:
    used = []
    for many in (98, 100, 200):  # the first one loads what loads on first use, and no definition is met again
        with counted() as calls, suppress(LayerExplainError):
            build(read_code(counting_programs(many)[number].encode(), None, "m"))
        used.append(calls.made)
    assert used[2] < 2.2 * used[1] + 3_000


TWICE = """
import keras
from keras import layers
class Twice(layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def call(self, x):
        return self.inner(self.inner(x))
layer = layers.Dense(3)
for i in range({}):
    layer = Twice(layer)
m = keras.Sequential([keras.Input((3,)), layer])
"""


def test_layers_that_call_one_twice_in_one_another_cost_what_is_defined_not_what_is_called() -> None:
    used = []
    for many in (3, 9, 18):
        with counted() as calls:
            network = build(read_code(TWICE.format(many).encode(), None, "m"))
        used.append(calls.made)
        assert network.totals.params == 12
    assert used[2] < 2.2 * used[1] + 3_000


REPEATED = [
    *[TORCH + FORWARD.format(block, "self.part(x, x)", "4, 8") for block in BLOCKS],
    TORCH + FORWARD.format("nn.Sequential(*[nn.Linear(8, 8) for i in range({n})])", "self.part(x)", "8"),
    TORCH
    + FORWARD.format(
        "nn.ModuleList([copy.deepcopy(nn.LSTM(8, 8)) for i in range({n})])", "[a(x) for a in self.part]", "8"
    ),
    KERAS
    + "m = keras.Sequential([keras.Input((8, 8))] + [layers.LSTM(8, return_sequences=True) for i in range({n})])\n",
    KERAS
    + "x = keras.Input((8, 8))\ny = x\nfor i in range({n}):\n    y = layers.MultiHeadAttention(2, 4)(y, y)\nm = keras.Model(x, y)\n",
]
"""Programs that make modules which are alike."""


@pytest.mark.parametrize("program", REPEATED)
def test_modules_that_are_alike_have_one_formula(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def formulas(count: int) -> int:
        traced: list[str] = []
        trace = Declaration.trace

        def noted(declaration: Declaration, *args: Any, **options: Any) -> Any:
            traced.append(declaration.type)
            return trace(declaration, *args, **options)

        with monkeypatch.context() as changed:
            changed.setattr(known_definitions, "KNOWN", known_definitions.KnownDefinitions(2000))
            changed.setattr(Declaration, "trace", noted)
            build(read_code(program.replace("{n}", str(count)).encode(), None, "m"))
        return len(traced)

    assert formulas(30) == formulas(15) > 0


LARGE = {
    "two bases each": "class A: pass\nclass B: pass\nfor i in range(40):\n    class C(A, B): pass\n    class D(A, B): pass\n"
    "    A, B = C, D\nu = 5",
    "a fraction in a range": "u = 5 if 5.5 not in range(10**15) and 5.0 in range(10**15) else 3",
    "models in models": "b = keras.Sequential([keras.Input((3,)), layers.Dense(3)])\nfor i in range(25):\n"
    "    x = keras.Input((3,))\n    b = keras.Model(x, b(b(x)))\nu = b.output_shape[1] + 2",
    "a key of 2**60 parts": "k = (1,)\nfor i in range(60):\n    k = (k, k)\nd = {}\nu = 5\nif u == 5:\n    d[k] = 1",
    "arguments that are not written": "def f(*a):\n    return 5\nu = 5\nf(*range(10**9))",
    "an array of a giant range": "a = np.array(range(10**30))\nb = np.min(range(10**30))\nu = 5",
    "a power of ten": "r = round(5, -(10**9))\nu = 5",
    "an array without numbers": "a = np.zeros((10**12, 0))\nb = a.tolist()\nc = a[:, 0:0]\nu = 5",
    "one wide row of a product": "c = list(itertools.product(*[[1]] * 9000, [1, 2] * 4000))\nu = 5",
    "numbers in a text": "t = ('%999d' * 9000) % tuple([1] * 9000)\nu = 5",
    "names in branches": "".join(f"a{i} = {i}\n" for i in range(1500)) + "if unknown:\n    a0 = 3\n" * 700 + "u = 5",
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_what_python_computes_at_once_is_read_at_once(name: str) -> None:
    """The model behind it is complete, or open with its reason."""
    code = START + LARGE[name] + "\nm.add(layers.Dense(u))\n"
    with at_most(1_500_000):
        report = build(read_code(code.encode(), None, "m"))
    assert report.totals.params in ((3 + 1) * 5, None)
    assert (report.totals.params is None) == (report.grade == "open")


LOOKS = "goes through more than 200,000 values"
CELLS = "makes more than 150,000 values"
STEPS = "has more than 30,000 steps"
GROWS = "makes a list of more than 10,000 items"
DEEP = "k = (1,)\nfor i in range(60):\n    k = (k, k)\n"
COUNTED = {
    "a list put behind itself": ("a = [1, 2]\ndef g(k):\n    a[10**7:] = a\n    return g(k + 1)\ng(0)\nu = 5", GROWS),
    "what a choice leads to": (
        "a = list(range(9900))\ndef g(k):\n    if w:\n        b = 3\n    else:\n        b = a\n    return g(k + 1)\n"
        + "g(0)\n" * 20, LOOKS
    ),
    "statements that are not read": (
        "def g(k):\n    if w:\n        b = 3\n    else:\n" + "        b = len([b, b])\n" * 900
        + "        m.add(b)\n    return g(k + 1)\n" + "g(0)\n" * 30 + "u = 5", ""
    ),
    "sums of an array": ("a = np.arange(9900)\n" + "b = a + a\n" * 90, LOOKS),
    "an array of arrays": ("a = [np.arange(9900)] * 9900\nb = np.array(a)\nu = b.shape[1] - 9895", ""),
    "layers that are given lists": ("a = list(range(9900))\n" + "b = layers.Dense(3, name=a)\n" * 90, LOOKS),
    "a layer's method that is given a list": ("a = [1.5] * 9900\nb = layers.Dense(3)\n" + "b.set_weights(a)\n" * 90, LOOKS),
    "a function that is given each item": ("a = [1.5] * 9900\n" + "b = list(map(str, a))\n" * 90, STEPS),
    "lists in texts": ("a = (1.5,) * 9900\n" + "b = f'{a}'\n" * 90, LOOKS),
    "arguments in a text": ("b = ('{:900}' * 300).format(*[1] * 9000)\n" * 90, CELLS),
    "fields of a record": ("a = collections.namedtuple('T', [f'a{i}' for i in range(900)])(*range(900))\n" + "b = max(a)\n" * 3000, LOOKS),
    "fields that nobody gives": ("T = collections.namedtuple('T', [f'a{i}' for i in range(900)])\n" + "b = T()\n" * 300, STEPS),
    "rows of an array": ("a = np.zeros((99, 9999))\n" + "b = max(a)\n" * 3000, LOOKS),
    "keys that are compared": ("a = {(i, 3): i for i in range(900)}\nk = tuple(range(9000))\n" + "b = k in a\n" * 90, LOOKS),
    "lists in a list": ("a = [{} for i in range(9900)]\nb = [a for i in range(9900)]", LOOKS),
    "a table of numbers": ("a = [[i * j for i in range(40)] for j in range(9900)]\nu = len(a) // 1980", ""),
    "records in records": (
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    a: int\n    b: int\na = A(1, 2)\n"
        "for i in range(60):\n    a = A(a, a)\nb = dataclasses.astuple(a)\nu = 5", ""
    ),
    "texts that grow": ("t = 'a' * 90_000\ns = [t.replace('a', 'b' * 9) for i in range(90)]", CELLS),
    "a set that takes 2**60 parts": (DEEP + "s = {1}\ns.update([k])\nu = 5", ""),
    "a name of 2**60 parts": (DEEP + "f = functools.partial(collections.namedtuple, k)\nf(['a'])\nu = 5", ""),
    **{
        f"modules, {how}": (f"from torch import nn\ns = nn.ModuleList([nn.ReLU()])\nfor i in range(60):\n    {how}", GROWS)
        for how in ("s.extend(list(s))", "s = s + list(s)", "s += list(s)")
    },
    "a part of a giant range": ("a = range(10**40)[3:]\nb = range(10**15)[3:]\nu = a[2]", ""),
}  # fmt: skip
"""Programs that do much over and over, and what ends the reading of them; "" where they are read to their end."""


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_done_over_and_over_is_counted(name: str, small_bounds: None) -> None:
    code, ends = COUNTED[name]
    with at_most(MOST_CALLS):
        report = build(read_code(f"{START}{code}\nm.add(layers.Dense(u))\n".encode(), None, "m"))
    if ends:
        assert report.grade == "open"
        assert [note.message.partition("the program ")[2] for note in report.notes] == [
            f"{ends}; it is read up to here"
        ]
    else:
        assert report.totals.params == (3 + 1) * 5


TOO_MUCH = {
    "a chain": ("import itertools\nc = itertools.chain(*[range(10**4)] * 10**4)\n", "goes through more than 4,000,000 values"),
    "layers": ("n = 0\nwhile n < 10**9:\n    n += 1\n    Dense(3)\n", "calls layers more than 5,000 times"),
    "steps in a function": ("def f(n):\n    return f(n - 1) + f(n - 1) if n else 1\nf(35)\n", "has more than 600,000 steps"),
    "values": ("x = [['a'] * 9000 for i in range(9000)]\n", "makes more than 3,000,000 values"),
    "values that are gone through": ("x = [0] * 9000\n" + "y = sorted(x)\n" * 9000, "(goes through|makes) more than .* values"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
@pytest.mark.slow
def test_too_much_is_called_so(name: str) -> None:
    code, words = TOO_MUCH[name]
    with pytest.raises(SourceError, match=f":[0-9]+:[0-9]+: the program ({words}); it is read up to here") as caught:
        read(f"from keras.layers import Dense\n{code}".encode())
    assert "builds no model" not in str(caught.value)


def mro_of(bases: list[list[int]], make: Any) -> list[Any]:
    """The method orders of classes, each with the numbers of its bases; None for those that Python refuses."""
    made: list[Any] = []
    for number, below in enumerate(bases):
        given = [made[one] for one in below]
        try:
            made.append(None if None in given else make(f"C{number}", given))
        except (TypeError, ValueError):
            made.append(None)
    return made


def test_the_order_of_bases_is_that_of_python() -> None:
    import random

    draw = random.Random(7)
    refused = 0
    for _ in range(200):
        bases = [draw.sample(range(number), min(number, draw.randrange(4))) for number in range(9)]

        def ours(name: str, given: list[Any]) -> Class:
            made = Class(name, given, None, 1)
            made.order()
            return made

        truth = mro_of(bases, lambda name, given: types.new_class(name, tuple(given)))
        found = mro_of(bases, ours)
        assert [one and [base.__name__ for base in one.__mro__[:-1]] for one in truth] == [
            one and [base.name for base in one.order()] for one in found
        ]
        refused += None in truth
    assert refused > 10


def test_a_text_is_mended_in_time_that_grows_with_its_length() -> None:
    """Counted as calls: each pattern is tried once a line. Patterns that backtrack would not end."""
    for line in ("except " + " " * 40_000 + "x:", "print " + "\t" * 40_000 + "=", " " * 40_000 + "a: " * 9_000 + "print x",
                 "'" + " '" * 20_000):  # fmt: skip
        with at_most(200_000), pytest.raises(SourceError):
            read_text(f"model = Sequential(\n{line}\n".encode(), None)


@pytest.mark.parametrize("text", ["x;" * 400_000, "x\n" * 400_000, "x = [" + "1," * 400_000 + "]"])
def test_a_tree_that_would_take_much_memory_is_not_made(text: str) -> None:
    with at_most(1_000_000), pytest.raises(SourceError, match=f"more than {reading.MOST_TOKENS:,} words and signs"):
        read_text(text.encode(), "x.py")


def test_columns_of_long_lines(tmp_path: Path) -> None:
    """A line of code with signs of several bytes in front: places are counted in characters."""
    names = ", ".join(f"ä{i}" for i in range(2000))
    with at_most(400_000):
        tree = read_text(f"\tif 1: pass\n\tx = ['ß', {names}]\n".replace("\t", "").encode(), "x.py").tree
    line = f"x = ['ß', {names}]"
    listed: Any = tree.body[-1]
    assert [line[one.col_offset : one.end_col_offset] for one in listed.value.elts[1:]] == names.split(", ")


def test_a_notebook_of_many_lines() -> None:
    cells = [{"cell_type": "code", "source": "\n" * 150_000}] * 3 + [
        {"cell_type": "code", "source": "m = Sequential()"}
    ]
    with at_most(400_000), pytest.raises(LayerExplainError):
        read(json.dumps({"nbformat": 4, "cells": cells}).encode())


MANY = {
    "layers": "m{i} = keras.Sequential([keras.Input((4,)), layers.Dense({i} + 1)])\n",
    "missing": "m{i} = keras.Sequential([keras.Input((4,)), layers.Dense(units_{i})])\n",
    "class": "class A{i}(keras.Model):\n    def __init__(self):\n        super().__init__()\n        self.d = layers.Dense({i} + 1)\n"
    "    def call(self, x):\n        return self.d(x)\nm{i} = A{i}()\nm{i}(keras.Input((4,)))\n",
    "modules": "m{i} = nn.Sequential(nn.Linear(4, {i} + 1))\n",
    "called": "m{i} = nn.Sequential(nn.Linear(4, {i} + 1))\ny{i} = m{i}(torch.randn(2, 4))\n",
    "missing in modules": "m{i} = nn.Sequential(nn.Linear(4, units_{i}))\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", MANY)
def test_the_models_of_one_file_take_steps_in_proportion(kind: str, tmp_path: Path) -> None:
    libraries = (
        "import torch\nfrom torch import nn\n" if "nn." in MANY[kind] else "import keras\nfrom keras import layers\n"
    )

    def steps(count: int) -> int:
        file = tmp_path / f"models_{count}.py"
        file.write_text(libraries + "".join(MANY[kind].replace("{i}", str(i)) for i in range(count)))
        with counted() as calls:
            assert len([read(source) for source in each_model(str(file))]) == count
        return calls.made

    steps(2)  # what is loaded once
    assert steps(120) < 2.5 * steps(60)
