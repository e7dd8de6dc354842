"""Layers with their sizes open, and sizes for them."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from layerexplain.lang.open_sizes import marked
from layerexplain.render.page.layer_data import shown_layer
from layerexplain.report.what_if import A_NUMBER, WhatIf, what_if

Arguments = dict[str, Any]
LAYERS: dict[str, tuple[Arguments, list[tuple[int, ...]], list[str]]] = {
    # Beside the type what is given, and the sliders.
    "Conv2D": ({"filters": 7, "kernel_size": 3, "padding": "same"}, [(13, 11, 5)],
        ["filters", "kernel_size", "strides", "dilation_rate", "x rows", "x columns", "x channels"]),
    "Conv1D": ({"filters": 7, "kernel_size": 3}, [(13, 5)], ["filters", "kernel_size", "strides", "dilation_rate", "x steps", "x features"]),
    # Beside a stride of 2, Keras takes no other dilation.
    "Conv2DTranspose": ({"filters": 7, "kernel_size": 3, "strides": 2}, [(13, 11, 5)],
        ["filters", "kernel_size", "strides", "output_padding", "x rows", "x columns", "x channels"]),
    "DepthwiseConv2D": ({"kernel_size": (2, 3)}, [(13, 11, 5)],
        [*("kernel_size 1", "kernel_size 2", "strides", "depth_multiplier", "dilation_rate"),
        *("x rows", "x columns", "x channels")]),
    "MaxPooling2D": ({"pool_size": 2}, [(13, 11, 5)], ["pool_size", "strides", "x rows", "x columns", "x channels"]),
    "Dense": ({"units": 4}, [(3,)], ["units", "x features"]),
    "LSTM": ({"units": 3}, [(7, 5)], ["units", "x steps", "x features"]),
    "Embedding": ({"input_dim": 17, "output_dim": 3}, [(5,)], ["input_dim", "output_dim", "ids steps"]),
    "MultiHeadAttention": ({"num_heads": 3, "key_dim": 5}, [(11, 7), (13, 7)],
        ["num_heads", "key_dim", "query steps", "query features", "value steps", "value features"]),
    "BatchNormalization": ({}, [(5, 7)], ["x steps", "x features"]),
    "ZeroPadding2D": ({"padding": 2}, [(5, 7, 3)], ["padding", "x rows", "x columns", "x channels"]),
    "Cropping2D": ({"cropping": ((2, 3), (5, 7))}, [(23, 29, 3)],
        [*("cropping 1 before", "cropping 1 after", "cropping 2 before", "cropping 2 after"),
        *("x rows", "x columns", "x channels")]),
    "Dropout": ({"rate": 0.3}, [(5, 7)], ["x steps", "x features"]),
    "UpSampling1D": ({"size": 3}, [(5, 7)], ["size", "x steps", "x features"]),
    "Flatten": ({}, [(5, 7, 3)], ["x rows", "x columns", "x channels"]),
    "Add": ({}, [(5, 7), (5, 7)], ["x1 steps = x2 steps", "x1 features = x2 features"]),
    "torch.nn.Conv2d": ({"in_channels": 5, "out_channels": 7, "kernel_size": 3}, [(5, 13, 11)],
        [*("in_channels = x channels", "out_channels", "kernel_size", "stride", "padding", "dilation"),
        *("x rows", "x columns")]),
}  # fmt: skip
State = tuple[tuple[int, ...], dict[str, int]]
"""The number of each choice's value, and the size of each slider."""


@cache
def derived(type_: str, most: int = 8) -> WhatIf:
    given, shapes, _ = LAYERS[type_]
    return what_if(type_, given, shapes, most=most, show=shown_layer)


def states(found: WhatIf, count: int, seed: int = 7) -> Iterator[State]:
    """Choices and sizes, drawn: of every four, one slider is moved, two, three and all; in half of them other words are
    chosen."""
    draw = random.Random(seed)
    for number in range(count):
        values = [draw.randrange(len(one.values)) if number % 2 else one.given for one in found.choices]
        sizes = {one.label: one.given for one in found.sliders}
        moved = len(found.sliders) if number % 4 == 3 else min(number % 4 + 1, len(found.sliders))
        for one in draw.sample(found.sliders, moved):
            sizes[one.label] = draw.randint(one.low, one.high)
        yield tuple(values), sizes


def shown_at(found: WhatIf, state: State) -> Any:
    at = 0
    for choice, value in zip(found.choices, state[0], strict=True):
        at = at * len(choice.values) + value
    return found.at(at, state[1])


def arguments_at(found: WhatIf, state: State) -> tuple[Arguments, list[tuple[int, ...]]]:
    """The arguments and shapes of the command that the page gives."""
    typed, shapes = found.sizes.filled(marked([found.arguments, found.shapes]), state[1], {})
    chosen = {one.name: one.values[at] for one, at in zip(found.choices, state[0], strict=True)}
    chosen = {name: value for name, value in chosen.items() if value != A_NUMBER}
    return {**found.fixed, **typed, **chosen}, [tuple(shape) for shape in shapes]
