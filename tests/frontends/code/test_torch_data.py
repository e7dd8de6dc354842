"""Batches that programs of PyTorch train with: shapes as PyTorch's, and what a model and its loss make of them."""

from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.reader import read_code

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from torchvision import datasets, transforms
"""
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()
    def forward(self, x):
        return self.act(x)
net = Net()
"""
FAKE = "data = datasets.FakeData(37, (3, 40, 50), 7, {transform})\nloader = DataLoader(data, batch_size=8)"

TRANSFORMS: list[tuple[str, tuple[int, ...]]] = [
    ("transforms.ToTensor()", (3, 40, 50)),
    ("transforms.Compose([transforms.Resize(20), transforms.ToTensor()])", (3, 20, 25)),
    ("transforms.Compose([transforms.Resize([20]), transforms.ToTensor()])", (3, 20, 25)),
    ("transforms.Compose([transforms.Resize((20, 30)), transforms.ToTensor()])", (3, 20, 30)),
    ("transforms.Compose([transforms.Resize(33), transforms.CenterCrop(17), transforms.ToTensor()])", (3, 17, 17)),
    ("transforms.Compose([transforms.RandomCrop((11, 13), padding=2), transforms.ToTensor()])", (3, 11, 13)),
    ("transforms.Compose([transforms.ToTensor(), transforms.RandomResizedCrop(size=19)])", (3, 19, 19)),
    ("transforms.Compose([transforms.Pad(3), transforms.ToTensor()])", (3, 46, 56)),
    ("transforms.Compose([transforms.Pad((1, 2)), transforms.ToTensor()])", (3, 44, 52)),
    ("transforms.Compose([transforms.Pad((1, 2, 3, 4)), transforms.ToTensor()])", (3, 46, 54)),
    ("transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])", (1, 40, 50)),
    ("transforms.Compose([transforms.Grayscale(3), transforms.RandomHorizontalFlip(), transforms.ToTensor()])", (3, 40, 50)),
    ("transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])", (3, 40, 50)),
    ("transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: x.view(-1))])", (6000,)),
    ("transforms.Compose([transforms.ToTensor(), transforms.ToPILImage(), transforms.Resize(10), transforms.ToTensor()])", (3, 10, 12)),
]  # fmt: skip
LOADERS: list[tuple[str, tuple[int, ...]]] = [
    ("loader = DataLoader(TensorDataset(torch.randn(37, 5, 7), torch.zeros(37)), batch_size=8)", (5, 7)),
    ("loader = DataLoader(TensorDataset(torch.randn(37, 5), torch.zeros(37)), 8, drop_last=True)", (5,)),
    ("a, b = random_split(TensorDataset(torch.randn(37, 5)), [20, 17])\nloader = DataLoader(b, 3)", (5,)),
    ("loader = DataLoader(Subset(TensorDataset(torch.randn(37, 5)), range(11)), batch_size=4, shuffle=True)", (5,)),
    ("class Own(Dataset):\n    def __len__(self):\n        return 19\n    def __getitem__(self, i):\n"
     "        return torch.zeros(2, 3), i % 2\nloader = DataLoader(Own(), batch_size=4)", (2, 3)),
    ("loader = torch.utils.data.DataLoader(dataset=TensorDataset(torch.randn(37, 5)))", (5,)),
]  # fmt: skip
USES = [
    "for batch in loader:\n    y = net(batch[0])",
    "for i, batch in enumerate(loader, 1):\n    y = net(batch[0])",
    "y = net(next(iter(loader))[0])",
    "it = iter(loader)\ny = net(next(it)[0])",
    "y = net(list(loader)[0][0])",
]


def _program(data: str, use: str = USES[0]) -> str:
    return f"{HEAD}{NET}{data}\n{use}\nn = len(loader)\nlast = nn.Linear(2, n)\n"


def _read(code: str, name: str) -> Any:
    return layerexplain.explain(read_code(code.encode(), None, name))


CASES = [*[(FAKE.format(transform=one), shape) for one, shape in TRANSFORMS], *LOADERS]


@pytest.mark.parametrize(("data", "shape"), CASES, ids=[one[0][-70:] for one in CASES])
def test_a_batch_has_the_shape_of_its_examples(data: str, shape: tuple[int, ...]) -> None:
    report = _read(_program(data), "net")
    assert report.grade == "complete", report.notes
    assert [one.shape for one in report.inputs] == [(None, *shape)]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("data", "shape"), CASES, ids=[one[0][-70:] for one in CASES])
def test_the_shapes_and_counts_are_those_of_pytorch(data: str, shape: tuple[int, ...]) -> None:
    pytest.importorskip("torchvision")
    namespace: dict[str, Any] = {}
    code = _program(data)
    exec(code, namespace)
    assert tuple(next(iter(namespace["loader"]))[0].shape[1:]) == shape
    assert namespace["last"].out_features * 3 == _read(code, "last").totals.params


@pytest.mark.parametrize("use", USES)
def test_every_way_to_a_batch_is_read(use: str) -> None:
    report = _read(_program(FAKE.format(transform="transforms.ToTensor()"), use), "net")
    assert (report.grade, report.inputs[0].shape) == ("complete", (None, 3, 40, 50))


@pytest.mark.parametrize(
    ("name", "shape", "batches"),
    [
        ("MNIST", (1, 28, 28), (469, 79)),
        ("FashionMNIST", (1, 28, 28), (469, 79)),
        ("CIFAR10", (3, 32, 32), (391, 79)),
        ("CIFAR100", (3, 32, 32), (391, 79)),
        ("KMNIST", (1, 28, 28), (469, 79)),
        ("USPS", (1, 16, 16), (57, 16)),
        ("SVHN", (3, 32, 32), (573, 204)),
        ("STL10", (3, 96, 96), (40, 63)),
    ],
)
def test_data_sets_of_torchvision_are_known(name: str, shape: tuple[int, ...], batches: tuple[int, int]) -> None:
    argument = "split='test'" if name in ("SVHN", "STL10") else "train=False"
    for part, count in zip(("", f"{argument}, "), batches, strict=True):
        data = f"data = datasets.{name}('data', {part}transform=transforms.ToTensor(), download=True)"
        code = _program(f"{data}\nloader = DataLoader(data, batch_size=128)")
        assert _read(code, "net").inputs[0].shape == (None, *shape)
        assert _read(code, "last").totals.params == 3 * count


TUTORIAL = """
train = datasets.MNIST('data', train=True, transform=transforms.ToTensor(), download=True)
train_loader = DataLoader(train, batch_size=100, shuffle=True)
model = nn.Sequential(nn.Linear(784, 31), nn.ReLU(), nn.Linear(31, {classes})).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
for epoch in range(5):
    for i, (images, labels) in enumerate(train_loader):
        images = images.reshape(-1, 28 * 28).to(device)
        labels = {labels}.to(device)
        outputs = model(images)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (i + 1) % 100 == 0:
            print(f'{{epoch}} {{i}} {{loss.item():.4f}}')
with torch.no_grad():
    for images, labels in train_loader:
        predicted = torch.max(model(images.reshape(-1, 784)), 1)[1]
"""


def _tutorial(classes: int = 10, labels: str = "labels") -> bytes:
    device = "device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')"
    return f"{HEAD}{device}{TUTORIAL.format(classes=classes, labels=labels)}".encode()


def test_the_standard_tutorial_is_read_whole() -> None:
    report = layerexplain.explain(_tutorial(), training=True)
    assert (report.grade, report.inputs[0].shape, report.totals.params) == ("complete", (None, 784), 785 * 31 + 320)
    assert report.training is not None
    assert [one.loss for one in report.training.losses] == ["torch.nn.CrossEntropyLoss"]
    assert not layerexplain.check(_tutorial()).findings


@pytest.mark.parametrize(
    ("classes", "labels", "words"),
    [(7, "labels", "9"), (10, "labels.float()", "class numbers that are whole"), (10, "labels[:50]", "50")],
)
def test_targets_are_checked_against_the_loss(classes: int, labels: str, words: str) -> None:
    findings = layerexplain.check(_tutorial(classes, labels)).findings
    assert [one for one in findings if words in str(one)], findings


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (FAKE.format(transform="None"), "images that no transform turns into tensors; add transforms.ToTensor()"),
        ("loader = DataLoader(TensorDataset(torch.randn(3, 5)), 3, collate_fn=print)", "batches that collate_fn makes"),
        (FAKE.format(transform="transforms.Compose([transforms.TenCrop(9), transforms.ToTensor()])"), "transforms.TenCrop"),
        ("data = datasets.ImageFolder('d', transforms.ToTensor())\nloader = DataLoader(data)", ""),
    ],
)  # fmt: skip
def test_what_is_not_known_of_data_is_open(data: str, words: str) -> None:
    report = _read(_program(data), "net")
    assert report.grade == "open"
    assert report.inputs[0].shape is None


@pytest.mark.parametrize(
    ("shape", "found"),
    [("-1, 784", (None, 784)), ("(-1, 28, 28)", (None, 28, 28)), ("32, 784", (None, 784)), ("-1, width()", None)],
)
def test_a_shape_that_the_program_gives_unknown_data_is_known(shape: str, found: tuple[int | None, ...] | None) -> None:
    code = f"{HEAD}{NET}from somewhere import load, width\nfor x, y in load():\n    net(x.reshape({shape}))\n"
    report = _read(code, "net")
    assert report.inputs[0].shape == found


CLASSES = [
    ("torch.Tensor(5, 3)", (5, 3), "float32"),
    ("torch.FloatTensor(5, 1).fill_(1.0)", (5, 1), "float32"),
    ("torch.FloatTensor([[1, 2, 3]])", (1, 3), "float32"),
    ("torch.LongTensor([4, 2])", (2,), "int64"),
    ("torch.LongTensor(3, 2)", (3, 2), "int64"),
    ("torch.Tensor(torch.zeros(2, 7))", (2, 7), "float32"),
    ("torch.BoolTensor([True, False])", (2,), "bool"),
    ("torch.DoubleTensor(3)", (3,), "float64"),
    ("torch.IntTensor([1, 2, 3])", (3,), "int32"),
    ("torch.as_tensor([1, 2])", (2,), "int64"),
    ("torch.autograd.Variable(torch.tensor([1.0]), requires_grad=False)", (1,), "float32"),
]


@pytest.mark.parametrize(("code", "shape", "dtype"), CLASSES)
def test_classes_of_tensors_take_sizes_or_data(code: str, shape: tuple[int, ...], dtype: str) -> None:
    body = f"x = {code}\nlast = nn.Linear(len(x.shape) + 2, sum(x.shape) + (100 if x.dtype == torch.{dtype} else 0))\n"
    assert _read(HEAD + body, "last").totals.params == (len(shape) + 3) * (sum(shape) + 100)


@pytest.mark.torch
@pytest.mark.parametrize(("code", "shape", "dtype"), CLASSES)
def test_the_classes_are_those_of_pytorch(code: str, shape: tuple[int, ...], dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = eval(code, {"torch": torch})
    assert (tuple(x.shape), x.dtype) == (shape, getattr(torch, dtype))


def test_real_and_fake_are_targets_of_a_loss() -> None:
    code = f"""{HEAD}
net = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())
Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
loss = nn.BCELoss()
for (x,) in DataLoader(TensorDataset(torch.randn(37, 5)), batch_size=8):
    valid = torch.autograd.Variable(Tensor(x.shape[0], 1).fill_(1.0), requires_grad=False)
    loss(net(x.type(Tensor)), valid)
"""
    report = _read(code, "net")
    assert (report.grade, list(report.faults)) == ("complete", [])


NOISE = """
from somewhere import dataset, device
loader = DataLoader(dataset, batch_size=64)
for real, _ in loader:
    batch = real.size(0)
    fake = net({noise})
    other = fake.detach().view(batch, -1)
"""


@pytest.mark.parametrize(
    "noise",
    [
        "torch.randn(batch, 5, 7)",
        "torch.rand((batch, 5, 7), device=device)",
        "torch.randn(size=(batch, 5, 7))",
        "torch.zeros(len(real), 5, 7).to(device)",
        "torch.FloatTensor(np.random.normal(0, 1, (real.shape[0], 5, 7)))",
        "torch.from_numpy(np.random.uniform(-1, 1, size=[batch, 5, 7])).float()",
    ],
)
def test_numbers_for_a_batch_of_unknown_size_have_the_shape_of_their_examples(noise: str) -> None:
    report = _read(
        f"import numpy as np\n{_program('', NOISE.format(noise=noise))}".replace("n = len(loader)", "n = 3"), "net"
    )
    assert (report.grade, report.inputs[0].shape) == ("complete", (None, 5, 7))


TABLE = """
import numpy as np
import torch
import torch.nn as nn

def angles(count, size):
    def angle(at, i):
        return at / np.power(10000, 2 * (i // 2) / size)
    table = np.array([[angle(at, i) for i in range(size)] for at in range(count)])
    table[:, 0::2] = np.sin(table[:, 0::2])
    table[:, 1::2] = np.cos(table[:, 1::2])
    return torch.FloatTensor(table)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("angles", angles({count}, {size}))
        self.same = torch.from_numpy(np.eye({size})).float()

    def forward(self, x):
        return (x + self.angles[:x.size(1)]) @ self.same

net = Net()
y = net(torch.zeros(2, 5, {size}))
"""


@pytest.mark.parametrize(("count", "size"), [(7, 8), (200, 512), (20_000, 4)])
def test_tables_of_numbers_have_their_shape_however_large_they_are(count: int, size: int) -> None:
    report = _read(TABLE.format(count=count, size=size), "net")
    assert (report.grade, report.outputs[0].shape) == ("complete", (None, 5, size))
    assert [row.output_shapes[0] for row in report if row.layer == "angles"] == [(count, size)]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        ("Linear(784, 4)", "784"), ("Linear(784, 4)", "5, 784"), ("Sequential(nn.ReLU(), nn.Linear(6, 6))", "6"),
        ("Sequential(nn.Unflatten(0, (-1, 1)), nn.Linear(1, 4))", "6"), ("ReLU()", "6"), ("GRU(3, 6)", "5, 3"),
        ("LSTM(3, 6)", "5, 2, 3"), ("Softmax(0)", "6"), ("Sequential(nn.Linear(6, 3), nn.Unflatten(0, (3, 1)))", "6"),
    ],
)  # fmt: skip
def test_the_first_axis_is_the_batch_only_where_pytorch_takes_other_sizes(module: str, sizes: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    program = f"import torch\nimport torch.nn as nn\nnet = nn.{module}\nout = net(torch.zeros({sizes}))\n"
    names: dict[str, Any] = {}
    exec(program, names)
    shape = [int(size) for size in sizes.split(",")]
    shape[-1 if "GRU" in module else 0] += 1
    try:
        names["net"](torch.zeros(shape))
    except RuntimeError:
        takes_others = False
    else:
        takes_others = True
    report = layerexplain.explain(program.encode(), detail=True)
    assert report.layers[0].explanation is not None and not report.faults
    assert ("without a batch" not in report.layers[0].explanation.sentence) == takes_others
