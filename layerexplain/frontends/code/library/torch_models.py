"""The `Model` of each model of a PyTorch program: that which is asked for, or the main one."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.library.torch_emit import (
    RunEmitter,
    asked_shapes,
    example_shape,
    first_asked,
    has_no_forward,
    list_parts,
    modules_in_lists,
)
from layerexplain.frontends.code.library.torch_found import (
    Found,
    ReadProgram,
    asked,
    class_name,
    follow_training,
    models,
    shapes_of_error,
    shapes_of_text,
    with_tried_cures,
)
from layerexplain.frontends.code.library.torch_graph import DataCalls, Run, batch_axis
from layerexplain.frontends.code.library.torch_modules import (
    BuiltIn,
    children_of,
    first_modules,
    named_modules,
    trainable_since,
)
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.library.torch_runs import (
    ShapesOfInputs,
    asks_for_size,
    axis_of_batch,
    follow,
    parameter_names,
    run_on,
    takes_input,
)
from layerexplain.frontends.code.library.torch_training import TorchTraining, with_torch_training
from layerexplain.frontends.code.pasted_errors import message_of
from layerexplain.frontends.code.recorder.grade import grade_of, missing_sizes, notes_of, with_others, words_of
from layerexplain.frontends.code.repairs import mend
from layerexplain.frontends.code.stated_inputs import stated_inputs
from layerexplain.frontends.code.values.base import Place, Unknown
from layerexplain.frontends.code.values.program import Instance
from layerexplain.frontends.code.values.reading import Budget, Exhausted, kept_with_tree, walk
from layerexplain.model import InputShapes, Model, Note, PlacedResult, SourceCode
from layerexplain.ops.sizes import shape_text


def torch_model(program: ReadProgram, results: list[Found], request: str) -> Model | None:
    """Return the model that is asked for by its name or a call, else the last of those found that is called on data,
    trained, or created; None where there is none."""
    if request:
        known = next((result for result in results if result.name == request), None) or asked(program, request)
        return None if known is None else read_model(program, known)
    if not results:
        return None
    called = {id(call.module): at for at, call in enumerate(program.interpreter.kept(DataCalls).calls)}
    follow_training(program, results[0].value if len(results) == 1 else None)
    trained = {id(use.model) for use in program.interpreter.kept(TorchTraining).called}
    main = max(
        results,
        key=lambda result: (called.get(id(result.value), -1), id(result.value) in trained, results.index(result)),
    )
    model = read_model(program, main)
    if main.refusal is not None and not (model.source_code and model.source_code.missing):
        raise SourceError(main.refusal())
    if model.faults and not program.text.is_changed:
        mend(program.text.tree, model, partial(_read_changed, program, main, model))
    return with_others(model, [result.name for result in results if result is not main], program.path)


def _read_changed(program: ReadProgram, result: Found, model: Model, tree: ast.Module) -> Model | None:
    """Return the same model of a changed program, on the same input; None where an example is no row of its own."""
    changed = program.changed(tree)
    same = [other for other in models(changed) if other.name == result.name]
    if not same:
        return None
    inputs = [layer for layer in model.layers if layer.type == "InputLayer"]
    sizes = [(layer.config.get("batch_shape") or ())[1:] for layer in inputs]
    if len(inputs) != 1 or not sizes[0] or not all(isinstance(size, int) for size in sizes[0]):
        return read_model(changed, same[0])
    names = parameter_names(same[0].value)
    reads = takes_input(changed.interpreter, same[0].value, names, sizes[0])
    return read_model(changed, same[0], {names[0]: sizes[0]}) if reads else None


def read_model(program: ReadProgram, result: Found, shapes: InputShapes | None = None) -> Model:
    """Return a model of a program, run on the given shapes, or on those that the program itself gives."""
    interpreter = program.interpreter
    module = result.value
    if has_no_forward(module):
        return _listed_model(program, result)
    call = next((item for item in reversed(interpreter.kept(DataCalls).calls) if item.module is module), None)
    emitted: dict[str, Model] = {} if call is None else call.run.emitted
    if not shapes and result.name in emitted:
        return emitted[result.name]
    known = call.shapes if call is not None else {}
    names = parameter_names(module)
    given: dict[str, tuple[Sequence[int | None], str]]
    if shapes:
        dtypes = {name: known[name][1] for name in shapes if name in known}
        given = {
            name: (tuple(size), dtypes.get(name) or _dtype_for(module, len(size))) for name, size in shapes.items()
        }
    else:
        given = dict(known)
    # The program may call another model of the same class.
    cls = module.cls if isinstance(module, Instance) and not given else ""
    alike = [item for item in interpreter.kept(DataCalls).calls if getattr(item.module, "cls", None) is cls]
    elsewhere = dict(alike[0].shapes) if alike else {}
    inferred: ShapesOfInputs = {}
    stated: ShapesOfInputs = {}
    if program.text.pasted and not (given or elsewhere):
        runs = partial(run_on, interpreter, module)
        inferred = given = shapes_of_error(program.text.pasted, module, names, runs)
        if not given:
            stated = given = shapes_of_text(program.text, module, names, runs)
    supposed = {} if given else elsewhere or asked_shapes(module, names)
    reads = partial(takes_input, interpreter, module, names)
    example = () if given or elsewhere or len(names) != 1 else example_shape(module, reads)
    guessed: ShapesOfInputs = {}
    if program.text.pasted and example and asks_for_size(reads, example):
        guessed = given = {names[0]: (tuple(example), "float32")}
        supposed = {}
    follows_call = call is not None and given == known and call.is_current and not call.run.is_finished
    alone = call is not None and given == known and call.run.alone
    others = call.others if call is not None else {}
    if call is not None and follows_call:
        run = call.run
    else:
        interpreter.budget = Budget()
        axis = axis_of_batch(interpreter, module, given or supposed, others)
        run = Run(interpreter, module, alone=alone, axis=axis, axes={} if call is None else call.run.axes)
    if not follows_call and (given or supposed):
        interpreter.effects.begin_statement(of_module=False)
        interpreter.budget = Budget()
        try:
            follow(run, given or supposed, others)
        except Exhausted as error:
            raise SourceError(f"{result.name} {error}") from None
        if not given and (run.faults or run.opened):
            run, supposed, elsewhere = Run(interpreter, module), {}, {}
    if given and run.faults:
        with_tried_cures(run, module, partial(run_on, interpreter, module, given, others, alone=alone))
        fits = example_shape(module, reads) if len(names) == 1 else ()
        if fits and asks_for_size(reads, fits):
            run.faults[0].fact += f"; an input of {shape_text((None, *fits))} fits"
    given = given or elsewhere
    model = RunEmitter(run).model(result.name if result.name.isidentifier() else class_name(module))
    descends = interpreter.kept(TorchProgram).descends
    if descends:
        interpreter.kept(TorchTraining).created.clear()  # a loss that is made and not called is another one
    model = with_torch_training(model, module, interpreter.kept(TorchTraining), run.result, run.losses,
                                has_step=descends or program.names_training)  # fmt: skip
    model = model if inferred else _with_pasted_error(program, module, model)
    opened = [(program.located(item), name) for item, name in [*run.gaps, *[(each, "") for each in run.opened]]]
    if given and not (run.outputs or run.losses or opened or run.faults):
        opened.append((Unknown(f"forward of {class_name(module)} returns no tensor"), ""))
    if not given:
        model = model if supposed else _without_input(model, names, module)
        words = f"the input of {class_name(module)} has no shape in the code"
        opened += [(program.located(unknown), "") for unknown in interpreter.kept(DataCalls).missing]
        first = first_asked(module, example)
        reason = Unknown(f"{words}{f'; {first}' if first else ''}", lacks="shape")
        opened.append((reason, ""))
    statements = {item.statement for item in named_modules(module).values() if isinstance(item, BuiltIn | Instance)}
    statements |= trainable_since(module)
    effects = interpreter.effects
    assumed = [
        assumption
        for assumption in (*effects.assumptions, *effects.undefined.values())
        if run.is_uncertain or assumption in run.undefined or effects.meets(statements, assumption)
    ]
    chosen, name_errors = program.name_errors(assumed, opened)
    notes: list[Note] = list(notes_of(chosen, opened))
    for ref in run.compared:
        words = (
            f"forward returns the value of its loss; the output listed here is what the loss compares: {ref.layer!r}"
        )
        notes.append(Note("loss-returned", None, words))
    notes += [Note("unregistered", name, f"'{name}' {words}") for name, words in run.unregistered.items()]
    if not given and not supposed:  # nothing is called
        notes += [Note("unregistered", None, _LISTED.format(name)) for name in modules_in_lists(module)]
    notes += dict.fromkeys(run.notes)
    notes += program.notes_of_text(assumed, opened)
    for name, (shape, _) in inferred.items():
        words = f"{name} has the shape {shape_text((None, *shape))}: the pasted error is raised with it"
        notes.append(Note("from-error", name, words))
    for name, (shape, _) in guessed.items():
        words = f"the text states no input: {name} is assumed to be {shape_text((None, *shape))}"
        notes.append(Note("assumed-input", name, f"{words}, the first usual size that the model takes"))
    for name, (shape, _) in stated.items():
        whole = (*shape[: run.axis], None, *shape[run.axis :])
        notes.append(Note("stated", name, f"{name} is {shape_text(whole)}, as the text says"))
    own = module.cls.attributes if isinstance(module, Instance) else {"__init__": None}
    wrong = next((name for name in own if name[:1] == "_" and name.strip("_") in ("init", "int", "inti")), "")
    if wrong and "__init__" not in own:
        words = f"{module.cls.name} has a method {wrong}, which Python never calls; its constructor is named __init__"
        notes.append(Note("misspelt-init", None, words))
    if line := _sums_gradients(program.text.tree):
        where = interpreter.where(Place("", line))
        words = f"the training loop never calls zero_grad() ({where})"
        notes.append(Note("gradients-add-up", None, words))
    faults = (*model.faults, *name_errors)
    model = model._replace(
        format="code",
        notes=(*notes, *model.notes),
        faults=faults,
        grade="open" if faults else "assumed" if guessed and not opened else grade_of(chosen, opened),
    )
    wanted = tuple(given) or tuple(names)
    # The message names what the user asked for with an option; `x.flatten` is only what the program reads next.
    whys = [
        (unknown, words_of(unknown) if unknown.name.isidentifier() or unknown.example else unknown.reason)
        for unknown, _ in opened
    ]
    ends = [PlacedResult(unknown.line, 0, unknown.file, (None,), reason=why) for unknown, why in whys if unknown.line]
    results = [*run.returned, *ends]
    again, with_values = partial(_again, program, result, wanted), partial(_with_values, program, result)
    code = SourceCode(
        lambda: results, again, missing_sizes(program.text.tree, opened), with_values, run.needs, program.trees()
    )
    model = model._replace(source_code=code)
    if follows_call:
        emitted[result.name] = model
    return model


def _listed_model(program: ReadProgram, result: Found) -> Model:
    """Return a model whose `forward` is not shown: its modules, with what their arguments say of their inputs, or
    called in their order on an input that the text states, where they fit."""
    module = result.value
    if (in_order := _called_in_order(program, result)) is not None:
        return in_order
    name = class_name(module)
    run = Run(program.interpreter, module)
    list_parts(run)
    model = RunEmitter(run).model(result.name if result.name.isidentifier() else name)
    model = _with_pasted_error(program, module, model)
    words = f"{name} is shown without its forward: the modules are listed in order, what calls them is not known"
    opened = [(program.located(unknown), "") for unknown in run.opened]
    notes = [Note("no-forward", None, words), *notes_of([], opened), *program.notes_of_text((), opened)]
    notes += [Note("unregistered", None, _LISTED.format(each)) for each in modules_in_lists(module)]
    return model._replace(format="code", grade="open", notes=(*notes, *model.notes))


def _called_in_order(program: ReadProgram, result: Found) -> Model | None:
    """Return a model whose `forward` is not shown with its parts called one after the other on an input that the text
    states, flattened before the first Linear; None where they do not fit, or only as an error beside them says."""
    parts = children_of(result.value)
    text = program.text.pasted
    if not text or any(map(has_no_forward, parts.values())) or not stated_inputs(text, program.text.tree):
        return None
    place = program.interpreter.place()
    chained: dict[str, Any] = {}
    for name, part in parts.items():
        first = next(first_modules(part), None)
        types = [module.type for chain in chained.values() for module in first_modules(chain)]
        if first is not None and first.type == "Linear" and any(type_[-1:] == "d" for type_ in types):
            chained["flatten"] = BuiltIn("Flatten", {}, place)
        chained[name] = part
    try:
        model = read_model(program, Found(result.name, BuiltIn("Sequential", {}, place, chained)))
    except LayerExplainError:
        return None
    is_stated = any(note.code in ("stated", "from-error") for note in model.notes)
    known = message_of(text)
    if not is_stated or (model.faults and not (known and known.row.of_shapes)) or not model.calls:
        return None
    added = ", with a flatten before the first Linear" if "flatten" in chained else ""
    words = f"forward is not shown: the modules are assumed to be called in this order{added}"
    return model._replace(
        type=class_name(result.value),
        grade="open" if model.faults else "assumed",
        notes=(Note("no-forward", None, words), *model.notes),
    )


def _with_pasted_error(program: ReadProgram, module: Any, model: Model) -> Model:
    """Return a model with the fault that an error says which was pasted with its code, where reading finds none."""
    if not program.text.pasted or program.text.is_changed or model.faults:
        return model
    from layerexplain.frontends.code.pasted_errors import pasted_fault

    leaves = {name: value for name, value in named_modules(module).items() if isinstance(value, BuiltIn)}
    configs = {name: (leaf.type, leaf.config) for name, leaf in leaves.items()}
    fault = pasted_fault(program.text.pasted, program.text.tree, configs, of_shapes=True)
    if fault is None:
        return model
    place = program.interpreter.locate(leaves[fault.layer].place) if fault.layer else None
    if place is not None and fault.line not in (None, place.line):
        fault.fact += f"; the module is made in line {place.line}"
    elif place is not None:
        fault.with_place(**place.error_fields)
    return model._replace(faults=(fault,))


@kept_with_tree
def _sums_gradients(tree: ast.Module) -> int:
    """Return the line of a call of backward() in a loop that takes steps, where the program never clears gradients."""
    attributes = [node for node in walk(tree) if isinstance(node, ast.Attribute)]
    if any(node.attr in ("zero_grad", "grad") for node in attributes):
        return 0
    for loop in walk(tree):
        if isinstance(loop, ast.For | ast.While):
            calls = {
                node.func.attr: node.lineno
                for node in walk(loop)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            }
            if "backward" in calls and "step" in calls:
                return calls["backward"]
    return 0


_LISTED = (
    "'{}' is a list of modules but not a ModuleList or ModuleDict: model.parameters() does not have their parameters"
)


def _again(program: ReadProgram, result: Found, names: Sequence[str], shapes: InputShapes) -> Model | None:
    if not all(name in shapes for name in names):
        return None
    return read_model(program, result, {name: shapes[name] for name in names})


def _with_values(program: ReadProgram, result: Found, values: Mapping[str, int]) -> Model | None:
    """Return the same model of the program with values for names that it does not define."""
    filled = program.with_values(values)
    return torch_model(filled, [model for model in models(filled) if model.name == result.name], result.name)


def _without_input(model: Model, names: Sequence[str], module: Any) -> Model:
    """Return the model with inputs of unknown shapes: its modules are counted."""
    from layerexplain.frontends.model_builder import ModelBuilder
    from layerexplain.model import Layer

    builder = ModelBuilder({layer.name for layer in model.layers})
    config = {"batch_shape": None, "dtype": _dtype_for(module, 1), "batch_axis": batch_axis(module)}
    for name in names:
        builder.add_input(Layer(builder.names.take(name), "InputLayer", "layer", config))
    built = builder.model(model.name, [], type_=model.type)
    return model._replace(layers=(*built.layers, *model.layers), calls=built.calls, inputs=built.inputs)


def _dtype_for(module: Any, axes: int) -> str:
    """Whole numbers where the first module that computes is an Embedding."""
    first = next(first_modules(module), None)
    return "int64" if first is not None and first.type.startswith("Embedding") and axes < 2 else "float32"
