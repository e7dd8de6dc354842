"""Programs as people write them: what the reader says of each equals what real Keras makes by running it: the names,
order, shapes and counts of the layers, what is trained, and the outputs on the same weights."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from layerexplain import api
from layerexplain.frontends.code.reader import read_code
from layerexplain.network.recorded_shapes import model_input, with_input_layers
from layerexplain.network.trace import trace_at
from layerexplain.run.activations import ModelRun
from layerexplain.run.initializers import draw_inputs
from tests.support.paths import TESTS
from tests.support.programs_in_keras import differences, run_programs

PROGRAMS = {
    name.strip(): (trap.strip(), source)
    for path in sorted((TESTS / "data/code").glob("programs*.txt"))
    for name, trap, source in re.findall(r"^### ([^|\n]+)\|([^\n]*)\n(.*?)(?=^### |\Z)", path.read_text(), re.M | re.S)
}
MOST_MACS = 100_000_000
"""Models with more multiplications are compared by their layers alone: NumPy would take seconds."""


@cache
def told(name):
    """The model of a program, its report, and its network where its values are compared."""
    model = read_code(PROGRAMS[name][1].encode(), None, "model")
    report = api.explain(model)
    runs = (report.totals.macs or 0) < MOST_MACS
    return model, report, run_at(with_input_layers(model)) if runs else None


def run_at(model):
    """The network of a model; axes of any size have 12 numbers."""
    specs = [model_input(model, ref) for ref in model.inputs]
    known = [one._replace(shape=tuple(12 if size is None else size for size in one.shape)) for one in specs]
    return trace_at(model, known, linked=True)


def drawn(network):
    """Inputs of a model: two examples, or as many as its code says."""
    first = next(layer for layer in network.model.layers if layer.name == network.model.inputs[0].layer)
    batch = (first.config["batch_shape"] or (None,))[0]
    return draw_inputs(network, np.random.default_rng(11), batch or 2)


@pytest.fixture(scope="module")
def truths(request, tmp_path_factory):
    """What Keras says of the programs that are tested: what they are, their inputs, weights and outputs."""
    folder = tmp_path_factory.mktemp("truth")
    inputs = {}
    tested = [item.callspec.params["name"] for item in request.session.items if item.path == Path(__file__)]
    for name in tested:
        if (network := told(name)[2]) is not None:
            inputs.update({f"{name}/{number}": array for number, array in enumerate(drawn(network))})
    found, values = run_programs(folder, {name: PROGRAMS[name][1] for name in tested}, inputs)
    return found, inputs, values


class KerasWeights:
    """The weights that Keras ran with, by the names that lead to a layer."""

    origin, notes = "of the model", ()

    def __init__(self, name, values):
        self.name, self.values = name, values

    def arrays_of(self, path, definition):
        key = f"{self.name}|{'/'.join(path)}"
        return [self.values[f"{key}|{number}"] for number in range(len(definition.weights))]


@pytest.mark.keras
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_the_reader_says_of_a_program_is_what_keras_makes_of_it(truths, name):
    trap = PROGRAMS[name][0]
    truth = truths[0][name]
    assert "error" not in truth, truth["error"]
    model, report, network = told(name)
    # Keras 3 makes the weights of a class at its first call, and not in build(…): the rows call it afterwards.
    notes = [note.message for note in model.notes if note.code != "built-without-call"]
    assert (model.grade, notes) == ("complete", []), trap
    assert differences(model, report, truth) == [], trap
    has_data = any(layer.type == "Constant" for layer in model.layers)  # whose numbers only running the code tells
    if network is not None and not truth.get("random") and not has_data:
        run = ModelRun(network, KerasWeights(name, truths[2]), 1)
        refused = [
            one.refusal for one in run.run([truths[1][f"{name}/{i}"] for i in range(len(model.inputs))]) if one.refusal
        ]
        assert not refused, trap
        for number, ours in enumerate(run.outputs):
            theirs = truths[2][f"{name}|=|{number}"]
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * max(abs(theirs).max(), 1), err_msg=trap)
