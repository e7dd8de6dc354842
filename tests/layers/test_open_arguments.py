"""Sizes of results that do not depend on arguments, or sizes of the input, that are not known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec
from layerexplain.layers.known_definitions import Outline, outline
from layerexplain.layers.registry import find


def _outline(type_: str, config: dict[str, Any], *shapes: tuple[Any, ...], dtype: str = "float") -> Outline | None:
    declaration = find(type_)
    assert declaration is not None

    def define(config: Mapping[str, Any], specs: Sequence[Spec | None]) -> Definition:
        return declaration.trace(specs, declaration.bind(config), ())

    specs = [Spec(shape, dtype) for shape in shapes]
    return outline(declaration, config, specs, define, has_open_sizes=any(None in shape for shape in shapes))


n = BATCH


@pytest.mark.parametrize(
    ("type_", "config", "shape", "dtype", "expected"),
    [
        ("torch.nn.Embedding", {"num_embeddings": None, "embedding_dim": 11}, (n, 7), "int64", [(n, 7, 11)]),
        ("torch.nn.Embedding", {"num_embeddings": None, "embedding_dim": None}, (n, 7), "int64", [(n, 7, None)]),
        ("torch.nn.Linear", {"in_features": 13, "out_features": None}, (n, 5, 13), "float", [(n, 5, None)]),
        # An argument that has to be a size of the input is refused at any other value.
        ("torch.nn.Linear", {"in_features": None, "out_features": 17}, (n, 13), "float", [(n, 17)]),
        ("torch.nn.Linear", {"in_features": None, "out_features": 17}, (n, 2), "float", [(n, 17)]),
        ("torch.nn.Linear", {"in_features": None, "out_features": None}, (n, 13), "float", [(n, None)]),
        ("torch.nn.Linear", {"in_features": None, "out_features": 17}, (n, None), "float", [(n, 17)]),
        ("torch.nn.Conv2d", {"in_channels": 3, "out_channels": None, "kernel_size": 3}, (n, 3, 19, 23), "float", [(n, None, 17, 21)]),
        ("torch.nn.Conv2d", {"in_channels": None, "out_channels": 5, "kernel_size": 3}, (n, None, 19, 23), "float", [(n, 5, 17, 21)]),
        ("torch.nn.Conv2d", {"in_channels": 3, "out_channels": 5, "kernel_size": None}, (n, 3, 1, 1), "float", [(n, 5, 1, 1)]),
        ("torch.nn.BatchNorm2d", {"num_features": None}, (n, None, 19, 23), "float", [(n, None, 19, 23)]),
        ("torch.nn.LSTM", {"input_size": 13, "hidden_size": None, "batch_first": True}, (n, 7, 13), "float", [(n, 7, None), (1, n, None), (1, n, None)]),
        ("Dense", {"units": None}, (n, 13), "float", [(n, None)]),
        ("Dense", {"units": 17}, (n, None), "float", [(n, 17)]),
        ("Conv2D", {"filters": None, "kernel_size": 3}, (n, 19, 23, 3), "float", [(n, 17, 21, None)]),
        ("Conv2D", {"filters": 5, "kernel_size": None}, (n, 19, 23, 3), "float", [(n, None, None, 5)]),
        ("RepeatVector", {"n": None}, (n, 13), "float", [(n, None, 13)]),
    ],
)  # fmt: skip
def test_sizes_that_depend_on_nothing_unknown_are_known(
    type_: str, config: dict[str, Any], shape: tuple[Any, ...], dtype: str, expected: list[tuple[Any, ...]]
) -> None:
    found = _outline(type_, config, shape, dtype=dtype)
    assert found is not None
    assert [spec.shape for spec in found.results.values()] == expected
    assert found.is_whole == (not any(None in one for one in expected))


@pytest.mark.parametrize(
    ("type_", "config", "shape"),
    [
        ("torch.nn.Flatten", {"start_dim": None}, (n, 3, 4, 5, 6)),  # how many axes are left depends on it
        ("torch.nn.Linear", {"in_features": 13, "out_features": 17}, (n, 13)),  # nothing is unknown
    ],
)
def test_what_values_do_not_show_is_not_known(type_: str, config: dict[str, Any], shape: tuple[Any, ...]) -> None:
    assert _outline(type_, config, shape) is None


def test_what_no_value_mends_is_refused() -> None:
    with pytest.raises(ShapeError, match="in_features=13, got 11"):
        _outline("torch.nn.Linear", {"in_features": 13, "out_features": None}, (n, 11))
