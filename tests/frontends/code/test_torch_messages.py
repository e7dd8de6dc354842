"""Errors of PyTorch that are pasted with code and without: PyTorch's own words are what is read, and what is said."""

from typing import NamedTuple

import pytest

from layerexplain.frontends.code.reader import read_code
from tests.support.commands import invoke

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


class Row(NamedTuple):
    """A message, the code that raises it, and what is said of both. The code is called on DATA, and its loss compares
    TARGET: what they are the paste does not say."""

    message: str
    code: str
    said: tuple[str, ...]
    data: str = ""
    target: str = ""


def net(*modules: str, forward: str, run: str = "model(DATA)") -> str:
    """Code of a model whose modules are `m0`, `m1` …"""
    lines = [f"        self.m{i} = nn.{one}\n" for i, one in enumerate(modules)]
    init = "".join(["    def __init__(self):\n        super().__init__()\n", *lines])
    return f"class Net(nn.Module):\n{init}    def forward(self, x):\n        return {forward}\nmodel = Net()\n{run}\n"


def loss(name: str) -> str:
    return f"loss = nn.{name}()(model(DATA), TARGET)"


FLAT = "self.m1(torch.flatten(F.max_pool2d(self.m0(x), 4), 1))"
ROWS = [
    Row("mat1 and mat2 shapes cannot be multiplied (32x1568 and 784x10)",
        net("Conv2d(1, 32, 3, padding=1)", "Linear(784, 10)", forward=FLAT),
        ("m1", "in_features=784, got 1568 in (None, 1568); write in_features=1568"), "randn(32, 1, 28, 28)"),
    Row("mat1 and mat2 shapes cannot be multiplied (10x49 and 490x10)",
        net("Conv2d(1, 10, 3, padding=1)", "Linear(490, 10)", forward=FLAT),
        ("m1", "490 = 10 × 49: the tensor holds one example, in 10 rows", "x.unsqueeze(0)"), "randn(1, 28, 28)"),
    Row("Given groups=1, weight of size [7, 3, 5, 5], expected input[2, 1, 11, 13] to have 3 channels, but got 1 channels"
        " instead",
        net("Conv2d(3, 7, 5)", forward="self.m0(x)"),
        ("m0", "1 channel, as grey images have: write in_channels=1, or x.repeat(1, 3, 1, 1)"), "randn(2, 1, 11, 13)"),
    Row("Given groups=1, weight of size [7, 3, 5, 5], expected input[2, 11, 13, 3] to have 3 channels, but got 11 channels"
        " instead",
        net("Conv2d(3, 7, 5)", forward="self.m0(x)"),
        ("m0", "the channels are last: write x.permute(0, 3, 1, 2)"), "randn(2, 11, 13, 3)"),
    Row("Expected more than 1 value per channel when training, got input size torch.Size([1, 11])",
        net("Linear(7, 11)", "BatchNorm1d(11)", forward="self.m1(self.m0(x))"),
        ("m1", "one value for each of 11 channels", "drop_last=True", "model.eval()"), "randn(1, 7)"),
    Row("Target 5 is out of bounds.",
        net("Linear(7, 5)", forward="self.m0(x)", run=loss("CrossEntropyLoss")),
        ("m0", "the target 5 is out of range: 5 units are for classes 0 to", "write nn.Linear(7, 6)"),
        "randn(3, 7)", "full((3,), 5)"),
    Row("index out of range in self", net("Embedding(13, 3)", forward="self.m0(x)"), ("m0", "an id is not among 0 to 12, the 13 rows"), "full((2, 3), 13)"),
    Row("input.size(-1) must be equal to input_size. Expected 11, got 5",
        net("LSTM(11, 3)", forward="self.m0(x)"),
        ("m0", "LSTM needs 11 features along the last axis, input_size=11, got 5"), "randn(2, 11, 5)"),
    Row("Sizes of tensors must match except in dimension 1. Expected size 11 but got size 10 for tensor number 1 in the "
        "list.",
        net("MaxPool2d(2)", forward="torch.cat([x, F.interpolate(self.m0(x), scale_factor=2)], 1)"),
        ("sizes 11 and 10", "F.interpolate(x, size=skip.shape[2:])"), "randn(2, 3, 11, 11)"),
    Row("shape '[-1, 400]' is invalid for input of size 1152",
        net("Conv2d(1, 2, 3)", forward="self.m0(x).view(-1, 400)"),
        ("a multiple of 400 numbers, got 1152", "torch.flatten(x, 1)"), "randn(4, 1, 14, 14)"),
    Row("shape '[400]' is invalid for input of size 1152",
        net("Conv2d(1, 2, 3)", forward="self.m0(x).view(400)"),
        ("needs exactly 400 numbers, got 1152", "torch.flatten(x, 1)"), "randn(4, 1, 14, 14)"),
    Row("Using a target size (torch.Size([3])) that is different to the input size (torch.Size([3, 1])) is deprecated. "
        "Please ensure they have the same size.",
        net("Linear(7, 1)", forward="torch.sigmoid(self.m0(x))", run=loss("BCELoss")),
        ("an output of (3, 1) with a target of (3,)", "write output.squeeze(1), or target.unsqueeze(1)"),
        "randn(3, 7)", "ones(3)"),
    Row("Expected input batch_size (12) to match target batch_size (3).",
        net("Linear(7, 64)", "Linear(16, 5)", forward="self.m1(self.m0(x).view(-1, 16))", run=loss("CrossEntropyLoss")),
        ("64 = 64 numbers of an example are cut into rows of 16", "torch.flatten(x, 1)"),
        "randn(3, 7)", "ones(3, dtype=torch.long)"),
    Row("0D or 1D target tensor expected, multi-target not supported",
        net("Linear(7, 5)", forward="self.m0(x)", run=loss("CrossEntropyLoss")),
        ("one class number for each example", "target.squeeze(1)"), "randn(3, 7)", "ones(3, 1, dtype=torch.long)"),
    Row("expected target dtype to be Long or Byte, but got Float",
        net("Linear(7, 5)", forward="self.m0(x)", run=loss("CrossEntropyLoss")),
        ("class numbers or ids are of type float", "target.long()"), "randn(3, 7)", "ones(3)"),
    Row("Error(s) in loading state_dict for Net:\n\tsize mismatch for m0.weight: copying a param with shape "
        "torch.Size([11, 7]) from checkpoint, the shape in current model is torch.Size([5, 7]).\n\tsize mismatch for "
        "m0.bias: copying a param with shape torch.Size([11]) from checkpoint, the shape in current model is "
        "torch.Size([5]).",
        net("Linear(7, 5)", forward="self.m0(x)", run="model.load_state_dict(DATA)"),
        ("m0.weight is (11, 7) in the file and (5, 7) in the model", "make the model with 11 units", "strict=False"),
        "OrderedDict([('m0.weight', torch.ones(11, 7)), ('m0.bias', torch.ones(11))])"),
    Row("cannot assign module before Module.__init__() call",
        net("Linear(7, 5)", forward="self.m0(x)", run="").replace("        super().__init__()\n", ""),
        ("line 6", "Net.__init__ needs to call super().__init__()")),
    Row("element 0 of tensors does not require grad and does not have a grad_fn",
        net("Linear(7, 5)", forward="self.m0(x).detach()", run="model(DATA).sum().backward()"),
        ("depends on no parameter that is trained", ".detach()"), "randn(2, 7)"),
    Row("Trying to backward through the graph a second time",
        net("Linear(7, 5)", forward="self.m0(x)", run="loss = model(DATA).tanh().sum()\nloss.backward()\nloss.backward()"),
        ("a step before this one", "h = h.detach()", ".item()"), "randn(2, 7)"),
    Row("one of the variables needed for gradient computation has been modified by an inplace operation: [torch.FloatTensor "
        "[2, 5]], which is output 0 of SigmoidBackward0, is at version 1; expected version 0 instead.",
        net("Linear(7, 5)", forward="self.m0(x).sigmoid().add_(1)", run="model(DATA).sum().backward()"),
        ("changes in place what a gradient is computed from", "x = x + y", ".clone()"), "randn(2, 7)"),
    Row("the batch number of src and tgt must be equal",
        net("Transformer(8, 2, 1, 1, 11)", forward="self.m0(x, x[:, 1:])"),
        ("axis 1 of src and tgt", "batch_first=True"), "randn(3, 5, 8)"),
    Row("optimizer got an empty parameter list",
        net("ReLU()", forward="self.m0(x)", run="torch.optim.SGD(model.parameters(), 0.1)"),
        ("no parameters when the optimizer is made", "nn.ModuleList", "super().__init__()")),
    *(
        Row(f"Expected hidden[0] size {wanted}, got {got}",
            net(lstm, forward=f"self.m0(x, (torch.zeros({got}), torch.zeros({got})))[0]"), said, "randn(11, 5, 7)")
        for lstm, wanted, got, said in (
            ("LSTM(7, 13, 2)", (2, 5, 13), [2, 11, 13], ("write batch_first=True where the data are (batch, steps, features)", "x.size(1)")),
            ("LSTM(7, 13, 2, batch_first=True)", (2, 11, 13), [2, 5, 13], ("x.size(0)", "states still have the batch second")),
            ("LSTM(7, 13, 2, bidirectional=True)", (4, 5, 13), [2, 5, 13], ("twice that with bidirectional=True: write 4",)),
            ("LSTM(7, 13, 2)", (2, 5, 13), [2, 5, 3], ("its last size is hidden_size: write 13",)),
        )
    ),
    Row("mat1 and mat2 shapes cannot be multiplied (6x11 and 7x23)",
        net("Embedding(23, 7)", "Linear(7, 11)", "Linear(11, 23)", forward="self.m2(self.m1(self.m0(x)))",
            run="model.m2.weight = model.m0.weight\nmodel(torch.randint(0, 23, (2, 3)))"),
        ("line 12:16", "has the shape (23, 7) and needs 7 features along the last axis, got 11 in (None, 3, 11)", "Linear(11, 7)")),
    Row("embed_dim must be divisible by num_heads",
        net("MultiheadAttention(11, 3)", forward="self.m0(x, x, x)", run=""),
        ("m0", "num_heads to divide embed_dim=11, got num_heads=3")),
    Row("linear(): argument 'input' (position 1) must be Tensor, not ReLU",
        net("Linear(7, 5)", "Linear(5, 3)", forward="self.m1(nn.ReLU(self.m0(x)))"),
        ("nn.ReLU()(x)",), "randn(2, 7)"),
]  # fmt: skip

WORDS = [row.message[:40] for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=WORDS)
def test_a_pasted_error_is_explained_with_the_line_and_the_cure(row: Row) -> None:
    message = row.message.replace("\n", " ")
    output = invoke("check", "-", input=f"RuntimeError: {message}\n{HEAD}{row.code}").output
    assert "breaks" in output
    for part in row.said:
        assert part in output, output


FIRST: list[tuple[str, str, tuple[int | None, ...] | None]] = [
    ("nn.Linear(6, 3)", "Linear, takes 6 features, as in --input 6", (None, 6)),
    ("nn.Conv1d(4, 5, 3)", "Conv1d, takes 4 channels, as in --input 4,28", (None, 4, None)),
    ("nn.Conv2d(1, 5, 3)", "Conv2d, takes 1 channel, as in --input 1,28,28", (None, 1, None, None)),
    ("nn.Conv3d(2, 5, 3)", "Conv3d, takes 2 channels, as in --input 2,8,28,28", (None, 2, None, None, None)),
    ("nn.ConvTranspose2d(4, 5, 3)", "ConvTranspose2d, takes 4 channels", (None, 4, None, None)),
    ("nn.LSTM(6, 7)", "LSTM, takes 6 features, as in --input 9,6", (None, None, 6)),
    ("nn.RNN(1, 7)", "RNN, takes 1 feature, as in --input 9,1", (None, None, 1)),
    ("nn.LSTMCell(3, 4)", "LSTMCell, takes 3 features, as in --input 3", None),
    ("nn.GRUCell(3, 4)", "GRUCell, takes 3 features, as in --input 3", None),
    ("nn.Embedding(9, 3)", "Embedding, takes token ids, as in --input 9", (None, None)),
    ("nn.EmbeddingBag(9, 3)", "EmbeddingBag, takes token ids, as in --input 9", None),
    ("nn.Sequential(nn.Flatten(), nn.Linear(6, 3))", "Linear, takes 6 features, as in --input 6", (None, 6)),
    ("nn.Sequential(nn.Dropout(), nn.Conv1d(4, 5, 3))", "Conv1d, takes 4 channels, as in --input 4,28", (None, 4, None)),
    ("nn.BatchNorm1d(4)", "", None),
    ("nn.ReLU()", "", None),
]  # fmt: skip
"""First modules of a model, the words of the note on its input, and the shape that is assumed."""


@pytest.mark.parametrize(("module", "words", "shape"), FIRST)
def test_an_input_that_is_not_said_is_what_the_first_module_takes(
    module: str, words: str, shape: tuple[int | None, ...] | None
) -> None:
    code = (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = {module}\n"
        "    def forward(self, x):\n        return self.a(x)\n"
    )
    model = read_code(code.encode(), None, "Net")
    said = f"; its first module, {words}" if words else ""
    assert [one.message for one in model.notes] == [
        f"the input of Net has no shape in the code{said}; give it with --input"
    ]
    config = model.layers[0].config
    assert (config["batch_shape"], config["dtype"]) == (shape, "int64" if "Embedding" in module else "float32")
