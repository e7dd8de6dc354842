"""Inputs that are drawn fit the layers that read them, and weights are read once."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network
from layerexplain.run.initializers import draw_inputs, wish_of


def linked(layers: str, shape: str = "[4]") -> Network:
    return trace_at(read(f"input: {shape}\nlayers:\n{layers}".encode()), linked=True)


@pytest.mark.parametrize(
    ("layers", "ids"),
    [
        ("  - Dense: 3\n", None),
        ("  - Embedding: {input_dim: 1, output_dim: 2}\n", 1),
        ("  - Embedding: {input_dim: 2, output_dim: 2}\n", 2),
        ("  - Reshape: {target_shape: [2, 2]}\n  - Embedding: {input_dim: 7, output_dim: 2}\n", 7),
        ("  - Sequential: [{Embedding: {input_dim: 5, output_dim: 2}}]\n", 5),
        ("  - Sequential: [Flatten]\n  - Embedding: {input_dim: 5, output_dim: 2}\n", 5),
        ("  - Sequential: [{Sequential: [Flatten]}]\n  - Embedding: {input_dim: 5, output_dim: 2}\n", 5),
        (
            "  - Sequential: [Flatten]\n    name: flat\n  - Sequential: [{Embedding: {input_dim: 9, output_dim: 2}}]\n"
            "  - reuse: flat\n    from: input\n  - Embedding: {input_dim: 6, output_dim: 2}\n",
            6,
        ),
        (  # ids of the table behind are what argmax gives, not what comes in
            "  - Sequential: [{Embedding: {input_dim: 8, output_dim: 3}}, {ops.Argmax: {axis: -1}}]\n"
            "  - Embedding: {input_dim: 3, output_dim: 2}\n",
            8,
        ),
    ],
)
def test_ids_are_below_the_bound_of_the_layers_behind(layers: str, ids: int | None) -> None:
    network = linked(layers)
    assert wish_of(network, network.model.inputs[0]).ids == ids
    (drawn,) = draw_inputs(network, np.random.default_rng(1), 50)
    if ids is not None:
        assert set(np.unique(drawn)) == set(range(min(1, ids - 1), ids))


def test_masked_steps_are_never_the_first_and_one_is_the_last() -> None:
    # The first step is not masked: a recurrent layer would begin with nothing, and attention see nothing.
    ids = linked("  - Embedding: {input_dim: 9, output_dim: 2, mask_zero: true}\n", "[6]")
    values = linked("  - Masking: 7\n", "[6, 2]")
    (of_ids,) = draw_inputs(ids, np.random.default_rng(2), 90)
    (of_values,) = draw_inputs(values, np.random.default_rng(2), 90)
    for masked in (of_ids == 0, (of_values == 7).all(axis=-1)):
        assert masked.shape == (90, 6) and masked[0, -1]
        assert [bool(step.any()) for step in masked.T] == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("numbers", "words"), [(40, ""), (8, "ends after 32 of 160 bytes of data"), (7, "declares 160 bytes of data")]
)
def test_a_file_of_numbers_that_ends_early(numbers: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((1, 40), "float32"))
    header = file.stat().st_size - 160
    assert header == 128  # so that 8 numbers of 4 bytes make a file as large as the numbers that it declares
    file.write_bytes(file.read_bytes()[: header + 4 * numbers])
    model = read(b"input: [40]\nlayers:\n  - Dense: 3\n")
    with pytest.raises(LayerExplainError, match=words) if words else nullcontext():
        api.make_inputs(model, [str(file)])
