"""The names and the order of arguments are those of the libraries: what each function takes is what the installed
library says, and a call with all of its arguments by name is read with the shape that the library gives."""

import ast
import importlib.util
import inspect
import itertools
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

import layerexplain
from layerexplain.call_signature import OF_NO_VALUE
from layerexplain.frontends.code.library.keras_functions import TODAY
from layerexplain.frontends.code.library.keras_names import arguments, operation_type
from layerexplain.frontends.code.library.signatures import REQUIRED, declared_names, fitting, overloads, text_of
from layerexplain.frontends.code.values.program import signature_of
from layerexplain.layers.index import types
from layerexplain.layers.registry import find
from tests.support.paths import TESTS

CALLS = {
    name: lines.splitlines()
    for name, lines in re.findall(
        r"^### (\w+)\n(.*?)(?=^### |\Z)", (TESTS / "data/code/calls_by_name.txt").read_text("utf-8"), re.M | re.S
    )
}
ROOTS = {"K": "backend", "F": "torch.nn.functional", "x": "torch.Tensor", "np": "numpy"}
HEADS = {
    "tensorflow": "import keras, tensorflow as tf",
    "backend": "import tf_keras as keras\nfrom tf_keras import backend as K",
    "ops": "import keras, numpy as np\nfrom keras import ops",
}


def _paths() -> list[tuple[str, str]]:
    """The functions whose signatures are known, and the types of their formulas."""
    names = re.findall(r"^(?:ops|backend)\.\w+(?= \|)", text_of("keras_signatures.txt"), re.M)
    today = {name: operation_type(TODAY.get(name[8:], "") if name[:2] == "ba" else name[4:]) for name in names}
    return [
        *((name, name) for name in types() if name.startswith("tf.")),
        *((name, f"ops.{type_}") for name, type_ in today.items() if type_ is not None),
    ]


@pytest.mark.parametrize("package", ["tf", "ops", "backend"])
def test_each_argument_that_is_required_has_its_place_in_the_formula(package: str) -> None:
    lost = []
    for path, type_ in _paths():
        declaration = find(type_) if path.startswith(f"{package}.") else None
        for signature in overloads(path) if declaration is not None else ():
            assert declaration is not None
            if signature.any_count:
                continue
            names = declared_names(declaration, signature.names, signature.required)
            needs = [*declaration.tensors[: len(declaration.tensors) - declaration.optional]]
            needs += [name for name, one in declaration.arguments.items() if one.default is REQUIRED]
            required = {*signature.required} - OF_NO_VALUE - declaration.ignores
            lost += [(path, name) for name in required if name not in names]
            lost += [(path, name) for name in needs if name not in names.values()]
    assert set(lost) <= {("ops.select", "choicelist"), *LISTED}


LISTED = {(f"ops.{name}", "b") for name in ("fft", "fft2", "ifft2", "irfft", "istft")}
"""Functions that take one pair of tensors, which the formula takes one by one."""


def _by_name(text: str, is_tensor: Callable[[Any], bool], names: Mapping[str, Any]) -> str:
    """A call with each of its arguments by its name; the same where they have none."""
    tree = ast.parse(text, mode="eval").body
    call: Any = tree
    while not isinstance(call, ast.Call):
        call = call.value
    root, _, last = ast.unparse(call.func).partition(".")
    if not call.args or (root in ("np", "ops") and last in ("einsum", "minimum", "maximum")):
        return text
    values = [eval(ast.unparse(one), {**names}) for one in call.args]
    path = f"{ROOTS.get(root, root)}.{last}"
    if root == "tf" and not overloads(path):
        path = next(p for p in (f"tf.math.{last}", f"tf.linalg.{last}", f"tf.nn.{last}") if overloads(p))
    signature = fitting(path, values, {one.arg: None for one in call.keywords if one.arg}, is_tensor)
    assert signature is not None, text
    if len(signature.positional) < len(values):
        return text
    given = [ast.keyword(name, one) for name, one in zip(signature.positional, call.args, strict=False)]
    call.args, call.keywords = [], [*given, *call.keywords]
    return ast.unparse(tree)


@pytest.mark.keras
@pytest.mark.parametrize("library", HEADS)
def test_a_call_by_name_has_the_shape_that_keras_gives(library: str) -> None:
    np = pytest.importorskip("numpy")
    names: dict[str, Any] = {}
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    exec(HEADS[library], names)
    names["x"] = names["keras"].ops.ones((2, 6, 4)) if library != "backend" else names["K"].ones((2, 6, 4))
    wrong = []
    for text in CALLS[library]:
        for form in dict.fromkeys([text, _by_name(text, lambda value: False, names)]):
            shape = tuple(np.shape(eval(form, names)))
            code = f"{HEADS[library]}\nclass Own(keras.layers.Layer):\n    def call(self, x):\n        return {form}\n"
            code += "x = keras.Input(batch_shape=(2, 6, 4))\nmodel = keras.Model(x, Own()(x))\n"
            report = layerexplain.explain(code.encode())
            if report.grade != "complete" or report.layers[-1].output_shapes[0] != shape:
                wrong.append((form, shape, report.layers[-1].output_shapes))
    assert wrong == []


@pytest.mark.torch
def test_a_call_by_name_has_the_shape_that_pytorch_gives() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    names = {"torch": torch, "F": torch.nn.functional, "x": torch.randn(2, 6, 4)}
    wrong = []
    for text in CALLS["torch"]:
        form = _by_name(text, lambda value: isinstance(value, torch.Tensor), names)
        shape = tuple(eval(form, names).shape)
        code = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nclass Net(nn.Module):\n"
        code += f"    def forward(self, x):\n        return {form}\nmodel = Net()\nmodel(torch.randn(2, 6, 4))\n"
        report = layerexplain.explain(code.encode())
        found = report.outputs[0].shape if report.outputs else None
        if found is None or report.grade != "complete" or tuple([size or 2 for size in found]) != shape:
            wrong.append((form, shape, found, report.notes))
    assert wrong == []


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("signatures", TESTS.parent / "scripts/signatures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.keras
@pytest.mark.torch
def test_the_signatures_are_those_of_the_installed_libraries() -> None:
    for name in ("tensorflow", "tf_keras", "torch"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    script = _script()
    assert text_of("keras_signatures.txt")[1:] == script.text()
    assert text_of("signatures.txt")[1:] == "\n".join([*script.of_numpy(), *script.of_torch(), ""])


HEADERS = ("", "a", "a, b=2", "a, /, b", "a, b=2, /, c=3", "*, k", "a, *, k, j=5", "a, *rest", "a, b=2, *rest, k=4", "**others", "a, /, **others", "a, b=2, *rest, k, **others")  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_a_call_is_bound_as_python_binds_it(header: str) -> None:
    """All calls with up to four arguments and any of six names: too many, missing, unknown, twice."""
    node = ast.parse(f"def f({header}): ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    names: dict[str, Any] = {}
    exec(f"def f({header}): ...", names)
    theirs, ours = inspect.signature(names["f"]), signature_of(node)
    for count, some in itertools.product(range(5), itertools.product([False, True], repeat=6)):
        args = list(range(count))
        kwargs = {name: name.upper() for name, is_given in zip("abckjz", some, strict=True) if is_given}
        try:
            bound = theirs.bind(*args, **kwargs).arguments
        except TypeError:
            assert ours.misfit(count, kwargs) is not None, (args, kwargs)
        else:
            assert ours.misfit(count, kwargs) is None, (args, kwargs)
            assert {"rest": (), "others": {}, **ours.bind(args, kwargs)} == {"rest": (), "others": {}, **bound}


@pytest.mark.keras
def test_an_argument_of_a_layer_has_the_place_that_it_has_in_keras() -> None:
    keras = pytest.importorskip("keras")
    wrong = []
    for name in types():
        layer = getattr(keras.layers, name, None)
        if layer is None or "." in name or name in ("Wrapper", "Lambda"):
            continue
        parameters = inspect.signature(layer.__init__).parameters.values()
        theirs = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
        wrong += [(name, ours, theirs) for ours in [arguments(f"layers.{name}")] if [*ours] != theirs]
    assert not wrong


def test_training_in_its_place_is_training_by_its_name() -> None:
    names = re.findall(r"^layers\.(\w+)\.call(?= \|)", text_of("keras_signatures.txt"), re.M)
    made = {"units": 3, "filters": 3, "kernel_size": 2, "rate": 0.25, "factor": 0.25, "stddev": 0.5, "num_heads": 2}
    read = []
    for name in names:
        order, declaration = arguments(f"layers.{name}.call"), find(name)
        if declaration is None or "training" not in order or len(overloads(f"layers.{name}.call")[0].required) != 1:
            continue
        required = [key for key, argument in declaration.arguments.items() if argument.default is REQUIRED]
        if not made.keys() >= {*required}:
            continue
        given = ", ".join(f"{key}={made[key]}" for key in required)
        before = ", None" * (order.index("training") - 1)
        size = (8, 9, 4)[3 - ((declaration.ndim or 3) - 1) :]
        reports = [
            layerexplain.explain(
                f"import keras\nx = keras.Input({size})\nm = keras.Model(x, keras.layers.{name}({given})(x{call}))".encode()
            ).to_dict()
            for call in (f"{before}, True", ", training=True")
        ]
        older = [note for note in reports[0]["notes"] if note["code"] == "old-argument"]  # Keras 3 asks for its name
        assert older and reports[0] == {**reports[1], "notes": [*older, *reports[1]["notes"]]}, name
        read.append(name)
    assert {"Dropout", "LSTM", "Dense", "BatchNormalization"} <= {*read} and len(read) > 10


KERAS_CALLS = (
    ("LSTM(4)", "x, [h, h], k", "x, initial_state=[h, h], mask=k"),
    ("GRU(4)", "x, h, k", "x, initial_state=h, mask=k"),
    ("GRU(4)", "x, None, k", "x, mask=k"),
    ("RNN(keras.layers.LSTMCell(4))", "x, [h, h], k", "x, initial_state=[h, h], mask=k"),
    ("Bidirectional(keras.layers.GRU(4))", "x, [h, h], k", "x, initial_state=[h, h], mask=k"),
    ("Attention()", "[x, x], [k, k]", "[x, x], mask=[k, k]"),
    ("AdditiveAttention()", "[x, x], [k, None]", "[x, x], mask=[k, None]"),
    ("BatchNormalization()", "x, None, k", "x, mask=k"),
    ("GlobalAveragePooling1D()", "x, k", "x, mask=k"),
)
KERAS_PROGRAM = """import keras
x, m, h = keras.Input((9, 8)), keras.Input((9, 9), dtype="bool"), keras.Input((4,))
k = keras.Input((9,), dtype="bool")
model = keras.Model([x, m, h, k], keras.layers.{}({}))
"""


@pytest.mark.parametrize(("make", "by_place", "by_name"), KERAS_CALLS)
def test_a_layer_takes_its_arguments_in_the_order_of_keras(make: str, by_place: str, by_name: str) -> None:
    programs = [KERAS_PROGRAM.format(make, call) for call in (by_place, by_name)]
    reports = [layerexplain.explain(program.encode()).to_dict() for program in programs]
    assert reports[0] == reports[1] and reports[0]["model"]["grade"] == "complete"


@pytest.mark.keras
def test_keras_takes_these_calls_too() -> None:
    pytest.importorskip("keras")
    for make, *calls in KERAS_CALLS:
        models = [dict[str, Any](), dict[str, Any]()]
        for names, call in zip(models, calls, strict=True):
            exec(KERAS_PROGRAM.format(make, call), names)
        shapes = [[tuple(one.shape) for one in names["model"].outputs] for names in models]
        assert shapes[0] == shapes[1], make


FORWARDS = {
    "Linear(8, 3)": "input=x",
    "MultiheadAttention(8, 2, batch_first=True)": "query=x; key=x; value=x; key_padding_mask=None; need_weights=False; attn_mask=m",
    "ConvTranspose1d(5, 4, 3, stride=2)": "input=x; output_size=[18]",
    "LSTM(8, 4, batch_first=True)": "input=x; hx=(h, h)",
    "GRU(8, 4, batch_first=True)": "input=x; hx=h",
    "Bilinear(8, 8, 3)": "input1=x; input2=x",
    "CosineSimilarity(2)": "x1=x; x2=x",
    "TransformerEncoderLayer(8, 2, 16, batch_first=True)": "src=x; src_mask=m",
    "TransformerDecoderLayer(8, 2, 16, batch_first=True)": "tgt=x; memory=x; tgt_mask=m; memory_mask=m",
    "TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)": "src=x; mask=m",
    "Transformer(8, 2, 1, 1, 16, batch_first=True)": "src=x; tgt=x; src_mask=m; tgt_mask=m",
}
MODULE = """import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = nn.{make}
    def forward(self, x):
        m, h = torch.zeros(5, 5), torch.zeros(1, x.size(0), 4)
        y = self.part({given})
        return y[0] if isinstance(y, tuple) else y
net = Net()
shape = net(torch.randn(3, 5, 8)).shape
"""


@pytest.mark.torch
@pytest.mark.parametrize("make", FORWARDS)
def test_a_module_takes_its_arguments_in_the_order_of_pytorch(make: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    given = [one.partition("=")[::2] for one in FORWARDS[make].split("; ")]
    reports = []
    for call in (", ".join(value for _, value in given), ", ".join(f"{name}={value}" for name, value in given)):
        program, names = MODULE.format(make=make, given=call), dict[str, Any]()
        exec(program, names)
        report = layerexplain.explain(program.encode()).to_dict()
        assert (report["model"]["grade"], report["outputs"][0]["shape"][1:]) == ("complete", [*names["shape"]][1:])
        reports.append(report)
    assert reports[0] == reports[1]


@pytest.mark.torch
@pytest.mark.parametrize("state", ["h", "(h,)", "(h, h)", "[h, h]", "(h, h, h)", "None", "torch.stack((h, h))"])
@pytest.mark.parametrize("type_", [f"{kind}{cell}" for kind in ("LSTM", "GRU", "RNN") for cell in ("", "Cell")])
def test_a_recurrent_module_takes_the_states_that_pytorch_takes(type_: str, state: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    make = f"{type_}(8, 4{'' if 'Cell' in type_ else ', batch_first=True'})"
    program = MODULE.format(make=make, given=f"x, {state}")
    if "Cell" in type_:
        program = program.replace("        y = ", "        x, h = x[:, 0], h[0]\n        y = ")
    try:
        exec(program, dict[str, Any]())
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        refused = True
    else:
        refused = False
    assert bool(layerexplain.explain(program.encode(), partial=True).faults) == refused


def test_an_argument_of_a_module_that_no_formula_has_leaves_the_answer_open() -> None:
    program = MODULE.format(make="EmbeddingBag(9, 4)", given="x.long().flatten(), offsets=torch.tensor([0, 2])")
    report = layerexplain.explain(program.encode())
    assert report.to_dict()["model"]["grade"] == "open" and not report.faults
