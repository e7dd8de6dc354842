"""One program that is read (one object, hence the length): its models, notes
and faults, and the same program with other values or another tree."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from layerexplain.errors import LayerExplainError, SourceError, did_you_mean, in_a_row
from layerexplain.frontends.code import pasted_errors
from layerexplain.frontends.code.library.keras_cloning import source_inputs
from layerexplain.frontends.code.library.keras_framework import keras_of
from layerexplain.frontends.code.library.keras_loops import TapeLoops, has_tape, with_loops
from layerexplain.frontends.code.library.keras_names import base_of
from layerexplain.frontends.code.library.registry import libraries
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.machine.definitions import imported_libraries, names_of
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.pasted_errors import column_counts, stated_shapes
from layerexplain.frontends.code.recorder.emit import Emitter, settings
from layerexplain.frontends.code.recorder.grade import (
    grade_of,
    missing_in,
    missing_sizes,
    notes_of,
    plain_names,
    root_of,
    shape_example,
    with_shapes,
    words_of,
)
from layerexplain.frontends.code.recorder.own_layers import declarations
from layerexplain.frontends.code.recorder.shapes import as_recorded
from layerexplain.frontends.code.recorder.tracing import (
    FoundModel,
    GraphsOfLibrary,
    distinct,
    graphs_of,
    is_empty,
    last_change,
    models_in,
    parts_of,
    reaching,
)
from layerexplain.frontends.code.sources import Modules, Text, package_of
from layerexplain.frontends.code.stated_inputs import sizes_in, stated_data, stated_inputs, stated_numbers
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    Place,
    ProgramError,
    ProgramValue,
    Unknown,
    unknown_at,
)
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Tensor
from layerexplain.frontends.code.values.objects import Module
from layerexplain.frontends.code.values.program import Class, Function, layer_of
from layerexplain.frontends.code.values.reading import MOST_TRIED, Assumption, Exhausted, File, Frame, walk
from layerexplain.frontends.training import with_training
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find
from layerexplain.model import InputShapes, Model, Note, PlacedResult, SourceCode
from layerexplain.ops.sizes import shape_text

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_found import Found


_NO_MORE = Modules()
"""Finds what lies beside a program, and nothing else."""


class Program:
    """A program that was read: its models in order."""

    def __init__(
        self,
        text: Text,
        path: str | None,
        given: Mapping[str, str | int],
        modules: Modules = _NO_MORE,
        shapes: Mapping[Place, ProgramValue] = MappingProxyType({}),
        *,
        lazy: bool = False,
        arrays_are_inputs: bool = False,
        stand_ins: frozenset[str] = frozenset(),
        for_loops: bool = False,
    ) -> None:
        self.given = given
        self.shapes = shapes
        """Shapes of the inputs of models that state none, by the places where they are made."""
        self.folder = os.path.dirname(path) or "." if path is not None else None
        self.text = text
        self.modules = modules
        self.interpreter = Interpreter({}, modules, libraries())
        self.path = path
        self._found: tuple[int, list[FoundModel]] | None = None
        self.interpreter.where = self.where
        self.interpreter.locate = self.locate
        self.interpreter.settings = {
            name: self.interpreter.parse_setting(value) if isinstance(value, str) else value
            for name, value in given.items()
        }
        self.stated = stated_shapes(text.pasted, text.tree) if text.pasted else {}
        self.stated = {**stated_data(text.pasted, text.tree), **self.stated} if text.pasted else {}
        """The shapes of data that the text states beside the code."""
        sizes = {**column_counts(text.tree), **self.stated}
        arrays = {name: Array(size) for name, size in sizes.items()}
        self.numbers = stated_numbers(text.pasted, text.tree) if text.pasted else {}
        """The numbers that the text states for names of the code."""
        self.interpreter.settings = {**self.numbers, **arrays, **self.interpreter.settings}
        self.stand_ins = self.interpreter.stand_ins = stand_ins
        self.interpreter.is_notebook = text.is_notebook
        self.interpreter.is_excerpt = not (path or "").endswith(".py")
        self.interpreter.lazy = lazy
        loops = self.interpreter.kept(TapeLoops)
        loops.are_followed, loops.has_tape = for_loops, has_tape(text.tree)
        self.interpreter.arrays_are_inputs = arrays_are_inputs
        self.file = self.interpreter.program = File("", self.folder, text.tree)
        frame = Frame(self.file)
        if path is not None and package_of(os.path.dirname(path) or ".") is not None:
            # A package that imports the file which is read gets what that has so far.
            self.interpreter.modules[os.path.abspath(path)] = Module("", frame)
        self.frame = self.interpreter.run(self.file, frame)

    # Which models -------------------------------------------------------------------------------------------------

    def models(self) -> list[FoundModel]:
        """Return the models that the program makes; of one that makes none those of its functions and classes. They are
        looked for again where more were made since."""
        if self._found is None or self._found[0] != len(self.interpreter.models):
            models = self._all_models()
            self._found = len(self.interpreter.models), models
        return [*self._found[1]]

    def _all_models(self) -> list[FoundModel]:
        try:
            return self._models()
        except Exhausted as error:
            self.interpreter.effects.mark_program_incomplete(self.interpreter.unknown(f"the program {error}"))
            return distinct([FoundModel(other.name, other) for other in self.interpreter.models if not is_empty(other)])

    def _models(self) -> list[FoundModel]:
        self._implied_model()
        models = self.interpreter.models
        bound: dict[int, str] = {}
        for name, value in self.frame.names.items():
            layer = layer_of(value)
            if isinstance(layer, ModelValue):
                bound.setdefault(id(layer), name)
        self.follow(models)
        nested = {part for model in models for part in parts_of(model)}
        result = [
            FoundModel(bound.get(id(model), model.name), model, id(model) not in bound)
            for model in models
            if (id(model) in bound or not (id(model) in nested or model.is_inner)) and not is_empty(model)
        ]
        return distinct(result, set(bound.values())) if result else self._from_definitions()

    def whole(self, models: list[FoundModel]) -> FoundModel | None:
        """Return the one of several models that holds all others; None where there is none."""
        for model in models:
            parts = parts_of(model.value)
            if all(other is model or id(other.value) in parts for other in models):
                return model
        return None

    def main(self, models: list[FoundModel]) -> FoundModel:
        """Return the one of several models that is meant where none is named: the one that holds all others, else the
        last that is fitted, that is compiled, that a loop trains, or that is made."""
        if (whole := self.whole(models)) is not None:
            return whole
        fitted = [other for other in models if other.value.fitted is not None]
        compiled = [other for other in models if other.value.compiled is not None]
        trained = [other for other in models if not fitted and self._is_in_loop(other)]
        return (fitted or compiled or trained or models)[-1]

    def follow(self, models: Sequence[ModelValue]) -> None:
        """Follow the `call` of each model of the program that was never called on a tensor."""
        for model in list(models):
            if model.input_shape is None:
                model.input_shape = self.shapes.get(model.place)
            if model.form == "own" and not model.traced:
                shape = model.input_shape
                why = unknown_at(model.place, f"the input of {model.type} has no shape in the code", lacks="shape")
                library = graphs_of(model)
                first = library.own_calls.parameter_names(model)[0]
                if isinstance(shape, dict) or (type(shape) is list and shape and type(shape[0]) in (tuple, list)):
                    parts = shape.items() if isinstance(shape, dict) else enumerate(shape)
                    result = {key: library.recorder.new_input(f"{first}_{key}", item) for key, item in parts}
                    given: ProgramValue = result if isinstance(shape, dict) else list(result.values())
                else:
                    given = library.recorder.new_input(first, why if shape is None else shape)
                try:
                    library.own_calls.trace(model, [given], {})
                except Exhausted as error:
                    self.interpreter.effects.mark_program_incomplete(self.interpreter.unknown(f"the program {error}"))

    def _implied_model(self) -> None:
        """Take the tensor that a snippet which calls layers and makes no model assigns last as the output."""
        keras = keras_of(self.interpreter)
        if self.interpreter.models:
            return
        tensors = [value for value in self.frame.names.values() if isinstance(value, Tensor)]
        if self.interpreter.arrays_are_inputs:
            tensors += keras.parts.factory.graphs.own_calls.results_on_arrays
        if all(tensor.node.layer.type == "InputLayer" for tensor in tensors):
            return
        outputs = max(tensors, key=lambda tensor: tensor.node.number)
        if inputs := source_inputs(outputs):
            keras.parts.factory.make_model("Model", [inputs, outputs], {"name": "model"})

    def _from_definitions(self) -> list[FoundModel]:
        """Return the models of functions and classes that the program defines and does not use; of functions that
        return nothing, such as `main()`, where no other gives one."""
        models: list[FoundModel] = []
        defined = [(name, other) for name, other in self.frame.names.items() if isinstance(other, Function | Class)]
        for name, value in defined[: 20 * MOST_TRIED]:
            if len(models) >= MOST_TRIED:
                break
            builds = isinstance(value, Function) and not name.startswith("_") and _builds(value)
            if builds or (isinstance(value, Class) and (what := base_of(value)) is not None and what.kind == "model"):
                models += self._from_call(name, value, [], {})
        for name, value in [] if models else defined[: 20 * MOST_TRIED]:
            if isinstance(value, Function) and _builds(value, returns=False) and not value.signature.required:
                with suppress(SourceError):
                    models += self._from_call(name, value, [], {})
        return distinct(models)

    def _from_call(self, name: str, value: object, args: Arguments, kwargs: Keywords) -> list[FoundModel]:
        """Return the models that a call of a function or a user-defined class gives."""
        keras = keras_of(self.interpreter)
        before = len(self.interpreter.models)
        keras.counters.clear()
        self.interpreter.effects.begin_statement(of_module=False)
        try:
            result = self.interpreter.call(value, args, kwargs)
        except ProgramError as error:
            raise SourceError(f"{name}(…) raises {error}", **(error.place or Place("", 0)).error_fields) from None
        except Exhausted as error:
            raise SourceError(f"{name}(…) {error}") from None
        created = models_in(result)
        if not created and (inputs := source_inputs(result)):
            model = keras.parts.factory.make_model("Model", [inputs, result], {"name": name})
            created = [model] if isinstance(model, ModelValue) else []
        if not created:
            created = [other for other in self.interpreter.models[before:][-1:] if not is_empty(other)]
        self.follow(created)
        return [FoundModel(name if len(created) == 1 else f"{name}.{other.name}", other) for other in created]

    def requested(self, request: str) -> FoundModel:
        """Return the model of a name (`encoder`, `build_model`, `Net`), or of a call (`build_model(classes=10)`)."""
        return self._requested(request)._replace(asked=request)

    def names(self) -> list[str]:
        """Return the names of the models of the program, in order."""
        return [item.name for item in (self._is_torch() and self._torch_models) or self.models()]

    def _is_torch(self) -> bool:
        """Return whether the program is one of PyTorch."""
        classes = [name for name in self.frame.names.values() if isinstance(name, Class)]
        of_torch = any((root := cls.root()) is not None and root.path.startswith("torch.nn.") for cls in classes)
        return (
            of_torch
            or self.interpreter.kept(TorchProgram).makes_modules
            or "torch" in imported_libraries(self.text.tree)
        )

    @cached_property
    def _torch_models(self) -> list[Found]:
        """The models of PyTorch, which are looked for once: that may call functions of the program."""
        from layerexplain.frontends.code.library import torch_found

        is_of_keras = imported_libraries(self.text.tree) & {"keras", "tensorflow", "tf_keras"}
        if is_of_keras and not torch_found.uses_torch(self):
            return []
        return self._named_torch_models or torch_found.models_of_classes(self)

    @cached_property
    def _named_torch_models(self) -> list[Found]:
        """Those of them that the program itself makes or calls: whoever asks for one needs no class tried."""
        from layerexplain.frontends.code.library import torch_found

        return torch_found.models(self)

    def torch_model(self, request: str) -> Model | None:
        """Return the model of PyTorch that is asked for, or the only one; None where the program has none. Raises
        SourceError for several."""
        if not self._is_torch():
            return None
        from layerexplain.frontends.code.library import torch_models

        try:
            results = self._named_torch_models if request else self._torch_models
            return torch_models.torch_model(self, results, request)
        except Exhausted as error:
            raise SourceError(f"the program {error}") from None

    def _requested(self, request: str) -> FoundModel:
        try:
            tree = ast.parse(request.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise SourceError(f"'{request}' is not a name or a call; write train.py:build_model(classes=10)") from None
        if isinstance(tree, ast.Call):
            function = self.interpreter.value(tree.func, self.frame)
            if isinstance(function, Unknown):
                raise self._no_name(ast.unparse(tree.func))
            args = [self.interpreter.value(argument, self.frame) for argument in tree.args]
            kwargs = {
                keyword.arg: self.interpreter.value(keyword.value, self.frame)
                for keyword in tree.keywords
                if keyword.arg
            }
            models = self._from_call(ast.unparse(tree.func), function, args, kwargs)
        else:
            known = self.models()
            for model in known:
                if request == model.name:
                    return model
            value = self.frame.names.get(request)
            layer = layer_of(value)
            if isinstance(layer, ModelValue):
                return FoundModel(request, layer)
            if value is None or not isinstance(value, Function | Class):
                for model in known:
                    if request == model.value.name:
                        return model
                raise self._no_name(request)
            models = self._from_call(request, value, [], {})
        if not models:
            raise SourceError(f"{request} returns no model")
        return models[-1]

    def _no_name(self, name: str) -> SourceError:
        known = [other.name for other in self.models()]
        known += [key for key, value in self.frame.names.items() if isinstance(value, Function | Class)]
        hint = did_you_mean(name, known) or f"it has {', '.join(dict.fromkeys(known[:12])) or 'no model'}"
        return SourceError(f"has no '{name}'; {hint}")

    # What they are ------------------------------------------------------------------------------------------------

    def model(self, result: FoundModel) -> Model:
        """Return the model as a file would have given it, with its grade."""
        interpreter = self.interpreter
        effects = interpreter.effects
        effects.record_pending()
        emitter = Emitter(graphs_of(result.value))
        try:
            model = emitter.model(result.value)
            last, met = last_change(interpreter, result.value)
        except Exhausted as error:
            raise SourceError(f"{result.name} {error}") from None
        gaps = [(self.located(gap), "") for gap in effects.gaps
                  if effects.precedes(gap, last) or gap in met]  # fmt: skip
        gaps += [(self.located(unknown), layer) for unknown, layer in emitter.gaps]
        assumed = [
            assumption._replace(line=self.locate(Place("", assumption.line)).line)
            for assumption in (*effects.assumptions, *(() if interpreter.is_notebook else effects.undefined.values()))
            if effects.precedes(assumption, last) or assumption in met
        ]
        chosen, name_errors = self.name_errors(assumed, gaps)
        notes = [
            *notes_of(chosen, gaps),
            *self._missing_notes(result.value, emitter.missing),
            *interpreter.notes,
            *emitter.notes,
        ]
        if result.value.changed_in_training is not None:
            notes.append(
                self._changed_in_training(*result.value.changed_in_training, graphs_of(result.value).recorder.keras_2)
            )
        notes += [*imports_of(self), *self.notes_of_text(assumed, gaps)]
        shapes = pasted_errors.data_of_error(self.text.pasted) if self.text.pasted and not effects.faults else {}
        shapes = {} if self.text.is_changed else shapes
        if shapes:
            graphs_of(result.value).recorder.framework.check_error(result.value, shapes)
        faults, others = reaching(interpreter, result.value, bool(gaps), self.faults([*emitter.faults, *name_errors]))
        times = [other.created_at for other in interpreter.models if not other.is_inner]
        # An error ends the program in the making of its last model.
        if (
            self.text.pasted
            and not self.text.is_changed
            and not faults
            and result.value.created_at >= max(times, default=0)
        ):
            faults = self._pasted_faults(model, is_open=bool(gaps))
            pasted = [] if faults or shapes else self._pasted_faults(model, is_open=True)
            notes += [self._noted_error(item) for item in pasted]
        notes += [Note("fault", None, str(item)) for item in others]
        model = model._replace(
            name=result.name if _AUTOMATIC.fullmatch(result.value.name) else result.value.name,
            format="code",
            keras_version="2" if graphs_of(result.value).recorder.keras_2 else None,
            notes=tuple(notes),
            faults=tuple(faults),
            grade="open" if faults else grade_of(chosen, gaps),
            shared=tuple(emitter.shared),
            declarations=declarations(model),
        )
        names: tuple[str, ...] = ()
        if any(unknown.lacks == "shape" for unknown, _ in gaps):
            names = tuple(dict.fromkeys(ref.layer for ref in model.inputs))
        again, with_values = partial(self._read_again, result, names), partial(self._read_with, result)
        code = SourceCode(
            self.results_inside, again, missing_sizes(self.text.tree, gaps), with_values, (), self.trees()
        )
        model = model._replace(fit_data=result.value.fitted, source_code=code)
        compiled = result.value.compiled
        model = model if compiled is None else with_training(model, settings(compiled))
        return self._with_loops(model, result) if self.interpreter.kept(TapeLoops).has_tape else model

    def _is_in_loop(self, model: FoundModel) -> bool:
        """Return whether a loop of training gives an output of a model a loss."""
        if not self.interpreter.kept(TapeLoops).has_tape:
            return False
        loops = self.for_loops.interpreter.kept(TapeLoops)
        return any(loops.has_loss(same.value) for same in self.for_loops.same_models(model))

    @cached_property
    def for_loops(self) -> Program:
        """Return the program read once more for its loops of training with a tape, with those that nothing calls."""
        from layerexplain.frontends.code.library.torch_found import follow_training

        program = self._again(for_loops=True)
        with suppress(SourceError, Exhausted):
            models = [other.value for other in program.models()]
            follow_training(program, models[0].instance or models[0] if len(models) == 1 else None)
        return program

    def _with_loops(self, model: Model, result: FoundModel) -> Model:
        """Return a model with what the loops do that train it."""
        with suppress(SourceError, Exhausted):
            for other in self.for_loops.same_models(result):
                return with_loops(model, other.value, self.for_loops.interpreter.kept(TapeLoops), self.text.tree)
        return model

    def notes_of_text(self, assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> list[Note]:
        """Return notes on the text beside a model that hangs on these choices and gaps: names that it does not define,
        lines that were repaired, and each shape that it states and that stands for a value that is not known."""
        notes = self._undefined_later(
            {*[assumption.words for assumption in assumed], *[unknown.name for unknown, _ in gaps]}
        )
        notes += [Note("repaired", None, words) for words in self.text.repaired]
        arrays = {name: value for name, value in self.interpreter.settings.items() if isinstance(value, Array)}
        used = [
            name for name, array in arrays.items() if self.frame.names.get(name, array) is array and name in self.stated
        ]
        said = {name: shape_text(self.stated[name]) for name in used}
        said |= {
            name: f"{number:,}" for name, number in self.numbers.items() if self.frame.names.get(name, number) == number
        }
        stated = [f"{name} is {words}, as the text says" for name, words in said.items()]
        return [*notes, *[Note("stated", None, words) for words in stated]]

    def _pasted_faults(self, model: Model, *, is_open: bool) -> list[LayerExplainError]:
        """Return the fault that an error says which was pasted with the code of a model."""
        layers = {layer.name: (layer.type, layer.config) for layer in model.layers}
        fault = pasted_errors.pasted_fault(self.text.pasted, self.text.tree, layers, of_shapes=is_open)
        if fault is None:
            return []
        layer = model.layers_by_name.get(fault.layer or "")
        if fault.line is None and layer is not None:
            fault.with_place(source=layer.file or None, line=layer.line, column=layer.column)
        return [fault]

    def _noted_error(self, fault: LayerExplainError) -> Note:
        """Return the note on an error of a model that is read without a fault, with its line."""
        if fault.line is None:
            return Note("pasted-error", fault.layer, fault.fact)
        place = self.locate(Place("", fault.line))
        return Note("pasted-error", None, f"{fault.fact} ({f'{place.file}:' if place.file else 'line '}{place.line})")

    def name_errors(
        self, assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]
    ) -> tuple[list[Assumption], list[LayerExplainError]]:
        """Return what is assumed of a model, and the errors of a whole script that calls names, or what is in them,
        which it never defines. A missing size is no error: the model is read with it."""
        names, effects = names_of(self.text.tree), self.interpreter.effects
        used = [name for name in effects.name_errors if name in names.called]
        if not used or not names.is_whole or not (self.path or "").endswith(".py"):
            return list(assumed), []
        sizes = {root_of(name) for name in missing_sizes(self.text.tree, gaps)}
        errors = [effects.undefined[name] for name in used if name not in sizes and name in effects.undefined]
        wrong = [assumption for assumption in assumed if assumption in errors and not assumption.settled]
        faults: list[LayerExplainError] = [
            SourceError(f"{assumption.error}; define it or import it", line=assumption.line) for assumption in wrong
        ]
        return [assumption for assumption in assumed if assumption not in wrong], faults

    def _undefined_later(self, said: Collection[str]) -> list[Note]:
        """Return the note on names of a script that are not defined and that its model does not depend on: Python stops
        at the first one. What was pasted is a part of a program. `said` are names and sentences of other notes."""
        undefined, known = self.interpreter.effects.undefined, {root_of(item) for item in said}
        later = [(name, value) for name, value in undefined.items() if value.words not in said and name not in known]
        if not later or self.interpreter.is_notebook or not (self.path or "").endswith(".py"):
            return []
        names = [f"{name} (line {assumption.line})" for name, assumption in later]
        shown = in_a_row(names[:5]) + (", …" if len(names) > 5 else "")
        verb = "are" if len(names) > 1 else "is"
        words = f"{shown} {verb} not defined or imported in this code: a NameError in Python, behind the model"
        return [Note("undefined-later", None, words)]

    def _read_again(self, model: FoundModel, names: Sequence[str], shapes: InputShapes) -> Model | None:
        """Return a model with inputs of given shapes: the program is read once more. None where one of them is not
        given."""
        if not names or not all(name in shapes for name in names):
            return None
        sizes = [(None, *shapes[name]) for name in names]
        shapes_of = {model.value.place: sizes if len(sizes) > 1 else sizes[0]}
        return self._again(shapes=shapes_of).same_model(model)

    def _read_with(self, model: FoundModel, values: Mapping[str, int]) -> Model | None:
        """Return a model with values for names that the program does not define."""
        return self.with_values(values).same_model(model)

    def with_values(self, values: Mapping[str, int]) -> Program:
        """Return the program with values for names that it does not define: it is read once more."""
        sizes = with_shapes(self.text.tree, values)
        return self._again(given={**self.given, **sizes}, stand_ins=self.stand_ins.union(sizes))

    def with_stated_input(self, result: FoundModel) -> Model:
        """Return a model; one whose input has no shape in the code on the first shape that the text states and that it
        takes."""
        model = self.model(result)
        if result.value.input_shape is not None or model.grade != "open" or not self.text.pasted or self.shapes:
            return model
        stated = stated_inputs(self.text.pasted, self.text.tree)[:_MOST_SHAPES]
        first = next((layer.type for layer in model.layers if layer.type != "InputLayer"), "")
        for shape in dict.fromkeys(filter(None, [_without_batch(item, first) for item in stated])):
            shapes = {result.value.place: (None, *shape)}
            other = self._again(shapes=shapes).same_model(result)
            if other is not None and not other.faults and other.grade != "open":
                words = f"the input is {shape_text((None, *shape))}, as the text says"
                return other._replace(notes=(*other.notes, Note("stated", None, words)))
        return model

    def _again(self, **changes: Any) -> Program:
        """Return the program read once more, with other arguments in place of its own."""
        own = {"given": self.given, "modules": self.modules, "shapes": self.shapes, "stand_ins": self.stand_ins}
        return Program(**{"text": self.text, "path": self.path, **own, **changes})

    def changed(self, tree: ast.Module) -> Program:
        """Return a changed program, which is tried."""
        text = self.text._replace(tree=tree, is_changed=True)
        return self._again(text=text)

    def same_model(self, model: FoundModel) -> Model | None:
        """Return the model that another reading of the program has found; None where this one has none."""
        same = self.same_models(model)
        return self.model(same[0]) if same else None

    def same_models(self, model: FoundModel) -> list[FoundModel]:
        """Return the model that another reading of the program has found, if this one has it."""
        models = [self.requested(model.asked)] if model.asked else self.models()
        return [other for other in models if other.name == model.name and other.value.place == model.value.place]

    def results_inside(self) -> list[PlacedResult]:
        """Return what each statement inside of the `call` of a layer or a model of the program gives, in order."""
        results: list[PlacedResult] = []
        for framework in self.interpreter.frameworks:
            library = cast("GraphsOfLibrary", framework).graphs
            for node in library.recorder.nodes_inside:
                place = self.locate(node.place)
                specs = library.shapes.results(node) or [None]
                shapes = tuple([None if spec is None else as_recorded(spec)[0] for spec in specs])
                results.append(PlacedResult(place.line, place.column, place.file, shapes))
        return results

    def faults(self, others: Sequence[LayerExplainError] = ()) -> list[LayerExplainError]:
        """Return the errors of the program, and others, where they stand in the source."""
        faults = [*self.interpreter.effects.faults, *others]
        for error in faults:
            if error.source is None and error.line is not None:
                place = self.locate(Place("", error.line))
                error.source, error.line = place.file or None, place.line
        return faults

    def trees(self) -> list[tuple[str, ast.Module]]:
        """Return the code of the program and of each file that it imports, by their names."""
        modules = [self.interpreter.modules.get(path) for path in self.interpreter.imported]
        files = {module.frame.file.name: module.frame.file.tree for module in modules if isinstance(module, Module)}
        return [*sorted({**files, "": self.text.tree}.items())]

    @cached_property
    def names_training(self) -> bool:
        """Whether a step of training is named in the program or in what it imports."""
        from layerexplain.frontends.code.library.torch_found import STEPS

        nodes = [node for _, tree in self.trees() for node in walk(tree)]
        return any(getattr(node, field, "") in STEPS for node in nodes for field in ("attr", "id", "name"))

    def where(self, place: Place) -> str:
        """Return a place in words: `train.py:41`, `cell 3:12`, `line 12` of what was pasted."""
        result = self.locate(place)
        name = result.file or (os.path.basename(self.path) if self.path is not None else "")
        return f"{name}:{result.line}" if name else f"line {result.line}"

    def locate(self, place: Place) -> Place:
        """Return where a place in the text that is read stands in the source: in which cell of a notebook."""
        return place if place.file else self.text.locate(place.line)._replace(column=place.column)

    def located(self, unknown: Unknown) -> Unknown:
        """Return an unknown value with its place in the source."""
        place = self.locate(Place(unknown.file, unknown.line))
        option = unknown.option or unknown.name
        plain = option[-1:] in (")", "]") or option.rpartition(".")[2] in self._plain_names
        example = shape_example(self.text.tree, option) if option.endswith(".shape") else unknown.example * plain
        return unknown._replace(line=place.line, file=place.file, example=example)

    @cached_property
    def _plain_names(self) -> frozenset[str]:
        return plain_names(self.text.tree)

    def _changed_in_training(self, layer: LayerValue, place: str, keras_2: bool) -> Note:
        """Return the note on a layer whose `trainable` a training function does not know."""
        after = "compile()" if keras_2 else "the first fit()"
        does = "stays frozen" if layer.trainable else "is trained all the same"
        changed = f"{layer.name}.trainable = {layer.trainable} after {after}, and no compile() before fit() ({place})"
        return Note("trainable-after-compile", layer.name, f"{changed}: it {does}")

    def _missing_notes(self, model: ModelValue, in_layers: Sequence[tuple[Unknown, str]]) -> list[Note]:
        """Return a note for each value that is missing in what a model is compiled with, or in what starts, penalizes
        and constrains weights: all formulas and shapes are there without it."""
        missing = [*in_layers, *[(unknown, "") for unknown in missing_in(model.compiled)]]
        return [Note("open-setting", layer or None, words_of(self.located(unknown))) for unknown, layer in missing]


def imports_of(program: Program) -> list[Note]:
    """Return a note that names the files whose values may stand in a report though nobody named them."""
    result = program.interpreter.imported.items()
    own = os.path.abspath(program.path) if program.path is not None else ""
    names = [name for path, name in result if path != own and not program.modules.is_named(path)]
    words = f"the code imports {', '.join(names)}; this report may use values from there"
    return [Note("imports", None, words)] if names else []


def _without_batch(shape: tuple[int | None, ...], first: str) -> tuple[int | None, ...] | None:
    """Return a stated shape as the input of a model that begins with a layer; None where that takes other shapes."""
    declaration = find(first)
    axes = None if declaration is None else declaration.ndim
    if axes is None:
        # Rows of numbers are examples with their features for a layer that is usually given features alone.
        is_table = len(shape) == 2 and declaration is not None and len(sizes_in(example_of(declaration)[1][0])) == 1
        axes = len(shape) + (shape[0] is not None and not is_table)
    inner = shape if len(shape) == axes - 1 else shape[1:]
    return inner if len(inner) == axes - 1 and None not in inner else None


_MOST_SHAPES = 8
"""Shapes of a text that are tried as the input of a model."""
_AUTOMATIC = re.compile(r"(sequential|functional|model)(_\d+)?")


def _builds(function: Function, returns: bool = True) -> bool:
    """Return whether a function may give a model: it returns something, and names of Keras stand in it. Without
    `returns` whether it may make one and keep it to itself."""
    names = {node.attr if isinstance(node, ast.Attribute) else node.id for node in walk(function.node)
             if isinstance(node, ast.Attribute | ast.Name)}  # fmt: skip
    from layerexplain.frontends.code.library.keras_names import MODELS, layer_names

    gives = any(isinstance(node, ast.Return) and node.value is not None for node in walk(function.node))
    return gives is returns and bool(names & MODELS) and bool(names & (layer_names() | MODELS | {"Input"}))
