"""Which layers a pattern means, and which name is suggested for one that is not there."""

from __future__ import annotations

import pytest

import layerexplain
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.layer_names import LayerCandidate, chosen_layers, chosen_rows, found, matches, matching

PATHS = [
    ("input", "InputLayer"), ("conv2d", "Conv2D"), ("box", "Sequential"), ("box/conv", "Conv2D"), ("box/a[0]", "Dense"), ("3", "Flatten"), ("out", "Dense"),
]  # fmt: skip
ROWS = [LayerCandidate(path, path.rpartition("/")[2], type_) for path, type_ in PATHS]
MEANT = [
    # Names and paths first, then types, positions among the rows of depth 0, and parts of a name or a type.
    ("conv*", ["conv2d", "box/conv"]), ("conv2d", ["conv2d"]), ("box/*", ["box/conv", "box/a[0]"]), ("box/conv", ["box/conv"]), ("a[0]", ["box/a[0]"]),
    ("Conv2D", ["conv2d", "box/conv"]), ("DENSE", ["box/a[0]", "out"]), ("*layer", ["input"]),
    ("0", ["input"]), ("1", ["conv2d"]), ("2", ["box"]), ("3", ["3"]), ("4", ["out"]), ("5", []), ("-1", ["out"]), ("-5", ["input"]), ("-6", []), ("-99", []),
    ("onv", ["conv2d", "box/conv"]), ("SEQ", ["box"]), ("a[b]", []), ("nothing", []), ("+1", []),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "paths"), MEANT)
def test_layers_that_a_pattern_means(pattern: str, paths: list[str]) -> None:
    assert found(pattern, ROWS) == paths


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [("a*", ("b", "ab"), True), ("a[0]", ("a[0]",), True), ("a", ("b", "ab"), False), ("A", ("a",), False)],
)
def test_a_pattern_matches_a_name(pattern: str, names: tuple[str, ...], expected: bool) -> None:
    assert matches(pattern, *names) is expected


SPEC = b"input: [5]\nlayers:\n  - Dense: 3\n    name: one\n  - Sequential: [{Dense: {units: 2, name: deep}}]\n    name: box\n  - Dense: 1\n    name: out\n"
CHOSEN = [
    ("one", ["one"]), (["one", "out"], ["one", "out"]), ("Dense", ["one", "box/deep", "out"]), (" out ", ["out"]), (lambda path: path.endswith("t"), ["input", "out", "box/input"]),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "paths"), CHOSEN)
def test_layers_that_are_chosen(layers: object, paths: list[str]) -> None:
    model = layerexplain.read(SPEC)
    is_chosen = chosen_layers(model, layers)  # type: ignore[arg-type]
    assert is_chosen is not None
    assert sorted(
        path for path in ("input", "one", "box", "box/input", "box/deep", "out") if is_chosen(path)
    ) == sorted(paths)


def test_without_a_choice_all_layers_are_meant() -> None:
    assert chosen_layers(layerexplain.read(SPEC), None) is None


REFUSED: list[tuple[object, str]] = [
    ("oen", "no layer matches 'oen'; did you mean 'one'?"),
    ("zzz", "no layer matches 'zzz'; the model has input, one, box, box/input, deep, box/deep, out"),
    (7, "layers needs a pattern, a list of patterns or a function of a path, got 7"),
    (["one", 7], "layers needs a pattern, a list of patterns or a function of a path, got ['one', 7]"),
]


@pytest.mark.parametrize(("layers", "words"), REFUSED)
def test_a_choice_without_layers_is_refused(layers: object, words: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        chosen_layers(layerexplain.read(SPEC), layers)  # type: ignore[arg-type]
    assert caught.value.fact == words and isinstance(caught.value, ArgumentError) == ("needs" in words)


def test_a_path_goes_before_a_pattern() -> None:
    rows = [LayerCandidate("a*", "a*", "Dense"), LayerCandidate("ab", "ab", "Dense")]
    is_chosen = chosen_rows(rows, "a*")
    assert is_chosen is not None and (is_chosen("a*"), is_chosen("ab")) == (True, False)
    assert matching(layerexplain.read(SPEC), "box/deep") == ["box/deep"]
