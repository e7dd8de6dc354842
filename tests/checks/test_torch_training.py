"""What `check` finds in the training of PyTorch code: the loss beside the output, the targets beside both."""

from pathlib import Path

import pytest

import layerexplain
from tests.support.commands import invoke

NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(7, 5)
        self.fc2 = nn.Linear(5, {units})

    def forward(self, x):
        x = F.relu(self.fc1(x))
        return {out}

net = Net()
weights = torch.tensor([0.2, 0.7, 1.9])
criterion = nn.{loss}({loss_args})
optimizer = torch.optim.{optimizer}
"""
LOOP = """
for epoch in range(3):
    for i, (inputs, labels) in enumerate(loader):
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
"""
ON_DATA = """
x, y = torch.randn(23, 7), {target}
loss = criterion(net(x), y)
loss.backward()
"""


def code(
    loss: str,
    out: str = "self.fc2(x)",
    units: int = 3,
    target: str = "",
    optimizer: str = "Adam(net.parameters())",
    loss_args: str = "",
) -> str:
    text = NET.format(loss=loss, out=out, units=units, optimizer=optimizer, loss_args=loss_args)
    return text + (ON_DATA.format(target=target) if target else LOOP)


ROWS: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "softmax before CrossEntropyLoss": (
        code("CrossEntropyLoss", "F.softmax(self.fc2(x), dim=1)"),
        {"logits-of-probabilities": ("line 14", "ends with softmax", "CrossEntropyLoss (line 18)", "Return the scores")},
    ),
    "sigmoid before BCEWithLogitsLoss": (code("BCEWithLogitsLoss", "torch.sigmoid(self.fc2(x))", 1),
        {"logits-of-probabilities": ("ends with sigmoid", "applies a sigmoid of its own")}),
    "scores into CrossEntropyLoss": (code("CrossEntropyLoss"), {}),
    "weights of classes": (code("CrossEntropyLoss", target="torch.randint(0, 3, (23,))", loss_args="weights"), {}),
    "weights that are not known": (code("CrossEntropyLoss", target="torch.randint(0, 3, (23,))", loss_args="a()"), {}),
    "too few weights of classes": (code("CrossEntropyLoss", units=2, target="torch.randint(0, 2, (23,))",
        loss_args="weights"), {"layer-at-fault": ("weight to be a number for each of the 2 classes, got (3,)",)}),
    "BCELoss without sigmoid": (code("BCELoss", units=1), {"no-probabilities": ("line 10", "the output is linear", "BCEWithLogitsLoss")}),
    "NLLLoss without log_softmax": (code("NLLLoss"), {"no-logarithms": ("the output is linear", "NLLLoss (line 18)", "log_softmax(x, dim=1)")}),
    "NLLLoss behind log_softmax": (code("NLLLoss", "F.log_softmax(self.fc2(x), dim=1)"), {}),
    "one unit": (code("CrossEntropyLoss", units=1), {"one-class": ("(None, 1): one class", "BCEWithLogitsLoss")}),
    "relu before CrossEntropyLoss": (code("CrossEntropyLoss", "F.relu(self.fc2(x))"),
        {"activation-before-cross-entropy": ("ends with relu", "logits have no bounds", "Remove the activation")}),
    "a learning rate of 3": (code("CrossEntropyLoss", optimizer="Adam(net.parameters(), lr=3.)"), {"absurd-learning-rate": ("Adam has a learning rate of 3",)}),
    "targets of another rank": (code("MSELoss", units=1, target="torch.randn(23)"),
        {"targets-spread": ("MSELoss gets targets of (23,)", "output of (None, 1)", "output.squeeze(1)")}),
    "targets of the rank that the loop gives the output": (code("MSELoss", units=1,
        target="torch.randn(23)").replace("criterion(net(x)", "criterion(net(x).squeeze(1)"), {}),
    "targets of another rank than the loop gives the output": (
        code("MSELoss", units=1, target="torch.randn(23, 1)").replace("criterion(net(x)", "criterion(net(x).view(-1)"),
        {"targets-spread": ("MSELoss gets targets of (23, 1)", "output of (None,)")},
    ),
    "targets that fit": (code("MSELoss", units=1, target="torch.randn(23, 1)"), {}),
    "targets that BCEWithLogitsLoss refuses": (code("BCEWithLogitsLoss", units=1, target="torch.ones(23)"),
        {"layer-at-fault": ("line 22", "got (23,) for (23, 1)", "target.unsqueeze(1)")}),
    "class numbers that are floats": (code("CrossEntropyLoss", target="torch.zeros(23)"), {"layer-at-fault": ("write target.long()",)}),
    "bits that are whole numbers": (code("BCEWithLogitsLoss", units=1, target="torch.randint(0, 2, (23, 1))"), {"layer-at-fault": ("write target.float()",)}),
    "one-hot columns": (code("CrossEntropyLoss", target="torch.randint(0, 3, (23, 1))"), {"layer-at-fault": ("target.squeeze(1)",)}),
    "another number of examples": (code("CrossEntropyLoss", target="torch.randint(0, 3, (29,))"), {"layer-at-fault": ("(23,)", "got (29,)")}),
    "a class too many": (code("CrossEntropyLoss", target="torch.randint(0, 11, (23,))"),
        {"labels-outside": ("labels from 0 to 10", "3 units", "nn.Linear(…, 11)")}),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_training_is_checked(name: str) -> None:
    text, wanted = ROWS[name]
    more = () if "randn(23" in text else ("--input", "7")
    result = invoke("check", "-", *more, input=text)
    found = layerexplain.check(text.encode(), inputs={"x": (7,)} if more else None)
    assert [one.code for one in found] == list(wanted), result.output
    for code_, parts in wanted.items():
        assert code_ in result.output and "fit()" not in result.output and "Keras" not in result.output
        for part in parts:
            assert part in result.output, result.output


@pytest.mark.parametrize(
    ("old", "new", "is_found"),
    [
        ("        optimizer.zero_grad()\n", "", True),
        ("optimizer.zero_grad()", "net.zero_grad(set_to_none=True)", False),
        ("optimizer.zero_grad()", "for p in net.parameters(): p.grad = None", False),
        ("        optimizer.zero_grad()\n", "", False),  # without a step the gradients are only summed
    ],
)
def test_a_loop_that_never_clears_gradients_is_found(old: str, new: str, is_found: bool) -> None:
    text = NET.format(loss="MSELoss", out="self.fc2(x)", units=3, optimizer="SGD(net.parameters())", loss_args="")
    loop = (
        LOOP.replace(old, new) if is_found or new else LOOP.replace(old, "").replace("optimizer.step()", "print(loss)")
    )
    found = layerexplain.check((text + loop).encode(), inputs={"x": (7,)})
    assert [one.code for one in found] == ["gradients-add-up"] * is_found
    line = (text + loop)[: (text + loop).index("loss.backward()")].count("\n") + 1
    assert not is_found or (found[0].severity == "wrong" and f"line {line})" in found[0].message)


@pytest.mark.parametrize(
    ("arguments", "key", "is_found"),
    [
        ("", ":, -1, :", True),
        ("", ":, -1", True),
        ("", ":, 0", True),
        ("", "-1", False),
        ("", "-1, :, :", False),
        ("", ":, -3:", False),
        (", batch_first=True", ":, -1, :", False),
    ],
)
def test_an_example_that_is_taken_for_the_last_step_is_found(arguments: str, key: str, is_found: bool) -> None:
    text = f"""
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 7{arguments})
        self.fc = nn.Linear(7, 3)
    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[{key}])
net = Net()
y = net(torch.randn(11, 13, 5))
"""
    found = layerexplain.check(text.encode())
    assert [one.code for one in found] == ["example-for-step"] * is_found
    assert not is_found or "of (11, None, 7), (steps, batch, features), one example" in found[0].message


IN_A_LIST = NET.replace("self.fc1 = nn.Linear(7, 5)", "self.rest = [nn.Linear(7, 5)]").replace(
    "self.fc1(x)", "self.rest[0](x)"
)


def test_modules_in_a_plain_list_are_found_and_those_in_a_module_list_are_none() -> None:
    text = (
        IN_A_LIST.format(loss="MSELoss", out="self.fc2(x)", units=3, optimizer="SGD(net.parameters())", loss_args="")
        + LOOP
    )
    report = layerexplain.explain(text.encode(), inputs={"x": (7,)})
    assert (report.grade, report.totals.params) == ("complete", 5 * 3 + 3)  # as model.parameters() has them
    found = layerexplain.check(text.encode(), inputs={"x": (7,)})
    assert [(one.code, one.layer, one.line) for one in found] == [("unregistered", "linear", 9)]
    kept = text.replace("[nn.Linear(7, 5)]", "nn.ModuleList([nn.Linear(7, 5)])")
    assert not list(layerexplain.check(kept.encode(), inputs={"x": (7,)}))
    assert layerexplain.explain(kept.encode(), inputs={"x": (7,)}).grade == "complete"


def test_the_loss_and_the_optimizer_of_a_program_are_read() -> None:
    text = code("CrossEntropyLoss", optimizer="SGD(net.parameters(), lr=0.03, momentum=0.9)")
    trained = layerexplain.explain(text.encode(), inputs={"x": (7,)}).training
    assert trained is not None
    assert trained.optimizer == "torch.optim.SGD" and trained.optimizer_config == {"lr": 0.03, "momentum": 0.9}
    assert [(one.loss, one.targets) for one in trained.losses] == [
        ("torch.nn.CrossEntropyLoss", "whole numbers 0 to 2, of shape (None,)")
    ]
    step = invoke("explain", "-", "--training", "--input", "7", input=text).output
    assert "m = 0.9 * m + g" in step and "W = W - 0.03 * m" in step
    assert "losses = sparse_softmax_cross_entropy(y_true, y_pred)" in step


UNSAID = """
CrossEntropyLoss weight=torch.tensor(counts()): weight
CrossEntropyLoss label_smoothing=config.smoothing: label_smoothing
CrossEntropyLoss reduction=config.reduction: reduction
MSELoss reduction=config.reduction: reduction
"""


@pytest.mark.parametrize("row", UNSAID.strip().splitlines())
def test_what_the_code_does_not_say_is_not_made_up(row: str) -> None:
    (loss, given), name = row.partition(": ")[0].split(), row.partition(": ")[2]
    text = code(loss, loss_args=given, optimizer="Adam(net.parameters(), lr=config.rate)")
    report = layerexplain.explain(text.encode(), inputs={"x": (7,)}).training
    assert report is not None
    assert (report.losses[0].config, report.optimizer_config) == ({name: "?"}, {"lr": "?"})
    step = invoke("explain", "-", "--training", "--input", "7", "--width", "500", input=text).output
    assert f"{loss} needs a known {name}, got {name}=?" in step and "losses =" not in step
    assert "Adam needs a known lr, got lr=?" in step and "W = W" not in step


def test_an_optimizer_without_a_formula_is_named() -> None:
    text = code("MSELoss", optimizer="NAdam(net.parameters())")
    step = invoke("explain", "-", "--training", "--input", "7", input=text).output
    assert "torch.optim.NAdam has no formula here" in step


def test_several_models_have_their_own_optimizers() -> None:
    two = (
        code("MSELoss")
        + "other = Net()\noptimizer2 = torch.optim.SGD(other.parameters(), lr=0.5)\nother(torch.randn(2, 7))\n"
    )
    net, other = (layerexplain.explain(_named(two, name), inputs={"x": (7,)}).training for name in ("net", "other"))
    assert net is not None and net.optimizer == "torch.optim.Adam"
    assert other is not None and other.optimizer == "torch.optim.SGD" and not other.losses


def _named(text: str, name: str) -> object:
    from layerexplain.frontends.code_source import CodeSource

    return CodeSource("-", name, content=text.encode())


TWO_MODELS = """
import torch, torch.nn as nn
class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(4, 4)
    def forward(self, x):
        return self.f(x)
class Whole(Part):
    def __init__(self):
        super().__init__()
        self.part = Part()
    def forward(self, x):
        return self.f(self.part(x))
a, b, whole = Part(), Part(), Whole()
x, y, loss, optimizer = torch.randn(8, 4), torch.randn(8, 4), nn.MSELoss(), torch.optim.Adam
"""
UPDATED = [  # what the program does → the models that get gradients and never change
    ("o = optimizer(b.parameters()); loss(a(x), y).backward()", ["a"]),
    ("o = optimizer([p for p in b.parameters() if p.requires_grad]); loss(a(x), y).backward()", ["a"]),
    ("o = optimizer(a.parameters()), optimizer(b.parameters()); loss(a(x), y).backward()", []),
    ("o = optimizer(list(a.parameters()) + list(b.parameters())); (loss(a(x), y) + loss(b(x), y)).backward()", []),
    ("o = optimizer([{'params': a.parameters()}, {'params': b.f.parameters(), 'lr': 1}]); loss(b(x), y).backward()",
        []),
    ("o = optimizer(a.parameters()); loss(b(a(x)), b(y)).backward()", []),  # b compares features
    ("o = optimizer(a.parameters()); loss(a(x), b(x).detach()).backward()", []),
    ("o = optimizer(whole.part.parameters()); loss(whole(x), y).backward()", []),
    ("o = optimizer(made_elsewhere(a)); loss(b(x), y).backward()", []),
]  # fmt: skip


@pytest.mark.parametrize(("program_end", "never_changed"), UPDATED)
def test_an_optimizer_of_another_model_is_found(tmp_path: Path, program_end: str, never_changed: list[str]) -> None:
    (tmp_path / "train.py").write_text(f"{TWO_MODELS}{program_end}\n")
    found = [
        name
        for name in ("a", "b", "whole")
        for finding in layerexplain.check(f"{tmp_path / 'train.py'}:{name}")
        if finding.code == "optimizer-of-another-model"
    ]
    assert found == never_changed


@pytest.mark.parametrize("inside", [False, True], ids=["of the module", "of main()"])
def test_of_several_models_the_one_that_is_trained_is_checked(inside: bool) -> None:
    net = NET.format(loss="MSELoss", out="self.fc2(x)", units=3, optimizer="SGD(net.parameters())", loss_args="")
    head, rest = net.split("net = Net()")
    training = ("net = Net()\nother = Net()" + rest + LOOP).replace("SGD(net.", "SGD(other.")
    text = head + ("def main():\n    " + training.replace("\n", "\n    ") + "\nmain()\n" if inside else training)
    assert [one.code for one in layerexplain.check(text.encode(), inputs={"x": (7,)})] == ["optimizer-of-another-model"]
