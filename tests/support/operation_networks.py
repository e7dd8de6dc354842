"""The traced network of a file with operations."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerexplain.derive.gist import sentence
from layerexplain.derive.same import same_definition
from layerexplain.frontends import read
from layerexplain.lang import text
from layerexplain.model import TensorRef
from layerexplain.network.recorded_shapes import input_spec
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network
from tests.support.operation_rows import Row
from tests.support.redefined import redefine


def network_of(source: Path, recorded: bool = True) -> Network:
    """The model in a file as one formula; `recorded` that the shapes in the file are right."""
    model = read(str(source))
    layers = {layer.name: layer for layer in model.layers}
    specs = [input_spec(layers[ref.layer]) for ref in model.inputs]
    network = trace_at(model, specs, linked=True)
    assert not network.notes, network.notes
    for made in network.calls:
        for i, spec in enumerate(made.outputs):
            said = model.recorded.get(TensorRef(made.call.layer, made.call.index, i))
            if spec is not None and said is not None and recorded:
                assert fits(plain(spec.shape), said[0]), (made.call.layer, spec.shape, said)
        if made.definition is not None:
            printed = text.program(made.definition)
            if "constant(" not in printed:  # a table of which the text says the shape alone
                again = redefine(made.definition, printed)
                assert same_definition(again, made.definition), printed
                assert text.program(again) == printed
            words = sentence(made.definition)
            assert "None" not in words and "{" not in words, words
    return network


def fits(ours: Sequence[int | None], theirs: Sequence[int | None]) -> bool:
    """Our shape says all that Keras's says; of the first axis we may know less, it may be the batch."""
    if len(ours) != len(theirs):
        return False
    return all(b in (None, a) or (i == 0 and a is None) for i, (a, b) in enumerate(zip(ours, theirs, strict=True)))


def plain(shape: Any) -> tuple[int | None, ...]:
    return tuple(s if isinstance(s, int) else None for s in shape)


BATCH_SIZE = 3


UNKNOWN_SIZE = 7


def drawn(row: Row) -> list[Any]:
    """Inputs for a row: whole numbers from 0 to 5, floats around 0, truth values."""
    rng = np.random.default_rng(zlib.crc32(row.id.encode()))
    values: list[Any] = []
    for shape, dtype in zip(row.shapes, row.input_dtypes, strict=True):
        full = (BATCH_SIZE, *[UNKNOWN_SIZE if s is None else s for s in shape])
        if dtype == "int32":
            values.append(rng.integers(0, 6, full).astype(dtype))
        elif dtype == "bool":
            values.append(rng.random(full) < 0.5)
        else:
            value = rng.uniform(0.1, 2.0, full) if row.positive else rng.normal(0, 1, full)
            values.append(value.astype(dtype))
    return values
