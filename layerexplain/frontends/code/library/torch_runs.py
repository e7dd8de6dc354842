"""On which inputs the models of a PyTorch program run: data that the program gives them, or sizes that fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

from layerexplain.call_signature import CallSignature
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.signatures import overloads
from layerexplain.frontends.code.library.torch_graph import CallOnData, DataCalls, Run, batch_axis
from layerexplain.frontends.code.library.torch_modules import BuiltIn, module_type
from layerexplain.frontends.code.library.torch_numbers import Numbers
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.frontends.code.values.operators import Rebuilding, rebuilt
from layerexplain.frontends.code.values.program import Function, Instance
from layerexplain.frontends.code.values.reading import Budget, Exhausted
from layerexplain.lang.axes import BATCH, Batch
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.layers.registry import TORCH, find, of_torch

_MASKS = frozenset(["attn_mask", "src_mask", "tgt_mask", "memory_mask", "mask"])
"""Arguments that are one for all examples, where they have two axes."""
ShapesOfInputs = dict[str, tuple[Sequence[int | None], str]]


def run_on_data(interpreter: Any, module: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Run a module on the shapes of data that the program gives it, and note what it was given."""
    named = {**dict(zip(_input_names(module, len(args)), args, strict=True)), **kwargs}
    masks = {
        name: value
        for name, value in named.items()
        if name in _MASKS and isinstance(value, Array) and len(value.shape) < 3
    }
    named = {name: value for name, value in named.items() if name not in masks}
    axis = 0
    axes = axes_of_batch(named, axis)
    shapes, whole, others = _given(interpreter, module, named, axes)
    if batch_axis(module) and axis_of_batch(interpreter, module, shapes, others, axes):
        axis = 1
        axes = axes_of_batch(named, axis)
        shapes, whole, others = _given(interpreter, module, named, axes)
    others |= masks
    if not shapes:
        sizes = [item for item in named.values() if isinstance(item, Unknown) and item.example]
        interpreter.kept(DataCalls).missing += sizes
        return interpreter.unknown("the result of a module that is called on data")
    first = next(iter(whole))
    batch = whole[first][0][axes[first]]
    for known in reversed(interpreter.kept(DataCalls).calls):
        # A loop calls it again and again.
        given = whole if known.run.alone else shapes
        is_same = known.module is module and (known.shapes, known.others) == (given, others)
        if is_same and known.is_current:
            return _as_data(known.result, batch, interpreter)
    run, given = Run(interpreter, module, axis=axis, axes=axes), shapes
    result = follow(run, shapes, others)
    more: ShapesOfInputs = {}  # 2 axes with the batch second may also be steps and features
    for name, (shape, dtype) in whole.items() if batch is not None else ():
        if len(shape) == axis + 1 and (size := shape[-1]) is not None:
            more[name] = ((*shape[:-1], size + 1), dtype)
    fails = partial(_faults_of_batch, interpreter, module)
    is_alone = len(more) == len(whole) and not fails(whole, others) and fails(more, others)
    if batch is not None and (run.faults or is_alone):  # PyTorch may take the data as one example
        one_example = Run(interpreter, module, alone=True)
        other = follow(one_example, whole, others)
        if not one_example.faults and not one_example.opened:
            run, result, given = one_example, other, whole
        elif any(item is value for item in named.values() for value in interpreter.settings.values()):
            of_one = Run(interpreter, module)  # a text may state the shape of one example
            other = follow(of_one, whole, others)
            run, result, given = (run, result, given) if of_one.faults else (of_one, other, whole)
    elif batch is not None and not (run.opened or run.gaps):
        run.faults += _faults_of_batch(interpreter, module, whole, others)
    known = CallOnData(module, given, others, run, result, interpreter.effects.mark(), interpreter.unfinished > 0)
    interpreter.kept(DataCalls).calls.append(known)
    return _as_data(result, batch, interpreter)


def _faults_of_batch(
    interpreter: Any, module: Any, whole: ShapesOfInputs, others: Mapping[str, Any]
) -> list[LayerExplainError]:
    """Return the faults that a module has with so many examples as the program gives it: sizes of the batch that code
    takes from another axis, or writes as a number."""
    run = Run(interpreter, module, alone=True)
    with suppress(Exhausted):
        follow(run, whole, others)
    return [] if run.opened or run.gaps else run.faults


def _given(
    interpreter: Any, module: Any, named: Mapping[str, Any], axes: Mapping[str, int]
) -> tuple[ShapesOfInputs, ShapesOfInputs, dict[str, Any]]:
    """Return the shapes of data by the names of forward's arguments, without the axis of the examples and with it, and
    the arguments that are no data, or masks that have no axis of the examples."""
    shapes: ShapesOfInputs = {}
    whole: ShapesOfInputs = {}
    others: dict[str, Any] = {}
    for name, value in named.items():
        at = axes.get(name, 0)
        first = next(iter(whole), "")
        batch = whole[first][0][axes[first]] if first else None
        has_axes = isinstance(value, Array) and bool(value.shape)
        if has_axes and "mask" in name and batch is not None and value.shape[at] != batch:
            others[name] = value
        elif has_axes and all(i == at or isinstance(n, int) for i, n in enumerate(value.shape)):
            whole[name] = (value.shape, str(value.dtype))
            shapes[name] = ((*value.shape[:at], *value.shape[at + 1 :]), str(value.dtype))
        elif value is None or type(value) in (bool, int, float, str):
            others[name] = value
        elif name in parameter_names(module):
            others[name] = value if isinstance(value, Unknown) else interpreter.unknown(f"what {name} is called with")
    return shapes, whole, others


def axes_of_batch(named: Mapping[str, Any], axis: int) -> dict[str, int]:
    """Return the axis of the examples in each array: `axis`, unless others alone have one size in all of them, as the
    states of an LSTM have it behind that of its layers."""
    shapes = {name: tuple(value.shape) for name, value in named.items() if isinstance(value, Array) and value.shape}
    usual = {name: min(axis, len(shape) - 1) for name, shape in shapes.items()}
    counts = dict.fromkeys(shapes[name][at] for name, at in usual.items())
    common = [count for count in counts if count is not None and all(count in shape for shape in shapes.values())]
    if len(counts) < 2 or not common:
        return usual
    return {name: at if shapes[name][at] == common[0] else shapes[name].index(common[0]) for name, at in usual.items()}


def axis_of_batch(
    interpreter: Any,
    module: Any,
    shapes: Mapping[str, Any],
    others: Mapping[str, Any],
    axes: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Return the axis of the examples in the inputs of a model: 0 where it moves that axis itself to where its modules
    look for it, as `x.transpose(0, 1)` before an LSTM does."""
    if not batch_axis(module) or not shapes:
        return 0
    trial = Run(interpreter, module, axis=0, axes=axes)
    follow(trial, shapes, others)
    return int(trial.batch_met[:1] != [1])


def _input_names(module: Any, count: int) -> list[str]:
    """Return the names of the first arguments of a module's `forward`: `input_2` for one without a name."""
    forward = module.cls.find("forward") if isinstance(module, Instance) else None
    declaration = find(of_torch(module_type(module))) if isinstance(module, BuiltIn) else None
    of_block = next(iter(overloads(f"{TORCH}{module_type(module)}.forward")), CallSignature(("x",)))
    of_built_in = of_block.positional if declaration is None else declaration.tensors
    names = forward.names[1:] if isinstance(forward, Function) else of_built_in
    return [names[i] if i < len(names) else f"input_{i}" for i in range(count)]


def _as_data(result: Any, batch: Any, interpreter: Any) -> Any:
    def data(value: Any, inside: Rebuilding) -> Any:
        if not isinstance(value, Tensor):
            return interpreter.unknown("the result of a module that is called on data")
        shape = value.spec.shape
        return Numbers(tuple([(batch and batch * n.times) if isinstance(n, Batch) else n for n in shape]))

    return rebuilt(result, data)


def follow(
    run: Run, shapes: Mapping[str, tuple[Sequence[int | None], str]], others: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    """Run the model on inputs of these shapes, by the names of its arguments; `others` are arguments that are no
    tensors."""
    given = {name: run.input(name, shape, dtype) for name, (shape, dtype) in shapes.items()}
    others = {name: value for name, value in others.items() if name not in given}
    run.interpreter.kept(TorchProgram).runs.append(run)
    try:
        if list(given) == _input_names(run.model, len(given)):
            return run.start(list(given.values()), others)
        return run.start([], {**given, **others})
    finally:
        run.interpreter.kept(TorchProgram).runs.pop()


def run_on(
    interpreter: Any,
    module: Any,
    shapes: ShapesOfInputs,
    others: Mapping[str, Any] = MappingProxyType({}),
    *,
    alone: bool = False,
) -> Run:
    """Return a run of a module of its own on inputs of these shapes."""
    interpreter.effects.begin_statement(of_module=False)
    interpreter.budget = Budget()
    run = Run(interpreter, module, alone=alone, axis=0 if alone else axis_of_batch(interpreter, module, shapes, others))
    follow(run, shapes, others)
    return run


def takes_input(interpreter: Any, module: Any, names: Sequence[str], shape: Sequence[int]) -> bool | None:
    """Return whether a module takes an input of a shape; None where that is not known."""
    try:
        run = run_on(interpreter, module, {names[0]: (shape, "float32")})
    except Exhausted:
        return None
    if run.opened:
        return None
    # A view(-1, features) of another size takes it as well, and makes several rows of each example.
    tensors = [item for item in flat(run.result) if isinstance(item, Tensor)]
    return not run.faults and all(tensor.spec.shape[:1] == (BATCH,) for tensor in tensors)


def asks_for_size(reads: Callable[[Sequence[int]], bool | None], shape: Sequence[int]) -> bool:
    """Return whether a model takes an input because of its size: others of the usual sizes do not fit."""
    others = [size for size in USUAL_SIZES[:3] if size != shape[-1]]
    return any(reads((shape[0], *[size] * (len(shape) - 1))) is False for size in others)


def parameter_names(module: Any) -> list[str]:
    """Return the names of the arguments of a module's `forward` that have no default."""
    forward = module.cls.find("forward") if isinstance(module, Instance) else None
    if not isinstance(forward, Function):
        return ["x"]
    required = [name for name in forward.names[1:] if name in forward.signature.required]
    return required or [*forward.names[1:2]] or ["x"]
