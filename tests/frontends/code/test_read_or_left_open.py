"""Programs of rarer functions and calls are read as the frameworks run them."""

import math
from typing import Any

import numpy as np
import pytest

import layerexplain

KERAS = {
    "a large constant": "class Own(layers.Layer):\n    def call(self, x):\n        return ops.add(np.ones((40, 50)), x)\n"
    "x = keras.Input((40, 50))\nmodel = keras.Model(x, Own()(x))",
    "a large constant outside of a layer": "x = keras.Input((40, 50))\n"
    "model = keras.Model(x, layers.Dense(3)(ops.multiply(np.ones((40, 50)), x)))",
    "names of functions": "def f(x):\n    return x\nx = keras.Input((4,))\n"
    "model = keras.Model(x, layers.Dense(len(f.__qualname__), name='n_' + f.__name__)(x))",
    "channels first": "keras.config.set_image_data_format('channels_first')\nmodel = keras.Sequential([keras.Input((3, 8, 9)),"
    "layers.SeparableConv2D(16, 3), layers.GlobalAveragePooling2D(), layers.Dense(len(keras.config.image_data_format()))])\n"
    "keras.config.set_image_data_format('channels_last')",
    "numpy": "x = keras.Input((4,))\ny = layers.Dense(int(np.minimum(5, 7)))(x)\ny = layers.Dense(int(np.cumsum([1, 2, 3])[-1]))(y)\n"
    "model = keras.Model(x, layers.Dense(int(np.maximum(np.array([3, 9]), 5)[0]))(y))",
    "a batch that is said": "x = keras.Input(batch_shape=(2, 4, 3))\nmodel = keras.Model(x, layers.Dense(5)(ops.reshape(x, (2, -1))))",
    "one part": "x = keras.Input((4,))\nmodel = keras.Model(x, layers.Dense(3)(ops.array_split(x, 1)[0]))",
    "a tuple made whole": "from keras.src.utils.argument_validation import standardize_tuple\nx = keras.Input((8, 8, 3))\n"
    "model = keras.Model(x, layers.Conv2D(4, standardize_tuple(3, 2, 'kernel_size'))(x))",
}
TORCH = {
    "attention with a mask": "model = nn.MultiheadAttention(16, 4, batch_first=True)\nx = torch.ones(2, 5, 16)\n"
    "result, _ = model(x, x, x, attn_mask=torch.zeros(5, 5))",
    "attention of steps first": "model = nn.MultiheadAttention(16, 4)\nx, y = torch.ones(5, 2, 16), torch.ones(7, 2, 16)\n"
    "result, _ = model(x, y, y, attn_mask=torch.zeros(5, 7))",
    "_conv_forward": "class Own(nn.Conv2d):\n    def forward(self, x):\n        w = self.weight - self.weight.mean()\n"
    "        return self._conv_forward(x, w, self.bias)\nmodel = Own(3, 8, 3, stride=2, padding=1)\nresult = model(torch.ones(2, 3, 9, 9))",
    "axes as numbers": "class Net(nn.Module):\n    def forward(self, x):\n        y = torch.einsum(x, [0, 1, 2], x, [0, 3, 2])\n"
    "        return torch.einsum(y, (1, 3), x, (0, 1, 2), (0, 3, 2))\nmodel = Net()\nresult = model(torch.ones(2, 3, 5))",
    "images alone": "class Net(nn.Module):\n    def forward(self, x):\n        y = F.pixel_shuffle(x[0], 2)\n"
    "        return F.fold(F.unfold(y, 3), (6, 8), 3)\nmodel = Net()\nresult = model(torch.ones(2, 8, 3, 4))",
    "a transformer": "model = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)\n"
    "result = model(torch.ones(2, 10, 32), torch.ones(2, 7, 32))",
    "unpooling modules": "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.pool = nn.MaxPool2d((2, 3), return_indices=True)\n        self.back = nn.MaxUnpool2d((2, 3))\n"
    "    def forward(self, x):\n        y, i = self.pool(x)\n        return self.back(y, i, output_size=x.size())\n"
    "model = Net()\nresult = model(torch.ones(2, 3, 9, 7))",
    "unpooling": "class Net(nn.Module):\n    def forward(self, x):\n        y, i = F.max_pool2d(x, 2, return_indices=True)\n"
    "        return F.max_unpool2d(y, i, kernel_size=2)\nmodel = Net()\nresult = model(torch.ones(2, 3, 8, 6))",
}


@pytest.mark.keras
@pytest.mark.parametrize("name", KERAS)
def test_a_program_of_keras_is_read_as_it_runs(name: str) -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    code = f"import numpy as np\nimport keras\nfrom keras import layers, ops\n{KERAS[name]}\n"
    names: dict[str, object] = {}
    exec(code, names)
    model = names["model"]
    report = layerexplain.explain(code.encode())
    assert (report.grade, report.notes, report.faults) == ("complete", (), ())
    assert report.totals.params == model.count_params()  # type: ignore[attr-defined]
    assert report.outputs[0].shape == model.output_shape  # type: ignore[attr-defined]


@pytest.mark.torch
@pytest.mark.parametrize("name", TORCH)
def test_a_program_of_pytorch_is_read_as_it_runs(name: str) -> None:
    code = f"import torch\nfrom torch import nn\nimport torch.nn.functional as F\n{TORCH[name]}\n"
    names: dict[str, object] = {}
    exec(code, names)
    report = layerexplain.explain(code.encode())
    assert (report.grade, report.faults) == ("complete", ())
    assert report.totals.params == sum(p.numel() for p in names["model"].parameters())  # type: ignore[attr-defined]
    shape = report.outputs[0].shape
    assert tuple([size or 2 for size in shape]) == tuple(names["result"].shape)  # type: ignore[attr-defined]


@pytest.mark.keras
@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 3, 3)])
@pytest.mark.parametrize("bias", [(), (1,), (3,), (3, 3), (2, 3), (3, 3, 3)])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_a_bias_is_added_where_keras_2_adds_it(
    shape: tuple[int, ...], bias: tuple[int, ...], layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tf_keras refuses is never complete; what is complete has its shape, and its bias on the same axis."""
    keras = pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    code = (
        "import tf_keras as keras\nimport numpy as np\nfrom tf_keras import backend as K, layers\n"
        f"x = keras.Input({shape})\nb = K.constant(np.arange({math.prod(bias)}).reshape({bias}))\n"
        f"model = keras.Model(x, layers.Lambda(lambda t: K.bias_add(t, b, data_format={layout!r}))(x))\n"
    )
    report = layerexplain.explain(code.encode())
    space: dict[str, Any] = {}
    try:
        exec(code, space)
    except (ValueError, AttributeError):
        assert report.grade != "complete"
        return
    assert report.grade != "complete" or list(report.layers[-1].output_shapes[0]) == list(space["model"].output_shape)
    if report.grade == "complete" and bias == (3,) and len(shape) > 1:
        at = 1 if layout == "channels_first" else len(shape)
        read = space["model"](np.zeros((1, *shape), "float32")).numpy()
        assert (read.take(2, axis=at) == 2).all() and ("reshape" in report.layers[-1].operation) == (at == 1)
    keras.backend.clear_session()


@pytest.mark.keras
@pytest.mark.parametrize("shape", [(None, 6, 4), (2, 6, 4), (None, None, 4), (2, 3)])
@pytest.mark.parametrize("call", ["K.batch_flatten(t)", *[f"{name}.tile(t, {n})" for name in ("K", "tf") for n in ("2", "(2,)", "[1, 2]", "(1, 1, 2)", "n=[1, 2, 3]")]])  # fmt: skip
def test_a_dense_layer_behind_a_function_of_the_backend(call: str, shape: tuple[int | None, ...]) -> None:
    """TensorFlow's tile wants a number for each axis; batch_flatten knows no size where one of the input is unknown."""
    keras = pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    code = (
        "import tensorflow as tf\nfrom tf_keras import backend as K, layers\nimport tf_keras as keras\n"
        f"x = keras.Input(batch_shape={shape})\n"
        f"model = keras.Model(x, layers.Dense(5)(layers.Lambda(lambda t: {call.replace('tf.tile(t, n=', 'tf.tile(t, multiples=')})(x)))\n"
    )
    report = layerexplain.explain(code.encode(), partial=True)
    space: dict[str, Any] = {}
    try:
        exec(code, space)
    except ValueError:
        assert report.grade != "complete"
    else:
        assert (report.grade, report.totals.params) == ("complete", space["model"].count_params())
        assert report.outputs[0].shape == space["model"].output_shape
    keras.backend.clear_session()


@pytest.mark.keras
@pytest.mark.parametrize("inner", ["Own()", "layers.Lambda(lambda t: K.batch_flatten(t), output_shape=(24,))"])
def test_a_layer_that_states_its_shape_is_believed(inner: str) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    code = (
        "import keras\nfrom keras import layers\nfrom tensorflow.keras import backend as K\nclass Own(layers.Layer):\n"
        "    def call(self, x):\n        return K.batch_flatten(x * 2)\n"
        "    def compute_output_shape(self, shape):\n        return (shape[0], shape[1] * shape[2])\n"
        f"x = keras.Input((6, 4))\nmodel = keras.Model(x, layers.Dense(5)({inner}(x)))\n"
    )
    space: dict[str, Any] = {}
    exec(code, space)
    report = layerexplain.explain(code.encode())
    assert (report.grade, report.totals.params) == ("complete", space["model"].count_params())
    keras.backend.clear_session()


IN_CALL = (
    "ops.zeros((x.shape[0], 3)) + x[:, 0, :3]", "ops.tile(x, (1, x.shape[0], 1))", "ops.tile(x[:, :1], (1, x.shape[0], 1))",
    "ops.tile(x, (x.shape[0], 1, 1))", "ops.reshape(x, (x.shape[0] * 2, 12))", "ops.reshape(x, (x.shape[0] // 2, -1, 8))", "x * x.shape[0]", "ops.sum([x, x], 0)", "ops.abs((x, 2 * x))", "ops.concatenate(x)",
    "ops.mean([x, x], axis=-1)", "ops.stack(x, axis=1)",
)  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(("call", "batch"), [*[(call, 2) for call in IN_CALL], *[(call, None) for call in IN_CALL[4:]]])
def test_a_fixed_batch_and_a_list_in_place_of_a_tensor_are_read_as_keras_reads_them(
    call: str, batch: int | None
) -> None:
    """What Keras computes is no fault, and has its shape where it is complete; what it refuses is not complete."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    code = (
        "import keras\nfrom keras import layers, ops\nclass Own(layers.Layer):\n    def call(self, x):\n"
        f"        return {call}\nmodel = keras.Model(x := keras.Input(batch_shape=({batch}, 6, 4)), Own()(x))\n"
    )
    report = layerexplain.explain(code.encode(), partial=True)
    space: dict[str, Any] = {}
    try:
        exec(code, space)
    except (TypeError, ValueError, NotImplementedError):
        assert report.grade != "complete"
    else:
        assert report.faults == ()
        pairs = zip(report.outputs[0].shape or (), space["model"].output_shape, strict=report.grade == "complete")
        assert all(size in (None, of_keras) for size, of_keras in pairs)
    assert batch is None or any(word in call for word in ("conc", "stack", "tile")) or report.grade == "complete"
    keras.backend.clear_session()


OPERATIONS = {
    "ops.where(x)": None, "ops.array_split(x, 2)": None, "ops.tile(x, (1, None))": TypeError, "ops.zeros((None, 3)) + x": ValueError,
    "ops.tile(x, (1, 2))": None,
}  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize("call", OPERATIONS)
def test_a_call_is_refused_where_keras_refuses_it(call: str) -> None:
    """What Keras takes is read or left open; what it refuses is never complete."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    error = OPERATIONS[call]
    space = {"x": keras.Input((3,)), "ops": keras.ops}
    if error is None:
        eval(call, space)
    else:
        with pytest.raises(error):
            eval(call, space)
    code = f"import keras\nfrom keras import ops\nx = keras.Input((3,))\nmodel = keras.Model(x, {call})\n"
    report = layerexplain.explain(code.encode())
    assert report.grade == "open" if error is not None else not report.faults
