"""Initializers, regularizers and constraints of a spec in all forms: read, or refused at their line."""

from typing import Any

import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError

FORMS = [
    # as a spec has it, and what it adds to the loss or does, as NumPy would
    ("kernel_regularizer", "{L2: 0.25}", "L2(l2=0.25), a term of the loss for W: adds 0.25 times the sum of the squares"),
    ("kernel_regularizer", "{L2: {l2: 0.25}}", "L2(l2=0.25), a term of the loss for W: adds 0.25 times"),
    ("kernel_regularizer", "{l2: 0.25}", "L2(l2=0.25), a term of the loss for W: adds 0.25 times"),
    ("kernel_regularizer", "{L2: }", "L2, a term of the loss for W: adds 0.01 times the sum of the squares"),
    ("kernel_regularizer", "L2", "L2, a term of the loss for W: adds 0.01 times the sum of the squares"),
    ("bias_regularizer", "{L1L2: [0.25, 0.5]}", "adds 0.25 times the sum of the absolute values and 0.5 times the sum"),
    ("kernel_constraint", "{MaxNorm: 3}", "MaxNorm(max_value=3), on W after each update"),
    ("kernel_initializer", "{RandomNormal: [0.0, 0.25]}", "RandomNormal(stddev=0.25): W starts from a normal"),
]  # fmt: skip


def written(argument: str, value: str) -> bytes:
    return f"input: [5]\nlayers:\n  - Dense: {{units: 3, {argument}: {value}}}\n".encode()


@pytest.mark.parametrize(("argument", "value", "said"), FORMS, ids=[f"{one[0]}: {one[1]}" for one in FORMS])
def test_a_setting_is_read_in_each_form(argument: str, value: str, said: str) -> None:
    report: Any = api.explain(written(argument, value))
    assert said in " ".join(report["dense"].explanation.hints)


REFUSED = [
    ("kernel_regularizer", "0.25", "got kernel_regularizer=0.25; for example {L2: 0.01}"),
    ("kernel_regularizer", "{Foo: 0.25}", "got kernel_regularizer=Foo; for example {L2: 0.01}"),
    ("kernel_constraint", "{MaxNrm: 3}", "did you mean 'MaxNorm'?"),
    ("kernel_regularizer", "{L2: [0.25, 0.5]}", "L2 takes l2, got 2 values"),
    ("bias_initializer", "[0.0, 0.25]", "for example {RandomNormal: {stddev: 0.02}}"),
]


@pytest.mark.parametrize(("argument", "value", "said"), REFUSED, ids=[f"{one[0]}: {one[1]}" for one in REFUSED])
def test_what_is_no_setting_is_refused_at_its_line(argument: str, value: str, said: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        api.explain(written(argument, value))
    assert said in str(caught.value) and caught.value.line == 3
