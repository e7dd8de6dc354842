"""Questions that users of PyTorch ask, put as they ask them: with their code, often with an error and without a shape."""

from typing import NamedTuple

import pytest

from tests.support.commands import invoke

IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


class Question(NamedTuple):
    """A question, the command, what is pasted, and what the answer contains, in this order."""

    asked: str
    command: str
    code: str
    answer: tuple[str, ...]


def net(init: str, forward: str, after: str = "") -> str:
    """The code of a model: statements of `__init__` and of `forward`, and what stands behind the class."""
    indented = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    indented += [f"        {line}" for line in init.split("; ")]
    indented += ["    def forward(self, x):", *[f"        {line}" for line in forward.split("; ")]]
    return IMPORTS + "\n".join(indented) + f"\n{after}\n"


CONVS = (
    "self.c1 = nn.Conv2d(1, 16, 5, padding=2); self.c2 = nn.Conv2d(16, 32, 5, padding=2); self.out = nn.Linear({}, 10)"
)
FLAT = "x = F.max_pool2d(F.relu(self.c1(x)), 2); x = F.max_pool2d(F.relu(self.c2(x)), 2); return self.out(torch.flatten(x, 1))"
LOOP = """model = Net()
criterion = nn.{}()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for images, labels in loader:
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()"""

QUESTIONS = [
    Question("What goes into the Linear after my convolutions?", "check - --input 1,28,28",
             net(CONVS.format(1050), FLAT),
             ("line 13:16, out", "Linear needs 1050 features", "got 1568", "write in_features=1568", "1568 = 32 × 7 × 7", "the module is made in line 9")),
    Question("mat1 and mat2 shapes cannot be multiplied: which line?", "check -",
             "RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x1568 and 784x10)\n" + net(CONVS.format(784), FLAT),
             ("line 14:16, out", "in_features=784, got 1568", "write in_features=1568", "made in line 10")),
    Question("expected input to have 3 channels, but got 1", "check -",
             "RuntimeError: Given groups=1, weight of size [64, 3, 7, 7], expected input[16, 1, 224, 224] to have 3 channels, "
             "but got 1 channels instead\n"
             + net("self.conv = nn.Conv2d(3, 64, 7, stride=2); self.fc = nn.Linear(64, 5)", "return self.fc(self.conv(x).mean((2, 3)))"),
             ("line 11:24, conv", "as grey images have", "x.repeat(1, 3, 1, 1)", "made in line 8")),
    Question("How many parameters has my LSTM?", "summary -",
             net("self.lstm = nn.LSTM(28, 100, num_layers=2, batch_first=True); self.fc = nn.Linear(100, 10)",
                 "out, (h, c) = self.lstm(x); return self.fc(out[:, -1])"),
             ("lstm", f"{4 * 100 * (28 + 100 + 2) + 4 * 100 * (100 + 100 + 2):,}", "Parameters")),
    Question("Why has PyTorch's LSTM more parameters than Keras's?", "layer nn.LSTM 5 7 --vs keras LSTM 7 --input 3,5", "",
             ("PyTorch has two biases for each gate, Keras one",)),
    Question("My loss stays near 2.3 and does not fall", "check -",
             net("self.fc1 = nn.Linear(784, 128); self.fc2 = nn.Linear(128, 10)",
                 "x = F.relu(self.fc1(x.view(-1, 784))); return F.softmax(self.fc2(x), dim=1)", LOOP.format("CrossEntropyLoss")),
             ("logits-of-probabilities", "the output ends with softmax", "CrossEntropyLoss", "Return the scores")),
    Question("My loss becomes negative", "check -",
             net("self.fc = nn.Linear(20, 4)", "return F.softmax(self.fc(x), dim=1)", LOOP.format("NLLLoss")),
             ("no-logarithms", "ends with softmax", "NLLLoss", "log_softmax(x, dim=1)")),
    Question("all elements of input should be between 0 and 1", "check -",
             net("self.fc = nn.Linear(20, 1)", "return self.fc(x)", LOOP.format("BCELoss")),
             ("no-probabilities", "the output is linear", "BCEWithLogitsLoss")),
    Question("Target 10 is out of bounds", "check -",
             "IndexError: Target 10 is out of bounds.\n" + net("self.fc = nn.Linear(20, 10)", "return self.fc(x)", LOOP.format("CrossEntropyLoss")),
             ("fc", "classes 0 to 9", "nn.Linear(20, 11), or number the classes from 0")),
    Question("Why is my regression no better than the mean?", "check -",
             net("self.fc = nn.Linear(8, 1)", "return self.fc(x)",
                 "model = Net()\nx, y = torch.randn(100, 8), torch.randn(100)\nloss = nn.MSELoss()(model(x), y)"),
             ("targets-spread", "targets of (100,) beside an output of (None, 1)", "target.unsqueeze(1)")),
    Question("Expected input batch_size (256) to match target batch_size (64)", "check -",
             net("self.c1 = nn.Conv2d(1, 6, 5); self.c2 = nn.Conv2d(6, 16, 5); self.fc = nn.Linear(16 * 4 * 4, 10)",
                 "x = F.max_pool2d(F.relu(self.c1(x)), 2); x = F.relu(self.c2(x)); return self.fc(x.view(-1, 16 * 4 * 4))",
                 "model = Net()\nmodel(torch.randn(64, 1, 28, 28))"),
             ("examples-mixed", "1024 = 16 × 8 × 8 numbers of an example are cut into rows of 256", "torch.flatten(x, 1)")),
    Question("Why does the optimizer not train my layers?", "check -",
             net("self.layers = [nn.Linear(4, 4) for _ in range(2)]; self.out = nn.Linear(4, 2)",
                 "for layer in self.layers: x = F.relu(layer(x)); return self.out(x)".replace(": x = ", ":\n            x = "),
                 "model = Net()\nmodel(torch.randn(3, 4))"),
             ("unregistered", "model.parameters() does not have its parameters", "nn.ModuleList")),
    Question("Expected more than 1 value per channel when training", "check -",
             "ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 256])\n"
             + net("self.fc = nn.Linear(512, 256); self.bn = nn.BatchNorm1d(256)", "return self.bn(self.fc(x))"),
             ("bn", "batches of 2 or more", "drop_last=True", "model.eval()")),
    Question("Sizes of tensors must match except in dimension 1", "check -",
             net("self.down = nn.Conv2d(3, 8, 3, 2, 1); self.up = nn.ConvTranspose2d(8, 3, 2, 2)",
                 "return torch.cat([x, self.up(self.down(x))], 1)", "Net()(torch.randn(1, 3, 57, 57))"),
             ("cat", "(None, 3, 57, 57) and (None, 3, 58, 58)", "F.interpolate")),
    Question("How do I feed an Embedding into Conv1d?", "check -",
             net("self.emb = nn.Embedding(5000, 100); self.conv = nn.Conv1d(100, 32, 3)", "return self.conv(self.emb(x))",
                 "Net()(torch.zeros(64, 50, dtype=torch.long))"),
             ("conv", "the channels are last: write x.transpose(1, 2)")),
    Question("What is the output shape of this Conv2d?", "layer nn.Conv2d 3 16 3 stride=2 padding=1 --input 3,32,32", "",
             ("(None, 3, 32, 32) → (None, 16, 16, 16)", "448 = ")),
    Question("What does nn.CrossEntropyLoss compute?", "layer nn.CrossEntropyLoss --input 10", "",
             ("losses = sparse_softmax_cross_entropy(y_true, y_pred)", "L = mean(losses)", "log(sum(exp(z)")),
    Question("How does AdamW differ from Adam with weight_decay?", "layer optim.AdamW weight_decay=0.1 --input 7", "",
             ("decayed = W - 0.0001 * W", "W = decayed - 0.001")),
    Question("size mismatch for fc.weight: copying a param", "check -",
             "RuntimeError: Error(s) in loading state_dict for Net: size mismatch for fc.weight: copying a param with shape "
             "torch.Size([1000, 512]) from checkpoint, the shape in current model is torch.Size([10, 512]).\n"
             + net("self.fc = nn.Linear(512, 10)", "return self.fc(x)"),
             ("fc", "(1000, 512) in the file and (10, 512) in the model", "1000 units", "strict=False")),
    Question("embed_dim must be divisible by num_heads", "check -", IMPORTS + "attention = nn.MultiheadAttention(100, 8)\n",
             ("line 4", "num_heads to divide embed_dim=100, got num_heads=8; write num_heads=10, or embed_dim=104")),
    Question("Why is the output of my autoencoder 27 × 27?", "check -",
             net("self.e = nn.Conv2d(1, 16, 3, stride=2, padding=1); self.d = nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1)",
                 "return self.d(self.e(x))", "model = Net()\nx = torch.randn(8, 1, 28, 28)\nloss = nn.MSELoss()(model(x), x)"),
             ("got (8, 1, 27, 27) and (8, 1, 28, 28)", "write output_padding=1 in 'd', ConvTranspose2d: it gives 28 in place of 27")),
    Question("The size of tensor a (64) must match the size of tensor b (32)", "check -",
             net("self.c = nn.Conv2d(32, 64, 3, padding=1, stride=2)", "return F.relu(self.c(x)) + x", "Net()(torch.randn(1, 32, 16, 16))"),
             ("add", "the shortcut from 'x'", "self.shortcut = nn.Conv2d(32, 64, 1, stride=2)")),
    Question("The shortcut of my residual MLP does not fit", "check -",
             net("self.f = nn.Linear(11, 7)", "return x + self.f(x)", "Net()(torch.randn(5, 11))"),
             ("add", "self.shortcut = nn.Linear(11, 7), and add self.shortcut(x)")),
    Question("Expected 4-dimensional input for 4-dimensional weight [32, 1, 3, 3]", "check -",
             net("self.c = nn.Conv2d(1, 32, 3)", "return self.c(x)", "Net()(torch.randn(64, 28, 28))"),
             ("got (None, 28, 28) with 3", "x.unsqueeze(1) adds the axis of the one channel")),
    Question("For unbatched 2-D input, hx should also be 2-D", "check -",
             net("self.r = nn.RNN(8, 16, batch_first=True)", "return self.r(x, torch.zeros(1, x.size(0), 16))[0]", "Net()(torch.randn(32, 8))"),
             ("RNN takes an input of two axes for one example", "where the input is (batch, features), write x.unsqueeze(1)")),
    Question("The shape of the 2D attn_mask is not what it should be", "check -",
             "RuntimeError: The shape of the 2D attn_mask is torch.Size([32, 32]), but should be (10, 10).\n"
             + net("self.e = nn.MultiheadAttention(64, 4)", "return self.e(x, x, x, attn_mask=mask(x.size(1)))[0]"),
             ("the mask is (32, 32) for 10 steps", "make the mask of x.size(0), or write batch_first=True")),
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.asked)
def test_an_answer_contains_what_was_asked_for(question: Question) -> None:
    output = invoke(*question.command.split(), input=question.code).output
    at = 0
    for part in question.answer:
        assert part in output[at:], f"{part!r} is not there, or not in its place:\n{output}"
        at = output.index(part, at)
