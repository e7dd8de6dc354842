"""What mends a program of Keras that stops: Keras refuses the program, and runs it once it is changed as proposed."""

import re
from itertools import product

import pytest

from layerexplain.frontends.code.reader import read_code

CALLS = {
    "a model": ("keras.Model", "model = Net()\nassert model(np.ones((2, 5))) is not None\n"),
    "a layer": ("keras.layers.Layer", "i = keras.Input((5,))\nmodel = keras.Model(i, Net()(i))\n"),
}
BODY = """        x = self.first(x)
        x = keras.ops.relu(x)
        y = self.last(x)
        return y
"""
WRONG = {
    "without return": ("        return y\n", ""),
    "a misspelt attribute": ("self.last(x)", "self.lst(x)"),
    "another misspelt attribute": ("self.first(x)", "self.frist(x)"),
}


def code(base: str, run: str, body: str) -> str:
    return (
        f"import keras\nimport numpy as np\nclass Net({base}):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.first = keras.layers.Dense(7)\n        self.last = keras.layers.Dense(3)\n"
        f"    def call(self, x):\n{body}{run}"
    )


def runs_in_keras(text: str) -> bool:
    names: dict[str, object] = {}
    try:
        exec(text, names)
    except (AssertionError, AttributeError, ValueError, TypeError):
        return False
    return bool(names["model"].count_params())  # type: ignore[attr-defined]


@pytest.mark.keras
@pytest.mark.parametrize("kind, wrong", [*product(CALLS, WRONG)])
def test_keras_runs_the_program_with_the_line_that_is_proposed(kind: str, wrong: str) -> None:
    base, run = CALLS[kind]
    right, broken = WRONG[wrong]
    text = code(base, run, BODY.replace(right, broken))
    assert runs_in_keras(code(base, run, BODY))
    assert not runs_in_keras(text)
    (fault,) = read_code(text.encode(), None).faults
    cure = re.search(r"(?:line (\d+): )?[^;]*; write `(.*?)`", fault.fact.partition("; ")[2] or fault.fact)
    assert cure is not None, fault.fact
    lines = text.splitlines()
    at = int(cure[1] or fault.line or 0)
    if cure[2].startswith("return"):
        lines.insert(at, f"        {cure[2]}")
    else:
        lines[at - 1] = f"        {cure[2]}"
    assert runs_in_keras("\n".join(lines)), fault.fact


def test_a_pasted_error_does_not_keep_a_cure_from_being_tried() -> None:
    text = code(*CALLS["a layer"], BODY.replace("self.last(x)", "self.lst(x)"))
    error = "AttributeError: 'Net' object has no attribute 'lst'"
    (fault,) = read_code(f"{text}\nI get this:\n\n{error}\n".encode(), None).faults
    assert "write `y = self.last(x)`" in fault.fact
