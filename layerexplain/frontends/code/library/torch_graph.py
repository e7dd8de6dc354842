"""The calls of one run of a PyTorch model (one object, hence the length). PyTorch computes
as it goes, so that the shape of each tensor is known where the program asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from layerexplain.call_signature import CallSignature
from layerexplain.errors import LayerExplainError, ShapeError, SourceError
from layerexplain.frontends.code.library.signatures import overloads
from layerexplain.frontends.code.library.torch import BLOCKS, Gradients, ModuleState, call_block
from layerexplain.frontends.code.library.torch_cures import cure, misfit
from layerexplain.frontends.code.library.torch_modules import (
    BUILT_IN,
    BuiltIn,
    is_module,
    module_type,
    named_buffers,
    named_modules,
    named_parameters,
)
from layerexplain.frontends.code.library.torch_program import (
    HOOKS,
    PRE_HOOKS,
    OfModule,
    Parameter,
    run_of,
    weight_shapes,
)
from layerexplain.frontends.code.library.torch_tensors import Tensor, dtype_of, with_batch
from layerexplain.frontends.code.library.torch_tensors import function as tensor_function
from layerexplain.frontends.code.library.torch_training import LossSum
from layerexplain.frontends.code.recorder.grade import names_of_unknowns, without_unknowns
from layerexplain.frontends.code.recorder.shapes import as_recorded, flat
from layerexplain.frontends.code.values.array import Array, in_a_tuple
from layerexplain.frontends.code.values.base import Place, ProgramError, Unknown
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import Bound, Function, Instance
from layerexplain.frontends.code.values.reading import RESULT, Assumption
from layerexplain.frontends.model_builder import ModelBuilder
from layerexplain.lang.axes import BATCH, Need, has_batch, needs_of_batch
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.known_definitions import definition_at, outline
from layerexplain.layers.registry import TORCH, find, of_torch
from layerexplain.layers.torch.construction import at_first_call, output_padding
from layerexplain.model import Layer, Model, Note, PlacedResult, TensorRef
from layerexplain.records import NamedTuple, sources_first

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.effects import Mark
    from layerexplain.frontends.code.machine.interpreter import Interpreter


SAME_MEMORY = frozenset(["dropout", "dropout1d", "dropout2d", "dropout3d", "identity", "detach"])
"""Modules and functions that return their input itself."""
KEEPS_MEMORY = SAME_MEMORY | {"relu", "tanh", "sigmoid", "gelu"}
"""Those whose result lies in memory as their input does."""
_ONE_TENSOR = CallSignature(("input",))
"""What the forward of most modules takes."""
_NO_ATTRIBUTE = "is called but is not registered with the model: model.parameters() does not have its parameters"
_NO_PARAMETER = "is a parameter and no attribute of the model: model.parameters() does not have it"
_DROPS = "F.dropout without training=self.training drops values in eval mode too; what follows is without that"


class CallOnData(NamedTuple):
    """A call of a module on data that the program gives it: their shapes and the `others` of its arguments by name, the
    run on them, what it returns, the moment after it, and whether it is a step in the making of another module."""

    module: Any
    shapes: Mapping[str, tuple[Sequence[int | None], str]]
    others: Mapping[str, Any]
    run: Run
    result: Any
    mark: Mark
    is_inside: bool = False

    @property
    def is_current(self) -> bool:
        """Return whether the program has assigned no attribute of the module, or of a part of it, since the call."""
        changes = self.run.interpreter.effects.since(self.mark).changed_attributes
        parts = {id(item) for item in named_modules(self.module).values()} if changes else set()
        return all(id(change.owner) not in parts for change in changes)


class DataCalls:
    """The calls of modules on data in one program."""

    def __init__(self) -> None:
        self.calls: list[CallOnData] = []
        self.missing: list[Unknown] = []
        """Sizes of data that are not known, of which a model therefore has no shape."""


class Stopped(Exception):
    """A run ended at a call that PyTorch refuses; its fault is kept."""


def batch_axis(model: Any) -> int:
    """Return the axis of the examples in the inputs of a model: the second one where the first module that computes,
    but for an Embedding, reads steps first."""
    leaves = [
        module for module in named_modules(model).values() if isinstance(module, BuiltIn) and module.children is None
    ]
    first = next((leaf for leaf in leaves if not leaf.type.startswith(("Embedding", "Dropout"))), None)
    declaration = find(of_torch(first.type)) if first is not None else None
    if first is None or declaration is None or "batch_first" not in declaration.arguments:
        return 0
    return int(first.config.get("batch_first", False) is False)


class Run:
    """One run of a model on inputs of given shapes. `opened` is why something is not known."""

    def __init__(
        self, interpreter: Interpreter, model: Any, *, alone: bool = False, axis: int | None = None, axes: Any = None
    ) -> None:
        self.interpreter = interpreter
        self.axis, self.axes = batch_axis(model) if axis is None else axis, dict(axes or {})
        """The axis of the examples in its inputs, and that in each of them, by its name."""
        self.batch_met: list[int] = []
        """The axis of the examples in what modules are given that read steps first."""
        self.alone = alone
        """Whether its inputs are one example without an axis for the batch."""
        self.model = model
        names = named_modules(model)
        self.names = {id(module): name for name, module in names.items() if name}
        self.parameters = {id(value): name for name, value in named_parameters(model).items()}
        self.buffers = {id(value): name for name, value in named_buffers(model).items()}
        self.builder = ModelBuilder({*names, *self.parameters.values(), *self.buffers.values()})
        self.scope: list[str] = []
        self.placed: dict[int, Layer] = {}
        self.faults: list[LayerExplainError] = []
        self.cut_rows: tuple[int, int] | None = None
        """The values of an example, and of the rows that they do not divide into, where a view is refused for that."""
        self.refused_calls: list[tuple[str, Mapping[str, Any], Sequence[Spec | None]]] = []
        """The calls that PyTorch refuses: the type, the arguments, and what they get."""
        self.opened: list[Unknown] = []
        self.gaps: list[tuple[Unknown, str]] = []
        """The arguments of modules that are not known, where the run goes on; each with its row."""
        self.inputs: list[Tensor] = []
        self.specs: dict[str, Spec] = {}
        self.outputs: list[TensorRef] = []
        self.kept: list[Parameter | Array] = []
        self.sources: dict[Any, tuple[str, list[Tensor]]] = {}
        """What made each call's results: the type, and its tensors."""
        self.gradients = Gradients(self)
        self.losses: list[LossSum] = []
        self.result: Any = None
        """The losses that the model gives out."""
        self.compared: list[TensorRef] = []
        """What these compare and `forward` does not return."""
        self.targets: list[TensorRef] = []
        """The tensors that these compare outputs with."""
        self.unregistered: dict[str, str] = {}
        """The modules with parameters that are called, and the parameters, that are in no attribute of the model; what
        follows from that."""
        self.notes: list[Note] = []
        self.needs: Iterable[Need] = ()
        """What the reader of the code has to know of it."""
        self.returned: list[PlacedResult] = []
        """What modules give that consist of others, in order."""
        self.undefined: set[Assumption] = set()
        """The names without a definition that it uses."""
        self.is_finished = False
        self.emitted: dict[str, Model] = {}
        """What was read of it, by the name of the model: a program that is kept is asked again."""
        self.depth = len(interpreter.callers)
        self.is_uncertain = any(
            isinstance(item, Instance) and item.is_uncertain for item in named_modules(model).values()
        )
        """Whether the model, or the run, hangs on a choice that only running the program would confirm."""

    # Tensors --------------------------------------------------------------------------------------------------------

    def input(self, name: str, shape: Sequence[int | None], dtype: str = "float32") -> Tensor:
        """Return a new input; its shape is without the batch."""
        name, axis = self.builder.names.take(name), min(self.axes.get(name, self.axis), len(shape))
        config: dict[str, Any] = {"batch_shape": (*shape[:axis], None, *shape[axis:]), "dtype": dtype}
        config |= {"batch_shape": tuple(shape), "alone": True} if self.alone else {"batch_axis": axis} if axis else {}
        ref = self.builder.add_input(Layer(name, "InputLayer", "layer", config))
        sizes = tuple(shape) if self.alone else (*shape[:axis], BATCH, *shape[axis:])
        tensor = Tensor(self, ref, Spec(sizes, "float" if dtype == "float32" else dtype))
        self.inputs.append(tensor)
        return tensor

    def stored(self, value: Parameter | Array) -> Tensor:
        """Return a parameter, or numbers that the program makes, as a tensor of the run: a row of its own."""
        layer = self.placed.get(id(value))
        of_module = self.names.get(id(value.owner), "") if isinstance(value, OfModule) else ""
        is_parameter = isinstance(value, Parameter) and (bool(of_module) or id(value) in self.parameters)
        shape = value.shape if isinstance(value, Parameter) else tuple(value.shape)
        if not all(isinstance(size, int) for size in shape):
            raise self.unknown("the size of a tensor that the program makes is not known")
        dtype = "float32" if isinstance(value, Parameter) else str(getattr(value, "dtype", "float32"))
        values = value.values if isinstance(value, Array) else None
        if layer is None or (values is not None and layer.config.get("values", values) != values):  # changed in place
            free = f"{of_module}.{value.name}" if isinstance(value, OfModule) and of_module else self.inside("constant")
            own = None if id(value) in self.placed else self.buffers.get(id(value))
            name = self.parameters.get(id(value)) or own or self.builder.names.take(free)
            type_ = "Parameter" if is_parameter else "Buffer"
            config: dict[str, Any] = {"shape": shape} if is_parameter else {"shape": shape, "dtype": dtype}
            if values and all(type(item) in (int, float, bool) for item in values):
                config["values"] = values
            layer = self.layer(name, f"{TORCH}{type_}", config)._replace(registered=is_parameter or own is not None)
            self.placed[id(value)] = layer
            self.builder.add_layer(layer, ())
            self.kept.append(value)  # its identity is in use
            if type(value) is Parameter and not is_parameter:
                self.unregistered[name] = _NO_PARAMETER
        tensor = Tensor(self, TensorRef(layer.name), Spec(shape, dtype_of(dtype)))
        self.gradients.note_weights([tensor] if isinstance(value, Parameter) else [])
        return tensor

    def unknown(self, reason: str) -> Stopped:
        """Note what is not known, and return what ends the run."""
        self.opened.append(self.interpreter.unknown(reason))
        return Stopped()

    def refused(self, fact: str, layer: str | None = None) -> Stopped:
        """Keep the fault of a call that PyTorch refuses, and return what ends the run."""
        place = self.interpreter.locate(self.interpreter.place())
        self.faults.append(ShapeError(fact).with_place(layer=layer, **place.error_fields))
        return Stopped()

    def inside(self, name: str) -> str:
        """Return a name below the module that runs now."""
        return ".".join([*self.scope[-1:], name]).lstrip(".")

    def layer(self, name: str, type_: str, config: Mapping[str, Any], place: Place | None = None) -> Layer:
        """Return a layer at the place that is read now, or at another one."""
        where = self.interpreter.locate(place or self.interpreter.place())
        return Layer(name, type_, "layer", config, **where.row_fields)

    # Calls ----------------------------------------------------------------------------------------------------------

    def call(self, layer: Layer, declaration: Declaration, tensors: Sequence[Any], place: Place | None = None) -> Any:
        """Call a layer: its results, one tensor or a tuple; `place` is where the call stands, if not where the reading
        is. Raises Stopped where PyTorch refuses it."""
        interpreter = self.interpreter
        if run_of(interpreter) is not self:
            return interpreter.unknown("what is computed from a tensor of a run that has ended")
        operands = self._operands(tensors)
        specs = [tensor.spec if isinstance(tensor, Tensor) else None for tensor in operands]
        place = interpreter.locate(place or interpreter.place())
        config, missing = without_unknowns(layer.type, layer.config)
        layer = layer._replace(config=config, missing=names_of_unknowns(layer.config) if missing else ())
        self.gaps += [(item, layer.name) for item in missing]
        constants = {i: item for i, item in enumerate(operands) if isinstance(item, int | float | bool)}

        try:
            found = self._results(declaration, config, specs, constants, missing)
        except LayerExplainError as error:
            error.fact += cure(self, layer.type, operands)
            self.refused_calls.append((layer.type, config, specs))
            if layer.line not in (None, place.line) and layer.file == place.file:
                error.fact += f"; the module is made in line {layer.line}"
            self.faults.append(error.with_place(layer=layer.name, **place.error_fields))
            raise Stopped from None
        if len(found) > 1:
            interpreter.budget.make(len(found) * RESULT)
        refs = tuple([tensor.ref if isinstance(tensor, Tensor) else tensor for tensor in operands])
        if layer.name not in self.builder.counts:
            self.builder.layers.append(layer)
        callers = tuple([interpreter.where(caller) for caller in interpreter.callers[: self.depth : -1][:3]])
        ref = self.builder.call(layer.name, refs, callers=callers, **place.row_fields)
        self.sources[ref.key] = (layer.type, [tensor.now for tensor in operands if isinstance(tensor, Tensor)])
        self.gradients.note_call(ref.key, self.sources[ref.key][1])
        return self._as_tensors(layer.type, ref, found, [item for item in operands if isinstance(item, Tensor)])

    def _operands(self, tensors: Sequence[Any]) -> list[Any]:
        """Return what a layer is called on as it is now, parameters and arrays as rows. Raises Stopped for what is no
        tensor, or not known."""
        operands = [self.stored(tensor) if isinstance(tensor, Parameter | Array) else tensor for tensor in tensors]
        inside = next((item for item in operands if is_module(item)), None)
        if inside is not None:
            type_ = module_type(inside)
            raise self.refused(
                f"a module is given where a tensor is needed; write nn.{type_}()(x) in place of nn.{type_}(x)"
            )
        unknown = next((item for item in operands if isinstance(item, Unknown)), None)
        if unknown is not None:
            self.opened.append(unknown)
            raise Stopped
        if any(isinstance(tensor, Tensor) and tensor.run is not self for tensor in operands):
            raise self.unknown("a tensor that an earlier call of the model left behind")
        interpreter = self.interpreter
        interpreter.budget.call(len(operands))
        interpreter.effects.record_model_event()
        for tensor in operands:
            if isinstance(tensor, Tensor):
                tensor.changes.catch_up(tensor)
        return [self.gradients.seen(tensor) if isinstance(tensor, Tensor) else tensor for tensor in operands]

    def _as_tensors(self, type_: str, ref: TensorRef, found: Mapping[str, Spec], operands: Sequence[Tensor]) -> Any:
        """Return the results of a call: one tensor, which may lie in the memory of its input, or a tuple."""
        results = [Tensor(self, ref._replace(output=i), spec) for i, spec in enumerate(found.values())]
        for result, result_name in zip(results, found, strict=True):
            result.result_name = result_name
        name = type_.rpartition(".")[2].lower()
        if len(operands) == 1 and name in KEEPS_MEMORY:
            results[0].order = operands[0].order
            if name in SAME_MEMORY:
                results[0].lies_in(operands[0])
        return results[0] if len(results) == 1 else tuple(results)

    def _results(
        self,
        declaration: Declaration,
        config: Mapping[str, Any],
        specs: Sequence[Spec | None],
        constants: Mapping[int, Any],
        missing: Sequence[Unknown],
    ) -> dict[str, Spec]:
        """Return what a layer gives, by its names there; a size is None that depends on what is not known. Raises
        Stopped where the number of axes depends on it."""

        def define(config: Mapping[str, Any], specs: Sequence[Spec | None]) -> Definition:
            return definition_at(declaration, specs, declaration.bind(config), constants=constants)

        try:
            return {name: Spec(e.shape, e.dtype) for name, e in define(config, specs).results.items()}
        except LayerExplainError:
            is_open = bool(self.gaps) and any(None in spec.shape for spec in specs if spec is not None)
            if not missing and not is_open:
                raise
        known = outline(declaration, config, specs, define, has_open_sizes=is_open)
        if known is None:
            self.opened += missing or [item for item, _ in self.gaps]
            raise Stopped
        return known.results

    def operation(self, name: str, tensors: Sequence[Any], config: Mapping[str, Any], *, row: str = "") -> Any:
        """Call a function of torch, or of einops by its whole name, which is a row of its own; `row` is another name
        for that."""
        type_ = name if "." in name else f"torch.{name}"
        declaration = find(type_)
        if declaration is None:
            raise self.unknown(f"layerexplain cannot read {type_}(…)")
        own = {key: value for key, value in config.items() if key in declaration.arguments}
        free = self.builder.names.take(self.inside(row or name.rpartition(".")[2]))
        if name == "dropout" and own.get("training", True) is True:
            self.notes.append(Note("dropout-always", free, _DROPS))
        return self.call(self.layer(free, type_, own), declaration, tensors)

    def function(self, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
        """Return what `torch.name(x, …)` or `x.name(…)` gives; `path` is the function whose arguments these are."""
        return tensor_function(self, name, args, kwargs, path)

    def numbers(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return numbers that the program makes: those of the batch are a row."""
        from layerexplain.frontends.code.library.torch_numbers import numbers

        sizes = in_a_tuple(args)
        if name in ("zeros", "ones") and has_batch(sizes):
            return self.operation(name, [], {"shape": with_batch(sizes)})
        return numbers(name, args, kwargs, self.interpreter)

    def module(
        self, module: BuiltIn, args: Sequence[Any], kwargs: Mapping[str, Any], *, in_sequence: bool = False
    ) -> Any:
        """Call a module of PyTorch. One that a Sequential calls stands where it is made."""
        type_, config = module.declared
        config = dict(config)
        if type_.startswith("Lazy") and args and isinstance(args[0], Tensor):
            type_, size = at_first_call(type_, args[0].spec.shape)
            if not all(isinstance(item, int) for item in size.values()):
                raise self.unknown(f"the size of the input of nn.{module.type} is not known")
            config = {**size, **config}
        declaration = find(of_torch(type_))
        unknown = next((argument for argument in args if isinstance(argument, Unknown)), None)
        if declaration is None or unknown is not None:
            self.opened.append(unknown or self.interpreter.unknown(f"layerexplain has no formula for nn.{module.type}"))
            raise Stopped
        if args and type(args[0]) is tuple and len(declaration.tensors) == 1 and len(args[0]) > 1:
            raise self.refused(f"nn.{type_} needs one tensor, got (output, states); take the first: x, _ = self.rnn(x)")
        tensors, own = self._bound(module.type.removeprefix("Lazy"), declaration, config, args, kwargs)
        config |= own
        if tensors and isinstance(tensors[0], Tensor) and declaration.arguments.keys() & {"batch_first"}:
            steps_first = not config.get("batch_first", False) and len(tensors[0].spec.shape) == 3
            self.batch_met += [i for i, size in enumerate(tensors[0].spec.shape) if size is BATCH and steps_first]
        if fact := misfit(module, tensors):
            raise self.refused(fact, self.names.get(id(module)))
        name = self.names.get(id(module)) or self.builder.names.take(self.inside(module.type.lower()))
        if id(module) not in self.names and module is not self.model and weight_shapes(module):
            self.unregistered[name] = _NO_ATTRIBUTE
            self.names[id(module)] = name
        layer = self.placed.get(id(module)) or self.layer(name, of_torch(type_), config, module.place)
        if {**layer.config, **own} != layer.config:
            raise self.unknown(f"nn.{module.type} is called with other arguments than before")
        if name in self.unregistered:
            layer = layer._replace(registered=False)
        result = self.call(layer, declaration, tensors, module.place if in_sequence else None)
        self.placed[id(module)] = layer
        if weight_shapes(module):
            self.gradients.note_weights([item for item in flat(result) if isinstance(item, Tensor)])
        if module.is_in_place and isinstance(args[0], Tensor):
            return args[0].become(self.interpreter, result)
        return _structured(module.type, result)

    def _bound(
        self,
        type_: str,
        declaration: Declaration,
        config: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the tensors of a call of a module, and its arguments that are configuration, by the order of PyTorch's
        `forward`."""
        signature = next(iter(overloads(f"{TORCH}{type_}.forward")), _ONE_TENSOR)
        signature = signature._replace(required=(), any_count="more")  # whose number the formula judges
        kwargs = {"input" if name == "x" else name: value for name, value in kwargs.items()}
        if (wrong := signature.misfit(len(args), kwargs)) is not None:
            raise self.refused(f"{type_} {wrong.words}")
        bound = signature.bind(args, kwargs)
        if fact := _wrong_states(type_, len(declaration.tensors) - 1, bound.get("hx")):
            raise self.refused(fact)
        of_tensors = [name for name in signature.names if name not in declaration.arguments]
        names = of_tensors[: len(declaration.tensors)]
        unread = [name for name in of_tensors[len(names) :] if bound.get(name) is not None]
        own = {name: value for name, value in bound.items() if name in declaration.arguments}
        if unread == ["output_size"] and isinstance(x := bound["input"], Tensor):
            padding = output_padding(config, x.spec.shape, bound["output_size"])
            unread, own = ([], {"output_padding": padding}) if padding is not None else (unread, own)
        if unread:
            raise self.unknown(f"layerexplain cannot read the argument {unread[0]} of nn.{type_}(…)")
        last = max([place for place, name in enumerate(names) if name in bound], default=-1)
        placed = [*[bound.get(name) for name in names[: last + 1]], *bound["more"]]
        return [item for value in placed for item in (value if isinstance(value, list | tuple) else [value])], own

    def run(self, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call any module: the program's own by its `forward`."""
        if isinstance(value, BuiltIn) and value.children is None:
            return self._between_hooks(value, args, kwargs, partial(self.module, value))
        place = self.interpreter.locate(self.interpreter.place())
        result = self._between_hooks(value, args, kwargs, partial(self._run_parts, value))
        name = self.names.get(id(value), "")
        if name:
            shapes = tuple([as_recorded(item.spec)[0] for item in flat(result) if isinstance(item, Tensor)])
            self.returned.append(PlacedResult(place.line, place.column, place.file, shapes, name))
        return result

    def _between_hooks(
        self, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any], call: Callable[..., Any]
    ) -> Any:
        """Call a module between its hooks, which may put other tensors in the place of what it takes and gives."""
        hooks = value.attributes if isinstance(value, BuiltIn | Instance) else {}
        if unknown := unknown_in([hooks.get(PRE_HOOKS), hooks.get(HOOKS)]):
            self.opened.append(unknown)
            raise Stopped
        for hook, has_kwargs in hooks.get(PRE_HOOKS, ()):
            changed = self.interpreter.call(hook, [value, tuple(args), *[dict(kwargs)] * has_kwargs], {})
            if changed is not None and has_kwargs:
                raise self.unknown("a hook that changes the arguments of a module by their names")
            args = args if changed is None else changed if type(changed) is tuple else (changed,)
        result = call(args, kwargs)
        for hook, has_kwargs in hooks.get(HOOKS, ()):
            changed = self.interpreter.call(hook, [value, tuple(args), *[dict(kwargs)] * has_kwargs, result], {})
            result = result if changed is None else changed
        return result

    def _run_parts(self, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if isinstance(value, BuiltIn):
            result = args[0] if args else None
            if value.type in BLOCKS:
                return call_block(self, value, args, kwargs)
            if value.type not in ("Sequential",) or value.children is None:
                raise self.unknown(f"nn.{value.type} is called")
            return self._in_order(list(value.children.values()), result)
        if not isinstance(value, Instance):
            return self.interpreter.call(value, list(args), dict(kwargs))
        forward = value.cls.find("forward")
        self.scope.append(self.names.get(id(value), ""))
        try:
            if isinstance(forward, Function):
                return self.interpreter.call(Bound(value, forward), list(args), dict(kwargs))
            if module_type(value) == "Sequential":
                result = args[0] if args else None
                return self._in_order(
                    [attribute for attribute in value.attributes.values() if is_module(attribute)], result
                )
            if (built_in := value.attributes.get(BUILT_IN)) is not None:
                return self.built_in(value, built_in, args, kwargs)
            raise self.unknown(f"{value.cls.name} has no `forward`")
        finally:
            self.scope.pop()

    def _in_order(self, children: Sequence[Any], x: Any) -> Any:
        for child in children:
            x = self.part(child, [x], {})
        return x

    def part(self, part: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a part of a module that calls its parts itself."""
        if isinstance(part, BuiltIn) and part.children is None:
            return self._between_hooks(part, args, kwargs, partial(self.module, part, in_sequence=True))
        return self.run(part, args, kwargs)

    def built_in(self, owner: Instance, module: BuiltIn, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call the module of PyTorch that a user-defined class is made of."""
        self.names.setdefault(id(module), self.names.get(id(owner), ""))
        return self.module(module, args, kwargs)

    def start(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run the model and keep its outputs."""
        result: Any = None
        effects = self.interpreter.effects
        uncertain, gaps, uses = effects.uncertainties, len(effects.gaps), effects.uses_of_undefined
        effects.pending.clear()
        try:
            with self.interpreter.kept(ModuleState).of_run(self), needs_of_batch() as self.needs:
                result = self.run(self.model, args, kwargs)
        except Stopped:
            pass
        except ProgramError as error:
            where = self.interpreter.locate(error.place or self.interpreter.place())
            if self.opened and not error.certain:  # what is not known may be why
                self.opened.append(self.interpreter.unknown(f"line {where.line} raises {error}"))
            else:
                self.faults.append(SourceError(str(error)).with_place(**where.error_fields))
        self.result = result
        self.is_uncertain |= effects.uncertainties != uncertain or bool(effects.pending)
        self.opened += effects.gaps[gaps:]
        self.undefined |= effects.undefined_since(uses)
        for item in each_in(result):
            if isinstance(item, Tensor):
                with suppress(Stopped):
                    item.changes.catch_up(item)
                    item = self.gradients.seen(item)
                self.outputs.append(item.ref)
            elif isinstance(item, LossSum):
                self.losses.append(item)
            elif isinstance(item, Unknown):
                self.opened.append(item)
        compared = [tensor.ref for loss in self.losses for _, _, tensor in loss.terms]
        if len(set(compared)) < len(compared):
            words = "forward adds several losses of one output, of which layerexplain explains none"
            self.opened.append(self.interpreter.unknown(words))
        self.compared = [ref for ref in compared if ref not in self.outputs]
        self.outputs = [*self.compared, *self.outputs]
        self._leave_out_rows()
        return result

    def before(self, ref: TensorRef) -> dict[Any, tuple[str, list[Tensor]]]:
        """Return the calls that a tensor comes from, inputs included, by their keys."""

        def source(key: Any) -> tuple[str, list[Tensor]]:
            return self.sources.get(key, ("", []))

        keys = sources_first([ref.key], lambda key: [tensor.ref.key for tensor in source(key)[1]])
        return {key: source(key) for key in keys}

    def _leave_out_rows(self) -> None:
        """Leave out what leads to the targets of losses alone, which training gives, and unread detached tensors."""
        targets = {key for ref in self.targets for key in self.before(ref)} if self.losses else set()
        read = {tensor.ref.key for _, operands in self.sources.values() for tensor in operands}
        kept = {key for key, (type_, _) in self.sources.items() if type_ == "torch.detach" and key not in read}
        alone = (targets | kept) - {key for ref in self.outputs for key in self.before(ref)}
        builder = self.builder
        builder.calls = [item for item in builder.calls if item.key not in alone]
        builder.inputs = [ref for ref in builder.inputs if ref.key not in alone]
        names = {name for name, _ in alone} - {item.layer for item in builder.calls}
        builder.layers = [inner_layer for inner_layer in builder.layers if inner_layer.name not in names]


def _wrong_states(type_: str, count: int, given: Any) -> str:
    """Return what a recurrent module refuses of the states that it is given: an LSTM takes the pair (h, c), in a cell
    too, and others take h alone; "" where they fit. An LSTM also splits one tensor in which both are stacked."""
    number = len(given) if isinstance(given, list | tuple) else 1 if isinstance(given, Tensor | Array) else None
    if number is None or (number == count and (count == 1) != isinstance(given, list | tuple)):
        return ""
    shape = () if isinstance(given, list | tuple) else given.spec.shape if isinstance(given, Tensor) else given.shape
    if count == 1:
        words = "take h alone" if number > 1 else "leave out the brackets and the comma"
        return f"{type_} needs one tensor h as its state, got a {type(given).__name__}; {words}"
    if type_ == "LSTM" and len(shape or ()) > 2 and shape[0] == 2:
        return ""
    got = f"{number} of them" if isinstance(given, list | tuple) else "one tensor"
    return f"{type_} needs its states as a pair (h, c), got {got}; write (h, c), with c of zeros where it is new"


def _structured(type_: str, result: Any) -> Any:
    """Return what a module outputs in PyTorch's form: `y, (h_n, c_n)` of an LSTM."""
    if type_ == "LSTM":
        return result[0], tuple(result[1:])
    if type_ == "MultiheadAttention" and isinstance(result, Tensor):
        return result, None
    return result
