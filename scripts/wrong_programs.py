"""Write the table of wrong programs: each is run in the real framework, and its message and the line that raised are kept.

    python scripts/wrong_programs.py            # writes tests/data/wrong_programs.json

A program is a kind of fault × a layer × sizes. The programs of Keras are run by Keras 3 and, where they are of its time,
by Keras 2 (tf_keras), whose words differ.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).parent.parent / "tests" / "data" / "wrong_programs.json"


SAYS_NOTHING = ("list index out of range", "'NoneType' object is not subscriptable")


def without_paths(message: str) -> str:
    """Return a message without the folders of this machine."""
    message = re.sub(r'File "[^"]*/(site-packages/[^"]*)"', r'File "/usr/lib/python3/\1"', message)
    message = re.sub(r'File "[^"<]*wrong_programs.py"', 'File "train.py"', message)
    return re.sub(r"\(/[^)]*/(site-packages/[^)]*)\)", r"(/usr/lib/python3/\1)", message)


class Wrong(NamedTuple):
    """A program at fault, of a kind."""

    kind: str
    program: str


# fmt: off
# PyTorch --------------------------------------------------------------------------------------------------------------

_TORCH = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
_MSE, _CE = "nn.MSELoss()", "nn.CrossEntropyLoss()"


def net(modules: dict[str, str], forward: str, *ends: str) -> str:
    """Return a program of one class with these modules; `ends` are what is done with `model`."""
    inits = "".join([f"        self.{name} = nn.{module}\n" for name, module in modules.items()])
    steps = "".join([f"        {line}\n" for line in forward.split("; ")])
    head = f"{_TORCH}\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{inits}"
    return f"{head}    def forward(self, x):\n{steps}model = Net()\n" + "".join([f"{line}\n" for line in ends])


def on(shape: str, call: str = "model(x)") -> tuple[str, str]:
    """Return the lines that call a model on numbers of a shape."""
    return f"x = torch.randn({shape})", call


def torch_programs() -> Iterator[Wrong]:
    """Give the wrong programs of PyTorch."""
    flat = "x = F.max_pool2d(F.relu(self.conv(x)), 2); x = {}; return self.fc(x)"
    for channels, filters, kernel, size, features in ((1, 8, 3, 28, 1152), (3, 6, 5, 32, 400), (3, 16, 3, 64, 15375), (1, 10, 5, 20, 320)):
        conv = {"conv": f"Conv2d({channels}, {filters}, {kernel})", "fc": f"Linear({features}, 10)"}
        for way in ("torch.flatten(x, 1)", "x.view(x.size(0), -1)", f"x.view(-1, {features})"):
            kind = "view" if str(features) in way else "features"
            yield Wrong(kind, net(conv, flat.format(way), *on(f"4, {channels}, {size}, {size}")))
        yield Wrong("not flattened", net(conv, "x = self.conv(x); return self.fc(x)", *on(f"4, {channels}, {size}, {size}")))
    for rank, own, _, shape in (
        (1, 4, 3, "2, 3, 17"), (2, 3, 1, "2, 1, 28, 28"), (2, 3, 4, "2, 4, 32, 32"), (2, 1, 3, "5, 3, 30, 30"),
        (2, 3, 28, "2, 28, 30, 3"), (3, 2, 5, "2, 5, 8, 9, 10"), (1, 6, 11, "4, 11, 6"), (2, 64, 32, "2, 32, 9, 9"),
    ):  # fmt: skip
        module = {"conv": f"Conv{rank}d({own}, 7, 3)"}
        yield Wrong("channels", net(module, "return self.conv(x)", *on(shape)))
        module = {"up": f"ConvTranspose{rank}d({own}, 7, 3)"}
        yield Wrong("channels", net(module, "return self.up(x)", *on(shape)))
    for rank, shape in ((2, "28, 28"), (2, "2, 3, 4, 5, 6"), (1, "7"), (3, "8, 9, 10"), (1, "2, 3, 4, 5")):
        yield Wrong("ranks", net({"conv": f"Conv{rank}d(3, 7, 3)"}, "return self.conv(x)", *on(shape)))
    for module, shape in (("BatchNorm2d(8)", "4, 16, 5, 5"), ("BatchNorm1d(8)", "4, 9"), ("BatchNorm2d(3)", "4, 3, 7"), ("BatchNorm1d(3)", "4, 3, 7, 7"), ("BatchNorm1d(11)", "1, 11"), ("LayerNorm(8)", "2, 7"), ("GroupNorm(2, 8)", "2, 6, 4, 4"), ("InstanceNorm2d(3)", "4, 7")):
        yield Wrong("normalization", net({"norm": module}, "return self.norm(x)", *on(shape)))
    for kind in ("LSTM", "GRU", "RNN"):
        yield Wrong("features", net({"rnn": f"{kind}(11, 5)"}, "x, h = self.rnn(x); return x", *on("4, 11, 7")))
        yield Wrong("ranks", net({"rnn": f"{kind}(11, 5)"}, "x, h = self.rnn(x); return x", *on("4, 3, 7, 11")))
        yield Wrong("tuple", net({"rnn": f"{kind}(11, 5)", "fc": "Linear(5, 2)"}, "x = self.rnn(x); return self.fc(x)", *on("4, 7, 11")))
    for first, layers, batch in (("False", 1, "x.size(0)"), ("True", 2, "x.size(1)"), ("True", 1, "3")):
        state = f"h = torch.zeros({layers}, {batch}, 5)"
        forward = f"{state}; x, h = self.rnn(x, (h, h)); return x"
        yield Wrong("hidden", net({"rnn": f"LSTM(11, 5, {layers}, batch_first={first})"}, forward, *on("4, 7, 11")))
        forward = f"{state}; x, h = self.rnn(x, h); return x"
        yield Wrong("hidden", net({"rnn": f"GRU(11, 5, {layers}, batch_first={first})"}, forward, *on("4, 7, 11")))
    for layers, directions, size in ((2, "False", 5), (1, "True", 5), (1, "False", 6)):
        forward = f"h = torch.zeros(1, x.size(0), {size}); x, h = self.rnn(x, h); return x"
        yield Wrong("hidden", net({"rnn": f"GRU(11, 5, {layers}, batch_first=True, bidirectional={directions})"}, forward, *on("4, 7, 11")))
    for own, filters, stride in ((16, 32, 1), (16, 16, 2), (8, 24, 2), (64, 128, 1)):
        module = {"conv": f"Conv2d({own}, {filters}, 3, stride={stride}, padding=1)"}
        yield Wrong("skip", net(module, "y = self.conv(x); return y + x", *on(f"2, {own}, 14, 14")))
        yield Wrong("skip", net(module, "y = self.conv(x); y += x; return y", *on(f"2, {own}, 14, 14")))
    for size in (15, 30, 101):
        module = {"down": "Conv2d(3, 6, 3, padding=1)", "up": "ConvTranspose2d(6, 3, 2, stride=2)"}
        forward = "y = F.max_pool2d(self.down(x), 2); y = self.up(y); return torch.cat([y, x], dim=1)"
        yield Wrong("odd sizes", net(module, forward, *on(f"2, 3, {size}, 17")))
        forward = "y = F.max_pool2d(self.down(x), 2); y = self.up(y); return y + x"
        yield Wrong("odd sizes", net(module, forward, *on(f"2, 3, {size}, 17")))
    linear = {"fc": "Linear(7, 5)"}
    for target, loss in (
        ("torch.full((3,), 5)", _CE), ("torch.full((3,), -1)", _CE), ("torch.ones(3)", _CE), ("torch.ones(3, 1, dtype=torch.long)", _CE),
        ("torch.ones(4, dtype=torch.long)", _CE), ("torch.ones(3, 4)", _CE), ("torch.ones(3, 5, dtype=torch.long)", _CE), ("torch.ones(3, 1)", "nn.BCELoss()"),
        ("torch.ones(3)", "nn.BCEWithLogitsLoss()"), ("torch.ones(3, 5, dtype=torch.long)", "nn.BCEWithLogitsLoss()"), ("torch.ones(3, 4)", _MSE), ("torch.ones(3, 5, dtype=torch.long)", "nn.NLLLoss()"),
        ("torch.ones(3, dtype=torch.int32)", _CE), ("torch.full((3,), 9)", "nn.NLLLoss()"),
    ):  # fmt: skip
        forward = "return torch.sigmoid(self.fc(x))" if "BCELoss" in loss else "return self.fc(x)"
        yield Wrong("targets", net(linear, forward, f"criterion = {loss}", "x = torch.randn(3, 7)", f"target = {target}", "loss = criterion(model(x), target)"))
    yield Wrong("targets", net({"fc": "Linear(64, 5)"}, "return self.fc(x.view(-1, 64))", "x = torch.randn(3, 128)", "target = torch.ones(3, dtype=torch.long)", f"loss = {_CE}(model(x), target)"))
    for rows, ids in ((13, "torch.full((2, 3), 13)"), (100, "torch.randint(100, 200, (4, 7))"), (5, "torch.full((2, 3), -1)"), (13, "torch.ones(2, 3)")):
        yield Wrong("ids", net({"embed": f"Embedding({rows}, 6)"}, "return self.embed(x)", f"x = {ids}", "model(x)"))
    attention = {"attn": "MultiheadAttention(8, 2)"}
    yield Wrong("attention", net(attention, "return self.attn(x, x, x)[0]", *on("5, 2, 7")))
    yield Wrong("masks", net(attention, "mask = torch.zeros(2, 2); return self.attn(x, x, x, attn_mask=mask)[0]", *on("5, 2, 8")))
    yield Wrong("masks", net(attention, "mask = torch.zeros(5, 2, dtype=torch.bool); return self.attn(x, x, x, key_padding_mask=mask)[0]", *on("5, 2, 8")))
    encoder = {"layer": "TransformerEncoderLayer(8, 2, 16)"}
    yield Wrong("masks", net(encoder, "mask = torch.zeros(3, 3); return self.layer(x, mask)", *on("5, 3, 8")))
    yield Wrong("attention", net({"t": "Transformer(8, 2, 1, 1, 16)"}, "return self.t(x, x[:, 1:])", *on("5, 3, 8")))
    yield Wrong("attention", net({"t": "Transformer(8, 2, 1, 1, 16)"}, "return self.t(x, x)", *on("5, 3, 7")))
    for heads in (3, 5):
        yield Wrong("attention", net({"attn": f"MultiheadAttention(8, {heads})"}, "return self.attn(x, x, x)[0]"))
    yield Wrong("gradients", net(linear, "return self.fc(x).detach()", *on("2, 7"), "model(x).sum().backward()"))
    yield Wrong("gradients", net(linear, "return self.fc(x).argmax(1).float()", *on("2, 7"), "model(x).sum().backward()"))
    yield Wrong("gradients", net(linear, "return self.fc(x)", *on("2, 7"), "loss = model(x).tanh().sum()", "loss.backward()", "loss.backward()"))
    yield Wrong("gradients", net(linear, "return self.fc(x).sigmoid().add_(1)", *on("2, 7"), "model(x).sum().backward()"))
    yield Wrong("gradients", net(linear, "return self.fc(x)", *on("2, 7"), "model(x).backward()"))
    yield Wrong("gradients", net(linear, "return self.fc(x)", *on("2, 7"), "model(x).numpy()"))
    yield Wrong("gradients", net(linear, "return self.fc(x)", "print(model.fc.weight.grad.norm())"))
    yield Wrong("no parameters", net({"act": "ReLU()"}, "return self.act(x)", "torch.optim.SGD(model.parameters(), 0.1)"))
    yield Wrong("no init", net(linear, "return self.fc(x)").replace("        super().__init__()\n", ""))
    yield Wrong("no parameters", net(linear, "return self.fc(x)", "torch.optim.SGD(model, 0.1)"))
    yield Wrong("checkpoints", net(linear, "return self.fc(x)", "state = {'fc.weight': torch.ones(11, 7), 'fc.bias': torch.ones(11)}", "model.load_state_dict(state)"))
    yield Wrong("checkpoints", net(linear, "return self.fc(x)", "state = {'module.' + k: v for k, v in model.state_dict().items()}", "model.load_state_dict(state)"))
    yield Wrong("checkpoints", net(linear, "return self.fc(x)", "model.load_state_dict({'fc.weight': torch.ones(5, 7)})"))
    for module in ("Linear(in_feature=7, out_features=5)", "Conv2d(3, 7)", "Linear(7)", "LSTM(7, 5, batchfirst=True)", "Conv2d(3, 7, kernal_size=3)", "Dropout(probability=0.5)", "MaxPool2d()"):
        yield Wrong("arguments", net({"part": module}, "return self.part(x)"))
    yield Wrong("attributes", net(linear, "return self.fc1(x)", *on("2, 7")))
    yield Wrong("attributes", net(linear, "return self.fc(nn.ReLU(x))", *on("2, 7")))
    yield Wrong("attributes", net(linear, "return nn.ReLU(self.fc(x)).view(-1)", *on("2, 7")))
    yield Wrong("attributes", net(linear, "return self.fc(x)", "model.fit(torch.randn(2, 7))"))
    yield Wrong("attributes", net(linear, "return self.fc(x)", "print(model.shape)"))
    yield Wrong("dtypes", net(linear, "return self.fc(x)", "x = torch.zeros(2, 7, dtype=torch.float64)", "model(x)"))
    yield Wrong("dtypes", net(linear, "return self.fc(x)", "x = torch.zeros(2, 7, dtype=torch.long)", "model(x)"))
    yield Wrong("dtypes", net({"conv": "Conv2d(3, 7, 3)"}, "return self.conv(x)", "x = torch.zeros(2, 3, 9, 9, dtype=torch.uint8)", "model(x)"))
    yield Wrong("dtypes", net({"conv": "Conv2d(3, 7, 3)"}, "return self.conv(x)", "x = torch.zeros(2, 3, 9, 9, dtype=torch.float64)", "model(x)"))
    yield Wrong("dtypes", net({"conv": "Conv2d(3, 7, 3)"}, "return self.conv(x)", "import numpy as np", "model(np.zeros((2, 3, 9, 9)))"))
    yield Wrong("dtypes", net(linear, "return self.fc(x)", "import numpy as np", "model(np.zeros((2, 7)))"))
    for module, shape in (("Conv2d(3, 7, 5)", "2, 3, 4, 4"), ("MaxPool2d(4)", "2, 3, 3, 3"), ("Conv1d(3, 7, 9)", "2, 3, 8"), ("AvgPool2d(7)", "2, 3, 5, 5")):
        yield Wrong("windows", net({"part": module}, "return self.part(x)", *on(shape)))
    yield Wrong("matmul", net({"q": "Linear(8, 6)", "k": "Linear(8, 5)"}, "return torch.bmm(self.q(x), self.k(x).transpose(1, 2))", *on("2, 4, 8")))
    yield Wrong("matmul", net({"q": "Linear(8, 6)"}, "return torch.matmul(self.q(x), self.q(x))", *on("2, 4, 8")))
    yield Wrong("axes", net(linear, "return self.fc(x).permute(0, 2, 1)", *on("2, 7")))
    yield Wrong("axes", net(linear, "return self.fc(x).mean(dim=2)", *on("2, 7")))
    yield Wrong("axes", net(linear, "return torch.cat([self.fc(x), x[:, None]], 1)", *on("2, 7")))
    yield Wrong("view", net(linear, "return self.fc(x).t().view(-1)", *on("2, 7")))
    yield Wrong("memory", net(linear, "return self.fc(x)", "big = torch.empty(1 << 50)"))
    yield Wrong("data", net(linear, "return self.fc(x)", "data = torch.utils.data.TensorDataset(torch.randn(10, 7), torch.ones(9))"))
    yield Wrong("data", net(linear, "return self.fc(x)", "torch.stack([torch.ones(3), torch.ones(4)])"))
    for target, shape in (("torch.ones(2, 3, dtype=torch.long)", "2, 3, 7"), ("torch.ones(2, 1, 4, 4, dtype=torch.long)", "2, 4, 4, 7")):
        forward = "return self.fc(x)" if shape == "2, 3, 7" else "return self.fc(x).permute(0, 3, 1, 2)"
        yield Wrong("targets", net(linear, forward, f"x, target = torch.randn({shape}), {target}", f"loss = {_CE}(model(x), target)"))
    yield Wrong("targets", net(linear, "return self.fc(x)", *on("3, 7"), "loss = nn.CrossEntropyLoss(model(x), torch.ones(3).long())", "print(loss(model(x), model(x)))"))
    yield Wrong("targets", net(linear, "return self.fc(x) + 9", *on("3, 7"), "loss = nn.BCELoss()(model(x), torch.ones(3, 5))"))
    yield Wrong("values", net(linear, "return self.fc(x)", *on("3, 7"), "value = model(x).item()"))
    yield Wrong("values", net(linear, "return self.fc(x)", "import numpy as np", "x = torch.tensor(np.array([[1], [1, 2]], dtype=object))"))
    yield Wrong("values", net(linear, "return self.fc(x)", "x = torch.tensor([[1, 2, 3], [1, 2]])"))
    yield Wrong("values", net(linear, "return self.fc(x)", "w = torch.ones(3, requires_grad=True)", "w += 1"))
    yield Wrong("values", net(linear, "return self.fc(x)", "w = torch.tensor([1, 2], requires_grad=True)"))
    yield Wrong("values", net(linear, "return self.fc(x)", "y = F.one_hot(torch.ones(3))"))
    yield Wrong("attributes", net(linear, "return self.fc(x)", "state = model.state_dict()", "state.eval()"))
    yield Wrong("attributes", net(linear, "return self.fc(x)", *on("3, 7"), "model = model(x)", "model(x)"))
    yield Wrong("attributes", net(linear, "return self.fc(x)", *on("3, 7")).replace("def forward", "def foward"))
    yield Wrong("calls", net(linear, "return self.fc(x)", "model(torch.randn(2, 7), torch.randn(2, 7))"))
    yield Wrong("calls", net(linear, "return self.fc(x)", "model()"))


# Keras ----------------------------------------------------------------------------------------------------------------

_KERAS = "import numpy as np\nimport tensorflow as tf\nimport keras\nfrom keras import layers\n"


def sequential(*parts: str, ends: tuple[str, ...] = ()) -> str:
    """Return a program that adds layers, one in a line."""
    adds = "".join([f"model.add({'' if one.startswith('keras.') else 'layers.'}{one})\n" for one in parts])
    return f"{_KERAS}model = keras.Sequential()\n{adds}" + "".join([f"{line}\n" for line in ends])


def graph(inputs: dict[str, str], *steps: str, ends: tuple[str, ...] = ()) -> str:
    """Return a program of the functional API: inputs by name, and steps as they are written."""
    lines = [f"{name} = keras.Input(shape={shape})" for name, shape in inputs.items()]
    return _KERAS + "".join([f"{line}\n" for line in (*lines, *steps, *ends)])


def trained(loss: str, x: str, y: str, metrics: str = "") -> tuple[str, ...]:
    """Return the lines that compile a model and fit it on arrays."""
    return (f"model.compile('adam', '{loss}'{f', metrics=[{metrics!r}]' if metrics else ''})", f"X = {x}", f"y = {y}", "model.fit(X, y, verbose=0)")


def keras_programs() -> Iterator[Wrong]:
    """Give the wrong programs of Keras."""
    given = "keras.Input(shape={})"
    for layer, shape in (
        ("LSTM(6)", (9,)), ("GRU(6)", (9,)), ("SimpleRNN(5)", (9, 9, 3)), ("LSTM(6)", (9, 9, 3)), ("Bidirectional(layers.LSTM(4))", (9,)), ("Conv1D(4, 3)", (9,)),
        ("Conv1D(4, 3)", (9, 9, 3)), ("Conv2D(4, 3)", (28, 28)), ("Conv2D(4, 3)", (28,)), ("Conv2D(4, 3)", (5, 28, 28, 1)), ("MaxPooling2D()", (28, 28)), ("MaxPooling1D()", (28,)),
        ("Conv3D(4, 3)", (9, 9, 3)), ("GlobalAveragePooling2D()", (28, 28)), ("UpSampling2D()", (28, 28)), ("ConvLSTM2D(3, 3)", (9, 9, 3)),
        ("SeparableConv2D(4, 3)", (28, 28)), ("Conv2DTranspose(4, 3)", (28, 28)), ("GlobalMaxPooling1D()", (28,)), ("RepeatVector(3)", (5, 4)), ("Cropping2D(1)", (9, 9)), ("ZeroPadding2D(1)", (9, 9)),
    ):  # fmt: skip
        yield Wrong("ranks", sequential(given.format(shape), layer))
    yield Wrong("ranks", sequential(given.format((9, 3)), "LSTM(6)", "LSTM(5)"))
    yield Wrong("ranks", sequential(given.format((9, 3)), "Conv1D(6, 3)", "Flatten()", "LSTM(5)"))
    yield Wrong("ranks", sequential(given.format((28, 28, 1)), "Conv2D(6, 3)", "Flatten()", "Conv2D(6, 3)"))
    yield Wrong("ranks", sequential(given.format((50,)), "Embedding(99, 8)", "Conv2D(6, 3)"))
    yield Wrong("time distributed", sequential(given.format((5, 64, 64)), "TimeDistributed(layers.Conv2D(4, 3))"))
    for layer, shape, x in (
        ("Dense(10)", (784,), (8, 28, 28)), ("Dense(10)", (784,), (8, 100)), ("LSTM(4)", (9, 3), (8, 9)), ("Conv2D(4, 3)", (28, 28, 1), (8, 28, 28)),
        ("Conv2D(4, 3)", (28, 28, 3), (8, 28, 28, 1)), ("Dense(3)", (4,), (8, 5)), ("LSTM(4)", (9, 3), (8, 3, 9)), ("Conv2D(4, 3)", (32, 32, 3), (32, 32, 3)), ("Dense(3)", (4,), (4,)),
    ):  # fmt: skip
        yield Wrong("data", sequential(given.format(shape), layer, "Flatten()", "Dense(1)", ends=trained("mse", f"np.zeros({x})", "np.zeros((8, 1))" if x[0] == 8 else f"np.zeros(({x[0]}, 1))")))
    for units, activation, loss, y in (
        (10, "softmax", "categorical_crossentropy", "np.zeros((8,))"), (10, "softmax", "categorical_crossentropy", "np.zeros((8, 1))"), (10, "softmax", "categorical_crossentropy", "np.zeros((8, 9))"),
        (3, "softmax", "sparse_categorical_crossentropy", "np.zeros((8, 3))"), (2, "softmax", "binary_crossentropy", "np.zeros((8, 1))"), (2, "sigmoid", "binary_crossentropy", "np.zeros((8,))"),
        (1, "sigmoid", "binary_crossentropy", "np.zeros((8, 2))"), (4, "linear", "mse", "np.zeros((8, 3))"), (1, "softmax", "categorical_crossentropy", "np.zeros((8, 5))"),
        (3, "softmax", "sparse_categorical_crossentropy", "np.full((8,), 3)"), (10, "softmax", "sparse_categorical_crossentropy", "np.full((8,), -1)"), (5, "softmax", "sparse_categorical_crossentropy", "np.full((8, 1), 9)"),
    ):  # fmt: skip
        yield Wrong("targets", sequential(given.format((7,)), f"Dense({units}, activation='{activation}')", ends=trained(loss, "np.zeros((8, 7))", y)))
    for loss, y, layer in (("sparse_categorical_crossentropy", "np.zeros((8,))", "Dense(5, activation='softmax')"), ("categorical_crossentropy", "np.zeros((8, 5))", "Dense(5, activation='softmax')"), ("binary_crossentropy", "np.zeros((8, 1))", "Dense(2)")):
        yield Wrong("targets", sequential(given.format((9, 3)), "LSTM(4, return_sequences=True)", layer, ends=trained(loss, "np.zeros((8, 9, 3))", y)))
        yield Wrong("targets", sequential(given.format((6, 6, 3)), "Conv2D(4, 3)", layer, ends=trained(loss, "np.zeros((8, 6, 6, 3))", y)))
    for rows, top in ((10, 10), (100, 250), (10, -1)):
        yield Wrong("ids", sequential(given.format((5,)), f"Embedding({rows}, 4)", "Flatten()", "Dense(1)", ends=trained("mse", f"np.full((8, 5), {top})", "np.zeros((8, 1))")))
    two = {"a": "(12, 13, 4)", "b": "(11, 13, 6)"}
    for layer in ("Concatenate()", "Add()", "Multiply()", "Average()", "Subtract()", "Maximum()"):
        yield Wrong("merging", graph(two, f"y = layers.{layer}([a, b])"))
    yield Wrong("merging", graph({"a": "(4,)", "b": "(5,)"}, "y = layers.Add()([a, b])"))
    yield Wrong("merging", graph({"a": "(4,)", "b": "(5, 2)"}, "y = layers.Concatenate()([a, b])"))
    yield Wrong("merging", graph({"a": "(4,)", "b": "(5,)"}, "y = layers.Dot(axes=1)([a, b])"))
    yield Wrong("merging", graph({"a": "(4,)"}, "y = layers.Concatenate()(a)"))
    yield Wrong("merging", graph({"a": "(4,)"}, "y = layers.Add()(a)"))
    for size in (15, 30, 101):
        steps = ("d = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding='same')(x))", "d = layers.MaxPooling2D()(d)", "u = layers.UpSampling2D(4)(d)", "y = layers.concatenate([u, x])")
        yield Wrong("odd sizes", graph({"x": f"({size}, {size}, 3)"}, *steps))
        steps = ("d = layers.Conv2D(3, 3, strides=2, padding='same')(x)", "u = layers.Conv2DTranspose(3, 3, strides=2, padding='same')(d)", "y = layers.Add()([u, x])")
        yield Wrong("odd sizes", graph({"x": f"({size + 1 - size % 2}, 16, 3)"}, *steps))
    for shape, target in (((12,), (5, 3)), ((4, 4, 3), (50,)), ((7,), (-1, 2))):
        yield Wrong("reshape", sequential(given.format(shape), f"Reshape({target})"))
    for x, y in ((8, 7), (100, 10)):
        yield Wrong("counts", sequential(given.format((4,)), "Dense(3)", ends=trained("mse", f"np.zeros(({x}, 4))", f"np.zeros(({y}, 3))")))
    for shape, parts in (((4, 4, 3), ("Conv2D(4, 5)",)), ((8, 8, 3), ("MaxPooling2D(2)",) * 4), ((9, 2), ("Conv1D(4, 12)",)), ((5, 5, 1), ("Conv2D(4, 3)", "Conv2D(4, 3)", "Conv2D(4, 3)"))):
        yield Wrong("windows", sequential(given.format(shape), *parts))
    yield Wrong("channels", sequential(given.format((9, 9, 3)), "Conv2D(4, 3, groups=2)"))
    states = "y, h, c = layers.LSTM(6, return_state=True)(x)"
    yield Wrong("hidden", graph({"x": "(9, 3)"}, states, "z = layers.LSTM(5)(x, initial_state=[h, c])"))
    yield Wrong("hidden", graph({"x": "(9, 3)"}, "y, h = layers.LSTM(6, return_state=True)(x)"))
    yield Wrong("hidden", sequential(given.format((9, 3)), "LSTM(6, stateful=True)"))
    yield Wrong("arguments", sequential("Dense(3, input_shape=10)"))
    yield Wrong("hidden", graph({"x": "(9, 3)"}, states, "z = layers.GRU(6)(x, initial_state=[h, c])"))
    both = "y, fh, fc, bh, bc = layers.Bidirectional(layers.LSTM(6, return_state=True))(x)"
    yield Wrong("hidden", graph({"x": "(9, 3)"}, both, "z = layers.LSTM(6)(x, initial_state=[layers.Concatenate()([fh, bh]), layers.Concatenate()([fc, bc])])"))
    yield Wrong("hidden", graph({"x": "(9, 3)"}, both, "z = layers.LSTM(12)(x, initial_state=[fh, fc])"))
    model = "model = keras.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])))"
    pair = {"a": "(4,)", "b": "(3,)"}
    yield Wrong("inputs", graph(pair, model, ends=("model.predict(np.zeros((8, 4)), verbose=0)",)))
    yield Wrong("inputs", graph(pair, model, ends=("model([np.zeros((8, 4))])",)))
    yield Wrong("inputs", graph({"a": "(4,)"}, "y = layers.Dense(3)([a, a])"))
    yield Wrong("inputs", graph({"a": "(4,)"}, "y = layers.Dense(3)(a, a, a)"))
    for layer in (
        "Dense(output_dim=5)", "Dense(5, init='uniform')", "LSTM(4, batch_input_shape=(1, 9, 3))", "Conv2D(4, 3, border_mode='same')", "Conv2D(4, 3, subsample=(2, 2))", "Dropout(p=0.5)", "Embedding(9, 4, weights=[np.zeros((9, 4))])",
        "LSTM(4, input_length=9)", "Dense(5, activaton='relu')", "Conv2D(4)", "Dense()", "Dense(5, activation='rellu')", "Conv2D(4, 3, padding='sane')", "BatchNormalization(mode=0)", "Dense(-3)", "Dense(2.5)", "Dropout(1.5)", "LSTM(4, consume_less='gpu')", "LeakyReLU(alpha=0.1)", "Dense(5, batch_size=8)", "Dense(5, input_shape=(4,), output_shape=(5,))",
    ):  # fmt: skip
        yield Wrong("arguments", f"{_KERAS}layer = layers.{layer}\n")
    yield Wrong("arguments", f"{_KERAS}optimizer = keras.optimizers.Adam(lr=0.01)\n")
    yield Wrong("arguments", f"{_KERAS}optimizer = keras.optimizers.SGD(learning_rate=0.01, decay=1e-6)\n")
    yield Wrong("arguments", sequential(given.format((4,)), "Dense(3)", ends=("model.compile('adam', 'mse')", "model.fit(np.zeros((8, 4)), np.zeros((8, 3)), nb_epoch=2)")))
    yield Wrong("arguments", sequential(given.format((4,)), "Dense(3)", ends=("model.compile('adam', 'msee')", "model.fit(np.zeros((8, 4)), np.zeros((8, 3)))")))
    for call in ("tf.reduce_mean(x, axis=1)", "tf.concat([x, x], axis=-1)", "tf.nn.relu(x)", "tf.expand_dims(x, -1)", "tf.reshape(x, (-1, 27))"):
        yield Wrong("backend", graph({"x": "(9, 3)"}, f"y = {call}", "y = layers.Flatten()(y)", "model = keras.Model(x, layers.Dense(1)(y))"))
    for call in ("np.mean(x, axis=1)", "keras.backend.expand_dims(x, -1)", "keras.backend.squeeze(x, -1)", "x.numpy()", "x.reshape((27,))", "len(x)", "float(x)"):
        yield Wrong("backend", graph({"x": "(9, 3)"}, f"y = {call}"))
    for method in ("predict_classes(np.zeros((8, 4)))", "predict_proba(np.zeros((8, 4)))", "fit_generator(None)", "reset_states()", "input", "output", "add_layer(layers.Dense(2))"):
        yield Wrong("attributes", sequential("Dense(3)", ends=(f"model.{method}",)))
    yield Wrong("attributes", f"{_KERAS}layer = layers.Dens(3)\n")
    yield Wrong("attributes", f"{_KERAS}layer = layers.CuDNNLSTM(3)\n")
    yield Wrong("attributes", f"{_KERAS}from keras.layers.core import Dense\n")
    yield Wrong("attributes", f"{_KERAS}from keras.utils import np_utils\n")
    yield Wrong("attributes", f"{_KERAS}from keras.layers import merge, Dense, LSTMs\n")
    yield Wrong("attributes", graph({"x": "(4,)"}, "y = layers.Dense(3)(x)", "y.add(layers.Dense(3))"))
    yield Wrong("not connected", graph({"a": "(4,)", "b": "(4,)"}, "model = keras.Model(a, layers.Dense(3)(b))"))
    yield Wrong("not connected", graph({"a": "(4,)"}, "model = keras.Model(a, layers.Dense(3))"))
    yield Wrong("not connected", graph({"a": "(4,)"}, "y = layers.Dense(3)(a)", "model = keras.Sequential([y])"))
    yield Wrong("not connected", graph({"a": "(4,)"}, "y = layers.Dense(3)(a)", "model = keras.Sequential()", "model.add(y)"))
    yield Wrong("not compiled", sequential(given.format((4,)), "Dense(3)", ends=("model.fit(np.zeros((8, 4)), np.zeros((8, 3)))",)))
    yield Wrong("not built", sequential("Dense(3)", ends=("print(model.weights)", "model.summary()")))
    yield Wrong("not built", sequential("Dense(3)", ends=("model.count_params()",)))
    yield Wrong("not built", sequential("Dense(3)", ends=("model.save_weights('w.weights.h5')", "model.outputs[0]")))
    yield Wrong("attention", graph({"x": "(9, 8)"}, "y = layers.MultiHeadAttention(2, 4)(x)"))
    yield Wrong("attention", graph({"x": "(9, 8)", "m": "(9,)"}, "y = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=m)", "model = keras.Model([x, m], y)", ends=("model.predict([np.zeros((2, 9, 8)), np.ones((2, 9))], verbose=0)",)))
    yield Wrong("open sizes", sequential(given.format((None, 3)), "Flatten()", "Dense(4)"))
    yield Wrong("open sizes", sequential(given.format((None, None)), "Dense(4)"))
    yield Wrong(
        "gradients",
        graph(
            {"x": "(4,)"},
            "model = keras.Model(x, layers.Dense(3)(x))",
            "tape = tf.GradientTape()",
            "with tape:",
            "    loss = tf.cast(tf.argmax(model(np.zeros((2, 4))), 1), 'float32')",
            ends=("g = tape.gradient(loss, model.trainable_variables)", "keras.optimizers.SGD().apply_gradients(zip(g, model.trainable_variables))"),
        ),
    )
    yield Wrong(
        "gradients",
        graph(
            {"x": "(4,)"},
            "layer = layers.Dense(3)",
            "layer.trainable = False",
            "model = keras.Model(x, layer(x))",
            ends=("model.compile('adam', lambda t, p: keras.backend.sum(keras.backend.constant(1.0)))", "layer.trainable = True", "model.compile('adam', lambda t, p: tf.constant(1.0))", "model.fit(np.zeros((8, 4)), np.zeros((8, 3)), verbose=0)"),
        ),
    )
    yield Wrong("dtypes", sequential(given.format((4,)), "Dense(3)", ends=trained("mse", "np.array([['a'] * 4] * 8, dtype=object)", "np.zeros((8, 3))")))
    yield Wrong("dtypes", sequential(given.format((4,)), "Dense(3)", ends=trained("mse", "[[1, 2, 3, 4], [1, 2]]", "np.zeros((2, 3))")))
    yield Wrong("weights", sequential(given.format((4,)), "Dense(3)", ends=("model.layers[-1].set_weights([np.zeros((5, 3)), np.zeros(3)])",)))
    yield Wrong("weights", sequential(given.format((4,)), "Dense(3)", ends=("model.layers[-1].set_weights([np.zeros((4, 3))])",)))
    yield Wrong("names", sequential(given.format((4,)), "Dense(3, name='a')", "Dense(3, name='a')"))
    yield Wrong("names", graph({"x": "(4,)"}, "y = layers.Dense(3, name='my layer/x')(x)"))


# fmt: on
# Running --------------------------------------------------------------------------------------------------------------


def raised(program: str, modules: dict[str, Any]) -> tuple[int, str, str] | None:
    """Return the line, the type and the message of the error of a program; None where it ends without one."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "<program>", "exec"), {"__name__": "program"})
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<program>"]
        return lines[-1] or 0, type(error).__name__, str(error)
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
    return None


def rows() -> Iterator[dict[str, Any]]:
    """Run all programs; give a row for each that fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tf_keras
    import torch

    runs: list[tuple[str, Iterator[Wrong], dict[str, Any]]] = [
        (f"torch {torch.__version__.partition('+')[0]}", torch_programs(), {}),
        (f"keras {keras.__version__}", keras_programs(), {}),
        (f"keras {tf_keras.__version__}", keras_programs(), {"keras": tf_keras}),
    ]
    for framework, programs, modules in runs:
        for wrong in programs:
            keras.utils.clear_session()
            tf_keras.utils.set_random_seed(1)
            found = raised(wrong.program, modules)
            if found is None:
                print(f"{framework}: no error: {wrong.kind}\n{wrong.program}", file=sys.stderr)
                continue
            line, type_, message = found
            if message not in SAYS_NOTHING:
                row = {"framework": framework, "kind": wrong.kind, "line": line, "error": type_}
                yield {**row, "message": without_paths(message), "program": wrong.program}


if __name__ == "__main__":
    table = list(rows())
    TABLE.write_text("[\n" + ",\n".join([json.dumps(row) for row in table]) + "\n]\n")
    print(f"{len(table)} rows")
