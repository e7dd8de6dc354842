"""Libraries of the code reader: a function is a row under all its names, and another library one more module."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.frontends.code.library import registry
from layerexplain.frontends.code.library.keras_framework import Keras
from layerexplain.frontends.code.machine.interpreter import FrameworkLibrary, Library
from layerexplain.frontends.code.reader import read_code
from layerexplain.frontends.code.values.base import Symbol, Unknown, UnknownValue
from layerexplain.frontends.code.values.layers import ModelValue
from layerexplain.frontends.code.values.program import Instance

CODE = Path(registry.__file__).parents[1]

SIZES = Library("sizes")


@SIZES.function("sizes.double", "sizes.wide.twice")
def _double(args: list[Any], kwargs: dict[str, Any], _: object) -> Any:
    if not args:
        return NotImplemented
    if not isinstance(args[0], int):
        raise UnknownValue(Unknown("twice of what is no number"))
    return 2 * args[0]


@SIZES.function("sizes.nothing")
def _nothing(args: list[Any], kwargs: dict[str, Any], _: object) -> Any:
    return None


PROGRAM = """
import keras
import sizes
from sizes.wide import twice
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense({units}, activation={activation})])
"""


def layer_of(units: str, activation: str = "None") -> tuple[str, Any]:
    """How sure the reading is of a program with a layer of some units, and what they are read as."""
    model = read_code(PROGRAM.format(units=units, activation=activation).encode(), None)
    return model.grade, next(one for one in model.layers if one.type == "Dense").config["units"]


def test_a_function_is_read_under_each_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LIBRARIES, "sizes", SIZES)
    assert layer_of("sizes.double(5)") == ("complete", 10)
    assert layer_of("twice(7)") == ("complete", 14)


def test_none_is_a_result_and_what_is_not_read_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LIBRARIES, "sizes", SIZES)
    assert layer_of("11", "sizes.nothing()") == ("complete", 11)
    for units in ("sizes.double()", "sizes.half(22)", "sizes.double('a')"):
        assert layer_of(units) == ("open", None)


class Tiny(Keras):
    """A library that models are made with, whose user-defined classes have a `forward`."""

    roots = frozenset({"tiny"})
    call_name = "forward"

    def call_symbol(self, symbol: Symbol, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return self.make_layer("Dense", args, kwargs) if symbol.path == "tiny.Linear" else NotImplemented

    def begin_instance(self, instance: Instance) -> None:
        instance.layer = ModelValue(self, "own", instance.cls.name, "", self.interpreter.place())
        instance.layer.instance = instance
        instance.layer.config = {"base": "Model", "model": True}


TINY = """
import keras
import tiny

class Net(tiny.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = tiny.Linear(width)
        self.outer = tiny.Linear(2)

    def forward(self, x):
        return self.outer(self.inner(x) + 1)

x = keras.Input((3,))
net = Net(5)
y = net(x)
"""


def test_a_second_library_makes_models_beside_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FRAMEWORKS", (Keras, Tiny))
    monkeypatch.setitem(registry.LIBRARIES, "tiny", FrameworkLibrary("tiny"))
    model = read_code(TINY.encode(), None, "net")
    report = api.explain(model)
    assert (model.type, model.grade) == ("Net", "complete")
    assert report.totals.params == (3 + 1) * 5 + (5 + 1) * 2
    assert [row.type for row in report] == ["Dense", "Add", "Dense"]


def annotations_in(text: str) -> list[str]:
    """Return the annotations of a module: of parameters, results and variables."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.arg() | ast.AnnAssign():
                found.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.append(node.returns)
    return [ast.unparse(one) for one in found if one is not None]


def test_annotations_are_found() -> None:
    text = "def f(a: Any, *b: int, c: str = '', **d: Any) -> list[Any]:\n  e: float = 1.5\n  return lambda g: g"
    assert sorted(annotations_in(text)) == ["Any", "Any", "float", "int", "list[Any]", "str"]


def test_few_annotations_of_the_reader_say_any() -> None:
    """Whatever a program computes is a `ProgramValue`; `Any` beside it would hide a call from the type checker."""
    found = [one for path in CODE.rglob("*.py") for one in annotations_in(path.read_text("utf-8"))]
    anything = [one for one in found if re.search(r"\bAny\b", one)]
    assert len(found) > 3000
    assert len(anything) < 0.12 * len(found), f"{len(anything)} of {len(found)} annotations"
