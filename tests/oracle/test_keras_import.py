"""How Keras is imported: which version, on which kernels, and what it says meanwhile. A module stands in for it."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.oracle import keras_import


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
