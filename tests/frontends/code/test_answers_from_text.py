"""What a question states and asks beside its code: shapes of data without a name, printed modules with an input, numbers
of a model that is not the main one, ids that a program makes. PyTorch counts, and says what it refuses."""

import random
import re

import pytest

from layerexplain.frontends.code.reader import read_code
from tests.support.commands import invoke

HEAD = "import torch\nimport torch.nn as nn\n"


def explained(text: str) -> str:
    return invoke("explain", "-", input=text).output


@pytest.mark.parametrize("name", ("X", "x_train", "train_X", "data", "inputs"))
def test_a_shape_without_a_name_is_that_of_the_data_whose_shape_code_reads(name: str) -> None:
    code = f"model = keras.Sequential([keras.layers.Dense(16, input_shape=({name}.shape[-1],))])\n"
    model = read_code(f"{code}\nMy input data shape is (85880, 37).".encode(), None)
    assert (model.layers[0].config["batch_shape"], model.grade) == ((None, 37), "complete")


def test_the_shape_of_a_parameter_is_not_what_a_text_says_of_the_data() -> None:
    code = "def block(x):\n    return keras.layers.Dense(x.shape[-1])(x)\ni = keras.Input((5,))\nm = keras.Model(i, block(i))"
    model = read_code(f"{code}\n\nMy input data shape is (85880, 37).".encode(), None)
    assert model.layers[-1].config["units"] == 5


@pytest.mark.torch
def test_a_printed_module_runs_in_its_order_on_an_input_that_the_text_states() -> None:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, size: int, width: int) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            self.classifier = nn.Sequential(nn.Linear(width * (size // 2) ** 2, 11))

    for size, width in ((20, 5), (34, 7)):
        net = Net(size, width)
        shape = tuple(net.features(torch.ones(1, 3, size, size)).shape[1:])
        text = f"{net}\n\nMy images are 3x{size}x{size}. How many parameters are there?"
        model = read_code(text.encode(), None)
        assert (model.grade, model.faults) == ("assumed", ())
        assert shape == (width, size // 2, size // 2)
        assert f"(None, {width}, {size // 2}, {size // 2})" in explained(text)
        error = f"RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x{4 * width * (size // 2) ** 2} and "
        wrong = f"{net}\nMy images are 3x{2 * size}x{2 * size}.\n{error}{width * (size // 2) ** 2}x11)\n"
        (fault,) = read_code(wrong.encode(), None).faults
        assert fault.layer == "classifier.0"
        assert f"in_features={width * (size // 2) ** 2}, got {4 * width * (size // 2) ** 2}" in fault.fact


@pytest.mark.torch
def test_a_number_of_another_model_is_answered_by_that_model() -> None:
    import torch

    for hidden, given in ((23, 7), (29, 5)):
        code = HEAD + (
            f"class Generator(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.net = nn.Sequential(nn.Linear({given}, {hidden}), nn.ReLU(), nn.Linear({hidden}, 41))\n"
            f"    def forward(self, z):\n        return self.net(z)\n"
            f"class Critic(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.net = nn.Sequential(nn.Linear(41, {hidden}), nn.ReLU(), nn.Linear({hidden}, 1))\n"
            f"    def forward(self, x):\n        return self.net(x)\n"
            f"G, C = Generator(), Critic()\nscore = C(G(torch.randn(3, {given})))\n"
        )
        names: dict[str, torch.nn.Module] = {}
        exec(code, names)  # type: ignore[arg-type]
        count = sum(one.numel() for one in names["G"].parameters())
        output = explained(f"{code}\nHow many parameters does the generator have?\n")
        assert re.search(rf"G: {count:,} parameters", output), output[:600]
        output = explained(f"{code}\nWhy are there {count} in the one of the two?\n")
        assert re.search(rf"G: {count:,} parameters", output), output[:600]


@pytest.mark.torch
def test_ids_that_forward_makes_are_refused_where_pytorch_refuses_them() -> None:
    draw = random.Random(3)
    refused = 0
    for _ in range(24):
        rows, n, m = draw.randint(2, 9), draw.randint(1, 12), draw.randint(-1, 11)
        made = draw.choice(
            [f"torch.arange({n})", f"torch.tensor([0, {m}])", f"torch.full((2, 3), {m})", "torch.arange(x.size(1))"]
        )
        code = HEAD + (
            f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.table = nn.Embedding({rows}, 3)\n        self.last = nn.Linear({n}, 3)\n"
            f"    def forward(self, x):\n        return self.last(x).mean() + self.table({made}).sum()\n"
            f"model = Net()\nmodel(torch.ones(2, {n}))\n"
        )
        try:
            exec(code, {})
            says = False
        except IndexError:
            says = True
        faults = read_code(code.encode(), None).faults
        assert bool(faults) == says, code
        assert all(f"ids from 0 to {rows - 1}" in one.fact and one.layer == "table" for one in faults)
        refused += says
    assert 3 < refused < 21


@pytest.mark.torch
def test_an_error_of_memory_names_the_largest_outputs_with_the_bytes_that_pytorch_takes() -> None:
    import torch

    code = (
        HEAD
        + "net = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(1024, 5))\n"
    )
    names: dict[str, torch.nn.Sequential] = {}
    exec(code, names)  # type: ignore[arg-type]
    outputs = [torch.ones(1, 3, 16, 16)]
    for module in names["net"]:
        outputs.append(module(outputs[-1]))
    storages = {output.untyped_storage().data_ptr(): output for output in outputs[1:]}  # Flatten gives a view
    sizes = [output.element_size() * output.numel() for output in storages.values()]
    output = explained(
        f"{code}out = net(torch.randn(2, 3, 16, 16))\n\nRuntimeError: CUDA error: out of memory\nbatch_size = 64\n"
    )
    assert f"{64 * max(sizes) / 1e6:,.1f} MB for the output of 0 and 1" in output
    assert f"{64 * sum(sizes) / 1e6:,.1f} MB for all, of a batch of 64" in output
