"""Parts of tensors that lists pick, in programs of PyTorch: shapes and values as PyTorch's."""

from itertools import pairwise
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.library.torch_tensors import _as_slice
from tests.support.torch_programs import HEAD

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 2)
    def forward(self, x):
        if hasattr(F, "scaled_dot_product_attention") and hasattr(nn, "Linear"):
            x = x * 3
        return {body}
"""
READ: list[tuple[str, tuple[int | None, ...]]] = [
    ("self.fc(x[:, [-1], :])", (None, 1, 7, 2)),
    ("x[..., [0, 2]]", (None, 3, 7, 2)),
    ("x[..., [3, 0, 0, -1]]", (None, 3, 7, 4)),
    ("x[:, :, [-3, -1]]", (None, 3, 2, 5)),
    ("x[:, :, [4, 2, 0]]", (None, 3, 3, 5)),
    ("x[:, [0, 1], 2:5]", (None, 2, 3, 5)),
    ("x[:, 1, [0, 5]]", (None, 2, 5)),
    ("x[:, 1:, ..., [1, 2, 4]]", (None, 2, 7, 3)),
    ("x[:, :, [0, -1]]", (None, 3, 2, 5)),
    ("x.repeat(1, 2, 1, 3)", (None, 6, 7, 15)),
    ("x[:, :, 0].tile((2, 1))", (None, 6, 5)),
    ("torch.arange(5.).repeat(x.shape[0], 2, 1) * x[:, :2, 0]", (None, 2, 5)),
    ("torch.ones(1, 3, 1, 1).repeat(x.size(0), 1, 7, 5) + x.repeat_interleave(2, dim=2)[:, :, ::2]", (None, 3, 7, 5)),
]


def _code(body: str) -> str:
    return HEAD + NET.replace("{body}", body)


@pytest.mark.parametrize(("body", "shape"), READ)
def test_lists_pick_places(body: str, shape: tuple[int | None, ...]) -> None:
    report = layerexplain.explain(_code(body).encode(), inputs={"x": (3, 7, 5)})
    assert report.grade == "complete", report.notes
    assert [one.shape for one in report.outputs] == [shape]


@pytest.mark.torch
@pytest.mark.parametrize(("body", "shape"), READ)
def test_the_places_are_those_of_pytorch(body: str, shape: tuple[int | None, ...]) -> None:
    torch = pytest.importorskip("torch")
    namespace: dict[str, Any] = {}
    exec(_code(body), namespace)
    x = torch.randn(29, 3, 7, 5)
    wanted = namespace["Net"]()(x).detach().numpy()
    assert wanted.shape == (29, *shape[1:])
    if "fc" not in body:
        found = layerexplain.trace(_code(body).encode(), x.numpy()).outputs[0]
        assert (abs(found - wanted) < 1e-5).all()


@pytest.mark.parametrize(
    ("body", "words"),
    [("x[:, [3]]", "index 3 is out of bounds for axis 1"), ("x[:, 0, [-8]]", "index -8 is out of bounds for axis 1")],
)
def test_places_that_are_not_there_are_refused(body: str, words: str) -> None:
    report = layerexplain.explain(_code(body).encode(), inputs={"x": (3, 7, 5)})
    assert words in report.faults[0].fact


@pytest.mark.parametrize(
    "body",
    [
        "x[:, [0, 1], [0, 1]]",
        "x[:, 0, :, [1]]",
        "x[None, :, [1]]",
        "x.repeat(x.shape[0], 1, 1, 1)",
        "x.repeat(other(), 1, 1, 1)",
        "x[:, [True, False, True]]",
    ],
)
def test_keys_that_are_not_read_are_open(body: str) -> None:
    report = layerexplain.explain(_code(body).encode(), inputs={"x": (3, 7, 5)})
    assert report.grade == "open"


@pytest.mark.parametrize(
    "places", [[-1], [0], [0, 2, 4], [-3, -2], [-5, -3, -1], [2, 2], [2, 1], [-1, 0], [0, 1, 3], [4]]
)
def test_a_slice_has_the_places_of_the_list(places: list[int]) -> None:
    found = _as_slice(places)
    rows = [*range(7)]
    is_even = len(places) < 2 or len({b - a for a, b in pairwise(places)}) == 1
    assert (found is not None) == (is_even and places == sorted(set(places)) and not places[0] < 0 <= places[-1])
    assert found is None or rows[found] == [rows[one] for one in places]
