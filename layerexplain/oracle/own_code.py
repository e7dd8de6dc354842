"""Custom layers against their real classes: `verify --run-code` runs the code that is named, in a process of its
own."""

from __future__ import annotations

import ast
import os
import sys
from contextlib import redirect_stdout
from typing import Any

from layerexplain.errors import NO_FILE, LayerExplainError, SourceError
from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code_source import CodeSource, code_source
from layerexplain.frontends.opened import opened_path
from layerexplain.frontends.own_layers import Code
from layerexplain.model import Model
from layerexplain.oracle.keras_files import keras_model_of_own_file
from layerexplain.oracle.keras_import import first_line, load_keras
from layerexplain.oracle.keras_model import KerasModel
from layerexplain.oracle.reference import Weights
from layerexplain.oracle.verify import VerifyOptions, verified_here
from layerexplain.oracle.verify_report import VerifyReport
from layerexplain.processes import shared


def verified_elsewhere(source: Any, asked: VerifyOptions) -> VerifyReport:
    """Return the report of `verify` on a source, from a process that runs its code. Raises LayerExplainError."""
    results = [one for one in shared([(source, asked)], _work, 1) if one is not None]
    if not results or results[0].died:
        raise SourceError("the process that ran the code was killed or crashed", source=str(source))
    report, error = results[0].value
    if error is not None:
        raise error
    return report  # type: ignore[no-any-return]


def _work(item: tuple[Any, VerifyOptions]) -> tuple[VerifyReport | None, LayerExplainError | None]:
    try:
        return verified_here(*item, run_code=True), None
    except LayerExplainError as error:
        return None, error


def model_with_code(source: Any, model: Model, code: Code) -> KerasModel:
    """Return the Keras model of a source whose own code is run: the program itself, or the files that say what its own
    layers compute."""
    if model.format == "code":
        return KerasModel(_of_program(source), "drawn")
    names: dict[str, Any] = {}
    for one in [code] if isinstance(code, str | os.PathLike) else code:
        path = os.fspath(one)
        if path.endswith(".py"):
            with open(path, encoding="utf-8") as file:
                names.update(run(ast.parse(file.read(), NO_FILE), path))
    own = {name: one for name, one in names.items() if callable(one) and not name.startswith("__")}
    weights: Weights = "drawn" if model.format == "config-json" else "of the model"
    return KerasModel(keras_model_of_own_file(source, model, own), weights)


def run(tree: ast.Module, path: str | None) -> dict[str, Any]:
    """Run a program as Python does, with what it prints on standard error; returns its names.

    Raises SourceError with the line at which it fails.
    """
    names: dict[str, Any] = {"__name__": "__main__", "__file__": path or "code.py"}
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)) if path else os.getcwd())
    try:
        with redirect_stdout(sys.stderr):
            exec(compile(tree, path or "code.py", "exec"), names)  # noqa: S102  # it is what --run-code is for
    except (Exception, SystemExit) as error:
        at, line = error.__traceback__, None
        while at is not None:
            line = at.tb_lineno if at.tb_frame.f_globals is names else line
            at = at.tb_next
        fact = f"running the code ends with {type(error).__name__}: {first_line(error)}"
        raise SourceError(fact, source=path, line=line) from None
    finally:
        del sys.path[0]
    return names


def _of_program(source: Any) -> Any:
    """Return the model of a program: what is requested of it, or its only one."""
    source = code_source(source)
    request, given = (source.request, source.given) if isinstance(source, CodeSource) else ("", {})
    if given:
        raise LayerExplainError("--set changes code that is read, not code that is run; change the code itself")
    path = None if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else getattr(source, "content", None)
    if content is None:
        with opened_path(str(path)) as opened:
            content = opened.text()
    reading = program(content, path)
    request = request or reading.models()[0].name
    keras = load_keras()
    keras.backend.clear_session()  # names of layers count from the start, as they are read
    names = run(reading.text.tree, path)
    try:
        value = eval(compile(request, "the request", "eval"), names)  # noqa: S307  # likewise
        value = value() if callable(value) and not isinstance(value, keras.Model) else value
    except Exception as error:
        of_name = [one for one in names.values() if isinstance(one, keras.Model) and one.name == request]
        if not of_name:
            raise SourceError(f"{request} ends with {type(error).__name__}: {first_line(error)}", source=path) from None
        value = of_name[0]
    if not isinstance(value, keras.Model):
        raise SourceError(f"{request} is a {type(value).__name__} and not a Keras model", source=path)
    if not isinstance(value, keras.Sequential) and not hasattr(value, "_inputs_struct"):
        fact = f"{request} is a subclassed model, for which Keras keeps no graph to compare with"
        raise SourceError(f"{fact}; call it on keras.Input(…) in a functional model", source=path)
    return value
