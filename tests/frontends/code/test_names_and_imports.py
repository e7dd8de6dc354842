"""Names that nothing defines, and imports that today's Keras refuses, are said to be so; an import that a `try` catches
goes the way that Keras makes it go."""

import builtins
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.library.keras_names import _CONVENTIONS, MERGES, MODELS, _text

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


BINDINGS = [
    "n = 4", "n: int = 4", "n, m = 4, 5", "(n := 4)", "for n in [4]: pass", "import math as n; n = 4", "[n := 4]",
    "with open(os.devnull) as n: n = 4", "try: n = 4\nexcept ValueError: pass", "match 4:\n    case n: pass",
    "exec('n = 4')", "globals()['n'] = 4", "def f():\n    global n\n    n = 4\nf()", "n = 4\ndel n\nn = 4", "if 1: n = 4",
    "while True:\n    n = 4\n    break", "try: n\nexcept NameError: n = 4", "try: n = N\nexcept NameError: n = 4",
    "try: np\nexcept NameError: n = 4", "try: n = xrange\nexcept NameError: n = 4", "*m, n = [3, 4]",
    "try: n = helper(2)\nexcept NameError: n = 4", 
    "pass", "if False: n = 4", "n = 4\ndel n", "def f(n): pass", "[n for n in [4]]", "class C: n = 4",
    "def f(): n = 4\nf()", "from keras.layers import *", "for n in []: pass", "n: int",
    "try: int('')\nexcept ValueError as n: pass", "def f():\n    global m\n    m = 4",
]  # fmt: skip
"""What a program may say of the name of a size, before it uses that."""


@pytest.mark.keras
@pytest.mark.parametrize("ending", ["", "n = 4"])
@pytest.mark.parametrize("binding", BINDINGS)
def test_a_size_that_has_no_value_is_said_to_be_a_name_error(binding: str, ending: str) -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    code = f"import os\nimport keras\n{binding}\nx = keras.Input((8,))\nm = keras.Model(x, keras.layers.Dense(n)(x))\n"
    raised = False
    try:
        exec(code + ending, {"__name__": "__main__", "__doc__": None})
    except NameError:
        raised = True
    report = layerexplain.explain((code + ending).encode())
    assert [note.code for note in report.notes] == ["undefined-size"] * raised
    assert report.grade == "complete"
    if raised:
        assert "--set n=64 gives a number" in report.notes[0].message


PLACES = {
    "script": "import keras\nx = keras.Input((8,))\nmodel = keras.Model(x, keras.layers.Dense(3)({use}(x)))",
    "function": "import keras\ndef build():\n    x = keras.Input((8,))\n    y = {use}(x)\n    return keras.Model(x, y)",
    "called": "import keras\ndef build():\n    x = keras.Input((8,))\n    y = {use}(x)\n    return keras.Model(x, y)\nm = build()",
    "Keras call": "import keras\nclass M(keras.Model):\n    def __init__(self):\n        super().__init__()\n        "
    "self.d = keras.layers.Dense(3)\n    def call(self, x):\n        return self.d({use}(x))\nm = M()\n"
    "y = m(keras.ops.ones((2, 8)))",
    "forward": "import torch\nclass M(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        "
    "self.d = torch.nn.Linear(8, 3)\n    def forward(self, x):\n        return {use}(self.d(x))\nm = M()\n"
    "y = m(torch.ones(2, 8))",
    "init": "import torch\nclass M(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        "
    "self.d = {use}(torch.nn.Linear(8, 3))\n    def forward(self, x):\n        return self.d(x)\nm = M()\n"
    "y = m(torch.ones(2, 8))",
}
USES = ["helper", "F.relu", "tools.blocks.helper", "ops.abs", "ReLU()", "(lambda x: helper(x))"]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(key, marks=pytest.mark.torch if "torch" in code else pytest.mark.keras)
        for key, code in PLACES.items()
    ],
)
def test_what_a_script_calls_without_a_definition_is_an_error_at_its_line(place: str, use: str, tmp_path: Path) -> None:
    """Python stops there, and in a paste it is said, where it is assumed to be what people mean."""
    code = PLACES[place].replace("{use}", use)
    pytest.importorskip("torch" if "torch" in code else "tensorflow", reason="the framework is not installed")
    script = tmp_path / "train.py"
    script.write_text(code + "\n")
    space: dict[str, Any] = {}
    with pytest.raises(NameError) as caught:
        exec(compile(code, str(script), "exec"), space)
        space["build"]()
    name = re.findall(r"name '(\w+)' is not defined", str(caught.value))[0]  # Keras adds to the message
    line = code[: code.index(use)].count("\n") + 1
    report = layerexplain.explain(script)
    named = [fault.line for fault in report.faults if f"{name} is not defined" in fault.fact]
    assert report.grade == "open" and named == [line]
    pasted = layerexplain.explain(code.encode())
    said = [note.message for note in pasted.notes if name in note.message]
    assert pasted.grade != "complete" and any("not defined" in one and f"line {line}: " in one for one in said)


def test_every_name_that_python_has_is_defined() -> None:
    names = [name for name in dir(builtins) if name[:1] != "_"]
    names += [
        "__import__",
        "__debug__",
        "__build_class__",
        "__doc__",
        "__spec__",
        "__package__",
        "__loader__",
        "__builtins__",
        "__file__",
        "__name__",
    ]
    uses = "".join([f"print({name})\n" for name in names])
    report = layerexplain.explain(f"{HEAD}{uses}{MODEL}".encode())
    assert (report.grade, report.notes, report.faults) == ("complete", (), ())
    older = layerexplain.explain(f"{HEAD}print(xrange)\n{MODEL}".encode())
    assert older.grade == "complete" and "a name of Python 2" in older.notes[0].message


BODIES = [
    "h = n\nn = 3", "if False: n = 3\nh = n", "n = 3\nh = n", "h = n", "for n in []: pass\nh = n", "n += 1\nh = n",
    "for n in [3, 4]: pass\nh = n", "h = [n for n in [3]][0]\nh += n", "global n\nh = n\nn = 3", "n = 3\ndel n\nh = n",
    "try: n = int('')\nexcept ValueError: pass\nh = n", "try: h = n\nexcept NameError: h = 2\nn = 3", "import n\nh = n",
    "def f():\n    return n\nh = f()", "def f():\n    n = 2\n    return n\nh = n + f()", "h = (lambda n: n)(2) + n",
    "h = [(n := 2) for _ in [1]][0] + n", "class C: n = 2\nh = n", "with open(os.devnull) as n: pass\nh = 2", "n: int\nh = n",
    "while False: n = 3\nh = n", "h = max(n for n in [2]) + n", "def f():\n    global n\n    n = 2\nf()\nh = n",
]  # fmt: skip
"""What a function does with a name that the module has too."""


@pytest.mark.parametrize("body", BODIES)
def test_a_name_of_a_function_is_used_before_it_has_a_value_where_python_says_so(body: str) -> None:
    body = body.replace("import n", "import os as n\nn = 3")
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    code = f"import os\nn = 5\ndef build():\n{lines}\n    return MODEL(h)\nm = build()\n"
    raised = False
    try:
        exec(code, {"MODEL": lambda size: None})
    except UnboundLocalError:
        raised = True
    keras = "keras.Sequential([keras.Input((8,)), keras.layers.Dense(h)])"
    try:
        report = layerexplain.explain(("import keras\n" + code.replace("MODEL(h)", keras)).encode())
    except layerexplain.LayerExplainError as error:
        assert raised and "UnboundLocalError" in str(error)
    else:
        assert any("UnboundLocalError" in fault.fact for fault in report.faults) == raised
        assert raised or report.grade == "complete"


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


OLDER = """
engine engine.topology layers.core layers.convolutional layers.recurrent layers.normalization layers.merge utils.np_utils
layers.advanced_activations objectives wrappers.scikit_learn backend.tensorflow_backend callbacks.callbacks engine.training
models.sequential initializers.initializers_v2 initializations legacy legacy.saving wrappers src utils.vis_utils
""".split()  # noqa: SIM905
MODULES = [
    line.partition(" | ")[0] for line in _text().splitlines() if re.match(r"[\w.]+ \|( -)?( \|)? module( |$)", line)
]


@pytest.mark.keras
@pytest.mark.parametrize("root", ["keras", "tensorflow.keras"])
def test_imports_of_modules_are_errors_where_they_are_errors(root: str) -> None:
    """In each form of an import; a `try` that catches it goes the other way. Of `tensorflow.keras` a TensorFlow with
    Keras 2 may have more."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip(root.partition(".")[0])
    assert len(MODULES) > 60 and keras.__version__.startswith("3")
    for module in [*MODULES, *OLDER]:
        above, _, last = f"{root}.{module}".rpartition(".")
        forms = [f"import {root}.{module}", f"import {root}.{module} as m", f"from {root}.{module} import *"]
        for form in [*forms, f"from {above} import {last}"]:
            try:
                exec(form, {})
                raised = ""
            except ImportError as error:
                raised = type(error).__name__
            report = layerexplain.explain(f"{form}\n{HEAD}{MODEL}".encode())
            wrong = [fault for fault in report.faults if fault.line == 1]
            if root == "keras" or module not in MODULES:
                assert bool(wrong) == bool(raised), (form, raised, report.faults)
            assert raised or not wrong, form
            lacks = f"Keras 3 has no module '{root}.{module.partition('.')[0]}"
            said = [note.message for note in report.notes if lacks in note.message]
            assert bool(raised) == bool(wrong or said), form
            caught = f"try:\n    {form}\nexcept ImportError:\n    pass\n{HEAD}{MODEL}"
            assert not layerexplain.explain(caught.encode()).faults, form


@pytest.mark.keras
@pytest.mark.parametrize("root", ["keras", "tf.keras"])
def test_modules_that_keras_lacks_are_said_where_a_program_uses_them_as_attributes(root: str) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    for module in [*MODULES, "layers.core", "engine", "engine.topology", "layers.convolutional", "utils.np_utils"]:
        value: Any = keras if root == "keras" else tensorflow.keras
        for part in module.split("."):
            value = getattr(value, part, None)
        code = f"import keras\nimport tensorflow as tf\nprint({root}.{module}.Name)\n{HEAD}{MODEL}"
        report = layerexplain.explain(code.encode())
        said = [*[fault.fact for fault in report.faults], *[note.message for note in report.notes]]
        public = f"{root.replace('tf', 'tensorflow')}.{module.partition('.')[0]}"
        assert any(f"Keras 3 has no module '{public}" in words for words in said) == (value is None), module


@pytest.mark.parametrize("greeting", ["Hello", "Hello,", "Hi, all", "Hello\n\nThanks"])
def test_a_greeting_is_no_name(greeting: str) -> None:
    report = layerexplain.explain(f"{greeting}\n\n{HEAD}{MODEL}\nThanks\n".encode())
    assert (report.grade, report.notes) == ("complete", ())
