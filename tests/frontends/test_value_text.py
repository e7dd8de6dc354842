"""Values of configurations as text, each form once and at its bounds."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.frontends.value_text import arguments_text, kind_of_value, short_text, value_text
from layerexplain.model import ForeignFunction, Layer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (2.5, "2.5"),
        (None, "None"),
        ("relu", "'relu'"),
        ("a" * 38, f"'{'a' * 38}'"),
        ("a" * 39, f"'{'a' * 38}…"),
        ([], "[]"),
        ([1, "a"], "[1, 'a']"),
        ((1, 2), "[1, 2]"),
        (list(range(8)), "[0, 1, 2, 3, 4, 5, 6, 7]"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        ([[], [1], (2, 3)], "[[], […], […]]"),
        ({}, "{}"),
        ({"a": 1}, "{…}"),
        ({"class_name": 3}, "{…}"),
        ({"class_name": "L2"}, "L2()"),
        ({"class_name": "L2", "config": {}}, "L2()"),
        ({"class_name": "L2", "config": {"l2": 0.1}}, "L2(…)"),
        ({"class_name": "c" * 41}, f"{'c' * 40}()"),
        (Layer("d", "Dense", "layer", {}), "Dense(…)"),
        (ForeignFunction("f" * 41), "f" * 40),
    ],
)
def test_a_value_is_shown_as_it_is_or_shortened(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (None, ""),
        ([1], ""),
        ({}, ""),
        ({"units": 3, "activation": "relu"}, "units=3, activation='relu'"),
        ({"units": 3, "bias": None}, "units=3"),
        (
            {"name": "a", "trainable": True, "dtype": "float16", "layers": [], "variables": [], "group": 1, "k": 2},
            "k=2",
        ),
        ({"k" * 41: 1}, f"{'k' * 40}=1"),
        ({7: 1}, "7=1"),
        ({f"a{i}": i for i in range(24)}, ", ".join(f"a{i}={i}" for i in range(24))),
        ({f"a{i}": i for i in range(25)}, ", ".join(f"a{i}={i}" for i in range(24)) + ", …"),
    ],
)
def test_arguments_are_shown_without_those_that_say_nothing(config: Any, text: str) -> None:
    assert arguments_text(config) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("x", "the text 'x'"),
        (3, "the number 3"),
        (2.5, "the number 2.5"),
        ([1], "a list"),
        ((), "a list"),
        ({}, "an object"),
        ({1}, "a set"),
    ],
)
def test_the_kind_of_a_value(value: Any, words: str) -> None:
    assert kind_of_value(value) == words


def test_a_short_text_has_at_most_60_letters() -> None:
    assert short_text("a" * 58) == repr("a" * 58)
    assert short_text("a" * 59) == "'" + "a" * 56 + "…"
