"""Programs of PyTorch, as people write them, each with the shape of its input without the batch."""

HEAD = """
import math
from collections import OrderedDict
import torch
import torch.nn as nn
import torch.nn.functional as F
"""

PROGRAMS: dict[str, tuple[str, tuple[int, ...], str]] = {}
"""Name → the code, the shape and the dtype of the input. Each defines `Net`."""


def _program(name: str, shape: tuple[int, ...], code: str, dtype: str = "float32") -> None:
    PROGRAMS[name] = HEAD + code, shape, dtype


_program(
    "cnn",
    (3, 32, 32),
    """
class Net(nn.Module):
    def __init__(self, classes=10):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)
""",
)

_program(
    "sequential",
    (3, 17, 13),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(OrderedDict([
            ("conv", nn.Conv2d(3, 7, 3, stride=2, padding=1)), ("norm", nn.BatchNorm2d(7)), ("act", nn.ReLU())]))
        self.blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(7, 7, 3, padding=1), nn.GELU()) for _ in range(3)])
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 5))
        self.unused = nn.Linear(11, 2)

    def forward(self, x):
        x = self.features(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)
""",
)

_program(
    "residual",
    (4, 11, 11),
    """
class Block(nn.Module):
    expansion = 2

    def __init__(self, inputs, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != width * self.expansion:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width * self.expansion, 1, stride), nn.BatchNorm2d(width * 2))

    def forward(self, x):
        identity = x
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class Net(nn.Module):
    def __init__(self, depths=(2, 1)):
        super().__init__()
        self.inputs = 4
        self.layer1 = self._make(3, depths[0])
        self.layer2 = self._make(5, depths[1], stride=2)
        self.fc = nn.Linear(10, 3)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def _make(self, width, count, stride=1):
        layers = [Block(self.inputs, width, stride)]
        self.inputs = width * Block.expansion
        layers += [Block(self.inputs, width) for _ in range(1, count)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.layer2(self.layer1(x))
        return self.fc(x.mean(dim=(2, 3)))
""",
)

_program(
    "lstm",
    (11,),
    """
class Net(nn.Module):
    def __init__(self, words=23, width=7, hidden=5):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, 3)

    def forward(self, tokens):
        x = self.embedding(tokens)
        out, (h, c) = self.lstm(x)
        last = torch.cat((h[-2], h[-1]), dim=1)
        return self.fc(last) + self.fc(out[:, -1, :])
""",
    "int64",
)

_program(
    "attention",
    (13, 12),
    """
class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.per_head = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.view(B, T, self.heads, self.per_head).transpose(1, 2)
        k = k.view(B, T, self.heads, self.per_head).transpose(1, 2)
        v = v.view(B, T, self.heads, self.per_head).transpose(1, 2)
        weights = F.softmax((q @ k.transpose(-2, -1)) / math.sqrt(self.per_head), dim=-1)
        return self.proj((weights @ v).transpose(1, 2).contiguous().view(B, T, C))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 12))
        self.position = nn.Parameter(torch.randn(1, 14, 12) * 0.02)
        self.norm = nn.LayerNorm(12)
        self.attention = SelfAttention(12, 3)
        self.mlp = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))

    def forward(self, x):
        token = self.token.expand(x.shape[0], -1, -1)
        x = torch.cat([token, x], dim=1) + self.position
        x = x + self.attention(self.norm(x))
        return self.mlp(x)[:, 0]
""",
)

_program(
    "unet",
    (3, 16, 24),
    """
class Double(nn.Sequential):
    def __init__(self, a, b):
        super().__init__(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = Double(3, 5), Double(5, 7)
        self.up = nn.ConvTranspose2d(7, 5, 2, stride=2)
        self.out = Double(10, 2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        up = self.up(b)
        up = F.interpolate(up, size=(16, 24), mode="nearest")
        return torch.sigmoid(self.out(torch.cat([a, up], 1)))
""",
)

_program(
    "transformer",
    (9, 8),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=11, batch_first=True)
        self.first = layer
        self.attn = nn.MultiheadAttention(8, 4, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.first(x)
        y, _ = self.attn(x, x, x)
        return self.head(y.permute(1, 0, 2)[0])
""",
)

_program(
    "shared",
    (7,),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(7, 7)
        self.b = self.a
        self.layers = nn.ModuleDict({"x": nn.Linear(7, 3), "y": nn.Linear(7, 3)})
        self.scale = nn.Parameter(torch.ones(3))
        self.act = nn.ModuleDict([["tanh", nn.Tanh()], ("relu", nn.ReLU())])

    def forward(self, x):
        x = self.act["tanh"](self.b(self.a(x)))
        left, right = self.layers["x"](x), self.layers["y"](x)
        return torch.stack([left * self.scale, right], dim=1).sum(dim=1).unsqueeze(-1).squeeze(-1)
""",
)

_program(
    "tied",
    (9,),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(23, 7)
        self.mid = nn.Linear(7, 7)
        self.decoder = nn.Linear(7, 23)
        self.decoder.weight = self.encoder.weight
        self.again = nn.Linear(7, 7, bias=False)
        self.again.weight = self.mid.weight
        self.unused = nn.Linear(7, 23)
        self.unused.weight = self.decoder.weight

    def forward(self, tokens):
        x = self.again(torch.tanh(self.mid(self.encoder(tokens))))
        return self.decoder(x) * F.linear(x, self.encoder.weight)
""",
    "int64",
)

_program(
    "weights_of_modules",
    (7, 11),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(11, 15)
        self.table = nn.Parameter(torch.zeros(15))
        self.out = nn.Linear(15, 3)
        self.out.bias = nn.Parameter(torch.zeros(3))
        self.other = nn.LayerNorm(15)
        self.other.bias = self.table

    def forward(self, x):
        x = F.linear(x, self.qkv.weight, self.qkv.bias) + self.table
        return self.out(self.other(x))
""",
)

_program(
    "modules by rules",
    (6, 7),
    """
import types
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import repeat

@dataclass
class Sizes:
    width: int = 7
    depth: int = 2

def pair(x):
    return tuple(x) if isinstance(x, Iterable) and not isinstance(x, str) else tuple(repeat(x, 2))

def made_by(norm, width):
    assert isinstance(norm, (type, types.FunctionType, partial))
    options = {}
    if isinstance(norm, partial):
        options.update(norm.keywords)
        norm = norm.func
    return norm(width, **options) if not isinstance(norm, types.FunctionType) else norm(width + 1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        known = {one.name for one in fields(Sizes)} & set(Sizes.__dataclass_fields__)
        sizes = replace(Sizes(), **{name: 3 for name in ("depth", "height") if name in known})
        self.blocks = nn.ModuleList()
        for _ in range(sizes.depth):
            self.blocks += [nn.Linear(7, 7, bias=bias) for bias in pair(True)]
        parts = [(f"part{i}", nn.Linear(7, 7)) for i in range(3)]
        for part in parts:
            self.add_module(*part)
        for i in range(3):
            self.register_buffer(f"shift{i}", torch.full((7,), i))
        if "silu" in dir(F) and not isinstance(Sizes, Iterable):
            self.blocks.append(nn.SiLU())
        self.norm = made_by(partial(nn.LayerNorm, eps=0.5, bias=False), sizes.width)
        self.other = made_by(nn.LayerNorm, sizes.width)
        self.scale = nn.parameter.Parameter(torch.ones(7))

    def forward(self, x):
        for block in self.blocks + [self.norm]:
            x = block(x)
        return self.other(self.part2(self.part1(self.part0(x)))) * self.scale + self.shift1 + self.shift2
""",
)

_program(
    "einops",
    (3, 20, 28),
    """
from einops import einsum, pack, rearrange, reduce, repeat, unpack
from einops.layers.torch import Rearrange, Reduce

class Attention(nn.Module):
    def __init__(self, dim, heads, head):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, heads * head * 3, bias=False)
        self.out = nn.Sequential(Rearrange('b h n d -> b n (h d)'), nn.Linear(heads * head, dim))

    def forward(self, x):
        q, k, v = map(lambda t: rearrange(t, 'b n (h d) -> b h n d', h=self.heads), self.to_qkv(x).chunk(3, dim=-1))
        dots = einsum(q, k, 'b h i d, b h j d -> b h i j')
        return self.out(einsum(dots.softmax(dim=-1), v, 'b head i j, b head j d -> b head i d'))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Sequential(Rearrange('b c (h p1) (w p2) -> b (h w) (p1 p2 c)', p1=4, p2=4), nn.Linear(48, 30))
        self.cls = nn.Parameter(torch.randn(1, 1, 30))
        self.attn = Attention(30, 3, 5)
        self.head = nn.Sequential(Reduce('b n d -> b d', 'mean'), nn.Linear(30, 11))

    def forward(self, x):
        x = self.patch(x)
        b, n, _ = x.shape
        x, ps = pack([repeat(self.cls, '1 1 d -> b 1 d', b=b), x], 'b * d')
        x = self.attn(x) + x
        cls, x = unpack(x, ps, 'b * d')
        y = x + reduce(x, 'b n d -> b 1 d', 'max')
        return self.head(x + y) + cls.flatten(1)[:, :11]
""",
)

_program(
    "copies",
    (7,),
    """
import copy

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(7, 7)
        self.second = nn.Linear(7, 7)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.ones(7))
        self.register_buffer("shift", torch.arange(7))

    def forward(self, x):
        return self.second(F.relu(self.first(x))) * self.scale + self.shift

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        block = Block()
        self.blocks = nn.ModuleList([copy.deepcopy(block) for _ in range(3)])
        block.first = nn.Identity()
        self.last = copy.deepcopy(self.blocks[1])
        self.last.second = nn.Linear(7, 5)
        self.last.scale = nn.Parameter(torch.ones(1))
        self.last.shift = torch.arange(5)

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)
""",
)

_program(
    "lazy modules",
    (3, 23, 29),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.LazyConv2d(7, 3, bias=False)
        self.norm = nn.LazyBatchNorm2d(eps=0.01)
        self.up = nn.LazyConvTranspose2d(5, 2, stride=2)
        self.other = nn.LazyInstanceNorm2d(affine=True)
        self.rows = nn.LazyConv1d(out_channels=11, kernel_size=5)
        self.last = nn.LazyBatchNorm1d()
        self.fc = nn.LazyLinear(13)
        self.head = nn.Sequential(nn.ReLU(), nn.LazyLinear(2, False))

    def forward(self, x):
        x = self.other(self.up(F.relu(self.norm(self.conv(x)))))
        x = self.last(self.rows(x.flatten(2)).mean(2))
        return self.head(self.fc(x))
""",
)

_program(
    "transformer",
    (6, 10),
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.Transformer(10, 2, 2, 1, 14, activation=F.gelu, batch_first=True)
        layer = nn.TransformerEncoderLayer(10, 2, 7, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(10, eps=1e-3))
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(10, 2, 7, batch_first=True), num_layers=2)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(6)
        target = self.encoder(x, mask=mask)
        y = self.both(x, target[:, :4], tgt_mask=mask[:4, :4], src_mask=mask)
        return self.decoder(y, x, memory_mask=torch.triu(torch.ones(4, 6), 2).bool())
""",
)
