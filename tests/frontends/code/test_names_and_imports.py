"""Names that nothing defines, and imports that today's Keras refuses, are said to be so; an import that a `try` catches
goes the way that Keras makes it go."""

from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.library.keras_names import _CONVENTIONS, MERGES, MODELS

HEAD = "import keras\nfrom keras import layers\nimport torch\nfrom torch import nn\n"
MODEL = "x = keras.Input((8,))\nmodel = keras.Model(x, layers.Dense(3)(x))\n"
NET = (
    "class Net(nn.Module):\n    def forward(self, x):\n        {line}\n        return x * 2\nNet()(torch.ones(2, 3))\n"
)
UNDEFINED = {
    "a call": f"print(missing)\n{MODEL}",
    "a test": f"if missing:\n    pass\n{MODEL}",
    "an unused value": f"y = missing + 1\n{MODEL}",
    "a line of forward": NET.format(line="print(missing)"),
}
DEFINED = {
    "after the model": f"{MODEL}model.compile(loss='mse')\nmodel.fit(missing, other)\n",
    "in a function that nothing calls": f"def unused():\n    return missing\n{MODEL}",
    "a model that add makes": "missing.add(layers.Dense(3, input_shape=(8,)))\n",
}


CONVENTIONAL = [*_CONVENTIONS, *MODELS, *MERGES, "Dense", "Input", "Adam", "l2", "EarlyStopping"]


@pytest.mark.parametrize("library", ["keras", "torch"])
def test_a_name_that_people_mean_is_a_name_error_where_a_program_imports_its_framework(library: str) -> None:
    net = NET.replace("nn.Module", "torch.nn.Module").replace("{line}", "print({name})")
    model = f"print({{name}})\n{MODEL}".replace(" layers.", " keras.layers.")
    code = f"import {library}\n{net if library == 'torch' else model}"
    for name in [one for one in CONVENTIONAL if one != library]:
        report = layerexplain.explain(code.replace("{name}", name).encode())
        assert report.grade != "complete", name
        assert f"{name} is not defined or imported in this code" in report.notes[0].message


def test_code_without_imports_of_a_framework_means_what_people_mean() -> None:
    assert layerexplain.explain(b"model = Sequential([Input((8,)), Dense(int(np.prod([2, 3])))])").grade == "complete"
    assert layerexplain.explain(b"class N(nn.Module):\n def forward(self, x): return F.relu(x)\nN()(torch.ones(2, 3))")


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_name_that_nothing_defines_is_a_name_error(name: str) -> None:
    report = layerexplain.explain((HEAD + UNDEFINED[name]).encode())
    assert report.grade == "assumed"
    assert [note.message.partition(": ")[2].partition(" is ")[0] for note in report.notes] == ["missing"]
    assert "NameError" in report.notes[0].message


@pytest.mark.parametrize("name", DEFINED)
def test_other_names_leave_the_answer_complete(name: str) -> None:
    report = layerexplain.explain((HEAD + DEFINED[name]).encode())
    assert report.grade == "complete" and not any("NameError" in note.message for note in report.notes)


@pytest.mark.parametrize("head", ["", "import torch.nn as nn\n", "import keras\n"])
def test_an_unknown_base_class_is_named(head: str) -> None:
    code = f"{head}class M(Base):\n    def __init__(self):\n        super().__init__()\nm = M()\n"
    with pytest.raises(
        layerexplain.LayerExplainError, match=r"M is depends on the base class Base .*: it is not defined"
    ):
        layerexplain.explain(code.encode())


TF_OUTSIDE = "import tensorflow as tf\n{}x = keras.Input((8,))\nmodel = keras.Model(x, tf.{}(x))\n"


@pytest.mark.parametrize("function", ["nn.relu", "math.abs", "square", "identity", "reduce_mean"])
def test_a_tensorflow_function_outside_a_layer_is_refused_where_the_program_imports_keras_3(function: str) -> None:
    report = layerexplain.explain(TF_OUTSIDE.format("import keras\n", function).encode())
    assert [fault.line for fault in report.faults] == [4] and report.grade == "open"
    older = layerexplain.explain(TF_OUTSIDE.format("from tensorflow import keras\n", function).encode())
    assert not older.faults and "Keras 3 refuses" in older.notes[0].message


@pytest.mark.keras
@pytest.mark.parametrize("name", ["after the model", "in a function that nothing calls"])
def test_a_script_ends_at_the_first_name_that_it_lacks_behind_its_model(name: str, tmp_path: Path) -> None:
    """Of what was pasted nobody says that it is a whole program."""
    script = tmp_path / "train.py"
    script.write_text(HEAD.replace("import torch\nfrom torch import nn\n", "") + DEFINED[name])
    space: dict[str, Any] = {}
    lines: list[str] = []
    try:
        exec(script.read_text().replace("model.fit(", "(lambda *_: 0)("), space)
    except NameError as error:
        lines = [f"{error.name} (line {error.__traceback__.tb_next.tb_lineno})"]  # type: ignore[union-attr]
    report = layerexplain.explain(script)
    later = [note.message for note in report.notes if note.code == "undefined-later"]
    assert report.grade == "complete" and [one[: len(line)] for one, line in zip(later, lines, strict=True)] == lines


LACKING = "keras.engine", "keras.layers.core", "keras.engine.topology", "keras.initializations"
PRESENT = "keras.layers", "keras.applications.resnet50", "keras.utils", "keras.src.backend", "keras.preprocessing.image"


@pytest.mark.parametrize("module", [*LACKING, *PRESENT])
def test_an_import_of_a_module_that_keras_lacks_is_an_error(module: str) -> None:
    report = layerexplain.explain(f"import {module}\n{HEAD}{MODEL}".encode())
    words = [f"Keras 3 has no module '{module}'"] * (module in LACKING)
    assert [fault.fact.partition(":")[0] for fault in report.faults] == words


@pytest.mark.parametrize(
    "statement", ["from keras import initializations", "import keras.engine", "from keras.engine import a"]
)
@pytest.mark.parametrize("caught", ["ImportError", "ModuleNotFoundError", "Exception", "(ImportError, ValueError)", ""])
def test_a_try_takes_the_other_import(statement: str, caught: str) -> None:
    code = f"try:\n    {statement}\n    units = 5\nexcept {caught}:\n    units = 3\n"
    report = layerexplain.explain(f"{code}{HEAD}{MODEL.replace('Dense(3', 'Dense(units')}".encode())
    if (statement, caught) == ("from keras import initializations", "ModuleNotFoundError"):  # it raises ImportError
        assert [fault.line for fault in report.faults] == [2]
    else:
        assert (report.grade, report.faults, report.notes) == ("complete", (), ())
        assert report.totals.params == 8 * 3 + 3


@pytest.mark.keras
def test_keras_has_these_modules_and_lacks_the_others() -> None:
    import importlib

    pytest.importorskip("keras", reason="Keras is not installed")
    for module in PRESENT:
        if module != "keras.preprocessing.image":  # a package whose modules are made when it is imported
            importlib.import_module(module)
    for module in LACKING:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(module)


@pytest.mark.parametrize("greeting", ["Hello", "Hello,", "Hi, all", "Hello\n\nThanks"])
def test_a_greeting_is_no_name(greeting: str) -> None:
    report = layerexplain.explain(f"{greeting}\n\n{HEAD}{MODEL}\nThanks\n".encode())
    assert (report.grade, report.notes) == ("complete", ())
