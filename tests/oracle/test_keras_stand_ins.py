"""Which model of Keras a source has, with stand-ins for it: loaded, rebuilt or live, with which weights."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.oracle import keras_files, keras_model
from layerexplain.oracle.keras_files import KerasRefuses

NETWORK = trace_at(read(b"input: [4]\nlayers:\n  - Dense: 3\n"), linked=True)

# Which model of a source --------------------------------------------------------------------------------------------

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n"


class Real:
    """A model of Keras."""


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A stand-in for Keras; the list says what was built or loaded."""
    done: list[Any] = []
    found = SimpleNamespace(__version__="3.9", Model=Real, backend=SimpleNamespace(backend=lambda: "numpy"))
    monkeypatch.setattr(keras_model, "load_keras", lambda: found)

    def doing(what: str) -> Any:
        return lambda *given: (done.append((what, *given)), what)[1]

    for name in ("to_keras", "keras_model_of_config", "keras_model_of_file"):
        monkeypatch.setattr(keras_model, name, doing(name))
    return done


def test_the_version_and_the_backend_are_named(keras: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = keras_model.KerasModel(None, "drawn")
    assert (found.version, found.backend, found.weights, found.notes) == ("3.9", f"numpy {np.__version__}", "drawn", ())
    monkeypatch.setattr(keras_model.sys, "modules", {})
    assert keras_model.KerasModel(None, "drawn").backend == "numpy"


CONFIG = b'{"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [null, 3]}}]}}'


@pytest.mark.parametrize(
    ("source", "format_", "done", "weights"),
    [
        (SPEC, "yaml-spec", "to_keras", "drawn"),
        (SPEC, "code", "to_keras", "drawn"),
        ({"class_name": "Sequential"}, "config-json", "keras_model_of_config", "drawn"),
        (CONFIG, "config-json", "keras_model_of_file", "drawn"),
        (b"archive", "keras-archive", "keras_model_of_file", "of the model"),
        (bytearray(b"archive"), "keras-archive", "keras_model_of_file", "of the model"),
        ("m.h5", "h5", "keras_model_of_file", "of the model"),
    ],
)
def test_a_source_is_loaded_or_built(keras: list[Any], source: Any, format_: str, done: str, weights: str) -> None:
    model = read(SPEC)._replace(format=format_)
    found = keras_model.loaded(source, model)
    ((what, *given),) = keras
    assert (what, found.weights, found.real) == (done, weights, done)
    content = bytes(source) if isinstance(source, bytearray) else source
    assert given == ([model] if done == "to_keras" else [content] if "config" in done else [content, model])


def test_a_model_is_built_anew_or_loaded_where_it_was_read(keras: list[Any]) -> None:
    model = read(SPEC)
    assert keras_model.loaded(model, model).real == "to_keras"
    there = model._replace(source="m.h5", format="h5")
    keras.clear()
    keras_model.loaded(there, there)
    ((what, *given),) = keras
    assert what in ("to_keras", "keras_model_of_file") and given[-1] is there


def test_a_live_model_is_taken_as_it_is(keras: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_model, "is_live_model", lambda source: True)
    real = Real()
    found = keras_model.loaded(real, read(SPEC))
    assert (found.real, found.weights, keras) == (real, "of the model", [])
    with pytest.raises(LayerExplainError) as refused:
        keras_model.loaded(SimpleNamespace(), read(SPEC))
    assert refused.value.fact == "a SimpleNamespace of types is not a Keras 3 model"


def test_code_outside_keras_is_not_built(keras: list[Any]) -> None:
    model = read(SPEC)
    layers = tuple(one._replace(kind="custom") if one.type == "Dense" else one for one in model.layers)
    with pytest.raises(LayerExplainError, match="is a Dense, which is not part of Keras; nothing was loaded"):
        keras_model.loaded(SPEC, model._replace(layers=layers))
    assert keras == []


class Weights:
    def __init__(self, origin: str) -> None:
        self.origin = origin


@pytest.mark.parametrize(
    ("origin", "weights", "words"),
    [("of the file", "of the model", "the file's weights"), ("drawn", "drawn", "drawn weights")],
)
def test_what_keras_does_not_load_is_rebuilt(
    keras: list[Any], monkeypatch: pytest.MonkeyPatch, origin: str, weights: str, words: str
) -> None:
    refusal = KerasRefuses("Keras refuses it: no such class. More of it.")
    refusal.old = True

    def refuse(source: Any, model: Any) -> Any:
        raise refusal

    assigned: list[Any] = []

    @contextmanager
    def source(given: Any, network: Any, seed: int) -> Any:
        assert (given, network, seed) == ("m.h5", NETWORK, 0)
        yield Weights(origin)

    monkeypatch.setattr(keras_model, "loaded", refuse)
    monkeypatch.setattr(keras_model, "weight_source", source)
    monkeypatch.setattr(keras_model.KerasModel, "assign", lambda self, *given: assigned.append((self.real, *given)))
    model = read(SPEC)
    found = keras_model.loaded_or_rebuilt("m.h5", model, NETWORK)
    assert (found.real, found.weights, len(assigned)) == ("to_keras", weights, int(origin == "of the file"))
    (note,) = found.notes
    assert (note.code, note.layer) == ("made-anew", None)
    assert note.message == (
        f"Keras 3.9 does not load this file, so its layers were rebuilt in Keras with {words}. "
        "Keras's error: no such class. More of it."
    )

    def fail(model: Any) -> Any:
        raise LayerExplainError("has no class", layer="d")

    monkeypatch.setattr(keras_model, "to_keras", fail)
    with pytest.raises(KerasRefuses) as refused:
        keras_model.loaded_or_rebuilt("m.h5", model, NETWORK)
    words = "Keras refuses it: no such class; its layers cannot be rebuilt either: layer 'd': has no class"
    assert refused.value.fact == words
    for other, old in (({"class_name": "Sequential"}, True), ("m.h5", False)):
        refusal.old = old
        with pytest.raises(KerasRefuses, match=r"More of it\.$"):
            keras_model.loaded_or_rebuilt(other, model, NETWORK)


@pytest.mark.parametrize(
    ("functional", "shape", "built"),
    [(None, (None, 4), [(None, 4)]), (None, (3, 4, 5), [(None, 4, 5)]), (None, None, [None]), ("a graph", (3, 4), [])],
)
def test_a_model_without_a_graph_is_built_at_its_input(
    keras: list[Any], functional: Any, shape: Any, built: list[Any]
) -> None:
    done: list[Any] = []
    real = SimpleNamespace(_functional=functional, build=done.append)
    keras_model.KerasModel(real, "drawn").build(lambda: shape)
    assert done == built
    keras_model.KerasModel(SimpleNamespace(), "drawn").build(lambda: shape)


class Variable:
    def __init__(self, name: str, array: Any) -> None:
        self.path, self.array = name, np.asarray(array)
        self.shape, self.dtype = self.array.shape, self.array.dtype

    def assign(self, value: Any) -> None:
        self.array = np.asarray(value)


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("restored", [True, False])
@pytest.mark.parametrize("own", ["drawn", "of the model"])
def test_weights_are_drawn_and_given_back(
    keras: list[Any], monkeypatch: pytest.MonkeyPatch, drawn: bool, restored: bool, own: Any
) -> None:
    kernel, count, state = Variable("d/kernel", np.zeros((3, 2))), Variable("n", np.int64([7])), Variable("s", [1.0])
    real = SimpleNamespace(weights=[kernel, count], _flatten_layers=list)
    monkeypatch.setattr(keras_model, "as_array", lambda variable: variable.array)
    monkeypatch.setattr(keras_model, "states_of", lambda model: [state])
    with keras_model.KerasModel(real, own).with_weights(13, drawn=drawn, restored=restored) as found:
        is_drawn = drawn or own == "drawn"
        assert found.weights == ("drawn" if is_drawn else "of the model") and found.real is real
        assert bool(kernel.array.any()) is is_drawn and count.array.tolist() == [7]
        found.set_states(3)
        assert -1 < state.array[0] < 1 and state.array[0] != 0
        state.assign([5.0])
    assert bool(kernel.array.any()) is (is_drawn and not restored)
    assert state.array.tolist() == ([1.0] if restored else [5.0])
    keras_model.KerasModel(real, own).set_states(None)
    assert state.array.tolist() == [0.0]


def test_layers_that_compute_with_copies_take_new_weights(keras: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def layer(type_: str, name: str, built: bool) -> Any:
        return type(type_, (), {"built": built, "finalize_state": lambda self: done.append(name)})()

    layers = [layer("Normalization", "a", True), layer("Normalization", "b", False), layer("Dense", "c", True)]
    keras_model.draw_weights(SimpleNamespace(weights=[], _flatten_layers=lambda: layers), None)
    assert done == ["a"]


@pytest.mark.parametrize(
    ("shape", "words"), [((4, 3), ""), ((3, 4), "the file's weights have the shapes [(3, 4)], Keras's [(4, 3)]")]
)
def test_weights_of_a_file_are_assigned_where_shapes_agree(
    keras: list[Any], monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], words: str
) -> None:
    variable = Variable("d/kernel", np.zeros((4, 3)))
    layer = SimpleNamespace(path=("d",), where="d")
    monkeypatch.setattr(keras_model.KerasModel, "variables", lambda self, network: [(layer, "definition", [variable])])
    source: Any = SimpleNamespace(arrays_of=lambda path, definition: [np.ones(shape)] if path == ("d",) else [])
    real = keras_model.KerasModel(SimpleNamespace(_flatten_layers=list), "drawn")
    if not words:
        real.assign(NETWORK, source)
        assert variable.array.all()
        return
    with pytest.raises(LayerExplainError) as found:
        real.assign(NETWORK, source)
    assert (found.value.fact, found.value.layer) == (words, "d")


def test_a_model_that_was_run_is_opened_with_its_weights(keras: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assigned: list[Any] = []
    real = SimpleNamespace(assign=lambda *given: assigned.append(given))
    monkeypatch.setattr(keras_model, "loaded", lambda source, model: real)
    for origin, count in (("drawn", 1), ("of the file", 0)):
        assigned.clear()
        weights = Weights(origin)
        running: Any = SimpleNamespace(activations=SimpleNamespace(weights=weights, network=NETWORK), model="a model")
        with keras_model.same_model("source", running) as found:
            assert found is real
        assert assigned == [(NETWORK, weights)] * count
    with pytest.raises(LayerExplainError, match=r"^no room$"), keras_model.same_model("source", running):
        raise ValueError("no room\nat all")
    with pytest.raises(LayerExplainError, match=r"^as it is$"), keras_model.same_model("source", running):
        raise LayerExplainError("as it is")


def test_a_count_that_keras_does_not_give_is_none(keras: list[Any]) -> None:
    def fail() -> int:
        raise ValueError

    assert keras_model.KerasModel(SimpleNamespace(count_params=lambda: np.int64(5)), "drawn").count_params() == 5
    assert keras_model.KerasModel(SimpleNamespace(count_params=fail), "drawn").count_params() is None


# Files --------------------------------------------------------------------------------------------------------------


def test_a_file_gets_the_ending_that_keras_needs(tmp_path: Any) -> None:
    plain = tmp_path / "model"
    plain.write_bytes(b"content")
    for source, is_itself in ((b"content", False), (plain, False), (str(plain), False), (tmp_path, True)):
        with keras_files._named(source, ".keras") as path:
            if is_itself:
                assert path == str(tmp_path)
                continue
            assert path.endswith("model.keras")
            with open(path, "rb") as file:
                assert file.read() == b"content"
    with keras_files._named(plain.rename(tmp_path / "a.keras"), ".keras") as path:
        assert path == str(tmp_path / "a.keras")


def test_keras_errors_are_refusals() -> None:
    with pytest.raises(KerasRefuses) as found, keras_files._words_of_keras():
        raise ValueError("no room\nat all")
    assert found.value.fact == "Keras refuses it: no room" and not found.value.old
    with pytest.raises(LayerExplainError, match="as it is") as kept, keras_files._words_of_keras():
        raise LayerExplainError("as it is")
    assert not isinstance(kept.value, KerasRefuses)


@pytest.mark.parametrize("format_", ["saved-model", "yaml-spec", "weights"])
def test_a_format_that_keras_does_not_load(format_: str) -> None:
    model = read(SPEC)._replace(format=format_)
    words = f"Keras 3 does not load a model from a {format_}; save it as .keras"
    with pytest.raises(KerasRefuses) as found:
        keras_files.keras_model_of_file(b"", model)
    assert (found.value.fact, found.value.old) == (words, True)
    with pytest.raises(KerasRefuses) as found:
        keras_files.keras_model_of_own_file(b"", model, {})
    assert (found.value.fact, found.value.old) == (words, False)


@pytest.mark.parametrize(
    ("version", "shared", "old"),
    [(None, False, True), ("2.9.0", False, True), ("3.1.0", False, False), ("3.1.0", True, True)],
)
def test_layers_of_an_old_file_may_still_be_rebuilt(
    monkeypatch: pytest.MonkeyPatch, version: str | None, shared: bool, old: bool
) -> None:
    def refuse(document: Any) -> Any:
        raise KerasRefuses("no")

    monkeypatch.setattr(keras_files, "keras_model_of_config", refuse)
    model: Any = read(SPEC)._replace(format="config-json", keras_version=version, shared=("one",) if shared else ())
    with pytest.raises(KerasRefuses) as found:
        keras_files.keras_model_of_file(CONFIG, model)
    assert found.value.old is old


@pytest.mark.parametrize("code", ["external-link", "soft-link", "virtual-dataset", "other"])
def test_weights_in_other_files_are_not_followed(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    @contextmanager
    def stored(source: Any) -> Any:
        yield None if source is None else SimpleNamespace(notes=[SimpleNamespace(code=code, message="'w' is a link")])

    monkeypatch.setattr(keras_files, "open_weights", stored)
    keras_files._values_in_the_file_itself(None)  # type: ignore[arg-type]
    if code == "other":
        keras_files._values_in_the_file_itself(b"")
        return
    with pytest.raises(LayerExplainError) as found:
        keras_files._values_in_the_file_itself(b"")
    assert found.value.fact == "'w' is a link; nothing was loaded"
