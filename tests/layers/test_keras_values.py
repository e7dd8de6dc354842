"""Every declaration against real Keras: shapes, weights and values, on fixed rows and drawn configurations."""

import random

import pytest

from tests.cases import CASES, DRAWS, Case
from tests.support.compared_values import DRAWN, LEAST, check

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_rows(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("type_", sorted(DRAWS))
def test_drawn(type_: str) -> None:
    compared = sum(check(DRAWS[type_](random.Random(f"{type_}{seed}"))) for seed in range(DRAWN))
    assert compared >= LEAST, f"only {compared} of {DRAWN} draws have values"
