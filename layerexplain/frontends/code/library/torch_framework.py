"""PyTorch in one program: the runs of its models, what it calls on data, and what it trains with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.frontends.code.library.signatures import overloads
from layerexplain.frontends.code.library.torch import LIBRARY as LIBRARY
from layerexplain.frontends.code.library.torch import compute, fill, make
from layerexplain.frontends.code.library.torch_modules import (
    BUILT_IN,
    CONTAINERS,
    OF_MODULE,
    BuiltIn,
    children_of,
    is_module,
    module_method,
    module_type,
)
from layerexplain.frontends.code.library.torch_program import (
    STATISTICS,
    Parameter,
    TensorRun,
    TorchProgram,
    own_weights,
    statistics,
)
from layerexplain.frontends.code.library.torch_results import FromModel, applied_module, marked, origin_of
from layerexplain.frontends.code.library.torch_training import LossSum, TorchTraining, is_loss
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Attributed,
    Evaluator,
    Identity,
    Keywords,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance
from layerexplain.layers.registry import find, of_torch
from layerexplain.model import Note

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.library.torch_data import sizes_said

_ALWAYS_THERE = frozenset({"torch.compile", "torch.backends.mps", "torch.nn.functional", "torch.cuda"})
"""Names that any PyTorch of today has."""


_PRIVATE = {"_BatchNorm": "BatchNorm2d", "_InstanceNorm": "InstanceNorm2d"}
"""Classes that programs derive theirs from, and one of those that have the same weights."""


class GradientContext(Attributed, Identity):
    """What forward of a torch.autograd.Function keeps for its backward."""

    def __init__(self) -> None:
        self.attributes: dict[str, ProgramValue] = {}

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.attributes.get(name, Bound(self, name))

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return None


class PyTorch:
    """What a program does with PyTorch, and what the objects of its own classes of modules answer."""

    roots = LIBRARY.roots

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.program = interpreter.kept(TorchProgram)
        self.training = interpreter.kept(TorchTraining)

    @property
    def run(self) -> TensorRun | None:
        """Return the run that is followed now; None outside of any `forward`."""
        return self.program.run

    def call(self, module: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `module(x)` gives: outside of any run, that begins one on the shapes of the data."""
        interpreter, run = self.interpreter, self.run
        if isinstance(module, BuiltIn) and is_loss(module.type):
            return self.training.call_loss(interpreter, module.type, module.config, args, kwargs, module.place)
        if run is not None:
            return run.run(module, args, kwargs)
        from layerexplain.frontends.code.library.torch_runs import run_on_data

        origin = next((known for value in (*args, *kwargs.values()) if (known := origin_of(value)) is not None), None)
        if origin is not None and isinstance(module, BuiltIn) and not (module.children or own_weights(module)):
            result = run_on_data(interpreter, module, args, kwargs)
            return marked(result, applied_module(interpreter, module, origin))
        if origin is not None:
            self.training.behind_models.append(module)
        return self.training.result(run_on_data(interpreter, module, args, kwargs), module)

    def by_convention(self, name: str) -> Symbol | None:
        """Return the module of PyTorch that a name which is not defined stands for, behind others of PyTorch."""
        is_module = self.program.makes_modules and name[:1].isupper() and find(of_torch(name)) is not None
        return Symbol(f"torch.nn.{name}") if is_module else None

    def leave_trainable_open(self, unknown: Unknown) -> None:
        """Record that a program freezes what nobody knows: it may be any parameter."""
        self.program.open_trainable = unknown

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of PyTorch has a name; None where that is not known."""
        types = {"torch.nn": of_torch(name), "torch.nn.functional": f"torch.{name}"}
        is_known = path in types and find(types[path]) is not None
        return True if is_known or f"{path}.{name}" in _ALWAYS_THERE else None

    def method_of_data(self, data: Unknown, name: str) -> Bound | None:
        """Return the method with which a PyTorch program states the shape of unknown data, or that of a loss or of what
        a model gives."""
        is_said = name in ("reshape", "view") and self.program.makes_modules and self.run is None
        is_applied = isinstance(data, FromModel) and name != "values" and overloads(f"torch.Tensor.{name}")
        return Bound(data, name) if is_said or is_applied or isinstance(data, LossSum) else None

    def reshaped_data(self, sizes: Arguments) -> ProgramValue:
        """Return data with unknown values and the sizes that the program gives them; None where it gives none."""
        return sizes_said(sizes)

    def buffer(self, instance: Instance, name: str, value: ProgramValue) -> ProgramValue:
        """Return an attribute of a module that may be a buffer: in a run, one of floats is a row of its name, as a file
        of weights may have other values than the code. Whole numbers are what the program counts and picks by."""
        run = self.run
        is_row = run is not None and isinstance(value, Array) and str(value.dtype).startswith("float")
        return run.stored(value) if run is not None and is_row and id(value) in run.buffers else value

    def apply(self, function: Class, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a torch.autograd.Function of the program gives, by its forward; its backward is not read."""
        forward = function.find("forward")
        if not isinstance(forward, Function):
            return self.interpreter.unknown(f"{function.name} has no forward")
        if self.run is not None and isinstance(function.find("backward"), Function):
            words = f"{function.name}.backward is the program's own and is not read: gradients are those of forward"
            self.run.notes.append(Note("own-gradient", None, words))
        context = [] if isinstance(function.find("setup_context"), Function) else [GradientContext()]
        return self.interpreter.call(forward, [*context, *args], kwargs)

    # Objects of the program's own classes ---------------------------------------------------------------------------

    def attribute(self, instance: Instance, name: str) -> ProgramValue:
        """Return an attribute that PyTorch gives a module."""
        if name == "training":
            return False
        if self.program.inside_parallel(instance, name):
            return instance
        if name == "_modules":
            return children_of(instance)
        if (built_in := instance.attributes.get(BUILT_IN)) is not None:
            own = {weight: (shape, is_buffer) for weight, shape, is_buffer in own_weights(built_in)}
            if name in own and (name in STATISTICS or not own[name][1]):
                return self._weight(instance, name, *own[name])
            if name in built_in.config and not (name == "bias" and "weight" in own):
                return built_in.config[name]
            if name in ("weight", "bias", *STATISTICS):
                return None
            declaration = find(of_torch(built_in.type))
            if declaration is not None and name in declaration.default_values:
                return declaration.default_values[name]
        return Bound(instance, name)

    def _weight(self, instance: Instance, name: str, shape: tuple[int, ...], is_buffer: bool) -> ProgramValue:
        """Return a weight of the module that a class is made of, which the class itself computes with."""
        value = instance.attributes[name] = statistics(name, shape) if is_buffer else Parameter(shape)
        if is_buffer:
            instance.attributes["_buffers"] = (*instance.attributes.get("_buffers", ()), name)
        if self.run is None:
            return value
        names = self.run.buffers if is_buffer else self.run.parameters
        names[id(value)] = f"{self.run.names.get(id(instance), '')}.{name}".lstrip(".")
        return self.buffer(instance, name, value)

    def has_attribute(self, cls: Class, name: str) -> bool | None:
        """Return whether PyTorch gives the objects of a class an attribute; None where that is not known."""
        root = cls.root()
        is_bare = root is not None and root.path == "torch.nn.Module" and not name.startswith("_")
        return name in OF_MODULE if is_bare else None

    def finish(self, instance: Instance) -> None:
        """Note a module that is made and is no part of one that is being made."""
        if not self.interpreter.unfinished:
            self.program.finished.append(instance)

    def method(self, instance: Instance, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method that PyTorch gives a module gives."""
        if name == "__init__":
            self.program.begun.append(instance)
            if module_type(instance) in CONTAINERS:
                instance.attributes.update(fill(module_type(instance), args))
            elif module_type(instance) != "Module":
                type_ = module_type(instance)
                module = make(_PRIVATE.get(type_, type_), args, kwargs, self.interpreter)
                if isinstance(module, BuiltIn):
                    instance.attributes[BUILT_IN] = module
                elif self.run is None:
                    self.interpreter.effects.mark_incomplete(module)
            return None
        if name in ("items", "keys", "values") and module_type(instance) in CONTAINERS:
            return list(getattr(children_of(instance), name)())
        if name == "_conv_forward" and (built_in := instance.attributes.get(BUILT_IN)) is not None:
            names = ("stride", "padding", "dilation", "groups")
            config = {item: built_in.config[item] for item in names if item in built_in.config}
            if built_in.config.get("padding_mode", "zeros") != "zeros":
                return self.interpreter.unknown(f"padding_mode of nn.{built_in.type}")
            path = f"torch.nn.functional.{built_in.type.lower()}"
            return compute(built_in.type.lower(), args, {**kwargs, **config}, self.interpreter, path)
        if name == "forward" and (built_in := instance.attributes.get(BUILT_IN)) is not None:
            run = self.run
            unknown = self.interpreter.unknown
            return run.built_in(instance, built_in, args, kwargs) if run else unknown("a module on data")
        if module_type(instance) in CONTAINERS and name in ("append", "extend"):
            now = [item for item in instance.attributes.values() if is_module(item)]
            more = args if name == "append" else args[0]
            self.interpreter.budget.look(len(now))
            self.interpreter.budget.grow(len(now), len(more))
            for i, item in enumerate(more):
                instance.attributes[str(len(now) + i)] = item
            return instance
        return module_method(self.interpreter, instance, name, args, kwargs)

    def items(self, instance: Instance) -> list[ProgramValue]:
        """Return what a loop over a container of the program meets."""
        members = children_of(instance)
        return list(members) if module_type(instance) == "ModuleDict" else list(members.values())
