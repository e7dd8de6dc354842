"""The rule for the size of a convolution or pooling: its text gives the size, and what another value of an argument gives
is what the layer itself gives."""

import re
from itertools import product
from typing import Any

import pytest

from layerexplain.derive.shape_reasons import shape_reasons
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from tests.derive.test_shape_reasons import calculate

KERAS = {"strides": (1, 2, 3), "padding": ("valid", "same"), "dilation_rate": (1, 2)}
TORCH = {"stride": (1, 2, 3), "padding": (0, 1, "same"), "dilation": (1, 2)}
CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "Conv1D": ({"filters": 5, "kernel_size": 4}, KERAS),
    "Conv2D": ({"filters": 5, "kernel_size": 3}, KERAS),
    "DepthwiseConv2D": ({"kernel_size": 3}, KERAS),
    "SeparableConv2D": ({"filters": 5, "kernel_size": 3}, KERAS),
    "Conv2DTranspose": ({"filters": 5, "kernel_size": 3}, {**KERAS, "output_padding": (None, 1)}),
    "MaxPooling2D": ({"pool_size": 3}, {"strides": (None, 2), "padding": ("valid", "same")}),
    "AveragePooling1D": ({"pool_size": 4}, {"strides": (None, 3), "padding": ("valid", "same")}),
    "torch.nn.Conv1d": ({"in_channels": 7, "out_channels": 5, "kernel_size": 4}, TORCH),
    "torch.nn.Conv2d": ({"in_channels": 7, "out_channels": 5, "kernel_size": 3}, TORCH),
    "torch.nn.ConvTranspose2d": (
        {"in_channels": 7, "out_channels": 5, "kernel_size": 4},
        {**TORCH, "output_padding": (0, 1)},
    ),
    "torch.nn.MaxPool2d": ({"kernel_size": 3}, {**TORCH, "stride": (None, 2), "ceil_mode": (False, True)}),
    "torch.nn.AvgPool2d": ({"kernel_size": 3}, {"stride": (None, 2), "padding": (0, 1), "ceil_mode": (False, True)}),
}
SIZE = 23


def traced(type_: str, config: dict[str, Any]) -> Definition | None:
    """The layer on an image of 7 channels; None for arguments that it does not take."""
    declaration = find(type_)
    assert declaration is not None
    rank = int("".join(re.findall(r"(\d)[dD]", type_)))
    spatial = (SIZE,) * rank
    shape = (BATCH, 7, *spatial) if type_.startswith("torch") else (BATCH, *spatial, 7)
    try:
        return declaration.trace([Spec(shape, "float32")], declaration.bind(config))
    except LayerExplainError:
        return None


def size_of(type_: str, definition: Definition) -> int:
    """Its first spatial size."""
    size = next(iter(definition.results.values())).shape[2 if type_.startswith("torch") else 1]
    assert isinstance(size, int)
    return size


def all_configs() -> list[tuple[str, dict[str, Any]]]:
    """All layers with all their arguments that they take."""
    found = []
    for type_, (fixed, others) in CASES.items():
        for values in product(*others.values()):
            config = {**fixed, **dict(zip(others, values, strict=True))}
            if traced(type_, config) is not None:
                found.append((type_, config))
    return found


@pytest.mark.parametrize(("type_", "config"), all_configs(), ids=str)
def test_the_rule_gives_the_size_and_a_changed_argument_that_of_the_layer(type_: str, config: dict[str, Any]) -> None:
    definition = traced(type_, config)
    assert definition is not None
    rule, *lines = shape_reasons(definition).notes
    size = size_of(type_, definition)
    values = {"in": SIZE, **{name: value or 0 for name, value in config.items() if isinstance(value, int | None)}}
    if (name := next((one for one in ("stride", "strides") if one in config), "")) and config[name] is None:
        values[name] = config.get("pool_size", config.get("kernel_size"))
    for name, value in values.items():
        rule = re.sub(rf"\b{name}\b", str(value), rule)
    assert calculate(rule.removeprefix("out = ")) == size
    # What it becomes with another value of an argument, and of each that changes it.
    changes = next((line for line in lines if line.startswith("with one argument changed: ")), "")
    said = {name: (int(value), int(after)) for name, value, after in re.findall(r"(\w+)=(\d+) → (\d+)", changes)}
    for name in {*CASES[type_][0], *CASES[type_][1]} - {"filters", "in_channels", "out_channels", "ceil_mode"}:
        own = values.get(name)
        other = traced(type_, {**config, name: own + 1}) if type(own) is int and config[name] is not None else None
        if name in said:
            value, after = said[name]
            other = traced(type_, {**config, name: value})
            assert other is not None and size_of(type_, other) == after, name
        elif other is not None and not (name == "output_padding" and config[name] is None):
            raise AssertionError(f"{name} is not said")
