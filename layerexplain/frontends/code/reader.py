"""A source that is code → its models."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code import pasted_errors
from layerexplain.frontends.code.fragments import as_module
from layerexplain.frontends.code.library.torch_modules import BuiltIn
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.printed import compared, holds_summary, model_of_summary
from layerexplain.frontends.code.recorder.grade import with_others
from layerexplain.frontends.code.repairs import mend
from layerexplain.frontends.code.sources import Lender, Modules, package_of, text_of, text_of_question
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Place, Unknown
from layerexplain.frontends.code.values.program import Class
from layerexplain.model import Model

if TYPE_CHECKING:
    pass
from layerexplain.frontends.code.read_program import Program


@lru_cache(maxsize=4)
def _program(data: bytes, path: str | None, given: tuple[tuple[str, str], ...], *, whole: bool = True) -> Program:
    text = text_of(data, path)
    text = text if whole or text.alone is None else text.alone
    program = _with_arrays(_with_printed(Program(text, path, dict(given))))
    if program.interpreter.exhausted is None or path is None or package_of(os.path.dirname(path) or ".") is None:
        return program
    # A package that is too large to be read whole: its modules are read when a name of theirs is used.
    return Program(text, path, dict(given), lazy=True)


def _with_printed(program: Program) -> Program:
    """Return a program that makes no model with the module in front of it that its text has printed."""
    if program.text.printed is None:
        return program
    with suppress(SourceError):
        if program.names():
            return program
    return Program(program.text.with_printed(), program.path, program.given, program.modules)


def _with_calls(program: Program) -> Program | None:
    """Return a program that calls several modules of PyTorch itself with a class that calls them; None for others, and
    where that class cannot be followed."""
    if not program.text.pasted or not program.interpreter.kept(TorchProgram).makes_modules:
        return None
    values = program.frame.names
    modules = [name for name, value in values.items() if isinstance(value, BuiltIn)]
    tree = as_module(program.text.tree, modules, [name for name, value in values.items() if isinstance(value, Array)])
    if tree is None:
        return None
    called = Program(program.text._replace(tree=tree), program.path, program.given, program.modules)
    with suppress(SourceError):
        model = called.torch_model("")
        return called if model is not None and not model.faults and model.calls else None
    return None


def _with_arrays(program: Program) -> Program:
    """Return a program that makes no model and calls layers of Keras on arrays with these as inputs of a model; one
    that calls modules of PyTorch one after the other with a class that does so."""
    if (called := _with_calls(program)) is not None:
        return called
    if not program.interpreter.calls_arrays or not program.interpreter.is_excerpt:
        return program
    with suppress(SourceError):
        if program.names():
            return program
    return Program(program.text, program.path, program.given, program.modules, arrays_are_inputs=True)


def program(
    data: bytes, path: str | None, given: Mapping[str, str] = MappingProxyType({}), *, whole: bool = True
) -> Program:
    """Read a program: one that is asked for again is read once. Of a text with several programs all are read as one,
    unless only that which is meant is wanted."""
    return _program(data, path, tuple(sorted(given.items())), whole=whole)


forget_programs = _program.cache_clear
"""What is called where a reading was ended in its middle: the program that it read is followed in part."""


def model_names(data: bytes, path: str | None, given: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Return the names of the models of a program, in order."""
    return program(data, path, given).names()


def model_of_question(data: bytes) -> Model | None:
    """Return the model of the layer that prose asks about; None for a text that names none."""
    asked = text_of_question(data)
    if asked is None:
        return None
    with suppress(LayerExplainError):
        return _model_in(Program(asked, None, {}), "", None)
    return None


_MAKES_MODEL = re.compile(r"^[ \t>+.]*(class \w+ *[(:]|def \w+ *\(|.*\bSequential *\(|\w+\.add *\()", re.MULTILINE)


def makes_model(data: bytes) -> bool:
    """Return whether a text has code that makes a model, of which an error is what there is to say."""
    return _MAKES_MODEL.search(data.decode("utf-8", "replace")) is not None


def _model_of_error(data: bytes, error: LayerExplainError) -> Model | None:
    try:
        tree = text_of(data, None).tree
    except LayerExplainError:
        tree = None
    return pasted_errors.model_of_error(data.decode("utf-8", "replace"), tree, error)


def read_code(
    data: bytes,
    path: str | None,
    request: str = "",
    given: Mapping[str, str] = MappingProxyType({}),
    lend: Lender | None = None,
) -> Model:
    """Return the model of a program: the one that is requested, or else the main one, with a note that names the
    others. `lend` finds what it uses and does not have.

    Raises SourceError where the program is no Python or has no model.
    """
    table = "" if request or (path or "").endswith(".py") else data.decode("utf-8", "replace")
    table = table if holds_summary(table) else ""
    try:
        reading = _read_code(data, path, request, given, lend)
        return compared(reading, table) if table else reading
    except LayerExplainError as error:
        if table and (model := model_of_summary(table)) is not None:
            return model
        model = None if request or (path or "").endswith(".py") else _model_of_error(data, error)
        if model is None:
            raise
        return model


def _read_code(data: bytes, path: str | None, request: str, given: Mapping[str, str], lend: Lender | None) -> Model:
    reading = (
        program(data, path, given, whole=bool(request))
        if lend is None
        else _with_printed(Program(text_of(data, path), path, given, Modules(None, lend)))
    )
    return _model_in(reading, request, path)


def _model_in(reading: Program, request: str, path: str | None) -> Model:
    """Return the model of a program that is requested, or the main one."""
    if (model := reading.torch_model(request)) is not None:
        return model
    if request:
        return reading.model(reading.requested(request))
    models = reading.models()
    if not models:
        faults = reading.faults()
        if faults:
            raise faults[0]
        if reading.interpreter.exhausted is not None:
            why = reading.interpreter.exhausted
            place = reading.locate(Place(why.file, why.line, why.column))
            raise SourceError(f"{why.reason}, before it builds a model", **place.error_fields)
        error = next(iter(reading.interpreter.effects.possible_faults), None)
        if error is not None and not reading.text.locate(error.line or 1).file:
            error.fact += "; no model is built before that"
            raise error
        raise SourceError(_without_model(reading))
    main = reading.main(models)
    model = reading.with_stated_input(main)
    if model.faults:
        mend(reading.text.tree, model, lambda tree: reading.changed(tree).same_model(main))
    return with_others(model, [other.name for other in models if other is not main], path)


def _without_model(reading: Program) -> str:
    """Return why a program has no model."""
    unknown = [value for value in reading.frame.names.values() if isinstance(value, Unknown) and value.line]
    why = ""
    if unknown:
        first = unknown[0]
        why = f" (line {first.line}: {first.reason})"
    classes = [value for value in reading.frame.names.values() if isinstance(value, Class)]
    lacking = [(item, base) for item in classes for base in item.bases if isinstance(base, Unknown)]
    for cls, base in lacking[:1]:
        name = f"the base class {base.name or ''}".strip()
        why += f"; what {cls.name} is depends on {name} (line {cls.place.line}): {base.reason}"
    own = next((item.name for item in classes if (root := item.root()) and root.last == "Layer"), None)
    if own is not None:
        why += f"; it defines the layer {own}: call it on an input, for example {own}(…)(keras.Input((8, 16)))"
    why = why or "; give the code that makes one: keras.Sequential([…]), keras.Model(inputs, outputs) or a class of one"
    return f"is Python code that builds no model{why}"
