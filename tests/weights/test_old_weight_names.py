"""The names that variables had in Keras 1 and 2, and which weight of today each of them is."""

from __future__ import annotations

import pytest

from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.expr import weight
from layerexplain.weights.assign import FormulaWeight, assign_listed


def wanted(name: str, shape: tuple[int, ...] = (3,), trainable: bool = True) -> FormulaWeight:
    *_, short = names = tuple(name.split("/"))
    return FormulaWeight(weight(short, short, [("units", size) for size in shape]), names, shape, trainable)


def stored(name: str, shape: tuple[int, ...] = (3,)) -> StoredTensor:
    return StoredTensor(name, tuple(name.split("/")), shape, "float32", 4, "weight")


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("dense_1_W", "kernel"),
        ("convolution2d_1_b", "bias"),
        ("lstm_1_U", "recurrent_kernel"),
        ("W", "kernel"),
        ("depthwise_kernel", "kernel"),
        ("batchnormalization_1_gamma", "gamma"),
        ("batchnormalization_1_beta", "beta"),
        ("batchnormalization_1_running_mean", "moving_mean"),
        ("batchnormalization_1_running_std", "moving_variance"),
        ("prelu_1_alphas", "alphas"),
        ("embedding_1_embeddings", "embeddings"),
        ("kernel", "kernel"),
        ("b_of_mine", "b_of_mine"),
    ],
)
def test_a_variable_of_old_is_known_by_its_name(old: str, today: str) -> None:
    # The order alone would say the other way round.
    others = [wanted("other"), wanted(today)]
    assert assign_listed(others, [stored(old), stored("other")]) == [1, 0]


@pytest.mark.parametrize("old", ["denseW", "dense_V", "dense_B", "dense_b_1", "W_dense"])
def test_what_only_looks_like_one_is_none(old: str) -> None:
    # Names do not fit, so the order decides.
    assert assign_listed([wanted("other"), wanted("kernel")], [stored(old), stored("other")]) == [0, 1]


def test_trained_ones_come_first_where_names_tell_nothing() -> None:
    some = [wanted("a"), wanted("b", trainable=False), wanted("c")]
    assert assign_listed(some, [stored("x"), stored("y"), stored("z")]) == [0, 2, 1]
    assert assign_listed(some, [stored("x"), stored("y")]) is None


def test_of_several_alike_the_one_with_the_longest_way_in_common() -> None:
    two = [wanted("first/inner/kernel"), wanted("second/inner/kernel")]
    listed = [stored("second/inner/kernel"), stored("first/inner/kernel"), stored("third/inner/bias")]
    assert assign_listed(two, listed, strict=False) == [1, 0]
    assert assign_listed(two, listed) is None
    # Shapes come before ways.
    wide = [wanted("first/inner/kernel", (3, 2)), wanted("second/inner/kernel")]
    sizes = [stored("first/inner/kernel"), stored("second/inner/kernel", (3, 2))]
    assert assign_listed(wide, sizes) == [1, 0]


def test_factors_that_are_merged_are_not_looked_for() -> None:
    some = [wanted("kernel"), wanted("lora_kernel_a"), wanted("bias")]
    assert assign_listed(some, [stored("kernel"), stored("bias")]) == [0, None, 1]
