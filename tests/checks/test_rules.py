"""How rules are declared, what they see of stored weights, and which layers they say that they could not look at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import layerexplain
from layerexplain.checks import weight_values
from layerexplain.checks.rules import RULES, all_rules
from layerexplain.checks.weight_values import StoredWeight
from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.network.trace import trace_model
from tests.support.check_rows import flat

np = pytest.importorskip("numpy")


INF, NAN = float("inf"), float("nan")
DIGEST = "a digest"
WEIGHTS: list[tuple[str, Any, tuple[int, int, int, int, str] | None]] = [
    # The name of a weight and its values; how many numbers, how many are not finite, units of zeros, units, the digest.
    ("kernel", np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]]), (6, 0, 1, 3, DIGEST)),
    ("cell/kernel", np.array([[1.0, NAN], [INF, -INF]]), (4, 3, 0, 2, DIGEST)),
    ("kernel", np.zeros((2, 3)), (6, 0, 3, 3, "")),  # all the same
    ("kernel", np.full((2, 3), 7.0), (6, 0, 0, 3, "")),
    ("kernel", np.zeros((2, 2, 3)), (12, 0, 3, 3, "")),
    ("kernel", np.array([1.0, 0.0]), (2, 0, 0, 0, "")),  # of one axis: no units
    ("bias", np.array([0.0, NAN]), (2, 1, 0, 0, "")),
    ("kernel_1", np.array([[1.0, 0.0]]), (2, 0, 0, 0, "")),
    ("kernel", np.array([[1, 0], [2, 0]], "int8"), (4, 0, 1, 2, DIGEST)),
    ("kernel", np.array([[1, 0], [2, 0]], "uint8"), (4, 0, 1, 2, DIGEST)),
    ("kernel", np.array([[True, False]]), None),
    ("kernel", np.array([["a", "b"]]), None),
    ("kernel", np.zeros((0, 3)), None),
]


@pytest.mark.parametrize(("name", "values", "expected"), WEIGHTS)
def test_what_is_looked_at_of_a_stored_weight(name: str, values: Any, expected: Any) -> None:
    found = [*weight_values._described(iter([("dense", name, values)]))]
    assert [one._replace(digest=one.digest and DIGEST) for one in found] == (
        [] if expected is None else [StoredWeight("dense", name, *expected)]
    )


def test_equal_kernels_have_one_digest_and_others_have_others() -> None:
    one, other = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 5.0]])
    arrays = [one, one.copy(), other, one.reshape(1, 4)]
    digests = [one.digest for one in weight_values._described(iter([("a", "kernel", values) for values in arrays]))]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_each_variable_of_a_live_model_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = trace_model(layerexplain.read(flat("Dense: 2", "Dense: 3", "Flatten", shape="[2]").encode()))
    shared = SimpleNamespace(name="shared", values=np.ones((2, 2)))
    bias, more = SimpleNamespace(name="b", values=np.zeros(2)), SimpleNamespace(name="more", values=np.zeros(1))
    layers = {"dense": [shared, bias, more], "dense_1": [shared]}
    live = SimpleNamespace(variables=lambda path, definition: layers["dense" if len(asked) == 1 else "dense_1"])
    asked: list[str] = []

    def weighted(model: Any) -> Any:
        return SimpleNamespace(
            variables=lambda path, definition: asked.append(path) or live.variables(path, definition)
        )

    monkeypatch.setattr("layerexplain.weights.live_weights.LiveWeights", weighted)
    monkeypatch.setattr("layerexplain.weights.live_weights.plain_floats", lambda variable: variable.values)
    found = [(layer, name, values.size) for layer, name, values in weight_values._of_live(None, network)]
    assert found == [("dense", "kernel", 4), ("dense", "bias", 2), ("dense", "more", 1)]


def test_a_source_without_weights_is_refused() -> None:
    with pytest.raises(LayerExplainError, match="stores no weights that --weights could read"):
        layerexplain.check(flat("Dense: 2").encode(), weights=True)


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
