"""Arguments without a name reach the parameter that real Keras gives them to."""

import inspect
import json

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from layerexplain.frontends.code.library.keras.names import operation_types
from layerexplain.frontends.code.library.keras.operations import ORDER
from layerexplain.layers.registry import find

ELSEWHERE = {
    "ctc_decode": "beam_width, which the greedy strategy does not read, is not declared",
    "dot_product_attention": "flash_attention, which changes no value, is not declared",
    "einsum": "the subscripts stand before the tensors",
    "full": "the shape stands before the value",
    "irfft": "the two parts of a complex tensor are one argument",
    "istft": "the two parts of a complex tensor are one argument",
    "meshgrid": "any number of tensors",
    "select": "lists of tensors",
}
"""Functions whose declaration has another order, with the reason."""


@pytest.mark.keras
def test_arguments_stand_in_the_order_of_keras() -> None:
    from keras import ops

    differ, compared = {}, 0
    for name in sorted(dir(ops)):
        type_ = operation_types().get(name.replace("_", ""))
        declaration = find(f"ops.{type_}") if type_ and not name.startswith("_") else None
        if declaration is None or name in ELSEWHERE:
            continue
        parameters = [
            one.name for one in inspect.signature(getattr(ops, name)).parameters.values() if one.kind in (0, 1)
        ]
        if name in ORDER:
            assert list(ORDER[name]) == parameters
            continue
        compared += 1
        keras_has = parameters[len(declaration.tensors) if declaration.variadic is None else 1 :]
        ours = list(declaration.arguments)[: len(keras_has)]
        if ours != keras_has[: len(ours)]:
            differ[name] = (ours, keras_has)
    assert differ == {}
    assert compared > 250


@pytest.mark.parametrize(
    ("call", "operation", "shape"),
    [
        ("average(x, 1)", "mean(x, axis=1)", [None, 7]),
        ("average(x, 2, x)", "sum(x * weights, axis=2) / sum(weights + x * 0, axis=2)", [None, 5]),
        ("isin(x, x, True)", "any(x1[..., None] == reshape(x2, shape=(-1,)), axis=-1)", [None, 5, 7]),
    ],
)
def test_a_position_is_that_of_keras(call: str, operation: str, shape: list) -> None:
    code = f"import keras\nx = keras.Input((5, 7))\nm = keras.Model(x, keras.ops.{call})\n"
    result = CliRunner().invoke(program, ["summary", "-", "--format", "json"], input=code, catch_exceptions=False)
    row = json.loads(result.stdout)["layers"][-1]
    assert (row["operation"], row["output_shapes"]) == (operation, [shape])
