"""What a pasted error of PyTorch says of the data, and cures that are tried: the model runs again with each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.torch_emit import asked_shapes
from layerexplain.frontends.code.library.torch_graph import Run
from layerexplain.frontends.code.library.torch_modules import BuiltIn, named_modules
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.pasted_errors import Message, messages
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.bounds import Exhausted
from layerexplain.lang.axes import BATCH, Batch
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.ops.sizes import product

Shapes = dict[str, tuple[Sequence[int | None], str]]
Runs = Callable[[Shapes], Run]
"""Runs a model on inputs of given shapes."""

_MOST_CHAINED = 4
"""How many modules are mended one after the other."""


def shapes_of_error(text: str, module: Any, names: Sequence[str], runs: Runs) -> Shapes:
    """Return the shape of a model's only input with which the model stops with the very message that a text holds; none
    where no usual shape gives it."""
    message = next((one for one in messages(text) if one.row.of_shapes), None)
    if message is None or len(names) != 1:
        return {}
    _, dtype = asked_shapes(module, names).get(names[0], ((), "float32"))
    for shape in dict.fromkeys(_candidates(message, module, names)):
        given: Shapes = {names[0]: (shape, dtype)}
        with suppress(LayerExplainError, Exhausted):
            run = runs(given)
            if any(_raises(message, *one) for one in run.refused_calls) or _mixes(message, run):
                return given
    return {}


def _mixes(message: Message, run: Run) -> bool:
    """Return whether a run gives as many rows for each example as the message says that there are."""
    rows, examples = message.parts.got, message.parts.needs
    if message.row.layers or type(rows) is not int or type(examples) is not int or rows % examples:
        return False
    first = [one.spec.shape[0] for one in flat(run.result) if isinstance(one, Tensor) and one.spec.shape]
    return bool(first) and isinstance(first[0], Batch) and first[0].times == rows // examples


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
    own = [one for one in parts.values() if type(one) is int and one > 0]
    for size in (*USUAL_SIZES, *own) if rank else (0,):
        yield tuple([size if one is None else one for one in shape])
    for size in own:  # the first module gets another size than it asks for
        at = 0 if rank > 1 or shape[:1] != (None,) else len(shape) - 1
        for other in USUAL_SIZES[:4]:
            yield tuple([size if i == at else other if one is None else one for i, one in enumerate(shape)])


def _raises(message: Message, type_: str, config: Mapping[str, Any], specs: Sequence[Spec | None]) -> bool:
    """Return whether PyTorch says this of a call that it refuses."""
    if not message.is_of(type_.rpartition(".")[2], config) or not specs or specs[0] is None:
        return False
    parts, shapes = message.parts, [one.shape for one in specs if one is not None]
    shape = shapes[0]
    if type(parts.input) is tuple:
        return len(shape) == len(parts.input) and all(
            a == b or a is BATCH for a, b in zip(shape, parts.input, strict=True)
        )
    if type(parts.rows) is int:
        times = product([one for one in shape[:-1] if isinstance(one, int)]) or 1
        return shape[-1] == parts.got and parts.rows % times == 0
    if type(parts.a) is int:
        pairs = {(a, b) for one in shapes for other in shapes for a in one for b in other}
        return len(shapes) > 1 and (parts.a, parts.b) in pairs
    if type(parts.got) is tuple:
        return len(shape) == len(parts.got) and all(a == b or a is BATCH for a, b in zip(shape, parts.got, strict=True))
    if type(parts.size) is int:
        known = product([one for one in shape if isinstance(one, int)])
        return type_.endswith(("view", "reshape")) and isinstance(known, int) and parts.size % max(known, 1) == 0
    return bool(message.row.layers) and type(parts.got) is int and parts.got in shape


def with_tried_cures(run: Run, module: Any, again: Callable[[], Run]) -> None:
    """Try what the faults of a run propose: the module gets the argument, and the model runs again. What does not let
    it run to its end, also with the cures of what comes behind, is taken out of the fault's words."""
    leaves = {name: one for name, one in named_modules(module).items() if isinstance(one, BuiltIn)}
    for fault in run.faults[:1]:
        edit = next((one for one in fault.edits if one.argument), None)
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
            edit = next((one for one in fault.edits if one.argument and one.value.isdecimal()), None)
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
