"""Patterns of einops: shapes, values and refusals as those of einops, and what they do in words."""

import zlib
from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gist import sentence
from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.lang.axes import BATCH, batches
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from layerexplain.layers.torch.einops import steps_of
from tests.support.tries import tries

ROWS: list[tuple[str, str, dict[str, int], tuple[int, ...]]] = [
    ("rearrange", "b c h w -> b h w c", {}, (2, 3, 5, 7)),
    ("rearrange", "b c h w -> b (c h w)", {}, (2, 3, 5, 7)),
    ("rearrange", "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", {"p1": 5, "p2": 2}, (2, 3, 15, 14)),
    ("rearrange", "b n (qkv h d) -> qkv b h n d", {"qkv": 3, "h": 2}, (2, 5, 42)),
    ("rearrange", "(b t) c -> t b c", {"b": 3}, (15, 2)),
    ("rearrange", "b ... d -> b d ...", {}, (2, 3, 5, 7)),
    ("rearrange", "b ... d -> b (... d)", {}, (2, 3, 5, 7)),
    ("rearrange", "b ... d -> b (...) d", {}, (2, 3, 5, 7)),
    ("rearrange", "... d -> (...) d", {}, (2, 3, 5)),
    ("rearrange", "... -> ...", {}, (2, 3)),
    ("rearrange", "b 1 d -> b d 1 1", {}, (2, 1, 3)),
    ("rearrange", "b () d->b d", {}, (2, 1, 3)),
    ("rearrange", "a (b 1) -> b a", {}, (2, 3)),
    ("rearrange", "a b -> a b", {"a": 2}, (2, 3)),
    ("repeat", "1 1 d -> b 1 d", {"b": 5}, (1, 1, 3)),
    ("repeat", "h w -> h w 3", {}, (2, 5)),
    ("repeat", "h w -> (2 h) (w 3)", {}, (2, 5)),
    ("repeat", "h w -> (h r) w k", {"r": 3, "k": 2}, (2, 5)),
    ("repeat", "... d -> ... k d", {"k": 2}, (3, 2, 5)),
    ("reduce:mean", "b n d -> b d", {}, (2, 3, 5)),
    ("reduce:max", "b c (h 2) (w 3) -> b c h w", {}, (2, 3, 4, 9)),
    ("reduce:min", "b c (h p) w -> w b", {"p": 2}, (2, 3, 4, 5)),
    ("reduce:sum", "... d -> d", {}, (2, 3, 5)),
    ("reduce:prod", "a b -> 1", {}, (2, 3)),
    ("reduce:mean", "b ... -> b", {}, (2, 3, 5)),
]
REFUSED: list[tuple[str, str, dict[str, int], tuple[int, ...], str]] = [
    ("rearrange", "b (h p) -> b h p", {"p": 4}, (2, 15), "needs axis 1 of (2, 15) to divide by p = 4, got 15"),
    ("rearrange", "b (h p) -> b h p", {}, (2, 15), "needs the size of all axes but one in (h p); give h=2"),
    ("rearrange", "b (h p) -> b h p", {"h": 3, "p": 4}, (2, 15), "to be h = 3 × p = 4, got 15"),
    ("rearrange", "b c -> b c", {"b": 3}, (2, 5), "needs axis 0 of (2, 5) to be b = 3, got 2"),
    ("rearrange", "b c -> b d", {}, (2, 5), "rearrange needs each axis on both sides, got c, d on one side only"),
    ("rearrange", "b c -> b", {}, (2, 5), "got c on one side only"),
    ("rearrange", "b 2 -> 2 b", {}, (3, 2), "1 is its only number, got 2"),
    ("rearrange", "b c h -> b h c", {}, (2, 5), "needs an input with 3 axes, got one with 2"),
    ("rearrange", "b c ... d -> b c d ...", {}, (2, 5), "needs an input with at least 3 axes, got one with 2"),
    ("rearrange", "b 1 -> b", {}, (2, 5), "needs axis 1 of (2, 5) to be 1, got 5"),
    ("rearrange", "b c -> b ((c))", {}, (2, 5), "needs brackets in pairs, none inside others"),
    ("rearrange", "b (c -> b c", {}, (2, 5), "needs brackets in pairs"),
    ("rearrange", "b c) -> b c", {}, (2, 5), "needs brackets in pairs"),
    ("rearrange", "b b -> b", {}, (2, 2), "needs each axis once on a side, got 'b' twice"),
    ("rearrange", "b _c -> _c b", {}, (2, 5), "names without _ at an end, numbers or ..., got '_c'"),
    ("rearrange", "b c- -> c- b", {}, (2, 5), "got '-'"),
    ("rearrange", "b c", {}, (2, 5), "needs two sides around one '->'"),
    ("rearrange", "b c -> c b -> b c", {}, (2, 5), "needs two sides around one '->'"),
    ("rearrange", "b c -> c b", {"d": 3}, (2, 5), "needs an axis in 'b c -> c b' for each size, got d=3"),
    ("rearrange", "b c -> b c ...", {}, (2, 5), "needs its ... on the left side too"),
    ("rearrange", "(b ...) -> b ...", {"b": 2}, (6,), "outside of brackets"),
    ("repeat", "h w -> h w k", {}, (2, 5), "repeat needs a size for the new axis k"),
    ("repeat", "h w -> h", {}, (2, 5), "repeat needs each axis of the left side on the right, got w"),
    ("reduce:mean", "h w -> h k", {}, (2, 5), "mean needs each axis of the right side on the left, got k"),
    ("reduce:median", "h w -> h", {}, (2, 5), "needs reduction to be"),
]  # fmt: skip


def traced(kind: str, pattern: str, sizes: dict[str, Any], shape: tuple[Any, ...]) -> Any:
    name, _, reduction = kind.partition(":")
    declaration = find(f"einops.{name}")
    assert declaration is not None
    config = {"pattern": pattern, "sizes": sizes, **({"reduction": reduction} if reduction else {})}
    return declaration.trace([Spec(shape, "float")], declaration.bind(config))


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "pattern", "sizes", "shape"), ROWS, ids=lambda one: str(one)[:40])
def test_values_are_those_of_einops(kind: str, pattern: str, sizes: dict[str, int], shape: tuple[int, ...]) -> None:
    np, einops = pytest.importorskip("numpy"), pytest.importorskip("einops")
    name, _, reduction = kind.partition(":")
    x = np.random.default_rng(zlib.crc32(pattern.encode())).normal(size=shape).astype("float32")
    wanted = getattr(einops, name)(x, pattern, *[reduction] * bool(reduction), **sizes)
    for first in (shape[0], BATCH):
        definition = traced(kind, pattern, sizes, (first, *shape[1:]))
        result = definition.results["y"]
        sizes_found = [wanted.shape[i] if type(s) is not int else s for i, s in enumerate(result.shape)]
        assert tuple(sizes_found) == wanted.shape
        found = evaluate(definition, [x], [], Evaluation(shape[0], "float32"))[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "pattern", "sizes", "shape", "words"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_einops_refuses_is_refused(
    kind: str, pattern: str, sizes: dict[str, int], shape: tuple[int, ...], words: str
) -> None:
    einops = pytest.importorskip("einops")
    np = pytest.importorskip("numpy")
    name, _, reduction = kind.partition(":")
    with pytest.raises((einops.EinopsError, ValueError)):
        getattr(einops, name)(np.zeros(shape), pattern, *[reduction] * bool(reduction), **sizes)


@pytest.mark.parametrize(("kind", "pattern", "sizes", "shape", "words"), REFUSED, ids=lambda one: str(one)[:40])
def test_refusals_say_what_does_not_fit(
    kind: str, pattern: str, sizes: dict[str, int], shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(LayerExplainError) as found:
        traced(kind, pattern, sizes, shape)
    assert words in found.value.fact


WORDS = [
    ("rearrange", "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", {"p1": 5, "p2": 2}, (BATCH, 3, 15, 14),
     "Splits axis 2 into h × p1 = 3 × 5 and axis 3 into w × p2 = 7 × 2; puts the axes in the order b, h, w, p1, p2, c; "
     "joins h × w = 3 × 7 and p1 × p2 × c = 5 × 2 × 3 into one axis each."),
    ("rearrange", "b t d -> (b t) d", {}, (BATCH, 3, 5), "Joins b × t = batch × 3 into one axis."),
    ("rearrange", "b t d -> b t d", {}, (BATCH, 3, 5), "Returns its input unchanged."),
    ("rearrange", "b d -> b 1 1 d", {}, (BATCH, 3), "Inserts 2 axes of size 1."),
    ("rearrange", "b 1 d -> b d", {}, (BATCH, 1, 3), "Removes an axis of size 1."),
    ("repeat", "d -> b n d", {"b": None, "n": 5}, (3,), "Repeats along the new axes b and n = 5."),
    ("repeat", "b d -> b 7 d", {}, (BATCH, 3), "Repeats along the new axis 7."),
    ("reduce:mean", "b n d -> b d", {}, (BATCH, 3, 5), "Averages over n = 3."),
    ("reduce:max", "b (n 2) d -> b n", {}, (BATCH, 6, 5), "Splits axis 1 into n × 2 = 3 × 2; takes the largest value over 2 and d = 5."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "pattern", "sizes", "shape", "words"), WORDS)
def test_a_sentence_says_what_happens_to_the_axes(
    kind: str, pattern: str, sizes: dict[str, Any], shape: tuple[Any, ...], words: str
) -> None:
    assert sentence(traced(kind, pattern, sizes, shape)) == words


def test_a_formula_has_no_step_that_changes_nothing() -> None:
    definition = traced("rearrange", "b c h w -> b c (h w)", {}, (BATCH, 3, 5, 7))
    assert [node.op.name for node in definition.order if node.args] == ["reshape"]
    assert traced("rearrange", "b c -> b c", {}, (BATCH, 3)).results["y"].op.name == "input"


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 400 + "->",
        "a " * 400 + "->",
        "-> " * 300,
        "9" * 700 + " -> 1",
        "é ->",
        "b ..... -> b",
        "a\tb -> a b",
        "x" * 2000,
    ],
)
def test_hostile_patterns_end_in_one_line(pattern: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        traced("repeat", pattern, {}, (3, 5))
    assert len(found.value.fact) < 2_200
    assert "\n" not in found.value.fact


@pytest.mark.torch
def test_drawn_patterns_are_those_of_einops() -> None:
    np, einops = pytest.importorskip("numpy"), pytest.importorskip("einops")
    random = np.random.default_rng(5)
    for _ in range(tries(60, 2000)):
        count = int(random.integers(1, 6))
        sizes = {name: int(random.integers(1, 5)) for name in "abcde"[:count]}
        sides = []
        for _side in range(2):
            names = list(random.permutation(list(sizes)))
            cuts = sorted(random.integers(0, count + 1, size=int(random.integers(0, 3))))
            groups = [names[i:j] for i, j in zip([0, *cuts], [*cuts, count], strict=True)]
            sides.append([[one] for one in names] if random.random() < 0.3 else [list(one) for one in groups])
        text = " -> ".join(" ".join(f"({' '.join(group)})" for group in side) for side in sides)
        x = np.arange(np.prod(list(sizes.values()))).reshape([int(np.prod([sizes[n] for n in g])) for g in sides[0]])
        definition = traced("rearrange", text, sizes, x.shape)
        found = evaluate(definition, [x], [], Evaluation(1, "float64"))[0]
        np.testing.assert_array_equal(found, einops.rearrange(x, text, **sizes), err_msg=text)


@pytest.mark.parametrize(
    ("pattern", "sizes", "shape", "wanted"),
    [
        ("b t d -> (b t) d", {}, (BATCH, 3, 5), (batches(3), 5)),
        ("b t d -> (t b) d", {}, (batches(7), 3, 5), (batches(21), 5)),
        ("(b t) d -> b t d", {"t": 3}, (batches(21), 5), (batches(7), 3, 5)),
        ("(b t) d -> b t d", {"b": None}, (batches(21), 5), (BATCH, 21, 5)),
        ("(b t) d -> b t d", {"b": None, "t": 21}, (batches(21), 5), (BATCH, 21, 5)),
        ("(b t) d -> b t d", {"t": 4}, (batches(21), 5), (batches(21, 4), 4, 5)),
        ("(b t) d -> b t d", {"t": 3}, (BATCH, 5), (batches(1, 3), 3, 5)),
        ("b c -> (b c)", {}, (None, 5), (None,)),
    ],
)
def test_the_batch_is_joined_and_split(pattern: str, sizes: Any, shape: Any, wanted: Any) -> None:
    steps = steps_of("rearrange", pattern, sizes, shape)
    assert steps.shape(steps.after) == wanted


def test_a_size_that_is_not_in_the_batch_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"needs axis 0 of \(None, 5\) to be b = n × t = 20"):
        steps_of("rearrange", "(b t) d -> b t d", {"b": None, "t": 20}, (batches(21), 5))
