"""What runs leave in the attributes of modules: `self.hidden = h` in forward. The next run begins without it, since its
tensors are others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from layerexplain.frontends.code.library.torch_modules import named_modules, named_parameters
from layerexplain.frontends.code.library.torch_program import TensorRun
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.base import ProgramValue

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
