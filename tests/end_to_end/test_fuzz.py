"""Mutated files, configurations and arguments, with fixed seeds: refused with an error of ours, or explained.

`LAYEREXPLAIN_FUZZ=100000 pytest tests/end_to_end/test_fuzz.py` tries so many models of the grammar, and more of the other kinds;
`python -m tests.fuzz --mutations N` runs by hand.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from layerexplain.errors import LayerExplainError
from layerexplain.render.formats import GRAPH_FORMATS
from tests.fuzz.attempt import attempt, explain
from tests.fuzz.mutations import KINDS, NAMES, SCALARS
from tests.support.tries import MUTATIONS, tries

pytestmark = pytest.mark.slow

COUNTS = {kind: tries(few=240, many=2000) for kind in KINDS} | {
    "grammar": MUTATIONS,
    "code": tries(few=24, many=240),  # a program takes as long as many files
}
PARTS = {kind: tries(few=2, many=20 if kind == "grammar" else 4) for kind in KINDS}
"""Tests of a kind, which the processes of pytest share."""


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind in KINDS for part in range(PARTS[kind])])
def test_mutations(kind: str, part: int) -> None:
    if kind == "bytes":
        pytest.importorskip("h5py")
    share = -(-COUNTS[kind] // PARTS[kind])
    failures = [attempt(kind, number) for number in range(part * share, (part + 1) * share)]
    found = [failure for failure in failures if failure is not None]
    assert not found, "\n".join(f"{f.kind} {f.number}: {f.what}\n    {f.where}" for f in found[:10])


FOUND = {
    "bytes": (383, 439),
    "grammar": (
        592,
        80000118,
        80004946,
        9476,
        500308,
        502422,
        7021028,
        7021062,
        7027732,
        7031892,
        7032320,
        5038427,
        26018,
        5594938,
        5634082,
        5704383,
        5840113,
        5872530,
    ),
    "structure": (7372, 8952, 9146, 10404, 11826, 60000340, 60005972),
}


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind in FOUND for number in FOUND[kind]])
def test_what_longer_runs_found(kind: str, number: int) -> None:
    assert attempt(kind, number, every_format=True) is None


names = st.sampled_from(NAMES)
values = st.recursive(
    st.sampled_from(SCALARS) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
triples = st.tuples(st.sampled_from(["a", "b", "c", "m", "zz"]), st.integers(-1, 3), st.integers(-1, 2)).map(list)
histories = triples.map(
    lambda triple: {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "dtype": "float32",
                                                                 "keras_history": triple}}
)  # fmt: skip
nodes = st.one_of(
    st.lists(triples, max_size=3),
    st.lists(triples.map(lambda triple: [*triple, {"axis": -1, "y": ["a", 0, 0]}]), max_size=2),
    st.fixed_dictionaries(
        {"args": st.lists(histories | values, max_size=3), "kwargs": st.dictionaries(names, values, max_size=2)}
    ),
    values,
)
classes = st.sampled_from(
    [
        "Dense",
        "LSTM",
        "Concatenate",
        "Add",
        "Reshape",
        "Conv1D",
        "Merge",
        "InputLayer",
        "Bidirectional",
        "Lambda",
        "Own",
    ]
)
configs = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c", "m"])},
    optional={
        "units": st.integers(-1, 5) | values,
        "trainable": st.booleans() | values,
        "batch_shape": st.just([None, 4]) | values,
        "target_shape": st.lists(st.integers(-2, 9), max_size=3) | values,
        "layer": st.just({"class_name": "Dense", "config": {"name": "i", "units": 2}}) | values,
        "dtype": values,
        "mode": st.sampled_from(["concat", "sum", "dot"]) | values,
    },
)
items = st.fixed_dictionaries(
    {"class_name": classes, "config": configs | values, "name": st.sampled_from(["a", "b", "c", "m"])},
    optional={"inbound_nodes": st.lists(nodes, max_size=3) | values, "build_config": values, "module": values},
)


def functional(layers: list[Any], inputs: Any, outputs: Any) -> dict[str, Any]:
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config, "name": "m"}


entry = st.just({"class_name": "InputLayer", "name": "a", "config": {"name": "a", "batch_shape": [None, 4]}})
ends = st.lists(triples, min_size=1, max_size=2) | triples
models = st.builds(functional, st.lists(items | entry, max_size=5), ends, ends)
nested = st.builds(functional, st.lists(models | items | entry, max_size=4), ends, ends)
sequences = st.lists(items | models, max_size=4).map(lambda layers: {"class_name": "Sequential", "config": layers})


@seed(4)
@settings(
    max_examples=tries(few=200, many=2000),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(models | nested | sequences | values, st.sampled_from(GRAPH_FORMATS))
def test_structures(document: Any, format_: str) -> None:
    try:
        explain(document, detail=True, formats=("table", format_))
    except LayerExplainError as error:
        assert str(error)
