"""Which models a program of PyTorch has, and what a pasted error says of them: the model runs with each cure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.library.torch_emit import asked_shapes
from layerexplain.frontends.code.library.torch_graph import DataCalls, Run, batch_axis
from layerexplain.frontends.code.library.torch_modules import BuiltIn, is_module, module_type, named_modules
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.library.torch_training import LossSum, TorchTraining, is_loss
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.pasted_errors import Message, messages
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.sources import Text
from layerexplain.frontends.code.stated_inputs import fitting_inputs, stated_inputs, stated_of_several
from layerexplain.frontends.code.values.base import Place, ProgramError, Unknown
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance
from layerexplain.frontends.code.values.reading import MOST_TRIED, Assumption, Budget, Exhausted, File, Frame, walk
from layerexplain.lang.axes import BATCH, Batch
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.model import Note
from layerexplain.ops.sizes import product

# Torch found --------------------------------------------------------------------------------------------------------
# Which models a program of PyTorch has: modules of names, of functions and of classes.


class ReadProgram(Protocol):
    """A program that was read."""

    interpreter: Interpreter
    frame: Frame
    file: File
    text: Text
    path: str | None

    @property
    def names_training(self) -> bool:
        """Whether a step of training is named in the program or in what it imports."""

    def trees(self) -> list[tuple[str, ast.Module]]:
        """Return the code of the program and of each file that it imports, by their names."""

    def located(self, unknown: Unknown) -> Unknown:
        """Return an unknown value with its place in the source."""

    def notes_of_text(self, assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> list[Note]:
        """Return notes on the text beside a model that hangs on these choices and gaps."""

    def name_errors(
        self, assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]
    ) -> tuple[list[Assumption], list[LayerExplainError]]:
        """Return what is assumed of a model, and the errors of a whole script that uses names which it never
        defines."""

    def changed(self, tree: ast.Module) -> ReadProgram:
        """Return a changed program, which is tried."""

    def with_values(self, values: Mapping[str, int]) -> ReadProgram:
        """Return the program with values for names that it does not define: it is read once more."""


class Found:
    """A model of a program: its name there, and what it is. One that is made without arguments that it needs has sizes
    in their place; `refusal` says how to name it where they are none."""

    def __init__(self, name: str, value: Any, refusal: Callable[[], str] | None = None) -> None:
        self.name = name
        self.value = value
        self.refusal = refusal


def models(program: ReadProgram) -> list[Found]:
    """Return the models of a program: the modules that its names stand for; else those that it calls on data, else
    those that its functions give or call on data."""
    interpreter = program.interpreter
    named = {
        name: other
        for name, other in program.frame.names.items()
        if is_module(other) and not is_loss(module_type(other))
    }
    inside = {id(part) for item in named.values() for name, part in named_modules(item).items() if name}
    whole = {
        name: value for name, value in named.items() if not isinstance(value, BuiltIn) or value.children is not None
    }
    results = [Found(name, value) for name, value in (whole or named).items() if id(value) not in inside]
    results = list({id(result.value): result for result in results}.values())
    if results:
        called = {id(call.module) for call in interpreter.kept(DataCalls).calls}
        return [result for result in results if id(result.value) in called] or results
    return _called_alone(interpreter) or _kept_inside(interpreter) or _of_functions(program)


def _kept_inside(interpreter: Interpreter) -> list[Found]:
    """Return the models that functions such as `main()` make and keep to themselves: of each class the last one that is
    trained, or created, and no part of another."""
    every: list[Any] = [item for item in interpreter.kept(TorchProgram).finished if module_type(item) not in _LISTS]
    inside = {id(part) for item in every for name, part in named_modules(item).items() if name}
    trained = {id(use.model) for use in interpreter.kept(TorchTraining).called}
    outer = {
        class_name(item): item for item in sorted(every, key=lambda item: id(item) in trained) if id(item) not in inside
    }
    return [Found(name, value) for name, value in outer.items() if not is_loss(name)]


def _called_alone(interpreter: Any) -> list[Found]:
    """Return the models that are called on data where no name of the module stands for one; single modules where there
    is no other."""
    calls = [call for call in interpreter.kept(DataCalls).calls if not call.is_inside]
    called = {id(call.module): call.module for call in calls}
    whole = [item for item in called.values() if isinstance(item, Instance) or item.children is not None]
    return [Found(class_name(item), item) for item in whole or called.values()]


def _of_functions(program: ReadProgram) -> list[Found]:
    """Return the models of functions that can be called without arguments: what they return, else what they call on
    data, as the `test()` of a file of models does."""
    interpreter = program.interpreter
    interpreter.budget = Budget()
    functions = {
        name: other
        for name, other in program.frame.names.items()
        if isinstance(other, Function) and other.frame.file is program.file
    }
    ready = [
        name
        for name, function in functions.items()
        if not name.startswith("_") and all(each in interpreter.settings for each in function.signature.required)
    ]
    results = []
    for name in ready[:MOST_TRIED] or [name for name in functions if name in _PROGRAMS]:
        interpreter.effects.begin_statement(of_module=False)
        with suppress(ProgramError, Exhausted):
            missing = [each for each in functions[name].signature.required if each not in interpreter.settings]
            result = interpreter.call(functions[name], [], {each: interpreter.unknown(each) for each in missing})
            results += [Found(name, result)] if is_module(result) else []
    return results or _called_alone(interpreter) or _kept_inside(interpreter)


def follow_training(program: ReadProgram, module: Any) -> None:
    """Call the functions of a program that train what they are given, where it trains no model itself: the module, if
    it is the only one, is the argument that is used as a model, others are values of the program with their names. What
    they assume is of no model."""
    interpreter, names = program.interpreter, program.frame.names
    if any(use.model is not None for use in interpreter.kept(TorchTraining).called):
        return
    effects, training = interpreter.effects, interpreter.kept(TorchTraining)
    assumed, gaps, undefined = len(effects.assumptions), len(effects.gaps), {*effects.undefined}
    functions = [item for item in names.values() if isinstance(item, Function) and item.frame.file is program.file]
    for owner, function in [*[(None, function) for function in functions], *_methods([*names.values(), module])]:
        nodes = [node for node in walk(function.node) if isinstance(node, ast.Attribute)]
        is_step = owner is module and function.name in _STEPS
        if not is_step and (owner is module or not any(node.attr in _DESCENTS for node in nodes)):
            continue
        models = {node.value.id for node in nodes if node.attr in _OF_MODELS and isinstance(node.value, ast.Name)}
        required = function.signature.required[owner is not None :]
        given = {each: names.get(each, interpreter.unknown(each)) for each in required}
        models = {each for each in models if isinstance(given.get(each), Unknown)}
        given |= dict.fromkeys(models, module) if module is not None and len(models) == 1 else {}
        interpreter.budget = Budget()
        effects.begin_statement(of_module=False)
        with suppress(ProgramError, Exhausted):
            result = interpreter.call(function if owner is None else Bound(owner, function), [], given)
            training.descended += [loss for loss in each_in(result) if is_step and isinstance(loss, LossSum)]
    del effects.assumptions[assumed:], effects.gaps[gaps:]
    for name in effects.undefined.keys() - undefined:
        del effects.undefined[name]


def _methods(values: Sequence[Any]) -> list[tuple[Instance, Function]]:
    """Return the methods of objects that a program makes, each with its object."""
    objects = {id(value): value for value in values if isinstance(value, Instance)}.values()
    each = [
        (instance, method)
        for instance in objects
        for method in instance.cls.attributes.values()
        if isinstance(method, Function)
    ]
    return [(instance, method) for instance, method in each if not method.kind]


_STEPS = ("training_step", "configure_optimizers", "train_step")
"""Methods of modules of Lightning and of models of Keras that are a step of training."""
_DESCENTS = ("backward", "GradientTape")
STEPS = frozenset([*_STEPS, *_DESCENTS, "fit", "Trainer"])
"""Names in a program that has a step of training, its own or that of a library."""
_OF_MODELS = ("train", "eval", "parameters", "named_parameters", "trainable_variables", "trainable_weights")
"""Attributes that tell a model from other arguments."""

_LISTS = ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict")
_PROGRAMS = ("main", "train", "run", "demo")
"""Functions that are a whole program, whatever they are called with."""


def models_of_classes(program: ReadProgram) -> list[Found]:
    """Return the models that classes of the file make without arguments, but for classes that others use. Raises
    SourceError where none can be made."""
    interpreter = program.interpreter
    classes = {
        name: other
        for name, other in program.frame.names.items()
        if is_module_class(other) and (other.frame is None or other.frame.file is program.file)
    }
    used = {
        node.id
        for cls in classes.values()
        for method in cls.attributes.values()
        if isinstance(method, Function)
        for node in walk(method.node)
        if isinstance(node, ast.Name)
    }
    used |= {base.name for cls in classes.values() for base in cls.bases if isinstance(base, Class)}
    candidates = {name: cls for name, cls in classes.items() if name not in used} or classes
    results, refused = [], []
    for name, candidate in candidates.items():
        method = candidate.find("__init__")
        names = method.signature.required[1:] if isinstance(method, Function) else []
        missing = [each for each in names if each not in interpreter.settings]
        known = {each: value for each in missing if (value := _configuration(program, candidate, each)) is not None}
        try:  # without values for the others, which are sizes of the model then
            built = interpreter.call(
                candidate, [], {each: interpreter.call(value, [], {}) for each, value in known.items()}
            )
        except (ProgramError, Exhausted) as error:
            refused.append(f"{name}() raises {error}")
        else:
            refusal = (
                partial(_not_made, program, name, candidate, missing, known) if len(known) < len(missing) else None
            )
            results += [Found(name, built, refusal)] if is_module(built) else []
    if refused and not results:
        raise SourceError(refused[-1])
    return results


_CONFIGURATIONS = ("cfg", "conf", "args", "params", "opt", "hp")
"""What names of configuration objects have in them."""


def _configuration(program: ReadProgram, cls: Class, name: str) -> Class | None:
    """Return the class of the program whose object an argument is meant to be: that of its annotation, or the one class
    of configurations; None where it needs values itself."""
    method = cls.find("__init__")
    arguments = method.node.args if isinstance(method, Function) else ast.arguments([], [], None, [], [], None, [])
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    annotation = next((parameter.annotation for parameter in every if parameter.arg == name), None)
    value = program.frame.names.get(annotation.id) if isinstance(annotation, ast.Name) else None
    if not isinstance(value, Class) and any(word in name.lower() for word in _CONFIGURATIONS):
        named = [
            item
            for key, item in program.frame.names.items()
            if isinstance(item, Class)
            and not is_module_class(item)
            and any(word in key.lower() for word in _CONFIGURATIONS)
        ]
        value = named[0] if len(named) == 1 else None
    if not isinstance(value, Class) or is_module_class(value):
        return None
    with suppress(ProgramError, Exhausted):
        if not isinstance(program.interpreter.call(value, [], {}), Unknown):
            return value
    return None


_EXAMPLE = 8


def _not_made(program: ReadProgram, name: str, cls: Class, missing: Sequence[str], known: Mapping[str, Class]) -> str:
    """Return how to name a class that needs values, with numbers with which it can be made where there are such."""
    interpreter = program.interpreter
    texts = {each: f"{known[each].name}()" if each in known else str(_EXAMPLE) for each in missing}
    try:
        values = {each: interpreter.call(known[each], [], {}) if each in known else _EXAMPLE for each in missing}
        effects = interpreter.effects
        before = effects.uncertainties, len(effects.unknown_loops), len(effects.assumptions)
        is_made = is_module(interpreter.call(cls, [], values, whole=True))
        is_made = is_made and before == (effects.uncertainties, len(effects.unknown_loops), len(effects.assumptions))
    except (ProgramError, Exhausted):
        is_made = False
    if not is_made:
        texts |= {each: "…" for each in missing if each not in known}
    example = f"{name}({', '.join([f'{each}={text}' for each, text in texts.items()])})"
    words = f"no model is built at the top level: {name} needs {', '.join(missing)}"
    return f"{words}; name one{' with your values' * is_made}: {program.path or '-- -'}:'{example}'"


def is_module_class(value: Any) -> bool:
    """Return whether a value is a class of modules of the program."""
    root = value.root() if isinstance(value, Class) else None
    return root is not None and root.path.startswith("torch.nn.")


def class_name(module: Any) -> str:
    return module.cls.name if isinstance(module, Instance) else module_type(module)


def asked(program: ReadProgram, request: str) -> Found | None:
    """Return the model of a name or a call; None where it is not a PyTorch model."""
    try:
        tree = ast.parse(request.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    program.interpreter.budget = Budget()
    try:
        value = program.interpreter.value(tree, program.frame)
        if isinstance(value, Class | Function):
            value = program.interpreter.call(value, [], {})
    except Exhausted as error:
        raise SourceError(f"{request} {error}") from None
    except ProgramError as error:
        if not uses_torch(program):
            return None
        raise SourceError(f"{request} raises {error}", **(error.place or Place("", 0)).error_fields) from None
    return Found(request, value) if is_module(value) else None


def uses_torch(program: ReadProgram) -> bool:
    """Return whether a program makes modules of PyTorch."""
    return any(is_module(name) or is_module_class(name) for name in program.frame.names.values()) or bool(
        program.interpreter.kept(DataCalls).calls
    )


# Torch pasted -------------------------------------------------------------------------------------------------------
# What a pasted error of PyTorch says of the data, and cures that are tried: the model runs again with each.

Shapes = dict[str, tuple[Sequence[int | None], str]]
Runs = Callable[[Shapes], Run]
"""Runs a model on inputs of given shapes."""

_MOST_CHAINED = 4
"""How many modules are mended one after the other."""


def shapes_of_error(text: str, module: Any, names: Sequence[str], runs: Runs) -> Shapes:
    """Return the shape of a model's only input with which the model stops with the very message that a text holds; none
    where no usual shape gives it."""
    message = next((item for item in messages(text) if item.row.of_shapes), None)
    if message is None or len(names) != 1:
        return {}
    _, dtype = asked_shapes(module, names).get(names[0], ((), "float32"))
    for shape in dict.fromkeys(_candidates(message, module, names)):
        given: Shapes = {names[0]: (shape, dtype)}
        with suppress(LayerExplainError, Exhausted):
            run = runs(given)
            if any(_raises(message, *call) for call in run.refused_calls) or _mixes(message, run):
                return given
    return {}


def shapes_of_text(text: Text, module: Any, names: Sequence[str], runs: Runs) -> Shapes:
    """Return the shape of a model's only input that a text states: the first one that its first module takes and on
    which it runs to its end, else the first that that module takes; none where the text states none."""
    several = stated_of_several(text.pasted)
    if len(names) == len(several) > 1:
        return {name: (shape, "float32") for name, shape in zip(names, several, strict=True)}
    asked = asked_shapes(module, names).get(names[0]) if len(names) == 1 else None
    if asked is None:
        return {}
    stated, axis = stated_inputs(text.pasted, text.tree), batch_axis(module)
    fits = fitting_inputs(stated, asked[0], axis)
    size = asked[0][0] if len(asked[0]) == 1 else None
    whole = [item for item in stated if size is not None and product([each or 0 for each in item]) == size]
    shapes: list[Shapes] = [
        {names[0]: (shape, asked[1])} for shape in dict.fromkeys((*whole, *fits)) if None not in shape
    ]
    for shape in shapes:
        with suppress(LayerExplainError, Exhausted):
            run = runs(shape)
            if not run.faults and not run.opened:
                return shape
    return {names[0]: (fits[0], asked[1])} if fits else {}


def _mixes(message: Message, run: Run) -> bool:
    """Return whether a run gives as many rows for each example as the message says that there are."""
    rows, examples = message.parts.got, message.parts.needs
    if message.row.layers or type(rows) is not int or type(examples) is not int:
        return False
    if run.cut_rows is not None:
        total, row = run.cut_rows
        return total * examples == rows * row
    first = [item.spec.shape[0] for item in flat(run.result) if isinstance(item, Tensor) and item.spec.shape]
    return bool(first) and isinstance(first[0], Batch) and first[0].times * examples == rows * first[0].per


def _candidates(message: Message, module: Any, names: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield shapes of one example that the message itself states, then usual ones for the first module."""
    parts = message.parts
    for whole in (parts.input, parts.got):
        if type(whole) is tuple and len(whole) > 1 and None not in whole:
            yield whole[1:]
    asked = asked_shapes(module, names).get(names[0])
    if asked is None:
        return
    shape = asked[0]
    rank = shape.count(None)
    own = [part for part in parts.values() if type(part) is int and part > 0]
    for size in (*USUAL_SIZES, *own) if rank else (0,):
        yield tuple([size if number is None else number for number in shape])
    for size in own:  # the first module gets another size than it asks for
        at = 0 if rank > 1 or shape[:1] != (None,) else len(shape) - 1
        for other in USUAL_SIZES[:4]:
            yield tuple([size if i == at else other if number is None else number for i, number in enumerate(shape)])


def _raises(message: Message, type_: str, config: Mapping[str, Any], specs: Sequence[Spec | None]) -> bool:
    """Return whether PyTorch says this of a call that it refuses."""
    if not message.is_of(type_.rpartition(".")[2], config) or not specs or specs[0] is None:
        return False
    parts, shapes = message.parts, [spec.shape for spec in specs if spec is not None]
    shape = shapes[0]
    if type(parts.input) is tuple:
        return len(shape) == len(parts.input) and all(
            a == b or a is BATCH for a, b in zip(shape, parts.input, strict=True)
        )
    if type(parts.rows) is int:
        times = product([size for size in shape[:-1] if isinstance(size, int)]) or 1
        return shape[-1] == parts.got and parts.rows % times == 0
    if type(parts.a) is int:
        pairs = {(a, b) for item in shapes for other in shapes for a in item for b in other}
        return len(shapes) > 1 and (parts.a, parts.b) in pairs
    if type(parts.got) is tuple:
        return len(shape) == len(parts.got) and all(a == b or a is BATCH for a, b in zip(shape, parts.got, strict=True))
    if type(parts.size) is int:
        known = product([size for size in shape if isinstance(size, int)])
        return type_.endswith(("view", "reshape")) and isinstance(known, int) and parts.size % max(known, 1) == 0
    return bool(message.row.layers) and type(parts.got) is int and parts.got in shape


def with_tried_cures(run: Run, module: Any, again: Callable[[], Run]) -> None:
    """Try what the faults of a run propose: the module gets the argument, and the model runs again. What does not let
    it run to its end, also with the cures of what comes behind, is taken out of the fault's words."""
    leaves = {name: value for name, value in named_modules(module).items() if isinstance(value, BuiltIn)}
    for fault in run.faults[:1]:
        edit = next((item for item in fault.edits if item.argument), None)
        if edit is None or fault.layer not in leaves:
            continue
        more = _mended(fault, leaves, again)
        if more is None:
            fault.fact = fault.fact.replace(f"{edit.words}, or c", "c")
            fault.edits = ()
        elif more:
            behind = " and ".join([f"{argument}={value} in '{name}'" for name, argument, value in more])
            fault.fact = fault.fact.replace(edit.words, f"{edit.words}, and then {behind}")


def _mended(fault: LayerExplainError, leaves: Mapping[str, BuiltIn], again: Callable[[], Run]) -> list[Any] | None:
    """Return what else has to change for a model to run, once the cure of a fault is applied; None where it does not
    run all the same."""
    changed: list[tuple[BuiltIn, dict[str, Any]]] = []
    more: list[tuple[str, str, str]] = []
    try:
        for _ in range(_MOST_CHAINED):
            edit = next((item for item in fault.edits if item.argument and item.value.isdecimal()), None)
            leaf = leaves.get(fault.layer or "")
            if edit is None or leaf is None:
                return None
            changed.append((leaf, leaf.config))
            leaf.config = {**leaf.config, edit.argument: int(edit.value)}
            if len(changed) > 1:
                more.append((str(fault.layer), edit.argument, edit.value))
            try:
                run = again()
            except (LayerExplainError, Exhausted):
                return None
            if not run.faults:
                return more
            fault = run.faults[0]
        return None
    finally:
        for leaf, config in reversed(changed):
            leaf.config = config
