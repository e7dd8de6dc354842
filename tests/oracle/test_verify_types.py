"""Every layer type with rows in tests/cases is built from a Model in real Keras by its calls alone, and agrees."""

from typing import Any

import pytest

from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.oracle.verify import verify
from tests.cases import CASES, Case, Wrapped
from tests.support.keras_oracle import trace_case

pytestmark = pytest.mark.keras

CELLS = frozenset({"SimpleRNNCell", "GRUCell", "LSTMCell", "StackedRNNCells"})
"""Their call takes a list of states, which a row of tests/cases does not say."""

NO_GRAPH = frozenset({"Equalization"})
"""Keras hands a symbolic tensor back as it is, and calls the model that results a cycle: its fault, not a formula's."""


def model_of(case: Case) -> Model:
    """A model of the case's inputs and its layer, as a spec would have it."""
    declaration = find(case.type)
    assert declaration is not None
    dtypes = case.dtypes or ("float32",) * len(case.shapes)
    layers = [
        Layer(f"x{i}", "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": {"int": "int32"}.get(d, d)})
        for i, (shape, d) in enumerate(zip(case.shapes, dtypes, strict=True))
    ]
    refs = tuple(TensorRef(layer.name) for layer in layers)
    calls = [Call(ref.layer, 0, (), {}) for ref in refs]
    kwargs = dict(case.call)
    if declaration.variadic == "initial_state" and len(refs) > 1:
        args: tuple[Any, ...] = (refs[0],)
        kwargs["initial_state"] = list(refs[1:])
    elif declaration.variadic == "initial_state":
        args = refs
    else:
        listed = declaration.variadic is not None or case.type in ("Dot", "Attention", "AdditiveAttention")
        args = (list(refs),) if listed else refs
    layers.append(Layer("tried", case.type, "layer", {name: _inner(value) for name, value in case.config.items()}))
    calls.append(Call("tried", 0, args, kwargs))
    return Model(
        "tried", "Functional", tuple(layers), tuple(calls), refs, (TensorRef("tried"),), format="layer", strict=True
    )


def _inner(value: Any) -> Any:
    if isinstance(value, Wrapped):
        config = {name: _inner(inner) for name, inner in value.config.items()}
        return Layer(str(value.config.get("name") or value.type.lower()), value.type, "layer", config)
    return (
        [_inner(v) for v in value] if isinstance(value, list) and any(isinstance(v, Wrapped) for v in value) else value
    )


def first_rows() -> dict[str, Case]:
    """A row for each type, the first that is not there to be refused."""
    from layerexplain.errors import LayerExplainError

    found: dict[str, Case] = {}
    for case in CASES:
        if case.type not in found and case.type not in CELLS | NO_GRAPH:
            try:
                trace_case(case, fixed=True)
            except LayerExplainError:
                continue
            found[case.type] = case
    return found


ROWS = first_rows()


@pytest.mark.parametrize("type_", sorted(ROWS))
def test_a_type_is_built_and_agrees(type_: str) -> None:
    report = verify(model_of(ROWS[type_]))
    assert [check.status for check in report.layers] == ["agrees"], report.layers
    assert report.whole.status == "agrees"
