"""What an argument is where nobody gives it: as the signatures of Keras and of PyTorch say."""

import importlib
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from layerexplain.frontends.code.library.keras_names import operation_types
from layerexplain.layers.arguments import Argument
from layerexplain.layers.registry import class_name, find, part_names, torch_parts, torch_types, type_names
from tests.support.frameworks import keras

SAME: Mapping[str, Any] = {"activation": "linear", "data_format": "channels_last"}
"""What None stands for in Keras."""


def _one(value: Any) -> Any:
    """Return a size for each axis as one number, where all are equal: (1, 1) as 1."""
    while isinstance(value, tuple | list) and value and all(one == value[0] for one in value):
        value = value[0]
    return value


def _differences(type_: str, real: Callable[..., Any]) -> Iterator[tuple[str, Any, Any] | None]:
    """Yield None for each argument that has the same default, and for each other one both."""
    declaration = find(type_)
    assert declaration is not None
    for name, argument in declaration.arguments.items():
        theirs = inspect.signature(real).parameters.get(name)
        if theirs is None or theirs.default is inspect.Parameter.empty:
            continue
        ours, value = argument.default, getattr(theirs.default, "__name__", theirs.default)
        if value is None and ours != SAME.get(name):
            yield (name, "needed" if ours is Argument.REQUIRED else ours, None) if ours is not None else None
        elif value is not None and _one(ours) != _one(value):
            yield name, ours, value
        else:
            yield None


def _compared(pairs: Iterator[tuple[str, Callable[..., Any]]]) -> tuple[dict[str, list[Any]], int]:
    """Return what differs by type, and how many arguments were compared."""
    found = {type_: list(_differences(type_, real)) for type_, real in pairs}
    differ = {type_: kept for type_, all_ in found.items() if (kept := [one for one in all_ if one is not None])}
    return differ, sum(map(len, found.values()))


@pytest.mark.keras
def test_layers_have_the_defaults_of_keras() -> None:
    types = ((one, getattr(keras.layers, class_name(one), None)) for one in type_names())
    differ, count = _compared((one, real.__init__) for one, real in types if real is not None)
    # Keras asks for num_tokens when the layer is called, unless it counts integers.
    assert differ == {"CategoryEncoding": [("num_tokens", "needed", None)]}
    assert count > 450


@pytest.mark.keras
@pytest.mark.parametrize(
    ("kind", "module", "least"),
    [
        ("losses", "keras.losses", 30),
        ("optimizers", "keras.optimizers", 60),
        ("schedules", "keras.optimizers.schedules", 8),
        ("regularizers", "keras.regularizers", 5),
        ("constraints", "keras.constraints", 5),
    ],
)
def test_parts_of_training_have_the_defaults_of_keras(kind: str, module: str, least: int) -> None:
    real = importlib.import_module(module)
    pairs = ((f"{kind}.{one}", getattr(real, one).__init__) for one in part_names(kind) if hasattr(real, one))
    differ, count = _compared(pairs)
    assert differ == {}
    assert count > least


@pytest.mark.keras
def test_operations_have_the_defaults_of_keras() -> None:
    from keras import ops

    named = ((f"ops.{operation_types().get(one.replace('_', ''))}", one) for one in dir(ops) if not one.startswith("_"))
    differ, count = _compared((type_, getattr(ops, one)) for type_, one in named if find(type_) is not None)
    # multi_hot() asks for num_classes when it is called; the epsilon of normalize() is Keras's own, of its settings.
    assert differ == {
        "ops.MultiHot": [("num_classes", "needed", None)],
        "ops.Normalize": [("epsilon", keras.config.epsilon(), None)],
    }
    assert count > 250


@pytest.mark.torch
def test_modules_losses_and_optimizers_have_the_defaults_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    modules = [f"torch.{row[0]}" for rows in torch_types().values() for row in rows]
    names = [*dict.fromkeys([*modules, *torch_parts("losses"), *torch_parts("optimizers")])]
    pairs = ((one, operator.attrgetter(one.removeprefix("torch."))(torch)) for one in names)
    differ, count = _compared((one, real.__init__ if inspect.isclass(real) else real) for one, real in pairs)
    assert differ == {}
    assert count > 250
