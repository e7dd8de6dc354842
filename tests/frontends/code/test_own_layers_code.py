"""`--code FILE.py`: classes of layers are read, never run, and become formulas on the weights of a file."""

import importlib.util
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.derive.cost import Costs
from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.own_layers import read_own_layers
from layerexplain.lang.axes import BATCH
from layerexplain.lang.text import statements
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.oracle.keras_model import draw_weights
from tests.support.commands import invoke
from tests.support.paths import TESTS

CODE = TESTS / "data" / "own_layers.py"


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def classes(keras: Any) -> Any:
    """The module of the classes, which real Keras runs."""
    spec = importlib.util.spec_from_file_location("classes_of_own_layers", CODE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(keras: Any, classes: Any) -> Any:
    made = classes.build_model()
    draw_weights(made, np.random.default_rng(3))
    return made


def weights_of(model: Any) -> list[Any]:
    return [one for one in model.weights if "seed_generator" not in one.path]


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_file_gives_the_outputs_of_keras(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    model.save(path)
    random = np.random.default_rng(5)
    given = {"ids": random.integers(0, 11, (2, 5), "int32"), "c": random.normal(size=(2, 7)).astype("float32")}
    report = layerexplain.explain(path, code=CODE)
    assert report.totals.params == sum([int(np.prod(one.shape)) for one in weights_of(model)])
    assert report.notes == ()
    assert report.totals.macs is not None
    made = layerexplain.trace(path, given, code=CODE)
    for ours, theirs in zip(made.outputs, model([given["ids"], given["c"]]), strict=True):
        assert np.abs(ours - np.asarray(theirs)).max() < 1e-4 * np.abs(theirs).max()


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_weight_is_where_keras_has_it(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    model.save(path)
    rows = layerexplain.list_weights(path, code=CODE).weights
    assert [row.shape for row in rows] == [tuple(one.shape) for one in weights_of(model)]
    for row, variable in zip(rows, weights_of(model), strict=True):
        assert row.path is not None and row.reach is not None
        assert eval(row.reach, {"model": model}) is variable
        assert row.trainable == variable.trainable


def module_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def flat(made: Any) -> list[Any]:
    parts = [made[key] for key in sorted(made)] if isinstance(made, dict) else made
    return [np.asarray(one) for one in (parts if isinstance(parts, list | tuple) else [parts])]


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_more_patterns_of_layers_give_the_values_and_masks_of_keras(keras: Any) -> None:
    path = CODE.with_name("own_layer_patterns_more.py")
    module, own, random = module_of(path), read_own_layers(path), np.random.default_rng(0)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    cases = [*module.CASES, *[(cls, config, None) for cls, config in module.MASKED]]
    for cls, config, shapes in cases:
        given = [np.abs(random.normal(size=(2, *shape))).astype("float32") for shape in shapes or [(5, 6)]]
        layer = cls(**config)
        fed = [keras.ops.convert_to_tensor(one) for one in given]
        if shapes is None:
            keras.src.backend.set_keras_mask(fed[0], keras.ops.convert_to_tensor(mask))
        taken = [name for name in inspect.signature(layer.call).parameters if name not in ("training", "mask")]
        args = fed if len(taken) > 1 or len(fed) == 1 else [fed]
        layer(*args)
        weights = [one for one in layer.weights if one.dtype.startswith("float")]
        for one in weights:
            one.assign(random.uniform(0.2, 1.0, size=one.shape))
        made = layer(*args)
        declaration = own[cls.__name__]
        specs = [Spec((BATCH, *one.shape[1:]), "float") for one in given]
        masks = [Spec((BATCH, 5), "bool")] if shapes is None else []
        definition = declaration.trace(specs, declaration.bind(config), masks)
        assert [one.shape for one in definition.weights] == [tuple(one.shape) for one in weights], cls
        feeds = [*given, mask][: len(definition.params)]
        ours = evaluate(definition, feeds, [np.asarray(one) for one in weights])
        theirs = flat(made)
        for mine, one in zip(ours, theirs, strict=False):
            assert mine.shape == one.shape and np.abs(mine - one).max() <= 1e-4 * max(np.abs(one).max(), 1), cls
        if shapes is None:
            first = made[0] if isinstance(made, list | tuple) else made
            carried = keras.src.backend.get_keras_mask(first)
            own_mask = ours[len(theirs)] if definition.masks else mask if declaration.mask == "pass" else None
            assert (carried is None) == (own_mask is None), cls
            assert carried is None or (np.asarray(carried) == own_mask).all(), cls


def defined(source: str, tmp_path: Path) -> dict[str, Declaration]:
    path = tmp_path / "own.py"
    path.write_text(f"import keras\nfrom keras import layers, ops\nimport mylib\n{source}")
    return dict(read_own_layers(str(path)))


def traced(own: Declaration, *shapes: tuple[int | None, ...], training: bool = False, **config: Any) -> Any:
    return own.trace([Spec((BATCH, *shape), "float") for shape in shapes], own.bind(config), training=training)


def test_a_class_has_its_arguments_tensors_and_formula(tmp_path: Path) -> None:
    own = read_own_layers(CODE)
    gate = own["Gate"]
    assert (gate.tensors, list(gate.arguments), gate.description) == (
        ("inputs",),
        ["units", "scale"],
        "A dense layer that opens and closes itself.",
    )
    made = traced(gate, (8,), units=4, scale=0.5)
    assert [line.text for line in statements(made)] == ["z = dot(inputs, W) + b", "y = z * sigmoid(0.5 * z)"]
    assert [(w.label, w.shape) for w in made.weights] == [("W", (8, 4)), ("b", (4,))]
    assert Costs().cost_of(made).macs == 32
    assert own["Positions"].mask == "pass" and gate.mask == "stop"


def test_what_differs_in_training_is_followed(tmp_path: Path) -> None:
    noise = read_own_layers(CODE)["NoiseInTraining"]
    lines = [[line.text for line in statements(traced(noise, (3,), training=on))] for on in (False, True)]
    assert lines == [["y = x"], ["y = x * 2.0"]]


CLASS = "class Own(layers.Layer):\n"
INIT = "    def __init__(self, units, **kw):\n        super().__init__(**kw)\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    def call(self, x):\n        return mylib.f(x)", "layerexplain cannot read mylib.f(…) (own.py:6)"),
        ("    def call(self, x):\n        while True:\n            x = x + 1\n        return x", "more than 5,000 times"),
        ("    def call(self, x):\n        if mylib.flag:\n            return x\n        return -x", "depends on an unknown condition"),
        ("    def call(self, x):\n        return layers.Dense(3)(x)", "Dense is created inside `call`"),
        ("    def call(self, x):\n        return x + mylib.table", "own.py:6"),
        ("    def call(self, x):\n        return ops.matmul(x, ops.ones((5, 5)))", "own.py:6"),
        (
            f"{INIT}        self.w = self.add_weight(shape=(units, units))\n"
            "    def call(self, x):\n        return ops.matmul(x, self.w)",
            "in own.py:9: dot needs the last axis",
        ),
        (f"{INIT}        self.d = layers.Dense(unit=3)\n    def call(self, x):\n        return self.d(x)", "own.py:7"),
        ("    def call(self, x):\n        raise ValueError('no')", "raises ValueError"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told_with_its_line(body: str, words: str, tmp_path: Path) -> None:
    own = defined(CLASS + body, tmp_path)["Own"]
    config = {"units": 5} if "units" in own.arguments else {}
    with pytest.raises(LayerExplainError) as caught:
        traced(own, (8,), **config)
    assert words in str(caught.value).replace(f"{tmp_path}/", ""), caught.value


def test_a_file_is_read_and_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    source = f"open({str(made)!r}, 'w').write('run')\n{CLASS}    def call(self, x):\n        return x * 2\n"
    assert [*defined(source, tmp_path)] == ["Own"]
    assert not made.exists()


def test_the_command_line_reads_code(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text("input: [5, 8]\nlayers:\n  - Heads: 2\n  - RMSNorm\n  - Gate: {units: 3, scal: 2}\n")
    words = ["summary", str(spec), "--code", str(CODE)]
    made = invoke(*words)
    assert "Gate has no argument 'scal', did you mean 'scale'?" in made.output
    spec.write_text(spec.read_text().replace(", scal: 2", ""))
    made = invoke(*words)
    assert made.exit_code == 0, made.output
    assert re.search(r"gate +Gate .*\(None, 5, 3\) +27", made.output), made.output
    bad = tmp_path / "bad.py"
    bad.write_text("import keras\nclass A(keras.layers.Layer):\n    def call(self, x:\n        return x\n")
    made = invoke("summary", spec, "--code", bad)
    assert made.exit_code == 1 and "bad.py:3" in made.output
    empty = tmp_path / "empty.py"
    empty.write_text("import keras\nx = 3\n")
    made = invoke("summary", spec, "--code", empty)
    assert made.exit_code == 1 and "defines no layer" in made.output


@pytest.mark.parametrize(
    ("class_name", "operation"),
    [
        ("Custom>Halved", "x / 2"),
        ("Halved", "x / 2"),  # Keras 2.0 to 2.3 did not write where a class comes from
        ("Custom>ReLU", "x / 3"),
        ("ReLU", "relu(x)"),  # nothing says that it is not Keras's
    ],
)
def test_the_class_of_an_old_file(class_name: str, operation: str, tmp_path: Path) -> None:
    halved, third = (
        f"class {name}(Layer):\n    def call(self, x):\n        return x / {by}\n"
        for name, by in (("Halved", 2), ("ReLU", 3))
    )
    code = tmp_path / "own.py"
    code.write_text(f"from tensorflow.keras.layers import Layer\n{halved}{third}")
    layer = {"class_name": class_name, "config": {"name": "y", "batch_input_shape": [None, 5]}}
    config = {"class_name": "Sequential", "keras_version": "2.3.1", "config": {"name": "m", "layers": [layer]}}
    report = layerexplain.explain(config, code=code)
    assert report.layers[-1].operation == operation
    assert report.layers[-1].output_shapes == ((None, 5),)


def test_the_formula_calls_the_layers_as_the_author_does() -> None:
    """By the attribute, the place in a list or the key in a dict; a name that an operation has is another one."""
    text = """import keras
from keras import layers
class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.first, self.mean = layers.Dense(4), layers.Dense(4)
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.heads = {"a": layers.Dense(3)}
        self.net = keras.Sequential([layers.Dense(5), layers.Dense(4)])
    def call(self, x):
        h = self.mean(self.norms[0](self.first(x)))
        return self.heads["a"](self.norms[1](self.net(h)))
m = keras.Sequential([keras.Input((4,)), Block()])
"""
    from layerexplain.frontends.code import reader
    from layerexplain.report.build import build

    reading = reader.program(text.encode(), None)
    report = build(reading.model(reading.models()[0]), detail=True)
    row = report.layers[-1]
    told = [re.match(r"def (\w+)\(", line.text) for line in row.explanation.statements]
    assert [one[1] for one in told if one] == [
        "first", "norms_0", "mean_layer", "net_0", "net_1", "norms_1", "heads_a"
    ]  # fmt: skip
    symbols = [weight.symbol for weight in row.weights]
    assert {"W_first", "W_mean", "γ_norms_0", "β_norms_1", "W_heads_a", "W_net_0", "b_net_1"} <= set(symbols)


@pytest.mark.parametrize("name", ["s", "n", "t", "steps", "w", "x"])
def test_a_weight_has_one_name_in_formulas_and_everywhere(name: str) -> None:
    """The batch and the variables of loops have the letters n, t and s."""
    report = layerexplain.explain(
        f"""import keras
class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.{name} = self.add_weight(shape=(shape[-1],), name="{name}")
        self.rows = [self.add_weight(shape=(shape[-1],), name="row") for _ in range(2)]
    def call(self, x):
        return x * self.{name} + self.rows[0] * self.rows[1]
m = keras.Sequential([keras.Input((4,)), Scaled()])
""".encode()
    )
    row = report.layers[1]
    symbols = [one.symbol for one in row.weights]
    assert len({*symbols}) == 3 and row.explanation is not None
    texts = (*row.formula, " ".join(row.explanation.element or ()))
    assert all(re.search(rf"\b{symbol}\b", text) for symbol in symbols for text in texts)
    reached = [one.reach for one in row.explanation.weights]
    assert reached == [f'model.get_layer("scaled").{one}' for one in (name, "rows[0]", "rows[1]")]
