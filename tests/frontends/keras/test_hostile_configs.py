"""Configurations that mean harm: code, names of modules and files, bombs of nesting and of numbers. No Keras needed."""

import base64
import json
import marshal
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.seeds import archive
from tests.support.hostile import both, error, notes, run
from tests.support.hostile_configs import bomb
from tests.support.keras_configs import dense, entry, graph, node, sequence, tensor


def layer(class_name: str, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A layer that takes the input `a`, in a functional model."""
    config = {"name": "x", **(config or {})}
    return graph(
        [
            entry("a", [None, 5], "batch_shape"),
            {"class_name": class_name, "config": config, "name": "x", "inbound_nodes": [node(tensor("a"))], **more},
        ],
        [["a", 0, 0]],
        [["x", 0, 0]],
    )


@pytest.fixture
def harm(tmp_path: Path) -> Path:
    """A folder with a module on Python's path that leaves a trace when it is imported."""
    (tmp_path / "harm.py").write_text(f"open({str(tmp_path / 'done')!r}, 'w').write('harm')\n")
    return tmp_path


CODE = base64.b64encode(marshal.dumps(compile("open('done', 'w')", "x", "eval"))).decode()

CARRIES_CODE = {
    "Lambda of Keras 3": layer("Lambda", {"trainable": True, "function": {
        "class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}}),
    "Lambda of Keras 2.13": layer("Lambda", {"trainable": True, "function": {"class_name": "function", "config": {"code": CODE, "defaults": None}}}),
    "Lambda of Keras 2": layer("Lambda", {"trainable": True, "function": [CODE, None, None], "function_type": "lambda", "module": "harm"}),
    "a mask and an output shape by code": layer("Lambda", {"function": [CODE, None, None], "output_shape": CODE,
                                                           "output_shape_type": "lambda", "mask": CODE,
                                                           "mask_type": "lambda"}),
    "an activation by code": layer("Dense", {"trainable": True, "units": 3, "activation": {"class_name": "__lambda__", "config": {"code": CODE}}}),
    "a Merge by code": sequence({"class_name": "Merge", "config": {"name": "x", "mode": CODE, "mode_type": "lambda"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", CARRIES_CODE)
def test_code_is_never_decoded(name: str, harm: Path) -> None:
    path = harm / "m.keras"
    path.write_bytes(archive(CARRIES_CODE[name]))
    for done in both(path, harm):
        assert done.code == 0
        assert CODE not in done.out
    assert "code-in-file" in notes(done)
    assert not (harm / "done").exists()


NAMES_THINGS = {
    "a module": layer("Thing", {"trainable": True}, module="harm", registered_name="harm>Thing"),
    "os.system": layer("system", {"command": "touch done"}, module="os"),
    "a function of a module": layer("Dense", {"trainable": True, "units": 3, "activation": {
        "module": "harm", "class_name": "function", "config": "run", "registered_name": "run"}}),
    "a loader of Keras": layer("function", {"config": "load_model"}, module="keras.models"),
    "unsafe deserialization": layer("enable_unsafe_deserialization", {}, module="keras.config"),
    "TorchModuleWrapper": layer("TorchModuleWrapper", {"trainable": True, "module": "gASVIAAAAA=="}, module="keras.layers"),
    "TFSMLayer": layer("TFSMLayer", {"trainable": True, "filepath": "secret", "call_endpoint": "serve"}, module="keras.layers"),
    "a vocabulary": layer("StringLookup", {"trainable": True, "vocabulary": "secret"}, module="keras.layers"),
    "a vocabulary from a URL": layer("StringLookup", {"trainable": True, "vocabulary": "http://127.0.0.1:9/x"}, module="keras.layers"),
    "a typespec": layer("Dense", {"trainable": True, "units": 3, "dtype": {
        "class_name": "__typespec__", "spec_name": "harm.Spec", "module": "harm", "spec_shape": [], "config": {}}},
        module="keras.layers"),
    "an initializer": layer("Dense", {"trainable": True, "units": 3, "kernel_initializer": {
        "module": "harm", "class_name": "Init", "config": {}, "registered_name": "Init"}}, module="keras.layers"),
    "a subclassed model": {"module": "harm", "class_name": "Model", "config": {"path": "secret"}, "registered_name": "harm>Model"},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES_THINGS)
def test_names_are_never_imported_called_or_opened(name: str, harm: Path) -> None:
    (harm / "secret").write_text("secret")
    path = harm / "m.json"
    path.write_text(json.dumps(NAMES_THINGS[name]))
    for done in both(path, harm):
        assert done.code == 0
    assert not (harm / "done").exists()


def test_models_that_call_models_cost_what_is_defined_not_what_is_called(tmp_path: Path) -> None:
    """21 levels of 4 calls: 4.4e12 layers for whoever opens each call."""
    path = tmp_path / "bomb.json"
    path.write_text(json.dumps(bomb(21, 4)))
    for done in both(path, tmp_path):
        assert done.code == 0
    report = json.loads(done.out)
    assert report["totals"]["params"] == 20
    assert report["totals"]["macs"] == 16 * 4**21
    done = run("summary", path, "--nested", folder=tmp_path)
    assert len([line for line in done.out.splitlines() if "InputLayer" in line]) == 22


def test_skip_connections_have_more_paths_than_anyone_counts(tmp_path: Path) -> None:
    layers = [entry("d0", [None, 4])]
    for number in range(1, 300):
        before = [[f"d{i}", 0, 0] for i in range(max(0, number - 12), number)] * (2 if number == 1 else 1)
        config = {"name": f"d{number}", "trainable": True}
        layers.append({"class_name": "Add", "config": config, "name": f"d{number}", "inbound_nodes": [before]})
    path = tmp_path / "dense.json"
    path.write_text(json.dumps(graph(layers, ["d0", 0, 0], ["d299", 0, 0])))
    for done in both(path, tmp_path):
        assert done.code == 0


REFUSED = {
    "a circle": (
        graph([entry("a", [None, 4]), dense("p", inbound_nodes=[[["q", 0, 0]]]),
               dense("q", inbound_nodes=[[["p", 0, 0]]])], ["a", 0, 0], ["q", 0, 0]),
        "the calls form a cycle",
    ),
    "a layer that takes itself": (graph([dense("p", inbound_nodes=[[["p", 0, 0]]])], [], ["p", 0, 0]), "depends on its own output"),
    "a call that there is not": (
        graph([entry("a", [None, 4]), dense("p", inbound_nodes=[[["a", 10**9, 0]], [["a", 3, 0]]])],
              ["a", 0, 0], ["p", 0, 0]), "call 1000000000 of it is used, but the file lists only 1"),
    "a shape with a million axes": (sequence(entry("a", [None] * 10**6), dense("d")), "has 1,000,000 axes; at most 64 are read"),
    "a size that is no size": (sequence(entry("a", [None, 3 * 10**18]), dense("d")), "a list of sizes is needed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str, tmp_path: Path) -> None:
    document, words = REFUSED[name]
    path = tmp_path / "m.json"
    path.write_text(json.dumps(document))
    assert words in error(run("summary", path, folder=tmp_path))


TEXTS = {
    "deep": ("[" * 10**6, "nest"),
    "deep models": ('{"class_name": "Sequential", "config": [' * 3000 + "]}" * 3000, "nested too deeply"),
    "a huge integer": ('{"class_name": "Sequential", "config": [%s]}' % ("9" * 10**6), "an integer has 1,000,000"),
    "half a character": ('{"class_name": "\\ud800", "config": {}}', "half a character"),
    "control characters": ('{"class_name": "a\x1b[2J", "config": {}}', "is not valid JSON"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_bombs(name: str, tmp_path: Path) -> None:
    text, words = TEXTS[name]
    path = tmp_path / "m.json"
    path.write_text(text)
    assert words in error(run("summary", path, folder=tmp_path))


HUGE: dict[str, dict[str, Any]] = {
    "units": dense("x", 10**18),
    "a kernel": {"class_name": "Conv1D", "config": {"name": "x", "trainable": True, "filters": 10**9, "kernel_size": 10**9, "padding": "same"}},
    "a pool": {"class_name": "MaxPooling1D", "config": {"name": "x", "trainable": True, "pool_size": 10**9, "padding": "same"}},
    "heads": {"class_name": "MultiHeadAttention", "config": {"name": "x", "trainable": True, "num_heads": 10**9, "key_dim": 10**9}},
    "a list of a million": {"class_name": "Reshape", "config": {"name": "x", "trainable": True, "target_shape": [1] * 10**6}},
    "parts": {"module": "keras.src.ops.numpy", "class_name": "Split", "config": {"name": "x", "indices_or_sections": 10**9}},
    "an infinity": dense("x", 10**400),
    "a float": dense("x", 1e300),  # type: ignore[arg-type]
    "no number": dense("x", float("nan")),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_huge_arguments(name: str, tmp_path: Path) -> None:
    item = {**HUGE[name], "name": "x", "inbound_nodes": [node(tensor("a"))]}
    path = tmp_path / "m.json"
    layers = [entry("a", [None, 50, 8], "batch_shape"), item]
    path.write_text(json.dumps(graph(layers, [["a", 0, 0]], [["x", 0, 0]]), allow_nan=True))
    for done in both(path, tmp_path):
        assert done.code == 0 or len(done.err) < 500


SPECS = {
    "a tag that runs code": ("input: !!python/object/apply:os.system ['touch done']\nlayers: [Flatten]\n",
                             "the tag !!python/object/apply:os.system is refused"),
    "a billion laughs": ("a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)), "more than 500,000 values"),
    "an alias to itself": ("layers: &a [*a]\n", "refers to a value that contains it"),
    "deep": ("layers: " + "[" * 10**5, "nest"),
    "repeat": ("input: [3]\nlayers:\n  - Dense: 3\n    repeat: 1000000000\n", "more than 100,000 layers"),
    "nested repeats": ("input: [3]\nlayers:\n  - Sequential: [{Sequential: [{Dense: 3, repeat: 1000}], repeat: 1000}]\n"
                       "    repeat: 1000\n", "more than 100,000 layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_specs_that_mean_harm(name: str, tmp_path: Path) -> None:
    text, words = SPECS[name]
    path = tmp_path / "m.yaml"
    path.write_text(text)
    done = run("summary", path, folder=tmp_path)
    assert done.code == 1 and words in done.err
    assert not (tmp_path / "done").exists()
