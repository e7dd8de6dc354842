"""Parts of the comparison with Keras, and of runs, one by one: what stands in for Keras here answers at once."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import TensorRef
from layerexplain.network.trace import trace_at
from layerexplain.oracle import keras_faults, keras_files, keras_import, keras_model, verify
from layerexplain.oracle.one_element import asked
from layerexplain.oracle.verify_report import Compared, LayerCheck, StepCheck, ValuesCheck, VerifyReport
from layerexplain.run.drawn import Wish, wish_of
from layerexplain.run.gradient_report import ReachedRow, Size, WeightRow
from layerexplain.run.gradient_words import gradient_words
from layerexplain.run.made_targets import drawn_targets
from layerexplain.run.objective import Penalties
from layerexplain.sources.names import Remote

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n  - Dense: 2\n"


def of_version(version: str) -> ModuleType:
    """A module in place of Keras."""
    found = ModuleType("keras")
    found.__dict__.update(__version__=version, ops=SimpleNamespace(zeros=lambda shape: None))
    return found


def test_keras_that_is_imported_already_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = of_version("3.9.0")
    del mine.__dict__["ops"]  # nothing is computed on it
    monkeypatch.setitem(sys.modules, "keras", mine)
    assert keras_import.load_keras() is mine


def test_keras_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", of_version("2.15.0"))
    with pytest.raises(
        LayerExplainError, match=r"^Keras 3 is required, found version 2\.15\.0: pip install tensorflow$"
    ):
        keras_import.load_keras()


@pytest.mark.parametrize(("before", "after"), [(None, "0"), ("1", "1")])
def test_keras_runs_on_plain_kernels_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(keras_import, "_imported", lambda: of_version("3.9.0"))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", before or "")
    if before is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    keras_import.load_keras()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == after


def test_keras_is_imported_where_it_is_not_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(
        "__version__ = '3.9.0'\nfrom types import SimpleNamespace as N\nops = N(zeros=list)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "keras", of_version("3.1.0"))  # so that what was there comes back after the test
    del sys.modules["keras"]
    assert keras_import.load_keras().__file__ == str(tmp_path / "keras.py")


@pytest.mark.parametrize(("debug", "shown"), [(None, ""), ("", ""), ("0", ""), ("1", "of a library")])
def test_what_libraries_write_is_shown_for_debugging_alone(
    debug: str | None, shown: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LAYEREXPLAIN_DEBUG", raising=False)
    if debug is not None:
        monkeypatch.setenv("LAYEREXPLAIN_DEBUG", debug)
    with keras_import.silence():
        os.write(2, b"of a library")
    os.write(2, b"!")
    assert capfd.readouterr().err == shown + "!"


def test_warnings_are_kept_back_while_models_are_tried() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with keras_import.without_warnings():
            warnings.warn("of Keras", stacklevel=1)
        warnings.warn("ours", stacklevel=1)
    assert [str(warning.message) for warning in told] == ["ours"]


def test_keras_opens_a_copy_of_what_is_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.sources.remote.local_copy", lambda source: nullcontext(f"a copy of {source}"))
    url = Remote("https://a.org/b.keras")
    for source, opened in [(url, f"a copy of {url}"), ("b.keras", "b.keras")]:
        with keras_model._on_this_machine(source) as file:
            assert file == opened


def test_one_element_is_of_the_first_output_and_tells_of_its_progress() -> None:
    model, told = read(SPEC), []
    inputs = api.make_inputs(model)
    found = api.trace_element(
        SPEC, model, inputs, "dense_1", (0, 1), keras=False, progress=lambda *words: told.append(words)
    )
    assert found.output == 0 and found.shape == (1, 2) and told


@pytest.mark.parametrize(
    ("raised", "words"),
    [(LayerExplainError("there is no such layer"), "there is no such layer"),
     (ValueError("no kernel\nmore"), "Keras cannot run the model: no kernel")],
)  # fmt: skip
def test_why_keras_does_not_run_a_model(raised: Exception, words: str) -> None:
    def run(*_: Any) -> list[Any]:
        raise raised

    reference: Any = SimpleNamespace(run=run, set_states=lambda seed: None)
    with pytest.raises(LayerExplainError) as found:
        verify.tried(read(SPEC), reference, {}, 2, 0)
    assert str(found.value.fact) == words


@pytest.mark.parametrize(("tolerance", "allowed"), [(1e-5, 1e-3), (0.01, 0.01)])
def test_a_whole_model_may_be_off_by_more_than_one_layer(tolerance: float, allowed: float) -> None:
    trial: Any = SimpleNamespace(network=SimpleNamespace(definition=None))
    graph: Any = SimpleNamespace(calls=lambda: {0: SimpleNamespace(compute_dtype="float32")})
    reference: Any = None
    found = verify._whole(trial, reference, graph, 2, tolerance)
    assert found == ValuesCheck("not compared", None, allowed, "one of its layers has no formula")


@pytest.mark.parametrize(
    ("shapes", "theirs", "status", "difference", "reason"),
    [([(4, 3), (3,)], 5.0, "agrees", 0.0, ""),
     ([(4, 3), (3,)], 5.001, "agrees", 0.001 / 5.001, ""),
     ([(4, 3), (3,)], 8.0, "differs", 3 / 8, ""),
     ([(4, 3)], 5.0, "not compared", None, "its layers have different weights in Keras")],
)  # fmt: skip
def test_a_whole_model_is_compared_with_the_weights_of_keras(
    shapes: list[tuple[int, ...]], theirs: float, status: str, difference: float | None, reason: str
) -> None:
    """A Dense of ones on four ones is 5 everywhere."""
    network = trace_at(read(b"input: [4]\nlayers:\n  - Dense: 3\n"), linked=True)
    trial = verify.Trial(network, [np.ones((1, 4))], [np.full((1, 3), theirs, "f4")])
    graph: Any = SimpleNamespace(calls=lambda: {0: SimpleNamespace(compute_dtype="float32")}, output_of=lambda *_: 0)
    reference: Any = SimpleNamespace(arrays=lambda _: [np.ones(shape) for shape in shapes], states=lambda _: [])
    found = verify._whole(trial, reference, graph, 1, 1e-5)
    assert (found.status, found.reason) == (status, reason)
    assert found.difference == (difference if difference is None else pytest.approx(difference, rel=1e-4))


def report(gradient: str = "", step: str = "", parameters: int = 3) -> VerifyReport:
    made: Any = gradient
    of_step: Any = step
    row = LayerCheck(
        "a", "a", "Dense", 0, "agrees", Compared(None, None), Compared(None, None), 0.0, 1e-5, "",
        ValuesCheck(made, None, 1e-5, "") if gradient else None,
    )  # fmt: skip
    steps = (StepCheck("training", of_step, 1e-5),) if step else ()
    return VerifyReport(
        "a", "spec", "a", "Functional", "3", "numpy", "drawn", 0, (), (row,), ValuesCheck("agrees", 0.0, 1e-3, ""),
        parameters=Compared(3, parameters), steps=steps,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "agrees"),
    [
        (report(), True), (report("agrees", "agrees"), True), (report("differs"), False), (report("", "differs"), False),
        (report("not compared", "not compared"), True), (report("agrees", "", 4), False),
    ],
)  # fmt: skip
def test_a_comparison_agrees_where_all_of_it_does(found: VerifyReport, agrees: bool) -> None:
    assert found.agrees is agrees


# Runs -----------------------------------------------------------------------------------------------------------------


def test_an_element_that_keras_does_not_have() -> None:
    assert asked(lambda: np.zeros((1, 6)), (0, 5)) == (0.0, "")
    assert asked(lambda: np.zeros((1, 3)), (0, 5)) == (None, "its output has a different shape in Keras")


@pytest.mark.parametrize(
    ("config", "lora_alpha", "is_known"),
    [({"lora_rank": 2, "lora_alpha": 4}, 2, True), ({"lora_rank": 2, "lora_alpha": 4}, 4, False),
     ({"lora_rank": 2, "lora_alpha": None}, 2, False), ({"lora_rank": 2}, 2, False),
     ({"lora_rank": None, "lora_alpha": 4}, None, False), ({"lora_alpha": 4}, None, False)],
)  # fmt: skip
def test_keras_that_ignores_lora_alpha(config: dict[str, Any], lora_alpha: int | None, is_known: bool) -> None:
    found = keras_faults.fault(SimpleNamespace(lora_alpha=lora_alpha), config, [])
    assert (found or "").startswith("Keras ignores the lora_alpha") == is_known


def keras_object(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def keras_function(name: Any, module: str | None) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.mark.parametrize(
    ("held", "reason"),
    [(keras_object("Dense", units=3), ""),
     (keras_object("Zeros", "keras.initializers"), ""),
     (keras_object("Zeros", "keras.src.initializers.constant_initializers"), ""),
     (keras_object("Dense", None), ""),
     (keras_function("relu", "builtins"), ""),
     (keras_function("relu", "keras.activations"), ""),
     (keras_object("Lambda"), "holds a Lambda, which runs code that is not part of Keras"),
     (keras_object("TFSMLayer"), "holds a TFSMLayer, which runs code that is not part of Keras"),
     ({"class_name": "__lambda__", "config": {"value": "4wEA"}},
      "holds a __lambda__, which runs code that is not part of Keras"),
     (keras_object("StringLookup", vocabulary="/etc/passwd"), "names a file to read ('/etc/passwd')"),
     (keras_function("system", "os"), "names the function 'system' of os"),
     (keras_function("get_file", "keras.utils"), "names the function 'get_file' of keras.utils"),
     (keras_function("load_model", "keras.saving"), "names the function 'load_model' of keras.saving"),
     (keras_object("Popen", "subprocess"),
      "names the class Popen of subprocess, which is not a module of Keras model parts"),
     (keras_object("Backup", "keras.callbacks"),
      "names the class Backup of keras.callbacks, which is not a module of Keras model parts")],
)  # fmt: skip
@pytest.mark.parametrize("deep", [False, True])
def test_what_keras_is_not_given_to_load(held: dict[str, Any], reason: str, deep: bool) -> None:
    """Attacks on Keras's loader name functions and classes of other modules, at any depth of a configuration."""
    document = (
        {"class_name": "Sequential", "config": {"layers": [keras_object("Dense", activation=[held])]}} if deep else held
    )
    if not reason:
        keras_files.must_be_keras(document)
        return
    with pytest.raises(LayerExplainError) as found:
        keras_files.must_be_keras(document)
    assert str(found.value.fact) == f"the configuration {reason}; nothing was loaded"


def test_targets_of_one_class_are_that_class() -> None:
    assert drawn_targets("one-hot", (2, 1), 1, np.random.default_rng(0)).tolist() == [[1.0], [1.0]]


def test_a_regularizer_without_a_formula_is_left_out_and_told_of_once() -> None:
    found, weight = Penalties(), np.ones((2, 3), "float32")
    for _ in range(2):
        assert found.of_tensor({"MyOwn": {"rate": 0.1}}, weight, "W of 'a'") is None
    [note] = found.notes
    assert note.startswith("A regularizer of W of 'a' is left out: ") and not found.terms


@pytest.mark.parametrize(
    ("first", "words"), [(5e4, "They grow most in 'b': 700 times."), (5e-4, "The least passes 'c': 0.0003 of what")]
)
def test_the_layer_that_changes_a_gradient_most(first: float, words: str) -> None:
    def row(name: str, passed: float | None, norm: float) -> ReachedRow:
        return ReachedRow(name, name, "Dense", 0, 0, (1,), None, Size(norm, norm, 0.0, 0), passed, 1.0)

    rows = [row("a", 2.0, first), row("b", 700.0, 1.0), row("c", 0.0003, 1.0), row("d", 3.0, 1.0)]
    sizes = {name: Size(norm, norm, 0.0, 0) for name, norm in (("a", first), ("d", 1.0))}
    kernels = [WeightRow(name, name, "Dense", "kernel", "W", (3, 1), True, g, g, None) for name, g in sizes.items()]
    [sentence, *_] = gradient_words(rows, kernels)
    assert words in sentence


def test_a_result_of_unknown_shape_asks_nothing_of_the_inputs() -> None:
    model, ref = read(SPEC), TensorRef("input", 0, 0)
    made = SimpleNamespace(
        sources=(ref,), call=SimpleNamespace(layer="dense", index=0), network=None, declaration=None, outputs=(None,)
    )
    network: Any = SimpleNamespace(model=model, calls=[made])
    assert wish_of(network, ref) == Wish(None, None, (), False)


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


@pytest.mark.keras
def test_keras_goes_on_numbering_after_a_file_is_loaded() -> None:
    from keras.src.utils.naming import auto_name  # what Keras itself numbers layers with

    from layerexplain.oracle.keras_files import _names_from_the_first

    before = [auto_name("of_this_test"), auto_name("of_this_test")]
    with _names_from_the_first():
        assert auto_name("of_this_test") == "of_this_test"
    assert [*before, auto_name("of_this_test")] == ["of_this_test", "of_this_test_1", "of_this_test_2"]


@pytest.mark.keras
def test_the_optimizer_of_a_step_is_named() -> None:
    found = api.verify(SPEC, gradient=True, training={"optimizer": "SGD", "loss": "mse"})
    assert [(one.optimizer, one.status) for one in found.steps] == [("SGD", "agrees")] * 2
