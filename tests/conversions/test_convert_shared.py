"""`convert` of models in which one layer, cell or model stands in several places: it stays one in every form.

Keras 3 itself cannot load most of these archives again, since it loses which object is which when it saves them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.attribute_path import LayerNamed
from layerexplain.conversions.code import to_code
from layerexplain.conversions.spec import to_spec
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import SharedObject
from tests.support.converted import configuration
from tests.support.frameworks import keras
from tests.support.shared_models import MODELS, drawn_inputs, filled

UNREADABLE = ("tf_keras", "bidirectional_keeps_a_copy")
"""tf_keras does not store the weights of the layer where it could load them."""

OF_TF_KERAS = ("model_in_a_wrapper_first", "normalization_in_a_wrapper", "siamese", "cell_in_a_stack", UNREADABLE[1])
CASES = [*[("keras", name) for name in MODELS], *[("tf_keras", name) for name in OF_TF_KERAS]]


def outputs(model: Any, given: dict[str, Any]) -> list[Any]:
    made = model(list(given.values()) if len(given) > 1 else next(iter(given.values())), training=False)
    return [np.asarray(one) for one in (made if isinstance(made, list | tuple) else [made])]


@pytest.mark.keras
@pytest.mark.parametrize(("generation", "name"), CASES)
def test_one_object_stays_one(generation: str, name: str, tmp_path: Path) -> None:
    module = pytest.importorskip(generation)
    module.backend.clear_session()
    live = filled(MODELS[name](module))
    source, target, code = tmp_path / "m.keras", tmp_path / "today.keras", tmp_path / "m.py"
    live.save(source)
    model = read(source)

    again = read(to_spec(model).encode())
    assert not again.faults and to_spec(again) == to_spec(model)
    assert len(again.shared) == len(model.shared)
    assert api.diff(model, again).alike
    assert api.explain(again, detail=False).totals.params == live.count_params()

    code.write_text(to_code(model))
    keras.utils.clear_session(free_memory=False)
    space: dict[str, Any] = {}
    exec(compile(code.read_text(), "<code>", "exec"), space)  # our own output
    assert space["model"].count_params() == live.count_params()
    found = api.diff(model, code)
    assert {one.kind for one in found.changes} <= {"renamed"} and found.before.totals == found.after.totals
    assert read(code).grade == "complete"

    if model.shared:
        with pytest.raises(LayerExplainError, match=r"one object with .* convert to .keras, .py or .yaml"):
            api.convert(source, tmp_path / "m.json")
    if (generation, name) == UNREADABLE:
        return
    api.convert(source, target)
    made = keras.models.load_model(target, safe_mode=True)
    assert made.count_params() == live.count_params() == api.explain(target, detail=False).totals.params
    given = drawn_inputs(live)
    for ours, theirs in zip(outputs(made, given), outputs(live, given), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert api.diff(source, target, weights=True).alike
    keras.utils.clear_session(free_memory=False)
    assert configuration(keras.models.load_model(target), names=False) == configuration(made, names=False)


@pytest.mark.keras
def test_a_live_model_and_code_keep_one_object(tmp_path: Path) -> None:
    live = filled(MODELS["layer_in_and_outside"](keras))
    api.convert(live, tmp_path / "live.keras")
    made = keras.models.load_model(tmp_path / "live.keras")
    given = drawn_inputs(live)
    for ours, theirs in zip(outputs(made, given), outputs(live, given), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert made.get_layer("A").get_layer("d") is made.get_layer("d")


SHARED = """inputs: {x: [4, 5], y: [5]}
layers:
  - TimeDistributed: {layer: {type: Dense, name: d, units: 2}}
    name: td
    from: x
  - reuse: %s
    from: y
outputs: [td, d]
"""


def test_a_spec_uses_a_layer_inside_another_again() -> None:
    model = read((SHARED % "/td.layer").encode())
    assert model.shared == (SharedObject((LayerNamed("d"),), ((LayerNamed("td"), "layer"),)),)
    assert api.explain(model, detail=False).totals.params == 12


@pytest.mark.parametrize(("text", "words"), [
    (SHARED % "/td.layers", "`reuse: /td.layers` names no layer before it; did you mean '/td.layer'"),
    (SHARED % "/td/layer", "`reuse: /td/layer` names no layer before it; did you mean '/td.layer'"),
    ("input: [3]\nlayers:\n  - Dense: 3\n  - TimeDistributed: {layer: {reuse: dense}}\n",
     "`reuse: dense` inside a layer needs a path from the top: `reuse: /dense`"),
    ("input: [3, 2]\nlayers:\n  - LSTM: {units: 2, return_sequences: true}\n    name: l\n"
     "  - Bidirectional: {layer: {reuse: /l}}\n", "the wrapper copies this layer"),
    ("input: [3]\nlayers:\n  - Sequential: [{Dense: 3, name: a}]\n    name: s\n  - Dense: 3\n    name: a\n  - reuse: /s/a\n",
     "`reuse: /s/a` adds the name 'a', which another layer here has; rename one"),
])  # fmt: skip
def test_what_cannot_be_used_again(text: str, words: str) -> None:
    with pytest.raises(LayerExplainError, match=words.replace("[", r"\[")):
        read(text.encode())


def test_an_object_that_may_be_one_of_several_is_not_converted() -> None:
    model = read((SHARED % "/td.layer").encode())
    (one,) = model.shared
    unsure = model._replace(shared=(one._replace(same_as=(*one.same_as, (LayerNamed("td"),))),))
    with pytest.raises(LayerExplainError, match=r"is one object with 'td\.layer' or 'td', and the file does not say"):
        to_code(unsure)
