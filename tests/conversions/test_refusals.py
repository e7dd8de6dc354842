"""What `convert` does not write: each thing that a form cannot express has one sentence, and nothing is written."""

from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.conversions.config import to_config
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read

ALL = ("py", "yaml", "json")


def layer_config(class_name: str, shape: tuple[int | None, ...] = (None, 7), **config: Any) -> dict[str, Any]:
    """The configuration of a model of one layer, `l`."""
    first = {"class_name": "InputLayer", "config": {"batch_shape": [*shape], "name": "x"}}
    layers = [first, {"class_name": class_name, "config": {"name": "l", **config}}]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}


SHARED = b"inputs: {x: [5, 3], y: [3]}\nlayers:\n  - TimeDistributed: {Dense: 3}\n    name: td\n    from: x\n  - reuse: /td.layer\n    name: d\n    from: y\noutputs: [td, d]\n"
TORCH = b"import torch\nfrom torch import nn\nm = nn.Sequential(nn.Linear(7, 5))\nm(torch.zeros(2, 7))\n"
OWN = b"import keras\nclass A(keras.layers.Layer):\n    def call(self, x): return x * 2\nm = keras.Sequential([keras.Input((3,)), A()])\n"
CONSTRAINT = "<config>: layer 'l': has a constraint, which would mean something else in the layers that replace it"
ROWS: list[tuple[str, Any, tuple[str, ...], str]] = [
    ("code", layer_config("Lambda", function="f"), ALL, "<config>: layer 'l': a Lambda runs custom code, which cannot be converted"),
    ("a class that is gone", layer_config("RandomHeight", (None, 7, 7, 3), factor=0.5), ALL, "<config>: layer 'l': Keras 3 has no layer RandomHeight"),
    ("a constraint", layer_config("Highway", kernel_constraint="max_norm"), ALL, CONSTRAINT),
    ("an old constraint", layer_config("MaxoutDense", output_dim=3, nb_feature=2, W_constraint="maxnorm"), ALL, CONSTRAINT),
    ("an unknown size", layer_config("Highway", (None, None)), ALL, "<config>: layer 'l': is not in Keras 3, and its replacement depends on the input shape, which is (None, None)"),
    ("an own regularizer", layer_config("Dense", units=3, kernel_regularizer={"class_name": "Mine", "config": {}}), ALL, "<config>: layer 'l': kernel_regularizer is Mine, which is not part of Keras"),
    ("an object", layer_config("Dense", units=3, activation={"class_name": "LeakyReLU", "config": {"alpha": 0.3}}), ALL, "<config>: layer 'l': its activation is an object (LeakyReLU), which cannot be converted"),
    ("an own function", layer_config("Dense", units=3, activation="my_own"), ALL, "<config>: layer 'l': its activation is my_own, custom code, which cannot be converted"),
    ("an argument", layer_config("Dense", units=3, colour="red"), ALL, "<config>: layer 'l': Dense has no argument colour in Keras 3, got colour='red'"),
    ("states of no batch", layer_config("LSTM", (None, 5, 3), units=3, stateful=True), ("yaml",), "<config>: layer 'l': LSTM with stateful=True needs a fixed batch size, got None"),
    ("one object", SHARED, ("json",), "<bytes>: layer 'dense': is one object with 'td.layer', which a configuration cannot express: Keras would create two; convert to .keras, .py or .yaml"),
    ("PyTorch", TORCH, ("py", "json"), "<bytes>: its layers are PyTorch's, not Keras's; convert it to .yaml"),
    ("no graph", {"class_name": "Mine", "module": "me", "registered_name": "me>Mine", "config": {"name": "l"}}, ALL, "<config>: a Mine model has no layer graph, so there is nothing to write"),
    ("an own class", OWN, ALL, "<bytes>:4: layer 'a': A is not part of Keras, so no Keras layer can be written for it"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "forms", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_form_cannot_express_raises_one_sentence(
    name: str, source: Any, forms: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    for form in ALL:
        target = tmp_path / f"t.{form}"
        if form not in forms:
            assert api.convert(source, target).form == form and target.exists()
            continue
        with pytest.raises(LayerExplainError) as caught:
            api.convert(source, target)
        assert str(caught.value) == words
        assert not target.exists()


ASKED = [
    ("-", {}, "-: the format to write is unknown: end the target with '.keras', '.py', '.yaml' or '.json', or give --format"),
    ("a.txt", {}, "a.txt: the format to write is unknown: end the target with '.keras', '.py', '.yaml' or '.json', or give --format"),
    ("-", {"to": "keras"}, "a .keras file is not text; name a file"),
    ("-", {"to": "txt"}, "no form 'txt'; the forms are py, yaml, json, keras"),
    ("-", {"to": "py", "backend": "torch"}, "no backend 'torch'; the backends are tensorflow, theano"),
    ("a.py", {"weights": "w.h5"}, "a.py: weights can be written only to a .keras file, got '.py'"),
    ("s.yaml", {}, "s.yaml: already exists; use --overwrite"),
    ("s.yaml", {"force": True}, "s.yaml: is read itself, and would be replaced; give another name"),
    ("b.yaml", {"force": True, "code": ["b.yaml"]}, "b.yaml: is read itself, and would be replaced; give another name"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "asked", "words"), ASKED)
def test_a_target_that_is_refused(
    target: str, asked: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"s.yaml": "input: [7]\nlayers: [{Dense: 3}]\n", "b.yaml": "define: {}\n"}
    for name, text in files.items():
        Path(name).write_text(text)
    with pytest.raises(LayerExplainError) as caught:
        api.convert("s.yaml", target, **asked)
    assert str(caught.value) == words
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("target", "to", "form"),
    [("a.PY", None, "py"), ("a.yml", None, "yaml"), ("a.yaml", None, "yaml"), ("a.json", None, "json"), ("a.txt", "py", "py"), ("a.py", "json", "json")],
)  # fmt: skip
def test_the_form_is_that_of_the_ending_unless_it_is_named(
    target: str, to: str | None, form: str, tmp_path: Path
) -> None:
    found = api.convert(b"input: [7]\nlayers: [{Dense: 3}]\n", tmp_path / target, to=to)
    assert found.form == form
    assert (tmp_path / target).read_text() == found.text == api.convert(b"input: [7]\nlayers: [{Dense: 3}]\n", "-", to=form).text  # fmt: skip


def test_one_object_has_a_number_where_it_is_numbered() -> None:
    model = read(SHARED)
    with pytest.raises(LayerExplainError, match="is one object with"):
        to_config(model)
    first, _, wrapper, dense = to_config(model, numbered=True)["config"]["layers"]
    inner = wrapper["config"]["layer"]
    assert "shared_object_id" not in first and inner["shared_object_id"] == dense["shared_object_id"] == 0
    # Keras makes the wrapper with its layer first, and counts its call: the other call is the second one.
    assert dense["inbound_nodes"][0]["args"][0]["config"]["keras_history"] == ["y", 0, 0]
