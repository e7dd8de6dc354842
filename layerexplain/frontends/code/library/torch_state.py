"""What surrounds a run: where gradients are kept back, and what runs leave in the attributes of modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.library.torch_modules import named_modules, named_parameters
from layerexplain.frontends.code.library.torch_program import TensorRun, run_of
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.base import Arguments, Evaluator, Identity, Keywords, ProgramValue
from layerexplain.frontends.code.values.program import Function
from layerexplain.model import TensorRef
from layerexplain.ops.sizes import FLOATS

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor


# Torch gradients ----------------------------------------------------------------------------------------------------
# Where a run keeps gradients back: `with torch.no_grad():`, `@torch.no_grad()` and `x.detach()`.

MODES = {"no_grad": False, "inference_mode": False, "enable_grad": True}
"""Context managers by their names, and whether gradients pass what is computed in them."""


class GradientMode(Identity):
    """`torch.no_grad()` and the like. Outside of a run it changes nothing: a program that runs a model without
    gradients may train it elsewhere."""

    decorates = True

    def __init__(self, is_on: bool) -> None:
        self.is_on = is_on

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        if args and isinstance(args[0], Function):
            args[0].context = self
        return args[0] if args else self

    @contextmanager
    def entered(self, evaluator: Evaluator) -> Iterator[None]:
        run = run_of(evaluator)
        if run is None:
            yield
            return
        before, run.gradients.are_on = run.gradients.are_on, self.is_on
        try:
            yield
        finally:
            run.gradients.are_on = before


class Gradients:
    """Which tensors of a run a gradient has to pass to reach a weight, and which of them it cannot pass."""

    def __init__(self, run: TensorRun) -> None:
        self.run = run
        self.are_on = True
        self._behind_weights: set[Any] = set()
        """The calls that compute with a weight or with what was computed from one, by their keys."""
        self._stopped: set[Any] = set()
        """Those that ran without gradients."""
        self._detached: dict[TensorRef, Tensor] = {}

    def note_weights(self, tensors: Sequence[Tensor]) -> None:
        """Note that tensors are computed from weights of their own call, or are weights."""
        self._behind_weights |= {one.ref.key for one in tensors}

    def note_call(self, key: Any, given: Sequence[Tensor]) -> None:
        """Note a call with the tensors that it was given."""
        if any(one.ref.key in self._behind_weights for one in given):
            self._behind_weights.add(key)
        if not self.are_on:
            self._stopped.add(key)

    def seen(self, tensor: Tensor) -> Tensor:
        """Return a tensor as what computes with gradients sees it: detached if it was computed without them."""
        is_stopped = self.are_on and tensor.ref.key in self._stopped
        return self.detached(tensor, "no_grad") if is_stopped else tensor

    def detached(self, tensor: Tensor, name: str = "detach") -> Tensor:
        """Return a tensor through which no gradient passes: a row, if a weight would get one."""
        if tensor.ref.key not in self._behind_weights or tensor.spec.dtype not in FLOATS:
            return tensor
        if tensor.ref not in self._detached:
            before, self.are_on = self.are_on, False  # what is given to it needs no other row
            try:
                found = self.run.operation("detach", [tensor], {}, row=name)
            finally:
                self.are_on = before
            self._behind_weights.discard(found.ref.key)
            self._stopped.discard(found.ref.key)
            self._detached[tensor.ref] = found
        return self._detached[tensor.ref]


# Torch state --------------------------------------------------------------------------------------------------------
# What runs leave in the attributes of modules: `self.hidden = h` in forward. The next run begins without it, since
# its tensors are others.

_Attributes = dict[str, ProgramValue]


class ModuleState:
    """The attributes of modules that stand for tensors of runs, and what they were before."""

    def __init__(self) -> None:
        self._before: list[tuple[_Attributes, _Attributes]] = []

    @contextmanager
    def of_run(self, run: TensorRun) -> Iterator[None]:
        """Let a run begin as the program left the modules, and note which attributes it gives tensors."""
        for now, before in reversed(self._before):
            for name in [name for name, one in now.items() if _has_tensor(one)]:
                del now[name]
            now.update({name: one for name, one in before.items() if name not in now})
        self._before = []
        modules: list[Any] = [one for one in named_modules(run.model).values() if hasattr(one, "attributes")]
        kept = [(one.attributes, dict(one.attributes)) for one in modules]
        parameters = named_parameters(run.model).values()
        for one in parameters:
            one.run = run
        try:
            yield
        finally:
            for one in parameters:
                one.run = None
            self._before = [(now, before) for now, before in kept if any(map(_has_tensor, now.values()))]


def _has_tensor(value: ProgramValue) -> bool:
    return any(isinstance(one, Tensor) for one in flat(value))
