"""Expressions of Python, NumPy and PyTorch, and statements: read without running, they have the values that running
gives. Python and NumPy say them here; those of PyTorch stand in tests/data/code/torch_values.txt, and PyTorch confirms
them."""

import re
import warnings
from typing import Any

import numpy as np
import pytest

from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import Symbol, Unknown
from tests.support.paths import TESTS

IMPORTS = """
import collections, copy, functools, inspect, itertools, math, operator, os, string, types, typing
import numpy as np
"""
TEXT = (TESTS / "data/code/values.txt").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", TEXT, re.M | re.S))
PYTHON, NUMPY = SECTIONS.pop("python").splitlines(), SECTIONS.pop("numpy").splitlines()
LINES, *STEPS = re.split(r"^### [^\n]+\n", (TESTS / "data/code/torch_values.txt").read_text("utf-8"), flags=re.M)
TORCH = {
    code if "\n" in code else f"r = {code}": value
    for code, value in (one.rstrip("\n").split("  =  ") for one in [*LINES.splitlines(), *STEPS])
}
OF_TORCH = f"{IMPORTS}import torch\nfrom torch import nn\nfrom collections import OrderedDict\n"
KERAS = dict(
    re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", (TESTS / "data/code/keras_values.txt").read_text(), re.M | re.S)
)
KERAS_ROWS, DATA_ROWS = (dict(line.split("  =  ") for line in KERAS[name].splitlines()) for name in ("keras", "data"))
KINDS = {"f": "float", "i": "int", "b": "bool"}


def read(code: str) -> Any:
    return program(code.encode(), None).frame.names["r"]


def run(code: str) -> Any:
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(code, "values", "exec", dont_inherit=True), names)
    return names["r"]


@pytest.mark.parametrize("expression", PYTHON)
def test_an_expression_has_the_value_that_python_gives(expression: str) -> None:
    code = f"{IMPORTS}r = {expression}"
    assert repr(read(code)) == repr(run(code))


@pytest.mark.parametrize("name", SECTIONS)
def test_statements_leave_the_value_that_python_leaves(name: str) -> None:
    assert repr(read(SECTIONS[name])) == repr(run(SECTIONS[name]))


@pytest.mark.parametrize("expression", NUMPY)
def test_an_expression_has_the_value_that_numpy_gives(expression: str) -> None:
    code = f"{IMPORTS}r = {expression}"
    found, wanted = read(code), run(code)
    if isinstance(wanted, np.ndarray):
        assert isinstance(found, Array)
        assert (found.shape, found.dtype.rstrip("0123456789")) == (wanted.shape, KINDS[wanted.dtype.kind])
        assert all(type(one) is type(wanted.flat[0].item()) for one in found.values or ())
        np.testing.assert_allclose(np.array(plain(found)), wanted)
    else:
        np.testing.assert_equal(found, wanted.item() if isinstance(wanted, np.generic) else wanted)


def _rounded(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_rounded, value))
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if type(value) is tuple else value


def words_of(value: Any) -> str:
    """Return a value of the reader as the table has it: the dtype and the numbers of a tensor, a name of PyTorch."""
    if isinstance(value, Array):
        return f"{value.dtype} {_rounded(_listed(plain(value)))}"
    return value.path if isinstance(value, Symbol) else repr(_rounded(value))


@pytest.mark.parametrize("code", TORCH)
def test_code_has_the_value_that_pytorch_gives(code: str) -> None:
    assert words_of(read(OF_TORCH + code)) == TORCH[code]


@pytest.mark.torch
def test_pytorch_gives_the_values_of_the_table() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found = {}
    for code in TORCH:
        value = run(OF_TORCH + code)
        if torch.is_tensor(value):
            found[code] = f"{str(value.dtype).removeprefix('torch.')} {_rounded(value.tolist())}"
        else:
            found[code] = repr(_rounded(tuple(value) if isinstance(value, torch.Size) else value))
    assert found == TORCH


@pytest.mark.parametrize("expression", KERAS_ROWS)
def test_an_expression_has_the_value_that_keras_gives(expression: str) -> None:
    assert repr(read(f"{KERAS['head of keras']}r = {expression}")) == KERAS_ROWS[expression]


@pytest.mark.parametrize("expression", DATA_ROWS)
def test_data_have_the_shapes_that_their_libraries_document(expression: str) -> None:
    assert repr(read(f"{KERAS['head of keras']}{KERAS['head of data']}r = {expression}")) == DATA_ROWS[expression]


@pytest.mark.keras
def test_keras_gives_the_values_of_the_table() -> None:
    names: dict[str, Any] = {}
    exec(KERAS["head of keras"], names)
    found = {expression: eval(expression, names) for expression in KERAS_ROWS}
    plain_values = {key: tuple(one) if type(one).__name__ == "TensorShape" else one for key, one in found.items()}
    assert {key: repr(one) for key, one in plain_values.items()} == KERAS_ROWS


def test_scikit_learn_gives_the_shapes_of_the_table() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    imports = "".join(re.findall(r"^from sklearn.*\n", KERAS["head of data"], re.M))
    names = [one.strip() for line in imports.splitlines() for one in line.partition("import")[2].split(",")]
    of_sklearn = re.compile("|".join(one for one in names if not one.startswith("fetch")))
    found = {}
    for expression in DATA_ROWS:
        if of_sklearn.search(expression) and "keras" not in expression:
            value = run(f"{IMPORTS}{imports}r = {expression}")
            found[expression] = repr(str(value) if isinstance(value, np.dtype) else value)
    assert len(found) > 20
    assert found == {expression: DATA_ROWS[expression] for expression in found}


BOUNDS = {
    "np.random.rand(50, 2)": (0, 1),
    "np.random.randn(50, 2)": None,
    "np.random.random((50, 2))": (0, 1),
    "np.random.random_sample(50)": (0, 1),
    "np.random.normal(0, 1, (50,))": None,
    "np.random.uniform(-1, 2, (50,))": (-1, 2),
    "np.random.uniform(low=3, high=5, size=50)": (3, 5),
    "np.random.uniform(size=(50,))": (0, 1),
    "np.random.uniform(2, 2, 50)": None,
    "np.random.randint(0, 10, (99,))": (0, 9),
    "np.random.randint(5, size=(50, 2))": (0, 4),
    "np.random.randint(low=2, high=4, size=50)": (2, 3),
    "np.random.rand(50) * 2 - 1": (-1, 1),
    "1 - np.random.rand(50)": (0, 1),
    "np.random.uniform(-3, 2, 50) ** 2": (0, 9),
    "np.random.rand(50) / 4": (0, 0.25),
    "np.random.randint(0, 256, (50, 8)) / 255": (0, 1),
    "np.random.rand(50) / np.random.rand(50)": None,
    "-np.random.rand(50)": (-1, 0),
    "np.random.rand(50)[:10]": (0, 1),
    "np.random.rand(50).astype('float32')": (0, 1),
    "np.random.rand(50, 2).reshape(100)": (0, 1),
}
"""Random numbers, and between which ends they lie; None where that is not known."""


@pytest.mark.parametrize("expression", BOUNDS)
def test_random_numbers_have_known_ends(expression: str) -> None:
    assert read(f"{IMPORTS}r = {expression}").bounds == BOUNDS[expression]
    values = np.asarray(run(f"{IMPORTS}np.random.seed(3)\nr = {expression}"))
    if (ends := BOUNDS[expression]) is not None:
        assert ends[0] <= values.min() and values.max() <= ends[1]


UNKNOWN = dict(line.split("  =  ") for line in (TESTS / "data/code/unknown_values.txt").read_text("utf-8").splitlines())


@pytest.mark.parametrize("expression", UNKNOWN)
def test_a_value_that_is_not_known_says_why(expression: str) -> None:
    value = read(f"{IMPORTS}from somewhere import unknown_thing\nr = {expression}")
    assert isinstance(value, Unknown) and value.reason == UNKNOWN[expression]


KEYS = {
    "{'a': 3}[name]": None, "{name: 3}[name]": 3, "{name: 3}['a']": None, "{K.A: 3, K.B: 4}[K.B]": 4,
    "{'a': 3}['a']": 3, "{name: 3, 'a': 4}['a']": 4, "{1: 3}[K]": None,
}  # fmt: skip
"""Items under keys of a module that is not read; None where the key may be any."""


@pytest.mark.parametrize("expression", KEYS)
def test_a_key_that_is_not_read_may_be_any(expression: str) -> None:
    value = read(f"from somewhere import name, K\nr = {expression}")
    assert (None if isinstance(value, Unknown) else value) == KEYS[expression]
