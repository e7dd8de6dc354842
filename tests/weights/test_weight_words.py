"""What is said of weights that are shared, that a file lacks, or that do not fit; on small files written here."""

import pytest

from layerexplain.attribute_path import LayerNamed, Steps
from layerexplain.frontends import read
from layerexplain.frontends.keras.weight_files import open_weights
from layerexplain.model import SharedObject
from layerexplain.network.trace import trace_model
from layerexplain.report import build
from layerexplain.weights.match import match
from layerexplain.weights.matched import missing_note
from tests.support.h5_files import array, classes, h5_bytes, legacy

DENSE = "input: [3]\nlayers:\n  - Dense: 2\n    name: d\n"


def notes(spec: str, data: bytes) -> list[tuple[str, str]]:
    """What matching a file with a spec has to say."""
    with open_weights(data) as stored:
        assert stored is not None
        return [(note.code, note.message) for note in match(trace_model(read(spec.encode())), stored).notes]


SIX = "(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)"


@pytest.mark.parametrize("count", [6, 7])
def test_no_more_than_six_arrays_are_listed(count: int) -> None:
    arrays = {f"d/w{i}:0": array(i, 1) for i in range(1, count + 1)}
    said = dict(notes(DENSE, h5_bytes(legacy({"d": arrays}))))["weight-count"]
    assert said == (
        f"the file stores {count} arrays ({SIX}), which do not fit the 2 weights of its formula ((3, 2), (2,))"
    )


def test_a_file_that_stores_nothing_of_a_layer_lacks_its_weights() -> None:
    spec = f"{DENSE}  - Dense: 4\n    name: e\n"
    data = h5_bytes(classes({"layers/dense": [array(3, 2), array(2)]}))
    assert notes(spec, data) == [("weight-missing", "the file does not store kernel, bias")]


@pytest.mark.parametrize(("count", "said"), [(6, "a0, a1, a2, a3, a4, a5"), (7, "a0, a1, a2, a3, a4, a5, …")])
def test_no_more_than_six_missing_weights_are_listed(count: int, said: str) -> None:
    assert missing_note("d", [f"a{i}" for i in range(count)]).message == f"the file does not store {said}"


ATTENTION = "input: [4, 6]\nlayers:\n  - Dense: 6\n    name: d\n  - MultiHeadAttention: {num_heads: 1, key_dim: 6}\n" \
    "    name: a\n    from: [d, d]\n  - Dense: 6\n    name: e\n  - Dense: 6\n    name: f\n"  # fmt: skip
A, D, E, F = (LayerNamed(name) for name in "adef")


@pytest.mark.parametrize(
    ("shared", "layer", "said", "params"),
    [
        ([((E,), [(D,)])], "e", "its weights are those of 'd', counted there", 42 * 6),
        ([((E,), [(D,)]), ((F,), [(E,)])], "f", "its weights are those of 'd', counted there", 42 * 5),
        ([((A, "key_dense"), [(A, "query_dense")])], "a", "2 of its 8 weights are duplicates of its other weights, counted once", 42 * 6),
        ([((F,), [(D,), (E,)])], "f", "its weights are those of 'd' and 'e', counted there; the file does not say which", 42 * 6),
    ],
)  # fmt: skip
def test_weights_that_are_those_of_another(
    shared: list[tuple[Steps, list[Steps]]], layer: str, said: str, params: int
) -> None:
    model = read(ATTENTION.encode())._replace(shared=tuple(SharedObject(at, tuple(same)) for at, same in shared))
    report = build(model)
    assert [note.message for note in report.notes if note.layer == layer] == [said]
    assert report.totals.params == params
