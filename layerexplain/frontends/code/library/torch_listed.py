"""A PyTorch model whose `forward` is not shown: its modules, each on the input that its own arguments ask for.

A Sequential calls its parts in order, so that one part tells the next what it gets. What calls the others is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.torch_graph import Run, Stopped
from layerexplain.frontends.code.library.torch_modules import (
    BUILT_IN,
    BuiltIn,
    children_of,
    first_modules,
    module_type,
    named_modules,
)
from layerexplain.frontends.code.library.torch_parameters import has_unknown_weights, own_weights
from layerexplain.frontends.code.library.torch_program import TorchProgram
from layerexplain.frontends.code.library.torch_state import ModuleState
from layerexplain.frontends.code.recorder.shapes import as_recorded
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.frontends.code.values.program import Function, Instance
from layerexplain.layers.declaration import Spec
from layerexplain.layers.torch.construction import asked_inputs
from layerexplain.model import Layer, StoredGroup, TensorRef

_LISTS = ("ModuleList", "ModuleDict")
"""Containers that hold modules and call none of them."""


def has_no_forward(module: Any) -> bool:
    """Return whether nothing shows on what a module calls its parts: a class without `forward`, a list of modules."""
    if isinstance(module, BuiltIn):
        return module.children is not None and module.type in _LISTS
    is_bare = isinstance(module, Instance) and module_type(module) in ("Module", *_LISTS)
    return is_bare and not isinstance(module.cls.find("forward"), Function)


def list_parts(run: Run) -> None:
    """Put the modules of the model of a run, which has no `forward`, into its rows: shapes as their arguments say."""
    run.interpreter.kept(TorchProgram).runs.append(run)
    try:
        with run.interpreter.kept(ModuleState).of_run(run):
            for part in _runnable(run.model):
                _call(run, part)
            for leaf in _leaves(run.model):
                if id(leaf) not in run.placed:
                    _call(run, leaf)
                if id(leaf) not in run.placed and has_unknown_weights(leaf):
                    run.opened += [one for one in leaf.declared[1].values() if isinstance(one, Unknown)]
                elif id(leaf) not in run.placed and not own_weights(leaf):
                    _list(run, leaf)
    finally:
        run.interpreter.kept(TorchProgram).runs.pop()
    _keep_rows(run)


def _runnable(module: Any) -> Iterator[Any]:
    """Yield the outermost parts of a module that say what they compute, in order."""
    waiting = [module]
    while waiting:
        part = waiting.pop()
        if has_no_forward(part):
            waiting += reversed(children_of(part).values())
        else:
            yield part


def _leaves(module: Any) -> Iterator[BuiltIn]:
    for part in named_modules(module).values():
        own = part.attributes.get(BUILT_IN) if isinstance(part, Instance) else part
        if isinstance(own, BuiltIn) and own.children is None:
            yield own


def _call(run: Run, part: Any) -> None:
    """Call a part on the input that its first module asks for, if that says which."""
    first = next(first_modules(part), None)
    specs = () if first is None else _asked(first)
    if not specs or (part is not first and len(specs) > 1):
        return
    opened, faults = [*run.opened], [*run.faults]
    try:
        run.run(part, [run.input("x", as_recorded(spec)[0][1:], str(spec.dtype)) for spec in specs], {})
    except Stopped:
        run.opened = opened  # sizes that the arguments do not say
        if part is not first and any(None in shape for shape in _given_shapes(run)):
            run.faults = faults


def _list(run: Run, leaf: BuiltIn) -> None:
    """Add a row for a module without weights that takes tensors of any shape."""
    row = run.layer(run.names.get(id(leaf), ""), leaf.type, {"group": StoredGroup(()), "uncalled": False}, leaf.place)
    run.placed[id(leaf)] = row._replace(kind="custom")
    run.builder.layers.append(run.placed[id(leaf)])


def _given_shapes(run: Run) -> list[Sequence[int | None]]:
    return [as_recorded(spec)[0] for _, _, specs in run.refused_calls[-1:] for spec in specs if spec is not None]


def _asked(module: BuiltIn) -> Sequence[Spec]:
    type_, config = module.declared
    if any(isinstance(one, Unknown) for one in config.values()):
        return ()
    try:
        return asked_inputs(type_, config)
    except LayerExplainError:
        return ()


def _keep_rows(run: Run) -> None:
    """Keep the modules of a run with the shapes of their first calls, in the order of the model: no call, no operation
    between modules, and no parameter, which gets the row of one that nothing calls."""
    builder = run.builder
    order = {name: at for at, name in enumerate(named_modules(run.model))}
    layers: list[Layer] = []
    for layer in sorted([one for one in builder.layers if one.name in order], key=lambda one: order[one.name]):
        _, given = run.sources.get(TensorRef(layer.name).key, ("", []))
        shapes = tuple([as_recorded(tensor.spec)[0] for tensor in given])
        layers.append(layer._replace(build_shape=shapes or None))
    run.placed = {key: layer for key, layer in run.placed.items() if layer.name in order}
    run.kept = []
    builder.layers, builder.calls, builder.inputs = layers, [], []
    run.outputs = []
