"""Programs of PyTorch that are drawn: the modules, how they are written and how they are joined, some with a mistake."""

from random import Random
from typing import NamedTuple

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


class Drawn(NamedTuple):
    """A program, and the shape and dtype of its input without the batch. Its class is `Net`."""

    code: str
    shape: tuple[int, ...]
    dtype: str


def draw(seed: int) -> Drawn:
    """Return the program of a seed."""
    random = Random(seed)
    body = random.choice((_images, _images, _signals, _sequences, _vectors))
    return body(_Program(random))


class _Program:
    """A program as it is written: the lines of `__init__` and of `forward`, and the shape of `x` (None once a mistake
    made it unknown)."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.init: list[str] = []
        self.forward: list[str] = []
        self.number = 0
        self.wrong = random.random() < 0.25
        """Whether a size may still be written wrongly."""

    def size(self, right: int) -> int:
        """Return a size, wrong once where the program is to have a mistake."""
        if self.wrong and self.random.random() < 0.3:
            self.wrong = False
            return right + self.random.choice((1, 2, 5))
        return right

    def module(self, text: str) -> str:
        """Return how a module is called, once it is made: by an attribute, in a list or in a Sequential."""
        self.number += 1
        name = f"m{self.number}"
        style = self.random.choice(("attribute", "attribute", "sequential", "list", "dict"))
        made = {"attribute": text, "sequential": f"nn.Sequential({text})", "list": f"nn.ModuleList([{text}])",
                "dict": f"nn.ModuleDict({{'a': {text}}})"}[style]  # fmt: skip
        self.init.append(f"self.{name} = {made}")
        return f"self.{name}" + {"list": "[0]", "dict": "['a']"}.get(style, "")

    def step(self, text: str) -> None:
        self.forward.append(text)

    def apply(self, text: str) -> None:
        """Put x through a new module."""
        self.step(f"x = {self.module(text)}(x)")

    def activation(self) -> None:
        kind = self.random.choice(("ReLU", "GELU", "Tanh", "SiLU", "LeakyReLU", "function", "method", ""))
        if kind in ("function", "method"):
            self.step(
                self.random.choice(("x = F.relu(x)", "x = torch.tanh(x)")) if kind == "function" else "x = x.relu()"
            )
        elif kind:
            self.apply(f"nn.{kind}()")

    def done(self, shape: tuple[int, ...], dtype: str = "float32") -> Drawn:
        lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        lines += [f"        {line}" for line in self.init] + ["", "    def forward(self, x):"]
        lines += [f"        {line}" for line in self.forward] + ["        return x", ""]
        return Drawn(HEAD + "\n".join(lines), shape, dtype)


def _images(program: _Program) -> Drawn:
    return _maps(program, 2)


def _signals(program: _Program) -> Drawn:
    return _maps(program, 1)


def _maps(program: _Program, rank: int) -> Drawn:
    """Convolutions, poolings and normalization, then a head."""
    random = program.random
    channels, side = random.choice((1, 2, 3)), random.choice((17, 19, 23, 28))
    shape = (channels, *(side,) * rank)
    for _ in range(random.randint(1, 4)):
        kernel, stride, padding = random.choice((1, 2, 3)), random.choice((1, 1, 2)), random.choice((0, 1))
        after = (side + 2 * padding - kernel) // stride + 1
        if after < 3:
            break
        kind = random.random()
        if kind < 0.2 and stride == 1 and 2 * padding == kernel - 1:
            program.step("skip = x")
            program.apply(f"nn.Conv{rank}d({channels}, {channels}, {kernel}, padding={padding})")
            program.step(random.choice(("x = x + skip", "x += skip", "x = torch.add(x, skip)")))
        elif kind < 0.7:
            wider = random.choice((2, 4, 5, 7))
            bias = random.choice(("", ", bias=False"))
            program.apply(f"nn.Conv{rank}d({program.size(channels)}, {wider}, {kernel}, {stride}, {padding}{bias})")
            channels, side = wider, after
            if random.random() < 0.5:
                program.apply(f"nn.BatchNorm{rank}d({program.size(channels)})")
        elif 2 * padding <= kernel:
            pool = random.choice(("Max", "Avg"))
            function = f"F.{pool.lower()}_pool{rank}d(x, {kernel}, {stride}, {padding})"
            if random.random() < 0.5:
                program.step(f"x = {function}")
            else:
                program.apply(f"nn.{pool}Pool{rank}d({kernel}, {stride}, {padding})")
            side = after
        program.activation()
        if random.random() < 0.2:
            program.step("x = torch.cat([x, x], dim=1)")
            channels *= 2
        if random.random() < 0.2:
            program.apply(random.choice(("nn.Dropout(0.3)", f"nn.Dropout{rank}d()" if rank > 1 else "nn.Dropout()")))
    features = channels * side**rank
    if random.random() < 0.3:
        program.apply(f"nn.AdaptiveAvgPool{rank}d(1)")
        features = channels
    elif random.random() < 0.3:
        program.step(f"x = x.mean(dim={tuple(range(2, rank + 2))})")
        features = channels
    flat = ["x = torch.flatten(x, 1)", "x = x.view(x.size(0), -1)", "x = x.flatten(1)", "x = x.reshape(x.shape[0], -1)"]
    program.step(random.choice(flat))
    program.apply(f"nn.Linear({program.size(features)}, {random.choice((3, 10))})")
    return program.done(shape)


def _vectors(program: _Program) -> Drawn:
    """Layers of units, some with a shortcut."""
    random = program.random
    width = first = random.choice((5, 7, 11))
    for _ in range(random.randint(1, 4)):
        wider = random.choice((3, 8, 13))
        if random.random() < 0.3:
            program.step("before = x")
            program.apply(f"nn.Linear({width}, {width})")
            program.step(random.choice(("x = x * before", "x = torch.maximum(x, before)", "x = x - before")))
        program.apply(f"nn.Linear({program.size(width)}, {wider}{random.choice(('', ', bias=False'))})")
        width = wider
        if random.random() < 0.4:
            program.apply(random.choice((f"nn.LayerNorm({width})", f"nn.BatchNorm1d({program.size(width)})")))
        program.activation()
    if random.random() < 0.3:
        program.step("x = F.log_softmax(x, dim=1)")
    return program.done((first,))


def _sequences(program: _Program) -> Drawn:
    """Sequences of ids or vectors through recurrent modules or attention, then the last or the mean step."""
    random = program.random
    steps, width = random.choice((5, 7)), random.choice((6, 12))
    shape: tuple[int, ...] = (steps, width)
    dtype = "float32"
    if random.random() < 0.5:
        shape, dtype = (steps,), "int64"
        program.apply(f"nn.Embedding({random.choice((11, 23))}, {width})")
    for _ in range(random.randint(1, 2)):
        kind = random.choice(("LSTM", "GRU", "RNN", "attention", "encoder", "conv"))
        if kind == "attention":
            name = program.module(f"nn.MultiheadAttention({width}, {random.choice((2, 3))}, batch_first=True)")
            program.step(f"{random.choice(('x, _', 'x, shares'))} = {_plain(program, name)}(x, x, x)")
        elif kind == "encoder":
            program.apply(f"nn.TransformerEncoderLayer({program.size(width)}, 2, 13, batch_first=True)")
        elif kind == "conv":
            wider = random.choice((4, 6))
            program.step("x = x.transpose(1, 2)")
            program.apply(f"nn.Conv1d({program.size(width)}, {wider}, 3, padding=1)")
            program.step("x = x.permute(0, 2, 1)")
            width = wider
        else:
            hidden = random.choice((4, 6))
            both = random.random() < 0.3
            more = ", bidirectional=True" if both else ""
            made = f"nn.{kind}({program.size(width)}, {hidden}, {random.choice((1, 2))}, batch_first=True{more})"
            name = program.module(made)
            program.step(f"x = {_plain(program, name)}(x)[0]")
            width = hidden * (2 if both else 1)
        if width % 2 or width % 3:
            break
    program.step(random.choice(("x = x[:, -1]", "x = x.mean(1)", "x = x.max(dim=1)[0]", "x = x.sum(dim=1)")))
    program.apply(f"nn.Linear({program.size(width)}, 3)")
    return program.done(shape, dtype)


def _plain(program: _Program, name: str) -> str:
    """Return how a module is called that takes or gives more than one tensor: a Sequential does neither."""
    line = program.init[-1]
    if "= nn.Sequential(" in line:
        program.init[-1] = line.replace("nn.Sequential(", "", 1)[:-1]
    return name
