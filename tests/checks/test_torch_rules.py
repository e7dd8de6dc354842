"""Rules on layers, for modules of PyTorch: what each reports, what is near it and sound, and in whose words."""

import re

import pytest

import layerexplain
from layerexplain.checks.rules import all_rules

PROGRAM = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {modules}

    def forward(self, x):
        {forward}

net = Net()
{training}
net(torch.{data})
"""


def net(modules: str, forward: str, data: str, training: str = "") -> str:
    return PROGRAM.format(modules=modules, forward=forward.replace("\n", "\n        "), data=data, training=training)


def chain(*modules: str, data: str = "randn(3, 7)") -> str:
    modules_of_net = f"self.net = nn.Sequential({', '.join(f'nn.{one}' for one in modules)})"
    return net(modules_of_net, "return self.net(x)", data)


HEADS = """
import torch, torch.nn as nn, torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(7, 5), nn.Linear(7, 1)

    def forward(self, x):
        return {{'a': self.a(x), 'b': self.b(x)}}

net = Net()
{}
"""
TWO = "self.a, self.b = nn.Linear(7, 5), nn.Linear(7, 1)"


def looped(loss: str) -> str:
    loop = "for x, y in loader:\n    optimizer.zero_grad()\n    out = net(x)\n    {}\n    loss.backward()\n    optimizer.step()"
    return f"optimizer = torch.optim.Adam(net.parameters())\n{loop.format(loss)}"


IMAGE = "randn(2, 3, 17, 19)"
STEPS = "randn(2, 11, 7)"
LSTMS = "self.a, self.b = nn.LSTM(7, 5, batch_first=True), nn.LSTM(5, 4, batch_first=True)"

ROWS: dict[str, tuple[dict[str, list[str]], tuple[str, ...]]] = {
    "softmax-axis": (
        {chain("Linear(7, 5)", "Softmax(dim=0)"): ["net.1"], chain("Linear(7, 5)", "LogSoftmax(0)"): ["net.1"],
         net("self.a = nn.Linear(7, 5)", "return F.softmax(self.a(x), dim=0)", "randn(3, 7)"): ["softmax"]},
        (chain("Linear(7, 5)", "Softmax(dim=1)"), chain("Linear(7, 5)", "Softmax(-1)"),
         chain("Conv2d(3, 5, 1)", "Softmax(dim=1)", data=IMAGE)),
    ),
    "bias-before-batchnorm": ({chain("Linear(7, 5)", "BatchNorm1d(5)"): ["net.0"],
        chain("Conv2d(3, 5, 3)", "BatchNorm2d(5)", "ReLU()", data=IMAGE): ["net.0"],
        chain("ConvTranspose2d(3, 5, 3)", "BatchNorm2d(5)", data=IMAGE): ["net.0"]},
        (chain("Linear(7, 5, bias=False)", "BatchNorm1d(5)"), chain("Linear(7, 5)", "BatchNorm1d(5, affine=False)"),
        chain("Linear(7, 5)", "ReLU()", "BatchNorm1d(5)"), chain("Linear(7, 5)", "LayerNorm(5)"))),
    "linear-twice": (
        {chain("Linear(7, 5)", "Linear(5, 3)"): ["net.0"], chain("Linear(7, 5)", "Dropout()", "Linear(5, 3)"): ["net.0"],
         chain("Conv2d(3, 7, 3)", "BatchNorm2d(7)", "Conv2d(7, 5, 3)", data=IMAGE): ["net.0"],
         net("self.a, self.b = nn.Linear(7, 5), nn.Linear(5, 3)", "return self.b(F.dropout(self.a(x), 0.2, self.training))",
             "randn(3, 7)"): ["a"]},
        (chain("Linear(7, 5)", "ReLU()", "Linear(5, 3)"), chain("Linear(7, 2)", "Linear(2, 5)"),
         chain("Conv2d(3, 3, 3, groups=3)", "Conv2d(3, 5, 1)", data=IMAGE), chain("Linear(7, 5)", "LayerNorm(5)", "Linear(5, 3)")),
    ),
    "dropout-before-batchnorm": (
        {chain("Linear(7, 5)", "ReLU()", "Dropout(0.2)", "BatchNorm1d(5)"): ["net.2"]},
        (chain("Linear(7, 5)", "ReLU()", "BatchNorm1d(5)", "Dropout(0.2)"), chain("Linear(7, 5)", "ReLU()", "Dropout(0)", "BatchNorm1d(5)")),
    ),
    "dropout-last": ({net("self.a = nn.Linear(7, 5)\n        self.d = nn.Dropout()", "return self.d(self.a(x))",
        "randn(3, 7)", "loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1)"): ["d"]},
        (chain("Dropout()", "Linear(7, 5)"), chain("Linear(7, 5)", "Dropout()"))),
    "dropout-always": ({net("self.a = nn.Linear(7, 5)", "return F.dropout(self.a(x), 0.2)",
        "randn(3, 7)"): ["dropout"], net("self.a = nn.Conv2d(3, 5, 1)", "return F.dropout2d(self.a(x))",
        IMAGE): ["dropout"]}, (net("self.a = nn.Linear(7, 5)", "return F.dropout(self.a(x), 0.2, self.training)",
        "randn(3, 7)"), net("self.a = nn.Linear(7, 5)", "return F.alpha_dropout(self.a(x), 0.2)", "randn(3, 7)"),
        chain("Linear(7, 5)", "Dropout(0.2)"))),
    "softmax-over-one": (
        {net("self.a = nn.Linear(5, 1)", "return torch.softmax(self.a(x), dim=-1) * x", "randn(2, 9, 5)"): ["softmax"]},
        (net("self.a = nn.Linear(5, 5)", "return (self.a(x) @ x.transpose(1, 2) / 3).masked_fill(x[..., :1] > 9, -1e9).softmax(-1) @ x", "randn(2, 1, 5)"),
         net("self.a = nn.Linear(5, 5)", "return torch.einsum('nid,njd->nij', self.a(x), x).softmax(-1)", "randn(2, 1, 5)")),
    ),
    "unregistered": ({HEADS.replace(TWO, "self.a, self.b = [nn.Linear(7, 5)], nn.ReLU()").format(""): [""],
        HEADS.replace(TWO, "self.a, self.b = {{'x': nn.Sequential(nn.Linear(7, 5))}}, nn.ReLU()").format(""): [""]},
        (HEADS.replace(TWO, "self.a, self.b = nn.ModuleList([nn.Linear(7, 5)]), nn.ReLU()").format(""),
        HEADS.replace(TWO, "self.a, self.b = [nn.ReLU(), nn.Flatten()], nn.ReLU()").format(""),
        HEADS.replace(TWO, "self.b = nn.Linear(7, 1)\n        self.a = [self.b]").format(""))),
    "unread-input": (
        {HEADS.replace("def forward(self, x)", "def forward(self, x, y)").format("net(torch.randn(3, 7), torch.randn(3, 7))"): ["y"]},
        (HEADS.replace("def forward(self, x)", "def forward(self, x, y)").format(""),),  # no shape: nothing is called
    ),
    "untrained-weights": (
        {HEADS.format(looped("loss = F.cross_entropy(out['a'], y)")): ["b"], HEADS.format(looped("a, b = out.values()\n    loss = F.mse_loss(out['b'], y)")): ["a"]},
        (HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + F.mse_loss(out['b'], y)")),
         HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + out['b'].mean()")),
         HEADS.format(looped("loss = sum(F.mse_loss(out[k], y) for k in names)")),
         HEADS.format("loss = nn.CrossEntropyLoss()")),
    ),
    "no-gradient": ({HEADS.format(looped("loss = F.cross_entropy(out['a'], y)")): ["b"]},
        (HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + F.mse_loss(out['b'], y)")),
        HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + out['b'].mean()")))),
    "no-probabilities": (
        {HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + F.binary_cross_entropy(out['b'], y)")): ["b"],
         HEADS.replace("{{'a': self.a(x), 'b': self.b(x)}}", "self.a(x), self.b(x)").format(
             looped("loss = F.cross_entropy(out[0], y) + F.binary_cross_entropy(out[-1], y)")): ["b"]},
        (HEADS.format(looped("loss = F.cross_entropy(out['a'], y) + F.binary_cross_entropy_with_logits(out['b'], y)")),),
    ),
    "dropout-of-all": (
        {chain("Dropout(1.0)", "Linear(7, 5)"): ["net.0"], chain("Dropout2d(1)", "Conv2d(3, 5, 3)", data=IMAGE): ["net.0"]},
        (chain("Dropout(0.99)", "Linear(7, 5)"), chain("Dropout()", "Linear(7, 5)")),
    ),
    "high-dropout": ({chain("Dropout(0.8)", "Linear(7, 5)"): ["net.0"]}, (chain("Dropout()", "Linear(7, 5)"), chain("Dropout(0.5)", "Linear(7, 5)"))),
    "dropout-before-pooling": (
        {chain("Conv2d(3, 5, 3)", "Dropout(0.2)", "MaxPool2d(2)", data=IMAGE): ["net.1"]},
        (chain("Conv2d(3, 5, 3)", "Dropout2d(0.2)", "MaxPool2d(2)", data=IMAGE), chain("Conv2d(3, 5, 3)", "Dropout(0.2)", "AvgPool2d(2)", data=IMAGE)),
    ),
    "floats-into-embedding": ({chain("Linear(7, 5)", "Embedding(11, 4)"): ["net.1"]}, (chain("Embedding(11, 4)", data="zeros(3, 7, dtype=torch.long)"),)),
    "normalization-after-softmax": (
        {chain("Linear(7, 5)", "Softmax(1)", "BatchNorm1d(5)"): ["net.2"]}, (chain("Linear(7, 5)", "BatchNorm1d(5)", "Softmax(1)"),),
    ),
    "selu-without-its-conditions": ({chain("Linear(7, 5)", "SELU()", "Dropout(0.1)", "Linear(5, 3)"): ["net.2"]},
        (chain("Linear(7, 5)", "SELU()", "AlphaDropout(0.1)", "Linear(5, 3)"),)),
    "reshape-for-permute": (
        {net("self.a = nn.Linear(11, 5)", "return self.a(x.view(-1, 7, 11))", STEPS): ["reshape"],
         net("self.a = nn.LSTM(7, 5, 2, batch_first=True)", "return self.a(x)[1][0].view(x.size(0), -1)", STEPS): ["reshape"],
         net("self.a = nn.Linear(7, 5)", "return self.a(x.transpose(0, 1)).reshape(x.size(0), -1)", STEPS): ["reshape"]},
        (net("self.a = nn.LSTM(7, 5, 2, batch_first=True)", "return self.a(x)[1][0].transpose(0, 1).reshape(x.size(0), -1)", STEPS),
         net("self.a = nn.LSTM(7, 5, batch_first=True)", "return self.a(x)[1][0].view(x.size(0), -1)", STEPS),
         net("self.a = nn.Linear(7, 5)", "return self.a(x.transpose(0, 1)).reshape(-1, 5)", STEPS),
         net("self.a = nn.Linear(11, 5)", "return self.a(x.permute(0, 2, 1))", STEPS), net("self.a = nn.Linear(77, 5)", "return self.a(x.view(-1, 77))", STEPS)),
    ),
    "small-receptive-field": (
        {chain("Conv2d(3, 5, 3)", "ReLU()", "AdaptiveAvgPool2d(1)", "Flatten()", "Linear(5, 2)", data=IMAGE): ["net.2"]},
        (chain("Conv2d(3, 5, 3)", "ReLU()", "AdaptiveAvgPool2d(2)", "Flatten()", "Linear(20, 2)", data=IMAGE),
         chain("Conv2d(3, 5, 19, padding=9)", "ReLU()", "AdaptiveAvgPool2d(1)", "Flatten()", "Linear(5, 2)", data=IMAGE)),
    ),
    "one-step": (
        {net(LSTMS, "return self.a(x.unsqueeze(1))[0]", "randn(3, 7)"): ["a"],
         net("self.a = nn.GRU(7, 5)", "return self.a(x.unsqueeze(0))[0]", "randn(3, 7)"): ["a"]},
        (net(LSTMS, "return self.a(x)[0]", STEPS), net("self.a = nn.GRU(7, 5)", "return self.a(x.unsqueeze(0), x[None, :, :5])[0]", "randn(3, 7)")),
    ),
    "pixels-as-steps": (
        {net("self.a = nn.LSTM(1, 5, batch_first=True)", "return self.a(x.view(-1, 784, 1))[0]", "randn(2, 1, 28, 28)"): ["a"]},
        (net("self.a = nn.LSTM(28, 5, batch_first=True)", "return self.a(x.view(-1, 28, 28))[0]", "randn(2, 1, 28, 28)"),
         net("self.a = nn.LSTM(1, 5, batch_first=True)", "return self.a(x)[0]", "randn(2, 499, 1)")),
    ),
    "example-for-step": ({net(LSTMS, "return self.b(self.a(x)[0][:, -1])[0]", STEPS): ["b"]}, (net(LSTMS, "return self.b(self.a(x)[0])[0][:, -1]", STEPS),)),
    "all-frozen": (
        {net("self.a = nn.Linear(7, 5)", "return self.a(x)", "randn(3, 7)",
             "net.requires_grad_(False)\nloss, optimizer = nn.MSELoss(), torch.optim.SGD(net.parameters(), 0.1)"): [""]},
        (net("self.a = nn.Linear(7, 5)", "return self.a(x)", "randn(3, 7)",
             "net.a.weight.requires_grad_(False)\nloss, optimizer = nn.MSELoss(), torch.optim.SGD(net.parameters(), 0.1)"),),
    ),
    "absurd-learning-rate": (
        {HEADS.format(f"optimizer = torch.optim.{one}(net.parameters(), lr={rate})"): [""]
         for one, rate in (("Adam", 0.5), ("Rprop", 0.5), ("LBFGS", 10), ("ASGD", 10))},
        tuple([HEADS.format(f"optimizer = torch.optim.{one}(net.parameters(), lr={rate})")
               for one, rate in (("LBFGS", 1), ("ASGD", 0.5), ("Adadelta", 1), ("Adam", 0.4))]),
    ),
    "unread-edge": ({chain("MaxPool2d(2)", data="randn(2, 3, 17, 18)"): ["net.0"]}, (chain("MaxPool2d(2, ceil_mode=True)", data="randn(2, 3, 17, 18)"),)),
    "checkerboard": ({chain("ConvTranspose2d(3, 5, 3, stride=2)", data=IMAGE): ["net.0"]}, (chain("ConvTranspose2d(3, 5, 4, stride=2)", data=IMAGE),)),
}  # fmt: skip


@pytest.mark.parametrize("code", ROWS)
def test_a_rule_reports_modules_of_pytorch(code: str) -> None:
    reported, sound = ROWS[code]
    for text, layers in reported.items():
        found = layerexplain.check(text.encode(), select=[code]).findings
        assert [one.layer or "" for one in found] == layers, text
    for text in sound:
        assert [*layerexplain.check(text.encode(), select=[code])] == [], text


@pytest.mark.parametrize(("first", "axis"), [("True", 1), ("False", 0)])
def test_the_axis_of_steps_is_added_where_the_module_reads_it(first: str, axis: int) -> None:
    modules = f"self.a, self.b = nn.Linear(7, 5), nn.LSTM(5, 4, batch_first={first})"
    text = net(modules, "return self.b(self.a(x))[0]", "randn(3, 7)")
    (found,) = layerexplain.check(text.encode(), select=["example-for-step"]).findings
    assert found.layer == "b" and f"x.unsqueeze({axis}) adds the axis" in found.message


IN_KERAS = re.compile(
    r"Keras|Dense\b|Conv[12]D|UpSampling|BatchNormalization|fit\(|predict\(|trainable=|use_bias|clipnorm|axis=|Permute"
)


@pytest.mark.parametrize("code", ROWS)
def test_what_is_said_of_pytorch_is_in_its_words(code: str) -> None:
    (text, *_) = ROWS[code][0]
    (found, *_) = layerexplain.check(text.encode(), select=[code]).findings
    assert not IN_KERAS.search(f"{found.message} {found.why} {found.fix}"), found


def test_words_of_pytorch_stand_where_those_of_keras_would_be_wrong() -> None:
    for rule in all_rules():
        words = rule.torch
        assert words is None or (words.why, words.fix) != ("", ""), rule.code
        assert words is None or not IN_KERAS.search(words.why + words.fix), rule.code
