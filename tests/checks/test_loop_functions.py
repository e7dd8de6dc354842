"""What a loop of training of PyTorch applies to the output before the loss: findings beside PyTorch's own numbers.

Each program is one activation at the end of a model, one function in the loop, and one loss. PyTorch computes the same
lines on scores from far below 0 to far above.
"""

import itertools
from collections.abc import Iterator

import pytest

import layerexplain

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

PROGRAM = """
import torch
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(7, 5)
        self.head = nn.Linear(5, 3)
    def forward(self, x):
        x = self.head(F.gelu(self.body(x)))
        return {forward}
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for x, y in {batches}:
    optimizer.zero_grad()
    out = model(x)
{loop}
    loss.backward()
    optimizer.step()
"""
FUNCTIONS = {  # by name: as a function, as a method, as a module
    "": ("{}", "{}", "{}"),
    "softmax": ("F.softmax({}, dim=1)", "{}.softmax(-1)", "nn.Softmax(dim=1)({})"),
    "log_softmax": ("F.log_softmax({}, 1)", "{}.log_softmax(dim=1)", "nn.LogSoftmax(dim=1)({})"),
    "sigmoid": ("torch.sigmoid({})", "{}.sigmoid()", "nn.Sigmoid()({})"),
    "logsigmoid": ("F.logsigmoid({})", "F.logsigmoid(input={})", "nn.LogSigmoid()({})"),
    "relu": ("F.relu({})", "{}.relu()", "nn.ReLU()({})"),
    "tanh": ("torch.tanh({})", "{}.tanh()", "nn.Tanh()({})"),
    "elu": ("F.elu({})", "F.elu({}, alpha=1.0)", "nn.ELU()({})"),
    "leaky_relu": ("F.leaky_relu({})", "F.leaky_relu({}, 0.1)", "nn.LeakyReLU(0.1)({})"),
    "softplus": ("F.softplus({})", "F.softplus({}, beta=1)", "nn.Softplus()({})"),
}
ALSO = {  # which only a loop applies
    "log": ("torch.log({})", "{}.log()", "torch.log(input={})"),
    "scaled": ("{} / 2.0", "{}.div(2.0)", "torch.mul({}, 0.5)"),
    "moved": ("{}.view(-1, 3)", "{}.contiguous()", "torch.reshape({}, (-1, 3))"),
    "clone": ("{}.float()", "{}.clone()", "{}.to(x.device)"),
    "detach": ("{}.detach()", "{}.detach().clone()", "{}.argmax(1, keepdim=True).float().expand(-1, 3)"),
}
JUDGED = ("", "softmax", "log_softmax", "sigmoid", "log", "moved", "clone", "detach")
"""What is judged together with any end of a model; of the others that follow an activation nothing false is said."""
CLASSES, BITS, SHARES = torch.tensor([0]), torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.9, 0.06, 0.04]])
LOSSES = {
    "nn.CrossEntropyLoss()({}, y)": CLASSES,
    "F.cross_entropy({}, y)": CLASSES,
    "nn.NLLLoss()({}, y)": CLASSES,
    "F.nll_loss({}, y)": CLASSES,
    "nn.BCELoss()({}, y)": BITS,
    "F.binary_cross_entropy({}, y)": BITS,
    "nn.BCEWithLogitsLoss()({}, y)": BITS,
    "nn.KLDivLoss(reduction='batchmean')({}, y)": SHARES,
    "nn.MSELoss()({}, y)": BITS,
}


def programs() -> Iterator[tuple[str, str, str, bool]]:
    """Yield the end of a model, what stands in the loop, the loss, and whether a fault must be found; each form of a
    function in its turn."""
    forms = itertools.cycle([0, 1, 2])
    for forward, applied, loss in itertools.product(FUNCTIONS, {**FUNCTIONS, **ALSO}, LOSSES):
        form = next(forms)
        inline = loss.format({**FUNCTIONS, **ALSO}[applied][form].format("out"))
        named = f"probs = {{}}\n    loss = {loss.format('probs')}"
        loop = (
            f"    loss = {inline}"
            if (form + len(forward)) % 2
            else "    " + named.format({**FUNCTIONS, **ALSO}[applied][form].format("out"))
        )
        yield FUNCTIONS[forward][form].format("x"), loop, loss, not forward or applied in JUDGED


def in_pytorch(forward: str, loop: str, loss: str) -> str:
    """Return what is wrong with the numbers of a loss on all kinds of scores; "" for nothing."""
    y = LOSSES[loss]
    signs = 2 * torch.nn.functional.one_hot(y, 3).float() - 1 if y is CLASSES else 2 * (y > 0.5).float() - 1
    scores = [size * (signs + shift) for size in (0.5, 3.0, 12.0, 5000.0) for shift in (-1.0, 0.0, 1.0)]
    scores += [torch.full((1, 3), 50.0)]
    scores += [torch.log(SHARES) + shift for shift in (-2.0, 0.0, 2.0)] + [torch.tensor([[-4.0, -5.0, -3.5]])]
    found = []
    vars_of_torch = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    space = {**vars_of_torch, "y": y}
    for z in scores:
        x = z.clone().requires_grad_()
        space |= {"x": x, "model": lambda x: eval(forward, {**vars_of_torch, "x": x})}
        try:
            exec("out = model(x)\n" + "\n".join(line[4:] for line in loop.splitlines()), space)
            space["loss"].backward()
        except RuntimeError as error:
            return str(error).splitlines()[0]
        value, gradient = space["loss"].item(), x.grad.abs().max().item()
        if abs(z).max() < 4 and not (value == value and gradient == gradient):
            return "NaN"
        if value < -1e-3:
            return "below 0"
        if gradient == 0 and value > 0.05 and abs(z).max() < 6:
            return "no gradient"
        found.append(value)
        if y is not BITS and abs(z).max() > 20 and z.unique().numel() == 1 and value < 0.5:
            return "near 0 for equal scores"
    lowest = min(found)
    if max(found) - lowest < 0.01:
        return "constant"
    return f"never below {lowest:.2f}" if lowest > 0.02 else ""


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_loop_applies_is_judged_with_the_loss(loss: str) -> None:
    count, wrong = 0, []
    for forward, loop, own, is_judged in programs():
        if own != loss:
            continue
        batches = "batches" if count % 4 else "[(torch.randn(11, 7), targets())]"  # of known shapes, too
        text = PROGRAM.format(forward=forward, loop=loop, batches=batches)
        findings = layerexplain.check(text.encode(), inputs={"x": (7,)})
        said = [one for one in findings if one.severity in ("breaks", "wrong")]
        truth = in_pytorch(forward, loop, loss)
        if "MSE" in loss:  # a regression is judged by the range of its targets, which these numbers do not show
            said = [one for one in said if one.code == "no-gradient"]
            truth = truth if "require grad" in truth else ""
        count += 1
        if bool(said) != bool(truth) and (said or is_judged):
            wrong.append(
                f"{forward} | {' '.join(loop.split())}: PyTorch {truth!r}, check {[one.message for one in said]}"
            )
    assert count == len(FUNCTIONS) * (len(FUNCTIONS) + len(ALSO)) and not wrong, "\n".join(wrong)


NET, LOOP = PROGRAM.split("model = Net()")
LOOP = LOOP.format(loop="    loss = criterion({}, y)", batches="loader").split("lr=0.01)")[1]
PLACES = {  # where a loop stands that nothing calls; "{{}}" is what the loss gets
    "function": "model = Net()\ncriterion = nn.NLLLoss()\ndef fit(model, loader, optimizer):\n    model.train()"
    + LOOP.replace("\n", "\n    "),
    "function of a class alone": "def fit(net, loader, optimizer):\n    net.train()\n    criterion = nn.NLLLoss()"
    + LOOP.replace("model(x)", "net(x)").replace("\n", "\n    "),
    "method": """class Trainer:
    def __init__(self, model):
        self.model, self.criterion = model, nn.NLLLoss()
        self.optimizer = torch.optim.Adam(model.parameters())
    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            out = self.model(x)
            loss = self.criterion({}, y)
            loss.backward()
            self.optimizer.step()
trainer = Trainer(Net())
""",
    "step of Lightning": """    def training_step(self, batch, number):
        x, y = batch
        out = self(x)
        return {{"loss": F.nll_loss({}, y)}}
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
model = Net()
""",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("applied", ["out", "F.log_softmax(out, 1)", "out.softmax(1)"])
def test_a_loop_that_nothing_calls_is_followed(place: str, applied: str) -> None:
    text = NET.replace("{forward}", "x").rstrip() + "\n" + PLACES[place].format(applied)
    findings = layerexplain.check(text.encode(), inputs={"x": (7,)})
    truth = in_pytorch("x", f"    loss = nn.NLLLoss()({applied}, y)", "nn.NLLLoss()({}, y)")
    assert bool(truth) == (applied != "F.log_softmax(out, 1)")
    assert [one.code for one in findings] == ["no-logarithms"] * bool(truth), text
    assert not truth or ("softmax" in findings[0].message) == ("softmax" in applied)
