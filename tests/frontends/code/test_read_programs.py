"""What the reader makes of whole programs is what was recorded when Keras and PyTorch agreed: layers with their places
and arguments, calls, what is trained with, and the notes word for word."""

from __future__ import annotations

import pytest

from tests.support.read_programs import programs, reading, recorded

ROWS = [
    pytest.param(name, marks=[pytest.mark.keras] if "applications" in programs()[name] else [])
    for name in recorded()  # models of keras.applications are read where Keras is installed
]


@pytest.mark.parametrize("name", ROWS)
def test_a_program_is_read_as_recorded(name: str) -> None:
    assert reading(programs()[name]).splitlines() == recorded()[name].splitlines()


def test_every_program_is_recorded() -> None:
    assert recorded().keys() == programs().keys()
