"""What each type takes is what was found right with Keras and PyTorch: tensors, arguments with their defaults, older
names, and what changes nothing."""

from __future__ import annotations

import pytest

from layerexplain.layers.facts import NO_FACTS
from layerexplain.layers.index import types
from layerexplain.layers.registry import find
from tests.support.recorded_signatures import rows, taken

ROWS = [line.partition(": ")[::2] for line in rows()]


@pytest.mark.parametrize(("names", "words"), ROWS, ids=[names[:60] for names, _ in ROWS])
def test_a_type_takes_what_is_recorded(names: str, words: str) -> None:
    for name in names.split():
        declaration = find(name)
        assert declaration is not None and taken(declaration) == words


def test_each_type_has_a_row() -> None:
    named = [name for names, _ in ROWS for name in names.split()]
    assert sorted(named) == sorted(name for name in types() if find(name) is not None)


def test_the_usual_facts() -> None:
    usual = {name: value for name, value in NO_FACTS._asdict().items() if value}
    assert usual == {"tells_axes": "image", "results": 1}
