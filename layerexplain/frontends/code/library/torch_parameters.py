"""Parameters in a program of PyTorch: those that it makes, and those of modules of torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.values.base import Evaluator, Identity, ProgramValue, Unknown
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.symbols import Symbol
from layerexplain.ops.sizes import product

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_graph import Run
    from layerexplain.frontends.code.library.torch_modules import BuiltIn


class Parameter(Identity):
    """An nn.Parameter: numbers that are trained, unless `requires_grad` is False."""

    def __init__(self, shape: tuple[Any, ...], requires_grad: ProgramValue = True) -> None:
        self.shape = shape
        self.requires_grad = requires_grad
        self.run: Run | None = None
        """The run of its model that is followed now."""
        self.asked_of: ProgramValue = None
        """The module whose parameters the program asked for last, this one among them."""

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = Parameter(self.shape, self.requires_grad)

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in ("shape", "ndim"):
            return self.shape if name == "shape" else len(self.shape)
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
            evaluator.effects.record_attribute_change(self, name)
            if value is not self.requires_grad:
                evaluator.effects.record_model_event()
            self.requires_grad = value

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        run = evaluator.torch.run
        if name == "requires_grad_":
            self.set_attribute(evaluator, "requires_grad", [*args, kwargs.get("requires_grad", True)][0])
            return self
        if name in ("numel", "nelement"):
            known = all(isinstance(size, int) for size in self.shape)
            return product(self.shape) if known else evaluator.unknown("the size of a parameter")
        if name in ("size", "dim") and run is None:
            return (
                self.shape if name == "size" and not args else len(self.shape) if name == "dim" else self.shape[args[0]]
            )
        if run is None:
            return self
        if name.endswith("_"):
            raise run.unknown("a parameter that forward changes in place")
        return run.stored(self).call_method(evaluator, name, args, kwargs)

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        run = evaluator.torch.run
        return self if run is None else run.stored(self).get_item(evaluator, key)

    def iterate(self) -> list[Any] | Unknown:
        return super().iterate() if self.run is None else self.run.stored(self).iterate()

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        run = evaluator.torch.run
        if run is None:
            return evaluator.unknown("numbers of a parameter")
        change = [run.stored(one) if isinstance(one, Parameter) else one for one in (left, right)]
        return change[0 if left is self else 1].operate(evaluator, name, *change)


class OfModule(Parameter):
    """A weight of a built-in module, under its name there."""

    def __init__(self, shape: tuple[Any, ...], owner: BuiltIn, name: str) -> None:
        super().__init__(shape)
        self.owner = owner
        self.name = name

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = found = OfModule(self.shape, copy(self.owner), self.name)
        found.requires_grad = self.requires_grad


class PartOfModule(Identity):
    """A module inside one of torch.nn that is one row here: `attention.out_proj`. `weights` are the names of its
    weights in the module around it."""

    def __init__(self, owner: BuiltIn, name: str, weights: Sequence[str]) -> None:
        self.owner = owner
        self.name = name
        self.weights = weights

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        whole = f"{self.name}.{name}"
        return self.owner.get_attribute(evaluator, whole) if whole in self.weights else Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        found = {one.removeprefix(f"{self.name}."): self.owner.get_attribute(evaluator, one) for one in self.weights}
        if name == "requires_grad_":
            for one in found.values():
                one.call_method(evaluator, name, args, kwargs)
            return self
        if name in ("parameters", "named_parameters"):
            return list(found.values()) if name == "parameters" else list(found.items())
        return evaluator.unknown(f"the method {name} of {self.name}, a part of a module of torch.nn")
