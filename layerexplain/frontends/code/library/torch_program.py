"""What is kept of PyTorch while a program is read: what runs answer, and the parameters of modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.layers import creation_counter, unknown_in
from layerexplain.frontends.code.values.program import Bound, Instance
from layerexplain.layers.known_definitions import with_value
from layerexplain.layers.registry import find, of_torch
from layerexplain.layers.torch.construction import has_parameters, traced_alone
from layerexplain.model import Note, TensorRef
from layerexplain.ops.sizes import product

# Torch program ------------------------------------------------------------------------------------------------------
# What is kept of PyTorch while a program is read, and what a run of a model answers its tensors and weights.


class TensorGradients(Protocol):
    """Where a run keeps gradients back."""

    are_on: bool

    def detached(self, tensor: ProgramValue, name: str = "detach") -> ProgramValue:
        """Return a tensor through which no gradient passes."""


class TensorRun(Protocol):
    """A run of a model, as tensors, weights and modules see it. Its tensors are `ProgramValue` here."""

    names: dict[int, str]
    """The names of its modules, by their identities."""
    parameters: dict[int, str]
    buffers: dict[int, str]
    opened: list[Unknown]
    """Why something is not known."""
    cut_rows: tuple[int, int] | None
    notes: list[Note]
    """What the reader of the code has to know of it."""
    targets: list[TensorRef]
    """The tensors that losses compare outputs with."""

    @property
    def gradients(self) -> TensorGradients:
        """Return where gradients are kept back."""

    @property
    def interpreter(self) -> Evaluator:
        """Return what reads the program."""

    @property
    def model(self) -> ProgramValue:
        """Return the module that runs."""

    @property
    def sources(self) -> Mapping[ProgramValue, tuple[str, list[ProgramValue]]]:
        """Return what made each call's results: the type, and its tensors."""

    def before(self, ref: TensorRef) -> Mapping[ProgramValue, tuple[str, list[ProgramValue]]]:
        """Return the calls that a tensor comes from, inputs included, by their keys."""

    def unknown(self, reason: str) -> Exception:
        """Note what is not known, and return what ends the run."""

    def refused(self, fact: str) -> Exception:
        """Keep the fault of a call that PyTorch refuses, and return what ends the run."""

    def stored(self, value: ProgramValue) -> ProgramValue:
        """Return a parameter, or numbers that the program makes, as a tensor of the run: a row of its own."""

    def function(self, name: str, args: Arguments, kwargs: Keywords, path: str = "") -> ProgramValue:
        """Return what `torch.name(x, …)` or `x.name(…)` gives; `path` is the function whose arguments these are."""

    def numbers(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return numbers that the program makes: those of the batch are a row."""

    def operation(
        self, name: str, tensors: Sequence[ProgramValue], config: Mapping[str, ProgramValue], *, row: str = ""
    ) -> ProgramValue:
        """Call a function of torch, which is a row of its own; `row` is another name for that."""

    def run(
        self, value: ProgramValue, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> ProgramValue:
        """Call any module: the program's own by its `forward`."""

    def part(
        self, part: ProgramValue, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> ProgramValue:
        """Call a part of a module that calls its parts itself."""

    def built_in(
        self, owner: Instance, module: ProgramValue, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> ProgramValue:
        """Call the module of PyTorch that a user-defined class is made of."""


class TorchProgram:
    """What a program does with PyTorch."""

    def __init__(self) -> None:
        self.makes_modules = False
        """Whether the program makes modules."""
        self.runs: list[TensorRun] = []
        """The models that are run now, the innermost last."""
        self.descends = False
        """Whether the program asks for gradients of what it computes itself from the results of models."""
        self.begun: list[Instance] = []
        """The modules whose `__init__` has called that of PyTorch."""
        self.finished: list[ProgramValue] = []
        """Instances of the program's own classes, and the containers outside of these instances."""
        self.open_trainable: Unknown | None = None
        """What the program freezes, where that is not known: it may be any parameter."""
        self._in_parallel: list[ProgramValue] = []

    @property
    def run(self) -> TensorRun | None:
        """Return the run that is followed now; None outside of any `forward`."""
        return self.runs[-1] if self.runs else None

    def in_parallel(self, module: ProgramValue) -> ProgramValue:
        """Return what DataParallel gives of a module: it computes the same, so that it is that module itself."""
        self._in_parallel.append(module)
        return module

    def inside_parallel(self, module: ProgramValue, name: str) -> bool:
        """Return whether `name` asks DataParallel for the module in it."""
        return name == "module" and any(item is module for item in self._in_parallel)

    def has_begun(self, instance: Instance) -> bool:
        """Return whether the `__init__` of a module has called that of PyTorch."""
        return any(other is instance for other in self.begun)


def run_of(evaluator: Evaluator) -> TensorRun | None:
    """Return the run of a model that is followed now; None outside of any `forward`."""
    return evaluator.kept(TorchProgram).run


# Torch parameters ---------------------------------------------------------------------------------------------------


class ModuleOfTorch(Protocol):
    """A module of torch.nn, as its weights see it."""

    type: str
    config: dict[str, Any]
    created_at: int
    known_weights: tuple[tuple[str, dict[str, Any]], Weights | None] | None

    @property
    def declared(self) -> tuple[str, dict[str, Any]]:
        """Return the type and the arguments that its declaration takes."""

    @property
    def replaced(self) -> Mapping[str, Any]:
        """Return the parameters that the program put in the place of its own, by their names."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        """Return an attribute."""


class Parameter(Identity):
    """An nn.Parameter: numbers that are trained, unless `requires_grad` is False."""

    def __init__(self, shape: tuple[Any, ...], requires_grad: ProgramValue = True) -> None:
        self.shape = shape
        self.created_at = next(creation_counter)
        self.requires_grad = requires_grad
        self.changed_in: set[int] = set()
        """The statements of the program that say whether it is trained."""
        self.run: TensorRun | None = None
        """The run of its model that is followed now."""
        self.asked_of: ProgramValue = None
        """The module whose parameters the program asked for last, this one among them."""

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = parameter = Parameter(self.shape, self.requires_grad)
        parameter.changed_in |= self.changed_in

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in ("shape", "ndim"):
            whole = unknown_in(self.shape)
            return whole or (self.shape if name == "shape" else len(self.shape))
        if name in ("data", "grad"):
            return self
        if name == "requires_grad":
            return self.requires_grad
        if name == "is_leaf":
            return True
        return evaluator.unknown(f"the {name} of a parameter") if name in ("device", "dtype") else Bound(self, name)

    def is_instance(self, kind: Symbol) -> bool | None:
        return kind.last in ("Parameter", "Tensor")

    def set_attribute(self, evaluator: Evaluator, name: str, value: ProgramValue) -> None:
        if name == "requires_grad":
            if isinstance(value, Symbol):
                value = evaluator.unknown(f"the value of {value.path} is not known", value.last)
            evaluator.effects.record_attribute_change(self, name)
            if value is not self.requires_grad:
                evaluator.effects.record_model_event()
                self.changed_in.add(evaluator.effects.statement)
            self.requires_grad = value

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        run = run_of(evaluator)
        if name == "requires_grad_":
            self.set_attribute(evaluator, "requires_grad", [*args, kwargs.get("requires_grad", True)][0])
            return self
        if name in ("numel", "nelement"):
            known = all(isinstance(size, int) for size in self.shape)
            return product(self.shape) if known else evaluator.unknown("the size of a parameter")
        if name in ("size", "dim") and run is None:
            return unknown_in(self.shape) or (
                self.shape if name == "size" and not args else len(self.shape) if name == "dim" else self.shape[args[0]]
            )
        if run is None:
            return self
        if name.endswith("_"):
            raise run.unknown("a parameter that forward changes in place")
        return run.stored(self).call_method(evaluator, name, args, kwargs)

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        run = run_of(evaluator)
        return self if run is None else run.stored(self).get_item(evaluator, key)

    def iterate(self) -> list[Any] | Unknown:
        return super().iterate() if self.run is None else self.run.stored(self).iterate()

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        run = run_of(evaluator)
        if run is None:
            return evaluator.unknown("numbers of a parameter")
        change = [run.stored(item) if isinstance(item, Parameter) else item for item in (left, right)]
        return change[0 if left is self else 1].operate(evaluator, name, *change)


class OfModule(Parameter):
    """A weight of a built-in module, under its name there."""

    def __init__(self, shape: tuple[Any, ...], owner: ModuleOfTorch, name: str) -> None:
        super().__init__(shape)
        self.created_at = owner.created_at
        self.owner = owner
        self.name = name

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = module = OfModule(self.shape, copy(self.owner), self.name)
        module.requires_grad = self.requires_grad
        module.changed_in |= self.changed_in


class PartOfModule(Identity):
    """A module inside one of torch.nn that is one row here: `attention.out_proj`. `weights` are the names of its
    weights in the module around it."""

    def __init__(self, owner: ModuleOfTorch, name: str, weights: Sequence[str]) -> None:
        self.owner = owner
        self.name = name
        self.weights = weights

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        whole = f"{self.name}.{name}"
        return self.owner.get_attribute(evaluator, whole) if whole in self.weights else Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        results = {
            weight.removeprefix(f"{self.name}."): self.owner.get_attribute(evaluator, weight) for weight in self.weights
        }
        if name == "requires_grad_":
            for item in results.values():
                item.call_method(evaluator, name, args, kwargs)
            return self
        if name in ("parameters", "named_parameters"):
            return list(results.values()) if name == "parameters" else list(results.items())
        return evaluator.unknown(f"the method {name} of {self.name}, a part of a module of torch.nn")


# Torch weights ------------------------------------------------------------------------------------------------------
# The weights of modules of torch.nn, by their arguments alone.

Weights = list[tuple[str, tuple[int, ...], bool]]
STATISTICS = {"running_mean": 0.0, "running_var": 1.0}
"""The weights of a module that are buffers, and what they are at first."""


def statistics(name: str, shape: tuple[int, ...]) -> Array:
    """Return such a buffer of a new module."""
    return Array(shape, (STATISTICS[name],) * (product(shape) or 0))


def own_weights(module: ModuleOfTorch) -> Weights:
    """Return the weights of a module by its arguments alone: the name, the shape, and whether it is a buffer. They are
    kept as long as the arguments stay."""
    type_, config = module.declared
    if module.known_weights is None or module.known_weights[0] != (type_, config):
        module.known_weights = (type_, dict(config)), _weights_of(type_, config)
    return module.known_weights[1] or []


def _weights_of(type_: str, config: Mapping[str, Any]) -> Weights | None:
    """Return the weights of a module; None where they depend on an argument that is not known."""
    declaration = find(of_torch(type_))
    unknown = [name for name, value in config.items() if unknown_in(value) is not None]
    if declaration is None or not unknown:
        return _weights_at(type_, config) or []
    tried = []
    for number in _TRIED:
        values = {name: with_value(None, declaration.arguments.get(name), number) for name in unknown}
        results = _weights_at(type_, {**config, **values})
        tried += [] if results is None else [results]
    return tried[0] if len(tried) > 1 and all(items == tried[0] for items in tried) else None


_TRIED = (1, 2, 3, 5)
"""Numbers that stand for an argument that is not known: a count of heads has to divide the features."""


def _weights_at(type_: str, config: Mapping[str, Any]) -> Weights | None:
    """Return the weights of a module with arguments that are known; None where they do not fit each other."""
    try:
        definition = traced_alone(type_, config)
    except LayerExplainError:
        return None
    return [
        (".".join([*map(str, w.attrs["at"]), w.attrs["name"]]), w.shape, bool(w.attrs.get("buffer")))
        for w in (() if definition is None else definition.weights)
    ]


def has_unknown_weights(module: ModuleOfTorch) -> bool:
    """Return whether a module has weights of unknown shapes: its arguments are unknown, or it has no formula here."""
    if find(of_torch(module.type)) is None:
        return has_parameters(module.type)
    own_weights(module)
    return module.known_weights is not None and module.known_weights[1] is None


def weight_shapes(module: ModuleOfTorch) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of a module by their names; none where they are not known."""
    return {name: shape for name, shape, is_buffer in own_weights(module) if not is_buffer}


_OF_WINDOWS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding"})


def kept_as(type_: str, config: Mapping[str, Any], name: str) -> Any:
    """Return an argument as the attribute of its module has it: convolutions keep a tuple of their sizes, pooling the
    window as its stride.

    >>> kept_as("Conv2d", {"kernel_size": 3}, "kernel_size"), kept_as("MaxPool2d", {"kernel_size": 3}, "stride")
    ((3, 3), 3)
    """
    value = config.get(name)
    if name == "stride" and value is None and not type_.startswith("LPPool"):
        value = config.get("kernel_size")
    if type(value) is not int:
        return value
    axes = int(type_[-2]) if type_[-2:-1].isdecimal() else 1
    if (type_.startswith("Conv") and name in _OF_WINDOWS) or (type_ == "AvgPool1d" and name in _OF_WINDOWS):
        return (value,) * axes
    if "Pad" in type_ and name == "padding":
        return (value,) * (2 * axes)
    return (value,) if name == "normalized_shape" else value


def is_recurrent(shapes: Mapping[str, Any]) -> bool:
    """Return whether these are the weights of an RNN, LSTM or GRU, whose `bias` is its argument."""
    return bool(shapes.keys() & {"weight_ih", "weight_ih_l0"})


def may_have_weight(module: ModuleOfTorch, name: str) -> bool | None:
    """Return whether a module has a weight or a bias, which may be None; None where that is not known."""
    declaration = find(of_torch(module.type))
    if declaration is None or has_unknown_weights(module):
        return None
    leaves_out = {name, "affine", *(["elementwise_affine"] if name == "weight" else [])}
    return name in weight_shapes(module) or bool(leaves_out & {*declaration.arguments})


# Torch hooks --------------------------------------------------------------------------------------------------------
# Hooks that a program registers with modules of PyTorch, and what removes them.

HOOKS, PRE_HOOKS = "_forward_hooks", "_forward_pre_hooks"
"""The attributes of modules that hold their hooks."""
REGISTER = {"register_forward_hook": HOOKS, "register_forward_pre_hook": PRE_HOOKS}


class HookHandle(Identity):
    """What registering a hook gives, by which it is removed."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks = hooks
        self.hook = hook

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name == "remove" and self.hook in self.hooks:
            evaluator.mutate(self.hooks)
            self.hooks.remove(self.hook)
        return None
