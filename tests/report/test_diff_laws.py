"""Laws of `diff`: every argument of every signature counts, wherever its layer stands; and what says the same is equal.

The values are drawn from the checks of the signatures themselves, so that a new layer is under the law without a row.
"""

import ast
import inspect
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import layerexplain
from layerexplain.conversions.today import as_one
from layerexplain.converted import convert
from layerexplain.errors import ArgumentError
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.index import types
from layerexplain.layers.registry import class_name, find
from layerexplain.model import Call, Layer, Model, TensorRef, Training, TrainingSetting
from layerexplain.report.normal_form import normal_form
from layerexplain.report.normal_values import USUAL, Normal, differing, is_same
from layerexplain.report.settings import is_setting
from tests.cases import CASES, Case, Wrapped
from tests.support.case_rows import model_of, row_of
from tests.support.commands import invoke
from tests.support.frameworks import keras
from tests.support.tries import some

INNER = Layer("inner", "Dense", "layer", {"units": 3})
SIMPLE: tuple[Any, ...] = (
    2, 3, 0.25, 0.75, True, False, "valid", "same", "causal", "tanh", "relu", "bilinear", "nearest", "sum", "mul",
    "one_hot", "count", "reflect", "constant", "cubic", "horizontal", "xyxy", "xywh", "channels_first", "batch",
    "int64", "int32", "concat", "dot", (2, 3), (3, 5), ((1, 2), (0, 1)), (0.1, 0.3), (5, None), "ab,bc->ac",
    "ab,bd->ad", {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10}}, {"SGD": {"learning_rate": 0.5}}, None, "text",
    INNER, Layer("other", "LSTM", "layer", {"units": 5}), (Layer("cell", "GRUCell", "layer", {"units": 7}),), (INNER, INNER),
)  # fmt: skip
"""Values of many kinds; of these an argument takes what its check accepts."""

SETTINGS = {"initializer": ("ones", "he_normal"), "regularizer": ("l1", "l2"), "constraint": ("non_neg", "unit_norm")}


def accepted(declaration: Declaration, name: str) -> list[Any]:
    """Values of an argument that differ, its default first."""
    argument = declaration.arguments[name]
    found: list[tuple[Any, Any]] = []
    defaults = [] if argument.default is Argument.REQUIRED else [argument.default]
    example = yaml.safe_load(argument.check.example)
    tried = argument.check.tried(defaults[0] if defaults else example)
    for value in (*defaults, example, *tried, *SIMPLE):
        try:
            normal = argument.normal(declaration.type, name, value)
        except (ArgumentError, TypeError):
            continue
        if all(repr(as_one(normal)) != repr(as_one(known)) for _, known in found):
            found.append((value, normal))
    return [value for value, _ in found]


def required(declaration: Declaration) -> dict[str, Any]:
    """Values of the arguments that have no default."""
    return {
        name: accepted(declaration, name)[0]
        for name, argument in declaration.arguments.items()
        if argument.default is Argument.REQUIRED
    }


ONE_VALUE = ("time_major", "fill_mode", "padding_mode", "dtype")
"""Arguments that take one value only."""


def changes(declaration: Declaration) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each argument of a layer with two configurations that differ in it alone."""
    base = required(declaration)
    for name in declaration.arguments:
        values = accepted(declaration, name)
        if len(values) == 1:
            assert name in ONE_VALUE
            continue
        # A pooling layer moves by its own size unless it says otherwise: strides of that size are the default.
        first, second = values[0], next(value for value in values[1:] if value not in base.values())
        yield name, {**base, name: first}, {**base, name: second}
    others = () if declaration.type.startswith("torch.") else (*declaration.ignores, "trainable", "dtype")
    for name in sorted(others):
        values = SETTINGS.get(name.rpartition("_")[2], (False, "float16") if name != "dtype" else ("int32", "float16"))
        if (... not in USUAL.get(name, ()) and name not in NEVER) and not (
            is_setting(name) and name in declaration.arguments
        ):
            yield name, {**base, name: values[0]}, {**base, name: values[1]}


NEVER = ("weights", "input_dim", "name", "constants")
"""What says where a layer stands, or is given beside its configuration."""


def sequential(layer: Layer) -> Layer:
    first = Layer("in", "InputLayer", "layer", {"batch_shape": (None, 4)})
    calls = (Call("in", 0, (), {}), Call(layer.name, 0, (TensorRef("in"),), {}))
    ends = (TensorRef("in"),), (TensorRef(layer.name),)
    return Layer("body", "Sequential", "model", {}, Model("body", "Sequential", (first, layer), calls, *ends))


CELL = Layer("c", "GRUCell", "layer", {"units": 3})
PLACES: dict[str, Callable[[Layer], Layer]] = {
    "alone": lambda layer: layer,
    "in a wrapper": lambda layer: Layer("w", "TimeDistributed", "layer", {"layer": layer}),
    "as the third cell": lambda layer: Layer("w", "RNN", "layer", {"cell": (CELL, CELL, layer)}),
    "backward": lambda layer: Layer("w", "Bidirectional", "layer", {"layer": INNER, "backward_layer": layer}),
    "two wrappers deep": lambda layer: PLACES["in a wrapper"](PLACES["as the third cell"](layer)),
    "in a model in a wrapper": lambda layer: PLACES["in a wrapper"](sequential(layer)),
}


def find_known(type_: str) -> Declaration:
    declaration = find(type_)
    assert declaration is not None
    return declaration


@cache
def all_changes() -> list[tuple[str, str, Any, Any]]:
    """Each argument of each layer with two configurations that differ in it alone."""
    found = [(type_, find(type_)) for type_ in sorted([*types(""), *types("torch.nn")])]
    return [
        (type_, *change) for type_, declaration in found if declaration is not None for change in changes(declaration)
    ]


SET_BY_ITS_WRAPPER = {("backward", "zero_output_for_mask")}


@pytest.mark.parametrize("place", PLACES)
def test_every_argument_of_every_layer_counts(place: str) -> None:
    wrong = []
    every = all_changes() if place != "in a model in a wrapper" else all_changes()[::5]
    for type_, name, *configs in every:
        before, after = (normal_form(PLACES[place](Layer("it", type_, "layer", config))) for config in configs)
        seen = bool(list(differing(before, after)))
        if seen == ((place, name) in SET_BY_ITS_WRAPPER) or list(differing(before, before)):
            wrong.append((type_, name, configs))
    assert wrong == [] and len(all_changes()) > 1900


def trained_with(optimizer: TrainingSetting, loss: TrainingSetting) -> Model:
    body = sequential(INNER).model
    assert body is not None
    return body._replace(training=Training(optimizer, {"": loss}))


SGD, MSE = TrainingSetting("SGD"), TrainingSetting("MeanSquaredError")


@pytest.mark.parametrize("kind", ["optimizers", "losses", "schedules"])
def test_every_argument_of_every_part_of_training_counts(kind: str) -> None:
    wrong, count = [], 0
    for type_ in types(kind):
        declaration = find_known(type_)
        base = required(declaration)
        for name in declaration.arguments:
            values = accepted(declaration, name)
            if len(values) < 2:
                assert name in ONE_VALUE
                continue
            part, other = (TrainingSetting(type_.partition(".")[2], {**base, name: value}) for value in values[:2])
            models = [
                trained_with(
                    SGD
                    if kind == "losses"
                    else found
                    if kind == "optimizers"
                    else SGD._replace(config={"learning_rate": found}),
                    found if kind == "losses" else MSE,
                )
                for found in (part, other)
            ]
            count += 1
            told = [d for change in layerexplain.diff(*models).changes for d in change.differences]
            if len(told) != 1 or not told[0].is_training or not layerexplain.diff(models[0], models[0]).alike:
                wrong.append((type_, name, values[:2], told))
    assert wrong == [] and count > 10


def test_an_argument_that_no_signature_knows_counts() -> None:
    """Some version of Keras may write Huber's delta as `loss_delta`."""
    models = [trained_with(SGD, TrainingSetting("Huber", {"loss_delta": delta})) for delta in (1.5, 2.5)]
    (change,) = layerexplain.diff(*models).changes
    assert [tuple(d)[:3] for d in change.differences] == [("loss.loss_delta", "1.5", "2.5")]


def drawn(rng: random.Random, depth: int) -> Any:
    """A value of a configuration, nested in lists, mappings and layers."""
    kind = rng.randrange(8 if depth else 5)
    if kind < 5:
        return [rng.randrange(9), rng.random(), "a text", None, True][kind]
    parts = [drawn(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    named = {f"key {place}": part for place, part in enumerate(parts)}
    return tuple(parts) if kind == 5 else named if kind == 6 else Normal("Dense", named, {})


def with_one_changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, Normal):
        return value._replace(arguments=with_one_changed(rng, value.arguments))
    if isinstance(value, tuple | dict):
        keys = list(range(len(value)) if isinstance(value, tuple) else value)
        chosen = rng.choice(keys)
        if isinstance(value, tuple):
            return (*value[:chosen], with_one_changed(rng, value[chosen]), *value[chosen + 1 :])
        return {**value, chosen: with_one_changed(rng, value[chosen])}
    return rng.choice([other for other in (0.5, "another", False, 77) if other is not value])


@pytest.mark.parametrize("seed", range(40))
def test_one_other_value_at_any_depth_and_place_is_a_difference(seed: int) -> None:
    value = (*[drawn(random.Random(f"{seed} {place}"), 4) for place in range(50)],)
    changed = with_one_changed(random.Random(seed), value)
    assert is_same(value, (*[drawn(random.Random(f"{seed} {place}"), 4) for place in range(50)],))
    assert not is_same(value, changed) and not is_same(value, value[:-1])


LONG = "input: [4]\nlayers:\n  - Normalization: {mean: %s, variance: %s}\n    name: scale\n"


def test_a_late_entry_of_a_long_value_is_a_difference_and_is_shown(tmp_path: Path) -> None:
    means = [[number / 8 for number in range(4000)] for _ in range(2)]
    means[1][3900] = -7.5
    files = [tmp_path / name for name in ("before.yaml", "after.yaml")]
    for file, mean in zip(files, means, strict=True):
        file.write_text((LONG % (mean, [1] * 4000)).replace("[4]", "[4000]"))
    (change,) = layerexplain.diff(*map(str, files)).changes
    assert [d.what for d in change.differences] == ["mean[3900]"]
    for width in (60, 80, 200):
        shown = invoke("diff", *files, "--width", width)
        assert shown.exit_code == 1 and "-7.5" in shown.output and "487.5" in shown.output
        assert len(shown.output) < 3000


def readable(cases: Sequence[Case]) -> Iterator[tuple[Case, Model]]:
    """The cases that no layer refuses, each as a model."""
    for case in cases:
        model = model_of(case)
        if not layerexplain.explain(model, detail=False).faults and row_of(case).output_shapes[0] is not None:
            yield case, model


@pytest.mark.parametrize("form", ["py", "yaml", "json"])
def test_a_model_and_its_conversions_are_equal(form: str, tmp_path: Path) -> None:
    wrong, count, path = [], 0, tmp_path / f"model.{form}"
    for case, model in readable(some(CASES)):
        # What Keras 3 says otherwise than Keras 2, convert writes with a note.
        if convert(model, path, to=form, force=True).notes:
            continue
        count += 1
        changes = layerexplain.diff(model, str(path)).changes
        if changes:
            wrong.append((case.id, changes))
    assert wrong == [] and count > 100


def test_names_of_one_class_are_equal() -> None:
    for type_ in types(""):
        config = required(find_known(type_))
        models = [sequential(Layer("it", name, "layer", config)).model for name in (type_, class_name(type_))]
        assert not list(differing(*[normal_form(model.layers[1]) for model in models if model is not None]))
        if type_ != class_name(type_):
            assert layerexplain.diff(*models).changes == (), type_


FILLED_IN = ("seed", "lora_alpha", "vocabulary_size", "sequence_length", "max_freq", "scale", "sigma")
"""Arguments that Keras writes with a value that it drew or computed from others where a source leaves them out, and
ranges of augmentation that it writes as two ends; names that end in `factor` are such ranges too."""

EMPTY = {("Normalization", "axis"), ("BatchNormalization", "renorm_clipping"), ("RandomGaussianBlur", "kernel_size")}
"""What Keras writes as an empty list or mapping for None, or as a pair for one number, in these layers alone."""


def is_other_form(type_: str, name: str) -> bool:
    return name in FILLED_IN or name.endswith("factor") or (type_, name) in EMPTY


def real(type_: str, config: Mapping[str, Any]) -> Any:
    """Make a layer in real Keras."""

    def built(value: Any) -> Any:
        if isinstance(value, Wrapped):
            return real(value.type, value.config)
        return [built(part) for part in value] if isinstance(value, list) else value

    return getattr(keras.layers, type_)(**{name: built(value) for name, value in config.items()})


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_a_file_of_keras_and_what_convert_makes_of_it_are_equal(tmp_path: Path) -> None:
    """An older file becomes a .keras file with its weights."""
    count = 0
    for case, model in readable(CASES[::6]):
        declaration = find_known(case.type)
        if len(case.shapes) > 1 or case.call or declaration.takes_list or not hasattr(keras.layers, case.type):
            continue
        before, after = tmp_path / "before.h5", tmp_path / "after.keras"
        with suppress(ValueError, TypeError, NotImplementedError, layerexplain.LayerExplainError):  # refused
            x = keras.Input(case.shapes[0], dtype=model.layers[0].config["dtype"])
            of_keras = keras.Model(x, real(case.type, {**case.config, "name": "it"})(x))
            of_keras.save(before)
            if convert(str(before), after, force=True).notes:
                continue
            found = layerexplain.diff(str(before), str(after), weights=bool(of_keras.weights))
            assert found.alike, (case.id, found.changes)
            count += 1
    assert count > 30


@pytest.mark.keras
def test_a_layer_and_the_configuration_that_keras_writes_of_it_are_equal() -> None:
    """Keras writes all arguments, a source those that were given."""
    wrong, count = [], 0
    for case, model in readable(CASES):
        declaration = find_known(case.type)
        if len(case.shapes) > 1 or case.call or declaration.takes_list or not hasattr(keras.layers, case.type):
            continue
        try:
            written = keras.layers.serialize(real(case.type, {**case.config, "name": "it"}))
        except (ValueError, TypeError, NotImplementedError):
            continue  # what Keras refuses
        dtype = model.layers[0].config["dtype"]
        first = {"class_name": "InputLayer", "config": {"batch_shape": [None, *case.shapes[0]], "dtype": dtype}}
        config = {"name": "m", "layers": [first, written]}
        file = json.dumps({"class_name": "Sequential", "config": config, "keras_version": keras.__version__}).encode()
        (of_keras,) = [layer for layer in layerexplain.read(file).layers if layer.name == "it"]
        forms = [normal_form(layer, (), 1 + len(case.shapes[0])) for layer in (model.layers[-1], of_keras)]
        count += 1
        told = [difference for difference in differing(*forms) if not is_other_form(case.type, difference.last)]
        if told:
            wrong.append((case.id, told))
    assert wrong == [] and count > 100


@pytest.mark.parametrize("count", [1, 3, 4, 500])
def test_late_entries_of_a_long_value_are_differences_however_many(count: int) -> None:
    values = tuple(range(1000))
    changed = (*values[:-count], *[-1 - value for value in values[-count:]])
    forms = [Normal("Own", {"values": entries}) for entries in (values, changed, values[:-count])]
    names = [f"values[{1000 - count + place}]" for place in range(count)] if count <= 3 else ["values"]
    assert [difference.name for difference in differing(forms[0], forms[1])] == names
    assert [difference.name for difference in differing(forms[0], forms[2])] == ["values"]


OPTIMIZED = """import torch
from torch import nn
net = nn.Linear(4, 2)
optimizer = torch.optim.{}(net.parameters(){})
criterion = nn.MSELoss()
for _ in range(3):
    optimizer.zero_grad()
    criterion(net(torch.randn(8, 4)), torch.randn(8, 2)).backward()
    optimizer.step()
"""
WITHOUT_DEFAULT = {"lr": 0.02, "max_eval": 3, "line_search_fn": "strong_wolfe", "adjust_lr_fn": "original"}
HOW_COMPUTED = {"params", "foreach", "capturable", "differentiable", "fused"}
"""Arguments that choose how PyTorch computes the same step."""


def another(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple([0.5 * (one or 1) for one in value])
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else 2 * value + 0.003


@pytest.mark.torch
def test_every_argument_of_every_optimizer_of_pytorch_counts() -> None:
    optim = pytest.importorskip("torch", reason="PyTorch is not installed").optim
    types = [one for one in vars(optim).values() if isinstance(one, type) and issubclass(one, optim.Optimizer)]
    count = 0
    for type_ in [one for one in types if one is not optim.Optimizer]:
        for name, parameter in inspect.signature(type_).parameters.items():
            if name in HOW_COMPUTED:
                continue
            value = WITHOUT_DEFAULT[name] if parameter.default is None else another(parameter.default)
            needed = ", momentum=0.9" if (type_, name) == (optim.SGD, "nesterov") else ""
            texts = [OPTIMIZED.format(type_.__name__, needed + more) for more in ("", f", {name}={value!r}")]
            changes = [
                one.what
                for change in layerexplain.diff(*[text.encode() for text in texts]).changes
                for one in change.differences
            ]
            assert changes == [f"optimizer.{name}"], (type_, name)
            count += 1
    assert count > 80


OWN = """
import keras
import numpy as np
from keras import layers, ops
def f(x):
    return x * {}
class Own(layers.Layer):
    def call(self, t):
        half = t * {}
        return half + np.array([1.0, {}, 3.0])
class Holder(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner, self.drop = layers.Dense(3, activation=lambda z: z - {}), layers.Dropout({})
    def call(self, t):
        return self.drop(self.inner(t))
class Cell(layers.Layer):
    def __init__(self):
        super().__init__()
        self.state_size, self.inner = 3, layers.Dense(3)
    def build(self, shape):
        self.w = self.add_weight(shape=(3,), trainable={} < 0.5)
    def call(self, t, states):
        h = self.inner(t) * self.w + {} * states[0]
        return h, [h]
model = keras.Sequential([keras.Input((4, 3)), layers.Dense(3, activation=f), layers.TimeDistributed(Own()), Holder(),
                          keras.Sequential([layers.Lambda(lambda t: t / {})]), layers.RNN(Cell())])
"""


def test_a_number_in_the_code_of_a_layer_counts_wherever_it_stands() -> None:
    """In a function, an own layer in a wrapper, a layer that an own layer holds, a lambda of a nested model, a cell."""
    places = OWN.count("{}")
    before = OWN.format(*[0.25] * places).encode()
    for place in range(places):
        after = OWN.format(*[0.75 if i == place else 0.25 for i in range(places)]).encode()
        (change,) = layerexplain.diff(before, after).changes
        assert [one.is_training for one in change.differences] == [place in (4, 5)], (place, change)
    respaced = before.replace(b"return x *", b"\n    'Its words.'  # a comment\n    return x *")
    assert layerexplain.diff(before, respaced).alike and layerexplain.diff(before, before).alike
    renamed = layerexplain.diff(before, before.replace(b"half", b"part"))
    assert renamed.changes == () and "half = t * 0.25" in renamed.not_compared


OPERANDS = ("x * {}", "{} - x", "ops.maximum(x, {})", "ops.einsum('bd,dk->bk', x, {})", "ops.matmul(x, {})",
            "ops.take(x, {}, axis=1)", "ops.where(x > 0, x, {})", "layers.Dropout(0.5)(x, training=True) + {}")  # fmt: skip


@pytest.mark.parametrize("call", OPERANDS)
@pytest.mark.parametrize("form", ["py", "json"])
def test_an_operand_is_the_same_in_each_form(call: str, form: str, tmp_path: Path) -> None:
    array = "np.array([[0, 1], [1, 0], [0, 1]])" if "matmul" in call or "einsum" in call else "np.array([0, 2, 1])"
    code = "import keras\nimport numpy as np\nfrom keras import layers, ops\nx = keras.Input((3,))\n"
    code += f"model = keras.Model(x, {call.format(array)})\n"
    path = tmp_path / f"model.{form}"
    convert(code.encode(), path, to=form, force=True)
    assert layerexplain.diff(code.encode(), str(path)).alike
    for other in (code.replace("training=True", "training=False"), code.replace("1]", "0]")):
        assert other == code or not layerexplain.diff(other.encode(), str(path)).alike


@pytest.mark.torch
@pytest.mark.parametrize("weight", ["weight", "bias"])
def test_a_frozen_weight_is_a_difference(weight: str) -> None:
    code = "from torch import nn\nmodel = nn.Sequential(nn.Linear(3, 4))\n"
    changed = f"{code}model[0].{weight}.requires_grad = False\n"
    (change,) = layerexplain.diff(code.encode(), changed.encode()).changes
    assert [tuple(one) for one in change.differences] == [("frozen", "None", repr((weight,)), False, True)]


def test_a_list_of_cells_is_one_stack_of_them() -> None:
    stacks = [(CELL, CELL), Layer("s", "StackedRNNCells", "layer", {"cells": (CELL, CELL)})]
    forms = [normal_form(Layer("r", "RNN", "layer", {"cell": one})) for one in stacks]
    assert list(differing(*forms)) == []


UNSEEN = {
    "keras": """
import keras, numpy as np
from keras import layers, ops
class L(layers.Layer):
    '''A layer.'''
    def __init__(self):
        super().__init__()
        self.d = layers.Dense(3, kernel_initializer='ones', bias_regularizer=keras.regularizers.L2(0.1))
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer='ones')
    def call(self, x):
        self.add_loss(0.1 * ops.sum(x))
        return self.d(x * self.w) + np.arange(2001)[:3]
class R(keras.regularizers.Regularizer):
    def __call__(self, w):
        return 0.1 * ops.sum(w)
def start(shape, dtype=None):
    return 0.5 * ops.ones(shape)
def loss(y, p):
    return 0.5 * ops.mean(y - p)
x = keras.Input((4,))
y = layers.Dense(3, kernel_regularizer=R(), bias_initializer=start)(L()(x))
y = y[:, :1] * np.arange(2000.0).reshape(1, 2000) * 3
model = keras.Model(x, y)
model.compile(keras.optimizers.Adam(0.25), loss=loss)
""",
    "torch": """
import torch
from torch import nn
class L(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 4)
        self.register_buffer('b', torch.arange(2000.0)[:4])
        self.p = nn.Parameter(0.5 * torch.ones(4))
        nn.init.uniform_(self.l.weight, 0.25, 0.75)
    def forward(self, x):
        return self.l(x) * self.b + self.p
model = L()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = nn.MSELoss()(model(torch.randn(2, 3)), torch.randn(2, 4)) * 0.5
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""",
}


@pytest.mark.parametrize("library", UNSEEN)
def test_no_constant_of_a_program_changes_in_silence(library: str) -> None:
    """It is a difference, or the line is said to differ, unless the changed program is refused."""
    tree = ast.parse(UNSEEN[library])
    code = ast.unparse(tree)
    inert = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in inert]
    for constant in constants:
        value, line = constant.value, constant.lineno - 1
        constant.value = value * 2 if type(value) is float else "zeros" if type(value) is str else 5
        changed = ast.unparse(tree)
        constant.value = value
        if changed == code:
            continue
        with suppress(layerexplain.LayerExplainError):
            report = layerexplain.diff(code.encode(), changed.encode())
            assert not report.alike or report.not_compared, (line, value)
            assert "the code differs: " in report.not_compared, (line, value)
    same = layerexplain.diff(code.encode(), UNSEEN[library].encode() + b"# an end")
    assert same.alike and same.not_compared == "" and "nothing differs" in str(same)


MODULES = {
    "model.py": "from pack.blocks import scale\nimport keras\nx = keras.Input((4,))\nmodel = keras.Model(x, scale(x))\n",
    "net.py": "from torch import nn\nfrom pack.blocks import FACTOR, scale\nclass Net(nn.Module):\n"
              "    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(4, FACTOR)\n"
              "    def forward(self, x):\n        return scale(self.layer(x))\nmodel = Net()\n",
    "pack/__init__.py": "",
    "pack/blocks.py": "from .numbers import FACTOR\n\ndef scale(x):\n    'Its words.'\n    log = f'{1 + 1}'\n    return x * FACTOR\n",
    "pack/numbers.py": "FACTOR = 2\nUNUSED = 5\n",
    "unread.py": "OTHER = 5\n",
}  # fmt: skip


@pytest.mark.parametrize("program", ["model.py", "net.py"])
@pytest.mark.parametrize(
    "file, changed, exit_code, said",
    [
        ("pack/blocks.py", ("1 + 1", "1 + 2"), 0, "log = f'{1 + 1}' → log = f'{1 + 2}'"),
        ("pack/numbers.py", ("UNUSED = 5", "UNUSED = 7"), 0, "UNUSED = 5 → UNUSED = 7"),
        ("pack/numbers.py", ("FACTOR = 2\nUNUSED = 5", "UNUSED = 5\nFACTOR = 2"), 0, "the order of its lines"),
        ("pack/numbers.py", ("FACTOR = 2", "FACTOR = 3"), 1, "FACTOR = 2 → FACTOR = 3"),
        ("pack/blocks.py", ("'Its words.'", "'Others.'  # and a comment"), 0, ""),
        ("unread.py", ("5", "7"), 0, ""),
    ],
)
def test_the_modules_that_a_program_imports_are_its_code(
    program: str, file: str, changed: tuple[str, str], exit_code: int, said: str, tmp_path: Path
) -> None:
    for side in ("before", "after"):
        for name, text in MODULES.items():
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(*changed) if (side, name) == ("after", file) else text)
    paths = [tmp_path / side / program for side in ("before", "after")]
    report = json.loads(invoke("diff", *paths, "--input", "4", "--format", "json").output)
    assert (report["alike"], said in report["not_compared"]) == (exit_code == 0, True), report["not_compared"]
    shown = invoke("diff", *paths, "--input", "4")
    assert shown.exit_code == exit_code and said in shown.output
    assert ("nothing differs" in shown.output) == (not said)


@pytest.mark.keras
def test_the_code_of_a_lambda_in_a_file_is_compared(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    paths = [str(tmp_path / f"{name}.keras") for name in "ab"]
    for path, function in zip(paths, [lambda x: x * 2, lambda x: x * 3], strict=True):
        x = keras.Input((4,), name="x")
        keras.Model(x, keras.layers.Lambda(function, name="f")(x), name="m").save(path)
    (change,) = layerexplain.diff(paths[0], paths[1]).changes
    assert [(item.what, item.is_training) for item in change.differences] == [("function", False)]
    assert layerexplain.diff(paths[0], paths[0]).alike
