"""Code of PyTorch as a source: rows, inputs, and what does not fit."""

from pathlib import Path

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.report.report import Report

NET = """
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self, hidden={hidden}):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(hidden, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        return self.fc2(F.relu(self.fc1(x)))
{more}
"""
PARAMS = (16 * 9 + 16) + (32 * 16 * 9 + 32) + (1568 * 128 + 128) + (1280 + 10)


def net(hidden: int = 1568, more: str = "") -> bytes:
    return NET.format(hidden=hidden, more=more).encode()


def explained(code: bytes, **inputs: tuple[int, ...]) -> Report:
    return layerexplain.explain(code, inputs=inputs or None)


def test_rows_are_named_as_modules_are() -> None:
    report = explained(net(), x=(1, 28, 28))
    assert [(row.layer, row.type) for row in report][1:6] == [
        ("conv1", "Conv2d"), ("relu", "torch.relu"), ("pool", "MaxPool2d"), ("conv2", "Conv2d"), ("relu_1", "torch.relu"),
    ]  # fmt: skip
    assert (report.totals.params, report.grade) == (PARAMS, "complete")
    assert report["fc1"].input_shapes == ((None, 1568),)
    assert report["pool"].output_shapes == ((None, 16, 14, 14),)
    assert [row.place for row in report][1] == "<bytes>:9"


@pytest.mark.parametrize(
    "more",
    [
        "model = Net()\nout = model(torch.randn(8, 1, 28, 28))",
        "from torchsummary import summary\nmodel = Net().to('cuda')\nsummary(model, (1, 28, 28))",
        "model = Net()\nmodel.eval()\nx = torch.zeros(1, 1, 28, 28, device='cpu')\nwith torch.no_grad():\n    y = model(x)",
    ],
)
def test_the_program_says_the_shape_of_its_input(more: str) -> None:
    report = explained(net(more=more))
    assert (report.grade, report.totals.params) == ("complete", PARAMS)
    assert report.outputs[0].shape == (None, 10)


def test_without_a_shape_parameters_are_counted_and_the_shape_is_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "net.py"
    script.write_bytes(net())
    report = layerexplain.explain(script)
    assert (report.grade, report.totals.params, report.totals.macs) == ("open", PARAMS, None)
    assert "; its first module, Conv2d, takes 1 channel, as in --input 1,28,28; give it" in report.notes[0].message
    assert "--input" in report.notes[0].message


def test_a_text_without_a_shape_is_read_on_the_size_that_its_numbers_need() -> None:
    report = explained(net())
    macs = 16 * 9 * 28 * 28 + 32 * 16 * 9 * 14 * 14 + 1568 * 128 + 128 * 10
    assert (report.grade, report.totals.params, report.totals.macs) == ("assumed", PARAMS, macs)
    assert "x is assumed to be (None, 1, 28, 28)" in " ".join(note.message for note in report.notes)
    any_size = net().replace(b"x.view(x.size(0), -1)", b"x.mean((2, 3))").replace(b"1568", b"32")
    assert (explained(any_size).grade, explained(any_size).totals.macs) == ("open", None)


def test_what_comes_before_a_linear_module_says_what_it_needs() -> None:
    report = explained(net(hidden=1050), x=(1, 28, 28))
    (fault,) = report.faults
    assert fault.line == 19
    for words in ("needs 1050 features", "got 1568", "1568 = 32 × 7 × 7, what 'pool' gives", "in_features=1568"):
        assert words in str(fault)
    assert report["fc1"].params == 1050 * 128 + 128


WRONG = {
    "needs 3 channels": ("self.a = nn.Conv2d(3, 5, 3)", "return self.a(x)"),
    "need to divide into rows of 100": ("self.a = nn.Linear(100, 5)", "return self.a(x.view(-1, 100))"),
    "concatenate needs shapes": ("self.a = nn.Conv2d(1, 5, 3)", "return torch.cat([self.a(x), x], dim=1)"),
    "shapes that broadcast": ("self.a = nn.Conv2d(1, 5, 3)", "return self.a(x) + x"),
    "view needs a contiguous tensor": ("self.a = nn.Conv2d(1, 5, 3)", "return self.a(x).permute(0, 2, 3, 1).view(x.size(0), -1)"),
    "needs an input whose last axes are": ("self.a = nn.LayerNorm(27)", "return self.a(x)"),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_what_does_not_fit_is_a_fault_at_its_line(words: str) -> None:
    made, forward = WRONG[words]
    code = f"""
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}
    def forward(self, x):
        {forward}
"""
    report = explained(code.encode(), x=(1, 28, 28))
    (fault,) = report.faults
    assert words in str(fault) and fault.line == 9


def test_a_class_is_asked_for_with_arguments(tmp_path: object) -> None:
    path = f"{tmp_path}/net.py"
    with open(path, "wb") as file:
        file.write(net())
    assert layerexplain.explain(f"{path}:Net(hidden=1568)", inputs={"x": (1, 28, 28)}).totals.params == PARAMS
    with pytest.raises(LayerExplainError):
        layerexplain.explain(f"{path}:Missing()")


@pytest.mark.parametrize(
    ("loss", "optimizer"),
    [
        ("CrossEntropyLoss()", "SGD(model.parameters(), lr=0.1, momentum=0.9)"),
        ("MSELoss(reduction='sum')", "Adam(model.parameters())"),
        ("CrossEntropyLoss(label_smoothing=0.1)", "RMSprop(model.parameters(), lr=0.02)"),
    ],
)
def test_a_spec_is_trained_as_the_model_is(loss: str, optimizer: str, tmp_path: object) -> None:
    training = f"criterion = nn.{loss}\noptimizer = torch.optim.{optimizer}"
    code = net(more=f"model = Net()\nmodel(torch.zeros(2, 1, 28, 28))\n{training}")
    layerexplain.convert(code, f"{tmp_path}/net.yaml")
    before, after = (layerexplain.explain(one, training=True).training for one in (code, f"{tmp_path}/net.yaml"))
    assert before is not None and after is not None
    assert before.step is not None and (after.optimizer, after.losses, after.step) == (
        before.optimizer,
        before.losses,
        before.step,
    )


@pytest.mark.parametrize("more", ["", "model = Net()\nmodel(torch.randn(11, 4, 5))"])
def test_the_batch_is_the_second_axis_where_steps_come_first(more: str) -> None:
    code = f"""
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(5, 7, 2)
    def forward(self, x):
        y, h = self.rnn(x)
        return y[-1], h
{more}
"""
    report = explained(code.encode(), **({} if more else {"x": (11, 5)}))
    assert report["rnn"].output_shapes == ((11, None, 7), (2, None, 7))
    assert [one.shape for one in report.outputs] == [(None, 7), (2, None, 7)]


def test_a_module_that_is_not_known_is_open() -> None:
    code = b"import torch.nn as nn\nmodel = nn.Sequential(nn.Linear(3, 5), nn.FractionalMaxPool2d(2))\n"
    report = explained(code, x=(3,))
    assert report.grade == "open" and "FractionalMaxPool2d" in " ".join(note.message for note in report.notes)


TIED = """
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(23, 7)
        self.decoder = nn.Linear(7, 23)
        {tie}

    def forward(self, ids):
        return {result}
"""


@pytest.mark.parametrize(
    ("tie", "result", "params", "words"),
    [
        ("pass", "self.decoder(self.encoder(ids))", 161 + 161 + 23, None),
        ("self.decoder.weight = self.encoder.weight", "self.decoder(self.encoder(ids))", 161 + 23, "1 of its 2 weights are those of 'encoder', counted there"),
        ("self.encoder.weight = self.decoder.weight", "self.decoder(self.encoder(ids))", 161 + 23, "1 of its 2 weights are those of 'encoder', counted there"),
        (
            "self.decoder.weight = self.encoder.weight", "F.linear(self.encoder(ids), self.decoder.weight)", 161 + 23,
            "its weights are those of 'encoder', counted there",
        ),
        ("pass", "F.linear(torch.ones(2, 7), self.encoder.weight) + ids.sum()", 161 + 161 + 23, None),
        ("self.decoder.weight = nn.Parameter(torch.zeros(23, 7))", "self.decoder(self.encoder(ids))", 345, None),
    ],
)  # fmt: skip
def test_a_parameter_that_stands_in_several_places_counts_once(
    tie: str, result: str, params: int, words: str | None
) -> None:
    report = layerexplain.explain(TIED.format(tie=tie, result=result).encode(), inputs={"ids": (5,)})
    assert (report.grade, report.totals.params) == ("complete", params)
    assert [note.message for note in report.notes if note.code == "shared-weights"] == ([words] if words else [])


@pytest.mark.parametrize(
    ("imported", "base"),
    [
        ("import pytorch_lightning as pl", "pl.LightningModule"),
        ("from lightning.pytorch import LightningModule", "LightningModule"),
        ("import lightning as L", "L.LightningModule"),
    ],
)
def test_a_module_of_lightning_is_one_of_pytorch(imported: str, base: str) -> None:
    code = (
        f"import torch.nn as nn\n{imported}\nclass Lit({base}):\n    def __init__(self):\n        super().__init__()\n"
        "        self.save_hyperparameters()\n        self.fc, self.loss = nn.Linear(7, 3), nn.CrossEntropyLoss()\n"
        "    def forward(self, x):\n        return self.fc(x).softmax(1)\n    def training_step(self, batch, i):\n"
        "        x, y = batch\n        return self.loss(self(x), y)\nmodel = Lit()\n"
    )
    assert layerexplain.explain(code.encode()).totals.params == 7 * 3 + 3
    assert [one.code for one in layerexplain.check(code.encode())] == ["logits-of-probabilities"]


def test_a_device_that_is_not_known_changes_no_shape() -> None:
    code = (
        "import torch, torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.rnn = nn.GRU(7, 5, batch_first=True)\n    def forward(self, x):\n        x = x.to(device)\n"
        "        return self.rnn(x, torch.zeros(1, x.size(0), 5).to(device))[0]\n"
        "import mylib\ndevice = mylib.pick()\nnet = Net().to(device)\nnet(torch.randn(2, 11, 7).to(device))\n"
    )
    assert layerexplain.explain(code.encode()).grade == "complete"


@pytest.mark.parametrize("made", ["nn.DataParallel(Net())", "nn.parallel.DistributedDataParallel(module=Net())"])
def test_what_computes_in_parallel_is_the_module_in_it(made: str) -> None:
    code = (
        "import torch, torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = nn.Linear(3, 2), nn.Linear(2, 5)\n    def forward(self, x):\n"
        f"        return self.b(self.a(x))\nnet = {made}\nfor p in net.module.a.parameters():\n"
        "    p.requires_grad = False\nnet(torch.randn(4, 3))\n"
    )
    totals = layerexplain.explain(code.encode()).totals
    assert (totals.params, totals.trainable) == (3 * 2 + 2 + 2 * 5 + 5, 2 * 5 + 5)


def test_a_parameter_of_another_shape_in_the_place_of_a_weight_is_open() -> None:
    code = TIED.format(
        tie="self.decoder.weight = nn.Parameter(torch.zeros(29, 7))", result="self.decoder(self.encoder(ids))"
    )
    report = layerexplain.explain(code.encode(), inputs={"ids": (5,)})
    assert report.grade == "open"
    assert "decoder.weight is replaced by a parameter of another shape, (29, 7)" in str(report.notes)


def test_a_parameter_in_two_places_is_counted_in_one_and_is_not_written_as_two(tmp_path: Path) -> None:
    code = TIED.format(tie="self.decoder.weight = self.encoder.weight", result="self.decoder(self.encoder(ids))")
    report = layerexplain.explain(code.encode(), inputs={"ids": (5,)}, layers="decoder")
    said = report["decoder"].explanation
    assert said is not None
    assert said.weights_note == "23 parameters, all trainable; 1 of its 2 weights are those of 'encoder', counted there"
    assert report["decoder"].params == 23
    (tmp_path / "net.py").write_text(code)
    with pytest.raises(LayerExplainError, match="its weight is that of 'encoder', which only code can express"):
        layerexplain.convert(tmp_path / "net.py", tmp_path / "net.yaml", inputs={"ids": (5,)})


@pytest.mark.parametrize(
    ("change", "widths"),
    [
        ("net[2] = nn.Linear(11, 5)", [11, 11, 5]),
        ("net[-1] = nn.Linear(11, 5)", [11, 11, 5]),
        ("net(x)\nnet[2] = nn.Linear(11, 5)\nnet(x)", [11, 11, 5]),
        ("del net[1]", [11, 13]),
        ("del net[1:]", [11]),
        ("last = net.pop(-1)\nnet.append(nn.Linear(11, 5))\nnet.append(nn.ReLU())", [11, 11, 5, 5]),
        ("net.insert(2, nn.Linear(11, 11))", [11, 11, 11, 13]),
        ("net.extend(nn.Sequential(nn.Linear(13, 3), nn.ReLU()))", [11, 11, 13, 3, 3]),
    ],
)
def test_modules_are_put_into_containers_and_taken_out(change: str, widths: list[int]) -> None:
    code = "import torch\nfrom torch import nn\nx = torch.zeros(2, 7)\n"
    code += f"net = nn.Sequential(nn.Linear(7, 11), nn.ReLU(), nn.Linear(11, 13))\n{change}\nnet(x)"
    report = explained(code.encode())
    assert ([row.output_shapes[0][-1] for row in report[1:]], report.grade) == (widths, "complete")
    assert [row.path for row in report[1:]] == [str(i) for i in range(len(widths))]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("net[int(input())] = nn.Linear(11, 5)", "which modules a container holds"),
        ("net[0:2] = [nn.Linear(7, 11), nn.Tanh()]", "which modules a container holds"),
    ],
)
def test_a_container_that_changes_in_an_unknown_place_is_open(line: str, words: str) -> None:
    code = "import torch\nfrom torch import nn\nnet = nn.Sequential(nn.Linear(7, 11), nn.ReLU(), nn.Linear(11, 13))\n"
    report = explained(f"{code}{line}\nnet(torch.zeros(2, 7))".encode())
    assert report.grade == "open" and any(words in note.message for note in report.notes), report.notes


BLOCKS = """
import sys
import torch
import torchvision
from torch import nn

class Block(nn.Module):
    def __init__(self, width, wide=False):
        super().__init__()
        self.layer = nn.Linear(width, width)
        if wide:
            self.shortcut = nn.Linear(width, width, bias=False)

    def forward(self, x):
        shortcut = self.shortcut(x) if hasattr(self, "shortcut") else x
        return self.layer(x) + shortcut

class Net(nn.Module):
    def __init__(self, widths, classes=11):
        super().__init__()
        for i, width in enumerate(widths):
            self.__setattr__("block_%d" % i, Block(width, wide=i > 0))
        self.count = len(widths)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for i in range(self.count):
            x = self.__getattr__("block_%d" % i)(x)
        return self.head(x)
"""
BLOCK, WIDE = 7 * 7 + 7, 7 * 7 + 7 + 7 * 7


@pytest.mark.parametrize(
    ("more", "name", "params"),
    [
        # A file of models calls none of its functions when it is imported: the shape stands in what would test them.
        ("def small():\n    return Net([7])\ndef test():\n    y = small()(torch.randn(2, 7))", "small", BLOCK + 88),
        ("def test():\n    net = Net([7, 7])\n    net(torch.randn(2, 7))", "Net", BLOCK + WIDE + 88),
        ("class Whole(Net):\n    def __init__(self):\n        super().__init__([7, 7])\n"
         "def check():\n    print(Whole()(torch.zeros(5, 7)).shape)", "Whole", BLOCK + WIDE + 88),
    ],
)  # fmt: skip
def test_a_file_of_models_that_makes_none_has_those_of_its_functions(more: str, name: str, params: int) -> None:
    report = layerexplain.explain((BLOCKS + more).encode())
    assert (report.model_name, report.totals.params, report.grade) == (name, params, "complete")
    assert report[-1].output_shapes == ((None, 11),)


def test_a_function_that_gives_modules_of_pytorch_is_a_model() -> None:
    code = "from torch import nn\ndef build(hidden=16):\n    return nn.Sequential(nn.Linear(7, hidden), nn.Linear(hidden, 3))"
    report = layerexplain.explain(code.encode())
    assert (report.model_name, report.totals.params) == ("build", 7 * 16 + 16 + 16 * 3 + 3)


def test_a_file_with_several_functions_of_models_names_them() -> None:
    code = BLOCKS + "def small():\n    return Net([7])\ndef large():\n    return Net([7, 7])"
    report = layerexplain.explain(code.encode())
    said = "this is 'large', the main model; 1 other model here: small; name one: -- -:small"
    assert report.model_name == "large" and said in [note.message for note in report.notes]


def test_a_class_that_needs_arguments_says_which_and_how_they_are_given() -> None:
    with pytest.raises(LayerExplainError) as caught:
        layerexplain.explain(BLOCKS.encode())
    assert "no model is built at the top level: Net needs widths; name one: -- -:'Net(widths=…)'" in str(caught.value)


SIZED = """from torch import nn
class Net(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.layer = nn.Linear(width, classes)

    def forward(self, x):
        return self.layer(x)
"""
CONFIGURED = """from dataclasses import dataclass
from torch import nn
@dataclass
class Config:
    width: int = 5
    classes: int = 3
class Net(nn.Module):
    def __init__(self, {argument}):
        super().__init__()
        self.layer = nn.Linear({name}.width, {name}.classes)
    def forward(self, x):
        return self.layer(x)
"""


def test_arguments_of_a_class_that_nobody_gives_are_sizes(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(SIZED)
    report = layerexplain.explain(str(path))
    assert [size.name for size in report.sizes] == ["width", "classes"]
    assert str(report.totals.params) == "classes·(width + 1)"
    assert report.at(width=8, classes=5).totals.params == 8 * 5 + 5
    assert layerexplain.explain(f"{path}:Net(width=8, classes=5)", inputs=(8,)).totals.params == 8 * 5 + 5


@pytest.mark.parametrize("argument", ["cfg", "config", "c: Config", "args"])
def test_a_class_gets_the_configuration_of_the_program_with_its_defaults(argument: str) -> None:
    code = CONFIGURED.format(argument=argument, name=argument.partition(":")[0])
    assert layerexplain.explain(code.encode()).totals.params == 5 * 3 + 3


@pytest.mark.parametrize(
    ("part", "call", "note"),
    [
        # What it has cannot be known without the source of torchvision, or without the command line.
        ("torchvision.models.resnet18()", "self.part(x)", "it comes from torchvision.models.resnet18(…)"),
        ("nn.AdaptiveLogSoftmaxWithLoss(7, 20, [5])", "self.part(x, x)", "no formula for nn.AdaptiveLogSoftmaxWithLoss"),
        ("nn.LazyLinear(7)", "self.part(x)", "nn.LazyLinear takes its size from its first call"),
        ("nn.TransformerEncoder(nn.Linear(7, 7), len(sys.argv))", "self.part(x)", "how many layers a TransformerEncoder has"),
    ],
)  # fmt: skip
def test_parts_of_which_nothing_is_known_leave_the_parameters_open(part: str, call: str, note: str) -> None:
    top = f"""
class Top(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = {part}
        self.head = nn.Linear(7, 3)
    def forward(self, x):
        return self.head({call})
"""
    report = layerexplain.explain((BLOCKS + top).encode())
    assert (report.totals.params, report["part"].params, report["head"].params) == (None, None, 24)
    assert report.grade == "open"
    assert any(note in one.message for one in report.notes)
    assert not any("takes 7 features" in one.message for one in report.notes), "that is not its first module"


SWITCHED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(7, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x, deep=False, more=None):
        x = self.body(x)
        if more is not None:
            x = x + more
        return self.head(x) if deep else x

net = Net()
"""


@pytest.mark.parametrize(
    ("call", "called"),
    [
        ("net(torch.zeros(2, 7))", ["x", "body"]),
        ("net(torch.zeros(2, 7), True)", ["x", "body", "head"]),
        ("net(torch.zeros(2, 7), deep=True)", ["x", "body", "head"]),
        ("net(torch.zeros(2, 7), more=torch.zeros(2, 5))", ["x", "more", "body", "add"]),
        ("net(torch.zeros(2, 7), more=torch.zeros(2, 5), deep=True)", ["x", "more", "body", "add", "head"]),
        ("net(torch.zeros(2, 7))\nnet(torch.zeros(2, 7), deep=True)", ["x", "body", "head"]),
    ],
)
def test_arguments_that_are_no_tensors_reach_forward(call: str, called: list[str]) -> None:
    report = layerexplain.explain((SWITCHED + call).encode())
    assert [row.layer for row in report if row.output_shapes[0] is not None] == called
    assert report.faults == ()


def test_an_attribute_that_a_loop_of_unknown_length_changes_is_not_known() -> None:
    code = """import torch.nn as nn
import os

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = 3
        for _ in os.listdir("."):
            self.width += 2
        self.fc = nn.Linear(5, self.width)

    def forward(self, x):
        return self.fc(x)
"""
    report = layerexplain.explain(code.encode(), inputs={"x": (5,)})
    assert type(report.totals.params) is not int and report.faults == ()


@pytest.mark.parametrize(("name", "is_noted"), [("_init_", True), ("__int__", True), ("__init__", False)])
def test_a_constructor_under_another_name_is_noted(name: str, is_noted: bool) -> None:
    code = (
        SIZED.replace("def __init__(self, width, classes)", f"def {name}(self, width=4, classes=3)") + "net = Net()\n"
    )
    notes = [note.message for note in layerexplain.explain(code.encode()).notes]
    said = f"Net has a method {name}, which Python never calls; its constructor is named __init__"
    assert (said in notes) is is_noted
