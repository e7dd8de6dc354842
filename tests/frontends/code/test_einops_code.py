"""einops in programs of PyTorch: axes joined with the batch and split off again, packs, and what is refused."""

from typing import Any

import pytest

import layerexplain
from tests.support.torch_programs import HEAD

NET = """
from einops import einsum, pack, rearrange, reduce, repeat, unpack
from einops.layers.torch import Rearrange, Reduce
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 10, 3)
        self.split = Rearrange('(b t) d -> b t d', t=5)
    def forward(self, x):
        b, n, d = x.shape
        {body}
"""

BODIES: list[tuple[str, str, tuple[int | None, ...]]] = [
    ("a module whose size is given", "return self.split(rearrange(x, 'b n d -> (b n) d')[:, :4])", (None, 5, 4)),
    ("joined and split by the batch", "y = rearrange(x, 'b t d -> (b t) d')\n        return rearrange(y * 2, '(b t) d -> b d t', b=b)", (None, 6, 5)),
    ("a view that joins, a pattern that splits", "return rearrange(x.reshape(-1, 6), '(b t) d -> b t d', t=5)", (None, 5, 6)),
    ("a pattern that joins, a view that splits", "return rearrange(x, 'b t d -> (b t) d').view(b, -1, 3)", (None, 10, 3)),
    ("a view of the whole batch", "return rearrange(x, 'b t d -> (b t) d').view(-1, 30)", (None, 30)),
    ("two factors", "y = rearrange(x, 'b t (h c) -> (b t h) c', h=2)\n        return rearrange(y, '(b t h) c -> b t c h', b=b, h=2)", (None, 5, 3, 2)),
    ("kept through a convolution", "y = self.conv(repeat(rearrange(x, 'b t d -> (b t) d'), 'm d -> m d k', k=7))\n        return rearrange(y, '(b t) d k -> b t (d k)', b=b)", (None, 5, 50)),
    ("sizes of the joined axis", "y = rearrange(x, 'b t d -> (b t) d')\n        return y.reshape(y.shape[0] // 5, 5, 6)", (None, 5, 6)),
    ("a pack over the batch", "y, ps = pack([x], '* d')\n        return unpack(y + 1, ps, '* d')[0]", (None, 5, 6)),
    ("a pack of several shapes", "y, ps = pack([x, x[:, 0]], 'b * d')\n        return torch.cat(unpack(y, [(5,), (-1,)], 'b * d'), -2)", (None, 6, 6)),
    ("einsum of names", "return einsum(x, x, 'batch i d, batch j d -> batch i j')", (None, 5, 5)),
    ("a list of tensors", "return rearrange([x, x * 2], 'k b t d -> b t (k d)')", (None, 5, 12)),
    ("a sum of branches", "return sum([x, x * 2, self.split(rearrange(x, 'b t d -> (b t) d'))])", (None, 5, 6)),
    ("the ends of a dtype", "return x.masked_fill(x > 0, -torch.finfo(x.dtype).max).std(dim=-1)", (None, 5)),
    ("a variance", "return torch.var(x, dim=1, unbiased=False, keepdim=True)", (None, 1, 6)),
    ("known numbers", "i = rearrange(torch.arange(30), '(t d) -> d t', t=5)\n        return x[..., i[:, 0]] * repeat(i[:, 1], 'd -> t d', t=5).type(x.dtype)", (None, 5, 6)),
    ("keywords", "return reduce(tensor=x, pattern='b t d -> b d', reduction='sum')", (None, 6)),
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize(
    ("body", "shape"), [(body, shape) for _, body, shape in BODIES], ids=[one[0] for one in BODIES]
)
def test_axes_joined_with_the_batch_are_split_off_again(body: str, shape: tuple[int | None, ...]) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("einops")
    code = HEAD + NET.replace("{body}", body)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    wanted = namespace["Net"]()(torch.randn(29, 5, 6))
    assert tuple(wanted.shape) == tuple(29 if size is None else size for size in shape)
    report = layerexplain.explain(code.encode(), inputs={"x": (5, 6)})
    assert (report.grade, [one.shape for one in report.outputs]) == ("complete", [shape]), report.notes
    assert report.totals.params == 6 * 10 * 3 + 10


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return rearrange(x, 'b (t k) d -> b t k d', k=2)", "needs axis 1 of (None, 5, 6) to divide by k = 2, got 5"),
        ("return rearrange(x, 'b t d -> b t')", "got d on one side only in 'b t d -> b t'"),
        ("return rearrange(rearrange(x, 'b t d -> (b t) d'), '(b t) d -> b t', t=5)", "got d on one side only"),
        ("return pack([x, d], 'b t d')[0]", "a pattern of pack needs one *, got 'b t d'"),
        ("return pack([x], 'a b c d * e')[0]", "pack needs tensors with at least 5 axes, got one with 3"),
    ],
)  # fmt: skip
def test_what_einops_refuses_is_a_fault_at_its_line(body: str, words: str) -> None:
    report = layerexplain.explain((HEAD + NET.replace("{body}", body)).encode(), inputs={"x": (5, 6)})
    assert words in report.faults[0].fact
    assert report.faults[0].line == 17


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return rearrange(x, 'b (t k) d -> b t k d', k=unknown())", "unknown"),
        ("return unpack(x, [(2,), (b,)], '* t d')[0]", "what unpack cuts from an axis of unknown size"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_open(body: str, words: str) -> None:
    code = HEAD + "from somewhere import unknown\n" + NET.replace("{body}", body)
    report = layerexplain.explain(code.encode(), inputs={"x": (5, 6)})
    assert report.grade == "open"
    assert any(words in str(note) for note in report.notes), report.notes


def test_numbers_that_a_program_moves_stay_known() -> None:
    code = HEAD + "from einops import rearrange, repeat\ni = rearrange(torch.arange(6), '(a b) -> b a', a=3)\n"
    more = "net = nn.Linear(int(i[1, 2]), len(repeat(i, 'b a -> b (a 2)')[0]))\n"
    assert layerexplain.explain((code + more).encode()).totals.params == (5 + 1) * 6


PART = """
class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
    def forward(self, x):
        return self.conv(x)
class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()
        self.size = self.part(torch.zeros(1, 3, 8, 8)).shape[-1]
        self.fc = nn.Linear(self.size, {units})
    def forward(self, x):
        return self.fc(self.part(x))
whole = Whole()
"""


def test_a_part_that_is_called_while_its_whole_is_made_is_no_model() -> None:
    report = layerexplain.explain((HEAD + PART.replace("{units}", "7")).encode(), inputs={"x": (3, 8, 8)})
    assert report.totals.params == 3 * 5 * 9 + 5 + (6 + 1) * 7
    with pytest.raises(layerexplain.LayerExplainError, match="IndexError"):
        layerexplain.explain((HEAD + PART.replace("{units}", "[][3]")).encode())
