"""Arguments without a name reach the parameter that real Keras gives them to.

That the order of all functions is the libraries' own is tested in tests/frontends/code/test_calls_by_name.py.
"""

import json

import pytest

from tests.support.commands import invoke


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
    result = invoke("summary", "-", "--format", "json", input=code)
    row = json.loads(result.stdout)["layers"][-1]
    assert (row["operation"], row["output_shapes"]) == (operation, [shape])
