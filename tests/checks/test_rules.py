"""How rules are declared, what they see of stored weights, and which layers they say that they could not look at."""

from typing import Any

import pytest

import layerexplain
from layerexplain.checks.rules import RULES, all_rules
from layerexplain.errors import ShapeError
from tests.support.check_rows import flat


def test_a_layer_that_could_not_be_looked_at_is_named_once() -> None:
    """`after` is called twice on what an unknown layer returns; inside of a model it has its path."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 3]}, "name": "x", "inbound_nodes": []},
        {"class_name": "Foo", "config": {"name": "foo"}, "name": "foo", "inbound_nodes": [[["x", 0, 0, {}]]]},
        {"class_name": "Dense", "config": {"name": "after", "units": 3}, "name": "after",
         "inbound_nodes": [[["foo", 0, 0, {}]], [["after", 0, 0, {}]]]},
    ]  # fmt: skip
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["after", 1, 0]]}
    report = layerexplain.check({"class_name": "Functional", "config": config})
    assert [(note.code, note.layer) for note in report.notes] == [("opaque", "foo"), ("not-derived", "after")]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: str(rule.code))
def test_a_rule_that_is_refused_something_ends_alone(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever rule it is, the others go on: their findings are reported, and a note says what was not checked."""

    def refused(looked_at: object) -> Any:
        raise ShapeError("a kernel needs the number of channels")
        yield

    of = {"data": {"X": (6, 8), "y": (6, 1)}} if rule.of == "data" else {"run": True} if rule.of == "run" else {}
    spec = flat("Dense: {units: 1, activation: softmax}", "Dropout: 1.0", end="loss: mse\n").encode()
    before = layerexplain.check(spec, **of)
    monkeypatch.setitem(
        RULES, rule.code, rule._replace(look=refused, of="network" if rule.of == "weights" else rule.of)
    )
    monkeypatch.setattr("layerexplain.checks.rules.all_rules", lambda: tuple(RULES.values()))
    report = layerexplain.check(spec, **of)
    assert {one.code for one in report} == {one.code for one in before} - {rule.code} != set()
    (note,) = [note for note in report.notes if note.code == "not-checked"]
    assert note.message == f"the rule {rule.code} could not be applied: a kernel needs the number of channels"
