"""What tests of the code reader share."""

import pytest

from layerexplain.frontends.code.values import reading
from tests.support.large_programs import a_twentieth


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of the bounds of the reader, within which `at_most(MOST_CALLS)` functions are called."""
    for bound, most in a_twentieth().items():
        monkeypatch.setattr(reading, bound, most)
