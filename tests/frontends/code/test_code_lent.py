"""`--code` of a program: what it uses and does not have is read from the files that are named. The same program with the
code in it is the oracle."""

from pathlib import Path

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from tests.support.commands import invoke
from tests.support.frameworks import keras

MINE = """import keras

class Twice(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.inner = keras.layers.Dense(units)

    def call(self, x):
        return self.inner(x) * 2

def block(x, units):
    return keras.layers.ReLU()(Twice(units)(x))

class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.last = Twice(5), keras.layers.Dense(2)

    def call(self, x):
        return self.last(self.first(x))
"""
LAYER = "m = keras.Sequential([keras.Input((4,)), {}(3)])\n"
BLOCK = "i = keras.Input((4,))\nm = keras.Model(i, {}(i, 3))\n"
NET = "m = {}()\nm.build((None, 4))\n"
WAYS = {
    "a layer that is not imported": ("", LAYER.format("Twice")),
    "a layer of a module that is not there": ("from lib.parts import Twice\n", LAYER.format("Twice")),
    "under another name": ("from lib.parts import Twice as T\n", LAYER.format("T")),
    "behind the name of a module": ("import lib.parts as parts\n", LAYER.format("parts.Twice")),
    "behind all names of a module": ("import lib.parts\n", LAYER.format("lib.parts.Twice")),
    "of all that a module has": ("from lib.parts import *\n", LAYER.format("Twice")),
    "of a module beside that is not there": ("from .parts import Twice\n", LAYER.format("Twice")),
    "a function": ("from lib.parts import block\n", BLOCK.format("block")),
    "a model": ("from lib.parts import Net\n", NET.format("Net")),
    "a class that extends it": ("from lib.parts import Twice\nclass More(Twice):\n    pass\n", LAYER.format("More")),
}  # fmt: skip
"""What the program imports, and what it makes."""


def facts(source: str | bytes, code: object = ()) -> list[object]:
    report = layerexplain.explain(source, code=code)
    rows = [(row.type, row.output_shapes, row.formula, row.params, row.macs) for row in report.layers]
    return [report.model_type, report.totals, rows, [one.code for one in report.notes]]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "mine.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_what_a_program_lacks_is_read_from_the_file(way: str, mine: Path, tmp_path: Path) -> None:
    imported, rest = WAYS[way]
    path = tmp_path / "train.py"
    path.write_text(f"import keras\n{imported}{rest}")
    pasted = MINE + "\nclass lib:\n    class parts:\n        Twice = Twice\nparts = lib.parts\nT = Twice\n"
    own = imported.partition("\n")[2]
    expected = facts((pasted + own + rest).encode())
    assert expected[1].params is not None and expected[3] in ([], ["built-without-call"])
    assert facts(str(path), str(mine)) == expected
    assert facts(path.read_bytes(), mine) == expected
    if "Net" in rest:
        with pytest.raises(LayerExplainError, match="builds no model"):
            layerexplain.explain(str(path))
    else:
        assert layerexplain.explain(str(path)).totals.params is None


def test_a_folder_and_several_files_lend_too(mine: Path, tmp_path: Path) -> None:
    code = f"import keras\nfrom lib.parts import Twice\n{LAYER.format('Twice')}".encode()
    other = tmp_path / "other.py"
    other.write_text("import keras\nclass Other(keras.layers.Layer):\n    def call(self, x):\n        return x + 1\n")
    expected = facts(code, mine)
    assert expected[1].params == 15
    assert facts(code, mine.parent) == expected
    assert facts(code, [other, mine]) == expected
    assert facts(code, [mine, other]) == expected


def test_what_a_program_has_stays_its_own(mine: Path, tmp_path: Path) -> None:
    own = "class Twice(keras.layers.Layer):\n    def __init__(self, units):\n        super().__init__()\n    def call(self, x):\n        return x\n"
    assert facts(f"import keras\n{own}{LAYER.format('Twice')}".encode(), mine)[1].params == 0
    (tmp_path / "beside.py").write_text(f"import keras\n{own}")
    path = tmp_path / "train.py"
    path.write_text(f"import keras\nfrom beside import Twice\n{LAYER.format('Twice')}")
    assert facts(str(path), mine)[1].params == 0
    mine.write_text(MINE.replace("Twice", "Dense2").replace("def block", "def Dense"))
    kept = f"import keras\nfrom keras.layers import Dense\n{LAYER.format('Dense')}".encode()
    assert [row[0] for row in facts(kept, mine)[2]] == ["InputLayer", "Dense"]


def test_the_command_finds_it_and_names_the_file(mine: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(
        "import keras\nfrom lib.parts import Twice\ndef build(n):\n    return keras.Sequential([keras.Input((4,)), Twice(n)])\n"
    )
    source = f"{path}:build"
    run = invoke("summary", source, "--set", "n=3", "--code", mine)
    assert run.exit_code == 0, run.output
    assert "(None, 3)" in run.output and "15" in run.output
    wrong = invoke("summary", source, "--set", "n=-3", "--code", mine)
    assert wrong.exit_code == 1
    assert "mine.py:6" in wrong.stderr


@pytest.mark.keras
def test_keras_has_as_many_weights_with_the_code_in_the_program(mine: Path) -> None:
    for way, count in (("a layer that is not imported", 15), ("a function", 15), ("a model", 37)):
        names: dict[str, object] = {}
        exec(MINE + WAYS[way][1], names)
        names["m"](keras.ops.zeros((1, 4)))  # type: ignore[operator]
        assert names["m"].count_params() == count  # type: ignore[attr-defined]
        assert facts(f"import keras\n{WAYS[way][0]}{WAYS[way][1]}".encode(), mine)[1].params == count
